//! The ceremony against its invariants, and everything about it that takes time.

use proptest::prelude::*;

use super::claim::{Answer, NewAttempt, NewClaim, Path, Paths, VouchedFor, WINDOW};
use super::*;
use crate::id::AccountId;
use crate::machine::{Change, Record, advance};
use crate::master::Master;
use crate::secret::Digest;

const START: Timestamp = Timestamp::from_millis(1_000_000_000);
const DAY: Ttl = Ttl::from_seconds(86400);

fn digest(text: &str) -> Digest {
    Master::derive(b"x").digest("test", text)
}

fn person(name: u8) -> AccountId {
    AccountId::from_bytes([name; 16])
}

fn email(name: u8) -> String {
    format!("person-{name}@example.com")
}

fn id() -> RegistrationId {
    RegistrationId::from_bytes([9; 16])
}

/// One registration and its clock.
struct World {
    record: Option<Record<Registration>>,
    now: Timestamp,
}

impl World {
    fn new(hint: Option<u8>) -> Self {
        let claim = NewClaim { registration: id(), token: digest("claim"), hint: hint.map(email), credential: None, attempt: None };
        let kind = if hint.is_some() { Kind::ServiceAuth } else { Kind::Anonymous };
        let mut world = Self { record: None, now: START };
        world.run(Command::Open { ttl: DAY, key: None, said: Said::default(), idempotency: None, kind, claim: Some(claim) });
        world
    }

    fn run(&mut self, command: Command) -> Outcome {
        // As on the real runtime, commands cross as text.
        let command = serde_json::from_str(&serde_json::to_string(&command).unwrap()).unwrap();
        let (change, outcome) = advance::<Registration>(self.record.clone(), command, self.now);
        match change {
            Change::None => {}
            Change::Write(record) => self.record = Some(record),
            Change::Erase => self.record = None,
        }
        outcome
    }

    fn later(&mut self, seconds: u64) {
        self.now = self.now.plus(Ttl::from_seconds(seconds));
    }

    fn begin(&mut self, number: usize, paths: Paths, hint: Option<u8>, vouched: Option<u8>) -> Outcome {
        let vouched =
            vouched.map(|name| VouchedFor { link: "link".into(), generation: 0, issuer: "https://p".into(), person: person(name) });
        let attempt = NewAttempt {
            id: AttemptId::from_bytes([u8::try_from(number % 250).unwrap(); 16]),
            view: digest(&format!("view {number}")),
            typed: (paths != Paths::Relay).then(|| digest(&format!("typed {number}"))),
            paths,
            hint: hint.map(email),
            vouched,
            mailed: false,
        };
        self.run(Command::Begin { token: vec![digest("claim")], attempt })
    }

    fn answer(&mut self, number: usize, who: u8, answer: Answer) -> Outcome {
        let view = vec![digest(&format!("view {number}"))];
        self.run(Command::Answer { view, person: person(who), email: Some(email(who)), answer })
    }

    fn typed(&mut self, number: usize, who: u8, code: usize) -> Outcome {
        self.answer(number, who, Answer::Typed(vec![digest(&format!("typed {code}"))]))
    }

    fn complete(&mut self, code: &str) -> Outcome {
        self.run(Command::Complete { token: vec![digest("claim")], codes: vec![digest(code)] })
    }

    fn poll(&mut self) -> Outcome {
        self.run(Command::Poll { token: vec![digest("claim")] })
    }

    fn deliver(&mut self, path: Path, sealed: &str) -> Outcome {
        let (generation, assertion) = (self.generation(), format!("jti of {sealed}"));
        let token = vec![digest("claim")];
        self.run(Command::Deliver { token, path, generation, sealed: sealed.into(), assertion, refresh: None, key: None })
    }

    fn generation(&self) -> u32 {
        self.record.as_ref().map_or(0, |record| record.state.standing.generation)
    }

    fn works(&mut self, generation: u32) -> bool {
        let proof = Proof::Assertion { generation, jti: None };
        matches!(self.run(Command::Issue { proof, block: None }), Outcome::Issue(..))
    }
}

fn refused(outcome: &Outcome) -> Option<ClaimRefusal> {
    match outcome {
        Outcome::Claim(refusal) => Some(*refusal),
        _ => None,
    }
}

