//! Whether a token or API key that somebody presents counts.

mod inactive;
mod standing;

use std::rc::Rc;

use jwt_compact::Claims;
use sha2::{Digest as _, Sha256};

use crate::client;
use crate::config::Config;
use crate::cx::Cx;
use crate::delegation;
use crate::dpop;
use crate::id::{Holder, RegistrationId};
use crate::jose::claims::{ACCESS_TOKEN, AccessToken, CredentialStamp, IDENTITY_ASSERTION, IdentityAssertion, holds};
use crate::jose::jws::{InvalidJws, Untrusted, Verified};
use crate::keys;
use crate::machine::delegation::Link;
use crate::machine::standing::{Credential, OLD_KEY, Standing};
use crate::memory::Seen;
use crate::oauth::scope::{GrantedScope, Scope};
use crate::rights;
use crate::secret::{ApiKey, Presented};
use crate::store::Ports;
use crate::tenant::DelegationStatus;
use crate::time::Timestamp;

pub use inactive::{Inactive, Unproven};
use standing::standing;
pub use standing::{agent, known, note, remember, root};

/// What somebody presented, once it is known to count.
#[derive(Clone)]
pub struct Active {
    /// The record behind it.
    pub holder: Holder,
    /// How that stands.
    pub standing: Rc<Standing>,
    /// How its root stands, if it is an agent's that others answer for.
    pub root: Option<Rc<Standing>>,
    /// Whose rights it has, if they were handed on: those of the first delegator.
    pub behalf: Option<Behalf>,
    /// What it is.
    pub kind: Kind,
}

/// How the first delegator of a chain stands.
#[derive(Clone)]
pub struct Behalf {
    /// Itself.
    pub standing: Rc<Standing>,
    /// Its root, if that is another.
    pub root: Option<Rc<Standing>>,
}

impl Active {
    /// Whose it is.
    #[must_use]
    pub fn client_id(&self) -> &str {
        self.kind.client_id(&self.holder)
    }

    /// Whether somebody acts with it for its subject (RFC 8693, section 4.1).
    #[must_use]
    pub fn is_delegated(&self) -> bool {
        matches!(&self.kind, Kind::AccessToken(claims) if claims.custom.act.is_some())
    }

    /// The registration behind it, if it is an agent's.
    #[must_use]
    pub fn registration(&self) -> Option<&RegistrationId> {
        match &self.holder {
            Holder::Registration(id) => Some(id),
            Holder::Grant(_) => None,
        }
    }

    /// The API key that it is, or was issued for.
    #[must_use]
    pub fn stamp(&self) -> Option<CredentialStamp> {
        match &self.kind {
            Kind::AccessToken(claims) => claims.custom.credential,
            Kind::ApiKey(stamp) => Some(*stamp),
        }
    }

    /// Whether a person has claimed the agent, or the one that answers for it.
    #[must_use]
    pub fn is_claimed(&self) -> bool {
        self.root().claimed
    }

    /// Whether it is older than that.
    #[must_use]
    pub fn is_old(&self) -> bool {
        self.is_claimed() && rights::is_old(&self.standing, self.root.as_deref(), self.stamp())
    }

    /// How whoever answers for the agent stands: its root, or itself.
    #[must_use]
    pub fn root(&self) -> &Rc<Standing> {
        self.root.as_ref().unwrap_or(&self.standing)
    }

    /// The most that it may be used for, whatever it says of itself.
    #[must_use]
    pub fn entitled(&self, config: &Config) -> GrantedScope {
        match &self.behalf {
            Some(first) => rights::entitled(&first.standing, first.root.as_deref(), None, config),
            None => rights::entitled(&self.standing, self.root.as_deref(), self.stamp(), config),
        }
    }

    /// The same of the scopes with which agents manage agents; nobody has them but an agent, for itself.
    #[must_use]
    pub fn managing(&self) -> Scope {
        self.registration()
            .filter(|_| self.behalf.is_none())
            .map_or(Scope::default(), |_| rights::managing(&self.standing, self.root.as_deref(), self.stamp()))
    }

    /// The key that it is bound to: the thumbprint of `cnf`.
    #[must_use]
    pub fn jkt(&self) -> Option<&str> {
        match &self.kind {
            Kind::AccessToken(claims) => claims.custom.cnf.as_ref().map(|cnf| cnf.jkt.as_str()),
            Kind::ApiKey(_) => None,
        }
    }
}

