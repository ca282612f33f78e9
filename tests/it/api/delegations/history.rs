//! Random histories: what a delegate may do by delegation is always within every link and within what the first delegator may now; nobody
//! ever has less of their own.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Agent, world};
use crate::exchange::payload;
use crate::world::World;

const SCOPES: [&str; 3] = ["api.read", "api.write", "files.read"];
const AGENTS: usize = 5;

#[derive(Clone, Debug)]
enum Op {
    /// From, to, which scopes, of which delegation, for so many minutes.
    Delegate(usize, usize, u8, Option<usize>, Option<u64>),
    Accept(usize),
    Decline(usize),
    Revoke(usize, bool),
    Pause(usize, bool),
    Use(usize),
    Later(u64),
    Forget,
}

fn op() -> impl Strategy<Value = Op> {
    let delegate = (0..AGENTS, 0..AGENTS, 1_u8..8, proptest::option::of(any::<usize>()), proptest::option::of(1_u64..30));
    prop_oneof![
        8 => delegate.prop_map(|(from, to, scopes, source, minutes)| Op::Delegate(from, to, scopes, source, minutes)),
        8 => any::<usize>().prop_map(Op::Accept),
        1 => any::<usize>().prop_map(Op::Decline),
        2 => any::<(usize, bool)>().prop_map(|(which, by)| Op::Revoke(which, by)),
        2 => (0..AGENTS, any::<bool>()).prop_map(|(who, paused)| Op::Pause(who, paused)),
        8 => any::<usize>().prop_map(Op::Use),
        2 => (1_u64..600).prop_map(Op::Later),
        1 => Just(Op::Forget),
    ]
}

struct Made {
    id: String,
    from: usize,
    to: usize,
    scopes: u8,
    source: Option<usize>,
    expires: Option<u64>,
    accepted: bool,
    ended: bool,
}

#[derive(Default)]
struct Expected {
    now: u64,
    made: Vec<Made>,
    paused: [bool; AGENTS],
    /// Text, of which delegation, until when.
    tokens: Vec<(String, usize, u64)>,
}

impl Expected {
    /// What comes of a delegation now, if its whole chain counts.
    fn worth(&self, which: usize) -> Option<u8> {
        let made = &self.made[which];
        let live = made.accepted && !made.ended && made.expires.is_none_or(|expires| self.now < expires);
        let above = match made.source {
            Some(source) => self.worth(source)?,
            None => 7,
        };
        (live && !self.paused[made.from]).then_some(above & made.scopes)
    }

    /// A link above it has ended for good.
    fn is_cut(&self, which: usize) -> bool {
        let over = |above: &Made| above.ended || above.expires.is_some_and(|expires| self.now >= expires);
        self.made[which].source.is_some_and(|source| over(&self.made[source]) || self.is_cut(source))
    }

    fn works(&self, which: usize) -> Option<u8> {
        self.worth(which).filter(|worth| *worth != 0 && !self.paused[self.made[which].to])
    }

    fn chain(&self, which: usize) -> Vec<usize> {
        let mut chain = self.made[which].source.map(|source| self.chain(source)).unwrap_or_default();
        chain.push(self.made[which].from);
        chain
    }
}

fn names(scopes: u8) -> Vec<&'static str> {
    (0..3).filter(|bit| scopes & (1 << bit) != 0).map(|bit| SCOPES[bit]).collect()
}

