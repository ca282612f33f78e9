//! A token for a narrower one.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{ACCESS, API, Agent, EXCHANGE, JWT, agent, exchange, got, is, mcp, payload, world};
use crate::person::{Person, page};
use crate::provider::Key;
use crate::world::World;

#[test]
fn it_carries_no_more_and_ends_no_later() {
    let world = world();
    let agent = agent(&world);
    let subject = agent.token(&world, &[("scope", "api.read api.write")]);
    world.later(100);
    let answer = exchange(&world, &subject, &[]);
    let body = answer.json();
    assert_eq!(
        (&body["issued_token_type"], &body["token_type"], &body["scope"]),
        (&json!(ACCESS), &json!("Bearer"), &json!("api.read api.write"))
    );
    assert_eq!(body["expires_in"], 800);
    assert!(body.get("refresh_token").is_none());
    let (before, after) = (payload(&subject), payload(&got(&answer)));
    for same in ["iss", "sub", "client_id", "aud", "registration", "generation", "credential", "exp"] {
        assert_eq!(before[same], after[same], "{same}");
    }
    assert!(before["jti"] != after["jti"] && before["status"] != after["status"] && after.get("act").is_none());
    assert_eq!(after["origins"], json!([{ "jti": before["jti"], "iat": before["iat"] }]));
    assert_eq!(world.call(&got(&answer)), 200);

    let narrower = exchange(&world, &subject, &[("scope", "api.read"), ("requested_token_type", JWT)]);
    assert_eq!((narrower.text("scope"), narrower.text("issued_token_type")), ("api.read".to_owned(), JWT.to_owned()));
    is(&exchange(&world, &got(&narrower), &[("scope", "api.read api.write")]), 400, "invalid_scope");
    assert_eq!(exchange(&world, &got(&narrower), &[]).text("scope"), "api.read", "what was given up is not to be had again");
    for wider in ["api.admin", "api.read api.admin", "unknown"] {
        is(&exchange(&world, &subject, &[("scope", wider)]), 400, "invalid_scope");
    }
}

#[test]
fn only_access_tokens_of_ours_that_count_are_exchanged() {
    let world = world();
    let agent = agent(&world);
    let subject = agent.token(&world, &[]);
    let identity = world.json("/agent/identity", &json!({ "type": "anonymous" })).text("identity_assertion");
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(subject.split('.').next().unwrap()).unwrap()).unwrap();
    let foreign = crate::provider::token(Key::Es256(5), &header, &payload(&subject));
    let refresh = refresh_token(&world);
    let unsigned = format!("{}.", subject.rsplit_once('.').unwrap().0);
    for wrong in [identity.as_str(), &agent.key, &foreign, &refresh, &unsigned, "a.b.c", "x"] {
        is(&exchange(&world, wrong, &[]), 400, "invalid_request");
        let actor = [("actor_token", wrong), ("actor_token_type", ACCESS)];
        is(&exchange(&world, &subject, &actor), 400, "invalid_request");
    }
    for typ in ["refresh_token", "id_token", "saml1", "saml2", "unknown"] {
        let typ = format!("urn:ietf:params:oauth:token-type:{typ}");
        for name in ["subject_token_type", "requested_token_type", "actor_token_type"] {
            let mut fields = vec![("grant_type", EXCHANGE), ("subject_token", subject.as_str()), ("actor_token", subject.as_str())];
            fields.extend([("subject_token_type", ACCESS), ("actor_token_type", ACCESS)].into_iter().filter(|(known, _)| *known != name));
            fields.push((name, &typ));
            is(&world.form("/oauth2/token", &fields), 400, "invalid_request");
        }
    }
    let grant = ("grant_type", EXCHANGE);
    let (token, typ) = (("subject_token", subject.as_str()), ("subject_token_type", ACCESS));
    for fields in [
        vec![grant],
        vec![grant, token],
        vec![grant, typ],
        vec![grant, token, typ, ("actor_token", subject.as_str())],
        vec![grant, token, typ, ("actor_token_type", ACCESS)],
        vec![grant, token, typ, typ],
    ] {
        is(&world.form("/oauth2/token", &fields), 400, "invalid_request");
    }
    world.later(900);
    is(&exchange(&world, &subject, &[]), 400, "invalid_request");
}

fn refresh_token(world: &World) -> String {
    let service = world.json("/agent/identity", &json!({ "type": "service_auth", "login_hint": "ada@example.com" })).json();
    let mut ada = Person::sign_in(world, "ada@example.com");
    ada.get(&page(service["claim"]["verification_uri"].as_str().unwrap()));
    let code = service["claim"]["user_code"].as_str().unwrap();
    ada.post("/agent/identity/claim/complete", &[("user_code", code)]);
    let claim = "urn:workos:agent-auth:grant-type:claim";
    let token = service["claim"]["token"].as_str().unwrap();
    let answer = world.form("/oauth2/token", &[("grant_type", claim), ("claim_token", token)]);
    answer.json()["identity"]["refresh_token"]["value"].as_str().unwrap().to_owned()
}

