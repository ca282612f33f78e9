//! How many may register: asked before a registration is opened.

use bytes::Bytes;
use http::{HeaderName, Response};

use super::refuse::Refused;
use super::reply;
use crate::cx::Cx;
use crate::machine::budget::{Budget, Command, DEPLOYMENT, Permits, SHARES};
use crate::machine::limit::{Limit, Take, Taken};
use crate::machine::quota::{self, Quota};
use crate::network::Origin;
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

/// Who registers: each has windows of its own, so that none uses up those of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whom {
    /// An agent, with nothing but its word.
    Anonymous,
    /// An agent, with a provider's or a person's name.
    Vouched,
    /// A client.
    Client,
}

impl Whom {
    const fn name(self) -> &'static str {
        match self {
            Self::Anonymous => "",
            Self::Vouched => "vouched/",
            Self::Client => "clients/",
        }
    }

    /// The record that has all of the deployment's permits.
    fn budget(self) -> String {
        if self == Self::Client { "clients".to_owned() } else { DEPLOYMENT.to_owned() }
    }

    const fn per_deployment<P>(self, cx: &Cx<'_, P>) -> u32 {
        match self {
            Self::Client => cx.config.limits.clients_per_deployment,
            Self::Anonymous | Self::Vouched => cx.config.limits.per_deployment,
        }
    }

    /// Of an address or /64, which are not counted one by one where many share them; and of the network.
    fn per_network<P>(self, origin: &Origin, cx: &Cx<'_, P>) -> (Option<String>, u32, u32) {
        if self == Self::Client {
            return (None, u32::MAX, cx.config.limits.clients_per_network);
        }
        let most = cx.config.registrations_per_hour(origin, self == Self::Vouched);
        (Some(origin.narrow.clone()), most, most.saturating_mul(10))
    }
}

/// Takes one registration of the caller's network and of the deployment. A lost limiter lets it pass: what it
/// guards is volume, not rights. A request that may be repeated is counted once, however many copies come at once.
pub(super) async fn take<P: Ports>(request: Option<String>, whom: Whom, cx: &Cx<'_, P>) -> Result<Option<Allowance>, Refused> {
    match ask(request, whom, cx).await {
        Ok(Taken::Yes { limit, remaining, reset }) => Ok(Some(Allowance { limit, remaining, reset })),
        Ok(Taken::No { limit, reset }) => Err(Allowance { limit, remaining: 0, reset }.refuse("the network's limit")),
        Ok(Taken::PermitNeeded { .. }) => Ok(None),
        Err(Lost::Exhausted(permits)) => {
            let allowance =
                Allowance { limit: whom.per_deployment(cx), remaining: 0, reset: cx.now.until(permits.until).min(Ttl::from_seconds(3600)) };
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

async fn ask<P: Ports>(request: Option<String>, whom: Whom, cx: &Cx<'_, P>) -> Result<Taken, Lost> {
    let (network, narrow, per_narrow, per_whole) = match &cx.origin {
        Some(origin) => {
            let (narrow, per_narrow, per_whole) = whom.per_network(origin, cx);
            (origin.network.clone(), narrow, per_narrow, per_whole)
        }
        // The platform does not know the address: only the deployment's limit counts.
        None => ("unknown".to_owned(), None, u32::MAX, u32::MAX),
    };
    let network = format!("{}{network}", whom.name());
    let mut take = Take { narrow, per_narrow, per_whole, permits: None, request };
    // In the rare case that others use up what was drawn, ask again.
    for _ in 0..3 {
        let (taken, surplus) = cx.ports.run::<Limit>(&network, take.clone()).await?;
        if let (Some(permits), 1..) = (take.permits, surplus) {
            cx.ports.run::<Budget>(&whom.budget(), Command::Return(Permits { count: surplus, ..permits })).await?;
        }
        let Taken::PermitNeeded { want } = taken else { return Ok(taken) };
        // Of a small limit nothing may lie idle.
        let want = want.min(whom.per_deployment(cx) / 200).max(1);
        take.permits = Some(draw(&network, want, whom, cx).await?);
    }
    Err(StoreError("permits were gone before they could be used".to_owned()).into())
}

/// From this limit on it is handed out through shares: below, one object can well see every registration, and none lies idle.
const SHARED: u32 = 1000;

/// Permits from the share that the network belongs to, which gets more of the whole when it has none.
async fn draw<P: Ports>(network: &str, want: u32, whom: Whom, cx: &Cx<'_, P>) -> Result<Permits, Lost> {
    let limit = whom.per_deployment(cx);
    let lease = async |want: u32| {
        let leased = cx.ports.run::<Budget>(&whom.budget(), Command::Lease { want, limit }).await?;
        if leased.count > 0 { Ok(leased) } else { Err(Lost::Exhausted(leased)) }
    };
    if limit < SHARED {
        return lease(want).await;
    }
    let clients = if whom == Whom::Client { "clients-" } else { "" };
    let share = format!("{clients}share-{}", crc32fast::hash(network.as_bytes()) % SHARES);
    let drawn = cx.ports.run::<Budget>(&share, Command::Draw { want, leased: None }).await?;
    if drawn.count > 0 {
        return Ok(drawn);
    }
    // A sixteenth of the whole is under way at most, whatever its size.
    let leased = lease((limit / 16 / SHARES).max(1)).await?;
    Ok(cx.ports.run::<Budget>(&share, Command::Draw { want, leased: Some(leased) }).await?)
}

/// So many times the vouched registrations of a network: many devices and clients stand behind one address.
const TIMES: u32 = 10;
const HOUR: Ttl = Ttl::from_seconds(3600);

/// What one network may have kept in an hour of requests of this `kind`, without anybody having signed in.
pub(super) async fn requests<P: Ports>(kind: &str, cx: &Cx<'_, P>) -> Result<(), Refused> {
    let Some(origin) = &cx.origin else { return Ok(()) };
    let most = cx.config.registrations_per_hour(origin, true).saturating_mul(TIMES);
    hourly(kind, format!("{kind}-network-wide/{}", origin.network), most.saturating_mul(10), cx).await?;
    of_one(kind, most, cx).await
}

/// What one IPv4 address or IPv6 /64 may have of them.
pub(super) async fn of_one<P: Ports>(kind: &str, most: u32, cx: &Cx<'_, P>) -> Result<(), Refused> {
    let Some(origin) = &cx.origin else { return Ok(()) };
    hourly(kind, format!("{kind}-network/{}", origin.narrow), most, cx).await
}

/// A lost limiter lets it pass: what it guards is volume, not rights.
async fn hourly<P: Ports>(kind: &str, name: String, most: u32, cx: &Cx<'_, P>) -> Result<(), Refused> {
    let take = quota::Command::Take { most: vec![(most, HOUR)], request: None };
    match cx.ports.run::<Quota>(&name, take).await {
        Ok(None) => Ok(()),
        Ok(Some(wait)) => Err(Refused::new(ErrorCode::RateLimited, format!("the network's limit: {kind}")).retry_after(wait)),
        Err(error) => {
            cx.ports.warn("quota_lost", &error.to_string());
            Ok(())
        }
    }
}
