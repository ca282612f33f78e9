//! How a registration stands: its rights, its credentials, and whether any of it still counts.

use serde::{Deserialize, Serialize};

use crate::id::RegistrationId;
use crate::jose::claims::CredentialStamp;
use crate::oauth::scope::Scope;
use crate::secret::Digest;
use crate::time::{Timestamp, Ttl};

/// Agents that may stand one above the other, over one that is asked for: each is a question.
pub const MOST_ANCESTORS: usize = 10;
/// An API key that is older than a person's claim works so much longer.
pub const OLD_KEY: Ttl = Ttl::from_seconds(600);

/// Everything that decides whether a credential or token counts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Standing {
    /// Raised by whatever ends all that was issued before.
    pub generation: u32,
    /// Raised when all places in status lists are marked: places taken before must not be used any more.
    pub epoch: u32,
    /// Access tokens issued up to then (seconds since the epoch) are revoked.
    #[serde(default)]
    pub tokens_after: i64,
    /// When it was registered.
    pub created: Timestamp,
    /// An unclaimed registration dies then.
    pub expires: Timestamp,
    /// Ended by its holder or owner: nothing counts any more.
    pub ended: bool,
    /// A person has claimed it.
    pub claimed: bool,
    /// Its API keys.
    pub credentials: Vec<Credential>,
    /// Access tokens that were revoked one by one, until they expire.
    pub revoked: Vec<RevokedToken>,
    /// What stood behind it when it was registered.
    #[serde(default)]
    pub kind: Kind,
    /// Its owner is barred.
    #[serde(default)]
    pub suspended: bool,
    /// Its owner or the operator took it back: a provider's word alone does not bring it to life again.
    #[serde(default)]
    pub withdrawn: bool,
    /// Whose child it is, the root first and the parent last: it counts as long as all of them, which only they can say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ancestors: Vec<RegistrationId>,
    /// Whoever manages it has suspended it, until they bring it back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,
    /// No more than this may be done with it and with all below it, whatever its API keys say: what the person has chosen who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ceiling: Option<Scope>,
    /// When a person claimed it last, if one has: what was made below it before is not theirs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken: Option<Taken>,
}

/// A person's claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// When it was.
    pub at: Timestamp,
    /// The generation that began with it: whoever knew of an earlier one only acted before.
    pub generation: u32,
}

impl Taken {
    /// Whether it came after something was made at that time, by whoever knew of that generation of the root: of what was made before
    /// generations were kept, the time alone is known.
    #[must_use]
    pub fn is_after(self, created: Timestamp, made_in: Option<u32>) -> bool {
        made_in.map_or(created <= self.at, |made_in| made_in < self.generation)
    }
}

/// What stood behind a registration when it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// Nothing but the agent's word.
    #[default]
    Anonymous,
    /// The address of a person who is to be asked.
    ServiceAuth,
    /// A provider's assertion (ID-JAG).
    IdentityAssertion,
    /// Another agent, which answers for it: its rights are those of its root.
    Child,
    /// A person, who made it for a program of their own: it is theirs from the start.
    Personal,
    /// No registration at all: what a person has granted to a client, or the client's own.
    Grant,
}

impl Kind {
    /// `registration_type` of auth.md.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::ServiceAuth => "service_auth",
            Self::IdentityAssertion => "identity_assertion",
            Self::Child => "child",
            Self::Personal => "personal",
            Self::Grant => "grant",
        }
    }
}

impl Standing {
    /// The same with this credential alone.
    pub(super) fn with(&self, credential: Option<Credential>) -> Self {
        let (revoked, ancestors) = (self.revoked.clone(), self.ancestors.clone());
        Self { credentials: credential.into_iter().collect(), revoked, ancestors, ceiling: self.ceiling.clone(), ..*self }
    }

    /// The agent at the root of the one that stands so, which is `own`: the same, if nobody is above it.
    #[must_use]
    pub fn root<'s>(&'s self, own: &'s RegistrationId) -> &'s RegistrationId {
        self.ancestors.first().unwrap_or(own)
    }

    /// Whether what was issued in `generation` counts at `now`.
    #[must_use]
    pub fn counts(&self, generation: u32, now: Timestamp) -> bool {
        self.is_live(now) && self.generation == generation
    }

