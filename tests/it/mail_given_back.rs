//! Mail that did not go out is not counted, and mail that did is.

use postern::machine::quota::{Command, Quota};
use postern::store::Cells;
use postern::time::Ttl;

use crate::mail_limits::{HERE, THERE, agent, by_mail, claim, limited, link, mails, opens, send, status};
use crate::world::{World, block};

/// Something that has a person mailed, and the status of its answer.
type Try = fn(&World) -> u16;

#[test]
fn what_the_deployment_cannot_mail_is_given_back_to_address_and_network() {
    let world = limited(1, 1, 1);
    assert_eq!(status(&world, THERE, "bob@example.com"), 200);
    for _ in 0..3 {
        assert_eq!(status(&world, HERE, "ada@example.com"), 429);
    }
    // The deployment's hour begins anew before it would for the address and the network.
    world.platform.cells.borrow_mut().remove("quota/mail/deployment").unwrap();
    assert_eq!(status(&world, HERE, "ada@example.com"), 200);
    assert_eq!(mails(&world), 2);
}

#[test]
fn mail_that_could_not_be_sent_is_given_back() {
    let tries: [(&str, Try); 3] = [
        ("a sign-in", |world| status(world, HERE, "ada@example.com")),
        ("a registration of v0.1", |world| send(world, HERE, "/agent/auth", &by_mail("ada@example.com")).status()),
        ("a claim of v0.1", |world| claim(world, HERE, &agent(world, HERE), "ada@example.com").status()),
    ];
    for (what, attempt) in tries {
        let world = limited(1, 1, 1);
        world.platform.lost.borrow_mut().push("mail");
        for _ in 0..3 {
            assert_eq!(attempt(&world), 503, "{what}: somebody does not answer; nothing is used up");
        }
        world.platform.lost.borrow_mut().clear();
        assert_eq!((attempt(&world), mails(&world)), (200, 1), "{what}");
        assert_eq!(attempt(&world), 429, "{what}: now it is");
    }
}

#[test]
fn a_claim_whose_mail_failed_may_be_repeated_by_the_same_agent() {
    let world = limited(1, 1, 1);
    let token = agent(&world, HERE);
    world.platform.lost.borrow_mut().push("mail");
    for _ in 0..3 {
        assert_eq!(claim(&world, HERE, &token, "ada@example.com").status(), 503);
    }
    world.platform.lost.borrow_mut().clear();
    assert_eq!(claim(&world, HERE, &token, "ada@example.com").status(), 200);
    assert_eq!((mails(&world), opens(&world, &link(&world))), (1, 200));
    assert_eq!(claim(&world, HERE, &token, "ada@example.com").status(), 200, "the same once more");
    assert_eq!(mails(&world), 1);
}

#[test]
fn a_registration_whose_mail_failed_may_be_repeated_with_the_same_key() {
    let world = limited(1, 1, 1);
    let repeat = || {
        let headers = [("content-type", "application/json"), ("idempotency-key", "0123456789abcdef")];
        world.send(HERE, "POST", "/agent/auth", &headers, &by_mail("ada@example.com").to_string())
    };
    world.platform.lost.borrow_mut().push("mail");
    assert_eq!(repeat().status(), 503);
    world.platform.lost.borrow_mut().clear();
    let answer = repeat();
    assert_eq!((answer.status(), mails(&world)), (200, 1), "{}", answer.json());
    assert_eq!(opens(&world, &link(&world)), 200);
    assert_eq!((repeat().json(), mails(&world)), (answer.json(), 1), "a copy is counted and mailed once");
}

#[test]
fn a_repeat_that_is_refused_gives_back_no_mail_that_went_out() {
    let world = limited(4, 1000, 1000);
    let register = |key: u32| {
        let key = format!("the-key-of-request-{key:04}");
        let headers = [("content-type", "application/json"), ("idempotency-key", key.as_str())];
        world.send(HERE, "POST", "/agent/auth", &headers, &by_mail("ada@example.com").to_string()).status()
    };
    assert!((0..4).all(|key| register(key) == 200));
    assert_eq!((register(4), mails(&world)), (429, 4));
    // The fourth has superseded the first; each repeat of one that is over is refused.
    for key in 0..10 {
        register(key);
        register(key + 5);
    }
    assert_eq!(mails(&world), 4, "the address has had its mails of the hour");
}

#[test]
fn copies_of_one_request_give_back_no_more_than_was_taken() {
    let world = World::new(&[]);
    let run = |command| block(world.platform.run::<Quota>(&"copies".to_owned(), command)).unwrap();
    let most = || vec![(2, Ttl::from_seconds(3600))];
    let take = |request: &str| run(Command::Take { most: most(), request: Some(request.to_owned()) }).is_none();
    let back = |request: &str| run(Command::Return { most: most(), request: Some(request.to_owned()) });
    assert!(take("one"));
    assert!(take("two") && take("two") && take("two"), "copies are counted once");
    for _ in 0..3 {
        back("two");
    }
    assert!(take("three"), "what two had is free");
    assert!(!take("four"), "what one has is not");
}
