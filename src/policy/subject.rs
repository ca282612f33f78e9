//! Whom a policy is about.

use serde_json::Value;

use super::{AGENT_TYPES, Question, TRUST_LEVELS};
use crate::constraint::fault::{self, Fault};
use crate::id::{AccountId, RegistrationId};

/// The keys of `subjects`.
pub const SUBJECT_KEYS: &[&str] = &["agent_ids", "agent_types", "trust_levels", "account", "wildcard"];

/// Kinds of subjects with their values: any value of a kind will do, every kind has to. No kind at all is everybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Subjects(Vec<(Kind, Vec<String>)>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Agent,
    Type,
    TrustLevel,
    Account,
}

impl Subjects {
    /// Reads `{"agent_types": ["tool"], "trust_levels": ["delegated"]}`, or `{"wildcard": true}`.
    pub(super) fn parse(written: &Value) -> Result<Self, Fault> {
        let fields = fault::object(written, SUBJECT_KEYS)?;
        let mut kinds = Vec::new();
        for (name, value) in fields.iter().filter(|(name, _)| *name != "wildcard") {
            let (kind, known) = match name.as_str() {
                "agent_ids" => (Kind::Agent, &[][..]),
                "agent_types" => (Kind::Type, AGENT_TYPES),
                "trust_levels" => (Kind::TrustLevel, TRUST_LEVELS),
                _ => (Kind::Account, &[][..]),
            };
            let entry = |entry: &Value| kind.read(entry).ok_or_else(|| kind.fault(name, known));
            let entries = fault::list(value).map_err(|fault| fault.within(name))?;
            kinds.push((kind, entries.iter().map(entry).collect::<Result<_, _>>()?));
        }
        is_wildcard(fields.get("wildcard"), kinds.is_empty(), SUBJECT_KEYS)?;
        Ok(Self(kinds))
    }

    pub(super) fn include(&self, question: &Question<'_>) -> bool {
        self.0.iter().all(|(kind, values)| values.iter().any(|value| kind.is(value, question)))
    }
}

impl Kind {
    fn read(self, entry: &Value) -> Option<String> {
        let text = entry.as_str()?;
        let is_known = match self {
            Self::Agent => text.parse::<RegistrationId>().is_ok(),
            Self::Type => AGENT_TYPES.contains(&text),
            Self::TrustLevel => TRUST_LEVELS.contains(&text),
            Self::Account => text.parse::<AccountId>().is_ok(),
        };
        is_known.then(|| text.to_owned())
    }

    fn fault(self, name: &str, known: &'static [&'static str]) -> Fault {
        match self {
            Self::Agent => Fault::wrong(name, "must be ids of agents: reg_ and 22 letters or digits"),
            Self::Account => Fault::wrong(name, "must be ids of accounts: acc_ and 22 letters or digits"),
            Self::Type | Self::TrustLevel => Fault::none_of(name, known),
        }
    }

    fn is(self, value: &str, question: &Question<'_>) -> bool {
        match self {
            Self::Agent => question.agent.as_str() == value,
            Self::Type => question.agent_type == value,
            Self::TrustLevel => question.trust_level == value,
            Self::Account => question.accounts.iter().any(|account| account.as_str() == value),
        }
    }
}

/// Judges `wildcard`: it stands alone, and without it something else does.
pub(super) fn is_wildcard(wildcard: Option<&Value>, alone: bool, known: &'static [&'static str]) -> Result<bool, Fault> {
    match wildcard {
        Some(Value::Bool(true)) if alone => Ok(true),
        Some(Value::Bool(true)) => Err(Fault::wrong("wildcard", "must stand alone: it is everything")),
        None | Some(Value::Bool(false)) if alone => {
            Err(Fault { known, ..Fault::wrong("", "must not be empty; {\"wildcard\": true} is everything") })
        }
        None | Some(Value::Bool(false)) => Ok(false),
        Some(_) => Err(Fault::wrong("wildcard", "must be true or false")),
    }
}
