//! A browser and an authenticator in software, for tests. Everything they say is a field, so that a test can change one thing.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_compact::Algorithm as _;
use jwt_compact::alg::{Ed25519, Es256, SigningKey as _};
use jwt_compact::jwk::JsonWebKey;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::super::authenticator_data::{ATTESTED, BACKED_UP, BACKUP_ELIGIBLE, USER_PRESENT, USER_VERIFIED};
use super::super::cbor::Item;
use super::super::{Asserted, Created, Expected};
use super::cbor::write;

pub(super) const CHALLENGE: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
pub(super) const EXPECTED: Expected<'static> = Expected { challenge: CHALLENGE, origin: "https://auth.example", rp_id: "auth.example" };

/// Whose signatures a passkey makes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    P256,
    Ed25519,
    /// A key without a signer: the modulus is any odd number of 2048 bits.
    Rsa,
}

/// What a ceremony is about to say.
#[derive(Clone)]
pub(super) struct Ceremony {
    pub(super) kind: Kind,
    pub(super) credential_type: &'static str,
    pub(super) id: Vec<u8>,
    pub(super) client_data: Value,
    pub(super) rp_id: &'static str,
    pub(super) flags: u8,
    pub(super) sign_count: u32,
    /// What is attested, whatever `id` says.
    pub(super) attested_id: Vec<u8>,
    /// What follows the fields of the authenticator data.
    pub(super) trailer: Vec<u8>,
    pub(super) format: &'static str,
    pub(super) statement: Item<'static>,
}

const SEED: [u8; 32] = [7; 32];
const ID: [u8; 20] = [9; 20];
const MODULUS: [u8; 256] = [0xc5; 256];

impl Ceremony {
    pub(super) fn creation(kind: Kind) -> Self {
        Self {
            kind,
            credential_type: "public-key",
            id: ID.to_vec(),
            client_data: json!({
                "type": "webauthn.create", "challenge": CHALLENGE, "origin": EXPECTED.origin, "crossOrigin": false, "added": [1]
            }),
            rp_id: EXPECTED.rp_id,
            flags: USER_PRESENT | USER_VERIFIED | BACKUP_ELIGIBLE | BACKED_UP | ATTESTED,
            sign_count: 0x0102_0304,
            attested_id: ID.to_vec(),
            trailer: vec![],
            format: "none",
            statement: Item::Map(vec![]),
        }
    }

    pub(super) fn request(kind: Kind) -> Self {
        let mut ceremony = Self::creation(kind);
        ceremony.client_data["type"] = json!("webauthn.get");
        ceremony.flags &= !ATTESTED;
        ceremony
    }

    pub(super) fn created(&self) -> Created {
        self.created_with(&self.attestation_object())
    }

    pub(super) fn created_with(&self, attestation_object: &[u8]) -> Created {
        let response = json!({
            "clientDataJSON": URL_SAFE_NO_PAD.encode(self.client_data.to_string()),
            "attestationObject": URL_SAFE_NO_PAD.encode(attestation_object),
            "transports": ["internal"],
        });
        serde_json::from_value(self.credential(&response)).unwrap()
    }

    pub(super) fn asserted(&self) -> Asserted {
        self.asserted_with(&self.authenticator_data(), &self.signature())
    }

    pub(super) fn asserted_with(&self, authenticator_data: &[u8], signature: &[u8]) -> Asserted {
        let response = json!({
            "clientDataJSON": URL_SAFE_NO_PAD.encode(self.client_data.to_string()),
            "authenticatorData": URL_SAFE_NO_PAD.encode(authenticator_data),
            "signature": URL_SAFE_NO_PAD.encode(signature),
            "userHandle": URL_SAFE_NO_PAD.encode("acc_1"),
        });
        serde_json::from_value(self.credential(&response)).unwrap()
    }

