//! The secret keys that documents are opened with.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use zeroize::Zeroizing;

use super::age::{self, Key};
use super::found::{KeyOutcome, KeySource};
use super::service::{KeyService, ServiceError, first};
use crate::error::{Error, ErrorKind, Result, redacted};
use crate::fs;
use crate::metadata::MasterKey;
use crate::secret::{Bytes, on_wiped_stack};

/// The longest key file that is read, in bytes.
const MAX_KEY_FILE: usize = 1024 * 1024;

/// For how many recipients one source is turned to. A file can name as many as it likes, and each may run a program.
const MAX_LOADS: usize = 32;

/// Somebody to ask for passphrases: called with what is to be opened, answers `None` to go without.
///
/// ```
/// use sopskit::{Environment, Identities, Passphrase};
///
/// let passphrase = Passphrase::new(|what| {
///     eprintln!("{what} is protected by a passphrase");
///     None
/// });
/// let identities = Identities::from_environment(&Environment::process().with_passphrase(passphrase));
/// ```
#[derive(Clone)]
pub struct Passphrase(Arc<Ask>);

type Ask = dyn Fn(&str) -> Option<Zeroizing<String>> + Send + Sync;

impl Passphrase {
    /// Passphrases that come from a function, as from a prompt.
    pub fn new(ask: impl Fn(&str) -> Option<Zeroizing<String>> + Send + Sync + 'static) -> Self {
        Passphrase(Arc::new(ask))
    }

