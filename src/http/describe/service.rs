//! Whether it runs, and what its pages are made of.

use serde_json::{Value, json};

use super::discovery::document;
use super::operation::Operation;
use super::schema::{list, moment, named, number, object, or_null, text, texts, word};
use crate::http::reply::JSON;
use crate::oauth::error::ErrorCode;

/// Pictures that a logo may be.
const PICTURES: [&str; 5] = ["image/svg+xml", "image/png", "image/jpeg", "image/webp", "image/gif"];

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::get("health", "/health", "Is it up?").gives("Health", "It is."),
        Operation::get("ready", "/ready", "Do its stores answer?").gives("Ready", "They do.").answers(
            503,
            "One of them does not.",
            JSON,
            named("Ready"),
        ),
        document("style", "/style.css", "The style sheet", "text/css"),
        document("passkeyScript", "/passkey.js", "The script of passkeys", "text/javascript"),
        document("documentationScript", "/docs.js", "The script of the documentation", "text/javascript"),
        document("icon", "/icon.svg", "The icon", "image/svg+xml").aliases(&["/favicon.ico"]),
        logo(Operation::get("logo", "/logo", "The operator's logo")),
        logo(Operation::get("providerLogo", "/logo/{number}", "The logo of a provider")).parameter(
            "path",
            "number",
            number(""),
            "Its place in the configuration.",
        ),
        Operation::get("outbox", "/dev/outbox", "Mail that development keeps")
            .about("There only on one's own machine.")
            .stored()
            .answers(200, "The messages.", JSON, list(named("Mail")))
            .refuses(&[ErrorCode::NotFound]),
    ]
}

fn logo(operation: Operation) -> Operation {
    let picture = || json!({ "type": "string" });
    PICTURES
        .into_iter()
        .fold(operation, |operation, media| operation.answers(200, "The picture.", media, picture()))
        .refuses(&[ErrorCode::NotFound])
}

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let check = || word(&["ok", "failed"]);
    vec![
        ("Health", object([("status", word(&["ok"]))])),
        ("Ready", object([("status", word(&["ready", "not ready"])), ("checks", object([("kv", check()), ("durable_object", check())]))])),
        (
            "Mail",
            object([
                ("to", text("")),
                ("subject", text("")),
                ("text", text("")),
                ("html", text("")),
                ("links", texts()),
                ("at", or_null(moment())),
            ]),
        ),
    ]
}
