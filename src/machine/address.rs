//! Who has a proven e-mail address or phone number: the look-up from the address to the person.

use serde::{Deserialize, Serialize};

use super::{Machine, Next};
use crate::id::AccountId;
use crate::time::Timestamp;

/// One address, named by a keyed hash of its canonical form.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Address {
    person: AccountId,
}

/// What can happen to it.
#[derive(Debug, Serialize, Deserialize)]
pub enum Command {
    /// Whose is it?
    Look,
    /// It is this person's, unless it is somebody's already.
    Bind(AccountId),
    /// It is not this person's any more.
    Unbind(AccountId),
}

impl Machine for Address {
    const KIND: &'static str = "address";
    type Id = String;
    type Command = Command;
    /// Whose it is now.
    type Outcome = Option<AccountId>;

    fn step(state: Option<Self>, command: Command, _now: Timestamp) -> (Next<Self>, Option<AccountId>) {
        match (state, command) {
            (None, Command::Bind(person)) => (Next::Put(Self { person: person.clone() }, Timestamp::NEVER), Some(person)),
            (Some(known), Command::Unbind(person)) if known.person == person => (Next::Delete, None),
            (state, _) => (Next::Keep, state.map(|known| known.person)),
        }
    }
}
