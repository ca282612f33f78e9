//! What a browser, and through it the client, is told.

use bytes::Bytes;
use http::header::{LOCATION, REFERRER_POLICY};
use http::{Response, StatusCode};
use percent_encoding::utf8_percent_encode;

use super::request::{Broken, ToClient, VALUE};
use crate::client::Client;
use crate::cx::Cx;
use crate::http::browser::Visitor;
use crate::http::page::{self, Known, Rejected};
use crate::http::refuse::Refused;
use crate::http::reply::{self, Reason};
use crate::http::trace::{self, Why};
use crate::oauth::error::{ErrorCode, Refusal};
use crate::oauth::redirect::{self, Kind};
use crate::provider::guard::NamedBy;
use crate::time::Ttl;

/// How people make each client register anew; commands between backticks.
pub(super) const RESETS: [(&str, &str); 9] = [
    ("Claude Code", "Run `/mcp`, choose this server, then “Clear authentication” and “Authenticate”."),
    ("Claude (web and desktop)", "Settings, Connectors: remove this connector and add it again."),
    ("ChatGPT", "Settings, Connectors: disconnect this connector and connect it again."),
    ("Codex", "Run `codex mcp logout` with the server’s name, then `codex mcp login`."),
    ("Cursor", "Settings, MCP: log out of this server, then connect again."),
    ("VS Code", "Run “Authentication: Remove Dynamic Authentication Providers” from the command palette."),
    ("Copilot CLI", "Run `/mcp`, remove this server and add it again."),
    ("MCP Inspector", "Choose “Clear OAuth State” in the Auth section."),
    ("mcp-remote", "Delete the folder `.mcp-auth` in your home directory and start the client again."),
];

/// Back to the client, with `iss` in every answer (RFC 9207).
pub(super) fn back<P>(
    redirect_uri: &str,
    state: Option<&str>,
    answer: &[(&str, &str)],
    status: StatusCode,
    cx: &Cx<'_, P>,
) -> Response<Bytes> {
    let mut response = reply::empty(status);
    reply::set(response.headers_mut(), LOCATION, &location(redirect_uri, state, answer, cx));
    reply::set(response.headers_mut(), REFERRER_POLICY, "no-referrer");
    response
}

fn location<P>(redirect_uri: &str, state: Option<&str>, answer: &[(&str, &str)], cx: &Cx<'_, P>) -> String {
    let mut location = redirect_uri.to_owned();
    let mut glue = if redirect_uri.contains('?') { '&' } else { '?' };
    let iss = ("iss", cx.config.issuer.as_str());
    for (name, value) in answer.iter().copied().chain(state.map(|state| ("state", state))).chain([iss]) {
        location.push(glue);
        location.push_str(name);
        location.push('=');
        location.extend(utf8_percent_encode(value, VALUE));
        glue = '&';
    }
    location
}

/// The client is told what is wrong (RFC 6749, section 4.1.2.1).
pub(super) fn refuse<P>(fault: &ToClient, status: StatusCode, cx: &Cx<'_, P>) -> Response<Bytes> {
    let response = back(&fault.redirect_uri, fault.state.as_deref(), &fault.answer(), status, cx);
    explained(response, fault, cx)
}

/// The same; but where nobody has signed in, no client that anybody can register sends a browser to a web server: the person reads what is
/// wrong, and goes there if they want to (RFC 9700, section 4.11.2, which excepts `prompt=none`).
pub(super) fn tell<P>(fault: &ToClient, visitor: &Visitor, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let is_foreign = fault.client.named_by() == NamedBy::Stranger && redirect::kind(&fault.redirect_uri) == Some(Kind::Https);
    if visitor.signed_in.is_some() || fault.silent || !is_foreign {
        return Ok(refuse(fault, StatusCode::FOUND, cx));
    }
    let frame = visitor.frame(cx)?;
    let nonce = frame.nonce.clone();
    let text = format!("{}: {}", fault.code.as_str(), fault.description);
    let location = location(&fault.redirect_uri, fault.state.as_deref(), &fault.answer(), cx);
    let reference = trace::reference(Some(&fault.client.id), cx);
    let page = Rejected {
        frame,
        title: "The application’s request is wrong",
        text: &text,
        known: Some(Known::of(&fault.client)),
        name: fault.client.metadata.client_name.as_deref(),
        client_id: &fault.client.id,
        sent: None,
        registered: Vec::new(),
        back: Some((redirect::host(&fault.redirect_uri), &location)),
        reference: reference.as_deref(),
        resets: &[],
    };
    let response = visitor.remember(page::html(StatusCode::BAD_REQUEST, &page, &nonce)?, cx);
    Ok(trace::of(explained(response, fault, cx), &fault.client.id, cx))
}

/// With what the log and the trace say of it.
fn explained<P>(mut response: Response<Bytes>, fault: &ToClient, cx: &Cx<'_, P>) -> Response<Bytes> {
    response.extensions_mut().insert(Reason(format!("{}: {}", fault.code.as_str(), fault.description)));
    let expected = || (fault.code == ErrorCode::InvalidTarget).then(|| cx.config.resource_uris());
    let why = || Why { code: fault.code, reason: fault.description.to_owned(), hint: fault.code.hint(), expected: expected() };
    trace::explain(&mut response, why, cx);
    response
}

