//! Which browsers count as signed in, and for what that is enough.

use postern::account::{Command, Outcome, Passkey, Session};
use postern::id::AccountId;
use postern::store::Accounts;
use serde_json::{Value, json};

use crate::person::Person;
use crate::provider;
use crate::world::{START, World, block};

const ADA: &str = "ada@example.com";

/// The account of this address.
fn account(world: &World, email: &str) -> AccountId {
    let ids: Vec<AccountId> = world.platform.accounts.borrow().keys().map(|id| id.parse().unwrap()).collect();
    let is_of = |id: &AccountId| matches!(run(world, id, Command::Look), Outcome::Person(person) if person.email.as_deref() == Some(email));
    ids.into_iter().find(is_of).unwrap()
}

fn run(world: &World, id: &AccountId, command: Command) -> Outcome {
    block(world.platform.account(id, command)).unwrap()
}

fn sessions(world: &World, id: &AccountId) -> Vec<Session> {
    match run(world, id, Command::Sessions) {
        Outcome::Sessions(sessions) => sessions,
        other => panic!("{other:?}"),
    }
}

fn passkeys(world: &World, id: &AccountId) -> usize {
    match run(world, id, Command::Passkeys) {
        Outcome::Passkeys(passkeys) => passkeys.len(),
        other => panic!("{other:?}"),
    }
}

/// The records of sessions, by name.
fn records(world: &World) -> Vec<(String, String)> {
    let cells = world.platform.cells.borrow();
    cells.iter().filter(|(name, _)| name.starts_with("session/")).map(|(name, text)| (name.clone(), text.clone())).collect()
}

fn keep(world: &World, name: &str, record: String) {
    world.platform.cells.borrow_mut().insert(name.to_owned(), record);
}

fn is_in(person: &mut Person<'_>) -> bool {
    let answer = person.get("/account");
    assert!([200, 303].contains(&answer.status()));
    answer.status() == 200
}

#[test]
fn a_session_that_was_ended_elsewhere_is_dead_even_where_its_record_is_left_over() {
    let world = World::new(&[]);
    let (mut here, mut there) = (Person::sign_in(&world, ADA), Person::sign_in(&world, ADA));
    let before = records(&world);
    assert_eq!(before.len(), 2);
    assert!(is_in(&mut there) && is_in(&mut here));
    assert_eq!(here.post("/account/sessions/end-others", &[]).status(), 303);
    assert!(is_in(&mut here) && !is_in(&mut there));
    assert_eq!(records(&world).len(), 1);
    // As if the record had outlived it: an end that got no further, or a copy of the storage from before.
    for (name, record) in before {
        keep(&world, &name, record);
    }
    assert!(is_in(&mut here) && !is_in(&mut there), "it is not on the list, and nobody could end it");
    assert_eq!(there.post("/account/agents/revoke-all", &[]).status(), 403, "nor do its forms count");
    assert_eq!(sessions(&world, &account(&world, ADA)).len(), 1, "using it lists it no more");
}

#[test]
fn a_session_that_its_account_never_listed_does_not_count() {
    let world = World::new(&[]);
    let mut ada = Person::sign_in(&world, ADA);
    let id = account(&world, ADA);
    let listed = sessions(&world, &id).remove(0);
    assert!(is_in(&mut ada));
    run(&world, &id, Command::SignedOut(listed.id.clone()));
    assert!(!is_in(&mut ada), "its record is there and whole, but the account knows nothing of it");
    assert_eq!(records(&world).len(), 1);
    run(&world, &id, Command::SignedIn(listed));
    assert!(is_in(&mut ada), "that was the only thing that it lacked");
}

#[test]
fn a_record_that_names_another_person_is_no_way_into_their_account() {
    let world = World::new(&[]);
    let mut eve = Person::sign_in(&world, "eve@example.com");
    let (name, record) = records(&world).remove(0);
    let mut ada = Person::sign_in(&world, ADA);
    let mut forged: Value = serde_json::from_str(&record).unwrap();
    assert_eq!(forged["state"]["account"], json!(account(&world, "eve@example.com")));
    forged["state"]["account"] = json!(account(&world, ADA));
    keep(&world, &name, forged.to_string());
    assert!(!is_in(&mut eve), "the session is not one of Ada's");
    assert!(is_in(&mut ada));
    keep(&world, &name, record);
    assert!(is_in(&mut eve));
}

