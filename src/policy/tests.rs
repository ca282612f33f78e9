//! What holds of every decision, and the parser's strictness.

use proptest::prelude::*;
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
        created_by: RegistrationId::from_bytes([0; 16]),
        written: Written::parse(&written).unwrap(),
        created: Timestamp::from_millis(FRIDAY_8),
        updated: Timestamp::from_millis(FRIDAY_8 + 1000),
    }
}

/// Asks as `question` says: `action` and `resource`, and perhaps `agent`, `agent_type`, `trust_level`, `account`, `needs`, `ip`, `at`,
/// `arguments`, and `count` for every policy.
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
        accounts: &[text("account").unwrap_or("acc_0000000000000000000001").parse::<AccountId>().unwrap()],
        action: Action::parse(text("action").unwrap()).unwrap(),
        resource: text("resource").unwrap(),
        scope: text("needs"),
        ip: ip.as_ref(),
        at,
        arguments: question["arguments"].as_object(),
        counts: &counts,
    };
    decide(&question, policies, rights)
}

fn own(scope: &str) -> Rights {
    Rights { own: scope.parse().unwrap(), delegations: Vec::new() }
}

fn link(index: u8, scopes: &str, constraints: Value) -> Link {
    let id = DelegationId::from_bytes([index; 16]);
    Link { id, scopes: scopes.parse().unwrap(), constraints: Constraints::try_from(constraints).unwrap() }
}

fn plain(effect: &str, more: Value) -> Value {
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
    let decision = ask(&read, std::slice::from_ref(&allow), &nothing);
    assert_eq!((decision.effect, decision.policy), (Effect::Allow, Some((allow.id.clone(), "allow".to_owned()))));
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
    let policies = [policy(1, plain("allow", json!({ "subjects": subjects })))];
    let asked = |with: Value| {
        let mut question =
            json!({ "action": "read", "resource": "/files", "trust_level": "root", "account": "acc_0000000000000000000002" });
        question.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
        ask(&question, &policies, &Rights::default()).is_allowed()
    };
    assert!(asked(json!({})) && asked(json!({ "agent_type": "assistant" })));
    for other in
        [json!({ "agent_type": "autonomous" }), json!({ "trust_level": "delegated" }), json!({ "account": "acc_0000000000000000000001" })]
    {
        assert!(!asked(other.clone()), "{other}");
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
            "id": policy.id.as_str(), "created_by_agent_id": policy.created_by.as_str(), "name": "allow", "description": null,
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

fn any_policy() -> impl Strategy<Value = Value> {
    let subjects = prop::sample::select(vec![
        json!({ "wildcard": true }),
        json!({ "agent_types": ["tool"] }),
        json!({ "agent_ids": ["reg_0000000000000000000001"], "trust_levels": ["delegated", "root"] }),
        json!({ "account": ["acc_0000000000000000000002"] }),
    ]);
    let paths = prop::sample::subsequence(vec!["/files", "/files/*", "/files/a", "/mail", "/*", "*"], 1..3);
    let actions = prop::sample::subsequence(vec!["read", "write", "admin", "*"], 1..3);
    let conditions = prop::sample::select(vec![
        json!({}),
        json!({}),
        json!({ "time_window": { "start": "08:00", "end": "09:00" } }),
        json!({ "ip_ranges": ["10.0.0.0/8"] }),
        json!({ "rate_limit": { "max": 2, "window_seconds": 60 } }),
        json!({ "arguments": { "size": { "max": 10 } } }),
    ]);
    (prop::sample::select(vec!["allow", "deny"]), subjects, paths, actions, conditions, -1..2, prop::bool::weighted(0.8)).prop_map(
        |(effect, subjects, paths, actions, conditions, priority, enabled)| {
            json!({
                "name": effect, "effect": effect, "subjects": subjects, "resources": { "paths": paths }, "actions": actions,
                "conditions": conditions, "priority": priority, "enabled": enabled,
            })
        },
    )
}

fn policies() -> impl Strategy<Value = Vec<Policy>> {
    let numbered = |written: Vec<Value>| written.into_iter().enumerate().map(|(index, written)| policy(index as u8, written)).collect();
    prop::collection::vec(any_policy(), 0..5).prop_map(numbered)
}

fn any_scope() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["", "files.*", "files.read", "files.read files.a.*", "mail.*", "files.read mail.read", "files.a.read"])
}

fn any_link() -> impl Strategy<Value = Link> {
    let constraints = prop::sample::select(vec![
        json!({}),
        json!({ "size": { "max": 10 } }),
        json!({ "resource_prefix": "/files" }),
        json!({ "time_window": { "start": "09:00", "end": "08:30" } }),
    ]);
    (1_u8..9, any_scope(), constraints).prop_map(|(index, scopes, constraints)| link(index, scopes, constraints))
}

fn rights() -> impl Strategy<Value = Rights> {
    let chain =
        (any_scope(), prop::collection::vec(any_link(), 0..3)).prop_map(|(source, links)| Chain { source: source.parse().unwrap(), links });
    (any_scope(), prop::collection::vec(chain, 0..3)).prop_map(|(held, delegations)| Rights { delegations, ..own(held) })
}

