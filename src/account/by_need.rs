//! Tables that come into being when something is first written to them. A table and each of its indexes is a page of its own: most accounts
//! never need most of them.
//!
//! What tables there are the database itself knows, and is asked once: [`Known`]. Reading from one that is not there finds nothing, not even that
//! it has 0 rows, and changing it changes nothing.

use std::cell::Cell;

use super::sql::{Row, Sql, SqlError, Value, first};

/// Which tables there are; the rows of this pragma are counted as none.
const TABLES: &str = "PRAGMA table_list";

/// Tables that have versions of their own.
pub(crate) struct Track {
    /// The table of versions: once it is there, so are all the others, as far as anybody can tell.
    pub versions: &'static str,
    /// Makes it.
    pub create: &'static str,
    /// The last version.
    pub version: &'static str,
    /// Takes down a version.
    pub advance: &'static str,
    /// The others, 32 at most.
    pub tables: &'static [&'static str],
    /// Those that are made at once.
    pub begins_with: &'static [&'static str],
    /// Those whose indexes are made when they have grown: [`Track::index`].
    pub indexed_later: &'static [&'static str],
}

/// What the database has said of the tables of one track, and what has been made since. It holds while nobody else makes or takes away tables, and
/// only if the transaction in which it was written is committed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Known(Cell<Found>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Found {
    /// The database was asked, and what it has is at the last step.
    asked: bool,
    /// One bit for each table.
    there: u32,
    /// The table of versions is there.
    begun: bool,
    /// A later version than this one has been here.
    newer: bool,
}

impl Known {
    /// The database is asked again.
    pub(crate) fn forget(&self) {
        self.0.take();
    }

    fn change(&self, change: impl FnOnce(&mut Found)) {
        let mut found = self.0.get();
        change(&mut found);
        self.0.set(found);
    }
}

