//! The front door: the route table, and one file per family of endpoints.

mod discovery;
mod document;
mod guard;
mod health;
mod home;
mod introspect;
mod json;
mod limit;
mod mcp;
mod me;
mod operator;
mod prose;
mod refuse;
mod register;
pub mod reply;
mod revoke;
mod status_list;
mod token;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};

use crate::cx::Cx;
use crate::oauth::error::ErrorCode;
use crate::store::Ports;
use document::Document;
pub(crate) use document::Prepared;
use refuse::{Refused, Surface};

/// The longest body that is read.
pub const LONGEST_BODY: usize = 64 * 1024;

/// Everything that can be asked of a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route<'p> {
    Document(Document<'p>),
    StatusList(u32),
    Health,
    Ready,
    Identity,
    RegisterV01,
    Token,
    Introspect,
    Revoke,
    Me,
    Mcp,
    OperatorKeys,
    RotateKeys,
    RevokeKey,
    Unknown,
}

impl<'p> Route<'p> {
    /// The table of contents of the product.
    fn of(path: &'p str) -> Self {
        match path {
            "/health" => Self::Health,
            "/ready" => Self::Ready,
            "/agent/identity" => Self::Identity,
            "/agent/auth" | "/api/agent/auth" => Self::RegisterV01,
            "/oauth2/token" | "/oauth/token" | "/token" => Self::Token,
            "/oauth2/introspect" => Self::Introspect,
            "/oauth2/revoke" => Self::Revoke,
            "/api/v1" | "/api/v1/auth/me" => Self::Me,
            "/mcp" => Self::Mcp,
            "/operator/keys" => Self::OperatorKeys,
            "/operator/keys/rotate" => Self::RotateKeys,
            "/operator/keys/revoke" => Self::RevokeKey,
            _ => match (Document::of(path), status_list::number(path)) {
                (Some(document), _) => Self::Document(document),
                (None, Some(list)) => Self::StatusList(list),
                (None, None) => Self::Unknown,
            },
        }
    }

    /// `Allow`, less `HEAD` and `OPTIONS`.
    const fn method(self) -> &'static str {
        match self {
            Self::Document(_) | Self::StatusList(_) | Self::Health | Self::Ready | Self::Me | Self::OperatorKeys | Self::Unknown => "GET",
            Self::Identity
            | Self::RegisterV01
            | Self::Token
            | Self::Introspect
            | Self::Revoke
            | Self::Mcp
            | Self::RotateKeys
            | Self::RevokeKey => "POST",
        }
    }

    const fn surface(self) -> Surface {
        match self {
            Self::Identity | Self::RegisterV01 => Surface::Agent,
            Self::Me => Surface::Problem,
            _ => Surface::OAuth,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Document(document) => document.name(),
            Self::StatusList(_) => "status_list",
            Self::Health => "health",
            Self::Ready => "ready",
            Self::Identity => "identity",
            Self::RegisterV01 => "register_v01",
            Self::Token => "token",
            Self::Introspect => "introspect",
            Self::Revoke => "revoke",
            Self::Me => "me",
            Self::Mcp => "mcp",
            Self::OperatorKeys => "operator_keys",
            Self::RotateKeys => "rotate_keys",
            Self::RevokeKey => "revoke_key",
            Self::Unknown => "unknown",
        }
    }
}

/// Whether a request to `path` by `method` may bring a body: none other is read.
#[must_use]
pub fn takes_body(method: &str, path: &str) -> bool {
    method == "POST" && Route::of(path).method() == "POST"
}

/// Answers a request. `Err` as the body means that it was longer than [`LONGEST_BODY`].
pub async fn handle<P: Ports>(request: Request<Result<Bytes, TooLong>>, cx: &Cx<'_, P>) -> Response<Bytes> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path();
    let route = Route::of(path);
    let surface = if path == "/api/v1" || path.starts_with("/api/v1/") { Surface::Problem } else { route.surface() };
    let head = parts.method == Method::HEAD;
    let method = if head { "GET" } else { parts.method.as_str() };
    let answer = if method == "OPTIONS" && route != Route::Unknown {
        Ok(options(route))
    } else {
        match body {
            Ok(body) => serve(route, method, &parts.headers, &body, cx).await,
            Err(TooLong) => Err(Refused::new(ErrorCode::ContentTooLarge, "the body is too long")),
        }
    };
    let mut response = answer.unwrap_or_else(|refused| refused.render(surface, cx));
    reply::open_to_browsers(response.headers_mut());
    response.extensions_mut().insert(reply::RouteName(route.name()));
    if head {
        *response.body_mut() = Bytes::new();
    }
    response
}

