//! Which objects one request of each path asks, after others like it.

use std::cell::Cell;
use std::collections::BTreeMap;

use serde_json::json;

use crate::api::party::Party;
use crate::oauth;
use crate::person::Person;
use crate::provider;
use crate::world::World;

/// Limits that nobody here runs into.
pub const WIDE: [(&str, &str); 6] = [
    ("REGISTRATIONS_PER_NETWORK_PER_HOUR", "100000"),
    ("VOUCHED_REGISTRATIONS_PER_NETWORK_PER_HOUR", "100000"),
    ("REGISTRATIONS_PER_HOUR", "10000000"),
    ("CLIENTS_PER_HOUR", "10000000"),
    ("CLIENTS_PER_NETWORK_PER_HOUR", "1000000"),
    ("API_PER_MINUTE", "1000000"),
];

/// What is asked of objects and of the directory meanwhile. The connection trace, which is written after the answer and not for each
/// request, and what is drawn for several at once, are counted elsewhere.
fn calls(world: &World, request: impl FnOnce()) -> String {
    world.platform.calls.borrow_mut().clear();
    request();
    let calls: BTreeMap<String, u64> = world.platform.calls.borrow().clone();
    let is_of_it = |name: &str| !["trace", "budget", "status_index"].iter().any(|other| name.starts_with(other));
    let calls = calls.into_iter().filter(|(name, _)| is_of_it(name));
    calls.map(|(name, count)| if count == 1 { name } else { format!("{count} × {name}") }).collect::<Vec<_>>().join(", ")
}

/// What is usual, once the first ones have made what is there from then on: now and then a network draws permits for the next ten.
fn usual(world: &World, request: impl Fn()) -> String {
    request();
    (0..3).map(|_| calls(world, &request)).min_by_key(String::len).unwrap_or_default()
}

#[test]
fn each_path_asks_no_more_objects_than_it_needs() {
    let world = provider::world_with(&WIDE);
    let (mut told, number) = (Vec::new(), Cell::new(0));
    let next = || number.replace(number.get() + 1);
    let mut path = |name: &'static str, calls: String, wanted: &str| {
        println!("{name:<44} {calls}");
        told.push((name, calls, wanted.to_owned()));
    };
    let anonymous = || assert_eq!(world.json("/agent/identity", &json!({ "type": "anonymous" })).status(), 200);
    path("registration", usual(&world, anonymous), "limit one, registration Open");
    let quickstart = || {
        assert_eq!(
            world.json("/api/v1/agents/quickstart", &json!({ "name": format!("agent {}", next()), "agent_type": "tool" })).status(),
            201
        )
    };
    path("quickstart", usual(&world, quickstart), "account Arrive, limit one, registration Authenticate, registration Open");
    let jag = || assert_eq!(provider::present(&world, &provider::word(&world, "grace", "grace@example.com")).status(), 200);
    jag();
    // What the registration has to tell its person's account is told.
    world.ring();
    path("ID-JAG of a known subject", usual(&world, jag), "account Look, limit one, link Look, once Burn, registration Recognise");
    let client = || drop(oauth::register(&world, &[&format!("https://client.example/{}", next())]));
    path("a new client", usual(&world, client), "client Open, client Renew, limit one");
    let known = || drop(oauth::register(&world, &[oauth::BACK]));
    path("the same client again", usual(&world, known), "client Renew");

    let id = oauth::register(&world, &[oauth::BACK]);
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let mut code = || {
        let page = ada.get(&oauth::query(&id, &[]));
        let page = if page.status() == 200 { ada.post("/oauth2/authorize/consent", &[("answer", "allow")]) } else { page };
        world.ring();
        oauth::find(&oauth::carried(&page), "code")
    };
    for _ in 0..2 {
        assert_eq!(oauth::exchange(&world, &id, &code()).status(), 200);
    }
    let sent = code();
    path("a code", calls(&world, || assert_eq!(oauth::exchange(&world, &id, &sent).status(), 200)), "grant Redeem");

    let party = Party::claimed(&world, "root@example.com");
    path("a token by API key", usual(&world, || drop(party.token())), "registration Issue");
    let token = party.token();
    let call = || assert_eq!(world.call(&token), 200);
    path("a bearer token again", usual(&world, call), "");
    world.later(2);
    path("a bearer token after a second", calls(&world, call), "registration Look");
    let question = json!({ "agent_id": party.id, "action": "read", "resource": "/reports/2027", "scope": "api.read" });
    let asks = || assert_eq!(party.send("POST", "/policies/evaluate", &question).status(), 200);
    path("check_permission", usual(&world, asks), "account Enter");
    let page = || assert_eq!(party.get("/agents?limit=100").status(), 200);
    path("a page of agents", usual(&world, page), "account Agents, account Enter");
    let told: Vec<_> = told.iter().filter(|(_, calls, wanted)| calls != wanted).collect();
    assert!(told.is_empty(), "{told:#?}");
}
