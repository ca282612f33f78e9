//! Public keys of others (RFC 7517), as far as we use them: checked once, reduced to their public members.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::jwk::Algorithm;

/// A key of somebody else that signatures can be checked with.
#[derive(Clone, Debug, PartialEq)]
pub struct ForeignKey {
    kid: Option<String>,
    kind: Kind,
    /// Its own word on the algorithm.
    algorithm: Option<Algorithm>,
    jwk: Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    P256,
    P384,
    Ed25519,
    Rsa,
}

/// A modulus below that is too weak (RFC 7518, section 3.3).
const LEAST_MODULUS_BITS: usize = 2048;
/// And beyond that it costs too much time.
const MOST_MODULUS_BITS: usize = 8192;
/// Members of private and shared keys (RFC 7518, section 6): who publishes one has lost the key.
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

impl ForeignKey {
    /// Reads a JWK; none if it is private, shared, too weak, malformed, of a kind that we do not use, or not for signatures.
    #[must_use]
    pub fn read(jwk: &Value) -> Option<Self> {
        let jwk = jwk.as_object()?;
        if !is_for_signatures(jwk) || PRIVATE.iter().any(|name| jwk.contains_key(*name)) {
            return None;
        }
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        let is_long = |name: &str, length: usize| bytes(jwk, name).is_some_and(|bytes| bytes.len() == length);
        let (kind, members): (_, &[&str]) = match (text("kty")?, text("crv")) {
            ("EC", Some("P-256")) if is_long("x", 32) && is_long("y", 32) => (Kind::P256, &["kty", "crv", "x", "y"]),
            ("EC", Some("P-384")) if is_long("x", 48) && is_long("y", 48) => (Kind::P384, &["kty", "crv", "x", "y"]),
            ("OKP", Some("Ed25519")) if is_long("x", 32) => (Kind::Ed25519, &["kty", "crv", "x"]),
            ("RSA", _) if is_sound_rsa(jwk) => (Kind::Rsa, &["kty", "n", "e"]),
            _ => return None,
        };
        let algorithm = jwk.get("alg").map(|name| name.as_str().and_then(Algorithm::parse).ok_or(())).transpose().ok()?;
        let kid = jwk.get("kid").map(|kid| kid.as_str().map(str::to_owned).ok_or(())).transpose().ok()?;
        let public = members.iter().filter_map(|name| Some(((*name).to_owned(), jwk.get(*name)?.clone()))).collect();
        Some(Self { kid, kind, algorithm, jwk: Value::Object(public) })
    }

    /// Its name, if it has one.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Whether it may be used so: its kind decides, and its own word must agree.
    #[must_use]
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        let kind = match algorithm {
            Algorithm::Es256 => Kind::P256,
            Algorithm::Es384 => Kind::P384,
            Algorithm::EdDsa => Kind::Ed25519,
            Algorithm::Rs256 | Algorithm::Ps256 => Kind::Rsa,
        };
        self.kind == kind && self.algorithm.is_none_or(|own| own == algorithm)
    }

    /// RFC 7638, section 3: SHA-256 of the public members in the order of their names, without spaces; base64url, 43 characters. None of
    /// their values has a character that JSON escapes.
    #[must_use]
    pub fn thumbprint(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.jwk.to_string()))
    }

    /// The public members alone: kty with crv, x and y, or with n and e.
    #[must_use]
    pub const fn jwk(&self) -> &Value {
        &self.jwk
    }
}

/// `use` and `key_ops`, where they are there (RFC 7517, sections 4.2 and 4.3).
fn is_for_signatures(jwk: &Map<String, Value>) -> bool {
    jwk.get("use").is_none_or(|usage| usage == "sig")
        && jwk.get("key_ops").is_none_or(|all| all.as_array().is_some_and(|all| all.iter().any(|one| one == "verify")))
}

fn is_sound_rsa(jwk: &Map<String, Value>) -> bool {
    let (Some(modulus), Some(exponent)) = (bytes(jwk, "n"), bytes(jwk, "e")) else { return false };
    let (modulus, exponent) = (significant(&modulus), significant(&exponent));
    let bits = modulus.first().map_or(0, |first| modulus.len() * 8 - first.leading_zeros() as usize);
    let is_odd = exponent.last().is_some_and(|last| last % 2 == 1);
    (LEAST_MODULUS_BITS..=MOST_MODULUS_BITS).contains(&bits) && is_odd && exponent.len() <= 4 && exponent != [1]
}

