//! Secrets and signatures of webhooks, as Standard Webhooks 1.0 has them. No secret is stored: it is derived from the deployment's.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::id::WebhookId;
use crate::master::{Master, Masters};
use crate::tenant::Webhook;
use crate::time::Timestamp;

/// The secret of a webhook, as its owner is shown it once: `whsec_` and base64 of 32 bytes.
#[must_use]
pub fn secret(id: &WebhookId, version: u32, master: &Master) -> String {
    format!("whsec_{}", STANDARD.encode(master.webhook(id.as_str(), version)))
}

/// `webhook-signature`: one signature by each secret that counts at `at`. There are two for a while after it was rotated, and while the
/// deployment's own secret changes each is there by the old one too.
#[must_use]
pub fn signatures(webhook: &Webhook, id: &str, timestamp: &str, payload: &str, at: Timestamp, masters: &Masters) -> String {
    let before = webhook.secret_version.checked_sub(1).filter(|_| webhook.previous_until.is_some_and(|until| at < until));
    let versions = std::iter::once(webhook.secret_version).chain(before);
    let keys = versions.flat_map(|version| masters.all().map(move |master| master.webhook(webhook.id.as_str(), version)));
    keys.map(|key| format!("v1,{}", STANDARD.encode(mac(&key, &[id, ".", timestamp, ".", payload])))).collect::<Vec<_>>().join(" ")
}

fn mac(key: &[u8; 32], parts: &[&str]) -> [u8; 32] {
    // HMAC takes keys of every length: this cannot fail.
    let Ok(mut mac) = <Hmac<Sha256> as Mac>::new_from_slice(key) else { return [0; 32] };
    parts.iter().for_each(|part| mac.update(part.as_bytes()));
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::mac;

    /// RFC 4231, section 4.2, cut in two.
    #[test]
    fn the_parts_are_signed_as_one() {
        let mut key = [0; 32];
        key[..20].copy_from_slice(&[0x0b; 20]);
        let expected = "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7";
        assert_eq!(crate::master::hex(&mac(&key, &["Hi ", "There"])), expected);
    }
}
