//! The tie between a provider's subject and a person here, and the registrations that stand on it.
//!
//! A provider takes back its word by issuer and subject: this record knows whom that concerns. It is named by a keyed hash
//! of both, so the subject cannot be read from it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::registration::Registration;
use super::{Effect, Machine, Next};
use crate::id::{AccountId, RegistrationId};
use crate::time::{Timestamp, Ttl};

/// Registrations that stand on one link.
const MOST: usize = 256;
/// A link that no person is bound to is forgotten after so long.
const PENDING: Ttl = Ttl::from_seconds(31 * 86400);

/// One issuer and subject.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Link {
    person: Option<AccountId>,
    /// Raised when the tie is cut: whatever was said before does not bind anew.
    generation: u32,
    registrations: Vec<RegistrationId>,
    /// To be ended: the provider has taken back its word.
    ending: Vec<RegistrationId>,
    /// Digests of events that were carried out, and until when they may come again.
    events: BTreeMap<String, Timestamp>,
    /// The link's own name, once that is needed: the record does not know under what it is kept.
    name: String,
}

/// What can happen to a link.
#[derive(Debug, Serialize, Deserialize)]
pub enum Command {
    /// Who is it?
    Look,
    /// A registration is about to stand on it, if it is still of this generation.
    Attach {
        /// Its name.
        registration: RegistrationId,
        /// The generation that was looked at.
        generation: u32,
    },
    /// The person has confirmed, or was not known before.
    Bind {
        /// Who.
        person: AccountId,
        /// Only while the link is of this generation.
        generation: u32,
    },
    /// The person it is bound to is gone, or has taken back the agent.
    Unbind,
    /// The provider takes back its word.
    Revoke {
        /// The link's own name.
        link: String,
        /// The event's digest, and until when it may come again.
        event: (String, Timestamp),
    },
    /// These have ended.
    Ended(Vec<RegistrationId>),
}

/// What a link answers.
#[derive(Debug, Serialize, Deserialize)]
pub enum Outcome {
    /// How it stands.
    Tie {
        /// Whom it is bound to.
        person: Option<AccountId>,
        /// Its generation.
        generation: u32,
    },
    /// These are to be ended: what was said before this generation does not count.
    Ending {
        /// Their names.
        registrations: Vec<RegistrationId>,
        /// The generation from now on.
        generation: u32,
    },
    /// No more registrations can stand on it.
    Full,
    /// The event was carried out before.
    Seen,
}

impl Machine for Link {
    const KIND: &'static str = "link";
    type Id = String;
    type Command = Command;
    type Outcome = Outcome;

    fn step(state: Option<Self>, command: Command, now: Timestamp) -> (Next<Self>, Outcome) {
        let known = state.is_some();
        let mut link = state.unwrap_or_default();
        match command {
            Command::Look => return (Next::Keep, link.tie()),
            Command::Attach { registration, generation } if generation != link.generation || link.registrations.contains(&registration) => {
                return (Next::Keep, link.tie());
            }
            Command::Attach { .. } if link.registrations.len() >= MOST => return (Next::Keep, Outcome::Full),
            Command::Attach { registration, .. } => link.registrations.push(registration),
            Command::Bind { generation, .. } if generation != link.generation => return (Next::Keep, link.tie()),
            Command::Bind { .. } if link.person.is_some() => return (Next::Keep, link.tie()),
            Command::Bind { person, .. } => link.person = Some(person),
            Command::Unbind if !known => return (Next::Keep, link.tie()),
            Command::Unbind => link.cut(),
            Command::Revoke { event, .. } if link.events.contains_key(&event.0) => return (Next::Keep, Outcome::Seen),
            Command::Revoke { link: name, event } => {
                link.events.retain(|_, until| now < *until);
                link.events.extend([event]);
                link.name = name;
                if known {
                    link.cut();
                }
                let registrations = std::mem::take(&mut link.registrations);
                link.ending.extend(registrations);
                let outcome = Outcome::Ending { registrations: link.ending.clone(), generation: link.generation };
                return (link.put(now), outcome);
            }
            Command::Ended(done) => link.ending.retain(|registration| !done.contains(registration)),
        }
        let outcome = link.tie();
        (link.put(now), outcome)
    }

    fn wakes_at(&self) -> Option<Timestamp> {
        (!self.ending.is_empty()).then_some(Timestamp::from_millis(0))
    }

    fn due(&self, _now: Timestamp) -> Vec<Effect<Command>> {
        // Whoever brought the provider's word ends them at once; this is for those that did not answer then.
        let end = |registration: &RegistrationId| Effect::Tell {
            kind: Registration::KIND,
            id: registration.to_string(),
            command: json!({ "EndLink": { "link": self.name, "generation": self.generation } }),
            then: Command::Ended(vec![registration.clone()]),
        };
        self.ending.iter().map(end).collect()
    }
}

impl Link {
    fn tie(&self) -> Outcome {
        Outcome::Tie { person: self.person.clone(), generation: self.generation }
    }

    fn cut(&mut self) {
        self.person = None;
        self.generation = self.generation.saturating_add(1);
    }

    /// A tie that was ever cut is remembered: its generation must not come again.
    fn put(self, now: Timestamp) -> Next<Self> {
        let lasting = self.person.is_some() || self.generation > 0;
        Next::Put(self, if lasting { Timestamp::NEVER } else { now.plus(PENDING) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Change, Record, advance};

    fn run(record: &mut Option<Record<Link>>, command: Command) -> Outcome {
        let (change, outcome) = advance::<Link>(record.clone(), command, Timestamp::from_seconds(1_800_000_000));
        if let Change::Write(written) = change {
            *record = Some(written);
        }
        outcome
    }

    fn attach(number: usize, generation: u32) -> Command {
        Command::Attach { registration: RegistrationId::from_bytes((number as u128).to_be_bytes()), generation }
    }

    #[test]
    fn a_full_link_takes_no_more_and_one_event_ends_all_that_stand_on_it() {
        let mut link = None;
        for number in 0..MOST {
            assert!(matches!(run(&mut link, attach(number, 0)), Outcome::Tie { generation: 0, .. }));
        }
        assert!(matches!(run(&mut link, attach(MOST, 0)), Outcome::Full));
        assert!(matches!(run(&mut link, attach(0, 0)), Outcome::Tie { .. }), "who stands on it already may come again");
        let event = || Command::Revoke { link: "link".into(), event: ("event".into(), Timestamp::from_seconds(1_800_000_480)) };
        let Outcome::Ending { registrations, generation: 1 } = run(&mut link, event()) else { panic!("not ended") };
        assert_eq!(registrations.len(), MOST);
        assert!(matches!(run(&mut link, event()), Outcome::Seen));
        assert_eq!(link.as_ref().unwrap().state.due(Timestamp::from_millis(0)).len(), MOST, "until each has ended");
        run(&mut link, Command::Ended(registrations));
        assert_eq!(link.as_ref().unwrap().state.wakes_at(), None);
        assert!(matches!(run(&mut link, attach(MOST, 1)), Outcome::Tie { generation: 1, .. }), "and there is room again");
    }
}
