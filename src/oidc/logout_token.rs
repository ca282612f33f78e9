//! Logout tokens (OpenID Connect Back-Channel Logout 1.0, section 2.4), and handing them over.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use url::Url;

use crate::cx::Cx;
use crate::entropy::random;
use crate::jose::claims::lasting;
use crate::keys::{self, KeysError};
use crate::machine::session::Relying;
use crate::provider::guard::{self, NamedBy};
use crate::store::{Ask, FORM, OutboundError, Ports, StoreError};
use crate::time::Ttl;

/// `typ` of logout tokens.
pub const LOGOUT_TOKEN: &str = "logout+jwt";
/// The event that it tells of.
pub const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// Two minutes at most, as the specification recommends.
const LIFE: Ttl = Ttl::from_seconds(120);
/// A client that takes longer is told again.
const PATIENCE: Ttl = Ttl::from_seconds(5);
/// Its answer is not looked at.
const MOST: usize = 4096;

/// Tells a client that its session is over. `Ok(false)`: it was not reached, or did not take it.
///
/// # Errors
/// There is no key or no randomness.
pub async fn hand_over<P: Ports>(relying: &Relying, cx: &Cx<'_, P>) -> Result<bool, KeysError> {
    let mut claims = Map::new();
    let jti: [u8; 16] = random(cx.entropy).map_err(|error| StoreError(error.to_string()))?;
    for (name, value) in [
        ("iss", json!(cx.config.issuer)),
        ("sub", json!(relying.sub)),
        ("aud", json!(relying.client)),
        ("jti", json!(URL_SAFE_NO_PAD.encode(jti))),
        ("sid", json!(relying.sid)),
        ("events", json!({ EVENT: {} })),
    ] {
        claims.insert(name.to_owned(), value);
    }
    let issued_at = cx.now.whole_seconds();
    let token =
        keys::sign_with(relying.ring, LOGOUT_TOKEN, &lasting::<Map<String, Value>>(claims, issued_at, issued_at.plus(LIFE)), cx).await?;
    match post(&relying.uri, &token, cx).await {
        Ok(200..=299) => Ok(true),
        Ok(status) => {
            cx.ports.warn("logout_not_taken", &format!("{} answered {status}", relying.client));
            Ok(false)
        }
        Err(error) => {
            cx.ports.warn("logout_not_taken", &format!("{}: {error}", relying.client));
            Ok(false)
        }
    }
}

/// Whoever has named the address was judged when it was noted; that it is still none of our own network is judged here.
async fn post<P: Ports>(uri: &str, token: &str, cx: &Cx<'_, P>) -> Result<u16, OutboundError> {
    let forbidden = |reason: &dyn std::fmt::Display| OutboundError(format!("not told: {reason}"));
    let url = Url::parse(uri).map_err(|error| forbidden(&error))?;
    guard::permits(&url, NamedBy::Operator, cx.config.development).map_err(|error| forbidden(&error))?;
    // base64url and dots need no encoding.
    let form = format!("logout_token={token}");
    Ok(cx.ports.ask(&url, Ask { headers: &[], content: Some((FORM, &form)) }, MOST, PATIENCE).await?.status)
}
