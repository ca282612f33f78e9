//! On which terms metadata is accepted.

use serde_json::{Map, Value};
use url::Url;

use super::metadata::{AuthMethod, Metadata};
use crate::cx::Cx;
use crate::email::cleaned;
use crate::oauth::error::{ErrorCode, Refusal};
use crate::oauth::redirect;
use crate::oauth::scope::Scope;
use crate::provider::guard::{self, NamedBy};

/// The grants of clients.
pub const GRANT_TYPES: [&str; 6] = [
    "authorization_code",
    "refresh_token",
    "client_credentials",
    "urn:ietf:params:oauth:grant-type:device_code",
    "urn:ietf:params:oauth:grant-type:token-exchange",
    "urn:ietf:params:oauth:grant-type:jwt-bearer",
];
/// Scopes of OpenID Connect, which any client may ask for.
pub const OPENID_SCOPES: [&str; 4] = ["openid", "email", "profile", "offline_access"];

/// More of anything is left out.
const MOST_URIS: usize = 32;
const MOST_CONTACTS: usize = 8;
const MOST_KEYS: usize = 16;
const LONGEST_URL: usize = 2048;

/// What is on offer, and to whom.
pub struct Terms<'t> {
    /// Scopes of the deployment.
    pub scopes: &'t Scope,
    /// Who has written the metadata.
    pub named_by: NamedBy,
    /// The client can be given a secret.
    pub secrets: bool,
    /// See [`Cx::development`].
    pub development: bool,
}

/// Metadata that no client can come of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// It needs a redirect URI, and has none that is safe.
    #[error("no usable redirect URI")]
    NoRedirect,
    /// It signs, and has no keys that can be used.
    #[error("private_key_jwt without exactly one of jwks and jwks_uri")]
    Keys,
    /// A private key is among its keys.
    #[error("a private key in jwks")]
    PrivateKey,
}

impl Refusal for Unusable {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NoRedirect => ErrorCode::InvalidRedirectUri,
            Self::Keys | Self::PrivateKey => ErrorCode::InvalidClientMetadata,
        }
    }

    fn hint(&self) -> &'static str {
        match self {
            Self::NoRedirect => self.code().hint(),
            Self::Keys => {
                "For private_key_jwt send jwks_uri, a public https URL, or jwks with RSA, P-256 or Ed25519 keys, not both; else use none or client_secret_basic."
            }
            Self::PrivateKey => "Send the public members of your keys alone, and replace the key that you have just shown.",
        }
    }
}

impl<'t> Terms<'t> {
    /// What this deployment offers to whoever has written the metadata.
    #[must_use]
    pub fn of<P>(named_by: NamedBy, secrets: bool, cx: &Cx<'t, P>) -> Self {
        Self { scopes: &cx.config.scopes_supported, named_by, secrets, development: cx.development }
    }

    pub(super) fn apply(&self, mut asked: Metadata) -> Result<Metadata, Unusable> {
        asked.token_endpoint_auth_method = self.method(&asked);
        self.keys(&mut asked)?;
        grants(&mut asked);
        retain_few(&mut asked.redirect_uris, |uri| redirect::kind(uri).is_some());
        if asked.redirect_uris.is_empty() && asked.allows_grant("authorization_code") {
            return Err(Unusable::NoRedirect);
        }
        retain_few(&mut asked.post_logout_redirect_uris, |uri| redirect::kind(uri).is_some());
        asked.contacts =
            asked.contacts.iter().map(|contact| cleaned(contact)).filter(|contact| !contact.is_empty()).take(MOST_CONTACTS).collect();
        for text in [&mut asked.client_name, &mut asked.software_id, &mut asked.software_version] {
            *text = text.take().map(|text| cleaned(&text)).filter(|text| !text.is_empty());
        }
        for url in [
            &mut asked.client_uri,
            &mut asked.logo_uri,
            &mut asked.tos_uri,
            &mut asked.policy_uri,
            &mut asked.sector_identifier_uri,
            &mut asked.backchannel_logout_uri,
        ] {
            *url = url.take().filter(|url| self.is_public(url));
        }
        self.sector(&mut asked);
        for (text, known) in [
            (&mut asked.application_type, &["native", "web"][..]),
            (&mut asked.subject_type, &["pairwise", "public"]),
            (&mut asked.id_token_signed_response_alg, &["RS256", "ES256"]),
            (&mut asked.token_endpoint_auth_signing_alg, &["RS256", "ES256", "EdDSA"]),
        ] {
            *text = text.take().filter(|text| known.contains(&text.as_str()));
        }
        asked.scope = asked.scope.as_deref().and_then(|scope| self.scope(scope));
        Ok(asked)
    }

