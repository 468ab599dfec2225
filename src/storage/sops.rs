//! Tokens in SOPS files.

mod plan;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::directory::{Directory, Form, SEALED, SEALED_OTHERWISE};
use super::provider::Provider;
use super::{Token, TokenStatus, TokenStorage};
#[cfg(feature = "config")]
use crate::config::Config;
use crate::document::{Document, EncryptedDocument};
use crate::error::Result;
use crate::keys::{Cache, KeyService, Recipients};
use crate::secret::{Bytes, on_wiped_stack};

pub(super) use plan::Plan;

/// The mode of a token file: nobody, its owner included, writes into it. It is replaced.
const MODE: u32 = 0o400;

/// Tokens in SOPS files `{provider}.token.sops.json` of mode 0400, in a directory of mode 0700.
///
/// The secrets of a token (`access_token`, `refresh_token`, `id_token` and `metadata`) are encrypted. Its type, times and scopes are in clear, covered by the
/// MAC like all the rest, so that [`status`](TokenStorage::status) needs no key; [`encrypt_all`](Self::encrypt_all) encrypts them too.
///
/// No plaintext goes to the disk. One process and thread at a time writes the token of a provider, and a reader sees the old one or the new one. Files and
/// directories that other users can write are refused; of those that they can read, `tracing` warns once. A token in a file `{provider}.sops.json` is
/// read where there is none of the name above, and replaced by one on the next save. (A file of that name with something else in it is left alone.)
///
/// The MAC binds the values of a file to each other, not the file to its name: whoever can write in the directory can call one token's file as another's.
///
/// In the names of files, what is no letter, digit, `-` or `_` becomes `_`. Of two providers whose names become the same, the second is refused
/// ([`ErrorKind::ProviderTaken`](crate::ErrorKind::ProviderTaken)).
///
/// ```
/// use sopskit::{Identities, Recipients, SopsStorage, Token, TokenStorage};
///
/// # let folder = tempfile::tempdir()?;
/// # let directory = folder.path().join("tokens");
/// let identities = Identities::from_file("fixtures/keys/alice.txt")?; // or Identities::from_env()
/// let recipients = Recipients::parse("age1w7873r7u6vgwnvm3rx5jmsc2eeahce2wce5w94d04r5qu0y6nyysemjf6a")?;
/// # let recipients = Recipients::parse(identities.recipients().next().unwrap())?;
/// let tokens = SopsStorage::new(directory, recipients, identities);
/// tokens.save("github", &Token::new("gho_1"))?;
/// assert_eq!(tokens.load("github")?.unwrap().access_token(), "gho_1");
/// assert!(tokens.load("gitlab")?.is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SopsStorage {
    directory: Directory<Sealed>,
}

impl SopsStorage {
    /// The tokens in a directory, encrypted for these recipients. The directory is made when the first token is saved.
    ///
    /// The keys, as a rule [`Identities`](crate::Identities), open the tokens; who only saves needs none.
    #[must_use]
    pub fn new(
        directory: impl Into<PathBuf>,
        recipients: Recipients,
        keys: impl KeyService + Send + Sync + 'static,
    ) -> Self {
        SopsStorage::with_plan(directory.into(), Plan::for_recipients(recipients), Box::new(keys))
    }

    /// The tokens in a directory, each encrypted as the creation rule says that matches the path of **its own file**.
    ///
    /// Which fields are encrypted is told by the rule too, if it has one of the fields for that; a rule that would leave a secret of a token in clear is refused
    /// ([`ErrorKind::SecretInClear`](crate::ErrorKind::SecretInClear)). The MAC covers all values, whatever the rule says. Feature `config`.
    #[cfg(feature = "config")]
    #[must_use]
    pub fn with_config(
        directory: impl Into<PathBuf>,
        config: Config,
        keys: impl KeyService + Send + Sync + 'static,
    ) -> Self {
        SopsStorage::with_plan(directory.into(), Plan::by_config(config), Box::new(keys))
    }

    pub(super) fn with_plan(directory: PathBuf, plan: Plan, keys: Box<dyn KeyService + Send + Sync>) -> Self {
        let form = Sealed { plan, keys, cache: Cache::new(0) };
        SopsStorage { directory: Directory::new(form, directory, &[SEALED, SEALED_OTHERWISE], MODE) }
    }

    /// Encrypts every field, unless a creation rule says otherwise.
    #[must_use]
    pub fn encrypt_all(mut self) -> Self {
        self.directory.form.plan.encrypt_all = true;
        self
    }

    /// Remembers the data keys of the `files` that were loaded last, so that the next load of one that did not change needs no identity. (A file with
    /// several key groups takes as many places as groups are needed.) Off unless this is called. They are wiped when the storage is dropped.
    #[must_use]
    pub fn cache_data_keys(mut self, files: usize) -> Self {
        self.directory.form.cache = Cache::new(files);
        self
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

/// Tokens as encrypted documents.
struct Sealed {
    plan: Plan,
    keys: Box<dyn KeyService + Send + Sync>,
    cache: Cache,
}

impl Form for Sealed {
    fn read(&self, bytes: Bytes) -> Result<Token> {
        let keys = self.cache.before(&*self.keys);
        on_wiped_stack(|| Token::take_from(EncryptedDocument::from_bytes(bytes)?.decrypt_tree(&keys)?))
    }

    fn write(&self, token: &Token, path: &Path) -> Result<Bytes> {
        let tree = token.to_tree()?;
        let (options, recipients) = self.plan.of(&tree, path)?;
        let document = Document::with_key_service(tree, &recipients, &options, &*self.keys)?;
        Ok(Bytes::from(document.encrypt_to_text()?.into_bytes()))
    }
}

impl TokenStorage for SopsStorage {
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

    fn status(&self, provider: &str) -> Result<Option<TokenStatus>> {
        let Some((path, bytes)) = self.directory.read(&Provider::new(provider)?)? else { return Ok(None) };
        let sealed = EncryptedDocument::from_bytes(bytes).map_err(|error| error.in_file(&path))?;
        Ok(Some(TokenStatus::of_sealed(&sealed)))
    }
}

impl fmt::Debug for SopsStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SopsStorage").field("directory", &self.directory()).finish_non_exhaustive()
    }
}
