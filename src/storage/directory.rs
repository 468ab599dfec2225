//! A directory of token files: their names, the lock of each provider, who may write there.
//!
//! Beside the tokens lies, for each provider, a lock file `.{stem}.lock`. It bears the provider's name: many names make one stem, and only the first
//! that was saved may use the file.

use std::collections::BTreeSet;
use std::fs as std_fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::provider::{Provider, is_stem};
use super::{Clock, Token, WAIT};
use crate::error::{Error, ErrorKind, Result};
use crate::fs::{self, LockFile, Readers};
use crate::secret::Bytes;

pub(super) const PLAIN: &str = ".token.json";
pub(super) const SEALED: &str = ".token.sops.json";
/// As other programs call a sealed token.
pub(super) const SEALED_OTHERWISE: &str = ".sops.json";

/// What the names of token files end with.
const SUFFIXES: [&str; 3] = [PLAIN, SEALED, SEALED_OTHERWISE];

/// The longest token file, in bytes.
const MAX_BYTES: usize = 1024 * 1024;

/// How the tokens of a directory are spelled.
pub(super) trait Form: Send + Sync {
    fn read(&self, bytes: &[u8]) -> Result<Token>;

    /// What is written for a token into the file at `path`.
    fn write(&self, token: &Token, path: &Path) -> Result<Bytes>;
}

/// The directory of a storage.
pub(super) struct Directory<F> {
    pub(super) form: F,
    path: PathBuf,
    /// The endings of its token files: the one that is written, and others that are read where there is none of it.
    suffixes: &'static [&'static str],
    mode: u32,
    pub(super) wait: Duration,
    pub(super) clock: Clock,
    /// What somebody was warned of.
    warned: Mutex<BTreeSet<PathBuf>>,
}

impl<F: Form> Directory<F> {
    pub(super) fn new(form: F, path: PathBuf, suffixes: &'static [&'static str], mode: u32) -> Self {
        let clock = Box::new(chrono::Utc::now);
        Directory { form, path, suffixes, mode, wait: WAIT, clock, warned: Mutex::default() }
    }

    pub(super) fn save(&self, provider: &str, token: &Token) -> Result<()> {
        let provider = Provider::new(provider)?;
        let content = self.form.write(token, &self.file(&provider))?;
        self.lock(&provider)?.replace(&content)
    }

    pub(super) fn load(&self, provider: &str) -> Result<Option<Token>> {
        self.load_as(&Provider::new(provider)?)
    }

    fn load_as(&self, provider: &Provider<'_>) -> Result<Option<Token>> {
        let Some((path, bytes)) = self.read(provider)? else { return Ok(None) };
        self.form.read(&bytes).map(Some).map_err(|error| error.in_file(&path))
    }

    pub(super) fn delete(&self, provider: &str) -> Result<bool> {
        let provider = Provider::new(provider)?;
        Ok(self.has(&provider)? && self.lock(&provider)?.remove()?)
    }

    pub(super) fn exists(&self, provider: &str) -> Result<bool> {
        self.has(&Provider::new(provider)?)
    }

    pub(super) fn update(
        &self,
        provider: &str,
        change: &mut dyn FnMut(Option<&Token>) -> Result<Option<Token>>,
    ) -> Result<Option<Token>> {
        let provider = Provider::new(provider)?;
        let mut held = self.lock(&provider)?;
        let old = self.load_as(&provider)?;
        let write = |token: &Token| self.form.write(token, &self.file(&provider));
        // What would keep the new token from being saved is found out before a provider is asked for it.
        held.rehearse(old.as_ref().map_or(Ok(0), |token| write(token).map(|content| content.len()))?)?;
        let Some(new) = change(old.as_ref())? else { return Ok(old) };
        held.replace(&write(&new)?)?;
        Ok(Some(new))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The file that a provider's token is written to.
    fn file(&self, provider: &Provider<'_>) -> PathBuf {
        self.named(provider.stem(), self.suffixes[0])
    }

    /// The token file of a provider and what is in it; `None` where there is none.
    ///
    /// # Errors
    /// [`ErrorKind::NotPrivate`], [`ErrorKind::ProviderTaken`], [`ErrorKind::Read`].
    pub(super) fn read(&self, provider: &Provider<'_>) -> Result<Option<(PathBuf, Bytes)>> {
        if !self.check()? {
            return Ok(None);
        }
        // The first once more at the end: a save can have taken the other one away in between.
        for suffix in self.suffixes.iter().chain(&self.suffixes[..1]) {
            let path = self.named(provider.stem(), suffix);
            if let Some((bytes, readers)) = fs::read_private(&path, MAX_BYTES)? {
                self.check_owner(provider)?;
                self.warn_of(readers, &path);
                return Ok(Some((path, bytes)));
            }
        }
        Ok(None)
    }

    /// # Errors
    /// [`ErrorKind::NotPrivate`], [`ErrorKind::ProviderTaken`], [`ErrorKind::Read`].
    fn has(&self, provider: &Provider<'_>) -> Result<bool> {
        let exists = self.check()? && exists(self.files(provider.stem(), self.suffixes))?;
        if exists {
            self.check_owner(provider)?;
        }
        Ok(exists)
    }

    /// The providers of which there is a file, in order: by the names that were saved, or as the files are called.
    ///
    /// # Errors
    /// [`ErrorKind::NotPrivate`], [`ErrorKind::Read`].
    pub(super) fn list(&self) -> Result<Vec<String>> {
        if !self.check()? {
            return Ok(Vec::new());
        }
        let unreadable = |error| Error::io(ErrorKind::Read, &self.path, error);
        let mut names = BTreeSet::new();
        for entry in std_fs::read_dir(&self.path).map_err(unreadable)? {
            let name = entry.map_err(unreadable)?.file_name();
            let stem = self.suffixes.iter().find_map(|suffix| name.to_str()?.strip_suffix(suffix));
            if let Some(stem) = stem.filter(|stem| is_stem(stem)) {
                names.insert(self.owner(stem)?.unwrap_or_else(|| stem.to_owned()));
            }
        }
        Ok(names.into_iter().collect())
    }

    /// Keeps all others from changing the token of a provider, until the answer is dropped. The directory is made where there is none.
    ///
    /// # Errors
    /// [`ErrorKind::Busy`], [`ErrorKind::NotPrivate`], [`ErrorKind::ProviderTaken`], [`ErrorKind::Write`].
    fn lock<'a>(&'a self, provider: &'a Provider<'a>) -> Result<Held<'a, F>> {
        if !self.check()? {
            fs::create_directory(&self.path)?;
            self.check()?;
        }
        let lock = LockFile::acquire(&self.lock_path(provider.stem()), self.wait)?;
        if exists(self.files(provider.stem(), &SUFFIXES))? {
            self.check_owner(provider)?;
        }
        Ok(Held { directory: self, provider, lock })
    }

    /// Whether the directory is there, and nobody else can write in it.
    fn check(&self) -> Result<bool> {
        let readers = fs::check_directory(&self.path)?;
        if let Some(readers) = readers {
            self.warn_of(readers, &self.path);
        }
        Ok(readers.is_some())
    }

    fn warn_of(&self, readers: Readers, path: &Path) {
        let warned = || self.warned.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned());
        if readers == Readers::Others && warned() {
            tracing::warn!("{}: other users can read it; to mend that, run: chmod go-rwx '{0}'", path.display());
        }
    }

    /// # Errors
    /// [`ErrorKind::ProviderTaken`] when the file was saved under another name.
    fn check_owner(&self, provider: &Provider<'_>) -> Result<()> {
        match self.owner(provider.stem())? {
            Some(owner) if owner != provider.name() => {
                let detail = format!("{:?} and {owner:?} would lie in one file, choose another name", provider.name());
                Err(Error::with_detail(ErrorKind::ProviderTaken, detail).in_file(&self.file(provider)))
            }
            _ => Ok(()),
        }
    }

    /// The name under which the token of a stem was saved, if it was by this crate.
    fn owner(&self, stem: &str) -> Result<Option<String>> {
        fs::read_note(&self.lock_path(stem))
    }

    fn files<'a>(&'a self, stem: &'a str, suffixes: &'a [&'a str]) -> impl Iterator<Item = PathBuf> {
        suffixes.iter().map(move |suffix| self.named(stem, suffix))
    }

    fn named(&self, stem: &str, suffix: &str) -> PathBuf {
        self.path.join(format!("{stem}{suffix}"))
    }

    fn lock_path(&self, stem: &str) -> PathBuf {
        self.path.join(format!(".{stem}.lock"))
    }
}

