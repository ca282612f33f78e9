//! What an agent may do at all: what its root may at that moment, and no more than its API key.

use crate::config::Config;
use crate::jose::claims::CredentialStamp;
use crate::machine::standing::Standing;
use crate::oauth::management;
use crate::oauth::scope::{GrantedScope, Scope};

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

fn is_full(standing: &Standing, root: Option<&Standing>, stamp: Option<CredentialStamp>) -> bool {
    match root {
        Some(root) => root.claimed && !standing.is_limited(stamp),
        None => standing.is_full(stamp),
    }
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
