//! Agents that manage agents.

use serde_json::{Value, json};

use super::super::tool::{Access, Asked, Failure, Hints, Tool, scope};
use crate::grant::claim::merge;
use crate::http::api::agents::fields::{about_an_agent, changes, name_and_type, place_in_the_tree};
use crate::http::api::agents::{self, Filter, shown};
use crate::policy::Action;
use crate::store::Ports;

/// Where REST does the same.
const PATH: &str = "/api/v1/agents";

macro_rules! agent_id {
    () => {
        r#""agent_id": { "type": "string", "minLength": 1, "maxLength": 64, "description": "Which agent: reg_ and 22 letters or digits." }"#
    };
}

/// One agent, with what is said about it beside.
const AGENT: &str = r#"{
    "properties": {
        "id": { "type": "string" },
        "parent_agent_id": {},
        "name": { "type": "string" },
        "agent_type": { "type": "string" },
        "trust_level": { "type": "string" },
        "status": { "type": "string", "enum": ["active", "suspended", "revoked"] },
        "max_child_depth": { "type": "integer" },
        "metadata": { "type": "object" },
        "is_root": { "type": "boolean" },
        "is_active": { "type": "boolean", "description": "It and all above it are active." }
    },
    "required": ["id", "name", "agent_type", "status"]
}"#;

pub(super) fn tools<P: Ports>() -> Vec<Tool<P>> {
    vec![
        Tool {
            name: "list_agents",
            title: "List your agents",
            about: "Lists you and all agents below you, parents before their children. meta.total counts them on all pages: ask again with offset for the next.",
            input: r#"{
                "type": "object",
                "properties": {
                    "limit": { "type": "integer", "minimum": 1, "maximum": 100, "description": "At most so many: 50 if absent." },
                    "offset": { "type": "integer", "minimum": 0, "maximum": 4294967295, "description": "After so many: 0 if absent." },
                    "parent_agent_id": { "type": "string", "minLength": 1, "maxLength": 64, "description": "Only the children of this one." },
                    "status": { "type": "string", "enum": ["active", "suspended", "revoked"], "description": "Only those with this status of their own." }
                },
                "additionalProperties": false
            }"#,
            output: r#"{
                "properties": { "data": { "type": "array", "items": { "type": "object" } }, "meta": { "type": "object" } },
                "required": ["data", "meta"]
            }"#,
            hints: Hints::READS,
            access: Access::Scope(|_| scope("agents.read")),
            run: |asked| Box::pin(list(asked)),
        },
        Tool {
            name: "get_agent",
            title: "Look at an agent",
            about: "Shows you, an agent below you, or one that a delegation connects you with. Any other is as unknown as one that never was.",
            input: concat!(
                r#"{ "type": "object", "properties": { "#,
                agent_id!(),
                r#" }, "required": ["agent_id"], "additionalProperties": false }"#
            ),
            output: AGENT,
            hints: Hints::READS,
            access: Access::Scope(|_| scope("agents.read")),
            run: |asked| Box::pin(get(asked)),
        },
        Tool {
            name: "create_agent",
            title: "Make an agent below you",
            about: "Makes a new agent that you, or an agent below you, answers for. It may at most what your root may, stops when you stop, and has no key yet: create_credential makes one.",
            input: concat!(
                r#"{ "type": "object", "properties": { "#,
                name_and_type!(),
                ", ",
                about_an_agent!(),
                ", ",
                place_in_the_tree!(),
                r#" }, "required": ["name", "agent_type"], "additionalProperties": false }"#
            ),
            output: AGENT,
            hints: Hints::ADDS,
            access: Access::Scope(|_| scope("agents.write")),
            run: |asked| Box::pin(create(asked)),
        },
        Tool {
            name: "update_agent",
            title: "Change, suspend or bring back an agent",
            about: "Changes what is given of you or an agent below you. status suspended stops it and all below at once, active brings it back, revoked ends it for good.",
            input: concat!(
                r#"{ "type": "object", "properties": { "#,
                agent_id!(),
                ", ",
                changes!(),
                ", ",
                about_an_agent!(),
                r#" }, "required": ["agent_id"], "additionalProperties": false }"#
            ),
            output: AGENT,
            hints: Hints::ENDS,
            access: Access::Scope(|_| scope("agents.write")),
            run: |asked| Box::pin(update(asked)),
        },
        Tool {
            name: "auth_agent",
            title: "Get a narrow token for an agent",
            about: "action signup: a token of 15 minutes for an agent that works for you, called agent_name, with scopes that you have yourself. The same name is the same agent each time; it is listed below you, and revoking it ends its tokens.",
            input: r#"{
                "type": "object",
                "properties": {
                    "action": { "type": "string", "enum": ["signup"], "description": "signup." },
                    "agent_name": { "type": "string", "minLength": 1, "maxLength": 255, "description": "What the agent is called." },
                    "scopes": { "type": "array", "minItems": 1, "maxItems": 64, "items": { "type": "string", "minLength": 1, "maxLength": 128 }, "description": "What its token may do." }
                },
                "required": ["action", "agent_name", "scopes"],
                "additionalProperties": false
            }"#,
            output: r#"{
                "properties": {
                    "agent_id": { "type": "string" },
                    "agent_name": { "type": "string" },
                    "access_token": { "type": "string" },
                    "token_type": { "type": "string" },
                    "expires_in": { "type": "integer" },
                    "expires_at": { "type": "string" },
                    "scope": { "type": "string" }
                },
                "required": ["agent_id", "access_token", "token_type", "expires_in", "scope"]
            }"#,
            hints: Hints { idempotent: true, ..Hints::ADDS },
            access: Access::Scope(|_| scope("agents.write")),
            run: |asked| Box::pin(sign_up(asked)),
        },
    ]
}

