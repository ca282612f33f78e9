//! Who calls one of our own resources, and what to tell those who may not.

use std::borrow::Cow;

use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::discovery::OWN;
use super::refuse::Refused;
use crate::audit;
use crate::cx::Cx;
use crate::dpop;
use crate::jose::dpop::ALGORITHMS;
use crate::oauth::authorization::{Authorization, InvalidAuthorization};
use crate::oauth::error::{ErrorCode, Refusal};
use crate::oauth::scope::{GrantedScope, Scope};
use crate::store::Ports;
use crate::verify::{self, Active, Inactive, Kind, Unproven};

/// Somebody whose credential counts here.
#[derive(Clone)]
pub(super) struct Caller {
    /// The credential and what stands behind it.
    pub(super) active: Active,
    /// What it may do at the operator's resources.
    pub(super) scope: GrantedScope,
    /// And at ours, with agents.
    pub(super) manages: Scope,
    door: Door,
}

/// How something of ours was asked, and so how to refuse.
#[derive(Clone)]
pub(super) struct Door {
    /// Its path in the metadata of resources, if it has any.
    path: Option<&'static str>,
    /// The scheme of the challenge: old clients expect one `Bearer`, and those that prove their key are told in their own words.
    scheme: &'static str,
    /// What a token for it needs at least.
    scope: Scope,
}

/// Finds out who calls. A token comes in the header and nowhere else (RFC 6750, section 2.1).
///
/// # Errors
/// 401 with the challenge of RFC 9728, section 5.1: without `error` if no credential came, with `invalid_token` if
/// one came that does not count, and the same words for every reason. What is wrong with a proof is told (RFC 9449, sections 7.1 and 9).
pub(super) async fn caller<P: Ports>(request: &dpop::Request<'_>, path: &'static str, cx: &Cx<'_, P>) -> Result<Caller, Refused> {
    // What an agent should ask for: some clients never ask for more than the first challenge names.
    let baseline = cx.config.pre_claim_scopes.as_scope().clone();
    let (active, door) = presented(request, Some(path), baseline, cx).await?;
    let entitled = active.entitled(cx.config);
    let managing = active.managing();
    let (scope, manages) = match &active.kind {
        Kind::AccessToken(claims) => {
            let for_us = OWN.iter().any(|own| claims.custom.aud == cx.config.own(own));
            if !for_us {
                let expected = || OWN.map(|own| cx.config.own(own)).join(" ");
                return Err(door.invalid(&format!("the token is for another resource: {}", claims.custom.aud), cx).expected(expected, cx));
            }
            (claims.custom.scope.intersect(&entitled), claims.custom.scope.as_scope().intersect(&managing))
        }
        Kind::ApiKey(_) => (entitled, managing),
    };
    Ok(Caller { active, scope, manages, door })
}

/// The headers with `X-Agent-Key`, which AgentAuth's clients send, as the credential of `Authorization`, where the same may come too; as they are
/// without it.
///
/// # Errors
/// Another credential came too.
pub(super) fn keyed(headers: &HeaderMap) -> Result<Cow<'_, HeaderMap>, Refused> {
    let Some(key) = headers.get("x-agent-key") else { return Ok(Cow::Borrowed(headers)) };
    let key = key.to_str().unwrap_or("?");
    let is_same = match Authorization::parse(headers) {
        Ok(None) => true,
        Ok(Some(Authorization::Bearer(other))) => other == key.trim(),
        Ok(Some(Authorization::Basic { .. } | Authorization::Dpop(_))) | Err(_) => false,
    };
    if !is_same {
        return Err(Refused::new(ErrorCode::InvalidRequest, "two credentials").hint("Send X-Agent-Key or Authorization, not both."));
    }
    let mut headers = headers.clone();
    headers.insert(AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {key}")).unwrap_or(HeaderValue::from_static("?")));
    Ok(Cow::Owned(headers))
}

/// Who calls below `/api/v1`, by either header.
///
/// # Errors
/// As [`caller`] and [`keyed`].
pub(super) async fn agent<P: Ports>(request: &dpop::Request<'_>, cx: &Cx<'_, P>) -> Result<Caller, Refused> {
    caller(&dpop::Request { headers: &*keyed(request.headers)?, ..*request }, "/api/v1", cx).await
}

/// The same for a token that came in another place than the header, which is for [`caller`] alone to look at.
///
/// # Errors
/// As [`caller`].
pub(super) async fn told<P: Ports>(token: &str, path: &'static str, cx: &Cx<'_, P>) -> Result<Caller, Refused> {
    let value = HeaderValue::from_str(&format!("Bearer {token}")).unwrap_or(HeaderValue::from_static("?"));
    let headers = HeaderMap::from_iter([(AUTHORIZATION, value)]);
    caller(&dpop::Request { headers: &headers, method: "POST", path }, path, cx).await
}

