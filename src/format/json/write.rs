//! The writer: JSON in the spelling of sops (section 9 of the format page, `stores/json/store.go` of sops).

use zeroize::Zeroizing;

use super::measure::{Measure, measure, measure_with};
use super::number::spelled;
use super::scan;
use crate::error::{Error, ErrorKind, Result};
use crate::secret::Wiped;
use crate::tree::nodes::{Beside, Leaf, Members, Node, Tree};
use crate::tree::{Map, Value, int_text};

/// The widest indent that is taken from a file.
const MAX_SEEN: u8 = 16;
/// How much room is made at first, at most, in bytes: more as it is needed. What is not used costs nothing, but that a system can refuse it.
const MAX_ROOM: usize = 1024 * 1024 * 1024;

/// How the lines of a JSON file are indented.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Indent {
    /// One tab a level: what sops writes unless told otherwise.
    #[default]
    Tab,
    /// This many spaces a level.
    Spaces(u8),
}

impl Indent {
    /// The indent of the first member of the object that `text` spells; a tab where there is none to see.
    pub(crate) fn of(text: &[u8]) -> Self {
        let line = text.iter().position(|&byte| byte == b'{').map_or(&[][..], |open| &text[open + 1..]);
        let Some(newline) = line.iter().position(|&byte| byte == b'\n') else { return Indent::Tab };
        if !line[..newline].iter().all(u8::is_ascii_whitespace) {
            return Indent::Tab;
        }
        let line = &line[newline + 1..];
        let spaces = line.iter().take_while(|&&byte| byte == b' ').count();
        match (line.get(spaces), u8::try_from(spaces)) {
            // Not more: each line of a deep document would be written with that many for each level.
            (Some(b'"'), Ok(spaces @ ..=MAX_SEEN)) => Indent::Spaces(spaces),
            _ => Indent::Tab,
        }
    }

    pub(super) fn width(self) -> usize {
        match self {
            Indent::Tab => 1,
            Indent::Spaces(spaces) => spaces.into(),
        }
    }

    fn unit(self) -> String {
        match self {
            Indent::Tab => "\t".to_owned(),
            Indent::Spaces(spaces) => " ".repeat(spaces.into()),
        }
    }
}

/// How a negative zero is spelled in a plaintext file, as sops does.
const PLAIN_ZERO: &str = "-0";
/// How it is spelled in clear in an encrypted file. sops would spell it `-0` there too, and sops 3.13.2 then reads it as the integer 0 and refuses its own
/// file. Every release reads `-0.0` as it is meant.
const SEALED_ZERO: &str = "-0.0";

/// The plaintext file that holds `map`, with a final newline.
pub(crate) fn plain(map: &Map, indent: Indent) -> Result<Wiped> {
    let mut writer = Writer::plain(indent, measure(map, indent));
    writer.object::<Beside<'_>>(Members::of(map, None))?;
    Ok(writer.finish())
}

/// The encrypted file that holds these members and, behind them, `metadata` under `key`, with a final newline.
pub(crate) fn sealed<'t, T: Tree<'t>>(
    members: T::Members,
    key: &str,
    metadata: &Map,
    indent: Indent,
) -> Result<Zeroizing<String>> {
    let length = measure_with::<T>(members.clone(), indent, str::len) + measure(metadata, indent) + 64;
    let mut writer = Writer::sealed(indent, length);
    let outer = writer.open("{");
    writer.members::<T>(members)?;
    writer.metadata(key, metadata, &outer)?;
    Ok(Zeroizing::new(writer.finish_text()))
}

/// One plaintext value as it stands in a file, without a final newline.
pub(crate) fn value(value: &Value, indent: Indent) -> Result<Wiped> {
    let mut measure = Measure { length: 0, unit: indent.width(), of_text: str::len };
    measure.value(Beside::from(value), indent.width());
    let mut writer = Writer::plain(indent, measure.length);
    writer.value(Beside::from(value))?;
    Ok(writer.out)
}

/// Writes JSON, a piece after the other.
pub(crate) struct Writer {
    /// Text that grows, and leaves nothing behind where it was.
    out: Wiped,
    /// A newline and the indent of the current level.
    line: String,
    unit: String,
    negative_zero: &'static str,
    /// Whether the current list has no item yet.
    is_first: bool,
}

/// What [`Writer::close`] needs to know of the list around the one that it closes.
pub(crate) struct Outer {
    line: usize,
}

impl Writer {
    /// A writer that goes on where this one is, into a text of its own.
    #[cfg(feature = "parallel")]
    pub(crate) fn fork(&self) -> Self {
        let out = Wiped::default();
        Writer { out, line: self.line.clone(), unit: self.unit.clone(), ..*self }
    }

