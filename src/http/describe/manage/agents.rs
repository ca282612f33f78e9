//! Agents make agents below themselves, and manage them.

use serde_json::{Value, json};

use crate::http::api::agents::fields::{CHANGES, CHILD, ROOT};
use crate::http::describe::operation::Operation;
use crate::http::describe::schema::{about_it, flag, list, moment, named, number, object, open, or_null, text, texts, uri, word};
use crate::http::refuse::Surface;
use crate::http::reply::JSON;
use crate::oauth::error::ErrorCode;

pub(in crate::http::describe) fn operations() -> Vec<Operation> {
    vec![
        come_in("quickstart", "/api/v1/agents/quickstart", "Come in with an API key")
            .about("A new agent that nobody answers for, its API key, and a token for all that the key may. Its name need not be its alone.")
            .answers(201, "The agent, and its key this once.", JSON, named("Quickstart")),
        come_in("bootstrap", "/api/v1/agents/bootstrap", "Come in without an API key")
            .about("The same with an identity assertion of auth.md in place of a key, to be exchanged at the token endpoint.")
            .answers(201, "The agent.", JSON, named("Bootstrapped")),
        paged(Operation::get("listAgents", "/api/v1/agents", "Agents that you see"))
            .about("Whoever asks and all below, parents before their children. total counts them on all pages.")
            .query("parent_agent_id", text(""), "Only its children.")
            .query("status", status(), "Only those with this status of their own.")
            .managed()
            .refuses_as(422, &[ErrorCode::InvalidRequest])
            .answers(200, "A page of them.", JSON, page("AgentPage")),
        Operation::post("createAgent", "/api/v1/agents", "Make an agent below you")
            .about(
                "It may at most what its root may, and counts as long as everybody above it. Until a person has claimed the root, a tree has at \
                 most 100 agents.",
            )
            .managed()
            .repeatable()
            .json_as(CHILD)
            .refuses(&[ErrorCode::AgentNameConflict, ErrorCode::DepthExceeded, ErrorCode::Conflict, ErrorCode::LimitReached, ErrorCode::AlreadyRevoked])
            .answers(201, "It is there, and has no credential yet.", JSON, one()),
        agent(Operation::get("readAgent", "/api/v1/agents/{agent_id}", "One agent"))
            .about("Oneself, one below, or one of the same account that delegations connect with. Any other is as unknown as one that never was.")
            .answers(200, "The agent.", JSON, one()),
        agent(Operation::patch("changeAgent", "/api/v1/agents/{agent_id}", "Change, suspend, bring back or end an agent"))
            .about(
                "Whoever suspends itself is brought back by somebody above; a root has nobody, so it can only end itself. Suspending stops all \
                 below at once, and what is brought back is as it was. An empty text takes away what was there.",
            )
            .json_as(CHANGES)
            .refuses(&[ErrorCode::AgentNameConflict, ErrorCode::DepthExceeded, ErrorCode::AlreadyRevoked, ErrorCode::Forbidden])
            .answers(200, "The agent as it is now.", JSON, one()),
        agent(Operation::delete("suspendAgent", "/api/v1/agents/{agent_id}", "Suspend an agent"))
            .about("As status suspended does.")
            .refuses(&[ErrorCode::AlreadyRevoked, ErrorCode::Forbidden])
            .answers(200, "The agent as it is now.", JSON, one()),
        paged(agent(Operation::get("listChildren", "/api/v1/agents/{agent_id}/children", "The children of an agent")))
            .refuses_as(422, &[ErrorCode::InvalidRequest])
            .answers(200, "A page of them, the oldest first; 100 if no limit is given.", JSON, page("ChildPage")),
    ]
}

fn come_in(id: &'static str, path: &'static str, summary: &'static str) -> Operation {
    Operation::post(id, path, summary)
        .surface(Surface::Problem)
        .repeatable()
        .json_as(ROOT)
        .limited(201)
        .stored()
        .refuses(&[ErrorCode::AnonymousNotEnabled, ErrorCode::Conflict])
}

