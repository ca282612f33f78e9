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
//! as pure functions of (state, command, now). [`oauth`] and [`jose`] are wire vocabulary. [`account`] is what people
//! list and query, in SQL, and [`tenant`] what is kept of agents, in the same objects; [`people`] finds them, and [`oidc`] says who they
//! are; [`provider`] judges what others say about them, and [`vouch`] what follows. [`policy`] decides who may do what, and
//! [`constraint`] what a delegated right is bound to; neither knows of storage or transport. [`verify`] says whether a token counts, and
//! [`dpop`] whether its bearer has the key that it is bound to.
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
//!
//! # A claim, from the link to the token
//!
//! 1. The agent starts an attempt (`http::claim`): the registration's cell takes digests of the page's token and of the code,
//!    and everything of an attempt before is gone ([`machine::registration::claim`]).
//! 2. The person opens the page (`http::people::claim`), which changes nothing, signs in (`http::people::login`), and answers. The cell
//!    judges who may: whoever has proven the address, or the account that a provider's word was matched to.
//! 3. Approved, the registration is of a new generation: nothing of before works. It tells the owner's [`account`], at once and
//!    through its outbox.
//! 4. The agent polls or completes ([`grant::claim`]): what it gets is made once, sealed for the holder of the claim token, and
//!    repeated byte for byte until it is used.

pub mod account;
pub mod audit;
pub mod base62;
pub mod client;
pub mod config;
pub mod constraint;
pub mod cx;
pub mod delegation;
pub mod dpop;
pub mod effect;
pub mod email;
pub mod entropy;
pub mod grant;
pub mod http;
pub mod id;
pub mod identity;
pub mod jose;
pub mod keys;
pub mod lean;
pub mod machine;
pub mod mail;
pub mod master;
pub mod memory;
pub mod network;
pub mod oauth;
pub mod oidc;
pub mod pause;
pub mod people;
pub mod policy;
pub mod post;
pub mod provider;
pub mod refresh;
pub mod rights;
pub mod secret;
pub mod status;
pub mod store;
pub mod tenant;
pub mod time;
pub mod trace;
pub mod upstream;
pub mod user_code;
pub mod verify;
pub mod vouch;
pub mod webauthn;
pub mod webhook;

#[cfg(target_arch = "wasm32")]
mod edge;
