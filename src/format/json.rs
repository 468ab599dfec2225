//! JSON: a strict reader that loses nothing, and (in [`write`]) a writer that spells as sops does.
//!
//! The reader is this crate's own, because what SOPS needs of it no general parser gives without a price for others: the digits of every
//! number as they stand (serde_json's `arbitrary_precision` would change every other user of serde_json in the same build), a
//! refusal with key path and position for all that a tree cannot hold exactly, and strings that go into wiped memory without
//! an unwiped copy in between. The tests hold it against serde_json on generated and hostile inputs.

mod measure;
mod number;
mod scan;
mod sealed;
mod tape;
pub(crate) mod write;

use std::borrow::Cow;
use std::collections::HashSet;

use zeroize::Zeroizing;

use self::tape::{Planting, Tape, Thing};
use crate::error::{Error, ErrorKind, Position, Result};
use crate::secret::Shared;
use crate::tree::{MAX_DEPTH, Map, Value};

pub(crate) use measure::{measure, measure_with};
pub(crate) use sealed::Sealed;
pub(crate) use tape::{Measured, Read};
pub use write::Indent;

/// With more members than this an object has an index of its keys while it is read.
const FEW: usize = 16;

/// The object that `bytes` spell.
pub(crate) fn parse(bytes: &[u8]) -> Result<Map> {
    let text = text_of(bytes)?;
    let tape = read(text, str::len)?;
    let copy = Shared::from(Zeroizing::new(text.to_owned()));
    Ok(Planting::secret(&copy).map(tape.root(text).members_without(None)))
}

/// Any one value that `bytes` spell.
pub(crate) fn parse_value(bytes: &[u8]) -> Result<Value> {
    let text = text_of(bytes)?;
    let mut reader = Reader::new(text, str::len);
    reader.skip_space();
    if reader.peek().is_none() {
        return Err(Error::new(ErrorKind::EmptyInput));
    }
    reader.value()?;
    reader.end()?;
    Ok(Planting::apart().value(reader.tape.root(text)))
}

