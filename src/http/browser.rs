//! A person's browser: cookies, the session behind them, and proof that a form is our own.

use http::header::{COOKIE, ORIGIN, SET_COOKIE, USER_AGENT};
use http::{HeaderMap, HeaderValue, Response};
use subtle::ConstantTimeEq;

use super::page::Frame;
use super::refuse::Refused;
use crate::account::{self, Person};
use crate::base62;
use crate::cx::Cx;
use crate::email;
use crate::entropy::random;
use crate::id::{AccountId, SessionId};
use crate::machine::registration::claim::Page;
use crate::machine::session::{Command, Outcome, Session};
use crate::oauth::error::ErrorCode;
use crate::people::{self, Contact};
use crate::secret::{Presented, Secret, SessionSecret};
use crate::store::Ports;
use crate::time::{Timestamp, Ttl};

const SESSION: &str = "pss";
/// A browser is known for so long, signed in or not: long enough for a form to be filled in.
const BROWSER_SECONDS: u64 = 30 * 86400;

/// Whoever sits at the browser.
pub(super) struct Visitor {
    /// Tells this browser from others; forms carry a token made of it.
    browser: String,
    /// It was not known before.
    new: bool,
    /// Who has signed in, if anybody.
    pub(super) signed_in: Option<SignedIn>,
}

/// Somebody who has signed in.
pub(super) struct SignedIn {
    pub(super) session: SessionId,
    pub(super) account: AccountId,
    pub(super) person: Person,
    /// When they last proved who they are (`auth_time`).
    pub(super) at: Timestamp,
    /// Whether that is known: a provider need not say when it was there.
    pub(super) proven: bool,
    /// How: `mail`, `passkey`…
    pub(super) method: String,
}

/// How somebody has just signed in.
#[derive(Clone, Copy)]
pub(super) enum How {
    /// With a code or link from a mail.
    Mail,
    /// With a passkey.
    Passkey,
    /// With a provider's word, which may say when they proved it there.
    Upstream(Option<Timestamp>),
}

impl How {
    const fn method(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Passkey => "passkey",
            Self::Upstream(_) => "upstream",
        }
    }
}

impl SignedIn {
    /// Whether the person has proven here, less than `age` ago, who they are. A provider's word is none of that: it may know them since
    /// long.
    pub(super) fn is_fresh<P>(&self, age: Ttl, cx: &Cx<'_, P>) -> bool {
        self.method != "upstream" && cx.now < self.at.plus(age)
    }

    /// What a page calls the person.
    pub(super) fn name(&self) -> &str {
        self.person.email.as_deref().or(self.person.phone.as_deref()).unwrap_or("you")
    }

    /// The address in canonical form.
    pub(super) fn email(&self) -> Option<String> {
        self.person.email.as_deref().and_then(email::Address::parse).map(|email| email.canonical())
    }
}

impl Visitor {
    /// Reads the cookies, and asks the session and the account behind them.
    pub(super) async fn read<P: Ports>(headers: &HeaderMap, cx: &Cx<'_, P>) -> Result<Self, Refused> {
        let known = cookie(headers, &name("browser", cx)).filter(|value| base62::is_base62(value, base62::width(16)));
        let (browser, new) = match known {
            Some(known) => (known.to_owned(), false),
            None => (base62::encode(&random::<16>(cx.entropy)?), true),
        };
        let mut visitor = Self { browser, new, signed_in: None };
        let secret =
            cookie(headers, &name("session", cx)).and_then(|text| Presented::<SessionSecret>::parse(SESSION, text, &cx.config.masters));
        let Some(secret) = secret else { return Ok(visitor) };
        let session = SessionId::from_digits(secret.digits());
        let touch = Command::Use { secret: secret.digests().to_vec(), idle: cx.config.ttls.session_idle };
        if let Outcome::Live { account, signed_in, proven, method, noted, .. } = cx.ports.run::<Session>(&session, touch).await?
            && let account::Outcome::Person(person) = cx.ports.account(&account, account::Command::InSession(session.clone())).await?
            && !person.suspended
        {
            if noted {
                cx.ports.account(&account, account::Command::SessionUsed(session.clone())).await?;
            }
            visitor.signed_in = Some(SignedIn { session, account, person, at: signed_in, proven, method });
        }
        Ok(visitor)
    }

    /// Tells this browser from others.
    pub(super) fn browser(&self) -> &str {
        &self.browser
    }

    /// What every form carries: made of the browser and the session, so it changes with either.
    pub(super) fn csrf<P>(&self, cx: &Cx<'_, P>) -> String {
        self.csrf_of(&cx.config.masters.current)
    }

