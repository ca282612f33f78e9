//! The account page, full and empty.

use askama::Template;
use postern::http::page::{AccountPage, AgentView, ClientView, EventView, IdentityView, Known, PasskeyView, SessionView, UpstreamView};

use crate::pages::Words;

fn agents(words: &Words) -> Vec<AgentView<'_>> {
    let agent = AgentView {
        registration: "reg_7Nq2vXw9KcLm4RtY8ZpB1D",
        name: Some(&words.name),
        kind: "Registered by itself",
        provider: None,
        scopes: &words.scopes,
        claimed: "2026-11-22 14:03 UTC".into(),
        used: Some("2026-11-24 09:12 UTC".into()),
        ended: None,
    };
    let provided = AgentView { name: None, kind: "Brought by its provider", provider: Some(&words.name), used: None, ..agent.clone() };
    let ended = AgentView { ended: Some("2026-11-23 08:00 UTC".into()), ..agent.clone() };
    vec![agent, provided, ended]
}

fn sessions(words: &Words) -> Vec<SessionView<'_>> {
    let friendly = words.set == "friendly";
    let current = SessionView {
        id: "s1",
        browser: if friendly { "Firefox on Linux" } else { &words.sentence },
        method: "passkey",
        signed_in: "2026-11-24 09:12 UTC".into(),
        used: "2026-11-24 09:20 UTC".into(),
        current: true,
    };
    let other = SessionView {
        id: &words.token,
        browser: if friendly { "Safari on iPhone" } else { &words.name },
        method: "mail",
        current: false,
        ..current.clone()
    };
    vec![current, other]
}

fn events(words: &Words) -> Vec<EventView<'_>> {
    let event =
        |at: &str, said: &str, detail| EventView { at: at.into(), words: said.into(), detail, quoted: said.contains("application") };
    vec![
        event("2026-11-24 09:12 UTC", "You signed in with a passkey", "Firefox on Linux"),
        event("2026-11-23 08:00 UTC", "You ended an agent", &words.name),
        event("2026-11-22 14:05 UTC", "You allowed an agent", &words.name),
        event("2026-11-22 14:04 UTC", "You allowed an application", &words.name),
        event("2026-11-22 14:01 UTC", if words.set == "friendly" { "You signed in with a mailed code" } else { &words.sentence }, ""),
    ]
}

fn clients(words: &Words) -> Vec<ClientView<'_>> {
    let client = ClientView {
        grant: "gnt_7Nq2vXw9KcLm4RtY8ZpB1D",
        name: Some(&words.name),
        known: Known::Document("client.example.com"),
        id: "https://client.example.com/oauth/client.json",
        scopes: "Read your data (api.read)".into(),
        resources: "https://api.example.com/mcp".into(),
        created: "2026-11-22 14:03 UTC".into(),
        used: Some("2026-11-22 15:00 UTC".into()),
        ended: None,
    };
    let ended = Some("2026-11-23 08:00 UTC".to_owned());
    let registered = ClientView { known: Known::Registered, id: &words.path, ended, ..client.clone() };
    vec![ClientView { known: Known::Operator, ..client.clone() }, registered, client]
}

/// The three states of the page.
pub fn account(words: &Words, show: &mut dyn FnMut(&str, String)) {
    let name = if words.set == "friendly" { "Ada’s laptop" } else { &words.name };
    let passkey =
        PasskeyView { credential: &words.token, name, created: "2026-11-22 14:10 UTC".into(), used: Some("2026-11-24 09:12 UTC".into()) };
    let identity = IdentityView {
        number: 1,
        provider: &words.name,
        issuer: &words.token,
        email: Some(&words.email),
        linked: "2026-11-22 14:11 UTC".into(),
        used: Some("2026-11-24 09:12 UTC".into()),
    };
    let full = AccountPage {
        frame: words.frame(true),
        live_agents: 2,
        agents: agents(words),
        more_agents: Some("/account?agents=reg_7Nq2vXw9KcLm4RtY8ZpB1D".into()),
        clients: clients(words),
        more_clients: None,
        passkeys: vec![passkey.clone(), PasskeyView { credential: "b", name: "Phone", used: None, ..passkey }],
        sessions: sessions(words),
        events: events(words),
        more_events: Some("/account?events=17".into()),
        notice: Some("The agent is out."),
        problem: None,
        vouched_before: None,
        joined_before: None,
        identities: vec![identity.clone(), IdentityView { number: 2, email: None, used: None, ..identity }],
        providers: vec![UpstreamView { name: &words.name, issuer: &words.token, logo: None }],
    };
    show("account", full.render().unwrap());
    let problem = AccountPage {
        notice: None,
        problem: Some(&words.sentence),
        vouched_before: Some(&words.name),
        joined_before: Some(&words.name),
        identities: Vec::new(),
        ..full.clone()
    };
    show("account-problem", problem.render().unwrap());
    let empty = AccountPage {
        agents: Vec::new(),
        more_agents: None,
        clients: Vec::new(),
        passkeys: Vec::new(),
        sessions: full.sessions.iter().take(1).cloned().collect(),
        events: Vec::new(),
        more_events: None,
        notice: None,
        identities: Vec::new(),
        providers: Vec::new(),
        ..full
    };
    show("account-empty", empty.render().unwrap());
}
