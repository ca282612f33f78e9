//! A window of time that comes again every day, or on some days of the week.

use serde_json::Value;

use super::fault::{self, Fault};
use crate::time::Timestamp;

/// From `start` on, up to but without `end`, on the days that are named, by the clock of `utc_offset`. A window over midnight belongs to
/// the day on which it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeWindow {
    /// Seconds since midnight.
    start: i64,
    /// Seconds since midnight; 86400 is the midnight that follows.
    end: i64,
    /// Bit 0 is Monday.
    days: u8,
    /// Seconds east of Greenwich.
    offset: i64,
}

/// The keys of a window.
pub const WINDOW_KEYS: &[&str] = &["start", "end", "days", "utc_offset"];
/// The days of a week.
pub const DAYS: &[&str] = &["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

const DAY: i64 = 86_400;
/// 1970-01-01 was a Thursday.
const FIRST_WEEKDAY: i64 = 3;
/// No place on Earth is further from Greenwich.
const FURTHEST: i64 = 14 * 3600;

impl TimeWindow {
    /// Reads `{"start": "22:00", "end": "06:00", "days": ["fri"], "utc_offset": "+01:00"}`. Without `days` it is every day, without
    /// `utc_offset` it is UTC. `end` may be `24:00`.
    ///
    /// # Errors
    /// Anything else, among it a window whose start is its end.
    pub fn parse(value: &Value) -> Result<Self, Fault> {
        let fields = fault::object(value, WINDOW_KEYS)?;
        let time = |name: &str| {
            fields.get(name).and_then(Value::as_str).and_then(clock).ok_or_else(|| Fault::wrong(name, "must be a time of day as HH:MM"))
        };
        let (start, end) = (time("start")?, time("end")?);
        if start == DAY {
            return Err(Fault::wrong("start", "must be before 24:00"));
        }
        if start == end {
            return Err(Fault::wrong("end", "must not be the start; a whole day is 00:00 to 24:00"));
        }
        let days = match fields.get("days") {
            None => u8::MAX,
            Some(written) => days(written).ok_or_else(|| Fault::none_of("days", DAYS))?,
        };
        let offset = match fields.get("utc_offset") {
            None => 0,
            Some(written) => {
                written.as_str().and_then(offset).ok_or_else(|| Fault::wrong("utc_offset", "must be +HH:MM or -HH:MM, at most 14 hours"))?
            }
        };
        Ok(Self { start, end, days, offset })
    }

    /// Whether `at` lies in the window.
    #[must_use]
    pub fn contains(&self, at: Timestamp) -> bool {
        let local = at.seconds().saturating_add(self.offset);
        let (day, second) = (local.div_euclid(DAY), local.rem_euclid(DAY));
        if self.start < self.end {
            return self.has(day) && (self.start..self.end).contains(&second);
        }
        (self.has(day) && second >= self.start) || (self.has(day - 1) && second < self.end)
    }

    fn has(&self, day: i64) -> bool {
        self.days >> (day + FIRST_WEEKDAY).rem_euclid(7) & 1 == 1
    }
}

/// Seconds since midnight of `HH:MM`, up to `24:00`.
fn clock(text: &str) -> Option<i64> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |digits: &str| (digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok());
    let (hours, minutes): (i64, i64) = (number(hours)??, number(minutes)??);
    let seconds = hours * 3600 + minutes * 60;
    (minutes < 60 && seconds <= DAY).then_some(seconds)
}

fn offset(text: &str) -> Option<i64> {
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    clock(text.get(1..)?).filter(|seconds| *seconds <= FURTHEST).map(|seconds| sign * seconds)
}

