//! Clients of people and of themselves: written by the operator, registered (RFC 7591), or documents.

pub mod assertion;
pub mod document;
pub mod id;
pub mod keys;
pub mod metadata;
pub mod terms;
pub mod written;

use std::rc::Rc;

use subtle::ConstantTimeEq;

use crate::client::terms::OPENID_SCOPES;
use crate::config::reader::sha256;
use crate::config::{Config, Resource};
use crate::cx::Cx;
use crate::machine::client::{Command, Keeper, Outcome, Registered};
use crate::master::Masters;
use crate::oauth::error::{ErrorCode, Refusal};
use crate::oauth::scope::{GrantedScope, Scope};
use crate::provider::fetch::Unreachable;
use crate::provider::guard::NamedBy;
use crate::secret::{ClientSecret, Digest, Presented};
use crate::store::{Ports, StoreError};
use crate::time::{Timestamp, Ttl};

pub use document::Unfit;
pub use metadata::{AuthMethod, Metadata};
pub use terms::{Terms, Unusable};

/// What client secrets begin with.
pub const CLIENT_SECRET: &str = "cls";
/// What registration access tokens begin with.
pub const REGISTRATION_TOKEN: &str = "crt";

/// What a client that nobody knows should do.
pub(crate) const UNKNOWN: &str =
    "This client_id is not known here, or no longer. Drop it and register again at the registration_endpoint, or use a metadata document.";

/// Who may ask for tokens.
#[derive(Clone, Debug)]
pub struct Client {
    /// `client_id`.
    pub id: String,
    /// Where it is from.
    pub source: Source,
    /// What it is.
    pub metadata: Metadata,
    /// What is kept of its secret.
    pub secret: Kept,
    /// The operator answers for it: people are not asked for consent.
    pub trusted: bool,
}

/// Where a client is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Its `client_id` is the address of its metadata.
    Document {
        /// The origin fails: an older copy, or a pinned one.
        stale: bool,
        /// It need not authenticate, whatever its method is: its document offers `none`.
        may_be_public: bool,
    },
    /// It has registered itself.
    Registered,
    /// The operator has made it, at `/operator/clients`.
    Operator,
    /// It is in `CLIENTS`.
    Configured,
}

/// What is kept of a client's secret.
#[derive(Clone, Debug)]
pub enum Kept {
    /// It has none.
    Nothing,
    /// One that we have made.
    Digest(Digest),
    /// SHA-256 of one that the operator has made.
    Sha256([u8; 32]),
}

/// When a client was looked for, and what was found.
pub type Known = (Timestamp, Option<Rc<Client>>);

/// A client that cannot be had: at present, or as it is published.
#[derive(Debug, thiserror::Error)]
pub enum Unavailable {
    /// Its record is out of reach.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its document cannot be had.
    #[error("the client's document: {0}")]
    Document(#[from] Unreachable),
    /// Its document makes no client.
    #[error("the client's document: {0}")]
    Unfit(#[from] Unfit),
}

impl Refusal for Unavailable {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Unfit(_) | Self::Document(Unreachable::Forbidden(_) | Unreachable::Address) => ErrorCode::InvalidClient,
            Self::Document(Unreachable::TooMany(_)) => ErrorCode::RateLimited,
            Self::Store(_) | Self::Document(_) => ErrorCode::TemporarilyUnavailable,
        }
    }

    fn hint(&self) -> &'static str {
        match self {
            Self::Unfit(error) => error.hint(),
            Self::Document(Unreachable::Forbidden(_) | Unreachable::Address) => Unfit::Address.hint(),
            Self::Document(Unreachable::TooMany(_)) => {
                "Wait for retry_after seconds: too many unknown clients were named from your network."
            }
            Self::Document(_) => {
                "Serve the client's metadata document as JSON with status 200, without redirect or challenge, and try again in a minute."
            }
            Self::Store(_) => self.code().hint(),
        }
    }

    fn retry_after(&self) -> Option<Ttl> {
        match self {
            Self::Document(Unreachable::TooMany(wait)) => Some(*wait),
            _ => None,
        }
    }
}

impl Client {
    /// The most that it may be granted, if the operator has set it. What a client says of itself is no ceiling.
    #[must_use]
    pub fn ceiling(&self) -> Option<Scope> {
        let written = matches!(self.source, Source::Operator | Source::Configured);
        self.metadata.scope.as_deref().filter(|_| written).and_then(|scope| scope.parse().ok())
    }

