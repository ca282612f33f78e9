//! API keys that people make for themselves.

use super::one::{DAY, One, digest, person};
use super::*;
use crate::account::Feed;
use crate::oauth::scope::Scope;

fn new(expires: Option<Timestamp>) -> NewPersonal {
    NewPersonal {
        registration: RegistrationId::from_bytes([9; 16]),
        owner: person(1),
        name: "Backup".into(),
        digest: digest("key"),
        scope: "api.read".parse().unwrap(),
        expires,
    }
}

fn made(expires: Option<Ttl>) -> One {
    let mut one = One::new();
    let expires = expires.map(|ttl| one.now.plus(ttl));
    assert!(matches!(one.run(Command::MakePersonal(new(expires))), Outcome::Standing(standing) if standing.claimed));
    one
}

fn events(one: &One) -> Vec<String> {
    one.feeds().iter().flat_map(|(_, feed, _)| feed.events.iter().map(|event| format!("{} {}", event.name, event.detail))).collect()
}

#[test]
fn it_is_its_person_s_from_the_start_and_they_are_told() {
    let mut one = made(Some(DAY));
    let feeds = one.feeds();
    let (owner, Feed { agent, .. }, _) = &feeds[0];
    assert_eq!((owner.as_str(), agent.kind.as_str(), agent.name.as_deref()), (person(1).as_str(), "personal", Some("Backup")));
    let key = agent.key.clone().unwrap();
    assert_eq!((key.scope.to_string().as_str(), key.expires), ("api.read", Some(one.now.plus(DAY))));
    assert_eq!(events(&one), ["key.created "]);
    assert!(one.is_live());
    assert!(matches!(one.run(Command::EndBy(person(2))), Outcome::Unknown));
    assert!(matches!(one.run(Command::Held(person(2))), Outcome::Unknown));
    assert!(matches!(one.run(Command::Held(person(1))), Outcome::Feed(Some(feed)) if feed.agent == *agent));
    assert!(one.is_live());
    one.settle();
}

#[test]
fn the_same_again_is_the_same_and_another_finds_the_name_taken() {
    let mut one = made(None);
    let before = serde_json::to_string(one.state()).unwrap();
    assert!(matches!(one.run(Command::MakePersonal(new(None))), Outcome::Standing(_)));
    let others = [NewPersonal { owner: person(2), ..new(None) }, NewPersonal { digest: digest("other"), ..new(None) }];
    for other in others {
        assert!(matches!(one.run(Command::MakePersonal(other)), Outcome::Conflict));
    }
    assert_eq!(serde_json::to_string(one.state()).unwrap(), before);
    one.run(Command::EndBy(person(1)));
    assert!(matches!(one.run(Command::MakePersonal(new(None))), Outcome::Conflict), "what has ended does not come back");
}

#[test]
fn what_is_over_already_or_good_for_nothing_is_not_made() {
    let mut one = One::new();
    let over = Some(one.now);
    for refused in [new(over), NewPersonal { scope: Scope::default(), ..new(None) }] {
        assert!(matches!(one.run(Command::MakePersonal(refused)), Outcome::Refused));
    }
    assert!(one.record.is_none());
}

#[test]
fn it_ends_with_its_time_whatever_keys_were_added_to_it() {
    let mut one = made(Some(DAY));
    let key = NewKey { digest: digest("more"), scope: None, lifetime: None, expires: None, limited: false, root_generation: None };
    assert!(matches!(one.run(Command::AddManagedKey(key)), Outcome::Credential(..)));
    one.later(86_399);
    assert!(matches!(one.run(Command::Look), Outcome::Standing(standing) if standing.is_live(one.now)));
    one.later(1);
    assert!(matches!(one.run(Command::Look), Outcome::Unknown));
}

#[test]
fn it_ends_with_its_last_key_and_its_owner_is_told() {
    let mut one = made(None);
    assert!(matches!(
        one.run(Command::RotateKey { id: 0, digest: digest("next"), expires: None, root_generation: None }),
        Outcome::Credential(_, 1)
    ));
    assert!(one.is_live(), "another key has taken the place");
    one.run(Command::RevokeCredential { id: 0 });
    assert!(one.is_live());
    one.run(Command::RevokeCredential { id: 1 });
    assert!(!one.is_live());
    assert_eq!(events(&one), ["key.created ", "key.revoked the key itself"]);
}
