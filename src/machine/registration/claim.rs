//! The claim ceremony: a person takes over what an agent has registered (auth.md).
//!
//! At any time at most one attempt is live, and everything that belongs to it dies with it. Two different codes serve two directions:
//! the typed code goes to the agent, who shows it, and the person types it; the relay code is shown to the person, who reads it to
//! the agent. The first path that is taken closes the other.

use serde::{Deserialize, Serialize};

pub use super::words::{Answer, ClaimRefusal, CredentialType, NewAttempt, NewClaim, Page, Path, Paths, VouchedFor};
use crate::id::{AccountId, AttemptId};
use crate::secret::Digest;
use crate::time::{Timestamp, Ttl};

/// An attempt, its page and its codes live so long.
pub const WINDOW: Ttl = Ttl::from_seconds(600);
/// Seconds between polls, to begin with (RFC 8628, section 3.2).
pub const INTERVAL: u64 = 5;
/// Wrong codes of one attempt, and of all attempts of a claim.
const WRONG: (u32, u32) = (5, 10);
/// Attempts of one claim within an hour.
const ATTEMPTS: usize = 10;
const HOUR: Ttl = Ttl::from_seconds(3600);
/// What was delivered is delivered again, byte for byte, for so long.
const REPLAY: Ttl = Ttl::from_seconds(120);
/// No client is told to wait longer.
const SLOWEST: u64 = 60;

/// A claim.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Claim {
    token: Digest,
    hint: Option<String>,
    credential: Option<CredentialType>,
    /// What a provider has said of the registration itself: it goes with every attempt.
    #[serde(default)]
    vouched: Option<VouchedFor>,
    /// When attempts were begun in the last hour.
    begun: Vec<Timestamp>,
    /// Wrong codes of all attempts.
    wrong: u32,
    attempt: Option<Attempt>,
    polled: Option<Timestamp>,
    interval: u64,
    delivery: Delivery,
}

/// An attempt.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Attempt {
    id: AttemptId,
    view: Digest,
    typed: Option<Digest>,
    paths: Paths,
    taken: Option<Path>,
    hint: Option<String>,
    vouched: Option<VouchedFor>,
    mailed: bool,
    expires: Timestamp,
    wrong: u32,
    denied: bool,
    /// Who has confirmed, the code that was shown for it, and until when that counts.
    shown: Option<(AccountId, Digest, Timestamp)>,
}

/// Whether the agent has what the claim brings.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
enum Delivery {
    #[default]
    Open,
    /// Sealed with a key that only the holder of the claim token can compute.
    Done {
        path: Path,
        at: Timestamp,
        sealed: String,
        /// `jti` of the assertion in it.
        assertion: String,
    },
    Closed,
}

/// What a person's answer comes to, or the code that they read to the agent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answered {
    /// The registration is this person's.
    Approved(AccountId, Option<VouchedFor>),
    /// The code is good until then.
    Revealed(Timestamp),
    /// The person has said no.
    Denied,
}

impl Claim {
    pub(super) fn new(new: NewClaim, registration_expires: Timestamp, now: Timestamp) -> Self {
        let mut claim = Self {
            token: new.token,
            hint: new.hint,
            credential: new.credential,
            vouched: new.attempt.as_ref().and_then(|attempt| attempt.vouched.clone()),
            begun: Vec::new(),
            wrong: 0,
            attempt: None,
            polled: None,
            interval: INTERVAL,
            delivery: Delivery::Open,
        };
        if let Some(attempt) = new.attempt {
            claim.start(attempt, registration_expires, now);
        }
        claim
    }

    pub(super) fn is(&self, token: &[Digest]) -> bool {
        token.iter().any(|digest| digest.same(&self.token))
    }

    /// The token changes, and with it goes every attempt; what was counted stays.
    pub(super) fn replace(&mut self, new: NewClaim, registration_expires: Timestamp, now: Timestamp) {
        self.begun.retain(|begun| now < begun.plus(HOUR));
        let (begun, wrong) = (std::mem::take(&mut self.begun), self.wrong);
        let fresh = Self::new(new, registration_expires, now);
        *self = Self { begun: begun.into_iter().chain(fresh.begun.clone()).collect(), wrong, ..fresh };
    }

