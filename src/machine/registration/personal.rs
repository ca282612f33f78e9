//! An API key that a person makes for a program of their own: a registration that is theirs from the start, and ends with its key.

use serde::{Deserialize, Serialize};

use super::{Kind, Outcome, Registration, Said};
use crate::account::{Feed, event};
use crate::id::{AccountId, RegistrationId};
use crate::machine::Next;
use crate::machine::standing::Credential;
use crate::oauth::scope::Scope;
use crate::secret::Digest;
use crate::time::Timestamp;

/// A personal API key to be.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NewPersonal {
    /// The registration's own name: the record does not know under what it is kept.
    pub registration: RegistrationId,
    /// Whose it is.
    pub owner: AccountId,
    /// What they call it.
    pub name: String,
    /// What is stored of the key.
    pub digest: Digest,
    /// No more may be done with it, nor by whatever it makes.
    pub scope: Scope,
    /// It ends then with all below it, if ever.
    pub expires: Option<Timestamp>,
}

impl Registration {
    /// A key for its owner. The same again changes nothing; whatever else has the name keeps it.
    pub(super) fn make_personal(state: Option<Self>, new: NewPersonal, now: Timestamp) -> (Next<Self>, Outcome) {
        let NewPersonal { registration, owner, name, digest, scope, expires } = new;
        if let Some(known) = state {
            let same = known.standing.is_live(now) && known.ownership.is_of(&owner) && known.keys().any(|key| key.digest.same(&digest));
            return (Next::Keep, if same { Outcome::Standing(known.standing) } else { Outcome::Conflict });
        }
        let expires = expires.unwrap_or(Timestamp::NEVER);
        if expires <= now || scope.is_empty() {
            return (Next::Keep, Outcome::Refused);
        }
        let mut made = Self::open(now.until(expires), Said { email: None, agent: Some(name) }, Kind::Personal, None, now);
        let mut key = Credential::new(0, digest, None, now);
        key.expires = expires;
        key.scope = Some(scope.clone());
        made.standing.credentials.push(key);
        made.standing.claimed = true;
        made.standing.expires = expires;
        made.standing.ceiling = Some(scope);
        made.ownership.name = Some(registration);
        made.ownership.owner = Some(owner);
        made.ownership.claimed = Some(now);
        made.ownership.note(event::KEY_CREATED, "", now);
        let standing = made.standing.clone();
        (made.put(), Outcome::Standing(standing))
    }

    /// Nobody could use it any more, and its owner would see it as if somebody could.
    pub(super) fn end_without_key(&mut self, now: Timestamp) {
        let works = |key: &Credential| !key.ended && now < key.expires;
        if self.standing.kind == Kind::Personal && !self.keys().any(works) {
            self.end("the key itself", now);
        }
    }

    /// How it stands, for its owner alone.
    pub(super) fn held(&self, person: &AccountId) -> Outcome {
        match self.agent().filter(|_| self.ownership.is_of(person)) {
            Some(agent) => Outcome::Feed(Some(Feed { sequence: self.ownership.sequence(), agent, events: Vec::new() })),
            None => Outcome::Unknown,
        }
    }
}
