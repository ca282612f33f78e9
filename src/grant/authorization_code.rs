//! `authorization_code` (RFC 6749, section 4.1.3; RFC 7636, section 4.5).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use super::client::Identified;
use super::connection::{Connected, Person, authorized};
use super::{Denied, places};
use crate::client::Client;
use crate::cx::Cx;
use crate::dpop;
use crate::entropy::random;
use crate::id::{GrantId, Holder};
use crate::keys::{self, KeysError};
use crate::machine::grant::{Command, Grant, GrantRefusal, Outcome};
use crate::machine::keyring::KeySet;
use crate::oauth::params::Params;
use crate::oidc::{self, subject};
use crate::refresh::Token;
use crate::secret::{AuthorizationCode, Digest, Presented};
use crate::store::Ports;

/// What codes begin with.
pub const CODE: &str = "pac";

/// A code and what shows that it came to the right client.
pub(super) struct Sent {
    code: String,
    verifier: String,
    redirect_uri: Option<String>,
}

impl Sent {
    pub(super) fn parse(params: &Params) -> Result<Self, Denied> {
        let code = params.require("code")?.to_owned();
        let verifier = params.require("code_verifier")?.to_owned();
        Ok(Self { code, verifier, redirect_uri: params.find("redirect_uri").map(str::to_owned) })
    }
}

/// Redeems a code. Everything that can be wrong is judged before it is used up, in the same step.
pub(super) async fn redeem<P: Ports>(
    sent: Sent,
    by: &Identified,
    resource: Option<String>,
    proof: Option<&dpop::Proof>,
    cx: &Cx<'_, P>,
) -> Result<Connected, Denied> {
    if !by.client.metadata.allows_grant("authorization_code") {
        return Err(Denied::UnauthorizedClient);
    }
    let code = Presented::<AuthorizationCode>::parse(CODE, &sent.code, &cx.config.masters).ok_or(Denied::Grant(GrantRefusal::Unknown))?;
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if !(43..=128).contains(&sent.verifier.len()) || !sent.verifier.bytes().all(unreserved) {
        return Err(Denied::Grant(GrantRefusal::Verifier));
    }
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(sent.verifier.as_bytes()));
    let approved = Approved {
        grant: GrantId::from_digits(code.digits()),
        code: code.digests().to_vec(),
        challenge: Some(challenge),
        redirect_uri: sent.redirect_uri,
    };
    spend(approved, by, resource, proof, cx).await
}

/// Has everything at hand that the tokens need, before the code for them is used up: the key of an ID token, and whom a client with pairwise
/// subjects knows the person as. Without a proof, and where subjects are the same for all, that needs no question to the grant: what is wrong
/// with the code, and whether the key is needed at all, is said when it is spent.
async fn foresee<P: Ports>(approved: &Approved, client: &Client, proven: bool, cx: &Cx<'_, P>) -> Result<Foreseen, Denied> {
    let ring = oidc::ring(&client.metadata);
    let pairwise = subject::is_pairwise(client);
    let signs = |set: &KeySet| set.signer(cx.now).is_some();
    let ready = !cx.config.openid || keys::of(ring, cx).await.is_ok_and(|set| signs(&set));
    if !pairwise && !proven {
        return Ok(Foreseen { keyless: !ready, ..Foreseen::default() });
    }
    let ask = Command::Promise { code: approved.code.clone() };
    let Outcome::Promise { account, scope } = cx.ports.run::<Grant>(&approved.grant, ask).await? else {
        return Ok(Foreseen::default());
    };
    if !ready && oidc::knows(scope.as_scope(), cx.config) {
        signer(client, cx).await?;
    }
    let subject = if pairwise { Some(subject::of(&account, client, cx).await?) } else { None };
    Ok(Foreseen { genuine: true, subject, keyless: false })
}

/// The key of an ID token for that client, which may have to be made first.
async fn signer<P: Ports>(client: &Client, cx: &Cx<'_, P>) -> Result<(), Denied> {
    let set = keys::first(oidc::ring(&client.metadata), keys::PATIENCE, cx).await?;
    if set.signer(cx.now).is_some() { Ok(()) } else { Err(KeysError::NoSigner.into()) }
}

/// What is known of a code before it is spent.
#[derive(Default)]
struct Foreseen {
    /// The grant was asked, and holds such a code, not used yet.
    genuine: bool,
    /// As whom a client with pairwise subjects knows the person.
    subject: Option<String>,
    /// No key for an ID token is at hand.
    keyless: bool,
}

/// Whatever a person has approved: a code, or a device.
pub(super) struct Approved {
    pub(super) grant: GrantId,
    /// The digests that it may be stored under.
    pub(super) code: Vec<Digest>,
    /// S256 of the verifier.
    pub(super) challenge: Option<String>,
    pub(super) redirect_uri: Option<String>,
}

/// Spends it.
pub(super) async fn spend<P: Ports>(
    approved: Approved,
    by: &Identified,
    resource: Option<String>,
    proof: Option<&dpop::Proof>,
    cx: &Cx<'_, P>,
) -> Result<Connected, Denied> {
    // Without keys nothing can be issued: better to know before it is used up.
    keys::current(cx).await?;
    let Foreseen { genuine, subject, keyless } = foresee(&approved, &by.client, proof.is_some(), cx).await?;
    dpop::demand(by.client.metadata.dpop_bound_access_tokens, proof)?;
    // A code that is made up, or used already, brings nothing that the proof could be used for again.
    if genuine {
        dpop::burn(proof, cx).await?;
    }
    let Approved { grant, code, challenge, redirect_uri } = approved;
    let holder = Holder::Grant(grant.clone());
    let id = u32::from_be_bytes(random(cx.entropy)?);
    let continues = by.client.metadata.allows_grant("refresh_token");
    let token = if continues { Some(Token::of_grant(&grant, id, random(cx.entropy)?, &cx.config.masters.current)) } else { None };
    let ttl = cx.config.ttls.client_token;
    let ask = async |block| {
        let redeem = |keyless| Command::Redeem {
            code: code.clone(),
            by: by.named(resource.clone(), proof),
            challenge: challenge.clone(),
            redirect_uri: redirect_uri.clone(),
            id,
            refresh: token.as_ref().map(Token::digest),
            bind: !by.is_confidential(),
            block,
            life: ttl,
            keyless,
        };
        let mut outcome = cx.ports.run::<Grant>(&grant, redeem(keyless)).await?;
        if let Outcome::Promise { .. } = outcome {
            signer(&by.client, cx).await?;
            outcome = cx.ports.run::<Grant>(&grant, redeem(false)).await?;
        }
        match outcome {
            Outcome::Issue { standing, stamp, terms: Some(terms), account, .. } => Ok((standing, (stamp, terms, account))),
            Outcome::Refused(refusal) => Err(Denied::Grant(refusal)),
            _ => Err(Denied::Grant(GrantRefusal::Unknown)),
        }
    };
    let (standing, (stamp, terms, account), place) = places::with_new(&holder, ttl, ask, cx).await?;
    let account = account.ok_or(Denied::Grant(GrantRefusal::Unknown))?;
    let token = token.map(|token| token.text().to_owned());
    authorized(&holder, &standing, stamp, &by.client, Person { account, terms, first: true, subject }, None, token, place, proof, cx).await
}
