//! An ID-JAG with `scope` or `resource`: what comes of it is never worth more than it says.

use serde_json::{Value, json};

use super::{JWT_BEARER, admitted, asked, exchange, present, presented, signed, with, word, world, world_with};
use crate::clock::claims;
use crate::person::{Person, page};
use crate::world::World;

const API: &str = "https://api.example.com/v1";
const NARROW: &str = "https://narrow.example.com/v1";
const MCP: &str = "https://auth.example.com/mcp";
const RESOURCES: &str = r#"[{"uri":"https://api.example.com/v1","alternates":["https://api.example.com/legacy/"]},{"uri":"https://narrow.example.com/v1","scopes":["api.read"]}]"#;

fn apis() -> World {
    world_with(&[("RESOURCES", RESOURCES)])
}

/// The claims of an ID-JAG of somebody new, with a restriction.
fn limited(world: &World, scope: Option<&str>, resource: Option<&str>) -> Value {
    let who = super::name();
    let mut claims = word(world, &who, &format!("{who}@example.com"));
    for (name, value) in [("scope", scope), ("resource", resource)] {
        if let Some(value) = value {
            claims[name] = value.into();
        }
    }
    claims
}

fn set(scope: &str) -> Vec<&str> {
    scope.split(' ').filter(|name| !name.is_empty()).collect()
}

/// Whatever is asked for with an assertion: what is given is within the restriction, and all that may be given is given.
fn judge(world: &World, assertion: &str, scope: Option<&str>, resource: Option<&str>) {
    let own = claims(assertion);
    assert_eq!((own["scope"].as_str(), own["resource"].as_str()), (scope, resource), "the assertion carries it");
    for wanted in [None, Some("api.read"), Some("api.write"), Some("api.read api.write"), Some("admin")] {
        for target in [None, Some(API), Some("https://api.example.com/legacy/"), Some(NARROW), Some(MCP)] {
            let more: Vec<(&str, &str)> =
                [wanted.map(|scope| ("scope", scope)), target.map(|uri| ("resource", uri))].into_iter().flatten().collect();
            let about = format!("{scope:?} {resource:?} asked for {more:?}");
            let answer = exchange(world, assertion, &more);
            let aud = match target.or(resource) {
                Some("https://api.example.com/legacy/") => API,
                Some(named) => named,
                None => MCP,
            };
            let may = |name: &&str| scope.is_none_or(|scope| set(scope).contains(name)) && (aud != NARROW || *name == "api.read");
            let most: Vec<&str> = ["api.read", "api.write"].into_iter().filter(may).collect();
            let expected = if resource.is_some_and(|only| only != aud) {
                Err("invalid_target")
            } else if most.is_empty() || wanted.is_some_and(|wanted| !set(wanted).iter().all(|name| most.contains(name))) {
                Err("invalid_scope")
            } else {
                Ok(wanted.map_or(most.join(" "), str::to_owned))
            };
            match expected {
                Ok(given) => {
                    assert_eq!(answer.status(), 200, "{about}: {}", answer.json());
                    let token = claims(&answer.text("access_token"));
                    assert_eq!((token["scope"].as_str(), token["aud"].as_str()), (Some(given.as_str()), Some(aud)), "{about}");
                    assert_eq!(answer.text("scope"), given, "{about}");
                }
                Err(code) => assert_eq!((answer.status(), answer.text("error").as_str()), (400, code), "{about}"),
            }
        }
    }
}

#[test]
fn a_token_by_our_assertion_is_never_wider_than_the_id_jag() {
    let world = apis();
    for (scope, resource) in [
        (None, None),
        (Some("api.read"), None),
        (None, Some(API)),
        (Some("api.write"), Some(NARROW)),
        (Some("api.read api.write"), Some(MCP)),
        (Some("api.read other"), None),
        (Some(""), None),
        (Some("admin"), Some(API)),
    ] {
        let assertion = admitted(&world, &limited(&world, scope, resource))["identity_assertion"].as_str().unwrap().to_owned();
        judge(&world, &assertion, scope, resource);
    }
}

#[test]
fn an_agent_that_an_id_jag_claims_gets_no_more_than_it_says() {
    let world = apis();
    for (scope, resource) in [(Some("api.read"), Some(API)), (None, Some(NARROW)), (Some("api.write"), None), (None, None)] {
        let agent = world.json("/agent/identity", &json!({ "type": "anonymous" }));
        let assertion = signed(&limited(&world, scope, resource));
        let body = json!({ "type": "identity_assertion", "claim_token": agent.text("claim_token"), "assertion": assertion });
        let claimed = world.json("/agent/identity/claim", &body);
        assert_eq!(claimed.status(), 200, "{}", claimed.json());
        assert_eq!(claimed.json()["identity"]["assertion"], claimed.json()["identity_assertion"]);
        judge(&world, &claimed.text("identity_assertion"), scope, resource);
    }
}