    /// Goes on behind an item that another hand writes.
    #[cfg(feature = "parallel")]
    pub(crate) fn pass(&mut self) {
        self.is_first = false;
    }

    /// Whether the current list has no item yet.
    #[cfg(feature = "parallel")]
    pub(crate) fn is_first(&self) -> bool {
        self.is_first
    }

    /// How long these members or items will be.
    #[cfg(feature = "parallel")]
    pub(crate) fn measure<'t, T: Tree<'t>>(
        &self,
        members: impl Iterator<Item = (Option<&'t str>, T)>,
        of_text: fn(&str) -> usize,
    ) -> usize {
        let mut measure = Measure { length: 0, unit: self.unit.len(), of_text };
        measure.members(members.map(|(key, value)| (key.unwrap_or_default(), value)), self.line.len() - 1);
        measure.length
    }

    /// What has been written.
    #[cfg(feature = "parallel")]
    pub(crate) fn written(&mut self) -> &mut Wiped {
        &mut self.out
    }

    /// Makes room for so many bytes.
    pub(crate) fn reserve(&mut self, length: usize) {
        self.out.make_room(length.min(MAX_ROOM));
    }

    /// For a text of about this length. A negative zero has a spelling of its own in each kind of file.
    fn new(indent: Indent, negative_zero: &'static str, length: usize) -> Self {
        let out = Wiped::with_capacity(length.min(MAX_ROOM));
        Writer { out, line: String::from("\n"), unit: indent.unit(), negative_zero, is_first: true }
    }

    /// For a plaintext file.
    pub(crate) fn plain(indent: Indent, length: usize) -> Self {
        Writer::new(indent, PLAIN_ZERO, length)
    }

    /// For an encrypted file.
    pub(crate) fn sealed(indent: Indent, length: usize) -> Self {
        Writer::new(indent, SEALED_ZERO, length)
    }

    /// The text, with a final newline.
    pub(crate) fn finish(mut self) -> Wiped {
        self.out.put("\n");
        self.out
    }

    /// The text of an encrypted file, with a final newline.
    pub(crate) fn finish_text(self) -> String {
        // All that is written is UTF-8.
        String::from_utf8(std::mem::take(&mut *self.finish())).unwrap_or_default()
    }

    fn value<'t, T: Tree<'t>>(&mut self, value: T) -> Result<()> {
        self.node::<T>(value.node())
    }

    fn node<'t, T: Tree<'t>>(&mut self, node: Node<'t, T>) -> Result<()> {
        match node {
            Node::Null => self.out.put("null"),
            Node::Object(members) => return self.object::<T>(members),
            Node::Array(items) => return self.array::<T>(items),
            Node::Leaf(leaf) => return self.leaf(leaf),
        }
        Ok(())
    }

    pub(crate) fn leaf(&mut self, leaf: Leaf<'_>) -> Result<()> {
        let value = match leaf {
            Leaf::Text(text) => {
                self.string(text);
                return Ok(());
            }
            Leaf::Other(value) => value,
        };
        match value {
            Value::Bool(true) => self.out.put("true"),
            Value::Bool(false) => self.out.put("false"),
            Value::Int(number) => self.out.put(&int_text(*number)),
            Value::Float(number) if *number == 0.0 && number.is_sign_negative() => self.out.put(self.negative_zero),
            Value::Float(number) if number.is_finite() => self.out.put(&spelled(*number)),
            Value::Float(_) => return Err(Error::new(ErrorKind::NumberOutOfRange)),
            Value::Bytes(_) => {
                let detail = "its bytes are not UTF-8; sops would replace them. Write it as a binary file";
                return Err(Error::with_detail(ErrorKind::NotRepresentable, detail));
            }
            Value::Comment(_) => {
                return Err(Error::with_detail(ErrorKind::NotRepresentable, "JSON has no comments"));
            }
            // These are no leaves.
            Value::Null | Value::Text(_) | Value::Array(_) | Value::Object(_) => {
                return self.value(Beside::from(value));
            }
        }
        Ok(())
    }

    fn object<'t, T: Tree<'t>>(&mut self, members: T::Members) -> Result<()> {
        let outer = self.open("{");
        self.members::<T>(members)?;
        self.close("}", &outer);
        Ok(())
    }

    fn members<'t, T: Tree<'t>>(&mut self, mut members: T::Members) -> Result<()> {
        members.try_for_each(|(key, value)| {
            self.item();
            self.key(key);
            self.value(value).map_err(|error| error.under_key(key))
        })
    }

    /// As sops does, leaves out the comments of a list that came from YAML.
    fn array<'t, T: Tree<'t>>(&mut self, items: T::Items) -> Result<()> {
        let outer = self.open("[");
        for (index, item) in items.enumerate() {
            let node = item.node();
            if !matches!(node, Node::Leaf(Leaf::Other(Value::Comment(_)))) {
                self.item();
                self.node::<T>(node).map_err(|error| error.under_index(index))?;
            }
        }
        self.close("]", &outer);
        Ok(())
    }

    /// Writes the metadata behind the members of a file, and ends it.
    pub(crate) fn metadata(&mut self, key: &str, metadata: &Map, outer: &Outer) -> Result<()> {
        self.item();
        self.key(key);
        self.object::<Beside<'_>>(Members::of(metadata, None)).map_err(|error| error.under_key(key))?;
        self.close("}", outer);
        Ok(())
    }

    /// Begins an object or array; nothing stands between the brackets of an empty one.
    pub(crate) fn open(&mut self, bracket: &str) -> Outer {
        self.out.put(bracket);
        let outer = Outer { line: self.line.len() };
        self.line.push_str(&self.unit);
        self.is_first = true;
        outer
    }

    /// Begins a line for an item or a member.
    pub(crate) fn item(&mut self) {
        if !self.is_first {
            self.out.put(",");
        }
        self.is_first = false;
        self.new_line();
    }

    pub(crate) fn key(&mut self, key: &str) {
        self.string(key);
        self.out.put(": ");
    }

    pub(crate) fn close(&mut self, bracket: &str, outer: &Outer) {
        self.line.truncate(outer.line);
        if !self.is_first {
            self.new_line();
        }
        self.is_first = false;
        self.out.put(bracket);
    }

    /// Text in which nothing must be escaped.
    pub(crate) fn raw(&mut self, text: &str) {
        self.out.put(text);
    }

    /// Room for text that is put there by another hand.
    pub(crate) fn room(&mut self, length: usize) -> &mut Vec<u8> {
        self.out.make_room(length);
        &mut self.out
    }

    /// Writes a string that `make` puts where it will stand, and tells how long it is; there is room for `room` bytes. `use_it` sees it. Says whether it is
    /// text; if not, what is written is of no use.
    pub(crate) fn string_in_place(
        &mut self,
        room: usize,
        make: impl FnOnce(&mut [u8]) -> Result<usize>,
        use_it: impl FnOnce(&[u8], &mut dyn FnMut()),
    ) -> Result<bool> {
        self.out.put("\"");
        self.out.make_room(room + 1);
        let start = self.out.len();
        self.out.resize(start + room, 0);
        let length = make(&mut self.out[start..])?;
        self.out.truncate(start + length);
        let made = &self.out[start..];
        let (mut is_text, mut is_plain) = (false, false);
        use_it(made, &mut || {
            is_text = std::str::from_utf8(made).is_ok();
            is_plain = first_escaped(made).is_none();
        });
        if is_plain {
            self.out.put("\"");
        } else if is_text {
            let text = Wiped::from(made.to_vec());
            self.out.truncate(start - 1);
            self.string(std::str::from_utf8(&text).unwrap_or_default());
        }
        Ok(is_text)
    }

    fn new_line(&mut self) {
        self.out.put(&self.line);
    }

    pub(crate) fn string(&mut self, text: &str) {
        self.out.put("\"");
        let mut rest = text;
        while let Some((at, length)) = first_escaped(rest.as_bytes()) {
            self.out.put(&rest[..at]);
            match rest.as_bytes()[at] {
                b'"' => self.out.put("\\\""),
                b'\\' => self.out.put("\\\\"),
                b'\n' => self.out.put("\\n"),
                b'\r' => self.out.put("\\r"),
                b'\t' => self.out.put("\\t"),
                0x08 => self.out.put("\\b"),
                0x0c => self.out.put("\\f"),
                _ => {
                    let code = rest[at..].chars().next().map_or(0, u32::from);
                    self.out.put(&format!("\\u{code:04x}"));
                }
            }
            rest = &rest[at + length..];
        }
        self.out.put(rest);
        self.out.put("\"");
    }
}

/// Where the first character stands that must be escaped, and how many bytes long it is.
fn first_escaped(text: &[u8]) -> Option<(usize, usize)> {
    let mut from = 0;
    loop {
        let at = from
            + scan::position(&text[from..], |byte| {
                (byte < 0x20)
                    | (byte == b'"')
                    | (byte == b'\\')
                    | (byte == b'<')
                    | (byte == b'>')
                    | (byte == b'&')
                    | (byte == 0xe2)
            });
        match text[at..] {
            [] => return None,
            // U+2028 and U+2029 are e2 80 a8 and e2 80 a9; other characters that begin with e2 stand for themselves.
            [0xe2, 0x80, 0xa8 | 0xa9, ..] => return Some((at, 3)),
            [0xe2, ..] => from = at + 1,
            _ => return Some((at, 1)),
        }
    }
}
