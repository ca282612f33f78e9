//! Documents of providers: fetched when they are needed, by one request of an isolate at a time, and kept for a while.

mod kept;
mod shelf;

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use url::Url;

use super::guard::{self, Forbidden, NamedBy};
use crate::cx::Cx;
use crate::machine::quota::{Command, Quota};
use crate::memory::{Bounded, Memory};
use crate::store::{Fetched, OutboundError, Ports};
use crate::time::{Timestamp, Ttl};

use kept::Copy;
pub use kept::Kept;

/// A copy is fresh for as long as its `max-age` says, but as a rule at least so long,
pub const FLOOR: Ttl = Ttl::from_seconds(600);
/// and at most so long; as a rule a copy that cannot be renewed serves until then.
pub const CEILING: Ttl = Ttl::from_seconds(86400);
/// After a failure, and after a renewal before its time, nothing is fetched from there for so long.
pub const RESPITE: Ttl = Ttl::from_seconds(60);
/// An answer has to be here by then.
const PATIENCE: Ttl = Ttl::from_seconds(3);
/// So often a request looks whether what another one fetches is here.
const STEP: Ttl = Ttl::from_millis(50);

/// A kind of document.
pub trait Document: Sized + 'static {
    /// The largest one that is read, in bytes.
    const MOST: usize;
    /// How long a copy is fresh at least, and if nothing is said of it.
    const FRESH: (Ttl, Ttl) = (FLOOR, FLOOR);
    /// For so long after it was fetched a copy serves while it cannot be renewed.
    const SERVED: Ttl = CEILING;
    /// The last good copy outlives the isolate: it is kept in the directory as well.
    const DURABLE: bool = false;
    /// Whoever takes it down has taken it back: an answer of 404 or 410 ends the copy, unless one comes with us.
    const WITHDRAWN: bool = false;
    /// How many of which we know nothing may be fetched in an hour at a stranger's word, if that is limited.
    const RATION: Option<Ration> = None;
    /// Reads one; none if it is something else.
    fn read(body: &[u8]) -> Option<Self>;
    /// A copy that comes with us, for when there is no other.
    fn pinned(_url: &str) -> Option<Self> {
        None
    }
    /// Where an isolate keeps them, by address.
    fn kept(memory: &Memory) -> &RefCell<Bounded<String, Kept<Self>>>;
}

/// How much is fetched in an hour, and kept, because of requests whose senders decide what it is.
pub struct Ration {
    /// Names the counters.
    pub name: &'static str,
    /// From one IPv4 address or IPv6 /64; ten times that from the IPv4 /24 or IPv6 /48 around it.
    pub network: u32,
    /// In the whole deployment.
    pub deployment: u32,
}

/// A document, for one request.
pub struct Found<T> {
    /// The document.
    pub document: Rc<T>,
    /// It was fetched while this request waited, so a renewal would bring nothing new.
    pub is_new: bool,
    /// It should have been renewed by now, but cannot be.
    pub is_stale: bool,
}

