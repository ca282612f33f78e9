//! How whatever stands behind a credential stands, as fresh as `LIVENESS_TTL` says.

use std::rc::Rc;

use super::Inactive;
use crate::cx::Cx;
use crate::id::{Holder, RegistrationId};
use crate::machine::grant::{self, Grant};
use crate::machine::registration::{Command, Outcome, Registration};
use crate::machine::standing::{MOST_ANCESTORS, Standing};
use crate::store::Ports;
use crate::time::Timestamp;

/// How an agent stands, whether it counts or not.
///
/// # Errors
/// It is gone, or cannot be asked.
pub async fn known<P: Ports>(id: &RegistrationId, cx: &Cx<'_, P>) -> Result<Rc<Standing>, Inactive> {
    standing(&Holder::Registration(id.clone()), |_| false, cx).await
}

/// How the root of an agent stands; none if it is one itself. Whoever is above it is asked too, as fresh as everybody: what ends or suspends
/// one of them stops all below, without telling each.
///
/// # Errors
/// One of them does not count any more, or cannot be asked.
pub async fn root<P: Ports>(of: &Standing, cx: &Cx<'_, P>) -> Result<Option<Rc<Standing>>, Inactive> {
    let mut root = None;
    for (depth, id) in of.ancestors.iter().enumerate() {
        let holder = Holder::Registration(id.clone());
        if depth >= MOST_ANCESTORS {
            return Err(Inactive::Revoked(holder));
        }
        let above = standing(&holder, |_| false, cx).await?;
        if !above.is_live(cx.now) {
            return Err(Inactive::Revoked(holder));
        }
        root.get_or_insert(above);
    }
    Ok(root)
}

/// How an agent stands, and its root, if that is another; as fresh as `LIVENESS_TTL` says.
///
/// # Errors
/// It, or an agent above it, does not count, or cannot be asked.
pub async fn agent<P: Ports>(id: &RegistrationId, cx: &Cx<'_, P>) -> Result<(Rc<Standing>, Option<Rc<Standing>>), Inactive> {
    let standing = known(id, cx).await?;
    if !standing.is_live(cx.now) {
        return Err(Inactive::Revoked(Holder::Registration(id.clone())));
    }
    let root = root(&standing, cx).await?;
    Ok((standing, root))
}

/// How a holder stands, asked at most once per `LIVENESS_TTL` and isolate, and anew if what is remembered is `behind`.
pub(super) async fn standing<P: Ports>(
    holder: &Holder,
    behind: impl Fn(&Standing) -> bool,
    cx: &Cx<'_, P>,
) -> Result<Rc<Standing>, Inactive> {
    let known = cx.memory.standings.borrow().find(holder);
    if let Some((at, standing)) = known
        && cx.now < at.plus(cx.config.ttls.liveness)
        && !standing.as_deref().is_some_and(behind)
    {
        return standing.ok_or_else(|| Inactive::Gone(holder.clone()));
    }
    let standing = match holder {
        Holder::Registration(id) => match cx.ports.run::<Registration>(id, Command::Look).await? {
            Outcome::Standing(standing) => Some(Rc::new(standing)),
            _ => None,
        },
        Holder::Grant(id) => match cx.ports.run::<Grant>(id, grant::Command::Look).await? {
            grant::Outcome::Standing(standing) => Some(Rc::new(standing)),
            _ => None,
        },
    };
    note(holder, standing.clone(), cx);
    standing.ok_or_else(|| Inactive::Gone(holder.clone()))
}

/// Notes what a registration just said of itself.
pub fn remember<P>(registration: &RegistrationId, standing: Option<Rc<Standing>>, cx: &Cx<'_, P>) {
    note(&Holder::Registration(registration.clone()), standing, cx);
}

/// Notes what a holder just said of itself.
pub fn note<P>(holder: &Holder, standing: Option<Rc<Standing>>, cx: &Cx<'_, P>) {
    let at: Timestamp = cx.now;
    cx.memory.standings.borrow_mut().insert(holder.clone(), (at, standing));
}
