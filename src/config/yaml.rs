//! YAML within limits: the text of a config file to a tree whose nodes know where they stand.
//!
//! Aliases share nodes, and each use counts as much as what it stands for, so that no small text becomes a large tree.
//! Only this file knows the YAML parser.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};

use super::invalid;
use crate::error::{Error, ErrorKind, Position, Result};

/// The longest config file that is read, in bytes.
pub(super) const MAX_BYTES: usize = 1024 * 1024;
/// How many values a config file can have, those behind aliases counted at each use.
const MAX_NODES: usize = 100_000;
/// How deep lists and mappings can be nested, through aliases too.
const MAX_DEPTH: usize = 64;
/// The key whose value, a mapping or a list of them, is merged into the mapping around it.
const MERGE: &str = "<<";

/// A value, and where it stands.
pub(super) struct Node {
    pub(super) position: Position,
    value: Value,
}

enum Value {
    /// `plain` when it stands without quotes, so that it can be a number, a boolean or null.
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Arc<Node>>),
    Map(Vec<Member>),
    /// A value with a tag that nothing here knows.
    Tagged,
}

type Member = (Arc<str>, Arc<Node>);

/// The tree of a text; `None` for a text that holds nothing.
///
/// # Errors
/// [`ErrorKind::InvalidConfig`] and [`ErrorKind::DuplicateKey`], with position.
pub(super) fn parse(text: &str) -> Result<Option<Arc<Node>>> {
    if text.len() > MAX_BYTES {
        return Err(invalid(format!("it is longer than {MAX_BYTES} bytes")));
    }
    // sops takes a byte order mark too.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    refuse_control_characters(text)?;
    let mut builder = Builder {
        parser: Parser::new_from_str(text),
        cursor: Cursor { text, chars: 0, bytes: 0, line_start: 0 },
        anchors: HashMap::new(),
        nodes: 0,
    };
    builder.document()
}

/// The parser takes a NUL for the end of the text.
fn refuse_control_characters(text: &str) -> Result<()> {
    let refused = |c: char| c == '\u{feff}' || (c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}'));
    match text.char_indices().find(|(_, c)| refused(*c)) {
        None => Ok(()),
        Some((at, c)) => {
            let detail = format!("the character U+{:04X} is not allowed", u32::from(c));
            Err(invalid(detail).at(Position::of(text.as_bytes(), at)))
        }
    }
}

/// From the places of the parser, which counts characters, to those of an error, which counts bytes.
struct Cursor<'t> {
    text: &'t str,
    chars: usize,
    bytes: usize,
    line_start: usize,
}

impl Cursor<'_> {
    /// Walks on to a place. One that lies behind, as an empty value can, is told in characters.
    fn position(&mut self, marker: &Marker) -> Position {
        if marker.index() < self.chars {
            return Position { line: marker.line(), column: marker.col() + 1 };
        }
        for c in self.text[self.bytes..].chars().take(marker.index() - self.chars) {
            self.chars += 1;
            self.bytes += c.len_utf8();
            if matches!(c, '\n' | '\r') {
                self.line_start = self.bytes;
            }
        }
        Position { line: marker.line(), column: self.bytes - self.line_start + 1 }
    }
}

/// What an alias stands for: a value, how many values that are, and how deep they are nested.
#[derive(Clone)]
struct Built {
    node: Arc<Node>,
    nodes: usize,
    height: usize,
}

struct Builder<'t> {
    parser: Parser<'t, StrInput<'t>>,
    cursor: Cursor<'t>,
    anchors: HashMap<usize, Built>,
    nodes: usize,
}