    fn csrf_of(&self, master: &crate::master::Master) -> String {
        let session = self.signed_in.as_ref().map_or("", |signed_in| signed_in.session.as_str());
        base62::encode(&master.derive_bytes("csrf", &[self.browser.as_bytes(), session.as_bytes()]))
    }

    /// Whether the request was made by a page of ours: by what the browser says of it.
    ///
    /// # Errors
    /// Another site made it.
    pub(super) fn is_ours<P>(&self, headers: &HeaderMap, cx: &Cx<'_, P>) -> Result<(), Refused> {
        let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
        // A page that sends no referrer sends the origin `null` with its forms (Fetch, section 3.2); then Sec-Fetch-Site tells.
        let origin = text(ORIGIN.as_str()).is_none_or(|origin| origin == cx.config.issuer || origin == "null");
        let site = text("sec-fetch-site").is_none_or(|site| site == "same-origin");
        if origin && site { Ok(()) } else { Err(Refused::new(ErrorCode::OriginNotAllowed, "a form from another site")) }
    }

    /// Whether a form is our own: by what the browser says, and by the token in it.
    ///
    /// # Errors
    /// It is not.
    pub(super) fn check<P>(&self, headers: &HeaderMap, token: Option<&str>, cx: &Cx<'_, P>) -> Result<(), Refused> {
        self.is_ours(headers, cx)?;
        let token = token.unwrap_or_default();
        let known = |master| bool::from(self.csrf_of(master).as_bytes().ct_eq(token.as_bytes()));
        if !self.new && cx.config.masters.all().any(known) {
            return Ok(());
        }
        Err(Refused::new(ErrorCode::OriginNotAllowed, "the form's token is missing or of another browser or session")
            .hint("Open the page again and repeat what you did."))
    }

    /// What every page has.
    pub(super) fn frame<'a, P>(&'a self, cx: &'a Cx<'_, P>) -> Result<Frame<'a>, Refused> {
        Ok(Frame {
            service: &cx.config.service.name,
            has_logo: cx.config.service.logo.is_some(),
            csrf: self.csrf(cx),
            signed_in: self.signed_in.as_ref().map(SignedIn::name),
            development: cx.development,
            nonce: base62::encode(&random::<16>(cx.entropy)?),
        })
    }

    /// Lets the browser be known again.
    pub(super) fn remember<B, P>(&self, mut response: Response<B>, cx: &Cx<'_, P>) -> Response<B> {
        if self.new {
            set_cookie(&mut response, "browser", &self.browser, BROWSER_SECONDS, cx);
        }
        response
    }

    /// Signs a person in: a new session under a new name, and the one before is over.
    pub(super) async fn sign_in<P: Ports>(
        &mut self,
        account: &AccountId,
        person: Person,
        how: How,
        headers: &HeaderMap,
        cx: &Cx<'_, P>,
    ) -> Result<Option<String>, Refused> {
        let session = SessionId::from_bytes(random(cx.entropy)?);
        let secret = Secret::<SessionSecret>::mint(SESSION, session.digits(), random(cx.entropy)?, &cx.config.masters.current);
        let (life, idle) = (cx.config.ttls.session, cx.config.ttls.session_idle);
        let method = how.method();
        let vouched = if let How::Upstream(at) = how { at } else { None };
        let open = Command::Open { secret: secret.digest(), account: account.clone(), method: method.to_owned(), vouched, life, idle };
        let row = account::Session {
            id: session.clone(),
            signed_in: cx.now,
            method: method.to_owned(),
            browser: browser_name(headers),
            used: cx.now,
            expires: cx.now.plus(life),
        };
        let dropped = match cx.ports.account(account, account::Command::SignedIn(row)).await? {
            account::Outcome::Refused | account::Outcome::Nobody => return Ok(None),
            account::Outcome::Dropped(dropped) => dropped,
            _ => Vec::new(),
        };
        cx.ports.run::<Session>(&session, open).await?;
        for one in dropped {
            // It can be used no more; this is for the clients that rely on it, and it lapses by itself in the end.
            if let Err(error) = cx.ports.run::<Session>(&one, Command::End(account.clone())).await {
                cx.ports.warn("session_not_ended", &error.to_string());
            }
        }
        self.sign_out(cx).await?;
        let (at, proven) = (vouched.map_or(cx.now, |at| at.min(cx.now)), vouched.is_some() || !matches!(how, How::Upstream(_)));
        self.signed_in = Some(SignedIn { session, account: account.clone(), person, at, proven, method: method.to_owned() });
        Ok(Some(secret.reveal()))
    }

    /// Ends the session.
    pub(super) async fn sign_out<P: Ports>(&mut self, cx: &Cx<'_, P>) -> Result<(), Refused> {
        let Some(before) = self.signed_in.take() else { return Ok(()) };
        end_session(&before.account, &before.session, cx).await
    }
}

