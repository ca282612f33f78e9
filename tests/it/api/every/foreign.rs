//! Edge cases 113, 114 and 116: names of another account, wherever a name can be said. They are as unknown as those that never were, and
//! nothing happens to what they name.

use std::collections::BTreeSet;

use postern::id::{AccountId, CredentialId, DelegationId, PolicyId, RegistrationId, WebhookId};
use serde_json::{Value, json};

use super::{Call, Stage, What, described};
use crate::mcp;
use crate::openapi;
use crate::world::{Answer, Outage, World};

/// Nothing can be named there.
const NAMELESS: [&str; 18] = [
    "apiIntrospect",
    "apiKeys",
    "apiRevoke",
    "bootstrap",
    "createPolicy",
    "listDelegations",
    "listPolicies",
    "listScopes",
    "listWebhooks",
    "policySyntax",
    "quickstart",
    "resolveScopes",
    "stats",
    "whoAmI",
    // Tools of other names than those routes.
    "auth_agent",
    "claim",
    "claim_status",
    "discover",
];

/// A kind of record: its name in the other account, and one that never was.
type Named = (String, String);

/// A call, with `{}` in place of the name, and what it is answered whatever that is; 404 if nothing else is said.
struct Case {
    name: &'static str,
    what: fn(&str) -> What,
    named: Named,
    status: u16,
}

fn route(method: &'static str, path: &str, body: Value) -> What {
    What::Route { method, path: format!("/api/v1{path}"), body }
}

fn get(path: &str) -> What {
    route("GET", path, Value::Null)
}

