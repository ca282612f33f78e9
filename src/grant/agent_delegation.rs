//! `agent_delegation`: a token for what another agent has handed on. Its subject is whoever has handed on first, and `act` names the delegates
//! (RFC 8693, section 4.1). It counts as long as every link and everybody who has handed on.

use std::rc::Rc;

use serde_json::{Value, json};

use super::client::{self, Authenticated, Shown};
use super::exchange::{Exchanged, NotExchanged};
use super::issue::UNTOLD;
use super::{Admitted, Authorized, Denied, admit};
use crate::config::Resource;
use crate::cx::Cx;
use crate::delegation::{self, Broken, Walk};
use crate::dpop::{self, Proof};
use crate::id::{DelegationId, Holder, RegistrationId};
use crate::jose::claims::{AccessToken, Bound, CredentialStamp, Origin};
use crate::machine::delegation::Link;
use crate::machine::registration;
use crate::oauth::error::{ErrorCode, Refusal};
use crate::oauth::params::{InvalidParams, Params};
use crate::oauth::scope::Scope;
use crate::rights;
use crate::secret::{ApiKey, Presented};
use crate::store::Ports;
use crate::time::Timestamp;
use crate::verify::{self, Kind};

/// What is asked for, beside scope and resource.
pub(super) struct Asked {
    which: Which,
    audience: Option<String>,
}

/// Which delegation.
enum Which {
    /// That one.
    Named(String),
    /// One from the agent whose access token this is.
    From(String),
}

impl Asked {
    pub(super) fn parse(params: &Params) -> Result<Self, Denied> {
        let which = match (params.find("delegation_id"), params.find("delegation_token")) {
            (Some(id), None) => Which::Named(id.to_owned()),
            (None, Some(token)) => Which::From(token.to_owned()),
            (Some(_), Some(_)) => return Err(Denied::TwoDelegations),
            (None, None) => return Err(InvalidParams::Missing("delegation_id").into()),
        };
        Ok(Self { which, audience: params.find("audience").map(str::to_owned) })
    }
}

/// The delegate, as it has shown itself.
struct Delegate {
    id: RegistrationId,
    proof: registration::Proof,
    credential: Option<CredentialStamp>,
    /// The access token that it has shown, if it has no key at hand: what comes of it ends with it.
    origin: Option<(Origin, Timestamp)>,
    /// The resource of that token: it is known there, and good for no other.
    audience: Option<String>,
}

pub(super) async fn authorize<P: Ports>(
    asked: &Asked,
    shown: &Shown,
    resource: Option<&str>,
    scope: Option<Scope>,
    proof: Option<&Proof>,
    cx: &Cx<'_, P>,
) -> Result<Authorized, Denied> {
    let delegate = delegate(shown, cx).await?;
    let target = target(asked, resource, cx)?;
    if delegate.audience.as_ref().is_some_and(|aud| *aud != target.uri && cx.config.resource(aud).is_none_or(|known| !known.ours)) {
        return Err(NotExchanged::OtherResource.into());
    }
    let (walk, parent) = match &asked.which {
        Which::Named(id) => (named(id, &delegate.id, cx).await?, None),
        Which::From(token) => from(token, &delegate.id, scope.as_ref(), cx).await?,
    };
    let shown = || delegate.proof.clone();
    let Admitted { standing, root, credential, place } =
        admit(&delegate.id, shown, cx).await?.ok_or(Denied::Client("the delegate's credential does not count any more"))?;
    let credential = credential.or(delegate.credential);
    // The record itself has spoken now, and may know more than was remembered here.
    let ended = |(origin, _): &(Origin, Timestamp)| standing.has_revoked(&origin.jti, origin.iat);
    if delegate.origin.as_ref().is_some_and(ended) || credential.is_some_and(|stamp| !standing.stamp_counts(stamp, cx.now)) {
        return Err(Denied::Client("the delegate's credential does not count any more"));
    }
    let key = credential.and_then(|stamp| standing.key(stamp));
    let handed = walk.effective(cx.config);
    // A key that is limited is no good for more, whosever right it is.
    let handed = key.and_then(|key| key.scope.as_ref()).map_or(handed.clone(), |held| held.common(handed.as_scope()).entitle());
    let ceiling = handed.intersect(&target.scopes.entitle());
    if ceiling.as_scope().is_empty() {
        return Err(Denied::NoScope);
    }
    let scope = Scope::narrow(scope, &ceiling)?;
    dpop::burn(proof, cx).await?;
    let own = rights::until(&standing, root.as_deref(), credential);
    let ends = [Some(walk.until()), Some(own), delegate.origin.as_ref().map(|(_, until)| *until)];
    let first = walk.delegators.first().map(|(id, _)| id.to_string()).unwrap_or_default();
    let origins = origins(&walk, delegate.origin.map(|(origin, _)| origin), parent, cx);
    Ok(Authorized {
        holder: Holder::Registration(delegate.id.clone()),
        generation: standing.generation,
        credential,
        subject: first,
        client_id: delegate.id.to_string(),
        until: ends.into_iter().flatten().min().unwrap_or(cx.now),
        ttl: key.and_then(|key| key.lifetime).unwrap_or(cx.config.ttls.access_token).min(UNTOLD),
        resource: target.uri.clone(),
        scope,
        place,
        jkt: proof.map(|proof| proof.jkt.clone()),
        exchanged: Some(Box::new(Exchanged { act: acting(&walk), origins, constraints: bounds(&walk), issued_type: None })),
    })
}

