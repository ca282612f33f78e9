//! `POST /oauth2/revoke` (RFC 7009)

use std::rc::Rc;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use serde_json::Value;

use super::api;
use super::refuse::Refused;
use super::{form, reply};
use crate::audit::{self, Remark};
use crate::cx::Cx;
use crate::grant::Denied;
use crate::grant::client::{self, Shown};
use crate::id::{GrantId, Holder, RegistrationId};
use crate::machine::grant::{self, Grant};
use crate::machine::registration::{Command, FIRST_FAMILY, Outcome, Registration};
use crate::machine::standing::{RevokedToken, Standing};
use crate::oauth::authorization::Authorization;
use crate::oauth::error::{ErrorCode, Refusal};
use crate::oauth::params::Params;
use crate::refresh;
use crate::status;
use crate::store::Ports;
use crate::tenant::AuditOutcome;
use crate::time::{Timestamp, Ttl};
use crate::verify::{self, Inactive, Kind};

/// Told once, however often it is given back: by then nothing of it counts any more.
const ONCE: Ttl = Ttl::from_seconds(7 * 86_400);

/// The kind of a key that was given back.
const API_KEY: &str = "api_key";

/// Ends a token, an API key, or with its assertion a whole registration. To hold a secret is to be allowed to end
/// it; a client that says who it is may end only its own. Whatever is not ended, and why, is not told (RFC 7009,
/// section 2.2); hints are not needed and so never wrong.
pub(super) async fn revoke<P: Ports>(headers: &HeaderMap, body: &[u8], cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    revoked(headers, &form(headers, body)?, cx).await?;
    Ok(reply::empty(StatusCode::OK))
}

/// The same for what has been read.
pub(super) async fn revoked<P: Ports>(headers: &HeaderMap, params: &Params, cx: &Cx<'_, P>) -> Result<(), Refused> {
    let token = params.require("token")?;
    let shown = client::shown(params, Authorization::parse(headers).map_err(Denied::from)?)?;
    let owner = owner(&shown, cx).await?;
    end(token, owner, cx).await
}

/// The same for what has been read: ends `token` if it is `owner`'s, or whoever holds it where nobody says who they are.
pub(super) async fn end<P: Ports>(token: &str, owner: Option<String>, cx: &Cx<'_, P>) -> Result<(), Refused> {
    let found = target(token, owner.as_deref(), cx).await?;
    let is_own = |client_id: &Option<String>| client_id.is_none() || owner.is_none() || *client_id == owner;
    match found.filter(|(client_id, _)| is_own(client_id)).map(|(_, target)| target) {
        Some(Target::Registration(id, command, what)) => {
            if let Outcome::Standing(standing) = cx.ports.run::<Registration>(&id, *command).await? {
                told(&id, &standing, &what, cx).await;
                verify::remember(&id, Some(Rc::new(standing)), cx);
            }
        }
        Some(Target::Grant(id, command)) => {
            // Whatever does not concern this grant changes nothing, and says nothing of whether it is alive.
            if let grant::Outcome::Standing(standing) = cx.ports.run::<Grant>(&id, *command).await? {
                verify::note(&Holder::Grant(id), Some(Rc::new(standing)), cx);
            }
        }
        None => {}
    }
    Ok(())
}

/// Whose tokens may be ended; none for whoever does not say who they are. A name alone is enough, as it only makes less possible.
async fn owner<P: Ports>(shown: &Shown, cx: &Cx<'_, P>) -> Result<Option<String>, Refused> {
    match shown {
        Shown::Name(name) => Ok(Some(name.clone())),
        shown => Ok(client::authenticate(shown, cx).await?.id().map(str::to_owned)),
    }
}