/// There is no document to be had, now and for a minute.
#[derive(Debug, thiserror::Error)]
pub enum Unreachable {
    /// The address may not be fetched.
    #[error("not fetched: {0}")]
    Forbidden(#[from] Forbidden),
    /// No URL at all.
    #[error("not fetched: not a URL")]
    Address,
    /// No answer.
    #[error(transparent)]
    Outbound(#[from] OutboundError),
    /// An answer, but not 200: a redirect is one of these.
    #[error("the answer's status is {0}")]
    Status(u16),
    /// A 200 with something else.
    #[error("the answer is not the document that it should be")]
    Content,
    /// It failed less than a minute ago.
    #[error("it failed a short while ago")]
    Recently,
    /// The network has had its share.
    #[error("the network has asked for too many")]
    TooMany(Ttl),
}

/// The document at `url`: from memory or the directory while it is fresh, else from there, else an older copy that still serves, else the one
/// that comes with us.
///
/// # Errors
/// There is none.
pub async fn current<T: Document, P: Ports>(url: &str, named_by: NamedBy, cx: &Cx<'_, P>) -> Result<Found<T>, Unreachable> {
    let mut waited = Ttl::from_seconds(0);
    let mut restored = !T::DURABLE;
    loop {
        let kept = Kept::<T>::of(url, cx);
        let found = kept.usable(cx.now).map(|copy| Found {
            document: copy.document.clone(),
            is_new: waited > Ttl::from_seconds(0),
            is_stale: copy.fresh_until <= cx.now,
        });
        if found.as_ref().is_some_and(|found| !found.is_stale) || cx.now < kept.failed_until {
            return found.ok_or(Unreachable::Recently);
        }
        if found.is_none() && !restored {
            restored = true;
            shelf::restore::<T, P>(url, cx).await;
            continue;
        }
        if cx.now < kept.busy_until && waited < PATIENCE {
            // An older copy is good enough while another request fetches the new one.
            if let Some(found) = found {
                return Ok(found);
            }
            waited = pause(waited, cx).await;
            continue;
        }
        if found.is_none() {
            ration::<T, P>(url, named_by, cx).await?;
        }
        return match fetch::<T, P>(url, named_by, cx).await {
            Ok(document) => Ok(Found { document, is_new: true, is_stale: false }),
            Err(error) => {
                let older = Kept::<T>::of(url, cx).usable(cx.now).map(|copy| copy.document.clone());
                older.map(|document| Found { document, is_new: false, is_stale: true }).ok_or(error)
            }
        };
    }
}

/// Counts a document of which nothing is known here, not even from an earlier time. A lost counter lets it pass: what it guards is volume.
async fn ration<T: Document, P: Ports>(url: &str, named_by: NamedBy, cx: &Cx<'_, P>) -> Result<(), Unreachable> {
    let (Some(ration), Some(origin)) = (T::RATION, &cx.origin) else { return Ok(()) };
    if named_by == NamedBy::Operator || T::pinned(url).is_some() {
        return Ok(());
    }
    let name = ration.name;
    // The nearest first: whoever has had their share uses up nothing of the others'.
    for (quota, most) in [
        (format!("{name}-network/{}", origin.narrow), ration.network),
        (format!("{name}-network-wide/{}", origin.network), ration.network.saturating_mul(10)),
        (format!("{name}-deployment"), ration.deployment),
    ] {
        let take = Command::Take { most: vec![(most, Ttl::from_seconds(3600))], request: None };
        match cx.ports.run::<Quota>(&quota, take).await {
            Ok(None) => {}
            Ok(Some(wait)) => return Err(Unreachable::TooMany(wait)),
            Err(error) => cx.ports.warn("quota_lost", &error.to_string()),
        }
    }
    Ok(())
}

/// A newer document than `known`, before the time of that is over; none if there cannot be one yet.
///
/// # Errors
/// It cannot be fetched, so nobody knows.
pub async fn renewed<T: Document, P: Ports>(
    url: &str,
    known: &Rc<T>,
    named_by: NamedBy,
    cx: &Cx<'_, P>,
) -> Result<Option<Rc<T>>, Unreachable> {
    let mut waited = Ttl::from_seconds(0);
    loop {
        let kept = Kept::<T>::of(url, cx);
        if let Some(copy) = kept.copy.filter(|copy| !Rc::ptr_eq(&copy.document, known)) {
            return Ok(Some(copy.document));
        }
        if cx.now < kept.failed_until {
            return Err(Unreachable::Recently);
        }
        if cx.now < kept.busy_until && waited < PATIENCE {
            waited = pause(waited, cx).await;
            continue;
        }
        if cx.now < kept.renewed_until {
            return Ok(None);
        }
        Kept::<T>::change(url, cx, |kept| kept.renewed_until = cx.now.plus(RESPITE));
        return fetch(url, named_by, cx).await.map(Some);
    }
}

/// The document at `url` is of no use: it is fetched again soon, whatever its `max-age` says.
pub fn doubt<T: Document, P>(url: &str, cx: &Cx<'_, P>) {
    Kept::<T>::change(url, cx, |kept| {
        if let Some(copy) = &mut kept.copy {
            copy.fresh_until = copy.fresh_until.min(copy.fetched.plus(RESPITE));
        }
    });
}

/// `max-age` of a `Cache-Control` header (RFC 9111, section 5.2.2.1).
#[must_use]
pub fn max_age(cache_control: &str) -> Option<Ttl> {
    cache_control.split(',').find_map(|directive| {
        let (name, seconds) = directive.split_once('=')?;
        let seconds = seconds.trim().trim_matches('"').parse().ok()?;
        name.trim().eq_ignore_ascii_case("max-age").then(|| Ttl::from_seconds(seconds))
    })
}

async fn pause<P: Ports>(waited: Ttl, cx: &Cx<'_, P>) -> Ttl {
    cx.ports.pause(STEP).await;
    Ttl::from_millis(waited.millis().saturating_add(STEP.millis()))
}

/// Fetches, and notes what came of it.
async fn fetch<T: Document, P: Ports>(url: &str, named_by: NamedBy, cx: &Cx<'_, P>) -> Result<Rc<T>, Unreachable> {
    Kept::<T>::change(url, cx, |kept| kept.busy_until = cx.now.plus(PATIENCE).plus(Ttl::from_seconds(1)));
    let answer = ask::<T, P>(url, named_by, cx).await;
    if let Err(error) = &answer {
        cx.ports.warn("document_unreachable", &format!("{url}: {error}"));
    }
    let is_withdrawn = T::WITHDRAWN && matches!(&answer, Err(Unreachable::Status(404 | 410))) && T::pinned(url).is_none();
    Kept::<T>::change(url, cx, |kept| {
        kept.busy_until = Timestamp::from_millis(0);
        match &answer {
            Ok(Answer { document, lifetime, .. }) => {
                let fresh_until = cx.now.plus(*lifetime);
                kept.copy = Some(Copy { document: document.clone(), fetched: cx.now, fresh_until });
                kept.failed_until = Timestamp::from_millis(0);
            }
            Err(_) => {
                kept.failed_until = cx.now.plus(RESPITE);
                if is_withdrawn {
                    (kept.copy, kept.shelved) = (None, None);
                }
                if kept.usable(cx.now).is_none() {
                    // Never fresh, so that it gives way as soon as there is another.
                    kept.copy = T::pinned(url).map(|document| Copy { document: Rc::new(document), fetched: cx.now, fresh_until: cx.now });
                }
            }
        }
    });
    if is_withdrawn && T::DURABLE {
        shelf::clear::<P>(url, cx).await;
    }
    let answer = answer?;
    if T::DURABLE {
        shelf::put::<T, P>(url, &answer.body, cx.now.plus(answer.lifetime), cx).await;
    }
    Ok(answer.document)
}

struct Answer<T> {
    document: Rc<T>,
    lifetime: Ttl,
    body: Bytes,
}

async fn ask<T: Document, P: Ports>(url: &str, named_by: NamedBy, cx: &Cx<'_, P>) -> Result<Answer<T>, Unreachable> {
    let url = Url::parse(url).map_err(|_| Unreachable::Address)?;
    guard::permits(&url, named_by, cx.development)?;
    let Fetched { status, content_type, max_age, body } = cx.ports.fetch(&url, T::MOST, PATIENCE).await?;
    if status != 200 {
        return Err(Unreachable::Status(status));
    }
    // Key sets come as application/jwk-set+json, application/json, or as a file of no certain type; a page is none of them.
    if content_type.to_ascii_lowercase().contains("html") || body.len() > T::MOST {
        return Err(Unreachable::Content);
    }
    let document = T::read(&body).ok_or(Unreachable::Content)?;
    let (least, usual) = T::FRESH;
    Ok(Answer { document: Rc::new(document), lifetime: max_age.unwrap_or(usual).clamp(least, CEILING), body })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn max_age_is_found_among_other_directives() {
        for (header, seconds) in [
            ("max-age=600", Some(600)),
            ("public, Max-Age=\"3600\", must-revalidate", Some(3600)),
            ("s-maxage=5,max-age = 7", Some(7)),
            ("no-store", None),
            ("s-maxage=5", None),
            ("max-age=-1", None),
            ("max-age=1.5", None),
            ("max-age", None),
            ("", None),
            ("max-age=18446744073709551615", Some(u64::MAX / 1000 + 1)),
        ] {
            assert_eq!(max_age(header).map(Ttl::seconds), seconds, "{header}");
        }
    }
}
