//! `/account`: what a person's agents may do, and taking it away.

use bytes::Bytes;
use http::{Response, StatusCode};

use super::agent::{below, last_used};
use super::ending::{Change, change, change_all};
use super::identity::name;
use super::keys::{prefix, works};
use super::upstream::views;
use super::{Asked, moment, peopled, see_other};
use crate::account::{Agent, Command, Connection, Event, Identity, Outcome, Passkey, Session};
use crate::client::{self, Source};
use crate::cx::Cx;
use crate::http::browser::{self, SignedIn, Visitor};
use crate::http::page::{self, AccountPage, AgentView, ClientView, EventView, IdentityView, KeyView, Known, PasskeyView, SessionView};
use crate::http::refuse::Refused;
use crate::http::scopes;
use crate::http::together::together;
use crate::id::{GrantId, Holder, RegistrationId, SessionId};
use crate::identity;
use crate::oauth::error::ErrorCode;
use crate::oauth::redirect;
use crate::store::Ports;
use crate::time::Timestamp;

/// Agents and events of one page.
const PAGE: u32 = 20;

/// `GET /account`
pub(crate) async fn account<P: Ports>(asked: Asked<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    peopled(cx)?;
    let visitor = Visitor::read(asked.headers, cx).await?;
    let Some(signed_in) = &visitor.signed_in else { return Ok(visitor.remember(see_other("/login?return_to=%2Faccount"), cx)) };
    let after = asked.params.find("agents").and_then(|after| after.parse().ok());
    let before = asked.params.find("events").and_then(|before| before.parse().ok());
    let notice = match asked.find("done") {
        "agent" => Some("The agent is revoked. Nothing that it was given works any more."),
        "client" => Some("The application is disconnected. Nothing that it was given works any more."),
        "agents" => Some("All agents are revoked. Nothing that they were given works any more."),
        "key" => Some("The key is revoked. Nothing that it was given works any more."),
        "session" => Some("The session is over."),
        "passkey" => Some("The passkey is removed. Delete it on your device too."),
        "linked" => Some("It is linked. You can sign in with it from now on."),
        "unlinked" => Some("It no longer signs you in. Browsers that came in by a provider are signed out, but for this one."),
        "added" => Some("The passkey is added. You can sign in with it from now on."),
        _ => None,
    };
    let id = &signed_in.account;
    let (agents, more_agents) = match cx.ports.account(id, Command::Agents { after, limit: PAGE, live: false }).await? {
        Outcome::Agents(agents, more) => (agents, more),
        _ => (Vec::new(), false),
    };
    let keys = match cx.ports.account(id, Command::PersonalKeys).await? {
        Outcome::Agents(keys, _) => keys,
        _ => Vec::new(),
    };
    let after = asked.params.find("clients").and_then(|after| after.parse().ok());
    let (clients, more_clients) = match cx.ports.account(id, Command::Connections { after, limit: PAGE, live: false }).await? {
        Outcome::Connections(clients, more) => (clients, more),
        _ => (Vec::new(), false),
    };
    let (events, more_events) = match cx.ports.account(id, Command::Events { before, limit: PAGE }).await? {
        Outcome::Events(events, more) => (events, more),
        _ => (Vec::new(), false),
    };
    let mut sessions = match cx.ports.account(id, Command::Sessions).await? {
        Outcome::Sessions(sessions) => sessions,
        _ => Vec::new(),
    };
    // This browser first.
    sessions.sort_by_key(|session| session.id != signed_in.session);
    let passkeys = match cx.ports.account(id, Command::Passkeys).await? {
        Outcome::Passkeys(passkeys) => passkeys,
        _ => Vec::new(),
    };
    let identities = identity::of(id, cx).await?;
    let brought_by = signed_in.person.provider.as_deref();
    // The provider that people sign in with has made the account; any other has linked agents to it.
    let joined =
        identities.iter().any(|identity| Some(identity.issuer.as_str()) == brought_by && identity.linked == signed_in.person.created);
    let frame = visitor.frame(cx)?;
    let nonce = frame.nonce.clone();
    let scopes = scopes::line(cx.config.post_claim_scopes.as_scope(), cx);
    let counts = together(agents.iter().map(|agent| count_below(agent, cx)).collect()).await;
    let used = together(keys.iter().map(|key| last_used(&key.registration, cx)).collect()).await;
    let known = together(clients.iter().map(|connection| known(connection, cx)).collect()).await;
    let page = AccountPage {
        frame,
        more_agents: agents.last().filter(|_| more_agents).map(|last| format!("/account?agents={}#agents", last.registration)),
        agents: agents.iter().zip(counts).map(|(agent, below)| agent_view(agent, below, &scopes, cx)).collect(),
        keys: keys.iter().zip(used).map(|(key, used)| key_view(key, used, cx)).collect(),
        more_clients: clients.last().filter(|_| more_clients).map(|last| format!("/account?clients={}#clients", last.grant)),
        clients: clients.iter().zip(known).map(|(client, known)| client_view(client, known, cx)).collect(),
        passkeys: passkeys.iter().map(passkey_view).collect(),
        sessions: sessions.iter().map(|session| session_view(session, signed_in)).collect(),
        more_events: events.last().filter(|_| more_events).map(|(number, _)| format!("/account?events={number}#events")),
        live_agents: signed_in.person.agents.saturating_sub(u32::try_from(keys.len()).unwrap_or(u32::MAX)),
        events: events.iter().map(|(_, event)| event_view(event, cx)).collect(),
        notice,
        problem: None,
        vouched_before: brought_by.filter(|_| !joined).map(|issuer| provider_name(issuer, cx)),
        joined_before: brought_by.filter(|_| joined && signed_in.person.has_signed_in).map(|issuer| name(issuer, cx)),
        identities: identities.iter().map(|identity| identity_view(identity, cx)).collect(),
        providers: views(false, cx),
    };
    Ok(visitor.remember(page::html(StatusCode::OK, &page, &nonce)?, cx))
}

