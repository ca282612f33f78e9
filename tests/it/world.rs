//! A settled world: one deployment, one clock, seeded randomness, stores in memory.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{Request, Response};
use jwt_compact::Algorithm;
use jwt_compact::alg::{Es256, SigningKey as _};
use jwt_compact::jwk::JsonWebKey;
use postern::config::Config;
use postern::cx::Cx;
use postern::effect;
use postern::entropy::{Entropy, EntropyError};
use postern::http::{TooLong, handle};
use postern::jose::jwk::PublicJwk;
use postern::machine::budget::Budget;
use postern::machine::keyring::KeyRing;
use postern::machine::limit::Limit;
use postern::machine::registration::Registration;
use postern::machine::status_index::StatusIndex;
use postern::machine::status_list::StatusList;
use postern::machine::{Change, Machine, Record, advance};
use postern::memory::Memory;
use postern::network::Origin;
use postern::store::{Cells, CryptoError, Directory, Log, Signer, SigningKey, StoreError};
use postern::time::{Timestamp, Ttl};
use serde_json::Value;
use sha2::{Digest, Sha256};

pub const ISSUER: &str = "https://auth.example.com";
pub const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// Everything outside the core.
pub struct Platform {
    pub now: Cell<Timestamp>,
    counter: Cell<u64>,
    /// Records by kind and name, as JSON.
    pub cells: RefCell<BTreeMap<String, String>>,
    pub directory: RefCell<BTreeMap<String, String>>,
    pub warnings: RefCell<Vec<String>>,
    /// Kinds of cells that do not answer.
    pub lost: RefCell<Vec<&'static str>>,
}

impl Entropy for Platform {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        for chunk in bytes.chunks_mut(32) {
            self.counter.set(self.counter.get() + 1);
            let block = Sha256::digest(self.counter.get().to_be_bytes());
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
        Ok(())
    }
}

impl Platform {
    fn step<M: Machine>(&self, name: &str, command: M::Command) -> M::Outcome {
        let record = self.cells.borrow().get(name).map(|text| serde_json::from_str::<Record<M>>(text).unwrap());
        let (change, outcome) = advance::<M>(record, command, self.now.get());
        match change {
            Change::None => {}
            Change::Write(record) => {
                self.cells.borrow_mut().insert(name.to_owned(), serde_json::to_string(&record).unwrap());
            }
            Change::Erase => {
                self.cells.borrow_mut().remove(name);
            }
        }
        outcome
    }

    fn reachable(&self, kind: &str) -> Result<(), StoreError> {
        if self.lost.borrow().contains(&kind) { Err(StoreError(format!("{kind} is lost"))) } else { Ok(()) }
    }
}

impl Cells for Platform {
    async fn run<M: Machine>(&self, id: &M::Id, command: M::Command) -> Result<M::Outcome, StoreError> {
        self.reachable(M::KIND)?;
        // Commands and outcomes cross as JSON, as they do on the real runtime.
        let command = serde_json::from_str(&serde_json::to_string(&command).unwrap()).unwrap();
        let outcome = self.step::<M>(&format!("{}/{id}", M::KIND), command);
        Ok(serde_json::from_str(&serde_json::to_string(&outcome).unwrap()).unwrap())
    }

    async fn tell(&self, kind: &str, id: &str, command: Value) -> Result<(), StoreError> {
        self.reachable("tell")?;
        assert_eq!(kind, StatusList::KIND, "the only cell that is told anything");
        self.step::<StatusList>(&format!("{kind}/{id}"), serde_json::from_value(command).unwrap());
        Ok(())
    }
}

impl Directory for Platform {
    async fn read(&self, name: &str, _stale_after: Ttl) -> Result<Option<String>, StoreError> {
        self.reachable("directory")?;
        Ok(self.directory.borrow().get(name).cloned())
    }

    async fn publish(&self, name: &str, value: &str, _ttl: Option<Ttl>) -> Result<(), StoreError> {
        self.reachable("directory")?;
        self.directory.borrow_mut().insert(name.to_owned(), value.to_owned());
        Ok(())
    }
}

impl Signer for Platform {
    async fn generate(&self, _wrap_with: &[u8; 32]) -> Result<(PublicJwk, String), CryptoError> {
        let mut seed = [0; 32];
        self.fill(&mut seed).unwrap();
        let private = <Es256 as Algorithm>::SigningKey::from_slice(&seed).unwrap();
        let public = private.to_verifying_key();
        let JsonWebKey::EllipticCurve { x, y, .. } = JsonWebKey::from(&public) else { unreachable!() };
        let point = [&[4][..], &x, &y].concat();
        Ok((PublicJwk::from_point(&point).unwrap(), URL_SAFE_NO_PAD.encode(seed)))
    }

    async fn sign(&self, key: &SigningKey<'_>, input: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let seed = URL_SAFE_NO_PAD.decode(key.wrapped).unwrap();
        let private = <Es256 as Algorithm>::SigningKey::from_slice(&seed).unwrap();
        Ok(Es256.sign(&private, input).to_bytes().to_vec())
    }

