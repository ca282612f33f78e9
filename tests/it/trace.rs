//! The connection trace, through the front door.

use postern::machine::trace::KEPT;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::person::Person;
use crate::world::{Answer, ISSUER, World};

const KEY: &str = "operator-operator-operator-operator";
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// What the operator is told.
fn ask(world: &World, path: &str) -> Value {
    let answer = world.send("198.51.100.1", "GET", path, &[("authorization", &format!("Bearer {KEY}"))], "");
    assert_eq!(answer.status(), 200, "{path} {}", answer.json());
    answer.json()
}

fn list(world: &World, query: &str) -> Vec<Value> {
    ask(world, &format!("/operator/traces{query}"))["traces"].as_array().unwrap().clone()
}

/// The steps of the newest attempt of the newest trace.
fn steps(world: &World) -> Vec<Value> {
    let newest = list(world, "")[0]["trace"].as_str().unwrap().to_owned();
    ask(world, &format!("/operator/traces/{newest}"))["attempts"][0]["steps"].as_array().unwrap().clone()
}

fn form(world: &World, address: &str, fields: &[(&str, &str)], headers: &[(&str, &str)]) -> Answer {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let headers: Vec<(&str, &str)> = [("content-type", "application/x-www-form-urlencoded")].iter().chain(headers).copied().collect();
    world.send(address, "POST", "/oauth2/token", &headers, &body)
}

/// Everything that is at rest.
fn kept(world: &World) -> String {
    let cells = world.platform.cells.borrow();
    cells.iter().filter(|(name, _)| name.starts_with("trace")).map(|(_, record)| record.as_str()).collect()
}

#[test]
fn an_agent_s_way_in_is_kept_in_order() {
    let world = World::new(&[]);
    let registered = world.json("/agent/identity", &json!({ "type": "anonymous", "agent": "claude-code" })).json();
    let id = registered["registration_id"].as_str().unwrap();
    let wrong =
        [("grant_type", JWT_BEARER), ("assertion", registered["identity_assertion"].as_str().unwrap()), ("resource", "https://other")];
    assert_eq!(world.form("/oauth2/token", &wrong).status(), 400);
    let entry = &list(&world, "")[0];
    assert_eq!((entry["outcome"].as_str(), entry["error"].as_str()), (Some("failed"), Some("invalid_target")));
    assert_eq!((entry["client_id"].as_str(), entry["client_name"].as_str()), (Some(id), Some("claude-code")));
    assert_eq!(entry["network"], "192.0.2.0/24");

    let token = world.form("/oauth2/token", &wrong[..2]).text("access_token");
    assert_eq!(list(&world, "")[0]["outcome"], "token_issued");
    assert_eq!(world.call(&token), 200);
    world.platform.lost.borrow_mut().push("trace");
    for _ in 0..5 {
        assert_eq!(world.call(&token), 200);
    }
    assert_eq!(world.platform.warnings.borrow().len(), 0, "nothing was asked of the store");
    world.platform.lost.borrow_mut().clear();
    assert_eq!(list(&world, "")[0]["outcome"], "connected");
    let steps = steps(&world);
    let told = |index: usize, name: &str| steps[index][name].as_str().unwrap_or_default().to_owned();
    assert_eq!(steps.iter().map(|step| step["step"].as_str().unwrap()).collect::<Vec<_>>(), ["registration", "token", "token", "call"]);
    assert_eq!((told(1, "error"), told(1, "check")), ("invalid_target".into(), "the resource is unknown".into()));
    assert_eq!(told(1, "expected"), format!("{ISSUER}/mcp {ISSUER}/api/v1"));
    assert_eq!(steps[1]["sent"][3], json!({ "name": "resource", "value": "https://other" }));
    assert_eq!(steps[3]["times"], 1, "only the first call is a step");
}

