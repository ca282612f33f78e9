//! ID tokens of ours that come back: whom a client means.

use serde::Deserialize;

use crate::cx::Cx;
use crate::jose::jws::{InvalidJws, Untrusted, Verified};
use crate::keys::{self, KeysError};
use crate::machine::keyring::Ring;
use crate::store::Ports;

/// What an ID token of ours says, however old it is.
#[derive(Debug, PartialEq, Eq)]
pub struct Hint {
    /// To whom it was given.
    pub client: String,
    /// About whom, as that client knows them.
    pub sub: String,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
}

/// Reads an `id_token_hint` (Core, section 3.1.2.1; RP-Initiated Logout, section 2): ours by signature, type and issuer; its time may be
/// over. None if it is not one.
///
/// # Errors
/// The keys are out of reach.
pub async fn read<P: Ports>(token: &str, cx: &Cx<'_, P>) -> Result<Option<Hint>, KeysError> {
    let Ok(untrusted) = Untrusted::parse(token) else { return Ok(None) };
    let kid = untrusted.unverified_key_id().unwrap_or_default();
    for ring in Ring::ALL {
        let set = keys::of(ring, cx).await?;
        let Some(key) = set.verifier(kid, cx.now) else { continue };
        return match untrusted.verify::<Claims>("jwt", &key.jwk, cx.ports).await {
            Ok(Verified { claims }) if claims.custom.iss == cx.config.issuer => {
                Ok(Some(Hint { client: claims.custom.aud, sub: claims.custom.sub }))
            }
            Err(InvalidJws::Crypto(error)) => Err(error.into()),
            _ => Ok(None),
        };
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use crate::oidc::id_token::ID_TOKEN;

    #[test]
    fn the_type_is_the_one_that_is_looked_for() {
        assert_eq!(ID_TOKEN.to_ascii_lowercase(), "jwt");
    }
}
