//! What a browser is given (sections 5.4 and 5.5): `PublicKeyCredential.parseCreationOptionsFromJSON()` and
//! `parseRequestOptionsFromJSON()` read it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::cose::ALGORITHMS;
use crate::time::Ttl;

/// How long the browser waits for the person, and the least that the challenge has to last.
pub const TIMEOUT: Ttl = Ttl::from_millis(300_000);

/// `PublicKeyCredentialCreationOptionsJSON`: a passkey that is found without a name and verifies its person.
///
/// `challenge` is base64url of 16 bytes or more. `user_handle` is what a sign-in will bring back: 64 bytes at most, the same for
/// every passkey of the account, and nothing personal (section 14.6.1). `user_name` is what the person sees when choosing.
/// `exclude` are the credential ids that the account has, base64url.
#[must_use]
pub fn creation_options(challenge: &str, rp_id: &str, rp_name: &str, user_handle: &str, user_name: &str, exclude: &[String]) -> Value {
    json!({
        "rp": { "id": rp_id, "name": rp_name },
        "user": { "id": URL_SAFE_NO_PAD.encode(user_handle), "name": user_name, "displayName": user_name },
        "challenge": challenge,
        "pubKeyCredParams": ALGORITHMS.map(|alg| json!({ "type": "public-key", "alg": alg })),
        "timeout": TIMEOUT.millis(),
        "excludeCredentials": exclude.iter().map(|id| json!({ "type": "public-key", "id": id })).collect::<Vec<_>>(),
        "authenticatorSelection": { "residentKey": "required", "requireResidentKey": true, "userVerification": "required" },
        "attestation": "none",
    })
}

/// `PublicKeyCredentialRequestOptionsJSON`: any passkey of this RP id, so that nobody has to say who they are first.
///
/// `challenge` is base64url of 16 bytes or more.
#[must_use]
pub fn request_options(challenge: &str, rp_id: &str) -> Value {
    json!({
        "challenge": challenge,
        "rpId": rp_id,
        "timeout": TIMEOUT.millis(),
        "allowCredentials": [],
        "userVerification": "required",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passkey_is_asked_for_that_verifies_its_person() {
        let options = creation_options("Y2hhbGxlbmdl", "auth.example", "Auth", "acc_1", "ann@example.org", &["AQI".to_owned()]);
        let expected = json!({
            "rp": { "id": "auth.example", "name": "Auth" },
            "user": { "id": "YWNjXzE", "name": "ann@example.org", "displayName": "ann@example.org" },
            "challenge": "Y2hhbGxlbmdl",
            "pubKeyCredParams": [
                { "type": "public-key", "alg": -7 }, { "type": "public-key", "alg": -8 }, { "type": "public-key", "alg": -257 }
            ],
            "timeout": 300_000,
            "excludeCredentials": [{ "type": "public-key", "id": "AQI" }],
            "authenticatorSelection": { "residentKey": "required", "requireResidentKey": true, "userVerification": "required" },
            "attestation": "none",
        });
        assert_eq!(options, expected);
    }

    #[test]
    fn a_sign_in_names_nobody() {
        let expected = json!({
            "challenge": "Y2hhbGxlbmdl", "rpId": "auth.example", "timeout": 300_000, "allowCredentials": [], "userVerification": "required"
        });
        assert_eq!(request_options("Y2hhbGxlbmdl", "auth.example"), expected);
    }
}
