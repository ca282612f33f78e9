//! What one person has granted to one client, or a client's own right to act: consent, codes, and the refresh families that came of
//! them. Redeeming a code, rotating a refresh token and liveness are one call to this record.

mod command;
mod redeem;
mod terms;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::client::Registered;
use super::family::Family;
use super::standing::{Kind, Standing};
use super::status_index::Block;
use super::{Effect, Machine, Next, places};
use crate::account::{self, Connection};
use crate::client;
use crate::id::{AccountId, GrantId};
use crate::oauth::scope::Scope;
use crate::secret::Digest;
use crate::time::{Timestamp, Ttl};

pub use command::{Command, GrantRefusal, Outcome};
pub use terms::{By, Consent, Proven, Terms};

/// A code is good for so long: people paste some of them by hand.
pub const CODE_LIFE: Ttl = Ttl::from_seconds(300);
/// A used code is remembered for so long: whoever comes with it then ends what it has brought.
const CODE_MEMORY: Ttl = Ttl::from_seconds(3600);
/// A consent that nobody uses is forgotten after so long.
const MEMORY: Ttl = Ttl::from_seconds(180 * 86400);
/// Codes of one grant at a time.
const MOST_CODES: usize = 32;
/// Families of one grant: the one that was not used for longest goes.
const MOST_FAMILIES: usize = 32;
/// Account and client are told of use at most this often.
const USE: Ttl = Ttl::from_seconds(3600);

/// A grant.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Grant {
    name: GrantId,
    /// None: the client acts for itself.
    account: Option<AccountId>,
    client: String,
    /// What the client calls itself, cleaned.
    client_name: Option<String>,
    /// Its credentials are the families: a token counts as long as that of the code that it came from.
    standing: Standing,
    consents: Vec<Consent>,
    codes: Vec<Code>,
    redemptions: Vec<Redemption>,
    blocks: Vec<(Block, Timestamp)>,
    marks: Vec<Block>,
    used: Option<Timestamp>,
    ended: Option<Timestamp>,
    sequence: u64,
    told: u64,
    /// Until then the client's record lives because of this grant, as it was told last.
    client_told: Timestamp,
}

/// An authorization code, or a device that was approved.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Code {
    digest: Digest,
    terms: Terms,
    expires: Timestamp,
    /// What it has brought, once it is used.
    brought: Option<u32>,
}

/// A code that was used, and the tokens that came of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Redemption {
    id: u32,
    terms: Terms,
    /// Its refresh tokens, if it has any.
    family: Option<Family>,
    used: Timestamp,
    /// How its client showed who it is: nothing less continues it.
    #[serde(default)]
    proven: Proven,
}

impl Machine for Grant {
    const KIND: &'static str = "grant";
    type Id = GrantId;
    type Command = Command;
    type Outcome = Outcome;

    fn step(state: Option<Self>, command: Command, now: Timestamp) -> (Next<Self>, Outcome) {
        let state = state.map(|mut known| {
            known.forget(now);
            known
        });
        match (state, command) {
            (state, Command::Approve { name, account, client, client_name, code, terms, life }) => {
                let mut grant = state.unwrap_or_else(|| Self::open(name, Some(account), client, now));
                grant.approve(client_name, code, terms, now.plus(life), now);
                let (standing, told) = (grant.standing.clone(), grant.connection());
                (grant.put(), Outcome::Approved(standing, told))
            }
            (None, Command::Own { name, client, block }) => Self::open(name, None, client, now).own(true, block, now),
            (Some(known), Command::Own { block, .. }) => known.own(false, block, now),
            (None, Command::Consents) => (Next::Keep, Outcome::Consents(Vec::new())),
            (None, _) => (Next::Keep, Outcome::Unknown),
            (Some(known), Command::Look) => (Next::Keep, Outcome::Standing(known.standing)),
            (Some(known), Command::Consents) => (Next::Keep, Outcome::Consents(known.consents)),
            (Some(known), Command::Whose) => (Next::Keep, Outcome::Whose(known.account)),
            (Some(known), Command::Promise { code }) => (Next::Keep, known.promise(&code)),
            (Some(known), command @ Command::Redeem { .. }) => known.redeem(command, now),
            (Some(known), Command::Refresh { token, by, scope, block }) => known.refresh(&token, &by, scope.as_ref(), block, now),
            (Some(known), Command::Exchange { generation, stamp, block }) => known.exchange(generation, stamp, block, now),
            (Some(known), command) => known.change(command, now),
        }
    }

    fn wakes_at(&self) -> Option<Timestamp> {
        let due = !self.marks.is_empty() || (self.account.is_some() && self.told < self.sequence) || self.client_falls_behind();
        due.then_some(Timestamp::from_millis(0))
    }

    fn due(&self, _now: Timestamp) -> Vec<Effect<Command>> {
        let mut effects = Vec::new();
        if let Some(account) = self.account.as_ref().filter(|_| self.told < self.sequence) {
            let command = json!(account::Command::Connect(self.connection()));
            effects.push(Effect::Tell { kind: account::KIND, id: account.to_string(), command, then: Command::Told(self.sequence) });
        }
        if self.client_falls_behind() {
            let (until, id) = (self.standing.expires, self.client.clone());
            let command = json!({ "Use": { "until": until } });
            effects.push(Effect::Tell { kind: Registered::KIND, id, command, then: Command::ClientTold(until) });
        }
        effects.extend(places::marking(&self.marks, Command::Marked));
        effects
    }
}

