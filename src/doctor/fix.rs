//! What a doctor can mend.

use std::fmt;
use std::path::PathBuf;

use super::quoted;
use crate::error::Result;
use crate::fs;
use crate::keys::NewIdentity;

/// Something that mends a [`Finding`](crate::Finding). `Display` says what it does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fix {
    /// Sets the mode of a file or directory.
    Mode(PathBuf, u32),
    /// Makes a key file with a new identity.
    KeyFile(PathBuf),
    /// Makes a config file with one creation rule, for this recipient.
    Config(PathBuf, String),
}

impl Fix {
    /// Does it. A file that exists is never overwritten.
    ///
    /// ```
    /// use sopskit::{Fix, Identities};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("sops/age/keys.txt");
    /// Fix::KeyFile(path.clone()).apply()?;
    /// assert_eq!(Identities::from_file(&path)?.recipients().count(), 1);
    /// assert!(Fix::KeyFile(path).apply().is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Write`](crate::ErrorKind::Write).
    pub fn apply(&self) -> Result<()> {
        match self {
            Fix::Mode(path, mode) => fs::set_mode(path, *mode),
            Fix::KeyFile(path) => {
                if let Some(directory) = path.parent() {
                    fs::create_directory(directory)?;
                }
                NewIdentity::x25519().create_file(path)
            }
            Fix::Config(path, recipient) => {
                fs::create_file(path, format!("creation_rules:\n  - age: {recipient}\n").as_bytes())
            }
        }
    }
}

impl fmt::Display for Fix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fix::Mode(path, mode) => write!(f, "chmod {mode:o} {}", quoted(path)),
            Fix::KeyFile(path) => write!(f, "make a new identity in {}", quoted(path)),
            Fix::Config(path, recipient) => write!(f, "make {} with a rule for {recipient}", quoted(path)),
        }
    }
}
