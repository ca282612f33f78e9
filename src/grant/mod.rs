//! From a token request to tokens. Every grant ends in [`Authorized`]; [`issue()`] knows no grant.

mod agent_delegation;
mod authorization_code;
pub mod claim;
pub mod client;
mod client_credentials;
mod connection;
mod continued;
mod denied;
pub mod device_code;
mod exchange;
mod issue;
mod jwt_bearer;
mod places;
mod refresh_token;

use std::rc::Rc;

use crate::config::Config;
use crate::cx::Cx;
use crate::dpop;
use crate::id::{Holder, RegistrationId};
use crate::jose::claims::CredentialStamp;
use crate::machine::registration::{Command, Outcome, Proof, Registration};
use crate::machine::standing::Standing;
use crate::machine::status_index::Block;
use crate::oauth::authorization::Authorization;
use crate::oauth::params::Params;
use crate::oauth::scope::{GrantedScope, InvalidScope, Scope};
use crate::rights;
use crate::status::NoPlace;
use crate::store::Ports;
use crate::time::{Timestamp, Ttl};
use crate::verify::{self, Inactive};
use client::Shown;
use continued::Begun;
use exchange::Exchanged;

pub use authorization_code::CODE;
pub use connection::Connected;
pub use denied::Denied;
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
/// AgentAuth: a token for what another agent has delegated.
pub const AGENT_DELEGATION: &str = "agent_delegation";
/// auth.md: polling for a person's confirmation.
pub const CLAIM: &str = "urn:workos:agent-auth:grant-type:claim";

/// The grants that work, as the metadata lists them: no other is taken. Where nobody can sign in, nobody has granted anything to a client.
#[must_use]
pub fn grant_types(config: &Config) -> Vec<&'static str> {
    let mut all = vec![JWT_BEARER, CLIENT_CREDENTIALS, TOKEN_EXCHANGE];
    all.extend(config.mail.is_some().then_some(AUTHORIZATION_CODE));
    // Agents have refresh tokens too.
    all.push(REFRESH_TOKEN);
    all.extend(config.mail.is_some().then_some(DEVICE_CODE));
    all.push(AGENT_DELEGATION);
    all.extend((config.dialects.v07 && config.mail.is_some()).then_some(CLAIM));
    all
}

/// A token request, parsed and not yet judged.
pub struct TokenRequest {
    grant: Grant,
    client: Shown,
    /// The name that the client gives itself.
    client_id: Option<String>,
    scope: Option<Scope>,
    resource: Option<String>,
    /// An agent gets everything that it may if it asks for nothing, for our own API, and with what continues it.
    managed: bool,
}

enum Grant {
    JwtBearer { assertion: String },
    ClientCredentials,
    Claim { token: String },
    Exchange(exchange::Asked),
    AuthorizationCode(authorization_code::Sent),
    AgentDelegation(agent_delegation::Asked),
    RefreshToken(String),
    DeviceCode(String),
}

/// What a grant comes to.
pub enum Granted {
    /// A token may be issued.
    Token(Authorized),
    /// A client is connected to a person.
    Connected(Box<Connected>),
    /// A token may be issued to an agent, with the refresh token that goes with it.
    Continued(Box<(Authorized, String)>),
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

impl TokenRequest {
    /// Reads the form and, where the grant wants one, the client's credential.
    ///
    /// # Errors
    /// Something is missing, malformed or contradictory.
    pub fn parse(params: &Params, authorization: Option<Authorization>, config: &Config) -> Result<Self, Denied> {
        let grant_type = params.require("grant_type")?;
        if !grant_types(config).contains(&grant_type) {
            return Err(Denied::GrantType);
        }
        let grant = match grant_type {
            JWT_BEARER => Grant::JwtBearer { assertion: params.require("assertion")?.to_owned() },
            CLIENT_CREDENTIALS => Grant::ClientCredentials,
            TOKEN_EXCHANGE => Grant::Exchange(exchange::Asked::parse(params)?),
            AGENT_DELEGATION => Grant::AgentDelegation(agent_delegation::Asked::parse(params)?),
            AUTHORIZATION_CODE => Grant::AuthorizationCode(authorization_code::Sent::parse(params)?),
            DEVICE_CODE => Grant::DeviceCode(params.require("device_code")?.to_owned()),
            REFRESH_TOKEN => Grant::RefreshToken(params.require("refresh_token")?.to_owned()),
            CLAIM => Grant::Claim { token: params.require("claim_token")?.to_owned() },
            _ => return Err(Denied::GrantType),
        };
        let scope: Option<Scope> = params.find("scope").map(str::parse).transpose()?;
        if scope.as_ref().is_some_and(Scope::is_empty) {
            return Err(InvalidScope.into());
        }
        let client = client::shown(params, authorization)?;
        let client_id = params.find("client_id").map(str::to_owned);
        let resource = params.find("resource").map(str::to_owned);
        Ok(Self { grant, client, client_id, scope, resource, managed: false })
    }