/// What somebody presented.
#[derive(Clone)]
pub enum Kind {
    /// An access token.
    AccessToken(Rc<Claims<AccessToken>>),
    /// An API key.
    ApiKey(CredentialStamp),
}

impl Kind {
    /// Whose it is, if that record is behind it.
    #[must_use]
    pub fn client_id<'k>(&'k self, holder: &'k Holder) -> &'k str {
        match self {
            Self::AccessToken(claims) => &claims.custom.client_id,
            Self::ApiKey(_) => holder.as_str(),
        }
    }
}

/// Judges an access token or API key that whoever holds it may use.
///
/// # Errors
/// It does not count, or not without a proof of its key.
pub async fn bearer<P: Ports>(presented: &str, cx: &Cx<'_, P>) -> Result<Active, Inactive> {
    let active = credential(presented, cx).await?;
    if active.jkt().is_some() { Err(Inactive::Bound) } else { Ok(active) }
}

/// Judges an access token that came with `request` and its proof, and uses the proof up.
///
/// # Errors
/// It does not count, or is not bound to the key that is shown.
pub async fn proven<P: Ports>(presented: &str, request: &dpop::Request<'_>, cx: &Cx<'_, P>) -> Result<Active, Unproven> {
    let active = credential(presented, cx).await?;
    let jkt = active.jkt().ok_or(Inactive::Unbound)?;
    let proof = dpop::proof(request, Some(presented), cx).await?;
    dpop::same_key(Some(jkt), proof.as_ref())?;
    dpop::burn(proof.as_ref(), cx).await?;
    Ok(active)
}

/// Judges an access token or API key, bound or not, as fresh as `LIVENESS_TTL` says: what it is, not whether who presents it may use it.
///
/// # Errors
/// It does not count.
pub async fn credential<P: Ports>(presented: &str, cx: &Cx<'_, P>) -> Result<Active, Inactive> {
    if let Some(key) = Presented::<ApiKey>::parse(&cx.config.api_key_prefix, presented, &cx.config.masters) {
        return api_key(&key, cx).await;
    }
    let claims = access_token(presented, cx).await?;
    let token = &claims.custom;
    let holder = token.holder().ok_or(Inactive::Claims("holder"))?;
    // What is genuine and newer than what is remembered shows that something happened meanwhile: a claim, or a new key.
    let behind = |known: &Standing| token.generation > known.generation || token.credential.is_some_and(|stamp| !known.knows(stamp));
    let standing = standing(&holder, behind, cx).await?;
    let live = counts(&claims, &standing, cx) && origins_count(&claims, cx).await? && has_client(&holder, &token.client_id, cx).await?;
    if !live {
        return Err(Inactive::Revoked(holder));
    }
    let root = root(&standing, cx).await?;
    if rights::until(&standing, root.as_deref(), token.credential) <= cx.now {
        return Err(Inactive::Revoked(holder));
    }
    let behalf = if token.is_by_delegation() { Some(behalf(&token.sub, cx).await?) } else { None };
    Ok(Active { holder, standing, root, behalf, kind: Kind::AccessToken(claims) })
}

/// Whether the client of a grant is still there, where that is ours to know: whoever ends a client ends its tokens. A document that cannot be
/// had at the moment ends nothing.
async fn has_client<P: Ports>(holder: &Holder, id: &str, cx: &Cx<'_, P>) -> Result<bool, Inactive> {
    if matches!(holder, Holder::Registration(_)) || id.contains("://") {
        return Ok(true);
    }
    match client::find(id, cx).await {
        Ok(found) => Ok(found.is_some()),
        Err(client::Unavailable::Store(error)) => Err(error.into()),
        Err(_) => Ok(true),
    }
}

/// Whether a token counts by what its own holder says of it, and of those that it came from.
pub(crate) fn counts<P>(claims: &Claims<AccessToken>, standing: &Standing, cx: &Cx<'_, P>) -> bool {
    let token = &claims.custom;
    let issued_at = claims.issued_at.map_or(0, |at| at.timestamp());
    still_counts(standing, token.generation, &token.jti, issued_at, token.credential, cx.now)
        && !token.origins.iter().any(|origin| origin.is_own() && standing.has_revoked(&origin.jti, origin.iat))
}

/// Whether a token of that generation, issued then and for that key, counts by what its holder says.
fn still_counts(standing: &Standing, generation: u32, jti: &str, issued_at: i64, stamp: Option<CredentialStamp>, now: Timestamp) -> bool {
    standing.counts(generation, now) && !standing.has_revoked(jti, issued_at) && stamp.is_none_or(|stamp| standing.stamp_counts(stamp, now))
}

