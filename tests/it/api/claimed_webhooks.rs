//! Webhooks that were made before a person claimed the root.

use postern::id::RegistrationId;
use serde_json::{Value, json};

use super::party::{Party, key};
use super::webhooks::{answers, logs, received, subscribe};
use crate::person::Person;
use crate::provider::{admitted, asked, event_of, former::confirm, push, word, world};
use crate::world::World;

const OLD: &str = "https://old.example.com/";
const BELOW: &str = "https://below.example.com/";
const NEW: &str = "https://new.example.com/";

fn party<'w>(world: &'w World, id: &RegistrationId) -> Party<'w> {
    Party { world, id: id.clone(), key: key(world, id), claim_token: String::new() }
}

/// Ada's agent, for which a provider has vouched.
fn adas(world: &World) -> Party<'_> {
    let agent = admitted(world, &word(world, "user-1", "ada@example.com"));
    world.ring();
    party(world, &agent["registration_id"].as_str().unwrap().parse().unwrap())
}

/// The provider takes its word about Ada back and vouches for Bob, who says yes. No alarm has rung since.
fn pass_to_bob<'w>(world: &'w World, before: &Party<'_>) -> Party<'w> {
    assert_eq!(push(world, &event_of(world, "user-1")), 202);
    world.ring();
    let mut bob = Person::sign_in(world, "bob@example.com");
    confirm(&mut bob, &asked(world, &word(world, "user-1", "bob@example.com")));
    party(world, &before.id)
}

fn shown(party: &Party<'_>, id: &Value) -> Value {
    party.get(&format!("/webhooks/{}", id.as_str().unwrap())).json()["data"].clone()
}

#[test]
fn who_had_an_agent_before_another_claimed_it_hears_nothing_more_by_their_webhooks() {
    let world = world();
    let ada = adas(&world);
    let child = ada.child(1);
    let hooks = [subscribe(&ada, OLD, &json!(["*"])), subscribe(&child, BELOW, &json!(["*"]))].map(|hook| hook["id"].clone());
    child.happen();
    world.later(0);
    let heard = || [OLD, BELOW].map(|url| received(&world, url).len());
    assert_eq!(heard(), [1, 1], "they do not answer: what was to be told waits");
    let bob = pass_to_bob(&world, &ada);
    world.ring();
    let before = heard();
    [OLD, BELOW].iter().for_each(|url| answers(&world, url, 200));
    party(&world, &child.id).happen();
    bob.happen();
    world.later(1_000_000);
    assert_eq!(heard(), before, "nothing of what was under way, of the claim or of later");
    for hook in &hooks {
        let shown = shown(&bob, hook);
        assert_eq!((&shown["enabled"], &shown["disabled_reason"]), (&json!(false), &json!("claimed")), "{shown}");
        assert!(shown["disabled_at"].is_string() && shown["disabled_hint"].as_str().unwrap().contains("Make it anew"), "{shown}");
        assert!(logs(&bob, hook).iter().all(|log| log["state"] == "dead"), "{:?}", logs(&bob, hook));
        assert_eq!(bob.send("DELETE", &format!("/webhooks/{}", hook.as_str().unwrap()), &Value::Null).status(), 204);
    }
    let audited = bob.audited("&event_type=webhook.disabled");
    assert_eq!(audited.iter().map(|row| &row["metadata"]["reason"]).collect::<Vec<_>>(), [&json!("claimed"); 2]);
    assert_eq!(bob.audited("&event_type=claim.completed").len(), 1, "Bob's: of Ada's there was nothing to keep yet");
}

#[test]
fn webhooks_that_the_new_owner_s_agents_make_are_told_of_the_claim_and_stay() {
    let world = world();
    let ada = adas(&world);
    subscribe(&ada, OLD, &json!(["*"]));
    answers(&world, NEW, 200);
    let bob = pass_to_bob(&world, &ada);
    // The account has not been told of the claim yet.
    let hook = subscribe(&bob, NEW, &json!(["claim.*"]))["id"].clone();
    world.ring();
    world.later(1);
    assert_eq!(push(&world, &event_of(&world, "user-1")), 202);
    world.ring();
    world.later(1);
    let types: Vec<Value> = received(&world, NEW)
        .iter()
        .map(|sent| serde_json::from_str::<Value>(&sent.content.as_ref().unwrap().1).unwrap()["type"].clone())
        .collect();
    assert_eq!(types, ["claim.completed", "claim.revoked"]);
    let again = pass_to_bob(&world, &bob);
    world.ring();
    assert_eq!(shown(&again, &hook)["disabled_reason"], "claimed", "whoever claims it: it was made before");
}
