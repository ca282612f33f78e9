//! Pages for people: sign-in, the answer to an agent, and the account.

mod account;
mod agent;
mod claim;
mod delegation;
mod device;
mod ending;
mod identity;
mod keys;
mod link;
mod login;
mod outbox;
pub(super) mod passkey;
mod rp_logout;
mod upstream;

use http::{HeaderMap, Response, StatusCode};

use super::browser::Visitor;
use super::page::{self, Frame, Message, Tone};
use super::refuse::Refused;
use crate::cx::Cx;
use crate::oauth::error::ErrorCode;
use crate::oauth::params::Params;
use crate::time::Timestamp;

pub(super) use account::{account, end_connection, end_other_sessions, end_session, revoke_agent, revoke_all_agents};
pub(super) use agent::{agent, revoke_key as revoke_agent_key, suspend as suspend_agent};
pub(super) use claim::{claim, code as claim_code, deny, typed};
pub(super) use delegation::answer as answer_delegation;
pub(super) use device::{answer as device_answer, code as device_code, device};
pub(super) use ending::{Change, Found, change, change_all};
pub(super) use identity::{ask_link, link, remove as remove_identity};
pub(super) use keys::{make as make_key, new as new_key, revoke as revoke_key};
pub(super) use link::{follow, open_link};
pub(super) use login::{login, logout, send, try_code};
pub(super) use outbox::outbox;
pub(super) use passkey::{add, add_options, remove, sign_in, sign_in_options};
pub(super) use rp_logout::{ask_logout, logged_out};
pub(super) use upstream::{come_back, set_out};

/// What a page is asked with.
pub(super) struct Asked<'r> {
    pub(super) headers: &'r HeaderMap,
    /// The query of a GET, the form of a POST.
    pub(super) params: Params,
}

impl<'r> Asked<'r> {
    /// Reads the query.
    pub(super) fn query(headers: &'r HeaderMap, query: &str) -> Result<Self, Refused> {
        Ok(Self { headers, params: Params::parse(query.as_bytes())? })
    }

    /// Reads the form.
    pub(super) fn form(headers: &'r HeaderMap, body: &[u8]) -> Result<Self, Refused> {
        Ok(Self { headers, params: super::form(headers, body)? })
    }

    pub(super) fn find(&self, name: &str) -> &str {
        self.params.find(name).unwrap_or_default()
    }
}

/// Authorization requests come with their parameters; more than this goes through no browser anyway.
const LONGEST_RETURN: usize = 8192;

/// What the paths begin with that a person may come back to.
const RETURNS: [&str; 6] = ["/claim?", "/account?", "/account/agent?", "/device?", "/oauth2/authorize?", "/login/upstream/link?"];

/// A path of ours to go to, or the account: never anybody else's page.
fn return_to(text: &str) -> &str {
    let ours = text.starts_with('/') && !text.starts_with("//") && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let known = ["/account", "/account/keys", "/device"].contains(&text) || RETURNS.iter().any(|start| text.starts_with(start));
    if ours && known && text.len() <= LONGEST_RETURN { text } else { "/account" }
}

/// Go on there (RFC 9110, section 15.4.4).
pub(super) fn see_other(path: &str) -> Response<bytes::Bytes> {
    let mut response = super::reply::empty(StatusCode::SEE_OTHER);
    super::reply::set(response.headers_mut(), http::header::LOCATION, path);
    super::reply::set(response.headers_mut(), http::header::REFERRER_POLICY, "no-referrer");
    response
}

/// A moment as people read it, to the minute.
pub(super) fn moment(at: Timestamp) -> String {
    at.iso().map_or_else(String::new, |iso| format!("{} {} UTC", iso.get(..10).unwrap_or_default(), iso.get(11..16).unwrap_or_default()))
}

