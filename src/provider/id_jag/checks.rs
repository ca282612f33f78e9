//! The rules about single claims of an ID-JAG.

use serde_json::Value;

use super::InvalidIdJag;
use crate::config::Provider;
use crate::email::Address;
use crate::provider::claims::{Claims, Malformed};
use crate::time::Timestamp;

/// Clocks differ by so much, in seconds.
const SKEW: i64 = 60;
/// An assertion may hold for so long, in seconds.
const LONGEST_LIFE: i64 = 3600;

/// `exp`, `iat` and `nbf`.
pub(super) fn time(claims: &Claims, now: Timestamp) -> Result<Timestamp, InvalidIdJag> {
    let (expires, issued) = (claims.seconds("exp")?, claims.seconds("iat")?);
    let begins = claims.optional_seconds("nbf")?.unwrap_or(0);
    let now = now.seconds();
    let wrong = if expires <= now.saturating_sub(SKEW) {
        "it is over"
    } else if issued.max(begins) > now.saturating_add(SKEW) {
        "it lies in the future"
    } else if expires <= issued {
        "it ends before it begins"
    } else if expires.saturating_sub(issued) > LONGEST_LIFE {
        "it lasts too long"
    } else {
        return Ok(Timestamp::from_seconds(expires));
    };
    Err(InvalidIdJag::Time(wrong))
}

/// The address, if it is verified and lasting.
pub(super) fn email(claims: &Claims) -> Option<Address> {
    let verified = claims.text("email").filter(|_| claims.is_true("email_verified"))?;
    Address::parse(verified).filter(|address| !address.is_disposable())
}

/// The number, if it is verified: E.164, a plus sign and 7 to 15 digits.
pub(super) fn phone(claims: &Claims) -> Option<String> {
    let number = claims.text("phone_number").filter(|_| claims.is_true("phone_number_verified"))?;
    let digits = number.strip_prefix('+')?;
    let good = (7..=15).contains(&digits.len()) && !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit());
    good.then(|| number.to_owned())
}

/// `amr` (RFC 8176) and `auth_time` (OpenID Connect Core, section 2).
pub(super) fn sign_in(claims: &Claims, provider: &Provider, now: Timestamp) -> Result<(), InvalidIdJag> {
    let methods: Option<Vec<&str>> =
        claims.value("amr").and_then(Value::as_array).and_then(|methods| methods.iter().map(Value::as_str).collect());
    if !provider.required_amr.iter().all(|method| methods.as_ref().is_some_and(|methods| methods.contains(&method.as_str()))) {
        return Err(InvalidIdJag::WeakLogin);
    }
    let max_age = provider.max_auth_age;
    let oldest = now.seconds().saturating_sub(i64::try_from(max_age.seconds()).unwrap_or(i64::MAX)).saturating_sub(SKEW);
    match claims.seconds("auth_time") {
        Ok(at) if (oldest..=now.seconds().saturating_add(SKEW)).contains(&at) => Ok(()),
        _ => Err(InvalidIdJag::OldLogin { max_age }),
    }
}

/// Whoever binds an assertion to a key (RFC 7800, section 3.1) or to details of what is authorized (RFC 9396, section 2) relies on both being
/// looked at.
pub(super) fn processed(claims: &Claims) -> Result<(), InvalidIdJag> {
    match ["cnf", "authorization_details"].into_iter().find(|name| claims.has(name)) {
        Some(name) => Err(InvalidIdJag::Unprocessed(name)),
        None => Ok(()),
    }
}

/// One resource at most: a restriction that we do not understand must not get lost.
pub(super) fn resource(claims: &Claims) -> Result<Option<String>, Malformed> {
    match claims.value("resource") {
        None => Ok(None),
        Some(Value::String(resource)) => Ok(Some(resource.clone())),
        Some(Value::Array(resources)) => match resources.as_slice() {
            [Value::String(resource)] => Ok(Some(resource.clone())),
            _ => Err(Malformed("resource")),
        },
        Some(_) => Err(Malformed("resource")),
    }
}
