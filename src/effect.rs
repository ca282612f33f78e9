//! Carries out what a record says is to be done outside it.

use crate::account;
use crate::cx::Cx;
use crate::keys::{self, KeysError};
use crate::machine::{Effect, Settle};
use crate::oidc::logout_token;
use crate::status;
use crate::store::Ports;
use crate::tenant;
use crate::time::Ttl;

/// What was due and is not done: why, for the log.
#[derive(Debug)]
pub enum Undone {
    /// Somebody else did not answer.
    Outside(String),
    /// It was done, but the record did not take that.
    Unsettled(String),
}

/// Does each of `effects` and has its record take the command that settles it. One that cannot be done or settled stays due, and holds up no
/// other; all of those, in their order.
pub async fn perform_each<P: Ports>(
    effects: Vec<Effect<String>>,
    cx: &Cx<'_, P>,
    mut settle: impl FnMut(&str) -> Result<(), String>,
) -> Vec<Undone> {
    let mut undone = Vec::new();
    for effect in effects {
        match perform(effect, cx).await {
            Ok(command) => undone.extend(settle(&command).err().map(Undone::Unsettled)),
            Err(error) => undone.push(Undone::Outside(error.to_string())),
        }
    }
    undone
}

/// Does `effect`; the command that it returns settles it.
///
/// # Errors
/// It could not be done now; it stays due.
pub async fn perform<P: Ports>(effect: Effect<String>, cx: &Cx<'_, P>) -> Result<String, KeysError> {
    match effect {
        Effect::Step(command) => Ok(command),
        Effect::GenerateKey(ring, Settle(then)) => Ok(then(keys::candidate(ring, cx).await?)),
        Effect::Publish { name, value, then } => {
            cx.ports.publish(name, &value, None).await?;
            Ok(then)
        }
        Effect::PublishStatusList { list, bits, expires, then } => {
            let token = status::sign(list, &bits, expires, cx).await?;
            let ttl = cx.now.until(expires).max(Ttl::from_seconds(60));
            cx.ports.publish(&status::name(list), &token, Some(ttl)).await?;
            Ok(then)
        }
        Effect::LogOut { relying, heard, lost } => Ok(if logout_token::hand_over(&relying, cx).await? { heard } else { lost }),
        Effect::Tell { kind, id, command, then } => {
            cx.ports.tell(kind, &id, command).await?;
            Ok(then)
        }
        Effect::TellAccount { account, command, heard, refused } => {
            let outcome = cx.ports.account(&account, account::Command::Tenant(command)).await?;
            let is_refused = matches!(outcome, account::Outcome::Tenant(outcome) if matches!(*outcome, tenant::Outcome::Refused(_)));
            Ok(if is_refused { refused } else { heard })
        }
    }
}
