//! One agent's registration: what can happen to it.

pub mod claim;
mod ownership;
mod tokens;
mod words;

use serde::{Deserialize, Serialize};

use super::family::{self, Family};
use super::link::Link;
use super::standing::{Credential, Kind, RevokedToken, Standing};
use super::status_index::Block;
use super::{Effect, Machine, Next, places};
use crate::account::{Feed, event};
use crate::id::{AccountId, AttemptId, RegistrationId};
use crate::jose::claims::CredentialStamp;
use crate::secret::Digest;
use crate::time::{Timestamp, Ttl};
use claim::{Answer, Claim, ClaimRefusal, CredentialType, NewAttempt, NewClaim, Page, Path};
use ownership::Ownership;

pub use ownership::Vouch;

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
    /// The ceremony, if a person can claim it.
    #[serde(default)]
    claim: Option<Claim>,
    /// The refresh tokens of a claimed agent.
    #[serde(default)]
    family: Option<Family>,
    /// Families so far: none is mistaken for an earlier one.
    #[serde(default)]
    families: u32,
    /// Whose it is, and who is to be told.
    #[serde(default)]
    ownership: Ownership,
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
        /// Whether anything but an agent's word stands behind it.
        #[serde(default)]
        kind: Kind,
        /// How a person can claim it.
        #[serde(default)]
        claim: Option<NewClaim>,
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
    /// A token of it was exchanged (RFC 8693): its owner is told.
    Exchanged {
        /// By whom and for where, as the event says it.
        detail: String,
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
    /// A new attempt to claim it.
    Begin {
        /// The digests of the claim token.
        token: Vec<Digest>,
        /// The attempt.
        attempt: NewAttempt,
    },
    /// Would an attempt by mail to this address begin, or is one open? Nothing changes.
    Mailed {
        /// The digests of the claim token.
        token: Vec<Digest>,
        /// The address, in canonical form.
        hint: String,
    },
    /// The attempt's mail could not be sent.
    Withdraw(AttemptId),
    /// The mail of the attempt that it was opened with could not be sent: it is as if it had never been.
    Cancel(AttemptId),
    /// May an ID-JAG claim it? Nothing changes.
    Claimable {
        /// The digests of the claim token.
        token: Vec<Digest>,
    },
    /// An ID-JAG of a known person claims it.
    ClaimVouched {
        /// The digests of the claim token.
        token: Vec<Digest>,
        /// Who vouches, and for whom.
        vouch: Vouch,
    },
    /// The agent asks whether a person has confirmed.
    Poll {
        /// The digests of the claim token.
        token: Vec<Digest>,
    },
    /// The agent submits the code that its person has read out.
    Complete {
        /// The digests of the claim token.
        token: Vec<Digest>,
        /// The digests of the code.
        codes: Vec<Digest>,
    },
    /// What the page of an attempt needs.
    View {
        /// The digests of the page's token.
        view: Vec<Digest>,
    },
    /// A person answers an attempt.
    Answer {
        /// The digests of the page's token.
        view: Vec<Digest>,
        /// Who.
        person: AccountId,
        /// Their address, in canonical form.
        email: Option<String>,
        /// What.
        answer: Answer,
    },
    /// Takes what the agent is about to be given; the first one counts.
    Deliver {
        /// The digests of the claim token.
        token: Vec<Digest>,
        /// The way on which it is delivered.
        path: Path,
        /// The generation that it was made for.
        generation: u32,
        /// The answer, sealed.
        sealed: String,
        /// `jti` of the assertion in it.
        assertion: String,
        /// Of the first refresh token of a new family with this number.
        refresh: Option<(u32, Digest)>,
        /// Of an API key, and how long that lives.
        key: Option<(Digest, Option<Ttl>)>,
    },
    /// A provider vouches for the agent and its person, who is known: the registration is theirs.
    Vouch(Vouch),
    /// A provider vouches for the agent; the matched person must confirm first.
    StepUp {
        /// How long it waits.
        ttl: Ttl,
        /// What the agent says of itself.
        said: Said,
        /// The ceremony.
        claim: NewClaim,
    },
    /// One API key more.
    AddKey {
        /// The generation that it is for.
        generation: u32,
        /// Of the key, and how long that lives.
        key: (Digest, Option<Ttl>),
    },
    /// A refresh token is spent.
    Refresh(family::Presented),
    /// A refresh token ends its family, and all that it has brought.
    RevokeRefresh(family::Presented),
    /// The owner takes it back.
    EndBy(AccountId),
    /// The operator ends it.
    EndByOperator,
    /// The provider takes back its word about this link.
    EndLink {
        /// Name of the link.
        link: String,
        /// Its generation from now on: nothing that was said before counts.
        generation: u32,
    },
    /// The owner is barred, or let in again.
    Suspend {
        /// Whose agents.
        person: AccountId,
        /// Barred or not.
        suspended: bool,
    },
    /// What is the account still to be told? Nothing changes.
    Introduce,
    /// The account has been told so far.
    Told(u64),
    /// The link has been told so far.
    LinkTold(u64),
    /// A former owner's account has been told so far.
    FormerTold(u64),
}

