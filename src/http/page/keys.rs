//! A person makes an API key for a program of their own.

use askama::Template;

use super::{Frame, ScopeView};

/// Asks what the key is called, what it may be used for and for how long. Posts `name`, `expires` and one field for each scope to
/// `/account/keys`.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/key_new.html")]
pub struct NewKeyPage<'a> {
    /// What every page has.
    pub frame: Frame<'a>,
    /// What the field begins with.
    pub name: &'a str,
    /// What can be done with the service.
    pub scopes: Vec<ChoiceView<'a>>,
    /// How agents can be managed.
    pub manages: Vec<ChoiceView<'a>>,
    /// Value and words of each life, and whether it is chosen.
    pub lives: Vec<(&'a str, &'a str, bool)>,
    /// What was wrong with the last try, as a sentence.
    pub problem: Option<&'a str>,
}

/// A scope to choose.
#[derive(Clone, Debug)]
pub struct ChoiceView<'a> {
    /// Tells it from the others of the page.
    pub id: String,
    /// The name of its field.
    pub field: String,
    /// What it is.
    pub scope: ScopeView<'a>,
    /// It is chosen.
    pub chosen: bool,
}

/// The one page that shows the key.
#[derive(Clone, Template)]
#[template(path = "pages/key_made.html")]
pub struct KeyMade<'a> {
    /// What every page has.
    pub frame: Frame<'a>,
    /// The key itself.
    pub key: String,
    /// What the person calls it.
    pub name: &'a str,
    /// What it may be used for.
    pub scopes: Vec<ScopeView<'a>>,
    /// When it expires, if ever.
    pub expires: Option<String>,
}
