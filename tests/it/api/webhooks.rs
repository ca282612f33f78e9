//! Webhooks, through the front door and the alarm of their account.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use postern::store::Fetched;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::party::Party;
use crate::world::{Sent, World};

const URL: &str = "https://hooks.example.com/in";

/// The receiver at `url` answers like that.
pub fn answers(world: &World, url: &str, status: u16) {
    let answer = Fetched { status, content_type: String::new(), max_age: None, body: vec![b'x'; 100_000].into() };
    world.platform.outside.borrow_mut().insert(url.to_owned(), answer);
}

pub fn subscribe(party: &Party<'_>, url: &str, events: &Value) -> Value {
    let answer = party.send("POST", "/webhooks", &json!({ "url": url, "events": events }));
    assert_eq!(answer.status(), 201, "{}", answer.json());
    answer.json()["data"].clone()
}

/// What the receiver at `url` was sent.
pub fn received(world: &World, url: &str) -> Vec<Sent> {
    world.platform.sent.borrow().iter().filter(|sent| sent.url == url).cloned().collect()
}

/// HMAC-SHA-256 as RFC 2104 spells it out, for a check that owes nothing to the sender.
fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut block = [0_u8; 64];
    block[..key.len()].copy_from_slice(key);
    let inner = Sha256::digest([&block.map(|byte| byte ^ 0x36)[..], text].concat());
    Sha256::digest([&block.map(|byte| byte ^ 0x5c)[..], &inner].concat()).to_vec()
}

/// Which of the signatures of a message is that of `secret`, as a receiver finds out.
fn signed_by(sent: &Sent, secret: &str) -> Option<usize> {
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let (media, content) = sent.content.as_ref().unwrap();
    assert_eq!(media, "application/json");
    let text = format!("{}.{}.{content}", sent.headers["webhook-id"], sent.headers["webhook-timestamp"]);
    let expected = format!("v1,{}", STANDARD.encode(hmac(&key, text.as_bytes())));
    sent.headers["webhook-signature"].split(' ').position(|signature| signature == expected)
}

pub fn logs(party: &Party<'_>, id: &Value) -> Vec<Value> {
    let answer = party.get(&format!("/webhooks/{}/logs", id.as_str().unwrap()));
    assert_eq!(answer.status(), 200, "{}", answer.json());
    answer.json()["data"].as_array().unwrap().clone()
}

/// Every operation once.
pub fn everything(world: &World) {
    let party = Party::claimed(world, "ada@example.com");
    let webhook = subscribe(&party, URL, &json!(["*"]));
    let path = format!("/webhooks/{}", webhook["id"].as_str().unwrap());
    party.happen();
    world.later(0);
    assert_eq!(logs(&party, &webhook["id"]).len(), 1);
    for (method, path, status) in [
        ("GET", "/webhooks", 200),
        ("GET", &path, 200),
        ("POST", &format!("{path}/rotate"), 200),
        ("DELETE", &path, 204),
        ("GET", &path, 404),
        ("GET", "/audit/events", 200),
        ("GET", "/audit/events?export=ndjson", 200),
        ("GET", "/stats", 200),
    ] {
        assert_eq!(party.send(method, path, &Value::Null).status(), status, "{method} {path}");
    }
}

#[test]
fn every_operation_of_webhooks_and_audit_answers() {
    everything(&World::new(&[]));
}

