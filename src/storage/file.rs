//! Tokens in plain files.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::directory::{Directory, Form, PLAIN};
use super::{Token, TokenStorage};
use crate::error::Result;
use crate::secret::Bytes;

/// The mode of a token file that is not encrypted.
const MODE: u32 = 0o600;

/// Tokens in plain JSON files `{provider}.token.json` of mode 0600: **not encrypted**, for where [`SopsStorage`](crate::SopsStorage) cannot be.
///
/// The first save of a process warns of that, through `tracing`. All else (names, locks, who may write there) is as in a `SopsStorage`.
///
/// ```
/// use sopskit::{FileStorage, Token, TokenStorage};
///
/// # let folder = tempfile::tempdir()?;
/// let directory = folder.path().join("tokens");
/// let storage = FileStorage::new(&directory);
/// storage.save("github", &Token::new("gho_1"))?;
/// assert!(directory.join("github.token.json").exists());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct FileStorage {
    directory: Directory<Plain>,
}

impl FileStorage {
    /// The tokens in a directory. It is made when the first one is saved.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        FileStorage { directory: Directory::new(Plain, directory.into(), &[PLAIN], MODE) }
    }

    /// How long to wait for another process or thread that is at work on the same provider: 30 seconds, unless this says otherwise.
    #[must_use]
    pub fn wait(mut self, wait: Duration) -> Self {
        self.directory.wait = wait;
        self
    }

    /// Another clock than that of the system.
    #[must_use]
    pub fn clock(mut self, now: impl Fn() -> DateTime<Utc> + Send + Sync + 'static) -> Self {
        self.directory.clock = Box::new(now);
        self
    }

    /// Where the tokens lie.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }
}

/// Tokens as JSON.
struct Plain;

impl Form for Plain {
    fn read(&self, bytes: Bytes) -> Result<Token> {
        Token::from_json(&bytes)
    }

    fn write(&self, token: &Token, path: &Path) -> Result<Bytes> {
        static WARNED: AtomicBool = AtomicBool::new(false);
        if !WARNED.swap(true, Ordering::Relaxed) {
            tracing::warn!("{}: tokens are stored without encryption; SopsStorage encrypts them", path.display());
        }
        token.to_json()
    }
}

impl TokenStorage for FileStorage {
    fn save(&self, provider: &str, token: &Token) -> Result<()> {
        self.directory.save(provider, token)
    }

    fn load(&self, provider: &str) -> Result<Option<Token>> {
        self.directory.load(provider)
    }

    fn delete(&self, provider: &str) -> Result<bool> {
        self.directory.delete(provider)
    }

    fn exists(&self, provider: &str) -> Result<bool> {
        self.directory.exists(provider)
    }

    fn list(&self) -> Result<Vec<String>> {
        self.directory.list()
    }

    fn update(
        &self,
        provider: &str,
        change: &mut dyn FnMut(Option<&Token>) -> Result<Option<Token>>,
    ) -> Result<Option<Token>> {
        self.directory.update(provider, change)
    }

    fn rehearse(&self, provider: &str, token: &Token) -> Result<()> {
        self.directory.rehearse(provider, token)
    }

    fn now(&self) -> DateTime<Utc> {
        (self.directory.clock)()
    }
}

impl fmt::Debug for FileStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStorage").field("directory", &self.directory()).finish_non_exhaustive()
    }
}
