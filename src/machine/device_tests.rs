use proptest::prelude::*;

use super::*;
use crate::machine::{Change, Record, advance};
use crate::master::Master;
use crate::oauth::scope::Scope;

const START: Timestamp = Timestamp::from_millis(1_000_000);

fn digest(text: &str) -> Digest {
    Master::derive(b"x").digest("test", text)
}

fn request() -> Request {
    Request {
        client: "client".into(),
        resource: "https://api.example.com".into(),
        scope: "api.read".parse::<Scope>().unwrap().entitle(),
        network: Some("203.0.113.0".into()),
        agent: None,
        at: START,
    }
}

fn person(number: u8) -> AccountId {
    AccountId::from_bytes([number; 16])
}

fn grant(number: u8) -> GrantId {
    GrantId::of(Some(&person(number)), "client")
}

struct World(Option<Record<Device>>, Timestamp);

impl World {
    fn open() -> Self {
        let mut world = Self(None, START);
        assert!(matches!(world.run(Command::Open { code: digest("code"), request: request() }), Outcome::Opened));
        world
    }

    fn run(&mut self, command: Command) -> Outcome {
        let (change, outcome) = advance::<Device>(self.0.clone(), command, self.1);
        match change {
            Change::Write(record) => self.0 = Some(record),
            Change::None => {}
            Change::Erase => self.0 = None,
        }
        outcome
    }

    fn later(&mut self, seconds: u64) -> &mut Self {
        self.1 = self.1.plus(Ttl::from_seconds(seconds));
        self
    }

    fn poll_as(&mut self, code: &str, client: &str, resource: Option<&str>) -> Result<GrantId, DeviceRefusal> {
        let resource = resource.map(str::to_owned);
        match self.run(Command::Poll { code: vec![digest(code)], client: client.to_owned(), resource }) {
            Outcome::Fetch(grant) => Ok(grant),
            Outcome::Refused(refusal) => Err(refusal),
            other => panic!("{other:?}"),
        }
    }

    fn poll(&mut self) -> Result<GrantId, DeviceRefusal> {
        self.poll_as("code", "client", None)
    }

    fn approve(&mut self, who: u8) -> bool {
        matches!(self.run(Command::Grant(person(who))), Outcome::Grant(..))
            && matches!(self.run(Command::Granted(person(who), grant(who))), Outcome::Done)
    }
}

#[test]
fn the_interval_grows_with_every_poll_that_comes_too_soon_and_stays() {
    let mut world = World::open();
    assert_eq!(world.poll(), Err(DeviceRefusal::Pending));
    assert_eq!(world.later(4).poll(), Err(DeviceRefusal::SlowDown));
    assert_eq!(world.later(9).poll(), Err(DeviceRefusal::SlowDown), "ten seconds now");
    assert_eq!(world.later(15).poll(), Err(DeviceRefusal::Pending), "fifteen");
    assert_eq!(world.later(14).poll(), Err(DeviceRefusal::SlowDown), "and it stays so");
    for _ in 0..100 {
        assert_eq!(world.poll(), Err(DeviceRefusal::SlowDown));
    }
    assert_eq!(world.later(60).poll(), Err(DeviceRefusal::Pending), "nobody waits for longer than a minute");
}

#[test]
fn a_poll_that_is_not_the_devices_own_changes_nothing() {
    let mut world = World::open();
    let before = serde_json::to_string(&world.0).unwrap();
    assert_eq!(world.poll_as("other", "client", None), Err(DeviceRefusal::Unknown));
    assert_eq!(world.poll_as("code", "other", None), Err(DeviceRefusal::Client));
    assert_eq!(world.poll_as("code", "client", Some("https://other.example.com")), Err(DeviceRefusal::Resource));
    assert_eq!(serde_json::to_string(&world.0).unwrap(), before);
    assert!(world.approve(1));
    for (code, client, resource) in [("other", "client", None), ("code", "other", None), ("code", "client", Some("https://other"))] {
        assert!(world.poll_as(code, client, resource).is_err());
    }
    assert_eq!(world.poll_as("code", "client", Some("https://api.example.com")), Ok(grant(1)), "nothing was used up");
}

#[test]
fn a_name_that_is_taken_stays_with_the_first() {
    let mut world = World::open();
    assert!(matches!(world.run(Command::Open { code: digest("second"), request: request() }), Outcome::Taken));
    assert_eq!(world.poll_as("second", "client", None), Err(DeviceRefusal::Unknown));
    world.later(600);
    assert!(matches!(world.run(Command::Open { code: digest("second"), request: request() }), Outcome::Opened), "its time is over");
}

