use std::cell::{Cell, RefCell};

use postern::account;
use postern::account::Schema;
use postern::account::by_need::Known;
use postern::account::sql::{Row, Sql, SqlError, Value};
use postern::id::AccountId;
use postern::tenant::tables::{self, STEPS};
use postern::tenant::{
    Asking, AuditFilter, AuditOutcome, Command, Delegation, DelegationStatus, Emit, Outcome, Patch, PolicyPatch, Rate, Status, What,
};
use postern::time::Ttl;
use serde_json::json;

use super::{
    ROOT, add, at, audited, command, crd, create, credential, delegation, dlg, emit, everybody, family, own, pol, policy, profile, reg,
    run, subscribe, webhook, whk,
};
use crate::sqlite::{Database, Failing};

/// One of each, all of which have something to do in [`full`].
pub(super) fn everything() -> Vec<What> {
    let list = |parent: Option<u32>, status| What::Agents { parent: parent.map(reg), status, limit: 9, offset: 0 };
    let credentials =
        |agent: Option<u32>, include_revoked| What::Credentials { agent: agent.map(reg), include_revoked, limit: 9, offset: 0 };
    let policies = |agent: Option<u32>| What::Policies { agent: agent.map(reg), enabled_only: true, limit: 9, offset: 0 };
    let told = Delegation { upstream: vec![dlg(9)], ..delegation(1, 2, 3) };
    let dead = Delegation { upstream: vec![dlg(9), dlg(1)], ..delegation(9, 2, 3) };
    let again = Delegation { sequence: 2, status: DelegationStatus::Pending, ..told.clone() };
    let offer =
        Delegation { status: DelegationStatus::Pending, peer: Some(AccountId::from_bytes([7; 16])), offered: true, ..delegation(8, 60, 2) };
    let declined = Delegation { sequence: 2, status: DelegationStatus::Declined, ..offer.clone() };
    let status = |status| What::SetStatus { id: reg(3), status };
    let settled = |number, status| What::Settled { number, attempt: 1, status, error: None, jitter: 0, took: None };
    let mut all = vec![
        What::Root { id: reg(ROOT), profile: profile("root", 3) },
        create(8, 3, "eight", 0),
        What::Agent(reg(3)),
        list(None, None),
        list(None, Some(Status::Active)),
        list(Some(2), None),
        list(Some(2), Some(Status::Active)),
        What::Children { id: reg(1), limit: 9, offset: 0 },
        What::Patch { id: reg(3), patch: Box::new(Patch { name: Some("new".to_owned()), max_child_depth: Some(1), ..Patch::default() }) },
        status(Status::Suspended),
        status(Status::Active),
        What::Ancestry(reg(5)),
        add(3, 4),
        What::Credential(crd(1)),
        credentials(None, true),
        credentials(None, false),
        credentials(Some(4), true),
        credentials(Some(4), false),
        What::Keys(reg(4)),
        What::RotateCredential { id: crd(1), next: crd(9), number: 9, prefix: "key9".to_owned(), expires: None },
        What::CredentialUsed(crd(2)),
        What::RevokeCredential(crd(2)),
        What::PutDelegation(Box::new(told)),
        What::PutDelegation(Box::new(again)),
        What::Delegation(dlg(2)),
        What::Delegations { active_only: true, limit: 9, offset: 0 },
        What::Delegations { active_only: false, limit: 9, offset: 0 },
        What::Incoming { delegate: reg(2), limit: 1 },
        What::PutDelegation(Box::new(offer)),
        What::PutDelegation(Box::new(declined)),
        What::Offers { limit: 1, offset: 0 },
        What::Peers(reg(2)),
        What::Downstream { id: dlg(2), limit: 9, offset: 0 },
        What::CreatePolicy(Box::new(policy(3, Some(2)))),
        What::Policy(pol(1)),
        What::PutPolicy { id: pol(1), patch: Box::new(PolicyPatch { priority: Some(4), ..PolicyPatch::default() }) },
        policies(None),
        policies(Some(4)),
        enter(4, Some(1)),
        What::DeletePolicy(pol(2)),
        What::Note,
        What::Remark { key: "k".to_owned(), most: 2, until: at(60) },
        What::Stats,
        What::Subscribe(Box::new(webhook(3, Some(2), &["*"]))),
        What::Webhooks,
        What::RotateSecret { id: whk(1), previous_until: at(9), request: String::new() },
        What::Deliveries { webhook: whk(1), limit: 9, offset: 0 },
        What::Due { limit: 16, except: Vec::new(), quick: false },
        settled(1, Some(200)),
        settled(2, Some(500)),
        What::Due { limit: 16, except: Vec::new(), quick: false },
        settled(3, Some(410)),
        What::Unsubscribe(whk(2)),
        What::Repeat { key: "k".to_owned(), request: "r".to_owned(), until: at(600) },
        What::PutDelegation(Box::new(dead)),
        What::PutDelegation(Box::new(delegation(10, 2, 3))),
        What::Arrive { id: reg(ROOT), profile: profile("root", 3), credential: Box::new(credential(30, ROOT)) },
    ];
    // Whoever subscribes after it is told again.
    all.push(What::Claimed { key: "claim".to_owned(), until: at(60), at: at(0), generation: 1 });
    all.push(What::Subscribe(Box::new(webhook(5, Some(2), &["*"]))));
    let some = |text: &str| Some(text.to_owned());
    for newest_first in [false, true] {
        let filter = AuditFilter { newest_first, from: Some(at(0)), to: Some(at(9)), limit: 9, ..AuditFilter::default() };
        for filter in [
            filter.clone(),
            AuditFilter { event_type: some("a.b"), ..filter.clone() },
            AuditFilter { actor_id: some("a"), event_type: some("a.b"), ..filter.clone() },
            AuditFilter { target_id: some("a"), actor_id: some("a"), ..filter.clone() },
            AuditFilter { outcome: Some(AuditOutcome::Denied), event_type: some("a.b"), ..filter.clone() },
            AuditFilter { outcome: Some(AuditOutcome::Success), ..filter },
        ] {
            all.push(What::Audit(Box::new(filter)));
        }
    }
    all
}

