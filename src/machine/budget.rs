//! The deployment's limit of registrations. One object has all of it and hands it out in blocks to a few others; those hand it
//! on to the networks. So no single object sees every registration, and little lies idle.

use serde::{Deserialize, Serialize};

use super::{Machine, Next};
use crate::time::{Timestamp, Ttl};

/// Registrations of the whole deployment in the present hour.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Budget {
    began: Timestamp,
    leased: u32,
    /// Permits at hand: of a share, not of the whole.
    #[serde(default)]
    share: Option<Permits>,
}

/// The one that has all of it.
pub const DEPLOYMENT: &str = "deployment";
/// A large limit has so many shares.
pub const SHARES: u32 = 16;

/// What can be asked of it.
#[derive(Debug, Serialize, Deserialize)]
pub enum Command {
    /// Asks for permits.
    Lease {
        /// How many are wanted.
        want: u32,
        /// How many there are in an hour.
        limit: u32,
    },
    /// Asks a share for permits, and adds some that the whole has leased to it.
    Draw {
        /// How many are wanted.
        want: u32,
        /// Just leased.
        leased: Option<Permits>,
    },
    /// Gives permits back that turned out not to be needed.
    Return(Permits),
}

/// Permits to register, good until the end of the hour that they are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permits {
    /// How many.
    pub count: u32,
    /// Until when.
    pub until: Timestamp,
}

const WINDOW: Ttl = Ttl::from_seconds(3600);

impl Machine for Budget {
    const KIND: &'static str = "budget";
    type Id = String;
    type Command = Command;
    /// `count` is 0 when the hour is used up; `until` says when the next begins.
    type Outcome = Permits;

    fn step(state: Option<Self>, command: Command, now: Timestamp) -> (Next<Self>, Permits) {
        let mut budget = state.unwrap_or(Self { began: now, leased: 0, share: None });
        let until = budget.began.plus(WINDOW);
        let count = match command {
            Command::Lease { want, limit } => want.min(limit.saturating_sub(budget.leased)),
            Command::Return(permits) if permits.until == until => {
                budget.leased = budget.leased.saturating_sub(permits.count);
                return (Next::Put(budget, until), Permits { count: 0, until });
            }
            Command::Return(_) => 0,
            Command::Draw { want, leased } => return budget.draw(want, leased, now),
        };
        budget.leased = budget.leased.saturating_add(count);
        let next = if count == 0 { Next::Keep } else { Next::Put(budget, until) };
        (next, Permits { count, until })
    }
}

impl Budget {
    /// Hands out what is at hand, less than is wanted if need be.
    fn draw(mut self, want: u32, leased: Option<Permits>, now: Timestamp) -> (Next<Self>, Permits) {
        let mut share = self.share.filter(|share| now < share.until).unwrap_or(Permits { count: 0, until: now });
        if let Some(leased) = leased {
            let held = if share.until == leased.until { share.count } else { 0 };
            share = Permits { count: held.saturating_add(leased.count), until: leased.until };
        }
        let count = want.min(share.count);
        share.count = share.count.saturating_sub(count);
        let drawn = Permits { count, until: share.until };
        if count == 0 && leased.is_none() {
            return (Next::Keep, drawn);
        }
        self.share = Some(share);
        (Next::Put(self, share.until), drawn)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::machine::{Change, advance};

    proptest! {
        #[test]
        fn an_hour_never_hands_out_more_than_its_limit(wants in proptest::collection::vec((1_u32..20, 0_u64..600_000), 1..200), limit in 1_u32..100) {
            let (mut record, mut clock, mut total, mut until) = (None, Timestamp::from_millis(1), 0, Timestamp::from_millis(0));
            for (want, later) in wants {
                clock = clock.plus(Ttl::from_millis(later));
                let (change, permits) = advance::<Budget>(record.clone(), Command::Lease { want, limit }, clock);
                if permits.until != until {
                    (total, until) = (0, permits.until);
                }
                total += permits.count;
                prop_assert!(total <= limit && clock < permits.until);
                if let Change::Write(written) = change { record = Some(written) }
                let back = Permits { count: permits.count / 2, until: permits.until };
                let (change, _) = advance::<Budget>(record.clone(), Command::Return(back), clock);
                if let Change::Write(written) = change { record = Some(written) }
                total -= back.count;
            }
        }
    }
}
