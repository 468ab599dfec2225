//! Where sops looks for identities and recipients: variables of the environment, files they name and commands they name.
//!
//! Source: section 7 of the format page, `age/keysource.go` of sops.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use zeroize::Zeroize as _;

use super::identities::{Identities, Passphrase};
use super::recipients::Recipients;
use crate::error::{Error, ErrorKind, Result};
use crate::fs;
use crate::secret::Bytes;

/// How much of what a command prints is read, in bytes.
const MAX_PRINTED: u64 = 1024 * 1024;
/// How much room is made for it at first.
const FIRST_ROOM: usize = 8 * 1024;

const KEY: &str = "SOPS_AGE_KEY";
const KEY_FILE: &str = "SOPS_AGE_KEY_FILE";
const KEY_COMMAND: &str = "SOPS_AGE_KEY_CMD";
const SSH_KEY_FILE: &str = "SOPS_AGE_SSH_PRIVATE_KEY_FILE";
const SSH_KEY_COMMAND: &str = "SOPS_AGE_SSH_PRIVATE_KEY_CMD";
const RECIPIENTS: &str = "SOPS_AGE_RECIPIENTS";
/// The variable in which a command finds the recipient whose identity is wanted.
const COMMAND_RECIPIENT: &str = "SOPS_AGE_RECIPIENT";

/// Which operating system's places for files count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum System {
    Linux,
    MacOs,
    Windows,
}

impl System {
    const HERE: System = if cfg!(windows) {
        System::Windows
    } else if cfg!(target_os = "macos") {
        System::MacOs
    } else {
        System::Linux
    };
}

/// The variables that name keys: those of the process, or others, as for a test or for another user; and what may be done to follow
/// them.
///
/// ```
/// use sopskit::{Environment, Identities};
///
/// let environment = Environment::from_iter([("SOPS_AGE_KEY_FILE", "fixtures/keys/alice.txt")]);
/// let identities = Identities::from_environment(&environment);
/// assert_eq!(identities.recipients().count(), 1);
/// ```
#[derive(Clone)]
pub struct Environment {
    variables: Arc<Variables>,
    system: System,
    commands: bool,
    passphrase: Option<Passphrase>,
}

/// Variables, which can be secret keys: wiped on drop.
struct Variables(BTreeMap<OsString, OsString>);

impl Drop for Variables {
    fn drop(&mut self) {
        for value in self.0.values_mut() {
            std::mem::take(value).into_encoded_bytes().zeroize();
        }
    }
}

impl Environment {
    /// The variables of this process, as they are now.
    #[must_use]
    pub fn process() -> Self {
        std::env::vars_os().collect()
    }

    /// Lets `SOPS_AGE_KEY_CMD` and `SOPS_AGE_SSH_PRIVATE_KEY_CMD` run the programs that they name. They do not, unless this is called.
    #[must_use]
    pub fn with_commands(mut self) -> Self {
        self.commands = true;
        self
    }

    /// Somebody to ask for the passphrases of key files. Nobody is asked, unless this is called; then only for a file that no
    /// other key opens.
    #[must_use]
    pub fn with_passphrase(mut self, passphrase: Passphrase) -> Self {
        self.passphrase = Some(passphrase);
        self
    }

    /// The same variables, but for one.
    ///
    /// ```
    /// use sopskit::{Environment, Identities};
    ///
    /// let environment = Environment::process().with("SOPS_AGE_KEY_FILE", "fixtures/keys/alice.txt");
    /// assert!(Identities::from_environment(&environment).recipients().count() >= 1);
    /// ```
    #[must_use]
    pub fn with(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        let mut variables = Variables(self.variables.0.clone());
        variables.0.insert(name.into(), value.into());
        self.variables = Arc::new(variables);
        self
    }

