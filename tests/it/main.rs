//! Native tests through the front door: the whole core over stores in memory, with a clock and randomness of our own.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that panics has failed, as it should"
)]

mod account;
mod api;
mod children;
mod client;
mod clients;
mod clients_managed;
mod clock;
mod deployment;
mod device;
mod dpop;
mod effects;
mod exchange;
mod fuzz;
mod golden;
mod history;
mod interop;
mod letters;
mod mail_given_back;
mod mail_limits;
mod markup;
mod mcp;
mod native_tokens;
mod oauth;
mod oidc;
mod openapi;
mod pages;
mod pages_account;
mod pages_clients;
mod pages_trace;
mod person;
mod personal_keys;
mod personal_tree;
mod provider;
mod redirector;
mod repeats;
mod signed_in;
mod simulation;
mod sqlite;
mod taken_back;
mod tenant;
mod trace;
mod upstream;
mod world;
