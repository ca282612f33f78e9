//! Variables, one by one: each is read as what it should be, and whatever is wrong is noted.

use std::collections::BTreeMap;

use serde::Deserialize;
use url::Url;

use super::settings::SETTINGS;
use crate::oauth::authorization::is_token_byte;
use crate::oauth::scope::Scope;
use crate::time::Ttl;

/// The variables, and what was wrong with those that were read.
pub(super) struct Reader<'a> {
    pub(super) variables: &'a BTreeMap<String, String>,
    pub(super) faults: Vec<String>,
}

impl Reader<'_> {
    /// The variable, or its default; empty is as good as absent.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let written = self.variables.get(name).map(|value| value.trim()).filter(|value| !value.is_empty());
        let default = SETTINGS.iter().find(|setting| setting.name == name).and_then(|setting| setting.default);
        written.or(default).map(str::to_owned)
    }

    /// The variable as `read` understands it; a fault is noted and `fallback` taken.
    pub(super) fn read<T>(&mut self, name: &str, fallback: T, read: impl FnOnce(&str) -> Result<T, String>) -> T {
        let text = self.text(name).unwrap_or_default();
        read(&text).unwrap_or_else(|fault| {
            self.faults.push(format!("{name}: {fault}"));
            fallback
        })
    }

    pub(super) fn number(&mut self, name: &str, least: u64, most: u64) -> u64 {
        self.read(name, least, |text| match text.parse() {
            Ok(number) if (least..=most).contains(&number) => Ok(number),
            _ => Err(format!("must be a whole number from {least} to {most}")),
        })
    }

    pub(super) fn seconds(&mut self, name: &str, least: u64, most: u64) -> Ttl {
        Ttl::from_seconds(self.number(name, least, most))
    }

    pub(super) fn scope(&mut self, name: &str) -> Scope {
        self.read(name, Scope::default(), |text| text.parse().map_err(|_| "must be scope names separated by spaces".to_owned()))
    }

    pub(super) fn scope_within(&mut self, name: &str, supported: &Scope) -> Scope {
        let scope = self.scope(name);
        if !scope.is_within(supported) {
            self.faults.push(format!("{name}: has scopes that are not in SCOPES_SUPPORTED"));
        }
        scope
    }

    pub(super) fn json<T: for<'de> Deserialize<'de>>(&mut self, name: &str) -> Vec<T> {
        self.read(name, Vec::new(), |text| {
            serde_json::from_str(text).map_err(|error| format!("is not the JSON list it should be: {error}"))
        })
    }

    pub(super) fn words<'a>(&mut self, name: &str, known: &'a [&'a str]) -> Vec<&'a str> {
        self.read(name, Vec::new(), |text| {
            let find =
                |word| known.iter().find(|known| **known == word).copied().ok_or_else(|| format!("{word} is none of {}", known.join(", ")));
            text.split_whitespace().map(find).collect()
        })
    }

    pub(super) fn url(&mut self, name: &str, schemes: &[&str]) -> Option<String> {
        let text = self.text(name)?;
        let good = Url::parse(&text).is_ok_and(|url| schemes.contains(&url.scheme()));
        if !good {
            self.faults.push(format!("{name}: must be a URL that begins with {}:", schemes.join(": or ")));
        }
        Some(text)
    }

    pub(super) fn color(&mut self, name: &str) -> Option<String> {
        let text = self.text(name)?;
        let good = text.strip_prefix('#').is_some_and(|hex| hex.len() == 6 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
        if !good {
            self.faults.push(format!("{name}: must be a colour such as #7a3e12"));
        }
        Some(text)
    }

    pub(super) fn long_secret(&mut self, name: &str) -> Option<String> {
        let text = self.text(name)?;
        if text.len() < 32 {
            self.faults.push(format!("{name}: must have at least 32 characters"));
        }
        Some(text)
    }

    /// A secret that comes as a Bearer token, and so can only have the characters of one (RFC 6750, section 2.1).
    pub(super) fn bearer_secret(&mut self, name: &str) -> Option<String> {
        let text = self.long_secret(name)?;
        if !text.bytes().all(is_token_byte) {
            self.faults.push(format!("{name}: may have letters, digits and -._~+/= only"));
        }
        Some(text)
    }
}
