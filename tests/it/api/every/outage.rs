//! The stores fail in the middle of a call: at each of its questions, before it is answered or after.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Call, Stage};
use crate::world::{Answer, Outage, World};

/// What ends something for good, and finds it ended when it comes again.
const ENDS: [(&str, &str); 4] = [
    ("revokeCredential", "already_revoked"),
    ("revoke_credential", "already_revoked"),
    ("deletePolicy", "not_found"),
    ("deleteWebhook", "not_found"),
];
/// What refuses as RFC 6749 has it.
const OAUTH: [&str; 3] = ["apiToken", "apiIntrospect", "apiRevoke"];
/// What is counted, of all that one call makes: agents and delegations with their records and in lists, keys, policies, webhooks, and events.
const TABLES: [&str; 5] = ["tenant_agent", "tenant_credential", "tenant_delegation", "tenant_policy", "tenant_webhook"];

/// The store fails from a moment on, for a moment, or carries out what it is asked and does not say so.
const OUTAGES: [Outage; 3] = [
    Outage { after: 0, answer: false, lasting: true },
    Outage { after: 0, answer: false, lasting: false },
    Outage { after: 0, answer: true, lasting: false },
];

#[test]
fn whatever_store_fails_at_whatever_moment_a_request_is_answered_with_503_and_the_same_again_succeeds_once() {
    let stage = Stage::set();
    stage.routes().iter().for_each(|call| survives(call, &stage));
}

#[test]
fn whatever_store_fails_at_whatever_moment_a_tool_says_so_and_the_same_again_succeeds_once() {
    let stage = Stage::set();
    stage.tools().iter().for_each(|call| survives(call, &stage));
}

/// Lets every question that a call asks of a store fail, and sends it again.
fn survives(call: &Call, stage: &Stage) {
    let well = stage.copy();
    let most = usize::MAX;
    well.platform.outage.set(Some(Outage { after: most, answer: false, lasting: false }));
    assert!(call.succeeded(&call.send(&stage.key, &well)), "{}", call.name);
    let questions = most - well.platform.outage.take().unwrap().after;
    again(call, stage, &well);
    let wanted = counted(&well);
    for after in 0..questions {
        // What changes nothing has no more to lose than its answer.
        for outage in OUTAGES.into_iter().take(if call.reads() { 1 } else { OUTAGES.len() }) {
            let what = format!("{}, question {after} of {questions}, {outage:?}", call.name);
            let mut world = stage.copy();
            world.platform.outage.set(Some(Outage { after, ..outage }));
            let first = call.send(&stage.key, &world);
            world.platform.outage.set(None);
            assert!(call.succeeded(&first) || is_unavailable(call, &first), "{what}: {} {}", first.status(), call.told(&first));
            world.forget();
            let second = again(call, stage, &world);
            let is_ended = || ENDS.iter().any(|(name, code)| *name == call.name && call.told(&second)["error"] == *code);
            assert!(call.succeeded(&second) || is_ended(), "{what}, again: {} {}", second.status(), call.told(&second));
            for name in ["raw_key", "api_key"] {
                if let Some(key) = call.told(&second)[name].as_str() {
                    assert_eq!(world.call(key), 200, "{what}: {name}");
                }
            }
            assert_eq!(counted(&world), wanted, "{what}: first {}", first.status());
        }
    }
}

/// The same call, a little later.
fn again(call: &Call, stage: &Stage, world: &World) -> Answer {
    world.later(6);
    let answer = call.send(&stage.key, world);
    world.ring();
    answer
}

/// A refusal that says when to come again: nothing else is one of an outage.
fn is_unavailable(call: &Call, answer: &Answer) -> bool {
    let told = call.told(answer);
    if call.is_tool() && answer.status() == 200 {
        return answer.json()["result"]["isError"] == true && told["error"] == "temporarily_unavailable" && told["retry_after"].is_u64();
    }
    let media = if call.is_tool() || OAUTH.contains(&call.name) { "application/json" } else { "application/problem+json" };
    answer.status() == 503
        && answer.header("retry-after").is_some_and(|wait| wait.parse::<u32>().is_ok())
        && answer.header("content-type") == Some(media)
        && answer.json()["error"] == "temporarily_unavailable"
}

/// How much there is of everything that a call makes once.
fn counted(world: &World) -> BTreeMap<String, usize> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut count = |what: String, many: usize| *counts.entry(what).or_default() += many;
    for (name, record) in world.platform.cells.borrow().iter() {
        let kind = name.split('/').next().unwrap();
        if ["registration", "delegation"].contains(&kind) {
            count(kind.to_owned(), 1);
            count("keys".to_owned(), keys(&serde_json::from_str(record).unwrap()));
        }
    }
    for database in world.platform.accounts.borrow().values() {
        if database.query("SELECT 1 FROM sqlite_master WHERE name = 'tenant_audit'", 0).is_empty() {
            continue;
        }
        // A table that is not there is as one with nothing in it.
        let is_there = |table: &&str| !database.query(&format!("SELECT 1 FROM sqlite_master WHERE name = '{table}'"), 0).is_empty();
        let there = TABLES.into_iter().filter(is_there);
        there.for_each(|table| count(table.to_owned(), database.query(&format!("SELECT 1 FROM {table}"), 0).len()));
        // What was asked or refused is counted each time that it was.
        let events = "SELECT event_type, outcome FROM tenant_audit WHERE event_type NOT IN ('request.failed', 'policy.evaluated')";
        database.query(events, 0).iter().for_each(|event| count(format!("{event:?}"), 1));
    }
    counts
}

/// The API keys of a registration that count: a token has a family of refresh tokens among them, each its own.
fn keys(record: &Value) -> usize {
    let is_key = |known: &&Value| known["of"].is_null() && known["ended"] == false;
    match record {
        Value::Object(members) => {
            let credentials = members.get("credentials").and_then(Value::as_array).into_iter().flatten();
            credentials.filter(is_key).count() + members.values().map(keys).sum::<usize>()
        }
        Value::Array(items) => items.iter().map(keys).sum(),
        _ => 0,
    }
}
