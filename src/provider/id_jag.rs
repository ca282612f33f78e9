//! Identity assertions of providers (ID-JAG, draft-ietf-oauth-identity-assertion-authz-grant): from a string to [`Vouched`].

mod checks;

use super::authentic::{NotAuthentic, authenticate};
use super::claims::{Claims, Malformed};
use super::client::{self, ForeignClient};
use super::is_for_us;
use crate::config::Provider;
use crate::cx::Cx;
use crate::email::{Address, cleaned};
use crate::jose::claims::Within;
use crate::machine::once::{Command, Once, Outcome};
use crate::oauth::error::{ErrorCode, Refusal};
use crate::oauth::scope::{InvalidScope, Scope};
use crate::store::{Ports, StoreError};
use crate::time::{Timestamp, Ttl};

/// `typ` of an ID-JAG.
/// `typ` of ID-JAGs.
pub const TYPE: &str = "oauth-id-jag+jwt";
/// What [`Vouched::burn`] remembers is kept so much longer than the assertion holds: twice the skew that is borne.
const REMEMBERED: Ttl = Ttl::from_seconds(120);

/// What a trusted provider says of a person and an agent, checked.
#[derive(Clone, Debug)]
pub struct Vouched<'c> {
    /// Who says so.
    pub provider: &'c Provider,
    /// The person, as the provider names them: 1 to 255 characters.
    pub subject: String,
    /// The assertion's name: 1 to 255 characters.
    pub jti: String,
    /// Its `exp`.
    pub expires: Timestamp,
    /// The person's address, if the provider has verified it and it is not a throw-away one.
    pub email: Option<Address>,
    /// The person's telephone number (E.164), if the provider has verified it.
    pub phone: Option<String>,
    /// Through which client of the provider's.
    pub client_id: String,
    /// What the person is called: a claim, to be shown with care.
    pub name: Option<String>,
    /// What it is restricted to: not yet compared with what we have.
    pub resource: Option<String>,
    /// What it is restricted to: not yet compared with what we grant.
    pub scope: Option<Scope>,
    /// What the agent runs on: a claim.
    pub agent_platform: Option<String>,
    /// What the agent calls its present work: a claim.
    pub agent_context_id: Option<String>,
}

