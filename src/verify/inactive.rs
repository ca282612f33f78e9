//! Why a token or API key does not count: a precise reason for our log, and few words for the wire.

use crate::dpop::InvalidProof;
use crate::id::Holder;
use crate::jose::jws::InvalidJws;
use crate::keys::KeysError;
use crate::oauth::error::{ErrorCode, Refusal};
use crate::store::StoreError;

/// Why it does not count. All but the last two look the same from outside.
#[derive(Debug, thiserror::Error)]
pub enum Inactive {
    /// Neither a token nor a key of ours.
    #[error("not a token or key of this deployment: {0}")]
    Foreign(InvalidJws),
    /// Signed by us for another issuer or time.
    #[error("the claims do not hold: {0}")]
    Claims(&'static str),
    /// What stands behind it has expired or never was.
    #[error("{0} is gone")]
    Gone(Holder),
    /// Token, key, or what stands behind it was revoked.
    #[error("revoked with or within {0}")]
    Revoked(Holder),
    /// Bound to a key, and presented without a proof of it (RFC 9449, section 7.2).
    #[error("the token is bound to a key")]
    Bound,
    /// Presented with a proof, and bound to no key.
    #[error("the token is bound to no key")]
    Unbound,
    /// The keys are out of reach.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// What stands behind it is out of reach.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Refusal for Inactive {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Keys(_) | Self::Store(_) => ErrorCode::TemporarilyUnavailable,
            _ => ErrorCode::InvalidToken,
        }
    }

    fn hint(&self) -> &'static str {
        match self {
            Self::Bound => "The token is bound to your key: send it as Authorization: DPoP, with a DPoP header that has a proof.",
            Self::Unbound => "The token is bound to no key: send it as Authorization: Bearer, or ask for one with a DPoP proof.",
            _ => self.code().hint(),
        }
    }
}

/// Why a token that came with a proof does not count.
#[derive(Debug, thiserror::Error)]
pub enum Unproven {
    /// It would not count with any proof.
    #[error(transparent)]
    Token(#[from] Inactive),
    /// The proof does not count, or not for it.
    #[error(transparent)]
    Proof(#[from] InvalidProof),
}

impl Refusal for Unproven {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Token(error) => error.code(),
            Self::Proof(error) => error.code(),
        }
    }

    fn hint(&self) -> &'static str {
        match self {
            Self::Token(error) => error.hint(),
            Self::Proof(error) => error.hint(),
        }
    }
}

impl From<InvalidJws> for Inactive {
    fn from(error: InvalidJws) -> Self {
        match error {
            InvalidJws::Crypto(error) => Self::Keys(error.into()),
            error => Self::Foreign(error),
        }
    }
}
