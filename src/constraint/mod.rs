//! What a delegated right is bound to: conditions on the arguments, the time and the place of an action. Pure: time is an argument.
//!
//! [`path`] and [`window`] are what paths and times of day mean, [`operator`] what a field has to be; policies are written in the same words.
//! A constraint that cannot be judged, because there is no value or one of another type, is not met.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use self::fault::Fault;
use self::operator::Test;
use self::path::Path;
use self::window::TimeWindow;
use crate::time::Timestamp;

pub mod chain;
pub mod fault;
pub mod operator;
pub mod path;
pub mod window;

/// More fields are refused.
pub const MOST_FIELDS: usize = 32;
/// Longer lists are refused.
pub const MOST_ENTRIES: usize = 100;
/// Names of constraints that are no argument's.
pub const RESERVED: &[&str] = &["time_window", "resource_prefix"];

/// The constraints of one delegation, all of which have to be met. None at all are met by everything. In JSON it is what was written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub struct Constraints {
    fields: Vec<(String, Test)>,
    time_window: Option<TimeWindow>,
    resource_prefix: Option<Path>,
    written: Map<String, Value>,
}

/// An action that constraints are held against.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Its arguments, if they are known.
    pub arguments: Option<&'a Map<String, Value>>,
    /// What it is done to, if that is known.
    pub resource: Option<&'a Path>,
    /// When.
    pub at: Timestamp,
}

/// A constraint that is not met.
#[derive(Clone, Debug, PartialEq)]
pub struct Violation {
    /// The argument, or one of [`RESERVED`].
    pub field: String,
    /// The one constraint, `{"max": 100}`.
    pub constraint: Value,
    /// What there was instead: null if nothing; lists, objects and long strings are abridged.
    pub actual: Value,
}

impl Constraints {
    /// Reads the object of a delegation: argument → test, `time_window`, `resource_prefix`.
    ///
    /// # Errors
    /// An unknown operator or a wrong type. See [`Fault::problem`] for which.
    pub fn parse(written: &Map<String, Value>) -> Result<Self, Fault> {
        let time_window = written.get("time_window").map(TimeWindow::parse).transpose().map_err(|fault| fault.within("time_window"))?;
        let prefix = |value: &Value| {
            value
                .as_str()
                .and_then(Path::parse)
                .ok_or_else(|| Fault::wrong("resource_prefix", "must be a path without ., .., empty segments, stars and encoded slashes"))
        };
        let resource_prefix = written.get("resource_prefix").map(prefix).transpose()?;
        let fields = Test::fields(written.iter().filter(|(name, _)| !RESERVED.contains(&name.as_str())))?;
        Ok(Self { fields, time_window, resource_prefix, written: written.clone() })
    }

    /// What was written.
    #[must_use]
    pub fn written(&self) -> &Map<String, Value> {
        &self.written
    }

    /// Every constraint that the action does not meet; none if it may be done.
    #[must_use]
    pub fn violations(&self, asked: &Asked<'_>) -> Vec<Violation> {
        let mut violations = Vec::new();
        for (field, test) in &self.fields {
            let actual = asked.arguments.and_then(|arguments| arguments.get(field));
            violations.extend(test.unmet(actual).map(|(operator, operand)| Violation {
                field: field.clone(),
                constraint: json!({ operator: operand }),
                actual: actual.map_or(Value::Null, abridged),
            }));
        }
        let mut reserved = |field: &str, actual: Option<String>| {
            violations.push(Violation {
                field: field.to_owned(),
                constraint: self.written.get(field).cloned().unwrap_or_default(),
                actual: actual.into(),
            });
        };
        if self.time_window.is_some_and(|window| !window.contains(asked.at)) {
            reserved("time_window", asked.at.iso());
        }
        if let Some(prefix) = &self.resource_prefix
            && !asked.resource.is_some_and(|resource| resource.is_within(prefix))
        {
            reserved("resource_prefix", asked.resource.map(ToString::to_string));
        }
        violations
    }
}

impl Violation {
    /// As answers carry it: `field`, `constraint`, `actual`.
    #[must_use]
    pub fn to_value(&self) -> Value {
        json!({ "field": self.field, "constraint": self.constraint, "actual": self.actual })
    }
}

impl TryFrom<Value> for Constraints {
    type Error = Fault;

    fn try_from(written: Value) -> Result<Self, Fault> {
        Self::parse(written.as_object().ok_or_else(|| Fault::wrong("", "must be an object"))?)
    }
}

impl From<Constraints> for Value {
    fn from(constraints: Constraints) -> Self {
        constraints.written.into()
    }
}

