//! The parameters of an authorization request (RFC 6749, section 4.1.1; RFC 7636; RFC 8707; OpenID Connect Core, section 3.1.2.1): read
//! and judged, whichever way they came.

use std::rc::Rc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::client::{self, Client, Unavailable};
use crate::cx::Cx;
use crate::oauth::error::ErrorCode;
use crate::oauth::params::{InvalidParams, Params};
use crate::oauth::redirect::{self, Kind};
use crate::oauth::scope::{GrantedScope, Scope};
use crate::store::Ports;
use crate::time::Ttl;

/// The unreserved characters of a URI stay as they are.
pub(in crate::http) const VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// `state` and `nonce` are the client's own; longer ones do not come back whole through every browser.
const LONGEST: usize = 2048;
/// An ID token of ours is a fraction of that.
const LONGEST_HINT: usize = 4096;
/// What is read of a request; everything else is ignored.
const KNOWN: [&str; 17] = [
    "client_id",
    "redirect_uri",
    "response_type",
    "response_mode",
    "scope",
    "state",
    "nonce",
    "resource",
    "code_challenge",
    "code_challenge_method",
    "prompt",
    "max_age",
    "login_hint",
    "id_token_hint",
    "ui_locales",
    "dpop_jkt",
    "acr_values",
];

/// A request that a person may be asked about.
pub(super) struct Request {
    pub(super) client: Rc<Client>,
    /// As the client wrote it.
    pub(super) redirect_uri: String,
    pub(super) state: Option<String>,
    pub(super) nonce: Option<String>,
    /// `uri` of the resource.
    pub(super) resource: String,
    /// What it may have of what it asks for.
    pub(super) scope: GrantedScope,
    pub(super) challenge: String,
    pub(super) prompt: Prompt,
    pub(super) max_age: Option<Ttl>,
    pub(super) login_hint: Option<String>,
    /// An ID token that names the person who is meant.
    pub(super) id_token_hint: Option<String>,
    pub(super) jkt: Option<String>,
    /// All of it, form-encoded.
    pub(super) parameters: String,
}

/// `prompt` (OpenID Connect Core, section 3.1.2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Prompt {
    /// Nothing may be shown.
    pub(super) none: bool,
    /// The person signs in anew.
    pub(super) login: bool,
    /// The person is asked, whatever was agreed before.
    pub(super) consent: bool,
}

/// Why there is none.
pub(super) enum Fault {
    /// Nobody can be sent anywhere: this is for the person to read.
    Page(Broken),
    /// The client is told.
    Client(Box<ToClient>),
}

/// A request that must not lead to a redirect (RFC 6749, section 4.1.2.1).
pub(super) enum Broken {
    /// No `client_id`, or one of nobody.
    Client(Option<String>),
    /// The redirect URI is not the client's.
    Redirect {
        /// The client.
        client: Rc<Client>,
        /// What was sent.
        sent: Option<String>,
    },
    /// The parameters cannot be read.
    Params(InvalidParams),
    /// A pushed request that is over, or not this client's.
    Pushed,
    /// Nobody can know at present.
    Unavailable(Unavailable),
}

/// An error for the client.
pub(super) struct ToClient {
    pub(super) client: Rc<Client>,
    /// Nothing may be shown: `prompt` is `none`.
    pub(super) silent: bool,
    pub(super) redirect_uri: String,
    pub(super) state: Option<String>,
    pub(super) code: ErrorCode,
    /// What is wrong and how to do it right: fixed text.
    pub(super) description: &'static str,
}

impl ToClient {
    /// The parameters that say it.
    pub(super) fn answer(&self) -> [(&'static str, &'static str); 2] {
        [("error", self.code.as_str()), ("error_description", self.description)]
    }
}

impl From<Broken> for Fault {
    fn from(broken: Broken) -> Self {
        Self::Page(broken)
    }
}

