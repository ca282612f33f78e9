//! `/account/keys`: API keys that people make for programs of their own.

use std::rc::Rc;

use bytes::Bytes;
use http::{Response, StatusCode};

use super::ending::{Change, change};
use super::passkey::fresh_or_back;
use super::{Asked, Says, moment, peopled, see_other};
use crate::account;
use crate::cx::Cx;
use crate::email::cleaned;
use crate::entropy::random;
use crate::http::api::manager::{self, DEFAULT_DEPTH};
use crate::http::browser::Visitor;
use crate::http::limit::{self, Whom};
use crate::http::page::{self, ChoiceView, KeyMade, NewKeyPage, ScopeView, Tone};
use crate::http::people::agent::{audited, command};
use crate::http::refuse::Refused;
use crate::http::scopes;
use crate::id::{AccountId, CredentialId, Holder, RegistrationId};
use crate::machine::registration::{self, NewPersonal, Registration};
use crate::oauth::error::ErrorCode;
use crate::oauth::management;
use crate::oauth::scope::Scope;
use crate::people;
use crate::secret::{ApiKey, Secret};
use crate::store::Ports;
use crate::tenant::{self, AgentType, Profile, Status, What};
use crate::time::{Timestamp, Ttl};
use crate::verify;

/// Where the page is.
const PATH: &str = "/account/keys";
/// Keys of one person that work.
const MOST: usize = 32;
/// The longest name.
const NAME: usize = 60;
/// What the fields of scopes begin with.
const MAY: &str = "may.";
/// Value, words and days of each life.
const LIVES: [(&str, &str, Option<u64>); 5] = [
    ("7", "In 7 days", Some(7)),
    ("30", "In 30 days", Some(30)),
    ("90", "In 90 days", Some(90)),
    ("365", "In a year", Some(365)),
    ("never", "Never", None),
];
/// The life of a key whose person says nothing of it.
const USUAL: &str = "90";

/// What a person asks for.
struct Wish {
    name: String,
    scope: Scope,
    life: &'static str,
    expires: Option<Timestamp>,
}

/// `GET /account/keys`: asks what the key is to be like.
pub(crate) async fn new<P: Ports>(asked: Asked<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    peopled(cx)?;
    let visitor = Visitor::read(asked.headers, cx).await?;
    if visitor.signed_in.is_none() {
        return Ok(visitor.remember(see_other("/login?return_to=%2Faccount%2Fkeys"), cx));
    }
    if let Err(sign_in) = fresh_or_back(&visitor, PATH, cx)? {
        return Ok(sign_in);
    }
    let blank = Wish { name: String::new(), scope: cx.config.read_scope.clone(), life: USUAL, expires: None };
    form(&visitor, &blank, None, cx)
}

/// `POST /account/keys`: makes it, and shows it once.
pub(crate) async fn make<P: Ports>(asked: Asked<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    peopled(cx)?;
    let visitor = Visitor::read(asked.headers, cx).await?;
    visitor.check(asked.headers, asked.params.find("csrf"), cx)?;
    let owner = match fresh_or_back(&visitor, PATH, cx)? {
        Ok(owner) => &owner.account,
        Err(sign_in) => return Ok(sign_in),
    };
    let (wish, problem) = read(&asked, cx);
    if problem.is_some() {
        return form(&visitor, &wish, problem, cx);
    }
    if living(owner, cx).await? >= MOST {
        return full(&visitor, cx);
    }
    limit::take(None, Whom::Vouched, cx).await?;
    let id = RegistrationId::from_bytes(random(cx.entropy)?);
    let secret = Secret::<ApiKey>::mint(&cx.config.api_key_prefix, id.digits(), random(cx.entropy)?, &cx.config.masters.current);
    let new = NewPersonal {
        registration: id.clone(),
        owner: owner.clone(),
        name: wish.name.clone(),
        digest: secret.digest(),
        scope: wish.scope.clone(),
        expires: wish.expires,
    };
    let registration::Outcome::Standing(standing) = cx.ports.run::<Registration>(&id, registration::Command::MakePersonal(new)).await?
    else {
        return Err(Refused::new(ErrorCode::TemporarilyUnavailable, "the key was not made"));
    };
    verify::remember(&id, Some(Rc::new(standing)), cx);
    match enter(&id, owner, &wish, cx).await {
        Ok(true) => {}
        Ok(false) => {
            end(&id, owner, cx).await?;
            return full(&visitor, cx);
        }
        Err(refused) => {
            // Nobody has seen the key, so it is no loss.
            if let Err(error) = end(&id, owner, cx).await {
                cx.ports.warn("key_not_ended", &format!("{id}: {:?}", error.code()));
            }
            return Err(refused);
        }
    }
    let frame = visitor.frame(cx)?;
    let nonce = frame.nonce.clone();
    let made = KeyMade {
        frame,
        key: secret.reveal(),
        name: &wish.name,
        scopes: scopes::views(&wish.scope, cx),
        expires: wish.expires.map(moment),
    };
    Ok(visitor.remember(page::html(StatusCode::OK, &made, &nonce)?, cx))
}

