//! `CollectedClientData` (section 5.8.1): what the browser says of the page.

use base64::Engine;
use serde::Deserialize;
use serde::de::IgnoredAny;
use subtle::ConstantTimeEq;

use super::{BASE64URL, Expected, InvalidPasskey};

/// Section 13.4.3: challenges have 16 bytes at least. A shorter one means that the caller had none to compare with.
const SHORTEST_CHALLENGE: usize = 16;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClientData {
    #[serde(rename = "type")]
    kind: String,
    challenge: String,
    origin: String,
    cross_origin: Option<bool>,
    top_origin: Option<IgnoredAny>,
}

/// Sections 7.1, steps 7 to 11, and 7.2, steps 10 to 14.
pub(super) fn check(json: &[u8], ceremony: &'static str, expected: &Expected<'_>) -> Result<(), InvalidPasskey> {
    let data: ClientData = serde_json::from_slice(json).map_err(|_| InvalidPasskey::ClientData)?;
    if data.kind != ceremony {
        return Err(InvalidPasskey::Ceremony(ceremony));
    }
    let (Ok(came), Ok(sent)) = (BASE64URL.decode(data.challenge), BASE64URL.decode(expected.challenge)) else {
        return Err(InvalidPasskey::Challenge);
    };
    if sent.len() < SHORTEST_CHALLENGE || !bool::from(came.ct_eq(&sent)) {
        return Err(InvalidPasskey::Challenge);
    }
    if data.origin != expected.origin {
        return Err(InvalidPasskey::Origin);
    }
    // A browser names the top origin only if it is another one.
    if data.cross_origin == Some(true) || data.top_origin.is_some() {
        return Err(InvalidPasskey::CrossOrigin);
    }
    Ok(())
}
