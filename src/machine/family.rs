//! A family of refresh tokens: each is used once and names its successor.
//!
//! The cell holds digests alone. A successor is computed from its predecessor (see [`crate::refresh`]), so a repeated request gets
//! the same one and nothing is sealed or stored.

use serde::{Deserialize, Serialize};

use crate::secret::Digest;
use crate::time::{Timestamp, Ttl};

/// After a rotation the spent token still brings the same successor for so long, even if that has been used.
pub const GRACE: Ttl = Ttl::from_seconds(60);
/// A family that nobody uses ends after so long.
pub const LIFE: Ttl = Ttl::from_seconds(30 * 86400);
/// Spent tokens in their grace: whoever refreshes faster has less of it.
const MOST_SPENT: usize = 256;

/// One family.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Family {
    /// Tells it from earlier ones of the same record.
    pub id: u32,
    /// The number of the newest token.
    newest: u32,
    /// Its digest. It has not been used.
    digest: Digest,
    /// Spent tokens that are not yet out of their grace, oldest first.
    spent: Vec<Spent>,
    /// Nobody may refresh after that.
    pub expires: Timestamp,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Spent {
    number: u32,
    successor: Digest,
    rotated: Timestamp,
}

/// A refresh token as it is presented: genuine in form, see [`crate::refresh::Presented`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Presented {
    /// The family that it says it is of.
    pub family: u32,
    /// Its number in that.
    pub number: u32,
    /// The digests that it may be stored under.
    pub digests: Vec<Digest>,
    /// The digests of its successor, one for each secret of the deployment, the current one first.
    pub successors: Vec<Digest>,
}

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// It brings the successor with this index.
    Successor(usize),
    /// It was spent long ago: somebody else has it too. The family ends.
    Reused,
    /// It is not of this family, or its time is over.
    Unknown,
}

impl Family {
    /// A family with its first token.
    #[must_use]
    pub fn begin(id: u32, first: Digest, now: Timestamp) -> Self {
        Self { id, newest: 0, digest: first, spent: Vec::new(), expires: now.plus(LIFE) }
    }

    /// Whether the token is of this family. Its form shows that it was made here (see [`crate::refresh`]); only the newest could be made up by
    /// nobody but its holder.
    #[must_use]
    pub fn knows(&self, token: &Presented, now: Timestamp) -> bool {
        let newest = token.number == self.newest && token.digests.iter().any(|digest| digest.same(&self.digest));
        token.family == self.id && now < self.expires && (newest || token.number < self.newest)
    }

