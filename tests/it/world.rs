//! A settled world: one deployment, one clock, seeded randomness, stores in memory.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{Request, Response};
use jwt_compact::alg::{Ed25519, Es256, SigningKey as _};
use jwt_compact::jwk::JsonWebKey;
use jwt_compact::{Algorithm, AlgorithmSignature as _};
use postern::account;
use postern::config::{Config, Mail};
use postern::cx::Cx;
use postern::effect;
use postern::entropy::{Entropy, EntropyError};
use postern::http::{TooLong, handle};
use postern::id::AccountId;
use postern::jose::jwk::{Algorithm as KeyAlgorithm, PublicJwk};
use postern::machine::Machine;
use postern::machine::registry::{self, Found, Kept, Wake, Written};
use postern::mail::Message;
use postern::memory::Memory;
use postern::network::Origin;
use postern::store::{Accounts, Ask, Cells, CryptoError, Directory, Fetched, Log, Outbound, OutboundError, Signer, SigningKey, StoreError};
use postern::tenant;
use postern::time::{Timestamp, Ttl};
use postern::trace::Pending;
use postern::webhook;
use serde_json::Value;
use sha2::{Digest, Sha256};
use url::Url;

use crate::openapi::Asked;
use crate::sqlite::Database;

pub const ISSUER: &str = "https://auth.example.com";
pub const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// What was said to a place outside.
#[derive(Clone, Debug)]
pub struct Sent {
    pub url: String,
    pub headers: BTreeMap<String, String>,
    /// Content type and content of a POST.
    pub content: Option<(String, String)>,
}

/// Everything outside the core.
pub struct Platform {
    pub now: Cell<Timestamp>,
    counter: Cell<u64>,
    /// Records by kind and name, as JSON.
    pub cells: RefCell<BTreeMap<String, String>>,
    /// Tables by account.
    pub accounts: RefCell<BTreeMap<String, Database>>,
    /// Records as their objects keep them, beside what was written.
    pub kept: RefCell<BTreeMap<String, (String, Kept)>>,
    pub directory: RefCell<BTreeMap<String, String>>,
    pub warnings: RefCell<Vec<String>>,
    pub mails: RefCell<Vec<Message>>,
    /// What is to be fetched, by URL; everything else cannot be reached.
    pub outside: RefCell<BTreeMap<String, Fetched>>,
    /// What was fetched, in order.
    pub fetched: RefCell<Vec<String>>,
    /// The same with what was said.
    pub sent: RefCell<Vec<Sent>>,
    /// A fetch takes so many polls.
    pub slowness: Cell<u32>,
    /// These addresses take so long by the clock.
    pub slow: RefCell<BTreeMap<String, Ttl>>,
    /// Signatures that were checked with keys of others.
    pub checked: Cell<u32>,
    /// One command and one outcome of each form, by kind.
    pub samples: RefCell<BTreeMap<String, BTreeMap<String, Value>>>,
    /// Kinds of cells that do not answer, and single ones by `kind/name`.
    pub lost: RefCell<Vec<&'static str>>,
    /// Every call of a record or an account waits once.
    pub halting: Cell<bool>,
    /// Questions of accounts.
    pub asked: Cell<u32>,
    /// What becomes of the calls of all stores, if they are to fail.
    pub outage: Cell<Option<Outage>>,
    /// How often each kind of object was asked for what, and the directory.
    pub calls: RefCell<BTreeMap<String, u64>>,
}

/// Every store fails after so many calls of any.
#[derive(Clone, Copy, Debug)]
pub struct Outage {
    pub after: usize,
    /// The first call that fails is carried out, and its answer is lost.
    pub answer: bool,
    /// And so does every call after that.
    pub lasting: bool,
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
    /// Runs a command on a record, as the object does.
    fn step(&self, name: &str, command: &str) -> String {
        let machine = registry::find(name.split('/').next().unwrap()).unwrap();
        let record = self.cells.borrow().get(name).cloned();
        let stepped = (machine.step)(record.as_deref().map_or(Found::Nothing, Found::Text), command, self.now.get()).unwrap();
        let kept = self.kept.borrow_mut().remove(name).filter(|(text, _)| Some(text) == record.as_ref());
        if let Some((_, kept)) = kept {
            // What an object keeps is as good as what it has written.
            let again = (machine.step)(Found::Kept(&kept), command, self.now.get()).unwrap();
            assert_eq!((&again.outcome, &again.written), (&stepped.outcome, &stepped.written), "{command}");
        }
        match stepped.written {
            Written::Nothing => {}
            Written::Record(record, _) => drop(self.cells.borrow_mut().insert(name.to_owned(), record)),
            Written::Erase => drop(self.cells.borrow_mut().remove(name)),
        }
        if let (Some(text), Some(kept)) = (self.cells.borrow().get(name).cloned(), stepped.kept) {
            self.kept.borrow_mut().insert(name.to_owned(), (text, kept));
        }
        stepped.outcome
    }

