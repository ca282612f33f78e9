//! Rights that one agent hands on to another.

use super::super::tool::Tool;
use crate::store::Ports;

pub(super) fn tools<P: Ports>() -> Vec<Tool<P>> {
    Vec::new()
}