/// An agent comes in, and does what a policy counts.
fn enter(agent: u32, most: Option<u32>) -> What {
    let asking = Asking {
        agent: reg(agent),
        accounts: vec![postern::id::AccountId::from_bytes([1; 16])],
        action: "read".to_owned(),
        resource: "/a".to_owned(),
        scope: Some("files.read".to_owned()),
        ip: Some("192.0.2.1".to_owned()),
        arguments: json!({ "a": 1 }).as_object().cloned(),
        counted: true,
    };
    What::Enter { rate: most.map(|most| Rate { most, window: Ttl::from_seconds(60) }), asked: vec![asking] }
}

/// An account that has something of everything.
fn full() -> Database {
    let database = family();
    for what in [
        add(1, 4),
        add(2, 5),
        What::PutDelegation(Box::new(delegation(2, 2, 3))),
        What::CreatePolicy(Box::new(policy(1, Some(1)))),
        What::CreatePolicy(Box::new(policy(2, Some(2)))),
        subscribe(1, Some(1), &["*"]),
        subscribe(2, Some(1), &["*"]),
    ] {
        own(&database, what);
    }
    let emitted: Vec<Emit> = (0..3).map(|_| emit("a.b", None)).collect();
    run(&database, 0, Command { audit: vec![audited("a.b", Some(2))], emit: emitted, ..command(None, What::Note) });
    database
}

