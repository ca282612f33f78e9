//! A browser in which a person has signed in. Once it is signed out, it tells the clients that were told who the person is (OpenID Connect
//! Back-Channel Logout 1.0): so the record of a session that is over stays until the last of them knows, or cannot be reached.

use serde::{Deserialize, Serialize};

use super::keyring::Ring;
use super::{Effect, Machine, Next};
use crate::id::{AccountId, SessionId};
use crate::secret::Digest;
use crate::time::{Timestamp, Ttl};

/// Use is noted at most this often.
const NOTED: Ttl = Ttl::from_seconds(60);
/// Clients of one session: the one that came first goes.
const MOST_RELYING: usize = 64;
/// A client that is not reached is told again after so long, so often.
const AGAIN: [Ttl; 5] =
    [Ttl::from_seconds(10), Ttl::from_seconds(60), Ttl::from_seconds(600), Ttl::from_seconds(3600), Ttl::from_seconds(6 * 3600)];

/// What is not told by then is not told at all: longer than all that is in [`AGAIN`].
const FAREWELL: Ttl = Ttl::from_seconds(86400);

/// One session.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Session {
    secret: Digest,
    account: AccountId,
    signed_in: Timestamp,
    method: String,
    /// When the person proved it where they are known, as a provider said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    vouched: Option<Timestamp>,
    used: Timestamp,
    /// It ends then, used or not.
    ends: Timestamp,
    /// Who is to hear of its end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    relying: Vec<Relying>,
    /// It lapses then unless it is used: kept where somebody is to hear of it, since the record then outlives the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lapses: Option<Timestamp>,
    /// It is over, and these are still to be told: how often that was tried, and when it is next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    farewell: Option<Vec<(Relying, usize, Timestamp)>>,
}

/// A client that knows by an ID token that the person has signed in here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relying {
    /// Its id.
    pub client: String,
    /// Where it wants to hear of it; whoever notes it has judged that it may be asked.
    pub uri: String,
    /// Whom it knows the person as.
    pub sub: String,
    /// What it calls the session.
    pub sid: String,
    /// What its tokens are signed with.
    #[serde(default)]
    pub ring: Ring,
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
        /// How: `mail`, `passkey` or `upstream`.
        method: String,
        /// When that was, if it was elsewhere and the provider says it (`auth_time`).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        vouched: Option<Timestamp>,
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
    /// A client gets an ID token that names the session. Nothing changes if it is known, or the session is over.
    Relies {
        /// Whose session it is.
        account: AccountId,
        /// The client.
        relying: Relying,
        /// The longest pause.
        idle: Ttl,
    },
    /// Its time is over.
    Lapse,
    /// The client has heard that the session is over, or it could not be told this time.
    Told {
        /// Its id.
        client: String,
        /// Whether it has heard.
        heard: bool,
    },
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
        /// That is known, and not only that a provider knows the person since whenever.
        #[serde(default)]
        proven: bool,
        /// How.
        method: String,
        /// It ends then at the latest.
        ends: Timestamp,
        /// It was not used in the last minute: the account's list is to be told.
        noted: bool,
    },
    /// There is none, or not any more.
    Over,
    /// Noted.
    Noted,
}

impl Machine for Session {
    const KIND: &'static str = "session";
    type Id = SessionId;
    type Command = Command;
    type Outcome = Outcome;

