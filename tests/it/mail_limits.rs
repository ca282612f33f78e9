//! How much mail goes out, and what comes of it when no more does.

use serde_json::json;

use crate::person::{Person, mailed_code};
use crate::world::{Answer, World};

pub const HERE: &str = "198.51.100.7";
pub const THERE: &str = "203.0.113.9";

/// So many mails an hour to an address, from a network, and in all.
pub fn limited(address: u32, network: u32, all: u32) -> World {
    let [address, network, all] = [address, network, all].map(|limit| limit.to_string());
    World::new(&[("MAILS_PER_ADDRESS_PER_HOUR", &address), ("MAILS_PER_NETWORK_PER_HOUR", &network), ("MAILS_PER_HOUR", &all)])
}

/// Somebody at a new browser asks for a code.
fn ask<'w>(world: &'w World, from: &str, email: &str) -> (Person<'w>, Answer) {
    let mut person = Person::at(world, from);
    assert_eq!(person.get("/login").status(), 200);
    let answer = person.post("/login", &[("email", email)]);
    (person, answer)
}

pub fn status(world: &World, from: &str, email: &str) -> u16 {
    ask(world, from, email).1.status()
}

pub fn mails(world: &World) -> usize {
    world.platform.mails.borrow().len()
}

pub fn send(world: &World, from: &str, path: &str, body: &serde_json::Value) -> Answer {
    world.send(from, "POST", path, &[("content-type", "application/json")], &body.to_string())
}

/// The claim token of an agent of auth.md v0.1.
pub fn agent(world: &World, from: &str) -> String {
    send(world, from, "/agent/auth", &json!({ "type": "anonymous", "requested_credential_type": "api_key" })).text("claim_token")
}

/// Has the person mailed a link.
pub fn claim(world: &World, from: &str, token: &str, email: &str) -> Answer {
    send(world, from, "/agent/auth/claim", &json!({ "claim_token": token, "email": email }))
}

/// Registers in the person's name, which has them mailed a link.
pub fn by_mail(email: &str) -> serde_json::Value {
    let kind = "identity_assertion";
    json!({ "type": kind, "assertion_type": "verified_email", "assertion": email, "requested_credential_type": "api_key" })
}

/// Where the link in the newest letter leads.
pub fn link(world: &World) -> String {
    let letter = world.platform.mails.borrow().last().unwrap().links[0].clone();
    letter.strip_prefix(crate::world::ISSUER).unwrap().to_owned()
}

pub fn opens(world: &World, link: &str) -> u16 {
    Person::at(world, HERE).get(link).status()
}

/// A page as its browser has it, less what is made anew for each.
fn seen(answer: &Answer) -> String {
    let page = String::from_utf8_lossy(answer.0.body()).into_owned();
    let nonce = answer.header("content-security-policy").unwrap().split_once("'nonce-").unwrap().1.split('\'').next().unwrap().to_owned();
    let headers: Vec<String> =
        answer.0.headers().iter().map(|header| format!("{header:?}")).filter(|line| !line.contains("x-request-id")).collect();
    format!("{} {}\n{page}", answer.status(), headers.join("\n")).replace(&nonce, "NONCE")
}

#[test]
fn beyond_an_addresss_limit_the_answer_is_the_same_and_no_code_opens_the_sign_in() {
    // Both worlds have the same chance: what would have been mailed in the one is mailed in the other.
    let (tight, roomy) = (limited(1, 100, 100), limited(2, 100, 100));
    for world in [&tight, &roomy] {
        assert_eq!(status(world, HERE, "ada@example.com"), 200);
    }
    let ((mut refused, silent), (mut allowed, open)) = (ask(&tight, THERE, "ada@example.com"), ask(&roomy, THERE, "ada@example.com"));
    assert_eq!((mails(&tight), mails(&roomy)), (1, 2));
    assert_eq!(seen(&silent), seen(&open), "nothing tells that there was no mail");
    let code = mailed_code(&roomy);
    assert_eq!(refused.post("/login/code", &[("code", &code)]).status(), 400, "nobody was mailed that code, so it must not open anything");
    assert_eq!(allowed.post("/login/code", &[("code", &code)]).status(), 303);
    assert_eq!(refused.get("/account").status(), 303);
}

#[test]
fn whoever_asks_for_an_address_that_has_had_enough_has_asked_all_the_same() {
    let world = limited(1, 3, 100);
    for _ in 0..3 {
        assert_eq!(status(&world, HERE, "ada@example.com"), 200);
    }
    assert_eq!(mails(&world), 1);
    assert_eq!(status(&world, HERE, "ada@example.com"), 429, "three of the network's three");
    assert_eq!(status(&world, HERE, "eve@example.com"), 429, "for every address alike");
    assert_eq!(status(&world, THERE, "eve@example.com"), 200);
}

#[test]
fn what_does_not_go_out_is_none_of_the_deployments_mails() {
    let world = limited(1, 100, 2);
    for _ in 0..6 {
        assert_eq!(status(&world, HERE, "ada@example.com"), 200);
    }
    assert_eq!(status(&world, HERE, "eve@example.com"), 200);
    assert_eq!(mails(&world), 2);
    assert_eq!(status(&world, HERE, "bob@example.com"), 429);
}

