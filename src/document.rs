//! A SOPS file in its two states: [`EncryptedDocument`], readable without a key, and [`Document`], which exists only after its MAC has
//! been verified (or after a call that says in its name that it was not).

mod content;
mod inspect;
mod leaves;
mod limits;
mod master_keys;
mod merge;
mod options;
#[cfg(feature = "parallel")]
mod parallel;
mod plain;
mod stream;

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::cipher::Cipher;
use crate::error::{Error, ErrorKind, Result};
use crate::format::{Indent, json};
use crate::keys::{self, KeyService};
use crate::leaf::{self, Leaf, LeafType};
use crate::mac::Mac;
use crate::metadata::{Metadata, SOPS};
use crate::secret::{Bytes, DataKey, Shared, on_wiped_stack};
use crate::tree::nodes::{Beside, Members, Node, Tree};
use crate::tree::{Map, Value};
use crate::walk::{Visit, map_leaves};

use content::Content;
pub use inspect::Inspection;
pub use limits::Limits;
pub use master_keys::KeyChanges;
pub use options::EncryptOptions;
pub use plain::Document;

/// An encrypted file as it was read or is to be written.
///
/// Keys, values in clear and the metadata are readable without a key, and **not to be trusted**: only [`decrypt`](Self::decrypt) verifies them.
/// `Display` (and so `to_string`) gives the text of the file, spelled as sops spells it.
///
/// ```
/// use sopskit::EncryptedDocument;
///
/// let sealed = EncryptedDocument::parse(&std::fs::read("fixtures/3.11.0/token-like/sealed.json")?)?;
/// assert_eq!(sealed.metadata().version(), "3.11.0");
/// assert_eq!(sealed.metadata().recipients().count(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct EncryptedDocument {
    content: Content,
    metadata: Metadata,
    indent: Indent,
}