/// What is told and audited with every command.
fn with_notes(what: What) -> account::Command {
    let (audit, emit) = (vec![audited("a.b", Some(2))], vec![emit("agent.created", Some(2))]);
    account::Command::Tenant(Box::new(Command { audit, emit, retain: Ttl::from_seconds(60), ..command(None, what) }))
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

/// The same once there is so much that it is found by indexes.
fn grown() -> Database {
    let database = full();
    for number in 20..28 {
        own(&database, add(number, 3));
    }
    for _ in 0..32 {
        run(&database, 0, Command { audit: vec![audited("a.b", Some(2))], ..command(None, What::Note) });
    }
    database
}

#[test]
fn a_table_is_there_from_what_is_first_written_to_it_and_an_index_when_there_is_something_to_find() {
    let database = Database::default();
    let has = |name: &str| database.schema().iter().any(|made| made.contains(&format!("\"{name}\"")));
    run(
        &database,
        0,
        Command { audit: vec![audited("a.b", Some(1))], ..command(None, What::Root { id: reg(ROOT), profile: profile("root", 3) }) },
    );
    own(&database, add(1, ROOT));
    for table in ["agent", "tally", "credential", "audit"] {
        assert!(has(&format!("tenant_{table}")), "{table}");
    }
    // A page has 4 KiB.
    assert_eq!((database.pages(), older().pages()), (10, 51), "and every table and index, empty");
    // Whatever is asked of tables that are not there finds nothing, and makes none.
    let before = database.schema();
    for what in everything().into_iter().filter(|what| !writes(what)) {
        run(&database, 0, command(Some(ROOT), what));
    }
    assert_eq!(database.schema(), before);
    for (what, index) in [(create(2, 1, "two", 1), "agent_name"), (What::Note, "audit_actor"), (What::Note, "credential_live")] {
        assert!(!has(&format!("tenant_{index}")), "{index}");
        match &what {
            What::Note if index == "audit_actor" => {
                (0..32).for_each(|_| drop(run(&database, 0, Command { audit: vec![audited("a.b", None)], ..command(None, What::Note) })));
            }
            What::Note => (2..9).for_each(|number| drop(own(&database, add(number, ROOT)))),
            _ => drop(own(&database, what)),
        }
        assert!(has(&format!("tenant_{index}")), "{index}");
    }
    // With everything in it, it is what it was when all tables were made at once.
    let database = grown();
    own(&database, What::Repeat { key: "k".to_owned(), request: "r".to_owned(), until: at(600) });
    own(&database, enter(4, Some(1)));
    own(&database, What::Claimed { key: "claim".to_owned(), until: at(60), at: at(0), generation: 1 });
    let (schema, older) = (database.schema(), older().schema());
    assert_eq!(schema.symmetric_difference(&older).collect::<Vec<_>>(), Vec::<&String>::new());
}

/// Whether something comes of it in an account that has but its root.
fn writes(what: &What) -> bool {
    matches!(
        what,
        What::Root { .. }
            | What::Arrive { .. }
            | What::Create { .. }
            | What::Patch { .. }
            | What::SetStatus { .. }
            | What::AddCredential(_)
            | What::RotateCredential { .. }
            | What::PutDelegation(_)
            | What::CreatePolicy(_)
            | What::Enter { .. }
            | What::Remark { .. }
            | What::Claimed { .. }
            | What::Subscribe(_)
            | What::Repeat { .. }
    )
}

/// An account of the version before, empty: with every table and every index.
fn older() -> Database {
    let database = Database::default();
    database.older("tenant_migration", STEPS);
    database
}

#[test]
fn an_account_that_has_every_table_and_index_keeps_them_as_they_are_and_an_older_one_is_brought_there() {
    for version in 1..=STEPS.len() {
        let database = Database::default();
        database.older("tenant_migration", &STEPS[..version]);
        fill(&database);
        let (schema, wanted) = (database.schema(), older().schema());
        assert_eq!(schema.symmetric_difference(&wanted).collect::<Vec<_>>(), Vec::<&String>::new(), "of version {version}");
    }
}

/// Everything is done once.
fn fill(database: &Database) {
    own(database, What::Root { id: reg(ROOT), profile: profile("root", 3) });
    for (id, parent) in [(2, 1), (3, 1), (4, 2), (5, 4)] {
        own(database, create(id, parent, &format!("agent {id}"), 10));
    }
    for what in everything() {
        let command = with_notes(what);
        database.command(&command, at(0)).unwrap();
    }
    (20..28).for_each(|number| drop(own(database, add(number, 3))));
}

#[test]
fn no_statement_walks_through_a_table_or_sorts() {
    let database = grown();
    let sql = Planned { database: &database, plans: RefCell::default() };
    for what in everything() {
        let command = with_notes(what);
        let account::Outcome::Tenant(outcome) = database.command_over(&sql, &command, at(0)).unwrap() else { panic!() };
        assert!(!matches!(*outcome, Outcome::Refused(_) | Outcome::Nothing), "{command:?} {outcome:?}");
        database.kept(|schema| account::wake(&sql, schema, at(0), true)).unwrap();
    }
    // Somebody has to make room.
    for state in ["dead", "pending"] {
        database.query(&format!("UPDATE tenant_delivery SET state = '{state}', due = iif('{state}' = 'dead', NULL, 0)"), 0);
        database.query("UPDATE tenant_tally SET n = 10000 WHERE agent = '' AND what = 'deliveries'", 0);
        database.command_over(&sql, &with_notes(What::Note), at(0)).unwrap();
    }
    let plans = sql.plans.into_inner();
    for plan in &plans {
        assert!(!plan.contains("SCAN") && !plan.contains("TEMP B-TREE"), "{plan}");
    }
    for index in [
        "agent_name",
        "agent_status",
        "agent_parent",
        "agent_parent_status",
        "credential_path",
        "credential_live",
        "delegation_source",
        "delegation_given",
        "delegation_taken",
        "delegation_offered",
        "delegation_offered_by",
        "delegation_declined",
        "party_until",
        "party_number",
        "policy_path",
        "audit_at",
        "audit_event",
        "audit_actor",
        "audit_target",
        "audit_trouble",
        "delivery_turn",
        "delivery_done",
        "delivery_webhook",
        "delivery_waiting",
        "delivery_state",
        "repeat_until",
        "rate_until",
    ] {
        let used = format!("INDEX tenant_{index} (");
        assert!(plans.iter().any(|plan| plan.contains(&used)), "nothing needs {index}");
    }
}

/// Counts the rows that come back.
struct Counted<'a>(&'a Database, Cell<usize>);

