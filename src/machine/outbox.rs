//! Development's outbox: mail that nobody delivers, to be read at `/dev/outbox`.

use serde::{Deserialize, Serialize};

use super::{Machine, Next};
use crate::mail::Message;
use crate::time::{Timestamp, Ttl};

/// Older ones are forgotten.
const MOST: usize = 50;
const LIFE: Ttl = Ttl::from_seconds(86400);

/// The messages, oldest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Outbox {
    messages: Vec<(Timestamp, Message)>,
}

/// The one outbox of a development deployment.
pub const OUTBOX: &str = "development";

/// What can be asked of it.
#[derive(Debug, Serialize, Deserialize)]
pub enum Command {
    /// Keeps a message.
    Keep(Message),
    /// Shows all.
    Look,
}

impl Machine for Outbox {
    const KIND: &'static str = "outbox";
    type Id = String;
    type Command = Command;
    /// When each was sent, and the message, newest first.
    type Outcome = Vec<(Timestamp, Message)>;

    fn step(state: Option<Self>, command: Command, now: Timestamp) -> (Next<Self>, Self::Outcome) {
        let mut outbox = state.unwrap_or_default();
        match command {
            Command::Look => (Next::Keep, outbox.messages.into_iter().rev().collect()),
            Command::Keep(message) => {
                let surplus = outbox.messages.len().saturating_sub(MOST - 1);
                outbox.messages.drain(..surplus);
                outbox.messages.push((now, message));
                (Next::Put(outbox, now.plus(LIFE)), Vec::new())
            }
        }
    }
}
