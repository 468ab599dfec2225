//! The members of an object.
//!
//! Most objects have few members, and a document is two trees with the same keys, the encrypted and the plain one. So members are a list, in which a key is
//! looked for one by one as long as there are few; and keys are shared between the trees. That is 2 to 3 times as fast as a hash table for each object, and
//! half as large (benches/README.md).

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::{Value, edit};
use crate::secret::Shared;

/// With more members than this there is an index.
const FEW: usize = 16;

/// The members of an object, in the order of the file.
///
/// ```
/// use sopskit::{Map, Value};
///
/// let map = Map::from_iter([("b", Value::from(1)), ("a", Value::from(2))]);
/// assert_eq!(map.keys().collect::<Vec<_>>(), ["b", "a"]);
/// ```
#[derive(Clone, Default)]
pub struct Map {
    members: Vec<(Shared, Value)>,
    /// Where each key stands, if there are many. Made with the hasher of the standard library, which no choice of keys slows down. Shared between trees of one shape.
    index: Option<Arc<HashMap<Shared, usize>>>,
}

impl Map {
    /// An empty object.
    #[must_use]
    pub fn new() -> Self {
        Map::default()
    }

    pub(crate) fn with_capacity(members: usize) -> Self {
        Map { members: Vec::with_capacity(members), index: None }
    }

    /// An object with the same keys as another one, whose values are made by `make`.
    ///
    /// # Errors
    /// The first that `make` answers.
    pub(crate) fn with_keys_of<E>(
        other: &Map,
        mut make: impl FnMut(&str, &Value) -> Result<Value, E>,
    ) -> Result<Self, E> {
        let mut map = Map { members: Vec::with_capacity(other.members.len()), index: other.index.clone() };
        for (key, value) in &other.members {
            map.members.push((key.clone(), make(key, value)?));
        }
        Ok(map)
    }

    /// How many members there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there are no members.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The value under `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.position(key).map(|at| &self.members[at].1)
    }

    /// As [`get`](Self::get); faster where `guess` is the place of the key.
    pub(crate) fn get_near(&self, guess: usize, key: &str) -> Option<&Value> {
        match self.members.get(guess) {
            Some((known, value)) if known.is(key) => Some(value),
            _ => self.get(key),
        }
    }

    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        self.position(key).map(|at| &mut self.members[at].1)
    }

    /// Whether there is a member with this key.
    #[must_use]
    pub fn contains_key(&self, key: &str) -> bool {
        self.position(key).is_some()
    }

    /// Sets the value under `key`: in its place when there is one, else as the last member. Returns the value it replaces.
    pub fn insert(&mut self, key: impl Into<String>, value: impl Into<Value>) -> Option<Value> {
        let (key, value) = (key.into(), value.into());
        match self.position(&key) {
            Some(at) => Some(std::mem::replace(&mut self.members[at].1, value)),
            None => {
                self.push(Shared::from(&*key), value);
                None
            }
        }
    }

    /// Removes the member with this key; the others keep their order.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        let at = self.position(key)?;
        // What moves up leaves its old place behind: that of the removed one must hold nothing.
        let value = edit::take(&mut self.members[at].1);
        self.members[at..].rotate_left(1);
        self.members.pop();
        match &mut self.index {
            // The last one is nobody else's place.
            Some(index) if at == self.members.len() => drop(Arc::make_mut(index).remove(key)),
            _ => self.make_index(),
        }
        Some(value)
    }

    /// The keys, in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|(key, _)| &**key)
    }

    /// The members, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.members.iter().map(|(key, value)| (&**key, value))
    }

    /// The member at this place.
    #[inline]
    pub(super) fn member(&self, place: usize) -> Option<(&str, &Value)> {
        self.members.get(place).map(|(key, value)| (&**key, value))
    }

    /// The value under `key`; a new `null` as the last member where there is none.
    pub(super) fn entry_or_null(&mut self, key: &str) -> &mut Value {
        let at = self.position(key).unwrap_or_else(|| {
            self.push(Shared::from(key), Value::Null);
            self.members.len() - 1
        });
        &mut self.members[at].1
    }

    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&str, &mut Value) -> bool) {
        let before = self.members.len();
        let mut kept = Vec::with_capacity(before);
        for (key, value) in &mut self.members {
            if keep(key, value) {
                kept.push((key.clone(), edit::take(value)));
            }
        }
        self.members.iter_mut().for_each(|(_, value)| edit::wipe_number(value));
        self.members = kept;
        if self.members.len() != before {
            self.make_index();
        }
    }

    pub(crate) fn sort_by_key(&mut self) {
        self.members.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        self.make_index();
    }

    fn position(&self, key: &str) -> Option<usize> {
        match &self.index {
            Some(index) => index.get(key).copied(),
            None => self.members.iter().position(|(known, _)| known.is(key)),
        }
    }

    /// Adds a member whose key is new.
    pub(crate) fn push(&mut self, key: Shared, value: Value) {
        if let Some(index) = &mut self.index {
            Arc::make_mut(index).insert(key.clone(), self.members.len());
        }
        self.make_room();
        self.members.push((key, value));
        if self.index.is_none() && self.members.len() > FEW {
            self.make_index();
        }
    }

    /// Gives room for one more member. Where members must move, their old places are wiped.
    fn make_room(&mut self) {
        if self.members.len() == self.members.capacity() {
            let mut larger = Vec::with_capacity((2 * self.members.len()).max(4));
            let members = self.members.iter_mut();
            larger.extend(members.map(|(key, value)| (key.clone(), edit::take(value))));
            self.members = larger;
        }
    }

    fn make_index(&mut self) {
        let places = || self.members.iter().enumerate().map(|(at, (key, _))| (key.clone(), at));
        self.index = (self.members.len() > FEW).then(|| Arc::new(places().collect()));
    }
}

