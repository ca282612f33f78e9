//! The letters that we write.
//!
//! A letter's first sentence says what it is for, and its code comes later: subjects and beginnings show on locked screens and stay in the
//! logs of mail servers, so no code is in them.

use askama::Template;

use super::Message;
use crate::email::{Address, cleaned};

/// The longest name of an agent that a letter repeats.
const LONGEST_NAME: usize = 60;

#[derive(Template)]
#[template(path = "mail/login.txt", escape = "none")]
struct SignInText<'a> {
    to: &'a str,
    service: &'a str,
    code: &'a str,
    link: &'a str,
    life: &'a str,
}

#[derive(Template)]
#[template(path = "mail/login.html")]
struct SignInHtml<'a> {
    to: &'a str,
    service: &'a str,
    code: &'a str,
    link: &'a str,
    life: &'a str,
}

#[derive(Template)]
#[template(path = "mail/claim.txt", escape = "none")]
struct ClaimText<'a> {
    to: &'a str,
    service: &'a str,
    agent: Option<&'a str>,
    link: &'a str,
    life: &'a str,
}

#[derive(Template)]
#[template(path = "mail/claim.html")]
struct ClaimHtml<'a> {
    to: &'a str,
    service: &'a str,
    agent: Option<&'a str>,
    link: &'a str,
    life: &'a str,
}

/// The code and the link that sign a person in, good for `minutes`.
///
/// # Errors
/// If a template fails.
pub fn sign_in(to: &Address, service: &str, code: &str, link: &str, minutes: u64) -> Result<Message, askama::Error> {
    let (address, life) = (to.as_str(), life(minutes));
    let text = SignInText { to: address, service, code, link, life: &life }.render()?;
    let html = SignInHtml { to: address, service, code, link, life: &life }.render()?;
    Ok(Message::new(to, &format!("Your code for {service}"), text, html, vec![link.to_owned()]))
}

/// An agent asks to act for the person: the link to see its request, good for `minutes`. `agent` is what it calls itself.
///
/// # Errors
/// If a template fails.
pub fn claim(to: &Address, service: &str, agent: Option<&str>, link: &str, minutes: u64) -> Result<Message, askama::Error> {
    let (address, life) = (to.as_str(), life(minutes));
    let agent = agent.map(harmless).filter(|name| !name.is_empty());
    let text = ClaimText { to: address, service, agent: agent.as_deref(), link, life: &life }.render()?;
    let html = ClaimHtml { to: address, service, agent: agent.as_deref(), link, life: &life }.render()?;
    Ok(Message::new(to, &format!("An agent asks to act for you at {service}"), text, html, vec![link.to_owned()]))
}

fn life(minutes: u64) -> String {
    if minutes == 1 { "a minute".to_owned() } else { format!("{minutes} minutes") }
}

/// A stranger's words in a letter of ours: mail programs make links of whatever looks like one, so nothing in them may. Dots stay between
/// digits, as in version numbers.
fn harmless(name: &str) -> String {
    let name: Vec<char> = cleaned(name).chars().collect();
    let digit = |at: Option<usize>| at.and_then(|at| name.get(at)).is_some_and(char::is_ascii_digit);
    let kept = |(at, &c): (usize, &char)| match c {
        '.' if digit(at.checked_sub(1)) && digit(at.checked_add(1)) => c,
        c if c.is_alphanumeric() || " -_'()+&,".contains(c) => c,
        _ => ' ',
    };
    let kept: String = name.iter().enumerate().map(kept).collect();
    let words: Vec<&str> = kept.split_whitespace().collect();
    let whole = words.join(" ");
    if whole.chars().count() > LONGEST_NAME { whole.chars().take(LONGEST_NAME).chain(['…']).collect() } else { whole }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_be_a_link_or_a_letter_of_its_own() {
        for (name, shown) in [
            ("claude-code 2.1.3", "claude-code 2.1.3"),
            ("https://evil.example/x", "https evil example x"),
            ("www.evil.example", "www evil example"),
            ("write to a@evil.example", "write to a evil example"),
            ("1.evil", "1 evil"),
            ("evil.1", "evil 1"),
            ("Hi\r\n\r\nClick here", "HiClick here"),
            ("<b>“bold”</b>", "b bold b"),
            ("סוכן\u{202e}", "סוכן"),
            (" . ", ""),
        ] {
            assert_eq!(harmless(name), shown);
        }
        assert_eq!(harmless(&"x".repeat(200)).chars().count(), LONGEST_NAME + 1);
    }
}
