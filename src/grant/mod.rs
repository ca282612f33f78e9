//! From a token request to tokens. Every grant ends in [`Authorized`]; [`issue()`] knows no grant.

mod authorization_code;
pub mod claim;
pub mod client;
mod client_credentials;
mod connection;
pub mod device_code;
mod exchange;
mod issue;
mod jwt_bearer;
mod places;
mod refresh_token;

use std::rc::Rc;

use crate::client::Unavailable;
use crate::client::assertion::InvalidAssertion;
use crate::config::Config;
use crate::cx::Cx;
use crate::dpop::{self, InvalidProof};
use crate::id::{Holder, RegistrationId};
use crate::jose::claims::CredentialStamp;
use crate::keys::KeysError;
use crate::machine::device::DeviceRefusal;
use crate::machine::grant::GrantRefusal;
use crate::machine::registration::claim::ClaimRefusal;
use crate::machine::registration::{Command, Outcome, Proof, Registration};
use crate::machine::standing::Standing;
use crate::machine::status_index::Block;
use crate::oauth::authorization::{Authorization, InvalidAuthorization};
use crate::oauth::error::{ErrorCode, Refusal};
use crate::oauth::params::{InvalidParams, Params};
use crate::oauth::scope::{GrantedScope, InvalidScope, Scope, ScopeExceeded};
use crate::provider::id_jag::InvalidIdJag;
use crate::status::NoPlace;
use crate::store::{Ports, StoreError};
use crate::time::{Timestamp, Ttl};
use crate::verify::Inactive;
use crate::vouch::NotMatched;
use claim::NotDelivered;
use client::{Identified, Shown};
use exchange::Exchanged;

pub use authorization_code::CODE;
pub use connection::Connected;
pub use exchange::{NotExchanged, TOKEN_EXCHANGE};
pub use issue::{TokenResponse, identity_assertion, identity_assertion_within, issue};

/// RFC 7523, section 2.1.
pub const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// RFC 6749, section 4.1.
pub const AUTHORIZATION_CODE: &str = "authorization_code";
/// RFC 6749, section 6.
pub const REFRESH_TOKEN: &str = "refresh_token";
/// RFC 6749, section 4.4.
pub const CLIENT_CREDENTIALS: &str = "client_credentials";
/// RFC 8628, section 3.4.
pub const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// auth.md: polling for a person's confirmation.
pub const CLAIM: &str = "urn:workos:agent-auth:grant-type:claim";

/// The grants that work, as the metadata lists them.
#[must_use]
pub fn grant_types(config: &Config) -> Vec<&'static str> {
    let mut all = vec![JWT_BEARER, CLIENT_CREDENTIALS, TOKEN_EXCHANGE];
    all.extend(config.mail.is_some().then_some([AUTHORIZATION_CODE, REFRESH_TOKEN, DEVICE_CODE]).into_iter().flatten());
    all.extend(claim_works(config).then_some(CLAIM));
    all
}

fn claim_works(config: &Config) -> bool {
    config.dialects.v07 && config.mail.is_some()
}

/// A token request, parsed and not yet judged.
pub struct TokenRequest {
    grant: Grant,
    client: Shown,
    /// The name that the client gives itself.
    client_id: Option<String>,
    scope: Option<Scope>,
    resource: Option<String>,
}

enum Grant {
    JwtBearer { assertion: String },
    ClientCredentials,
    Claim { token: String },
    Exchange(exchange::Asked),
    AuthorizationCode(authorization_code::Sent),
    RefreshToken(String),
    DeviceCode(String),
}

/// What a grant comes to.
pub enum Granted {
    /// A token may be issued.
    Token(Authorized),
    /// A client is connected to a person.
    Connected(Box<Connected>),
    /// An answer that was made before, or that must be the same if it is asked for again.
    Answer(Vec<u8>),
}

/// A token may be issued: for whom, for what, how far.
pub struct Authorized {
    /// The record that decides whether the token counts, at this moment of its life.
    holder: Holder,
    generation: u32,
    credential: Option<CredentialStamp>,
    /// `sub`.
    subject: String,
    client_id: String,
    /// The token may not outlive what stands behind it,
    until: Timestamp,
    /// nor live longer than this.
    ttl: Ttl,
    resource: String,
    scope: GrantedScope,
    place: Block,
    /// The key that it is to be bound to.
    jkt: Option<String>,
    /// What it came from, if from another token.
    exchanged: Option<Box<Exchanged>>,
}

