//! A device that waits for its person (RFC 8628). It is named by the code that people type; the device polls with a secret of its own.

use serde::{Deserialize, Serialize};

use super::{Machine, Next};
use crate::id::{AccountId, DeviceId, GrantId};
use crate::oauth::scope::GrantedScope;
use crate::secret::Digest;
use crate::time::{Timestamp, Ttl};

/// Both codes live so long.
pub const LIFE: Ttl = Ttl::from_seconds(600);
/// Seconds between polls, at first.
pub const INTERVAL: u64 = 5;
/// It never has to wait longer than this.
const SLOWEST: u64 = 60;
/// Whoever says yes in the last moment leaves the device time to come once more.
const LAST: Ttl = Ttl::from_seconds(60);
/// One poll at a time fetches the tokens. If nothing has come of it by then, the next one may try.
const FETCH: Ttl = Ttl::from_seconds(30);

/// One device.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Device {
    /// Of the device code.
    code: Digest,
    request: Request,
    stage: Stage,
    /// Seconds between polls.
    interval: u64,
    polled: Option<Timestamp>,
    expires: Timestamp,
}

/// What is asked for, and from where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The client's id.
    pub client: String,
    /// `uri` of the resource.
    pub resource: String,
    /// What it may have of what it asks for.
    pub scope: GrantedScope,
    /// The network that it asks from, if that is known.
    pub network: Option<String>,
    /// What it says of itself (`User-Agent`), cleaned.
    pub agent: Option<String>,
    /// When.
    pub at: Timestamp,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Stage {
    /// Nobody has answered.
    Waiting,
    /// This person has said yes, which is being written into their grant.
    Granting(AccountId),
    /// It can have tokens of the grant; a poll may be fetching them.
    Granted { grant: GrantId, fetching: Option<Timestamp> },
    /// Somebody has said no.
    Denied,
    /// It has them.
    Served,
}

/// What can happen to it.
#[derive(Debug, Serialize, Deserialize)]
pub enum Command {
    /// It begins to wait.
    Open {
        /// Of the device code.
        code: Digest,
        /// What is asked for.
        request: Request,
    },
    /// It asks for its tokens. Whatever can refuse is here, so a request that fails has used nothing up.
    Poll {
        /// The digests of the device code.
        code: Vec<Digest>,
        /// The client that comes with it.
        client: String,
        /// The resource that it asks for, as ours are spelled.
        resource: Option<String>,
    },
    /// Somebody who has signed in has typed the code. Nothing changes.
    Look(AccountId),
    /// They say yes.
    Grant(AccountId),
    /// It is written down.
    Granted(AccountId, GrantId),
    /// They say no.
    Deny(AccountId),
    /// The device has its tokens.
    Served,
}

/// What it answers.
#[derive(Debug, Serialize, Deserialize)]
pub enum Outcome {
    /// It waits.
    Opened,
    /// Another one has that name: again, with another.
    Taken,
    /// This is asked for.
    Request(Request),
    /// Write it down: what is asked for, of which code, and until when that counts.
    Grant(Request, Digest, Timestamp),
    /// It is so.
    Done,
    /// Its tokens are to be had of this grant.
    Fetch(GrantId),
    /// Not so.
    Refused(DeviceRefusal),
}

/// Why a device, or its person, gets nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeviceRefusal {
    /// Nobody has answered yet.
    Pending,
    /// It polls too often, or in several copies at once.
    SlowDown,
    /// The person has said no.
    Denied,
    /// Its time is over.
    Expired,
    /// It has its tokens: the code is dead.
    Served,
    /// It is another client's.
    Client,
    /// It is for another resource.
    Resource,
    /// Not a code that we have made, or one that nobody can answer any more.
    Unknown,
}

impl Machine for Device {
    const KIND: &'static str = "device";
    type Id = DeviceId;
    type Command = Command;
    type Outcome = Outcome;