/// The one resource that `resource` and `audience` name; the usual one if neither does.
fn target<'c, P>(asked: &Asked, resource: Option<&str>, cx: &Cx<'c, P>) -> Result<&'c Resource, Denied> {
    let find = |name: &str| cx.config.resource_asked(name).ok_or(Denied::Resource);
    let named = [resource, asked.audience.as_deref()].into_iter().flatten().map(find).collect::<Result<Vec<_>, _>>()?;
    let target = named.first().copied().map_or_else(|| cx.config.default_resource().ok_or(Denied::Resource), Ok)?;
    if named.iter().any(|other| other.uri != target.uri) { Err(Denied::Resource) } else { Ok(target) }
}

/// Who asks: an agent, by its API key, or by an access token of its own.
async fn delegate<P: Ports>(shown: &Shown, cx: &Cx<'_, P>) -> Result<Delegate, Denied> {
    let Authenticated::Registration(id) = client::authenticate(shown, cx).await? else {
        return Err(Denied::Client("only agents are delegated to"));
    };
    let (Shown::Secret { secret: text, .. } | Shown::Bearer(text)) = shown else {
        return Err(Denied::Client("only agents are delegated to"));
    };
    if let Some(key) = Presented::<ApiKey>::parse(&cx.config.api_key_prefix, text, &cx.config.masters) {
        let proof = registration::Proof::ApiKey { digests: key.digests().to_vec() };
        return Ok(Delegate { id, proof, credential: None, origin: None, audience: None });
    }
    let claims = verify::access_token(text, cx).await.map_err(Denied::Assertion)?;
    let token = &claims.custom;
    let until = claims.expiration.map_or(cx.now, Timestamp::from);
    let iat = claims.issued_at.map_or(0, |at| at.timestamp());
    let origin = Origin { jti: token.jti.clone(), iat, ..nothing() };
    let proof = registration::Proof::Assertion { generation: token.generation, jti: None };
    Ok(Delegate { id, proof, credential: token.credential, origin: Some((origin, until)), audience: Some(token.aud.clone()) })
}

/// The chain that ends with a delegation to that agent. Unknown ones and those of others look the same.
async fn named<P: Ports>(id: &str, delegate: &RegistrationId, cx: &Cx<'_, P>) -> Result<Walk, Denied> {
    let Ok(id) = id.parse::<DelegationId>() else { return Err(Denied::Delegation("not the name of one")) };
    let link = delegation::find(&id, |link| !link.is_live(cx.now), cx).await?;
    let link = link.filter(|link| link.terms.delegate == *delegate).ok_or(Denied::Delegation("unknown, or to somebody else"))?;
    walked(link, cx).await
}

async fn walked<P: Ports>(link: Rc<Link>, cx: &Cx<'_, P>) -> Result<Walk, Denied> {
    delegation::walk(link, cx).await.map_err(|broken| match broken {
        Broken::Store(error) => Denied::Store(error),
        Broken::Link(_) => Denied::Delegation("it, or a link above it, does not count"),
        Broken::Delegator(_) => Denied::Delegation("somebody who has handed on does not count"),
    })
}

