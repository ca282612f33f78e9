//! What one isolate knows of clients on their way in: which steps are worth a write, and how many a minute has room for.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher};

use super::TraceId;
use crate::machine::trace::{ATTEMPT, Stage, Verdict};
use crate::memory::Bounded;
use crate::network::Origin;
use crate::time::Timestamp;

/// Steps a minute that one isolate keeps.
const MOST: u32 = 240;
/// Those of one trace.
const MOST_OF_ONE: u32 = 20;
/// Traces a minute that one isolate begins,
const MOST_NEW: u32 = 60;
/// of these for one address or IPv6 /64,
const MOST_NEW_OF_ONE: u32 = 10;
/// and for one network, of which it has many: invented clients of one must not push those of all others out of the operator's list.
const MOST_NEW_OF_NETWORK: u32 = 20;

/// The clients that an isolate has seen, and the minute's budget.
pub struct Watch {
    minute: i64,
    steps: u32,
    new: u32,
    /// The new ones by address; no more than are begun.
    newcomers: BTreeMap<String, u32>,
    /// The same by network.
    networks: BTreeMap<String, u32>,
    missed: u32,
    known: Bounded<TraceId, Known>,
    calls: Bounded<u64, ()>,
}

impl Default for Watch {
    fn default() -> Self {
        let (known, calls) = (Bounded::new(2048), Bounded::new(4096));
        Self { minute: 0, steps: 0, new: 0, newcomers: BTreeMap::new(), networks: BTreeMap::new(), missed: 0, known, calls }
    }
}

#[derive(Clone, Copy)]
struct Known {
    until: Timestamp,
    last: State,
    minute: i64,
    steps: u32,
    missed: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// An attempt is under way, or has failed.
    Open,
    /// It waits for a person.
    Waiting,
    /// There is a token.
    Issued,
}

/// What has to be known of a step to decide whether to keep it.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// Where on the way.
    pub stage: Stage,
    /// What came of it.
    pub verdict: Verdict,
    /// Whether an attempt can begin with it.
    pub begins: bool,
    /// It is a refresh: everyday life, of which success is nothing to tell.
    pub everyday: bool,
}

impl Watch {
    /// Whether a credential calls for the first time, as far as this isolate knows.
    pub fn is_first_call(&mut self, credential: &[u8]) -> bool {
        let mut hasher = DefaultHasher::new();
        hasher.write(credential);
        let digest = hasher.finish();
        let first = self.calls.find(&digest).is_none();
        if first {
            self.calls.insert(digest, ());
        }
        first
    }

    /// Whether to keep a step; if so, how many of the trace's were left out before it for want of room. `from` is where it
    /// comes from, if that is known.
    pub fn admit(&mut self, id: TraceId, step: Step, from: Option<&Origin>, now: Timestamp) -> Option<u32> {
        let minute = now.seconds() / 60;
        if self.minute != minute {
            (self.minute, self.steps, self.new) = (minute, 0, 0);
            self.newcomers.clear();
            self.networks.clear();
        }
        let found = self.known.find(&id).filter(|known| now < known.until);
        let last = found.map(|known| known.last);
        let routine = step.verdict == Verdict::Done && step.stage == Stage::Token && !step.begins;
        let idle = match (step.verdict, last) {
            (Verdict::Pending, Some(State::Waiting)) => true,
            (_, Some(State::Issued)) => routine,
            (_, None) => routine && step.everyday,
            _ => false,
        };
        if idle {
            return None;
        }
        let mut known = found.unwrap_or(Known { until: now.plus(ATTEMPT), last: State::Open, minute, steps: 0, missed: 0 });
        if known.minute != minute {
            (known.minute, known.steps) = (minute, 0);
        }
        let new = found.is_none() && step.begins;
        let newcomers = from.and_then(|from| self.newcomers.get(&from.narrow)).copied().unwrap_or_default();
        let neighbours = from.and_then(|from| self.networks.get(&from.network)).copied().unwrap_or_default();
        let crowded = self.new >= MOST_NEW || newcomers >= MOST_NEW_OF_ONE || neighbours >= MOST_NEW_OF_NETWORK;
        if self.steps >= MOST || (new && crowded) {
            self.missed = self.missed.saturating_add(1);
            return None;
        }
        if known.steps >= MOST_OF_ONE {
            known.missed = known.missed.saturating_add(1);
            self.known.insert(id, known);
            return None;
        }
        self.steps += 1;
        if new {
            self.new += 1;
            self.newcomers.extend(from.map(|from| (from.narrow.clone(), newcomers + 1)));
            self.networks.extend(from.map(|from| (from.network.clone(), neighbours + 1)));
        }
        known.steps += 1;
        known.last = match (step.verdict, step.stage) {
            (Verdict::Pending, _) => State::Waiting,
            (Verdict::Done, Stage::Token | Stage::Call) => State::Issued,
            (Verdict::Failed, Stage::Call) => known.last,
            _ => State::Open,
        };
        let missed = std::mem::take(&mut known.missed);
        self.known.insert(id, known);
        Some(missed)
    }

