//! The Durable Object: one record, one command at a time.
//!
//! Between reading a record and writing it there is no await, so nothing else runs in between, and the write and the
//! alarm go out together. An object creates nothing, no table either, before its first write.

use std::cell::Cell as Shared;
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
use crate::machine::registry::{self, Entry, Wake, Written};
use crate::pause::{LONGEST, LONGEST_OUTSIDE};
use crate::time::Ttl;

/// Effects of one wake; what is left is done at the next, at once.
const ROUNDS: usize = 16;

/// One record of any kind.
#[wasm_bindgen]
pub struct Cell {
    object: Object,
    env: JsValue,
    /// Whether the table is there, once that is known.
    table: Shared<Option<bool>>,
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
        Ok(Self { object: Object::of(state)?, env, table: Shared::new(None) })
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
        let (written, outcome) = (machine(kind)?.step)(self.read()?.as_deref(), command, now())?;
        match written {
            Written::Nothing => {}
            Written::Record(record, alarm) => {
                self.write(&record)?;
                if let Some(at) = alarm {
                    self.object.ring(at)?;
                }
            }
            Written::Erase => self.erase()?,
        }
        Ok(outcome)
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
        self.table.set(Some(false));
        Ok(self.object.erase()?)
    }
}

fn machine(kind: &str) -> Result<Entry, Failed> {
    registry::find(kind).ok_or_else(|| Failed(format!("no machine of the kind {kind}")))
}
