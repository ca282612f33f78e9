//! A person claims a registration, step by step.

use serde_json::json;

use super::claim::{Answered, ClaimRefusal, Path, VouchedFor};
use super::{Command, Kind, Outcome, Registration};
use crate::machine::Next;
use crate::machine::family::Family;
use crate::secret::Digest;
use crate::time::Timestamp;

impl Registration {
    /// Carries out a step of the ceremony.
    pub(super) fn ceremony(mut self, command: Command, now: Timestamp) -> (Next<Self>, Outcome) {
        match self.advance(command, now) {
            Ok(outcome) => (self.put(), outcome),
            // A wrong code was counted; nothing else that is refused changes anything.
            Err(refusal @ (ClaimRefusal::WrongCode | ClaimRefusal::CodeOver)) => (self.put(), Outcome::Claim(refusal)),
            Err(refusal) => (Next::Keep, Outcome::Claim(refusal)),
        }
    }

    /// What the page of an attempt may show: nothing changes.
    pub(super) fn view(self, view: &[Digest], now: Timestamp) -> (Next<Self>, Outcome) {
        let page = self.claim.as_ref().ok_or(ClaimRefusal::Unknown);
        let page = page.and_then(|claim| claim.page(view, self.standing.claimed, self.standing.ended, now));
        let outcome = match page {
            Ok(page) => Outcome::Page { standing: self.standing, said: self.said, page },
            Err(refusal) => Outcome::Claim(refusal),
        };
        (Next::Keep, outcome)
    }

    /// The open attempt by mail to `hint`, or how many there were, or why there will be none: nothing changes.
    pub(super) fn mailed(self, token: &[Digest], hint: &str, now: Timestamp) -> (Next<Self>, Outcome) {
        let known = self.knows(token).and_then(|()| self.unclaimed());
        let judged = known.and(self.claim.as_ref().ok_or(ClaimRefusal::Unknown)).and_then(|claim| match claim.mailed(hint, now) {
            Some(open) => Ok((Some(open), 0)),
            None => claim.admits(Some(hint), self.standing.expires, now).map(|begun| (None, begun)),
        });
        let outcome = match judged {
            Ok((Some((attempt, expires)), _)) => Outcome::Begun { standing: self.standing, attempt, expires, fresh: false },
            Ok((None, begun)) => Outcome::Attempts(begun),
            Err(refusal) => Outcome::Claim(refusal),
        };
        (Next::Keep, outcome)
    }

    /// Whether an ID-JAG may claim it: nothing changes.
    pub(super) fn claimable(self, token: &[Digest], now: Timestamp) -> (Next<Self>, Outcome) {
        let outcome = match self.claimable_by_id_jag(token, now) {
            Ok(()) => Outcome::Standing(self.standing),
            Err(refusal) => Outcome::Claim(refusal),
        };
        (Next::Keep, outcome)
    }

