//! The tree of a document: values, and objects that keep the order of their keys.

mod de;
mod diff;
pub(crate) mod edit;
mod map;
pub(crate) mod nodes;
mod ser;

use std::fmt;
use std::str::FromStr;

use zeroize::Zeroizing;

use crate::error::{Error, ErrorKind, Result};
use crate::path::{KeyPath, Segment};
use crate::secret::{Bytes, Text};

pub(crate) use de::from_map;
pub use diff::Difference;
pub(crate) use diff::differences;
pub use map::Map;
pub(crate) use ser::to_value;

/// How many objects and arrays may be open at once: 128.
///
/// A deeper input is refused, so that no input can exhaust the stack. sops itself has no limit.
pub const MAX_DEPTH: usize = 128;

/// A value of a document.
///
/// `Debug` shows keys and types, never a leaf.
///
/// ```
/// use sopskit::{Map, Value};
///
/// let value = Value::from(Map::from_iter([("pin", Value::from(1234)), ("name", Value::from("db"))]));
/// assert_eq!(value.get("name").and_then(Value::as_str), Some("db"));
/// assert_eq!(format!("{value:?}"), r#"{"pin": Int(…), "name": Text(…)}"#);
/// ```
#[derive(Clone)]
pub enum Value {
    /// `null`. It stays as it is in an encrypted file, and no MAC covers it.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An integer. Larger ones than these 64 bits hold are refused when a document is read.
    Int(i64),
    /// Another number. It must be finite to be written.
    Float(f64),
    /// A string.
    Text(Text),
    /// Bytes that are not UTF-8, of a binary file.
    Bytes(Bytes),
    /// A comment in a list of a YAML file that sops encrypted into JSON. It stays in the encrypted file, and is left out wherever the
    /// plaintext is read or written.
    Comment(Text),
    /// An array.
    Array(Vec<Value>),
    /// An object.
    Object(Map),
}

impl Value {
    /// The string, if this is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text.as_str()),
            _ => None,
        }
    }

    /// The integer, if this is one.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Value::Int(number) => Some(*number),
            Value::Float(number) => float_as_int(*number),
            _ => None,
        }
    }

    /// The number as a float, if this is a number. An integer above 2^53 is rounded.
    #[must_use]
    #[allow(clippy::cast_precision_loss)]
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Value::Int(number) => Some(*number as f64),
            Value::Float(number) => Some(*number),
            _ => None,
        }
    }

    /// The boolean, if this is one.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(flag) => Some(*flag),
            _ => None,
        }
    }

    /// The items, if this is an array.
    #[must_use]
    pub fn as_array(&self) -> Option<&[Value]> {
        match self {
            Value::Array(items) => Some(items),
            _ => None,
        }
    }

    /// The members, if this is an object.
    #[must_use]
    pub fn as_object(&self) -> Option<&Map> {
        match self {
            Value::Object(map) => Some(map),
            _ => None,
        }
    }

    /// The value under a key of an object, or at an index of an array. Comments do not count.
    #[must_use]
    pub fn get(&self, segment: impl Into<Segment>) -> Option<&Value> {
        let segment = segment.into();
        self.child(&edit::in_memory(self, &segment))
    }

    /// As [`get`](Self::get), where comments count too.
    fn child(&self, segment: &Segment) -> Option<&Value> {
        match (self, segment) {
            (Value::Object(map), Segment::Key(key)) => map.get(key),
            (Value::Array(items), Segment::Index(index)) => items.get(*index),
            _ => None,
        }
    }

    fn get_mut(&mut self, segment: &Segment) -> Option<&mut Value> {
        match (self, segment) {
            (Value::Object(map), Segment::Key(key)) => map.get_mut(key),
            (Value::Array(items), Segment::Index(index)) => items.get_mut(*index),
            _ => None,
        }
    }

    /// What kind of value this is, for error messages.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Int(_) => "an integer",
            Value::Float(_) => "a number",
            Value::Text(_) => "a string",
            Value::Bytes(_) => "bytes",
            Value::Comment(_) => "a comment",
            Value::Array(_) => "an array",
            Value::Object(_) => "an object",
        }
    }
}

/// The integer that `number` is, if it is one that a 64-bit float holds exactly. Negative zero is none.
///
/// Releases of sops before 3.13.2 sealed every number as a float: `5` must come back as `5`.
pub(crate) fn float_as_int(number: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let whole = number.fract() == 0.0 && number.abs() <= EXACT && !(number == 0.0 && number.is_sign_negative());
    #[allow(clippy::cast_possible_truncation)]
    whole.then_some(number as i64)
}

