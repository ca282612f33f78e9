//! Where a provider is asked (OpenID Connect Discovery, section 4), or where the operator says that it is.

use std::cell::RefCell;
use std::rc::Rc;

use serde_json::Value;
use url::Url;

use super::Failed;
use crate::config::Upstream;
use crate::config::upstream::Kind;
use crate::cx::Cx;
use crate::memory::{Bounded, Memory};
use crate::provider::fetch::{self, Document, Kept};
use crate::provider::guard::{self, NamedBy};
use crate::store::Ports;

/// What of a provider's metadata we need.
#[derive(Debug)]
pub struct Metadata {
    issuer: String,
    authorization: String,
    pub(super) token: String,
    pub(super) userinfo: Option<String>,
    pub(super) jwks_uri: Option<String>,
    /// The secret goes into the form, and not into the header.
    pub(super) secret_in_form: bool,
    /// Every answer to a browser says whose it is (RFC 9207, section 3).
    pub names_itself: bool,
}

impl Document for Metadata {
    const MOST: usize = 64 * 1024;

    fn read(body: &[u8]) -> Option<Self> {
        let document: Value = serde_json::from_slice(body).ok()?;
        let text = |name: &str| document.get(name).and_then(Value::as_str).map(str::to_owned);
        let methods = document.get("token_endpoint_auth_methods_supported").and_then(Value::as_array);
        let takes = |method: &str| methods.is_some_and(|methods| methods.iter().any(|known| known == method));
        Some(Self {
            issuer: text("issuer")?,
            authorization: text("authorization_endpoint")?,
            token: text("token_endpoint")?,
            userinfo: text("userinfo_endpoint"),
            jwks_uri: text("jwks_uri"),
            // Without a word of it, it is client_secret_basic.
            secret_in_form: takes("client_secret_post") && !takes("client_secret_basic"),
            names_itself: document.get("authorization_response_iss_parameter_supported") == Some(&Value::Bool(true)),
        })
    }

    fn kept(memory: &Memory) -> &RefCell<Bounded<String, Kept<Self>>> {
        &memory.upstreams
    }
}

/// The metadata of a provider.
///
/// # Errors
/// They cannot be had, or are of somebody else.
pub async fn of<P: Ports>(upstream: &Upstream, cx: &Cx<'_, P>) -> Result<Rc<Metadata>, Failed> {
    if let Some(endpoints) = &upstream.endpoints {
        return Ok(Rc::new(Metadata {
            issuer: upstream.issuer.clone(),
            authorization: endpoints.authorization.clone(),
            token: endpoints.token.clone(),
            userinfo: endpoints.userinfo.clone(),
            jwks_uri: endpoints.jwks_uri.clone(),
            secret_in_form: upstream.kind == Kind::GitHub,
            names_itself: false,
        }));
    }
    let url = format!("{}/.well-known/openid-configuration", upstream.issuer.trim_end_matches('/'));
    let metadata = fetch::current::<Metadata, P>(&url, NamedBy::Operator, cx).await?.document;
    if metadata.issuer == upstream.issuer { Ok(metadata) } else { Err(Failed::Unfit("of another issuer")) }
}

impl Metadata {
    /// Where a browser goes, with `parameters` in the query.
    ///
    /// # Errors
    /// There is no such place, or none where people may be sent to.
    pub fn authorization<P>(&self, parameters: &[(&str, &str)], cx: &Cx<'_, P>) -> Result<Url, Failed> {
        const NAME: &str = "the authorization endpoint";
        let mut url = Url::parse(&self.authorization).map_err(|_| Failed::Address(NAME))?;
        guard::permits(&url, NamedBy::Operator, cx.development).map_err(|forbidden| Failed::Forbidden(NAME, forbidden))?;
        url.set_fragment(None);
        url.query_pairs_mut().extend_pairs(parameters);
        Ok(url)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(more: &Value) -> Option<Metadata> {
        let mut document =
            json!({ "issuer": "https://a", "authorization_endpoint": "https://a/authorize", "token_endpoint": "https://a/token" });
        document.as_object_mut()?.extend(more.as_object()?.clone());
        Metadata::read(document.to_string().as_bytes())
    }

    #[test]
    fn the_secret_goes_where_it_is_taken() {
        for (methods, in_form) in [
            (json!({}), false),
            (json!({ "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"] }), false),
            (json!({ "token_endpoint_auth_methods_supported": ["client_secret_post"] }), true),
            (json!({ "token_endpoint_auth_methods_supported": ["private_key_jwt"] }), false),
        ] {
            assert_eq!(read(&methods).unwrap().secret_in_form, in_form, "{methods}");
        }
    }

    #[test]
    fn what_is_needed_must_be_there() {
        assert!(read(&json!({})).is_some_and(|metadata| !metadata.names_itself && metadata.jwks_uri.is_none()));
        assert!(read(&json!({ "authorization_response_iss_parameter_supported": true })).is_some_and(|metadata| metadata.names_itself));
        for name in ["issuer", "authorization_endpoint", "token_endpoint"] {
            assert!(read(&json!({ name: 1 })).is_none(), "{name}");
        }
        assert!(Metadata::read(b"<html>").is_none() && Metadata::read(b"[]").is_none());
    }
}
