//! `urn:ietf:params:oauth:grant-type:token-exchange` (RFC 8693): an access token of ours for another one that may do less, ends no later, and
//! says who acts with it.
//!
//! A token is known to all resources that it was shown to. So whoever has nothing but a token gets another one for the same resource alone;
//! for another resource its own client has to ask, with its own credential or the key that the token is bound to.

mod lineage;
mod noted;
mod requester;

use std::rc::Rc;

use jwt_compact::Claims;
use serde_json::Value;

use super::client::{self, Shown};
use super::{Authorized, Denied, admit, places};
use crate::config::Resource;
use crate::cx::Cx;
use crate::dpop::{self, Proof};
use crate::id::{GrantId, Holder};
use crate::jose::claims::{AccessToken, Bound, Origin};
use crate::machine::grant::{Command, Grant, GrantRefusal, Outcome};
use crate::machine::registration;
use crate::machine::standing::Standing;
use crate::machine::status_index::Block;
use crate::oauth::error::{ErrorCode, Refusal};
use crate::oauth::params::Params;
use crate::oauth::scope::{GrantedScope, Scope};
use crate::store::Ports;
use crate::time::Timestamp;
use crate::verify::{self, Inactive, Kind};

/// RFC 8693, section 2.1.
pub const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// RFC 8693, section 3. Ours are JWTs, so both names fit.
const TYPES: [&str; 2] = ["urn:ietf:params:oauth:token-type:access_token", "urn:ietf:params:oauth:token-type:jwt"];

/// What is asked for, beside scope and resource.
pub(super) struct Asked {
    subject: String,
    actor: Option<String>,
    audience: Option<String>,
    issued_type: &'static str,
}

/// What makes the new token another one than that of any grant.
pub(super) struct Exchanged {
    /// `act`, built from actors that have been verified, and from nothing else.
    pub(super) act: Option<Value>,
    /// The tokens that it came from.
    pub(super) origins: Vec<Origin>,
    /// What the delegations that it came from are bound to.
    pub(super) constraints: Vec<Bound>,
    /// `issued_token_type` of the answer, if it was an exchange.
    pub(super) issued_type: Option<&'static str>,
}

/// Why nothing is exchanged. RFC 8693, section 2.2.2: whatever is wrong with a token is `invalid_request`.
#[derive(Debug, thiserror::Error)]
pub enum NotExchanged {
    /// A type that is missing, or not one that is exchanged here.
    #[error("{0} is missing or not supported")]
    Type(&'static str),
    /// Not an access token of ours that counts now.
    #[error("the {0} does not count: {1}")]
    Token(&'static str, Inactive),
    /// Something else than an access token.
    #[error("the {0} is an API key")]
    Key(&'static str),
    /// The actor's token says that its bearer acts for somebody else.
    #[error("the actor_token is a delegated one")]
    DelegatedActor,
    /// Neither the subject's client nor the actor.
    #[error("the requester is neither the subject's client nor the actor")]
    Requester,
    /// Too many actors, or too many exchanges.
    #[error("exchanged too often")]
    TooOften,
    /// The target is not the token's own resource, and nobody has shown to be its client.
    #[error("for another resource the subject's own client has to ask")]
    OtherResource,
}

impl Refusal for NotExchanged {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Token(_, Inactive::Keys(_) | Inactive::Store(_)) => ErrorCode::TemporarilyUnavailable,
            Self::OtherResource => ErrorCode::InvalidTarget,
            _ => ErrorCode::InvalidRequest,
        }
    }

    fn hint(&self) -> &'static str {
        match self {
            Self::Type(_) => "Send access tokens of this issuer, with the token type access_token or jwt of RFC 8693.",
            Self::Token(..) | Self::Key(_) => "Send access tokens of this issuer that count at present; nothing else is exchanged here.",
            Self::DelegatedActor => "Send an access token of your own as actor_token, not one that was exchanged with an actor.",
            Self::Requester => {
                "Authenticate as the client of subject_token or actor_token; to act for somebody, send your own token as actor_token."
            }
            Self::TooOften => "Exchange a token that is nearer to the first one.",
            Self::OtherResource => {
                "Authenticate as the client of subject_token with an API key, a secret or a signed assertion, or keep its resource."
            }
        }
    }
}

