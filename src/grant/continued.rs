//! Refresh tokens of agents: they begin with an API key, and live no longer than that.

use std::cell::RefCell;
use std::rc::Rc;

use super::client::{self, Authenticated, Shown};
use super::issue::everything;
use super::{Admitted, Authorized, Denied, client_credentials, places};
use crate::config::{Config, Resource};
use crate::cx::Cx;
use crate::dpop;
use crate::entropy::random;
use crate::id::{Holder, RegistrationId};
use crate::jose::claims::CredentialStamp;
use crate::machine::grant::GrantRefusal;
use crate::machine::registration::{Command, FIRST_FAMILY, MOST_FAMILIES_OF_A_KEY, NewFamily, Outcome, Proof, Registration};
use crate::machine::standing::Standing;
use crate::oauth::error::{ErrorCode, Refusal};
use crate::oauth::scope::Scope;
use crate::refresh::{Presented, Token};
use crate::rights;
use crate::secret::{self, ApiKey};
use crate::status::NoPlace;
use crate::store::Ports;
use crate::verify::{self, Inactive};

/// What a registration says of a family: the stamp of its tokens, what was granted, where, and which successor is next.
type Told = (CredentialStamp, Scope, String, usize);

const UNKNOWN: Denied = Denied::Grant(GrantRefusal::Unknown);
const DEAD: Denied = Denied::Client("the key was revoked or has expired");

/// Whether a refresh token is one of these.
pub(super) fn is_keyed(text: &str, config: &Config) -> bool {
    Presented::parse(text, &config.masters).is_some_and(|token| token.is_keyed())
}

/// What an API key brings.
pub(super) enum Begun {
    /// A token and a refresh token.
    Continued(Box<(Authorized, String)>),
    /// A token alone, for this scope: so many go on with refresh tokens already that one more would end another's.
    Alone(Scope),
}

/// An API key brings a token and a refresh token: everything that it may at `resource`, if nothing is asked for.
pub(super) async fn begin<P: Ports>(
    client_id: Option<&str>,
    secret: &str,
    resource: Option<&Resource>,
    asked: Option<Scope>,
    proof: Option<&dpop::Proof>,
    cx: &Cx<'_, P>,
) -> Result<Begun, Denied> {
    let key = secret::Presented::<ApiKey>::parse(&cx.config.api_key_prefix, secret, &cx.config.masters)
        .ok_or(Denied::Client("not a key of this deployment"))?;
    let id = RegistrationId::from_digits(key.digits());
    if client_id.is_some_and(|name| name != id.as_str()) {
        return Err(Denied::Client("the key belongs to another client_id"));
    }
    let resource = resource.ok_or(Denied::Resource)?;
    let active = match verify::credential(secret, cx).await {
        Ok(active) => active,
        Err(error) if error.code() == ErrorCode::InvalidToken => {
            client_credentials::failed(&id, secret, cx).await;
            return Err(DEAD);
        }
        Err(error) => return Err(Denied::Assertion(error)),
    };
    let ceiling = everything(&active.standing, active.root.as_deref(), active.stamp(), resource, cx);
    if ceiling.as_scope().is_empty() {
        return Err(Denied::NoScope);
    }
    let scope = Scope::narrow(asked, &ceiling)?.as_scope().clone();
    let families = |stamp: CredentialStamp| active.standing.credentials.iter().filter(|known| known.of == Some(stamp.id)).count();
    if active.stamp().map_or(0, families) >= MOST_FAMILIES_OF_A_KEY {
        return Ok(Begun::Alone(scope));
    }
    dpop::burn(proof, cx).await?;
    let number = u32::from_be_bytes(random(cx.entropy)?) | FIRST_FAMILY;
    let token = Token::first(&id, number, random(cx.entropy)?, &cx.config.masters.current);
    // A second question is for places alone: the family has begun.
    let begun: RefCell<Option<Told>> = RefCell::new(None);
    let ask = async |block| {
        let digests = key.digests().to_vec();
        let before = begun.borrow().clone();
        if let Some(told) = before {
            return match cx.ports.run::<Registration>(&id, Command::Issue { proof: Proof::ApiKey { digests }, block }).await? {
                Outcome::Issue(standing, _) => Ok(Some((standing, told))),
                Outcome::Full => Err(NoPlace::Full.into()),
                _ => Ok(None),
            };
        }
        let begin = NewFamily { id: number, digest: token.digest(), scope: scope.clone(), resource: resource.uri.clone() };
        let outcome = cx.ports.run::<Registration>(&id, Command::Authenticate { digests, begin, block }).await?;
        let Some((standing, told)) = read(outcome)? else { return Ok(None) };
        *begun.borrow_mut() = Some(told.clone());
        Ok(Some((standing, told)))
    };
    let (holder, ttl) = (Holder::Registration(id.clone()), cx.config.ttls.access_token);
    let (standing, (stamp, ..), place) = places::with(&holder, ttl, ask, cx).await?.ok_or(DEAD)?;
    let root = root(&standing, DEAD, cx).await?;
    let admitted = Admitted { standing, root, credential: Some(stamp), place };
    let authorized = Authorized::within(&id, admitted, resource, Some(scope), cx)?.bound(proof);
    Ok(Begun::Continued(Box::new((authorized, token.text().to_owned()))))
}

