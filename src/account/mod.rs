//! People: what is listed and queried, in SQL tables of one Durable Object per account.
//!
//! Rights and liveness are decided in the registrations' cells; an account is told of them ([`Command::Feed`]) and
//! may be a moment behind.

mod agent;
pub mod by_need;
mod connection;
pub mod event;
pub mod identity;
pub mod migrations;
pub mod passkey;
mod person;
mod run;
mod schema;
pub mod session;
pub mod sql;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use run::{After, carry_out, wake};
pub use schema::{Kept, Schema};

use crate::id::{GrantId, RegistrationId, SessionId};
use crate::oauth::scope::Scope;
use crate::tenant;
use crate::time::Timestamp;

/// Names accounts among the kinds of records that can be told something.
pub const KIND: &str = "account";

/// What can be asked of an account. Data that crosses between versions: changes by addition only.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Command {
    /// Somebody has proven to be this person, or a provider vouches for them: the person is there from now on.
    Open {
        /// A proven e-mail address; kept if the person has none yet.
        email: Option<String>,
        /// A proven phone number; kept if the person has none yet.
        phone: Option<String>,
        /// The provider that vouches, if no mail was answered.
        provider: Option<String>,
    },
    /// Who is it?
    Look,
    /// A browser has signed in.
    SignedIn(Session),
    /// Whose session is it? Nobody's, if it is not listed any more.
    InSession(SessionId),
    /// A session was used; noted at most once a minute.
    SessionUsed(SessionId),
    /// A session has ended.
    SignedOut(SessionId),
    /// The sessions that have not expired, newest first.
    Sessions,
    /// A new passkey.
    AddPasskey(Passkey),
    /// The passkey with this credential id, if there is one.
    Passkey {
        /// base64url.
        credential: String,
    },
    /// A passkey has signed: its counter must have grown (WebAuthn, section 7.2, step 22).
    UsedPasskey {
        /// base64url.
        credential: String,
        /// As the authenticator says.
        sign_count: u32,
    },
    /// One passkey less.
    RemovePasskey {
        /// base64url.
        credential: String,
    },
    /// All passkeys, newest first.
    Passkeys,
    /// Whoever signs in with a provider is new here: the person is there from now on, with this identity linked. Refused if somebody else
    /// is here already.
    Join(Arrival),
    /// Somebody signs in with a provider: the person, if that identity is linked here.
    Arrive(Arrival),
    /// The person wants to sign in with a provider from now on.
    Link(Arrival),
    /// And not any more. Refused if it is the only way in.
    Unlink(u64),
    /// All linked identities, oldest first.
    Identities,
    /// A registration tells how it stands. Older tellings than the last are ignored, repeated ones change nothing.
    Feed(Feed),
    /// Agents, newest claim first.
    Agents {
        /// The last one of the page before.
        after: Option<RegistrationId>,
        /// At most so many, 1 to 100.
        limit: u32,
        /// Only those that have not ended, personal API keys among them; otherwise all but those.
        live: bool,
    },
    /// Personal API keys that were not revoked: those that work, and then those that have expired within the last 30 days.
    PersonalKeys,
    /// A grant tells how it stands. Older tellings than the last are ignored, repeated ones change nothing.
    Connect(Connection),
    /// Clients that the person has granted something, the newest first.
    Connections {
        /// The last one of the page before.
        after: Option<GrantId>,
        /// At most so many, 1 to 100.
        limit: u32,
        /// Only those that have not ended.
        live: bool,
    },
    /// What does a group of clients know the person as? The same for good, once it was asked.
    Subject {
        /// Names the group.
        sector: String,
        /// The subject from now on, if there is none yet.
        candidate: String,
    },
    /// Something to remember.
    Note(Event),
    /// Events, newest first.
    Events {
        /// Only those before this number.
        before: Option<u64>,
        /// At most so many, 1 to 100.
        limit: u32,
    },
    /// The operator bars the person.
    Suspend,
    /// The operator lets the person in again.
    Resume,
    /// Everything about the person is forgotten, and all that is kept of agents here.
    Erase,
    /// Something of the agents that are kept here: [`tenant`]. It needs no person.
    Tenant(Box<tenant::Command>),
}

/// What an account answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// This is the person.
    Person(Person),
    /// There is nobody here.
    Nobody,
    /// Done.
    Done,
    /// Done, and these sessions are not listed any more, since there were too many.
    Dropped(Vec<SessionId>),
    /// It cannot be done: the person is suspended or somebody else, the passkey or identity is known, one too many or the last way in, or a
    /// counter has not grown.
    Refused,
    /// Sessions.
    Sessions(Vec<Session>),
    /// One passkey, or none.
    Passkey(Option<Passkey>),
    /// Passkeys.
    Passkeys(Vec<Passkey>),
    /// Linked identities.
    Identities(Vec<Identity>),
    /// Agents, and whether there are more.
    Agents(Vec<Agent>, bool),
    /// Clients, and whether there are more.
    Connections(Vec<Connection>, bool),
    /// What the person is known as.
    Subject(String),
    /// Numbered events, and whether there are more.
    Events(Vec<(u64, Event)>, bool),
    /// What [`Command::Tenant`] is answered.
    Tenant(Box<tenant::Outcome>),
}

