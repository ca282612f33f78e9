//! Client metadata documents (draft-ietf-oauth-client-id-metadata-document): whether a `client_id` is the provider's own.

use std::cell::RefCell;

use serde_json::Value;
use url::Url;

use super::fetch::{self, Document, Kept, Unreachable};
use super::guard::NamedBy;
use crate::config::Provider;
use crate::cx::Cx;
use crate::memory::{Bounded, Memory};
use crate::store::Ports;

/// What of a client's metadata we need.
#[derive(Debug)]
pub struct ClientMetadata {
    client_id: String,
    jwks_uri: String,
}

/// A `client_id` that is not the provider's.
#[derive(Debug, thiserror::Error)]
pub enum ForeignClient {
    /// Neither its issuer nor an https URL that can name a document.
    #[error("the client is neither the provider nor a document")]
    Other,
    /// The document cannot be had.
    #[error("the client's document: {0}")]
    Unreachable(#[from] Unreachable),
    /// The document is of another client, or of another key set.
    #[error("the client's document does not name the client and the provider's key set")]
    Mismatch,
}

impl Document for ClientMetadata {
    const MOST: usize = 24 * 1024;

    fn read(body: &[u8]) -> Option<Self> {
        let document: Value = serde_json::from_slice(body).ok()?;
        let text = |name: &str| document.get(name).and_then(Value::as_str).map(str::to_owned);
        Some(Self { client_id: text("client_id")?, jwks_uri: text("jwks_uri")? })
    }

    fn kept(memory: &Memory) -> &RefCell<Bounded<String, Kept<Self>>> {
        &memory.clients
    }
}

/// Whether `client_id` is of `provider`: its issuer, its pinned document, or a document that has the same key set.
///
/// # Errors
/// It is not, or nobody can know.
pub async fn is_of<P: Ports>(client_id: &str, provider: &Provider, cx: &Cx<'_, P>) -> Result<(), ForeignClient> {
    if client_id == provider.issuer || provider.client_metadata.as_deref() == Some(client_id) {
        return Ok(());
    }
    if !names_document(client_id) {
        return Err(ForeignClient::Other);
    }
    let found = fetch::current::<ClientMetadata, P>(client_id, NamedBy::Stranger, cx).await?;
    let ClientMetadata { client_id: own, jwks_uri } = &*found.document;
    if own == client_id && *jwks_uri == provider.jwks_uri { Ok(()) } else { Err(ForeignClient::Mismatch) }
}

/// Section 3 of the draft: a path, no fragment; and in the one spelling that a parser would give it, so that no two names are of one
/// document.
fn names_document(client_id: &str) -> bool {
    Url::parse(client_id).is_ok_and(|url| url.as_str() == client_id && url.path() != "/" && url.fragment().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_has_one_name() {
        for good in ["https://agent.example.com/client.json", "https://agent.example.com/a?b=c"] {
            assert!(names_document(good), "{good}");
        }
        for wrong in [
            "agent",
            "",
            "https://agent.example.com",
            "https://agent.example.com/",
            "https://agent.example.com/a#f",
            "https://agent.example.com/a/../b",
            "https://agent.example.com/a/%2e%2e/b",
            "https://AGENT.example.com/a",
            "https://agent.example.com:443/a",
            " https://agent.example.com/a",
            "https://agent.example.com/a\n",
        ] {
            assert!(!names_document(wrong), "{wrong}");
        }
    }
}
