//! Changes to a tree by key path, and to the encrypted tree that goes with it.

use super::{MAX_DEPTH, Map, Value, float_as_int};
use crate::error::{Error, ErrorKind, Result};
use crate::path::Segment;

/// Whether a file could hold the tree: no value is nested too deeply, no number is infinite or NaN.
pub(crate) fn check(tree: &Map) -> Result<()> {
    check_object(tree, 1)
}

fn check_object(map: &Map, depth: usize) -> Result<()> {
    map.iter().try_for_each(|(key, value)| check_value(value, depth).map_err(|error| error.under_key(key)))
}

fn check_value(value: &Value, depth: usize) -> Result<()> {
    match value {
        Value::Array(_) | Value::Object(_) if depth >= MAX_DEPTH => Err(Error::new(ErrorKind::TooDeep)),
        Value::Object(map) => check_object(map, depth + 1),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .try_for_each(|(index, item)| check_value(item, depth + 1).map_err(|error| error.under_index(index))),
        Value::Float(number) if !number.is_finite() => Err(Error::new(ErrorKind::NumberOutOfRange)),
        Value::Comment(_) => Err(Error::with_detail(ErrorKind::NotRepresentable, "JSON has no comments")),
        _ => Ok(()),
    }
}

/// A path below a top-level key as it stands in memory. On a caller's path comments do not count: whoever can write a file can add
/// some, since no MAC covers them, and must not move values by it.
pub(crate) fn path_in_memory(tree: &Map, key: &str, path: &[Segment]) -> Vec<Segment> {
    let mut at = tree.get(key);
    path.iter()
        .map(|segment| {
            let segment = at.map_or_else(|| segment.clone(), |value| in_memory(value, segment));
            at = at.and_then(|value| value.child(&segment));
            segment
        })
        .collect()
}

/// One step of [`path_in_memory`]. An index beyond the last value stays as far beyond the last item.
pub(super) fn in_memory(value: &Value, segment: &Segment) -> Segment {
    let (Value::Array(items), Segment::Index(wanted)) = (value, segment) else { return segment.clone() };
    let mut values = items.iter().enumerate().filter(|(_, item)| !matches!(item, Value::Comment(_)));
    match values.clone().nth(*wanted) {
        Some((index, _)) => Segment::Index(index),
        None => Segment::Index(items.len().saturating_add(wanted - values.by_ref().count().min(*wanted))),
    }
}

/// The value at a path below a top-level key.
pub(crate) fn get<'a>(tree: &'a Map, key: &str, path: &[Segment]) -> Option<&'a Value> {
    path.iter().try_fold(tree.get(key)?, Value::child)
}

fn get_mut<'a>(tree: &'a mut Map, key: &str, path: &[Segment]) -> Option<&'a mut Value> {
    path.iter().try_fold(tree.get_mut(key)?, Value::get_mut)
}

/// Sets the value at a path below a top-level key, making the objects and arrays that are missing on the way. Returns what stood
/// there, `null` where nothing did.
///
/// # Errors
/// [`ErrorKind::PathNotFound`] when an index is beyond the end of its array, or another value than `null` stands where an object or an array should.
/// [`ErrorKind::TooDeep`], [`ErrorKind::NumberOutOfRange`] when no file could hold the value there. Nothing is changed then.
pub(crate) fn set(tree: &mut Map, key: &str, path: &[Segment], value: Value) -> Result<Value> {
    check_value(&value, path.len() + 1)?;
    check_reachable(tree.get(key), path)?;
    let mut at = tree.entry_or_null(key);
    for segment in path {
        at = match segment {
            Segment::Key(key) => {
                if !matches!(at, Value::Object(_)) {
                    *at = Value::Object(Map::new());
                }
                match at {
                    Value::Object(map) => map.entry_or_null(key),
                    _ => return Ok(Value::Null),
                }
            }
            Segment::Index(index) => {
                if !matches!(at, Value::Array(_)) {
                    *at = Value::Array(Vec::new());
                }
                match at {
                    Value::Array(items) => {
                        if *index >= items.len() {
                            items.push(Value::Null);
                        }
                        &mut items[*index]
                    }
                    _ => return Ok(Value::Null),
                }
            }
        };
    }
    Ok(std::mem::replace(at, value))
}

/// Whether [`set`] can get to the end of the path.
fn check_reachable(value: Option<&Value>, path: &[Segment]) -> Result<()> {
    if path.len() >= MAX_DEPTH {
        return Err(Error::new(ErrorKind::TooDeep));
    }
    let mut at = value;
    for segment in path {
        at = match (at, segment) {
            (None | Some(Value::Null), Segment::Key(_) | Segment::Index(0)) => None,
            (Some(Value::Object(map)), Segment::Key(key)) => map.get(key),
            (Some(Value::Array(items)), Segment::Index(index)) if *index <= items.len() => items.get(*index),
            (None | Some(Value::Null | Value::Array(_)), Segment::Index(_)) => {
                return Err(Error::with_detail(ErrorKind::PathNotFound, "the index is beyond the end of the array"));
            }
            (Some(value), _) => {
                let detail = format!("{} stands on the way", value.type_name());
                return Err(Error::with_detail(ErrorKind::PathNotFound, detail));
            }
        };
    }
    Ok(())
}

