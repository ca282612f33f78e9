//! `urn:ietf:params:oauth:grant-type:jwt-bearer` (RFC 7523) with the identity assertion of a registration, or with a provider's ID-JAG
//! (draft-ietf-oauth-identity-assertion-authz-grant; MCP's Enterprise-Managed Authorization).

use super::{Authorized, Denied, admit};
use crate::cx::Cx;
use crate::dpop;
use crate::id::Holder;
use crate::jose::jws::Untrusted;
use crate::machine::registration::{Proof, Said};
use crate::oauth::error::ErrorCode;
use crate::oauth::scope::Scope;
use crate::provider::id_jag;
use crate::store::Ports;
use crate::verify;
use crate::vouch::{self, Match};

/// Whether it says that a provider has issued it.
pub(super) fn is_id_jag(assertion: &str) -> bool {
    Untrusted::parse(assertion).is_ok_and(|token| token.unverified_type() == id_jag::TYPE)
}

/// A provider's word, straight for a token: only for somebody who need not be asked first. It names one resource of ours and no more
/// scope than the agent would have anyway.
pub(super) async fn vouched<P: Ports>(
    assertion: &str,
    client_id: Option<&str>,
    asked: Option<&str>,
    scope: Option<Scope>,
    proof: Option<&dpop::Proof>,
    cx: &Cx<'_, P>,
) -> Result<Authorized, Denied> {
    let refused = |reason: &str, hint| Denied::Vouched { reason: reason.to_owned(), code: ErrorCode::InvalidGrant, hint };
    if !cx.config.identity_assertion {
        return Err(refused("no issuer is trusted", ErrorCode::InvalidGrant.hint()));
    }
    let vouched = id_jag::verify(assertion, cx).await?;
    if client_id.is_some_and(|client| client != vouched.client_id) {
        return Err(Denied::Client("the assertion is for another client_id"));
    }
    const ANOTHER: &str = "Ask your provider for an ID-JAG whose resource is the one that you want a token for.";
    let asked = asked.map(|asked| cx.config.resource_asked(asked).ok_or(Denied::Resource)).transpose()?;
    let named = vouched.resource.as_deref().map(|named| cx.config.resource(named).ok_or_else(|| refused("a foreign resource", ANOTHER)));
    let resource = match (asked, named.transpose()?) {
        (Some(asked), Some(named)) if asked.uri != named.uri => return Err(refused("the assertion is for another resource", ANOTHER)),
        (Some(resource), _) | (None, Some(resource)) => resource,
        (None, None) => cx.config.default_resource().ok_or(Denied::Resource)?,
    };
    // Scope is judged before anything is used up.
    let ceiling = cx.config.post_claim_scopes.intersect(&resource.scopes.entitle());
    let ceiling = vouched.scope.as_ref().map_or(ceiling.clone(), |named| ceiling.intersect(&named.entitle()));
    if ceiling.as_scope().is_empty() {
        return Err(Denied::NoScope);
    }
    let within = Scope::narrow(scope, &ceiling)?.as_scope().clone();
    let (tie, mut matched) = vouch::matched(&vouched, cx).await?;
    if let Match::StepUp { .. } = matched {
        // Not used up: the same assertion is good at the identity endpoint.
        return Err(Denied::StepUp);
    }
    dpop::burn(proof, cx).await?;
    vouched.burn(cx).await?;
    if let Match::Newcomer = matched {
        matched = vouch::welcome(&vouched, &tie, cx).await?;
    }
    let Match::Known(person, known) = matched else { return Err(Denied::StepUp) };
    let said = Said { email: None, agent: vouched.agent_platform.clone() };
    let standing = vouch::let_in(&vouched, &tie, (&person, known), said, cx).await?;
    let shown = || Proof::Assertion { generation: standing.generation, jti: None };
    let admitted =
        admit(&tie.registration, shown, cx).await?.ok_or_else(|| Denied::Holder(Holder::Registration(tie.registration.clone())))?;
    Ok(Authorized::within(&tie.registration, admitted, resource, Some(within), cx)?.bound(proof))
}

pub(super) async fn authorize<P: Ports>(
    assertion: &str,
    asked: Option<&str>,
    scope: Option<Scope>,
    proof: Option<&dpop::Proof>,
    cx: &Cx<'_, P>,
) -> Result<Authorized, Denied> {
    let claims = verify::identity_assertion(assertion, cx).await.map_err(Denied::Assertion)?.custom;
    let resource = match (asked, claims.within.resource.as_deref()) {
        (Some(asked), _) => cx.config.resource_asked(asked),
        (None, Some(only)) => cx.config.resource(only),
        (None, None) => cx.config.default_resource(),
    };
    let resource = resource.ok_or(Denied::Resource)?;
    if claims.within.resource.as_deref().is_some_and(|only| !resource.is(only)) {
        return Err(Denied::Resource);
    }
    // What a provider restricted its word to is the most that can be asked for.
    let scope = match &claims.within.scope {
        None => scope,
        Some(most) => {
            let most = most.entitle().intersect(&cx.config.post_claim_scopes).intersect(&resource.scopes.entitle());
            Some(Scope::narrow(scope, &most)?.as_scope().clone())
        }
    };
    if scope.as_ref().is_some_and(Scope::is_empty) {
        return Err(Denied::NoScope);
    }
    dpop::burn(proof, cx).await?;
    let shown = || Proof::Assertion { generation: claims.generation, jti: Some(claims.jti.clone()) };
    match admit(&claims.sub, shown, cx).await? {
        Some(admitted) => Ok(Authorized::within(&claims.sub, admitted, resource, scope, cx)?.bound(proof)),
        None => Err(Denied::Holder(Holder::Registration(claims.sub))),
    }
}
