use super::*;
use crate::machine::standing::RevokedToken;
use crate::machine::{Change, Record, advance};
use crate::master::Master;

const DAY: Ttl = Ttl::from_seconds(86400);

struct Cell {
    record: Option<Record<Registration>>,
    now: Timestamp,
}

impl Cell {
    fn new() -> Self {
        Self { record: None, now: Timestamp::from_seconds(1_800_000_000) }
    }

    fn run(&mut self, command: Command) -> Outcome {
        let (change, outcome) = advance(self.record.clone(), command, self.now);
        match change {
            Change::Write(record) => self.record = Some(record),
            Change::Erase => self.record = None,
            Change::None => {}
        }
        outcome
    }

    fn open(&mut self, request: &str) -> Outcome {
        let key = Some((Master::derive(b"x").digest("api_key", "key"), None));
        let idempotency = Some((request.to_owned(), "salt".to_owned(), Ttl::from_seconds(600)));
        self.run(Command::Open { ttl: DAY, key, said: Said::default(), idempotency, kind: Kind::Anonymous, claim: None })
    }

    fn issue(&mut self, block: Block) -> Outcome {
        self.run(Command::Issue { proof: Proof::Assertion { generation: 0, jti: None }, block: Some((block, Ttl::from_seconds(900))) })
    }

    fn standing(&mut self) -> Standing {
        let Outcome::Standing(standing) = self.run(Command::Look) else { panic!("unknown") };
        standing
    }
}

fn place(start: u32) -> Block {
    Block { list: 3, start, len: 1 }
}

#[test]
fn an_unclaimed_registration_dies_at_its_ttl_with_no_one_calling_anything() {
    let mut cell = Cell::new();
    cell.open("a");
    let end = cell.now.plus(DAY);
    assert_eq!(cell.record.as_ref().unwrap().alarm(), Some(end), "its alarm frees the storage");
    cell.now = end.minus(Ttl::from_millis(1));
    assert!(matches!(cell.run(Command::Look), Outcome::Standing(_)));
    cell.now = end;
    assert!(matches!(cell.run(Command::Look), Outcome::Unknown));
}

#[test]
fn a_repeated_request_finds_its_registration_and_another_does_not() {
    let mut cell = Cell::new();
    assert!(matches!(cell.run(Command::Recall { request: "a".into() }), Outcome::Unknown));
    cell.open("a");
    cell.now = cell.now.plus(Ttl::from_seconds(599));
    assert!(matches!(cell.run(Command::Recall { request: "a".into() }), Outcome::Opened(_, salt) if salt == "salt"));
    assert!(matches!(cell.open("a"), Outcome::Opened(..)), "two at once: the second finds the first");
    assert!(matches!(cell.run(Command::Recall { request: "b".into() }), Outcome::Conflict));
    cell.now = cell.now.plus(Ttl::from_seconds(1));
    assert!(matches!(cell.run(Command::Recall { request: "a".into() }), Outcome::Conflict), "its window is over");
}

#[test]
fn ending_it_marks_every_place_and_the_outbox_empties_when_they_are_marked() {
    let mut cell = Cell::new();
    cell.open("a");
    cell.issue(place(1));
    cell.issue(place(2));
    cell.issue(Block { list: 4, start: 0, len: 8 });
    cell.run(Command::End { generation: 1 });
    assert!(!cell.standing().ended, "an assertion of another generation");
    cell.run(Command::End { generation: 0 });
    let standing = cell.standing();
    assert!(standing.ended && standing.generation == 1 && standing.epoch == 1);
    let effects = cell.record.as_ref().unwrap().state.due(cell.now);
    assert_eq!(effects.len(), 2, "one message a list");
    for effect in effects {
        let Effect::Tell { kind, then, command, .. } = effect else { panic!("not a message") };
        assert_eq!(kind, "status_list");
        serde_json::from_value::<crate::machine::status_list::Command>(command).unwrap();
        cell.run(then);
    }
    assert_eq!(cell.record.as_ref().unwrap().state.wakes_at(), None);
}

