//! An agent comes in by one call, as AgentAuth has it: a registration of its own with an API key.

use http::HeaderMap;
use serde_json::{Value, json};

use super::answer::list;
use super::open::{Opened, Plan, open};
use super::seed::Seed;
use crate::cx::Cx;
use crate::email::cleaned;
use crate::grant::claim::merge;
use crate::http::refuse::Refused;
use crate::id::RegistrationId;
use crate::machine::registration::Said;
use crate::machine::standing::{Kind, Standing};
use crate::oauth::error::ErrorCode;
use crate::secret::Secret;
use crate::store::Ports;

/// What an agent says of itself.
pub(in crate::http) struct Quickstart<'r> {
    /// What it is called.
    pub(in crate::http) name: &'r str,
    /// Its kind, as far as it says.
    pub(in crate::http) agent_type: &'r str,
    /// What it does.
    pub(in crate::http) description: Option<&'r str>,
}

/// Opens a registration for `wish`, and answers with the agent, its key, and the token that a person claims it with.
///
/// # Errors
/// Nobody comes in without a person here, or too many have.
pub(in crate::http) async fn quickstart<P: Ports>(wish: &Quickstart<'_>, headers: &HeaderMap, cx: &Cx<'_, P>) -> Result<Value, Refused> {
    if !cx.config.anonymous || !cx.config.dialects.any() {
        return Err(Refused::new(ErrorCode::AnonymousNotEnabled, "anonymous registration is off"));
    }
    let name = cleaned(wish.name);
    if name.is_empty() {
        return Err(Refused::new(ErrorCode::InvalidRequest, "no visible name").hint("Send a name that can be seen."));
    }
    let description = wish.description.map(cleaned).filter(|description| !description.is_empty());
    let said = Said { email: None, agent: Some(cleaned(&of_itself(&name, wish.agent_type, description.as_deref()))) };
    let body = json!([wish.name, wish.agent_type, wish.description]).to_string();
    let seed = Seed::new("quickstart", headers, body.as_bytes(), cx)?;
    let plan = Plan { kind: Kind::Anonymous, v01: false, key: true, said, hint: None, credential: None, attempt: None };
    let Opened { standing, made, .. } = open(&seed, &plan, cx).await?;
    let key = made.key.map(Secret::reveal).unwrap_or_default();
    let mut answer = json!({
        "agent": agent(&seed.registration, &standing, &name, wish.agent_type, description.as_deref()),
        "api_key_prefix": key.get(..cx.config.api_key_prefix.len() + 9).unwrap_or_default(),
        "api_key": key,
        "scopes": list(&cx.config.pre_claim_scopes),
    });
    if let Some(token) = made.claim {
        let url = cx.config.own("/agent/identity/claim");
        merge(&mut answer, json!({ "claim_token": token, "claim_url": url, "claim_token_expires": standing.expires.iso() }));
    }
    Ok(answer)
}

/// The agent object.
fn agent(id: &RegistrationId, standing: &Standing, name: &str, agent_type: &str, description: Option<&str>) -> Value {
    json!({
        "id": id, "parent_agent_id": null, "name": name, "agent_type": agent_type, "description": description,
        "trust_level": "root", "status": "active", "created_at": standing.created.iso(), "updated_at": standing.created.iso(),
        "expires_at": standing.expires.iso(),
    })
}

/// What people read of it where they decide.
fn of_itself(name: &str, agent_type: &str, description: Option<&str>) -> String {
    description.map_or_else(|| format!("{name} ({agent_type})"), |description| format!("{name} ({agent_type}): {description}"))
}
