//! A client wants its person to have signed in a short while ago (`prompt=login`, `max_age`): what a provider's word is worth then.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{GITHUB, GOOGLE, ID, grant, press, sign_in_with, world};
use crate::oauth::{BACK, allowed, exchange, query, register};
use crate::person::Person;
use crate::world::{Answer, World};

/// Follows redirects of ours.
fn follow(person: &mut Person<'_>, mut answer: Answer) -> Answer {
    while let Some(path) = answer.header("location").filter(|to| to.starts_with('/')).map(str::to_owned) {
        answer = person.get(&path);
    }
    answer
}

/// Presses the provider's button and comes back with a sign-in that was there so many seconds ago, if the provider says when.
fn comes_back(person: &mut Person<'_>, world: &World, ago: Option<i64>) -> Answer {
    let away = press(person, ID, &[]);
    assert_eq!((away.get("prompt").as_str(), away.get("max_age").as_str()), ("login", "900"));
    let mut claims = away.claims(world);
    if let Some(ago) = ago {
        claims["auth_time"] = json!(claims["iat"].as_i64().unwrap() - ago);
    }
    grant(world, ID, &claims);
    let answer = person.get(&away.callback("code=c"));
    follow(person, answer)
}

fn asks_for_consent(person: &Person<'_>) -> bool {
    person.page.contains("/oauth2/authorize/consent")
}

#[test]
fn a_provider_that_does_not_say_when_the_person_signed_in_is_not_enough_for_prompt_login() {
    let world = world();
    let client = register(&world, &[BACK]);
    let mut ada = Person::anybody(&world);
    let answer = ada.get(&query(&client, &[("prompt", "login")]));
    follow(&mut ada, answer);
    assert!(ada.page.contains(ID) && !ada.page.contains(GITHUB) && !ada.page.contains(GOOGLE), "only who can be asked for it");
    comes_back(&mut ada, &world, None);
    assert!(!asks_for_consent(&ada) && !ada.page.contains("/login/upstream"), "another way is offered: {}", ada.page);
    let back = ada.again("ada@example.com");
    assert_eq!(ada.get(&back).status(), 200);
    assert!(asks_for_consent(&ada));
}

#[test]
fn one_that_says_it_was_just_now_is() {
    let world = world();
    let client = register(&world, &[BACK]);
    for (ago, fresh) in [(5, true), (600, false)] {
        let mut ada = Person::anybody(&world);
        let answer = ada.get(&query(&client, &[("prompt", "login")]));
        follow(&mut ada, answer);
        comes_back(&mut ada, &world, Some(ago));
        assert_eq!(asks_for_consent(&ada), fresh, "{ago}");
    }
}

#[test]
fn max_age_counts_from_when_the_provider_says_and_auth_time_is_that() {
    let world = world();
    let client = register(&world, &[BACK]);
    let mut ada = Person::anybody(&world);
    sign_in_with(&mut ada, &world, ID, |_| {});
    assert_eq!(ada.get(&query(&client, &[("max_age", "3600")])).status(), 303, "nobody knows since when");
    assert_eq!(ada.get(&query(&client, &[])).status(), 200);
    ada.get("/account");
    ada.post("/logout", &[]);
    let now = world.platform.now.get().seconds();
    sign_in_with(&mut ada, &world, ID, |claims| claims["auth_time"] = json!(now - 1000));
    assert_eq!(ada.get(&query(&client, &[("max_age", "900")])).status(), 303);
    let code = allowed(&mut ada, &client, &[("max_age", "3600"), ("scope", "openid api.read")]);
    let token = exchange(&world, &client, &code).text("id_token");
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap();
    assert_eq!(claims["auth_time"], json!(now - 1000));
    // One that is ahead of us has not signed anybody in tomorrow.
    ada.get("/account");
    ada.post("/logout", &[]);
    sign_in_with(&mut ada, &world, ID, |claims| claims["auth_time"] = json!(now + 86_400));
    world.later(100);
    assert_eq!(ada.get(&query(&client, &[("max_age", "60")])).status(), 303);
}
