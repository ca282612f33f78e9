//! What a person sees of the agents below theirs, and what they may do about them.

use postern::account;
use postern::id::{AccountId, CredentialId, DelegationId, RegistrationId};
use postern::machine::registration::{Command, NewKey, Outcome, Registration, Said};
use postern::secret::{ApiKey, Secret};
use postern::store::{Accounts, Cells};
use postern::tenant::{self, AgentType, AuditFilter, AuditRow, Credential, DelegationStatus, Profile, What};
use postern::time::{Timestamp, Ttl};

use crate::person::Person;
use crate::personal_keys::{ADA, make, me, registration, world};
use crate::world::{START, World, block};

/// A personal API key with a child and that one's child, each with a key.
struct Tree<'w> {
    world: &'w World,
    root: RegistrationId,
    key: String,
    child: RegistrationId,
    grandchild: RegistrationId,
    child_key: String,
    grandchild_key: String,
}

impl<'w> Tree<'w> {
    fn of(world: &'w World, ada: &mut Person<'_>) -> Self {
        let key = make(ada, &[("name", "Orchestra"), ("may.api.read", "1"), ("may.agents.write", "1")]);
        let root: RegistrationId = registration(&key).parse().unwrap();
        let [child, grandchild] = [7, 8].map(|name| RegistrationId::from_bytes([name; 16]));
        let mut tree = Self { world, root, key, child, grandchild, child_key: String::new(), grandchild_key: String::new() };
        let (root, child, grandchild) = (tree.root.clone(), tree.child.clone(), tree.grandchild.clone());
        tree.add(&child, "first <b>", std::slice::from_ref(&root));
        tree.add(&grandchild, "second", &[root, child.clone()]);
        tree.child_key = tree.new_key(&child, 1);
        tree.grandchild_key = tree.new_key(&grandchild, 2);
        tree
    }

    fn add(&self, id: &RegistrationId, name: &str, ancestors: &[RegistrationId]) {
        let adopt = Command::Adopt { ancestors: ancestors.to_vec(), expires: Timestamp::NEVER, said: Said::default() };
        assert!(matches!(block(self.world.platform.run::<Registration>(id, adopt)).unwrap(), Outcome::Standing(_)));
        let profile = Profile {
            name: name.to_owned(),
            agent_type: AgentType::Tool,
            description: None,
            homepage_url: None,
            public_key: None,
            max_child_depth: 3,
            metadata: "{}".to_owned(),
        };
        let parent = ancestors.last().unwrap().clone();
        let made = self.ask(What::Create { id: id.clone(), parent, ephemeral: false, profile });
        assert!(matches!(made, tenant::Outcome::Agent(..)), "{made:?}");
    }

    fn new_key(&self, id: &RegistrationId, number: u8) -> String {
        let config = &self.world.config;
        let secret = Secret::<ApiKey>::mint(&config.api_key_prefix, id.digits(), [number; 32], &config.masters.current);
        let new = NewKey { digest: secret.digest(), scope: None, lifetime: None, expires: None, limited: false, root_generation: None };
        let made = block(self.world.platform.run::<Registration>(id, Command::AddManagedKey(new))).unwrap();
        let Outcome::Credential(_, cell) = made else { panic!("{made:?}") };
        let credential = Credential {
            id: credential(number),
            agent: id.clone(),
            number: cell,
            kind: "api_key".to_owned(),
            prefix: format!("prefix_{number}"),
            scopes: None,
            expires: None,
            last_used: None,
            last_rotated: None,
            revoked: None,
            token_lifetime_seconds: None,
            metadata: "{}".to_owned(),
            created: START,
            updated: START,
        };
        assert!(matches!(self.ask(What::AddCredential(Box::new(credential))), tenant::Outcome::Credential(..)));
        secret.reveal()
    }

    fn ask(&self, what: What) -> tenant::Outcome {
        let id = AccountId::from_digits(self.root.digits());
        let command = tenant::Command { caller: None, what, audit: Vec::new(), emit: Vec::new(), retain: Ttl::from_millis(0) };
        match block(self.world.platform.account(&id, account::Command::Tenant(Box::new(command)))).unwrap() {
            account::Outcome::Tenant(outcome) => *outcome,
            other => panic!("{other:?}"),
        }
    }

