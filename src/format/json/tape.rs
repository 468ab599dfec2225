//! What was read, without a tree: where each thing stands in the text, one behind the other, in 12 bytes each. A tree is made of it where one is wanted; to
//! write a document in its other form, none is.

use std::borrow::Cow;

use super::Indent;
use crate::error::{Error, ErrorKind, Result};
use crate::secret::{Shared, Text};
use crate::tree::edit::Items;
use crate::tree::nodes::{Leaf, Node, Tree};
use crate::tree::{Map, Value};

/// What a thing weighs beside its text: half of a leaf, which mostly has a key.
const WEIGHT: usize = 64;

/// How many keys are remembered while a tree is made.
const RECENT_KEYS: usize = 64;

/// A thing of the text. A value stands behind its key.
#[derive(Clone, Copy)]
pub(super) enum Thing {
    /// Up to which place it goes, and how many members it has.
    Object(u32, u32),
    Array(u32, u32),
    /// Where it stands in the text, and how long it is.
    Key(u32, u32),
    Text(u32, u32),
    /// Which of the others it is: a text that stands otherwise in the text, or too far behind its beginning; or a number.
    OtherKey(u32),
    Other(u32),
    Null,
    False,
    True,
}

static FALSE: Value = Value::Bool(false);
static TRUE: Value = Value::Bool(true);

/// What stands in a text, from its beginning to its end.
#[derive(Default)]
pub(crate) struct Tape {
    things: Vec<Thing>,
    others: Items,
    pub(super) extent: Extent,
}

/// What is known of a document without a walk.
#[derive(Clone, Copy)]
pub(crate) struct Measured {
    /// How much it is to write, about, in bytes.
    pub(crate) length: usize,
    /// How much work it is, about as [`split`](crate::walk) counts it.
    #[cfg_attr(not(feature = "parallel"), expect(dead_code, reason = "for one thread all is the same work"))]
    pub(crate) weight: usize,
}

/// How much there is to write of all that was read, about: a text is longer when something in it must be escaped.
#[derive(Clone, Copy, Default)]
pub(super) struct Extent {
    bytes: usize,
    indents: usize,
}

impl Extent {
    /// So many bytes more, and the indent of so many levels.
    #[inline]
    pub(super) fn add(&mut self, bytes: usize, levels: usize) {
        self.bytes += bytes;
        self.indents += levels;
    }
}

impl Tape {
    pub(super) fn of_length(text: usize) -> Self {
        // A member of a file in which something is encrypted takes more than this.
        Tape { things: Vec::with_capacity(text / 64), ..Tape::default() }
    }

    pub(super) fn put(&mut self, thing: Thing) {
        self.things.push(thing);
    }

    /// Puts a string: one that stands as it is at `start` of the text, or what it was made to.
    pub(super) fn put_string(&mut self, string: Cow<'_, str>, start: usize, is_key: bool) -> Thing {
        let near = || Some((u32::try_from(start).ok()?, u32::try_from(string.len()).ok()?));
        let place = if let Cow::Borrowed(_) = string { near() } else { None };
        let thing = match (place, is_key) {
            (Some((start, length)), true) => Thing::Key(start, length),
            (Some((start, length)), false) => Thing::Text(start, length),
            (None, true) => Thing::OtherKey(self.keep(Value::Text(Text::from(string.into_owned())))),
            (None, false) => Thing::Other(self.keep(Value::Text(Text::from(string.into_owned())))),
        };
        self.put(thing);
        thing
    }

    pub(super) fn put_other(&mut self, value: Value) {
        let other = self.keep(value);
        self.put(Thing::Other(other));
    }

    fn keep(&mut self, value: Value) -> u32 {
        self.others.push(value);
        // There are never more of them than things: see `end`.
        u32::try_from(self.others.len() - 1).unwrap_or(u32::MAX)
    }

    /// Begins an object or array; it is put right when it ends.
    pub(super) fn begin(&mut self) -> usize {
        self.put(Thing::Null);
        self.things.len() - 1
    }

