//! What whoever manages an agent does with it.

use super::managed::{MOST_FAMILIES, MOST_KEYS, NewFamily, NewKey};
use super::one::{One, digest};
use super::*;
use crate::jose::claims::CredentialStamp;
use crate::master::{Master, Masters};
use crate::oauth::scope::Scope;
use crate::refresh::{self, Token};
use crate::secret::Digest;

const RESOURCE: &str = "https://api.example.com";

fn masters() -> Masters {
    Masters { current: Master::derive(b"x"), previous: None }
}

fn agent() -> RegistrationId {
    RegistrationId::from_bytes([9; 16])
}

fn root() -> RegistrationId {
    RegistrationId::from_bytes([1; 16])
}

fn scope(text: &str) -> Scope {
    text.parse().unwrap()
}

fn key(name: &str) -> NewKey {
    NewKey { digest: digest(name), scope: None, lifetime: None, expires: None, limited: false }
}

/// A child with one API key, `key`.
fn child() -> One {
    let mut one = One::new();
    assert!(matches!(one.run(Command::Adopt { ancestors: vec![root()], said: Said::default() }), Outcome::Standing(_)));
    assert_eq!(added(&mut one, key("key")), Some(0));
    one
}

fn added(one: &mut One, key: NewKey) -> Option<u32> {
    match one.run(Command::AddManagedKey(key)) {
        Outcome::Credential(_, id) => Some(id),
        _ => None,
    }
}

fn rotated(one: &mut One, id: u32, name: &str) -> Option<u32> {
    match one.run(Command::RotateKey { id, digest: digest(name) }) {
        Outcome::Credential(_, id) => Some(id),
        _ => None,
    }
}

/// Shows the key, and asks for refresh tokens: the first one, and what its access tokens name.
fn authenticate(one: &mut One, shown: &str, family: u32) -> Option<(Token, CredentialStamp)> {
    let first = Token::first(&agent(), family, [7; 16], &masters().current);
    let begin = NewFamily { id: family, digest: first.digest(), scope: scope("api.read"), resource: RESOURCE.into() };
    match one.run(Command::Authenticate { digests: vec![digest(shown)], begin, block: None }) {
        Outcome::Continued { stamp, .. } => Some((first, stamp)),
        _ => None,
    }
}

/// Spends a refresh token: the next one, and what its access tokens name.
fn spend(one: &mut One, token: &str) -> Option<(String, CredentialStamp)> {
    let presented = refresh::Presented::parse(token, &masters()).unwrap();
    let command = Command::Continue { token: presented.command(), block: None };
    match one.run(command) {
        Outcome::Continued { stamp, scope, resource, successor, .. } => {
            assert_eq!((scope.to_string().as_str(), resource.as_str()), ("api.read", RESOURCE), "it brings what the first one brought");
            Some((presented.successors.get(successor).unwrap().text().to_owned(), stamp))
        }
        _ => None,
    }
}

fn counts(one: &One, stamp: CredentialStamp) -> bool {
    one.is_live() && one.state().standing.stamp_counts(stamp, one.now)
}

fn works(one: &mut One, name: &str) -> bool {
    let digests: Vec<Digest> = vec![digest(name)];
    matches!(one.run(Command::Issue { proof: Proof::ApiKey { digests }, block: None }), Outcome::Issue(..))
}

#[test]
fn a_child_is_made_once_and_nothing_else_becomes_one() {
    let mut one = child();
    let again = one.run(Command::Adopt { ancestors: vec![root()], said: Said::default() });
    assert!(matches!(again, Outcome::Standing(standing) if standing.credentials.len() == 1));
    let other = vec![RegistrationId::from_bytes([2; 16])];
    assert!(matches!(one.run(Command::Adopt { ancestors: other, said: Said::default() }), Outcome::Conflict));
    one.later(3650 * 86400);
    assert!(one.is_live(), "it lives as long as those above it, which only they can say");
}

