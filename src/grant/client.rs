//! Client authentication (RFC 6749, section 2.3.1): with an API key, for now.

use super::Denied;
use crate::cx::Cx;
use crate::id::RegistrationId;
use crate::oauth::authorization::Authorization;
use crate::oauth::error::{ErrorCode, Refusal};
use crate::oauth::params::Params;
use crate::store::Ports;
use crate::verify;

/// Whatever a client shows of itself.
pub enum Shown {
    /// Nothing but perhaps a name.
    Nothing,
    /// A secret, and a name if one is given.
    Secret {
        /// `client_id`.
        name: Option<String>,
        /// `client_secret`.
        secret: String,
    },
    /// A token or key as a Bearer.
    Bearer(String),
}

/// Reads what the client shows; one method per request.
///
/// # Errors
/// Two methods at once, or two names.
pub fn shown(params: &Params, authorization: Option<Authorization>) -> Result<Shown, Denied> {
    let named = params.find("client_id").map(str::to_owned);
    match (authorization, params.find("client_secret")) {
        (Some(_), Some(_)) => Err(Denied::TwoMethods),
        (None, None) => Ok(Shown::Nothing),
        (None, Some(secret)) => Ok(Shown::Secret { name: named, secret: secret.to_owned() }),
        (Some(Authorization::Bearer(token)), None) => Ok(Shown::Bearer(token)),
        (Some(Authorization::Basic { name, secret }), None) => {
            let name = Some(name).filter(|name| !name.is_empty());
            if named.is_some() && name.is_some() && named != name {
                return Err(Denied::TwoMethods);
            }
            Ok(Shown::Secret { name: name.or(named), secret })
        }
    }
}

/// The registration whose credential is shown; none if none is.
///
/// # Errors
/// What is shown does not count, or belongs to somebody else than it says.
pub async fn authenticate<P: Ports>(shown: &Shown, cx: &Cx<'_, P>) -> Result<Option<RegistrationId>, Denied> {
    let (name, secret) = match shown {
        Shown::Nothing => return Ok(None),
        Shown::Secret { name, secret } => (name.as_deref(), secret),
        Shown::Bearer(token) => (None, token),
    };
    let active = verify::bearer(secret, cx).await.map_err(|error| match error.code() {
        ErrorCode::InvalidToken => Denied::Client("the credential does not count"),
        _ => Denied::Assertion(error),
    })?;
    if name.is_some_and(|name| name != active.registration.as_str()) {
        return Err(Denied::Client("the credential belongs to another client_id"));
    }
    Ok(Some(active.registration))
}
