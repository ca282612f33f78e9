//! Rate windows of one network: an IPv4 /24 or an IPv6 /48, with its addresses or /64s.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::budget::Permits;
use super::{Machine, Next};
use crate::time::{Timestamp, Ttl};

/// Who has registered how often in the last hour.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Limit {
    whole: Option<Window>,
    narrow: BTreeMap<String, Window>,
    permits: Option<Permits>,
    /// Requests that were counted and may be repeated, and until when they are remembered.
    #[serde(default)]
    counted: BTreeMap<String, Timestamp>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Window {
    began: Timestamp,
    count: u32,
}

/// Asks for one registration.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Take {
    /// The address or /64 within the network; none if only the network is known.
    pub narrow: Option<String>,
    /// Registrations an hour of one address or /64.
    pub per_narrow: u32,
    /// Registrations an hour of the whole network.
    pub per_whole: u32,
    /// Permits just leased from the deployment's budget.
    pub permits: Option<Permits>,
    /// The digest of a request that may be repeated: it is counted once.
    #[serde(default)]
    pub request: Option<String>,
}

/// Whether one registration may go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Taken {
    /// Yes; so much is left in the window, which ends in so long.
    Yes {
        /// The tighter of the two limits.
        limit: u32,
        /// What is left of it.
        remaining: u32,
        /// Until it begins anew.
        reset: Ttl,
    },
    /// No, not for so long.
    No {
        /// The limit that was hit.
        limit: u32,
        /// Until it begins anew.
        reset: Ttl,
    },
    /// As far as this network goes, yes; but it holds no permit of the deployment. Come again with so many: the more it has
    /// used, the more.
    PermitNeeded {
        /// How many.
        want: u32,
    },
}

/// More permits than this a network does not hold; the rest goes back to the deployment's budget.
pub const MOST_PERMITS: u32 = 10;

/// Longer than a request may be repeated.
const REMEMBERED: Ttl = Ttl::from_seconds(660);
const WINDOW: Ttl = Ttl::from_seconds(3600);

impl Machine for Limit {
    const KIND: &'static str = "limit";
    type Id = String;
    type Command = Take;
    /// The answer, and how many of the permits that came with the command go back.
    type Outcome = (Taken, u32);

    fn step(state: Option<Self>, command: Take, now: Timestamp) -> (Next<Self>, (Taken, u32)) {
        let mut limit = state.unwrap_or_default();
        limit.forget(now);
        let surplus = command.permits.map_or(0, |leased| limit.add(leased));
        let mut windows = vec![(limit.whole.unwrap_or(Window { began: now, count: 0 }), command.per_whole)];
        if let Some(narrow) = &command.narrow {
            let window = limit.narrow.get(narrow).copied().unwrap_or(Window { began: now, count: 0 });
            windows.push((window, command.per_narrow));
        }
        let reset = |window: &Window| now.until(window.began.plus(WINDOW));
        let repeated = command.request.as_ref().is_some_and(|request| limit.counted.contains_key(request));
        let outcome = if repeated {
            // Counted already, whatever has become of the windows since.
            windows.iter().min_by_key(|(window, most)| most.saturating_sub(window.count)).map_or(
                Taken::PermitNeeded { want: 1 },
                |(window, most)| Taken::Yes { limit: *most, remaining: most.saturating_sub(window.count), reset: reset(window) },
            )
        } else if let Some((window, most)) =
            windows.iter().filter(|(window, most)| window.count >= *most).max_by_key(|(window, _)| reset(window))
        {
            Taken::No { limit: *most, reset: reset(window) }
        } else if limit.permits.is_none_or(|permits| permits.count == 0) {
            Taken::PermitNeeded { want: limit.whole.map_or(1, |window| window.count.clamp(1, MOST_PERMITS)) }
        } else {
            limit.count(command.narrow.as_deref(), now);
            limit.counted.extend(command.request.map(|request| (request, now.plus(REMEMBERED))));
            let left = |(window, most): &(Window, u32)| most.saturating_sub(window.count).saturating_sub(1);
            match windows.iter().min_by_key(|window| left(window)) {
                Some(tightest) => Taken::Yes { limit: tightest.1, remaining: left(tightest), reset: reset(&tightest.0) },
                None => Taken::PermitNeeded { want: 1 },
            }
        };
        match (&outcome, command.permits) {
            // Who may not register has no use for permits.
            (Taken::No { .. }, Some(leased)) => (Next::Keep, (outcome, leased.count)),
            (Taken::Yes { .. }, _) | (_, Some(_)) => (Next::Put(limit, now.plus(WINDOW)), (outcome, surplus)),
            _ => (Next::Keep, (outcome, surplus)),
        }
    }
}

