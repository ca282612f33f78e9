//! Rights that one agent hands on to another.

use serde_json::Value;

use crate::http::describe::operation::Operation;

pub(in crate::http::describe) fn operations() -> Vec<Operation> {
    Vec::new()
}

pub(in crate::http::describe) fn schemas() -> Vec<(&'static str, Value)> {
    Vec::new()
}
