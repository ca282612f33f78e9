//! Token exchange (RFC 8693), through the front door.

mod actor;
mod anything;
mod grant;
mod key;
mod subject;

use serde_json::{Value, json};

pub use crate::dpop::payload;
use crate::world::{Answer, ISSUER, World};

pub const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
pub const ACCESS: &str = "urn:ietf:params:oauth:token-type:access_token";
pub const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
/// A resource that is not ours, and may less.
pub const API: &str = "https://api.example.com/v1";

/// A deployment in which agents may both at once.
pub fn world() -> World {
    World::new(&[
        ("SCOPES_SUPPORTED", "api.read api.write api.admin"),
        ("PRE_CLAIM_SCOPES", "api.read api.write"),
        ("POST_CLAIM_SCOPES", "api.read api.write api.admin"),
        (
            "RESOURCES",
            r#"[{"uri":"https://api.example.com/v1","scopes":["api.read"]},{"uri":"https://people.example.com","client_access":"deny"}]"#,
        ),
        ("CLIENT_ACCESS", "allow"),
        ("REGISTRATIONS_PER_NETWORK_PER_HOUR", "1000"),
    ])
}

/// An agent with an API key.
pub struct Agent {
    pub key: String,
    pub id: String,
}

pub fn agent(world: &World) -> Agent {
    let answer = world.json("/agent/auth", &json!({ "type": "anonymous", "requested_credential_type": "api_key" }));
    Agent { key: answer.text("credential"), id: answer.text("registration_id") }
}

impl Agent {
    pub fn token(&self, world: &World, more: &[(&str, &str)]) -> String {
        let fields = [&[("grant_type", "client_credentials"), ("client_secret", self.key.as_str())], more].concat();
        world.form("/oauth2/token", &fields).text("access_token")
    }
}

pub fn fields<'f>(subject: &'f str, more: &[(&'f str, &'f str)]) -> Vec<(&'f str, &'f str)> {
    [&[("grant_type", EXCHANGE), ("subject_token", subject), ("subject_token_type", ACCESS)], more].concat()
}

pub fn exchange(world: &World, subject: &str, more: &[(&str, &str)]) -> Answer {
    world.form("/oauth2/token", &fields(subject, more))
}

pub fn acting(world: &World, subject: &str, actor: &str, more: &[(&str, &str)]) -> Answer {
    exchange(world, subject, &[&[("actor_token", actor), ("actor_token_type", ACCESS)], more].concat())
}

/// The token that it came to.
pub fn got(answer: &Answer) -> String {
    assert_eq!(answer.status(), 200, "{}", answer.json());
    answer.text("access_token")
}

pub fn is(answer: &Answer, status: u16, error: &str) {
    assert_eq!((answer.status(), answer.text("error")), (status, error.to_owned()), "{}", answer.json());
}

pub fn mcp() -> String {
    format!("{ISSUER}/mcp")
}

/// `act`, from the present actor inwards, by `sub`.
pub fn chain(token: &str) -> Vec<String> {
    let claims = payload(token);
    std::iter::successors(claims.get("act"), |act: &&Value| act.get("act")).map(|act| act["sub"].as_str().unwrap().to_owned()).collect()
}