impl Limit {
    fn forget(&mut self, now: Timestamp) {
        let open = |window: &Window| now < window.began.plus(WINDOW);
        self.whole = self.whole.filter(open);
        self.narrow.retain(|_, window| open(window));
        self.counted.retain(|_, until| now < *until);
        self.permits = self.permits.filter(|permits| now < permits.until);
    }

    fn add(&mut self, leased: Permits) -> u32 {
        let held = self.permits.filter(|held| held.until == leased.until).map_or(0, |held| held.count);
        let all = held.saturating_add(leased.count);
        self.permits = Some(Permits { count: all.min(MOST_PERMITS), until: leased.until });
        all.saturating_sub(MOST_PERMITS).min(leased.count)
    }

    fn count(&mut self, narrow: Option<&str>, now: Timestamp) {
        let one_more = |window: &mut Window| window.count = window.count.saturating_add(1);
        one_more(self.whole.get_or_insert(Window { began: now, count: 0 }));
        if let Some(narrow) = narrow {
            one_more(self.narrow.entry(narrow.to_owned()).or_insert(Window { began: now, count: 0 }));
        }
        if let Some(permits) = &mut self.permits {
            permits.count = permits.count.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Change, Record, advance};

    struct Cell(Option<Record<Limit>>);

    impl Cell {
        fn take(&mut self, address: &str, at: u64) -> Taken {
            let permits = Some(Permits { count: 1, until: Timestamp::from_millis(at).plus(WINDOW) });
            let take = Take { narrow: Some(address.into()), per_narrow: 2, per_whole: 5, permits, request: None };
            let (change, (taken, _)) = advance(self.0.clone(), take, Timestamp::from_millis(at));
            if let Change::Write(record) = change {
                self.0 = Some(record);
            }
            taken
        }
    }

    #[test]
    fn an_address_has_its_window_and_the_network_ten_of_them() {
        let mut cell = Cell(None);
        assert!(matches!(cell.take("a", 0), Taken::Yes { limit: 2, remaining: 1, .. }));
        assert!(matches!(cell.take("a", 10), Taken::Yes { limit: 2, remaining: 0, .. }));
        assert_eq!(cell.take("a", 1000), Taken::No { limit: 2, reset: Ttl::from_seconds(3599) });
        for address in ["b", "c", "d"] {
            assert!(matches!(cell.take(address, 1000), Taken::Yes { .. }));
        }
        assert!(matches!(cell.take("e", 1000), Taken::No { limit: 5, .. }), "the whole network");
        assert!(matches!(cell.take("a", 3_600_000), Taken::Yes { .. }), "an hour later");
    }

    #[test]
    fn a_request_that_may_be_repeated_is_counted_once() {
        let mut record = None;
        for copy in 0..20 {
            let permits = Some(Permits { count: 1, until: Timestamp::from_seconds(3600) });
            let take = Take { narrow: Some("a".into()), per_narrow: 1, per_whole: 5, permits, request: Some("same".into()) };
            let (change, (taken, _)) = advance::<Limit>(record.clone(), take, Timestamp::from_seconds(copy));
            assert!(matches!(taken, Taken::Yes { .. }), "{taken:?}");
            if let Change::Write(written) = change {
                record = Some(written);
            }
        }
        assert_eq!(record.unwrap().state.whole.unwrap().count, 1);
    }

    #[test]
    fn permits_beyond_need_go_back() {
        let mut record = None;
        let mut returned = 0;
        for _ in 0..100 {
            let permits = Some(Permits { count: 5, until: Timestamp::from_seconds(3600) });
            let take = Take { narrow: None, per_narrow: 1, per_whole: 2, permits, request: None };
            let (change, (_, surplus)) = advance::<Limit>(record.clone(), take, Timestamp::from_millis(0));
            returned += surplus;
            if let Change::Write(written) = change {
                record = Some(written);
            }
        }
        let held = record.unwrap().state.permits.unwrap().count;
        assert_eq!(held + returned + 2, 500, "two used, the rest held or given back");
        assert!(held <= MOST_PERMITS);
    }

    #[test]
    fn without_a_permit_nothing_is_counted() {
        let take = Take { narrow: None, per_narrow: 1, per_whole: 1, permits: None, request: None };
        let (change, (taken, _)) = advance::<Limit>(None, take, Timestamp::from_millis(0));
        assert!(matches!(change, Change::None));
        assert_eq!(taken, Taken::PermitNeeded { want: 1 });
    }
}
