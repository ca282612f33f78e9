//! What a request must be before anybody asks who sends it: from a page that may, to the name that is ours, by a client that takes JSON.

use http::HeaderMap;
use http::header::{ACCEPT, HOST, ORIGIN};
use url::Url;

use crate::config::reader::is_loopback;
use crate::cx::Cx;
use crate::http::refuse::Refused;
use crate::oauth::error::ErrorCode;

/// A page elsewhere must not talk to us through somebody's browser, nor by a name that it has made to lead here (DNS rebinding).
///
/// # Errors
/// 403: the origin is neither ours nor loopback nor on the list, or the host neither the issuer's nor loopback.
pub(super) fn check<P>(headers: &HeaderMap, cx: &Cx<'_, P>) -> Result<(), Refused> {
    origin(headers, cx)?;
    let Some(value) = headers.get(HOST) else { return Ok(()) };
    let host = value.to_str().ok().and_then(|host| Url::parse(&format!("{}://{host}", scheme(&cx.config.issuer))).ok());
    let ours = |host: &Url| is_loopback(host) || host.origin().ascii_serialization() == cx.config.issuer;
    if host.is_some_and(|host| ours(&host)) {
        Ok(())
    } else {
        Err(Refused::new(ErrorCode::OriginNotAllowed, "foreign host").hint("Ask the host that the resource's metadata names."))
    }
}

/// Whether the client takes JSON (RFC 9110, section 12.5.1): all that we answer with.
pub(super) fn takes_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(ACCEPT) else { return true };
    value.to_str().unwrap_or_default().split(',').any(|range| {
        let (name, parameters) = range.split_once(';').unwrap_or((range, ""));
        let known = ["application/json", "application/*", "*/*"].iter().any(|known| name.trim().eq_ignore_ascii_case(known));
        let weight = parameters.split(';').find_map(|parameter| parameter.trim().strip_prefix("q="));
        known && weight.is_none_or(|weight| weight.trim().parse::<f32>().is_ok_and(|weight| weight > 0.0))
    })
}

fn origin<P>(headers: &HeaderMap, cx: &Cx<'_, P>) -> Result<(), Refused> {
    let Some(value) = headers.get(ORIGIN) else { return Ok(()) };
    let origin = value.to_str().unwrap_or_default();
    let listed = cx.config.allowed_origins.iter().any(|allowed| allowed == "*" || allowed == origin);
    let local = Url::parse(origin).is_ok_and(|url| is_loopback(&url) && url.origin().ascii_serialization() == origin);
    if origin == cx.config.issuer || listed || local { Ok(()) } else { Err(Refused::new(ErrorCode::OriginNotAllowed, "foreign origin")) }
}

fn scheme(issuer: &str) -> &str {
    issuer.split_once("://").map_or("https", |(scheme, _)| scheme)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_client_takes_json_unless_it_says_otherwise() {
        let takes = |accept: &'static str| takes_json(&[(ACCEPT, HeaderValue::from_static(accept))].into_iter().collect());
        assert!(takes_json(&HeaderMap::new()));
        for accept in ["application/json, text/event-stream", "*/*", "text/html;q=1, Application/JSON;q=0.1", "application/*"] {
            assert!(takes(accept), "{accept}");
        }
        for accept in ["text/event-stream", "application/json;q=0", "application/jsonx", "application/json;q=x", ""] {
            assert!(!takes(accept), "{accept}");
        }
    }
}
