//! Where sops looks for identities and recipients: variables of the environment and files they name.
//!
//! Source: section 7 of the format page, `age/keysource.go` of sops.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::{Identities, Recipients};
use crate::error::{Error, ErrorKind, Result};
use crate::fs;

const KEY: &str = "SOPS_AGE_KEY";
const KEY_FILE: &str = "SOPS_AGE_KEY_FILE";
const RECIPIENTS: &str = "SOPS_AGE_RECIPIENTS";

/// The longest key file that is read, in bytes.
const MAX_KEY_FILE: usize = 1024 * 1024;

/// The variables that name keys: those of the process, or others, as for a test or for another user.
///
/// ```
/// use sopskit::{Environment, Identities};
///
/// let environment = Environment::from_iter([("SOPS_AGE_KEY_FILE", "fixtures/keys/alice.txt")]);
/// let identities = Identities::from_environment(&environment);
/// assert_eq!(identities.recipients().count(), 1);
/// ```
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    /// The variables of this process, as they are now.
    #[must_use]
    pub fn process() -> Self {
        Environment(std::env::vars_os().collect())
    }

    fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.get(OsStr::new(name)).map(OsString::as_os_str)
    }

    fn directory(&self, name: &str) -> Option<PathBuf> {
        self.get(name).filter(|value| !value.is_empty()).map(PathBuf::from)
    }

    /// The directory in which the user's configuration is kept on this system.
    fn config_directory(&self) -> Option<PathBuf> {
        if cfg!(windows) {
            return self.directory("AppData");
        }
        let home = |path: &str| self.directory("HOME").map(|home| home.join(path));
        let default = if cfg!(target_os = "macos") { "Library/Application Support" } else { ".config" };
        self.directory("XDG_CONFIG_HOME").or_else(|| home(default))
    }

    /// The file in which sops looks for identities without being told: `sops/age/keys.txt` in the directory for configuration.
    #[must_use]
    pub fn default_key_file(&self) -> Option<PathBuf> {
        self.config_directory().map(|directory| directory.join("sops").join("age").join("keys.txt"))
    }

    /// The recipients that `SOPS_AGE_RECIPIENTS` names; `None` where it is not set or empty.
    ///
    /// # Errors
    /// As [`Recipients::parse`], and [`ErrorKind::InvalidRecipient`] when the variable is not Unicode.
    pub fn recipients(&self) -> Result<Option<Recipients>> {
        let Some(value) = self.get(RECIPIENTS).filter(|value| !value.is_empty()) else { return Ok(None) };
        let detail = || Error::with_detail(ErrorKind::InvalidRecipient, format!("{RECIPIENTS} is not Unicode"));
        Recipients::parse(value.to_str().ok_or_else(detail)?).map(Some)
    }
}

impl<K: Into<OsString>, V: Into<OsString>> FromIterator<(K, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(variables: I) -> Self {
        Environment(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

impl std::fmt::Debug for Environment {
    /// The names only: values can be secret keys.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Identities {
    /// The identities that sops would find: in `SOPS_AGE_KEY`, in the file that `SOPS_AGE_KEY_FILE` names and in
    /// [`Environment::default_key_file`], all of them together.
    ///
    /// This cannot fail: what could not be read is told by the error of a file that nothing opens, and by [`report`](Self::report).
    #[must_use]
    pub fn from_env() -> Self {
        Identities::from_environment(&Environment::process())
    }

    /// As [`from_env`](Self::from_env), with other variables than those of the process.
    #[must_use]
    pub fn from_environment(environment: &Environment) -> Self {
        let mut identities = Identities::default();
        match environment.get(KEY).map(OsStr::to_str) {
            None => identities.note(KEY, "not set"),
            Some(None) => identities.note(KEY, "not Unicode"),
            Some(Some(text)) => drop(identities.add(KEY, text)),
        }
        match environment.get(KEY_FILE) {
            None => identities.note(KEY_FILE, "not set"),
            Some(path) => identities.add_file(&format!("{KEY_FILE} ({})", Path::new(path).display()), path.as_ref()),
        }
        match environment.default_key_file() {
            None => identities.note("the default key file", "no home directory is known"),
            Some(path) => identities.add_file(&path.display().to_string(), &path),
        }
        identities
    }

    /// The identities in a key file.
    ///
    /// # Errors
    /// [`ErrorKind::Read`] when the file cannot be read, and those of [`parse`](Self::parse).
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let text = read_key_file(path).map_err(|error| Error::io(ErrorKind::Read, path, error))?;
        Identities::parse(&text).map_err(|error| error.in_file(path))
    }

    fn add_file(&mut self, source: &str, path: &Path) {
        match read_key_file(path) {
            Ok(text) => drop(self.add(source, &text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.note(source, "no such file"),
            Err(error) => self.note(source, &format!("cannot be read: {error}")),
        }
    }
}

fn read_key_file(path: &Path) -> io::Result<Zeroizing<String>> {
    let file = File::open(path)?;
    // A pipe has no length to go by.
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX).min(MAX_KEY_FILE);
    let mut bytes = fs::read_wiped(file.take(MAX_KEY_FILE as u64 + 1), length)?;
    let refuse = |problem| Err(io::Error::new(io::ErrorKind::InvalidData, problem));
    if bytes.len() > MAX_KEY_FILE {
        return refuse("it is too long for a key file");
    }
    match String::from_utf8(std::mem::take(&mut *bytes)) {
        Ok(text) => Ok(Zeroizing::new(text)),
        Err(error) => {
            drop(Zeroizing::new(error.into_bytes()));
            refuse("it is not UTF-8")
        }
    }
}
