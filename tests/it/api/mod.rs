//! `/api/v1`: agents manage agents.

mod audit;
mod party;
pub mod webhooks;
