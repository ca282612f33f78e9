//! One refusal, in the shape that each surface demands.

use bytes::Bytes;
use http::header::WWW_AUTHENTICATE;
use http::{HeaderName, Response, StatusCode};
use serde_json::{Value, json};

use super::people;
use super::reply::{self, JSON, PROBLEM, Reason};
use crate::cx::Cx;
use crate::oauth::error::{ErrorCode, Refusal};
use crate::time::Ttl;

/// A request that is not carried out.
pub struct Refused {
    code: ErrorCode,
    pub(super) hint: &'static str,
    pub(super) reason: Box<str>,
    pub(super) expected: Option<Box<str>>,
    headers: Vec<(HeaderName, String)>,
    retry_after: Option<Ttl>,
    more: Option<Box<Value>>,
    status: Option<StatusCode>,
    title: Option<&'static str>,
    pub(super) noted: bool,
}

/// Where an error is shown, which decides its shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surface {
    /// RFC 6749, section 5.2.
    OAuth,
    /// auth.md: `message` beside `error_description`.
    Agent,
    /// RFC 9457, on `/api/v1`.
    Problem,
    /// RFC 8935, section 2.3.
    Event,
    /// A page for people.
    Page,
}

impl<E: Refusal> From<E> for Refused {
    fn from(error: E) -> Self {
        Self {
            code: error.code(),
            hint: error.hint(),
            reason: error.to_string().into(),
            expected: None,
            headers: Vec::new(),
            retry_after: error.retry_after(),
            more: None,
            status: None,
            title: None,
            noted: false,
        }
    }
}

impl Refused {
    /// With the code's own hint.
    pub fn new(code: ErrorCode, reason: impl Into<Box<str>>) -> Self {
        let hint = code.hint();
        let (headers, reason) = (Vec::new(), reason.into());
        Self { code, hint, reason, expected: None, headers, retry_after: None, more: None, status: None, title: None, noted: false }
    }

    /// Says what to do next in words of the case.
    #[must_use]
    pub fn hint(mut self, hint: &'static str) -> Self {
        self.hint = hint;
        self
    }

    /// Says on a page what has happened, in words of the case; the hint goes below.
    #[must_use]
    pub fn title(mut self, title: &'static str) -> Self {
        self.title = Some(title);
        self
    }

    /// Says what would have been right, for the connection trace: what is registered beside what was sent. It must hold no secret, and is
    /// made only where traces are kept.
    #[must_use]
    pub fn expected<P>(mut self, expected: impl FnOnce() -> String, cx: &Cx<'_, P>) -> Self {
        if cx.config.trace {
            self.expected = Some(expected().into());
        }
        self
    }

    /// It is in the audit already.
    #[must_use]
    pub fn noted(mut self) -> Self {
        self.noted = true;
        self
    }

    /// With a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// With further members in the body.
    #[must_use]
    pub fn with(mut self, more: Value) -> Self {
        self.more = Some(Box::new(more));
        self
    }

    /// With another status than the code has elsewhere.
    #[must_use]
    pub fn status(mut self, status: StatusCode) -> Self {
        self.status = Some(status);
        self
    }

    /// The status of the answer.
    pub(super) fn http_status(&self) -> StatusCode {
        self.status.unwrap_or_else(|| StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
    }

    /// The code on the wire.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        self.code
    }

    /// With a time to wait.
    #[must_use]
    pub fn retry_after(mut self, wait: Ttl) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// The same for a surface that has no status: code, words, what to do next and when to come again; and the reason for our log.
    pub(super) fn told(self) -> (Value, String) {
        let (error, description) = (self.code.as_str(), self.code.description());
        let mut told = json!({ "error": error, "error_description": description, "hint": self.hint });
        if let (Some(wait), Value::Object(fields)) = (self.wait(), &mut told) {
            fields.insert("retry_after".to_owned(), wait.seconds().into());
        }
        (told, format!("{error}: {}", self.reason))
    }

    fn wait(&self) -> Option<Ttl> {
        self.retry_after.or((self.code == ErrorCode::TemporarilyUnavailable).then(|| Ttl::from_seconds(2)))
    }

    /// The answer. 503 always says when to come again; a page has the reference of the trace that tells more.
    pub fn render<P>(self, surface: Surface, reference: Option<&str>, cx: &Cx<'_, P>) -> Response<Bytes> {
        let status = self.http_status();
        let wait = self.wait();
        let error_uri = cx.config.own(&format!("/auth.md#{}", self.code.as_str()));
        let (error, description) = (self.code.as_str(), self.code.description());
        let mut body = match surface {
            Surface::OAuth => json!({ "error": error, "error_description": description, "hint": self.hint, "error_uri": error_uri }),
            Surface::Agent => {
                json!({ "error": error, "message": description, "error_description": description, "hint": self.hint, "error_uri": error_uri })
            }
            Surface::Event => json!({ "err": error, "description": description }),
            Surface::Page => Value::Null,
            Surface::Problem => {
                json!({ "type": error_uri, "title": description, "status": status.as_u16(), "detail": self.hint, "error": error })
            }
        };
        if let (Some(Value::Object(more)), Value::Object(fields)) = (self.more.map(|more| *more), &mut body) {
            fields.extend(more);
        }
        if let (Some(wait), Value::Object(fields)) = (wait, &mut body) {
            fields.insert("retry_after".to_owned(), wait.seconds().into());
        }
        let mut response = match surface {
            Surface::Page => people::refusal(status, self.code, self.title, self.hint, reference, cx),
            Surface::Problem => reply::typed(status, PROBLEM, &body),
            _ => reply::typed(status, JSON, &body),
        };
        let headers = response.headers_mut();
        if let Some(wait) = wait {
            reply::retry_after(headers, wait.seconds());
        }
        if self.code == ErrorCode::InvalidClient {
            // RFC 6749, section 5.2.
            reply::set(headers, WWW_AUTHENTICATE, "Basic realm=\"token\"");
        }
        for (name, value) in self.headers {
            reply::set(headers, name, &value);
        }
        response.extensions_mut().insert(Reason(format!("{error}: {}", self.reason)));
        response
    }
}
