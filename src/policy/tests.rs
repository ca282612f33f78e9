//! Each step of a decision, and the parser's strictness.

use serde_json::{Value, json};

use super::*;
use crate::constraint::Constraints;
use crate::constraint::chain::{Chain, Link};
use crate::constraint::fault::Problem;
use crate::id::{AccountId, DelegationId};
use crate::network::Origin;

/// 2027-01-15 was a Friday; 08:00:00 UTC.
const FRIDAY_8: u64 = 1_800_000_000_000;

pub(super) fn policy(index: u8, written: Value) -> Policy {
    Policy {
        id: PolicyId::from_bytes([index; 16]),
        created_by: Some(RegistrationId::from_bytes([0; 16])),
        written: Written::parse(&written).unwrap(),
        created: Timestamp::from_millis(FRIDAY_8),
        updated: Timestamp::from_millis(FRIDAY_8 + 1000),
    }
}

/// Asks as `question` says: `action` and `resource`, and perhaps `agent`, `agent_type`, `trust_level`, `account`, `needs` (of our own API),
/// `scope` (of another), `ip`, `at`, `arguments`, `active`, and `count` for every policy.
pub(super) fn ask(question: &Value, policies: &[Policy], rights: &Rights) -> Decision {
    let text = |name: &str| question[name].as_str();
    let ip = text("ip").map(|ip| Origin::parse(ip).unwrap());
    let at =
        text("at").map_or(Timestamp::from_millis(FRIDAY_8), |at| Timestamp::from(at.parse::<chrono::DateTime<chrono::Utc>>().unwrap()));
    let counts: Vec<_> = policies.iter().filter_map(|policy| Some((policy.id.clone(), question["count"].as_u64()?))).collect();
    let question = Question {
        agent: &text("agent").unwrap_or("reg_0000000000000000000001").parse().unwrap(),
        agent_type: text("agent_type").unwrap_or("tool"),
        trust_level: text("trust_level").unwrap_or("delegated"),
        is_active: question["active"].as_bool().unwrap_or(true),
        accounts: &[text("account").unwrap_or("acc_0000000000000000000001").parse::<AccountId>().unwrap()],
        action: Action::parse(text("action").unwrap()).unwrap(),
        resource: text("resource").unwrap(),
        needed: text("needs").map(Needed::Own).or(text("scope").map(Needed::Named)).unwrap_or(Needed::OfPath),
        ip: ip.as_ref(),
        at,
        arguments: question["arguments"].as_object(),
        counts: &counts,
    };
    decide(&question, policies, rights)
}

pub(super) fn own(scope: &str) -> Rights {
    Rights { own: scope.parse().unwrap(), delegations: Vec::new() }
}

pub(super) fn link(index: u8, scopes: &str, constraints: Value) -> Link {
    let id = DelegationId::from_bytes([index; 16]);
    Link { id, scopes: scopes.parse().unwrap(), constraints: Constraints::try_from(constraints).unwrap() }
}

pub(super) fn plain(effect: &str, more: Value) -> Value {
    let mut written = json!({
        "name": effect, "effect": effect, "subjects": { "wildcard": true }, "resources": { "paths": ["/files", "/files/*"] }, "actions": ["read"],
    });
    written.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    written
}

