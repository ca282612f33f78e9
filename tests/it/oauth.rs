//! A client is connected by a person, through the front door.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::person::Person;
use crate::world::{Answer, ISSUER, World};

pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub const BACK: &str = "https://client.example/back";

/// Registers a client as SDKs do.
pub fn register(world: &World, redirect_uris: &[&str]) -> String {
    let body = json!({
        "client_name": "Example", "redirect_uris": redirect_uris, "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
    });
    let answer = world.json("/oauth2/register", &body);
    assert_eq!(answer.status(), 201, "{}", answer.json());
    answer.text("client_id")
}

/// The query of an authorization request, with `more` in place of what is usual.
pub fn query(client_id: &str, more: &[(&str, &str)]) -> String {
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
    let mut pairs = vec![
        ("response_type", "code"),
        ("client_id", client_id),
        ("redirect_uri", BACK),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
        ("state", "s t&a=te"),
    ];
    pairs.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
    pairs.extend(more.iter().filter(|(_, value)| !value.is_empty()));
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    format!("/oauth2/authorize?{query}")
}

/// What a redirect back carries.
pub fn carried(answer: &Answer) -> Vec<(String, String)> {
    let location = answer.header("location").unwrap().to_owned();
    url::Url::parse(&location).unwrap().query_pairs().into_owned().collect()
}

pub fn find(pairs: &[(String, String)], name: &str) -> String {
    pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()).unwrap_or_default()
}

/// The person allows it; the code.
pub fn allowed(ada: &mut Person<'_>, client_id: &str, more: &[(&str, &str)]) -> String {
    let page = ada.get(&query(client_id, more));
    assert_eq!(page.status(), 200, "{}", page.header("location").unwrap_or_default());
    let answer = ada.post("/oauth2/authorize/consent", &[("answer", "allow")]);
    assert_eq!(answer.status(), 303);
    let back = carried(&answer);
    assert_eq!((find(&back, "iss").as_str(), find(&back, "state").as_str()), (ISSUER, "s t&a=te"));
    find(&back, "code")
}

pub fn exchange(world: &World, client_id: &str, code: &str) -> Answer {
    world.form(
        "/oauth2/token",
        &[
            ("grant_type", "authorization_code"),
            ("client_id", client_id),
            ("code", code),
            ("code_verifier", VERIFIER),
            ("redirect_uri", BACK),
        ],
    )
}

fn refresh(world: &World, client_id: &str, token: &str) -> Answer {
    world.form("/oauth2/token", &[("grant_type", "refresh_token"), ("client_id", client_id), ("refresh_token", token)])
}

fn me(world: &World, token: &str) -> u16 {
    let bearer = format!("Bearer {token}");
    world.send("192.0.2.9", "GET", "/api/v1/auth/me", &[("authorization", &bearer)], "").status()
}

