//! An application wants a person to sign out.

use askama::Template;

use super::Frame;

/// Asks. Posts to `/oauth2/logout`.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/logout.html")]
pub struct LogoutPage<'a> {
    /// What every page has.
    pub frame: Frame<'a>,
    /// Who would be signed out.
    pub person: &'a str,
    /// What the application calls itself.
    pub name: Option<&'a str>,
    /// Its `client_id`, if it is known.
    pub client_id: Option<&'a str>,
    /// Where it wants the person to go.
    pub target: Option<&'a str>,
    /// The host of that.
    pub host: Option<&'a str>,
    /// What it wants to have back.
    pub state: &'a str,
}