    pub(super) fn ask(&self, what: &str) -> Option<Zeroizing<String>> {
        (self.0)(what)
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

/// The secret keys that documents are opened with: the [`KeyService`] for age.
///
/// Nothing reads the environment unless [`from_env`](Self::from_env) says so. An identity that does not fit, and a source that cannot be read,
/// never stand in the way of one that fits: they become lines of the error when none does. `Debug` shows public keys only.
///
/// ```
/// use sopskit::Identities;
///
/// let identities = Identities::parse("
///     ## a key of this example only
///     AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX
/// ")?;
/// assert!(!format!("{identities:?}").contains("SECRET"));
/// # Ok::<(), sopskit::Error>(())
/// ```
#[derive(Default)]
pub struct Identities {
    keys: Vec<Key>,
    /// Sources that are turned to when none of the keys fits.
    deferred: Vec<Deferred>,
    /// What became of each source that was looked at.
    sources: Vec<KeySource>,
}

/// A source that is turned to when no other key fits: a key file whose passphrase must be asked for, a command that must be run.
struct Deferred {
    source: String,
    /// Whether it gives another answer for each recipient.
    by_recipient: bool,
    load: Box<Load>,
    /// What it gave, by recipient: nobody is asked twice.
    loaded: Mutex<BTreeMap<String, Arc<Result<Identities, String>>>>,
}

type Load = dyn Fn(&str) -> Result<Identities, String> + Send + Sync;

impl Deferred {
    fn load(&self, recipient: &str) -> Arc<Result<Identities, String>> {
        let recipient = if self.by_recipient { recipient } else { "" };
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if loaded.len() >= MAX_LOADS && !loaded.contains_key(recipient) {
            return Arc::new(Err(format!("asked for {MAX_LOADS} recipients, and for no more")));
        }
        Arc::clone(loaded.entry(recipient.to_owned()).or_insert_with(|| Arc::new((self.load)(recipient))))
    }

    fn report(&self) -> Vec<String> {
        let loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = loaded.values().flat_map(|outcome| match &**outcome {
            Ok(identities) => identities.report(),
            Err(problem) => vec![redacted(format!("{}: {problem}", self.source))],
        });
        let mut lines: Vec<_> = lines.collect();
        lines.dedup();
        if lines.is_empty() {
            lines.push(redacted(format!("{}: not turned to", self.source)));
        }
        lines
    }
}

impl Identities {
    /// The identities in `text`: one a line, blank lines and lines that begin with `#` skipped; or an OpenSSH private key.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidIdentity`], with the number of the line, for anything that is no identity, or one of a kind whose
    /// feature is not compiled in, and when there is none at all. It never shows the line.
    pub fn parse(text: &str) -> Result<Self> {
        Identities::parse_with(text, None)
    }

    fn parse_with(text: &str, passphrase: Option<&Passphrase>) -> Result<Self> {
        let mut identities = Identities::default();
        let problems = identities.add("the identities given", text, passphrase);
        match problems.into_iter().next() {
            Some(problem) => Err(Error::with_detail(ErrorKind::InvalidIdentity, problem)),
            None if identities.keys.is_empty() => Err(Error::with_detail(ErrorKind::InvalidIdentity, "there is none")),
            None => Ok(identities),
        }
    }

    /// The identities in a key file.
    ///
    /// # Errors
    /// [`ErrorKind::Read`] when the file cannot be read, and those of [`parse`](Self::parse).
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let bytes = fs::read_at_most(path, MAX_KEY_FILE)?;
        if age::is_age_file(&bytes) {
            let detail = "it is protected by a passphrase";
            return Err(Error::with_detail(ErrorKind::InvalidIdentity, detail).in_file(path));
        }
        Identities::parse(utf8(&bytes, path)?).map_err(|error| error.in_file(path))
    }

    /// The identities in a key file that is protected by a passphrase: one that `age -p` encrypted, or an OpenSSH private key.
    ///
    /// # Errors
    /// [`ErrorKind::Read`] when the file cannot be read; [`ErrorKind::InvalidIdentity`] when the passphrase is wrong or missing, and as
    /// [`parse`](Self::parse).
    pub fn from_protected_file(path: impl AsRef<Path>, passphrase: &Passphrase) -> Result<Self> {
        let path = path.as_ref();
        let bytes = fs::read_at_most(path, MAX_KEY_FILE)?;
        let refuse = |problem: &str| Error::with_detail(ErrorKind::InvalidIdentity, problem).in_file(path);
        if !age::is_age_file(&bytes) {
            return Identities::parse_with(utf8(&bytes, path)?, Some(passphrase)).map_err(|error| error.in_file(path));
        }
        let secret = passphrase.ask(&path.display().to_string()).ok_or_else(|| refuse("no passphrase was given"))?;
        let plain = age::unlock(&bytes, secret, MAX_KEY_FILE).map_err(|problem| refuse(&problem))?;
        Identities::parse(utf8(&plain, path)?).map_err(|error| error.in_file(path))
    }

    /// Adds the identities in `text`, and a line on each that is none to the report. Returns these lines.
    pub(super) fn add(&mut self, source: &str, text: &str, passphrase: Option<&Passphrase>) -> Vec<String> {
        on_wiped_stack(|| self.take(source, text, passphrase))
    }

    fn take(&mut self, source: &str, text: &str, passphrase: Option<&Passphrase>) -> Vec<String> {
        let known = self.keys.len();
        let mut problems = Vec::new();
        if text.trim_start().starts_with("-----BEGIN ") {
            match ssh_key(source, text, passphrase) {
                Ok(key) => self.keys.push(key),
                Err(problem) => problems.push(problem),
            }
        } else {
            // Files of some editors begin with a byte order mark, or end their lines with a carriage return alone.
            let text = text.trim_start_matches('\u{feff}');
            let end = if text.contains('\n') { '\n' } else { '\r' };
            for (number, line) in text.split(end).enumerate() {
                let line = line.trim();
                if line.starts_with('#') {
                    continue;
                }
                // Several on a line stand in the variable SOPS_AGE_KEY, where line breaks are hard to keep.
                for word in line.split_whitespace() {
                    match Key::parse(word, passphrase) {
                        Ok(key) => self.keys.push(key),
                        Err(problem) => problems.push(format!("line {}: {problem}", number + 1)),
                    }
                }
            }
        }
        for key in &self.keys[known..] {
            self.sources.push(KeySource::new(source, KeyOutcome::Identity(key.recipient.clone())));
        }
        if self.keys.len() == known && problems.is_empty() {
            self.note(source, "holds no identity");
        }
        self.sources
            .extend(problems.iter().map(|problem| KeySource::new(source, KeyOutcome::Problem(problem.clone()))));
        problems
    }

    /// Adds what a key file holds; one that is protected by a passphrase when there is somebody to ask for it.
    pub(super) fn add_bytes(&mut self, source: &str, bytes: Bytes, passphrase: Option<&Passphrase>) {
        if !age::is_age_file(&bytes) {
            match std::str::from_utf8(&bytes) {
                Ok(text) => drop(self.add(source, text, passphrase)),
                Err(_) => self.note(source, "is not UTF-8; save it as plain text with UTF-8 encoding"),
            }
            return;
        }
        match passphrase {
            None => self.note(source, "is protected by a passphrase, and there is nobody to ask for it"),
            Some(passphrase) => {
                let (name, passphrase) = (source.to_owned(), passphrase.clone());
                self.defer(source, false, move |_| {
                    let secret = passphrase.ask(&name).ok_or("no passphrase was given")?;
                    let plain = age::unlock(&bytes, secret, MAX_KEY_FILE)?;
                    let mut identities = Identities::default();
                    identities.add_bytes(&name, plain, None);
                    Ok(identities)
                });
            }
        }
    }

    /// Adds a source to be turned to when no other key fits.
    pub(super) fn defer(
        &mut self,
        source: &str,
        by_recipient: bool,
        load: impl Fn(&str) -> Result<Identities, String> + Send + Sync + 'static,
    ) {
        let (load, loaded) = (Box::new(load), Mutex::default());
        self.deferred.push(Deferred { source: source.to_owned(), by_recipient, load, loaded });
    }

    pub(super) fn add_file(&mut self, source: &str, path: &Path, passphrase: Option<&Passphrase>) {
        match fs::read_at_most(path, MAX_KEY_FILE) {
            Ok(bytes) => self.add_bytes(source, bytes, passphrase),
            Err(error) if error.is_not_found() => self.nothing(source, "no such file"),
            Err(error) => self.note(source, &format!("cannot read: {}", error.cause())),
        }
    }

    /// Adds what is wrong with a source.
    pub(super) fn note(&mut self, source: &str, problem: &str) {
        self.sources.push(KeySource::new(source, KeyOutcome::Problem(problem.to_owned())));
    }

    /// Adds a source in which there is nothing.
    pub(super) fn nothing(&mut self, source: &str, why: &str) {
        self.sources.push(KeySource::new(source, KeyOutcome::Nothing(why.to_owned())));
    }

    /// The places where these identities were looked for, and what became of each. Key files are not unlocked for it, and programs are not run.
    pub fn sources(&self) -> impl Iterator<Item = KeySource> {
        let deferred = self.deferred.iter().map(|deferred| KeySource::new(&deferred.source, KeyOutcome::Deferred));
        self.sources.iter().cloned().chain(deferred)
    }

    /// The public keys of the identities. Key files are not unlocked for it, and programs are not run.
    pub fn recipients(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|key| key.recipient.as_str())
    }