    /// Spends a token, or repeats what spending it brought.
    pub fn rotate(&mut self, token: &Presented, now: Timestamp) -> Rotation {
        if token.family != self.id || now >= self.expires || token.number > self.newest {
            return Rotation::Unknown;
        }
        self.spent.retain(|spent| now < spent.rotated.plus(GRACE) || spent.number.saturating_add(1) == self.newest);
        if token.number == self.newest {
            let (true, Some(successor)) = (token.digests.iter().any(|digest| digest.same(&self.digest)), token.successors.first()) else {
                return Rotation::Unknown;
            };
            let spent = Spent { number: self.newest, successor: successor.clone(), rotated: now };
            let surplus = self.spent.len().saturating_sub(MOST_SPENT - 1);
            self.spent.drain(..surplus);
            self.spent.push(spent);
            self.newest = self.newest.saturating_add(1);
            self.digest = successor.clone();
            self.expires = now.plus(LIFE);
            return Rotation::Successor(0);
        }
        let Some(spent) = self.spent.iter().find(|spent| spent.number == token.number) else { return Rotation::Reused };
        match token.successors.iter().position(|successor| successor.same(&spent.successor)) {
            Some(index) => Rotation::Successor(index),
            None => Rotation::Reused,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::id::RegistrationId;
    use crate::master::{Master, Masters};
    use crate::refresh::{self, Token};

    fn masters() -> Masters {
        Masters { current: Master::derive(b"current"), previous: None }
    }

    fn agent() -> RegistrationId {
        RegistrationId::from_bytes([1; 16])
    }

    const START: Timestamp = Timestamp::from_millis(1_000_000);

    fn present(token: &Token, masters: &Masters) -> (Presented, Vec<Token>) {
        let presented = refresh::Presented::parse(token.text(), masters).unwrap();
        (presented.command(), presented.successors)
    }

    #[test]
    fn a_repeat_brings_the_same_successor_until_that_is_used_and_a_minute_has_passed() {
        let masters = masters();
        let first = Token::first(&agent(), 0, [7; 16], &masters.current);
        let mut family = Family::begin(0, first.digest(), START);
        let (command, successors) = present(&first, &masters);
        assert_eq!(family.rotate(&command, START), Rotation::Successor(0));
        let second = &successors[0];
        let days = START.plus(Ttl::from_seconds(29 * 86400));
        assert_eq!(family.rotate(&command, days), Rotation::Successor(0), "unused: the same, however late");
        let (next, _) = present(second, &masters);
        assert_eq!(family.rotate(&next, days), Rotation::Successor(0));
        let soon = days.plus(Ttl::from_seconds(59));
        assert_eq!(family.rotate(&next, soon), Rotation::Successor(0));
        assert_eq!(family.rotate(&command, soon), Rotation::Reused, "its own rotation was long ago");
    }

    #[test]
    fn a_forged_token_changes_nothing() {
        let masters = masters();
        let mut family = Family::begin(0, Token::first(&agent(), 0, [7; 16], &masters.current).digest(), START);
        let stranger = Token::first(&agent(), 0, [8; 16], &masters.current);
        let before = serde_json::to_string(&family).unwrap();
        assert_eq!(family.rotate(&present(&stranger, &masters).0, START), Rotation::Unknown);
        let other = Token::first(&agent(), 1, [7; 16], &masters.current);
        assert_eq!(family.rotate(&present(&other, &masters).0, START), Rotation::Unknown);
        assert_eq!(serde_json::to_string(&family).unwrap(), before);
    }

    #[test]
    fn however_fast_its_client_is_a_family_stays_small() {
        let masters = masters();
        let mut token = Token::first(&agent(), 0, [7; 16], &masters.current);
        let mut family = Family::begin(0, token.digest(), START);
        let mut presented = Vec::new();
        for _ in 0..=MOST_SPENT {
            let (command, successors) = present(&token, &masters);
            assert_eq!(family.rotate(&command, START), Rotation::Successor(0));
            presented.push(command);
            token = successors.into_iter().next().unwrap();
        }
        assert_eq!(family.spent.len(), MOST_SPENT);
        assert_eq!(family.rotate(&presented[1], START), Rotation::Successor(0));
        assert_eq!(family.rotate(&presented[0], START), Rotation::Reused);
    }

    proptest! {
        /// Whatever is presented when, two answers to one token are never two different successors.
        #[test]
        fn every_token_has_one_successor(steps in proptest::collection::vec((any::<usize>(), 0_u64..90), 1..60)) {
            let masters = masters();
            let first = Token::first(&agent(), 0, [7; 16], &masters.current);
            let mut family = Family::begin(0, first.digest(), START);
            let (mut tokens, mut now) = (vec![first], START);
            for (pick, later) in steps {
                now = now.plus(Ttl::from_seconds(later));
                let at = pick % tokens.len();
                let (command, successors) = present(&tokens[at], &masters);
                match family.rotate(&command, now) {
                    Rotation::Successor(index) => match tokens.get(at + 1) {
                        Some(known) => prop_assert_eq!(known.text(), successors[index].text()),
                        None => tokens.extend(successors.into_iter().nth(index)),
                    },
                    Rotation::Reused => prop_assert!(at + 2 < tokens.len(), "an unused successor is always brought again"),
                    Rotation::Unknown => prop_assert!(false, "all are genuine"),
                }
            }
        }
    }
}