#[test]
fn each_step_is_explained() {
    let read = json!({ "action": "read", "resource": "/files" });
    let allow = policy(1, plain("allow", json!({ "priority": 5 })));
    let deny = policy(2, plain("deny", json!({ "priority": -5 })));
    let nothing = Rights::default();

    let decision = ask(&read, &[allow.clone(), deny.clone()], &own("files.read"));
    assert_eq!((decision.effect, decision.policy), (Effect::Deny, Some((deny.id.clone(), "deny".to_owned()))), "at any priority");
    let named = Some((allow.id.clone(), "allow".to_owned()));
    let decision = ask(&read, std::slice::from_ref(&allow), &own("files.read"));
    assert_eq!((decision.effect, decision.policy), (Effect::Allow, named.clone()));
    assert_eq!(decision.reason, "A policy allows this, and the agent's own scopes cover it.");
    let decision = ask(&read, std::slice::from_ref(&allow), &nothing);
    assert_eq!((decision.effect, decision.policy, decision.missing_scope.as_deref()), (Effect::Deny, named, Some("files.read")));
    assert_eq!(decision.reason, "A policy allows this, but neither the agent's own scopes nor a delegation cover it.");
    let decision = ask(&json!({ "action": "write", "resource": "/files" }), std::slice::from_ref(&allow), &own("files.*"));
    assert_eq!((decision.effect, decision.policy), (Effect::Deny, Some((allow.id.clone(), "allow".to_owned()))), "governed");
    let decision = ask(&json!({ "action": "write", "resource": "/files" }), std::slice::from_ref(&deny), &own("files.*"));
    assert_eq!((decision.effect, decision.policy), (Effect::Allow, None), "a deny governs nothing");
    let decision = ask(&read, &[], &own("files.write"));
    assert_eq!((decision.effect, decision.missing_scope.as_deref()), (Effect::Deny, Some("files.read")));
    let decision = ask(&json!({ "action": "read", "resource": "/api/v1/agents/x", "needs": "agents.read" }), &[], &own("agents.read"));
    assert_eq!((decision.effect, decision.missing_scope), (Effect::Allow, None));
    let decision = ask(&json!({ "action": "read", "resource": "/" }), &[], &own("read .read"));
    assert_eq!((decision.effect, decision.missing_scope), (Effect::Deny, None), "no scope stands for the root");
    for trap in ["", "/files/../files", "/files//", "/%2e/files", "/files%2fx", "/files/*"] {
        let all = policy(3, plain("allow", json!({ "resources": { "wildcard": true } })));
        assert!(!ask(&json!({ "action": "read", "resource": trap }), &[all], &own("files.* files.read")).is_allowed(), "{trap}");
    }
}

#[test]
fn a_delegation_is_explained_hop_by_hop() {
    let links = vec![link(1, "files.*", json!({ "size": { "max": 10 } })), link(2, "files.read", json!({ "kind": "text" }))];
    let chain = Chain { source: "files.*".parse().unwrap(), links };
    let rights = Rights { own: "mail.read".parse().unwrap(), delegations: vec![chain] };
    let [first, last] = [1, 2].map(|index| DelegationId::from_bytes([index; 16]));
    let asked = |arguments: Value| ask(&json!({ "action": "read", "resource": "/files", "arguments": arguments }), &[], &rights);

    let decision = asked(json!({ "size": 10, "kind": "text" }));
    assert!(decision.is_allowed() && decision.violations.is_empty());
    assert_eq!((decision.delegation.as_ref(), decision.hops.as_slice()), (Some(&last), &[first.clone(), last.clone()][..]));
    let decision = asked(json!({ "size": 11 }));
    assert_eq!(
        decision.to_value(),
        json!({
            "allowed": false, "effect": "deny", "matching_policy_id": null, "matching_policy_name": null,
            "delegation_id": last.as_str(), "delegation_chain": [first.as_str(), last.as_str()],
            "failed_delegation_id": first.as_str(), "missing_scope": null,
            "violations": [
                { "delegation_id": first.as_str(), "field": "size", "constraint": { "max": 10 }, "actual": 11 },
                { "delegation_id": last.as_str(), "field": "kind", "constraint": { "eq": "text" }, "actual": null },
            ],
            "reason": "A delegation covers this, but constraints of its chain are not met.",
        })
    );
    let write = ask(&json!({ "action": "write", "resource": "/files" }), &[], &rights);
    assert_eq!((write.is_allowed(), write.missing_scope.as_deref()), (false, Some("files.write")), "the second hop has not handed it on");
}

#[test]
fn an_allow_and_the_delegation_that_gives_the_right_are_both_named() {
    let allow = policy(1, plain("allow", json!({})));
    let chain = Chain { source: "files.*".parse().unwrap(), links: vec![link(1, "files.read", json!({ "size": { "max": 10 } }))] };
    let rights = Rights { delegations: vec![chain], ..Rights::default() };
    let asked = |size: u8| {
        ask(&json!({ "action": "read", "resource": "/files", "arguments": { "size": size } }), std::slice::from_ref(&allow), &rights)
    };
    for (size, effect) in [(10, Effect::Allow), (11, Effect::Deny)] {
        let decision = asked(size);
        assert_eq!((decision.effect, decision.policy), (effect, Some((allow.id.clone(), "allow".to_owned()))));
        assert_eq!(decision.delegation, Some(DelegationId::from_bytes([1; 16])));
    }
}

