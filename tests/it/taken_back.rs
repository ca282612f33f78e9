//! All agents of a person at once: by the person, by the operator, and past those of which nothing is left.

use postern::account::{Agent, Command, Connection, Feed, Outcome};
use postern::id::{AccountId, GrantId, RegistrationId};
use postern::store::Accounts;
use serde_json::json;

use crate::oauth;
use crate::person::{Person, page};
use crate::world::{Answer, START, World, block};

const ADA: &str = "ada@example.com";
const CLAIM: &str = "urn:workos:agent-auth:grant-type:claim";

/// Ada at her browser, and agents that ask her.
struct Agents<'w> {
    world: &'w World,
    ada: Person<'w>,
}

impl<'w> Agents<'w> {
    fn of(world: &'w World) -> Self {
        Self { world, ada: Person::sign_in(world, ADA) }
    }

    /// Approved, not yet picked up: its claim token and its registration.
    fn approve(&mut self) -> (String, String) {
        let agent = self.world.json("/agent/identity", &json!({ "type": "anonymous" })).json();
        let token = agent["claim_token"].as_str().unwrap().to_owned();
        let start = json!({ "type": "login_hint", "claim_token": token, "login_hint": ADA });
        let started = self.world.json("/agent/identity/claim", &start).json();
        assert_eq!(self.ada.get(&page(started["claim_attempt"]["verification_uri"].as_str().unwrap())).status(), 200);
        let code = started["claim_attempt"]["user_code"].as_str().unwrap();
        assert_eq!(self.ada.post("/agent/identity/claim/complete", &[("user_code", code)]).status(), 200);
        (token, agent["registration_id"].as_str().unwrap().to_owned())
    }

    /// Claimed: its registration and its access token.
    fn claim(&mut self) -> (String, String) {
        let (token, registration) = self.approve();
        let got = poll(self.world, &token);
        assert_eq!(got.status(), 200, "{}", got.json());
        let access = got.text("access_token");
        assert_eq!(self.world.call(&access), 200);
        (registration, access)
    }
}

fn poll(world: &World, token: &str) -> Answer {
    world.form("/oauth2/token", &[("grant_type", CLAIM), ("claim_token", token)])
}

fn ada(world: &World) -> AccountId {
    world.platform.accounts.borrow().keys().next().unwrap().parse().unwrap()
}

fn run(world: &World, command: Command) -> Outcome {
    block(world.platform.account(&ada(world), command)).unwrap()
}

/// The account lists an agent whose registration nobody has ever seen.
fn ghost(world: &World, number: u8, claimed: postern::time::Timestamp) {
    let agent = Agent {
        registration: RegistrationId::from_bytes([number; 16]),
        kind: "anonymous".to_owned(),
        name: None,
        provider: None,
        created: START,
        claimed,
        used: None,
        ended: None,
        key: None,
    };
    assert_eq!(run(world, Command::Feed(Feed { sequence: 1, agent, events: Vec::new() })), Outcome::Done);
}

fn operate(world: &World, path: &str) -> Answer {
    let headers = [("content-type", "application/json"), ("authorization", "Bearer operator-operator-operator-operator")];
    world.send("192.0.2.1", "POST", path, &headers, &json!({ "email": ADA }).to_string())
}

/// Four live agents, with dead rows before, between and behind them: their tokens.
fn crowd(world: &World) -> (Person<'_>, Vec<String>) {
    let mut agents = Agents::of(world);
    let mut live = Vec::new();
    ghost(world, 1, world.platform.now.get());
    for number in 2..6 {
        world.later(1);
        live.push(agents.claim().1);
        world.later(1);
        ghost(world, number, world.platform.now.get());
    }
    // One whose record is lost.
    let (registration, _) = agents.claim();
    assert!(world.platform.cells.borrow_mut().remove(&format!("registration/{registration}")).is_some());
    world.ring();
    assert_eq!(agents.ada.get("/account").status(), 200);
    (agents.ada, live)
}

fn world() -> World {
    World::new(&[("REGISTRATIONS_PER_NETWORK_PER_HOUR", "1000"), ("LIVENESS_TTL", "1")])
}

#[test]
fn the_person_ends_all_live_agents_past_dead_rows() {
    let world = world();
    let (mut ada, live) = crowd(&world);
    let answer = ada.post("/account/agents/revoke-all", &[]);
    assert_eq!((answer.status(), answer.header("location")), (303, Some("/account?done=agents")));
    assert!(live.iter().all(|token| world.call(token) == 401));
}

#[test]
fn the_operator_suspends_all_live_agents_past_dead_rows_and_resumes_them() {
    let world = world();
    let (_, live) = crowd(&world);
    let done = operate(&world, "/operator/people/suspend");
    assert_eq!((done.status(), done.text("status").as_str()), (200, "suspended"));
    assert!(live.iter().all(|token| world.call(token) == 401));
    assert_eq!(operate(&world, "/operator/people/resume").status(), 200);
    assert!(live.iter().all(|token| world.call(token) == 200), "they rested, and no more");
}

