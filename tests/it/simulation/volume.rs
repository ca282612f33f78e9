//! Many registrations, and ten times as many tokens: what each costs does not grow with how many there were before.
//!
//! Some thousands go through the front door; a hundred thousand, in the long run a million (`DECIDED`), are put to what decides what is written: limits,
//! budgets, registrations, and places in status lists, with neither requests nor signatures.

use std::collections::VecDeque;

use postern::id::RegistrationId;
use postern::machine::budget::{Budget, Command as Draw};
use postern::machine::limit::{Limit, Take, Taken};
use postern::machine::registration::{Command, Outcome, Proof, Registration, Said};
use postern::machine::standing::Kind;
use postern::status;
use postern::store::Cells;
use postern::time::Ttl;
use serde_json::json;

use super::paths::WIDE;
use super::stores::{Region, Tally, at_once};

const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// Each registration gets so many tokens, one after the other.
const TOKENS: usize = 10;
/// Between two tokens of a registration so many others come.
const BETWEEN: usize = 20;
/// In milliseconds.
const APART: u64 = 60;
/// A registration that nobody claims lives so long, in seconds.
const LIFE: u64 = 60;
/// So many networks they come from.
const NETWORKS: usize = 10;

/// How many registrations: of the environment, or so many.
fn registrations(variable: &str, usual: usize) -> usize {
    std::env::var(variable).ok().and_then(|number| number.parse().ok()).unwrap_or(usual)
}

/// A tenth of what there was, as a row of the table.
struct Tenth {
    /// Object calls and writes, of a registration and of a token.
    costs: [f64; 4],
    objects: usize,
}

/// What registrations and tokens have cost since the last row.
#[derive(Default)]
struct Costs {
    registrations: Vec<Tally>,
    made: u64,
    tokens: Vec<Tally>,
    issued: u64,
}

impl Costs {
    fn registration(&mut self, cost: Tally) {
        self.made += 1;
        add(&mut self.registrations, cost);
    }

    fn token(&mut self, cost: Tally) {
        self.issued += 1;
        add(&mut self.tokens, cost);
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of a test")]
    fn tenth(&mut self, region: &Region) -> Tenth {
        let Self { registrations, made, tokens, issued } = std::mem::take(self);
        let per =
            |all: &[Tally], of: u64| all.first().map_or([0.0; 2], |all| [all.calls as f64 / of as f64, all.writes as f64 / of as f64]);
        let ([calls, writes], [of_token, written]) = (per(&registrations, made), per(&tokens, issued));
        Tenth { costs: [calls, writes, of_token, written], objects: region.stores.objects() }
    }
}

fn add(all: &mut Vec<Tally>, cost: Tally) {
    match all.first_mut() {
        Some(sum) => *sum = sum.and(cost),
        None => all.push(cost),
    }
}

/// Says what each tenth has cost, and judges it: the same as before, and no more objects than live.
fn judge(all: usize, tenths: &[Tenth]) {
    println!("{:>13} {:>10}   registration: calls, writes   token: calls, writes   objects", "registrations", "tokens");
    for (Tenth { costs: [calls, writes, of_token, written], objects }, number) in tenths.iter().zip(1..) {
        let made = all / 10 * number;
        println!("{made:>13} {:>10} {calls:>20.3} {writes:>7.3} {of_token:>15.3} {written:>7.3} {objects:>9}", made * TOKENS);
    }
    let usual = tenths[3].costs;
    // Those that live, a limit for each network, and what there is for all.
    let most = usize::try_from(LIFE * 1000 / APART).unwrap() + NETWORKS + 64;
    for Tenth { costs, objects } in &tenths[3..] {
        assert!(costs.iter().zip(usual).all(|(now, usual)| (now - usual).abs() < 0.06), "{costs:?}, and it was {usual:?}");
        assert!(*objects <= most, "{objects} of at most {most}");
    }
    // Two calls and commits, and permits and places for many at once.
    assert!(usual[0] <= 2.4 && usual[1] <= 2.3 && usual[2] <= 1.05 && usual[3] <= 0.25, "{usual:?}");
}

fn region() -> Region {
    let life = LIFE.to_string();
    Region::new(&[&WIDE[..], &[("UNCLAIMED_REGISTRATION_TTL", life.as_str())]].concat())
}

/// All that has lapsed is gone.
fn nothing_stays(region: &Region) {
    region.later(Ttl::from_seconds(2 * 3600));
    assert_eq!((region.stores.of("registration/"), region.stores.of("limit/")), (0, 0));
}

#[test]
fn what_a_registration_and_its_tokens_cost_does_not_grow_and_nothing_stays_of_what_has_lapsed() {
    let (region, all) = (region(), registrations("REGISTRATIONS", 2000));
    let address = |number: usize| format!("198.51.{}.{}", number % NETWORKS, number % 250);
    let register = |number| {
        let (status, body) = region.json(&address(number), "/agent/identity", &json!({ "type": "anonymous" }));
        assert_eq!(status, 200, "{body}");
        body["identity_assertion"].as_str().unwrap().to_owned()
    };
    let token = |assertion: &String, _, number| {
        let (status, body) = region.form(&address(number), "/oauth2/token", &[("grant_type", JWT_BEARER), ("assertion", assertion)]);
        assert_eq!(status, 200, "{body}");
    };
    go_through(&region, all, register, token);
}

/// All registrations, one after the other, with the tokens of those before; `token` is told which of the agent's it is, and after which
/// registration.
fn go_through<A>(region: &Region, all: usize, register: impl Fn(usize) -> A, token: impl Fn(&A, usize, usize)) {
    let (mut live, mut costs, mut tenths) = (VecDeque::new(), Costs::default(), Vec::new());
    for number in 0..all {
        let before = region.stores.tally.get();
        live.push_front(register(number));
        costs.registration(region.stores.tally.get().since(before));
        live.truncate(TOKENS * BETWEEN);
        for (agent, place) in live.iter().step_by(BETWEEN).zip(0..) {
            let before = region.stores.tally.get();
            token(agent, place, number);
            costs.token(region.stores.tally.get().since(before));
        }
        region.later(Ttl::from_millis(APART));
        if (number + 1) % (all / 10) == 0 {
            tenths.push(costs.tenth(region));
        }
    }
    judge(all, &tenths);
    nothing_stays(region);
}

/// What an isolate does for one registration and for one token, and nothing else.
struct Isolate<'a>(&'a Region);

