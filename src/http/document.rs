//! What anyone may read, and keep for a while.

use std::rc::Rc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use sha2::{Digest, Sha256};

use super::refuse::Refused;
use super::{discovery, home, openapi, prose, reply};
use crate::config::Theme;
use crate::cx::Cx;
use crate::oauth::error::ErrorCode;
use crate::store::Ports;
use crate::time::Ttl;

/// The documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Document<'p> {
    Home,
    Style,
    Script,
    Icon,
    AuthMd,
    Llms,
    Robots,
    SecurityTxt,
    /// RFC 9728, for our resource with this path; the empty path stands for the default resource.
    ProtectedResource(&'p str),
    /// RFC 8414, also under the path of a resource of ours.
    AuthorizationServer(&'p str),
    /// OpenID Connect Discovery: the same, for clients that look for this.
    OpenidConfiguration(&'p str),
    Jwks,
    AgentConfiguration,
    /// OpenAPI.
    Description,
    /// The same as a page.
    Documentation,
    DocumentationScript,
}

/// A document as it is sent.
#[derive(Clone)]
pub(crate) struct Prepared {
    content_type: &'static str,
    body: Bytes,
    cache: &'static str,
    etag: HeaderValue,
}

/// The answer may be given to all who ask for the same path, whatever else they send, for so long.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Its `ETag`.
    pub etag: String,
    /// How long.
    pub ttl: Ttl,
    /// What 304 says of it to whoever has it (RFC 9110, section 15.4.5).
    pub unchanged: HeaderMap,
}

/// Which keys there are is asked again after so long; other documents stay what they are as long as the configuration.
const MOMENT: Ttl = Ttl::from_seconds(1);
const LONG: Ttl = Ttl::from_seconds(24 * 60 * 60);
/// Scripts.
const SCRIPT: &str = "text/javascript; charset=utf-8";
/// Discovery documents change with the configuration only.
const MINUTES: &str = "public, max-age=300";

impl<'p> Document<'p> {
    /// The document at `path`. Well-known documents are served at the root, inserted before a resource's path (RFC
    /// 8414, section 3.1; RFC 9728, section 3.1) and, as some clients ask, appended to it.
    pub(super) fn of(path: &'p str) -> Option<Self> {
        match path {
            "/" => return Some(Self::Home),
            "/style.css" => return Some(Self::Style),
            "/passkey.js" => return Some(Self::Script),
            "/icon.svg" | "/favicon.ico" => return Some(Self::Icon),
            "/auth.md" => return Some(Self::AuthMd),
            "/llms.txt" => return Some(Self::Llms),
            "/robots.txt" => return Some(Self::Robots),
            "/openapi.json" => return Some(Self::Description),
            "/docs" => return Some(Self::Documentation),
            "/docs.js" => return Some(Self::DocumentationScript),
            _ => {}
        }
        let (appended, rest) = path.split_once("/.well-known/")?;
        let (name, inserted) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let suffix = match (appended, inserted) {
            ("", suffix) | (suffix, "") => suffix,
            _ => return None,
        };
        match (name, suffix) {
            ("oauth-protected-resource", _) => Some(Self::ProtectedResource(suffix)),
            ("oauth-authorization-server", _) => Some(Self::AuthorizationServer(suffix)),
            ("openid-configuration", _) => Some(Self::OpenidConfiguration(suffix)),
            ("jwks.json", "") => Some(Self::Jwks),
            ("agent-configuration", "") => Some(Self::AgentConfiguration),
            ("security.txt", "") => Some(Self::SecurityTxt),
            _ => None,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Home => "home",
            Self::Style => "style",
            Self::Script => "script",
            Self::Icon => "icon",
            Self::AuthMd => "auth_md",
            Self::Llms => "llms_txt",
            Self::Robots => "robots_txt",
            Self::SecurityTxt => "security_txt",
            Self::ProtectedResource(_) => "protected_resource",
            Self::AuthorizationServer(_) => "authorization_server",
            Self::OpenidConfiguration(_) => "openid_configuration",
            Self::Jwks => "jwks",
            Self::AgentConfiguration => "agent_configuration",
            Self::Description => "openapi",
            Self::Documentation => "docs",
            Self::DocumentationScript => "docs_script",
        }
    }

    async fn prepare<P: Ports>(self, cx: &Cx<'_, P>) -> Result<Prepared, Refused> {
        let unknown = || Refused::new(ErrorCode::NotFound, "no resource of ours has that path");
        let json = |value: serde_json::Value| Prepared::new(reply::JSON, MINUTES, serde_json::to_vec(&value).unwrap_or_default());
        Ok(match self {
            Self::Home => Prepared::new("text/html; charset=utf-8", MINUTES, home::page(cx)?),
            Self::Style => Prepared::new("text/css; charset=utf-8", MINUTES, themed(&cx.config.theme)),
            Self::Script => Prepared::new(SCRIPT, MINUTES, &include_bytes!("../../static/passkey.js")[..]),
            Self::Icon => Prepared::new("image/svg+xml", "public, max-age=86400", &include_bytes!("../../static/icon.svg")[..]),
            Self::AuthMd => Prepared::new("text/markdown; charset=utf-8", MINUTES, prose::auth_md(cx)?),
            Self::Llms => Prepared::new("text/plain; charset=utf-8", MINUTES, prose::llms(cx)?),
            Self::Robots => Prepared::new("text/plain; charset=utf-8", MINUTES, "User-agent: *\nAllow: /\n"),
            Self::SecurityTxt => Prepared::new("text/plain; charset=utf-8", MINUTES, prose::security_txt(cx)),
            Self::ProtectedResource(path) => json(discovery::protected_resource(path, cx).ok_or_else(unknown)?),
            Self::AuthorizationServer(path) => json(discovery::authorization_server(path, cx).ok_or_else(unknown)?),
            Self::OpenidConfiguration(path) => json(discovery::openid_configuration(path, cx).await.ok_or_else(unknown)?),
            Self::Jwks => Prepared::new(reply::JSON, "public, max-age=10", discovery::jwks(cx).await?),
            Self::AgentConfiguration => json(discovery::agent_configuration(cx)),
            Self::Description => Prepared::new(reply::JSON, MINUTES, openapi::description()),
            Self::Documentation => Prepared::new("text/html; charset=utf-8", MINUTES, &include_bytes!("../../static/docs.html")[..]),
            Self::DocumentationScript => Prepared::new(SCRIPT, MINUTES, &include_bytes!("../../static/docs.js")[..]),
        })
    }

    /// What a browser may do with it, if it is a page.
    const fn page_headers(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Home => &home::HEADERS,
            Self::Documentation => &openapi::PAGE_HEADERS,
            _ => &[],
        }
    }

    /// Whether it stays the same under the same name.
    const fn is_fixed(self) -> bool {
        !matches!(self, Self::SecurityTxt)
    }
}

