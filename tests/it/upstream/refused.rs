use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{ACCOUNT, GOOGLE, ID, KEY, grant, grant_token, is_signed_in, leave, metadata, reason, world};
use crate::person::Person;
use crate::provider::{Key, header, publish, token, with, without};
use crate::world::World;

/// Comes back with that ID token: not in, and the log knows why.
fn refused(world: &World, make: impl FnOnce(&Value) -> String, why: &str) {
    let mut eve = Person::anybody(world);
    let away = leave(&mut eve, ID, ACCOUNT);
    grant_token(world, ID, &make(&away.claims(world)));
    let back = eve.get(&away.callback("code=c"));
    assert_eq!(back.status(), 502, "{why}");
    assert!(reason(&back).contains(why), "{why}: {}", reason(&back));
    assert!(eve.page.contains("cannot be relied on") && !eve.page.contains(why), "{why}");
    assert!(!is_signed_in(&mut eve), "{why}");
}

#[test]
fn an_id_token_that_is_not_for_this_journey_does_not_count() {
    let world = world();
    let now = world.platform.now.get().seconds();
    for (name, value, why) in [
        ("nonce", json!("another"), "the nonce is another"),
        ("iss", json!(GOOGLE), "the issuer is another"),
        ("iss", json!("https://id.example.com/"), "the issuer is another"),
        ("aud", json!("them"), "the audience"),
        ("aud", json!(["us", "them"]), "the audience"),
        ("azp", json!("them"), "the audience"),
        ("exp", json!(now - 60), "it has expired"),
        ("iat", json!(now + 61), "it is from the future"),
        ("iat", json!(now - 660), "it is too old"),
        ("sub", json!(""), "sub"),
        ("sub", json!(7), "sub"),
        ("sub", json!("x".repeat(256)), "sub"),
        ("at_hash", json!("77QmUPtjPfzWtF2AnpK9RQ"), "at_hash"),
        ("at_hash", json!(7), "at_hash"),
    ] {
        refused(&world, |claims| token(KEY, &header("JWT"), &with(claims, name, value)), why);
    }
    for (name, why) in [
        ("nonce", "the nonce is another"),
        ("iss", "the issuer is another"),
        ("aud", "the audience"),
        ("exp", "the claim exp is missing"),
        ("iat", "the claim iat is missing"),
        ("sub", "the claim sub is missing"),
    ] {
        refused(&world, |claims| token(KEY, &header("JWT"), &without(claims, name)), why);
    }
}

#[test]
fn an_id_token_with_no_signature_or_somebody_elses_does_not_count() {
    let world = world();
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let none = |alg: &str| {
        let header = json!({ "typ": "JWT", "alg": alg, "kid": "k1" });
        move |claims: &Value| format!("{}.{}.", part(&header), part(claims))
    };
    for alg in ["none", "None", "NONE", "HS256"] {
        refused(&world, none(alg), "the algorithm is not one of the key");
    }
    refused(&world, none("ES256"), "the signature is wrong");
    refused(&world, |claims| token(Key::Es256(2), &header("JWT"), claims), "the signature is wrong");
    refused(&world, |claims| token(KEY, &json!({ "typ": "JWT", "alg": "ES256", "kid": "k2" }), claims), "no such key");
    refused(&world, |claims| token(Key::Ed25519(1), &json!({ "typ": "JWT", "alg": "EdDSA", "kid": "k1" }), claims), "no single key fits");
    refused(&world, |claims| token(KEY, &header("at+jwt"), claims), "the type is not jwt");
    refused(&world, |claims| token(KEY, &header("logout+jwt"), claims), "the type is not jwt");
    refused(&world, |claims| token(KEY, &json!({ "typ": "JWT", "alg": "ES256", "kid": "k1", "crit": ["x"] }), claims), "crit");
    refused(&world, |_| "not.a.token".to_owned(), "the ID token");
    // Without a type it may be one.
    let mut ada = Person::anybody(&world);
    let away = leave(&mut ada, ID, ACCOUNT);
    grant_token(&world, ID, &token(KEY, &json!({ "alg": "ES256" }), &away.claims(&world)));
    assert_eq!(ada.get(&away.callback("code=c")).status(), 303);
}

