//! API keys that people make for programs of their own.

use serde_json::{Value, json};

use crate::person::{Person, mailed_code};
use crate::world::World;

pub const ADA: &str = "ada@example.com";
const OPERATOR: &[(&str, &str)] = &[("authorization", "Bearer operator-operator-operator-operator"), ("content-type", "application/json")];

/// Mail enough for whoever signs in often.
pub fn world() -> World {
    let settings = ["MAILS_PER_ADDRESS_PER_HOUR", "MAILS_PER_NETWORK_PER_HOUR", "VOUCHED_REGISTRATIONS_PER_NETWORK_PER_HOUR"];
    World::new(&settings.map(|setting| (setting, "1000")))
}

/// Makes a key in the browser: the key, as the page shows it.
pub fn make(person: &mut Person<'_>, fields: &[(&str, &str)]) -> String {
    assert_eq!(person.get("/account/keys").status(), 200);
    let answer = person.post("/account/keys", fields);
    assert_eq!(answer.status(), 200, "{}", person.page);
    assert_eq!((answer.header("cache-control"), answer.header("location")), (Some("no-store"), None));
    shown(person)
}

fn shown(person: &Person<'_>) -> String {
    let (_, rest) = person.page.split_once("id=\"key\" value=\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

pub fn me(world: &World, key: &str) -> (u16, Value) {
    let answer = world.send("192.0.2.1", "GET", "/api/v1/auth/me", &[("authorization", &format!("Bearer {key}"))], "");
    (answer.status(), answer.json())
}

/// The registration that a key names.
pub fn registration(key: &str) -> String {
    let (body, _) = key.rsplit_once('_').unwrap();
    let (_, address) = body.rsplit_once('_').unwrap();
    format!("reg_{}", &address[..22])
}

/// The keys that the account lists, as people read them.
fn listed(person: &mut Person<'_>) -> String {
    assert_eq!(person.get("/account").status(), 200);
    let (_, section) = person.page.split_once("<h2 id=\"keys\">").unwrap();
    section.split("</section>").next().unwrap().to_owned()
}

fn revoke(person: &mut Person<'_>, key: &str) -> u16 {
    assert_eq!(person.get("/account").status(), 200);
    person.post("/account/keys/revoke", &[("registration", &registration(key))]).status()
}

#[test]
fn a_key_may_what_its_person_chose_and_nothing_else() {
    let world = world();
    let mut ada = Person::sign_in(&world, ADA);
    let key = make(&mut ada, &[("name", "Backup"), ("may.api.read", "1"), ("may.agents.read", "1")]);
    let (status, me) = me(&world, &key);
    assert_eq!(status, 200, "{me}");
    assert_eq!(
        (&me["registration_type"], &me["status"], &me["credential_type"]),
        (&json!("personal"), &json!("claimed"), &json!("api_key"))
    );
    assert_eq!((&me["scopes"], &me["management_scopes"]), (&json!(["api.read"]), &json!(["agents.read"])));
    assert_eq!(me["registration_id"], registration(&key).as_str());
    let token = |scope: &str| {
        let fields = [("grant_type", "client_credentials"), ("client_secret", &*key), ("scope", scope)];
        world.form("/oauth2/token", &fields)
    };
    assert_eq!(token("api.read").status(), 200);
    assert_eq!(token("api.write").text("error"), "invalid_scope");
    world.ring();
    let list = listed(&mut ada);
    for said in [
        "Backup",
        "(agents.read)",
        "api.read",
        "expires 2027-04-15 08:00 UTC",
        "last used 2027-01-15 08:00 UTC",
        "Made 2027-01-15 08:00 UTC",
    ] {
        assert!(list.contains(said), "{said}: {list}");
    }
    let (_, agents) = ada.page.split_once("<h2 id=\"agents\">").unwrap();
    assert!(!agents.split("</section>").next().unwrap().contains("Backup"), "it is no agent that came by itself");
    assert!(ada.page.contains("You made an API key"));
}

#[test]
fn the_key_is_nowhere_but_on_the_one_page() {
    let world = world();
    let mut ada = Person::sign_in(&world, ADA);
    let key = make(&mut ada, &[("name", "Backup"), ("may.api.read", "1")]);
    let (_, tail) = key.rsplit_once('_').unwrap();
    world.ring();
    for path in ["/account".to_owned(), "/account/keys".to_owned(), format!("/account/agent?id={}", registration(&key))] {
        assert_eq!(ada.get(&path).status(), 200, "{path}");
        assert!(!ada.page.contains(tail), "{path}");
    }
    assert!(listed(&mut ada).contains(&key[..key.find('_').unwrap() + 9]), "but how it begins is");
    let platform = &world.platform;
    assert!(platform.cells.borrow().values().all(|record| !record.contains(tail)));
    assert!(platform.warnings.borrow().iter().all(|line| !line.contains(tail)));
    assert!(platform.accounts.borrow().values().all(|account| !format!("{:?}", account.dump()).contains(tail)));
    assert!(platform.mails.borrow().iter().all(|mail| !mail.text.contains(tail)));
}

#[test]
fn a_key_lasts_as_long_as_its_person_said_and_90_days_if_they_said_nothing() {
    let world = world();
    let mut ada = Person::sign_in(&world, ADA);
    let make = |ada: &mut Person<'_>, life: &str| make(ada, &[("name", life), ("may.api.read", "1"), ("expires", life)]);
    let keys: Vec<(u64, String)> = [("7", 7), ("30", 30), ("", 90), ("365", 365)]
        .map(|(life, days)| (days, make(&mut ada, if life.is_empty() { "90" } else { life })))
        .into();
    let unsaid = super::personal_keys::make(&mut ada, &[("name", "Unsaid"), ("may.api.read", "1")]);
    let lasting = make(&mut ada, "never");
    let mut passed = 0;
    for (days, key) in &keys {
        world.later((days - passed) * 86_400 - 1);
        assert_eq!(me(&world, key).0, 200, "{days}");
        world.later(1);
        assert_eq!(me(&world, key).0, 401, "{days}");
        if *days == 90 {
            assert_eq!(me(&world, &unsaid).0, 401);
        }
        passed = *days;
    }
    world.later(20 * 365 * 86_400);
    assert_eq!(me(&world, &lasting).0, 200);
}

#[test]
fn a_key_that_has_expired_is_still_seen_for_a_while_and_cannot_be_revoked() {
    let world = world();
    let mut ada = Person::sign_in(&world, ADA);
    let key = make(&mut ada, &[("name", "Short"), ("may.api.read", "1"), ("expires", "7")]);
    world.later(7 * 86_400);
    let mut ada = Person::sign_in(&world, ADA);
    let list = listed(&mut ada);
    assert!(list.contains("Short") && list.contains("expired") && !list.contains("/account/keys/revoke"), "{list}");
    assert_eq!(revoke(&mut ada, &key), 404);
    world.later(30 * 86_400);
    assert!(!listed(&mut Person::sign_in(&world, ADA)).contains("Short"));
}

#[test]
fn revoking_a_key_kills_it_at_once_with_its_tokens() {
    let world = world();
    let mut ada = Person::sign_in(&world, ADA);
    let [out, stays] = ["Out", "Stays"].map(|name| make(&mut ada, &[("name", name), ("may.api.read", "1")]));
    let token = world.form("/oauth2/token", &[("grant_type", "client_credentials"), ("client_secret", &out)]).text("access_token");
    assert_eq!((world.call(&out), world.call(&token)), (200, 200));
    assert_eq!(revoke(&mut ada, &out), 303);
    assert_eq!((world.call(&out), world.call(&token), world.call(&stays)), (401, 401, 200));
    let list = listed(&mut ada);
    assert!(!list.contains("Out") && list.contains("Stays"), "{list}");
    assert!(ada.page.contains("You revoked an API key"));
    assert_eq!(revoke(&mut ada, &out), 303, "again is as good as once");
}

#[test]
fn whoever_has_the_key_can_give_it_back_and_its_person_sees_that() {
    let world = world();
    let mut ada = Person::sign_in(&world, ADA);
    let key = make(&mut ada, &[("name", "Given back"), ("may.api.read", "1")]);
    assert_eq!(world.form("/oauth2/revoke", &[("token", &key)]).status(), 200);
    world.ring();
    assert_eq!(world.call(&key), 401);
    assert!(!listed(&mut ada).contains("Given back"));
    assert!(ada.page.contains("An API key was given back"), "{}", ada.page);
}

#[test]
fn a_key_of_somebody_else_is_not_found_and_neither_is_one_that_nobody_has() {
    let world = world();
    let mut ada = Person::sign_in(&world, ADA);
    let key = make(&mut ada, &[("name", "Backup"), ("may.api.read", "1")]);
    let anonymous = world.json("/agent/identity", &json!({ "type": "anonymous" })).text("registration_id");
    let mut eve = Person::sign_in(&world, "eve@example.com");
    let mut answers = Vec::new();
    for id in [registration(&key), anonymous, "reg_0000000000000000000000".to_owned(), "x".to_owned()] {
        assert_eq!(eve.get("/account").status(), 200);
        let answer = eve.post("/account/keys/revoke", &[("registration", &id)]);
        assert_eq!(answer.status(), 404);
        let at_page = eve.get(&format!("/account/agent?id={id}")).status();
        assert_eq!(at_page, 404, "{id}");
        let nonce = eve.page.split("nonce").next().unwrap().len();
        answers.push((answer.status(), nonce, eve.page.contains("There is nothing here")));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(world.call(&key), 200);
    // An agent is no key: it is ended elsewhere.
    assert_eq!(revoke(&mut ada, &key), 303);
}

#[test]
fn a_key_is_made_only_after_a_fresh_sign_in() {
    let world = world();
    let mut ada = Person::sign_in(&world, ADA);
    assert_eq!(ada.get("/account/keys").status(), 200);
    world.later(900);
    let login = "/login?return_to=%2Faccount%2Fkeys&max_age=900";
    assert_eq!(ada.get("/account/keys").header("location"), Some(login));
    assert_eq!(ada.get("/account").status(), 200);
    let answer = ada.post("/account/keys", &[("name", "Backup"), ("may.api.read", "1")]);
    assert_eq!((answer.status(), answer.header("location")), (303, Some(login)));
    assert!(!listed(&mut ada).contains("Backup"));
    assert_eq!(ada.get(login).status(), 200);
    assert_eq!(ada.post("/login", &[("email", ADA)]).status(), 200);
    let answer = ada.post("/login/code", &[("code", &mailed_code(&world))]);
    assert_eq!(answer.header("location"), Some("/account/keys"));
    make(&mut ada, &[("name", "Backup"), ("may.api.read", "1")]);
    assert_eq!(Person::anybody(&world).get("/account/keys").header("location"), Some("/login?return_to=%2Faccount%2Fkeys"));
}

#[test]
fn a_form_of_elsewhere_makes_and_revokes_nothing() {
    let world = world();
    let mut ada = Person::sign_in(&world, ADA);
    let key = make(&mut ada, &[("name", "Backup"), ("may.api.read", "1")]);
    assert_eq!(ada.forge("/account/keys", &[("name", "Forged"), ("may.api.read", "1")]).status(), 403);
    assert_eq!(ada.forge("/account/keys/revoke", &[("registration", &registration(&key))]).status(), 403);
    assert_eq!(world.call(&key), 200);
    assert!(!listed(&mut ada).contains("Forged"));
}

#[test]
fn what_is_missing_is_asked_for_again_and_nothing_is_made() {
    let world = world();
    let mut ada = Person::sign_in(&world, ADA);
    for (fields, said) in [
        (&[("may.api.write", "1")][..], "Give the key a name."),
        (&[("name", " \u{202e}\u{200b} "), ("may.api.write", "1")], "Give the key a name."),
        (&[("name", "N")], "Choose at least one thing"),
        (&[("name", "N"), ("may.api.write", "")], "Choose at least one thing"),
        (&[("name", "N"), ("may.api.*", "1")], "Choose again."),
        (&[("name", "N"), ("may.api.write", "1"), ("may.admin.everything", "1")], "Choose again."),
        (&[("name", "N"), ("may.api.write", "1"), ("expires", "100000")], "Choose when the key expires."),
    ] {
        assert_eq!(ada.get("/account/keys").status(), 200);
        assert_eq!(ada.post("/account/keys", fields).status(), 400, "{fields:?}");
        assert!(ada.page.contains(said) && ada.page.contains("<title>Error: "), "{fields:?}: {}", ada.page);
    }
    // What was chosen is chosen still.
    ada.post("/account/keys", &[("may.api.write", "1"), ("expires", "7")]);
    assert!(ada.page.contains("name=\"may.api.write\" value=\"1\" checked") && ada.page.contains("value=\"7\" selected"), "{}", ada.page);
    assert!(!ada.page.contains("name=\"may.api.read\" value=\"1\" checked"));
    assert!(listed(&mut ada).contains("None."));
}

#[test]
fn a_name_is_cleaned_cut_and_escaped() {
    let world = world();
    let mut ada = Person::sign_in(&world, ADA);
    let name = format!("<b>\u{202e}Key</b> {}", "x".repeat(100));
    make(&mut ada, &[("name", &name), ("may.api.read", "1")]);
    let list = listed(&mut ada);
    assert!(list.contains(&format!("&#60;b&#62;Key&#60;/b&#62; {}<", "x".repeat(60 - 11))) && !list.contains('\u{202e}'), "{list}");
}

#[test]
fn keys_of_a_suspended_person_rest_and_those_of_an_erased_one_end() {
    let world = world();
    let mut ada = Person::sign_in(&world, ADA);
    let key = make(&mut ada, &[("name", "Backup"), ("may.api.read", "1")]);
    let operator = |what: &str| {
        let answer = world.send("192.0.2.9", "POST", &format!("/operator/people/{what}"), OPERATOR, &json!({ "email": ADA }).to_string());
        assert_eq!((answer.status(), answer.json()["agents"].as_u64()), (200, Some(1)), "{what}: {}", answer.json());
    };
    operator("suspend");
    assert_eq!(world.call(&key), 401);
    operator("resume");
    assert_eq!(world.call(&key), 200);
    operator("erase");
    world.later(1);
    assert_eq!(world.call(&key), 401);
    world.ring();
    world.later(1);
    assert_eq!(world.call(&key), 401);
}

#[test]
fn ending_all_agents_ends_the_keys_too() {
    let world = world();
    let mut ada = Person::sign_in(&world, ADA);
    let key = make(&mut ada, &[("name", "Backup"), ("may.api.read", "1")]);
    assert_eq!(ada.get("/account").status(), 200);
    assert_eq!(ada.post("/account/agents/revoke-all", &[]).status(), 303);
    assert_eq!(world.call(&key), 401);
    world.ring();
    assert!(listed(&mut ada).contains("None."));
}

#[test]
fn nobody_has_more_than_thirty_two_keys_that_work() {
    let world = world();
    let mut ada = Person::sign_in(&world, ADA);
    let mut keys = Vec::new();
    for number in 0..32 {
        keys.push(make(&mut ada, &[("name", "Key"), ("may.api.read", "1"), ("expires", if number == 0 { "7" } else { "never" })]));
    }
    ada.get("/account/keys");
    assert_eq!(ada.post("/account/keys", &[("name", "Key"), ("may.api.read", "1")]).status(), 409);
    assert!(ada.page.contains("one key too many"));
    assert_eq!(revoke(&mut ada, &keys[3]), 303);
    make(&mut ada, &[("name", "Key"), ("may.api.read", "1")]);
    ada.get("/account/keys");
    assert_eq!(ada.post("/account/keys", &[("name", "Key"), ("may.api.read", "1")]).status(), 409);
    world.later(7 * 86_400);
    let mut ada = Person::sign_in(&world, ADA);
    make(&mut ada, &[("name", "Key"), ("may.api.read", "1")]);
}

#[test]
fn so_many_are_made_in_an_hour_and_whoever_wants_more_is_told_when() {
    let world = World::new(&[("VOUCHED_REGISTRATIONS_PER_NETWORK_PER_HOUR", "2")]);
    let mut ada = Person::sign_in(&world, ADA);
    for _ in 0..2 {
        make(&mut ada, &[("name", "Key"), ("may.api.read", "1")]);
    }
    ada.get("/account/keys");
    let answer = ada.post("/account/keys", &[("name", "Key"), ("may.api.read", "1")]);
    assert_eq!((answer.status(), answer.header("retry-after").is_some()), (429, true));
}

#[test]
fn where_the_key_cannot_be_listed_none_is_left_that_works() {
    let world = world();
    let mut ada = Person::sign_in(&world, ADA);
    ada.get("/account/keys");
    world.platform.lost.borrow_mut().push("registration");
    assert_eq!(ada.post("/account/keys", &[("name", "Lost"), ("may.api.read", "1")]).status(), 503);
    world.platform.lost.borrow_mut().clear();
    assert!(listed(&mut ada).contains("None."));
}
