//! Binary files: the JSON file `{"data": …}` with one leaf, whose bytes are those of the file.
//!
//! The leaf is of type `str` whatever the bytes are. Source: `BinaryStore` in `stores/json/store.go` of sops.

use crate::error::{Error, ErrorKind, Result};
use crate::secret::{Bytes, Text};
use crate::tree::{Map, Value};

/// The key of the one leaf.
const DATA: &str = "data";

/// The tree of a binary file.
pub(crate) fn parse(bytes: &[u8]) -> Map {
    Map::from_iter([(DATA, from_bytes(bytes.to_vec()))])
}

/// A string where the bytes are UTF-8, else bytes.
pub(crate) fn from_bytes(bytes: Vec<u8>) -> Value {
    match String::from_utf8(bytes) {
        Ok(text) => Value::Text(Text::from(text)),
        Err(error) => Value::Bytes(Bytes::from(error.into_bytes())),
    }
}

/// The bytes of the binary file whose tree this is.
pub(crate) fn write(tree: &Map) -> Result<&[u8]> {
    match tree.get(DATA) {
        Some(Value::Text(text)) => Ok(text.as_str().as_bytes()),
        Some(Value::Bytes(bytes)) => Ok(bytes.as_bytes()),
        Some(_) => Err(not_binary("it is no string").under_key(DATA)),
        None => Err(not_binary("there is no key \"data\": this is no encrypted binary file, write it as JSON")),
    }
}

fn not_binary(detail: &str) -> Error {
    Error::with_detail(ErrorKind::NotRepresentable, detail)
}
