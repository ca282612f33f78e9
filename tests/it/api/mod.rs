//! `/api/v1`: agents manage agents.

pub mod agents;
mod audit;
mod delegations;
mod party;
pub mod policies;
pub mod webhooks;
