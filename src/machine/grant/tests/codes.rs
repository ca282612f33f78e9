//! Codes of a grant: each is used once.

use super::*;

#[test]
fn a_used_code_keeps_only_what_its_client_is_known_by() {
    let mut world = World::new();
    assert!(
        matches!(world.redeem("code", 1), Outcome::Issue { terms: Some(kept), .. } if kept == terms()),
        "it brings all that was agreed to"
    );
    let used = &world.record.as_ref().unwrap().state.codes[0].terms;
    assert!(used.scope.as_scope().is_empty() && used.nonce.is_none() && used.method.is_empty());
    let other = world.redeem_by("code", 2, by("other"), Some("challenge"), None);
    assert!(matches!(other, Outcome::Refused(GrantRefusal::Client)));
    assert!(matches!(world.redeem_by("code", 2, by("client"), Some("guess"), None), Outcome::Refused(GrantRefusal::Verifier)));
    assert!(matches!(world.redeem("code", 2), Outcome::Refused(GrantRefusal::Replayed)));
}

#[test]
fn tokens_come_with_the_stamp_of_their_own_session_alone() {
    let mut world = World::new();
    world.redeem("code", 1);
    world.approve("another");
    let Outcome::Issue { standing, stamp: Some(stamp), .. } = world.redeem("another", 2) else { panic!() };
    assert!(standing.knows(stamp) && standing.stamp_counts(stamp, world.now));
    assert!(!standing.knows(CredentialStamp { id: 1, ..stamp }), "whoever asks for the other session asks again");
    let Outcome::Standing(all) = world.run(Command::Look) else { panic!() };
    assert!(all.knows(stamp) && all.knows(CredentialStamp { id: 1, ..stamp }));
}

#[test]
fn nothing_is_used_up_by_a_request_that_fails() {
    let mut world = World::new();
    let back = Some("https://client.example/back");
    let before = world.written;
    let wrong = [
        (world.redeem_by("another", 1, by("client"), Some("challenge"), back), GrantRefusal::Unknown),
        (world.redeem_by("code", 1, by("client"), Some("wrong"), back), GrantRefusal::Verifier),
        (world.redeem_by("code", 1, by("client"), None, back), GrantRefusal::Verifier),
        (world.redeem_by("code", 1, by("client"), Some("challenge"), Some("https://client.example/bac")), GrantRefusal::RedirectUri),
        (world.redeem_by("code", 1, by("stranger"), Some("challenge"), back), GrantRefusal::Client),
        (
            world.redeem_by("code", 1, By { resource: Some("https://other".into()), ..by("client") }, Some("challenge"), back),
            GrantRefusal::Resource,
        ),
    ];
    for (outcome, expected) in wrong {
        assert_eq!(refusal(outcome), expected);
    }
    assert_eq!(world.written, before, "nothing was written");
    issued(world.redeem("code", 1));
}

#[test]
fn a_code_that_comes_again_ends_what_it_has_brought() {
    let mut world = World::new();
    let stamp = issued(world.redeem("code", 1));
    world.approve("second");
    let other = issued(world.redeem("second", 2));
    assert!(world.counts(stamp, 0));
    assert_eq!(refusal(world.redeem_by("code", 3, by("stranger"), Some("challenge"), None)), GrantRefusal::Client);
    assert!(world.counts(stamp, 0), "a stranger ends nothing");
    world.later(600);
    assert_eq!(refusal(world.redeem("code", 3)), GrantRefusal::Replayed);
    assert!(!world.counts(stamp, 0), "its tokens are dead");
    assert!(world.refresh(&first(1)).is_err(), "and its refresh token");
    assert!(world.counts(other, 0) && world.refresh(&first(2)).is_ok(), "those of another code are not");
}

#[test]
fn a_code_lives_five_minutes() {
    let mut world = World::new();
    world.later(299);
    issued(world.redeem("code", 1));
    let mut world = World::new();
    world.later(300);
    assert_eq!(refusal(world.redeem("code", 1)), GrantRefusal::Unknown);
}
