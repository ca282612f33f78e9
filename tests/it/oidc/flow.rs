//! A relying party, from the authorization request to what it knows of the person.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use postern::client::{Metadata, id};
use postern::jose::jws::Untrusted;
use postern::keys;
use postern::machine::client::{Command, Keeper, Registered};
use postern::machine::keyring::Ring;
use postern::store::Cells;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use url::Url;

use crate::person::Person;
use crate::world::{Answer, World, block};

pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk-123";
pub const EVERYTHING: &str = "openid email profile offline_access api.read";

/// A public client that has registered itself, at this host.
pub fn client(world: &World, number: u8, more: &Value) -> String {
    let id = id::make(&[number; 16], &world.config.masters.current);
    let mut metadata = json!({
        "redirect_uris": [format!("https://rp{number}.example.com/cb")], "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"], "client_name": format!("Relying {number}"),
        "post_logout_redirect_uris": [format!("https://rp{number}.example.com/bye"), format!("https://rp{number}.example.com/bye?a=b")],
    });
    metadata.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let metadata = Metadata::from(metadata.as_object().unwrap());
    let open = Command::Open { metadata, keeper: Keeper::Shared, secret: None, management: None, trusted: false, ttl: None };
    block(world.platform.run::<Registered>(&id, open)).unwrap();
    id
}

fn redirect(client_number: u8) -> String {
    format!("https://rp{client_number}.example.com/cb")
}

pub fn query(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

/// Connects, and gets the answer of the token endpoint.
pub fn connect(world: &World, person: &mut Person<'_>, number: u8, id: &str, scope: &str) -> Answer {
    let code = agree(person, number, id, scope);
    let answer = redeem(world, number, id, &code);
    assert_eq!(answer.status(), 200, "{}", answer.json());
    answer
}

/// Asks, and has the person say yes if they are asked: the code.
pub fn agree(person: &mut Person<'_>, number: u8, id: &str, scope: &str) -> String {
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
    let redirect = redirect(number);
    let asked = person.get(&format!(
        "/oauth2/authorize?{}",
        query(&[
            ("client_id", id),
            ("response_type", "code"),
            ("redirect_uri", &redirect),
            ("scope", scope),
            ("nonce", "n-0S6_WzA2Mj"),
            ("state", "xyz"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ])
    ));
    let answered = if asked.status() == 200 { person.post("/oauth2/authorize/consent", &[("answer", "allow")]) } else { asked };
    let location = Url::parse(answered.header("location").unwrap_or_else(|| panic!("{}", person.page))).unwrap();
    location.query_pairs().find(|(name, _)| name == "code").unwrap_or_else(|| panic!("{location}")).1.into_owned()
}

/// What the token endpoint answers.
pub fn redeem(world: &World, number: u8, id: &str, code: &str) -> Answer {
    world.form(
        "/oauth2/token",
        &[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("code_verifier", VERIFIER),
            ("redirect_uri", &redirect(number)),
            ("client_id", id),
        ],
    )
}

/// Header and claims of a token whose signature is right.
pub fn read(world: &World, typ: &'static str, token: &str) -> (Value, Map<String, Value>) {
    let part =
        |index: usize| -> Value { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(index).unwrap()).unwrap()).unwrap() };
    let header = part(0);
    let ring = if header["alg"] == "RS256" { Ring::Rs256 } else { Ring::Es256 };
    let cx = world.cx("192.0.2.1");
    let set = world.wait(keys::of(ring, &cx)).unwrap();
    let key = set.verifier(header["kid"].as_str().unwrap(), cx.now).unwrap();
    assert!(world.wait(Untrusted::parse(token).unwrap().verify::<Value>(typ, &key.jwk, &world.platform)).is_ok());
    (header, part(1).as_object().unwrap().clone())
}

pub fn userinfo(world: &World, token: &str) -> Answer {
    world.send("192.0.2.1", "GET", "/oauth2/userinfo", &[("authorization", &format!("Bearer {token}"))], "")
}

