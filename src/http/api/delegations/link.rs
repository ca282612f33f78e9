//! What happens to one link, whoever asks for it: the agents of its sides, or the people whose agents they are. Who may has been judged
//! before.

use std::rc::Rc;

use super::super::manager::{retain, run, unexpected};
use super::shown::unknown;
use crate::cx::Cx;
use crate::delegation::{self, Cut, MOST_CHAINS, MOST_CHAINS_OF_ONE};
use crate::entropy::random;
use crate::http::refuse::Refused;
use crate::id::{AccountId, DelegationId, RegistrationId};
use crate::machine::delegation::{By, Command, Delegation, Link, Outcome, Telling};
use crate::oauth::error::ErrorCode;
use crate::store::Ports;
use crate::tenant::{self, DelegationStatus, LONGEST_PAGE, What};
use crate::verify;

/// So many delegations are looked at for one that makes room: each may cost thirty questions.
const MOST_LOOKED_AT: usize = 4;

/// Takes what was offered. Taken before is taken.
///
/// # Errors
/// It is over, the delegate does not count, or has too many already.
pub(in crate::http) async fn accept<P: Ports>(link: &Link, by: By, cx: &Cx<'_, P>) -> Result<Rc<Link>, Refused> {
    if verify::agent(&link.terms.delegate, cx).await.is_err() {
        return Err(Refused::new(ErrorCode::AgentInactive, "the delegate does not count"));
    }
    if let Some(Cut { by, .. }) = delegation::cut(link, cx).await? {
        let (link, _) = change(&link.terms.id, Command::Cut(by), cx).await?;
        return Err(over(&link, cx).await);
    }
    let terms = &link.terms;
    if link.status == DelegationStatus::Pending && !room(terms.delegator(), &terms.delegate, &terms.delegate_account, cx).await? {
        return Err(full());
    }
    let (link, refused) = change(&link.terms.id, Command::Accept(by.clone()), cx).await?;
    if refused {
        // Others came at the same time.
        change(&link.terms.id, Command::Revoke(by), cx).await?;
        return Err(full());
    }
    if link.is_live(cx.now) { Ok(link) } else { Err(over(&link, cx).await) }
}

/// Turns it down, for good.
///
/// # Errors
/// It was taken, or is over.
pub(in crate::http) async fn decline<P: Ports>(link: &Link, by: By, cx: &Cx<'_, P>) -> Result<Rc<Link>, Refused> {
    let (link, _) = change(&link.terms.id, Command::Decline(by), cx).await?;
    match link.status {
        DelegationStatus::Declined => Ok(link),
        DelegationStatus::Active => Err(Refused::new(ErrorCode::Conflict, "it was taken before").hint("Give it back: DELETE it.")),
        DelegationStatus::Pending | DelegationStatus::Revoked => Err(over(&link, cx).await),
    }
}

/// Ends it. With it ends whatever was made of it, as that is asked.
///
/// # Errors
/// It did not answer.
pub(in crate::http) async fn revoke<P: Ports>(link: &Link, by: By, cx: &Cx<'_, P>) -> Result<(), Refused> {
    change(&link.terms.id, Command::Revoke(by), cx).await.map(|_| ())
}

/// Makes one, unless it is there.
///
/// # Errors
/// Its delegate, or the delegate's account, has too many.
pub(super) async fn make<P: Ports>(id: &DelegationId, command: Command, by: By, cx: &Cx<'_, P>) -> Result<Rc<Link>, Refused> {
    let (link, refused) = change(id, command, cx).await?;
    if !refused {
        // A repeated request makes nothing anew.
        return if matches!(link.status, DelegationStatus::Revoked | DelegationStatus::Declined) { Err(ended()) } else { Ok(link) };
    }
    change(id, Command::Revoke(by), cx).await?;
    Err(if link.terms.crosses() {
        Refused::new(ErrorCode::LimitReached, "the delegate's account has too many offers, of everybody or of this account")
            .hint("So many of your delegations wait for that account, or so many of everybody's: have it answer some of them.")
    } else {
        full()
    })
}

