//! How many delegations an account takes, and what it is offered from elsewhere.
//!
//! Nobody crowds out anybody: whoever offers has a share of their own, and so has every delegator of what one agent may have. What would be
//! too much is refused when it comes; what is there counts.

use super::call::{Call, Stop, page};
use super::chain::{Now, above, shown, whole};
use super::delegation::{delegations, find, forget, read};
use super::{AuditRow, Delegation, DelegationStatus, Emit, Outcome, repeat};
use crate::account::sql::{Sql, SqlError, Value, all, first};
use crate::delegation::{MOST_CHAINS, MOST_CHAINS_OF_ONE};
use crate::id::{AccountId, RegistrationId};
use crate::machine::delegation::PATIENCE;
use crate::time::Ttl;

/// So many wait for the account to answer them.
const MOST_PENDING: u64 = 256;
/// So many of them from one account.
const MOST_PENDING_OF_ONE: u64 = 8;
/// So many rows of what strangers do with their offers are audited, and told to webhooks, within [`SAID_WITHIN`].
const MOST_SAID: u32 = 100;
/// So many of them of one account.
const MOST_SAID_OF_ONE: u32 = 10;
/// For so long they are counted, from the first on.
const SAID_WITHIN: Ttl = Ttl::from_seconds(3600);
/// So many that were declined long ago go with each new one.
const PRUNED: u32 = 16;

/// Offers that can still be answered: takes the peer if one is asked for, [`since`], the time and what [`Now::above`] gives.
macro_rules! waiting {
    ($($peer:literal)?) => {
        concat!(
            "WHERE d.offered = 1 AND d.status = 'pending' ", $($peer,)? " AND d.created > ? AND coalesce(d.expires > ?, 1) AND ",
            above!()
        )
    };
}

/// What another account does with an offer that this one has not taken: it may say so only so often.
pub(super) struct Strange {
    peer: AccountId,
    delegator: RegistrationId,
}

/// Whether what is told is that: what this account has taken, it has let in itself.
pub(super) fn of_strangers(call: &Call<'_, impl Sql>, told: &Delegation) -> Result<Option<Strange>, SqlError> {
    let Some(peer) = told.peer.as_ref().filter(|_| told.offered && told.status != DelegationStatus::Active) else { return Ok(None) };
    let known = find(call, &told.id)?.map(|(known, _)| known.status);
    let is_strange = known.is_none_or(|known| known == DelegationStatus::Pending);
    Ok(is_strange.then(|| Strange { peer: peer.clone(), delegator: told.delegator.clone() }))
}

impl Strange {
    /// What is audited of it, and told to webhooks: all that somebody of this account has done, and of the others' so much. Each event comes
    /// with a row.
    pub fn heard(&self, call: &Call<'_, impl Sql>, rows: Vec<AuditRow>, events: Vec<Emit>) -> Result<(Vec<AuditRow>, Vec<Emit>), SqlError> {
        let mut heard = (Vec::new(), Vec::new());
        for (row, event) in rows.into_iter().zip(events.into_iter().map(Some).chain(std::iter::repeat_with(|| None))) {
            if self.is_own(&row) || self.may_say(call)? {
                heard.0.push(row);
                heard.1.extend(event);
            }
        }
        Ok(heard)
    }

    /// Counts one row more, unless there were too many of that account, or of all.
    pub fn may_say(&self, call: &Call<'_, impl Sql>) -> Result<bool, SqlError> {
        let until = call.now.plus(SAID_WITHIN);
        Ok(repeat::within(call, &format!("said/{}", self.peer), MOST_SAID_OF_ONE, until)?
            && repeat::within(call, "said", MOST_SAID, until)?)
    }

    /// Of the other side it is told that it was the delegator, or nothing.
    fn is_own(&self, row: &AuditRow) -> bool {
        row.actor_id.as_ref().is_some_and(|actor| actor != self.delegator.as_str())
    }
}

