//! The Durable Object: one record, one command at a time.
//!
//! Between reading a record and writing it there is no await, so nothing else runs in between, and the write and the
//! alarm go out together. An object creates nothing, no table either, before its first write. What it has read or written it keeps for a
//! while: nobody else writes to its storage, and if a write is lost the platform makes the object anew.

use std::cell::{Cell as Shared, RefCell};
use std::str::Utf8Error;

use serde::Deserialize;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::border::{column, put, said};
use super::isolate::Isolate;
use super::object::Object;
use super::platform::Platform;
use super::{log, now};
use crate::effect::{self, Undone};
use crate::machine::Effect;
use crate::machine::registry::{self, Entry, Found, Kept, Stepped, Wake, Written};
use crate::memory::Bounded;
use crate::pause::{LONGEST, LONGEST_OUTSIDE};
use crate::time::Ttl;

/// Effects of one wake; what is left is done at the next, at once.
const ROUNDS: usize = 16;

/// Bytes of records as written that are kept of all objects of an isolate together; in memory they are some times that.
const KEPT: usize = 4 * 1024 * 1024;

thread_local! {
    /// Records by the number of their object, with their kind.
    static RECORDS: RefCell<Bounded<u64, (&'static str, Kept)>> = const { RefCell::new(Bounded::new(KEPT)) };
    /// The number of the object that was made last.
    static LAST: Shared<u64> = const { Shared::new(0) };
}

/// One record of any kind.
#[wasm_bindgen]
pub struct Cell {
    object: Object,
    env: JsValue,
    number: u64,
    /// Whether the table is there, once that is known.
    table: Shared<Option<bool>>,
}

impl Drop for Cell {
    fn drop(&mut self) {
        self.forget();
    }
}

#[derive(Deserialize)]
struct Kind {
    kind: String,
}

/// Why a command was not taken; for the log.
struct Failed(String);

/// Why a wake has not done all that was due.
struct Late {
    /// Kinds and reasons, for the log.
    reasons: Vec<String>,
    /// It is tried again ever later, but no later than this.
    longest: Ttl,
}

impl Late {
    /// The record cannot be read, or not be woken.
    fn of(kind: &str, Failed(error): Failed) -> Self {
        Self { reasons: vec![format!("{kind}: {error}")], longest: LONGEST }
    }

    /// So much of what is due; nothing if that is none.
    fn undone(kind: &str, undone: &[Undone]) -> Result<(), Self> {
        if undone.is_empty() {
            return Ok(());
        }
        let longest = if undone.iter().any(|undone| matches!(undone, Undone::Outside(_))) { LONGEST_OUTSIDE } else { LONGEST };
        let reasons = undone.iter().map(|undone| match undone {
            Undone::Outside(error) => format!("{kind}: {error}"),
            Undone::Unsettled(error) => format!("{kind}: not settled: {error}"),
        });
        let mut reasons: Vec<String> = reasons.collect();
        reasons.dedup();
        Err(Self { reasons, longest })
    }
}

impl From<JsValue> for Failed {
    fn from(error: JsValue) -> Self {
        Self(said(&error))
    }
}

impl From<Utf8Error> for Failed {
    fn from(error: Utf8Error) -> Self {
        Self(error.to_string())
    }
}

impl From<serde_json::Error> for Failed {
    fn from(error: serde_json::Error) -> Self {
        Self(error.to_string())
    }
}

#[wasm_bindgen]
impl Cell {
    /// The object with this state.
    ///
    /// # Errors
    /// It has no storage.
    #[wasm_bindgen(constructor)]
    pub fn new(state: &JsValue, env: JsValue) -> Result<Self, JsValue> {
        let number = LAST.get().wrapping_add(1);
        LAST.set(number);
        Ok(Self { object: Object::of(state)?, env, number, table: Shared::new(None) })
    }

    /// The outcome of a command; nothing if it was not taken.
    #[must_use]
    pub fn take(&self, kind: &str, command: &[u8]) -> Option<String> {
        let outcome = std::str::from_utf8(command).map_err(Failed::from).and_then(|command| self.step(kind, command));
        outcome.map_err(|Failed(error)| log::warn("cell_failed", &format!("{kind}: {error}"))).ok()
    }

    /// Does what is due; what could not be done is due again later.
    ///
    /// # Errors
    /// The alarm could not be set: the platform rings again.
    pub async fn alarm(&self) -> Result<(), JsValue> {
        self.object.rang();
        let Err(Late { reasons, longest }) = self.wake().await else { return Ok(()) };
        reasons.iter().for_each(|reason| log::warn("wake_failed", reason));
        self.object.rest(longest)
    }
}

impl Cell {
    /// Reads, decides, writes, sets the alarm.
    fn step(&self, kind: &str, command: &str) -> Result<String, Failed> {
        let machine = machine(kind)?;
        let kept = RECORDS.with_borrow_mut(|records| records.find_again(&self.number)).filter(|(kind, _)| *kind == machine.kind);
        let text = if kept.is_some() { None } else { self.read()? };
        let found = match (&kept, &text) {
            (Some((_, kept)), _) => Found::Kept(kept),
            (None, Some(text)) => Found::Text(text),
            (None, None) => Found::Nothing,
        };
        let Stepped { written, outcome, kept: now_kept } = (machine.step)(found, command, now())?;
        match written {
            Written::Nothing => {
                if let (Some(text), Some(read)) = (text, now_kept) {
                    self.keep(machine.kind, text.len(), read);
                }
            }
            Written::Record(record, alarm) => {
                // Whatever comes of writing: what was is not kept.
                self.forget();
                self.write(&record)?;
                if let Some(at) = alarm {
                    self.object.ring(at)?;
                }
                if let Some(written) = now_kept {
                    self.keep(machine.kind, record.len(), written);
                }
            }
            Written::Erase => self.erase()?,
        }
        Ok(outcome)
    }

    fn keep(&self, kind: &'static str, bytes: usize, record: Kept) {
        RECORDS.with_borrow_mut(|records| records.insert_weighing(bytes, self.number, (kind, record)));
    }

    fn forget(&self) {
        RECORDS.with_borrow_mut(|records| records.remove(&self.number));
    }

    /// Frees an expired record; else does what is due, and sets the alarm for what is not.
    async fn wake(&self) -> Result<(), Late> {
        for _ in 0..ROUNDS {
            let Some(record) = self.read().map_err(|failed| Late::of("some record", failed))? else { return Ok(()) };
            let Kind { kind } = serde_json::from_str(&record).map_err(|error| Late::of("some record", error.into()))?;
            let late = |failed| Late::of(&kind, failed);
            let effects = match self.due(&kind, &record).map_err(late)? {
                Some(effects) => effects,
                None => return Ok(()),
            };
            let isolate = Isolate::of(&self.env);
            let Ok(config) = &isolate.config else {
                return Late::undone(&kind, &[Undone::Outside("the deployment is misconfigured".to_owned())]);
            };
            let ports = Platform::new(self.env.clone());
            let cx = isolate.alone(config, &ports);
            let settle = |command: &str| self.step(&kind, command).map(drop).map_err(|Failed(error)| error);
            Late::undone(&kind, &effect::perform_each(effects, &cx, settle).await)?;
        }
        self.object.ring(now()).map_err(|error| Late::of("some record", error.into()))
    }

    /// What is due; if nothing is, the record has its alarm, or is gone.
    fn due(&self, kind: &str, record: &str) -> Result<Option<Vec<Effect<String>>>, Failed> {
        match (machine(kind)?.wake)(record, now())? {
            Wake::Free => self.erase()?,
            Wake::Sleep(Some(at)) => self.object.ring(at)?,
            Wake::Sleep(None) => {}
            Wake::Effects(effects) => return Ok(Some(effects)),
        }
        Ok(None)
    }

    fn read(&self) -> Result<Option<String>, Failed> {
        let table = match self.table.get() {
            Some(table) => table,
            None => {
                let found = column(&self.object.sql, "SELECT x'' FROM sqlite_master WHERE type = 'table' AND name = 'record'")?.is_some();
                self.table.set(Some(found));
                found
            }
        };
        if table { Ok(column(&self.object.sql, "SELECT CAST(body AS BLOB) FROM record")?) } else { Ok(None) }
    }

    fn write(&self, body: &str) -> Result<(), Failed> {
        if self.table.get() != Some(true) {
            column(&self.object.sql, "CREATE TABLE IF NOT EXISTS record (id INTEGER PRIMARY KEY CHECK (id = 0), body TEXT NOT NULL)")?;
            self.table.set(Some(true));
        }
        put(&self.object.sql, "INSERT INTO record (id, body) VALUES (0, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body", body)?;
        Ok(())
    }

    /// Takes alarm and record away; answers wait until that is done.
    fn erase(&self) -> Result<(), Failed> {
        self.forget();
        self.table.set(Some(false));
        Ok(self.object.erase()?)
    }
}

fn machine(kind: &str) -> Result<Entry, Failed> {
    registry::find(kind).ok_or_else(|| Failed(format!("no machine of the kind {kind}")))
}