#[test]
fn a_message_is_signed_with_its_id_and_its_time_by_a_secret_that_is_shown_once() {
    let world = World::new(&[]);
    let party = Party::claimed(&world, "ada@example.com");
    answers(&world, URL, 204);
    let webhook = subscribe(&party, URL, &json!(["token.revoked", "token.revoked"]));
    let secret = webhook["secret"].as_str().unwrap();
    assert_eq!((webhook["events"].clone(), webhook["agent_id"].as_str()), (json!(["token.revoked"]), Some(party.id.as_str())));
    party.happen();
    world.later(0);
    let sent = received(&world, URL);
    assert_eq!(sent.len(), 1);
    assert_eq!(signed_by(&sent[0], secret), Some(0));
    assert_eq!(sent[0].headers["webhook-timestamp"], world.platform.now.get().seconds().to_string());
    assert!(sent[0].headers["webhook-id"].starts_with("msg_") && sent[0].headers["user-agent"].starts_with("Postern"));
    let mut late = sent[0].clone();
    late.headers.insert("webhook-timestamp".to_owned(), "1".to_owned());
    assert_eq!(signed_by(&late, secret), None, "the signature is over the time too");
    let payload: Value = serde_json::from_str(&sent[0].content.as_ref().unwrap().1).unwrap();
    assert_eq!((payload["type"].as_str(), payload["data"]["agent_id"].as_str()), (Some("token.revoked"), Some(party.id.as_str())));
    let delivered = &logs(&party, &webhook["id"])[0];
    assert_eq!(
        (delivered["state"].as_str(), &delivered["status_code"], &delivered["success"]),
        (Some("delivered"), &json!(204), &json!(true))
    );
    world.later(1_000_000);
    assert_eq!(received(&world, URL).len(), 1, "what was taken is not told again");
    for path in ["/webhooks".to_owned(), format!("/webhooks/{}", webhook["id"].as_str().unwrap()), "/audit/events".to_owned()] {
        assert!(!party.get(&path).json().to_string().contains("whsec_"), "{path}");
    }
    let stored = world.platform.accounts.borrow()[party.account().as_str()].dump();
    assert!(!stored.contains("whsec_") && !stored.contains(secret.strip_prefix("whsec_").unwrap()) && !stored.contains(&party.key));
}

#[test]
fn whatever_fails_is_told_again_under_the_same_id_and_is_a_dead_letter_in_the_end() {
    let world = World::new(&[]);
    let party = Party::claimed(&world, "ada@example.com");
    let webhook = subscribe(&party, URL, &json!(["*"]));
    party.happen();
    for status in [None, Some(500), Some(302), Some(404), None, None, None, None] {
        world.platform.outside.borrow_mut().clear();
        if let Some(status) = status {
            answers(&world, URL, status);
        }
        world.later(0);
        let last = &logs(&party, &webhook["id"])[0];
        assert_eq!(last["status_code"], json!(status));
        assert_eq!(last["error_message"].is_null(), status.is_some(), "{last}");
        // Far enough for the next attempt, whatever its jitter.
        world.platform.now.set(world.platform.now.get().plus(postern::time::Ttl::from_seconds(110_000)));
    }
    answers(&world, URL, 200);
    world.later(1_000_000);
    let sent = received(&world, URL);
    assert_eq!(sent.len(), 8, "and no more");
    assert!(sent.iter().all(|one| one.headers["webhook-id"] == sent[0].headers["webhook-id"]));
    assert!(sent.iter().all(|one| signed_by(one, webhook["secret"].as_str().unwrap()).is_some()));
    assert!(sent.windows(2).all(|pair| pair[0].headers["webhook-timestamp"] != pair[1].headers["webhook-timestamp"]));
    assert_eq!(world.platform.fetched.borrow().iter().filter(|url| url.contains("hooks")).count(), 8, "nothing follows a redirect");
}

#[test]
fn a_dead_letter_can_be_seen() {
    let world = World::new(&[]);
    let party = Party::claimed(&world, "ada@example.com");
    let webhook = subscribe(&party, URL, &json!(["*"]));
    party.happen();
    for _ in 0..8 {
        world.later(0);
        let due = logs(&party, &webhook["id"])[0]["next_attempt_at"].clone();
        if !due.is_null() {
            world.platform.now.set(world.platform.now.get().plus(postern::time::Ttl::from_seconds(110_000)));
        }
    }
    let letter = &logs(&party, &webhook["id"])[0];
    assert_eq!((&letter["state"], &letter["attempt"], &letter["success"]), (&json!("dead"), &json!(8), &json!(false)));
    assert!(letter["next_attempt_at"].is_null() && letter["payload"]["type"] == "token.revoked" && letter["error_message"].is_string());
}

