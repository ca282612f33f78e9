//! Policies as an account's tables keep them.

use serde_json::{Map, Value};

use super::{Policy, Written};
use crate::id::PolicyId;
use crate::tenant;

/// What is kept is no policy: nobody knows what it would have said, so nothing may be decided without it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the policy {0} cannot be read: {1}")]
pub struct Unreadable(pub PolicyId, String);

impl TryFrom<tenant::Policy> for Policy {
    type Error = Unreadable;

    fn try_from(row: tenant::Policy) -> Result<Self, Unreadable> {
        let unreadable = |what: &dyn std::fmt::Display| Unreadable(row.id.clone(), what.to_string());
        let mut document = Map::from_iter([
            ("name".to_owned(), row.name.into()),
            ("description".to_owned(), row.description.into()),
            ("effect".to_owned(), row.effect.into()),
            ("priority".to_owned(), row.priority.into()),
            ("enabled".to_owned(), row.enabled.into()),
        ]);
        for (name, text) in
            [("subjects", &row.subjects), ("actions", &row.actions), ("resources", &row.resources), ("conditions", &row.conditions)]
        {
            document.insert(name.to_owned(), serde_json::from_str(text).map_err(|error| unreadable(&error))?);
        }
        let written = Written::read(&document.into()).map_err(|fault| unreadable(&fault))?;
        Ok(Self { id: row.id, created_by: row.created_by, written, created: row.created, updated: row.updated })
    }
}

impl From<Policy> for tenant::Policy {
    fn from(policy: Policy) -> Self {
        let Policy { id, created_by, written, created, updated } = policy;
        let member = |name: &str| written.document().get(name).map(Value::to_string).unwrap_or_default();
        Self {
            id,
            created_by,
            name: written.name.clone(),
            description: written.document().get("description").and_then(Value::as_str).map(str::to_owned),
            effect: written.effect.as_str().to_owned(),
            subjects: member("subjects"),
            actions: member("actions"),
            resources: member("resources"),
            conditions: member("conditions"),
            // It was read as one from -1000000 to 1000000.
            priority: i32::try_from(written.priority).unwrap_or_default(),
            enabled: written.enabled,
            created,
            updated,
        }
    }
}