#[test]
fn a_browser_that_is_sent_along_somebody_elses_way_is_not_signed_in() {
    // Login CSRF: Eve begins, stops before the callback, and has Ada's browser open it.
    let world = world();
    let (mut eve, mut ada) = (Person::anybody(&world), Person::anybody(&world));
    ada.get("/login");
    let away = leave(&mut eve, ID, ACCOUNT);
    grant(&world, ID, &with(&away.claims(&world), "email", json!("eve@example.com")));
    let callback = away.callback("code=c");
    for mut victim in [ada, Person::anybody(&world)] {
        let back = victim.get(&callback);
        assert_eq!((back.status(), reason(&back).contains("another browser")), (410, true));
        assert!(!is_signed_in(&mut victim));
    }
    assert!(world.platform.sent.borrow().iter().all(|sent| sent.content.is_none()), "the code was not even shown to the provider");
    // Nor has that used up anything.
    assert_eq!(eve.get(&callback).status(), 303);
}

#[test]
fn a_code_of_somebody_else_does_not_fit_in() {
    // Code injection: Eve has got hold of Ada's code, and puts it into a journey of her own.
    let world = world();
    let (mut eve, mut ada) = (Person::anybody(&world), Person::anybody(&world));
    let of_ada = leave(&mut ada, ID, ACCOUNT);
    let of_eve = leave(&mut eve, ID, ACCOUNT);
    // A provider without PKCE would exchange it all the same: for a token with Ada's nonce.
    grant(&world, ID, &of_ada.claims(&world));
    let back = eve.get(&of_eve.callback("code=of-ada"));
    assert_eq!((back.status(), reason(&back).contains("nonce")), (502, true));
    assert!(!is_signed_in(&mut eve));
    assert_ne!(of_ada.get("code_challenge"), of_eve.get("code_challenge"), "and one with PKCE would not");
}

#[test]
fn a_state_works_once_and_not_for_long() {
    let world = world();
    let mut ada = Person::anybody(&world);
    let away = leave(&mut ada, ID, ACCOUNT);
    grant(&world, ID, &away.claims(&world));
    assert_eq!(ada.get(&away.callback("code=c")).status(), 303);
    let again = ada.get(&away.callback("code=c"));
    assert_eq!((again.status(), reason(&again).contains("used or expired")), (410, true));
    let mut late = Person::anybody(&world);
    let away = leave(&mut late, ID, ACCOUNT);
    world.later(600);
    grant(&world, ID, &away.claims(&world));
    assert_eq!(late.get(&away.callback("code=c")).status(), 410);
    assert!(!is_signed_in(&mut late));
}

#[test]
fn an_answer_of_another_provider_is_not_taken_for_that_of_the_one_that_was_asked() {
    let world = world();
    let mut ada = Person::anybody(&world);
    let away = leave(&mut ada, ID, ACCOUNT);
    grant(&world, ID, &away.claims(&world));
    let mixed = ada.get(&away.callback("code=c&iss=https%3A%2F%2Faccounts.google.com"));
    assert_eq!((mixed.status(), reason(&mixed).contains("another provider")), (410, true));
    assert_eq!(ada.get(&away.callback("code=c&iss=https%3A%2F%2Fid.example.com")).status(), 303, "nothing was used up");
    // A provider that always names itself is not believed when it does not.
    let mut world = world;
    let promises = with(&metadata(ID), "authorization_response_iss_parameter_supported", json!(true));
    publish(&world, &format!("{ID}/.well-known/openid-configuration"), &promises, None);
    world.forget();
    let mut ada = Person::anybody(&world);
    let away = leave(&mut ada, ID, ACCOUNT);
    grant(&world, ID, &away.claims(&world));
    let silent = ada.get(&away.callback("code=c"));
    assert_eq!((silent.status(), reason(&silent).contains("iss must be")), (502, true));
    assert!(!is_signed_in(&mut ada));
}

