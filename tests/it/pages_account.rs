//! The account page, full and empty.

use askama::Template;
use postern::http::page::{
    AccountPage, AgentPage, AgentView, BelowView, ChoiceView, ClientView, CredentialView, DelegationView, EventView, IdentityView, KeyMade,
    KeyView, Known, NewKeyPage, PasskeyView, RestView, ScopeView, SessionView, UpstreamView,
};

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
        below: Some(3),
    };
    let provided =
        AgentView { name: None, kind: "Brought by its provider", provider: Some(&words.name), used: None, below: None, ..agent.clone() };
    let ended = AgentView { ended: Some("2026-11-23 08:00 UTC".into()), ..agent.clone() };
    vec![agent, provided, ended]
}

fn keys(words: &Words) -> Vec<KeyView<'_>> {
    let key = KeyView {
        registration: "reg_7Nq2vXw9KcLm4RtY8ZpB1D",
        name: if words.set == "friendly" { "Backup on my server" } else { &words.name },
        prefix: "sk_7Nq2vXw9".into(),
        scopes: words.scopes.clone(),
        created: "2026-11-22 14:03 UTC".into(),
        expires: Some("2027-02-20 14:03 UTC".into()),
        expired: false,
        used: Some("2026-11-24 09:12 UTC".into()),
    };
    let lasting = KeyView { expires: None, used: None, ..key.clone() };
    vec![lasting, key.clone(), KeyView { expired: true, ..key }]
}

/// The pages on which a key is made.
pub fn making(words: &Words, show: &mut dyn FnMut(&str, String)) {
    let choice = |index: usize, name| ChoiceView {
        id: format!("scope-{index}"),
        field: format!("may.{name}"),
        scope: ScopeView { name, words: words.sentence.clone() },
        chosen: index == 0,
    };
    let scopes: Vec<ChoiceView<'_>> = words.scopes.split(' ').enumerate().map(|(index, name)| choice(index, name)).collect();
    let manages = vec![ChoiceView { id: "manage-0".into(), field: "may.agents.read".into(), ..choice(1, "agents.read") }];
    let lives = vec![("7", "In 7 days", false), ("90", "In 90 days", true), ("never", "Never", false)];
    let new = NewKeyPage { frame: words.frame(true), name: "", scopes, manages, lives, problem: None };
    show("key-new", new.render().unwrap());
    show("key-new-problem", NewKeyPage { name: &words.name, problem: Some(&words.sentence), scopes: Vec::new(), ..new }.render().unwrap());
    let made = KeyMade {
        frame: words.frame(true),
        key: words.token.clone(),
        name: &words.name,
        scopes: words.scopes.split(' ').map(|name| ScopeView { name, words: words.sentence.clone() }).collect(),
        expires: Some("2027-02-20 14:03 UTC".into()),
    };
    show("key-made", made.render().unwrap());
    show("key-made-for-good", KeyMade { expires: None, ..made }.render().unwrap());
}

/// What is below an agent.
pub fn below(words: &Words, show: &mut dyn FnMut(&str, String)) {
    let key = CredentialView {
        id: "crd_7Nq2vXw9KcLm4RtY8ZpB1D".into(),
        prefix: "sk_7Nq2vXw9".into(),
        scopes: Some(words.scopes.clone()),
        expires: Some("2027-02-20 14:03 UTC".into()),
        used: Some("2026-11-24 09:12 UTC".into()),
    };
    let plain = CredentialView { id: words.token.clone(), scopes: None, expires: None, used: None, ..key.clone() };
    let child = BelowView {
        id: "reg_8Nq2vXw9KcLm4RtY8ZpB1D".into(),
        name: words.name.clone(),
        kind: "Works for a person",
        parent: None,
        created: "2026-11-22 14:03 UTC".into(),
        status: "active",
        held_up: false,
        keys: vec![key.clone(), plain.clone()],
    };
    let suspended = BelowView { status: "suspended", keys: Vec::new(), ..child.clone() };
    let deep = BelowView { parent: Some("reg_8Nq2vXw9KcLm4RtY8ZpB1D".into()), held_up: true, keys: vec![plain.clone()], ..child.clone() };
    let delegation = DelegationView {
        id: "dlg_7Nq2vXw9KcLm4RtY8ZpB1D".into(),
        from: "reg_7Nq2vXw9KcLm4RtY8ZpB1D".into(),
        to: "reg_8Nq2vXw9KcLm4RtY8ZpB1D".into(),
        elsewhere: true,
        constraints: vec!["amount is at most 100".into(), words.name.to_string()],
        depth: 1,
        most: 3,
        scopes: words.scopes.clone(),
        expires: Some("2026-11-24 09:12 UTC".into()),
    };
    let revoked = BelowView { status: "revoked", keys: Vec::new(), ..child.clone() };
    let full = AgentPage {
        frame: words.frame(true),
        id: "reg_7Nq2vXw9KcLm4RtY8ZpB1D",
        name: Some(&words.name),
        own: false,
        ended: None,
        keys: vec![key, plain],
        below: vec![child, suspended, deep, revoked],
        agents: rest(24, None, Some("/account/agent?id=reg_7Nq2vXw9KcLm4RtY8ZpB1D&after=20#below")),
        offers: vec![delegation.clone()],
        offered: rest(21, Some("/account/agent?id=reg_7Nq2vXw9KcLm4RtY8ZpB1D#offers"), None),
        counting: rest(
            62,
            Some("/account/agent?id=reg_7Nq2vXw9KcLm4RtY8ZpB1D#delegations"),
            Some("/account/agent?id=reg_7Nq2vXw9KcLm4RtY8ZpB1D&delegations=40#delegations"),
        ),
        delegations: vec![delegation.clone(), DelegationView { expires: None, ..delegation }],
        notice: Some("The agent is suspended, with all below it."),
    };
    show("agent", full.render().unwrap());
    let ended =
        AgentPage { ended: Some("2026-11-24 09:12 UTC".into()), name: None, notice: None, agents: rest(4, None, None), ..full.clone() };
    let html = ended.render().unwrap();
    assert!(!html.contains("/account/agent/suspend") && !html.contains("/account/agent/resume"));
    show("agent-ended", html);
    let (below, keys, offers, delegations) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let [agents, offered, counting] = [0; 3].map(|total| rest(total, None, None));
    let alone = AgentPage { own: true, below, keys, offers, delegations, agents, offered, counting, ..full };
    show("agent-alone", alone.render().unwrap());
}

fn rest(total: u64, first: Option<&str>, more: Option<&str>) -> RestView {
    RestView { total, first: first.map(str::to_owned), more: more.map(str::to_owned) }
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
        keys: keys(words),
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
        keys: Vec::new(),
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