#[test]
fn revoking_a_token_ends_that_token_until_it_expires() {
    let mut cell = Cell::new();
    cell.open("a");
    let until = cell.now.plus(Ttl::from_seconds(900));
    for _ in 0..2 {
        cell.run(Command::RevokeToken { token: RevokedToken { jti: "one".into(), until }, place: Some(place(7)) });
    }
    assert!(cell.standing().has_revoked("one", cell.now.seconds()) && !cell.standing().has_revoked("two", cell.now.seconds()));
    assert_eq!(cell.standing().revoked.len(), 1);
    assert_eq!(cell.standing().generation, 0);
    cell.now = until;
    cell.issue(place(9));
    assert!(!cell.standing().has_revoked("one", cell.now.seconds()), "forgotten once it has expired");
}

#[test]
fn very_many_revoked_tokens_end_all_tokens_so_far_and_nothing_else() {
    let mut cell = Cell::new();
    cell.open("a");
    let until = cell.now.plus(Ttl::from_seconds(900));
    for index in 0..=places::MOST_REVOKED {
        cell.run(Command::RevokeToken { token: RevokedToken { jti: index.to_string(), until }, place: None });
    }
    let standing = cell.standing();
    assert_eq!((standing.generation, standing.revoked.len()), (0, 0));
    assert!(standing.has_revoked("any", cell.now.seconds()) && !standing.has_revoked("any", cell.now.seconds() + 1));
}

#[test]
fn a_wrong_proof_spends_nothing() {
    let mut cell = Cell::new();
    cell.open("a");
    let before = serde_json::to_string(&cell.record).unwrap();
    let wrong = vec![Master::derive(b"x").digest("api_key", "other")];
    for proof in [Proof::Assertion { generation: 1, jti: None }, Proof::ApiKey { digests: wrong }, Proof::ApiKey { digests: vec![] }] {
        assert!(matches!(cell.run(Command::Issue { proof, block: Some((place(1), DAY)) }), Outcome::Refused));
    }
    assert_eq!(serde_json::to_string(&cell.record).unwrap(), before);
    let right = vec![Master::derive(b"y").digest("api_key", "key"), Master::derive(b"x").digest("api_key", "key")];
    let Outcome::Issue(_, Some(stamp)) = cell.run(Command::Issue { proof: Proof::ApiKey { digests: right }, block: None }) else {
        panic!("refused")
    };
    assert!(cell.standing().stamp_counts(stamp, cell.now));
    cell.run(Command::RevokeCredential { id: 0 });
    assert!(!cell.standing().stamp_counts(stamp, cell.now));
}

#[test]
fn revoking_a_key_raises_its_own_generation_once() {
    let mut cell = Cell::new();
    cell.open("a");
    for _ in 0..2 {
        cell.run(Command::RevokeCredential { id: 0 });
    }
    let standing = cell.standing();
    let key = standing.credentials.first().unwrap();
    assert!(key.ended && key.generation == 1 && standing.generation == 0 && !standing.ended);
}

#[test]
fn a_registration_whose_mail_failed_is_gone_and_one_that_somebody_has_taken_or_ended_is_not() {
    use super::one::{One, attempt, claim, mailed};

    let open = |number| Command::Open {
        ttl: DAY,
        key: None,
        said: Said::default(),
        idempotency: Some(("request".into(), format!("salt {number}"), Ttl::from_seconds(600))),
        kind: Kind::ServiceAuth,
        claim: Some(claim("claim", Some(mailed(number, 1)))),
    };
    let mut one = One::new();
    one.run(open(1));
    assert!(matches!(one.run(Command::Cancel(mailed(2, 1).id)), Outcome::Standing(_)), "it was opened by another request");
    assert!(matches!(one.run(Command::Cancel(mailed(1, 1).id)), Outcome::Unknown));
    assert!(one.record.is_none());
    assert!(matches!(one.run(open(2)), Outcome::Opened(_, salt) if salt == "salt 2"), "it begins anew");
    type Way = fn(&mut One);
    let ways: [Way; 2] = [|one| drop(one.typed(2, 1, "typed 2")), |one| drop(one.run(Command::End { generation: 0 }))];
    for way in ways {
        let mut one = one.clone();
        way(&mut one);
        assert!(matches!(one.run(Command::Cancel(mailed(2, 1).id)), Outcome::Standing(standing) if standing.claimed || standing.ended));
        assert!(one.record.is_some());
    }
    let mut one = One::new();
    one.step_up(1, 1, 0);
    one.run(Command::Cancel(attempt(1, 1, 0).id));
    assert!(one.record.is_some(), "what was known of a provider's agent is not forgotten");
}
