//! Trees as a walk comes upon them, in whatever form they are.

use super::{Map, Value};

/// A leaf.
#[derive(Clone, Copy)]
pub(crate) enum Leaf<'t> {
    Text(&'t str),
    /// Anything but a text.
    Other(&'t Value),
}

impl<'t> From<&'t Value> for Leaf<'t> {
    fn from(value: &'t Value) -> Self {
        match value {
            Value::Text(text) => Leaf::Text(text.as_str()),
            other => Leaf::Other(other),
        }
    }
}

/// What a value is.
pub(crate) enum Node<'t, T: Tree<'t>> {
    Null,
    Object(T::Members),
    Array(T::Items),
    Leaf(Leaf<'t>),
}

/// A value, with all that is below it.
pub(crate) trait Tree<'t>: Copy + Send + Sync + 't {
    type Members: Iterator<Item = (&'t str, Self)> + Clone + Send + Sync;
    type Items: Iterator<Item = Self> + Clone + Send + Sync;

    fn node(self) -> Node<'t, Self>;

    /// The value at the same place of another tree that goes with this one.
    fn companion(self) -> Option<&'t Value>;
}

/// A value in memory, and the one at its place in a companion tree.
#[derive(Clone, Copy)]
pub(crate) struct Beside<'t> {
    value: &'t Value,
    companion: Option<&'t Value>,
}

impl<'t> From<&'t Value> for Beside<'t> {
    fn from(value: &'t Value) -> Self {
        Beside { value, companion: None }
    }
}

impl<'t> Tree<'t> for Beside<'t> {
    type Members = Members<'t>;
    type Items = Items<'t>;

    #[inline]
    fn node(self) -> Node<'t, Self> {
        match self.value {
            Value::Null => Node::Null,
            Value::Object(map) => Node::Object(Members::of(map, self.companion.and_then(Value::as_object))),
            Value::Array(items) => {
                let companion = self.companion.and_then(Value::as_array).unwrap_or_default();
                Node::Array(Items { items: items.iter(), companion: companion.iter() })
            }
            leaf => Node::Leaf(Leaf::from(leaf)),
        }
    }

    fn companion(self) -> Option<&'t Value> {
        self.companion
    }
}

/// The members of an object in memory.
#[derive(Clone)]
pub(crate) struct Members<'t> {
    map: &'t Map,
    place: usize,
    companion: Option<&'t Map>,
}

impl<'t> Members<'t> {
    pub(crate) fn of(map: &'t Map, companion: Option<&'t Map>) -> Self {
        Members { map, place: 0, companion }
    }
}

impl<'t> Iterator for Members<'t> {
    type Item = (&'t str, Beside<'t>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let (key, value) = self.map.member(self.place)?;
        let companion = self.companion.and_then(|map| map.get_near(self.place, key));
        self.place += 1;
        Some((key, Beside { value, companion }))
    }
}

/// The items of an array in memory.
#[derive(Clone)]
pub(crate) struct Items<'t> {
    items: std::slice::Iter<'t, Value>,
    companion: std::slice::Iter<'t, Value>,
}

impl<'t> Iterator for Items<'t> {
    type Item = Beside<'t>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let companion = self.companion.next();
        Some(Beside { value: self.items.next()?, companion })
    }
}
