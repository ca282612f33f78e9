//! What a client sent, as far as an operator may see it: names that are known, values that are neither secret nor personal.

use std::borrow::Cow;

use percent_encoding::percent_decode;
use serde_json::{Map, Value};

use crate::email::cleaned;
use crate::machine::trace::Sent;

/// Parameters and members whose values are shown.
const SHOWN: &str = " client_id redirect_uri response_type response_mode scope resource audience code_challenge_method grant_type prompt max_age \
    display ui_locales acr_values token_endpoint_auth_method token_type_hint requested_token_type subject_token_type actor_token_type \
    client_assertion_type client_name client_uri logo_uri tos_uri policy_uri redirect_uris grant_types response_types application_type \
    software_id software_version jwks_uri subject_type sector_identifier_uri id_token_signed_response_alg token_endpoint_auth_signing_alg \
    post_logout_redirect_uris backchannel_logout_uri backchannel_logout_session_required dpop_bound_access_tokens default_max_age \
    require_auth_time type identity_type assertion_type requested_credential_type agent ";
/// The longest value that is shown.
const LONGEST: usize = 300;
/// All of a step's parameters together.
const ALL: usize = 1200;
/// What is longer, without a break, may be a secret that stands in the wrong place.
const OPAQUE: usize = 40;

/// What was sent, read as far as it can be.
pub enum Body {
    /// A form or a query: every pair, repeated ones too.
    Form(Vec<(String, String)>),
    /// A JSON object.
    Json(Map<String, Value>),
}

impl Body {
    /// Reads whatever came, as what it looks like.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Self {
        if bytes.trim_ascii_start().first() == Some(&b'{') {
            return Self::Json(serde_json::from_slice(bytes).unwrap_or_default());
        }
        let pairs = bytes.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).take(64);
        Self::Form(
            pairs
                .map(|pair| {
                    let (name, value) = pair.split_at(pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len()));
                    (text(name), text(value.get(1..).unwrap_or_default()))
                })
                .collect(),
        )
    }

    /// The text that `name` has.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&str> {
        match self {
            Self::Form(pairs) => pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str()),
            Self::Json(members) => members.get(name).and_then(Value::as_str),
        }
        .filter(|value| !value.is_empty())
    }

    /// All of it, as it may be shown.
    pub fn show(&self, sent: &mut Vec<Sent>) {
        let mut room = Room { left: ALL, unnamed: 0 };
        match self {
            Self::Form(pairs) => pairs.iter().for_each(|(name, value)| room.add(name, value.into(), value.chars().count(), sent)),
            Self::Json(members) => members.iter().for_each(|(name, value)| {
                let text = words(value);
                let length = if value.is_string() { text.chars().count() } else { value.to_string().len() };
                room.add(name, text, length, sent);
            }),
        }
        if room.unnamed > 0 {
            sent.push(Sent { name: format!("{} others", room.unnamed), value: None, length: None });
        }
    }
}

struct Room {
    left: usize,
    unnamed: usize,
}

impl Room {
    fn add(&mut self, name: &str, value: Cow<'_, str>, length: usize, sent: &mut Vec<Sent>) {
        let is_shown = is_word(name) && SHOWN.contains(&format!(" {name} "));
        let value = is_shown.then(|| shown(&value, LONGEST));
        let size = name.len() + value.as_ref().map_or(8, String::len);
        if !is_word(name) || size > self.left {
            self.unnamed += 1;
            return;
        }
        self.left -= size;
        let length = value.is_none().then_some(length);
        sent.push(Sent { name: name.to_owned(), value, length });
    }
}

/// Text of whatever a member is: lists one after the other, objects not at all.
fn words(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => text.into(),
        Value::Array(list) => list.iter().take(32).map(|item| item.as_str().unwrap_or("?")).collect::<Vec<_>>().join(" ").into(),
        Value::Object(_) => "{}".into(),
        other => other.to_string().into(),
    }
}

fn text(encoded: &[u8]) -> String {
    let spaced: Vec<u8> = encoded.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    percent_decode(&spaced).decode_utf8_lossy().into_owned()
}

/// A name such as people give to parameters: nothing that chance makes.
#[must_use]
pub fn is_word(text: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.".contains(&byte);
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    (1..=40).contains(&text.len()) && text.bytes().all(known) && digits <= 4
}

/// A text that may be shown: without controls, without what may be secret in an address, without long opaque strings, at most `most`
/// bytes.
#[must_use]
pub fn shown(text: &str, most: usize) -> String {
    let mut out = String::new();
    for word in text.split_whitespace().take(64) {
        let word = opaque(&address(&cleaned(word)));
        if word.is_empty() {
            continue;
        }
        let gap = usize::from(!out.is_empty());
        let room = most.saturating_sub(out.len() + gap);
        out.push_str(" ".get(..gap).unwrap_or_default());
        if word.len() > room {
            let cut = (0..=room.saturating_sub(3)).rev().find(|at| word.is_char_boundary(*at)).unwrap_or(0);
            out.push_str(word.get(..cut).unwrap_or_default());
            out.push('…');
            break;
        }
        out.push_str(&word);
    }
    out
}