fn significant(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

fn bytes(jwk: &Map<String, Value>, name: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(jwk.get(name)?.as_str()?).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn long(bytes: usize) -> String {
        URL_SAFE_NO_PAD.encode(vec![0xff; bytes])
    }

    fn with(jwk: &Value, name: &str, value: Value) -> Option<ForeignKey> {
        let mut jwk = jwk.clone();
        jwk[name] = value;
        ForeignKey::read(&jwk)
    }

    fn all() -> [(Value, &'static [Algorithm]); 4] {
        use Algorithm::{EdDsa, Es256, Es384, Ps256, Rs256};
        [
            (json!({ "kty": "EC", "crv": "P-256", "x": long(32), "y": long(32), "kid": "a", "x5c": ["junk"] }), &[Es256]),
            (json!({ "kty": "EC", "crv": "P-384", "x": long(48), "y": long(48) }), &[Es384]),
            (json!({ "kty": "OKP", "crv": "Ed25519", "x": long(32) }), &[EdDsa]),
            (json!({ "kty": "RSA", "n": long(256), "e": "AQAB" }), &[Rs256, Ps256]),
        ]
    }

    #[test]
    fn the_kind_of_a_key_decides_what_it_is_used_for() {
        use Algorithm::{EdDsa, Es256, Es384, Ps256, Rs256};
        for (jwk, algorithms) in all() {
            let key = ForeignKey::read(&jwk).unwrap();
            for algorithm in [Es256, Es384, Rs256, Ps256, EdDsa] {
                assert_eq!(key.fits(algorithm), algorithms.contains(&algorithm), "{jwk} {algorithm:?}");
            }
            assert!(key.jwk().get("kid").is_none() && key.jwk().get("x5c").is_none(), "public members alone");
        }
    }

    #[test]
    fn a_key_that_says_its_algorithm_is_held_to_it() {
        let rsa = &all()[3].0;
        let key = with(rsa, "alg", json!("PS256")).unwrap();
        assert!(key.fits(Algorithm::Ps256) && !key.fits(Algorithm::Rs256));
        assert!(!with(rsa, "alg", json!("ES256")).unwrap().fits(Algorithm::Rs256));
        let edwards = &all()[2].0;
        for name in ["EdDSA", "Ed25519"] {
            assert!(with(edwards, "alg", json!(name)).unwrap().fits(Algorithm::EdDsa), "RFC 8037 and RFC 9864");
        }
        for wrong in [json!("HS256"), json!("none"), json!("RSA-OAEP"), json!(1), Value::Null] {
            assert_eq!(with(rsa, "alg", wrong.clone()), None, "{wrong}");
        }
    }

    #[test]
    fn keys_for_something_else_are_left_out() {
        for (jwk, _) in all() {
            assert!(with(&jwk, "use", json!("sig")).is_some() && with(&jwk, "key_ops", json!(["verify"])).is_some());
            for (name, wrong) in [
                ("use", json!("enc")),
                ("use", json!(1)),
                ("key_ops", json!(["sign"])),
                ("key_ops", json!([])),
                ("key_ops", json!("verify")),
                ("d", json!("AAAA")),
                ("k", json!("AAAA")),
                ("kid", json!(7)),
                ("kty", json!("oct")),
                ("kty", json!("ec")),
                ("kty", Value::Null),
            ] {
                assert_eq!(with(&jwk, name, wrong.clone()), None, "{name} {wrong} {jwk}");
            }
        }
        assert_eq!(ForeignKey::read(&json!({ "kty": "oct", "k": "AAAA" })), None);
        assert_eq!(ForeignKey::read(&json!([])), None);
    }

    #[test]
    fn thumbprints_are_those_of_the_rfcs() {
        // RFC 7638, section 3.1.
        let rsa = json!({
            "kty": "RSA", "alg": "RS256", "kid": "2011-04-29", "e": "AQAB",
            "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMst\
                  n64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n9\
                  1CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
        });
        assert_eq!(ForeignKey::read(&rsa).unwrap().thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
        // RFC 8037, appendix A.3.
        let edwards = json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" });
        assert_eq!(ForeignKey::read(&edwards).unwrap().thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        // RFC 9449, section 6.1: the key of its examples.
        let curve = json!({
            "kty": "EC", "crv": "P-256", "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs", "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
        });
        assert_eq!(ForeignKey::read(&curve).unwrap().thumbprint(), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
    }

    #[test]
    fn malformed_and_weak_keys_are_left_out() {
        let [(p256, _), (p384, _), (edwards, _), (rsa, _)] = all();
        for (jwk, name, wrong) in [
            (&p256, "x", long(31)),
            (&p256, "y", long(33)),
            (&p256, "y", String::new()),
            (&p256, "x", format!("{}=", long(32))),
            (&p256, "crv", "P-384".to_owned()),
            (&p256, "crv", "secp256k1".to_owned()),
            (&p384, "x", long(32)),
            (&edwards, "crv", "X25519".to_owned()),
            (&edwards, "x", long(57)),
            (&rsa, "n", long(255)),
            (&rsa, "n", URL_SAFE_NO_PAD.encode([&[0; 8][..], &[0xff; 248]].concat())),
            (&rsa, "n", long(1025)),
            (&rsa, "e", "AQ".to_owned()),
            (&rsa, "e", "Ag".to_owned()),
            (&rsa, "e", long(5)),
            (&rsa, "e", String::new()),
        ] {
            assert_eq!(with(jwk, name, json!(wrong)), None, "{name} {wrong}");
        }
        assert!(with(&rsa, "n", json!(long(1024))).is_some());
    }
}
