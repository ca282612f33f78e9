//! Base 62 of fixed width: letters and digits only, so that a double click selects a whole token.

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// How many digits `bytes` bytes take: the smallest `n` with 62^n >= 256^bytes.
#[must_use]
pub const fn width(bytes: usize) -> usize {
    // log(256) / log(62) = 1.34359...
    (bytes * 134_360).div_ceil(100_000)
}

/// The bytes as one big-endian number in base 62, padded with zeros to [`width`].
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    let mut number = bytes.to_vec();
    let mut digits = vec![0_u8; width(bytes.len())];
    for digit in digits.iter_mut().rev() {
        let mut remainder = 0_u32;
        for byte in &mut number {
            let value = remainder * 256 + u32::from(*byte);
            *byte = u8::try_from(value / 62).unwrap_or(u8::MAX);
            remainder = value % 62;
        }
        *digit = ALPHABET.get(remainder as usize).copied().unwrap_or(b'0');
    }
    digits.into_iter().map(char::from).collect()
}

/// Undoes [`encode`]; `None` for other characters, another length, or a number that is too large.
#[must_use]
pub fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != width(N) {
        return None;
    }
    let mut bytes = [0_u8; N];
    for digit in text.bytes() {
        let mut carry = u32::try_from(ALPHABET.iter().position(|known| *known == digit)?).ok()?;
        for byte in bytes.iter_mut().rev() {
            let value = u32::from(*byte) * 62 + carry;
            *byte = u8::try_from(value % 256).ok()?;
            carry = value / 256;
        }
        if carry > 0 {
            return None;
        }
    }
    Some(bytes)
}

/// Whether `text` is `digits` digits of base 62.
#[must_use]
pub fn is_base62(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_hold_every_value() {
        for (bytes, digits) in [(4, 6), (8, 11), (16, 22), (32, 43)] {
            assert_eq!(width(bytes), digits);
            assert_eq!(encode(&vec![0; bytes]), "0".repeat(digits));
            assert!(is_base62(&encode(&vec![255; bytes]), digits));
        }
        assert_eq!(encode(&[255; 4]), "4gfFC3");
        assert_eq!(encode(&[0, 0, 0, 61]), "00000z");
        assert_eq!(decode("4gfFC3"), Some([255_u8; 4]));
        assert_eq!(decode::<4>("4gfFC4"), None, "one more than fits");
        assert_eq!(decode::<4>("4gfFC"), None);
        assert_eq!(decode::<4>("4gf-C3"), None);
        assert_eq!(decode(&encode(&[7; 32])), Some([7_u8; 32]));
    }
}
