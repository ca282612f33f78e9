//! Signing out: by a client's wish, and telling every client of it.

use bytes::Bytes;

use postern::store::Fetched;
use serde_json::{Map, Value, json};

use super::flow::{EVERYTHING, client, connect, read};
use crate::person::Person;
use crate::world::{Answer, World};

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
const OPERATOR: [(&str, &str); 2] = [("authorization", "Bearer operator-operator-operator-operator"), ("content-type", "application/json")];

fn hears(world: &World, number: u8) {
    let found = Fetched { status: 200, content_type: String::new(), max_age: None, body: Bytes::new() };
    world.platform.outside.borrow_mut().insert(backchannel(number), found);
}

fn backchannel(number: u8) -> String {
    format!("https://rp{number}.example.com/backchannel")
}

fn listening(world: &World, number: u8) -> String {
    client(world, number, &json!({ "backchannel_logout_uri": backchannel(number), "backchannel_logout_session_required": true }))
}

/// Claims of the logout tokens that went to the client so far.
fn told(world: &World, number: u8) -> Vec<Map<String, Value>> {
    world.ring();
    let sent = world.platform.sent.borrow();
    let to = sent.iter().filter(|sent| sent.url == backchannel(number));
    to.map(|sent| {
        let (content_type, content) = sent.content.clone().unwrap();
        assert_eq!(content_type, "application/x-www-form-urlencoded");
        assert!(!sent.headers.contains_key("authorization"));
        let (header, claims) = read(world, "logout+jwt", content.strip_prefix("logout_token=").unwrap());
        assert_eq!((&header["typ"], &header["alg"]), (&json!("logout+jwt"), &json!("RS256")));
        claims
    })
    .collect()
}

#[test]
fn a_client_that_wants_to_hears_of_the_end_of_its_session_and_no_other_does() {
    let world = World::new(&[]);
    let (one, two) = (listening(&world, 1), listening(&world, 2));
    let deaf = client(&world, 3, &json!({}));
    (1..=3).for_each(|number| hears(&world, number));
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let mut elsewhere = Person::sign_in(&world, "ada@example.com");
    let (_, first) = read(&world, "jwt", &connect(&world, &mut ada, 1, &one, EVERYTHING).text("id_token"));
    connect(&world, &mut ada, 3, &deaf, EVERYTHING);
    let (_, second) = read(&world, "jwt", &connect(&world, &mut elsewhere, 2, &two, EVERYTHING).text("id_token"));
    assert!(told(&world, 1).is_empty());
    ada.get("/account");
    assert_eq!(ada.post("/logout", &[]).status(), 303);
    let [token] = &told(&world, 1)[..] else { panic!() };
    assert_eq!(token.keys().cloned().collect::<Vec<_>>().join(" "), "aud events exp iat iss jti sid sub");
    assert_eq!((&token["aud"], &token["sub"], &token["sid"]), (&json!(one), &first["sub"], &first["sid"]));
    assert_eq!((&token["events"], &token["iss"]), (&json!({ EVENT: {} }), &json!(world.config.issuer)));
    assert_eq!(token["exp"].as_i64().unwrap() - token["iat"].as_i64().unwrap(), 120);
    assert!(told(&world, 2).is_empty(), "that was another browser");
    world.later(86400);
    assert_eq!(told(&world, 1).len(), 1, "once");
    assert_ne!(first["sid"], second["sid"]);
    assert!(!world.platform.sent.borrow().iter().any(|sent| sent.url.contains("rp3")));
}

