//! `/api/v1`: agents manage agents. One file per family.

pub(super) mod agents;
pub(super) mod audit;
pub(super) mod credentials;
pub(super) mod delegations;
pub(super) mod policies;
pub(super) mod tokens;
pub(super) mod webhooks;
