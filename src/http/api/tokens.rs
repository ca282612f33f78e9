//! Tokens by AgentAuth's paths: JSON and form, introspection, revocation, keys. What is granted is what the token endpoint grants.

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderName, Response, StatusCode};
use serde_json::{Map, Value, json};

use super::manager::run;
use super::route::Api;
use crate::cx::Cx;
use crate::dpop;
use crate::grant::claim::merge;
use crate::grant::{CLIENT_CREDENTIALS, Denied, TOKEN_EXCHANGE};
use crate::http::discovery::{self, REFRESH_BUFFER};
use crate::http::refuse::Refused;
use crate::http::{FORM, Sent, form, guard, introspect, media_type, reply, revoke, token};
use crate::id::{Holder, RegistrationId};
use crate::oauth::authorization::Authorization;
use crate::oauth::error::ErrorCode;
use crate::oauth::params::Params;
use crate::secret::{ApiKey, Presented};
use crate::store::Ports;
use crate::tenant::{Command, What};
use crate::time::{Timestamp, Ttl};
use crate::verify::{Active, Kind};

/// AgentAuth's other name of the exchange.
pub(in crate::http) const EXCHANGE: &str = "token_exchange";
/// Short of this much life a token should be renewed.
const ADVISED: Ttl = Ttl::from_seconds(120);
/// An API key is noted as used no more often.
const NOTED_EVERY: Ttl = Ttl::from_seconds(60);

pub(super) async fn serve<P: Ports>(api: Api<'_>, sent: &Sent<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    match api {
        Api::Token => {
            let (params, headers) = (params(sent)?, guard::keyed(sent.headers)?);
            let request = dpop::Request { headers: &headers, ..sent.request };
            let proof = dpop::proof(&sent.request, None, cx).await?;
            let authorization = Authorization::parse(request.headers).map_err(Denied::from)?;
            let answer = granted(&params, authorization, proof.as_ref(), cx).await?;
            Ok(reply::private(StatusCode::OK, reply::JSON, answer.to_string()))
        }
        Api::Introspect => {
            let (params, headers) = (params(sent)?, guard::keyed(sent.headers)?);
            let request = dpop::Request { headers: &headers, ..sent.request };
            let nobody =
                !headers.contains_key(AUTHORIZATION) && ["client_id", "client_assertion"].iter().all(|name| params.find(name).is_none());
            match introspect::answered(&request, &params, cx).await {
                Err(refused) if nobody && refused.code() == ErrorCode::InvalidClient => Err(refused.hint(
                    "Say who asks: the token itself, or another credential of its agent, as Authorization: Bearer or X-Agent-Key; resource servers with their own key.",
                )),
                answer => Ok(reply::json(StatusCode::OK, &answer?)),
            }
        }
        Api::Revoke => {
            revoke::revoked(&*guard::keyed(sent.headers)?, &params(sent)?, cx).await?;
            Ok(reply::json(StatusCode::OK, &json!({})))
        }
        _ => {
            // Which ones there are is asked first, as for the document: some are made when they are first needed.
            discovery::jwks_name(cx).await?;
            Ok(reply::private(StatusCode::OK, reply::JSON, discovery::jwks(cx).await?))
        }
    }
}

/// What is granted for `params`, with the times that AgentAuth's clients look for.
///
/// # Errors
/// As at the token endpoint.
pub(in crate::http) async fn granted<P: Ports>(
    params: &Params,
    authorization: Option<Authorization>,
    proof: Option<&dpop::Proof>,
    cx: &Cx<'_, P>,
) -> Result<Value, Refused> {
    let asked = token::asked(params, authorization, cx)?.managed();
    let answer = token::granted(asked, proof, cx).await?;
    let unreadable = || Refused::new(ErrorCode::ServerError, "the token endpoint's answer is no JSON");
    if params.find("grant_type") == Some(CLIENT_CREDENTIALS)
        && let Some(key) = params.find("client_secret")
    {
        used(key, cx).await;
    }
    Ok(dated(serde_json::from_slice(&answer).map_err(|_| unreadable())?, cx))
}

/// The same without a refresh token.
///
/// # Errors
/// As at the token endpoint.
pub(in crate::http) async fn once<P: Ports>(params: &Params, cx: &Cx<'_, P>) -> Result<Value, Refused> {
    let answer = token::granted(token::asked(params, None, cx)?, None, cx).await?;
    let unreadable = || Refused::new(ErrorCode::ServerError, "the token endpoint's answer is no JSON");
    Ok(dated(serde_json::from_slice(&answer).map_err(|_| unreadable())?, cx))
}

