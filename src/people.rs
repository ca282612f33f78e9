//! Who is who: from a proven address, or from a provider's word, to the person.
//!
//! Look-ups are named by keyed hashes. While the deployment's secret changes, what was filed under the one before is found there
//! and filed anew.

use crate::account::{self, Person};
use crate::cx::Cx;
use crate::id::{AccountId, RegistrationId};
use crate::machine::address::{self, Address};
use crate::machine::link::{self, Link};
use crate::machine::registration::{self, Registration};
use crate::master::Master;
use crate::store::{Ports, StoreError};

/// What a person can be found by.
#[derive(Clone, Copy, Debug)]
pub enum Contact<'a> {
    /// An e-mail address in canonical form.
    Email(&'a str),
    /// A phone number, E.164.
    Phone(&'a str),
    /// Issuer and subject of a provider of people.
    Identity(&'a str, &'a str),
}

impl Contact<'_> {
    fn name(self, master: &Master) -> String {
        match self {
            Self::Email(email) => master.name("email", &[email]),
            Self::Phone(phone) => master.name("phone", &[phone]),
            Self::Identity(issuer, subject) => master.name("upstream", &[issuer, subject]),
        }
    }
}

/// Whose address it is, if anybody's.
///
/// # Errors
/// The look-up did not answer.
pub async fn find<P: Ports>(contact: Contact<'_>, cx: &Cx<'_, P>) -> Result<Option<AccountId>, StoreError> {
    let masters = &cx.config.masters;
    let name = contact.name(&masters.current);
    if let Some(person) = cx.ports.run::<Address>(&name, address::Command::Look).await? {
        return Ok(Some(person));
    }
    let Some(previous) = &masters.previous else { return Ok(None) };
    match cx.ports.run::<Address>(&contact.name(previous), address::Command::Look).await? {
        Some(person) => cx.ports.run::<Address>(&name, address::Command::Bind(person)).await,
        None => Ok(None),
    }
}

/// Whose address it is from now on: whoever had it, else `candidate`.
///
/// # Errors
/// The look-up did not answer.
pub async fn bind<P: Ports>(contact: Contact<'_>, candidate: &AccountId, cx: &Cx<'_, P>) -> Result<AccountId, StoreError> {
    if let Some(person) = find(contact, cx).await? {
        return Ok(person);
    }
    let name = contact.name(&cx.config.masters.current);
    let bound = cx.ports.run::<Address>(&name, address::Command::Bind(candidate.clone())).await?;
    Ok(bound.unwrap_or_else(|| candidate.clone()))
}

/// The address is nobody's any more.
///
/// # Errors
/// The look-up did not answer.
pub async fn unbind<P: Ports>(contact: Contact<'_>, person: &AccountId, cx: &Cx<'_, P>) -> Result<(), StoreError> {
    for master in cx.config.masters.all() {
        cx.ports.run::<Address>(&contact.name(master), address::Command::Unbind(person.clone())).await?;
    }
    Ok(())
}

/// The person, unless there is nobody.
///
/// # Errors
/// The account did not answer.
pub async fn look<P: Ports>(id: &AccountId, cx: &Cx<'_, P>) -> Result<Option<Person>, StoreError> {
    match cx.ports.account(id, account::Command::Look).await? {
        account::Outcome::Person(person) => Ok(Some(person)),
        _ => Ok(None),
    }
}

/// Makes a claimed registration known to its owner's account at once, so that whoever takes back all agents finds it, and looks whether the
/// owner may have agents at all. If not, the registration rests or ends like the others.
///
/// # Errors
/// A store did not answer.
pub async fn introduce<P: Ports>(id: &RegistrationId, owner: &AccountId, cx: &Cx<'_, P>) -> Result<bool, StoreError> {
    if let registration::Outcome::Feed(Some(feed)) = cx.ports.run::<Registration>(id, registration::Command::Introduce).await? {
        cx.ports.account(owner, account::Command::Feed(feed)).await?;
    }
    let command = match look(owner, cx).await? {
        Some(person) if !person.suspended => return Ok(true),
        Some(_) => registration::Command::Suspend { person: owner.clone(), suspended: true },
        None => registration::Command::EndByOperator,
    };
    cx.ports.run::<Registration>(id, command).await?;
    Ok(false)
}

/// Who has answered mail to `email`: a new person if nobody has it. `None` if the person is barred.
///
/// # Errors
/// A store did not answer.
pub async fn proven<P: Ports>(email: &crate::email::Address, cx: &Cx<'_, P>) -> Result<Option<(AccountId, Person)>, StoreError> {
    let candidate = AccountId::from_bytes(crate::entropy::random(cx.entropy).map_err(|error| StoreError(error.to_string()))?);
    let id = bind(Contact::Email(&email.canonical()), &candidate, cx).await?;
    let open = account::Command::Open { email: Some(email.as_str().to_owned()), phone: None, provider: None };
    match cx.ports.account(&id, open).await? {
        account::Outcome::Person(person) => Ok(Some((id, person))),
        _ => Ok(None),
    }
}

/// A provider's subject.
pub struct Tie {
    /// Name of its `Link` cell.
    pub name: String,
    /// Whom it is bound to.
    pub person: Option<AccountId>,
    /// Its generation.
    pub generation: u32,
    /// The registration that its assertions lead to, always the same.
    pub registration: RegistrationId,
    /// The name of the person that it brings, if nobody here is matched: the same for copies of one request, another after the
    /// tie was cut.
    pub newcomer: AccountId,
}

/// Looks a provider's subject up.
///
/// # Errors
/// The look-up did not answer.
pub async fn tie<P: Ports>(issuer: &str, subject: &str, cx: &Cx<'_, P>) -> Result<Tie, StoreError> {
    let masters = &cx.config.masters;
    if let Some(previous) = &masters.previous {
        let tie = tie_of(previous, issuer, subject, cx).await?;
        if tie.person.is_some() || tie.generation > 0 {
            return Ok(tie);
        }
    }
    tie_of(&masters.current, issuer, subject, cx).await
}

/// Every name that a provider's subject may be filed under: while the deployment's secret changes there are two.
pub fn names<P>(issuer: &str, subject: &str, cx: &Cx<'_, P>) -> Vec<String> {
    cx.config.masters.all().map(|master| master.name("link", &[issuer, subject])).collect()
}

async fn tie_of<P: Ports>(master: &Master, issuer: &str, subject: &str, cx: &Cx<'_, P>) -> Result<Tie, StoreError> {
    let name = master.name("link", &[issuer, subject]);
    let (person, generation) = match cx.ports.run::<Link>(&name, link::Command::Look).await? {
        link::Outcome::Tie { person, generation } => (person, generation),
        link::Outcome::Ending { .. } | link::Outcome::Full | link::Outcome::Seen => (None, 0),
    };
    let bytes = |label: &str| {
        let full = master.derive_bytes(label, &[name.as_bytes(), &generation.to_be_bytes()]);
        std::array::from_fn(|index| full.get(index).copied().unwrap_or_default())
    };
    let fixed = master.derive_bytes("link/registration", &[name.as_bytes()]);
    let registration = RegistrationId::from_bytes(std::array::from_fn(|index| fixed.get(index).copied().unwrap_or_default()));
    Ok(Tie { registration, newcomer: AccountId::from_bytes(bytes("link/newcomer")), name, person, generation })
}
