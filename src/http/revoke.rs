//! `POST /oauth2/revoke` (RFC 7009)

use std::rc::Rc;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};

use super::refuse::Refused;
use super::{form, reply};
use crate::cx::Cx;
use crate::grant::Denied;
use crate::grant::client;
use crate::id::RegistrationId;
use crate::machine::registration::{Command, Outcome, Registration};
use crate::machine::standing::RevokedToken;
use crate::oauth::authorization::Authorization;
use crate::oauth::error::{ErrorCode, Refusal};
use crate::refresh;
use crate::status;
use crate::store::Ports;
use crate::time::Timestamp;
use crate::verify::{self, Inactive, Kind};

/// Ends a token, an API key, or with its assertion a whole registration. To hold a secret is to be allowed to end
/// it; a client that authenticates may end only its own. Whatever is not ended, and why, is not told (RFC 7009,
/// section 2.2); hints are not needed and so never wrong.
pub(super) async fn revoke<P: Ports>(headers: &HeaderMap, body: &[u8], cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let params = form(headers, body)?;
    let token = params.require("token")?;
    let shown = client::shown(&params, Authorization::parse(headers).map_err(Denied::from)?)?;
    let client = client::authenticate(&shown, cx).await?;
    if let Some((registration, command)) = target(token, cx).await?
        && client.is_none_or(|client| client == registration)
    {
        match cx.ports.run::<Registration>(&registration, command).await? {
            Outcome::Standing(standing) => verify::remember(&registration, Some(Rc::new(standing)), cx),
            _ => verify::remember(&registration, None, cx),
        }
    }
    Ok(reply::empty(StatusCode::OK))
}

/// What is to be done about a genuine token; nothing about one that is not ours or no longer counts.
async fn target<P: Ports>(token: &str, cx: &Cx<'_, P>) -> Result<Option<(RegistrationId, Command)>, Refused> {
    match verify::bearer(token, cx).await {
        Ok(active) => {
            let command = match &active.kind {
                Kind::ApiKey(stamp) => Command::RevokeCredential { id: stamp.id },
                Kind::AccessToken(claims) => Command::RevokeToken {
                    token: RevokedToken {
                        jti: claims.custom.jti.clone(),
                        until: claims.expiration.map_or(Timestamp::NEVER, Timestamp::from),
                    },
                    place: claims.custom.status.as_ref().and_then(|claim| status::place(claim, cx)),
                },
            };
            return Ok(Some((active.registration, command)));
        }
        Err(error) => known(error)?,
    }
    if let Some(refresh) = refresh::Presented::parse(token, &cx.config.masters) {
        return Ok(Some((refresh.registration(), Command::RevokeRefresh(refresh.command()))));
    }
    match verify::identity_assertion(token, cx).await {
        // The registration has no other credential: it ends with its assertion, as with a refresh token.
        Ok(claims) => Ok(Some((claims.custom.sub, Command::End { generation: claims.custom.generation }))),
        Err(error) => known(error).map(|()| None),
    }
}

/// Only our own faults are told.
fn known(error: Inactive) -> Result<(), Refused> {
    if error.code() == ErrorCode::InvalidToken { Ok(()) } else { Err(error.into()) }
}
