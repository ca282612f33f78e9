//! CBOR (RFC 8949) as CTAP2 writes it, and nothing else: definite lengths, shortest forms, no tags, no floats, no key twice.

/// How deep arrays and maps may nest. An attestation object has three levels, one of several attestations five.
pub(super) const DEEPEST: usize = 8;
/// How many entries a map may have: keys are compared one by one.
const MOST_ENTRIES: usize = 32;

/// A data item.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Item<'a> {
    /// Major types 0 and 1.
    Integer(i64),
    /// Major type 2.
    Bytes(&'a [u8]),
    /// Major type 3.
    Text(&'a str),
    /// Major type 4.
    Array(Vec<Self>),
    /// Major type 5: the keys are integers and texts.
    Map(Vec<(Self, Self)>),
    /// `true` or `false`.
    Bool(bool),
    /// `null`.
    Null,
}

/// Why bytes are not such an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCbor {
    /// It ends before its lengths say.
    #[error("the item ends too early")]
    Truncated,
    /// Something follows the item.
    #[error("something follows the item")]
    Trailing,
    /// An indefinite length, a tag, a float, or what is reserved.
    #[error("initial byte {0:#04x} has no place here")]
    Unsupported(u8),
    /// The same could be written in fewer bytes.
    #[error("a number or a length is not in its shortest form")]
    NotShortest,
    /// More than 63 bits.
    #[error("an integer is out of range")]
    Integer,
    /// A text is not UTF-8.
    #[error("a text is not UTF-8")]
    Text,
    /// A key is neither integer nor text.
    #[error("a key is neither integer nor text")]
    Key,
    /// A key comes twice.
    #[error("a key comes twice")]
    Duplicate,
    /// More than 32 entries.
    #[error("a map has more than 32 entries")]
    TooManyEntries,
    /// More than eight levels.
    #[error("arrays and maps nest more than 8 deep")]
    TooDeep,
}

/// One item, which is all there is.
pub(super) fn read(bytes: &[u8]) -> Result<Item<'_>, InvalidCbor> {
    match read_first(bytes)? {
        (item, []) => Ok(item),
        _ => Err(InvalidCbor::Trailing),
    }
}

/// The item that `bytes` begin with, and what follows it.
pub(super) fn read_first(bytes: &[u8]) -> Result<(Item<'_>, &[u8]), InvalidCbor> {
    let mut reader = Reader(bytes);
    let item = reader.item(DEEPEST)?;
    Ok((item, reader.0))
}

impl<'a> Item<'a> {
    /// What a map has under `key`; none if it is no map.
    pub(super) fn get(&self, key: &Item<'_>) -> Option<&Self> {
        let Self::Map(entries) = self else { return None };
        entries.iter().find(|(known, _)| known == key).map(|(_, item)| item)
    }

    /// The same with a text for a key.
    pub(super) fn member(&self, name: &str) -> Option<&Self> {
        self.get(&Item::Text(name))
    }
}

/// What has not been read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn item(&mut self, depth: usize) -> Result<Item<'a>, InvalidCbor> {
        let [first] = *self.chunk::<1>()?;
        let unsupported = InvalidCbor::Unsupported(first);
        match first {
            0xf4 | 0xf5 => return Ok(Item::Bool(first == 0xf5)),
            0xf6 => return Ok(Item::Null),
            // Tags, floats, and simple values without a meaning here.
            0xc0.. => return Err(unsupported),
            _ => {}
        }
        let number = self.number(first & 0x1f, unsupported)?;
        match first >> 5 {
            0 => i64::try_from(number).map(Item::Integer).map_err(|_| InvalidCbor::Integer),
            1 => i64::try_from(number).map(|number| Item::Integer(-1 - number)).map_err(|_| InvalidCbor::Integer),
            2 => self.bytes(number).map(Item::Bytes),
            3 => std::str::from_utf8(self.bytes(number)?).map(Item::Text).map_err(|_| InvalidCbor::Text),
            4 => self.array(number, depth),
            _ => self.map(number, depth),
        }
    }

    /// The number in or after an initial byte: the value itself, or a length.
    fn number(&mut self, info: u8, unsupported: InvalidCbor) -> Result<u64, InvalidCbor> {
        let (number, least) = match info {
            0..24 => return Ok(info.into()),
            24 => (u8::from_be_bytes(*self.chunk()?).into(), 24),
            25 => (u16::from_be_bytes(*self.chunk()?).into(), 1 << 8),
            26 => (u32::from_be_bytes(*self.chunk()?).into(), 1 << 16),
            27 => (u64::from_be_bytes(*self.chunk()?), 1 << 32),
            _ => return Err(unsupported),
        };
        if number < least { Err(InvalidCbor::NotShortest) } else { Ok(number) }
    }

    /// Nothing is set aside for the entries that are claimed: each has to be there, with a byte at least.
    fn array(&mut self, length: u64, depth: usize) -> Result<Item<'a>, InvalidCbor> {
        let depth = depth.checked_sub(1).ok_or(InvalidCbor::TooDeep)?;
        let mut items = Vec::new();
        for _ in 0..length {
            items.push(self.item(depth)?);
        }
        Ok(Item::Array(items))
    }

    fn map(&mut self, length: u64, depth: usize) -> Result<Item<'a>, InvalidCbor> {
        let depth = depth.checked_sub(1).ok_or(InvalidCbor::TooDeep)?;
        let mut entries: Vec<(Item<'a>, Item<'a>)> = Vec::new();
        for _ in 0..length {
            if entries.len() == MOST_ENTRIES {
                return Err(InvalidCbor::TooManyEntries);
            }
            let key = self.item(depth)?;
            if !matches!(key, Item::Integer(_) | Item::Text(_)) {
                return Err(InvalidCbor::Key);
            }
            if entries.iter().any(|(known, _)| *known == key) {
                return Err(InvalidCbor::Duplicate);
            }
            entries.push((key, self.item(depth)?));
        }
        Ok(Item::Map(entries))
    }

    fn bytes(&mut self, length: u64) -> Result<&'a [u8], InvalidCbor> {
        let length = usize::try_from(length).map_err(|_| InvalidCbor::Truncated)?;
        let (bytes, rest) = self.0.split_at_checked(length).ok_or(InvalidCbor::Truncated)?;
        self.0 = rest;
        Ok(bytes)
    }

    fn chunk<const N: usize>(&mut self) -> Result<&'a [u8; N], InvalidCbor> {
        let (chunk, rest) = self.0.split_first_chunk().ok_or(InvalidCbor::Truncated)?;
        self.0 = rest;
        Ok(chunk)
    }
}
