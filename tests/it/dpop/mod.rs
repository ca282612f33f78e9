//! Access tokens that are bound to a key (RFC 9449), through the front door.

mod form;
mod nonce;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use postern::grant::CODE;
use postern::jose::foreign::ForeignKey;
use postern::secret::{ApiKey, AuthorizationCode, Presented, Secret};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::oidc::flow;
use crate::person::{Person, page};
use crate::provider::{Key, with, without};
use crate::world::{Answer, ISSUER, World};

const ALGORITHMS: &str = "ES256 ES384 RS256 PS256 EdDSA Ed25519";
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
pub const KEY: Key = Key::Es256(11);
pub const OTHER: Key = Key::Ed25519(12);

pub fn jkt(key: Key) -> String {
    ForeignKey::read(&public(key)).unwrap().thumbprint()
}

fn public(key: Key) -> Value {
    without(&key.jwk("x"), "kid")
}

fn header(key: Key) -> Value {
    let alg = match key {
        Key::Es256(_) => "ES256",
        Key::Ed25519(_) => "EdDSA",
        Key::Rs256(_) => "RS256",
    };
    json!({ "typ": "dpop+jwt", "alg": alg, "jwk": public(key) })
}

/// Claims to which nothing can be objected, for now.
fn claims(world: &World, method: &str, path: &str) -> Value {
    let mut jti = [0; 16];
    postern::entropy::Entropy::fill(&world.platform, &mut jti).unwrap();
    let now = world.platform.now.get().seconds();
    json!({ "jti": URL_SAFE_NO_PAD.encode(jti), "htm": method, "htu": format!("{ISSUER}{path}"), "iat": now })
}

fn sign(key: Key, claims: &Value) -> String {
    crate::provider::token(key, &header(key), claims)
}

/// A proof for the token endpoint.
pub fn proof(world: &World, key: Key) -> String {
    sign(key, &claims(world, "POST", "/oauth2/token"))
}

/// One for a resource.
pub fn proof_with(world: &World, key: Key, token: &str) -> String {
    let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(token));
    sign(key, &with(&claims(world, "GET", "/api/v1/auth/me"), "ath", hash.into()))
}

pub fn api_key(world: &World) -> String {
    world.json("/agent/auth", &json!({ "type": "anonymous", "requested_credential_type": "api_key" })).text("credential")
}

pub fn post(world: &World, path: &str, fields: &[(&str, &str)], proof: &str) -> Answer {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    world.send("192.0.2.1", "POST", path, &[FORM, ("dpop", proof)], &body)
}

fn ask(world: &World, key: &str, proof: &str) -> Answer {
    post(world, "/oauth2/token", &[("grant_type", "client_credentials"), ("client_secret", key)], proof)
}

pub fn me(world: &World, scheme: &str, token: &str, proof: Option<&str>) -> Answer {
    let authorization = format!("{scheme} {token}");
    let mut headers = vec![("authorization", authorization.as_str())];
    headers.extend(proof.map(|proof| ("dpop", proof)));
    world.send("192.0.2.1", "GET", "/api/v1/auth/me", &headers, "")
}

