//! A browser in which a person has signed in.

use serde::{Deserialize, Serialize};

use super::{Machine, Next};
use crate::id::{AccountId, SessionId};
use crate::secret::Digest;
use crate::time::{Timestamp, Ttl};

/// Use is noted at most this often.
const NOTED: Ttl = Ttl::from_seconds(60);

/// One session.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Session {
    secret: Digest,
    account: AccountId,
    signed_in: Timestamp,
    method: String,
    used: Timestamp,
    /// It ends then, used or not.
    ends: Timestamp,
}

/// What can happen to it.
#[derive(Debug, Serialize, Deserialize)]
pub enum Command {
    /// A person has signed in.
    Open {
        /// Of the cookie.
        secret: Digest,
        /// Who.
        account: AccountId,
        /// How: `mail` or `passkey`.
        method: String,
        /// The longest life.
        life: Ttl,
        /// The longest pause.
        idle: Ttl,
    },
    /// The browser comes with its cookie.
    Use {
        /// The digests of the cookie.
        secret: Vec<Digest>,
        /// The longest pause.
        idle: Ttl,
    },
    /// Its person ends it.
    End(AccountId),
}

/// What a session answers.
#[derive(Debug, Serialize, Deserialize)]
pub enum Outcome {
    /// It is good.
    Live {
        /// Who.
        account: AccountId,
        /// When they last proved it (`auth_time`).
        signed_in: Timestamp,
        /// How.
        method: String,
        /// It ends then at the latest.
        ends: Timestamp,
        /// It was not used in the last minute: the account's list is to be told.
        noted: bool,
    },
    /// There is none, or not any more.
    Over,
}

impl Machine for Session {
    const KIND: &'static str = "session";
    type Id = SessionId;
    type Command = Command;
    type Outcome = Outcome;

    fn step(state: Option<Self>, command: Command, now: Timestamp) -> (Next<Self>, Outcome) {
        match (state, command) {
            (None, Command::Open { secret, account, method, life, idle }) => {
                let session = Self { secret, account, signed_in: now, method, used: now, ends: now.plus(life) };
                let outcome = session.live(false);
                (session.put(idle), outcome)
            }
            (Some(mut known), Command::Use { secret, idle }) if secret.iter().any(|digest| digest.same(&known.secret)) => {
                let noted = known.used.plus(NOTED) <= now;
                let outcome = known.live(noted);
                if !noted {
                    return (Next::Keep, outcome);
                }
                known.used = now;
                (known.put(idle), outcome)
            }
            (Some(known), Command::End(account)) if known.account == account => (Next::Delete, Outcome::Over),
            _ => (Next::Keep, Outcome::Over),
        }
    }
}

impl Session {
    fn live(&self, noted: bool) -> Outcome {
        let (account, method) = (self.account.clone(), self.method.clone());
        Outcome::Live { account, signed_in: self.signed_in, method, ends: self.ends, noted }
    }

    fn put(self, idle: Ttl) -> Next<Self> {
        let expires = self.used.plus(idle).min(self.ends);
        Next::Put(self, expires)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Change, Record, advance};
    use crate::master::Master;

    const IDLE: Ttl = Ttl::from_seconds(3600);

    fn digest(text: &str) -> Digest {
        Master::derive(b"x").digest("test", text)
    }

    fn opened(now: Timestamp) -> Record<Session> {
        let account = AccountId::from_bytes([1; 16]);
        let open = Command::Open { secret: digest("s"), account, method: "mail".into(), life: Ttl::from_seconds(86400), idle: IDLE };
        match advance::<Session>(None, open, now) {
            (Change::Write(record), Outcome::Live { .. }) => record,
            other => panic!("{other:?}"),
        }
    }

    fn live(record: &mut Record<Session>, secret: &str, now: Timestamp) -> bool {
        let (change, outcome) = advance::<Session>(Some(record.clone()), Command::Use { secret: vec![digest(secret)], idle: IDLE }, now);
        if let Change::Write(written) = change {
            *record = written;
        }
        matches!(outcome, Outcome::Live { .. })
    }

    #[test]
    fn a_pause_ends_a_session_and_so_does_a_day() {
        let start = Timestamp::from_millis(0);
        let mut record = opened(start);
        assert!(!live(&mut record, "another", start));
        let mut now = start;
        while now < start.plus(Ttl::from_seconds(86400)) {
            assert!(live(&mut record, "s", now));
            now = now.plus(Ttl::from_seconds(3500));
        }
        assert!(!live(&mut record, "s", start.plus(Ttl::from_seconds(86400))));
        let mut record = opened(start);
        assert!(!live(&mut record, "s", start.plus(IDLE)));
    }

    #[test]
    fn only_its_person_ends_it() {
        let record = opened(Timestamp::from_millis(0));
        let end = |account| advance::<Session>(Some(record.clone()), Command::End(account), Timestamp::from_millis(1)).0;
        assert!(matches!(end(AccountId::from_bytes([2; 16])), Change::None));
        assert!(matches!(end(AccountId::from_bytes([1; 16])), Change::Erase));
    }
}
