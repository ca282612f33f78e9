//! The record by itself.

use postern::constraint::Constraints;
use postern::id::{AccountId, DelegationId, RegistrationId};
use postern::machine::delegation::{By, Command, Delegation, Outcome, PATIENCE, Terms};
use postern::machine::{Change, Effect, Machine, Record, advance};
use postern::store::Cells;
use postern::tenant::DelegationStatus;
use postern::time::{Timestamp, Ttl};
use serde_json::json;

use crate::world::{START, World, block};

fn agent(name: u8) -> RegistrationId {
    RegistrationId::from_bytes([name; 16])
}

fn terms(name: u8, accounts: [u8; 2]) -> Terms {
    let [delegator_account, delegate_account] = accounts.map(|name| AccountId::from_bytes([name; 16]));
    Terms {
        id: DelegationId::from_bytes([name; 16]),
        delegators: vec![agent(1)],
        delegate: agent(2),
        delegator_account,
        delegate_account,
        upstream: Vec::new(),
        scopes: "api.read".parse().unwrap(),
        constraints: Constraints::try_from(json!({ "amount": { "max": 100 } })).unwrap(),
        max_chain_depth: 3,
        expires: None,
        root_generation: None,
    }
}

fn by(name: u8) -> By {
    By {
        agent: agent(name),
        account: None,
        person: None,
        on_behalf: None,
        network: Some("192.0.2.1".into()),
        request_id: Some("0123456789abcdef".into()),
    }
}

fn create(terms: Terms) -> Command {
    Command::Create { terms: Box::new(terms), by: by(1) }
}

/// Everything that can be said to it, for what is pinned of records and commands.
pub fn everything(world: &World) {
    let say = |name: u8, command: Command| {
        block(world.platform.run::<Delegation>(&DelegationId::from_bytes([name; 16]), command)).unwrap();
    };
    say(1, Command::Look);
    say(1, create(terms(1, [1, 2])));
    say(1, create(Terms { delegate: agent(3), ..terms(1, [1, 2]) }));
    say(1, Command::Lapse);
    say(1, Command::Accept(by(2)));
    say(1, Command::Told { delegators: true, sequence: 1 });
    say(2, create(terms(2, [1, 2])));
    say(2, Command::Decline(by(2)));
    say(3, create(terms(3, [1, 1])));
    say(3, Command::Revoke(by(1)));
    say(4, create(terms(4, [1, 1])));
    say(4, Command::Refused { delegators: true, sequence: 1 });
    say(4, Command::Cut(DelegationId::from_bytes([3; 16])));
}

struct One(Option<Record<Delegation>>, Timestamp);

impl One {
    fn say(&mut self, command: Command) -> Outcome {
        let (change, outcome) = advance::<Delegation>(self.0.clone(), command, self.1);
        if let Change::Write(written) = change {
            self.0 = Some(written);
        }
        outcome
    }

    fn status(&mut self) -> DelegationStatus {
        match self.say(Command::Look) {
            Outcome::Link(link) => link.status,
            other => panic!("{other:?}"),
        }
    }

    /// Settles what is to be told.
    fn told(&mut self) -> usize {
        let effects = self.0.as_ref().unwrap().state.due(self.1);
        let count = effects.len();
        for effect in effects {
            let (Effect::TellAccount { heard: then, .. } | Effect::Step(then)) = effect else { panic!("{effect:?}") };
            self.say(then);
        }
        count
    }
}

fn one(terms: Terms) -> One {
    let mut one = One(None, START);
    assert!(matches!(one.say(create(terms)), Outcome::Changed(..)));
    one
}

#[test]
fn within_an_account_it_counts_at_once_and_across_two_when_it_is_accepted() {
    assert_eq!(one(terms(1, [1, 1])).status(), DelegationStatus::Active);
    let mut offered = one(terms(1, [1, 2]));
    assert_eq!(offered.status(), DelegationStatus::Pending);
    offered.say(Command::Accept(by(2)));
    assert_eq!(offered.status(), DelegationStatus::Active);
    offered.say(Command::Decline(by(2)));
    assert_eq!(offered.status(), DelegationStatus::Active, "what was taken is given back, not declined");
}

