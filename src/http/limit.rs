//! How many may register: asked before a registration is opened.

use bytes::Bytes;
use http::{HeaderName, Response};

use super::refuse::Refused;
use super::reply;
use crate::cx::Cx;
use crate::machine::budget::{Budget, Command, DEPLOYMENT, Permits, SHARES};
use crate::machine::limit::{Limit, Take, Taken};
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
/// guards is volume, not rights. A request that may be repeated is counted once, however many copies come at once.
pub(super) async fn take<P: Ports>(request: Option<String>, vouched: bool, cx: &Cx<'_, P>) -> Result<Option<Allowance>, Refused> {
    match ask(request, vouched, cx).await {
        Ok(Taken::Yes { limit, remaining, reset }) => Ok(Some(Allowance { limit, remaining, reset })),
        Ok(Taken::No { limit, reset }) => Err(Allowance { limit, remaining: 0, reset }.refuse("the network's limit")),
        Ok(Taken::PermitNeeded { .. }) => Ok(None),
        Err(Lost::Exhausted(permits)) => {
            let allowance = Allowance {
                limit: cx.config.limits.per_deployment,
                remaining: 0,
                reset: cx.now.until(permits.until).min(Ttl::from_seconds(3600)),
            };
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

async fn ask<P: Ports>(request: Option<String>, vouched: bool, cx: &Cx<'_, P>) -> Result<Taken, Lost> {
    let (network, narrow, per_narrow, per_whole) = match &cx.origin {
        Some(origin) => {
            let most = cx.config.registrations_per_hour(origin, vouched);
            (origin.network.clone(), Some(origin.narrow.clone()), most, most.saturating_mul(10))
        }
        // The platform does not know the address: only the deployment's limit counts.
        None => ("unknown".to_owned(), None, u32::MAX, u32::MAX),
    };
    // Each kind has windows of its own: anonymous ones must not use up those of agents that somebody vouches for.
    let network = if vouched { format!("vouched/{network}") } else { network };
    let mut take = Take { narrow, per_narrow, per_whole, permits: None, request };
    // In the rare case that others use up what was drawn, ask again.
    for _ in 0..3 {
        let (taken, surplus) = cx.ports.run::<Limit>(&network, take.clone()).await?;
        if let (Some(permits), 1..) = (take.permits, surplus) {
            cx.ports.run::<Budget>(&DEPLOYMENT.to_owned(), Command::Return(Permits { count: surplus, ..permits })).await?;
        }
        let Taken::PermitNeeded { want } = taken else { return Ok(taken) };
        // Of a small limit nothing may lie idle.
        let want = want.min(cx.config.limits.per_deployment / 200).max(1);
        take.permits = Some(draw(&network, want, cx).await?);
    }
    Err(StoreError("permits were gone before they could be used".to_owned()).into())
}

/// From this limit on it is handed out through shares: below, one object can well see every registration, and none lies idle.
const SHARED: u32 = 1000;

/// Permits from the share that the network belongs to, which gets more of the whole when it has none.
async fn draw<P: Ports>(network: &str, want: u32, cx: &Cx<'_, P>) -> Result<Permits, Lost> {
    let limit = cx.config.limits.per_deployment;
    let lease = async |want: u32| {
        let leased = cx.ports.run::<Budget>(&DEPLOYMENT.to_owned(), Command::Lease { want, limit }).await?;
        if leased.count > 0 { Ok(leased) } else { Err(Lost::Exhausted(leased)) }
    };
    if limit < SHARED {
        return lease(want).await;
    }
    let share = format!("share-{}", crc32fast::hash(network.as_bytes()) % SHARES);
    let drawn = cx.ports.run::<Budget>(&share, Command::Draw { want, leased: None }).await?;
    if drawn.count > 0 {
        return Ok(drawn);
    }
    // A sixteenth of the whole is under way at most, whatever its size.
    let leased = lease((limit / 16 / SHARES).max(1)).await?;
    Ok(cx.ports.run::<Budget>(&share, Command::Draw { want, leased: Some(leased) }).await?)
}
