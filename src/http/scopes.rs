//! Scopes in words, as people are shown them.

use super::page::ScopeView;
use crate::cx::Cx;
use crate::oauth::management;
use crate::oauth::scope::Scope;

/// Each with its words.
pub(super) fn views<'s, P>(scope: &'s Scope, cx: &Cx<'_, P>) -> Vec<ScopeView<'s>> {
    scope.iter().map(|name| ScopeView { name, words: words(name, cx).to_owned() }).collect()
}

/// All of them in one line.
pub(super) fn line<P>(scope: &Scope, cx: &Cx<'_, P>) -> String {
    let described = |name: &str| match words(name, cx) {
        "" => name.to_owned(),
        words => format!("{words} ({name})"),
    };
    scope.iter().map(described).collect::<Vec<_>>().join(", ")
}

/// What a scope allows: in the operator's words, or ours for those of OpenID Connect and of our own API; empty if there are none.
fn words<'c, P>(name: &str, cx: &Cx<'c, P>) -> &'c str {
    let own = match name {
        "openid" => "Know who you are",
        "email" => "See your e-mail address",
        "profile" => "See your name and picture",
        "offline_access" => "Stay connected when you are away",
        _ => management::SCOPES.iter().find(|(known, ..)| *known == name).map_or("", |(_, words, _)| words),
    };
    cx.config.scope_descriptions.get(name).map_or(own, String::as_str)
}