impl Drop for Map {
    /// Numbers are wiped where they lie; all else wipes itself.
    fn drop(&mut self) {
        self.members.iter_mut().for_each(|(_, value)| edit::wipe_number(value));
    }
}

impl PartialEq for Map {
    /// Whether the members are the same, in whatever order.
    fn eq(&self, other: &Self) -> bool {
        let mut members = self.members.iter().enumerate();
        self.len() == other.len() && members.all(|(at, (key, value))| other.get_near(at, key) == Some(value))
    }
}

impl<K: Into<String>> FromIterator<(K, Value)> for Map {
    fn from_iter<I: IntoIterator<Item = (K, Value)>>(members: I) -> Self {
        let mut map = Map::new();
        for (key, value) in members {
            map.insert(key, value);
        }
        map
    }
}

impl fmt::Debug for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> String {
        format!("k{number}")
    }

    fn numbers(count: usize) -> Map {
        (0..count).map(|number| (key(number), Value::from(number as i64))).collect()
    }

    /// What can be asked of a map, held against its members one by one.
    fn assert_sound(map: &Map, expected: &[usize]) {
        assert_eq!(map.keys().collect::<Vec<_>>(), expected.iter().map(|number| key(*number)).collect::<Vec<_>>());
        assert_eq!(map.len(), expected.len());
        for (at, number) in expected.iter().enumerate() {
            let value = Some(Value::from(*number as i64));
            for guess in [at, at + 1, usize::MAX] {
                assert_eq!(map.get_near(guess, &key(*number)).cloned(), value);
            }
            assert_eq!(map.get(&key(*number)).cloned(), value);
        }
        assert!(map.get("none").is_none() && !map.contains_key("none"));
    }

    #[test]
    fn few_members_and_many_are_found_replaced_and_removed_alike() {
        for count in [0, 1, FEW - 1, FEW, FEW + 1, FEW + 2, 100] {
            let mut expected: Vec<_> = (0..count).collect();
            let mut map = numbers(count);
            assert_sound(&map, &expected);
            assert!(map.clone() == map && map != numbers(count + 1));
            for number in 0..count {
                assert_eq!(map.insert(key(number), number as i64), Some(Value::from(number as i64)));
            }
            assert_sound(&map, &expected);
            while !expected.is_empty() {
                let copy = map.clone();
                // From the end, the beginning and the middle.
                let at = [expected.len() - 1, 0, expected.len() / 2][expected.len() % 3];
                let number = expected.remove(at);
                assert_eq!(map.remove(&key(number)), Some(Value::from(number as i64)));
                assert_eq!(map.remove(&key(number)), None);
                assert_sound(&map, &expected);
                assert!(copy.contains_key(&key(number)), "a copy has an index of its own");
            }
        }
    }

    #[test]
    fn a_map_with_the_keys_of_another_is_changed_alone() {
        let map = numbers(50);
        let mut other = Map::with_keys_of(&map, |_, value| Ok::<_, ()>(value.clone())).unwrap();
        other.insert("new", 1);
        other.retain(|key, _| key != "k3");
        *other.entry_or_null("k4") = Value::from(4);
        other.entry_or_null("newer");
        assert_sound(&map, &(0..50).collect::<Vec<_>>());
        assert_eq!((other.len(), other.get("k3"), other.get("new")), (51, None, Some(&Value::from(1))));
        assert_eq!(other.keys().last(), Some("newer"));
        assert_eq!(
            Map::with_keys_of(&map, |key, _| if key == "k7" { Err(key.to_owned()) } else { Ok(Value::Null) }),
            Err("k7".to_owned())
        );
    }

    #[test]
    fn equality_does_not_look_at_the_order() {
        for count in [5, 50] {
            let map = numbers(count);
            let mut turned = Map::new();
            for (key, value) in map.iter().collect::<Vec<_>>().into_iter().rev() {
                turned.push(Shared::from(key), value.clone());
            }
            assert!(map == turned);
            turned.sort_by_key();
            assert!(map == turned);
            turned.insert("k1", 5);
            assert!(map != turned);
        }
    }
}
