//! What holds of every decision.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::tests::{ask, link, own, plain, policy};
use super::*;
use crate::constraint::chain::{Chain, Link};

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
        prop::sample::select(vec![json!(null), json!(null), json!("files.read"), json!("other.write")]),
        prop::sample::select(vec![json!(null), json!(null), json!("files.read"), json!("mail.read")]),
    )
        .prop_map(|(action, resource, ip, arguments, count, at, agent_type, needs, scope)| {
            json!({
                "action": action, "resource": resource, "ip": ip, "arguments": arguments, "count": count, "at": at, "agent_type": agent_type,
                "needs": needs, "scope": scope,
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
    fn one_more_allow_never_allows_what_no_scope_and_no_delegation_gives(
        question in question(), policies in policies(), rights in rights(), mut allow in any_policy(),
    ) {
        allow["effect"] = json!("allow");
        let with: Vec<_> = policies.into_iter().chain([policy(99, allow)]).collect();
        prop_assert!(ask(&question, &[], &rights).is_allowed() || !ask(&question, &with, &rights).is_allowed());
        prop_assert!(!ask(&question, &with, &Rights::default()).is_allowed(), "no policy is a right");
    }

    #[test]
    fn nothing_makes_up_for_a_scope_that_is_required(question in question(), policies in policies(), rights in rights()) {
        if let Some(needed) = question["needs"].as_str() {
            let decision = ask(&question, &policies, &rights);
            prop_assert!(rights.own.covers(needed) || !decision.is_allowed());
            let other = Rights { delegations: Vec::new(), ..rights };
            prop_assert_eq!(decision, ask(&question, &policies, &other), "delegations have no part in it");
        }
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