#[test]
fn the_same_key_is_added_once_and_there_is_an_end_to_their_number() {
    let mut one = child();
    assert_eq!(added(&mut one, key("key")), Some(0));
    assert_eq!(one.state().standing.credentials.len(), 1);
    for number in 1..MOST_KEYS {
        assert_eq!(added(&mut one, key(&format!("key {number}"))), u32::try_from(number).ok());
    }
    assert!(matches!(one.run(Command::AddManagedKey(key("one more"))), Outcome::Full));
    one.run(Command::RevokeCredential { id: 3 });
    assert_eq!(added(&mut one, key("one more")), u32::try_from(MOST_KEYS).ok(), "a number is not given twice");
    assert!(works(&mut one, "key") && !works(&mut one, "key 3") && works(&mut one, "one more"));
}

#[test]
fn a_rotated_key_is_dead_in_the_same_step_and_the_new_one_keeps_its_settings() {
    let mut one = child();
    let expires = one.now.plus(Ttl::from_seconds(5000));
    let settings = NewKey { scope: Some(scope("files.*")), lifetime: Some(Ttl::from_seconds(60)), expires: Some(expires), ..key("old") };
    let id = added(&mut one, settings).unwrap();
    let new = rotated(&mut one, id, "new").unwrap();
    assert!(!works(&mut one, "old") && works(&mut one, "new") && new != id);
    let kept = one.state().standing.credentials.iter().find(|known| known.id == new).unwrap();
    assert_eq!((kept.scope.clone(), kept.lifetime, kept.expires), (Some(scope("files.*")), Some(Ttl::from_seconds(60)), expires));
    assert_eq!(rotated(&mut one, id, "new"), Some(new), "the same request again");
    assert_eq!(rotated(&mut one, id, "newer"), None, "another one comes too late");
    one.later(5000);
    assert_eq!(rotated(&mut one, new, "newest"), None, "what has expired is not brought back");
    one.run(Command::RevokeCredential { id: 0 });
    assert_eq!(rotated(&mut one, 0, "again"), None, "nor what was revoked");
}

#[test]
fn refresh_tokens_live_as_long_as_the_key_that_they_came_from() {
    let mut one = child();
    let (first, stamp) = authenticate(&mut one, "key", 1 << 31).unwrap();
    let (second, same) = spend(&mut one, first.text()).unwrap();
    assert_eq!(stamp, same);
    assert!(counts(&one, stamp));
    assert!(authenticate(&mut one, "another", 5).is_none() && authenticate(&mut one, "key", 1 << 31).is_none());
    rotated(&mut one, 0, "new").unwrap();
    assert!(!counts(&one, stamp), "its access tokens are dead");
    assert!(spend(&mut one, &second).is_none(), "and so is what would bring new ones");
    assert!(one.state().keyed.is_empty() && one.state().standing.credentials.iter().all(|known| known.of.is_none()));
}

#[test]
fn a_spent_refresh_token_of_a_key_ends_its_family_and_no_other() {
    let mut one = child();
    let (first, stamp) = authenticate(&mut one, "key", 1 << 31).unwrap();
    let (other, others) = authenticate(&mut one, "key", (1 << 31) + 1).unwrap();
    let (second, _) = spend(&mut one, first.text()).unwrap();
    assert_eq!(spend(&mut one, first.text()).map(|(next, _)| next).as_deref(), Some(second.as_str()), "a repeat gets the same");
    let (third, _) = spend(&mut one, &second).unwrap();
    one.later(61);
    assert!(spend(&mut one, first.text()).is_none());
    assert!(!counts(&one, stamp) && spend(&mut one, &third).is_none());
    assert!(counts(&one, others) && spend(&mut one, other.text()).is_some() && works(&mut one, "key"));
}

