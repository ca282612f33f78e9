//! Rows that need more than one step: where a person is sent back to, what a client is granted, how an agent begins.

use serde_json::json;

use crate::clients::mcp_remote;
use crate::oauth::{VERIFIER, carried, find, query, register};
use crate::person::Person;
use crate::world::{ISSUER, World};

#[test]
fn row_02_the_uri_that_was_asked_for_is_sent_back_to_and_redeemed_and_no_other() {
    let world = World::new(&[]);
    let client = register(&world, &["http://localhost:1/cb", "http://127.0.0.1:1/cb"]);
    let mut ada = Person::sign_in(&world, "ada@example.com");
    for asked in ["http://localhost:50001/cb", "http://127.0.0.1:50002/cb"] {
        assert_eq!(ada.get(&query(&client, &[("redirect_uri", asked)])).status(), 200);
        let answer = ada.post("/oauth2/authorize/consent", &[("answer", "allow")]);
        assert!(answer.header("location").unwrap().starts_with(&format!("{asked}?")), "no other port, and no other host");
        let code = find(&carried(&answer), "code");
        let redeem = |back: &str| {
            let fields = [("grant_type", "authorization_code"), ("client_id", &*client), ("code", &code), ("code_verifier", VERIFIER)];
            world.form("/oauth2/token", &[&fields[..], &[("redirect_uri", back)]].concat())
        };
        for other in ["http://localhost:1/cb", "http://localhost:50003/cb", "http://127.0.0.1:50001/cb", "http://localhost:50001/cb/"] {
            assert_eq!(redeem(other).text("error"), "invalid_grant", "{other}");
        }
        assert_eq!(redeem(asked).status(), 200);
    }
}

#[test]
fn row_22_who_asks_for_too_much_gets_what_there_is() {
    let world = World::new(&[("SCOPES_SUPPORTED", "api.read api.write api.admin")]);
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let mut body = mcp_remote();
    body["scope"] = json!("api.read");
    let client = world.json("/oauth2/register", &body).text("client_id");
    let back = ("redirect_uri", "http://localhost:3334/oauth/callback");
    for (asked, granted) in [
        ("api.read api.write", "api.read api.write"),
        ("api.read api.write api.admin openid offline_access", "api.read api.write offline_access openid"),
        ("api.read mcp.everything", "api.read"),
        ("", "api.read api.write"),
    ] {
        assert_eq!(ada.get(&query(&client, &[back, ("scope", asked)])).status(), 200, "{asked}");
        let code = find(&carried(&ada.post("/oauth2/authorize/consent", &[("answer", "allow")])), "code");
        let fields = [("grant_type", "authorization_code"), ("client_id", &*client), ("code", &code), ("code_verifier", VERIFIER)];
        let answer = world.form("/oauth2/token", &[&fields[..], &[back]].concat());
        assert_eq!(answer.text("scope"), granted, "{asked}");
    }
    let challenge = world.get("/mcp").header("www-authenticate").unwrap().to_owned();
    assert!(challenge.contains("scope=\"api.read\""), "the least, for clients that ask for no more than this");
}

#[test]
fn row_41_one_call_registers_one_link_claims_and_what_was_before_the_claim_is_over() {
    let world = World::new(&[]);
    let agent = world.json("/agent/identity", &json!({ "type": "anonymous" })).json();
    let assertion = agent["identity_assertion"].as_str().unwrap().to_owned();
    let exchange = |assertion: &str| {
        world.form("/oauth2/token", &[("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", assertion)])
    };
    let token = exchange(&assertion).text("access_token");
    assert_eq!(world.call(&token), 200, "registered, with a token, and at work");
    let body = json!({ "type": "login_hint", "claim_token": agent["claim_token"], "login_hint": "ada@example.com" });
    let attempt = world.json("/agent/identity/claim", &body).json()["claim_attempt"].clone();
    let link = attempt["verification_uri"].as_str().unwrap();
    assert!(link.starts_with(ISSUER), "one link");
    let page = crate::person::page(link);
    let mut ada = Person::sign_in(&world, "ada@example.com");
    assert_eq!(ada.get(&page).status(), 200);
    let code = attempt["user_code"].as_str().unwrap();
    let done = ada.post("/agent/identity/claim/complete", &[("user_code", code)]);
    assert!(done.status() < 400, "{} {}", done.status(), ada.page);
    let poll = [("grant_type", "urn:workos:agent-auth:grant-type:claim"), ("claim_token", agent["claim_token"].as_str().unwrap())];
    let claimed = world.form("/oauth2/token", &poll);
    assert_eq!(claimed.status(), 200, "{}", claimed.json());
    assert_eq!((world.call(&token), exchange(&assertion).status()), (401, 400), "what it had before is over");
    assert_eq!(exchange(&claimed.text("identity_assertion")).status(), 200);
}
