//! OpenID Connect.

pub mod flow;
mod keys;
mod logout;
mod outage;