impl<'t> Builder<'t> {
    fn next(&mut self) -> Result<(Event<'t>, Span)> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(self.syntax(&error)),
            None => Err(invalid("it ends too early")),
        }
    }

    fn syntax(&mut self, error: &ScanError) -> Error {
        invalid(error.info()).at(self.cursor.position(error.marker()))
    }

    fn document(&mut self) -> Result<Option<Arc<Node>>> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(root),
                Event::DocumentStart(_) if root.is_some() => {
                    let position = self.cursor.position(&span.start);
                    return Err(invalid("it has a second document, which sops does not look at").at(position));
                }
                Event::DocumentStart(_) => {
                    let (event, span) = self.next()?;
                    root = Some(self.node(event, span, 0)?.node);
                }
                _ => {}
            }
        }
    }

    /// Counts values that are made, or stood for by an alias.
    fn spend(&mut self, nodes: usize, position: Position) -> Result<()> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > MAX_NODES {
            return Err(invalid(format!("it has more than {MAX_NODES} values")).at(position));
        }
        Ok(())
    }

    /// The node that begins with an event, `depth` lists and mappings deep.
    fn node(&mut self, event: Event<'t>, span: Span, depth: usize) -> Result<Built> {
        let position = self.cursor.position(&span.start);
        let before = self.nodes;
        self.spend(1, position)?;
        if depth > MAX_DEPTH {
            return Err(too_deep(position));
        }
        let (value, anchor, tag, height) = match event {
            Event::Alias(anchor) => return self.alias(anchor, depth, position),
            Event::Scalar(text, style, anchor, tag) => {
                let text = text.into_owned();
                let plain = style == ScalarStyle::Plain && !tag.as_deref().is_some_and(is_text);
                (Value::Scalar { text, plain }, anchor, tag, 0)
            }
            Event::SequenceStart(anchor, tag) => {
                let (items, height) = self.list(depth)?;
                (Value::List(items), anchor, tag, height)
            }
            Event::MappingStart(anchor, tag) => {
                let (members, height) = self.map(depth)?;
                (Value::Map(members), anchor, tag, height)
            }
            _ => return Err(invalid("expected a value").at(position)),
        };
        let known =
            tag.as_deref().is_none_or(|tag| is_text(tag) || tag.is_yaml_core_schema() && tag.suffix != "binary");
        let value = if known { value } else { Value::Tagged };
        let built = Built { node: Arc::new(Node { position, value }), nodes: self.nodes - before, height };
        if anchor != 0 {
            self.anchors.insert(anchor, built.clone());
        }
        Ok(built)
    }

    fn alias(&mut self, anchor: usize, depth: usize, position: Position) -> Result<Built> {
        // The anchor of a value that is not complete is not known yet.
        let Some(built) = self.anchors.get(&anchor).cloned() else {
            return Err(invalid("an alias stands inside of what it stands for").at(position));
        };
        self.spend(built.nodes, position)?;
        if depth + built.height > MAX_DEPTH {
            return Err(too_deep(position));
        }
        Ok(built)
    }

    fn list(&mut self, depth: usize) -> Result<(Vec<Arc<Node>>, usize)> {
        let mut items = Vec::new();
        let mut height = 0;
        loop {
            let (event, span) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok((items, height + 1));
            }
            let built = self.node(event, span, depth + 1)?;
            height = height.max(built.height);
            items.push(built.node);
        }
    }

    fn map(&mut self, depth: usize) -> Result<(Vec<Member>, usize)> {
        let mut members: Vec<Member> = Vec::new();
        let mut keys: HashSet<Arc<str>> = HashSet::new();
        let mut merged = None;
        let mut height = 0;
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                break;
            }
            let key = self.node(event, span, depth + 1)?.node;
            let Value::Scalar { text, plain } = &key.value else {
                return Err(invalid("a key must be a text").at(key.position));
            };
            let (event, span) = self.next()?;
            let built = self.node(event, span, depth + 1).map_err(|error| error.under_key(text))?;
            height = height.max(built.height);
            let is_merge = *plain && text == MERGE;
            let name: Arc<str> = text.as_str().into();
            if (is_merge && merged.is_some()) || !keys.insert(Arc::clone(&name)) {
                return Err(Error::new(ErrorKind::DuplicateKey).under_key(text).at(key.position));
            }
            if is_merge {
                merged = Some(built.node);
            } else {
                members.push((name, built.node));
            }
        }
        if let Some(merged) = merged {
            self.merge(&merged, &mut members, &mut keys)?;
        }
        Ok((members, height + 1))
    }

    /// The members of other mappings, for the keys that a mapping does not have itself.
    fn merge(&mut self, merged: &Node, members: &mut Vec<Member>, keys: &mut HashSet<Arc<str>>) -> Result<()> {
        let sources = match &merged.value {
            Value::List(items) => items.iter().map(|item| &item.value).collect(),
            value => vec![value],
        };
        for source in sources {
            let Value::Map(source) = source else {
                return Err(invalid("only mappings can be merged").under_key(MERGE).at(merged.position));
            };
            self.spend(source.len(), merged.position)?;
            for (name, node) in source {
                if keys.insert(Arc::clone(name)) {
                    members.push((Arc::clone(name), Arc::clone(node)));
                }
            }
        }
        Ok(())
    }
}

