//! The walk over the leaves of a tree, in the order of the file: the same for encrypting and for decrypting.

#[cfg(feature = "parallel")]
mod split;

use crate::error::{Error, ErrorKind, Result};
use crate::rules::Rule;
use crate::tree::edit::Items;
use crate::tree::nodes::{Leaf, Node, Tree};
use crate::tree::{Map, Value};

#[cfg(feature = "parallel")]
pub(crate) use split::{Part, Piece, split, weighs};

/// How long the keys on the way to a leaf may be together, in bytes. Each leaf is authenticated with all of them, so that a long key
/// above many leaves would cost its length for each.
pub(crate) const MAX_PATH: usize = 64 * 1024;

/// A leaf on the walk.
pub(crate) struct Visit<'a, L = Leaf<'a>> {
    pub(crate) leaf: L,
    /// The value at the same position of the companion tree, if there is one.
    pub(crate) companion: Option<&'a Value>,
    /// The additional data of the leaf: each key on the way to it, followed by a colon. Indexes of arrays leave no trace in it.
    pub(crate) additional_data: &'a str,
    /// Whether the encryption rule selects the leaf.
    pub(crate) selected: bool,
}

/// Makes a tree of the same shape, with what `visit` makes of each leaf. `null` is no leaf and stays as it is.
///
/// Source: `walkBranch` in `sops.go`.
pub(crate) fn map_leaves(
    tree: &Map,
    companion: Option<&Map>,
    rule: &Rule,
    visit: &mut dyn FnMut(Visit<'_, &Value>) -> Result<Value>,
) -> Result<Map> {
    Walk { rule, visit, additional_data: String::new() }.object(tree, companion, false)
}

struct Walk<'w> {
    rule: &'w Rule,
    visit: &'w mut dyn FnMut(Visit<'_, &Value>) -> Result<Value>,
    additional_data: String,
}

impl Walk<'_> {
    fn object(&mut self, map: &Map, companion: Option<&Map>, matched: bool) -> Result<Map> {
        let outer = self.additional_data.len();
        let mut place = 0..;
        Map::with_keys_of(map, |key, value| {
            enter(&mut self.additional_data, key).map_err(|error| error.under_key(key))?;
            let matched = matched || self.rule.matches(key);
            let place = place.next().unwrap_or_default();
            let companion = companion.and_then(|map| map.get_near(place, key));
            let value = self.value(value, companion, matched).map_err(|error| error.under_key(key))?;
            self.additional_data.truncate(outer);
            Ok(value)
        })
    }

    fn value(&mut self, value: &Value, companion: Option<&Value>, matched: bool) -> Result<Value> {
        match value {
            Value::Null => Ok(Value::Null),
            Value::Object(map) => self.object(map, companion.and_then(Value::as_object), matched).map(Value::Object),
            Value::Array(items) => self.array(items, companion.and_then(Value::as_array), matched),
            leaf => (self.visit)(Visit {
                leaf,
                companion,
                additional_data: &self.additional_data,
                selected: self.rule.selects(matched),
            }),
        }
    }

    fn array(&mut self, items: &[Value], companion: Option<&[Value]>, matched: bool) -> Result<Value> {
        // Of its final size at once, so that no item moves.
        let mut made = Items::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let companion = companion.and_then(|items| items.get(index));
            made.push(self.value(item, companion, matched).map_err(|error| error.under_index(index))?);
        }
        Ok(Value::Array(made.finish()))
    }
}

/// Adds a key to the additional data.
fn enter(additional_data: &mut String, key: &str) -> Result<()> {
    additional_data.push_str(key);
    additional_data.push(':');
    if additional_data.len() > MAX_PATH {
        return Err(too_long());
    }
    Ok(())
}

pub(crate) fn too_long() -> Error {
    Error::with_detail(ErrorKind::TooDeep, "the keys on the way are longer than 64 KiB together")
}

/// What is told on a walk that makes no tree.
pub(crate) trait Events {
    /// What is needed to close an object or array.
    type Outer;

    /// An object or array begins.
    fn open(&mut self, bracket: &'static str, key: Option<&str>) -> Self::Outer;
    /// It ends.
    fn close(&mut self, bracket: &'static str, outer: &Self::Outer);
    fn null(&mut self, key: Option<&str>);
    fn leaf(&mut self, visit: &Visit<'_>, key: Option<&str>) -> Result<()>;
}

/// Tells what is in a tree, from its first member to its last one.
pub(crate) fn walk<'t, T: Tree<'t>>(members: T::Members, rule: &Rule, events: &mut impl Events) -> Result<()> {
    Told { rule, events, additional_data: String::new() }.members::<T>(members, false)
}

struct Told<'w, E> {
    rule: &'w Rule,
    events: &'w mut E,
    additional_data: String,
}

impl<E: Events> Told<'_, E> {
    fn members<'t, T: Tree<'t>>(&mut self, mut members: T::Members, matched: bool) -> Result<()> {
        members.try_for_each(|member| self.member(member, matched))
    }

    #[inline]
    fn member<'t, T: Tree<'t>>(&mut self, (key, value): (&str, T), matched: bool) -> Result<()> {
        let outer = self.additional_data.len();
        enter(&mut self.additional_data, key).map_err(|error| error.under_key(key))?;
        let matched = matched || self.rule.matches(key);
        self.value(value, matched, Some(key)).map_err(|error| error.under_key(key))?;
        self.additional_data.truncate(outer);
        Ok(())
    }

    fn items<'t, T: Tree<'t>>(&mut self, items: T::Items, matched: bool) -> Result<()> {
        items
            .enumerate()
            .try_for_each(|(index, item)| self.value(item, matched, None).map_err(|error| error.under_index(index)))
    }

    fn value<'t, T: Tree<'t>>(&mut self, value: T, matched: bool, key: Option<&str>) -> Result<()> {
        match value.node() {
            Node::Null => self.events.null(key),
            Node::Object(members) => {
                let outer = self.events.open("{", key);
                self.members::<T>(members, matched)?;
                self.events.close("}", &outer);
            }
            Node::Array(items) => {
                let outer = self.events.open("[", key);
                self.items::<T>(items, matched)?;
                self.events.close("]", &outer);
            }
            Node::Leaf(leaf) => {
                let (companion, selected) = (value.companion(), self.rule.selects(matched));
                let additional_data = &*self.additional_data;
                self.events.leaf(&Visit { leaf, companion, additional_data, selected }, key)?;
            }
        }
        Ok(())
    }
}
