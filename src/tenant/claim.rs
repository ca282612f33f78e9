//! A person claims the root: what was made before must not tell an earlier holder what the agents do from now on.

use super::call::{Call, Stop};
use super::{Outcome, chain, repeat, webhook};
use crate::account::sql::{Sql, SqlError};
use crate::machine::standing::Taken;
use crate::time::Timestamp;

/// Why a webhook of before is disabled.
pub const CLAIMED: &str = "claimed";

/// Disables the webhooks of before, with all that they were still to be told.
pub(super) fn claimed(call: &Call<'_, impl Sql>, key: &str, until: Timestamp, taken: Taken) -> Result<Outcome, Stop> {
    if !repeat::within(call, key, 1, until)? {
        return Ok(Outcome::Done(false));
    }
    chain::learn(call, taken)?;
    for (webhook, _) in webhook::everything(call)? {
        if webhook.enabled && taken.is_after(webhook.created, webhook.root_generation) {
            webhook::disable(call, &webhook.id, CLAIMED)?;
        }
    }
    Ok(Outcome::Done(true))
}

/// Whether whoever knows the root in `generation` has not heard of a claim that was told here.
pub(super) fn is_behind(call: &Call<'_, impl Sql>, generation: Option<u32>) -> Result<bool, SqlError> {
    let Some(generation) = generation else { return Ok(false) };
    Ok(chain::last(call)?.is_some_and(|taken| generation < taken.generation))
}
