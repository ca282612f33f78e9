//! From [`Authorized`] to tokens.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use super::{Admitted, Authorized, Denied};
use crate::config::Resource;
use crate::cx::Cx;
use crate::entropy::random;
use crate::id::RegistrationId;
use crate::jose::claims::{ACCESS_TOKEN, AccessToken, CredentialStamp, IDENTITY_ASSERTION, IdentityAssertion, Within, lasting};
use crate::keys;
use crate::machine::standing::Standing;
use crate::oauth::scope::Scope;
use crate::status;
use crate::store::Ports;
use crate::time::Timestamp;

/// RFC 6749, section 5.1.
#[derive(Debug, Serialize)]
pub struct TokenResponse {
    access_token: String,
    token_type: &'static str,
    expires_in: u64,
    scope: String,
}

impl TokenResponse {
    /// The token alone.
    #[must_use]
    pub fn access_token(&self) -> &str {
        &self.access_token
    }
}

impl Authorized {
    /// Narrows what the agent is entitled to at `resource` to what it asks for.
    pub(super) fn within<P>(
        subject: &RegistrationId,
        (standing, credential, place): Admitted,
        resource: &Resource,
        asked: Option<Scope>,
        cx: &Cx<'_, P>,
    ) -> Result<Self, Denied> {
        let ceiling = cx.config.entitled(standing.is_full(credential)).intersect(&resource.scopes.entitle());
        if ceiling.as_scope().is_empty() {
            return Err(Denied::NoScope);
        }
        let scope = Scope::narrow(asked, &ceiling)?;
        let stamped = |stamp: CredentialStamp| standing.credentials.iter().find(|key| key.id == stamp.id).map(|key| key.expires);
        let until = credential.and_then(stamped).map_or(standing.expires, |key| key.min(standing.expires));
        Ok(Self {
            subject: subject.clone(),
            generation: standing.generation,
            credential,
            until,
            resource: resource.uri.clone(),
            scope,
            place,
        })
    }
}

/// Signs an access token (RFC 9068).
///
/// # Errors
/// Keys or randomness are out of reach.
pub async fn issue<P: Ports>(authorized: Authorized, cx: &Cx<'_, P>) -> Result<TokenResponse, Denied> {
    let issued_at = cx.now.whole_seconds();
    let expires = issued_at.plus(cx.config.ttls.access_token).min(authorized.until.whole_seconds());
    if expires <= issued_at {
        return Err(Denied::Registration(authorized.subject));
    }
    let scope = authorized.scope.to_string();
    let claims = AccessToken {
        iss: cx.config.issuer.clone(),
        sub: authorized.subject.to_string(),
        aud: authorized.resource,
        client_id: authorized.subject.to_string(),
        jti: URL_SAFE_NO_PAD.encode(random::<16>(cx.entropy)?),
        scope: authorized.scope,
        registration: authorized.subject,
        generation: authorized.generation,
        credential: authorized.credential,
        status: Some(status::claim(authorized.place, cx)),
    };
    let access_token = keys::sign(ACCESS_TOKEN, &lasting(claims, issued_at, expires), cx).await?;
    Ok(TokenResponse { access_token, token_type: "Bearer", expires_in: issued_at.until(expires).seconds(), scope })
}

/// Signs the identity assertion of a registration, dated `issued_at`; it lives no longer than the registration.
///
/// # Errors
/// Keys or randomness are out of reach.
pub async fn identity_assertion<P: Ports>(
    registration: &RegistrationId,
    standing: &Standing,
    jti: [u8; 16],
    issued_at: Timestamp,
    cx: &Cx<'_, P>,
) -> Result<(String, Timestamp), Denied> {
    identity_assertion_within(registration, standing, Within::default(), jti, issued_at, cx).await
}

/// The same, for no more than a provider's word allows.
///
/// # Errors
/// As [`identity_assertion`].
pub async fn identity_assertion_within<P: Ports>(
    registration: &RegistrationId,
    standing: &Standing,
    within: Within,
    jti: [u8; 16],
    issued_at: Timestamp,
    cx: &Cx<'_, P>,
) -> Result<(String, Timestamp), Denied> {
    let issued_at = issued_at.whole_seconds();
    let expires = issued_at.plus(cx.config.ttls.assertion).min(standing.expires.whole_seconds());
    let claims = IdentityAssertion {
        iss: cx.config.issuer.clone(),
        aud: cx.config.issuer.clone(),
        sub: registration.clone(),
        jti: URL_SAFE_NO_PAD.encode(jti),
        generation: standing.generation,
        within,
    };
    let assertion = keys::sign(IDENTITY_ASSERTION, &lasting(claims, issued_at, expires), cx).await?;
    Ok((assertion, expires))
}
