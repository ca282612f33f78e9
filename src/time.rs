//! Points in time and lengths of time. There is no clock in this crate: `now` is always an argument.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

/// Milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// Later than any time that a clock will show: the expiry of what does not expire.
    pub const NEVER: Self = Self(u64::MAX);

    /// From milliseconds since the Unix epoch.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// From seconds since the Unix epoch (a JWT `NumericDate`); negative values become the epoch.
    #[must_use]
    pub fn from_seconds(seconds: i64) -> Self {
        Self(u64::try_from(seconds).unwrap_or(0).saturating_mul(1000))
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down.
    #[must_use]
    pub fn seconds(self) -> i64 {
        i64::try_from(self.0 / 1000).unwrap_or(i64::MAX)
    }

    /// The same moment rounded down to a whole second, as JWT claims carry it.
    #[must_use]
    pub const fn whole_seconds(self) -> Self {
        Self(self.0 - self.0 % 1000)
    }

    /// This moment and `ttl` more.
    #[must_use]
    pub const fn plus(self, ttl: Ttl) -> Self {
        Self(self.0.saturating_add(ttl.millis()))
    }

    /// This moment less `ttl`.
    #[must_use]
    pub const fn minus(self, ttl: Ttl) -> Self {
        Self(self.0.saturating_sub(ttl.millis()))
    }

    /// How long until `later`; nothing if that has passed.
    #[must_use]
    pub const fn until(self, later: Self) -> Ttl {
        Ttl::from_millis(later.0.saturating_sub(self.0))
    }

    /// ISO 8601 with milliseconds and `Z`; `None` for [`Timestamp::NEVER`].
    #[must_use]
    pub fn iso(self) -> Option<String> {
        let millis = i64::try_from(self.0).ok()?;
        let date: DateTime<Utc> = DateTime::from_timestamp_millis(millis)?;
        Some(date.to_rfc3339_opts(SecondsFormat::Millis, true))
    }

    /// For the claims of `jwt-compact`.
    #[must_use]
    pub fn date(self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.seconds(), 0).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(date: DateTime<Utc>) -> Self {
        Self::from_seconds(date.timestamp())
    }
}

/// A length of time, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ttl(u64);

impl Ttl {
    /// So many seconds.
    #[must_use]
    pub const fn from_seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// So many milliseconds.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// In milliseconds.
    #[must_use]
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// In seconds, rounded down, so that whoever counts on that much has no less.
    #[must_use]
    pub const fn whole_seconds(self) -> u64 {
        self.0 / 1000
    }

    /// In seconds, rounded up, so that whoever waits that long has waited long enough.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        self.0.div_ceil(1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iso_has_milliseconds_and_z() {
        let moment = Timestamp::from_millis(1_800_000_000_123);
        assert_eq!(moment.iso().unwrap(), "2027-01-15T08:00:00.123Z");
        assert_eq!(Timestamp::NEVER.iso(), None);
    }

    #[test]
    fn a_wait_is_rounded_up() {
        assert_eq!(Ttl::from_millis(1).seconds(), 1);
        assert_eq!(Ttl::from_millis(2000).seconds(), 2);
        assert_eq!(Timestamp::from_millis(5).until(Timestamp::from_millis(3)).seconds(), 0);
    }
}