impl EncryptedDocument {
    /// Reads an encrypted file, binary ones included: their encrypted form is JSON too.
    ///
    /// # Errors
    /// Those of the JSON itself ([`ErrorKind::Syntax`], [`ErrorKind::DuplicateKey`] and others, with position and key path),
    /// [`ErrorKind::NoMetadata`], [`ErrorKind::InvalidMetadata`], [`ErrorKind::ConflictingRules`], [`ErrorKind::InvalidRegex`],
    /// [`ErrorKind::TooLarge`] for more than the default [`Limits`].
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        EncryptedDocument::parse_with_limits(bytes, &Limits::new())
    }

    /// As [`parse`](Self::parse), with limits of your own.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn parse_with_limits(bytes: &[u8], limits: &Limits) -> Result<Self> {
        limits.check_length(bytes)?;
        EncryptedDocument::of(json::Sealed::read(bytes, leaf::opened_length)?, Indent::of(bytes), limits)
    }

    /// As [`parse`](Self::parse), of bytes that are not needed any more: they become the memory of the document, without a copy. For large files that
    /// [`read_file`](crate::read_file) has read.
    ///
    /// ```
    /// use sopskit::EncryptedDocument;
    ///
    /// let sealed = EncryptedDocument::from_bytes(sopskit::read_file("fixtures/3.11.0/token-like/sealed.json")?)?;
    /// assert_eq!(sealed.metadata().version(), "3.11.0");
    /// # Ok::<(), sopskit::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn from_bytes(bytes: Bytes) -> Result<Self> {
        EncryptedDocument::from_bytes_with_limits(bytes, &Limits::new())
    }

    /// As [`from_bytes`](Self::from_bytes), with limits of your own.
    ///
    /// ```
    /// use sopskit::{EncryptedDocument, ErrorKind, Limits};
    ///
    /// let bytes = sopskit::read_file("fixtures/3.11.0/token-like/sealed.json")?;
    /// let error = EncryptedDocument::from_bytes_with_limits(bytes, &Limits::new().bytes(100)).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::TooLarge);
    /// # Ok::<(), sopskit::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn from_bytes_with_limits(bytes: Bytes, limits: &Limits) -> Result<Self> {
        limits.check_length(&bytes)?;
        let indent = Indent::of(&bytes);
        EncryptedDocument::of(json::Sealed::take(bytes, leaf::opened_length)?, indent, limits)
    }

    fn of(read: json::Sealed, indent: Indent, limits: &Limits) -> Result<Self> {
        let metadata = match read.place(SOPS).map(Tree::node) {
            None => return Err(Error::new(ErrorKind::NoMetadata)),
            // Counted before anything is made of it.
            Some(Node::Object(fields)) => limits
                .check_metadata::<json::Read<'_>>(fields.clone())
                .and_then(|()| Metadata::parse(read.plant(fields))),
            Some(_) => Err(Error::with_detail(ErrorKind::InvalidMetadata, "expected an object")),
        };
        let metadata = metadata.map_err(|error| error.under_key(SOPS))?;
        Ok(EncryptedDocument { content: Content::from(read), metadata, indent })
    }

    /// What the file says of itself.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Whether the file has a MAC. Only [`decrypt`](Self::decrypt) tells whether it fits.
    #[must_use]
    pub fn has_mac(&self) -> bool {
        self.metadata.mac().is_some()
    }

    /// The tree as it stands in the file: encrypted leaves are strings that begin with `ENC[`.
    #[must_use]
    pub fn tree(&self) -> &Map {
        self.content.tree()
    }

    /// Whether there is a member of this name at the top level.
    #[cfg(feature = "tokens")]
    pub(crate) fn has(&self, key: &str) -> bool {
        match self.content.read() {
            Some(read) => read.members(SOPS).any(|(known, _)| known == key),
            None => self.tree().contains_key(key),
        }
    }

    /// Opens the file with the [`Identities`](crate::Identities) or another [`KeyService`], and verifies its MAC.
    ///
    /// That tells that the values belong together. It does not tell who made the file: anybody can make one for public recipients.
    ///
    /// # Errors
    /// [`ErrorKind::NoMatchingIdentity`] when no identity fits; an error of which [`Error::is_tampered`] holds, with the key path of the leaf where
    /// one leaf is at fault, when the content was changed without the data key; [`ErrorKind::MacMissing`],
    /// [`ErrorKind::MacNotAuthentic`] and [`ErrorKind::MacMismatch`] for the MAC itself.
    pub fn decrypt(&self, keys: &dyn KeyService) -> Result<Document> {
        on_wiped_stack(|| {
            let data_key = keys::unwrap(&self.metadata, keys)?;
            let tree = self.open_verified(&data_key)?;
            Ok(self.document(tree, data_key))
        })
    }

    /// Opens the file **without** a look at its MAC.
    ///
    /// Each encrypted leaf is still authentic by itself; but leaves can have been removed, put back to an older value or, within one array,
    /// swapped, and everything in clear can have been changed. For repair and inspection: encrypted again, the document gets a MAC that fits.
    ///
    /// # Errors
    /// As [`decrypt`](Self::decrypt), without the three of the MAC.
    pub fn decrypt_ignoring_mac(&self, keys: &dyn KeyService) -> Result<Document> {
        on_wiped_stack(|| {
            let data_key = keys::unwrap(&self.metadata, keys)?;
            let (tree, _) = self.open_tree(&Cipher::new(&data_key))?;
            Ok(self.document(tree, data_key))
        })
    }

    /// The plaintext of a file that is not needed any more. The caller wipes the stack.
    ///
    /// # Errors
    /// As [`decrypt`](Self::decrypt).
    #[cfg(feature = "tokens")]
    pub(crate) fn decrypt_tree(self, keys: &dyn KeyService) -> Result<Map> {
        self.open_verified(&keys::unwrap(&self.metadata, keys)?)
    }

    /// The text of the file, without the copy that `to_string` makes of it.
    pub(crate) fn to_text(&self) -> Result<Zeroizing<String>> {
        let fields = self.metadata.fields();
        match self.content.read() {
            Some(read) => json::write::sealed::<json::Read<'_>>(read.members(SOPS), SOPS, fields, self.indent),
            None => json::write::sealed::<Beside<'_>>(Members::of(self.tree(), None), SOPS, fields, self.indent),
        }
    }

    /// The text that was read, if the document was.
    pub(crate) fn text_read(&self) -> Option<Shared> {
        self.content.read().map(json::Sealed::text)
    }

    fn open_verified(&self, data_key: &DataKey) -> Result<Map> {
        let cipher = Cipher::new(data_key);
        let (tree, mac) = self.open_tree(&cipher)?;
        check_mac(&self.metadata, &cipher, mac)?;
        Ok(tree)
    }

    fn open_tree(&self, cipher: &Cipher) -> Result<(Map, Mac)> {
        let mut mac = Mac::new(self.metadata.mac_only_encrypted());
        let tree = map_leaves(self.tree(), None, self.metadata.rule(), &mut |visit| {
            let value = open_leaf(cipher, &visit)?;
            mac.add((&value).into(), visit.selected);
            Ok(value)
        })?;
        Ok((tree, mac))
    }

    fn document(&self, tree: Map, data_key: DataKey) -> Document {
        Document {
            tree,
            sealed: Arc::clone(self.content.tree()),
            sealed_under_data_key: true,
            data_key,
            metadata: self.metadata.clone(),
            indent: self.indent,
            changed: false,
        }
    }
}

