//! Storages by name, as settings give it.
//!
//! Source: `get_token_storage` in `kstlib/auth/token.py`, `get_token_storage_from_config` in `kstlib/auth/config.py`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::sops::Plan;
use super::{FileStorage, MemoryStorage, SopsStorage, TokenStorage, WAIT};
#[cfg(feature = "config")]
use crate::config::Config;
use crate::error::{Error, ErrorKind, Result};
use crate::keys::{Environment, Identities, KeyService, Recipients};

const MEMORY: &str = "memory";
const FILE: &str = "file";
const SOPS: &str = "sops";

/// The storage of this name: `memory`, `file` or `sops`.
///
/// ```
/// use sopskit::{Environment, StorageOptions, Token, open_storage};
///
/// # let folder = tempfile::tempdir()?;
/// # let directory = folder.path().join("tokens");
/// let environment = Environment::process();
/// # let environment = Environment::from_iter([("SOPS_AGE_KEY_FILE", "fixtures/keys/alice.txt"),
/// #     ("SOPS_AGE_RECIPIENTS", "age17tfxv44858ap3p7e2ce9kztrnyvvjknqd83gp5jen4rt50j4c45q9f4ku0")]);
/// let tokens = open_storage("sops", StorageOptions::new(environment).directory(directory))?;
/// tokens.save("github", &Token::new("gho_1"))?;
/// assert_eq!(tokens.list()?, ["github"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`ErrorKind::UnknownStorage`] for any other name; [`ErrorKind::InvalidRecipient`] for what `SOPS_AGE_RECIPIENTS` holds; [`ErrorKind::Read`] when neither a
/// directory nor a home directory is known.
pub fn open_storage(kind: &str, options: StorageOptions) -> Result<Box<dyn TokenStorage>> {
    Ok(match kind {
        MEMORY => Box::new(MemoryStorage::new().wait(options.wait)),
        FILE => Box::new(FileStorage::new(options.place()?).wait(options.wait)),
        SOPS => Box::new(options.sops()?),
        other => {
            let detail = format!("{other:?}; there are {MEMORY:?}, {FILE:?} and {SOPS:?}");
            return Err(Error::with_detail(ErrorKind::UnknownStorage, detail));
        }
    })
}

/// What [`open_storage`] needs to know, beside the name of the storage.
///
/// What is not said is taken from the environment: identities as [`Identities::from_environment`] finds them, recipients from `SOPS_AGE_RECIPIENTS` or else from the creation rule
/// (feature `config`) that matches the path of the token's file. The config file is the one that `SOPS_CONFIG` names, or else the first `.sops.yaml` from the directory of the tokens upward, or the one in
/// the home directory. The working directory does not count: it can be that of a project with other recipients.
pub struct StorageOptions {
    environment: Environment,
    directory: Option<PathBuf>,
    recipients: Option<Recipients>,
    keys: Option<Box<dyn KeyService + Send + Sync>>,
    #[cfg(feature = "config")]
    config: Option<Config>,
    wait: Duration,
    encrypt_all: bool,
}

impl StorageOptions {
    /// Everything from this environment.
    #[must_use]
    pub fn new(environment: Environment) -> Self {
        StorageOptions {
            environment,
            directory: None,
            recipients: None,
            keys: None,
            #[cfg(feature = "config")]
            config: None,
            wait: WAIT,
            encrypt_all: false,
        }
    }

    /// Where the files are. A `~` in front is the home directory. Without this it is [`Environment::default_token_directory`].
    #[must_use]
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// For whom tokens are encrypted.
    #[must_use]
    pub fn recipients(mut self, recipients: Recipients) -> Self {
        self.recipients = Some(recipients);
        self
    }

    /// What opens the tokens.
    #[must_use]
    pub fn keys(mut self, keys: impl KeyService + Send + Sync + 'static) -> Self {
        self.keys = Some(Box::new(keys));
        self
    }

