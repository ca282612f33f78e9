//! People who sign in somewhere else: what a provider says of them, checked. Here Postern is the relying party.
//!
//! Nothing is decided here: whose account it is, and whether an address may bring anybody, is the business of whoever asks.

pub mod code;
pub mod github;
pub mod id_token;
pub mod metadata;

use serde_json::Value;
use url::Url;

use crate::account::Arrival;
use crate::config::Upstream;
use crate::config::upstream::Kind;
use crate::cx::Cx;
use crate::email::{Address, cleaned};
use crate::provider::claims::{Claims, Malformed};
use crate::provider::fetch::Unreachable;
use crate::provider::guard::{self, Forbidden, NamedBy};
use crate::store::{Ask, OutboundError, Ports};
use crate::time::{Timestamp, Ttl};

/// Larger answers are not read.
const MOST: usize = 64 * 1024;
/// A browser waits for it.
const PATIENCE: Ttl = Ttl::from_seconds(5);

/// What a provider says of somebody.
#[derive(Debug)]
pub struct Said {
    /// Who it is there.
    pub arrival: Arrival,
    /// The address, if the provider's word for it counts: verified, and not of a throw-away service.
    pub address: Option<Address>,
    /// When they last proved it there, if the ID token says so.
    pub auth_time: Option<Timestamp>,
}

