//! The Durable Object of an account: tables, one command in one transaction, and an alarm that tells webhooks what has happened.
//!
//! What a request has written stays even if it fails later, so every command runs in a transaction of its own:
//! synchronously, so that nothing else runs in between.

use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::border::{rows, said};
use super::isolate::Isolate;
use super::object::Object;
use super::platform::Platform;
use super::{log, now};
use crate::account::sql::{Row, Sql, SqlError, Value};
use crate::account::{self, After, KIND, Kept, Schema, carry_out, wake};
use crate::pause::LONGEST;
use crate::store::StoreError;
use crate::tenant::{self, Outcome, What};
use crate::time::Timestamp;
use crate::webhook::{self, Hurry, Queue};

/// The account of a person, or of an agent and all below it.
#[wasm_bindgen]
pub struct Account {
    object: Object,
    env: JsValue,
    hurry: Hurry,
    kept: Kept,
}

#[wasm_bindgen]
impl Account {
    /// The object with this state.
    ///
    /// # Errors
    /// It has no storage.
    #[wasm_bindgen(constructor)]
    pub fn new(state: &JsValue, env: JsValue) -> Result<Self, JsValue> {
        Ok(Self { object: Object::of(state)?, env, hurry: Hurry::default(), kept: Kept::default() })
    }

    /// The outcome of a command; nothing if it was not taken.
    #[must_use]
    pub fn take(&self, _kind: &str, command: &[u8]) -> Option<String> {
        let command = std::str::from_utf8(command).map_err(|error| SqlError(error.to_string()));
        command.and_then(|command| self.answer(command)).map_err(|SqlError(error)| log::warn("account_failed", &error)).ok()
    }

    /// Does what is due. If the tables do not say what is due next, that is asked again later.
    ///
    /// # Errors
    /// The alarm could not be set: the platform rings again.
    pub async fn alarm(&self) -> Result<(), JsValue> {
        self.object.rang();
        let delivered = self.deliver().await;
        let woken = self.transaction(|sql, schema| wake(sql, schema, now(), delivered.is_some())).and_then(|at| {
            let at = if delivered == Some(true) { Some(now()) } else { at };
            at.map_or(Ok(()), |at| self.object.ring(at).map_err(lost))
        });
        let Err(SqlError(error)) = woken else { return Ok(()) };
        log::warn("wake_failed", &format!("{KIND}: {error}"));
        self.object.rest(LONGEST)
    }
}

impl Queue for Account {
    fn ask(&self, what: What) -> Result<Outcome, StoreError> {
        let command = tenant::Command::alone(what);
        let command = account::Command::Tenant(Box::new(command));
        match self.transaction(|sql, schema| carry_out(command, sql, schema, now())).map_err(|error| StoreError(error.to_string()))? {
            (account::Outcome::Tenant(outcome), _) => Ok(*outcome),
            _ => Err(StoreError(format!("{KIND}: an answer to another question"))),
        }
    }

    fn now(&self) -> Timestamp {
        now()
    }
}

impl Account {
    /// Tells webhooks what is due, and whether there may be more at once; nothing if that cannot be done at all. What could not be done is due
    /// again later.
    async fn deliver(&self) -> Option<bool> {
        let isolate = Isolate::of(&self.env);
        let Ok(config) = &isolate.config else {
            log::warn("webhooks_failed", "the deployment is misconfigured");
            return None;
        };
        let ports = Platform::new(self.env.clone());
        let delivered = webhook::deliver(self, &self.hurry, &isolate.alone(config, &ports)).await;
        delivered.map_err(|error| log::warn("webhooks_failed", &error.to_string())).ok()
    }

    fn answer(&self, command: &str) -> Result<String, SqlError> {
        let wrong = |error: serde_json::Error| SqlError(error.to_string());
        let command = crate::lean::read(command).map_err(wrong)?;
        let (outcome, after) = self.transaction(|sql, schema| carry_out(command, sql, schema, now()))?;
        match after {
            After::Nothing => {}
            After::Wake(at) => self.object.ring(at).map_err(lost)?,
            After::Free => self.object.erase().map_err(lost)?,
        }
        serde_json::to_string(&outcome).map_err(wrong)
    }

    /// Commits what `body` writes if it succeeds, and nothing of it otherwise.
    fn transaction<T>(&self, body: impl FnOnce(&Tables<'_>, &Schema) -> Result<T, SqlError>) -> Result<T, SqlError> {
        let tables = Tables(&self.object.sql);
        self.kept.through(|schema| {
            let (mut body, mut value) = (Some(body), None);
            let mut once = || {
                let result = body.take().map(|body| body(&tables, schema)).transpose();
                value = result.map_err(|SqlError(error)| js_sys::Error::new(&error))?;
                Ok(())
            };
            self.object.storage.transaction_sync(&mut once).map_err(lost)?;
            value.ok_or_else(|| SqlError(format!("{KIND}: the transaction did not run")))
        })
    }
}

/// An error of the platform.
fn lost(error: JsValue) -> SqlError {
    SqlError(said(&error))
}

/// The object's database.
struct Tables<'o>(&'o JsValue);

impl Sql for Tables<'_> {
    fn run(&self, statement: &'static str, values: &[Value]) -> Result<Vec<Row>, SqlError> {
        let values: serde_json::Value = values.iter().map(bound).collect();
        let rows = rows(self.0, statement, &values.to_string()).map_err(lost)?;
        let rows: Vec<Vec<serde_json::Value>> = serde_json::from_str(&rows).map_err(|error| SqlError(error.to_string()))?;
        rows.into_iter().map(|row| Ok(Row::from(row.into_iter().map(read).collect::<Result<Vec<Value>, SqlError>>()?))).collect()
    }
}

fn bound(value: &Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Integer(number) => (*number).into(),
        Value::Text(text) => text.as_str().into(),
    }
}

fn read(value: serde_json::Value) -> Result<Value, SqlError> {
    match value {
        serde_json::Value::Null => Ok(Value::Null),
        serde_json::Value::String(text) => Ok(Value::Text(text)),
        value => value.as_i64().map(Value::Integer).ok_or_else(|| SqlError("a column holds what no account writes".to_owned())),
    }
}
