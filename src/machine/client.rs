//! One client that has registered itself, or that the operator has made.

use serde::{Deserialize, Serialize};

use super::{Machine, Next};
use crate::client::Metadata;
use crate::secret::Digest;
use crate::time::{Timestamp, Ttl};

/// What is kept of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Registered {
    /// What it is.
    pub metadata: Metadata,
    /// Who may change it.
    pub keeper: Keeper,
    /// Of its secret.
    pub secret: Option<Digest>,
    /// Of its registration access token.
    pub management: Option<Digest>,
    /// People are not asked for consent.
    #[serde(default)]
    pub trusted: bool,
    /// When it was registered.
    pub created: Timestamp,
    /// It is forgotten then, unless it is used.
    pub until: Timestamp,
}

/// Who may change a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Keeper {
    /// Nobody: all who have registered the same metadata share it.
    Shared,
    /// Whoever holds its registration access token.
    Holder,
    /// The operator.
    Operator,
}

/// What can happen to it.
#[derive(Debug, Serialize, Deserialize)]
pub enum Command {
    /// How is it?
    Look,
    /// It registers; what is there already stays as it is.
    Open {
        /// What it is.
        metadata: Metadata,
        /// Who may change it.
        keeper: Keeper,
        /// Of its secret.
        secret: Option<Digest>,
        /// Of its registration access token.
        management: Option<Digest>,
        /// People are not asked for consent.
        trusted: bool,
        /// It is forgotten after so long, unless it is used; none for never.
        ttl: Option<Ttl>,
    },
    /// It registers again with the same metadata.
    Renew {
        /// It is not forgotten for so long.
        ttl: Ttl,
    },
    /// Something was granted to it.
    Use {
        /// It is not forgotten before then.
        until: Timestamp,
    },
    /// Its holder changes it.
    Replace {
        /// Digests of the registration access token that was shown.
        token: Vec<Digest>,
        /// What it is from now on.
        metadata: Metadata,
        /// Of its secret from now on.
        secret: Option<Digest>,
    },
    /// Its holder ends it.
    Delete {
        /// Digests of the registration access token that was shown.
        token: Vec<Digest>,
    },
    /// The operator ends it.
    Remove,
}

/// What it answers.
#[derive(Debug, Serialize, Deserialize)]
pub enum Outcome {
    /// There is no such client, or none any more.
    Unknown,
    /// Not by this token.
    Refused,
    /// This is how it is, or how it was when it ended.
    Client(Box<Registered>),
}

/// What is renewed more often than this is not written again.
const RENEWED: Ttl = Ttl::from_seconds(3600);

impl Machine for Registered {
    const KIND: &'static str = "client";
    /// `client_id`.
    type Id = String;
    type Command = Command;
    type Outcome = Outcome;

    fn step(state: Option<Self>, command: Command, now: Timestamp) -> (Next<Self>, Outcome) {
        let Some(known) = state else {
            return match command {
                Command::Open { metadata, keeper, secret, management, trusted, ttl } => {
                    let until = ttl.map_or(Timestamp::NEVER, |ttl| now.plus(ttl));
                    Self { metadata, keeper, secret, management, trusted, created: now, until }.put()
                }
                _ => (Next::Keep, Outcome::Unknown),
            };
        };
        match command {
            // An hour more than is needed, so that it is written once an hour at most.
            Command::Renew { ttl } if known.until < now.plus(ttl) => known.extend(now.plus(ttl).plus(RENEWED)),
            Command::Use { until } if known.until < until => known.extend(until),
            Command::Replace { token, metadata, secret } if known.is_held_by(&token) => Self { metadata, secret, ..known }.put(),
            Command::Delete { token } if known.is_held_by(&token) => (Next::Delete, Outcome::Client(Box::new(known))),
            Command::Remove if known.keeper == Keeper::Operator => (Next::Delete, Outcome::Client(Box::new(known))),
            Command::Replace { .. } | Command::Delete { .. } | Command::Remove => (Next::Keep, Outcome::Refused),
            Command::Look | Command::Open { .. } | Command::Renew { .. } | Command::Use { .. } => {
                (Next::Keep, Outcome::Client(Box::new(known)))
            }
        }
    }
}

impl Registered {
    /// Whether one of these digests is that of its registration access token.
    #[must_use]
    pub fn is_of(&self, token: &[Digest]) -> bool {
        self.management.as_ref().is_some_and(|known| token.iter().fold(false, |found, shown| found | shown.same(known)))
    }

    fn is_held_by(&self, token: &[Digest]) -> bool {
        self.keeper == Keeper::Holder && self.is_of(token)
    }

    fn extend(self, until: Timestamp) -> (Next<Self>, Outcome) {
        Self { until, ..self }.put()
    }

