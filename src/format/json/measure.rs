//! How much there is to write, so that it is written where it stays.

use super::Indent;
use crate::tree::Map;
use crate::tree::nodes::{Beside, Leaf, Members, Node, Tree};

/// How much there is to write, about: a text is longer when something in it must be escaped.
pub(super) struct Measure {
    /// In bytes.
    pub(super) length: usize,
    pub(super) unit: usize,
    pub(super) of_text: fn(&str) -> usize,
}

/// How much a map is to write, in bytes.
pub(crate) fn measure(map: &Map, indent: Indent) -> usize {
    measure_with::<Beside<'_>>(Members::of(map, None), indent, str::len)
}

/// How much an object is to write, where a text will be as long as `of_text` says.
pub(crate) fn measure_with<'t, T: Tree<'t>>(members: T::Members, indent: Indent, of_text: fn(&str) -> usize) -> usize {
    let mut measure = Measure { length: 0, unit: indent.width(), of_text };
    measure.object::<T>(members, indent.width());
    measure.length
}

impl Measure {
    /// So wide are the lines of the members indented.
    fn object<'t, T: Tree<'t>>(&mut self, members: T::Members, width: usize) {
        self.length += width + 4;
        self.members(members, width);
    }

    pub(super) fn members<'t, T: Tree<'t>>(&mut self, members: impl Iterator<Item = (&'t str, T)>, width: usize) {
        for (key, value) in members {
            // Quotes, colon, blank, comma, newline.
            self.length += key.len() + 6 + width;
            self.value(value, width);
        }
    }

    pub(super) fn value<'t, T: Tree<'t>>(&mut self, value: T, width: usize) {
        match value.node() {
            Node::Object(members) => self.object::<T>(members, width + self.unit),
            Node::Array(items) => {
                self.length += width + 4;
                for item in items {
                    self.length += 2 + width + self.unit;
                    self.value(item, width + self.unit);
                }
            }
            Node::Leaf(Leaf::Text(text)) => self.length += (self.of_text)(text) + 2,
            Node::Leaf(Leaf::Other(_)) | Node::Null => self.length += (self.of_text)("1234567890") + 2,
        }
    }
}
