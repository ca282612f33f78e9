//! A client on the wire: what it sends comes from its fixture, and what it would check of an answer is asserted.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::Request;
use postern::http::handle;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::oauth::VERIFIER;
use crate::person::Person;
use crate::provider::publish;
use crate::world::{Answer, ISSUER, World, together};

/// Where the MCP server is, as people type it into their clients.
pub const SERVER: &str = "https://auth.example.com/mcp";
const FORM: &str = "application/x-www-form-urlencoded";

pub struct Wire<'w> {
    pub world: &'w World,
    pub fixture: Value,
}

/// What the 401 says.
pub struct Challenge {
    pub resource_metadata: String,
    pub scope: String,
}

impl<'w> Wire<'w> {
    /// The document of a client that is one is where its `client_id` says.
    pub fn new(world: &'w World, fixture: &str) -> Self {
        let fixture: Value = serde_json::from_str(fixture).unwrap();
        if let Some(id) = fixture["client_id"].as_str() {
            publish(world, id, &fixture["document"], Some(300));
        }
        Self { world, fixture }
    }

    pub fn text(&self, name: &str) -> &str {
        self.fixture[name].as_str().unwrap()
    }

    /// Where the client has the person sent back to, in one session after the other.
    pub fn returns_to(&self) -> Vec<String> {
        serde_json::from_value(self.fixture["returns_to"].clone()).unwrap()
    }

    pub fn send(&self, method: &str, path: &str, more: &[(&str, &str)], body: &str) -> Answer {
        let headers: Vec<(&str, &str)> = self.own_headers().chain(more.iter().copied()).collect();
        self.world.send(self.text("address"), method, path, &headers, body)
    }

    pub fn get(&self, address: &str) -> Answer {
        self.send("GET", path_of(address), &[], "")
    }

    pub fn form(&self, address: &str, fields: &[(&str, &str)]) -> Answer {
        self.form_with(address, fields, &[])
    }

    pub fn form_with(&self, address: &str, fields: &[(&str, &str)], more: &[(&str, &str)]) -> Answer {
        self.send("POST", path_of(address), &[&[("content-type", FORM)], more].concat(), &encoded(fields))
    }

    /// The first message to the MCP server: its version is in it, and in no header.
    pub fn initialize(&self, token: Option<&str>) -> Answer {
        self.message(&self.fixture["initialize"], None, token)
    }

    fn message(&self, message: &Value, version: Option<&str>, token: Option<&str>) -> Answer {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let credential = bearer.as_deref().map(|bearer| ("authorization", bearer));
        let version = version.map(|version| ("mcp-protocol-version", version));
        let own = self.own_headers().filter(|(name, _)| !["accept", "mcp-protocol-version"].contains(name));
        let kinds = [("content-type", "application/json"), ("accept", "application/json, text/event-stream")];
        let headers: Vec<(&str, &str)> = own.chain(kinds).chain(version).chain(credential).collect();
        self.world.send(self.text("address"), "POST", path_of(SERVER), &headers, &message.to_string())
    }

