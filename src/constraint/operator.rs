//! What one field of an action's arguments has to be.

use std::cmp::Ordering;

use serde_json::{Map, Number, Value};

use super::MOST_FIELDS;
use super::fault::{self, Fault, Problem};

/// The operators of a test.
pub const OPERATORS: &[&str] = &["eq", "min", "max", "in", "not_in"];

const WRONG_PRIMITIVE: &str = "must be a string, a number or a boolean";

/// Operators with their operands, all of which have to hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Test(Map<String, Value>);

impl Test {
    /// Reads `{"min": 1, "max": 100}`; a value alone is `{"eq": value}`.
    ///
    /// # Errors
    /// An unknown operator, none at all, or an operand of the wrong type: `eq` takes a string, number or boolean, `min` and `max` a number,
    /// `in` and `not_in` a list of strings, numbers or booleans.
    pub fn parse(written: &Value) -> Result<Self, Fault> {
        let operands = match written {
            Value::Object(operands) => operands.clone(),
            primitive if is_primitive(primitive) => Map::from_iter([("eq".to_owned(), primitive.clone())]),
            _ => return Err(Fault::wrong("", "must be an object of operators, or a string, a number or a boolean")),
        };
        if operands.is_empty() {
            return Err(Fault { known: OPERATORS, ..Fault::wrong("", "must have an operator") });
        }
        for (operator, operand) in &operands {
            let problem = match operator.as_str() {
                "eq" if is_primitive(operand) => continue,
                "min" | "max" if operand.is_number() => continue,
                "in" | "not_in" => {
                    if fault::list(operand).map_err(|fault| fault.within(operator))?.iter().all(is_primitive) {
                        continue;
                    }
                    Problem::Wrong("must be a list of strings, numbers or booleans")
                }
                "eq" => Problem::Wrong(WRONG_PRIMITIVE),
                "min" | "max" => Problem::Wrong("must be a number"),
                _ => Problem::UnknownOperator,
            };
            let known = if problem == Problem::UnknownOperator { OPERATORS } else { &[] };
            return Err(Fault { problem, known, ..Fault::wrong(operator, "") });
        }
        Ok(Self(operands))
    }

    /// Reads fields and their tests.
    ///
    /// # Errors
    /// As [`Test::parse`], or too many fields.
    pub fn fields<'v>(written: impl Iterator<Item = (&'v String, &'v Value)>) -> Result<Vec<(String, Self)>, Fault> {
        let tests: Vec<_> = written
            .map(|(name, test)| Ok((name.clone(), Self::parse(test).map_err(|fault| fault.within(name))?)))
            .collect::<Result<_, Fault>>()?;
        if tests.len() > MOST_FIELDS { Err(Fault::wrong("", "must have at most 32 fields")) } else { Ok(tests) }
    }

    /// Whether all of it holds; `None` if that cannot be said, because there is no value or one of another type than the operands.
    #[must_use]
    pub fn judge(&self, actual: Option<&Value>) -> Option<bool> {
        let judgements = || self.0.iter().map(|(operator, operand)| judge(operator, operand, actual));
        if judgements().any(|holds| holds == Some(false)) { Some(false) } else { judgements().all(|holds| holds.is_some()).then_some(true) }
    }

    /// The operators, with their operands, that do not hold or cannot be judged.
    pub fn unmet(&self, actual: Option<&Value>) -> impl Iterator<Item = (&str, &Value)> {
        let is_unmet = move |(operator, operand): &(&String, &Value)| judge(operator, operand, actual) != Some(true);
        self.0.iter().filter(is_unmet).map(|(operator, operand)| (operator.as_str(), operand))
    }
}

fn judge(operator: &str, operand: &Value, actual: Option<&Value>) -> Option<bool> {
    let actual = actual?;
    let is_same_type = |operand: &Value| std::mem::discriminant(operand) == std::mem::discriminant(actual);
    let is_in = |operands: &Value| {
        let operands = operands.as_array()?;
        operands.iter().any(is_same_type).then(|| operands.iter().any(|operand| is_equal(operand, actual)))
    };
    match operator {
        "eq" => is_same_type(operand).then(|| is_equal(operand, actual)),
        "min" => Some(compare(actual.as_number()?, operand.as_number()?)? != Ordering::Less),
        "max" => Some(compare(actual.as_number()?, operand.as_number()?)? != Ordering::Greater),
        "in" => is_in(operand),
        "not_in" => is_in(operand).map(|found| !found),
        _ => None,
    }
}

fn is_primitive(value: &Value) -> bool {
    value.is_string() || value.is_number() || value.is_boolean()
}

/// `1` and `1.0` are the same number.
fn is_equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => compare(left, right) == Some(Ordering::Equal),
        _ => left == right,
    }
}

