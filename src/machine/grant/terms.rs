//! What a person has agreed to, and whether who comes may have it.

use serde::{Deserialize, Serialize};

use super::command::GrantRefusal;
use crate::id::SessionId;
use crate::oauth::scope::{GrantedScope, Scope};
use crate::time::Timestamp;

/// What the person has agreed to for one resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// The resource.
    pub resource: String,
    /// What the client may do there.
    pub scope: Scope,
    /// When they last did, asked or not.
    pub at: Timestamp,
}

/// What a code, and everything that comes of it, is good for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// `aud` of the tokens.
    pub resource: String,
    /// The most that they carry.
    pub scope: GrantedScope,
    /// The redirect URI that the code went to; none for a device.
    pub redirect_uri: Option<String>,
    /// `code_challenge`, S256; none for a device.
    pub challenge: Option<String>,
    /// For the ID token.
    pub nonce: Option<String>,
    /// When the person proved who they are.
    pub auth_time: Timestamp,
    /// How: `mail`, `passkey`…
    pub method: String,
    /// The session in which they agreed.
    pub session: Option<SessionId>,
    /// Thumbprint of the key that the code, or the refresh tokens, are bound to (RFC 9449).
    pub jkt: Option<String>,
}

/// Who comes with a code or a refresh token, and for what.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct By {
    /// The client, authenticated as it has to be.
    pub client: String,
    /// The resource that it asks for, as ours are spelled.
    pub resource: Option<String>,
    /// Thumbprint of the key that it has proven to have.
    pub jkt: Option<String>,
    /// How it has shown who it is.
    #[serde(default)]
    pub proven: Proven,
}

/// How a client has shown who it is, the weakest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Proven {
    /// Not at all: anybody can give its name.
    #[default]
    Name,
    /// With a secret.
    Secret,
    /// With a signature.
    Signature,
}

impl Terms {
    /// What is left of them when the code is used: enough to know its client by, should it come again.
    pub(super) fn used(&self) -> Self {
        Self { scope: Scope::default().entitle(), nonce: None, method: String::new(), session: None, ..self.clone() }
    }

    /// Whether who comes may have what these terms promise.
    pub(super) fn admit(&self, by: &By) -> Result<(), GrantRefusal> {
        if by.resource.as_ref().is_some_and(|asked| *asked != self.resource) {
            return Err(GrantRefusal::Resource);
        }
        if self.jkt.is_some() && self.jkt != by.jkt {
            return Err(GrantRefusal::Key);
        }
        Ok(())
    }
}