#[test]
fn a_session_ends_in_many_ways_and_the_client_hears_of_each() {
    let ways: [fn(&World, &mut Person<'_>); 4] = [
        |world, _| {
            let mut other = Person::sign_in(world, "ada@example.com");
            other.get("/account");
            assert_eq!(other.post("/account/sessions/end-others", &[]).status(), 303);
        },
        |world, _| operate(world, "suspend"),
        |world, _| operate(world, "erase"),
        |_, ada| {
            // The browser signs in anew: the session before is over.
            ada.get("/login?max_age=0");
            ada.again("ada@example.com");
        },
    ];
    for (number, end) in ways.iter().enumerate() {
        let world = World::new(&[]);
        let id = listening(&world, 1);
        hears(&world, 1);
        let mut ada = Person::sign_in(&world, "ada@example.com");
        connect(&world, &mut ada, 1, &id, EVERYTHING);
        assert!(told(&world, 1).is_empty());
        end(&world, &mut ada);
        assert_eq!(told(&world, 1).len(), 1, "way {number}");
    }
}

#[test]
fn a_session_that_nobody_uses_any_more_tells_its_clients_when_it_lapses() {
    for (life, vars) in [(14_400, vec![]), (86_400, vec![("SESSION_IDLE_TTL", "86400")])] {
        let world = World::new(&vars);
        let id = listening(&world, 1);
        hears(&world, 1);
        let mut ada = Person::sign_in(&world, "ada@example.com");
        connect(&world, &mut ada, 1, &id, EVERYTHING);
        world.later(life - 1);
        assert!(told(&world, 1).is_empty());
        world.later(1);
        assert_eq!(told(&world, 1).len(), 1);
        assert!(!is_in(&mut ada));
        assert!(!world.platform.cells.borrow().keys().any(|name| name.starts_with("session/")), "nothing is left");
    }
}

#[test]
fn a_session_that_falls_off_the_list_tells_its_clients_at_once() {
    let world = World::new(&[("MAILS_PER_ADDRESS_PER_HOUR", "1000"), ("MAILS_PER_NETWORK_PER_HOUR", "1000")]);
    let id = listening(&world, 1);
    hears(&world, 1);
    let mut ada = Person::sign_in(&world, "ada@example.com");
    connect(&world, &mut ada, 1, &id, EVERYTHING);
    for number in 1..=50 {
        assert!(told(&world, 1).is_empty(), "{number}");
        world.later(1);
        Person::sign_in(&world, "ada@example.com");
    }
    assert_eq!(told(&world, 1).len(), 1);
}

fn operate(world: &World, what: &str) {
    let body = json!({ "email": "ada@example.com" }).to_string();
    assert_eq!(world.send("192.0.2.1", "POST", &format!("/operator/people/{what}"), &OPERATOR, &body).status(), 200);
}

#[test]
fn whoever_is_not_reached_is_told_later_and_one_that_never_answers_is_given_up() {
    let world = World::new(&[]);
    let (one, two) = (listening(&world, 1), listening(&world, 2));
    let mut ada = Person::sign_in(&world, "ada@example.com");
    connect(&world, &mut ada, 1, &one, EVERYTHING);
    connect(&world, &mut ada, 2, &two, EVERYTHING);
    ada.get("/account");
    assert_eq!(ada.post("/logout", &[]).status(), 303, "nobody waits for them");
    assert_eq!((told(&world, 1).len(), told(&world, 2).len()), (1, 1));
    hears(&world, 2);
    world.later(10);
    assert_eq!((told(&world, 1).len(), told(&world, 2).len()), (2, 2));
    for _ in 0..10 {
        world.later(6 * 3600);
    }
    assert_eq!((told(&world, 1).len(), told(&world, 2).len()), (6, 2));
    let jtis: std::collections::BTreeSet<String> = told(&world, 1).iter().map(|token| token["jti"].to_string()).collect();
    assert_eq!(jtis.len(), 6, "each is a token of its own");
    assert!(!world.platform.cells.borrow().keys().any(|name| name.starts_with("session/")), "nothing is left");
}

#[test]
fn an_address_in_our_own_network_is_never_asked() {
    let world = World::new(&[]);
    let id = client(&world, 1, &json!({ "backchannel_logout_uri": "https://10.0.0.1/hook" }));
    let mut ada = Person::sign_in(&world, "ada@example.com");
    connect(&world, &mut ada, 1, &id, EVERYTHING);
    ada.get("/account");
    ada.post("/logout", &[]);
    world.ring();
    assert!(world.platform.sent.borrow().is_empty());
}

fn path(fields: &[(&str, &str)]) -> String {
    format!("/oauth2/logout?{}", url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish())
}

fn is_in(person: &mut Person<'_>) -> bool {
    person.get("/account").status() == 200
}

/// 200 with a page that asks.
fn asks(answer: &Answer) -> bool {
    let page = String::from_utf8_lossy(answer.0.body());
    answer.status() == 200 && page.contains("Sign out?") && answer.header("location").is_none()
}

const BYE: &str = "https://rp1.example.com/bye";

#[test]
fn who_shows_an_id_token_of_the_person_signs_them_out_and_has_them_back() {
    let world = World::new(&[]);
    let id = client(&world, 1, &json!({}));
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let token = connect(&world, &mut ada, 1, &id, "openid").text("id_token");
    // An ID token is soon too old for everything else.
    world.later(2 * 3600);
    let answer = ada.get(&path(&[("id_token_hint", &token), ("post_logout_redirect_uri", BYE), ("state", "a b&c"), ("ui_locales", "de")]));
    assert_eq!((answer.status(), answer.header("location")), (303, Some("https://rp1.example.com/bye?state=a%20b%26c")));
    assert!(!is_in(&mut ada));
    // A second time nobody is there, and nobody answers for the client's address: the person goes there by themselves.
    let with_query = format!("{BYE}?a=b");
    let answer = ada.get(&path(&[("id_token_hint", &token), ("post_logout_redirect_uri", &with_query), ("state", "s")]));
    assert_eq!((answer.status(), answer.header("location")), (200, None));
    assert!(ada.page.contains("You are signed out") && ada.page.contains("Go back to rp1.example.com"));
    assert!(ada.page.contains("href=\"https://rp1.example.com/bye?a=b&#38;state=s\""), "{}", ada.page);
    let answer = ada.get(&path(&[("id_token_hint", &token)]));
    assert_eq!((answer.status(), answer.header("location")), (200, None));
    assert!(ada.page.contains("You are signed out"));
}

#[test]
fn everybody_else_makes_us_ask() {
    let world = World::new(&[]);
    let (id, other) = (client(&world, 1, &json!({})), client(&world, 2, &json!({ "subject_type": "pairwise" })));
    let mut eve = Person::sign_in(&world, "eve@example.com");
    let eves = connect(&world, &mut eve, 1, &id, "openid").text("id_token");
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let connected = connect(&world, &mut ada, 1, &id, "openid");
    let adas = connected.text("id_token");
    let cut = format!("{}AAAA", &adas[..adas.len() - 4]);
    for hint in [None, Some(eves.as_str()), Some(cut.as_str()), Some(&connected.text("access_token")), Some("x")] {
        let mut fields = vec![("client_id", id.as_str()), ("post_logout_redirect_uri", BYE), ("state", "s\"><script>")];
        fields.extend(hint.map(|hint| ("id_token_hint", hint)));
        assert!(asks(&ada.get(&path(&fields))), "{hint:?}");
        assert!(ada.page.contains("rp1.example.com") && ada.page.contains("Relying 1") && !ada.page.contains("<script>"));
        assert!(is_in(&mut ada));
    }
    assert!(asks(&ada.get("/oauth2/logout")));
    assert!(asks(&ada.get(&path(&[("client_id", &other)]))));
    // The answer needs the form's own token.
    ada.get(&path(&[("client_id", &id)]));
    let forged = [("csrf", "x"), ("client_id", id.as_str())];
    let mut forger = Person::sign_in(&world, "mallory@example.com");
    assert_eq!(forger.forge("/oauth2/logout", &forged).status(), 403);
    assert!(is_in(&mut forger));
    ada.get(&path(&[("client_id", &id), ("post_logout_redirect_uri", BYE), ("state", "s")]));
    let answer = ada.post("/oauth2/logout", &[("client_id", &id), ("post_logout_redirect_uri", BYE), ("state", "s")]);
    assert_eq!((answer.status(), answer.header("location")), (303, Some("https://rp1.example.com/bye?state=s")));
    assert!(!is_in(&mut ada));
}

#[test]
fn nobody_is_sent_where_no_client_has_registered() {
    let world = World::new(&[]);
    let (id, other) = (client(&world, 1, &json!({})), client(&world, 2, &json!({})));
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let token = connect(&world, &mut ada, 1, &id, "openid").text("id_token");
    for evil in [
        "https://evil.example/",
        "https://rp1.example.com/bye/",
        "https://rp1.example.com/bye#x",
        "https://rp1.example.com/cb",
        "https://rp1.example.com/bye?a=c",
        "HTTPS://rp1.example.com/bye",
        "https://rp1.example.com@evil.example/bye",
        "https://rp2.example.com/bye",
        "//evil.example",
        "/account",
        "javascript:alert(1)",
    ] {
        let hinted = ada.get(&path(&[("id_token_hint", &token), ("post_logout_redirect_uri", evil)]));
        assert_eq!((hinted.status(), hinted.header("location")), (400, None), "{evil}");
        ada.get("/account");
        let posted = ada.post("/oauth2/logout", &[("client_id", &id), ("post_logout_redirect_uri", evil)]);
        assert_eq!((posted.status(), posted.header("location")), (400, None), "{evil}");
    }
    assert_eq!(ada.get(&path(&[("post_logout_redirect_uri", BYE)])).status(), 400, "nobody's");
    // One that cannot be read, as after its key has gone, is no fault of the person's; but nobody is sent anywhere by it.
    let old = ada.get(&path(&[("id_token_hint", "e30.e30.AAAA"), ("post_logout_redirect_uri", BYE)]));
    assert!(asks(&old) && !ada.page.contains("rp1.example.com"));
    let stranger = world.get(&path(&[("id_token_hint", "e30.e30.AAAA"), ("post_logout_redirect_uri", BYE)]));
    assert_eq!((stranger.status(), stranger.header("location")), (200, None));
    assert_eq!(ada.get(&path(&[("id_token_hint", &token), ("client_id", &other)])).status(), 400, "two clients");
    assert!(is_in(&mut ada));
    // Without a word of ours about the person, a stranger's browser goes nowhere either.
    let answer = world.get(&path(&[("client_id", &id), ("post_logout_redirect_uri", BYE)]));
    assert_eq!((answer.status(), answer.header("location")), (200, None));
}

#[test]
fn a_form_of_the_clients_own_page_is_as_good() {
    let world = World::new(&[]);
    let id = client(&world, 1, &json!({}));
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let token = connect(&world, &mut ada, 1, &id, "openid").text("id_token");
    // The browser brings no cookie with another site's form.
    let answer = world.form("/oauth2/logout", &[("id_token_hint", &token), ("post_logout_redirect_uri", BYE)]);
    assert_eq!(answer.status(), 303);
    let again = answer.header("location").unwrap().to_owned();
    assert!(again.starts_with("/oauth2/logout?"), "{again}");
    let answer = ada.get(&again);
    assert_eq!((answer.status(), answer.header("location")), (303, Some(BYE)));
    assert!(!is_in(&mut ada));
}
