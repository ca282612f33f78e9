//! For whoever runs the deployment.

use serde_json::{Value, json};

use super::operation::Operation;
use super::schema::{list, moment, named, number, object, or_null, text, with, word};
use crate::http::operator::{End, Revoke, Whom};
use crate::http::reply::JSON;
use crate::oauth::error::ErrorCode;

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::get("listKeys", "/operator/keys", "Signing keys").operators().stored().gives("Keys", "The keys."),
        Operation::post("rotateKeys", "/operator/keys/rotate", "Bring in new signing keys").operators().stored().gives("Keys", "The keys."),
        Operation::post("revokeKey", "/operator/keys/revoke", "End a signing key")
            .about("All that it signed ends with it.")
            .operators()
            .stored()
            .json_of::<Revoke>("KeyToRevoke")
            .gives("Keys", "The keys that are left.")
            .refuses(&[ErrorCode::NotFound]),
        Operation::post("endRegistration", "/operator/registrations/revoke", "End an agent's registration")
            .operators()
            .stored()
            .json_of::<End>("RegistrationToEnd")
            .gives("RegistrationEnded", "It is over.")
            .refuses(&[ErrorCode::NotFound]),
        people("suspendPerson", "/operator/people/suspend", "Bar a person").about("Their sessions end, and their agents rest."),
        people("resumePerson", "/operator/people/resume", "Let a person in again"),
        people("erasePerson", "/operator/people/erase", "Forget a person").about("Their agents end."),
        Operation::get("listClients", "/operator/clients", "Clients that the operator made")
            .operators()
            .stored()
            .gives("Clients", "The clients."),
        Operation::post("makeClient", "/operator/clients", "Make a client")
            .operators()
            .stored()
            .body(JSON, named("OperatorClientMetadata"), None)
            .answers(201, "Made: the secret is shown this once.", JSON, named("OperatorClient"))
            .refuses(&[ErrorCode::InvalidClientMetadata, ErrorCode::InvalidRequest, ErrorCode::UnsupportedMediaType])
            .with_members(400, object([("faults?", with(list(text("")), "description", "Every member that cannot be used, and why."))])),
        client(Operation::get("readOperatorClient", CLIENT, "Look at a client")).gives("OperatorClient", "As it is."),
        client(Operation::delete("deleteOperatorClient", CLIENT, "End a client")).empty(204, "It is gone."),
        traces(Operation::get("listTraces", "/operator/traces", "What clients did on their way in"))
            .also_pages()
            .query("client_id", text(""), "Part of a client's id or name.")
            .query("outcome", text(""), "How they ended: started, token_issued, connected, failed.")
            .query("before", text(""), "Milliseconds, as in `next`.")
            .refuses(&[ErrorCode::InvalidRequest])
            .gives("Traces", "The newest fifty.")
            .page(200, "The newest fifty, and `next` for those before; a page for who asks for text/html."),
        traces(Operation::get("readTrace", "/operator/traces/{trace}", "One of them"))
            .also_pages()
            .parameter("path", "trace", text(""), "Its name, which pages show as a reference.")
            .gives("Trace", "Its steps.")
            .page(200, "Its steps; a page for who asks for text/html.")
            .refuses(&[ErrorCode::NotFound]),
        traces(Operation::post("openTraces", "/operator/traces", "The operator's key, typed in a browser"))
            .also_pages()
            .form(object([("csrf", text("")), ("key?", text("")), ("leave?", text(""))]))
            .redirect(303, "On to the list.")
            .refuses(&[ErrorCode::OriginNotAllowed]),
    ]
}

const CLIENT: &str = "/operator/clients/{client_id}";

fn client(operation: Operation) -> Operation {
    operation.operators().stored().parameter("path", "client_id", text(""), "The client.").refuses(&[ErrorCode::NotFound])
}

fn traces(operation: Operation) -> Operation {
    operation.operators().stored()
}

fn people(id: &'static str, path: &'static str, summary: &'static str) -> Operation {
    Operation::post(id, path, summary)
        .operators()
        .stored()
        .json_of::<Whom>("Whom")
        .gives("PersonChanged", "It is done.")
        .refuses(&[ErrorCode::NotFound])
}

fn outcome() -> Value {
    word(&["started", "token_issued", "connected", "failed"])
}

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    vec![
        ("Keys", object([("keys", list(key()))])),
        ("KeyToRevoke", object([("kid", text(""))])),
        ("RegistrationToEnd", object([("registration_id", text(""))])),
        ("RegistrationEnded", object([("registration_id", text("")), ("status", word(&["revoked"]))])),
        ("Whom", object([("email?", text("")), ("account?", text(""))])),
        (
            "PersonChanged",
            object([
                ("account", text("")),
                ("status", word(&["suspended", "active", "erased"])),
                ("agents", number("How many it concerns.")),
                ("clients", number("How many it concerns.")),
            ]),
        ),
        ("Clients", object([("clients", list(object([("client_id", text("")), ("client_name", text(""))])))])),
        (
            "Traces",
            object([
                ("traces", list(summary())),
                ("not_kept", number("Steps that were too many to be kept.")),
                ("next", or_null(json!({ "type": "string", "format": "uri-reference" }))),
            ]),
        ),
        ("Trace", trace()),
    ]
}

fn key() -> Value {
    object([
        ("kid", text("")),
        ("alg", word(&["ES256", "RS256"])),
        ("state", word(&["signing", "next", "verifying"])),
        ("signs_from", or_null(moment())),
        ("verifies_until", or_null(moment())),
    ])
}

fn summary() -> Value {
    object([
        ("trace", text("")),
        ("client_id", or_null(text(""))),
        ("client_name", or_null(text(""))),
        ("network", text("")),
        ("attempts", number("")),
        ("began", or_null(moment())),
        ("at", or_null(moment())),
        ("outcome", outcome()),
        ("error", or_null(text("The check that failed."))),
    ])
}

fn trace() -> Value {
    let sent = object([("name", text("")), ("value?", text("If it may be shown.")), ("length?", number("If it may not."))]);
    let step = object([
        ("at", or_null(moment())),
        ("last?", or_null(moment())),
        ("step", text("")),
        ("result", word(&["done", "pending", "failed"])),
        ("status", number("")),
        ("times", number("")),
        ("sent", list(sent)),
        ("error?", text("The code.")),
        ("check?", text("What failed.")),
        ("expected?", text("What would have been right.")),
        ("hint?", text("What to do.")),
    ]);
    let attempt = object([
        ("attempt", or_null(number(""))),
        ("began", or_null(moment())),
        ("outcome", outcome()),
        ("error", or_null(text(""))),
        ("steps", list(step)),
    ]);
    object([
        ("trace", text("")),
        ("client_id", or_null(text(""))),
        ("client_name", or_null(text(""))),
        ("network", text("")),
        ("attempts", list(attempt)),
        ("steps_not_kept", number("")),
    ])
}
