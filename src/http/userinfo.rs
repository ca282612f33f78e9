//! `/oauth2/userinfo` (OpenID Connect Core, section 5.3).

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Map, Value};

use super::refuse::Refused;
use super::{guard, reply};
use crate::client;
use crate::cx::Cx;
use crate::dpop;
use crate::id::{AccountId, GrantId, Holder};
use crate::machine::grant::{Command, Grant, Outcome};
use crate::oauth::error::ErrorCode;
use crate::oauth::scope::Scope;
use crate::oidc::subject;
use crate::people;
use crate::store::Ports;
use crate::verify::Kind;

/// Who the person is, as far as the token may know. A token comes in the header and nowhere else.
pub(super) async fn userinfo<P: Ports>(request: &dpop::Request<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    if !cx.config.openid {
        return Err(Refused::new(ErrorCode::NotFound, "OpenID Connect is off"));
    }
    let needed: Scope = "openid".parse()?;
    let (active, door) = guard::presented(request, None, needed.clone(), cx).await?;
    let insufficient = |reason: &str| {
        let refused = door.insufficient(reason, &needed, cx);
        refused.hint("Ask for the scope openid at the authorization endpoint.")
    };
    let Kind::AccessToken(claims) = &active.kind else { return Err(insufficient("an API key is no word of a person")) };
    let token = &claims.custom;
    let may = |name: &str| token.scope.as_scope().iter().any(|known| known == name);
    if !may("openid") {
        return Err(insufficient("the scope lacks openid"));
    }
    let Holder::Grant(grant) = &active.holder else { return Err(insufficient("the token is not of a grant")) };
    let account = owner(grant, &token.sub, &token.client_id, cx).await?;
    let account = account.ok_or_else(|| insufficient("the token is not of a person's grant"))?;
    let client = client::find(&token.client_id, cx).await?.ok_or_else(|| door.invalid("the client is gone", cx))?;
    let person = people::look(&account, cx).await?.filter(|person| !person.suspended);
    let person = person.ok_or_else(|| door.invalid("the person is gone", cx))?;
    let mut answer = Map::new();
    answer.insert("sub".to_owned(), subject::of(&account, &client, cx).await?.into());
    if may("email")
        && let Some(email) = person.email
    {
        answer.insert("email".to_owned(), email.into());
        // An account has no address that was not proven.
        answer.insert("email_verified".to_owned(), true.into());
    }
    if may("profile") {
        let mut add = |name: &str, value: Option<String>| answer.extend(value.map(|value| (name.to_owned(), Value::String(value))));
        add("name", person.name);
        add("picture", person.picture);
    }
    Ok(reply::json(StatusCode::OK, &answer))
}

/// The person whose grant it is, if it is not a client's for itself. The names say it, unless the client knows the person by another.
async fn owner<P: Ports>(grant: &GrantId, sub: &str, client: &str, cx: &Cx<'_, P>) -> Result<Option<AccountId>, Refused> {
    if let Some(account) = sub.parse::<AccountId>().ok().filter(|account| *grant == GrantId::of(Some(account), client)) {
        return Ok(Some(account));
    }
    match cx.ports.run::<Grant>(grant, Command::Whose).await? {
        Outcome::Whose(account) => Ok(account),
        _ => Ok(None),
    }
}
