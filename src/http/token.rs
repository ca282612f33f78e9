//! `POST /oauth2/token` (RFC 6749, section 3.2)

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};

use super::refuse::Refused;
use super::{form, reply};
use crate::cx::Cx;
use crate::grant::{self, Denied, Granted, TokenRequest};
use crate::oauth::authorization::Authorization;
use crate::store::Ports;

/// Reads, judges, issues.
pub(super) async fn token<P: Ports>(headers: &HeaderMap, body: &[u8], cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let params = form(headers, body)?;
    let authorization = Authorization::parse(headers).map_err(Denied::from)?;
    let request = TokenRequest::parse(&params, authorization, cx.config)?;
    match grant::authorize(request, cx).await? {
        Granted::Token(authorized) => Ok(reply::json(StatusCode::OK, &grant::issue(authorized, cx).await?)),
        Granted::Answer(body) => Ok(reply::private(StatusCode::OK, reply::JSON, body)),
    }
}
