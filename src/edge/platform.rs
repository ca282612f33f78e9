//! The ports on Workers: Durable Objects, KV, WebCrypto, the log.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;

use super::border::{self, ask, find, member, millis, said, text};
use super::{crypto, log, outbound};
use crate::account;
use crate::config::Mail;
use crate::id::AccountId;
use crate::jose::jwk::{Algorithm, PublicJwk};
use crate::lean;
use crate::machine::Machine;
use crate::mail::Message;
use crate::store::{Accounts, Ask, Cells, CryptoError, Directory, Fetched, Log, Outbound, OutboundError, Signer, SigningKey, StoreError};
use crate::time::Ttl;

/// Name of the binding of records.
const CELL: &str = "CELL";
/// Name of the binding of accounts.
const ACCOUNT: &str = "ACCOUNT";
/// Name of the KV binding.
const KV: &str = "KV";
/// An object that does not answer by then has panicked, or its place is lost.
const PATIENCE: Ttl = Ttl::from_seconds(10);

/// The bindings of one request, or of one wake of an object.
pub(super) struct Platform {
    env: JsValue,
}

impl Platform {
    pub(super) fn new(env: JsValue) -> Self {
        Self { env }
    }

    async fn call<O: DeserializeOwned>(&self, kind: &str, id: &str, command: &impl Serialize) -> Result<O, StoreError> {
        let wrong = |error: serde_json::Error| StoreError(format!("{kind}: {error}"));
        let command = serde_json::to_string(command).map_err(wrong)?;
        lean::read(&self.ask(kind, id, &command).await?).map_err(wrong)
    }

    /// Accounts have objects of their own, named by their id; all others share a class.
    async fn ask(&self, kind: &str, id: &str, command: &str) -> Result<String, StoreError> {
        let lost = |error: JsValue| StoreError(format!("{kind}: {}", said(&error)));
        let (binding, name) = if kind == account::KIND { (ACCOUNT, id.to_owned()) } else { (CELL, format!("{kind}/{id}")) };
        let objects = member(&self.env, binding).map_err(lost)?;
        let asked = ask(&objects, &name, kind, command, millis(PATIENCE.millis())).map_err(lost)?;
        let answer = JsFuture::from(asked).await.map_err(lost)?;
        text(&answer).ok_or_else(|| StoreError(format!("{kind}: the record did not take the command")))
    }
}

impl Cells for Platform {
    async fn run<M: Machine>(&self, id: &M::Id, command: M::Command) -> Result<M::Outcome, StoreError> {
        self.call(M::KIND, &id.to_string(), &command).await
    }

    async fn tell(&self, kind: &str, id: &str, command: serde_json::Value) -> Result<(), StoreError> {
        self.ask(kind, id, &command.to_string()).await.map(|_| ())
    }
}

impl Directory for Platform {
    async fn read(&self, name: &str, stale_after: Ttl) -> Result<Option<String>, StoreError> {
        let lost = |error: JsValue| StoreError(format!("KV: {}", said(&error)));
        let found = find(&member(&self.env, KV).map_err(lost)?, name, millis(stale_after.seconds())).map_err(lost)?;
        Ok(text(&JsFuture::from(found).await.map_err(lost)?))
    }

    async fn publish(&self, name: &str, value: &str, ttl: Option<Ttl>) -> Result<(), StoreError> {
        let lost = |error: JsValue| StoreError(format!("KV: {}", said(&error)));
        let ttl = ttl.map(|ttl| millis(ttl.seconds().max(60)));
        let put = border::publish(&member(&self.env, KV).map_err(lost)?, name, value, ttl).map_err(lost)?;
        JsFuture::from(put).await.map_err(lost)?;
        Ok(())
    }
}

impl Signer for Platform {
    async fn generate(&self, algorithm: Algorithm, wrap_with: &[u8; 32]) -> Result<(PublicJwk, String), CryptoError> {
        crypto::generate(algorithm, wrap_with).await
    }

    async fn sign(&self, key: &SigningKey<'_>, input: &[u8]) -> Result<Vec<u8>, CryptoError> {
        crypto::sign(key, input).await
    }

    async fn verify(&self, key: &PublicJwk, input: &[u8], signature: &[u8]) -> Result<bool, CryptoError> {
        crypto::verify(key, input, signature).await
    }

    async fn verify_with(
        &self,
        algorithm: Algorithm,
        jwk: &serde_json::Value,
        input: &[u8],
        signature: &[u8],
    ) -> Result<bool, CryptoError> {
        crypto::verify_with(algorithm, jwk, input, signature).await
    }

    async fn seal(&self, key: &[u8; 32], plain: &[u8]) -> Result<Vec<u8>, CryptoError> {
        crypto::seal(key, plain).await
    }

    async fn open(&self, key: &[u8; 32], sealed: &[u8]) -> Result<Option<Vec<u8>>, CryptoError> {
        crypto::open(key, sealed).await
    }
}

impl Accounts for Platform {
    async fn account(&self, id: &AccountId, command: account::Command) -> Result<account::Outcome, StoreError> {
        self.call(account::KIND, id.as_str(), &command).await
    }
}

impl Outbound for Platform {
    async fn ask(&self, url: &Url, what: Ask<'_>, most: usize, patience: Ttl) -> Result<Fetched, OutboundError> {
        outbound::ask(url, what, most, patience).await
    }

    async fn pause(&self, length: Ttl) {
        border::wait(length).await;
    }

    async fn send(&self, message: &Message, mail: &Mail) -> Result<(), OutboundError> {
        super::mail::send(&self.env, message, mail).await
    }
}

impl Log for Platform {
    fn warn(&self, event: &'static str, reason: &str) {
        log::warn(event, reason);
    }
}

/// What `future` ends in, unless it takes longer than `patience`.
pub(super) async fn in_time<F: Future>(patience: Ttl, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut delay = pin!(border::wait(patience));
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => delay.as_mut().poll(context).map(|()| None),
    })
    .await
}