/// Reads and judges: the client and its redirect URI first, since only then the client can be told what else is wrong.
pub(super) async fn read<P: Ports>(params: &Params, cx: &Cx<'_, P>) -> Result<Request, Fault> {
    let id = params.find("client_id").ok_or(Broken::Client(None))?;
    let found = client::find(id, cx).await.map_err(Broken::Unavailable)?;
    let client = found.ok_or_else(|| Broken::Client(Some(id.to_owned())))?;
    let sent = params.find("redirect_uri");
    let redirect_uri = match (sent, client.metadata.redirect_uris.as_slice()) {
        (Some(sent), known) if redirect::find(known, sent) => sent.to_owned(),
        // RFC 6749, section 3.1.2.3: it may be left out if there is one; but nobody else knows the port on the person's own device.
        (None, [only]) if redirect::kind(only) != Some(Kind::Loopback) => only.clone(),
        _ => return Err(Broken::Redirect { client, sent: sent.map(str::to_owned) }.into()),
    };
    let state = params.find("state").map(str::to_owned);
    let fault = |code, description| {
        let silent = params.find("prompt").is_some_and(|prompt| prompt.trim() == "none");
        let to_client =
            ToClient { client: client.clone(), silent, redirect_uri: redirect_uri.clone(), state: state.clone(), code, description };
        Fault::Client(Box::new(to_client))
    };
    judge(params, &client, cx).map_err(|(code, description)| fault(code, description)).map(|judged| Request {
        redirect_uri: redirect_uri.clone(),
        state: state.clone(),
        nonce: params.find("nonce").map(str::to_owned),
        resource: judged.resource,
        scope: judged.scope,
        challenge: judged.challenge,
        prompt: judged.prompt,
        max_age: judged.max_age,
        login_hint: params.find("login_hint").map(str::to_owned),
        id_token_hint: params.find("id_token_hint").map(str::to_owned),
        jkt: params.find("dpop_jkt").map(str::to_owned),
        parameters: encode(params.iter().filter(|(name, _)| KNOWN.contains(name))),
        client,
    })
}

struct Judged {
    resource: String,
    scope: GrantedScope,
    challenge: String,
    prompt: Prompt,
    max_age: Option<Ttl>,
}

type Wrong = (ErrorCode, &'static str);

fn judge<P>(params: &Params, client: &Client, cx: &Cx<'_, P>) -> Result<Judged, Wrong> {
    const INVALID: ErrorCode = ErrorCode::InvalidRequest;
    if params.find("request").is_some() {
        return Err((ErrorCode::RequestNotSupported, ErrorCode::RequestNotSupported.description()));
    }
    match params.find("response_type") {
        Some("code") => {}
        None => return Err((INVALID, "response_type is missing. Send response_type=code.")),
        Some(_) => return Err((ErrorCode::UnsupportedResponseType, "Only response_type=code is supported.")),
    }
    if params.find("response_mode").is_some_and(|mode| mode != "query") {
        return Err((INVALID, "Only response_mode=query is supported."));
    }
    if !client.metadata.allows_grant("authorization_code") {
        return Err((ErrorCode::UnauthorizedClient, "The client did not register for grant type authorization_code."));
    }
    let challenge = challenge(params).map_err(|description| (INVALID, description))?;
    let too_long = |name: &str| params.find(name).is_some_and(|value| value.len() > LONGEST);
    if too_long("state") || too_long("nonce") {
        return Err((INVALID, "state and nonce may have 2048 characters each."));
    }
    if params.find("id_token_hint").is_some_and(|hint| hint.len() > LONGEST_HINT) {
        return Err((INVALID, "id_token_hint may have 4096 characters."));
    }
    let jkt = |jkt: &str| jkt.len() == 43 && jkt.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if params.find("dpop_jkt").is_some_and(|sent| !jkt(sent)) {
        return Err((INVALID, "dpop_jkt is not a SHA-256 thumbprint in base64url."));
    }
    let resource = match params.find("resource") {
        Some(asked) => cx.config.resource_asked(asked),
        None => cx.config.default_resource(),
    };
    let resource = resource.ok_or((ErrorCode::InvalidTarget, ErrorCode::InvalidTarget.description()))?;
    let asked: Option<Scope> = match params.find("scope").map(str::parse).transpose() {
        Ok(asked) => asked,
        Err(_) => return Err((ErrorCode::InvalidScope, "The scope is malformed.")),
    };
    let scope = client.entitled(asked.as_ref(), resource, cx.config);
    if scope.as_scope().is_empty() {
        return Err((ErrorCode::InvalidScope, "Nothing of the scope that was asked for is granted here. Leave scope out to get what is."));
    }
    let prompt = prompt(params.find("prompt").unwrap_or_default()).map_err(|description| (INVALID, description))?;
    let max_age = match params.find("max_age").map(str::parse::<u64>) {
        None => client.metadata.default_max_age,
        Some(Ok(seconds)) => Some(seconds),
        Some(Err(_)) => return Err((INVALID, "max_age is not a number of seconds.")),
    };
    Ok(Judged { resource: resource.uri.clone(), scope, challenge, prompt, max_age: max_age.map(Ttl::from_seconds) })
}

/// RFC 7636, section 4.3: S256, and nothing else (RFC 9700, section 2.1.1).
fn challenge(params: &Params) -> Result<String, &'static str> {
    let challenge = params.find("code_challenge").ok_or("code_challenge is missing: PKCE with S256 is required.")?;
    if params.find("code_challenge_method") != Some("S256") {
        return Err("code_challenge_method must be S256.");
    }
    let whole = challenge.len() == 43 && challenge.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if whole { Ok(challenge.to_owned()) } else { Err("code_challenge is not a SHA-256 in base64url: 43 characters.") }
}

