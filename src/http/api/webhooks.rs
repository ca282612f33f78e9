//! Who is told of what happens: an agent and all below it, at an address of their own.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Map, Value, json};
use url::Url;

use super::body::{self, text, unfit};
use super::manager::{Deed, Manager, unexpected};
use super::route::Api;
use super::seed::Seed;
use crate::cx::Cx;
use crate::http::Sent;
use crate::http::refuse::Refused;
use crate::http::reply;
use crate::id::{RegistrationId, WebhookId};
use crate::master::hex;
use crate::oauth::error::ErrorCode;
use crate::oauth::params::Params;
use crate::provider::guard::{self, NamedBy};
use crate::store::Ports;
use crate::tenant::{Delivery, DeliveryState, Outcome, Webhook, What};
use crate::time::{Timestamp, Ttl};
use crate::webhook::{message_id, sign};

/// The secret before signs too for so long after a rotation.
const OVERLAP: Ttl = Ttl::from_seconds(86_400);

/// A new webhook. A family is all of its events, those of later versions too.
pub(in crate::http) const SUBSCRIBE: &str = r#"{"type":"object","properties":{
    "url":{"type":"string","format":"uri","minLength":9,"maxLength":2048,"description":"An https address with a public name, on port 443, without credentials and redirects. It is sent a POST for each event."},
    "events":{"type":"array","minItems":1,"maxItems":32,"items":{"type":"string","enum":["*","agent.*","agent.created","agent.updated","agent.suspended","agent.reactivated","agent.revoked","credential.*","credential.created","credential.rotated","credential.revoked","delegation.*","delegation.created","delegation.accepted","delegation.declined","delegation.revoked","claim.*","claim.completed","claim.revoked","token.revoked","policy.denied"]},"description":"What it is told: events, families of them, or * for all."},
    "agent_id":{"type":"string","description":"It is told of this agent and all below: the caller, unless another below is named."}},
    "required":["url","events"]}"#;

pub(super) async fn serve<P: Ports>(api: Api<'_>, manager: &Manager, sent: &Sent<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    match (api, sent.method) {
        (Api::Webhooks, "POST") => {
            let fields = body::read(sent.headers, sent.body, SUBSCRIBE)?;
            let seed = Seed::of(manager, sent.headers, sent.request.path, sent.body, cx).await?;
            Ok(reply::json(StatusCode::CREATED, &subscribe(manager, &fields, &seed, cx).await?))
        }
        (Api::Webhooks, _) => {
            let all: Vec<Value> = all(manager, cx).await?.iter().map(shown).collect();
            Ok(reply::json(StatusCode::OK, &json!({ "meta": { "total": all.len() }, "data": all })))
        }
        (Api::Webhook(id), "DELETE") => {
            unsubscribe(manager, one(manager, id, cx).await?, cx).await?;
            Ok(reply::empty(StatusCode::NO_CONTENT))
        }
        (Api::RotateWebhook(id), _) => {
            let seed = Seed::of(manager, sent.headers, sent.request.path, sent.body, cx).await?;
            Ok(reply::json(StatusCode::OK, &rotate(manager, one(manager, id, cx).await?, &seed, cx).await?))
        }
        (Api::WebhookLogs(id), _) => {
            let query = Params::parse(sent.query.as_bytes()).map_err(|error| unfit(error.to_string()))?;
            let (limit, offset) = body::page(&query, 100)?;
            Ok(reply::json(StatusCode::OK, &logs(manager, id, limit, offset, cx).await?))
        }
        (Api::Webhook(id), _) => Ok(reply::json(StatusCode::OK, &json!({ "data": shown(&one(manager, id, cx).await?), "meta": {} }))),
        _ => Err(Refused::new(ErrorCode::NotFound, "no such path")),
    }
}

async fn subscribe<P: Ports>(manager: &Manager, fields: &Map<String, Value>, seed: &Seed, cx: &Cx<'_, P>) -> Result<Value, Refused> {
    manager.lasting()?;
    let url = address(text(fields, "url").unwrap_or_default(), cx)?;
    let mut events: Vec<String> = Vec::new();
    for event in fields.get("events").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        if !events.iter().any(|known| known == event) {
            events.push(event.to_owned());
        }
    }
    let agent: RegistrationId = match text(fields, "agent_id") {
        Some(id) => id.parse().map_err(|_| missing())?,
        None => manager.id.clone(),
    };
    let id = WebhookId::from_bytes(seed.name("webhook", cx)?);
    let metadata = json!({ "host": url.host_str(), "events": events });
    let webhook = Webhook {
        id: id.clone(),
        agent: Some(agent.clone()),
        url: url.into(),
        events,
        enabled: true,
        disabled: None,
        reason: None,
        root_generation: Some(manager.caller.active.root().generation),
        secret_version: 1,
        previous_until: None,
        created: cx.now,
        updated: cx.now,
    };
    let deed = Deed::new(What::Subscribe(Box::new(webhook))).audited("webhook.created", ("webhook", id.as_str()), &agent, &metadata);
    let Outcome::Webhook(webhook, _) = manager.ask(deed, cx).await? else { return Err(unexpected()) };
    let meta = json!({ "message": "Keep the secret: it is shown this once. Verify webhook-signature as Standard Webhooks say." });
    Ok(json!({ "data": with_secret(&webhook, cx), "meta": meta }))
}

