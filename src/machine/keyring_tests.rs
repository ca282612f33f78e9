//! Keys of a ring, over time.

use proptest::prelude::*;

use super::*;
use crate::machine::{Change, Record, advance};

fn candidate(number: u8) -> Candidate {
    let mut point = vec![4];
    point.resize(65, number);
    Candidate { jwk: PublicJwk::from_point(&point).unwrap(), wrapped: number.to_string() }
}

struct At(Option<Record<KeyRing>>);

impl At {
    fn run(&mut self, command: Command, now: Timestamp) -> Outcome {
        let (change, outcome) = advance(self.0.clone(), command, now);
        if let Change::Write(record) = change {
            self.0 = Some(record);
        }
        outcome
    }

    fn set(&self) -> &KeySet {
        &self.0.as_ref().unwrap().state.set
    }
}

const MONTH: Ttl = Ttl::from_seconds(30 * 86400);
const START: Timestamp = Timestamp::from_millis(1_000_000_000_000);

fn founded() -> At {
    let mut ring = At(None);
    ring.run(Command::Found { candidate: candidate(1), rotation: MONTH }, START);
    ring
}

#[test]
fn the_first_key_is_found_once() {
    let mut ring = founded();
    ring.run(Command::Found { candidate: candidate(2), rotation: MONTH }, START);
    assert_eq!(ring.set().keys.len(), 1);
    assert!(matches!(At(None).run(Command::Look, START), Outcome::Empty));
}

#[test]
fn the_next_key_is_published_ten_minutes_before_it_signs_and_the_last_outlives_its_tokens() {
    let mut ring = founded();
    ring.run(Command::Rotate { candidate: candidate(2) }, START);
    ring.run(Command::Rotate { candidate: candidate(3) }, START);
    let (one, two) = (candidate(1).jwk.kid, candidate(2).jwk.kid);
    assert_eq!(ring.set().keys.len(), 2, "one key waits at a time");
    let signer = |ring: &At, now| ring.set().signer(now).unwrap().jwk.kid.clone();
    assert_eq!(signer(&ring, START.plus(Ttl::from_seconds(599))), one);
    assert_eq!(signer(&ring, START.plus(LEAD)), two);
    let end = START.plus(LEAD).plus(OVERLAP);
    assert!(ring.set().verifier(&one, end.minus(Ttl::from_millis(1))).is_some());
    assert!(ring.set().verifier(&one, end).is_none());
    ring.run(Command::Retire, end);
    assert_eq!(ring.set().keys.len(), 1);
}

#[test]
fn the_rings_own_clock_rotates() {
    let ring = founded();
    let state = &ring.0.as_ref().unwrap().state;
    assert!(matches!(state.due(START).as_slice(), [Effect::Publish { .. }]));
    let due = START.plus(MONTH).minus(LEAD);
    assert!(matches!(state.due(due).as_slice(), [Effect::GenerateKey(Ring::Es256, _)]));
}

#[test]
fn a_ring_that_is_begun_makes_its_first_key_itself_and_once() {
    let rsa = |number| Candidate { jwk: PublicJwk::from_rsa(vec![number; 256], vec![1, 0, 1]), wrapped: number.to_string() };
    let mut ring = At(None);
    let begin = || Command::Begin { ring: Ring::Rs256, rotation: MONTH };
    for _ in 0..2 {
        assert!(matches!(ring.run(begin(), START), Outcome::Empty));
        assert!(matches!(ring.run(Command::Look, START), Outcome::Empty));
        assert!(matches!(ring.run(Command::Rotate { candidate: rsa(9) }, START), Outcome::Empty));
    }
    let record = ring.0.clone().unwrap();
    assert_eq!(record.alarm(), Some(Timestamp::from_millis(0)));
    let effects = record.state.due(START);
    let [Effect::GenerateKey(Ring::Rs256, Settle(then))] = effects.as_slice() else { panic!("{effects:?}") };
    ring.run(then(rsa(1)), START);
    ring.run(then(rsa(2)), START);
    assert!(matches!(ring.run(begin(), START), Outcome::Keys(set) if set.keys.len() == 1 && set.keys[0].wrapped == "1"));
    let effects = ring.0.as_ref().unwrap().state.due(START);
    assert!(matches!(effects.as_slice(), [Effect::Publish { name: "keyring-rs256", .. }]), "{effects:?}");
    let later = ring.0.as_ref().unwrap().state.due(START.plus(MONTH).minus(LEAD));
    assert!(matches!(later.as_slice(), [Effect::GenerateKey(Ring::Rs256, _)]), "{later:?}");
}

#[test]
fn a_revoked_key_neither_signs_nor_verifies() {
    let mut ring = founded();
    let one = candidate(1).jwk.kid;
    assert!(matches!(ring.run(Command::Revoke { kid: "unknown".into(), replacement: candidate(9) }, START), Outcome::Unknown));
    ring.run(Command::Revoke { kid: one.clone(), replacement: candidate(2) }, START);
    assert!(ring.set().verifier(&one, START).is_none());
    assert_eq!(ring.set().signer(START).unwrap().jwk.kid, candidate(2).jwk.kid);
}

#[derive(Clone, Debug)]
enum Op {
    Later(u64),
    Rotate,
    Retire,
    Revoke(usize),
}

proptest! {
    /// Whatever happens, some key signs, and it verifies.
    #[test]
    fn there_is_always_a_key_to_sign_with(ops in proptest::collection::vec(prop_oneof![
        (0_u64..200_000).prop_map(Op::Later), Just(Op::Rotate), Just(Op::Retire), (0_usize..4).prop_map(Op::Revoke)], 0..40)) {
        let (mut ring, mut now, mut next) = (founded(), START, 2);
        for op in ops {
            match op {
                Op::Later(seconds) => now = now.plus(Ttl::from_seconds(seconds)),
                Op::Rotate => { ring.run(Command::Rotate { candidate: candidate(next) }, now); }
                Op::Retire => { ring.run(Command::Retire, now); }
                Op::Revoke(index) => {
                    let kid = ring.set().keys.get(index).map(|key| key.jwk.kid.clone()).unwrap_or_default();
                    ring.run(Command::Revoke { kid: kid.clone(), replacement: candidate(next) }, now);
                    prop_assert!(ring.set().keys.iter().all(|key| key.jwk.kid != kid));
                }
            }
            next += 1;
            let signer = ring.set().signer(now).cloned();
            prop_assert!(signer.is_some());
            prop_assert!(ring.set().verifier(&signer.unwrap().jwk.kid, now).is_some());
        }
    }
}
