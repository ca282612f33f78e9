//! Signing in: an address, a code or a link from the mail.

use askama::Template;

use super::{Frame, UpstreamView};

/// `/login`: asks for an e-mail address, or a passkey. Posts `email` and `return_to` to `/login`.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/login.html")]
pub struct Login<'a> {
    /// What every page has.
    pub frame: Frame<'a>,
    /// What was typed before, or the address of the person; may be empty.
    pub email: &'a str,
    /// A path of ours: where to go afterwards.
    pub return_to: &'a str,
    /// What was wrong with the last try, as a sentence.
    pub problem: Option<&'a str>,
    /// What the person comes for, as a sentence.
    pub purpose: Option<&'a str>,
    /// There is a session, but what comes next needs a fresh sign-in.
    pub fresh: bool,
    /// Providers to sign in with. Each posts `provider` and `return_to` to `/login/upstream`.
    pub providers: Vec<UpstreamView<'a>>,
}

impl Login<'_> {
    /// The heading, which is also the title.
    #[must_use]
    pub fn heading(&self) -> &'static str {
        if self.fresh { "Confirm that it is you" } else { "Sign in" }
    }

    /// Whether the address cannot be changed: a fresh sign-in is of the person who is there.
    #[must_use]
    pub fn is_fixed(&self) -> bool {
        self.fresh && !self.email.is_empty()
    }
}

/// After an address was given: asks for the code from the mail. Says nothing of whether mail was sent. Posts `login`, `code` and
/// `return_to` to `/login/code`.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/login_code.html")]
pub struct LoginCode<'a> {
    /// What every page has.
    pub frame: Frame<'a>,
    /// The address, as it was typed.
    pub email: &'a str,
    /// The name of this sign-in.
    pub login: &'a str,
    /// A path of ours: where to go afterwards.
    pub return_to: &'a str,
    /// What was wrong with the last try, as a sentence.
    pub problem: Option<&'a str>,
}

/// The link from the mail was opened. Opening it does nothing yet, as scanners of mail open links too: the button does. Posts `token` to
/// `/login/link`.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/login_link.html")]
pub struct LoginLink<'a> {
    /// What every page has.
    pub frame: Frame<'a>,
    /// The address that the link was sent to.
    pub email: &'a str,
    /// What the link proves itself with.
    pub token: &'a str,
}
