//! Registrations that wait for one person's word, asked for from one network: clients that ask again and again leave no heap of them.

use serde::{Deserialize, Serialize};

use super::{Machine, Next};
use crate::id::RegistrationId;
use crate::time::{Timestamp, Ttl};

/// Those of one address and network, oldest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Waiting {
    registrations: Vec<RegistrationId>,
}

/// One more.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Add {
    /// Its name.
    pub registration: RegistrationId,
    /// So many may wait at once.
    pub most: usize,
    /// How long it waits at most.
    pub ttl: Ttl,
}

impl Machine for Waiting {
    const KIND: &'static str = "waiting";
    type Id = String;
    type Command = Add;
    /// Those that the new one supersedes.
    type Outcome = Vec<RegistrationId>;

    fn step(state: Option<Self>, command: Add, now: Timestamp) -> (Next<Self>, Vec<RegistrationId>) {
        let mut waiting = state.unwrap_or_default();
        if waiting.registrations.contains(&command.registration) {
            return (Next::Keep, Vec::new());
        }
        waiting.registrations.push(command.registration);
        let surplus = waiting.registrations.len().saturating_sub(command.most);
        let superseded = waiting.registrations.drain(..surplus).collect();
        (Next::Put(waiting, now.plus(command.ttl)), superseded)
    }
}
