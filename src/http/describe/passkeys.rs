//! Passkeys, which the script of our own pages uses (WebAuthn level 3).

use serde_json::{Value, json};

use super::operation::Operation;
use super::schema::{list, number, object, open, text, word};
use crate::http::people::passkey::{Add, SignIn};
use crate::oauth::error::ErrorCode;

pub(super) fn operations() -> Vec<Operation> {
    vec![
        script(Operation::post("passkeyOptions", "/login/passkey/options", "Begin a sign-in with a passkey"))
            .gives("RequestOptions", "For navigator.credentials.get()."),
        script(Operation::post("signInWithPasskey", "/login/passkey", "Sign in with a passkey"))
            .json_of::<SignIn>("PasskeySignIn")
            .gives("SignedIn", "Signed in.")
            .refuses(&[ErrorCode::AccessDenied]),
        script(Operation::post("newPasskeyOptions", "/account/passkeys/options", "Begin a new passkey"))
            .security(&["session"])
            .gives("CreationOptions", "For navigator.credentials.create().")
            .refuses(OWNER),
        script(Operation::post("addPasskey", "/account/passkeys", "Add a passkey"))
            .security(&["session"])
            .json_of::<Add>("NewPasskey")
            .empty(204, "It is there.")
            .refuses(OWNER)
            .refuses(&[ErrorCode::AccessDenied]),
    ]
}

/// Whoever changes an account has to have signed in lately.
const OWNER: &[ErrorCode] = &[ErrorCode::Unauthorized, ErrorCode::LoginRequired];

fn script(operation: Operation) -> Operation {
    operation
        .parameter("header", "X-CSRF", text(""), "The value of the page's meta element csrf.")
        .stored()
        .refuses(&[ErrorCode::NotFound, ErrorCode::OriginNotAllowed])
}

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let credential =
        || open(object([("id", text("")), ("rawId", text("")), ("type", word(&["public-key"])), ("response", open(object([])))]));
    let named = || object([("type", word(&["public-key"])), ("id", text(""))]);
    let request = object([
        ("challenge", text("")),
        ("rpId", text("")),
        ("timeout", number("Milliseconds.")),
        ("allowCredentials", list(named())),
        ("userVerification", word(&["required"])),
    ]);
    let creation = object([
        ("rp", object([("id", text("")), ("name", text(""))])),
        ("user", object([("id", text("")), ("name", text("")), ("displayName", text(""))])),
        ("challenge", text("")),
        ("pubKeyCredParams", list(object([("type", word(&["public-key"])), ("alg", json!({ "type": "integer" }))]))),
        ("timeout", number("Milliseconds.")),
        ("excludeCredentials", list(named())),
        ("authenticatorSelection", open(object([]))),
        ("attestation", word(&["none"])),
    ]);
    vec![
        ("RequestOptions", object([("publicKey", request)])),
        ("PasskeySignIn", object([("credential", credential()), ("return_to?", text("A path of ours."))])),
        ("SignedIn", object([("location", text("Where to go on."))])),
        ("CreationOptions", object([("publicKey", creation)])),
        ("NewPasskey", object([("credential", credential()), ("name?", text("What its person calls it."))])),
    ]
}
