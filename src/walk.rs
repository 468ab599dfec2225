//! The walk over the leaves of a tree, in the order of the file: the same for encrypting and for decrypting.

use crate::error::{Error, ErrorKind, Result};
use crate::rules::Rule;
use crate::tree::{Map, Value};

/// How long the keys on the way to a leaf may be together, in bytes. Each leaf is authenticated with all of them, so that a long key
/// above many leaves would cost its length for each.
const MAX_PATH: usize = 64 * 1024;

/// A leaf on the walk.
pub(crate) struct Visit<'a> {
    pub(crate) value: &'a Value,
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
    visit: &mut dyn FnMut(Visit<'_>) -> Result<Value>,
) -> Result<Map> {
    Walk { rule, visit, additional_data: String::new() }.object(tree, companion, false)
}

struct Walk<'w> {
    rule: &'w Rule,
    visit: &'w mut dyn FnMut(Visit<'_>) -> Result<Value>,
    additional_data: String,
}

impl Walk<'_> {
    fn object(&mut self, map: &Map, companion: Option<&Map>, matched: bool) -> Result<Map> {
        let outer = self.additional_data.len();
        let mut place = 0..;
        Map::with_keys_of(map, |key, value| {
            self.additional_data.push_str(key);
            self.additional_data.push(':');
            if self.additional_data.len() > MAX_PATH {
                let detail = "the keys on the way are longer than 64 KiB together";
                return Err(Error::with_detail(ErrorKind::TooDeep, detail));
            }
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
                value: leaf,
                companion,
                additional_data: &self.additional_data,
                selected: self.rule.selects(matched),
            }),
        }
    }

    fn array(&mut self, items: &[Value], companion: Option<&[Value]>, matched: bool) -> Result<Value> {
        let made = items.iter().enumerate().map(|(index, item)| {
            let companion = companion.and_then(|items| items.get(index));
            self.value(item, companion, matched).map_err(|error| error.under_index(index))
        });
        made.collect::<Result<_>>().map(Value::Array)
    }
}