    fn advance(&mut self, command: Command, now: Timestamp) -> Result<Outcome, ClaimRefusal> {
        match command {
            Command::Begin { token, attempt } => {
                self.knows(&token)?;
                self.unclaimed()?;
                if attempt.vouched.as_ref().is_some_and(|vouched| self.ownership.is_void(&vouched.link, vouched.generation)) {
                    return Err(ClaimRefusal::Revoked);
                }
                let Some(claim) = self.claim.as_mut() else { return Err(ClaimRefusal::Unknown) };
                let before = claim.same(&attempt, now);
                let (attempt, expires) = match before.clone() {
                    Some(before) => before,
                    None if attempt.vouched.is_some() && claim.live(now) => return Err(ClaimRefusal::InFlight),
                    None => {
                        claim.admits(attempt.hint.as_deref(), self.standing.expires, now)?;
                        claim.start(attempt, self.standing.expires, now)
                    }
                };
                Ok(Outcome::Begun { standing: self.standing.clone(), attempt, expires, fresh: before.is_none() })
            }
            Command::ClaimVouched { token, vouch } => {
                self.claimable_by_id_jag(&token, now)?;
                if self.ownership.is_void(&vouch.link, vouch.generation) {
                    return Err(ClaimRefusal::Revoked);
                }
                self.ownership.name = Some(vouch.registration);
                self.take(vouch.person, Some((vouch.issuer, vouch.link, vouch.generation)), now);
                if let Some(claim) = &mut self.claim {
                    claim.close();
                }
                Ok(Outcome::Standing(self.standing.clone()))
            }
            Command::Poll { token } => {
                self.knows(&token)?;
                if self.standing.claimed {
                    return self.ready(Path::Typed, now);
                }
                self.unclaimed()?;
                let Some(claim) = self.claim.as_mut() else { return Err(ClaimRefusal::Unknown) };
                Ok(if claim.poll(now)? { Outcome::SlowDown } else { Outcome::Pending })
            }
            Command::Complete { token, codes } => {
                self.knows(&token)?;
                if self.standing.claimed {
                    let known = self.claim.as_ref().is_some_and(|claim| claim.was_completed_with(&codes));
                    return if known { self.ready(Path::Relay, now) } else { Err(ClaimRefusal::Claimed) };
                }
                self.unclaimed()?;
                let Some(claim) = self.claim.as_mut() else { return Err(ClaimRefusal::Unknown) };
                let answered = claim.complete(&codes, now)?;
                self.settle(answered, now);
                self.ready(Path::Relay, now)
            }
            Command::Answer { view, person, email, answer } => {
                let settled = (self.standing.claimed, self.standing.ended);
                let claim = self.claim.as_mut().ok_or(ClaimRefusal::Unknown)?;
                let answered = claim.answer(&view, (&person, email.as_deref()), &answer, settled, now)?;
                Ok(self.settle(answered, now))
            }
            Command::Deliver { token, path, generation, sealed, assertion, refresh, key } => {
                self.knows(&token)?;
                if !self.standing.claimed || generation != self.standing.generation {
                    return Err(ClaimRefusal::Delivered);
                }
                let Some(claim) = self.claim.as_mut() else { return Err(ClaimRefusal::Unknown) };
                if let Some(before) = claim.delivered(path, now)? {
                    return Ok(Outcome::Delivered(before));
                }
                claim.deliver(path, sealed.clone(), assertion, now);
                if let Some((id, digest)) = refresh {
                    self.families = id.saturating_add(1);
                    self.family = Some(Family::begin(id, digest, now));
                }
                if let Some(key) = key {
                    self.add_key(key, now);
                }
                Ok(Outcome::Delivered(sealed))
            }
            _ => Ok(Outcome::Standing(self.standing.clone())),
        }
    }

    fn settle(&mut self, answered: Answered, now: Timestamp) -> Outcome {
        match answered {
            Answered::Approved(person, vouched) => {
                let link = vouched.map(|VouchedFor { link, generation, issuer, .. }| {
                    // The provider's link is the person's from now on, unless the provider has spoken meanwhile.
                    self.ownership.tell_link(json!({ "Bind": { "person": person, "generation": generation } }));
                    (issuer, link, generation)
                });
                self.take(person, link, now);
                Outcome::Approved(self.standing.clone())
            }
            Answered::Revealed(expires) => Outcome::Revealed(expires),
            Answered::Denied => Outcome::Denied,
        }
    }

    /// What the agent of a claimed registration gets.
    fn ready(&mut self, path: Path, now: Timestamp) -> Result<Outcome, ClaimRefusal> {
        let (Some(claim), Some(owner)) = (&self.claim, &self.ownership.owner) else { return Err(ClaimRefusal::Unknown) };
        match () {
            () if self.standing.ended => return Err(ClaimRefusal::Revoked),
            () if self.standing.suspended => return Err(ClaimRefusal::Denied),
            () => {}
        }
        if let Some(before) = claim.delivered(path, now)? {
            return Ok(Outcome::Delivered(before));
        }
        let (standing, owner) = (self.standing.clone(), owner.clone());
        Ok(Outcome::Ready { standing, owner, credential: claim.credential(), family: self.families })
    }

    fn unclaimed(&self) -> Result<(), ClaimRefusal> {
        match () {
            () if self.standing.claimed => Err(ClaimRefusal::Claimed),
            () if self.standing.ended => Err(ClaimRefusal::Revoked),
            () => Ok(()),
        }
    }

    fn claimable_by_id_jag(&self, token: &[Digest], now: Timestamp) -> Result<(), ClaimRefusal> {
        self.knows(token)?;
        self.unclaimed()?;
        match &self.claim {
            _ if self.standing.kind != Kind::Anonymous => Err(ClaimRefusal::Kind),
            Some(claim) if claim.live(now) => Err(ClaimRefusal::InFlight),
            _ => Ok(()),
        }
    }
}
