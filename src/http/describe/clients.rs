//! Clients register and manage themselves.

use serde_json::{Map, Value, json};

use super::operation::Operation;
use super::schema::{flag, list, loose, named, number, object, open, text, texts, uri, with, word};
use crate::client::written::MEMBERS;
use crate::grant::client::METHODS;
use crate::http::reply::JSON;
use crate::oauth::error::ErrorCode;

/// What is wrong with metadata. A body that is no object is `invalid_client_metadata` here.
const METADATA: &[ErrorCode] = &[ErrorCode::InvalidRedirectUri, ErrorCode::InvalidClientMetadata, ErrorCode::UnsupportedMediaType];

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::post("registerClient", "/oauth2/register", "Register a client (RFC 7591)")
            .about("What cannot be had is left out. Whoever registers the same public metadata is the same client.")
            .aliases(&["/oauth/register", "/register"])
            .stored()
            .limited(201)
            .body(JSON, named("ClientMetadata"), None)
            .answers(201, "Registered: the secret is shown this once.", JSON, named("Client"))
            .refuses(METADATA)
            .refuses(&[ErrorCode::NotFound]),
        managed(Operation::get("readClient", ONE, "Look at a registration (RFC 7592)")).gives("Client", "As it is."),
        managed(Operation::put("replaceClient", ONE, "Replace a registration"))
            .body(JSON, named("ClientReplacement"), None)
            .gives("Client", "As it is now.")
            .refuses(METADATA)
            .refuses(&[ErrorCode::MethodNotAllowed]),
        managed(Operation::delete("deleteClient", ONE, "End a registration"))
            .empty(204, "It is gone.")
            .refuses(&[ErrorCode::MethodNotAllowed]),
    ]
}

const ONE: &str = "/oauth2/register/{client_id}";

fn managed(operation: Operation) -> Operation {
    operation
        .about("A public client is shared by all who register the same: nobody can change it.")
        .security(&["registration"])
        .parameter("path", "client_id", text(""), "The client.")
        .stored()
        .refuses(&[ErrorCode::InvalidToken])
}

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let client_id = || [("client_id".to_owned(), text(""))];
    let answer = [
        ("client_id_issued_at", number("")),
        ("client_secret", text("")),
        ("client_secret_expires_at", number("0 for never.")),
        ("registration_client_uri", uri("")),
        ("registration_access_token", text("Manages the registration.")),
    ];
    let trusted = || [("trusted".to_owned(), flag("People are not asked whether they consent."))];
    let answer: Vec<(String, Value)> = client_id().into_iter().chain(answer.map(|(name, schema)| (name.to_owned(), schema))).collect();
    let required = json!(["client_id", "client_id_issued_at", "token_endpoint_auth_method", "grant_types"]);
    let secret = || [("client_secret".to_owned(), text("The present one, to keep it."))];
    vec![
        ("ClientMetadata", open(negotiated(metadata([])))),
        ("ClientReplacement", open(with(negotiated(metadata(client_id().into_iter().chain(secret()))), "required", json!(["client_id"])))),
        ("Client", with(metadata(answer.clone()), "required", required.clone())),
        ("OperatorClientMetadata", metadata(trusted())),
        ("OperatorClient", with(metadata(answer.into_iter().chain(trusted())), "required", required)),
    ]
}

/// An object with the members of RFC 7591, and these.
fn metadata(more: impl IntoIterator<Item = (String, Value)>) -> Value {
    let mut object = object([]);
    let members: Map<String, Value> = members().into_iter().chain(more).collect();
    if let Value::Object(fields) = &mut object {
        fields.insert("properties".to_owned(), members.into());
    }
    object
}

/// Members of another type are as good as absent.
fn negotiated(mut object: Value) -> Value {
    if let Some(Value::Object(members)) = object.get_mut("properties") {
        members.values_mut().for_each(|member| *member = loose(member.take()));
    }
    object
}

/// The members that metadata has.
fn members() -> Map<String, Value> {
    MEMBERS.into_iter().map(|name| (name.to_owned(), member(name))).collect()
}

fn member(name: &str) -> Value {
    match name {
        "token_endpoint_auth_method" => word(&METHODS),
        "redirect_uris" | "post_logout_redirect_uris" => list(uri("")),
        "grant_types" | "response_types" | "contacts" => texts(),
        "jwks" => open(json!({ "type": "object" })),
        "backchannel_logout_session_required" | "dpop_bound_access_tokens" | "require_auth_time" => flag(""),
        "default_max_age" => number("Seconds."),
        name if name.ends_with("_uri") => uri(""),
        _ => text(""),
    }
}
