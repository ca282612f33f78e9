//! The device polls (RFC 8628, sections 3.4 and 3.5).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use postern::config::Config;
use serde_json::{Value, json};

use super::{GRANT, ada, begin, world};
use crate::client::{URL, document, is, outcome};
use crate::provider::{publish, with};
use crate::world::{ISSUER, World, together};

fn claims(token: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

/// The one record of that kind.
fn name_of(world: &World, kind: &str) -> String {
    let cells = world.platform.cells.borrow();
    let mut names = cells.keys().filter(|name| name.starts_with(&format!("{kind}/")));
    let name = names.next().unwrap().clone();
    assert!(names.next().is_none());
    name
}

#[test]
fn row_38_from_pending_to_a_token_that_works_and_is_continued() {
    let (world, client) = world();
    let waiting = begin(&world, &client, &[]);
    is(&waiting.poll(&world), 400, "authorization_pending");
    is(&waiting.poll(&world), 400, "slow_down");
    world.later(6);
    is(&waiting.poll(&world), 400, "slow_down");
    world.later(15);
    is(&waiting.poll(&world), 400, "authorization_pending");
    let mut ada = ada(&world);
    assert_eq!(waiting.answer(&mut ada, "allow").status(), 200);
    assert!(ada.page.contains("Approved"));
    let answer = waiting.poll(&world);
    is(&answer, 200, "ok");
    let token = claims(&answer.text("access_token"));
    assert!(token["sub"].as_str().unwrap().starts_with("acc_") && token["grant"].as_str().unwrap().starts_with("gnt_"));
    assert_eq!((&token["client_id"], &token["aud"]), (&json!(client), &json!(format!("{ISSUER}/mcp"))));
    assert_eq!(world.call(&answer.text("access_token")), 200);
    let refresh = [("grant_type", "refresh_token"), ("client_id", &client), ("refresh_token", &answer.text("refresh_token"))];
    is(&world.form("/oauth2/token", &refresh), 200, "ok");
    ada.get("/account");
    assert!(ada.page.contains("Television"));
    for _ in 0..3 {
        is(&waiting.poll(&world), 400, "invalid_grant");
        world.later(40);
    }
    assert_eq!(world.call(&answer.text("access_token")), 200, "who comes again ends nothing");
    is(&waiting.poll_with(&world, &[("resource", "https://foreign.example.com")]), 400, "invalid_target");
    world.later(600);
    is(&waiting.poll(&world), 400, "expired_token");
    assert!(!world.platform.cells.borrow().keys().any(|name| name.starts_with("device/")), "its alarm has freed it");
}

#[test]
fn a_hundred_polls_at_once_bring_one_token() {
    let (world, client) = world();
    let waiting = begin(&world, &client, &[]);
    waiting.answer(&mut ada(&world), "allow");
    let answers = together((0..100).map(|_| async { waiting.poll(&world) }));
    let won: Vec<_> = answers.iter().filter(|answer| answer.status() == 200).collect();
    assert_eq!(won.len(), 1);
    assert!(answers.iter().all(|answer| ["ok", "invalid_grant", "slow_down"].contains(&outcome(answer).1.as_str())));
    assert_eq!(world.call(&won[0].text("access_token")), 200);
}

#[test]
fn another_client_gets_nothing_and_uses_nothing_up() {
    let (world, client) = world();
    publish(&world, URL, &with(&document(), "grant_types", json!([GRANT])), None);
    let waiting = begin(&world, &client, &[]);
    let stranger = super::Waiting { client: URL.into(), device_code: waiting.device_code.clone(), user_code: String::new() };
    is(&stranger.poll(&world), 400, "invalid_grant");
    is(&waiting.poll(&world), 400, "authorization_pending");
    waiting.answer(&mut ada(&world), "allow");
    is(&stranger.poll(&world), 400, "invalid_grant");
    is(&waiting.poll_with(&world, &[("resource", &format!("{ISSUER}/api/v1"))]), 400, "invalid_target");
    is(&waiting.poll(&world), 200, "ok");
}

#[test]
fn what_is_no_device_code() {
    let (world, client) = world();
    let waiting = begin(&world, &client, &[]);
    let with = |code: &str| world.form("/oauth2/token", &[("grant_type", GRANT), ("device_code", code), ("client_id", &client)]);
    for wrong in ["x", &waiting.user_code, &waiting.device_code.replace("pdc_", "pac_"), &format!("{}x", waiting.device_code)] {
        is(&with(wrong), 400, "invalid_grant");
    }
    is(&with(""), 400, "invalid_request");
    let as_code =
        [("grant_type", "authorization_code"), ("code", &waiting.device_code), ("client_id", &client), ("code_verifier", &"v".repeat(43))];
    is(&world.form("/oauth2/token", &as_code), 400, "unauthorized_client");
    is(&world.form("/oauth2/token", &[("grant_type", GRANT), ("device_code", &waiting.device_code)]), 401, "invalid_client");
}

#[test]
fn a_no_is_told_and_time_runs_out() {
    let (world, client) = world();
    let mut ada = ada(&world);
    let denied = begin(&world, &client, &[]);
    assert_eq!(denied.answer(&mut ada, "deny").status(), 200);
    assert!(ada.page.contains("Denied"));
    is(&denied.poll(&world), 400, "access_denied");
    is(&denied.poll(&world), 400, "access_denied");
    let late = begin(&world, &client, &[]);
    world.later(600);
    is(&late.poll(&world), 400, "expired_token");
    is(&denied.poll(&world), 400, "expired_token");
}

#[test]
fn what_the_person_takes_back_before_the_device_comes_is_not_given() {
    let (world, client) = world();
    let waiting = begin(&world, &client, &[]);
    let mut ada = ada(&world);
    waiting.answer(&mut ada, "allow");
    ada.get("/account");
    let grant = name_of(&world, "grant");
    assert_eq!(ada.post("/account/clients/revoke", &[("grant", grant.strip_prefix("grant/").unwrap())]).status(), 303);
    is(&waiting.poll(&world), 400, "invalid_grant");
}

#[test]
fn a_crash_at_any_point_of_a_poll_loses_nothing_that_was_not_given() {
    let (world, client) = world();
    let waiting = begin(&world, &client, &[]);
    waiting.answer(&mut ada(&world), "allow");
    world.platform.lost.borrow_mut().push("grant");
    is(&waiting.poll(&world), 503, "temporarily_unavailable");
    world.platform.lost.borrow_mut().clear();
    is(&waiting.poll(&world), 400, "slow_down");
    world.later(30);
    let (device, before) = {
        let name = name_of(&world, "device");
        let record = world.platform.cells.borrow()[&name].clone();
        (name, record)
    };
    let answer = waiting.poll(&world);
    is(&answer, 200, "ok");
    // The device's record never learned of it: the grant knows all the same, and a code that comes twice ends what it has brought.
    world.platform.cells.borrow_mut().insert(device, before);
    world.later(2);
    is(&waiting.poll(&world), 400, "invalid_grant");
    assert_eq!(world.call(&answer.text("access_token")), 401);
}

#[test]
fn a_yes_that_could_not_be_written_down_is_said_again() {
    let (world, client) = world();
    let waiting = begin(&world, &client, &[]);
    let mut ada = ada(&world);
    waiting.open(&mut ada);
    let form = ada.page.clone();
    world.platform.lost.borrow_mut().push("grant");
    assert_eq!(ada.post("/device/answer", &[("answer", "allow")]).status(), 503);
    world.platform.lost.borrow_mut().clear();
    is(&waiting.poll(&world), 400, "authorization_pending");
    ada.page = form;
    assert_eq!(ada.post("/device/answer", &[("answer", "allow")]).status(), 200);
    is(&waiting.poll(&world), 200, "ok");
}

#[test]
fn codes_outlive_a_change_of_the_secret() {
    let (mut world, client) = world();
    let waiting = begin(&world, &client, &[]);
    let vars = [
        ("ISSUER", ISSUER),
        ("POSTERN_SECRET", "another-secret-another-secret-another"),
        ("POSTERN_SECRET_PREVIOUS", "0123456789abcdef0123456789abcdef"),
        ("MAIL", "http"),
        ("MAIL_FROM", "Example <login@example.com>"),
        ("MAIL_API_KEY", "a-key-of-the-mail-provider"),
    ];
    world.config = Config::parse(&vars.map(|(name, value)| (name.to_owned(), value.to_owned())).into()).unwrap();
    world.forget();
    assert_eq!(waiting.answer(&mut ada(&world), "allow").status(), 200);
    is(&waiting.poll(&world), 200, "ok");
}
