//! Agents that other agents answer for: what they may do is what their root may, for as long as everybody above them counts.

use postern::id::RegistrationId;
use postern::machine::registration::{Command, NewKey, Outcome, Registration, Said};
use postern::secret::{ApiKey, Secret};
use postern::time::{Timestamp, Ttl};
use serde_json::json;

use crate::person::{Person, page};
use crate::world::{Answer, World, block};

const ADA: &str = "ada@example.com";

/// A tree: the root, its child, and the child of that.
struct Tree<'w> {
    world: &'w World,
    root: RegistrationId,
    claim_token: String,
    child: RegistrationId,
    grandchild: RegistrationId,
}

impl<'w> Tree<'w> {
    fn of(world: &'w World) -> Self {
        let agent = world.json("/agent/identity", &json!({ "type": "anonymous" })).json();
        let root: RegistrationId = agent["registration_id"].as_str().unwrap().parse().unwrap();
        let [child, grandchild] = [7, 8].map(|name| RegistrationId::from_bytes([name; 16]));
        let tree = Self { world, root, claim_token: agent["claim_token"].as_str().unwrap().to_owned(), child, grandchild };
        tree.run(&tree.child, Command::Adopt { ancestors: vec![tree.root.clone()], expires: Timestamp::NEVER, said: Said::default() });
        let ancestors = vec![tree.root.clone(), tree.child.clone()];
        tree.run(&tree.grandchild, Command::Adopt { ancestors, expires: Timestamp::NEVER, said: Said::default() });
        tree
    }

    fn run(&self, id: &RegistrationId, command: Command) -> Outcome {
        block(postern::store::Cells::run::<Registration>(&self.world.platform, id, command)).unwrap()
    }

    /// A new API key of that agent.
    fn key(&self, id: &RegistrationId, name: u8, new: impl FnOnce(NewKey) -> NewKey) -> String {
        let secret = Secret::<ApiKey>::mint(&self.world.config.api_key_prefix, id.digits(), [name; 32], &self.world.config.masters.current);
        let plain = NewKey { digest: secret.digest(), scope: None, lifetime: None, expires: None, limited: false, root_generation: None };
        assert!(matches!(self.run(id, Command::AddManagedKey(new(plain))), Outcome::Credential(..)));
        // What was heard of the agent before is older than the key.
        secret.reveal()
    }

    fn claim(&self) {
        let mut ada = Person::sign_in(self.world, ADA);
        let start = json!({ "type": "login_hint", "claim_token": self.claim_token, "login_hint": ADA });
        let started = self.world.json("/agent/identity/claim", &start).json();
        assert_eq!(ada.get(&page(started["claim_attempt"]["verification_uri"].as_str().unwrap())).status(), 200);
        let code = started["claim_attempt"]["user_code"].as_str().unwrap();
        assert_eq!(ada.post("/agent/identity/claim/complete", &[("user_code", code)]).status(), 200);
    }
}

fn token(world: &World, key: &str, more: &[(&str, &str)]) -> Answer {
    world.form("/oauth2/token", &[&[("grant_type", "client_credentials"), ("client_secret", key)], more].concat())
}

fn scopes(world: &World, bearer: &str) -> String {
    let me = world.send("192.0.2.1", "GET", "/api/v1/auth/me", &[("authorization", &format!("Bearer {bearer}"))], "");
    let all: Vec<String> = me.json()["scopes"].as_array().unwrap().iter().map(|scope| scope.as_str().unwrap().to_owned()).collect();
    all.join(" ")
}

#[test]
fn what_suspends_or_ends_an_agent_stops_all_below_it_within_a_second_and_what_brings_it_back_does_too() {
    let world = World::new(&[]);
    let tree = Tree::of(&world);
    let key = tree.key(&tree.grandchild, 1, |key| key);
    let access = token(&world, &key, &[]).text("access_token");
    assert_eq!((world.call(&access), world.call(&key)), (200, 200));
    for above in [&tree.root, &tree.child] {
        tree.run(above, Command::Pause(true));
        world.later(1);
        assert_eq!((world.call(&access), world.call(&key)), (401, 401), "{above}");
        assert_eq!(token(&world, &key, &[]).text("error"), "invalid_client");
        tree.run(above, Command::Pause(false));
        world.later(1);
        assert_eq!((world.call(&access), world.call(&key), token(&world, &key, &[]).status()), (200, 200, 200), "{above}");
    }
    tree.run(&tree.root, Command::EndByOperator);
    world.later(1);
    assert_eq!((world.call(&access), world.call(&key), token(&world, &key, &[]).status()), (401, 401, 401));
}

#[test]
fn a_tree_dies_with_its_unclaimed_root() {
    let world = World::new(&[]);
    let tree = Tree::of(&world);
    let key = tree.key(&tree.child, 1, |key| key);
    assert_eq!(token(&world, &key, &[]).status(), 200);
    world.later(world.config.ttls.unclaimed.seconds());
    assert_eq!((world.call(&key), token(&world, &key, &[]).status()), (401, 401));
}

