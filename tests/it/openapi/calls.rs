//! Every operation is asked for: with what says nothing, while nothing works, and with what is taken.

use std::collections::BTreeSet;

use super::{FORM, operations};
use crate::world::World;

/// Settings under which much is off, and much is on.
const DEPLOYMENTS: [&[(&str, &str)]; 3] = [
    &[],
    &[("IDENTITY_TYPES", "none"), ("AUTH_MD_DIALECTS", "none"), ("MAIL", "none"), ("CLIENTS_PER_HOUR", "0"), ("OPENID_CONNECT", "off")],
    &[
        ("TRUSTED_PROVIDERS", r#"[{"issuer":"https://agents.example.com","name":"Example Agents"}]"#),
        ("UPSTREAM_PROVIDERS", r#"[{"issuer":"https://id.example.com","name":"Example ID","client_id":"postern"}]"#),
        ("SERVICE_LOGO", "https://example.com/logo.svg"),
        ("DPOP_NONCE", "required"),
        ("TRACE", "off"),
    ],
];

/// The path with something in place of its parameters.
fn filled(path: &str) -> String {
    path.split('/').map(|part| if part.starts_with('{') { "1" } else { part }).collect::<Vec<_>>().join("/")
}

/// Asks for all of them, in every way that is easily wrong.
fn ask_for_everything(world: &World) {
    let credentials = ["", "Bearer x", "Bearer operator-operator-operator-operator", "Basic eDp5", "DPoP x", "?"];
    let agent = r#"{"type":"anonymous","claim_token":"x","kid":"x","email":"nobody@example.com"}"#;
    let bodies = [
        ("", ""),
        ("application/json", ""),
        ("application/json", "{}"),
        ("application/json", "[1]"),
        ("application/json", agent),
        (FORM, ""),
        (FORM, "x=1&x=2"),
        (FORM, "client_id=x&token=x&grant_type=refresh_token&refresh_token=x"),
        ("application/secevent+jwt", "x"),
        ("application/logout+jwt", "x"),
        ("text/plain", "{}"),
    ];
    for (method, path, _) in operations() {
        for credential in credentials {
            for (kind, body) in bodies {
                if !(kind.is_empty() && body.is_empty()) && (method == "GET" || !credential.is_empty() && !credential.ends_with("operator"))
                {
                    continue;
                }
                let mut headers = vec![("accept", if body.is_empty() { "text/html" } else { "*/*" })];
                headers.extend([("authorization", credential), ("content-type", kind)].into_iter().filter(|(_, value)| !value.is_empty()));
                world.send("192.0.2.1", method, &filled(path), &headers, body);
            }
        }
        for (name, value) in [("dpop", "x"), ("origin", "https://evil.example"), ("if-none-match", "*"), ("cookie", "postern_session=x")] {
            world.send("192.0.2.1", method, &filled(path), &[(name, value)], "");
        }
        let long = http::Request::builder().method(method).uri(filled(path)).body(Err(postern::http::TooLong)).unwrap();
        if method != "GET" && method != "DELETE" {
            world.raw(long);
        }
    }
}

fn all() -> BTreeSet<String> {
    operations().map(|(.., operation)| operation["operationId"].as_str().unwrap().to_owned()).collect()
}

/// The comparison itself is in [`World`].
#[test]
fn every_described_operation_answers_and_refuses_as_described() {
    for settings in DEPLOYMENTS {
        let world = World::new(settings);
        ask_for_everything(&world);
        let met: BTreeSet<String> = world.met.borrow().iter().map(|(name, _)| name.clone()).collect();
        assert_eq!(met, all());
    }
}

#[test]
fn an_outage_is_answered_as_described() {
    let kinds = ["directory", "tell", "mail", postern::account::KIND].into_iter();
    for settings in DEPLOYMENTS {
        let world = World::new(settings);
        *world.platform.lost.borrow_mut() =
            kinds.clone().chain(postern::machine::registry::ALL.iter().map(|machine| machine.kind)).collect();
        ask_for_everything(&world);
    }
}
