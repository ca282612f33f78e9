//! What requests do to storage, counted.

mod paths;
