//! Where people sign in with somebody else's word: `UPSTREAM_PROVIDERS` and `UPSTREAM_SECRETS`.

use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

use crate::provider::guard::{self, NamedBy};

/// A longer list would be a fault: every one is a button.
pub const MOST_UPSTREAMS: usize = 16;

/// What a provider speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// OpenID Connect.
    OpenId,
    /// The same; an address counts only where Google answers for it.
    Google,
    /// OAuth, and calls of GitHub's own.
    GitHub,
}

/// A provider of people.
pub struct Upstream {
    /// Its issuer, byte for byte.
    pub issuer: String,
    /// What people are told it is called.
    pub name: String,
    /// What it speaks.
    pub kind: Kind,
    /// Our name there.
    pub client_id: String,
    /// Our secret there; none for a public client.
    pub secret: Option<String>,
    /// What is asked for, separated by spaces.
    pub scope: String,
    /// Where it is asked; none if its metadata say it.
    pub endpoints: Option<Endpoints>,
    /// URL of the logo that people are shown.
    pub logo: Option<String>,
    /// Only addresses of these domains may sign in, if there are any; in lower case.
    pub allowed_domains: Vec<String>,
}

/// The addresses of a provider that has no metadata.
#[derive(Clone, Debug)]
pub struct Endpoints {
    /// Where browsers go.
    pub authorization: String,
    /// Where codes are exchanged.
    pub token: String,
    /// Where the person is told of: GitHub's `/user`.
    pub userinfo: Option<String>,
    /// Where its keys are; GitHub has none.
    pub jwks_uri: Option<String>,
}

/// As `UPSTREAM_PROVIDERS` has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    kind: Option<String>,
    issuer: Option<String>,
    name: Option<String>,
    client_id: String,
    scopes: Option<String>,
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    userinfo_endpoint: Option<String>,
    jwks_uri: Option<String>,
    logo: Option<String>,
    #[serde(default)]
    allowed_domains: Vec<String>,
}

/// Reads the list and the secrets; `own` is our issuer. What is wrong with them comes back beside it, a line a fault, never a secret.
pub(super) fn read(written: Vec<Value>, secrets: &str, own: &str, development: bool) -> (Vec<Upstream>, Vec<String>) {
    let (mut upstreams, mut faults): (Vec<Upstream>, Vec<String>) = (Vec::new(), Vec::new());
    if written.len() > MOST_UPSTREAMS {
        faults.push(format!("UPSTREAM_PROVIDERS: has more than {MOST_UPSTREAMS} entries"));
    }
    for (index, entry) in written.into_iter().enumerate() {
        let upstream =
            serde_json::from_value::<Written>(entry).map_err(|error| error.to_string()).and_then(|entry| entry.read(own, development));
        match upstream {
            Ok(new) if upstreams.iter().any(|known| known.issuer == new.issuer || known.name == new.name) => {
                faults.push(format!("UPSTREAM_PROVIDERS: {} is there twice, or another one of its name", new.issuer));
            }
            Ok(new) => upstreams.push(new),
            Err(fault) => faults.push(format!("UPSTREAM_PROVIDERS: entry {}: {fault}", index + 1)),
        }
    }
    // The parser's own error would quote what it has read.
    let all: Map<String, Value> = serde_json::from_str(secrets).unwrap_or_else(|_| {
        faults.push("UPSTREAM_SECRETS: must be a JSON object of issuers or names and their secrets".to_owned());
        Map::new()
    });
    for (whose, secret) in all {
        let found = upstreams.iter_mut().find(|upstream| upstream.issuer == whose || upstream.name == whose);
        match (found, secret.as_str().filter(|secret| !secret.is_empty())) {
            (Some(upstream), Some(secret)) => upstream.secret = Some(secret.to_owned()),
            (None, _) => faults.push(format!("UPSTREAM_SECRETS: {whose} is not in UPSTREAM_PROVIDERS")),
            (_, None) => faults.push(format!("UPSTREAM_SECRETS: the secret of {whose} must be text")),
        }
    }
    let bare = upstreams.iter().filter(|upstream| upstream.kind != Kind::OpenId && upstream.secret.is_none());
    faults.extend(bare.map(|upstream| format!("UPSTREAM_SECRETS: {} needs a secret", upstream.name)));
    (upstreams, faults)
}

