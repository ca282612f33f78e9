//! The words of the claim ceremony: what goes into it and what comes out.

use serde::{Deserialize, Serialize};

use crate::id::{AccountId, AttemptId, RegistrationId};
use crate::secret::Digest;
use crate::time::Ttl;

/// Which ways of answering an attempt are open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Paths {
    /// Both, until one is taken.
    Both,
    /// The person types the agent's code.
    Typed,
    /// The agent submits the person's code.
    Relay,
}

/// The way that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Path {
    /// The person types the agent's code.
    Typed,
    /// The agent submits the person's code.
    Relay,
}

/// What completing a claim of auth.md v0.1 brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CredentialType {
    /// An API key.
    ApiKey,
    /// An access token.
    AccessToken,
}

/// What a provider has said, waiting for the matched person to confirm it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VouchedFor {
    /// Name of the `Link` cell of the provider's issuer and subject.
    pub link: String,
    /// Generation of the link when the provider said it.
    pub generation: u32,
    /// The provider.
    pub issuer: String,
    /// Who must confirm: nobody else may.
    pub person: AccountId,
}

/// A claim to be: what a registration begins with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NewClaim {
    /// The registration's own name: the record does not know under what it is kept.
    pub registration: RegistrationId,
    /// Of the claim token.
    pub token: Digest,
    /// The address that alone may claim, in canonical form.
    pub hint: Option<String>,
    /// auth.md v0.1: what completion brings.
    pub credential: Option<CredentialType>,
    /// The first attempt, if there is one from the start.
    pub attempt: Option<NewAttempt>,
}

/// An attempt to be.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NewAttempt {
    /// Its name.
    pub id: AttemptId,
    /// Of the token that opens its page.
    pub view: Digest,
    /// Of the code that the agent shows.
    pub typed: Option<Digest>,
    /// Which ways are open.
    pub paths: Paths,
    /// Whom it is for, in canonical form; none for whoever the claim is for.
    pub hint: Option<String>,
    /// What a provider has said.
    pub vouched: Option<VouchedFor>,
    /// The page's token goes out by mail alone, so who has it can read that mail.
    pub mailed: bool,
}

/// Why a step of the ceremony is refused. In the order in which they are looked for (auth.md: claimed, revoked, expired).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClaimRefusal {
    /// Not the token of this record.
    Unknown,
    /// Claimed already.
    Claimed,
    /// Claimed, and what it brings was delivered.
    Delivered,
    /// Revoked.
    Revoked,
    /// The registration, or the attempt, is past its time.
    Expired,
    /// Only the address that it began with may claim.
    HintFixed,
    /// Too many attempts or wrong codes; come again after so long.
    TooMany(Ttl),
    /// A person is at it.
    InFlight,
    /// A registration of this kind cannot be claimed by ID-JAG.
    Kind,
    /// No attempt was begun.
    NoAttempt,
    /// Nobody has confirmed yet.
    NotConfirmed,
    /// The code is past its time, or there were too many wrong ones.
    CodeOver,
    /// Not the code.
    WrongCode,
    /// The person has said no.
    Denied,
    /// The other way was taken.
    OtherPath,
    /// Somebody else may answer, this person may not.
    WrongPerson,
}

/// What the page of an attempt needs to know.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Page {
    /// The attempt's name.
    pub attempt: AttemptId,
    /// Whom it is for, in canonical form.
    pub hint: Option<String>,
    /// What a provider has said.
    pub vouched: Option<VouchedFor>,
    /// Who has the link can read the mail of `hint`.
    pub mailed: bool,
    /// The person may type the agent's code.
    pub typed: bool,
    /// The person may ask for a code.
    pub relay: bool,
}

/// A person's answer to an attempt.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Answer {
    /// Typed the agent's code; one digest for each secret of the deployment.
    Typed(Vec<Digest>),
    /// Confirms, and is shown a code with this digest.
    Reveal(Digest),
    /// Says no.
    Deny,
}
