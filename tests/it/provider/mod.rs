//! A provider of our own making, and what we make of what it signs.

mod anything;
mod assertion;
mod client;
mod event;
pub mod former;
mod keys;
mod meanwhile;
mod restricted;
mod secret_change;
mod signature;
mod trust;

use std::sync::atomic::{AtomicU32, Ordering};

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

use crate::world::{Answer, ISSUER, START, World, block, stretched};

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
    /// As far as this world knows RSA.
    Rs256(u8),
}

impl Key {
    pub fn sign(self, input: &[u8]) -> Vec<u8> {
        match self {
            Self::Es256(seed) => Es256.sign(&<Es256 as Algorithm>::SigningKey::from_slice(&[seed; 32]).unwrap(), input).to_bytes().to_vec(),
            Self::Rs256(seed) => stretched(&[&modulus(seed)[..], input].concat()),
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
            Self::Rs256(seed) => {
                Ok(json!({ "kty": "RSA", "n": URL_SAFE_NO_PAD.encode(modulus(seed)), "e": "AQAB", "alg": "RS256", "use": "sig" }))
            }
        }
        .unwrap();
        jwk["kid"] = kid.into();
        jwk
    }
}

/// 2048 bits.
fn modulus(seed: u8) -> Vec<u8> {
    let mut modulus = stretched(&[seed]);
    modulus[0] |= 0x80;
    modulus
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
    world_with(&[])
}

/// The same with these variables on top.
pub fn world_with(vars: &[(&str, &str)]) -> World {
    let world = World::new(&[&[("TRUSTED_PROVIDERS", TRUSTED), ("RESOURCES", RESOURCES)], vars].concat());
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

pub const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// A name that was not used before.
fn name() -> String {
    static NAMES: AtomicU32 = AtomicU32::new(0);
    format!("name-{}", NAMES.fetch_add(1, Ordering::Relaxed))
}

/// The claims of an ID-JAG of now.
pub fn word(world: &World, subject: &str, email: &str) -> Value {
    let now = world.platform.now.get().seconds();
    json!({
        "iss": PROVIDER, "sub": subject, "aud": ISSUER, "client_id": PROVIDER, "jti": name(), "iat": now, "exp": now + 300, "auth_time": now,
        "email": email, "email_verified": true,
    })
}

/// What is sent with an ID-JAG.
pub fn presented(claims: &Value) -> Value {
    json!({ "type": "identity_assertion", "assertion_type": "urn:ietf:params:oauth:token-type:id-jag", "assertion": signed(claims) })
}

pub fn present(world: &World, claims: &Value) -> Answer {
    world.json("/agent/identity", &presented(claims))
}

pub fn admitted(world: &World, claims: &Value) -> Value {
    let answer = present(world, claims);
    assert_eq!(answer.status(), 200, "{}", answer.json());
    answer.json()
}

/// The person must confirm first.
pub fn asked(world: &World, claims: &Value) -> Value {
    let answer = present(world, claims);
    assert_eq!((answer.status(), answer.text("error").as_str()), (401, "interaction_required"), "{}", answer.json());
    answer.json()
}

/// Our assertion for a token.
pub fn exchange(world: &World, assertion: &str, more: &[(&str, &str)]) -> Answer {
    world.form("/oauth2/token", &[&[("grant_type", JWT_BEARER), ("assertion", assertion)], more].concat())
}

/// A security event of now about this subject.
pub fn event_of(world: &World, subject: &str) -> String {
    let now = world.platform.now.get().seconds();
    let events = json!({ postern::provider::event::REVOKED[0]: {} });
    token(
        KEY,
        &header("secevent+jwt"),
        &json!({ "iss": PROVIDER, "sub": subject, "aud": ISSUER, "jti": name(), "iat": now, "events": events }),
    )
}

pub fn push(world: &World, event: &str) -> u16 {
    world.send("192.0.2.2", "POST", "/agent/event/notify", &[("content-type", "application/secevent+jwt")], event).status()
}
