//! API keys of agents: of oneself, and of whoever is below.

mod change;
mod limit;
mod shown;

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::body::{self, page};
use super::manager::{Deed, Manager, unexpected};
use super::route::Api;
use super::seed::Seed;
use crate::cx::Cx;
use crate::http::refuse::Refused;
use crate::http::{Sent, reply};
use crate::id::{CredentialId, RegistrationId};
use crate::oauth::params::Params;
use crate::store::Ports;
use crate::tenant::{self, Outcome, What};
use shown::Keys;

pub(in crate::http) use change::{create, revoke, rotate};
pub(in crate::http) use limit::Limit;

/// What a new credential is made of.
pub(in crate::http) const CREATE: &str = r#"{
    "type": "object",
    "properties": {
        "agent_id": { "type": "string", "description": "Whose it is to be: you, or an agent below you." },
        "type": { "type": "string", "enum": ["api_key"], "description": "api_key if absent." },
        "scopes": { "type": "array", "minItems": 1, "maxItems": 64, "items": { "type": "string", "minLength": 1, "maxLength": 128 }, "description": "No more may be done with it; may end in .* (files.*). All that your own credential is good for if absent." },
        "expires_at": { "type": "string", "format": "date-time", "minLength": 19, "maxLength": 40, "description": "ISO 8601; UTC without an offset. If absent, or if your own credential ends earlier: when that ends, if ever." },
        "metadata": { "type": "object", "description": "Whatever you want to find with it again." },
        "token_lifetime_seconds": { "type": "integer", "minimum": 60, "maximum": 86400, "description": "How long its access tokens live." }
    },
    "required": ["agent_id"]
}"#;

/// The longest metadata, as JSON.
const LONGEST_METADATA: usize = 8192;

pub(super) async fn serve<P: Ports>(api: Api<'_>, manager: &Manager, sent: &Sent<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let path = sent.request.path;
    let answer = match (api, sent.method) {
        (Api::Credentials, "GET") => asked_list(manager, &Params::parse(sent.query.as_bytes())?, cx).await?,
        (Api::Credentials, _) => {
            let fields = body::read(sent.headers, sent.body, CREATE)?;
            let seed = Seed::of(manager, sent.headers, path, sent.body, cx).await?;
            return Ok(reply::json(StatusCode::CREATED, &create(manager, &fields, &seed, cx).await?));
        }
        (Api::AgentCredentials(id), _) => of_agent(manager, id, cx).await?,
        (Api::RotateCredential(id), _) => {
            let seed = Seed::of(manager, sent.headers, path, sent.body, cx).await?;
            rotate(manager, id, &seed, cx).await?
        }
        (Api::Credential(id), "GET") => {
            let credential = find(manager, &named(id)?, cx).await?;
            let keys = Keys::of([&credential.agent], manager, cx).await?;
            json!({ "data": keys.show(&credential, cx), "meta": {} })
        }
        (Api::Credential(id), _) => revoke(manager, id, cx).await?,
        _ => return Err(missing()),
    };
    Ok(reply::json(StatusCode::OK, &answer))
}

async fn asked_list<P: Ports>(manager: &Manager, query: &Params, cx: &Cx<'_, P>) -> Result<Value, Refused> {
    let include_revoked = match query.find("include_revoked") {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(body::unfit("include_revoked must be true or false")),
    };
    list(manager, query.find("agent_id"), include_revoked, page(query, tenant::LONGEST_PAGE)?, cx).await
}

/// The keys of whoever the caller reaches, or of one of them: at most so many, after so many.
///
/// # Errors
/// The agent is not there for the caller.
pub(in crate::http) async fn list<P: Ports>(
    manager: &Manager,
    agent: Option<&str>,
    include_revoked: bool,
    (limit, offset): (u32, u32),
    cx: &Cx<'_, P>,
) -> Result<Value, Refused> {
    let agent: Option<RegistrationId> = agent.map(str::parse).transpose().map_err(|_| missing())?;
    let what = What::Credentials { agent: agent.clone(), include_revoked, limit, offset };
    let (found, total) = listed(manager.ask(Deed::new(what), cx).await?)?;
    let keys = Keys::of(found.iter().map(|credential| &credential.agent), manager, cx).await?;
    let data: Vec<Value> = found.iter().map(|credential| keys.show(credential, cx)).collect();
    let meta = json!({ "total": total, "limit": limit, "offset": offset, "agent_id": agent, "include_revoked": include_revoked });
    Ok(json!({ "data": data, "meta": meta }))
}

/// An agent with the keys that it has at present.
async fn of_agent<P: Ports>(manager: &Manager, id: &str, cx: &Cx<'_, P>) -> Result<Value, Refused> {
    let id: RegistrationId = id.parse().map_err(|_| missing())?;
    let what = What::Credentials { agent: Some(id.clone()), include_revoked: false, limit: tenant::LONGEST_PAGE, offset: 0 };
    let (found, total) = listed(manager.ask(Deed::new(what), cx).await?)?;
    let keys = Keys::of([&id], manager, cx).await?;
    let brief = |credential: &tenant::Credential| {
        json!({
            "id": credential.id, "type": credential.kind, "prefix": credential.prefix, "created_at": credential.created.iso(),
            "is_valid": keys.counts(credential, cx),
        })
    };
    let credentials: Vec<Value> = found.iter().map(brief).collect();
    Ok(json!({ "data": { "id": id }, "meta": { "credentials_count": total, "credentials": credentials } }))
}

async fn find<P: Ports>(manager: &Manager, id: &CredentialId, cx: &Cx<'_, P>) -> Result<tenant::Credential, Refused> {
    one(manager.ask(Deed::new(What::Credential(id.clone())), cx).await?)
}

fn one(outcome: Outcome) -> Result<tenant::Credential, Refused> {
    match outcome {
        Outcome::Credential(credential, _) => Ok(*credential),
        // Nothing is listed here yet.
        Outcome::Nothing => Err(missing()),
        _ => Err(unexpected()),
    }
}

fn listed(outcome: Outcome) -> Result<(Vec<tenant::Credential>, u64), Refused> {
    match outcome {
        Outcome::Credentials(found, total) => Ok((found, total)),
        Outcome::Nothing => Ok((Vec::new(), 0)),
        _ => Err(unexpected()),
    }
}

fn named(id: &str) -> Result<CredentialId, Refused> {
    id.parse().map_err(|_| missing())
}

/// Unknown, malformed and somebody else's look the same.
fn missing() -> Refused {
    tenant::Refused::Missing.into()
}
