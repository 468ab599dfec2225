//! Typed reading: a serde deserializer over the tree, so that no plaintext passes through a tree that is not wiped.
//!
//! serde's own messages quote the value they did not expect. Here they name its type and its path only.

use std::fmt;

use serde::de::{self, DeserializeOwned, DeserializeSeed, Unexpected, Visitor};
use serde::forward_to_deserialize_any;

use super::{Map, Value, float_as_int};
use crate::error::{Error, ErrorKind, Result};

/// The `T` that the tree holds.
pub(crate) fn from_map<T: DeserializeOwned>(map: &Map) -> Result<T> {
    T::deserialize(Reader::Map(map))
}

impl de::Error for Error {
    fn custom<T: fmt::Display>(_: T) -> Self {
        let detail = "the type itself refuses it; what it says is not shown, since it may quote the value";
        Error::with_detail(ErrorKind::TypeMismatch, detail)
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        let found = name_of(&unexpected);
        Error::with_detail(ErrorKind::TypeMismatch, format!("found {found}, expected {expected}"))
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        let found = name_of(&unexpected);
        Error::with_detail(ErrorKind::TypeMismatch, format!("found {found} that does not fit, expected {expected}"))
    }

    fn invalid_length(length: usize, expected: &dyn de::Expected) -> Self {
        Error::with_detail(ErrorKind::TypeMismatch, format!("found {length} items, expected {expected}"))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Error::with_detail(ErrorKind::TypeMismatch, format!("found a variant that is none of {expected:?}"))
    }

    /// The path names the field. What serde takes for its name can be a value, of an enum that stands for the names of fields.
    fn unknown_field(_: &str, expected: &'static [&'static str]) -> Self {
        Error::with_detail(ErrorKind::TypeMismatch, format!("unknown field, expected one of {expected:?}"))
    }

    fn missing_field(field: &'static str) -> Self {
        Error::with_detail(ErrorKind::TypeMismatch, format!("missing field {field:?}"))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Error::with_detail(ErrorKind::TypeMismatch, format!("duplicate field {field:?}"))
    }
}

fn name_of(unexpected: &Unexpected<'_>) -> &'static str {
    match unexpected {
        Unexpected::Bool(_) => "a boolean",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "an integer",
        Unexpected::Float(_) => "a number",
        Unexpected::Char(_) | Unexpected::Str(_) => "a string",
        Unexpected::Bytes(_) => "bytes",
        Unexpected::Unit | Unexpected::Option => "null",
        Unexpected::Seq | Unexpected::TupleVariant => "an array",
        Unexpected::Map | Unexpected::StructVariant => "an object",
        _ => "something else",
    }
}

/// A position in the tree; the root is a [`Map`], everything below a [`Value`].
#[derive(Clone, Copy)]
enum Reader<'de> {
    Map(&'de Map),
    Value(&'de Value),
}

impl<'de> de::Deserializer<'de> for Reader<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        let value = match self {
            Reader::Map(map) => return visitor.visit_map(Members { members: Box::new(map.iter()), value: None }),
            Reader::Value(value) => value,
        };
        match value {
            Value::Null | Value::Comment(_) => visitor.visit_unit(),
            Value::Bool(flag) => visitor.visit_bool(*flag),
            Value::Int(number) => visitor.visit_i64(*number),
            Value::Float(number) => match float_as_int(*number) {
                Some(whole) => visitor.visit_i64(whole),
                None => visitor.visit_f64(*number),
            },
            Value::Text(text) => visitor.visit_borrowed_str(text.as_str()),
            Value::Bytes(bytes) => visitor.visit_borrowed_bytes(bytes.as_bytes()),
            Value::Array(items) => {
                let mut left = Items { items: items.iter().enumerate() };
                let made = visitor.visit_seq(&mut left)?;
                match left.next() {
                    None => Ok(made),
                    Some(_) => Err(de::Error::invalid_length(items.len(), &"fewer items")),
                }
            }
            Value::Object(map) => Reader::Map(map).deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self {
            Reader::Value(Value::Null) => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self {
            Reader::Value(Value::Text(text)) => visitor.visit_borrowed_bytes(text.as_str().as_bytes()),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        let map = match self {
            Reader::Value(Value::Text(text)) => {
                return visitor.visit_enum(Variant { name: text.as_str(), content: None });
            }
            Reader::Value(Value::Object(map)) | Reader::Map(map) => map,
            Reader::Value(other) => {
                let detail = format!("found {}, expected a string or an object with one key", other.type_name());
                return Err(Error::with_detail(ErrorKind::TypeMismatch, detail));
            }
        };
        match (map.iter().next(), map.len()) {
            (Some((name, content)), 1) => visitor.visit_enum(Variant { name, content: Some(content) }),
            _ => Err(Error::with_detail(ErrorKind::TypeMismatch, "expected an object with exactly one key")),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string unit unit_struct seq tuple tuple_struct map
        struct identifier
    }
}

/// The items of an array. An error inside one learns its index here.
struct Items<'de> {
    items: std::iter::Enumerate<std::slice::Iter<'de, Value>>,
}

impl<'de> Items<'de> {
    fn next(&mut self) -> Option<(usize, &'de Value)> {
        self.items.find(|(_, item)| !matches!(item, Value::Comment(_)))
    }
}

impl<'de> de::SeqAccess<'de> for Items<'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        let Some((index, item)) = self.next() else { return Ok(None) };
        seed.deserialize(Reader::Value(item)).map(Some).map_err(|error| error.under_index(index))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

/// The members of an object. An error inside one learns its key here.
struct Members<'de> {
    members: Box<dyn Iterator<Item = (&'de str, &'de Value)> + 'de>,
    value: Option<(&'de str, &'de Value)>,
}

impl<'de> de::MapAccess<'de> for Members<'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        self.value = self.members.next();
        let Some((key, _)) = self.value else { return Ok(None) };
        seed.deserialize(Key(key)).map(Some).map_err(|error| error.under_key(key))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        let Some((key, value)) = self.value.take() else {
            return Err(Error::with_detail(ErrorKind::TypeMismatch, "a value was asked for before its key"));
        };
        seed.deserialize(Reader::Value(value)).map_err(|error| error.under_key(key))
    }
}