/// Whether there is room for what is told.
pub(super) fn fits(call: &Call<'_, impl Sql>, told: &Delegation) -> Result<bool, SqlError> {
    match told.status {
        DelegationStatus::Pending if told.offered => waits(call, told),
        // What an agent of elsewhere has is counted there.
        DelegationStatus::Active if told.offered || told.peer.is_none() => counts(call, told),
        _ => Ok(true),
    }
}

/// Offered from elsewhere, and taken back before it was answered: nobody's business any more.
pub(super) fn is_withdrawn(known: &Delegation, told: &Delegation) -> bool {
    told.offered && known.status == DelegationStatus::Pending && told.status == DelegationStatus::Revoked
}

/// Offers that nobody has answered yet, the oldest first.
pub(super) fn list(call: &Call<'_, impl Sql>, limit: u32, offset: u32) -> Result<Outcome, Stop> {
    if call.caller.is_some() {
        return Err(super::Refused::Forbidden.into());
    }
    let [limit, offset] = page(limit, offset);
    let statement = concat!(delegations!(""), waiting!(), " ORDER BY d.created, d.number LIMIT ? OFFSET ?");
    let waiting = [&[since(call), call.now.into()], &Now::of(call)?.above()[..]].concat();
    let found = all(call.sql.run(statement, &[&waiting[..], &[limit, offset]].concat())?, read)?;
    let count = concat!("SELECT count(*) FROM tenant_delegation d ", waiting!());
    let total = first(call.sql.run(count, &waiting)?).map_or(Ok(0), |mut row| row.number())?;
    Ok(shown(call, found, total)?)
}

/// Forgets some of what was declined as long ago as one may wait: later nobody tells of it any more.
pub(super) fn prune(call: &Call<'_, impl Sql>) -> Result<(), SqlError> {
    let rows = call.sql.run(
        "SELECT number FROM tenant_delegation WHERE offered = 1 AND status = 'declined' AND updated <= ? ORDER BY updated LIMIT ?",
        &[since(call), PRUNED.into()],
    )?;
    rows.into_iter().try_for_each(|mut row| forget(call, row.number()?))
}

fn waits(call: &Call<'_, impl Sql>, told: &Delegation) -> Result<bool, SqlError> {
    let count = |statement, values: &[Value]| first(call.sql.run(statement, values)?).map_or(Ok(0), |mut row| row.number());
    let waiting = [&[since(call), call.now.into()], &Now::of(call)?.above()[..]].concat();
    let peer = told.peer.as_ref().map(|peer| peer.as_str()).into();
    let all = count(concat!("SELECT count(*) FROM tenant_delegation d ", waiting!()), &waiting)?;
    let of_one =
        count(concat!("SELECT count(*) FROM tenant_delegation d ", waiting!("AND d.peer = ?")), &[&[peer], &waiting[..]].concat())?;
    Ok(all < MOST_PENDING && of_one < MOST_PENDING_OF_ONE)
}

fn counts(call: &Call<'_, impl Sql>, told: &Delegation) -> Result<bool, SqlError> {
    let values = [&[told.delegate.as_str().into(), call.now.into()], &Now::of(call)?.whole()[..], &[MOST_CHAINS.into()]].concat();
    let statement = concat!("SELECT delegator FROM tenant_delegation d WHERE d.delegate = ? AND d.until > ? AND ", whole!(), " LIMIT ?");
    let rows = call.sql.run(statement, &values)?;
    let (mut all, mut of_one) = (0, 0);
    for mut row in rows {
        all += 1;
        of_one += u32::from(row.text()? == told.delegator.as_str());
    }
    Ok(all < MOST_CHAINS && of_one < MOST_CHAINS_OF_ONE)
}

/// Whoever has not answered since has declined, whether that was told or not.
fn since(call: &Call<'_, impl Sql>) -> Value {
    call.now.minus(PATIENCE).into()
}
