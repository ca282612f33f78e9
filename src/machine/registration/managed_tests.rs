//! What whoever manages an agent does with it.

use super::managed::{MOST_FAMILIES, MOST_FAMILIES_OF_A_KEY, MOST_KEYS, NewFamily, NewKey};
use super::one::{One, digest};
use super::*;
use crate::jose::claims::CredentialStamp;
use crate::master::{Master, Masters};
use crate::oauth::scope::Scope;
use crate::refresh::{self, Token};
use crate::secret::Digest;

const RESOURCE: &str = "https://api.example.com";
/// The first number that a family may have.
const FAMILY: u32 = 1 << 31;

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
    NewKey { digest: digest(name), scope: None, lifetime: None, expires: None, limited: false, root_generation: None }
}

fn adopt(ancestors: Vec<RegistrationId>) -> Command {
    Command::Adopt { ancestors, expires: Timestamp::NEVER, said: Said::default() }
}

/// A child with one API key, `key`.
fn child() -> One {
    let mut one = One::new();
    assert!(matches!(one.run(adopt(vec![root()])), Outcome::Standing(_)));
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
    match one.run(Command::RotateKey { id, digest: digest(name), expires: None, root_generation: None }) {
        Outcome::Credential(_, id) => Some(id),
        _ => None,
    }
}

/// Shows the key, and asks for refresh tokens: the first one, and what its access tokens name.
fn authenticate(one: &mut One, shown: &str, family: u32) -> Option<(Token, CredentialStamp)> {
    begin(one, shown, family, None)
}

fn begin(one: &mut One, shown: &str, family: u32, block: Option<(Block, Ttl)>) -> Option<(Token, CredentialStamp)> {
    let first = Token::first(&agent(), family, [7; 16], &masters().current);
    let begin = NewFamily { id: family, digest: first.digest(), scope: scope("api.read"), resource: RESOURCE.into() };
    match one.run(Command::Authenticate { digests: vec![digest(shown)], begin, block }) {
        Outcome::Continued { stamp, .. } => Some((first, stamp)),
        _ => None,
    }
}

/// Spends a refresh token: the next one, and what its access tokens name.
fn spend(one: &mut One, token: &str) -> Option<(String, CredentialStamp)> {
    let presented = refresh::Presented::parse(token, &masters()).unwrap();
    let command = Command::Continue { token: presented.command(), scope: None, resource: None, block: None };
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
    let again = one.run(adopt(vec![root()]));
    assert!(matches!(again, Outcome::Standing(standing) if standing.credentials.len() == 1));
    let other = vec![RegistrationId::from_bytes([2; 16])];
    assert!(matches!(one.run(adopt(other)), Outcome::Conflict));
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
    let (first, stamp) = authenticate(&mut one, "key", FAMILY).unwrap();
    let (second, same) = spend(&mut one, first.text()).unwrap();
    assert_eq!(stamp, same);
    assert!(counts(&one, stamp));
    assert!(authenticate(&mut one, "another", FAMILY + 1).is_none() && authenticate(&mut one, "key", FAMILY).is_none());
    rotated(&mut one, 0, "new").unwrap();
    assert!(!counts(&one, stamp), "its access tokens are dead");
    assert!(spend(&mut one, &second).is_none(), "and so is what would bring new ones");
    assert!(one.state().keyed.is_empty() && one.state().standing.credentials.iter().all(|known| known.of.is_none()));
}

#[test]
fn a_spent_refresh_token_of_a_key_ends_its_family_and_no_other() {
    let mut one = child();
    let (first, stamp) = authenticate(&mut one, "key", FAMILY).unwrap();
    let (other, others) = authenticate(&mut one, "key", FAMILY + 1).unwrap();
    let (second, _) = spend(&mut one, first.text()).unwrap();
    assert_eq!(spend(&mut one, first.text()).map(|(next, _)| next).as_deref(), Some(second.as_str()), "a repeat gets the same");
    let (third, _) = spend(&mut one, &second).unwrap();
    one.later(61);
    assert!(spend(&mut one, first.text()).is_none());
    assert!(!counts(&one, stamp) && spend(&mut one, &third).is_none());
    assert!(counts(&one, others) && spend(&mut one, other.text()).is_some() && works(&mut one, "key"));
}

