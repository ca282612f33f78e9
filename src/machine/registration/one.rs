//! One registration and its clock, for tests: what can happen to it, in few words.

use super::claim::{Answer, NewAttempt, NewClaim, Paths, VouchedFor};
use super::*;
use crate::account;
use crate::account::Feed;
use crate::id::AccountId;
use crate::machine::link::Link;
use crate::machine::{Change, Record, advance};
use crate::master::Master;
use crate::secret::Digest;

pub(super) const DAY: Ttl = Ttl::from_seconds(86400);
pub(super) const LINK: &str = "link";

pub(super) fn digest(text: &str) -> Digest {
    Master::derive(b"x").digest("test", text)
}

pub(super) fn person(name: u8) -> AccountId {
    AccountId::from_bytes([name; 16])
}

pub(super) fn claim(token: &str, attempt: Option<NewAttempt>) -> NewClaim {
    NewClaim { registration: RegistrationId::from_bytes([9; 16]), token: digest(token), hint: None, credential: None, attempt }
}

/// A provider vouched for `who` in this generation of the link.
pub(super) fn attempt(number: usize, who: u8, generation: u32) -> NewAttempt {
    NewAttempt {
        id: AttemptId::from_bytes([u8::try_from(number % 250).unwrap(); 16]),
        view: digest(&format!("view {number}")),
        typed: Some(digest(&format!("typed {number}"))),
        paths: Paths::Both,
        hint: None,
        vouched: Some(VouchedFor { link: LINK.into(), generation, issuer: "https://p".into(), person: person(who) }),
        mailed: false,
    }
}

/// Nobody vouched: whoever has the address may answer.
pub(super) fn mailed(number: usize, who: u8) -> NewAttempt {
    NewAttempt { vouched: None, hint: Some(email(who)), ..attempt(number, who, 0) }
}

fn email(who: u8) -> String {
    format!("person-{who}@example.com")
}

/// One registration and its clock.
#[derive(Clone)]
pub(super) struct One {
    pub(super) record: Option<Record<Registration>>,
    pub(super) now: Timestamp,
}

impl One {
    pub(super) fn new() -> Self {
        Self { record: None, now: Timestamp::from_seconds(1_800_000_000) }
    }

    /// As on the real runtime, commands cross as text.
    pub(super) fn run(&mut self, command: Command) -> Outcome {
        let command = serde_json::from_str(&serde_json::to_string(&command).unwrap()).unwrap();
        let (change, outcome) = advance::<Registration>(self.record.clone(), command, self.now);
        match change {
            Change::None => {}
            Change::Write(record) => self.record = Some(record),
            Change::Erase => self.record = None,
        }
        outcome
    }

    pub(super) fn later(&mut self, seconds: u64) {
        self.now = self.now.plus(Ttl::from_seconds(seconds));
    }

    pub(super) fn state(&self) -> &Registration {
        &self.record.as_ref().unwrap().state
    }

    /// The provider vouches, and the person is known.
    pub(super) fn vouch(&mut self, who: u8, generation: u32) -> Outcome {
        let registration = RegistrationId::from_bytes([9; 16]);
        let (link, issuer, said) = (LINK.into(), "https://p".into(), Said::default());
        self.run(Command::Vouch(Vouch { link, generation, issuer, person: person(who), registration, said }))
    }

    /// The provider vouches, and the person is to confirm.
    pub(super) fn step_up(&mut self, number: usize, who: u8, generation: u32) -> Outcome {
        let claim = claim(&format!("claim {number}"), Some(attempt(number, who, generation)));
        self.run(Command::StepUp { ttl: DAY, said: Said::default(), claim })
    }

    /// The person types the code.
    pub(super) fn typed(&mut self, number: usize, who: u8, code: &str) -> Outcome {
        let view = vec![digest(&format!("view {number}"))];
        self.run(Command::Answer { view, person: person(who), email: Some(email(who)), answer: Answer::Typed(vec![digest(code)]) })
    }

    pub(super) fn event(&mut self, generation: u32) -> Outcome {
        self.run(Command::EndLink { link: LINK.into(), generation })
    }

    /// What accounts are to be told, and what settles it.
    pub(super) fn feeds(&self) -> Vec<(String, Feed, Command)> {
        let feed = |effect| match effect {
            Effect::Tell { kind: account::KIND, id, command, then } => match serde_json::from_value(command).unwrap() {
                account::Command::Feed(feed) => Some((id, feed, then)),
                account::Command::Tenant(_) => None,
                other => panic!("{other:?}"),
            },
            _ => None,
        };
        self.state().due(self.now).into_iter().filter_map(feed).collect()
    }

    pub(super) fn for_link(&self) -> Vec<(serde_json::Value, Command)> {
        let told = |effect| match effect {
            Effect::Tell { kind: Link::KIND, id, command, then } if id == LINK => Some((command, then)),
            _ => None,
        };
        self.state().due(self.now).into_iter().filter_map(told).collect()
    }

    /// Everybody hears what they are to be told.
    pub(super) fn settle(&mut self) {
        for _ in 0..8 {
            for effect in self.state().due(self.now) {
                let Effect::Tell { then, .. } = effect else { panic!("not a message") };
                self.run(then);
            }
        }
        assert_eq!(self.state().wakes_at(), None, "nothing is left to tell");
    }

    pub(super) fn is_live(&self) -> bool {
        let standing = &self.state().standing;
        standing.counts(standing.generation, self.now)
    }
}
