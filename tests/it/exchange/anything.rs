//! Random chains of exchanges: rights never grow, nothing outlives what it came from, and nobody gets into the chain who was not there.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::json;

use super::{acting, agent, chain, exchange, payload, world};

#[derive(Clone, Debug)]
enum Op {
    /// A token of this agent's own, with this scope.
    Ask(usize, usize),
    /// This token, for one with this scope.
    Narrow(usize, usize),
    /// The same, with that token as the actor's.
    Act(usize, usize, usize),
    Revoke(usize),
    Later(u64),
}

const SCOPES: [&str; 4] = ["", "api.read", "api.write", "api.read api.write"];

fn op() -> impl Strategy<Value = Op> {
    let any = || any::<usize>();
    prop_oneof![
        2 => (any(), 0..SCOPES.len()).prop_map(|(agent, scope)| Op::Ask(agent, scope)),
        4 => (any(), 0..SCOPES.len()).prop_map(|(token, scope)| Op::Narrow(token, scope)),
        4 => (any(), any(), 0..SCOPES.len()).prop_map(|(token, actor, scope)| Op::Act(token, actor, scope)),
        1 => any().prop_map(Op::Revoke),
        1 => (1_u64..200).prop_map(Op::Later),
    ]
}

struct Known {
    text: String,
    /// All that it came from, itself included.
    from: BTreeSet<usize>,
    chain: Vec<String>,
}

fn scopes(token: &str) -> BTreeSet<String> {
    payload(token)["scope"].as_str().unwrap().split(' ').map(str::to_owned).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn exchange_never_gains_anything(history in proptest::collection::vec(op(), 1..40)) {
        let world = world();
        let agents = [agent(&world), agent(&world), agent(&world)];
        let mut tokens: Vec<Known> = Vec::new();
        let mut revoked = BTreeSet::new();
        for op in history {
            let pick = |index: usize| (!tokens.is_empty()).then(|| index % tokens.len());
            let (answer, parents) = match op {
                Op::Later(seconds) => {
                    world.later(seconds);
                    continue;
                }
                Op::Revoke(index) => {
                    if let Some(index) = pick(index) {
                        world.form("/oauth2/revoke", &[("token", &tokens[index].text)]);
                        revoked.insert(index);
                    }
                    continue;
                }
                Op::Ask(index, scope) => {
                    let text = agents[index % 3].token(&world, &[("scope", SCOPES[scope])]);
                    tokens.push(Known { text, from: BTreeSet::from([tokens.len()]), chain: Vec::new() });
                    continue;
                }
                Op::Narrow(index, scope) => {
                    let Some(index) = pick(index) else { continue };
                    (exchange(&world, &tokens[index].text, &[("scope", SCOPES[scope])]), vec![index])
                }
                Op::Act(index, actor, scope) => {
                    let (Some(index), Some(actor)) = (pick(index), pick(actor)) else { continue };
                    (acting(&world, &tokens[index].text, &tokens[actor].text, &[("scope", SCOPES[scope])]), vec![index, actor])
                }
            };
            let from: BTreeSet<usize> = parents.iter().flat_map(|parent| tokens[*parent].from.iter().copied()).collect();
            let now = world.platform.now.get().seconds();
            let live = |index: &usize| !revoked.contains(index) && payload(&tokens[*index].text)["exp"].as_i64().unwrap() > now;
            if answer.status() != 200 {
                prop_assert!(answer.status() == 400, "{}", answer.json());
                continue;
            }
            prop_assert!(from.iter().all(live), "what is dead brings nothing");
            let text = answer.text("access_token");
            let claims = payload(&text);
            let subject = &tokens[parents[0]];
            for parent in &parents {
                let before = payload(&tokens[*parent].text);
                prop_assert!(scopes(&text).is_subset(&scopes(&tokens[*parent].text)), "rights never grow");
                prop_assert!(claims["exp"].as_i64() <= before["exp"].as_i64(), "it ends no later");
            }
            prop_assert_eq!(&claims["sub"], &payload(&subject.text)["sub"]);
            prop_assert_eq!(&claims["aud"], &payload(&subject.text)["aud"]);
            let mut expected = subject.chain.clone();
            if let [_, actor] = parents[..] {
                expected.insert(0, payload(&tokens[actor].text)["sub"].as_str().unwrap().to_owned());
            }
            prop_assert_eq!(&chain(&text), &expected);
            prop_assert!(expected.len() <= 4);
            let mut from = from;
            from.insert(tokens.len());
            tokens.push(Known { text, from, chain: expected });
        }
        let now = world.platform.now.get().seconds();
        for known in &tokens {
            let live = known.from.iter().all(|index| !revoked.contains(index) && payload(&tokens[*index].text)["exp"].as_i64().unwrap() > now);
            let reads = scopes(&known.text).contains("api.read");
            prop_assert_eq!(world.call(&known.text), if !live { 401 } else if reads { 200 } else { 403 }, "{:?}", json!(known.chain));
        }
    }
}
