//! Everything that changes is a pure function of (state, command, now). One generic object runs it: reads,
//! decides and writes without an await between, so whatever happens once happens once.

pub mod address;
pub mod authorization;
pub mod budget;
pub mod client;
pub mod client_index;
pub mod delegation;
pub mod device;
pub mod family;
pub mod grant;
pub mod keyring;
pub mod limit;
pub mod link;
pub mod login;
pub mod once;
pub mod outbox;
pub mod places;
pub mod quota;
mod refusals;
pub mod registration;
pub mod registry;
pub mod session;
pub mod standing;
pub mod status_index;
pub mod status_list;
pub mod trace;
pub mod trace_index;
pub mod upstream;
pub mod waiting;

use std::fmt::Display;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::id::AccountId;
use crate::tenant;
use crate::time::Timestamp;

/// One kind of record and all that can happen to it.
///
/// State, commands and outcomes are data at rest: they change by addition only.
pub trait Machine: Clone + Serialize + DeserializeOwned + 'static {
    /// Names the kind in object names and records.
    const KIND: &'static str;
    /// What tells two records of the kind apart.
    type Id: Display;
    /// What can be asked of it. Whatever can refuse travels in the command.
    type Command: Serialize + DeserializeOwned;
    /// What it answers.
    type Outcome: Serialize + DeserializeOwned;

    /// Decides.
    fn step(state: Option<Self>, command: Self::Command, now: Timestamp) -> (Next<Self>, Self::Outcome);

    /// When the object must wake by itself, other than to expire.
    fn wakes_at(&self) -> Option<Timestamp> {
        None
    }

    /// What is to be done outside by now. Each effect ends in a command to this record; until that command has
    /// settled it, the effect stays due. So effects are done at least once, and must bear repetition.
    fn due(&self, _now: Timestamp) -> Vec<Effect<Self::Command>> {
        Vec::new()
    }
}

/// What becomes of a record.
#[derive(Debug)]
pub enum Next<M> {
    /// Nothing changes, nothing is written.
    Keep,
    /// The new state, and when it expires.
    Put(M, Timestamp),
    /// It is gone.
    Delete,
}

/// The command that a new signing key ends in.
pub struct Settle<C>(pub Box<dyn Fn(keyring::Candidate) -> C>);

impl<C> std::fmt::Debug for Settle<C> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Settle")
    }
}

/// Something to be done outside a record.
#[derive(Debug)]
pub enum Effect<C> {
    /// Nothing outside: only the command.
    Step(C),
    /// Make a signing key for that ring, and hand it over.
    GenerateKey(keyring::Ring, Settle<C>),
    /// Publish a document for good.
    Publish {
        /// Its name in the directory.
        name: &'static str,
        /// The document.
        value: String,
        /// Settles it.
        then: C,
    },
    /// Sign a status list and publish it.
    PublishStatusList {
        /// Its number.
        list: u32,
        /// Its bits, not yet compressed.
        bits: Vec<u8>,
        /// When no token refers to it any more.
        expires: Timestamp,
        /// Settles it.
        then: C,
    },
    /// Tell a client that a session is over.
    LogOut {
        /// Whom, and how.
        relying: session::Relying,
        /// Settles it.
        heard: C,
        /// It was not reached.
        lost: C,
    },
    /// Run a command on another record.
    Tell {
        /// The other record's kind.
        kind: &'static str,
        /// Its name.
        id: String,
        /// The command.
        command: serde_json::Value,
        /// Settles it.
        then: C,
    },
    /// Tell an account something of its agents, which it may refuse.
    TellAccount {
        /// Whose.
        account: AccountId,
        /// What.
        command: Box<tenant::Command>,
        /// Settles it if it was heard.
        heard: C,
        /// Settles it if it was refused.
        refused: C,
    },
}

impl<C: 'static> Effect<C> {
    /// The same with another form of the commands.
    ///
    /// # Errors
    /// Those of `form`.
    pub fn map<E: 'static>(self, form: fn(C) -> Result<String, E>) -> Result<Effect<String>, E> {
        Ok(match self {
            Self::Step(command) => Effect::Step(form(command)?),
            // A key that cannot be handed over leaves the effect due: the command is none that the record takes.
            Self::GenerateKey(ring, Settle(then)) => {
                Effect::GenerateKey(ring, Settle(Box::new(move |key| form(then(key)).unwrap_or_default())))
            }
            Self::Publish { name, value, then } => Effect::Publish { name, value, then: form(then)? },
            Self::PublishStatusList { list, bits, expires, then } => Effect::PublishStatusList { list, bits, expires, then: form(then)? },
            Self::LogOut { relying, heard, lost } => Effect::LogOut { relying, heard: form(heard)?, lost: form(lost)? },
            Self::Tell { kind, id, command, then } => Effect::Tell { kind, id, command, then: form(then)? },
            Self::TellAccount { account, command, heard, refused } => {
                Effect::TellAccount { account, command, heard: form(heard)?, refused: form(refused)? }
            }
        })
    }
}

/// A state at rest.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record<M> {
    /// [`Machine::KIND`].
    pub kind: String,
    /// When it was written: time never runs backwards for a record.
    pub at: Timestamp,
    /// From then on it loads as none.
    pub expires: Timestamp,
    /// The state.
    pub state: M,
}

impl<M: Machine> Record<M> {
    /// When the object has to wake next: for an effect, or to free its storage.
    #[must_use]
    pub fn alarm(&self) -> Option<Timestamp> {
        let first = self.state.wakes_at().map_or(self.expires, |wakes| wakes.min(self.expires));
        (first != Timestamp::NEVER).then_some(first)
    }
}

/// What an object has to write after a step.
#[derive(Debug)]
pub enum Change<M> {
    /// Nothing.
    None,
    /// This record.
    Write(Record<M>),
    /// Delete everything.
    Erase,
}

/// Runs one command at `clock`.
pub fn advance<M: Machine>(record: Option<Record<M>>, command: M::Command, clock: Timestamp) -> (Change<M>, M::Outcome) {
    let now = record.as_ref().map_or(clock, |record| clock.max(record.at));
    let state = record.filter(|record| now < record.expires).map(|record| record.state);
    let (next, outcome) = M::step(state, command, now);
    let change = match next {
        Next::Keep => Change::None,
        Next::Put(state, expires) => Change::Write(Record { kind: M::KIND.to_owned(), at: now, expires, state }),
        Next::Delete => Change::Erase,
    };
    (change, outcome)
}