impl Track {
    /// The tables as they are. If that is not `known`, the database is asked, and what it has is brought up to the last of `steps`.
    pub(crate) fn open<'a, S: Sql>(
        &'static self,
        sql: &'a S,
        steps: &'a [&'a [&'static str]],
        known: &'a Known,
    ) -> Result<Tables<'a, S>, SqlError> {
        let tables = Tables { sql, track: self, steps, known };
        if known.0.get().asked {
            return Ok(tables);
        }
        let mut found = Found::default();
        for mut row in sql.run(TABLES, &[])? {
            // The name of the schema comes first.
            row.text()?;
            let name = row.text()?;
            found.there |= self.bit(&name);
            found.begun |= name == self.versions;
        }
        known.0.set(found);
        if found.begun {
            tables.upgrade()?;
        }
        known.change(|found| found.asked = true);
        Ok(tables)
    }

    /// Makes the indexes of a table that has had so few rows until now that it needed none.
    pub(crate) fn index(&self, sql: &impl Sql, steps: &[&[&'static str]], table: &str) -> Result<(), SqlError> {
        let of_table = |statement: &&&'static str| is_index(statement) && self.named(statement) == self.bit(table);
        steps.iter().copied().flatten().filter(of_table).try_for_each(|statement| sql.run(statement, &[]).map(drop))
    }

    /// The tables that a statement names, one bit each. The index that it drops is called like its table.
    fn named(&self, statement: &str) -> u32 {
        self.all_named(statement).fold(0, |named, table| named | table)
    }

    /// The table that a statement changes.
    fn first_named(&self, statement: &str) -> u32 {
        self.all_named(statement).find(|table| *table != 0).unwrap_or_default()
    }

    fn all_named<'s>(&'s self, statement: &'s str) -> impl Iterator<Item = u32> + 's {
        let drops = statement.starts_with("DROP INDEX");
        let mut before = "";
        statement.split_ascii_whitespace().map(move |word| {
            let is_name = drops || matches!(std::mem::replace(&mut before, word), "FROM" | "INTO" | "UPDATE" | "JOIN" | "TABLE" | "ON");
            let name = word.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').next().unwrap_or_default();
            match (is_name, drops) {
                (false, _) => 0,
                (true, true) => self.longest(name),
                (true, false) => self.bit(name),
            }
        })
    }

    /// The bits of all tables.
    fn all(&self) -> u32 {
        self.tables.iter().zip(0..).fold(0, |all, (_, place)| all | (1 << place))
    }

    fn bit(&self, table: &str) -> u32 {
        self.tables.iter().position(|known| *known == table).map_or(0, |place| 1 << place)
    }

    fn longest(&self, index: &str) -> u32 {
        self.tables.iter().filter(|table| index.starts_with(**table)).max_by_key(|table| table.len()).map_or(0, |table| self.bit(table))
    }
}

/// A database with the tables of one track.
pub struct Tables<'a, S> {
    sql: &'a S,
    track: &'static Track,
    steps: &'a [&'a [&'static str]],
    known: &'a Known,
}

impl<S: Sql> Tables<'_, S> {
    /// Whether anybody has made them.
    #[must_use]
    pub fn are_there(&self) -> bool {
        self.known.0.get().begun
    }

    /// Makes them, unless they are there.
    ///
    /// # Errors
    /// The database refused a step.
    pub fn create(&self) -> Result<(), SqlError> {
        if self.are_there() {
            return Ok(());
        }
        self.known.change(|found| found.begun = true);
        self.sql.run(self.track.create, &[])?;
        self.advance(self.steps.len())?;
        self.track.begins_with.iter().try_for_each(|table| self.make(table))
    }

    /// Brings what is there up to the last step.
    fn upgrade(&self) -> Result<(), SqlError> {
        let version = first(self.sql.run(self.track.version, &[])?).map_or(Ok(0), |mut row| row.number())?;
        self.known.change(|found| found.newer = u64::try_from(self.steps.len()).is_ok_and(|last| last < version));
        for (number, step) in (1..).zip(self.steps).filter(|(number, _)| u64::try_from(*number).is_ok_and(|number| number > version)) {
            for statement in *step {
                // Whatever is made later is made as it is then.
                if !statement.starts_with("CREATE TABLE") && self.track.named(statement) & !self.there() == 0 {
                    self.sql.run(statement, &[])?;
                }
            }
            self.advance(number)?;
        }
        Ok(())
    }

    fn advance(&self, version: usize) -> Result<(), SqlError> {
        self.sql.run(self.track.advance, &[Value::number(u64::try_from(version).unwrap_or(u64::MAX))?]).map(drop)
    }

    /// Makes a table as all steps together leave it. There is nothing in it that they could change. Not where a later version has been: what its
    /// steps do to the table is not known here, and would never be done to it.
    fn make(&self, table: &str) -> Result<(), SqlError> {
        if self.known.0.get().newer {
            return Err(SqlError(format!("{table} is for a later version to make")));
        }
        let bit = self.track.bit(table);
        let later = self.track.indexed_later.contains(&table);
        for statement in self.steps.iter().copied().flatten() {
            let is_meant = self.track.named(statement) == bit && !statement.starts_with("UPDATE");
            if is_meant && !(later && is_index(statement)) {
                self.sql.run(statement, &[])?;
            }
        }
        self.known.change(|found| found.there |= bit);
        Ok(())
    }

    fn there(&self) -> u32 {
        self.known.0.get().there
    }
}

impl<S: Sql> Sql for Tables<'_, S> {
    fn run(&self, statement: &'static str, values: &[Value]) -> Result<Vec<Row>, SqlError> {
        if self.there() == self.track.all() {
            return self.sql.run(statement, values);
        }
        let named = self.track.named(statement);
        let lacks = named & !self.there();
        if lacks != 0 {
            // What reads one that is there may find something without the other; what changes one that is not there never does.
            let needed = if is_change(statement) { self.track.first_named(statement) } else { named };
            if needed & self.there() == 0 && !statement.starts_with("INSERT") {
                return Ok(Vec::new());
            }
            for (place, table) in self.track.tables.iter().enumerate() {
                if lacks & (1 << place) != 0 {
                    self.make(table)?;
                }
            }
        }
        self.sql.run(statement, values)
    }
}

fn is_change(statement: &str) -> bool {
    statement.starts_with("UPDATE") || statement.starts_with("DELETE")
}

fn is_index(statement: &str) -> bool {
    statement.starts_with("CREATE INDEX") || statement.starts_with("CREATE UNIQUE INDEX")
}