impl Written {
    fn read(self, own: &str, development: bool) -> Result<Upstream, String> {
        let (kind, issuer, name, scope) = match self.kind.as_deref() {
            None | Some("oidc") => (Kind::OpenId, None, None, "openid email profile"),
            Some("google") => (Kind::Google, Some("https://accounts.google.com"), Some("Google"), "openid email profile"),
            Some("github") => (Kind::GitHub, Some("https://github.com/login/oauth"), Some("GitHub"), "read:user user:email"),
            Some(_) => return Err("kind must be oidc, google or github".to_owned()),
        };
        let is_fetchable = |url: &Url| guard::permits(url, NamedBy::Operator, development).is_ok();
        let parsed = |text: &str| Url::parse(text).ok().filter(is_fetchable);
        let is_text = |text: &str| !text.is_empty() && text.trim() == text && !text.chars().any(char::is_control);

        let (own_issuer, own_name) = (issuer.map(str::to_owned), name.map(str::to_owned));
        let issuer = self.issuer.or(own_issuer).ok_or("issuer must be set")?;
        let url = parsed(&issuer).filter(|url| url.query().is_none() && url.fragment().is_none());
        let url = url.ok_or_else(|| format!("{issuer}: the issuer must be a public https URL without query and fragment"))?;
        let wrong = |fault: &str| format!("{issuer}: {fault}");
        if Url::parse(own).is_ok_and(|own| own == url) {
            return Err(wrong("the issuer is our own"));
        }
        let name = self.name.or(own_name).filter(|name| is_text(name)).ok_or_else(|| wrong("name must be text"))?;
        let scope = self.scopes.unwrap_or_else(|| scope.to_owned());
        if !is_text(&self.client_id) || !is_text(&scope) {
            return Err(wrong("client_id and scopes must be text"));
        }
        if kind != Kind::GitHub && !scope.split(' ').any(|scope| scope == "openid") {
            return Err(wrong("scopes must have openid"));
        }
        let given = [
            ("authorization_endpoint", &self.authorization_endpoint),
            ("token_endpoint", &self.token_endpoint),
            ("userinfo_endpoint", &self.userinfo_endpoint),
            ("jwks_uri", &self.jwks_uri),
            ("logo", &self.logo),
        ];
        if let Some((name, _)) = given.iter().find(|(_, url)| url.as_deref().is_some_and(|url| parsed(url).is_none())) {
            return Err(wrong(&format!("{name} must be a public https URL")));
        }
        let endpoints = match (kind, self.authorization_endpoint, self.token_endpoint, self.userinfo_endpoint, self.jwks_uri) {
            (Kind::GitHub, authorization, token, userinfo, _) => {
                let hosted = (issuer == "https://github.com/login/oauth").then(|| "https://api.github.com/user".to_owned());
                Some(Endpoints {
                    authorization: authorization.unwrap_or_else(|| format!("{issuer}/authorize")),
                    token: token.unwrap_or_else(|| format!("{issuer}/access_token")),
                    userinfo: Some(userinfo.or(hosted).ok_or_else(|| wrong("userinfo_endpoint must be set: the address of /user"))?),
                    jwks_uri: None,
                })
            }
            (_, None, None, None, None) => None,
            (_, Some(authorization), Some(token), userinfo, Some(jwks)) => {
                Some(Endpoints { authorization, token, userinfo, jwks_uri: Some(jwks) })
            }
            _ => return Err(wrong("authorization_endpoint, token_endpoint and jwks_uri come together, or from its metadata")),
        };
        let domains: Vec<String> = self.allowed_domains.iter().map(|domain| domain.trim().to_ascii_lowercase()).collect();
        if domains.iter().any(|domain| !domain.contains('.') || domain.contains(['@', '*', ' ', '/'])) {
            return Err(wrong("allowed_domains must be domains such as example.com"));
        }
        Ok(Upstream {
            issuer,
            name,
            kind,
            client_id: self.client_id,
            secret: None,
            scope,
            endpoints,
            logo: self.logo,
            allowed_domains: domains,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const OWN: &str = "https://auth.example.com";

    fn read(entries: Value, secrets: &Value, development: bool) -> (Vec<Upstream>, Vec<String>) {
        let Value::Array(entries) = entries else { panic!("a list is a list") };
        super::read(entries, &secrets.to_string(), OWN, development)
    }

    #[test]
    fn a_name_at_the_provider_and_a_secret_are_enough() {
        let (upstreams, faults) = read(
            json!([
                { "kind": "google", "client_id": "g" },
                { "kind": "github", "client_id": "h", "allowed_domains": ["Example.COM"] },
                { "issuer": "https://id.example.com/", "name": "Example", "client_id": "o" },
            ]),
            &json!({ "Google": "g s=\"", "https://github.com/login/oauth": "h" }),
            false,
        );
        assert_eq!(faults, Vec::<String>::new());
        let [google, github, other] = &upstreams[..] else { panic!("three") };
        assert_eq!((google.issuer.as_str(), google.secret.as_deref()), ("https://accounts.google.com", Some("g s=\"")));
        assert!(google.endpoints.is_none() && google.scope == "openid email profile");
        let endpoints = github.endpoints.as_ref().unwrap();
        assert_eq!(endpoints.authorization, "https://github.com/login/oauth/authorize");
        assert_eq!(
            (endpoints.token.as_str(), endpoints.userinfo.as_deref()),
            ("https://github.com/login/oauth/access_token", Some("https://api.github.com/user"))
        );
        assert_eq!((github.secret.as_deref(), &github.allowed_domains[..]), (Some("h"), &["example.com".to_owned()][..]));
        assert_eq!((other.kind, other.secret.as_deref()), (Kind::OpenId, None));
    }

    #[test]
    fn each_fault_is_found() {
        let fine = json!({ "issuer": "https://id.example.com", "name": "A", "client_id": "c" });
        for (name, wrong) in [
            ("issuer", json!("http://id.example.com")),
            ("issuer", json!("https://id.example.com/?a")),
            ("issuer", json!("https://localhost")),
            ("issuer", json!(OWN)),
            ("issuer", Value::Null),
            ("name", json!(" ")),
            ("name", Value::Null),
            ("client_id", json!("")),
            ("client_id", json!(1)),
            ("kind", json!("facebook")),
            ("kind", json!("google")),
            ("scopes", json!("email")),
            ("authorization_endpoint", json!("https://id.example.com/authorize")),
            ("jwks_uri", json!("http://id.example.com/jwks")),
            ("logo", json!("/logo.svg")),
            ("allowed_domains", json!(["@example.com"])),
            ("allowed_domains", json!(["com"])),
            ("client_secret", json!("x")),
        ] {
            let mut entry = fine.clone();
            entry[name] = wrong.clone();
            assert_eq!(read(json!([entry]), &json!({}), false).1.len(), 1, "{name} {wrong}");
        }
        assert_eq!(read(json!([fine, fine]), &json!({}), false).1.len(), 1);
        let many: Vec<Value> =
            (0..17).map(|n| json!({ "issuer": format!("https://{n}.example.com"), "name": n.to_string(), "client_id": "c" })).collect();
        assert_eq!(read(many.into(), &json!({}), false).1.len(), 1);
    }

    #[test]
    fn faults_of_secrets_never_show_them() {
        let entries = json!([{ "issuer": "https://id.example.com", "name": "A", "client_id": "c" }]);
        for (secrets, fault) in [
            ("hunter2", "UPSTREAM_SECRETS: must be"),
            ("\"hunter2\"", "UPSTREAM_SECRETS: must be"),
            ("{\"B\":\"hunter2\"}", "UPSTREAM_SECRETS: B is not"),
            ("{\"A\":[\"hunter2\"]}", "UPSTREAM_SECRETS: the secret of A"),
            ("{\"A\":\"\"}", "UPSTREAM_SECRETS: the secret of A"),
        ] {
            let (_, faults) = super::read(entries.as_array().unwrap().clone(), secrets, OWN, false);
            assert!(faults.len() == 1 && faults[0].starts_with(fault) && !faults[0].contains("hunter2"), "{faults:?}");
        }
    }

    #[test]
    fn a_local_provider_serves_in_development() {
        let local = json!([{ "issuer": "http://localhost:9", "name": "Local", "client_id": "c" }]);
        assert_eq!(read(local.clone(), &json!({}), true).1, Vec::<String>::new());
        assert_eq!(read(local, &json!({}), false).1.len(), 1);
    }
}