/// What a token is asked for with.
#[derive(Debug, Serialize, Deserialize)]
pub enum Proof {
    /// An identity assertion of this generation.
    Assertion {
        /// The generation.
        generation: u32,
        /// Its `jti`: the first use of a delivered assertion ends its delivery.
        #[serde(default)]
        jti: Option<String>,
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
    /// The step of the ceremony is refused.
    Claim(ClaimRefusal),
    /// An attempt is open: this one, until then; whether it was begun now or before.
    Begun {
        /// How the registration stands.
        standing: Standing,
        /// The attempt.
        attempt: AttemptId,
        /// Until when its page and codes count.
        expires: Timestamp,
        /// It was begun just now.
        fresh: bool,
    },
    /// An attempt would begin; so many were begun in the last hour.
    Attempts(usize),
    /// Nobody has confirmed yet.
    Pending,
    /// The agent polls too often.
    SlowDown,
    /// A person has confirmed: the agent is to be given what that brings.
    Ready {
        /// How it stands.
        standing: Standing,
        /// Whose it is.
        owner: AccountId,
        /// What it brings, for auth.md v0.1.
        credential: Option<CredentialType>,
        /// The number of the next refresh family.
        family: u32,
    },
    /// What was delivered, sealed.
    Delivered(String),
    /// What the page may show.
    Page {
        /// How the registration stands.
        standing: Standing,
        /// What the agent says of itself.
        said: Said,
        /// The attempt.
        page: Page,
    },
    /// The registration is the person's.
    Approved(Standing),
    /// The code counts until then.
    Revealed(Timestamp),
    /// The person has said no.
    Denied,
    /// This, if there is anything.
    Feed(Option<Feed>),
    /// The successor with this index.
    Refreshed(Standing, usize),
    /// Too many live tokens: no more places can be remembered for now.
    Full,
}

impl Machine for Registration {
    const KIND: &'static str = "registration";
    type Id = RegistrationId;
    type Command = Command;
    type Outcome = Outcome;

    fn step(state: Option<Self>, command: Command, now: Timestamp) -> (Next<Self>, Outcome) {
        match (state, command) {
            (Some(known), Command::Recall { request } | Command::Open { idempotency: Some((request, ..)), .. }) => {
                (Next::Keep, known.recall(&request, now))
            }
            (Some(_), Command::Open { .. }) => (Next::Keep, Outcome::Conflict),
            (None, Command::Open { ttl, key, said, idempotency, kind, claim }) => {
                let mut opened = Self::open(ttl, said, kind, claim, now);
                opened.standing.credentials.extend(key.map(|(digest, ttl)| Credential::new(0, digest, ttl, now)));
                opened.idempotency = idempotency.map(|(request, salt, ttl)| Idempotency { request, salt, until: now.plus(ttl) });
                let standing = opened.standing.clone();
                let outcome = match &opened.idempotency {
                    Some(known) => Outcome::Opened(standing, known.salt.clone()),
                    None => Outcome::Standing(standing),
                };
                (opened.put(), outcome)
            }
            (state, Command::Vouch(vouch)) => Self::vouch(state, vouch, now),
            (state, Command::StepUp { ttl, said, claim }) => Self::step_up(state, ttl, said, claim, now),
            (None, command) => (Next::Keep, Self::absent(&command)),
            (Some(known), Command::Introduce) => (Next::Keep, Outcome::Feed(known.feed())),
            (Some(known), Command::Look) => (Next::Keep, Outcome::Standing(known.standing)),
            (Some(known), Command::Issue { proof, block }) => known.issue(&proof, block, now),
            (Some(known), Command::View { view }) => known.view(&view, now),
            (Some(known), Command::Mailed { token, hint }) => known.mailed(&token, &hint, now),
            (Some(known), Command::Cancel(attempt)) => known.cancel(&attempt),
            (Some(known), Command::Claimable { token }) => known.claimable(&token, now),
            (Some(known), Command::Refresh(token)) => known.refresh(&token, now),
            (Some(known), command) => known.change(command, now),
        }
    }

    fn wakes_at(&self) -> Option<Timestamp> {
        (!self.marks.is_empty() || self.ownership.has_to_tell()).then_some(Timestamp::from_millis(0))
    }