/// `POST /account/keys/revoke`
pub(crate) async fn revoke<P: Ports>(asked: Asked<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let owner = super::account::owner(&asked, cx).await?;
    let Ok(id) = asked.find("registration").parse::<RegistrationId>() else {
        return Err(Refused::new(ErrorCode::NotFound, "not a registration"));
    };
    let held = super::agent::held(&id, &owner.account, cx).await?;
    if held.key.is_none() {
        return Err(Refused::new(ErrorCode::NotFound, "no personal API key"));
    }
    end(&id, &owner.account, cx).await?;
    let what = What::SetStatus { id: id.clone(), status: Status::Revoked };
    let row = audited("agent.revoked", ("agent", id.as_str()), &id, &owner.account, cx);
    // Where it is not listed, there is nothing to be done.
    manager::run(&id.account(), command(what, row, None, cx), cx).await?;
    Ok(see_other("/account?done=key"))
}

/// How a personal API key begins: it names its registration.
pub(super) fn prefix<P>(id: &RegistrationId, cx: &Cx<'_, P>) -> String {
    format!("{}_{}", cx.config.api_key_prefix, id.digits().get(..8).unwrap_or_default())
}

/// What the form says, and what is wrong with it.
fn read<P>(asked: &Asked<'_>, cx: &Cx<'_, P>) -> (Wish, Option<&'static str>) {
    let name: String = cleaned(asked.find("name")).chars().take(NAME).collect();
    let known = cx.config.post_claim_scopes.as_scope().union(&management::scope(true));
    let chosen: Option<Vec<&str>> = asked
        .params
        .iter()
        .filter_map(|(field, _)| field.strip_prefix(MAY))
        .map(|scope| known.iter().find(|known| *known == scope))
        .collect();
    let life = asked.params.find("expires").unwrap_or(USUAL);
    let found = LIVES.iter().find(|(value, ..)| *value == life);
    let expires = found.and_then(|(.., days)| *days).map(|days| cx.now.plus(Ttl::from_seconds(days.saturating_mul(86_400))));
    let scope = chosen.as_ref().and_then(|names| Scope::held(names.iter().copied()).ok()).unwrap_or_default();
    let problem = match () {
        () if name.is_empty() => Some("Give the key a name."),
        () if chosen.is_none() => Some("Something that you chose is not to be had any more. Choose again."),
        () if scope.is_empty() => Some("Choose at least one thing that the key may do."),
        () if found.is_none() => Some("Choose when the key expires."),
        () => None,
    };
    (Wish { name, scope, life: found.map_or(USUAL, |(value, ..)| value), expires }, problem)
}

