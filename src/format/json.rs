//! JSON: a strict reader that loses nothing, and (in [`write`]) a writer that spells as sops does.
//!
//! The reader is this crate's own, because what SOPS needs of it no general parser gives without a price for others: the digits of every
//! number as they stand (serde_json's `arbitrary_precision` would change every other user of serde_json in the same build), a
//! refusal with key path and position for all that a tree cannot hold exactly, and strings that go into wiped memory without
//! an unwiped copy in between. The tests hold it against serde_json on generated and hostile inputs.

mod number;
mod scan;
pub(crate) mod write;

use std::borrow::Cow;

use zeroize::Zeroizing;

use crate::error::{Error, ErrorKind, Position, Result};
use crate::secret::{Bytes, Shared, Text};
use crate::tree::edit::Items;
use crate::tree::{MAX_DEPTH, Map, Value};

pub use write::Indent;

/// For how many members there is room at first.
const FIRST_MEMBERS: usize = 8;

/// How many keys are remembered while a text is read.
const RECENT_KEYS: usize = 64;

/// The object that `bytes` spell.
pub(crate) fn parse(bytes: &[u8]) -> Result<Map> {
    parse_with(Reader::new(bytes)?, Text::part)
}

/// As [`parse`], of an encrypted file.
pub(crate) fn parse_sealed(bytes: &[u8]) -> Result<Map> {
    parse_with(Reader { shares_keys: true, ..Reader::new(bytes)? }, Text::public)
}

/// As [`parse_sealed`], without a copy of the bytes.
pub(crate) fn take_sealed(bytes: Bytes) -> Result<Map> {
    let text = match bytes.into_text() {
        Ok(text) => Shared::from(text),
        // It fails there too, and tells the place.
        Err(bytes) => return parse_sealed(&bytes),
    };
    let copy = Some(Copy { text: text.clone(), make: Text::public });
    parse_object(Reader { copy, shares_keys: true, ..Reader::of(&text)? })
}

/// Of the object that the reader reads, strings are parts of one copy of the text.
fn parse_with(mut reader: Reader<'_>, make: fn(Shared) -> Text) -> Result<Map> {
    reader.copy = Some(Copy { text: Shared::from(Zeroizing::new(reader.text.to_owned())), make });
    parse_object(reader)
}