impl Asked {
    pub(super) fn parse(params: &Params) -> Result<Self, Denied> {
        let of = |name: &'static str| params.find(name).map(|name| TYPES.into_iter().find(|known| *known == name));
        let subject = params.require("subject_token")?.to_owned();
        let actor = params.find("actor_token").map(str::to_owned);
        params.require("subject_token_type")?;
        let types = [("subject_token_type", true), ("actor_token_type", actor.is_some())];
        if let Some((name, _)) = types.into_iter().find(|(name, wanted)| of(name).map(|known| known.is_some()) != wanted.then_some(true)) {
            return Err(NotExchanged::Type(name).into());
        }
        let issued_type = of("requested_token_type").unwrap_or(Some(TYPES[0])).ok_or(NotExchanged::Type("requested_token_type"))?;
        Ok(Self { subject, actor, audience: params.find("audience").map(str::to_owned), issued_type })
    }
}

/// A token that counts.
struct Judged {
    holder: Holder,
    /// The most that it may be used for.
    entitled: GrantedScope,
    /// And at our own resources, with agents.
    managing: Scope,
    claims: Rc<Claims<AccessToken>>,
}

impl Judged {
    async fn read<P: Ports>(token: &str, name: &'static str, cx: &Cx<'_, P>) -> Result<Self, NotExchanged> {
        let active = verify::credential(token, cx).await.map_err(|error| NotExchanged::Token(name, error))?;
        let (entitled, managing) = (active.entitled(cx.config), active.managing());
        match active.kind {
            Kind::AccessToken(claims) => Ok(Self { holder: active.holder, entitled, managing, claims }),
            Kind::ApiKey(_) => Err(NotExchanged::Key(name)),
        }
    }

    fn token(&self) -> &AccessToken {
        &self.claims.custom
    }

    fn expires(&self) -> Timestamp {
        self.claims.expiration.map_or(Timestamp::from_millis(0), Timestamp::from)
    }

    fn jkt(&self) -> Option<&str> {
        self.token().cnf.as_ref().map(|cnf| cnf.jkt.as_str())
    }
}

pub(super) async fn authorize<P: Ports>(
    asked: Asked,
    shown: &Shown,
    resource: Option<&str>,
    scope: Option<Scope>,
    proof: Option<&Proof>,
    cx: &Cx<'_, P>,
) -> Result<Authorized, Denied> {
    let authenticated = client::authenticate(shown, cx).await?;
    let subject = Judged::read(&asked.subject, "subject_token", cx).await?;
    let actor = match &asked.actor {
        Some(token) => Some(Judged::read(token, "actor_token", cx).await?),
        None => None,
    };
    // A token that is bound to a key is not made into one that is not, or that is bound to another: both have to be this proof's.
    dpop::same_key(subject.jkt(), proof)?;
    dpop::same_key(actor.as_ref().and_then(Judged::jkt), proof)?;
    let is_own = requester::is_own(&authenticated, shown, &subject, actor.as_ref(), proof, cx).await?;
    let target = target(&asked, resource, &subject, is_own, cx)?;
    let (act, origins) = lineage::of(&subject, actor.as_ref())?;
    // Scope is judged before anything is used up.
    let ceiling = ceiling(&subject, actor.as_ref(), target, cx).await?;
    if ceiling.as_scope().is_empty() {
        return Err(Denied::NoScope);
    }
    let scope = Scope::narrow(scope, &ceiling)?;
    dpop::burn(proof, cx).await?;
    let (standing, place) = place(&subject, cx).await?;
    let Judged { holder, claims, .. } = &subject;
    let token = &claims.custom;
    // The record itself has spoken now, and may know more than was remembered here.
    if !verify::counts(claims, &standing, cx) {
        return Err(NotExchanged::Token("subject_token", Inactive::Revoked(holder.clone())).into());
    }
    let asker = authenticated.id().or(actor.as_ref().map(|actor| actor.token().client_id.as_str())).unwrap_or(&token.client_id);
    noted::note(holder, asker, &target.uri, cx).await;
    let until = actor.as_ref().map_or(subject.expires(), |actor| actor.expires().min(subject.expires()));
    Ok(Authorized {
        holder: holder.clone(),
        generation: token.generation,
        credential: token.credential,
        subject: token.sub.clone(),
        client_id: token.client_id.clone(),
        until: until.min(standing.expires),
        ttl: cx.now.until(until),
        resource: target.uri.clone(),
        scope,
        place,
        jkt: proof.map(|proof| proof.jkt.clone()),
        exchanged: Some(Box::new(Exchanged { act, origins, constraints: token.constraints.clone(), issued_type: Some(asked.issued_type) })),
    })
}

