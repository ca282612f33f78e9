//! The tables of one account in memory, as its object keeps them.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use postern::account::migrations;
use postern::account::sql::{Row, Sql, SqlError, Value};
use postern::account::{After, Command, Kept, Outcome, Schema, carry_out, wake};
use postern::tenant::tables;
use postern::time::Timestamp;
use rusqlite::types::Value as Bound;
use rusqlite::{Connection, StatementStatus, params_from_iter};

/// One account: a database, and when its alarm rings.
pub struct Database {
    connection: RefCell<Connection>,
    pub alarm: Cell<Option<Timestamp>>,
    /// How many steps of its machine the database has taken.
    pub steps: Cell<u64>,
    /// What its object knows of it.
    kept: RefCell<Kept>,
}

impl Default for Database {
    fn default() -> Self {
        let connection = RefCell::new(Connection::open_in_memory().unwrap());
        Self { connection, alarm: Cell::new(None), steps: Cell::new(0), kept: RefCell::default() }
    }
}

impl Sql for Database {
    fn run(&self, statement: &'static str, values: &[Value]) -> Result<Vec<Row>, SqlError> {
        let connection = self.connection.borrow();
        let mut statement = connection.prepare(statement).map_err(refused)?;
        let columns = statement.column_count();
        let rows = statement.query_map(params_from_iter(values.iter().map(bound)), |row| {
            (0..columns).map(|column| row.get(column).map(read)).collect::<rusqlite::Result<Vec<Value>>>()
        });
        let rows = rows.map_err(refused)?.map(|row| row.map(Row::from).map_err(refused)).collect();
        self.steps.set(self.steps.get() + u64::try_from(statement.get_status(StatementStatus::VmStep)).unwrap());
        rows
    }
}

impl Database {
    /// One command in one transaction. Commands and outcomes cross as JSON, as they do on the real runtime.
    pub fn command(&self, command: &Command, now: Timestamp) -> Result<Outcome, SqlError> {
        self.command_over(self, command, now)
    }

    /// The same, with `sql` in front of the tables.
    pub fn command_over(&self, sql: &impl Sql, command: &Command, now: Timestamp) -> Result<Outcome, SqlError> {
        let command = serde_json::from_str(&serde_json::to_string(command).unwrap()).unwrap();
        let (outcome, after) = self.kept(|schema| carry_out(command, sql, schema, now))?;
        match after {
            After::Nothing => {}
            After::Wake(at) => self.alarm.set(Some(self.alarm.get().map_or(at, |set| set.min(at)))),
            After::Free => {
                *self.connection.borrow_mut() = Connection::open_in_memory().unwrap();
                self.alarm.set(None);
            }
        }
        Ok(serde_json::from_str(&serde_json::to_string(&outcome).unwrap()).unwrap())
    }

    /// Lets the alarm ring, if it is due.
    pub fn ring(&self, now: Timestamp) {
        self.ring_after(now, true);
    }

    /// The same where webhooks could be told anything, or not.
    pub fn ring_after(&self, now: Timestamp, delivered: bool) {
        if self.alarm.get().is_some_and(|at| at <= now) {
            self.alarm.set(self.kept(|schema| wake(self, schema, now, delivered)).unwrap());
        }
    }

    /// One transaction of the object, with what it knows. What it knows afterwards is what the database would say.
    pub fn kept<T>(&self, body: impl FnOnce(&Schema) -> Result<T, SqlError>) -> Result<T, SqlError> {
        let kept = self.kept.borrow();
        let result = kept.through(|schema| self.transaction(|| body(schema)));
        kept.through(|schema| self.compare(schema)).unwrap();
        result
    }

    fn compare(&self, schema: &Schema) -> Result<(), SqlError> {
        let (steps, asked) = (self.steps.get(), Schema::default());
        if schema.person != asked.person {
            migrations::open(self, migrations::STEPS, &asked.person)?;
        }
        if schema.tenant != asked.tenant {
            tables::open(self, tables::STEPS, &asked.tenant)?;
        }
        assert_eq!(*schema, asked, "the object knows its tables");
        self.steps.set(steps);
        Ok(())
    }

    /// The same database with a new object, which knows nothing of it.
    pub fn anew(&self) {
        self.kept.take();
    }

