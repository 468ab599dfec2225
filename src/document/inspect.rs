//! What can be said of an encrypted file without a key: what is in it, and what is wrong with its form.

use std::collections::BTreeMap;

use super::EncryptedDocument;
use crate::error::{Error, ErrorKind};
use crate::keys;
use crate::leaf::{self, Leaf, LeafType};
use crate::metadata::{MasterKey, Metadata, SOPS};
use crate::path::{KeyPath, Segment};
use crate::rules::Rule;
use crate::tree::{Map, Value};
use crate::walk::{MAX_PATH, too_long};

/// What can be said of an encrypted file without a key. By [`EncryptedDocument::inspect`].
///
/// Nothing of it is verified: the MAC needs a key.
#[derive(Debug)]
pub struct Inspection {
    encrypted: BTreeMap<&'static str, usize>,
    in_clear: BTreeMap<&'static str, usize>,
    empty: usize,
    null: usize,
    faults: Vec<Error>,
}

impl Inspection {
    /// How many encrypted leaves there are of each type, by the name of the type: `str`, `int`, `float`, `bool`, `bytes`, `time`, `comment`.
    pub fn encrypted(&self) -> impl Iterator<Item = (&'static str, usize)> {
        self.encrypted.iter().map(|(name, count)| (*name, *count))
    }

    /// How many leaves there are in clear that the rule does not select, of each of the types `str`, `int`, `float` and `bool`.
    pub fn in_clear(&self) -> impl Iterator<Item = (&'static str, usize)> {
        self.in_clear.iter().map(|(name, count)| (*name, *count))
    }

    /// How many strings are empty. They are never encrypted.
    #[must_use]
    pub fn empty(&self) -> usize {
        self.empty
    }

    /// How many values are `null`. They are never encrypted.
    #[must_use]
    pub fn null(&self) -> usize {
        self.null
    }

    /// What is wrong: leaves that the rule selects and that are in clear or malformed, a missing or malformed MAC, master keys that wrap nothing. At
    /// most 1,000.
    #[must_use]
    pub fn faults(&self) -> &[Error] {
        &self.faults
    }
}

/// How many faults are listed.
const MAX_FAULTS: usize = 1000;

impl EncryptedDocument {
    /// Looks at the form of the file, without a key: what leaves there are, and all that is wrong with them and with the metadata.
    ///
    /// ```
    /// use sopskit::{EncryptedDocument, ErrorKind};
    ///
    /// let text = std::fs::read_to_string("fixtures/3.13.2/token-like/sealed.json")?;
    /// assert!(EncryptedDocument::parse(text.as_bytes())?.inspect().faults().is_empty());
    ///
    /// let edited = text.replacen('{', r#"{"added": "by hand","#, 1);
    /// let inspection = EncryptedDocument::parse(edited.as_bytes())?.inspect();
    /// let fault = &inspection.faults()[0];
    /// assert_eq!((fault.kind(), fault.path().to_string().as_str()), (ErrorKind::NotEncrypted, r#"["added"]"#));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn inspect(&self) -> Inspection {
        let inspection = Inspection {
            encrypted: BTreeMap::new(),
            in_clear: BTreeMap::new(),
            empty: 0,
            null: 0,
            faults: metadata_faults(&self.metadata),
        };
        let mut walk = Walk { rule: self.metadata.rule(), path: Vec::new(), length: 0, inspection };
        walk.object(self.tree(), false);
        walk.inspection
    }
}

/// A walk over the leaves that does not end at the first fault.
struct Walk<'a> {
    rule: &'a Rule,
    path: Vec<Segment>,
    /// How long the keys of the path are together.
    length: usize,
    inspection: Inspection,
}

impl Walk<'_> {
    fn object(&mut self, map: &Map, matched: bool) {
        for (key, value) in map.iter() {
            self.length += key.len() + 1;
            if self.length > MAX_PATH {
                // Told at the object, and nothing below it is looked at: it cannot be decrypted here. (sops has no such limit.)
                self.fault(too_long());
            } else {
                self.path.push(Segment::Key(key.to_owned()));
                self.value(value, matched || self.rule.matches(key));
                self.path.pop();
            }
            self.length -= key.len() + 1;
        }
    }

    fn value(&mut self, value: &Value, matched: bool) {
        let selected = self.rule.selects(matched);
        match value {
            Value::Object(map) => self.object(map, matched),
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.path.push(Segment::Index(index));
                    self.value(item, matched);
                    self.path.pop();
                }
            }
            Value::Null => self.inspection.null += 1,
            Value::Text(text) if text.as_str().is_empty() => self.inspection.empty += 1,
            Value::Text(text) if selected => self.sealed(text.as_str()),
            value if selected => {
                self.fault(Error::with_detail(
                    ErrorKind::NotEncrypted,
                    format!("it is {} in clear", value.type_name()),
                ));
            }
            value => self.clear(value),
        }
    }

    /// A string that must be an encrypted leaf.
    fn sealed(&mut self, text: &str) {
        match Leaf::parse(text).and_then(|leaf| leaf.ciphertext().map(|_| leaf)) {
            Ok(leaf) => *self.inspection.encrypted.entry(leaf.kind.name()).or_default() += 1,
            Err(_) if !leaf::looks_sealed(text) => {
                self.fault(Error::with_detail(ErrorKind::NotEncrypted, "it is a string in clear"));
            }
            Err(error) => self.fault(error),
        }
    }

    fn clear(&mut self, value: &Value) {
        let name = match value {
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Float(_) => "float",
            _ => "str",
        };
        *self.inspection.in_clear.entry(name).or_default() += 1;
    }

    fn fault(&mut self, error: Error) {
        if self.inspection.faults.len() < MAX_FAULTS {
            let path: KeyPath = self.path.iter().cloned().collect();
            self.inspection.faults.push(error.under_path(&path));
        }
    }
}

fn metadata_faults(metadata: &Metadata) -> Vec<Error> {
    let mut faults = Vec::new();
    let mac = match metadata.mac() {
        None => Err(Error::new(ErrorKind::MacMissing)),
        Some(mac) => match Leaf::parse(mac) {
            Ok(leaf) if leaf.kind == LeafType::Str && leaf.ciphertext().is_ok() => Ok(()),
            _ => Err(Error::with_detail(ErrorKind::MacNotAuthentic, "it is not an encrypted string")),
        },
    };
    faults.extend(mac.err().map(|error| error.under_key("mac").under_key(SOPS)));
    if metadata.key_groups().len() > 1 && metadata.shamir_threshold() > metadata.key_groups().len() {
        let detail = "more key groups are needed than there are";
        let error = Error::with_detail(ErrorKind::InvalidMetadata, detail);
        faults.push(error.under_key("shamir_threshold").under_key(SOPS));
    }
    let mut any = false;
    for wrapped in metadata.key_groups().flatten().take(MAX_FAULTS) {
        any = true;
        let is_age = matches!(wrapped.key(), MasterKey::Age { .. });
        if wrapped.enc().is_empty() || (is_age && !keys::is_wrapped(wrapped.enc())) {
            let detail = format!("{}: what it wraps is no valid age file", wrapped.key());
            let detail = if wrapped.enc().is_empty() { format!("{}: it wraps nothing", wrapped.key()) } else { detail };
            faults.push(Error::with_detail(ErrorKind::InvalidMetadata, detail).under_key(SOPS));
        }
    }
    if !any {
        faults.push(Error::new(ErrorKind::NoRecipients).under_key(SOPS));
    }
    faults
}
