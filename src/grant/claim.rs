//! `urn:workos:agent-auth:grant-type:claim`: the agent polls until its person has confirmed (auth.md), and what a claim brings then.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{Authorized, Denied, admit, identity_assertion, issue};
use crate::config::Resource;
use crate::cx::Cx;
use crate::dpop;
use crate::entropy::random;
use crate::id::{Holder, RegistrationId};
use crate::machine::registration::claim::{ClaimRefusal, CredentialType, Path};
use crate::machine::registration::{Command, Outcome, Proof, Registration};
use crate::machine::standing::Standing;
use crate::oauth::scope::Scope;
use crate::people;
use crate::refresh::Token;
use crate::secret::{ApiKey, ClaimToken, Digest, Presented, Purpose, Secret};
use crate::store::Ports;
use crate::time::Timestamp;
use crate::verify;

/// What claim tokens begin with.
pub const CLAIM_TOKEN: &str = "clm";

/// Why a claim brings nothing, or not yet.
#[derive(Debug, thiserror::Error)]
pub enum NotDelivered {
    /// The ceremony says no.
    #[error("{0}")]
    Claim(ClaimRefusal),
    /// Nobody has confirmed yet.
    #[error("nobody has confirmed yet")]
    Pending,
    /// The agent polls too often.
    #[error("polled too often")]
    SlowDown,
    /// The person who confirmed is barred, or gone.
    #[error("the person is barred")]
    Barred,
    /// Tokens could not be made.
    #[error(transparent)]
    Denied(#[from] Denied),
}

impl From<crate::store::StoreError> for NotDelivered {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Denied(error.into())
    }
}

/// One poll: the answer, ready to be sent.
pub(super) async fn poll<P: Ports>(
    token: &str,
    resource: Option<&Resource>,
    scope: Option<Scope>,
    proof: Option<&dpop::Proof>,
    cx: &Cx<'_, P>,
) -> Result<Vec<u8>, NotDelivered> {
    let token = Presented::<ClaimToken>::parse(CLAIM_TOKEN, token, &cx.config.masters).ok_or(NotDelivered::Claim(ClaimRefusal::Unknown))?;
    let resource = resource.ok_or(Denied::Resource)?;
    dpop::burn(proof, cx).await.map_err(Denied::from)?;
    let id = RegistrationId::from_digits(token.digits());
    let outcome = cx.ports.run::<Registration>(&id, Command::Poll { token: token.digests().to_vec() }).await?;
    deliver(&id, &token, Wanted::Poll { resource, scope, proof }, outcome, cx).await
}

/// In which words the agent gets what it has waited for.
pub enum Wanted<'c> {
    /// As the answer of a poll: with an access token.
    Poll {
        /// What that is for.
        resource: &'c Resource,
        /// What it may carry.
        scope: Option<Scope>,
        /// Of the key that it is to be bound to.
        proof: Option<&'c dpop::Proof>,
    },
    /// As AuthKit's completion.
    Complete,
    /// As that of auth.md v0.1.
    CompleteV01,
}

impl Wanted<'_> {
    const fn path(&self) -> Path {
        match self {
            Self::Poll { .. } => Path::Typed,
            Self::Complete | Self::CompleteV01 => Path::Relay,
        }
    }
}

/// From what the registration said to what the agent gets: made once, sealed for whoever holds the claim token, repeated byte for
/// byte for a while.
///
/// # Errors
/// Nothing is delivered.
pub async fn deliver<S: Purpose, P: Ports>(
    id: &RegistrationId,
    token: &Presented<S>,
    wanted: Wanted<'_>,
    outcome: Outcome,
    cx: &Cx<'_, P>,
) -> Result<Vec<u8>, NotDelivered> {
    let (standing, owner, credential, family) = match outcome {
        Outcome::Ready { standing, owner, credential, family } => (standing, owner, credential, family),
        Outcome::Delivered(sealed) => return open(&sealed, token, cx).await,
        Outcome::Pending => return Err(NotDelivered::Pending),
        Outcome::SlowDown => return Err(NotDelivered::SlowDown),
        Outcome::Claim(refusal) => return Err(NotDelivered::Claim(refusal)),
        _ => return Err(NotDelivered::Claim(ClaimRefusal::Unknown)),
    };
    // Much may have happened since the person confirmed.
    if !people::introduce(id, &owner, cx).await? {
        return Err(NotDelivered::Barred);
    }
    verify::remember(id, Some(std::rc::Rc::new(standing.clone())), cx);
    let path = wanted.path();
    let made = make(id, &standing, wanted, credential, family, cx).await?;
    let sealed = cx.ports.seal(&token.sealing_key(), &made.body).await.map_err(|error| Denied::Keys(error.into()))?;
    let deliver = Command::Deliver {
        token: token.digests().to_vec(),
        path,
        generation: standing.generation,
        sealed: URL_SAFE_NO_PAD.encode(sealed),
        assertion: made.jti,
        refresh: made.refresh.map(|token| (family, token.digest())),
        key: made.key.map(|digest| (digest, cx.config.ttls.api_key)),
    };
    match cx.ports.run::<Registration>(id, deliver).await? {
        // A copy of this request may have been faster: then its answer counts, and ours was never given.
        Outcome::Delivered(sealed) => open(&sealed, token, cx).await,
        Outcome::Claim(refusal) => Err(NotDelivered::Claim(refusal)),
        _ => Err(NotDelivered::Claim(ClaimRefusal::Unknown)),
    }
}

