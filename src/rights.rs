//! What an agent may do at all: what its root may at that moment, and no more than its API key.

use crate::config::Config;
use crate::jose::claims::CredentialStamp;
use crate::machine::standing::{OLD_KEY, Standing};
use crate::oauth::management;
use crate::oauth::scope::{GrantedScope, Scope};
use crate::time::Timestamp;

/// The most that comes with this API key, or without one. `root` is whose descendant the agent is, if it is anybody's: it has been claimed or
/// not, and the agent with it. A key that is older than the claim keeps the rights that it had.
#[must_use]
pub fn entitled(standing: &Standing, root: Option<&Standing>, stamp: Option<CredentialStamp>, config: &Config) -> GrantedScope {
    let most = config.entitled(is_full(standing, root, stamp));
    match held(standing, root, stamp) {
        Some(held) => held.common(most.as_scope()).entitle(),
        None => most.clone(),
    }
}

/// The same of the scopes with which agents manage agents.
#[must_use]
pub fn managing(standing: &Standing, root: Option<&Standing>, stamp: Option<CredentialStamp>) -> Scope {
    let most = management::scope(is_full(standing, root, stamp));
    held(standing, root, stamp).map_or(most.clone(), |held| held.common(&most))
}

/// Whether a person has claimed the agent, or its root, since the API key was made.
#[must_use]
pub fn is_old(standing: &Standing, root: Option<&Standing>, stamp: Option<CredentialStamp>) -> bool {
    let key = stamp.and_then(|stamp| standing.key(stamp));
    standing.is_limited(stamp) || key.zip(root).is_some_and(|(key, root)| root.is_claimed_since(key))
}

/// When what comes with this API key ends, or without one. A key of an agent below a claimed root ends as one of the root itself does, which
/// only the root knows.
#[must_use]
pub fn until(standing: &Standing, root: Option<&Standing>, stamp: Option<CredentialStamp>) -> Timestamp {
    let key = stamp.and_then(|stamp| standing.key(stamp));
    let claimed = key.zip(root).filter(|(key, root)| root.is_claimed_since(key)).and_then(|(_, root)| root.taken);
    let ends = [key.map(|key| key.expires), claimed.map(|taken| taken.at.plus(OLD_KEY))];
    ends.into_iter().flatten().fold(standing.expires, Timestamp::min)
}

fn is_full(standing: &Standing, root: Option<&Standing>, stamp: Option<CredentialStamp>) -> bool {
    root.unwrap_or(standing).claimed && !is_old(standing, root, stamp)
}

/// What the API key is good for, and what is above all of the tree, if there is a limit.
fn held(standing: &Standing, root: Option<&Standing>, stamp: Option<CredentialStamp>) -> Option<Scope> {
    let key = stamp.and_then(|stamp| standing.key(stamp)).and_then(|key| key.scope.as_ref());
    let ceiling = root.unwrap_or(standing).ceiling.as_ref();
    match (key, ceiling) {
        (Some(key), Some(ceiling)) => Some(key.common(ceiling)),
        (one, other) => one.or(other).cloned(),
    }
}
