//! From a token request to tokens. Every grant ends in [`Authorized`]; [`issue()`] knows no grant.

pub mod claim;
pub mod client;
mod client_credentials;
mod issue;
mod jwt_bearer;

use std::rc::Rc;

use crate::config::Config;
use crate::cx::Cx;
use crate::id::RegistrationId;
use crate::jose::claims::CredentialStamp;
use crate::keys::KeysError;
use crate::machine::registration::claim::ClaimRefusal;
use crate::machine::registration::{BLOCK_USE, Command, Outcome, Proof, Registration};
use crate::machine::standing::Standing;
use crate::machine::status_index::Block;
use crate::memory::Places;
use crate::oauth::authorization::{Authorization, InvalidAuthorization};
use crate::oauth::error::{ErrorCode, Refusal};
use crate::oauth::params::{InvalidParams, Params};
use crate::oauth::scope::{GrantedScope, InvalidScope, Scope, ScopeExceeded};
use crate::provider::id_jag::InvalidIdJag;
use crate::status::{self, NoPlace};
use crate::store::{Ports, StoreError};
use crate::time::{Timestamp, Ttl};
use crate::verify::{self, Inactive};
use crate::vouch::NotMatched;
use claim::NotDelivered;
use client::Shown;

pub use issue::{TokenResponse, identity_assertion, identity_assertion_within, issue};

/// RFC 7523, section 2.1.
pub const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// RFC 6749, section 4.4.
pub const CLIENT_CREDENTIALS: &str = "client_credentials";
/// auth.md: polling for a person's confirmation.
pub const CLAIM: &str = "urn:workos:agent-auth:grant-type:claim";

/// The grants that work, as the metadata lists them.
#[must_use]
pub fn grant_types(config: &Config) -> Vec<&'static str> {
    let mut all = vec![JWT_BEARER, CLIENT_CREDENTIALS];
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
}

/// What a grant comes to.
pub enum Granted {
    /// A token may be issued.
    Token(Authorized),
    /// An answer that was made before, or that must be the same if it is asked for again.
    Answer(Vec<u8>),
}