#[test]
fn a_poll_that_comes_too_soon_slows_the_agent_down_for_good() {
    let mut world = World::new(None);
    world.begin(0, Paths::Typed, Some(1), None);
    assert!(matches!(world.poll(), Outcome::Pending));
    world.later(1);
    assert!(matches!(world.poll(), Outcome::SlowDown));
    world.later(9);
    assert!(matches!(world.poll(), Outcome::SlowDown), "ten seconds are asked for now");
    world.later(15);
    assert!(matches!(world.poll(), Outcome::Pending));
}

#[test]
fn the_window_of_an_attempt_is_ten_minutes_to_the_millisecond() {
    let mut world = World::new(None);
    world.begin(0, Paths::Both, Some(1), None);
    let open = world.record.clone();
    world.now = START.plus(WINDOW).minus(Ttl::from_millis(1));
    assert!(matches!(world.typed(0, 1, 0), Outcome::Approved(_)));
    world.record = open;
    world.now = START.plus(WINDOW);
    assert_eq!(refused(&world.typed(0, 1, 0)), Some(ClaimRefusal::Expired));
    assert_eq!(refused(&world.poll()), Some(ClaimRefusal::Expired));
    assert_eq!(refused(&world.complete("x")), Some(ClaimRefusal::CodeOver));
    assert!(matches!(world.begin(1, Paths::Both, Some(1), None), Outcome::Begun { fresh: true, .. }), "the same registration goes on");
    assert!(matches!(world.poll(), Outcome::Pending));
}

#[test]
fn a_code_that_was_shown_late_still_has_its_ten_minutes() {
    let mut world = World::new(None);
    world.begin(0, Paths::Relay, Some(1), None);
    world.later(590);
    let Outcome::Revealed(expires) = world.answer(0, 1, Answer::Reveal(digest("relay"))) else { panic!("shown") };
    assert_eq!(expires, world.now.plus(WINDOW));
    let open = world.record.clone();
    world.now = expires.minus(Ttl::from_millis(1));
    assert!(matches!(world.complete("relay"), Outcome::Ready { .. }));
    world.record = open;
    world.now = expires;
    assert_eq!(refused(&world.complete("relay")), Some(ClaimRefusal::CodeOver));
}

#[test]
fn a_second_code_kills_the_first() {
    let mut world = World::new(None);
    world.begin(0, Paths::Relay, Some(1), None);
    world.answer(0, 1, Answer::Reveal(digest("first")));
    world.answer(0, 1, Answer::Reveal(digest("second")));
    assert_eq!(refused(&world.complete("first")), Some(ClaimRefusal::WrongCode));
    assert!(matches!(world.complete("second"), Outcome::Ready { .. }));
}

#[test]
fn five_wrong_codes_end_an_attempt_and_ten_the_claim() {
    let mut world = World::new(None);
    for attempt in 0..2 {
        world.begin(attempt, Paths::Typed, Some(1), None);
        for _ in 0..4 {
            assert_eq!(refused(&world.typed(attempt, 1, 99)), Some(ClaimRefusal::WrongCode));
        }
        assert_eq!(refused(&world.typed(attempt, 1, 99)), Some(ClaimRefusal::CodeOver));
        assert_eq!(refused(&world.typed(attempt, 1, attempt)), Some(ClaimRefusal::CodeOver), "the right one comes too late");
    }
    assert!(matches!(refused(&world.begin(2, Paths::Typed, Some(1), None)), Some(ClaimRefusal::TooMany(_))));
}

#[test]
fn ten_attempts_an_hour_are_enough() {
    let mut world = World::new(None);
    for attempt in 0..10 {
        assert!(matches!(world.begin(attempt, Paths::Typed, Some(1), None), Outcome::Begun { .. }));
        world.later(1);
    }
    let Some(ClaimRefusal::TooMany(wait)) = refused(&world.begin(10, Paths::Typed, Some(1), None)) else { panic!("one too many") };
    world.later(wait.seconds());
    assert!(matches!(world.begin(10, Paths::Typed, Some(1), None), Outcome::Begun { .. }));
}