impl Sql for Counted<'_> {
    fn run(&self, statement: &'static str, values: &[Value]) -> Result<Vec<Row>, SqlError> {
        let rows = self.0.run(statement, values)?;
        self.1.set(self.1.get() + rows.len());
        Ok(rows)
    }
}

#[test]
fn a_hundred_thousand_audit_rows_cost_no_more_than_none() {
    let cost = |rows: u32| {
        let database = full();
        database.query(
            &format!(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows}) INSERT INTO tenant_audit
            (at, path, event_type, actor_type, actor_id, action, target_id, outcome) SELECT {}, '00000001', 'c.d', 'agent', 'a', 'x', 'a',
            'success' FROM n",
                at(0).millis()
            ),
            0,
        );
        let sql = Counted(&database, Cell::new(0));
        let filter = AuditFilter { limit: 50, newest_first: true, ..AuditFilter::default() };
        for what in [What::Note, What::Audit(Box::new(filter)), create(8, 3, "eight", 0)] {
            database.command_over(&sql, &with_notes(what), at(0)).unwrap();
        }
        sql.1.get()
    };
    assert_eq!(cost(6000), cost(100_000));
}

#[test]
fn no_failure_is_passed_over_and_none_leaves_anything_half_done() {
    let database = full();
    let before = database.dump();
    for what in everything() {
        for left in 0.. {
            let sql = Failing { database: &database, left: Cell::new(left) };
            // The transaction is not committed in either case.
            let ended = database.transaction(|| match account::carry_out(with_notes(what.clone()), &sql, &Schema::default(), at(0)) {
                Ok(_) => Err(SqlError("done".to_owned())),
                Err(error) => Err::<(), _>(error),
            });
            assert_eq!(database.dump(), before, "{what:?}");
            if ended == Err(SqlError("done".to_owned())) {
                assert!(left > 0 && sql.left.get() == 0, "{what:?}");
                break;
            }
        }
    }
}

#[test]
fn tables_have_versions_of_their_own_and_are_brought_up_once() {
    let database = full();
    let later: &[&str] = &["ALTER TABLE tenant_agent ADD COLUMN colour TEXT NOT NULL DEFAULT 'green'"];
    let steps = [STEPS, &[later]].concat();
    for _ in 0..2 {
        assert_eq!(database.transaction(|| Ok(tables::open(&database, &steps, &Known::default())?.are_there())), Ok(true));
    }
    assert_eq!(database.query("SELECT version FROM tenant_migration", 0).len(), 2, "the one that it began with, and the later one");
    // This version reads what a later one has left, and takes nothing back.
    database.anew();
    assert!(matches!(own(&database, everybody()), Outcome::Agents(_, 5)));
    assert!(matches!(own(&database, create(8, 3, "eight", 0)), Outcome::Agent(_, true)));
    assert!(!database.dump().contains("\nmigration"), "a person's tables are another matter");
}

