//! What can happen to a registration, and what it answers.

use serde::{Deserialize, Serialize};

use super::claim::{Answer, ClaimRefusal, CredentialType, NewAttempt, NewClaim, Page, Path};
use super::managed::{NewFamily, NewKey};
use super::{NewPersonal, Said, Vouch};
use crate::account::Feed;
use crate::id::{AccountId, AttemptId, RegistrationId};
use crate::jose::claims::CredentialStamp;
use crate::machine::family;
use crate::machine::standing::{Kind, RevokedToken, Standing};
use crate::machine::status_index::Block;
use crate::oauth::scope::Scope;
use crate::secret::Digest;
use crate::time::{Timestamp, Ttl};

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
    /// A new agent that another one answers for.
    Adopt {
        /// The root first, the parent last: 1 to 10 different ones.
        ancestors: Vec<RegistrationId>,
        /// When its root dies; never, if that has been claimed. The same again with a later one makes it live longer.
        expires: Timestamp,
        /// What it is called.
        said: Said,
    },
    /// A person makes an API key for a program of their own. The same again is the same key.
    MakePersonal(NewPersonal),
    /// Is it this person's, and how does it stand? Nothing changes.
    Held(AccountId),
    /// One API key more, by whoever manages the agent.
    AddManagedKey(NewKey),
    /// Another API key in the place of this one.
    RotateKey {
        /// Which.
        id: u32,
        /// What is stored of the new one.
        digest: Digest,
        /// The new one stops working then, if the old one did not earlier.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires: Option<Timestamp>,
        /// As in [`NewKey`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        root_generation: Option<u32>,
    },
    /// An API key asks for an access token and for refresh tokens.
    Authenticate {
        /// One for each secret of the deployment.
        digests: Vec<Digest>,
        /// The refresh tokens.
        begin: NewFamily,
        /// Places to remember, and how long tokens at them may live.
        block: Option<(Block, Ttl)>,
    },
    /// A refresh token that came from an API key asks for the next.
    Continue {
        /// The token.
        token: family::Presented,
        /// What is asked for, if not all that was granted: more than that spends nothing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        scope: Option<Scope>,
        /// Where, if that is said: elsewhere spends nothing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        resource: Option<String>,
        /// Places to remember, and how long tokens at them may live.
        block: Option<(Block, Ttl)>,
    },
    /// Whoever manages it suspends it, or brings it back. No place is marked, since its tokens may count again: verifiers that ask nobody but
    /// the status list take them until they expire.
    Pause(bool),
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
    /// Refresh tokens that came from an API key have ended, and all tokens that they brought.
    EndFamily {
        /// The number of the family.
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
    /// Would [`Command::Vouch`] change anything? [`Outcome::Standing`] if not, and nobody is to be told anything; [`Outcome::Refused`] if
    /// owner or operator have taken the agent back; [`Outcome::Unknown`] if it would. Nothing changes.
    Recognise(Vouch),
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
    /// The agent's own account has been told of its claims up to this sequence.
    RootTold(u64),
}

/// What a token is asked for with.
#[derive(Clone, Debug, Serialize, Deserialize)]
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
    /// The API key with this number.
    Credential(Standing, u32),
    /// A token may be issued for refresh tokens that came from an API key.
    Continued {
        /// How it stands.
        standing: Standing,
        /// The family.
        stamp: CredentialStamp,
        /// What was granted.
        scope: Scope,
        /// Where.
        resource: String,
        /// Which of the successors is the next refresh token.
        successor: usize,
    },
    /// More was asked for than was granted, or elsewhere.
    Exceeded {
        /// Where it was granted.
        resource: String,
    },
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