#[test]
fn a_no_is_final_and_so_is_a_yes() {
    let mut world = World::open();
    assert!(matches!(world.run(Command::Deny(person(1))), Outcome::Done));
    assert_eq!(world.poll(), Err(DeviceRefusal::Denied));
    assert!(!world.approve(1) && !world.approve(2));
    let mut world = World::open();
    assert!(world.approve(1));
    assert!(matches!(world.run(Command::Deny(person(1))), Outcome::Refused(_)));
    assert!(matches!(world.run(Command::Look(person(1))), Outcome::Refused(_)));
    assert!(!world.approve(2));
    assert_eq!(world.poll(), Ok(grant(1)));
}

#[test]
fn a_yes_that_could_not_be_written_down_can_be_said_again_by_the_same_person() {
    let mut world = World::open();
    assert!(matches!(world.run(Command::Grant(person(1))), Outcome::Grant(..)));
    assert_eq!(world.poll(), Err(DeviceRefusal::Pending), "nothing is to be had before it is written down");
    assert!(matches!(world.run(Command::Look(person(2))), Outcome::Refused(_)));
    assert!(matches!(world.run(Command::Granted(person(2), grant(2))), Outcome::Refused(_)));
    assert!(!world.approve(2), "nobody else answers any more");
    assert!(world.approve(1));
    assert!(matches!(world.run(Command::Granted(person(1), grant(1))), Outcome::Done), "a lost answer is repeated");
    assert_eq!(world.later(5).poll(), Ok(grant(1)));
}

#[test]
fn of_copies_of_a_poll_one_fetches_and_after_a_crash_another_may() {
    let mut world = World::open();
    assert!(world.approve(1));
    assert_eq!(world.poll(), Ok(grant(1)));
    for _ in 0..100 {
        assert_eq!(world.poll(), Err(DeviceRefusal::SlowDown));
    }
    assert_eq!(world.later(29).poll(), Err(DeviceRefusal::SlowDown));
    assert_eq!(world.later(1).poll(), Ok(grant(1)), "nothing had come of the first");
    assert!(matches!(world.run(Command::Served), Outcome::Done));
    for _ in 0..2 {
        assert_eq!(world.poll(), Err(DeviceRefusal::Served));
        world.later(60);
    }
}

#[test]
fn its_time_is_over_after_ten_minutes_and_a_late_yes_leaves_one_more() {
    let mut world = World::open();
    assert_eq!(world.later(599).poll(), Err(DeviceRefusal::Pending));
    assert!(world.approve(1));
    assert_eq!(world.later(59).poll(), Ok(grant(1)));
    let record = world.0.clone().unwrap();
    assert_eq!(record.alarm(), Some(record.expires), "it wakes to go");
    assert_eq!(world.later(1).poll(), Err(DeviceRefusal::Expired));
    let mut world = World::open();
    assert_eq!(world.later(600).poll(), Err(DeviceRefusal::Expired));
    assert!(matches!(world.run(Command::Look(person(1))), Outcome::Refused(DeviceRefusal::Unknown)));
    assert!(!world.approve(1));
}

proptest! {
    /// Whatever happens in whatever order: tokens are fetched of the grant of the one person who said yes, never after a no, never again
    /// once they are there, and nobody gets through twice within half a minute.
    #[test]
    fn whatever_happens(steps in proptest::collection::vec((0_u8..7, 1_u8..4, 0_u64..40), 1..80)) {
        let mut world = World::open();
        let (mut yes, mut no, mut served, mut fetched) = (None, false, false, None::<Timestamp>);
        for (step, who, later) in steps {
            world.later(later);
            match step {
                0 => {
                    if world.approve(who) {
                        prop_assert!(!no && yes.is_none_or(|before| before == who));
                        yes = Some(who);
                    }
                }
                1 => {
                    if matches!(world.run(Command::Deny(person(who))), Outcome::Done) {
                        prop_assert!(yes.is_none());
                        no = true;
                    }
                }
                2 if fetched.is_some() => {
                    if matches!(world.run(Command::Served), Outcome::Done) {
                        served = true;
                    }
                }
                3 => drop(world.run(Command::Look(person(who)))),
                _ => match world.poll() {
                    Ok(found) => {
                        prop_assert!(!no && !served);
                        prop_assert_eq!(Some(found), yes.map(grant));
                        prop_assert!(fetched.is_none_or(|at| at.plus(FETCH) <= world.1));
                        fetched = Some(world.1);
                    }
                    Err(DeviceRefusal::Expired) => prop_assert!(START.plus(LIFE) <= world.1),
                    Err(DeviceRefusal::Denied) => prop_assert!(no),
                    Err(DeviceRefusal::Served) => prop_assert!(served),
                    Err(DeviceRefusal::Pending) => prop_assert!(yes.is_none() && !no),
                    Err(refusal) => prop_assert_eq!(refusal, DeviceRefusal::SlowDown),
                },
            }
        }
    }
}