#[test]
fn whoever_is_gone_is_told_nothing_more() {
    let world = World::new(&[]);
    let party = Party::claimed(&world, "ada@example.com");
    answers(&world, URL, 410);
    let webhook = subscribe(&party, URL, &json!(["*"]));
    party.happen();
    party.happen();
    world.later(0);
    world.later(1_000_000);
    party.happen();
    world.later(1_000_000);
    assert_eq!(received(&world, URL).len(), 1);
    assert_eq!(party.get(&format!("/webhooks/{}", webhook["id"].as_str().unwrap())).json()["data"]["enabled"], false);
}

#[test]
fn while_a_secret_changes_both_sign() {
    let world = World::new(&[]);
    let party = Party::claimed(&world, "ada@example.com");
    answers(&world, URL, 200);
    let webhook = subscribe(&party, URL, &json!(["token.revoked"]));
    let path = format!("/webhooks/{}/rotate", webhook["id"].as_str().unwrap());
    let idempotent = [("idempotency-key", "0123456789abcdef-rotate")];
    let rotated = party.with("POST", &path, &idempotent, &Value::Null).json();
    assert_eq!(party.with("POST", &path, &idempotent, &Value::Null).json(), rotated, "the same request again");
    let [old, new] = [&webhook["secret"], &rotated["data"]["secret"]].map(|secret| secret.as_str().unwrap());
    assert_ne!(old, new);
    party.happen();
    world.later(0);
    world.later(86_400);
    party.happen();
    world.later(0);
    let sent = received(&world, URL);
    assert_eq!(
        sent.iter().map(|one| (signed_by(one, new), signed_by(one, old))).collect::<Vec<_>>(),
        [(Some(0), Some(1)), (Some(0), None)]
    );
}

#[test]
fn while_the_deployment_s_secret_changes_what_was_shown_before_still_verifies() {
    let mut world = World::new(&[]);
    answers(&world, URL, 200);
    let (old, id) = {
        let party = Party::claimed(&world, "ada@example.com");
        let webhook = subscribe(&party, URL, &json!(["token.revoked"]));
        party.happen();
        (webhook["secret"].as_str().unwrap().to_owned(), webhook["id"].clone())
    };
    let changed = [("POSTERN_SECRET", "another-another-another-another-"), ("POSTERN_SECRET_PREVIOUS", "0123456789abcdef0123456789abcdef")];
    world.config = World::new(&changed).config;
    world.later(0);
    let sent = received(&world, URL);
    assert_eq!((sent.len(), signed_by(&sent[0], &old)), (1, Some(1)));
    let current = &world.config.masters.current;
    assert_eq!(signed_by(&sent[0], &postern::webhook::sign::secret(&id.as_str().unwrap().parse().unwrap(), 1, current)), Some(0));
}

#[test]
fn only_public_https_addresses_are_told_anything() {
    let world = World::new(&[]);
    let party = Party::claimed(&world, "ada@example.com");
    for url in [
        "http://hooks.example.com/",
        "https://2130706433/",
        "https://0.0.0.0/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::1]/",
        "https://10.0.0.1/",
        "https://db.internal/",
        "https://localhost/",
        "http://localhost/",
        "https://169.254.169.254/latest/meta-data",
        "https://metadata.google.internal/",
        "https://user:password@hooks.example.com/",
        "https://hooks.example.com:8443/",
        "https://auth.example.com/api/v1/agents",
        "not a url",
        "ftp://hooks.example.com/",
    ] {
        let answer = party.send("POST", "/webhooks", &json!({ "url": url, "events": ["*"] }));
        assert_eq!(answer.status(), 422, "{url}");
    }
    for events in [json!(["agent.exploded"]), json!([]), json!(["policy.violated"]), json!("*")] {
        assert_eq!(party.send("POST", "/webhooks", &json!({ "url": URL, "events": events })).status(), 422, "{events}");
    }
    assert_eq!(party.get("/webhooks").json()["meta"]["total"], 0);
}

