//! E-mail addresses and other words that agents say of themselves.

use std::str::FromStr;

use email_address::EmailAddress;
use url::Host;

/// Domains of throw-away mail services, one a line, sorted (see `scripts/disposable.mjs`).
const DISPOSABLE: &str = include_str!("../data/disposable-domains.txt");

/// RFC 5321, section 4.5.3.1.3, less the angle brackets.
const LONGEST: usize = 254;

/// A wellformed address in ASCII: the domain in lower case, by IDNA if need be. Letters beyond ASCII in the local part are refused: some of
/// them fold into ASCII ones, and then mail to one person would be proof for another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    text: String,
    at: usize,
}

impl Address {
    /// Reads an address; spaces around it do not matter, spaces and controls within it do.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim_matches(' ');
        let address = EmailAddress::from_str(text).ok()?;
        let (local, domain) = (address.local_part(), address.domain());
        if !local.is_ascii()
            || text.chars().any(|c| c.is_control() || c.is_whitespace() || "<>\"(),;:\\".contains(c))
            || !domain.contains('.')
        {
            return None;
        }
        let Ok(Host::Domain(domain)) = Host::parse(domain) else { return None };
        let text = format!("{local}@{domain}");
        if text.len() <= LONGEST { Some(Self { at: local.len(), text }) } else { None }
    }

    /// Whether the domain, or one above it, belongs to a throw-away service.
    #[must_use]
    pub fn is_disposable(&self) -> bool {
        let mut domain = self.domain();
        loop {
            if listed(domain) {
                return true;
            }
            match domain.split_once('.') {
                Some((_, above)) => domain = above,
                None => return false,
            }
        }
    }

    /// What comes after the at sign, in lower case.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.text.get(self.at.saturating_add(1)..).unwrap_or_default()
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What two spellings of one address have in common: all in lower case. Tags after a plus sign make another address.
    #[must_use]
    pub fn canonical(&self) -> String {
        self.text.to_ascii_lowercase()
    }

    /// As text.
    #[must_use]
    pub fn into_string(self) -> String {
        self.text
    }
}

/// Binary search in the sorted lines, without an index that every isolate would have to build.
fn listed(domain: &str) -> bool {
    let mut rest = DISPOSABLE;
    while !rest.is_empty() {
        let mut middle = rest.len() / 2;
        while !rest.is_char_boundary(middle) {
            middle += 1;
        }
        let (before, after) = rest.split_at(middle);
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let end = after.find('\n').map_or(rest.len(), |at| middle + at);
        match rest.get(start..end).unwrap_or_default().cmp(domain) {
            std::cmp::Ordering::Equal => return true,
            std::cmp::Ordering::Less => rest = rest.get(end + 1..).unwrap_or_default(),
            std::cmp::Ordering::Greater => rest = rest.get(..start.saturating_sub(1)).unwrap_or_default(),
        }
    }
    false
}

/// Text that an agent says of itself: without controls and direction marks, at most 200 characters.
#[must_use]
pub fn cleaned(text: &str) -> String {
    visible(text).chars().take(200).collect::<String>().trim_end().to_owned()
}

/// The same, as long as it is.
#[must_use]
pub fn visible(text: &str) -> String {
    let hidden = |c: &char| {
        c.is_control()
            || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
            || matches!(c, '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
    };
    text.chars().filter(|c| !hidden(c)).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let parsed = |text: &str| Address::parse(text).map(Address::into_string);
        assert_eq!(parsed(" Ada+agents@EXAMPLE.com ").as_deref(), Some("Ada+agents@example.com"));
        assert_eq!(parsed("ada@bücher.example").as_deref(), Some("ada@xn--bcher-kva.example"));
        let long = format!("{}@example.com", "a".repeat(320));
        for wrong in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "ada@localhost",
            "a da@example.com",
            "ada@example.com\r\nBcc: x@y.z",
            "Ada <ada@example.com>",
            "ada@127.0.0.1",
            "ada@[127.0.0.1]",
            "ada@exa_mple..com",
            "+15551234567",
            "\u{212a}ate@example.com",
            "jos\u{e9}@example.com",
            &long,
        ] {
            assert_eq!(parsed(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_list_is_sorted_and_every_line_is_found() {
        let lines: Vec<_> = DISPOSABLE.lines().collect();
        assert!(lines.len() > 1000 && lines.is_sorted());
        assert!(lines.iter().all(|line| listed(line)));
        for domain in ["example.com", "gmail.com", "", "com", "zzz", "0"] {
            assert!(!listed(domain), "{domain}");
        }
    }

    #[test]
    fn a_domain_below_a_listed_one_is_disposable_too() {
        assert!(Address::parse("a@mailinator.com").unwrap().is_disposable());
        assert!(Address::parse("a@x.MAILINATOR.com").unwrap().is_disposable());
        assert!(!Address::parse("a@notmailinator.example").unwrap().is_disposable());
    }

    #[test]
    fn names_cannot_hide_anything() {
        assert_eq!(cleaned(" claude\u{202e}\u{0}\n-code "), "claude-code");
        assert_eq!(cleaned(&"x".repeat(500)).len(), 200);
    }
}