    fn tables(&self, id: &str, command: &account::Command) -> Result<account::Outcome, StoreError> {
        let mut accounts = self.accounts.borrow_mut();
        let database = accounts.entry(id.to_owned()).or_default();
        let outcome = database.command(command, self.now.get()).map_err(|error| StoreError(error.to_string()));
        // An object that has stored nothing leaves nothing behind.
        if database.query("SELECT 1 FROM sqlite_master LIMIT 1", 0).is_empty() {
            accounts.remove(id);
        }
        outcome
    }

    /// Keeps the first of each form.
    fn sample(&self, kind: &str, what: &str, value: &Value) {
        let form = form(value);
        let mut samples = self.samples.borrow_mut();
        samples.entry(format!("{kind}/{what}")).or_default().entry(form).or_insert_with(|| value.clone());
    }

    fn count(&self, kind: &str, what: &str) {
        *self.calls.borrow_mut().entry(format!("{kind} {what}")).or_default() += 1;
    }

    /// Another request may run in here.
    async fn halt(&self) {
        let mut again = self.halting.get();
        std::future::poll_fn(|_| if std::mem::take(&mut again) { Poll::Pending } else { Poll::Ready(()) }).await;
    }

    /// A call of a store, as the outage has it.
    fn call<T>(&self, carry_out: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        let Some(outage) = self.outage.get() else { return carry_out() };
        let is_lost = outage.after == 0;
        self.outage.set(Some(Outage { after: outage.after.wrapping_sub(1), ..outage }));
        if is_lost && outage.lasting {
            self.outage.set(Some(Outage { answer: false, ..outage }));
        }
        if is_lost && !outage.answer {
            return Err(StoreError("the call is lost".to_owned()));
        }
        let answer = carry_out()?;
        if is_lost { Err(StoreError("the answer is lost".to_owned())) } else { Ok(answer) }
    }

    /// A platform that holds the same, and goes on by itself.
    pub fn copy(&self) -> Self {
        let accounts = self.accounts.borrow().iter().map(|(name, database)| (name.clone(), database.copy())).collect();
        Self {
            now: self.now.clone(),
            counter: self.counter.clone(),
            cells: self.cells.clone(),
            accounts: RefCell::new(accounts),
            directory: self.directory.clone(),
            outside: self.outside.clone(),
            ..Self::new()
        }
    }

    fn new() -> Self {
        Self {
            now: Cell::new(START),
            counter: Cell::new(0),
            cells: RefCell::default(),
            accounts: RefCell::default(),
            kept: RefCell::default(),
            directory: RefCell::default(),
            warnings: RefCell::default(),
            mails: RefCell::default(),
            samples: RefCell::default(),
            outside: RefCell::default(),
            fetched: RefCell::default(),
            sent: RefCell::default(),
            slowness: Cell::new(0),
            slow: RefCell::default(),
            checked: Cell::new(0),
            lost: RefCell::default(),
            halting: Cell::new(false),
            asked: Cell::new(0),
            outage: Cell::new(None),
            calls: RefCell::default(),
        }
    }

    fn reachable(&self, kind: &str) -> Result<(), StoreError> {
        if self.lost.borrow().contains(&kind) { Err(StoreError(format!("{kind} is lost"))) } else { Ok(()) }
    }
}

