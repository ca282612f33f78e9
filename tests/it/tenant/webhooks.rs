use postern::tenant::delivery::{DEAD_FOR, DELIVERED_FOR, LEASE, MOST, wait};
use postern::tenant::tables::STEPS;
use postern::tenant::turn::MOST_DEAD_LETTERS;
use postern::tenant::{AuditFilter, Command, Delivery, DeliveryState, Outcome, Refused, Status, Webhook, What, webhook as limits};
use postern::time::{Timestamp, Ttl};

use super::{ROOT, agent, at, by, command, count, create, emit, family, own, refused, reg, run, subscribe, webhook, whk};
use crate::sqlite::Database;

fn tell(database: &Database, seconds: u64, event: &str, about: Option<u32>) {
    let outcome = run(database, seconds, Command { emit: vec![emit(event, about)], ..command(None, What::Note) });
    assert_eq!(outcome, Outcome::Done(true));
}

fn due(database: &Database, seconds: u64) -> Vec<(Delivery, Webhook)> {
    match run(database, seconds, command(None, What::Due { limit: 16, except: Vec::new(), quick: false })) {
        Outcome::Due(due) => due,
        other => panic!("{other:?}"),
    }
}

fn settle(database: &Database, seconds: u64, delivery: &Delivery, status: Option<u32>) -> Outcome {
    let (number, attempt) = (delivery.number, delivery.attempt);
    let error = status.is_none().then(|| "no answer".to_owned());
    run(database, seconds, command(None, What::Settled { number, attempt, status, error, jitter: 0, took: None }))
}

fn log(database: &Database, caller: Option<u32>, number: u32) -> (Vec<Delivery>, u64) {
    match run(database, 0, command(caller, What::Deliveries { webhook: whk(number), limit: 100, offset: 0 })) {
        Outcome::Deliveries(deliveries, total) => (deliveries, total),
        other => panic!("{other:?}"),
    }
}

fn logged(database: &Database, number: u32) -> Delivery {
    log(database, None, number).0.remove(0)
}

fn number(webhook: &Webhook) -> u32 {
    (0..100).find(|number| whk(*number) == webhook.id).unwrap()
}

/// The webhooks that were told of it, in the order of their numbers.
fn told(database: &Database) -> Vec<(u32, String)> {
    let given = due(database, 0);
    given.iter().for_each(|(delivery, _)| assert_eq!(settle(database, 0, delivery, Some(200)), Outcome::Done(true)));
    let mut told: Vec<_> = given.iter().map(|(delivery, webhook)| (number(webhook), delivery.event_type.clone())).collect();
    told.sort();
    told
}

/// The webhook that has its turn, told one thing.
fn turn(database: &Database, seconds: u64, status: Option<u32>) -> Option<u32> {
    let Outcome::Due(given) = run(database, seconds, command(None, What::Due { limit: 1, except: Vec::new(), quick: false })) else {
        panic!()
    };
    given.first().map(|(delivery, webhook)| {
        assert_eq!(settle(database, seconds, delivery, status), Outcome::Done(true));
        number(webhook)
    })
}

/// The root has one webhook that hears everything.
fn hooked() -> Database {
    let database = family();
    assert_eq!(by(&database, ROOT, subscribe(1, Some(1), &["*"])), Outcome::Webhook(Box::new(webhook(1, Some(1), &["*"])), true));
    database
}

#[test]
fn webhooks_are_for_whoever_is_above_their_agent() {
    let database = hooked();
    by(&database, 2, subscribe(2, Some(4), &["agent.*"]));
    own(&database, subscribe(3, None, &["agent.created"]));
    let list = |caller: Option<u32>| match run(&database, 0, command(caller, What::Webhooks)) {
        Outcome::Webhooks(webhooks) => webhooks.len(),
        other => panic!("{other:?}"),
    };
    assert_eq!([None, Some(1), Some(2), Some(4), Some(3), Some(5)].map(list), [3, 2, 1, 1, 0, 0]);
    for caller in [3, 5] {
        for what in [
            What::Unsubscribe(whk(2)),
            What::RotateSecret { id: whk(2), previous_until: at(9), request: String::new() },
            What::Deliveries { webhook: whk(2), limit: 9, offset: 0 },
            subscribe(4, Some(4), &["*"]),
        ] {
            assert_eq!(refused(&by(&database, caller, what)), Refused::Missing);
        }
    }
    assert_eq!(refused(&by(&database, ROOT, subscribe(4, None, &["*"]))), Refused::Forbidden);
    assert!(matches!(by(&database, ROOT, What::Unsubscribe(whk(2))), Outcome::Webhook(_, true)));
    assert_eq!(refused(&by(&database, ROOT, What::Unsubscribe(whk(2)))), Refused::Missing);
}