fn prompt(text: &str) -> Result<Prompt, &'static str> {
    let mut prompt = Prompt::default();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        match word {
            "none" => prompt.none = true,
            "login" => prompt.login = true,
            // The page names the account, and lets another one in.
            "consent" | "select_account" => prompt.consent = true,
            // Signing in is signing up here.
            "create" => {}
            _ => return Err("prompt is none, or login, consent, select_account, create."),
        }
    }
    if prompt.none && text.trim() != "none" { Err("prompt=none goes with no other.") } else { Ok(prompt) }
}

/// Form-encodes parameters.
pub(in crate::http) fn encode<'p>(params: impl Iterator<Item = (&'p str, &'p str)>) -> String {
    let pairs: Vec<String> = params.map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, VALUE))).collect();
    pairs.join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_are_words_of_the_specification() {
        assert_eq!(prompt(""), Ok(Prompt::default()));
        assert_eq!(prompt("login consent"), Ok(Prompt { none: false, login: true, consent: true }));
        assert_eq!(prompt("none"), Ok(Prompt { none: true, ..Prompt::default() }));
        assert_eq!(prompt("create"), Ok(Prompt::default()));
        assert!(prompt("none login").is_err() && prompt("LOGIN").is_err() && prompt("x").is_err());
    }

    #[test]
    fn only_s256_is_a_challenge() {
        let whole = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        let of = |query: &str| challenge(&Params::parse(query.as_bytes()).unwrap());
        assert_eq!(of(&format!("code_challenge={whole}&code_challenge_method=S256")).as_deref(), Ok(whole));
        for wrong in [
            String::new(),
            format!("code_challenge={whole}"),
            format!("code_challenge={whole}&code_challenge_method=plain"),
            format!("code_challenge={whole}&code_challenge_method=s256"),
            format!("code_challenge={whole}x&code_challenge_method=S256"),
            format!("code_challenge={}&code_challenge_method=S256", "a".repeat(128)),
            "code_challenge_method=S256".to_owned(),
        ] {
            assert!(of(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_encoded_is_read_back() {
        let params = Params::parse(b"a=x%26y%3Dz&b=%C3%A9+%25&c=").unwrap();
        let again = Params::parse(encode(params.iter()).as_bytes()).unwrap();
        assert_eq!(again.iter().collect::<Vec<_>>(), [("a", "x&y=z"), ("b", "é %")]);
    }
}
