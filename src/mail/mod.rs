//! Mail to people: what is sent, not how (`edge` has the adapters).

mod letter;

use serde::{Deserialize, Serialize};

use crate::email::Address;

pub use letter::{claim, sign_in};

/// A message to one person. Both forms say the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// To whom.
    pub to: String,
    /// One line.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// HTML without anything from elsewhere.
    pub html: String,
    /// The addresses in it that a person is meant to open.
    pub links: Vec<String>,
}

impl Message {
    /// A message; controls in the subject are left out, so that no header can be smuggled in.
    #[must_use]
    pub fn new(to: &Address, subject: &str, text: String, html: String, links: Vec<String>) -> Self {
        let subject = subject.chars().filter(|c| !c.is_control()).take(150).collect();
        Self { to: to.as_str().to_owned(), subject, text, html, links }
    }
}
