//! Randomness is an argument. The edge passes the platform's generator, a test a seeded one.

/// A source of bytes that nobody can guess.
pub trait Entropy {
    /// Fills `bytes`.
    ///
    /// # Errors
    /// The source has failed; whatever was to be made from it must not be made.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError>;
}

/// The source of randomness has failed.
#[derive(Debug, thiserror::Error)]
#[error("no randomness: {0}")]
pub struct EntropyError(pub String);

/// An array of random bytes.
///
/// # Errors
/// As [`Entropy::fill`].
pub fn random<const N: usize>(entropy: &dyn Entropy) -> Result<[u8; N], EntropyError> {
    let mut bytes = [0; N];
    entropy.fill(&mut bytes)?;
    Ok(bytes)
}

/// The platform's generator: `crypto.getRandomValues` in a Worker.
#[derive(Clone, Copy, Debug)]
pub struct Platform;

impl Entropy for Platform {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        getrandom::fill(bytes).map_err(|error| EntropyError(error.to_string()))
    }
}
