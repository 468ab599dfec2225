//! A large document on all cores: in pieces, each with a text of its own, that are put one behind the other as they come; so is the MAC made of them.
//!
//! What comes out is what one thread makes of the same nonces. Whatever goes wrong is left to one thread, which then tells the first place (and goes on behind
//! the nonces that were handed out, so that none is used twice).

#[cfg(test)]
mod tests;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::channel;
use std::sync::{Mutex, OnceLock, PoisonError, TryLockError};
use std::thread;

use rayon::{ThreadPool, ThreadPoolBuilder};

use super::leaves::{Leaves, lead};
use crate::format::json::write::{Outer, Writer};
use crate::mac::Mac;
use crate::rules::Rule;
use crate::secret::on_wiped_stack;
use crate::tree::nodes::Tree;
use crate::walk::{Part, Piece, split, weighs};

/// What a piece should weigh (see [`split`]): some 300 small leaves, which take some 100 µs.
const WEIGHT: usize = 64 * 1024;
/// A document that weighs less is not worth the threads.
const LEAST: usize = 512 * 1024;

/// The threads of this crate: with the caller's as many as there are cores. `None` where there is but one core or no thread can be started, and for a caller that is a thread of
/// any pool of rayon: while it waits it would do other work of its pool, under the locks that it holds.
fn pool() -> Option<&'static ThreadPool> {
    static POOL: OnceLock<Option<ThreadPool>> = OnceLock::new();
    if rayon::current_thread_index().is_some() {
        return None;
    }
    let start = || {
        let threads = thread::available_parallelism().ok().filter(|threads| threads.get() > 1)?;
        let builder = ThreadPoolBuilder::new().num_threads(threads.get() - 1);
        builder.thread_name(|number| format!("sopskit-{number}")).build().ok()
    };
    // By a thread of its own: what is made on a stack takes to the heap, in places that are never filled, what lay there before, as a data key.
    let start = || thread::Builder::new().spawn(start).ok()?.join().ok()?;
    POOL.get_or_init(start).as_ref()
}

/// Held while a document is done: another one would wait for the threads that are at work on it.
static BUSY: Mutex<()> = Mutex::new(());

/// Leaves that can be done in parts.
pub(super) trait Fork: Leaves + Send + Sized {
    fn mac(&mut self) -> &mut Mac;

    /// What does the next `leaves` leaves, apart from this one, which then goes on behind them.
    fn fork(&mut self, writer: Writer, mac: Mac, leaves: usize) -> Self;

    /// Takes over what a fork knows besides its text and its MAC.
    fn join(&mut self, part: &Self);
}

/// Writes the members of a document, for which room is made, if it is large enough and nothing is wrong with it: else one thread does, and tells the first place
/// where something is.
pub(super) fn walk<'t, T: Tree<'t>, L: Fork>(
    members: T::Members,
    rule: &Rule,
    leaves: &mut L,
    weight: Option<usize>,
    room: impl FnOnce() -> usize,
) -> Option<()> {
    let is_large = weight.map_or_else(|| weighs::<T>(members.clone(), LEAST), |weight| weight >= LEAST);
    if !is_large {
        return None;
    }
    // Nothing is behind the lock that a panic could spoil.
    let _turn = match BUSY.try_lock() {
        Ok(turn) => turn,
        Err(TryLockError::Poisoned(turn)) => turn.into_inner(),
        Err(TryLockError::WouldBlock) => return None,
    };
    walk_in_pieces::<T, L>(members, rule, leaves, room, WEIGHT)
}

fn walk_in_pieces<'t, T: Tree<'t>, L: Fork>(
    members: T::Members,
    rule: &Rule,
    leaves: &mut L,
    room: impl FnOnce() -> usize,
    weight: usize,
) -> Option<()> {
    let pool = pool()?;
    let parts = split::<T>(members, rule, weight)?;
    let mut spine = Spine::of(leaves.writer());
    let pieces: Vec<_> = parts.iter().filter_map(|part| spine.pass(part, leaves)).collect();
    leaves.writer().reserve(room());
    let (start, mac) = (leaves.writer().written().len(), leaves.mac().clone());
    if write_all(pool, pieces, rule, Gathering::of(leaves, spine)).is_none() {
        leaves.writer().written().truncate(start);
        *leaves.mac() = mac;
        return None;
    }
    leaves.writer().pass();
    Some(())
}

