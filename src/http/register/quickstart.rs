//! An agent comes in by one call, as AgentAuth has it: a registration of its own, which is the root of a tree, with an API key or without.

use http::HeaderMap;
use serde_json::{Map, Value, json};

use super::answer::list;
use super::open::{Opened, Plan, open};
use super::seed::Seed;
use crate::cx::Cx;
use crate::email::cleaned;
use crate::grant;
use crate::grant::claim::merge;
use crate::http::api::agents::{fields, shown, token};
use crate::http::api::manager::{retain, run, unexpected};
use crate::http::api::tokens;
use crate::http::limit::Allowance;
use crate::http::refuse::Refused;
use crate::id::{CredentialId, RegistrationId};
use crate::machine::registration::Said;
use crate::machine::standing::{Credential, Kind, Standing};
use crate::oauth::error::ErrorCode;
use crate::oauth::scope::Scope;
use crate::rights;
use crate::secret::Secret;
use crate::store::Ports;
use crate::tenant::{self, Agent, AuditRow, Outcome, Profile, What};

/// What whoever comes in is told.
pub(in crate::http) struct ComeIn {
    pub(in crate::http) answer: Value,
    pub(in crate::http) allowance: Option<Allowance>,
}

/// Opens a registration for what an agent says of itself, and answers with the agent, its key, a token for all that the key may, and the
/// token that a person claims it with.
///
/// # Errors
/// Nobody comes in without a person here, too many have, or the fields do not fit.
pub(in crate::http) async fn quickstart<P: Ports>(
    fields: &Map<String, Value>,
    headers: &HeaderMap,
    cx: &Cx<'_, P>,
) -> Result<ComeIn, Refused> {
    let (id, profile, opened) = opened("quickstart", true, fields, headers, cx).await?;
    let Opened { standing, made, allowance, .. } = opened;
    let key = made.key.map(Secret::reveal).unwrap_or_default();
    let prefix = key.get(..cx.config.api_key_prefix.len() + 9).unwrap_or_default();
    let first = standing.credentials.first();
    let stamp = first.map(Credential::stamp);
    let agent = entered(&id, profile, first.map(|key| listed(&id, prefix, key, cx)), cx).await?;
    let entitled = rights::entitled(&standing, None, stamp, cx.config);
    let own = cx.config.resource(&cx.config.own("/api/v1")).map(|resource| &resource.scopes);
    let entitled = own.map_or_else(Scope::default, |own| entitled.as_scope().intersect(own));
    let all = entitled.union(&rights::managing(&standing, None, stamp));
    // The key is worth more than the token: asking for another one says what is wrong with that.
    let token = token(&key, &all, true, cx).await.unwrap_or_default();
    let mut answer = json!({
        "agent": shown::shown(&agent, standing.expires, cx.now),
        "api_key_prefix": prefix,
        "api_key": key,
        "scopes": list(&cx.config.pre_claim_scopes),
        "token": token,
        "message": "Keep the api_key: it is shown this once. With the claim_token a person can take you over, and you can do more then.",
    });
    merge(&mut answer, claimable(made.claim.as_deref(), &standing, cx));
    Ok(ComeIn { answer, allowance })
}

/// The same without a key. Where AgentAuth gives no credential at all, here is the identity assertion of auth.md, which is exchanged for
/// tokens: a registration that nobody can use would be of no use.
///
/// # Errors
/// As [`quickstart`].
pub(in crate::http) async fn bootstrap<P: Ports>(
    fields: &Map<String, Value>,
    headers: &HeaderMap,
    cx: &Cx<'_, P>,
) -> Result<ComeIn, Refused> {
    let (id, profile, opened) = opened("bootstrap", false, fields, headers, cx).await?;
    let Opened { standing, made, allowance, .. } = opened;
    let agent = entered(&id, profile, None, cx).await?;
    // Dated by the registration, so that a repeated answer says the same.
    let (assertion, expires) = grant::identity_assertion(&id, &standing, made.jti, standing.created, cx).await?;
    let mut meta = json!({
        "message": "You are registered. Exchange identity_assertion for a token at the token_endpoint (urn:ietf:params:oauth:grant-type:jwt-bearer).",
        "is_root": true,
        "identity_assertion": assertion,
        "assertion_expires": expires.iso(),
    });
    merge(&mut meta, claimable(made.claim.as_deref(), &standing, cx));
    Ok(ComeIn { answer: json!({ "data": shown::shown(&agent, standing.expires, cx.now), "meta": meta }), allowance })
}