fn provider_name<'c, P>(issuer: &'c str, cx: &Cx<'c, P>) -> &'c str {
    cx.config.providers.iter().find(|provider| provider.issuer == issuer).map_or(issuer, |provider| &provider.name)
}

/// How many agents one has made; nobody asks of one that has ended.
async fn count_below<P: Ports>(agent: &Agent, cx: &Cx<'_, P>) -> Option<u64> {
    if agent.ended.is_some() { None } else { below(&agent.registration, cx).await }
}

fn key_view<'a, P>(agent: &'a Agent, used: Option<Timestamp>, cx: &Cx<'a, P>) -> KeyView<'a> {
    let key = agent.key.as_ref();
    KeyView {
        registration: agent.registration.as_str(),
        name: agent.name.as_deref().unwrap_or_default(),
        prefix: prefix(&agent.registration, cx),
        scopes: key.map(|key| scopes::line(&key.scope, cx)).unwrap_or_default(),
        created: moment(agent.claimed),
        expires: key.and_then(|key| key.expires).map(moment),
        expired: !works(agent, cx),
        used: agent.used.max(used).map(moment),
    }
}

fn agent_view<'a, P>(agent: &'a Agent, below: Option<u64>, scopes: &'a str, cx: &Cx<'a, P>) -> AgentView<'a> {
    AgentView {
        registration: agent.registration.as_str(),
        name: agent.name.as_deref(),
        kind: match agent.kind.as_str() {
            "service_auth" => "Asked for you by your address",
            "identity_assertion" => "Came with a provider's word",
            _ => "Registered by itself",
        },
        provider: agent.provider.as_deref().map(|issuer| provider_name(issuer, cx)),
        scopes,
        claimed: moment(agent.claimed),
        used: agent.used.map(moment),
        ended: agent.ended.map(moment),
        below,
    }
}

/// Who vouches for what the client calls itself. If that cannot be found out, nobody does.
async fn known<'a, P: Ports>(connection: &'a Connection, cx: &Cx<'_, P>) -> Known<'a> {
    let is_document = connection.client.contains("://") && !cx.config.clients.contains_key(&connection.client);
    if is_document {
        return Known::Document(redirect::host(&connection.client));
    }
    match client::find(&connection.client, cx).await {
        Ok(Some(client)) if matches!(client.source, Source::Operator | Source::Configured) => Known::Operator,
        _ => Known::Registered,
    }
}

fn client_view<'a, P>(client: &'a Connection, known: Known<'a>, cx: &Cx<'a, P>) -> ClientView<'a> {
    ClientView {
        grant: client.grant.as_str(),
        name: client.name.as_deref(),
        known,
        id: &client.client,
        scopes: scopes::line(&client.scope, cx),
        resources: client.resources.join(", "),
        created: moment(client.created),
        used: client.used.map(moment),
        ended: client.ended.map(moment),
    }
}

fn passkey_view(passkey: &Passkey) -> PasskeyView<'_> {
    let (created, used) = (moment(passkey.created), passkey.used.map(moment));
    PasskeyView { credential: &passkey.credential, name: &passkey.name, created, used }
}

fn identity_view<'a, P>(identity: &'a Identity, cx: &Cx<'a, P>) -> IdentityView<'a> {
    IdentityView {
        number: identity.number,
        provider: name(&identity.issuer, cx),
        issuer: &identity.issuer,
        email: identity.email.as_deref(),
        linked: moment(identity.linked),
        used: identity.used.map(moment),
    }
}