fn claims(token: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

#[test]
fn a_client_is_connected_refreshed_and_taken_back() {
    let world = World::new(&[]);
    let client = register(&world, &[BACK]);
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let code = allowed(&mut ada, &client, &[("scope", "api.read admin unknown"), ("resource", &format!("{ISSUER}/mcp"))]);
    let answer = exchange(&world, &client, &code);
    assert_eq!(answer.status(), 200, "{}", answer.json());
    assert_eq!(answer.text("scope"), "api.read", "narrowed without a word");
    assert_eq!(answer.json()["expires_in"], 3600);
    let token = answer.text("access_token");
    let said = claims(&token);
    assert_eq!((said["client_id"].as_str(), said["aud"].as_str()), (Some(client.as_str()), Some(format!("{ISSUER}/mcp").as_str())));
    assert!(said["sub"].as_str().unwrap().starts_with("acc_"));
    assert_eq!(me(&world, &token), 200);
    let next = refresh(&world, &client, &answer.text("refresh_token"));
    assert_eq!(next.status(), 200, "{}", next.json());
    assert_eq!(next.text("scope"), "api.read");
    world.ring();
    ada.get("/account");
    assert!(ada.page.contains("Example") && ada.page.contains(&client));
    let grant = ada.page.split("name=\"grant\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert_eq!(ada.post("/account/clients/revoke", &[("grant", &grant)]).status(), 303);
    assert_eq!(me(&world, &token), 401);
    assert_eq!(me(&world, &next.text("access_token")), 401);
    let dead = refresh(&world, &client, &next.text("refresh_token"));
    assert_eq!((dead.status(), dead.text("error").as_str()), (400, "invalid_grant"));
}

#[test]
fn a_code_works_once_and_a_replay_ends_what_it_brought() {
    let world = World::new(&[]);
    let client = register(&world, &[BACK]);
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let code = allowed(&mut ada, &client, &[]);
    let wrong = world.form(
        "/oauth2/token",
        &[("grant_type", "authorization_code"), ("client_id", &client), ("code", &code), ("code_verifier", &VERIFIER.replace('d', "e"))],
    );
    assert_eq!(wrong.text("error"), "invalid_grant");
    let answer = exchange(&world, &client, &code);
    assert_eq!(answer.status(), 200, "a wrong verifier has used nothing up");
    assert_eq!(exchange(&world, &client, &code).text("error"), "invalid_grant");
    world.later(2);
    assert_eq!(me(&world, &answer.text("access_token")), 401);
    assert_eq!(refresh(&world, &client, &answer.text("refresh_token")).status(), 400);
}

#[test]
fn a_person_who_has_not_connected_a_client_for_90_days_is_asked_again() {
    const DAY: u64 = 86_400;
    let world = World::new(&[]);
    let client = register(&world, &[BACK]);
    let comes = |days: u64| {
        // What the grant has to tell its client is told at once.
        world.ring();
        world.later(days * DAY - 600);
        let mut ada = Person::sign_in(&world, "ada@example.com");
        ada.get(&query(&client, &[])).status()
    };
    allowed(&mut Person::sign_in(&world, "ada@example.com"), &client, &[]);
    assert_eq!((comes(90), comes(90)), (302, 302), "it is remembered, and each time counts");
    world.later(1200);
    assert_eq!(comes(90), 200);
    assert_eq!(comes(1), 200, "until the answer is yes");
    let mut ada = Person::sign_in(&world, "ada@example.com");
    allowed(&mut ada, &client, &[]);
    assert_eq!(ada.get(&query(&client, &[])).status(), 302);
}

#[test]
fn row_37_consent_is_remembered_for_web_clients_alone() {
    let world = World::new(&[]);
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let web = register(&world, &[BACK]);
    allowed(&mut ada, &web, &[("scope", "api.read")]);
    let again = ada.get(&query(&web, &[("scope", "api.read")]));
    assert_eq!(again.status(), 302, "not asked again");
    assert!(!find(&carried(&again), "code").is_empty());
    assert_eq!(ada.get(&query(&web, &[("scope", "api.read api.write")])).status(), 200, "asked for more");
    assert_eq!(ada.get(&query(&web, &[("scope", "api.read"), ("prompt", "consent")])).status(), 200);
    let native = register(&world, &["http://localhost/callback"]);
    let to = ("redirect_uri", "http://localhost:51234/callback");
    allowed(&mut ada, &native, &[to]);
    assert_eq!(ada.get(&query(&native, &[to])).status(), 200, "anybody can say to be a program on the device");
    assert!(ada.page.contains("localhost:51234") && ada.page.contains("your own device"));
}

#[test]
fn no_and_errors_go_back_with_iss_and_state() {
    let world = World::new(&[]);
    let client = register(&world, &[BACK]);
    let mut ada = Person::sign_in(&world, "ada@example.com");
    ada.get(&query(&client, &[]));
    let denied = ada.post("/oauth2/authorize/consent", &[("answer", "deny")]);
    assert_eq!(find(&carried(&denied), "error"), "access_denied");
    let twice = ada.post("/oauth2/authorize/consent", &[("answer", "allow")]);
    assert_eq!(twice.status(), 400, "the page is used up");
    for (more, error) in [
        (vec![("response_type", "token")], "unsupported_response_type"),
        (vec![("response_type", "")], "invalid_request"),
        (vec![("code_challenge", "")], "invalid_request"),
        (vec![("code_challenge_method", "plain")], "invalid_request"),
        (vec![("resource", "https://foreign.example/mcp")], "invalid_target"),
        (vec![("scope", "nothing known")], "invalid_scope"),
        (vec![("prompt", "none login")], "invalid_request"),
        (vec![("max_age", "x")], "invalid_request"),
        (vec![("request", "eyJ")], "request_not_supported"),
        (vec![("prompt", "none")], "consent_required"),
    ] {
        let answer = ada.get(&query(&client, &more));
        assert_eq!(answer.status(), 302, "{more:?}");
        let back = carried(&answer);
        let said = (find(&back, "error"), find(&back, "state"), find(&back, "iss"));
        assert_eq!(said, (error.to_owned(), "s t&a=te".to_owned(), ISSUER.to_owned()), "{more:?}");
    }
    let mut nobody = Person::anybody(&world);
    assert_eq!(find(&carried(&nobody.get(&query(&client, &[("prompt", "none")]))), "error"), "login_required");
}

#[test]
fn nobody_is_sent_to_an_address_that_is_not_the_clients() {
    let world = World::new(&[]);
    let client = register(&world, &[BACK, "http://127.0.0.1/cb"]);
    let mut ada = Person::sign_in(&world, "ada@example.com");
    for wrong in [
        "https://client.example/back/",
        "https://client.example/Back",
        "https://client.example.evil.example/back",
        "https://client.example@evil.example/back",
        "https://evil.example/back",
        "http://client.example/back",
        "https://client.example/back?x=1",
        "https://client.example/back#f",
        "http://localhost:1/cb",
        "http://127.0.0.1.evil.example/cb",
        "http://127.0.0.1:1/other",
        "javascript:alert(1)",
        "//evil.example",
    ] {
        let answer = ada.get(&query(&client, &[("redirect_uri", wrong)]));
        assert_eq!((answer.status(), answer.header("location")), (400, None), "{wrong}");
        assert!(ada.page.contains("Claude Code") && !ada.page.contains("<a href=\"https://evil"), "{wrong}");
    }
    assert_eq!(ada.get(&query("cli_unknown", &[])).status(), 400);
    assert!(ada.page.contains("not known here"));
    assert_eq!(ada.get(&query(&client, &[("redirect_uri", "http://127.0.0.1:65535/cb")])).status(), 200);
}

#[test]
fn row_37_a_page_of_consent_belongs_to_one_person_in_one_browser() {
    let world = World::new(&[]);
    let client = register(&world, &[BACK]);
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let mut eve = Person::sign_in(&world, "eve@example.com");
    eve.get(&query(&client, &[]));
    let stolen = eve.hidden("request").unwrap();
    ada.get(&query(&client, &[]));
    let csrf = ada.hidden("csrf").unwrap();
    let body = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("csrf", csrf.as_str()), ("request", &stolen), ("answer", "allow")])
        .finish();
    assert_eq!(ada.send("POST", "/oauth2/authorize/consent", &body).status(), 400, "another person's page");
    let without = format!("request={stolen}&answer=allow");
    assert_eq!(eve.send("POST", "/oauth2/authorize/consent", &without).status(), 403, "no token of the form");
    eve.page = format!("<input name=\"csrf\" value=\"{}\">", eve.hidden("csrf").unwrap_or_default());
}