    /// As AgentAuth has it: an API key brings everything that it may, those scopes among it that manage agents, for our own API, and a
    /// refresh token.
    #[must_use]
    pub fn managed(self) -> Self {
        Self { managed: true, ..self }
    }
}

/// Judges a request: the credential first, then the target, then the scope. What it comes to is bound to the key of `proof`.
///
/// # Errors
/// See [`Denied`].
pub async fn authorize<P: Ports>(request: TokenRequest, proof: Option<&dpop::Proof>, cx: &Cx<'_, P>) -> Result<Granted, Denied> {
    let resource = match &request.resource {
        Some(asked) => cx.config.resource_asked(asked),
        None if request.managed => cx.config.resource(&cx.config.own("/api/v1")),
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
        Grant::RefreshToken(token) if continued::is_keyed(&token, cx.config) => {
            let resource = request.resource.as_deref();
            let continued = continued::refresh(&token, &request.client, resource, request.scope, proof, cx).await?;
            Ok(Granted::Continued(Box::new(continued)))
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
                if request.managed {
                    return match continued::begin(name, key, resource, request.scope, proof, cx).await? {
                        Begun::Continued(continued) => Ok(Granted::Continued(continued)),
                        Begun::Alone(scope) => {
                            client_credentials::authorize(name, key, resource, Some(scope), proof, cx).await.map(Granted::Token)
                        }
                    };
                }
                return client_credentials::authorize(name, key, resource, request.scope, proof, cx).await.map(Granted::Token);
            }
            let by = client::identify(&request.client, cx).await?;
            if !by.is_confidential() {
                return Err(Denied::UnauthorizedClient);
            }
            client_credentials::own(&by.client, resource, request.scope, proof, cx).await.map(Granted::Token)
        }
        Grant::Exchange(asked) => {
            let resource = request.resource.as_deref();
            exchange::authorize(asked, &request.client, resource, request.scope, proof, cx).await.map(Granted::Token)
        }
        Grant::AgentDelegation(asked) => {
            let resource = request.resource.as_deref();
            agent_delegation::authorize(&asked, &request.client, resource, request.scope, proof, cx).await.map(Granted::Token)
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
    asked.map(|asked| cx.config.resource_asked(asked).map(|resource| resource.uri.clone()).ok_or(Denied::Resource)).transpose()
}

/// A token for the default resource, for a registration that has just been judged.
///
/// # Errors
/// See [`Denied`].
pub async fn token_for<P: Ports>(registration: &RegistrationId, standing: &Standing, cx: &Cx<'_, P>) -> Result<TokenResponse, Denied> {
    let resource = cx.config.default_resource().ok_or(Denied::Resource)?;
    claim::access_token(registration, standing, resource, None, None, cx).await
}

/// A token may be issued for a registration.
struct Admitted {
    /// How it stands.
    standing: Rc<Standing>,
    /// How its root stands, if that is another.
    root: Option<Rc<Standing>>,
    /// The API key that was shown.
    credential: Option<CredentialStamp>,
    /// A place for the token.
    place: Block,
}

/// Asks the registration whether a token may be issued, and takes a place in a status list for it.
async fn admit<P: Ports>(registration: &RegistrationId, proof: impl Fn() -> Proof, cx: &Cx<'_, P>) -> Result<Option<Admitted>, Denied> {
    let ask = async |block| match cx.ports.run::<Registration>(registration, Command::Issue { proof: proof(), block }).await? {
        Outcome::Issue(standing, stamp) => Ok(Some((standing, stamp))),
        Outcome::Full => Err(NoPlace::Full.into()),
        _ => Ok(None),
    };
    let ttl = cx.config.ttls.access_token;
    let Some((standing, credential, place)) = places::with(&Holder::Registration(registration.clone()), ttl, ask, cx).await? else {
        return Ok(None);
    };
    match verify::root(&standing, cx).await {
        Ok(root) if rights::until(&standing, root.as_deref(), credential) <= cx.now => Ok(None),
        Ok(root) => Ok(Some(Admitted { standing, root, credential, place })),
        Err(error @ (Inactive::Keys(_) | Inactive::Store(_))) => Err(Denied::Assertion(error)),
        Err(_) => Ok(None),
    }
}
