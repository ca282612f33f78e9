//! What must fail, through the front door. Where else the negative list is proven is in `PROVEN`.

use serde_json::json;

use super::replay::encoded;
use crate::client::{URL, document, is};
use crate::oauth::{BACK, VERIFIER, allowed, carried, exchange, find, query, register};
use crate::person::Person;
use crate::provider::{answer, publish, with};
use crate::world::World;

/// The negative list: what, in which file, by which test.
const PROVEN: &[(&str, &str, &str)] = &[
    ("no PKCE", "tests/it/interop/negative.rs", "fn without_a_challenge_there_is_no_code_and_without_a_verifier_no_token"),
    ("plain", "tests/it/interop/negative.rs", "fn a_plain_challenge_is_refused_and_none_is_taken_for_a_verifier"),
    ("wrong verifier", "tests/it/interop/negative.rs", "fn a_wrong_verifier_brings_nothing_and_uses_nothing_up"),
    ("reuse of a code", "tests/it/oauth.rs", "fn a_code_works_once_and_a_replay_ends_what_it_brought"),
    ("reuse of a refresh token", "tests/it/interop/tokens.rs", "fn row_25_parallel_refreshes_bring_one_successor"),
    ("redirect off by one character", "tests/it/interop/negative.rs", "fn a_redirect_uri_that_differs_in_one_character_is_another"),
    ("localhost.evil.com", "tests/it/interop/negative.rs", "fn a_host_that_only_begins_like_loopback_is_refused"),
    ("userinfo trick", "tests/it/interop/negative.rs", "fn a_name_before_the_host_hides_no_host"),
    ("foreign resource", "tests/it/interop/negative.rs", "fn a_foreign_resource_is_refused_at_each_step"),
    ("CIMD mismatch", "tests/it/client/document.rs", "fn a_document_of_another_client_is_none"),
    ("SSRF by name, number, IPv6-mapped", "tests/it/interop/negative.rs", "fn nothing_inside_is_fetched_however_it_is_written"),
    ("SSRF by redirect", "tests/it/interop/negative.rs", "fn a_document_that_redirects_is_not_followed"),
    ("SSRF by redirect, for real", "tests/workerd/id_jag_keys.test.mjs", "redirects are followed nowhere"),
    ("confused deputy", "tests/it/interop/negative.rs", "fn consent_to_one_client_lets_no_other_one_through"),
    (
        "confused deputy, in a browser",
        "tests/workerd/consent_forgery.test.mjs",
        "as a document of another host, with the same name and redirect URI",
    ),
    ("consent forgery", "tests/it/oauth.rs", "fn row_37_a_page_of_consent_belongs_to_one_person_in_one_browser"),
    ("consent forgery, in a browser", "tests/workerd/consent_forgery.test.mjs", "a form of another site answers nothing"),
    ("login CSRF", "tests/it/interop/negative.rs", "fn a_sign_in_that_somebody_else_began_signs_nobody_else_in"),
    ("login CSRF by a provider", "tests/it/upstream/refused.rs", "fn a_browser_that_is_sent_along_somebody_elses_way_is_not_signed_in"),
];

