//! The trust list: the providers whose word about agents and people counts (`TRUSTED_PROVIDERS`).

use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::provider::guard::{self, NamedBy};
use crate::time::Ttl;

/// One agent provider.
#[derive(Clone, Debug)]
pub struct Provider {
    /// `iss` of its assertions, byte for byte.
    pub issuer: String,
    /// Where its keys are; pinned, or `<issuer>/.well-known/jwks.json`.
    pub jwks_uri: String,
    /// Its client metadata document, if it has one.
    pub client_metadata: Option<String>,
    /// Every one of these must be in `amr`.
    pub required_amr: Vec<String>,
    /// A person's sign-in at the provider may be so old.
    pub max_auth_age: Ttl,
    /// What people are told it is called: our word, not its own.
    pub name: String,
    /// URL of the logo that people are shown.
    pub logo: Option<String>,
}

/// A longer list would be a fault.
pub const MOST_PROVIDERS: usize = 64;

/// As `TRUSTED_PROVIDERS` has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    issuer: String,
    name: String,
    jwks_uri: Option<String>,
    client_metadata: Option<String>,
    #[serde(default)]
    required_amr: Vec<String>,
    max_auth_age: Option<u64>,
    logo: Option<String>,
}

/// Reads the list; `own` is our issuer. What is wrong with it comes back beside it, a line a fault.
pub(super) fn read(written: Vec<Value>, own: &str, development: bool) -> (Vec<Provider>, Vec<String>) {
    let mut faults = Vec::new();
    let mut providers: Vec<Provider> = Vec::new();
    if written.len() > MOST_PROVIDERS {
        faults.push(format!("has more than {MOST_PROVIDERS} entries"));
    }
    for (index, entry) in written.into_iter().enumerate() {
        let entry: Written = match serde_json::from_value(entry) {
            Ok(entry) => entry,
            Err(error) => {
                faults.push(format!("entry {}: {error}", index + 1));
                continue;
            }
        };
        faults.extend(entry.faults(own, development).into_iter().map(|fault| format!("{}: {fault}", entry.issuer)));
        if providers.iter().any(|provider| provider.issuer == entry.issuer) {
            faults.push(format!("{} is there twice", entry.issuer));
        }
        providers.push(entry.into());
    }
    (providers, faults)
}

impl Written {
    fn faults(&self, own: &str, development: bool) -> Vec<String> {
        let is_fetchable = |url: &Url| guard::permits(url, NamedBy::Operator, development).is_ok();
        let parsed = |text: &str| Url::parse(text).ok().filter(is_fetchable);
        let mut faults = Vec::new();
        let mut check = |good: bool, fault: &str| {
            if !good {
                faults.push(fault.to_owned());
            }
        };
        let issuer = parsed(&self.issuer).filter(|url| url.query().is_none() && url.fragment().is_none());
        check(issuer.is_some(), "the issuer must be a public https URL without query and fragment");
        check(issuer.is_none() || issuer != Url::parse(own).ok(), "the issuer is our own");
        check(!self.name.trim().is_empty(), "name must not be empty");
        for (name, url) in [("jwks_uri", &self.jwks_uri), ("client_metadata", &self.client_metadata), ("logo", &self.logo)] {
            check(url.as_deref().is_none_or(|url| parsed(url).is_some()), &format!("{name} must be a public https URL"));
        }
        check(self.required_amr.iter().all(|method| !method.is_empty()), "required_amr must be names of methods");
        check(self.max_auth_age.is_none_or(|age| (60..=30 * 86400).contains(&age)), "max_auth_age must be a number from 60 to 2592000");
        faults
    }
}