#[test]
fn in_development_loopback_is_told_and_what_was_allowed_is_judged_again_each_time() {
    let mut world = World::new(&[]);
    let url = "http://localhost:9999/in";
    answers(&world, url, 200);
    let (root, key) = {
        let party = Party::claimed(&world, "ada@example.com");
        (party.id.clone(), party.key)
    };
    world.config.development = true;
    let id = {
        let party = Party { world: &world, id: root.clone(), key: key.clone(), claim_token: String::new() };
        let id = subscribe(&party, url, &json!(["*"]))["id"].clone();
        party.happen();
        world.later(0);
        assert_eq!(received(&world, url).len(), 1);
        party.happen();
        id
    };
    world.config.development = false;
    world.later(0);
    assert_eq!(received(&world, url).len(), 1, "not any more");
    let party = Party { world: &world, id: root, key, claim_token: String::new() };
    assert_eq!(logs(&party, &id)[0]["error_message"], "the address is not allowed");
}

#[test]
fn another_s_webhook_is_as_good_as_none() {
    let world = World::new(&[("REGISTRATIONS_PER_NETWORK_PER_HOUR", "100")]);
    let (ada, eve) = (Party::claimed(&world, "ada@example.com"), Party::claimed(&world, "eve@example.com"));
    let (first, second) = (ada.child(1), ada.child(2));
    let id = subscribe(&first, URL, &json!(["*"]))["id"].as_str().unwrap().to_owned();
    let unknown = format!("whk_{}", "0".repeat(22));
    for (party, own) in [(&ada, true), (&first, true), (&second, false), (&eve, false)] {
        assert_eq!(party.get("/webhooks").json()["meta"]["total"], u32::from(own));
        for (method, rest) in [("GET", ""), ("GET", "/logs"), ("POST", "/rotate"), ("DELETE", "")] {
            if own && method != "GET" {
                continue;
            }
            let answer = party.send(method, &format!("/webhooks/{id}{rest}"), &Value::Null);
            assert_eq!(answer.status(), if own { 200 } else { 404 }, "{method} {rest}");
            if !own {
                assert_eq!(answer.json(), party.send(method, &format!("/webhooks/{unknown}{rest}"), &Value::Null).json());
            }
        }
    }
    let of_another = json!({ "url": URL, "events": ["*"], "agent_id": second.id });
    assert_eq!(first.send("POST", "/webhooks", &of_another).status(), 404);
    assert_eq!(ada.send("POST", "/webhooks", &of_another).status(), 201);
    // What happens to one sibling is none of the other's business.
    second.happen();
    world.later(0);
    assert_eq!(logs(&ada, &json!(id)).len(), 0);
}

#[test]
fn an_agent_that_nobody_has_claimed_sends_nothing_anywhere() {
    let world = World::new(&[]);
    let party = Party::unclaimed(&world);
    let answer = party.send("POST", "/webhooks", &json!({ "url": URL, "events": ["*"] }));
    assert_eq!((answer.status(), answer.text("error")), (403, "insufficient_scope".to_owned()));
    assert_eq!(party.get("/webhooks").status(), 403);
    assert_eq!(party.audited("&outcome=denied").len(), 2);
}

#[test]
fn a_receiver_that_fails_holds_up_nobody_else() {
    let world = World::new(&[]);
    let party = Party::claimed(&world, "ada@example.com");
    let (bad, good) = ("https://bad.example.com/", "https://good.example.com/");
    answers(&world, good, 200);
    let failing = subscribe(&party, bad, &json!(["*"]));
    subscribe(&party, good, &json!(["*"]));
    for _ in 0..12 {
        party.happen();
    }
    world.later(0);
    assert_eq!((received(&world, bad).len(), received(&world, good).len()), (1, 12));
    assert_eq!(logs(&party, &failing["id"]).iter().filter(|log| log["attempt"] == 0).count(), 11, "nothing else was begun");
    let deleted = format!("/webhooks/{}", failing["id"].as_str().unwrap());
    assert_eq!(party.send("DELETE", &deleted, &Value::Null).status(), 204);
    world.later(1_000_000);
    assert_eq!(received(&world, bad).len(), 1, "what waits for it has gone with it");
}

