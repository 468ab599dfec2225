//! A tree in pieces that can be walked by themselves, on several threads.

use std::sync::Arc;

use super::{Events, Told, enter};
use crate::error::Result;
use crate::rules::Rule;
use crate::tree::nodes::{Leaf, Node, Tree};

/// What a leaf weighs beside its text, about in bytes: opening and sealing cost something for each.
const LEAF: usize = 128;

/// What stands one behind the other in a document.
pub(crate) enum Part<'a, T: Tree<'a>> {
    /// An object or array begins, which is too large for one piece.
    Open(&'static str, Option<&'a str>),
    /// It ends.
    Close(&'static str),
    /// Members or items that stand one behind the other.
    Piece(Piece<'a, T>),
}

/// Members of one object or items of one array, one behind the other, with all that is below them.
pub(crate) struct Piece<'a, T: Tree<'a>> {
    /// From the first of them on.
    list: List<'a, T>,
    length: usize,
    /// The additional data of the list, which many pieces share.
    additional_data: Arc<str>,
    /// Whether the rule speaks of a key on the way to the list.
    matched: bool,
    leaves: usize,
}

/// An object or an array.
#[derive(Clone)]
enum List<'a, T: Tree<'a>> {
    Object(T::Members),
    Array(T::Items),
}

impl<'a, T: Tree<'a>> Iterator for List<'a, T> {
    /// An item has no key.
    type Item = (Option<&'a str>, T);

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            List::Object(members) => members.next().map(|(key, value)| (Some(key), value)),
            List::Array(items) => items.next().map(|item| (None, item)),
        }
    }
}

#[derive(Clone, Copy, Default)]
struct Size {
    weight: usize,
    leaves: usize,
}

const NULL: Size = Size { weight: LEAF / 2, leaves: 0 };

impl Size {
    fn of_leaf(leaf: Leaf<'_>) -> Self {
        let length = match leaf {
            Leaf::Text(text) => text.len(),
            Leaf::Other(_) => 8,
        };
        Size { weight: LEAF + length, leaves: 1 }
    }
}

impl std::ops::AddAssign for Size {
    fn add_assign(&mut self, other: Self) {
        self.weight += other.weight;
        self.leaves += other.leaves;
    }
}

impl<'a, T: Tree<'a>> Piece<'a, T> {
    /// Tells what is in the piece. The path of an error does not hold the way to it.
    pub(crate) fn walk<E: Events>(&self, rule: &Rule, events: &mut E) -> Result<()> {
        let mut told = Told { rule, events, additional_data: self.additional_data.as_ref().to_owned() };
        self.members().try_for_each(|(key, value)| match key {
            Some(key) => told.member((key, value), self.matched),
            None => told.value(value, self.matched, None),
        })
    }

    /// How many leaves there are in it.
    pub(crate) fn leaves(&self) -> usize {
        self.leaves
    }

    /// What it is made of; an item has no key.
    pub(crate) fn members(&self) -> impl Iterator<Item = (Option<&'a str>, T)> {
        self.list.clone().take(self.length)
    }
}

/// Whether a document weighs so much (see [`split`]); it is not looked at for longer than needed to know.
pub(crate) fn weighs<'a, T: Tree<'a>>(mut members: T::Members, least: usize) -> bool {
    fn weigh<'a, T: Tree<'a>>(value: T, rest: &mut usize) -> bool {
        let weight = match value.node() {
            Node::Object(mut members) => return members.any(|(_, value)| weigh(value, rest)),
            Node::Array(mut items) => return items.any(|item| weigh(item, rest)),
            Node::Leaf(leaf) => Size::of_leaf(leaf).weight,
            Node::Null => NULL.weight,
        };
        *rest = rest.saturating_sub(weight);
        *rest == 0
    }
    let mut rest = least;
    members.any(|(_, value)| weigh(value, &mut rest))
}