    async fn verify(&self, key: &PublicJwk, input: &[u8], signature: &[u8]) -> Result<bool, CryptoError> {
        let public = <Es256 as Algorithm>::VerifyingKey::try_from(&key.key).unwrap();
        let Ok(signature) = <Es256 as Algorithm>::Signature::try_from(signature) else { return Ok(false) };
        Ok(Es256.verify_signature(&signature, &public, input))
    }
}

impl Log for Platform {
    fn warn(&self, event: &'static str, reason: &str) {
        self.warnings.borrow_mut().push(format!("{event}: {reason}"));
    }
}

/// A deployment in that world, with one isolate.
pub struct World {
    pub platform: Platform,
    pub config: Config,
    pub memory: Memory,
}

impl World {
    pub fn new(vars: &[(&str, &str)]) -> Self {
        let mut variables: BTreeMap<String, String> = [
            ("ISSUER", ISSUER),
            ("POSTERN_SECRET", "0123456789abcdef0123456789abcdef"),
            ("OPERATOR_KEY", "operator-operator-operator-operator"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        variables.extend(vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let platform = Platform {
            now: Cell::new(START),
            counter: Cell::new(0),
            cells: RefCell::default(),
            directory: RefCell::default(),
            warnings: RefCell::default(),
            lost: RefCell::default(),
        };
        Self { platform, config: Config::parse(&variables).unwrap(), memory: Memory::default() }
    }

    fn cx(&self, address: &str) -> Cx<'_, Platform> {
        Cx {
            config: &self.config,
            memory: &self.memory,
            ports: &self.platform,
            now: self.platform.now.get(),
            entropy: &self.platform,
            origin: Origin::parse(address),
        }
    }

    /// Time goes on, and every alarm that is due by then rings.
    pub fn later(&self, seconds: u64) {
        self.platform.now.set(self.platform.now.get().plus(Ttl::from_seconds(seconds)));
        self.ring();
    }

    /// Rings every alarm that is due.
    pub fn ring(&self) {
        for _ in 0..32 {
            let names: Vec<String> = self.platform.cells.borrow().keys().cloned().collect();
            let busy = names.iter().map(|name| match name.split('/').next().unwrap() {
                Registration::KIND => self.wake::<Registration>(name),
                Limit::KIND => self.wake::<Limit>(name),
                Budget::KIND => self.wake::<Budget>(name),
                KeyRing::KIND => self.wake::<KeyRing>(name),
                StatusIndex::KIND => self.wake::<StatusIndex>(name),
                StatusList::KIND => self.wake::<StatusList>(name),
                other => panic!("no machine of the kind {other}"),
            });
            if !busy.fold(false, |any, busy| any | busy) {
                return;
            }
        }
        panic!("some effect never settles");
    }

    fn wake<M: Machine>(&self, name: &str) -> bool {
        let now = self.platform.now.get();
        let Some(text) = self.platform.cells.borrow().get(name).cloned() else { return false };
        let record: Record<M> = serde_json::from_str(&text).unwrap();
        if record.alarm().is_none_or(|at| now < at) {
            return false;
        }
        if record.expires <= now {
            self.platform.cells.borrow_mut().remove(name);
            return true;
        }
        let effects = record.state.due(now);
        let busy = !effects.is_empty();
        for effect in effects {
            let command = block(effect::perform(effect, &self.cx(""))).unwrap();
            self.platform.step::<M>(name, command);
        }
        busy
    }

    /// One request; the address is that of the client.
    pub fn send(&self, address: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Ok(Bytes::from(body.to_owned()))).unwrap();
        Answer(block(handle(request, &self.cx(address))))
    }

    /// One request as it is.
    pub fn raw(&self, request: Request<Result<Bytes, TooLong>>) -> Answer {
        Answer(block(handle(request, &self.cx("192.0.2.1"))))
    }

    pub fn json(&self, path: &str, body: &Value) -> Answer {
        self.send("192.0.2.1", "POST", path, &[("content-type", "application/json")], &body.to_string())
    }

    pub fn form(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.send("192.0.2.1", "POST", path, &[("content-type", "application/x-www-form-urlencoded")], &body)
    }

    pub fn get(&self, path: &str) -> Answer {
        self.send("192.0.2.1", "GET", path, &[], "")
    }

    /// The status of a call to our own API.
    pub fn call(&self, token: &str) -> u16 {
        self.send("192.0.2.1", "GET", "/api/v1/auth/me", &[("authorization", &format!("Bearer {token}"))], "").status()
    }

    /// A fresh isolate: nothing is remembered.
    pub fn forget(&mut self) {
        self.memory = Memory::default();
    }
}

/// An answer.
pub struct Answer(pub Response<Bytes>);

impl Answer {
    pub fn status(&self) -> u16 {
        self.0.status().as_u16()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.0.headers().get(name).and_then(|value| value.to_str().ok())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(self.0.body()).unwrap_or(Value::Null)
    }

    pub fn text(&self, name: &str) -> String {
        self.json()[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", self.json())).to_owned()
    }
}

/// In memory nothing waits, so the first poll ends it.
pub fn block<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("something waits in a world where nothing does"),
    }
}
