//! How much there is, for whoever asks.

use super::call::{Call, Stop};
use super::{Outcome, Stats, Status, agents, policy, tally, webhook};
use crate::account::sql::Sql;

pub(super) fn stats(call: &Call<'_, impl Sql>) -> Result<Outcome, Stop> {
    let reach = call.reach()?;
    let sum = |what: &'static str| tally::sum(call, call.caller_name(), &[what]);
    let of = |status| sum(agents::counts(status).0);
    Ok(Outcome::Stats(Box::new(Stats {
        agents: [of(Status::Active)?, of(Status::Suspended)?, of(Status::Revoked)?],
        credentials: [sum("credentials.live")?, sum("credentials.revoked")?],
        delegations: sum("delegations")?,
        policies: policy::count(call, &reach)?,
        webhooks: webhook::count(call, &reach)?,
    })))
}
