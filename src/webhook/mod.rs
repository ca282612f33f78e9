//! Webhooks are told what has happened: signed as Standard Webhooks have it, a few at a time, by the alarm of the account that has the queue.

mod send;
pub mod sign;

use std::cell::RefCell;

use crate::cx::Cx;
use crate::entropy::random;
use crate::http::together::together;
use crate::id::WebhookId;
use crate::store::{Ports, StoreError};
use crate::tenant::{Delivery, Outcome, Webhook, What};
use crate::time::{Timestamp, Ttl};

/// So many are told at the same time.
const AT_ONCE: usize = 4;
/// So many are told in one go at most: each is a request of the platform's, which has a limit.
const MOST: u32 = 40;
/// Nobody is told anything more in the same go once it has lasted so long. Whoever is being told then has as long as the patience lasts.
const LONGEST: Ttl = Ttl::from_seconds(20);

/// The queue of one account, for whoever is inside of it.
pub trait Queue {
    /// Carries out one command on the account's own behalf, in a transaction of its own.
    ///
    /// # Errors
    /// A statement failed.
    fn ask(&self, what: What) -> Result<Outcome, StoreError>;

    /// The time.
    fn now(&self) -> Timestamp;
}

/// The names of one delivery's message over all of its attempts: `webhook-id`.
#[must_use]
pub fn message_id(delivery: &Delivery) -> String {
    format!("msg_{}_{}", delivery.webhook.digits(), delivery.number)
}

/// Tells whatever is due, each webhook in its turn. Each is told one thing after the other, and nothing more in this go once it has failed:
/// so a slow one keeps nobody waiting for long. What is left is due at the next alarm.
///
/// # Errors
/// The queue failed, or there is no randomness.
pub async fn deliver<P: Ports>(queue: &impl Queue, cx: &Cx<'_, P>) -> Result<(), StoreError> {
    let round = Round { queue, until: queue.now().plus(LONGEST), left: RefCell::new(MOST), resting: RefCell::default() };
    together((0..AT_ONCE).map(|_| round.work(cx)).collect()).await.into_iter().collect()
}

struct Round<'q, Q> {
    queue: &'q Q,
    until: Timestamp,
    left: RefCell<u32>,
    /// Who is being told something, or has failed.
    resting: RefCell<Vec<WebhookId>>,
}

impl<Q: Queue> Round<'_, Q> {
    async fn work<P: Ports>(&self, cx: &Cx<'_, P>) -> Result<(), StoreError> {
        while let Some((delivery, webhook)) = self.next()? {
            let (status, error) = match send::send(&delivery, &webhook, self.queue.now(), cx).await {
                Ok(status) => (Some(u32::from(status)), None),
                Err(error) => (None, Some(error.to_owned())),
            };
            let jitter = u32::from_be_bytes(random(cx.entropy).map_err(|error| StoreError(error.to_string()))?);
            let taken = status.is_some_and(|status| (200..300).contains(&status));
            self.queue.ask(What::Settled { number: delivery.number, attempt: delivery.attempt, status, error, jitter })?;
            if taken {
                self.resting.borrow_mut().retain(|resting| *resting != webhook.id);
            }
        }
        Ok(())
    }

    /// What is to be told next, by whoever asks.
    fn next(&self) -> Result<Option<(Delivery, Webhook)>, StoreError> {
        if *self.left.borrow() == 0 || self.queue.now() >= self.until {
            return Ok(None);
        }
        let except = self.resting.borrow().clone();
        let Outcome::Due(due) = self.queue.ask(What::Due { limit: 1, except })? else { return Ok(None) };
        let next = due.into_iter().next();
        if let Some((_, webhook)) = &next {
            *self.left.borrow_mut() -= 1;
            self.resting.borrow_mut().push(webhook.id.clone());
        }
        Ok(next)
    }
}
