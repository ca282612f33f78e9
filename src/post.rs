//! Sending mail: how much of it, and through whom.

use crate::config::{Mail, Mailer};
use crate::cx::Cx;
use crate::email::Address;
use crate::machine::outbox::{self, OUTBOX, Outbox};
use crate::machine::quota::{Command, Quota};
use crate::mail::Message;
use crate::oauth::error::{ErrorCode, Refusal};
use crate::store::{OutboundError, Ports, StoreError};
use crate::time::Ttl;

/// Whose limit it is that nobody must learn of.
pub const ADDRESS: &str = "the address's";
const HOUR: Ttl = Ttl::from_seconds(3600);
const DAY: Ttl = Ttl::from_seconds(86400);

/// Why a mail does not go out.
#[derive(Debug, thiserror::Error)]
pub enum NotSent {
    /// No adapter is configured, or it is development's and this is not development.
    #[error("nobody delivers mail here")]
    Nobody,
    /// Enough for now: come again after so long.
    #[error("too much mail ({0})")]
    TooMuch(&'static str, Ttl),
    /// The limits are out of reach: closed, since mail goes to strangers.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The adapter has failed.
    #[error(transparent)]
    Outbound(#[from] OutboundError),
}

impl Refusal for NotSent {
    fn code(&self) -> ErrorCode {
        match self {
            Self::TooMuch(..) => ErrorCode::RateLimited,
            _ => ErrorCode::TemporarilyUnavailable,
        }
    }

    fn retry_after(&self) -> Option<Ttl> {
        match self {
            Self::TooMuch(_, wait) => Some(*wait),
            _ => None,
        }
    }
}

/// A mail that may go out: counted, and given back if nothing comes of it.
pub struct Allowed(Vec<(String, Command)>);

/// Takes one mail to `to` out of the limits: of the network that asks, of the address, of the deployment. A `request` that is repeated
/// is counted once.
///
/// # Errors
/// One of them is used up.
pub async fn allow<P: Ports>(to: &Address, request: Option<&str>, cx: &Cx<'_, P>) -> Result<Allowed, NotSent> {
    let mail = cx.config.mail.as_ref().ok_or(NotSent::Nobody)?;
    let network = cx.origin.as_ref().map(|origin| format!("mail-network/{}", origin.narrow));
    let address = cx.config.masters.current.name("mail", &[&to.canonical()]);
    let wide = cx.origin.as_ref().map(|origin| format!("mail-network-wide/{}", origin.network));
    let limits = [
        wide.map(|name| ("the network's", name, vec![(mail.per_network.saturating_mul(10), HOUR)])),
        network.map(|name| ("the network's", name, vec![(mail.per_network, HOUR)])),
        Some((ADDRESS, format!("mail-address/{address}"), vec![(mail.per_address, HOUR), (mail.per_address.saturating_mul(4), DAY)])),
        Some(("the deployment's", "mail/deployment".to_owned(), vec![(mail.per_deployment, HOUR)])),
    ];
    let mut taken = Allowed(Vec::new());
    for (whose, name, most) in limits.into_iter().flatten() {
        let request = request.map(str::to_owned);
        let take = Command::Take { most: most.clone(), request: request.clone() };
        if let Some(wait) = cx.ports.run::<Quota>(&name, take).await? {
            // Whoever asks for an address that has had enough has asked all the same.
            if whose != ADDRESS {
                give_back(taken, cx).await;
            }
            return Err(NotSent::TooMuch(whose, wait));
        }
        taken.0.push((name, Command::Return { most, request }));
    }
    Ok(taken)
}

/// Nothing came of it. A limit that cannot be reached keeps what it has counted.
pub async fn give_back<P: Ports>(taken: Allowed, cx: &Cx<'_, P>) {
    for (name, back) in taken.0 {
        if let Err(error) = cx.ports.run::<Quota>(&name, back).await {
            cx.ports.warn("quota_lost", &error.to_string());
        }
    }
}

/// Sends what was allowed; what is not taken is not counted.
///
/// # Errors
/// Nobody took it.
pub async fn send<P: Ports>(message: Message, allowed: Allowed, cx: &Cx<'_, P>) -> Result<(), NotSent> {
    let sent = hand_over(message, cx).await;
    if sent.is_err() {
        give_back(allowed, cx).await;
    }
    sent
}

async fn hand_over<P: Ports>(message: Message, cx: &Cx<'_, P>) -> Result<(), NotSent> {
    match cx.config.mail.as_ref() {
        None => Err(NotSent::Nobody),
        Some(Mail { through: Mailer::Outbox, .. }) if !cx.development => Err(NotSent::Nobody),
        Some(Mail { through: Mailer::Outbox, .. }) => {
            cx.ports.run::<Outbox>(&OUTBOX.to_owned(), outbox::Command::Keep(message)).await?;
            Ok(())
        }
        Some(mail) => Ok(cx.ports.send(&message, mail).await?),
    }
}