    pub(super) fn credential(&self) -> Option<CredentialType> {
        self.credential
    }

    /// Whether an attempt is live: a person may be at it.
    pub(super) fn live(&self, now: Timestamp) -> bool {
        self.attempt.as_ref().is_some_and(|attempt| attempt.is_open(now))
    }

    /// An attempt by mail to the same address that is live: it is not repeated.
    pub(super) fn same(&self, new: &NewAttempt, now: Timestamp) -> Option<(AttemptId, Timestamp)> {
        let hint = new.hint.as_deref().or(self.hint.as_deref()).filter(|_| new.mailed)?;
        self.mailed(hint, now)
    }

    /// The live attempt by mail to this address.
    pub(super) fn mailed(&self, hint: &str, now: Timestamp) -> Option<(AttemptId, Timestamp)> {
        let attempt = self.attempt.as_ref().filter(|attempt| attempt.mailed && attempt.is_open(now))?;
        (attempt.hint.as_deref() == Some(hint)).then(|| (attempt.id.clone(), attempt.expires))
    }

    /// Whether one more attempt may begin, for `hint` if one is named; how many began in the last hour.
    pub(super) fn admits(&self, hint: Option<&str>, registration_expires: Timestamp, now: Timestamp) -> Result<usize, ClaimRefusal> {
        if self.hint.is_some() && hint.is_some() && hint != self.hint.as_deref() {
            return Err(ClaimRefusal::HintFixed);
        }
        self.bears(registration_expires, now)
    }

    /// Whether there were not too many attempts and wrong codes already.
    pub(super) fn bears(&self, registration_expires: Timestamp, now: Timestamp) -> Result<usize, ClaimRefusal> {
        if self.wrong >= WRONG.1 {
            return Err(ClaimRefusal::TooMany(now.until(registration_expires)));
        }
        let recent: Vec<Timestamp> = self.begun.iter().copied().filter(|begun| now < begun.plus(HOUR)).collect();
        match recent.first() {
            Some(oldest) if recent.len() >= ATTEMPTS => Err(ClaimRefusal::TooMany(now.until(oldest.plus(HOUR)))),
            _ => Ok(recent.len()),
        }
    }

    /// Begins an attempt, which does not outlive the registration: the one before it is gone with its page, its codes and what a provider
    /// had said.
    pub(super) fn start(&mut self, new: NewAttempt, registration_expires: Timestamp, now: Timestamp) -> (AttemptId, Timestamp) {
        self.begun.retain(|begun| now < begun.plus(HOUR));
        self.begun.push(now);
        self.interval = INTERVAL;
        let expires = now.plus(WINDOW).min(registration_expires);
        let id = new.id.clone();
        self.attempt = Some(Attempt {
            id: new.id,
            view: new.view,
            typed: new.typed,
            paths: new.paths,
            taken: None,
            hint: new.hint.or_else(|| self.hint.clone()),
            vouched: new.vouched.or_else(|| self.vouched.clone()),
            mailed: new.mailed,
            expires,
            wrong: 0,
            denied: false,
            shown: None,
        });
        (id, expires)
    }

    /// Whether this attempt is the newest.
    pub(super) fn is_at(&self, id: &AttemptId) -> bool {
        self.attempt.as_ref().is_some_and(|attempt| attempt.id == *id)
    }

    /// The mail could not be sent: as if the attempt had never begun.
    pub(super) fn withdraw(&mut self, id: &AttemptId) {
        if self.is_at(id) {
            self.attempt = None;
            self.begun.pop();
        }
    }

    /// Whether a provider's word on this link, said before this generation, stands behind the attempt or those to come.
    pub(super) fn vouched_by(&self, link: &str, generation: u32) -> bool {
        let attempt = self.attempt.as_ref().and_then(|attempt| attempt.vouched.as_ref());
        attempt.into_iter().chain(&self.vouched).any(|vouched| vouched.link == link && vouched.generation < generation)
    }

