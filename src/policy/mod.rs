//! Who may do what to which resource, and why: one evaluator for the dry run and for enforcement. Pure: time, addresses and counts are
//! arguments.
//!
//! [`Written`] is a policy as its author sends it, read strictly; [`decide()`] weighs policies, own scopes and delegations in the order that
//! [`decide`](mod@decide) gives. [`syntax()`] tells authors all of that.

use serde_json::{Value, json};

use crate::id::{PolicyId, RegistrationId};
use crate::time::Timestamp;

pub use self::condition::RateLimit;
pub use self::decide::{Decision, Needed, Question, Rights, about, counting, decide};
pub use self::stored::Unreadable;
pub use self::syntax::syntax;
pub use self::written::Written;

mod condition;
pub mod decide;
#[cfg(test)]
mod properties;
mod stored;
mod subject;
mod syntax;
#[cfg(test)]
mod tests;
mod written;

/// Types of agents, as policies and questions name them.
pub const AGENT_TYPES: &[&str] = &["orchestrator", "autonomous", "assistant", "tool"];
/// Trust levels, as policies and questions name them.
pub const TRUST_LEVELS: &[&str] = &["root", "delegated", "ephemeral"];

/// What a policy does when it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It permits, unless another one denies.
    Allow,
    /// It forbids, whatever else permits.
    Deny,
}

/// What is done to a resource. None implies another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Look at it.
    Read,
    /// Make or change it.
    Write,
    /// Remove it.
    Delete,
    /// Run it.
    Execute,
    /// Hand the right to it on.
    Delegate,
    /// Manage it.
    Admin,
}

/// A policy as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Its name for good.
    pub id: PolicyId,
    /// Whose it is: it is about that agent and all below; about all of the account if a person has made it.
    pub created_by: Option<RegistrationId>,
    /// What it says.
    pub written: Written,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last changed.
    pub updated: Timestamp,
}

impl Effect {
    /// As it goes over the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

impl Action {
    /// The names of all actions, in the order of the enum.
    pub const NAMES: &'static [&'static str] = &["read", "write", "delete", "execute", "delegate", "admin"];

    /// The action of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Read, Self::Write, Self::Delete, Self::Execute, Self::Delegate, Self::Admin]
            .into_iter()
            .find(|action| action.as_str() == name)
    }

    /// As it goes over the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Delete => "delete",
            Self::Execute => "execute",
            Self::Delegate => "delegate",
            Self::Admin => "admin",
        }
    }
}

impl Policy {
    /// The object of the API: `id`, `created_by_agent_id`, the members of [`Written`], `created_at` and `updated_at`.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let mut fields = self.written.document().clone();
        fields.insert("id".to_owned(), self.id.as_str().into());
        fields.insert("created_by_agent_id".to_owned(), self.created_by.as_ref().map(RegistrationId::as_str).into());
        fields.insert("created_at".to_owned(), self.created.iso().into());
        fields.insert("updated_at".to_owned(), self.updated.iso().into());
        fields.into()
    }
}

/// A reference to a policy, as answers carry it.
fn named(policy: Option<&(PolicyId, String)>) -> (Value, Value) {
    policy.map_or((Value::Null, Value::Null), |(id, name)| (json!(id.as_str()), json!(name)))
}
