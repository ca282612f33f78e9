//! Signatures by WebCrypto: ours are ES256 and RS256. Keys are imported once per isolate and cannot be exported from there.

use std::cell::RefCell;
use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use js_sys::{Array, ArrayBuffer, JSON, Object, Promise, Reflect, Uint8Array};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{CryptoKey, SubtleCrypto, WorkerGlobalScope};

use super::border::said;
use crate::entropy::{self, Platform as Chance};
use crate::jose::jwk::{Algorithm, PublicJwk};
use crate::store::{CryptoError, SigningKey};

/// More keys than a ring ever holds; of others, so many are kept at once.
const MOST_KEYS: usize = 64;
/// AES-GCM: 96 bits.
const NONCE: usize = 12;

thread_local! {
    static PRIVATE: RefCell<BTreeMap<String, CryptoKey>> = const { RefCell::new(BTreeMap::new()) };
    static PUBLIC: RefCell<BTreeMap<String, CryptoKey>> = const { RefCell::new(BTreeMap::new()) };
    static FOREIGN: RefCell<BTreeMap<String, CryptoKey>> = const { RefCell::new(BTreeMap::new()) };
}

impl From<JsValue> for CryptoError {
    fn from(error: JsValue) -> Self {
        // The text of a DOMException says what kind it is, and nothing of the key.
        Self(said(&error))
    }
}

/// Makes a key pair, and wraps the private key with AES-256-GCM, its name as associated data.
pub(super) async fn generate(algorithm: Algorithm, wrap_with: &[u8; 32]) -> Result<(PublicJwk, String), CryptoError> {
    let subtle = subtle()?;
    let form = if algorithm == Algorithm::Rs256 { rsa()? } else { ecdsa()? };
    let pair = done(subtle.generate_key_with_object(&form, true, &usages(&["sign", "verify"]))).await?;
    let part = |name: &str| Reflect::get(&pair, &JsValue::from_str(name)).map(|key| key.unchecked_into::<CryptoKey>());
    let jwk = public_jwk(algorithm, &part("publicKey")?).await?;
    let private = bytes(&done(subtle.export_key("pkcs8", &part("privateKey")?)).await?);

    let nonce: [u8; NONCE] = entropy::random(&Chance).map_err(|error| CryptoError(error.to_string()))?;
    let key = wrapping_key(wrap_with, "encrypt").await?;
    let sealed = bytes(&done(subtle.encrypt_with_object_and_u8_array(&aes_gcm(&nonce, &jwk.kid)?, &key, &private)).await?);
    Ok((jwk, URL_SAFE_NO_PAD.encode([&nonce[..], &sealed].concat())))
}

/// Signs; the answer is the 64 bytes of a JWS.
pub(super) async fn sign(key: &SigningKey<'_>, input: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let known = PRIVATE.with_borrow(|keys| keys.get(key.kid).cloned());
    let private = match known {
        Some(private) => private,
        None => {
            let private = unwrap(key).await?;
            remember(&PRIVATE, key.kid, &private);
            private
        }
    };
    let signature = subtle()?.sign_with_object_and_u8_array(&sign_as(key.algorithm)?, &private, input);
    Ok(bytes(&done(signature).await?))
}

/// Checks a signature.
pub(super) async fn verify(key: &PublicJwk, input: &[u8], signature: &[u8]) -> Result<bool, CryptoError> {
    if let Some(jwk) = key.rsa() {
        return verify_with(Algorithm::Rs256, &jwk, input, signature).await;
    }
    let known = PUBLIC.with_borrow(|keys| keys.get(&key.kid).cloned());
    let public = match known {
        Some(public) => public,
        None => {
            let point = key.point().map_err(|error| CryptoError(error.to_string()))?;
            let public = import("raw", &point, &ecdsa()?, "verify").await?;
            remember(&PUBLIC, &key.kid, &public);
            public
        }
    };
    let answer = subtle()?.verify_with_object_and_u8_array_and_u8_array(&es256()?, &public, signature, input);
    Ok(done(answer).await?.is_truthy())
}

