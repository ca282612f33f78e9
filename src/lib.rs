//! Postern, the side gate that AI agents come in by: an auth server as one Cloudflare Worker.
//!
//! # The map
//!
//! ```text
//! edge ──► http ──► grant ──► machine ──► oauth, jose ──► id, secret, time
//!   └────────┴────────┴────► store (traits only), config
//! ```
//!
//! [`edge`](crate) exists on wasm32 alone and is all that knows the platform. [`http`] is the route table and one
//! file per endpoint family. [`grant`] turns a token request into tokens. [`machine`] holds everything that changes,
//! as pure functions of (state, command, now). [`oauth`] and [`jose`] are wire vocabulary.
//!
//! # A token request, from door to door
//!
//! 1. `edge` reads the request (at most 64 KiB of body), builds a [`cx::Cx`] and calls [`http::handle`].
//! 2. `http::handle` finds the route; `http::token` parses the form ([`oauth::params::Params`]) and the client's
//!    credential ([`oauth::authorization::Authorization`]).
//! 3. [`grant::authorize`] asks the one grant that is named. It verifies the assertion or the key, asks the
//!    registration's cell whether it still counts ([`machine::registration`]), and ends in [`grant::Authorized`].
//! 4. [`grant::issue()`] knows no grant: it takes a place in a status list, signs an access token with the key ring's
//!    present key and returns it.
//! 5. Errors of all kinds are [`oauth::error::Refusal`]s: a precise reason for the log line that `edge` writes, a
//!    standard code with fixed words for the wire.

pub mod base62;
pub mod config;
pub mod cx;
pub mod effect;
pub mod email;
pub mod entropy;
pub mod grant;
pub mod http;
pub mod id;
pub mod jose;
pub mod keys;
pub mod machine;
pub mod master;
pub mod memory;
pub mod network;
pub mod oauth;
pub mod secret;
pub mod status;
pub mod store;
pub mod time;
pub mod verify;

#[cfg(target_arch = "wasm32")]
mod edge;