fn form<P>(visitor: &Visitor, wish: &Wish, problem: Option<&str>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let frame = visitor.frame(cx)?;
    let nonce = frame.nonce.clone();
    let choice = |ScopeView { name, words }, group: &str, index: usize| ChoiceView {
        id: format!("{group}-{index}"),
        field: format!("{MAY}{name}"),
        chosen: wish.scope.covers(name),
        scope: ScopeView { name, words },
    };
    let choices = |group: &'static str, scopes| -> Vec<ChoiceView<'_>> {
        scopes::views(scopes, cx).into_iter().enumerate().map(|(index, view)| choice(view, group, index)).collect()
    };
    let managing = management::scope(true);
    let page = NewKeyPage {
        frame,
        name: &wish.name,
        scopes: choices("scope", cx.config.post_claim_scopes.as_scope()),
        manages: choices("manage", &managing),
        lives: LIVES.iter().map(|(value, words, _)| (*value, *words, *value == wish.life)).collect(),
        problem,
    };
    let status = if problem.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    Ok(visitor.remember(page::html(status, &page, &nonce)?, cx))
}

fn full<P>(visitor: &Visitor, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let text = "You have 32 API keys. Revoke one that you no longer need, then make another.";
    Says { action: Some(("Your account", "/account")), ..Says::new(Tone::Bad, "That is one key too many", text) }.show(409, visitor, cx)
}

/// How many keys of the person work.
async fn living<P: Ports>(owner: &AccountId, cx: &Cx<'_, P>) -> Result<usize, Refused> {
    let keys = match cx.ports.account(owner, account::Command::PersonalKeys).await? {
        account::Outcome::Agents(keys, _) => keys,
        _ => Vec::new(),
    };
    Ok(keys.iter().filter(|agent| works(agent, cx)).count())
}

/// Whether a key has not expired.
pub(super) fn works<P>(agent: &account::Agent, cx: &Cx<'_, P>) -> bool {
    agent.key.as_ref().and_then(|key| key.expires).is_none_or(|expires| cx.now < expires)
}

/// Lists a new key where its person sees it, and where it can manage agents. False if there is one too many: others were made meanwhile.
async fn enter<P: Ports>(id: &RegistrationId, owner: &AccountId, wish: &Wish, cx: &Cx<'_, P>) -> Result<bool, Refused> {
    if !people::introduce(id, owner, cx).await? {
        return Err(Refused::new(ErrorCode::Unauthorized, "the person is barred, or gone"));
    }
    if living(owner, cx).await? > MOST {
        return Ok(false);
    }
    let account = id.account();
    let profile = Profile {
        name: wish.name.clone(),
        agent_type: AgentType::Assistant,
        description: None,
        homepage_url: None,
        public_key: None,
        max_child_depth: DEFAULT_DEPTH,
        metadata: "{}".to_owned(),
    };
    let row = audited("agent.created", ("agent", id.as_str()), id, owner, cx);
    manager::run(&account, command(What::Root { id: id.clone(), profile }, row, None, cx), cx).await?;
    let credential = CredentialId::from_bytes(random(cx.entropy)?);
    let row = audited("credential.created", ("credential", credential.as_str()), id, owner, cx);
    let listed = tenant::Credential {
        id: credential,
        agent: id.clone(),
        number: 0,
        kind: "api_key".to_owned(),
        prefix: prefix(id, cx),
        scopes: Some(wish.scope.clone()),
        expires: wish.expires,
        last_used: None,
        last_rotated: None,
        revoked: None,
        token_lifetime_seconds: None,
        metadata: "{}".to_owned(),
        created: cx.now,
        updated: cx.now,
    };
    manager::run(&account, command(What::AddCredential(Box::new(listed)), row, None, cx), cx).await?;
    Ok(true)
}

/// Ends a key, and lets its person's list know at once: they may want to make another.
async fn end<P: Ports>(id: &RegistrationId, owner: &AccountId, cx: &Cx<'_, P>) -> Result<(), Refused> {
    change(&Holder::Registration(id.clone()), &Change::EndBy(owner.clone()), cx).await?;
    people::introduce(id, owner, cx).await?;
    Ok(())
}
