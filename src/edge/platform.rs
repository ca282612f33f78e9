//! The ports on Workers: Durable Objects, KV, WebCrypto, the log.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use js_sys::{Promise, Reflect};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use worker::web_sys::{RequestInit, Response};
use worker::{Delay, Env};

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
const PATIENCE: Duration = Duration::from_secs(10);

/// The bindings of one request, or of one wake of an object.
pub(super) struct Platform {
    env: Env,
}

impl Platform {
    pub(super) fn new(env: Env) -> Self {
        Self { env }
    }

    async fn call<O: DeserializeOwned>(&self, kind: &str, id: &str, command: &impl Serialize) -> Result<O, StoreError> {
        let wrong = |error: serde_json::Error| StoreError(format!("{kind}: {error}"));
        let command = serde_json::to_string(command).map_err(wrong)?;
        lean::read(&self.ask(kind, id, &command).await?).map_err(wrong)
    }

    /// Accounts have objects of their own, named by their id; all others share a class.
    async fn ask(&self, kind: &str, id: &str, command: &str) -> Result<String, StoreError> {
        let lost = |error: JsValue| StoreError(format!("{kind}: {}", CryptoError::from(error).0));
        let (binding, name) = if kind == account::KIND { (ACCOUNT, id.to_owned()) } else { (CELL, format!("{kind}/{id}")) };
        let objects: Namespace = Reflect::get(&self.env, &JsValue::from_str(binding)).map_err(lost)?.unchecked_into();
        let stub = objects.get_by_name(&name).map_err(lost)?;
        let init = RequestInit::new();
        init.set_method("POST");
        init.set_body(&JsValue::from_str(command));
        let asked = stub.fetch(&format!("https://cell/{kind}"), &init).map_err(lost)?;
        let answer = async {
            let response: Response = JsFuture::from(asked).await?.unchecked_into();
            let text = JsFuture::from(response.text()?).await?.as_string().unwrap_or_default();
            Ok((response.status(), text))
        };
        match in_time(PATIENCE, answer).await.ok_or_else(|| StoreError(format!("{kind}: no answer in time")))?.map_err(lost)? {
            (200, text) => Ok(text),
            (_, text) => Err(StoreError(format!("{kind}: {text}"))),
        }
    }
}

// The crate's own stub reads an answer through a stream; this reads its text, which costs half.
#[wasm_bindgen]
extern "C" {
    /// A Durable Object namespace.
    type Namespace;
    /// One object of it.
    type Stub;

    #[wasm_bindgen(method, catch, js_name = getByName)]
    fn get_by_name(this: &Namespace, name: &str) -> Result<Stub, JsValue>;

    #[wasm_bindgen(method, catch)]
    fn fetch(this: &Stub, url: &str, init: &RequestInit) -> Result<Promise, JsValue>;
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
        let kv = self.env.kv(KV).map_err(|error| StoreError(format!("KV: {error}")))?;
        kv.get(name).cache_ttl(stale_after.seconds()).text().await.map_err(|error| StoreError(format!("KV: {error}")))
    }

    async fn publish(&self, name: &str, value: &str, ttl: Option<Ttl>) -> Result<(), StoreError> {
        let lost = |error: &dyn std::fmt::Display| StoreError(format!("KV: {error}"));
        let kv = self.env.kv(KV).map_err(|error| lost(&error))?;
        let put = kv.put(name, value).map_err(|error| lost(&error))?;
        let put = match ttl {
            Some(ttl) => put.expiration_ttl(ttl.seconds().max(60)),
            None => put,
        };
        put.execute().await.map_err(|error| lost(&error))
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
        Delay::from(Duration::from_millis(length.millis())).await;
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
pub(super) async fn in_time<F: Future>(patience: Duration, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut delay = pin!(Delay::from(patience));
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => delay.as_mut().poll(context).map(|()| None),
    })
    .await
}
