//! The plaintext of a file: read, changed and encrypted again.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{EncryptOptions, EncryptedDocument};
use crate::cipher::{Cipher, Nonces, TooLong};
use crate::error::{Error, ErrorKind, Result};
use crate::format::{Format, Indent};
use crate::keys::{KeyService, NoService, Recipients};
use crate::leaf::{self, LeafType};
use crate::mac::Mac;
use crate::metadata::{Metadata, SOPS};
use crate::path::{KeyPath, Segment};
use crate::secret::{Bytes, DataKey, Text, on_wiped_stack};
use crate::tree::nodes::Leaf;
use crate::tree::{self, Difference, Map, Value};
use crate::walk::map_leaves;

/// The plaintext of a file, with what is needed to encrypt it again. Wiped on drop; `Debug` shows keys and types only.
///
/// ```
/// use sopskit::{EncryptedDocument, Identities};
///
/// let identities = Identities::from_file("fixtures/keys/alice.txt")?;
/// let sealed = EncryptedDocument::parse(&std::fs::read("fixtures/3.11.0/token-like/sealed.json")?)?;
/// let mut document = sealed.decrypt(&identities)?;
/// document.set(r#"["scope"]"#, "read write")?;
/// let text = document.encrypt()?.to_string();
/// # assert_eq!(EncryptedDocument::parse(text.as_bytes())?.decrypt(&identities)?.get("[\"scope\"]")?.as_str(), Some("read write"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Document {
    pub(super) tree: Map,
    /// The encrypted tree this document came from, changed along with it: a leaf stands here as long as the value at its position
    /// is still the one it opens to.
    pub(super) sealed: Arc<Map>,
    /// Whether `sealed` is under `data_key`, so that its leaves can be written again as they are.
    pub(super) sealed_under_data_key: bool,
    pub(super) data_key: DataKey,
    pub(super) metadata: Metadata,
    pub(super) indent: Indent,
    /// Whether a call has changed anything since the document was read.
    pub(super) changed: bool,
}

impl Document {
    /// A new document, with the defaults of sops and a new data key that is wrapped for each recipient.
    ///
    /// # Errors
    /// As [`with_options`](Self::with_options).
    pub fn new(tree: Map, recipients: &Recipients) -> Result<Self> {
        Document::with_options(tree, recipients, &EncryptOptions::new())
    }

    /// A new document with a new data key that is wrapped for each recipient.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyEncrypted`] when the tree has a top-level key `sops`; [`ErrorKind::TooDeep`], [`ErrorKind::NumberOutOfRange`] for a
    /// value that no file could hold; [`ErrorKind::InvalidMetadata`] for a rule whose text is empty; [`ErrorKind::CannotWrap`] for a master
    /// key that is not of age.
    pub fn with_options(tree: Map, recipients: &Recipients, options: &EncryptOptions) -> Result<Self> {
        Document::with_key_service(tree, recipients, options, &NoService)
    }

    /// As [`with_options`](Self::with_options), with a key service that wraps for master keys that are not of age.
    ///
    /// # Errors
    /// As [`with_options`](Self::with_options), and [`ErrorKind::CannotWrap`] when the service fails.
    pub fn with_key_service(
        tree: Map,
        recipients: &Recipients,
        options: &EncryptOptions,
        service: &dyn KeyService,
    ) -> Result<Self> {
        if tree.contains_key(SOPS) {
            return Err(Error::new(ErrorKind::AlreadyEncrypted));
        }
        tree::edit::check(&tree)?;
        let (data_key, metadata) = options.begin(recipients, service)?;
        Ok(Document {
            tree,
            sealed: Arc::default(),
            sealed_under_data_key: true,
            data_key,
            metadata,
            indent: options.indent,
            changed: true,
        })
    }

    /// A new document from any type that serde can write as an object. The plaintext goes into wiped memory only.
    ///
    /// # Errors
    /// [`ErrorKind::NotAnObject`] when `value` is written as anything else; [`ErrorKind::NumberNotExact`] and
    /// [`ErrorKind::NumberOutOfRange`] for integers outside 64 bits, NaN and infinities; and as [`with_options`](Self::with_options).
    pub fn from_serialize<T: Serialize + ?Sized>(value: &T, recipients: &Recipients) -> Result<Self> {
        match on_wiped_stack(|| tree::to_value(value))? {
            Value::Object(tree) => Document::new(tree, recipients),
            _ => Err(Error::new(ErrorKind::NotAnObject)),
        }
    }

