//! Redirect URIs: which a client may name, and the one matcher for registration, authorization and token.
//!
//! Strings are compared exactly (RFC 9700, section 2.1), except that the port of a loopback address is free (RFC 8252, section 7.3), and that
//! there an empty path is `/`. Whatever two readers of a URI could understand in two ways is no redirect URI at all.

use std::net::Ipv4Addr;

use url::Url;

/// Where a redirect leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A web server.
    Https,
    /// A program on the person's own device.
    Loopback,
    /// A program on the person's own device, by a scheme that it has registered (RFC 8252, section 7.1).
    PrivateUse,
}

/// The longest that is taken.
const LONGEST: usize = 2048;

/// Private-use URIs of known clients whose schemes are no domain names: these and no others, to the letter.
const KNOWN: &[&str] = &["cursor://anysphere.cursor-mcp/oauth/callback"];

/// What `uri` is; `None` for whatever must never be redirected to.
#[must_use]
pub fn kind(uri: &str) -> Option<Kind> {
    if uri.len() > LONGEST || !is_plain(uri) {
        return None;
    }
    if KNOWN.contains(&uri) {
        return Some(Kind::PrivateUse);
    }
    let (scheme, _) = uri.split_once(':')?;
    match scheme {
        // A certificate for one's own device shows nothing: any program there can have it.
        "https" => Parts::of(uri).map(|parts| if is_loopback(parts.host) { Kind::Loopback } else { Kind::Https }),
        "http" => Parts::of(uri).filter(|parts| is_loopback(parts.host)).map(|_| Kind::Loopback),
        _ => is_private_use(uri).then_some(Kind::PrivateUse),
    }
}

/// Whether `asked` is one of `registered`.
#[must_use]
pub fn find(registered: &[String], asked: &str) -> bool {
    match kind(asked) {
        None => false,
        Some(Kind::Loopback) => {
            registered.iter().any(|known| known == asked || without_port(known).is_some_and(|known| Some(known) == without_port(asked)))
        }
        Some(_) => registered.iter().any(|known| known == asked),
    }
}

/// A loopback URI as it is compared: without its port, and with a path; `None` for all others.
#[must_use]
pub fn without_port(uri: &str) -> Option<String> {
    let parts = Parts::of(uri).filter(|parts| parts.scheme == "http" && is_plain(uri) && is_loopback(parts.host))?;
    let slash = if parts.rest.starts_with('/') { "" } else { "/" };
    Some(format!("http://{}{slash}{}", parts.host, parts.rest))
}

/// What people are told about where it leads: host and port; of a private-use URI its scheme, with the colon.
#[must_use]
pub fn host(uri: &str) -> &str {
    match Parts::of(uri) {
        Some(parts) => parts.authority,
        None => uri.split_inclusive(':').next().unwrap_or_default(),
    }
}

/// Whether `uri` leads to the host of `publisher`, or to one below it.
#[must_use]
pub fn is_at(uri: &str, publisher: &str) -> bool {
    let (Some(uri), Some(publisher)) = (Parts::of(uri), Parts::of(publisher)) else { return false };
    uri.host.strip_suffix(publisher.host).is_some_and(|below| below.is_empty() || below.ends_with('.'))
}

/// An `http` or `https` URI, cut into pieces as it is written.
struct Parts<'u> {
    scheme: &'u str,
    authority: &'u str,
    host: &'u str,
    /// Path and query.
    rest: &'u str,
}

impl<'u> Parts<'u> {
    /// `None` unless a browser would read host and path just as they are written.
    fn of(uri: &'u str) -> Option<Self> {
        let (scheme, after) = uri.split_once("://")?;
        let (authority, rest) = after.split_at_checked(after.find(['/', '?']).unwrap_or(after.len()))?;
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (authority, None),
        };
        let url = Url::parse(uri).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.scheme() == scheme)?;
        let path = rest.split('?').next().unwrap_or_default();
        let same = url.host_str() == Some(host) && (url.path() == path || path.is_empty());
        let bare = url.username().is_empty() && url.password().is_none() && !authority.contains('@') && !host.ends_with('.');
        let port =
            port.is_none_or(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok());
        (same && bare && port).then_some(Self { scheme, authority, host, rest })
    }
}

/// Printable ASCII without fragment, wildcard, and what browsers and parsers read differently; percent-encoding hides no separator in the path.
fn is_plain(uri: &str) -> bool {
    let path = uri.split('?').next().unwrap_or_default().to_ascii_lowercase();
    let hidden = ["%2e", "%2f", "%5c", "%00", "%0a", "%0d", "%09", "%25"].iter().any(|code| path.contains(code));
    uri.bytes().all(|byte| byte.is_ascii_graphic() && !b"\\#*\"<>^`{|}".contains(&byte)) && !hidden && escapes_are_whole(uri)
}

fn escapes_are_whole(uri: &str) -> bool {
    uri.split('%').skip(1).all(|after| after.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2)
}