/// The person is told, and nobody is sent anywhere. `asked` is the `client_id` of the request, if it has one.
pub(super) fn reject<P>(broken: Broken, asked: Option<&str>, visitor: &Visitor, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let unfit = match &broken {
        Broken::Unavailable(error) => {
            format!("What the application publishes about itself cannot be used. For whoever makes it: {}", error.hint())
        }
        _ => String::new(),
    };
    let (status, title, text, sent, known, reason) = match &broken {
        Broken::Client(None) => {
            let text = "Its request has no client_id. Connect it again; if that does not help, have it forget what it remembers.";
            (StatusCode::BAD_REQUEST, "The application did not say who it is", text, None, None, "no client_id")
        }
        Broken::Client(Some(id)) => (
            StatusCode::BAD_REQUEST,
            "This application is not known here",
            "Its registration has expired, or it was made for another server. Have it forget what it remembers, and connect again.",
            Some(id.as_str()),
            None,
            "an unknown client",
        ),
        Broken::Redirect { client, sent } => (
            StatusCode::BAD_REQUEST,
            "The application asks to send you somewhere it did not register",
            "You were sent nowhere. If you trust the application, have it forget what it remembers, and connect again.",
            sent.as_deref(),
            Some(client),
            "a redirect URI that is not the client's",
        ),
        Broken::Params(_) => (
            StatusCode::BAD_REQUEST,
            "The request cannot be read",
            "A parameter is sent twice, or is no text.",
            None,
            None,
            "malformed parameters",
        ),
        Broken::Pushed => (
            StatusCode::BAD_REQUEST,
            "This request is over",
            "It was used, or has waited for too long. Go back to the application and connect again.",
            None,
            None,
            "a pushed request that is over or another client's",
        ),
        Broken::Unavailable(error) if error.code() == ErrorCode::InvalidClient => {
            (StatusCode::BAD_REQUEST, "This application is not known here", unfit.as_str(), asked, None, "a document that makes no client")
        }
        Broken::Unavailable(error) if error.code() == ErrorCode::RateLimited => (
            StatusCode::TOO_MANY_REQUESTS,
            "Too many tries",
            "Too many unknown applications were named from your network. Wait a while, then try again.",
            asked,
            None,
            "too many unknown documents",
        ),
        Broken::Unavailable(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "That did not work",
            "We cannot find out at the moment who the application is. Try again in a minute.",
            None,
            None,
            "the client cannot be looked up",
        ),
    };
    let frame = visitor.frame(cx)?;
    let nonce = frame.nonce.clone();
    let resets: &[(&str, &str)] = if matches!(broken, Broken::Client(_) | Broken::Redirect { .. }) { &RESETS } else { &[] };
    let client = match &broken {
        Broken::Client(id) => id.as_deref(),
        Broken::Redirect { client, .. } => Some(client.id.as_str()),
        _ => asked,
    };
    let reference = trace::reference(client, cx);
    let reference = reference.as_deref();
    let page = Rejected {
        frame,
        title,
        text,
        known: known.map(|client| Known::of(client)),
        name: known.and_then(|client| client.metadata.client_name.as_deref()),
        client_id: known.map_or("", |client| client.id.as_str()),
        sent,
        registered: known.map(|client| registered(client)).unwrap_or_default(),
        reference,
        back: None,
        resets,
    };
    let mut response = visitor.remember(page::html(status, &page, &nonce)?, cx);
    if let Broken::Unavailable(error) = &broken
        && error.code() != ErrorCode::InvalidClient
    {
        reply::retry_after(response.headers_mut(), error.retry_after().map_or(2, Ttl::seconds));
    }
    let detail = match (&broken, sent) {
        (Broken::Unavailable(error), _) => error.to_string(),
        (Broken::Params(error), _) => error.to_string(),
        (_, Some(sent)) => crate::email::cleaned(sent),
        _ => String::new(),
    };
    response.extensions_mut().insert(Reason(format!("invalid_request: {reason} {detail}")));
    let why = || Why {
        code: if let Broken::Unavailable(error) = &broken { error.code() } else { ErrorCode::InvalidRequest },
        reason: format!("{reason} {detail}"),
        hint: if resets.is_empty() { "Start again at the client." } else { "Have the client forget its registration, and connect again." },
        expected: known.map(|client| client.metadata.redirect_uris.join(" ")),
    };
    trace::explain(&mut response, why, cx);
    Ok(match client {
        Some(client) => trace::of(response, client, cx),
        None => response,
    })
}

/// The hosts that the client may send people to: where exactly is nobody's business.
fn registered(client: &Client) -> Vec<&str> {
    let mut hosts: Vec<&str> = client.metadata.redirect_uris.iter().map(|uri| redirect::host(uri)).collect();
    hosts.sort_unstable();
    hosts.dedup();
    hosts
}
