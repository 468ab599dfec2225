//! The MAC of a document: SHA-512 over the plaintext of its leaves.
//!
//! Source: section 4 of the format page, `Tree.Encrypt` in `sops.go`.

use std::thread;

use sha2::{Digest as _, Sha512};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::leaf::{LeafType, bytes_of};
use crate::secret::Wiped;
use crate::tree::nodes::Leaf;

/// SHA-256 of "sops": hashed first when only encrypted leaves count, so that the two kinds of MAC never agree.
const ONLY_ENCRYPTED: [u8; 32] = [
    0x8a, 0x3f, 0xd2, 0xad, 0x54, 0xce, 0x66, 0x52, 0x7b, 0x10, 0x34, 0xf3, 0xd1, 0x47, 0xbe, 0x0b, 0x0b, 0x97, 0x5b,
    0x3b, 0xf4, 0x4f, 0x72, 0xc6, 0xfd, 0xad, 0xec, 0x81, 0x76, 0xf2, 0x7d, 0x69,
];

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// From so many bytes on a thread is worth while that hashes them: it takes some 20 µs to start, and they take 400.
const MANY: usize = 256 * 1024;

/// A MAC in the making: fed with the leaves in the order of the document.
#[cfg_attr(feature = "parallel", derive(Clone))]
pub(crate) struct Mac {
    hash: Sha512,
    only_encrypted: bool,
    /// What is to be hashed by another hand, in a part of the document.
    kept: Option<Wiped>,
}

impl Drop for Mac {
    /// The hash keeps up to a block of what it was given: that is overwritten. More than half a block twice, for a whole one would not go through its memory.
    fn drop(&mut self) {
        const MOST_OF_A_BLOCK: [u8; 127] = [0; 127];
        self.hash.update(MOST_OF_A_BLOCK);
        self.hash.update(MOST_OF_A_BLOCK);
    }
}

impl Mac {
    pub(crate) fn new(only_encrypted: bool) -> Self {
        let mut hash = Sha512::new();
        if only_encrypted {
            hash.update(ONLY_ENCRYPTED);
        }
        Mac { hash, only_encrypted, kept: None }
    }

    /// The MAC of a part of the document that begins somewhere: it only keeps what is to be hashed.
    #[cfg(feature = "parallel")]
    pub(crate) fn of_part(&self) -> Self {
        Mac { hash: Sha512::new(), only_encrypted: self.only_encrypted, kept: Some(Wiped::default()) }
    }

    /// What a part has kept.
    #[cfg(feature = "parallel")]
    pub(crate) fn take_kept(&mut self) -> Wiped {
        self.kept.take().unwrap_or_default()
    }

    /// Adds a leaf. Comments do not count.
    pub(crate) fn add(&mut self, leaf: Leaf<'_>, encrypted: bool) {
        if self.only_encrypted && !encrypted {
            return;
        }
        match bytes_of(leaf) {
            None | Some((_, LeafType::Comment)) => {}
            Some((plain, _)) => self.add_bytes(&plain),
        }
    }

    /// Adds the bytes of an encrypted leaf that is no comment.
    pub(crate) fn add_bytes(&mut self, plain: &[u8]) {
        if let Some(kept) = &mut self.kept {
            kept.make_room(plain.len());
            return kept.extend_from_slice(plain);
        }
        self.hash.update(plain);
    }

    /// As [`add_bytes`](Self::add_bytes), while `work` is done: on another thread where there are many. Hashing is the slowest thing that is done with a large value.
    pub(crate) fn add_beside<T>(&mut self, plain: &[u8], work: impl FnOnce() -> T) -> T {
        if plain.len() < MANY || self.kept.is_some() {
            self.add_bytes(plain);
            return work();
        }
        let mut is_added = false;
        let answer = thread::scope(|scope| {
            let adder = thread::Builder::new().spawn_scoped(scope, || self.hash.update(plain));
            let answer = work();
            is_added = adder.is_ok_and(|adder| adder.join().is_ok());
            answer
        });
        // There are systems without threads.
        if !is_added {
            self.add_bytes(plain);
        }
        answer
    }

    /// The MAC as it is sealed in a file: upper-case hex.
    pub(crate) fn finish(mut self) -> Zeroizing<String> {
        let digest = self.hash.finalize_reset();
        let mut text = Zeroizing::new(vec![0; 2 * digest.len()]);
        for (digits, byte) in text.chunks_exact_mut(2).zip(digest) {
            digits.copy_from_slice(&[byte >> 4, byte & 15].map(|digit| HEX[usize::from(digit)]));
        }
        // It is ASCII.
        Zeroizing::new(String::from_utf8(std::mem::take(&mut *text)).unwrap_or_default())
    }

    /// Whether this is the MAC that `expected` spells, in a time that does not depend on where they differ.
    pub(crate) fn verify(self, expected: &[u8]) -> bool {
        self.finish().as_bytes().ct_eq(expected).into()
    }
}