/// Ends one session of a person.
pub(super) async fn end_session<P: Ports>(account: &AccountId, session: &SessionId, cx: &Cx<'_, P>) -> Result<(), Refused> {
    cx.ports.run::<Session>(session, Command::End(account.clone())).await?;
    cx.ports.account(account, account::Command::SignedOut(session.clone())).await?;
    Ok(())
}

/// Gives the browser its session.
pub(super) fn set_session<B, P>(response: &mut Response<B>, secret: &str, cx: &Cx<'_, P>) {
    set_cookie(response, "session", secret, cx.config.ttls.session.seconds(), cx);
}

/// Takes it away.
pub(super) fn clear_session<B, P>(response: &mut Response<B>, cx: &Cx<'_, P>) {
    set_cookie(response, "session", "", 0, cx);
}

/// Who may answer an attempt.
pub(super) enum Confirmer {
    /// This person, with this address in canonical form.
    Person(AccountId, Option<String>),
    /// Somebody has to sign in first.
    SignIn,
    /// Somebody has signed in who may not.
    Stranger,
}

/// Who sits there, as far as the attempt is concerned. The holder of a mailed link can read that mail, which is enough unless the
/// account has a passkey; `create` makes a person of somebody who has none yet.
pub(super) async fn confirmer<P: Ports>(page: &Page, visitor: &Visitor, create: bool, cx: &Cx<'_, P>) -> Result<Confirmer, Refused> {
    if let Some(signed_in) = &visitor.signed_in {
        let email = signed_in.email();
        let right = match &page.vouched {
            Some(vouched) => vouched.person == signed_in.account,
            None => page.hint.is_some() && page.hint == email,
        };
        return Ok(if right { Confirmer::Person(signed_in.account.clone(), email) } else { Confirmer::Stranger });
    }
    let Some(hint) = page.hint.as_deref().filter(|_| page.mailed) else { return Ok(Confirmer::SignIn) };
    let person = match people::find(Contact::Email(hint), cx).await? {
        Some(account) => people::look(&account, cx).await?.map(|person| (account, person)),
        None => None,
    };
    let person = match (person, email::Address::parse(hint)) {
        (Some((_, person)), _) if person.passkeys > 0 || person.suspended => return Ok(Confirmer::SignIn),
        (_, Some(address)) if create => people::proven(&address, cx).await?,
        (person, _) => person,
    };
    let account = match person {
        Some((account, _)) => account,
        // Nobody yet: the button makes them.
        None if !create => AccountId::from_bytes([0; 16]),
        None => return Ok(Confirmer::SignIn),
    };
    Ok(Confirmer::Person(account, Some(hint.to_owned())))
}

/// The value of a cookie (RFC 6265, section 5.4).
pub(super) fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let all = headers.get(COOKIE)?.to_str().ok()?;
    let mut pairs = all.split(';').filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(known, _)| *known == name).map(|(_, value)| value)
}

/// `__Host-` keeps other hosts and paths from setting it; browsers take it over https alone.
pub(super) fn name<P>(what: &str, cx: &Cx<'_, P>) -> String {
    let host = if cx.config.development { "" } else { "__Host-" };
    format!("{host}postern_{what}")
}

fn set_cookie<B, P>(response: &mut Response<B>, what: &str, value: &str, seconds: u64, cx: &Cx<'_, P>) {
    set(response, what, value, "Lax", seconds, cx);
}

/// A cookie that comes with no request which another site has caused.
pub(super) fn set_strict<B, P>(response: &mut Response<B>, what: &str, value: &str, seconds: u64, cx: &Cx<'_, P>) {
    set(response, what, value, "Strict", seconds, cx);
}

fn set<B, P>(response: &mut Response<B>, what: &str, value: &str, site: &str, seconds: u64, cx: &Cx<'_, P>) {
    let secure = if cx.config.development { "" } else { "; Secure" };
    let cookie = format!("{}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite={site}{secure}", name(what, cx));
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
}

/// What a person recognises a browser by, from `User-Agent`; it proves nothing.
fn browser_name(headers: &HeaderMap) -> String {
    let agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let find = |names: &[(&str, &'static str)]| names.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name);
    let browser = find(&[("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari")]);
    let system = find(&[
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("CrOS", "ChromeOS"),
        ("Linux", "Linux"),
    ]);
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => "An unknown browser".to_owned(),
    }
}
