//! What an agent may do at all: what its root may at that moment, and no more than its API key.

use crate::config::Config;
use crate::jose::claims::CredentialStamp;
use crate::machine::standing::Standing;
use crate::oauth::scope::GrantedScope;

/// The most that comes with this API key, or without one. `root` is whose descendant the agent is, if it is anybody's: it has been claimed or
/// not, and the agent with it. A key that is older than the claim keeps the rights that it had.
#[must_use]
pub fn entitled(standing: &Standing, root: Option<&Standing>, stamp: Option<CredentialStamp>, config: &Config) -> GrantedScope {
    let key = stamp.and_then(|stamp| standing.key(stamp));
    let is_full = match root {
        Some(root) => root.claimed && !standing.is_limited(stamp),
        None => standing.is_full(stamp),
    };
    let most = config.entitled(is_full);
    match key.and_then(|key| key.scope.as_ref()) {
        Some(held) => held.common(most.as_scope()).entitle(),
        None => most.clone(),
    }
}
