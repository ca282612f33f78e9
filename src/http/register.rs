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
use crate::secret::{ApiKey, Secret};
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
    assertion_type: Option<String>,
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
    let seed = Seed::new("identity", headers, body, cx)?;
    let Opened { standing, made, allowance } = open(&seed, false, Said::default(), cx).await?;
    let registration = seed.registration;
    let (assertion, assertion_expires) = grant::identity_assertion(&registration, &standing, made.jti, cx).await?;

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
    let seed = Seed::new("v01", headers, body, cx)?;
    let Opened { standing, made, allowance } = open(&seed, true, said, cx).await?;
    let registration = seed.registration;
    let key = secret(&registration, made.key, cx);
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
    request: Option<Repeatable>,
}

/// A request that may be repeated.
struct Repeatable {
    /// Network, key, path and body, as one secret of 256 bits.
    scope: [u8; 32],
    /// What the record keeps of them.
    digest: String,
}

/// What a registration is made of.
struct Made {
    key: [u8; 32],
    jti: [u8; 16],
}

impl Seed {
    fn new<P>(path: &str, headers: &HeaderMap, body: &[u8], cx: &Cx<'_, P>) -> Result<Self, Refused> {
        let Some(value) = headers.get("idempotency-key") else {
            return Ok(Self { registration: RegistrationId::from_bytes(random(cx.entropy)?), request: None });
        };
        let value = value.as_bytes();
        if !(16..=255).contains(&value.len()) || !value.iter().all(|byte| (0x21..0x7f).contains(byte)) {
            return Err(Refused::new(ErrorCode::InvalidRequest, "unusable Idempotency-Key")
                .hint("Send an Idempotency-Key of 16 to 255 visible ASCII characters that nobody can guess."));
        }
        // The network is part of it: the same key from elsewhere is another key.
        let network = cx.origin.as_ref().map_or("", |origin| origin.narrow.as_str()).as_bytes();
        let derive = |label: &str, parts: &[&[u8]]| cx.config.masters.current.idempotent(label, parts);
        let scope = derive("scope", &[network, value, path.as_bytes(), body]);
        let registration = RegistrationId::from_bytes(first(derive("address", &[network, value])));
        Ok(Self { registration, request: Some(Repeatable { scope, digest: crate::master::hex(&derive("digest", &[&scope])) }) })
    }

    /// The same for the same request and salt: what was lost on the way can be made again, and nothing of it is stored.
    fn make<P>(&self, salt: &str, cx: &Cx<'_, P>) -> Result<Made, Refused> {
        let Some(request) = &self.request else { return Ok(Made { key: random(cx.entropy)?, jti: random(cx.entropy)? }) };
        let derive = |label: &str| cx.config.masters.current.idempotent(label, &[&request.scope, salt.as_bytes()]);
        Ok(Made { key: derive("key"), jti: first(derive("jti")) })
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

/// A registration that is open.
struct Opened {
    standing: Rc<Standing>,
    made: Made,
    allowance: Option<limit::Allowance>,
}

/// Only after all of the request is known to be good: a repeat is recognised before the limit is asked.
async fn open<P: Ports>(seed: &Seed, with_key: bool, said: Said, cx: &Cx<'_, P>) -> Result<Opened, Refused> {
    let id = &seed.registration;
    if let Some(request) = &seed.request
        && let Outcome::Opened(standing, salt) =
            settled(cx.ports.run::<Registration>(id, Command::Recall { request: request.digest.clone() }).await?)?
    {
        return Ok(Opened { standing: Rc::new(standing), made: seed.make(&salt, cx)?, allowance: None });
    }
    let digest = seed.request.as_ref().map(|request| request.digest.clone());
    let allowance = limit::take(digest.clone(), cx).await?;
    let salt = crate::master::hex(&random::<16>(cx.entropy)?);
    let made = seed.make(&salt, cx)?;
    let key = with_key.then(|| (secret(id, made.key, cx).digest(), cx.config.ttls.api_key));
    let idempotency = digest.map(|digest| (digest, salt, REPEATABLE));
    let command = Command::Open { ttl: cx.config.ttls.unclaimed, key, said, idempotency };
    let (standing, made) = match settled(cx.ports.run::<Registration>(id, command).await?)? {
        Outcome::Standing(standing) => (standing, made),
        // A copy of this request may have been faster: then its salt counts.
        Outcome::Opened(standing, salt) => (standing, seed.make(&salt, cx)?),
        _ => return Err(Refused::new(ErrorCode::TemporarilyUnavailable, "the registration was not opened")),
    };
    let standing = Rc::new(standing);
    verify::remember(id, Some(standing.clone()), cx);
    Ok(Opened { standing, made, allowance })
}

fn secret<P>(registration: &RegistrationId, key: [u8; 32], cx: &Cx<'_, P>) -> Secret<ApiKey> {
    Secret::mint(&cx.config.api_key_prefix, registration.digits(), key, &cx.config.masters.current)
}

fn settled(outcome: Outcome) -> Result<Outcome, Refused> {
    match outcome {
        Outcome::Conflict => Err(Refused::new(ErrorCode::IdempotencyKeyReused, "the Idempotency-Key is taken")),
        outcome => Ok(outcome),
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
        "service_auth" => Err(service_auth_off()),
        // The older spelling of the same.
        "identity_assertion" if fields.assertion_type.as_deref() == Some("verified_email") => Err(service_auth_off()),
        "identity_assertion" => Err(Refused::new(ErrorCode::IssuerNotEnabled, "no issuer is trusted")),
        _ => Err(Refused::new(ErrorCode::InvalidRequest, "unknown type")
            .hint("Send a type of identity_types_supported in the authorization server metadata.")),
    }
}

fn service_auth_off() -> Refused {
    Refused::new(ErrorCode::ServiceAuthNotEnabled, "service_auth is off")
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
