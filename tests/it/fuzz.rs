//! A fuzz target for each parser. Under `cargo test` each runs a fixed number of inputs from a fixed seed; `cargo bolero test
//! fuzz::NAME` runs it with coverage.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use postern::jose::jws::Untrusted;
use postern::network::{Cidr, Origin};
use postern::oauth::authorization::Authorization;
use postern::oauth::params::Params;
use postern::oauth::scope::Scope;
use serde_json::json;

use crate::world::World;

#[test]
fn params() {
    bolero::check!().for_each(|input: &[u8]| {
        if let Ok(params) = Params::parse(input) {
            assert!(params.find("grant_type").is_none_or(|value| !value.is_empty() && !value.chars().any(char::is_control)));
        }
    });
}

#[test]
fn scope() {
    bolero::check!().for_each(|input: &[u8]| {
        if let Ok(scope) = String::from_utf8_lossy(input).parse::<Scope>() {
            assert_eq!(scope.to_string().parse::<Scope>().unwrap(), scope, "what we print we read");
        }
    });
}

#[test]
fn jws() {
    bolero::check!().for_each(|input: &[u8]| {
        let text = String::from_utf8_lossy(input);
        if let Ok(token) = Untrusted::parse(&text) {
            assert_eq!(text.matches('.').count(), 2);
            let _ = (token.unverified_type(), token.unverified_key_id());
        }
    });
}

#[test]
fn authorization_header() {
    bolero::check!().for_each(|input: &[u8]| {
        let Ok(value) = HeaderValue::from_bytes(input) else { return };
        let headers = HeaderMap::from_iter([(http::header::AUTHORIZATION, value)]);
        assert!(!matches!(Authorization::parse(&headers), Ok(None)), "a header that is there is never overlooked");
    });
}

#[test]
fn addresses() {
    bolero::check!().for_each(|input: &[u8]| {
        let text = String::from_utf8_lossy(input);
        if let (Some(network), Some(origin)) = (Cidr::parse(&text), Origin::parse(&text)) {
            assert!(network.contains(&origin));
        }
        if let Some(address) = postern::email::Address::parse(&text) {
            let text = address.clone().into_string();
            assert_eq!(postern::email::Address::parse(&text), Some(address), "what we keep we read");
        }
    });
}

/// Whatever comes as a body, the answer is a 4xx in the shape of its surface, or a 200, and never a 5xx.
#[test]
fn bodies() {
    let world = World::new(&[("REGISTRATIONS_PER_NETWORK_PER_HOUR", "100000"), ("REGISTRATIONS_PER_HOUR", "10000000")]);
    let token = world.json("/agent/auth", &json!({ "type": "anonymous", "requested_credential_type": "api_key" })).text("credential");
    let bearer = format!("Bearer {token}");
    // A world that has panicked is not used again.
    let world = std::panic::AssertUnwindSafe(&world);
    bolero::check!().with_iterations(1000).for_each(|input: &[u8]| {
        let world = &world;
        let forms = ["/oauth2/token", "/oauth2/introspect", "/oauth2/revoke"];
        let jsons = ["/agent/identity", "/agent/auth", "/mcp", "/operator/keys/revoke", "/oauth2/register"];
        for (path, content_type) in
            forms.iter().map(|path| (path, "application/x-www-form-urlencoded")).chain(jsons.iter().map(|path| (path, "application/json")))
        {
            let request =
                http::Request::builder().method("POST").uri(*path).header("content-type", content_type).header("authorization", &bearer);
            let answer = world.raw(request.body(Ok(Bytes::copy_from_slice(input))).unwrap());
            assert!(answer.status() < 500, "{path} {:?} {}", String::from_utf8_lossy(input), answer.json());
            assert!(
                answer.status() < 300 || answer.json()["error"].is_string() || answer.json()["error"]["code"].is_i64(),
                "{path}: {}",
                answer.json()
            );
        }
    });
}