/// Spends a refresh token of an agent, or repeats what spending it brought. Nobody else has to be authenticated; an agent that is named must be
/// the right one.
pub(super) async fn refresh<P: Ports>(
    text: &str,
    shown: &Shown,
    asked_resource: Option<&str>,
    asked: Option<Scope>,
    proof: Option<&dpop::Proof>,
    cx: &Cx<'_, P>,
) -> Result<(Authorized, String), Denied> {
    let token = Presented::parse(text, &cx.config.masters).ok_or(UNKNOWN)?;
    let Holder::Registration(id) = token.holder.clone() else { return Err(UNKNOWN) };
    let named = match shown {
        Shown::Name(name) => Some(name.clone()),
        shown => match client::authenticate(shown, cx).await? {
            Authenticated::Nobody => None,
            other => other.id().map(str::to_owned),
        },
    };
    if named.is_some_and(|named| named != id.as_str()) {
        return Err(Denied::Grant(GrantRefusal::Client));
    }
    let resource =
        asked_resource.map(|asked| cx.config.resource_asked(asked).map(|known| known.uri.clone()).ok_or(Denied::Resource)).transpose()?;
    // Whoever is above it may have been suspended, or claimed long since the key was made: that spends nothing.
    let (standing, root) = verify::agent(&id, cx).await.map_err(|error| match error.code() {
        ErrorCode::InvalidToken => UNKNOWN,
        _ => Denied::Assertion(error),
    })?;
    // Keys are found by the number alone.
    let stamp = CredentialStamp { id: token.family(), generation: 0 };
    if rights::until(&standing, root.as_deref(), Some(stamp)) <= cx.now {
        return Err(UNKNOWN);
    }
    dpop::burn(proof, cx).await?;
    let ask = async |block| {
        let command = Command::Continue { token: token.command(), scope: asked.clone(), resource: resource.clone(), block };
        match cx.ports.run::<Registration>(&id, command).await? {
            Outcome::Exceeded { resource: granted } => {
                let elsewhere = resource.as_ref().is_some_and(|asked| *asked != granted);
                Err(Denied::Grant(if elsewhere { GrantRefusal::Resource } else { GrantRefusal::Scope }))
            }
            outcome => read(outcome),
        }
    };
    let told = places::with(&token.holder, cx.config.ttls.access_token, ask, cx).await?;
    let Some((standing, (stamp, granted, uri, successor), place)) = told else {
        // A replay may have ended what is remembered here as alive.
        cx.memory.standings.borrow_mut().remove(&token.holder);
        return Err(UNKNOWN);
    };
    let next = token.successors.get(successor).map(Token::text).ok_or(UNKNOWN)?.to_owned();
    let resource = cx.config.resource(&uri).ok_or(Denied::Resource)?;
    let root = self::root(&standing, UNKNOWN, cx).await?;
    // What was granted, as far as it still may be.
    let ceiling = everything(&standing, root.as_deref(), Some(stamp), resource, cx).intersect(&granted.entitle());
    if ceiling.as_scope().is_empty() {
        return Err(Denied::NoScope);
    }
    let scope = Scope::narrow(asked.clone(), &ceiling)?.as_scope().clone();
    let admitted = Admitted { standing, root, credential: Some(stamp), place };
    Ok((Authorized::within(&id, admitted, resource, Some(scope), cx)?.bound(proof), next))
}

fn read(outcome: Outcome) -> Result<Option<(Standing, Told)>, Denied> {
    match outcome {
        Outcome::Continued { standing, stamp, scope, resource, successor } => Ok(Some((standing, (stamp, scope, resource, successor)))),
        Outcome::Full => Err(NoPlace::Full.into()),
        // The number has been given before, by chance.
        Outcome::Conflict => Err(Denied::NoPlaces),
        _ => Ok(None),
    }
}

/// How the root stands, if that is another; `refused` if one above it does not count any more.
async fn root<P: Ports>(standing: &Standing, refused: Denied, cx: &Cx<'_, P>) -> Result<Option<Rc<Standing>>, Denied> {
    verify::root(standing, cx).await.map_err(|error| match error {
        Inactive::Keys(_) | Inactive::Store(_) => Denied::Assertion(error),
        _ => refused,
    })
}
