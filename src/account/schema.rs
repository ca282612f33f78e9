//! What an account's object knows of its tables from one command to the next, so that not every command has to ask the database.

use std::cell::Cell;

use super::by_need::Known;

/// Which tables there are: a person's, and those of agents. Nothing is known of a new one.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Schema {
    /// A person's.
    pub person: Known,
    /// Those of agents.
    pub tenant: Known,
}

impl Schema {
    /// The database is asked again.
    pub(super) fn forget(&self) {
        self.person.forget();
        self.tenant.forget();
    }
}

/// Keeps a [`Schema`] for as long as an object is in memory.
#[derive(Default)]
pub struct Kept(Cell<Schema>);

impl Kept {
    /// Hands what is known into a transaction, and keeps what is known then if it was committed. After any error nothing is known: what the
    /// transaction had made is not there.
    ///
    /// # Errors
    /// Those of the transaction.
    pub fn through<T, E>(&self, transaction: impl FnOnce(&Schema) -> Result<T, E>) -> Result<T, E> {
        let schema = self.0.take();
        let done = transaction(&schema)?;
        self.0.set(schema);
        Ok(done)
    }
}