/// The host as it is written: no other spelling of the same address.
fn is_loopback(host: &str) -> bool {
    host == "localhost" || host == "[::1]" || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
}

/// A scheme that is a domain name in reverse (RFC 8252, section 7.1): its owner alone has a claim to it.
fn is_private_use(uri: &str) -> bool {
    let Some((scheme, rest)) = uri.split_once(':') else { return false };
    let labels = || scheme.split('.');
    let is_label = |label: &str| {
        label.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    let reversed = labels().count() >= 2 && labels().all(is_label) && scheme.starts_with(|first: char| first.is_ascii_lowercase());
    reversed && rest.starts_with('/') && !rest.contains('@') && !rest.split('/').any(|segment| segment == "." || segment == "..")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one(registered: &str, asked: &str) -> bool {
        find(&[registered.to_owned()], asked)
    }

    #[test]
    fn three_kinds_can_be_redirected_to() {
        for (uri, expected) in [
            ("https://claude.ai/api/mcp/auth_callback", Kind::Https),
            ("https://client.example.com:8443/cb?tenant=a%20b", Kind::Https),
            ("https://client.example.com", Kind::Https),
            ("https://localhost:3000/cb", Kind::Loopback),
            ("http://localhost/callback", Kind::Loopback),
            ("http://localhost:8787/callback", Kind::Loopback),
            ("http://127.0.0.1", Kind::Loopback),
            ("http://127.0.0.1:33418/", Kind::Loopback),
            ("http://127.8.9.10:1/", Kind::Loopback),
            ("http://[::1]:9/cb", Kind::Loopback),
            ("http://[::1]/cb", Kind::Loopback),
            ("cursor://anysphere.cursor-mcp/oauth/callback", Kind::PrivateUse),
            ("com.example.app:/oauth2redirect/provider", Kind::PrivateUse),
            ("com.example.my-app://callback", Kind::PrivateUse),
        ] {
            assert_eq!(kind(uri), Some(expected), "{uri}");
        }
    }

    #[test]
    fn all_else_is_refused() {
        for wrong in [
            "",
            "/callback",
            "//client.example.com/cb",
            "https:",
            "https://",
            "https:///cb",
            "https:client.example.com/cb",
            "HTTPS://client.example.com/cb",
            "https://CLIENT.example.com/cb",
            "http://client.example.com/cb",
            "http://localhost.evil.com/callback",
            "http://evil.com/localhost",
            "http://localhost@evil.com/callback",
            "http://user@localhost/callback",
            "http://localhost:80@evil.com/callback",
            "https://a:b@client.example.com/cb",
            "http://localhost\\@evil.com/",
            "https://client.example.com\\cb",
            "http://localhost./callback",
            "http://LOCALHOST/callback",
            "http://127.1/",
            "http://0x7f.0.0.1/",
            "http://2130706433/",
            "http://0177.0.0.1/",
            "http://127.0.0.1.evil.com/",
            "http://127.0.0.1%2eevil.com/",
            "http://%6cocalhost/",
            "http://[::ffff:127.0.0.1]/",
            "http://[0:0:0:0:0:0:0:1]/",
            "http://0.0.0.0/",
            "http://[::]/",
            "http://localhost:/callback",
            "http://localhost:99999/callback",
            "http://localhost:+80/callback",
            "https://client.example.com/cb#fragment",
            "https://client.example.com/cb#",
            "https://*.example.com/cb",
            "https://client.example.com/*",
            "https://client.example.com/a/../b",
            "https://client.example.com/a/./b",
            "https://client.example.com/a/%2e%2e/b",
            "https://client.example.com/a%2Fb",
            "https://client.example.com/a%5cb",
            "https://client.example.com/a%0d%0aSet-Cookie:x",
            "https://client.example.com/a%252e",
            "https://client.example.com/a%",
            "https://client.example.com/a%zz",
            "https://client.example.com/ü",
            "https://client.example.com/a b",
            "https://client.example.com/a\n",
            " https://client.example.com/a",
            "https://client.example.com./cb",
            "javascript:alert(1)",
            "JavaScript:alert(1)",
            "javascript://a.b/%0aalert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "vbscript:x",
            "blob:https://client.example.com/x",
            "about:blank",
            "ftp://client.example.com/",
            "urn:ietf:wg:oauth:2.0:oob",
            "myapp://callback",
            "cursor://anysphere.cursor-mcp/oauth/callback/",
            "cursor://anysphere.cursor-mcp/oauth/callback?x",
            "cursor://evil/oauth/callback",
            "com.example.app:callback",
            "com.example.app://user@host/callback",
            "com.example.app:/a/../b",
            ".example:/a",
            "com..app:/a",
            "com.Example:/a",
        ] {
            assert_eq!(kind(wrong), None, "{wrong}");
            assert!(!one(wrong, wrong), "{wrong}");
        }
        assert_eq!(kind(&format!("https://client.example.com/{}", "a".repeat(LONGEST))), None);
    }

    #[test]
    fn what_is_no_loopback_is_compared_to_the_letter() {
        let registered = "https://client.example.com/cb?a=b";
        assert!(one(registered, registered));
        for other in [
            "https://client.example.com/cb?a=c",
            "https://client.example.com/cb",
            "https://client.example.com/cb/?a=b",
            "https://client.example.com/cba?a=b",
            "https://client.example.com/c?a=b",
            "https://client.example.com:443/cb?a=b",
            "https://client.example.co/cb?a=b",
            "https://sub.client.example.com/cb?a=b",
            "http://client.example.com/cb?a=b",
        ] {
            assert!(!one(registered, other), "{other}");
        }
        assert!(!one("https://client.example.com", "https://client.example.com/"));
        assert!(!one("https://localhost:1/cb", "https://localhost:2/cb"), "the port is free by http alone");
    }

    #[test]
    fn the_port_of_a_loopback_address_is_free() {
        for (registered, asked) in [
            ("http://localhost/callback", "http://localhost:51234/callback"),
            ("http://localhost:8787/callback", "http://localhost/callback"),
            ("http://127.0.0.1:33418/", "http://127.0.0.1:1/"),
            ("http://127.0.0.1/", "http://127.0.0.1:50000"),
            ("http://127.0.0.1", "http://127.0.0.1:50000/"),
            ("http://[::1]/cb?x=1", "http://[::1]:7/cb?x=1"),
            ("http://127.0.0.1?x", "http://127.0.0.1:7/?x"),
        ] {
            assert!(one(registered, asked), "{registered} {asked}");
        }
        for (registered, asked) in [
            ("http://localhost/callback", "http://127.0.0.1:51234/callback"),
            ("http://127.0.0.1/callback", "http://localhost:51234/callback"),
            ("http://127.0.0.1/callback", "http://127.0.0.2/callback"),
            ("http://localhost/callback", "http://localhost:51234/callback/"),
            ("http://localhost/callback", "http://localhost:51234/callbac"),
            ("http://localhost/callback", "http://localhost:51234/"),
            ("http://localhost/callback", "http://localhost:51234/callback?x=1"),
            ("http://localhost/callback", "https://localhost:51234/callback"),
            ("http://localhost/callback", "http://localhost.evil.com/callback"),
            ("http://localhost/callback", "http://localhost:1@evil.com/callback"),
        ] {
            assert!(!one(registered, asked), "{registered} {asked}");
        }
        let both = ["http://localhost/callback".to_owned(), "http://127.0.0.1/callback".to_owned()];
        assert!(find(&both, "http://127.0.0.1:9/callback") && find(&both, "http://localhost:9/callback"));
    }

    #[test]
    fn people_are_told_the_host() {
        for (uri, told) in [
            ("https://claude.ai/api/mcp/auth_callback", "claude.ai"),
            ("https://client.example.com:8443?x", "client.example.com:8443"),
            ("http://[::1]:9/cb", "[::1]:9"),
            ("cursor://anysphere.cursor-mcp/oauth/callback", "cursor:"),
            ("com.example.app:/cb", "com.example.app:"),
        ] {
            assert_eq!(host(uri), told);
        }
    }

    #[test]
    fn a_publisher_has_its_host_and_those_below_it() {
        let publisher = "https://editor.example.com/oauth/client.json";
        for own in ["https://editor.example.com/cb", "https://editor.example.com:8443/cb", "https://a.b.editor.example.com/"] {
            assert!(is_at(own, publisher), "{own}");
        }
        for other in [
            "https://example.com/cb",
            "https://noteditor.example.com/cb",
            "https://editor.example.com.evil.example/cb",
            "http://localhost/cb",
            "cursor://anysphere.cursor-mcp/oauth/callback",
        ] {
            assert!(!is_at(other, publisher), "{other}");
        }
    }

    proptest! {
        #[test]
        fn a_browser_goes_where_the_matcher_says(host in "(localhost|127\\.0\\.0\\.1|\\[::1\\]|[a-z0-9.@:\\\\/%#?-]{1,24})", rest in "[/:@a-z0-9.%\\\\?#-]{0,24}") {
            let asked = format!("http://{host}{rest}");
            if find(&["http://localhost/cb".to_owned(), "http://127.0.0.1/cb".to_owned()], &asked) {
                let url = Url::parse(&asked).unwrap();
                prop_assert!(matches!(url.host_str(), Some("localhost" | "127.0.0.1")));
                prop_assert_eq!((url.path(), url.query(), url.fragment(), url.username()), ("/cb", None, None, ""));
            }
        }

        #[test]
        fn one_character_more_or_less_or_other_is_another_uri(at in 0_usize..40, with in "[a-z/?.:@-]") {
            let registered = "https://client.example.com/oauth/callback";
            let mut changed = registered.to_owned();
            changed.insert_str(at.min(registered.len()), &with);
            prop_assert!(!one(registered, &changed));
            let mut shorter = registered.to_owned();
            shorter.remove(at.min(registered.len() - 1));
            prop_assert!(!one(registered, &shorter));
        }
    }
}
