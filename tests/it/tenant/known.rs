//! What an object knows of its tables from one command to the next: a person's and those of agents.

use std::cell::{Cell, RefCell};

use postern::account::by_need::Known;
use postern::account::migrations;
use postern::account::sql::{Row, Sql, SqlError, Value};
use postern::account::{self, Event, carry_out, wake};
use postern::tenant::tables;
use postern::tenant::{Outcome, What};

use super::{ROOT, at, command, everybody, family, profile, reg, run, subscribe};
use crate::sqlite::{Database, Failing};

/// One that needs tables of a person which a new person has not, and one of the same kind for agents.
fn makes_tables() -> [account::Command; 2] {
    let event = Event { at: at(0), name: "agent.noted".to_owned(), registration: None, detail: String::new() };
    [account::Command::Note(event), of_agents(subscribe(1, Some(ROOT), &["*"]))]
}

/// One that reads them.
fn reads_them() -> [account::Command; 2] {
    [account::Command::Events { before: None, limit: 9 }, of_agents(What::Webhooks)]
}

/// What that finds, where nobody has written to them.
fn nothing() -> [account::Outcome; 2] {
    [account::Outcome::Events(Vec::new(), false), account::Outcome::Tenant(Box::new(Outcome::Webhooks(Vec::new())))]
}

fn of_agents(what: What) -> account::Command {
    account::Command::Tenant(Box::new(command(None, what)))
}

fn open() -> account::Command {
    account::Command::Open { email: Some("ada@example.com".to_owned()), phone: None, provider: None }
}

/// Those that begin.
fn begin() -> [account::Command; 2] {
    [open(), of_agents(What::Root { id: reg(ROOT), profile: profile("root", 3) })]
}

fn ask(database: &Database, command: &account::Command) -> account::Outcome {
    database.command(command, at(0)).unwrap()
}

/// A person with agents.
fn both() -> Database {
    let database = family();
    ask(&database, &open());
    database
}

/// Writes down every statement.
struct Listed<'a>(&'a Database, RefCell<Vec<&'static str>>);

impl Sql for Listed<'_> {
    fn run(&self, statement: &'static str, values: &[Value]) -> Result<Vec<Row>, SqlError> {
        self.1.borrow_mut().push(statement);
        self.0.run(statement, values)
    }
}

fn statements(database: &Database, command: &account::Command) -> Vec<&'static str> {
    let sql = Listed(database, RefCell::default());
    database.command_over(&sql, command, at(0)).unwrap();
    sql.1.into_inner()
}

const TABLES: &str = "PRAGMA table_list";
const OF_PERSON: &str = "SELECT max(version) FROM migration";
const OF_AGENTS: &str = "SELECT max(version) FROM tenant_migration";

#[test]
fn an_object_asks_once_which_tables_there_are_and_of_which_version() {
    let database = both();
    for (command, version) in [(account::Command::Look, OF_PERSON), (of_agents(everybody()), OF_AGENTS)] {
        database.anew();
        let first = statements(&database, &command);
        assert_eq!(first[..2], [TABLES, version], "{command:?}");
        for _ in 0..2 {
            assert_eq!(statements(&database, &command), first[2..], "{command:?}");
        }
        assert!(first.len() > 2, "the command itself has something to ask");
    }
    // The alarm as well.
    database.anew();
    let rings = || {
        let sql = Listed(&database, RefCell::default());
        database.kept(|schema| wake(&sql, schema, at(0), true)).unwrap();
        sql.1.into_inner()
    };
    let first = rings();
    assert_eq!(rings(), first.iter().copied().filter(|asked| ![TABLES, OF_PERSON, OF_AGENTS].contains(asked)).collect::<Vec<_>>());
    assert_eq!(first.len(), rings().len() + 4);
}

#[test]
fn an_object_that_has_nothing_asks_its_database_but_once() {
    let database = Database::default();
    for command in [account::Command::Look, of_agents(everybody())] {
        assert_eq!(statements(&database, &command), [TABLES], "{command:?}");
        assert_eq!(statements(&database, &command), [""; 0], "{command:?}");
    }
    // What it then makes itself it need not ask for.
    for command in begin().iter().chain(&makes_tables()).chain(&reads_them()) {
        let asked = statements(&database, command);
        assert!(!asked.is_empty() && ![TABLES, OF_PERSON, OF_AGENTS].iter().any(|question| asked.contains(question)), "{asked:?}");
    }
}

/// Fails at each statement in turn, with what the object knows from the command before, until nothing fails; how often it has.
fn fail(database: &Database, command: &account::Command, meanwhile: impl Fn()) -> usize {
    let before = database.schema();
    for left in 0.. {
        meanwhile();
        if database.command_over(&Failing { database, left: Cell::new(left) }, command, at(0)).is_ok() {
            return left;
        }
        assert_eq!(database.schema(), before, "{command:?}");
    }
    unreachable!()
}

