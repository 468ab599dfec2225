//! Key paths: where a value stands in a document, spelled as on the command line of sops, `["a"]["b"][0]`.

use std::fmt::{self, Write as _};

/// One step of a [`KeyPath`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Segment {
    /// The value under this key of an object.
    Key(String),
    /// The item at this index of an array, from 0.
    Index(usize),
}

impl From<&str> for Segment {
    fn from(key: &str) -> Self {
        Segment::Key(key.to_owned())
    }
}

impl From<String> for Segment {
    fn from(key: String) -> Self {
        Segment::Key(key)
    }
}

impl From<usize> for Segment {
    fn from(index: usize) -> Self {
        Segment::Index(index)
    }
}

/// The keys and indexes on the way from the root of a document to a value.
///
/// As text it is what `sops set` and `sops decrypt --extract` take. A key stands in double quotes, with the escapes of JSON, so that
/// every key can be named; a key in double quotes that is no JSON string, and a key in single quotes, are taken as they are.
///
/// ```
/// use sopskit::{KeyPath, Segment};
///
/// let path: KeyPath = r#"["servers"][0]["name"]"#.parse()?;
/// assert_eq!(path.segments()[1], Segment::Index(0));
/// assert_eq!(path.to_string(), r#"["servers"][0]["name"]"#);
/// assert_eq!(path, KeyPath::from_iter([Segment::from("servers"), Segment::from(0), Segment::from("name")]));
/// # Ok::<(), sopskit::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct KeyPath(Vec<Segment>);

impl KeyPath {
    /// The steps, from the root down.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// Whether this is the path of the root.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The path that `text` spells, or what is wrong with the text.
    pub(crate) fn from_text(text: &str) -> Result<Self, &'static str> {
        let mut segments = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let inside = rest.strip_prefix('[').ok_or("each step must stand in square brackets, as in [\"a\"][0]")?;
            let (segment, after) = match inside.as_bytes().first() {
                Some(b'"') => double_quoted(&inside[1..])?,
                Some(b'\'') => single_quoted(&inside[1..])?,
                _ => index(inside)?,
            };
            segments.push(segment);
            rest = after;
        }
        Ok(KeyPath(segments))
    }
}

fn double_quoted(text: &str) -> Result<(Segment, &str), &'static str> {
    if let Some((key, after)) = json_string(text) {
        if let Some(after) = after.strip_prefix(']') {
            return Ok((Segment::Key(key), after));
        }
    }
    quoted_verbatim(text, "\"]")
}

fn single_quoted(text: &str) -> Result<(Segment, &str), &'static str> {
    quoted_verbatim(text, "']")
}

/// The key up to the first `end` behind which the path ends or goes on.
fn quoted_verbatim<'a>(text: &'a str, end: &str) -> Result<(Segment, &'a str), &'static str> {
    text.match_indices(end)
        .map(|(at, _)| (&text[..at], &text[at + end.len()..]))
        .find(|(_, after)| after.is_empty() || after.starts_with('['))
        .map(|(key, after)| (Segment::Key(key.to_owned()), after))
        .ok_or("a key is not closed by its quote and ]")
}

fn index(text: &str) -> Result<(Segment, &str), &'static str> {
    let (digits, after) = text.split_once(']').ok_or("an index is not closed by ]")?;
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err("a step must be a key in quotes or an index, as in [\"a\"][0]");
    }
    digits.parse().map(|index| (Segment::Index(index), after)).map_err(|_| "an index is too large")
}

/// The JSON string whose text, without the opening quote, `text` begins with, and what follows its closing quote.
fn json_string(text: &str) -> Option<(String, &str)> {
    let mut key = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((key, &text[at + 1..])),
            '\\' => key.push(match chars.next()?.1 {
                c @ ('"' | '\\' | '/') => c,
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'u' => {
                    let digits: String = chars.by_ref().take(4).map(|(_, c)| c).collect();
                    let code = digits.chars().try_fold(0, |code, digit| Some(code * 16 + digit.to_digit(16)?))?;
                    char::from_u32(code).filter(|_| digits.len() == 4)?
                }
                _ => return None,
            }),
            c => key.push(c),
        }
    }
    None
}

impl FromIterator<Segment> for KeyPath {
    fn from_iter<I: IntoIterator<Item = Segment>>(segments: I) -> Self {
        KeyPath(segments.into_iter().collect())
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for segment in &self.0 {
            match segment {
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Key(key) => {
                    f.write_str("[\"")?;
                    for c in key.chars() {
                        match c {
                            '"' | '\\' => write!(f, "\\{c}")?,
                            c if c.is_control() => write!(f, "\\u{:04x}", u32::from(c))?,
                            c => f.write_char(c)?,
                        }
                    }
                    f.write_str("\"]")?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_path(text: &str, segments: &[Segment]) {
        let path = KeyPath::from_text(text).unwrap();
        assert_eq!(path.segments(), segments, "{text}");
        assert_eq!(KeyPath::from_text(&path.to_string()).unwrap(), path, "{text} does not survive its own spelling");
    }

    #[test]
    fn a_path_is_read_as_sops_reads_it() {
        assert_path("", &[]);
        assert_path(r#"["a"]["b"][0]"#, &["a".into(), "b".into(), 0.into()]);
        assert_path("['a'][12]", &["a".into(), 12.into()]);
        assert_path(r#"["a.b c:d"]"#, &["a.b c:d".into()]);
        assert_path(r#"[""]"#, &["".into()]);
        assert_path("[\"\u{e9}\u{1f600}\"]", &["\u{e9}\u{1f600}".into()]);
    }

    #[test]
    fn a_path_can_name_every_key() {
        assert_path(r#"["a\"]b"]"#, &["a\"]b".into()]);
        assert_path(r#"["a]["]"#, &["a][".into()]);
        assert_path(r#"["a\\b\u0001"]"#, &["a\\b\u{1}".into()]);
        assert_path(r#"["C:\dir"]"#, &["C:\\dir".into()]);
        assert_path(r#"["a"b"]"#, &["a\"b".into()]);
        assert_path(r#"["\u+041"]"#, &[r"\u+041".into()]);
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for text in ["a", "[", "[]", "[a]", "[-1]", "[\"a]", "['a\"]", "[\"a\"]x", "[99999999999999999999999]", "[0"] {
            assert!(KeyPath::from_text(text).is_err(), "{text}");
        }
    }
}
