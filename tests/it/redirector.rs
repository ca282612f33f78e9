//! Nobody's browser is sent to a stranger's address before its person has signed in (RFC 9700, section 4.11.2).

use serde_json::{Value, json};

use crate::clients::register;
use crate::person::Person;
use crate::provider::publish;
use crate::world::{Answer, World};

const WEB: &str = "https://evil.example/login?a=b";
const DEVICE: &str = "http://127.0.0.1:7777/cb";
const SCHEME: &str = "com.example.app:/cb";
const URL: &str = "https://app.example.net/client.json";
const GOOD: &str = "&response_type=code&code_challenge_method=S256&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

fn world() -> World {
    let configured =
        json!([{ "client_id": "portal", "client_name": "Portal", "redirect_uris": [WEB], "token_endpoint_auth_method": "none" }]);
    World::new(&[("CLIENTS", &configured.to_string())])
}

fn stranger(world: &World) -> String {
    let body = json!({ "redirect_uris": [WEB, DEVICE, SCHEME], "token_endpoint_auth_method": "none" });
    let answer: Value = register(world, &body);
    answer["client_id"].as_str().unwrap().to_owned()
}

fn ask(person: &mut Person<'_>, client: &str, redirect: &str, more: &str) -> Answer {
    let fields = [("client_id", client), ("redirect_uri", redirect), ("state", "s\"><script>")];
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    person.get(&format!("/oauth2/authorize?{query}{more}"))
}

/// The address that the page's button leads to.
fn button(person: &Person<'_>) -> Option<String> {
    let (_, rest) = person.page.split_once("href=\"https://evil.example")?;
    Some(format!("https://evil.example{}", rest.split('"').next()?.replace("&#38;", "&")))
}

#[test]
fn an_error_of_a_client_that_anybody_can_register_is_shown_to_a_stranger_and_not_taken_away() {
    let world = world();
    publish(&world, URL, &json!({ "client_id": URL, "redirect_uris": [WEB], "token_endpoint_auth_method": "none" }), None);
    let registered = stranger(&world);
    for client in [registered.as_str(), URL] {
        for wrong in ["&response_type=x", "", &format!("{GOOD}&scope=nothing"), &format!("{GOOD}&prompt=none%20login")] {
            let mut anybody = Person::anybody(&world);
            let answer = ask(&mut anybody, client, WEB, wrong);
            assert_eq!((answer.status(), answer.header("location"), answer.header("refresh")), (400, None, None), "{client} {wrong}");
            assert!(anybody.page.contains("Go back to <bdi>evil.example</bdi>") && !anybody.page.contains("<script>"), "{}", anybody.page);
            let leads = button(&anybody).unwrap();
            assert!(leads.starts_with("https://evil.example/login?a=b&error="), "{leads}");
            assert!(leads.contains("&state=s%22%3E%3Cscript%3E") && leads.ends_with("&iss=https%3A%2F%2Fauth.example.com"), "{leads}");
        }
    }
    let mut anybody = Person::anybody(&world);
    ask(&mut anybody, &registered, WEB, "&response_type=x");
    assert!(anybody.page.contains("unsupported_response_type: Only response_type=code is supported."));
}

#[test]
fn everybody_else_is_answered_by_a_redirect() {
    let world = world();
    let id = stranger(&world);
    let goes = |person: &mut Person<'_>, client: &str, redirect: &str, more: &str, error: &str| {
        let answer = ask(person, client, redirect, more);
        let location = answer.header("location").unwrap_or_default();
        assert!(
            answer.status() == 302 && location.starts_with(redirect) && location.contains(&format!("error={error}&")),
            "{more} {location}"
        );
    };
    let mut anybody = Person::anybody(&world);
    // Nothing may be shown: RFC 9700 excepts it.
    goes(&mut anybody, &id, WEB, &format!("{GOOD}&prompt=none"), "login_required");
    goes(&mut anybody, &id, WEB, "&response_type=x&prompt=none", "unsupported_response_type");
    // A program on the person's own device waits for its answer.
    goes(&mut anybody, &id, DEVICE, "&response_type=x", "unsupported_response_type");
    goes(&mut anybody, &id, SCHEME, "&response_type=x", "unsupported_response_type");
    // The operator answers for it.
    goes(&mut anybody, "portal", WEB, "&response_type=x", "unsupported_response_type");
    let mut ada = Person::sign_in(&world, "ada@example.com");
    goes(&mut ada, &id, WEB, "&response_type=x", "unsupported_response_type");
}
