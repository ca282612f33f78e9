//! A browser on its way to a provider of people and back; and what it brought, until its person has said what is to become of it.

use serde::{Deserialize, Serialize};

use super::{Machine, Next};
use crate::account::Arrival;
use crate::id::AccountId;
use crate::secret::Digest;
use crate::time::{Timestamp, Ttl};

/// A journey, and the question after it, last so long each.
pub const LIFE: Ttl = Ttl::from_seconds(600);

/// One journey.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Upstream {
    /// Of `state`, or of the question's token.
    secret: Digest,
    /// Of the browser's cookie: what this browser has begun, no other ends.
    browser: Digest,
    stage: Stage,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Stage {
    Away(Journey),
    Asked(Question),
}

/// What is to be known when a browser comes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journey {
    /// The provider's issuer.
    pub issuer: String,
    /// Where the person wants to go.
    pub return_to: String,
    /// Who wants to link an identity; nobody if somebody signs in.
    pub account: Option<AccountId>,
    /// The sign-in there may be so old.
    pub max_age: Option<Ttl>,
}

/// Somebody whom a provider has named, and who may link that name to an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Whom.
    pub arrival: Arrival,
    /// The only account that may; any if there is none.
    pub account: Option<AccountId>,
    /// Where the person wants to go.
    pub return_to: String,
}

/// What can happen to it.
#[derive(Debug, Serialize, Deserialize)]
pub enum Command {
    /// A browser sets out.
    SetOut {
        /// Of `state`.
        secret: Digest,
        /// Of the browser.
        browser: Digest,
        /// What is to be known when it comes back.
        journey: Journey,
    },
    /// A browser comes back. That is once; if it is another, or if the answer is another provider's, it has not happened.
    ComeBack {
        /// The digests of `state`.
        secret: Vec<Digest>,
        /// The digests of the browser.
        browser: Vec<Digest>,
        /// `iss`, if the answer has it (RFC 9207).
        issuer: Option<String>,
    },
    /// A question comes up.
    Ask {
        /// Of its token.
        secret: Digest,
        /// Of the browser.
        browser: Digest,
        /// The question.
        question: Question,
    },
    /// What was the question? Nothing changes.
    Look {
        /// The digests of the token.
        secret: Vec<Digest>,
        /// The digests of the browser.
        browser: Vec<Digest>,
    },
    /// It is answered, by this account.
    Answer {
        /// The digests of the token.
        secret: Vec<Digest>,
        /// The digests of the browser.
        browser: Vec<Digest>,
        /// Who answers.
        account: AccountId,
    },
}

/// What comes of it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It is kept.
    Begun,
    /// This is the journey; of the digests of `state` it was the one in this place.
    Back(Journey, u32),
    /// This is the question.
    Question(Question),
    /// Another browser has begun it.
    OtherBrowser,
    /// Another provider answers than was asked.
    OtherIssuer,
    /// Another account is asked.
    OtherAccount,
    /// Used, expired, or never there.
    Over,
}

impl Machine for Upstream {
    const KIND: &'static str = "upstream";
    type Id = crate::id::UpstreamId;
    type Command = Command;
    type Outcome = Outcome;