#[test]
fn a_sibling_that_has_much_to_hear_delays_nobody() {
    let world = World::new(&[]);
    let party = Party::claimed(&world, "ada@example.com");
    let (busy, quiet) = (party.child(1), party.child(2));
    let urls = ["https://busy.example.com/", "https://quiet.example.com/"];
    urls.iter().for_each(|url| answers(&world, url, 200));
    subscribe(&busy, urls[0], &json!(["*"]));
    subscribe(&quiet, urls[1], &json!(["*"]));
    for _ in 0..60 {
        busy.happen();
    }
    quiet.happen();
    world.later(0);
    assert_eq!(urls.map(|url| received(&world, url).len()), [39, 1], "in one go there are forty at most");
}

#[test]
fn a_webhook_that_takes_nothing_for_long_is_disabled_and_says_since_when() {
    let world = World::new(&[]);
    let party = Party::claimed(&world, "ada@example.com");
    answers(&world, URL, 500);
    let id = subscribe(&party, URL, &json!(["*"]))["id"].as_str().unwrap().to_owned();
    let shown = || party.get(&format!("/webhooks/{id}")).json()["data"].clone();
    for _ in 0..12 {
        party.happen();
    }
    assert_eq!((&shown()["enabled"], &shown()["disabled_at"]), (&json!(true), &Value::Null));
    for _ in 0..300 {
        world.later(900);
    }
    assert_eq!((&shown()["enabled"], shown()["disabled_at"].is_string()), (&json!(false), true));
    let told = received(&world, URL).len();
    assert!((80..=96).contains(&told), "{told}");
    assert_eq!(logs(&party, &json!(id)).iter().filter(|log| log["state"] == "dead").count(), 12);
    assert_eq!(party.audited("&event_type=webhook.disabled")[0]["metadata"]["reason"], "dead_letters");
    party.happen();
    world.later(1_000_000);
    assert_eq!(received(&world, URL).len(), told, "it is told nothing more");
}

#[test]
fn after_ten_minutes_the_same_request_makes_another_webhook_and_the_secret_is_not_shown_again() {
    let world = World::new(&[]);
    let party = Party::claimed(&world, "ada@example.com");
    let key = [("idempotency-key", "0123456789abcdef")];
    let body = json!({ "url": URL, "events": ["*"] });
    let made = || party.with("POST", "/webhooks", &key, &body).json()["data"].clone();
    let first = made();
    world.later(599);
    assert_eq!(made(), first);
    world.later(1);
    let second = made();
    assert_eq!(made(), second);
    assert!(first["id"] != second["id"] && first["secret"] != second["secret"]);
    assert_eq!(party.get("/webhooks").json()["meta"]["total"], 2);
    let path = format!("/webhooks/{}/rotate", second["id"].as_str().unwrap());
    let rotated = || party.with("POST", &path, &[("idempotency-key", "fedcba9876543210")], &Value::Null).json()["data"]["secret"].clone();
    let before = rotated();
    assert_eq!(rotated(), before);
    world.later(600);
    assert_ne!(rotated(), before, "it is rotated once more");
}

#[test]
fn what_was_deleted_is_not_made_again_under_its_name() {
    let world = World::new(&[]);
    let party = Party::claimed(&world, "ada@example.com");
    let policy = json!({
        "name": "p", "effect": "deny", "subjects": { "wildcard": true }, "actions": ["read"], "resources": { "paths": ["/files"] },
    });
    for (path, body) in [("/webhooks", json!({ "url": URL, "events": ["*"] })), ("/policies", policy)] {
        let key = [("idempotency-key", "0123456789abcdef-deleted"), ("x-request-id", path)];
        let first = party.with("POST", path, &key, &body).json()["data"]["id"].as_str().unwrap().to_owned();
        assert_eq!(party.send("DELETE", &format!("{path}/{first}"), &Value::Null).status(), 204);
        let again = party.with("POST", path, &key, &body);
        assert_eq!((again.status(), again.text("error")), (400, "already_revoked".to_owned()), "{path}");
        assert_eq!(party.get(&format!("{path}/{first}")).status(), 404);
        world.later(600);
        let later = party.with("POST", path, &key, &body);
        assert_eq!((later.status(), later.json()["data"]["id"] == json!(first)), (201, false));
        assert_eq!(party.get(&format!("{path}/{first}")).status(), 404);
        world.later(600);
    }
}