/// Exact also where an integer is beyond what a floating point number can hold.
fn compare(left: &Number, right: &Number) -> Option<Ordering> {
    match (left.as_i128(), right.as_i128()) {
        (Some(left), Some(right)) => Some(left.cmp(&right)),
        (Some(left), None) => Some(against(left, right.as_f64()?)),
        (None, Some(right)) => Some(against(right, left.as_f64()?).reverse()),
        (None, None) => left.as_f64()?.partial_cmp(&right.as_f64()?),
    }
}

fn against(integer: i128, float: f64) -> Ordering {
    // The conversion keeps to the ends of the range, which no integer of JSON comes near.
    let below = float.floor();
    integer.cmp(&(below as i128)).then(if below < float { Ordering::Less } else { Ordering::Equal })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_operator_is_judged() {
        for (test, actual, holds) in [
            (json!("a"), json!("a"), Some(true)),
            (json!("a"), json!("A"), Some(false)),
            (json!("1"), json!(1), None),
            (json!(1), json!(1.0), Some(true)),
            (json!(true), json!(true), Some(true)),
            (json!(true), json!(1), None),
            (json!({ "eq": "a" }), json!(null), None),
            (json!({ "eq": "a" }), json!(["a"]), None),
            (json!({ "min": 5 }), json!(5), Some(true)),
            (json!({ "min": 5 }), json!(4.999), Some(false)),
            (json!({ "min": 5 }), json!("6"), None),
            (json!({ "max": 5 }), json!(5), Some(true)),
            (json!({ "max": 5 }), json!(5.001), Some(false)),
            (json!({ "max": 5.5 }), json!(6), Some(false)),
            (json!({ "max": -5.5 }), json!(-5), Some(false)),
            (json!({ "max": -5.5 }), json!(-6), Some(true)),
            (json!({ "max": 9_007_199_254_740_992_f64 }), json!(9_007_199_254_740_993_u64), Some(false)),
            (json!({ "max": u64::MAX }), json!(1e30), Some(false)),
            (json!({ "min": i64::MIN }), json!(-1e300), Some(false)),
            (json!({ "max": 1e300 }), json!(1e301), Some(false)),
            (json!({ "max": 100 }), json!([1]), None),
            (json!({ "in": ["a", 1] }), json!("a"), Some(true)),
            (json!({ "in": ["a", 1] }), json!(1.0), Some(true)),
            (json!({ "in": ["a", 1] }), json!("b"), Some(false)),
            (json!({ "in": ["a", 1] }), json!(false), None),
            (json!({ "not_in": ["a", "b"] }), json!("c"), Some(true)),
            (json!({ "not_in": ["a", "b"] }), json!("b"), Some(false)),
            (json!({ "not_in": ["5"] }), json!(5), None),
            (json!({ "not_in": ["a"] }), json!(["a"]), None),
            (json!({ "not_in": ["a"] }), json!({ "x": "a" }), None),
            (json!({ "min": 1, "max": 5 }), json!(3), Some(true)),
            (json!({ "min": 1, "max": 5 }), json!(6), Some(false)),
            (json!({ "min": 1, "eq": "a" }), json!("b"), Some(false)),
            (json!({ "min": 1, "eq": "a" }), json!("a"), None),
        ] {
            let parsed = Test::parse(&test).unwrap();
            assert_eq!(parsed.judge(Some(&actual)), holds, "{test} {actual}");
            assert_eq!(parsed.unmet(Some(&actual)).count() == 0, holds == Some(true), "{test} {actual}");
            assert_eq!(parsed.judge(None), None, "{test}");
        }
    }

    #[test]
    fn a_test_is_read_strictly() {
        for (test, field) in [
            (json!(null), ""),
            (json!([1]), ""),
            (json!({}), ""),
            (json!({ "eq": null }), "eq"),
            (json!({ "eq": [1] }), "eq"),
            (json!({ "min": "1" }), "min"),
            (json!({ "max": true }), "max"),
            (json!({ "in": "a" }), "in"),
            (json!({ "in": [] }), "in"),
            (json!({ "not_in": [["a"]] }), "not_in"),
            (json!({ "in": vec![1; 101] }), "in"),
        ] {
            let fault = Test::parse(&test).unwrap_err();
            assert_eq!(fault.field, field, "{test}");
            assert_ne!(fault.problem, Problem::UnknownOperator);
        }
        for unknown in ["gt", "EQ", "", "eq "] {
            let fault = Test::parse(&json!({ "max": 1, unknown: 1 })).unwrap_err();
            assert_eq!((fault.problem, fault.known), (Problem::UnknownOperator, OPERATORS), "{unknown}");
        }
    }
}
