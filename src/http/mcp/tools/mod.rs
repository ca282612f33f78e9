//! The tools, one file for each family. A new family is a file with a function `tools`, and a line in [`all`].

mod agent;
mod children;
mod claim;
mod credential;
mod delegation;
mod permission;
mod policy;
mod service;
mod token;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::LIST_TTL_MS;
use super::envelope::{Call, Fault};
use super::tool::{ACCESS_TOKEN, Access, Asked, Failure, Tool};
use crate::cx::Cx;
use crate::dpop;
use crate::http::api::attempt;
use crate::http::guard::{self, Caller};
use crate::http::refuse::Refused;
use crate::http::schema;
use crate::oauth::authorization::Authorization;
use crate::store::Ports;
use crate::tenant::AuditOutcome;

/// So many tools are on one page of the list.
const PAGE: usize = 50;

/// Every tool, in the order in which they are listed: what to look at first comes first.
pub(super) fn all<P: Ports>() -> Vec<Tool<P>> {
    let families = [
        service::tools(),
        agent::tools(),
        claim::tools(),
        token::tools(),
        children::tools(),
        credential::tools(),
        delegation::tools(),
        policy::tools(),
        permission::tools(),
    ];
    families.into_iter().flatten().collect()
}

/// A page of the list.
///
/// # Errors
/// The cursor is none that we gave.
pub(super) fn list<P: Ports>(params: &Map<String, Value>) -> Result<Value, Fault> {
    let tools = all::<P>();
    let names: Vec<&str> = tools.iter().map(|tool| tool.name).collect();
    let (begin, next) = page(&names, params.get("cursor"), PAGE)?;
    let shown: Vec<Value> = tools.iter().skip(begin).take(PAGE).map(Tool::shown).collect();
    let mut list = json!({ "tools": shown, "ttlMs": LIST_TTL_MS, "cacheScope": "public" });
    if let (Some(next), Value::Object(fields)) = (next, &mut list) {
        fields.insert("nextCursor".to_owned(), next.into());
    }
    Ok(list)
}

/// Whether the tool that is named may be called by nobody in particular.
pub(super) fn admits<P: Ports>(params: &Map<String, Value>) -> bool {
    find::<P>(params).is_some_and(|tool| tool.admits(params.get("arguments")))
}

/// Calls a tool: what it brings, or why it did nothing.
///
/// # Errors
/// No such tool, or no arguments at all: [`Fault`]. The caller may not: a missing scope is told on the HTTP level, where clients look for it.
pub(super) async fn call<P: Ports>(
    call: &Call,
    caller: Option<Caller>,
    request: &dpop::Request<'_>,
    cx: &Cx<'_, P>,
) -> Result<Result<Value, Failure>, Denied> {
    let tool = find::<P>(&call.params).ok_or(Fault::params("Invalid params: no such tool"))?;
    let none = Map::new();
    let arguments = match call.params.get("arguments") {
        None => &none,
        Some(Value::Object(arguments)) => arguments,
        Some(_) => return Err(Fault::params("Invalid params: arguments must be an object").into()),
    };
    let argument = arguments.get(ACCESS_TOKEN).and_then(Value::as_str);
    if let Err(what) = schema::check(&tool.input(), &Value::Object(arguments.clone()), "arguments") {
        let failed = Failure::arguments(&what);
        let caller = match (caller, argument.filter(|_| tool.takes_token())) {
            (None, Some(token)) => guard::told(token, "/mcp", cx).await.ok(),
            (caller, _) => caller,
        };
        note(&tool, caller, arguments, failed.audited(), cx).await;
        return Ok(Err(failed));
    }
    let credential = match Authorization::parse(request.headers) {
        Ok(Some(Authorization::Bearer(token) | Authorization::Dpop(token))) => Some(token),
        _ => None,
    };
    let caller = match (caller, argument) {
        (Some(caller), Some(argument)) if credential.as_deref() != Some(argument) => {
            let failed = conflict();
            note(&tool, Some(caller), arguments, failed.audited(), cx).await;
            return Ok(Err(failed));
        }
        (None, Some(argument)) => match guard::told(argument, "/mcp", cx).await {
            Ok(caller) => Some(caller),
            Err(refused) => return Ok(Err(refused.into())),
        },
        (caller, _) => caller,
    };
    let caller = match (tool.access, caller) {
        (Access::Open, caller) => caller,
        (Access::Scope(needed), Some(caller)) => match caller.clone().needs(&needed(cx.config), cx) {
            Ok(caller) => Some(caller),
            Err(refused) => {
                let outcome = attempt::outcome(&refused).map(|outcome| (outcome, refused.code().as_str()));
                note(&tool, Some(caller), arguments, outcome, cx).await;
                return Err(refused.into());
            }
        },
        (Access::Scope(_), None) => Some(guard::caller(request, "/mcp", cx).await?),
    };
    let done = (tool.run)(Asked { arguments, caller: caller.clone(), credential, request, cx }).await;
    if let Err(failed) = &done {
        note(&tool, caller, arguments, failed.audited(), cx).await;
    }
    Ok(done)
}