/// The agent's account hears of it, and its webhooks do, once.
async fn told<P: Ports>(id: &RegistrationId, standing: &Standing, (kind, name): &(&'static str, String), cx: &Cx<'_, P>) {
    if *kind == API_KEY {
        return api::key_ended(id, standing, name.parse().unwrap_or_default(), cx).await;
    }
    let remark = Remark {
        event: "token.revoked",
        actor: Some(id),
        outcome: AuditOutcome::Success,
        target: (kind, name),
        metadata: Value::Null,
        told: true,
        most: (format!("revoked/{id}/{kind}/{name}"), 1, ONCE),
    };
    audit::remark(id, standing, remark, cx).await;
}

/// What is to be done, and where; of a registration kind and name of what ends too.
enum Target {
    Registration(RegistrationId, Box<Command>, (&'static str, String)),
    Grant(GrantId, Box<grant::Command>),
}

/// What is to be done about a genuine token; nothing about one that is not ours or has ended for good.
/// With it comes whose the token is, unless its record is to judge that.
async fn target<P: Ports>(token: &str, owner: Option<&str>, cx: &Cx<'_, P>) -> Result<Option<(Option<String>, Target)>, Refused> {
    match verify::genuine(token, cx).await {
        Ok((holder, kind)) => {
            let revoked = match &kind {
                Kind::ApiKey(stamp) => Err(stamp.id),
                Kind::AccessToken(claims) => Ok((
                    RevokedToken { jti: claims.custom.jti.clone(), until: claims.expiration.map_or(Timestamp::NEVER, Timestamp::from) },
                    claims.custom.status.as_ref().and_then(|claim| status::place(claim, cx)),
                )),
            };
            let family = match &kind {
                Kind::AccessToken(claims) if claims.custom.act.is_none() && claims.custom.origins.is_empty() => {
                    claims.custom.credential.map(|stamp| stamp.id).filter(|id| *id >= FIRST_FAMILY)
                }
                _ => None,
            };
            let client_id = Some(kind.client_id(&holder).to_owned());
            let target = match (holder, revoked) {
                (Holder::Registration(id), Ok((token, place))) => {
                    let what = ("access_token", token.jti.clone());
                    // What continues it ends with it (RFC 7009, section 2.1), and with that all that it has brought.
                    let command = match family {
                        Some(id) => Command::EndFamily { id },
                        None => Command::RevokeToken { token, place },
                    };
                    Target::Registration(id, Box::new(command), what)
                }
                (Holder::Registration(id), Err(key)) => {
                    Target::Registration(id, Box::new(Command::RevokeCredential { id: key }), (API_KEY, key.to_string()))
                }
                (Holder::Grant(id), Ok((token, place))) => Target::Grant(id, Box::new(grant::Command::RevokeToken { token, place })),
                (Holder::Grant(_), Err(_)) => return Ok(None),
            };
            return Ok(Some((client_id, target)));
        }
        Err(error) => known(error)?,
    }
    if let Some(refresh) = refresh::Presented::parse(token, &cx.config.masters) {
        let family = refresh.family().to_string();
        let token = refresh.command();
        return Ok(Some(match refresh.holder {
            Holder::Registration(id) => {
                (Some(id.to_string()), Target::Registration(id, Box::new(Command::RevokeRefresh(token)), ("refresh_token", family)))
            }
            Holder::Grant(id) => {
                (None, Target::Grant(id, Box::new(grant::Command::RevokeRefresh { token, client: owner.map(str::to_owned) })))
            }
        }));
    }
    match verify::identity_assertion(token, cx).await {
        // The registration has no other credential: it ends with its assertion, as with a refresh token.
        Ok(claims) => {
            let (id, generation) = (claims.custom.sub, claims.custom.generation);
            Ok(Some((
                Some(id.to_string()),
                Target::Registration(id, Box::new(Command::End { generation }), ("identity_assertion", generation.to_string())),
            )))
        }
        Err(error) => known(error).map(|()| None),
    }
}

/// Only our own faults are told.
fn known(error: Inactive) -> Result<(), Refused> {
    if error.code() == ErrorCode::InvalidToken { Ok(()) } else { Err(error.into()) }
}
