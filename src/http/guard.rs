//! Who calls one of our own resources, and what to tell those who may not.

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;

use super::discovery::OWN;
use super::refuse::Refused;
use crate::cx::Cx;
use crate::oauth::authorization::Authorization;
use crate::oauth::error::{ErrorCode, Refusal};
use crate::oauth::scope::{GrantedScope, Scope};
use crate::store::Ports;
use crate::verify::{self, Active, Kind};

/// Somebody whose credential counts here.
pub(super) struct Caller {
    /// The credential and what stands behind it.
    pub(super) active: Active,
    /// What it may do.
    pub(super) scope: GrantedScope,
    /// The resource that it asked.
    path: &'static str,
}

/// Finds out who calls. A token comes in the header and nowhere else (RFC 6750, section 2.1).
///
/// # Errors
/// 401 with the challenge of RFC 9728, section 5.1: without `error` if no credential came, with `invalid_token` if
/// one came that does not count, and the same words for every reason.
pub(super) async fn caller<P: Ports>(headers: &HeaderMap, path: &'static str, cx: &Cx<'_, P>) -> Result<Caller, Refused> {
    let presented = match Authorization::parse(headers) {
        Ok(None) => return Err(challenge(Refused::new(ErrorCode::Unauthorized, "no credential"), None, &baseline(cx), path, cx)),
        Ok(Some(Authorization::Bearer(token))) => token,
        Ok(Some(Authorization::Basic { .. })) => return Err(invalid("Basic on a resource", path, cx)),
        Err(error) => return Err(invalid(&error.to_string(), path, cx)),
    };
    let active = verify::bearer(&presented, cx).await.map_err(|error| match error.code() {
        ErrorCode::InvalidToken => invalid(&error.to_string(), path, cx),
        _ => Refused::from(error),
    })?;
    let entitled = cx.config.entitled(active.standing.is_full(active.stamp()));
    let scope = match &active.kind {
        Kind::AccessToken(claims) => {
            let for_us = OWN.iter().any(|own| claims.custom.aud == cx.config.own(own));
            if !for_us {
                return Err(invalid("the token is for another resource", path, cx));
            }
            claims.custom.scope.intersect(entitled)
        }
        Kind::ApiKey(_) => entitled.clone(),
    };
    Ok(Caller { active, scope, path })
}

impl Caller {
    /// Lets the caller go on if it has `needed`.
    ///
    /// # Errors
    /// 403 with all the scopes that the call needs (RFC 6750, section 3.1).
    pub(super) fn needs<P>(self, needed: &Scope, cx: &Cx<'_, P>) -> Result<Self, Refused> {
        if needed.is_within(self.scope.as_scope()) {
            return Ok(self);
        }
        let refused = Refused::new(ErrorCode::InsufficientScope, format!("has {}, needs {needed}", self.scope));
        Err(challenge(refused, Some(ErrorCode::InsufficientScope), needed, self.path, cx))
    }
}

fn invalid<P>(reason: &str, path: &str, cx: &Cx<'_, P>) -> Refused {
    challenge(Refused::new(ErrorCode::InvalidToken, reason), Some(ErrorCode::InvalidToken), &baseline(cx), path, cx)
}

/// What an agent should ask for: some clients never ask for more than the first challenge names.
fn baseline<P>(cx: &Cx<'_, P>) -> Scope {
    cx.config.pre_claim_scopes.as_scope().clone()
}

/// One challenge, every value quoted: old clients search it with regular expressions.
fn challenge<P>(refused: Refused, error: Option<ErrorCode>, scope: &Scope, path: &str, cx: &Cx<'_, P>) -> Refused {
    let metadata = cx.config.own(&format!("/.well-known/oauth-protected-resource{path}"));
    let value = match error {
        None => format!("Bearer resource_metadata=\"{metadata}\", scope=\"{scope}\""),
        Some(code) => format!(
            "Bearer error=\"{}\", error_description=\"{}\", scope=\"{scope}\", resource_metadata=\"{metadata}\"",
            code.as_str(),
            code.description()
        ),
    };
    refused.header(WWW_AUTHENTICATE, value)
}
