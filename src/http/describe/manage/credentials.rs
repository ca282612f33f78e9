//! API keys of agents.

use serde_json::{Value, json};

use crate::http::api::credentials::CREATE;
use crate::http::describe::operation::Operation;
use crate::http::describe::schema::{flag, list, moment, named, number, object, open, or_null, text, texts, word};
use crate::http::reply::JSON;
use crate::oauth::error::ErrorCode;

pub(in crate::http::describe) fn operations() -> Vec<Operation> {
    vec![
        Operation::post("createCredential", "/api/v1/credentials", "Make an API key")
            .about(
                "For oneself or an agent below. It is good for no more than the credential that it is made with, and for all of that if no \
                 scopes are named.",
            )
            .managed()
            .repeatable()
            .json_as(CREATE)
            .answers(201, "The key, shown once.", JSON, named("NewCredential"))
            .refuses(&[ErrorCode::InvalidScope, ErrorCode::Forbidden, ErrorCode::LimitReached, ErrorCode::AlreadyRevoked]),
        page(Operation::get("listCredentials", "/api/v1/credentials", "List API keys"))
            .about("Those of oneself and of agents below.")
            .managed()
            .query("agent_id", text(""), "Only those of this agent.")
            .query("include_revoked", flag(""), "Those too that were revoked.")
            .gives("Credentials", "A page of them.")
            .refuses_as(422, &[ErrorCode::InvalidRequest]),
        one(Operation::get("readCredential", "/api/v1/credentials/{credential}", "Look at an API key"))
            .gives("CredentialAnswer", "All but the key itself."),
        one(Operation::delete("revokeCredential", "/api/v1/credentials/{credential}", "End an API key"))
            .about("Its tokens and refresh tokens end with it.")
            .gives("CredentialAnswer", "It does not count any more.")
            .refuses(&[ErrorCode::AlreadyRevoked]),
        one(Operation::post("rotateCredential", "/api/v1/credentials/{credential}/rotate", "Put another API key in the place of one"))
            .about("In one step: the old one is dead, with its tokens, and the new one is good for the same. Revoked and expired ones are not rotated.")
            .repeatable()
            .gives("RotatedCredential", "The key, shown once.")
            .refuses(&[ErrorCode::AlreadyRevoked, ErrorCode::Forbidden, ErrorCode::LimitReached]),
        Operation::get("listAgentCredentials", "/api/v1/agents/{agent}/credentials", "Which API keys an agent has")
            .parameter("path", "agent", text(""), "The agent's id.")
            .managed()
            .gives("AgentCredentials", "Those that were not revoked, at most 100."),
    ]
}

fn one(operation: Operation) -> Operation {
    operation.parameter("path", "credential", text(""), "The credential's id.").managed()
}

fn page(operation: Operation) -> Operation {
    operation.query("limit", json!({ "type": "integer", "minimum": 1, "maximum": 100 }), "At most so many; 50 if absent.").query(
        "offset",
        number(""),
        "After so many.",
    )
}

pub(in crate::http::describe) fn schemas() -> Vec<(&'static str, Value)> {
    vec![
        (
            "Credential",
            object([
                ("id", text("crd_…")),
                ("agent_id", text("Whose it is.")),
                ("type", word(&["api_key"])),
                ("prefix", text("How the key begins.")),
                (
                    "scopes",
                    json!({ "type": ["array", "null"], "items": { "type": "string" }, "description": "No more may be done with it; null is all that its agent may." }),
                ),
                ("expires_at", or_null(moment())),
                ("last_used_at", or_null(moment())),
                ("last_rotated_at", or_null(moment())),
                ("revoked_at", or_null(moment())),
                ("metadata", open(object([]))),
                ("token_lifetime_seconds", or_null(number("Of its access tokens."))),
                ("created_at", moment()),
                ("updated_at", moment()),
                ("is_valid", flag("It has neither ended nor expired.")),
            ]),
        ),
        ("NewCredential", object([("credential", named("Credential")), ("raw_key", text("The key itself.")), ("message", text(""))])),
        (
            "RotatedCredential",
            object([
                ("old_credential", named("Credential")),
                ("new_credential", named("Credential")),
                ("raw_key", text("The new key itself.")),
                ("message", text("")),
            ]),
        ),
        (
            "CredentialAnswer",
            object([("data", named("Credential")), ("meta", object([("credential_id?", text("")), ("message?", text(""))]))]),
        ),
        (
            "Credentials",
            object([
                ("data", list(named("Credential"))),
                (
                    "meta",
                    object([
                        ("total", number("On all pages.")),
                        ("limit", number("")),
                        ("offset", number("")),
                        ("agent_id", or_null(text(""))),
                        ("include_revoked", flag("")),
                    ]),
                ),
            ]),
        ),
        (
            "AgentCredentials",
            object([
                ("data", open(object([("id", text("The agent."))]))),
                (
                    "meta",
                    object([
                        ("credentials_count", number("")),
                        (
                            "credentials",
                            list(object([
                                ("id", text("")),
                                ("type", word(&["api_key"])),
                                ("prefix", text("")),
                                ("created_at", moment()),
                                ("is_valid", flag("")),
                            ])),
                        ),
                    ]),
                ),
            ]),
        ),
        ("Scopes", object([("data", list(named("ScopeInWords"))), ("total", number(""))])),
        (
            "ScopeInWords",
            object([
                ("name", text("")),
                ("description", or_null(text("What it allows."))),
                ("category", text("What stands before the first dot or colon.")),
            ]),
        ),
        ("ResolvedScopes", object([("requested", texts()), ("resolved", texts())])),
    ]
}
