//! ECDSA signatures: `Ecdsa-Sig-Value` (RFC 3279, section 2.2.3) in DER, into r and s as JOSE has them (RFC 7518, section 3.4).

const INTEGER: u8 = 0x02;
const SEQUENCE: u8 = 0x30;

/// Why bytes are not a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDer {
    /// It ends before its lengths say.
    #[error("the DER ends too early")]
    Truncated,
    /// Something follows a value, inside or outside.
    #[error("something follows the DER")]
    Trailing,
    /// Not a sequence of two integers.
    #[error("the DER is not a sequence of integers")]
    Tag,
    /// No value here is so long as to need more than one byte of length.
    #[error("a length is not one byte")]
    Length,
    /// The integer is empty or begins with a zero that it does not need.
    #[error("an integer is not in its shortest form")]
    NotShortest,
    /// Zero, or the highest bit is set: neither r nor s is ever so.
    #[error("an integer is not positive")]
    NotPositive,
    /// Longer than the order of the curve.
    #[error("an integer is too long for the curve")]
    TooLong,
}

/// r and s, `width` bytes each.
pub(super) fn to_raw(der: &[u8], width: usize) -> Result<Vec<u8>, InvalidDer> {
    let (integers, rest) = value(der, SEQUENCE)?;
    let (r, after) = positive(integers, width)?;
    let (s, end) = positive(after, width)?;
    if !rest.is_empty() || !end.is_empty() {
        return Err(InvalidDer::Trailing);
    }
    let mut raw = Vec::with_capacity(2 * width);
    for number in [r, s] {
        raw.resize(raw.len() + width - number.len(), 0);
        raw.extend_from_slice(number);
    }
    Ok(raw)
}

/// An integer without its sign, `width` bytes at most, and what follows it.
fn positive(der: &[u8], width: usize) -> Result<(&[u8], &[u8]), InvalidDer> {
    let (number, rest) = value(der, INTEGER)?;
    let number = match number {
        [] | [0, 0..=0x7f, ..] => return Err(InvalidDer::NotShortest),
        [0] | [0x80..=0xff, ..] => return Err(InvalidDer::NotPositive),
        [0, unsigned @ ..] => unsigned,
        unsigned => unsigned,
    };
    if number.len() > width { Err(InvalidDer::TooLong) } else { Ok((number, rest)) }
}

/// The content of the value that `der` begins with, and what follows it.
fn value(der: &[u8], wanted: u8) -> Result<(&[u8], &[u8]), InvalidDer> {
    let [tag, length, rest @ ..] = der else { return Err(InvalidDer::Truncated) };
    if *tag != wanted {
        return Err(InvalidDer::Tag);
    }
    if *length >= 0x80 {
        return Err(InvalidDer::Length);
    }
    rest.split_at_checked((*length).into()).ok_or(InvalidDer::Truncated)
}

#[cfg(test)]
mod tests {
    use jwt_compact::Algorithm;
    use jwt_compact::alg::Es256;
    use proptest::prelude::*;

    use super::*;

    fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
        [&[tag, u8::try_from(content.len()).unwrap()], content].concat()
    }

    fn signature(r: &[u8], s: &[u8]) -> Vec<u8> {
        tlv(SEQUENCE, &[tlv(INTEGER, r), tlv(INTEGER, s)].concat())
    }

    #[test]
    fn short_and_long_integers_are_padded() {
        let raw = to_raw(&signature(&[1], &[0, 0x80]), 32).unwrap();
        assert_eq!(raw.len(), 64);
        assert_eq!((raw[31], raw[63]), (1, 0x80));
        assert!(raw.iter().filter(|byte| **byte != 0).count() == 2);
        let largest = [&[0][..], &[0xff; 32]].concat();
        assert_eq!(to_raw(&signature(&largest, &largest), 32).unwrap(), [0xff; 64]);
        let largest = [&[0][..], &[0xff; 48]].concat();
        assert_eq!(to_raw(&signature(&largest, &largest), 48).unwrap(), [0xff; 96]);
    }

    #[test]
    fn each_integer_is_positive_and_in_its_shortest_form() {
        let long = [1; 33];
        let wrong: [(&[u8], InvalidDer); 7] = [
            (&[], InvalidDer::NotShortest),
            (&[0, 1], InvalidDer::NotShortest),
            (&[0, 0], InvalidDer::NotShortest),
            (&[0, 0, 0x80], InvalidDer::NotShortest),
            (&[0], InvalidDer::NotPositive),
            (&[0x80, 1], InvalidDer::NotPositive),
            (&long, InvalidDer::TooLong),
        ];
        for (integer, reason) in wrong {
            assert_eq!(to_raw(&signature(integer, &[1]), 32), Err(reason), "r {integer:02x?}");
            assert_eq!(to_raw(&signature(&[1], integer), 32), Err(reason), "s {integer:02x?}");
        }
    }

    #[test]
    fn it_is_one_sequence_of_two_integers_and_no_more() {
        let two = [tlv(INTEGER, &[1]), tlv(INTEGER, &[2])].concat();
        let wrong = [
            (tlv(0x31, &two), InvalidDer::Tag),
            (tlv(SEQUENCE, &[tlv(INTEGER, &[1]), tlv(0x03, &[2])].concat()), InvalidDer::Tag),
            (tlv(SEQUENCE, &[two.clone(), tlv(INTEGER, &[3])].concat()), InvalidDer::Trailing),
            ([tlv(SEQUENCE, &two), vec![0]].concat(), InvalidDer::Trailing),
            (tlv(SEQUENCE, &tlv(INTEGER, &[1])), InvalidDer::Truncated),
            (tlv(SEQUENCE, &[]), InvalidDer::Truncated),
            (vec![SEQUENCE, 0x81, 6, 2, 1, 1, 2, 1, 2], InvalidDer::Length),
            (vec![SEQUENCE, 0x80, 2, 1, 1, 2, 1, 2, 0, 0], InvalidDer::Length),
            (vec![SEQUENCE, 7, 2, 0x81, 1, 1, 2, 1, 2], InvalidDer::Length),
            (vec![SEQUENCE, 6, 2, 2, 1, 2, 1, 2], InvalidDer::Tag),
        ];
        for (der, reason) in wrong {
            assert_eq!(to_raw(&der, 32), Err(reason), "{der:02x?}");
        }
        let good = signature(&[1], &[2]);
        for length in 0..good.len() {
            assert_eq!(to_raw(&good[..length], 32), Err(InvalidDer::Truncated));
        }
    }

    proptest! {
        #[test]
        fn what_another_implementation_writes_we_read(seed in prop::array::uniform32(1_u8..), message in prop::collection::vec(any::<u8>(), 0..40)) {
            let key = <Es256 as Algorithm>::SigningKey::from_slice(&seed).unwrap();
            let signature = Es256.sign(&key, &message);
            prop_assert_eq!(to_raw(signature.to_der().as_bytes(), 32).unwrap(), signature.to_bytes().to_vec());
        }

        #[test]
        fn there_is_one_way_to_write_a_signature(der in prop::collection::vec(prop_oneof![Just(2_u8), Just(0x30), 0..8_u8, any::<u8>()], 0..14)) {
            if let Ok(raw) = to_raw(&der, 32) {
                let integer = |number: &[u8]| {
                    let number: Vec<u8> = number.iter().copied().skip_while(|byte| *byte == 0).collect();
                    if number[0] >= 0x80 { [&[0][..], &number].concat() } else { number }
                };
                prop_assert_eq!(signature(&integer(&raw[..32]), &integer(&raw[32..])), der);
            }
        }
    }
}
