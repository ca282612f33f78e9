//! How often something may happen: fixed windows under one name, for mail, sign-in and what else costs somebody something.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Machine, Next};
use crate::time::{Timestamp, Ttl};

/// The windows of one name.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Quota {
    windows: BTreeMap<Ttl, Window>,
    /// Requests that were counted and may be repeated.
    counted: BTreeMap<String, Counted>,
}

/// A request that was counted, once for all its copies.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Counted {
    at: Timestamp,
    /// Copies that something may have come of: what was taken for all of them is free when the last one gives it back.
    copies: u32,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Window {
    ends: Timestamp,
    count: u32,
}

/// What can be asked of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Command {
    /// One more.
    Take {
        /// So many within so long, for each window.
        most: Vec<(u32, Ttl)>,
        /// A request of this name is counted once in ten minutes.
        request: Option<String>,
    },
    /// Nothing came of it: one less, if nothing came of its copies either.
    Return {
        /// The same windows.
        most: Vec<(u32, Ttl)>,
        /// The same name.
        request: Option<String>,
    },
}

/// How long to wait, or nothing if it may go on.
pub type Wait = Option<Ttl>;

const REMEMBERED: Ttl = Ttl::from_seconds(600);

impl Machine for Quota {
    const KIND: &'static str = "quota";
    type Id = String;
    type Command = Command;
    type Outcome = Wait;

    fn step(state: Option<Self>, command: Command, now: Timestamp) -> (Next<Self>, Wait) {
        let mut quota = state.unwrap_or_default();
        quota.windows.retain(|_, window| now < window.ends);
        quota.counted.retain(|_, counted| now < counted.at.plus(REMEMBERED));
        let (most, request) = match command {
            Command::Take { most, request } => (most, request),
            Command::Return { most, request } => return quota.give_back(&most, request.as_ref()),
        };
        if let Some(counted) = request.as_ref().and_then(|request| quota.counted.get_mut(request)) {
            counted.copies = counted.copies.saturating_add(1);
            return (quota.put(), None);
        }
        let full = |(most, length): &(u32, Ttl)| {
            let window = quota.windows.get(length).filter(|window| window.count >= *most);
            window.map(|window| now.until(window.ends))
        };
        if let Some(wait) = most.iter().filter_map(full).max() {
            return (Next::Keep, Some(wait));
        }
        for (_, length) in &most {
            let window = quota.windows.entry(*length).or_insert(Window { ends: now.plus(*length), count: 0 });
            window.count = window.count.saturating_add(1);
        }
        quota.counted.extend(request.map(|request| (request, Counted { at: now, copies: 1 })));
        (quota.put(), None)
    }
}

impl Quota {
    fn give_back(mut self, most: &[(u32, Ttl)], request: Option<&String>) -> (Next<Self>, Wait) {
        let mut taken = None;
        if let Some(request) = request {
            let Some(counted) = self.counted.get_mut(request) else { return (Next::Keep, None) };
            counted.copies = counted.copies.saturating_sub(1);
            if counted.copies > 0 {
                return (self.put(), None);
            }
            taken = self.counted.remove(request).map(|counted| counted.at);
        }
        for (_, length) in most {
            // A window that has begun since then has not counted it.
            let counts = |window: &&mut Window| taken.is_none_or(|at| window.ends <= at.plus(*length));
            if let Some(window) = self.windows.get_mut(length).filter(counts) {
                window.count = window.count.saturating_sub(1);
            }
        }
        (self.put(), None)
    }

