//! `/device`: what a person is shown, and what nobody can do to them.

use postern::machine::client::Keeper;
use serde_json::json;

use super::{PATH, Waiting, ada, begin, metadata, world};
use crate::client::{is, registered};
use crate::person::Person;
use crate::provider::with;
use crate::world::{Answer, World};

const LOGIN: &str = "/login?max_age=300&return_to=%2Fdevice";

/// A page without what is another on each.
fn face(answer: &Answer) -> String {
    let page = String::from_utf8(answer.0.body().to_vec()).unwrap();
    let blank = |page: String, before: &str| {
        let mut parts = page.split(before);
        let first = parts.next().unwrap().to_owned();
        parts.fold(first, |all, part| all + before + part.split_once('"').unwrap().1)
    };
    let page = ["name=\"csrf\" value=\"", "name=\"csrf\" content=\"", "name=\"user_code\" value=\""].into_iter().fold(page, blank);
    format!("{} {page}", answer.status())
}

#[test]
fn opening_the_page_looks_nothing_up_and_changes_nothing() {
    let (world, client) = world();
    let waiting = begin(&world, &client, &[]);
    let mut ada = ada(&world);
    let before = world.platform.cells.borrow().clone();
    world.platform.lost.borrow_mut().extend(["device", "quota", "grant"]);
    let answer = ada.get(&format!("/device?user_code={}", waiting.user_code.to_lowercase()));
    assert_eq!(answer.status(), 200);
    assert!(ada.page.contains(&format!("name=\"user_code\" value=\"{}\"", waiting.user_code)));
    ada.get("/device?user_code=%22%3E%3Cscript%3E");
    assert!(ada.page.contains("name=\"user_code\" value=\"\"") && !ada.page.contains("<script>"));
    world.platform.lost.borrow_mut().clear();
    assert_eq!(*world.platform.cells.borrow(), before);
    is(&waiting.poll(&world), 400, "authorization_pending");
}

#[test]
fn nobody_gets_that_far_without_a_fresh_sign_in() {
    let (world, client) = world();
    let waiting = begin(&world, &client, &[]);
    let signed_out = world.get(&format!("/device?user_code={}", waiting.user_code));
    assert_eq!(signed_out.header("location"), Some(format!("{LOGIN}%3Fuser%5Fcode%3D{}", waiting.user_code.replace('-', "%2D")).as_str()));
    let mut ada = ada(&world);
    assert_eq!(waiting.open(&mut ada).status(), 200);
    let shown = ada.page.clone();
    world.later(300);
    assert_eq!(ada.post("/device/answer", &[("answer", "allow")]).header("location"), Some(LOGIN));
    assert_eq!(ada.get("/device").header("location"), Some(LOGIN));
    ada.page = shown;
    let typed = ada.post("/device", &[("user_code", &waiting.user_code)]);
    assert!(typed.status() == 303 && typed.header("location").unwrap().starts_with(LOGIN));
    is(&waiting.poll(&world), 400, "authorization_pending");
    assert_eq!(ada.get("/login?max_age=300&return_to=%2Fdevice").status(), 200);
    assert!(ada.page.contains("name=\"return_to\" value=\"/device\"") && ada.page.contains("You connect a device"));
}