    pub fn transaction<T>(&self, body: impl FnOnce() -> Result<T, SqlError>) -> Result<T, SqlError> {
        self.connection.borrow().execute_batch("BEGIN").unwrap();
        let result = body();
        self.connection.borrow().execute_batch(if result.is_ok() { "COMMIT" } else { "ROLLBACK" }).unwrap();
        result
    }

    /// Runs something that no account runs.
    pub fn query(&self, statement: &str, values: usize) -> Vec<Vec<Bound>> {
        let connection = self.connection.borrow();
        let mut statement = connection.prepare(statement).unwrap();
        let columns = statement.column_count();
        let rows = statement
            .query_map(params_from_iter((0..values).map(|_| Bound::Null)), |row| (0..columns).map(|column| row.get(column)).collect());
        rows.unwrap().map(Result::unwrap).collect()
    }

    /// Another that holds the same.
    pub fn copy(&self) -> Self {
        let copy = Self { alarm: self.alarm.clone(), ..Self::default() };
        let mut own = self.connection.borrow_mut();
        let data = own.serialize("main").unwrap();
        copy.connection.borrow_mut().deserialize_read_exact("main", &*data, data.len(), false).unwrap();
        drop(data);
        drop(own);
        copy
    }

    /// Makes every table of these steps, as versions before did.
    pub fn older(&self, versions: &str, steps: &[&[&str]]) {
        self.anew();
        let connection = self.connection.borrow();
        connection.execute_batch(&format!("CREATE TABLE {versions} (version INTEGER PRIMARY KEY) STRICT")).unwrap();
        connection.execute_batch(&format!("INSERT INTO {versions} (version) VALUES (0)")).unwrap();
        for (step, version) in steps.iter().zip(1..) {
            step.iter().for_each(|statement| connection.execute_batch(statement).unwrap());
            connection.execute_batch(&format!("INSERT INTO {versions} (version) VALUES ({version})")).unwrap();
        }
    }

    /// Makes what there is not yet of these steps, for who fills tables by hand.
    pub fn complete(&self, steps: &[&[&str]]) {
        self.anew();
        let connection = self.connection.borrow();
        steps.iter().copied().flatten().for_each(|statement| drop(connection.execute_batch(statement)));
    }

    /// Every table and index, and how it was made.
    pub fn schema(&self) -> BTreeSet<String> {
        let rows = self.query("SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name <> 'sqlite_sequence'", 0);
        rows.iter().map(|row| format!("{row:?}")).collect()
    }

    /// How much room it takes, in pages.
    pub fn pages(&self) -> i64 {
        match self.query("PRAGMA page_count", 0)[..] {
            [ref row] => {
                if let [Bound::Integer(pages)] = row[..] {
                    pages
                } else {
                    unreachable!()
                }
            }
            _ => unreachable!(),
        }
    }

    /// All that is stored: of every table its name and its rows.
    pub fn dump(&self) -> String {
        let tables = self.query("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name", 0);
        let names = tables.iter().map(|row| if let [Bound::Text(name)] = &row[..] { name.clone() } else { unreachable!() });
        names.map(|name| format!("{name}: {:?}\n", self.query(&format!("SELECT * FROM {name}"), 0))).collect()
    }
}

/// The platform takes every number as a double, and gives it back as one.
#[expect(clippy::cast_precision_loss, reason = "exact below 2^53")]
fn bound(value: &Value) -> Bound {
    match value {
        Value::Null => Bound::Null,
        Value::Integer(number) => Bound::Real(*number as f64),
        Value::Text(text) => Bound::Text(text.clone()),
    }
}

fn read(value: Bound) -> Value {
    match value {
        Bound::Null => Value::Null,
        Bound::Integer(number) => Value::Integer(number),
        Bound::Text(text) => Value::Text(text),
        Bound::Real(_) | Bound::Blob(_) => panic!("no column holds {value:?}"),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "as map_err wants it")]
fn refused(error: rusqlite::Error) -> SqlError {
    SqlError(error.to_string())
}

/// A database that fails once so many statements are done.
pub struct Failing<'a> {
    pub database: &'a Database,
    pub left: Cell<usize>,
}

impl Sql for Failing<'_> {
    fn run(&self, statement: &'static str, values: &[Value]) -> Result<Vec<Row>, SqlError> {
        let Some(left) = self.left.get().checked_sub(1) else { return Err(SqlError("the disk is gone".to_owned())) };
        self.left.set(left);
        self.database.run(statement, values)
    }
}
