//! The wire vocabulary of OAuth: words, not actions. Nothing here does I/O.

pub mod authorization;
pub mod error;
pub mod management;
pub mod params;
pub mod redirect;
pub mod scope;