/// The shortest decimal that reads back as `number`, as digits (the first before the point) and exponent of ten.
///
/// Where two decimals are equally short and equally near, Go, and so sops, takes the even one, and Rust's `Display` the greater. The two
/// must agree, because floats are hashed in this form.
pub(crate) fn shortest_decimal(number: f64) -> (Zeroizing<String>, i32) {
    let split = |text: &str| {
        let (digits, exponent) = text.split_once('e').unwrap_or((text, "0"));
        (Zeroizing::new(digits.replace(['-', '.'], "")), exponent.parse().unwrap_or_default())
    };
    let shortest = formatted(format_args!("{number:e}"));
    let (digits, exponent) = split(&shortest);
    let nearest = formatted(format_args!("{number:.*e}", digits.len() - 1));
    if nearest.parse() == Ok(number) { split(&nearest) } else { (digits, exponent) }
}

/// Room for the text of any float that is finite: the longest has 309 digits in front of the point, or some 340 behind it.
const FLOAT_ROOM: usize = 512;

/// A number as text that never moves while it is made, and is wiped.
pub(crate) fn formatted(number: fmt::Arguments<'_>) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(FLOAT_ROOM));
    // A string takes all that is written.
    let _ = fmt::Write::write_fmt(&mut *text, number);
    text
}

/// An integer as it is sealed and hashed.
pub(crate) fn int_text(number: i64) -> Zeroizing<String> {
    formatted(format_args!("{number}"))
}

/// A float as it is sealed and hashed: the shortest decimal that reads back as `number`, never with an exponent.
pub(crate) fn float_text(number: f64) -> Zeroizing<String> {
    let (digits, exponent) = shortest_decimal(number);
    let sign = if number.is_sign_negative() { "-" } else { "" };
    match usize::try_from(exponent) {
        Ok(zeros) if digits.len() <= zeros + 1 => {
            formatted(format_args!("{sign}{:0<width$}", digits.as_str(), width = zeros + 1))
        }
        Ok(point) => formatted(format_args!("{sign}{}.{}", &digits[..=point], &digits[point + 1..])),
        Err(_) => {
            let zeros = exponent.unsigned_abs() as usize - 1;
            formatted(format_args!("{sign}0.{:0>zeros$}{}", "", digits.as_str()))
        }
    }
}

impl PartialEq for Value {
    /// Floats are equal when they are written alike: 0.0 and -0.0 are not, and must not be taken for one when a document changes.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Value::Null, Value::Null) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Int(a), Value::Int(b)) => a == b,
            (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits(),
            (Value::Text(a), Value::Text(b)) | (Value::Comment(a), Value::Comment(b)) => a == b,
            (Value::Bytes(a), Value::Bytes(b)) => a == b,
            (Value::Array(a), Value::Array(b)) => a == b,
            (Value::Object(a), Value::Object(b)) => a == b,
            _ => false,
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("Null"),
            Value::Bool(_) => f.write_str("Bool(…)"),
            Value::Int(_) => f.write_str("Int(…)"),
            Value::Float(_) => f.write_str("Float(…)"),
            Value::Text(text) => text.fmt(f),
            Value::Bytes(bytes) => bytes.fmt(f),
            Value::Comment(_) => f.write_str("Comment(…)"),
            Value::Array(items) => f.debug_list().entries(items).finish(),
            Value::Object(map) => map.fmt(f),
        }
    }
}

macro_rules! value_from {
    ($($from:ty => $make:expr;)*) => {
        $(impl From<$from> for Value {
            fn from(value: $from) -> Self {
                $make(value)
            }
        })*
    };
}

value_from! {
    bool => Value::Bool;
    i32 => |number| Value::Int(i64::from(number));
    i64 => Value::Int;
    f64 => Value::Float;
    &str => |text| Value::Text(Text::from(text));
    String => |text| Value::Text(Text::from(text));
    Text => Value::Text;
    Vec<Value> => Value::Array;
    Map => Value::Object;
}

impl FromStr for KeyPath {
    type Err = Error;

    /// Reads a path as sops' command line spells it.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidPath`] when the text is none.
    fn from_str(text: &str) -> Result<Self> {
        KeyPath::from_text(text).map_err(|problem| Error::with_detail(ErrorKind::InvalidPath, problem))
    }
}

impl TryFrom<&str> for KeyPath {
    type Error = Error;

    fn try_from(text: &str) -> Result<Self> {
        text.parse()
    }
}