    /// The value of a variable; an empty one counts as not set.
    pub(crate) fn get(&self, name: &str) -> Option<&OsStr> {
        self.variables.0.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// The user's home directory.
    pub(crate) fn home(&self) -> Option<PathBuf> {
        self.get(if self.system == System::Windows { "USERPROFILE" } else { "HOME" }).map(PathBuf::from)
    }

    /// The directory in which the user's configuration is kept on this system.
    fn config_directory(&self) -> Option<PathBuf> {
        let default = match self.system {
            System::Windows => return self.get("AppData").map(PathBuf::from),
            System::MacOs => "Library/Application Support",
            System::Linux => ".config",
        };
        self.get("XDG_CONFIG_HOME").map(PathBuf::from).or_else(|| self.home().map(|home| home.join(default)))
    }

    /// The file in which sops looks for identities without being told: `sops/age/keys.txt` in the directory for configuration.
    #[must_use]
    pub fn default_key_file(&self) -> Option<PathBuf> {
        self.config_directory().map(|directory| directory.join("sops").join("age").join("keys.txt"))
    }

    /// The directory in which kstlib keeps tokens without being told: `~/.config/kstlib/auth/tokens`, on every system.
    #[cfg(feature = "tokens")]
    #[must_use]
    pub fn default_token_directory(&self) -> Option<PathBuf> {
        self.home().map(|home| home.join(".config").join("kstlib").join("auth").join("tokens"))
    }

    /// The files with identities: each that a variable names, and the default one.
    #[cfg(feature = "doctor")]
    pub(crate) fn key_files(&self) -> Vec<PathBuf> {
        let named = [KEY_FILE, SSH_KEY_FILE].into_iter().filter_map(|name| self.get(name).map(PathBuf::from));
        named.chain(self.default_key_file()).collect()
    }

    /// The first program of this name in the directories of `PATH`.
    #[cfg(feature = "doctor")]
    pub(crate) fn program(&self, name: &str) -> Option<PathBuf> {
        let directories = self.get("PATH").map(std::env::split_paths)?;
        directories.map(|directory| directory.join(name)).find(|program| program.is_file())
    }

    /// The recipients that `SOPS_AGE_RECIPIENTS` names; `None` where it is not set or empty.
    ///
    /// # Errors
    /// As [`Recipients::parse`], and [`ErrorKind::InvalidRecipient`] when the variable is not Unicode.
    pub fn recipients(&self) -> Result<Option<Recipients>> {
        let Some(value) = self.get(RECIPIENTS) else { return Ok(None) };
        let detail = || Error::with_detail(ErrorKind::InvalidRecipient, format!("{RECIPIENTS} is not Unicode"));
        Recipients::parse(value.to_str().ok_or_else(detail)?).map(Some)
    }
}

impl<K: Into<OsString>, V: Into<OsString>> FromIterator<(K, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(variables: I) -> Self {
        let variables = variables.into_iter().map(|(name, value)| (name.into(), value.into()));
        Environment {
            variables: Arc::new(Variables(variables.collect())),
            system: System::HERE,
            commands: false,
            passphrase: None,
        }
    }
}

impl std::fmt::Debug for Environment {
    /// The names only: values can be secret keys.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.variables.0.keys()).finish()
    }
}

impl Identities {
    /// The identities that sops would find, all of them together: SSH keys (feature `ssh`), `SOPS_AGE_KEY`, the file that `SOPS_AGE_KEY_FILE`
    /// names and [`Environment::default_key_file`].
    ///
    /// It runs no program and asks for no passphrase; [`from_environment`](Self::from_environment) can. It cannot fail: what could not be read is told
    /// by the error of a file that nothing opens, and by [`report`](crate::KeyService::report).
    #[must_use]
    pub fn from_env() -> Self {
        Identities::from_environment(&Environment::process())
    }

    /// As [`from_env`](Self::from_env), with other variables than those of the process, or with more leave.
    #[must_use]
    pub fn from_environment(environment: &Environment) -> Self {
        let mut search = Search { environment, identities: Identities::default() };
        search.ssh();
        search.variable();
        search.file(KEY_FILE);
        search.command(KEY_COMMAND);
        match environment.default_key_file() {
            None => search.identities.note("the default key file", "no home directory is known"),
            Some(path) => search.path(&path.display().to_string(), &path),
        }
        search.identities
    }
}

/// A walk through the places where identities can be, in the order of sops.
struct Search<'a> {
    environment: &'a Environment,
    identities: Identities,
}

