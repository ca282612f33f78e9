//! Clients that are documents (draft-ietf-oauth-client-id-metadata-document): their `client_id` is the address of their metadata.
//!
//! What a document asks for is negotiated. Refused are a document of another client, secrets in it, keys that cannot be used, and one whose
//! redirect URIs are all unsafe.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use serde_json::{Map, Value};
use url::Url;

use super::{AuthMethod, Client, Kept as Secret, Metadata, Source, Terms, Unavailable, Unusable};
use crate::config::reader::is_loopback;
use crate::cx::Cx;
use crate::memory::{Bounded, Memory};
use crate::oauth::error::{ErrorCode, Refusal};
use crate::provider::fetch::{self, Document, Kept, Ration};
use crate::provider::guard::NamedBy;
use crate::store::Ports;
use crate::time::Ttl;

/// A client's metadata as it is published.
pub struct ClientDocument {
    fields: Map<String, Value>,
    /// What was made of it: as long as the document is the same, so is that.
    client: OnceCell<Result<Rc<Client>, Unfit>>,
}

/// Longer identifiers are not taken, in bytes.
const LONGEST: usize = 1024;
/// With us come the documents of some vendors.
const PINNED: &str = include_str!("../../data/client-documents.json");

/// Why an address is not a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It cannot name a document.
    #[error("not an https URL with a path, in its one spelling")]
    Address,
    /// It is one of our own addresses.
    #[error("an address of this service itself")]
    Own,
    /// The document is of another client.
    #[error("the document's client_id is another one")]
    AnotherClient,
    /// A secret would be public.
    #[error("a shared secret in the document")]
    Secret,
    /// It can authenticate in no way that we can check.
    #[error("no authentication method in common")]
    Method,
    /// No client can come of it.
    #[error(transparent)]
    Metadata(#[from] Unusable),
}

impl Refusal for Unfit {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidClient
    }

    fn hint(&self) -> &'static str {
        match self {
            Self::Address => {
                "A client_id that is a URL must be https without port, fragment and dot segments, with a path, written as a browser would write it."
            }
            Self::Own => "Publish the client's metadata document on a host of its own.",
            Self::AnotherClient => "Make client_id in the document exactly the address that it is fetched from.",
            Self::Secret => "Take the secret out of the document; use none, or private_key_jwt with jwks_uri.",
            Self::Method => "Set token_endpoint_auth_method in the document to none, or to private_key_jwt with jwks_uri.",
            Self::Metadata(error) => error.hint(),
        }
    }
}

impl Document for ClientDocument {
    const MOST: usize = 24 * 1024;
    const FRESH: (Ttl, Ttl) = (Ttl::from_seconds(30), Ttl::from_seconds(300));
    /// Seven days, and the hour for which the directory's copy may be older than the last success.
    const SERVED: Ttl = Ttl::from_seconds(7 * 86400 + 3600);
    const DURABLE: bool = true;
    const WITHDRAWN: bool = true;
    const RATION: Option<Ration> = Some(Ration { name: "document", network: 60, deployment: 10_000 });

    /// Whatever speaks of a client. An error page in JSON is none of these.
    fn read(body: &[u8]) -> Option<Self> {
        let Ok(Value::Object(fields)) = serde_json::from_slice(body) else { return None };
        fields.get("client_id")?.is_string().then(|| Self::of(fields))
    }

    fn pinned(url: &str) -> Option<Self> {
        let all: Vec<Map<String, Value>> = serde_json::from_str(PINNED).ok()?;
        all.into_iter().find(|fields| fields.get("client_id").is_some_and(|id| id == url)).map(Self::of)
    }

    fn kept(memory: &Memory) -> &RefCell<Bounded<String, Kept<Self>>> {
        &memory.client_documents
    }
}

/// The client whose metadata is at `url`.
///
/// # Errors
/// There is none, or nobody can know at present.
pub async fn find<P: Ports>(url: &str, cx: &Cx<'_, P>) -> Result<Option<Rc<Client>>, Unavailable> {
    judge_address(url, cx)?;
    let found = fetch::current::<ClientDocument, P>(url, NamedBy::Stranger, cx).await?;
    match found.document.client.get_or_init(|| found.document.negotiate(url, cx).map(Rc::new)) {
        Ok(client) if found.is_stale => Ok(Some(Rc::new(as_stale(client)))),
        Ok(client) => Ok(Some(client.clone())),
        Err(error) => {
            // Section 5.2: what is of no use is not kept for as long as it says.
            fetch::doubt::<ClientDocument, P>(url, cx);
            Err((*error).into())
        }
    }
}

