//! Providers of people of our own making, and browsers that go to them and come back.

mod flow;
mod fresh;
mod github;
mod linking;
mod refused;

use postern::http::reply::Reason;
use serde_json::{Value, json};
use url::Url;

use crate::person::Person;
use crate::provider::{Key, answer, header, publish, token};
use crate::world::{Answer, World};

pub const ID: &str = "https://id.example.com";
pub const STRICT: &str = "https://strict.example.com";
pub const GOOGLE: &str = "https://accounts.google.com";
pub const GITHUB: &str = "https://github.com/login/oauth";
pub const ACCOUNT: &str = "/account";
const KEY: Key = Key::Es256(1);
const ACCESS: &str = "an-access-token";

const PROVIDERS: &str = r#"[
    {"issuer":"https://id.example.com","name":"Example ID","client_id":"us"},
    {"issuer":"https://strict.example.com","name":"Strict","client_id":"us","allowed_domains":["example.com"]},
    {"kind":"google","client_id":"us"},
    {"kind":"github","client_id":"us"}
]"#;
const SECRETS: &str = r#"{"Example ID":"a secret: with + everything","Google":"google-secret","GitHub":"github-secret"}"#;

/// A deployment with four providers, three of which have metadata and a key.
pub fn world() -> World {
    let world = World::new(&[("UPSTREAM_PROVIDERS", PROVIDERS), ("UPSTREAM_SECRETS", SECRETS)]);
    for issuer in [ID, STRICT, GOOGLE] {
        publish(&world, &format!("{issuer}/.well-known/openid-configuration"), &metadata(issuer), None);
        publish(&world, &format!("{issuer}/jwks"), &json!({ "keys": [KEY.jwk("k1")] }), None);
    }
    world
}

pub fn metadata(issuer: &str) -> Value {
    json!({
        "issuer": issuer, "authorization_endpoint": format!("{issuer}/authorize?kept=1"), "token_endpoint": format!("{issuer}/token"),
        "userinfo_endpoint": format!("{issuer}/userinfo"), "jwks_uri": format!("{issuer}/jwks"),
    })
}

/// A browser at a provider's authorization endpoint.
#[derive(Clone)]
pub struct Away {
    pub issuer: &'static str,
    pub url: Url,
}

impl Away {
    pub fn get(&self, name: &str) -> String {
        self.url.query_pairs().find(|(known, _)| known == name).unwrap_or_else(|| panic!("no {name} in {}", self.url)).1.into_owned()
    }

    /// Where the provider sends the browser back to.
    pub fn callback(&self, more: &str) -> String {
        format!("/login/upstream/callback?state={}&{more}", self.get("state"))
    }

    /// What the provider says of Ada, who has just signed in there.
    pub fn claims(&self, world: &World) -> Value {
        let now = world.platform.now.get().seconds();
        json!({
            "iss": self.issuer, "sub": "248289761001", "aud": "us", "iat": now, "exp": now + 300, "nonce": self.get("nonce"),
            "email": "ada@example.com", "email_verified": true, "name": "Ada Lovelace", "picture": "https://id.example.com/ada.png",
        })
    }
}

/// Presses the provider's button on the page that is open.
pub fn press(person: &mut Person<'_>, issuer: &'static str, more: &[(&str, &str)]) -> Away {
    let fields = [&[("provider", issuer)], more].concat();
    let answer = person.post("/login/upstream", &fields);
    assert_eq!(answer.status(), 200, "{}", person.page);
    let refresh = answer.header("refresh").unwrap();
    let url = Url::parse(refresh.strip_prefix("0;url=").unwrap()).unwrap();
    assert!(person.page.contains(&url.as_str().replace('&', "&#38;")), "the button leads there too");
    Away { issuer, url }
}

/// Goes to the sign-in page and from there to the provider.
pub fn leave(person: &mut Person<'_>, issuer: &'static str, return_to: &str) -> Away {
    assert_eq!(person.get(&format!("/login?return_to={return_to}")).status(), 200);
    press(person, issuer, &[])
}

/// The next code at that provider stands for these claims.
pub fn grant(world: &World, issuer: &str, claims: &Value) {
    grant_token(world, issuer, &token(KEY, &header("JWT"), claims));
}

pub fn grant_token(world: &World, issuer: &str, id_token: &str) {
    let granted = json!({ "access_token": ACCESS, "token_type": "Bearer", "expires_in": 3600, "id_token": id_token });
    answer(world, &format!("{issuer}/token"), 200, "application/json", granted.to_string().into(), None);
}

/// The whole way, with claims that are changed before they are signed.
pub fn sign_in_with(person: &mut Person<'_>, world: &World, issuer: &'static str, change: impl FnOnce(&mut Value)) -> Answer {
    let away = leave(person, issuer, ACCOUNT);
    let mut claims = away.claims(world);
    change(&mut claims);
    grant(world, issuer, &claims);
    person.get(&away.callback("code=c0de"))
}

pub fn is_signed_in(person: &mut Person<'_>) -> bool {
    person.get(ACCOUNT).status() == 200
}

pub fn location(answer: &Answer) -> &str {
    answer.header("location").unwrap_or_default()
}

/// Why it was not done, as the log has it.
pub fn reason(answer: &Answer) -> String {
    answer.0.extensions().get::<Reason>().map(|reason| reason.0.clone()).unwrap_or_default()
}

/// Every word to a journey, and every answer.
pub fn everything(world: &World) {
    let mut ada = Person::sign_in(world, "ada@example.com");
    let mut eve = Person::anybody(world);
    ada.get(ACCOUNT);
    let away = press(&mut ada, ID, &[("link", "1")]);
    grant(world, ID, &away.claims(world));
    let back = away.callback("code=c");
    assert_eq!(eve.get(&back).status(), 410);
    assert_eq!(ada.get(&away.callback("code=c&iss=https%3A%2F%2Fother.example.com")).status(), 410);
    let page = location(&ada.get(&back)).to_owned();
    assert_eq!(ada.get(&back).status(), 410);
    assert_eq!(ada.get(&page).status(), 200);
    let token = page.split_once("token=").unwrap().1;
    let mut eve = Person::with_cookies(world, ada.cookies());
    eve.get(ACCOUNT);
    eve.post("/logout", &[]);
    eve.get("/login");
    eve.enter_by_mail("eve@example.com");
    eve.get(ACCOUNT);
    assert_eq!(eve.post("/login/upstream/link", &[("token", token)]).status(), 403);
    eve.get(ACCOUNT);
    eve.post("/logout", &[]);
    eve.get("/login");
    eve.enter_by_mail("ada@example.com");
    eve.get(ACCOUNT);
    assert_eq!(eve.post("/login/upstream/link", &[("token", token)]).status(), 303);
}

/// The path of the link on the page that leads to the sign-in page.
pub fn sign_in_link(page: &str) -> String {
    let (_, rest) = page.split_once("href=\"/login?").unwrap_or_else(|| panic!("no link in {page}"));
    format!("/login?{}", rest.split('"').next().unwrap().replace("&#38;", "&"))
}
