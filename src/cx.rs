//! What every handler and grant is given.

use crate::config::Config;
use crate::entropy::Entropy;
use crate::memory::Memory;
use crate::network::Origin;
use crate::time::Timestamp;

/// One request's surroundings. Time and randomness are here, so nothing needs to look for them elsewhere.
pub struct Cx<'a, P> {
    /// The deployment's settings.
    pub config: &'a Config,
    /// What this isolate remembers.
    pub memory: &'a Memory,
    /// The platform.
    pub ports: &'a P,
    /// The time of the request.
    pub now: Timestamp,
    /// Bytes that nobody can guess.
    pub entropy: &'a dyn Entropy,
    /// Where the request comes from, if the platform knows.
    pub origin: Option<Origin>,
    /// All three legs of development stand: a loopback http issuer, `DEV=1`, and a loopback host in the request.
    pub development: bool,
    /// `X-Request-Id` of the answer; empty where nobody asked.
    pub request_id: &'a str,
}