    fn due(&self, _now: Timestamp) -> Vec<Effect<Command>> {
        // The account first: an owner who takes it back must not wait for a list.
        self.tellings().into_iter().chain(places::marking(&self.marks, Command::Marked)).collect()
    }
}

impl Registration {
    fn open(ttl: Ttl, said: Said, kind: Kind, claim: Option<NewClaim>, now: Timestamp) -> Self {
        // The name of a provider's registration is always the same, so its generations must not come again when its record has lapsed, nor
        // what its owner's account was told. One a second is more than the limits let through.
        let vouched = kind == Kind::IdentityAssertion;
        let generation = if vouched { u32::try_from(now.seconds()).unwrap_or(u32::MAX) } else { 0 };
        let standing = Standing {
            generation,
            epoch: 0,
            tokens_after: 0,
            created: now,
            expires: now.plus(ttl),
            ended: false,
            claimed: false,
            credentials: Vec::new(),
            revoked: Vec::new(),
            kind,
            suspended: false,
            withdrawn: false,
        };
        let name = claim.as_ref().map(|claim| claim.registration.clone());
        Self {
            standing,
            idempotency: None,
            said,
            blocks: Vec::new(),
            marks: Vec::new(),
            claim: claim.map(|new| Claim::new(new, now.plus(ttl), now)),
            family: None,
            families: 0,
            ownership: Ownership::of(name, generation.into()),
        }
    }

    /// What there is to say where there is no record: a claim token that is genuine in form was good once.
    fn absent(command: &Command) -> Outcome {
        match command {
            Command::Begin { .. }
            | Command::Claimable { .. }
            | Command::Mailed { .. }
            | Command::ClaimVouched { .. }
            | Command::Poll { .. }
            | Command::Complete { .. }
            | Command::Deliver { .. }
            | Command::View { .. }
            | Command::Answer { .. } => Outcome::Claim(ClaimRefusal::Expired),
            _ => Outcome::Unknown,
        }
    }

    fn recall(self, request: &str, now: Timestamp) -> Outcome {
        match self.idempotency {
            Some(known) if known.request == request && now < known.until => Outcome::Opened(self.standing, known.salt),
            _ => Outcome::Conflict,
        }
    }

    /// Whoever repeats the request begins anew; a claim or an end that came first stays.
    fn cancel(self, attempt: &AttemptId) -> (Next<Self>, Outcome) {
        let opened = !self.standing.claimed && !self.standing.ended && self.standing.kind == Kind::ServiceAuth;
        match &self.claim {
            Some(claim) if opened && claim.is_at(attempt) => (Next::Delete, Outcome::Unknown),
            _ => (Next::Keep, Outcome::Standing(self.standing)),
        }
    }

    /// Everything else that can happen to a registration that is there.
    fn change(mut self, command: Command, now: Timestamp) -> (Next<Self>, Outcome) {
        self.forget(now);
        match command {
            Command::Exchanged { detail } if self.ownership.is_owned() => self.ownership.note(event::TOKEN_EXCHANGED, &detail, now),
            Command::Exchanged { .. } => return (Next::Keep, Outcome::Standing(self.standing)),
            Command::RevokeToken { token, place } => self.revoke_token(token, place, now),
            Command::RevokeCredential { id } => self.revoke_credential(id),
            Command::Marked(done) => self.marks.retain(|mark| !done.contains(mark)),
            Command::End { generation } if generation == self.standing.generation => self.end("the agent itself", now),
            Command::EndBy(person) if self.ownership.is_of(&person) => self.withdraw("you", now),
            Command::EndBy(_) => return (Next::Keep, Outcome::Unknown),
            Command::EndByOperator => self.withdraw("the operator", now),
            Command::EndLink { link, generation } => self.end_link(&link, generation, now),
            Command::RevokeRefresh(token) => self.revoke_refresh(&token, now),
            Command::Suspend { person, suspended } if self.ownership.is_of(&person) => self.standing.suspended = suspended,
            Command::AddKey { generation, key } if self.standing.counts(generation, now) => self.add_key(key, now),
            Command::AddKey { .. } => return (Next::Keep, Outcome::Refused),
            Command::Told(sequence) => self.ownership.told(sequence),
            Command::LinkTold(number) => self.ownership.link_told(number),
            Command::FormerTold(sequence) => self.ownership.former_told(sequence),
            Command::Withdraw(attempt) => {
                if let Some(claim) = &mut self.claim {
                    claim.withdraw(&attempt);
                }
            }
            // An assertion of an older generation ends nothing.
            Command::End { .. } | Command::Suspend { .. } => {}
            command => return self.ceremony(command, now),
        }
        let standing = self.standing.clone();
        (self.put(), Outcome::Standing(standing))
    }

    fn put(self) -> Next<Self> {
        let expires = self.standing.expires;
        Next::Put(self, expires)
    }

    fn forget(&mut self, now: Timestamp) {
        self.standing.revoked.retain(|token| now < token.until);
        self.standing.credentials.retain(|credential| !credential.limited || now < credential.expires);
        self.blocks.retain(|(_, until)| now < *until);
        self.idempotency = self.idempotency.take().filter(|known| now < known.until);
    }
}

#[cfg(test)]
mod bounds_tests;
#[cfg(test)]
mod claim_tests;
#[cfg(test)]
mod one;
#[cfg(test)]
mod ownership_tests;
#[cfg(test)]
mod tests;
