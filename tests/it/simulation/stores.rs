//! Stores that count and forget: a record is kept until its alarm frees it, as the objects do. Records do not cross as text here, and
//! signatures are digests, so that millions of requests take minutes.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::Request;
use jwt_compact::jwk::JsonWebKey;
use postern::account;
use postern::config::{Config, Mail};
use postern::cx::Cx;
use postern::effect;
use postern::entropy::{Entropy, EntropyError};
use postern::http::handle;
use postern::id::AccountId;
use postern::jose::jwk::{Algorithm, PublicJwk};
use postern::machine::registry::Wake;
use postern::machine::{Change, Machine, Record, advance};
use postern::mail::Message;
use postern::memory::Memory;
use postern::network::Origin;
use postern::store::{Accounts, Ask, Cells, CryptoError, Directory, Fetched, Log, Outbound, OutboundError, Signer, SigningKey, StoreError};
use postern::time::{Timestamp, Ttl};
use postern::trace::Pending;
use serde_json::Value;
use sha2::{Digest, Sha256};
use url::Url;

use crate::sqlite::Database;
use crate::world::{ISSUER, START};

/// A copy of what was published, in a region that has asked for it, is that old at most.
const STALE: Ttl = Ttl::from_seconds(60);

/// What was done to storage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub calls: u64,
    pub writes: u64,
    pub frees: u64,
    pub reads: u64,
    pub publications: u64,
}

impl Tally {
    pub fn and(self, other: Self) -> Self {
        Self {
            calls: self.calls + other.calls,
            writes: self.writes + other.writes,
            frees: self.frees + other.frees,
            reads: self.reads + other.reads,
            publications: self.publications + other.publications,
        }
    }

    pub fn since(self, before: Self) -> Self {
        Self {
            calls: self.calls - before.calls,
            writes: self.writes - before.writes,
            frees: self.frees - before.frees,
            reads: self.reads - before.reads,
            publications: self.publications - before.publications,
        }
    }
}

/// A record at rest.
struct Kept {
    record: Box<dyn Any>,
    alarm: Option<Timestamp>,
    wake: fn(&dyn Any, Timestamp) -> Wake,
    take: Take,
}

/// How the object of that name takes a command that comes as text.
type Take = fn(&Stores, &str, &str);

/// All that there is outside the core.
pub struct Stores {
    pub now: Cell<Timestamp>,
    counter: Cell<u64>,
    kept: RefCell<HashMap<String, Kept>>,
    alarms: RefCell<BTreeSet<(Timestamp, String)>>,
    accounts: RefCell<BTreeMap<String, Database>>,
    /// What was published, and when.
    published: RefCell<BTreeMap<String, Vec<(Timestamp, String)>>>,
    pub tally: Cell<Tally>,
    /// How often each object was asked.
    pub asked: RefCell<BTreeMap<String, u64>>,
    /// Whether that is noted.
    pub noting: Cell<bool>,
}

impl Stores {
    fn count(&self, change: impl FnOnce(&mut Tally)) {
        let mut tally = self.tally.get();
        change(&mut tally);
        self.tally.set(tally);
    }

    fn ask(&self, name: &str) {
        self.count(|tally| tally.calls += 1);
        if self.noting.get() {
            *self.asked.borrow_mut().entry(name.to_owned()).or_default() += 1;
        }
    }

    /// So many objects have something stored.
    pub fn objects(&self) -> usize {
        self.kept.borrow().len() + self.accounts.borrow().len()
    }

    /// The same of one kind.
    pub fn of(&self, kind: &str) -> usize {
        self.kept.borrow().keys().filter(|name| name.starts_with(kind)).count()
    }

    /// A command, as the object takes it.
    fn step<M: Machine>(&self, name: &str, command: M::Command) -> M::Outcome {
        let mut kept = self.kept.borrow_mut();
        let record = kept.get(name).map(|kept| kept.record.downcast_ref::<Record<M>>().unwrap().clone());
        let before = kept.get(name).and_then(|kept| kept.alarm);
        let (change, outcome) = advance::<M>(record, command, self.now.get());
        let alarm = match change {
            Change::None => return outcome,
            Change::Write(record) => {
                let alarm = record.alarm();
                let taken = |stores: &Self, name: &str, command: &str| drop(stores.step::<M>(name, serde_json::from_str(command).unwrap()));
                kept.insert(name.to_owned(), Kept { record: Box::new(record), alarm, wake: wake::<M>, take: taken });
                alarm
            }
            Change::Erase => {
                kept.remove(name);
                None
            }
        };
        self.count(|tally| tally.writes += 1);
        self.set(name, before, alarm);
        outcome
    }