    fn open(&self, recipient: &str, enc: &str) -> Option<Result<Zeroizing<Vec<u8>>, String>> {
        // The recipient beside a wrapped key is not authenticated, so it only says which identity to try first.
        let (named, others): (Vec<_>, Vec<_>) = self.keys.iter().partition(|key| key.is_for(recipient));
        let at_hand = named.into_iter().chain(others).filter_map(|key| key.unwrap(recipient, enc));
        let deferred = self.deferred.iter().filter_map(|source| match &*source.load(recipient) {
            Ok(identities) => identities.open(recipient, enc),
            Err(_) => None,
        });
        first(at_hand.chain(deferred))
    }
}

fn utf8<'a>(bytes: &'a [u8], path: &Path) -> Result<&'a str> {
    std::str::from_utf8(bytes)
        .map_err(|_| Error::with_detail(ErrorKind::InvalidIdentity, "it is not UTF-8").in_file(path))
}

#[cfg(feature = "ssh")]
fn ssh_key(source: &str, text: &str, passphrase: Option<&Passphrase>) -> Result<Key, String> {
    Key::ssh(source, text.trim_start(), passphrase)
}

#[cfg(not(feature = "ssh"))]
fn ssh_key(_: &str, _: &str, _: Option<&Passphrase>) -> Result<Key, String> {
    Err(String::from("a private key in PEM; those of OpenSSH need the feature `ssh` of sopskit"))
}

impl KeyService for Identities {
    /// `None`: it takes no identity to wrap for a recipient.
    fn wrap(&self, _: &MasterKey, _: &[u8]) -> Option<Result<String, ServiceError>> {
        None
    }

    fn unwrap(&self, key: &MasterKey, enc: &str) -> Option<Result<Zeroizing<Vec<u8>>, ServiceError>> {
        let MasterKey::Age { recipient } = key else { return None };
        self.open(recipient, enc).map(|answer| answer.map_err(ServiceError::from))
    }

    fn prefers(&self, key: &MasterKey) -> bool {
        matches!(key, MasterKey::Age { recipient } if self.keys.iter().any(|known| known.is_for(recipient)))
    }

    fn report(&self) -> Vec<String> {
        let mut lines: Vec<_> = self.sources.iter().map(ToString::to_string).collect();
        lines.extend(self.deferred.iter().flat_map(Deferred::report));
        lines
    }
}

impl FromStr for Identities {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Identities::parse(text)
    }
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Identities").field(&self.recipients().collect::<Vec<_>>()).finish()
    }
}
