//! Across accounts: offers, answers, what is told and what is seen.

use postern::account;
use postern::constraint::Constraints;
use postern::id::{AccountId, DelegationId};
use postern::machine::delegation::{By, Command, Delegation, Terms};
use postern::machine::{Machine, Record};
use postern::store::Cells;
use postern::tenant::{self, AuditFilter, AuditOutcome, AuditRow, Outcome, What};
use postern::time::Ttl;
use serde_json::{Value, json};

use super::{Agent, is, world};
use crate::world::{World, block};

fn listed(world: &World, agent: &Agent, query: &str) -> Vec<(String, String)> {
    let answer = agent.ask(world, "GET", &format!("/api/v1/delegations{query}"), &Value::Null);
    assert_eq!(answer.status(), 200, "{}", answer.json());
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    answer.json()["data"].as_array().unwrap().iter().map(|row| (text(row, "id"), text(row, "status"))).collect()
}

/// What the account of a root was told: events, and who did it.
fn audited(world: &World, root: &Agent) -> Vec<(String, Option<String>)> {
    rows(world, root).into_iter().map(|row| (row.event_type, row.actor_id)).collect()
}

fn rows(world: &World, root: &Agent) -> Vec<AuditRow> {
    let id = AccountId::from_digits(root.registration().digits());
    let what = What::Audit(Box::new(AuditFilter { limit: 500, ..AuditFilter::default() }));
    let command = tenant::Command { caller: None, what, audit: vec![], emit: vec![], retain: Ttl::from_millis(0) };
    let answer =
        world.platform.accounts.borrow()[id.as_str()].command(&account::Command::Tenant(Box::new(command)), world.platform.now.get());
    let account::Outcome::Tenant(outcome) = answer.unwrap() else { panic!("no answer") };
    let Outcome::Audit(rows, _) = *outcome else { panic!("{outcome:?}") };
    rows.into_iter().map(|(_, _, row)| row).filter(|row| row.target_type.as_deref() == Some("delegation")).collect()
}

#[test]
fn an_offer_changes_nothing_until_it_is_accepted() {
    let world = world();
    let [ada, bob] = [0; 2].map(|_| Agent::root(&world));
    let before = bob.me(&world);
    let id = ada.delegated(&world, &bob, &["api.read"], json!({ "max_chain_depth": 1 }));
    assert_eq!(bob.me(&world), before);
    assert_eq!(listed(&world, &bob, ""), []);
    assert_eq!(listed(&world, &bob, "?active_only=false"), [(id.clone(), "pending".to_owned())]);
    // What the victim hands on is of its own depth and rights.
    let own = bob.delegate(&world, &ada, &["api.write"], json!({})).json();
    assert_eq!((&own["chain_depth"], &own["max_chain_depth"], &own["source_delegation_id"]), (&json!(1), &json!(3), &Value::Null));
    is(&bob.delegate(&world, &Agent::root(&world), &["api.read"], json!({ "source_delegation_id": id })), 400, "invalid_delegation");
    let accepted = bob.ask(&world, "POST", &format!("/api/v1/delegations/{id}/accept"), &json!({}));
    assert_eq!((accepted.status(), &accepted.json()["is_active"]), (200, &json!(true)));
    assert_eq!(listed(&world, &bob, ""), [(id, "active".to_owned())]);
}

#[test]
fn the_delegate_answers_or_whoever_is_above_it_and_nobody_else() {
    let world = world();
    let [ada, bob, eve] = [0; 3].map(|_| Agent::root(&world));
    let [below, beside] = [1, 2].map(|name| Agent::below(&world, &[&bob], name));
    let id = ada.delegated(&world, &below, &["api.read"], json!({}));
    for answer in ["accept", "decline"] {
        let path = format!("/api/v1/delegations/{id}/{answer}");
        is(&ada.ask(&world, "POST", &path, &json!({})), 403, "forbidden");
        let strange = eve.ask(&world, "POST", &path, &json!({}));
        let unknown = eve.ask(&world, "POST", &format!("/api/v1/delegations/dlg_0000000000000000000000/{answer}"), &json!({}));
        assert_eq!((strange.status(), strange.json()), (404, unknown.json()));
        is(&beside.ask(&world, "POST", &path, &json!({})), 404, "not_found");
    }
    let path = |what: &str| format!("/api/v1/delegations/{id}/{what}");
    assert_eq!(bob.ask(&world, "POST", &path("accept"), &json!({})).text("status"), "active");
    assert_eq!(below.ask(&world, "POST", &path("accept"), &json!({})).text("status"), "active", "accepted is accepted");
    is(&below.ask(&world, "POST", &path("decline"), &json!({})), 409, "conflict");
    assert_eq!(bob.revoke(&world, &id).json(), json!({ "revoked": 1 }), "given back");
    assert_eq!(bob.revoke(&world, &id).json(), json!({ "revoked": 0 }));
    is(&below.ask(&world, "POST", &path("accept"), &json!({})), 400, "already_revoked");
    let other = ada.delegated(&world, &below, &["api.read"], json!({}));
    let decline = below.ask(&world, "POST", &format!("/api/v1/delegations/{other}/decline"), &json!({}));
    assert_eq!(decline.text("status"), "declined");
    is(&below.ask(&world, "POST", &format!("/api/v1/delegations/{other}/accept"), &json!({})), 400, "already_revoked");
}

