//! Every route of `/api/v1` and every tool, as calls that succeed: what must hold for all of them is tested for all of them.

mod edges;
mod foreign;
mod keyed;
mod old;
mod outage;
mod page;

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::party::Party;
use crate::mcp;
use crate::openapi;
use crate::world::{Answer, World};

const FROM: &str = "192.0.2.77";
const REPEAT: &str = "an-idempotency-key-of-one-call";

/// A world in which every call has something to be about, with the names of what is there.
pub struct Stage {
    pub world: World,
    /// The API key of a root that somebody has claimed.
    pub key: String,
    /// Another, which it had before that.
    pub old_key: String,
    pub root: String,
    pub child: String,
    /// An API key of the child.
    pub childs_key: String,
    pub credential: String,
    pub delegation: String,
    /// From another account, and not answered yet.
    pub offer: String,
    pub policy: String,
    pub webhook: String,
    pub token: String,
    pub refresh_token: String,
    /// Of an agent that nobody has claimed.
    pub claim_token: String,
    /// The API key of a root in an account that has nothing to do with the others.
    pub strangers_key: String,
}

/// A call.
pub struct Call {
    /// The operation of the description, or the tool.
    pub name: &'static str,
    what: What,
}

enum What {
    Route { method: &'static str, path: String, body: Value },
    Tool(Value),
}

impl Stage {
    /// With one of everything.
    pub fn set() -> Self {
        let world = World::new(&[]);
        let answer = |answer: Answer| {
            assert!(answer.status() < 300, "{}", answer.json());
            answer.json()
        };
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let me = Party::unclaimed(&world);
        let old_key = me.key.clone();
        let (me, other) = (me.claim("ada@example.com"), Party::claimed(&world, "eve@example.com"));
        let child = text(&answer(me.send("POST", "/agents", &json!({ "name": "Scout", "agent_type": "tool" })))["data"]["id"]);
        let made = answer(me.send("POST", "/credentials", &json!({ "agent_id": child })));
        let policy = json!({
            "name": "No files", "effect": "deny", "subjects": { "wildcard": true }, "resources": { "paths": ["/files/*"] }, "actions": ["delete"],
        });
        let delegated = |to: &str| json!({ "delegate_agent_id": to, "scopes": ["api.read"] });
        let webhook = json!({ "url": "https://hooks.example.com/in", "events": ["*"] });
        let grant = json!({ "grant_type": "client_credentials", "client_secret": me.key });
        let tokens = answer(world.json("/api/v1/auth/token", &grant));
        let stranger = Party::claimed(&world, "ida@example.com");
        answer(stranger.send("POST", "/agents", &json!({ "name": "Own", "agent_type": "tool" })));
        let unclaimed = world.json("/agent/identity", &json!({ "type": "anonymous" }));
        let stage = Self {
            root: me.id.to_string(),
            key: me.key.clone(),
            old_key,
            childs_key: text(&made["raw_key"]),
            credential: text(&made["credential"]["id"]),
            delegation: text(&answer(me.send("POST", "/delegations", &delegated(&child)))["id"]),
            offer: text(&answer(other.send("POST", "/delegations", &delegated(me.id.as_str())))["id"]),
            policy: text(&answer(me.send("POST", "/policies", &policy))["data"]["id"]),
            webhook: text(&answer(me.send("POST", "/webhooks", &webhook))["data"]["id"]),
            token: text(&tokens["access_token"]),
            refresh_token: text(&tokens["refresh_token"]),
            claim_token: unclaimed.text("claim_token"),
            strangers_key: stranger.key.clone(),
            child,
            world: World::new(&[]),
        };
        world.ring();
        Self { world, ..stage }
    }

    /// The same again, in an isolate that remembers nothing.
    pub fn copy(&self) -> World {
        World { platform: self.world.platform.copy(), ..World::new(&[]) }
    }

    /// Every call once.
    pub fn calls(&self) -> Vec<Call> {
        self.routes().into_iter().chain(self.tools()).collect()
    }

