//! Registration in the words of each dialect. The names of the newer two do not collide, so both are said at once.

use serde_json::{Map, Value, json};

use crate::cx::Cx;
use crate::http::ceremony::{self, Attempt};
use crate::id::RegistrationId;
use crate::machine::registration::claim::WINDOW;
use crate::oauth::scope::GrantedScope;
use crate::time::Timestamp;

/// An answer that is being put together.
pub(super) struct Answer<'a, P> {
    fields: Map<String, Value>,
    cx: &'a Cx<'a, P>,
}

impl<'a, P> Answer<'a, P> {
    /// Begins with what every answer has.
    pub(super) fn new(registration: &RegistrationId, typ: &str, cx: &'a Cx<'a, P>) -> Self {
        let mut answer = Self { fields: Map::new(), cx };
        answer.v07(json!({ "registration_id": registration, "registration_type": typ }));
        answer.authkit(json!({ "id": registration, "type": typ }));
        answer
    }

    fn add(&mut self, more: Value) {
        if let Value::Object(more) = more {
            self.fields.extend(more);
        }
    }

    fn v07(&mut self, more: Value) {
        if self.cx.config.dialects.v07 {
            self.add(more);
        }
    }

    fn authkit(&mut self, more: Value) {
        if self.cx.config.dialects.authkit {
            self.add(more);
        }
    }

    /// The registration's own end; null once it is a person's.
    pub(super) fn ends(mut self, expires: Timestamp) -> Self {
        self.add(json!({ "registration_expires": expires.iso() }));
        self
    }

    /// What it is exchanged for tokens with.
    pub(super) fn identity(mut self, assertion: &str, expires: Timestamp) -> Self {
        self.v07(json!({ "identity_assertion": assertion, "assertion_expires": expires.iso() }));
        self.authkit(json!({ "identity": { "assertion": assertion, "expires_at": expires.iso() } }));
        self
    }

    /// What it may do before and after a person has claimed it.
    pub(super) fn scopes(mut self, before: bool) -> Self {
        let (pre, post) = (list(&self.cx.config.pre_claim_scopes), list(&self.cx.config.post_claim_scopes));
        if before {
            self.v07(json!({ "pre_claim_scopes": pre, "post_claim_scopes": post }));
            self.authkit(json!({ "scopes": { "pre_claim": pre, "post_claim": post } }));
        } else {
            self.v07(json!({ "post_claim_scopes": post }));
            self.authkit(json!({ "scopes": { "post_claim": post } }));
        }
        self
    }

    /// What it may do: nothing is left to confirm. In both dialects `scopes` is the list.
    pub(super) fn granted(mut self) -> Self {
        let scopes = list(&self.cx.config.post_claim_scopes);
        self.add(json!({ "scopes": scopes }));
        self
    }

    /// How a person claims it; an attempt comes with the time when it began.
    pub(super) fn claim(mut self, token: Option<&str>, expires: Timestamp, attempt: Option<(&Attempt, Timestamp)>) -> Self {
        let Some(token) = token else { return self };
        let (url, cx) = (self.cx.config.own("/agent/identity/claim"), self.cx);
        let mut claim = json!({});
        if cx.config.dialects.authkit {
            crate::grant::claim::merge(&mut claim, json!({ "token": token, "expires_at": expires.iso(), "url": url }));
        }
        if let Some((attempt, began)) = attempt {
            let window = began.plus(WINDOW).min(expires);
            if cx.config.dialects.v07 {
                crate::grant::claim::merge(&mut claim, ceremony::for_agent(attempt, window, cx));
            }
            if cx.config.dialects.authkit {
                crate::grant::claim::merge(&mut claim, json!({ "attempt": ceremony::for_authkit(attempt, window, cx) }));
            }
        }
        self.v07(json!({ "claim_url": url, "claim_token": token, "claim_token_expires": expires.iso() }));
        if claim.as_object().is_some_and(|claim| !claim.is_empty()) {
            self.add(json!({ "claim": claim }));
        }
        self
    }

    /// The whole.
    pub(super) fn value(self) -> Value {
        Value::Object(self.fields)
    }
}

/// Scopes as a list.
pub(super) fn list(scope: &GrantedScope) -> Vec<&str> {
    scope.as_scope().iter().collect()
}
