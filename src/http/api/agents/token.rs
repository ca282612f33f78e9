//! A token for our own API, for an API key that is at hand.

use serde_json::Value;

use crate::cx::Cx;
use crate::grant::CLIENT_CREDENTIALS;
use crate::http::api::tokens;
use crate::http::refuse::Refused;
use crate::oauth::scope::Scope;
use crate::store::Ports;

/// What AgentAuth's token endpoint grants for the key and that scope, with a refresh token if it is `lasting`.
///
/// # Errors
/// As there.
pub(in crate::http) async fn token<P: Ports>(key: &str, scope: &Scope, lasting: bool, cx: &Cx<'_, P>) -> Result<Value, Refused> {
    let (scope, resource) = (scope.to_string(), cx.config.own("/api/v1"));
    let pairs = [("grant_type", CLIENT_CREDENTIALS), ("client_secret", key), ("scope", &scope), ("resource", &resource)];
    let params = tokens::of(&pairs)?;
    if lasting { tokens::granted(&params, None, None, cx).await } else { tokens::once(&params, cx).await }
}