pub fn payload(token: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

fn challenge(answer: &Answer) -> (u16, String) {
    (answer.status(), answer.header("www-authenticate").unwrap_or_default().to_owned())
}

#[test]
fn a_proof_binds_the_token_to_its_key() {
    let world = World::new(&[]);
    let secret = api_key(&world);
    let answer = ask(&world, &secret, &proof(&world, KEY));
    assert_eq!((answer.status(), answer.text("token_type")), (200, "DPoP".to_owned()), "{}", answer.json());
    let token = answer.text("access_token");
    assert_eq!(payload(&token)["cnf"], json!({ "jkt": jkt(KEY) }));
    assert_eq!(me(&world, "DPoP", &token, Some(&proof_with(&world, KEY, &token))).status(), 200);
    assert_eq!(me(&world, "dpop", &token, Some(&proof_with(&world, KEY, &token))).status(), 200, "schemes have no case");

    let (status, told) = challenge(&me(&world, "Bearer", &token, None));
    assert!(
        status == 401 && told.starts_with("DPoP error=\"invalid_token\"") && told.contains(&format!("algs=\"{ALGORITHMS}\"")),
        "{told}"
    );
    assert_eq!(
        me(&world, "Bearer", &token, Some(&proof_with(&world, KEY, &token))).status(),
        401,
        "a proof does not make up for the scheme"
    );
    let refused = |proof: Option<String>, code: &str| {
        let answer = me(&world, "DPoP", &token, proof.as_deref());
        let (status, told) = challenge(&answer);
        assert!(status == 401 && told.starts_with(&format!("DPoP error=\"{code}\"")), "{code} {told}");
        assert_eq!(answer.text("error"), code);
        assert_eq!(answer.json()["status"], 401);
    };
    refused(None, "invalid_dpop_proof");
    refused(Some(proof_with(&world, OTHER, &token)), "invalid_dpop_proof");
    refused(Some(proof_with(&world, KEY, "another token")), "invalid_dpop_proof");
    refused(Some(sign(KEY, &claims(&world, "GET", "/api/v1/auth/me"))), "invalid_dpop_proof");
    let head = world.send(
        "192.0.2.1",
        "HEAD",
        "/api/v1/auth/me",
        &[("authorization", &format!("DPoP {token}")), ("dpop", &proof_with(&world, KEY, &token))],
        "",
    );
    assert_eq!(head.status(), 401, "HEAD is not GET");

    let bearer = world.form("/oauth2/token", &[("grant_type", "client_credentials"), ("client_secret", &secret)]);
    assert_eq!(bearer.text("token_type"), "Bearer");
    let bearer = bearer.text("access_token");
    for unbound in [&bearer, &secret] {
        let (status, told) = challenge(&me(&world, "DPoP", unbound, Some(&proof_with(&world, KEY, unbound))));
        assert!(status == 401 && told.starts_with("DPoP error=\"invalid_token\""), "{told}");
    }
    assert_eq!(me(&world, "Bearer", &bearer, None).status(), 200);
    let (_, told) = challenge(&world.get("/api/v1/auth/me"));
    assert!(told.starts_with("Bearer ") && !told.contains("DPoP"), "old clients get one challenge: {told}");
}

#[test]
fn a_proof_counts_once_and_never_before_its_credential_is_known_to_be_genuine() {
    let world = World::new(&[]);
    let secret = api_key(&world);
    let remembered = || world.platform.cells.borrow().keys().filter(|name| name.starts_with("once/")).count();
    for fields in [
        &[("grant_type", "client_credentials"), ("client_secret", "postern_made_up")][..],
        &[("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", "a.b.c")],
        &[("grant_type", "urn:workos:agent-auth:grant-type:claim"), ("claim_token", "clm_made_up")],
        &[("grant_type", "no such grant")],
    ] {
        assert!(post(&world, "/oauth2/token", fields, &proof(&world, KEY)).status() >= 400);
    }
    assert_eq!(me(&world, "DPoP", "made.up.token", Some(&proof_with(&world, KEY, "made.up.token"))).status(), 401);
    // Whoever has one key or code can put others behind its stamp.
    let master = &world.config.masters.current;
    let real = Presented::<ApiKey>::parse("postern", &secret, &world.config.masters).unwrap();
    let stamped = Secret::<ApiKey>::mint("postern", real.digits(), [7; 32], master).reveal();
    assert_eq!(ask(&world, &stamped, &proof(&world, KEY)).text("error"), "invalid_client");
    let client = flow::client(&world, 1, &json!({}));
    let code = flow::agree(&mut Person::sign_in(&world, "ada@example.com"), 1, &client, flow::EVERYTHING);
    let real = Presented::<AuthorizationCode>::parse(CODE, &code, &world.config.masters).unwrap();
    let stamped = Secret::<AuthorizationCode>::mint(CODE, real.digits(), [7; 32], master).reveal();
    let redeem = |code: &str| {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("code_verifier", flow::VERIFIER),
            ("redirect_uri", "https://rp1.example.com/cb"),
            ("client_id", &client),
        ];
        post(&world, "/oauth2/token", &fields, &proof(&world, KEY))
    };
    assert_eq!(redeem(&stamped).text("error"), "invalid_grant");
    assert_eq!(remembered(), 0, "what anybody can make up is not stored");
    assert_eq!((redeem(&code).status(), remembered()), (200, 1));
    assert_eq!((redeem(&code).text("error"), remembered()), ("invalid_grant".to_owned(), 1), "nor for a code that is used");

    let first = proof(&world, KEY);
    let token = ask(&world, &secret, &first).text("access_token");
    assert_eq!(ask(&world, &secret, &first).text("error"), "invalid_dpop_proof");
    let call = proof_with(&world, KEY, &token);
    assert_eq!(me(&world, "DPoP", &token, Some(&call)).status(), 200);
    assert_eq!(me(&world, "DPoP", &token, Some(&call)).status(), 401);
    world.later(299);
    assert_eq!(me(&world, "DPoP", &token, Some(&call)).status(), 401, "seen, as long as it would be fresh");
    assert_eq!(ask(&world, &secret, &first).text("error"), "invalid_dpop_proof");
    world.later(600);
    assert_eq!(remembered(), 0, "and forgotten then");
}