#[test]
fn for_another_resource_its_own_client_has_to_ask() {
    let world = world();
    let (one, other) = (agent(&world), agent(&world));
    let subject = one.token(&world, &[]);
    let key = [("client_secret", one.key.as_str())];
    for name in ["resource", "audience"] {
        is(&exchange(&world, &subject, &[(name, "https://foreign.example.com")]), 400, "invalid_target");
        assert_eq!(payload(&got(&exchange(&world, &subject, &[(name, &mcp())])))["aud"], json!(mcp()));
        // Whoever was shown the token has it.
        is(&exchange(&world, &subject, &[(name, API)]), 400, "invalid_target");
        let answer = exchange(&world, &subject, &[&key[..], &[(name, API)]].concat());
        assert_eq!((payload(&got(&answer))["aud"].clone(), answer.text("scope")), (json!(API), "api.read".to_owned()));
        assert_eq!(world.call(&got(&answer)), 401, "it is not for us");
        is(&exchange(&world, &subject, &[&key[..], &[(name, API), ("scope", "api.write")]].concat()), 400, "invalid_scope");
    }
    is(&exchange(&world, &subject, &[&key[..], &[("resource", API), ("audience", &mcp())]].concat()), 400, "invalid_target");
    assert_eq!(exchange(&world, &subject, &[&key[..], &[("resource", API), ("audience", API)]].concat()).status(), 200);
    is(&exchange(&world, &subject, &[("resource", API), ("resource", API)]), 400, "invalid_target");

    // A token shows no more than that somebody has it.
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(super::fields(&subject, &[("resource", API)])).finish();
    let bearer = format!("Bearer {subject}");
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("authorization", bearer.as_str())];
    is(&world.send("192.0.2.1", "POST", "/oauth2/token", &headers, &body), 400, "invalid_target");
    is(&exchange(&world, &subject, &[("client_secret", &subject), ("resource", API)]), 400, "invalid_target");
    assert_eq!(exchange(&world, &subject, &[("client_id", &one.id)]).status(), 200);

    is(&exchange(&world, &subject, &[("client_secret", &other.key)]), 400, "invalid_request");
    is(&exchange(&world, &subject, &[("client_id", &other.id)]), 400, "invalid_request");
    is(&exchange(&world, &subject, &[("client_secret", "wrong")]), 401, "invalid_client");
}

#[test]
fn it_ends_with_what_it_came_from() {
    for (name, end) in [
        (
            "the token itself",
            Box::new(|world: &World, _: &Agent, subject: &str| drop(world.form("/oauth2/revoke", &[("token", subject)])))
                as Box<dyn Fn(&World, &Agent, &str)>,
        ),
        ("its key", Box::new(|world, agent, _| drop(world.form("/oauth2/revoke", &[("token", &agent.key)])))),
        (
            "its agent",
            Box::new(|world, agent, _| {
                let body = json!({ "registration_id": agent.id }).to_string();
                let headers = [("authorization", "Bearer operator-operator-operator-operator"), ("content-type", "application/json")];
                assert_eq!(world.send("192.0.2.1", "POST", "/operator/registrations/revoke", &headers, &body).status(), 200);
            }),
        ),
    ] {
        let mut world = world();
        let agent = agent(&world);
        let subject = agent.token(&world, &[]);
        let first = got(&exchange(&world, &subject, &[("scope", "api.read")]));
        let second = got(&exchange(&world, &first, &[]));
        assert_eq!((world.call(&first), world.call(&second)), (200, 200));
        end(&world, &agent, &subject);
        world.forget();
        assert_eq!((world.call(&first), world.call(&second)), (401, 401), "{name}");
        is(&exchange(&world, &first, &[]), 400, "invalid_request");
    }
    let world = world();
    let subject = agent(&world).token(&world, &[]);
    let first = got(&exchange(&world, &subject, &[]));
    world.form("/oauth2/revoke", &[("token", &first)]);
    assert_eq!((world.call(&subject), world.call(&first)), (200, 401), "and not the other way round");
}

#[test]
fn not_without_end() {
    let world = world();
    let mut token = agent(&world).token(&world, &[]);
    for _ in 0..10 {
        token = got(&exchange(&world, &token, &[]));
    }
    is(&exchange(&world, &token, &[]), 400, "invalid_request");
    assert_eq!(world.call(&token), 200);
}
