//! Codes and refresh tokens of a grant: each is used once, and nothing is used up by a request that fails.

use subtle::ConstantTimeEq;

use super::{By, Code, Command, Grant, GrantRefusal, MOST_FAMILIES, Outcome, Redemption, Terms};
use crate::jose::claims::CredentialStamp;
use crate::machine::Next;
use crate::machine::family::{Family, Presented, Rotation};
use crate::machine::places::Places;
use crate::machine::standing::{Credential, Standing};
use crate::machine::status_index::Block;

use crate::oauth::scope::Scope;
use crate::secret::Digest;
use crate::time::{Timestamp, Ttl};

impl Grant {
    /// What a code that was not used yet is good for.
    pub(super) fn promise(self, code: &[Digest]) -> Outcome {
        let is = |known: &&Code| known.brought.is_none() && code.iter().any(|digest| digest.same(&known.digest));
        match (self.account, self.codes.iter().find(is)) {
            (Some(account), Some(code)) => Outcome::Promise { account, scope: code.terms.scope.clone() },
            _ => Outcome::Unknown,
        }
    }

    /// RFC 6749, section 4.1.3; RFC 7636, section 4.6. A code that comes again ends what it has brought (RFC 6749, section 10.5), and so
    /// only its own client can end that.
    pub(super) fn redeem(mut self, command: Command, now: Timestamp) -> (Next<Self>, Outcome) {
        let Command::Redeem { code, by, challenge, redirect_uri, id, refresh, bind, block, life, keyless } = command else {
            return (Next::Keep, Outcome::Unknown);
        };
        let refused = |refusal| (Next::Keep, Outcome::Refused(refusal));
        let same = |known: &Digest| code.iter().any(|digest| digest.same(known));
        let Some(index) = self.codes.iter().position(|known| same(&known.digest)) else { return refused(GrantRefusal::Unknown) };
        let Some(known) = self.codes.get(index) else { return refused(GrantRefusal::Unknown) };
        if let Err(refusal) = known.terms.admit(&by) {
            return refused(refusal);
        }
        let fits = match (&known.terms.challenge, &challenge) {
            (Some(known), Some(sent)) => known.as_bytes().ct_eq(sent.as_bytes()).into(),
            (known, sent) => known.is_none() && sent.is_none(),
        };
        if !fits {
            return refused(GrantRefusal::Verifier);
        }
        if redirect_uri.is_some() && redirect_uri != known.terms.redirect_uri {
            return refused(GrantRefusal::RedirectUri);
        }
        if self.client != by.client {
            return refused(GrantRefusal::Client);
        }
        if let Some(brought) = known.brought {
            self.end_redemption(brought);
            return (self.put(), Outcome::Refused(GrantRefusal::Replayed));
        }
        if now >= known.expires {
            return refused(GrantRefusal::Expired);
        }
        if !self.standing.counts(self.standing.generation, now) {
            return refused(GrantRefusal::Ended);
        }
        if self.standing.credentials.iter().any(|stamp| stamp.id == id) {
            return refused(GrantRefusal::Taken);
        }
        let asked = known.terms.clone();
        if self.is_full(block.as_ref()) {
            return refused(GrantRefusal::Full);
        }
        if keyless && asked.scope.as_scope().iter().any(|name| name == "openid") {
            return (Next::Keep, self.promise(&code));
        }
        // The nonce is for this answer's ID token alone.
        let jkt = if bind { by.jkt } else { None };
        let kept = Terms { redirect_uri: None, challenge: None, nonce: None, jkt, ..asked.clone() };
        if let Some(code) = self.codes.get_mut(index) {
            code.terms = code.terms.used();
            code.brought = Some(id);
        }
        let digest = refresh.clone().unwrap_or_else(|| known_digest(&code));
        let family = refresh.map(|first| Family::begin(id, first, now));
        let mut stamp = Credential::new(id, digest, Some(life), now);
        if let Some(family) = &family {
            stamp.expires = family.expires;
        }
        self.make_room();
        self.standing.credentials.push(stamp);
        self.redemptions.push(Redemption { id, terms: kept, family, used: now, proven: by.proven });
        self.remember(block, now);
        self.prolong(now);
        self.issue(Some(id), Some(asked), 0)
    }

