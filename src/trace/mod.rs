//! The connection trace: what clients do on their way in, for the operator.
//!
//! `http` notes a step while it answers; what is to be kept of it waits in the answer's extensions as [`Pending`], and `edge` writes it
//! once the answer is out. With `TRACE=off` nothing of this happens.

pub mod said;
mod watch;

use std::fmt;

use crate::base62;
use crate::cx::Cx;
use crate::machine::trace::{Add, Command, Outcome, Trace};
use crate::machine::trace_index::{self, SHARDS, TraceIndex};
use crate::store::Ports;

pub use watch::{Step, Watch};

/// The name of a trace: made of client and network, so that it is known before anything is written. It opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TraceId([u8; 7]);

impl TraceId {
    /// That of `client`, or of clients without a name that do `what`, from where the request comes from.
    #[must_use]
    pub fn of<P>(client: Option<&str>, what: &str, cx: &Cx<'_, P>) -> Self {
        let named = if client.is_some() { "client" } else { "nobody" };
        let parts = [named.as_bytes(), client.unwrap_or(what).as_bytes(), network(cx).as_bytes()];
        let full = cx.config.masters.current.derive_bytes("trace", &parts);
        let mut id = [0; 7];
        id.iter_mut().zip(full).for_each(|(to, from)| *to = from);
        Self(id)
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        base62::decode(text).map(Self)
    }

    const fn shard(self) -> u8 {
        self.0[0] % SHARDS
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&base62::encode(&self.0))
    }
}

/// The network that a request comes from: an IPv4 /24 or an IPv6 /48, so that a service with many addresses is one.
pub(crate) fn network<'c, P>(cx: &'c Cx<'_, P>) -> &'c str {
    cx.origin.as_ref().map_or("unknown", |origin| &origin.network)
}

/// A step that is to be kept.
#[derive(Clone, Debug)]
pub struct Pending {
    /// Of this trace.
    pub id: TraceId,
    /// The step.
    pub add: Add,
}

impl Pending {
    /// Keeps it. That it cannot be is no more than a line in the log.
    pub async fn write<P: Ports>(self, cx: &Cx<'_, P>) {
        let id = self.id.to_string();
        let result = match cx.ports.run::<Trace>(&id, Command::Add(Box::new(self.add))).await {
            Ok(Outcome::Changed(entry)) => {
                let missed = cx.memory.watch.borrow_mut().missed();
                let note = trace_index::Command::Note { id, entry, missed };
                cx.ports.run::<TraceIndex>(&self.id.shard(), note).await.map(drop)
            }
            other => other.map(drop),
        };
        if let Err(error) = result {
            cx.ports.warn("trace_not_kept", &error.to_string());
        }
    }
}