    fn put(self) -> Next<Self> {
        let remembered = self.counted.values().map(|counted| counted.at.plus(REMEMBERED));
        let ends = self.windows.values().map(|window| window.ends).chain(remembered).max();
        ends.map_or(Next::Delete, |ends| Next::Put(self, ends))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::machine::{Change, advance};

    proptest! {
        #[test]
        fn no_window_holds_more_than_its_most(steps in proptest::collection::vec(0_u64..2000, 1..200)) {
            let most = vec![(3, Ttl::from_seconds(60)), (10, Ttl::from_seconds(3600))];
            let (mut record, mut now, mut taken) = (None, Timestamp::from_millis(0), Vec::new());
            for later in steps {
                now = now.plus(Ttl::from_millis(later * 10));
                let (change, wait) = advance::<Quota>(record.clone(), Command::Take { most: most.clone(), request: None }, now);
                if let Change::Write(written) = change { record = Some(written) }
                if let Some(wait) = wait {
                    // After the time that it names, it goes on.
                    let (_, then) = advance::<Quota>(record.clone(), Command::Take { most: most.clone(), request: None }, now.plus(wait));
                    prop_assert_eq!(then, None);
                } else {
                    taken.push(now);
                    // A fixed window lets at most twice its most through in any stretch of its length.
                    for (most, length) in &most {
                        let within = taken.iter().filter(|at| now < at.plus(*length)).count();
                        prop_assert!(within <= 2 * *most as usize);
                    }
                }
            }
        }
    }

    #[test]
    fn a_repeated_request_is_counted_once() {
        let take = |name: &str| Command::Take { most: vec![(1, Ttl::from_seconds(3600))], request: Some(name.to_owned()) };
        let (change, wait) = advance::<Quota>(None, take("a"), Timestamp::from_millis(0));
        let (Change::Write(record), None) = (change, wait) else { panic!("the first one is counted") };
        assert_eq!(advance::<Quota>(Some(record.clone()), take("a"), Timestamp::from_millis(1)).1, None);
        assert!(advance::<Quota>(Some(record.clone()), take("b"), Timestamp::from_millis(1)).1.is_some());
        let back = Command::Return { most: vec![(1, Ttl::from_seconds(3600))], request: Some("a".to_owned()) };
        let (Change::Write(record), None) = advance::<Quota>(Some(record), back, Timestamp::from_millis(1)) else { panic!("given back") };
        assert_eq!(advance::<Quota>(Some(record), take("b"), Timestamp::from_millis(1)).1, None);
    }
    #[test]
    fn only_what_nothing_came_of_is_given_back_and_only_to_the_window_that_counted_it() {
        let most = || vec![(1, Ttl::from_seconds(3600))];
        let (mut record, mut now) = (None, Timestamp::from_millis(0));
        let mut run = |command, later| {
            now = now.plus(Ttl::from_seconds(later));
            let (change, wait) = advance::<Quota>(record.clone(), command, now);
            match change {
                Change::Write(written) => record = Some(written),
                Change::Erase => record = None,
                Change::None => {}
            }
            wait
        };
        let take = |name: &str| Command::Take { most: most(), request: Some(name.to_owned()) };
        let back = |name: &str| Command::Return { most: most(), request: Some(name.to_owned()) };
        assert_eq!(run(take("mailed"), 0), None);
        for _ in 0..3 {
            // A repeat that is refused.
            assert_eq!(run(take("mailed"), 1), None);
            run(back("mailed"), 1);
        }
        assert!(run(take("other"), 0).is_some(), "the mail went out");
        run(back("other"), 0);
        assert!(run(take("other"), 0).is_some(), "it had nothing to give back");
        run(back("mailed"), 600);
        assert!(run(take("other"), 0).is_some(), "too late: nobody knows any more whether its copies gave theirs back");

        assert_eq!(run(take("before"), 3000), None, "another hour");
        run(back("before"), 0);
        assert_eq!(run(take("before"), 3599), None);
        run(Command::Return { most: most(), request: None }, 0);
        assert_eq!(run(take("between"), 0), None);
        assert_eq!(run(take("after"), 1), None, "a third one");
        run(back("between"), 0);
        assert!(run(take("one more"), 0).is_some(), "what was taken before the hour is none of its");
    }
}