/// With the times that AgentAuth's clients look for.
pub(in crate::http) fn dated<P>(mut answer: Value, cx: &Cx<'_, P>) -> Value {
    if let Some(life) = answer.get("expires_in").and_then(Value::as_u64) {
        let (now, life) = (cx.now.whole_seconds(), Ttl::from_seconds(life));
        let end = now.plus(life);
        merge(&mut answer, json!({ "issued_at": now.iso(), "expires_at": end.iso(), "refresh_before": end.minus(REFRESH_BUFFER).iso() }));
    }
    answer
}

/// Tells a caller how long its token lives, and when it should be renewed.
pub(in crate::http) fn advise<P>(active: &Active, response: &mut Response<Bytes>, cx: &Cx<'_, P>) {
    let Kind::AccessToken(claims) = &active.kind else { return };
    let Some(expires) = claims.expiration.map(Timestamp::from) else { return };
    let left = cx.now.until(expires);
    reply::set(response.headers_mut(), HeaderName::from_static("x-token-expires-in"), &left.whole_seconds().to_string());
    if left < ADVISED {
        reply::set(response.headers_mut(), HeaderName::from_static("x-token-refresh-advised"), "true");
    }
}

/// The parameters, as a form or as one JSON object, with AgentAuth's short forms written out.
fn params(sent: &Sent<'_>) -> Result<Params, Refused> {
    let sent = if media_type(sent.headers) == FORM { form(sent.headers, sent.body)? } else { from_json(sent)? };
    if sent.find("grant_type") != Some(EXCHANGE)
        && (sent.find("grant_type") != Some(TOKEN_EXCHANGE) || sent.find("subject_token_type").is_some())
    {
        return Ok(sent);
    }
    let mut pairs: Vec<(&str, &str)> = sent.iter().filter(|(name, _)| *name != "grant_type").collect();
    pairs.push(("grant_type", TOKEN_EXCHANGE));
    if sent.find("subject_token_type").is_none() {
        pairs.push(("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"));
    }
    of(&pairs)
}

fn from_json(sent: &Sent<'_>) -> Result<Params, Refused> {
    let fields: Map<String, Value> = crate::http::json::object(sent.headers, sent.body)?;
    let mut texts: Vec<(String, String)> = Vec::new();
    for (name, value) in fields {
        match value {
            Value::Null => {}
            Value::String(text) => texts.push((name, text)),
            _ => {
                return Err(Refused::new(ErrorCode::InvalidRequest, "a member that is no text")
                    .hint("Send every member as text; several scopes in one text, separated by spaces."));
            }
        }
    }
    let pairs: Vec<(&str, &str)> = texts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    of(&pairs)
}

/// Parameters that are known; empty ones are absent.
pub(in crate::http) fn of(pairs: &[(&str, &str)]) -> Result<Params, Refused> {
    let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    Ok(Params::parse(form.as_bytes())?)
}

/// The use of a key is noted elsewhere.
pub(in crate::http) fn noted<P>(agent: &RegistrationId, number: u32, cx: &Cx<'_, P>) {
    cx.memory.used.borrow_mut().insert(name(agent, number), cx.now);
}

fn name(agent: &RegistrationId, number: u32) -> String {
    format!("{agent} {number}")
}

/// Notes that a key was used, once a minute and isolate; a key works whether or not that can be noted.
async fn used<P: Ports>(key: &str, cx: &Cx<'_, P>) {
    let Some(key) = Presented::<ApiKey>::parse(&cx.config.api_key_prefix, key, &cx.config.masters) else { return };
    let agent = RegistrationId::from_digits(key.digits());
    let Some((_, Some(standing))) = cx.memory.standings.borrow().find(&Holder::Registration(agent.clone())) else { return };
    let Some(number) = standing.credentials.iter().find(|known| key.matches(&known.digest)).map(|known| known.id) else { return };
    let known = cx.memory.used.borrow().find(&name(&agent, number));
    if known.is_some_and(|noted| cx.now < noted.plus(NOTED_EVERY)) {
        return;
    }
    noted(&agent, number, cx);
    let account = standing.root(&agent).account();
    let what = What::Key { agent, number, ended: false };
    let command = Command::alone(what);
    if run(&account, command, cx).await.is_err() {
        cx.ports.warn("use_not_noted", "the account does not answer");
    }
}