    /// Whether it counts without authentication.
    #[must_use]
    pub fn may_be_public(&self) -> bool {
        self.metadata.is_public() || matches!(self.source, Source::Document { may_be_public: true, .. })
    }

    /// Who has named the addresses in its metadata.
    #[must_use]
    pub const fn named_by(&self) -> NamedBy {
        match self.source {
            Source::Operator | Source::Configured => NamedBy::Operator,
            Source::Document { .. } | Source::Registered => NamedBy::Stranger,
        }
    }

    /// What it may have of what it asks for (RFC 6749, section 3.3): narrowed without a word, and everything if it asks for nothing.
    #[must_use]
    pub fn entitled(&self, asked: Option<&Scope>, resource: &Resource, config: &Config) -> GrantedScope {
        let mut most = config.post_claim_scopes.intersect(&resource.scopes.entitle());
        if let Some(ceiling) = self.ceiling() {
            most = most.intersect(&ceiling.entitle());
        }
        let Some(asked) = asked else { return most };
        let offered: &[&str] = if config.openid { &OPENID_SCOPES } else { &[] };
        let identity = offered.join(" ").parse::<Scope>().unwrap_or_default();
        asked.entitle().intersect(&most.as_scope().union(&identity).entitle())
    }

    /// Whether `shown` is its secret.
    #[must_use]
    pub fn is_secret(&self, shown: &str, masters: &Masters) -> bool {
        match &self.secret {
            Kept::Nothing => false,
            Kept::Digest(digest) => Presented::<ClientSecret>::parse(CLIENT_SECRET, shown, masters)
                .is_some_and(|presented| id::digits(&self.id, masters) == Some(presented.digits()) && presented.matches(digest)),
            Kept::Sha256(digest) => sha256(shown).ct_eq(digest).into(),
        }
    }
}

/// The client of that `client_id`: written in the configuration, registered, or a document; none if there is none.
///
/// # Errors
/// Nobody can know at present.
pub async fn find<P: Ports>(id: &str, cx: &Cx<'_, P>) -> Result<Option<Rc<Client>>, Unavailable> {
    if let Some(client) = cx.config.clients.get(id) {
        return Ok(Some(client.clone()));
    }
    if id.contains("://") {
        return document::find(id, cx).await;
    }
    if id::digits(id, &cx.config.masters).is_none() {
        return Ok(None);
    }
    let known = cx.memory.registered_clients.borrow().find(&id.to_owned());
    if let Some((at, client)) = known
        && cx.now < at.plus(cx.config.ttls.liveness)
    {
        return Ok(client);
    }
    let outcome = cx.ports.run::<Registered>(&id.to_owned(), Command::Look).await?;
    Ok(remember(id, outcome, cx))
}

/// What this isolate knows of the client without asking anybody. It may be out of date: good for a name, and for nothing that is decided.
pub(crate) fn known<P>(id: &str, cx: &Cx<'_, P>) -> Option<Rc<Client>> {
    if let Some(client) = cx.config.clients.get(id) {
        return Some(client.clone());
    }
    if id.contains("://") {
        return document::known(id, cx);
    }
    cx.memory.registered_clients.borrow().find(&id.to_owned()).and_then(|(_, client)| client)
}

/// Something was granted to the client: it is not forgotten before `until`. Whether it is still there.
///
/// # Errors
/// Its record is out of reach.
pub async fn used<P: Ports>(client: &Client, until: Timestamp, cx: &Cx<'_, P>) -> Result<bool, Unavailable> {
    if client.source != Source::Registered {
        return Ok(true);
    }
    let outcome = cx.ports.run::<Registered>(&client.id, Command::Use { until }).await?;
    Ok(remember(&client.id, outcome, cx).is_some())
}

/// Remembers what the record of a client has said.
pub(crate) fn remember<P>(id: &str, outcome: Outcome, cx: &Cx<'_, P>) -> Option<Rc<Client>> {
    let client = match outcome {
        Outcome::Client(registered) => Some(Rc::new(of_record(id, *registered))),
        Outcome::Unknown | Outcome::Refused => None,
    };
    cx.memory.registered_clients.borrow_mut().insert(id.to_owned(), (cx.now, client.clone()));
    client
}

fn of_record(id: &str, registered: Registered) -> Client {
    let source = if registered.keeper == Keeper::Operator { Source::Operator } else { Source::Registered };
    let secret = registered.secret.map_or(Kept::Nothing, Kept::Digest);
    Client { id: id.to_owned(), source, metadata: registered.metadata, secret, trusted: registered.trusted }
}