fn question() -> impl Strategy<Value = Value> {
    let resources = vec!["/files", "/files/a", "/files/", "/mail", "/", "/files/../mail", "/files-evil"];
    let ips = vec![json!(null), json!("10.0.0.1"), json!("::ffff:10.0.0.1"), json!("192.0.2.1")];
    let arguments = vec![json!(null), json!({ "size": 10 }), json!({ "size": 11 }), json!({ "size": "1" })];
    (
        prop::sample::select(vec!["read", "write", "admin"]),
        prop::sample::select(resources),
        prop::sample::select(ips),
        prop::sample::select(arguments),
        prop::sample::select(vec![json!(null), json!(1), json!(2)]),
        prop::sample::select(vec!["2027-01-15T08:15:00Z", "2027-01-15T08:45:00Z", "2027-01-15T09:00:00Z"]),
        prop::sample::select(vec!["tool", "assistant"]),
    )
        .prop_map(|(action, resource, ip, arguments, count, at, agent_type)| {
            json!({
                "action": action, "resource": resource, "ip": ip, "arguments": arguments, "count": count, "at": at, "agent_type": agent_type,
            })
        })
}

proptest! {
    #[test]
    fn one_more_deny_never_allows(question in question(), policies in policies(), rights in rights(), mut deny in any_policy()) {
        deny["effect"] = json!("deny");
        let with: Vec<_> = policies.iter().cloned().chain([policy(99, deny)]).collect();
        prop_assert!(ask(&question, &policies, &rights).is_allowed() || !ask(&question, &with, &rights).is_allowed());
    }

    #[test]
    fn a_deny_that_matches_always_denies(question in question(), policies in policies(), rights in rights()) {
        let deny = json!({
            "name": "n", "effect": "deny", "subjects": { "wildcard": true }, "resources": { "wildcard": true }, "actions": ["*"], "priority": -9,
        });
        let with: Vec<_> = policies.into_iter().chain([policy(99, deny)]).collect();
        prop_assert!(!ask(&question, &with, &rights).is_allowed());
    }

    #[test]
    fn the_order_of_policies_and_delegations_never_matters(
        question in question(), (policies, shuffled) in policies().prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
        rights in rights(),
    ) {
        let decision = ask(&question, &policies, &rights);
        prop_assert_eq!(&decision, &ask(&question, &shuffled, &rights), "nor for the reasons");
        let turned = Rights { delegations: rights.delegations.iter().rev().cloned().collect(), ..rights.clone() };
        prop_assert_eq!(decision.is_allowed(), ask(&question, &policies, &turned).is_allowed());
    }

    #[test]
    fn priority_changes_no_decision(question in question(), policies in policies(), rights in rights(), priority in -3..3) {
        let other = |policy: &Policy| Policy { written: policy.written.changed(&json!({ "priority": priority })).unwrap(), ..policy.clone() };
        let others: Vec<_> = policies.iter().map(other).collect();
        prop_assert_eq!(ask(&question, &policies, &rights).is_allowed(), ask(&question, &others, &rights).is_allowed());
    }

    #[test]
    fn what_is_disabled_is_not_there(question in question(), policies in policies(), rights in rights(), mut more in any_policy()) {
        more["enabled"] = json!(false);
        let with: Vec<_> = policies.iter().cloned().chain([policy(99, more)]).collect();
        let enabled: Vec<_> = policies.iter().filter(|policy| policy.written.is_enabled()).cloned().collect();
        let decision = ask(&question, &enabled, &rights);
        prop_assert_eq!(&decision, &ask(&question, &with, &rights));
        prop_assert_eq!(&decision, &ask(&question, &policies, &rights));
    }

    #[test]
    fn one_delegation_less_never_allows(question in question(), policies in policies(), rights in rights(), index in 0_usize..3) {
        let mut less = rights.clone();
        if index < less.delegations.len() {
            less.delegations.remove(index);
        }
        prop_assert!(ask(&question, &policies, &rights).is_allowed() || !ask(&question, &policies, &less).is_allowed());
    }

    #[test]
    fn one_link_more_never_allows(question in question(), source in any_scope(), links in prop::collection::vec(any_link(), 1..3), more in any_link()) {
        let chain = Chain { source: source.parse().unwrap(), links };
        for at in 0..=chain.links.len() {
            let mut longer = chain.clone();
            longer.links.insert(at, more.clone());
            let of = |chain: Chain| ask(&question, &[], &Rights { delegations: vec![chain], ..Rights::default() }).is_allowed();
            prop_assert!(of(chain.clone()) || !of(longer));
        }
    }

    #[test]
    fn a_chain_gives_nothing_that_its_source_lacks(question in question(), rights in rights()) {
        let decision = ask(&question, &[], &rights);
        if decision.is_allowed() {
            let sources = rights.delegations.iter().map(|chain| &chain.source).fold(rights.own.clone(), |all, source| all.union(source));
            let held = Rights { own: sources, ..Rights::default() };
            prop_assert!(ask(&question, &[], &held).is_allowed());
        }
    }

    #[test]
    fn anything_is_read_without_a_panic(member in "[a-z_]{0,12}", text in ".*", number in any::<f64>()) {
        for value in [json!(text), json!(number), json!([text, number]), json!({ &member: text }), json!({ "paths": [text] }), json!({ "ip_ranges": [text] })] {
            for name in ["name", "effect", "subjects", "resources", "actions", "conditions", "priority", member.as_str()] {
                let mut written = plain("allow", json!({}));
                written[name] = value.clone();
                if let Ok(read) = Written::parse(&written) {
                    prop_assert_eq!(Written::parse(&read.document().clone().into()), Ok(read));
                }
            }
        }
        let question = json!({ "action": "read", "resource": text });
        prop_assert_eq!(ask(&question, &[], &own("")).effect, Effect::Deny);
    }
}
