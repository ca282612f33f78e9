//! The ports: what the core needs of a platform. `edge` binds them to Workers, the native tests to memory.
#![expect(async_fn_in_trait, reason = "the runtime is single-threaded: futures need not be Send")]

use bytes::Bytes;
use url::Url;

use crate::account;
use crate::config::Mail;
use crate::id::AccountId;
use crate::jose::jwk::{Algorithm, PublicJwk};
use crate::machine::Machine;
use crate::mail::Message;
use crate::time::Ttl;

/// A store did not answer, or not as it should.
#[derive(Debug, thiserror::Error)]
#[error("store: {0}")]
pub struct StoreError(pub String);

/// Asymmetric crypto failed.
#[derive(Debug, thiserror::Error)]
#[error("crypto: {0}")]
pub struct CryptoError(pub String);

/// Changing records: one object each, one command at a time.
pub trait Cells {
    /// Runs `command` on the record `id`, atomically; the object's own clock says what `now` is.
    ///
    /// # Errors
    /// The object did not answer. The command may have been carried out or not.
    async fn run<M: Machine>(&self, id: &M::Id, command: M::Command) -> Result<M::Outcome, StoreError>;

    /// The same, for a sender that knows kind and command as data: a cell's outbox.
    ///
    /// # Errors
    /// As [`Cells::run`].
    async fn tell(&self, kind: &str, id: &str, command: serde_json::Value) -> Result<(), StoreError>;
}

/// Published documents: read everywhere, may be a minute old.
pub trait Directory {
    /// The document `name`, if it has been published; `stale_after` is how old a copy nearby may be.
    ///
    /// # Errors
    /// The directory did not answer.
    async fn read(&self, name: &str, stale_after: Ttl) -> Result<Option<String>, StoreError>;

    /// Publishes `value` under `name`, for `ttl` if one is given (60 s at least).
    ///
    /// # Errors
    /// The directory did not take it.
    async fn publish(&self, name: &str, value: &str, ttl: Option<Ttl>) -> Result<(), StoreError>;
}

/// A private key as the key ring keeps it.
#[derive(Clone, Copy)]
pub struct SigningKey<'a> {
    /// What it signs with.
    pub algorithm: Algorithm,
    /// Thumbprint of the public key, and the associated data of the wrapping.
    pub kid: &'a str,
    /// base64url of nonce and ciphertext (AES-256-GCM over PKCS #8).
    pub wrapped: &'a str,
    /// The wrapping keys to try, the current one first.
    pub unwrap_with: &'a [[u8; 32]],
}

/// Signatures as a JWS has them (RFC 7518, section 3): ours are ES256, 64 bytes, and RS256, 256 bytes.
pub trait Signer {
    /// Makes a key pair, for RS256 one of 2048 bits, and for every other algorithm one for ES256: the public key, and the private one
    /// wrapped with `wrap_with`.
    ///
    /// # Errors
    /// The crypto failed.
    async fn generate(&self, algorithm: Algorithm, wrap_with: &[u8; 32]) -> Result<(PublicJwk, String), CryptoError>;

    /// Signs.
    ///
    /// # Errors
    /// The key cannot be unwrapped, or the crypto failed.
    async fn sign(&self, key: &SigningKey<'_>, input: &[u8]) -> Result<Vec<u8>, CryptoError>;

    /// Whether `signature` is that of `key` over `input`.
    ///
    /// # Errors
    /// The crypto failed; a wrong signature is `Ok(false)`.
    async fn verify(&self, key: &PublicJwk, input: &[u8], signature: &[u8]) -> Result<bool, CryptoError>;

    /// The same with a key of somebody else's, as its JWK has it (public members alone).
    ///
    /// # Errors
    /// The crypto failed; a wrong signature is `Ok(false)`, and so is one of a key that cannot be used with `algorithm`.
    async fn verify_with(&self, algorithm: Algorithm, jwk: &serde_json::Value, input: &[u8], signature: &[u8])
    -> Result<bool, CryptoError>;

    /// Seals `plain` with AES-256-GCM; the nonce comes first.
    ///
    /// # Errors
    /// The crypto failed.
    async fn seal(&self, key: &[u8; 32], plain: &[u8]) -> Result<Vec<u8>, CryptoError>;

    /// Opens what [`Signer::seal`] has sealed; `None` if it was sealed with another key.
    ///
    /// # Errors
    /// The crypto failed.
    async fn open(&self, key: &[u8; 32], sealed: &[u8]) -> Result<Option<Vec<u8>>, CryptoError>;
}

/// People: one object each, with tables.
pub trait Accounts {
    /// Runs `command` on the account `id`, atomically; the object's own clock says what `now` is.
    ///
    /// # Errors
    /// The object did not answer. The command may have been carried out or not.
    async fn account(&self, id: &AccountId, command: account::Command) -> Result<account::Outcome, StoreError>;
}

/// A document from elsewhere.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// HTTP status: never followed if it redirects.
    pub status: u16,
    /// `Content-Type`, as it came.
    pub content_type: String,
    /// `max-age` of `Cache-Control`, if there is one.
    pub max_age: Option<Ttl>,
    /// The body, whole.
    pub body: Bytes,
}

/// What is asked of a place outside.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ask<'a> {
    /// Header fields, in lower case; `accept` is `application/json` unless it is one of them.
    pub headers: &'a [(&'a str, &'a str)],
    /// `Content-Type` and content of a POST; without it, it is a GET.
    pub content: Option<(&'a str, &'a str)>,
}

/// `Content-Type` of a form.
pub const FORM: &str = "application/x-www-form-urlencoded";

/// What is outside cannot be reached, or not in time, or is too large; or the mail was not taken.
#[derive(Clone, Debug, thiserror::Error)]
#[error("outbound: {0}")]
pub struct OutboundError(pub String);

/// The world outside. Which addresses may be asked is decided before (`provider::guard`).
pub trait Outbound {
    /// Asks `url`: follows no redirect, sends no credential but those in `what`, reads at most `most` bytes, waits at most `patience`. With a
    /// `most` of 0 the status is all that counts: no byte of the content is read, however much there is.
    ///
    /// # Errors
    /// No answer, or none in time, or one that is too long. Never says what was sent.
    async fn ask(&self, url: &Url, what: Ask<'_>, most: usize, patience: Ttl) -> Result<Fetched, OutboundError>;

    /// Gets `url`, and says nothing but that.
    ///
    /// # Errors
    /// As [`Outbound::ask`].
    async fn fetch(&self, url: &Url, most: usize, patience: Ttl) -> Result<Fetched, OutboundError> {
        self.ask(url, Ask::default(), most, patience).await
    }

    /// Lets other requests go on for a while: for what one of them is fetching already.
    async fn pause(&self, length: Ttl);

    /// Hands a message to whoever delivers mail for this deployment; never to [`Mailer::Outbox`](crate::config::Mailer::Outbox).
    ///
    /// # Errors
    /// It was not taken.
    async fn send(&self, message: &Message, mail: &Mail) -> Result<(), OutboundError>;
}

/// The log: one structured line an event.
pub trait Log {
    /// Something that an operator should see, though the request went on.
    fn warn(&self, event: &'static str, reason: &str);
}

/// Everything that a request needs of the platform.
pub trait Ports: Cells + Accounts + Directory + Signer + Outbound + Log {}

impl<T: Cells + Accounts + Directory + Signer + Outbound + Log> Ports for T {}
