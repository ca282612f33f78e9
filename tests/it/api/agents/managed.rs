//! The tree: who sees and manages whom.

use http::Request;
use postern::http::handle;
use postern::id::RegistrationId;
use postern::tenant::What;
use serde_json::{Value, json};

use super::{Agent, root};
use crate::world::{Answer, World, together};

fn made(agent: &Agent<'_>, body: &Value) -> Answer {
    agent.ask("POST", "/agents", body)
}

fn tool(name: &str) -> Value {
    json!({ "name": name, "agent_type": "tool" })
}

#[test]
fn a_child_is_made_below_whoever_asks_or_an_agent_below() {
    let world = World::new(&[]);
    let boss = root(&world, "Boss");
    let answer = made(
        &boss,
        &json!({
            "name": " Scout\u{202e} ", "agent_type": "autonomous", "description": "Looks.", "homepage_url": "https://example.com/scout",
            "public_key": "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "max_child_depth": 9, "metadata": { "b": 1 },
        }),
    );
    let body = answer.json();
    assert_eq!((answer.status(), &body["meta"]["is_root"], &body["meta"]["parent_agent_id"]), (201, &json!(false), &json!(boss.id)));
    let child = &body["data"];
    let expected = [
        ("name", json!("Scout")),
        ("agent_type", json!("autonomous")),
        ("description", json!("Looks.")),
        ("homepage_url", json!("https://example.com/scout")),
        ("trust_level", json!("delegated")),
        ("status", json!("active")),
        // One less than its parent's.
        ("max_child_depth", json!(2)),
        ("metadata", json!({ "b": 1 })),
        ("deactivated_at", Value::Null),
        ("depth", json!(1)),
        ("is_active", json!(true)),
    ];
    for (name, value) in expected {
        assert_eq!(child[name], value, "{name}");
    }
    assert_eq!(child["public_key"].as_str().unwrap().lines().count(), 3);
    let scout = boss.child_of(child["id"].as_str().unwrap(), "Deeper");
    assert_eq!(scout.came["data"]["parent_agent_id"], child["id"]);
    let own = made(&scout, &tool("Own")).json();
    assert_eq!((&own["data"]["parent_agent_id"], &own["data"]["max_child_depth"]), (&json!(scout.id), &json!(0)));
    let events: Vec<String> = boss.audited().into_iter().filter(|event| event.starts_with("agent.created")).collect();
    assert_eq!(events.len(), 4);
}

/// Edge case 117.
#[test]
fn a_tree_is_as_deep_as_it_may_be_and_no_deeper() {
    let world = World::new(&[]);
    for (asked, levels) in [(0, 0), (1, 1), (10, 10)] {
        let boss = root(&world, "Boss");
        let changed = boss.ask("PATCH", &format!("/agents/{}", boss.id), &json!({ "max_child_depth": asked })).json();
        assert_eq!(changed["data"]["max_child_depth"], asked);
        let mut last = Agent { world: &world, id: boss.id.clone(), key: boss.key.clone(), came: Value::Null };
        for depth in 1..=levels {
            last = boss.child_of(&last.id, "Child");
            assert_eq!(last.came["data"]["depth"], depth);
            assert_eq!(world.call(&last.key), 200, "{depth} levels below the root");
        }
        let refused = boss.ask("POST", "/agents", &json!({ "name": "x", "agent_type": "tool", "parent_agent_id": last.id }));
        assert_eq!((refused.status(), refused.text("error")), (400, "depth_exceeded".to_owned()), "{asked}");
    }
}

/// Edge case 115.
#[test]
fn siblings_have_names_of_their_own_even_if_they_come_at_once() {
    let world = World::new(&[]);
    let boss = root(&world, "Boss");
    let (first, second) = (boss.child("Scout"), boss.child("Other"));
    let taken = made(&boss, &tool("Scout"));
    assert_eq!((taken.status(), taken.header("content-type")), (409, Some("application/problem+json")));
    assert_eq!((taken.text("error"), taken.json()["status"].clone()), ("agent_name_conflict".to_owned(), json!(409)));
    let renamed = boss.ask("PATCH", &format!("/agents/{}", second.id), &json!({ "name": "Scout" }));
    assert_eq!((renamed.status(), renamed.text("error")), (409, "agent_name_conflict".to_owned()));
    assert_eq!(made(&first, &tool("Scout")).status(), 201, "a child of another parent");

    world.platform.halting.set(true);
    let cxs = [(); 4].map(|()| world.cx("192.0.2.1"));
    let answers = together(cxs.iter().map(|cx| {
        let request = Request::builder().method("POST").uri("/api/v1/agents");
        let request = request.header("x-agent-key", &boss.key).header("content-type", "application/json");
        handle(request.body(Ok(tool("Racer").to_string().into())).unwrap(), cx)
    }));
    world.platform.halting.set(false);
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status().as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409]);
}

