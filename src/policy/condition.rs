//! When a policy counts.

use serde_json::Value;

use super::{Effect, Question};
use crate::constraint::fault::{self, Fault};
use crate::constraint::operator::Test;
use crate::constraint::window::TimeWindow;
use crate::network::Cidr;

/// The keys of `conditions`.
pub const CONDITION_KEYS: &[&str] = &["time_window", "ip_ranges", "ip_allowlist", "rate_limit", "arguments"];
/// The keys of `rate_limit`.
pub const RATE_KEYS: &[&str] = &["max", "window_seconds"];

/// A day.
const LONGEST_WINDOW: u64 = 86_400;
const MOST_PER_WINDOW: u64 = 1_000_000;

/// How often something may be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// So often, ...
    pub max: u64,
    /// ... in any time of this length.
    pub window_seconds: u64,
}

/// All of them have to hold. Those that are not there do.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Conditions {
    time_window: Option<TimeWindow>,
    /// `ip_ranges` and `ip_allowlist`: the address has to be in each list that there is.
    networks: Vec<Vec<Cidr>>,
    pub(super) rate_limit: Option<RateLimit>,
    arguments: Vec<(String, Test)>,
}

impl Conditions {
    pub(super) fn parse(written: &Value) -> Result<Self, Fault> {
        let fields = fault::object(written, CONDITION_KEYS)?;
        let mut conditions = Self::default();
        for (name, value) in fields {
            match name.as_str() {
                "time_window" => TimeWindow::parse(value).map(|window| conditions.time_window = Some(window)),
                "ip_ranges" => networks(value, true).map(|networks| conditions.networks.push(networks)),
                "ip_allowlist" => networks(value, false).map(|networks| conditions.networks.push(networks)),
                "rate_limit" => rate_limit(value).map(|limit| conditions.rate_limit = Some(limit)),
                _ => arguments(value).map(|tests| conditions.arguments = tests),
            }
            .map_err(|fault| fault.within(name))?;
        }
        Ok(conditions)
    }

    /// Whether a policy of this effect counts for the question; `count` is how often the agent has done so within the time of the limit.
    /// What cannot be judged does not hold for an allow, and holds for a deny.
    pub(super) fn hold(&self, effect: Effect, question: &Question<'_>, count: Option<u64>) -> bool {
        // An allow counts until the limit is reached, a deny from then on.
        let rate = |limit: RateLimit| count.map(|count| (count < limit.max) == (effect == Effect::Allow));
        self.rate_limit.is_none_or(|limit| rate(limit).unwrap_or(effect == Effect::Deny)) && self.hold_but_for_rate(effect, question)
    }

    /// The same without a look at how often.
    pub(super) fn hold_but_for_rate(&self, effect: Effect, question: &Question<'_>) -> bool {
        let holds = |judged: Option<bool>| judged.unwrap_or(effect == Effect::Deny);
        let address = |networks: &Vec<Cidr>| question.ip.map(|ip| networks.iter().any(|network| network.contains(ip)));
        let argument = |(name, test): &(String, Test)| test.judge(question.arguments.and_then(|arguments| arguments.get(name)));
        self.time_window.is_none_or(|window| window.contains(question.at))
            && self.networks.iter().all(|networks| holds(address(networks)))
            && self.arguments.iter().all(|test| holds(argument(test)))
    }
}

fn networks(written: &Value, ranges: bool) -> Result<Vec<Cidr>, Fault> {
    let words = if ranges {
        "must be networks in CIDR notation, IPv4 or IPv6; mapped IPv4 has at least 96 bits"
    } else {
        "must be IPv4 or IPv6 addresses; networks go into ip_ranges"
    };
    let network = |entry: &Value| {
        entry.as_str().filter(|text| ranges || !text.contains('/')).and_then(Cidr::parse).ok_or_else(|| Fault::wrong("", words))
    };
    fault::list(written)?.iter().map(network).collect()
}

fn rate_limit(written: &Value) -> Result<RateLimit, Fault> {
    let fields = fault::object(written, RATE_KEYS)?;
    let number = |name: &str, most: u64| fields.get(name).and_then(Value::as_u64).filter(|number| (1..=most).contains(number));
    let max = number("max", MOST_PER_WINDOW).ok_or_else(|| Fault::wrong("max", "must be a number from 1 to 1000000"))?;
    let window_seconds =
        number("window_seconds", LONGEST_WINDOW).ok_or_else(|| Fault::wrong("window_seconds", "must be a number from 1 to 86400"))?;
    Ok(RateLimit { max, window_seconds })
}

fn arguments(written: &Value) -> Result<Vec<(String, Test)>, Fault> {
    let fields = written.as_object().filter(|fields| !fields.is_empty());
    Test::fields(fields.ok_or_else(|| Fault::wrong("", "must be an object of arguments and their tests"))?.iter())
}
