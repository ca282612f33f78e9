//! `/api/v1`, through the front door.

pub mod delegations;
