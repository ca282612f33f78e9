//! What was done, by whom, for whom.

use serde_json::{Value, json};

use crate::http::api::audit::NDJSON;
use crate::http::describe::operation::Operation;
use crate::http::describe::schema::{flag, list, moment, named, number, object, open, or_null, text, word};
use crate::http::reply::JSON;
use crate::oauth::error::ErrorCode;

pub(in crate::http::describe) fn operations() -> Vec<Operation> {
    let of = || json!({ "type": "string", "maxLength": 256 });
    let date = || json!({ "anyOf": [{ "type": "string", "format": "date" }, { "type": "string", "format": "date-time" }] });
    vec![
        Operation::get("listAuditEvents", "/api/v1/audit/events", "What was done")
            .about(
                "The agent's own and that of all below, the oldest first. Attempts that were refused or failed are there too, at most 60 a minute of \
                 one agent. A page may be short, or empty, and have a `next_cursor`: go on until there is none. With the cursor nothing is missed and \
                 nothing comes twice.",
            )
            .managed()
            .query("event_type", of(), "Exactly.")
            .query("actor_id", of(), "Exactly.")
            .query("target_id", of(), "Exactly.")
            .query("outcome", word(&["success", "failure", "denied"]), "How it ended.")
            .query("from_date", date(), "From then on.")
            .query("to_date", date(), "Until then; a day is included.")
            .query("after", json!({ "type": "string", "maxLength": 20 }), "`next_cursor` of the page before.")
            .query("order", word(&["asc", "desc"]), "`desc` for the newest first.")
            .query("limit", json!({ "type": "integer", "minimum": 1, "maximum": 500, "default": 50 }), "At most so many.")
            .query("export", word(&["json", "ndjson"]), "ndjson for one event a line; so does the Accept header.")
            .refuses_as(422, &[ErrorCode::InvalidRequest])
            .answers(
                200,
                "A page.",
                JSON,
                object([
                    ("data", list(named("AuditEvent"))),
                    ("meta", object([("returned", number("")), ("limit", number("")), ("next_cursor", or_null(text("")))])),
                ]),
            )
            .answers(200, "A page.", NDJSON, json!({ "type": "string" }))
            .header(200, "X-Next-Cursor")
            .header(200, "X-Total-Returned"),
        Operation::get("stats", "/api/v1/stats", "How much there is")
            .about("Of the agent itself and all below.")
            .managed()
            .answers(200, "Counts.", JSON, named("Stats")),
    ]
}

pub(in crate::http::describe) fn schemas() -> Vec<(&'static str, Value)> {
    vec![
        (
            "AuditEvent",
            object([
                ("id", text("`aud_…`")),
                ("event_type", text("`agent.created`, `request.denied`…")),
                ("actor_type", word(&["agent", "account", "system"])),
                ("actor_id", or_null(text("Who."))),
                (
                    "on_behalf_of",
                    json!({ "anyOf": [open(object([])), { "type": "null" }], "description": "The whole `act` chain (RFC 8693)." }),
                ),
                ("target_type", or_null(text(""))),
                ("target_id", or_null(text("What it was done to."))),
                ("action", text("")),
                ("outcome", word(&["success", "failure", "denied"])),
                ("network", or_null(text("Where the request came from."))),
                ("request_id", or_null(text("`X-Request-Id` of the answer."))),
                ("metadata", open(object([]))),
                ("created_at", moment()),
            ]),
        ),
        (
            "Stats",
            object([
                (
                    "data",
                    object([
                        ("agents", number("Whatever their status.")),
                        ("agents_by_status", object([("active", number("")), ("suspended", number("")), ("revoked", number(""))])),
                        ("credentials", number("Those that have not been revoked.")),
                        ("credentials_revoked", number("")),
                        ("delegations", number("From or to agents here, ended ones too.")),
                        ("policies", number("")),
                        ("webhooks", number("")),
                    ]),
                ),
                ("meta", object([("agent_id", text("")), ("is_root", flag("")), ("generated_at", moment())])),
            ]),
        ),
    ]
}
