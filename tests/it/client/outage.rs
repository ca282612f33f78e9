//! How long a document is kept, and what serves while its origin does not.

use postern::client::AuthMethod;
use postern::oauth::error::{ErrorCode, Refusal};
use serde_json::json;

use super::{URL, document, find, is_stale};
use crate::provider::{answer, fetches, publish, with};
use crate::world::{World, together};

const DAY: u64 = 86_400;

fn name(world: &World) -> Option<String> {
    find(world, URL).unwrap().unwrap().metadata.client_name.clone()
}

fn renamed(world: &World, name: &str) {
    publish(world, URL, &with(&document(), "client_name", json!(name)), None);
}

fn gone(world: &World) {
    world.platform.outside.borrow_mut().clear();
}

#[test]
fn a_document_is_kept_for_its_max_age_but_half_a_minute_at_least_and_a_day_at_most() {
    for (max_age, lifetime) in [(None, 300), (Some(0), 30), (Some(60), 60), (Some(3600), 3600), (Some(u64::MAX), DAY)] {
        let world = World::new(&[]);
        publish(&world, URL, &document(), max_age);
        assert!(find(&world, URL).is_ok() && find(&world, URL).is_ok());
        world.later(lifetime - 1);
        assert!(find(&world, URL).is_ok() && fetches(&world) == 1, "{max_age:?}");
        world.later(1);
        assert!(find(&world, URL).is_ok() && fetches(&world) == 2, "{max_age:?}");
    }
}

#[test]
fn a_new_isolate_asks_the_directory_first() {
    let mut world = World::new(&[]);
    publish(&world, URL, &document(), Some(3600));
    assert!(!is_stale(&find(&world, URL).unwrap().unwrap()));
    world.forget();
    gone(&world);
    world.later(3599);
    assert!(!is_stale(&find(&world, URL).unwrap().unwrap()));
    assert_eq!(fetches(&world), 1);
    world.later(1);
    assert!(is_stale(&find(&world, URL).unwrap().unwrap()), "and once it is no longer fresh, the origin");
    assert_eq!(fetches(&world), 2);
}

#[test]
fn row_14_an_outage_is_bridged_for_seven_days_across_isolates() {
    let mut world = World::new(&[]);
    publish(&world, URL, &document(), None);
    assert_eq!(name(&world).as_deref(), Some("App"));
    answer(&world, URL, 403, "text/html", "<html>challenge</html>".into(), None);
    for day in 0..7 {
        world.forget();
        world.later(if day == 0 { 301 } else { DAY });
        for _ in 0..5 {
            assert!(is_stale(&find(&world, URL).unwrap().unwrap()), "day {day}");
        }
    }
    assert_eq!(fetches(&world), 8, "one attempt an isolate and minute");
    world.forget();
    world.later(DAY + 3600);
    assert_eq!(find(&world, URL).unwrap_err().code(), ErrorCode::TemporarilyUnavailable);
    world.later(60);
    renamed(&world, "Back");
    assert_eq!(name(&world).as_deref(), Some("Back"));
}

#[test]
fn a_document_that_was_taken_down_makes_no_client_any_more() {
    for status in [404, 410] {
        let mut world = World::new(&[]);
        publish(&world, URL, &document(), Some(60));
        assert!(find(&world, URL).is_ok());
        answer(&world, URL, status, "text/html", "<html>".into(), None);
        world.later(59);
        assert!(find(&world, URL).is_ok(), "while the copy is fresh nobody asks");
        world.later(1);
        assert_eq!(find(&world, URL).unwrap_err().code(), ErrorCode::TemporarilyUnavailable, "{status}");
        gone(&world);
        world.later(60);
        assert!(find(&world, URL).is_err(), "nor is an outage afterwards bridged");
        world.forget();
        assert!(find(&world, URL).is_err(), "by another isolate neither: {:?}", world.platform.directory.borrow());
        renamed(&world, "Back");
        world.later(60);
        assert_eq!(name(&world).as_deref(), Some("Back"));
        world.forget();
        gone(&world);
        assert_eq!(name(&world).as_deref(), Some("Back"), "and it is kept again");
    }
}

#[test]
fn what_comes_with_us_stays_though_its_address_is_gone() {
    let url = "https://claude.ai/oauth/claude-code-client-metadata";
    let mut world = World::new(&[]);
    publish(&world, url, &with(&document(), "client_id", json!(url)), Some(30));
    let name = |world: &World| find(world, url).unwrap().unwrap().metadata.client_name.clone();
    assert_eq!(name(&world).as_deref(), Some("App"));
    answer(&world, url, 404, "text/html", "<html>".into(), None);
    world.later(30);
    assert_eq!(name(&world).as_deref(), Some("App"));
    world.forget();
    world.platform.directory.borrow_mut().clear();
    assert!(is_stale(&find(&world, url).unwrap().unwrap()));
}