#[test]
fn a_relying_party_learns_who_the_person_is() {
    let world = World::new(&[]);
    let id = client(&world, 1, &json!({}));
    let mut ada = Person::sign_in(&world, "ada@example.com");
    world.later(100);
    let answer = connect(&world, &mut ada, 1, &id, EVERYTHING);
    let (access, token) = (answer.text("access_token"), answer.text("id_token"));
    let (header, claims) = read(&world, "jwt", &token);
    assert_eq!((&header["alg"], &header["typ"]), (&json!("RS256"), &json!("JWT")));
    let jwks = world.get("/.well-known/jwks.json").json();
    assert!(jwks["keys"].as_array().unwrap().iter().any(|key| key["kid"] == header["kid"] && key["kty"] == "RSA"), "{jwks}");
    let now = world.platform.now.get().seconds();
    let names = "acr amr at_hash aud auth_time azp exp iat iss nonce sid sub";
    assert_eq!(claims.keys().cloned().collect::<Vec<_>>().join(" "), names);
    for (name, value) in [
        ("iss", json!(world.config.issuer)),
        ("aud", json!(id)),
        ("azp", json!(id)),
        ("nonce", json!("n-0S6_WzA2Mj")),
        ("iat", json!(now)),
        ("exp", json!(now + 3600)),
        ("auth_time", json!(now - 100)),
        ("acr", json!("1")),
        ("amr", json!(["otp"])),
        ("at_hash", json!(URL_SAFE_NO_PAD.encode(&Sha256::digest(&access)[..16]))),
    ] {
        assert_eq!(claims[name], value, "{name}");
    }
    assert!(!token.contains("ada"));
    let sub = claims["sub"].as_str().unwrap();
    assert_eq!(userinfo(&world, &access).json(), json!({ "sub": sub, "email": "ada@example.com", "email_verified": true }));
    assert_eq!(userinfo(&world, &token).status(), 401, "an ID token opens nothing");
    assert_eq!(world.call(&token), 401);

    world.later(50);
    let again = world
        .form("/oauth2/token", &[("grant_type", "refresh_token"), ("refresh_token", &answer.text("refresh_token")), ("client_id", &id)]);
    let (_, later) = read(&world, "jwt", &again.text("id_token"));
    assert_eq!((&later["sub"], &later["auth_time"], &later["sid"]), (&claims["sub"], &claims["auth_time"], &claims["sid"]));
    assert!(!later.contains_key("nonce") && later["iat"] == json!(now + 50));
    assert_eq!(later["at_hash"], json!(URL_SAFE_NO_PAD.encode(&Sha256::digest(again.text("access_token"))[..16])));
}

#[test]
fn claims_come_by_scope_and_none_without_openid() {
    let world = World::new(&[]);
    let id = client(&world, 1, &json!({}));
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let bare = connect(&world, &mut ada, 1, &id, "openid api.read");
    assert_eq!(userinfo(&world, &bare.text("access_token")).json().as_object().unwrap().keys().collect::<Vec<_>>(), ["sub"]);
    let without = connect(&world, &mut ada, 1, &id, "api.read");
    assert!(without.json().get("id_token").is_none());
    let refused = userinfo(&world, &without.text("access_token"));
    assert_eq!((refused.status(), refused.text("error").as_str()), (403, "insufficient_scope"));
    let challenge = refused.header("www-authenticate").unwrap();
    assert!(challenge.starts_with("Bearer error=\"insufficient_scope\"") && challenge.ends_with("scope=\"openid\""), "{challenge}");
    let nobody = world.get("/oauth2/userinfo");
    assert_eq!((nobody.status(), nobody.header("www-authenticate")), (401, Some("Bearer scope=\"openid\"")));
    assert_eq!(world.form("/oauth2/userinfo", &[("access_token", &bare.text("access_token"))]).status(), 401, "only in the header");
    let bearer = format!("Bearer {}", bare.text("access_token"));
    assert_eq!(world.send("192.0.2.1", "POST", "/oauth2/userinfo", &[("authorization", &bearer)], "").status(), 200);
    let registered = world.json("/agent/auth", &json!({ "type": "anonymous", "requested_credential_type": "api_key" }));
    assert_eq!(userinfo(&world, &registered.text("credential")).status(), 403, "an agent's key is nobody's");
    world.later(3601);
    assert_eq!(userinfo(&world, &bare.text("access_token")).status(), 401);
}

