//! Every machine by its name, with records, commands and outcomes as text: the objects know no machine, and the code that runs them
//! is there once.

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

/// Runs a command (the second) on a record (the first, if there is one): what is to be written, and the outcome.
pub type Step = fn(Option<&str>, &str, Timestamp) -> Result<(Written, String), Error>;

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
#[derive(Debug)]
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

fn step<M: Machine>(record: Option<&str>, command: &str, clock: Timestamp) -> Result<(Written, String), Error> {
    let record = record.map(lean::read::<Record<M>>).transpose()?;
    let (change, outcome) = advance::<M>(record, lean::read(command)?, clock);
    let written = match change {
        Change::None => Written::Nothing,
        Change::Write(record) => Written::Record(serde_json::to_string(&record)?, record.alarm()),
        Change::Erase => Written::Erase,
    };
    Ok((written, serde_json::to_string(&outcome)?))
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
