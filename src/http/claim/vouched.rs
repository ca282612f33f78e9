//! Claim by ID-JAG: a provider vouches that an anonymous agent is its person's.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::json;

use super::{Body, Names, begin, claim_token, refusal_of};
use crate::cx::Cx;
use crate::entropy::random;
use crate::grant;
use crate::grant::claim::merge;
use crate::http::ceremony::Wanted;
use crate::http::refuse::Refused;
use crate::http::{register, reply};
use crate::id::RegistrationId;
use crate::machine::registration::claim::VouchedFor;
use crate::machine::registration::{Command, Outcome, Registration, Said};
use crate::machine::standing::Kind;
use crate::oauth::error::ErrorCode;
use crate::people;
use crate::secret::ClaimToken;
use crate::store::Ports;
use crate::verify;
use crate::vouch::{self, Match};

/// Claims at once if the subject is known or new, else after the matched person has confirmed. Whether there is anything to claim is
/// looked at before anybody is matched or made.
pub(super) async fn start<P: Ports>(body: &Body, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let token = claim_token::<ClaimToken, P>(body.claim_token.as_ref(), Names::V07, cx)?;
    let id = RegistrationId::from_digits(token.digits());
    let digests = || token.digests().to_vec();
    if let Outcome::Claim(refusal) = cx.ports.run::<Registration>(&id, Command::Claimable { token: digests() }).await? {
        return Err(refusal_of(refusal, Names::V07));
    }
    let vouched = register::verify(&body.assertion.clone().unwrap_or_default(), cx).await?;
    if vouched.resource.as_deref().is_some_and(|named| cx.config.resource(named).is_none()) {
        return Err(Refused::new(ErrorCode::InvalidAudience, "restricted to a foreign resource"));
    }
    let (tie, mut matched) = vouch::matched(&vouched, cx).await?;
    vouched.burn(cx).await.map_err(register::not_vouched)?;
    if let Match::Newcomer = matched {
        matched = vouch::welcome(&vouched, &tie, cx).await?;
    }
    vouch::attach(&id, &tie, cx).await?;
    match matched {
        Match::Known(person, _) => {
            let vouch = vouch::bind(&vouched, &tie, &person, &id, Said::default(), cx).await?;
            match cx.ports.run::<Registration>(&id, Command::ClaimVouched { token: digests(), vouch }).await? {
                Outcome::Standing(standing) => {
                    vouch::still_stands(&id, &tie, cx).await?;
                    if !people::introduce(&id, &person, cx).await? {
                        return Err(Refused::new(ErrorCode::AccessDenied, "the person is barred"));
                    }
                    verify::remember(&id, Some(std::rc::Rc::new(standing.clone())), cx);
                    let (assertion, expires) =
                        grant::identity_assertion_within(&id, &standing, vouched.within(), random(cx.entropy)?, cx.now, cx).await?;
                    let answer = json!({
                        "registration_id": id, "registration_type": Kind::IdentityAssertion.as_str(), "status": "claimed",
                        "identity_assertion": assertion, "assertion_expires": expires.iso(),
                        "id": id, "identity": { "assertion": assertion, "expires_at": expires.iso() },
                    });
                    Ok(reply::json(StatusCode::OK, &answer))
                }
                Outcome::Claim(refusal) => Err(refusal_of(refusal, Names::V07)),
                _ => Err(Refused::new(ErrorCode::TemporarilyUnavailable, "the registration did not take the provider's word")),
            }
        }
        Match::StepUp { person, email } => {
            let issuer = vouched.provider.issuer.clone();
            let wanted = Wanted {
                paths: cx.config.ambiguous_paths(),
                hint: Some(email.canonical()),
                vouched: Some(VouchedFor { link: tie.name.clone(), generation: tie.generation, issuer, person }),
                mailed: false,
            };
            let begun = begin(&id, &token, wanted, Names::V07, cx).await?;
            let mut answer = begun.shown(&id, Names::V07, cx);
            merge(&mut answer, json!({ "registration_type": Kind::IdentityAssertion.as_str() }));
            Ok(reply::json(StatusCode::OK, &answer))
        }
        Match::Newcomer => Err(Refused::new(ErrorCode::TemporarilyUnavailable, "nobody was made")),
    }
}