fn session_view<'a>(session: &'a Session, signed_in: &SignedIn) -> SessionView<'a> {
    SessionView {
        id: session.id.as_str(),
        browser: &session.browser,
        method: if session.method == "upstream" { "a linked provider" } else { &session.method },
        signed_in: moment(session.signed_in),
        used: moment(session.used),
        current: session.id == signed_in.session,
    }
}

fn event_view<'a, P>(event: &'a Event, cx: &Cx<'a, P>) -> EventView<'a> {
    let words = match event.name.as_str() {
        "agent.claimed" => "You approved an agent",
        "agent.revoked" if event.detail == "you" => "You ended an agent",
        "agent.revoked" if event.detail == "the provider" => "An agent's provider took back its word",
        "agent.revoked" if event.detail == "the operator" => "The operator ended an agent",
        "agent.revoked" => "An agent ended itself",
        "agent.refresh_reused" => "An agent's refresh token was used twice, so all that it had was ended",
        "key.created" => "You made an API key",
        "key.revoked" if event.detail == "you" => "You revoked an API key",
        "key.revoked" if event.detail == "the operator" => "The operator ended an API key",
        "key.revoked" => "An API key was given back by whoever had it",
        "client.allowed" => "You allowed an application",
        "client.revoked" => "You disconnected an application",
        "token.exchanged" => "A token was passed on for another",
        "session.started" => "Signed in",
        "session.ended" => "Signed out",
        "passkey.added" => "Passkey added",
        "passkey.removed" => "Passkey removed",
        "identity.linked" => "A provider was linked to sign in with",
        "identity.removed" => "A linked provider was removed",
        "passkey.cloned" => "A passkey was refused: it may have been copied",
        "account.suspended" => "The account was suspended",
        "account.resumed" => "The account was opened again",
        other => other,
    };
    let detail = match (&event.registration, event.name.as_str()) {
        (Some(registration), _) => registration.as_str(),
        (None, "identity.linked" | "identity.removed") => name(&event.detail, cx),
        (None, _) => &event.detail,
    };
    EventView { at: moment(event.at), words: words.to_owned(), detail, quoted: event.name.starts_with("client.") }
}

/// Somebody who has signed in, with a form of ours.
pub(super) async fn owner<'r, P: Ports>(asked: &Asked<'r>, cx: &Cx<'_, P>) -> Result<SignedIn, Refused> {
    peopled(cx)?;
    let visitor = Visitor::read(asked.headers, cx).await?;
    visitor.check(asked.headers, asked.params.find("csrf"), cx)?;
    visitor.signed_in.ok_or_else(|| Refused::new(ErrorCode::Unauthorized, "nobody has signed in"))
}

/// `POST /account/agents/revoke`
pub(crate) async fn revoke_agent<P: Ports>(asked: Asked<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let owner = owner(&asked, cx).await?;
    let Ok(registration) = asked.find("registration").parse::<RegistrationId>() else {
        return Err(Refused::new(ErrorCode::NotFound, "not a registration"));
    };
    // Whose it is, the registration itself knows.
    change(&Holder::Registration(registration), &Change::EndBy(owner.account), cx).await?;
    Ok(see_other("/account?done=agent"))
}

/// `POST /account/agents/revoke-all`
pub(crate) async fn revoke_all_agents<P: Ports>(asked: Asked<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let owner = owner(&asked, cx).await?;
    change_all(&owner.account, &Change::EndBy(owner.account.clone()), cx).await?;
    Ok(see_other("/account?done=agents"))
}

/// `POST /account/clients/revoke`
pub(crate) async fn end_connection<P: Ports>(asked: Asked<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let owner = owner(&asked, cx).await?;
    let Ok(id) = asked.find("grant").parse::<GrantId>() else { return Err(Refused::new(ErrorCode::NotFound, "not a grant")) };
    change(&Holder::Grant(id), &Change::EndBy(owner.account), cx).await?;
    Ok(see_other("/account?done=client"))
}

/// `POST /account/sessions/end`
pub(crate) async fn end_session<P: Ports>(asked: Asked<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let owner = owner(&asked, cx).await?;
    let Ok(session) = asked.find("session").parse::<SessionId>() else {
        return Err(Refused::new(ErrorCode::NotFound, "not a session"));
    };
    browser::end_session(&owner.account, &session, cx).await?;
    Ok(see_other(if session == owner.session { "/login" } else { "/account?done=session" }))
}

/// `POST /account/sessions/end-others`
pub(crate) async fn end_other_sessions<P: Ports>(asked: Asked<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let owner = owner(&asked, cx).await?;
    if let Outcome::Sessions(sessions) = cx.ports.account(&owner.account, Command::Sessions).await? {
        for session in sessions.iter().filter(|session| session.id != owner.session) {
            browser::end_session(&owner.account, &session.id, cx).await?;
        }
    }
    Ok(see_other("/account?done=session"))
}
