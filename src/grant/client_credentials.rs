//! `client_credentials` (RFC 6749, section 4.4): with an API key as the secret of an agent, or by a confidential client for itself.

use std::rc::Rc;

use serde_json::json;

use super::{Authorized, CLIENT_CREDENTIALS, Denied, admit, places};
use crate::audit;
use crate::client::{Client, Source};
use crate::config::{Config, Resource};
use crate::cx::Cx;
use crate::dpop;
use crate::id::{GrantId, Holder, RegistrationId};
use crate::machine::grant::{Command, Grant, GrantRefusal, Outcome};
use crate::machine::registration::{self, Proof, Registration};
use crate::oauth::scope::{GrantedScope, Scope};
use crate::secret::{ApiKey, Presented};
use crate::store::Ports;
use crate::verify;

pub(super) async fn authorize<P: Ports>(
    client_id: Option<&str>,
    secret: &str,
    resource: Option<&Resource>,
    scope: Option<Scope>,
    proof: Option<&dpop::Proof>,
    cx: &Cx<'_, P>,
) -> Result<Authorized, Denied> {
    let key = Presented::<ApiKey>::parse(&cx.config.api_key_prefix, secret, &cx.config.masters)
        .ok_or(Denied::Client("not a key of this deployment"))?;
    let registration = RegistrationId::from_digits(key.digits());
    // The key names its registration; a client_id is not needed, but a wrong one is a mistake worth telling.
    if client_id.is_some_and(|id| id != registration.as_str()) {
        return Err(Denied::Client("the key belongs to another client_id"));
    }
    let resource = resource.ok_or(Denied::Resource)?;
    let shown = || Proof::ApiKey { digests: key.digests().to_vec() };
    let Some(admitted) = admit(&registration, shown, cx).await? else {
        failed(&registration, secret, cx).await;
        return Err(Denied::Client("the key was revoked or has expired"));
    };
    let authorized = Authorized::within(&registration, admitted, resource, scope, cx)?.bound(proof);
    dpop::burn(proof, cx).await?;
    Ok(authorized)
}

/// The account of the agent hears of a key that does not count, and of one that nobody has made.
pub(super) async fn failed<P: Ports>(registration: &RegistrationId, secret: &str, cx: &Cx<'_, P>) {
    let Ok(registration::Outcome::Standing(standing)) = cx.ports.run::<Registration>(registration, registration::Command::Look).await
    else {
        return;
    };
    let standing = Rc::new(standing);
    verify::remember(registration, Some(standing.clone()), cx);
    if !audit::dead_key(secret, CLIENT_CREDENTIALS, cx).await {
        audit::failed(registration, &standing, json!({ "method": CLIENT_CREDENTIALS, "key": "unknown" }), cx).await;
    }
}

/// A token of the client's own. Its record is a grant without a person, which ends and is listed like others.
pub(super) async fn own<P: Ports>(
    client: &Client,
    resource: Option<&Resource>,
    asked: Option<Scope>,
    proof: Option<&dpop::Proof>,
    cx: &Cx<'_, P>,
) -> Result<Authorized, Denied> {
    dpop::demand(client.metadata.dpop_bound_access_tokens, proof)?;
    if !client.metadata.allows_grant(CLIENT_CREDENTIALS) {
        return Err(Denied::UnauthorizedClient);
    }
    let resource = resource.ok_or(Denied::Resource)?;
    if !resource.client_access {
        return Err(Denied::PeopleOnly);
    }
    let ceiling = ceiling(client, resource, cx.config).ok_or(Denied::UnauthorizedClient)?;
    // What it may not have is left out; the answer says what it got.
    let scope = asked.map_or(ceiling.clone(), |asked| ceiling.intersect(&asked.entitle()));
    if scope.as_scope().is_empty() {
        return Err(Denied::NoScope);
    }
    dpop::demand(client.metadata.dpop_bound_access_tokens, proof)?;
    dpop::burn(proof, cx).await?;
    let (name, ttl) = (GrantId::of(None, &client.id), cx.config.ttls.access_token);
    let holder = Holder::Grant(name.clone());
    let ask =
        async |block| match cx.ports.run::<Grant>(&name, Command::Own { name: name.clone(), client: client.id.clone(), block }).await? {
            Outcome::Issue { standing, stamp, .. } => Ok(Some((standing, stamp))),
            Outcome::Refused(refusal) => Err(Denied::Grant(refusal)),
            _ => Err(Denied::Grant(GrantRefusal::Unknown)),
        };
    let (standing, credential, place) = places::with(&holder, ttl, ask, cx).await?.ok_or_else(|| Denied::Holder(holder.clone()))?;
    Ok(Authorized {
        holder,
        generation: standing.generation,
        credential,
        subject: client.id.clone(),
        client_id: client.id.clone(),
        until: standing.expires,
        ttl,
        resource: resource.uri.clone(),
        scope,
        place,
        jkt: proof.map(|proof| proof.jkt.clone()),
        exchanged: None,
    })
}

/// The operator answers for the clients that they have made. All others are as good as agents whom nobody has claimed, and may as little;
/// nothing where such agents are not let in.
fn ceiling(client: &Client, resource: &Resource, config: &Config) -> Option<GrantedScope> {
    let most = match client.source {
        Source::Operator | Source::Configured => {
            let most = config.post_claim_scopes.clone();
            client.ceiling().map_or(most.clone(), |scope| most.intersect(&scope.entitle()))
        }
        Source::Registered | Source::Document { .. } if config.anonymous => config.pre_claim_scopes.clone(),
        Source::Registered | Source::Document { .. } => return None,
    };
    Some(most.intersect(&resource.scopes.entitle()))
}