/// The body was longer than [`LONGEST_BODY`].
#[derive(Clone, Copy, Debug)]
pub struct TooLong;

async fn serve<P: Ports>(
    route: Route<'_>,
    method: &str,
    headers: &HeaderMap,
    body: &[u8],
    cx: &Cx<'_, P>,
) -> Result<Response<Bytes>, Refused> {
    if route == Route::Unknown {
        return Err(Refused::new(ErrorCode::NotFound, "no such path"));
    }
    if method != route.method() {
        if route == Route::Mcp {
            // Some clients look for the challenge with GET: it must come before 405.
            guard::caller(headers, "/mcp", cx).await?;
        }
        return Err(Refused::new(ErrorCode::MethodNotAllowed, "wrong method").header(ALLOW, allow(route)));
    }
    // Boxed, so that a request carries the state of its own endpoint and not of the largest.
    match route {
        Route::Document(document) => Box::pin(document::serve(document, headers, cx)).await,
        Route::StatusList(list) => Box::pin(status_list::serve(list, cx)).await,
        Route::Health => Ok(health::health()),
        Route::Ready => Ok(Box::pin(health::ready(cx)).await),
        Route::Identity => Box::pin(register::identity(headers, body, cx)).await,
        Route::RegisterV01 => Box::pin(register::v01(headers, body, cx)).await,
        Route::Token => Box::pin(token::token(headers, body, cx)).await,
        Route::Introspect => Box::pin(introspect::introspect(headers, body, cx)).await,
        Route::Revoke => Box::pin(revoke::revoke(headers, body, cx)).await,
        Route::Me => Box::pin(me::me(headers, cx)).await,
        Route::Mcp => Box::pin(mcp::mcp(headers, body, cx)).await,
        Route::OperatorKeys => Box::pin(operator::keys(headers, cx)).await,
        Route::RotateKeys => Box::pin(operator::rotate(headers, cx)).await,
        Route::RevokeKey => Box::pin(operator::revoke(headers, body, cx)).await,
        Route::Unknown => Err(Refused::new(ErrorCode::NotFound, "no such path")),
    }
}

fn allow(route: Route<'_>) -> &'static str {
    if route.method() == "GET" { "GET, HEAD, OPTIONS" } else { "POST, OPTIONS" }
}

/// A preflight needs no credential and gets none.
fn options(route: Route<'_>) -> Response<Bytes> {
    let mut response = reply::empty(StatusCode::NO_CONTENT);
    let headers = response.headers_mut();
    let fixed = [
        ("allow", allow(route)),
        ("access-control-allow-methods", allow(route)),
        (
            "access-control-allow-headers",
            "Authorization, Content-Type, Accept, Idempotency-Key, MCP-Protocol-Version, Mcp-Method, Mcp-Name, Mcp-Session-Id, Last-Event-ID",
        ),
        ("access-control-max-age", "86400"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The media type of a body, lower-cased, without parameters.
fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The parameters of a form body.
fn form(headers: &HeaderMap, body: &[u8]) -> Result<crate::oauth::params::Params, Refused> {
    if media_type(headers) != "application/x-www-form-urlencoded" {
        return Err(
            Refused::new(ErrorCode::UnsupportedMediaType, "not a form").hint("Send Content-Type: application/x-www-form-urlencoded.")
        );
    }
    Ok(crate::oauth::params::Params::parse(body)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_read_only_where_one_is_taken() {
        assert!(takes_body("POST", "/token") && takes_body("POST", "/mcp"));
        assert!(
            !takes_body("GET", "/token")
                && !takes_body("POST", "/")
                && !takes_body("POST", "/no/such/path")
                && !takes_body("PUT", "/token")
        );
    }
}
