//! Which members a type reads from an object.

use std::cell::Cell;

use serde::de::value::Error;
use serde::de::{Deserializer, Error as _, Visitor};
use serde::{Deserialize, forward_to_deserialize_any};

/// The members that `T` knows, by their names on the wire; none if it is no struct.
pub(super) fn members<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
    let found = Cell::new(&[][..]);
    // It never gets a value: only what it asks for counts.
    let _ = T::deserialize(Probe(&found));
    found.get()
}

struct Probe<'a>(&'a Cell<&'static [&'static str]>);

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::custom("there is nothing"))
    }

    fn deserialize_struct<V: Visitor<'de>>(self, _: &'static str, fields: &'static [&'static str], _: V) -> Result<V::Value, Error> {
        self.0.set(fields);
        Err(Error::custom("there is nothing"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct seq tuple
        tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_have_their_names_on_the_wire() {
        #[derive(Deserialize)]
        #[expect(dead_code, reason = "only its form counts")]
        struct Two {
            #[serde(rename = "type")]
            typ: Option<String>,
            other: u8,
        }
        assert_eq!(members::<Two>(), ["type", "other"]);
        assert!(members::<Vec<u8>>().is_empty());
    }
}
