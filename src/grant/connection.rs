//! What a client gets for a person: an access token, what continues it, and who the person is.

use std::rc::Rc;

use super::{Authorized, Denied};
use crate::client::Client;
use crate::cx::Cx;
use crate::dpop;
use crate::id::{AccountId, Holder};
use crate::jose::claims::CredentialStamp;
use crate::machine::grant::Terms;
use crate::machine::standing::Standing;
use crate::machine::status_index::Block;
use crate::oauth::scope::{GrantedScope, Scope};
use crate::oidc::{self, IdTokenFor};
use crate::store::Ports;

/// A connection of a client, begun or continued.
pub struct Connected {
    /// For the access token.
    pub authorized: Authorized,
    /// For the next one.
    pub refresh_token: Option<String>,
    /// The client.
    pub client: Rc<Client>,
    /// Who has agreed to what.
    pub person: Person,
    /// What of it the tokens carry.
    pub scope: GrantedScope,
}

/// Who has agreed to what, and when.
pub struct Person {
    /// The person.
    pub account: AccountId,
    /// What they agreed to.
    pub terms: Terms,
    /// The code was used just now: the ID token carries the nonce.
    pub first: bool,
    /// Whom the client knows them as, if that was asked already.
    pub subject: Option<String>,
}

impl Person {
    /// What the ID token beside `access_token` says.
    #[must_use]
    pub fn id_token_for<'a>(&'a self, client: &'a Client, access_token: &'a str) -> IdTokenFor<'a> {
        IdTokenFor {
            client,
            account: &self.account,
            subject: self.subject.as_deref(),
            session: self.terms.session.as_ref(),
            auth_time: self.terms.auth_time,
            method: &self.terms.method,
            nonce: self.terms.nonce.as_deref().filter(|_| self.first),
            access_token: Some(access_token),
        }
    }
}

/// Puts it together. The scope is what was agreed to, as far as it may still be granted.
#[expect(clippy::too_many_arguments, reason = "all that a token says, from four sources")]
pub(super) async fn authorized<P: Ports>(
    holder: &Holder,
    standing: &Standing,
    stamp: Option<CredentialStamp>,
    client: &Rc<Client>,
    person: Person,
    asked: Option<Scope>,
    refresh_token: Option<String>,
    place: Block,
    proof: Option<&dpop::Proof>,
    cx: &Cx<'_, P>,
) -> Result<Connected, Denied> {
    let resource = cx.config.resource(&person.terms.resource).ok_or(Denied::Resource)?;
    let agreed = client.entitled(Some(person.terms.scope.as_scope()), resource, cx.config);
    let scope = match asked {
        Some(asked) => agreed.intersect(&asked.entitle()),
        None => agreed,
    };
    if scope.as_scope().is_empty() {
        return Err(Denied::NoScope);
    }
    let subject = match &person.subject {
        Some(known) => known.clone(),
        None => subject(&person.account, client, cx).await?,
    };
    let until = stamp.and_then(|stamp| standing.credentials.iter().find(|known| known.id == stamp.id)).map(|stamp| stamp.expires);
    let authorized = Authorized {
        holder: holder.clone(),
        generation: standing.generation,
        credential: stamp,
        subject,
        client_id: client.id.clone(),
        until: until.unwrap_or(standing.expires).min(standing.expires),
        ttl: cx.config.ttls.client_token,
        resource: resource.uri.clone(),
        scope: scope.clone(),
        place,
        jkt: proof.map(|proof| proof.jkt.clone()),
        exchanged: None,
    };
    Ok(Connected { authorized, refresh_token, client: client.clone(), person, scope })
}

/// Whom the client's tokens are about: pairwise clients must not be able to compare them.
async fn subject<P: Ports>(account: &AccountId, client: &Client, cx: &Cx<'_, P>) -> Result<String, Denied> {
    Ok(if oidc::subject::is_pairwise(client) { oidc::subject::of(account, client, cx).await? } else { account.to_string() })
}
