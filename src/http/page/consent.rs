//! An application asks to act for a person.

use askama::Template;

use super::{Frame, ScopeView};
use crate::client::{Client, Source};
use crate::oauth::redirect;

/// Who asks for what. Posts `request` and `answer` (`allow` or `deny`) to `/oauth2/authorize/consent`.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/consent.html")]
pub struct ConsentPage<'a> {
    /// What every page has.
    pub frame: Frame<'a>,
    /// The secret of the request that waits.
    pub request: String,
    /// What the application calls itself. Nobody has checked it, unless the operator wrote it.
    pub name: Option<&'a str>,
    /// What we know of it.
    pub known: Known<'a>,
    /// Its `client_id`.
    pub client_id: &'a str,
    /// Where the person is sent back to.
    pub redirect_host: &'a str,
    /// That is on the person's own device.
    pub on_device: bool,
    /// It is not a host of whoever published the application.
    pub elsewhere: bool,
    /// Whom it would act for.
    pub person: &'a str,
    /// Identifier of the resource.
    pub resource: &'a str,
    /// Its name, as the operator wrote it.
    pub resource_name: Option<&'a str>,
    /// What it may do.
    pub scopes: Vec<ScopeView<'a>>,
    /// Those of them that it was not allowed before.
    pub fresh: Vec<&'a str>,
    /// When the person last allowed it something here.
    pub before: Option<String>,
    /// The request's own path, for somebody else who signs in.
    pub again: &'a str,
}

/// What is known of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known<'a> {
    /// Whoever controls this host published it.
    Document(&'a str),
    /// It registered itself.
    Registered,
    /// The operator wrote it.
    Operator,
}

impl<'a> Known<'a> {
    /// What is known of `client`.
    #[must_use]
    pub fn of(client: &'a Client) -> Self {
        match client.source {
            Source::Document { .. } => Self::Document(redirect::host(&client.id)),
            Source::Registered => Self::Registered,
            Source::Operator | Source::Configured => Self::Operator,
        }
    }

    /// Whether the operator wrote it.
    #[must_use]
    pub fn is_operator(&self) -> bool {
        *self == Self::Operator
    }
}

impl ConsentPage<'_> {
    /// Whether it may do this since before.
    #[must_use]
    pub fn had(&self, name: &str) -> bool {
        self.before.is_some() && !self.fresh.contains(&name)
    }
}

/// A request that leads nowhere, and what to do about it.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/rejected.html")]
pub struct Rejected<'a> {
    /// What every page has.
    pub frame: Frame<'a>,
    /// The heading.
    pub title: &'a str,
    /// One or two sentences.
    pub text: &'a str,
    /// What we know of the application, if it is one.
    pub known: Option<Known<'a>>,
    /// What it calls itself, as in [`ConsentPage`].
    pub name: Option<&'a str>,
    /// Its `client_id`.
    pub client_id: &'a str,
    /// What the application sent.
    pub sent: Option<&'a str>,
    /// What it should have sent, as far as that may be told.
    pub registered: Vec<&'a str>,
    /// Where the person may go back to all the same: the host, and the whole address.
    pub back: Option<(&'a str, &'a str)>,
    /// The trace by which the operator finds out more.
    pub reference: Option<&'a str>,
    /// Applications, and how each is made to start anew, with commands between backticks.
    pub resets: &'a [(&'a str, &'a str)],
}

impl Rejected<'_> {
    /// The pieces of a text, and which of them stand between backticks.
    #[must_use]
    pub fn pieces<'t>(&self, text: &'t str) -> Vec<(&'t str, bool)> {
        text.split('`').zip([false, true].into_iter().cycle()).filter(|(piece, _)| !piece.is_empty()).collect()
    }
}