    /// The live attempt is over: what stood behind it is gone.
    pub(super) fn drop_attempt(&mut self) {
        self.attempt = None;
        self.vouched = None;
    }

    /// RFC 8628, section 3.5, for a registration that is not claimed: whether the agent polls too often.
    pub(super) fn poll(&mut self, now: Timestamp) -> Result<bool, ClaimRefusal> {
        match &self.attempt {
            Some(attempt) if attempt.denied => return Err(ClaimRefusal::Denied),
            Some(attempt) if !attempt.is_open(now) => return Err(ClaimRefusal::Expired),
            _ => {}
        }
        let too_soon = self.polled.is_some_and(|last| now < last.plus(Ttl::from_seconds(self.interval)));
        self.polled = Some(now);
        if too_soon {
            self.interval = self.interval.saturating_add(5).min(SLOWEST);
        }
        Ok(too_soon)
    }

    /// What the page of an attempt may show.
    pub(super) fn page(&self, view: &[Digest], claimed: bool, ended: bool, now: Timestamp) -> Result<Page, ClaimRefusal> {
        let attempt = self.attempt_of(view).ok_or(ClaimRefusal::Unknown)?;
        attempt.is_answerable(claimed, ended, now)?;
        Ok(Page {
            attempt: attempt.id.clone(),
            hint: attempt.hint.clone(),
            vouched: attempt.vouched.clone(),
            mailed: attempt.mailed,
            typed: attempt.allows(Path::Typed),
            relay: attempt.allows(Path::Relay),
        })
    }

    fn attempt_of(&self, view: &[Digest]) -> Option<&Attempt> {
        self.attempt.as_ref().filter(|attempt| view.iter().any(|digest| digest.same(&attempt.view)))
    }

    /// A person answers. `email` is theirs, in canonical form.
    pub(super) fn answer(
        &mut self,
        view: &[Digest],
        (person, email): (&AccountId, Option<&str>),
        answer: &Answer,
        (claimed, ended): (bool, bool),
        now: Timestamp,
    ) -> Result<Answered, ClaimRefusal> {
        let known = self.attempt_of(view).ok_or(ClaimRefusal::Unknown)?;
        known.is_answerable(claimed, ended, now)?;
        known.may_answer(person, email)?;
        let attempt = self.attempt.as_mut().ok_or(ClaimRefusal::Unknown)?;
        match answer {
            Answer::Deny => {
                attempt.denied = true;
                attempt.shown = None;
                Ok(Answered::Denied)
            }
            Answer::Typed(_) if !attempt.allows(Path::Typed) => Err(ClaimRefusal::OtherPath),
            Answer::Reveal(_) if !attempt.allows(Path::Relay) => Err(ClaimRefusal::OtherPath),
            Answer::Typed(codes) => {
                attempt.taken = Some(Path::Typed);
                if attempt.typed.as_ref().is_some_and(|typed| codes.iter().any(|code| code.same(typed))) {
                    return Ok(Answered::Approved(person.clone(), attempt.vouched.clone()));
                }
                Err(self.count_wrong())
            }
            Answer::Reveal(digest) => {
                attempt.taken = Some(Path::Relay);
                let expires = now.plus(WINDOW);
                attempt.shown = Some((person.clone(), digest.clone(), expires));
                attempt.expires = expires;
                Ok(Answered::Revealed(expires))
            }
        }
    }

    /// The agent submits the code that its person has read out.
    pub(super) fn complete(&mut self, codes: &[Digest], now: Timestamp) -> Result<Answered, ClaimRefusal> {
        let attempt = self.attempt.as_ref().ok_or(ClaimRefusal::NoAttempt)?;
        if attempt.denied {
            return Err(ClaimRefusal::Denied);
        }
        if self.is_worn_out() {
            return Err(ClaimRefusal::CodeOver);
        }
        let Some((person, digest, expires)) = &attempt.shown else {
            return Err(if now < attempt.expires { ClaimRefusal::NotConfirmed } else { ClaimRefusal::CodeOver });
        };
        if now >= *expires {
            return Err(ClaimRefusal::CodeOver);
        }
        if codes.iter().any(|code| code.same(digest)) {
            return Ok(Answered::Approved(person.clone(), attempt.vouched.clone()));
        }
        self.count_wrong();
        Err(ClaimRefusal::WrongCode)
    }

