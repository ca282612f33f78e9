//! Who may have a token exchanged, and whether they have shown more than that they hold it.

use super::super::Denied;
use super::super::client::{Authenticated, Shown};
use super::{Judged, NotExchanged, TOKEN_EXCHANGE, lineage};
use crate::client as clients;
use crate::cx::Cx;
use crate::dpop::{self, Proof};
use crate::id::RegistrationId;
use crate::secret::{ApiKey, Presented};
use crate::store::Ports;

/// Lets the subject's client and the actor ask, and says whether it is the client for sure. A confidential client has to authenticate.
pub(super) async fn is_own<P: Ports>(
    authenticated: &Authenticated,
    shown: &Shown,
    subject: &Judged,
    actor: Option<&Judged>,
    proof: Option<&Proof>,
    cx: &Cx<'_, P>,
) -> Result<bool, Denied> {
    let own = subject.token().client_id.as_str();
    // Who presents the subject's token: the actor; else the last one who was named as such; else the client itself.
    let last = subject.token().act.as_ref().map(lineage::client_of);
    let presenter = actor.map(|actor| actor.token().client_id.as_str()).or(last).unwrap_or(own);
    // A resource never learns a key, so who has that of a token that nobody else acts with is its client.
    let has_key = subject.jkt().is_some() && last.is_none();
    let (id, more_than_a_token) = match (authenticated, shown) {
        (Authenticated::Nobody, shown) => {
            let id = if let Shown::Name(name) = shown { name.as_str() } else { presenter };
            // Agents need no more than their tokens.
            if id.parse::<RegistrationId>().is_err() {
                let client = clients::find(id, cx).await?.ok_or(Denied::UnknownClient)?;
                if !client.may_be_public() {
                    return Err(Denied::Client("a confidential client must authenticate"));
                }
                may_exchange(&client, proof)?;
            }
            (id, false)
        }
        (Authenticated::Client(client), _) => {
            may_exchange(client, proof)?;
            (client.id.as_str(), true)
        }
        (Authenticated::Registration(id), Shown::Secret { secret: text, .. } | Shown::Bearer(text)) => {
            (id.as_str(), Presented::<ApiKey>::parse(&cx.config.api_key_prefix, text, &cx.config.masters).is_some())
        }
        (Authenticated::Registration(id), _) => (id.as_str(), false),
    };
    if id != own && id != presenter {
        return Err(NotExchanged::Requester.into());
    }
    Ok(has_key || (more_than_a_token && id == own))
}

fn may_exchange(client: &clients::Client, proof: Option<&Proof>) -> Result<(), Denied> {
    if !client.metadata.allows_grant(TOKEN_EXCHANGE) {
        return Err(Denied::UnauthorizedClient);
    }
    Ok(dpop::demand(client.metadata.dpop_bound_access_tokens, proof)?)
}