#[test]
fn an_answer_that_is_none_uses_nothing_up() {
    let world = world();
    let mut ada = Person::anybody(&world);
    let away = leave(&mut ada, ID, ACCOUNT);
    grant(&world, ID, &away.claims(&world));
    let state = away.get("state");
    for path in [
        "/login/upstream/callback".to_owned(),
        "/login/upstream/callback?code=c".to_owned(),
        format!("/login/upstream/callback?state={state}"),
        format!("/login/upstream/callback?state={state}&code=c&error=access_denied"),
        format!("/login/upstream/callback?state={}&code=c", state.replace("ups_", "upl_")),
        format!("/login/upstream/callback?state={state}0&code=c"),
        format!("/login/upstream/callback?state={}&code=c", &state[..state.len() - 1]),
    ] {
        assert_eq!(ada.get(&path).status(), 410, "{path}");
    }
    assert_eq!(ada.get(&format!("/login/upstream/callback?state={state}&state={state}&code=c")).status(), 400);
    assert_eq!(ada.get(&away.callback("code=c")).status(), 303);
}

#[test]
fn what_a_provider_says_in_an_error_is_not_shown() {
    let world = world();
    let mut ada = Person::anybody(&world);
    for (error, logged) in [("access_denied", "access_denied"), ("%3Cscript%3E", "without a readable error")] {
        let away = leave(&mut ada, ID, ACCOUNT);
        let back = ada.get(&away.callback(&format!("error={error}&error_description=Call%20555-0100")));
        assert_eq!((back.status(), reason(&back).contains(logged)), (403, true), "{}", reason(&back));
        assert!(!ada.page.contains("555-0100") && !ada.page.contains("script>"));
    }
}

#[test]
fn only_a_form_of_ours_sends_a_browser_out() {
    let world = world();
    let mut ada = Person::anybody(&world);
    ada.get("/login");
    let foreign =
        world.send("192.0.2.1", "POST", "/login/upstream", &[("content-type", "application/x-www-form-urlencoded")], "provider=x");
    assert_eq!(foreign.status(), 403);
    assert_eq!(ada.post("/login/upstream", &[("provider", "https://evil.example.com")]).status(), 404);
    assert_eq!(ada.get("/login/upstream").status(), 405);
    ada.get("/login");
    assert_eq!(ada.post("/login/upstream/callback", &[]).status(), 405);
    // Without providers there is nothing of it.
    let world = World::new(&[]);
    let mut ada = Person::anybody(&world);
    ada.get("/login");
    assert!(!ada.page.contains("Continue with"));
    assert_eq!(ada.post("/login/upstream", &[("provider", GOOGLE)]).status(), 404);
}

#[test]
fn metadata_that_lead_elsewhere_are_not_followed() {
    for (name, value) in [
        ("issuer", json!("https://id.example.org")),
        ("authorization_endpoint", json!("http://id.example.com/authorize")),
        ("authorization_endpoint", json!("javascript:alert(1)")),
        ("authorization_endpoint", json!("https://localhost/authorize")),
    ] {
        let world = world();
        publish(&world, &format!("{ID}/.well-known/openid-configuration"), &with(&metadata(ID), name, value.clone()), None);
        let mut ada = Person::anybody(&world);
        ada.get("/login");
        assert_eq!(ada.post("/login/upstream", &[("provider", ID)]).status(), 502, "{name} {value}");
    }
    for (name, value) in [
        ("token_endpoint", "http://169.254.169.254/token"),
        ("jwks_uri", "https://10.0.0.1/jwks"),
        ("token_endpoint", "https://u:p@id.example.com/"),
    ] {
        let world = world();
        publish(&world, &format!("{ID}/.well-known/openid-configuration"), &with(&metadata(ID), name, json!(value)), None);
        let mut ada = Person::anybody(&world);
        let away = leave(&mut ada, ID, ACCOUNT);
        grant(&world, ID, &away.claims(&world));
        assert_eq!(ada.get(&away.callback("code=c")).status(), 502, "{name} {value}");
        assert!(!world.platform.fetched.borrow().iter().any(|url| url == value), "{name} {value}");
    }
}
