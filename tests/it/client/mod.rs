//! Clients: documents, assertions, secrets, and tokens of their own.

mod assertion;
mod connect;
mod document;
mod method;
mod outage;
mod own;

use std::rc::Rc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use postern::client::{self, CLIENT_SECRET, Client, Source, Unavailable};
use postern::machine::client::{Command, Keeper, Registered};
use postern::oauth::error::{ErrorCode, Refusal};
use postern::secret::{ClientSecret, Secret};
use postern::store::Cells;
use serde_json::{Value, json};

use crate::provider::{Key, publish};
use crate::world::{Answer, World, block};

pub const URL: &str = "https://app.example.net/oauth/client.json";
pub const JWKS: &str = "https://app.example.net/oauth/jwks.json";
pub const KEY: Key = Key::Es256(9);

/// A document to which nothing can be objected.
pub fn document() -> Value {
    json!({
        "client_id": URL, "client_name": "App", "redirect_uris": ["https://app.example.net/cb"],
        "grant_types": ["authorization_code", "refresh_token"], "token_endpoint_auth_method": "none",
    })
}

/// One of a client that signs.
pub fn signing() -> Value {
    let mut document = document();
    document["token_endpoint_auth_method"] = json!("private_key_jwt");
    document["grant_types"] = json!(["authorization_code", "client_credentials"]);
    document["jwks_uri"] = json!(JWKS);
    document
}

/// A world in which a client that signs has published document and keys.
pub fn world() -> World {
    let world = World::new(&[]);
    publish(&world, URL, &signing(), None);
    publish(&world, JWKS, &json!({ "keys": [KEY.jwk("k1")] }), None);
    world
}

pub fn find(world: &World, id: &str) -> Result<Option<Rc<Client>>, Unavailable> {
    block(client::find(id, &world.cx("")))
}

/// The client at [`URL`], with that document.
pub fn judged(document: &Value) -> Result<Rc<Client>, (ErrorCode, &'static str)> {
    let world = World::new(&[]);
    publish(&world, URL, document, None);
    find(&world, URL).map(Option::unwrap).map_err(|error| (error.code(), error.hint()))
}

pub fn is_stale(client: &Client) -> bool {
    matches!(client.source, Source::Document { stale: true, .. })
}

/// A client that is a record here, and its secret.
pub fn registered(world: &World, metadata: &Value, keeper: Keeper) -> (String, String) {
    let master = &world.config.masters.current;
    let id = client::id::make(&[7; 16], master);
    let digits = client::id::digits(&id, &world.config.masters).unwrap();
    let secret = Secret::<ClientSecret>::mint(CLIENT_SECRET, digits, [8; 32], master);
    let metadata = serde_json::from_value(metadata.clone()).unwrap();
    let open = Command::Open { metadata, keeper, secret: Some(secret.digest()), management: None, trusted: false, ttl: None };
    block(world.platform.run::<Registered>(&id, open)).unwrap();
    (id, secret.reveal())
}

pub fn confidential() -> Value {
    json!({ "redirect_uris": ["https://app.example.net/cb"], "grant_types": ["authorization_code", "client_credentials"] })
}

/// A request for a token of the client's own.
pub fn own(world: &World, fields: &[(&str, &str)]) -> Answer {
    world.form("/oauth2/token", &[&[("grant_type", "client_credentials")], fields].concat())
}

pub fn with_basic(world: &World, path: &str, name: &str, secret: &str, body: &str) -> Answer {
    let credentials = format!("Basic {}", STANDARD.encode(format!("{name}:{secret}")));
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("authorization", credentials.as_str())];
    world.send("192.0.2.1", "POST", path, &headers, body)
}

/// Status and code of an answer.
pub fn outcome(answer: &Answer) -> (u16, String) {
    (answer.status(), answer.json()["error"].as_str().unwrap_or("ok").to_owned())
}

pub fn is(answer: &Answer, status: u16, error: &str) {
    assert_eq!(outcome(answer), (status, error.to_owned()), "{}", answer.json());
}