impl Isolate<'_> {
    fn run<M: postern::machine::Machine>(&self, id: &M::Id, command: M::Command) -> M::Outcome {
        at_once(self.0.stores.run::<M>(id, command)).unwrap()
    }

    fn register(&self, number: usize) -> RegistrationId {
        let network = format!("198.51.{}.0/24", number % NETWORKS);
        let mut take = Take {
            narrow: Some(format!("198.51.{}.{}", number % NETWORKS, number % 250)),
            per_narrow: 100_000,
            per_whole: 1_000_000,
            permits: None,
            request: None,
        };
        while let (Taken::PermitNeeded { want }, _) = self.run::<Limit>(&network, take.clone()) {
            take.permits = Some(self.run::<Budget>(&"share-0".to_owned(), Draw::Lease { want, limit: 10_000_000 }));
        }
        let id = RegistrationId::from_bytes((number as u128).to_be_bytes());
        let open = Command::Open {
            ttl: Ttl::from_seconds(LIFE),
            key: None,
            said: Said::default(),
            idempotency: None,
            kind: Kind::Anonymous,
            claim: None,
        };
        assert!(matches!(self.run::<Registration>(&id, open), Outcome::Standing(_)));
        id
    }

    /// The places of the first eight tokens come with the first, those of the next sixteen with the ninth.
    fn token(&self, id: &RegistrationId, number: usize) {
        let len = match number {
            0 => Some(status::FIRST),
            8 => Some(2 * status::FIRST),
            _ => None,
        };
        let cx = self.0.cx("198.51.100.1");
        let block = len.map(|len| (at_once(status::block(len, &cx)).unwrap(), Ttl::from_seconds(300)));
        let issue = Command::Issue { proof: Proof::Assertion { generation: 0, jti: None }, block };
        assert!(matches!(self.run::<Registration>(id, issue), Outcome::Issue(..)));
    }
}

#[test]
fn a_million_registrations_and_ten_million_tokens_are_decided_at_the_same_cost_from_first_to_last() {
    let (region, all) = (region(), registrations("DECIDED", 100_000));
    let isolate = Isolate(&region);
    go_through(&region, all, |number| isolate.register(number), |id, place, _| isolate.token(id, place));
}
