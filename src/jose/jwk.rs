//! Public keys as they are published (RFC 7517) and named (RFC 7638).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_compact::jwk::JsonWebKey;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// A public key with what a key set says about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PublicJwk {
    /// RFC 7638 thumbprint (SHA-256).
    pub kid: String,
    /// Always `sig`.
    #[serde(rename = "use")]
    pub usage: String,
    /// Always `ES256`.
    pub alg: String,
    /// The key material.
    #[serde(flatten)]
    pub key: JsonWebKey<'static>,
}

/// Not a public key on P-256.
#[derive(Debug, thiserror::Error)]
#[error("not an uncompressed point of P-256")]
pub struct InvalidPoint;

impl PublicJwk {
    /// From an uncompressed point: 0x04, x, y (SEC 1, section 2.3.3), 65 bytes.
    ///
    /// # Errors
    /// The bytes are something else.
    pub fn from_point(point: &[u8]) -> Result<Self, InvalidPoint> {
        let (Some(4), Some(x), Some(y), 65) = (point.first(), point.get(1..33), point.get(33..65), point.len()) else {
            return Err(InvalidPoint);
        };
        let key = JsonWebKey::EllipticCurve { curve: "P-256".into(), x: x.to_vec().into(), y: y.to_vec().into(), secret: None };
        let kid = URL_SAFE_NO_PAD.encode(key.thumbprint::<Sha256>());
        Ok(Self { kid, usage: "sig".to_owned(), alg: "ES256".to_owned(), key })
    }

    /// Back to the uncompressed point, for the crypto that takes raw keys.
    ///
    /// # Errors
    /// The key is of another kind.
    pub fn point(&self) -> Result<Vec<u8>, InvalidPoint> {
        match &self.key {
            JsonWebKey::EllipticCurve { curve, x, y, .. } if curve == "P-256" && x.len() == 32 && y.len() == 32 => {
                Ok([&[4], x.as_ref(), y.as_ref()].concat())
            }
            _ => Err(InvalidPoint),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_survives_the_way_through_json() {
        let mut point = vec![4_u8];
        point.extend(0..64);
        let jwk = PublicJwk::from_point(&point).unwrap();
        let json = serde_json::to_string(&jwk).unwrap();
        assert!(json.contains(r#""kty":"EC""#) && json.contains(r#""crv":"P-256""#) && !json.contains(r#""d""#), "{json}");
        let back: PublicJwk = serde_json::from_str(&json).unwrap();
        assert_eq!(back, jwk);
        assert_eq!(back.point().unwrap(), point);
        assert_eq!(jwk.kid.len(), 43);
        assert!(PublicJwk::from_point(&point[1..]).is_err());
    }
}
