//! Registration without a browser: `POST /agent/identity` (auth.md, newest and AuthKit) and `POST /agent/auth` (v0.1).

use std::rc::Rc;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::refuse::Refused;
use super::{json, limit, reply};
use crate::cx::Cx;
use crate::email;
use crate::entropy::random;
use crate::grant;
use crate::id::RegistrationId;
use crate::machine::registration::{Command, Outcome, Registration, Said};
use crate::machine::standing::Standing;
use crate::oauth::error::{ErrorCode, Refusal};
use crate::oauth::scope::GrantedScope;
use crate::secret::{ApiKey, Digest, Secret};
use crate::store::Ports;
use crate::time::Ttl;
use crate::verify;

/// For how long an idempotent request may be repeated.
const REPEATABLE: Ttl = Ttl::from_seconds(600);

/// The fields of all dialects; each path reads its own.
#[derive(Deserialize)]
struct Body {
    #[serde(rename = "type")]
    typ: Option<String>,
    identity_type: Option<String>,
    requested_credential_type: Option<String>,
    email: Option<Value>,
    agent: Option<Value>,
}

/// `POST /agent/identity`
pub(super) async fn identity<P: Ports>(headers: &HeaderMap, body: &[u8], cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let dialects = cx.config.dialects;
    if !dialects.v07 && !dialects.authkit {
        return Err(Refused::new(ErrorCode::NotFound, "the dialects of this path are off"));
    }
    let fields: Body = json::object(headers, body)?;
    anonymous(&fields, cx)?;
    let mut seed = Seed::new("identity", headers, body, cx)?;
    let (registration, standing, allowance) = open(&mut seed, None, Said::default(), cx).await?;
    let (assertion, assertion_expires) = grant::identity_assertion(&registration, &standing, seed.jti, cx).await?;

    let expires = assertion_expires.iso();
    let (pre, post) = (scopes(&cx.config.pre_claim_scopes), scopes(&cx.config.post_claim_scopes));
    let mut answer = Map::new();
    let mut add = |value: Value| {
        if let Value::Object(fields) = value {
            answer.extend(fields);
        }
    };
    add(json!({ "registration_expires": standing.expires.iso() }));
    if dialects.v07 {
        add(json!({
            "registration_id": registration, "registration_type": "anonymous",
            "identity_assertion": assertion, "assertion_expires": expires,
            "pre_claim_scopes": pre, "post_claim_scopes": post,
        }));
    }
    if dialects.authkit {
        add(json!({
            "id": registration, "type": "anonymous",
            "identity": { "assertion": assertion, "expires_at": expires },
            "scopes": { "pre_claim": pre, "post_claim": post },
        }));
    }
    Ok(shown(&Value::Object(answer), allowance))
}

/// `POST /agent/auth` and `POST /api/agent/auth`
pub(super) async fn v01<P: Ports>(headers: &HeaderMap, body: &[u8], cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    if !cx.config.dialects.v01 {
        return Err(Refused::new(ErrorCode::NotFound, "auth.md v0.1 is off")
            .hint("Register at the identity_endpoint of the authorization server metadata: POST /agent/identity."));
    }
    let fields: Body = json::object(headers, body)?;
    anonymous(&fields, cx)?;
    match fields.requested_credential_type.as_deref() {
        Some("api_key") => {}
        Some("access_token") => {
            return Err(Refused::new(ErrorCode::UnsupportedCredentialType, "access_token for an anonymous registration"));
        }
        _ => {
            return Err(Refused::new(ErrorCode::InvalidRequest, "no known requested_credential_type")
                .hint("Send requested_credential_type \"api_key\"."));
        }
    }
    let said =
        Said { email: fields.email.map(contact).transpose()?, agent: fields.agent.as_ref().and_then(Value::as_str).map(email::cleaned) };
    let mut seed = Seed::new("v01", headers, body, cx)?;
    let key = Secret::<ApiKey>::mint(&cx.config.api_key_prefix, seed.registration.digits(), seed.key, &cx.config.masters.current);
    let (registration, standing, allowance) = open(&mut seed, Some(key.digest()), said, cx).await?;

    let expires = standing.credentials.first().map_or(standing.expires, |credential| credential.expires.min(standing.expires));
    let answer = json!({
        "registration_id": registration, "registration_type": "anonymous",
        "credential_type": "api_key", "credential": key.reveal(), "credential_expires": expires.iso(),
        "scopes": scopes(&cx.config.pre_claim_scopes),
        "pre_claim_scopes": scopes(&cx.config.pre_claim_scopes), "post_claim_scopes": scopes(&cx.config.post_claim_scopes),
    });
    Ok(shown(&answer, allowance))
}

/// Where identifier and key of a registration come from: from the request if it may be repeated, else from chance.
struct Seed {
    registration: RegistrationId,
    key: [u8; 32],
    jti: [u8; 16],
    /// The digest of the request, if it may be repeated.
    request: Option<String>,
}

