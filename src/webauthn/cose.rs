//! Public keys of passkeys: `COSE_Key` (RFC 9052, section 7; RFC 9053, section 7; RFC 8230) into JWK.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::cbor::Item;
use crate::jose::jwk::Algorithm;

/// The algorithms that are asked for, by their COSE numbers, the preferred one first.
pub(super) const ALGORITHMS: [i64; 3] = [ES256, EDDSA, RS256];

const ES256: i64 = -7;
const EDDSA: i64 = -8;
const RS256: i64 = -257;
/// Bytes of a coordinate on P-256, and of a key on Ed25519.
const COORDINATE: usize = 32;
/// Bits of a modulus: more than the upper bound makes checking dear.
const MODULUS: std::ops::RangeInclusive<usize> = 2048..=4096;

/// Why a public key is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// It was made for an algorithm that was not asked for, or its type is not that of the algorithm.
    #[error("kty and alg are not those of ES256, EdDSA or RS256")]
    Algorithm,
    /// ES256 is P-256 here and EdDSA is Ed25519 (Web Authentication, section 5.8.5).
    #[error("the curve is not P-256 or Ed25519")]
    Curve,
    /// A coordinate is missing, compressed or of another length than 32 bytes.
    #[error("a coordinate is not 32 bytes")]
    Coordinate,
    /// The modulus has leading zeros, fewer than 2048 bits or more than 4096.
    #[error("the modulus is not a number of 2048 to 4096 bits")]
    Modulus,
    /// The exponent is even, less than three, longer than four bytes or has leading zeros.
    #[error("the exponent is not an odd number of up to four bytes")]
    Exponent,
}

/// The key as a JWK with `kty`, `alg` and the public members. Whether a point is on its curve is for the crypto to say.
pub(super) fn to_jwk(key: &Item<'_>) -> Result<Value, InvalidKey> {
    let number = |label: i64| match key.get(&Item::Integer(label)) {
        Some(Item::Integer(number)) => Some(*number),
        _ => None,
    };
    let bytes = |label: i64| match key.get(&Item::Integer(label)) {
        Some(Item::Bytes(bytes)) => Some(*bytes),
        _ => None,
    };
    let on_curve = |curve: i64| if number(-1) == Some(curve) { Ok(()) } else { Err(InvalidKey::Curve) };
    let coordinate = |label: i64| match bytes(label) {
        Some(bytes) if bytes.len() == COORDINATE => Ok(URL_SAFE_NO_PAD.encode(bytes)),
        _ => Err(InvalidKey::Coordinate),
    };
    match (number(1), number(3)) {
        (Some(2), Some(ES256)) => {
            on_curve(1)?;
            Ok(json!({ "kty": "EC", "alg": "ES256", "crv": "P-256", "x": coordinate(-2)?, "y": coordinate(-3)? }))
        }
        (Some(1), Some(EDDSA)) => {
            on_curve(6)?;
            Ok(json!({ "kty": "OKP", "alg": "EdDSA", "crv": "Ed25519", "x": coordinate(-2)? }))
        }
        (Some(3), Some(RS256)) => {
            let modulus = bytes(-1).filter(|bytes| bits(bytes).is_some_and(|bits| MODULUS.contains(&bits)));
            let exponent = bytes(-2).filter(|bytes| is_exponent(bytes));
            let (n, e) = (modulus.ok_or(InvalidKey::Modulus)?, exponent.ok_or(InvalidKey::Exponent)?);
            Ok(json!({ "kty": "RSA", "alg": "RS256", "n": URL_SAFE_NO_PAD.encode(n), "e": URL_SAFE_NO_PAD.encode(e) }))
        }
        _ => Err(InvalidKey::Algorithm),
    }
}

/// What a stored JWK is for.
pub(super) fn algorithm(jwk: &Value) -> Option<Algorithm> {
    match jwk.get("alg")?.as_str()? {
        "ES256" => Some(Algorithm::Es256),
        "ES384" => Some(Algorithm::Es384),
        "EdDSA" => Some(Algorithm::EdDsa),
        "RS256" => Some(Algorithm::Rs256),
        _ => None,
    }
}

/// How long a number is; none if it begins with zeros (RFC 8230, section 4).
fn bits(number: &[u8]) -> Option<usize> {
    match number.first()? {
        0 => None,
        first => Some(number.len() * 8 - first.leading_zeros() as usize),
    }
}

