//! Both ceremonies with an authenticator in software: what is right is accepted, and nothing that differs in one thing.

mod authenticator;
mod cbor;
mod fuzz;

use serde_json::json;

use self::authenticator::{CHALLENGE, Ceremony, EXPECTED, Kind};
use super::authenticator_data::{ATTESTED, BACKED_UP, BACKUP_ELIGIBLE, EXTENSIONS, USER_PRESENT, USER_VERIFIED};
use super::*;

const KINDS: [Kind; 3] = [Kind::P256, Kind::Ed25519, Kind::Rsa];

fn key_of(kind: Kind) -> Value {
    created(&Ceremony::creation(kind).created(), &EXPECTED).unwrap().key
}

/// What is said of a registration that differs by `change`.
fn creation(change: impl FnOnce(&mut Ceremony)) -> Result<NewPasskey, InvalidPasskey> {
    let mut ceremony = Ceremony::creation(Kind::P256);
    change(&mut ceremony);
    created(&ceremony.created(), &EXPECTED)
}

/// What is said of a sign-in that differs by `change`.
fn request(change: impl FnOnce(&mut Ceremony)) -> Result<Signed, InvalidPasskey> {
    let mut ceremony = Ceremony::request(Kind::P256);
    change(&mut ceremony);
    asserted(&ceremony.asserted(), &EXPECTED, &key_of(Kind::P256))
}

/// What both ceremonies say of the same change.
fn both(change: impl Fn(&mut Ceremony)) -> InvalidPasskey {
    let reason = creation(&change).unwrap_err();
    assert_eq!(request(&change).unwrap_err(), reason);
    reason
}

#[test]
fn a_new_passkey_signs_in() {
    for (kind, kty, alg) in [(Kind::P256, "EC", "ES256"), (Kind::Ed25519, "OKP", "EdDSA"), (Kind::Rsa, "RSA", "RS256")] {
        let passkey = created(&Ceremony::creation(kind).created(), &EXPECTED).unwrap();
        assert_eq!((&passkey.key["kty"], &passkey.key["alg"]), (&json!(kty), &json!(alg)));
        assert_eq!((passkey.sign_count, passkey.backed_up), (0x0102_0304, true));

        let ceremony = Ceremony::request(kind);
        let answer = ceremony.asserted();
        assert_eq!(credential(&answer).unwrap(), passkey.credential);
        assert_eq!(user_handle(&answer).as_deref(), Some("acc_1"));
        let signed = asserted(&answer, &EXPECTED, &passkey.key).unwrap();
        assert_eq!(signed.sign_count, 0x0102_0304);
        assert_eq!(signed.algorithm, cose::algorithm(&passkey.key).unwrap());
        match kind {
            Kind::Rsa => assert_eq!(signed.signature, ceremony.signature()),
            _ => assert!(ceremony.verifies(&passkey.key, &signed.input, &signed.signature)),
        }
    }
}

#[test]
fn a_passkey_in_one_place_is_not_backed_up() {
    assert!(!creation(|it| it.flags &= !BACKED_UP).unwrap().backed_up);
    assert!(!creation(|it| it.flags &= !(BACKED_UP | BACKUP_ELIGIBLE)).unwrap().backed_up);
}

#[test]
fn the_client_data_is_of_this_ceremony() {
    assert_eq!(creation(|it| it.client_data["type"] = json!("webauthn.get")), Err(InvalidPasskey::Ceremony("webauthn.create")));
    assert_eq!(request(|it| it.client_data["type"] = json!("webauthn.create")), Err(InvalidPasskey::Ceremony("webauthn.get")));
    let other = CHALLENGE.replace("AAEC", "AAED");
    for challenge in [other.as_str(), CHALLENGE.trim_end_matches("h8"), "", "?"] {
        assert_eq!(both(|it| it.client_data["challenge"] = json!(challenge)), InvalidPasskey::Challenge);
    }
    for origin in ["https://auth.example.org", "http://auth.example", "https://auth.example:8443", "https://auth.example/", ""] {
        assert_eq!(both(|it| it.client_data["origin"] = json!(origin)), InvalidPasskey::Origin);
    }
    assert_eq!(both(|it| it.client_data["crossOrigin"] = json!(true)), InvalidPasskey::CrossOrigin);
    assert_eq!(both(|it| it.client_data["topOrigin"] = json!("https://evil.example")), InvalidPasskey::CrossOrigin);
    assert_eq!(both(|it| it.client_data = json!([])), InvalidPasskey::ClientData);
    assert_eq!(both(|it| it.client_data["challenge"] = json!(1)), InvalidPasskey::ClientData);
    assert!(creation(|it| it.client_data.as_object_mut().unwrap().retain(|name, _| name != "crossOrigin")).is_ok());
}