/// A document in pieces of about `weight`: a leaf has some weight of its own, and that of its text.
///
/// `None` for one that is mostly one piece or would fall into many that are much lighter, and where a walk would fail: it tells better why.
pub(crate) fn split<'a, T: Tree<'a>>(members: T::Members, rule: &Rule, weight: usize) -> Option<Vec<Part<'a, T>>> {
    let mut splitting = Splitting { rule, weight, additional_data: String::new(), total: 0, heaviest: 0, pieces: 0 };
    let parts = match splitting.list(List::<T>::Object(members), false)? {
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

struct Splitting<'r> {
    rule: &'r Rule,
    weight: usize,
    additional_data: String,
    total: usize,
    heaviest: usize,
    pieces: usize,
}

/// What becomes of a value.
enum Split<'a, T: Tree<'a>> {
    /// It is light enough for a piece.
    Whole(Size),
    Parts(Vec<Part<'a, T>>),
}

impl Splitting<'_> {
    fn list<'a, T: Tree<'a>>(&mut self, mut list: List<'a, T>, matched: bool) -> Option<Split<'a, T>> {
        let mut run = Run {
            list: list.clone(),
            length: 0,
            matched,
            additional_data: None,
            size: Size::default(),
            parts: Vec::new(),
        };
        while let Some((key, value)) = list.next() {
            let (brackets, below) = match value.node() {
                Node::Object(members) => (("{", "}"), List::Object(members)),
                Node::Array(items) => (("[", "]"), List::Array(items)),
                Node::Null => {
                    self.add(&mut run, NULL, &list);
                    continue;
                }
                Node::Leaf(leaf) => {
                    self.add(&mut run, Size::of_leaf(leaf), &list);
                    continue;
                }
            };
            match self.below(key, below, matched)? {
                Split::Whole(size) => self.add(&mut run, size, &list),
                Split::Parts(parts) => {
                    self.cut(&mut run, &list);
                    run.parts.push(Part::Open(brackets.0, key));
                    run.parts.extend(parts);
                    run.parts.push(Part::Close(brackets.1));
                }
            }
        }
        if run.parts.is_empty() {
            return Some(Split::Whole(run.size));
        }
        self.cut(&mut run, &list);
        Some(Split::Parts(run.parts))
    }

    fn below<'a, T: Tree<'a>>(&mut self, key: Option<&str>, list: List<'a, T>, matched: bool) -> Option<Split<'a, T>> {
        let outer = self.additional_data.len();
        if let Some(key) = key {
            enter(&mut self.additional_data, key).ok()?;
        }
        let split = self.list(list, matched || key.is_some_and(|key| self.rule.matches(key)));
        self.additional_data.truncate(outer);
        split
    }

    fn add<'a, T: Tree<'a>>(&mut self, run: &mut Run<'a, T>, size: Size, behind: &List<'a, T>) {
        run.size += size;
        run.length += 1;
        if run.size.weight >= self.weight {
            self.cut(run, behind);
        }
    }

    /// Ends a piece; the next one begins at `next`.
    fn cut<'a, T: Tree<'a>>(&mut self, run: &mut Run<'a, T>, next: &List<'a, T>) {
        let list = std::mem::replace(&mut run.list, next.clone());
        let (length, size) = (std::mem::take(&mut run.length), std::mem::take(&mut run.size));
        if length == 0 {
            return;
        }
        self.total += size.weight;
        self.heaviest = self.heaviest.max(size.weight);
        let additional_data =
            Arc::clone(run.additional_data.get_or_insert_with(|| self.additional_data.as_str().into()));
        self.pieces += 1;
        run.parts.push(Part::Piece(Piece { list, length, additional_data, matched: run.matched, leaves: size.leaves }));
    }
}

/// What has been seen of a list, and what of it belongs to no piece yet.
struct Run<'a, T: Tree<'a>> {
    /// From the first that belongs to none.
    list: List<'a, T>,
    length: usize,
    size: Size,
    matched: bool,
    /// Made once there is a piece.
    additional_data: Option<Arc<str>>,
    parts: Vec<Part<'a, T>>,
}
