//! Edge cases of keys and agents that are about more than one family of routes.

use postern::id::RegistrationId;
use postern::secret::{ApiKey, Secret};
use serde_json::{Value, json};

use super::{Call, Stage, What};
use crate::openapi;

fn route(name: &'static str, method: &'static str, path: &str, body: Value) -> Call {
    Call { name, what: What::Route { method, path: path.to_owned(), body } }
}

/// Edge case 110. Digests are compared in constant time, and a key that was never made is found out before any store is asked.
#[test]
fn a_key_with_another_end_is_told_to_the_byte_what_an_unknown_one_is() {
    let stage = Stage::set();
    let minted = |agent: &RegistrationId| {
        let master = &stage.world.config.masters.current;
        Secret::<ApiKey>::mint(&stage.world.config.api_key_prefix, agent.digits(), [0x77; 32], master).reveal()
    };
    let wrong = minted(&stage.root.parse().unwrap());
    assert_eq!(wrong[..16], stage.key[..16], "the same place, another secret");
    let unknown = minted(&RegistrationId::from_bytes([0x55; 16]));
    let ways = |key: &str| {
        let grant = json!({ "grant_type": "client_credentials", "client_secret": key });
        let (bearer, other) = (format!("Bearer {key}"), format!("Bearer {}", stage.key));
        let calls: [(Call, [(&str, &str); 1]); 6] = [
            (route("listAgents", "GET", "/api/v1/agents", Value::Null), [("authorization", &bearer)]),
            (route("listAgents", "GET", "/api/v1/agents", Value::Null), [("x-agent-key", key)]),
            (route("apiToken", "POST", "/api/v1/auth/token", grant), [("accept", "*/*")]),
            (route("apiIntrospect", "POST", "/api/v1/auth/token/introspect", json!({ "token": key })), [("authorization", &other)]),
            (route("apiRevoke", "POST", "/api/v1/auth/token/revoke", json!({ "token": key })), [("accept", "*/*")]),
            (Call { name: "authenticate", what: What::Tool(json!({ "api_key": key })) }, [("accept", "*/*")]),
        ];
        calls.map(|(call, headers)| {
            let answer = call.send_as(&headers, &stage.copy());
            (answer.status(), format!("{:?}", answer.0.headers()), String::from_utf8(answer.0.body().to_vec()).unwrap())
        })
    };
    let told = ways(&wrong);
    assert_eq!(told.each_ref().map(|(status, ..)| *status), [401, 401, 401, 200, 200, 200]);
    assert_eq!(told, ways(&unknown));
    assert_eq!(told, ways("postern_x"));
}

/// Edge case 112.
#[test]
fn whatever_a_suspended_agent_has_is_of_no_use_until_it_is_brought_back() {
    let stage = Stage::set();
    let world = &stage.world;
    let send = |key: &str, method: &'static str, path: &str, body: Value| route("", method, path, body).send_once(key, world);
    let got = |body: Value| route("apiToken", "POST", "/api/v1/auth/token", body).send_once("", world);
    let child = got(json!({ "grant_type": "client_credentials", "client_secret": stage.childs_key }));
    let (token, refresh) = (child.text("access_token"), child.text("refresh_token"));
    let by_delegation =
        || got(json!({ "grant_type": "agent_delegation", "delegation_id": stage.delegation, "client_secret": stage.childs_key }));
    let delegated = by_delegation().text("access_token");
    let grandchild = send(&stage.childs_key, "POST", "/api/v1/agents", json!({ "name": "Below", "agent_type": "tool" })).json();
    let below = send(&stage.childs_key, "POST", "/api/v1/credentials", json!({ "agent_id": grandchild["data"]["id"] })).text("raw_key");
    let offer = json!({ "delegate_agent_id": stage.child, "scopes": ["api.read"] });
    let active = |token: &str| {
        let fields = [("token", token), ("client_secret", stage.childs_key.as_str())];
        world.form("/oauth2/introspect", &fields).json()["active"] == true
    };
    let counts = || {
        let calls = [&stage.childs_key, &token, &delegated, &below].map(|credential| world.call(credential) == 200);
        let grants = [by_delegation().status() == 200, send(&stage.key, "POST", "/api/v1/delegations", offer.clone()).status() == 201];
        [&calls[..], &grants[..], &[active(&token)]].concat()
    };
    assert_eq!(counts(), [true; 7]);
    let path = format!("/api/v1/agents/{}", stage.child);
    let set = |status: &str| send(&stage.key, "PATCH", &path, json!({ "status": status })).status();
    assert_eq!(set("suspended"), 200);
    world.later(1);
    assert_eq!(counts(), [false; 7]);
    let again = || got(json!({ "grant_type": "refresh_token", "refresh_token": refresh }));
    assert_eq!((again().status(), again().text("error").as_str()), (400, "invalid_grant"));
    assert_eq!(set("active"), 200);
    world.later(1);
    assert_eq!(counts(), [true; 7]);
    assert_eq!(again().status(), 200);
}

