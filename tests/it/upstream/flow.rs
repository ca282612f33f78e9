use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{ACCESS, ACCOUNT, GOOGLE, ID, STRICT, grant, is_signed_in, leave, location, reason, sign_in_with, world};
use crate::person::Person;
use crate::provider::{answer, publish};
use crate::world::{ISSUER, World};

fn people(world: &World) -> usize {
    world.platform.accounts.borrow().values().filter(|database| database.dump().contains("person: [[")).count()
}

#[test]
fn whoever_a_provider_vouches_for_comes_in_and_stays_the_same_person() {
    let world = world();
    let mut ada = Person::anybody(&world);
    let back = sign_in_with(&mut ada, &world, ID, |_| {});
    assert_eq!((back.status(), location(&back)), (303, ACCOUNT), "{}", reason(&back));
    assert!(is_signed_in(&mut ada));
    for shown in ["Signed in as <strong><bdi>ada@example.com", "by a linked provider", "Example ID <bdi", "A provider was linked"] {
        assert!(ada.page.contains(shown), "{shown}");
    }
    assert!(!ada.page.contains("Look through"), "nobody else has been here");
    // In another browser, and under another address by now.
    let mut again = Person::anybody(&world);
    let back = sign_in_with(&mut again, &world, ID, |claims| claims["email"] = json!("countess@example.com"));
    assert_eq!(back.status(), 303);
    assert!(is_signed_in(&mut again) && again.page.contains("<bdi>ada@example.com"));
    assert_eq!(people(&world), 1);
    // The same subject of another provider is somebody else.
    let mut other = Person::anybody(&world);
    sign_in_with(&mut other, &world, GOOGLE, |claims| claims["email"] = json!("eve@gmail.com"));
    assert!(is_signed_in(&mut other) && other.page.contains("<bdi>eve@gmail.com"));
    assert_eq!(people(&world), 2);
}

#[test]
fn the_request_is_bound_to_the_code_the_browser_and_the_token() {
    let world = world();
    let mut ada = Person::anybody(&world);
    let away = leave(&mut ada, ID, "%2Fclaim%3Fclaim_attempt_token%3Dx");
    assert!(away.url.as_str().starts_with("https://id.example.com/authorize?kept=1&response_type=code&client_id=us&"));
    assert_eq!(away.get("redirect_uri"), format!("{ISSUER}/login/upstream/callback"));
    assert_eq!((away.get("scope").as_str(), away.get("code_challenge_method").as_str()), ("openid email profile", "S256"));
    grant(&world, ID, &away.claims(&world));
    // Nothing of what is stored lets anybody go on with it.
    let at_rest = world.platform.cells.borrow().values().cloned().collect::<Vec<_>>().join("\n");
    let key = away.get("state")[37..80].to_owned();
    let back = ada.get(&away.callback("code=c0de"));
    assert_eq!((back.status(), location(&back)), (303, "/claim?claim_attempt_token=x"), "{}", reason(&back));
    let sent = world.platform.sent.borrow();
    let exchange = sent.iter().find(|sent| sent.url == format!("{ID}/token")).unwrap();
    let (content_type, form) = exchange.content.clone().unwrap();
    assert_eq!(content_type, "application/x-www-form-urlencoded");
    let form: Vec<(String, String)> = url::form_urlencoded::parse(form.as_bytes()).into_owned().collect();
    let value = |name: &str| form.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    assert_eq!((value("grant_type"), value("code")), (Some("authorization_code"), Some("c0de")));
    assert_eq!(value("redirect_uri"), Some(away.get("redirect_uri").as_str()));
    assert_eq!((value("client_id"), value("client_secret")), (None, None), "the secret is in the header");
    let verifier = value("code_verifier").unwrap();
    assert_eq!(URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)), away.get("code_challenge"));
    assert_eq!(exchange.headers["authorization"], format!("Basic {}", STANDARD.encode("us:a+secret%3A+with+%2B+everything")));
    for secret in [verifier, &away.get("nonce"), &key, "c0de"] {
        assert!(!at_rest.contains(secret), "{secret}");
    }
}

#[test]
fn every_journey_has_a_state_a_nonce_and_a_challenge_of_its_own() {
    let world = world();
    let mut ada = Person::anybody(&world);
    let (one, two) = (leave(&mut ada, ID, ACCOUNT), leave(&mut ada, ID, ACCOUNT));
    for name in ["state", "nonce", "code_challenge"] {
        assert_ne!(one.get(name), two.get(name), "{name}");
    }
    // Both are under way at once; a token of the one is none of the other.
    grant(&world, ID, &two.claims(&world));
    assert_eq!(ada.get(&one.callback("code=1")).status(), 502);
    assert_eq!(ada.get(&two.callback("code=2")).status(), 303);
}