/// An error as a page; with a title of its own, if the case has one.
pub(super) fn refusal<P>(
    status: StatusCode,
    code: ErrorCode,
    title: Option<&'static str>,
    hint: &str,
    reference: Option<&str>,
    cx: &Cx<'_, P>,
) -> Response<bytes::Bytes> {
    let nonce = crate::entropy::random::<16>(cx.entropy).map(|bytes| crate::base62::encode(&bytes)).unwrap_or_default();
    let frame = Frame {
        service: &cx.config.service.name,
        has_logo: cx.config.service.logo.is_some(),
        csrf: String::new(),
        signed_in: None,
        development: cx.development,
        nonce: nonce.clone(),
    };
    let (title, text) = match (title, code) {
        (Some(title), _) => (title, hint),
        (None, ErrorCode::NotFound) => ("There is nothing here", "The address is wrong, or what was here is gone."),
        (None, ErrorCode::OriginNotAllowed) => ("This form is too old", "Go back, open the page again, and repeat what you did."),
        (None, ErrorCode::Unauthorized) => ("You are signed out", "Sign in and try again."),
        (None, ErrorCode::RateLimited) => ("Too many tries", "Wait a while, then try again."),
        (None, ErrorCode::TemporarilyUnavailable) => {
            ("That did not work", "Something on our side does not answer at the moment. Try again in a minute.")
        }
        (None, _) => (code.description(), hint),
    };
    let action = match code {
        ErrorCode::Unauthorized => Some(("Sign in", "/login")),
        ErrorCode::NotFound if cx.config.mail.is_none() => None,
        _ => Some(("Your account", "/account")),
    };
    let message = Message { frame, tone: Tone::Bad, title, text, action, switch: None, reference };
    page::html(status, &message, &nonce).unwrap_or_else(|_| super::reply::empty(status))
}

/// A page that says one thing.
struct Says<'a> {
    tone: Tone,
    title: &'a str,
    text: &'a str,
    action: Option<(&'a str, &'a str)>,
    switch: Option<&'a str>,
    reference: Option<&'a str>,
}

impl<'a> Says<'a> {
    const fn new(tone: Tone, title: &'a str, text: &'a str) -> Self {
        Self { tone, title, text, action: None, switch: None, reference: None }
    }

    fn show<P>(self, status: u16, visitor: &Visitor, cx: &Cx<'_, P>) -> Result<Response<bytes::Bytes>, Refused> {
        let frame = visitor.frame(cx)?;
        let nonce = frame.nonce.clone();
        let Self { tone, title, text, action, switch, reference } = self;
        let message = Message { frame, tone, title, text, action, switch, reference };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Ok(visitor.remember(page::html(status, &message, &nonce)?, cx))
    }
}

/// There are people here only if somebody delivers mail.
pub(super) fn peopled<P>(cx: &Cx<'_, P>) -> Result<(), Refused> {
    if cx.config.mail.is_some() { Ok(()) } else { Err(Refused::new(ErrorCode::NotFound, "nobody delivers mail, so nobody signs in")) }
}

#[cfg(test)]
mod tests {
    use super::return_to;

    #[test]
    fn nobody_is_sent_away() {
        for good in [
            "/account",
            "/claim?claim_attempt_token=cvt_x",
            "/account?events=3",
            "/account/keys",
            "/account/agent?id=reg_x",
            "/device",
            "/device?user_code=BCDF-GHJK",
            "/oauth2/authorize?client_id=x",
            "/login/upstream/link?token=upl_x",
        ] {
            assert_eq!(return_to(good), good);
        }
        let evils = [
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/claim?\r\nx",
            "javascript:1",
            "/login",
            "",
            "/logout",
            "/login/upstream/callback?code=x",
            "\\/evil",
            "/account@evil.example",
            "/accounts",
            "/devices",
            "/account/agent/suspend",
            "/account/keys/revoke",
            "/device/answer",
            "/account/../dev/outbox",
            "/claim? x",
        ];
        for evil in evils {
            assert_eq!(return_to(evil), "/account", "{evil}");
        }
    }
}