impl Prepared {
    fn new(content_type: &'static str, cache: &'static str, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        let digest = Sha256::digest(&body);
        let etag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(digest.get(..12).unwrap_or_default()));
        let etag = HeaderValue::from_str(&etag).unwrap_or(HeaderValue::from_static("\"\""));
        Self { content_type, body, cache, etag }
    }
}

/// The style sheet, with the operator's colours at its end.
fn themed(theme: &Theme) -> String {
    let rule = |color: &str, paper: &str| {
        // Black or white on it, whichever can be read; and where it cannot be read on the page itself, links have the colour of the text.
        let on = if contrast(color, "#000000") > contrast(color, "#ffffff") { "#000000" } else { "#ffffff" };
        let link = if contrast(color, paper) < READABLE { "var(--ink)" } else { color };
        format!(":root {{ --accent: {color}; --on-accent: {on}; --link: {link}; }}\n")
    };
    let mut style = include_str!("../../static/style.css").to_owned();
    if let Some(color) = &theme.color {
        style.push_str(&rule(color, PAPER.0));
    }
    if let Some(color) = theme.color_dark.as_ref().or(theme.color.as_ref()) {
        style.push_str(&format!("@media (prefers-color-scheme: dark) {{ {} }}\n", rule(color, PAPER.1).trim()));
    }
    style
}

/// The colour of the page, light and dark, as the style sheet has it.
const PAPER: (&str, &str) = ("#fbfaf7", "#16171a");
/// Text needs so much contrast (WCAG 2.2, success criterion 1.4.3).
const READABLE: f64 = 4.5;

/// The contrast of two colours `#rrggbb`, 1 to 21 (WCAG 2.2, contrast ratio).
fn contrast(one: &str, other: &str) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