async fn opened<P: Ports>(
    path: &str,
    key: bool,
    fields: &Map<String, Value>,
    headers: &HeaderMap,
    cx: &Cx<'_, P>,
) -> Result<(RegistrationId, Profile, Opened), Refused> {
    if !cx.config.anonymous || !cx.config.dialects.any() {
        return Err(Refused::new(ErrorCode::AnonymousNotEnabled, "anonymous registration is off"));
    }
    let profile = fields::profile(fields)?;
    let said = Said { email: None, agent: Some(cleaned(&of_itself(&profile))) };
    let seed = Seed::new(path, headers, Value::Object(fields.clone()).to_string().as_bytes(), cx)?;
    let plan = Plan { kind: Kind::Anonymous, v01: false, key, said, hint: None, credential: None, attempt: None };
    let opened = open(&seed, &plan, cx).await?;
    Ok((seed.registration, profile, opened))
}

/// Enters the root into its account, with the key that it came with; as it is there already, if the request is a repeat. Nobody has a
/// credential to ask the account with yet.
async fn entered<P: Ports>(
    id: &RegistrationId,
    profile: Profile,
    key: Option<tenant::Credential>,
    cx: &Cx<'_, P>,
) -> Result<Agent, Refused> {
    let about = json!({ "name": profile.name, "agent_type": profile.agent_type });
    let mut audit = vec![audited("agent.created", ("agent", id.as_str()), id, &about, cx)];
    let number = key.as_ref().map(|key| key.number);
    let what = match key {
        Some(key) => {
            audit.push(audited("credential.created", ("credential", key.id.as_str()), id, &json!({ "agent_id": id }), cx));
            What::Arrive { id: id.clone(), profile, credential: Box::new(key) }
        }
        None => What::Root { id: id.clone(), profile },
    };
    let command = tenant::Command { audit, retain: retain(cx), ..tenant::Command::alone(what) };
    match run(&id.account(), command, cx).await? {
        Outcome::Agent(agent, _) => {
            // Not before the account has the key: a request that fails on the way there is repeated.
            number.into_iter().for_each(|number| tokens::noted(id, number, cx));
            Ok(*agent)
        }
        Outcome::Refused(refused) => Err(refused.into()),
        _ => Err(unexpected()),
    }
}

/// The key that the root came with, as it is listed. There is one, so it is called as the root is.
fn listed<P>(id: &RegistrationId, prefix: &str, key: &Credential, cx: &Cx<'_, P>) -> tenant::Credential {
    tenant::Credential {
        id: CredentialId::from_digits(id.digits()),
        agent: id.clone(),
        number: key.id,
        kind: "api_key".to_owned(),
        prefix: prefix.to_owned(),
        scopes: None,
        expires: Some(key.expires).filter(|expires| expires.iso().is_some()),
        last_used: None,
        last_rotated: None,
        revoked: None,
        token_lifetime_seconds: None,
        metadata: "{}".to_owned(),
        created: cx.now,
        updated: cx.now,
    }
}

fn audited<P>(event: &str, target: (&str, &str), root: &RegistrationId, metadata: &Value, cx: &Cx<'_, P>) -> AuditRow {
    AuditRow {
        network: cx.origin.as_ref().map(|origin| origin.narrow.clone()),
        request_id: Some(cx.request_id.to_owned()),
        metadata: Some(metadata.to_string()),
        ..AuditRow::of(event, ("agent", Some(root.to_string())), target, Some(root.clone()))
    }
}

/// How a person takes the root over.
fn claimable<P>(token: Option<&str>, standing: &Standing, cx: &Cx<'_, P>) -> Value {
    match token {
        Some(token) => json!({
            "claim_token": token, "claim_url": cx.config.own("/agent/identity/claim"), "claim_token_expires": standing.expires.iso(),
        }),
        None => json!({}),
    }
}

/// What people read of it where they decide.
fn of_itself(profile: &Profile) -> String {
    let (name, agent_type) = (&profile.name, profile.agent_type.as_str());
    profile
        .description
        .as_ref()
        .map_or_else(|| format!("{name} ({agent_type})"), |description| format!("{name} ({agent_type}): {description}"))
}