fn apply(op: &Op, world: &mut World, who: &[Agent], expected: &mut Expected) {
    let count = expected.made.len();
    let pick = |which: usize| (count > 0).then(|| which % count.max(1));
    match *op {
        Op::Delegate(from, to, scopes, source, minutes) => {
            let source = source.and_then(pick);
            let mut more = json!({ "max_chain_depth": 3 });
            if let Some(source) = source {
                more["source_delegation_id"] = expected.made[source].id.clone().into();
            }
            if let Some(minutes) = minutes {
                let at = world.platform.now.get().plus(postern::time::Ttl::from_seconds(minutes * 60));
                more["expires_at"] = at.iso().into();
            }
            let answer = who[from].delegate(world, &who[to], &names(scopes), more);
            let expires = minutes.map(|minutes| expected.now + minutes * 60);
            let allowed = match source {
                _ if expected.paused[from] || expected.paused[to] => false,
                None => from != to,
                Some(source) => {
                    let mut chain = expected.chain(source);
                    chain.push(from);
                    let ends = expected.made[source].expires;
                    expected.made[source].to == from
                        && expected.worth(source).is_some_and(|worth| worth & scopes == scopes)
                        && !chain.contains(&to)
                        && chain.len() <= 3
                        && ends.is_none_or(|ends| expires.is_none_or(|expires| expires <= ends))
                }
            };
            assert_eq!(answer.status() == 201, allowed, "{op:?}: {}", answer.json());
            if allowed {
                let expires = expires.or(source.and_then(|source| expected.made[source].expires));
                expected.made.push(Made { id: answer.text("id"), from, to, scopes, source, expires, accepted: false, ended: false });
            }
        }
        Op::Accept(which) | Op::Decline(which) => {
            let Some(which) = pick(which) else { return };
            let yes = matches!(op, Op::Accept(_));
            let cut = expected.is_cut(which);
            let made = &mut expected.made[which];
            let path = format!("/api/v1/delegations/{}/{}", made.id, if yes { "accept" } else { "decline" });
            let answer = who[made.to].ask(world, "POST", &path, &json!({}));
            let over = made.ended || made.expires.is_some_and(|expires| expected.now >= expires);
            let paused = expected.paused[made.to];
            if !paused && yes {
                assert_eq!(answer.status() == 200, !over && !cut, "{}", answer.json());
                made.accepted |= !over && !cut;
                // Nobody can make anything of it any more.
                made.ended |= cut;
            } else if !paused && !made.accepted && !over {
                // What a link above has ended may have been ended itself meanwhile.
                assert!(answer.status() == 200 || cut, "{}", answer.json());
                made.ended = true;
            }
        }
        Op::Revoke(which, by_delegator) => {
            let Some(which) = pick(which) else { return };
            let made = &mut expected.made[which];
            let by = if by_delegator { made.from } else { made.to };
            let answer = who[by].revoke(world, &made.id);
            assert_eq!(answer.status() == 200, !expected.paused[by], "{}", answer.json());
            made.ended |= !expected.paused[by];
        }
        Op::Pause(agent, paused) => {
            who[agent].pause(world, paused);
            expected.paused[agent] = paused;
        }
        Op::Use(which) => {
            let Some(which) = pick(which) else { return };
            let made = &expected.made[which];
            let answer = who[made.to].grant(world, &[("delegation_id", &made.id)]);
            let works = expected.works(which);
            assert_eq!(answer.status() == 200, works.is_some(), "{}", answer.json());
            if let Some(worth) = works {
                assert_eq!(answer.text("scope"), names(worth).join(" "));
                let token = answer.text("access_token");
                assert_eq!(payload(&token)["sub"], who[expected.chain(which)[0]].id.as_str());
                let until = expected.now + answer.json()["expires_in"].as_u64().unwrap();
                expected.tokens.push((token, which, until));
            }
        }
        Op::Later(seconds) => {
            world.later(seconds);
            expected.now += seconds;
        }
        Op::Forget => world.forget(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn delegation_only_ever_adds_and_never_more_than_every_link_of_it(ops in proptest::collection::vec(op(), 1..60)) {
        let mut world = world();
        let who: Vec<Agent> = (0..AGENTS).map(|_| Agent::root(&world)).collect();
        let mut expected = Expected::default();
        for op in &ops {
            apply(op, &mut world, &who, &mut expected);
            // What was done is known everywhere after a second.
            world.later(1);
            expected.now += 1;
            for (token, which, until) in &expected.tokens {
                let works = expected.works(*which).is_some() && expected.now < *until;
                let told = world.call(token);
                // The right to look at oneself may not be among those that were handed on.
                prop_assert!(if works { told != 401 } else { told == 401 }, "{:?} {:?}: {}", op, which, told);
            }
            for (at, agent) in who.iter().enumerate() {
                let scopes = agent.me(&world)["scopes"].clone();
                prop_assert_eq!(scopes, if expected.paused[at] { Value::Null } else { json!(SCOPES) });
            }
        }
    }
}