    pub(super) fn attestation_object(&self) -> Vec<u8> {
        let data = self.authenticator_data();
        write(&Item::Map(vec![
            (Item::Text("fmt"), Item::Text(self.format)),
            (Item::Text("attStmt"), self.statement.clone()),
            (Item::Text("authData"), Item::Bytes(&data)),
        ]))
    }

    pub(super) fn authenticator_data(&self) -> Vec<u8> {
        let mut data = Sha256::digest(self.rp_id).to_vec();
        data.push(self.flags);
        data.extend_from_slice(&self.sign_count.to_be_bytes());
        if self.flags & ATTESTED != 0 {
            data.extend_from_slice(&[0xaa; 16]);
            data.extend_from_slice(&u16::try_from(self.attested_id.len()).unwrap().to_be_bytes());
            data.extend_from_slice(&self.attested_id);
            data.extend_from_slice(&self.cose_key());
        }
        [data, self.trailer.clone()].concat()
    }

    pub(super) fn signature(&self) -> Vec<u8> {
        let input = [self.authenticator_data(), Sha256::digest(self.client_data.to_string()).to_vec()].concat();
        match self.kind {
            Kind::P256 => Es256.sign(&p256(), &input).to_der().as_bytes().to_vec(),
            Kind::Ed25519 => Ed25519.sign(&ed25519(), &input).to_bytes().to_vec(),
            Kind::Rsa => vec![0x5a; MODULUS.len()],
        }
    }

    /// Whether a signature as JOSE has it is that of `jwk`.
    pub(super) fn verifies(&self, jwk: &Value, input: &[u8], signature: &[u8]) -> bool {
        let jwk: JsonWebKey<'_> = serde_json::from_value(jwk.clone()).unwrap();
        match self.kind {
            Kind::P256 => {
                let key = <Es256 as jwt_compact::Algorithm>::VerifyingKey::try_from(&jwk).unwrap();
                Es256.verify_signature(&signature.try_into().unwrap(), &key, input)
            }
            Kind::Ed25519 => {
                let key = <Ed25519 as jwt_compact::Algorithm>::VerifyingKey::try_from(&jwk).unwrap();
                Ed25519.verify_signature(&signature.try_into().unwrap(), &key, input)
            }
            Kind::Rsa => false,
        }
    }

    fn cose_key(&self) -> Vec<u8> {
        let int = Item::Integer;
        match self.kind {
            Kind::P256 => {
                let key = p256().to_verifying_key();
                let JsonWebKey::EllipticCurve { x, y, .. } = JsonWebKey::from(&key) else { unreachable!() };
                let (x, y) = (Item::Bytes(&x), Item::Bytes(&y));
                write(&Item::Map(vec![(int(1), int(2)), (int(3), int(-7)), (int(-1), int(1)), (int(-2), x), (int(-3), y)]))
            }
            Kind::Ed25519 => {
                let key = ed25519().to_verifying_key();
                let x = Item::Bytes(key.as_bytes());
                write(&Item::Map(vec![(int(1), int(1)), (int(3), int(-8)), (int(-1), int(6)), (int(-2), x)]))
            }
            Kind::Rsa => {
                let (n, e) = (Item::Bytes(&MODULUS), Item::Bytes(&[1, 0, 1]));
                write(&Item::Map(vec![(int(1), int(3)), (int(3), int(-257)), (int(-1), n), (int(-2), e)]))
            }
        }
    }

    fn credential(&self, response: &Value) -> Value {
        let id = URL_SAFE_NO_PAD.encode(&self.id);
        json!({
            "id": id, "rawId": id, "type": self.credential_type, "response": response,
            "authenticatorAttachment": "platform", "clientExtensionResults": {},
        })
    }
}

fn p256() -> <Es256 as jwt_compact::Algorithm>::SigningKey {
    <Es256 as jwt_compact::Algorithm>::SigningKey::from_slice(&SEED).unwrap()
}

fn ed25519() -> <Ed25519 as jwt_compact::Algorithm>::SigningKey {
    <Ed25519 as jwt_compact::Algorithm>::SigningKey::from_bytes(&SEED)
}
