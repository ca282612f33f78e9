//! `POST /oauth2/introspect` (RFC 7662)

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use serde_json::{Value, json};
use subtle::ConstantTimeEq;

use super::refuse::Refused;
use super::{form, reply};
use crate::config::reader::sha256;
use crate::cx::Cx;
use crate::grant::Denied;
use crate::grant::client::{self, Shown};
use crate::id::RegistrationId;
use crate::oauth::authorization::Authorization;
use crate::oauth::error::{ErrorCode, Refusal};
use crate::oauth::params::Params;
use crate::store::Ports;
use crate::time::Timestamp;
use crate::verify::{self, Active, Kind};

/// Who may ask.
enum Asker {
    /// A resource server: about every token.
    ResourceServer,
    /// The holder of a credential: about those of its own registration.
    Holder(RegistrationId),
}

/// Says whether a token counts. Unknown, foreign, expired, revoked and somebody else's look the same.
pub(super) async fn introspect<P: Ports>(headers: &HeaderMap, body: &[u8], cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let params = form(headers, body)?;
    let asker = asker(headers, &params, cx).await?;
    let token = params.require("token")?;
    let answer = match verify::bearer(token, cx).await {
        Ok(active) if asker.may_know(&active) => shown(&active, cx),
        Ok(_) => json!({ "active": false }),
        Err(error) if error.code() == ErrorCode::InvalidToken => json!({ "active": false }),
        Err(error) => return Err(error.into()),
    };
    Ok(reply::json(StatusCode::OK, &answer))
}

async fn asker<P: Ports>(headers: &HeaderMap, params: &Params, cx: &Cx<'_, P>) -> Result<Asker, Refused> {
    let shown = client::shown(params, Authorization::parse(headers).map_err(Denied::from)?)?;
    if let Shown::Secret { name: Some(name), secret } = &shown {
        let digest = sha256(secret);
        let known = |(server, known): &(String, [u8; 32])| name == server && bool::from(known.ct_eq(&digest));
        if cx.config.resource_server_keys.iter().any(known) {
            return Ok(Asker::ResourceServer);
        }
    }
    let registration = client::authenticate(&shown, cx).await?;
    Ok(Asker::Holder(registration.ok_or(Denied::Client("nobody asks"))?))
}

impl Asker {
    fn may_know(&self, active: &Active) -> bool {
        match self {
            Self::ResourceServer => true,
            Self::Holder(registration) => *registration == active.registration,
        }
    }
}

/// RFC 7662, section 2.2.
fn shown<P>(active: &Active, cx: &Cx<'_, P>) -> Value {
    let entitled = cx.config.entitled(active.standing.is_full(active.stamp()));
    let seconds = |date: Option<chrono::DateTime<chrono::Utc>>| date.map(|date| date.timestamp());
    match &active.kind {
        Kind::AccessToken(claims) => json!({
            "active": true, "token_type": "Bearer", "token_use": "access_token",
            "scope": claims.custom.scope.intersect(entitled).to_string(),
            "client_id": claims.custom.client_id, "sub": claims.custom.sub, "aud": claims.custom.aud, "iss": claims.custom.iss,
            "jti": claims.custom.jti, "iat": seconds(claims.issued_at), "exp": seconds(claims.expiration),
        }),
        Kind::ApiKey(stamp) => {
            let expires = active
                .standing
                .credentials
                .iter()
                .find(|key| key.id == stamp.id)
                .map_or(active.standing.expires, |key| key.expires.min(active.standing.expires));
            let mut answer = json!({
                "active": true, "token_type": "Bearer", "token_use": "api_key", "scope": entitled.to_string(),
                "client_id": active.registration, "sub": active.registration, "iss": cx.config.issuer,
                "aud": cx.config.resources.iter().map(|resource| &resource.uri).collect::<Vec<_>>(),
                "iat": active.standing.created.seconds(),
            });
            if expires != Timestamp::NEVER
                && let Value::Object(fields) = &mut answer
            {
                fields.insert("exp".to_owned(), expires.seconds().into());
            }
            answer
        }
    }
}
