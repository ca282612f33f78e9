use serde_json::json;

use super::{ACCOUNT, ID, STRICT, grant, is_signed_in, leave, location, press, reason, sign_in_link, sign_in_with, world};
use crate::person::Person;
use crate::provider::with;
use crate::world::World;

/// The account page offers to link the provider; goes there and comes back.
fn link_from_account(person: &mut Person<'_>, world: &World) -> String {
    assert_eq!(person.get(ACCOUNT).status(), 200);
    let away = press(person, ID, &[("link", "1")]);
    grant(world, ID, &away.claims(world));
    let back = person.get(&away.callback("code=c"));
    assert_eq!(back.status(), 303, "{}", reason(&back));
    assert!(location(&back).starts_with("/login/upstream/link?token=upl_"));
    location(&back).to_owned()
}

fn answer(person: &mut Person<'_>, page: &str) -> u16 {
    let token = page.split_once("token=").unwrap().1;
    person.post("/login/upstream/link", &[("token", token)]).status()
}

#[test]
fn an_account_that_is_there_is_not_entered_by_its_address() {
    let world = world();
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let mut other = Person::anybody(&world);
    assert_eq!(sign_in_with(&mut other, &world, ID, |_| {}).status(), 200);
    assert!(other.page.contains("There is an account with the address ada@example.com here already"));
    let login = sign_in_link(&other.page);
    assert!(!is_signed_in(&mut other));
    assert!(login.ends_with("login%5Fhint=ada%40example%2Ecom") || login.ends_with("login_hint=ada%40example%2Ecom"), "{login}");
    assert!(is_signed_in(&mut ada) && ada.page.contains("None is linked."));
    // Whoever can also read the mail is asked, and says yes.
    assert_eq!(other.get(&login).status(), 200);
    let entered = other.enter_by_mail("ada@example.com");
    assert_eq!(entered.status(), 303);
    let page = location(&entered).to_owned();
    assert_eq!(other.get(&page).status(), 200);
    assert!(other.page.contains("Sign in with Example ID from now on?") && other.page.contains("<bdi>ada@example.com"));
    assert_eq!(answer(&mut other, &page), 303);
    let again = sign_in_with(&mut Person::anybody(&world), &world, ID, |_| {});
    assert_eq!(again.status(), 303);
}

#[test]
fn opening_the_question_links_nothing_and_a_no_leaves_it_so() {
    let world = world();
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let page = link_from_account(&mut ada, &world);
    for _ in 0..2 {
        assert_eq!(ada.get(&page).status(), 200);
    }
    assert!(is_signed_in(&mut ada) && ada.page.contains("None is linked."));
    assert_eq!(sign_in_with(&mut Person::anybody(&world), &world, ID, |_| {}).status(), 200, "still not known");
}

#[test]
fn a_question_is_answered_once_in_its_browser_by_its_account_in_time() {
    let world = world();
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let page = link_from_account(&mut ada, &world);
    // Another browser, of the same account.
    let mut elsewhere = Person::sign_in(&world, "ada@example.com");
    assert_eq!(elsewhere.get(&page).status(), 410);
    elsewhere.get(ACCOUNT);
    assert_eq!(answer(&mut elsewhere, &page), 410);
    // A form from nowhere.
    let token = page.split_once("token=").unwrap().1;
    assert_eq!(world.form("/login/upstream/link", &[("token", token)]).status(), 403);
    // In this browser, but under another account.
    ada.get(ACCOUNT);
    assert_eq!(ada.post("/logout", &[]).status(), 303);
    assert_eq!(ada.get(&page).status(), 303, "first of all they sign in");
    ada.get("/login");
    assert_eq!(ada.enter_by_mail("eve@example.com").status(), 303);
    assert_eq!(ada.get(&page).status(), 403);
    assert!(ada.page.contains("This is for another account"));
    assert_eq!(answer(&mut ada, &page), 403);
    // By whom it was put to.
    ada.get(ACCOUNT);
    ada.post("/logout", &[]);
    ada.get("/login");
    ada.enter_by_mail("ada@example.com");
    assert_eq!(ada.get(&page).status(), 200);
    assert_eq!(answer(&mut ada, &page), 303);
    assert_eq!(ada.get(&page).status(), 410);
    ada.get(ACCOUNT);
    assert_eq!(answer(&mut ada, &page), 410);
    ada.get(ACCOUNT);
    let late = {
        let away = press(&mut ada, STRICT, &[("link", "1")]);
        grant(&world, STRICT, &away.claims(&world));
        location(&ada.get(&away.callback("code=c"))).to_owned()
    };
    world.later(600);
    assert_eq!(ada.get(&late).status(), 410);
}

