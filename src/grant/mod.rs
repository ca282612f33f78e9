//! From a token request to tokens. Every grant ends in [`Authorized`]; [`issue()`] knows no grant.

mod client_credentials;
mod issue;
mod jwt_bearer;

use std::rc::Rc;

use crate::cx::Cx;
use crate::id::RegistrationId;
use crate::jose::claims::CredentialStamp;
use crate::keys::KeysError;
use crate::machine::registration::{Command, Outcome, Proof, Registration};
use crate::machine::standing::Standing;
use crate::machine::status_index::Block;
use crate::memory::Places;
use crate::oauth::authorization::{Authorization, InvalidAuthorization};
use crate::oauth::error::{ErrorCode, Refusal};
use crate::oauth::params::{InvalidParams, Params};
use crate::oauth::scope::{GrantedScope, InvalidScope, Scope, ScopeExceeded};
use crate::status::{self, NoPlace};
use crate::store::{Ports, StoreError};
use crate::time::Timestamp;
use crate::verify::{self, Inactive};

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
    scope: Option<Scope>,
    resource: Option<String>,
}

enum Grant {
    JwtBearer { assertion: String },
    ClientCredentials { client_id: Option<String>, client_secret: String },
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
            CLIENT_CREDENTIALS => {
                let (client_id, client_secret) = credential(params, authorization)?;
                Grant::ClientCredentials { client_id, client_secret }
            }
            _ => return Err(Denied::GrantType),
        };
        let scope = params.find("scope").map(str::parse).transpose()?;
        Ok(Self { grant, scope, resource: params.find("resource").map(str::to_owned) })
    }
}

/// The client's identifier, if it gave one, and its secret (RFC 6749, section 2.3.1).
///
/// # Errors
/// None, or two.
pub fn credential(params: &Params, authorization: Option<Authorization>) -> Result<(Option<String>, String), Denied> {
    let named = params.find("client_id").map(str::to_owned);
    match (authorization, params.find("client_secret")) {
        (Some(_), Some(_)) => Err(Denied::TwoMethods),
        (None, Some(secret)) => Ok((named, secret.to_owned())),
        (Some(Authorization::Basic { name, secret }), None) => {
            let name = Some(name).filter(|name| !name.is_empty());
            if named.is_some() && name.is_some() && named != name {
                return Err(Denied::TwoMethods);
            }
            Ok((name.or(named), secret))
        }
        (Some(Authorization::Bearer(_)), None) => Err(Denied::Client("a Bearer header does not authenticate a client")),
        (None, None) => Err(Denied::Client("no credential")),
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
        Grant::JwtBearer { assertion } => jwt_bearer::authorize(&assertion, resource, request.scope, cx).await,
        Grant::ClientCredentials { client_id, client_secret } => {
            client_credentials::authorize(client_id.as_deref(), &client_secret, resource, request.scope, cx).await
        }
    }
}

/// Asks the registration whether a token may be issued, and takes a place in a status list for it.
async fn admit<P: Ports>(registration: &RegistrationId, proof: impl Fn() -> Proof, cx: &Cx<'_, P>) -> Result<Option<Admitted>, Denied> {
    let held = cx.memory.places.borrow().find(registration).is_some_and(|places| places.block.len > 0);
    if held {
        let Some((standing, stamp)) = ask(registration, proof(), None, cx).await? else { return Ok(None) };
        if let Some(place) = take(registration, &standing, cx) {
            return Ok(Some((standing, stamp, place)));
        }
    }
    let block = status::block(cx).await?;
    let Some((standing, stamp)) = ask(registration, proof(), Some(block), cx).await? else { return Ok(None) };
    cx.memory.places.borrow_mut().insert(registration.clone(), Places { epoch: standing.epoch, block });
    Ok(take(registration, &standing, cx).map(|place| (standing, stamp, place)))
}

/// How the registration stands, the API key that was shown, and a place for the token.
type Admitted = (Rc<Standing>, Option<CredentialStamp>, Block);

/// One of the places that this isolate holds for the registration, unless there is none or they are void.
fn take<P>(registration: &RegistrationId, standing: &Standing, cx: &Cx<'_, P>) -> Option<Block> {
    let mut memory = cx.memory.places.borrow_mut();
    let mut places = memory.find(registration).filter(|places| places.epoch == standing.epoch)?;
    let place = places.block.split(1)?;
    memory.insert(registration.clone(), places);
    Some(place)
}

async fn ask<P: Ports>(
    registration: &RegistrationId,
    proof: Proof,
    block: Option<Block>,
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
