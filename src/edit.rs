//! One file is read, changed and written back, by one writer at a time.

use std::path::Path;
use std::time::Duration;

use crate::document::{Document, EncryptedDocument, Limits};
use crate::error::{Error, ErrorKind, Result};
use crate::fs::Locked;
use crate::keys::KeyService;

/// How long [`edit_file`] waits for another writer: 30 seconds.
const WAIT: Duration = Duration::from_secs(30);

/// Changes a file in place: reads it under a lock, decrypts it, lets `edit` change the document, and replaces the file whole.
///
/// One writer of this crate is at work at a time, be it a thread or a process; readers need no lock and see the old file or the new one. When `edit`
/// fails, or changes nothing, nothing is written. All leaves that it does not touch keep their exact text. [`EditOptions`] has more choices.
///
/// ```
/// use sopskit::Identities;
///
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("secrets.enc.json");
/// # std::fs::copy("fixtures/3.13.2/token-like/sealed.json", &path)?;
/// let identities = Identities::from_file("fixtures/keys/alice.txt")?;
/// sopskit::edit_file(&path, &identities, |document| document.set(r#"["extra"]["account"]"#, "someone"))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// What `edit` answers. [`ErrorKind::Busy`] after 30 seconds without the lock; [`ErrorKind::Conflict`] when a program that honours no lock, such as the sops
/// CLI, changed the file meanwhile; [`ErrorKind::Read`], [`ErrorKind::Write`], and those of [`EncryptedDocument::parse`], [`EncryptedDocument::decrypt`] and
/// [`Document::encrypt`]. The file is then as it was.
pub fn edit_file<T, E: From<Error>>(
    path: impl AsRef<Path>,
    keys: &dyn KeyService,
    edit: impl FnMut(&mut Document) -> Result<T, E>,
) -> Result<T, E> {
    EditOptions::new().edit_file(path, keys, edit)
}

/// How a file is edited in place, where the defaults of [`edit_file`] are not wanted.
///
/// ```
/// use std::time::Duration;
///
/// use sopskit::{EditOptions, Identities};
///
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("secrets.enc.json");
/// # std::fs::copy("fixtures/3.13.2/token-like/sealed.json", &path)?;
/// let identities = Identities::from_file("fixtures/keys/alice.txt")?;
/// let options = EditOptions::new().wait(Duration::from_secs(5)).retries(3);
/// options.edit_file(&path, &identities, |document| document.unset(r#"["extra"]"#))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct EditOptions {
    wait: Duration,
    retries: u32,
    ignore_mac: bool,
    limits: Limits,
}

impl Default for EditOptions {
    fn default() -> Self {
        EditOptions { wait: WAIT, retries: 0, ignore_mac: false, limits: Limits::new() }
    }
}

impl EditOptions {
    /// The defaults of [`edit_file`].
    #[must_use]
    pub fn new() -> Self {
        EditOptions::default()
    }

    /// How long to wait for another writer; zero is one try.
    #[must_use]
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// How often to start again when another program changed the file meanwhile. The edit then runs anew, on the new content.
    #[must_use]
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// Whether to take a file whose MAC does not fit: see [`EncryptedDocument::decrypt_ignoring_mac`]. What is written has one that fits.
    #[must_use]
    pub fn ignore_mac(mut self, ignore: bool) -> Self {
        self.ignore_mac = ignore;
        self
    }

    /// How much of the file is taken, where the default [`Limits`] are too much or too little; more is
    /// [`ErrorKind::TooLarge`].
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// As [`edit_file`].
    ///
    /// # Errors
    /// As [`edit_file`].
    pub fn edit_file<T, E: From<Error>>(
        &self,
        path: impl AsRef<Path>,
        keys: &dyn KeyService,
        mut edit: impl FnMut(&mut Document) -> Result<T, E>,
    ) -> Result<T, E> {
        let path = path.as_ref();
        self.locked(path, |sealed| {
            let opened = if self.ignore_mac { sealed.decrypt_ignoring_mac(keys) } else { sealed.decrypt(keys) };
            let mut document = opened.map_err(|error| error.in_file(path))?;
            let answer = edit(&mut document)?;
            if !document.is_changed() {
                return Ok((answer, None));
            }
            let text = document.encrypt_to_text().map_err(|error| error.in_file(path))?;
            Ok((answer, Some(text)))
        })
    }

    /// Changes the master keys of a file in place, by [`EncryptedDocument::update_keys`] or the like: `edit` says whether anything changed, and values are not looked at.
    ///
    /// # Errors
    /// As [`edit_file`].
    pub fn edit_sealed_file<E: From<Error>>(
        &self,
        path: impl AsRef<Path>,
        mut edit: impl FnMut(&mut EncryptedDocument) -> Result<bool, E>,
    ) -> Result<bool, E> {
        let path = path.as_ref();
        self.locked(path, |mut sealed| {
            if !edit(&mut sealed)? {
                return Ok((false, None));
            }
            let mut text = sealed.to_text().map_err(|error| error.in_file(path))?;
            Ok((true, Some(std::mem::take(&mut *text))))
        })
    }

    fn locked<T, E: From<Error>>(
        &self,
        path: &Path,
        mut edit: impl FnMut(EncryptedDocument) -> Result<(T, Option<String>), E>,
    ) -> Result<T, E> {
        let mut retries = self.retries;
        loop {
            let (file, content) = Locked::open(path, self.wait)?;
            let sealed = EncryptedDocument::from_bytes_with_limits(content, &self.limits);
            let sealed = sealed.map_err(|error| error.in_file(path))?;
            let read = sealed.text_read();
            let (answer, text) = edit(sealed)?;
            let Some(text) = text else { return Ok(answer) };
            match file.replace(read.as_deref().unwrap_or_default().as_bytes(), text.as_bytes()) {
                Ok(()) => return Ok(answer),
                Err(error) if error.kind() == ErrorKind::Conflict && retries > 0 => retries -= 1,
                Err(error) => return Err(error.into()),
            }
        }
    }
}