#[test]
fn the_family_of_a_key_that_was_used_longest_ago_makes_room() {
    let mut one = child();
    let mut families = Vec::new();
    for number in 0..u32::try_from(MOST_FAMILIES_OF_A_KEY).unwrap() {
        families.push(authenticate(&mut one, "key", FAMILY + number).unwrap());
        one.later(1);
    }
    let (next, _) = spend(&mut one, families[0].0.text()).unwrap();
    authenticate(&mut one, "key", FAMILY + 100).unwrap();
    assert_eq!(one.state().keyed.len(), MOST_FAMILIES_OF_A_KEY);
    assert!(!counts(&one, families[1].1) && counts(&one, families[0].1) && spend(&mut one, &next).is_some());
    one.later(31 * 86400);
    one.run(Command::Pause(false));
    assert!(one.state().keyed.is_empty() && one.state().standing.credentials.len() == 1, "what nobody uses leaves nothing behind");
}

#[test]
fn no_key_takes_the_place_of_anothers_refresh_tokens() {
    let mut one = child();
    let (quiet, stamp) = authenticate(&mut one, "key", FAMILY).unwrap();
    for name in 1..u32::try_from(MOST_KEYS).unwrap() {
        added(&mut one, key(&format!("key {name}"))).unwrap();
        for number in 0..40 {
            one.later(1);
            authenticate(&mut one, &format!("key {name}"), FAMILY + 100 * name + number).unwrap();
            assert!(one.state().keyed.len() <= MOST_FAMILIES);
        }
    }
    assert!(counts(&one, stamp) && spend(&mut one, quiet.text()).is_some());
    let of = |key: u32| one.state().standing.credentials.iter().filter(|stamp| stamp.of == Some(key)).count();
    assert!((1..16).all(|key| of(key) >= 1), "each has some");
}

fn block(start: u32) -> (Block, Ttl) {
    (Block { list: 3, start, len: 1 }, Ttl::from_seconds(900))
}

#[test]
fn a_new_family_is_not_born_with_a_marked_place_and_marks_none_for_what_is_long_dead() {
    let mut one = child();
    for number in 0..u32::try_from(MOST_FAMILIES_OF_A_KEY).unwrap() {
        assert!(begin(&mut one, "key", FAMILY + number, Some(block(10 * number))).is_some());
    }
    assert!(one.state().marks.is_empty());
    begin(&mut one, "key", FAMILY + 100, Some(block(1000))).unwrap();
    assert!(!one.state().marks.is_empty(), "what goes may have tokens");
    assert!(one.state().blocks.iter().any(|(known, _)| known.holds(&block(1000).0)), "the new one's place is live");
    assert!(!one.state().marks.iter().any(|mark| mark.holds(&block(1000).0)));
    let before = (one.state().marks.len(), one.state().standing.epoch);
    one.later(900);
    begin(&mut one, "key", FAMILY + 101, Some(block(2000))).unwrap();
    assert_eq!(one.state().keyed.len(), MOST_FAMILIES_OF_A_KEY);
    assert_eq!((one.state().marks.len(), one.state().standing.epoch), before, "all its tokens have expired");
}

#[test]
fn rotations_leave_no_dead_keys_behind() {
    let mut one = child();
    let mut id = 0;
    for number in 0..50 {
        id = rotated(&mut one, id, &format!("key {number}")).unwrap();
        assert_eq!(one.state().standing.credentials.len(), 1);
    }
    assert_eq!(id, 50);
}

#[test]
fn numbers_of_families_are_no_numbers_of_keys() {
    let mut one = child();
    assert!(authenticate(&mut one, "key", 5).is_none() && authenticate(&mut one, "key", FAMILY - 1).is_none());
    let (first, stamp) = authenticate(&mut one, "key", FAMILY).unwrap();
    one.run(Command::RevokeCredential { id: FAMILY });
    assert!(counts(&one, stamp) && spend(&mut one, first.text()).is_some(), "a family is no key");
    let shown = vec![first.digest()];
    assert!(matches!(one.run(Command::Issue { proof: Proof::ApiKey { digests: shown }, block: None }), Outcome::Refused));
}

#[test]
fn a_child_has_somebody_above_it_and_none_of_them_twice_and_does_not_come_again() {
    let many = |count: u8| (0..count).map(|name| RegistrationId::from_bytes([name; 16])).collect::<Vec<_>>();
    for ancestors in [vec![], vec![root(), root()], many(11)] {
        assert!(matches!(One::new().run(adopt(ancestors)), Outcome::Refused));
    }
    assert!(matches!(One::new().run(adopt(many(10))), Outcome::Standing(_)));
    let mut one = child();
    one.run(Command::EndByOperator);
    assert!(matches!(one.run(adopt(vec![root()])), Outcome::Refused));
}

