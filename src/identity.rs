//! Whose account a provider's word leads to, and the ties between the two.
//!
//! The account's own list decides; the look-up from issuer and subject to the account is only the way there.

use crate::account::{Arrival, Command, Identity, Outcome, Person};
use crate::cx::Cx;
use crate::entropy::random;
use crate::id::AccountId;
use crate::people::{self, Contact};
use crate::store::{Ports, StoreError};
use crate::upstream::Said;

/// Whom a provider has named.
#[derive(Debug)]
pub enum Whose {
    /// This person: known by that identity, or new with it.
    Person(AccountId, Person),
    /// Somebody whom the operator bars.
    Barred,
    /// Nobody yet, and this account has the address: its person has to say that it is them.
    Claims(AccountId),
    /// Nobody yet, and the provider's word is not enough for an account.
    Unproven,
}

/// Whom a provider has named. A verified address makes a new person; an account that is there is never entered by its address alone.
///
/// # Errors
/// A store did not answer.
pub async fn whose<P: Ports>(said: &Said, cx: &Cx<'_, P>) -> Result<Whose, StoreError> {
    let contact = contact(&said.arrival);
    if let Some(account) = people::find(contact, cx).await? {
        match cx.ports.account(&account, Command::Arrive(said.arrival.clone())).await? {
            Outcome::Person(person) => return Ok(Whose::Person(account, person)),
            Outcome::Refused => return Ok(Whose::Barred),
            // Its person has removed it, or is forgotten: the look-up was late to know.
            _ => people::unbind(contact, &account, cx).await?,
        }
    }
    let Some(address) = &said.address else { return Ok(Whose::Unproven) };
    let candidate = AccountId::from_bytes(random(cx.entropy).map_err(|error| StoreError(error.to_string()))?);
    let account = people::bind(Contact::Email(&address.canonical()), &candidate, cx).await?;
    let arrival = Arrival { email: Some(address.as_str().to_owned()), ..said.arrival.clone() };
    match cx.ports.account(&account, Command::Join(arrival)).await? {
        Outcome::Person(person) => {
            people::bind(contact, &account, cx).await?;
            Ok(Whose::Person(account, person))
        }
        _ => Ok(match people::look(&account, cx).await? {
            Some(person) if person.suspended => Whose::Barred,
            _ => Whose::Claims(account),
        }),
    }
}

/// What came of a wish to link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Linked {
    /// It is linked.
    Done,
    /// It is linked to another account.
    Elsewhere,
    /// The account has too many, or its person is barred.
    Refused,
}

/// Links an identity to an account, for the person has said so.
///
/// # Errors
/// A store did not answer.
pub async fn link<P: Ports>(account: &AccountId, arrival: &Arrival, cx: &Cx<'_, P>) -> Result<Linked, StoreError> {
    let contact = contact(arrival);
    let mut holder = people::bind(contact, account, cx).await?;
    if holder != *account && find(&holder, arrival, cx).await?.is_none() {
        people::unbind(contact, &holder, cx).await?;
        holder = people::bind(contact, account, cx).await?;
    }
    if holder != *account {
        return Ok(Linked::Elsewhere);
    }
    if cx.ports.account(account, Command::Link(arrival.clone())).await? == Outcome::Done || find(account, arrival, cx).await?.is_some() {
        return Ok(Linked::Done);
    }
    people::unbind(contact, account, cx).await?;
    Ok(Linked::Refused)
}

/// Takes an identity away; says whether it could be.
///
/// # Errors
/// A store did not answer.
pub async fn unlink<P: Ports>(account: &AccountId, number: u64, cx: &Cx<'_, P>) -> Result<bool, StoreError> {
    let Some(identity) = of(account, cx).await?.into_iter().find(|identity| identity.number == number) else { return Ok(false) };
    if cx.ports.account(account, Command::Unlink(number)).await? != Outcome::Done {
        return Ok(false);
    }
    people::unbind(Contact::Identity(&identity.issuer, &identity.subject), account, cx).await?;
    Ok(true)
}

/// All identities of an account, oldest first.
///
/// # Errors
/// The account did not answer.
pub async fn of<P: Ports>(account: &AccountId, cx: &Cx<'_, P>) -> Result<Vec<Identity>, StoreError> {
    match cx.ports.account(account, Command::Identities).await? {
        Outcome::Identities(identities) => Ok(identities),
        _ => Ok(Vec::new()),
    }
}

/// The look-ups of an account that is about to be forgotten.
///
/// # Errors
/// A store did not answer.
pub async fn unbind_all<P: Ports>(account: &AccountId, cx: &Cx<'_, P>) -> Result<(), StoreError> {
    for identity in of(account, cx).await? {
        people::unbind(Contact::Identity(&identity.issuer, &identity.subject), account, cx).await?;
    }
    Ok(())
}

async fn find<P: Ports>(account: &AccountId, arrival: &Arrival, cx: &Cx<'_, P>) -> Result<Option<Identity>, StoreError> {
    let is_it = |identity: &Identity| identity.issuer == arrival.issuer && identity.subject == arrival.subject;
    Ok(of(account, cx).await?.into_iter().find(is_it))
}

fn contact(arrival: &Arrival) -> Contact<'_> {
    Contact::Identity(&arrival.issuer, &arrival.subject)
}
