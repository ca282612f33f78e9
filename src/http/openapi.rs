//! `/openapi.json`: the file that [`describe`](super) writes, and the error codes from their own table.

use serde_json::json;

use crate::oauth::error::ErrorCode;

/// The description, without the error codes.
const FILE: &str = include_str!("../../static/openapi.json");
/// What a browser may do with the page of it: its script reads the file, and nothing comes from elsewhere.
pub(super) const PAGE_HEADERS: [(&str, &str); 3] = [
    (
        "content-security-policy",
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("referrer-policy", "no-referrer"),
    ("x-frame-options", "DENY"),
];
/// What stands in the file in place of the error codes.
pub(super) const CODES: &str = "$codes";

/// The description.
pub(super) fn description() -> Vec<u8> {
    served(FILE)
}

/// `file` with the error codes, which are in the worker already.
pub(super) fn served(file: &str) -> Vec<u8> {
    let names: Vec<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    let words = ErrorCode::ALL.iter().map(|code| format!("- `{}` ({}): {}", code.as_str(), code.status(), code.description()));
    let schema = json!({ "type": "string", "enum": names, "description": words.collect::<Vec<_>>().join("\n") });
    file.replace(&format!("\"{CODES}\""), &schema.to_string()).into_bytes()
}