    fn step(state: Option<Self>, command: Command, now: Timestamp) -> (Next<Self>, Outcome) {
        match (state, command) {
            (Some(over), Command::Told { client, heard }) => (over.told(&client, heard, now), Outcome::Over),
            (Some(Self { farewell: Some(_), .. }), _) => (Next::Keep, Outcome::Over),
            (Some(lapsed), Command::Lapse) if lapsed.has_lapsed(now) => (lapsed.end(now), Outcome::Over),
            // Before the alarm has rung.
            (Some(lapsed), command) if lapsed.has_lapsed(now) && !matches!(command, Command::End(_)) => (Next::Keep, Outcome::Over),
            (None, Command::Open { secret, account, method, vouched, life, idle }) => {
                let ends = now.plus(life);
                let (relying, lapses, farewell) = (Vec::new(), None, None);
                let session = Self { secret, account, signed_in: now, method, vouched, used: now, ends, relying, lapses, farewell };
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
            (Some(known), Command::End(account)) if known.account == account => (known.end(now), Outcome::Over),
            (Some(mut known), Command::Relies { account, relying, idle }) if known.account == account => {
                if known.relying.contains(&relying) {
                    return (Next::Keep, Outcome::Noted);
                }
                known.relying.retain(|other| other.client != relying.client);
                if known.relying.len() >= MOST_RELYING {
                    known.relying.remove(0);
                }
                known.relying.push(relying);
                (known.put(idle), Outcome::Noted)
            }
            _ => (Next::Keep, Outcome::Over),
        }
    }

    fn wakes_at(&self) -> Option<Timestamp> {
        match &self.farewell {
            Some(left) => left.iter().map(|(_, _, at)| *at).min(),
            None => self.lapses,
        }
    }

    fn due(&self, now: Timestamp) -> Vec<Effect<Command>> {
        if self.farewell.is_none() && self.has_lapsed(now) {
            return vec![Effect::Step(Command::Lapse)];
        }
        let due = self.farewell.iter().flatten().filter(|(_, _, at)| *at <= now);
        let told = |relying: &Relying, heard| Command::Told { client: relying.client.clone(), heard };
        due.map(|(relying, ..)| Effect::LogOut { relying: relying.clone(), heard: told(relying, true), lost: told(relying, false) })
            .collect()
    }
}

impl Session {
    fn live(&self, noted: bool) -> Outcome {
        let (account, method) = (self.account.clone(), self.method.clone());
        let signed_in = self.vouched.map_or(self.signed_in, |at| at.min(self.signed_in));
        let proven = self.vouched.is_some() || method != "upstream";
        Outcome::Live { account, signed_in, proven, method, ends: self.ends, noted }
    }

    /// Nothing is left of it, unless somebody is to be told.
    fn end(mut self, now: Timestamp) -> Next<Self> {
        if self.relying.is_empty() {
            return Next::Delete;
        }
        self.farewell = Some(self.relying.drain(..).map(|relying| (relying, 0, now)).collect());
        Next::Put(self, now.plus(FAREWELL))
    }

    fn told(mut self, client: &str, heard: bool, now: Timestamp) -> Next<Self> {
        let Some(left) = &mut self.farewell else { return Next::Keep };
        left.retain_mut(|(relying, tries, at)| {
            if relying.client != client || *at > now {
                return true;
            }
            let Some(wait) = AGAIN.get(*tries).filter(|_| !heard) else { return false };
            *tries += 1;
            *at = now.plus(*wait);
            true
        });
        if left.is_empty() { Next::Delete } else { Next::Put(self, now.plus(FAREWELL)) }
    }

    fn has_lapsed(&self, now: Timestamp) -> bool {
        self.lapses.is_some_and(|lapses| lapses <= now)
    }

