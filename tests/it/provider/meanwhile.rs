//! A provider takes back its word, or owner or operator the agent, at every moment between the first look at an ID-JAG and the answer.

use postern::id::{AccountId, RegistrationId};
use postern::machine::registration::{Command, Outcome, Registration};
use postern::store::Cells;
use serde_json::{Value, json};

use super::{JWT_BEARER, admitted, asked, event_of, exchange, present, presented, push, signed, word, world};
use crate::person::Person;
use crate::world::{Answer, Payload, World, block};

const ADA: (&str, &str) = ("user-1", "ada@example.com");

/// What a request brings its sender still works.
fn works(world: &mut World, answer: &Answer) -> bool {
    // Another isolate, or a second later.
    world.forget();
    let body = answer.json();
    let text = |name: &str| body[name].as_str().map(str::to_owned);
    text("access_token").is_some_and(|token| world.call(&token) == 200)
        || text("identity_assertion").is_some_and(|assertion| exchange(world, &assertion, &[]).status() == 200)
}

/// Sends a request again and again in a new world each time, with something else in between: after no call, after one, and so on.
fn at_every_moment(
    prepare: impl Fn(&World) -> (&'static str, Vec<(String, String)>, Value),
    meanwhile: impl Fn(&World),
    judge: impl Fn(&mut World, &Answer, usize),
) {
    for calls in 0..64 {
        let mut world = world();
        let (path, form, json) = prepare(&world);
        let fields: Vec<(&str, &str)> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let sent = if fields.is_empty() { Payload::Json(json) } else { Payload::Form(&fields) };
        let (answer, under_way) = world.interrupted((path, &sent), calls, || meanwhile(&world));
        world.ring();
        judge(&mut world, &answer, calls);
        if !under_way {
            assert!(calls > 4, "nothing was interrupted: {calls}");
            return;
        }
    }
    panic!("it never ends");
}

fn identity(world: &World) -> (&'static str, Vec<(String, String)>, Value) {
    ("/agent/identity", Vec::new(), presented(&word(world, ADA.0, ADA.1)))
}

fn straight(world: &World) -> (&'static str, Vec<(String, String)>, Value) {
    let assertion = signed(&word(world, ADA.0, ADA.1));
    ("/oauth2/token", vec![("grant_type".into(), JWT_BEARER.into()), ("assertion".into(), assertion)], Value::Null)
}

fn claim(world: &World) -> (&'static str, Vec<(String, String)>, Value) {
    let agent = world.json("/agent/identity", &json!({ "type": "anonymous" }));
    let assertion = signed(&word(world, ADA.0, ADA.1));
    (
        "/agent/identity/claim",
        Vec::new(),
        json!({ "type": "identity_assertion", "claim_token": agent.text("claim_token"), "assertion": assertion }),
    )
}

fn taken_back(world: &World) {
    assert_eq!(push(world, &event_of(world, ADA.0)), 202);
}

/// Nothing works, and the next word of the provider asks.
fn over(world: &mut World, answer: &Answer, calls: usize) {
    assert!(!works(world, answer), "after {calls} calls: {}", answer.json());
    asked(world, &word(world, ADA.0, ADA.1));
}

#[test]
fn an_event_while_somebody_known_is_let_in_leaves_nothing_alive() {
    for request in [identity, straight, claim] {
        at_every_moment(|world| (admitted(world, &word(world, ADA.0, ADA.1)), request(world)).1, taken_back, over);
    }
}

#[test]
fn an_event_while_a_newcomer_is_let_in_leaves_nothing_alive_once_the_subject_is_known() {
    for request in [identity, straight, claim] {
        let known = std::cell::Cell::new(false);
        let before = |world: &World| {
            known.set(world.platform.cells.borrow().keys().any(|name| name.starts_with("link/")));
            taken_back(world);
        };
        let moments = std::cell::Cell::new(0);
        at_every_moment(request, before, |world, answer, calls| {
            if known.get() {
                moments.set(moments.get() + 1);
                over(world, answer, calls);
            } else {
                // The event was about nobody: who comes after it is new.
                assert!(works(world, answer), "after {calls} calls: {}", answer.json());
            }
        });
        assert!(moments.get() > 3, "{}", moments.get());
    }
}

#[test]
fn an_event_while_a_person_is_being_asked_leaves_no_question_of_before_it() {
    for before in [true, false] {
        let prepare = |world: &World| {
            Person::sign_in(world, ADA.1);
            if before {
                asked(world, &word(world, ADA.0, ADA.1));
            }
            identity(world)
        };
        let (open, over) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
        at_every_moment(prepare, taken_back, |world, answer, calls| {
            let Some(claim_token) = answer.json()["claim_token"].as_str().map(str::to_owned) else {
                assert_eq!(answer.status(), 503, "after {calls} calls: {}", answer.json());
                over.set(over.get() + 1);
                return;
            };
            let polled =
                world.form("/oauth2/token", &[("grant_type", "urn:workos:agent-auth:grant-type:claim"), ("claim_token", &claim_token)]);
            match polled.text("error").as_str() {
                "expired_token" => over.set(over.get() + 1),
                "authorization_pending" => {
                    let said = generation(world, "registration/", "/state/claim/attempt/vouched/generation");
                    assert_eq!(said, generation(world, "link/", "/state/generation"), "after {calls} calls: it is of before the event");
                    open.set(open.get() + 1);
                }
                other => panic!("{other}"),
            }
        });
        assert!(open.get() > 0 && over.get() > 1, "{} {}", open.get(), over.get());
    }
}

/// A generation in the one record of this kind.
fn generation(world: &World, kind: &str, path: &str) -> u64 {
    let cells = world.platform.cells.borrow();
    let (_, record) = cells.iter().find(|(name, _)| name.starts_with(kind)).unwrap();
    serde_json::from_str::<Value>(record).unwrap().pointer(path).unwrap().as_u64().unwrap()
}

#[test]
fn what_the_owner_or_the_operator_takes_back_meanwhile_is_not_brought_back() {
    fn registration(world: &World) -> RegistrationId {
        let cells = world.platform.cells.borrow();
        let link = cells.iter().find(|(name, _)| name.starts_with("link/")).unwrap().1;
        let link: Value = serde_json::from_str(link).unwrap();
        link["state"]["registrations"][0].as_str().unwrap().parse().unwrap()
    }
    fn owner(world: &World) {
        let id: AccountId = world.platform.accounts.borrow().keys().next().unwrap().parse().unwrap();
        let ended = block(world.platform.run::<Registration>(&registration(world), Command::EndBy(id))).unwrap();
        assert!(matches!(ended, Outcome::Standing(standing) if standing.ended));
    }
    fn operator(world: &World) {
        let key = [("authorization", "Bearer operator-operator-operator-operator"), ("content-type", "application/json")];
        let body = json!({ "registration_id": registration(world) }).to_string();
        assert_eq!(world.send("192.0.2.3", "POST", "/operator/registrations/revoke", &key, &body).status(), 200);
    }
    for request in [identity, straight] {
        for end in [owner as fn(&World), operator] {
            at_every_moment(|world| (admitted(world, &word(world, ADA.0, ADA.1)), request(world)).1, end, over);
        }
    }
}

#[test]
fn a_word_that_comes_while_an_event_is_carried_out_is_dead_after_it() {
    for request in [identity, straight, claim] {
        for calls in 0..16 {
            let mut world = world();
            admitted(&world, &word(&world, ADA.0, ADA.1));
            let (path, form, json) = request(&world);
            let fields: Vec<(&str, &str)> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let mut answer = None;
            let event = event_of(&world, ADA.0);
            let (told, under_way) = world.interrupted(("/agent/event/notify", &Payload::Event(&event)), calls, || {
                answer = Some(if fields.is_empty() { world.json(path, &json) } else { world.form(path, &fields) });
            });
            assert_eq!(told.status(), 202);
            world.ring();
            if under_way {
                over(&mut world, &answer.unwrap(), calls);
            } else {
                assert!(calls > 1);
                assert_ne!(present(&world, &word(&world, ADA.0, ADA.1)).status(), 200);
                break;
            }
        }
    }
}
