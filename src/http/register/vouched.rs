//! Registration with a provider's word (ID-JAG): at once if the subject is known, else after its person has confirmed.

use bytes::Bytes;
use http::Response;
use http::header::WWW_AUTHENTICATE;
use serde_json::{Value, json};

use super::Body;
use super::answer::{Answer, list};
use super::open::claim_token;
use super::v01::handles;
use crate::cx::Cx;
use crate::email::Address;
use crate::entropy::random;
use crate::grant::{self, claim::merge};
use crate::http::ceremony::{self, Attempt, Wanted};
use crate::http::limit::{self, Allowance, Whom};
use crate::http::prose;
use crate::http::refuse::{Refused, Surface};
use crate::id::AccountId;
use crate::jose::claims::Within;
use crate::machine::registration::claim::{ClaimRefusal, CredentialType, NewClaim, Paths, VouchedFor};
use crate::machine::registration::{Command, Outcome, Registration, Said};
use crate::machine::standing::{Kind, Standing};
use crate::mail;
use crate::oauth::error::ErrorCode;
use crate::people::Tie;
use crate::post;
use crate::provider::id_jag::{self, InvalidIdJag, Vouched};
use crate::secret::{ApiKey, Secret};
use crate::store::Ports;
use crate::vouch::{self, Match};

/// The dialect that is answered in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Newer,
    V01(CredentialType),
}

/// Registers.
pub(super) async fn register<P: Ports>(
    fields: &Body,
    assertion: &Value,
    dialect: Dialect,
    cx: &Cx<'_, P>,
) -> Result<Response<Bytes>, Refused> {
    let vouched = verify(assertion, cx).await?;
    if vouched.resource.as_deref().is_some_and(|named| cx.config.resource(named).is_none()) {
        return Err(Refused::new(ErrorCode::InvalidAudience, "restricted to a foreign resource"));
    }
    if dialect != Dialect::Newer && !vouched.within().is_all() {
        // Credentials of that dialect cannot be restricted.
        return Err(Refused::new(ErrorCode::UnsupportedCredentialType, "an ID-JAG with scope or resource, in v0.1")
            .hint("Present this ID-JAG at POST /agent/identity, or one without scope and resource here."));
    }
    let allowance = limit::take(None, Whom::Vouched, cx).await?;
    let (tie, mut matched) = vouch::matched(&vouched, cx).await?;
    // Everything that can be judged has been: from here on the assertion is used up.
    vouched.burn(cx).await.map_err(not_vouched)?;
    if let Match::Newcomer = matched {
        matched = vouch::welcome(&vouched, &tie, cx).await?;
    }
    let said = Said { email: None, agent: fields.said(None).agent.or_else(|| vouched.agent_platform.clone()) };
    match matched {
        Match::Known(person, known) => {
            let standing = vouch::let_in(&vouched, &tie, (&person, known), said, cx).await?;
            admitted(&tie, &standing, vouched.within(), dialect, allowance, cx).await
        }
        Match::StepUp { person, email } => step_up(&vouched, &tie, (person, email), said, dialect, allowance, cx).await,
        Match::Newcomer => Err(Refused::new(ErrorCode::TemporarilyUnavailable, "nobody was made")),
    }
}

/// Reads and judges an ID-JAG; nothing is used up.
pub(crate) async fn verify<'c, P: Ports>(assertion: &Value, cx: &Cx<'c, P>) -> Result<Vouched<'c>, Refused> {
    if !cx.config.identity_assertion {
        return Err(Refused::new(ErrorCode::IssuerNotEnabled, "no issuer is trusted"));
    }
    let Value::String(assertion) = assertion else {
        return Err(Refused::new(ErrorCode::InvalidRequest, "no assertion").hint("Send the ID-JAG as assertion, a string."));
    };
    id_jag::verify(assertion, cx).await.map_err(not_vouched)
}

/// With a challenge of its own where the cure is at the provider.
pub(crate) fn not_vouched(error: InvalidIdJag) -> Refused {
    let max_age = error.max_age();
    let refused = Refused::from(error);
    let Some(max_age) = max_age else { return refused };
    let code = ErrorCode::LoginRequired;
    let seconds = max_age.seconds();
    let challenge = format!("AgentAuth error=\"{}\", max_age=\"{seconds}\", error_description=\"{}\"", code.as_str(), code.description());
    refused.header(WWW_AUTHENTICATE, challenge).with(json!({ "max_age": seconds }))
}

