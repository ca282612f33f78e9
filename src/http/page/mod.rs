//! The pages that people see: what each of them shows, and how they are sent.
//!
//! The structs are all that a template gets. Every text in them is escaped by the templates (`templates/pages/`).

mod account;
mod agent;
mod claim;
mod consent;
mod device;
mod keys;
mod login;
mod logout;
mod message;
mod trace;
mod upstream;

use askama::Template;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode};

use super::prose::failed;
use super::refuse::Refused;
use super::reply;

pub use account::{AccountPage, AgentView, ClientView, EventView, KeyView, PasskeyView, SessionView};
pub use agent::{AgentPage, BelowView, CredentialView, DelegationView, RestView};
pub use claim::{ClaimCode, ClaimRequest, ProviderView, ScopeView};
pub use consent::{ConsentPage, Known, Rejected};
pub use device::{DevicePage, DeviceRequest};
pub use keys::{ChoiceView, KeyMade, NewKeyPage};
pub use login::{Login, LoginCode, LoginLink};
pub use logout::LogoutPage;
pub use message::{Message, Tone};
pub use trace::{AttemptView, OperatorKey, State, StepView, TraceList, TracePage, TraceRow};
pub use upstream::{IdentityView, Link, UpstreamView};

/// What every page has.
#[derive(Clone, Debug)]
pub struct Frame<'a> {
    /// The name of the service behind the gate.
    pub service: &'a str,
    /// Whether `/logo` is there; else our own icon is shown.
    pub has_logo: bool,
    /// The value of the hidden field `csrf` of every form, and of the header `x-csrf` of every call of the script.
    pub csrf: String,
    /// E-mail address or phone number of the person, if a session is there.
    pub signed_in: Option<&'a str>,
    /// The deployment is for development.
    pub development: bool,
    /// The nonce of the one script tag, as in the header (CSP level 3).
    pub nonce: String,
}

impl Frame<'_> {
    /// For a page that is no business of whoever has signed in.
    #[must_use]
    pub fn without_person(self) -> Self {
        Self { signed_in: None, ..self }
    }

    /// The path of the picture beside the name.
    #[must_use]
    pub fn icon(&self) -> &'static str {
        if self.has_logo { "/logo" } else { "/icon.svg" }
    }
}

/// What a browser may do with a page: nothing that the page does not need.
const HEADERS: [(&str, &str); 5] = [
    ("referrer-policy", "no-referrer"),
    ("x-frame-options", "DENY"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    (
        "permissions-policy",
        "publickey-credentials-get=(self), publickey-credentials-create=(self), accelerometer=(), autoplay=(), camera=(), \
         clipboard-read=(), display-capture=(), encrypted-media=(), fullscreen=(), geolocation=(), gyroscope=(), hid=(), \
         identity-credentials-get=(), idle-detection=(), local-fonts=(), magnetometer=(), microphone=(), midi=(), otp-credentials=(), \
         payment=(), picture-in-picture=(), screen-wake-lock=(), serial=(), storage-access=(), usb=(), xr-spatial-tracking=()",
    ),
];

/// A page as an answer that nobody keeps or frames, and that loads from us alone. `nonce` is base64url, the same as in the page's
/// [`Frame`]; one that no header can have lets no script run.
///
/// # Errors
/// `server_error` if the template fails.
pub fn html<T: Template>(status: StatusCode, page: &T, nonce: &str) -> Result<Response<Bytes>, Refused> {
    with_policy(status, page, nonce, " form-action 'self';")
}

/// The same for a page whose form leads to another site in the end: browsers apply `form-action` to every redirect that follows, and the
/// client's own redirects are nothing that we know.
///
/// # Errors
/// As [`html`].
pub fn html_that_leads_away<T: Template>(status: StatusCode, page: &T, nonce: &str) -> Result<Response<Bytes>, Refused> {
    with_policy(status, page, nonce, "")
}

/// The same for a page whose form leads to `path` of ours: from an authorization request that may go on to the client.
///
/// # Errors
/// As [`html`].
pub fn html_towards<T: Template>(path: &str, status: StatusCode, page: &T, nonce: &str) -> Result<Response<Bytes>, Refused> {
    let away = ["/oauth2/authorize", "/login/upstream/link"].iter().any(|start| path.starts_with(start));
    if away { html_that_leads_away(status, page, nonce) } else { html(status, page, nonce) }
}

fn with_policy<T: Template>(status: StatusCode, page: &T, nonce: &str, forms: &str) -> Result<Response<Bytes>, Refused> {
    let mut response = reply::private(status, "text/html; charset=utf-8", page.render().map_err(failed)?);
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    let policy = |script: &str| {
        format!(
            "default-src 'none'; style-src 'self'; script-src {script}; img-src 'self'; connect-src 'self';{forms} \
             frame-ancestors 'none'; base-uri 'none'"
        )
    };
    let plain = !nonce.is_empty() && nonce.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_+/=".contains(&byte));
    let script = if plain { format!("'nonce-{nonce}'") } else { "'none'".to_owned() };
    reply::set(headers, http::header::CONTENT_SECURITY_POLICY, &policy(&script));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(nonce: &str) -> String {
        let frame =
            Frame { service: "Example", has_logo: false, csrf: "c".into(), signed_in: None, development: false, nonce: nonce.into() };
        let page = Message { frame, tone: Tone::Plain, title: "t", text: "t", action: None, switch: None, reference: None };
        let response = html(StatusCode::GONE, &page, nonce).ok().unwrap();
        assert_eq!(response.status(), StatusCode::GONE);
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8");
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        for (name, value) in HEADERS {
            assert_eq!(response.headers()[name], value);
        }
        response.headers()["content-security-policy"].to_str().unwrap().to_owned()
    }

    #[test]
    fn only_the_script_with_the_nonce_runs() {
        assert!(policy("q-Z_9").contains("script-src 'nonce-q-Z_9';"));
        for wrong in ["", "a' 'unsafe-inline", "a; script-src *", "a\r\nb"] {
            assert!(policy(wrong).contains("script-src 'none';"), "{wrong}");
        }
    }
}
