//! Tokens in plain files.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::directory::{Directory, PLAIN};
use super::provider::Provider;
use super::{Token, TokenStorage};
use crate::error::Result;

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
    directory: Directory,
}

impl FileStorage {
    /// The tokens in a directory. It is made when the first one is saved.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        FileStorage { directory: Directory::new(directory.into(), &[PLAIN], MODE) }
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

    fn read(&self, provider: &Provider<'_>) -> Result<Option<Token>> {
        let Some((path, bytes)) = self.directory.read(provider)? else { return Ok(None) };
        Token::from_json(&bytes).map(Some).map_err(|error| error.in_file(&path))
    }

    fn warn(&self) {
        static WARNED: AtomicBool = AtomicBool::new(false);
        if !WARNED.swap(true, Ordering::Relaxed) {
            let directory = self.directory().display();
            tracing::warn!("{directory}: tokens are stored here without encryption; SopsStorage encrypts them");
        }
    }
}

impl TokenStorage for FileStorage {
    fn save(&self, provider: &str, token: &Token) -> Result<()> {
        let provider = Provider::new(provider)?;
        let content = token.to_json()?;
        self.warn();
        self.directory.lock(&provider)?.replace(&content)
    }

    fn load(&self, provider: &str) -> Result<Option<Token>> {
        self.read(&Provider::new(provider)?)
    }

    fn delete(&self, provider: &str) -> Result<bool> {
        let provider = Provider::new(provider)?;
        if !self.directory.exists(&provider)? {
            return Ok(false);
        }
        self.directory.lock(&provider)?.remove()
    }

    fn exists(&self, provider: &str) -> Result<bool> {
        self.directory.exists(&Provider::new(provider)?)
    }

    fn list(&self) -> Result<Vec<String>> {
        self.directory.list()
    }

    fn update(
        &self,
        provider: &str,
        change: &mut dyn FnMut(Option<&Token>) -> Result<Option<Token>>,
    ) -> Result<Option<Token>> {
        let provider = Provider::new(provider)?;
        let mut held = self.directory.lock(&provider)?;
        let old = self.read(&provider)?;
        held.rehearse(old.as_ref().map_or(Ok(0), |token| token.to_json().map(|json| json.len()))?)?;
        let Some(new) = change(old.as_ref())? else { return Ok(old) };
        self.warn();
        held.replace(&new.to_json()?)?;
        Ok(Some(new))
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
