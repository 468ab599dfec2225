//! Leaves: the text `ENC[AES256_GCM,data:…,iv:…,tag:…,type:…]` to its parts and back, and values to the bytes that are sealed.
//!
//! Source: section 2 of the format page, `aes/cipher.go` of sops.

mod base64;

use std::ops::Deref;

use chrono::DateTime;
use zeroize::Zeroizing;

use crate::error::{Error, ErrorKind, Result};
use crate::secret::{Bytes, Text};
use crate::tree::{Value, float_text, int_text, nodes};

/// The length of a nonce in bytes. SOPS takes 32 where AES-GCM is mostly used with 12.
pub(crate) const IV_LEN: usize = 32;
/// The length of an authentication tag in bytes.
pub(crate) const TAG_LEN: usize = 16;

/// The lengths of both in base64.
const IV_TEXT: usize = base64::encoded_length(IV_LEN);
const TAG_TEXT: usize = base64::encoded_length(TAG_LEN);
/// The decoder asks for room for whole groups of three bytes.
const IV_ROOM: usize = base64::decoded_room(IV_TEXT);
const TAG_ROOM: usize = base64::decoded_room(TAG_TEXT);

const HEAD: &str = "ENC[AES256_GCM,data:";
const IV: &str = ",iv:";
const TAG: &str = ",tag:";
const TYPE: &str = ",type:";
const END: &str = "]";

/// How the bytes of a leaf are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LeafType {
    Str,
    Int,
    Float,
    Bool,
    /// Only in old files; read as text where it is UTF-8.
    Bytes,
    /// RFC 3339, from a YAML file that was encrypted into JSON; in JSON a string.
    Time,
    /// From a list of a YAML file, likewise. No MAC covers it.
    Comment,
}

impl LeafType {
    pub(crate) fn name(self) -> &'static str {
        match self {
            LeafType::Str => "str",
            LeafType::Int => "int",
            LeafType::Float => "float",
            LeafType::Bool => "bool",
            LeafType::Bytes => "bytes",
            LeafType::Time => "time",
            LeafType::Comment => "comment",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        use LeafType::{Bool, Bytes, Comment, Float, Int, Str, Time};
        [Str, Int, Float, Bool, Bytes, Time, Comment].into_iter().find(|kind| kind.name() == name)
    }
}

/// How long what a text opens to is at most; of one that is no leaf, its own length.
pub(crate) fn opened_length(text: &str) -> usize {
    if !looks_sealed(text) {
        return text.len();
    }
    base64::decoded_room(text.len().saturating_sub(text_length(&[], LeafType::Str)))
}

/// How long the text is that a text is sealed to.
pub(crate) fn sealed_length(text: &str) -> usize {
    text_length(text.as_bytes(), LeafType::Float)
}

/// Whether a text is meant to be an encrypted leaf, sound or not.
pub(crate) fn looks_sealed(text: &str) -> bool {
    text.starts_with("ENC[")
}

/// An encrypted leaf, taken apart. The ciphertext is still base64.
pub(crate) struct Leaf<'a> {
    data: &'a str,
    iv: [u8; IV_ROOM],
    tag: [u8; TAG_ROOM],
    pub(crate) kind: LeafType,
}

impl<'a> Leaf<'a> {
    /// The parts of a leaf's text.
    ///
    /// Stricter than sops, which ignores what follows the `]`: there is exactly one text for these parts.
    pub(crate) fn parse(text: &'a str) -> Result<Self> {
        let malformed = || Error::new(ErrorKind::MalformedLeaf);
        let inside = text.strip_prefix(HEAD).and_then(|rest| rest.strip_suffix(END)).ok_or_else(malformed)?;
        // Base64 has no comma: the first one ends the data, and nonce and tag are of one length.
        let end = memchr::memchr(b',', inside.as_bytes()).ok_or_else(malformed)?;
        let (data, rest) = inside.split_at(end);
        let part = |rest: &'a str, name, length| rest.strip_prefix(name)?.split_at_checked(length);
        let (iv, rest) = part(rest, IV, IV_TEXT).ok_or_else(malformed)?;
        let (tag, rest) = part(rest, TAG, TAG_TEXT).ok_or_else(malformed)?;
        let kind = rest.strip_prefix(TYPE).ok_or_else(malformed)?;
        if data.is_empty() || kind.is_empty() {
            return Err(malformed());
        }
        let mut leaf = Leaf { data, iv: [0; IV_ROOM], tag: [0; TAG_ROOM], kind: LeafType::Str };
        if base64::decode(iv, &mut leaf.iv) != Some(IV_LEN) || base64::decode(tag, &mut leaf.tag) != Some(TAG_LEN) {
            return Err(malformed());
        }
        leaf.kind = LeafType::from_name(kind).ok_or_else(|| Error::new(ErrorKind::UnknownLeafType))?;
        Ok(leaf)
    }

    pub(crate) fn iv(&self) -> &[u8; IV_LEN] {
        self.iv.first_chunk().unwrap_or(&[0; IV_LEN])
    }

    pub(crate) fn tag(&self) -> &[u8; TAG_LEN] {
        self.tag.first_chunk().unwrap_or(&[0; TAG_LEN])
    }

    /// How much room [`ciphertext_into`](Self::ciphertext_into) needs.
    pub(crate) fn ciphertext_room(&self) -> usize {
        base64::decoded_room(self.data.len())
    }

    /// Puts the ciphertext into `room`, and says how long it is.
    pub(crate) fn ciphertext_into(&self, room: &mut [u8]) -> Result<usize> {
        base64::decode(self.data, room).ok_or_else(|| Error::new(ErrorKind::MalformedLeaf))
    }