    /// One wrong code more; too many end the attempt.
    fn count_wrong(&mut self) -> ClaimRefusal {
        self.wrong = self.wrong.saturating_add(1);
        if let Some(attempt) = &mut self.attempt {
            attempt.wrong = attempt.wrong.saturating_add(1);
        }
        if self.is_worn_out() { ClaimRefusal::CodeOver } else { ClaimRefusal::WrongCode }
    }

    /// Whether it was completed with this code: a repeated completion must bring it too.
    pub(super) fn was_completed_with(&self, codes: &[Digest]) -> bool {
        let shown = self.attempt.as_ref().and_then(|attempt| attempt.shown.as_ref());
        shown.is_some_and(|(_, digest, _)| codes.iter().any(|code| code.same(digest)))
    }

    fn is_worn_out(&self) -> bool {
        self.wrong >= WRONG.1 || self.attempt.as_ref().is_some_and(Attempt::is_worn_out)
    }

    /// What was delivered on `path` already, if it is still brought again; refused if it is not.
    pub(super) fn delivered(&self, path: Path, now: Timestamp) -> Result<Option<String>, ClaimRefusal> {
        match &self.delivery {
            Delivery::Open => Ok(None),
            Delivery::Done { path: before, at, sealed, .. } if *before == path && now < at.plus(REPLAY) => Ok(Some(sealed.clone())),
            Delivery::Done { .. } | Delivery::Closed => Err(ClaimRefusal::Delivered),
        }
    }

    /// What is delivered now, once.
    pub(super) fn deliver(&mut self, path: Path, sealed: String, assertion: String, now: Timestamp) {
        self.delivery = Delivery::Done { path, at: now, sealed, assertion };
    }

    /// Nothing will be delivered any more.
    pub(super) fn close(&mut self) {
        self.delivery = Delivery::Closed;
    }

    /// The delivered assertion was used: the agent has it, so it is not brought again.
    pub(super) fn used(&mut self, jti: &str) -> bool {
        let used = matches!(&self.delivery, Delivery::Done { assertion, .. } if assertion == jti);
        if used {
            self.delivery = Delivery::Closed;
        }
        used
    }
}

impl Attempt {
    fn is_worn_out(&self) -> bool {
        self.wrong >= WRONG.0
    }

    fn is_open(&self, now: Timestamp) -> bool {
        !self.denied && !self.is_worn_out() && now < self.expires
    }

    fn is_answerable(&self, claimed: bool, ended: bool, now: Timestamp) -> Result<(), ClaimRefusal> {
        match () {
            () if claimed => Err(ClaimRefusal::Claimed),
            () if ended => Err(ClaimRefusal::Revoked),
            () if self.denied => Err(ClaimRefusal::Denied),
            () if self.is_worn_out() => Err(ClaimRefusal::CodeOver),
            () if now >= self.expires => Err(ClaimRefusal::Expired),
            () => Ok(()),
        }
    }

    /// With a provider's word only the matched person, else whoever has the address.
    fn may_answer(&self, person: &AccountId, email: Option<&str>) -> Result<(), ClaimRefusal> {
        let right = match &self.vouched {
            Some(vouched) => vouched.person == *person,
            None => self.hint.is_some() && self.hint.as_deref() == email,
        };
        right.then_some(()).ok_or(ClaimRefusal::WrongPerson)
    }

    fn allows(&self, path: Path) -> bool {
        let open = matches!((self.paths, path), (Paths::Both, _) | (Paths::Typed, Path::Typed) | (Paths::Relay, Path::Relay));
        open && self.taken.is_none_or(|taken| taken == path) && (path == Path::Relay || self.typed.is_some())
    }
}
