//! The operator's clients: which there are.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Machine, Next};
use crate::time::Timestamp;

/// Names of clients by `client_id`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ClientIndex(BTreeMap<String, String>);

/// What can happen to it.
#[derive(Debug, Serialize, Deserialize)]
pub enum Command {
    /// Which are there?
    List,
    /// One more.
    Add {
        /// `client_id`.
        id: String,
        /// Its name.
        name: String,
    },
    /// One less.
    Remove {
        /// `client_id`.
        id: String,
    },
}

/// What it answers.
#[derive(Debug, Serialize, Deserialize)]
pub enum Outcome {
    /// These are there now.
    Clients(BTreeMap<String, String>),
    /// It is there; or it is not there any more.
    Done,
    /// There are too many already.
    Full,
}

/// The one record of the kind.
pub const INDEX: &str = "operator";
/// So many clients an operator can have here.
pub const MOST: usize = 1000;

impl Machine for ClientIndex {
    const KIND: &'static str = "client_index";
    type Id = &'static str;
    type Command = Command;
    type Outcome = Outcome;

    fn step(state: Option<Self>, command: Command, _now: Timestamp) -> (Next<Self>, Outcome) {
        let mut index = state.unwrap_or_default();
        match command {
            Command::List => return (Next::Keep, Outcome::Clients(index.0)),
            Command::Add { .. } if index.0.len() >= MOST => return (Next::Keep, Outcome::Full),
            Command::Add { id, name } => {
                index.0.insert(id, name);
            }
            Command::Remove { id } => {
                index.0.remove(&id);
            }
        }
        (Next::Put(index, Timestamp::NEVER), Outcome::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Change, advance};

    #[test]
    fn it_has_an_end() {
        let now = Timestamp::from_millis(1);
        let mut record = None;
        let mut run = |command: Command| {
            let (change, outcome) = advance::<ClientIndex>(record.clone(), command, now);
            if let Change::Write(written) = change {
                record = Some(written);
            }
            outcome
        };
        for number in 0..MOST {
            assert!(matches!(run(Command::Add { id: number.to_string(), name: "x".to_owned() }), Outcome::Done));
        }
        assert!(matches!(run(Command::Add { id: "more".to_owned(), name: "x".to_owned() }), Outcome::Full));
        assert!(matches!(run(Command::Remove { id: "7".to_owned() }), Outcome::Done));
        assert!(matches!(run(Command::Add { id: "more".to_owned(), name: "x".to_owned() }), Outcome::Done));
        let Outcome::Clients(all) = run(Command::List) else { panic!("it lists") };
        assert!(all.len() == MOST && all.contains_key("more") && !all.contains_key("7"));
    }
}