fn days(written: &Value) -> Option<u8> {
    let bit = |name: &Value| DAYS.iter().position(|day| name == day).map(|index| 1_u8 << index);
    written.as_array()?.iter().try_fold(0, |days, name| Some(days | bit(name)?)).filter(|days| *days != 0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// 2027-01-15 was a Friday; 08:00:00 UTC.
    const FRIDAY_8: u64 = 1_800_000_000_000;
    const HOUR: u64 = 3_600_000;

    fn inside(window: Value, at: u64) -> bool {
        TimeWindow::parse(&window).unwrap().contains(Timestamp::from_millis(at))
    }

    #[test]
    fn the_start_is_in_and_the_end_is_out() {
        let window = json!({ "start": "08:00", "end": "09:00" });
        assert!(!inside(window.clone(), FRIDAY_8 - 1));
        assert!(inside(window.clone(), FRIDAY_8));
        assert!(inside(window.clone(), FRIDAY_8 + HOUR - 1));
        assert!(!inside(window, FRIDAY_8 + HOUR));
    }

    #[test]
    fn over_midnight_it_belongs_to_the_day_on_which_it_starts() {
        let window = |day: &str| json!({ "start": "22:00", "end": "06:00", "days": [day] });
        for (at, day) in [(14, "fri"), (15, "fri"), (16, "fri"), (21, "fri")] {
            assert!(inside(window(day), FRIDAY_8 + at * HOUR), "{at}");
        }
        assert!(inside(window("fri"), FRIDAY_8 + 22 * HOUR - 1) && !inside(window("fri"), FRIDAY_8 + 22 * HOUR));
        assert!(!inside(window("sat"), FRIDAY_8 + 17 * HOUR), "the night before Saturday is Friday's");
        assert!(inside(window("thu"), FRIDAY_8 - 3 * HOUR), "the night before Friday is Thursday's");
        assert!(!inside(window("fri"), FRIDAY_8 - 3 * HOUR));
    }

    #[test]
    fn the_clock_is_that_of_the_offset() {
        let window = |offset: &str| json!({ "start": "00:00", "end": "24:00", "days": ["fri"], "utc_offset": offset });
        assert!(inside(window("+00:00"), FRIDAY_8) && inside(window("-08:00"), FRIDAY_8));
        assert!(!inside(window("-08:01"), FRIDAY_8), "still Thursday there");
        assert!(inside(window("+14:00"), FRIDAY_8 + 2 * HOUR - 1) && !inside(window("+14:00"), FRIDAY_8 + 2 * HOUR), "Saturday already");
        assert!(!inside(window("+00:00"), 0) && inside(json!({ "start": "00:00", "end": "00:01", "days": ["thu"] }), 0));
        assert!(inside(json!({ "start": "23:00", "end": "00:00", "days": ["wed"], "utc_offset": "-01:00" }), 0));
        assert!(
            inside(json!({ "start": "00:00", "end": "12:00" }), u64::MAX) || inside(json!({ "start": "12:00", "end": "24:00" }), u64::MAX)
        );
    }

    #[test]
    fn nothing_else_is_a_window() {
        for (wrong, field) in [
            (json!("08:00-09:00"), ""),
            (json!({ "start": "08:00" }), "end"),
            (json!({ "start": "8:00", "end": "09:00" }), "start"),
            (json!({ "start": "08:60", "end": "09:00" }), "start"),
            (json!({ "start": "24:00", "end": "09:00" }), "start"),
            (json!({ "start": "08:00", "end": "24:01" }), "end"),
            (json!({ "start": "+8:00", "end": "09:00" }), "start"),
            (json!({ "start": 8, "end": "09:00" }), "start"),
            (json!({ "start": "08:00", "end": "08:00" }), "end"),
            (json!({ "start": "08:00", "end": "09:00", "days": [] }), "days"),
            (json!({ "start": "08:00", "end": "09:00", "days": ["monday"] }), "days"),
            (json!({ "start": "08:00", "end": "09:00", "days": "mon" }), "days"),
            (json!({ "start": "08:00", "end": "09:00", "utc_offset": "Z" }), "utc_offset"),
            (json!({ "start": "08:00", "end": "09:00", "utc_offset": "+14:01" }), "utc_offset"),
            (json!({ "start": "08:00", "end": "09:00", "utc_offset": "é1:00" }), "utc_offset"),
            (json!({ "start": "08:00", "end": "09:00", "timezone": "Europe/Berlin" }), "timezone"),
        ] {
            assert_eq!(TimeWindow::parse(&wrong).unwrap_err().field, field, "{wrong}");
        }
    }
}