#[test]
fn a_code_that_was_mailed_before_keeps_working() {
    let world = limited(1, 100, 100);
    let (mut first, _) = ask(&world, HERE, "ada@example.com");
    let code = mailed_code(&world);
    let (mut other, _) = ask(&world, THERE, "ada@example.com");
    assert_eq!(other.post("/login/code", &[("code", &code)]).status(), 400, "it is of another page");
    // The same browser asks once more: its newer page has no code, the older one still has.
    let older = first.page.clone();
    assert_eq!(first.get("/login").status(), 200);
    assert_eq!(first.post("/login", &[("email", "ada@example.com")]).status(), 200);
    assert_eq!(mails(&world), 1);
    assert_eq!(first.post("/login/code", &[("code", &code)]).status(), 400);
    first.page = older;
    assert_eq!(first.post("/login/code", &[("code", &code)]).status(), 303);
    assert_eq!(first.get("/account").status(), 200);
    world.later(3600);
    assert_eq!(status(&world, HERE, "ada@example.com"), 200);
    assert_eq!(mails(&world), 2, "an hour later mail goes out again");
}

#[test]
fn a_link_that_was_mailed_before_outlives_a_claim_that_is_refused() {
    let world = limited(1, 100, 100);
    let token = agent(&world, HERE);
    assert_eq!(claim(&world, HERE, &token, "ada@example.com").status(), 200);
    let first = link(&world);
    assert_eq!(claim(&world, HERE, &token, "eve@example.com").status(), 200);
    let second = link(&world);
    assert_eq!((opens(&world, &first), opens(&world, &second)), (404, 200), "the newer one takes the older one's place");
    let refused = claim(&world, HERE, &token, "ada@example.com");
    assert_eq!((refused.status(), refused.text("error").as_str()), (429, "rate_limited"));
    assert!(refused.header("retry-after").is_some());
    let another = agent(&world, THERE);
    assert_eq!(claim(&world, THERE, &another, "eve@example.com").status(), 429);
    assert_eq!((mails(&world), opens(&world, &second)), (2, 200), "what is refused takes no link's place");
    let early = send(&world, THERE, "/agent/auth/claim/complete", &json!({ "claim_token": another, "otp": "123456" }));
    assert_eq!(early.text("error"), "otp_not_generated", "and begins nothing");
}

#[test]
fn a_claim_for_an_address_that_has_had_enough_counts_against_its_network() {
    let world = limited(1, 4, 100);
    let token = agent(&world, HERE);
    assert_eq!(claim(&world, HERE, &token, "ada@example.com").status(), 200);
    let records = |world: &World| world.platform.cells.borrow().keys().filter(|name| name.starts_with("registration/")).count();
    let (other, before) = (agent(&world, THERE), records(&world));
    assert_eq!(claim(&world, HERE, &other, "ada@example.com").status(), 429);
    assert_eq!(send(&world, HERE, "/agent/auth", &by_mail("ada@example.com")).status(), 429);
    assert_eq!(records(&world), before, "no registration stays of one that is refused");
    assert_eq!(status(&world, HERE, "ada@example.com"), 200, "a sign-in says nothing of it");
    assert_eq!(claim(&world, HERE, &other, "eve@example.com").status(), 429, "that were four from here");
    assert_eq!(claim(&world, THERE, &other, "eve@example.com").status(), 200);
    assert_eq!(mails(&world), 2);
}

#[test]
fn many_networks_of_one_ipv6_48_share_ten_times_the_limit() {
    let world = limited(100, 2, 1000);
    let from = |site: u32, net: u32, host: u32| format!("2001:db8:{site:x}:{net:x}::{host:x}");
    for net in 0..10 {
        for host in 1..=2 {
            assert_eq!(status(&world, &from(1, net, host), &format!("a{net}-{host}@example.com")), 200, "{net} {host}");
        }
    }
    let refused = ask(&world, &from(1, 10, 1), "one-more@example.com").1;
    assert_eq!((refused.status(), refused.header("retry-after")), (429, Some("3600")));
    let token = agent(&world, &from(1, 0xffff, 1));
    assert_eq!(claim(&world, &from(1, 0xffff, 1), &token, "one-more@example.com").status(), 429, "claims and sign-ins alike");
    assert_eq!(mails(&world), 20);
    assert_eq!(status(&world, &from(2, 10, 1), "b@example.com"), 200, "the next /48 is not concerned");
    assert_eq!(status(&world, HERE, "c@example.com"), 200, "nor is IPv4");
    world.later(3600);
    assert_eq!(status(&world, &from(1, 10, 1), "one-more@example.com"), 200);
}

#[test]
fn many_addresses_of_one_ipv4_24_share_ten_times_the_limit() {
    let world = limited(100, 1, 1000);
    for host in 1..=10 {
        assert_eq!(status(&world, &format!("203.0.113.{host}"), &format!("a{host}@example.com")), 200, "{host}");
    }
    assert_eq!(status(&world, "203.0.113.11", "b@example.com"), 429);
    assert_eq!(status(&world, "203.0.114.11", "b@example.com"), 200);
}

#[test]
fn what_one_network_is_refused_is_not_taken_from_those_around_it() {
    let world = limited(100, 2, 1000);
    for turn in 0..40 {
        assert_eq!(status(&world, "2001:db8:1:1::1", &format!("a{turn}@example.com")), if turn < 2 { 200 } else { 429 });
    }
    for turn in 0..2 {
        assert_eq!(status(&world, "2001:db8:1:2::1", &format!("b{turn}@example.com")), 200, "a /64 cannot shut its neighbours out");
    }
}