/// Edge case 117: a tree without cycles, since nobody is given another parent.
#[test]
fn nobody_is_moved_below_another_agent_least_of_all_below_their_own_children() {
    let stage = Stage::set();
    for (id, parent) in [(&stage.root, &stage.child), (&stage.child, &stage.child)] {
        let agent = || route("readAgent", "GET", &format!("/api/v1/agents/{id}"), Value::Null).send_once(&stage.key, &stage.world).json();
        let before = agent();
        let body = json!({ "parent_agent_id": parent });
        route("changeAgent", "PATCH", &format!("/api/v1/agents/{id}"), body).send_once(&stage.key, &stage.world);
        assert_eq!(agent()["data"]["parent_agent_id"], before["data"]["parent_agent_id"]);
    }
}

/// Edge case 118.
#[test]
fn every_list_tells_how_many_there_are_on_all_pages_and_refuses_pages_that_are_none() {
    let stage = Stage::set();
    let routes = stage.routes();
    let mut lists = 0;
    for call in routes.iter() {
        let (.., operation) = openapi::operations().find(|(.., one)| one["operationId"] == call.name).unwrap();
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let Some(limit) = parameters.into_iter().find(|one| one["name"] == "limit") else { continue };
        let What::Route { path, .. } = &call.what else { continue };
        let ask = |query: &str| route(call.name, "GET", &format!("{path}?{query}"), Value::Null).send_once(&stage.key, &stage.copy());
        let most = limit["schema"]["maximum"].as_u64().unwrap();
        for query in ["limit=0", &format!("limit={}", most + 1), "limit=-1", "limit=x", "limit=1.5", "limit=99999999999999999999"] {
            let refused = ask(query);
            assert_eq!((refused.status(), refused.text("error").as_str()), (422, "invalid_request"), "{path}?{query}");
        }
        let (all, one) = (ask(&format!("limit={most}")).json(), ask("limit=1").json());
        assert!(one["data"].as_array().unwrap().len() <= 1, "{path}");
        assert_eq!(one["meta"]["total"], all["meta"]["total"], "{path}");
        let is_counted = all["meta"]["total"].as_u64() == Some(all["data"].as_array().unwrap().len() as u64);
        assert!(is_counted || all["meta"]["total"].is_null(), "{path}: {}", all["meta"]);
        lists += 1;
    }
    assert!(lists > 5, "{lists}");
}

/// Clients of AgentAuth send what they do not want to say as null.
#[test]
fn a_null_in_place_of_what_need_not_be_there_is_as_nothing() {
    let stage = Stage::set();
    let mut tried = 0;
    for call in stage.routes() {
        let What::Route { method, path, body: Value::Object(fields) } = &call.what else { continue };
        let (.., operation) = openapi::operations().find(|(.., one)| one["operationId"] == call.name).unwrap();
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        let members = schema["properties"].as_object().into_iter().flatten();
        let absent = members.filter(|(name, member)| {
            !fields.contains_key(*name) && member["type"].as_array().is_some_and(|kinds| kinds.contains(&json!("null")))
        });
        let with: serde_json::Map<String, Value> =
            fields.clone().into_iter().chain(absent.map(|(name, _)| (name.clone(), Value::Null))).collect();
        if with.len() == fields.len() {
            continue;
        }
        let (plain, nulls) =
            [fields.clone(), with].map(|body| route(call.name, method, path, body.into()).send_once(&stage.key, &stage.copy())).into();
        assert!(plain.status() < 300 && plain.json() == nulls.json(), "{method} {path}: {}", nulls.json());
        tried += 1;
    }
    assert!(tried > 6, "{tried}");
}
