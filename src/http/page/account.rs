//! What a person has here: agents, passkeys, sessions, and what happened.

use askama::Template;

use super::{Frame, IdentityView, Known, UpstreamView};

/// `/account`. Every time in it is as people read it, such as `2026-11-22 14:03 UTC`.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/account.html")]
pub struct AccountPage<'a> {
    /// What every page has.
    pub frame: Frame<'a>,
    /// One page of agents, newest claim first.
    pub agents: Vec<AgentView<'a>>,
    /// How many have not ended, on this page and elsewhere.
    pub live_agents: u32,
    /// Where the next page of agents is.
    pub more_agents: Option<String>,
    /// API keys that the person made, and some that have expired.
    pub keys: Vec<KeyView<'a>>,
    /// One page of applications, newest first.
    pub clients: Vec<ClientView<'a>>,
    /// Where the next page of applications is.
    pub more_clients: Option<String>,
    /// All passkeys.
    pub passkeys: Vec<PasskeyView<'a>>,
    /// All sessions.
    pub sessions: Vec<SessionView<'a>>,
    /// One page of events, newest first.
    pub events: Vec<EventView<'a>>,
    /// Where the next page of events is.
    pub more_events: Option<String>,
    /// What was just done, as a sentence.
    pub notice: Option<&'a str>,
    /// What could not be done, as a sentence.
    pub problem: Option<&'a str>,
    /// The provider that linked agents before the person first signed in.
    pub vouched_before: Option<&'a str>,
    /// The provider whose word made the account, and the person has proven the address since.
    pub joined_before: Option<&'a str>,
    /// Providers that sign the person in.
    pub identities: Vec<IdentityView<'a>>,
    /// Providers that could. Each posts `provider` and `link` to `/login/upstream`.
    pub providers: Vec<UpstreamView<'a>>,
}

impl AccountPage<'_> {
    /// Whether there is more than one agent to end.
    #[must_use]
    pub fn many_agents(&self) -> bool {
        self.live_agents > 1
    }

    /// Whether another browser is signed in.
    #[must_use]
    pub fn other_sessions(&self) -> bool {
        self.sessions.iter().any(|session| !session.current)
    }

    /// Whether an account at this provider is linked already.
    #[must_use]
    pub fn is_linked(&self, provider: &UpstreamView<'_>) -> bool {
        self.identities.iter().any(|identity| identity.issuer == provider.issuer)
    }
}

/// An agent that acts, or acted, for the person.
#[derive(Clone, Debug)]
pub struct AgentView<'a> {
    /// The registration's name.
    pub registration: &'a str,
    /// What the agent calls itself.
    pub name: Option<&'a str>,
    /// How it came, in words.
    pub kind: &'a str,
    /// Who vouches for it.
    pub provider: Option<&'a str>,
    /// What it may do, separated by spaces.
    pub scopes: &'a str,
    /// When it was claimed.
    pub claimed: String,
    /// When it was last seen.
    pub used: Option<String>,
    /// When it ended, if it has.
    pub ended: Option<String>,
    /// How many agents it has made, if that is known.
    pub below: Option<u64>,
}

/// An API key that the person made for a program of their own.
#[derive(Clone, Debug)]
pub struct KeyView<'a> {
    /// The registration's name.
    pub registration: &'a str,
    /// What the person calls it.
    pub name: &'a str,
    /// How it begins.
    pub prefix: String,
    /// What it may be used for, in words.
    pub scopes: String,
    /// When it was made.
    pub created: String,
    /// When it expires, if ever.
    pub expires: Option<String>,
    /// That has passed.
    pub expired: bool,
    /// When it was last seen.
    pub used: Option<String>,
}

/// An application that acts, or acted, for the person.
#[derive(Clone, Debug)]
pub struct ClientView<'a> {
    /// The grant's name.
    pub grant: &'a str,
    /// What the application calls itself.
    pub name: Option<&'a str>,
    /// What we know of it.
    pub known: Known<'a>,
    /// Its `client_id`.
    pub id: &'a str,
    /// What it may do, in words.
    pub scopes: String,
    /// Where.
    pub resources: String,
    /// Since when.
    pub created: String,
    /// When it was last seen.
    pub used: Option<String>,
    /// When it ended, if it has.
    pub ended: Option<String>,
}

/// A passkey.
#[derive(Clone, Debug)]
pub struct PasskeyView<'a> {
    /// Its credential id, base64url.
    pub credential: &'a str,
    /// The name that the person gave it.
    pub name: &'a str,
    /// When it was added.
    pub created: String,
    /// When it last signed in.
    pub used: Option<String>,
}

/// A browser that is signed in.
#[derive(Clone, Debug)]
pub struct SessionView<'a> {
    /// The session's name.
    pub id: &'a str,
    /// What the browser is, in words.
    pub browser: &'a str,
    /// What the person signed in by: `mail`, `passkey`, `a linked provider`.
    pub method: &'a str,
    /// When.
    pub signed_in: String,
    /// When it was last seen.
    pub used: String,
    /// It is the one that shows this page.
    pub current: bool,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub struct EventView<'a> {
    /// When.
    pub at: String,
    /// What, in words.
    pub words: String,
    /// To what; may be empty.
    pub detail: &'a str,
    /// These are the words of an application.
    pub quoted: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ending_all_is_offered_where_there_is_more_than_one() {
        let frame = Frame { service: "", has_logo: false, csrf: String::new(), signed_in: None, development: false, nonce: String::new() };
        let agent = |ended: Option<&str>| AgentView {
            registration: "reg",
            name: None,
            kind: "",
            provider: None,
            scopes: "",
            claimed: String::new(),
            used: None,
            ended: ended.map(str::to_owned),
            below: None,
        };
        let session = |current| SessionView { id: "s", browser: "", method: "", signed_in: String::new(), used: String::new(), current };
        let mut page = AccountPage {
            frame,
            agents: vec![agent(None), agent(Some("then"))],
            live_agents: 0,
            more_agents: None,
            keys: Vec::new(),
            clients: Vec::new(),
            more_clients: None,
            passkeys: Vec::new(),
            sessions: vec![session(true)],
            events: Vec::new(),
            more_events: None,
            notice: None,
            problem: None,
            vouched_before: None,
            joined_before: None,
            identities: Vec::new(),
            providers: Vec::new(),
        };
        assert!(!page.many_agents() && !page.other_sessions());
        page.live_agents = 2;
        page.sessions.push(session(false));
        assert!(page.many_agents() && page.other_sessions());
        page.live_agents = 1;
        page.more_agents = Some("/account?after=reg".into());
        assert!(!page.many_agents(), "ended ones need no ending");
    }
}
