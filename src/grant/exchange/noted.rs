//! What people read of exchanges: who asked for a token in their name, and for where.

use crate::account::{self, Event, event};
use crate::cx::Cx;
use crate::id::Holder;
use crate::machine::grant::{Command, Grant, Outcome};
use crate::machine::registration::{self, Registration};
use crate::store::{Ports, StoreError};
use crate::time::Ttl;

/// What is exchanged of one holder's for one audience is noted once in so long, by each isolate: services exchange all day, and whoever
/// can name themselves anew each time must not push all else out of the person's list.
const AGAIN: Ttl = Ttl::from_seconds(3600);

/// Notes that `asker` got a token for `audience` in exchange for one of `holder`, with the person's account or through the agent's record.
/// That it cannot be noted is no more than a line in the log.
pub(super) async fn note<P: Ports>(holder: &Holder, asker: &str, audience: &str, cx: &Cx<'_, P>) {
    let detail = format!("{asker} for {audience}");
    let key = format!("{holder} {audience}");
    if cx.memory.exchanges.borrow().find(&key).is_some_and(|at| cx.now < at.plus(AGAIN)) {
        return;
    }
    cx.memory.exchanges.borrow_mut().insert(key, cx.now);
    if let Err(error) = tell(holder, detail, cx).await {
        cx.ports.warn("exchange_not_noted", &error.to_string());
    }
}

async fn tell<P: Ports>(holder: &Holder, detail: String, cx: &Cx<'_, P>) -> Result<(), StoreError> {
    match holder {
        Holder::Registration(id) => {
            cx.ports.run::<Registration>(id, registration::Command::Exchanged { detail }).await?;
        }
        Holder::Grant(id) => {
            if let Outcome::Whose(Some(account)) = cx.ports.run::<Grant>(id, Command::Whose).await? {
                let event = Event { at: cx.now, name: event::TOKEN_EXCHANGED.to_owned(), registration: None, detail };
                cx.ports.account(&account, account::Command::Note(event)).await?;
            }
        }
    }
    Ok(())
}