/// Edge case 118.
#[test]
fn lists_have_pages_and_totals_of_all_of_them() {
    let world = World::new(&[]);
    let boss = root(&world, "Boss");
    let children: Vec<Agent<'_>> = (0..5).map(|number| boss.child(&format!("c{number}"))).collect();
    children[0].child("below");
    boss.set(&children[4].id, "suspended");
    let listed = |query: &str| {
        let list = boss.get(&format!("/agents{query}")).json();
        let names: Vec<String> = list["data"].as_array().unwrap().iter().map(|agent| agent["name"].as_str().unwrap().to_owned()).collect();
        (names.join(" "), list["meta"]["total"].as_u64().unwrap())
    };
    assert_eq!(listed(""), ("Boss c0 below c1 c2 c3 c4".to_owned(), 7));
    assert_eq!(listed("?limit=2&offset=2"), ("below c1".to_owned(), 7));
    assert_eq!(listed("?limit=100&offset=7"), (String::new(), 7));
    assert_eq!(listed("?status=suspended"), ("c4".to_owned(), 1));
    assert_eq!(listed("?status=revoked"), (String::new(), 0));
    assert_eq!(listed(&format!("?parent_agent_id={}&limit=1", boss.id)), ("c0".to_owned(), 5));
    assert_eq!(listed(&format!("?parent_agent_id={}", root(&world, "Other").id)), (String::new(), 0));
    let meta = boss.get(&format!("/agents?parent_agent_id={}&status=active&limit=3&offset=1", boss.id)).json()["meta"].clone();
    assert_eq!(meta, json!({ "total": 4, "limit": 3, "offset": 1, "parent_agent_id": boss.id, "status_filter": "active" }));
    let of_child = children[0].get("/agents").json();
    assert_eq!((of_child["data"].as_array().unwrap().len(), &of_child["meta"]["total"]), (2, &json!(2)));
    let below = boss.get(&format!("/agents/{}/children", children[0].id)).json();
    assert_eq!(below["data"][0]["name"], "below");
    assert_eq!(below["meta"], json!({ "total": 1, "limit": 100, "offset": 0, "parent_agent_id": children[0].id, "parent_name": "c0" }));
    for query in ["limit=0", "limit=101", "limit=-1", "offset=-1", "limit=x", "status=gone", "parent_agent_id=x"] {
        let answer = boss.get(&format!("/agents?{query}"));
        assert_eq!((answer.status(), answer.text("error")), (422, "invalid_request".to_owned()), "{query}");
    }
    assert_eq!(boss.get(&format!("/agents/{}/children?limit=101", boss.id)).status(), 422);
}

/// The answer without what is of the request alone.
fn said(answer: &Answer) -> (u16, String) {
    (answer.status(), String::from_utf8(answer.0.body().to_vec()).unwrap())
}

#[test]
fn agents_of_others_and_above_are_as_unknown_as_those_that_never_were() {
    let world = World::new(&[]);
    let boss = root(&world, "Boss");
    let (child, sibling) = (boss.child("Scout"), boss.child("Sibling"));
    let below = child.child("Below");
    let other = root(&world, "Other");
    let unknown = [RegistrationId::from_bytes([9; 16]).to_string(), "reg_x".to_owned(), "x".to_owned()];
    let calls = |asker: &Agent<'_>, id: &str| {
        let one = format!("/agents/{id}");
        let below = json!({ "name": "x", "agent_type": "tool", "parent_agent_id": id });
        let mut all = vec![
            said(&asker.get(&one)),
            said(&asker.get(&format!("{one}/children"))),
            said(&asker.ask("PATCH", &one, &json!({ "name": "Mine" }))),
            said(&asker.ask("DELETE", &one, &Value::Null)),
            said(&asker.ask("POST", "/agents", &below)),
        ];
        all.extend(["active", "suspended", "revoked"].map(|status| said(&asker.set(id, status))));
        all
    };
    let never = calls(&other, &unknown[0]);
    assert!(never.iter().all(|(status, body)| *status == 404 && body.contains("not_found")), "{never:?}");
    for (asker, id) in
        [(&other, &boss.id), (&other, &below.id), (&boss, &other.id), (&child, &boss.id), (&child, &sibling.id), (&below, &child.id)]
    {
        assert_eq!(calls(asker, id), never, "{id}");
    }
    for id in &unknown[1..] {
        assert_eq!(calls(&other, id), never, "{id}");
    }
    let kept = boss.get("/agents").json();
    assert!(kept["data"].as_array().unwrap().iter().all(|agent| agent["status"] == "active" && agent["name"] != "Mine"));
}

