//! OpenID Connect.

pub mod flow;
mod hint;
mod keys;
mod logout;
mod outage;