    fn set(&self, name: &str, before: Option<Timestamp>, alarm: Option<Timestamp>) {
        let mut alarms = self.alarms.borrow_mut();
        if let Some(at) = before {
            alarms.remove(&(at, name.to_owned()));
        }
        alarms.extend(alarm.map(|at| (at, name.to_owned())));
    }

    /// The next object that has to wake by now, and what it wants.
    fn due(&self) -> Option<(String, Wake, Take)> {
        let now = self.now.get();
        let (at, name) = self.alarms.borrow().first().filter(|(at, _)| *at <= now).cloned()?;
        self.alarms.borrow_mut().remove(&(at, name.clone()));
        let mut kept = self.kept.borrow_mut();
        let one = kept.get_mut(&name).unwrap();
        one.alarm = None;
        let (wake, take) = ((one.wake)(&*one.record, now), one.take);
        if let Wake::Free = wake {
            kept.remove(&name);
            self.count(|tally| tally.frees += 1);
        }
        Some((name, wake, take))
    }
}

fn wake<M: Machine>(record: &dyn Any, now: Timestamp) -> Wake {
    let record = record.downcast_ref::<Record<M>>().unwrap();
    if record.expires <= now {
        return Wake::Free;
    }
    let effects = record.state.due(now);
    if effects.is_empty() {
        return Wake::Sleep(record.alarm().filter(|at| now < *at));
    }
    let text = |command: M::Command| serde_json::to_string(&command);
    Wake::Effects(effects.into_iter().map(|effect| effect.map(text).unwrap()).collect())
}