fn agent(operation: Operation) -> Operation {
    operation.parameter("path", "agent_id", text(""), "`reg_` and 22 letters or digits.").managed()
}

fn paged(operation: Operation) -> Operation {
    operation.query("limit", json!({ "type": "integer", "minimum": 1, "maximum": 100, "default": 50 }), "At most so many.").query(
        "offset",
        json!({ "type": "integer", "minimum": 0, "default": 0 }),
        "After so many.",
    )
}

fn status() -> Value {
    word(&["active", "suspended", "revoked"])
}

fn one() -> Value {
    named("AgentAnswer")
}

fn page(meta: &str) -> Value {
    object([("data", list(named("Agent"))), ("meta", named(meta))])
}

pub(in crate::http::describe) fn schemas() -> Vec<(&'static str, Value)> {
    let maybe = |about: &str| or_null(text(about));
    let claim =
        || [("claim_token?", text("With it a person takes the agent over.")), ("claim_url?", uri("")), ("claim_token_expires?", moment())];
    let [token, url, expires] = claim();
    let [meta_token, meta_url, meta_expires] = claim();
    vec![
        (
            "Agent",
            object([
                ("id", text("")),
                ("parent_agent_id", maybe("Nobody answers for a root.")),
                ("name", text("No sibling has the same.")),
                ("agent_type", word(&["orchestrator", "autonomous", "assistant", "tool"])),
                ("description", maybe("")),
                ("homepage_url", or_null(uri(""))),
                ("public_key", maybe("")),
                ("trust_level", word(&["root", "delegated", "ephemeral"])),
                ("status", about_it(status(), "Its own: it counts only as long as all above it are active too.")),
                ("max_child_depth", number("How many levels there may be below it.")),
                ("metadata", open(object([]))),
                ("deactivated_at", or_null(moment())),
                ("created_at", moment()),
                ("updated_at", moment()),
                ("is_active", flag("It and all above it are active.")),
                ("depth", number("How many are above it.")),
                ("expires_at", or_null(moment())),
            ]),
        ),
        (
            "AgentAnswer",
            object([
                ("data", named("Agent")),
                (
                    "meta",
                    object([("message?", text("")), ("is_root?", flag("")), ("is_active?", flag("")), ("parent_agent_id?", maybe(""))]),
                ),
            ]),
        ),
        (
            "AgentPage",
            object([
                ("total", number("On all pages.")),
                ("limit", number("")),
                ("offset", number("")),
                ("parent_agent_id", maybe("")),
                ("status_filter", maybe("")),
            ]),
        ),
        (
            "ChildPage",
            object([
                ("total", number("On all pages.")),
                ("limit", number("")),
                ("offset", number("")),
                ("parent_agent_id", text("")),
                ("parent_name", text("")),
            ]),
        ),
        (
            "Quickstart",
            object([
                ("agent", named("Agent")),
                ("api_key", text("Shown this once.")),
                ("api_key_prefix", text("How it begins.")),
                ("scopes", texts()),
                ("token", or_null(token_object("A token for `/api/v1` and all that the key may; null if there was none to be had."))),
                ("message", text("")),
                token,
                url,
                expires,
            ]),
        ),
        (
            "Bootstrapped",
            object([
                ("data", named("Agent")),
                (
                    "meta",
                    object([
                        ("message", text("")),
                        ("is_root", flag("")),
                        ("identity_assertion", text("To be exchanged at the token endpoint.")),
                        ("assertion_expires", moment()),
                        meta_token,
                        meta_url,
                        meta_expires,
                    ]),
                ),
            ]),
        ),
    ]
}

fn token_object(about: &str) -> Value {
    about_it(
        object([
            ("access_token", text("")),
            ("token_type", text("")),
            ("expires_in", number("Seconds.")),
            ("scope", text("")),
            ("issued_at", moment()),
            ("expires_at", moment()),
            ("refresh_before", moment()),
            ("refresh_token?", text("")),
        ]),
        about,
    )
}
