//! The writer: JSON in the spelling of sops (section 9 of the format page, `stores/json/store.go` of sops).

use zeroize::Zeroizing;

use super::number::spelled;
use super::scan;
use crate::error::{Error, ErrorKind, Result};
use crate::tree::{Map, Value};

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
            (Some(b'"'), Ok(spaces)) => Indent::Spaces(spaces),
            _ => Indent::Tab,
        }
    }

    fn width(self) -> usize {
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

/// The plaintext file that holds `map`, with a final newline.
pub(crate) fn plain(map: &Map, indent: Indent) -> Result<Zeroizing<String>> {
    written(indent, "-0", length_of(map, indent.width(), 1), |writer| {
        writer.object(map)?;
        writer.out.put("\n");
        Ok(())
    })
}

/// The encrypted file that holds `map` and, behind its members, `metadata` under `key`, with a final newline.
///
/// sops would spell a negative zero in clear as `-0`, and sops 3.13.2 then reads it as the integer 0 and refuses its own file.
/// Every release reads `-0.0` as it is meant.
pub(crate) fn sealed(map: &Map, key: &str, metadata: &Map, indent: Indent) -> Result<Zeroizing<String>> {
    let length = length_of(map, indent.width(), 1) + length_of(metadata, indent.width(), 2) + key.len() + 16;
    written(indent, "-0.0", length, |writer| {
        writer.list(["{", "}"], map.iter().map(Some).chain([None]), |writer, member| match member {
            Some((key, value)) => writer.member(key, |writer| writer.value(value)),
            None => writer.member(key, |writer| writer.object(metadata)),
        })?;
        writer.out.put("\n");
        Ok(())
    })
}

/// One plaintext value as it stands in a file, without a final newline.
pub(crate) fn value(value: &Value, indent: Indent) -> Result<Zeroizing<String>> {
    written(indent, "-0", length(value, indent.width(), 1), |writer| writer.value(value))
}

fn written(
    indent: Indent,
    negative_zero: &'static str,
    length: usize,
    write: impl FnOnce(&mut Writer<'_>) -> Result<()>,
) -> Result<Zeroizing<String>> {
    let unit = indent.unit();
    let out = Out(Zeroizing::new(String::with_capacity(length)));
    let mut writer = Writer { out, line: String::from("\n"), unit: &unit, negative_zero };
    write(&mut writer)?;
    Ok(writer.out.0)
}

/// About as long as the text of a map is, if nothing in it must be escaped.
fn length_of(map: &Map, unit: usize, depth: usize) -> usize {
    // Quotes, colon, blank, comma, newline.
    map.iter().map(|(key, value)| key.len() + 6 + depth * unit + length(value, unit, depth)).sum::<usize>()
        + depth * unit
        + 3
}

fn length(value: &Value, unit: usize, depth: usize) -> usize {
    match value {
        Value::Text(text) => text.as_str().len() + 2,
        Value::Array(items) => {
            items.iter().map(|item| length(item, unit, depth + 1) + 2 + (depth + 1) * unit).sum::<usize>()
                + depth * unit
                + 3
        }
        Value::Object(map) => length_of(map, unit, depth + 1),
        _ => 8,
    }
}

/// Text that grows, and leaves nothing behind where it was.
struct Out(Zeroizing<String>);

impl Out {
    #[inline]
    fn put(&mut self, text: &str) {
        if self.0.capacity() - self.0.len() < text.len() {
            self.grow(text.len());
        }
        self.0.push_str(text);
    }

    #[cold]
    fn grow(&mut self, by: usize) {
        let mut larger = Zeroizing::new(String::with_capacity((2 * self.0.capacity()).max(self.0.len() + by)));
        larger.push_str(&self.0);
        // The smaller one is wiped.
        self.0 = larger;
    }
}

struct Writer<'a> {
    out: Out,
    /// A newline and the indent of the current level.
    line: String,
    unit: &'a str,
    negative_zero: &'static str,
}

impl Writer<'_> {
    fn value(&mut self, value: &Value) -> Result<()> {
        match value {
            Value::Null => self.out.put("null"),
            Value::Bool(true) => self.out.put("true"),
            Value::Bool(false) => self.out.put("false"),
            Value::Int(number) => self.out.put(&Zeroizing::new(number.to_string())),
            Value::Float(number) if *number == 0.0 && number.is_sign_negative() => self.out.put(self.negative_zero),
            Value::Float(number) if number.is_finite() => self.out.put(&Zeroizing::new(spelled(*number))),
            Value::Float(_) => return Err(Error::new(ErrorKind::NumberOutOfRange)),
            Value::Text(text) => self.string(text.as_str()),
            Value::Bytes(_) => {
                let detail = "its bytes are not UTF-8; sops would replace them. Write it as a binary file";
                return Err(Error::with_detail(ErrorKind::NotRepresentable, detail));
            }
            Value::Comment(_) => {
                return Err(Error::with_detail(ErrorKind::NotRepresentable, "JSON has no comments"));
            }
            Value::Array(items) => return self.array(items),
            Value::Object(map) => return self.object(map),
        }
        Ok(())
    }

    fn object(&mut self, map: &Map) -> Result<()> {
        self.list(["{", "}"], map.iter(), |writer, (key, value)| writer.member(key, |writer| writer.value(value)))
    }

    fn member(&mut self, key: &str, write: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        self.string(key);
        self.out.put(": ");
        write(self).map_err(|error| error.under_key(key))
    }

    /// As sops does, leaves out the comments of a list that came from YAML.
    fn array(&mut self, items: &[Value]) -> Result<()> {
        let items = items.iter().enumerate().filter(|(_, item)| !matches!(item, Value::Comment(_)));
        self.list(["[", "]"], items, |writer, (index, item)| {
            writer.value(item).map_err(|error| error.under_index(index))
        })
    }

    /// `[a, b]`, an item a line; nothing stands between the brackets of an empty list.
    fn list<T>(
        &mut self,
        [open, close]: [&str; 2],
        items: impl Iterator<Item = T>,
        write: impl Fn(&mut Self, T) -> Result<()>,
    ) -> Result<()> {
        self.out.put(open);
        let outer = self.line.len();
        self.line.push_str(self.unit);
        let mut separator = "";
        for item in items {
            self.out.put(separator);
            self.new_line();
            write(self, item)?;
            separator = ",";
        }
        self.line.truncate(outer);
        if !separator.is_empty() {
            self.new_line();
        }
        self.out.put(close);
        Ok(())
    }

    fn new_line(&mut self) {
        self.out.put(&self.line);
    }

    fn string(&mut self, text: &str) {
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