impl Entropy for Stores {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        for chunk in bytes.chunks_mut(16) {
            self.counter.set(self.counter.get() + 1);
            let block = (u128::from(self.counter.get()) << 64 | u128::from(self.counter.get()))
                .wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
            chunk.copy_from_slice(&block.to_be_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

impl Cells for Stores {
    async fn run<M: Machine>(&self, id: &M::Id, command: M::Command) -> Result<M::Outcome, StoreError> {
        let name = format!("{}/{id}", M::KIND);
        self.ask(&name);
        Ok(self.step::<M>(&name, command))
    }

    async fn tell(&self, _kind: &str, _id: &str, _command: Value) -> Result<(), StoreError> {
        Err(StoreError("nobody tells anybody anything here".to_owned()))
    }
}

impl Accounts for Stores {
    async fn account(&self, id: &AccountId, command: account::Command) -> Result<account::Outcome, StoreError> {
        self.ask(&format!("account/{id}"));
        let mut accounts = self.accounts.borrow_mut();
        let database = accounts.entry(id.to_string()).or_default();
        database.command(&command, self.now.get()).map_err(|error| StoreError(error.to_string()))
    }
}

impl Directory for Stores {
    /// Whoever asks has the oldest copy that there can be.
    async fn read(&self, name: &str, _stale_after: Ttl) -> Result<Option<String>, StoreError> {
        self.count(|tally| tally.reads += 1);
        let seen = self.now.get().minus(STALE);
        let published = self.published.borrow();
        let newest = published.get(name).and_then(|all| all.iter().rev().find(|(at, _)| *at <= seen));
        Ok(newest.map(|(_, value)| value.clone()))
    }

    async fn publish(&self, name: &str, value: &str, _ttl: Option<Ttl>) -> Result<(), StoreError> {
        self.count(|tally| tally.publications += 1);
        self.published.borrow_mut().entry(name.to_owned()).or_default().push((self.now.get(), value.to_owned()));
        Ok(())
    }
}

fn signature(key: &[u8], input: &[u8]) -> Vec<u8> {
    Sha256::digest([key, input].concat()).repeat(2)
}

impl Signer for Stores {
    async fn generate(&self, _algorithm: Algorithm, _wrap_with: &[u8; 32]) -> Result<(PublicJwk, String), CryptoError> {
        let mut point = [4; 65];
        self.fill(&mut point[1..]).unwrap();
        Ok((PublicJwk::from_point(&point).unwrap(), URL_SAFE_NO_PAD.encode(&point[1..33])))
    }

    async fn sign(&self, key: &SigningKey<'_>, input: &[u8]) -> Result<Vec<u8>, CryptoError> {
        Ok(signature(&URL_SAFE_NO_PAD.decode(key.wrapped).unwrap(), input))
    }

    async fn verify(&self, key: &PublicJwk, input: &[u8], sent: &[u8]) -> Result<bool, CryptoError> {
        let JsonWebKey::EllipticCurve { x, .. } = &key.key else { return Ok(false) };
        Ok(signature(x, input) == sent)
    }

    async fn verify_with(&self, _: Algorithm, _: &Value, _: &[u8], _: &[u8]) -> Result<bool, CryptoError> {
        Ok(false)
    }

    async fn seal(&self, _key: &[u8; 32], plain: &[u8]) -> Result<Vec<u8>, CryptoError> {
        Ok(plain.to_vec())
    }

    async fn open(&self, _key: &[u8; 32], sealed: &[u8]) -> Result<Option<Vec<u8>>, CryptoError> {
        Ok(Some(sealed.to_vec()))
    }
}

impl Outbound for Stores {
    async fn ask(&self, url: &Url, _what: Ask<'_>, _most: usize, _patience: Ttl) -> Result<Fetched, OutboundError> {
        Err(OutboundError(format!("nothing is at {url}")))
    }

    async fn pause(&self, _length: Ttl) {}

    async fn send(&self, _message: &Message, _mail: &Mail) -> Result<(), OutboundError> {
        Err(OutboundError("nobody takes mail".to_owned()))
    }
}

impl Log for Stores {
    fn warn(&self, event: &'static str, reason: &str) {
        panic!("{event}: {reason}");
    }
}

/// A deployment over such stores, with one isolate.
pub struct Region {
    pub stores: Stores,
    pub config: Config,
    pub memory: Memory,
}

impl Region {
    pub fn new(vars: &[(&str, &str)]) -> Self {
        let all = [("ISSUER", ISSUER), ("POSTERN_SECRET", "0123456789abcdef0123456789abcdef")];
        let variables = all.iter().chain(vars).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let stores = Stores {
            now: Cell::new(START),
            counter: Cell::new(0),
            kept: RefCell::default(),
            alarms: RefCell::default(),
            accounts: RefCell::default(),
            published: RefCell::default(),
            tally: Cell::default(),
            asked: RefCell::default(),
            noting: Cell::new(false),
        };
        Self { stores, config: Config::parse(&variables).unwrap(), memory: Memory::default() }
    }

    pub fn cx(&self, address: &str) -> Cx<'_, Stores> {
        Cx {
            config: &self.config,
            memory: &self.memory,
            ports: &self.stores,
            now: self.stores.now.get(),
            entropy: &self.stores,
            origin: Origin::parse(address),
            development: false,
            request_id: "0123456789abcdef",
        }
    }

    /// Time goes on, and what rings by then does what it has to do, or frees its object.
    pub fn later(&self, length: Ttl) {
        self.stores.now.set(self.stores.now.get().plus(length));
        while let Some((name, wake, take)) = self.stores.due() {
            match wake {
                Wake::Free => {}
                Wake::Sleep(alarm) => {
                    self.stores.kept.borrow_mut().get_mut(&name).unwrap().alarm = alarm;
                    self.stores.set(&name, None, alarm);
                }
                Wake::Effects(effects) => {
                    for effect in effects {
                        let command = at_once(effect::perform(effect, &self.cx(""))).unwrap();
                        take(&self.stores, &name, &command);
                    }
                }
            }
        }
    }

    /// One request through the front door, and what is written after its answer: status and body.
    pub fn send(&self, address: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, Bytes) {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let cx = self.cx(address);
        let mut response = at_once(handle(request.body(Ok(Bytes::from(body.to_owned()))).unwrap(), &cx));
        if let Some(step) = response.extensions_mut().remove::<Pending>() {
            at_once(step.write(&cx));
        }
        (response.status().as_u16(), response.into_body())
    }

    pub fn json(&self, address: &str, path: &str, body: &Value) -> (u16, Value) {
        let (status, body) = self.send(address, "POST", path, &[("content-type", "application/json")], &body.to_string());
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    pub fn form(&self, address: &str, path: &str, fields: &[(&str, &str)]) -> (u16, Value) {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let (status, body) = self.send(address, "POST", path, &[("content-type", "application/x-www-form-urlencoded")], &body);
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }
}

/// In these stores nothing waits.
pub fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("something waits where nothing does"),
    }
}