#[test]
fn the_family_that_was_used_longest_ago_makes_room() {
    let mut one = child();
    let first = 1 << 31;
    let mut families = Vec::new();
    for number in 0..u32::try_from(MOST_FAMILIES).unwrap() {
        families.push(authenticate(&mut one, "key", first + number).unwrap());
        one.later(1);
    }
    let (next, _) = spend(&mut one, families[0].0.text()).unwrap();
    authenticate(&mut one, "key", 7).unwrap();
    assert_eq!(one.state().keyed.len(), MOST_FAMILIES);
    assert!(!counts(&one, families[1].1) && counts(&one, families[0].1) && spend(&mut one, &next).is_some());
    one.later(31 * 86400);
    one.run(Command::Pause(false));
    assert!(one.state().keyed.is_empty() && one.state().standing.credentials.len() == 1, "what nobody uses leaves nothing behind");
}

#[test]
fn a_suspended_agent_can_do_nothing_and_comes_back_as_it_was() {
    let mut one = child();
    let (first, stamp) = authenticate(&mut one, "key", 1 << 31).unwrap();
    one.run(Command::Pause(true));
    assert!(!counts(&one, stamp) && !works(&mut one, "key") && spend(&mut one, first.text()).is_none());
    assert!(added(&mut one, key("more")).is_none() && rotated(&mut one, 0, "more").is_none());
    one.run(Command::Pause(false));
    assert!(counts(&one, stamp) && works(&mut one, "key") && spend(&mut one, first.text()).is_some());
}

#[test]
fn a_refresh_token_is_revoked_with_what_it_has_brought() {
    let mut one = child();
    let (first, stamp) = authenticate(&mut one, "key", 1 << 31).unwrap();
    one.run(Command::Issue {
        proof: Proof::ApiKey { digests: vec![digest("key")] },
        block: Some((Block { list: 3, start: 4, len: 1 }, Ttl::from_seconds(900))),
    });
    let presented = refresh::Presented::parse(first.text(), &masters()).unwrap();
    one.run(Command::RevokeRefresh(presented.command()));
    assert!(!counts(&one, stamp) && spend(&mut one, first.text()).is_none() && works(&mut one, "key"));
    assert!(!one.state().marks.is_empty(), "verifiers that follow the status list are told");
}

/// An agent with the API key that it was registered with.
fn registered() -> One {
    let mut one = One::new();
    let key = Some((digest("key"), None));
    one.run(Command::Open { ttl: super::one::DAY, key, said: Said::default(), idempotency: None, kind: Kind::Anonymous, claim: None });
    one
}

fn stamp_of(one: &mut One, name: &str) -> Option<CredentialStamp> {
    match one.run(Command::Issue { proof: Proof::ApiKey { digests: vec![digest(name)] }, block: None }) {
        Outcome::Issue(_, stamp) => stamp,
        _ => None,
    }
}

#[test]
fn the_number_of_a_key_that_came_with_the_registration_is_not_given_again_either() {
    let mut one = registered();
    let stamp = stamp_of(&mut one, "key").unwrap();
    one.run(Command::RevokeCredential { id: stamp.id });
    assert_eq!(added(&mut one, key("new")), Some(1));
    assert!(!counts(&one, stamp), "a token of the key that leaked stays dead");
    one.run(Command::RevokeCredential { id: 1 });
    assert_eq!(added(&mut one, key("newer")), Some(2));
}

#[test]
fn the_refresh_tokens_of_a_key_that_has_expired_go_with_it() {
    let mut one = child();
    let expires = Some(one.now.plus(Ttl::from_seconds(60)));
    assert_eq!(added(&mut one, NewKey { expires, ..key("short") }), Some(1));
    let (first, stamp) = authenticate(&mut one, "short", 1 << 31).unwrap();
    one.later(60);
    assert_eq!(added(&mut one, key("new")), Some(2));
    assert!(!counts(&one, stamp) && spend(&mut one, first.text()).is_none() && one.state().keyed.is_empty());
}
