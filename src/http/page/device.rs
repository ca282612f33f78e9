//! A device asks to act for a person.

use askama::Template;

use super::{Frame, Known, ScopeView};

/// `/device`: asks for the code that the device shows. Posts `user_code` to `/device`.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/device.html")]
pub struct DevicePage<'a> {
    /// What every page has.
    pub frame: Frame<'a>,
    /// What is in the field already: from the address, or typed before.
    pub code: &'a str,
    /// What was wrong with the last try, as a sentence.
    pub problem: Option<&'a str>,
}

/// Who asks for what, from where. Posts `device`, `seal` and `answer` (`allow` or `deny`) to `/device/answer`.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/device_request.html")]
pub struct DeviceRequest<'a> {
    /// What every page has.
    pub frame: Frame<'a>,
    /// The code, in halves, to be compared with the device's.
    pub code: (&'a str, &'a str),
    /// The device's name.
    pub device: &'a str,
    /// This page was shown to this person in this browser.
    pub seal: String,
    /// What the application calls itself. Nobody has checked it, unless the operator wrote it.
    pub name: Option<&'a str>,
    /// What we know of it.
    pub known: Known<'a>,
    /// Its `client_id`.
    pub client_id: &'a str,
    /// The network that the device is in, if that is known.
    pub network: Option<String>,
    /// It is the person's own network.
    pub same_network: bool,
    /// What the device says of itself.
    pub agent: Option<&'a str>,
    /// When it asked.
    pub at: String,
    /// Whom it would act for.
    pub person: &'a str,
    /// Identifier of the resource.
    pub resource: &'a str,
    /// Its name, as the operator wrote it.
    pub resource_name: Option<&'a str>,
    /// What it may do.
    pub scopes: Vec<ScopeView<'a>>,
    /// The page with the code, for somebody else who signs in.
    pub again: &'a str,
}

impl DeviceRequest<'_> {
    /// The code letter by letter, for voices: `B C D F, G H J K`.
    #[must_use]
    pub fn spelled(&self) -> String {
        let spelled = |half: &str| half.chars().map(String::from).collect::<Vec<_>>().join(" ");
        format!("{}, {}", spelled(self.code.0), spelled(self.code.1))
    }
}
