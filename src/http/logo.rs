//! `/logo` and `/logo/{n}`: the logos of the operator and of the providers, from our own origin, so that a page asks nobody else.

use std::rc::Rc;

use bytes::Bytes;
use http::header::CACHE_CONTROL;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use url::Url;

use super::refuse::Refused;
use super::reply;
use crate::config::trust::MOST_PROVIDERS;
use crate::cx::Cx;
use crate::oauth::error::ErrorCode;
use crate::store::Ports;
use crate::time::{Timestamp, Ttl};

/// Larger pictures are no logos.
const MOST: usize = 256 * 1024;
const PATIENCE: Ttl = Ttl::from_seconds(3);
/// A logo is asked for again after so long, a missing one too.
const FRESH: Ttl = Ttl::from_seconds(3600);

/// A picture, or none, and when it was asked for.
pub(crate) type Kept = (Timestamp, Option<Rc<Picture>>);

/// A picture.
pub(crate) struct Picture {
    content_type: &'static str,
    body: Bytes,
}

/// Which logo a path names: the operator's, or that of the provider with this place in the trust list, and after its longest those that
/// people sign in with.
pub(super) fn number(path: &str) -> Option<Option<usize>> {
    match path.strip_prefix("/logo")? {
        "" => Some(None),
        rest => rest.strip_prefix('/')?.parse().ok().map(Some),
    }
}

/// The picture from wherever the operator said it is.
pub(super) async fn serve<P: Ports>(which: Option<usize>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let url = match which {
        None => cx.config.service.logo.as_deref(),
        Some(index) => match index.checked_sub(MOST_PROVIDERS) {
            Some(index) => cx.config.upstreams.get(index).and_then(|upstream| upstream.logo.as_deref()),
            None => cx.config.providers.get(index).and_then(|provider| provider.logo.as_deref()),
        },
    };
    let missing = || Refused::new(ErrorCode::NotFound, "no such logo");
    let url = url.ok_or_else(missing)?;
    let known = cx.memory.logos.borrow().find(&url.to_owned()).filter(|(at, _)| cx.now < at.plus(FRESH));
    let picture = match known {
        Some((_, picture)) => picture,
        None => {
            let picture = fetch(url, cx).await.map(Rc::new);
            cx.memory.logos.borrow_mut().insert(url.to_owned(), (cx.now, picture.clone()));
            picture
        }
    };
    let picture = picture.ok_or_else(missing)?;
    let mut response = reply::plain(StatusCode::OK, picture.content_type, picture.body.clone());
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
    // A picture that is opened as a document runs nothing.
    let policy = HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; sandbox");
    headers.insert(HeaderName::from_static("content-security-policy"), policy);
    Ok(response)
}

async fn fetch<P: Ports>(url: &str, cx: &Cx<'_, P>) -> Option<Picture> {
    const TYPES: [&str; 5] = ["image/svg+xml", "image/png", "image/jpeg", "image/webp", "image/gif"];
    let url = Url::parse(url).ok()?;
    let fetched = cx.ports.fetch(&url, MOST, PATIENCE).await.ok().filter(|fetched| fetched.status == 200)?;
    let content_type =
        TYPES.into_iter().find(|known| fetched.content_type.split(';').next().is_some_and(|given| given.trim() == *known))?;
    Some(Picture { content_type, body: fetched.body })
}