#[test]
fn a_child_may_what_its_root_may_and_a_key_that_is_older_than_the_claim_what_it_could() {
    let world = World::new(&[]);
    let tree = Tree::of(&world);
    let before = tree.key(&tree.child, 1, |key| NewKey { limited: true, ..key });
    assert_eq!(scopes(&world, &before), "api.read");
    assert_eq!(token(&world, &before, &[("scope", "api.write")]).text("error"), "invalid_scope");
    tree.claim();
    let after = tree.key(&tree.child, 2, |key| key);
    world.later(1);
    assert_eq!((scopes(&world, &before).as_str(), scopes(&world, &after).as_str()), ("api.read", "api.read api.write"));
    assert_eq!(token(&world, &after, &[]).text("scope"), "api.read api.write");
    assert_eq!(token(&world, &before, &[]).text("scope"), "api.read");
}

#[test]
fn a_key_brings_no_more_than_its_scope_and_its_tokens_live_as_long_as_it_says() {
    let world = World::new(&[]);
    let tree = Tree::of(&world);
    tree.claim();
    world.later(1);
    let lifetime = Some(Ttl::from_seconds(86_400));
    let wide = tree.key(&tree.child, 1, |key| NewKey { scope: Some("api.*".parse().unwrap()), lifetime, ..key });
    let narrow = tree.key(&tree.child, 2, |key| NewKey { scope: Some("api.write other.read".parse().unwrap()), ..key });
    let wide = token(&world, &wide, &[]);
    assert_eq!((wide.text("scope").as_str(), wide.json()["expires_in"].as_u64()), ("api.read api.write", Some(86_400)));
    let of_narrow = token(&world, &narrow, &[]);
    assert_eq!((of_narrow.text("scope").as_str(), of_narrow.json()["expires_in"].as_u64()), ("api.write", Some(900)));
    assert_eq!(token(&world, &narrow, &[("scope", "api.read")]).text("error"), "invalid_scope");
    let introspected = |text: &str| {
        let headers = [("authorization", format!("Bearer {text}")), ("content-type", "application/x-www-form-urlencoded".to_owned())];
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        world.send("192.0.2.1", "POST", "/oauth2/introspect", &headers, &format!("token={text}")).json()
    };
    assert_eq!(introspected(&narrow)["scope"], "api.write", "the key itself, shown as it is, brings no more");
    world.later(80_000);
    assert_eq!(world.call(&wide.text("access_token")), 200);
}

#[test]
fn what_is_given_back_while_an_agent_is_suspended_stays_given_back() {
    let world = World::new(&[]);
    let tree = Tree::of(&world);
    let (key, kept) = (tree.key(&tree.child, 1, |key| key), tree.key(&tree.child, 2, |key| key));
    let [first, second] = [(); 2].map(|()| token(&world, &kept, &[]).text("access_token"));
    for above in [&tree.child, &tree.root] {
        tree.run(above, Command::Pause(true));
    }
    world.later(1);
    for given_back in [&key, &first] {
        assert_eq!(world.form("/oauth2/revoke", &[("token", given_back)]).status(), 200);
    }
    for above in [&tree.child, &tree.root] {
        tree.run(above, Command::Pause(false));
    }
    world.later(1);
    assert_eq!((world.call(&key), world.call(&first), world.call(&second), world.call(&kept)), (401, 401, 200, 200));
}

#[test]
fn who_acts_for_somebody_stops_with_whoever_is_above_it() {
    let world = World::new(&[]);
    let tree = Tree::of(&world);
    let actor = token(&world, &tree.key(&tree.grandchild, 1, |key| key), &[]).text("access_token");
    let other = world.json("/agent/auth", &json!({ "type": "anonymous", "requested_credential_type": "api_key" })).text("credential");
    let subject = token(&world, &other, &[]).text("access_token");
    let access = "urn:ietf:params:oauth:token-type:access_token";
    let acting = world.form(
        "/oauth2/token",
        &[
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("subject_token", &subject),
            ("subject_token_type", access),
            ("actor_token", &actor),
            ("actor_token_type", access),
        ],
    );
    let acting = acting.text("access_token");
    assert_eq!(world.call(&acting), 200);
    for above in [&tree.root, &tree.child] {
        tree.run(above, Command::Pause(true));
        world.later(1);
        assert_eq!((world.call(&acting), world.call(&subject)), (401, 200), "{above}");
        tree.run(above, Command::Pause(false));
        world.later(1);
        assert_eq!(world.call(&acting), 200, "{above}");
    }
    tree.run(&tree.root, Command::EndByOperator);
    world.later(1);
    assert_eq!((world.call(&acting), world.call(&subject)), (401, 200));
}
