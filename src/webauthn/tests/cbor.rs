//! The reader against a writer of its own, and everything that it refuses.

use proptest::prelude::*;

use super::super::cbor::{DEEPEST, InvalidCbor, Item, read, read_first};

/// As CTAP2 writes it.
pub(super) fn write(item: &Item<'_>) -> Vec<u8> {
    let head = |major: u8, number: u64| {
        let major = major << 5;
        match number {
            0..24 => vec![major | number as u8],
            24..0x100 => vec![major | 24, number as u8],
            0x100..0x1_0000 => [&[major | 25][..], &(number as u16).to_be_bytes()].concat(),
            0x1_0000..0x1_0000_0000 => [&[major | 26][..], &(number as u32).to_be_bytes()].concat(),
            _ => [&[major | 27][..], &number.to_be_bytes()].concat(),
        }
    };
    match item {
        Item::Integer(number @ 0..) => head(0, number.unsigned_abs()),
        Item::Integer(number) => head(1, number.unsigned_abs() - 1),
        Item::Bytes(bytes) => [head(2, bytes.len() as u64), bytes.to_vec()].concat(),
        Item::Text(text) => [head(3, text.len() as u64), text.as_bytes().to_vec()].concat(),
        Item::Array(items) => [head(4, items.len() as u64), items.iter().flat_map(write).collect()].concat(),
        Item::Map(entries) => {
            let content: Vec<u8> = entries.iter().flat_map(|(key, item)| [write(key), write(item)].concat()).collect();
            [head(5, entries.len() as u64), content].concat()
        }
        Item::Bool(value) => vec![0xf4 | u8::from(*value)],
        Item::Null => vec![0xf6],
    }
}

#[test]
fn the_examples_of_rfc_8949_are_read() {
    let one = |number: i64| Item::Integer(number);
    let examples: [(&[u8], Item<'_>); 14] = [
        (&[0x17], one(23)),
        (&[0x18, 24], one(24)),
        (&[0x19, 3, 0xe8], one(1000)),
        (&[0x1a, 0, 0xf, 0x42, 0x40], one(1_000_000)),
        (&[0x1b, 0, 0, 0, 0xe8, 0xd4, 0xa5, 0x10, 0], one(1_000_000_000_000)),
        (&[0x20], one(-1)),
        (&[0x39, 3, 0xe7], one(-1000)),
        (&[0x3b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], one(i64::MIN)),
        (&[0x44, 1, 2, 3, 4], Item::Bytes(&[1, 2, 3, 4])),
        (&[0x62, 0xc3, 0xbc], Item::Text("\u{fc}")),
        (&[0x82, 1, 0x81, 2], Item::Array(vec![one(1), Item::Array(vec![one(2)])])),
        (&[0xa2, 1, 0xf6, 0x61, b'a', 0xf5], Item::Map(vec![(one(1), Item::Null), (Item::Text("a"), Item::Bool(true))])),
        (&[0xf4], Item::Bool(false)),
        (&[0xa0], Item::Map(vec![])),
    ];
    for (bytes, item) in examples {
        assert_eq!(read(bytes).as_ref(), Ok(&item));
        assert_eq!(write(&item), bytes);
    }
}

#[test]
fn there_is_one_way_to_write_an_item() {
    let wrong: [(&[u8], InvalidCbor); 25] = [
        (&[], InvalidCbor::Truncated),
        (&[0x19, 1], InvalidCbor::Truncated),
        (&[0x42, 1], InvalidCbor::Truncated),
        (&[0x82, 1], InvalidCbor::Truncated),
        (&[0xa1, 1], InvalidCbor::Truncated),
        (&[0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], InvalidCbor::Truncated),
        (&[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], InvalidCbor::Truncated),
        (&[1, 1], InvalidCbor::Trailing),
        (&[0x18, 23], InvalidCbor::NotShortest),
        (&[0x19, 0, 0xff], InvalidCbor::NotShortest),
        (&[0x1a, 0, 0, 0xff, 0xff], InvalidCbor::NotShortest),
        (&[0x3b, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff], InvalidCbor::NotShortest),
        (&[0x58, 1, 1], InvalidCbor::NotShortest),
        (&[0x1b, 0x80, 0, 0, 0, 0, 0, 0, 0], InvalidCbor::Integer),
        (&[0x3b, 0x80, 0, 0, 0, 0, 0, 0, 0], InvalidCbor::Integer),
        (&[0x61, 0xff], InvalidCbor::Text),
        (&[0xa2, 1, 1, 1, 2], InvalidCbor::Duplicate),
        (&[0xa1, 0x41, 1, 1], InvalidCbor::Key),
        (&[0xa1, 0x80, 1], InvalidCbor::Key),
        (&[0x5f, 0x41, 1, 0xff], InvalidCbor::Unsupported(0x5f)),
        (&[0xbf, 0xff], InvalidCbor::Unsupported(0xbf)),
        (&[0x1c], InvalidCbor::Unsupported(0x1c)),
        (&[0xc0, 1], InvalidCbor::Unsupported(0xc0)),
        (&[0xf9, 0x3c, 0], InvalidCbor::Unsupported(0xf9)),
        (&[0xf7], InvalidCbor::Unsupported(0xf7)),
    ];
    for (bytes, reason) in wrong {
        assert_eq!(read(bytes), Err(reason), "{bytes:02x?}");
    }
}

#[test]
fn depth_and_width_have_bounds() {
    let nested = |depth: usize| [vec![0x81; depth], vec![1]].concat();
    assert!(read(&nested(DEEPEST)).is_ok());
    assert_eq!(read(&nested(DEEPEST + 1)), Err(InvalidCbor::TooDeep));
    assert_eq!(read(&nested(60_000)), Err(InvalidCbor::TooDeep));
    let wide = |entries: i64| write(&Item::Map((0..entries).map(|key| (Item::Integer(key), Item::Null)).collect()));
    assert!(read(&wide(32)).is_ok());
    assert_eq!(read(&wide(33)), Err(InvalidCbor::TooManyEntries));
}

proptest! {
    #[test]
    fn what_is_read_is_written_the_same(bytes in prop::collection::vec(prop_oneof![0_u8..3, 0x20_u8..0x22, 0x40_u8..0x43, 0x60_u8..0x63, 0x80_u8..0x83, 0xa0_u8..0xa3, any::<u8>()], 0..40)) {
        if let Ok((item, rest)) = read_first(&bytes) {
            prop_assert_eq!([&write(&item), rest].concat(), bytes);
        }
    }
}