    /// # Errors
    /// [`ErrorKind::TooLarge`] for some 4 thousand million values.
    pub(super) fn end(&mut self, begin: usize, make: fn(u32, u32) -> Thing, count: usize) -> Result<()> {
        let number = |number| {
            u32::try_from(number).map_err(|_| Error::with_detail(ErrorKind::TooLarge, "more values than 2^32"))
        };
        self.things[begin] = make(number(self.things.len())?, number(count)?);
        Ok(())
    }

    /// What a key or text spells, of a tape of this text.
    #[inline]
    pub(super) fn string<'t>(&'t self, thing: Thing, text: &'t str) -> &'t str {
        match thing {
            Thing::Key(start, length) | Thing::Text(start, length) => &text[start as usize..][..length as usize],
            Thing::OtherKey(other) | Thing::Other(other) => {
                self.others.as_slice()[other as usize].as_str().unwrap_or_default()
            }
            _ => "",
        }
    }

    pub(crate) fn measure(&self, indent: Indent, text: &str) -> Measured {
        Measured {
            length: self.extent.bytes + self.extent.indents * indent.width(),
            weight: text.len() + self.things.len() * WEIGHT,
        }
    }

    pub(crate) fn root<'t>(&'t self, text: &'t str) -> Read<'t> {
        Read { tape: self, text, place: 0 }
    }
}

/// A value that was read.
#[derive(Clone, Copy)]
pub(crate) struct Read<'t> {
    tape: &'t Tape,
    text: &'t str,
    place: usize,
}

impl<'t> Read<'t> {
    fn thing(self) -> Thing {
        self.tape.things.get(self.place).copied().unwrap_or(Thing::Null)
    }

    /// Its members, if it is an object, but not the one called `without`.
    pub(crate) fn members_without(self, without: Option<&str>) -> Members<'t> {
        let (end, count) = match self.thing() {
            Thing::Object(end, count) => (end as usize, count as usize),
            _ => (0, 0),
        };
        let mut members = Members { read: Read { place: self.place + 1, ..self }, end, count, without: 0 };
        if let Some((_, value)) = without.and_then(|key| members.clone().find(|member| member.0 == key)) {
            members.without = value.place;
        }
        members
    }

    /// The items of an array that goes up to `end`.
    fn items(self, end: u32) -> ReadItems<'t> {
        ReadItems { read: Read { place: self.place + 1, ..self }, end: end as usize }
    }

    /// The place behind it.
    #[inline]
    fn end(self) -> usize {
        match self.thing() {
            Thing::Object(end, _) | Thing::Array(end, _) => end as usize,
            _ => self.place + 1,
        }
    }
}

impl<'t> Tree<'t> for Read<'t> {
    type Members = Members<'t>;
    type Items = ReadItems<'t>;

    #[inline]
    fn node(self) -> Node<'t, Self> {
        match self.thing() {
            Thing::Object(..) => Node::Object(self.members_without(None)),
            Thing::Array(end, _) => Node::Array(self.items(end)),
            thing @ Thing::Text(..) => Node::Leaf(Leaf::Text(self.tape.string(thing, self.text))),
            Thing::Other(other) => Node::Leaf(Leaf::from(&self.tape.others.as_slice()[other as usize])),
            Thing::True => Node::Leaf(Leaf::Other(&TRUE)),
            Thing::False => Node::Leaf(Leaf::Other(&FALSE)),
            Thing::Null | Thing::Key(..) | Thing::OtherKey(_) => Node::Null,
        }
    }

    fn companion(self) -> Option<&'t Value> {
        None
    }
}

/// The members of an object that was read.
#[derive(Clone)]
pub(crate) struct Members<'t> {
    read: Read<'t>,
    end: usize,
    /// How many there are, with the one that is left out.
    count: usize,
    /// The place of a value that is left out. No value of an object is the first thing.
    without: usize,
}

