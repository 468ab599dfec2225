//! The keys of maps: strings, and numbers and booleans by their text, of any size.

use serde::ser::{self, Impossible, Serialize};

use crate::error::{Error, ErrorKind, Result};

/// Makes the key of a member.
pub(super) struct KeyWriter;

fn no_key(found: &str) -> Error {
    Error::with_detail(ErrorKind::TypeMismatch, format!("found {found} as a key, expected a string"))
}

macro_rules! keys {
    ($($method:ident: $key:ty;)*) => {
        $(fn $method(self, key: $key) -> Result<String> {
            Ok(key.to_string())
        })*
    };
}

macro_rules! no_keys {
    ($($method:ident($($argument:ty),*) -> $made:ty, $found:literal;)*) => {
        $(fn $method(self, $(_: $argument),*) -> Result<$made> {
            Err(no_key($found))
        })*
    };
}

type Never = Impossible<String, Error>;

impl ser::Serializer for KeyWriter {
    type Ok = String;
    type Error = Error;
    type SerializeSeq = Never;
    type SerializeTuple = Never;
    type SerializeTupleStruct = Never;
    type SerializeTupleVariant = Never;
    type SerializeMap = Never;
    type SerializeStruct = Never;
    type SerializeStructVariant = Never;

    keys! {
        serialize_bool: bool;
        serialize_i8: i8;
        serialize_i16: i16;
        serialize_i32: i32;
        serialize_i64: i64;
        serialize_i128: i128;
        serialize_u8: u8;
        serialize_u16: u16;
        serialize_u32: u32;
        serialize_u64: u64;
        serialize_u128: u128;
        serialize_char: char;
        serialize_str: &str;
    }

    no_keys! {
        serialize_f32(f32) -> String, "a number";
        serialize_f64(f64) -> String, "a number";
        serialize_bytes(&[u8]) -> String, "bytes";
        serialize_none() -> String, "null";
        serialize_unit() -> String, "null";
        serialize_unit_struct(&'static str) -> String, "null";
        serialize_seq(Option<usize>) -> Never, "an array";
        serialize_tuple(usize) -> Never, "an array";
        serialize_tuple_struct(&'static str, usize) -> Never, "an array";
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Never, "an array";
        serialize_map(Option<usize>) -> Never, "an object";
        serialize_struct(&'static str, usize) -> Never, "an object";
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Never, "an object";
    }

    fn serialize_some<T: Serialize + ?Sized>(self, key: &T) -> Result<String> {
        key.serialize(self)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<String> {
        Ok(variant.to_owned())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, key: &T) -> Result<String> {
        key.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<String> {
        Err(no_key("an object"))
    }
}