#[test]
fn after_ten_minutes_the_same_request_makes_other_keys_agents_and_delegations() {
    let world = World::new(&[]);
    let party = Party::claimed(&world, "ada@example.com");
    let child = party.child(1);
    for (path, body, id, secret) in [
        ("/credentials", json!({ "agent_id": child.id }), "/credential/id", "/raw_key"),
        ("/delegations", json!({ "delegate_agent_id": child.id, "scopes": ["api.read"] }), "/id", "/created_at"),
    ] {
        let key = [("idempotency-key", "0123456789abcdef-another")];
        let made = || {
            let answer = party.with("POST", path, &key, &body);
            assert_eq!(answer.status(), 201, "{path} {}", answer.json());
            [id, secret].map(|at| answer.json().pointer(at).unwrap().clone())
        };
        let first = made();
        assert_eq!(made()[0], first[0]);
        world.later(600);
        let second = made();
        assert!(second[0] != first[0] && second[1] != first[1], "{path}");
        world.later(600);
    }
    let body = json!({ "name": "one", "agent_type": "tool" });
    let made = || party.with("POST", "/agents", &[("idempotency-key", "0123456789abcdef-another")], &body);
    let first = made();
    assert_eq!((first.status(), made().json() == first.json()), (201, true));
    world.later(600);
    assert_eq!(made().status(), 409, "that name is taken, by the first one");
}

#[test]
fn an_agent_has_its_share_of_the_webhooks_and_no_more() {
    let world = World::new(&[]);
    let party = Party::claimed(&world, "ada@example.com");
    let (greedy, sibling) = (party.child(1), party.child(2));
    let body = json!({ "url": URL, "events": ["*"] });
    let made: Vec<_> = (0..9).map(|_| greedy.send("POST", "/webhooks", &body).status()).collect();
    assert_eq!(made, [[201; 8].as_slice(), &[409]].concat());
    assert_eq!(sibling.send("POST", "/webhooks", &body).status(), 201);
}

#[test]
fn the_end_of_a_claim_is_told_once_and_is_in_the_audit() {
    let world = World::new(&[]);
    let party = Party::claimed(&world, "ada@example.com");
    answers(&world, URL, 200);
    subscribe(&party, URL, &json!(["claim.*"]));
    let operator = [("authorization", "Bearer operator-operator-operator-operator"), ("content-type", "application/json")];
    let body = json!({ "registration_id": party.id }).to_string();
    assert_eq!(world.send("192.0.2.9", "POST", "/operator/registrations/revoke", &operator, &body).status(), 200);
    world.later(1);
    world.later(10);
    let sent = received(&world, URL);
    assert_eq!(sent.len(), 1);
    let payload: Value = serde_json::from_str(&sent[0].content.as_ref().unwrap().1).unwrap();
    assert_eq!((&payload["type"], &payload["data"]), (&json!("claim.revoked"), &json!({ "agent_id": party.id, "by": "operator" })));
    let stored = world.platform.accounts.borrow()[party.account().as_str()].dump();
    assert_eq!(stored.matches("\"claim.revoked\"").count(), 2, "one row, and one message: {stored}");
}

#[test]
fn a_claim_makes_no_tables_for_an_agent_that_manages_nothing() {
    let world = World::new(&[]);
    let party = Party::claimed(&world, "ada@example.com");
    party.happen();
    assert!(world.platform.accounts.borrow().get(party.account().as_str()).is_none_or(|database| database.dump().is_empty()));
}

#[test]
fn the_same_request_again_makes_no_second_webhook() {
    let world = World::new(&[]);
    let party = Party::claimed(&world, "ada@example.com");
    let body = json!({ "url": URL, "events": ["*"] });
    let key = [("idempotency-key", "0123456789abcdef")];
    let first = party.with("POST", "/webhooks", &key, &body);
    assert_eq!((first.status(), first.json()), (201, party.with("POST", "/webhooks", &key, &body).json()));
    assert_eq!(party.get("/webhooks").json()["meta"]["total"], 1);
    assert_eq!(party.audited("&event_type=webhook.created").len(), 1);
}
