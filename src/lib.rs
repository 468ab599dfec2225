#![doc = include_str!("../README.md")]
#![cfg_attr(not(test), warn(clippy::expect_used, clippy::panic, clippy::unwrap_used))]

mod cipher;
#[cfg(feature = "config")]
mod config;
#[cfg(feature = "doctor")]
mod doctor;
mod document;
mod edit;
mod error;
mod format;
mod fs;
mod keys;
mod leaf;
mod mac;
mod metadata;
mod path;
mod rules;
mod secret;
#[cfg(feature = "tokens")]
mod storage;
mod tree;
mod walk;

use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

#[cfg(feature = "config")]
pub use config::{Config, ConfigSearch, CreationRule, DeadRule, Explanation, SkippedRule};
#[cfg(feature = "doctor")]
pub use doctor::{Doctor, Finding, Fix, Topic, Verdict};
pub use document::{Document, EncryptOptions, EncryptedDocument, Inspection, KeyChanges, Limits};
pub use edit::{EditOptions, edit_file};
pub use error::{Error, ErrorKind, Position, Result};
pub use format::{Format, Indent};
pub use fs::{read_file, read_from, replace_file};
pub use keys::{
    Environment, Identities, KeyOutcome, KeyService, KeySource, NewIdentity, Passphrase, Recipients, ServiceError,
};
pub use metadata::{KeyKind, MasterKey, Metadata, SOPS_VERSION, WrappedKey};
pub use path::{KeyPath, Segment};
pub use rules::{DEFAULT_UNENCRYPTED_SUFFIX, Rule};
pub use secret::{Bytes, Text};
#[cfg(feature = "tokens")]
pub use storage::{
    FileStorage, MemoryStorage, RefreshError, SopsStorage, StorageOptions, StorageSettings, Token, TokenStatus,
    TokenStorage, UnsavedToken, open_storage,
};
pub use tree::{Difference, MAX_DEPTH, Map, Value};

/// Reads an encrypted JSON file into any type that serde can read, after its MAC has been verified.
///
/// ```
/// use sopskit::Identities;
///
/// #[derive(serde::Deserialize)]
/// struct Token {
///     access_token: String,
/// }
///
/// let identities = Identities::from_file("fixtures/keys/alice.txt")?; // or Identities::from_env()
/// let token: Token = sopskit::decrypt_file("fixtures/3.11.0/token-like/sealed.json", &identities)?;
/// # assert!(!token.access_token.is_empty());
/// # Ok::<(), sopskit::Error>(())
/// ```
///
/// # Errors
/// [`ErrorKind::Read`] when the file cannot be read, and those of [`decrypt`]; all with the name of the file.
pub fn decrypt_file<T: DeserializeOwned>(path: impl AsRef<Path>, keys: &dyn KeyService) -> Result<T> {
    let path = path.as_ref();
    let read = || EncryptedDocument::from_bytes(read_file(path)?)?.decrypt(keys)?.deserialize();
    read().map_err(|error| error.in_file(path))
}

/// Reads an encrypted JSON document into any type that serde can read, after its MAC has been verified.
///
/// # Errors
/// Those of [`EncryptedDocument::parse`], of [`EncryptedDocument::decrypt`] and of [`Document::deserialize`].
pub fn decrypt<T: DeserializeOwned>(bytes: &[u8], keys: &dyn KeyService) -> Result<T> {
    EncryptedDocument::parse(bytes)?.decrypt(keys)?.deserialize()
}

/// Encrypts any type that serde writes as an object: the text of a file that the sops CLI opens.
///
/// The defaults are those of sops; [`EncryptOptions`] has others. [`replace_file`] puts the text where a reader never sees half of it.
///
/// ```
/// use sopskit::{Identities, Recipients};
///
/// let recipients = Recipients::parse("age1w7873r7u6vgwnvm3rx5jmsc2eeahce2wce5w94d04r5qu0y6nyysemjf6a")?;
/// let secrets = std::collections::BTreeMap::from([("password", "hunter2")]);
/// let text: String = sopskit::encrypt(&secrets, &recipients)?;
/// assert!(text.contains(r#""password": "ENC[AES256_GCM,data:"#));
/// # Ok::<(), sopskit::Error>(())
/// ```
///
/// # Errors
/// Those of [`Document::from_serialize`] and [`Document::encrypt`].
pub fn encrypt<T: Serialize + ?Sized>(value: &T, recipients: &Recipients) -> Result<String> {
    Document::from_serialize(value, recipients)?.encrypt_to_text()
}
