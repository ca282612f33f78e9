//! One agent's registration: what can happen to it.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::standing::{Credential, RevokedToken, Standing};
use super::status_index::Block;
use super::status_list::StatusList;
use super::{Effect, Machine, Next};
use crate::id::RegistrationId;
use crate::jose::claims::CredentialStamp;
use crate::secret::Digest;
use crate::time::{Timestamp, Ttl};

/// More revoked tokens than this at one time end all tokens so far instead.
const MOST_REVOKED: usize = 512;
/// An isolate may use the places of a block for so long.
pub const BLOCK_USE: Ttl = Ttl::from_seconds(3600);

/// A registration.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Registration {
    standing: Standing,
    idempotency: Option<Idempotency>,
    /// What the agent said of itself: shown to people as its claim, never trusted, never matched.
    said: Said,
    /// Places in status lists that live tokens may refer to.
    blocks: Vec<(Block, Timestamp)>,
    /// The outbox: places that are still to be marked.
    marks: Vec<Block>,
}

/// What an agent says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// Unverified contact.
    pub email: Option<String>,
    /// The agent's name for itself.
    pub agent: Option<String>,
}

/// A request that may be repeated.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Idempotency {
    /// Digest of path and body.
    pub request: String,
    /// What the answer is recomputed with: another registration at the same address has another.
    pub salt: String,
    /// Until when the answer is recomputed.
    pub until: Timestamp,
}

/// What can happen to a registration.
#[derive(Debug, Serialize, Deserialize)]
pub enum Command {
    /// Has this idempotent request been here?
    Recall {
        /// Digest of path and body.
        request: String,
    },
    /// A new registration.
    Open {
        /// How long it lives unclaimed.
        ttl: Ttl,
        /// The API key that comes with it, and how long that lives.
        key: Option<(Digest, Option<Ttl>)>,
        /// What the agent says of itself.
        said: Said,
        /// Digest, salt and window of the request, if it may be repeated.
        idempotency: Option<(String, String, Ttl)>,
    },
    /// How does it stand?
    Look,
    /// A token is about to be issued, with a place of this block if there is one.
    Issue {
        /// What the token is asked for with.
        proof: Proof,
        /// Places to remember, and how long tokens at them may live.
        block: Option<(Block, Ttl)>,
    },
    /// One access token has ended.
    RevokeToken {
        /// The token.
        token: RevokedToken,
        /// Its place.
        place: Option<Block>,
    },
    /// One API key has ended, and all tokens issued for it.
    RevokeCredential {
        /// Which.
        id: u32,
    },
    /// All that was issued in this generation has ended, and the registration with it.
    End {
        /// An assertion of an older generation ends nothing.
        generation: u32,
    },
    /// These places have been marked.
    Marked(Vec<Block>),
}

/// What a token is asked for with.
#[derive(Debug, Serialize, Deserialize)]
pub enum Proof {
    /// An identity assertion of this generation.
    Assertion {
        /// The generation.
        generation: u32,
    },
    /// An API key that has one of these digests.
    ApiKey {
        /// One for each secret of the deployment.
        digests: Vec<Digest>,
    },
}

/// What a registration answers.
#[derive(Debug, Serialize, Deserialize)]
pub enum Outcome {
    /// This is how it stands.
    Standing(Standing),
    /// It was opened by this request, with this salt.
    Opened(Standing, String),
    /// A token may be issued, for this API key if it was asked for with one.
    Issue(Standing, Option<CredentialStamp>),
    /// There is no such registration, or it has expired.
    Unknown,
    /// The proof does not count, or not any more.
    Refused,
    /// The address was used by another request, or too long ago.
    Conflict,
}

impl Machine for Registration {
    const KIND: &'static str = "registration";
    type Id = RegistrationId;
    type Command = Command;
    type Outcome = Outcome;

    fn step(state: Option<Self>, command: Command, now: Timestamp) -> (Next<Self>, Outcome) {
        let opened = state.is_none();
        let mut registration = match (state, command) {
            (Some(known), Command::Recall { request } | Command::Open { idempotency: Some((request, ..)), .. }) => {
                return (Next::Keep, known.recall(&request, now));
            }
            (Some(_), Command::Open { .. }) => return (Next::Keep, Outcome::Conflict),
            (None, Command::Open { ttl, key, said, idempotency }) => Self::open(ttl, key, said, idempotency, now),
            (None, _) => return (Next::Keep, Outcome::Unknown),
            (Some(known), Command::Look) => return (Next::Keep, Outcome::Standing(known.standing)),
            (Some(known), Command::Issue { proof, block }) => return known.issue(&proof, block, now),
            (Some(mut known), command) => {
                known.forget(now);
                known.change(command, now);
                known
            }
        };
        registration.forget(now);
        let expires = registration.standing.expires;
        let standing = registration.standing.clone();
        let outcome = match &registration.idempotency {
            Some(known) if opened => Outcome::Opened(standing, known.salt.clone()),
            _ => Outcome::Standing(standing),
        };
        (Next::Put(registration, expires), outcome)
    }

    fn wakes_at(&self) -> Option<Timestamp> {
        (!self.marks.is_empty()).then_some(Timestamp::from_millis(0))
    }

