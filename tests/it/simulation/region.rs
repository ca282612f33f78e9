//! A region where nothing is known yet, and an account that everybody asks for.

use postern::memory::Memory;
use postern::time::Ttl;
use serde_json::{Value, json};

use super::paths::WIDE;
use super::stores::Region;

const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const ADDRESS: &str = "198.51.100.1";

/// An agent with its credentials.
struct Agent {
    id: String,
    assertion: String,
    key: String,
    token: String,
}

fn quickstart(region: &Region) -> (String, String) {
    let (status, body) = region.json(ADDRESS, "/api/v1/agents/quickstart", &json!({ "name": "root", "agent_type": "orchestrator" }));
    assert_eq!(status, 201, "{body}");
    (body["api_key"].as_str().unwrap().to_owned(), body["token"]["access_token"].as_str().unwrap().to_owned())
}

fn agent(region: &Region) -> Agent {
    let (status, body) = region.json(ADDRESS, "/agent/identity", &json!({ "type": "anonymous" }));
    assert_eq!(status, 200, "{body}");
    let text = |body: &Value, name: &str| body[name].as_str().unwrap().to_owned();
    let (id, assertion) = (text(&body, "registration_id"), text(&body, "identity_assertion"));
    let (_, body) = region.form(ADDRESS, "/oauth2/token", &[("grant_type", JWT_BEARER), ("assertion", &assertion)]);
    let (key, _) = quickstart(region);
    Agent { id, assertion, key, token: text(&body, "access_token") }
}

fn bearer(region: &Region, token: &str) -> u16 {
    region.send(ADDRESS, "GET", "/api/v1/auth/me", &[("authorization", &format!("Bearer {token}"))], "").0
}

/// What a request asks of objects and of the directory.
fn cost(region: &Region, status: u16, request: &dyn Fn() -> u16) -> (u64, u64) {
    let before = region.stores.tally.get();
    assert_eq!(request(), status);
    let since = region.stores.tally.get().since(before);
    (since.calls, since.reads)
}

#[test]
fn a_region_where_nothing_is_known_asks_for_keys_and_for_what_it_judges_once_and_then_as_any_other() {
    let mut region = Region::new(&WIDE);
    let known = agent(&region);
    let mut rows = Vec::new();
    for (published, age) in [("just now", 1), ("long ago", 120)] {
        // As long as copies of before may be shown, whoever has none asks the key ring itself.
        region.later(Ttl::from_seconds(age));
        for path in ["discovery", "keys", "registration", "token by assertion", "token by API key", "bearer", "introspection"] {
            region.memory = Memory::default();
            let get = |path: &str| region.send(ADDRESS, "GET", path, &[], "").0;
            let token = |fields: &[(&str, &str)]| region.form(ADDRESS, "/oauth2/token", fields).0;
            let request = || match path {
                "discovery" => get("/.well-known/oauth-authorization-server"),
                "keys" => get("/.well-known/jwks.json"),
                "registration" => region.json(ADDRESS, "/agent/identity", &json!({ "type": "anonymous" })).0,
                "token by assertion" => token(&[("grant_type", JWT_BEARER), ("assertion", &known.assertion)]),
                "token by API key" => token(&[("grant_type", "client_credentials"), ("client_secret", &known.key)]),
                "bearer" => bearer(&region, &known.token),
                _ => {
                    let fields =
                        [("token", known.token.as_str()), ("client_id", known.id.as_str()), ("client_secret", known.token.as_str())];
                    region.form(ADDRESS, "/oauth2/introspect", &fields).0
                }
            };
            let (cold, warm) = (cost(&region, 200, &request), cost(&region, 200, &request));
            rows.push((published, path, cold, warm));
        }
    }
    println!("{:<11} {:<20} {:>12} {:>9} {:>12} {:>9}", "keys", "path", "first: calls", "KV reads", "then: calls", "KV reads");
    for (published, path, cold, warm) in &rows {
        println!("{published:<11} {path:<20} {:>12} {:>9} {:>12} {:>9}", cold.0, cold.1, warm.0, warm.1);
        let own = match *path {
            "discovery" | "keys" | "bearer" | "introspection" => 0,
            // Now and then places for many, and permits.
            "registration" => 4,
            _ => 2,
        };
        assert!(warm.0 <= own && warm.1 == 0, "{path}: {warm:?}");
        // The keys, what is judged, and places for tokens.
        assert!(cold.0 <= warm.0 + 3 && cold.1 <= 1, "{path}: {cold:?}");
    }
}

#[test]
fn an_account_that_everybody_asks_for_is_asked_once_a_second_and_its_budget_answers_429_in_time() {
    const REQUESTS: u64 = 5000;
    const BUDGET: u64 = 300;
    let budget = BUDGET.to_string();
    let mut vars = WIDE.to_vec();
    vars.retain(|(name, _)| *name != "API_PER_MINUTE");
    vars.push(("API_PER_MINUTE", &budget));
    let region = Region::new(&vars);
    let (key, token) = quickstart(&region);
    let asked = |name: &str, requests: &dyn Fn() -> Vec<u16>| {
        region.stores.asked.borrow_mut().clear();
        region.stores.noting.set(true);
        let statuses = requests();
        region.stores.noting.set(false);
        let asked = region.stores.asked.borrow().clone();
        let count = |status: u16| u64::try_from(statuses.iter().filter(|answered| **answered == status).count()).unwrap();
        let of = |kind: &str| asked.iter().filter(|(name, _)| name.starts_with(kind)).map(|(_, count)| count).sum::<u64>();
        let row = [count(200), count(429), of("registration/"), of("account/"), asked.values().sum()];
        println!("{name:<46} {:>7} {:>6} {:>6} {:>13} {:>8} {:>8}", statuses.len(), row[0], row[1], row[2], row[3], row[4]);
        row
    };
    println!("{:<46} {:>7} {:>6} {:>6} {:>13} {:>8} {:>8}", "", "requests", "200", "429", "registration", "account", "objects");
    let at_once = asked("one token, within the liveness window", &|| (0..REQUESTS).map(|_| bearer(&region, &token)).collect());
    assert_eq!(at_once, [REQUESTS, 0, 0, 0, 0], "nobody is asked");
    let over_time = asked("one token, over ten seconds", &|| {
        (0..REQUESTS)
            .map(|_| {
                region.later(Ttl::from_millis(10_000 / REQUESTS));
                bearer(&region, &token)
            })
            .collect()
    });
    let [answered, refused, registration, account, all] = over_time;
    assert_eq!((answered, refused, account, all), (REQUESTS, 0, 0, registration), "the registration alone");
    assert!(registration <= 11, "once a second: {registration}");
    let list = || region.send(ADDRESS, "GET", "/api/v1/agents", &[("x-agent-key", &key)], "").0;
    let managed = asked("pages of its agents, in one moment", &|| (0..REQUESTS).map(|_| list()).collect());
    let [answered, refused, registration, account, _] = managed;
    assert_eq!((answered, refused), (BUDGET, REQUESTS - BUDGET), "what is over the budget is told so, and nothing fails");
    assert!(registration <= 1 && account == 2 * BUDGET + 1, "two questions for each that may, and one that tells of the end: {account}");
    region.later(Ttl::from_seconds(61));
    assert_eq!(list(), 200, "and then it may again");
}
