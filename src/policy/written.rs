//! A policy as its author writes it.

use serde_json::{Map, Value};

use super::condition::{Conditions, RateLimit};
use super::subject::{Subjects, is_wildcard};
use super::{Action, Effect, Question};
use crate::constraint::fault::{self, Fault};
use crate::constraint::path::{Path, Pattern};

/// The members that an author writes.
pub const POLICY_KEYS: &[&str] =
    &["name", "description", "effect", "subjects", "resources", "actions", "conditions", "priority", "enabled"];
/// The keys of `resources`.
pub const RESOURCE_KEYS: &[&str] = &["paths", "wildcard"];
/// What `actions` may hold.
pub const ACTIONS: &[&str] = &["read", "write", "delete", "execute", "delegate", "admin", "*"];
/// The values of `effect`.
pub const EFFECTS: &[&str] = &["allow", "deny"];

/// Bytes of JSON: an account has hundreds of them, and every request reads those that are about it.
const LONGEST: usize = 8192;
const LONGEST_NAME: usize = 256;
const LONGEST_DESCRIPTION: usize = 2000;
const GREATEST_PRIORITY: u64 = 1_000_000;

/// What a policy says. It is read from [`Written::document`] and nothing else, which is therefore what is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    pub(super) name: String,
    pub(super) effect: Effect,
    pub(super) priority: i64,
    pub(super) enabled: bool,
    subjects: Subjects,
    patterns: Vec<Pattern>,
    /// `None` is all.
    actions: Option<Vec<Action>>,
    pub(super) conditions: Conditions,
    document: Map<String, Value>,
}

impl Written {
    /// Reads a policy. `name`, `effect`, `subjects`, `resources` and `actions` must be there; the others are `null`, `{}`, 0 and true.
    ///
    /// # Errors
    /// The first member that cannot be used: `422 invalid_policy` on the wire. Nothing that is not known is passed over.
    pub fn parse(written: &Value) -> Result<Self, Fault> {
        let read = Self::read(written)?;
        // As it is kept, with all its members. One that is enabled must not be too long to be disabled.
        let length = |value: &Value| if value.is_boolean() { "false".len() } else { value.to_string().len() };
        if read.document.iter().map(|(name, value)| name.len() + length(value) + 4).sum::<usize>() > LONGEST {
            return Err(Fault::wrong("", "must be at most 8192 bytes of JSON"));
        }
        Ok(read)
    }

    /// The same without a limit of length: what was kept is never too long to be obeyed.
    ///
    /// # Errors
    /// As [`Written::parse`].
    pub(super) fn read(written: &Value) -> Result<Self, Fault> {
        let mut document = fault::object(written, POLICY_KEYS)?.clone();
        document.retain(|name, value| !(value.is_null() && matches!(name.as_str(), "description" | "conditions")));
        for (name, default) in
            [("description", Value::Null), ("conditions", Map::new().into()), ("priority", 0.into()), ("enabled", true.into())]
        {
            document.entry(name).or_insert(default);
        }
        let member = |name: &str| document.get(name).unwrap_or(&Value::Null);
        let words = |name: &str, most: usize| {
            member(name).as_str().filter(|text| text.chars().count() <= most && !text.chars().any(|c| c.is_control() && c != '\n'))
        };
        let name = words("name", LONGEST_NAME)
            .filter(|name| !name.trim().is_empty() && !name.contains('\n'))
            .ok_or_else(|| Fault::wrong("name", "must be text of 1 to 256 characters"))?
            .to_owned();
        if !member("description").is_null() && words("description", LONGEST_DESCRIPTION).is_none() {
            return Err(Fault::wrong("description", "must be text of at most 2000 characters"));
        }
        let effect = match member("effect").as_str() {
            Some("allow") => Effect::Allow,
            Some("deny") => Effect::Deny,
            _ => return Err(Fault::none_of("effect", EFFECTS)),
        };
        let priority = member("priority")
            .as_i64()
            .filter(|priority| priority.unsigned_abs() <= GREATEST_PRIORITY)
            .ok_or_else(|| Fault::wrong("priority", "must be a whole number from -1000000 to 1000000"))?;
        let enabled = member("enabled").as_bool().ok_or_else(|| Fault::wrong("enabled", "must be true or false"))?;
        let subjects = Subjects::parse(member("subjects")).map_err(|fault| fault.within("subjects"))?;
        let patterns = patterns(member("resources")).map_err(|fault| fault.within("resources"))?;
        let actions = actions(member("actions"))?;
        let conditions = Conditions::parse(member("conditions")).map_err(|fault| fault.within("conditions"))?;
        Ok(Self { name, effect, priority, enabled, subjects, patterns, actions, conditions, document })
    }

    /// The same policy with the members that `changes` names.
    ///
    /// # Errors
    /// As [`Written::parse`]: an unknown member, or one that cannot be used.
    pub fn changed(&self, changes: &Value) -> Result<Self, Fault> {
        let mut document = self.document.clone();
        document.extend(fault::object(changes, POLICY_KEYS)?.clone());
        Self::parse(&document.into())
    }

    /// All nine members, those too that were left out. [`Written::parse`] reads it again.
    #[must_use]
    pub fn document(&self) -> &Map<String, Value> {
        &self.document
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it does.
    #[must_use]
    pub fn effect(&self) -> Effect {
        self.effect
    }

    /// Whether it counts at all.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// The limit that the caller of [`super::decide()`] has to count for.
    #[must_use]
    pub fn rate_limit(&self) -> Option<RateLimit> {
        self.conditions.rate_limit
    }

    /// Whether it is about this agent and this path, whatever is done and when.
    #[must_use]
    pub(super) fn is_about(&self, question: &Question<'_>, path: &Path) -> bool {
        self.subjects.include(question) && self.patterns.iter().any(|pattern| pattern.matches(path))
    }

    /// Whether it is about this action.
    #[must_use]
    pub(super) fn is_about_action(&self, action: Action) -> bool {
        self.actions.as_ref().is_none_or(|actions| actions.contains(&action))
    }
}

fn patterns(written: &Value) -> Result<Vec<Pattern>, Fault> {
    let fields = fault::object(written, RESOURCE_KEYS)?;
    let paths = fields.get("paths");
    if is_wildcard(fields.get("wildcard"), paths.is_none(), RESOURCE_KEYS)? {
        return Ok(vec![Pattern::All]);
    }
    let fault = || Fault::wrong("paths", "must be plain paths, /files, or with a star after the last slash, /files/*, or a star alone");
    let pattern = |entry: &Value| entry.as_str().and_then(Pattern::parse).ok_or_else(fault);
    fault::list(paths.unwrap_or(&Value::Null)).map_err(|fault| fault.within("paths"))?.iter().map(pattern).collect()
}

fn actions(written: &Value) -> Result<Option<Vec<Action>>, Fault> {
    let entries = fault::list(written).map_err(|fault| Fault { known: ACTIONS, ..fault.within("actions") })?;
    let is_all = entries.iter().any(|entry| entry == "*");
    let named = entries.iter().filter(|entry| *entry != "*");
    let actions: Option<Vec<_>> = named.map(|entry| entry.as_str().and_then(Action::parse)).collect();
    let actions = actions.ok_or_else(|| Fault::none_of("actions", ACTIONS))?;
    Ok((!is_all).then_some(actions))
}
