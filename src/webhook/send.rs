//! One attempt to tell one webhook one thing.

use url::Url;

use super::{message_id, sign};
use crate::cx::Cx;
use crate::provider::guard::{self, NamedBy};
use crate::store::{Ask, Ports};
use crate::tenant::{Delivery, Webhook};
use crate::time::{Timestamp, Ttl};

/// Whoever takes longer is told again.
const PATIENCE: Ttl = Ttl::from_seconds(10);
/// What it is told by.
const USER_AGENT: &str = concat!("Postern-Webhooks/", env!("CARGO_PKG_VERSION"));

/// The status that it was answered with, whatever it is, or in few words why there was none: they are shown to whoever made the webhook, and
/// so say nothing of the network. The address is judged every time, since the rules may have changed; what the answer says is not read.
pub(super) async fn send<P: Ports>(delivery: &Delivery, webhook: &Webhook, at: Timestamp, cx: &Cx<'_, P>) -> Result<u16, &'static str> {
    let url = Url::parse(&webhook.url).map_err(|_| "the address is malformed")?;
    guard::permits(&url, NamedBy::Stranger, cx.config.development).map_err(|_| "the address is not allowed")?;
    let (id, timestamp) = (message_id(delivery), at.seconds().to_string());
    let signature = sign::signatures(webhook, &id, &timestamp, &delivery.payload, at, &cx.config.masters);
    let headers = [("webhook-id", &*id), ("webhook-timestamp", &timestamp), ("webhook-signature", &signature), ("user-agent", USER_AGENT)];
    let ask = Ask { headers: &headers, content: Some(("application/json", &delivery.payload)) };
    match cx.ports.ask(&url, ask, 0, PATIENCE).await {
        Ok(answer) => Ok(answer.status),
        Err(error) => {
            cx.ports.warn("webhook_not_reached", &format!("{}: {error}", webhook.id));
            Err("not reached, or no answer within 10 seconds")
        }
    }
}
