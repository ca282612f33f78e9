//! What all operations share: the shapes of errors, headers, and ways to show who one is.

use serde_json::{Map, Value, json};

use super::operation::HTML;
use super::schema::{about_it, named, number, object, open, text, uri};
use crate::http::reply::{JSON, PROBLEM};
use crate::oauth::error::ErrorCode;

/// The shapes of errors, one for each surface.
pub(super) fn errors() -> Vec<(&'static str, Value)> {
    let code = || named("ErrorCode");
    let wait = || number("Seconds to wait before the same request makes sense again.");
    let page = || uri("The code's place in `/auth.md`.");
    vec![
        (
            "Error",
            about_it(
                object([
                    ("error", code()),
                    ("error_description", text("What the code means.")),
                    ("hint", text("What to do next.")),
                    ("error_uri", page()),
                    ("retry_after?", wait()),
                ]),
                "RFC 6749, section 5.2.",
            ),
        ),
        (
            "AgentError",
            about_it(
                object([
                    ("error", code()),
                    ("message", text("What the code means.")),
                    ("error_description", text("The same.")),
                    ("hint", text("What to do next.")),
                    ("error_uri", page()),
                    ("retry_after?", wait()),
                ]),
                "As auth.md has it.",
            ),
        ),
        (
            "Problem",
            about_it(
                object([
                    ("type", page()),
                    ("title", text("What the code means.")),
                    ("status", number("The status of the answer.")),
                    ("detail", text("What to do next.")),
                    ("error", code()),
                    ("retry_after?", wait()),
                ]),
                "RFC 9457.",
            ),
        ),
        (
            "EventError",
            about_it(
                object([("err", code()), ("description", text("What the code means.")), ("retry_after?", wait())]),
                "RFC 8935, section 2.3.",
            ),
        ),
    ]
}

/// What answers say beside their body.
pub(super) fn headers() -> Value {
    let header = |about: &str, schema: Value| json!({ "description": about, "schema": schema });
    let word = || json!({ "type": "string" });
    let count = || json!({ "type": "integer", "minimum": 0 });
    json!({
        "Allow": header("The methods of the path.", word()),
        "DPoP-Nonce": header("A nonce for the next proof, if a proof came (RFC 9449, section 8).", word()),
        "ETag": header("The name of this version, for If-None-Match.", word()),
        "Location": header("Where to go on.", json!({ "type": "string", "format": "uri-reference" })),
        "RateLimit-Limit": header("Requests in the window.", count()),
        "RateLimit-Remaining": header("How many are left.", count()),
        "RateLimit-Reset": header("Seconds until the window ends.", count()),
        "Retry-After": header("Seconds to wait.", count()),
        "X-Authorization-Decision": header("What was decided about the agent that asks: allow or deny.", word()),
        "X-RateLimit-Limit": header("Requests of the agent in the window.", count()),
        "X-RateLimit-Remaining": header("How many are left.", count()),
        "X-RateLimit-Reset": header("When the window ends, in seconds since the epoch.", count()),
        "X-Next-Cursor": header("Where the next page begins, if there is one.", word()),
        "X-Total-Returned": header("Events on this page.", count()),
        "WWW-Authenticate": header("How to show who one is; at our resources with `resource_metadata` (RFC 9728, section 5.1).", word()),
    })
}

/// Answers that are the same everywhere.
pub(super) fn responses() -> Value {
    let said = |schema: Value| json!({ "schema": schema });
    let fault = open(object([("error", text("`server_error`."))]));
    let problem = json!({ "allOf": [named("Problem"), { "properties": { "error": { "enum": [ErrorCode::ServerError.as_str()] } } }] });
    let content: Map<String, Value> = [(JSON, fault), (PROBLEM, problem), (HTML, json!({ "type": "string" }))]
        .into_iter()
        .map(|(media, schema)| (media.to_owned(), said(schema)))
        .collect();
    json!({ "Fault": { "description": "Our fault: the deployment is misconfigured, and its log says how.", "content": content } })
}

/// Ways to show who one is. `client_secret_post` and `private_key_jwt` are members of the form.
pub(super) fn security() -> Value {
    json!({
        "token": {
            "type": "http", "scheme": "bearer",
            "description": "An access token, or the API key of an agent. Tokens that are bound to a key need the scheme DPoP.",
        },
        "agent_key": {
            "type": "apiKey", "in": "header", "name": "X-Agent-Key",
            "description": "The API key of an agent, or an access token, where there is no Authorization header. Both at once have to be the same.",
        },
        "dpop": { "type": "http", "scheme": "dpop", "description": "An access token that is bound to a key, with a proof in the header DPoP (RFC 9449)." },
        "client": {
            "type": "http", "scheme": "basic",
            "description": "client_id and client_secret, an agent's API key as the secret, or a resource server's name and key. client_secret_post and private_key_jwt (RFC 7523) are members of the form: client_secret, client_assertion.",
        },
        "registration": { "type": "http", "scheme": "bearer", "description": "The registration_access_token of the client (RFC 7592)." },
        "operator": { "type": "http", "scheme": "bearer", "description": "The deployment's OPERATOR_KEY." },
        "session": {
            "type": "apiKey", "in": "cookie", "name": "__Host-postern_session",
            "description": "The session of a person who has signed in. Forms need their hidden field csrf, scripts the header X-CSRF.",
        },
    })
}