impl Cells for Platform {
    async fn run<M: Machine>(&self, id: &M::Id, command: M::Command) -> Result<M::Outcome, StoreError> {
        self.halt().await;
        self.reachable(M::KIND)?;
        self.reachable(&format!("{}/{id}", M::KIND))?;
        // Commands and outcomes cross as JSON, as they do on the real runtime.
        let command = serde_json::to_value(&command).unwrap();
        self.sample(M::KIND, "commands", &command);
        self.count(M::KIND, &form(&command));
        let outcome = self.call(|| Ok(self.step(&format!("{}/{id}", M::KIND), &command.to_string())))?;
        self.sample(M::KIND, "outcomes", &serde_json::from_str(&outcome).unwrap());
        Ok(serde_json::from_str(&outcome).unwrap())
    }

    async fn tell(&self, kind: &str, id: &str, command: Value) -> Result<(), StoreError> {
        self.reachable("tell")?;
        self.call(|| {
            if kind == account::KIND {
                return self.tables(id, &serde_json::from_value(command).unwrap()).map(|_| ());
            }
            self.step(&format!("{kind}/{id}"), &command.to_string());
            Ok(())
        })
    }
}

impl Directory for Platform {
    async fn read(&self, name: &str, _stale_after: Ttl) -> Result<Option<String>, StoreError> {
        self.reachable("directory")?;
        self.count("directory", "read");
        self.call(|| Ok(self.directory.borrow().get(name).cloned()))
    }

    async fn publish(&self, name: &str, value: &str, _ttl: Option<Ttl>) -> Result<(), StoreError> {
        self.reachable("directory")?;
        self.count("directory", "publish");
        self.call(|| {
            self.directory.borrow_mut().insert(name.to_owned(), value.to_owned());
            Ok(())
        })
    }
}

impl Signer for Platform {
    async fn generate(&self, algorithm: KeyAlgorithm, _wrap_with: &[u8; 32]) -> Result<(PublicJwk, String), CryptoError> {
        let mut seed = [0; 32];
        self.fill(&mut seed).unwrap();
        if algorithm == KeyAlgorithm::Rs256 {
            return Ok((PublicJwk::from_rsa(stretched(&seed), vec![1, 0, 1]), URL_SAFE_NO_PAD.encode(seed)));
        }
        let private = <Es256 as Algorithm>::SigningKey::from_slice(&seed).unwrap();
        let public = private.to_verifying_key();
        let JsonWebKey::EllipticCurve { x, y, .. } = JsonWebKey::from(&public) else { unreachable!() };
        let point = [&[4][..], &x, &y].concat();
        Ok((PublicJwk::from_point(&point).unwrap(), URL_SAFE_NO_PAD.encode(seed)))
    }

    async fn sign(&self, key: &SigningKey<'_>, input: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let seed = URL_SAFE_NO_PAD.decode(key.wrapped).unwrap();
        if key.algorithm == KeyAlgorithm::Rs256 {
            return Ok(stretched(&[&stretched(&seed), input].concat()));
        }
        let private = <Es256 as Algorithm>::SigningKey::from_slice(&seed).unwrap();
        Ok(Es256.sign(&private, input).to_bytes().to_vec())
    }

    async fn verify(&self, key: &PublicJwk, input: &[u8], signature: &[u8]) -> Result<bool, CryptoError> {
        if let JsonWebKey::Rsa { modulus, .. } = &key.key {
            return Ok(signature == stretched(&[modulus, input].concat()));
        }
        let public = <Es256 as Algorithm>::VerifyingKey::try_from(&key.key).unwrap();
        let Ok(signature) = <Es256 as Algorithm>::Signature::try_from(signature) else { return Ok(false) };
        Ok(Es256.verify_signature(&signature, &public, input))
    }

    async fn verify_with(&self, algorithm: KeyAlgorithm, jwk: &Value, input: &[u8], signature: &[u8]) -> Result<bool, CryptoError> {
        fn check<A: Algorithm>(algorithm: &A, jwk: &Value, input: &[u8], signature: &[u8]) -> Option<bool>
        where
            A::VerifyingKey: for<'a> TryFrom<&'a JsonWebKey<'a>>,
        {
            let jwk = serde_json::from_value(jwk.clone()).ok()?;
            let key = A::VerifyingKey::try_from(&jwk).ok()?;
            Some(algorithm.verify_signature(&A::Signature::try_from_slice(signature).ok()?, &key, input))
        }
        self.checked.set(self.checked.get() + 1);
        // The other algorithms are for the real runtime.
        let answer = match algorithm {
            KeyAlgorithm::Es256 => check(&Es256, jwk, input, signature),
            KeyAlgorithm::EdDsa => check(&Ed25519, jwk, input, signature),
            KeyAlgorithm::Rs256 => {
                let modulus = jwk["n"].as_str().and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
                modulus.map(|modulus| signature == stretched(&[&modulus[..], input].concat()))
            }
            _ => None,
        };
        Ok(answer.unwrap_or(false))
    }