    /// What was audited, the newest first, but for dead keys that were tried.
    fn audit(&self) -> Vec<AuditRow> {
        let filter = AuditFilter { newest_first: true, limit: 100, ..AuditFilter::default() };
        match self.ask(What::Audit(Box::new(filter))) {
            tenant::Outcome::Audit(rows, _) => {
                rows.into_iter().filter(|(_, _, row)| row.event_type != "authentication.failed").map(|(.., row)| row).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    fn page(&self) -> String {
        format!("/account/agent?id={}", self.root)
    }

    /// Presses a button on the page.
    fn press(&self, person: &mut Person<'_>, action: &str, field: (&str, &str)) -> (u16, String) {
        assert_eq!(person.get("/account").status(), 200);
        let answer = person.post(&format!("/account/agent/{action}"), &[("id", self.root.as_str()), field]);
        (answer.status(), answer.header("location").unwrap_or_default().to_owned())
    }

    fn statuses(&self) -> (u16, u16, u16) {
        let status = |key: &str| me(self.world, key).0;
        (status(&self.key), status(&self.child_key), status(&self.grandchild_key))
    }
}

fn credential(number: u8) -> CredentialId {
    CredentialId::from_bytes([number; 16])
}

fn ada(world: &World) -> AccountId {
    let ids: Vec<AccountId> = world.platform.accounts.borrow().keys().map(|id| id.parse().unwrap()).collect();
    let look = |id: &AccountId| block(world.platform.account(id, account::Command::Look)).unwrap();
    ids.into_iter().find(|id| matches!(look(id), account::Outcome::Person(_))).unwrap()
}

/// All that a person can do with keys of their own and with what is below them.
pub fn everything(world: &World) {
    let mut grace = Person::sign_in(world, "grace@example.com");
    let tree = Tree::of(world, &mut grace);
    assert_eq!(grace.get(&tree.page()).status(), 200);
    for action in ["suspend", "resume"] {
        assert_eq!(tree.press(&mut grace, action, ("agent", tree.child.as_str())).0, 303);
    }
    let key = delegating(&mut grace);
    let id = offer(world, &tree, &key);
    assert_eq!(grace.get(&tree.page()).status(), 200);
    let fields = [("id", tree.root.as_str()), ("delegation", id.as_str()), ("answer", "accept")];
    assert_eq!(grace.post("/account/agent/delegation", &fields).status(), 303);
    assert_eq!(tree.press(&mut grace, "revoke-key", ("credential", credential(2).as_str())).0, 303);
    assert_eq!(grace.get("/account").status(), 200);
    assert_eq!(grace.post("/account/keys/revoke", &[("registration", tree.root.as_str())]).status(), 303);
}

#[test]
fn a_person_sees_the_agents_below_theirs_with_their_keys() {
    let world = world();
    let mut ada = Person::sign_in(&world, ADA);
    let tree = Tree::of(&world, &mut ada);
    assert_eq!(ada.get("/account").status(), 200);
    assert!(ada.page.contains(&format!("href=\"{}\"", tree.page())), "{}", ada.page);
    assert_eq!(ada.get(&tree.page()).status(), 200);
    for said in
        ["“<bdi>Orchestra</bdi>”", "Agents below it: 2", "first &#60;b&#62;", "second", "prefix_1", "prefix_2", "Is called by others"]
    {
        assert!(ada.page.contains(said), "{said}: {}", ada.page);
    }
    assert!(ada.page.contains(&format!("by {}", tree.child)), "who made the second one");
    assert!(ada.page.contains(&tree.key[.."postern_".len() + 8]), "its own key");
    for key in [&tree.key, &tree.child_key, &tree.grandchild_key] {
        assert!(!ada.page.contains(key.rsplit_once('_').unwrap().1));
    }
}

#[test]
fn whatever_is_below_a_key_may_no_more_than_the_key() {
    let world = world();
    let mut ada = Person::sign_in(&world, ADA);
    let tree = Tree::of(&world, &mut ada);
    for key in [&tree.child_key, &tree.grandchild_key] {
        let (status, me) = me(&world, key);
        assert_eq!(status, 200);
        assert_eq!((&me["scopes"], &me["management_scopes"]), (&serde_json::json!(["api.read"]), &serde_json::json!(["agents.write"])));
    }
}

#[test]
fn an_agent_below_is_suspended_and_goes_on_and_so_does_what_is_below_it() {
    let world = world();
    let mut ada = Person::sign_in(&world, ADA);
    let tree = Tree::of(&world, &mut ada);
    assert_eq!(tree.statuses(), (200, 200, 200));
    let child = ("agent", tree.child.as_str());
    assert_eq!(tree.press(&mut ada, "suspend", child), (303, format!("{}&done=suspended", tree.page())));
    assert_eq!(tree.statuses(), (200, 401, 401));
    assert_eq!(ada.get(&format!("{}&done=suspended", tree.page())).status(), 200);
    for said in ["The agent is suspended, with all below it.", ">suspended<", "held up by one above it", "Let it go on"] {
        assert!(ada.page.contains(said), "{said}: {}", ada.page);
    }
    let row = tree.audit().remove(0);
    assert_eq!((row.event_type.as_str(), row.actor_type.as_str(), row.action.as_str()), ("agent.suspended", "account", "suspended"));
    assert_eq!((row.actor_id, row.target_id), (Some(self::ada(&world).to_string()), Some(tree.child.to_string())));
    assert_eq!(tree.press(&mut ada, "resume", child).0, 303);
    world.later(1);
    assert_eq!(tree.statuses(), (200, 200, 200));
    assert_eq!(tree.audit().remove(0).event_type, "agent.reactivated");
}

#[test]
fn a_key_of_an_agent_below_is_revoked_and_the_others_go_on() {
    let world = world();
    let mut ada = Person::sign_in(&world, ADA);
    let tree = Tree::of(&world, &mut ada);
    let one = credential(1);
    assert_eq!(tree.press(&mut ada, "revoke-key", ("credential", one.as_str())), (303, format!("{}&done=key", tree.page())));
    assert_eq!(tree.statuses(), (200, 401, 200));
    assert_eq!(ada.get(&tree.page()).status(), 200);
    assert!(!ada.page.contains("prefix_1") && ada.page.contains("prefix_2"));
    let row = tree.audit().remove(0);
    assert_eq!(
        (row.event_type.as_str(), row.actor_type.as_str(), row.target_id.as_deref()),
        ("credential.revoked", "account", Some(one.as_str()))
    );
    assert_eq!(tree.press(&mut ada, "revoke-key", ("credential", one.as_str())).0, 303, "again is as good as once");
}

#[test]
fn a_tree_of_somebody_else_is_not_found_and_nothing_of_it_changes() {
    let world = world();
    let mut ada = Person::sign_in(&world, ADA);
    let tree = Tree::of(&world, &mut ada);
    let mut eve = Person::sign_in(&world, "eve@example.com");
    let of_eve = make(&mut eve, &[("name", "Eve"), ("may.api.read", "1")]);
    let of_eve = registration(&of_eve);
    assert_eq!(eve.get(&tree.page()).status(), 404);
    let (child, key) = (tree.child.to_string(), credential(1).to_string());
    for root in [tree.root.as_str(), child.as_str(), &of_eve, "reg_0000000000000000000000", ""] {
        for (action, field) in [("suspend", ("agent", child.as_str())), ("resume", ("agent", &child)), ("revoke-key", ("credential", &key))]
        {
            assert_eq!(eve.get("/account").status(), 200);
            assert_eq!(eve.post(&format!("/account/agent/{action}"), &[("id", root), field]).status(), 404, "{action} below {root}");
        }
    }
    assert_eq!(tree.statuses(), (200, 200, 200));
    // Nor is the root suspended as if it were below itself, or an agent that is nowhere.
    for id in [tree.root.as_str(), "reg_0000000000000000000000", "x"] {
        assert_eq!(tree.press(&mut ada, "suspend", ("agent", id)).0, 404, "{id}");
    }
    assert_eq!(tree.statuses(), (200, 200, 200));
    // A child is nobody's by itself.
    assert_eq!(ada.get(&format!("/account/agent?id={child}")).status(), 404);
}

#[test]
fn what_a_key_has_made_ends_with_it() {
    let world = world();
    let mut ada = Person::sign_in(&world, ADA);
    let tree = Tree::of(&world, &mut ada);
    assert_eq!(ada.get("/account").status(), 200);
    assert_eq!(ada.post("/account/keys/revoke", &[("registration", tree.root.as_str())]).status(), 303);
    world.later(1);
    assert_eq!(tree.statuses(), (401, 401, 401));
    let row = tree.audit().remove(0);
    assert_eq!((row.event_type.as_str(), row.actor_type.as_str()), ("agent.revoked", "account"));
    assert_eq!(ada.get(&tree.page()).status(), 200);
    assert!(ada.page.contains("and all below it with it") && !ada.page.contains("/account/agent/suspend"));
}

#[test]
fn whoever_has_not_signed_in_does_so_and_comes_back() {
    let world = world();
    let mut ada = Person::sign_in(&world, ADA);
    let tree = Tree::of(&world, &mut ada);
    let mut again = Person::anybody(&world);
    let answer = again.get(&tree.page());
    let login = answer.header("location").unwrap().to_owned();
    assert_eq!(again.get(&login).status(), 200);
    assert_eq!(again.again(ADA), tree.page());
    assert_eq!(again.get(&tree.page()).status(), 200);
}

#[test]
fn pages_of_a_large_tree_lose_nobody() {
    let world = world();
    let mut ada = Person::sign_in(&world, ADA);
    let tree = Tree::of(&world, &mut ada);
    for number in 20..65 {
        tree.add(&RegistrationId::from_bytes([number; 16]), &format!("agent {number}"), std::slice::from_ref(&tree.root));
    }
    let (mut next, mut seen) = (Some(tree.page()), Vec::new());
    while let Some(path) = next {
        assert_eq!(ada.get(&path).status(), 200);
        assert!(ada.page.contains("Agents below it: 47"));
        seen.extend(ada.page.match_indices("name=\"agent\" value=\"").map(|(at, found)| ada.page[at + found.len()..][..26].to_owned()));
        assert!(seen.len() <= 47, "{seen:?}");
        let page = ada.page.replace("&#38;", "&").replace("&amp;", "&");
        let more = page.split_once("More agents").map(|(before, _)| before.rsplit_once("href=\"").unwrap().1);
        next = more.map(|href| href.split('#').next().unwrap().to_owned());
    }
    let all: std::collections::BTreeSet<&String> = seen.iter().collect();
    assert_eq!((seen.len(), all.len()), (47, 47));
}

#[test]
fn pages_of_many_offers_and_delegations_lose_none_and_say_how_many_there_are() {
    let world = world();
    let mut ada = Person::sign_in(&world, ADA);
    let tree = Tree::of(&world, &mut ada);
    let elsewhere = |name: u8| RegistrationId::from_bytes([name; 16]);
    let row = |name: u8| tenant::Delegation {
        peer: Some(AccountId::from_bytes([name / 8; 16])),
        ..crate::tenant::made(DelegationId::from_bytes([name; 16]), tree.child.clone(), elsewhere(99), START)
    };
    let put = |row| assert!(matches!(tree.ask(What::PutDelegation(Box::new(row))), tenant::Outcome::Delegation(_, true)));
    for name in 0..45 {
        put(row(name));
    }
    for name in 100..125 {
        let (delegator, delegate) = (elsewhere(98), tree.child.clone());
        put(tenant::Delegation { delegator, delegate, offered: true, status: DelegationStatus::Pending, ..row(name) });
    }
    let mut shown = |words: &str| {
        let (mut next, mut seen) = (Some(tree.page()), std::collections::BTreeSet::new());
        for _ in 0..9 {
            let Some(path) = next.take() else { break };
            assert_eq!(ada.get(&path).status(), 200);
            for said in ["Offered to them: 25", "Rights that they have handed on, or were handed: 45"] {
                assert!(ada.page.contains(said), "{said}: {}", ada.page);
            }
            let ids =
                ada.page.match_indices("name=\"delegation\" value=\"").map(|(at, found)| ada.page[at + found.len()..][..26].to_owned());
            seen.extend(ids);
            let page = ada.page.replace("&#38;", "&").replace("&amp;", "&");
            let more = page.split_once(words).map(|(before, _)| before.rsplit_once("href=\"").unwrap().1);
            next = more.map(|href| href.split('#').next().unwrap().to_owned());
        }
        seen.len()
    };
    // With each page of the one comes the first of the other.
    assert_eq!([shown("More offers"), shown("More delegations")], [25 + 20, 45 + 20]);
    assert_eq!(ada.get(&format!("{}&offers=40&delegations=20", tree.page())).status(), 200);
    for said in ["There are no more.", "First offers", "First delegations", "&#38;delegations=40#delegations"] {
        assert!(ada.page.contains(said), "{said}: {}", ada.page);
    }
}

#[test]
fn a_key_that_works_is_shown_however_many_have_expired_before() {
    let world = world();
    let mut ada = Person::sign_in(&world, ADA);
    let tree = Tree::of(&world, &mut ada);
    let tenant::Outcome::Credential(one, _) = tree.ask(What::Credential(credential(1))) else { panic!() };
    for name in 50..200 {
        let id = credential(name);
        let (number, expires) = (name.into(), (name < 199).then(|| START.plus(Ttl::from_seconds(60))));
        let more = Credential { id, number, expires, prefix: format!("more_{name}_"), ..(*one).clone() };
        assert!(matches!(tree.ask(What::AddCredential(Box::new(more))), tenant::Outcome::Credential(..)));
    }
    world.later(60);
    assert_eq!(ada.get(&tree.page()).status(), 200);
    assert!(ada.page.contains("prefix_1") && ada.page.contains("more_199_") && !ada.page.contains("more_198_"), "{}", ada.page);
}

#[test]
fn an_agent_that_could_not_be_let_go_on_is_still_listed_as_suspended_and_the_button_is_there() {
    let world = world();
    let mut ada = Person::sign_in(&world, ADA);
    let tree = Tree::of(&world, &mut ada);
    let child = ("agent", tree.child.as_str());
    assert_eq!(tree.press(&mut ada, "suspend", child).0, 303);
    let lost: &'static str = format!("registration/{}", tree.child).leak();
    world.platform.lost.borrow_mut().push(lost);
    assert_eq!(tree.press(&mut ada, "resume", child).0, 503);
    world.platform.lost.borrow_mut().clear();
    assert_eq!(ada.get(&tree.page()).status(), 200);
    assert!(ada.page.contains("/account/agent/resume"), "{}", ada.page);
    world.later(1);
    assert_eq!(tree.statuses(), (200, 401, 401));
    assert_eq!(tree.press(&mut ada, "resume", child).0, 303);
    world.later(1);
    assert_eq!(tree.statuses(), (200, 200, 200));
}

/// An agent of somebody else offers to the child of the tree: its key, and the delegation.
fn offer(world: &World, tree: &Tree<'_>, from: &str) -> String {
    let body = serde_json::json!({ "delegate_agent_id": tree.child, "scopes": ["api.read"], "constraints": { "amount": { "max": 100 } } });
    let headers = [("x-agent-key", from), ("content-type", "application/json")];
    let answer = world.send("192.0.2.1", "POST", "/api/v1/delegations", &headers, &body.to_string());
    assert_eq!(answer.status(), 201, "{}", answer.json());
    answer.text("id")
}

fn status(world: &World, key: &str, id: &str) -> String {
    world.send("192.0.2.1", "GET", &format!("/api/v1/delegations/{id}"), &[("x-agent-key", key)], "").text("status")
}

fn delegating(eve: &mut Person<'_>) -> String {
    make(
        eve,
        &[("name", "Eve"), ("may.api.read", "1"), ("may.delegations.write", "1"), ("may.delegations.read", "1"), ("may.audit.read", "1")],
    )
}

#[test]
fn a_person_accepts_declines_and_ends_what_is_delegated_to_the_agents_below_theirs() {
    let world = world();
    let mut ada = Person::sign_in(&world, ADA);
    let tree = Tree::of(&world, &mut ada);
    let mut eve = Person::sign_in(&world, "eve@example.com");
    let key = delegating(&mut eve);
    let [one, two] = [0; 2].map(|_| offer(&world, &tree, &key));
    assert_eq!(ada.get(&tree.page()).status(), 200);
    for said in
        ["Offered to them: 2", "amount is at most 100", "across accounts", "link 1 of a chain of at most 3", one.as_str(), two.as_str()]
    {
        assert!(ada.page.contains(said), "{said}: {}", ada.page);
    }
    let mut press = |answer: &str, id: &str| {
        assert_eq!(ada.get("/account").status(), 200);
        let fields = [("id", tree.root.as_str()), ("delegation", id), ("answer", answer)];
        let answer = ada.post("/account/agent/delegation", &fields);
        (answer.status(), answer.header("location").unwrap_or_default().to_owned())
    };
    assert_eq!(press("accept", &one), (303, format!("{}&done=accepted", tree.page())));
    assert_eq!(press("decline", &two).0, 303);
    assert_eq!((status(&world, &key, &one), status(&world, &key, &two)), ("active".into(), "declined".into()));
    assert_eq!(press("decline", &one).0, 409, "it was taken before");
    assert_eq!(press("accept", &two).0, 400, "it was declined");
    assert_eq!(press("nothing", &one).0, 400);
    let row = tree.audit().into_iter().find(|row| row.event_type == "delegation.accepted").unwrap();
    assert_eq!((row.actor_type.as_str(), row.actor_id), ("account", Some(self::ada(&world).to_string())));
    // Whose person that is, is told to nobody else.
    let audit = world.send("192.0.2.1", "GET", "/api/v1/audit/events", &[("x-agent-key", &key)], "").json().to_string();
    assert!(audit.contains("delegation.accepted") && !audit.contains(self::ada(&world).as_str()), "{audit}");
    assert_eq!(press("end", &one).0, 303);
    assert_eq!(status(&world, &key, &one), "revoked");
}

#[test]
fn nobody_answers_or_ends_a_delegation_of_others_on_their_page() {
    let world = world();
    let mut ada = Person::sign_in(&world, ADA);
    let tree = Tree::of(&world, &mut ada);
    let mut eve = Person::sign_in(&world, "eve@example.com");
    let key = delegating(&mut eve);
    let id = offer(&world, &tree, &key);
    let mut mallory = Person::sign_in(&world, "mallory@example.com");
    let of_mallory = make(&mut mallory, &[("name", "M"), ("may.api.read", "1")]);
    let of_mallory = registration(&of_mallory);
    for answer in ["accept", "decline", "end"] {
        for (root, id) in
            [(tree.root.as_str(), id.as_str()), (&of_mallory, &id), (&of_mallory, "dlg_0000000000000000000000"), (&of_mallory, "")]
        {
            assert_eq!(mallory.get("/account").status(), 200);
            let fields = [("id", root), ("delegation", id), ("answer", answer)];
            assert_eq!(mallory.post("/account/agent/delegation", &fields).status(), 404, "{answer} {root} {id}");
        }
    }
    // Whoever offers may take it back, and not accept it for the other side.
    let of_eve = registration(&key);
    for (answer, expected) in [("accept", 400), ("decline", 400), ("end", 303)] {
        assert_eq!(eve.get("/account").status(), 200);
        let fields = [("id", of_eve.as_str()), ("delegation", &id), ("answer", answer)];
        assert_eq!(eve.post("/account/agent/delegation", &fields).status(), expected, "{answer}");
    }
    assert_eq!(status(&world, &key, &id), "revoked");
}
