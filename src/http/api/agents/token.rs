//! A token for our own API, for an API key that is at hand.

use serde_json::Value;

use crate::cx::Cx;
use crate::grant::CLIENT_CREDENTIALS;
use crate::http::api::tokens;
use crate::http::refuse::Refused;
use crate::oauth::scope::Scope;
use crate::store::Ports;

/// What AgentAuth's token endpoint grants for the key and that scope.
///
/// # Errors
/// As there.
pub(in crate::http) async fn token<P: Ports>(key: &str, scope: &Scope, cx: &Cx<'_, P>) -> Result<Value, Refused> {
    let (scope, resource) = (scope.to_string(), cx.config.own("/api/v1"));
    let pairs = [("grant_type", CLIENT_CREDENTIALS), ("client_secret", key), ("scope", &scope), ("resource", &resource)];
    tokens::granted(&tokens::of(&pairs)?, None, None, cx).await
}
