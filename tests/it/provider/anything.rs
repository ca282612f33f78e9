//! Claims of any form.

use postern::provider::event::{self, EventType};
use postern::provider::id_jag;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{CLIENT, NOW, PROVIDER, claims, header, signed, token, world};
use crate::world::{ISSUER, block};

fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (NOW - 400..NOW + 400).prop_map(Value::from),
        ".*".prop_map(Value::from),
        prop::sample::select(vec![PROVIDER, ISSUER, CLIENT, "ada@example.com", "+15551234567", event::REVOKED[0]]).prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(".*", inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    // A debug build takes ten milliseconds for a signature.
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn whatever_a_provider_signs_is_judged_without_a_panic(
        names in prop::collection::vec((prop::sample::select(vec![
            "sub", "aud", "client_id", "jti", "iat", "exp", "nbf", "auth_time", "email", "email_verified", "phone_number",
            "phone_number_verified", "amr", "scope", "resource", "name", "events", "sub_id", "nonce", "agent_platform",
        ]), anything()), 0..8),
    ) {
        let world = world();
        let mut claims = claims();
        claims["events"] = json!({ event::REVOKED[0]: {} });
        for (name, value) in names {
            claims[name] = value;
        }
        if let Ok(vouched) = block(id_jag::verify(&signed(&claims), &world.cx(""))) {
            prop_assert!(vouched.email.is_some() || vouched.phone.is_some());
            prop_assert!(!vouched.subject.is_empty() && !vouched.jti.is_empty() && vouched.expires.seconds() > NOW - 60);
        }
        for (typ, kind) in [("secevent+jwt", EventType::SecurityEvent), ("logout+jwt", EventType::Logout)] {
            if let Ok(event) = block(event::verify(&token(super::KEY, &header(typ), &claims), kind, &world.cx(""))) {
                prop_assert!(!event.subject.is_empty() && !event.jti.is_empty() && (event.known || kind == EventType::SecurityEvent));
            }
        }
    }
}
