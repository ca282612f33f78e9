//! The device flow (RFC 8628), from both ends.

mod page;
mod poll;
mod request;

use postern::machine::client::Keeper;
use serde_json::{Value, json};

use crate::client::registered;
use crate::person::Person;
use crate::world::{Answer, World};

pub const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
pub const PATH: &str = "/oauth2/device_authorization";

/// A client that registered itself for the device flow, and has no secret.
pub fn metadata() -> Value {
    json!({
        "redirect_uris": [], "grant_types": [GRANT, "refresh_token"], "token_endpoint_auth_method": "none", "client_name": "Television",
    })
}

/// A deployment with that client.
pub fn world() -> (World, String) {
    world_with(&[])
}

pub fn world_with(vars: &[(&str, &str)]) -> (World, String) {
    let vars: Vec<(&str, &str)> =
        [("MAILS_PER_ADDRESS_PER_HOUR", "1000"), ("MAILS_PER_NETWORK_PER_HOUR", "1000")].into_iter().chain(vars.iter().copied()).collect();
    let world = World::new(&vars);
    let (client, _) = registered(&world, &metadata(), Keeper::Holder);
    (world, client)
}

/// A device that waits.
pub struct Waiting {
    pub client: String,
    pub device_code: String,
    pub user_code: String,
}

pub fn begin(world: &World, client: &str, more: &[(&str, &str)]) -> Waiting {
    let answer = world.form(PATH, &[&[("client_id", client)], more].concat());
    assert_eq!(answer.status(), 200, "{}", answer.json());
    Waiting { client: client.to_owned(), device_code: answer.text("device_code"), user_code: answer.text("user_code") }
}

impl Waiting {
    pub fn poll_with(&self, world: &World, more: &[(&str, &str)]) -> Answer {
        let fields = [("grant_type", GRANT), ("device_code", &self.device_code), ("client_id", &self.client)];
        world.form("/oauth2/token", &[&fields, more].concat())
    }

    pub fn poll(&self, world: &World) -> Answer {
        self.poll_with(world, &[])
    }

    /// The person opens the page and types the code.
    pub fn open(&self, person: &mut Person<'_>) -> Answer {
        assert_eq!(person.get("/device").status(), 200);
        person.post("/device", &[("user_code", &self.user_code)])
    }

    /// And answers.
    pub fn answer(&self, person: &mut Person<'_>, answer: &str) -> Answer {
        assert_eq!(self.open(person).status(), 200, "{}", person.page);
        person.post("/device/answer", &[("answer", answer)])
    }
}

/// Somebody who has just signed in.
pub fn ada(world: &World) -> Person<'_> {
    Person::sign_in(world, "ada@example.com")
}
