//! Policies: whoever writes one binds itself and all below. Those of somebody above can be read, and not changed.

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use serde_json::{Map, Value, json};

use super::body;
use super::manager::{Deed, Manager, unexpected};
use super::route::Api;
use super::seed::Seed;
use crate::constraint::fault::Fault;
use crate::cx::Cx;
use crate::http::refuse::Refused;
use crate::http::{Sent, json, reply};
use crate::id::{PolicyId, RegistrationId};
use crate::oauth::error::ErrorCode;
use crate::oauth::params::Params;
use crate::policy::{Policy, Written};
use crate::store::Ports;
use crate::tenant::{self, Outcome, PolicyPatch, What};

const LONGEST_PAGE: u32 = tenant::LONGEST_PAGE;

pub(super) async fn serve<P: Ports>(api: Api<'_>, manager: &Manager, sent: &Sent<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let answer = match (api, sent.method) {
        (Api::Policy(id), "DELETE") => {
            delete(manager, id, cx).await?;
            return Ok(reply::empty(StatusCode::NO_CONTENT));
        }
        (Api::Policy(id), "PUT") => change(manager, id, &fields(sent.headers, sent.body)?, cx).await?,
        (Api::Policy(id), _) => json!({ "data": shown(find(manager, id, cx).await?)?.to_value() }),
        (_, "POST") => {
            let fields = fields(sent.headers, sent.body)?;
            // What is not taken uses up no Idempotency-Key.
            let written = Written::parse(&fields).map_err(invalid)?;
            let seed = Seed::of(manager, sent.headers, sent.request.path, sent.body, cx).await?;
            return Ok(reply::json(StatusCode::CREATED, &create(manager, written, &seed, cx).await?));
        }
        _ => {
            let query = Params::parse(sent.query.as_bytes())?;
            let page = body::page(&query, LONGEST_PAGE)?;
            let enabled_only = match query.find("enabled_only") {
                None | Some("false") => false,
                Some("true") => true,
                Some(_) => return Err(body::unfit("enabled_only must be true or false")),
            };
            list(manager, enabled_only, page, cx).await?
        }
    };
    Ok(reply::json(StatusCode::OK, &answer))
}

/// A new policy of the manager.
///
/// # Errors
/// The account has too many, or did not answer.
pub(in crate::http) async fn create<P: Ports>(manager: &Manager, written: Written, seed: &Seed, cx: &Cx<'_, P>) -> Result<Value, Refused> {
    manager.lasting()?;
    let id = PolicyId::from_bytes(seed.name("policy", cx)?);
    let policy = Policy { id, created_by: Some(manager.id.clone()), written, created: cx.now, updated: cx.now };
    let metadata = json!({ "name": policy.written.name(), "effect": policy.written.effect().as_str() });
    let deed = Deed::new(What::CreatePolicy(Box::new(policy.clone().into())))
        .audited("policy.created", ("policy", policy.id.as_str()), &manager.id, &metadata)
        .told("policy.created", &manager.id, &policy.to_value(), cx);
    let made = one(manager.ask(deed, cx).await?)?;
    Ok(json!({ "data": shown(made)?.to_value(), "meta": { "message": "The policy counts from now on." } }))
}

/// Those that bind the manager or agents below it; `page` is limit and offset.
///
/// # Errors
/// The account did not answer.
pub(in crate::http) async fn list<P: Ports>(
    manager: &Manager,
    enabled_only: bool,
    (limit, offset): (u32, u32),
    cx: &Cx<'_, P>,
) -> Result<Value, Refused> {
    match manager.ask(Deed::new(What::Policies { agent: None, enabled_only, limit, offset }), cx).await? {
        Outcome::Policies(policies, total) => {
            let data = policies.into_iter().map(|policy| Ok(shown(policy)?.to_value())).collect::<Result<Vec<_>, Refused>>()?;
            Ok(json!({ "data": data, "meta": { "total": total, "limit": limit, "offset": offset, "enabled_only": enabled_only } }))
        }
        _ => Err(unexpected()),
    }
}