    pub fn routes(&self) -> Vec<Call> {
        let Self { key, root, child, credential, delegation, offer, policy, webhook, token, .. } = self;
        let route = |name, method, path: &str, body| Call { name, what: What::Route { method, path: format!("/api/v1{path}"), body } };
        let get = |name, path: &str| route(name, "GET", path, Value::Null);
        let delete = |name, path: &str| route(name, "DELETE", path, Value::Null);
        let post = |name, path: &str, body| route(name, "POST", path, body);
        let agent = || json!({ "name": "New", "agent_type": "tool" });
        let question = json!({ "agent_id": child, "action": "read", "resource": "/files/a" });
        vec![
            post("quickstart", "/agents/quickstart", agent()),
            post("bootstrap", "/agents/bootstrap", agent()),
            get("listAgents", "/agents"),
            post("createAgent", "/agents", agent()),
            get("readAgent", &format!("/agents/{child}")),
            route("changeAgent", "PATCH", &format!("/agents/{child}"), json!({ "name": "Other", "status": "suspended" })),
            delete("suspendAgent", &format!("/agents/{child}")),
            get("listChildren", &format!("/agents/{root}/children")),
            get("listAgentCredentials", &format!("/agents/{child}/credentials")),
            get("listCredentials", "/credentials"),
            post("createCredential", "/credentials", json!({ "agent_id": child })),
            get("readCredential", &format!("/credentials/{credential}")),
            post("rotateCredential", &format!("/credentials/{credential}/rotate"), Value::Null),
            delete("revokeCredential", &format!("/credentials/{credential}")),
            post("apiToken", "/auth/token", json!({ "grant_type": "client_credentials", "client_secret": key })),
            post("apiToken", "/auth/token", json!({ "grant_type": "refresh_token", "refresh_token": self.refresh_token })),
            post(
                "apiToken",
                "/auth/token",
                json!({ "grant_type": "agent_delegation", "delegation_id": delegation, "client_secret": self.childs_key }),
            ),
            post("apiIntrospect", "/auth/token/introspect", json!({ "token": token })),
            post("apiRevoke", "/auth/token/revoke", json!({ "token": token })),
            get("apiKeys", "/auth/jwks"),
            get("whoAmI", "/auth/me"),
            get("listScopes", "/scopes"),
            post("resolveScopes", "/scopes/resolve", json!(["agents.*"])),
            get("listPolicies", "/policies"),
            post(
                "createPolicy",
                "/policies",
                json!({ "name": "New", "effect": "deny", "subjects": { "agent_ids": [child] }, "resources": { "paths": ["/x"] }, "actions": ["read"] }),
            ),
            get("readPolicy", &format!("/policies/{policy}")),
            route("changePolicy", "PUT", &format!("/policies/{policy}"), json!({ "enabled": false })),
            delete("deletePolicy", &format!("/policies/{policy}")),
            get("policySyntax", "/policies/syntax"),
            post("evaluate", "/policies/evaluate", question),
            get("listDelegations", "/delegations"),
            post("createDelegation", "/delegations", json!({ "delegate_agent_id": child, "scopes": ["api.read"] })),
            get("readDelegation", &format!("/delegations/{delegation}")),
            get("readChain", &format!("/delegations/{delegation}/chain")),
            post("acceptDelegation", &format!("/delegations/{offer}/accept"), Value::Null),
            post("declineDelegation", &format!("/delegations/{offer}/decline"), Value::Null),
            delete("revokeDelegation", &format!("/delegations/{delegation}")),
            get("listWebhooks", "/webhooks"),
            post("createWebhook", "/webhooks", json!({ "url": "https://hooks.example.com/new", "events": ["agent.*"] })),
            get("readWebhook", &format!("/webhooks/{webhook}")),
            get("listWebhookLogs", &format!("/webhooks/{webhook}/logs")),
            post("rotateWebhook", &format!("/webhooks/{webhook}/rotate"), Value::Null),
            delete("deleteWebhook", &format!("/webhooks/{webhook}")),
            get("listAuditEvents", "/audit/events"),
            get("stats", "/stats"),
        ]
    }