#[test]
fn what_was_delivered_is_repeated_for_two_minutes_or_until_it_is_used() {
    for used in [false, true] {
        let mut world = World::new(None);
        world.begin(0, Paths::Typed, Some(1), None);
        world.typed(0, 1, 0);
        assert!(matches!(world.poll(), Outcome::Ready { .. }));
        assert!(matches!(world.deliver(Path::Typed, "a"), Outcome::Delivered(sealed) if sealed == "a"));
        assert!(matches!(world.deliver(Path::Typed, "b"), Outcome::Delivered(sealed) if sealed == "a"), "the first one counts");
        assert_eq!(refused(&world.deliver(Path::Relay, "c")), Some(ClaimRefusal::Delivered), "and on one way only");
        world.later(119);
        assert!(matches!(world.poll(), Outcome::Delivered(_)));
        if used {
            let proof = Proof::Assertion { generation: world.generation(), jti: Some("jti of a".into()) };
            world.run(Command::Issue { proof, block: None });
        } else {
            world.later(1);
        }
        assert_eq!(refused(&world.poll()), Some(ClaimRefusal::Delivered));
    }
}

#[test]
fn claimed_comes_before_revoked_and_revoked_before_expired() {
    let mut world = World::new(None);
    world.begin(0, Paths::Typed, Some(1), None);
    world.typed(0, 1, 0);
    world.later(2 * 86400);
    assert_eq!(refused(&world.begin(1, Paths::Typed, Some(1), None)), Some(ClaimRefusal::Claimed));
    world.run(Command::EndBy(person(1)));
    assert_eq!(refused(&world.begin(1, Paths::Typed, Some(1), None)), Some(ClaimRefusal::Claimed));
    let mut world = World::new(None);
    world.begin(0, Paths::Typed, Some(1), None);
    world.run(Command::EndByOperator);
    assert_eq!(refused(&world.begin(1, Paths::Typed, Some(1), None)), Some(ClaimRefusal::Revoked));
    let mut world = World::new(None);
    world.later(86400);
    assert_eq!(refused(&world.begin(0, Paths::Typed, Some(1), None)), Some(ClaimRefusal::Expired));
    assert_eq!(refused(&world.poll()), Some(ClaimRefusal::Expired));
}

#[test]
fn an_older_key_keeps_what_it_had_for_ten_minutes() {
    let mut world = World::new(None);
    world.record.as_mut().unwrap().state.standing.credentials.push(Credential::new(0, digest("key"), None, START));
    world.begin(0, Paths::Typed, Some(1), None);
    world.typed(0, 1, 0);
    let standing = |world: &World| world.record.as_ref().unwrap().state.standing.clone();
    let stamp = |world: &World| standing(world).api_key(|known| known.same(&digest("key")), world.now);
    let key = stamp(&world);
    assert!(key.is_some() && standing(&world).claimed && standing(&world).is_limited(key) && !standing(&world).is_limited(None));
    world.later(599);
    assert!(stamp(&world).is_some());
    world.later(1);
    assert!(stamp(&world).is_none());
}

#[derive(Clone, Debug)]
enum Op {
    Begin(Paths, u8, Option<u8>),
    Typed { attempt: usize, who: u8, code: usize },
    Reveal { attempt: usize, who: u8 },
    Deny { attempt: usize, who: u8 },
    Complete { code: usize },
    Poll,
    Deliver(Path),
    EndBy(u8),
    EndLink,
    Later(u64),
}

fn op() -> impl Strategy<Value = Op> {
    let paths = prop_oneof![Just(Paths::Both), Just(Paths::Typed), Just(Paths::Relay)];
    let path = prop_oneof![Just(Path::Typed), Just(Path::Relay)];
    prop_oneof![
        4 => (paths, 1_u8..3, proptest::option::weighted(0.3, 1_u8..3)).prop_map(|(paths, hint, vouched)| Op::Begin(paths, hint, vouched)),
        6 => (0_usize..4, 1_u8..3, 0_usize..4).prop_map(|(attempt, who, code)| Op::Typed { attempt, who, code }),
        4 => (0_usize..4, 1_u8..3).prop_map(|(attempt, who)| Op::Reveal { attempt, who }),
        1 => (0_usize..4, 1_u8..3).prop_map(|(attempt, who)| Op::Deny { attempt, who }),
        5 => (0_usize..4).prop_map(|code| Op::Complete { code }),
        3 => Just(Op::Poll),
        3 => path.prop_map(Op::Deliver),
        1 => (1_u8..3).prop_map(Op::EndBy),
        1 => Just(Op::EndLink),
        3 => (1_u64..400).prop_map(Op::Later),
    ]
}

