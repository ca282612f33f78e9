//! `/mcp`: the order of its checks, both eras, and every tool.

mod door;
mod eras;
mod open;
mod tools;

use serde_json::{Map, Value, json};

use crate::world::{Answer, World};

pub const MODERN: &str = "2026-07-28";
pub const FROM: &str = "192.0.2.1";

/// What a client sends: its credential, and headers on top of those of every message.
#[derive(Clone, Copy, Default)]
pub struct Sender<'a> {
    pub token: Option<&'a str>,
    pub headers: &'a [(&'a str, &'a str)],
    /// Another network than that of everybody.
    pub from: Option<&'a str>,
}

impl Sender<'_> {
    pub fn raw(&self, world: &World, method: &str, body: &str) -> Answer {
        let bearer = self.token.map(|token| format!("Bearer {token}"));
        let mut headers: Vec<(&str, &str)> = bearer.iter().map(|bearer| ("authorization", bearer.as_str())).collect();
        if !self.headers.iter().any(|(name, _)| *name == "content-type") {
            headers.push(("content-type", "application/json"));
        }
        headers.extend(self.headers.iter().filter(|(_, value)| !value.is_empty()));
        world.send(self.from.unwrap_or(FROM), method, "/mcp", &headers, body)
    }

    pub fn post(&self, world: &World, message: &Value) -> Answer {
        self.raw(world, "POST", &message.to_string())
    }

    /// A message of the eras with a handshake.
    pub fn legacy(&self, world: &World, method: &str, params: Value) -> Answer {
        self.post(world, &json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }))
    }

    /// A message of the stateless era, with the headers that go with it.
    pub fn modern(&self, world: &World, method: &str, params: Value) -> Answer {
        let mut params = params;
        params["_meta"] = json!({ "io.modelcontextprotocol/protocolVersion": MODERN, "io.modelcontextprotocol/clientCapabilities": {} });
        let name = params["name"].as_str().unwrap_or_default().to_owned();
        let mut headers = vec![("mcp-protocol-version", MODERN), ("mcp-method", method), ("mcp-name", name.as_str())];
        headers.retain(|(name, _)| !self.headers.iter().any(|(changed, _)| changed == name));
        headers.extend(self.headers);
        Sender { headers: &headers, ..*self }.post(world, &json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }))
    }

    /// A call of a tool: what it brings, and whether it failed.
    pub fn call(&self, world: &World, name: &str, arguments: &Value) -> (Value, bool) {
        let answer = self.legacy(world, "tools/call", json!({ "name": name, "arguments": arguments }));
        let result = answer.json()["result"].clone();
        assert_eq!(answer.status(), 200, "{name}: {}", answer.json());
        let text: Value =
            serde_json::from_str(result["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{}", answer.json()))).unwrap();
        assert_eq!(text, result["structuredContent"], "the text says the same");
        (text, result["isError"].as_bool().unwrap())
    }

    /// What a tool brings.
    pub fn brings(&self, world: &World, name: &str, arguments: &Value) -> Value {
        let (brought, failed) = self.call(world, name, arguments);
        assert!(!failed, "{name}: {brought}");
        brought
    }

    /// The code that a tool fails with.
    pub fn fails(&self, world: &World, name: &str, arguments: &Value) -> String {
        let (told, failed) = self.call(world, name, arguments);
        assert!(failed, "{name}: {told}");
        for said in ["error_description", "hint"] {
            assert!(told[said].as_str().is_some_and(|said| !said.is_empty()), "{told}");
        }
        told["error"].as_str().unwrap().to_owned()
    }
}

/// An agent's key and a token got with it.
pub fn agent(world: &World) -> (String, String) {
    let key = world.json("/agent/auth", &json!({ "type": "anonymous", "requested_credential_type": "api_key" })).text("credential");
    let token = world.form("/oauth2/token", &[("grant_type", "client_credentials"), ("client_secret", &key)]).text("access_token");
    (key, token)
}

/// The status and the code of a JSON-RPC error.
pub fn fault(answer: &Answer) -> (u16, i64) {
    (answer.status(), answer.json()["error"]["code"].as_i64().unwrap_or_default())
}

/// The tools as they are listed.
pub fn listed(world: &World) -> Vec<Map<String, Value>> {
    let list = Sender::default().legacy(world, "tools/list", json!({})).json();
    list["result"]["tools"].as_array().unwrap().iter().map(|tool| tool.as_object().unwrap().clone()).collect()
}
