//! A credential as it is shown: what is listed of it, and whether its key counts, which the agent's own cell says.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::{Value, json};

use crate::cx::Cx;
use crate::http::api::manager::Manager;
use crate::http::refuse::Refused;
use crate::http::together::together;
use crate::id::RegistrationId;
use crate::machine::registration::{Command, Outcome, Registration};
use crate::machine::standing::Standing;
use crate::oauth::scope::Scope;
use crate::rights;
use crate::store::Ports;
use crate::tenant::Credential;
use crate::time::Timestamp;
use crate::verify;

/// The keys of some agents of one tree.
pub(super) struct Keys {
    agents: BTreeMap<RegistrationId, Rc<Standing>>,
    root: Rc<Standing>,
}

impl Keys {
    /// Asks each agent once; the root has spoken for whoever manages them.
    pub(super) async fn of<P: Ports>(
        agents: impl IntoIterator<Item = &RegistrationId>,
        manager: &Manager,
        cx: &Cx<'_, P>,
    ) -> Result<Self, Refused> {
        let mut distinct: Vec<&RegistrationId> = agents.into_iter().collect();
        distinct.dedup();
        let ask = async |id: &RegistrationId| match cx.ports.run::<Registration>(id, Command::Look).await {
            Ok(Outcome::Standing(standing)) => Ok(Some((id.clone(), standing))),
            Ok(_) => Ok(None),
            Err(error) => Err(error),
        };
        let mut known = BTreeMap::new();
        for answer in together(distinct.into_iter().map(ask).collect()).await {
            if let Some((id, standing)) = answer? {
                let standing = Rc::new(standing);
                verify::remember(&id, Some(standing.clone()), cx);
                known.insert(id, standing);
            }
        }
        Ok(Self { agents: known, ..Self::none(manager) })
    }

    /// None of them counts.
    pub(super) fn none(manager: &Manager) -> Self {
        Self { agents: BTreeMap::new(), root: manager.caller.active.root().clone() }
    }

    /// The keys of one that has just spoken.
    pub(super) fn told(id: &RegistrationId, standing: Rc<Standing>, manager: &Manager) -> Self {
        Self { agents: BTreeMap::from([(id.clone(), standing)]), ..Self::none(manager) }
    }

    /// Whether the key has neither ended nor expired. That its agent is suspended is no fault of the key.
    pub(super) fn counts<P>(&self, credential: &Credential, cx: &Cx<'_, P>) -> bool {
        let live = |standing: &Rc<Standing>| {
            let key = standing.credentials.iter().find(|key| key.id == credential.number && key.of.is_none() && !key.ended);
            !standing.ended && key.is_some_and(|key| cx.now < rights::until(standing, Some(&*self.root), Some(key.stamp())))
        };
        credential.revoked.is_none() && self.agents.get(&credential.agent).is_some_and(live)
    }

    /// The credential object.
    pub(super) fn show<P>(&self, credential: &Credential, cx: &Cx<'_, P>) -> Value {
        let moment = |at: Option<Timestamp>| at.and_then(Timestamp::iso);
        let metadata: Value = serde_json::from_str(&credential.metadata).unwrap_or_else(|_| json!({}));
        json!({
            "id": credential.id,
            "agent_id": credential.agent,
            "type": credential.kind,
            "prefix": credential.prefix,
            "scopes": scopes(credential.scopes.as_ref()),
            "expires_at": moment(credential.expires),
            "last_used_at": moment(credential.last_used),
            "last_rotated_at": moment(credential.last_rotated),
            "revoked_at": moment(credential.revoked),
            "metadata": metadata,
            "token_lifetime_seconds": credential.token_lifetime_seconds,
            "created_at": credential.created.iso(),
            "updated_at": credential.updated.iso(),
            "is_valid": self.counts(credential, cx),
        })
    }
}

/// As a list; null is all that the agent may.
pub(super) fn scopes(scope: Option<&Scope>) -> Option<Vec<&str>> {
    scope.map(|scope| scope.iter().collect())
}