#[test]
fn what_the_id_token_does_not_say_is_asked_of_userinfo() {
    let world = world();
    let userinfo = |claims: Value| publish(&world, &format!("{ID}/userinfo"), &claims, None);
    let bare = |claims: &mut Value| {
        let claims = claims.as_object_mut().unwrap();
        claims.retain(|name, _| !["email", "email_verified", "name", "picture"].contains(&name.as_str()));
    };
    userinfo(json!({ "sub": "somebody else", "email": "ada@example.com", "email_verified": true }));
    let refused = sign_in_with(&mut Person::anybody(&world), &world, ID, bare);
    assert_eq!((refused.status(), reason(&refused).contains("subject")), (502, true));
    userinfo(json!({ "sub": "248289761001", "email": "ada@example.com", "email_verified": true, "name": "Ada" }));
    let mut ada = Person::anybody(&world);
    assert_eq!(sign_in_with(&mut ada, &world, ID, bare).status(), 303);
    assert!(is_signed_in(&mut ada));
    assert_eq!(world.platform.sent.borrow().last().unwrap().headers["authorization"], format!("Bearer {ACCESS}"));
    // Whether an address is verified is not taken from the other hand.
    userinfo(json!({ "sub": "other", "email": "eve@example.com" }));
    let mixed = |claims: &mut Value| {
        bare(claims);
        (claims["sub"], claims["email_verified"]) = (json!("other"), json!(true));
    };
    let mut eve = Person::anybody(&world);
    assert_eq!(sign_in_with(&mut eve, &world, ID, mixed).status(), 200);
    assert!(eve.page.contains("does not vouch for an address") && !is_signed_in(&mut eve));
}

#[test]
fn an_address_counts_only_if_it_is_verified() {
    for wrong in [json!(false), json!("true"), json!(1), Value::Null] {
        let world = world();
        let mut eve = Person::anybody(&world);
        let back = sign_in_with(&mut eve, &world, ID, |claims| claims["email_verified"] = wrong.clone());
        assert_eq!((back.status(), people(&world)), (200, 0), "{wrong}");
        assert!(eve.page.contains("does not vouch for an address") && !is_signed_in(&mut eve), "{wrong}");
    }
    for address in ["not an address", "a@mailinator.com", ""] {
        let world = world();
        let mut eve = Person::anybody(&world);
        assert_eq!(sign_in_with(&mut eve, &world, ID, |claims| claims["email"] = json!(address)).status(), 200, "{address}");
        assert_eq!(people(&world), 0, "{address}");
    }
}

#[test]
fn google_answers_for_its_own_addresses_alone() {
    for (email, hd, counts) in [
        ("ada@gmail.com", Value::Null, true),
        ("ada@GoogleMail.com", Value::Null, true),
        ("ada@example.com", json!("example.com"), true),
        ("ada@example.com", Value::Null, false),
        ("ada@example.com", json!(""), false),
        ("ada@example.com", json!(true), false),
        ("ada@gmail.com.example.com", Value::Null, false),
    ] {
        let world = world();
        let mut ada = Person::anybody(&world);
        let back = sign_in_with(&mut ada, &world, GOOGLE, |claims| (claims["email"], claims["hd"]) = (json!(email), hd.clone()));
        assert_eq!(back.status() == 303, counts, "{email} {hd}");
        assert_eq!(people(&world), usize::from(counts), "{email} {hd}");
    }
}

#[test]
fn only_addresses_of_allowed_domains_sign_in() {
    let world = world();
    for email in ["ada@example.org", "ada@sub.example.com", "ada@example.com.example.org"] {
        let mut eve = Person::anybody(&world);
        let back = sign_in_with(&mut eve, &world, STRICT, |claims| claims["email"] = json!(email));
        assert_eq!(back.status(), 403, "{email}");
        assert!(eve.page.contains("This address may not sign in here") && !is_signed_in(&mut eve), "{email}");
    }
    let mut ada = Person::anybody(&world);
    assert_eq!(sign_in_with(&mut ada, &world, STRICT, |claims| claims["email"] = json!("Ada@EXAMPLE.com")).status(), 303);
    // Not even whoever is known, once the provider does not vouch for such an address.
    let unverified = sign_in_with(&mut Person::anybody(&world), &world, STRICT, |claims| claims["email_verified"] = json!(false));
    assert_eq!(unverified.status(), 403);
}