/// What stands in a text that spells an object, of which each text will be written as one of the length that `of_text` says.
pub(crate) fn read(text: &str, of_text: fn(&str) -> usize) -> Result<Tape> {
    let mut reader = Reader::new(text, of_text);
    reader.skip_space();
    match reader.peek() {
        None => Err(Error::new(ErrorKind::EmptyInput)),
        Some(b'{') => {
            reader.object()?;
            reader.end()?;
            Ok(reader.tape)
        }
        Some(b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => {
            Err(reader.fail(ErrorKind::NotAnObject, reader.at))
        }
        Some(_) => Err(reader.unexpected("an object")),
    }
}

/// # Errors
/// [`ErrorKind::ByteOrderMark`], [`ErrorKind::NotUtf8`].
pub(crate) fn text_of(bytes: &[u8]) -> Result<&str> {
    check_mark(bytes)?;
    std::str::from_utf8(bytes)
        .map_err(|error| Error::new(ErrorKind::NotUtf8).at(Position::of(bytes, error.valid_up_to())))
}

fn check_mark(bytes: &[u8]) -> Result<()> {
    match bytes.starts_with("\u{feff}".as_bytes()) {
        true => Err(Error::new(ErrorKind::ByteOrderMark)),
        false => Ok(()),
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    open: usize,
    tape: Tape,
    of_text: fn(&str) -> usize,
    /// The keys of the objects that are open and have no index.
    keys: Vec<Thing>,
}

/// The keys of an object that have been read: the last ones of all, from a place on, or in an index.
struct Keys<'a> {
    first: usize,
    /// A bit for each, by its length and end: of a key whose bit is not there, none must be looked for.
    bits: u64,
    index: Option<HashSet<Cow<'a, str>>>,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str, of_text: fn(&str) -> usize) -> Self {
        Reader { text, at: 0, open: 0, tape: Tape::of_length(text.len()), of_text, keys: Vec::new() }
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
        self.tape.extent.add(4, self.open);
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

    fn value(&mut self) -> Result<()> {
        match self.peek() {
            Some(b'"') => self.string_as(false).map(drop),
            Some(b'{') => self.object(),
            Some(b'[') => self.array(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Thing::True),
            Some(b'f') => self.word("false", Thing::False),
            Some(b'n') => self.word("null", Thing::Null),
            _ => Err(self.unexpected("a value")),
        }
    }

    fn word(&mut self, word: &str, thing: Thing) -> Result<()> {
        if !self.text[self.at..].starts_with(word) {
            return Err(self.unexpected("a value"));
        }
        self.at += word.len();
        self.tape.extent.add((self.of_text)(word) + 2, 0);
        self.tape.put(thing);
        Ok(())
    }

    fn object(&mut self) -> Result<()> {
        self.enter()?;
        let begin = self.tape.begin();
        if self.leave(b'}') {
            return self.tape.end(begin, Thing::Object, 0);
        }
        let mut keys = Keys { first: self.keys.len(), bits: 0, index: None };
        for count in 1.. {
            let key_at = self.at;
            if self.peek() != Some(b'"') {
                return Err(self.unexpected("a key in double quotes"));
            }
            let key = self.string_as(true)?;
            self.skip_space();
            if self.peek() != Some(b':') {
                return Err(self.unexpected("a colon").under_key(self.spelled(key)));
            }
            self.at += 1;
            self.skip_space();
            self.value().map_err(|error| error.under_key(self.spelled(key)))?;
            if !self.is_new(&mut keys, key) {
                return Err(self.fail(ErrorKind::DuplicateKey, key_at).under_key(self.spelled(key)));
            }
            self.skip_space();
            if self.leave(b'}') {
                self.keys.truncate(keys.first);
                return self.tape.end(begin, Thing::Object, count);
            }
            self.comma("a comma or }")?;
        }
        Ok(())
    }

    fn spelled(&self, string: Thing) -> &str {
        self.tape.string(string, self.text)
    }

    /// Whether an object has no such key yet. It has then.
    fn is_new(&mut self, keys: &mut Keys<'a>, key: Thing) -> bool {
        let owned = |key: Thing| match key {
            Thing::Key(start, length) => Cow::Borrowed(&self.text[start as usize..][..length as usize]),
            other => Cow::Owned(self.spelled(other).to_owned()),
        };
        if let Some(index) = &mut keys.index {
            return index.insert(owned(key));
        }
        let known = &self.keys[keys.first..];
        let text = self.spelled(key).as_bytes();
        let is_same = |other: Thing| match other {
            Thing::Key(_, length) if length as usize != text.len() => false,
            other => {
                let other = self.spelled(other).as_bytes();
                // Keys of one object often have a beginning in common, and seldom an end.
                other.last() == text.last() && other == text
            }
        };
        let end = text.last().copied().unwrap_or_default();
        let bit = 1 << (text.len().wrapping_mul(11).wrapping_add(end.into()) % 64);
        if keys.bits & bit != 0 && known.iter().any(|other| is_same(*other)) {
            return false;
        }
        keys.bits |= bit;
        if known.len() == FEW {
            keys.index = Some(known.iter().copied().chain([key]).map(owned).collect());
        }
        self.keys.push(key);
        true
    }

    fn array(&mut self) -> Result<()> {
        self.enter()?;
        let begin = self.tape.begin();
        if self.leave(b']') {
            return self.tape.end(begin, Thing::Array, 0);
        }
        for index in 0.. {
            self.tape.extent.add(2, self.open);
            self.value().map_err(|error| error.under_index(index))?;
            self.skip_space();
            if self.leave(b']') {
                return self.tape.end(begin, Thing::Array, index + 1);
            }
            self.comma("a comma or ]")?;
        }
        Ok(())
    }

    fn comma(&mut self, expected: &str) -> Result<()> {
        if self.peek() != Some(b',') {
            return Err(self.unexpected(expected));
        }
        self.at += 1;
        self.skip_space();
        Ok(())
    }

    fn number(&mut self) -> Result<()> {
        let start = self.at;
        let (literal, end) = number::scan(self.text, start)
            .map_err(|at| self.syntax("a number must have digits, and no leading zero", at))?;
        self.at = end;
        self.tape.extent.add((self.of_text)(&self.text[start..end]) + 2, 0);
        let number = number::parse(&literal).map_err(|error| error.at(Position::of(self.bytes(), start)))?;
        self.tape.put_other(number);
        Ok(())
    }

    fn string_as(&mut self, is_key: bool) -> Result<Thing> {
        let start = self.at + 1;
        let string = self.string()?;
        // Quotes; and a colon, a blank, a comma, a newline, and the indent.
        match is_key {
            true => self.tape.extent.add(string.len() + 6, self.open),
            false => self.tape.extent.add((self.of_text)(&string) + 2, 0),
        }
        Ok(self.tape.put_string(string, start, is_key))
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