    fn due(&self, _now: Timestamp) -> Vec<Effect<Command>> {
        let mut lists: Vec<u32> = self.marks.iter().map(|mark| mark.list).collect();
        lists.sort_unstable();
        lists.dedup();
        let tell = |list: u32| {
            let blocks: Vec<Block> = self.marks.iter().filter(|mark| mark.list == list).copied().collect();
            let command = json!({ "Mark": { "list": list, "blocks": blocks } });
            Effect::Tell { kind: StatusList::KIND, id: list.to_string(), command, then: Command::Marked(blocks) }
        };
        lists.into_iter().map(tell).collect()
    }
}

impl Registration {
    fn open(ttl: Ttl, key: Option<(Digest, Option<Ttl>)>, said: Said, idempotency: Option<(String, String, Ttl)>, now: Timestamp) -> Self {
        let expires = now.plus(ttl);
        let credential = |(digest, ttl): (Digest, Option<Ttl>)| Credential {
            id: 0,
            generation: 0,
            digest,
            expires: ttl.map_or(Timestamp::NEVER, |ttl| now.plus(ttl)),
            ended: false,
        };
        let standing = Standing {
            generation: 0,
            epoch: 0,
            tokens_after: 0,
            created: now,
            expires,
            ended: false,
            claimed: false,
            credentials: key.map(credential).into_iter().collect(),
            revoked: Vec::new(),
        };
        let idempotency = idempotency.map(|(request, salt, ttl)| Idempotency { request, salt, until: now.plus(ttl) });
        Self { standing, idempotency, said, blocks: Vec::new(), marks: Vec::new() }
    }

    fn recall(self, request: &str, now: Timestamp) -> Outcome {
        match self.idempotency {
            Some(known) if known.request == request && now < known.until => Outcome::Opened(self.standing, known.salt),
            _ => Outcome::Conflict,
        }
    }

    fn issue(mut self, proof: &Proof, block: Option<(Block, Ttl)>, now: Timestamp) -> (Next<Self>, Outcome) {
        let credential = match proof {
            Proof::Assertion { generation } if self.standing.counts(*generation, now) => None,
            Proof::Assertion { .. } => return (Next::Keep, Outcome::Refused),
            Proof::ApiKey { digests } => match self.standing.api_key(|known| digests.iter().any(|digest| digest.same(known)), now) {
                Some(stamp) => Some(stamp),
                None => return (Next::Keep, Outcome::Refused),
            },
        };
        let outcome = Outcome::Issue(self.standing.clone(), credential);
        let Some((block, ttl)) = block else { return (Next::Keep, outcome) };
        self.forget(now);
        let until = now.plus(ttl).plus(BLOCK_USE);
        match self.blocks.last_mut() {
            // Neighbours are one block: a busy registration's record stays small.
            Some((last, last_until)) if last.list == block.list && last.start.saturating_add(last.len) == block.start => {
                last.len = last.len.saturating_add(block.len);
                *last_until = until.max(*last_until);
            }
            _ => self.blocks.push((block, until)),
        }
        let expires = self.standing.expires;
        (Next::Put(self, expires), outcome)
    }

    fn change(&mut self, command: Command, now: Timestamp) {
        match command {
            Command::RevokeToken { token, .. } if self.standing.revoked.iter().any(|known| known.jti == token.jti) => {}
            Command::RevokeToken { token, place } if self.standing.revoked.len() < MOST_REVOKED => {
                self.marks.extend(place);
                self.standing.revoked.push(token);
            }
            Command::RevokeToken { .. } => {
                self.standing.tokens_after = now.seconds();
                self.standing.revoked.clear();
                self.mark_all();
            }
            Command::RevokeCredential { id } => {
                let known = self.standing.credentials.iter_mut().find(|credential| credential.id == id && !credential.ended);
                if let Some(credential) = known {
                    credential.ended = true;
                    credential.generation = credential.generation.saturating_add(1);
                    // Places are not kept per key: every token of the registration loses its place. Those of other
                    // keys still count with us; verifiers that follow the list alone ask for a new one too early.
                    self.mark_all();
                }
            }
            Command::End { generation } if generation != self.standing.generation => {}
            Command::End { .. } => {
                self.standing.ended = true;
                self.next_generation();
            }
            Command::Marked(done) => self.marks.retain(|mark| !done.contains(mark)),
            Command::Look | Command::Issue { .. } | Command::Recall { .. } | Command::Open { .. } => {}
        }
    }

    fn next_generation(&mut self) {
        self.standing.generation = self.standing.generation.saturating_add(1);
        self.standing.revoked.clear();
        self.mark_all();
    }

    fn mark_all(&mut self) {
        self.standing.epoch = self.standing.epoch.saturating_add(1);
        self.marks.extend(self.blocks.drain(..).map(|(block, _)| block));
    }

    fn forget(&mut self, now: Timestamp) {
        self.standing.revoked.retain(|token| now < token.until);
        self.blocks.retain(|(_, until)| now < *until);
        self.idempotency = self.idempotency.take().filter(|known| now < known.until);
    }
}

#[cfg(test)]
mod tests;