    /// Whether anything of it counts at `now`, whatever its generation: so does what its children have.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        let entitled = match self.kind {
            Kind::Anonymous => true,
            // Nobody answers for one without ancestors.
            Kind::Child => !self.ancestors.is_empty(),
            Kind::ServiceAuth | Kind::IdentityAssertion | Kind::Personal | Kind::Grant => self.claimed,
        };
        entitled && !self.ended && !self.suspended && !self.paused && now < self.expires
    }

    /// Whether what comes with this API key keeps the rights of before the claim; so does what comes with one that is not there any more.
    #[must_use]
    pub fn is_limited(&self, stamp: Option<CredentialStamp>) -> bool {
        stamp.is_some_and(|stamp| self.key(stamp).is_none_or(|key| key.limited))
    }

    /// Whether a person has claimed this root since an API key of an agent below it was made.
    #[must_use]
    pub fn is_claimed_since(&self, key: &Credential) -> bool {
        self.taken.is_some_and(|taken| key.root_generation.map_or(key.limited, |made_in| made_in < taken.generation))
    }

    /// The API key that the stamp is of: its own, or that its family of refresh tokens came from.
    #[must_use]
    pub fn key(&self, stamp: CredentialStamp) -> Option<&Credential> {
        let find = |id: u32| self.credentials.iter().find(|known| known.id == id);
        let own = find(stamp.id)?;
        own.of.map_or(Some(own), find)
    }

    /// The API key whose digest `matches`, if it counts at `now`.
    pub fn api_key(&self, matches: impl Fn(&Digest) -> bool, now: Timestamp) -> Option<CredentialStamp> {
        let live = |key: &&Credential| key.of.is_none() && !key.ended && now < key.expires && matches(&key.digest);
        let key = self.credentials.iter().find(live).filter(|_| self.counts(self.generation, now))?;
        Some(CredentialStamp { id: key.id, generation: key.generation })
    }

    /// Whether the API key has been heard of, as it was then.
    #[must_use]
    pub fn knows(&self, stamp: CredentialStamp) -> bool {
        self.credentials.iter().any(|key| key.id == stamp.id && key.generation >= stamp.generation)
    }

    /// Whether what was issued for an API key counts at `now`.
    #[must_use]
    pub fn stamp_counts(&self, stamp: CredentialStamp, now: Timestamp) -> bool {
        let same = |key: &Credential| key.id == stamp.id && key.generation == stamp.generation && !key.ended && now < key.expires;
        self.credentials.iter().find(|key| same(key)).is_some_and(|key| key.of.is_none_or(|of| self.has_key(of, now)))
    }

    fn has_key(&self, id: u32, now: Timestamp) -> bool {
        self.credentials.iter().any(|key| key.id == id && key.of.is_none() && !key.ended && now < key.expires)
    }

    /// Whether this access token, issued at `issued_at` (seconds since the epoch), was revoked.
    #[must_use]
    pub fn has_revoked(&self, jti: &str, issued_at: i64) -> bool {
        issued_at <= self.tokens_after || self.revoked.iter().any(|token| token.jti == jti)
    }
}

/// An API key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Credential {
    /// Its number within the registration.
    pub id: u32,
    /// Raised when it ends.
    pub generation: u32,
    /// What is stored of the key.
    pub digest: Digest,
    /// It stops working then.
    pub expires: Timestamp,
    /// It was revoked.
    pub ended: bool,
    /// Older than the claim: it keeps the rights that it had, and not for long.
    #[serde(default)]
    pub limited: bool,
    /// No more than this may be done with it; may end in `.*`. All that the agent may do, if none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    /// How long its access tokens live, if not as long as others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<Ttl>,
    /// No API key, but a family of refresh tokens: the key that it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<u32>,
    /// The API key in whose place it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u32>,
    /// The generation of the root when it was made, if it is of an agent that another one answers for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_generation: Option<u32>,
}

impl Credential {
    /// It, at this moment of its life.
    #[must_use]
    pub const fn stamp(&self) -> CredentialStamp {
        CredentialStamp { id: self.id, generation: self.generation }
    }

    /// An API key that lives for `ttl`, or as long as its registration.
    #[must_use]
    pub fn new(id: u32, digest: Digest, ttl: Option<Ttl>, now: Timestamp) -> Self {
        let expires = ttl.map_or(Timestamp::NEVER, |ttl| now.plus(ttl));
        Self {
            id,
            generation: 0,
            digest,
            expires,
            ended: false,
            limited: false,
            scope: None,
            lifetime: None,
            of: None,
            from: None,
            root_generation: None,
        }
    }
}

/// An access token that was revoked before it expired.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RevokedToken {
    /// Its `jti`.
    pub jti: String,
    /// Its `exp`.
    pub until: Timestamp,
}
