//! Paths of resources, and patterns of them. There is one spelling of a path; what could be read in two ways is none.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// A path in its one spelling: decoded, segments with a slash before each; empty at the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path(String);

/// Which resources a policy is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// `*`: all.
    All,
    /// A path: that one.
    Exact(Path),
    /// A path and `/*`: all below it, not itself.
    Below(Path),
}

/// Longer is none.
const LONGEST: usize = 2048;
/// What is our own API's, which scopes do not name.
const OWN: &str = "/api/v1/";
/// Everything else of a segment is escaped in a scope, the dot first of all: it stands between segments there.
const IN_SCOPE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'~').remove(b':').remove(b'@').remove(b'+').remove(b'=');

impl Path {
    /// Reads `/files/a%20b`. A slash at the end makes no difference, nor does one missing at the beginning; case does. `None` is what
    /// servers read differently: `.` and `..`, empty segments, backslashes, queries, fragments and parameters (`;`), in any encoding a
    /// slash, backslash, star or control character, broken or double encodings, and text that is no UTF-8.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() || text.len() > LONGEST || text.contains(['?', '#', ';', '\\']) {
            return None;
        }
        let inner = text.strip_prefix('/').unwrap_or(text);
        let inner = inner.strip_suffix('/').unwrap_or(inner);
        if inner.is_empty() {
            return (text == "/").then(|| Self(String::new()));
        }
        let mut path = String::with_capacity(text.len() + 1);
        for segment in inner.split('/') {
            path.push('/');
            path.push_str(&decoded(segment)?);
        }
        Some(Self(path))
    }

    /// Whether this path is `above`, or lies below it.
    #[must_use]
    pub fn is_within(&self, above: &Self) -> bool {
        self == above || self.is_below(above)
    }

    fn is_below(&self, above: &Self) -> bool {
        self.0.strip_prefix(&above.0).is_some_and(|rest| rest.starts_with('/'))
    }

    /// The scope that stands for `action` on this path: `/api/v1/files/a.txt` and `read` are `files.a%2Etxt.read`. No two paths have the
    /// same, but for `/api/v1/x` and `/x`. `None` at the root.
    #[must_use]
    pub fn scope(&self, action: &str) -> Option<String> {
        let segments = self.0.strip_prefix(OWN).or_else(|| self.0.strip_prefix('/'))?;
        let mut scope = String::new();
        for segment in segments.split('/') {
            scope.extend(utf8_percent_encode(segment, IN_SCOPE));
            scope.push('.');
        }
        scope.push_str(action);
        Some(scope)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.0.is_empty() { "/" } else { &self.0 })
    }
}

impl Pattern {
    /// Reads `*`, `/files` or `/files/*`. `None` for a star anywhere else (`/files*`, `/*/a`) and for what is no path.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.strip_suffix("/*") {
            _ if text == "*" => Some(Self::All),
            Some("") => Some(Self::Below(Path(String::new()))),
            Some(above) if above.ends_with('/') => None,
            Some(above) => Path::parse(above).map(Self::Below),
            None => Path::parse(text).map(Self::Exact),
        }
    }

    /// Whether it is about `path`.
    #[must_use]
    pub fn matches(&self, path: &Path) -> bool {
        match self {
            Self::All => true,
            Self::Exact(exact) => path == exact,
            Self::Below(above) => path.is_below(above),
        }
    }
}

fn decoded(segment: &str) -> Option<String> {
    let escapes = |text: &str| text.split('%').skip(1).filter(|rest| is_hex(rest)).count();
    if escapes(segment) != segment.matches('%').count() {
        return None;
    }
    let decoded = percent_decode_str(segment).decode_utf8().ok()?;
    let is_unsafe = |c: char| c.is_control() || matches!(c, '/' | '\\' | '*');
    let refused = matches!(&*decoded, "" | "." | "..") || decoded.contains(is_unsafe) || escapes(&decoded) > 0;
    (!refused).then(|| decoded.into_owned())
}

