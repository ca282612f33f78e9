//! Keys are made, rotated and ended. The agent's cell decides whether a key counts; the account lists it. What is listed first and counts
//! later, or ends first and is struck off later, can be lost on the way without harm: the same request again completes it.

use std::rc::Rc;

use serde_json::{Map, Value, json};

use super::super::attempt;
use super::limit::Limit;
use super::shown::{Keys, scopes};
use super::{LONGEST_METADATA, find, missing, named, one};
use crate::cx::Cx;
use crate::http::api::body::{moment, number, text, unfit};
use crate::http::api::manager::{Deed, Manager, unexpected};
use crate::http::api::seed::Seed;
use crate::http::refuse::Refused;
use crate::id::{CredentialId, RegistrationId};
use crate::machine::registration::{Command, NewKey, Outcome, Registration};
use crate::machine::standing::Standing;
use crate::oauth::error::ErrorCode;
use crate::oauth::scope::Scope;
use crate::secret::{ApiKey, Digest, Secret};
use crate::store::Ports;
use crate::tenant::{self, AuditOutcome, Credential, Trouble, UNNUMBERED, What};
use crate::time::{Timestamp, Ttl};
use crate::verify;

/// Makes a key for the caller or an agent below.
///
/// # Errors
/// The agent is not there for the caller or inactive, the key would be good for too much, or there are too many.
pub(in crate::http) async fn create<P: Ports>(
    manager: &Manager,
    fields: &Map<String, Value>,
    seed: &Seed,
    cx: &Cx<'_, P>,
) -> Result<Value, Refused> {
    let agent: RegistrationId = text(fields, "agent_id").unwrap_or_default().parse().map_err(|_| missing())?;
    let limit = Limit::of(manager, cx);
    let expires = limit.ends(expires(fields, cx)?);
    let metadata = fields.get("metadata").map_or_else(|| "{}".to_owned(), Value::to_string);
    if metadata.len() > LONGEST_METADATA {
        return Err(unfit(format!("metadata must have at most {LONGEST_METADATA} bytes")));
    }
    let asked = asked(fields)?;
    let scopes = match manager.lasting().and_then(|()| limit.scope(asked)) {
        Ok(scopes) => scopes,
        Err(refused) => return Err(noted(manager, "credential.created", ("agent", agent.as_str()), refused, cx).await?),
    };
    let (secret, prefix) = secret(&agent, seed.bytes("credential key", cx)?, cx);
    let lifetime = number(fields, "token_lifetime_seconds");
    let credential = Credential {
        id: CredentialId::from_bytes(seed.name("credential", cx)?),
        agent: agent.clone(),
        number: UNNUMBERED,
        kind: "api_key".to_owned(),
        prefix,
        scopes,
        expires,
        last_used: None,
        last_rotated: None,
        revoked: None,
        token_lifetime_seconds: lifetime,
        metadata,
        created: cx.now,
        updated: cx.now,
    };
    let listed = one(manager.ask(deed(What::AddCredential(Box::new(credential.clone())), "created", &credential, cx), cx).await?)?;
    if listed.revoked.is_some() {
        return Err(tenant::Refused::Ended.into());
    }
    // Whoever repeats the request must not have become less than they were.
    limit.allows(&listed, false).and_then(|()| limit.outlasts(&listed))?;
    let (credential, standing) = if listed.number == UNNUMBERED {
        let (number, standing) = add(manager, &listed, secret.digest(), limit.limited, cx).await?;
        let numbered = Credential { number, ..listed };
        let deed = deed(What::AddCredential(Box::new(numbered.clone())), "created", &numbered, cx);
        (one(manager.ask(deed, cx).await?)?, standing)
    } else {
        (listed, look(&agent, cx).await?.ok_or_else(unexpected)?)
    };
    let shown = Keys::told(&agent, standing, manager).show(&credential, cx);
    Ok(json!({ "credential": shown, "raw_key": secret.reveal(), "message": "Keep raw_key: it is shown once." }))
}

/// What is listed becomes a key; its number.
async fn add<P: Ports>(
    manager: &Manager,
    listed: &Credential,
    digest: Digest,
    limited: bool,
    cx: &Cx<'_, P>,
) -> Result<(u32, Rc<Standing>), Refused> {
    let lifetime = listed.token_lifetime_seconds.map(|seconds| Ttl::from_seconds(seconds.into()));
    let root_generation = Some(manager.caller.active.root().generation);
    let new = NewKey { digest, scope: listed.scopes.clone(), lifetime, expires: listed.expires, limited, root_generation };
    match cx.ports.run::<Registration>(&listed.agent, Command::AddManagedKey(new)).await? {
        Outcome::Credential(standing, number) => Ok((number, heard(&listed.agent, standing, cx))),
        outcome => {
            // Nothing came of it: nothing is to stay on the list.
            manager.ask(Deed::new(What::RevokeCredential(listed.id.clone())), cx).await?;
            let is_full = matches!(outcome, Outcome::Full);
            Err(if is_full { tenant::Refused::TooMany } else { tenant::Refused::Inactive }.into())
        }
    }
}

