//! Signed tokens: compact JWS (RFC 7515) with ES256 (RFC 7518, section 3.4) and the claims in them.

pub mod claims;
pub mod foreign;
pub mod jwk;
pub mod jws;