#[test]
fn the_negative_list_is_proven_in_full() {
    for (what, file, test) in PROVEN {
        let source = std::fs::read_to_string(format!("{}/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        assert!(
            source.lines().any(|line| line.trim_start().starts_with("fn ") == test.starts_with("fn ") && line.contains(test)),
            "{what}: {test}"
        );
    }
}

fn redeem(world: &World, client: &str, code: &str, more: &[(&str, &str)]) -> crate::world::Answer {
    let fields = [("grant_type", "authorization_code"), ("client_id", client), ("code", code), ("redirect_uri", BACK)];
    world.form("/oauth2/token", &[&fields, more].concat())
}

#[test]
fn without_a_challenge_there_is_no_code_and_without_a_verifier_no_token() {
    let world = World::new(&[]);
    let mut ada = Person::sign_in(&world, "ada@example.com");
    // A confidential client needs it as well.
    let confidential = world.json("/oauth2/register", &json!({ "redirect_uris": [BACK] })).text("client_id");
    let public = register(&world, &[BACK]);
    for client in [&confidential, &public] {
        for missing in
            [&[("code_challenge", ""), ("code_challenge_method", "")][..], &[("code_challenge", "")], &[("code_challenge_method", "")]]
        {
            let back = carried(&ada.get(&query(client, missing)));
            assert_eq!((find(&back, "error").as_str(), find(&back, "code").as_str()), ("invalid_request", ""), "{missing:?}");
        }
    }
    let code = allowed(&mut ada, &public, &[]);
    is(&redeem(&world, &public, &code, &[]), 400, "invalid_request");
    is(&redeem(&world, &public, &code, &[("code_verifier", "")]), 400, "invalid_request");
    assert_eq!(exchange(&world, &public, &code).status(), 200, "and that has used nothing up");
}

#[test]
fn a_plain_challenge_is_refused_and_none_is_taken_for_a_verifier() {
    let world = World::new(&[]);
    let client = register(&world, &[BACK]);
    let mut ada = Person::sign_in(&world, "ada@example.com");
    for method in ["plain", "s256", "S512", "S256 "] {
        let back = carried(&ada.get(&query(&client, &[("code_challenge_method", method)])));
        assert_eq!(find(&back, "error"), "invalid_request", "{method}");
    }
    let request = query(&client, &[]);
    let challenge = request.split("code_challenge=").nth(1).unwrap().split('&').next().unwrap().to_owned();
    let code = allowed(&mut ada, &client, &[]);
    is(&redeem(&world, &client, &code, &[("code_verifier", &challenge)]), 400, "invalid_grant");
}

#[test]
fn a_wrong_verifier_brings_nothing_and_uses_nothing_up() {
    let world = World::new(&[]);
    let client = register(&world, &[BACK]);
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let code = allowed(&mut ada, &client, &[]);
    for at in 0..VERIFIER.len() {
        let mut wrong = VERIFIER.to_owned();
        let other = if &wrong[at..=at] == "A" { "B" } else { "A" };
        wrong.replace_range(at..=at, other);
        is(&redeem(&world, &client, &code, &[("code_verifier", &wrong)]), 400, "invalid_grant");
    }
    for wrong in [&VERIFIER[1..], &format!("{VERIFIER}a"), &VERIFIER.repeat(3), &VERIFIER.to_uppercase(), &format!("{VERIFIER} ")] {
        is(&redeem(&world, &client, &code, &[("code_verifier", wrong)]), 400, "invalid_grant");
    }
    assert_eq!(exchange(&world, &client, &code).status(), 200);
}

#[test]
fn a_redirect_uri_that_differs_in_one_character_is_another() {
    let world = World::new(&[]);
    let client = register(&world, &[BACK]);
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let code = allowed(&mut ada, &client, &[]);
    for at in 0..=BACK.len() {
        let (mut longer, mut shorter, mut other) = (BACK.to_owned(), BACK.to_owned(), BACK.to_owned());
        longer.insert(at, 'x');
        if at < BACK.len() {
            shorter.remove(at);
            let swapped = if &BACK[at..=at] == "x" { "y" } else { "x" };
            other.replace_range(at..=at, swapped);
        }
        for wrong in [longer, shorter, other].iter().filter(|wrong| *wrong != BACK) {
            let page = ada.get(&query(&client, &[("redirect_uri", wrong)]));
            assert_eq!((page.status(), page.header("location")), (400, None), "{wrong}");
            let fields = [("grant_type", "authorization_code"), ("client_id", &*client), ("code", &code), ("code_verifier", VERIFIER)];
            is(&world.form("/oauth2/token", &[&fields[..], &[("redirect_uri", wrong)]].concat()), 400, "invalid_grant");
        }
    }
    assert_eq!(exchange(&world, &client, &code).status(), 200);
}

/// At registration and at authorization.
fn is_no_redirect_uri(wrong: &str) {
    let world = World::new(&[]);
    let refused = world.json("/oauth2/register", &json!({ "redirect_uris": [wrong], "token_endpoint_auth_method": "none" }));
    is(&refused, 400, "invalid_redirect_uri");
    let client = register(&world, &["http://localhost/callback", "http://127.0.0.1/callback", "https://client.example/callback"]);
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let page = ada.get(&query(&client, &[("redirect_uri", wrong)]));
    assert_eq!((page.status(), page.header("location"), page.header("refresh")), (400, None, None), "{wrong}");
}

#[test]
fn a_host_that_only_begins_like_loopback_is_refused() {
    for host in
        ["localhost.evil.com", "127.0.0.1.evil.com", "127.0.0.1.nip.io", "localhost.", "localhost.localdomain", "evil.com:80.localhost"]
    {
        for port in ["", ":8080"] {
            is_no_redirect_uri(&format!("http://{host}{port}/callback"));
        }
    }
}

#[test]
fn a_name_before_the_host_hides_no_host() {
    for trick in [
        "localhost@evil.com",
        "localhost:8080@evil.com",
        "127.0.0.1:1@evil.com",
        "user@localhost",
        "localhost%40evil.com",
        "localhost\\@evil.com",
    ] {
        is_no_redirect_uri(&format!("http://{trick}/callback"));
    }
    is_no_redirect_uri("https://client.example@evil.com/callback");
    is_no_redirect_uri("https://client.example:443@evil.com/callback");
}

#[test]
fn a_foreign_resource_is_refused_at_each_step() {
    let world = World::new(&[]);
    let client = register(&world, &[BACK]);
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let code = allowed(&mut ada, &client, &[]);
    for foreign in [
        "https://foreign.example/mcp",
        "https://auth.example.com",
        "https://auth.example.com/mcp/",
        "https://auth.example.com/mcp#f",
        "mcp",
    ] {
        let back = carried(&ada.get(&query(&client, &[("resource", foreign)])));
        assert_eq!((find(&back, "error").as_str(), find(&back, "code").as_str()), ("invalid_target", ""), "{foreign}");
        let more = [("code_verifier", VERIFIER), ("resource", foreign)];
        is(&redeem(&world, &client, &code, &more), 400, "invalid_target");
    }
    let elsewhere = "https://auth.example.com/api/v1";
    is(&redeem(&world, &client, &code, &[("code_verifier", VERIFIER), ("resource", elsewhere)]), 400, "invalid_target");
    let token = exchange(&world, &client, &code).text("refresh_token");
    let refresh = [("grant_type", "refresh_token"), ("client_id", &*client), ("refresh_token", &token), ("resource", elsewhere)];
    is(&world.form("/oauth2/token", &refresh), 400, "invalid_target");
}

#[test]
fn nothing_inside_is_fetched_however_it_is_written() {
    let world = World::new(&[]);
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let hosts = "localhost metadata.google.internal intranet printer.local 127.0.0.1 2130706433 0x7f000001 017700000001 127.1 169.254.169.254 \
        2852039166 10.0.0.1 192.168.0.1 [::1] [::ffff:127.0.0.1] [::ffff:7f00:1] [::ffff:169.254.169.254] [64:ff9b::7f00:1] [fd00:ec2::254]";
    for host in hosts.split_whitespace() {
        let inside = format!("https://{host}/client.json");
        let page = ada.get(&query(&inside, &[]));
        assert!((400..500).contains(&page.status()) && page.header("location").is_none(), "{inside}");
        // Its keys, asked for by a client that signs.
        let document = json!({
            "client_id": URL, "redirect_uris": ["https://app.example.net/cb"], "token_endpoint_auth_method": "private_key_jwt",
            "grant_types": ["client_credentials"], "jwks_uri": format!("https://{host}/jwks"),
        });
        publish(&world, URL, &document, Some(0));
        world.later(60);
        assert_ne!(ada.get(&query(URL, &[])).status(), 200, "{host}");
        let registered =
            json!({ "redirect_uris": [BACK], "jwks_uri": format!("https://{host}/jwks"), "logo_uri": format!("https://{host}/logo") });
        let answer = world.json("/oauth2/register", &registered).json();
        assert!(answer.get("jwks_uri").is_none() && answer.get("logo_uri").is_none(), "{answer}");
    }
    assert!(world.platform.fetched.borrow().iter().all(|url| url == URL), "{:?}", world.platform.fetched.borrow());
}

#[test]
fn a_document_that_redirects_is_not_followed() {
    for status in [301, 302, 303, 307, 308] {
        let world = World::new(&[]);
        answer(&world, URL, status, "application/json", document().to_string().into(), None);
        let mut ada = Person::sign_in(&world, "ada@example.com");
        let page = ada.get(&query(URL, &[("redirect_uri", "https://app.example.net/cb")]));
        assert!((400..504).contains(&page.status()) && page.header("location").is_none(), "{status}");
        assert_eq!(*world.platform.fetched.borrow(), [URL], "{status}");
    }
}

#[test]
fn consent_to_one_client_lets_no_other_one_through() {
    let world = World::new(&[]);
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let back = ("redirect_uri", "https://app.example.net/cb");
    publish(&world, URL, &document(), None);
    allowed(&mut ada, URL, &[back]);
    assert_eq!(ada.get(&query(URL, &[back])).status(), 302, "this one is known");
    // The same name and way back, as another document and as a registration.
    let twin = "https://evil.example.net/client.json";
    publish(&world, twin, &with(&document(), "client_id", json!(twin)), None);
    let registered = world.json("/oauth2/register", &with(&document(), "client_id", json!(URL)));
    for other in [twin.to_owned(), registered.text("client_id")] {
        assert_eq!(ada.get(&query(&other, &[back])).status(), 200, "{other}: asked for by itself");
        assert_eq!(find(&carried(&ada.get(&query(&other, &[back, ("prompt", "none")]))), "error"), "consent_required");
    }
    let mut eve = Person::sign_in(&world, "eve@example.com");
    assert_eq!(eve.get(&query(URL, &[back])).status(), 200, "nor does it let anybody else through");
}

#[test]
fn a_sign_in_that_somebody_else_began_signs_nobody_else_in() {
    let world = World::new(&[]);
    let (mut eve, mut ada) = (Person::anybody(&world), Person::anybody(&world));
    assert_eq!(eve.get("/login").status(), 200);
    assert_eq!(eve.post("/login", &[("email", "eve@example.com")]).status(), 200);
    let code = crate::person::mailed_code(&world);
    assert_eq!(ada.get("/login").status(), 200);
    // Eve's page has Ada's browser send the form with everything that Eve has.
    let fields: Vec<(String, String)> =
        ["csrf", "login", "return_to"].into_iter().filter_map(|name| Some((name.to_owned(), eve.hidden(name)?))).collect();
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let body = encoded(&[&fields[..], &[("code", &code)]].concat());
    let forged = ada.send("POST", "/login/code", &body);
    assert!((400..500).contains(&forged.status()), "{}", forged.status());
    assert_ne!(ada.get("/account").status(), 200);
    assert_eq!(eve.post("/login/code", &[("code", &code)]).status(), 303, "where it was begun it works");
}
