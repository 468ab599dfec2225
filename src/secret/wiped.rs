//! Memory that is overwritten when it is given back: on the heap and on the stack.

use std::ops::{Deref, DerefMut};

/// How much of the stack is wiped, in bytes. What lies deeper, as of a tree of hundreds of levels, stays.
const STACK: usize = 16 * 1024;

/// Does some work, and then overwrites the part of the stack that it used: keys, blocks of ciphers and what was moved lie there until something else does, and
/// go to the heap with the next thing that is made there and has places which are never filled. What the compiler keeps elsewhere is not in its reach.
#[inline]
pub(crate) fn on_wiped_stack<T>(work: impl FnOnce() -> T) -> T {
    let answer = below(work);
    zeroize::zeroize_stack::<STACK>();
    answer
}

/// In a frame of its own, which begins where the one that is overwritten will.
#[inline(never)]
fn below<T>(work: impl FnOnce() -> T) -> T {
    work()
}

/// Overwrites all memory of a vector, many bytes at once. `Vec::zeroize` does it one by one, which took a tenth of the time of opening a file.
pub(super) fn wipe(bytes: &mut Vec<u8>) {
    wipe_start(bytes, bytes.capacity());
}

/// Overwrites so many bytes of the memory of a vector, which are in it or were.
fn wipe_start(bytes: &mut Vec<u8>, length: usize) {
    bytes.clear();
    bytes.resize(length.min(bytes.capacity()), 0);
    zeroize::optimization_barrier(bytes.as_slice());
    bytes.clear();
}

/// Bytes that are wiped on drop. They get fewer by [`truncate`](Self::truncate) only: what a method of the vector cuts off is not known to have been there.
#[derive(Clone, Default)]
pub(crate) struct Wiped {
    bytes: Vec<u8>,
    /// How many bytes of the memory may have been written, if not more are there now: those that were cut off. To overwrite what was never used would take the time that the
    /// system needs to give memory.
    used: usize,
}

impl Wiped {
    /// Memory for so many bytes.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Wiped { bytes: Vec::with_capacity(capacity), used: 0 }
    }

    /// Gives room for `more` bytes. Where the bytes must move, the old place is wiped.
    #[inline]
    pub(crate) fn make_room(&mut self, more: usize) {
        if self.bytes.capacity() - self.bytes.len() < more {
            self.grow(more);
        }
    }

    /// Adds a text.
    #[inline]
    pub(crate) fn put(&mut self, text: &str) {
        self.make_room(text.len());
        self.bytes.extend_from_slice(text.as_bytes());
    }

    /// As that of a vector, and so in front of it. What is cut off is overwritten with the rest.
    #[inline]
    pub(crate) fn truncate(&mut self, length: usize) {
        self.used = self.used.max(self.bytes.len());
        self.bytes.truncate(length);
    }

    #[cold]
    fn grow(&mut self, more: usize) {
        let mut larger = Wiped::with_capacity((2 * self.bytes.capacity()).max(self.bytes.len() + more));
        larger.extend_from_slice(&self.bytes);
        // The smaller one is wiped.
        *self = larger;
    }
}

impl From<Vec<u8>> for Wiped {
    /// Nobody knows what of its memory was written.
    fn from(bytes: Vec<u8>) -> Self {
        Wiped { used: bytes.capacity(), bytes }
    }
}

impl PartialEq for Wiped {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Wiped {}

impl Drop for Wiped {
    fn drop(&mut self) {
        let used = self.used.max(self.bytes.len());
        wipe_start(&mut self.bytes, used);
    }
}

impl Deref for Wiped {
    type Target = Vec<u8>;

    #[inline]
    fn deref(&self) -> &Vec<u8> {
        &self.bytes
    }
}

impl DerefMut for Wiped {
    #[inline]
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_memory_of_a_vector_is_overwritten_and_none_is_added() {
        let mut bytes = vec![7; 1000];
        bytes.truncate(10);
        let capacity = bytes.capacity();
        wipe(&mut bytes);
        assert_eq!((bytes.len(), bytes.capacity()), (0, capacity));
        bytes.resize(capacity, 1);
        assert_eq!(bytes.capacity(), capacity);
    }

    #[test]
    fn what_was_written_and_cut_off_is_overwritten_too() {
        let mut bytes = Wiped::with_capacity(1000);
        bytes.put("secret");
        bytes.truncate(1);
        assert_eq!((bytes.used, bytes.capacity()), (6, 1000));
        bytes.make_room(3000);
        bytes.resize(3001, 1);
        bytes.truncate(0);
        bytes.put("x");
        assert_eq!(bytes.used, 3001, "in the new place");
        assert_eq!(Wiped::from(vec![1, 2, 3]).used, 3, "what another hand wrote");
    }

    #[test]
    fn bytes_that_grow_are_the_same() {
        let mut bytes = Wiped::default();
        let expected: Vec<u8> = (0..10_000_u32).map(|number| (number % 251) as u8).collect();
        for part in expected.chunks(7) {
            bytes.make_room(part.len());
            let place = bytes.as_ptr();
            bytes.extend_from_slice(part);
            assert_eq!(bytes.as_ptr(), place, "there was room");
        }
        assert_eq!(*bytes, expected);
    }
}