    pub fn tools(&self) -> Vec<Call> {
        let Self { key, root, child, credential, delegation, offer, token, .. } = self;
        let tool = |name, arguments| Call { name, what: What::Tool(arguments) };
        let agent = || json!({ "name": "New", "agent_type": "tool" });
        vec![
            tool("discover", json!({})),
            tool("whoami", json!({})),
            tool("quickstart", agent()),
            tool("register", json!({})),
            tool("claim", json!({ "claim_token": self.claim_token, "login_hint": "ida@example.com" })),
            tool("claim_status", json!({ "claim_token": self.claim_token })),
            tool("authenticate", json!({ "api_key": key })),
            tool("refresh_token", json!({ "refresh_token_value": self.refresh_token })),
            tool("introspect_token", json!({ "token": token })),
            tool("revoke_token", json!({ "token": token })),
            tool("list_agents", json!({})),
            tool("get_agent", json!({ "agent_id": root })),
            tool("create_agent", agent()),
            tool("update_agent", json!({ "agent_id": child, "status": "suspended" })),
            tool("auth_agent", json!({ "action": "signup", "agent_name": "New", "scopes": ["api.read"] })),
            tool("create_credential", json!({ "agent_id": child })),
            tool("list_credentials", json!({})),
            tool("rotate_credential", json!({ "credential_id": credential })),
            tool("revoke_credential", json!({ "credential_id": credential })),
            tool("create_delegation", json!({ "delegate_agent_id": child, "scopes": ["api.read"] })),
            tool("list_delegations", json!({})),
            tool("accept_delegation", json!({ "delegation_id": offer })),
            tool("revoke_delegation", json!({ "delegation_id": delegation })),
            tool(
                "create_policy",
                json!({ "name": "New", "effect": "deny", "subjects": { "wildcard": true }, "resources": { "paths": ["/x"] }, "actions": ["read"] }),
            ),
            tool("list_policies", json!({})),
            tool("check_permission", json!({ "agent_id": child, "action": "read", "resource": "/files/a" })),
        ]
    }
}

impl Call {
    /// Sends it with the key; every POST with one `Idempotency-Key`.
    pub fn send(&self, key: &str, world: &World) -> Answer {
        self.sent(key, &[("idempotency-key", REPEAT)], world)
    }

    /// The same without.
    pub fn send_once(&self, key: &str, world: &World) -> Answer {
        self.sent(key, &[], world)
    }

    fn sent(&self, key: &str, more: &[(&str, &str)], world: &World) -> Answer {
        let bearer = format!("Bearer {key}");
        let who = [("authorization", bearer.as_str())];
        self.send_as(&[if self.is_open() { &[] } else { &who[..] }, if self.is_post() { more } else { &[] }].concat(), world)
    }

    /// The same with these headers alone.
    pub fn send_as(&self, who: &[(&str, &str)], world: &World) -> Answer {
        let (method, path, body) = match &self.what {
            What::Route { method, path, body } => (*method, path.as_str(), body.clone()),
            What::Tool(arguments) => {
                let params = json!({ "name": self.name, "arguments": arguments });
                ("POST", "/mcp", json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params }))
            }
        };
        let mut headers = who.to_vec();
        headers.extend((!body.is_null()).then_some(("content-type", "application/json")));
        world.send(FROM, method, path, &headers, &if body.is_null() { String::new() } else { body.to_string() })
    }

    fn is_post(&self) -> bool {
        matches!(self.what, What::Route { method: "POST", .. } | What::Tool(_))
    }

    /// Whoever sends it brings what it is about, and nothing else.
    fn is_open(&self) -> bool {
        let open = ["quickstart", "bootstrap", "apiToken", "register", "authenticate", "refresh_token", "claim", "claim_status"];
        open.contains(&self.name)
    }

    /// Whether it says by itself that it changes nothing.
    pub fn reads(&self) -> bool {
        matches!(self.what, What::Route { method: "GET", .. })
            || ["list_", "get_", "whoami", "discover"].iter().any(|word| self.name.starts_with(word))
    }

    pub fn is_tool(&self) -> bool {
        matches!(self.what, What::Tool(_))
    }

    /// What a tool has brought, if it is one.
    pub fn told(&self, answer: &Answer) -> Value {
        let answer = answer.json();
        if self.is_tool() { answer["result"]["structuredContent"].clone() } else { answer }
    }

    /// Whether it was carried out.
    pub fn succeeded(&self, answer: &Answer) -> bool {
        answer.status() < 300 && (!self.is_tool() || answer.json()["result"]["isError"] == false)
    }
}

/// The operations of `/api/v1`.
fn described() -> BTreeSet<&'static str> {
    let ours = openapi::operations().filter(|(_, path, _)| path.starts_with("/api/v1") && !path.contains("/.well-known/"));
    ours.map(|(.., operation)| operation["operationId"].as_str().unwrap()).collect()
}

#[test]
fn no_route_and_no_tool_is_missing_and_all_of_them_succeed() {
    let stage = Stage::set();
    // A test of the description proves that it has every route of the enumeration, with all its methods.
    assert_eq!(stage.routes().iter().map(|call| call.name).collect::<BTreeSet<_>>(), described());
    let listed: Vec<Map<String, Value>> = mcp::listed(&stage.world);
    let listed: BTreeSet<&str> = listed.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(stage.tools().iter().map(|call| call.name).collect::<BTreeSet<_>>(), listed);
    for call in stage.calls() {
        let answer = call.send(&stage.key, &stage.copy());
        assert!(call.succeeded(&answer), "{}: {} {}", call.name, answer.status(), answer.json());
    }
}
