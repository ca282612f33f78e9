use serde_json::{Value, json};

use super::{ACCOUNT, GITHUB, is_signed_in, leave, reason, world};
use crate::person::Person;
use crate::provider::{answer, publish};
use crate::world::{Answer, World};

const USER: &str = "https://api.github.com/user";

fn sign_in(person: &mut Person<'_>, world: &World, user: &Value, emails: &Value, more: &str) -> Answer {
    let away = leave(person, GITHUB, ACCOUNT);
    assert!(away.url.as_str().starts_with("https://github.com/login/oauth/authorize?response_type=code&client_id=us&"));
    assert_eq!((away.get("scope").as_str(), away.get("code_challenge_method").as_str()), ("read:user user:email", "S256"));
    assert!(!away.url.as_str().contains("nonce="));
    answer(
        world,
        &format!("{GITHUB}/access_token"),
        200,
        "application/json",
        r#"{"access_token":"gho_x","scope":"user:email"}"#.into(),
        None,
    );
    publish(world, USER, user, None);
    publish(world, &format!("{USER}/emails"), emails, None);
    person.get(&away.callback(&format!("code=c{more}")))
}

fn ada() -> (Value, Value) {
    (
        json!({ "id": 583_231, "login": "ada", "name": null, "email": "public@example.com", "avatar_url": "https://avatars.example.com/a" }),
        json!([
            { "email": "other@example.com", "primary": false, "verified": true },
            { "email": "ada@example.com", "primary": true, "verified": true },
        ]),
    )
}

#[test]
fn whoever_signs_in_is_their_number_and_their_primary_address() {
    let world = world();
    let (user, emails) = ada();
    let mut person = Person::anybody(&world);
    // GitHub names itself in its answers.
    let back = sign_in(&mut person, &world, &user, &emails, "&iss=https%3A%2F%2Fgithub.com%2Flogin%2Foauth");
    assert_eq!(back.status(), 303, "{}", reason(&back));
    assert!(is_signed_in(&mut person) && person.page.contains("<bdi>ada@example.com"));
    let sent = world.platform.sent.borrow();
    let exchange = sent.iter().find(|sent| sent.content.is_some()).unwrap();
    let form = &exchange.content.as_ref().unwrap().1;
    assert!(form.contains("client_id=us&client_secret=github-secret") && form.contains("code_verifier="), "{form}");
    assert!(!exchange.headers.contains_key("authorization"));
    let asked = &sent[sent.len() - 2..];
    assert!(asked.iter().all(|asked| asked.headers["authorization"] == "Bearer gho_x" && asked.headers["user-agent"] == "Postern"));
    drop(sent);
    // Under another name and with another address it is still the same account at GitHub.
    let (mut user, mut emails) = (user, emails);
    (user["login"], emails[1]["email"]) = (json!("countess"), json!("countess@example.com"));
    let mut again = Person::anybody(&world);
    assert_eq!(sign_in(&mut again, &world, &user, &emails, "").status(), 303);
    assert!(is_signed_in(&mut again) && again.page.contains("<bdi>ada@example.com"));
}

#[test]
fn no_other_address_counts() {
    for emails in [
        json!([{ "email": "ada@example.com", "primary": true, "verified": false }]),
        json!([{ "email": "ada@example.com", "primary": false, "verified": true }]),
        json!([{ "email": "ada@example.com", "primary": "true", "verified": 1 }]),
        json!([]),
        json!({ "message": "Not here" }),
    ] {
        let world = world();
        let mut person = Person::anybody(&world);
        assert_eq!(sign_in(&mut person, &world, &ada().0, &emails, "").status(), 200, "{emails}");
        assert!(person.page.contains("GitHub does not vouch for an address") && !is_signed_in(&mut person), "{emails}");
    }
}

#[test]
fn an_answer_that_is_none_signs_nobody_in() {
    let (user, emails) = ada();
    for wrong in [json!({ "login": "ada" }), json!({ "id": "583231" }), json!({ "id": -1 }), json!([]), json!("x")] {
        let world = world();
        let mut person = Person::anybody(&world);
        assert_eq!(sign_in(&mut person, &world, &wrong, &emails, "").status(), 502, "{wrong}");
    }
    let world = world();
    let mut person = Person::anybody(&world);
    let away = leave(&mut person, GITHUB, ACCOUNT);
    let bad = r#"{"error":"bad_verification_code","error_description":"The code passed is incorrect or expired."}"#;
    answer(&world, &format!("{GITHUB}/access_token"), 200, "application/json", bad.into(), None);
    let back = person.get(&away.callback("code=c"));
    assert_eq!((back.status(), reason(&back).contains("200 bad_verification_code")), (502, true));
    let mixed = sign_in(&mut person, &world, &user, &emails, "&iss=https%3A%2F%2Faccounts.google.com");
    assert_eq!(mixed.status(), 410);
    assert!(!is_signed_in(&mut person));
}