    fn own_headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fixture["headers"].as_object().unwrap().iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
    }

    /// What a client without a token learns.
    pub fn challenge(&self) -> Challenge {
        let answer = self.initialize(None);
        assert_eq!(answer.status(), 401);
        let header = answer.header("www-authenticate").unwrap();
        assert!(header.starts_with("Bearer "), "{header}");
        let value = |name: &str| header.split_once(&format!("{name}=\"")).unwrap().1.split('"').next().unwrap().to_owned();
        Challenge { resource_metadata: value("resource_metadata"), scope: value("scope") }
    }

    /// The first of these addresses that has a document. A client goes on after a 4xx, which must be short JSON; every address that comes
    /// after must say the same or nothing, since other versions of the client ask in another order.
    pub fn first(&self, addresses: &[&str]) -> Value {
        let mut found: Option<Value> = None;
        for address in addresses {
            let answer = self.get(address);
            assert_eq!(answer.header("content-type"), Some("application/json"), "{address}");
            assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{address}");
            if answer.status() == 200 {
                let document = found.get_or_insert_with(|| answer.json());
                assert_eq!(answer.json(), *document, "{address}");
                assert!(has_no_null(document), "{document}");
            } else {
                assert!((400..500).contains(&answer.status()) && answer.0.body().len() < 1024, "{address}");
            }
        }
        found.unwrap_or_else(|| panic!("none of {addresses:?}"))
    }

    /// The way of the SDKs: the resource by the header of the 401, by path, at the root; then its server, which must have exactly that name.
    pub fn discover(&self) -> (Value, Value) {
        let challenge = self.challenge();
        let resource = self.first(&[
            &challenge.resource_metadata,
            "https://auth.example.com/.well-known/oauth-protected-resource/mcp",
            "https://auth.example.com/.well-known/oauth-protected-resource",
        ]);
        assert_eq!(resource["resource"], SERVER, "what the client was given, to the letter");
        let issuer = resource["authorization_servers"][0].as_str().unwrap();
        let server = self
            .first(&[&format!("{issuer}/.well-known/oauth-authorization-server"), &format!("{issuer}/.well-known/openid-configuration")]);
        assert_eq!(server["issuer"], issuer, "byte for byte (RFC 8414, section 3.3)");
        assert!(lists(&server, "response_types_supported", "code") && lists(&server, "code_challenge_methods_supported", "S256"));
        for endpoint in ["authorization_endpoint", "token_endpoint", "registration_endpoint"] {
            assert!(server[endpoint].as_str().unwrap().starts_with("https://"), "{endpoint}");
        }
        (resource, server)
    }

    pub fn register(&self, server: &Value) -> Value {
        let path = path_of(server["registration_endpoint"].as_str().unwrap());
        let answer = self.send("POST", path, &[("content-type", "application/json")], &self.fixture["registration"].to_string());
        assert_eq!(answer.status(), 201, "{}", answer.json());
        let registered = answer.json();
        is_registered(&self.fixture["registration"], &registered);
        registered
    }

    /// The person follows the client's link and allows it: the code that comes back.
    pub fn allowed(&self, ada: &mut Person<'_>, server: &Value, fields: &[(&str, &str)]) -> String {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
        let usual =
            [("response_type", "code"), ("code_challenge", &*challenge), ("code_challenge_method", "S256"), ("state", "a state/+&=")];
        let query = encoded(&[&usual, fields].concat());
        let page = ada.get(&format!("{}?{query}", path_of(server["authorization_endpoint"].as_str().unwrap())));
        assert_eq!(page.status(), 200, "{fields:?} {}", page.header("location").unwrap_or_default());
        let answer = ada.post("/oauth2/authorize/consent", &[("answer", "allow")]);
        let location = answer.header("location").unwrap_or_else(|| panic!("{}", ada.page));
        let back = fields.iter().find(|(name, _)| *name == "redirect_uri").unwrap().1;
        let (before, query) = location.split_once('?').unwrap();
        assert_eq!(before, back, "where it asked to be sent back to, to the letter");
        let carried: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let value = |name: &str| carried.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        assert_eq!(value("state").as_deref(), Some("a state/+&="));
        assert_eq!(value("iss").as_deref(), server["issuer"].as_str(), "RFC 9207, section 2.4");
        value("code").unwrap()
    }

    /// Requests for tokens that are under way at one time.
    pub fn at_once(&self, count: usize, fields: &[(&str, &str)]) -> Vec<Answer> {
        let cx = self.world.cx(self.text("address"));
        let request = || {
            let request = Request::builder().method("POST").uri("/oauth2/token").header("content-type", FORM);
            handle(request.body(Ok(Bytes::from(encoded(fields)))).unwrap(), &cx)
        };
        self.world.platform.halting.set(true);
        let answers = together((0..count).map(|_| request()));
        self.world.platform.halting.set(false);
        answers.into_iter().map(Answer).collect()
    }

    /// The client goes to work: it greets, in the version that it is answered in says that it is ready, and calls a tool.
    pub fn works(&self, token: &str) {
        let answer = self.initialize(Some(token));
        assert_eq!((answer.status(), &answer.json()["result"]["capabilities"]), (200, &json!({ "tools": {} })), "{}", answer.json());
        let answer = answer.json();
        let version = answer["result"]["protocolVersion"].as_str();
        assert_eq!(version, self.fixture["initialize"]["params"]["protocolVersion"].as_str(), "the version that it speaks");
        let ready = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        assert_eq!(self.message(&ready, version, Some(token)).status(), 202);
        let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "whoami", "arguments": {} } });
        let answer = self.message(&call, version, Some(token));
        assert!(answer.status() == 200 && answer.json()["result"]["content"].is_array(), "{}", answer.json());
        assert_eq!(self.world.call(token), 200);
    }
}

/// The fields of a request that redeems a code.
pub fn of_code<'a>(code: &'a str, back: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let usual = [("grant_type", "authorization_code"), ("code", code), ("code_verifier", VERIFIER), ("redirect_uri", back)];
    [&usual, more].concat()
}

/// What every client checks of tokens.
pub fn tokens(answer: &Answer) -> Value {
    assert_eq!(answer.status(), 200, "{}", answer.json());
    assert_eq!((answer.header("content-type"), answer.header("cache-control")), (Some("application/json"), Some("no-store")));
    let tokens = answer.json();
    assert!(has_no_null(&tokens), "{tokens}");
    assert!(tokens["token_type"].as_str().unwrap().eq_ignore_ascii_case("bearer"));
    assert!(tokens["expires_in"].is_u64() && tokens["scope"].is_string() && tokens["refresh_token"].is_string(), "{tokens}");
    tokens
}

/// What the strict ones check of a registration (RFC 7591, section 3.2.1).
fn is_registered(sent: &Value, registered: &Value) {
    assert!(has_no_null(registered), "{registered}");
    for list in ["redirect_uris", "grant_types", "response_types"] {
        assert!(registered[list].as_array().unwrap().iter().all(Value::is_string), "{list}");
    }
    assert_eq!(registered["redirect_uris"], sent["redirect_uris"]);
    assert!(lists(registered, "grant_types", "refresh_token") && lists(registered, "grant_types", "authorization_code"));
    assert!(registered["client_id"].is_string() && registered["client_id_issued_at"].is_u64());
    let method = registered["token_endpoint_auth_method"].as_str().unwrap();
    assert_eq!(registered.get("client_secret").is_some(), method != "none");
    assert_eq!(registered.get("client_secret_expires_at").is_some_and(Value::is_u64), method != "none");
}

pub fn lists(document: &Value, name: &str, value: &str) -> bool {
    document[name].as_array().is_some_and(|all| all.iter().any(|one| one == value))
}

/// All of a list, as scopes are written.
pub fn joined(list: &Value) -> String {
    list.as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect::<Vec<_>>().join(" ")
}

/// Of an address of ours; there are no others on the way.
pub fn path_of(address: &str) -> &str {
    if address.starts_with('/') { address } else { address.strip_prefix(ISSUER).unwrap_or_else(|| panic!("{address} is elsewhere")) }
}

pub fn encoded(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

fn has_no_null(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(items) => items.iter().all(has_no_null),
        Value::Object(fields) => fields.values().all(has_no_null),
        _ => true,
    }
}