#[test]
fn a_token_that_does_not_count_is_a_step_of_its_attempt_alone() {
    let world = World::new(&[]);
    let registered = world.json("/agent/identity", &json!({ "type": "anonymous" })).json();
    let assertion = registered["identity_assertion"].as_str().unwrap();
    let token = world.form("/oauth2/token", &[("grant_type", JWT_BEARER), ("assertion", assertion)]).text("access_token");
    assert_eq!(world.form("/oauth2/revoke", &[("token", &token)]).status(), 200);
    world.later(2);
    assert_eq!(world.call(&token), 401);
    assert!(steps(&world)[2]["check"].as_str().unwrap().starts_with("revoked with"));
    assert_eq!(list(&world, "")[0]["error"], "invalid_token");
    world.later(3600);
    let before = kept(&world);
    assert_eq!(world.call(&token), 401, "an expired token is everyday life");
    assert_eq!(world.get("/api/v1/auth/me").status(), 401, "so is asking for the challenge");
    assert_eq!(world.call("e30.e30.e30"), 401);
    assert_eq!(form(&world, "192.0.2.1", &[("grant_type", "client_credentials"), ("client_secret", "invented")], &[]).status(), 401);
    assert_eq!(kept(&world), before, "nobody's attempt");
    world.later(KEPT.seconds());
    assert_eq!((kept(&world).as_str(), list(&world, "").len()), ("", 0), "gone after a day");
}

#[test]
fn clients_and_networks_are_told_apart_and_found() {
    let world = World::new(&[]);
    for (address, client) in [("192.0.2.1", "one"), ("192.0.2.99", "one"), ("203.0.113.1", "one"), ("2001:db8::1", "another")] {
        world.later(1);
        assert_eq!(form(&world, address, &[("grant_type", "password"), ("client_id", client)], &[]).status(), 400);
    }
    let all = list(&world, "");
    assert_eq!(
        all.iter().map(|entry| entry["network"].as_str().unwrap()).collect::<Vec<_>>(),
        ["2001:db8::/48", "203.0.113.0/24", "192.0.2.0/24"]
    );
    assert_eq!(
        (list(&world, "?client_id=one").len(), list(&world, "?outcome=failed").len(), list(&world, "?outcome=connected").len()),
        (2, 3, 0)
    );
    let at = |index: usize| {
        let moment = all[index]["at"].as_str().unwrap();
        chrono_millis(moment)
    };
    assert_eq!(list(&world, &format!("?before={}", at(0))).len(), 2);
    assert_eq!(steps(&world)[0]["expected"].as_str().unwrap(), postern::grant::grant_types(&world.config).join(" "));
    assert_eq!(world.get("/operator/traces").status(), 401);
    let id = all[0]["trace"].as_str().unwrap();
    assert_eq!(id.len(), 10);
    assert_eq!(world.get(&format!("/operator/traces/{id}")).status(), 401);
    for unknown in ["0000000000", "x", ""] {
        let path = format!("/operator/traces/{unknown}");
        assert_eq!(world.send("192.0.2.1", "GET", &path, &[("authorization", &format!("Bearer {KEY}"))], "").status(), 404);
    }
}

fn chrono_millis(iso: &str) -> i64 {
    chrono::DateTime::parse_from_rfc3339(iso).unwrap().timestamp_millis()
}

#[test]
fn only_what_is_wrong_with_discovery_is_kept() {
    let world = World::new(&[]);
    for path in ["/.well-known/oauth-protected-resource", "/.well-known/nothing", "/health"] {
        world.get(path);
    }
    assert_eq!(kept(&world), "");
    assert_eq!(world.get("/.well-known/oauth-protected-resource/elsewhere").status(), 404);
    assert_eq!(steps(&world)[0]["sent"][0], json!({ "name": "path", "value": "/.well-known/oauth-protected-resource/elsewhere" }));
    assert_eq!(world.send("192.0.2.1", "POST", "/.well-known/oauth-authorization-server", &[], "").status(), 405);
    assert_eq!(steps(&world)[1]["error"], "method_not_allowed");
}

#[test]
fn off_is_off_and_without_an_operator_nothing_is_kept() {
    for vars in [[("TRACE", "off")], [("OPERATOR_KEY", "")]] {
        let world = World::new(&vars);
        world.json("/agent/identity", &json!({ "type": "anonymous" }));
        world.json("/agent/identity", &json!({ "type": "wrong" }));
        assert_eq!(form(&world, "192.0.2.1", &[("grant_type", "password"), ("client_id", "one")], &[]).status(), 400);
        assert_eq!(kept(&world), "");
    }
}

