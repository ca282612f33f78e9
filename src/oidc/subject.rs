//! Whom a client knows the person as (OpenID Connect Core, section 8).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use url::{Host, Url};

use crate::account::{Command, Outcome};
use crate::client::Client;
use crate::cx::Cx;
use crate::grant::DEVICE_CODE;
use crate::id::{AccountId, SessionId};
use crate::provider::guard::NamedBy;
use crate::store::{Ports, StoreError};

/// The `sub` of the person for this client: the digits of their account, or a name that only clients of the same sector know. The account
/// keeps such a name once it was given, so that it outlives a change of the deployment's secret.
///
/// # Errors
/// The account did not answer, or nobody is there.
pub async fn of<P: Ports>(account: &AccountId, client: &Client, cx: &Cx<'_, P>) -> Result<String, StoreError> {
    if !is_pairwise(client) {
        return Ok(account.digits().to_owned());
    }
    let sector = sector(client);
    let mac = cx.config.masters.current.derive_bytes("pairwise", &[sector.as_bytes(), account.as_str().as_bytes()]);
    let command = Command::Subject { sector, candidate: URL_SAFE_NO_PAD.encode(mac) };
    match cx.ports.account(account, command).await? {
        Outcome::Subject(subject) => Ok(subject),
        _ => Err(StoreError("the account is nobody's".to_owned())),
    }
}

/// Whether the client asked for a name of the person that no other sector knows. Then its access tokens have that name too.
#[must_use]
pub fn is_pairwise(client: &Client) -> bool {
    client.metadata.subject_type.as_deref() == Some("pairwise")
}

/// What the client calls the session: every client another name, so that two of them cannot compare.
#[must_use]
pub fn sid<P>(session: &SessionId, client: &str, cx: &Cx<'_, P>) -> String {
    let mac = cx.config.masters.current.derive_bytes("sid", &[session.as_str().as_bytes(), client.as_bytes()]);
    URL_SAFE_NO_PAD.encode(mac.get(..16).unwrap_or_default())
}

/// The host of `sector_identifier_uri`, else the one host that people are sent back to. A client without such a host, and one on the
/// person's own device, is a sector of its own: everybody's loopback has the same name. So is a stranger's that may use the device flow, where
/// nobody is sent back anywhere and so nothing shows that the host is its own; unless its document is there.
fn sector(client: &Client) -> String {
    let host = |uri: &str| {
        let url = Url::parse(uri).ok().filter(|url| url.scheme() == "https")?;
        matches!(url.host(), Some(Host::Domain(_))).then(|| url.host_str().map(str::to_owned))?
    };
    let one = || {
        let mut hosts = client.metadata.redirect_uris.iter().map(|uri| host(uri));
        let first = hosts.next().flatten().filter(|first| first != "localhost")?;
        hosts.all(|other| other.as_ref() == Some(&first)).then_some(first)
    };
    let unproven = client.named_by() == NamedBy::Stranger && client.metadata.allows_grant(DEVICE_CODE);
    let named = client.metadata.sector_identifier_uri.as_deref().and_then(host).or_else(one);
    named.filter(|named| !unproven || host(&client.id).as_ref() == Some(named)).unwrap_or_else(|| client.id.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{Kept, Metadata, Source};

    fn client(redirects: &[&str], sector: Option<&str>) -> Client {
        let metadata = Metadata {
            redirect_uris: redirects.iter().map(|uri| (*uri).to_owned()).collect(),
            sector_identifier_uri: sector.map(str::to_owned),
            ..Metadata::default()
        };
        Client { id: "the client".to_owned(), source: Source::Registered, metadata, secret: Kept::Nothing, trusted: false }
    }

    #[test]
    fn a_sector_is_a_host_or_the_client_itself() {
        for (redirects, given, found) in [
            (&["https://a.example.com/cb", "https://a.example.com/other"][..], None, "a.example.com"),
            (&["https://a.example.com/cb", "https://b.example.com/cb"], None, "the client"),
            (&["https://a.example.com/cb", "https://b.example.com/cb"], Some("https://c.example.com/sector.json"), "c.example.com"),
            (&["http://127.0.0.1/cb"], None, "the client"),
            (&["https://127.0.0.1/cb"], None, "the client"),
            (&["https://localhost/cb"], None, "the client"),
            (&["https://a.example.com/cb", "com.example.app:/cb"], None, "the client"),
            (&["com.example.app:/cb"], None, "the client"),
            (&[], None, "the client"),
        ] {
            assert_eq!(sector(&client(redirects, given)), found, "{redirects:?} {given:?}");
        }
    }

    #[test]
    fn a_stranger_that_may_use_the_device_flow_is_no_other_hosts_sector() {
        let document = Source::Document { stale: false, may_be_public: true };
        for (source, id, sector_of, found) in [
            (Source::Registered, "cli_x", None, "cli_x"),
            (Source::Registered, "cli_x", Some("https://a.example.com/sector.json"), "cli_x"),
            (document, "https://evil.example/c.json", None, "https://evil.example/c.json"),
            (document, "https://a.example.com/c.json", None, "a.example.com"),
            (Source::Operator, "cli_x", None, "a.example.com"),
            (Source::Configured, "portal", None, "a.example.com"),
        ] {
            let mut client = Client { id: id.to_owned(), source, ..client(&["https://a.example.com/cb"], sector_of) };
            client.metadata.grant_types = vec![DEVICE_CODE.to_owned()];
            assert_eq!(sector(&client), found, "{source:?} {id}");
        }
    }
}
