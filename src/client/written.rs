//! Clients that the operator writes, in `CLIENTS` or at `/operator/clients`. An operator is told what is wrong rather than given less.

use serde_json::{Map, Value};

use super::metadata::Metadata;
use super::terms::Terms;
use crate::oauth::redirect::{self, Kind};
use crate::oauth::scope::Scope;

/// What an operator has written of a client.
#[derive(Debug)]
pub struct Written {
    /// What it is.
    pub metadata: Metadata,
    /// People are not asked for consent.
    pub trusted: bool,
}

/// Every member that [`Metadata`] has.
pub(crate) const MEMBERS: [&str; 26] = [
    "redirect_uris",
    "token_endpoint_auth_method",
    "grant_types",
    "response_types",
    "client_name",
    "client_uri",
    "logo_uri",
    "tos_uri",
    "policy_uri",
    "scope",
    "contacts",
    "jwks_uri",
    "jwks",
    "software_id",
    "software_version",
    "application_type",
    "subject_type",
    "sector_identifier_uri",
    "id_token_signed_response_alg",
    "post_logout_redirect_uris",
    "backchannel_logout_uri",
    "backchannel_logout_session_required",
    "dpop_bound_access_tokens",
    "default_max_age",
    "require_auth_time",
    "token_endpoint_auth_signing_alg",
];

/// Reads `fields`; members of `more` are somebody else's.
///
/// # Errors
/// Everything that is wrong, a line a fault.
pub fn read(fields: &Map<String, Value>, more: &[&str], terms: &Terms<'_>) -> Result<Written, Vec<String>> {
    let mut faults: Vec<String> = fields
        .keys()
        .filter(|name| !MEMBERS.contains(&name.as_str()) && !more.contains(&name.as_str()) && *name != "trusted")
        .map(|name| format!("{name}: there is no such member"))
        .collect();
    if fields.get("client_name").and_then(Value::as_str).is_none_or(|name| name.trim().is_empty()) {
        faults.push("client_name: must not be empty".to_owned());
    }
    let trusted = fields.get("trusted").is_some_and(|trusted| trusted == true);
    if fields.get("trusted").is_some_and(|trusted| !trusted.is_boolean()) {
        faults.push("trusted: must be true or false".to_owned());
    }
    match Metadata::negotiate(fields, terms) {
        Ok(metadata) => {
            let accepted = Map::from(metadata.clone());
            let lost = MEMBERS.iter().filter(|name| fields.get(**name).is_some_and(|asked| !is_kept(name, asked, accepted.get(**name))));
            faults.extend(lost.map(|name| format!("{name}: cannot be used as it is")));
            // Whoever answers at such an address on a person's device could be anybody (RFC 8252, section 8.6).
            if trusted && metadata.redirect_uris.iter().any(|uri| redirect::kind(uri) != Some(Kind::Https)) {
                faults.push("trusted: needs redirect_uris that are all https".to_owned());
            }
            if faults.is_empty() { Ok(Written { metadata, trusted }) } else { Err(faults) }
        }
        Err(unusable) => {
            faults.push(unusable.to_string());
            Err(faults)
        }
    }
}

fn is_kept(name: &str, asked: &Value, kept: Option<&Value>) -> bool {
    let scope = |value: &Value| value.as_str().and_then(|text| text.parse::<Scope>().ok());
    match kept {
        Some(kept) if name == "scope" => scope(asked) == scope(kept),
        Some(kept) if name == "client_name" => asked.as_str().map(str::trim) == kept.as_str(),
        Some(kept) => asked == kept,
        // What is false or empty is not written down.
        None => *asked == false || asked.as_array().is_some_and(Vec::is_empty),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::provider::guard::NamedBy;

    fn faults(more: Value) -> Vec<String> {
        let mut fields = json!({ "client_id": "x", "client_name": "Mine", "redirect_uris": ["https://a.example.com/cb"] });
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let scopes = "api.read api.write".parse().unwrap();
        let terms = Terms { scopes: &scopes, named_by: NamedBy::Operator, secrets: true, development: false };
        read(fields.as_object().unwrap(), &["client_id"], &terms).err().unwrap_or_default()
    }

    #[test]
    fn every_member_is_known() {
        let full = json!({
            "token_endpoint_auth_method": "client_secret_post", "grant_types": ["authorization_code", "client_credentials"],
            "response_types": ["code"], "client_uri": "https://a.example.com:8443/", "scope": "openid api.write", "contacts": ["ada@example.com"],
            "subject_type": "pairwise", "dpop_bound_access_tokens": false, "require_auth_time": true, "post_logout_redirect_uris": [],
            "default_max_age": 60, "trusted": true, "client_name": " Mine ",
        });
        assert_eq!(faults(full), Vec::<String>::new());
        let metadata: Metadata =
            serde_json::from_value(MEMBERS.iter().map(|name| ((*name).to_owned(), json!("x"))).collect::<Map<_, _>>().into()).unwrap();
        let texts = Map::from(metadata).len();
        assert_eq!(texts, MEMBERS.len() - 5, "all but the method, the age and the three switches take any text");
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let wrong = json!({
            "redirect_uri": "https://a.example.com", "grant_types": ["authorization_code", "password"], "scope": "admin",
            "redirect_uris": ["https://a.example.com/cb", "http://a.example.com/cb"], "trusted": 1, "client_name": " ", "logo_uri": "x",
            "default_max_age": "60", "token_endpoint_auth_method": "nothing",
        });
        let faults = faults(wrong);
        for name in [
            "redirect_uri:",
            "redirect_uris:",
            "grant_types:",
            "scope:",
            "trusted:",
            "client_name:",
            "logo_uri:",
            "default_max_age:",
            "token_endpoint_auth_method:",
        ] {
            assert!(faults.iter().any(|fault| fault.starts_with(name)), "{name} {faults:?}");
        }
    }

    #[test]
    fn nobody_is_trusted_at_an_address_that_anybody_can_take() {
        assert!(faults(json!({ "trusted": true })).is_empty());
        for uri in ["http://localhost/cb", "com.example.app:/cb"] {
            assert_eq!(faults(json!({ "trusted": true, "redirect_uris": [uri] })).len(), 1, "{uri}");
            assert!(faults(json!({ "redirect_uris": [uri] })).is_empty());
        }
        assert_eq!(faults(json!({ "redirect_uris": [] })), ["no usable redirect URI"]);
    }
}