#[test]
fn linking_and_removing_need_a_fresh_sign_in() {
    let world = world();
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let page = link_from_account(&mut ada, &world);
    assert_eq!(ada.get(&page).status(), 200);
    assert_eq!(answer(&mut ada, &page), 303);
    ada.get(ACCOUNT);
    assert!(ada.page.contains("Link another account at Example ID</button>") && ada.page.contains("Link Strict</button>"));
    assert!(ada.page.contains("A provider was linked to sign in with <bdi class=\"soft\">Example ID</bdi>"), "in our words, not its own");
    world.later(900);
    ada.get(ACCOUNT);
    let renewed = "/login?return_to=%2Faccount&max_age=900";
    let stale = ada.post("/login/upstream", &[("provider", STRICT), ("link", "1")]);
    assert_eq!((stale.status(), location(&stale)), (303, renewed));
    let stale = ada.post("/account/identities/remove", &[("identity", "1")]);
    assert_eq!((stale.status(), location(&stale)), (303, renewed));
    assert!(is_signed_in(&mut ada) && ada.page.contains("Example ID <bdi"));
    // Nobody links to an account that nobody has signed in to.
    let mut nobody = Person::anybody(&world);
    nobody.get("/login");
    assert_eq!(nobody.post("/login/upstream", &[("provider", ID), ("link", "1")]).status(), 401);
    nobody.get("/login");
    assert_eq!(nobody.post("/account/identities/remove", &[("identity", "1")]).status(), 401);
}

#[test]
fn a_question_that_has_waited_asks_for_a_fresh_sign_in() {
    let world = world();
    let mut ada = Person::sign_in(&world, "ada@example.com");
    world.later(800);
    let page = link_from_account(&mut ada, &world);
    world.later(101);
    assert_eq!(ada.get(&page).status(), 200);
    let token = page.split_once("token=").unwrap().1;
    let stale = ada.post("/login/upstream/link", &[("token", token)]);
    assert!(location(&stale).starts_with("/login?return_to=%2Flogin%2Fupstream%2Flink%3Ftoken%3Dupl%5F"), "{}", location(&stale));
    assert!(is_signed_in(&mut ada) && ada.page.contains("None is linked."));
}

#[test]
fn whoever_is_signed_out_meanwhile_links_nothing() {
    let world = world();
    let mut ada = Person::sign_in(&world, "ada@example.com");
    ada.get(ACCOUNT);
    let away = press(&mut ada, ID, &[("link", "1")]);
    grant(&world, ID, &away.claims(&world));
    ada.get(ACCOUNT);
    ada.post("/logout", &[]);
    ada.get("/login");
    ada.enter_by_mail("eve@example.com");
    let back = ada.get(&away.callback("code=c"));
    assert_eq!((back.status(), reason(&back).contains("not signed in any more")), (410, true));
}

