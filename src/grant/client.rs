//! Client authentication (RFC 6749, section 2.3; RFC 7523, section 2.2): by clients with a secret, an assertion or nothing but their name, and
//! by agents with an API key.

use std::rc::Rc;

use super::Denied;
use crate::audit;
use crate::client::{self, Client, assertion};
use crate::config::Config;
use crate::cx::Cx;
use crate::dpop;
use crate::id::RegistrationId;
use crate::machine::grant::{By, Proven};
use crate::oauth::authorization::Authorization;
use crate::oauth::error::{ErrorCode, Refusal};
use crate::oauth::params::Params;
use crate::secret::{ApiKey, Presented};
use crate::store::Ports;
use crate::verify::{self, Active};

/// How clients may authenticate, as the metadata lists it.
pub const METHODS: [&str; 4] = ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"];

/// Whatever a client shows of itself.
pub enum Shown {
    /// Nothing.
    Nothing,
    /// `client_id` alone.
    Name(String),
    /// A secret, and a name if one is given.
    Secret {
        /// `client_id`.
        name: Option<String>,
        /// `client_secret`.
        secret: String,
        /// In the header: the same before it was decoded, if that makes a difference.
        plain: Option<String>,
    },
    /// A token or key as a Bearer.
    Bearer(String),
    /// A signed assertion, and a name if one is given: the assertion names its client anyway.
    Assertion {
        /// `client_id`.
        name: Option<String>,
        /// `client_assertion`.
        assertion: String,
    },
}

/// Who it is, by what was shown.
#[derive(Clone, Debug)]
pub enum Authenticated {
    /// Nobody has authenticated; a name alone is no authentication.
    Nobody,
    /// An agent, with one of its credentials.
    Registration(RegistrationId),
    /// A client, with its secret or assertion.
    Client(Rc<Client>),
}

/// A client that may ask for tokens.
#[derive(Clone, Debug)]
pub struct Identified {
    /// The client.
    pub client: Rc<Client>,
    /// How it has shown that.
    pub proven: Proven,
}

impl Identified {
    /// Whether it has authenticated; else it is a public one, and anybody can say to be it.
    #[must_use]
    pub fn is_confidential(&self) -> bool {
        self.proven > Proven::Name
    }

    /// As a grant is told who comes, and for what.
    pub(super) fn named(&self, resource: Option<String>, proof: Option<&dpop::Proof>) -> By {
        By { client: self.client.id.clone(), resource, jkt: proof.map(|proof| proof.jkt.clone()), proven: self.proven }
    }
}

impl Shown {
    /// The API key that is shown as a secret, with its `client_id` if there is one.
    pub(super) fn api_key(&self, config: &Config) -> Option<(Option<&str>, &str)> {
        let Self::Secret { name, secret, .. } = self else { return None };
        Presented::<ApiKey>::parse(&config.api_key_prefix, secret, &config.masters).map(|_| (name.as_deref(), secret.as_str()))
    }
}

/// Reads what the client shows; one method per request.
///
/// # Errors
/// Two methods at once, two names, or half an assertion.
pub fn shown(params: &Params, authorization: Option<Authorization>) -> Result<Shown, Denied> {
    let named = params.find("client_id").map(str::to_owned);
    let assertion = params.find("client_assertion");
    let methods = [authorization.is_some(), params.find("client_secret").is_some(), assertion.is_some()];
    if methods.into_iter().filter(|used| *used).count() > 1 {
        return Err(Denied::TwoMethods);
    }
    if let Some(assertion) = assertion {
        if params.require("client_assertion_type")? != assertion::TYPE {
            return Err(Denied::Client("the client_assertion_type is unknown"));
        }
        return Ok(Shown::Assertion { name: named, assertion: assertion.to_owned() });
    }
    match (authorization, params.find("client_secret")) {
        (None, Some(secret)) => Ok(Shown::Secret { name: named, secret: secret.to_owned(), plain: None }),
        (Some(Authorization::Bearer(token)), _) => Ok(Shown::Bearer(token)),
        (Some(Authorization::Dpop(_)), _) => Err(Denied::Client("an access token with a proof is for resources")),
        (Some(Authorization::Basic { name, secret, plain }), _) => {
            let name = Some(name).filter(|name| !name.is_empty());
            if named.is_some() && name.is_some() && named != name {
                return Err(Denied::TwoMethods);
            }
            match (name.or(named), secret) {
                // RFC 6749, section 2.3.1: an empty secret is none, and some libraries send it so.
                (Some(name), secret) if secret.is_empty() => Ok(Shown::Name(name)),
                (name, secret) => Ok(Shown::Secret { name, secret, plain }),
            }
        }
        (None, None) => Ok(named.map_or(Shown::Nothing, Shown::Name)),
    }
}