#[test]
fn the_same_again_is_the_same_and_there_are_at_most_so_many() {
    let database = hooked();
    for number in 2..=limits::MOST {
        by(&database, ROOT, subscribe(number, Some(1), &["*"]));
    }
    assert_eq!(refused(&by(&database, ROOT, subscribe(40, Some(1), &["*"]))), Refused::TooMany);
    assert_eq!(by(&database, ROOT, subscribe(1, Some(1), &["*"])), Outcome::Webhook(Box::new(webhook(1, Some(1), &["*"])), false));
    assert_eq!(refused(&by(&database, ROOT, subscribe(1, Some(2), &["*"]))), Refused::Conflict);
    by(&database, ROOT, What::Unsubscribe(whk(7)));
    assert!(matches!(by(&database, ROOT, subscribe(40, Some(1), &["*"])), Outcome::Webhook(_, true)));
}

#[test]
fn a_secret_has_versions_and_the_one_before_is_good_for_a_while() {
    let database = hooked();
    let rotated = run(&database, 5, command(Some(1), What::RotateSecret { id: whk(1), previous_until: at(100), request: String::new() }));
    let expected = Webhook { secret_version: 2, previous_until: Some(at(100)), updated: at(5), ..webhook(1, Some(1), &["*"]) };
    assert_eq!(rotated, Outcome::Webhook(Box::new(expected.clone()), true));
    tell(&database, 6, "agent.created", None);
    assert_eq!(due(&database, 6)[0].1, expected);
}

#[test]
fn whoever_has_asked_for_it_and_whose_business_it_is_is_told() {
    let database = hooked();
    for (number, of, events) in [(2, Some(2), "agent.*"), (3, Some(3), "*"), (4, None, "agent.created"), (5, Some(5), "credential.rotated")]
    {
        own(&database, subscribe(number, of, &["other.event", events]));
    }
    for (event, about, hear) in [
        ("agent.created", Some(5), vec![1, 2, 4]),
        ("agent.suspended", Some(2), vec![1, 2]),
        ("agent.created", Some(3), vec![1, 3, 4]),
        ("credential.rotated", Some(5), vec![1, 5]),
        ("agent.created", Some(1), vec![1, 4]),
        ("agent.created", Some(99), vec![1, 4]),
        ("agent.created", None, vec![1, 4]),
    ] {
        tell(&database, 0, event, about);
        assert_eq!(told(&database), hear.into_iter().map(|number| (number, event.to_owned())).collect::<Vec<_>>(), "{about:?}");
    }
}