impl<'t> Iterator for Members<'t> {
    type Item = (&'t str, Read<'t>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.read.place >= self.end {
                return None;
            }
            let key = self.read.thing();
            let value = Read { place: self.read.place + 1, ..self.read };
            self.read.place = value.end();
            if value.place != self.without {
                return Some((value.tape.string(key, value.text), value));
            }
        }
    }
}

/// The items of an array that was read.
#[derive(Clone)]
pub(crate) struct ReadItems<'t> {
    read: Read<'t>,
    end: usize,
}

impl<'t> Iterator for ReadItems<'t> {
    type Item = Read<'t>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.read.place >= self.end {
            return None;
        }
        let item = self.read;
        self.read.place = item.end();
        Some(item)
    }
}

/// Makes trees of what was read. Strings are parts of one copy of the text.
pub(super) struct Planting<'t> {
    copy: Option<&'t Shared>,
    /// What is made of a part of it.
    make: fn(Shared) -> Text,
    /// Whether keys are such parts too. Not where it holds secrets: keys are shared with the encrypted document, and would keep it in memory.
    shares_keys: bool,
    /// Keys that were met of late: many objects have the same ones.
    keys: Vec<Option<Shared>>,
}

impl<'t> Planting<'t> {
    /// Of an encrypted file.
    pub(super) fn public(text: &'t Shared) -> Self {
        Planting { copy: Some(text), make: Text::public, shares_keys: true, keys: Vec::new() }
    }

    /// Of plaintext, of which there is a copy.
    pub(super) fn secret(text: &'t Shared) -> Self {
        Planting { copy: Some(text), make: Text::part, shares_keys: false, keys: Vec::new() }
    }

    /// Each string in memory of its own.
    pub(super) fn apart() -> Self {
        Planting { copy: None, make: Text::part, shares_keys: false, keys: Vec::new() }
    }

    pub(super) fn map(&mut self, members: Members<'_>) -> Map {
        let mut map = Map::with_capacity(members.count);
        for (key, value) in members {
            let key = self.key(value.tape.things[value.place - 1], key);
            map.push(key, self.value(value));
        }
        map
    }

    pub(super) fn value(&mut self, value: Read<'_>) -> Value {
        match value.thing() {
            Thing::Object(..) => Value::Object(self.map(value.members_without(None))),
            Thing::Array(end, count) => {
                let mut made = Items::with_capacity(count as usize);
                value.items(end).for_each(|item| made.push(self.value(item)));
                Value::Array(made.finish())
            }
            thing @ Thing::Text(start, length) => {
                let part = self.copy.and_then(|copy| copy.part(start as usize, length as usize));
                Value::Text(part.map_or_else(|| Text::from(value.tape.string(thing, value.text)), self.make))
            }
            Thing::Other(other) => value.tape.others.as_slice()[other as usize].clone(),
            Thing::True => Value::Bool(true),
            Thing::False => Value::Bool(false),
            Thing::Null | Thing::Key(..) | Thing::OtherKey(_) => Value::Null,
        }
    }

    fn key(&mut self, thing: Thing, key: &str) -> Shared {
        if let (true, Thing::Key(start, length), Some(copy)) = (self.shares_keys, thing, self.copy) {
            if let Some(part) = copy.part(start as usize, length as usize) {
                return part;
            }
        }
        if self.keys.is_empty() {
            self.keys.resize(RECENT_KEYS, None);
        }
        let bytes = key.as_bytes();
        let edge = |byte: Option<&u8>| usize::from(byte.copied().unwrap_or_default());
        let place = bytes.len().wrapping_mul(31).wrapping_add(edge(bytes.first()) * 7).wrapping_add(edge(bytes.last()));
        let recent = &mut self.keys[place % RECENT_KEYS];
        match recent {
            Some(known) if known.is(key) => known.clone(),
            _ => recent.insert(Shared::from(key)).clone(),
        }
    }
}