async fn open<S: Purpose, P: Ports>(sealed: &str, token: &Presented<S>, cx: &Cx<'_, P>) -> Result<Vec<u8>, NotDelivered> {
    let sealed = URL_SAFE_NO_PAD.decode(sealed).unwrap_or_default();
    let opened = cx.ports.open(&token.sealing_key(), &sealed).await.map_err(|error| Denied::Keys(error.into()))?;
    opened.ok_or(NotDelivered::Claim(ClaimRefusal::Delivered))
}

/// What is delivered, before it counts.
struct Made {
    body: Vec<u8>,
    jti: String,
    refresh: Option<Token>,
    key: Option<Digest>,
}

async fn make<P: Ports>(
    id: &RegistrationId,
    standing: &Standing,
    wanted: Wanted<'_>,
    credential: Option<CredentialType>,
    family: u32,
    cx: &Cx<'_, P>,
) -> Result<Made, Denied> {
    let Wanted::CompleteV01 = wanted else {
        let jti: [u8; 16] = random(cx.entropy)?;
        let (assertion, expires) = identity_assertion(id, standing, jti, cx.now, cx).await?;
        let refresh = Token::first(id, family, random(cx.entropy)?, &cx.config.masters.current);
        let mut body = identity(id, &assertion, expires, &refresh, cx);
        if let Wanted::Poll { resource, scope, proof } = wanted {
            let token = access_token(id, standing, resource, scope, proof, cx).await?;
            merge(&mut body, json!(token));
        } else {
            merge(&mut body, json!({ "status": "claimed" }));
        }
        let body = body.to_string().into_bytes();
        return Ok(Made { body, jti: URL_SAFE_NO_PAD.encode(jti), refresh: Some(refresh), key: None });
    };
    let scopes: Vec<&str> = cx.config.entitled(true).as_scope().iter().collect();
    let mut body = json!({ "registration_id": id, "status": "claimed", "scopes": scopes });
    if let Some(CredentialType::AccessToken) = credential {
        let resource = cx.config.default_resource().ok_or(Denied::Resource)?;
        let token = access_token(id, standing, resource, None, None, cx).await?;
        let expires = cx.now.whole_seconds().plus(cx.config.ttls.access_token);
        let credential =
            json!({ "credential_type": "access_token", "credential": token.access_token(), "credential_expires": expires.iso() });
        merge(&mut body, credential);
        return Ok(Made { body: body.to_string().into_bytes(), jti: String::new(), refresh: None, key: None });
    }
    let key = Secret::<ApiKey>::mint(&cx.config.api_key_prefix, id.digits(), random(cx.entropy)?, &cx.config.masters.current);
    let kept = key.digest();
    let expires = cx.config.ttls.api_key.and_then(|ttl| cx.now.plus(ttl).iso());
    merge(&mut body, json!({ "credential_type": "api_key", "credential": key.reveal(), "credential_expires": expires }));
    Ok(Made { body: body.to_string().into_bytes(), jti: String::new(), refresh: None, key: Some(kept) })
}

pub(super) async fn access_token<P: Ports>(
    id: &RegistrationId,
    standing: &Standing,
    resource: &Resource,
    scope: Option<Scope>,
    proof: Option<&dpop::Proof>,
    cx: &Cx<'_, P>,
) -> Result<super::TokenResponse, Denied> {
    let shown = || Proof::Assertion { generation: standing.generation, jti: None };
    let admitted = admit(id, shown, cx).await?.ok_or_else(|| Denied::Holder(Holder::Registration(id.clone())))?;
    issue(Authorized::within(id, admitted, resource, scope, cx)?.bound(proof), cx).await
}

/// An identity in the words of all dialects that are on.
pub fn identity<P>(id: &RegistrationId, assertion: &str, expires: Timestamp, refresh: &Token, cx: &Cx<'_, P>) -> Value {
    let refresh = json!({ "value": refresh.text(), "expires_at": cx.now.plus(crate::machine::family::LIFE).iso() });
    let mut body = json!({});
    if cx.config.dialects.v07 {
        merge(&mut body, json!({ "registration_id": id, "identity_assertion": assertion, "assertion_expires": expires.iso() }));
    }
    merge(&mut body, json!({ "id": id, "identity": { "assertion": assertion, "expires_at": expires.iso(), "refresh_token": refresh } }));
    body
}

/// Adds the members of `more` to `body`.
pub(crate) fn merge(body: &mut Value, more: Value) {
    if let (Value::Object(body), Value::Object(more)) = (body, more) {
        body.extend(more);
    }
}
