//! Clients that the operator has written down (`CLIENTS`).

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::{Map, Value};

use crate::client::{Client, Kept, Source, Terms, written};
use crate::id::PREFIXES;

/// By `client_id`.
pub type Clients = BTreeMap<String, Rc<Client>>;

/// Reads the list. What is wrong with it comes back beside it, a line a fault.
pub(super) fn read(entries: Vec<Value>, terms: &Terms<'_>) -> (Clients, Vec<String>) {
    let (mut clients, mut faults) = (Clients::new(), Vec::new());
    for (index, entry) in entries.into_iter().enumerate() {
        let Value::Object(fields) = entry else {
            faults.push(format!("entry {} is not an object", index + 1));
            continue;
        };
        let name = match fields.get("client_id").and_then(Value::as_str) {
            Some(id) if is_id(id) => id.to_owned(),
            _ => {
                faults
                    .push(format!("entry {}: client_id must be 1 to 128 letters, digits and ._~- of your own, and no address", index + 1));
                continue;
            }
        };
        match client(&name, &fields, terms) {
            Ok(client) => {
                if clients.insert(name.clone(), Rc::new(client)).is_some() {
                    faults.push(format!("{name} is there twice"));
                }
            }
            Err(wrong) => faults.extend(wrong.into_iter().map(|fault| format!("{name}: {fault}"))),
        }
    }
    (clients, faults)
}

fn client(id: &str, fields: &Map<String, Value>, terms: &Terms<'_>) -> Result<Client, Vec<String>> {
    let written::Written { metadata, trusted } = written::read(fields, &["client_id", "client_secret_sha256"], terms)?;
    let digest = fields.get("client_secret_sha256").map(|digest| digest.as_str().and_then(bytes));
    let secret = match digest {
        None => Kept::Nothing,
        Some(Some(digest)) => Kept::Sha256(digest),
        Some(None) => return Err(vec!["client_secret_sha256: must be a SHA-256 in hex".to_owned()]),
    };
    match (metadata.has_secret(), &secret) {
        (true, Kept::Nothing) => {
            Err(vec!["client_secret_sha256: must be set, unless token_endpoint_auth_method is none or private_key_jwt".to_owned()])
        }
        (false, Kept::Sha256(_)) => Err(vec!["client_secret_sha256: the client's token_endpoint_auth_method knows no secret".to_owned()]),
        _ => Ok(Client { id: id.to_owned(), source: Source::Configured, metadata, secret, trusted }),
    }
}

/// Not one that we could make for anything, nor that of a document: it stands in `sub` of the client's own tokens, where people stand too.
fn is_id(id: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._~-".contains(&byte);
    (1..=128).contains(&id.len()) && id.bytes().all(legal) && !PREFIXES.iter().any(|ours| id.starts_with(ours))
}

/// The 32 bytes of a SHA-256 in hex.
pub(super) fn bytes(digest: &str) -> Option<[u8; 32]> {
    let byte = |at: usize| digest.get(2 * at..2 * at + 2).and_then(|hex| u8::from_str_radix(hex, 16).ok());
    let bytes: Vec<u8> = (0..32).map(byte).collect::<Option<_>>()?;
    bytes.try_into().ok().filter(|_| digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::client::AuthMethod;
    use crate::config::reader::sha256;
    use crate::master::{Master, Masters, hex};
    use crate::provider::guard::NamedBy;

    fn read(entries: Value) -> (Clients, Vec<String>) {
        let scopes = "api.read".parse().unwrap();
        let terms = Terms { scopes: &scopes, named_by: NamedBy::Operator, secrets: true, development: false };
        let Value::Array(entries) = entries else { panic!("a list is a list") };
        super::read(entries, &terms)
    }

    fn entry(more: Value) -> Value {
        let mut entry = json!({ "client_id": "portal", "client_name": "Portal", "redirect_uris": ["https://portal.example.com/cb"] });
        entry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        entry
    }

    #[test]
    fn three_kinds_of_clients_can_be_written() {
        let digest = hex(&sha256("a secret of the operator"));
        let (clients, faults) = read(json!([
            entry(json!({ "client_secret_sha256": digest, "scope": "api.read", "trusted": true })),
            entry(json!({ "client_id": "public", "token_endpoint_auth_method": "none" })),
            entry(
                json!({ "client_id": "signs", "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://a.example.com/jwks" })
            ),
        ]));
        assert_eq!(faults, Vec::<String>::new());
        let masters = Masters { current: Master::derive(b"x"), previous: None };
        let portal = &clients["portal"];
        assert!(portal.is_secret("a secret of the operator", &masters) && !portal.is_secret("another", &masters));
        assert_eq!((portal.source, portal.trusted, portal.metadata.token_endpoint_auth_method), (Source::Configured, true, None));
        assert_eq!(portal.ceiling(), "api.read".parse().ok());
        assert_eq!(clients["public"].metadata.token_endpoint_auth_method, Some(AuthMethod::None));
        assert!(!clients["public"].is_secret("", &masters));
        assert_eq!(clients["public"].ceiling(), None);
        assert!(!clients["signs"].metadata.has_secret());
    }

    #[test]
    fn each_fault_is_found() {
        let digest = hex(&sha256("x"));
        let none = json!({ "token_endpoint_auth_method": "none" });
        let (_, faults) = read(json!([
            7,
            {},
            entry(json!({ "client_id": "https://a.example.com/client.json" })),
            entry(json!({ "client_id": "cli_0" })),
            entry(json!({ "client_id": "acc_0" })),
            entry(json!({ "client_id": "gnt_0" })),
            entry(json!({ "client_id": "a", "scope": "admin" })),
            entry(json!({ "client_id": "b", "token_endpoint_auth_method": "none", "client_secret_sha256": digest })),
            entry(json!({ "client_id": "c" })),
            entry(json!({ "client_id": "d", "client_secret_sha256": "x" })),
            entry(none.clone()),
            entry(none),
        ]));
        let begin = [
            "entry 1 is not",
            "entry 2: client_id",
            "entry 3: client_id",
            "entry 4: client_id",
            "entry 5: client_id",
            "entry 6: client_id",
            "a: scope",
            "b: client_secret_sha256",
            "c: client_secret_sha256",
            "d: client_secret_sha256",
            "portal is there twice",
        ];
        assert_eq!(faults.len(), begin.len(), "{faults:?}");
        for (fault, begin) in faults.iter().zip(begin) {
            assert!(fault.starts_with(begin), "{fault} {begin}");
        }
    }
}
