//! Everything that acts for a person, agents and grants to clients alike: ended, barred, or let go on.

use std::rc::Rc;

use crate::account::{Command, Outcome};
use crate::cx::Cx;
use crate::http::refuse::Refused;
use crate::id::{AccountId, Holder};
use crate::machine::grant::{self, Grant};
use crate::machine::registration::{self, Registration};
use crate::oauth::error::ErrorCode;
use crate::store::Ports;
use crate::verify;

/// What becomes of it.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// This person ends what is theirs.
    EndBy(AccountId),
    /// The operator ends it, whoever's it is.
    EndByOperator,
    /// It rests, or goes on, if it is this person's.
    Suspend(AccountId, bool),
}

/// How many were found.
pub(crate) struct Found {
    pub(crate) agents: usize,
    pub(crate) clients: usize,
}

/// Changes all that acts for a person and has not ended. One that is gone, or somebody else's by now, has nothing left to do; one that does
/// not answer keeps no other from hearing of it.
///
/// # Errors
/// One of them, or the account, did not answer.
pub(crate) async fn change_all<P: Ports>(person: &AccountId, change: &Change, cx: &Cx<'_, P>) -> Result<Found, Refused> {
    let (agents, told) = change_live(person, Command::Agents { after: None, limit: PAGE, live: true }, change, cx).await?;
    let (clients, also) = change_live(person, Command::Connections { after: None, limit: PAGE, live: true }, change, cx).await?;
    also.and(told)?;
    Ok(Found { agents, clients })
}

/// Changes one, and lets this isolate know at once.
///
/// # Errors
/// `not_found` if it is not there, or not this person's.
pub(crate) async fn change<P: Ports>(holder: &Holder, change: &Change, cx: &Cx<'_, P>) -> Result<(), Refused> {
    let change = change.clone();
    let standing = match holder {
        Holder::Registration(id) => {
            let command = match change {
                Change::EndBy(person) => registration::Command::EndBy(person),
                Change::EndByOperator => registration::Command::EndByOperator,
                Change::Suspend(person, suspended) => registration::Command::Suspend { person, suspended },
            };
            match cx.ports.run::<Registration>(id, command).await? {
                registration::Outcome::Standing(standing) => standing,
                _ => return Err(Refused::new(ErrorCode::NotFound, "no such agent of this person")),
            }
        }
        Holder::Grant(id) => {
            let command = match change {
                Change::EndBy(person) => grant::Command::EndBy(person),
                Change::EndByOperator => grant::Command::EndByOperator,
                Change::Suspend(person, suspended) => grant::Command::Suspend { person, suspended },
            };
            match cx.ports.run::<Grant>(id, command).await? {
                grant::Outcome::Standing(standing) => standing,
                _ => return Err(Refused::new(ErrorCode::NotFound, "no such grant of this person")),
            }
        }
    };
    verify::note(holder, Some(Rc::new(standing)), cx);
    Ok(())
}

/// So many are listed at once.
const PAGE: u32 = 100;

/// Changes whatever `first` lists, and the pages after it: how many there were, and whether all have heard of it.
async fn change_live<P: Ports>(
    person: &AccountId,
    first: Command,
    change_to: &Change,
    cx: &Cx<'_, P>,
) -> Result<(usize, Result<(), Refused>), Refused> {
    let mut all: Vec<Holder> = Vec::new();
    let mut next = Some(first);
    while let Some(command) = next {
        let (page, more): (Vec<Holder>, bool) = match cx.ports.account(person, command).await? {
            Outcome::Agents(agents, more) => (agents.into_iter().map(|agent| Holder::Registration(agent.registration)).collect(), more),
            Outcome::Connections(grants, more) => (grants.into_iter().map(|grant| Holder::Grant(grant.grant)).collect(), more),
            _ => break,
        };
        next = page.last().filter(|_| more).cloned().map(|last| match last {
            Holder::Registration(last) => Command::Agents { after: Some(last), limit: PAGE, live: true },
            Holder::Grant(last) => Command::Connections { after: Some(last), limit: PAGE, live: true },
        });
        all.extend(page);
    }
    let mut told = Ok(());
    for holder in &all {
        match change(holder, change_to, cx).await {
            Err(refused) if refused.code() != ErrorCode::NotFound => told = Err(refused),
            _ => {}
        }
    }
    Ok((all.len(), told))
}