/// Whether a delegate may have one more of that delegator. Where there is no room, what is dead by what its account cannot know makes some: of
/// those that are in the way a few are looked at, others each time.
pub(super) async fn room<P: Ports>(
    delegator: &RegistrationId,
    delegate: &RegistrationId,
    account: &AccountId,
    cx: &Cx<'_, P>,
) -> Result<bool, Refused> {
    let what = What::Incoming { delegate: delegate.clone(), limit: LONGEST_PAGE };
    let tenant::Outcome::Delegations(mut rows, _) = run(account, tenant::Command::alone(what), cx).await? else { return Ok(true) };
    let reaches = |count: usize, most: u32| u32::try_from(count).map_or(true, |count| count >= most);
    let fits = |rows: &[tenant::Delegation]| {
        let of_one = rows.iter().filter(|row| row.delegator == *delegator).count();
        !reaches(rows.len(), MOST_CHAINS) && !reaches(of_one, MOST_CHAINS_OF_ONE)
    };
    if fits(&rows) {
        return Ok(true);
    }
    let is_full = reaches(rows.len(), MOST_CHAINS);
    let mut ids: Vec<_> = rows.iter().filter(|row| is_full || row.delegator == *delegator).map(|row| row.id.clone()).collect();
    let [chance] = random(cx.entropy)?;
    let first = usize::from(chance).checked_rem(ids.len()).unwrap_or_default();
    ids.rotate_left(first);
    ids.truncate(MOST_LOOKED_AT);
    for id in ids {
        let Some(link) = delegation::find(&id, |_| false, cx).await? else { continue };
        if let Some(Cut { by, .. }) = delegation::cut(&link, cx).await? {
            change(&id, Command::Cut(by), cx).await?;
            rows.retain(|row| row.id != id);
        }
    }
    Ok(fits(&rows))
}

pub(super) fn full() -> Refused {
    Refused::new(ErrorCode::LimitReached, "the delegate has too many delegations")
        .hint("An agent has at most 32 delegations that count, and 8 of one delegator: end some of them, or let them expire.")
}

/// It is over. Whoever answers it may have seen it wait: their account is told how it stands once more, and changes nothing if it knows.
async fn over<P: Ports>(link: &Link, cx: &Cx<'_, P>) -> Refused {
    let command = tenant::Command { retain: retain(cx), ..tenant::Command::alone(What::PutDelegation(Box::new(link.row(false)))) };
    if let Err(refused) = run(&link.terms.delegate_account, command, cx).await {
        cx.ports.warn("delegation_not_told", &refused.reason);
    }
    ended()
}

fn ended() -> Refused {
    Refused::from(tenant::Refused::Ended)
}

/// Changes a delegation, and tells both accounts; whether the delegate's has refused to hear of it.
async fn change<P: Ports>(id: &DelegationId, command: Command, cx: &Cx<'_, P>) -> Result<(Rc<Link>, bool), Refused> {
    let (link, mut tellings) = match cx.ports.run::<Delegation>(id, command).await? {
        Outcome::Link(link) => (Rc::new(*link), Vec::new()),
        Outcome::Changed(link, tellings) => (Rc::new(*link), tellings),
        Outcome::Unknown => return Err(unknown()),
        Outcome::Conflict => return Err(unexpected()),
    };
    delegation::note(id, Some(link.clone()), cx);
    // The delegate's account comes first: it may have heard of too many.
    tellings.sort_by_key(|telling| telling.delegators);
    for telling in tellings {
        let counts = telling.delegators != link.terms.crosses();
        if tell(id, telling, cx).await && counts {
            return Ok((link, true));
        }
    }
    Ok((link, false))
}

/// Tells an account at once; if it does not hear, the record's outbox tells it later. Whether it has refused.
async fn tell<P: Ports>(id: &DelegationId, telling: Telling, cx: &Cx<'_, P>) -> bool {
    let Telling { account, command, delegators, sequence } = telling;
    match run(&account, tenant::Command { retain: retain(cx), ..command }, cx).await {
        Ok(tenant::Outcome::Refused(_)) => return true,
        Ok(_) => {
            if let Err(error) = cx.ports.run::<Delegation>(id, Command::Told { delegators, sequence }).await {
                cx.ports.warn("delegation_not_settled", &error.to_string());
            }
        }
        Err(refused) => cx.ports.warn("delegation_not_told", &refused.reason),
    }
    false
}