/// Whose credential is shown.
///
/// # Errors
/// What is shown does not count, or belongs to somebody else than it says.
pub async fn authenticate<P: Ports>(shown: &Shown, cx: &Cx<'_, P>) -> Result<Authenticated, Denied> {
    match shown {
        Shown::Nothing | Shown::Name(_) => Ok(Authenticated::Nobody),
        Shown::Assertion { name, assertion } => {
            let client = assertion::authenticate(assertion, name.as_deref(), cx).await.map_err(Box::new)?;
            Ok(Authenticated::Client(client))
        }
        Shown::Bearer(token) => registration(None, token, cx).await.map(Authenticated::Registration),
        Shown::Secret { name, secret, plain } => match name.as_deref().filter(|name| name.parse::<RegistrationId>().is_err()) {
            Some(name) => with_secret(name, secret, plain.as_deref(), cx).await.map(Authenticated::Client),
            None => registration(name.as_deref(), secret, cx).await.map(Authenticated::Registration),
        },
    }
}

/// The client that asks: by its credential, or by its name alone if it is a public one.
///
/// # Errors
/// It is none, or does not authenticate as it should.
pub async fn identify<P: Ports>(shown: &Shown, cx: &Cx<'_, P>) -> Result<Identified, Denied> {
    let Shown::Name(name) = shown else {
        return match authenticate(shown, cx).await? {
            Authenticated::Client(client) => {
                let proven = if matches!(shown, Shown::Assertion { .. }) { Proven::Signature } else { Proven::Secret };
                Ok(Identified { client, proven })
            }
            Authenticated::Registration(_) => Err(Denied::Client("an agent's credential, where a client's is needed")),
            Authenticated::Nobody => Err(Denied::Client("no client_id")),
        };
    };
    let client = client::find(name, cx).await?.ok_or(Denied::UnknownClient)?;
    if !client.may_be_public() {
        return Err(Denied::Client("a confidential client must authenticate"));
    }
    Ok(Identified { client, proven: Proven::Name })
}

/// A client that has a secret may send it in the header or in the body, whatever it chose: some that chose the one always send the other. One
/// that chose to have none, or to sign, has none.
async fn with_secret<P: Ports>(name: &str, secret: &str, plain: Option<&str>, cx: &Cx<'_, P>) -> Result<Rc<Client>, Denied> {
    let client = client::find(name, cx).await?.ok_or(Denied::UnknownClient)?;
    if !client.metadata.has_secret() {
        return Err(Denied::Client("the client has no secret"));
    }
    let is_its = |shown: &str| client.is_secret(shown, &cx.config.masters);
    if !(is_its(secret) || plain.is_some_and(is_its)) {
        return Err(Denied::Client("the secret is wrong"));
    }
    Ok(client)
}

async fn registration<P: Ports>(name: Option<&str>, secret: &str, cx: &Cx<'_, P>) -> Result<RegistrationId, Denied> {
    let active = match verify::bearer(secret, cx).await {
        Ok(active) => active,
        Err(error) if error.code() == ErrorCode::InvalidToken => {
            audit::dead_key(secret, "client_authentication", cx).await;
            return Err(Denied::Client("the credential does not count"));
        }
        Err(error) => return Err(Denied::Assertion(error)),
    };
    let registration = holder(&active)?;
    if name.is_some_and(|name| name != registration.as_str()) {
        return Err(Denied::Client("the credential belongs to another client_id"));
    }
    Ok(registration)
}

/// The agent that an access token or API key authenticates.
///
/// # Errors
/// It is a client's token, or one that another agent acts with.
pub fn holder(active: &Active) -> Result<RegistrationId, Denied> {
    match active.registration() {
        Some(registration) if !active.is_delegated() => Ok(registration.clone()),
        Some(_) => Err(Denied::Client("a delegated token authenticates nobody")),
        None => Err(Denied::Client("a client's token authenticates nobody")),
    }
}

impl Authenticated {
    /// Its `client_id`.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Nobody => None,
            Self::Registration(registration) => Some(registration.as_str()),
            Self::Client(client) => Some(&client.id),
        }
    }

    /// Whether it may know how a token is: its own alone.
    #[must_use]
    pub fn may_introspect(&self, active: &Active) -> bool {
        self.id() == Some(active.client_id())
    }
}