    fn step(state: Option<Self>, command: Command, now: Timestamp) -> (Next<Self>, Outcome) {
        let refused = |refusal| (Next::Keep, Outcome::Refused(refusal));
        match (state, command) {
            (None, Command::Open { code, request }) => {
                let device = Self { code, request, stage: Stage::Waiting, interval: INTERVAL, polled: None, expires: now.plus(LIFE) };
                (device.put(), Outcome::Opened)
            }
            (Some(_), Command::Open { .. }) => (Next::Keep, Outcome::Taken),
            (None, Command::Poll { .. }) => refused(DeviceRefusal::Expired),
            (None, _) => refused(DeviceRefusal::Unknown),
            (Some(known), Command::Poll { code, client, resource }) => {
                if !code.iter().any(|digest| digest.same(&known.code)) {
                    refused(DeviceRefusal::Unknown)
                } else if client != known.request.client {
                    refused(DeviceRefusal::Client)
                } else if resource.is_some_and(|resource| resource != known.request.resource) {
                    refused(DeviceRefusal::Resource)
                } else {
                    known.poll(now)
                }
            }
            (Some(known), Command::Look(person)) if known.is_open_for(&person) => (Next::Keep, Outcome::Request(known.request)),
            (Some(mut known), Command::Grant(person)) if known.is_open_for(&person) => {
                known.stage = Stage::Granting(person);
                known.expires = known.expires.max(now.plus(LAST));
                let outcome = Outcome::Grant(known.request.clone(), known.code.clone(), known.expires);
                (known.put(), outcome)
            }
            (Some(known), Command::Granted(person, grant)) => match &known.stage {
                Stage::Granting(who) if *who == person => known.enter(Stage::Granted { grant, fetching: None }),
                // The answer got lost, and it is said again.
                Stage::Granted { grant: written, .. } if *written == grant => (Next::Keep, Outcome::Done),
                _ => refused(DeviceRefusal::Unknown),
            },
            (Some(known), Command::Deny(person)) if known.is_open_for(&person) => known.enter(Stage::Denied),
            (Some(known), Command::Served) if matches!(known.stage, Stage::Granted { .. }) => known.enter(Stage::Served),
            (Some(_), _) => refused(DeviceRefusal::Unknown),
        }
    }
}

impl Device {
    /// Who polls too often waits longer from then on (RFC 8628, section 3.5). Of copies of one poll, one fetches the tokens.
    fn poll(mut self, now: Timestamp) -> (Next<Self>, Outcome) {
        let refused = |refusal| (Next::Keep, Outcome::Refused(refusal));
        match &mut self.stage {
            Stage::Waiting | Stage::Granting(_) => {
                let too_soon = self.polled.is_some_and(|last| now < last.plus(Ttl::from_seconds(self.interval)));
                self.polled = Some(now);
                let refusal = if too_soon { DeviceRefusal::SlowDown } else { DeviceRefusal::Pending };
                if too_soon {
                    self.interval = self.interval.saturating_add(5).min(SLOWEST);
                }
                (self.put(), Outcome::Refused(refusal))
            }
            Stage::Granted { fetching: Some(since), .. } if now < since.plus(FETCH) => refused(DeviceRefusal::SlowDown),
            Stage::Granted { grant, fetching } => {
                *fetching = Some(now);
                let grant = grant.clone();
                (self.put(), Outcome::Fetch(grant))
            }
            Stage::Denied => refused(DeviceRefusal::Denied),
            Stage::Served => refused(DeviceRefusal::Served),
        }
    }

    /// Whether this person can answer. Who has said yes can say so again if it could not be written down.
    fn is_open_for(&self, person: &AccountId) -> bool {
        match &self.stage {
            Stage::Waiting => true,
            Stage::Granting(who) => who == person,
            _ => false,
        }
    }

    fn enter(self, stage: Stage) -> (Next<Self>, Outcome) {
        (Self { stage, ..self }.put(), Outcome::Done)
    }

    fn put(self) -> Next<Self> {
        let expires = self.expires;
        Next::Put(self, expires)
    }
}

#[cfg(test)]
#[path = "device_tests.rs"]
mod tests;