/// What this isolate remembers of it.
pub(super) fn known<P>(url: &str, cx: &Cx<'_, P>) -> Option<Rc<Client>> {
    let kept = cx.memory.client_documents.borrow().find(&url.to_owned())?;
    kept.document()?.client.get()?.as_ref().ok().cloned()
}

/// Section 3: https, a path, no fragment, no name or password; and in the one spelling that a parser would give it, so that dot segments, the
/// port of the scheme and capitals in the host are refused as well. Other ports, and hosts that are not public, are refused when it is fetched.
fn judge_address<P>(url: &str, cx: &Cx<'_, P>) -> Result<(), Unfit> {
    let parsed = Url::parse(url).ok().filter(|parsed| url.len() <= LONGEST && parsed.as_str() == url).ok_or(Unfit::Address)?;
    let local = cx.development && is_loopback(&parsed) && parsed.scheme() == "http";
    let bare = parsed.fragment().is_none() && parsed.username().is_empty() && parsed.password().is_none();
    if !(parsed.scheme() == "https" || local) || parsed.path() == "/" || !bare {
        return Err(Unfit::Address);
    }
    if Url::parse(&cx.config.issuer).is_ok_and(|issuer| issuer.origin() == parsed.origin()) {
        return Err(Unfit::Own);
    }
    Ok(())
}

fn as_stale(client: &Client) -> Client {
    let source = match client.source {
        Source::Document { may_be_public, .. } => Source::Document { stale: true, may_be_public },
        other => other,
    };
    Client { source, ..client.clone() }
}

impl ClientDocument {
    const fn of(fields: Map<String, Value>) -> Self {
        Self { fields, client: OnceCell::new() }
    }

    fn negotiate<P>(&self, url: &str, cx: &Cx<'_, P>) -> Result<Client, Unfit> {
        let text = |name: &str| self.fields.get(name).and_then(Value::as_str);
        if text("client_id") != Some(url) {
            return Err(Unfit::AnotherClient);
        }
        // Section 4.1.
        if ["client_secret", "client_secret_expires_at"].iter().any(|name| self.fields.get(*name).is_some_and(|value| !value.is_null())) {
            return Err(Unfit::Secret);
        }
        let terms = Terms { scopes: &cx.config.scopes_supported, named_by: NamedBy::Stranger, secrets: false, development: cx.development };
        let negotiate = |method: AuthMethod| {
            let mut fields = self.fields.clone();
            fields.insert("token_endpoint_auth_method".to_owned(), method.as_str().into());
            Metadata::negotiate(&fields, &terms)
        };
        let (asked, may_be_public) = self.method()?;
        let metadata = match negotiate(asked) {
            Err(Unusable::Keys) if may_be_public => negotiate(AuthMethod::None)?,
            negotiated => negotiated?,
        };
        let source = Source::Document { stale: false, may_be_public };
        Ok(Client { id: url.to_owned(), source, metadata, secret: Secret::Nothing, trusted: false })
    }

    /// How it authenticates, and whether it may leave that out. Some documents name what they prefer and list what else they can do, in a
    /// member that is otherwise a server's.
    fn method(&self) -> Result<(AuthMethod, bool), Unfit> {
        let listed = self.fields.get("token_endpoint_auth_methods_supported").and_then(Value::as_array);
        let lists = |method: AuthMethod| listed.is_some_and(|all| all.iter().any(|one| one == method.as_str()));
        let offers_none = lists(AuthMethod::None);
        match self.fields.get("token_endpoint_auth_method").filter(|method| !method.is_null()) {
            // Without a secret there is no other default than this one.
            None => Ok((AuthMethod::None, true)),
            Some(method) if method == AuthMethod::None.as_str() => Ok((AuthMethod::None, true)),
            Some(method) if method == AuthMethod::PrivateKeyJwt.as_str() => Ok((AuthMethod::PrivateKeyJwt, offers_none)),
            // Section 4.1: a method with a shared secret counts for nothing. What else the document can do may help.
            Some(_) if lists(AuthMethod::PrivateKeyJwt) => Ok((AuthMethod::PrivateKeyJwt, offers_none)),
            Some(_) if offers_none => Ok((AuthMethod::None, true)),
            Some(_) => Err(Unfit::Method),
        }
    }
}