    /// What the file says of itself.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The plaintext.
    #[must_use]
    pub fn tree(&self) -> &Map {
        &self.tree
    }

    /// The plaintext as any type that serde can read.
    ///
    /// # Errors
    /// [`ErrorKind::TypeMismatch`] with the key path, never with the value.
    pub fn deserialize<T: DeserializeOwned>(&self) -> Result<T> {
        on_wiped_stack(|| tree::from_map(&self.tree))
    }

    /// The plaintext as a file of this format, byte for byte what `sops decrypt` prints. JSON is indented by tabs; [`Format::write`] has a choice.
    ///
    /// # Errors
    /// [`ErrorKind::NotRepresentable`], with the key path: bytes that are not UTF-8 in JSON, anything but one leaf `data` as binary.
    pub fn to_bytes(&self, format: Format) -> Result<Bytes> {
        format.write(&self.tree, Indent::Tab)
    }

    /// The value at a key path. Comments in arrays, which only sops itself writes, do not count.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidPath`] when the path does not parse, [`ErrorKind::PathNotFound`] when there is nothing there.
    pub fn get<P>(&self, path: P) -> Result<&Value>
    where
        P: TryInto<KeyPath>,
        Error: From<P::Error>,
    {
        let path = path.try_into()?;
        let found = match path.segments().split_first() {
            Some((Segment::Key(key), rest)) => {
                tree::edit::get(&self.tree, key, &tree::edit::path_in_memory(&self.tree, key, rest))
            }
            _ => None,
        };
        found.ok_or_else(|| Error::new(ErrorKind::PathNotFound).under_path(&path))
    }

    /// Sets the value at a key path; says whether that changed anything.
    ///
    /// Objects that are missing on the way are made, and an index equal to the length of an array appends to it. All other leaves
    /// keep their exact text in the file.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidPath`] for a path that does not parse or names the root or the top-level key `sops`;
    /// [`ErrorKind::PathNotFound`] for an index beyond the end, or where a value other than `null` stands in the way of a key or an index;
    /// [`ErrorKind::TooDeep`], [`ErrorKind::NumberOutOfRange`] for a value that no file could hold. Nothing is changed then.
    pub fn set<P>(&mut self, path: P, value: impl Into<Value>) -> Result<bool>
    where
        P: TryInto<KeyPath>,
        Error: From<P::Error>,
    {
        let path = path.try_into()?;
        let value = value.into();
        let (key, rest) = below_root(&path)?;
        let rest = &tree::edit::path_in_memory(&self.tree, key, rest);
        if tree::edit::get(&self.tree, key, rest) == Some(&value) {
            return Ok(false);
        }
        let mut old = tree::edit::set(&mut self.tree, key, rest, value).map_err(|error| error.under_path(&path))?;
        let new = tree::edit::get(&self.tree, key, rest).unwrap_or(&Value::Null);
        tree::edit::forget(Arc::make_mut(&mut self.sealed), key, rest, &old, new);
        tree::edit::wipe_number(&mut old);
        self.changed = true;
        Ok(true)
    }

    /// Removes the value at a key path, and its key or its place in an array.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidPath`] for a path that does not parse or names the root, [`ErrorKind::PathNotFound`] when there is nothing there.
    pub fn unset<P>(&mut self, path: P) -> Result<()>
    where
        P: TryInto<KeyPath>,
        Error: From<P::Error>,
    {
        let path = path.try_into()?;
        let (key, rest) = below_root(&path)?;
        let rest = &tree::edit::path_in_memory(&self.tree, key, rest);
        if !tree::edit::unset(&mut self.tree, key, rest) {
            return Err(Error::new(ErrorKind::PathNotFound).under_path(&path));
        }
        tree::edit::unset(Arc::make_mut(&mut self.sealed), key, rest);
        self.changed = true;
        Ok(())
    }

