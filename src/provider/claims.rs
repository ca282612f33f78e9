//! The claims of somebody else's token, read strictly: a claim of another type than it should have is not there.

use serde_json::{Map, Value};

/// Longer identifiers than this are not kept, in characters.
const LONGEST: usize = 255;

/// Claims whose signature has been checked.
#[derive(Clone, Debug)]
pub struct Claims(pub(crate) Map<String, Value>);

/// A claim that has to be there, as what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the claim {0} is missing or malformed")]
pub struct Malformed(pub &'static str);

impl Claims {
    /// Of claims whose signature has been checked.
    #[must_use]
    pub(crate) const fn new(verified: Map<String, Value>) -> Self {
        Self(verified)
    }

    /// Whether there is such a claim, of whatever type.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The claim as it is.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// A string.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.value(name)?.as_str()
    }

    /// A string of 1 to 255 characters.
    ///
    /// # Errors
    /// It is something else, or not there.
    pub fn identifier(&self, name: &'static str) -> Result<&str, Malformed> {
        self.text(name).filter(|text| is_identifier(text)).ok_or(Malformed(name))
    }

    /// A `NumericDate` (RFC 7519, section 2) in whole seconds that are not negative.
    ///
    /// # Errors
    /// It is something else, or not there.
    pub fn seconds(&self, name: &'static str) -> Result<i64, Malformed> {
        self.value(name).and_then(Value::as_i64).filter(|seconds| *seconds >= 0).ok_or(Malformed(name))
    }

    /// The same for a claim that may be absent.
    ///
    /// # Errors
    /// It is something else.
    pub fn optional_seconds(&self, name: &'static str) -> Result<Option<i64>, Malformed> {
        self.has(name).then(|| self.seconds(name)).transpose()
    }

    /// Whether it is the JSON value `true`.
    #[must_use]
    pub fn is_true(&self, name: &str) -> bool {
        self.value(name) == Some(&Value::Bool(true))
    }
}

/// 1 to 255 characters.
#[must_use]
pub fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.chars().count() <= LONGEST
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_claim_of_another_type_is_not_there() {
        let Value::Object(map) =
            json!({ "i": 5, "f": 5.0, "s": "5", "n": -1, "big": 9_223_372_036_854_775_808_u64, "t": true, "one": 1, "null": null })
        else {
            panic!("an object is an object");
        };
        let claims = Claims(map);
        assert_eq!(claims.seconds("i"), Ok(5));
        for wrong in ["f", "s", "n", "big", "t", "null", "absent"] {
            assert_eq!(claims.seconds(wrong), Err(Malformed(wrong)));
        }
        assert_eq!(claims.optional_seconds("absent"), Ok(None));
        assert_eq!(claims.optional_seconds("null"), Err(Malformed("null")));
        assert!(claims.is_true("t") && !claims.is_true("one") && !claims.is_true("s") && !claims.is_true("absent"));
        assert_eq!(claims.text("i"), None);
    }

    #[test]
    fn identifiers_have_a_length() {
        let read = |text: &str| Claims(Map::from_iter([("sub".to_owned(), Value::from(text))])).identifier("sub").is_ok();
        assert!(read("x") && read(&"ü".repeat(255)));
        assert!(!read("") && !read(&"x".repeat(256)));
    }
}