fn is_hex(rest: &str) -> bool {
    rest.as_bytes().first_chunk::<2>().is_some_and(|pair| pair.iter().all(u8::is_ascii_hexdigit))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_path_has_one_spelling() {
        for (text, path) in [
            ("/", "/"),
            ("/agents", "/agents"),
            ("/agents/", "/agents"),
            ("agents", "/agents"),
            ("/%61gents", "/agents"),
            ("/a%20b", "/a b"),
            ("/%C3%A9", "/é"),
            ("/é", "/é"),
            ("/100%25", "/100%"),
            ("/a%3Fb", "/a?b"),
            ("/...", "/..."),
            ("/.hidden/a..b", "/.hidden/a..b"),
            ("/Agents", "/Agents"),
        ] {
            assert_eq!(Path::parse(text).map(|path| path.to_string()).as_deref(), Some(path), "{text}");
        }
    }

    #[test]
    fn what_servers_read_differently_is_no_path() {
        for trap in [
            "",
            "//",
            "///",
            "//agents",
            "/agents//",
            "/agents//x",
            "/./agents",
            "/agents/.",
            "/agents/..",
            "..",
            ".",
            "/../agents",
            "/%2e/agents",
            "/%2e%2E/agents",
            "/.%2e/agents",
            "/agents/%2e%2e/x",
            "/%252e%252e/x",
            "/agents%2Fx",
            "/agents%2fx",
            "/agents%5Cx",
            "/agents\\x",
            "/agents%00",
            "/agents%0a",
            "/agents\n",
            "/agents\u{85}",
            "/agents%C2%85",
            "/agents%7F",
            "/agents?x=1",
            "/agents#x",
            "/agents;v=1",
            "/..;/agents",
            "/agents%",
            "/agents%2",
            "/agents%zz",
            "/agents%C3",
            "/agents%ff",
            "/agents%C0%AF",
            "/agents%25%32%66",
            "/agents%252fx",
            "/*",
            "*",
            "/agents/*",
            "/agents%2a",
            "https://agents.example.com",
        ] {
            assert_eq!(Path::parse(trap), None, "{trap:?}");
        }
        assert_eq!(Path::parse(&"a".repeat(2049)), None);
        assert!(Path::parse(&"a".repeat(2048)).is_some());
    }

    #[test]
    fn patterns_match_whole_segments() {
        for (pattern, path, matches) in [
            ("/agents", "/agents", true),
            ("/agents", "/agents/", true),
            ("/agents/", "/agents", true),
            ("agents", "/agents", true),
            ("/agents", "/agents/x", false),
            ("/agents", "/agents-evil", false),
            ("/agents", "/Agents", false),
            ("/agents/*", "/agents/x", true),
            ("/agents/*", "/agents/x/y", true),
            ("/agents/*", "/agents", false),
            ("/agents/*", "/agents/", false),
            ("/agents/*", "/agents-evil/x", false),
            ("/agents/*", "/AGENTS/x", false),
            ("/%61gents/*", "/agents/%78", true),
            ("/*", "/agents", true),
            ("/*", "/", false),
            ("/", "/", true),
            ("/", "/agents", false),
            ("*", "/", true),
            ("*", "/agents/x", true),
        ] {
            assert_eq!(Pattern::parse(pattern).unwrap().matches(&Path::parse(path).unwrap()), matches, "{pattern} {path}");
        }
    }

    #[test]
    fn a_star_elsewhere_is_no_pattern() {
        for wrong in [
            "",
            "/agents*",
            "agents*",
            "/*/x",
            "/agents/*/x",
            "/agents/**",
            "**",
            "//*",
            "/agents//*",
            "/agents/%2a",
            "/../*",
            "/a?/*",
            "/*/",
        ] {
            assert_eq!(Pattern::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_scope_stands_for_one_path() {
        for (path, scope) in [
            ("/api/v1/agents", Some("agents.read")),
            ("/agents", Some("agents.read")),
            ("/api/v1/files/x", Some("files.x.read")),
            ("/files/a.txt", Some("files.a%2Etxt.read")),
            ("/files.bak/x", Some("files%2Ebak.x.read")),
            ("/a b/é", Some("a%20b.%C3%A9.read")),
            ("/100%25", Some("100%25.read")),
            ("/api/v1", Some("api.v1.read")),
            ("/api/v1/api/v1/x", Some("api.v1.x.read")),
            ("/", None),
        ] {
            assert_eq!(Path::parse(path).unwrap().scope("read").as_deref(), scope, "{path}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_a_path_is_the_same_path_when_it_is_written_again(text in "[/a.%2eE*é;-]{0,12}") {
            if let Some(path) = Path::parse(&text) {
                let again = path.to_string().replace('%', "%25");
                prop_assert_eq!(Path::parse(&again), Some(path.clone()));
                prop_assert!(!path.to_string().split('/').any(|segment| matches!(segment, "." | "..")));
                prop_assert!(path.is_within(&path));
            }
        }

        #[test]
        fn different_paths_have_different_scopes(left in "(/[ab.% é]{1,3}){1,3}", right in "(/[ab.% é]{1,3}){1,3}") {
            if let (Some(left), Some(right)) = (Path::parse(&left), Path::parse(&right)) {
                prop_assert_eq!(left == right, left.scope("read") == right.scope("read"));
            }
        }
    }
}