/// Puts another key in the place of one that works, which is dead in the same step, with its tokens.
///
/// # Errors
/// It is not there for the caller, has ended, or is good for more than the caller's own credential.
pub(in crate::http) async fn rotate<P: Ports>(manager: &Manager, id: &str, seed: &Seed, cx: &Cx<'_, P>) -> Result<Value, Refused> {
    let id = named(id)?;
    let next = CredentialId::from_bytes(seed.name("rotated credential", cx)?);
    let limit = Limit::of(manager, cx);
    let listed = |number, prefix| What::RotateCredential { id: id.clone(), next: next.clone(), number, prefix, expires: limit.until };
    let old = match find(manager, &id, cx).await {
        Ok(old) => old,
        Err(refused) if refused.code() == ErrorCode::NotFound => return Err(denied(manager, listed(0, String::new()), &id, cx).await),
        Err(refused) => return Err(refused),
    };
    let agent = old.agent.clone();
    if let Err(refused) = manager.lasting().and_then(|()| limit.allows(&old, is_own(manager, &old))) {
        return Err(noted(manager, "credential.rotated", ("credential", id.as_str()), refused, cx).await?);
    }
    let (secret, prefix) = secret(&agent, seed.bytes("rotated key", cx)?, cx);
    let (number, standing) = if old.revoked.is_none() && old.number != UNNUMBERED {
        let command = Command::RotateKey {
            id: old.number,
            digest: secret.digest(),
            expires: limit.until,
            root_generation: Some(manager.caller.active.root().generation),
        };
        match cx.ports.run::<Registration>(&agent, command).await? {
            Outcome::Credential(standing, number) => (number, heard(&agent, standing, cx)),
            Outcome::Full => return Err(tenant::Refused::TooMany.into()),
            _ => return Err(not_rotated(&agent, cx).await?.into()),
        }
    } else {
        // Only the same request again finds what it has made.
        let known = one(manager.ask(Deed::new(What::Credential(next.clone())), cx).await.map_err(|_| tenant::Refused::Ended)?)?;
        limit.outlasts(&known)?;
        let standing = look(&agent, cx).await?.ok_or_else(unexpected)?;
        (known.number, standing)
    };
    let told = Credential { id: next.clone(), ..old.clone() };
    let audited = json!({ "old_credential_id": id, "prefix": prefix });
    let data = json!({ "credential_id": next, "old_credential_id": id, "agent_id": agent, "prefix": prefix });
    let deed = Deed::new(listed(number, prefix)).audited("credential.rotated", ("credential", told.id.as_str()), &agent, &audited).told(
        "credential.rotated",
        &agent,
        &data,
        cx,
    );
    let tenant::Outcome::Rotated(both, _) = manager.ask(deed, cx).await? else { return Err(unexpected()) };
    let keys = Keys::told(&agent, standing, manager);
    Ok(json!({
        "old_credential": keys.show(&both.0, cx), "new_credential": keys.show(&both.1, cx), "raw_key": secret.reveal(),
        "message": "The old key is dead. Keep raw_key: it is shown once.",
    }))
}

/// Ends a key, with its tokens.
///
/// # Errors
/// It is not there for the caller, or has ended already.
pub(in crate::http) async fn revoke<P: Ports>(manager: &Manager, id: &str, cx: &Cx<'_, P>) -> Result<Value, Refused> {
    let id = named(id)?;
    let credential = match find(manager, &id, cx).await {
        Ok(credential) => credential,
        Err(refused) if refused.code() == ErrorCode::NotFound => {
            return Err(denied(manager, What::RevokeCredential(id.clone()), &id, cx).await);
        }
        Err(refused) => return Err(refused),
    };
    if credential.revoked.is_some() {
        return Err(tenant::Refused::Ended.into());
    }
    // Whoever has a key may always say that it is to count no more.
    if let Err(refused) = manager.lasting().or_else(|refused| if is_own(manager, &credential) { Ok(()) } else { Err(refused) }) {
        return Err(noted(manager, "credential.revoked", ("credential", id.as_str()), refused, cx).await?);
    }
    let agent = credential.agent.clone();
    let mut standing = None;
    if credential.number != UNNUMBERED
        && let Outcome::Standing(known) = cx.ports.run::<Registration>(&agent, Command::RevokeCredential { id: credential.number }).await?
    {
        standing = Some(heard(&agent, known, cx));
    }
    let deed = deed(What::RevokeCredential(id.clone()), "revoked", &credential, cx);
    let credential = one(manager.ask(deed, cx).await?)?;
    let keys = standing.map_or_else(|| Keys::none(manager), |standing| Keys::told(&agent, standing, manager));
    let meta = json!({ "credential_id": id, "message": "The key and its tokens do not count any more." });
    Ok(json!({ "data": keys.show(&credential, cx), "meta": meta }))
}