/// The credential of a request, whatever it is for, and how to go on refusing.
///
/// # Errors
/// As [`caller`]; a `path` of none is no resource with metadata.
pub(super) async fn presented<P: Ports>(
    request: &dpop::Request<'_>,
    path: Option<&'static str>,
    scope: Scope,
    cx: &Cx<'_, P>,
) -> Result<(Active, Door), Refused> {
    let bearer = Door { path, scheme: "Bearer", scope };
    let dpop = Door { scheme: "DPoP", ..bearer.clone() };
    let (token, judged, door) = match Authorization::parse(request.headers) {
        Ok(None) => return Err(bearer.challenge(Refused::new(ErrorCode::Unauthorized, "no credential"), None, None, cx)),
        Ok(Some(Authorization::Bearer(token))) => {
            let judged = verify::bearer(&token, cx).await.map_err(Unproven::from);
            (token, judged, bearer)
        }
        Ok(Some(Authorization::Dpop(token))) => {
            let judged = verify::proven(&token, request, cx).await;
            (token, judged, dpop.clone())
        }
        Ok(Some(Authorization::Basic { .. })) => return Err(bearer.invalid("Basic on a resource", cx)),
        Err(error @ InvalidAuthorization::Dpop) => return Err(dpop.invalid(&error.to_string(), cx)),
        Err(error) => return Err(bearer.invalid(&error.to_string(), cx)),
    };
    match judged {
        Ok(active) => Ok((active, door)),
        Err(error) => {
            if path.is_some() && matches!(error, Unproven::Token(Inactive::Revoked(_))) {
                audit::dead_key(&token, "bearer", cx).await;
            }
            let (code, hint) = (error.code(), error.hint());
            let door = if matches!(error, Unproven::Token(Inactive::Bound)) { dpop } else { door };
            Err(match code {
                ErrorCode::TemporarilyUnavailable => error.into(),
                ErrorCode::InvalidToken => door.invalid(&error.to_string(), cx).hint(hint),
                code => door.challenge(Refused::from(error).status(StatusCode::UNAUTHORIZED), Some(code), None, cx),
            })
        }
    }
}

impl Caller {
    /// Lets the caller go on if it has `needed`.
    ///
    /// # Errors
    /// 403 with all the scopes that the call needs (RFC 6750, section 3.1).
    pub(super) fn needs<P>(self, needed: &Scope, cx: &Cx<'_, P>) -> Result<Self, Refused> {
        if needed.is_within(&self.rights()) {
            return Ok(self);
        }
        Err(self.door.insufficient(&format!("has {}, needs {needed}", self.rights()), needed, cx))
    }

    /// All that it may do.
    pub(super) fn rights(&self) -> Scope {
        self.scope.as_scope().union(&self.manages)
    }
}

impl Door {
    /// 401: the credential does not count here.
    pub(super) fn invalid<P>(&self, reason: &str, cx: &Cx<'_, P>) -> Refused {
        self.challenge(Refused::new(ErrorCode::InvalidToken, reason), Some(ErrorCode::InvalidToken), None, cx)
    }

    /// 403: it counts, and is not enough.
    pub(super) fn insufficient<P>(&self, reason: &str, needed: &Scope, cx: &Cx<'_, P>) -> Refused {
        self.challenge(Refused::new(ErrorCode::InsufficientScope, reason), Some(ErrorCode::InsufficientScope), Some(needed), cx)
    }

    /// One challenge, every value quoted: old clients search it with regular expressions.
    fn challenge<P>(&self, refused: Refused, error: Option<ErrorCode>, needed: Option<&Scope>, cx: &Cx<'_, P>) -> Refused {
        let scope = format!("scope=\"{}\"", needed.unwrap_or(&self.scope));
        let metadata =
            self.path.map(|path| format!("resource_metadata=\"{}/.well-known/oauth-protected-resource{path}\"", cx.config.issuer));
        let mut parts = Vec::new();
        match error {
            None => parts.extend(metadata.into_iter().chain([scope])),
            Some(code) => {
                parts.extend([format!("error=\"{}\"", code.as_str()), format!("error_description=\"{}\"", code.description()), scope]);
                parts.extend(metadata);
            }
        }
        if self.scheme == "DPoP" {
            parts.push(format!("algs=\"{}\"", ALGORITHMS.join(" ")));
        }
        refused.header(WWW_AUTHENTICATE, format!("{} {}", self.scheme, parts.join(", ")))
    }
}
