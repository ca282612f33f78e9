//! What an account knows of the chains that its delegations end. A delegation counts no longer than every link above it, and not after a person
//! has claimed the root of whoever made it or one of those. Nobody tells the rows of that: it is worked out when they are read, of the rows of
//! the same account. Of a link that lies elsewhere the account hears nothing until somebody asks for what is below it.

use super::call::Call;
use super::delegation::find;
use super::words::DelegationStatus;
use super::{Delegation, Outcome};
use crate::account::sql::{Sql, SqlError, Value, first};
use crate::id::DelegationId;
use crate::machine::standing::Taken;
use crate::time::Timestamp;

/// Whether no link above `d` has ended for good, as far as is known. One that waits for an answer has not: that it was accepted may be told here
/// later than what was made of it. Takes what [`Now::above`] gives. There are nine at most, of 26 characters each.
macro_rules! above {
    () => {
        "NOT EXISTS (SELECT 1 FROM tenant_delegation u
             WHERE u.id IN (substr(d.upstream, 1, 26), substr(d.upstream, 28, 26), substr(d.upstream, 55, 26), substr(d.upstream, 82, 26),
                 substr(d.upstream, 109, 26), substr(d.upstream, 136, 26), substr(d.upstream, 163, 26), substr(d.upstream, 190, 26),
                 substr(d.upstream, 217, 26))
             AND (CASE u.status WHEN 'pending' THEN u.expires ELSE u.until END <= ? OR u.offered = 0 AND coalesce(u.root_generation < ?, u.created <= ?)))"
    };
}
pub(super) use above;

/// Whether `d` counts as long as its own `until` says: takes what [`Now::whole`] gives.
macro_rules! whole {
    () => {
        concat!("NOT (d.offered = 0 AND coalesce(d.root_generation < ?, d.created <= ?)) AND ", $crate::tenant::chain::above!())
    };
}
pub(super) use whole;

/// What is judged by: the time, and the last claim.
pub(super) struct Now {
    at: Timestamp,
    taken: Option<Taken>,
}

impl Now {
    pub fn of(call: &Call<'_, impl Sql>) -> Result<Self, SqlError> {
        Ok(Self { at: call.now, taken: last(call)? })
    }

    /// For [`above`].
    pub fn above(&self) -> [Value; 3] {
        let [generation, at] = self.claim();
        [self.at.into(), generation, at]
    }

    /// For [`whole`].
    pub fn whole(&self) -> [Value; 5] {
        let ([generation, at], [now, above, above_at]) = (self.claim(), self.above());
        [generation, at, now, above, above_at]
    }

    /// Nothing is older than no claim.
    fn claim(&self) -> [Value; 2] {
        self.taken.map_or([0_u32.into(), (-1).into()], |taken| [taken.generation.into(), taken.at.into()])
    }

    /// When a link has ended for whatever is below it, if it has.
    fn ended(&self, link: &Delegation) -> Option<Timestamp> {
        match link.status {
            DelegationStatus::Declined | DelegationStatus::Revoked => Some(link.revoked.unwrap_or(link.updated)),
            DelegationStatus::Pending | DelegationStatus::Active => {
                link.expires.filter(|expires| *expires <= self.at).or_else(|| self.cut_off(link))
            }
        }
    }

    /// When it was cut off by a claim, if it was.
    fn cut_off(&self, link: &Delegation) -> Option<Timestamp> {
        let taken = self.taken.filter(|taken| !link.offered && taken.is_after(link.created, link.root_generation))?;
        Some(taken.at)
    }
}

/// The last claim of the root, if one was told here.
pub(super) fn last(call: &Call<'_, impl Sql>) -> Result<Option<Taken>, SqlError> {
    let known = first(call.sql.run("SELECT at, generation FROM tenant_claim WHERE number = 1", &[])?);
    known.map(|mut row| Ok(Taken { at: row.time()?, generation: row.small()? })).transpose()
}

/// A person has claimed the root, unless a later claim is known.
pub(super) fn learn(call: &Call<'_, impl Sql>, taken: Taken) -> Result<(), SqlError> {
    call.sql.run(
        "INSERT INTO tenant_claim (number, at, generation) VALUES (1, ?, ?)
         ON CONFLICT (number) DO UPDATE SET at = excluded.at, generation = excluded.generation WHERE generation < excluded.generation",
        &[taken.at.into(), taken.generation.into()],
    )?;
    Ok(())
}

/// A delegation as it stands, and not only for itself.
pub(super) fn standing(call: &Call<'_, impl Sql>, now: &Now, link: Delegation) -> Result<Delegation, SqlError> {
    let is_over = matches!(link.status, DelegationStatus::Declined | DelegationStatus::Revoked);
    if is_over || link.expires.is_some_and(|expires| expires <= call.now) {
        return Ok(link);
    }
    let cut = |by: &DelegationId, at| Delegation {
        status: DelegationStatus::Revoked,
        revoked: Some(at),
        broken_by: Some(by.clone()),
        ..link.clone()
    };
    for id in &link.upstream {
        if let Some((above, _)) = find(call, id)?
            && let Some(at) = now.ended(&above)
        {
            return Ok(cut(id, at));
        }
    }
    Ok(now.cut_off(&link).map_or_else(|| link.clone(), |at| cut(&link.id, at)))
}

/// The same of all of a page.
pub(super) fn shown(call: &Call<'_, impl Sql>, found: Vec<Delegation>, total: u64) -> Result<Outcome, SqlError> {
    let now = Now::of(call)?;
    let found = found.into_iter().map(|link| standing(call, &now, link)).collect::<Result<_, _>>()?;
    Ok(Outcome::Delegations(found, total))
}