fn cases(stage: &Stage) -> Vec<Case> {
    let agent = || (stage.child.clone(), RegistrationId::from_bytes([0x55; 16]).to_string());
    let credential = || (stage.credential.clone(), CredentialId::from_bytes([0x55; 16]).to_string());
    let delegation = || (stage.delegation.clone(), DelegationId::from_bytes([0x55; 16]).to_string());
    let policy = || (stage.policy.clone(), PolicyId::from_bytes([0x55; 16]).to_string());
    let webhook = || (stage.webhook.clone(), WebhookId::from_bytes([0x55; 16]).to_string());
    let is = |status, name, named, what| Case { name, what, named, status };
    let missing = |name, named, what| is(404, name, named, what);
    vec![
        // A list of what belongs to somebody who is not there is empty.
        is(200, "listAgents", agent(), |id| get(&format!("/agents?parent_agent_id={id}"))),
        missing("createAgent", agent(), |id| route("POST", "/agents", json!({ "name": "x", "agent_type": "tool", "parent_agent_id": id }))),
        missing("readAgent", agent(), |id| get(&format!("/agents/{id}"))),
        missing("changeAgent", agent(), |id| route("PATCH", &format!("/agents/{id}"), json!({ "name": "Mine" }))),
        missing("changeAgent", agent(), |id| route("PATCH", &format!("/agents/{id}"), json!({ "status": "revoked" }))),
        missing("changeAgent", agent(), |id| route("PATCH", &format!("/agents/{id}"), json!({ "status": "active" }))),
        missing("suspendAgent", agent(), |id| route("DELETE", &format!("/agents/{id}"), Value::Null)),
        missing("listChildren", agent(), |id| get(&format!("/agents/{id}/children"))),
        missing("listAgentCredentials", agent(), |id| get(&format!("/agents/{id}/credentials"))),
        missing("listCredentials", agent(), |id| get(&format!("/credentials?agent_id={id}"))),
        missing("createCredential", agent(), |id| route("POST", "/credentials", json!({ "agent_id": id }))),
        is(400, "createCredential", agent(), |id| route("POST", "/credentials", json!({ "agent_id": id, "scopes": ["other.scope"] }))),
        missing("readCredential", credential(), |id| get(&format!("/credentials/{id}"))),
        missing("rotateCredential", credential(), |id| route("POST", &format!("/credentials/{id}/rotate"), Value::Null)),
        missing("revokeCredential", credential(), |id| route("DELETE", &format!("/credentials/{id}"), Value::Null)),
        missing("readPolicy", policy(), |id| get(&format!("/policies/{id}"))),
        missing("changePolicy", policy(), |id| route("PUT", &format!("/policies/{id}"), json!({ "enabled": false }))),
        missing("deletePolicy", policy(), |id| route("DELETE", &format!("/policies/{id}"), Value::Null)),
        missing("evaluate", agent(), |id| {
            route("POST", "/policies/evaluate", json!({ "agent_id": id, "action": "read", "resource": "/a" }))
        }),
        // Whom something is offered to may be in another account: 113 is about what it is made of.
        missing("createDelegation", delegation(), |id| {
            let delegate = RegistrationId::from_bytes([0x66; 16]);
            route("POST", "/delegations", json!({ "delegate_agent_id": delegate, "scopes": ["api.read"], "source_delegation_id": id }))
        }),
        missing("readDelegation", delegation(), |id| get(&format!("/delegations/{id}"))),
        missing("readChain", delegation(), |id| get(&format!("/delegations/{id}/chain"))),
        missing("acceptDelegation", delegation(), |id| route("POST", &format!("/delegations/{id}/accept"), Value::Null)),
        missing("declineDelegation", delegation(), |id| route("POST", &format!("/delegations/{id}/decline"), Value::Null)),
        missing("revokeDelegation", delegation(), |id| route("DELETE", &format!("/delegations/{id}"), Value::Null)),
        missing("createWebhook", agent(), |id| {
            route("POST", "/webhooks", json!({ "url": "https://hooks.example.com/x", "events": ["*"], "agent_id": id }))
        }),
        missing("readWebhook", webhook(), |id| get(&format!("/webhooks/{id}"))),
        missing("listWebhookLogs", webhook(), |id| get(&format!("/webhooks/{id}/logs"))),
        missing("rotateWebhook", webhook(), |id| route("POST", &format!("/webhooks/{id}/rotate"), Value::Null)),
        missing("deleteWebhook", webhook(), |id| route("DELETE", &format!("/webhooks/{id}"), Value::Null)),
        is(200, "listAuditEvents", agent(), |id| get(&format!("/audit/events?actor_id={id}"))),
        is(200, "listAuditEvents", credential(), |id| get(&format!("/audit/events?target_id={id}"))),
        is(400, "apiToken", delegation(), |id| {
            route("POST", "/auth/token", json!({ "grant_type": "agent_delegation", "delegation_id": id, "client_secret": "{key}" }))
        }),
        is(200, "list_agents", agent(), |id| What::Tool(json!({ "parent_agent_id": id }))),
        missing("get_agent", agent(), |id| What::Tool(json!({ "agent_id": id }))),
        missing("create_agent", agent(), |id| What::Tool(json!({ "name": "x", "agent_type": "tool", "parent_agent_id": id }))),
        missing("update_agent", agent(), |id| What::Tool(json!({ "agent_id": id, "status": "suspended" }))),
        missing("create_credential", agent(), |id| What::Tool(json!({ "agent_id": id }))),
        missing("list_credentials", agent(), |id| What::Tool(json!({ "agent_id": id }))),
        missing("rotate_credential", credential(), |id| What::Tool(json!({ "credential_id": id }))),
        missing("revoke_credential", credential(), |id| What::Tool(json!({ "credential_id": id }))),
        missing("create_delegation", delegation(), |id| {
            let delegate = RegistrationId::from_bytes([0x66; 16]);
            What::Tool(json!({ "delegate_agent_id": delegate, "scopes": ["api.read"], "source_delegation_id": id }))
        }),
        missing("accept_delegation", delegation(), |id| What::Tool(json!({ "delegation_id": id }))),
        missing("revoke_delegation", delegation(), |id| What::Tool(json!({ "delegation_id": id }))),
        missing("check_permission", agent(), |id| What::Tool(json!({ "agent_id": id, "action": "read", "resource": "/a" }))),
    ]
}