    /// Replaces the whole plaintext, as an editor does. Leaves whose value is the same at the same position keep their text; so do the items of
    /// an array in front of those that changed and behind them. Comments in arrays, which no plaintext shows, stay at their index.
    ///
    /// ```
    /// use sopskit::{Document, Format, Map, Recipients};
    ///
    /// let recipients = Recipients::parse("age1w7873r7u6vgwnvm3rx5jmsc2eeahce2wce5w94d04r5qu0y6nyysemjf6a")?;
    /// let mut document = Document::new(Map::from_iter([("a", "x".into()), ("b", "y".into())]), &recipients)?;
    /// document.set_tree(Format::Json.parse(br#"{"b": "y", "c": 1}"#)?)?;
    /// assert_eq!(document.tree().keys().collect::<Vec<_>>(), ["b", "c"]);
    /// # Ok::<(), sopskit::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyEncrypted`] when the tree has a top-level key `sops`; [`ErrorKind::TooDeep`], [`ErrorKind::NumberOutOfRange`] for a
    /// value that no file could hold. Nothing is changed then.
    pub fn set_tree(&mut self, mut tree: Map) -> Result<()> {
        if tree.contains_key(SOPS) {
            return Err(Error::new(ErrorKind::AlreadyEncrypted));
        }
        tree::edit::check(&tree)?;
        tree::edit::carry_comments(&self.tree, &mut tree);
        tree::edit::forget_changed_members(Arc::make_mut(&mut self.sealed), &self.tree, &tree);
        self.tree = tree;
        self.changed = true;
        Ok(())
    }

    /// Where another document differs from this one, in the order of this one.
    ///
    /// ```
    /// use sopskit::{Difference, Document, Format, Recipients};
    ///
    /// let recipients = Recipients::parse("age1w7873r7u6vgwnvm3rx5jmsc2eeahce2wce5w94d04r5qu0y6nyysemjf6a")?;
    /// let old = Document::new(Format::Json.parse(br#"{"a": "x", "b": [1]}"#)?, &recipients)?;
    /// let new = Document::new(Format::Json.parse(br#"{"a": "y", "b": [1, 2]}"#)?, &recipients)?;
    /// let paths: Vec<_> = old.differences(&new).iter().map(|difference| difference.path().to_string()).collect();
    /// assert_eq!(paths, [r#"["a"]"#, r#"["b"][1]"#]);
    /// # Ok::<(), sopskit::Error>(())
    /// ```
    #[must_use]
    pub fn differences(&self, other: &Document) -> Vec<Difference> {
        tree::differences(&self.tree, &other.tree)
    }

    /// The document as variables of an environment, as `sops exec-env` gives them to a program: keys and values of the top level. A number is spelled
    /// as in JSON; `null` is an empty string.
    ///
    /// # Errors
    /// [`ErrorKind::NotRepresentable`], with the key path, for objects, arrays and bytes, and for keys that are empty or hold `=` or a NUL, values that hold a
    /// NUL.
    pub fn environment(&self) -> Result<Vec<(String, Text)>> {
        let refuse = |key: &str, why: &str| {
            Err(Error::with_detail(ErrorKind::NotRepresentable, format!("{why} in a variable")).under_key(key))
        };
        let mut variables = Vec::new();
        for (key, value) in self.tree.iter() {
            if key.is_empty() || key.contains(['=', '\0']) {
                return refuse(key, "such a name cannot be");
            }
            let text = match value {
                Value::Text(text) => text.clone(),
                Value::Null => Text::from(""),
                Value::Bool(_) | Value::Int(_) | Value::Float(_) => {
                    let bytes = Format::Json.write_value(value, Indent::Tab)?;
                    Text::from(String::from_utf8_lossy(&bytes).into_owned())
                }
                other => return refuse(key, &format!("{} cannot be", other.type_name())),
            };
            if text.as_str().contains('\0') {
                return refuse(key, "a NUL cannot be");
            }
            variables.push((key.to_owned(), text));
        }
        Ok(variables)
    }

    /// Any bytes as a binary file under the data key of this document, which opens for whoever opens this one: encrypted, whatever the rule of this one.
    ///
    /// # Errors
    /// [`ErrorKind::NotRepresentable`] for more bytes than the cipher takes.
    pub fn encrypt_binary(&self, bytes: &[u8]) -> Result<EncryptedDocument> {
        let document = Document {
            tree: Format::Binary.parse(bytes)?,
            sealed: Arc::default(),
            sealed_under_data_key: true,
            data_key: self.data_key.clone(),
            metadata: self.metadata.with_settings(&Map::new())?,
            indent: self.indent,
            changed: true,
        };
        document.encrypt()
    }

    /// Makes [`edit_file`](crate::edit_file) write the file even when nothing in it changes, with a new MAC and time, as `sops set` does.
    pub fn touch(&mut self) {
        self.changed = true;
    }

    /// Whether a call has changed the document since it was read. A new document is changed.
    #[must_use]
    pub fn is_changed(&self) -> bool {
        self.changed
    }

