//! A code, exchanged for what it stands for (RFC 6749, section 4.1.3), by whoever has the verifier (RFC 7636).

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use url::form_urlencoded::{Serializer, byte_serialize};

use super::metadata::Metadata;
use super::{Failed, ask, object};
use crate::config::Upstream;
use crate::cx::Cx;
use crate::master::Master;
use crate::provider::claims::Claims;
use crate::store::{Ask, FORM, Ports};
use crate::time::Ttl;

/// For the log.
pub(super) const NAME: &str = "the token endpoint";

/// What a browser came back with, and what only we know of its journey.
pub struct Granted<'a> {
    /// The code.
    pub code: &'a str,
    /// Where it came back to.
    pub redirect_uri: &'a str,
    /// `code_verifier`.
    pub verifier: String,
    /// `nonce`, as it was sent.
    pub nonce: String,
    /// The sign-in at the provider may be so old, if that was asked for.
    pub max_age: Option<Ttl>,
}

/// `code_verifier` and `nonce` of the journey whose state has the key `key`. The state is seen by many; without the deployment's secret
/// nothing follows from it, and so neither of them needs to be stored.
#[must_use]
pub fn secrets(master: &Master, key: &str) -> (String, String) {
    let derived = |label: &str| URL_SAFE_NO_PAD.encode(master.derive_bytes(label, &[key.as_bytes()]));
    (derived("upstream/verifier"), derived("upstream/nonce"))
}

/// `code_challenge` of S256 (RFC 7636, section 4.2).
#[must_use]
pub fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
}

/// The token endpoint's answer.
pub(super) async fn exchange<P: Ports>(
    upstream: &Upstream,
    metadata: &Metadata,
    granted: &Granted<'_>,
    cx: &Cx<'_, P>,
) -> Result<Claims, Failed> {
    let mut form = Serializer::new(String::new());
    form.extend_pairs([
        ("grant_type", "authorization_code"),
        ("code", granted.code),
        ("redirect_uri", granted.redirect_uri),
        ("code_verifier", &granted.verifier),
    ]);
    let mut authorization = None;
    match &upstream.secret {
        Some(secret) if !metadata.secret_in_form => {
            // RFC 6749, section 2.3.1: encoded as in a form first.
            let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
            let pair = format!("{}:{}", encoded(&upstream.client_id), encoded(secret));
            authorization = Some(format!("Basic {}", STANDARD.encode(pair)));
        }
        secret => {
            form.append_pair("client_id", &upstream.client_id);
            if let Some(secret) = secret {
                form.append_pair("client_secret", secret);
            }
        }
    }
    let form = form.finish();
    let headers: Vec<_> = authorization.iter().map(|value| ("authorization", value.as_str())).collect();
    object(NAME, ask(NAME, &metadata.token, Ask { headers: &headers, content: Some((FORM, &form)) }, cx).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_is_that_of_the_rfc() {
        // RFC 7636, appendix B.
        assert_eq!(challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn nothing_follows_from_the_state_without_the_deployments_secret() {
        let (verifier, nonce) = secrets(&Master::derive(b"a"), "key");
        assert_eq!(verifier.len(), 43);
        assert_ne!(verifier, nonce);
        for (master, key) in [(b"b", "key"), (b"a", "yek")] {
            let (other, another) = secrets(&Master::derive(master), key);
            assert!(other != verifier && another != nonce);
        }
    }
}