#[test]
fn the_restriction_is_of_the_word_and_not_of_the_agent() {
    let world = apis();
    let all = limited(&world, None, None);
    let of =
        |claims: &Value| admitted(&world, &with(claims, "jti", json!(super::name())))["identity_assertion"].as_str().unwrap().to_owned();
    let (wide, narrow) = (of(&all), of(&with(&all, "scope", json!("api.read"))));
    judge(&world, &of(&all), None, None);
    judge(&world, &narrow, Some("api.read"), None);
    judge(&world, &wide, None, None);
}

#[test]
fn a_word_that_comes_again_once_its_person_has_confirmed_is_as_restricted() {
    let world = apis();
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let step = asked(&world, &word(&world, "user-1", "ada@example.com"));
    assert_eq!(ada.get(&page(step["claim"]["verification_uri"].as_str().unwrap())).status(), 200);
    assert_eq!(ada.post("/agent/identity/claim/complete", &[("user_code", step["claim"]["user_code"].as_str().unwrap())]).status(), 200);
    let narrow = with(&word(&world, "user-1", "ada@example.com"), "scope", json!("api.read"));
    let assertion = admitted(&world, &narrow)["identity_assertion"].as_str().unwrap().to_owned();
    judge(&world, &assertion, Some("api.read"), None);
}

#[test]
fn straight_for_a_token_the_same_holds() {
    let world = apis();
    for (scope, resource, aud, given) in [
        (Some("api.read"), None, MCP, "api.read"),
        (Some("api.read other"), Some(API), API, "api.read"),
        (None, Some(NARROW), NARROW, "api.read"),
        (None, Some("https://api.example.com/legacy/"), API, "api.read api.write"),
    ] {
        let answer = exchange(&world, &signed(&limited(&world, scope, resource)), &[]);
        let token = claims(&answer.text("access_token"));
        assert_eq!((token["aud"].as_str(), token["scope"].as_str()), (Some(aud), Some(given)));
    }
    for (scope, resource) in [(Some(""), None), (Some("admin"), None), (Some("api.write"), Some(NARROW))] {
        assert_eq!(exchange(&world, &signed(&limited(&world, scope, resource)), &[]).text("error"), "invalid_scope");
    }
}

#[test]
fn a_foreign_resource_is_refused_everywhere_and_nothing_comes_of_it() {
    let world = world();
    let agent = world.json("/agent/identity", &json!({ "type": "anonymous" }));
    for resource in ["https://other.example.com", "https://api.example.com/v1/items", "https://api.example.com/v1#f", "", "x"] {
        let claims = limited(&world, None, Some(resource));
        let v01 = |kind: &str| world.json("/agent/auth", &with(&presented(&claims), "requested_credential_type", json!(kind)));
        let claim = json!({ "type": "identity_assertion", "claim_token": agent.text("claim_token"), "assertion": signed(&claims) });
        for answer in [present(&world, &claims), v01("api_key"), v01("access_token"), world.json("/agent/identity/claim", &claim)] {
            assert_eq!((answer.status(), answer.text("error").as_str()), (400, "invalid_audience"), "{resource}");
        }
        let straight = world.form("/oauth2/token", &[("grant_type", JWT_BEARER), ("assertion", &signed(&claims))]);
        assert_eq!((straight.status(), straight.text("error").as_str()), (400, "invalid_grant"), "{resource}");
        assert!(world.platform.accounts.borrow().is_empty(), "nobody was made");
        admitted(&world, &with(&claims, "resource", json!(API)));
        world.platform.accounts.borrow_mut().clear();
    }
}

#[test]
fn the_first_dialect_has_no_credential_for_a_restricted_word() {
    let world = apis();
    for (scope, resource) in
        [(Some("api.read"), None), (Some("api.read api.write"), None), (Some(""), None), (None, Some(API)), (Some("api.read"), Some(MCP))]
    {
        let claims = limited(&world, scope, resource);
        for path in ["/agent/auth", "/api/agent/auth"] {
            for kind in ["api_key", "access_token"] {
                let answer = world.json(path, &with(&presented(&claims), "requested_credential_type", json!(kind)));
                assert_eq!(
                    (answer.status(), answer.text("error").as_str()),
                    (400, "unsupported_credential_type"),
                    "{scope:?} {resource:?}"
                );
            }
        }
        // It is not used up, and good where it can be restricted.
        let assertion = admitted(&world, &claims)["identity_assertion"].as_str().unwrap().to_owned();
        judge(&world, &assertion, scope, resource);
    }
}