#[test]
fn a_resource_server_names_the_scope_that_it_asks_of_callers() {
    let question = json!({ "action": "read", "resource": "/files", "scope": "documents:view" });
    assert!(ask(&question, &[], &own("documents:view")).is_allowed());
    let denied = ask(&question, &[], &own("files.read"));
    assert_eq!((denied.effect, denied.missing_scope.as_deref()), (Effect::Deny, Some("documents:view")));
    assert!(ask(&json!({ "action": "read", "resource": "/", "scope": "files.read" }), &[], &own("files.read")).is_allowed());
    let chain = Chain { source: "documents:view".parse().unwrap(), links: vec![link(1, "documents:view", json!({}))] };
    assert!(ask(&question, &[], &Rights { delegations: vec![chain], ..Rights::default() }).is_allowed());
}

#[test]
fn what_our_own_api_needs_is_given_by_no_policy_and_by_no_delegation() {
    let allow = policy(1, plain("allow", json!({ "resources": { "wildcard": true }, "actions": ["*"] })));
    let chain = Chain { source: "agents.write".parse().unwrap(), links: vec![link(1, "agents.write", json!({}))] };
    let question = json!({ "action": "write", "resource": "/api/v1/agents", "needs": "agents.write" });
    let rights = |held: &str| Rights { delegations: vec![chain.clone()], ..own(held) };
    let denied = ask(&question, std::slice::from_ref(&allow), &rights("agents.read"));
    assert_eq!(
        (denied.effect, denied.policy, denied.missing_scope.as_deref()),
        (Effect::Deny, Some((allow.id.clone(), "allow".to_owned())), Some("agents.write"))
    );
    assert!(ask(&question, &[allow], &rights("agents.write")).is_allowed());
    let mut asleep = question;
    asleep["active"] = json!(false);
    assert!(!ask(&asleep, &[], &rights("agents.write")).is_allowed(), "nobody acts who is not active");
}

#[test]
fn an_agent_can_take_back_what_it_has_written() {
    let author = "reg_0000000000000000000001";
    let by = |author: &str, effect: &str| {
        let all = json!({ "resources": { "wildcard": true }, "actions": if effect == "deny" { ["*"] } else { ["execute"] } });
        Policy { created_by: Some(author.parse().unwrap()), ..policy(1, plain(effect, all)) }
    };
    let asked = |policy: &Policy, resource: &str| {
        let question = json!({ "agent": author, "action": "delete", "resource": resource, "needs": "policies.write" });
        ask(&question, std::slice::from_ref(policy), &own("policies.write")).is_allowed()
    };
    for effect in ["deny", "allow"] {
        let own = by(author, effect);
        assert!(asked(&own, "/api/v1/policies/pol_1") && asked(&own, "/api/v1/policies"), "{effect}");
        assert!(!asked(&own, "/api/v1/policies-x") && !asked(&own, "/api/v1/agents/x"), "{effect}");
        assert!(!asked(&by("reg_0000000000000000000002", effect), "/api/v1/policies/pol_1"), "another's {effect} binds");
    }
}

#[test]
fn a_rate_counts_what_is_allowed_and_nothing_else() {
    let limit = json!({ "conditions": { "rate_limit": { "max": 2, "window_seconds": 60 } } });
    let policies = [policy(1, plain("allow", limit.clone())), policy(2, plain("allow", json!({}))), policy(3, plain("deny", limit))];
    let agent = "reg_0000000000000000000001".parse().unwrap();
    let counted = |action: Action, resource: &str, count: u64| {
        let counts: Vec<_> = policies.iter().map(|policy| (policy.id.clone(), count)).collect();
        let question = Question {
            agent: &agent,
            agent_type: "tool",
            trust_level: "root",
            is_active: true,
            accounts: &[],
            action,
            resource,
            needed: Needed::OfPath,
            ip: None,
            at: Timestamp::from_millis(FRIDAY_8),
            arguments: None,
            counts: &counts,
        };
        counting(&question, &policies).into_iter().map(|(id, _)| id.clone()).collect::<Vec<_>>()
    };
    assert_eq!(counted(Action::Read, "/files", 1), [policies[0].id.clone(), policies[2].id.clone()]);
    assert!(counted(Action::Read, "/files", 2).is_empty(), "denied from then on");
    assert!(counted(Action::Write, "/files", 0).is_empty() && counted(Action::Read, "/mail", 0).is_empty());
}