/// The registration is somebody's: its identity, or its credential.
async fn admitted<P: Ports>(
    tie: &Tie,
    standing: &Standing,
    within: Within,
    dialect: Dialect,
    allowance: Option<Allowance>,
    cx: &Cx<'_, P>,
) -> Result<Response<Bytes>, Refused> {
    let id = &tie.registration;
    let Dialect::V01(credential) = dialect else {
        let (assertion, expires) = grant::identity_assertion_within(id, standing, within, random(cx.entropy)?, cx.now, cx).await?;
        let answer = Answer::new(id, Kind::IdentityAssertion.as_str(), cx).identity(&assertion, expires).granted();
        return Ok(super::shown(&answer.value(), allowance));
    };
    let mut body = json!({
        "registration_id": id, "registration_type": "agent-provider", "scopes": list(&cx.config.post_claim_scopes),
    });
    match credential {
        CredentialType::ApiKey => {
            let key = Secret::<ApiKey>::mint(&cx.config.api_key_prefix, id.digits(), random(cx.entropy)?, &cx.config.masters.current);
            let add = Command::AddKey { generation: standing.generation, key: (key.digest(), cx.config.ttls.api_key) };
            let Outcome::Standing(_) = cx.ports.run::<Registration>(id, add).await? else {
                return Err(Refused::new(ErrorCode::TemporarilyUnavailable, "the key was not taken"));
            };
            let expires = cx.config.ttls.api_key.and_then(|ttl| cx.now.plus(ttl).iso());
            merge(&mut body, json!({ "credential_type": "api_key", "credential": key.reveal(), "credential_expires": expires }));
        }
        CredentialType::AccessToken => {
            let token = grant::token_for(id, standing, cx).await?;
            let expires = cx.now.whole_seconds().plus(cx.config.ttls.access_token).iso();
            merge(
                &mut body,
                json!({ "credential_type": "access_token", "credential": token.access_token(), "credential_expires": expires }),
            );
        }
    }
    Ok(super::shown(&body, allowance))
}

/// The matched person must confirm. Nothing of theirs is told, not even the address.
async fn step_up<P: Ports>(
    vouched: &Vouched<'_>,
    tie: &Tie,
    (person, email): (AccountId, Address),
    said: Said,
    dialect: Dialect,
    allowance: Option<Allowance>,
    cx: &Cx<'_, P>,
) -> Result<Response<Bytes>, Refused> {
    if cx.config.mail.is_none() {
        return Err(Refused::new(ErrorCode::AccessDenied, "a person would have to confirm, and nobody can sign in here"));
    }
    let id = &tie.registration;
    vouch::attach(id, tie, cx).await?;
    let v01 = matches!(dialect, Dialect::V01(_));
    let issuer = vouched.provider.issuer.clone();
    let wanted = Wanted {
        paths: if v01 { Paths::Relay } else { cx.config.ambiguous_paths() },
        hint: Some(email.canonical()),
        vouched: Some(VouchedFor { link: tie.name.clone(), generation: tie.generation, issuer, person }),
        mailed: v01,
    };
    let attempt = ceremony::attempt(id, wanted, |_| random(cx.entropy), cx)?;
    let (token, digest) = claim_token(id, v01, random(cx.entropy)?, &cx.config.masters.current);
    let credential = match dialect {
        Dialect::V01(credential) => Some(credential),
        Dialect::Newer => None,
    };
    let allowed = if v01 { Some(post::allow(&email, None, cx).await?) } else { None };
    let claim =
        NewClaim { registration: id.clone(), token: digest, hint: Some(email.canonical()), credential, attempt: Some(attempt.new.clone()) };
    let step_up = Command::StepUp { ttl: cx.config.ttls.unclaimed, said: said.clone(), claim };
    match cx.ports.run::<Registration>(id, step_up).await? {
        Outcome::Opened(standing, _) => {
            vouch::still_stands(id, tie, cx).await?;
            if let Some(allowed) = allowed {
                let link = ceremony::mailed_uri(&attempt.token, cx);
                let message = mail::claim(&email, &cx.config.service.name, said.agent.as_deref(), &link, 10).map_err(prose::failed)?;
                post::send(message, allowed, cx).await?;
            }
            Ok(interaction(tie, &standing, &token, &attempt, v01, cx))
        }
        // The person confirmed an earlier request meanwhile.
        Outcome::Standing(standing) => admitted(tie, &standing, vouched.within(), dialect, allowance, cx).await,
        Outcome::Claim(ClaimRefusal::TooMany(wait)) => {
            Err(Refused::new(ErrorCode::RateLimited, "too many attempts of one subject").retry_after(wait))
        }
        _ => Err(Refused::new(ErrorCode::TemporarilyUnavailable, "the registration did not take the request")),
    }
}

fn interaction<P>(tie: &Tie, standing: &Standing, token: &str, attempt: &Attempt, v01: bool, cx: &Cx<'_, P>) -> Response<Bytes> {
    let code = ErrorCode::InteractionRequired;
    let more = if v01 {
        let mut more = json!({
            "registration_id": tie.registration, "registration_type": "id-jag-step-up",
            "post_claim_scopes": list(&cx.config.post_claim_scopes),
        });
        merge(&mut more, handles(token, standing.expires, cx));
        more
    } else {
        Answer::new(&tie.registration, Kind::IdentityAssertion.as_str(), cx)
            .ends(standing.expires)
            .scopes(false)
            .claim(Some(token), standing.expires, Some((attempt, cx.now)))
            .value()
    };
    let challenge = format!("AgentAuth error=\"{}\", error_description=\"{}\"", code.as_str(), code.description());
    let refused = Refused::new(code, "the matched person must confirm").header(WWW_AUTHENTICATE, challenge).with(more);
    refused.render(Surface::Agent, None, cx)
}
