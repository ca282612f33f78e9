//! Agents that manage agents.

use super::super::tool::Tool;
use crate::store::Ports;

pub(super) fn tools<P: Ports>() -> Vec<Tool<P>> {
    Vec::new()
}
