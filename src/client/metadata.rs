//! Client metadata (RFC 7591, section 2; OpenID Connect's registrations), negotiated rather than policed: what cannot be used is left out or
//! replaced, and only what makes a client unusable or unsafe is refused.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::terms::{Terms, Unusable};

/// How a client authenticates itself at the token endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthMethod {
    /// Not at all: a public client.
    None,
    /// With a secret, in the `Authorization` header.
    SecretBasic,
    /// With a secret, in the body.
    SecretPost,
    /// With a signed assertion (RFC 7523, section 2.2).
    PrivateKeyJwt,
}

impl AuthMethod {
    /// As it goes over the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::SecretBasic => "client_secret_basic",
            Self::SecretPost => "client_secret_post",
            Self::PrivateKeyJwt => "private_key_jwt",
        }
    }

    /// The method of that name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        [Self::None, Self::SecretBasic, Self::SecretPost, Self::PrivateKeyJwt].into_iter().find(|method| method.as_str() == name)
    }
}

/// What a client is, as far as it was accepted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Map<String, Value>", into = "Map<String, Value>")]
pub struct Metadata {
    /// Where its people may be sent back to: each is one of [`redirect::kind`](crate::oauth::redirect::kind).
    pub redirect_uris: Vec<String>,
    /// How it authenticates; none if it did not choose: a secret, in the header or in the body.
    pub token_endpoint_auth_method: Option<AuthMethod>,
    /// What it may send as `grant_type`, and whether it gets refresh tokens.
    pub grant_types: Vec<String>,
    /// `code`, or nothing.
    pub response_types: Vec<String>,
    /// What it calls itself: a claim, no fact.
    pub client_name: Option<String>,
    /// Its home page.
    pub client_uri: Option<String>,
    /// Its logo.
    pub logo_uri: Option<String>,
    /// Its terms of service.
    pub tos_uri: Option<String>,
    /// Its privacy policy.
    pub policy_uri: Option<String>,
    /// What it will ask for. A ceiling only where the operator wrote it: see [`Client::ceiling`](super::Client::ceiling).
    pub scope: Option<String>,
    /// Who is responsible for it.
    pub contacts: Vec<String>,
    /// Where its keys are.
    pub jwks_uri: Option<String>,
    /// Its public keys: `{"keys": […]}`.
    pub jwks: Option<Value>,
    /// Which software it is.
    pub software_id: Option<String>,
    /// Of which version.
    pub software_version: Option<String>,
    /// `native` or `web`, as it says.
    pub application_type: Option<String>,
    /// `pairwise` or `public`.
    pub subject_type: Option<String>,
    /// Whose host names the group of clients that know a person by the same pairwise subject.
    pub sector_identifier_uri: Option<String>,
    /// `RS256` or `ES256`.
    pub id_token_signed_response_alg: Option<String>,
    /// Where people may be sent after logout.
    pub post_logout_redirect_uris: Vec<String>,
    /// Where it wants to hear of logouts.
    pub backchannel_logout_uri: Option<String>,
    /// Logout tokens must name the session.
    pub backchannel_logout_session_required: bool,
    /// Its tokens are bound to a key (RFC 9449, section 5.2).
    pub dpop_bound_access_tokens: bool,
    /// A sign-in may be so many seconds old.
    pub default_max_age: Option<u64>,
    /// `auth_time` must be in its ID tokens.
    pub require_auth_time: bool,
    /// `RS256`, `ES256` or `EdDSA`: what its assertions are signed with.
    pub token_endpoint_auth_signing_alg: Option<String>,
}

impl Metadata {
    /// What of `fields` can be had on these `terms`. Unknown members are ignored, and so are known ones of the wrong type.
    ///
    /// # Errors
    /// Nothing usable is left: no redirect URI for a client that needs one, or no keys for one that signs.
    pub fn negotiate(fields: &Map<String, Value>, terms: &Terms<'_>) -> Result<Self, Unusable> {
        terms.apply(Self::from(fields))
    }

    /// Whether it may use this grant.
    #[must_use]
    pub fn allows_grant(&self, grant_type: &str) -> bool {
        self.grant_types.iter().any(|known| known == grant_type)
    }

    /// Whether anybody can say to be this client.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.token_endpoint_auth_method == Some(AuthMethod::None)
    }

    /// Whether it authenticates with a secret.
    #[must_use]
    pub const fn has_secret(&self) -> bool {
        matches!(self.token_endpoint_auth_method, None | Some(AuthMethod::SecretBasic | AuthMethod::SecretPost))
    }

    fn texts(&mut self) -> [(&'static str, &mut Option<String>); 15] {
        [
            ("client_name", &mut self.client_name),
            ("client_uri", &mut self.client_uri),
            ("logo_uri", &mut self.logo_uri),
            ("tos_uri", &mut self.tos_uri),
            ("policy_uri", &mut self.policy_uri),
            ("scope", &mut self.scope),
            ("jwks_uri", &mut self.jwks_uri),
            ("software_id", &mut self.software_id),
            ("software_version", &mut self.software_version),
            ("application_type", &mut self.application_type),
            ("subject_type", &mut self.subject_type),
            ("sector_identifier_uri", &mut self.sector_identifier_uri),
            ("id_token_signed_response_alg", &mut self.id_token_signed_response_alg),
            ("backchannel_logout_uri", &mut self.backchannel_logout_uri),
            ("token_endpoint_auth_signing_alg", &mut self.token_endpoint_auth_signing_alg),
        ]
    }
}

