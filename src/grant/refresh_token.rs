//! `refresh_token` (RFC 6749, section 6), by the refresh rule of [`Family`](crate::machine::family::Family).

use super::client::Identified;
use super::connection::{Connected, Person, authorized};
use super::{Denied, places};
use crate::cx::Cx;
use crate::dpop;
use crate::id::Holder;
use crate::machine::grant::{Command, Grant, GrantRefusal, Outcome};
use crate::oauth::scope::Scope;
use crate::refresh::{Presented, Token};
use crate::store::Ports;

/// Spends a refresh token, or repeats what spending it brought.
pub(super) async fn refresh<P: Ports>(
    text: &str,
    by: &Identified,
    resource: Option<String>,
    scope: Option<Scope>,
    proof: Option<&dpop::Proof>,
    cx: &Cx<'_, P>,
) -> Result<Connected, Denied> {
    if !by.client.metadata.allows_grant("refresh_token") {
        return Err(Denied::UnauthorizedClient);
    }
    const UNKNOWN: Denied = Denied::Grant(GrantRefusal::Unknown);
    let token = Presented::parse(text, &cx.config.masters).ok_or(UNKNOWN)?;
    let Holder::Grant(grant) = token.holder.clone() else { return Err(UNKNOWN) };
    dpop::demand(by.client.metadata.dpop_bound_access_tokens, proof)?;
    dpop::burn(proof, cx).await?;
    let ask = async |block| {
        let command = Command::Refresh { token: token.command(), by: by.named(resource.clone(), proof), scope: scope.clone(), block };
        match cx.ports.run::<Grant>(&grant, command).await? {
            Outcome::Issue { standing, stamp, terms: Some(terms), account: Some(account), successor } => {
                Ok(Some((standing, (stamp, terms, account, successor))))
            }
            Outcome::Refused(refusal) => Err(Denied::Grant(refusal)),
            _ => Err(UNKNOWN),
        }
    };
    let asked = places::with(&token.holder, cx.config.ttls.client_token, ask, cx).await?;
    let (standing, (stamp, terms, account, successor), place) = asked.ok_or(Denied::NoPlaces)?;
    let next = token.successors.get(successor).map(Token::text).ok_or(UNKNOWN)?.to_owned();
    let person = Person { account, terms, first: false, subject: None };
    authorized(&token.holder, &standing, stamp, &by.client, person, scope, Some(next), place, proof, cx).await
}
