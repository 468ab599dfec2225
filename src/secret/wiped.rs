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
    bytes.clear();
    bytes.resize(bytes.capacity(), 0);
    zeroize::optimization_barrier(bytes.as_slice());
    bytes.clear();
}

/// Bytes that are wiped on drop.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Wiped(Vec<u8>);

impl Wiped {
    /// Gives room for `more` bytes. Where the bytes must move, the old place is wiped.
    #[inline]
    pub(crate) fn make_room(&mut self, more: usize) {
        if self.0.capacity() - self.0.len() < more {
            self.grow(more);
        }
    }

    /// Adds a text.
    #[inline]
    pub(crate) fn put(&mut self, text: &str) {
        self.make_room(text.len());
        self.0.extend_from_slice(text.as_bytes());
    }

    #[cold]
    fn grow(&mut self, more: usize) {
        let mut larger = Vec::with_capacity((2 * self.0.capacity()).max(self.0.len() + more));
        larger.extend_from_slice(&self.0);
        // The smaller one is wiped.
        *self = Wiped(larger);
    }
}

impl From<Vec<u8>> for Wiped {
    fn from(bytes: Vec<u8>) -> Self {
        Wiped(bytes)
    }
}

impl Drop for Wiped {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

impl Deref for Wiped {
    type Target = Vec<u8>;

    #[inline]
    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl DerefMut for Wiped {
    #[inline]
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
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
