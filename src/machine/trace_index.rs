//! The newest traces, for the operator's list. Each of a few objects has those whose names fall to it.

use serde::{Deserialize, Serialize};

use super::trace::{Entry, KEPT};
use super::{Machine, Next};
use crate::time::Timestamp;

/// There are so many of them.
pub const SHARDS: u8 = 16;
/// Traces that one of them has; older ones are still there, and found by their names.
const MOST: usize = 64;

/// Its traces, newest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct TraceIndex {
    traces: Vec<(String, Entry)>,
    /// Steps that were too many to be kept.
    missed: u32,
}

/// What can be asked of it.
#[derive(Debug, Serialize, Deserialize)]
pub enum Command {
    /// An attempt has begun, or come further.
    Note {
        /// The name of the trace.
        id: String,
        /// What there is to say of it.
        entry: Entry,
        /// Steps of whatever traces that were not kept since the last note.
        missed: u32,
    },
    /// Shows all.
    Look,
}

impl Machine for TraceIndex {
    const KIND: &'static str = "trace_index";
    type Id = u8;
    type Command = Command;
    /// The traces, newest first, and how many steps were not kept.
    type Outcome = (Vec<(String, Entry)>, u32);

    fn step(state: Option<Self>, command: Command, now: Timestamp) -> (Next<Self>, Self::Outcome) {
        let mut index = state.unwrap_or_default();
        index.traces.retain(|(_, entry)| now < entry.at.plus(KEPT));
        match command {
            Command::Look => (Next::Keep, (index.traces, index.missed)),
            Command::Note { id, entry, missed } => {
                index.missed = index.missed.saturating_add(missed);
                index.traces.retain(|(known, _)| *known != id);
                index.traces.insert(0, (id, entry));
                index.traces.truncate(MOST);
                (Next::Put(index, now.plus(KEPT)), (Vec::new(), 0))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::trace::Progress;
    use crate::machine::{Change, advance};
    use crate::time::Ttl;

    #[test]
    fn the_newest_are_kept_for_a_day() {
        let (mut record, begin) = (None, Timestamp::from_seconds(1000));
        let look = |record: &Option<_>, now| advance::<TraceIndex>(record.clone(), Command::Look, now).1;
        for number in 0..70_u64 {
            let at = begin.plus(Ttl::from_seconds(number));
            let (progress, check) = (Progress::Started, None);
            let entry = Entry { client: None, name: None, network: String::new(), attempt: 1, began: at, at, progress, check };
            let note = Command::Note { id: format!("t{}", number % 66), entry, missed: 1 };
            let (Change::Write(written), _) = advance::<TraceIndex>(record, note, at) else { panic!() };
            record = Some(written);
        }
        let (traces, missed) = look(&record, begin.plus(Ttl::from_seconds(70)));
        assert_eq!((traces.len(), missed, traces[0].0.as_str(), traces[4].0.as_str()), (64, 70, "t3", "t65"));
        let (traces, _) = look(&record, begin.plus(Ttl::from_seconds(69)).plus(Ttl::from_seconds(86399)));
        assert_eq!(traces.len(), 1);
    }
}