    /// The config file whose creation rules count. Feature `config`.
    #[cfg(feature = "config")]
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = Some(config);
        self
    }

    /// How long to wait for another process or thread that is at work on the same provider: 30 seconds, unless this says otherwise.
    #[must_use]
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// Encrypts every field, unless a creation rule says otherwise.
    #[must_use]
    pub fn encrypt_all(mut self) -> Self {
        self.encrypt_all = true;
        self
    }

    fn place(&self) -> Result<PathBuf> {
        let place = match &self.directory {
            Some(directory) => match directory.strip_prefix("~") {
                Ok(rest) => self.environment.home().map(|home| home.join(rest)),
                Err(_) => Some(directory.clone()),
            },
            None => self.environment.default_token_directory(),
        };
        place.ok_or_else(|| {
            let error = std::io::Error::new(std::io::ErrorKind::NotFound, "no home directory is known");
            Error::io(ErrorKind::Read, self.directory.as_deref().unwrap_or(Path::new("~")), error)
        })
    }

    fn sops(self) -> Result<SopsStorage> {
        let directory = self.place()?;
        let recipients = match self.recipients {
            Some(recipients) => Some(recipients),
            None => self.environment.recipients()?,
        };
        let keys = self.keys.unwrap_or_else(|| Box::new(Identities::from_environment(&self.environment)));
        let mut plan = Plan::by_search(recipients, self.environment);
        #[cfg(feature = "config")]
        if let Some(config) = self.config {
            plan = plan.with_config(config);
        }
        plan.encrypt_all = self.encrypt_all;
        Ok(SopsStorage::with_plan(directory, plan, keys).wait(self.wait))
    }
}

impl std::fmt::Debug for StorageOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StorageOptions")
            .field("directory", &self.directory)
            .field("recipients", &self.recipients)
            .finish_non_exhaustive()
    }
}

/// The settings of token storage that kstlib has in its table `auth`: which storage, and where. All other settings in the table are passed over.
///
/// ```
/// use sopskit::{Environment, StorageOptions, StorageSettings};
///
/// #[derive(serde::Deserialize)]
/// struct Settings {
///     auth: StorageSettings,
/// }
///
/// # let folder = tempfile::tempdir()?;
/// let text = r#"{"auth": {
///     "token_storage": "sops",
///     "storage": {"sops": {"directory": "~/tokens"}},
///     "providers": {"test": {"issuer": "https://idp.example.com", "token_storage": "memory"}}
/// }}"#;
/// let settings: Settings = serde_json::from_str(text)?;
/// assert_eq!(settings.auth.kind(Some("test")), "memory");
/// assert_eq!(settings.auth.kind(None), "sops");
///
/// let environment = Environment::from_iter([("HOME", folder.path())]);
/// let tokens = settings.auth.open(None, StorageOptions::new(environment))?; // in ~/tokens
/// assert!(tokens.list()?.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct StorageSettings {
    token_storage: Option<String>,
    storage: Option<Storages>,
    providers: Option<Providers>,
}

/// The providers: by name, or, as in older settings, a list with names.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
enum Providers {
    Table(BTreeMap<String, Option<ProviderSettings>>),
    List(Vec<ProviderSettings>),
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
struct Storages {
    file: Option<StorageTable>,
    sops: Option<StorageTable>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
struct StorageTable {
    directory: Option<PathBuf>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
struct ProviderSettings {
    name: Option<String>,
    token_storage: Option<String>,
}

impl StorageSettings {
    /// The name of the storage: that of the provider if its own settings have one, else that of all; `memory` where nothing is said.
    #[must_use]
    pub fn kind(&self, provider: Option<&str>) -> &str {
        let settings = |name: &str| match self.providers.as_ref()? {
            Providers::Table(table) => table.get(name)?.as_ref(),
            Providers::List(list) => list.iter().find(|settings| settings.name.as_deref() == Some(name)),
        };
        let own = provider.and_then(|name| settings(name)?.token_storage.as_deref());
        own.or(self.token_storage.as_deref()).unwrap_or(MEMORY)
    }

    /// Opens the storage. The directory is the one of the settings, unless `options` name another.
    ///
    /// # Errors
    /// As [`open_storage`].
    pub fn open(&self, provider: Option<&str>, mut options: StorageOptions) -> Result<Box<dyn TokenStorage>> {
        let kind = self.kind(provider);
        let table = self.storage.as_ref().and_then(|storage| match kind {
            FILE => storage.file.as_ref(),
            SOPS => storage.sops.as_ref(),
            _ => None,
        });
        options.directory = options.directory.or_else(|| table?.directory.clone());
        open_storage(kind, options)
    }
}
