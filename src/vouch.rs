//! What comes of a provider's word: whom it means, and whose the registration is then (auth.md).
//!
//! A known subject is let in at once. The first time that a provider speaks of somebody who has an account here, that person must confirm:
//! a provider that is wrong, or lies, about an address gains nothing.

use crate::account::{self, Person};
use crate::cx::Cx;
use crate::email::Address;
use crate::http::together::together;
use crate::id::{AccountId, RegistrationId};
use crate::machine::link::{self, Link};
use crate::machine::registration::{Command, Outcome, Registration, Said, Vouch};
use crate::machine::standing::Standing;
use crate::oauth::error::{ErrorCode, Refusal};
use crate::people::{self, Contact, Tie};
use crate::provider::id_jag::Vouched;
use crate::store::{Ports, StoreError};

/// Whom a provider means.
pub enum Match {
    /// Somebody whom this subject is bound to, and how its own registration stands if that is theirs already: nothing is left to be done then.
    Known(AccountId, Option<Box<Standing>>),
    /// Nobody here: the provider brings a new person.
    Newcomer,
    /// Somebody who has an account, and is to confirm first.
    StepUp {
        /// Who.
        person: AccountId,
        /// Where they can be asked: the address on file, whatever the provider said.
        email: Address,
    },
}

/// Why a provider's word leads nowhere.
#[derive(Debug, thiserror::Error)]
pub enum NotMatched {
    /// The person is barred by the operator.
    #[error("the person is barred")]
    Barred,
    /// The matched account has no e-mail address, so nobody can be asked.
    #[error("the matched account has no e-mail address")]
    NoAddress,
    /// Somebody took back the provider's word, or the agent, meanwhile.
    #[error("it was taken back meanwhile")]
    TakenBack,
    /// Too many registrations stand on this subject.
    #[error("too many registrations of one subject")]
    Full,
    /// A store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Refusal for NotMatched {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Barred => ErrorCode::AccessDenied,
            Self::NoAddress => ErrorCode::MissingVerifiedEmail,
            Self::Full => ErrorCode::RateLimited,
            Self::TakenBack | Self::Store(_) => ErrorCode::TemporarilyUnavailable,
        }
    }
}

/// Finds out whom the provider means; nothing changes, but that a tie to somebody who is gone is cut.
///
/// # Errors
/// Nobody can be matched.
pub async fn matched<P: Ports>(vouched: &Vouched<'_>, cx: &Cx<'_, P>) -> Result<(Tie, Match), NotMatched> {
    let issuer = &vouched.provider.issuer;
    let mut tie = people::tie(issuer, &vouched.subject, cx).await?;
    if let Some(person) = tie.person.clone() {
        let (found, agent) = known(vouched, &tie, &person, cx).await?;
        match (found, agent) {
            (Some(found), _) if found.suspended => return Err(NotMatched::Barred),
            (Some(_), Outcome::Standing(standing)) => return Ok((tie, Match::Known(person, Some(Box::new(standing))))),
            // Unless owner or operator took the agent back, which the tie may not have heard of yet.
            (Some(_), agent) if !matches!(agent, Outcome::Refused) => return Ok((tie, Match::Known(person, None))),
            _ => {
                cx.ports.run::<Link>(&tie.name, link::Command::Unbind).await?;
                tie = people::tie(issuer, &vouched.subject, cx).await?;
            }
        }
    }
    let email = vouched.email.as_ref().map(Address::canonical);
    let contacts = [email.as_deref().map(Contact::Email), vouched.phone.as_deref().map(Contact::Phone)];
    for contact in contacts.into_iter().flatten() {
        let Some(person) = people::find(contact, cx).await? else { continue };
        // A copy of this request may be making the same newcomer.
        if person == tie.newcomer {
            continue;
        }
        if let Some(matched) = step_up(person, cx).await? {
            return Ok((tie, matched));
        }
    }
    Ok((tie, Match::Newcomer))
}

/// What the person's account and the subject's own registration say, asked at the same time.
async fn known<P: Ports>(
    vouched: &Vouched<'_>,
    tie: &Tie,
    person: &AccountId,
    cx: &Cx<'_, P>,
) -> Result<(Option<Person>, Outcome), StoreError> {
    enum Told {
        Person(Option<Person>),
        Agent(Box<Outcome>),
    }
    let ask = async |of_person: bool| {
        if of_person {
            return people::look(person, cx).await.map(Told::Person);
        }
        let recognise = Command::Recognise(word(vouched, tie, person, &tie.registration, Said::default()));
        cx.ports.run::<Registration>(&tie.registration, recognise).await.map(|outcome| Told::Agent(Box::new(outcome)))
    };
    let (mut found, mut agent) = (None, Outcome::Unknown);
    for told in together(vec![ask(true), ask(false)]).await {
        match told? {
            Told::Person(person) => found = person,
            Told::Agent(outcome) => agent = *outcome,
        }
    }
    Ok((found, agent))
}

/// What the provider says, as it was when the person was matched.
fn word(vouched: &Vouched<'_>, tie: &Tie, person: &AccountId, registration: &RegistrationId, said: Said) -> Vouch {
    Vouch {
        link: tie.name.clone(),
        generation: tie.generation,
        issuer: vouched.provider.issuer.clone(),
        person: person.clone(),
        registration: registration.clone(),
        said,
    }
}

