//! One thing to say.

use askama::Template;

use super::Frame;

/// A page that says one thing: done, or why not, and where to go from here.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/message.html")]
pub struct Message<'a> {
    /// What every page has.
    pub frame: Frame<'a>,
    /// How it is meant.
    pub tone: Tone,
    /// The heading, which is also the title.
    pub title: &'a str,
    /// One or two sentences.
    pub text: &'a str,
    /// Label and path of what to do next.
    pub action: Option<(&'a str, &'a str)>,
    /// The person may come back as somebody else: the path of ours to return to. Posts `return_to` to `/logout`.
    pub switch: Option<&'a str>,
    /// The trace by which the operator finds out more.
    pub reference: Option<&'a str>,
}

/// How a message is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// It went well.
    Good,
    /// It is neither.
    Plain,
    /// It did not go well.
    Bad,
}

impl Tone {
    /// The class in the style sheet.
    #[must_use]
    pub const fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Plain => "plain",
            Self::Bad => "bad",
        }
    }
}