    fn method(&self, asked: &Metadata) -> Option<AuthMethod> {
        match asked.token_endpoint_auth_method {
            Some(method @ (AuthMethod::None | AuthMethod::PrivateKeyJwt)) => Some(method),
            method if self.secrets => method,
            _ => Some(AuthMethod::None),
        }
    }

    /// Keys are kept where they can be used, and only their public members.
    fn keys(&self, asked: &mut Metadata) -> Result<(), Unusable> {
        if asked.jwks_uri.as_ref().is_some_and(|uri| !self.is_public(uri)) {
            asked.jwks_uri = None;
        }
        asked.jwks = asked.jwks.take().map(|jwks| public_keys(&jwks)).transpose()?.flatten();
        let signs = asked.token_endpoint_auth_method == Some(AuthMethod::PrivateKeyJwt);
        match (&asked.jwks_uri, &asked.jwks) {
            (Some(_), Some(_)) | (None, None) if signs => Err(Unusable::Keys),
            (Some(_), Some(_)) => {
                asked.jwks = None;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Another's sector would bring another's subjects: only an operator, or the host that people are sent back to, can name one.
    fn sector(&self, asked: &mut Metadata) {
        let host = |url: &str| Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
        let own = |sector: &String| asked.redirect_uris.iter().all(|uri| host(uri) == host(sector));
        if self.named_by == NamedBy::Stranger && !asked.sector_identifier_uri.as_ref().is_some_and(own) {
            asked.sector_identifier_uri = None;
        }
    }

    fn scope(&self, asked: &str) -> Option<String> {
        let asked: Scope = asked.parse().ok()?;
        let offered: Vec<&str> = self.scopes.iter().chain(OPENID_SCOPES).collect();
        let kept: Vec<&str> = asked.iter().filter(|token| offered.contains(token)).collect();
        (!kept.is_empty()).then(|| kept.join(" "))
    }

    fn is_public(&self, url: &str) -> bool {
        url.len() <= LONGEST_URL && Url::parse(url).is_ok_and(|url| guard::permits(&url, self.named_by, self.development).is_ok())
    }
}

/// Nothing that is not served is promised.
fn grants(asked: &mut Metadata) {
    let public = asked.is_public();
    let served = |grant: &String| GRANT_TYPES.contains(&grant.as_str()) && !(public && grant == "client_credentials");
    retain_few(&mut asked.grant_types, served);
    if asked.grant_types.is_empty() {
        asked.grant_types = ["authorization_code", "refresh_token"].map(str::to_owned).to_vec();
    }
    let code = asked.allows_grant("authorization_code");
    asked.response_types = if code { vec!["code".to_owned()] } else { Vec::new() };
}

fn retain_few(list: &mut Vec<String>, good: impl Fn(&String) -> bool) {
    let mut kept: Vec<String> = Vec::new();
    for item in list.drain(..) {
        if kept.len() < MOST_URIS && good(&item) && !kept.contains(&item) {
            kept.push(item);
        }
    }
    *list = kept;
}

/// The keys that can verify, of a JWK set (RFC 7517, section 5); none if there are none.
fn public_keys(jwks: &Value) -> Result<Option<Value>, Unusable> {
    const PUBLIC: [&str; 9] = ["kty", "crv", "x", "y", "n", "e", "kid", "alg", "use"];
    let keys = jwks.get("keys").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if keys.iter().any(|key| key.get("d").is_some() || key.get("k").is_some()) {
        return Err(Unusable::PrivateKey);
    }
    let public = |key: &Value| {
        let members =
            PUBLIC.iter().filter_map(|name| Some(((*name).to_owned(), key.get(*name).filter(|value| value.is_string())?.clone())));
        Value::Object(members.collect::<Map<_, _>>())
    };
    let verifies = |key: &Value| {
        let is = |name: &str, wanted: &str| key.get(name).and_then(Value::as_str) == Some(wanted);
        is("kty", "RSA") || (is("kty", "EC") && is("crv", "P-256")) || (is("kty", "OKP") && is("crv", "Ed25519"))
    };
    let keys: Vec<Value> = keys.iter().filter(|key| verifies(key)).take(MOST_KEYS).map(public).collect();
    Ok((!keys.is_empty()).then(|| serde_json::json!({ "keys": keys })))
}

#[cfg(test)]
#[path = "terms_tests.rs"]
mod tests;
