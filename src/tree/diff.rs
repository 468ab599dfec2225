//! What differs between two trees.

use super::{Map, Value, edit};
use crate::path::{KeyPath, Segment};

/// A place at which two documents differ. By [`Document::differences`](crate::Document::differences).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Difference {
    /// There is something in the second document only.
    Added(KeyPath, Value),
    /// There was something in the first document only.
    Removed(KeyPath, Value),
    /// Something else is there in the second document: what was there, what is.
    Changed(KeyPath, Value, Value),
}

impl Difference {
    /// Where.
    #[must_use]
    pub fn path(&self) -> &KeyPath {
        match self {
            Difference::Added(path, _) | Difference::Removed(path, _) | Difference::Changed(path, ..) => path,
        }
    }
}

impl Drop for Difference {
    fn drop(&mut self) {
        match self {
            Difference::Added(_, value) | Difference::Removed(_, value) => edit::wipe_number(value),
            Difference::Changed(_, old, new) => {
                edit::wipe_number(old);
                edit::wipe_number(new);
            }
        }
    }
}

/// The differences, in the order of the first tree, with what is new behind. Objects and arrays are followed; what is added or removed is told by its leaves.
pub(crate) fn differences(old: &Map, new: &Map) -> Vec<Difference> {
    let mut diff = Diff { path: Vec::new(), found: Vec::new() };
    diff.objects(old, new);
    diff.found
}

struct Diff {
    path: Vec<Segment>,
    found: Vec<Difference>,
}

impl Diff {
    fn objects(&mut self, old: &Map, new: &Map) {
        for (key, value) in old.iter() {
            self.at(Segment::Key(key.to_owned()), Some(value), new.get(key));
        }
        for (key, value) in new.iter().filter(|(key, _)| !old.contains_key(key)) {
            self.at(Segment::Key(key.to_owned()), None, Some(value));
        }
    }

    fn at(&mut self, segment: Segment, old: Option<&Value>, new: Option<&Value>) {
        self.path.push(segment);
        match (old, new) {
            (Some(Value::Object(old)), Some(Value::Object(new))) => self.objects(old, new),
            (Some(Value::Array(old)), Some(Value::Array(new))) => {
                for index in 0..old.len().max(new.len()) {
                    self.at(Segment::Index(index), old.get(index), new.get(index));
                }
            }
            (Some(old), Some(new)) if edit::same(old, new) => {}
            (Some(old), Some(new)) => {
                self.found.push(Difference::Changed(self.here(), old.clone(), new.clone()));
            }
            (Some(old), None) => self.leaves(old, &Difference::Removed),
            (None, Some(new)) => self.leaves(new, &Difference::Added),
            (None, None) => {}
        }
        self.path.pop();
    }

    /// All leaves of a value; an empty object or array is told itself.
    fn leaves(&mut self, value: &Value, tell: &dyn Fn(KeyPath, Value) -> Difference) {
        match value {
            Value::Object(map) if !map.is_empty() => {
                for (key, value) in map.iter() {
                    self.path.push(Segment::Key(key.to_owned()));
                    self.leaves(value, tell);
                    self.path.pop();
                }
            }
            Value::Array(items) if !items.is_empty() => {
                for (index, item) in items.iter().enumerate() {
                    self.path.push(Segment::Index(index));
                    self.leaves(item, tell);
                    self.path.pop();
                }
            }
            value => self.found.push(tell(self.here(), value.clone())),
        }
    }

    fn here(&self) -> KeyPath {
        self.path.iter().cloned().collect()
    }
}
