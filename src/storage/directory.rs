//! A directory of token files: their names, the lock of each provider, who may write there.
//!
//! Beside the tokens lies, for each provider, a lock file `.{stem}.lock`. It bears the provider's name: many names make one stem, and only the first
//! that was saved may use the file. Where no other name can lead to a file (see [`namesakes`]), a load does not read it.

mod held;
mod namesakes;

use std::collections::BTreeSet;
use std::fs as std_fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use self::held::Held;
use self::namesakes::Namesakes;
use super::provider::{Provider, is_stem, stem};
use super::unsaved::UnsavedToken;
use super::{Clock, Token, WAIT};
use crate::document::EncryptedDocument;
use crate::error::{Error, ErrorKind, Result};
use crate::fs::{self, FileId, LockFile, PrivateFile, Readers};
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
    fn read(&self, bytes: Bytes) -> Result<Token>;

    /// What is written for a token into the file at `path`.
    fn write(&self, token: &Token, path: &Path) -> Result<Bytes>;
}

/// What a file [`SEALED_OTHERWISE`] seems to be, as far as that shows without a key: any SOPS file can be called so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Guess {
    Token,
    /// A sound file with something else in it.
    SomethingElse,
    Unreadable,
}

impl Guess {
    fn of(bytes: &[u8]) -> Self {
        match EncryptedDocument::parse(bytes) {
            Ok(sealed) if sealed.has("access_token") => Guess::Token,
            Ok(_) => Guess::SomethingElse,
            Err(_) => Guess::Unreadable,
        }
    }
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
    namesakes: Namesakes,
}

