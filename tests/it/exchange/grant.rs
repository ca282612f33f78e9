//! Tokens of clients: their own, and those of people.

use postern::account;
use postern::grant::CODE;
use postern::id::{AccountId, GrantId};
use postern::machine::client::Keeper;
use postern::machine::grant::{Command, Grant, Outcome, Terms};
use postern::secret::{AuthorizationCode, Secret};
use postern::store::{Accounts, Cells};
use postern::time::Ttl;
use serde_json::json;

use super::{ACCESS, API, EXCHANGE, acting, agent, chain, exchange, got, is, mcp, payload, world};
use crate::client::registered;
use crate::provider;
use crate::world::{World, block};

const VERIFIER: &str = "a-verifier-of-forty-three-characters-or-more";
const CALLBACK: &str = "https://app.example.net/cb";

fn client(world: &World, grants: &[&str]) -> (String, String) {
    registered(world, &json!({ "redirect_uris": [CALLBACK], "grant_types": grants }), Keeper::Operator)
}

/// What a person has agreed to, as a token of the client.
fn of_person(world: &World, (id, secret): &(String, String), resource: &str, scope: &str, n: u8) -> String {
    let account = AccountId::from_bytes([3; 16]);
    let name = GrantId::of(Some(&account), id);
    let code = Secret::<AuthorizationCode>::mint(CODE, name.digits(), [n; 32], &world.config.masters.current);
    let challenge = crate::exchange::grant::s256(VERIFIER);
    let terms = Terms {
        resource: resource.to_owned(),
        scope: scope.parse::<postern::oauth::scope::Scope>().unwrap().entitle(),
        redirect_uri: Some(CALLBACK.to_owned()),
        challenge: Some(challenge),
        nonce: None,
        auth_time: world.platform.now.get(),
        method: "mail".to_owned(),
        session: None,
        jkt: None,
    };
    let (digest, client) = (code.digest(), id.clone());
    let approve =
        Command::Approve { name: name.clone(), account, client, client_name: None, code: digest, terms, life: Ttl::from_seconds(60) };
    assert!(matches!(block(world.platform.run::<Grant>(&name, approve)).unwrap(), Outcome::Approved(..)));
    let code = code.reveal();
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("code_verifier", VERIFIER),
        ("redirect_uri", CALLBACK),
        ("client_id", id),
        ("client_secret", secret),
    ];
    got(&world.form("/oauth2/token", &fields))
}

fn s256(verifier: &str) -> String {
    use base64::Engine;
    use sha2::Digest;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(sha2::Sha256::digest(verifier))
}

#[test]
fn a_client_exchanges_what_is_its_own() {
    let world = world();
    let client = client(&world, &["client_credentials", EXCHANGE]);
    let (id, secret) = (client.0.as_str(), client.1.as_str());
    let shown = [("client_id", id), ("client_secret", secret)];
    let subject = got(&world.form("/oauth2/token", &[&[("grant_type", "client_credentials")], &shown[..]].concat()));
    is(&exchange(&world, &subject, &[]), 401, "invalid_client");
    is(&exchange(&world, &subject, &[("client_id", id)]), 401, "invalid_client");
    is(&exchange(&world, &subject, &[("client_secret", &agent(&world).key)]), 400, "invalid_request");
    let token = got(&exchange(&world, &subject, &shown));
    assert_eq!((payload(&token)["grant"].clone(), payload(&token)["sub"].clone()), (payload(&subject)["grant"].clone(), json!(id)));
    assert_eq!(world.call(&token), 200);
    assert_eq!(payload(&got(&exchange(&world, &subject, &[&shown[..], &[("resource", API)]].concat())))["aud"], json!(API));
    is(&exchange(&world, &subject, &[&shown[..], &[("resource", "https://people.example.com")]].concat()), 400, "access_denied");
    world.form("/oauth2/revoke", &[("token", &subject)]);
    assert_eq!(world.call(&token), 401);
}

#[test]
fn a_client_has_to_have_registered_the_grant() {
    let world = world();
    let client = client(&world, &["client_credentials"]);
    let shown = [("client_id", client.0.as_str()), ("client_secret", client.1.as_str())];
    let subject = got(&world.form("/oauth2/token", &[&[("grant_type", "client_credentials")], &shown[..]].concat()));
    is(&exchange(&world, &subject, &shown), 400, "unauthorized_client");
}

#[test]
fn a_person_agrees_for_each_resource() {
    let world = world();
    let client = client(&world, &["authorization_code", EXCHANGE]);
    let shown = [("client_id", client.0.as_str()), ("client_secret", client.1.as_str())];
    let subject = of_person(&world, &client, &mcp(), "api.read api.write", 1);
    let there = [&shown[..], &[("resource", API)]].concat();
    is(&exchange(&world, &subject, &there), 400, "invalid_target");
    assert_eq!(exchange(&world, &subject, &shown).text("scope"), "api.read api.write");
    of_person(&world, &client, API, "api.read", 2);
    let answer = exchange(&world, &subject, &there);
    assert_eq!((payload(&got(&answer))["aud"].clone(), answer.text("scope")), (json!(API), "api.read".to_owned()));
    is(&exchange(&world, &subject, &[("resource", API)]), 401, "invalid_client");
}

