//! `id_token_hint` of an authorization request: whom the client means.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::flow::{EVERYTHING, VERIFIER, client, connect, query};
use crate::person::Person;
use crate::world::{Answer, World};

/// What is asked for, as form or query.
fn request(id: &str, more: &[(&str, &str)]) -> Vec<(String, String)> {
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
    let fields = [
        ("client_id", id),
        ("response_type", "code"),
        ("redirect_uri", "https://rp1.example.com/cb"),
        ("scope", EVERYTHING),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    fields.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn borrowed(fields: &[(String, String)]) -> Vec<(&str, &str)> {
    fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

fn push(world: &World, id: &str, more: &[(&str, &str)]) -> Answer {
    world.form("/oauth2/par", &borrowed(&request(id, more)))
}

/// Whether the browser comes back with a code; else with `login_required`.
fn gets_a_code(person: &mut Person<'_>, fields: &[(&str, &str)]) -> bool {
    let answer = person.get(&format!("/oauth2/authorize?{}", query(fields)));
    let location = answer.header("location").unwrap_or_else(|| panic!("{}", person.page)).to_owned();
    assert!(location.starts_with("https://rp1.example.com/cb?"), "{location}");
    assert_ne!(location.contains("code="), location.contains("error=login_required"), "{location}");
    location.contains("code=")
}

#[test]
fn a_pushed_hint_counts_like_one_in_the_query() {
    let world = World::new(&[]);
    let id = client(&world, 1, &json!({}));
    let (mut ada, mut bob) = (Person::sign_in(&world, "ada@example.com"), Person::sign_in(&world, "bob@example.com"));
    let token = connect(&world, &mut ada, 1, &id, EVERYTHING).text("id_token");
    connect(&world, &mut bob, 1, &id, EVERYTHING);
    for more in [&[("id_token_hint", token.as_str()), ("prompt", "none")][..], &[("id_token_hint", &token)]] {
        for (person, meant) in [(&mut ada, true), (&mut bob, false)] {
            let uri = push(&world, &id, more).text("request_uri");
            assert_eq!(gets_a_code(person, &[("client_id", &id), ("request_uri", &uri)]), meant, "{more:?}");
            assert_eq!(gets_a_code(person, &borrowed(&request(&id, more))), meant, "{more:?}");
        }
    }
    assert_eq!(push(&world, &id, &[("id_token_hint", &"a".repeat(4097))]).status(), 400);
}

#[test]
fn a_hint_that_cannot_be_read_holds_up_only_who_must_not_be_asked() {
    let world = World::new(&[]);
    let (id, other) = (client(&world, 1, &json!({})), client(&world, 2, &json!({})));
    let mut ada = Person::sign_in(&world, "ada@example.com");
    connect(&world, &mut ada, 1, &id, EVERYTHING);
    let of_another = connect(&world, &mut ada, 2, &other, EVERYTHING).text("id_token");
    for (hint, silent, asked) in [("e30.e30.AAAA", false, true), ("x", false, true), (of_another.as_str(), false, false)] {
        assert_eq!(gets_a_code(&mut ada, &borrowed(&request(&id, &[("id_token_hint", hint), ("prompt", "none")]))), silent, "{hint}");
        assert_eq!(gets_a_code(&mut ada, &borrowed(&request(&id, &[("id_token_hint", hint)]))), asked, "{hint}");
    }
}
