//! Whose list an agent is on, when it passes to another account and when it comes back.

use postern::account::{Agent, Command, Outcome};
use postern::id::AccountId;
use serde_json::Value;

use super::{admitted, asked, event_of, exchange, push, word, world, world_with};
use crate::person::{Person, page};
use crate::world::World;

/// The agents that an account lists.
fn agents(world: &World, account: &AccountId) -> Vec<Agent> {
    let accounts = world.platform.accounts.borrow();
    let listed = accounts[account.as_str()].command(&Command::Agents { after: None, limit: 100, live: false }, world.platform.now.get());
    match listed.unwrap() {
        Outcome::Agents(agents, false) => agents,
        other => panic!("{other:?}"),
    }
}

/// Names of the accounts that there are, but those of before.
fn accounts(world: &World, but: &[AccountId]) -> Vec<AccountId> {
    let all = world.platform.accounts.borrow();
    all.keys().map(|name| name.parse().unwrap()).filter(|id| !but.contains(id)).collect()
}

pub fn confirm(person: &mut Person<'_>, step: &Value) {
    assert_eq!(person.get(&page(step["claim"]["verification_uri"].as_str().unwrap())).status(), 200);
    let code = step["claim"]["user_code"].as_str().unwrap();
    assert_eq!(person.post("/agent/identity/claim/complete", &[("user_code", code)]).status(), 200);
}

/// Ada's agent, and an event about it that reached the link alone.
fn half_taken_back(world: &World) -> (AccountId, Value) {
    let identity = admitted(world, &word(world, "user-1", "ada@example.com"));
    let [ada] = <[_; 1]>::try_from(accounts(world, &[])).unwrap();
    world.ring();
    world.platform.lost.borrow_mut().push("registration");
    assert_eq!(push(world, &event_of(world, "user-1")), 202);
    world.platform.lost.borrow_mut().clear();
    assert!(agents(world, &ada)[0].ended.is_none(), "the registration has not heard of it");
    (ada, identity)
}

#[test]
fn a_former_owner_is_told_as_soon_as_the_agent_is_asked_for_by_another() {
    let world = world();
    let (ada, before) = half_taken_back(&world);
    let mut bob = Person::sign_in(&world, "bob@example.com");
    let [bobs] = <[_; 1]>::try_from(accounts(&world, std::slice::from_ref(&ada))).unwrap();
    let step = asked(&world, &word(&world, "user-1", "bob@example.com"));
    assert_eq!(step["id"], before["id"]);
    // Bob answers before any alarm has rung.
    confirm(&mut bob, &step);
    world.ring();
    let listed = agents(&world, &ada);
    assert_eq!((listed.len(), listed[0].ended.is_some()), (1, true), "it is not hers any more");
    assert_eq!(agents(&world, &bobs).len(), 1);
    assert_ne!(exchange(&world, before["identity_assertion"].as_str().unwrap(), &[]).status(), 200);
    let mut ada = Person::sign_in(&world, "ada@example.com");
    assert_eq!(ada.get("/account").status(), 200);
    assert!(!ada.page.contains("name=\"registration\""), "nothing is left there to be ended");
}

#[test]
fn a_former_owner_whose_account_did_not_answer_is_told_later() {
    let world = world();
    let (ada, _) = half_taken_back(&world);
    Person::sign_in(&world, "bob@example.com");
    asked(&world, &word(&world, "user-1", "bob@example.com"));
    world.platform.lost.borrow_mut().push("tell");
    for _ in 0..3 {
        world.later(5);
        assert!(agents(&world, &ada)[0].ended.is_none());
    }
    world.platform.lost.borrow_mut().clear();
    world.later(5);
    assert!(agents(&world, &ada)[0].ended.is_some());
    let told = agents(&world, &ada);
    world.later(60);
    assert_eq!(agents(&world, &ada), told, "once is enough");
}

#[test]
fn a_newcomer_who_takes_an_agent_over_has_it_on_their_list_and_nobody_else_has() {
    let world = world();
    let identity = admitted(&world, &word(&world, "user-1", "ada@example.com"));
    let [ada] = <[_; 1]>::try_from(accounts(&world, &[])).unwrap();
    assert_eq!(push(&world, &event_of(&world, "user-1")), 202);
    world.ring();
    // Nobody has the new address, so the provider brings somebody.
    let again = admitted(&world, &word(&world, "user-1", "eve@example.com"));
    assert_eq!(again["id"], identity["id"]);
    world.ring();
    let [eve] = <[_; 1]>::try_from(accounts(&world, std::slice::from_ref(&ada))).unwrap();
    assert!(agents(&world, &ada)[0].ended.is_some() && agents(&world, &eve)[0].ended.is_none());
    assert_ne!(exchange(&world, identity["identity_assertion"].as_str().unwrap(), &[]).status(), 200);
}

#[test]
fn an_agent_that_comes_back_after_its_question_has_lapsed_is_on_its_owners_list() {
    let world = world_with(&[("UNCLAIMED_REGISTRATION_TTL", "60")]);
    let identity = admitted(&world, &word(&world, "user-1", "ada@example.com"));
    let [ada] = <[_; 1]>::try_from(accounts(&world, &[])).unwrap();
    for _ in 0..3 {
        let again = admitted(&world, &word(&world, "user-1", "ada@example.com"));
        assert_eq!(exchange(&world, again["identity_assertion"].as_str().unwrap(), &[]).status(), 200);
        world.later(3600);
    }
    assert_eq!(push(&world, &event_of(&world, "user-1")), 202);
    asked(&world, &word(&world, "user-1", "ada@example.com"));
    world.ring();
    assert!(agents(&world, &ada)[0].ended.is_some());
    world.later(61);
    // Nobody answered in time; the next question is answered.
    let step = asked(&world, &word(&world, "user-1", "ada@example.com"));
    let mut person = Person::sign_in(&world, "ada@example.com");
    confirm(&mut person, &step);
    world.ring();
    assert_eq!(admitted(&world, &word(&world, "user-1", "ada@example.com"))["id"], identity["id"]);
    assert!(agents(&world, &ada)[0].ended.is_none(), "it is live, so it is listed as live, and can be ended");
}