#[test]
fn an_identity_leads_to_one_account() {
    let world = world();
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let page = link_from_account(&mut ada, &world);
    ada.get(&page);
    answer(&mut ada, &page);
    let mut eve = Person::sign_in(&world, "eve@example.com");
    let page = link_from_account(&mut eve, &world);
    eve.get(&page);
    assert_eq!(answer(&mut eve, &page), 409);
    assert!(eve.page.contains("It is linked to another account"));
    // Once it is removed there, it can be linked here.
    ada.get(ACCOUNT);
    assert_eq!(ada.post("/account/identities/remove", &[("identity", "1")]).status(), 303);
    let page = link_from_account(&mut eve, &world);
    eve.get(&page);
    assert_eq!(answer(&mut eve, &page), 303);
    let mut again = Person::anybody(&world);
    assert_eq!(sign_in_with(&mut again, &world, ID, |_| {}).status(), 303);
    assert!(is_signed_in(&mut again) && again.page.contains("Signed in as <strong><bdi>eve@example.com"));
}

#[test]
fn whoever_was_first_with_a_providers_word_can_be_seen_and_shown_the_door() {
    // Somebody has made the account with the word of a provider that lied, before the owner of the address came.
    let world = world();
    let mut thief = Person::anybody(&world);
    assert_eq!(sign_in_with(&mut thief, &world, ID, |claims| claims["sub"] = json!("thief")).status(), 303);
    let mut ada = Person::sign_in(&world, "ada@example.com");
    assert!(is_signed_in(&mut ada));
    assert!(ada.page.contains("Example ID opened this account before you signed in to it yourself"));
    assert!(ada.page.contains("Example ID <bdi"));
    let removed = ada.post("/account/identities/remove", &[("identity", "1")]);
    assert_eq!((removed.status(), location(&removed)), (303, "/account?done=unlinked"));
    assert!(!is_signed_in(&mut thief), "the session that it opened is over");
    assert!(is_signed_in(&mut ada) && !ada.page.contains("opened this account before"));
    assert!(ada.page.contains("A linked provider was removed"));
    let back = sign_in_with(&mut thief, &world, ID, |claims| claims["sub"] = json!("thief"));
    assert_eq!(back.status(), 200, "from now on it is an account that is there");
    assert!(!is_signed_in(&mut thief));
}

#[test]
fn an_identity_of_somebody_elses_account_cannot_be_removed() {
    let world = world();
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let page = link_from_account(&mut ada, &world);
    ada.get(&page);
    answer(&mut ada, &page);
    let mut eve = Person::sign_in(&world, "eve@example.com");
    eve.get(ACCOUNT);
    assert_eq!(eve.post("/account/identities/remove", &[("identity", "1")]).status(), 409);
    eve.get(ACCOUNT);
    assert_eq!(eve.post("/account/identities/remove", &[("identity", "x")]).status(), 404);
    assert!(is_signed_in(&mut ada) && ada.page.contains("Example ID <bdi"));
}

#[test]
fn a_provider_that_vouches_for_nothing_can_be_linked_by_whoever_proves_their_mail() {
    let world = world();
    let mut ada = Person::anybody(&world);
    let away = leave(&mut ada, ID, "%2Fclaim%3Fclaim_attempt_token%3Dx");
    grant(&world, ID, &with(&away.claims(&world), "email_verified", json!(false)));
    assert_eq!(ada.get(&away.callback("code=c")).status(), 200);
    let login = sign_in_link(&ada.page);
    ada.get(&login);
    let entered = ada.enter_by_mail("someone@example.org");
    let page = location(&entered).to_owned();
    ada.get(&page);
    let token = page.split_once("token=").unwrap().1;
    let linked = ada.post("/login/upstream/link", &[("token", token)]);
    assert_eq!(location(&linked), "/claim?claim_attempt_token=x", "and on to where they wanted to go");
    let mut again = Person::anybody(&world);
    assert_eq!(sign_in_with(&mut again, &world, ID, |claims| claims["email_verified"] = json!(false)).status(), 303);
    assert!(is_signed_in(&mut again) && again.page.contains("<bdi>someone@example.org"));
}