/// How whoever has handed on first stands.
async fn behalf<P: Ports>(subject: &str, cx: &Cx<'_, P>) -> Result<Behalf, Inactive> {
    let id: RegistrationId = subject.parse().map_err(|_| Inactive::Claims("sub"))?;
    let (standing, root) = agent(&id, cx).await?;
    Ok(Behalf { standing, root })
}

/// Whether what it came from still counts: what its actors have shown, and the delegations. A link never says another thing than when it was
/// made: it ends, or the root of whoever has made it is claimed. Those who have handed on are among the origins themselves.
async fn origins_count<P: Ports>(claims: &Claims<AccessToken>, cx: &Cx<'_, P>) -> Result<bool, Inactive> {
    let (mut links, mut roots) = (Vec::new(), Vec::new());
    for origin in &claims.custom.origins {
        let generation = origin.generation.unwrap_or_default();
        if let Some(id) = &origin.delegation {
            let behind = |known: &Link| generation > known.epoch || known.status == DelegationStatus::Pending;
            match delegation::find(id, behind, cx).await? {
                Some(link) if link.epoch == generation && link.is_live(cx.now) => links.push(link),
                _ => return Ok(false),
            }
            continue;
        }
        let Some(holder) = origin.holder() else { continue };
        let behind = |known: &Standing| generation > known.generation || origin.credential.is_some_and(|stamp| !known.knows(stamp));
        let standing = standing(&holder, behind, cx).await?;
        if !still_counts(&standing, generation, &origin.jti, origin.iat, origin.credential, cx.now) {
            return Ok(false);
        }
        let root = root(&standing, cx).await?;
        if rights::until(&standing, root.as_deref(), origin.credential) <= cx.now {
            return Ok(false);
        }
        if let Holder::Registration(id) = holder {
            roots.push((id, root.unwrap_or(standing)));
        }
    }
    let by = |link: &Link| roots.iter().find(|(id, _)| id == link.delegator());
    Ok(links.iter().all(|link| by(link).is_some_and(|(_, root)| !link.is_older_than_claim(root))))
}

/// What a token or API key is, whether or not it counts at the moment: whoever gives it back must not have to wait until what stands behind
/// it, or is above that, is let in again.
///
/// # Errors
/// It is none of ours, its time is over, or it has ended for good.
pub async fn genuine<P: Ports>(presented: &str, cx: &Cx<'_, P>) -> Result<(Holder, Kind), Inactive> {
    if let Some(key) = Presented::<ApiKey>::parse(&cx.config.api_key_prefix, presented, &cx.config.masters) {
        let (holder, standing) = keeper(&key, cx).await?;
        let live = |known: &&Credential| !known.ended && cx.now < known.expires && key.matches(&known.digest);
        return match standing.credentials.iter().find(live) {
            Some(known) if !standing.ended => Ok((holder, Kind::ApiKey(known.stamp()))),
            _ => Err(Inactive::Revoked(holder)),
        };
    }
    let claims = access_token(presented, cx).await?;
    let token = &claims.custom;
    let holder = token.holder().ok_or(Inactive::Claims("holder"))?;
    let behind = |known: &Standing| token.generation > known.generation;
    let standing = standing(&holder, behind, cx).await?;
    let issued_at = claims.issued_at.map_or(0, |at| at.timestamp());
    if standing.ended || standing.generation != token.generation || standing.has_revoked(&token.jti, issued_at) {
        return Err(Inactive::Revoked(holder));
    }
    Ok((holder, Kind::AccessToken(claims)))
}

async fn api_key<P: Ports>(key: &Presented<ApiKey>, cx: &Cx<'_, P>) -> Result<Active, Inactive> {
    let (holder, standing) = keeper(key, cx).await?;
    match standing.api_key(|digest| key.matches(digest), cx.now) {
        Some(stamp) => {
            let root = root(&standing, cx).await?;
            if rights::until(&standing, root.as_deref(), Some(stamp)) <= cx.now {
                return Err(Inactive::Revoked(holder));
            }
            Ok(Active { holder, standing, root, behalf: None, kind: Kind::ApiKey(stamp) })
        }
        None => Err(Inactive::Revoked(holder)),
    }
}