/// The person whose account it is; none if the account was never opened.
async fn step_up<P: Ports>(person: AccountId, cx: &Cx<'_, P>) -> Result<Option<Match>, NotMatched> {
    let Some(found) = people::look(&person, cx).await? else { return Ok(None) };
    if found.suspended {
        return Err(NotMatched::Barred);
    }
    let email = found.email.as_deref().and_then(Address::parse).ok_or(NotMatched::NoAddress)?;
    Ok(Some(Match::StepUp { person, email }))
}

/// Makes the newcomer a person; whoever has the address by now must confirm instead.
///
/// # Errors
/// Nobody can be matched.
pub async fn welcome<P: Ports>(vouched: &Vouched<'_>, tie: &Tie, cx: &Cx<'_, P>) -> Result<Match, NotMatched> {
    let email = vouched.email.as_ref().map(Address::canonical);
    let contacts = [email.as_deref().map(Contact::Email), vouched.phone.as_deref().map(Contact::Phone)];
    let mut person = tie.newcomer.clone();
    for contact in contacts.into_iter().flatten() {
        let bound = people::bind(contact, &person, cx).await?;
        if bound != person {
            if let Some(matched) = step_up(bound.clone(), cx).await? {
                return Ok(matched);
            }
            person = bound;
        }
    }
    let open = account::Command::Open {
        email: vouched.email.as_ref().map(|email| email.as_str().to_owned()),
        phone: vouched.phone.clone(),
        provider: Some(vouched.provider.issuer.clone()),
    };
    match cx.ports.account(&person, open).await? {
        account::Outcome::Person(_) => Ok(Match::Known(person, None)),
        _ => Err(NotMatched::Barred),
    }
}

/// Ties `registration` to the subject, as the tie was when the person was matched.
///
/// # Errors
/// It was cut meanwhile, or too many stand on it already.
pub async fn attach<P: Ports>(registration: &RegistrationId, tie: &Tie, cx: &Cx<'_, P>) -> Result<(), NotMatched> {
    let attach = link::Command::Attach { registration: registration.clone(), generation: tie.generation };
    match cx.ports.run::<Link>(&tie.name, attach).await? {
        link::Outcome::Tie { generation, .. } if generation == tie.generation => Ok(()),
        link::Outcome::Tie { .. } => Err(NotMatched::TakenBack),
        link::Outcome::Full | link::Outcome::Ending { .. } | link::Outcome::Seen => Err(NotMatched::Full),
    }
}

/// The subject's own registration is `person`'s at once, if it is not `known` to be. The order matters: what the provider takes back meanwhile is known to the link
/// before it counts.
///
/// # Errors
/// The tie was cut meanwhile, or a store did not answer.
pub async fn let_in<P: Ports>(
    vouched: &Vouched<'_>,
    tie: &Tie,
    (person, known): (&AccountId, Option<Box<Standing>>),
    said: Said,
    cx: &Cx<'_, P>,
) -> Result<Standing, NotMatched> {
    let registration = &tie.registration;
    if let Some(standing) = known {
        crate::verify::remember(registration, Some(std::rc::Rc::new((*standing).clone())), cx);
        return Ok(*standing);
    }
    attach(registration, tie, cx).await?;
    let vouch = bind(vouched, tie, person, registration, said, cx).await?;
    match cx.ports.run::<Registration>(registration, Command::Vouch(vouch)).await? {
        Outcome::Standing(standing) => {
            still_stands(registration, tie, cx).await?;
            if !people::introduce(registration, person, cx).await? {
                return Err(NotMatched::Barred);
            }
            crate::verify::remember(registration, Some(std::rc::Rc::new(standing.clone())), cx);
            Ok(standing)
        }
        _ => Err(NotMatched::TakenBack),
    }
}

/// Looks once more whether the provider took back its word: its event may have found no registration to end a moment ago.
///
/// # Errors
/// It did; what was registered on it has ended.
pub async fn still_stands<P: Ports>(registration: &RegistrationId, tie: &Tie, cx: &Cx<'_, P>) -> Result<(), NotMatched> {
    match cx.ports.run::<Link>(&tie.name, link::Command::Look).await? {
        link::Outcome::Tie { generation, .. } if generation == tie.generation => Ok(()),
        link::Outcome::Tie { generation, .. } => {
            cx.ports.run::<Registration>(registration, Command::EndLink { link: tie.name.clone(), generation }).await?;
            Err(NotMatched::TakenBack)
        }
        _ => Err(NotMatched::TakenBack),
    }
}

/// Binds the subject to the person, unless the tie was cut since they were matched.
///
/// # Errors
/// It was, or a store did not answer.
pub async fn bind<P: Ports>(
    vouched: &Vouched<'_>,
    tie: &Tie,
    person: &AccountId,
    registration: &RegistrationId,
    said: Said,
    cx: &Cx<'_, P>,
) -> Result<Vouch, NotMatched> {
    let generation = tie.generation;
    let bind = link::Command::Bind { person: person.clone(), generation };
    match cx.ports.run::<Link>(&tie.name, bind).await? {
        link::Outcome::Tie { person: Some(bound), generation: now } if bound == *person && now == generation => {
            Ok(word(vouched, tie, person, registration, said))
        }
        _ => Err(NotMatched::TakenBack),
    }
}
