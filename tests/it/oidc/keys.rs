//! The second key ring.

use bytes::Bytes;
use http::Request;
use postern::cx::Cx;
use postern::http::handle;
use postern::jose::claims::lasting;
use postern::jose::jws::Untrusted;
use postern::keys;
use postern::machine::keyring::Ring;
use postern::time::Ttl;
use serde_json::{Value, json};

use crate::world::{Answer, Platform, START, World, together};

const OPERATOR: [(&str, &str); 2] = [("authorization", "Bearer operator-operator-operator-operator"), ("content-type", "application/json")];

fn shown(world: &World) -> Vec<String> {
    let set = world.get("/.well-known/jwks.json").json();
    set["keys"].as_array().unwrap().iter().map(|key| format!("{} {}", key["alg"].as_str().unwrap(), key["kid"].as_str().unwrap())).collect()
}

async fn signed(cx: &Cx<'_, Platform>) -> Result<String, keys::KeysError> {
    keys::sign_with(Ring::Rs256, "JWT", &lasting(json!({ "sub": "x" }), cx.now, cx.now.plus(Ttl::from_seconds(60))), cx).await
}

fn sign(world: &World) -> String {
    world.wait(signed(&world.cx("192.0.2.1"))).unwrap()
}

fn kid(token: &str) -> String {
    format!("RS256 {}", Untrusted::parse(token).unwrap().unverified_key_id().unwrap())
}

fn operate(world: &World, path: &str, body: &Value) -> (u16, Value) {
    let answer = world.send(
        "192.0.2.1",
        if path.is_empty() { "GET" } else { "POST" },
        &format!("/operator/keys{path}"),
        &OPERATOR,
        &body.to_string(),
    );
    (answer.status(), answer.json())
}

#[test]
fn the_first_key_is_made_once_when_it_is_needed_and_is_shown() {
    let mut world = World::new(&[]);
    world.get("/.well-known/oauth-authorization-server");
    world.json("/agent/identity", &json!({ "type": "anonymous" }));
    assert!(!world.platform.cells.borrow().contains_key("keyring/rs256"), "nobody has needed it");
    let tokens = {
        let cx = world.cx("192.0.2.1");
        // The alarm rings while all of them wait.
        let one = async |rings: bool| {
            if rings {
                world.ring();
                return None;
            }
            Some(signed(&cx).await.unwrap())
        };
        together([one(false), one(false), one(true), one(false)]).into_iter().flatten().collect::<Vec<_>>()
    };
    assert_eq!(tokens.len(), 3);
    world.forget();
    assert_eq!(shown(&world)[1..], [kid(&tokens[0])]);
    assert!(tokens.iter().all(|token| kid(token) == kid(&tokens[0])));
    assert!(world.platform.directory.borrow().contains_key("keyring-rs256"));
    let set = world.wait(keys::of(Ring::Rs256, &world.cx("192.0.2.1"))).unwrap();
    let untrusted = Untrusted::parse(&tokens[0]).unwrap();
    let verified = world.wait(untrusted.verify::<Value>("jwt", &set.keys[0].jwk, &world.platform)).unwrap();
    assert_eq!(verified.claims.custom["sub"], "x");
    let ours = world.wait(keys::current(&world.cx("192.0.2.1"))).unwrap();
    assert!(world.wait(untrusted.verify::<Value>("jwt", &ours.keys[0].jwk, &world.platform)).is_err());
}

#[test]
fn a_key_that_does_not_come_is_not_waited_for_without_end_and_the_key_set_is_shown_without_it() {
    let world = World::new(&[]);
    let cx = world.cx("192.0.2.1");
    // Nobody rings its alarm.
    assert!(matches!(together([signed(&cx)]).remove(0), Err(keys::KeysError::NoSigner)));
    let request = Request::builder().uri("/.well-known/jwks.json").body(Ok(Bytes::new())).unwrap();
    let answer = Answer(together([handle(request, &cx)]).remove(0));
    assert_eq!((answer.status(), answer.json()["keys"].as_array().unwrap().len()), (200, 1));
    world.platform.lost.borrow_mut().push("keyring");
    assert!(world.wait(keys::first(Ring::Rs256, Ttl::from_seconds(0), &cx)).is_err());
}

#[test]
fn it_is_not_shown_when_openid_connect_is_off() {
    for off in [("OPENID_CONNECT", "off"), ("MAIL", "none")] {
        let world = World::new(&[off]);
        sign(&world);
        world.later(3);
        assert_eq!(shown(&world).len(), 1, "{off:?}");
    }
}

#[test]
fn the_operator_rotates_and_revokes_both_rings() {
    let world = World::new(&[]);
    let first = kid(&sign(&world));
    let (status, rotated) = operate(&world, "/rotate", &json!({}));
    assert_eq!(status, 200);
    let states = |keys: &Value| -> Vec<String> {
        keys["keys"]
            .as_array()
            .unwrap()
            .iter()
            .map(|key| format!("{} {}", key["alg"].as_str().unwrap(), key["state"].as_str().unwrap()))
            .collect()
    };
    assert_eq!(states(&rotated), ["ES256 signing", "ES256 next", "RS256 signing", "RS256 next"]);
    assert_eq!(shown(&world).len(), 4, "the next ones are published before they sign");
    assert_eq!(kid(&sign(&world)), first);
    world.later(599);
    assert_eq!(kid(&sign(&world)), first);
    world.later(1);
    let second = kid(&sign(&world));
    assert_ne!(second, first);
    let (status, revoked) = operate(&world, "/revoke", &json!({ "kid": second.strip_prefix("RS256 ").unwrap() }));
    assert_eq!(status, 200, "{revoked}");
    assert!(!shown(&world).contains(&second) && shown(&world).contains(&first));
    let third = kid(&sign(&world));
    assert!(third != first && third != second);
    assert_eq!(states(&operate(&world, "", &Value::Null).1).iter().filter(|state| *state == "RS256 signing").count(), 1);
    assert_eq!(operate(&world, "/revoke", &json!({ "kid": "x" })).0, 404);
}

#[test]
fn it_rotates_by_its_own_clock() {
    let world = World::new(&[("KEY_ROTATION", "7200")]);
    let first = kid(&sign(&world));
    world.later(7200 - 600);
    assert_eq!(shown(&world).iter().filter(|key| key.starts_with("RS256")).count(), 2);
    world.later(600);
    assert_ne!(kid(&sign(&world)), first);
    assert!(shown(&world).contains(&first));
    world.later(26 * 3600);
    assert!(!shown(&world).contains(&first), "{:?} has passed", START);
}