/// Why nobody knows who it is.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// The metadata cannot be had.
    #[error("the metadata: {0}")]
    Metadata(#[from] Unreachable),
    /// The metadata are not those of a provider of this issuer.
    #[error("the metadata: {0}")]
    Unfit(&'static str),
    /// An address that may not be asked.
    #[error("{0}: {1}")]
    Forbidden(&'static str, Forbidden),
    /// An address that is none.
    #[error("{0}: not a URL")]
    Address(&'static str),
    /// No answer.
    #[error("{0}: {1}")]
    Silent(&'static str, OutboundError),
    /// Another answer than 200 with a JSON object; with the error that it names.
    #[error("{0}: the answer is {1}")]
    Answer(&'static str, String),
    /// The ID token does not count.
    #[error("the ID token: {0}")]
    IdToken(#[from] id_token::InvalidIdToken),
    /// A member of the answer is missing or malformed.
    #[error("{0}: {1}")]
    Malformed(&'static str, Malformed),
    /// It is of somebody else.
    #[error("userinfo: the subject is another than the ID token's")]
    OtherSubject,
}

impl Failed {
    /// Whether trying again later may help.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Metadata(_) | Self::Silent(..))
    }
}

/// The provider of that issuer. One that is reached without TLS counts in development alone.
#[must_use]
pub fn find<'c, P>(issuer: &str, cx: &Cx<'c, P>) -> Option<&'c Upstream> {
    cx.config.upstreams.iter().find(|upstream| upstream.issuer == issuer && (cx.development || issuer.starts_with("https://")))
}

/// What the provider says of whoever it gave `granted` for.
///
/// # Errors
/// It says nothing, or nothing that counts.
pub async fn said<P: Ports>(upstream: &Upstream, granted: &code::Granted<'_>, cx: &Cx<'_, P>) -> Result<Said, Failed> {
    let metadata = metadata::of(upstream, cx).await?;
    let answer = code::exchange(upstream, &metadata, granted, cx).await?;
    let token = answer.text("access_token");
    if upstream.kind == Kind::GitHub {
        let token = token.ok_or(Failed::Malformed(code::NAME, Malformed("access_token")))?;
        return github::said(upstream, token, cx).await;
    }
    let id_token = answer.text("id_token").ok_or(Failed::Malformed(code::NAME, Malformed("id_token")))?;
    let expected = id_token::Expected { upstream, nonce: &granted.nonce, access_token: token, max_age: granted.max_age };
    let jwks_uri = metadata.jwks_uri.as_deref().ok_or(Failed::Unfit("no jwks_uri"))?;
    let claims = id_token::verify(id_token, jwks_uri, &expected, cx).await?;
    let subject = claims.identifier("sub").map_err(id_token::InvalidIdToken::from)?;
    // Most providers say all of it in the ID token, some only there.
    let more = match (&metadata.userinfo, token) {
        (Some(userinfo), Some(token)) if !claims.has("email") => Some(userinfo_of(userinfo, token, subject, cx).await?),
        _ => None,
    };
    // An address and whether it is verified are of one hand.
    let whose = more.as_ref().filter(|more| more.has("email")).unwrap_or(&claims);
    let email = whose.text("email");
    let counts =
        whose.is_true("email_verified") && (upstream.kind != Kind::Google || google_answers_for(email.unwrap_or_default(), &claims));
    let text = |name: &str| claims.text(name).or_else(|| more.as_ref()?.text(name));
    let auth_time = claims.optional_seconds("auth_time").map_err(id_token::InvalidIdToken::from)?.map(Timestamp::from_seconds);
    Ok(Said { auth_time, ..Said::new(upstream, subject, email, counts, (text("name"), text("picture"))) })
}

impl Said {
    fn new(upstream: &Upstream, subject: &str, email: Option<&str>, counts: bool, (name, picture): (Option<&str>, Option<&str>)) -> Self {
        let email = email.and_then(Address::parse);
        let name = name.map(cleaned).filter(|name| !name.is_empty());
        let is_picture = |picture: &&str| picture.len() <= 1024 && Url::parse(picture).is_ok_and(|url| url.scheme() == "https");
        let arrival = Arrival {
            issuer: upstream.issuer.clone(),
            subject: subject.to_owned(),
            email: email.as_ref().map(|email| email.as_str().to_owned()),
            name,
            picture: picture.filter(is_picture).map(str::to_owned),
        };
        Self { arrival, address: email.filter(|email| counts && !email.is_disposable()), auth_time: None }
    }
}

/// Google verifies every address once, but answers for those alone that it hosts: its own, and those of organisations that are there (`hd`).
fn google_answers_for(email: &str, claims: &Claims) -> bool {
    let domain = email.rsplit_once('@').map(|(_, domain)| domain.to_ascii_lowercase()).unwrap_or_default();
    domain == "gmail.com" || domain == "googlemail.com" || claims.text("hd").is_some_and(|hd| !hd.is_empty())
}

/// OpenID Connect Core, section 5.3: nothing in it counts unless the subject is the same.
async fn userinfo_of<P: Ports>(url: &str, token: &str, subject: &str, cx: &Cx<'_, P>) -> Result<Claims, Failed> {
    const NAME: &str = "userinfo";
    let bearer = format!("Bearer {token}");
    let claims = object(NAME, ask(NAME, url, Ask { headers: &[("authorization", &bearer)], content: None }, cx).await?)?;
    if claims.text("sub") == Some(subject) { Ok(claims) } else { Err(Failed::OtherSubject) }
}

/// Asks a provider; `name` is for the log.
async fn ask<P: Ports>(name: &'static str, url: &str, what: Ask<'_>, cx: &Cx<'_, P>) -> Result<Value, Failed> {
    let url = Url::parse(url).map_err(|_| Failed::Address(name))?;
    guard::permits(&url, NamedBy::Operator, cx.development).map_err(|forbidden| Failed::Forbidden(name, forbidden))?;
    let answer = cx.ports.ask(&url, what, MOST, PATIENCE).await.map_err(|error| Failed::Silent(name, error))?;
    let value: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    // GitHub answers 200 with an error in it.
    match (answer.status, value.get("error"), value.is_object() || value.is_array()) {
        (200, None, true) => Ok(value),
        (status, error, _) => Err(Failed::Answer(name, format!("{status} {}", plain(error.and_then(Value::as_str))))),
    }
}

/// An error code as it may stand in the log: RFC 6749, appendix A.7, and short.
fn plain(code: Option<&str>) -> &str {
    let is_plain = |code: &&str| code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    code.filter(is_plain).unwrap_or("without a readable error")
}

/// The error that a provider sends a browser back with, for the log.
#[must_use]
pub fn error_code(code: &str) -> &str {
    plain(Some(code))
}

/// The claims of an answer.
fn object(name: &'static str, value: Value) -> Result<Claims, Failed> {
    match value {
        Value::Object(members) => Ok(Claims(members)),
        _ => Err(Failed::Answer(name, "not an object".to_owned())),
    }
}