#[test]
fn a_session_that_fell_off_the_list_is_over() {
    let world = World::new(&[("MAILS_PER_ADDRESS_PER_HOUR", "1000"), ("MAILS_PER_NETWORK_PER_HOUR", "1000")]);
    let mut people: Vec<Person<'_>> = (0..51)
        .map(|_| {
            world.later(1);
            Person::sign_in(&world, ADA)
        })
        .collect();
    assert_eq!(records(&world).len(), 50);
    let alive: Vec<bool> = people.iter_mut().map(is_in).collect();
    assert_eq!(alive.iter().position(|alive| *alive), Some(1), "the first one cannot be seen, so it cannot be used");
    assert_eq!(alive.iter().filter(|alive| **alive).count(), 50);
}

#[test]
fn where_the_record_cannot_be_written_nobody_is_signed_in() {
    let world = World::new(&[]);
    let mut ada = Person::at(&world, "198.51.100.7");
    ada.get("/login");
    ada.post("/login", &[("email", ADA)]);
    let code = crate::person::mailed_code(&world);
    world.platform.lost.borrow_mut().push("session");
    assert_eq!(ada.post("/login/code", &[("code", &code)]).status(), 503);
    world.platform.lost.borrow_mut().clear();
    assert!(!is_in(&mut ada));
    assert_eq!(records(&world), []);
}

#[test]
fn a_passkey_is_removed_only_after_a_fresh_sign_in() {
    let world = World::new(&[]);
    let mut ada = Person::sign_in(&world, ADA);
    let id = account(&world, ADA);
    for number in 1..=3 {
        let key = json!({ "kty": "EC", "crv": "P-256", "alg": "ES256", "x": "x", "y": "y" });
        let (credential, name) = (format!("credential-{number}"), "Key".to_owned());
        let passkey = Passkey { credential, key, sign_count: 0, name, created: START, used: None };
        assert_eq!(run(&world, &id, Command::AddPasskey(passkey)), Outcome::Done);
    }
    let remove = |ada: &mut Person<'_>, number: u32| {
        assert_eq!(ada.get("/account").status(), 200);
        let answer = ada.post("/account/passkeys/remove", &[("credential", &format!("credential-{number}"))]);
        (answer.status(), answer.header("location").unwrap().to_owned())
    };
    world.later(899);
    assert_eq!(remove(&mut ada, 1), (303, "/account?done=passkey".to_owned()));
    assert_eq!(passkeys(&world, &id), 2);
    world.later(1);
    let login = "/login?return_to=%2Faccount&max_age=900".to_owned();
    assert_eq!(remove(&mut ada, 2), (303, login.clone()));
    assert_eq!(passkeys(&world, &id), 2, "nothing is removed");
    assert!(is_in(&mut ada), "and nobody signed out");
    // Going there and back is not enough: a code has to be typed.
    assert_eq!(ada.get(&login).status(), 200);
    assert!(ada.page.contains("Confirm that it is you"), "{}", ada.page);
    assert_eq!(remove(&mut ada, 2), (303, login.clone()));
    ada.come_in(&login, ADA);
    assert_eq!(remove(&mut ada, 2), (303, "/account?done=passkey".to_owned()));
    assert_eq!(passkeys(&world, &id), 1);
}

#[test]
fn whoever_was_vouched_for_before_they_came_is_told_so_for_good() {
    let world = provider::world();
    let notice = "Provider linked agents to this address before you first signed in";
    let vouched = |subject: &str, jti: &str, email: &str| {
        let claims = provider::with(&provider::claims(), "sub", json!(subject));
        let claims = provider::with(&provider::with(&claims, "jti", json!(jti)), "email", json!(email));
        let body = json!({
            "type": "identity_assertion", "assertion_type": "urn:ietf:params:oauth:token-type:id-jag", "assertion": provider::signed(&claims),
        });
        world.json("/agent/identity", &body)
    };
    let let_in = vouched("ada", "first", ADA);
    assert_eq!(let_in.status(), 200, "{}", let_in.json());
    for time in ["at the first sign-in", "and at the next"] {
        let mut ada = Person::sign_in(&world, ADA);
        assert!(is_in(&mut ada) && ada.page.contains(notice), "{time}: {}", ada.page);
        assert!(ada.page.contains(let_in.json()["registration_id"].as_str().unwrap()), "{time}");
    }
    // The agent's end does not unsay it, nor does the provider's next word.
    let mut ada = Person::sign_in(&world, ADA);
    ada.get("/account");
    assert_eq!(ada.post("/account/agents/revoke-all", &[]).status(), 303);
    world.ring();
    assert_eq!(vouched("ada", "second", ADA).status(), 401, "now she is asked");
    assert!(is_in(&mut ada) && ada.page.contains(notice));

    // Who was here first has nothing to look through.
    let mut bob = Person::sign_in(&world, "bob@example.com");
    assert_eq!(vouched("bob", "third", "bob@example.com").status(), 401, "he is asked");
    assert!(is_in(&mut bob) && !bob.page.contains("before you first signed in"));
}
