//! Rights that one agent hands on to another.

use serde_json::{Value, json};

use crate::http::api::delegations::{EXPIRED, SCHEMA};
use crate::http::describe::operation::Operation;
use crate::http::describe::schema::{about_it, flag, list, moment, named, number, object, open, or_null, text, texts, word};
use crate::http::reply::JSON;
use crate::oauth::error::ErrorCode;
use crate::tenant::DelegationStatus;

pub(in crate::http::describe) fn operations() -> Vec<Operation> {
    let yes_or_no = |default: bool| json!({ "type": "boolean", "default": default });
    vec![
        Operation::post("createDelegation", "/api/v1/delegations", "Hand rights on to another agent")
            .about(
                "Within one account it counts at once; to an agent of another account it is an offer, which changes nothing until that agent, or one \
                 above it, accepts it. Rights come from the caller itself or from one delegation to it, and never more than those cover: at any \
                 moment a delegation is worth what all links above it and the first delegator's own rights have in common. Scopes that manage \
                 agents are not delegated.",
            )
            .managed()
            .repeatable()
            .json_as(SCHEMA)
            .answers(201, "Made; pending if it has to be accepted.", JSON, named("Delegation"))
            .refuses(&[ErrorCode::InvalidDelegation, ErrorCode::DepthExceeded, ErrorCode::LimitReached, ErrorCode::RateLimited])
            .with_members(
                400,
                open(object([
                    ("scopes_not_held?", texts()),
                    ("problem?", word(&["unknown_constraint_operator", "unknown_constraint", "invalid_constraint"])),
                    ("field?", text("Which constraint.")),
                    ("known?", texts()),
                    ("errors?", texts()),
                    ("chain_depth_exceeded?", flag("")),
                    ("chain_depth_remaining?", number("")),
                    ("effective_max_chain_depth?", number("")),
                ])),
            ),
        Operation::get("listDelegations", "/api/v1/delegations", "Delegations from and to oneself and agents below")
            .managed()
            .query("active_only", yes_or_no(true), "Only those that count, as far as the account knows what is above them.")
            .query("limit", json!({ "type": "integer", "minimum": 1, "maximum": 100, "default": 50 }), "So many at most.")
            .query("offset", json!({ "type": "integer", "minimum": 0, "default": 0 }), "After so many.")
            .refuses_as(422, &[ErrorCode::InvalidRequest])
            .gives("Delegations", "A page."),
        one(Operation::get("readDelegation", "/api/v1/delegations/{id}", "One delegation")).gives("Delegation", "As it is."),
        one(Operation::delete("revokeDelegation", "/api/v1/delegations/{id}", "Take a delegation back, or give it back"))
            .about(
                "By the delegator, the delegate, or an agent above either. Whatever was made of it ends with it, tokens too, within a second; nothing \
                 else does.",
            )
            .query("cascade", yes_or_no(true), "Also count the delegations below it that the account knows. They end in any case.")
            .refuses(&[ErrorCode::Forbidden])
            .refuses_as(422, &[ErrorCode::InvalidRequest])
            .gives("DelegationsRevoked", "It has ended; none has, if it had already."),
        one(Operation::get("readChain", "/api/v1/delegations/{id}/chain", "The whole chain of a delegation"))
            .about("For an auditor: who has handed on what to whom, when, bound to what, and what comes of it now. Links of other accounts too.")
            .gives("DelegationChain", "The first hop first."),
        one(Operation::post("acceptDelegation", "/api/v1/delegations/{id}/accept", "Accept an offered delegation"))
            .about("By the delegate, or an agent above it. An agent has at most 32 delegations that count, and 8 of one delegator.")
            .refuses(&[ErrorCode::Forbidden, ErrorCode::AlreadyRevoked, ErrorCode::LimitReached])
            .gives("Delegation", "It counts from now on."),
        one(Operation::post("declineDelegation", "/api/v1/delegations/{id}/decline", "Decline an offered delegation"))
            .about("By the delegate, or an agent above it. An offer that nobody answers for a week is declined.")
            .refuses(&[ErrorCode::Forbidden, ErrorCode::AlreadyRevoked, ErrorCode::Conflict])
            .gives("Delegation", "It never will count."),
    ]
}

fn one(operation: Operation) -> Operation {
    operation.managed().parameter("path", "id", json!({ "type": "string" }), "dlg_ and 22 digits.")
}

pub(in crate::http::describe) fn schemas() -> Vec<(&'static str, Value)> {
    let statuses: Vec<&str> = DelegationStatus::ALL.iter().map(|status| status.as_str()).chain([EXPIRED]).collect();
    let constraints = || open(about_it(json!({ "type": "object" }), "Argument to test; time_window; resource_prefix."));
    let bound = object([("delegation", text("Which.")), ("constraints", constraints())]);
    vec![
        (
            "Delegation",
            object([
                ("id", text("dlg_ and 22 digits.")),
                ("delegator_agent_id", text("Who hands on.")),
                ("delegate_agent_id", text("Who may use it.")),
                ("scopes", texts()),
                ("constraints", constraints()),
                ("chain_depth", number("1 for the first hop.")),
                ("max_chain_depth", number("How long the chain may become, counted from its first hop.")),
                ("max_absolute_chain_depth", number("The same.")),
                ("chain_depth_remaining", number("How many links may follow.")),
                ("source_delegation_id", or_null(text("What it is made of, if not of the delegator's own rights."))),
                ("status", word(&statuses)),
                (
                    "broken_by",
                    or_null(text(
                        "Why it is revoked though nobody took it back, as far as that is known: the link above it that has ended, or itself, if a \
                         person has claimed the root of its delegator since.",
                    )),
                ),
                ("expires_at", or_null(moment())),
                ("revoked_at", or_null(moment())),
                ("created_at", moment()),
                ("updated_at", moment()),
                (
                    "is_active",
                    flag("Whether it counts, as far as the delegations of its chain go: whether the agents do is told with that."),
                ),
            ]),
        ),
        (
            "Delegations",
            object([
                ("data", list(named("Delegation"))),
                ("total", number("On all pages.")),
                ("meta", object([("total", number("")), ("limit", number("")), ("offset", number("")), ("active_only", flag(""))])),
            ]),
        ),
        ("DelegationsRevoked", object([("revoked", number("This one, and those below that the account knows."))])),
        (
            "DelegationConstraints",
            about_it(
                list(bound),
                "What the delegations of a chain are bound to, the first hop first; all have to be met. Access tokens and introspection carry the \
                 same list as constraints, so that a resource server can judge by itself: arguments by eq, min, max, in, not_in; time_window; \
                 resource_prefix.",
            ),
        ),
        (
            "DelegationChain",
            object([
                ("delegation_id", text("")),
                (
                    "chain",
                    list(
                        json!({ "anyOf": [named("Delegation"), object([("id", text("")), ("status", word(&["forgotten"])), ("is_active", flag(""))])] }),
                    ),
                ),
                ("effective_scopes", texts()),
                ("constraints", named("DelegationConstraints")),
                ("is_active", flag("Whether the whole chain counts.")),
                ("broken_by", or_null(text("The first link or agent that does not count."))),
            ]),
        ),
    ]
}