#[test]
fn one_isolate_bridges_it_as_well_and_recovers() {
    let world = World::new(&[]);
    renamed(&world, "Old");
    assert_eq!(name(&world).as_deref(), Some("Old"));
    gone(&world);
    world.platform.directory.borrow_mut().clear();
    for _ in 0..6 {
        world.later(DAY);
        assert_eq!(name(&world).as_deref(), Some("Old"));
    }
    renamed(&world, "New");
    world.later(60);
    assert_eq!(name(&world).as_deref(), Some("New"));
    assert!(!is_stale(&find(&world, URL).unwrap().unwrap()));
}

#[test]
fn the_directory_is_written_for_news_and_once_an_hour() {
    let world = World::new(&[]);
    let shelved = || world.platform.directory.borrow().values().find(|value| value.contains("client_id")).cloned().unwrap();
    publish(&world, URL, &document(), Some(30));
    assert!(find(&world, URL).is_ok());
    let first = shelved();
    world.later(30);
    assert!(find(&world, URL).is_ok() && fetches(&world) == 2);
    assert_eq!(shelved(), first, "nothing new");
    world.later(30);
    publish(&world, URL, &with(&document(), "client_name", json!("New")), Some(30));
    assert!(find(&world, URL).is_ok());
    let second = shelved();
    assert!(second.contains("New"));
    world.later(3600);
    assert!(find(&world, URL).is_ok() && shelved() != second);
}

#[test]
fn what_lies_in_the_directory_is_not_believed_blindly() {
    let now = crate::world::START.millis();
    for junk in ["", "x", "1 2", "1\n{}", "a b\n{}", &format!("{now} {}\n[]", now + 1000), &format!("{now} {}\n{{\"a\":1}}", now + 1000)] {
        let mut world = World::new(&[]);
        publish(&world, URL, &document(), None);
        assert!(find(&world, URL).is_ok());
        world.forget();
        world.platform.directory.borrow_mut().values_mut().for_each(|value| junk.clone_into(value));
        assert!(find(&world, URL).is_ok(), "{junk}");
        assert_eq!(fetches(&world), 2);
    }
    let world = World::new(&[]);
    publish(&world, URL, &document(), None);
    world.platform.lost.borrow_mut().push("directory");
    assert!(find(&world, URL).is_ok(), "nor is it needed");
}

#[test]
fn a_document_that_is_of_no_use_ends_what_was_there_and_is_looked_at_again_soon() {
    let mut world = World::new(&[]);
    publish(&world, URL, &document(), Some(30));
    assert!(find(&world, URL).is_ok());
    world.later(30);
    publish(&world, URL, &with(&document(), "redirect_uris", json!([])), Some(DAY));
    assert_eq!(find(&world, URL).unwrap_err().code(), ErrorCode::InvalidClient, "its owner has taken it back");
    world.forget();
    assert_eq!(find(&world, URL).unwrap_err().code(), ErrorCode::InvalidClient);
    publish(&world, URL, &document(), None);
    world.later(60);
    assert!(find(&world, URL).is_ok(), "whatever max-age has said");
}

#[test]
fn requests_of_one_moment_share_one_fetch() {
    let world = World::new(&[]);
    world.platform.slowness.set(5);
    publish(&world, URL, &document(), None);
    let cx = world.cx("");
    let found = together((0..20).map(|_| postern::client::find(URL, &cx)));
    assert!(found.iter().all(Result::is_ok) && fetches(&world) == 1);
}

#[test]
fn row_14_some_vendors_documents_come_with_us() {
    for (url, redirect, method) in [
        ("https://claude.ai/oauth/claude-code-client-metadata", "http://localhost/callback", AuthMethod::None),
        ("https://claude.ai/oauth/mcp-oauth-client-metadata", "https://claude.ai/api/mcp/auth_callback", AuthMethod::None),
        ("https://chatgpt.com/oauth/client.json", "https://chatgpt.com/connector_platform_oauth_redirect", AuthMethod::PrivateKeyJwt),
        ("https://chatgpt.com/oauth/codex/client.json", "http://127.0.0.1/callback", AuthMethod::None),
        ("https://vscode.dev/oauth/client-metadata.json", "http://127.0.0.1:33418/", AuthMethod::None),
    ] {
        let world = World::new(&[]);
        answer(&world, url, 403, "text/html", "<html>challenge</html>".into(), None);
        for _ in 0..2 {
            let client = find(&world, url).unwrap().unwrap();
            assert!(client.id == url && is_stale(&client) && client.may_be_public(), "{url}");
            assert!(client.metadata.redirect_uris.iter().any(|uri| uri == redirect), "{url}");
            assert_eq!(client.metadata.token_endpoint_auth_method, Some(method), "{url}");
            assert!(client.metadata.allows_grant("refresh_token"), "{url}");
        }
        assert_eq!(fetches(&world), 1);
        publish(&world, url, &with(&document(), "client_id", json!(url)), None);
        world.later(60);
        let client = find(&world, url).unwrap().unwrap();
        assert!(!is_stale(&client) && client.metadata.client_name.as_deref() == Some("App"), "the vendor's own word comes first");
    }
    let world = World::new(&[]);
    assert!(find(&world, "https://claude.ai/oauth/another").is_err(), "the address counts, not the host");
}