    fn put(mut self, idle: Ttl) -> Next<Self> {
        let lapses = self.used.plus(idle).min(self.ends);
        if self.relying.is_empty() {
            return Next::Put(self, lapses);
        }
        self.lapses = Some(lapses);
        Next::Put(self, lapses.plus(FAREWELL))
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
        let open = Command::Open {
            secret: digest("s"),
            account,
            method: "mail".into(),
            vouched: None,
            life: Ttl::from_seconds(86400),
            idle: IDLE,
        };
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

    fn relying(client: &str) -> Relying {
        let uri = format!("https://{client}.example.com/logout");
        Relying { client: client.into(), uri, sub: "s".into(), sid: "i".into(), ring: Ring::Rs256 }
    }

    fn run(record: &mut Option<Record<Session>>, command: Command, now: Timestamp) -> Outcome {
        let (change, outcome) = advance(record.clone(), command, now);
        match change {
            Change::None => {}
            Change::Write(written) => *record = Some(written),
            Change::Erase => *record = None,
        }
        outcome
    }

    fn to_be_told(record: Option<&Record<Session>>, now: Timestamp) -> Vec<String> {
        let effects = record.map(|record| record.state.due(now)).unwrap_or_default();
        effects.into_iter().map(|effect| if let Effect::LogOut { relying, .. } = effect { relying.client } else { panic!() }).collect()
    }

    #[test]
    fn whoever_relies_on_a_session_is_told_of_its_end_again_and_again_but_not_for_ever() {
        let (start, account) = (Timestamp::from_millis(0), AccountId::from_bytes([1; 16]));
        let mut record = Some(opened(start));
        let relies = |client: &str| Command::Relies { account: account.clone(), relying: relying(client), idle: IDLE };
        for client in ["a", "b", "a"] {
            assert!(matches!(run(&mut record, relies(client), start), Outcome::Noted));
        }
        let stranger = Command::Relies { account: AccountId::from_bytes([2; 16]), relying: relying("c"), idle: IDLE };
        assert!(matches!(run(&mut record, stranger, start), Outcome::Over));
        assert!(to_be_told(record.as_ref(), start).is_empty() && record.as_ref().unwrap().alarm() == Some(start.plus(IDLE)));
        run(&mut record, Command::End(account.clone()), start);
        assert!(!live(record.as_mut().unwrap(), "s", start), "it is over at once");
        assert!(matches!(run(&mut record, relies("d"), start), Outcome::Over));
        assert_eq!((to_be_told(record.as_ref(), start), record.as_ref().unwrap().alarm()), (vec!["a".into(), "b".into()], Some(start)));
        run(&mut record, Command::Told { client: "a".into(), heard: true }, start);
        assert_eq!(to_be_told(record.as_ref(), start), ["b"]);
        let (mut now, mut tries) = (start, 0);
        while record.is_some() {
            run(&mut record, Command::Told { client: "b".into(), heard: false }, now);
            // The same once more changes nothing.
            run(&mut record, Command::Told { client: "b".into(), heard: false }, now);
            tries += 1;
            if let Some(at) = record.as_ref().and_then(Record::alarm) {
                assert!(to_be_told(record.as_ref(), at.minus(Ttl::from_millis(1))).is_empty());
                now = at;
            }
        }
        assert_eq!(tries, 6);
    }

    #[test]
    fn a_session_that_lapses_tells_whoever_relies_on_it() {
        let (start, account) = (Timestamp::from_millis(0), AccountId::from_bytes([1; 16]));
        let mut record = Some(opened(start));
        run(&mut record, Command::Relies { account, relying: relying("a"), idle: IDLE }, start);
        let used = start.plus(Ttl::from_seconds(1800));
        assert!(live(record.as_mut().unwrap(), "s", used), "use prolongs it");
        let early = start.plus(IDLE);
        assert!(record.as_ref().unwrap().state.due(early).is_empty());
        run(&mut record, Command::Lapse, early);
        let end = used.plus(IDLE);
        assert!(live(record.as_mut().unwrap(), "s", end.minus(Ttl::from_millis(1))));
        let end = end.minus(Ttl::from_millis(1)).plus(IDLE);
        assert_eq!(record.as_ref().unwrap().alarm(), Some(end));
        assert!(!live(record.as_mut().unwrap(), "s", end), "it is over, whether the alarm has rung or not");
        let [Effect::Step(Command::Lapse)] = &record.as_ref().unwrap().state.due(end)[..] else { panic!() };
        run(&mut record, Command::Lapse, end);
        assert_eq!(to_be_told(record.as_ref(), end), ["a"]);
        run(&mut record, Command::Told { client: "a".into(), heard: true }, end);
        assert!(record.is_none());
    }

    #[test]
    fn a_session_has_room_for_so_many_clients() {
        let (start, account) = (Timestamp::from_millis(0), AccountId::from_bytes([1; 16]));
        let mut record = Some(opened(start));
        for number in 0..=MOST_RELYING {
            run(&mut record, Command::Relies { account: account.clone(), relying: relying(&number.to_string()), idle: IDLE }, start);
        }
        run(&mut record, Command::End(account), start);
        let told = to_be_told(record.as_ref(), start);
        assert_eq!((told.len(), told[0].as_str()), (MOST_RELYING, "1"));
    }

    #[test]
    fn only_its_person_ends_it() {
        let record = opened(Timestamp::from_millis(0));
        let end = |account| advance::<Session>(Some(record.clone()), Command::End(account), Timestamp::from_millis(1)).0;
        assert!(matches!(end(AccountId::from_bytes([2; 16])), Change::None));
        assert!(matches!(end(AccountId::from_bytes([1; 16])), Change::Erase));
    }
}