#[test]
fn an_unclaimed_tree_and_what_has_ended_leave_nothing_behind() {
    let mut one = One::new();
    let until = |one: &One, seconds| Command::Adopt {
        ancestors: vec![root()],
        expires: one.now.plus(Ttl::from_seconds(seconds)),
        said: Said::default(),
    };
    assert!(matches!(one.run(until(&one, 0)), Outcome::Refused));
    one.run(until(&one, 3600));
    let generation = one.state().standing.generation;
    let lapses = |one: &One| one.record.as_ref().unwrap().state.standing.expires;
    assert_eq!(lapses(&one), one.now.plus(Ttl::from_seconds(3600)));
    one.run(adopt(vec![root()]));
    one.run(until(&one, 60));
    assert_eq!(lapses(&one), Timestamp::NEVER, "its root was claimed meanwhile; a late repeat does not shorten that");
    one.run(Command::EndByOperator);
    assert!(lapses(&one) <= one.now.plus(Ttl::from_seconds(2 * 86400)));
    one.later(2 * 86400);
    one.run(adopt(vec![root()]));
    assert!(one.is_live() && one.state().standing.generation > generation, "what comes later under the same name is another one");
}

#[test]
fn a_repeat_says_yes_only_to_what_works_and_was_asked_for() {
    let mut one = child();
    assert_eq!(added(&mut one, key("other")), Some(1));
    assert_eq!(rotated(&mut one, 1, "key"), None, "that is another key, which replaces nothing");
    assert!(works(&mut one, "other"));
    one.run(Command::RevokeCredential { id: 1 });
    assert_eq!(added(&mut one, key("other")), None);
    let new = rotated(&mut one, 0, "new").unwrap();
    assert_eq!(rotated(&mut one, 0, "new"), Some(new));
    one.run(Command::RevokeCredential { id: new });
    assert_eq!(rotated(&mut one, 0, "new"), None);
}

#[test]
fn places_are_remembered_for_as_long_as_the_longest_token_and_no_longer() {
    let mut one = child();
    one.run(Command::Issue { proof: Proof::ApiKey { digests: vec![digest("key")] }, block: Some(block(4)) });
    let day = Ttl::from_seconds(86400);
    for number in 1..40 {
        let id = added(&mut one, NewKey { lifetime: Some(day), ..key(&format!("key {number}")) }).unwrap();
        // No revocation: that would mark the place.
        one.record.as_mut().unwrap().state.standing.credentials.retain(|known| known.id != id);
    }
    let (_, until) = one.state().blocks[0];
    assert_eq!(until, one.now.plus(day).plus(places::BLOCK_USE));
}

#[test]
fn refresh_tokens_bring_no_more_than_their_key_and_lifetimes_have_bounds() {
    let mut one = child();
    assert_eq!(added(&mut one, NewKey { scope: Some(scope("files.*")), ..key("narrow") }), Some(1));
    assert!(authenticate(&mut one, "narrow", FAMILY).is_none());
    for seconds in [59, 86_401] {
        assert_eq!(added(&mut one, NewKey { lifetime: Some(Ttl::from_seconds(seconds)), ..key("odd") }), None);
    }
    let gone = CredentialStamp { id: 77, generation: 0 };
    assert!(one.state().standing.is_limited(Some(gone)) && !one.state().standing.is_limited(None));
}

#[test]
fn a_suspended_agent_can_do_nothing_and_comes_back_as_it_was() {
    let mut one = child();
    let (first, stamp) = authenticate(&mut one, "key", FAMILY).unwrap();
    one.run(Command::Pause(true));
    assert!(!counts(&one, stamp) && !works(&mut one, "key") && spend(&mut one, first.text()).is_none());
    assert!(added(&mut one, key("more")).is_none() && rotated(&mut one, 0, "more").is_none());
    one.run(Command::Pause(false));
    assert!(counts(&one, stamp) && works(&mut one, "key") && spend(&mut one, first.text()).is_some());
}

#[test]
fn a_refresh_token_is_revoked_with_what_it_has_brought() {
    let mut one = child();
    let (first, stamp) = authenticate(&mut one, "key", FAMILY).unwrap();
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
    let (first, stamp) = authenticate(&mut one, "short", FAMILY).unwrap();
    one.later(60);
    assert_eq!(added(&mut one, key("new")), Some(2));
    assert!(!counts(&one, stamp) && spend(&mut one, first.text()).is_none() && one.state().keyed.is_empty());
}
