//! The Durable Object of an account: tables, one command in one transaction, and an alarm that tells webhooks what has happened.
//!
//! What a request has written stays even if it fails later, so every command runs in a transaction of its own:
//! synchronously, so that nothing else runs in between.

use std::cell::Cell as Shared;

use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use worker::{DurableObject, Env, Request, Response, Result, SqlStorage, SqlStorageValue, State, durable_object};

use super::isolate::Isolate;
use super::platform::Platform;
use super::{log, now};
use crate::account::sql::{Row, Sql, SqlError, Value};
use crate::account::{self, After, KIND, carry_out, wake};
use crate::cx::Cx;
use crate::entropy::Platform as Chance;
use crate::store::StoreError;
use crate::tenant::{self, Outcome, What};
use crate::time::Timestamp;
use crate::webhook::{self, Queue};

/// The account of a person, or of an agent and all below it.
#[durable_object(alarm)]
pub struct Account {
    state: State,
    env: Env,
    /// When the alarm rings, once that is known.
    alarm: Shared<Option<Timestamp>>,
}

impl DurableObject for Account {
    fn new(state: State, env: Env) -> Self {
        Self { state, env, alarm: Shared::new(None) }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let command = request.text().await?;
        match self.answer(&command).await {
            Ok(outcome) => Response::ok(outcome),
            Err(error) => {
                log::warn("account_failed", &error.to_string());
                Response::error("the account did not take the command", 500)
            }
        }
    }

    async fn alarm(&self) -> Result<Response> {
        self.alarm.set(None);
        let delivered = self.deliver().await;
        if let Some(at) = self.transaction(|sql| wake(sql, now(), delivered))? {
            self.ring(at).await?;
        }
        Response::empty()
    }
}

impl Queue for Account {
    fn ask(&self, what: What) -> std::result::Result<Outcome, StoreError> {
        let command = tenant::Command::alone(what);
        let command = account::Command::Tenant(Box::new(command));
        match self.transaction(|sql| carry_out(command, sql, now())).map_err(|error| StoreError(error.to_string()))? {
            (account::Outcome::Tenant(outcome), _) => Ok(*outcome),
            _ => Err(StoreError(format!("{KIND}: an answer to another question"))),
        }
    }

    fn now(&self) -> Timestamp {
        now()
    }
}

impl Account {
    /// Tells webhooks what is due, and whether that can be done at all. What could not be done is due again later.
    async fn deliver(&self) -> bool {
        let isolate = Isolate::of(&self.env);
        let Ok(config) = &isolate.config else {
            log::warn("webhooks_failed", "the deployment is misconfigured");
            return false;
        };
        let ports = Platform::new(self.env.clone());
        let (memory, now) = (&isolate.memory, now());
        let cx = Cx { config, memory, ports: &ports, now, entropy: &Chance, origin: None, development: false, request_id: "" };
        let delivered = webhook::deliver(self, &cx).await;
        if let Err(error) = &delivered {
            log::warn("webhooks_failed", &error.to_string());
        }
        delivered.is_ok()
    }

    async fn answer(&self, command: &str) -> Result<String> {
        let command = crate::lean::read(command)?;
        let (outcome, after) = self.transaction(|sql| carry_out(command, sql, now()))?;
        match after {
            After::Nothing => {}
            After::Wake(at) => self.ring(at).await?,
            After::Free => {
                // No await comes before it, so it takes nothing away that somebody has written since. The alarm goes with it.
                self.alarm.set(None);
                self.state.storage().delete_all().await?;
            }
        }
        Ok(serde_json::to_string(&outcome)?)
    }

    /// Commits what `body` writes if it succeeds, and nothing of it otherwise.
    fn transaction<T>(&self, body: impl FnOnce(&Tables) -> std::result::Result<T, SqlError>) -> Result<T> {
        let storage = self.state.storage();
        let tables = Tables(storage.sql());
        let (mut body, mut value) = (Some(body), None);
        let mut once = || {
            let result = body.take().map(|body| body(&tables)).transpose();
            value = result.map_err(|error| JsValue::from_str(&error.to_string()))?;
            Ok(())
        };
        storage.as_raw().unchecked_ref::<Transactions>().transaction_sync(&mut once)?;
        value.ok_or_else(|| worker::Error::RustError(format!("{KIND}: the transaction did not run")))
    }

    /// Sets the alarm, unless it rings earlier anyway: an alarm that comes too early sets itself anew.
    async fn ring(&self, at: Timestamp) -> Result<()> {
        if self.alarm.get().is_some_and(|set| set <= at) {
            return Ok(());
        }
        let offset = i64::try_from(now().until(at).millis()).unwrap_or(i64::MAX);
        self.state.storage().set_alarm(offset).await?;
        self.alarm.set(Some(at));
        Ok(())
    }
}

#[wasm_bindgen]
extern "C" {
    /// The storage of an object, with what its own binding lacks.
    type Transactions;

    /// Rolls back if `body` throws, and throws the same.
    #[wasm_bindgen(method, catch, js_name = transactionSync)]
    fn transaction_sync(
        this: &Transactions,
        body: &mut dyn FnMut() -> std::result::Result<(), JsValue>,
    ) -> std::result::Result<JsValue, JsValue>;
}

/// The object's database.
struct Tables(SqlStorage);

impl Sql for Tables {
    fn run(&self, statement: &'static str, values: &[Value]) -> std::result::Result<Vec<Row>, SqlError> {
        let values: Vec<SqlStorageValue> = values.iter().map(bound).collect();
        let cursor = self.0.exec(statement, values).map_err(|error| SqlError(error.to_string()))?;
        let rows = cursor.raw().map(|row| {
            let row = row.map_err(|error| SqlError(error.to_string()))?;
            Ok(Row::from(row.into_iter().map(read).collect::<std::result::Result<Vec<Value>, SqlError>>()?))
        });
        rows.collect()
    }
}

fn bound(value: &Value) -> SqlStorageValue {
    match value {
        Value::Null => SqlStorageValue::Null,
        Value::Integer(number) => SqlStorageValue::Integer(*number),
        Value::Text(text) => SqlStorageValue::String(text.clone()),
    }
}

fn read(value: SqlStorageValue) -> std::result::Result<Value, SqlError> {
    match value {
        SqlStorageValue::Null => Ok(Value::Null),
        SqlStorageValue::Integer(number) => Ok(Value::Integer(number)),
        SqlStorageValue::String(text) => Ok(Value::Text(text)),
        SqlStorageValue::Boolean(_) | SqlStorageValue::Float(_) | SqlStorageValue::Blob(_) => {
            Err(SqlError("a column holds what no account writes".to_owned()))
        }
    }
}