#[test]
fn both_accounts_hear_of_everything_with_who_did_it_also_if_they_were_away() {
    let world = world();
    let [ada, bob] = [0; 2].map(|_| Agent::root(&world));
    let id = ada.accepted(&world, &bob, &["api.read"], json!({}));
    bob.revoke(&world, &id);
    let row = |name: &str, who: &Agent| (format!("delegation.{name}"), Some(who.id.clone()));
    let all = [row("created", &ada), row("accepted", &bob), row("revoked", &bob)];
    assert_eq!((audited(&world, &ada), audited(&world, &bob)), (all.to_vec(), all.to_vec()));

    let later = ada.delegated(&world, &bob, &["api.read"], json!({}));
    // Whoever has had it accepted is cut off before the accounts are told.
    let by = By { agent: bob.registration(), account: None, person: None, on_behalf: None, network: None, request_id: None };
    block(world.platform.run::<Delegation>(&later.parse().unwrap(), Command::Accept(by))).unwrap();
    assert_eq!(listed(&world, &ada, "").len(), 0);
    world.ring();
    assert_eq!(listed(&world, &ada, ""), [(later.clone(), "active".to_owned())]);
    assert_eq!(audited(&world, &bob).len(), 5);
    world.ring();
    assert_eq!(audited(&world, &bob).len(), 5, "and once");
}

#[test]
fn the_other_account_hears_of_who_did_it_what_the_delegation_names_and_not_from_where() {
    let world = world();
    let [ada, bob] = [0; 2].map(|_| Agent::root(&world));
    let (ann, ben) = (Agent::below(&world, &[&ada], 1), Agent::below(&world, &[&bob], 2));
    let answer = |who: &Agent, id: &str, answer: &str| {
        assert_eq!(who.ask(&world, "POST", &format!("/api/v1/delegations/{id}/{answer}"), &json!({})).status(), 200);
    };
    let ids: Vec<String> = (0..4).map(|_| ann.delegated(&world, &ben, &["api.read"], json!({}))).collect();
    answer(&bob, &ids[0], "accept");
    answer(&ben, &ids[1], "accept");
    answer(&bob, &ids[2], "decline");
    ada.revoke(&world, &ids[0]);
    bob.revoke(&world, &ids[1]);
    ada.revoke(&world, &ids[3]);
    // What the one account did, both have: who that was in the one, and in the other.
    let made = ("created", ann.id.as_str(), Some(ann.id.as_str()));
    let did = [made; 4].into_iter().chain([("revoked", ada.id.as_str(), None); 2]).collect::<Vec<_>>();
    let answered = [
        ("accepted", bob.id.as_str(), None),
        ("accepted", &ben.id, Some(ben.id.as_str())),
        ("declined", &bob.id, None),
        ("revoked", &bob.id, None),
    ];
    let sort = |mut rows: Vec<(String, String, Option<String>, bool)>| {
        rows.sort();
        rows
    };
    for (who, own, others) in [(&ada, &did[..], &answered[..]), (&bob, &answered[..], &did[..])] {
        let heard = rows(&world, who).into_iter().map(|row| {
            assert_eq!((row.outcome, row.network.is_some()), (AuditOutcome::Success, row.request_id.is_some()));
            assert_eq!(row.about.as_ref().map(ToString::to_string).as_ref(), Some(if who.id == ada.id { &ann.id } else { &ben.id }));
            (row.action, row.actor_type, row.actor_id, row.network.is_some())
        });
        let own = own.iter().map(|(action, id, _)| (action.to_string(), "agent".to_owned(), Some(id.to_string()), true));
        let others = others.iter().map(|(action, _, named)| {
            (action.to_string(), if named.is_some() { "agent" } else { "account" }.to_owned(), named.map(str::to_owned), false)
        });
        assert_eq!(sort(heard.collect()), sort(own.chain(others).collect()));
    }
}