/// The path of the agent that is meant.
fn of<P>(asked: &Asked<'_, P>) -> String {
    format!("{PATH}/{}", asked.text("agent_id"))
}

async fn list<P: Ports>(asked: Asked<'_, P>) -> Result<Value, Failure> {
    let manager = asked.manager("agents.read", Action::Read, PATH).await?;
    let filter = Filter { parent: asked.find("parent_agent_id"), status: asked.find("status"), page: asked.page() };
    Ok(agents::list(&manager, &filter, asked.cx).await?)
}

async fn get<P: Ports>(asked: Asked<'_, P>) -> Result<Value, Failure> {
    let manager = asked.manager("agents.read", Action::Read, &of(&asked)).await?;
    let agent = agents::seen(&manager, asked.text("agent_id"), asked.cx).await?;
    Ok(merged(shown::of(&manager, &agent, asked.cx.now)))
}

async fn create<P: Ports>(asked: Asked<'_, P>) -> Result<Value, Failure> {
    let manager = asked.manager("agents.write", Action::Write, PATH).await?;
    let seed = asked.seed(&manager, "create_agent").await?;
    let agent = agents::create(&manager, &asked.fields(), &seed, asked.cx).await?;
    Ok(merged(shown::of(&manager, &agent, asked.cx.now)))
}

async fn update<P: Ports>(asked: Asked<'_, P>) -> Result<Value, Failure> {
    let manager = asked.manager("agents.write", Action::Write, &of(&asked)).await?;
    let mut fields = asked.fields();
    fields.remove("agent_id");
    let agent = agents::change(&manager, asked.text("agent_id"), &fields, asked.cx).await?;
    Ok(merged(shown::of(&manager, &agent, asked.cx.now)))
}

async fn sign_up<P: Ports>(asked: Asked<'_, P>) -> Result<Value, Failure> {
    super::token::unbound(&asked)?;
    let manager = asked.manager("agents.write", Action::Write, PATH).await?;
    let scopes: Vec<&str> =
        asked.arguments.get("scopes").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    Ok(agents::sign_up(&manager, asked.text("agent_name"), &scopes, asked.cx).await?)
}

/// An agent, with what REST says in `meta`.
fn merged(mut agent: Value) -> Value {
    let is_root = agent.get("parent_agent_id").is_some_and(Value::is_null);
    merge(&mut agent, json!({ "is_root": is_root }));
    agent
}