/// Why an assertion does not count.
#[derive(Debug, thiserror::Error)]
pub enum InvalidIdJag {
    /// It is not a trusted provider's.
    #[error(transparent)]
    NotAuthentic(#[from] NotAuthentic),
    /// A claim is missing, or not of its type.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It is for somebody else, or for more than one.
    #[error("its audience is not this service alone")]
    Audience,
    /// `exp`, `iat` or `nbf` are wrong for the present.
    #[error("its time: {0}")]
    Time(&'static str),
    /// `client_id` is missing or not the provider's.
    #[error("its client: {0}")]
    Client(#[from] ForeignClient),
    /// Neither a verified address nor a verified number.
    #[error("no verified e-mail address or telephone number")]
    NobodyVerified,
    /// `amr` lacks a method that the trust list demands.
    #[error("amr lacks what the trust list demands")]
    WeakLogin,
    /// `auth_time` is missing, too old or in the future.
    #[error("auth_time is missing, older than {} s or in the future", max_age.seconds())]
    OldLogin {
        /// How old it may be at this provider.
        max_age: Ttl,
    },
    /// `scope` cannot be read.
    #[error(transparent)]
    Scope(#[from] InvalidScope),
    /// It is bound or restricted in a way that is not served.
    #[error("{0} is not processed")]
    Unprocessed(&'static str),
    /// It has been used.
    #[error("its jti has been seen")]
    Replayed,
    /// What has been used is not known at present.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl InvalidIdJag {
    /// How old the person's sign-in at the provider may be, if that is what is wrong.
    #[must_use]
    pub fn max_age(&self) -> Option<Ttl> {
        match self {
            Self::OldLogin { max_age } => Some(*max_age),
            _ => None,
        }
    }
}

impl Refusal for InvalidIdJag {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NotAuthentic(NotAuthentic::NobodyTrusted) => ErrorCode::IssuerNotEnabled,
            Self::NotAuthentic(NotAuthentic::Issuer) => ErrorCode::InvalidIssuer,
            Self::NotAuthentic(NotAuthentic::Unreachable(_) | NotAuthentic::Crypto(_)) | Self::Store(_) => {
                ErrorCode::TemporarilyUnavailable
            }
            Self::NotAuthentic(NotAuthentic::Form(_)) | Self::Malformed(_) => ErrorCode::InvalidRequest,
            Self::NotAuthentic(NotAuthentic::Type(_) | NotAuthentic::Algorithm | NotAuthentic::Key(_) | NotAuthentic::Signature(_)) => {
                ErrorCode::InvalidSignature
            }
            Self::Audience => ErrorCode::InvalidAudience,
            Self::Time(_) => ErrorCode::Expired,
            Self::Client(_) => ErrorCode::InvalidClientId,
            Self::NobodyVerified => ErrorCode::MissingVerifiedEmail,
            Self::WeakLogin => ErrorCode::InsufficientUserAuthentication,
            Self::OldLogin { .. } => ErrorCode::LoginRequired,
            Self::Scope(error) => error.code(),
            Self::Unprocessed(_) => ErrorCode::InvalidRequest,
            Self::Replayed => ErrorCode::ReplayDetected,
        }
    }
}

/// Checks an assertion. Nothing is used up by that: a refused one may come again, mended.
///
/// # Errors
/// It does not count, for the first reason in this order: issuer, type, key and signature, audience, time, names, client, person, methods and
/// age of the sign-in, restrictions.
pub async fn verify<'c, P: Ports>(assertion: &str, cx: &Cx<'c, P>) -> Result<Vouched<'c>, InvalidIdJag> {
    let (provider, claims) = authenticate(assertion, TYPE, cx).await?;
    if !claims.text("aud").is_some_and(|audience| is_for_us(audience, cx.config)) {
        return Err(InvalidIdJag::Audience);
    }
    let expires = checks::time(&claims, cx.now)?;
    let jti = claims.identifier("jti")?.to_owned();
    let subject = claims.identifier("sub")?.to_owned();
    let client_id = claims.text("client_id").ok_or(ForeignClient::Other)?.to_owned();
    client::is_of(&client_id, provider, cx).await?;
    let (email, phone) = (checks::email(&claims), checks::phone(&claims));
    if email.is_none() && phone.is_none() {
        return Err(InvalidIdJag::NobodyVerified);
    }
    checks::sign_in(&claims, provider, cx.now)?;
    checks::processed(&claims)?;
    let said = |name: &str| claims.text(name).map(cleaned).filter(|text| !text.is_empty());
    Ok(Vouched {
        provider,
        subject,
        jti,
        expires,
        email,
        phone,
        client_id,
        name: said("name"),
        resource: checks::resource(&claims)?,
        scope: scope(&claims)?,
        agent_platform: said("agent_platform"),
        agent_context_id: said("agent_context_id"),
    })
}

impl Vouched<'_> {
    /// What the provider has restricted its word to.
    #[must_use]
    pub fn within(&self) -> Within {
        Within { scope: self.scope.clone(), resource: self.resource.clone() }
    }

    /// Uses the assertion up, atomically and for as long as it could come again.
    ///
    /// # Errors
    /// It was used before, or that cannot be told at present.
    pub async fn burn<P: Ports>(&self, cx: &Cx<'_, P>) -> Result<(), InvalidIdJag> {
        let (id, digest) = Once::place("id-jag", &self.provider.issuer, &self.jti);
        match cx.ports.run::<Once>(&id, Command::Burn { digest, until: self.expires.plus(REMEMBERED) }).await? {
            Outcome::Fresh => Ok(()),
            Outcome::Seen => Err(InvalidIdJag::Replayed),
        }
    }
}

fn scope(claims: &Claims) -> Result<Option<Scope>, InvalidIdJag> {
    if !claims.has("scope") {
        return Ok(None);
    }
    Ok(Some(claims.text("scope").ok_or(InvalidScope)?.parse()?))
}