async fn change<P: Ports>(manager: &Manager, id: &str, changes: &Value, cx: &Cx<'_, P>) -> Result<Value, Refused> {
    let before = shown(find(manager, id, cx).await?)?;
    manager.lasting()?;
    let written = before.written.changed(changes).map_err(invalid)?;
    let named: Map<String, Value> = changes.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())).collect();
    let after = Policy { written, updated: cx.now, ..before };
    let about = after.created_by.clone().unwrap_or_else(|| manager.id.clone());
    let metadata = json!({ "changed": named.keys().collect::<Vec<_>>() });
    let patch = Box::new(patch(&named, after.clone().into()));
    let deed = Deed::new(What::PutPolicy { id: after.id.clone(), patch })
        .audited("policy.updated", ("policy", after.id.as_str()), &about, &metadata)
        .told("policy.updated", &about, &after.to_value(), cx);
    let changed = one(manager.ask(deed, cx).await?)?;
    Ok(json!({ "data": shown(changed)?.to_value(), "meta": { "message": "The policy has changed." } }))
}

async fn delete<P: Ports>(manager: &Manager, id: &str, cx: &Cx<'_, P>) -> Result<(), Refused> {
    let policy = find(manager, id, cx).await?;
    manager.lasting()?;
    let about: RegistrationId = policy.created_by.clone().unwrap_or_else(|| manager.id.clone());
    let data = json!({ "id": policy.id.as_str(), "name": policy.name, "effect": policy.effect });
    let deed = Deed::new(What::DeletePolicy(policy.id.clone()))
        .audited("policy.deleted", ("policy", policy.id.as_str()), &about, &data)
        .told("policy.deleted", &about, &data, cx);
    manager.ask(deed, cx).await.map(|_| ())
}

/// A policy that binds the agent, or one below it.
async fn find<P: Ports>(manager: &Manager, id: &str, cx: &Cx<'_, P>) -> Result<tenant::Policy, Refused> {
    let id: PolicyId = id.parse().map_err(|_| tenant::Refused::Missing)?;
    one(manager.ask(Deed::new(What::Policy(id)), cx).await?)
}

/// What was not named stays, whatever somebody else changes meanwhile.
fn patch(named: &Map<String, Value>, after: tenant::Policy) -> PolicyPatch {
    fn given<T>(named: &Map<String, Value>, name: &str, value: T) -> Option<T> {
        named.contains_key(name).then_some(value)
    }
    PolicyPatch {
        name: given(named, "name", after.name),
        description: given(named, "description", after.description.unwrap_or_default()),
        effect: given(named, "effect", after.effect),
        subjects: given(named, "subjects", after.subjects),
        actions: given(named, "actions", after.actions),
        resources: given(named, "resources", after.resources),
        conditions: given(named, "conditions", after.conditions),
        priority: given(named, "priority", after.priority),
        enabled: given(named, "enabled", after.enabled),
    }
}

fn one(outcome: Outcome) -> Result<tenant::Policy, Refused> {
    match outcome {
        Outcome::Policy(policy, _) => Ok(*policy),
        _ => Err(unexpected()),
    }
}

fn shown(row: tenant::Policy) -> Result<Policy, Refused> {
    Policy::try_from(row).map_err(|error| Refused::new(ErrorCode::TemporarilyUnavailable, error.to_string()))
}

fn fields(headers: &HeaderMap, sent: &[u8]) -> Result<Value, Refused> {
    json::object::<Map<String, Value>>(headers, sent).map(Value::Object)
}

/// 422: where the fault is, what is wrong there, and what would be known there.
fn invalid(fault: Fault) -> Refused {
    let words = fault.to_string();
    let errors = json!({ "errors": [words], "field": fault.field, "known": fault.known });
    Refused::new(ErrorCode::InvalidPolicy, words).with(errors)
}