/// What an agent has called in vain is in its audit; nobody in particular has none.
async fn note<P: Ports>(
    tool: &Tool<P>,
    caller: Option<Caller>,
    arguments: &Map<String, Value>,
    audited: Option<(AuditOutcome, &str)>,
    cx: &Cx<'_, P>,
) {
    if let (Some(caller), Some(audited)) = (caller, audited) {
        Box::pin(attempt::of_tool(caller, tool.name, arguments, audited, cx)).await;
    }
}

/// Why a tool is not even called.
pub(super) enum Denied {
    /// By the protocol.
    Fault(Fault),
    /// By the door.
    Refused(Refused),
}

impl From<Fault> for Denied {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Refused> for Denied {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

/// Two credentials came, and which is meant cannot be known.
fn conflict() -> Failure {
    Failure::new(
        "conflicting_credentials",
        "The Authorization header and the arguments have different credentials.",
        "Leave the argument out: the header is enough.",
    )
}

fn find<P: Ports>(params: &Map<String, Value>) -> Option<Tool<P>> {
    let name = params.get("name")?.as_str()?;
    all().into_iter().find(|tool| tool.name == name)
}

/// Where a page begins, and what the next one is asked for with. A cursor names the last tool of the page before.
fn page(names: &[&str], cursor: Option<&Value>, size: usize) -> Result<(usize, Option<String>), Fault> {
    let unknown = || Fault::params("Invalid params: no such cursor");
    let begin = match cursor {
        None => 0,
        Some(cursor) => {
            let last = cursor.as_str().and_then(|cursor| URL_SAFE_NO_PAD.decode(cursor).ok()).ok_or_else(unknown)?;
            names.iter().position(|name| name.as_bytes() == last).ok_or_else(unknown)? + 1
        }
    };
    let end = begin.saturating_add(size);
    let last = end.checked_sub(1).filter(|_| end < names.len()).and_then(|last| names.get(last));
    Ok((begin, last.map(|name| URL_SAFE_NO_PAD.encode(name))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_hold_every_tool_once_and_in_order() {
        for size in 1..=6 {
            let (names, mut seen, mut cursor) = (["a", "b", "c", "d", "e"], Vec::<&str>::new(), None);
            loop {
                let (begin, next) = page(&names, cursor.as_ref(), size).unwrap();
                seen.extend(names.iter().skip(begin).take(size));
                let Some(next) = next else { break };
                cursor = Some(Value::from(next));
            }
            assert_eq!(seen, names);
        }
        for cursor in [json!("x"), json!(""), json!(1), json!(null), json!("ZZ==")] {
            assert_eq!(page(&["a"], Some(&cursor), 1).unwrap_err().code, -32602, "{cursor}");
        }
    }
}
