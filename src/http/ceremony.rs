//! Tokens and codes of the claim ceremony, and how they are shown.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::cx::Cx;
use crate::id::{AttemptId, RegistrationId};
use crate::machine::registration::claim::{INTERVAL, NewAttempt, Paths, VouchedFor, WINDOW};
use crate::master::{Master, Masters};
use crate::secret::{ClaimAttemptToken, Digest, Secret};
use crate::time::Timestamp;

/// What tokens of attempts begin with.
pub(super) const ATTEMPT_TOKEN: &str = "cvt";
/// The agent shows this code.
const TYPED: &str = "typed_code";
/// The person reads this code to the agent. Neither is ever taken for the other.
const RELAY: &str = "relay_code";

/// An attempt that is being made: what is stored of it, and what is shown once.
pub(super) struct Attempt {
    /// For the record.
    pub(super) new: NewAttempt,
    /// Opens its page.
    pub(super) token: String,
    /// What the agent shows, if that way is open.
    pub(super) code: Option<String>,
}

/// What an attempt is to be like.
#[derive(Clone)]
pub(super) struct Wanted {
    /// Which ways are open.
    pub(super) paths: Paths,
    /// Whom it is for, in canonical form.
    pub(super) hint: Option<String>,
    /// What a provider has said.
    pub(super) vouched: Option<VouchedFor>,
    /// Its page's token goes out by mail alone.
    pub(super) mailed: bool,
}

/// Makes an attempt; `bytes` gives 256 bits for each use.
pub(super) fn attempt<P, E>(
    registration: &RegistrationId,
    wanted: Wanted,
    bytes: impl Fn(&str) -> Result<[u8; 32], E>,
    cx: &Cx<'_, P>,
) -> Result<Attempt, E> {
    let master = &cx.config.masters.current;
    let secret = Secret::<ClaimAttemptToken>::mint(ATTEMPT_TOKEN, registration.digits(), bytes("attempt/view")?, master);
    let id: [u8; 32] = bytes("attempt/id")?;
    let code = (wanted.paths != Paths::Relay).then(|| bytes("attempt/code").map(six_digits)).transpose()?;
    let new = NewAttempt {
        id: AttemptId::from_bytes(std::array::from_fn(|index| id.get(index).copied().unwrap_or_default())),
        view: secret.digest(),
        typed: code.as_ref().map(|code| digest(TYPED, registration, code, master)),
        paths: wanted.paths,
        hint: wanted.hint,
        vouched: wanted.vouched,
        mailed: wanted.mailed,
    };
    Ok(Attempt { new, token: secret.reveal(), code })
}

/// Six digits, each as likely as the other (2^64 is many times a million).
pub(super) fn six_digits(bytes: [u8; 32]) -> String {
    let number = bytes.iter().take(8).fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    format!("{:06}", number % 1_000_000)
}

/// Whether `text` is a code: six ASCII digits, spaces between them aside.
pub(super) fn code(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(|c| *c != ' ').collect();
    (digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(digits)
}

/// What a typed code may be stored as.
pub(super) fn typed(registration: &RegistrationId, code: &str, masters: &Masters) -> Vec<Digest> {
    masters.all().map(|master| digest(TYPED, registration, code, master)).collect()
}

/// What a relayed code may be stored as, the current secret's first.
pub(super) fn relayed(registration: &RegistrationId, code: &str, masters: &Masters) -> Vec<Digest> {
    masters.all().map(|master| digest(RELAY, registration, code, master)).collect()
}

fn digest(purpose: &str, registration: &RegistrationId, code: &str, master: &Master) -> Digest {
    master.digest(purpose, &format!("{registration}/{code}"))
}

/// Where a person answers: sign-in first, then the page. It never has the code in it.
pub(super) fn verification_uri<P>(token: &str, cx: &Cx<'_, P>) -> String {
    let page = format!("/claim?claim_attempt_token={token}");
    cx.config.own(&format!("/login?return_to={}", utf8_percent_encode(&page, NON_ALPHANUMERIC)))
}

/// Where the mailed link leads.
pub(super) fn mailed_uri<P>(token: &str, cx: &Cx<'_, P>) -> String {
    cx.config.own(&format!("/claim?claim_attempt_token={token}"))
}

/// `claim_attempt` of auth.md 0.7: `user_code` only where the agent has one.
pub(super) fn for_agent<P>(attempt: &Attempt, expires: Timestamp, cx: &Cx<'_, P>) -> Value {
    let mut shown = json!({
        "expires_in": cx.now.until(expires).min(WINDOW).whole_seconds(), "verification_uri": verification_uri(&attempt.token, cx), "interval": INTERVAL,
    });
    if let (Some(code), Value::Object(shown)) = (&attempt.code, &mut shown) {
        shown.insert("user_code".to_owned(), code.clone().into());
    }
    shown
}

/// `attempt` of AuthKit.
pub(super) fn for_authkit<P>(attempt: &Attempt, expires: Timestamp, cx: &Cx<'_, P>) -> Value {
    json!({ "verification_uri": verification_uri(&attempt.token, cx), "expires_at": expires.iso() })
}
