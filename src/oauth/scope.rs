//! Scope: what is asked for, and what somebody is entitled to. Only the second can be signed.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::error::{ErrorCode, Refusal};

/// A set of scope tokens that were asked for, or that a call needs. Names are opaque and matched exactly.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Scope(BTreeSet<String>);

/// A set of scope tokens that the bearer is entitled to: the signer takes nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GrantedScope(Scope);

/// Not a scope.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the scope is malformed")]
pub struct InvalidScope;

/// More was asked for than was granted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("more is asked for than {ceiling}")]
pub struct ScopeExceeded {
    ceiling: String,
}

impl Refusal for InvalidScope {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidScope
    }
}

impl Refusal for ScopeExceeded {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidScope
    }
}

impl Scope {
    /// What of `ceiling` is granted to somebody who asks for `asked`: all of it if nothing was asked for.
    ///
    /// # Errors
    /// Something outside the ceiling was asked for (RFC 6749, section 5.2).
    pub fn narrow(asked: Option<Self>, ceiling: &GrantedScope) -> Result<GrantedScope, ScopeExceeded> {
        match asked {
            None => Ok(ceiling.clone()),
            Some(asked) if asked.is_within(&ceiling.0) => Ok(GrantedScope(asked)),
            Some(_) => Err(ScopeExceeded { ceiling: ceiling.to_string() }),
        }
    }

    /// Whether every token of this scope is in `other`.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        self.0.is_subset(&other.0)
    }

    /// The tokens, in a fixed order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// No token at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is in either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self(self.0.union(&other.0).cloned().collect())
    }

    /// What is in both.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Self {
        Self(self.0.intersection(&other.0).cloned().collect())
    }

    /// The owner of the deployment entitles: configuration is where granted scopes come from.
    #[must_use]
    pub fn entitle(&self) -> GrantedScope {
        GrantedScope(self.clone())
    }
}

impl GrantedScope {
    /// The same set, as a thing to compare with.
    #[must_use]
    pub fn as_scope(&self) -> &Scope {
        &self.0
    }

    /// What both grant.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Self {
        Self(self.0.intersect(&other.0))
    }
}

impl FromStr for Scope {
    type Err = InvalidScope;

    /// RFC 6749, section 3.3: `scope-token = 1*( %x21 / %x23-5B / %x5D-7E )`, separated by single spaces; we
    /// let more than one space pass.
    fn from_str(text: &str) -> Result<Self, InvalidScope> {
        let legal = |byte: u8| (0x21..=0x7e).contains(&byte) && byte != b'"' && byte != b'\\';
        text.split(' ')
            .filter(|token| !token.is_empty())
            .map(|token| if token.bytes().all(legal) { Ok(token.to_owned()) } else { Err(InvalidScope) })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, token) in self.iter().enumerate() {
            if index > 0 {
                formatter.write_str(" ")?;
            }
            formatter.write_str(token)?;
        }
        Ok(())
    }
}

impl fmt::Display for GrantedScope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl TryFrom<String> for Scope {
    type Error = InvalidScope;

    fn try_from(text: String) -> Result<Self, InvalidScope> {
        text.parse()
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_grammar_is_that_of_rfc_6749() {
        assert_eq!("b a  a".parse::<Scope>().unwrap().to_string(), "a b");
        assert!("a\tb".parse::<Scope>().is_err());
        assert!("a\"".parse::<Scope>().is_err());
        assert!("a\\".parse::<Scope>().is_err());
        assert!("ä".parse::<Scope>().is_err());
    }

    proptest! {
        #[test]
        fn narrowing_never_widens(asked in "[a-e ]{0,9}", ceiling in "[a-e ]{0,9}") {
            let asked: Scope = asked.parse().unwrap();
            let ceiling = ceiling.parse::<Scope>().unwrap().entitle();
            match Scope::narrow(Some(asked.clone()), &ceiling) {
                Ok(granted) => {
                    prop_assert!(granted.as_scope().is_within(ceiling.as_scope()));
                    prop_assert_eq!(granted.as_scope(), &asked);
                }
                Err(_) => prop_assert!(!asked.is_within(ceiling.as_scope())),
            }
            prop_assert_eq!(Scope::narrow(None, &ceiling).unwrap(), ceiling);
        }
    }
}
