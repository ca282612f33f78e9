//! Every machine by its name, with records, commands and outcomes as text: the objects know no machine, and the code that runs them
//! is there once.

use std::any::Any;
use std::rc::Rc;

use serde::de::Error as _;
use serde_json::Error;

use super::address::Address;
use super::authorization::Authorization;
use super::budget::Budget;
use super::client::Registered;
use super::client_index::ClientIndex;
use super::delegation::Delegation;
use super::device::Device;
use super::grant::Grant;
use super::keyring::KeyRing;
use super::limit::Limit;
use super::link::Link;
use super::login::Login;
use super::once::Once;
use super::outbox::Outbox;
use super::quota::Quota;
use super::registration::Registration;
use super::session::Session;
use super::status_index::StatusIndex;
use super::status_list::StatusList;
use super::trace::Trace;
use super::trace_index::TraceIndex;
use super::upstream::Upstream;
use super::waiting::Waiting;
use super::{Change, Effect, Machine, Record, advance};
use crate::lean;
use crate::time::Timestamp;

/// Runs a command (the second) on a record (the first).
pub type Step = fn(Found<'_>, &str, Timestamp) -> Result<Stepped, Error>;

/// A record that has been read, of the machine that read it: an object keeps it, and need not read it again.
pub type Kept = Rc<dyn Any>;

/// What an object has.
#[derive(Clone, Copy, Debug)]
pub enum Found<'r> {
    /// No record.
    Nothing,
    /// A record as it was written.
    Text(&'r str),
    /// The same as it was kept. One of another kind is refused.
    Kept(&'r Kept),
}

/// What came of a command.
#[derive(Debug)]
pub struct Stepped {
    /// What is to be written.
    pub written: Written,
    /// What is to be answered.
    pub outcome: String,
    /// The record as it is once that is written, if there is one.
    pub kept: Option<Kept>,
}

/// One machine.
#[derive(Clone, Copy)]
pub struct Entry {
    /// [`Machine::KIND`].
    pub kind: &'static str,
    /// Runs a command on a record, if there is one.
    pub step: Step,
    /// What a record wants when it is woken.
    pub wake: fn(record: &str, clock: Timestamp) -> Result<Wake, Error>,
}

/// What an object has to write after a step.
#[derive(Debug, PartialEq, Eq)]
pub enum Written {
    /// Nothing.
    Nothing,
    /// This record; it has to wake then.
    Record(String, Option<Timestamp>),
    /// Delete everything.
    Erase,
}

/// What a record wants when it is woken.
#[derive(Debug)]
pub enum Wake {
    /// It has expired: its storage is to be freed.
    Free,
    /// These are to be done now.
    Effects(Vec<Effect<String>>),
    /// Nothing until then.
    Sleep(Option<Timestamp>),
}

/// The machine of that name.
#[must_use]
pub fn find(kind: &str) -> Option<Entry> {
    ALL.iter().find(|entry| entry.kind == kind).copied()
}

/// All of them.
pub const ALL: &[Entry] = &[
    entry::<Registration>(),
    entry::<Limit>(),
    entry::<Budget>(),
    entry::<KeyRing>(),
    entry::<StatusIndex>(),
    entry::<StatusList>(),
    entry::<Address>(),
    entry::<Link>(),
    entry::<Login>(),
    entry::<Session>(),
    entry::<Upstream>(),
    entry::<Outbox>(),
    entry::<Quota>(),
    entry::<Once>(),
    entry::<Waiting>(),
    entry::<Authorization>(),
    entry::<Grant>(),
    entry::<Registered>(),
    entry::<Device>(),
    entry::<Trace>(),
    entry::<TraceIndex>(),
    entry::<ClientIndex>(),
    entry::<Delegation>(),
];

const fn entry<M: Machine>() -> Entry {
    Entry { kind: M::KIND, step: step::<M>, wake: wake::<M> }
}

fn step<M: Machine>(found: Found<'_>, command: &str, clock: Timestamp) -> Result<Stepped, Error> {
    let record = match found {
        Found::Nothing => None,
        Found::Text(text) => Some(Rc::new(lean::read::<Record<M>>(text)?)),
        Found::Kept(kept) => Some(kept.clone().downcast().map_err(|_| Error::custom("a record of another kind"))?),
    };
    let (change, outcome) = advance::<M>(record.as_deref().cloned(), lean::read(command)?, clock);
    let (written, kept) = match change {
        Change::None => (Written::Nothing, record),
        Change::Write(record) => (Written::Record(serde_json::to_string(&record)?, record.alarm()), Some(Rc::new(record))),
        Change::Erase => (Written::Erase, None),
    };
    let kept = kept.map(|record| record as Kept);
    Ok(Stepped { written, outcome: serde_json::to_string(&outcome)?, kept })
}

fn wake<M: Machine>(record: &str, clock: Timestamp) -> Result<Wake, Error> {
    let record: Record<M> = lean::read(record)?;
    if record.expires <= clock {
        return Ok(Wake::Free);
    }
    let effects = record.state.due(clock);
    if effects.is_empty() {
        return Ok(Wake::Sleep(record.alarm()));
    }
    let text = |command: M::Command| serde_json::to_string(&command);
    Ok(Wake::Effects(effects.into_iter().map(|effect| effect.map(text)).collect::<Result<_, _>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_record_of_another_kind_is_refused() {
        let kept: Kept = Rc::new("no record");
        for machine in ALL {
            let refused = (machine.step)(Found::Kept(&kept), "", Timestamp::from_millis(0)).map(drop).unwrap_err();
            assert_eq!(refused.to_string(), "a record of another kind", "{}", machine.kind);
        }
    }
}
