//! Documents of providers: fetched when they are needed, by one request of an isolate at a time, and kept for a while.

use std::cell::RefCell;
use std::rc::Rc;

use url::Url;

use super::guard::{self, Forbidden, NamedBy};
use crate::cx::Cx;
use crate::memory::{Bounded, Memory};
use crate::store::{Fetched, OutboundError, Ports};
use crate::time::{Timestamp, Ttl};

/// A copy is fresh for as long as its `max-age` says, but at least so long,
pub const FLOOR: Ttl = Ttl::from_seconds(600);
/// and at most so long; a copy that cannot be renewed serves until then.
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
    /// Reads one; none if it is something else.
    fn read(body: &[u8]) -> Option<Self>;
    /// Where an isolate keeps them, by address.
    fn kept(memory: &Memory) -> &RefCell<Bounded<String, Kept<Self>>>;
}

/// What an isolate knows of one document.
pub struct Kept<T> {
    copy: Option<Copy<T>>,
    failed_until: Timestamp,
    /// No renewal before its time before then.
    renewed_until: Timestamp,
    /// Somebody fetches it; not believed for longer, as a request may end before its time.
    busy_until: Timestamp,
}

struct Copy<T> {
    document: Rc<T>,
    fetched: Timestamp,
    fresh_until: Timestamp,
}

/// A document, for one request.
pub struct Found<T> {
    /// The document.
    pub document: Rc<T>,
    /// It was fetched while this request waited, so a renewal would bring nothing new.
    pub is_new: bool,
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
}

/// The document at `url`: from memory while it is fresh, else from there, else an older copy of less than a day.
///
/// # Errors
/// There is none.
pub async fn current<T: Document, P: Ports>(url: &str, named_by: NamedBy, cx: &Cx<'_, P>) -> Result<Found<T>, Unreachable> {
    let mut waited = Ttl::from_seconds(0);
    loop {
        let kept = Kept::<T>::of(url, cx);
        let usable = kept.copy.filter(|copy| cx.now < copy.fetched.plus(CEILING));
        let is_fresh = usable.as_ref().is_some_and(|copy| cx.now < copy.fresh_until);
        let found = usable.map(|copy| Found { document: copy.document, is_new: waited > Ttl::from_seconds(0) });
        if is_fresh || cx.now < kept.failed_until {
            return found.ok_or(Unreachable::Recently);
        }
        if cx.now < kept.busy_until && waited < PATIENCE {
            // An older copy is good enough while another request fetches the new one.
            if let Some(found) = found {
                return Ok(found);
            }
            waited = pause(waited, cx).await;
            continue;
        }
        return match (fetch(url, named_by, cx).await, found) {
            (Ok(document), _) => Ok(Found { document, is_new: true }),
            (Err(_), Some(found)) => Ok(found),
            (Err(error), None) => Err(error),
        };
    }
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
    Kept::<T>::change(url, cx, |kept| {
        kept.busy_until = Timestamp::from_millis(0);
        match &answer {
            Ok((document, lifetime)) => {
                let fresh_until = cx.now.plus(*lifetime);
                kept.copy = Some(Copy { document: document.clone(), fetched: cx.now, fresh_until });
                kept.failed_until = Timestamp::from_millis(0);
            }
            Err(_) => kept.failed_until = cx.now.plus(RESPITE),
        }
    });
    answer.map(|(document, _)| document)
}

async fn ask<T: Document, P: Ports>(url: &str, named_by: NamedBy, cx: &Cx<'_, P>) -> Result<(Rc<T>, Ttl), Unreachable> {
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
    Ok((Rc::new(document), max_age.unwrap_or(FLOOR).clamp(FLOOR, CEILING)))
}

impl<T: Document> Kept<T> {
    fn of<P>(url: &str, cx: &Cx<'_, P>) -> Self {
        T::kept(cx.memory).borrow().find(&url.to_owned()).unwrap_or_default()
    }

    fn change<P>(url: &str, cx: &Cx<'_, P>, change: impl FnOnce(&mut Self)) {
        let mut kept = Self::of(url, cx);
        change(&mut kept);
        T::kept(cx.memory).borrow_mut().insert(url.to_owned(), kept);
    }
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        let never = Timestamp::from_millis(0);
        Self { copy: None, failed_until: never, renewed_until: never, busy_until: never }
    }
}

// Derived, they would ask the same of T.
impl<T> Clone for Kept<T> {
    fn clone(&self) -> Self {
        Self { copy: self.copy.clone(), ..*self }
    }
}

impl<T> Clone for Copy<T> {
    fn clone(&self) -> Self {
        Self { document: self.document.clone(), ..*self }
    }
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