#[test]
fn what_cannot_be_judged_is_against_the_agent() {
    for (conditions, met) in [
        (json!({ "ip_ranges": ["10.0.0.0/8"] }), json!({ "ip": "::ffff:10.1.2.3" })),
        (json!({ "ip_allowlist": ["::ffff:10.1.2.3"] }), json!({ "ip": "10.1.2.3" })),
        (json!({ "ip_ranges": ["2001:db8::/32"], "ip_allowlist": ["2001:db8::1"] }), json!({ "ip": "2001:DB8:0::1" })),
        (json!({ "arguments": { "size": { "max": 10 } } }), json!({ "arguments": { "size": 10 } })),
    ] {
        let asked = |effect: &str, with: &Value| {
            let mut question = json!({ "action": "read", "resource": "/files" });
            question.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
            ask(&question, &[policy(1, plain(effect, json!({ "conditions": conditions })))], &own("files.read")).is_allowed()
        };
        let other = json!({ "ip": "192.0.2.1", "arguments": { "size": 11 } });
        assert!(asked("allow", &met) && !asked("allow", &other) && !asked("allow", &json!({})), "{conditions}");
        assert!(!asked("deny", &met) && asked("deny", &other) && !asked("deny", &json!({})), "{conditions}");
        assert!(!asked("deny", &json!({ "arguments": { "size": "11" } })), "{conditions}");
    }
}

#[test]
fn a_rate_ends_an_allow_and_begins_a_deny() {
    let limit = json!({ "conditions": { "rate_limit": { "max": 2, "window_seconds": 60 } } });
    let asked = |effect: &str, count: Value| {
        let question = json!({ "action": "read", "resource": "/files", "count": count });
        ask(&question, &[policy(1, plain(effect, limit.clone()))], &own("files.read")).is_allowed()
    };
    for (count, allowed) in [(json!(0), true), (json!(1), true), (json!(2), false), (json!(3), false), (json!(null), false)] {
        assert_eq!([asked("allow", count.clone()), asked("deny", count.clone())], [allowed; 2], "{count}");
    }
    assert_eq!(policy(1, plain("allow", limit)).written.rate_limit(), Some(RateLimit { max: 2, window_seconds: 60 }));
}

#[test]
fn subjects_are_any_of_a_kind_and_all_kinds() {
    let subjects = json!({ "agent_types": ["tool", "assistant"], "trust_levels": ["root"], "account": ["acc_0000000000000000000002"] });
    let policies = [policy(1, plain("deny", json!({ "subjects": subjects })))];
    let is_meant = |with: Value| {
        let mut question =
            json!({ "action": "read", "resource": "/files", "trust_level": "root", "account": "acc_0000000000000000000002" });
        question.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
        !ask(&question, &policies, &own("files.read")).is_allowed()
    };
    assert!(is_meant(json!({})) && is_meant(json!({ "agent_type": "assistant" })));
    for other in
        [json!({ "agent_type": "autonomous" }), json!({ "trust_level": "delegated" }), json!({ "account": "acc_0000000000000000000001" })]
    {
        assert!(!is_meant(other.clone()), "{other}");
    }
}