/// The chain over a delegation from the agent whose access token that is; of several the first that covers what is asked for. The token is
/// no more than a pointer: without the delegation it brings nothing, whoever has it.
async fn from<P: Ports>(
    token: &str,
    delegate: &RegistrationId,
    scope: Option<&Scope>,
    cx: &Cx<'_, P>,
) -> Result<(Walk, Option<Origin>), Denied> {
    let active = verify::bearer(token, cx).await.map_err(|error| match error.code() {
        ErrorCode::InvalidToken => Denied::Delegation("the delegation_token does not count"),
        _ => Denied::Assertion(error),
    })?;
    let (Some(delegator), Kind::AccessToken(claims)) = (active.registration(), &active.kind) else {
        return Err(Denied::Delegation("the delegation_token is not an agent's access token"));
    };
    if active.is_delegated() && active.behalf.is_none() {
        return Err(Denied::Delegation("the delegation_token is one that somebody else acts with"));
    }
    let (mine, _) = verify::agent(delegate, cx).await.map_err(Denied::Assertion)?;
    let account = mine.root(delegate).account();
    let mut walks = delegation::walks(delegate, &account, cx).await?;
    let named: Vec<&DelegationId> = claims.custom.origins.iter().filter_map(|origin| origin.delegation.as_ref()).collect();
    walks.retain(|walk| {
        let follows = |link: &Link| active.behalf.is_none() || link.terms.upstream.iter().eq(named.iter().copied());
        walk.last().is_some_and(|link| link.delegator() == delegator && follows(link))
    });
    let covering = scope.and_then(|scope| walks.iter().position(|walk| walk.covers(scope)));
    let chosen = covering.unwrap_or_default();
    if chosen >= walks.len() {
        return Err(Denied::Delegation("nobody whose token that is has delegated to the agent"));
    }
    let iat = claims.issued_at.map_or(0, |at| at.timestamp());
    Ok((walks.swap_remove(chosen), Some(parent(delegator, &claims.custom, iat))))
}

/// The token that was shown for the delegator: what came of it ends with it.
fn parent(delegator: &RegistrationId, token: &AccessToken, iat: i64) -> Origin {
    Origin {
        jti: token.jti.clone(),
        iat,
        registration: Some(delegator.clone()),
        generation: Some(token.generation),
        credential: token.credential,
        ..nothing()
    }
}

/// Every link and everybody who has handed on, beside the tokens that were shown: each is asked as long as the new token is used.
fn origins<P>(walk: &Walk, own: Option<Origin>, parent: Option<Origin>, cx: &Cx<'_, P>) -> Vec<Origin> {
    let iat = cx.now.seconds();
    let link = |link: &Rc<Link>| Origin { iat, delegation: Some(link.terms.id.clone()), generation: Some(link.epoch), ..nothing() };
    let delegators = walk.delegators.iter().map(|(id, standing)| Origin {
        iat,
        registration: Some(id.clone()),
        generation: Some(standing.generation),
        ..nothing()
    });
    walk.links.iter().map(link).chain(delegators).chain(own).chain(parent).collect()
}

const fn nothing() -> Origin {
    Origin { jti: String::new(), iat: 0, registration: None, grant: None, delegation: None, generation: None, credential: None }
}

/// RFC 8693, section 4.1: the present actor, with those before it inside.
fn acting(walk: &Walk) -> Option<Value> {
    walk.links.iter().fold(None, |before: Option<Value>, link| {
        let mut act = json!({ "sub": link.terms.delegate.as_str() });
        if let (Some(before), Value::Object(members)) = (before, &mut act) {
            members.insert("act".to_owned(), before);
        }
        Some(act)
    })
}

fn bounds(walk: &Walk) -> Vec<Bound> {
    let bound = |link: &&Rc<Link>| !link.terms.constraints.written().is_empty();
    let of = |link: &Rc<Link>| Bound { delegation: link.terms.id.clone(), constraints: link.terms.constraints.clone().into() };
    walk.links.iter().filter(bound).map(of).collect()
}
