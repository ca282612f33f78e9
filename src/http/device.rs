//! `POST /oauth2/device_authorization` (RFC 8628, section 3.1), with an alias: a device asks for the codes that it shows and polls with.

use bytes::Bytes;
use http::header::USER_AGENT;
use http::{HeaderMap, Response, StatusCode};
use serde_json::json;

use super::limit::requests;
use super::people::peopled;
use super::refuse::Refused;
use super::{form, reply};
use crate::cx::Cx;
use crate::email::cleaned;
use crate::entropy::random;
use crate::grant::device_code::PREFIX;
use crate::grant::{DEVICE_CODE, Denied, client};
use crate::machine::device::{Command, Device, INTERVAL, LIFE, Outcome, Request};
use crate::oauth::authorization::Authorization;
use crate::oauth::error::ErrorCode;
use crate::oauth::scope::Scope;
use crate::secret::{DeviceCode, Secret};
use crate::store::Ports;
use crate::user_code::UserCode;

/// Judges the request as the authorization endpoint would, and lets the device wait.
pub(super) async fn begin<P: Ports>(headers: &HeaderMap, body: &[u8], cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    peopled(cx)?;
    let params = form(headers, body)?;
    let shown = client::shown(&params, Authorization::parse(headers).map_err(Denied::from)?)?;
    requests("device", cx).await?;
    let client = client::identify(&shown, cx).await?.client;
    if !client.metadata.allows_grant(DEVICE_CODE) {
        return Err(Denied::UnauthorizedClient.into());
    }
    let resource = match params.find("resource") {
        Some(asked) => cx.config.resource_asked(asked),
        None => cx.config.default_resource(),
    };
    let resource = resource.ok_or(Denied::Resource)?;
    let asked: Option<Scope> = params.find("scope").map(str::parse).transpose()?;
    let scope = client.entitled(asked.as_ref(), resource, cx.config);
    if scope.as_scope().is_empty() {
        return Err(Refused::new(ErrorCode::InvalidScope, "nothing of the scope is granted here")
            .hint("Nothing of the scope that was asked for is granted here. Leave scope out to get what is."));
    }
    let agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).map(cleaned);
    let request = Request {
        client: client.id.clone(),
        resource: resource.uri.clone(),
        scope,
        network: cx.origin.as_ref().map(|origin| origin.network.clone()),
        agent: agent.filter(|agent| !agent.is_empty()),
        at: cx.now,
    };
    let (user_code, device_code) = open(&request, cx).await?;
    let page = cx.config.own("/device");
    Ok(reply::json(
        StatusCode::OK,
        &json!({
            "device_code": device_code, "user_code": user_code, "verification_uri": page,
            "verification_uri_complete": format!("{page}?user_code={user_code}"), "expires_in": LIFE.seconds(), "interval": INTERVAL,
        }),
    ))
}

/// Draws codes until nobody waits under them: that they are taken happens once in a blue moon.
async fn open<P: Ports>(request: &Request, cx: &Cx<'_, P>) -> Result<(String, String), Refused> {
    let master = &cx.config.masters.current;
    for _ in 0..5 {
        let user_code = UserCode::draw(random(cx.entropy)?);
        let device = user_code.device(master);
        let secret = Secret::<DeviceCode>::mint(PREFIX, device.digits(), random(cx.entropy)?, master);
        let command = Command::Open { code: secret.digest(), request: request.clone() };
        if let Outcome::Opened = cx.ports.run::<Device>(&device, command).await? {
            return Ok((user_code.shown(), secret.reveal()));
        }
    }
    Err(Refused::new(ErrorCode::TemporarilyUnavailable, "every code that was drawn is taken"))
}