impl From<&Map<String, Value>> for Metadata {
    fn from(fields: &Map<String, Value>) -> Self {
        let text = |name: &str| fields.get(name).and_then(Value::as_str);
        let is = |name: &str| fields.get(name).and_then(Value::as_bool).unwrap_or_default();
        let list = |name: &str| match fields.get(name) {
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            Some(Value::String(one)) => vec![one.clone()],
            _ => Vec::new(),
        };
        let mut metadata = Self {
            redirect_uris: list("redirect_uris"),
            token_endpoint_auth_method: text("token_endpoint_auth_method").and_then(AuthMethod::of),
            grant_types: list("grant_types"),
            response_types: list("response_types"),
            contacts: list("contacts"),
            jwks: fields.get("jwks").filter(|jwks| !jwks.is_null()).cloned(),
            post_logout_redirect_uris: list("post_logout_redirect_uris"),
            backchannel_logout_session_required: is("backchannel_logout_session_required"),
            dpop_bound_access_tokens: is("dpop_bound_access_tokens"),
            default_max_age: fields.get("default_max_age").and_then(Value::as_u64),
            require_auth_time: is("require_auth_time"),
            ..Self::default()
        };
        for (name, slot) in metadata.texts() {
            *slot = text(name).map(str::to_owned);
        }
        metadata
    }
}

impl From<Map<String, Value>> for Metadata {
    fn from(fields: Map<String, Value>) -> Self {
        Self::from(&fields)
    }
}

/// As it is stored and shown: no null, and the arrays that clients expect even if they are empty.
impl From<Metadata> for Map<String, Value> {
    fn from(mut metadata: Metadata) -> Self {
        let mut fields = Self::new();
        for (name, text) in metadata.texts() {
            fields.extend(text.take().map(|text| (name.to_owned(), Value::String(text))));
        }
        let method = metadata.token_endpoint_auth_method.map(|method| ("token_endpoint_auth_method".to_owned(), method.as_str().into()));
        fields.extend(method);
        for (name, list, always) in [
            ("redirect_uris", metadata.redirect_uris, true),
            ("grant_types", metadata.grant_types, true),
            ("response_types", metadata.response_types, true),
            ("contacts", metadata.contacts, false),
            ("post_logout_redirect_uris", metadata.post_logout_redirect_uris, false),
        ] {
            if always || !list.is_empty() {
                fields.insert(name.to_owned(), list.into());
            }
        }
        for (name, on) in [
            ("backchannel_logout_session_required", metadata.backchannel_logout_session_required),
            ("dpop_bound_access_tokens", metadata.dpop_bound_access_tokens),
            ("require_auth_time", metadata.require_auth_time),
        ] {
            if on {
                fields.insert(name.to_owned(), true.into());
            }
        }
        fields.extend(metadata.jwks.map(|jwks| ("jwks".to_owned(), jwks)));
        fields.extend(metadata.default_max_age.map(|age| ("default_max_age".to_owned(), age.into())));
        fields
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let all = json!({
            "redirect_uris": ["https://a.example.com/cb"], "token_endpoint_auth_method": "private_key_jwt",
            "grant_types": ["authorization_code"], "response_types": ["code"], "client_name": "A", "client_uri": "https://a.example.com/1",
            "logo_uri": "https://a.example.com/2", "tos_uri": "https://a.example.com/3", "policy_uri": "https://a.example.com/4", "scope": "a b",
            "contacts": ["ada@example.com"], "jwks_uri": "https://a.example.com/5", "jwks": { "keys": [] }, "software_id": "s",
            "software_version": "1", "application_type": "web", "subject_type": "pairwise", "sector_identifier_uri": "https://a.example.com/6",
            "id_token_signed_response_alg": "ES256", "post_logout_redirect_uris": ["https://a.example.com/7"],
            "backchannel_logout_uri": "https://a.example.com/8", "backchannel_logout_session_required": true, "dpop_bound_access_tokens": true,
            "default_max_age": 60, "require_auth_time": true, "token_endpoint_auth_signing_alg": "EdDSA",
        });
        let read: Metadata = serde_json::from_value(all.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), all);
    }

    #[test]
    fn what_is_absent_is_left_out_but_for_the_three_lists() {
        let nothing = serde_json::to_value(Metadata::default()).unwrap();
        assert_eq!(nothing, json!({ "redirect_uris": [], "grant_types": [], "response_types": [] }));
    }

    #[test]
    fn members_of_the_wrong_type_are_as_good_as_absent() {
        let wrong = json!({
            "redirect_uris": [1, null, "https://a.example.com/cb"], "grant_types": null, "client_name": 5, "scope": ["a"], "contacts": {},
            "jwks": null, "default_max_age": -1, "require_auth_time": "true", "token_endpoint_auth_method": ["none"],
        });
        let read: Metadata = serde_json::from_value(wrong).unwrap();
        assert_eq!(read, Metadata { redirect_uris: vec!["https://a.example.com/cb".to_owned()], ..Metadata::default() });
    }
}
