use postern::tenant::delivery::{DEAD_FOR, DELIVERED_FOR, LEASE, MOST, wait};
use postern::tenant::{Command, Delivery, DeliveryState, Outcome, Refused, Status, Webhook, What, webhook as limits};
use postern::time::{Timestamp, Ttl};

use super::{ROOT, agent, at, by, command, count, emit, family, own, refused, reg, run, subscribe, webhook, whk};
use crate::sqlite::Database;

fn tell(database: &Database, seconds: u64, event: &str, about: Option<u32>) {
    let outcome = run(database, seconds, Command { emit: vec![emit(event, about)], ..command(None, What::Note) });
    assert_eq!(outcome, Outcome::Done(true));
}

fn due(database: &Database, seconds: u64) -> Vec<(Delivery, Webhook)> {
    match run(database, seconds, command(None, What::Due { limit: 16, except: Vec::new() })) {
        Outcome::Due(due) => due,
        other => panic!("{other:?}"),
    }
}

fn settle(database: &Database, seconds: u64, delivery: &Delivery, status: Option<u32>) -> Outcome {
    let (number, attempt) = (delivery.number, delivery.attempt);
    let error = status.is_none().then(|| "no answer".to_owned());
    run(database, seconds, command(None, What::Settled { number, attempt, status, error, jitter: 0 }))
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

/// The webhooks that were told of it, in the order of their numbers.
fn told(database: &Database) -> Vec<(u32, String)> {
    let number = |webhook: &Webhook| (0..100).find(|number| whk(*number) == webhook.id).unwrap();
    let mut told: Vec<_> = due(database, 0).iter().map(|(delivery, webhook)| (number(webhook), delivery.event_type.clone())).collect();
    told.sort();
    told
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
        by(&database, ROOT, subscribe(number, Some(2), &["*"]));
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
    run(&database, 0, command(None, What::Settled { number: 1, attempt: delivery.attempt, status: None, error: None, jitter: u32::MAX }));
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
fn sixteen_are_given_out_at_once_the_longest_due_first() {
    let database = hooked();
    for seconds in (0..20).rev() {
        tell(&database, seconds, "agent.created", None);
    }
    let given = due(&database, 30);
    assert_eq!(given.iter().map(|(delivery, _)| delivery.created).collect::<Vec<_>>(), (0..16).map(at).collect::<Vec<_>>());
    assert_eq!(due(&database, 30).len(), 4);
}

#[test]
fn no_agent_delivers() {
    let database = hooked();
    let settled = What::Settled { number: 1, attempt: 1, status: Some(200), error: None, jitter: 0 };
    for what in [What::Due { limit: 1, except: Vec::new() }, settled] {
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
fn what_concerns_somebody_suspended_is_told_too() {
    let database = hooked();
    let suspend = What::SetStatus { id: reg(2), status: Status::Suspended };
    let suspended = Command { emit: vec![emit("agent.suspended", Some(2))], ..command(Some(1), suspend) };
    agent(run(&database, 0, suspended));
    assert_eq!(told(&database), [(1, "agent.suspended".to_owned())]);
}
