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
use super::{Clock, WAIT};
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

/// The directory of a storage.
pub(super) struct Directory {
    path: PathBuf,
    /// The endings of its token files: the one that is written, and others that are read where there is none of it.
    suffixes: &'static [&'static str],
    mode: u32,
    pub(super) wait: Duration,
    pub(super) clock: Clock,
    /// What somebody was warned of.
    warned: Mutex<BTreeSet<PathBuf>>,
}

impl Directory {
    pub(super) fn new(path: PathBuf, suffixes: &'static [&'static str], mode: u32) -> Self {
        let clock = Box::new(chrono::Utc::now);
        Directory { path, suffixes, mode, wait: WAIT, clock, warned: Mutex::default() }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The file that a provider's token is written to.
    pub(super) fn file(&self, provider: &Provider<'_>) -> PathBuf {
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
    pub(super) fn exists(&self, provider: &Provider<'_>) -> Result<bool> {
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
    pub(super) fn lock<'a>(&'a self, provider: &'a Provider<'a>) -> Result<Held<'a>> {
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
pub(super) struct Held<'a> {
    directory: &'a Directory,
    provider: &'a Provider<'a>,
    lock: LockFile,
}

impl Held<'_> {
    /// Finds out whether a token can be written, before something is done that cannot be undone.
    ///
    /// # Errors
    /// [`ErrorKind::Write`].
    pub(super) fn rehearse(&self, length: usize) -> Result<()> {
        fs::rehearse(&self.directory.file(self.provider), length)
    }

    /// Writes the token file. The one of another name is then gone.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidToken`] for more than 1 MiB, [`ErrorKind::Write`], [`ErrorKind::Busy`]. The old file is then as it was.
    pub(super) fn replace(&mut self, content: &[u8]) -> Result<()> {
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
    pub(super) fn remove(self) -> Result<bool> {
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
