use postern::tenant::tables::STEPS;
use postern::tenant::{AuditFilter, AuditOutcome, AuditRow, Command, Outcome, Refused, Repeat, What};
use postern::time::{Timestamp, Ttl};

use super::{ROOT, agent, at, audited, by, command, count, create, emit, family, own, reg, run};
use crate::sqlite::Database;

fn note(database: &Database, seconds: u64, rows: Vec<AuditRow>) {
    let outcome = run(database, seconds, Command { audit: rows, ..command(None, What::Note) });
    assert_eq!(outcome, Outcome::Done(true));
}

fn ask(database: &Database, caller: Option<u32>, filter: AuditFilter) -> (Vec<(u64, Timestamp, AuditRow)>, Option<u64>) {
    match run(database, 0, command(caller, What::Audit(Box::new(filter)))) {
        Outcome::Audit(rows, next) => (rows, next),
        other => panic!("{other:?}"),
    }
}

fn wanted(limit: u32) -> AuditFilter {
    AuditFilter { limit, ..AuditFilter::default() }
}

fn numbers(page: &(Vec<(u64, Timestamp, AuditRow)>, Option<u64>)) -> Vec<u64> {
    page.0.iter().map(|(seq, ..)| *seq).collect()
}

/// Every page of a filter.
fn walk(database: &Database, filter: &AuditFilter) -> Vec<u64> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = ask(database, None, AuditFilter { after, ..filter.clone() });
        found.extend(numbers(&page));
        after = page.1;
        if after.is_none() {
            return found;
        }
    }
}

#[test]
fn a_row_comes_back_as_it_went_with_number_and_time() {
    let database = family();
    let bare = AuditRow { actor_id: None, on_behalf: None, target_type: None, target_id: None, network: None, ..audited("a.b", None) };
    let full = AuditRow { outcome: AuditOutcome::Failure, ..audited("agent.created", Some(4)) };
    note(&database, 7, vec![full.clone(), bare.clone()]);
    assert_eq!(ask(&database, None, wanted(9)), (vec![(1, at(7), full), (2, at(7), bare)], None));
}

#[test]
fn a_change_its_audit_and_its_telling_are_one_and_the_same_again_is_none() {
    let database = family();
    by(&database, ROOT, super::subscribe(1, Some(1), &["*"]));
    let made = || Command {
        audit: vec![audited("agent.created", Some(6))],
        emit: vec![emit("agent.created", Some(6))],
        ..command(Some(ROOT), create(6, 1, "six", 0))
    };
    for changed in [true, false] {
        assert_eq!(agent(run(&database, 0, made())).1, changed);
        assert_eq!(count(&database, "SELECT count(*) FROM tenant_audit"), 1);
        assert_eq!(count(&database, "SELECT count(*) FROM tenant_delivery"), 1);
    }
}

#[test]
fn what_is_refused_is_audited_as_denied_and_told_to_nobody() {
    let database = family();
    by(&database, ROOT, super::subscribe(1, Some(1), &["*"]));
    let what = [create(6, 3, "six", 0), What::Agent(reg(3)), What::RevokeCredential(super::crd(1))];
    for (number, what) in what.into_iter().enumerate() {
        let refused = Command {
            audit: vec![audited("agent.created", Some(2))],
            emit: vec![emit("agent.created", Some(2))],
            ..command(Some(2), what)
        };
        assert_eq!(run(&database, 0, refused), Outcome::Refused(Refused::Missing));
        let (rows, _) = ask(&database, None, wanted(9));
        assert_eq!(rows.len(), number + 1);
        assert_eq!(rows[number].2, AuditRow { outcome: AuditOutcome::Denied, ..audited("agent.created", Some(2)) });
    }
    assert_eq!(database.query("SELECT 1 FROM sqlite_master WHERE name = 'tenant_delivery'", 0).len(), 0, "nothing was ever to be told");
}

#[test]
fn what_is_only_asked_is_audited_if_that_is_wanted() {
    let database = family();
    run(&database, 0, Command { audit: vec![audited("permission.checked", Some(2))], ..command(Some(2), What::Agent(reg(2))) });
    let repeat = What::Repeat { key: "k".to_owned(), request: "r".to_owned(), until: at(600) };
    let asked = Command { audit: vec![audited("request.repeated", None)], ..command(None, repeat) };
    assert_eq!(run(&database, 0, asked), Outcome::Repeat(Repeat::New));
    assert_eq!(ask(&database, None, wanted(9)).0.len(), 2);
}

#[test]
fn rows_of_the_same_moment_are_all_on_some_page() {
    let database = family();
    for _ in 0..5 {
        note(&database, 3, (0..5).map(|number| audited("a.b", Some(number % 2 + 1))).collect());
    }
    for newest_first in [false, true] {
        for limit in [1, 2, 7, 25, 500] {
            let mut expected: Vec<u64> = (1..=25).collect();
            if newest_first {
                expected.reverse();
            }
            assert_eq!(walk(&database, &AuditFilter { newest_first, ..wanted(limit) }), expected);
        }
    }
    assert_eq!(ask(&database, None, wanted(25)).1, None, "after the last there is no cursor");
}

