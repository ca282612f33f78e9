//! The APIs that tokens are issued for (RFC 8707, RFC 9728).

use std::borrow::Cow;

use serde::Deserialize;
use url::Url;

use crate::oauth::scope::Scope;

/// One protected resource.
#[derive(Clone, Debug)]
pub struct Resource {
    /// Its identifier: `aud` of its tokens.
    pub uri: String,
    /// `resource_name`.
    pub name: Option<String>,
    /// `logo_uri`.
    pub logo: Option<String>,
    /// `resource_documentation`.
    pub documentation: Option<String>,
    /// What its tokens may carry.
    pub scopes: Scope,
    /// Other spellings of the identifier that clients send.
    pub alternates: Vec<String>,
    /// Clients may have tokens of their own for it; else it is for people.
    pub client_access: bool,
    /// It is one of ours: agents manage agents there.
    pub ours: bool,
}

/// As `RESOURCES` has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    uri: String,
    name: Option<String>,
    logo: Option<String>,
    documentation: Option<String>,
    scopes: Option<Vec<String>>,
    #[serde(default)]
    alternates: Vec<String>,
    client_access: Option<String>,
}

impl Written {
    /// Checks the identifier and the scopes; `client_access` is what holds where nothing else is said.
    pub(super) fn read(self, supported: &Scope, client_access: bool) -> Result<Resource, String> {
        let canonical = canonical(&self.uri).ok_or_else(|| format!("{} is not an absolute URI without fragment", self.uri))?;
        if let Some(wrong) = self.alternates.iter().find(|alternate| self::canonical(alternate).is_none()) {
            return Err(format!("the alternate {wrong} is not an absolute URI without fragment"));
        }
        let scopes = match self.scopes {
            None => supported.clone(),
            Some(names) => names.join(" ").parse().map_err(|_| format!("the scopes of {canonical} are malformed"))?,
        };
        if !scopes.is_within(supported) {
            return Err(format!("the scopes of {canonical} are not all in SCOPES_SUPPORTED"));
        }
        let client_access = self.client_access.as_deref().map_or(Ok(client_access), client_access_of)?;
        Ok(Resource {
            client_access,
            ours: false,
            uri: self.uri,
            name: self.name,
            logo: self.logo,
            documentation: self.documentation,
            scopes,
            alternates: self.alternates,
        })
    }
}

/// `allow` or `deny`.
pub(super) fn client_access_of(text: &str) -> Result<bool, String> {
    match text {
        "allow" => Ok(true),
        "deny" => Ok(false),
        _ => Err("client access must be allow or deny".to_owned()),
    }
}

impl Resource {
    /// Whether `asked` names this resource: the identifier or an alternate, in upper or lower case where URIs do not
    /// care, and with or without the slash of an empty path.
    #[must_use]
    pub fn is(&self, asked: &str) -> bool {
        let Some(asked) = canonical(asked) else { return false };
        std::iter::once(&self.uri).chain(&self.alternates).any(|known| canonical(known).is_some_and(|known| known == asked))
    }

    /// If `asked` names this resource and has more in its query: how many pairs of the query the resource names itself. A key of those occurs
    /// once in `asked`: whoever reads another occurrence than we do would read another value.
    #[must_use]
    pub fn pairs_within(&self, asked: &str) -> Option<usize> {
        let asked = canonical(asked).and_then(|asked| Url::parse(&asked).ok())?;
        let pairs: Vec<_> = asked.query_pairs().collect();
        let without_query = |url: &Url| {
            let mut url = url.clone();
            url.set_query(None);
            canonical(url.as_str())
        };
        let once = |(key, value): (Cow<'_, str>, Cow<'_, str>)| {
            let mut same = pairs.iter().filter(|pair| pair.0 == key);
            same.next().is_some_and(|pair| pair.1 == value) && same.next().is_none()
        };
        let known = |uri: &String| {
            let known = Url::parse(uri).ok()?;
            (without_query(&known) == without_query(&asked) && known.query_pairs().all(once)).then(|| known.query_pairs().count())
        };
        std::iter::once(&self.uri).chain(&self.alternates).filter_map(known).max()
    }
}

/// RFC 8707, section 2: absolute, no fragment. The `url` crate lower-cases scheme and host.
fn canonical(uri: &str) -> Option<String> {
    let url = Url::parse(uri).ok()?;
    if url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
        return None;
    }
    let text = String::from(url.clone());
    Some(if url.path() == "/" && url.query().is_none() { text.trim_end_matches('/').to_owned() } else { text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_resource() {
        let written: Written = serde_json::from_str(r#"{"uri":"https://api.example.com","alternates":["https://penrose/v1/"]}"#).unwrap();
        let resource = written.read(&"a b".parse().unwrap(), true).unwrap();
        for same in [
            "https://api.example.com",
            "https://api.example.com/",
            "HTTPS://API.example.com",
            "https://api.example.com:443",
            "https://penrose/v1/",
        ] {
            assert!(resource.is(same), "{same}");
        }
        for other in [
            "https://api.example.com/x",
            "https://api.example.com/#f",
            "http://api.example.com",
            "https://api.example.com.evil",
            "https://u@api.example.com",
            "https://penrose/v1",
            "api.example.com",
            "",
        ] {
            assert!(!resource.is(other), "{other}");
        }
    }

    #[test]
    fn more_in_the_query_is_the_same_resource() {
        let of = |uri: &str| {
            let written: Written = serde_json::from_value(serde_json::json!({ "uri": uri })).unwrap();
            written.read(&"a b".parse().unwrap(), true).unwrap()
        };
        let (plain, tenant, origin) =
            (of("https://api.example.com/mcp"), of("https://api.example.com/mcp?tenant=a"), of("https://api.example.com"));
        assert_eq!(plain.pairs_within("https://api.example.com/mcp?tenant=a&x=1"), Some(0));
        assert_eq!(tenant.pairs_within("https://api.example.com/mcp?tenant=a&x=1"), Some(1), "it says more");
        for (resource, asked) in [
            (&plain, "https://api.example.com/mcp?toolset=all"),
            (&plain, "https://API.example.com:443/mcp?tenant=a&x"),
            (&tenant, "https://api.example.com/mcp?x=1&tenant=a"),
            (&origin, "https://api.example.com/?x=1"),
            (&origin, "https://api.example.com?x=1"),
        ] {
            assert!(resource.pairs_within(asked).is_some() && !resource.is(asked), "{asked}");
        }
        for (resource, asked) in [
            (&plain, "https://api.example.com/mcp/?x=1"),
            (&plain, "https://api.example.com/mcpx?x=1"),
            (&plain, "https://api.example.com/?x=/mcp"),
            (&plain, "https://api.example.com.evil/mcp?x=1"),
            (&plain, "https://u@api.example.com/mcp?x=1"),
            (&plain, "https://api.example.com/mcp?x=1#f"),
            (&plain, "http://api.example.com/mcp?x=1"),
            (&tenant, "https://api.example.com/mcp?tenant=b"),
            (&tenant, "https://api.example.com/mcp?x=1"),
            (&tenant, "https://api.example.com/mcp?tenant=a&tenant=b"),
            (&tenant, "https://api.example.com/mcp?tenant=b&tenant=a"),
            (&tenant, "https://api.example.com/mcp?tenant=a&tenant=a"),
            (&tenant, "https://api.example.com/mcp"),
        ] {
            assert_eq!(resource.pairs_within(asked), None, "{asked}");
        }
    }
}