#[test]
fn webhooks_of_before_a_claim_that_was_told_to_the_version_before_are_disabled_too() {
    let database = Database::default();
    database.older("tenant_migration", &STEPS[..5]);
    let millis = |seconds| at(seconds).millis();
    for (number, created) in [(1, millis(0)), (2, millis(9))] {
        let id = whk(number);
        database.query(
            &format!(
                "INSERT INTO tenant_webhook (id, path, agent, url, events, enabled, secret_version, created, updated)
                 VALUES ('{id}', '00000001', '{}', 'https://a', '*', 1, 1, {created}, {created})",
                reg(ROOT)
            ),
            0,
        );
        database.query(
            &format!(
                "INSERT INTO tenant_delivery (webhook, event_type, payload, attempt, due, state, created, updated)
                 VALUES ('{id}', 'a.b', '{{}}', 0, 0, 'pending', 0, 0)"
            ),
            0,
        );
    }
    database.query(
        &format!(
            "INSERT INTO tenant_audit (at, path, event_type, actor_type, action, outcome)
             VALUES ({}, '', 'claim.completed', 'system', 'completed', 'success')",
            millis(5)
        ),
        0,
    );
    let Outcome::Webhooks(webhooks) = own(&database, What::Webhooks) else { panic!() };
    assert_eq!((webhooks[0].reason.as_deref(), webhooks[0].disabled), (Some("claimed"), Some(at(5))));
    assert_eq!([webhooks[0].enabled, webhooks[1].enabled], [false, true]);
    let Outcome::Due(due) = own(&database, What::Due { limit: 9, except: Vec::new(), quick: false }) else { panic!() };
    assert_eq!(due.iter().map(|(_, webhook)| webhook.id.clone()).collect::<Vec<_>>(), [whk(2)]);
}

/// What this version says to an account of its agents, and is answered: the first of each form. A change may only add.
#[test]
fn commands_and_outcomes_are_pinned() {
    let (database, nobody) = (full(), Database::default());
    let refused = What::Agent(reg(99));
    let (mut whats, mut outcomes) = (serde_json::Map::new(), serde_json::Map::new());
    let keep = |to: &mut serde_json::Map<String, serde_json::Value>, form: serde_json::Value| {
        let name = form.as_object().map_or_else(|| form.as_str().unwrap().to_owned(), |form| form.keys().next().unwrap().clone());
        to.entry(name).or_insert(form);
    };
    for (database, what) in everything().into_iter().chain([refused]).map(|what| (&database, what)).chain([(&nobody, everybody())]) {
        keep(&mut whats, serde_json::to_value(&what).unwrap());
        keep(&mut outcomes, serde_json::to_value(run(database, 0, command(Some(ROOT), what.clone()))).unwrap());
        keep(&mut outcomes, serde_json::to_value(own(database, what)).unwrap());
    }
    let all = serde_json::json!({ "command": with_notes(What::Note), "what": whats, "outcomes": outcomes });
    crate::golden::check("commands/tenant.json", &crate::golden::pretty(&all));
    let old: serde_json::Value = serde_json::from_str(include_str!("../../golden/commands/tenant.json")).unwrap();
    serde_json::from_value::<account::Command>(old["command"].clone()).unwrap();
    old["what"].as_object().unwrap().values().for_each(|what| drop(serde_json::from_value::<What>(what.clone()).unwrap()));
    old["outcomes"].as_object().unwrap().values().for_each(|outcome| drop(serde_json::from_value::<Outcome>(outcome.clone()).unwrap()));
    assert_eq!((whats.len(), outcomes.len()), (42, 22), "one of each");
}

#[test]
fn no_table_is_made_where_a_later_version_has_been_until_that_is_back() {
    let database = family();
    let later: &[&str] = &["ALTER TABLE tenant_webhook ADD COLUMN colour TEXT NOT NULL DEFAULT 'green'"];
    let steps = [STEPS, &[later]].concat();
    assert_eq!(database.transaction(|| Ok(tables::open(&database, &steps, &Known::default())?.are_there())), Ok(true));
    database.anew();
    let before = database.dump();
    let needs = account::Command::Tenant(Box::new(command(None, subscribe(1, Some(2), &["*"]))));
    assert!(database.command(&needs, at(0)).is_err());
    assert_eq!(database.dump(), before);
    assert!(matches!(own(&database, everybody()), Outcome::Agents(_, 5)), "what is there can be read");
    // The later version makes it as it wants to have it.
    let made = database.transaction(|| {
        let known = Known::default();
        let tables = tables::open(&database, &steps, &known)?;
        tables.run("INSERT INTO tenant_webhook (id, path, url, events, enabled, secret_version, created, updated) VALUES ('w', '', '', '', 1, 1, 0, 0)", &[])?;
        Ok(tables.run("SELECT colour FROM tenant_webhook", &[])?.len())
    });
    assert_eq!(made, Ok(1));
}
