//! A sign-in by mail that is under way: one code, one link, one use.

use serde::{Deserialize, Serialize};

use super::{Machine, Next};
use crate::secret::Digest;
use crate::time::{Timestamp, Ttl};

/// Code and link live so long.
pub const LIFE: Ttl = Ttl::from_seconds(600);
/// Wrong codes; the next one is not looked at.
const WRONG: u32 = 5;

/// One sign-in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Login {
    /// The address that the mail went to, as it was written.
    email: String,
    /// Of the secret that the page holds: a code works in the browser that asked for it, and nowhere else.
    page: Digest,
    code: Digest,
    link: Digest,
    return_to: String,
    wrong: u32,
    expires: Timestamp,
}

/// What can happen to it.
#[derive(Debug, Serialize, Deserialize)]
pub enum Command {
    /// A mail is about to be sent.
    Open {
        /// To whom.
        email: String,
        /// Of the page's secret.
        page: Digest,
        /// Of the code.
        code: Digest,
        /// Of the link's secret.
        link: Digest,
        /// Where the person wants to go.
        return_to: String,
    },
    /// A code is typed.
    Try {
        /// The digests of the page's secret.
        page: Vec<Digest>,
        /// The digests of the code.
        code: Vec<Digest>,
    },
    /// The link is opened: nothing changes.
    Look {
        /// The digests of the link's secret.
        link: Vec<Digest>,
    },
    /// The button behind the link is pressed.
    Follow {
        /// The digests of the link's secret.
        link: Vec<Digest>,
    },
}

/// What comes of it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// The mail can go out.
    Opened,
    /// Who holds this can read the mail of `email`.
    Proven {
        /// The address.
        email: String,
        /// Where the person wants to go.
        return_to: String,
    },
    /// Not the code.
    Wrong,
    /// Used, expired, worn out, or never there.
    Over,
}

impl Machine for Login {
    const KIND: &'static str = "login";
    type Id = crate::id::LoginId;
    type Command = Command;
    type Outcome = Outcome;

    fn step(state: Option<Self>, command: Command, now: Timestamp) -> (Next<Self>, Outcome) {
        let same = |digests: &[Digest], known: &Digest| digests.iter().any(|digest| digest.same(known));
        match (state, command) {
            (None, Command::Open { email, page, code, link, return_to }) => {
                let expires = now.plus(LIFE);
                (Next::Put(Self { email, page, code, link, return_to, wrong: 0, expires }, expires), Outcome::Opened)
            }
            (Some(known), Command::Try { page, code }) if same(&page, &known.page) && known.wrong < WRONG => {
                if same(&code, &known.code) {
                    return (Next::Delete, known.proven());
                }
                let expires = known.expires;
                let known = Self { wrong: known.wrong.saturating_add(1), ..known };
                let outcome = if known.wrong < WRONG { Outcome::Wrong } else { Outcome::Over };
                (Next::Put(known, expires), outcome)
            }
            (Some(known), Command::Look { link }) if same(&link, &known.link) => (Next::Keep, known.proven()),
            (Some(known), Command::Follow { link }) if same(&link, &known.link) => (Next::Delete, known.proven()),
            _ => (Next::Keep, Outcome::Over),
        }
    }
}

impl Login {
    fn proven(self) -> Outcome {
        Outcome::Proven { email: self.email, return_to: self.return_to }
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

    struct World(Option<Record<Login>>, Timestamp);

    impl World {
        fn new() -> Self {
            let mut world = Self(None, Timestamp::from_millis(0));
            let [page, code, link] = ["page", "code", "link"].map(digest);
            let open = Command::Open { email: "ada@example.com".into(), page, code, link, return_to: "/account".into() };
            assert_eq!(world.run(open), Outcome::Opened);
            world
        }

        fn run(&mut self, command: Command) -> Outcome {
            let (change, outcome) = advance::<Login>(self.0.clone(), command, self.1);
            match change {
                Change::None => {}
                Change::Write(record) => self.0 = Some(record),
                Change::Erase => self.0 = None,
            }
            outcome
        }

        fn code(&mut self, page: &str, code: &str) -> Outcome {
            self.run(Command::Try { page: vec![digest(page)], code: vec![digest(code)] })
        }
    }

    fn proven() -> Outcome {
        Outcome::Proven { email: "ada@example.com".into(), return_to: "/account".into() }
    }

    #[test]
    fn a_code_works_once_and_on_its_own_page() {
        let mut world = World::new();
        assert_eq!(world.code("another page", "code"), Outcome::Over);
        assert_eq!(world.code("page", "code"), proven());
        assert_eq!(world.code("page", "code"), Outcome::Over);
        assert_eq!(world.run(Command::Follow { link: vec![digest("link")] }), Outcome::Over, "code and link are one use");
    }

    #[test]
    fn five_wrong_codes_are_the_end_even_of_the_right_one() {
        let mut world = World::new();
        for _ in 0..4 {
            assert_eq!(world.code("page", "wrong"), Outcome::Wrong);
        }
        assert_eq!(world.code("page", "wrong"), Outcome::Over);
        assert_eq!(world.code("page", "code"), Outcome::Over);
        // Who reads the mail is not the one who guesses.
        assert_eq!(world.run(Command::Follow { link: vec![digest("link")] }), proven());
    }

    #[test]
    fn opening_the_link_uses_nothing_and_time_ends_it() {
        let mut world = World::new();
        for _ in 0..3 {
            assert_eq!(world.run(Command::Look { link: vec![digest("link")] }), proven());
        }
        world.1 = world.1.plus(Ttl::from_millis(LIFE.millis() - 1));
        assert_eq!(world.run(Command::Look { link: vec![digest("link")] }), proven());
        world.1 = world.1.plus(Ttl::from_millis(1));
        assert_eq!(world.code("page", "code"), Outcome::Over);
        assert_eq!(world.run(Command::Follow { link: vec![digest("link")] }), Outcome::Over);
    }
}
