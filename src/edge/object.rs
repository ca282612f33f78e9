//! What every Durable Object has: its storage, its database, its alarm.

use std::cell::Cell;

use wasm_bindgen::{JsCast, JsValue};

use super::border::{self, Storage, column, member, millis, put};
use super::now;
use crate::pause::Pause;
use crate::time::{Timestamp, Ttl};

/// The platform takes no alarm after 2189.
const LATEST: Timestamp = Timestamp::from_millis(6_900_000_000_000);

/// What is kept of an object while it is in memory.
pub(super) struct Object {
    pub(super) storage: Storage,
    pub(super) sql: JsValue,
    /// When the alarm rings, once that is known.
    alarm: Cell<Option<Timestamp>>,
}

impl Object {
    /// The object with this state.
    pub(super) fn of(state: &JsValue) -> Result<Self, JsValue> {
        let storage = member(state, "storage")?;
        let sql = member(&storage, "sql")?;
        Ok(Self { storage: storage.unchecked_into(), sql, alarm: Cell::new(None) })
    }

    /// The alarm rings now.
    pub(super) fn rang(&self) {
        self.alarm.set(None);
    }

    /// Sets the alarm, to ring at once if `at` is over, unless it rings earlier anyway: an alarm that comes too early sets itself anew. Answers
    /// of the object are held back until that is written, so nobody has to wait for it here.
    pub(super) fn ring(&self, at: Timestamp) -> Result<(), JsValue> {
        if self.alarm.get().is_some_and(|set| set <= at) {
            return Ok(());
        }
        border::ring(&self.storage, millis(at.max(now()).min(LATEST).millis()))?;
        self.alarm.set(Some(at));
        Ok(())
    }

    /// Rings again for what could not be done, ever later, up to `longest`. Only what has failed is written down: whatever goes well costs nothing, and
    /// an object that is made anew goes on where the one before it was.
    pub(super) fn rest(&self, longest: Ttl) -> Result<(), JsValue> {
        column(&self.sql, "CREATE TABLE IF NOT EXISTS pause (id INTEGER PRIMARY KEY CHECK (id = 0), body TEXT NOT NULL)")?;
        let before = column(&self.sql, "SELECT CAST(body AS BLOB) FROM pause")?;
        let pause = Pause::after(before.as_deref().and_then(Pause::parse), now(), longest);
        let write = "INSERT INTO pause (id, body) VALUES (0, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body";
        put(&self.sql, write, &pause.to_string())?;
        self.ring(pause.until)
    }

    /// Takes away all that there is, and the alarm. Answers are held back as well.
    pub(super) fn erase(&self) -> Result<(), JsValue> {
        self.alarm.set(None);
        border::erase(&self.storage)
    }
}