/// Checks a signature of somebody else's key. A key that the platform does not take checks nothing: that is not our fault.
pub(super) async fn verify_with(algorithm: Algorithm, jwk: &Value, input: &[u8], signature: &[u8]) -> Result<bool, CryptoError> {
    let jwk = public(algorithm, jwk).to_string();
    let digest = URL_SAFE_NO_PAD.encode(Sha256::digest(format!("{algorithm:?}{jwk}")));
    let known = FOREIGN.with_borrow(|keys| keys.get(&digest).cloned());
    let key = match known {
        Some(key) => key,
        None => {
            let data: Object = JSON::parse(&jwk)?.unchecked_into();
            let imported = subtle()?.import_key_with_object("jwk", &data, &import_as(algorithm)?, false, &usages(&["verify"]));
            let Ok(key) = done(imported).await else { return Ok(false) };
            let key: CryptoKey = key.unchecked_into();
            remember(&FOREIGN, &digest, &key);
            key
        }
    };
    let answer = subtle()?.verify_with_object_and_u8_array_and_u8_array(&sign_as(algorithm)?, &key, signature, input);
    Ok(done(answer).await?.is_truthy())
}

/// The public half of a new pair, as it is published.
async fn public_jwk(algorithm: Algorithm, key: &CryptoKey) -> Result<PublicJwk, CryptoError> {
    let wrong = |error: &dyn std::fmt::Display| CryptoError(error.to_string());
    if algorithm != Algorithm::Rs256 {
        let point = bytes(&done(subtle()?.export_key("raw", key)).await?);
        return PublicJwk::from_point(&point).map_err(|error| wrong(&error));
    }
    let exported = done(subtle()?.export_key("jwk", key)).await?;
    let number = |name: &str| {
        let text = Reflect::get(&exported, &JsValue::from_str(name))?.as_string().unwrap_or_default();
        URL_SAFE_NO_PAD.decode(text).map_err(|error| wrong(&error))
    };
    Ok(PublicJwk::from_rsa(number("n")?, number("e")?))
}

/// Nonce and AES-256-GCM ciphertext.
pub(super) async fn seal(key: &[u8; 32], plain: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let nonce: [u8; NONCE] = entropy::random(&Chance).map_err(|error| CryptoError(error.to_string()))?;
    let key = wrapping_key(key, "encrypt").await?;
    let sealed = bytes(&done(subtle()?.encrypt_with_object_and_u8_array(&aes_gcm(&nonce, "")?, &key, plain)).await?);
    Ok([&nonce[..], &sealed].concat())
}

/// The plain text, unless the key is another.
pub(super) async fn open(key: &[u8; 32], sealed: &[u8]) -> Result<Option<Vec<u8>>, CryptoError> {
    let Some((nonce, sealed)) = sealed.split_at_checked(NONCE) else { return Ok(None) };
    let key = wrapping_key(key, "decrypt").await?;
    let opened = done(subtle()?.decrypt_with_object_and_u8_array(&aes_gcm(nonce, "")?, &key, sealed)).await;
    Ok(opened.ok().map(|plain| bytes(&plain)))
}

/// Opens a wrapped key with whichever wrapping key fits.
async fn unwrap(key: &SigningKey<'_>) -> Result<CryptoKey, CryptoError> {
    let wrapped = URL_SAFE_NO_PAD.decode(key.wrapped).map_err(|error| CryptoError(error.to_string()))?;
    let (nonce, sealed) = wrapped.split_at_checked(NONCE).ok_or_else(|| CryptoError("a wrapped key is too short".to_owned()))?;
    for wrapping in key.unwrap_with {
        let wrapping = wrapping_key(wrapping, "decrypt").await?;
        let opened = done(subtle()?.decrypt_with_object_and_u8_array(&aes_gcm(nonce, key.kid)?, &wrapping, sealed)).await;
        if let Ok(private) = opened {
            return import("pkcs8", &bytes(&private), &import_as(key.algorithm)?, "sign").await;
        }
    }
    Err(CryptoError("no secret of the deployment opens the signing key".to_owned()))
}

async fn wrapping_key(key: &[u8; 32], usage: &str) -> Result<CryptoKey, CryptoError> {
    import("raw", key, &algorithm("AES-GCM")?, usage).await
}

async fn import(format: &str, key: &[u8], algorithm: &Object, usage: &str) -> Result<CryptoKey, CryptoError> {
    let data: Object = Uint8Array::from(key).into();
    let key = done(subtle()?.import_key_with_object(format, &data, algorithm, false, &usages(&[usage]))).await?;
    Ok(key.unchecked_into())
}

