//! Typed writing: a serde serializer into the tree, spelled as `serde_json` spells the same types.

mod key;

use std::fmt::{self, Write as _};

use serde::ser::{self, Serialize};
use zeroize::Zeroizing;

use super::{MAX_DEPTH, Map, Value};
use crate::error::{Error, ErrorKind, Result};
use crate::secret::Text;

use key::KeyWriter;

/// The tree that `value` makes.
pub(crate) fn to_value<T: Serialize + ?Sized>(value: &T) -> Result<Value> {
    value.serialize(Writer { depth: 0 })
}

impl ser::Error for Error {
    fn custom<T: fmt::Display>(_: T) -> Self {
        let detail = "the type itself refuses to be written; what it says is not shown, since it may quote the value";
        Error::with_detail(ErrorKind::TypeMismatch, detail)
    }
}

/// Makes one value below `depth` open objects and arrays.
#[derive(Clone, Copy)]
struct Writer {
    depth: usize,
}

impl Writer {
    /// The writer for what stands inside the next object or array.
    fn deeper(self) -> Result<Self> {
        if self.depth == MAX_DEPTH {
            return Err(Error::new(ErrorKind::TooDeep));
        }
        Ok(Writer { depth: self.depth + 1 })
    }

    fn object(self, members: usize, variant: Option<&'static str>) -> Result<ObjectWriter> {
        let outer = if variant.is_some() { self.deeper()? } else { self };
        Ok(ObjectWriter { map: Map::with_capacity(members), key: None, inside: outer.deeper()?, variant })
    }

    fn array(self, items: usize, variant: Option<&'static str>) -> Result<ArrayWriter> {
        let outer = if variant.is_some() { self.deeper()? } else { self };
        Ok(ArrayWriter { items: Vec::with_capacity(items), inside: outer.deeper()?, variant })
    }
}

/// Counts instead of writing.
struct Length(usize);

impl fmt::Write for Length {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += text.len();
        Ok(())
    }
}

fn wide(number: impl TryInto<i64>) -> Result<Value> {
    number.try_into().map(Value::Int).map_err(|_| Error::new(ErrorKind::NumberNotExact))
}

fn finite(number: f64) -> Result<Value> {
    if number.is_finite() { Ok(Value::Float(number)) } else { Err(Error::new(ErrorKind::NumberOutOfRange)) }
}

/// `{"Variant": content}`, or the content alone where there is no variant.
fn tagged(variant: Option<&'static str>, content: Value) -> Value {
    match variant {
        None => content,
        Some(name) => Value::Object(Map::from_iter([(name, content)])),
    }
}

fn under_variant(error: Error, variant: Option<&'static str>) -> Error {
    variant.into_iter().fold(error, Error::under_key)
}

macro_rules! integers {
    ($($method:ident: $number:ty;)*) => {
        $(fn $method(self, number: $number) -> Result<Value> {
            wide(number)
        })*
    };
}

impl ser::Serializer for Writer {
    type Ok = Value;
    type Error = Error;
    type SerializeSeq = ArrayWriter;
    type SerializeTuple = ArrayWriter;
    type SerializeTupleStruct = ArrayWriter;
    type SerializeTupleVariant = ArrayWriter;
    type SerializeMap = ObjectWriter;
    type SerializeStruct = ObjectWriter;
    type SerializeStructVariant = ObjectWriter;

    integers! {
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
    }

    fn serialize_bool(self, flag: bool) -> Result<Value> {
        Ok(Value::Bool(flag))
    }

    /// By way of its decimal text: `0.1_f32` is written as `0.1`, not as `0.10000000149011612`.
    fn serialize_f32(self, number: f32) -> Result<Value> {
        finite(number.to_string().parse().unwrap_or(f64::NAN))
    }

    fn serialize_f64(self, number: f64) -> Result<Value> {
        finite(number)
    }

    fn serialize_char(self, c: char) -> Result<Value> {
        Ok(Value::from(c.to_string()))
    }

    fn serialize_str(self, text: &str) -> Result<Value> {
        Ok(Value::from(text))
    }

