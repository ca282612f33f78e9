//! What a new key or delegation may be good for: no more than the credential that it is made with, and no longer.

use crate::cx::Cx;
use crate::http::api::manager::Manager;
use crate::http::refuse::Refused;
use crate::oauth::error::ErrorCode;
use crate::oauth::scope::Scope;
use crate::tenant::Credential;
use crate::time::Timestamp;
use crate::verify::Kind;

/// How far the caller's own credential goes.
pub(in crate::http) struct Limit {
    /// All that it may do at the moment.
    rights: Scope,
    /// It is a key, or a token that may do all that its key may.
    whole: bool,
    /// No more than this, whatever becomes of the agent; may have wildcards.
    most: Option<Scope>,
    /// When it ends, if ever: what it makes ends no later.
    pub(in crate::http) until: Option<Timestamp>,
    /// Nothing that is made with it has the rights of a claimed agent.
    pub(in crate::http) limited: bool,
}

impl Limit {
    pub(in crate::http) fn of<P>(manager: &Manager, cx: &Cx<'_, P>) -> Self {
        let active = &manager.caller.active;
        let rights = manager.caller.rights();
        let stamp = active.stamp();
        let held = stamp.and_then(|stamp| active.standing.key(stamp)).and_then(|key| key.scope.clone());
        let whole = match &active.kind {
            Kind::ApiKey(_) => true,
            // A token may do less than its key: then the new key may too.
            Kind::AccessToken(claims) => {
                let here = cx.config.resource(&claims.custom.aud).map(|resource| resource.scopes.clone()).unwrap_or_default();
                let all = active.entitled(cx.config).as_scope().intersect(&here).union(&active.managing());
                all.is_within(claims.custom.scope.as_scope())
            }
        };
        let most = if whole { held } else { Some(rights.clone()) };
        let key = stamp.and_then(|stamp| active.standing.key(stamp));
        let until = key.map(|key| key.expires).filter(|expires| *expires != Timestamp::NEVER);
        Self { rights, whole, most, until, limited: !active.is_claimed() || active.is_old() }
    }

    /// Whether the credential is good for this, if its agent is.
    pub(in crate::http) fn covers(&self, scope: &str) -> bool {
        self.most.as_ref().is_none_or(|most| most.covers(scope))
    }

    /// When a new key is to end that is to end then, if ever.
    pub(in crate::http) fn ends(&self, asked: Option<Timestamp>) -> Option<Timestamp> {
        asked.into_iter().chain(self.until).min()
    }

    /// The scope of a new key for which `asked` is asked.
    ///
    /// # Errors
    /// It would be good for more than the caller's own credential, or outlive it where that must not be.
    pub(in crate::http) fn scope(&self, asked: Option<Scope>) -> Result<Option<Scope>, Refused> {
        let Some(asked) = asked else { return Ok(self.most.clone()) };
        let covered = |name: &str| match &self.most {
            Some(most) => most.covers(name),
            // Of a wildcard something has to be there.
            None => self.rights.covers(name) || Scope::held([name]).is_ok_and(|held| self.rights.iter().any(|right| held.covers(right))),
        };
        if asked.iter().all(covered) {
            return Ok(Some(asked));
        }
        Err(Refused::new(ErrorCode::InvalidScope, "a new key with more rights than the credential that makes it")
            .hint("Ask for scopes that your own credential covers: GET /api/v1/auth/me lists them."))
    }

    /// Whoever repeats a request is shown the key again: it may not outlive what they have by now.
    ///
    /// # Errors
    /// It would.
    pub(in crate::http) fn outlasts(&self, credential: &Credential) -> Result<(), Refused> {
        if self.ends(credential.expires) == credential.expires {
            return Ok(());
        }
        Err(Refused::new(ErrorCode::Forbidden, "the key outlives the credential that asks for it")
            .hint("Repeat the request with the credential that made it, or make another key."))
    }

    /// Whoever rotates a key has it afterwards: it may not be good for more than what they have already.
    ///
    /// # Errors
    /// It is.
    pub(in crate::http) fn allows(&self, credential: &Credential, is_own: bool) -> Result<(), Refused> {
        let covered = match (&self.most, &credential.scopes) {
            (None, _) => true,
            (Some(most), Some(scopes)) => most.covers_all(scopes),
            (Some(_), None) => false,
        };
        // Who has the key may have another in its place; a token that may do less than its key may not.
        if (is_own && self.whole) || covered {
            return Ok(());
        }
        Err(Refused::new(ErrorCode::Forbidden, "the key is good for more than the credential that rotates it")
            .hint("Rotate it with a credential that may do all that the key may, or with the key itself."))
    }
}