fn remember(keys: &'static std::thread::LocalKey<RefCell<BTreeMap<String, CryptoKey>>>, kid: &str, key: &CryptoKey) {
    keys.with_borrow_mut(|keys| {
        if keys.len() >= MOST_KEYS {
            keys.clear();
        }
        keys.insert(kid.to_owned(), key.clone());
    });
}

fn subtle() -> Result<SubtleCrypto, CryptoError> {
    let global: WorkerGlobalScope = js_sys::global().unchecked_into();
    Ok(global.crypto()?.subtle())
}

async fn done(promise: Result<Promise, JsValue>) -> Result<JsValue, CryptoError> {
    Ok(JsFuture::from(promise?).await?)
}

fn bytes(buffer: &JsValue) -> Vec<u8> {
    Uint8Array::new(buffer.unchecked_ref::<ArrayBuffer>()).to_vec()
}

fn usages(names: &[&str]) -> JsValue {
    names.iter().map(|name| JsValue::from_str(name)).collect::<Array>().into()
}

fn algorithm(name: &str) -> Result<Object, CryptoError> {
    with(Object::new(), "name", &name.into())
}

fn with(object: Object, name: &str, value: &JsValue) -> Result<Object, CryptoError> {
    Reflect::set(&object, &JsValue::from_str(name), value)?;
    Ok(object)
}

/// The members of a JWK that belong to a public key of that algorithm.
fn public(algorithm: Algorithm, jwk: &Value) -> Value {
    let members: &[&str] = match algorithm {
        Algorithm::Es256 | Algorithm::Es384 => &["kty", "crv", "x", "y"],
        Algorithm::Rs256 | Algorithm::Ps256 => &["kty", "n", "e"],
        Algorithm::EdDsa => &["kty", "crv", "x"],
    };
    members.iter().filter_map(|name| Some(((*name).to_owned(), jwk.get(name)?.clone()))).collect::<Map<_, _>>().into()
}

/// How WebCrypto calls the algorithm when it imports a key.
fn import_as(of: Algorithm) -> Result<Object, CryptoError> {
    match of {
        Algorithm::Es256 => ecdsa(),
        Algorithm::Es384 => with(algorithm("ECDSA")?, "namedCurve", &"P-384".into()),
        Algorithm::Rs256 => with(algorithm("RSASSA-PKCS1-v1_5")?, "hash", &"SHA-256".into()),
        Algorithm::Ps256 => with(algorithm("RSA-PSS")?, "hash", &"SHA-256".into()),
        Algorithm::EdDsa => algorithm("Ed25519"),
    }
}

/// How WebCrypto calls it when it signs or verifies.
fn sign_as(of: Algorithm) -> Result<Object, CryptoError> {
    match of {
        Algorithm::Es256 => es256(),
        Algorithm::Es384 => with(algorithm("ECDSA")?, "hash", &"SHA-384".into()),
        Algorithm::Rs256 => algorithm("RSASSA-PKCS1-v1_5"),
        // RFC 7518, section 3.5: the salt is as long as the digest.
        Algorithm::Ps256 => with(algorithm("RSA-PSS")?, "saltLength", &32.into()),
        Algorithm::EdDsa => algorithm("Ed25519"),
    }
}

/// RFC 7518, section 3.3: 2048 bits or more; the exponent is 65537.
fn rsa() -> Result<Object, CryptoError> {
    let object = with(import_as(Algorithm::Rs256)?, "modulusLength", &2048.into())?;
    with(object, "publicExponent", &Uint8Array::from(&[1, 0, 1][..]))
}

fn ecdsa() -> Result<Object, CryptoError> {
    with(algorithm("ECDSA")?, "namedCurve", &"P-256".into())
}

fn es256() -> Result<Object, CryptoError> {
    with(algorithm("ECDSA")?, "hash", &"SHA-256".into())
}

fn aes_gcm(nonce: &[u8], kid: &str) -> Result<Object, CryptoError> {
    let object = with(algorithm("AES-GCM")?, "iv", &Uint8Array::from(nonce))?;
    with(object, "additionalData", &Uint8Array::from(kid.as_bytes()))
}
