//! What one isolate remembers of a document.

use std::rc::Rc;

use super::Document;
use crate::cx::Cx;
use crate::time::Timestamp;

/// What an isolate knows of one document.
pub struct Kept<T> {
    pub(super) copy: Option<Copy<T>>,
    pub(super) failed_until: Timestamp,
    /// No renewal before its time before then.
    pub(super) renewed_until: Timestamp,
    /// Somebody fetches it; not believed for longer, as a request may end before its time.
    pub(super) busy_until: Timestamp,
    /// What the directory has, as far as this isolate knows: a checksum, and since when.
    pub(super) shelved: Option<(u32, Timestamp)>,
}

pub(super) struct Copy<T> {
    pub(super) document: Rc<T>,
    pub(super) fetched: Timestamp,
    pub(super) fresh_until: Timestamp,
}

impl<T> Kept<T> {
    /// The copy that is kept, however old it is.
    pub fn document(&self) -> Option<Rc<T>> {
        self.copy.as_ref().map(|copy| copy.document.clone())
    }
}

impl<T: Document> Kept<T> {
    pub(super) fn of<P>(url: &str, cx: &Cx<'_, P>) -> Self {
        T::kept(cx.memory).borrow().find(&url.to_owned()).unwrap_or_default()
    }

    pub(super) fn change<P>(url: &str, cx: &Cx<'_, P>, change: impl FnOnce(&mut Self)) {
        let mut kept = Self::of(url, cx);
        change(&mut kept);
        T::kept(cx.memory).borrow_mut().insert(url.to_owned(), kept);
    }

    /// The copy, unless it is too old even for an outage.
    pub(super) fn usable(&self, now: Timestamp) -> Option<&Copy<T>> {
        self.copy.as_ref().filter(|copy| now < copy.fetched.plus(T::SERVED))
    }
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        let never = Timestamp::from_millis(0);
        Self { copy: None, failed_until: never, renewed_until: never, busy_until: never, shelved: None }
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
