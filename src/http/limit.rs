//! How many may register: asked before a registration is opened.

use bytes::Bytes;
use http::{HeaderName, Response};

use super::refuse::Refused;
use super::reply;
use crate::cx::Cx;
use crate::machine::budget::{Budget, Command, DEPLOYMENT, Permits};
use crate::machine::limit::{Limit, MOST_PERMITS, Take, Taken};
use crate::oauth::error::ErrorCode;
use crate::store::{Ports, StoreError};
use crate::time::Ttl;

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// What `RateLimit-*` headers say.
#[derive(Clone, Copy)]
pub(super) struct Allowance {
    limit: u32,
    remaining: u32,
    reset: Ttl,
}

impl Allowance {
    /// Puts the headers on an answer.
    pub(super) fn show(self, response: &mut Response<Bytes>) {
        for (name, value) in self.headers() {
            reply::set(response.headers_mut(), name, &value);
        }
    }

    fn headers(self) -> [(HeaderName, String); 3] {
        [(LIMIT, self.limit.to_string()), (REMAINING, self.remaining.to_string()), (RESET, self.reset.seconds().to_string())]
    }

    fn refuse(self, reason: &str) -> Refused {
        let refused = Refused::new(ErrorCode::RateLimited, reason).retry_after(self.reset);
        self.headers().into_iter().fold(refused, |refused, (name, value)| refused.header(name, value))
    }
}

/// Takes one registration of the caller's network and of the deployment. A lost limiter lets it pass: what it
/// guards is volume, not rights.
pub(super) async fn take<P: Ports>(cx: &Cx<'_, P>) -> Result<Option<Allowance>, Refused> {
    match ask(cx).await {
        Ok(Taken::Yes { limit, remaining, reset }) => Ok(Some(Allowance { limit, remaining, reset })),
        Ok(Taken::No { limit, reset }) => Err(Allowance { limit, remaining: 0, reset }.refuse("the network's limit")),
        Ok(Taken::PermitNeeded) => Ok(None),
        Err(Lost::Exhausted(permits)) => {
            let allowance = Allowance { limit: cx.config.limits.per_deployment, remaining: 0, reset: cx.now.until(permits.until) };
            Err(allowance.refuse("the deployment's limit"))
        }
        Err(Lost::Store(error)) => {
            cx.ports.warn("limiter_lost", &error.to_string());
            Ok(None)
        }
    }
}

enum Lost {
    Exhausted(Permits),
    Store(StoreError),
}

impl From<StoreError> for Lost {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

async fn ask<P: Ports>(cx: &Cx<'_, P>) -> Result<Taken, Lost> {
    let (network, narrow, per_narrow, per_whole) = match &cx.origin {
        Some(origin) => {
            let most = cx.config.registrations_per_hour(origin);
            (origin.network.clone(), Some(origin.narrow.clone()), most, most.saturating_mul(10))
        }
        // The platform does not know the address: only the deployment's limit counts.
        None => ("unknown".to_owned(), None, u32::MAX, u32::MAX),
    };
    let take = Take { narrow, per_narrow, per_whole, permits: None };
    // In the rare case that others use up what was leased, ask again.
    for _ in 0..3 {
        let (taken, _) = cx.ports.run::<Limit>(&network, take.clone()).await?;
        if taken != Taken::PermitNeeded {
            return Ok(taken);
        }
        let limit = cx.config.limits.per_deployment;
        // Small enough that a hundred networks cannot hold the whole limit without using it.
        let want = (limit / 200).clamp(1, MOST_PERMITS);
        let permits = cx.ports.run::<Budget>(&DEPLOYMENT, Command::Lease { want, limit }).await?;
        if permits.count == 0 {
            return Err(Lost::Exhausted(permits));
        }
        let (taken, surplus) = cx.ports.run::<Limit>(&network, Take { permits: Some(permits), ..take.clone() }).await?;
        if surplus > 0 {
            cx.ports.run::<Budget>(&DEPLOYMENT, Command::Return(Permits { count: surplus, ..permits })).await?;
        }
        if taken != Taken::PermitNeeded {
            return Ok(taken);
        }
    }
    Err(StoreError("permits were gone before they could be used".to_owned()).into())
}