/// A token may be issued: for whom, for what, how far.
pub struct Authorized {
    subject: RegistrationId,
    generation: u32,
    credential: Option<CredentialStamp>,
    /// The token may not outlive what stands behind it.
    until: Timestamp,
    resource: String,
    scope: GrantedScope,
    place: Block,
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
    /// The grant is unknown or not built.
    #[error("the grant type is unknown")]
    GrantType,
    /// RFC 6749, section 2.3: one method per request.
    #[error("the client authenticates in two ways at once")]
    TwoMethods,
    /// No credential, one that is not ours, or one that does not count.
    #[error("client authentication failed: {0}")]
    Client(&'static str),
    /// The assertion does not count.
    #[error("the assertion does not count: {0}")]
    Assertion(Inactive),
    /// The registration says no.
    #[error("the registration {0} refuses")]
    Registration(RegistrationId),
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
            Self::Claim(error) => error.code(),
            Self::Vouched { code, .. } => *code,
            Self::StepUp => ErrorCode::InvalidGrant,
            Self::GrantType => ErrorCode::UnsupportedGrantType,
            Self::TwoMethods => ErrorCode::InvalidRequest,
            Self::Authorization(_) | Self::Client(_) => ErrorCode::InvalidClient,
            Self::Assertion(Inactive::Keys(_) | Inactive::Store(_)) => ErrorCode::TemporarilyUnavailable,
            Self::Assertion(_) | Self::Registration(_) => ErrorCode::InvalidGrant,
            Self::Resource => ErrorCode::InvalidTarget,
            Self::Scope(_) | Self::ScopeExceeded(_) | Self::NoScope => ErrorCode::InvalidScope,
            Self::Place(_) | Self::Store(_) | Self::Keys(_) | Self::Entropy(_) => ErrorCode::TemporarilyUnavailable,
        }
    }

    fn hint(&self) -> &'static str {
        match self {
            Self::Params(error) => error.hint(),
            Self::TwoMethods => "Authenticate with the Authorization header or with client_secret, not both.",
            Self::Vouched { hint, .. } => hint,
            Self::StepUp => "Present this ID-JAG at the identity_endpoint: the person has to confirm once before it works here.",
            Self::NoScope => "Ask for a resource that your scopes are of use at, or have a person claim the registration.",
            _ => self.code().hint(),
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

/// Judges a request: the credential first, then the target, then the scope.
///
/// # Errors
/// See [`Denied`].
pub async fn authorize<P: Ports>(request: TokenRequest, cx: &Cx<'_, P>) -> Result<Granted, Denied> {
    let resource = match &request.resource {
        Some(asked) => cx.config.resource(asked),
        None => cx.config.default_resource(),
    };
    match request.grant {
        Grant::JwtBearer { assertion } => {
            // RFC 7523, section 3.1: no client needs to authenticate, but one that does must do it right.
            let authenticated = client::authenticate(&request.client, cx).await?.map(String::from);
            if jwt_bearer::is_id_jag(&assertion) {
                let client = authenticated.as_deref().or(request.client_id.as_deref());
                let resource = request.resource.as_deref();
                return jwt_bearer::vouched(&assertion, client, resource, request.scope, cx).await.map(Granted::Token);
            }
            let resource = request.resource.as_deref();
            jwt_bearer::authorize(&assertion, resource, request.scope, cx).await.map(Granted::Token)
        }
        Grant::ClientCredentials => {
            let Shown::Secret { name, secret } = request.client else { return Err(Denied::Client("no client_secret")) };
            client_credentials::authorize(name.as_deref(), &secret, resource, request.scope, cx).await.map(Granted::Token)
        }
        Grant::Claim { token } => {
            client::authenticate(&request.client, cx).await?;
            let answer = claim::poll(&token, resource, request.scope, cx).await;
            answer.map(Granted::Answer).map_err(|error| Denied::Claim(Box::new(error)))
        }
    }
}

/// A token for the default resource, for a registration that has just been judged.
///
/// # Errors
/// See [`Denied`].
pub async fn token_for<P: Ports>(registration: &RegistrationId, standing: &Standing, cx: &Cx<'_, P>) -> Result<TokenResponse, Denied> {
    let resource = cx.config.default_resource().ok_or(Denied::Resource)?;
    claim::access_token(registration, standing, resource, None, cx).await
}

/// Asks the registration whether a token may be issued, and takes a place in a status list for it.
async fn admit<P: Ports>(registration: &RegistrationId, proof: impl Fn() -> Proof, cx: &Cx<'_, P>) -> Result<Option<Admitted>, Denied> {
    let held = cx.memory.places.borrow().find(registration).filter(|places| cx.now < places.until);
    if held.as_ref().is_some_and(|places| !places.blocks.is_empty()) {
        let Some((standing, stamp)) = ask(registration, proof(), None, cx).await? else { return Ok(None) };
        if let Some(place) = take(registration, &standing, cx) {
            return Ok(Some((standing, stamp, place)));
        }
    }
    let last = held.map_or(status::FIRST, |places| places.last.saturating_mul(2).min(status::MOST));
    let block = status::block(last, cx).await?;
    let Some((standing, stamp)) = ask(registration, proof(), Some((block, cx.config.ttls.access_token)), cx).await? else {
        return Ok(None);
    };
    keep(registration, block, &standing, cx);
    Ok(take(registration, &standing, cx).map(|place| (standing, stamp, place)))
}

/// Adds a block to those held; what others hold already is used up first.
fn keep<P>(registration: &RegistrationId, block: Block, standing: &Standing, cx: &Cx<'_, P>) {
    let mut memory = cx.memory.places.borrow_mut();
    let held = memory.find(registration).filter(|places| places.epoch == standing.epoch && cx.now < places.until);
    let mut places = held.unwrap_or(Places { epoch: standing.epoch, until: cx.now.plus(BLOCK_USE), blocks: Vec::new(), last: 0 });
    places.blocks.push(block);
    places.last = block.len;
    memory.insert(registration.clone(), places);
}

/// How the registration stands, the API key that was shown, and a place for the token.
type Admitted = (Rc<Standing>, Option<CredentialStamp>, Block);

/// One of the places that this isolate holds for the registration, unless there is none or they are void.
fn take<P>(registration: &RegistrationId, standing: &Standing, cx: &Cx<'_, P>) -> Option<Block> {
    let mut memory = cx.memory.places.borrow_mut();
    let mut places = memory.find(registration).filter(|places| places.epoch == standing.epoch && cx.now < places.until)?;
    let block = places.blocks.first_mut()?;
    let place = block.split(1)?;
    if block.len == 0 {
        places.blocks.remove(0);
    }
    memory.insert(registration.clone(), places);
    Some(place)
}

async fn ask<P: Ports>(
    registration: &RegistrationId,
    proof: Proof,
    block: Option<(Block, Ttl)>,
    cx: &Cx<'_, P>,
) -> Result<Option<(Rc<Standing>, Option<CredentialStamp>)>, Denied> {
    match cx.ports.run::<Registration>(registration, Command::Issue { proof, block }).await? {
        Outcome::Issue(standing, stamp) => {
            let standing = Rc::new(standing);
            verify::remember(registration, Some(standing.clone()), cx);
            Ok(Some((standing, stamp)))
        }
        Outcome::Full => Err(NoPlace::Full.into()),
        _ => Ok(None),
    }
}
