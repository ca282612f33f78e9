//! Who is told of what happens.

use serde_json::{Value, json};

use crate::http::api::webhooks::SUBSCRIBE;
use crate::http::describe::operation::Operation;
use crate::http::describe::schema::{flag, list, moment, named, number, object, open, or_null, text, texts, uri, word};
use crate::http::reply::JSON;
use crate::oauth::error::ErrorCode;

pub(in crate::http::describe) fn operations() -> Vec<Operation> {
    let query = |operation: Operation| {
        operation
            .query("limit", json!({ "type": "integer", "minimum": 1, "maximum": 100, "default": 50 }), "At most so many.")
            .query("offset", json!({ "type": "integer", "minimum": 0, "default": 0 }), "After so many.")
            .refuses_as(422, &[ErrorCode::InvalidRequest])
    };
    vec![
        Operation::get("listWebhooks", "/api/v1/webhooks", "List webhooks")
            .about("Those of the agent and of all below, the oldest first. An account has at most 32, of which 24 may be below its root, and 8 of one child \
                 of the root with all below that.")
            .managed()
            .answers(200, "All of them.", JSON, object([("data", list(named("Webhook"))), ("meta", object([("total", number(""))]))])),
        Operation::post("createWebhook", "/api/v1/webhooks", "Make a webhook")
            .about(
                "It is sent a POST for each event, signed as Standard Webhooks 1.0 has it: `webhook-id`, `webhook-timestamp`, `webhook-signature`. \
                 Any 2xx within 10 seconds is taken for an answer; a redirect is none. Whatever fails is told again after 5 s, 30 s, 2 min, 10 min, \
                 1 h, 6 h and 24 h with the same `webhook-id`, and is a dead letter then. Messages come one after the other: after a failure the \
                 webhook rests for up to 10 minutes, and so may they. 410 disables the webhook, and so do 10 dead letters in a row and a \
                 person's claim of the root: `disabled_at` and `disabled_reason` say when and why, and a new webhook takes its place.",
            )
            .managed()
            .repeatable()
            .json_as(SUBSCRIBE)
            .refuses(&[ErrorCode::LimitReached, ErrorCode::Conflict, ErrorCode::AlreadyRevoked])
            .answers(201, "Made: the secret is shown this once.", JSON, secret(object([("message", text(""))]))),
        Operation::get("readWebhook", "/api/v1/webhooks/{webhook_id}", "Read a webhook")
            .parameter("path", "webhook_id", text(""), "Its name.")
            .managed()
            .answers(200, "It.", JSON, object([("data", named("Webhook")), ("meta", open(object([])))])),
        Operation::delete("deleteWebhook", "/api/v1/webhooks/{webhook_id}", "Delete a webhook")
            .about("What was to be told to it goes with it.")
            .parameter("path", "webhook_id", text(""), "Its name.")
            .managed()
            .empty(204, "It is gone."),
        Operation::post("rotateWebhook", "/api/v1/webhooks/{webhook_id}/rotate", "Give a webhook another secret")
            .about("The one before signs too for 24 hours, so that every message has two signatures then.")
            .parameter("path", "webhook_id", text(""), "Its name.")
            .managed()
            .repeatable()
            .answers(200, "The new secret, shown this once.", JSON, secret(object([("previous_secret_expires_at", or_null(moment()))]))),
        query(Operation::get("listWebhookLogs", "/api/v1/webhooks/{webhook_id}/logs", "What a webhook was told"))
            .about("The newest first. Delivered messages can be seen for 3 days, dead letters for 7.")
            .parameter("path", "webhook_id", text(""), "Its name.")
            .managed()
            .answers(
                200,
                "A page.",
                JSON,
                object([
                    ("data", list(named("WebhookDelivery"))),
                    ("meta", object([("total", number("On all pages.")), ("limit", number("")), ("offset", number(""))])),
                ]),
            ),
    ]
}

/// A webhook with its secret.
fn secret(meta: Value) -> Value {
    let with = json!({ "allOf": [named("Webhook"), object([("secret", text("`whsec_` and base64."))])] });
    object([("data", with), ("meta", meta)])
}

pub(in crate::http::describe) fn schemas() -> Vec<(&'static str, Value)> {
    vec![
        (
            "Webhook",
            object([
                ("id", text("`whk_` and 22 letters or digits.")),
                ("agent_id", or_null(text("It hears of this agent and all below."))),
                ("url", uri("")),
                ("events", texts()),
                (
                    "enabled",
                    flag("Not any more once it has answered 410, after 10 dead letters in a row, or since a person has claimed the root."),
                ),
                ("disabled_at", or_null(moment())),
                ("disabled_reason", or_null(text("`gone`, `dead_letters` or `claimed`."))),
                ("disabled_hint", or_null(text("What to do about it."))),
                ("created_at", moment()),
                ("updated_at", moment()),
            ]),
        ),
        (
            "WebhookDelivery",
            object([
                ("id", text("`webhook-id`, the same over all attempts.")),
                ("subscription_id", text("The webhook.")),
                ("event_type", text("")),
                ("payload", open(object([("type", text("")), ("timestamp", moment()), ("data", open(object([])))]))),
                ("attempt", number("How many were begun.")),
                ("state", word(&["pending", "delivered", "dead"])),
                ("success", flag("")),
                ("status_code", or_null(number("Of the last attempt, if there was an answer."))),
                ("error_message", or_null(text("What was wrong with it otherwise."))),
                ("next_attempt_at", or_null(moment())),
                ("created_at", moment()),
                ("updated_at", moment()),
            ]),
        ),
    ]
}