/// Removes the value at a path below a top-level key. Says whether there was one.
pub(crate) fn unset(tree: &mut Map, key: &str, path: &[Segment]) -> bool {
    let wiped = |mut value: Value| wipe_number(&mut value);
    let Some((last, parents)) = path.split_last() else { return tree.remove(key).map(wiped).is_some() };
    match (get_mut(tree, key, parents), last) {
        (Some(Value::Object(map)), Segment::Key(key)) => map.remove(key).map(wiped).is_some(),
        (Some(Value::Array(items)), Segment::Index(index)) if *index < items.len() => {
            wipe_number(&mut items[*index]);
            items[*index..].rotate_left(1);
            items.pop();
            true
        }
        _ => false,
    }
}

/// Makes the encrypted tree forget each leaf at or below a path whose value changed from `old` to `new`, so that the leaf cannot be
/// written again. Leaves that stayed keep their place.
pub(crate) fn forget(sealed: &mut Map, key: &str, path: &[Segment], old: &Value, new: &Value) {
    if let Some(sealed) = get_mut(sealed, key, path) {
        forget_changed(sealed, old, new);
    }
}

/// Whether two values are written alike. A whole number is one value whether it is held as a float, as releases of sops before 3.13.2 sealed
/// it, or as an integer.
pub(crate) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Float(float), Value::Int(int)) | (Value::Int(int), Value::Float(float)) => {
            float_as_int(*float) == Some(*int)
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        (a, b) => a == b,
    }
}

/// Puts the comments in the arrays of an old tree into a new one, whose arrays have none.
pub(crate) fn carry_comments(old: &Map, new: &mut Map) {
    for (key, value) in old.iter() {
        if let Some(new) = new.get_mut(key) {
            carry_comments_of(value, new);
        }
    }
}

fn carry_comments_of(old: &Value, new: &mut Value) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => carry_comments(old, new),
        (Value::Array(old), Value::Array(new)) => {
            let values = old.iter().filter(|item| !matches!(item, Value::Comment(_)));
            values.zip(new.iter_mut()).for_each(|(old, new)| carry_comments_of(old, new));
            for (index, item) in old.iter().enumerate() {
                if matches!(item, Value::Comment(_)) {
                    new.insert(index.min(new.len()), item.clone());
                }
            }
        }
        _ => {}
    }
}

/// As [`forget`], for a whole tree.
pub(crate) fn forget_changed_members(sealed: &mut Map, old: &Map, new: &Map) {
    sealed.retain(|key, sealed| match (old.get(key), new.get(key)) {
        (Some(old), Some(new)) => {
            forget_changed(sealed, old, new);
            true
        }
        _ => false,
    });
}

fn forget_changed(sealed: &mut Value, old: &Value, new: &Value) {
    match (&mut *sealed, old, new) {
        (Value::Object(sealed), Value::Object(old), Value::Object(new)) => forget_changed_members(sealed, old, new),
        (Value::Array(sealed), Value::Array(old), Value::Array(new)) => forget_changed_items(sealed, old, new),
        _ if same(old, new) => {}
        _ => *sealed = Value::Null,
    }
}

/// Items behind those that changed move with their leaves.
fn forget_changed_items(sealed: &mut Vec<Value>, old: &[Value], new: &[Value]) {
    let same = |(old, new): &(&Value, &Value)| same(old, new);
    let front = old.iter().zip(new).take_while(same).count();
    let shorter = old.len().min(new.len());
    let back = old.iter().rev().zip(new.iter().rev()).take(shorter - front).take_while(same).count();
    // What lies between the two is paired from its front on. An item that was appended has no leaf yet.
    sealed.resize(old.len(), Value::Null);
    let tail = sealed.split_off(old.len() - back);
    sealed.resize(new.len() - back, Value::Null);
    for ((sealed, old), new) in sealed.iter_mut().zip(&old[..old.len() - back]).zip(new).skip(front) {
        forget_changed(sealed, old, new);
    }
    sealed.extend(tail);
}

/// The items of an array in the making. Numbers among them are wiped where they lie, also when nothing comes of it and where items must move.
#[derive(Default)]
pub(crate) struct Items(Vec<Value>);

impl Items {
    pub(crate) fn with_capacity(items: usize) -> Self {
        Items(Vec::with_capacity(items))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn as_slice(&self) -> &[Value] {
        &self.0
    }

    pub(crate) fn push(&mut self, item: Value) {
        if self.0.len() == self.0.capacity() {
            let mut larger = Vec::with_capacity((2 * self.0.len()).max(4));
            larger.extend(self.0.iter_mut().map(take));
            self.0 = larger;
        }
        self.0.push(item);
    }

    pub(crate) fn finish(mut self) -> Vec<Value> {
        std::mem::take(&mut self.0)
    }
}

impl Drop for Items {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(wipe_number);
    }
}

/// Takes a value out of its place, where no number is left.
pub(super) fn take(value: &mut Value) -> Value {
    let taken = match value {
        Value::Bool(flag) => Value::Bool(*flag),
        Value::Int(number) => Value::Int(*number),
        Value::Float(number) => Value::Float(*number),
        // What they own lies elsewhere, and stays there.
        other => return std::mem::replace(other, Value::Null),
    };
    wipe_number(value);
    taken
}

/// Overwrites a number or boolean, and those in an array. Objects, strings and bytes wipe themselves when they are dropped.
pub(crate) fn wipe_number(value: &mut Value) {
    use zeroize::Zeroize as _;
    match value {
        Value::Bool(flag) => flag.zeroize(),
        Value::Int(number) => number.zeroize(),
        Value::Float(number) => number.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe_number),
        Value::Object(_) | Value::Null | Value::Text(_) | Value::Bytes(_) | Value::Comment(_) => {}
    }
}
