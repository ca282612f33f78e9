//! The Durable Object: one record, one command at a time.
//!
//! Between reading a record and writing it there is no await, so nothing else runs in between, and the write and the
//! alarm go out together. An object creates nothing, no table either, before its first write.

use std::cell::Cell as Shared;

use serde::Deserialize;
use serde_json::Value;
use worker::{DurableObject, Env, Request, Response, Result, State, durable_object};

use super::isolate::Isolate;
use super::platform::Platform;
use super::{log, now};
use crate::cx::Cx;
use crate::effect;
use crate::entropy::Platform as Chance;
use crate::machine::registry::{self, Entry, Wake, Written};
use crate::time::{Timestamp, Ttl};

/// After an effect has failed it is tried again so much later.
const RETRY: Ttl = Ttl::from_seconds(5);
/// Effects of one wake; what is left is done at the next, at once.
const ROUNDS: usize = 16;

/// One record of any kind.
#[durable_object(alarm)]
pub struct Cell {
    state: State,
    env: Env,
    /// Whether the table is there, once that is known.
    table: Shared<Option<bool>>,
    /// When the alarm rings, once that is known.
    alarm: Shared<Option<Timestamp>>,
}

#[derive(Deserialize)]
struct Row {
    body: String,
}

#[derive(Deserialize)]
struct Kind {
    kind: String,
}

impl DurableObject for Cell {
    fn new(state: State, env: Env) -> Self {
        Self { state, env, table: Shared::new(None), alarm: Shared::new(None) }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let path = request.path();
        let kind = path.trim_start_matches('/');
        let command = request.text().await?;
        match self.step(kind, &command).await {
            Ok(outcome) => Response::ok(outcome),
            Err(error) => {
                log::warn("cell_failed", &format!("{kind}: {error}"));
                Response::error("the record did not take the command", 500)
            }
        }
    }

    async fn alarm(&self) -> Result<Response> {
        self.alarm.set(None);
        if let Some(body) = self.read()? {
            let Kind { kind } = serde_json::from_str(&body)?;
            if let Err(error) = self.wake(&kind).await {
                log::warn("wake_failed", &format!("{kind}: {error}"));
                self.ring(now().plus(RETRY)).await?;
            }
        }
        Response::empty()
    }
}

impl Cell {
    /// Reads, decides, writes; only then waits for the alarm to be set.
    async fn step(&self, kind: &str, command: &str) -> Result<String> {
        let (written, outcome) = (machine(kind)?.step)(self.read()?.as_deref(), command, now())?;
        match written {
            Written::Nothing => {}
            Written::Record(record, alarm) => {
                self.write(&record)?;
                if let Some(at) = alarm {
                    self.ring(at).await?;
                }
            }
            Written::Erase => self.erase().await?,
        }
        Ok(outcome)
    }

    /// Frees an expired record; else does what is due, and sets the alarm for what is not.
    async fn wake(&self, kind: &str) -> Result<()> {
        for _ in 0..ROUNDS {
            let Some(record) = self.read()? else { return Ok(()) };
            let effects = match (machine(kind)?.wake)(&record, now())? {
                Wake::Free => return self.erase().await,
                Wake::Sleep(Some(at)) => return self.ring(at).await,
                Wake::Sleep(None) => return Ok(()),
                Wake::Effects(effects) => effects,
            };
            let isolate = Isolate::of(&self.env);
            let Ok(config) = &isolate.config else { return Err(worker::Error::RustError("the deployment is misconfigured".to_owned())) };
            let ports = Platform::new(self.env.clone());
            let cx = Cx {
                config,
                memory: &isolate.memory,
                ports: &ports,
                now: now(),
                entropy: &Chance,
                origin: None,
                development: false,
                request_id: "",
            };
            let mut failed = Ok(());
            for effect in effects {
                // One that cannot be done now stays due, and holds up no other.
                match effect::perform(effect, &cx).await {
                    Ok(command) => drop(self.step(kind, &command).await?),
                    Err(error) => failed = Err(worker::Error::RustError(error.to_string())),
                }
            }
            failed?;
        }
        self.ring(now()).await
    }

    fn read(&self) -> Result<Option<String>> {
        let sql = self.state.storage().sql();
        let table = match self.table.get() {
            Some(table) => table,
            None => {
                let found = !sql
                    .exec("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'record'", None)?
                    .to_array::<Value>()?
                    .is_empty();
                self.table.set(Some(found));
                found
            }
        };
        if !table {
            return Ok(None);
        }
        Ok(sql.exec("SELECT body FROM record", None)?.to_array::<Row>()?.into_iter().next().map(|row| row.body))
    }

    fn write(&self, body: &str) -> Result<()> {
        let sql = self.state.storage().sql();
        if self.table.get() != Some(true) {
            sql.exec("CREATE TABLE IF NOT EXISTS record (id INTEGER PRIMARY KEY CHECK (id = 0), body TEXT NOT NULL)", None)?;
            self.table.set(Some(true));
        }
        sql.exec("INSERT INTO record (id, body) VALUES (0, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body", vec![body.into()])?;
        Ok(())
    }

    /// Sets the alarm, unless it rings earlier anyway: an alarm that comes too early sets itself anew.
    async fn ring(&self, at: Timestamp) -> Result<()> {
        if self.alarm.get().is_some_and(|set| set <= at) {
            return Ok(());
        }
        self.alarm.set(Some(at));
        let offset = i64::try_from(now().until(at).millis()).unwrap_or(i64::MAX);
        self.state.storage().set_alarm(offset).await
    }

    async fn erase(&self) -> Result<()> {
        self.table.set(Some(false));
        self.alarm.set(None);
        self.state.storage().delete_alarm().await?;
        self.state.storage().delete_all().await
    }
}

fn machine(kind: &str) -> Result<Entry> {
    registry::find(kind).ok_or_else(|| worker::Error::RustError(format!("no machine of the kind {kind}")))
}
