//! Who sees what of a chain, and what it says.

use serde_json::{Value, json};

use super::{Agent, is, texts, world};

#[test]
fn the_parties_of_a_chain_see_what_is_above_and_others_see_nothing() {
    let world = world();
    let who = [0; 4].map(|_| Agent::root(&world));
    let eve = Agent::root(&world);
    let mut links =
        vec![who[0].accepted(&world, &who[1], &["api.read", "api.write"], json!({ "constraints": { "amount": { "max": 9 } } }))];
    for at in 1..3 {
        links.push(who[at].accepted(&world, &who[at + 1], &["api.read"], json!({ "source_delegation_id": links[at - 1] })));
    }
    for (at, agent) in who.iter().enumerate() {
        for (link, id) in links.iter().enumerate() {
            let answer = agent.ask(&world, "GET", &format!("/api/v1/delegations/{id}/chain"), &Value::Null);
            let single = agent.ask(&world, "GET", &format!("/api/v1/delegations/{id}"), &Value::Null);
            let sees = at <= link + 1;
            assert_eq!((answer.status(), single.status()), if sees { (200, 200) } else { (404, 404) }, "{at} {link}");
        }
    }
    let chain = who[3].ask(&world, "GET", &format!("/api/v1/delegations/{}/chain", links[2]), &Value::Null).json();
    let hops: Vec<&str> = chain["chain"].as_array().unwrap().iter().map(|hop| hop["id"].as_str().unwrap()).collect();
    assert_eq!((hops, texts(&chain["effective_scopes"])), (links.iter().map(String::as_str).collect(), vec!["api.read"]));
    assert_eq!(chain["constraints"], json!([{ "delegation": links[0], "constraints": { "amount": { "max": 9 } } }]));
    assert_eq!((&chain["is_active"], &chain["broken_by"]), (&json!(true), &Value::Null));
    let strange = eve.ask(&world, "GET", &format!("/api/v1/delegations/{}/chain", links[0]), &Value::Null);
    let unknown = eve.ask(&world, "GET", "/api/v1/delegations/dlg_0000000000000000000000/chain", &Value::Null);
    assert_eq!((strange.status(), strange.json()), (404, unknown.json()));
    for id in [links[0].as_str(), "dlg_0000000000000000000000", "x"] {
        is(&eve.revoke(&world, id), 404, "not_found");
    }
    is(&who[0].revoke(&world, &links[2]), 403, "forbidden");

    who[1].revoke(&world, &links[1]);
    let chain = who[3].ask(&world, "GET", &format!("/api/v1/delegations/{}/chain", links[2]), &Value::Null).json();
    assert_eq!((&chain["is_active"], &chain["broken_by"], &chain["effective_scopes"]), (&json!(false), &json!(links[1]), &json!([])));
    assert_eq!(chain["chain"][1]["status"], "revoked");
    who[0].pause(&world, true);
    world.later(1);
    let chain = who[1].ask(&world, "GET", &format!("/api/v1/delegations/{}/chain", links[0]), &Value::Null).json();
    assert_eq!((&chain["is_active"], &chain["broken_by"]), (&json!(false), &json!(who[0].id)));
}

#[test]
fn lists_are_of_both_sides_with_their_totals() {
    let world = world();
    let [ada, bob] = [0; 2].map(|_| Agent::root(&world));
    for _ in 0..3 {
        ada.accepted(&world, &bob, &["api.read"], json!({}));
    }
    let first = bob.accepted(&world, &ada, &["api.read"], json!({}));
    bob.revoke(&world, &first);
    let list = |query: &str| bob.ask(&world, "GET", &format!("/api/v1/delegations{query}"), &Value::Null);
    let page = list("?limit=2&offset=1").json();
    assert_eq!((page["data"].as_array().unwrap().len(), &page["total"], &page["meta"]["total"]), (2, &json!(3), &json!(3)));
    assert_eq!(list("?active_only=false").json()["total"], 4);
    for wrong in ["?limit=0", "?limit=101", "?limit=-1", "?offset=-1", "?active_only=maybe"] {
        assert_eq!(list(wrong).status(), 422, "{wrong}");
    }
    let mine = Agent::below(&world, &[&ada], 1);
    let own = ada.delegated(&world, &mine, &["api.read"], json!({}));
    let next = mine.delegate(&world, &bob, &["api.read"], json!({ "source_delegation_id": own }));
    assert_eq!(next.status(), 201);
    assert_eq!(ada.revoke(&world, &own).json(), json!({ "revoked": 2 }));
}

#[test]
fn a_dry_run_counts_what_was_delegated_with_all_its_constraints() {
    let world = world();
    let who = [0; 3].map(|_| Agent::root(&world));
    let more = json!({ "constraints": { "amount": { "max": 100 } } });
    let first = who[0].accepted(&world, &who[1], &["files.read"], more);
    let more = json!({ "source_delegation_id": first, "constraints": { "currency": "EUR" } });
    let second = who[1].accepted(&world, &who[2], &["files.read"], more);
    let limited = Agent::keyed(&world, &who[2].registration(), 1, Some("policies.read"));
    let ask = |arguments: Value| {
        let question = json!({ "agent_id": limited.id, "action": "read", "resource": "/files", "context": { "arguments": arguments } });
        let answer = limited.ask(&world, "POST", "/api/v1/policies/evaluate", &question);
        assert_eq!(answer.status(), 200, "{}", answer.json());
        answer.json()
    };
    let allowed = ask(json!({ "amount": 50, "currency": "EUR" }));
    assert_eq!((&allowed["allowed"], &allowed["delegation_id"]), (&json!(true), &json!(second)), "{allowed}");
    assert_eq!(texts(&allowed["delegation_chain"]), [&first, &second].map(String::as_str));
    let denied = ask(json!({ "amount": 500, "currency": "USD" }));
    assert_eq!((&denied["allowed"], &denied["failed_delegation_id"]), (&json!(false), &json!(first)), "{denied}");
    assert_eq!(denied["violations"].as_array().unwrap().len(), 2, "{denied}");
    who[0].revoke(&world, &first);
    let over = ask(json!({ "amount": 50, "currency": "EUR" }));
    assert_eq!((&over["allowed"], &over["missing_scope"]), (&json!(false), &json!("files.read")), "{over}");
}