/// Masks the values of a query, a fragment, and what stands before the host.
fn address(word: &str) -> String {
    let (rest, fragment) = word.split_once('#').map_or((word, ""), |(rest, _)| (rest, "#…"));
    let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
    let mut out = match rest.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
            let host = authority.rsplit_once('@').map_or_else(|| authority.to_owned(), |(_, host)| format!("…@{host}"));
            format!("{scheme}://{host}{path}")
        }
        None => rest.to_owned(),
    };
    if let Some(query) = query {
        let name = |pair: &str| pair.split('=').next().filter(|name| is_word(name)).map_or("…".to_owned(), |name| format!("{name}=…"));
        out.push('?');
        out.push_str(&query.split('&').take(8).map(name).collect::<Vec<_>>().join("&"));
    }
    out.push_str(fragment);
    out
}

/// Masks whatever is long, has no break and is no word, and everything that begins as a JWT does.
fn opaque(text: &str) -> String {
    let is_run = |c: char| c.is_ascii_alphanumeric() || "_-+=~".contains(c);
    let (mut out, mut run) = (String::new(), String::new());
    let close = |run: &mut String, out: &mut String| {
        let long = run.len() >= OPAQUE && run.bytes().any(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
        if long || (run.len() > 8 && run.starts_with("eyJ")) {
            out.push_str(&format!("({} characters)", run.len()));
        } else {
            out.push_str(run);
        }
        run.clear();
    };
    for c in text.chars() {
        if is_run(c) {
            run.push(c);
        } else {
            close(&mut run, &mut out);
            out.push(c);
        }
    }
    close(&mut run, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sent(bytes: &[u8]) -> Vec<(String, Option<String>, Option<usize>)> {
        let mut sent = Vec::new();
        Body::read(bytes).show(&mut sent);
        sent.into_iter().map(|sent| (sent.name, sent.value, sent.length)).collect()
    }

    #[test]
    fn what_is_shown_of_a_form() {
        let value = |name: &str, value: &str| (name.to_owned(), Some(value.to_owned()), None);
        let length = |name: &str, length| (name.to_owned(), None, Some(length));
        assert_eq!(
            sent(b"grant_type=authorization_code&code=abc%20d&redirect_uri=http://u:p@localhost:1/cb?code=x%26y%23z&Odd-Name=1&nonce="),
            [
                value("grant_type", "authorization_code"),
                length("code", 5),
                value("redirect_uri", "http://…@localhost:1/cb?code=…&y=…#…"),
                length("nonce", 0),
                ("1 others".to_owned(), None, None)
            ]
        );
        assert_eq!(sent(b"scope=a&scope=b"), [value("scope", "a"), value("scope", "b")], "what is repeated is seen to be");
        assert_eq!(sent(b"{\"client_secret\":\"x\"").len(), 0);
    }

    #[test]
    fn what_is_shown_of_json() {
        let found =
            sent(br#"{"client_name":"A  \u202eB","redirect_uris":["http://a/","cursor://b"],"jwks":{"keys":[]},"default_max_age":5}"#);
        let value = |name: &str, value: &str| (name.to_owned(), Some(value.to_owned()), None);
        assert_eq!(
            found,
            [
                value("client_name", "A B"),
                value("default_max_age", "5"),
                ("jwks".to_owned(), None, Some(11)),
                value("redirect_uris", "http://a/ cursor://b")
            ]
        );
    }

    #[test]
    fn what_is_long_and_opaque_is_no_value() {
        let token = "eyJhbGciOiJFUzI1NiJ9.eyJhIjoxfQ.c2ln";
        assert_eq!(shown(token, 300), "(20 characters).(10 characters).c2ln");
        let secret = "k3Jd9".repeat(8);
        assert_eq!(shown(&format!("x {secret} y"), 300), "x (40 characters) y");
        let urn = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer https://claude.ai/oauth/claude-code-client-metadata";
        assert_eq!(shown(urn, 300), urn);
        assert_eq!(shown("8f14e45f-ceea-467f-a8d2-5b1c3f9f2b11", 300), "8f14e45f-ceea-467f-a8d2-5b1c3f9f2b11", "a UUID is a name");
        assert_eq!(shown(&"ä".repeat(100), 20), format!("{}…", "ä".repeat(8)));
    }

    proptest! {
        #[test]
        fn no_secret_is_shown(secret in "[A-Za-z0-9_-]{24,80}", name in "[A-Za-z0-9]{24,40}", json in any::<bool>()) {
            let body = if json {
                serde_json::json!({ "code": secret, "state": [secret], "jwks": { "k": secret }, "logo_uri": format!("https://a/?{secret}#{secret}"), secret.clone(): 1, name.clone(): secret }).to_string()
            } else {
                format!("code={secret}&{secret}&client_secret={secret}&{name}={secret}&resource=https://{secret}@a/%3Fx={secret}&x={secret}")
            };
            let all = serde_json::to_string(&sent(body.as_bytes())).unwrap();
            prop_assert!(!all.contains(&secret) && !all.contains(&name), "{all}");
        }

        #[test]
        fn whatever_comes_is_short(body in proptest::collection::vec(any::<u8>(), 0..4000)) {
            let all: usize = sent(&body).iter().map(|(name, value, _)| name.len() + value.as_ref().map_or(0, String::len)).sum();
            prop_assert!(all <= ALL + 20);
        }
    }
}