impl Seed {
    fn new<P>(path: &str, headers: &HeaderMap, body: &[u8], cx: &Cx<'_, P>) -> Result<Self, Refused> {
        let Some(value) = headers.get("idempotency-key") else {
            let random = Self {
                registration: RegistrationId::from_bytes(random(cx.entropy)?),
                key: random(cx.entropy)?,
                jti: random(cx.entropy)?,
                request: None,
            };
            return Ok(random);
        };
        let value = value.as_bytes();
        if !(16..=255).contains(&value.len()) || !value.iter().all(|byte| (0x21..0x7f).contains(byte)) {
            return Err(Refused::new(ErrorCode::InvalidRequest, "unusable Idempotency-Key")
                .hint("Send an Idempotency-Key of 16 to 255 visible ASCII characters that nobody can guess."));
        }
        // The network is part of it: the same key from elsewhere is another key.
        let network = cx.origin.as_ref().map_or("", |origin| origin.narrow.as_str()).as_bytes();
        let derive = |label: &str| cx.config.masters.current.idempotent(label, &[network, value, path.as_bytes(), body]);
        let address = first(cx.config.masters.current.idempotent("address", &[network, value]));
        Ok(Self {
            registration: RegistrationId::from_bytes(address),
            key: derive("key"),
            jti: first(derive("jti")),
            request: Some(crate::master::hex(&derive("request"))),
        })
    }
}

fn first(bytes: [u8; 32]) -> [u8; 16] {
    std::array::from_fn(|index| bytes.get(index).copied().unwrap_or_default())
}

impl Refusal for crate::entropy::EntropyError {
    fn code(&self) -> ErrorCode {
        ErrorCode::TemporarilyUnavailable
    }
}

impl Refusal for crate::store::StoreError {
    fn code(&self) -> ErrorCode {
        ErrorCode::TemporarilyUnavailable
    }
}

/// Only after all of the request is known to be good: a repeat is recognised before the limit is asked.
async fn open<P: Ports>(
    seed: &mut Seed,
    key: Option<Digest>,
    said: Said,
    cx: &Cx<'_, P>,
) -> Result<(RegistrationId, Rc<Standing>, Option<limit::Allowance>), Refused> {
    let id = seed.registration.clone();
    if let Some(request) = seed.request.clone()
        && let Some(standing) = opened(cx.ports.run::<Registration>(&id, Command::Recall { request }).await?)?
    {
        return Ok((id, Rc::new(standing), None));
    }
    let allowance = limit::take(cx).await?;
    let command = Command::Open {
        ttl: cx.config.ttls.unclaimed,
        key: key.map(|digest| (digest, cx.config.ttls.api_key)),
        said,
        idempotency: seed.request.take().map(|request| (request, REPEATABLE)),
    };
    let standing = opened(cx.ports.run::<Registration>(&id, command).await?)?;
    let standing = Rc::new(standing.ok_or_else(|| Refused::new(ErrorCode::TemporarilyUnavailable, "the registration was not opened"))?);
    verify::remember(&id, Some(standing.clone()), cx);
    Ok((id, standing, allowance))
}

fn opened(outcome: Outcome) -> Result<Option<Standing>, Refused> {
    match outcome {
        Outcome::Standing(standing) | Outcome::Issue(standing, _) => Ok(Some(standing)),
        Outcome::Unknown => Ok(None),
        Outcome::Conflict | Outcome::Refused => Err(Refused::new(ErrorCode::IdempotencyKeyReused, "the Idempotency-Key is taken")),
    }
}

/// Whether an anonymous registration is asked for, and allowed.
fn anonymous<P>(fields: &Body, cx: &Cx<'_, P>) -> Result<(), Refused> {
    let typ = match (&fields.typ, &fields.identity_type) {
        (Some(one), Some(other)) if one != other => {
            return Err(Refused::new(ErrorCode::InvalidRequest, "type and identity_type differ").hint("Send type alone."));
        }
        (Some(typ), _) | (None, Some(typ)) => typ.as_str(),
        (None, None) => return Err(Refused::new(ErrorCode::InvalidRequest, "no type").hint("Send type \"anonymous\".")),
    };
    match typ {
        "anonymous" if cx.config.anonymous => Ok(()),
        "anonymous" => Err(Refused::new(ErrorCode::AnonymousNotEnabled, "anonymous registration is off")),
        "service_auth" => Err(Refused::new(ErrorCode::ServiceAuthNotEnabled, "service_auth is off")),
        "identity_assertion" => Err(Refused::new(ErrorCode::IssuerNotEnabled, "no issuer is trusted")),
        _ => Err(Refused::new(ErrorCode::InvalidRequest, "unknown type")
            .hint("Send a type of identity_types_supported in the authorization server metadata.")),
    }
}

/// A contact that nobody has verified.
fn contact(value: Value) -> Result<String, Refused> {
    let Value::String(text) = value else { return Err(Refused::new(ErrorCode::InvalidEmail, "email is not a string")) };
    let address = email::Address::parse(&text).ok_or_else(|| Refused::new(ErrorCode::InvalidEmail, "not an address"))?;
    if address.is_disposable() {
        return Err(Refused::new(ErrorCode::DisposableEmail, "a disposable domain"));
    }
    Ok(address.into_string())
}

fn scopes(scope: &GrantedScope) -> Vec<&str> {
    scope.as_scope().iter().collect()
}

fn shown(answer: &Value, allowance: Option<limit::Allowance>) -> Response<Bytes> {
    let mut response = reply::json(StatusCode::OK, answer);
    if let Some(allowance) = allowance {
        allowance.show(&mut response);
    }
    response
}