#[test]
fn a_challenge_that_was_never_made_is_no_challenge() {
    for challenge in ["", "AAECAwQFBgcICQoLDA0O", "?"] {
        let mut ceremony = Ceremony::creation(Kind::P256);
        ceremony.client_data["challenge"] = json!(challenge);
        let expected = Expected { challenge, ..EXPECTED };
        assert_eq!(created(&ceremony.created(), &expected), Err(InvalidPasskey::Challenge));
    }
}

#[test]
fn client_data_that_says_a_thing_twice_is_refused() {
    let mut answer = Ceremony::creation(Kind::P256).created();
    let json = String::from_utf8(BASE64URL.decode(&answer.response.client_data_json).unwrap()).unwrap();
    let twice = json.replacen('{', r#"{"origin":"https://evil.example","#, 1);
    answer.response.client_data_json = URL_SAFE_NO_PAD.encode(twice);
    assert_eq!(created(&answer, &EXPECTED), Err(InvalidPasskey::ClientData));
}

#[test]
fn the_authenticator_data_is_for_us_and_of_a_verified_person() {
    assert_eq!(both(|it| it.rp_id = "example"), InvalidPasskey::RpId);
    assert_eq!(both(|it| it.flags &= !USER_PRESENT), InvalidPasskey::UserPresence);
    assert_eq!(both(|it| it.flags &= !USER_VERIFIED), InvalidPasskey::UserVerification);
    assert_eq!(both(|it| it.flags &= !BACKUP_ELIGIBLE), InvalidPasskey::Backup);
    assert_eq!(both(|it| it.trailer = vec![0]), InvalidPasskey::AuthenticatorDataTrailing);
    assert_eq!(creation(|it| it.flags &= !ATTESTED), Err(InvalidPasskey::NoCredential));
    assert_eq!(request(|it| it.flags |= ATTESTED), Err(InvalidPasskey::UnexpectedCredential));
}

#[test]
fn extensions_are_a_map_that_nobody_looks_at() {
    let extended = |trailer: &'static [u8]| {
        move |it: &mut Ceremony| {
            it.flags |= EXTENSIONS;
            it.trailer = trailer.to_vec();
        }
    };
    assert!(creation(extended(&[0xa1, 0x61, b'a', 0xf5])).is_ok());
    assert!(request(extended(&[0xa0])).is_ok());
    assert_eq!(both(extended(&[])), InvalidPasskey::Cbor(InvalidCbor::Truncated));
    assert_eq!(both(extended(&[0x80])), InvalidPasskey::Extensions);
    assert_eq!(both(extended(&[0xa0, 0])), InvalidPasskey::AuthenticatorDataTrailing);
}

#[test]
fn a_credential_has_one_id_of_fair_length() {
    assert_eq!(both(|it| it.credential_type = "password"), InvalidPasskey::CredentialType);
    assert_eq!(creation(|it| it.id = vec![1; 20]), Err(InvalidPasskey::OtherCredential));
    assert_eq!(creation(|it| it.attested_id = vec![1; 20]), Err(InvalidPasskey::OtherCredential));
    let sized = |length: usize| {
        creation(|it| {
            it.id = vec![1; length];
            it.attested_id = vec![1; length];
        })
    };
    assert!(sized(1023).is_ok());
    assert_eq!(sized(1024), Err(InvalidPasskey::CredentialIdLength));
    assert_eq!(sized(0), Err(InvalidPasskey::CredentialIdLength));
    let mut answer = Ceremony::request(Kind::P256).asserted();
    answer.id = URL_SAFE_NO_PAD.encode([1; 20]);
    assert_eq!(credential(&answer), Err(InvalidPasskey::CredentialIds));
    assert_eq!(asserted(&answer, &EXPECTED, &key_of(Kind::P256)), Err(InvalidPasskey::CredentialIds));
}

#[test]
fn padding_makes_no_difference() {
    let mut answer = Ceremony::request(Kind::P256).asserted();
    let credential = credential(&answer).unwrap();
    for text in [&mut answer.id, &mut answer.response.client_data_json, &mut answer.response.authenticator_data] {
        let padded = text.len().next_multiple_of(4);
        text.extend(std::iter::repeat_n('=', padded - text.len()));
    }
    assert_ne!(answer.id, answer.raw_id);
    assert_eq!(super::credential(&answer).unwrap(), credential);
    assert!(asserted(&answer, &EXPECTED, &key_of(Kind::P256)).is_ok());
    answer.response.signature.push('+');
    assert_eq!(asserted(&answer, &EXPECTED, &key_of(Kind::P256)), Err(InvalidPasskey::Base64("signature")));
}