/// With an exponent of one everybody could sign; a long one makes checking dear.
fn is_exponent(number: &[u8]) -> bool {
    bits(number).is_some_and(|bits| (2..=32).contains(&bits)) && number.last().is_some_and(|last| last % 2 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(entries: &[(i64, Item<'static>)]) -> Item<'static> {
        Item::Map(entries.iter().map(|(label, item)| (Item::Integer(*label), item.clone())).collect())
    }

    fn rsa(n: &[u8], e: &[u8]) -> Result<Value, InvalidKey> {
        to_jwk(&Item::Map(vec![
            (Item::Integer(1), Item::Integer(3)),
            (Item::Integer(3), Item::Integer(RS256)),
            (Item::Integer(-1), Item::Bytes(n)),
            (Item::Integer(-2), Item::Bytes(e)),
        ]))
    }

    #[test]
    fn a_key_on_a_curve_has_every_coordinate_whole() {
        let good = [
            (1, Item::Integer(2)),
            (3, Item::Integer(ES256)),
            (-1, Item::Integer(1)),
            (-2, Item::Bytes(&[1; 32])),
            (-3, Item::Bytes(&[2; 32])),
        ];
        assert!(to_jwk(&key(&good)).is_ok());
        let with = |index: usize, item: Item<'static>| {
            let mut other = good.clone();
            other[index].1 = item;
            to_jwk(&key(&other)).unwrap_err()
        };
        assert_eq!(with(0, Item::Integer(1)), InvalidKey::Algorithm);
        assert_eq!(with(1, Item::Integer(EDDSA)), InvalidKey::Algorithm);
        assert_eq!(with(1, Item::Integer(-35)), InvalidKey::Algorithm);
        assert_eq!(with(2, Item::Integer(8)), InvalidKey::Curve);
        assert_eq!(with(3, Item::Bytes(&[1; 31])), InvalidKey::Coordinate);
        assert_eq!(with(3, Item::Text("x")), InvalidKey::Coordinate);
        assert_eq!(with(4, Item::Bool(true)), InvalidKey::Coordinate, "a compressed point");
        for missing in 0..good.len() {
            let mut other = good.to_vec();
            other.remove(missing);
            assert!(to_jwk(&key(&other)).is_err());
        }
        assert_eq!(to_jwk(&Item::Null), Err(InvalidKey::Algorithm));
    }

    #[test]
    fn ed25519_is_the_only_curve_of_eddsa() {
        let with = |curve: i64| {
            let entries = [(1, Item::Integer(1)), (3, Item::Integer(EDDSA)), (-1, Item::Integer(curve)), (-2, Item::Bytes(&[3; 32]))];
            to_jwk(&key(&entries))
        };
        assert_eq!(with(6).unwrap()["x"], URL_SAFE_NO_PAD.encode([3; 32]));
        assert_eq!(with(7), Err(InvalidKey::Curve));
    }

    #[test]
    fn a_modulus_has_2048_bits_or_more() {
        let e = [1, 0, 1];
        let starting = |first: u8, length: usize| [&[first][..], &vec![0xff; length - 1]].concat();
        assert!(rsa(&starting(0x80, 256), &e).is_ok());
        assert!(rsa(&starting(0x80, 512), &e).is_ok());
        for n in [starting(0x7f, 256), starting(0x80, 255), starting(0, 257), starting(1, 513), vec![]] {
            assert_eq!(rsa(&n, &e), Err(InvalidKey::Modulus));
        }
    }

    #[test]
    fn an_exponent_is_odd_and_short() {
        let n = [0x80; 256];
        for e in [&[3][..], &[1, 0, 1], &[0xff; 4]] {
            assert!(rsa(&n, e).is_ok());
        }
        for e in [&[][..], &[1], &[2], &[0, 3], &[1, 0, 0], &[1, 0, 0, 0, 1]] {
            assert_eq!(rsa(&n, e), Err(InvalidKey::Exponent));
        }
    }

    #[test]
    fn a_stored_key_says_its_algorithm() {
        for (name, algorithm) in [("ES256", Some(Algorithm::Es256)), ("none", None), ("HS256", None), ("es256", None)] {
            assert_eq!(super::algorithm(&json!({ "alg": name })), algorithm);
        }
        for other in [json!({}), json!("ES256"), json!({ "alg": -7 })] {
            assert_eq!(super::algorithm(&other), None);
        }
    }
}
