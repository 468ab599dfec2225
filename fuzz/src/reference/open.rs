//! A file opened, and its MAC made to fit.

use sha2::{Digest as _, Sha256, Sha512};
use sopskit::Segment;

use super::json::{self, Json};
use super::leaf::{self, Parts, Plain};
use super::metadata::{Metadata, is_unknown};

/// What is at fault, in the order in which it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Text,
    Metadata,
    Keys,
    Leaf,
    Mac,
    /// It is beyond what is implemented here.
    Unknown,
}

/// Why a file is refused.
#[derive(Debug, PartialEq)]
pub struct Fault {
    pub step: Step,
    /// The place of the leaf that is at fault.
    pub path: Vec<Segment>,
}

impl From<Step> for Fault {
    fn from(step: Step) -> Self {
        Fault { step, path: Vec::new() }
    }
}

/// The plaintext of a file.
pub fn open(bytes: &[u8]) -> Result<Plain, Fault> {
    let file = json::parse(bytes).ok_or(Step::Text)?;
    if file.get("sops").is_some_and(is_unknown) {
        return Err(Step::Unknown.into());
    }
    let metadata = file.get("sops").and_then(Metadata::of).ok_or(Step::Metadata)?;
    let key = metadata.data_key().ok_or(Step::Keys)?;
    let (tree, mac) = open_tree(&file, &metadata, &key)?;
    let expected = metadata.mac.as_deref().and_then(Parts::of);
    let expected = expected.and_then(|parts| match parts.open(&key, metadata.time.as_bytes())? {
        (expected, "str") => Some(expected),
        _ => None,
    });
    match expected {
        Some(expected) if expected == mac.into_bytes() => Ok(tree),
        _ => Err(Step::Mac.into()),
    }
}

/// The data key of a file.
pub fn data_key(file: &Json) -> Option<[u8; 32]> {
    Metadata::of(file.get("sops")?)?.data_key()
}

/// Gives a file the MAC that fits, if its leaves open.
pub fn mend(file: &mut Json, iv: &[u8; 32]) {
    let Some(metadata) = file.get("sops").and_then(Metadata::of) else { return };
    let Some(key) = metadata.data_key() else { return };
    let Ok((_, mac)) = open_tree(file, &metadata, &key) else { return };
    let sealed = leaf::leaf_text(&key, iv, mac.as_bytes(), metadata.time.as_bytes(), "str");
    let Json::Object(members) = file else { return };
    for (name, value) in members {
        let Json::Object(fields) = value else { continue };
        if name == "sops" {
            fields.retain(|(field, _)| field != "mac");
            fields.push(("mac".to_owned(), Json::Text(sealed.clone())));
        }
    }
}

fn open_tree(file: &Json, metadata: &Metadata, key: &[u8; 32]) -> Result<(Plain, String), Fault> {
    let Json::Object(members) = file else { return Err(Step::Text.into()) };
    let mut opening = Opening { metadata, key, hash: Sha512::new() };
    if metadata.mac_only_encrypted {
        opening.hash.update(Sha256::digest(b"sops"));
    }
    let members: Vec<_> = members.iter().filter(|(name, _)| name != "sops").cloned().collect();
    let tree = opening.value(&Json::Object(members), &[])?;
    let mac = opening.hash.finalize().iter().map(|byte| format!("{byte:02X}")).collect();
    Ok((tree, mac))
}

struct Opening<'a> {
    metadata: &'a Metadata,
    key: &'a [u8; 32],
    hash: Sha512,
}

impl Opening<'_> {
    fn value(&mut self, value: &Json, path: &[Segment]) -> Result<Plain, Fault> {
        let below = |segment: Segment| [path, &[segment]].concat();
        match value {
            Json::Object(members) => {
                let members = members.iter();
                members
                    .map(|(key, value)| Ok((key.clone(), self.value(value, &below(key.as_str().into()))?)))
                    .collect::<Result<_, _>>()
                    .map(Plain::Object)
            }
            Json::Array(items) => {
                let items = items.iter().enumerate();
                items
                    .map(|(index, item)| self.value(item, &below(index.into())))
                    .collect::<Result<_, _>>()
                    .map(Plain::Array)
            }
            leaf => {
                let fault = || Fault { step: Step::Leaf, path: path.to_vec() };
                let selected = self.metadata.rule.selects(&keys(path));
                let plain = if selected { self.open(leaf, path) } else { Plain::in_clear(leaf) }.ok_or_else(fault)?;
                if selected || !self.metadata.mac_only_encrypted {
                    self.hash.update(plain.bytes());
                }
                Ok(plain)
            }
        }
    }

    fn open(&self, leaf: &Json, path: &[Segment]) -> Option<Plain> {
        match leaf {
            Json::Null => Some(Plain::Null),
            Json::Text(text) if text.is_empty() => Some(Plain::Text(String::new())),
            Json::Text(text) => {
                let parts = Parts::of(text)?;
                let (bytes, kind) = parts.open(self.key, additional_data(path).as_bytes())?;
                leaf::value(bytes, kind)
            }
            _ => None,
        }
    }
}

/// The keys of a path.
pub fn keys(path: &[Segment]) -> Vec<&str> {
    let mut keys = Vec::new();
    for segment in path {
        if let Segment::Key(key) = segment {
            keys.push(key.as_str());
        }
    }
    keys
}

/// The additional data of the leaf at a path.
pub fn additional_data(path: &[Segment]) -> String {
    keys(path).iter().map(|key| format!("{key}:")).collect()
}