    /// Encrypts the document: leaves that did not change keep their text, all others get a fresh nonce; the MAC and the time of the last change are new.
    ///
    /// # Errors
    /// [`ErrorKind::NotRepresentable`] and [`ErrorKind::NumberOutOfRange`], with the key path, for bytes and floats that cannot stand in a file.
    pub fn encrypt(&self) -> Result<EncryptedDocument> {
        on_wiped_stack(|| self.seal())
    }

    fn seal(&self) -> Result<EncryptedDocument> {
        let cipher = Cipher::new(&self.data_key);
        let mut nonces = Nonces::new();
        let mut metadata = self.metadata.clone();
        metadata.touch();
        let mut mac = Mac::new(metadata.mac_only_encrypted());
        let tree = map_leaves(&self.tree, Some(&self.sealed), metadata.rule(), &mut |visit| {
            mac.add(visit.leaf.into(), visit.selected);
            if !visit.selected {
                return in_clear(visit.leaf);
            }
            let Some((plain, kind)) = leaf::plain_bytes(visit.leaf) else { return Ok(Value::Null) };
            let kind = match kept(visit.companion, kind, self.sealed_under_data_key) {
                Kept::Text(sealed) => return Ok(public(sealed)),
                Kept::Type(kind) => kind,
            };
            if plain.is_empty() {
                return Ok(Value::from(""));
            }
            seal(&cipher, &mut nonces, &plain, visit.additional_data, kind).map(|text| public(&text))
        })?;
        let sealed_mac =
            seal(&cipher, &mut nonces, mac.finish().as_bytes(), &metadata.mac_additional_data(), LeafType::Str)?;
        metadata.set_mac(sealed_mac);
        Ok(EncryptedDocument { content: tree.into(), metadata, indent: self.indent })
    }
}

/// The top-level key and the rest of a path that is to be changed.
fn below_root(path: &KeyPath) -> Result<(&str, &[Segment])> {
    match path.segments().split_first() {
        Some((Segment::Key(key), _)) if key == SOPS => {
            Err(Error::with_detail(ErrorKind::InvalidPath, "the top-level key \"sops\" is that of the metadata"))
        }
        Some((Segment::Key(key), rest)) => Ok((key, rest)),
        _ => Err(Error::with_detail(ErrorKind::InvalidPath, "it must begin with a key")),
    }
}

/// A leaf that the rule does not select: written as it is, if JSON can hold it.
fn in_clear(value: &Value) -> Result<Value> {
    check_in_clear(value.into())?;
    Ok(value.clone())
}

pub(super) fn check_in_clear(leaf: Leaf<'_>) -> Result<()> {
    match leaf {
        Leaf::Other(value @ (Value::Bytes(_) | Value::Comment(_))) => {
            let detail = format!("{} in clear", value.type_name());
            Err(Error::with_detail(ErrorKind::NotRepresentable, detail))
        }
        _ => Ok(()),
    }
}

/// What a leaf keeps of the one that stood at its position, if its value did not change.
pub(super) enum Kept<'a> {
    Text(&'a str),
    /// Under another data key, its type.
    Type(LeafType),
}

pub(super) fn kept(companion: Option<&Value>, kind: LeafType, sealed_under_data_key: bool) -> Kept<'_> {
    match companion.and_then(Value::as_str).filter(|sealed| !sealed.is_empty()) {
        Some(sealed) if sealed_under_data_key => Kept::Text(sealed),
        Some(sealed) => Kept::Type(leaf::kept_type(kind, sealed)),
        None => Kept::Type(kind),
    }
}

pub(super) fn too_long(_: TooLong) -> Error {
    Error::with_detail(ErrorKind::NotRepresentable, "the value is too long to be encrypted")
}

/// The text of an encrypted leaf.
fn public(sealed: &str) -> Value {
    Value::Text(Text::public(sealed))
}

pub(super) fn seal(
    cipher: &Cipher,
    nonces: &mut Nonces,
    plain: &[u8],
    additional_data: &str,
    kind: LeafType,
) -> Result<String> {
    let iv = nonces.next();
    let mut buffer = plain.to_vec();
    let tag = cipher.seal(&mut buffer, &iv, additional_data.as_bytes()).map_err(too_long)?;
    Ok(leaf::text(&buffer, &iv, &tag, kind))
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document").field("tree", &self.tree).field("metadata", &self.metadata).finish()
    }
}