#[test]
fn tables_of_a_command_that_was_rolled_back_are_not_believed_to_be_there() {
    let database = both();
    for ((makes, reads), nothing) in makes_tables().iter().zip(&reads_them()).zip(&nothing()) {
        let failed = fail(&database, makes, || assert_eq!(ask(&database, reads), *nothing));
        assert!(failed > 2, "{makes:?}");
        assert_ne!(ask(&database, reads), *nothing);
    }
    // Nor is a beginning.
    let database = Database::default();
    let looks = [account::Command::Look, of_agents(everybody())];
    let nobody = [account::Outcome::Nobody, account::Outcome::Tenant(Box::new(Outcome::Nothing))];
    for ((begins, looks), nobody) in begin().iter().zip(&looks).zip(&nobody) {
        assert!(fail(&database, begins, || assert_eq!(ask(&database, looks), *nobody)) > 2, "{begins:?}");
        assert_ne!(ask(&database, looks), *nobody);
    }
}

#[test]
fn a_command_that_was_rolled_back_has_the_database_asked_again() {
    let database = both();
    assert!(!statements(&database, &account::Command::Look).contains(&TABLES));
    let failing = Failing { database: &database, left: Cell::new(0) };
    assert!(database.command_over(&failing, &account::Command::Look, at(0)).is_err());
    assert_eq!(statements(&database, &account::Command::Look)[..2], [TABLES, OF_PERSON]);
}

#[test]
fn an_account_that_was_erased_begins_anew() {
    for storage_is_given_back in [true, false] {
        let database = both();
        makes_tables().iter().chain(&reads_them()).for_each(|command| drop(ask(&database, command)));
        if storage_is_given_back {
            ask(&database, &account::Command::Erase);
        } else {
            database.kept(|schema| carry_out(account::Command::Erase, &database, schema, at(0))).unwrap();
        }
        assert_eq!(statements(&database, &account::Command::Look), [TABLES]);
        assert_eq!(ask(&database, &account::Command::Look), account::Outcome::Nobody);
        assert_eq!(run(&database, 0, command(None, everybody())), Outcome::Nothing);
        begin().iter().for_each(|command| drop(ask(&database, command)));
        for ((reads, makes), nothing) in reads_them().iter().zip(&makes_tables()).zip(&nothing()) {
            assert_eq!(ask(&database, reads), *nothing);
            ask(&database, makes);
            assert_ne!(ask(&database, reads), *nothing);
        }
    }
}

#[test]
fn an_older_database_is_brought_up_by_the_first_command_of_a_new_object() {
    let database = Database::default();
    database.older("migration", &migrations::STEPS[..1]);
    database.older("tenant_migration", &tables::STEPS[..1]);
    let version = |table: &str| super::count(&database, &format!("SELECT max(version) FROM {table}"));
    let commands = [account::Command::Look, of_agents(everybody())];
    let tracks = [("migration", migrations::STEPS.len()), ("tenant_migration", tables::STEPS.len())];
    for (command, (table, last)) in commands.iter().zip(tracks) {
        assert_eq!(version(table), 1);
        assert!(statements(&database, command).len() > 3, "{command:?}");
        assert_eq!(version(table), i64::try_from(last).unwrap());
    }
    // An object of the version before has known them as they were; the next one asks.
    let later: &[&str] = &["ALTER TABLE person ADD COLUMN colour TEXT"];
    let steps = [migrations::STEPS, &[later]].concat();
    let known = Known::default();
    let opened = |steps: &[&[&'static str]], known: &Known| {
        let sql = Listed(&database, RefCell::default());
        assert_eq!(database.transaction(|| Ok(migrations::open(&sql, steps, known)?.are_there())), Ok(true));
        sql.1.into_inner()
    };
    assert_eq!(opened(migrations::STEPS, &known), [TABLES, OF_PERSON]);
    assert_eq!(opened(migrations::STEPS, &known), [""; 0]);
    assert_eq!(opened(&steps, &Known::default())[..3], [TABLES, OF_PERSON, later[0]]);
}

#[test]
fn no_table_is_made_where_a_later_version_has_been_by_whatever_command() {
    let database = both();
    let later = [migrations::STEPS, &[&["ALTER TABLE person ADD COLUMN colour TEXT"]]].concat();
    let later_of_agents = [tables::STEPS, &[&["ALTER TABLE tenant_agent ADD COLUMN colour TEXT"]]].concat();
    let opened = database.transaction(|| {
        migrations::open(&database, &later, &Known::default())?;
        tables::open(&database, &later_of_agents, &Known::default()).map(drop)
    });
    assert_eq!(opened, Ok(()));
    database.anew();
    let before = database.dump();
    for ((makes, reads), nothing) in makes_tables().iter().zip(&reads_them()).zip(&nothing()) {
        // Of a new object, after one that has failed, and with what one has found out that has not.
        for reads_before in [false, false, true] {
            if reads_before {
                assert_eq!(ask(&database, reads), *nothing);
                assert!(!statements(&database, reads).contains(&TABLES));
            }
            let refused = database.command(makes, at(0)).unwrap_err();
            assert!(refused.to_string().contains("is for a later version to make"), "{refused}");
        }
    }
    assert_eq!(database.dump(), before);
}
