//! A tree in pieces that can be walked by themselves, on several threads.

use std::ops::Range;
use std::sync::Arc;

use super::{Events, Told, enter};
use crate::error::Result;
use crate::rules::Rule;
use crate::tree::{Map, Value};

/// What a leaf weighs beside its text, about in bytes: opening and sealing cost something for each.
const LEAF: usize = 128;

/// What stands one behind the other in a document.
pub(crate) enum Part<'a> {
    /// An object or array begins, which is too large for one piece.
    Open(&'static str, Option<&'a str>),
    /// It ends.
    Close(&'static str),
    /// Members or items that stand one behind the other.
    Piece(Piece<'a>),
}

/// Members of one object or items of one array, one behind the other, with all that is below them.
pub(crate) struct Piece<'a> {
    list: List<'a>,
    places: Range<usize>,
    /// The additional data of the list, which many pieces share.
    additional_data: Arc<str>,
    /// Whether the rule speaks of a key on the way to the list.
    matched: bool,
    leaves: usize,
}

/// An object or an array, and its companion.
#[derive(Clone, Copy)]
enum List<'a> {
    Object(&'a Map, Option<&'a Map>),
    Array(&'a [Value], Option<&'a [Value]>),
}

#[derive(Clone, Copy, Default)]
struct Size {
    weight: usize,
    leaves: usize,
}

impl Size {
    /// Of what is neither an object nor an array.
    fn of_leaf(value: &Value) -> Self {
        match value {
            Value::Null => Size { weight: LEAF / 2, leaves: 0 },
            leaf => Size { weight: LEAF + leaf.as_str().map_or(8, str::len), leaves: 1 },
        }
    }
}

impl std::ops::AddAssign for Size {
    fn add_assign(&mut self, other: Self) {
        self.weight += other.weight;
        self.leaves += other.leaves;
    }
}

impl Piece<'_> {
    /// Tells what is in the piece.
    pub(crate) fn walk<E: Events>(&self, rule: &Rule, events: &mut E) -> Result<()> {
        let mut told = Told { rule, events, additional_data: self.additional_data.as_ref().to_owned() };
        let start = self.places.start;
        match self.list {
            List::Object(map, companion) => map
                .range(self.places.clone())
                .zip(start..)
                .try_for_each(|(member, place)| told.member(place, member, companion, self.matched)),
            List::Array(items, companion) => items[self.places.clone()]
                .iter()
                .zip(start..)
                .try_for_each(|(item, index)| told.item(index, item, companion, self.matched)),
        }
    }

    /// How many leaves there are in it.
    pub(crate) fn leaves(&self) -> usize {
        self.leaves
    }

    /// What it is made of; an item has an empty key.
    pub(crate) fn members(&self) -> impl Iterator<Item = (&str, &Value)> {
        let (object, array) = match self.list {
            List::Object(map, _) => (Some(map.range(self.places.clone())), None),
            List::Array(items, _) => (None, Some(items[self.places.clone()].iter().map(|item| ("", item)))),
        };
        object.into_iter().flatten().chain(array.into_iter().flatten())
    }
}

/// Whether a document weighs so much (see [`split`]); it is not looked at for longer than needed to know.
pub(crate) fn weighs(tree: &Map, least: usize) -> bool {
    fn weigh(value: &Value, rest: &mut usize) -> bool {
        match value {
            Value::Object(map) => map.iter().any(|(_, value)| weigh(value, rest)),
            Value::Array(items) => items.iter().any(|item| weigh(item, rest)),
            leaf => {
                *rest = rest.saturating_sub(Size::of_leaf(leaf).weight);
                *rest == 0
            }
        }
    }
    let mut rest = least;
    tree.iter().any(|(_, value)| weigh(value, &mut rest))
}

/// A document in pieces of about `weight`: a leaf has some weight of its own, and that of its text.
///
/// `None` for one that is mostly one piece or would fall into many that are much lighter, and where a walk would fail: it tells better why.
pub(crate) fn split<'a>(
    tree: &'a Map,
    companion: Option<&'a Map>,
    rule: &'a Rule,
    weight: usize,
) -> Option<Vec<Part<'a>>> {
    let mut splitting = Splitting { rule, weight, additional_data: String::new(), total: 0, heaviest: 0, pieces: 0 };
    let parts = match splitting.list(List::Object(tree, companion), false)? {
        Split::Whole(_) => return None,
        Split::Parts(parts) => parts,
    };
    // Many light ones stand around lists that are cut: each costs memory of its own.
    let is_crumbled = splitting.pieces > 16 + 4 * (splitting.total / weight);
    if is_crumbled || splitting.heaviest > splitting.total / 2 {
        return None;
    }
    Some(parts)
}