#[test]
fn a_suspended_person_does_not_come_in_and_a_forgotten_one_is_new() {
    let world = world();
    let mut ada = Person::anybody(&world);
    sign_in_with(&mut ada, &world, ID, |_| {});
    let operator = |path: &str| {
        let headers = [("authorization", "Bearer operator-operator-operator-operator"), ("content-type", "application/json")];
        world.send("192.0.2.1", "POST", path, &headers, r#"{"email":"ada@example.com"}"#).status()
    };
    assert_eq!(operator("/operator/people/suspend"), 200);
    let back = sign_in_with(&mut ada, &world, ID, |_| {});
    assert_eq!((back.status(), reason(&back).contains("suspended")), (403, true));
    // Nor by another provider that knows the same address.
    assert_eq!(sign_in_with(&mut ada, &world, STRICT, |_| {}).status(), 403);
    assert!(!is_signed_in(&mut ada));
    assert_eq!(operator("/operator/people/erase"), 200);
    assert_eq!(sign_in_with(&mut ada, &world, ID, |_| {}).status(), 303);
    assert!(is_signed_in(&mut ada) && people(&world) == 1);
}

#[test]
fn a_change_of_the_deployments_secret_ends_no_journey_and_loses_nobody() {
    let mut world = world();
    let mut ada = Person::anybody(&world);
    sign_in_with(&mut ada, &world, ID, |_| {});
    let later = World::new(&[
        ("UPSTREAM_PROVIDERS", super::PROVIDERS),
        ("UPSTREAM_SECRETS", super::SECRETS),
        ("POSTERN_SECRET", "another-secret-another-secret-another"),
        ("POSTERN_SECRET_PREVIOUS", "0123456789abcdef0123456789abcdef"),
    ]);
    let mut again = Person::anybody(&world);
    let away = leave(&mut again, ID, ACCOUNT);
    grant(&world, ID, &away.claims(&world));
    let cookies = again.cookies();
    world.config = later.config;
    let mut back = Person::with_cookies(&world, cookies);
    assert_eq!(back.get(&away.callback("code=c")).status(), 303);
    assert!(is_signed_in(&mut back) && people(&world) == 1, "the same person, found under the former secret");
}

#[test]
fn a_provider_that_is_down_is_said_to_be() {
    let world = world();
    world.platform.outside.borrow_mut().remove(&format!("{GOOGLE}/.well-known/openid-configuration"));
    let mut ada = Person::anybody(&world);
    ada.get("/login");
    let gone = ada.post("/login/upstream", &[("provider", GOOGLE)]);
    assert_eq!((gone.status(), gone.header("retry-after")), (503, Some("60")));
    assert!(ada.page.contains("Google does not answer"));
    let away = leave(&mut ada, ID, ACCOUNT);
    assert_eq!(ada.get(&away.callback("code=c")).status(), 503, "the token endpoint is silent");
    for (status, body) in
        [(400, r#"{"error":"invalid_grant","error_description":"<b>raw</b>"}"#), (200, r#"{"error":"bad<b>"}"#), (500, "<html>")]
    {
        let away = leave(&mut ada, ID, ACCOUNT);
        answer(&world, &format!("{ID}/token"), status, "application/json", body.into(), None);
        let back = ada.get(&away.callback("code=c"));
        assert_eq!(back.status(), 502, "{body}");
        assert!(reason(&back).contains(&format!("the answer is {status}")) && !reason(&back).contains('<'), "{}", reason(&back));
        assert!(!ada.page.contains("raw"), "{body}");
    }
}

#[test]
fn a_second_look_asks_the_provider_for_one_too() {
    let world = world();
    let mut ada = Person::anybody(&world);
    sign_in_with(&mut ada, &world, ID, |_| {});
    world.later(1000);
    assert_eq!(ada.get("/login?return_to=%2Faccount&max_age=900").status(), 200);
    let away = super::press(&mut ada, ID, &[]);
    assert_eq!(away.get("max_age"), "900");
    let now = world.platform.now.get().seconds();
    let mut claims = away.claims(&world);
    claims["auth_time"] = json!(now - 1000);
    grant(&world, ID, &claims);
    let old = ada.get(&away.callback("code=c"));
    assert_eq!((old.status(), reason(&old).contains("older than was asked for")), (502, true));
    ada.get("/login?return_to=%2Faccount&max_age=900");
    let away = super::press(&mut ada, ID, &[]);
    let mut claims = away.claims(&world);
    claims["auth_time"] = json!(now);
    grant(&world, ID, &claims);
    assert_eq!(ada.get(&away.callback("code=c")).status(), 303);
    let again = ada.get("/login?return_to=%2Faccount&max_age=900");
    assert_eq!(again.status(), 200, "the person has proven nothing to us: what needs that asks for a code or a passkey");
    assert!(!ada.page.contains("/login/upstream"));
}