#[test]
fn the_page_says_who_asks_for_what_and_from_where() {
    let world = World::new(&[("SCOPE_DESCRIPTIONS", r#"{"api.read":"See your files"}"#)]);
    let (client, _) = registered(&world, &with(&metadata(), "client_name", json!("<b>TV</b>")), Keeper::Holder);
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("user-agent", "tv/1.0 (<script>)")];
    let ask = |address: &str| {
        let answer = world.send(address, "POST", PATH, &headers, &format!("client_id={client}&scope=api.read"));
        Waiting { client: client.clone(), device_code: answer.text("device_code"), user_code: answer.text("user_code") }
    };
    let mut ada = ada(&world);
    let (elsewhere, near) = (ask("2001:db8:1::7"), ask("198.51.100.200"));
    assert_eq!(elsewhere.open(&mut ada).status(), 200);
    let spelled = elsewhere.user_code.replace('-', "").chars().map(String::from).collect::<Vec<_>>();
    let spelled = format!("{}, {}", spelled[..4].join(" "), spelled[4..].join(" "));
    for shown in [
        "2001:db8:1::/48",
        "not the network that you are in",
        "tv/1.0",
        "See your files",
        &client,
        "It registered itself",
        "ada@example.com",
        &spelled,
        &elsewhere.user_code,
        "Then deny",
    ] {
        assert!(ada.page.contains(shown), "{shown}");
    }
    assert!(!ada.page.contains("<b>TV") && !ada.page.contains("<script>"), "nothing of theirs is markup");
    assert_eq!(near.open(&mut ada).status(), 200);
    assert!(ada.page.contains("198.51.100.0/24") && ada.page.contains(">your network<"));
}

#[test]
fn codes_that_are_wrong_used_denied_or_too_old_look_the_same() {
    let (world, client) = world();
    let mut ada = ada(&world);
    let mut faces = Vec::new();
    let wrong = Waiting { client: client.clone(), device_code: String::new(), user_code: "BBBB-BBBB".into() };
    faces.push(face(&wrong.open(&mut ada)));
    for answer in ["allow", "deny"] {
        let waiting = begin(&world, &client, &[]);
        waiting.answer(&mut ada, answer);
        faces.push(face(&waiting.open(&mut ada)));
        if answer == "allow" {
            is(&waiting.poll(&world), 200, "ok");
            faces.push(face(&waiting.open(&mut ada)));
        }
    }
    let late = begin(&world, &client, &[]);
    world.later(600);
    let mut ada = super::ada(&world);
    faces.push(face(&late.open(&mut ada)));
    assert!(faces[0].starts_with("404 ") && faces[0].contains("There is no such code"));
    assert!(faces.iter().all(|face| *face == faces[0]), "{faces:#?}");
    let none = ada.post("/device", &[("user_code", "ABCD-EFGH")]);
    assert!(none.status() == 400 && ada.page.contains("eight letters"));
}

#[test]
fn wrong_codes_are_few_and_right_ones_do_not_count() {
    let (world, client) = world();
    let mut ada = ada(&world);
    for _ in 0..12 {
        assert_eq!(begin(&world, &client, &[]).open(&mut ada).status(), 200);
    }
    let waiting = begin(&world, &client, &[]);
    for _ in 0..10 {
        ada.get("/device");
        assert_eq!(ada.post("/device", &[("user_code", "bbbb bbbb")]).status(), 404);
    }
    let refused = waiting.open(&mut ada);
    assert_eq!((refused.status(), refused.header("retry-after")), (429, Some("3600")));
    for person in ["bob@example.com", "eve@example.com"] {
        let mut person = Person::sign_in(&world, person);
        for _ in 0..10 {
            person.get("/device");
            assert_eq!(person.post("/device", &[("user_code", "bbbb bbbb")]).status(), 404);
        }
    }
    let mut dan = Person::sign_in(&world, "dan@example.com");
    assert_eq!(waiting.open(&mut dan).status(), 429, "thirty of one address");
    world.later(3600);
    let waiting = begin(&world, &client, &[]);
    let mut ada = super::ada(&world);
    assert_eq!(waiting.open(&mut ada).status(), 200);
    world.platform.lost.borrow_mut().push("quota");
    assert_eq!(waiting.open(&mut ada).status(), 503, "closed if nobody can count");
}

#[test]
fn an_answer_is_of_the_person_and_browser_that_were_shown_the_page() {
    let (world, client) = world();
    let waiting = begin(&world, &client, &[]);
    let (mut ada, mut eve) = (ada(&world), Person::sign_in(&world, "eve@example.com"));
    assert_eq!(waiting.open(&mut ada).status(), 200);
    assert_eq!(waiting.open(&mut eve).status(), 200);
    let (hers, his) = (ada.page.clone(), eve.page.clone());
    let field =
        |page: &str, name: &str| page.split_once(&format!("name=\"{name}\" value=\"")).unwrap().1.split('"').next().unwrap().to_owned();
    // A page of somebody else, all of it or its seal alone.
    ada.page = his.clone();
    assert_eq!(ada.post("/device/answer", &[("answer", "allow")]).status(), 403);
    ada.page = hers.replace(&field(&hers, "seal"), &field(&his, "seal"));
    assert_eq!(ada.post("/device/answer", &[("answer", "allow")]).status(), 404);
    let other = begin(&world, &client, &[]);
    other.open(&mut ada);
    let second = ada.page.clone();
    ada.page = second.replace(&field(&second, "device"), &field(&hers, "device"));
    assert_eq!(ada.post("/device/answer", &[("answer", "allow")]).status(), 404);
    ada.page = hers.clone();
    assert_eq!(ada.post("/device/answer", &[]).status(), 400);
    is(&waiting.poll(&world), 400, "authorization_pending");
    ada.page = hers.clone();
    assert_eq!(ada.post("/device/answer", &[("answer", "allow")]).status(), 200);
    // One answer counts.
    for answer in ["allow", "deny"] {
        eve.page = his.clone();
        assert_eq!(eve.post("/device/answer", &[("answer", answer)]).status(), 404);
        ada.page = hers.clone();
        assert_eq!(ada.post("/device/answer", &[("answer", answer)]).status(), 404);
    }
    is(&waiting.poll(&world), 200, "ok");
}

#[test]
fn whoever_is_barred_meanwhile_gives_nothing() {
    let (world, client) = world();
    let waiting = begin(&world, &client, &[]);
    let mut ada = ada(&world);
    waiting.open(&mut ada);
    let headers = [("authorization", "Bearer operator-operator-operator-operator"), ("content-type", "application/json")];
    let body = json!({ "email": "ada@example.com" }).to_string();
    assert_eq!(world.send("192.0.2.1", "POST", "/operator/people/suspend", &headers, &body).status(), 200);
    assert!(ada.post("/device/answer", &[("answer", "allow")]).status() >= 300);
    is(&waiting.poll(&world), 400, "authorization_pending");
}
