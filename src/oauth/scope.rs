//! Scope: what is asked for, and what somebody is entitled to. Only the second can be signed.
//!
//! What somebody holds may end in `.*`: [`Scope::covers`] knows that, and [`Scope::resolve`] takes it away before anything is signed.

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

    /// What somebody may hold: each name is one token, and a `*` stands only at the end, after a dot and something before it. `files.*` is
    /// one; `*`, `fi*` and `*.read` are none.
    ///
    /// # Errors
    /// A name is no token of RFC 6749, section 3.3, or has a `*` elsewhere.
    pub fn held<'n>(names: impl IntoIterator<Item = &'n str>) -> Result<Self, InvalidScope> {
        let token = |name: &str| match Held::of(name) {
            Held::Nothing => Err(InvalidScope),
            _ if name.is_empty() || !name.bytes().all(is_legal) => Err(InvalidScope),
            _ => Ok(name.to_owned()),
        };
        names.into_iter().map(token).collect::<Result<_, _>>().map(Self)
    }

    /// Whether whoever holds this scope has the right that `asked` names. Held `files.*` covers `files.read`, `files.a.read` and
    /// `files.a.*`, not `files`; held `files.read` covers itself alone.
    #[must_use]
    pub fn covers(&self, asked: &str) -> bool {
        !matches!(Held::of(asked), Held::Nothing) && self.iter().any(|held| covers(held, asked))
    }

    /// Whether whoever holds this scope has every right that `asked` names.
    #[must_use]
    pub fn covers_all(&self, asked: &Self) -> bool {
        asked.iter().all(|asked| self.covers(asked))
    }

    /// What both cover: of `files.*` and `files.read` it is `files.read`.
    #[must_use]
    pub fn common(&self, other: &Self) -> Self {
        let within =
            |narrow: &Self, wide: &Self| narrow.iter().filter(|token| wide.covers(token)).map(str::to_owned).collect::<BTreeSet<_>>();
        let mut both = within(self, other);
        both.extend(within(other, self));
        Self(both)
    }

    /// This scope without wildcards, as tokens carry it: each is replaced by what it covers of `known`. Names that are no wildcards stay,
    /// known or not.
    #[must_use]
    pub fn resolve(&self, known: &Self) -> Self {
        let is_concrete = |token: &&str| matches!(Held::of(token), Held::Concrete);
        let expanded = known.iter().filter(is_concrete).filter(|token| self.covers(token));
        Self(self.iter().filter(is_concrete).chain(expanded).map(str::to_owned).collect())
    }

    /// The owner of the deployment entitles: configuration is where granted scopes come from.
    #[must_use]
    pub fn entitle(&self) -> GrantedScope {
        GrantedScope(self.clone())
    }
}

/// What a name covers on the side of whoever holds it.
enum Held<'n> {
    /// Itself.
    Concrete,
    /// Everything that begins so and goes on.
    Wildcard(&'n str),
    /// It has a `*` where none may be.
    Nothing,
}

impl<'n> Held<'n> {
    fn of(name: &'n str) -> Self {
        match name.strip_suffix('*') {
            None if !name.contains('*') => Self::Concrete,
            Some(before) if before.len() > 1 && before.ends_with('.') && !before.contains('*') => Self::Wildcard(before),
            _ => Self::Nothing,
        }
    }
}

fn covers(held: &str, asked: &str) -> bool {
    match Held::of(held) {
        Held::Concrete => held == asked,
        Held::Wildcard(before) => asked.strip_prefix(before).is_some_and(|rest| !rest.is_empty()),
        Held::Nothing => false,
    }
}

/// A character of a scope token (RFC 6749, section 3.3).
fn is_legal(byte: u8) -> bool {
    (0x21..=0x7e).contains(&byte) && byte != b'"' && byte != b'\\'
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
        text.split(' ')
            .filter(|token| !token.is_empty())
            .map(|token| if token.bytes().all(is_legal) { Ok(token.to_owned()) } else { Err(InvalidScope) })
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

    fn scope(text: &str) -> Scope {
        text.parse().unwrap()
    }

    #[test]
    fn a_wildcard_covers_on_the_side_of_whoever_holds_it_alone() {
        for (held, asked, covered) in [
            ("files.read", "files.read", true),
            ("files.*", "files.read", true),
            ("files.*", "files.a.read", true),
            ("files.*", "files.*", true),
            ("files.*", "files.a.*", true),
            ("files.read", "files.*", false),
            ("files.a.*", "files.*", false),
            ("files.*", "files", false),
            ("files.*", "files.", false),
            ("files.*", "filesystem.read", false),
            ("files.*", "Files.read", false),
            ("files.*", "files.re*", false),
            ("files.*", "files.*.read", false),
            ("*", "files.read", false),
            ("*", "*", false),
            (".*", ".read", false),
            ("fi*", "files", false),
            ("*.read", "files.read", false),
            ("files.*.read", "files.*.read", false),
            ("", "files.read", false),
            ("files.read", "", false),
            ("files.* files.read", "files.read", true),
        ] {
            assert_eq!(scope(held).covers(asked), covered, "{held} {asked}");
        }
    }

    #[test]
    fn a_star_stands_at_the_end_after_a_dot() {
        assert_eq!(Scope::held(["b.*", "a"]).unwrap().to_string(), "a b.*");
        for wrong in ["*", ".*", "a*", "a.*.b", "*.a", "a.**", "a.*.*", "", "a b", "a\"", "ä"] {
            assert_eq!(Scope::held(["a", wrong]), Err(InvalidScope), "{wrong}");
        }
    }

    #[test]
    fn no_wildcard_is_left_when_a_scope_is_resolved() {
        let known = scope("files.read files.write agents.read other.*");
        assert_eq!(scope("files.* custom other.* * fi*").resolve(&known), scope("custom files.read files.write"));
        assert_eq!(scope("files.*").resolve(&Scope::default()), Scope::default());
    }

    #[test]
    fn what_both_cover_is_the_narrower() {
        assert_eq!(scope("files.* a b").common(&scope("files.read files.x.* b c *")), scope("files.read files.x.* b"));
    }

    proptest! {
        #[test]
        fn what_is_common_is_covered_by_both_and_nothing_else_is(
            left in "([ab]([.][ab*]){0,2} ){0,4}", right in "([ab]([.][ab*]){0,2} ){0,4}", asked in "[ab]([.][ab]){0,3}",
        ) {
            let (left, right) = (scope(&left), scope(&right));
            prop_assert_eq!(left.common(&right).covers(&asked), left.covers(&asked) && right.covers(&asked));
            prop_assert_eq!(left.common(&right), right.common(&left));
        }

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
