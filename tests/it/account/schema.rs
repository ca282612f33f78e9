use std::cell::{Cell, RefCell};

use postern::account::by_need::Known;
use postern::account::migrations::{self, STEPS};
use postern::account::sql::{Row, Sql, SqlError, Value};
use postern::account::{Command, Connection, Outcome, Schema};
use postern::id::GrantId;

use super::{agent, at, everything_else, feed, happened, open, opened, passkey, run, session};
use crate::sqlite::{Database, Failing};

/// The tables as a later version will have them.
const LATER: &[&str] = &["ALTER TABLE agent ADD COLUMN colour TEXT NOT NULL DEFAULT 'green'", "CREATE TABLE delegation (id TEXT) STRICT"];

#[test]
fn older_tables_are_brought_up_once_and_keep_their_rows() {
    let database = opened();
    run(&database, 0, &feed(1, agent(1, 0), &["agent.claimed"]));
    let before = run(&database, 0, &Command::Agents { after: None, limit: 10, live: true });
    let steps = [STEPS, &[LATER]].concat();
    let upgrade =
        |steps: &[&[&'static str]]| database.transaction(|| Ok(migrations::open(&database, steps, &Known::default())?.are_there()));
    for _ in 0..2 {
        assert_eq!(upgrade(&steps), Ok(true));
    }
    assert_eq!(database.query("SELECT colour FROM agent", 0), [[rusqlite::types::Value::Text("green".to_owned())]]);
    let versions = database.query("SELECT version FROM migration", 0).len();
    assert_eq!(versions, 2, "the one that it began with, and the later one");
    // This version reads what a later one has left, and takes nothing back.
    database.anew();
    assert_eq!(upgrade(STEPS), Ok(true));
    assert_eq!(run(&database, 0, &Command::Agents { after: None, limit: 10, live: true }), before);
    assert_eq!(run(&database, 0, &feed(2, agent(1, 0), &["agent.used"])), Outcome::Done);
    assert_eq!(database.query("SELECT version FROM migration", 0).len(), versions);
}

#[test]
fn tables_of_the_first_version_serve_every_command() {
    let database = Database::default();
    database.older("migration", &STEPS[..1]);
    assert_eq!(run(&database, 0, &Command::Look), Outcome::Nobody);
    run(&database, 0, &open(None, None));
    for command in everything_else() {
        assert_ne!(run(&database, 0, &command), Outcome::Nobody, "{command:?}");
    }
}

/// One of each that writes to a table, and nothing that takes tables away.
fn everything_that_stays() -> Vec<Command> {
    let connection = Connection {
        grant: GrantId::from_bytes([1; 16]),
        sequence: 1,
        client: "https://app.example.com/client.json".to_owned(),
        name: None,
        scope: "api.read".parse().unwrap(),
        resources: Vec::new(),
        created: at(0),
        used: None,
        ended: None,
    };
    let stays = everything_else().into_iter().filter(|command| !matches!(command, Command::Erase));
    stays.chain([Command::Connect(connection)]).collect()
}

#[test]
fn an_account_that_has_every_table_and_index_keeps_them_as_they_are() {
    let database = Database::default();
    database.older("migration", STEPS);
    let before = database.schema();
    run(&database, 0, &open(None, None));
    for command in everything_that_stays() {
        assert_ne!(run(&database, 0, &command), Outcome::Nobody, "{command:?}");
    }
    assert_eq!(database.schema(), before);
}

#[test]
fn a_table_is_there_from_what_is_first_written_to_it_and_empty_before() {
    let database = opened();
    let tables = |database: &Database| {
        let names = database.query("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name", 0);
        names.iter().map(|row| format!("{:?}", row[0])).collect::<Vec<_>>().join(" ")
    };
    let first = tables(&database);
    assert!(
        first.contains("person") && !first.contains("agent") && !first.contains("identity") && !first.contains("connection"),
        "{first}"
    );
    let page = |database: &Database| run(database, 0, &Command::Agents { after: None, limit: 10, live: true });
    assert_eq!(page(&database), Outcome::Agents(Vec::new(), false));
    assert_eq!(run(&database, 0, &Command::Identities), Outcome::Identities(Vec::new()));
    assert_eq!(run(&database, 0, &Command::Unlink(1)), Outcome::Refused);
    assert_eq!(tables(&database), first, "nobody has written anything");
    run(&database, 0, &feed(1, agent(1, 0), &[]));
    assert_eq!(page(&database), Outcome::Agents(vec![agent(1, 0)], false));
    assert!(tables(&database).contains("agent"));
    // The tables of an account that has everything are those of the steps, one after the other.
    for command in everything_that_stays() {
        run(&database, 0, &command);
    }
    let older = Database::default();
    older.older("migration", STEPS);
    assert_eq!(database.schema(), older.schema());
}

#[test]
fn a_step_that_fails_leaves_the_tables_as_they_were() {
    let database = opened();
    let before = database.dump();
    let steps = [STEPS, &[&["ALTER TABLE person ADD COLUMN colour TEXT", "ALTER TABLE person ADD COLUMN colour TEXT"]]].concat();
    assert!(database.transaction(|| migrations::open(&database, &steps, &Known::default()).map(drop)).is_err());
    assert_eq!(database.dump(), before);
}

#[test]
fn no_failure_is_passed_over_and_none_leaves_anything_half_done() {
    let (empty, full) = (Database::default(), opened());
    for command in [Command::SignedIn(session(9, 0, 3600)), Command::AddPasskey(passkey(9, 3)), feed(1, agent(9, 0), &["agent.claimed"])] {
        run(&full, 0, &command);
    }
    let on_full = [
        Command::SignedOut(session(9, 0, 3600).id),
        Command::UsedPasskey { credential: "credential-9".to_owned(), sign_count: 1 },
        Command::RemovePasskey { credential: "credential-9".to_owned() },
    ];
    let opening = [(&empty, open(Some("ada@example.com"), None))];
    for (database, command) in opening.into_iter().chain(everything_else().into_iter().chain(on_full).map(|command| (&full, command))) {
        let before = database.dump();
        for left in 0.. {
            let sql = Failing { database, left: Cell::new(left) };
            // The transaction is not committed in either case.
            let ended = database.transaction(|| match postern::account::carry_out(command.clone(), &sql, &Schema::default(), at(0)) {
                Ok(_) => Err(SqlError("done".to_owned())),
                Err(error) => Err::<(), _>(error),
            });
            assert_eq!(database.dump(), before, "{command:?}");
            if ended == Err(SqlError("done".to_owned())) {
                assert!(left > 0 && sql.left.get() == 0, "{command:?}");
                break;
            }
        }
    }
}

/// Asks of every statement how it will be run.
struct Planned<'a> {
    database: &'a Database,
    plans: RefCell<Vec<String>>,
}

impl Sql for Planned<'_> {
    fn run(&self, statement: &'static str, values: &[Value]) -> Result<Vec<Row>, SqlError> {
        if !["CREATE", "ALTER", "DROP", "PRAGMA"].iter().any(|word| statement.starts_with(word)) {
            for row in self.database.query(&format!("EXPLAIN QUERY PLAN {statement}"), values.len()) {
                self.plans.borrow_mut().push(format!("{:?} of {statement}", row[3]));
            }
        }
        self.database.run(statement, values)
    }
}

#[test]
fn nothing_walks_through_all_agents_or_events_or_sorts_them() {
    let database = opened();
    let sql = Planned { database: &database, plans: RefCell::default() };
    let pages = [true, false].map(|live| Command::Agents { after: Some(agent(1, 0).registration), limit: 10, live });
    let notes = [Command::Note(happened("agent.noted", None, 0)), Command::Events { before: Some(5), limit: 10 }];
    for command in [feed(1, agent(1, 0), &["agent.claimed"])].into_iter().chain(pages).chain(notes).chain(everything_else()) {
        database.command_over(&sql, &command, at(0)).unwrap();
    }
    let plans = sql.plans.into_inner();
    for plan in plans.iter().filter(|plan| plan.contains("agent") || plan.contains("event")) {
        assert!(!plan.contains("SCAN agent") && !plan.contains("SCAN event") && !plan.contains("TEMP B-TREE"), "{plan}");
    }
    assert!(plans.iter().any(|plan| plan.contains("agent_live")) && plans.iter().any(|plan| plan.contains("agent_claimed")));
}