#[test]
fn a_policy_is_read_strictly() {
    for (with, field) in [
        (json!({ "name": "" }), "name"),
        (json!({ "name": "a\nb" }), "name"),
        (json!({ "name": "x".repeat(257) }), "name"),
        (json!({ "description": 1 }), "description"),
        (json!({ "effect": "Allow" }), "effect"),
        (json!({ "subjects": null }), "subjects"),
        (json!({ "subjects": { "wildcard": false } }), "subjects"),
        (json!({ "subjects": { "wildcard": 1 } }), "subjects.wildcard"),
        (json!({ "subjects": { "wildcard": true, "agent_types": ["tool"] } }), "subjects.wildcard"),
        (json!({ "subjects": { "agent_types": [] } }), "subjects.agent_types"),
        (json!({ "subjects": { "agent_types": ["robot"] } }), "subjects.agent_types"),
        (json!({ "subjects": { "agent_ids": ["acc_0000000000000000000001"] } }), "subjects.agent_ids"),
        (json!({ "subjects": { "account": "acc_0000000000000000000001" } }), "subjects.account"),
        (json!({ "subjects": { "roles": ["x"] } }), "subjects.roles"),
        (json!({ "resources": {} }), "resources"),
        (json!({ "resources": { "paths": [] } }), "resources.paths"),
        (json!({ "resources": { "paths": ["/a/../b"] } }), "resources.paths"),
        (json!({ "resources": { "types": ["x"] } }), "resources.types"),
        (json!({ "resources": { "paths": ["*"], "wildcard": true } }), "resources.wildcard"),
        (json!({ "actions": "read" }), "actions"),
        (json!({ "actions": ["*", "list"] }), "actions"),
        (json!({ "actions": ["Read"] }), "actions"),
        (json!({ "conditions": [] }), "conditions"),
        (json!({ "conditions": { "ip_range": ["10.0.0.0/8"] } }), "conditions.ip_range"),
        (json!({ "conditions": { "ip_ranges": ["10.0.0.0/33"] } }), "conditions.ip_ranges"),
        (json!({ "conditions": { "ip_ranges": ["::ffff:0:0/90"] } }), "conditions.ip_ranges"),
        (json!({ "conditions": { "ip_allowlist": ["10.0.0.0/8"] } }), "conditions.ip_allowlist"),
        (json!({ "conditions": { "rate_limit": { "max": 0, "window_seconds": 60 } } }), "conditions.rate_limit.max"),
        (json!({ "conditions": { "rate_limit": { "max": 1 } } }), "conditions.rate_limit.window_seconds"),
        (json!({ "conditions": { "rate_limit": { "max": 1, "window_seconds": 86_401 } } }), "conditions.rate_limit.window_seconds"),
        (json!({ "conditions": { "time_window": { "start": "08:00", "end": "09:00", "tz": "x" } } }), "conditions.time_window.tz"),
        (json!({ "conditions": { "arguments": {} } }), "conditions.arguments"),
        (json!({ "conditions": { "arguments": { "size": { "gt": 1 } } } }), "conditions.arguments.size.gt"),
        (json!({ "priority": 1.5 }), "priority"),
        (json!({ "priority": i64::MIN + 1 }), "priority"),
        (json!({ "priority": i64::MIN }), "priority"),
        (json!({ "enabled": "true" }), "enabled"),
        (json!({ "id": "pol_0000000000000000000001" }), "id"),
    ] {
        let fault = Written::parse(&plain("allow", with.clone())).unwrap_err();
        assert_eq!(fault.field, field, "{with}");
        if matches!(fault.problem, Problem::UnknownKey | Problem::UnknownOperator) {
            assert!(!fault.known.is_empty() && fault.to_string().contains(&fault.known.join(", ")), "{fault}");
        }
    }
    for missing in ["name", "effect", "subjects", "resources", "actions"] {
        let mut written = plain("allow", json!({}));
        written.as_object_mut().unwrap().remove(missing);
        assert_eq!(Written::parse(&written).unwrap_err().field, missing);
    }
    let long = Written::parse(&plain("allow", json!({ "\u{1b}".repeat(500): 1 }))).unwrap_err();
    assert_eq!(long.field, "?".repeat(64), "made-up names are cut short");
}

#[test]
fn a_policy_is_answered_as_it_was_written() {
    let written = plain("allow", json!({ "conditions": null, "description": null }));
    let policy = policy(1, written);
    assert_eq!(
        policy.to_value(),
        json!({
            "id": policy.id.as_str(), "created_by_agent_id": policy.created_by.as_ref().unwrap().as_str(), "name": "allow", "description": null,
            "effect": "allow", "subjects": { "wildcard": true }, "resources": { "paths": ["/files", "/files/*"] }, "actions": ["read"],
            "conditions": {}, "priority": 0, "enabled": true,
            "created_at": "2027-01-15T08:00:00.000Z", "updated_at": "2027-01-15T08:00:01.000Z",
        })
    );
    let again = Written::parse(&policy.written.document().clone().into()).unwrap();
    assert_eq!(again, policy.written);
    let changed = again.changed(&json!({ "effect": "deny", "enabled": false })).unwrap();
    assert_eq!((changed.effect(), changed.is_enabled(), changed.name()), (Effect::Deny, false, "allow"));
    assert_eq!(again.changed(&json!({ "created_at": 1 })).unwrap_err().field, "created_at");
    assert_eq!(again.changed(&json!({ "subjects": {} })).unwrap_err().field, "subjects");
}