    /// Written twice, to learn the length first: a string that grows leaves copies behind.
    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Result<Value> {
        let refused = |_| <Error as ser::Error>::custom("");
        let mut length = Length(0);
        write!(length, "{value}").map_err(refused)?;
        let mut text = Zeroizing::new(String::with_capacity(length.0));
        write!(text, "{value}").map_err(refused)?;
        Ok(Value::Text(Text::from(text)))
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<Value> {
        Ok(Value::Array(bytes.iter().map(|byte| Value::Int(i64::from(*byte))).collect()))
    }

    fn serialize_none(self) -> Result<Value> {
        Ok(Value::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Value> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Value> {
        Ok(Value::Null)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Value> {
        Ok(Value::Null)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<Value> {
        Ok(Value::from(variant))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<Value> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Value> {
        let content = value.serialize(self.deeper()?).map_err(|error| error.under_key(variant))?;
        Ok(tagged(Some(variant), content))
    }

    fn serialize_seq(self, items: Option<usize>) -> Result<ArrayWriter> {
        // The hint comes from the caller's type; what it claims beyond this is allocated as the items come.
        self.array(items.unwrap_or(0).min(1024), None)
    }

    fn serialize_tuple(self, items: usize) -> Result<ArrayWriter> {
        self.array(items, None)
    }

    fn serialize_tuple_struct(self, _: &'static str, items: usize) -> Result<ArrayWriter> {
        self.array(items, None)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        items: usize,
    ) -> Result<ArrayWriter> {
        self.array(items, Some(variant))
    }

    fn serialize_map(self, members: Option<usize>) -> Result<ObjectWriter> {
        self.object(members.unwrap_or(0).min(1024), None)
    }

    fn serialize_struct(self, _: &'static str, members: usize) -> Result<ObjectWriter> {
        self.object(members, None)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        members: usize,
    ) -> Result<ObjectWriter> {
        self.object(members, Some(variant))
    }
}

struct ArrayWriter {
    items: Vec<Value>,
    inside: Writer,
    variant: Option<&'static str>,
}

impl ser::SerializeSeq for ArrayWriter {
    type Ok = Value;
    type Error = Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<()> {
        let in_item = |error: Error| under_variant(error.under_index(self.items.len()), self.variant);
        let item = item.serialize(self.inside).map_err(in_item)?;
        self.items.push(item);
        Ok(())
    }

    fn end(self) -> Result<Value> {
        Ok(tagged(self.variant, Value::Array(self.items)))
    }
}

macro_rules! like_a_sequence {
    ($($kind:ident::$method:ident)*) => {
        $(impl ser::$kind for ArrayWriter {
            type Ok = Value;
            type Error = Error;

            fn $method<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<()> {
                ser::SerializeSeq::serialize_element(self, item)
            }

            fn end(self) -> Result<Value> {
                ser::SerializeSeq::end(self)
            }
        })*
    };
}

like_a_sequence! { SerializeTuple::serialize_element SerializeTupleStruct::serialize_field SerializeTupleVariant::serialize_field }

struct ObjectWriter {
    map: Map,
    key: Option<String>,
    inside: Writer,
    variant: Option<&'static str>,
}

impl ObjectWriter {
    fn member<T: Serialize + ?Sized>(&mut self, key: String, value: &T) -> Result<()> {
        if self.map.contains_key(&key) {
            return Err(under_variant(Error::new(ErrorKind::DuplicateKey).under_key(&key), self.variant));
        }
        let in_member = |error: Error| under_variant(error.under_key(&key), self.variant);
        let value = value.serialize(self.inside).map_err(in_member)?;
        self.map.insert(key, value);
        Ok(())
    }
}

impl ser::SerializeMap for ObjectWriter {
    type Ok = Value;
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<()> {
        self.key = Some(key.serialize(KeyWriter)?);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        let missing = || Error::with_detail(ErrorKind::TypeMismatch, "a value was written before its key");
        let key = self.key.take().ok_or_else(missing)?;
        self.member(key, value)
    }

    fn end(self) -> Result<Value> {
        Ok(tagged(self.variant, Value::Object(self.map)))
    }
}

macro_rules! like_a_map {
    ($($kind:ident)*) => {
        $(impl ser::$kind for ObjectWriter {
            type Ok = Value;
            type Error = Error;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<()> {
                self.member(key.to_owned(), value)
            }

            fn end(self) -> Result<Value> {
                ser::SerializeMap::end(self)
            }
        })*
    };
}

like_a_map! { SerializeStruct SerializeStructVariant }