#[test]
fn strangers_fill_no_audit_with_offers_that_they_withdraw_or_that_are_refused_and_hide_nothing_of_the_account_itself() {
    let world = world();
    let [ada, bob] = [0; 2].map(|_| Agent::root(&world));
    let of = |who: &Agent| audited(&world, &bob).into_iter().filter(|(_, actor)| actor.as_ref() == Some(&who.id)).count();
    for _ in 0..30 {
        let id = ada.delegated(&world, &bob, &["api.read"], json!({}));
        ada.revoke(&world, &id);
    }
    assert_eq!(of(&ada), 10);
    let taken: Vec<String> = (0..8).map(|_| ada.accepted(&world, &bob, &["api.read"], json!({}))).collect();
    let open: Vec<String> = (0..8).map(|_| ada.delegated(&world, &bob, &["api.read"], json!({}))).collect();
    for _ in 0..8 {
        is(&ada.delegate(&world, &bob, &["api.read"], json!({})), 409, "limit_reached");
    }
    assert_eq!((of(&ada), of(&bob)), (10, 8));
    for id in &open {
        assert_eq!(bob.ask(&world, "POST", &format!("/api/v1/delegations/{id}/decline"), &json!({})).status(), 200);
    }
    for id in &taken {
        ada.revoke(&world, id);
    }
    assert_eq!((of(&ada), of(&bob)), (18, 16), "what the account has let in is not strange to it");
    for _ in 0..30 {
        let other = Agent::root(&world);
        for _ in 0..4 {
            other.delegated(&world, &bob, &["api.read"], json!({}));
        }
    }
    assert_eq!(audited(&world, &bob).len(), 18 + 16 + 90, "a hundred of all strangers");
    world.later(3600);
    ada.delegated(&world, &bob, &["api.read"], json!({}));
    assert_eq!(of(&ada), 19);
}

#[test]
fn strangers_fill_no_webhook_either() {
    let world = world();
    let [ada, bob] = [0; 2].map(|_| Agent::root(&world));
    let webhook = json!({ "url": "https://hooks.example.com/", "events": ["delegation.*"] });
    assert_eq!(bob.ask(&world, "POST", "/api/v1/webhooks", &webhook).status(), 201);
    let told = || {
        let accounts = world.platform.accounts.borrow();
        let bobs = &accounts[AccountId::from_digits(bob.registration().digits()).as_str()];
        bobs.query("SELECT number FROM tenant_delivery", 0).len()
    };
    for _ in 0..30 {
        let id = ada.delegated(&world, &bob, &["api.read"], json!({}));
        ada.revoke(&world, &id);
    }
    assert_eq!(told(), 10, "as many as are audited");
    let id = ada.delegated(&world, &bob, &["api.read"], json!({}));
    assert_eq!(bob.ask(&world, "POST", &format!("/api/v1/delegations/{id}/decline"), &json!({})).status(), 200);
    assert_eq!(told(), 11, "what somebody of the account does itself is told");
}

#[test]
fn whoever_answers_an_offer_that_is_over_sees_it_go_from_the_list() {
    let world = world();
    let [ada, bob] = [0; 2].map(|_| Agent::root(&world));
    for answer in ["accept", "decline"] {
        let id = ada.delegated(&world, &bob, &["api.read"], json!({}));
        let account = AccountId::from_digits(bob.registration().digits());
        let asked = |what: What| {
            let command = tenant::Command { caller: None, what, audit: vec![], emit: vec![], retain: Ttl::from_millis(0) };
            let command = account::Command::Tenant(Box::new(command));
            match world.platform.accounts.borrow()[account.as_str()].command(&command, world.platform.now.get()).unwrap() {
                account::Outcome::Tenant(outcome) => *outcome,
                other => panic!("{other:?}"),
            }
        };
        let Outcome::Delegations(offers, 1) = asked(What::Offers { limit: 1, offset: 0 }) else { panic!("no offer") };
        ada.revoke(&world, &id);
        // As a version did that buried nothing: what was told first comes last.
        world.platform.accounts.borrow()[account.as_str()].query("DELETE FROM tenant_repeat", 0);
        assert!(matches!(asked(What::PutDelegation(Box::new(offers[0].clone()))), Outcome::Delegation(_, true)));
        assert_eq!(listed(&world, &bob, "?active_only=false"), [(id.clone(), "pending".to_owned())]);
        is(&bob.ask(&world, "POST", &format!("/api/v1/delegations/{id}/{answer}"), &json!({})), 400, "already_revoked");
        assert_eq!(listed(&world, &bob, "?active_only=false"), []);
    }
}