#[test]
fn an_agent_acts_for_a_person() {
    let world = world();
    let client = client(&world, &["authorization_code", EXCHANGE]);
    let subject = of_person(&world, &client, &mcp(), "api.read api.write", 1);
    let actor = agent(&world);
    let shown = actor.token(&world, &[("scope", "api.read")]);
    let token = got(&acting(&world, &subject, &shown, &[]));
    assert_eq!((payload(&token)["sub"].clone(), chain(&token)), (payload(&subject)["sub"].clone(), vec![actor.id.clone()]));
    assert_eq!(payload(&token)["scope"], "api.read");
    assert_eq!(world.call(&token), 200);
    let named = [("actor_token", subject.as_str()), ("actor_token_type", ACCESS)];
    let both = [&named[..], &[("client_id", client.0.as_str()), ("client_secret", client.1.as_str())]].concat();
    let by_client = got(&exchange(&world, &shown, &both));
    assert_eq!(payload(&by_client)["act"]["client_id"], json!(client.0));
    is(&exchange(&world, &shown, &named), 401, "invalid_client");
    world.form("/oauth2/revoke", &[("token", &subject)]);
    assert_eq!((world.call(&token), world.call(&by_client)), (401, 401));
}

fn events(world: &World, account: &AccountId) -> Vec<String> {
    world.ring();
    let asked = account::Command::Events { before: None, limit: 100 };
    let account::Outcome::Events(events, _) = block(world.platform.account(account, asked)).unwrap() else { panic!() };
    events.into_iter().filter(|(_, event)| event.name == "token.exchanged").map(|(_, event)| event.detail).collect()
}

#[test]
fn a_person_can_read_who_exchanged_a_token_in_their_name() {
    let world = world();
    let client = client(&world, &["authorization_code", EXCHANGE]);
    let shown = [("client_id", client.0.as_str()), ("client_secret", client.1.as_str())];
    let ada = AccountId::from_bytes([3; 16]);
    let open = account::Command::Open { email: Some("ada@example.com".to_owned()), phone: None, provider: None };
    block(world.platform.account(&ada, open)).unwrap();
    let subject = of_person(&world, &client, &mcp(), "api.read api.write", 1);
    is(&exchange(&world, &subject, &[]), 401, "invalid_client");
    assert_eq!(events(&world, &ada), [""; 0]);
    for _ in 0..3 {
        got(&exchange(&world, &subject, &shown));
    }
    let by_client = format!("{} for {}", client.0, mcp());
    assert_eq!(events(&world, &ada), [by_client.as_str()], "once an hour");
    let actor = agent(&world);
    got(&acting(&world, &subject, &actor.token(&world, &[("scope", "api.read")]), &[]));
    assert_eq!(events(&world, &ada), [by_client.as_str()], "whoever asks");
    world.later(3600);
    let subject = of_person(&world, &client, &mcp(), "api.read api.write", 2);
    got(&acting(&world, &subject, &actor.token(&world, &[("scope", "api.read")]), &[]));
    assert_eq!(events(&world, &ada), [format!("{} for {}", actor.id, mcp()), by_client]);
    world.later(3600);
    let subject = of_person(&world, &client, &mcp(), "api.read api.write", 3);
    world.platform.lost.borrow_mut().push("account");
    let other = agent(&world);
    got(&acting(&world, &subject, &other.token(&world, &[("scope", "api.read")]), &[]));
    assert!(world.platform.warnings.borrow().iter().any(|warning| warning.starts_with("exchange_not_noted")));
}

#[test]
fn and_so_can_the_owner_of_an_agent() {
    let world = provider::world();
    let body = json!({
        "type": "identity_assertion", "assertion_type": "urn:ietf:params:oauth:token-type:id-jag",
        "assertion": provider::signed(&provider::claims()),
    });
    let identity = world.json("/agent/identity", &body).json();
    let assertion = identity["identity"]["assertion"].as_str().unwrap_or_else(|| panic!("{identity}"));
    let fields = [("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", assertion)];
    let token = got(&world.form("/oauth2/token", &fields));
    got(&exchange(&world, &token, &[]));
    let owner: AccountId = world.platform.accounts.borrow().keys().next().unwrap().parse().unwrap();
    let agent = identity["registration_id"].as_str().unwrap();
    assert_eq!(events(&world, &owner), [format!("{agent} for {}", payload(&token)["aud"].as_str().unwrap())]);
}
