//! Reads our own JSON: records, commands, outcomes.
//!
//! `serde_json` writes a parser into every type that it reads; there are hundreds of those, and together they were a quarter of the bundle. Here
//! the text becomes a tree first, and types are read from that by code that is there once. A tree of `serde_json` copies every name and sorts
//! them: half of what a refresh cost in its object. This one borrows from the text and keeps its order. Bodies of requests do not come this way.

mod tree;

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::Error;

use tree::{Node, Text};

/// Reads a `T`.
///
/// # Errors
/// The text is no JSON, or not that of a `T`.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    T::deserialize(serde_json::from_str::<Node<'_>>(text)?)
}

impl Node<'_> {
    fn unexpected(&self) -> Unexpected<'_> {
        match self {
            Self::Null => Unexpected::Unit,
            Self::Bool(value) => Unexpected::Bool(*value),
            Self::Unsigned(_) | Self::Signed(_) | Self::Float(_) => Unexpected::Other("a number"),
            Self::Text(_) => Unexpected::Other("a string"),
            Self::List(_) => Unexpected::Seq,
            Self::Fields(_) => Unexpected::Map,
        }
    }
}

impl<'de> Deserializer<'de> for Node<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Null => visitor.visit_unit(),
            Self::Bool(value) => visitor.visit_bool(value),
            Self::Unsigned(number) => visitor.visit_u64(number),
            Self::Signed(number) => visitor.visit_i64(number),
            Self::Float(number) => visitor.visit_f64(number),
            Self::Text(text) => Text(text).visited(visitor),
            Self::List(list) => visitor.visit_seq(Items(list.into_iter())),
            Self::Fields(fields) => visitor.visit_map(Entries::of(fields)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if matches!(self, Self::Null) { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Fields(fields) => visitor.visit_map(Entries::of(fields)),
            _ => Err(Error::invalid_type(self.unexpected(), &visitor)),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(self, _: &'static str, _: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        self.deserialize_map(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::List(list) => visitor.visit_seq(Items(list.into_iter())),
            _ => Err(Error::invalid_type(self.unexpected(), &visitor)),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(self, _: &'static str, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(self, _: &'static str, _: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Text(name) => visitor.visit_enum(Variant(name, None)),
            Self::Fields(fields) if fields.len() == 1 => match fields.into_iter().next() {
                Some((Text(name), value)) => visitor.visit_enum(Variant(name, Some(value))),
                None => Err(Error::custom("an empty enum")),
            },
            _ => Err(Error::invalid_type(self.unexpected(), &visitor)),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct identifier
    }
}

struct Items<'a>(std::vec::IntoIter<Node<'a>>);

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        self.0.next().map(|value| seed.deserialize(value)).transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

struct Entries<'a> {
    left: std::vec::IntoIter<(Text<'a>, Node<'a>)>,
    value: Node<'a>,
}

impl<'a> Entries<'a> {
    fn of(fields: Vec<(Text<'a>, Node<'a>)>) -> Self {
        Self { left: fields.into_iter(), value: Node::Null }
    }
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some((name, value)) = self.left.next() else { return Ok(None) };
        self.value = value;
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        seed.deserialize(std::mem::replace(&mut self.value, Node::Null))
    }
}

impl<'de> Text<'de> {
    fn visited<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
            Cow::Owned(text) => visitor.visit_string(text),
        }
    }
}

/// As a name; where a number is wanted, the number that it says.
impl<'de> Deserializer<'de> for Text<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.visited(visitor)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0.parse() {
            Ok(number) => visitor.visit_u64(number),
            Err(_) => Err(Error::invalid_type(Unexpected::Other("a name"), &visitor)),
        }
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_u64(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u128 f32 f64 char str string bytes byte_buf option unit unit_struct seq tuple tuple_struct map struct
        enum identifier ignored_any
    }
}

/// A variant's name, and what comes with it.
struct Variant<'a>(Cow<'a, str>, Option<Node<'a>>);

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = Error;
    type Variant = Content<'de>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Content<'de>), Error> {
        let name: StrDeserializer<'_, Error> = self.0.as_ref().into_deserializer();
        Ok((seed.deserialize(name)?, Content(self.1)))
    }
}

struct Content<'a>(Option<Node<'a>>);

impl<'de> VariantAccess<'de> for Content<'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        match self.0 {
            None => Ok(()),
            Some(value) => Deserialize::deserialize(value),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(self.0.unwrap_or(Node::Null))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.0.unwrap_or(Node::Null).deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        self.0.unwrap_or(Node::Null).deserialize_map(visitor)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde::Serialize;

    use super::*;
    use crate::time::{Timestamp, Ttl};

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    enum Form {
        Unit,
        One(String),
        Two(u32, Option<i64>),
        Fields {
            at: Timestamp,
            #[serde(default)]
            list: Vec<Form>,
            map: BTreeMap<Ttl, bool>,
        },
        Nested(Box<Option<Form>>),
    }

    fn form() -> impl Strategy<Value = Form> {
        let leaf = prop_oneof![
            Just(Form::Unit),
            any::<String>().prop_map(Form::One),
            (any::<u32>(), any::<Option<i64>>()).prop_map(|(a, b)| Form::Two(a, b)),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            let map = proptest::collection::btree_map(any::<u64>().prop_map(Ttl::from_millis), any::<bool>(), 0..3);
            prop_oneof![
                (any::<u64>(), proptest::collection::vec(inner.clone(), 0..4), map).prop_map(|(at, list, map)| Form::Fields {
                    at: Timestamp::from_millis(at),
                    list,
                    map
                }),
                inner.prop_map(|form| Form::Nested(Box::new(Some(form)))),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_serde_json_writes_is_read_as_it_reads_it(form in form()) {
            let text = serde_json::to_string(&form).unwrap();
            prop_assert_eq!(read::<Form>(&text).unwrap(), serde_json::from_str::<Form>(&text).unwrap());
            prop_assert_eq!(read::<Form>(&text).unwrap(), form);
        }
    }

    #[test]
    fn what_is_of_another_form_is_an_error() {
        for wrong in [
            "",
            "{",
            "null",
            "1",
            "\"Other\"",
            "{}",
            r#"{"Unit":1,"One":"x"}"#,
            r#"{"One":1}"#,
            r#"{"Two":{}}"#,
            r#"{"Two":[1]}"#,
            r#"{"Fields":[]}"#,
        ] {
            assert!(read::<Form>(wrong).is_err(), "{wrong}");
            assert!(serde_json::from_str::<Form>(wrong).is_err() || wrong.contains("Fields"), "{wrong}");
        }
        assert_eq!(
            read::<Form>(r#"{"Fields":{"at":1,"map":{"5":true},"later":[1]}}"#).unwrap(),
            Form::Fields { at: Timestamp::from_millis(1), list: Vec::new(), map: [(Ttl::from_millis(5), true)].into() }
        );
    }
}
