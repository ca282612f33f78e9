//! What a new key may be good for: no more than the credential that it is made with.

use crate::cx::Cx;
use crate::http::api::manager::Manager;
use crate::http::refuse::Refused;
use crate::oauth::error::ErrorCode;
use crate::oauth::scope::Scope;
use crate::tenant::Credential;
use crate::verify::Kind;

/// How far the caller's own credential goes.
pub(super) struct Limit {
    /// All that it may do at the moment.
    rights: Scope,
    /// It is a key, or a token that may do all that its key may.
    whole: bool,
    /// No more than this, whatever becomes of the agent; may have wildcards.
    most: Option<Scope>,
    /// It is older than a person's claim, and so is to end soon.
    is_old: bool,
    /// Nothing that is made with it has the rights of a claimed agent.
    pub(super) limited: bool,
}

impl Limit {
    pub(super) fn of<P>(manager: &Manager, cx: &Cx<'_, P>) -> Self {
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
        let (claimed, is_limited) = (active.is_claimed(), active.standing.is_limited(stamp));
        Self { rights, whole, most, is_old: claimed && is_limited, limited: !claimed || is_limited }
    }

    /// The scope of a new key for which `asked` is asked.
    ///
    /// # Errors
    /// It would be good for more than the caller's own credential, or outlive it where that must not be.
    pub(super) fn scope(&self, asked: Option<Scope>) -> Result<Option<Scope>, Refused> {
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

    /// Whoever rotates a key has it afterwards: it may not be good for more than what they have already.
    ///
    /// # Errors
    /// It is.
    pub(super) fn allows(&self, credential: &Credential, is_own: bool) -> Result<(), Refused> {
        let covered = match (&self.most, &credential.scopes) {
            (None, _) => true,
            (Some(most), Some(scopes)) => most.covers_all(scopes),
            (Some(_), None) => false,
        };
        // Who has the key may have another in its place; a token that may do less than its key may not.
        if (is_own && self.whole) || (covered && !self.is_old) {
            return Ok(());
        }
        Err(Refused::new(ErrorCode::Forbidden, "the key is good for more than the credential that rotates it")
            .hint("Rotate it with a credential that may do all that the key may, or with the key itself."))
    }
}