fn parse_object(mut reader: Reader<'_>) -> Result<Map> {
    reader.skip_space();
    match reader.peek() {
        None => Err(Error::new(ErrorKind::EmptyInput)),
        Some(b'{') => {
            let map = reader.object()?;
            reader.end()?;
            Ok(map)
        }
        Some(b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => {
            Err(reader.fail(ErrorKind::NotAnObject, reader.at))
        }
        Some(_) => Err(reader.unexpected("an object")),
    }
}

/// Any one value that `bytes` spell.
pub(crate) fn parse_value(bytes: &[u8]) -> Result<Value> {
    let mut reader = Reader::new(bytes)?;
    reader.skip_space();
    if reader.peek().is_none() {
        return Err(Error::new(ErrorKind::EmptyInput));
    }
    let value = reader.value()?;
    reader.end()?;
    Ok(value)
}

/// A copy of the text that strings are parts of.
struct Copy {
    text: Shared,
    /// What is made of such a part.
    make: fn(Shared) -> Text,
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    open: usize,
    copy: Option<Copy>,
    /// Whether keys are such parts too. Not where it holds secrets: keys are shared with the encrypted document, and would keep it in memory.
    shares_keys: bool,
    /// Keys that were read of late: many objects have the same ones.
    keys: Vec<Option<Shared>>,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Result<Self> {
        if bytes.starts_with("\u{feff}".as_bytes()) {
            return Err(Error::new(ErrorKind::ByteOrderMark));
        }
        let text = std::str::from_utf8(bytes)
            .map_err(|error| Error::new(ErrorKind::NotUtf8).at(Position::of(bytes, error.valid_up_to())))?;
        Reader::of(text)
    }

    fn of(text: &'a str) -> Result<Self> {
        if text.starts_with('\u{feff}') {
            return Err(Error::new(ErrorKind::ByteOrderMark));
        }
        Ok(Reader { text, at: 0, open: 0, copy: None, shares_keys: false, keys: Vec::new() })
    }

    fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    fn peek(&self) -> Option<u8> {
        self.bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn fail(&self, kind: ErrorKind, at: usize) -> Error {
        Error::new(kind).at(Position::of(self.bytes(), at))
    }

    fn syntax(&self, problem: &str, at: usize) -> Error {
        Error::with_detail(ErrorKind::Syntax, problem).at(Position::of(self.bytes(), at))
    }

    fn unexpected(&self, expected: &str) -> Error {
        match self.peek() {
            None => self.syntax(&format!("the text ends where {expected} should be"), self.at),
            Some(_) => self.syntax(&format!("expected {expected}"), self.at),
        }
    }

    fn end(&mut self) -> Result<()> {
        self.skip_space();
        if self.at == self.text.len() { Ok(()) } else { Err(self.fail(ErrorKind::TrailingData, self.at)) }
    }

    /// Passes an opening bracket.
    fn enter(&mut self) -> Result<()> {
        if self.open == MAX_DEPTH {
            return Err(self.fail(ErrorKind::TooDeep, self.at));
        }
        self.open += 1;
        self.at += 1;
        self.skip_space();
        Ok(())
    }

    /// Passes a closing bracket, if it is next.
    fn leave(&mut self, bracket: u8) -> bool {
        let closed = self.peek() == Some(bracket);
        if closed {
            self.at += 1;
            self.open -= 1;
        }
        closed
    }

    fn value(&mut self) -> Result<Value> {
        match self.peek() {
            Some(b'"') => self.text().map(Value::Text),
            Some(b'{') => self.object().map(Value::Object),
            Some(b'[') => self.array().map(Value::Array),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            _ => Err(self.unexpected("a value")),
        }
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value> {
        if !self.text[self.at..].starts_with(word) {
            return Err(self.unexpected("a value"));
        }
        self.at += word.len();
        Ok(value)
    }

    fn object(&mut self) -> Result<Map> {
        self.enter()?;
        if self.leave(b'}') {
            return Ok(Map::new());
        }
        let mut map = Map::with_capacity(FIRST_MEMBERS);
        loop {
            let key_at = self.at;
            if self.peek() != Some(b'"') {
                return Err(self.unexpected("a key in double quotes"));
            }
            let key = self.key()?;
            self.skip_space();
            if self.peek() != Some(b':') {
                return Err(self.unexpected("a colon").under_key(&key));
            }
            self.at += 1;
            self.skip_space();
            let value = self.value().map_err(|error| error.under_key(&key))?;
            if map.insert_new(key.clone(), value).is_err() {
                return Err(self.fail(ErrorKind::DuplicateKey, key_at).under_key(&key));
            }
            self.skip_space();
            if self.leave(b'}') {
                map.shrink();
                return Ok(map);
            }
            self.comma("a comma or }")?;
        }
    }

    fn array(&mut self) -> Result<Vec<Value>> {
        self.enter()?;
        let mut items = Items::default();
        if self.leave(b']') {
            return Ok(items.finish());
        }
        loop {
            let item = self.value().map_err(|error| error.under_index(items.len()))?;
            items.push(item);
            self.skip_space();
            if self.leave(b']') {
                return Ok(items.finish());
            }
            self.comma("a comma or ]")?;
        }
    }

    fn comma(&mut self, expected: &str) -> Result<()> {
        if self.peek() != Some(b',') {
            return Err(self.unexpected(expected));
        }
        self.at += 1;
        self.skip_space();
        Ok(())
    }

    fn number(&mut self) -> Result<Value> {
        let start = self.at;
        let (literal, end) = number::scan(self.text, start)
            .map_err(|at| self.syntax("a number must have digits, and no leading zero", at))?;
        self.at = end;
        number::parse(&literal).map_err(|error| error.at(Position::of(self.bytes(), start)))
    }

    fn text(&mut self) -> Result<Text> {
        let start = self.at + 1;
        Ok(match (self.string()?, &self.copy) {
            (Cow::Borrowed(text), Some(copy)) => match copy.text.part(start, text.len()) {
                Some(part) => (copy.make)(part),
                None => (copy.make)(Shared::from(text)),
            },
            (text, _) => Text::from(text.into_owned()),
        })
    }

    fn key(&mut self) -> Result<Shared> {
        let start = self.at + 1;
        let key = self.string()?;
        if let (true, Cow::Borrowed(key), Some(copy)) = (self.shares_keys, &key, &self.copy) {
            if let Some(part) = copy.text.part(start, key.len()) {
                return Ok(part);
            }
        }
        if self.keys.is_empty() {
            self.keys.resize(RECENT_KEYS, None);
        }
        let bytes = key.as_bytes();
        let edge = |byte: Option<&u8>| usize::from(byte.copied().unwrap_or_default());
        let place = bytes.len().wrapping_mul(31).wrapping_add(edge(bytes.first()) * 7).wrapping_add(edge(bytes.last()));
        let recent = &mut self.keys[place % RECENT_KEYS];
        match recent {
            Some(known) if known.is(&key) => Ok(known.clone()),
            _ => Ok(recent.insert(Shared::from(&*key)).clone()),
        }
    }

    /// A string whose opening quote is next.
    fn string(&mut self) -> Result<Cow<'a, str>> {
        let start = self.at + 1;
        let end = self.plain_run(start)?;
        if self.bytes()[end] == b'"' {
            self.at = end + 1;
            return Ok(Cow::Borrowed(&self.text[start..end]));
        }
        self.escaped_string(start).map(Cow::Owned)
    }

    /// Where the run of characters that stand for themselves ends: at a quote or a backslash.
    fn plain_run(&self, start: usize) -> Result<usize> {
        let rest = &self.bytes()[start..];
        let length = memchr::memchr2(b'"', b'\\', rest);
        let run = &rest[..length.unwrap_or(rest.len())];
        if run.iter().fold(false, |found, byte| found | (*byte < 0x20)) {
            let at = run.iter().position(|byte| *byte < 0x20).unwrap_or_default();
            return Err(self.syntax("a control character in a string must be escaped", start + at));
        }
        length.map(|length| start + length).ok_or_else(|| self.syntax("a string is not closed", self.at))
    }

    /// The string from `start`, allocated once at its final size or more, so that no copy of it is left behind unwiped.
    fn escaped_string(&mut self, start: usize) -> Result<String> {
        let mut close = self.plain_run(start)?;
        while self.bytes()[close] == b'\\' {
            if close + 2 > self.text.len() - 1 {
                return Err(self.syntax("a string is not closed", self.at));
            }
            close = self.plain_run(close + 2)?;
        }
        // Wiped also when an escape turns out to be wrong.
        let mut string = zeroize::Zeroizing::new(String::with_capacity(close - start));
        let mut at = start;
        loop {
            let run = self.plain_run(at)?;
            string.push_str(&self.text[at..run]);
            if run == close {
                self.at = close + 1;
                return Ok(std::mem::take(&mut *string));
            }
            let (character, after) = self.escape(run)?;
            string.push(character);
            at = after;
        }
    }

    /// The character that the escape at `at` stands for, and where it ends.
    fn escape(&self, at: usize) -> Result<(char, usize)> {
        let character = match self.bytes().get(at + 1) {
            Some(c @ (b'"' | b'\\' | b'/')) => char::from(*c),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode_escape(at),
            _ => return Err(self.syntax("unknown escape in a string", at)),
        };
        Ok((character, at + 2))
    }

    fn unicode_escape(&self, at: usize) -> Result<(char, usize)> {
        let unit = self.code_unit(at).ok_or_else(|| self.syntax("\\u must be followed by four hex digits", at))?;
        let (code, end) = match unit {
            0xd800..=0xdbff => match self.code_unit(at + 6) {
                Some(low @ 0xdc00..=0xdfff) => (0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00), at + 12),
                _ => return Err(self.fail(ErrorKind::LoneSurrogate, at)),
            },
            _ => (unit, at + 6),
        };
        char::from_u32(code).map(|character| (character, end)).ok_or_else(|| self.fail(ErrorKind::LoneSurrogate, at))
    }

    /// The number in `\uXXXX` at `at`, if it stands there.
    fn code_unit(&self, at: usize) -> Option<u32> {
        let digits = self.bytes().get(at..at + 6)?.strip_prefix(b"\\u")?;
        digits.iter().try_fold(0, |unit, &digit| Some(unit * 16 + char::from(digit).to_digit(16)?))
    }
}
