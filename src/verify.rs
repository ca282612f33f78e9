//! Whether a token or API key that somebody presents counts.

use std::rc::Rc;

use jwt_compact::Claims;
use sha2::{Digest as _, Sha256};

use crate::cx::Cx;
use crate::id::RegistrationId;
use crate::jose::claims::{ACCESS_TOKEN, AccessToken, CredentialStamp, IDENTITY_ASSERTION, IdentityAssertion, holds};
use crate::jose::jws::{InvalidJws, Untrusted, Verified};
use crate::keys::{self, KeysError};
use crate::machine::registration::{Command, Outcome, Registration};
use crate::machine::standing::Standing;
use crate::memory::Seen;
use crate::oauth::error::{ErrorCode, Refusal};
use crate::secret::{ApiKey, Presented};
use crate::store::{Ports, StoreError};
use crate::time::Timestamp;

/// What somebody presented, once it is known to count.
pub struct Active {
    /// The registration behind it.
    pub registration: RegistrationId,
    /// How that stands.
    pub standing: Rc<Standing>,
    /// What it is.
    pub kind: Kind,
}

impl Active {
    /// The API key that it is, or was issued for.
    #[must_use]
    pub fn stamp(&self) -> Option<CredentialStamp> {
        match &self.kind {
            Kind::AccessToken(claims) => claims.custom.credential,
            Kind::ApiKey(stamp) => Some(*stamp),
        }
    }
}

/// What somebody presented.
pub enum Kind {
    /// An access token.
    AccessToken(Rc<Claims<AccessToken>>),
    /// An API key.
    ApiKey(CredentialStamp),
}

/// Why it does not count. All but the last two look the same from outside.
#[derive(Debug, thiserror::Error)]
pub enum Inactive {
    /// Neither a token nor a key of ours.
    #[error("not a token or key of this deployment: {0}")]
    Foreign(InvalidJws),
    /// Signed by us for another issuer or time.
    #[error("the claims do not hold: {0}")]
    Claims(&'static str),
    /// The registration has expired or never was.
    #[error("the registration {0} is gone")]
    Gone(RegistrationId),
    /// Token, key or registration was revoked.
    #[error("revoked with or within the registration {0}")]
    Revoked(RegistrationId),
    /// The keys are out of reach.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The registration is out of reach.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Refusal for Inactive {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Keys(_) | Self::Store(_) => ErrorCode::TemporarilyUnavailable,
            _ => ErrorCode::InvalidToken,
        }
    }
}

impl From<InvalidJws> for Inactive {
    fn from(error: InvalidJws) -> Self {
        match error {
            InvalidJws::Crypto(error) => Self::Keys(error.into()),
            error => Self::Foreign(error),
        }
    }
}

/// Judges an access token or API key, as fresh as `LIVENESS_TTL` says.
///
/// # Errors
/// It does not count.
pub async fn bearer<P: Ports>(presented: &str, cx: &Cx<'_, P>) -> Result<Active, Inactive> {
    if let Some(key) = Presented::<ApiKey>::parse(&cx.config.api_key_prefix, presented, &cx.config.masters) {
        return api_key(&key, cx).await;
    }
    let claims = access_token(presented, cx).await?;
    let registration = claims.custom.registration.clone();
    let token = &claims.custom;
    // What is genuine and newer than what is remembered shows that something happened meanwhile: a claim, or a new key.
    let behind = |known: &Standing| token.generation > known.generation || token.credential.is_some_and(|stamp| !known.knows(stamp));
    let standing = standing(&registration, behind, cx).await?;
    let live = standing.counts(token.generation, cx.now)
        && !standing.has_revoked(&token.jti, claims.issued_at.map_or(0, |at| at.timestamp()))
        && token.credential.is_none_or(|stamp| standing.stamp_counts(stamp, cx.now));
    if live { Ok(Active { registration, standing, kind: Kind::AccessToken(claims) }) } else { Err(Inactive::Revoked(registration)) }
}