/// Why no token is issued.
#[derive(Debug, thiserror::Error)]
pub enum Denied {
    /// The form cannot be read.
    #[error(transparent)]
    Params(#[from] InvalidParams),
    /// The `Authorization` header cannot be read.
    #[error(transparent)]
    Authorization(#[from] InvalidAuthorization),
    /// The DPoP proof does not count.
    #[error(transparent)]
    Proof(#[from] InvalidProof),
    /// The exchange is refused.
    #[error(transparent)]
    Exchange(#[from] NotExchanged),
    /// The grant is unknown or not built.
    #[error("the grant type is unknown")]
    GrantType,
    /// RFC 6749, section 2.3: one method per request.
    #[error("the client authenticates in two ways at once")]
    TwoMethods,
    /// Nobody knows the client.
    #[error("the client is unknown")]
    UnknownClient,
    /// The client cannot be had.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The client's assertion does not count.
    #[error("client authentication failed: {0}")]
    ClientAssertion(#[from] Box<InvalidAssertion>),
    /// No credential, one that is not ours, or one that does not count.
    #[error("client authentication failed: {0}")]
    Client(&'static str),
    /// The assertion does not count.
    #[error("the assertion does not count: {0}")]
    Assertion(Inactive),
    /// The registration or the client's own grant says no.
    #[error("{0} refuses")]
    Holder(Holder),
    /// The grant refuses a code or a refresh token.
    #[error("{0}")]
    Grant(GrantRefusal),
    /// The device gets nothing, or not yet.
    #[error("{0}")]
    Device(DeviceRefusal),
    /// The client did not register for this grant (RFC 6749, section 5.2).
    #[error("the client may not use this grant")]
    UnauthorizedClient,
    /// The operator has kept the resource for people.
    #[error("the resource is for people, not for clients by themselves")]
    PeopleOnly,
    /// The resource is not one that tokens are issued for.
    #[error("the resource is unknown")]
    Resource,
    /// Scope is malformed.
    #[error(transparent)]
    Scope(#[from] InvalidScope),
    /// More scope than is granted.
    #[error(transparent)]
    ScopeExceeded(#[from] ScopeExceeded),
    /// Nothing that the agent may do is of use at the resource.
    #[error("no scope of the agent counts at the resource")]
    NoScope,
    /// A provider's assertion does not count.
    #[error("the provider's assertion does not count: {reason}")]
    Vouched {
        /// For our log.
        reason: String,
        /// For the wire.
        code: ErrorCode,
        /// What to do about it.
        hint: &'static str,
    },
    /// The person whom a provider means must confirm first.
    #[error("the matched person must confirm first")]
    StepUp,
    /// The claim brings nothing, or not yet.
    #[error(transparent)]
    Claim(Box<NotDelivered>),
    /// Our fault.
    #[error("the status index gave an empty block")]
    NoPlaces,
    /// Our fault.
    #[error(transparent)]
    Place(#[from] NoPlace),
    /// Our fault.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Our fault.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// Our fault.
    #[error(transparent)]
    Entropy(#[from] crate::entropy::EntropyError),
}

impl Refusal for Denied {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Params(error) => error.code(),
            Self::Proof(error) => error.code(),
            Self::Exchange(error) => error.code(),
            Self::Claim(error) => error.code(),
            Self::Vouched { code, .. } => *code,
            Self::StepUp => ErrorCode::InvalidGrant,
            Self::GrantType => ErrorCode::UnsupportedGrantType,
            Self::TwoMethods => ErrorCode::InvalidRequest,
            Self::Authorization(_) | Self::Client(_) | Self::UnknownClient => ErrorCode::InvalidClient,
            Self::Unavailable(error) => error.code(),
            Self::ClientAssertion(error) => error.code(),
            Self::Assertion(Inactive::Keys(_) | Inactive::Store(_)) => ErrorCode::TemporarilyUnavailable,
            Self::Resource | Self::Grant(GrantRefusal::Resource) => ErrorCode::InvalidTarget,
            Self::Scope(_) | Self::ScopeExceeded(_) | Self::NoScope | Self::Grant(GrantRefusal::Scope) => ErrorCode::InvalidScope,
            Self::Grant(GrantRefusal::Taken | GrantRefusal::Full) => ErrorCode::TemporarilyUnavailable,
            Self::Assertion(_) | Self::Holder(_) | Self::Grant(_) => ErrorCode::InvalidGrant,
            Self::UnauthorizedClient => ErrorCode::UnauthorizedClient,
            Self::Device(refusal) => match refusal {
                DeviceRefusal::Pending => ErrorCode::AuthorizationPending,
                DeviceRefusal::SlowDown => ErrorCode::SlowDown,
                DeviceRefusal::Denied => ErrorCode::AccessDenied,
                DeviceRefusal::Expired => ErrorCode::ExpiredToken,
                DeviceRefusal::Resource => ErrorCode::InvalidTarget,
                DeviceRefusal::Served | DeviceRefusal::Client | DeviceRefusal::Unknown => ErrorCode::InvalidGrant,
            },
            Self::PeopleOnly => ErrorCode::AccessDenied,
            Self::NoPlaces | Self::Place(_) | Self::Store(_) | Self::Keys(_) | Self::Entropy(_) => ErrorCode::TemporarilyUnavailable,
        }
    }

    fn hint(&self) -> &'static str {
        match self {
            Self::Params(error) => error.hint(),
            Self::Proof(error) => error.hint(),
            Self::Exchange(error) => error.hint(),
            Self::TwoMethods => "Authenticate with the Authorization header, client_secret or client_assertion: with one of them.",
            Self::Unavailable(error) => error.hint(),
            Self::ClientAssertion(error) => error.hint(),
            Self::Vouched { hint, .. } => hint,
            Self::PeopleOnly => "Ask for a resource that clients may use by themselves, or have a person authorize the client.",
            Self::StepUp => "Present this ID-JAG at the identity_endpoint: the person has to confirm once before it works here.",
            Self::Grant(_) => {
                "Begin again at the authorization endpoint: a code works once and for five minutes, a refresh token until its successor is used."
            }
            Self::Device(DeviceRefusal::Expired | DeviceRefusal::Served | DeviceRefusal::Client | DeviceRefusal::Unknown) => {
                "Begin again at the device_authorization_endpoint: a device code works once, for the client that asked for it and for ten minutes."
            }
            Self::NoScope => "Ask for a resource that your scopes are of use at, or have a person claim the registration.",
            _ => self.code().hint(),
        }
    }

    fn retry_after(&self) -> Option<Ttl> {
        match self {
            Self::Unavailable(error) => error.retry_after(),
            Self::ClientAssertion(error) => error.retry_after(),
            _ => None,
        }
    }
}

/// At the token endpoint whatever is wrong with an assertion is one code (RFC 7523, section 3.1); what is out of reach is another.
impl From<InvalidIdJag> for Denied {
    fn from(error: InvalidIdJag) -> Self {
        let code = match error.code() {
            code @ (ErrorCode::TemporarilyUnavailable | ErrorCode::InvalidScope) => code,
            _ => ErrorCode::InvalidGrant,
        };
        Self::Vouched { reason: error.to_string(), code, hint: error.hint() }
    }
}

impl From<NotMatched> for Denied {
    fn from(error: NotMatched) -> Self {
        let code = match error.code() {
            code @ ErrorCode::TemporarilyUnavailable => code,
            _ => ErrorCode::InvalidGrant,
        };
        Self::Vouched { reason: error.to_string(), code, hint: error.hint() }
    }
}

/// In the words of the device flow (RFC 8628, section 3.5).
impl Refusal for NotDelivered {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Claim(ClaimRefusal::Denied) | Self::Barred => ErrorCode::AccessDenied,
            Self::Claim(_) => ErrorCode::ExpiredToken,
            Self::Pending => ErrorCode::AuthorizationPending,
            Self::SlowDown => ErrorCode::SlowDown,
            Self::Denied(error) => error.code(),
        }
    }
}

impl TokenRequest {
    /// Reads the form and, where the grant wants one, the client's credential.
    ///
    /// # Errors
    /// Something is missing, malformed or contradictory.
    pub fn parse(params: &Params, authorization: Option<Authorization>, config: &Config) -> Result<Self, Denied> {
        let grant = match params.require("grant_type")? {
            JWT_BEARER => Grant::JwtBearer { assertion: params.require("assertion")?.to_owned() },
            CLIENT_CREDENTIALS => Grant::ClientCredentials,
            TOKEN_EXCHANGE => Grant::Exchange(exchange::Asked::parse(params)?),
            AUTHORIZATION_CODE => Grant::AuthorizationCode(authorization_code::Sent::parse(params)?),
            DEVICE_CODE if config.mail.is_some() => Grant::DeviceCode(params.require("device_code")?.to_owned()),
            REFRESH_TOKEN => Grant::RefreshToken(params.require("refresh_token")?.to_owned()),
            CLAIM if claim_works(config) => Grant::Claim { token: params.require("claim_token")?.to_owned() },
            _ => return Err(Denied::GrantType),
        };
        let scope: Option<Scope> = params.find("scope").map(str::parse).transpose()?;
        if scope.as_ref().is_some_and(Scope::is_empty) {
            return Err(InvalidScope.into());
        }
        let client = client::shown(params, authorization)?;
        let client_id = params.find("client_id").map(str::to_owned);
        Ok(Self { grant, client, client_id, scope, resource: params.find("resource").map(str::to_owned) })
    }
}

/// Judges a request: the credential first, then the target, then the scope. What it comes to is bound to the key of `proof`.
///
/// # Errors
/// See [`Denied`].
pub async fn authorize<P: Ports>(request: TokenRequest, proof: Option<&dpop::Proof>, cx: &Cx<'_, P>) -> Result<Granted, Denied> {
    let resource = match &request.resource {
        Some(asked) => cx.config.resource(asked),
        None => cx.config.default_resource(),
    };
    match request.grant {
        Grant::JwtBearer { assertion } => {
            // RFC 7523, section 3.1: no client needs to authenticate, but one that does must do it right.
            let authenticated = client::authenticate(&request.client, cx).await?;
            if jwt_bearer::is_id_jag(&assertion) {
                let client = authenticated.id().or(request.client_id.as_deref());
                let resource = request.resource.as_deref();
                return jwt_bearer::vouched(&assertion, client, resource, request.scope, proof, cx).await.map(Granted::Token);
            }
            let resource = request.resource.as_deref();
            jwt_bearer::authorize(&assertion, resource, request.scope, proof, cx).await.map(Granted::Token)
        }
        Grant::AuthorizationCode(sent) => {
            let by = client::identify(&request.client, cx).await?;
            let resource = wanted(request.resource.as_deref(), cx)?;
            authorization_code::redeem(sent, &by, resource, proof, cx).await.map(|connected| Granted::Connected(Box::new(connected)))
        }
        Grant::RefreshToken(token) => {
            let by = client::identify(&request.client, cx).await?;
            let resource = wanted(request.resource.as_deref(), cx)?;
            let connected = refresh_token::refresh(&token, &by, resource, request.scope, proof, cx).await;
            connected.map(|connected| Granted::Connected(Box::new(connected)))
        }
        Grant::DeviceCode(code) => {
            let by = client::identify(&request.client, cx).await?;
            let resource = wanted(request.resource.as_deref(), cx)?;
            device_code::poll(&code, &by, resource, proof, cx).await.map(|connected| Granted::Connected(Box::new(connected)))
        }
        Grant::ClientCredentials => {
            if let Some((name, key)) = request.client.api_key(cx.config) {
                return client_credentials::authorize(name, key, resource, request.scope, proof, cx).await.map(Granted::Token);
            }
            let Identified { client, confidential: true } = client::identify(&request.client, cx).await? else {
                return Err(Denied::UnauthorizedClient);
            };
            client_credentials::own(&client, resource, request.scope, proof, cx).await.map(Granted::Token)
        }
        Grant::Exchange(asked) => {
            let resource = request.resource.as_deref();
            exchange::authorize(asked, &request.client, resource, request.scope, proof, cx).await.map(Granted::Token)
        }
        Grant::Claim { token } => {
            client::authenticate(&request.client, cx).await?;
            let answer = claim::poll(&token, resource, request.scope, proof, cx).await;
            answer.map(Granted::Answer).map_err(|error| Denied::Claim(Box::new(error)))
        }
    }
}

/// The resource that is asked for, as ours are spelled; none if none is.
fn wanted<P>(asked: Option<&str>, cx: &Cx<'_, P>) -> Result<Option<String>, Denied> {
    asked.map(|asked| cx.config.resource(asked).map(|resource| resource.uri.clone()).ok_or(Denied::Resource)).transpose()
}

/// A token for the default resource, for a registration that has just been judged.
///
/// # Errors
/// See [`Denied`].
pub async fn token_for<P: Ports>(registration: &RegistrationId, standing: &Standing, cx: &Cx<'_, P>) -> Result<TokenResponse, Denied> {
    let resource = cx.config.default_resource().ok_or(Denied::Resource)?;
    claim::access_token(registration, standing, resource, None, None, cx).await
}

/// How a registration stands, the API key that was shown, and a place for the token.
type Admitted = (Rc<Standing>, Option<CredentialStamp>, Block);

/// Asks the registration whether a token may be issued, and takes a place in a status list for it.
async fn admit<P: Ports>(registration: &RegistrationId, proof: impl Fn() -> Proof, cx: &Cx<'_, P>) -> Result<Option<Admitted>, Denied> {
    let ask = async |block| match cx.ports.run::<Registration>(registration, Command::Issue { proof: proof(), block }).await? {
        Outcome::Issue(standing, stamp) => Ok(Some((standing, stamp))),
        Outcome::Full => Err(NoPlace::Full.into()),
        _ => Ok(None),
    };
    places::with(&Holder::Registration(registration.clone()), cx.config.ttls.access_token, ask, cx).await
}
