//! From [`Authorized`] to tokens.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use super::{Admitted, Authorized, Denied};
use crate::config::Resource;
use crate::cx::Cx;
use crate::dpop;
use crate::entropy::random;
use crate::id::{Holder, RegistrationId};
use crate::jose::claims::{
    ACCESS_TOKEN, AccessToken, Confirmation, CredentialStamp, IDENTITY_ASSERTION, IdentityAssertion, Within, lasting,
};
use crate::keys;
use crate::machine::standing::Standing;
use crate::oauth::scope::{GrantedScope, Scope};
use crate::rights;
use crate::status;
use crate::store::Ports;
use crate::time::{Timestamp, Ttl};

/// RFC 6749, section 5.1.
#[derive(Debug, Serialize)]
pub struct TokenResponse {
    access_token: String,
    token_type: &'static str,
    expires_in: u64,
    scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
    /// RFC 8693, section 2.2.1.
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_token_type: Option<&'static str>,
}

impl TokenResponse {
    /// With what continues it.
    #[must_use]
    pub fn with_refresh_token(self, token: Option<String>) -> Self {
        Self { refresh_token: token, ..self }
    }

    /// With who the person is (OpenID Connect Core, section 3.1.3.3).
    #[must_use]
    pub fn with_id_token(self, token: Option<String>) -> Self {
        Self { id_token: token, ..self }
    }

    /// The token alone.
    #[must_use]
    pub fn access_token(&self) -> &str {
        &self.access_token
    }
}

/// The longest life of a token by delegation, and the usual one of a child's: whoever asks nobody but the status list is not told when a
/// delegation ends, or when somebody above is suspended.
pub(super) const UNTOLD: Ttl = Ttl::from_seconds(900);

impl Authorized {
    /// Narrows what the agent is entitled to at `resource` to what it asks for.
    pub(super) fn within<P>(
        subject: &RegistrationId,
        Admitted { standing, root, credential, place }: Admitted,
        resource: &Resource,
        asked: Option<Scope>,
        cx: &Cx<'_, P>,
    ) -> Result<Self, Denied> {
        let ceiling = rights::entitled(&standing, root.as_deref(), credential, cx.config).intersect(&resource.scopes.entitle());
        // What manages agents is given to those alone who ask for it, or can do nothing else.
        let ceiling = match &asked {
            None if !ceiling.as_scope().is_empty() => ceiling,
            _ => everything(&standing, root.as_deref(), credential, resource, cx),
        };
        if ceiling.as_scope().is_empty() {
            return Err(Denied::NoScope);
        }
        let scope = Scope::narrow(asked, &ceiling)?;
        let key = credential.and_then(|stamp| standing.key(stamp));
        let until = rights::until(&standing, root.as_deref(), credential);
        let usual = cx.config.ttls.access_token;
        let usual = if standing.ancestors.is_empty() { usual } else { usual.min(UNTOLD) };
        Ok(Self {
            holder: Holder::Registration(subject.clone()),
            generation: standing.generation,
            credential,
            subject: subject.to_string(),
            client_id: subject.to_string(),
            until,
            ttl: key.and_then(|key| key.lifetime).unwrap_or(usual),
            resource: resource.uri.clone(),
            scope,
            place,
            jkt: None,
            exchanged: None,
        })
    }

    /// The token is to be of use with the key of that proof alone.
    pub(super) fn bound(mut self, proof: Option<&dpop::Proof>) -> Self {
        self.jkt = proof.map(|proof| proof.jkt.clone());
        self
    }
}

/// All that an agent may do at `resource` with this API key, or without one: what manages agents too, where that is.
pub(super) fn everything<P>(
    standing: &Standing,
    root: Option<&Standing>,
    credential: Option<CredentialStamp>,
    resource: &Resource,
    cx: &Cx<'_, P>,
) -> GrantedScope {
    let entitled = rights::entitled(standing, root, credential, cx.config).intersect(&resource.scopes.entitle());
    let managing = if resource.ours { rights::managing(standing, root, credential) } else { Scope::default() };
    entitled.as_scope().union(&managing).entitle()
}

/// Signs an access token (RFC 9068).
///
/// # Errors
/// Keys or randomness are out of reach.
pub async fn issue<P: Ports>(authorized: Authorized, cx: &Cx<'_, P>) -> Result<TokenResponse, Denied> {
    let issued_at = cx.now.whole_seconds();
    let expires = issued_at.plus(authorized.ttl).min(authorized.until.whole_seconds());
    if expires <= issued_at {
        return Err(Denied::Holder(authorized.holder));
    }
    let (registration, grant) = match authorized.holder {
        Holder::Registration(id) => (Some(id), None),
        Holder::Grant(id) => (None, Some(id)),
    };
    let scope = authorized.scope.to_string();
    let (act, origins, constraints, issued_token_type) = match authorized.exchanged.map(|exchanged| *exchanged) {
        Some(exchanged) => (exchanged.act, exchanged.origins, exchanged.constraints, exchanged.issued_type),
        None => (None, Vec::new(), Vec::new(), None),
    };
    // RFC 9449, section 5: the type says how the token is to be presented.
    let token_type = if authorized.jkt.is_some() { "DPoP" } else { "Bearer" };
    let claims = AccessToken {
        iss: cx.config.issuer.clone(),
        sub: authorized.subject,
        aud: authorized.resource,
        client_id: authorized.client_id,
        jti: URL_SAFE_NO_PAD.encode(random::<16>(cx.entropy)?),
        scope: authorized.scope,
        registration,
        grant,
        generation: authorized.generation,
        credential: authorized.credential,
        cnf: authorized.jkt.map(|jkt| Confirmation { jkt }),
        act,
        origins,
        constraints,
        status: Some(status::claim(authorized.place, cx)),
    };
    let access_token = keys::sign(ACCESS_TOKEN, &lasting(claims, issued_at, expires), cx).await?;
    let expires_in = issued_at.until(expires).seconds();
    Ok(TokenResponse { access_token, token_type, expires_in, scope, refresh_token: None, id_token: None, issued_token_type })
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