#[test]
fn nobody_is_known_where_openid_connect_is_off() {
    let world = World::new(&[("OPENID_CONNECT", "off")]);
    let id = client(&world, 1, &json!({}));
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let answer = connect(&world, &mut ada, 1, &id, EVERYTHING);
    assert_eq!((answer.json().get("id_token"), answer.text("scope").as_str()), (None, "api.read"));
    for path in ["/oauth2/userinfo", "/oauth2/logout", "/.well-known/openid-configuration"] {
        assert_eq!(world.get(path).status(), 404, "{path}");
    }
}

#[test]
fn a_person_who_is_suspended_is_known_to_nobody() {
    let world = World::new(&[]);
    let id = client(&world, 1, &json!({}));
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let token = connect(&world, &mut ada, 1, &id, EVERYTHING).text("access_token");
    let operator = [("authorization", "Bearer operator-operator-operator-operator"), ("content-type", "application/json")];
    let body = json!({ "email": "ada@example.com" }).to_string();
    assert_eq!(world.send("192.0.2.1", "POST", "/operator/people/suspend", &operator, &body).status(), 200);
    assert_eq!(userinfo(&world, &token).status(), 401);
}

#[test]
fn a_client_may_choose_es256() {
    let world = World::new(&[]);
    let id = client(&world, 1, &json!({ "id_token_signed_response_alg": "ES256" }));
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let answer = connect(&world, &mut ada, 1, &id, "openid");
    assert_eq!(read(&world, "jwt", &answer.text("id_token")).0["alg"], "ES256");
}

fn sub(world: &World, person: &mut Person<'_>, number: u8, id: &str) -> String {
    let answer = connect(world, person, number, id, "openid");
    let (_, claims) = read(world, "jwt", &answer.text("id_token"));
    assert_eq!(userinfo(world, &answer.text("access_token")).json()["sub"], claims["sub"]);
    claims["sub"].as_str().unwrap().to_owned()
}

#[test]
fn pairwise_subjects_differ_by_sector_and_outlive_the_secret() {
    let mut world = World::new(&[]);
    let pairwise = |number: u8, sector: Option<&str>| {
        let mut more = json!({ "subject_type": "pairwise" });
        if let Some(sector) = sector {
            more["sector_identifier_uri"] = json!(sector);
        }
        client(&world, number, &more)
    };
    let ids = [client(&world, 1, &json!({})), client(&world, 2, &json!({})), pairwise(3, None), pairwise(4, None)];
    let shared = [pairwise(5, Some("https://sector.example.com/all.json")), pairwise(6, Some("https://sector.example.com/all.json"))];
    let (before, sectors) = {
        let mut ada = Person::sign_in(&world, "ada@example.com");
        let before: Vec<String> = (1..).zip(&ids).map(|(number, id)| sub(&world, &mut ada, number, id)).collect();
        let sectors: Vec<String> = (5..).zip(&shared).map(|(number, id)| sub(&world, &mut ada, number, id)).collect();
        (before, sectors)
    };
    assert_eq!(before[0], before[1], "public subjects are the same for all");
    assert!(before[2] != before[0] && before[3] != before[0] && before[2] != before[3]);
    assert_eq!(sectors[0], sectors[1]);
    let mut eve = Person::sign_in(&world, "eve@example.com");
    assert_ne!(sub(&world, &mut eve, 3, &ids[2]), before[2]);
    drop(eve);
    let changed =
        [("POSTERN_SECRET", "another-secret-another-secret-another"), ("POSTERN_SECRET_PREVIOUS", "0123456789abcdef0123456789abcdef")];
    world.config = World::new(&changed).config;
    world.forget();
    let mut ada = Person::sign_in(&world, "ada@example.com");
    assert_eq!(sub(&world, &mut ada, 3, &ids[2]), before[2]);
}