impl Search<'_> {
    /// SSH keys: named by variables, and those of the user. Without the feature only what was named is worth a line.
    fn ssh(&mut self) {
        if !cfg!(feature = "ssh") {
            for name in [SSH_KEY_FILE, SSH_KEY_COMMAND] {
                if self.environment.get(name).is_some() {
                    self.identities.note(name, "is set, but SSH keys need the feature `ssh` of sopskit");
                }
            }
            return;
        }
        self.file(SSH_KEY_FILE);
        self.command(SSH_KEY_COMMAND);
        for name in ["id_ed25519", "id_rsa"] {
            if let Some(home) = self.environment.home() {
                let path = home.join(".ssh").join(name);
                self.path(&path.display().to_string(), &path);
            }
        }
    }

    fn variable(&mut self) {
        match self.environment.get(KEY).map(OsStr::to_str) {
            None => self.identities.nothing(KEY, "not set"),
            Some(None) => self.identities.note(KEY, "is not Unicode"),
            Some(Some(text)) => drop(self.identities.add(KEY, text, self.environment.passphrase.as_ref())),
        }
    }

    /// The file that a variable names.
    fn file(&mut self, name: &str) {
        match self.environment.get(name).map(Path::new) {
            None => self.identities.nothing(name, "not set"),
            Some(path) => self.path(&format!("{name} ({})", path.display()), path),
        }
    }

    fn path(&mut self, source: &str, path: &Path) {
        self.identities.add_file(source, path, self.environment.passphrase.as_ref());
    }

    /// What the command prints that a variable names; run when it is needed, for each recipient.
    fn command(&mut self, name: &'static str) {
        let Some(command) = self.environment.get(name) else { return self.identities.nothing(name, "not set") };
        if !self.environment.commands {
            return self.identities.note(name, "is set, but running programs was not allowed");
        }
        let (command, environment) = (command.to_owned(), self.environment.clone());
        self.identities.defer(name, true, move |recipient| {
            let bytes = output(&command, &environment, recipient)?;
            let mut identities = Identities::default();
            identities.add_bytes(name, bytes, environment.passphrase.as_ref());
            Ok(identities)
        });
    }
}

/// What a command prints. Its words are told apart as a shell does, but no shell runs.
fn output(command: &OsStr, environment: &Environment, recipient: &str) -> Result<Bytes, String> {
    let text = command.to_str().ok_or("is not Unicode")?;
    let words = words(text).ok_or("has a quote that is not closed")?;
    let (program, arguments) = words.split_first().ok_or("is empty")?;
    let failed = |error: io::Error| format!("{program}: {error}");
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(&environment.variables.0)
        .env(COMMAND_RECIPIENT, recipient)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .map_err(failed)?;
    let printed = child.stdout.take().map(|stdout| fs::read_wiped(stdout.take(MAX_PRINTED), FIRST_ROOM));
    // The pipe is closed now: a program that has more to say ends too.
    let status = child.wait().map_err(failed)?;
    match printed.transpose().map_err(failed)? {
        Some(printed) if status.success() => Ok(printed),
        _ => Err(format!("{program}: {status}")),
    }
}

/// The words of a command line: blanks separate, quotes and backslashes keep together. `None` when a quote is not closed.
fn words(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None | Some('"'), '\\') => word.get_or_insert_default().push(chars.next()?),
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(system: System, variables: &[(&str, &str)]) -> Environment {
        Environment { system, ..variables.iter().copied().collect() }
    }

    #[test]
    fn the_default_key_file_is_where_sops_has_it_on_each_system() {
        let home = [("HOME", "/home/ada"), ("AppData", r"C:\Users\ada\AppData\Roaming")];
        let xdg = [("HOME", "/home/ada"), ("XDG_CONFIG_HOME", "/xdg")];
        for (system, variables, expected) in [
            (System::Linux, &home, "/home/ada/.config/sops/age/keys.txt"),
            (System::Linux, &xdg, "/xdg/sops/age/keys.txt"),
            (System::MacOs, &home, "/home/ada/Library/Application Support/sops/age/keys.txt"),
            (System::MacOs, &xdg, "/xdg/sops/age/keys.txt"),
        ] {
            assert_eq!(on(system, variables).default_key_file().unwrap(), Path::new(expected));
        }
        let windows = on(System::Windows, &home).default_key_file().unwrap();
        assert!(windows.starts_with(r"C:\Users\ada\AppData\Roaming") && windows.ends_with("keys.txt"));
        assert_eq!(on(System::Linux, &[("HOME", "")]).default_key_file(), None);
    }

    #[test]
    fn a_command_line_is_taken_apart_as_a_shell_does() {
        for (text, expected) in [
            ("pass show age", Some(vec!["pass", "show", "age"])),
            ("  a\t'b c'  \"d \\\" e\" f\\ g ''", Some(vec!["a", "b c", "d \" e", "f g", ""])),
            ("a'b'\"c\"", Some(vec!["abc"])),
            ("", Some(vec![])),
            ("'a", None),
            ("a\\", None),
        ] {
            let words = words(text);
            assert_eq!(words.as_ref().map(|words| words.iter().map(String::as_str).collect()), expected, "{text}");
        }
    }
}
