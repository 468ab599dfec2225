//! Bytes that are wiped when they are dropped and never shown.

use std::fmt;
use std::ops::Deref;

use rand::RngCore;
use rand::rngs::OsRng;
use zeroize::{Zeroize as _, Zeroizing};

/// The length of a data key in bytes (AES-256).
const DATA_KEY_LEN: usize = 32;

/// The key under which the leaves of one file are encrypted. Each master key wraps it.
#[derive(Clone)]
pub(crate) struct DataKey(Zeroizing<[u8; DATA_KEY_LEN]>);

impl DataKey {
    /// A new data key from the operating system's generator.
    pub(crate) fn generate() -> Self {
        let mut key = Zeroizing::new([0; DATA_KEY_LEN]);
        OsRng.fill_bytes(&mut *key);
        DataKey(key)
    }

    /// The data key in `bytes`, or `None` when they are not exactly 32.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != DATA_KEY_LEN {
            return None;
        }
        let mut key = Zeroizing::new([0; DATA_KEY_LEN]);
        key.copy_from_slice(bytes);
        Some(DataKey(key))
    }

    pub(crate) fn as_bytes(&self) -> &[u8; DATA_KEY_LEN] {
        &self.0
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(…)")
    }
}

/// A string of a document: wiped on drop, not shown by `Debug`.
///
/// ```
/// let text = sopskit::Text::from("hunter2");
/// assert_eq!(text.as_str(), "hunter2");
/// assert_eq!(format!("{text:?}"), "Text(…)");
/// ```
#[derive(Clone)]
pub struct Text {
    text: String,
    /// Whether it stands in an encrypted file as it is, so that there is nothing to wipe.
    is_public: bool,
}

impl Text {
    /// The text of an encrypted file. It is not wiped.
    pub(crate) fn public(text: String) -> Self {
        Text { text, is_public: true }
    }

    /// The string itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl Drop for Text {
    fn drop(&mut self) {
        if !self.is_public {
            self.text.zeroize();
        }
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Text {}

impl From<String> for Text {
    /// Takes the string over without a copy.
    fn from(text: String) -> Self {
        Text { text, is_public: false }
    }
}

impl From<Zeroizing<String>> for Text {
    fn from(mut text: Zeroizing<String>) -> Self {
        Text::from(std::mem::take(&mut *text))
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Text::from(text.to_owned())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Text(…)")
    }
}

/// Bytes that are wiped on drop and not shown by `Debug`: a plaintext file, or a value of a binary file that is not UTF-8.
///
/// ```
/// let bytes = sopskit::Bytes::from(vec![0xff, 0]);
/// assert_eq!(bytes.as_bytes(), [0xff, 0]);
/// assert_eq!(format!("{bytes:?}"), "Bytes(…)");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Bytes(Zeroizing<Vec<u8>>);

impl Bytes {
    /// The bytes themselves.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl From<Zeroizing<Vec<u8>>> for Bytes {
    fn from(bytes: Zeroizing<Vec<u8>>) -> Self {
        Bytes(bytes)
    }
}

impl From<Vec<u8>> for Bytes {
    /// Takes the bytes over without a copy.
    fn from(bytes: Vec<u8>) -> Self {
        Bytes(Zeroizing::new(bytes))
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bytes(…)")
    }
}