fn open_leaf(cipher: &Cipher, visit: &Visit<'_, &Value>) -> Result<Value> {
    match visit.leaf {
        leaf if !visit.selected => Ok(leaf.clone()),
        Value::Text(text) if text.as_str().is_empty() => Ok(visit.leaf.clone()),
        Value::Text(text) => open_value(cipher, &Leaf::parse(text.as_str())?, visit.additional_data),
        other => Err(not_encrypted(other)),
    }
}

/// What a leaf opens to, in memory of its own.
fn open_value(cipher: &Cipher, leaf: &Leaf<'_>, additional_data: &str) -> Result<Value> {
    let mut buffer = Zeroizing::new(leaf.ciphertext()?);
    open_buffer(cipher, leaf, &mut buffer, additional_data)?;
    leaf::value(std::mem::take(&mut *buffer), leaf.kind)
}

/// Opens a leaf where its ciphertext lies.
fn open_buffer(cipher: &Cipher, leaf: &Leaf<'_>, buffer: &mut [u8], additional_data: &str) -> Result<()> {
    let opened = cipher.open(buffer, leaf.iv(), leaf.tag(), additional_data.as_bytes());
    opened.map_err(|_| Error::new(ErrorKind::LeafNotAuthentic))
}

fn not_encrypted(value: &Value) -> Error {
    Error::with_detail(ErrorKind::NotEncrypted, format!("it is {} in clear", value.type_name()))
}

/// Holds the MAC of what was read against the one that the file has.
///
/// # Errors
/// [`ErrorKind::MacMissing`], [`ErrorKind::MacNotAuthentic`], [`ErrorKind::MacMismatch`].
fn check_mac(metadata: &Metadata, cipher: &Cipher, mac: Mac) -> Result<()> {
    let sealed = metadata.mac().ok_or_else(|| Error::new(ErrorKind::MacMissing))?;
    let expected = open_mac(sealed, cipher, &metadata.mac_additional_data())
        .map_err(|_| Error::new(ErrorKind::MacNotAuthentic).under_key("mac").under_key(SOPS))?;
    if mac.verify(&expected) { Ok(()) } else { Err(Error::new(ErrorKind::MacMismatch)) }
}

/// The MAC that a file holds, in hex.
fn open_mac(sealed: &str, cipher: &Cipher, additional_data: &str) -> Result<Zeroizing<Vec<u8>>> {
    let leaf = Leaf::parse(sealed)?;
    let mut buffer = Zeroizing::new(leaf.ciphertext()?);
    let opened = cipher.open(&mut buffer, leaf.iv(), leaf.tag(), additional_data.as_bytes());
    // The type is not authenticated; a MAC is a string and nothing else.
    if opened.is_err() || leaf.kind != LeafType::Str {
        return Err(Error::new(ErrorKind::MacNotAuthentic));
    }
    Ok(buffer)
}

impl fmt::Display for EncryptedDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text().map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for EncryptedDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EncryptedDocument").field("tree", self.tree()).field("metadata", &self.metadata).finish()
    }
}
