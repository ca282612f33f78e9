//! Webhooks are told what has happened: signed as Standard Webhooks have it, a few at a time, by the alarm of the account that has the queue.

mod send;
pub mod sign;

use std::cell::{Cell, RefCell};

use crate::cx::Cx;
use crate::entropy::random;
use crate::http::together::together;
use crate::id::WebhookId;
use crate::store::{Ports, StoreError};
use crate::tenant::{Delivery, Outcome, Webhook, What};
use crate::time::{Timestamp, Ttl};

/// So many are told at the same time: more connections that wait for an answer the platform does not open at once.
const AT_ONCE: usize = 6;
/// So many of these are kept for webhooks that answer quickly.
const FOR_QUICK: usize = 3;
/// So many are told in one go at most by the lanes that are kept for the quick ones: each is a request of the platform's, which has a limit.
const MOST_QUICK: u32 = 28;
/// And so many by the others.
const MOST: u32 = 12;
/// So many goes in a row are for the quick ones alone, while there are more of those than one go can tell: whoever is slow has the next.
const HURRIED: u32 = 8;
/// Nobody is told anything more in the same go once it has lasted so long. Whoever is being told then has as long as the patience lasts.
const LONGEST: Ttl = Ttl::from_seconds(20);
/// But those who answer quickly are, for so much longer: the slow ones have begun by then, and must not keep them waiting.
const LONGER: Ttl = Ttl::from_seconds(10);
/// While somebody is being told something, it is looked so often whether there is something to tell to others.
const LOOK: Ttl = Ttl::from_seconds(1);

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

/// How many goes in a row were for the quick ones alone: kept from one go to the next, for as long as the object is in memory.
#[derive(Debug, Default)]
pub struct Hurry(Cell<u32>);

/// Tells whatever is due, each webhook in its turn. Each is told one thing after the other, and nothing more in this go once it has failed.
/// Slow ones have half of the lanes at most, and the go goes on for others while they take their time; a go that ends because the quick ones
/// have had all that is theirs is followed by some for those alone, which wait for nobody slow. What is left is due at the next alarm.
///
/// Whether there may be more for the quick ones: the alarm has to ring again at once.
///
/// # Errors
/// The queue failed, or there is no randomness.
pub async fn deliver<P: Ports>(queue: &impl Queue, hurry: &Hurry, cx: &Cx<'_, P>) -> Result<bool, StoreError> {
    let hurried = hurry.0.get();
    let round = Round {
        queue,
        until: queue.now().plus(LONGEST),
        is_hurried: (1..=HURRIED).contains(&hurried),
        left: Cell::new(MOST),
        left_to_quick: Cell::new(MOST_QUICK),
        under_way: Cell::new(0),
        is_done: Cell::new(false),
        resting: RefCell::default(),
    };
    let ends = together((0..AT_ONCE).map(|lane| round.work(lane >= AT_ONCE - FOR_QUICK, cx)).collect()).await;
    let is_spent = round.left_to_quick.get() == 0;
    // A go for all comes after those for the quick ones alone, and then these may begin again.
    hurry.0.set(match hurried {
        _ if !is_spent => 0,
        hurried if hurried > HURRIED => 1,
        hurried => hurried + 1,
    });
    ends.into_iter().collect::<Result<(), _>>().map(|()| is_spent)
}

struct Round<'q, Q> {
    queue: &'q Q,
    until: Timestamp,
    /// It is for the quick ones alone.
    is_hurried: bool,
    /// So many more may be told by the lanes for anybody, and by those for the quick ones.
    left: Cell<u32>,
    left_to_quick: Cell<u32>,
    /// So many are being told something.
    under_way: Cell<u32>,
    /// There was nothing left, and nobody was being told anything: all lanes end then, and what comes later rings the alarm anew.
    is_done: Cell<bool>,
    /// Who is being told something, or has failed.
    resting: RefCell<Vec<WebhookId>>,
}

impl<Q: Queue> Round<'_, Q> {
    /// One lane: for whoever answers quickly, or for anybody.
    async fn work<P: Ports>(&self, quick: bool, cx: &Cx<'_, P>) -> Result<(), StoreError> {
        while !self.is_over(quick) {
            let Some((delivery, webhook)) = self.next(quick)? else {
                // Whoever looks only for quick ones does not know whether there are others.
                if self.under_way.get() == 0 && (!quick || self.is_over(false)) {
                    self.is_done.set(true);
                    break;
                }
                cx.ports.pause(LOOK).await;
                continue;
            };
            let begun = self.queue.now();
            self.under_way.set(self.under_way.get() + 1);
            let (status, error) = match send::send(&delivery, &webhook, begun, cx).await {
                Ok(status) => (Some(u32::from(status)), None),
                Err(error) => (None, Some(error.to_owned())),
            };
            self.under_way.set(self.under_way.get() - 1);
            let took = Some(begun.until(self.queue.now()));
            let jitter = u32::from_be_bytes(random(cx.entropy).map_err(|error| StoreError(error.to_string()))?);
            let taken = status.is_some_and(|status| (200..300).contains(&status));
            self.queue.ask(What::Settled { number: delivery.number, attempt: delivery.attempt, status, error, jitter, took })?;
            if taken {
                self.resting.borrow_mut().retain(|resting| *resting != webhook.id);
            }
        }
        Ok(())
    }

    fn is_over(&self, quick: bool) -> bool {
        let until = if quick { self.until.plus(LONGER) } else { self.until };
        // Once the quick ones have had all that is theirs the go ends, and would wait for whoever slow begins now.
        let is_spent = self.left_to_quick.get() == 0 || (!quick && (self.is_hurried || self.left.get() == 0));
        self.is_done.get() || is_spent || self.queue.now() >= until
    }

    /// What is to be told next, by whoever asks.
    fn next(&self, quick: bool) -> Result<Option<(Delivery, Webhook)>, StoreError> {
        let except = self.resting.borrow().clone();
        let Outcome::Due(due) = self.queue.ask(What::Due { limit: 1, except, quick })? else { return Ok(None) };
        let next = due.into_iter().next();
        if let Some((_, webhook)) = &next {
            let left = if quick { &self.left_to_quick } else { &self.left };
            left.set(left.get().saturating_sub(1));
            self.resting.borrow_mut().push(webhook.id.clone());
        }
        Ok(next)
    }
}
