//! Names of another account.
