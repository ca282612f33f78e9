//! What is wrong with a rule as somebody has written it.

use serde_json::{Map, Value};

/// A rule that is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where, from the outside in: `conditions.time_window.start`. Names that the writer has made up are cut short.
    pub field: String,
    /// What.
    pub problem: Problem,
    /// What would be known there; empty where that is no question of names.
    pub known: &'static [&'static str],
}

/// The kinds of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// There is no such key.
    UnknownKey,
    /// There is no such operator.
    UnknownOperator,
    /// The value cannot be used, and what it must be.
    Wrong(&'static str),
}

impl std::error::Error for Fault {}

impl std::fmt::Display for Fault {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let words = match self.problem {
            Problem::UnknownKey => "there is no such key",
            Problem::UnknownOperator => "there is no such operator",
            Problem::Wrong(words) => words,
        };
        write!(formatter, "{}: {words}", self.field)?;
        if self.known.is_empty() { Ok(()) } else { write!(formatter, "; known: {}", self.known.join(", ")) }
    }
}

impl Fault {
    /// The value at `field` cannot be used; `words` say what it must be.
    #[must_use]
    pub fn wrong(field: &str, words: &'static str) -> Self {
        Self { field: short(field), problem: Problem::Wrong(words), known: &[] }
    }

    /// The value at `field` is none of `known`.
    #[must_use]
    pub fn none_of(field: &str, known: &'static [&'static str]) -> Self {
        Self { known, ..Self::wrong(field, "must be among those that are known") }
    }

    /// The same fault, seen from the object around it.
    #[must_use]
    pub fn within(mut self, outer: &str) -> Self {
        self.field = if self.field.is_empty() { short(outer) } else { format!("{}.{}", short(outer), self.field) };
        self
    }
}

/// The object that `value` is, with no other keys than `known`. The fault's field is empty, or the key.
pub(crate) fn object<'v>(value: &'v Value, known: &'static [&'static str]) -> Result<&'v Map<String, Value>, Fault> {
    let fields = value.as_object().ok_or(Fault { known, ..Fault::wrong("", "must be an object") })?;
    match fields.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(Fault { field: short(key), problem: Problem::UnknownKey, known }),
        None => Ok(fields),
    }
}

/// The list that `value` is: at least one entry, at most [`super::MOST_ENTRIES`].
pub(crate) fn list(value: &Value) -> Result<&[Value], Fault> {
    match value.as_array() {
        Some(entries) if !entries.is_empty() && entries.len() <= super::MOST_ENTRIES => Ok(entries),
        _ => Err(Fault::wrong("", "must be a list of 1 to 100 entries")),
    }
}

fn short(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '?' } else { c }).take(64).collect()
}