#[test]
fn a_flood_is_bounded() {
    let world = World::new(&[]);
    let traces = || world.platform.cells.borrow().keys().filter(|name| name.starts_with("trace/")).count();
    let invent = |address: &str, number: u32| {
        form(&world, address, &[("grant_type", "password"), ("client_id", &format!("c{number}"))], &[]);
    };
    (0..100).for_each(|number| invent("192.0.2.1", number));
    assert_eq!(traces(), 10, "one address leaves room for others");
    (100..300).for_each(|number| invent(&format!("198.51.100.{}", number % 200), number));
    assert_eq!(traces(), 30, "and so does one network");
    (300..500).for_each(|number| invent(&format!("203.0.{}.1", number % 200), number));
    assert_eq!(traces(), 60);
    world.later(60);
    form(&world, "192.0.2.1", &[("grant_type", "password"), ("client_id", "last")], &[]);
    assert_eq!(ask(&world, "/operator/traces")["not_kept"], 440);
    for _ in 0..100 {
        form(&world, "192.0.2.1", &[("grant_type", "password"), ("client_id", "last")], &[]);
    }
    world.later(60);
    form(&world, "192.0.2.1", &[("grant_type", "password"), ("client_id", "last")], &[]);
    let id = list(&world, "?client_id=last")[0]["trace"].as_str().unwrap().to_owned();
    let trace = ask(&world, &format!("/operator/traces/{id}"));
    assert_eq!((&trace["steps_not_kept"], &trace["attempts"][0]["steps"][0]["times"]), (&json!(81), &json!(21)));
}

#[test]
fn a_store_that_is_lost_costs_a_line_in_the_log() {
    let world = World::new(&[]);
    world.platform.lost.borrow_mut().push("trace");
    assert_eq!(world.json("/agent/identity", &json!({ "type": "anonymous" })).status(), 200);
    assert!(world.platform.warnings.borrow()[0].starts_with("trace_not_kept: "));
}

/// A client with a document, and what it asks of people.
const CLIENT: &str = "https://app.example.net/oauth/client.json";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const HOME: &str = "198.51.100.7";

fn with_client() -> World {
    let world = World::new(&[]);
    let document = json!({
        "client_id": CLIENT, "client_name": "App", "redirect_uris": ["https://app.example.net/cb"],
        "grant_types": ["authorization_code", "refresh_token"], "token_endpoint_auth_method": "none",
    });
    crate::provider::publish(&world, CLIENT, &document, None);
    world
}

fn authorize(redirect: &str, more: &[(&str, &str)]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs([("response_type", "code"), ("client_id", CLIENT), ("redirect_uri", redirect), ("state", "a-secret-state")]);
    query.extend_pairs([("code_challenge", CHALLENGE), ("code_challenge_method", "S256")]).extend_pairs(more);
    format!("/oauth2/authorize?{}", query.finish())
}

/// The person answers the consent page that is open.
fn answer(ada: &mut Person<'_>, yes: bool) -> Answer {
    ada.post("/oauth2/authorize/consent", &[("answer", if yes { "allow" } else { "deny" })])
}