impl From<Written> for Provider {
    fn from(written: Written) -> Self {
        let well_known = || format!("{}/.well-known/jwks.json", written.issuer.trim_end_matches('/'));
        Self {
            jwks_uri: written.jwks_uri.unwrap_or_else(well_known),
            issuer: written.issuer,
            client_metadata: written.client_metadata,
            required_amr: written.required_amr,
            max_auth_age: Ttl::from_seconds(written.max_auth_age.unwrap_or(3600)),
            name: written.name.trim().to_owned(),
            logo: written.logo,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const OWN: &str = "https://auth.example.com";

    fn faults(entries: Value, development: bool) -> Vec<String> {
        let Value::Array(entries) = entries else { panic!("a list is a list") };
        read(entries, OWN, development).1
    }

    #[test]
    fn an_issuer_and_a_name_are_enough() {
        let (providers, faults) = read(
            vec![json!({ "issuer": "https://a.example.com/", "name": " A " }), json!({ "issuer": "https://b.example.com/x", "name": "B" })],
            OWN,
            false,
        );
        assert_eq!(faults, Vec::<String>::new());
        let [a, b] = &providers[..] else { panic!("two") };
        assert_eq!((a.issuer.as_str(), a.name.as_str(), a.max_auth_age), ("https://a.example.com/", "A", Ttl::from_seconds(3600)));
        assert_eq!(a.jwks_uri, "https://a.example.com/.well-known/jwks.json");
        assert_eq!(b.jwks_uri, "https://b.example.com/x/.well-known/jwks.json");
    }

    #[test]
    fn everything_can_be_pinned() {
        let full = json!({
            "issuer": "https://a.example.com:8443", "name": "A", "jwks_uri": "https://keys.example.com:444/a",
            "client_metadata": "https://a.example.com/client.json", "required_amr": ["mfa"], "max_auth_age": 60, "logo": "https://a.example.com/a.svg",
        });
        let (providers, faults) = read(vec![full], OWN, false);
        assert_eq!(faults, Vec::<String>::new());
        assert_eq!(
            (providers[0].jwks_uri.as_str(), &providers[0].required_amr[..]),
            ("https://keys.example.com:444/a", &["mfa".to_owned()][..])
        );
    }

    #[test]
    fn each_fault_is_found() {
        let good = json!({ "issuer": "https://a.example.com", "name": "A" });
        for (name, wrong) in [
            ("issuer", json!("https://auth.example.com")),
            ("issuer", json!("https://auth.example.com/")),
            ("issuer", json!("https://AUTH.example.com:443")),
            ("issuer", json!("http://a.example.com")),
            ("issuer", json!("http://localhost:8788")),
            ("issuer", json!("https://10.0.0.1")),
            ("issuer", json!("https://u@a.example.com")),
            ("issuer", json!("https://a.example.com/?x")),
            ("issuer", json!("https://a.example.com/#x")),
            ("issuer", json!("a.example.com")),
            ("issuer", json!(7)),
            ("issuer", Value::Null),
            ("name", json!(" ")),
            ("name", Value::Null),
            ("jwks_uri", json!("http://a.example.com/jwks")),
            ("jwks_uri", json!("https://metadata.google.internal/")),
            ("client_metadata", json!("client")),
            ("logo", json!("javascript:1")),
            ("required_amr", json!("mfa")),
            ("required_amr", json!([""])),
            ("max_auth_age", json!(59)),
            ("max_auth_age", json!(2_592_001)),
            ("max_auth_age", json!("3600")),
            ("unknown", json!(1)),
        ] {
            let mut entry = good.clone();
            entry[name] = wrong.clone();
            assert_eq!(faults(json!([entry]), false).len(), 1, "{name} {wrong}");
        }
        assert_eq!(faults(json!([good, good]), false).len(), 1);
        assert_eq!(faults(json!([good, { "issuer": "https://a.example.com/", "name": "other bytes, another issuer" }]), false).len(), 0);
        let many: Vec<_> = (0..65).map(|number| json!({ "issuer": format!("https://a.example.com/{number}"), "name": "A" })).collect();
        assert_eq!(faults(json!(many), false).len(), 1);
    }

    #[test]
    fn all_faults_are_found_at_once() {
        let found = faults(json!([{ "issuer": "http://a", "name": "", "logo": "x", "max_auth_age": 1 }, {}, 7]), false);
        assert_eq!(found.len(), 6, "{found:?}");
    }

    #[test]
    fn loopback_is_for_development() {
        let local = json!([{ "issuer": "http://localhost:8788", "name": "Local", "jwks_uri": "http://127.0.0.1:8788/keys" }]);
        assert_eq!((faults(local.clone(), true).len(), faults(local, false).len()), (0, 2));
    }
}
