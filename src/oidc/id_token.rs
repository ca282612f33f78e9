//! ID tokens (OpenID Connect Core, section 2).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use url::Url;

use super::{acr, amr, ring, subject};
use crate::client::{Client, Source};
use crate::cx::Cx;
use crate::id::{AccountId, SessionId};
use crate::jose::claims::lasting;
use crate::keys::{self, KeysError};
use crate::machine::session::{Command, Relying, Session};
use crate::provider::guard::{self, NamedBy};
use crate::store::{Ports, StoreError};
use crate::time::{Timestamp, Ttl};

/// `typ` of ID tokens: no other token of ours has it.
pub const ID_TOKEN: &str = "JWT";
/// Clients look at it once, when it comes.
const LIFE: Ttl = Ttl::from_seconds(3600);

/// What an ID token says.
pub struct IdTokenFor<'a> {
    /// Who asks.
    pub client: &'a Client,
    /// Who has signed in.
    pub account: &'a AccountId,
    /// Whom the client knows them as, if that was asked already.
    pub subject: Option<&'a str>,
    /// The session in which they agreed, if it was one of a browser.
    pub session: Option<&'a SessionId>,
    /// When they last proved who they are.
    pub auth_time: Timestamp,
    /// How: `mail`, `passkey`, `upstream`.
    pub method: &'a str,
    /// As the client sent it with the authorization request; none for a refreshed token (Core, section 12.2).
    pub nonce: Option<&'a str>,
    /// The access token that comes with it.
    pub access_token: Option<&'a str>,
}

/// Signs an ID token. A client that wants to hear of logouts is noted with the session, if that is in reach.
///
/// # Errors
/// There is no key, the account is out of reach, or the crypto failed.
pub async fn id_token<P: Ports>(asked: IdTokenFor<'_>, cx: &Cx<'_, P>) -> Result<String, KeysError> {
    let sub = match asked.subject {
        Some(known) => known.to_owned(),
        None => subject::of(asked.account, asked.client, cx).await?,
    };
    let sid = asked.session.map(|session| subject::sid(session, &asked.client.id, cx));
    if let (Some(session), Some(sid)) = (asked.session, &sid)
        && let Err(error) = relies(&asked, session, &sub, sid, cx).await
    {
        // The code is used up: a client that gets nothing now would lose more than word of a logout.
        cx.ports.warn("logout_not_noted", &format!("{}: {error}", asked.client.id));
    }
    let claims = claims(&asked, &cx.config.issuer, sub, sid);
    let issued_at = cx.now.whole_seconds();
    keys::sign_with(ring(&asked.client.metadata), ID_TOKEN, &lasting(claims, issued_at, issued_at.plus(LIFE)), cx).await
}

/// All claims but `iat` and `exp`.
fn claims(asked: &IdTokenFor<'_>, issuer: &str, sub: String, sid: Option<String>) -> Map<String, Value> {
    let mut claims = Map::new();
    let mut add = |name: &str, value: Value| claims.insert(name.to_owned(), value);
    add("iss", issuer.into());
    add("sub", sub.into());
    add("aud", asked.client.id.clone().into());
    add("azp", asked.client.id.clone().into());
    add("auth_time", asked.auth_time.seconds().into());
    add("acr", acr(asked.method).into());
    let amr = amr(asked.method);
    if !amr.is_empty() {
        add("amr", amr.into());
    }
    if let Some(nonce) = asked.nonce {
        add("nonce", nonce.into());
    }
    if let Some(token) = asked.access_token {
        add("at_hash", at_hash(token).into());
    }
    if let Some(sid) = sid {
        add("sid", sid.into());
    }
    claims
}

/// The left half of the hash that the algorithm signs (Core, section 3.1.3.6): SHA-256, for RS256 as for ES256.
fn at_hash(token: &str) -> String {
    let digest = Sha256::digest(token);
    URL_SAFE_NO_PAD.encode(digest.get(..16).unwrap_or_default())
}

/// Notes with the session that this client has to hear of its end, if it wants to and can be told.
async fn relies<P: Ports>(asked: &IdTokenFor<'_>, session: &SessionId, sub: &str, sid: &str, cx: &Cx<'_, P>) -> Result<(), StoreError> {
    let client = asked.client;
    let named_by = match client.source {
        Source::Operator | Source::Configured => NamedBy::Operator,
        Source::Document { .. } | Source::Registered => NamedBy::Stranger,
    };
    let uri = client.metadata.backchannel_logout_uri.as_deref();
    let Some(uri) = uri.filter(|uri| Url::parse(uri).is_ok_and(|uri| guard::permits(&uri, named_by, cx.development).is_ok())) else {
        return Ok(());
    };
    let relying =
        Relying { client: client.id.clone(), uri: uri.to_owned(), sub: sub.to_owned(), sid: sid.to_owned(), ring: ring(&client.metadata) };
    cx.ports
        .run::<Session>(session, Command::Relies { account: asked.account.clone(), relying, idle: cx.config.ttls.session_idle })
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{Kept, Metadata};

    #[test]
    fn the_example_of_the_specification_hashes_as_it_says() {
        // Core, appendix A.3.
        assert_eq!(at_hash("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"), "77QmUPtjPfzWtF2AnpK9RQ");
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let client =
            Client { id: "c".to_owned(), source: Source::Registered, metadata: Metadata::default(), secret: Kept::Nothing, trusted: false };
        let account = AccountId::from_bytes([1; 16]);
        let asked = |method, nonce| IdTokenFor {
            client: &client,
            account: &account,
            subject: None,
            session: None,
            auth_time: Timestamp::from_seconds(1_700_000_000),
            method,
            nonce,
            access_token: None,
        };
        let names = |claims: &Map<String, Value>| claims.keys().cloned().collect::<Vec<_>>().join(" ");
        let bare = claims(&asked("device", None), "https://i", "s".to_owned(), None);
        assert_eq!(names(&bare), "acr aud auth_time azp iss sub");
        let full = claims(&asked("passkey", Some("n")), "https://i", "s".to_owned(), Some("x".to_owned()));
        assert_eq!(names(&full), "acr amr aud auth_time azp iss nonce sid sub");
        assert_eq!((&full["acr"], &full["amr"]), (&"phr".into(), &serde_json::json!(["hwk", "user"])));
        assert_eq!(claims(&asked("mail", None), "https://i", "s".to_owned(), None)["amr"], serde_json::json!(["otp"]));
    }
}
