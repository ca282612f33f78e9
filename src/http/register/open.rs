//! Opens a registration: a repeat is recognised before any limit is asked, and limits only after all of the request is known to be good.

use std::rc::Rc;

use super::seed::{Seed, first};
use crate::cx::Cx;
use crate::email;
use crate::entropy::random;
use crate::grant::claim::CLAIM_TOKEN;
use crate::http::ceremony::{self, Attempt, Wanted};
use crate::http::limit::{self, Allowance, Whom};
use crate::http::refuse::Refused;
use crate::id::RegistrationId;
use crate::machine::registration::claim::{CredentialType, NewClaim};
use crate::machine::registration::{Command, Outcome, Registration, Said};
use crate::machine::standing::{Kind, Standing};
use crate::machine::waiting::{Add, Waiting};
use crate::oauth::error::ErrorCode;
use crate::secret::{ApiKey, ClaimToken, ClaimTokenV01, Digest, Secret};
use crate::store::Ports;
use crate::time::Ttl;
use crate::verify;

/// For how long an idempotent request may be repeated.
const REPEATABLE: Ttl = Ttl::from_seconds(600);
/// Registrations that wait for one person's word from one network; a new one supersedes the oldest.
const MOST_WAITING: usize = 3;

/// What a registration is to be like.
pub(super) struct Plan {
    /// What stands behind it.
    pub(super) kind: Kind,
    /// Its dialect is auth.md v0.1.
    pub(super) v01: bool,
    /// It comes with an API key.
    pub(super) key: bool,
    /// What the agent says of itself.
    pub(super) said: Said,
    /// The person who alone may claim it.
    pub(super) hint: Option<email::Address>,
    /// auth.md v0.1: what completing the claim brings.
    pub(super) credential: Option<CredentialType>,
    /// The attempt that it begins with.
    pub(super) attempt: Option<Wanted>,
}

/// A registration that is open.
pub(super) struct Opened {
    pub(super) standing: Rc<Standing>,
    pub(super) made: Made,
    pub(super) allowance: Option<Allowance>,
    /// It was opened just now, not by an earlier copy of the request.
    pub(super) fresh: bool,
}

/// What is made with it, and shown once.
pub(super) struct Made {
    /// `jti` of its assertion.
    pub(super) jti: [u8; 16],
    /// The API key.
    pub(super) key: Option<Secret<ApiKey>>,
    /// The claim token, if a person can claim it.
    pub(super) claim: Option<String>,
    /// The first attempt.
    pub(super) attempt: Option<Attempt>,
    claim_digest: Option<Digest>,
}

impl Made {
    fn new<P>(seed: &Seed, plan: &Plan, salt: &str, cx: &Cx<'_, P>) -> Result<Self, Refused> {
        let (id, master) = (&seed.registration, &cx.config.masters.current);
        let bytes = |label: &str| seed.bytes(label, salt, cx);
        let key = plan.key.then(|| bytes("key").map(|bits| Secret::mint(&cx.config.api_key_prefix, id.digits(), bits, master)));
        let claim = cx.config.mail.is_some().then(|| bytes("claim")).transpose()?.map(|bits| claim_token(id, plan.v01, bits, master));
        let (claim, claim_digest) = claim.map_or((None, None), |(token, digest)| (Some(token), Some(digest)));
        let attempt = plan.attempt.clone().map(|wanted| ceremony::attempt(id, wanted, bytes, cx)).transpose()?;
        Ok(Self { jti: first(bytes("jti")?), key: key.transpose()?, claim, attempt, claim_digest })
    }

    fn new_claim(&self, id: &RegistrationId, plan: &Plan) -> Option<NewClaim> {
        let token = self.claim_digest.clone()?;
        Some(NewClaim {
            registration: id.clone(),
            token,
            hint: plan.hint.as_ref().map(email::Address::canonical),
            credential: plan.credential,
            attempt: self.attempt.as_ref().map(|attempt| attempt.new.clone()),
        })
    }
}

