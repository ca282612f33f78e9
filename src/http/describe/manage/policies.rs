//! Policies, and what they decide.

use serde_json::{Value, json};

use crate::http::api::evaluate::QUESTION;
use crate::http::describe::operation::Operation;
use crate::http::describe::schema::{about_it, address, flag, list, moment, named, number, object, open, or_null, text, texts, with, word};
use crate::http::refuse::Surface;
use crate::http::reply::JSON;
use crate::oauth::error::ErrorCode;
use crate::policy::{AGENT_TYPES, Action, TRUST_LEVELS};

const POLICIES: &str = "/api/v1/policies";
const POLICY: &str = "/api/v1/policies/{policy_id}";

pub(in crate::http::describe) fn operations() -> Vec<Operation> {
    vec![
        Operation::get("listPolicies", POLICIES, "Policies that bind oneself or agents below")
            .managed()
            .query("enabled_only", flag(""), "Only those that count.")
            .query("limit", with(number(""), "maximum", 100), "At most so many; 50 if absent.")
            .query("offset", number(""), "After so many.")
            .refuses_as(422, &[ErrorCode::InvalidRequest])
            .gives("Policies", "The highest priority first."),
        written(Operation::post("createPolicy", POLICIES, "Write a policy").managed().about("It binds oneself and all agents below."), "PolicyDocument")
            .repeatable()
            .answers(201, "It counts from now on.", JSON, named("PolicyAnswer"))
            .refuses(&[ErrorCode::LimitReached, ErrorCode::AlreadyRevoked]),
        Operation::get("policySyntax", "/api/v1/policies/syntax", "What a policy may say, and how it is weighed")
            .surface(Surface::Problem)
            .answers(200, "The reference, with examples.", JSON, object([("data", open(object([])))]))
            .header(200, "DPoP-Nonce"),
        Operation::post("evaluate", "/api/v1/policies/evaluate", "Would this be allowed, and why?")
            .about(
                "What is answered is what would be done. A policy alone gives no right: scopes or a delegation have to cover it too. An agent asks about itself, for the credential that it asks with, or about one below \
                 it; a resource server, or the operator, about any, and what it asks then counts for rate limits.",
            )
            .managed()
            .security(&["client", "operator"])
            .json_as(QUESTION)
            .gives("Evaluation", "The decision."),
        one(Operation::get("readPolicy", POLICY, "One policy")).gives("PolicyAnswer", "As it is."),
        written(one(Operation::put("changePolicy", POLICY, "Change a policy").about("What is not named stays.")), "PolicyChange")
            .refuses(&[ErrorCode::Forbidden])
            .gives("PolicyAnswer", "As it is now."),
        one(Operation::delete("deletePolicy", POLICY, "Delete a policy")).refuses(&[ErrorCode::Forbidden]).empty(204, "It is gone."),
    ]
}

fn one(operation: Operation) -> Operation {
    operation.managed().parameter("path", "policy_id", text(""), "The policy.").refuses(&[ErrorCode::NotFound])
}

fn written(operation: Operation, body: &str) -> Operation {
    operation
        .body(JSON, named(body), None)
        .refuses(&[ErrorCode::InvalidRequest, ErrorCode::UnsupportedMediaType, ErrorCode::InvalidPolicy])
        .with_members(422, object([("errors?", texts()), ("field?", text("Where it is wrong.")), ("known?", texts())]))
}

pub(in crate::http::describe) fn schemas() -> Vec<(&'static str, Value)> {
    let mut change = document();
    if let Value::Object(fields) = &mut change {
        fields.remove("required");
    }
    vec![
        ("PolicyDocument", document()),
        ("PolicyChange", change),
        ("Policy", policy()),
        ("PolicyAnswer", object([("data", named("Policy")), ("meta?", object([("message", text(""))]))])),
        (
            "Policies",
            object([
                ("data", list(named("Policy"))),
                (
                    "meta",
                    object([("total", number("On all pages.")), ("limit", number("")), ("offset", number("")), ("enabled_only", flag(""))]),
                ),
            ]),
        ),
        ("Evaluation", evaluation()),
    ]
}

/// What an author writes; `/api/v1/policies/syntax` says it in words.
fn document() -> Value {
    let some = |items: Value| json!({ "type": "array", "items": items, "minItems": 1, "maxItems": 100 });
    let strict = |object: Value| with(object, "additionalProperties", false);
    let time = || text("HH:MM.");
    let plain = || json!({ "type": "string", "minLength": 1 });
    let subjects = strict(object([
        ("agent_ids?", some(plain())),
        ("agent_types?", some(word(AGENT_TYPES))),
        ("trust_levels?", some(word(TRUST_LEVELS))),
        ("account?", some(plain())),
        ("wildcard?", flag("Alone: everybody.")),
    ]));
    let conditions = strict(object([
        (
            "time_window?",
            strict(object([
                ("start", time()),
                ("end", time()),
                ("days?", some(word(&["mon", "tue", "wed", "thu", "fri", "sat", "sun"]))),
                ("utc_offset?", text("+01:00")),
            ])),
        ),
        ("ip_ranges?", some(text("CIDR."))),
        ("ip_allowlist?", some(address())),
        ("rate_limit?", strict(object([("max", number("")), ("window_seconds", number(""))]))),
        ("arguments?", json!({ "type": "object" })),
    ]));
    let mut actions = Action::NAMES.to_vec();
    actions.push("*");
    strict(object([
        ("name", json!({ "type": "string", "minLength": 1, "maxLength": 256 })),
        ("description?", json!({ "type": ["string", "null"], "maxLength": 2000 })),
        ("effect", word(&["allow", "deny"])),
        ("subjects", subjects),
        ("resources", strict(object([("paths?", some(plain())), ("wildcard?", flag("Alone: everything."))]))),
        ("actions", some(word(&actions))),
        ("conditions?", or_null(conditions)),
        ("priority?", json!({ "type": "integer", "minimum": -1_000_000, "maximum": 1_000_000 })),
        ("enabled?", flag("")),
    ]))
}

fn policy() -> Value {
    let anything = || open(object([]));
    object([
        ("id", text("")),
        ("created_by_agent_id", or_null(text("Whom it binds, with all below; everybody in the account if a person has made it."))),
        ("name", text("")),
        ("description", or_null(text(""))),
        ("effect", word(&["allow", "deny"])),
        ("subjects", anything()),
        ("resources", anything()),
        ("actions", texts()),
        ("conditions", anything()),
        ("priority", json!({ "type": "integer" })),
        ("enabled", flag("")),
        ("created_at", or_null(moment())),
        ("updated_at", or_null(moment())),
    ])
}

fn evaluation() -> Value {
    let violation = open(object([("delegation_id", text("")), ("field", text("")), ("constraint", json!({})), ("actual", json!({}))]));
    about_it(
        object([
            ("allowed", flag("")),
            ("effect", word(&["allow", "deny"])),
            ("matching_policy_id", or_null(text("The policy that denies, or the allow that was needed."))),
            ("matching_policy_name", or_null(text(""))),
            ("delegation_id", or_null(text("The delegation that gives the right, or whose chain failed."))),
            ("delegation_chain", texts()),
            ("failed_delegation_id", or_null(text("The first hop whose constraints are not met."))),
            ("missing_scope", or_null(text("The scope that nothing covers."))),
            ("violations", list(violation)),
            ("reason", text("In words.")),
        ]),
        "What would be done, and why.",
    )
}