#[test]
fn row_45_a_client_s_way_in_is_kept_from_a_wrong_redirect_to_the_first_call() {
    let world = with_client();
    let mut ada = Person::sign_in(&world, "ada@example.com");
    assert_eq!(ada.get(&authorize("https://app.example.net/cb2", &[])).status(), 400);
    let id = list(&world, "")[0]["trace"].as_str().unwrap().to_owned();
    assert!(ada.page.contains(&format!("Reference <code>{id}</code>")), "the page has the reference of the trace");
    assert_eq!(ada.get(&authorize("https://app.example.net/cb", &[])).status(), 200);
    let back = answer(&mut ada, true);
    let location = url::Url::parse(back.header("location").unwrap()).unwrap();
    let code = location.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    let wrong = VERIFIER.replace('d', "e");
    let redeem = |verifier: &str| {
        let fields = [("grant_type", "authorization_code"), ("client_id", CLIENT), ("code", &code), ("code_verifier", verifier)];
        form(&world, HOME, &[&fields[..], &[("redirect_uri", "https://app.example.net/cb")]].concat(), &[("user-agent", "App/1.2 (x)")])
    };
    assert_eq!(redeem(&wrong).status(), 400);
    let token = redeem(VERIFIER);
    assert_eq!(token.status(), 200, "{}", token.json());
    let bearer = format!("Bearer {}", token.text("access_token"));
    assert_eq!(world.send(HOME, "GET", "/api/v1/auth/me", &[("authorization", &bearer)], "").status(), 200);

    let trace = ask(&world, &format!("/operator/traces/{id}"));
    assert_eq!((trace["client_id"].as_str(), trace["attempts"].as_array().unwrap().len()), (Some(CLIENT), 1));
    let steps = trace["attempts"][0]["steps"].as_array().unwrap();
    let told: Vec<_> = steps.iter().map(|step| (step["step"].as_str().unwrap(), step["result"].as_str().unwrap())).collect();
    assert_eq!(
        told,
        [
            ("authorization", "failed"),
            ("authorization", "done"),
            ("approval", "done"),
            ("token", "failed"),
            ("token", "done"),
            ("call", "done")
        ]
    );
    assert!(steps[0]["check"].as_str().unwrap().starts_with("a redirect URI that is not the client's"));
    assert_eq!(steps[0]["expected"], "https://app.example.net/cb", "what is registered, beside what was sent");
    assert!(steps[0]["sent"].as_array().unwrap().contains(&json!({ "name": "redirect_uri", "value": "https://app.example.net/cb2" })));
    assert_eq!(trace["client_name"], "App", "nothing has registered here, and the client is known all the same");
    assert_eq!(
        (&trace["network"], &steps[2]["sent"]),
        (
            &json!("198.51.100.0/24"),
            &json!([
                { "name": "Content-Type", "value": "application/x-www-form-urlencoded" }, { "name": "answer", "value": "allow" },
            ])
        )
    );
    assert_eq!(steps[3]["check"], "the code_verifier is not that of the code_challenge");
    assert!(steps[3]["expected"].as_str().unwrap().contains("code_challenge"));
    let sent = steps[3]["sent"].as_array().unwrap();
    for shown in [json!({ "name": "code_verifier", "length": 43 }), json!({ "name": "User-Agent", "value": "App/1.2" })] {
        assert!(sent.contains(&shown), "{shown}");
    }
    assert_eq!(trace["attempts"][0]["outcome"], "connected");

    let refresh = token.text("refresh_token");
    let again = |secret: &str| {
        form(&world, HOME, &[("grant_type", "refresh_token"), ("client_id", CLIENT), ("refresh_token", secret)], &[]).status()
    };
    let before = kept(&world);
    assert_eq!((again(&refresh), kept(&world) == before), (200, true), "a refresh is everyday life");
    assert_eq!(again("invented"), 400);
    assert_eq!(ask(&world, &format!("/operator/traces/{id}"))["attempts"][0]["attempt"], 2, "a connection that breaks is another attempt");
    let kept = kept(&world);
    let secrets = [&code, VERIFIER, &wrong, CHALLENGE, "a-secret-state", &refresh, &bearer[7..], "ada@example.com"];
    for secret in secrets {
        assert!(!kept.contains(secret), "{secret} in {kept}");
    }
}