/// A claim token of the dialect, and what is stored of it.
pub(super) fn claim_token(id: &RegistrationId, v01: bool, bits: [u8; 32], master: &crate::master::Master) -> (String, Digest) {
    if v01 {
        let token = Secret::<ClaimTokenV01>::mint(CLAIM_TOKEN, id.digits(), bits, master);
        let digest = token.digest();
        (token.reveal(), digest)
    } else {
        let token = Secret::<ClaimToken>::mint(CLAIM_TOKEN, id.digits(), bits, master);
        let digest = token.digest();
        (token.reveal(), digest)
    }
}

/// Opens the registration of `seed`, or finds the one that an earlier copy of the request has opened.
pub(super) async fn open<P: Ports>(seed: &Seed, plan: &Plan, cx: &Cx<'_, P>) -> Result<Opened, Refused> {
    let id = &seed.registration;
    if let Some(request) = seed.digest()
        && let Outcome::Opened(standing, salt) = settled(cx.ports.run::<Registration>(id, Command::Recall { request }).await?)?
    {
        return Ok(Opened { standing: Rc::new(standing), made: Made::new(seed, plan, &salt, cx)?, allowance: None, fresh: false });
    }
    let digest = seed.digest();
    let allowance = limit::take(digest.clone(), if plan.kind == Kind::Anonymous { Whom::Anonymous } else { Whom::Vouched }, cx).await?;
    let salt = if digest.is_some() { crate::master::hex(&random::<16>(cx.entropy)?) } else { String::new() };
    let made = Made::new(seed, plan, &salt, cx)?;
    let command = Command::Open {
        ttl: cx.config.ttls.unclaimed,
        key: made.key.as_ref().map(|key| (key.digest(), cx.config.ttls.api_key)),
        said: plan.said.clone(),
        idempotency: digest.map(|digest| (digest, salt.clone(), REPEATABLE)),
        kind: plan.kind,
        claim: made.new_claim(id, plan),
    };
    let (standing, made, fresh) = match settled(cx.ports.run::<Registration>(id, command).await?)? {
        Outcome::Standing(standing) => (standing, made, true),
        // A copy of this request may have been faster: then its salt counts.
        Outcome::Opened(standing, kept) if kept == salt => (standing, made, true),
        Outcome::Opened(standing, kept) => (standing, Made::new(seed, plan, &kept, cx)?, false),
        _ => return Err(Refused::new(ErrorCode::TemporarilyUnavailable, "the registration was not opened")),
    };
    let standing = Rc::new(standing);
    verify::remember(id, Some(standing.clone()), cx);
    supersede(id, plan, cx).await?;
    Ok(Opened { standing, made, allowance, fresh })
}

/// Clients that begin anew each time leave no heap of registrations behind.
async fn supersede<P: Ports>(id: &RegistrationId, plan: &Plan, cx: &Cx<'_, P>) -> Result<(), Refused> {
    let Some(hint) = &plan.hint else { return Ok(()) };
    let network = cx.origin.as_ref().map_or("", |origin| origin.narrow.as_str());
    let name = cx.config.masters.current.name("waiting", &[&hint.canonical(), network]);
    let add = Add { registration: id.clone(), most: MOST_WAITING, ttl: cx.config.ttls.unclaimed };
    for old in cx.ports.run::<Waiting>(&name, add).await? {
        // Whatever is claimed is of a later generation, and stays.
        cx.ports.run::<Registration>(&old, Command::End { generation: 0 }).await?;
    }
    Ok(())
}

fn settled(outcome: Outcome) -> Result<Outcome, Refused> {
    match outcome {
        Outcome::Conflict => Err(Refused::new(ErrorCode::IdempotencyKeyReused, "the Idempotency-Key is taken")),
        outcome => Ok(outcome),
    }
}