    async fn seal(&self, key: &[u8; 32], plain: &[u8]) -> Result<Vec<u8>, CryptoError> {
        // Enough for a world without an attacker: the real one is tested in workerd.
        let check = Sha256::digest([&key[..], plain].concat());
        Ok([&check[..], plain].concat())
    }

    async fn open(&self, key: &[u8; 32], sealed: &[u8]) -> Result<Option<Vec<u8>>, CryptoError> {
        let Some((check, plain)) = sealed.split_at_checked(32) else { return Ok(None) };
        Ok((check == &Sha256::digest([&key[..], plain].concat())[..]).then(|| plain.to_vec()))
    }
}

impl Accounts for Platform {
    async fn account(&self, id: &AccountId, command: account::Command) -> Result<account::Outcome, StoreError> {
        self.halt().await;
        self.reachable(account::KIND)?;
        self.asked.set(self.asked.get() + 1);
        self.count(
            account::KIND,
            &match &command {
                account::Command::Tenant(command) => form(&serde_json::to_value(&command.what).unwrap()),
                command => form(&serde_json::to_value(command).unwrap()),
            },
        );
        self.call(|| self.tables(id.as_str(), &command))
    }
}

impl Outbound for Platform {
    async fn ask(&self, url: &Url, what: Ask<'_>, most: usize, _patience: Ttl) -> Result<Fetched, OutboundError> {
        self.fetched.borrow_mut().push(url.to_string());
        self.sent.borrow_mut().push(Sent {
            url: url.to_string(),
            headers: what.headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            content: what.content.map(|(content_type, content)| (content_type.to_owned(), content.to_owned())),
        });
        let mut left = self.slowness.get();
        std::future::poll_fn(|_| {
            left = left.saturating_sub(1);
            if left == 0 { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        let slow = self.slow.borrow().get(url.as_str()).copied();
        if let Some(until) = slow.map(|slow| self.now.get().plus(slow)) {
            std::future::poll_fn(|_| if self.now.get() < until { Poll::Pending } else { Poll::Ready(()) }).await;
        }
        let found = self.outside.borrow().get(url.as_str()).cloned();
        found
            .filter(|found| most == 0 || found.body.len() <= most)
            .ok_or_else(|| OutboundError(format!("nothing, or too much, is at {url}")))
    }

    async fn pause(&self, _length: Ttl) {
        let mut again = true;
        std::future::poll_fn(|_| if std::mem::take(&mut again) { Poll::Pending } else { Poll::Ready(()) }).await;
    }

    async fn send(&self, message: &Message, _mail: &Mail) -> Result<(), OutboundError> {
        self.reachable("mail").map_err(|error| OutboundError(error.to_string()))?;
        self.mails.borrow_mut().push(message.clone());
        Ok(())
    }
}

impl Log for Platform {
    fn warn(&self, event: &'static str, reason: &str) {
        self.warnings.borrow_mut().push(format!("{event}: {reason}"));
    }
}

/// Stands for RSA, whose keys take long to make here: a key is 256 bytes, and a signature is made of it. Enough for a world without an
/// attacker: the real one is tested in workerd.
pub fn stretched(input: &[u8]) -> Vec<u8> {
    (0..8_u8).flat_map(|part| Sha256::digest([&[0xff, part], input].concat())).collect()
}

/// Which of its forms a command or an outcome has.
fn form(value: &Value) -> String {
    match value {
        Value::Object(fields) if fields.len() == 1 => fields.keys().next().unwrap().clone(),
        Value::String(name) => name.clone(),
        _ => "one".to_owned(),
    }
}

/// A deployment in that world, with one isolate.
pub struct World {
    pub platform: Platform,
    pub config: Config,
    pub memory: Memory,
    /// All three legs of development stand.
    pub development: bool,
    /// Operations that were asked for, and the status that each was answered with.
    pub met: RefCell<BTreeSet<(String, u16)>>,
}

impl World {
    pub fn new(vars: &[(&str, &str)]) -> Self {
        let mut variables: BTreeMap<String, String> = [
            ("ISSUER", ISSUER),
            ("POSTERN_SECRET", "0123456789abcdef0123456789abcdef"),
            ("OPERATOR_KEY", "operator-operator-operator-operator"),
            ("MAIL", "http"),
            ("MAIL_FROM", "Example <login@example.com>"),
            ("MAIL_API_KEY", "a-key-of-the-mail-provider"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        variables.extend(vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Self {
            platform: Platform::new(),
            config: Config::parse(&variables).unwrap(),
            memory: Memory::default(),
            development: false,
            met: RefCell::default(),
        }
    }

    /// The surroundings of one request.
    pub fn cx(&self, address: &str) -> Cx<'_, Platform> {
        Cx {
            config: &self.config,
            memory: &self.memory,
            ports: &self.platform,
            now: self.platform.now.get(),
            entropy: &self.platform,
            origin: Origin::parse(address),
            development: self.development,
            request_id: "0123456789abcdef",
        }
    }

    /// Time goes on, and every alarm that is due by then rings.
    pub fn later(&self, seconds: u64) {
        self.platform.now.set(self.platform.now.get().plus(Ttl::from_seconds(seconds)));
        self.ring();
    }

    /// Rings every alarm that is due.
    pub fn ring(&self) {
        self.ring_accounts();
        for _ in 0..32 {
            let names: Vec<String> = self.platform.cells.borrow().keys().cloned().collect();
            let busy = names.iter().map(|name| self.wake(name));
            if !busy.fold(false, |any, busy| any | busy) {
                return;
            }
        }
        panic!("some effect never settles");
    }

    /// As the objects of accounts do: webhooks first.
    fn ring_accounts(&self) {
        let now = self.platform.now.get();
        let is_due = |database: &Database| database.alarm.get().is_some_and(|at| at <= now);
        let due = self.platform.accounts.borrow().iter().filter(|(_, database)| is_due(database)).map(|(name, _)| name.clone()).collect();
        let due: Vec<String> = due;
        for name in due {
            let queue = Inside { platform: &self.platform, name: &name };
            let cx = self.cx("");
            for outcome in together([webhook::deliver(&queue, &webhook::Hurry::default(), &cx)]) {
                outcome.unwrap();
            }
            self.platform.accounts.borrow().get(&name).unwrap().ring(now);
        }
    }

    /// One alarm of that account, as time goes on: `meanwhile` is told how long it has rung, in steps of a tenth of a second.
    pub fn ring_slowly(&self, name: &str, meanwhile: impl FnMut(Ttl)) {
        self.ring_hurried(name, &webhook::Hurry::default(), meanwhile);
    }

    /// The same of an object that has rung before; whether it rings again at once.
    pub fn ring_hurried(&self, name: &str, hurry: &webhook::Hurry, mut meanwhile: impl FnMut(Ttl)) -> bool {
        let queue = Inside { platform: &self.platform, name };
        let (cx, begun) = (self.cx(""), self.platform.now.get());
        let mut telling = pin!(webhook::deliver(&queue, hurry, &cx));
        loop {
            if let Poll::Ready(told) = telling.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                return told.unwrap();
            }
            self.platform.now.set(self.platform.now.get().plus(Ttl::from_millis(100)));
            meanwhile(begun.until(self.platform.now.get()));
        }
    }

    fn wake(&self, name: &str) -> bool {
        let Some(record) = self.platform.cells.borrow().get(name).cloned() else { return false };
        let machine = registry::find(name.split('/').next().unwrap()).unwrap();
        match (machine.wake)(&record, self.platform.now.get()).unwrap() {
            Wake::Free => self.platform.cells.borrow_mut().remove(name).is_some(),
            Wake::Sleep(_) => false,
            Wake::Effects(effects) => {
                // What could not be done stays due, and the object tries again later.
                let settle = |command: &str| {
                    self.platform.step(name, command);
                    Ok(())
                };
                block(effect::perform_each(effects, &self.cx(""), settle)).is_empty()
            }
        }
    }

    /// One request; the address is that of the client.
    pub fn send(&self, address: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Ok(Bytes::from(body.to_owned()))).unwrap();
        self.answer(request, address)
    }

    /// Whoever waits lets every alarm ring that is due.
    pub fn wait<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        for _ in 0..100 {
            match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(output) => return output,
                Poll::Pending => self.ring(),
            }
        }
        panic!("something waits for ever")
    }

    /// One request, and `meanwhile` after so many of the calls that it makes of records and accounts; whether it was still under way then.
    pub fn interrupted(&self, (path, body): (&str, &Payload<'_>), calls: usize, meanwhile: impl FnOnce()) -> (Answer, bool) {
        let (kind, text) = body.text();
        let request = Request::builder().method("POST").uri(path).header("content-type", kind).body(Ok(Bytes::from(text))).unwrap();
        let asked = Asked::of(&request);
        let cx = self.cx("192.0.2.1");
        let mut request = pin!(handle(request, &cx));
        let mut poll = || request.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        self.platform.halting.set(true);
        let early = (0..=calls).find_map(|_| match poll() {
            Poll::Ready(answer) => Some(Answer(answer)),
            Poll::Pending => None,
        });
        self.platform.halting.set(false);
        meanwhile();
        let under_way = early.is_none();
        let answer = early.unwrap_or_else(|| {
            match (0..100).find_map(|_| match poll() {
                Poll::Ready(answer) => Some(answer),
                Poll::Pending => None,
            }) {
                Some(answer) => Answer(answer),
                None => panic!("something waits for ever"),
            }
        });
        asked.judge(&answer.0);
        (answer, under_way)
    }

    /// One request as it is.
    pub fn raw(&self, request: Request<Result<Bytes, TooLong>>) -> Answer {
        self.answer(request, "192.0.2.1")
    }

    /// Answers, and then writes what is left to be written.
    fn answer(&self, request: Request<Result<Bytes, TooLong>>, address: &str) -> Answer {
        let cx = self.cx(address);
        let asked = Asked::of(&request);
        let mut response = self.wait(handle(request, &cx));
        self.met.borrow_mut().extend(asked.judge(&response));
        if let Some(step) = response.extensions_mut().remove::<Pending>() {
            self.wait(step.write(&cx));
        }
        Answer(response)
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

/// One account, from the inside.
struct Inside<'a> {
    platform: &'a Platform,
    name: &'a str,
}

impl webhook::Queue for Inside<'_> {
    fn ask(&self, what: tenant::What) -> Result<tenant::Outcome, StoreError> {
        let command = tenant::Command { caller: None, what, audit: Vec::new(), emit: Vec::new(), retain: Ttl::from_millis(0) };
        match self.platform.tables(self.name, &account::Command::Tenant(Box::new(command)))? {
            account::Outcome::Tenant(outcome) => Ok(*outcome),
            other => panic!("{other:?}"),
        }
    }

    fn now(&self) -> Timestamp {
        self.platform.now.get()
    }
}

/// The body of a request.
pub enum Payload<'a> {
    Json(Value),
    Form(&'a [(&'a str, &'a str)]),
    /// A security event.
    Event(&'a str),
}

impl Payload<'_> {
    fn text(&self) -> (&'static str, String) {
        match self {
            Self::Json(value) => ("application/json", value.to_string()),
            Self::Form(fields) => {
                ("application/x-www-form-urlencoded", url::form_urlencoded::Serializer::new(String::new()).extend_pairs(*fields).finish())
            }
            Self::Event(token) => ("application/secevent+jwt", (*token).to_owned()),
        }
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

/// Polls all of them in turn until each has ended: requests of one isolate at one time.
pub fn together<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.into_iter().map(Box::pin).collect();
    let mut outputs: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    for _ in 0..1000 {
        for (future, output) in futures.iter_mut().zip(&mut outputs) {
            if output.is_none()
                && let Poll::Ready(ready) = future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
            {
                *output = Some(ready);
            }
        }
        if outputs.iter().all(Option::is_some) {
            return outputs.into_iter().flatten().collect();
        }
    }
    panic!("something waits for ever")
}
