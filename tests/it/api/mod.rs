//! `/api/v1`, through the front door.

mod delegations;
