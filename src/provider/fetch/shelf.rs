//! Copies that outlive the isolate: in the directory, by the digest of their address.
//!
//! The first line says when the copy was fetched and until when it is fresh, in milliseconds since the Unix epoch; the document follows as it
//! came.

use std::rc::Rc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::Document;
use super::kept::{Copy, Kept};
use crate::cx::Cx;
use crate::store::Ports;
use crate::time::{Timestamp, Ttl};

/// A copy that has not changed is put there again after so long.
const AGAIN: Ttl = Ttl::from_seconds(3600);
/// What takes the place of a copy is gone after so long.
const EMPTY: Ttl = Ttl::from_seconds(60);
/// A copy nearby may be so old.
const NEARBY: Ttl = Ttl::from_seconds(60);

/// Remembers the copy in the directory, if there is one that still serves and this isolate has none by now.
pub(super) async fn restore<T: Document, P: Ports>(url: &str, cx: &Cx<'_, P>) {
    let written = cx.ports.read(&name(url), NEARBY).await.unwrap_or_else(|error| {
        cx.ports.warn("document_not_restored", &error.to_string());
        None
    });
    let Some((fetched, fresh_until, body)) = written.as_deref().and_then(parse) else { return };
    let Some(document) = T::read(body.as_bytes()) else { return };
    Kept::<T>::change(url, cx, |kept| {
        kept.shelved = Some((crc32fast::hash(body.as_bytes()), fetched));
        if kept.usable(cx.now).is_none() {
            kept.copy = Some(Copy { document: Rc::new(document), fetched, fresh_until });
        }
    });
}

/// Puts a copy there that was just fetched, unless the same is there already and not old.
pub(super) async fn put<T: Document, P: Ports>(url: &str, body: &[u8], fresh_until: Timestamp, cx: &Cx<'_, P>) {
    let sum = crc32fast::hash(body);
    let Ok(text) = std::str::from_utf8(body) else { return };
    if Kept::<T>::of(url, cx).shelved.is_some_and(|(known, since)| known == sum && cx.now < since.plus(AGAIN)) {
        return;
    }
    let value = format!("{} {}\n{text}", cx.now.millis(), fresh_until.millis());
    match cx.ports.publish(&name(url), &value, Some(T::SERVED)).await {
        Ok(()) => Kept::<T>::change(url, cx, |kept| kept.shelved = Some((sum, cx.now))),
        Err(error) => cx.ports.warn("document_not_kept", &error.to_string()),
    }
}

/// Nothing that serves is there from now on, if anything was.
pub(super) async fn clear<P: Ports>(url: &str, cx: &Cx<'_, P>) {
    let name = name(url);
    match cx.ports.read(&name, NEARBY).await {
        Ok(None) => return,
        Ok(Some(written)) if written.is_empty() => return,
        _ => {}
    }
    if let Err(error) = cx.ports.publish(&name, "", Some(EMPTY)).await {
        cx.ports.warn("document_not_cleared", &error.to_string());
    }
}

fn name(url: &str) -> String {
    format!("document/{}", URL_SAFE_NO_PAD.encode(Sha256::digest(url.as_bytes())))
}

fn parse(written: &str) -> Option<(Timestamp, Timestamp, &str)> {
    let (line, body) = written.split_once('\n')?;
    let (fetched, fresh_until) = line.split_once(' ')?;
    let at = |millis: &str| millis.parse().ok().map(Timestamp::from_millis);
    Some((at(fetched)?, at(fresh_until)?, body))
}