#[test]
fn access_tokens_of_pairwise_clients_cannot_be_compared_and_still_say_who_it_is() {
    let key: String = Sha256::digest("rs-secret").iter().map(|byte| format!("{byte:02x}")).collect();
    let world = World::new(&[("RESOURCE_SERVER_KEYS", &format!("rs:{key}"))]);
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let mut subs = Vec::new();
    for number in 1..=2 {
        let id = client(&world, number, &json!({ "subject_type": "pairwise" }));
        let mut answer = connect(&world, &mut ada, number, &id, EVERYTHING);
        for _ in 0..2 {
            let (_, claims) = read(&world, "jwt", &answer.text("id_token"));
            let access = answer.text("access_token");
            let (_, said) = read(&world, "at+jwt", &access);
            assert_eq!(said["sub"], claims["sub"]);
            assert!(!format!("{said:?}").contains("acc_"), "{said:?}");
            assert_eq!(userinfo(&world, &access).json()["email"], "ada@example.com");
            assert_eq!(userinfo(&world, &access).json()["sub"], claims["sub"]);
            let me = world.send("192.0.2.1", "GET", "/api/v1/auth/me", &[("authorization", &format!("Bearer {access}"))], "");
            assert_eq!(me.json()["sub"], claims["sub"]);
            let seen = crate::client::with_basic(&world, "/oauth2/introspect", "rs", "rs-secret", &format!("token={access}")).json();
            assert_eq!(seen["sub"], claims["sub"]);
            subs.push(claims["sub"].to_string());
            let fields = [("grant_type", "refresh_token"), ("refresh_token", &*answer.text("refresh_token")), ("client_id", &id)];
            answer = world.form("/oauth2/token", &fields);
        }
    }
    assert!(subs[0] == subs[1] && subs[2] == subs[3] && subs[0] != subs[2], "{subs:?}");
}

#[test]
fn no_code_of_a_pairwise_client_is_used_up_while_its_person_has_no_name() {
    let world = World::new(&[]);
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let id = client(&world, 1, &json!({ "subject_type": "pairwise" }));
    let code = agree(&mut ada, 1, &id, "api.read");
    world.platform.lost.borrow_mut().push("account");
    assert_eq!(redeem(&world, 1, &id, &code).status(), 503);
    world.platform.lost.borrow_mut().clear();
    assert_eq!(redeem(&world, 1, &id, &code).status(), 200);
}

#[test]
fn the_metadata_says_what_is_served() {
    let world = World::new(&[]);
    let document = world.get("/.well-known/openid-configuration").json();
    assert_eq!(document, world.get("/.well-known/oauth-authorization-server").json());
    for path in ["/.well-known/openid-configuration/mcp", "/mcp/.well-known/openid-configuration"] {
        assert_eq!(world.get(path).json(), document, "{path}");
    }
    assert_eq!(world.get("/.well-known/openid-configuration/other").status(), 404);
    assert_eq!(document["scopes_supported"], json!(["api.read", "api.write", "openid", "email", "profile", "offline_access"]));
    assert_eq!(document["id_token_signing_alg_values_supported"], json!(["RS256", "ES256"]));
    assert_eq!(document["end_session_endpoint"], json!("https://auth.example.com/oauth2/logout"));
    for path in ["/.well-known/oauth-protected-resource", "/mcp"] {
        let answer = world.get(path);
        let text = format!("{} {:?}", answer.json(), answer.header("www-authenticate"));
        assert!(!text.contains("offline_access") && !text.contains("openid"), "{text}");
    }
    // Whoever reads it finds the key that will sign.
    world.later(3);
    assert_eq!(world.get("/.well-known/jwks.json").json()["keys"].as_array().unwrap().len(), 2);
    let lost = World::new(&[]);
    lost.platform.lost.borrow_mut().push("keyring");
    assert_eq!(lost.get("/.well-known/openid-configuration").status(), 200, "it needs no key itself");
}