proptest! {
    /// Whatever happens in whatever order: only the person whom the newest attempt is for becomes the owner, by its own code, once;
    /// nothing of an earlier generation works; what is delivered is one thing; a provider's word counts only if it was in that attempt.
    #[test]
    fn nobody_takes_what_is_not_theirs(ops in proptest::collection::vec(op(), 1..60)) {
        let mut world = World::new(None);
        // The newest attempt: its number, whom it is for, whether a provider vouched, and who has been shown which code.
        let mut newest: Option<(usize, u8, bool)> = None;
        let (mut shown, mut denied, mut begun): (Option<(u8, usize)>, bool, usize) = (None, false, 0);
        let (mut claims, mut delivered): (u32, Vec<String>) = (0, Vec::new());
        for op in ops {
            let before = world.generation();
            match op {
                Op::Begin(paths, hint, vouched) => {
                    if matches!(world.begin(begun, paths, Some(hint), vouched), Outcome::Begun { .. }) {
                        newest = Some((begun, vouched.unwrap_or(hint), vouched.is_some()));
                        (shown, denied) = (None, false);
                        begun += 1;
                    }
                }
                Op::Typed { attempt, who, code } => {
                    let attempt = begun.saturating_sub(1 + attempt);
                    let code = begun.saturating_sub(1 + code);
                    if let Outcome::Approved(_) = world.typed(attempt, who, code) {
                        let (number, whose, _) = newest.unwrap();
                        prop_assert!(number == attempt && number == code && whose == who && !denied && shown.is_none());
                        claims += 1;
                    }
                }
                Op::Reveal { attempt, who } => {
                    let attempt = begun.saturating_sub(1 + attempt);
                    if let Outcome::Revealed(_) = world.answer(attempt, who, Answer::Reveal(digest(&format!("relay {attempt}")))) {
                        let (number, whose, _) = newest.unwrap();
                        prop_assert!(number == attempt && whose == who && !denied);
                        shown = Some((who, attempt));
                    }
                }
                Op::Deny { attempt, who } => {
                    let attempt = begun.saturating_sub(1 + attempt);
                    if let Outcome::Denied = world.answer(attempt, who, Answer::Deny) {
                        prop_assert_eq!(newest.unwrap().1, who);
                        denied = true;
                    }
                }
                Op::Complete { code } => {
                    let code = begun.saturating_sub(1 + code);
                    let was = claims;
                    let claimed = world.record.as_ref().is_some_and(|record| record.state.standing.claimed);
                    if let Outcome::Ready { owner, .. } = world.complete(&format!("relay {code}")) {
                        let (who, number) = shown.unwrap();
                        prop_assert!(number == code && owner == person(who) && !denied);
                        claims = was + u32::from(!claimed);
                    }
                }
                Op::Poll => { world.poll(); }
                Op::Deliver(path) => {
                    let sealed = format!("answer {}", delivered.len());
                    if let Outcome::Delivered(sealed) = world.deliver(path, &sealed) { delivered.push(sealed) }
                }
                Op::EndBy(who) => { world.run(Command::EndBy(person(who))); }
                Op::EndLink => { world.run(Command::EndLink { link: "link".into(), generation: 1 }); }
                Op::Later(seconds) => world.later(seconds),
            }
            prop_assert!(claims <= 1, "claimed once");
            prop_assert!(delivered.windows(2).all(|pair| pair[0] == pair[1]), "delivered once");
            prop_assert!(delivered.is_empty() || claims == 1, "nothing is delivered unclaimed");
            let now = world.generation();
            if now > before {
                prop_assert!((0..now).all(|generation| !world.works(generation)), "nothing older works");
            }
            let Some(record) = &world.record else { continue };
            let state = &record.state;
            if state.standing.claimed && !state.standing.ended {
                let (_, whose, vouched) = newest.unwrap();
                prop_assert!(state.ownership.is_of(&person(whose)));
                prop_assert_eq!(state.ownership.stands_on("link"), vouched, "a provider's word counts where it was given");
            }
        }
    }
}