/// Answers and records repeat it for every constraint that is not met.
fn abridged(actual: &Value) -> Value {
    match actual {
        Value::Array(_) => "[...]".into(),
        Value::Object(_) => "{...}".into(),
        Value::String(text) if text.chars().count() > 200 => text.chars().take(200).chain("...".chars()).collect::<String>().into(),
        short => short.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::fault::Problem;
    use super::operator::OPERATORS;
    use super::*;

    fn read(written: Value) -> Result<Constraints, Fault> {
        Constraints::try_from(written)
    }

    fn violated(written: Value, arguments: Value, resource: &str) -> Vec<String> {
        let resource = Path::parse(resource);
        let at = Timestamp::from_millis(1_800_000_000_000);
        let asked = Asked { arguments: arguments.as_object(), resource: resource.as_ref(), at };
        read(written).unwrap().violations(&asked).iter().map(|violation| violation.to_value().to_string()).collect()
    }

    #[test]
    fn all_that_is_violated_is_listed() {
        let written = json!({
            "amount": { "min": 1, "max": 100, "in": [5, 500] }, "currency": "EUR", "to": { "not_in": ["x"] }, "note": { "eq": "n" },
            "time_window": { "start": "09:00", "end": "17:00" }, "resource_prefix": "/payments",
        });
        let arguments = json!({ "amount": 500, "currency": ["EUR"], "note": "m".repeat(300) });
        let lines = violated(written.clone(), arguments, "/payments-evil");
        let long = format!("{}...", "m".repeat(200));
        assert_eq!(
            lines,
            [
                json!({ "field": "amount", "constraint": { "max": 100 }, "actual": 500 }),
                json!({ "field": "currency", "constraint": { "eq": "EUR" }, "actual": "[...]" }),
                json!({ "field": "note", "constraint": { "eq": "n" }, "actual": long }),
                json!({ "field": "to", "constraint": { "not_in": ["x"] }, "actual": null }),
                json!({ "field": "time_window", "constraint": { "start": "09:00", "end": "17:00" }, "actual": "2027-01-15T08:00:00.000Z" }),
                json!({ "field": "resource_prefix", "constraint": "/payments", "actual": "/payments-evil" }),
            ]
            .map(|line| line.to_string())
        );
        let met = json!({ "amount": 5, "currency": "EUR", "to": "y", "note": "n" });
        assert_eq!(violated(written, met, "/payments/7").len(), 1, "only the time is wrong");
    }

    #[test]
    fn a_prefix_is_of_segments() {
        let of = |resource: &str| violated(json!({ "resource_prefix": "/payments/" }), json!({}), resource).len();
        assert_eq!([of("/payments"), of("/payments/"), of("/payments/a/b")], [0, 0, 0]);
        assert_eq!([of("/payments-evil"), of("/Payments"), of("/"), of("/payments/../admin"), of("/x/payments")], [1; 5]);
    }

    #[test]
    fn what_is_written_is_kept_and_read_again() {
        let written = json!({ "amount": { "max": 100 }, "currency": "EUR", "resource_prefix": "/payments" });
        let constraints = read(written.clone()).unwrap();
        assert_eq!(serde_json::to_value(&constraints).unwrap(), written);
        assert_eq!(serde_json::from_value::<Constraints>(written).unwrap(), constraints);
        assert_eq!(read(json!({})).unwrap(), Constraints::default());
    }

    #[test]
    fn constraints_are_read_strictly() {
        for (written, field, unknown) in [
            (json!([]), "", false),
            (json!({ "amount": { "gt": 1 } }), "amount.gt", true),
            (json!({ "amount": {} }), "amount", false),
            (json!({ "amount": null }), "amount", false),
            (json!({ "amount": { "max": "1" } }), "amount.max", false),
            (json!({ "time_window": { "start": "08:00" } }), "time_window.end", false),
            (json!({ "time_window": "08:00" }), "time_window", false),
            (json!({ "resource_prefix": "/a/../b" }), "resource_prefix", false),
            (json!({ "resource_prefix": "/a/*" }), "resource_prefix", false),
            (json!({ "resource_prefix": ["/a"] }), "resource_prefix", false),
        ] {
            let fault = read(written.clone()).unwrap_err();
            assert_eq!(fault.field, field, "{written}");
            assert_eq!(fault.problem == Problem::UnknownOperator, unknown, "{written}");
            assert!(!unknown || fault.known == OPERATORS);
        }
        let many: Map<_, _> = (0..33).map(|index| (format!("f{index}"), json!(1))).collect();
        assert!(read(many.into()).is_err());
    }
}
