//! What a client is told of itself (RFC 7591, section 3.2.1): nothing null, every array, no more than is served.

use serde_json::{Map, Value};

use crate::client::{AuthMethod, Metadata};
use crate::cx::Cx;
use crate::secret::{ClientSecret, RegistrationToken, Secret};
use crate::time::Timestamp;

/// One answer.
pub(super) struct Answer {
    id: String,
    fields: Map<String, Value>,
}

impl Answer {
    /// Of the client with this metadata.
    pub(super) fn new(id: &str, mut metadata: Metadata, created: Timestamp) -> Self {
        let has_secret = metadata.has_secret();
        // Either will do for a client that did not choose; it is told the standard's default.
        metadata.token_endpoint_auth_method.get_or_insert(AuthMethod::SecretBasic);
        let mut fields = Map::from(metadata);
        fields.insert("client_id".to_owned(), id.into());
        fields.insert("client_id_issued_at".to_owned(), created.seconds().into());
        if has_secret {
            // Strict clients want a number wherever there is a secret; 0 is never.
            fields.insert("client_secret_expires_at".to_owned(), 0.into());
        }
        Self { id: id.to_owned(), fields }
    }

    /// Where it is managed, and with what.
    pub(super) fn managed<P>(mut self, token: Option<Secret<RegistrationToken>>, cx: &Cx<'_, P>) -> Self {
        let uri = cx.config.own(&format!("/oauth2/register/{}", self.id));
        self.fields.insert("registration_client_uri".to_owned(), uri.into());
        self.with("registration_access_token", token.map(Secret::reveal))
    }

    /// With its secret, this once.
    pub(super) fn secret(self, secret: Option<Secret<ClientSecret>>) -> Self {
        self.with("client_secret", secret.map(Secret::reveal))
    }

    /// With another member, if there is anything to say.
    pub(super) fn with(mut self, name: &str, value: Option<impl Into<Value>>) -> Self {
        self.fields.extend(value.map(|value| (name.to_owned(), value.into())));
        self
    }

    pub(super) fn value(self) -> Value {
        Value::Object(self.fields)
    }
}
