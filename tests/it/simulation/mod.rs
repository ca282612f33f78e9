//! What requests do to storage, counted: on each path, over many, and in a region where nothing is known yet.
//! The figures are printed: `-- simulation --nocapture`.
#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

mod paths;
mod region;
mod stores;
mod volume;