#[test]
fn a_delegation_makes_its_sides_visible_and_gives_no_authority() {
    let world = World::new(&[]);
    let boss = root(&world, "Boss");
    let (giver, taker) = (boss.child("Giver"), boss.child("Taker"));
    assert_eq!(taker.get(&format!("/agents/{}", giver.id)).status(), 404);
    let id = postern::id::DelegationId::from_bytes([1; 16]);
    let delegation = crate::tenant::made(id, giver.id.parse().unwrap(), taker.id.parse().unwrap(), world.platform.now.get());
    boss.account(What::PutDelegation(Box::new(delegation)));
    for (asker, asked) in [(&taker, &giver), (&giver, &taker)] {
        let path = format!("/agents/{}", asked.id);
        assert_eq!(asker.get(&path).json()["data"]["id"], asked.id);
        assert_eq!(asker.ask("PATCH", &path, &json!({ "name": "Mine" })).status(), 404);
        assert_eq!(asker.ask("DELETE", &path, &Value::Null).status(), 404);
        assert_eq!(asker.ask("POST", "/agents", &json!({ "name": "x", "agent_type": "tool", "parent_agent_id": asked.id })).status(), 404);
    }
}

#[test]
fn what_is_given_changes_and_all_else_stays() {
    let world = World::new(&[]);
    let boss = root(&world, "Boss");
    let path = format!("/agents/{}", boss.id);
    let all = json!({ "name": "Chief", "description": "Leads.", "homepage_url": "https://example.com/", "public_key": "k", "max_child_depth": 5, "metadata": { "a": 1 } });
    let before = boss.ask("PATCH", &path, &all).json()["data"].clone();
    for (name, value) in all.as_object().unwrap() {
        assert_eq!(&before[name], value, "{name}");
    }
    world.later(10);
    let after = boss.ask("PATCH", &path, &json!({ "description": "", "homepage_url": "" })).json()["data"].clone();
    assert_eq!((&after["description"], &after["homepage_url"], &after["name"]), (&Value::Null, &Value::Null, &json!("Chief")));
    assert_ne!(after["updated_at"], before["updated_at"]);
    assert_eq!(boss.ask("PATCH", &path, &json!({})).json()["data"], after);
    for wrong in [json!({ "name": "\u{200b}" }), json!({ "status": "gone" }), json!({ "metadata": 1 }), json!({ "max_child_depth": 11 })] {
        assert_eq!(boss.ask("PATCH", &path, &wrong).status(), 422, "{wrong}");
    }
    boss.child("Scout").child("Below");
    let narrow = boss.ask("PATCH", &path, &json!({ "max_child_depth": 1 }));
    assert_eq!((narrow.status(), narrow.text("error")), (400, "depth_exceeded".to_owned()));
    assert_eq!(boss.audited().iter().filter(|event| *event == "agent.updated success").count(), 2);
}

#[test]
fn the_page_of_an_agent_is_shown_as_a_uri_whatever_letters_it_was_written_with() {
    let world = World::new(&[]);
    let boss = root(&world, "Boss");
    let set = |page: &str| boss.ask("PATCH", &format!("/agents/{}", boss.id), &json!({ "homepage_url": page }));
    for (written, shown) in [
        ("https://example.com", "https://example.com"),
        ("https://b\u{fc}cher.example/\u{e4} b", "https://xn--bcher-kva.example/%C3%A4%20b"),
    ] {
        assert_eq!(set(written).json()["data"]["homepage_url"], shown);
    }
    for wrong in ["example.com", "https://example.com/a|b", "ftp://example.com/", "https://user@example.com/", "javascript:alert(1)"] {
        assert_eq!(set(wrong).status(), 422, "{wrong}");
    }
}
