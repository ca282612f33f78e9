//! A token for our own API, for an API key that is at hand.

use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

use crate::cx::Cx;
use crate::grant::claim::merge;
use crate::grant::{CLIENT_CREDENTIALS, TokenRequest};
use crate::http::discovery::REFRESH_BUFFER;
use crate::http::refuse::Refused;
use crate::http::token::granted;
use crate::oauth::error::ErrorCode;
use crate::oauth::params::Params;
use crate::oauth::scope::Scope;
use crate::store::Ports;
use crate::time::Ttl;

/// What the token endpoint grants for the key, with the times that AgentAuth's clients look for. Scopes of management are in a token only if
/// they are named, so everything is.
///
/// # Errors
/// As there.
pub(in crate::http) async fn token<P: Ports>(key: &str, scope: &Scope, cx: &Cx<'_, P>) -> Result<Value, Refused> {
    let (scope, resource) = (scope.to_string(), cx.config.own("/api/v1"));
    let pairs = [("grant_type", CLIENT_CREDENTIALS), ("client_secret", key), ("scope", &scope), ("resource", &resource)];
    let form = Serializer::new(String::new()).extend_pairs(pairs).finish();
    let asked = TokenRequest::parse(&Params::parse(form.as_bytes())?, None, cx.config)?;
    let unreadable = || Refused::new(ErrorCode::ServerError, "the token endpoint's answer is no JSON");
    let mut answer: Value = serde_json::from_slice(&granted(asked, None, cx).await?).map_err(|_| unreadable())?;
    if let Some(life) = answer.get("expires_in").and_then(Value::as_u64) {
        let now = cx.now.whole_seconds();
        let end = now.plus(Ttl::from_seconds(life));
        merge(&mut answer, json!({ "issued_at": now.iso(), "expires_at": end.iso(), "refresh_before": end.minus(REFRESH_BUFFER).iso() }));
    }
    Ok(answer)
}