#[test]
fn what_has_ended_never_comes_back() {
    for end in [Command::Revoke(by(1)), Command::Decline(by(2))] {
        let mut over = one(terms(1, [1, 2]));
        over.say(end);
        let ended = over.status();
        for late in [Command::Accept(by(2)), Command::Decline(by(2)), Command::Revoke(by(1)), Command::Lapse, create(terms(1, [1, 2]))] {
            assert!(matches!(over.say(late), Outcome::Link(_)));
            assert_eq!(over.status(), ended);
        }
    }
}

#[test]
fn each_account_hears_once_and_the_one_of_both_sides_once_in_all() {
    let mut offered = one(terms(1, [1, 2]));
    assert_eq!((offered.told(), offered.told()), (2, 0));
    offered.say(Command::Accept(by(2)));
    offered.say(Command::Revoke(by(2)));
    assert_eq!((offered.told(), offered.told()), (2, 0));
    let mut own = one(terms(1, [1, 1]));
    assert_eq!((own.told(), own.told()), (1, 0));
}

#[test]
fn an_offer_lapses_by_itself() {
    let mut offered = one(terms(1, [1, 2]));
    offered.told();
    let lapses = START.plus(PATIENCE);
    assert_eq!(offered.0.as_ref().unwrap().state.wakes_at(), Some(lapses));
    offered.1 = lapses;
    assert_eq!((offered.told(), offered.status()), (1, DelegationStatus::Declined));
    let mut short = one(Terms { expires: Some(START.plus(Ttl::from_seconds(60))), ..terms(1, [1, 2]) });
    short.told();
    assert_eq!(short.0.as_ref().unwrap().state.wakes_at(), Some(START.plus(Ttl::from_seconds(60))));
}

#[test]
fn what_an_account_refuses_to_hear_of_ends_and_rings_no_more() {
    for (accounts, accepted) in [([1, 2], false), ([1, 2], true), ([1, 1], false)] {
        let mut one = one(terms(1, accounts));
        if accepted {
            one.told();
            one.say(Command::Accept(by(2)));
        }
        let last = one.0.as_ref().unwrap().state.due(one.1).pop();
        let Some(Effect::TellAccount { refused, .. }) = last else { panic!("{last:?}") };
        one.say(refused.clone());
        assert_eq!(one.status(), DelegationStatus::Revoked);
        one.say(refused);
        while one.told() > 0 {}
        assert_eq!(one.0.as_ref().unwrap().state.wakes_at(), None);
    }
    let mut later = one(terms(1, [1, 2]));
    let last = later.0.as_ref().unwrap().state.due(later.1).pop();
    let Some(Effect::TellAccount { refused, .. }) = last else { panic!("{last:?}") };
    later.say(Command::Accept(by(2)));
    later.say(refused);
    assert_eq!(later.status(), DelegationStatus::Active, "it has changed since, and that is told now");
    assert_eq!(later.told(), 2);
}

#[test]
fn what_is_unsound_is_not_made() {
    let upstream =
        |links: usize| (0..links).map(|link| DelegationId::from_bytes([u8::try_from(link).unwrap() + 50; 16])).collect::<Vec<_>>();
    let good = terms(1, [1, 1]);
    for wrong in [
        Terms { delegate: agent(1), ..good.clone() },
        Terms { delegators: vec![agent(2), agent(1)], upstream: upstream(1), ..good.clone() },
        Terms { upstream: upstream(1), ..good.clone() },
        Terms { max_chain_depth: 0, ..good.clone() },
        Terms { max_chain_depth: 11, ..good.clone() },
        Terms { delegators: vec![agent(7), agent(8), agent(9), agent(1)], upstream: upstream(3), ..good.clone() },
        Terms { scopes: "".parse().unwrap(), ..good.clone() },
        Terms { expires: Some(START), ..good.clone() },
        Terms { delegators: vec![agent(9)], ..good.clone() },
    ] {
        let mut none = One(None, START);
        assert!(matches!(none.say(create(wrong.clone())), Outcome::Conflict), "{wrong:?}");
        assert!(matches!(none.say(Command::Look), Outcome::Unknown));
    }
}
