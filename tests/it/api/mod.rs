//! `/api/v1`: agents manage agents.

pub mod agents;
mod delegations;
pub mod policies;