fn luminance(color: &str) -> f64 {
    let part =
        |at: usize| color.get(at..at + 2).and_then(|hex| u8::from_str_radix(hex, 16).ok()).map_or(0.0, |value| f64::from(value) / 255.0);
    let linear = |value: f64| if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) };
    0.2126 * linear(part(1)) + 0.7152 * linear(part(3)) + 0.0722 * linear(part(5))
}

/// Sends a document, or 304 to whoever has it (RFC 9110, section 13.1.2).
pub(super) async fn serve<P: Ports>(document: Document<'_>, headers: &HeaderMap, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let key = match document {
        // Which keys are shown changes with the set and with time.
        Document::Jwks => discovery::jwks_name(cx).await?,
        _ => format!("{document:?}"),
    };
    let kept = cx.memory.documents.borrow().find(&key);
    let prepared = match kept {
        Some(prepared) => prepared,
        None => {
            let prepared = Rc::new(document.prepare(cx).await?);
            if document.is_fixed() {
                cx.memory.documents.borrow_mut().insert(key, prepared.clone());
            }
            prepared
        }
    };
    let mut response = send(&prepared, document.page_headers(), headers);
    // Steps of a client that is traced are written down, so they have to come here.
    if response.status() == StatusCode::OK && document.is_fixed() && !cx.config.trace {
        let unchanged = send(&prepared, document.page_headers(), &HeaderMap::from_iter([(IF_NONE_MATCH, prepared.etag.clone())]));
        let mut unchanged = unchanged.into_parts().0.headers;
        reply::open_to_browsers(&mut unchanged);
        let ttl = if document == Document::Jwks { MOMENT } else { LONG };
        response.extensions_mut().insert(Kept { etag: prepared.etag.to_str().unwrap_or_default().to_owned(), ttl, unchanged });
    }
    Ok(response)
}

/// The answer for what has been prepared.
fn send(prepared: &Prepared, more: &[(&'static str, &'static str)], headers: &HeaderMap) -> Response<Bytes> {
    let unchanged = matches(headers, &prepared.etag);
    let mut response = if unchanged {
        reply::empty(StatusCode::NOT_MODIFIED)
    } else {
        reply::plain(StatusCode::OK, prepared.content_type, prepared.body.clone())
    };
    let answer = response.headers_mut();
    answer.insert(ETAG, prepared.etag.clone());
    answer.insert(CACHE_CONTROL, HeaderValue::from_static(prepared.cache));
    for (name, value) in more {
        answer.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

fn matches(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    let Some(wanted) = headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok()) else { return false };
    let mine = etag.to_str().unwrap_or_default();
    wanted.trim() == "*" || wanted.split(',').any(|known| known.trim().trim_start_matches("W/") == mine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colour_of_the_operator_s_can_be_read() {
        assert!((contrast("#000000", "#ffffff") - 21.0).abs() < 0.01 && (contrast("#777777", "#777777") - 1.0).abs() < 0.01);
        let style = |light: &str, dark: Option<&str>| themed(&Theme { color: Some(light.to_owned()), color_dark: dark.map(str::to_owned) });
        assert!(style("#ffcc00", None).contains("--accent: #ffcc00; --on-accent: #000000; --link: var(--ink);"));
        assert!(style("#7a3e12", Some("#e8a36b")).contains("--accent: #7a3e12; --on-accent: #ffffff; --link: #7a3e12;"));
        assert!(style("#7a3e12", Some("#e8a36b")).contains("dark) { :root { --accent: #e8a36b;"));
        let sheet = include_str!("../../static/style.css");
        assert!(sheet.contains(PAPER.0) && sheet.contains(PAPER.1));
    }

    #[test]
    fn every_form_of_a_well_known_path() {
        for (path, document) in [
            ("/.well-known/oauth-protected-resource", Document::ProtectedResource("")),
            ("/.well-known/oauth-protected-resource/mcp", Document::ProtectedResource("/mcp")),
            ("/mcp/.well-known/oauth-protected-resource", Document::ProtectedResource("/mcp")),
            ("/.well-known/oauth-authorization-server/api/v1", Document::AuthorizationServer("/api/v1")),
        ] {
            assert_eq!(Document::of(path), Some(document), "{path}");
        }
        for path in [
            "/.well-known/",
            "/.well-known/x",
            "/mcp/.well-known/oauth-protected-resource/mcp",
            "/.well-known/jwks.json/mcp",
            "/well-known/jwks.json",
            "/AUTH.md",
            "/auth.md/",
        ] {
            assert_eq!(Document::of(path), None, "{path}");
        }
    }
}