/// The token of one provider, which nobody else changes as long as this lives.
struct Held<'a, F> {
    directory: &'a Directory<F>,
    provider: &'a Provider<'a>,
    lock: LockFile,
}

impl<F: Form> Held<'_, F> {
    /// Finds out whether a token can be written, before something is done that cannot be undone.
    ///
    /// # Errors
    /// [`ErrorKind::Write`].
    fn rehearse(&self, length: usize) -> Result<()> {
        fs::rehearse(&self.directory.file(self.provider), length)
    }

    /// Writes the token file. The one of another name is then gone.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidToken`] for more than 1 MiB, [`ErrorKind::Write`], [`ErrorKind::Busy`]. The old file is then as it was.
    fn replace(&mut self, content: &[u8]) -> Result<()> {
        let Directory { mode, wait, suffixes, .. } = *self.directory;
        if content.len() > MAX_BYTES {
            return Err(Error::with_detail(ErrorKind::InvalidToken, format!("it takes more than {MAX_BYTES} bytes")));
        }
        if self.directory.owner(self.provider.stem())?.as_deref() != Some(self.provider.name()) {
            self.lock.set_note(self.provider.name())?;
        }
        fs::replace_private(&self.directory.file(self.provider), content, mode, wait)?;
        for other in self.directory.files(self.provider.stem(), &suffixes[1..]) {
            fs::remove(&other, wait)?;
        }
        Ok(())
    }

    /// Removes the token. Says whether there was one.
    ///
    /// # Errors
    /// [`ErrorKind::Write`], [`ErrorKind::Busy`].
    fn remove(self) -> Result<bool> {
        let stem = self.provider.stem();
        let mut removed = false;
        for file in self.directory.files(stem, self.directory.suffixes) {
            removed |= fs::remove(&file, self.directory.wait)?;
        }
        // The name is still needed where the token of another storage lies beside it.
        if !exists(self.directory.files(stem, &SUFFIXES))? {
            self.lock.remove()?;
        }
        Ok(removed)
    }
}

fn exists(files: impl Iterator<Item = PathBuf>) -> Result<bool> {
    for file in files {
        match std_fs::symlink_metadata(&file) {
            Ok(_) => return Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::io(ErrorKind::Read, &file, error)),
        }
    }
    Ok(false)
}