#[test]
fn what_a_redirect_tells_the_client_the_trace_tells_too() {
    let world = with_client();
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let failed = |world: &World| {
        world.later(1);
        steps(world).last().unwrap().clone()
    };
    assert_eq!(ada.get(&authorize("https://app.example.net/cb", &[("resource", "https://other.example")])).status(), 302);
    assert_eq!(
        (failed(&world)["error"].as_str(), failed(&world)["expected"].as_str().unwrap()),
        (Some("invalid_target"), format!("{ISSUER}/mcp {ISSUER}/api/v1").as_str())
    );
    assert_eq!(ada.get(&authorize("https://app.example.net/cb", &[("prompt", "none")])).status(), 302);
    assert_eq!((failed(&world)["error"].as_str(), failed(&world)["status"].as_u64()), (Some("consent_required"), Some(302)));
    ada.get(&authorize("https://app.example.net/cb", &[]));
    assert_eq!(answer(&mut ada, false).status(), 303);
    let denied = failed(&world);
    assert_eq!((&denied["step"], &denied["error"]), (&json!("approval"), &json!("access_denied")));
    assert_eq!(denied["check"], "The person has said no.");
    assert_eq!(denied["sent"].as_array().unwrap().last(), Some(&json!({ "name": "answer", "value": "deny" })));
    // A page that is over has the reference of what came before it, whoever the client was.
    assert_eq!(answer(&mut ada, true).status(), 400);
    let over = ada.page.split("Reference <code>").nth(1).unwrap().split('<').next().unwrap().to_owned();
    assert_eq!(ask(&world, &format!("/operator/traces/{over}"))["attempts"][0]["steps"][0]["step"], "approval");
    assert_eq!(ada.get("/oauth2/authorize?client_id=nobody").status(), 400);
    let unknown = list(&world, "?client_id=nobody")[0]["trace"].as_str().unwrap().to_owned();
    assert!(ada.page.contains(&unknown));
    assert_eq!(ada.get("/oauth2/authorize").status(), 400);
    let nobody = list(&world, "").into_iter().find(|entry| entry["client_id"].is_null()).unwrap();
    assert!(ada.page.contains(nobody["trace"].as_str().unwrap()));
    let fields = [("client_id", CLIENT), ("response_type", "code"), ("redirect_uri", "https://app.example.net/cb2")];
    assert_eq!(world.form("/oauth2/par", &fields).status(), 400);
    let pushed = list(&world, &format!("?client_id={CLIENT}")).into_iter().find(|entry| entry["network"] == "192.0.2.0/24").unwrap();
    let pushed = ask(&world, &format!("/operator/traces/{}", pushed["trace"].as_str().unwrap()));
    let pushed = &pushed["attempts"][0]["steps"][0];
    assert_eq!((pushed["step"].as_str(), pushed["expected"].as_str()), (Some("pushed_authorization"), Some("https://app.example.net/cb")));
    world.later(1);
    let wrong = ada.get("/device?user_code=%00");
    assert_eq!(wrong.status(), 400);
    let shown = ada.page.split("Reference <code>").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let steps = ask(&world, &format!("/operator/traces/{shown}"))["attempts"][0]["steps"].as_array().unwrap().clone();
    assert_eq!((steps.last().unwrap()["step"].as_str(), steps.last().unwrap()["status"].as_u64()), (Some("approval"), Some(400)));
    // Without traces there is nothing to refer to.
    let off = World::new(&[("TRACE", "off")]);
    let mut ada = Person::sign_in(&off, "ada@example.com");
    assert_eq!(ada.get("/oauth2/authorize?client_id=nobody").status(), 400);
    assert!(!ada.page.contains("Reference"));
}

/// A browser for the operator.
struct Browser<'w> {
    world: &'w World,
    cookies: Vec<(String, String)>,
    page: String,
}

impl Browser<'_> {
    fn send(&mut self, method: &str, path: &str, body: &str) -> Answer {
        let cookie = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
        let headers =
            [("cookie", cookie.as_str()), ("accept", "text/html,*/*;q=0.8"), ("content-type", "application/x-www-form-urlencoded")];
        let answer = self.world.send("198.51.100.7", method, path, &headers, body);
        for cookie in answer.0.headers().get_all("set-cookie") {
            let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
            self.cookies.retain(|(known, _)| known != name);
            self.cookies.push((name.to_owned(), rest.split(';').next().unwrap().to_owned()));
        }
        self.page = String::from_utf8_lossy(answer.0.body()).into_owned();
        answer
    }

    fn post(&mut self, field: &str, value: &str) -> Answer {
        let (_, rest) = self.page.split_once("name=\"csrf\" value=\"").unwrap();
        let body = format!("csrf={}&{field}={value}", rest.split('"').next().unwrap());
        self.send("POST", "/operator/traces", &body)
    }
}