    /// The ciphertext, in memory of its own that it can be opened in.
    pub(crate) fn ciphertext(&self) -> Result<Vec<u8>> {
        let mut bytes = vec![0; self.ciphertext_room()];
        let length = self.ciphertext_into(&mut bytes)?;
        bytes.truncate(length);
        Ok(bytes)
    }
}

/// The text of a leaf.
pub(crate) fn text(ciphertext: &[u8], iv: &[u8; IV_LEN], tag: &[u8; TAG_LEN], kind: LeafType) -> String {
    let mut text = Vec::with_capacity(text_length(ciphertext, kind));
    put_text(&mut text, ciphertext, iv, tag, kind);
    // It is ASCII.
    String::from_utf8(text).unwrap_or_default()
}

/// How long the text of a leaf is.
pub(crate) fn text_length(ciphertext: &[u8], kind: LeafType) -> usize {
    let fixed = HEAD.len() + IV.len() + TAG.len() + TYPE.len() + kind.name().len() + END.len();
    fixed + base64::encoded_length(ciphertext.len()) + base64::encoded_length(IV_LEN) + base64::encoded_length(TAG_LEN)
}

/// Adds the text of a leaf to another text.
pub(crate) fn put_text(text: &mut Vec<u8>, ciphertext: &[u8], iv: &[u8; IV_LEN], tag: &[u8; TAG_LEN], kind: LeafType) {
    for (before, bytes) in [(HEAD, ciphertext), (IV, iv.as_slice()), (TAG, tag.as_slice())] {
        text.extend_from_slice(before.as_bytes());
        base64::encode(bytes, text);
    }
    for part in [TYPE, kind.name(), END] {
        text.extend_from_slice(part.as_bytes());
    }
}

/// The bytes of a leaf: those of the value itself, or the text of a number, which is wiped.
pub(crate) enum Plain<'a> {
    Borrowed(&'a [u8]),
    Number(Zeroizing<Vec<u8>>),
}

impl Plain<'_> {
    fn number(mut text: Zeroizing<String>) -> Self {
        Plain::Number(Zeroizing::new(std::mem::take(&mut *text).into_bytes()))
    }
}

impl Deref for Plain<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Plain::Borrowed(bytes) => bytes,
            Plain::Number(text) => text,
        }
    }
}

/// The bytes that a value is hashed as and, where it is encrypted, sealed as. `None` for values that are no leaves.
pub(crate) fn plain_bytes(value: &Value) -> Option<(Plain<'_>, LeafType)> {
    Some(match value {
        Value::Text(text) => (Plain::Borrowed(text.as_str().as_bytes()), LeafType::Str),
        Value::Bytes(bytes) => (Plain::Borrowed(bytes.as_bytes()), LeafType::Str),
        Value::Int(number) => (Plain::number(int_text(*number)), LeafType::Int),
        Value::Float(number) => (Plain::number(float_text(*number)), LeafType::Float),
        Value::Bool(true) => (Plain::Borrowed(b"True"), LeafType::Bool),
        Value::Bool(false) => (Plain::Borrowed(b"False"), LeafType::Bool),
        Value::Comment(text) => (Plain::Borrowed(text.as_str().as_bytes()), LeafType::Comment),
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    })
}

/// The same of a leaf on a walk.
pub(crate) fn bytes_of(leaf: nodes::Leaf<'_>) -> Option<(Plain<'_>, LeafType)> {
    match leaf {
        nodes::Leaf::Text(text) => Some((Plain::Borrowed(text.as_bytes()), LeafType::Str)),
        nodes::Leaf::Other(value) => plain_bytes(value),
    }
}

/// The type under which the value in the leaf `sealed` is sealed again, after a rotation.
///
/// A string that came from a time or from bytes stays one, so that a rewrite does not change what YAML makes of it.
pub(crate) fn kept_type(kind: LeafType, sealed: &str) -> LeafType {
    match Leaf::parse(sealed).map(|leaf| leaf.kind) {
        Ok(was @ (LeafType::Bytes | LeafType::Time)) if kind == LeafType::Str => was,
        _ => kind,
    }
}

/// The value that opened bytes stand for.
pub(crate) fn value(plain: Vec<u8>, kind: LeafType) -> Result<Value> {
    let text = match String::from_utf8(plain) {
        Ok(text) => Zeroizing::new(text),
        Err(error) => {
            let bytes = Bytes::from(error.into_bytes());
            return match kind {
                LeafType::Str | LeafType::Bytes => Ok(Value::Bytes(bytes)),
                _ => Err(Error::new(ErrorKind::LeafValue)),
            };
        }
    };
    let value = match kind {
        LeafType::Str | LeafType::Bytes => Some(Value::Text(Text::from(text))),
        LeafType::Time => DateTime::parse_from_rfc3339(&text).is_ok().then(|| Value::Text(Text::from(text))),
        LeafType::Comment => Some(Value::Comment(Text::from(text))),
        LeafType::Int => text.parse().ok().map(Value::Int),
        LeafType::Float => parse_float(&text).map(Value::Float),
        LeafType::Bool => parse_bool(&text).map(Value::Bool),
    };
    value.ok_or_else(|| Error::new(ErrorKind::LeafValue))
}

/// A finite float. What Go's `ParseFloat` takes beyond that (hexadecimal, `inf`, `NaN`) no sops writes for JSON.
fn parse_float(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// What Go's `ParseBool` takes.
fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}
