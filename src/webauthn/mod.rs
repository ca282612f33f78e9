//! Passkeys (Web Authentication Level 3): everything about a browser's answer is checked here but the signature, which
//! [`Signer::verify_with`](crate::store::Signer::verify_with) checks.
//!
//! 1. [`creation_options`] or [`request_options`] go to the browser, with a fresh challenge that the caller keeps.
//! 2. The browser's `PublicKeyCredential.toJSON()` comes back as [`Created`] or [`Asserted`].
//! 3. [`created`] ends in a [`NewPasskey`] to be kept. For a sign-in the caller finds the passkey by [`credential`] (and
//!    [`user_handle`]), and [`asserted`] ends in what is [`Signed`].
//!
//! What is left to the caller: that a challenge is used once and not after [`TIMEOUT`], that no credential id is registered twice
//! (section 7.1, step 26), that passkey and user handle belong to one account (7.2, step 6), that the signature is right (7.2,
//! step 21) and that the counter has grown (7.2, step 22).

mod authenticator_data;
mod cbor;
mod client_data;
mod cose;
mod der;
mod error;
mod options;

#[cfg(test)]
mod tests;

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

pub use self::cbor::InvalidCbor;
use self::cbor::Item;
pub use self::cose::InvalidKey;
pub use self::der::InvalidDer;
pub use self::error::InvalidPasskey;
pub use self::options::{TIMEOUT, creation_options, request_options};
use crate::jose::jwk::Algorithm;

/// Section 7.1, step 25: longer credential ids are refused.
const LONGEST_ID: usize = 1023;
/// Section 5.4.3: a user handle has 64 bytes at most.
const LONGEST_USER_HANDLE: usize = 64;
/// RFC 8032, section 5.1.6: R and S.
const ED25519_SIGNATURE: usize = 64;

const BASE64URL: GeneralPurpose =
    GeneralPurpose::new(&URL_SAFE, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));

/// What the answer has to be about.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// base64url, as it was sent.
    pub challenge: &'a str,
    /// Scheme, host and port as a browser serialises them: `https://auth.example`.
    pub origin: &'a str,
    /// A domain: `auth.example`.
    pub rp_id: &'a str,
}

/// `RegistrationResponseJSON` (section 5.1); members that are not named here are ignored.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Created {
    /// base64url.
    pub id: String,
    /// The same once more.
    pub raw_id: String,
    /// Has to be `public-key`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What the authenticator says.
    pub response: AttestationResponse,
}

/// `AuthenticatorAttestationResponseJSON`.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AttestationResponse {
    /// base64url of JSON.
    #[serde(rename = "clientDataJSON")]
    pub client_data_json: String,
    /// base64url of CBOR.
    pub attestation_object: String,
}

/// `AuthenticationResponseJSON` (section 5.1); members that are not named here are ignored.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asserted {
    /// base64url.
    pub id: String,
    /// The same once more.
    pub raw_id: String,
    /// Has to be `public-key`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What the authenticator says.
    pub response: AssertionResponse,
}

/// `AuthenticatorAssertionResponseJSON`.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AssertionResponse {
    /// base64url of JSON.
    #[serde(rename = "clientDataJSON")]
    pub client_data_json: String,
    /// base64url (section 6.1).
    pub authenticator_data: String,
    /// base64url: DER for ECDSA (section 6.5.5).
    pub signature: String,
    /// base64url of what [`creation_options`] was given.
    pub user_handle: Option<String>,
}

/// A passkey, to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPasskey {
    /// Its credential id, base64url without padding.
    pub credential: String,
    /// Its public key as a JWK with `alg`: `ES256`, `EdDSA` or `RS256`.
    pub key: Value,
    /// The authenticator's counter; zero for ever if it has none.
    pub sign_count: u32,
    /// Whether it is kept in more places than one.
    pub backed_up: bool,
}

/// What an authenticator has signed: [`Signer::verify_with`](crate::store::Signer::verify_with) takes it from here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// That of the stored key.
    pub algorithm: Algorithm,
    /// The authenticator data and the SHA-256 of the client data.
    pub input: Vec<u8>,
    /// As JOSE has it: r and s for ECDSA.
    pub signature: Vec<u8>,
    /// The authenticator's counter.
    pub sign_count: u32,
}

