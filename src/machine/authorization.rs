//! An authorization request that waits: pushed by a client (RFC 9126), or shown to a person for consent. Each is used once.

use serde::{Deserialize, Serialize};

use super::{Machine, Next};
use crate::id::{AccountId, AuthorizationId};
use crate::secret::Digest;
use crate::time::Ttl;

/// One request.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Authorization {
    secret: Digest,
    request: Request,
}

/// What waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The parameters, form-encoded: read and judged anew whenever they are used.
    pub parameters: String,
    /// Whoever it is for: the client that has pushed it, or the person and the browser that it was shown to.
    pub owner: Owner,
}

/// Whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Owner {
    /// Pushed by this client.
    Client(String),
    /// Shown to this person.
    Person {
        /// Who.
        account: AccountId,
        /// In which browser.
        browser: String,
        /// The pushed request that it is: used up with the answer.
        pushed: Option<AuthorizationId>,
    },
}

/// What can happen to it.
#[derive(Debug, Serialize, Deserialize)]
pub enum Command {
    /// It begins to wait.
    Open {
        /// Of the secret that opens it.
        secret: Digest,
        /// What waits.
        request: Request,
        /// For how long.
        ttl: Ttl,
    },
    /// What waits? Nothing changes.
    Look(Vec<Digest>),
    /// It is used.
    Take(Vec<Digest>),
    /// It is used by the page that it was shown on.
    Spend,
}

/// What it answers.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It waits.
    Opened,
    /// This.
    Request(Request),
    /// Used, expired, or never there.
    Over,
}

impl Machine for Authorization {
    const KIND: &'static str = "authorization";
    type Id = AuthorizationId;
    type Command = Command;
    type Outcome = Outcome;

    fn step(state: Option<Self>, command: Command, now: crate::time::Timestamp) -> (Next<Self>, Outcome) {
        let opens = |known: &Self, digests: &[Digest]| digests.iter().any(|digest| digest.same(&known.secret));
        match (state, command) {
            (None, Command::Open { secret, request, ttl }) => (Next::Put(Self { secret, request }, now.plus(ttl)), Outcome::Opened),
            (Some(known), Command::Look(digests)) if opens(&known, &digests) => (Next::Keep, Outcome::Request(known.request)),
            (Some(known), Command::Take(digests)) if opens(&known, &digests) => (Next::Delete, Outcome::Request(known.request)),
            (Some(known), Command::Spend) => (Next::Delete, Outcome::Request(known.request)),
            _ => (Next::Keep, Outcome::Over),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Change, Record, advance};
    use crate::master::Master;
    use crate::time::Timestamp;

    #[test]
    fn a_request_is_used_once_by_who_holds_its_secret() {
        let digest = |text: &str| Master::derive(b"x").digest("test", text);
        let request = Request { parameters: "client_id=a".into(), owner: Owner::Client("a".into()) };
        let open = Command::Open { secret: digest("s"), request: request.clone(), ttl: Ttl::from_seconds(600) };
        let start = Timestamp::from_millis(0);
        let (Change::Write(record), Outcome::Opened) = advance::<Authorization>(None, open, start) else { panic!("not opened") };
        let run = |record: &Record<Authorization>, command, now| advance::<Authorization>(Some(record.clone()), command, now);
        assert_eq!(run(&record, Command::Take(vec![digest("t")]), start).1, Outcome::Over);
        assert_eq!(run(&record, Command::Look(vec![digest("s")]), start).1, Outcome::Request(request.clone()));
        let (change, outcome) = run(&record, Command::Take(vec![digest("s")]), start);
        assert!(matches!(change, Change::Erase) && outcome == Outcome::Request(request));
        let late = start.plus(Ttl::from_seconds(600));
        assert_eq!(run(&record, Command::Take(vec![digest("s")]), late).1, Outcome::Over);
    }
}