    /// Steps of whatever traces that found no room since this was last asked.
    pub fn missed(&mut self) -> u32 {
        std::mem::take(&mut self.missed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Ttl;

    const FAILED: Step = Step { stage: Stage::Token, verdict: Verdict::Failed, begins: true, everyday: false };
    const ISSUED: Step = Step { verdict: Verdict::Done, begins: false, ..FAILED };
    const POLL: Step = Step { verdict: Verdict::Pending, begins: false, ..FAILED };

    fn id(number: u8) -> TraceId {
        TraceId([number; 7])
    }

    #[test]
    fn what_is_everyday_life_is_not_written() {
        let (mut watch, now) = (Watch::default(), Timestamp::from_seconds(60_000));
        assert_eq!(watch.admit(id(1), Step { everyday: true, ..ISSUED }, None, now), None);
        assert_eq!(watch.admit(id(1), ISSUED, None, now), Some(0));
        assert_eq!(watch.admit(id(1), ISSUED, None, now), None, "it has a token, and gets another");
        assert_eq!(watch.admit(id(1), FAILED, None, now), Some(0));
        assert_eq!(watch.admit(id(1), Step { everyday: true, ..ISSUED }, None, now), Some(0), "it has failed before");
        assert_eq!(watch.admit(id(2), POLL, None, now), Some(0));
        assert_eq!(watch.admit(id(2), POLL, None, now), None);
        assert_eq!(watch.admit(id(2), ISSUED, None, now), Some(0));
        assert!(watch.is_first_call(b"a") && !watch.is_first_call(b"a") && watch.is_first_call(b"b"));
    }

    #[test]
    fn a_flood_is_counted_and_not_kept() {
        let (mut watch, now) = (Watch::default(), Timestamp::from_seconds(60_000));
        let kept = (0..50).filter(|_| watch.admit(id(1), FAILED, None, now).is_some()).count();
        assert_eq!(kept, 20);
        let later = now.plus(Ttl::from_seconds(60));
        assert_eq!(watch.admit(id(1), FAILED, None, later), Some(30), "the next one says how many there were");
        assert_eq!(watch.admit(id(1), FAILED, None, later), Some(0));
        let mut kept = 0;
        for number in 0..=255 {
            kept += u32::from(watch.admit(id(number), FAILED, None, later).is_some());
        }
        assert_eq!((kept, watch.missed(), watch.missed()), (61, 195, 0));
    }

    #[test]
    fn one_network_leaves_room_for_the_others() {
        let (mut watch, now) = (Watch::default(), Timestamp::from_seconds(60_000));
        let mut kept = |from: &str, numbers: std::ops::Range<u8>, now| {
            let from = Origin::parse(from);
            numbers.filter(|number| watch.admit(id(*number), FAILED, from.as_ref(), now).is_some()).count()
        };
        assert_eq!(kept("192.0.2.1", 0..100, now), 10);
        assert_eq!(kept("192.0.2.1", 0..10, now), 10, "what has begun goes on");
        assert_eq!(kept("192.0.2.2", 100..105, now), 5);
        assert_eq!(kept("192.0.2.1", 110..130, now.plus(Ttl::from_seconds(60))), 10, "every minute anew");
        let later = now.plus(Ttl::from_seconds(120));
        for (address, first, most) in
            [("2001:db8:1:1::1", 130, 10), ("2001:db8:1:2::1", 160, 10), ("2001:db8:1:3::1", 190, 0), ("2001:db8:2:1::1", 220, 10)]
        {
            assert_eq!(kept(address, first..first + 30, later), most, "{address}");
        }
    }
}
