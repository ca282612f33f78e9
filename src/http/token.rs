//! `POST /oauth2/token` (RFC 6749, section 3.2)

use bytes::Bytes;
use http::{Response, StatusCode};

use super::refuse::Refused;
use super::{form, reply};
use crate::cx::Cx;
use crate::dpop;
use crate::grant::{self, Connected, Denied, Granted, TokenRequest, TokenResponse};
use crate::machine::grant::GrantRefusal;
use crate::oauth::authorization::Authorization;
use crate::oauth::params::Params;
use crate::oidc;
use crate::store::Ports;

/// Reads, judges, issues.
pub(super) async fn token<P: Ports>(request: &dpop::Request<'_>, body: &[u8], cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let params = form(request.headers, body)?;
    let authorization = Authorization::parse(request.headers).map_err(Denied::from)?;
    let asked = asked(&params, authorization, cx)?;
    let proof = dpop::proof(request, None, cx).await?;
    Ok(reply::private(StatusCode::OK, reply::JSON, granted(asked, proof.as_ref(), cx).await?))
}

/// What is asked for.
pub(super) fn asked<P>(params: &Params, authorization: Option<Authorization>, cx: &Cx<'_, P>) -> Result<TokenRequest, Refused> {
    TokenRequest::parse(params, authorization, cx.config).map_err(|denied| explained(denied, cx))
}

/// The same for what has been read: the answer as JSON.
pub(super) async fn granted<P: Ports>(asked: TokenRequest, proof: Option<&dpop::Proof>, cx: &Cx<'_, P>) -> Result<Vec<u8>, Refused> {
    let json = |token: &TokenResponse| serde_json::to_vec(token).unwrap_or_default();
    match grant::authorize(asked, proof, cx).await.map_err(|denied| explained(denied, cx))? {
        Granted::Token(authorized) => Ok(json(&grant::issue(authorized, cx).await?)),
        Granted::Connected(connected) => {
            let Connected { authorized, refresh_token, client, person, scope } = *connected;
            let token = grant::issue(authorized, cx).await?.with_refresh_token(refresh_token);
            let id_token = match oidc::knows(scope.as_scope(), cx.config) {
                true => Some(oidc::id_token(person.id_token_for(&client, token.access_token()), cx).await?),
                false => None,
            };
            Ok(json(&token.with_id_token(id_token)))
        }
        Granted::Continued(continued) => {
            let (authorized, refresh_token) = *continued;
            Ok(json(&grant::issue(authorized, cx).await?.with_refresh_token(Some(refresh_token))))
        }
        Granted::Answer(body) => Ok(body),
    }
}

/// With what would have been right.
fn explained<P>(denied: Denied, cx: &Cx<'_, P>) -> Refused {
    let said = |text: &str| text.to_owned();
    let expected: &dyn Fn() -> String = match &denied {
        Denied::GrantType => &|| grant::grant_types(cx.config).join(" "),
        Denied::Resource => &|| cx.config.resource_uris(),
        Denied::Grant(GrantRefusal::Verifier) => {
            &|| said("The code_verifier of this authorization request: its SHA-256 in base64url is the code_challenge.")
        }
        Denied::Grant(GrantRefusal::RedirectUri) => &|| said("The redirect_uri of the authorization request, byte for byte."),
        Denied::Grant(GrantRefusal::Client) => &|| said("The client_id that the code or token was issued to."),
        Denied::Grant(GrantRefusal::Resource) => &|| said("A resource that the person has agreed to, or none."),
        _ => return denied.into(),
    };
    Refused::from(denied).expected(expected, cx)
}