async fn api_key<P: Ports>(key: &Presented<ApiKey>, cx: &Cx<'_, P>) -> Result<Active, Inactive> {
    let registration = RegistrationId::from_digits(key.digits());
    let unknown = |known: &Standing| !known.credentials.iter().any(|credential| key.matches(&credential.digest));
    let standing = standing(&registration, unknown, cx).await?;
    match standing.api_key(|digest| key.matches(digest), cx.now) {
        Some(stamp) => Ok(Active { registration, standing, kind: Kind::ApiKey(stamp) }),
        None => Err(Inactive::Revoked(registration)),
    }
}

/// Checks signature, type, issuer and time of an access token; liveness is another question.
///
/// # Errors
/// It is not one of ours, or its time is over.
pub async fn access_token<P: Ports>(token: &str, cx: &Cx<'_, P>) -> Result<Rc<Claims<AccessToken>>, Inactive> {
    let digest: [u8; 32] = Sha256::digest(token.as_bytes()).into();
    let seen = cx.memory.tokens.borrow().find(&digest);
    let claims = match seen {
        // The signature was checked here before; the key may have been revoked since.
        Some(seen) if keys::current(cx).await?.verifier(&seen.kid, cx.now).is_some() => seen.claims,
        Some(_) => return Err(InvalidJws::UnknownKey.into()),
        None => {
            let (kid, verified) = verify::<AccessToken, P>(token, ACCESS_TOKEN, cx).await?;
            let claims = Rc::new(verified.claims);
            cx.memory.tokens.borrow_mut().insert(digest, Seen { kid, claims: claims.clone() });
            claims
        }
    };
    if claims.custom.iss != cx.config.issuer {
        return Err(Inactive::Claims("issuer"));
    }
    if holds(&claims, cx.now) { Ok(claims) } else { Err(Inactive::Claims("time")) }
}

/// Checks signature, type, issuer and time of an identity assertion of ours.
///
/// # Errors
/// It is not one of ours, or its time is over.
pub async fn identity_assertion<P: Ports>(token: &str, cx: &Cx<'_, P>) -> Result<Claims<IdentityAssertion>, Inactive> {
    let (_, Verified { claims }) = verify::<IdentityAssertion, P>(token, IDENTITY_ASSERTION, cx).await?;
    if claims.custom.iss != cx.config.issuer || claims.custom.aud != cx.config.issuer {
        return Err(Inactive::Claims("issuer or audience"));
    }
    if holds(&claims, cx.now) { Ok(claims) } else { Err(Inactive::Claims("time")) }
}

async fn verify<T: serde::de::DeserializeOwned, P: Ports>(
    token: &str,
    typ: &'static str,
    cx: &Cx<'_, P>,
) -> Result<(String, Verified<T>), Inactive> {
    let untrusted = Untrusted::parse(token)?;
    let kid = untrusted.unverified_key_id().unwrap_or_default().to_owned();
    let set = keys::with(&kid, cx).await?;
    let key = set.verifier(&kid, cx.now).ok_or(InvalidJws::UnknownKey)?;
    Ok((kid, untrusted.verify(typ, &key.jwk, cx.ports).await?))
}

/// How a registration stands, asked at most once per `LIVENESS_TTL` and isolate, and anew if what is remembered is `behind`.
async fn standing<P: Ports>(
    registration: &RegistrationId,
    behind: impl Fn(&Standing) -> bool,
    cx: &Cx<'_, P>,
) -> Result<Rc<Standing>, Inactive> {
    let known = cx.memory.standings.borrow().find(registration);
    if let Some((at, standing)) = known
        && cx.now < at.plus(cx.config.ttls.liveness)
        && !standing.as_deref().is_some_and(behind)
    {
        return standing.ok_or_else(|| Inactive::Gone(registration.clone()));
    }
    let standing = match cx.ports.run::<Registration>(registration, Command::Look).await? {
        Outcome::Standing(standing) => Some(Rc::new(standing)),
        _ => None,
    };
    remember(registration, standing.clone(), cx);
    standing.ok_or_else(|| Inactive::Gone(registration.clone()))
}

/// Notes what a registration just said of itself.
pub fn remember<P>(registration: &RegistrationId, standing: Option<Rc<Standing>>, cx: &Cx<'_, P>) {
    let at: Timestamp = cx.now;
    cx.memory.standings.borrow_mut().insert(registration.clone(), (at, standing));
}
