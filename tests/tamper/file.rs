//! A file as an attacker sees it: text, and the places of it that can be changed.

use std::ops::Range;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    /// A number, a word.
    Bare,
    Object,
    Array,
}

/// A value of the file, by its places in the text.
pub(crate) struct Node {
    /// `["a"]["b"][0]`; the root has none.
    pub(crate) path: String,
    pub(crate) kind: Kind,
    /// The key between its quotes, as the file spells it.
    pub(crate) key: Option<Range<usize>>,
    /// The whole value, with quotes or brackets.
    pub(crate) value: Range<usize>,
    /// Key and value.
    pub(crate) member: Range<usize>,
    pub(crate) children: Vec<usize>,
    pub(crate) parent: usize,
}

/// A sound file, taken apart without the crate that is tested.
pub(crate) struct File {
    pub(crate) text: String,
    /// The root first, each value after what it stands in.
    pub(crate) nodes: Vec<Node>,
}

impl File {
    pub(crate) fn parse(text: String) -> File {
        let mut file = File { text, nodes: Vec::new() };
        let start = file.skip(0, b" \t\r\n");
        let end = file.value(String::new(), None, start, 0);
        assert_eq!(file.skip(end, b" \t\r\n"), file.text.len());
        file
    }

    fn byte(&self, at: usize) -> u8 {
        self.text.as_bytes()[at]
    }

    fn skip(&self, at: usize, bytes: &[u8]) -> usize {
        let rest = &self.text.as_bytes()[at..];
        at + rest.iter().position(|byte| !bytes.contains(byte)).unwrap_or(rest.len())
    }

    /// Where the string ends that begins at `at`, after its quote.
    fn string(&self, mut at: usize) -> usize {
        assert_eq!(self.byte(at), b'"');
        at += 1;
        while self.byte(at) != b'"' {
            at += if self.byte(at) == b'\\' { 2 } else { 1 };
        }
        at + 1
    }

    /// Takes in the value at `at`, and says where it ends.
    fn value(&mut self, path: String, key: Option<Range<usize>>, at: usize, parent: usize) -> usize {
        let (kind, close) = match self.byte(at) {
            b'"' => (Kind::Text, None),
            b'{' => (Kind::Object, Some(b'}')),
            b'[' => (Kind::Array, Some(b']')),
            _ => (Kind::Bare, None),
        };
        let member = key.as_ref().map_or(at, |key| key.start - 1)..at;
        let index = self.nodes.len();
        self.nodes.push(Node { path, kind, key, value: at..at, member, children: Vec::new(), parent });
        let end = match close {
            Some(close) => self.children(index, at + 1, close),
            None if kind == Kind::Text => self.string(at),
            None => at + self.text[at..].find([',', '}', ']', '\n', ' ']).unwrap(),
        };
        self.nodes[index].value.end = end;
        self.nodes[index].member.end = end;
        end
    }

    fn children(&mut self, parent: usize, at: usize, close: u8) -> usize {
        let mut at = self.skip(at, b" \t\r\n");
        while self.byte(at) != close {
            let (mut key, mut path) = (None, self.nodes[parent].path.clone());
            if close == b'}' {
                let end = self.string(at);
                path += &format!("[{}]", &self.text[at..end]);
                key = Some(at + 1..end - 1);
                at = self.skip(end, b" \t\r\n:");
            } else {
                path += &format!("[{}]", self.nodes[parent].children.len());
            }
            let child = self.nodes.len();
            self.nodes[parent].children.push(child);
            let end = self.value(path, key, at, parent);
            at = self.skip(end, b" \t\r\n,");
        }
        at + 1
    }

    pub(crate) fn is_metadata(&self, node: usize) -> bool {
        self.nodes[node].path.starts_with("[\"sops\"]")
    }

    /// Objects and arrays, the root among them, but none of the metadata.
    pub(crate) fn containers(&self) -> impl Iterator<Item = usize> {
        (0..self.nodes.len())
            .filter(|node| matches!(self.nodes[*node].kind, Kind::Object | Kind::Array) && !self.is_metadata(*node))
    }

    /// Values that are no objects and no arrays, `null` among them.
    pub(crate) fn leaves(&self) -> impl Iterator<Item = usize> {
        (0..self.nodes.len())
            .filter(|node| matches!(self.nodes[*node].kind, Kind::Text | Kind::Bare) && !self.is_metadata(*node))
    }

    pub(crate) fn value_text(&self, node: usize) -> &str {
        &self.text[self.nodes[node].value.clone()]
    }

    /// The node whose value or key a byte is in, and whether it is the key. `None` for blanks and punctuation.
    pub(crate) fn owners(&self) -> Vec<Option<(usize, bool)>> {
        let mut owners = vec![None; self.text.len()];
        for (index, node) in self.nodes.iter().enumerate() {
            if let Some(key) = node.key.clone() {
                owners[key].fill(Some((index, true)));
            }
            match node.kind {
                Kind::Text => owners[node.value.start + 1..node.value.end - 1].fill(Some((index, false))),
                Kind::Bare => owners[node.value.clone()].fill(Some((index, false))),
                Kind::Object | Kind::Array => {}
            }
        }
        owners
    }

    /// The text with some ranges replaced, which do not overlap.
    pub(crate) fn with(&self, mut edits: Vec<(Range<usize>, String)>) -> Vec<u8> {
        edits.sort_by_key(|(range, _)| (range.start, range.end));
        let mut text = self.text.clone();
        edits.into_iter().rev().for_each(|(range, new)| text.replace_range(range, &new));
        text.into_bytes()
    }

    /// What to cut so that a value is gone, with one of the commas beside it.
    pub(crate) fn removal(&self, node: usize) -> Range<usize> {
        let siblings = &self.nodes[self.nodes[node].parent].children;
        let at = siblings.iter().position(|sibling| *sibling == node).unwrap();
        let member = self.nodes[node].member.clone();
        match (siblings.get(at + 1), at.checked_sub(1)) {
            (Some(next), _) => member.start..self.nodes[*next].member.start,
            (None, Some(before)) => self.nodes[siblings[before]].member.end..member.end,
            (None, None) => member,
        }
    }

    /// The edit that puts a member or an item into a container, before its child number `at`.
    pub(crate) fn insertion(&self, container: usize, at: usize, new: &str) -> (Range<usize>, String) {
        let Node { children, value, .. } = &self.nodes[container];
        let (at, text) = match (children.get(at), children.last()) {
            (Some(next), _) => (self.nodes[*next].member.start, format!("{new}, ")),
            (None, Some(last)) => (self.nodes[*last].member.end, format!(", {new}")),
            (None, None) => (value.start + 1, new.to_owned()),
        };
        (at..at, text)
    }
}