#[test]
fn only_attestation_of_format_none_has_to_be_empty() {
    let statement = Item::Map(vec![(Item::Text("alg"), Item::Integer(-7)), (Item::Text("sig"), Item::Bytes(&[1]))]);
    assert_eq!(creation(|it| it.statement = statement.clone()), Err(InvalidPasskey::AttestationStatement));
    let packed = creation(|it| {
        it.statement = statement.clone();
        it.format = "packed";
    });
    assert!(packed.is_ok());
    assert_eq!(creation(|it| it.statement = Item::Null), Err(InvalidPasskey::AttestationObject));
}

#[test]
fn an_attestation_object_is_whole_and_alone() {
    for kind in KINDS {
        let ceremony = Ceremony::creation(kind);
        let object = ceremony.attestation_object();
        for length in 0..object.len() {
            let reason = created(&ceremony.created_with(&object[..length]), &EXPECTED).unwrap_err();
            assert_eq!(reason, InvalidPasskey::Cbor(InvalidCbor::Truncated));
        }
        let longer = [&object[..], &[0]].concat();
        assert_eq!(created(&ceremony.created_with(&longer), &EXPECTED), Err(InvalidPasskey::Cbor(InvalidCbor::Trailing)));
        // Its members are there, whatever else is.
        let data = ceremony.authenticator_data();
        let members = [("fmt", Item::Text("none")), ("attStmt", Item::Map(vec![])), ("authData", Item::Bytes(&data)), ("ep", Item::Null)];
        for missing in 0..members.len() {
            let mut members: Vec<_> = members.iter().map(|(name, item)| (Item::Text(name), item.clone())).collect();
            members.remove(missing);
            let answer = created(&ceremony.created_with(&self::cbor::write(&Item::Map(members))), &EXPECTED);
            if missing == 3 { assert!(answer.is_ok()) } else { assert_eq!(answer, Err(InvalidPasskey::AttestationObject)) }
        }
    }
}

#[test]
fn authenticator_data_cut_short_is_refused() {
    let whole = Ceremony::creation(Kind::P256).authenticator_data();
    for length in 0..whole.len() {
        let reason = authenticator_data::read(&whole[..length], EXPECTED.rp_id).unwrap_err();
        assert!(matches!(reason, InvalidPasskey::AuthenticatorDataTruncated | InvalidPasskey::Cbor(InvalidCbor::Truncated)), "{reason}");
    }
}

#[test]
fn a_signature_is_of_the_stored_algorithm() {
    let with = |signer: Kind, key: Value| {
        let ceremony = Ceremony::request(signer);
        asserted(&ceremony.asserted(), &EXPECTED, &key)
    };
    assert_eq!(with(Kind::Ed25519, key_of(Kind::P256)), Err(InvalidPasskey::Signature(InvalidDer::Tag)));
    assert_eq!(with(Kind::P256, key_of(Kind::Ed25519)), Err(InvalidPasskey::SignatureLength));
    assert_eq!(with(Kind::P256, json!({ "kty": "oct", "alg": "HS256" })), Err(InvalidPasskey::Algorithm));
    assert_eq!(with(Kind::P256, json!({ "kty": "EC", "alg": "ES384" })).unwrap().signature.len(), 96);
    let ceremony = Ceremony::request(Kind::P256);
    let longer = [ceremony.signature(), vec![0]].concat();
    let answer = ceremony.asserted_with(&ceremony.authenticator_data(), &longer);
    assert_eq!(asserted(&answer, &EXPECTED, &key_of(Kind::P256)), Err(InvalidPasskey::Signature(InvalidDer::Trailing)));
}

#[test]
fn a_user_handle_is_text_of_64_bytes_at_most() {
    let mut answer = Ceremony::request(Kind::P256).asserted();
    let mut with = |handle: Option<Vec<u8>>| {
        answer.response.user_handle = handle.map(|bytes| URL_SAFE_NO_PAD.encode(bytes));
        user_handle(&answer)
    };
    assert_eq!(with(Some(b"a".repeat(64))), Some("a".repeat(64)));
    for handle in [None, Some(vec![]), Some(b"a".repeat(65)), Some(vec![0xff])] {
        assert_eq!(with(handle), None);
    }
}
