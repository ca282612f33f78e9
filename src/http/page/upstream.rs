//! Signing in with somebody else's word.

use askama::Template;

use super::Frame;

/// Asks whether a provider may sign the person in from now on. Posts `token` to `/login/upstream/link`.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/link.html")]
pub struct Link<'a> {
    /// What every page has.
    pub frame: Frame<'a>,
    /// The provider's name, in our words.
    pub provider: &'a str,
    /// Its issuer.
    pub issuer: &'a str,
    /// What the provider calls the person: an address, or a name.
    pub there: Option<&'a str>,
    /// Stands for the question.
    pub token: &'a str,
}

/// A provider to sign in with.
#[derive(Clone, Debug)]
pub struct UpstreamView<'a> {
    /// Its name, in our words.
    pub name: &'a str,
    /// Its issuer.
    pub issuer: &'a str,
    /// The path of ours that its logo is at.
    pub logo: Option<String>,
}

/// A provider that signs the person in.
#[derive(Clone, Debug)]
pub struct IdentityView<'a> {
    /// Its number in the account.
    pub number: u64,
    /// The provider's name, in our words.
    pub provider: &'a str,
    /// Its issuer.
    pub issuer: &'a str,
    /// The address that it named.
    pub email: Option<&'a str>,
    /// When it was linked.
    pub linked: String,
    /// When it last signed in.
    pub used: Option<String>,
}
