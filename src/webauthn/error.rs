//! Why a browser's answer is not accepted.

use super::cbor::InvalidCbor;
use super::cose::InvalidKey;
use super::der::InvalidDer;

/// What is wrong with an answer. It is for the log: challenges, identifiers and signatures are not quoted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPasskey {
    /// The member that is named is not base64url.
    #[error("{0} is not base64url")]
    Base64(&'static str),
    /// `type` says that it is no public key.
    #[error("the credential's type is not public-key")]
    CredentialType,
    /// `id` is not `rawId`.
    #[error("id and rawId differ")]
    CredentialIds,
    /// Section 7.1, step 25.
    #[error("the credential id is empty or longer than 1023 bytes")]
    CredentialIdLength,
    /// Section 5.8.1.
    #[error("the client data is not JSON with type, challenge and origin")]
    ClientData,
    /// Made in another ceremony.
    #[error("the client data's type is not {0}")]
    Ceremony(&'static str),
    /// Another challenge, or one that is too short to be one of ours (section 13.4.3).
    #[error("the challenge is another")]
    Challenge,
    /// Made for another page.
    #[error("the origin is another")]
    Origin,
    /// Made in a frame of another site.
    #[error("the page was framed by another origin")]
    CrossOrigin,
    /// It is not CBOR as CTAP2 writes it.
    #[error("CBOR: {0}")]
    Cbor(#[from] InvalidCbor),
    /// Section 6.5.4.
    #[error("the attestation object is not a map of fmt, attStmt and authData")]
    AttestationObject,
    /// Section 8.7.
    #[error("the attestation statement of format none is not empty")]
    AttestationStatement,
    /// Section 6.1.
    #[error("the authenticator data ends too early")]
    AuthenticatorDataTruncated,
    /// Section 6.1.
    #[error("something follows the authenticator data")]
    AuthenticatorDataTrailing,
    /// Made for another relying party.
    #[error("the RP id is another")]
    RpId,
    /// Flag UP.
    #[error("the authenticator has not seen a person")]
    UserPresence,
    /// Flag UV.
    #[error("the authenticator has not verified the person")]
    UserVerification,
    /// Section 6.1.3: flag BS without BE.
    #[error("the passkey is backed up and cannot be")]
    Backup,
    /// The extensions are not a map.
    #[error("the extensions are not a map")]
    Extensions,
    /// Flag AT is missing from a registration.
    #[error("no credential is attested")]
    NoCredential,
    /// Flag AT in a sign-in.
    #[error("a credential is attested in a sign-in")]
    UnexpectedCredential,
    /// Another credential is attested than the one that is named.
    #[error("the attested credential is another than rawId")]
    OtherCredential,
    /// The public key is not one that was asked for.
    #[error("public key: {0}")]
    Key(#[from] InvalidKey),
    /// The stored key is not one that a passkey has.
    #[error("the stored key is of an unknown algorithm")]
    Algorithm,
    /// Section 6.5.5.
    #[error("signature: {0}")]
    Signature(#[from] InvalidDer),
    /// Ed25519 has 64 bytes.
    #[error("the signature has a wrong length")]
    SignatureLength,
}