#[test]
fn what_becomes_of_everything_becomes_of_the_oldest_too() {
    let world = world();
    let mut agents = Agents::of(&world);
    // The oldest of each: behind more than a page of others.
    let (_, agent) = agents.claim();
    let client = oauth::register(&world, &[oauth::BACK]);
    let code = oauth::allowed(&mut agents.ada, &client, &[]);
    let connected = oauth::exchange(&world, &client, &code).text("access_token");
    world.later(1);
    for number in 0..130 {
        ghost(&world, number + 1, world.platform.now.get());
        let (grant, client) = (GrantId::from_bytes([number + 1; 16]), format!("https://app{number}.example.com/client.json"));
        let (scope, created) = ("api.read".parse().unwrap(), world.platform.now.get());
        let told = Connection { grant, sequence: 1, client, name: None, scope, resources: Vec::new(), created, used: None, ended: None };
        assert_eq!(run(&world, Command::Connect(told)), Outcome::Done);
    }
    assert!([&agent, &connected].iter().all(|token| world.call(token) == 200));
    let done = operate(&world, "/operator/people/suspend").json();
    assert_eq!((&done["agents"], &done["clients"]), (&json!(131), &json!(131)));
    assert!([&agent, &connected].iter().all(|token| world.call(token) == 401));
}

#[test]
fn the_operator_erases_past_dead_rows() {
    let world = world();
    let (mut ada, live) = crowd(&world);
    let done = operate(&world, "/operator/people/erase");
    assert_eq!((done.status(), done.text("status").as_str()), (200, "erased"));
    assert!(live.iter().all(|token| world.call(token) == 401));
    assert_eq!(ada.get("/account").status(), 303);
    assert_eq!(operate(&world, "/operator/people/erase").status(), 404);
}

#[test]
fn more_than_a_page_of_dead_rows_hides_no_live_agent() {
    let world = world();
    let mut agents = Agents::of(&world);
    let (_, oldest) = agents.claim();
    for number in 0..=250 {
        world.later(1);
        ghost(&world, number, world.platform.now.get());
    }
    world.later(1);
    let (_, newest) = agents.claim();
    assert_eq!(agents.ada.get("/account").status(), 200);
    assert_eq!((world.call(&oldest), world.call(&newest)), (200, 200));
    assert_eq!(agents.ada.post("/account/agents/revoke-all", &[]).status(), 303);
    assert_eq!((world.call(&oldest), world.call(&newest)), (401, 401));
}

/// One of the agents does not answer; that keeps no other from hearing of it, and whoever asked is told to ask again.
fn past_a_lost_one(act: impl Fn(&World, &mut Person<'_>) -> Answer) {
    let world = world();
    let mut agents = Agents::of(&world);
    let three: Vec<(String, String)> = (0..3).map(|_| agents.claim()).collect();
    let name: &'static str = Box::leak(format!("registration/{}", three[1].0).into_boxed_str());
    assert_eq!(agents.ada.get("/account").status(), 200);
    world.platform.lost.borrow_mut().push(name);
    assert_eq!(act(&world, &mut agents.ada).status(), 503);
    assert_eq!([world.call(&three[0].1), world.call(&three[2].1)], [401, 401], "the others have heard");
    world.platform.lost.borrow_mut().clear();
    let again = act(&world, &mut agents.ada);
    assert!([200, 303].contains(&again.status()), "{}", again.json());
    assert_eq!(world.call(&three[1].1), 401, "and now it has, too");
}

#[test]
fn an_agent_that_does_not_answer_keeps_no_other_from_being_ended() {
    past_a_lost_one(|_, ada| {
        assert_eq!(ada.get("/account").status(), 200);
        ada.post("/account/agents/revoke-all", &[])
    });
}

#[test]
fn an_agent_that_does_not_answer_keeps_no_other_from_being_suspended() {
    past_a_lost_one(|world, _| operate(world, "/operator/people/suspend"));
}

#[test]
fn an_agent_that_does_not_answer_keeps_no_other_from_being_erased() {
    past_a_lost_one(|world, _| operate(world, "/operator/people/erase"));
}

#[test]
fn whoever_is_being_erased_is_barred_before_their_agents_end() {
    let world = world();
    let mut agents = Agents::of(&world);
    let (first, access) = agents.claim();
    let (waiting, _) = agents.approve();
    let name: &'static str = Box::leak(format!("registration/{first}").into_boxed_str());
    world.platform.lost.borrow_mut().push(name);
    assert_eq!(operate(&world, "/operator/people/erase").status(), 503, "it stops half-way");
    // What can be had then: nothing.
    assert!(matches!(run(&world, Command::Look), Outcome::Person(person) if person.suspended));
    assert_eq!(agents.ada.get("/account").status(), 303);
    assert!(poll(&world, &waiting).status() >= 400, "an approval from before brings nothing");
    let late = world.json("/agent/identity", &json!({ "type": "service_auth", "login_hint": ADA })).json();
    let mut other = Person::at(&world, "198.51.100.7");
    assert_eq!(other.get("/login").status(), 200);
    assert_eq!(other.post("/login", &[("email", ADA)]).status(), 200);
    assert_eq!(other.post("/login/code", &[("code", &crate::person::mailed_code(&world))]).status(), 403, "nobody comes in");
    assert_eq!(other.get(&page(late["claim"]["verification_uri"].as_str().unwrap())).status(), 303, "so nobody approves");
    world.platform.lost.borrow_mut().clear();
    assert_eq!(operate(&world, "/operator/people/erase").status(), 200);
    assert_eq!(world.call(&access), 401);
    assert!(poll(&world, &waiting).json().get("access_token").is_none());
}
