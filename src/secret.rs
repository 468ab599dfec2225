//! Bytes that are wiped when they are dropped and never shown.

mod wiped;

use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use rand::RngCore;
use rand::rngs::OsRng;
use zeroize::Zeroizing;

pub(crate) use wiped::{Wiped, on_wiped_stack};

/// The length of a data key in bytes (AES-256).
const DATA_KEY_LEN: usize = 32;

/// The key under which the leaves of one file are encrypted. Each master key wraps it.
///
/// In a place of its own: a value that is moved leaves what it was behind.
#[derive(Clone)]
pub(crate) struct DataKey(Box<Zeroizing<[u8; DATA_KEY_LEN]>>);

impl DataKey {
    /// A new data key from the operating system's generator.
    pub(crate) fn generate() -> Self {
        let mut key = DataKey::zero();
        OsRng.fill_bytes(&mut **key.0);
        key
    }

    /// The data key in `bytes`, or `None` when they are not exactly 32.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != DATA_KEY_LEN {
            return None;
        }
        let mut key = DataKey::zero();
        key.0.copy_from_slice(bytes);
        Some(key)
    }

    fn zero() -> Self {
        DataKey(Box::new(Zeroizing::new([0; DATA_KEY_LEN])))
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

/// A string of a document: wiped on drop, not shown by `Debug`. Those of one plaintext file that was read are wiped together, with the last of them.
///
/// ```
/// let text = sopskit::Text::from("hunter2");
/// assert_eq!(text.as_str(), "hunter2");
/// assert_eq!(format!("{text:?}"), "Text(…)");
/// ```
pub struct Text(Kept);

enum Kept {
    Secret(String),
    /// A part of a plaintext file that was read: wiped with the whole file. A copy is a secret of its own, so that it does not keep the rest in memory.
    Part(Shared),
    /// What stands in an encrypted file as it is: wiped with the whole file.
    Public(Shared),
}

impl Text {
    /// The text of an encrypted file. It is wiped when nothing of the file is left.
    pub(crate) fn public(text: impl Into<Shared>) -> Self {
        Text(Kept::Public(text.into()))
    }

    /// A part of a plaintext file, wiped when nothing of the file is left.
    pub(crate) fn part(text: Shared) -> Self {
        Text(Kept::Part(text))
    }

    /// The string itself.
    #[inline]
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Kept::Secret(text) => text,
            Kept::Part(text) | Kept::Public(text) => text,
        }
    }
}

impl Clone for Text {
    fn clone(&self) -> Self {
        match &self.0 {
            Kept::Public(text) => Text::public(text.clone()),
            _ => Text::from(self.as_str()),
        }
    }
}

impl Drop for Text {
    fn drop(&mut self) {
        if let Kept::Secret(text) = &mut self.0 {
            wipe_text(text);
        }
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Text {}

impl From<String> for Text {
    /// Takes the string over without a copy.
    fn from(text: String) -> Self {
        Text(Kept::Secret(text))
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

/// A text, or a part of one: copies and parts share the memory. It is wiped with the last of them.
#[derive(Clone)]
pub(crate) struct Shared {
    text: Arc<Whole>,
    start: u32,
    length: u32,
}

/// A text whose parts are shared.
struct Whole(String);

impl Drop for Whole {
    fn drop(&mut self) {
        wipe_text(&mut self.0);
    }
}

fn wipe_text(text: &mut String) {
    wiped::wipe(&mut std::mem::take(text).into_bytes());
}

impl Shared {
    /// A part of this one, which begins at byte `start`. `None` where 32 bits do not reach.
    pub(crate) fn part(&self, start: usize, length: usize) -> Option<Self> {
        let start = u32::try_from(start).ok()?.checked_add(self.start)?;
        // The largest length stands for the whole text.
        let length = u32::try_from(length).ok().filter(|length| *length != u32::MAX)?;
        Some(Shared { text: Arc::clone(&self.text), start, length })
    }

    /// Whether this is the text `other`: in few instructions, as most that are asked for a key have another length.
    #[inline]
    pub(crate) fn is(&self, other: &str) -> bool {
        if self.length as usize != other.len() {
            return false;
        }
        let start = self.start as usize;
        let bytes = &self.text.0.as_bytes()[start..start + other.len()];
        // Keys of one object often have a beginning in common, and seldom an end.
        bytes.last() == other.as_bytes().last() && bytes == other.as_bytes()
    }
}

impl From<Zeroizing<String>> for Shared {
    fn from(mut text: Zeroizing<String>) -> Self {
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        Shared { text: Arc::new(Whole(std::mem::take(&mut *text))), start: 0, length }
    }
}

impl From<&str> for Shared {
    fn from(text: &str) -> Self {
        Shared::from(Zeroizing::new(text.to_owned()))
    }
}

impl Deref for Shared {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        let start = self.start as usize;
        match self.length {
            // As long as can be: the whole text, however long it is.
            u32::MAX => &self.text.0[start..],
            length => &self.text.0[start..start + length as usize],
        }
    }
}

impl PartialEq for Shared {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Shared {}

impl Hash for Shared {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl Borrow<str> for Shared {
    fn borrow(&self) -> &str {
        self
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
pub struct Bytes(Wiped);

impl Bytes {
    /// The bytes themselves.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The same memory as text; the bytes back when they are none.
    pub(crate) fn into_text(mut self) -> Result<Zeroizing<String>, Self> {
        match String::from_utf8(std::mem::take(&mut *self.0)) {
            Ok(text) => Ok(Zeroizing::new(text)),
            Err(error) => Err(Bytes::from(error.into_bytes())),
        }
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
    fn from(mut bytes: Zeroizing<Vec<u8>>) -> Self {
        Bytes::from(std::mem::take(&mut *bytes))
    }
}

impl From<Wiped> for Bytes {
    fn from(bytes: Wiped) -> Self {
        Bytes(bytes)
    }
}

impl From<Vec<u8>> for Bytes {
    /// Takes the bytes over without a copy.
    fn from(bytes: Vec<u8>) -> Self {
        Bytes(Wiped::from(bytes))
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bytes(…)")
    }
}