/// Writes all pieces. `None` where one could not be written.
///
/// This thread takes pieces like all others, so that it never waits for one that nobody has begun, and need not be woken when it has done the last one, which
/// takes as long as a piece.
fn write_all<'t, T: Tree<'t>, L: Fork>(
    pool: &ThreadPool,
    pieces: Vec<(L, &Piece<'t, T>)>,
    rule: &Rule,
    mut gathering: Gathering<'_, L>,
) -> Option<()> {
    let count = pieces.len();
    let queue = Mutex::new(pieces.into_iter().enumerate());
    let take = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let write = |(place, (mut fork, piece)): (usize, (L, &Piece<'t, T>))| {
        // One thread then panics likewise. Here nobody would be told.
        let is_written = catch_unwind(AssertUnwindSafe(|| on_wiped_stack(|| write(&mut fork, piece, rule))));
        (place, is_written.unwrap_or_default().then_some(fork))
    };
    let (take, write) = (&take, &write);
    pool.in_place_scope(|scope| {
        let (sender, receiver) = channel();
        for _ in 0..pool.current_num_threads().min(count.saturating_sub(1)) {
            let sender = sender.clone();
            scope.spawn(move |_| while take().map(write).is_some_and(|written| sender.send(written).is_ok()) {});
        }
        drop(sender);
        loop {
            let written = match take().map(write) {
                Some(written) => written,
                None if gathering.is_complete() => return Some(()),
                None => receiver.recv().ok()?,
            };
            // When nobody receives any more, the others stop too.
            gathering.add(written)?;
            receiver.try_iter().try_for_each(|written| gathering.add(written))?;
        }
    })
}

/// Puts the pieces one behind the other, in order, as they come.
struct Gathering<'l, L> {
    leaves: &'l mut L,
    spine: Spine,
    /// How many have been put.
    done: usize,
    /// Those that wait for one in front of them, at their places.
    waiting: Vec<Option<L>>,
}

impl<'l, L: Fork> Gathering<'l, L> {
    fn of(leaves: &'l mut L, spine: Spine) -> Self {
        let waiting = spine.pieces.iter().map(|_| None).collect();
        Gathering { leaves, spine, done: 0, waiting }
    }

    fn is_complete(&self) -> bool {
        self.done == self.waiting.len()
    }

    fn add(&mut self, (place, fork): (usize, Option<L>)) -> Option<()> {
        self.waiting[place] = Some(fork?);
        while let Some(mut fork) = self.waiting.get_mut(self.done).and_then(Option::take) {
            put(self.leaves, self.spine.between(self.done));
            put(self.leaves, fork.writer().written());
            self.leaves.mac().add_bytes(&fork.mac().take_kept());
            self.leaves.join(&fork);
            self.done += 1;
            if self.is_complete() {
                put(self.leaves, self.spine.between(self.done));
            }
        }
        Some(())
    }
}

fn put<L: Fork>(leaves: &mut L, text: &[u8]) {
    leaves.writer().room(text.len()).extend_from_slice(text);
}

/// Whether all of the piece could be written, and something, if it is the first item of a list: what is behind it is written as if it were not the first.
fn write<'t, T: Tree<'t>, L: Fork>(leaves: &mut L, piece: &Piece<'t, T>, rule: &Rule) -> bool {
    let writer = leaves.writer();
    let is_first = writer.is_first();
    let length = writer.measure(piece.members(), L::LENGTH_OF);
    writer.reserve(length);
    piece.walk(rule, leaves).is_ok() && !(is_first && leaves.writer().is_first())
}

/// What is written between the pieces.
struct Spine {
    writer: Writer,
    open: Vec<Outer>,
    /// How much is written in front of each piece.
    pieces: Vec<usize>,
}

impl Spine {
    fn of(writer: &Writer) -> Self {
        Spine { writer: writer.fork(), open: Vec::new(), pieces: Vec::new() }
    }

    /// Writes what is no piece; for a piece, what will write it.
    fn pass<'p, 't, T: Tree<'t>, L: Fork>(
        &mut self,
        part: &'p Part<'t, T>,
        leaves: &mut L,
    ) -> Option<(L, &'p Piece<'t, T>)> {
        match part {
            Part::Open(bracket, key) => {
                lead(&mut self.writer, *key);
                self.open.push(self.writer.open(bracket));
            }
            Part::Close(bracket) => {
                if let Some(outer) = self.open.pop() {
                    self.writer.close(bracket, &outer);
                }
            }
            Part::Piece(piece) => {
                self.pieces.push(self.writer.written().len());
                let mac = leaves.mac().of_part();
                let fork = leaves.fork(self.writer.fork(), mac, piece.leaves());
                self.writer.pass();
                return Some((fork, piece));
            }
        }
        None
    }

    /// What stands in front of a piece, and behind the last one.
    fn between(&mut self, piece: usize) -> &[u8] {
        let from = piece.checked_sub(1).and_then(|before| self.pieces.get(before)).copied().unwrap_or_default();
        let text = self.writer.written();
        &text[from..self.pieces.get(piece).copied().unwrap_or(text.len())]
    }
}
