//! `client_id`s of ours: `cli_`, 22 digits of base 62, and a stamp of 11 that only this deployment can make, so that an invented one never
//! reaches an object.

use subtle::ConstantTimeEq;

use crate::base62;
use crate::id::ID_BYTES;
use crate::master::{Master, Masters};

/// What they begin with.
pub const PREFIX: &str = "cli_";
const PURPOSE: &str = "client";

/// The `client_id` of these 128 bits.
#[must_use]
pub fn make(bytes: &[u8; ID_BYTES], master: &Master) -> String {
    let digits = base62::encode(bytes);
    let stamp = base62::encode(&master.stamp(PURPOSE, &digits));
    format!("{PREFIX}{digits}{stamp}")
}

/// The 22 digits of a `client_id` that this deployment has made.
#[must_use]
pub fn digits<'i>(id: &'i str, masters: &Masters) -> Option<&'i str> {
    let (digits, stamp) = id.strip_prefix(PREFIX)?.split_at_checked(base62::width(ID_BYTES))?;
    let wellformed = base62::is_base62(digits, base62::width(ID_BYTES)) && base62::is_base62(stamp, base62::width(8));
    let stamped = |master: &Master| bool::from(base62::encode(&master.stamp(PURPOSE, digits)).as_bytes().ct_eq(stamp.as_bytes()));
    (wellformed && masters.all().any(stamped)).then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_are_known() {
        let masters = Masters { current: Master::derive(b"current"), previous: Some(Master::derive(b"previous")) };
        for master in masters.all() {
            let id = make(&[7; 16], master);
            assert_eq!(digits(&id, &masters), id.get(4..26));
            for index in 0..id.len() {
                let mut changed = id.clone().into_bytes();
                changed[index] = if changed[index] == b'x' { b'y' } else { b'x' };
                assert_eq!(digits(&String::from_utf8(changed).unwrap(), &masters), None);
            }
        }
        assert_eq!(digits(&make(&[7; 16], &Master::derive(b"stranger")), &masters), None);
        for wrong in ["", "cli_", "cli_0", "reg_0000000000000000000000", "cli_ä"] {
            assert_eq!(digits(wrong, &masters), None);
        }
    }
}