    /// The refresh rule: see [`Family::rotate`].
    pub(super) fn refresh(
        mut self,
        token: &Presented,
        by: &By,
        scope: Option<&Scope>,
        block: Option<(Block, Ttl)>,
        now: Timestamp,
    ) -> (Next<Self>, Outcome) {
        let refused = |refusal| (Next::Keep, Outcome::Refused(refusal));
        if self.client != by.client {
            return refused(GrantRefusal::Client);
        }
        if !self.standing.counts(self.standing.generation, now) {
            return refused(GrantRefusal::Ended);
        }
        let of_family = |one: &&mut Redemption| one.id == token.family && one.family.is_some();
        let Some(one) = self.redemptions.iter_mut().find(of_family) else { return refused(GrantRefusal::Unknown) };
        // RFC 6749, section 6: a client that authenticates must do so here too, and one that signs may also be called by its name alone.
        if by.proven < one.proven {
            return refused(GrantRefusal::Proof);
        }
        if let Err(refusal) = one.terms.admit(by) {
            return refused(refusal);
        }
        if scope.is_some_and(|scope| !scope.is_within(one.terms.scope.as_scope())) {
            return refused(GrantRefusal::Scope);
        }
        let Some(family) = &mut one.family else { return refused(GrantRefusal::Unknown) };
        let (id, terms) = (one.id, one.terms.clone());
        match family.rotate(token, now) {
            Rotation::Successor(successor) => {
                one.used = now;
                one.proven = one.proven.max(by.proven);
                let expires = family.expires;
                // Only here: a token that comes again ends its family, room or not.
                if self.is_full(block.as_ref()) {
                    return refused(GrantRefusal::Full);
                }
                if let Some(stamp) = self.standing.credentials.iter_mut().find(|stamp| stamp.id == id) {
                    stamp.expires = expires;
                }
                self.remember(block, now);
                self.prolong(now);
                self.issue(Some(id), Some(terms), successor)
            }
            Rotation::Reused => {
                // Two hold the same token, and one of them stole it: both are out, with all that it has brought.
                self.end_redemption(id);
                (self.put(), Outcome::Refused(GrantRefusal::Replayed))
            }
            Rotation::Unknown => refused(GrantRefusal::Unknown),
        }
    }

    /// The client's own token: a place for it is all that is written, and that now and then.
    pub(super) fn own(mut self, new: bool, block: Option<(Block, Ttl)>, now: Timestamp) -> (Next<Self>, Outcome) {
        if self.standing.suspended {
            return (Next::Keep, Outcome::Refused(GrantRefusal::Ended));
        }
        if self.is_full(block.as_ref()) {
            return (Next::Keep, Outcome::Refused(GrantRefusal::Full));
        }
        // Whoever ended the client's own tokens ended those; a client that is still there may ask for new ones.
        let revived = std::mem::take(&mut self.standing.ended);
        if block.is_none() && !new && !revived {
            let standing = self.standing;
            return (Next::Keep, Outcome::Issue { standing, stamp: None, terms: None, account: None, successor: 0 });
        }
        self.remember(block, now);
        self.prolong(now);
        self.issue(None, None, 0)
    }

    /// Whether the token still counts, and a place for the one that takes its place.
    pub(super) fn exchange(
        mut self,
        generation: u32,
        stamp: Option<CredentialStamp>,
        block: Option<(Block, Ttl)>,
        now: Timestamp,
    ) -> (Next<Self>, Outcome) {
        let live = self.standing.counts(generation, now) && stamp.is_none_or(|stamp| self.standing.stamp_counts(stamp, now));
        if !live {
            return (Next::Keep, Outcome::Refused(GrantRefusal::Ended));
        }
        if self.is_full(block.as_ref()) {
            return (Next::Keep, Outcome::Refused(GrantRefusal::Full));
        }
        if block.is_none() {
            let standing = self.of_session(stamp.map(|stamp| stamp.id));
            return (Next::Keep, Outcome::Issue { standing, stamp, terms: None, account: self.account, successor: 0 });
        }
        self.remember(block, now);
        self.issue(stamp.map(|stamp| stamp.id), None, 0)
    }

    fn issue(self, id: Option<u32>, terms: Option<Terms>, successor: usize) -> (Next<Self>, Outcome) {
        let standing = self.of_session(id);
        let stamp = standing.credentials.first().map(|stamp| CredentialStamp { id: stamp.id, generation: stamp.generation });
        let account = self.account.clone();
        (self.put(), Outcome::Issue { standing, stamp, terms, account, successor })
    }

    /// How it stands, with this session's stamp alone: whoever asks for another must ask again, and most never do.
    fn of_session(&self, id: Option<u32>) -> Standing {
        self.standing.with(id.and_then(|id| self.standing.credentials.iter().find(|stamp| stamp.id == id)).cloned())
    }

    fn is_full(&mut self, block: Option<&(Block, Ttl)>) -> bool {
        block.is_some() && self.places().is_full()
    }

    fn remember(&mut self, block: Option<(Block, Ttl)>, now: Timestamp) {
        if let Some((block, ttl)) = block {
            self.places().remember(block, ttl, now);
        }
    }

    pub(super) const fn places(&mut self) -> Places<'_> {
        Places { standing: &mut self.standing, blocks: &mut self.blocks, marks: &mut self.marks }
    }

    /// Room for one more: the one that was not used for longest goes, and all that came of it.
    fn make_room(&mut self) {
        while self.redemptions.len() >= MOST_FAMILIES {
            let oldest = self.redemptions.iter().min_by_key(|one| one.used).map(|one| one.id);
            let Some(id) = oldest else { return };
            self.end_redemption(id);
        }
    }

    /// Ends everything that came of one code.
    pub(super) fn end_redemption(&mut self, id: u32) {
        let before = self.standing.credentials.len();
        self.redemptions.retain(|one| one.id != id);
        self.standing.credentials.retain(|stamp| stamp.id != id);
        if self.standing.credentials.len() < before {
            // Places are not kept per code: see the registration's API keys.
            self.places().mark_all();
        }
    }
}

/// A redemption without refresh tokens keeps the code's digest in their place: nothing is ever compared with it.
fn known_digest(code: &[Digest]) -> Digest {
    code.first().cloned().unwrap_or_else(|| Digest::new(String::new(), [0; 32]))
}
