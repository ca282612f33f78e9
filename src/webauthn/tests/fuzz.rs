//! Bytes that nobody meant: no panic, and nothing is accepted that the authenticator has not said.

use proptest::prelude::*;

use super::super::authenticator_data::{ATTESTED, EXTENSIONS};
use super::super::*;
use super::authenticator::{Ceremony, EXPECTED, Kind};
use super::{KINDS, key_of};

proptest! {
    #[test]
    fn arbitrary_bytes_are_no_registration(client_data: Vec<u8>, object: Vec<u8>, trailer: Vec<u8>, extended: bool) {
        let mut ceremony = Ceremony::creation(Kind::P256);
        prop_assert!(created(&ceremony.created_with(&object), &EXPECTED).is_err());
        let mut answer = ceremony.created();
        answer.response.client_data_json = URL_SAFE_NO_PAD.encode(client_data);
        prop_assert_eq!(created(&answer, &EXPECTED), Err(InvalidPasskey::ClientData));
        // A credential of arbitrary bytes, with extensions or without.
        ceremony.flags = ceremony.flags & !ATTESTED | if extended { EXTENSIONS } else { 0 };
        ceremony.trailer = trailer;
        let mut data = ceremony.authenticator_data();
        data[32] |= ATTESTED;
        prop_assert!(authenticator_data::read(&data, EXPECTED.rp_id).is_err());
    }

    #[test]
    fn arbitrary_bytes_are_no_sign_in(client_data: Vec<u8>, data: Vec<u8>, signature: Vec<u8>, text in ".*") {
        let ceremony = Ceremony::request(Kind::Rsa);
        let key = serde_json::json!({ "alg": "ES256" });
        let refused = |answer: Asserted| asserted(&answer, &EXPECTED, &key).is_err();
        prop_assert!(refused(ceremony.asserted_with(&data, &signature)));
        prop_assert!(refused(ceremony.asserted_with(&ceremony.authenticator_data(), &signature)));
        let mut answer = ceremony.asserted();
        answer.response.client_data_json = URL_SAFE_NO_PAD.encode(client_data);
        prop_assert!(refused(answer.clone()));
        answer.raw_id = text.clone();
        answer.response.user_handle = Some(text);
        prop_assert!(credential(&answer).is_err());
        prop_assert!(user_handle(&answer).is_none_or(|handle| handle.len() <= LONGEST_USER_HANDLE));
    }

    #[test]
    fn no_byte_of_a_registration_is_superfluous(kind in prop::sample::select(&KINDS[..]), at: prop::sample::Index, byte: u8) {
        let ceremony = Ceremony::creation(kind);
        let object = ceremony.attestation_object();
        let at = at.index(object.len());
        let longer = [&object[..at], &[byte], &object[at..]].concat();
        prop_assert!(created(&ceremony.created_with(&longer), &EXPECTED).is_err());
        let shorter = [&object[..at], &object[at + 1..]].concat();
        prop_assert!(created(&ceremony.created_with(&shorter), &EXPECTED).is_err());
        let mut other = object.clone();
        other[at] = byte;
        if let Ok(passkey) = created(&ceremony.created_with(&other), &EXPECTED) {
            prop_assert_eq!(passkey.credential, URL_SAFE_NO_PAD.encode(&ceremony.id));
        }
    }
}

proptest! {
    // Checking a signature takes its time without optimisation.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_changed_sign_in_is_refused_or_not_what_was_signed(
        kind in prop::sample::select(&[Kind::P256, Kind::Ed25519][..]), part in 0..3, at: prop::sample::Index, change in 1_u8..
    ) {
        let ceremony = Ceremony::request(kind);
        let key = key_of(kind);
        let mut answer = ceremony.asserted();
        let text = match part {
            0 => &mut answer.response.client_data_json,
            1 => &mut answer.response.authenticator_data,
            _ => &mut answer.response.signature,
        };
        let mut bytes = BASE64URL.decode(&*text).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= change;
        *text = URL_SAFE_NO_PAD.encode(bytes);
        if let Ok(signed) = asserted(&answer, &EXPECTED, &key) {
            prop_assert_eq!(signed.signature.len(), 64);
            prop_assert!(!ceremony.verifies(&key, &signed.input, &signed.signature));
        }
    }
}
