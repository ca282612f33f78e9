//! What agents say of themselves: the schemas by which it is judged, which are published too, and how it is read.

use serde_json::{Map, Value};
use url::Url;

use crate::email::visible;
use crate::http::api::body::{number, text, unfit};
use crate::http::api::manager::DEFAULT_DEPTH;
use crate::http::refuse::Refused;
use crate::tenant::{AgentType, Patch, Profile};

/// `metadata` may have so many bytes.
const MOST_METADATA: usize = 4096;

/// Members that every agent may have beside its name and type.
macro_rules! about_an_agent {
    () => {
        r#""description": { "type": "string", "maxLength": 2000, "description": "What it does." },
           "homepage_url": { "type": "string", "maxLength": 512, "description": "A page about it, http or https." },
           "public_key": { "type": "string", "maxLength": 8192, "description": "A public key of its own. It is kept and shown, and used for nothing." },
           "max_child_depth": { "type": "integer", "minimum": 0, "maximum": 10, "description": "How many levels of agents there may be below it: 3 if absent, and for a child at most one less than its parent has." },
           "metadata": { "type": "object", "description": "Anything, up to 4096 bytes of JSON." }"#
    };
}
macro_rules! name_and_type {
    () => {
        r#""name": { "type": "string", "minLength": 1, "maxLength": 255, "description": "What it is called; no other child of its parent is called so." },
           "agent_type": { "type": "string", "enum": ["orchestrator", "autonomous", "assistant", "tool"], "description": "What it is for." }"#
    };
}
macro_rules! place_in_the_tree {
    () => {
        r#""parent_agent_id": { "type": "string", "minLength": 1, "maxLength": 64, "description": "Whose child it becomes: you, if absent, or an agent below you." },
           "trust_level": { "type": "string", "enum": ["delegated", "ephemeral"], "description": "delegated if absent. An ephemeral agent ends 24 hours after it was made." }"#
    };
}
macro_rules! changes {
    () => {
        r#""name": { "type": "string", "minLength": 1, "maxLength": 255, "description": "What it is called from now on." },
           "status": { "type": "string", "enum": ["active", "suspended", "revoked"], "description": "suspended stops it and all below it, active brings it back, revoked is final." }"#
    };
}
pub(in crate::http) use {about_an_agent, changes, name_and_type, place_in_the_tree};

/// Of an agent that nobody answers for.
pub(in crate::http) const ROOT: &str = concat!(
    r#"{ "type": "object", "properties": { "#,
    name_and_type!(),
    ", ",
    about_an_agent!(),
    r#" }, "required": ["name", "agent_type"] }"#
);

/// Of a child.
pub(in crate::http) const CHILD: &str = concat!(
    r#"{ "type": "object", "properties": { "#,
    name_and_type!(),
    ", ",
    about_an_agent!(),
    ", ",
    place_in_the_tree!(),
    r#" }, "required": ["name", "agent_type"] }"#
);

/// Of what is to change.
pub(in crate::http) const CHANGES: &str = concat!(r#"{ "type": "object", "properties": { "#, changes!(), ", ", about_an_agent!(), " } }");

/// What an agent is to be like.
///
/// # Errors
/// 422 for what cannot be seen, or is too long.
pub(in crate::http) fn profile(fields: &Map<String, Value>) -> Result<Profile, Refused> {
    let Patch { name, description, homepage_url, public_key, max_child_depth, metadata } = patch(fields)?;
    let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
    Ok(Profile {
        name: name.ok_or_else(|| unfit("body must have name"))?,
        agent_type: agent_type(fields)?,
        description: filled(description),
        homepage_url: filled(homepage_url),
        public_key: filled(public_key),
        max_child_depth: max_child_depth.unwrap_or(DEFAULT_DEPTH),
        metadata: metadata.unwrap_or_else(|| "{}".to_owned()),
    })
}

/// What is to change of an agent.
///
/// # Errors
/// 422 for what cannot be seen, or is too long.
pub(in crate::http) fn patch(fields: &Map<String, Value>) -> Result<Patch, Refused> {
    Ok(Patch {
        name: text(fields, "name").map(name).transpose()?,
        description: text(fields, "description").map(visible),
        homepage_url: text(fields, "homepage_url").map(page).transpose()?,
        public_key: text(fields, "public_key").map(key).transpose()?,
        max_child_depth: number(fields, "max_child_depth"),
        metadata: fields.get("metadata").map(metadata).transpose()?,
    })
}

fn agent_type(fields: &Map<String, Value>) -> Result<AgentType, Refused> {
    text(fields, "agent_type").and_then(|word| word.parse().ok()).ok_or_else(|| unfit("body must have agent_type"))
}

fn name(text: &str) -> Result<String, Refused> {
    let name = visible(text);
    if name.is_empty() { Err(unfit("name must have something that can be seen").hint("Send a name that can be seen.")) } else { Ok(name) }
}

/// Shown as a link, it must not be anything else. It is kept to the letter, unless it has letters that no URI has (RFC 3986).
fn page(text: &str) -> Result<String, Refused> {
    let is_page = |url: &Url| matches!(url.scheme(), "http" | "https") && url.has_host() && url.username().is_empty();
    let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic() && !br#""<>\^`{|}"#.contains(&byte));
    if text.is_empty() {
        return Ok(String::new());
    }
    let url = Url::parse(text).ok().filter(|url| is_page(url) && visible(text) == text && is_plain(url.as_str()));
    let url = url.ok_or_else(|| unfit("homepage_url must be an http or https URL"))?;
    Ok(if is_plain(text) { text.to_owned() } else { url.into() })
}

/// Keys have lines.
fn key(text: &str) -> Result<String, Refused> {
    if text.lines().all(|line| visible(line) == line.trim()) {
        return Ok(text.trim().to_owned());
    }
    Err(unfit("public_key must be text that can be seen"))
}

fn metadata(value: &Value) -> Result<String, Refused> {
    let text = value.to_string();
    if text.len() > MOST_METADATA { Err(unfit(format!("metadata must have at most {MOST_METADATA} bytes"))) } else { Ok(text) }
}
