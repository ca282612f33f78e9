//! Families of a grant, over time.

mod codes;

use proptest::prelude::*;

use super::*;
use crate::jose::claims::CredentialStamp;
use crate::machine::standing::RevokedToken;
use crate::machine::{Change, Record, advance};
use crate::master::{Master, Masters};
use crate::refresh::{self, Token};

const START: Timestamp = Timestamp::from_millis(1_000_000_000);

fn masters() -> Masters {
    Masters { current: Master::derive(b"current"), previous: None }
}

fn digest(text: &str) -> Digest {
    Master::derive(b"current").digest("test", text)
}

fn ada() -> AccountId {
    AccountId::from_bytes([1; 16])
}

fn name() -> GrantId {
    GrantId::of(Some(&ada()), "client")
}

fn terms() -> Terms {
    Terms {
        resource: "https://auth.example.com/mcp".into(),
        scope: "api.read api.write".parse::<Scope>().unwrap().entitle(),
        redirect_uri: Some("https://client.example/back".into()),
        challenge: Some("challenge".into()),
        nonce: Some("n".into()),
        auth_time: START,
        method: "mail".into(),
        session: None,
        jkt: None,
    }
}

fn by(client: &str) -> By {
    By { client: client.into(), resource: None, jkt: None, proven: Proven::Name }
}

struct World {
    record: Option<Record<Grant>>,
    now: Timestamp,
    written: usize,
}

impl World {
    fn new() -> Self {
        let mut world = Self { record: None, now: START, written: 0 };
        world.approve("code");
        world
    }

    fn run(&mut self, command: Command) -> Outcome {
        let (change, outcome) = advance::<Grant>(self.record.clone(), command, self.now);
        match change {
            Change::None => {}
            Change::Write(record) => {
                self.written += 1;
                self.record = Some(record);
            }
            Change::Erase => self.record = None,
        }
        outcome
    }

    fn approve(&mut self, code: &str) {
        let approve = Command::Approve {
            name: name(),
            account: ada(),
            client: "client".into(),
            client_name: None,
            code: digest(code),
            terms: terms(),
            life: CODE_LIFE,
        };
        assert!(matches!(self.run(approve), Outcome::Approved(..)));
    }

    fn later(&mut self, seconds: u64) {
        self.now = self.now.plus(Ttl::from_seconds(seconds));
    }

    fn redeem(&mut self, code: &str, id: u32) -> Outcome {
        self.redeem_by(code, id, by("client"), Some("challenge"), Some("https://client.example/back"))
    }

    fn redeem_by(&mut self, code: &str, id: u32, by: By, challenge: Option<&str>, redirect_uri: Option<&str>) -> Outcome {
        self.run(Command::Redeem {
            keyless: false,
            code: vec![digest(code)],
            by,
            challenge: challenge.map(str::to_owned),
            redirect_uri: redirect_uri.map(str::to_owned),
            id,
            refresh: Some(first(id).digest()),
            bind: true,
            block: None,
            life: Ttl::from_seconds(3600),
        })
    }

    fn refresh(&mut self, token: &Token) -> Result<Token, GrantRefusal> {
        self.refresh_by(token, by("client"), None)
    }

    fn refresh_by(&mut self, token: &Token, by: By, scope: Option<&str>) -> Result<Token, GrantRefusal> {
        let presented = refresh::Presented::parse(token.text(), &masters()).unwrap();
        let scope = scope.map(|scope| scope.parse().unwrap());
        match self.run(Command::Refresh { token: presented.command(), by, scope, block: None }) {
            Outcome::Issue { successor, .. } => Ok(presented.successors.into_iter().nth(successor).unwrap()),
            Outcome::Refused(refusal) => Err(refusal),
            other => panic!("{other:?}"),
        }
    }

    /// `generation` counts from the first one.
    fn counts(&self, stamp: CredentialStamp, generation: u32) -> bool {
        let generation = generation + u32::try_from(START.seconds()).unwrap();
        let standing = &self.record.as_ref().unwrap().state.standing;
        standing.counts(generation, self.now) && standing.stamp_counts(stamp, self.now)
    }
}

fn first(id: u32) -> Token {
    Token::of_grant(&name(), id, [7; 16], &masters().current)
}

fn issued(outcome: Outcome) -> CredentialStamp {
    match outcome {
        Outcome::Issue { stamp: Some(stamp), .. } => stamp,
        other => panic!("{other:?}"),
    }
}