impl Case {
    /// What a stranger is answered about that name, without the name, and the world afterwards.
    fn said(&self, id: &str, stage: &Stage) -> (u16, String, World) {
        let world = stage.copy();
        world.platform.outage.set(Some(Outage { after: usize::MAX, answer: false, lasting: false }));
        let what = match (self.what)(id) {
            What::Route { method, path, body } => {
                let body = serde_json::from_str(&body.to_string().replace("{key}", &stage.strangers_key)).unwrap();
                What::Route { method, path, body }
            }
            tool @ What::Tool(_) => tool,
        };
        let call = Call { name: self.name, what };
        let answer = call.send_once(&stage.strangers_key, &world);
        let status = match (call.is_tool(), call.told(&answer)["error"].as_str()) {
            (true, Some("not_found")) => 404,
            _ => answer.status(),
        };
        (status, text(&answer).replace(id, "it"), world)
    }
}

/// All of an answer.
fn text(answer: &Answer) -> String {
    let headers: Vec<String> = answer.0.headers().iter().map(|(name, value)| format!("{name}: {value:?}")).collect();
    format!("{}\n{}\n{}", answer.status(), headers.join("\n"), String::from_utf8_lossy(answer.0.body()))
}

/// All that is stored of the account that is named, and of those in it.
fn kept(stage: &Stage, world: &World) -> String {
    let root: RegistrationId = stage.root.parse().unwrap();
    let accounts = world.platform.accounts.borrow();
    let cells = world.platform.cells.borrow();
    let own = [&stage.root, &stage.child, &stage.delegation, &stage.offer];
    let records = cells.iter().filter(|(name, _)| own.iter().any(|id| name.ends_with(id.as_str())));
    let records: Vec<String> = records.map(|(name, record)| format!("{name}: {record}")).collect();
    assert!(records.len() >= own.len());
    format!("{}{}", accounts[AccountId::from_digits(root.digits()).as_str()].dump(), records.join("\n"))
}

#[test]
fn a_name_of_another_account_is_answered_to_the_byte_as_one_that_never_was_and_nothing_happens_to_it() {
    let stage = Stage::set();
    let before = kept(&stage, &stage.world);
    for case in cases(&stage) {
        let (foreign, unknown) = &case.named;
        let (status, about_foreign, world) = case.said(foreign, &stage);
        let (_, about_unknown, other) = case.said(unknown, &stage);
        assert_eq!(status, case.status, "{}: {about_foreign}", case.name);
        assert_eq!(about_foreign, about_unknown, "{}", case.name);
        assert_eq!(kept(&stage, &world), before, "{}", case.name);
        // Of the time that it takes, the questions to stores are what can be told here.
        let [one, another] = [&world, &other].map(|world| usize::MAX - world.platform.outage.get().unwrap().after);
        assert_eq!(one, another, "{}", case.name);
    }
}

#[test]
fn every_route_and_every_tool_is_tried_with_a_name_of_another_account_if_it_takes_any() {
    let stage = Stage::set();
    let tried: BTreeSet<&str> = cases(&stage).iter().map(|case| case.name).collect();
    let nameless: BTreeSet<&str> = NAMELESS.into_iter().collect();
    assert!(tried.is_disjoint(&nameless));
    let missing: Vec<&str> = described().into_iter().filter(|name| !tried.contains(name) && !nameless.contains(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    // Nothing that takes a name is among those that take none.
    for (_, path, operation) in openapi::operations() {
        let names = |one: &Value| one["in"] == "path" || one["name"].as_str().unwrap().ends_with("_id");
        let takes = operation["parameters"].as_array().is_some_and(|all| all.iter().any(names));
        assert!(!takes || !nameless.contains(operation["operationId"].as_str().unwrap()), "{path}");
    }
    for tool in mcp::listed(&stage.world) {
        let name = tool["name"].as_str().unwrap();
        let takes = tool["inputSchema"]["properties"]
            .as_object()
            .unwrap()
            .keys()
            .any(|argument| argument.ends_with("_id") && argument != "client_id");
        assert_eq!(takes, tried.contains(name), "{name}");
    }
}