/// Whether the manager has come with it, or with a token of it.
fn is_own(manager: &Manager, credential: &Credential) -> bool {
    let active = &manager.caller.active;
    let key = active.stamp().and_then(|stamp| active.standing.key(stamp));
    credential.agent == manager.id && key.is_some_and(|key| key.id == credential.number)
}

/// What is done to a credential, with who is told. No more of the key than its prefix.
fn deed<P>(what: What, done: &str, credential: &Credential, cx: &Cx<'_, P>) -> Deed {
    let event = format!("credential.{done}");
    let Credential { id, agent, prefix, .. } = credential;
    let about = json!({ "prefix": prefix, "scopes": scopes(credential.scopes.as_ref()), "expires_at": credential.expires.and_then(Timestamp::iso) });
    let data = json!({ "credential_id": id, "agent_id": agent, "prefix": prefix });
    Deed::new(what).audited(&event, ("credential", id.as_str()), agent, &about).told(&event, agent, &data, cx)
}

/// Has it audited that somebody wanted what is not there for them: the account refuses it again.
async fn denied<P: Ports>(manager: &Manager, what: What, id: &CredentialId, cx: &Cx<'_, P>) -> Refused {
    let event = if matches!(what, What::RevokeCredential(_)) { "credential.revoked" } else { "credential.rotated" };
    let deed = Deed::new(what).audited(event, ("credential", id.as_str()), &manager.id, &Value::Null);
    match manager.ask(deed, cx).await {
        Err(refused) => refused,
        Ok(_) => missing(),
    }
}

/// The refusal, once it is audited; as often as other denials, and with them.
async fn noted<P: Ports>(
    manager: &Manager,
    event: &str,
    target: (&str, &str),
    refused: Refused,
    cx: &Cx<'_, P>,
) -> Result<Refused, Refused> {
    manager
        .ask(
            Deed::new(attempt::counted(manager, Trouble::Denied, cx))
                .audited(event, target, &manager.id, &Value::Null)
                .ended(AuditOutcome::Denied),
            cx,
        )
        .await?;
    Ok(refused.noted())
}

/// Why a cell does not rotate a key.
async fn not_rotated<P: Ports>(agent: &RegistrationId, cx: &Cx<'_, P>) -> Result<tenant::Refused, Refused> {
    let is_live = look(agent, cx).await?.is_some_and(|standing| standing.is_live(cx.now));
    Ok(if is_live { tenant::Refused::Ended } else { tenant::Refused::Inactive })
}

async fn look<P: Ports>(agent: &RegistrationId, cx: &Cx<'_, P>) -> Result<Option<Rc<Standing>>, Refused> {
    match cx.ports.run::<Registration>(agent, Command::Look).await? {
        Outcome::Standing(standing) => Ok(Some(heard(agent, standing, cx))),
        _ => Ok(None),
    }
}

/// What a cell has just said counts in this isolate at once.
fn heard<P>(agent: &RegistrationId, standing: Standing, cx: &Cx<'_, P>) -> Rc<Standing> {
    let standing = Rc::new(standing);
    verify::remember(agent, Some(standing.clone()), cx);
    standing
}

/// A key, and as much of it as is listed.
fn secret<P>(agent: &RegistrationId, bytes: [u8; 32], cx: &Cx<'_, P>) -> (Secret<ApiKey>, String) {
    let prefix = &cx.config.api_key_prefix;
    let secret = Secret::<ApiKey>::mint(prefix, agent.digits(), bytes, &cx.config.masters.current);
    let shown = format!("{prefix}_{}", agent.digits().get(..8).unwrap_or_default());
    (secret, shown)
}

fn asked(fields: &Map<String, Value>) -> Result<Option<Scope>, Refused> {
    let Some(names) = fields.get("scopes").and_then(Value::as_array) else { return Ok(None) };
    Ok(Some(Scope::held(names.iter().filter_map(Value::as_str))?))
}

fn expires<P>(fields: &Map<String, Value>, cx: &Cx<'_, P>) -> Result<Option<Timestamp>, Refused> {
    match moment(fields, "expires_at")? {
        Some(expires) if expires <= cx.now => Err(unfit("expires_at must be in the future")),
        expires => Ok(expires),
    }
}
