//! A provider of our own making, and what we make of what it signs.

mod anything;
mod assertion;
mod client;
mod event;
mod keys;
mod signature;
mod trust;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use jwt_compact::Algorithm;
use jwt_compact::alg::{Ed25519, Es256, SigningKey as _};
use jwt_compact::jwk::JsonWebKey;
use postern::oauth::error::{ErrorCode, Refusal};
use postern::provider::id_jag::{self, Vouched};
use postern::store::Fetched;
use postern::time::Ttl;
use serde_json::{Value, json};

use crate::world::{ISSUER, START, World, block};

pub const PROVIDER: &str = "https://provider.example.com";
pub const JWKS: &str = "https://provider.example.com/.well-known/jwks.json";
pub const OTHER: &str = "https://other.example.com";
pub const CLIENT: &str = "https://provider.example.com/client.json";
/// The time at which a world begins.
pub const NOW: i64 = 1_800_000_000;

const TRUSTED: &str = r#"[
    {"issuer":"https://provider.example.com","name":"Provider","client_metadata":"https://provider.example.com/client.json"},
    {"issuer":"https://other.example.com","name":"Other","required_amr":["mfa","hwk"],"max_auth_age":60}
]"#;
const RESOURCES: &str = r#"[{"uri":"https://api.example.com/v1","alternates":["https://api.example.com/legacy/"]}]"#;

/// A private key by the byte that it is made of.
#[derive(Clone, Copy)]
pub enum Key {
    Es256(u8),
    Ed25519(u8),
}

impl Key {
    pub fn sign(self, input: &[u8]) -> Vec<u8> {
        match self {
            Self::Es256(seed) => Es256.sign(&<Es256 as Algorithm>::SigningKey::from_slice(&[seed; 32]).unwrap(), input).to_bytes().to_vec(),
            Self::Ed25519(seed) => {
                Ed25519.sign(&<Ed25519 as Algorithm>::SigningKey::from_slice(&[seed; 32]).unwrap(), input).to_bytes().to_vec()
            }
        }
    }

    /// The public key under that name.
    pub fn jwk(self, kid: &str) -> Value {
        let mut jwk = match self {
            Self::Es256(seed) => {
                let key = <Es256 as Algorithm>::SigningKey::from_slice(&[seed; 32]).unwrap().to_verifying_key();
                serde_json::to_value(JsonWebKey::from(&key))
            }
            Self::Ed25519(seed) => {
                let key = <Ed25519 as Algorithm>::SigningKey::from_slice(&[seed; 32]).unwrap().to_verifying_key();
                serde_json::to_value(JsonWebKey::from(&key))
            }
        }
        .unwrap();
        jwk["kid"] = kid.into();
        jwk
    }
}

/// The key that both providers have published as `k1`.
pub const KEY: Key = Key::Es256(1);

/// A token of three parts with any header and claims.
pub fn token(key: Key, header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes())))
}

pub fn header(typ: &str) -> Value {
    json!({ "typ": typ, "alg": "ES256", "kid": "k1" })
}

/// Claims to which nothing can be objected.
pub fn claims() -> Value {
    json!({
        "iss": PROVIDER, "sub": "user-1", "aud": ISSUER, "client_id": PROVIDER, "jti": "jti-1", "iat": NOW, "exp": NOW + 300,
        "auth_time": NOW - 60, "email": "ada@example.com", "email_verified": true,
    })
}

pub fn with(claims: &Value, name: &str, value: Value) -> Value {
    let mut claims = claims.clone();
    claims[name] = value;
    claims
}

pub fn without(claims: &Value, name: &str) -> Value {
    let mut claims = claims.clone();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

pub fn signed(claims: &Value) -> String {
    token(KEY, &header("oauth-id-jag+jwt"), claims)
}

/// A deployment that trusts two providers, which have published a key each.
pub fn world() -> World {
    let world = World::new(&[("TRUSTED_PROVIDERS", TRUSTED), ("RESOURCES", RESOURCES)]);
    assert_eq!(START.seconds(), NOW);
    for issuer in [PROVIDER, OTHER] {
        publish(&world, &format!("{issuer}/.well-known/jwks.json"), &json!({ "keys": [KEY.jwk("k1")] }), None);
    }
    world
}

pub fn publish(world: &World, url: &str, document: &Value, max_age: Option<u64>) {
    answer(world, url, 200, "application/json", document.to_string().into(), max_age);
}

pub fn answer(world: &World, url: &str, status: u16, content_type: &str, body: Bytes, max_age: Option<u64>) {
    let fetched = Fetched { status, content_type: content_type.to_owned(), max_age: max_age.map(Ttl::from_seconds), body };
    world.platform.outside.borrow_mut().insert(url.to_owned(), fetched);
}

/// How often something was fetched.
pub fn fetches(world: &World) -> usize {
    world.platform.fetched.borrow().len()
}

pub fn verify<'w>(world: &'w World, assertion: &str) -> Result<Vouched<'w>, ErrorCode> {
    block(id_jag::verify(assertion, &world.cx(""))).map_err(|error| error.code())
}

/// What becomes of these claims in a new world.
pub fn outcome(claims: &Value) -> Result<(), ErrorCode> {
    verify(&world(), &signed(claims)).map(|_| ())
}