    fn step(state: Option<Self>, command: Command, now: Timestamp) -> (Next<Self>, Outcome) {
        let put = |secret, browser, stage| (Next::Put(Self { secret, browser, stage }, now.plus(LIFE)), Outcome::Begun);
        let place = |digests: &[Digest], known: &Digest| digests.iter().position(|digest| digest.same(known));
        match (state, command) {
            (None, Command::SetOut { secret, browser, journey }) => put(secret, browser, Stage::Away(journey)),
            (None, Command::Ask { secret, browser, question }) => put(secret, browser, Stage::Asked(question)),
            (Some(Self { secret: known, browser: own, stage: Stage::Away(journey) }), Command::ComeBack { secret, browser, issuer }) => {
                let outcome = match place(&secret, &known) {
                    None => Outcome::Over,
                    Some(_) if place(&browser, &own).is_none() => Outcome::OtherBrowser,
                    Some(_) if issuer.is_some_and(|issuer| issuer != journey.issuer) => Outcome::OtherIssuer,
                    Some(place) => return (Next::Delete, Outcome::Back(journey, u32::try_from(place).unwrap_or_default())),
                };
                (Next::Keep, outcome)
            }
            (Some(Self { secret: known, browser: own, stage: Stage::Asked(question) }), command) => {
                let (secret, browser, account) = match command {
                    Command::Look { secret, browser } => (secret, browser, None),
                    Command::Answer { secret, browser, account } => (secret, browser, Some(account)),
                    _ => return (Next::Keep, Outcome::Over),
                };
                let outcome = match &account {
                    _ if place(&secret, &known).is_none() => Outcome::Over,
                    _ if place(&browser, &own).is_none() => Outcome::OtherBrowser,
                    Some(account) if question.account.as_ref().is_some_and(|only| only != account) => Outcome::OtherAccount,
                    Some(_) => return (Next::Delete, Outcome::Question(question)),
                    None => Outcome::Question(question),
                };
                (Next::Keep, outcome)
            }
            _ => (Next::Keep, Outcome::Over),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Change, Record, advance};
    use crate::master::Master;

    fn digest(text: &str) -> Digest {
        Master::derive(b"x").digest("test", text)
    }

    struct World(Option<Record<Upstream>>, Timestamp);

    impl World {
        fn run(&mut self, command: Command) -> Outcome {
            let (change, outcome) = advance::<Upstream>(self.0.clone(), command, self.1);
            match change {
                Change::None => {}
                Change::Write(record) => self.0 = Some(record),
                Change::Erase => self.0 = None,
            }
            outcome
        }

        fn back(&mut self, secret: &str, browser: &str, issuer: Option<&str>) -> Outcome {
            let (secret, browser) = (vec![digest("former"), digest(secret)], vec![digest(browser)]);
            self.run(Command::ComeBack { secret, browser, issuer: issuer.map(str::to_owned) })
        }

        fn answer(&mut self, secret: &str, browser: &str, account: u8) -> Outcome {
            self.run(Command::Answer { secret: vec![digest(secret)], browser: vec![digest(browser)], account: account_of(account) })
        }
    }

    fn account_of(number: u8) -> AccountId {
        AccountId::from_bytes([number; 16])
    }

    fn journey() -> Journey {
        Journey { issuer: "https://a".into(), return_to: "/account".into(), account: None, max_age: None }
    }

    fn away() -> World {
        let mut world = World(None, Timestamp::from_millis(0));
        let command = Command::SetOut { secret: digest("s"), browser: digest("b"), journey: journey() };
        assert_eq!(world.run(command), Outcome::Begun);
        world
    }

    fn asked(account: Option<u8>) -> (World, Question) {
        let arrival = Arrival { issuer: "https://a".into(), subject: "1".into(), email: None, name: None, picture: None };
        let question = Question { arrival, account: account.map(account_of), return_to: "/account".into() };
        let mut world = World(None, Timestamp::from_millis(0));
        let command = Command::Ask { secret: digest("s"), browser: digest("b"), question: question.clone() };
        assert_eq!(world.run(command), Outcome::Begun);
        (world, question)
    }

    #[test]
    fn a_browser_comes_back_once_and_nobody_else_uses_that_up() {
        let mut world = away();
        assert_eq!(world.back("other", "b", None), Outcome::Over);
        assert_eq!(world.back("s", "other", None), Outcome::OtherBrowser);
        assert_eq!(world.back("s", "b", Some("https://b")), Outcome::OtherIssuer);
        assert_eq!(world.answer("s", "b", 1), Outcome::Over, "a state is no token of a question");
        assert_eq!(world.back("s", "b", Some("https://a")), Outcome::Back(journey(), 1));
        assert_eq!(world.back("s", "b", None), Outcome::Over);
    }

    #[test]
    fn a_question_is_answered_once_by_whom_it_was_put_to() {
        let (mut world, question) = asked(Some(1));
        for _ in 0..2 {
            let look = Command::Look { secret: vec![digest("s")], browser: vec![digest("b")] };
            assert_eq!(world.run(look), Outcome::Question(question.clone()));
        }
        assert_eq!(world.back("s", "b", None), Outcome::Over, "a token is no state");
        assert_eq!(world.answer("other", "b", 1), Outcome::Over);
        assert_eq!(world.answer("s", "other", 1), Outcome::OtherBrowser);
        assert_eq!(world.answer("s", "b", 2), Outcome::OtherAccount);
        assert_eq!(world.answer("s", "b", 1), Outcome::Question(question));
        assert_eq!(world.answer("s", "b", 1), Outcome::Over);
        let (mut world, question) = asked(None);
        assert_eq!(world.answer("s", "b", 2), Outcome::Question(question), "any account");
    }

    #[test]
    fn ten_minutes_are_the_end() {
        let mut world = away();
        world.1 = world.1.plus(Ttl::from_millis(LIFE.millis()));
        assert_eq!(world.back("s", "b", None), Outcome::Over);
        let (mut world, _) = asked(None);
        world.1 = world.1.plus(Ttl::from_millis(LIFE.millis()));
        assert_eq!(world.answer("s", "b", 1), Outcome::Over);
    }
}
