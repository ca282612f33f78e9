//! How long an alarm waits whose work cannot be done: ever longer, since whatever is in its way is seldom mended soon.

use std::fmt;

use crate::time::{Timestamp, Ttl};

/// The first pause.
pub const FIRST: Ttl = Ttl::from_seconds(5);
/// The longest one, if what is stored cannot be read: nobody mends that soon.
pub const LONGEST: Ttl = Ttl::from_seconds(3600);
/// The longest one, if somebody else does not answer: what they are to be told must not be late once they do.
pub const LONGEST_OUTSIDE: Ttl = Ttl::from_seconds(300);
/// Alarms may be late by so much.
const LATE: Ttl = Ttl::from_seconds(60);

/// A pause, as it is kept: two numbers of milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// How long.
    length: Ttl,
    /// When it is over.
    pub until: Timestamp,
}

impl Pause {
    /// The one that follows `before`: twice as long, but no longer than `longest`, unless things went well after it. That is not written down: they did if what has failed
    /// now does not come from the alarm at the end of it.
    #[must_use]
    pub fn after(before: Option<Self>, now: Timestamp, longest: Ttl) -> Self {
        let running = before.filter(|before| now < before.until.plus(before.length.max(LATE)));
        let length = running.map_or(FIRST, |before| Ttl::from_millis(before.length.millis().saturating_mul(2)).clamp(FIRST, longest));
        Self { length, until: now.plus(length) }
    }

    /// What [`fmt::Display`] has written.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (length, until) = text.split_once(' ')?;
        Some(Self { length: Ttl::from_millis(length.parse().ok()?), until: Timestamp::from_millis(until.parse().ok()?) })
    }
}

impl fmt::Display for Pause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.length.millis(), self.until.millis())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    /// As an object has it that is evicted each time.
    fn again(before: &str, now: Timestamp, longest: Ttl) -> (String, u64) {
        let pause = Pause::after(Pause::parse(before), now, longest);
        (pause.to_string(), now.until(pause.until).seconds())
    }

    fn pauses(longest: Ttl) -> Vec<u64> {
        let (mut kept, mut now) = (String::new(), START);
        let pauses = [0, 59, 0, 30, 1, 0, 59, 0, 0, 0, 59, 0].map(|late| {
            let (next, pause) = again(&kept, now, longest);
            (kept, now) = (next, now.plus(Ttl::from_seconds(pause + late)));
            pause
        });
        pauses.to_vec()
    }

    #[test]
    fn pauses_double_from_five_seconds_to_an_hour() {
        assert_eq!(pauses(LONGEST), [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600]);
    }

    #[test]
    fn pauses_double_to_five_minutes_if_somebody_else_does_not_answer() {
        assert_eq!(pauses(LONGEST_OUTSIDE), [5, 10, 20, 40, 80, 160, 300, 300, 300, 300, 300, 300]);
        let hour = START.plus(Ttl::from_seconds(3600));
        assert_eq!(again("3600000 1800003600000", hour, LONGEST_OUTSIDE).1, 300, "after one that was longer");
    }

    #[test]
    fn what_fails_long_after_a_pause_begins_anew_and_so_does_what_nobody_can_read() {
        for (kept, seconds, pause) in [("5000 1800000000000", 59, 10), ("5000 1800000000000", 60, 5), ("3600000 1800000000000", 3599, 3600)]
        {
            assert_eq!(again(kept, START.plus(Ttl::from_seconds(seconds)), LONGEST).1, pause, "{kept}");
        }
        for kept in ["", "5", "x y", "-5 7", "99999999999999999999999 7"] {
            assert_eq!(again(kept, START, LONGEST).1, 5, "{kept}");
        }
    }
}