/// The one resource that `resource` and `audience` name; the token's own if neither does.
fn target<'c, P>(asked: &Asked, resource: Option<&str>, subject: &Judged, is_own: bool, cx: &Cx<'c, P>) -> Result<&'c Resource, Denied> {
    let find = |name: &str| cx.config.resource_asked(name).ok_or(Denied::Resource);
    let named = [resource, asked.audience.as_deref()].into_iter().flatten().map(find).collect::<Result<Vec<_>, _>>()?;
    let target = named.first().copied().map_or_else(|| find(&subject.token().aud), Ok)?;
    if named.iter().any(|other| other.uri != target.uri) {
        return Err(Denied::Resource);
    }
    if target.uri == subject.token().aud || is_own { Ok(target) } else { Err(NotExchanged::OtherResource.into()) }
}

/// The most that the new token may carry: what all of these may.
async fn ceiling<P: Ports>(subject: &Judged, actor: Option<&Judged>, target: &Resource, cx: &Cx<'_, P>) -> Result<GrantedScope, Denied> {
    let token = subject.token();
    let both = match actor {
        Some(actor) => token.scope.intersect(&actor.token().scope),
        None => token.scope.clone(),
    };
    let ceiling = both.intersect(&target.scopes.entitle());
    let Holder::Grant(grant) = &subject.holder else {
        let managing = if target.ours { both.as_scope().intersect(&subject.managing) } else { Scope::default() };
        return Ok(ceiling.intersect(&subject.entitled).as_scope().union(&managing).entitle());
    };
    if *grant == GrantId::of(None, &token.client_id) {
        return if target.client_access { Ok(ceiling) } else { Err(Denied::PeopleOnly) };
    }
    if target.uri == token.aud {
        return Ok(ceiling);
    }
    // A person agrees for each resource.
    let Outcome::Consents(consents) = cx.ports.run::<Grant>(grant, Command::Consents).await? else { return Err(Denied::Resource) };
    let consent = consents.iter().find(|consent| consent.resource == target.uri).ok_or(NotExchanged::OtherResource)?;
    Ok(ceiling.intersect(&consent.scope.entitle()))
}

/// Asks the record behind the subject's token whether that still counts, and takes a place in a status list.
async fn place<P: Ports>(subject: &Judged, cx: &Cx<'_, P>) -> Result<(Rc<Standing>, Block), Denied> {
    let ended = || NotExchanged::Token("subject_token", Inactive::Revoked(subject.holder.clone()));
    let (generation, stamp) = (subject.token().generation, subject.token().credential);
    let taken = match &subject.holder {
        Holder::Registration(id) => {
            let shown = || registration::Proof::Assertion { generation, jti: None };
            admit(id, shown, cx).await?.map(|admitted| (admitted.standing, admitted.place))
        }
        Holder::Grant(id) => {
            let ask = async |block| match cx.ports.run::<Grant>(id, Command::Exchange { generation, stamp, block }).await? {
                Outcome::Issue { standing, stamp, .. } => Ok(Some((standing, stamp))),
                Outcome::Refused(GrantRefusal::Ended) | Outcome::Unknown => Ok(None),
                _ => Err(ended().into()),
            };
            // The places at hand serve all tokens of the grant, so they are remembered for the longest that one may live.
            let ttl = cx.config.ttls.access_token.max(cx.now.until(subject.expires()));
            places::with(&subject.holder, ttl, ask, cx).await?.map(|(standing, _, place)| (standing, place))
        }
    };
    taken.ok_or_else(|| ended().into())
}
