//! What is below an agent of a person: agents that it made, and their API keys.

use askama::Template;

use super::Frame;

/// `/account/agent`. Every time in it is as people read it.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/agent.html")]
pub struct AgentPage<'a> {
    /// What every page has.
    pub frame: Frame<'a>,
    /// The registration's name.
    pub id: &'a str,
    /// What the agent calls itself, or the person its key.
    pub name: Option<&'a str>,
    /// The person has named it.
    pub own: bool,
    /// When it ended, if it has.
    pub ended: Option<String>,
    /// Its own API keys, as far as they are listed.
    pub keys: Vec<CredentialView>,
    /// One page of the agents below it, parents before their children.
    pub below: Vec<BelowView>,
    /// The others.
    pub agents: RestView,
    /// One page of the delegations that are offered to them and wait.
    pub offers: Vec<DelegationView>,
    /// The others.
    pub offered: RestView,
    /// One page of the delegations from and to them that count.
    pub delegations: Vec<DelegationView>,
    /// The others.
    pub counting: RestView,
    /// What was just done, as a sentence.
    pub notice: Option<&'a str>,
}

/// What of a list is not on the page.
#[derive(Clone, Debug, Default)]
pub struct RestView {
    /// How many there are on all pages.
    pub total: u64,
    /// Where the first page is, if this is another.
    pub first: Option<String>,
    /// Where the next one is.
    pub more: Option<String>,
}

/// An agent that another agent made.
#[derive(Clone, Debug)]
pub struct BelowView {
    /// The registration's name.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// What it is for.
    pub kind: &'static str,
    /// Who made it, if that is not the agent of the page.
    pub parent: Option<String>,
    /// When.
    pub created: String,
    /// `active`, `suspended` or `revoked`.
    pub status: &'static str,
    /// An agent above it is not active.
    pub held_up: bool,
    /// Its API keys.
    pub keys: Vec<CredentialView>,
}

/// An API key.
#[derive(Clone, Debug)]
pub struct CredentialView {
    /// Its name.
    pub id: String,
    /// How it begins.
    pub prefix: String,
    /// What it is good for; everything that its agent may, if none.
    pub scopes: Option<String>,
    /// When it expires, if ever.
    pub expires: Option<String>,
    /// When it was last seen.
    pub used: Option<String>,
}

/// Rights that one agent has handed to another.
#[derive(Clone, Debug)]
pub struct DelegationView {
    /// Its name.
    pub id: String,
    /// Who gave.
    pub from: String,
    /// Who took.
    pub to: String,
    /// One of both is an agent of another account.
    pub elsewhere: bool,
    /// What it is bound to, each as people read it.
    pub constraints: Vec<String>,
    /// Its place in its chain.
    pub depth: u32,
    /// How long the chain may become.
    pub most: u32,
    /// What.
    pub scopes: String,
    /// When it expires, if ever.
    pub expires: Option<String>,
}
