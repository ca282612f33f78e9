//! Signed tokens: compact JWS (RFC 7515) with ES256, or RS256 for OpenID Connect (RFC 7518, section 3), and the claims in them.

pub mod claims;
pub mod dpop;
pub mod foreign;
pub mod jwk;
pub mod jws;
