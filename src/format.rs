//! File formats: bytes to a tree and back.
//!
//! A format is one file in this folder and one arm of [`Format`].

pub(crate) mod binary;
pub(crate) mod json;

use std::path::Path;
use std::str::FromStr;

use crate::error::{Error, ErrorKind, Result};
use crate::secret::{Bytes, on_wiped_stack};
use crate::tree::{Map, Value};

pub use json::Indent;

/// What a plaintext is spelled in. An encrypted file is JSON either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// JSON whose top level is an object.
    #[default]
    Json,
    /// Any bytes. Encrypted, they are the one leaf `data` of a JSON file.
    Binary,
}

impl Format {
    /// The format that sops takes a file of this name for: by its ending, and binary where it has none of those that sops knows.
    ///
    /// Source: `cmd/sops/formats/formats.go` of sops.
    ///
    /// ```
    /// use sopskit::Format;
    ///
    /// assert_eq!(Format::from_path("secrets.enc.json".as_ref())?, Format::Json);
    /// assert_eq!(Format::from_path("id_ed25519".as_ref())?, Format::Binary);
    /// assert!(Format::from_path("secrets.yaml".as_ref()).is_err());
    /// # Ok::<(), sopskit::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::UnsupportedFormat`] for the endings of YAML, dotenv and INI, which sops knows and this crate does not.
    pub fn from_path(path: &Path) -> Result<Self> {
        let name = path.as_os_str().as_encoded_bytes();
        let known = [(".json", "json"), (".yaml", "yaml"), (".yml", "yaml"), (".env", "dotenv"), (".ini", "ini")];
        match known.iter().find(|(ending, _)| name.ends_with(ending.as_bytes())) {
            Some((_, format)) => Format::from_name(format).map_err(|error| error.in_file(path)),
            None => Ok(Format::Binary),
        }
    }

    /// The format that sops' `--input-type` and `--output-type` call by this name.
    ///
    /// # Errors
    /// [`ErrorKind::UnsupportedFormat`] for any name but `json` and `binary`.
    pub fn from_name(name: &str) -> Result<Self> {
        match name {
            "json" => Ok(Format::Json),
            "binary" => Ok(Format::Binary),
            _ => Err(Error::with_detail(
                ErrorKind::UnsupportedFormat,
                format!("{name:?}; supported are \"json\" and \"binary\""),
            )),
        }
    }

    /// The tree that a plaintext file of this format spells.
    ///
    /// # Errors
    /// For JSON each fault of the text by a kind of its own, with position and key path. Binary files have none.
    pub fn parse(self, bytes: &[u8]) -> Result<Map> {
        match self {
            Format::Json => on_wiped_stack(|| json::parse(bytes)),
            Format::Binary => Ok(binary::parse(bytes)),
        }
    }

    /// The plaintext file of this format that spells the tree, as sops would write it.
    ///
    /// # Errors
    /// [`ErrorKind::NotRepresentable`], with the key path: bytes that are not UTF-8 in JSON, anything but one leaf `data` as binary.
    pub fn write(self, tree: &Map, indent: Indent) -> Result<Bytes> {
        match self {
            Format::Json => on_wiped_stack(|| json::write::plain(tree, indent)).map(Bytes::from),
            Format::Binary => binary::write(tree).map(|bytes| Bytes::from(bytes.to_vec())),
        }
    }

    /// One value as `sops decrypt --extract` prints it: a string as it is, an object as a file, anything else as JSON without a final newline.
    ///
    /// # Errors
    /// As [`write`](Self::write); a binary file has no value to extract but strings and objects.
    pub fn write_value(self, value: &Value, indent: Indent) -> Result<Bytes> {
        match (self, value) {
            (_, Value::Text(text)) => Ok(Bytes::from(text.as_str().as_bytes().to_vec())),
            (_, Value::Bytes(bytes)) => Ok(bytes.clone()),
            (_, Value::Object(map)) => self.write(map, indent),
            (Format::Json, value) => on_wiped_stack(|| json::write::value(value, indent)).map(Bytes::from),
            (Format::Binary, _) => Err(Error::with_detail(
                ErrorKind::NotRepresentable,
                "a binary file has no single values, write it as JSON",
            )),
        }
    }
}

impl FromStr for Value {
    type Err = Error;

    /// The value that a JSON text spells, read as strictly as a file is.
    ///
    /// ```
    /// use sopskit::Value;
    ///
    /// assert_eq!("[1, \"x\"]".parse::<Value>()?.get(1).and_then(Value::as_str), Some("x"));
    /// assert!("hunter2".parse::<Value>().is_err());
    /// # Ok::<(), sopskit::Error>(())
    /// ```
    ///
    /// # Errors
    /// One kind for each fault of the text, with position and key path, as for [`Format::parse`].
    fn from_str(json: &str) -> Result<Self> {
        on_wiped_stack(|| json::parse_value(json.as_bytes()))
    }
}