#[test]
fn the_page_opens_with_the_key_for_a_quarter_of_an_hour() {
    let world = World::new(&[]);
    assert_eq!(form(&world, "192.0.2.1", &[("grant_type", "password"), ("client_id", "one")], &[]).status(), 400);
    let id = list(&world, "")[0]["trace"].as_str().unwrap().to_owned();
    let mut browser = Browser { world: &world, cookies: Vec::new(), page: String::new() };
    assert_eq!(browser.send("GET", &format!("/operator/traces/{id}"), "").status(), 401);
    assert!(browser.page.contains("Operator key") && !browser.page.contains(&id));
    assert_eq!(browser.post("key", "wrong-wrong-wrong-wrong-wrong-wrong").status(), 401);
    assert!(browser.page.contains("role=\"alert\""));
    let page = browser.page.clone();
    let opened = browser.post("key", KEY);
    assert_eq!((opened.status(), opened.header("location")), (303, Some("/operator/traces")));
    let cookie = opened.header("set-cookie").unwrap();
    assert!(cookie.starts_with("__Host-postern_operator=") && cookie.ends_with("; Path=/; Max-Age=900; HttpOnly; SameSite=Strict; Secure"));
    assert_eq!(browser.send("GET", "/operator/traces", "").status(), 200);
    assert!(browser.page.contains(&format!("/operator/traces/{id}")) && browser.page.contains("unsupported_grant_type"));
    assert_eq!(browser.send("GET", &format!("/operator/traces/{id}"), "").status(), 200);
    assert!(browser.page.contains("the grant type is unknown") && browser.page.contains("Should have sent"));
    // Another browser's cookie is worth nothing, nor is a longer life.
    let mut thief = Browser { world: &world, cookies: browser.cookies.clone(), page: String::new() };
    thief.cookies.retain(|(name, _)| name.ends_with("operator"));
    assert_eq!(thief.send("GET", "/operator/traces", "").status(), 401);
    let mut longer = Browser { world: &world, cookies: browser.cookies.clone(), page: String::new() };
    longer.cookies.iter_mut().filter(|(name, _)| name.ends_with("operator")).for_each(|(_, value)| value.insert(0, '9'));
    assert_eq!(longer.send("GET", "/operator/traces", "").status(), 401);
    // A form of somebody else's opens nothing.
    let mut forged = Browser { world: &world, cookies: Vec::new(), page };
    assert_eq!(forged.post("key", KEY).status(), 403);
    let shown = world.send("198.51.100.7", "GET", "/operator/traces", &[("authorization", &format!("Bearer {KEY}"))], "");
    assert_eq!(shown.header("access-control-allow-origin"), None, "no other origin reads it");
    browser.send("GET", "/operator/traces", "");
    let mut left = Browser { world: &world, cookies: browser.cookies.clone(), page: browser.page.clone() };
    assert_eq!(left.post("leave", "1").status(), 303);
    assert_eq!(left.send("GET", "/operator/traces", "").status(), 401);
    world.later(900);
    assert_eq!(browser.send("GET", "/operator/traces", "").status(), 401);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is secret, or may be, wherever a client puts it: none of it is kept, and none of it is shown.
    #[test]
    fn no_secret_is_ever_kept(secret in "[A-Za-z][A-Za-z0-9_-]{20,60}[A-Z][0-9]{5}", other in "[A-Za-z0-9]{24}") {
        let world = World::new(&[]);
        let all = [
            "code", "code_verifier", "code_challenge", "state", "nonce", "client_secret", "client_assertion", "assertion", "refresh_token",
            "access_token", "subject_token", "actor_token", "token", "login_hint", "device_code", "user_code", "claim_token", "id_token_hint",
            "request", "request_uri", "password", "username", "email",
        ];
        for grant in [JWT_BEARER, "client_credentials", "authorization_code", "refresh_token", "urn:workos:agent-auth:grant-type:claim"] {
            let mut fields: Vec<(&str, &str)> = all.iter().map(|name| (*name, secret.as_str())).collect();
            let address = format!("https://u:{secret}@host/cb?{secret}&code={secret}#{secret}");
            fields.extend([("grant_type", grant), ("client_id", "a-client"), (secret.as_str(), other.as_str()), ("redirect_uri", &address)]);
            let bearer = format!("Bearer {secret}");
            let basic = format!("Basic {secret}");
            let agent = format!("{secret}/{secret}");
            for header in [("authorization", bearer.as_str()), ("authorization", &basic), ("authorization", &secret), ("user-agent", &agent), ("dpop", &secret), ("cookie", &secret)] {
                form(&world, "192.0.2.1", &fields, &[header]);
            }
            fields.retain(|(name, _)| *name != "client_secret");
            form(&world, "192.0.2.1", &fields, &[]);
            let bodies = [json!(fields.iter().copied().collect::<std::collections::BTreeMap<_, _>>()), json!({ "client_id": "a-client", secret.clone(): { "k": secret } })];
            for body in bodies {
                world.send("192.0.2.1", "POST", "/oauth2/token", &[("content-type", "application/x-www-form-urlencoded")], &body.to_string());
                world.send("192.0.2.1", "POST", "/oauth2/token", &[("content-type", &secret)], &body.to_string());
            }
            world.later(60);
        }
        for typ in ["anonymous", "service_auth", "identity_assertion", "refresh", "x"] {
            let mut body = json!({ "type": typ, "agent": "an-agent", "assertion_type": "urn:ietf:params:oauth:token-type:id-jag", secret.clone(): other });
            all.iter().for_each(|name| body[*name] = json!(secret));
            body["redirect_uris"] = json!([format!("https://host/?{secret}={secret}")]);
            body["jwks"] = json!({ "keys": [{ "d": secret }] });
            world.json("/agent/identity", &body);
            world.json("/agent/auth", &body);
        }
        world.get(&format!("/.well-known/oauth-protected-resource/{secret}"));
        let mut everything = kept(&world);
        prop_assert!(everything.contains("a-client") && everything.contains("an-agent"));
        for entry in list(&world, "") {
            everything.push_str(&entry.to_string());
            everything.push_str(&ask(&world, &format!("/operator/traces/{}", entry["trace"].as_str().unwrap())).to_string());
        }
        for part in [&secret, &other] {
            prop_assert!(!everything.contains(part.as_str()), "{part} in {everything}");
        }
    }

    /// What we make ourselves is not kept either: tokens, keys, assertions.
    #[test]
    fn nothing_that_we_issue_is_kept(address in 1_u8..250) {
        let world = World::new(&[]);
        let address = format!("192.0.2.{address}");
        let json = |path: &str, body: Value| world.send(&address, "POST", path, &[("content-type", "application/json")], &body.to_string()).json();
        let made = json("/agent/identity", json!({ "type": "anonymous" }));
        let key = json("/agent/auth", json!({ "type": "anonymous", "requested_credential_type": "api_key" }));
        let mut secrets: Vec<String> = [&made["identity_assertion"], &made["claim_token"], &key["credential"], &key["claim_token"]].iter().filter_map(|value| value.as_str().map(str::to_owned)).collect();
        prop_assert_eq!(secrets.len(), 4);
        for fields in [
            vec![("grant_type", JWT_BEARER), ("assertion", secrets[0].as_str())],
            vec![("grant_type", "client_credentials"), ("client_secret", &secrets[2])],
            vec![("grant_type", "client_credentials"), ("client_id", &secrets[2]), ("client_secret", "x")],
            vec![("grant_type", &secrets[0]), ("client_id", "c"), ("scope", &secrets[2])],
            vec![("grant_type", "urn:workos:agent-auth:grant-type:claim"), ("claim_token", &secrets[1])],
        ] {
            let answer = form(&world, &address, &fields, &[]);
            if answer.status() == 200 {
                let token = answer.text("access_token");
                world.send(&address, "GET", "/api/v1/auth/me", &[("authorization", &format!("Bearer {token}"))], "");
                world.send(&address, "POST", "/mcp", &[("authorization", &format!("Bearer {token}"))], "{");
            }
        }
        let token = form(&world, &address, &[("grant_type", JWT_BEARER), ("assertion", &secrets[0])], &[]).text("access_token");
        secrets.push(token);
        let kept = kept(&world);
        for secret in &secrets {
            for part in secret.split('.').filter(|part| part.len() > 12) {
                prop_assert!(!kept.contains(part), "{part} in {kept}");
            }
        }
        prop_assert!(kept.contains("reg_"));
    }
}
