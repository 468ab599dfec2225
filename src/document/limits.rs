//! How much of a file that anybody can have written is taken.

use crate::error::{Error, ErrorKind, Result};
use crate::metadata;
use crate::tree::nodes::Tree;

/// How much of an encrypted file is taken, where the defaults are too much or too little: [`EncryptedDocument::parse_with_limits`](super::EncryptedDocument::parse_with_limits),
/// [`EditOptions::limits`](crate::EditOptions::limits).
///
/// sops has no such limits. Those that are not here cannot be changed: [`MAX_DEPTH`](crate::MAX_DEPTH) guards the stack, and the others are far beyond what
/// sops writes (SECURITY.md lists them).
///
/// ```
/// use sopskit::{EncryptedDocument, ErrorKind, Limits};
///
/// let bytes = std::fs::read("fixtures/3.13.2/mixed/sealed.json")?;
/// assert!(EncryptedDocument::parse_with_limits(&bytes, &Limits::new().bytes(1024 * 1024)).is_ok());
/// let error = EncryptedDocument::parse_with_limits(&bytes, &Limits::new().bytes(100)).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::TooLarge);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    bytes: usize,
    master_keys: usize,
}

/// Each can cost attempts of each identity: some 70 µs for one that sops wrote with X25519, some 0.6 ms for one made to be dear; much more for RSA keys, and a run of
/// its program for a plugin.
const MASTER_KEYS: usize = 1024;

/// Shamir's scheme has no more shares.
const KEY_GROUPS: usize = 255;

impl Limits {
    /// The defaults: a file of any length, with at most 1024 master keys.
    #[must_use]
    pub fn new() -> Self {
        Limits { bytes: usize::MAX, master_keys: MASTER_KEYS }
    }

    /// The longest file, in bytes. A file takes up to three times its length in memory, in small pieces more.
    #[must_use]
    pub fn bytes(mut self, bytes: usize) -> Self {
        self.bytes = bytes;
        self
    }

    /// How many master keys a file may have, in all its key groups together.
    #[must_use]
    pub fn master_keys(mut self, master_keys: usize) -> Self {
        self.master_keys = master_keys;
        self
    }

    pub(super) fn check_length(&self, bytes: &[u8]) -> Result<()> {
        within(bytes.len(), self.bytes, "bytes")
    }

    pub(super) fn check_metadata<'t, T: Tree<'t>>(&self, fields: T::Members) -> Result<()> {
        let (groups, keys) = metadata::count_master_keys::<T>(fields);
        within(groups, KEY_GROUPS, "key groups")?;
        within(keys, self.master_keys, "master keys")
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits::new()
    }
}

fn within(count: usize, limit: usize, what: &str) -> Result<()> {
    if count <= limit {
        return Ok(());
    }
    Err(Error::with_detail(ErrorKind::TooLarge, format!("{count} {what}, and the limit is {limit}")))
}
