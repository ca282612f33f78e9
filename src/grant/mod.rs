//! From a token request to tokens. Every grant ends in [`Authorized`]; [`issue()`] knows no grant.

pub mod client;
mod client_credentials;
mod issue;
mod jwt_bearer;

use std::rc::Rc;

use crate::cx::Cx;
use crate::id::RegistrationId;
use crate::jose::claims::CredentialStamp;
use crate::keys::KeysError;
use crate::machine::registration::{BLOCK_USE, Command, Outcome, Proof, Registration};
use crate::machine::standing::Standing;
use crate::machine::status_index::Block;
use crate::memory::Places;
use crate::oauth::authorization::{Authorization, InvalidAuthorization};
use crate::oauth::error::{ErrorCode, Refusal};
use crate::oauth::params::{InvalidParams, Params};
use crate::oauth::scope::{GrantedScope, InvalidScope, Scope, ScopeExceeded};
use crate::status::{self, NoPlace};
use crate::store::{Ports, StoreError};
use crate::time::{Timestamp, Ttl};
use crate::verify::{self, Inactive};
use client::Shown;

pub use issue::{TokenResponse, identity_assertion, issue};

/// RFC 7523, section 2.1.
pub const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// RFC 6749, section 4.4.
pub const CLIENT_CREDENTIALS: &str = "client_credentials";
/// The grants that work, as the metadata lists them.
pub const GRANT_TYPES: [&str; 2] = [JWT_BEARER, CLIENT_CREDENTIALS];

/// A token request, parsed and not yet judged.
pub struct TokenRequest {
    grant: Grant,
    client: Shown,
    scope: Option<Scope>,
    resource: Option<String>,
}

enum Grant {
    JwtBearer { assertion: String },
    ClientCredentials,
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
            Self::NoScope => "Ask for a resource that your scopes are of use at, or have a person claim the registration.",
            _ => self.code().hint(),
        }
    }
}

impl TokenRequest {
    /// Reads the form and, where the grant wants one, the client's credential.
    ///
    /// # Errors
    /// Something is missing, malformed or contradictory.
    pub fn parse(params: &Params, authorization: Option<Authorization>) -> Result<Self, Denied> {
        let grant = match params.require("grant_type")? {
            JWT_BEARER => Grant::JwtBearer { assertion: params.require("assertion")?.to_owned() },
            CLIENT_CREDENTIALS => Grant::ClientCredentials,
            _ => return Err(Denied::GrantType),
        };
        let scope: Option<Scope> = params.find("scope").map(str::parse).transpose()?;
        if scope.as_ref().is_some_and(Scope::is_empty) {
            return Err(InvalidScope.into());
        }
        let client = client::shown(params, authorization)?;
        Ok(Self { grant, client, scope, resource: params.find("resource").map(str::to_owned) })
    }
}

/// Judges a request: the credential first, then the target, then the scope.
///
/// # Errors
/// See [`Denied`].
pub async fn authorize<P: Ports>(request: TokenRequest, cx: &Cx<'_, P>) -> Result<Authorized, Denied> {
    let resource = match &request.resource {
        Some(asked) => cx.config.resource(asked),
        None => cx.config.default_resource(),
    };
    match request.grant {
        Grant::JwtBearer { assertion } => {
            // RFC 7523, section 3.1: no client needs to authenticate, but one that does must do it right.
            client::authenticate(&request.client, cx).await?;
            jwt_bearer::authorize(&assertion, resource, request.scope, cx).await
        }
        Grant::ClientCredentials => {
            let Shown::Secret { name, secret } = request.client else { return Err(Denied::Client("no client_secret")) };
            client_credentials::authorize(name.as_deref(), &secret, resource, request.scope, cx).await
        }
    }
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
        _ => Ok(None),
    }
}
