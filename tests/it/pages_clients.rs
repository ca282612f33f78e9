//! What pages say of clients and their requests, through the front door.

use serde_json::{Value, json};

use crate::oauth::{BACK, allowed, query, register};
use crate::person::Person;
use crate::provider::publish;
use crate::world::World;

const EDITOR: &str = "https://editor.example.com/oauth/client.json";
const OPERATOR: [(&str, &str); 2] = [("authorization", "Bearer operator-operator-operator-operator"), ("content-type", "application/json")];

/// A client that is a document, with these redirect URIs.
fn document(world: &World, redirect_uris: &[&str], more: &Value) {
    let mut document = json!({
        "client_id": EDITOR, "client_name": "Example Editor", "redirect_uris": redirect_uris,
        "grant_types": ["authorization_code", "refresh_token"], "token_endpoint_auth_method": "none",
    });
    more.as_object().unwrap().iter().for_each(|(name, value)| document[name] = value.clone());
    publish(world, EDITOR, &document, None);
}

/// The entry of `client` in the list of the account page that is open.
fn entry<'p>(page: &'p str, client: &str) -> &'p str {
    let entries = page.split("<h2 id=\"clients\">").nth(1).unwrap().split("</section>").next().unwrap();
    entries.split("<li").find(|entry| entry.contains(&format!("<p class=\"fine\">{client}</p>"))).unwrap()
}

#[test]
fn who_vouches_for_a_connected_client_is_told_by_where_it_is_from() {
    let portal = json!([{ "client_id": "portal", "client_name": "Portal", "redirect_uris": [BACK], "token_endpoint_auth_method": "none" }]);
    let world = World::new(&[("CLIENTS", &portal.to_string())]);
    document(&world, &[BACK], &json!({}));
    let body = json!({ "client_name": "Desk", "redirect_uris": [BACK], "token_endpoint_auth_method": "none" }).to_string();
    let made = world.send("192.0.2.1", "POST", "/operator/clients", &OPERATOR, &body).text("client_id");
    let registered = register(&world, &[BACK]);
    let mut ada = Person::sign_in(&world, "ada@example.com");
    for client in ["portal", &made, &registered, EDITOR] {
        allowed(&mut ada, client, &[]);
    }
    for (client, name, told, own) in [
        ("portal", "Portal", "Known to the operator", false),
        (made.as_str(), "Desk", "Known to the operator", false),
        (&registered, "Example", "Registered here", true),
        (EDITOR, "Example Editor", "Published by <strong><bdi>editor.example.com</bdi></strong>", true),
    ] {
        assert_eq!(ada.get("/account").status(), 200);
        let entry = entry(&ada.page, client);
        assert!(entry.contains(&format!("“<bdi>{name}</bdi>”")) && entry.contains(&format!("<p>{told}</p>")), "{entry}");
        assert_eq!(entry.contains("(its own words)"), own, "{entry}");
    }
    // What cannot be found out is nobody's word.
    world.later(60);
    world.platform.lost.borrow_mut().push("client");
    assert_eq!(ada.get("/account").status(), 200);
    assert!(entry(&ada.page, &made).contains("(its own words)"));
}

#[test]
fn what_happened_is_told_in_the_application_s_words_between_quotes() {
    let world = World::new(&[]);
    let client = register(&world, &[BACK]);
    let mut ada = Person::sign_in(&world, "ada@example.com");
    allowed(&mut ada, &client, &[]);
    ada.get("/account");
    assert!(ada.page.contains("You allowed an application “<bdi class=\"soft\">Example</bdi>”"));
    let grant = ada.page.split("name=\"grant\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert_eq!(ada.post("/account/clients/revoke", &[("grant", &grant)]).status(), 303);
    world.ring();
    ada.get("/account");
    assert!(ada.page.contains("You disconnected an application “<bdi class=\"soft\">Example</bdi>”"));
}

#[test]
fn where_the_person_is_sent_is_set_beside_who_has_published_the_application() {
    let world = World::new(&[]);
    let [own, cursor] = ["https://app.editor.example.com/back", "cursor://anysphere.cursor-mcp/oauth/callback"];
    document(&world, &[BACK, own, cursor], &json!({}));
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let mut page = |client: &str, redirect: &str| {
        assert_eq!(ada.get(&query(client, &[("redirect_uri", redirect)])).status(), 200);
        let (_, fact) = ada.page.split_once("<dt>Sends you to</dt>").unwrap();
        fact.split("</div>").next().unwrap().to_owned()
    };
    assert!(page(EDITOR, BACK).ends_with("</bdi></strong><br><span class=\"soft\">not a host of its publisher</span></dd>"));
    assert!(page(EDITOR, own).ends_with("<bdi>app.editor.example.com</bdi></strong></dd>"));
    assert!(page(EDITOR, cursor).contains("<bdi>cursor:</bdi></strong><br><span class=\"soft\">a program on this device</span>"));
    assert!(page(&register(&world, &[BACK]), BACK).ends_with("<bdi>client.example</bdi></strong></dd>"), "nobody is known to publish it");
}

#[test]
fn a_page_that_leads_nowhere_says_about_whom_and_what_to_do() {
    let world = World::new(&[]);
    document(&world, &[BACK], &json!({}));
    let mut ada = Person::sign_in(&world, "ada@example.com");
    assert_eq!(ada.get(&query(EDITOR, &[("redirect_uri", "https://evil.example/cb")])).status(), 400);
    for told in
        ["“<bdi>Example Editor</bdi>”", "its own words, unchecked", "<bdi>editor.example.com</bdi>", "<code>https://evil.example/cb</code>"]
    {
        assert!(ada.page.contains(told), "{told}");
    }
    assert!(ada.page.contains("Run <code>codex mcp logout</code> with the server’s name, then <code>codex mcp login</code>."));
    assert_eq!(ada.get("/oauth2/authorize").status(), 400);
    assert!(ada.page.contains("Its request has no client_id. Connect it again; if that does not help, have it forget what it remembers."));
    assert!(ada.page.contains("How to make it forget") && !ada.page.contains("Published by"));
}

#[test]
fn a_document_that_makes_no_client_is_explained_to_whoever_makes_it() {
    let world = World::new(&[]);
    document(&world, &[BACK], &json!({ "client_id": "https://other.example.com/client.json" }));
    let mut ada = Person::sign_in(&world, "ada@example.com");
    assert_eq!(ada.get(&query(EDITOR, &[])).status(), 400);
    assert!(ada.page.contains(
        "What the application publishes about itself cannot be used. For whoever makes it: Make client_id in the document exactly the address"
    ));
}

#[test]
fn a_foreign_address_after_signing_out_is_explained() {
    let world = World::new(&[]);
    let client = register(&world, &[BACK]);
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let path = format!("/oauth2/logout?client_id={client}&post_logout_redirect_uri=https%3A%2F%2Fevil.example%2F");
    assert_eq!(ada.get(&path).status(), 400);
    assert!(ada.page.contains("<h1>You were not signed out</h1>"));
    assert!(ada.page.contains("The application wanted to send you on to an address that it did not register."));
    assert!(!ada.page.contains("malformed") && !ada.page.contains("evil.example"));
    assert_eq!(ada.get("/account").status(), 200, "and so it is");
}