#[test]
fn an_offer_that_the_other_account_refuses_when_it_hears_of_it_later_is_over() {
    let world = world();
    let [ada, bob] = [0; 2].map(|_| Agent::root(&world));
    let open: Vec<String> = (0..8).map(|_| ada.delegated(&world, &bob, &["api.read"], json!({}))).collect();
    // Whoever has made it is cut off before the accounts are told.
    let account = |agent: &Agent| agent.registration().account();
    let terms = Terms {
        id: DelegationId::from_bytes([1; 16]),
        delegators: vec![ada.registration()],
        delegate: bob.registration(),
        delegator_account: account(&ada),
        delegate_account: account(&bob),
        upstream: Vec::new(),
        scopes: "api.read".parse().unwrap(),
        constraints: Constraints::default(),
        max_chain_depth: 1,
        expires: None,
        root_generation: None,
    };
    let id = terms.id.clone();
    let by = By { agent: ada.registration(), account: None, person: None, on_behalf: None, network: None, request_id: None };
    block(world.platform.run::<Delegation>(&id, Command::Create { terms: Box::new(terms), by })).unwrap();
    world.ring();
    assert!(listed(&world, &ada, "?active_only=false").contains(&(id.to_string(), "revoked".to_owned())));
    is(&bob.ask(&world, "POST", &format!("/api/v1/delegations/{id}/accept"), &json!({})), 400, "already_revoked");
    assert_eq!(listed(&world, &bob, "?active_only=false").len(), 8);
    ada.revoke(&world, &open[0]);
    ada.delegated(&world, &bob, &["api.read"], json!({}));
    let record = world.platform.cells.borrow()[&format!("delegation/{id}")].clone();
    let record: Record<Delegation> = serde_json::from_str(&record).unwrap();
    assert_eq!(record.state.wakes_at(), None, "nothing rings any more");
}

#[test]
fn an_offer_that_nobody_answers_for_a_week_is_declined() {
    let world = World::new(&[("UNCLAIMED_REGISTRATION_TTL", "2592000")]);
    let [ada, bob] = [0; 2].map(|_| Agent::root(&world));
    let id = ada.delegated(&world, &bob, &["api.read"], json!({}));
    world.later(7 * 86_400 - 1);
    assert_eq!(ada.ask(&world, "GET", &format!("/api/v1/delegations/{id}"), &Value::Null).text("status"), "pending");
    world.later(1);
    assert_eq!(ada.ask(&world, "GET", &format!("/api/v1/delegations/{id}"), &Value::Null).text("status"), "declined");
    assert_eq!(listed(&world, &bob, "?active_only=false"), [(id, "declined".to_owned())]);
}

#[test]
fn one_account_offers_only_so_much_and_one_is_offered_only_so_much() {
    let world = world();
    let [ada, bob, eve] = [0; 3].map(|_| Agent::root(&world));
    for _ in 0..60 {
        let id = ada.delegated(&world, &bob, &["api.read"], json!({}));
        ada.revoke(&world, &id);
    }
    let refused = ada.delegate(&world, &bob, &["api.read"], json!({}));
    is(&refused, 429, "rate_limited");
    assert_eq!(refused.header("retry-after"), Some("3600"));
    ada.delegated(&world, &Agent::below(&world, &[&ada], 1), &["api.read"], json!({}));
    for _ in 0..32 {
        let other = Agent::root(&world);
        for _ in 0..8 {
            other.delegated(&world, &bob, &["api.read"], json!({}));
        }
    }
    is(&eve.delegate(&world, &bob, &["api.read"], json!({})), 409, "limit_reached");
    assert_eq!(listed(&world, &eve, "?active_only=false&limit=100").iter().filter(|(_, status)| status == "revoked").count(), 1);
    let all = bob.ask(&world, "GET", "/api/v1/delegations?active_only=false", &Value::Null).json();
    assert_eq!(all["total"], 256, "what was not heard of, or was taken back, leaves nothing");
}
