//! OpenID Connect, as provider: who the person is, said to clients that may know.

pub mod hint;
pub mod id_token;
pub mod logout_token;
pub mod subject;

pub use id_token::{IdTokenFor, id_token};

use crate::client::Metadata;
use crate::config::Config;
use crate::cx::Cx;
use crate::keys;
use crate::machine::keyring::Ring;
use crate::oauth::scope::Scope;
use crate::store::Ports;
use crate::time::Ttl;

/// A passkey: phishing-resistant (OpenID Connect EAP ACR Values 1.0).
pub const ACR_PASSKEY: &str = "phr";
/// Everything else: whoever reads the person's mail, or has their account elsewhere (level 1 of ISO/IEC 29115).
pub const ACR_OTHER: &str = "1";

/// Whether whoever is granted this learns who the person is.
#[must_use]
pub fn knows(scope: &Scope, config: &Config) -> bool {
    config.openid && scope.iter().any(|name| name == "openid")
}

/// Has the key made that ID tokens will need, unless it is there, and waits for nothing. What fails here will be tried again when it is needed.
pub async fn prepare<P: Ports>(cx: &Cx<'_, P>) {
    if let Err(error) = keys::first(Ring::Rs256, Ttl::from_seconds(0), cx).await {
        cx.ports.warn("keys_not_begun", &error.to_string());
    }
}

/// The same, and waits for it a while: whoever reads the keys now may keep them for long.
pub async fn ready<P: Ports>(cx: &Cx<'_, P>) {
    if cx.config.openid
        && let Err(error) = keys::first(Ring::Rs256, keys::PATIENCE, cx).await
    {
        cx.ports.warn("keys_not_begun", &error.to_string());
    }
}

/// What a sign-in by `method` is worth.
#[must_use]
pub fn acr(method: &str) -> &'static str {
    if method == "passkey" { ACR_PASSKEY } else { ACR_OTHER }
}

/// How it was done (RFC 8176, section 2).
#[must_use]
pub fn amr(method: &str) -> &'static [&'static str] {
    match method {
        "passkey" => &["hwk", "user"],
        "mail" => &["otp"],
        "upstream" => &["fed"],
        _ => &[],
    }
}

/// What tokens about people are signed with: RS256, unless the client has chosen ES256 (OpenID Connect Registration, section 2).
#[must_use]
pub fn ring(client: &Metadata) -> Ring {
    if client.id_token_signed_response_alg.as_deref() == Some("ES256") { Ring::Es256 } else { Ring::Rs256 }
}
