//! What is written of a document, whichever way it goes: everything but the leaves is the same.

use crate::error::Result;
use crate::format::Indent;
use crate::format::json::{
    self,
    write::{self, Writer},
};
use crate::rules::Rule;
use crate::tree::nodes::Tree;
use crate::walk::{self, Events, Visit};

/// What leaves must be that are written: on one thread nothing more.
#[cfg(not(feature = "parallel"))]
use self::Leaves as Fork;
#[cfg(feature = "parallel")]
use super::parallel::Fork;

/// What is done with each leaf.
pub(super) trait Leaves {
    /// How long a text will be, about: what must be escaped is longer.
    const LENGTH_OF: fn(&str) -> usize;

    fn writer(&mut self) -> &mut Writer;
    fn leaf(&mut self, visit: &Visit<'_>, key: Option<&str>) -> Result<()>;
}

impl<L: Leaves> Events for L {
    type Outer = write::Outer;

    fn open(&mut self, bracket: &'static str, key: Option<&str>) -> write::Outer {
        lead(self.writer(), key);
        self.writer().open(bracket)
    }

    fn close(&mut self, bracket: &'static str, outer: &write::Outer) {
        self.writer().close(bracket, outer);
    }

    fn null(&mut self, key: Option<&str>) {
        lead(self.writer(), key);
        self.writer().raw("null");
    }

    fn leaf(&mut self, visit: &Visit<'_>, key: Option<&str>) -> Result<()> {
        Leaves::leaf(self, visit, key)
    }
}

pub(super) fn lead(writer: &mut Writer, key: Option<&str>) {
    writer.item();
    if let Some(key) = key {
        writer.key(key);
    }
}

/// How much room is needed: for the members, which are indented like this, and behind them.
#[derive(Clone, Copy)]
pub(super) struct Room {
    /// How long the members will be, and what they weigh, if that is known.
    pub(super) measured: Option<json::Measured>,
    pub(super) indent: Indent,
    pub(super) behind: usize,
}

/// Writes the members of a document, on several threads where the build has them and that is faster.
pub(super) fn walk<'t, T: Tree<'t>, L: Fork>(
    members: T::Members,
    rule: &Rule,
    leaves: &mut L,
    room: Room,
) -> Result<()> {
    let measure = || json::measure_with::<T>(members.clone(), room.indent, L::LENGTH_OF);
    let known = room.measured;
    let room = || known.map_or_else(measure, |known| known.length) + room.behind;
    #[cfg(feature = "parallel")]
    if super::parallel::walk::<T, L>(members.clone(), rule, leaves, known.map(|known| known.weight), room).is_some() {
        return Ok(());
    }
    leaves.writer().reserve(room());
    walk::walk::<T>(members, rule, leaves)
}