#[test]
fn every_grant_of_agents_can_be_bound() {
    let world = World::new(&[]);
    let assertion = world.json("/agent/identity", &json!({ "type": "anonymous" })).text("identity_assertion");
    let fields = [("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", assertion.as_str())];
    let answer = post(&world, "/oauth2/token", &fields, &proof(&world, OTHER));
    assert_eq!(
        (answer.text("token_type"), payload(&answer.text("access_token"))["cnf"]["jkt"].clone()),
        ("DPoP".to_owned(), jkt(OTHER).into())
    );

    let service = world.json("/agent/identity", &json!({ "type": "service_auth", "login_hint": "ada@example.com" })).json();
    let claim = [("grant_type", "urn:workos:agent-auth:grant-type:claim"), ("claim_token", service["claim"]["token"].as_str().unwrap())];
    assert_eq!(post(&world, "/oauth2/token", &claim, &proof(&world, KEY)).text("error"), "authorization_pending");
    let mut ada = Person::sign_in(&world, "ada@example.com");
    ada.get(&page(service["claim"]["verification_uri"].as_str().unwrap()));
    let code = service["claim"]["user_code"].as_str().unwrap();
    assert_eq!(ada.post("/agent/identity/claim/complete", &[("user_code", code)]).status(), 200);
    world.later(10);
    let first = post(&world, "/oauth2/token", &claim, &proof(&world, KEY));
    assert_eq!((first.status(), first.text("token_type")), (200, "DPoP".to_owned()), "{}", first.json());
    let token = first.text("access_token");
    assert_eq!(me(&world, "DPoP", &token, Some(&proof_with(&world, KEY, &token))).status(), 200);
    let repeated = post(&world, "/oauth2/token", &claim, &proof(&world, KEY));
    assert_eq!((repeated.status(), repeated.0.body()), (200, first.0.body()), "byte for byte");
}

#[test]
fn a_bound_token_authenticates_with_its_proof_alone() {
    let world = World::new(&[]);
    let secret = api_key(&world);
    let token = ask(&world, &secret, &proof(&world, KEY)).text("access_token");
    let ask_about = |headers: &[(&str, &str)], token: &str| {
        let mut all = vec![FORM];
        all.extend(headers);
        world.send("192.0.2.1", "POST", "/oauth2/introspect", &all, &format!("token={token}"))
    };
    let basic = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!(":{secret}")));
    let shown = ask_about(&[("authorization", &basic)], &token).json();
    assert_eq!((&shown["active"], &shown["token_type"], &shown["cnf"]["jkt"]), (&json!(true), &json!("DPoP"), &json!(jkt(KEY))));
    let bearer = format!("Bearer {token}");
    assert_eq!(ask_about(&[("authorization", &bearer)], &token).text("error"), "invalid_client");
    let proven = format!("DPoP {token}");
    let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(&token));
    let proof = || sign(KEY, &with(&claims(&world, "POST", "/oauth2/introspect"), "ath", hash.clone().into()));
    assert_eq!(ask_about(&[("authorization", &proven), ("dpop", &proof())], &token).json()["active"], true);
    assert_eq!(ask_about(&[("authorization", &proven)], &token).text("error"), "invalid_dpop_proof");
    let fields = [("grant_type", "client_credentials")];
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let answer = world.send("192.0.2.1", "POST", "/oauth2/token", &[FORM, ("authorization", &proven), ("dpop", &proof())], &body);
    assert_eq!(answer.text("error"), "invalid_client");
    world.form("/oauth2/revoke", &[("token", &token)]);
    assert_eq!(me(&world, "DPoP", &token, Some(&proof_with(&world, KEY, &token))).text("error"), "invalid_token");
}

#[test]
fn it_is_advertised() {
    let world = World::new(&[]);
    for path in
        ["/.well-known/oauth-authorization-server", "/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/api/v1"]
    {
        let algorithms = world.get(path).json()["dpop_signing_alg_values_supported"].clone();
        assert_eq!(algorithms, json!(ALGORITHMS.split(' ').collect::<Vec<_>>()), "{path}");
    }
    let preflight = world.send("192.0.2.1", "OPTIONS", "/oauth2/token", &[], "");
    assert!(preflight.header("access-control-allow-headers").unwrap().split(", ").any(|name| name == "DPoP"));
}