    fn put(self) -> (Next<Self>, Outcome) {
        let until = self.until;
        (Next::Put(self.clone(), until), Outcome::Client(Box::new(self)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Change, Record, advance};
    use crate::master::Master;

    const HOUR: Ttl = Ttl::from_seconds(3600);

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(1000 * seconds)
    }

    fn token(text: &str) -> Digest {
        Master::derive(b"master").digest("token", text)
    }

    fn open(keeper: Keeper) -> Command {
        let ttl = (keeper != Keeper::Operator).then_some(HOUR);
        let metadata = Metadata { client_name: Some("first".to_owned()), ..Metadata::default() };
        Command::Open { metadata, keeper, secret: None, management: Some(token("right")), trusted: false, ttl }
    }

    /// One record and how often it was written.
    #[derive(Default)]
    struct Cell(Option<Record<Registered>>, usize);

    impl Cell {
        fn run(&mut self, command: Command, now: Timestamp) -> Outcome {
            let (change, outcome) = advance::<Registered>(self.0.clone(), command, now);
            match change {
                Change::None => {}
                Change::Write(record) => *self = Self(Some(record), self.1 + 1),
                Change::Erase => *self = Self(None, self.1 + 1),
            }
            outcome
        }

        fn is_there(&mut self, now: Timestamp) -> bool {
            matches!(self.run(Command::Look, now), Outcome::Client(_))
        }
    }

    #[test]
    fn whatever_nobody_uses_is_forgotten_and_may_come_again() {
        let mut cell = Cell::default();
        assert!(matches!(cell.run(Command::Renew { ttl: HOUR }, at(1)), Outcome::Unknown));
        cell.run(open(Keeper::Shared), at(1));
        assert!(cell.is_there(at(3600)) && !cell.is_there(at(3601)));
        assert!(matches!(cell.run(Command::Use { until: at(9999) }, at(3601)), Outcome::Unknown), "too late");
        cell.run(open(Keeper::Shared), at(4000));
        assert!(cell.is_there(at(4001)));
    }

    #[test]
    fn a_repeat_is_written_once_an_hour_at_most() {
        let mut cell = Cell::default();
        cell.run(open(Keeper::Shared), at(0));
        for second in 1..36_000 {
            cell.run(Command::Renew { ttl: HOUR }, at(second));
            assert!(cell.0.as_ref().unwrap().expires >= at(second).plus(HOUR));
        }
        assert!(cell.1 <= 11, "{}", cell.1);
    }

    #[test]
    fn whatever_is_used_lives_on() {
        let mut cell = Cell::default();
        cell.run(open(Keeper::Holder), at(0));
        cell.run(Command::Use { until: at(100_000) }, at(10));
        cell.run(Command::Use { until: at(50_000) }, at(20));
        cell.run(Command::Renew { ttl: HOUR }, at(30));
        assert!(cell.is_there(at(99_999)) && !cell.is_there(at(100_000)));
    }

    #[test]
    fn a_second_one_does_not_take_the_place_of_the_first() {
        let mut cell = Cell::default();
        cell.run(open(Keeper::Holder), at(0));
        let other = Metadata { client_name: Some("other".to_owned()), ..Metadata::default() };
        let command = Command::Open { metadata: other, keeper: Keeper::Operator, secret: None, management: None, trusted: true, ttl: None };
        let Outcome::Client(client) = cell.run(command, at(1)) else { panic!("it is there") };
        assert_eq!((client.metadata.client_name.as_deref(), client.keeper, client.trusted), (Some("first"), Keeper::Holder, false));
    }

    #[test]
    fn only_its_keeper_changes_it() {
        let replace = |text: &str| Command::Replace { token: vec![token(text)], metadata: Metadata::default(), secret: None };
        let delete = |text: &str| Command::Delete { token: vec![token("other"), token(text)] };
        for keeper in [Keeper::Shared, Keeper::Operator, Keeper::Holder] {
            let mut cell = Cell::default();
            cell.run(open(keeper), at(0));
            let may = keeper == Keeper::Holder;
            for command in [replace("wrong"), delete("wrong")] {
                assert!(matches!(cell.run(command, at(1)), Outcome::Refused));
            }
            assert!(matches!(cell.run(Command::Delete { token: Vec::new() }, at(1)), Outcome::Refused));
            assert_eq!(matches!(cell.run(replace("right"), at(1)), Outcome::Client(_)), may);
            assert_eq!(matches!(cell.run(delete("right"), at(1)), Outcome::Client(_)), may);
            assert_eq!(cell.is_there(at(1)), !may);
            assert_eq!(matches!(cell.run(Command::Remove, at(1)), Outcome::Client(_)), keeper == Keeper::Operator);
        }
    }
}