/// The agent whose key `presented` is or was, how it stands, and why the key does not count: `ended`, `claim` if a person's claim has ended it,
/// `expired`, or the `agent` does not. None for one that nobody has made, as far as is known here: nothing is asked for it.
pub async fn dead_key<P: Ports>(presented: &str, cx: &Cx<'_, P>) -> Option<(RegistrationId, Rc<Standing>, &'static str)> {
    let key = Presented::<ApiKey>::parse(&cx.config.api_key_prefix, presented, &cx.config.masters)?;
    let agent = RegistrationId::from_digits(key.digits());
    let standing = known(&agent, cx).await.ok()?;
    let found = standing.credentials.iter().find(|known| known.of.is_none() && key.matches(&known.digest))?;
    let root = match standing.ancestors.first() {
        Some(root) => known(root, cx).await.ok(),
        None => None,
    };
    let is_old = rights::is_old(&standing, root.as_deref(), Some(found.stamp()));
    let taken = root.as_ref().unwrap_or(&standing).taken.filter(|_| is_old);
    let by_claim = taken.map(|taken| taken.at.plus(OLD_KEY)).filter(|ends| *ends <= cx.now.min(found.expires));
    let why = match (found, by_claim) {
        (Credential { ended: true, .. }, _) => "ended",
        (_, Some(_)) => "claim",
        (found, None) if found.expires <= cx.now => "expired",
        _ => "agent",
    };
    Some((agent, standing.clone(), why))
}

/// The registration that an API key names, and how it stands: asked anew if the key is not known of it yet.
async fn keeper<P: Ports>(key: &Presented<ApiKey>, cx: &Cx<'_, P>) -> Result<(Holder, Rc<Standing>), Inactive> {
    let holder = Holder::Registration(RegistrationId::from_digits(key.digits()));
    let unknown = |known: &Standing| !known.credentials.iter().any(|credential| key.matches(&credential.digest));
    let standing = standing(&holder, unknown, cx).await?;
    Ok((holder, standing))
}

/// Checks signature, type, issuer and time of an access token; liveness is another question.
///
/// # Errors
/// It is not one of ours, or its time is over.
pub async fn access_token<P: Ports>(token: &str, cx: &Cx<'_, P>) -> Result<Rc<Claims<AccessToken>>, Inactive> {
    let digest: [u8; 32] = Sha256::digest(token.as_bytes()).into();
    let seen = cx.memory.tokens.borrow().find(&digest);
    let claims = match seen {
        // The signature was checked here before; the key may have been revoked since.
        Some(seen) if keys::current(cx).await?.verifier(&seen.kid, cx.now).is_some() => seen.claims,
        Some(_) => return Err(InvalidJws::UnknownKey.into()),
        None => {
            let (kid, verified) = verify::<AccessToken, P>(token, ACCESS_TOKEN, cx).await?;
            let claims = Rc::new(verified.claims);
            cx.memory.tokens.borrow_mut().insert(digest, Seen { kid, claims: claims.clone() });
            claims
        }
    };
    if claims.custom.iss != cx.config.issuer {
        return Err(Inactive::Claims("issuer"));
    }
    if holds(&claims, cx.now) { Ok(claims) } else { Err(Inactive::Claims("time")) }
}

/// Checks signature, type, issuer and time of an identity assertion of ours.
///
/// # Errors
/// It is not one of ours, or its time is over.
pub async fn identity_assertion<P: Ports>(token: &str, cx: &Cx<'_, P>) -> Result<Claims<IdentityAssertion>, Inactive> {
    let (_, Verified { claims }) = verify::<IdentityAssertion, P>(token, IDENTITY_ASSERTION, cx).await?;
    if claims.custom.iss != cx.config.issuer || claims.custom.aud != cx.config.issuer {
        return Err(Inactive::Claims("issuer or audience"));
    }
    if holds(&claims, cx.now) { Ok(claims) } else { Err(Inactive::Claims("time")) }
}

async fn verify<T: serde::de::DeserializeOwned, P: Ports>(
    token: &str,
    typ: &'static str,
    cx: &Cx<'_, P>,
) -> Result<(String, Verified<T>), Inactive> {
    let untrusted = Untrusted::parse(token)?;
    let kid = untrusted.unverified_key_id().unwrap_or_default().to_owned();
    let set = keys::with(&kid, cx).await?;
    let key = set.verifier(&kid, cx.now).ok_or(InvalidJws::UnknownKey)?;
    Ok((kid, untrusted.verify(typ, &key.jwk, cx.ports).await?))
}
