//! Where identifiers and secrets come from: from the request if it has an `Idempotency-Key`, else from chance.

use http::HeaderMap;

use super::manager::{Deed, Manager, unexpected};
use crate::cx::Cx;
use crate::entropy::random;
use crate::http::refuse::Refused;
use crate::http::register;
use crate::master::hex;
use crate::oauth::error::ErrorCode;
use crate::store::Ports;
use crate::tenant::{Outcome, Repeat, What};
use crate::time::Ttl;

/// For how long a repeated request is answered as the first time.
const WINDOW: Ttl = Ttl::from_seconds(600);

/// The seed of what one request makes: the same for the same request within [`WINDOW`], so that what was lost on the way can be made again and
/// nothing of it is stored. Later the same request makes something else.
pub(in crate::http) struct Seed(Option<[u8; 32]>);

impl Seed {
    /// Reads `Idempotency-Key`, if there is one, and asks the account whether it came before with another request.
    ///
    /// # Errors
    /// It is unusable, or was used for something else.
    pub(in crate::http) async fn of<P: Ports>(
        manager: &Manager,
        headers: &HeaderMap,
        path: &str,
        body: &[u8],
        cx: &Cx<'_, P>,
    ) -> Result<Self, Refused> {
        let Some(key) = headers.get("idempotency-key") else { return Ok(Self(None)) };
        let key = register::usable(key)?;
        let derive = |label: &str, parts: &[&[u8]]| cx.config.masters.current.idempotent(label, parts);
        let caller = manager.id.as_str().as_bytes();
        let scope = derive("api scope", &[caller, key, path.as_bytes(), body]);
        let first_until = cx.now.plus(WINDOW);
        let what = What::Repeat {
            key: hex(&derive("api key", &[caller, key])),
            request: hex(&derive("api digest", &[&scope])),
            until: first_until,
        };
        let until = match manager.ask(Deed::new(what), cx).await? {
            Outcome::Repeat(Repeat::New) => first_until,
            Outcome::Repeat(Repeat::Until(until)) => until,
            Outcome::Repeat(Repeat::Other) => {
                return Err(Refused::new(ErrorCode::IdempotencyKeyReused, "the key came with another request"));
            }
            _ => return Err(unexpected()),
        };
        Ok(Self(Some(derive("api window", &[&scope, &until.millis().to_be_bytes()]))))
    }

    /// 256 bits for the use `label`.
    ///
    /// # Errors
    /// There is no randomness.
    pub(in crate::http) fn bytes<P>(&self, label: &str, cx: &Cx<'_, P>) -> Result<[u8; 32], Refused> {
        match &self.0 {
            Some(scope) => Ok(cx.config.masters.current.idempotent(label, &[scope])),
            None => Ok(random(cx.entropy)?),
        }
    }

    /// The 128 bits of an identifier.
    ///
    /// # Errors
    /// As [`Seed::bytes`].
    pub(in crate::http) fn name<P>(&self, label: &str, cx: &Cx<'_, P>) -> Result<[u8; 16], Refused> {
        Ok(register::first(self.bytes(label, cx)?))
    }
}
