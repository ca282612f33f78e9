//! `GET /status/{n}`: a status list token (draft-ietf-oauth-status-list, section 8).

use std::rc::Rc;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, VARY};
use http::{HeaderValue, Response, StatusCode};

use super::refuse::Refused;
use super::reply;
use crate::cx::Cx;
use crate::jose::claims::{STATUS_LIST, StatusListClaims};
use crate::jose::jws::Untrusted;
use crate::machine::status_index::{Command, Outcome, SHARDS, StatusIndex};
use crate::machine::status_list::{self, StatusList};
use crate::oauth::error::ErrorCode;
use crate::status;
use crate::store::Ports;
use crate::time::Ttl;

/// A published list is signed anew when it is older than this; it is good for twice as long.
const STALE: Ttl = Ttl::from_seconds(12 * 3600);

/// The list that a path names.
pub(super) fn number(path: &str) -> Option<u32> {
    let digits = path.strip_prefix("/status/")?;
    let number: u32 = digits.parse().ok()?;
    // One spelling per list: no sign, no leading zero.
    (number.to_string() == digits).then_some(number)
}

/// Serves the published list; one that nobody has asked for before is published first.
pub(super) async fn serve<P: Ports>(list: u32, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let known = cx.memory.lists.borrow().find(&list);
    let token = match known {
        Some((at, token)) if cx.now < at.plus(status::COPY) => token,
        _ => {
            let token: Rc<str> = find(list, cx).await?.into();
            cx.memory.lists.borrow_mut().insert(list, (cx.now, token.clone()));
            token
        }
    };
    let mut response = reply::plain(StatusCode::OK, "application/statuslist+jwt", token.as_bytes().to_vec());
    let headers = response.headers_mut();
    reply::set(headers, CACHE_CONTROL, &format!("public, max-age={}", status::COPY.seconds()));
    headers.insert(VARY, HeaderValue::from_static("Accept"));
    Ok(response)
}

async fn find<P: Ports>(list: u32, cx: &Cx<'_, P>) -> Result<String, Refused> {
    let published = cx.ports.read(&status::name(list), crate::keys::NEARBY).await?;
    if let Some(token) = published
        && is_fresh(&token, cx).await
    {
        return Ok(token);
    }
    let shard = list % SHARDS;
    let Outcome::Live(expires) = cx.ports.run::<StatusIndex>(&shard, Command::Look { shard, list }).await? else {
        return Err(Refused::new(ErrorCode::NotFound, "no such status list"));
    };
    let bits = cx.ports.run::<StatusList>(&list, status_list::Command::Publish { list, expires }).await?;
    Ok(status::sign(list, &status_list::bytes(&bits), expires, cx).await?)
}

/// Whether a published list is young and signed by a key that still verifies.
async fn is_fresh<P: Ports>(token: &str, cx: &Cx<'_, P>) -> bool {
    let (Ok(untrusted), Ok(set)) = (Untrusted::parse(token), crate::keys::current(cx).await) else { return false };
    let Some(key) = set.verifier(untrusted.unverified_key_id().unwrap_or_default(), cx.now) else { return false };
    let Ok(verified) = untrusted.verify::<StatusListClaims>(STATUS_LIST, &key.jwk, cx.ports).await else { return false };
    verified.claims.issued_at.is_some_and(|at| cx.now < crate::time::Timestamp::from(at).plus(STALE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_per_list() {
        assert_eq!(number("/status/0"), Some(0));
        assert_eq!(number("/status/4294967295"), Some(u32::MAX));
        for path in ["/status/", "/status/01", "/status/+1", "/status/-1", "/status/4294967296", "/status/1/", "/status/x"] {
            assert_eq!(number(path), None, "{path}");
        }
    }
}
