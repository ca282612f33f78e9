//! `/api/v1`: agents manage agents.

pub mod policies;