impl Grant {
    fn open(name: GrantId, account: Option<AccountId>, client: String, now: Timestamp) -> Self {
        // The name of a grant is always the same, so neither its generations nor what its account is told must come again when its record
        // has lapsed.
        let standing = Standing {
            generation: u32::try_from(now.seconds()).unwrap_or(u32::MAX),
            epoch: 0,
            tokens_after: 0,
            created: now,
            expires: now.plus(MEMORY),
            ended: false,
            claimed: true,
            credentials: Vec::new(),
            revoked: Vec::new(),
            kind: Kind::Grant,
            suspended: false,
            withdrawn: false,
            ancestors: Vec::new(),
            paused: false,
            ceiling: None,
            taken: None,
        };
        Self {
            name,
            account,
            client,
            client_name: None,
            standing,
            consents: Vec::new(),
            codes: Vec::new(),
            redemptions: Vec::new(),
            blocks: Vec::new(),
            marks: Vec::new(),
            used: None,
            ended: None,
            sequence: now.millis(),
            told: now.millis(),
            client_told: now,
        }
    }

    /// The person agrees. What was ended before stays so; it is a new beginning.
    fn approve(&mut self, client_name: Option<String>, digest: Digest, terms: Terms, expires: Timestamp, now: Timestamp) {
        self.standing.ended = false;
        self.ended = None;
        self.client_name = client_name;
        let (resource, asked) = (terms.resource.clone(), terms.scope.as_scope());
        let before = self.consents.iter().position(|consent| consent.resource == resource).map(|index| self.consents.remove(index));
        let scope = before.map_or_else(|| asked.clone(), |before| before.scope.union(asked));
        self.consents.push(Consent { resource, scope, at: now });
        // A yes that is written down again is the same code.
        if !self.codes.iter().any(|code| code.digest.same(&digest)) {
            if self.codes.len() >= MOST_CODES {
                self.codes.remove(0);
            }
            self.codes.push(Code { digest, terms, expires, brought: None });
        }
        self.prolong(now);
        self.sequence = self.sequence.saturating_add(1);
    }

    /// Somebody uses it.
    fn prolong(&mut self, now: Timestamp) {
        self.standing.expires = now.plus(MEMORY);
        if self.used.is_none_or(|used| used.plus(USE) <= now) {
            self.used = Some(now);
            self.sequence = self.sequence.saturating_add(1);
        }
    }

    fn change(mut self, command: Command, now: Timestamp) -> (Next<Self>, Outcome) {
        match command {
            Command::RevokeToken { token, place } => self.places().revoke_token(token, place, now),
            Command::RevokeRefresh { client: Some(client), .. } if client != self.client => return (Next::Keep, Outcome::Unknown),
            Command::RevokeRefresh { token, .. } => {
                let known = |one: &Redemption| one.family.as_ref().is_some_and(|family| family.knows(&token, now));
                if let Some(id) = self.redemptions.iter().find(|one| known(one)).map(|one| one.id) {
                    self.end_redemption(id);
                }
            }
            Command::EndBy(person) if self.account.as_ref() == Some(&person) => self.end(now),
            Command::EndBy(_) => return (Next::Keep, Outcome::Unknown),
            Command::EndByOperator => self.end(now),
            Command::Suspend { person, suspended } if self.account.as_ref() == Some(&person) => self.standing.suspended = suspended,
            Command::Marked(done) => self.places().marked(&done),
            Command::Told(sequence) => self.told = self.told.max(sequence),
            Command::ClientTold(until) => self.client_told = self.client_told.max(until),
            _ => return (Next::Keep, Outcome::Unknown),
        }
        let standing = self.standing.clone();
        (self.put(), Outcome::Standing(standing))
    }

    /// Nothing of it counts any more, and the person is asked again.
    fn end(&mut self, now: Timestamp) {
        if self.standing.ended {
            return;
        }
        self.standing.ended = true;
        self.standing.generation = self.standing.generation.saturating_add(1);
        self.standing.credentials.clear();
        self.standing.revoked.clear();
        self.consents.clear();
        self.codes.clear();
        self.redemptions.clear();
        self.places().mark_all();
        self.ended = Some(now);
        self.sequence = self.sequence.saturating_add(1);
    }

    /// How the person's account lists it.
    fn connection(&self) -> Connection {
        let mut scope = Scope::default();
        for consent in &self.consents {
            scope = scope.union(&consent.scope);
        }
        Connection {
            grant: self.name.clone(),
            sequence: self.sequence,
            client: self.client.clone(),
            name: self.client_name.clone(),
            scope,
            resources: self.consents.iter().map(|consent| consent.resource.clone()).collect(),
            created: self.standing.created,
            used: self.used,
            ended: self.ended,
        }
    }

    /// Clients that registered themselves live as long as their grants; only their ids have this form.
    fn client_falls_behind(&self) -> bool {
        !self.standing.ended && self.client.starts_with(client::id::PREFIX) && self.client_told.plus(DAY) < self.standing.expires
    }

    fn put(self) -> Next<Self> {
        let expires = self.standing.expires;
        Next::Put(self, expires)
    }

    fn forget(&mut self, now: Timestamp) {
        self.places().forget(now);
        self.codes.retain(|code| now < code.expires.plus(if code.brought.is_some() { CODE_MEMORY } else { Ttl::from_seconds(0) }));
        self.standing.credentials.retain(|stamp| now < stamp.expires);
        let live = &self.standing.credentials;
        self.redemptions.retain(|one| live.iter().any(|stamp| stamp.id == one.id));
    }
}

/// The client's record is told at most so often.
const DAY: Ttl = Ttl::from_seconds(86400);

#[cfg(test)]
mod tests;