#[test]
fn a_pushed_request_is_used_once_and_by_its_client() {
    let world = World::new(&[]);
    let client = register(&world, &[BACK]);
    let other = register(&world, &["https://other.example/back"]);
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let body = query(&client, &[]).split_once('?').unwrap().1.to_owned();
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let pushed = world.send("192.0.2.1", "POST", "/oauth2/par", &form, &body);
    assert_eq!(pushed.status(), 201, "{}", pushed.json());
    let uri = pushed.text("request_uri");
    let of = |client: &str| format!("/oauth2/authorize?client_id={client}&request_uri={uri}");
    assert_eq!(ada.get(&of(&other)).status(), 400);
    assert_eq!(ada.get(&of(&client)).status(), 200);
    let answer = ada.post("/oauth2/authorize/consent", &[("answer", "allow")]);
    assert!(!find(&carried(&answer), "code").is_empty());
    assert_eq!(ada.get(&of(&client)).status(), 400, "used");
    let wrong = world.send("192.0.2.1", "POST", "/oauth2/par", &form, &body.replace("S256", "plain"));
    assert_eq!((wrong.status(), wrong.text("error").as_str()), (400, "invalid_request"));
}

#[test]
fn a_fresh_sign_in_can_be_demanded() {
    let world = World::new(&[]);
    let client = register(&world, &[BACK]);
    let mut ada = Person::sign_in(&world, "ada@example.com");
    world.later(120);
    for more in [("prompt", "login"), ("max_age", "60"), ("max_age", "0")] {
        let answer = ada.get(&query(&client, &[more]));
        assert_eq!(answer.status(), 303, "{more:?}");
        assert!(answer.header("location").unwrap().starts_with("/login?"), "{more:?}");
    }
    assert_eq!(ada.get(&query(&client, &[("max_age", "3600")])).status(), 200);
    let login = ada.get(&query(&client, &[("prompt", "login")])).header("location").unwrap().to_owned();
    world.later(1);
    assert_eq!(ada.get(&login).status(), 200, "signs in anew");
    let back = ada.again("ada@example.com");
    assert_eq!(ada.get(&back).status(), 200, "and is asked");
}

#[test]
fn the_token_endpoint_takes_the_grants_that_the_metadata_lists_and_no_other() {
    const GRANTS: [&str; 9] = [
        "authorization_code",
        "refresh_token",
        "client_credentials",
        "urn:ietf:params:oauth:grant-type:device_code",
        "urn:ietf:params:oauth:grant-type:token-exchange",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "agent_delegation",
        "urn:workos:agent-auth:grant-type:claim",
        "password",
    ];
    for (vars, count) in [
        (&[][..], 8),
        (&[("OPENID_CONNECT", "off")], 8),
        (&[("AUTH_MD_DIALECTS", "none")], 7),
        (&[("MAIL", "none")], 5),
        (&[("MAIL", "none"), ("AUTH_MD_DIALECTS", "authkit 0.1")], 5),
    ] {
        let world = World::new(vars);
        let taken = |grant: &&str| world.form("/oauth2/token", &[("grant_type", grant)]).text("error") != "unsupported_grant_type";
        let taken: Vec<&str> = GRANTS.into_iter().filter(taken).collect();
        assert_eq!(taken.len(), count, "{vars:?}: {taken:?}");
        for path in ["/.well-known/oauth-authorization-server", "/.well-known/agent-configuration"] {
            let document = world.get(path).json();
            let mut listed: Vec<&str> =
                document["grant_types_supported"].as_array().unwrap().iter().map(|grant| grant.as_str().unwrap()).collect();
            listed.sort_by_key(|grant| GRANTS.iter().position(|known| known == grant));
            assert_eq!(listed, taken, "{path} {vars:?}");
        }
    }
}