impl<F: Form> Directory<F> {
    pub(super) fn new(form: F, path: PathBuf, suffixes: &'static [&'static str], mode: u32) -> Self {
        let clock = Box::new(chrono::Utc::now);
        // As the empty path is meant.
        let path = if path.as_os_str().is_empty() { PathBuf::from(".") } else { path };
        Directory {
            form,
            path,
            suffixes,
            mode,
            wait: WAIT,
            clock,
            warned: Mutex::default(),
            namesakes: Namesakes::default(),
        }
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
        self.form.read(bytes).map(Some).map_err(|error| error.in_file(&path))
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
        let new = match change(old.as_ref()) {
            Ok(Some(new)) => new,
            nothing => {
                let released = held.release();
                // What `change` answers says more than that a lock file without a token could not be removed.
                let nothing = nothing.map(|_| old)?;
                released?;
                return Ok(nothing);
            }
        };
        let saved = self.form.write(&new, &self.file(&provider)).and_then(|content| held.replace(&content));
        match saved {
            Ok(()) => Ok(Some(new)),
            Err(error) => Err(UnsavedToken::error(new, error)),
        }
    }

    pub(super) fn rehearse(&self, provider: &str, token: &Token) -> Result<()> {
        let file = self.file(&Provider::new(provider)?);
        fs::rehearse(&file, self.form.write(token, &file)?.len())
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
        let Some(directory) = self.look()? else { return Ok(None) };
        let may_be_anothers = self.namesakes.may_be(provider, directory);
        // The first once more at the end: a save can have taken the other one away in between.
        for suffix in self.suffixes.iter().chain(&self.suffixes[..1]) {
            let path = self.named(provider.stem(), suffix);
            while let Some(file) = open(&path)? {
                if may_be_anothers && !self.is_of(provider, &file, &path)? {
                    continue;
                }
                self.warn_of(file.readers, &path);
                return Ok(Some((path, file.bytes)));
            }
        }
        Ok(None)
    }

    /// Whether an open file is the provider's; it is not known whose it was when it was deleted or replaced meanwhile.
    ///
    /// # Errors
    /// [`ErrorKind::ProviderTaken`], [`ErrorKind::Read`].
    fn is_of(&self, provider: &Provider<'_>, file: &PrivateFile, path: &Path) -> Result<bool> {
        self.check_owner(provider)?;
        // Next time this need not be found out again, if no other name leads here: to read what is in the lock file takes as long as all else with the system.
        let two_cases = provider.is_only_one_of_stem().then(|| Namesakes::directory_of_two_cases(path)).flatten();
        let is_of = file.is_still_at(path);
        if let (true, Some(directory)) = (is_of, two_cases) {
            self.namesakes.remember(provider, directory);
        }
        Ok(is_of)
    }

    /// # Errors
    /// [`ErrorKind::NotPrivate`], [`ErrorKind::ProviderTaken`], [`ErrorKind::Read`].
    fn has(&self, provider: &Provider<'_>) -> Result<bool> {
        let exists = self.check()? && exists(self.files(provider.stem(), self.suffixes));
        if exists {
            self.check_owner(provider)?;
        }
        Ok(exists)
    }

    /// The providers of which there is a file, in order: by the names that were saved, or, where those cannot be read, as the files are called.
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
            let entry = entry.map_err(unreadable)?;
            let name = entry.file_name();
            let stem = self.suffixes.iter().find_map(|suffix| name.to_str()?.strip_suffix(suffix));
            let Some(stem) = stem else { continue };
            if is_stem(stem) && exists([entry.path()].into_iter()) {
                // One bad lock file is no reason to hide all other tokens; who loads this one is told.
                let owner = self.owner(stem).ok().flatten();
                names.insert(owner.unwrap_or_else(|| stem.to_owned()));
            }
        }
        Ok(names.into_iter().collect())
    }

    /// Keeps all others from changing the token of a provider, until the answer is dropped. The directory is made where there is none.
    ///
    /// # Errors
    /// [`ErrorKind::Busy`], [`ErrorKind::NotPrivate`], [`ErrorKind::ProviderTaken`], [`ErrorKind::Write`].
    fn lock<'a>(&'a self, provider: &'a Provider<'a>) -> Result<Held<'a, F>> {
        let started = Instant::now();
        if !self.check()? {
            fs::create_directory(&self.path)?;
            if !self.check()? {
                return Err(Error::io(ErrorKind::Write, &self.path, io::ErrorKind::NotFound.into()));
            }
        }
        let lock = LockFile::acquire(&self.lock_path(provider.stem()), self.wait)?;
        if exists(self.files(provider.stem(), &SUFFIXES)) {
            self.check_owner(provider)?;
        }
        // Those of the files too, so that edits in place wait, and are waited for.
        let left = || self.wait.saturating_sub(started.elapsed());
        let files = self.files(provider.stem(), self.suffixes).map(|file| fs::hold(&file, left()));
        Ok(Held { directory: self, provider, lock, _files: files.collect::<Result<_>>()? })
    }

    /// Whether the directory is there, and nobody else can write in it.
    fn check(&self) -> Result<bool> {
        self.look().map(|directory| directory.is_some())
    }

    /// As [`check`](Self::check), and which directory it is, as far as that can be told.
    fn look(&self) -> Result<Option<Option<FileId>>> {
        let Some((readers, id)) = fs::check_directory(&self.path)? else { return Ok(None) };
        self.warn_of(readers, &self.path);
        Ok(Some(id))
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
    fn owner(&self, of: &str) -> Result<Option<String>> {
        // Where upper and lower case are one in names of files, another name can lead here.
        let fits = |note: &String| !of.is_ascii() || stem(note).eq_ignore_ascii_case(of);
        Ok(fs::read_note(&self.lock_path(of))?.filter(|note| Provider::new(note).is_ok() && fits(note)))
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

/// A token file, unless it has something else in it.
fn open(path: &Path) -> Result<Option<PrivateFile>> {
    let file = PrivateFile::read(path, MAX_BYTES)?;
    Ok(file.filter(|file| !can_be_other(path) || Guess::of(&file.bytes) != Guess::SomethingElse))
}

/// Whether the name of a file does not say that it is a token.
fn can_be_other(path: &Path) -> bool {
    let name = path.to_string_lossy();
    name.ends_with(SEALED_OTHERWISE) && !name.ends_with(SEALED)
}

/// Whether any of these is a token file, readable or not. It is read only where its name does not say so.
fn exists(mut files: impl Iterator<Item = PathBuf>) -> bool {
    files.any(|file| match std_fs::symlink_metadata(&file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        _ => !can_be_other(&file) || !matches!(open(&file), Ok(None)),
    })
}
