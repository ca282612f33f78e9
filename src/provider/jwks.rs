//! The key set of a provider (RFC 7517, section 5).

use std::cell::RefCell;

use serde_json::Value;

use super::fetch::{self, Document, Kept, Unreachable};
use super::guard::NamedBy;
use crate::config::Provider;
use crate::cx::Cx;
use crate::jose::foreign::ForeignKey;
use crate::jose::jwk::Algorithm;
use crate::memory::{Bounded, Memory};
use crate::store::Ports;

/// What of a key set we can use.
#[derive(Debug)]
pub struct KeySet(Vec<ForeignKey>);

/// Keys beyond that are not looked at.
const MOST_KEYS: usize = 32;
/// Keys of one name that are tried.
const MOST_TRIED: usize = 2;

/// No key to check a signature with.
#[derive(Debug, thiserror::Error)]
pub enum NoKey {
    /// None of that name, and no newer set to look in.
    #[error("the key set has no such key")]
    Unknown,
    /// That name is of keys of another kind; or there is no name and more than one that it could be.
    #[error("no single key fits the algorithm")]
    Misfit,
    /// No set: nobody can know.
    #[error("the key set: {0}")]
    Unreachable(#[from] Unreachable),
}

impl Document for KeySet {
    const MOST: usize = 64 * 1024;

    fn read(body: &[u8]) -> Option<Self> {
        Self::of(&serde_json::from_slice(body).ok()?)
    }

    fn kept(memory: &Memory) -> &RefCell<Bounded<String, Kept<Self>>> {
        &memory.key_sets
    }
}

/// The keys of `provider` that a signature may have been made with: those of the name `kid`, or the only one that fits if there is no
/// name. For an unknown name the set is fetched once more, at most once a minute.
///
/// # Errors
/// There is none.
pub async fn candidates<P: Ports>(
    provider: &Provider,
    kid: Option<&str>,
    algorithm: Algorithm,
    cx: &Cx<'_, P>,
) -> Result<Vec<ForeignKey>, NoKey> {
    candidates_at::<KeySet, P>(&provider.jwks_uri, NamedBy::Operator, kid, algorithm, cx).await
}

/// The same for the set at `url`, kept as `T`.
///
/// # Errors
/// There is none.
pub async fn candidates_at<T: Document + AsRef<KeySet>, P: Ports>(
    url: &str,
    named_by: NamedBy,
    kid: Option<&str>,
    algorithm: Algorithm,
    cx: &Cx<'_, P>,
) -> Result<Vec<ForeignKey>, NoKey> {
    let found = fetch::current::<T, P>(url, named_by, cx).await?;
    match (*found.document).as_ref().find(kid, algorithm) {
        Err(NoKey::Unknown) if !found.is_new => {
            let newer = fetch::renewed(url, &found.document, named_by, cx).await?;
            (*newer.ok_or(NoKey::Unknown)?).as_ref().find(kid, algorithm)
        }
        keys => keys,
    }
}

impl AsRef<Self> for KeySet {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl KeySet {
    /// Reads a key set that is at hand.
    #[must_use]
    pub fn of(set: &Value) -> Option<Self> {
        let keys = set.as_object()?.get("keys")?.as_array()?;
        Some(Self(keys.iter().take(MOST_KEYS).filter_map(ForeignKey::read).collect()))
    }

    /// Those of the name `kid` that fit, or the only one that fits if there is no name.
    ///
    /// # Errors
    /// There is none.
    pub fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<Vec<ForeignKey>, NoKey> {
        let named: Vec<_> = self.0.iter().filter(|key| kid.is_none() || key.kid() == kid).collect();
        let fitting: Vec<_> = named.iter().filter(|key| key.fits(algorithm)).copied().cloned().collect();
        match (kid, fitting.len()) {
            (Some(_), 0) if !named.is_empty() => Err(NoKey::Misfit),
            (_, 0) => Err(NoKey::Unknown),
            (None, 2..) => Err(NoKey::Misfit),
            _ => Ok(fitting.into_iter().take(MOST_TRIED).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key(kid: Option<&str>) -> Value {
        let mut key = json!({ "kty": "OKP", "crv": "Ed25519", "x": "A".repeat(43) });
        if let Some(kid) = kid {
            key["kid"] = kid.into();
        }
        key
    }

    fn find(keys: &[Value], kid: Option<&str>, algorithm: Algorithm) -> Result<usize, String> {
        let set = KeySet::read(json!({ "keys": keys }).to_string().as_bytes()).unwrap();
        set.find(kid, algorithm).map(|keys| keys.len()).map_err(|error| error.to_string())
    }

    #[test]
    fn keys_are_found_by_name_or_by_being_the_only_one() {
        let (unknown, misfit) = (Err(NoKey::Unknown.to_string()), Err(NoKey::Misfit.to_string()));
        let (a, b, bare) = (key(Some("a")), key(Some("b")), key(None));
        let ed = Algorithm::EdDsa;
        assert_eq!(find(&[a.clone(), b.clone()], Some("b"), ed), Ok(1));
        assert_eq!(find(&[a.clone(), b.clone()], Some("c"), ed), unknown);
        assert_eq!(find(&[a.clone(), b.clone()], Some("b"), Algorithm::Es256), misfit);
        assert_eq!(find(&[a.clone(), a.clone(), a.clone(), b.clone()], Some("a"), ed), Ok(2), "at most two of one name are tried");
        assert_eq!(find(std::slice::from_ref(&a), None, ed), Ok(1));
        assert_eq!(find(std::slice::from_ref(&bare), None, ed), Ok(1));
        assert_eq!(find(std::slice::from_ref(&bare), Some("a"), ed), unknown);
        assert_eq!(find(&[a, b], None, ed), misfit);
        assert_eq!(find(&[], None, ed), unknown);
    }

    #[test]
    fn only_the_first_keys_are_looked_at() {
        let keys: Vec<_> = (0..40).map(|number| key(Some(&number.to_string()))).collect();
        assert_eq!(find(&keys, Some("31"), Algorithm::EdDsa), Ok(1));
        assert!(find(&keys, Some("32"), Algorithm::EdDsa).is_err());
    }

    #[test]
    fn anything_else_is_no_key_set() {
        for wrong in ["", "null", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":null}"#, "<html>", "{\"keys\":[]", "\u{feff}{\"keys\":[]}"] {
            assert!(KeySet::read(wrong.as_bytes()).is_none(), "{wrong}");
        }
        let mixed = json!({ "keys": [null, 1, {}, [], { "kty": "oct", "k": "AAAA", "kid": "a" }, key(Some("a"))], "more": 1 }).to_string();
        assert_eq!(KeySet::read(mixed.as_bytes()).unwrap().0.len(), 1);
    }
}