fn too_deep(position: Position) -> Error {
    invalid(format!("lists and mappings are nested more than {MAX_DEPTH} deep")).at(position)
}

/// Whether a tag says that a value is a text: `!!str` or `!`.
fn is_text(tag: &Tag) -> bool {
    (tag.is_yaml_core_schema() && tag.suffix == "str") || (tag.handle.is_empty() && tag.suffix == "!")
}

impl Node {
    pub(super) fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    fn expected(&self, what: &str) -> Error {
        let found = match &self.value {
            _ if self.is_null() => "nothing",
            Value::Scalar { .. } => "a text or number",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
            Value::Tagged => "a value with a tag",
        };
        invalid(format!("expected {what}, not {found}")).at(self.position)
    }

    /// A text. Numbers and booleans are taken as they are spelled, as sops does.
    pub(super) fn text(&self) -> Result<&str> {
        match &self.value {
            Value::Scalar { text, .. } if !self.is_null() => Ok(text),
            _ => Err(self.expected("a text")),
        }
    }

    /// A text; the empty one for null.
    pub(super) fn text_or_null(&self) -> Result<&str> {
        if self.is_null() { Ok("") } else { self.text() }
    }

    /// A whole number in decimal, without leading zeros: sops takes `010` for 8.
    pub(super) fn integer(&self) -> Result<Option<i64>> {
        let number = match &self.value {
            _ if self.is_null() => return Ok(None),
            Value::Scalar { text, plain: true } => {
                text.parse::<i64>().ok().filter(|number| number.to_string() == *text)
            }
            _ => None,
        };
        number.map(Some).ok_or_else(|| self.expected("a whole number"))
    }

    /// A boolean, in the spellings that sops takes; null counts as false.
    pub(super) fn boolean(&self) -> Result<bool> {
        match &self.value {
            _ if self.is_null() => Ok(false),
            Value::Scalar { text, plain: true } => match text.as_str() {
                "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "y" | "Y" => Ok(true),
                "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" | "n" | "N" => Ok(false),
                _ => Err(self.expected("true or false")),
            },
            _ => Err(self.expected("true or false")),
        }
    }

    pub(super) fn is_list(&self) -> bool {
        matches!(self.value, Value::List(_))
    }

    /// What `read` makes of each item of a list; nothing for null.
    pub(super) fn items<T>(&self, mut read: impl FnMut(&Arc<Node>) -> Result<T>) -> Result<Vec<T>> {
        match &self.value {
            _ if self.is_null() => Ok(Vec::new()),
            Value::List(items) => items
                .iter()
                .enumerate()
                .map(|(index, item)| read(item).map_err(|error| error.under_index(index).at(item.position)))
                .collect(),
            _ => Err(self.expected("a list")),
        }
    }

    /// The members of a mapping; none for null.
    pub(super) fn fields(&self) -> Result<Fields<'_>> {
        match &self.value {
            _ if self.is_null() => Ok(Fields(&[])),
            Value::Map(members) => Ok(Fields(members)),
            _ => Err(self.expected("a mapping")),
        }
    }
}

/// The members of a mapping.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a>(&'a [Member]);

impl<'a> Fields<'a> {
    /// # Errors
    /// [`ErrorKind::InvalidConfig`] when there is a key other than these.
    pub(super) fn only(self, known: &[&str]) -> Result<Self> {
        match self.0.iter().find(|(name, _)| !known.contains(&&**name)) {
            None => Ok(self),
            Some((name, node)) => Err(invalid("unknown key").under_key(name).at(node.position)),
        }
    }

    /// What `read` makes of each member, with its name.
    pub(super) fn each<T, C>(self, mut read: impl FnMut(&'a Node) -> Result<T>) -> Result<C>
    where
        C: FromIterator<(String, T)>,
    {
        let member = |(name, node): &'a Member| match read(node) {
            Ok(value) => Ok((name.to_string(), value)),
            Err(error) => Err(error.under_key(name).at(node.position)),
        };
        self.0.iter().map(member).collect()
    }

    pub(super) fn get(self, name: &str) -> Option<&'a Arc<Node>> {
        self.0.iter().find(|(known, _)| **known == *name).map(|(_, node)| node)
    }

    /// What `read` makes of a member; the default when there is none.
    pub(super) fn read<T: Default>(self, name: &str, read: impl FnOnce(&'a Node) -> Result<T>) -> Result<T> {
        match self.get(name) {
            None => Ok(T::default()),
            Some(node) => read(node).map_err(|error| error.under_key(name).at(node.position)),
        }
    }
}