/// Checks the making of a passkey (section 7.1). Attestation is not judged: none was asked for.
///
/// # Errors
/// The first thing that is not as it should be.
pub fn created(answer: &Created, expected: &Expected<'_>) -> Result<NewPasskey, InvalidPasskey> {
    let id = credential_id(&answer.kind, &answer.id, &answer.raw_id)?;
    client_data::check(&base64url("clientDataJSON", &answer.response.client_data_json)?, "webauthn.create", expected)?;
    let object = base64url("attestationObject", &answer.response.attestation_object)?;
    let object = cbor::read(&object)?;
    let (Some(Item::Text(format)), Some(Item::Map(statement)), Some(Item::Bytes(data))) =
        (object.member("fmt"), object.member("attStmt"), object.member("authData"))
    else {
        return Err(InvalidPasskey::AttestationObject);
    };
    if *format == "none" && !statement.is_empty() {
        return Err(InvalidPasskey::AttestationStatement);
    }
    let data = authenticator_data::read(data, expected.rp_id)?;
    let attested = data.credential.ok_or(InvalidPasskey::NoCredential)?;
    if attested.id != id {
        return Err(InvalidPasskey::OtherCredential);
    }
    Ok(NewPasskey {
        credential: URL_SAFE_NO_PAD.encode(id),
        key: cose::to_jwk(&attested.key)?,
        sign_count: data.sign_count,
        backed_up: data.backed_up,
    })
}

/// Checks a sign-in (section 7.2) with the passkey whose stored JWK is `key`; the signature is still to be checked.
///
/// # Errors
/// The first thing that is not as it should be.
pub fn asserted(answer: &Asserted, expected: &Expected<'_>, key: &Value) -> Result<Signed, InvalidPasskey> {
    credential_id(&answer.kind, &answer.id, &answer.raw_id)?;
    let client_data = base64url("clientDataJSON", &answer.response.client_data_json)?;
    client_data::check(&client_data, "webauthn.get", expected)?;
    let mut input = base64url("authenticatorData", &answer.response.authenticator_data)?;
    let data = authenticator_data::read(&input, expected.rp_id)?;
    if data.credential.is_some() {
        return Err(InvalidPasskey::UnexpectedCredential);
    }
    let sign_count = data.sign_count;
    let signature = base64url("signature", &answer.response.signature)?;
    let algorithm = cose::algorithm(key).ok_or(InvalidPasskey::Algorithm)?;
    let signature = match algorithm {
        Algorithm::Es256 => der::to_raw(&signature, 32)?,
        Algorithm::Es384 => der::to_raw(&signature, 48)?,
        Algorithm::EdDsa if signature.len() != ED25519_SIGNATURE => return Err(InvalidPasskey::SignatureLength),
        Algorithm::EdDsa | Algorithm::Rs256 | Algorithm::Ps256 => signature,
    };
    input.extend_from_slice(&Sha256::digest(&client_data));
    Ok(Signed { algorithm, input, signature, sign_count })
}

/// The credential id of a sign-in, in the form in which [`NewPasskey::credential`] has it.
///
/// # Errors
/// There is none, or two that differ.
pub fn credential(answer: &Asserted) -> Result<String, InvalidPasskey> {
    credential_id(&answer.kind, &answer.id, &answer.raw_id).map(|id| URL_SAFE_NO_PAD.encode(id))
}

/// Whom the authenticator takes the person for: the `user_handle` that [`creation_options`] was given. Nothing vouches for it but
/// the passkey that the account itself knows.
#[must_use]
pub fn user_handle(answer: &Asserted) -> Option<String> {
    let handle = BASE64URL.decode(answer.response.user_handle.as_deref()?).ok()?;
    if handle.is_empty() || handle.len() > LONGEST_USER_HANDLE { None } else { String::from_utf8(handle).ok() }
}

/// The bytes of a credential id that is given twice.
fn credential_id(kind: &str, id: &str, raw_id: &str) -> Result<Vec<u8>, InvalidPasskey> {
    if kind != "public-key" {
        return Err(InvalidPasskey::CredentialType);
    }
    let raw_id = base64url("rawId", raw_id)?;
    if base64url("id", id)? != raw_id {
        return Err(InvalidPasskey::CredentialIds);
    }
    if raw_id.is_empty() || raw_id.len() > LONGEST_ID { Err(InvalidPasskey::CredentialIdLength) } else { Ok(raw_id) }
}

fn base64url(member: &'static str, text: &str) -> Result<Vec<u8>, InvalidPasskey> {
    BASE64URL.decode(text).map_err(|_| InvalidPasskey::Base64(member))
}
