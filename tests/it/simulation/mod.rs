//! What requests do to storage, counted: on each path, over many, and in a region where nothing is known yet.

mod paths;
mod region;
mod stores;
mod volume;
