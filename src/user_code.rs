//! Codes that a device shows and a person types (RFC 8628, section 6.1). A device's record is named by its code.

use crate::id::DeviceId;
use crate::master::Master;

/// No vowels, so no words; no digits, so none that look like letters.
const ALPHABET: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
const LENGTH: usize = 8;

/// Eight letters of twenty: more than 34 bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserCode(String);

impl UserCode {
    /// One of them, each as likely as the other (2^64 is many times 20^8).
    #[must_use]
    pub fn draw(bytes: [u8; 8]) -> Self {
        let mut number = u64::from_be_bytes(bytes);
        let mut letter = || {
            let index = usize::try_from(number % 20).unwrap_or_default();
            number /= 20;
            char::from(ALPHABET.get(index).copied().unwrap_or(b'B'))
        };
        Self((0..LENGTH).map(|_| letter()).collect())
    }

    /// Reads what a person types: upper or lower case, with whatever stands between the letters.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let between = |c: &char| c.is_whitespace() || matches!(c, '-' | '.' | '_' | '\u{2010}'..='\u{2015}' | '\u{2212}');
        let letters: String = text.chars().filter(|c| !between(c)).map(|c| c.to_ascii_uppercase()).collect();
        (letters.len() == LENGTH && letters.bytes().all(|byte| ALPHABET.contains(&byte))).then_some(Self(letters))
    }

    /// As it is shown: `XXXX-XXXX`.
    #[must_use]
    pub fn shown(&self) -> String {
        let (first, second) = self.halves();
        format!("{first}-{second}")
    }

    /// Both halves.
    #[must_use]
    pub fn halves(&self) -> (&str, &str) {
        self.0.split_at_checked(LENGTH / 2).unwrap_or_default()
    }

    /// The name of its record: nobody finds the code from it, nor it from the code, without the secret of the deployment.
    #[must_use]
    pub fn device(&self, master: &Master) -> DeviceId {
        let full = master.derive_bytes("user_code", &[self.0.as_bytes()]);
        DeviceId::from_bytes(std::array::from_fn(|index| full.get(index).copied().unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_shown_is_read(bytes in any::<[u8; 8]>(), lower in any::<bool>(), between in "[-\u{2013} ]{0,3}") {
            let code = UserCode::draw(bytes);
            let (first, second) = code.halves();
            let typed = format!(" {first}{between}{second} ");
            let typed = if lower { typed.to_lowercase() } else { typed };
            prop_assert_eq!(UserCode::parse(&typed), Some(code.clone()));
            prop_assert_eq!(UserCode::parse(&code.shown()), Some(code));
        }

        #[test]
        fn anything_else_is_none(text in ".{0,20}") {
            let letters = text.chars().filter(char::is_ascii_alphabetic).count();
            prop_assert!(UserCode::parse(&text).is_none() || letters == 8);
        }
    }

    #[test]
    fn its_letters() {
        assert_eq!(UserCode::draw([0; 8]).shown(), "BBBB-BBBB");
        assert_eq!(UserCode::draw([255; 8]).shown().len(), 9);
        for wrong in ["", "BCDF-GHJ", "BCDF-GHJKL", "ACDF-GHJK", "0CDF-GHJK", "BCDFYGHJ", "ßCDF-GHJ", "BCDF/GHJK"] {
            assert_eq!(UserCode::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn its_name_depends_on_the_secret() {
        let (one, other) = (Master::derive(b"one"), Master::derive(b"other"));
        let code = UserCode::draw([7; 8]);
        assert_eq!(code.device(&one), code.device(&one));
        assert_ne!(code.device(&one), code.device(&other));
        assert_ne!(code.device(&one), UserCode::draw([8; 8]).device(&one));
    }
}
