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
use crate::effect;
use crate::machine::Effect;
use crate::machine::registry::{self, Entry, Wake, Written};
use crate::time::Ttl;

/// After something outside has failed it is tried again so much later.
const RETRY: Ttl = Ttl::from_seconds(5);
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

/// Why a wake has not done all that was due: kind and reason, for the log.
enum Late {
    /// Somebody else did not answer, or the deployment is misconfigured.
    Outside(String),
    /// The record cannot be read, or not be woken.
    Record(String),
}

impl Late {
    fn of(kind: &str, Failed(error): Failed) -> Self {
        Self::Record(format!("{kind}: {error}"))
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
        match self.wake().await {
            Ok(()) => Ok(()),
            Err(Late::Outside(error)) => {
                log::warn("wake_failed", &error);
                self.object.ring(now().plus(RETRY))
            }
            Err(Late::Record(error)) => {
                log::warn("wake_failed", &error);
                self.object.rest()
            }
        }
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
            let Ok(config) = &isolate.config else { return Err(Late::Outside(format!("{kind}: the deployment is misconfigured"))) };
            let ports = Platform::new(self.env.clone());
            let cx = isolate.alone(config, &ports);
            let mut failed = Ok(());
            for effect in effects {
                // One that cannot be done now stays due, and holds up no other.
                match effect::perform(effect, &cx).await {
                    Ok(command) => drop(self.step(&kind, &command).map_err(late)?),
                    Err(error) => failed = Err(Late::Outside(format!("{kind}: {error}"))),
                }
            }
            failed?;
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