#[test]
fn what_was_taken_is_not_told_again() {
    let database = hooked();
    tell(&database, 3, "agent.created", Some(4));
    assert_eq!(database.alarm.get(), Some(at(3)), "the alarm rings at once");
    let (delivery, of) = due(&database, 3).remove(0);
    assert_eq!(
        (delivery.attempt, delivery.payload.as_str(), of.url.as_str()),
        (1, r#"{"type":"agent.created"}"#, "https://hooks.example/1")
    );
    assert_eq!(settle(&database, 4, &delivery, Some(204)), Outcome::Done(true));
    assert_eq!(settle(&database, 4, &delivery, Some(500)), Outcome::Done(false), "it is settled");
    let logged = logged(&database, 1);
    assert_eq!((logged.state, logged.status, logged.due, logged.updated), (DeliveryState::Delivered, Some(204), None, at(4)));
    assert_eq!(due(&database, 1_000_000), []);
}

#[test]
fn what_was_not_taken_is_tried_again_ever_later_and_then_given_up() {
    let database = hooked();
    tell(&database, 0, "agent.created", None);
    let mut now = 0;
    for attempt in 1..=8_u32 {
        let (delivery, _) = due(&database, now).remove(0);
        assert_eq!((delivery.number, delivery.attempt), (1, attempt), "the same number over all attempts");
        let status = (attempt % 2 == 0).then_some(503);
        assert_eq!(settle(&database, now, &delivery, status), Outcome::Done(true));
        let logged = logged(&database, 1);
        assert_eq!((logged.status, logged.error.is_some()), (status, status.is_none()));
        let Some(wait) = wait(attempt, 0) else {
            assert_eq!((attempt, logged.state, logged.due), (8, DeliveryState::Dead, None));
            break;
        };
        assert_eq!((logged.state, logged.due), (DeliveryState::Pending, Some(at(now).plus(wait))));
        assert_eq!(due(&database, now + wait.seconds() - 1), []);
        now += wait.seconds();
    }
    assert_eq!(due(&database, now + 10_000_000), []);
}

#[test]
fn jitter_makes_a_wait_longer() {
    let database = hooked();
    tell(&database, 0, "agent.created", None);
    let (delivery, _) = due(&database, 0).remove(0);
    run(
        &database,
        0,
        command(None, What::Settled { number: 1, attempt: delivery.attempt, status: None, error: None, jitter: u32::MAX, took: None }),
    );
    assert_eq!(logged(&database, 1).due, Some(at(0).plus(Ttl::from_millis(5999))));
}

#[test]
fn an_attempt_that_nobody_settles_is_made_again_but_not_for_ever() {
    let database = hooked();
    tell(&database, 0, "agent.created", None);
    let lease = LEASE.seconds();
    for attempt in 1..=8 {
        let now = (attempt - 1) * lease;
        let (delivery, _) = due(&database, now).remove(0);
        assert_eq!(u64::from(delivery.attempt), attempt);
        assert_eq!(due(&database, now + lease - 1), [], "it belongs to whoever has it");
        if attempt > 1 {
            let late = Delivery { attempt: delivery.attempt - 1, ..delivery };
            assert_eq!(settle(&database, now, &late, Some(200)), Outcome::Done(false), "it belongs to somebody else");
        }
    }
    assert_eq!(due(&database, 8 * lease), []);
    assert_eq!(logged(&database, 1).state, DeliveryState::Dead);
}

#[test]
fn who_is_gone_is_told_nothing_any_more() {
    let database = hooked();
    for _ in 0..3 {
        tell(&database, 0, "agent.created", None);
    }
    let given = due(&database, 0);
    settle(&database, 0, &given[0].0, Some(410));
    assert_eq!(due(&database, 100), []);
    let (deliveries, 3) = log(&database, None, 1) else { panic!() };
    assert!(deliveries.iter().all(|delivery| delivery.state == DeliveryState::Dead));
    tell(&database, 200, "agent.created", None);
    assert_eq!(log(&database, None, 1).1, 3);
    let Outcome::Webhooks(webhooks) = own(&database, What::Webhooks) else { panic!() };
    assert!(!webhooks[0].enabled);
}

#[test]
fn what_was_to_be_told_to_a_webhook_that_is_removed_is_let_go() {
    let database = hooked();
    tell(&database, 0, "agent.created", None);
    by(&database, ROOT, What::Unsubscribe(whk(1)));
    assert_eq!(refused(&own(&database, What::Deliveries { webhook: whk(1), limit: 9, offset: 0 })), Refused::Missing);
    assert_eq!(due(&database, 0), []);
    assert_eq!(count(&database, "SELECT count(*) FROM tenant_delivery"), 0);
}

#[test]
fn a_webhook_is_told_one_thing_at_a_time_the_oldest_first() {
    let database = hooked();
    own(&database, subscribe(2, Some(1), &["*"]));
    for seconds in [7, 3, 5] {
        tell(&database, seconds, &format!("a.{seconds}"), None);
    }
    for event in ["a.7", "a.3", "a.5"] {
        let given = due(&database, 30);
        assert_eq!(given.iter().map(|(delivery, _)| delivery.event_type.as_str()).collect::<Vec<_>>(), [event; 2]);
        assert_eq!(due(&database, 30), [], "both are being told something");
        given.iter().for_each(|(delivery, _)| drop(settle(&database, 30, delivery, Some(200))));
    }
}

#[test]
fn webhooks_have_their_turn_one_after_the_other_and_those_of_one_agent_count_as_one() {
    let database = family();
    for (number, of) in [(1, 2), (2, 2), (3, 2), (4, 3)] {
        own(&database, subscribe(number, Some(of), &["*"]));
    }
    for about in [2, 2, 2, 2] {
        tell(&database, 0, "agent.updated", Some(about));
    }
    assert_eq!(turn(&database, 1, Some(200)), Some(1));
    for _ in 0..3 {
        tell(&database, 1, "agent.updated", Some(3));
    }
    let turns: Vec<_> = (0..8).map(|_| turn(&database, 2, Some(200)).unwrap()).collect();
    assert_eq!(turns, [4, 2, 4, 3, 4, 1, 2, 3], "what came later does not wait for what came before it to somebody else");
}

#[test]
fn a_webhook_that_fails_rests_ever_longer_up_to_ten_minutes_and_is_fresh_again_once_it_has_taken_something() {
    let database = hooked();
    for _ in 0..20 {
        tell(&database, 0, "agent.created", None);
    }
    let mut now = 0;
    for rest in [5, 30, 120, 600, 600, 600] {
        assert_eq!(turn(&database, now, None), Some(1));
        assert_eq!(turn(&database, now + rest - 1, None), None, "{rest}");
        tell(&database, now, "agent.updated", None);
        database.alarm.set(Some(at(now)));
        database.ring(at(now));
        assert_eq!(database.alarm.get(), Some(at(now + rest)), "and nobody is woken before");
        now += rest;
    }
    assert_eq!(turn(&database, now, Some(200)), Some(1));
    assert_eq!(turn(&database, now, None), Some(1));
    assert_eq!((turn(&database, now + 4, None), turn(&database, now + 5, None)), (None, Some(1)), "as after the first failure");
}

#[test]
fn ten_dead_letters_in_a_row_disable_a_webhook_which_is_audited() {
    for taken in [false, true] {
        let database = hooked();
        for _ in 0..30 {
            tell(&database, 0, "agent.created", None);
        }
        let dead = |database: &Database| of_state(database, "dead");
        let mut now = 0;
        let mut was_taken = !taken;
        while dead(&database) < i64::from(MOST_DEAD_LETTERS) {
            now += 600;
            let is_fine = !was_taken && dead(&database) == i64::from(MOST_DEAD_LETTERS) - 1;
            was_taken |= is_fine && turn(&database, now, Some(200)).is_some();
            turn(&database, now, Some(500));
            assert!(now < 5 * 86_400, "it takes less than five days");
        }
        let Outcome::Webhooks(webhooks) = own(&database, What::Webhooks) else { panic!() };
        let filter = AuditFilter { event_type: Some("webhook.disabled".to_owned()), limit: 9, ..AuditFilter::default() };
        let Outcome::Audit(rows, _) = by(&database, ROOT, What::Audit(Box::new(filter))) else { panic!() };
        assert_eq!((webhooks[0].enabled, webhooks[0].disabled), (taken, (!taken).then(|| at(now))), "{taken}");
        assert_eq!((rows.len(), dead(&database)), if taken { (0, 10) } else { (1, 30) }, "what waited is given up with it");
        assert!(rows.iter().all(|(_, _, row)| row.metadata.as_deref() == Some(r#"{"reason":"dead_letters"}"#)));
    }
}

#[test]
fn a_claim_disables_what_was_made_before_it_and_what_comes_late_from_before_is_refused() {
    let database = hooked();
    let made_in = |number: u32, generation: u32| {
        What::Subscribe(Box::new(Webhook { root_generation: Some(generation), ..webhook(number, Some(1), &["*"]) }))
    };
    for (number, generation) in [(2, 4), (3, 5)] {
        assert!(matches!(by(&database, ROOT, made_in(number, generation)), Outcome::Webhook(_, true)));
    }
    run(&database, 9, command(Some(ROOT), subscribe(4, Some(1), &["*"])));
    tell(&database, 9, "agent.created", None);
    assert_eq!(due(&database, 9).len(), 4, "one is being told to each");
    let claim = |key: &str, generation| What::Claimed { key: key.to_owned(), until: at(100), at: at(8), generation };
    let told = Command { emit: vec![emit("claim.completed", None)], ..command(None, claim("first", 5)) };
    assert_eq!([(); 2].map(|()| run(&database, 10, told.clone())), [Outcome::Done(true), Outcome::Done(false)]);
    let Outcome::Webhooks(all) = own(&database, What::Webhooks) else { panic!() };
    let reasons: Vec<_> = all.iter().map(|webhook| (webhook.enabled, webhook.reason.as_deref())).collect();
    assert_eq!(reasons, [(false, Some("claimed")), (false, Some("claimed")), (true, None), (true, None)], "by generation, else by time");
    let waits = |number: u32| log(&database, None, number).0.iter().filter(|delivery| delivery.due.is_some()).count();
    assert_eq!([1, 2, 3, 4].map(waits), [0, 0, 2, 2], "nothing waits for those of before, not even the claim");
    assert_eq!(refused(&by(&database, ROOT, made_in(5, 4))), Refused::Forbidden, "whoever made it has not heard of the claim");
    assert!(matches!(by(&database, ROOT, made_in(6, 5)), Outcome::Webhook(_, true)));
    own(&database, claim("earlier, told late", 3));
    assert_eq!(refused(&by(&database, ROOT, made_in(7, 4))), Refused::Forbidden);
}

#[test]
fn no_sibling_takes_all_the_webhooks_and_none_of_them_those_of_the_root() {
    let database = family();
    for number in 6..9 {
        agent(by(&database, ROOT, create(number, 1, &format!("agent {number}"), 3)));
    }
    let mut number = 0;
    let mut more = |of: u32| {
        number += 1;
        by(&database, of, subscribe(number, Some(of), &["*"]))
    };
    // 4 and 5 are below 2.
    for of in [2, 2, 2, 2, 4, 4, 5, 5] {
        assert!(matches!(more(of), Outcome::Webhook(_, true)));
    }
    assert_eq!([2, 4, 5].map(|of| refused(&more(of))), [Refused::TooMany; 3]);
    for of in [3, 6] {
        (0..8).for_each(|_| assert!(matches!(more(of), Outcome::Webhook(_, true))));
        assert_eq!(refused(&more(of)), Refused::TooMany);
    }
    assert_eq!([7, 8].map(|of| refused(&more(of))), [Refused::TooMany; 2]);
    (0..8).for_each(|_| assert!(matches!(more(ROOT), Outcome::Webhook(_, true))));
    assert_eq!(refused(&more(ROOT)), Refused::TooMany);
}

#[test]
fn no_agent_delivers() {
    let database = hooked();
    let settled = What::Settled { number: 1, attempt: 1, status: Some(200), error: None, jitter: 0, took: None };
    for what in [What::Due { limit: 1, except: Vec::new(), quick: false }, settled] {
        assert_eq!(refused(&by(&database, ROOT, what)), Refused::Forbidden);
    }
}

#[test]
fn logs_have_the_newest_first_and_count_all_pages() {
    let database = hooked();
    for event in ["a.a", "b.b", "c.c"] {
        tell(&database, 0, event, None);
    }
    let page = by(&database, ROOT, What::Deliveries { webhook: whk(1), limit: 2, offset: 1 });
    let Outcome::Deliveries(page, 3) = page else { panic!("{page:?}") };
    assert_eq!(page.iter().map(|delivery| delivery.event_type.as_str()).collect::<Vec<_>>(), ["b.b", "a.a"]);
}

/// Fills the queue with rows of one state.
fn fill(database: &Database, rows: u64, state: &'static str) {
    database.complete(STEPS);
    let due = if state == "pending" { "0" } else { "NULL" };
    database.query(&format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows}) INSERT INTO tenant_delivery
        (webhook, event_type, payload, attempt, due, state, created, updated) SELECT '{}', 'old', '', 1, {due}, '{state}', {created}, {created}
        + i FROM n", whk(1), created = at(0).millis()), 0);
    for agent in ["", whk(1).as_str()] {
        database.query(
            &format!(
                "INSERT INTO tenant_tally VALUES ('{agent}', 'deliveries', {rows})
            ON CONFLICT (agent, what) DO UPDATE SET n = n + {rows}"
            ),
            0,
        );
    }
}

fn of_state(database: &Database, state: &str) -> i64 {
    count(database, &format!("SELECT count(*) FROM tenant_delivery WHERE state = '{state}'"))
}

#[test]
fn the_queue_is_bounded_and_what_was_delivered_goes_first() {
    let database = hooked();
    fill(&database, 2, "delivered");
    fill(&database, 2, "dead");
    fill(&database, MOST - 4, "pending");
    for expected in [(1, 2, 9997), (0, 2, 9998), (0, 1, 9999), (0, 0, 10_000), (0, 0, 10_000)] {
        tell(&database, 100, "new.one", None);
        assert_eq!((of_state(&database, "delivered"), of_state(&database, "dead"), of_state(&database, "pending")), expected);
        assert_eq!(log(&database, None, 1).1, MOST);
    }
    assert_eq!(count(&database, "SELECT count(*) FROM tenant_delivery WHERE event_type = 'new.one'"), 5);
}

#[test]
fn whoever_has_the_most_makes_room_and_nobody_else() {
    let database = hooked();
    own(&database, subscribe(2, Some(3), &["*"]));
    tell(&database, 0, "few.first", Some(3));
    fill(&database, MOST - 2, "pending");
    for _ in 0..5 {
        tell(&database, 100, "new.one", Some(3));
    }
    assert_eq!((log(&database, None, 1).1, log(&database, None, 2).1), (MOST - 6, 6));
    assert_eq!(count(&database, "SELECT count(*) FROM tenant_delivery"), i64::try_from(MOST).unwrap());
    assert_eq!(count(&database, "SELECT count(*) FROM tenant_delivery WHERE event_type = 'few.first'"), 2);
}

#[test]
fn dead_letters_can_be_seen_for_a_week_and_delivered_ones_for_three_days() {
    let database = hooked();
    fill(&database, 40, "delivered");
    fill(&database, 40, "dead");
    tell(&database, 0, "new.one", None);
    let ring = |after: Ttl| {
        let now = at(1).plus(after);
        database.alarm.set(Some(now));
        database.ring(now);
        (of_state(&database, "delivered"), of_state(&database, "dead"), log(&database, None, 1).1)
    };
    assert_eq!(ring(Ttl::from_millis(DELIVERED_FOR.millis() - 2000)), (40, 40, 81));
    assert_eq!(ring(DELIVERED_FOR), (8, 40, 49), "a few at a time");
    assert_eq!(ring(DELIVERED_FOR), (0, 40, 41));
    assert_eq!(ring(Ttl::from_millis(DEAD_FOR.millis() - 2000)), (0, 40, 41));
    assert_eq!(ring(DEAD_FOR), (0, 8, 9));
}

#[test]
fn the_alarm_rings_for_what_is_due_and_is_patient_if_nobody_takes_it() {
    let database = hooked();
    assert_eq!(database.alarm.get(), None);
    tell(&database, 10, "agent.created", None);
    assert_eq!(database.alarm.get(), Some(at(10)));
    database.ring(at(10));
    assert_eq!(database.alarm.get(), Some(at(15)));
    let given = due(&database, 15);
    database.ring(at(15));
    assert_eq!(database.alarm.get(), Some(at(15).plus(LEASE)));
    settle(&database, 16, &given[0].0, None);
    assert_eq!(database.alarm.get(), Some(at(21)), "earlier than the alarm that was set");
    let given = due(&database, 21);
    settle(&database, 21, &given[0].0, Some(200));
    let set: Timestamp = database.alarm.get().unwrap();
    database.ring(set);
    assert_eq!(database.alarm.get(), None);
}

#[test]
fn where_nothing_can_be_told_at_all_the_alarm_comes_ever_later() {
    let database = hooked();
    tell(&database, 0, "agent.created", None);
    let mut rings = vec![0];
    while rings.len() < 14 {
        let now = at(*rings.last().unwrap());
        database.ring_after(now, false);
        rings.push(at(0).until(database.alarm.get().unwrap()).seconds());
    }
    assert_eq!(rings, [0, 5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5120, 8720, 12_320]);
    database.ring(at(12_320));
    assert_eq!(database.alarm.get(), Some(at(12_325)), "as always once it can be told");
}

#[test]
fn what_concerns_somebody_suspended_is_told_too() {
    let database = hooked();
    let suspend = What::SetStatus { id: reg(2), status: Status::Suspended };
    let suspended = Command { emit: vec![emit("agent.suspended", Some(2))], ..command(Some(1), suspend) };
    agent(run(&database, 0, suspended));
    assert_eq!(told(&database), [(1, "agent.suspended".to_owned())]);
}