struct Splitting<'a> {
    rule: &'a Rule,
    weight: usize,
    additional_data: String,
    total: usize,
    heaviest: usize,
    pieces: usize,
}

/// What becomes of a value.
enum Split<'a> {
    /// It is light enough for a piece.
    Whole(Size),
    Parts(Vec<Part<'a>>),
}

impl<'a> Splitting<'a> {
    fn list(&mut self, list: List<'a>, matched: bool) -> Option<Split<'a>> {
        let mut run = Run { list, matched, additional_data: None, start: 0, size: Size::default(), parts: Vec::new() };
        match list {
            List::Object(map, companion) => {
                for (place, (key, value)) in map.iter().enumerate() {
                    let companion = || companion?.get_near(place, key);
                    let split = self.value(value, Some(key), companion, matched)?;
                    self.add(&mut run, place, value, Some(key), split);
                }
                Some(self.end(run, map.len()))
            }
            List::Array(items, companion) => {
                for (place, value) in items.iter().enumerate() {
                    let split = self.value(value, None, || companion?.get(place), matched)?;
                    self.add(&mut run, place, value, None, split);
                }
                Some(self.end(run, items.len()))
            }
        }
    }

    /// A companion is looked for, and the key entered, only where there is something below.
    fn value(
        &mut self,
        value: &'a Value,
        key: Option<&str>,
        companion: impl FnOnce() -> Option<&'a Value>,
        matched: bool,
    ) -> Option<Split<'a>> {
        let list = match value {
            Value::Object(map) => List::Object(map, companion().and_then(Value::as_object)),
            Value::Array(items) => List::Array(items, companion().and_then(Value::as_array)),
            leaf => return Some(Split::Whole(Size::of_leaf(leaf))),
        };
        let outer = self.additional_data.len();
        if let Some(key) = key {
            enter(&mut self.additional_data, key).ok()?;
        }
        let split = self.list(list, matched || key.is_some_and(|key| self.rule.matches(key)));
        self.additional_data.truncate(outer);
        split
    }

    fn add(&mut self, run: &mut Run<'a>, place: usize, value: &'a Value, key: Option<&'a str>, split: Split<'a>) {
        match split {
            Split::Whole(size) => {
                run.size += size;
                if run.size.weight >= self.weight {
                    self.cut(run, place + 1);
                }
            }
            Split::Parts(parts) => {
                self.cut(run, place);
                let (open, close) = if let Value::Object(_) = value { ("{", "}") } else { ("[", "]") };
                run.parts.push(Part::Open(open, key));
                run.parts.extend(parts);
                run.parts.push(Part::Close(close));
                run.start = place + 1;
            }
        }
    }

    /// Ends a piece in front of a place.
    fn cut(&mut self, run: &mut Run<'a>, end: usize) {
        let (places, size) = (run.start..end, std::mem::take(&mut run.size));
        run.start = end;
        if places.is_empty() {
            return;
        }
        self.total += size.weight;
        self.heaviest = self.heaviest.max(size.weight);
        let (list, matched) = (run.list, run.matched);
        let additional_data =
            Arc::clone(run.additional_data.get_or_insert_with(|| self.additional_data.as_str().into()));
        self.pieces += 1;
        run.parts.push(Part::Piece(Piece { list, places, additional_data, matched, leaves: size.leaves }));
    }

    fn end(&mut self, mut run: Run<'a>, length: usize) -> Split<'a> {
        if run.parts.is_empty() {
            return Split::Whole(run.size);
        }
        self.cut(&mut run, length);
        Split::Parts(run.parts)
    }
}

/// What has been seen of a list, and what of it belongs to no piece yet.
struct Run<'a> {
    list: List<'a>,
    matched: bool,
    /// Made once there is a piece.
    additional_data: Option<Arc<str>>,
    start: usize,
    size: Size,
    parts: Vec<Part<'a>>,
}