async fn unsubscribe<P: Ports>(manager: &Manager, webhook: Webhook, cx: &Cx<'_, P>) -> Result<(), Refused> {
    manager.lasting()?;
    let about = webhook.agent.as_ref().unwrap_or(&manager.id);
    let deed = Deed::new(What::Unsubscribe(webhook.id.clone()));
    manager.ask(deed.audited("webhook.deleted", ("webhook", webhook.id.as_str()), about, &Value::Null), cx).await?;
    Ok(())
}

async fn rotate<P: Ports>(manager: &Manager, webhook: Webhook, seed: &Seed, cx: &Cx<'_, P>) -> Result<Value, Refused> {
    manager.lasting()?;
    let about = webhook.agent.as_ref().unwrap_or(&manager.id);
    let request = hex(&seed.bytes("webhook secret", cx)?);
    let what = What::RotateSecret { id: webhook.id.clone(), previous_until: cx.now.plus(OVERLAP), request };
    let deed = Deed::new(what).audited("webhook.rotated", ("webhook", webhook.id.as_str()), about, &Value::Null);
    let Outcome::Webhook(webhook, _) = manager.ask(deed, cx).await? else { return Err(unexpected()) };
    let until = webhook.previous_until.and_then(|until| until.iso());
    Ok(json!({ "data": with_secret(&webhook, cx), "meta": { "previous_secret_expires_at": until } }))
}

async fn logs<P: Ports>(manager: &Manager, id: &str, limit: u32, offset: u32, cx: &Cx<'_, P>) -> Result<Value, Refused> {
    let webhook = id.parse().map_err(|_| missing())?;
    let Outcome::Deliveries(found, total) = manager.ask(Deed::new(What::Deliveries { webhook, limit, offset }), cx).await? else {
        return Err(unexpected());
    };
    let data: Vec<Value> = found.iter().map(logged).collect();
    Ok(json!({ "data": data, "meta": { "total": total, "limit": limit, "offset": offset } }))
}

async fn all<P: Ports>(manager: &Manager, cx: &Cx<'_, P>) -> Result<Vec<Webhook>, Refused> {
    match manager.ask(Deed::new(What::Webhooks), cx).await? {
        Outcome::Webhooks(webhooks) => Ok(webhooks),
        _ => Err(unexpected()),
    }
}

async fn one<P: Ports>(manager: &Manager, id: &str, cx: &Cx<'_, P>) -> Result<Webhook, Refused> {
    all(manager, cx).await?.into_iter().find(|webhook| webhook.id.as_str() == id).ok_or_else(missing)
}

fn missing() -> Refused {
    crate::tenant::Refused::Missing.into()
}

/// An address that may be told something: judged by the same guard as whatever else a stranger names, and none of ours.
fn address<P>(text: &str, cx: &Cx<'_, P>) -> Result<Url, Refused> {
    let url = Url::parse(text).map_err(|_| unfit("url must be an absolute URL"))?;
    guard::permits(&url, NamedBy::Stranger, cx.config.development).map_err(|error| unfit(format!("url: {error}")))?;
    let own = Url::parse(&cx.config.issuer).ok();
    if own.is_some_and(|own| own.host() == url.host() && own.port_or_known_default() == url.port_or_known_default()) {
        return Err(unfit("url is one of our own"));
    }
    Ok(url)
}

fn shown(webhook: &Webhook) -> Value {
    json!({
        "id": webhook.id, "agent_id": webhook.agent, "url": webhook.url, "events": webhook.events, "enabled": webhook.enabled,
        "disabled_at": webhook.disabled.and_then(Timestamp::iso), "disabled_reason": webhook.reason,
        "disabled_hint": webhook.reason.as_deref().map(hint), "created_at": webhook.created.iso(), "updated_at": webhook.updated.iso(),
    })
}

/// What can be done about a webhook that is not told anything any more: none is enabled again.
fn hint(reason: &str) -> &'static str {
    match reason {
        "claimed" => "A person has claimed the agent since it was made. Make it anew if you want it, and delete this one.",
        "gone" => "It has answered 410. Make it anew if you want it, and delete this one.",
        _ => "It took nothing for long. Make it anew once it answers, and delete this one.",
    }
}

fn with_secret<P>(webhook: &Webhook, cx: &Cx<'_, P>) -> Value {
    let mut shown = shown(webhook);
    if let Value::Object(fields) = &mut shown {
        let secret = sign::secret(&webhook.id, webhook.secret_version, &cx.config.masters.current);
        fields.insert("secret".to_owned(), secret.into());
    }
    shown
}

/// One telling, with all of its attempts so far. What was given up is a dead letter: `state` says so.
fn logged(delivery: &Delivery) -> Value {
    json!({
        "id": message_id(delivery),
        "subscription_id": delivery.webhook,
        "event_type": delivery.event_type,
        "payload": serde_json::from_str::<Value>(&delivery.payload).unwrap_or_default(),
        "attempt": delivery.attempt,
        "state": delivery.state,
        "success": delivery.state == DeliveryState::Delivered,
        "status_code": delivery.status,
        "error_message": delivery.error,
        "next_attempt_at": delivery.due.and_then(|due| due.iso()),
        "created_at": delivery.created.iso(),
        "updated_at": delivery.updated.iso(),
    })
}