/// A person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The e-mail address, proven.
    pub email: Option<String>,
    /// The phone number, as a provider vouched for it.
    pub phone: Option<String>,
    /// Since when.
    pub created: Timestamp,
    /// The provider that brought the person here, before they had signed in themselves.
    pub provider: Option<String>,
    /// The person has signed in here at least once.
    pub has_signed_in: bool,
    /// Barred by the operator.
    pub suspended: bool,
    /// How many passkeys there are.
    pub passkeys: u32,
    /// How many agents have not ended.
    pub agents: u32,
    /// What the person is called, as a provider that they signed in with last said it.
    #[serde(default)]
    pub name: Option<String>,
    /// URL of a picture of them, likewise.
    #[serde(default)]
    pub picture: Option<String>,
}

/// Somebody who comes from a provider of people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrival {
    /// The provider's issuer.
    pub issuer: String,
    /// Whom it means: its `sub`.
    pub subject: String,
    /// The address that it says, verified or not. With [`Command::Join`] it is the person's from now on.
    pub email: Option<String>,
    /// What it calls the person.
    pub name: Option<String>,
    /// URL of a picture of them.
    pub picture: Option<String>,
}

/// A provider's word that a person can sign in with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Its number in this account.
    pub number: u64,
    /// The provider's issuer.
    pub issuer: String,
    /// Whom it means: its `sub`.
    pub subject: String,
    /// The address that it said when it was linked.
    pub email: Option<String>,
    /// Since when.
    pub linked: Timestamp,
    /// When it last signed the person in.
    pub used: Option<Timestamp>,
}

/// A browser that has signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Its name.
    pub id: SessionId,
    /// When the person last proved who they are in it.
    pub signed_in: Timestamp,
    /// `mail`, `passkey` or `upstream`.
    pub method: String,
    /// What the browser calls itself, shortened.
    pub browser: String,
    /// When it was last seen.
    pub used: Timestamp,
    /// It ends then at the latest.
    pub expires: Timestamp,
}

/// A passkey.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passkey {
    /// Its credential id, base64url.
    pub credential: String,
    /// Its public key as a JWK with `alg`.
    pub key: Value,
    /// The authenticator's counter.
    pub sign_count: u32,
    /// What the person calls it.
    pub name: String,
    /// Since when.
    pub created: Timestamp,
    /// When it was last used.
    pub used: Option<Timestamp>,
}

/// How a registration stands, told by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feed {
    /// Grows with every change.
    pub sequence: u64,
    /// The agent as it stands now.
    pub agent: Agent,
    /// What has happened since the last telling.
    pub events: Vec<Event>,
}

/// An agent of a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// Its registration.
    pub registration: RegistrationId,
    /// `anonymous`, `service_auth`, `identity_assertion` or `personal`.
    pub kind: String,
    /// Its name for itself, cleaned; a claim and nothing more.
    pub name: Option<String>,
    /// The issuer that vouches for it.
    pub provider: Option<String>,
    /// When it was registered.
    pub created: Timestamp,
    /// When its person claimed it.
    pub claimed: Timestamp,
    /// When it last asked for a token, to the hour.
    pub used: Option<Timestamp>,
    /// When and why it ended.
    pub ended: Option<Timestamp>,
    /// What its person has made it for, if it is a personal API key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<PersonalKey>,
}

/// An API key that a person has made for a program of their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonalKey {
    /// What it may be used for.
    pub scope: Scope,
    /// It ends then, if ever.
    pub expires: Option<Timestamp>,
}

/// A client of a person, told by the grant itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// The grant.
    pub grant: GrantId,
    /// Grows with every change.
    pub sequence: u64,
    /// The client's id.
    pub client: String,
    /// What it calls itself, cleaned; a claim and nothing more.
    pub name: Option<String>,
    /// What it may do, over all resources.
    pub scope: Scope,
    /// Where.
    pub resources: Vec<String>,
    /// Since when.
    pub created: Timestamp,
    /// When it was last used, to the hour.
    pub used: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
}

/// Something that has happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// What: `agent.claimed`, `session.ended`…
    pub name: String,
    /// The agent that it is about.
    #[serde(default)]
    pub registration: Option<RegistrationId>,
    /// In a few words, never a secret.
    #[serde(default)]
    pub detail: String,
}