/// The key of a member: a string that may stand for a number or a boolean, as in JSON.
struct Key<'de>(&'de str);

macro_rules! parsed_keys {
    ($($method:ident => $visit:ident;)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            match self.0.parse() {
                Ok(key) => visitor.$visit(key),
                Err(_) => visitor.visit_borrowed_str(self.0),
            }
        })*
    };
}

impl<'de> de::Deserializer<'de> for Key<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_borrowed_str(self.0)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        visitor.visit_enum(Variant { name: self.0, content: None })
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    parsed_keys! {
        deserialize_bool => visit_bool;
        deserialize_i8 => visit_i8;
        deserialize_i16 => visit_i16;
        deserialize_i32 => visit_i32;
        deserialize_i64 => visit_i64;
        deserialize_i128 => visit_i128;
        deserialize_u8 => visit_u8;
        deserialize_u16 => visit_u16;
        deserialize_u32 => visit_u32;
        deserialize_u64 => visit_u64;
        deserialize_u128 => visit_u128;
        deserialize_f32 => visit_f32;
        deserialize_f64 => visit_f64;
    }

    forward_to_deserialize_any! {
        char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// An enum: `"Name"`, or `{"Name": content}`.
struct Variant<'de> {
    name: &'de str,
    content: Option<&'de Value>,
}

impl<'de> de::EnumAccess<'de> for Variant<'de> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self)> {
        Ok((seed.deserialize(Key(self.name))?, self))
    }
}

impl<'de> Variant<'de> {
    fn content(&self) -> Result<Reader<'de>> {
        self.content.map(Reader::Value).ok_or_else(|| {
            Error::with_detail(ErrorKind::TypeMismatch, "found the name of a variant alone, expected its content too")
        })
    }
}

impl<'de> de::VariantAccess<'de> for Variant<'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<()> {
        match self.content {
            None | Some(Value::Null) => Ok(()),
            Some(_) => Err(Error::with_detail(ErrorKind::TypeMismatch, "found content in a variant that has none")),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value> {
        seed.deserialize(self.content()?).map_err(|error| error.under_key(self.name))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value> {
        de::Deserializer::deserialize_any(self.content()?, visitor).map_err(|error| error.under_key(self.name))
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value> {
        de::Deserializer::deserialize_any(self.content()?, visitor).map_err(|error| error.under_key(self.name))
    }
}