#[test]
fn every_filter_finds_what_fits_and_nothing_else() {
    let database = family();
    let mut rows = Vec::new();
    for number in 0..60_u32 {
        let outcome = [AuditOutcome::Success, AuditOutcome::Failure, AuditOutcome::Denied][number as usize % 3];
        let row = AuditRow {
            outcome,
            target_id: Some(format!("target {}", number % 4)),
            ..audited(["a.b", "c.d"][number as usize % 2], Some(number % 5 + 1))
        };
        note(&database, u64::from(number / 6), vec![row.clone()]);
        rows.push((u64::from(number + 1), u64::from(number / 6), row));
    }
    let events = [None, Some("a.b".to_owned()), Some("x.y".to_owned())];
    let actors = [None, Some(String::from(reg(2)))];
    let targets = [None, Some("target 1".to_owned())];
    let outcomes = [None, Some(AuditOutcome::Success), Some(AuditOutcome::Denied)];
    let times = [(None, None), (Some(2), None), (None, Some(7)), (Some(3), Some(6)), (Some(100), None), (None, Some(0))];
    for event_type in &events {
        for actor_id in &actors {
            for target_id in &targets {
                for outcome in outcomes {
                    for (from, to) in times {
                        for newest_first in [false, true] {
                            let filter = AuditFilter {
                                event_type: event_type.clone(),
                                actor_id: actor_id.clone(),
                                target_id: target_id.clone(),
                                outcome,
                                from: from.map(at),
                                to: to.map(at),
                                newest_first,
                                ..wanted(3)
                            };
                            let fits = |(_, seconds, row): &&(u64, u64, AuditRow)| {
                                event_type.as_ref().is_none_or(|event| *event == row.event_type)
                                    && (actor_id.is_none() || *actor_id == row.actor_id)
                                    && (target_id.is_none() || *target_id == row.target_id)
                                    && outcome.is_none_or(|outcome| outcome == row.outcome)
                                    && from.is_none_or(|from| from <= *seconds)
                                    && to.is_none_or(|to| *seconds < to)
                            };
                            let mut expected: Vec<u64> = rows.iter().filter(fits).map(|(seq, ..)| *seq).collect();
                            if newest_first {
                                expected.reverse();
                            }
                            assert_eq!(walk(&database, &filter), expected, "{filter:?}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn an_agent_reads_what_is_its_business_or_of_those_below() {
    let database = family();
    for about in [Some(1), Some(2), Some(3), Some(4), Some(5), None, Some(99)] {
        note(&database, 0, vec![audited("a.b", about)]);
    }
    for (caller, reads) in [(1, vec![1, 2, 3, 4, 5, 6, 7]), (2, vec![2, 4, 5]), (3, vec![3]), (5, vec![5])] {
        assert_eq!(numbers(&ask(&database, Some(caller), wanted(9))), reads, "{caller}");
    }
    assert_eq!(own(&database, What::Audit(Box::new(wanted(1)))), Outcome::Audit(ask(&database, None, wanted(1)).0, Some(1)));
}

#[test]
fn a_page_is_at_most_five_hundred_and_at_least_one() {
    let database = family();
    note(&database, 0, (0..600).map(|_| audited("a.b", None)).collect());
    assert_eq!(ask(&database, None, wanted(501)).0.len(), 500);
    assert_eq!(ask(&database, None, wanted(0)).0.len(), 1);
}

#[test]
fn a_page_stops_looking_after_so_many_rows_and_its_cursor_goes_on() {
    let database = family();
    database.complete(STEPS);
    database.query(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000) INSERT INTO tenant_audit
        (at, path, event_type, actor_type, action, outcome) SELECT 0, '', CASE i WHEN 11000 THEN 'rare' ELSE 'a.b' END, 'agent', 'x',
        CASE i WHEN 11000 THEN 'failure' ELSE 'success' END FROM n",
        0,
    );
    for newest_first in [false, true] {
        let filter = AuditFilter { outcome: Some(AuditOutcome::Success), event_type: Some("rare".to_owned()), ..wanted(5) };
        assert_eq!(ask(&database, None, AuditFilter { newest_first, ..filter.clone() }), (Vec::new(), None), "its own index has few");
        let filter = AuditFilter { outcome: Some(AuditOutcome::Success), newest_first, ..wanted(500) };
        assert_eq!(walk(&database, &filter).len(), 11_999);
    }
    let filter = |newest_first| AuditFilter { newest_first, ..wanted(9) };
    let page = |newest_first| match run(&database, 0, command(Some(2), What::Audit(Box::new(filter(newest_first))))) {
        Outcome::Audit(rows, next) => (rows.len(), next),
        other => panic!("{other:?}"),
    };
    assert_eq!([page(false), page(true)], [(0, Some(5000)), (0, Some(7001))], "rows that are not its business");
}

#[test]
fn what_is_too_old_goes_a_few_at_a_time() {
    let database = family();
    note(&database, 0, (0..50).map(|_| audited("a.b", None)).collect());
    let later = |seconds: u64| {
        let rows = vec![audited("a.b", None)];
        run(&database, seconds, Command { audit: rows, retain: Ttl::from_seconds(100), ..command(None, What::Note) });
        count(&database, "SELECT count(*) FROM tenant_audit")
    };
    assert_eq!([later(100), later(101), later(101), later(101)], [51, 20, 3, 4]);
    note(&database, 10_000, vec![audited("a.b", None)]);
    assert_eq!(count(&database, "SELECT count(*) FROM tenant_audit"), 5, "without a limit everything is kept");
    assert_eq!(numbers(&ask(&database, None, wanted(9))), [51, 52, 53, 54, 55], "numbers go on");
}

#[test]
fn times_have_the_order_of_the_numbers_though_a_clock_goes_back() {
    let database = family();
    for seconds in [10, 9, 11] {
        note(&database, seconds, vec![audited("a.b", None)]);
    }
    let times: Vec<Timestamp> = ask(&database, None, wanted(9)).0.iter().map(|(_, at, _)| *at).collect();
    assert_eq!(times, [at(10), at(10), at(11)]);
}