fn refusal(outcome: Outcome) -> GrantRefusal {
    match outcome {
        Outcome::Refused(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_refresh_asks_for_no_more_and_by_nobody_else() {
    let mut world = World::new();
    issued(world.redeem("code", 1));
    let token = first(1);
    let before = world.written;
    let other = By { resource: Some("https://other".into()), ..by("client") };
    assert_eq!(world.refresh_by(&token, by("stranger"), None).err(), Some(GrantRefusal::Client));
    assert_eq!(world.refresh_by(&token, other, None).err(), Some(GrantRefusal::Resource));
    assert_eq!(world.refresh_by(&token, by("client"), Some("api.read admin")).err(), Some(GrantRefusal::Scope));
    assert_eq!(world.written, before);
    let next = world.refresh_by(&token, by("client"), Some("api.read")).ok().unwrap();
    assert!(world.refresh_by(&next, by("client"), Some("api.write")).is_ok(), "a narrower refresh narrows nothing for good");
}

#[test]
fn whatever_ends_the_grant_between_two_refreshes_ends_the_family() {
    for end in [
        Command::EndBy(ada()),
        Command::EndByOperator,
        Command::Suspend { person: ada(), suspended: true },
        Command::RevokeRefresh { token: refresh::Presented::parse(first(1).text(), &masters()).unwrap().command(), client: None },
    ] {
        let mut world = World::new();
        let stamp = issued(world.redeem("code", 1));
        let next = world.refresh(&first(1)).ok().unwrap();
        assert!(matches!(world.run(end), Outcome::Standing(_)));
        assert!(world.refresh(&next).is_err() && world.refresh(&first(1)).is_err());
        assert!(!world.counts(stamp, 0));
    }
    let mut world = World::new();
    issued(world.redeem("code", 1));
    assert!(matches!(world.run(Command::EndBy(AccountId::from_bytes([2; 16]))), Outcome::Unknown));
    let foreign = refresh::Presented::parse(first(1).text(), &masters()).unwrap().command();
    world.run(Command::RevokeRefresh { token: foreign, client: Some("stranger".into()) });
    assert!(world.refresh(&first(1)).is_ok(), "nobody else ends it");
}

#[test]
fn a_spent_token_after_its_successor_was_used_ends_one_family() {
    let mut world = World::new();
    issued(world.redeem("code", 1));
    world.approve("second");
    issued(world.redeem("second", 2));
    let next = world.refresh(&first(1)).ok().unwrap();
    assert_eq!(world.refresh(&first(1)).ok().unwrap().text(), next.text(), "the same successor");
    world.refresh(&next).ok().unwrap();
    world.later(61);
    assert_eq!(world.refresh(&first(1)).err(), Some(GrantRefusal::Replayed));
    assert!(world.refresh(&next).is_err(), "the family is dead");
    assert!(world.refresh(&first(2)).is_ok(), "the other is not");
}

#[test]
fn a_spent_token_ends_its_family_where_no_place_is_left_too() {
    let mut world = World::new();
    issued(world.redeem("code", 1));
    let next = world.refresh(&first(1)).ok().unwrap();
    let last = world.refresh(&next).ok().unwrap();
    world.later(61);
    let until = world.now.plus(Ttl::from_seconds(3600));
    let most = u32::try_from(places::MOST_BLOCKS).unwrap();
    let kept = &mut world.record.as_mut().unwrap().state;
    kept.blocks = (1..=most).map(|number| (Block { list: 1, start: 16 * number, len: 8 }, until)).collect();
    let mut asked = |token: &Token| {
        let token = refresh::Presented::parse(token.text(), &masters()).unwrap().command();
        let block = Some((Block { list: 2, start: 0, len: 8 }, Ttl::from_seconds(60)));
        refusal(world.run(Command::Refresh { token, by: by("client"), scope: None, block }))
    };
    assert_eq!(asked(&last), GrantRefusal::Full);
    assert_eq!(asked(&first(1)), GrantRefusal::Replayed);
    assert_eq!(asked(&last), GrantRefusal::Unknown, "the family is dead");
}

#[test]
fn who_has_shown_more_in_a_refresh_shows_as_much_from_then_on() {
    let mut world = World::new();
    issued(world.redeem("code", 1));
    let signed = || By { proven: Proven::Signature, ..by("client") };
    let next = world.refresh_by(&first(1), signed(), None).ok().unwrap();
    assert_eq!(world.refresh(&next).err(), Some(GrantRefusal::Proof));
    let last = world.refresh_by(&next, signed(), None).ok().unwrap();
    assert!(world.refresh_by(&last, signed(), None).is_ok());
}

#[test]
fn after_it_was_taken_back_a_new_consent_begins_anew() {
    let mut world = World::new();
    let stamp = issued(world.redeem("code", 1));
    world.approve("open");
    world.run(Command::EndBy(ada()));
    assert!(matches!(world.run(Command::Consents), Outcome::Consents(consents) if consents.is_empty()));
    assert_eq!(refusal(world.redeem("open", 2)), GrantRefusal::Unknown, "a code of before is gone");
    world.approve("new");
    let fresh = issued(world.redeem("new", 1));
    assert!(!world.counts(stamp, 0), "what was issued before stays dead");
    assert!(world.counts(fresh, 1));
}

#[test]
fn the_families_of_many_sessions_are_bounded_and_the_idle_one_goes() {
    let mut world = World::new();
    issued(world.redeem("code", 1));
    for id in 2..=40 {
        world.later(1);
        world.approve(&format!("code {id}"));
        issued(world.redeem(&format!("code {id}"), id));
        assert!(world.refresh(&first(1)).is_ok(), "the first one is in use all the time");
    }
    assert!(world.refresh(&first(2)).is_err() && world.refresh(&first(40)).is_ok());
    let size = serde_json::to_string(&world.record.unwrap()).unwrap().len();
    assert!(size < 64 * 1024, "{size}");
}

#[test]
fn places_of_tokens_that_end_one_by_one_are_marked_once_and_are_bounded() {
    let mut world = World::new();
    issued(world.redeem("code", 1));
    let until = START.plus(Ttl::from_seconds(3600));
    let state = |world: &mut World| world.record.as_mut().unwrap().state.clone();
    let revoke = |world: &mut World, jti: &str, start| {
        let token = RevokedToken { jti: jti.to_owned(), until };
        world.run(Command::RevokeToken { token, place: Some(Block { list: 2, start, len: 1 }) });
        assert!(state(world).standing.has_revoked(jti, world.now.seconds()), "{jti}");
    };
    // As if no list had answered for long.
    let most = u32::try_from(places::MOST_BLOCKS).unwrap();
    let kept = &mut world.record.as_mut().unwrap().state;
    kept.marks = (1..most).map(|number| Block { list: 1, start: 2 * number, len: 1 }).collect();
    kept.blocks.push((Block { list: 2, start: 0, len: 8 }, until));
    revoke(&mut world, "last", 0);
    revoke(&mut world, "same place", 0);
    assert_eq!((state(&mut world).marks.len(), state(&mut world).blocks.len()), (places::MOST_BLOCKS, 1), "a place is marked once");
    for start in 1..8 {
        revoke(&mut world, &start.to_string(), start);
    }
    assert_eq!((state(&mut world).marks.len(), state(&mut world).blocks.len()), (places::MOST_BLOCKS + 1, 0), "the whole block instead");
}

#[test]
fn account_and_client_are_told() {
    let mut world = World::new();
    let due = |world: &World| world.record.as_ref().unwrap().state.due(world.now);
    let told = |effects: &[Effect<Command>]| effects.iter().filter(|effect| matches!(effect, Effect::Tell { kind: "account", .. })).count();
    assert_eq!(told(&due(&world)), 1);
    world.run(Command::Told(u64::MAX - 1));
    assert_eq!(told(&due(&world)), 0);
    world.run(Command::EndByOperator);
    let sequence = world.record.as_ref().unwrap().state.sequence;
    assert!(sequence > 0 && world.record.as_ref().unwrap().state.connection().ended.is_some());
}

proptest! {
    /// Whatever happens in whatever order: a code brings tokens once, and nothing works after it was ended.
    #[test]
    fn histories(steps in proptest::collection::vec((0_u8..6, 0_u32..5, 0_u64..200), 1..60)) {
        let mut world = World::new();
        let mut redeemed = std::collections::BTreeSet::new();
        let mut live: Vec<(u32, CredentialStamp, u32)> = Vec::new();
        let mut ids = 100;
        for (step, pick, seconds) in steps {
            world.later(seconds);
            let generation = world.record.as_ref().unwrap().state.standing.generation - u32::try_from(START.seconds()).unwrap();
            match step {
                0 => world.approve(&format!("c{pick}")),
                1 | 2 => {
                    ids += 1;
                    if let Outcome::Issue { stamp: Some(stamp), .. } = world.redeem(&format!("c{pick}"), ids) {
                        redeemed.insert(ids);
                        live.push((ids, stamp, generation));
                    }
                }
                3 => {
                    world.run(Command::EndBy(ada()));
                    for (_, stamp, generation) in &live {
                        prop_assert!(!world.counts(*stamp, *generation));
                    }
                    for id in &redeemed {
                        prop_assert!(world.refresh(&first(*id)).is_err());
                    }
                    live.clear();
                }
                _ => {
                    if let Some((id, ..)) = live.get(pick as usize) {
                        let id = *id;
                        if world.refresh(&first(id)).is_err() {
                            live.retain(|(known, ..)| *known != id);
                        }
                    }
                }
            }
        }
    }
}
