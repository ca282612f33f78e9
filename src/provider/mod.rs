//! Trusted agent providers: whether what they are said to have signed is theirs, is for us, and holds now. What follows from it is
//! decided elsewhere.
//!
//! Nothing is fetched for an issuer that is not on the trust list, and nothing is used up by looking: [`id_jag::Vouched::burn`] does
//! that, once it is known that the request will succeed. Events are remembered by the link that they cut.

pub mod authentic;
pub mod claims;
pub mod client;
pub mod event;
pub mod fetch;
pub mod guard;
pub mod id_jag;
pub mod jwks;

use std::iter;

use crate::config::{Config, Provider};
use crate::cx::Cx;

/// The provider of that issuer, byte for byte. One that is reached without TLS counts in development alone.
#[must_use]
pub fn trusted<'c, P>(issuer: &str, cx: &Cx<'c, P>) -> Option<&'c Provider> {
    let config: &'c Config = cx.config;
    config.providers.iter().find(|provider| provider.issuer == issuer && (cx.development || issuer.starts_with("https://")))
}

/// Whether an `aud` means this deployment: our issuer or one of our resources, with or without one slash at its end.
fn is_for_us(audience: &str, config: &Config) -> bool {
    fn bare(text: &str) -> &str {
        text.strip_suffix('/').unwrap_or(text)
    }
    let resources = config.resources.iter().flat_map(|resource| iter::once(&resource.uri).chain(&resource.alternates));
    iter::once(&config.issuer).chain(resources).any(|known| bare(known) == bare(audience))
}
