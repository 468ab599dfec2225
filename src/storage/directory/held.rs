//! The token of one provider while nobody else changes it.

use std::fs::File;

use super::{Directory, Form, Guess, MAX_BYTES, SUFFIXES, exists, open};
use crate::error::{Error, ErrorKind, Result};
use crate::fs::{self, LockFile, PrivateFile};
use crate::storage::provider::Provider;

/// The token of one provider, which nobody else changes as long as this lives.
pub(super) struct Held<'a, F> {
    pub(super) directory: &'a Directory<F>,
    pub(super) provider: &'a Provider<'a>,
    pub(super) lock: LockFile,
    pub(super) _files: Vec<Option<File>>,
}

impl<F: Form> Held<'_, F> {
    /// Writes the token file. A token file of another name is then gone.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidToken`] for more than 1 MiB, [`ErrorKind::Write`]. The old file is then as it was.
    pub(super) fn replace(&mut self, content: &[u8]) -> Result<()> {
        let directory = self.directory;
        let stem = self.provider.stem();
        if content.len() > MAX_BYTES {
            return Err(Error::with_detail(ErrorKind::InvalidToken, format!("it takes more than {MAX_BYTES} bytes")));
        }
        if directory.owner(stem)?.as_deref() != Some(self.provider.name()) {
            self.lock.set_note(self.provider.name())?;
        }
        fs::replace_private(&directory.file(self.provider), content, directory.mode)?;
        for other in directory.files(stem, &directory.suffixes[1..]) {
            let read = PrivateFile::read(&other, MAX_BYTES);
            let is_token = matches!(&read, Ok(Some(file)) if Guess::of(&file.bytes) == Guess::Token);
            // It counts no more, so that a failure is no reason to say that nothing was saved.
            if let Err(error) = if is_token { fs::remove(&other) } else { Ok(false) } {
                tracing::warn!("an older token could not be removed: {error}");
            }
        }
        Ok(())
    }

    /// Removes the token. Says whether there was one.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidToken`] for a file that is not called as here, and may be something else; [`ErrorKind::Write`].
    pub(super) fn remove(self) -> Result<bool> {
        let directory = self.directory;
        let mut files = vec![directory.file(self.provider)];
        for other in directory.files(self.provider.stem(), &directory.suffixes[1..]) {
            let Some(file) = open(&other)? else { continue };
            if Guess::of(&file.bytes) != Guess::Token {
                let detail = "it may be something else, remove it by hand";
                return Err(Error::with_detail(ErrorKind::InvalidToken, detail).in_file(&other));
            }
            files.push(other);
        }
        let mut removed = false;
        // The one that counts last, so that no older token counts again when this ends in between.
        for file in files.into_iter().rev() {
            removed |= fs::remove(&file)?;
        }
        self.release()?;
        Ok(removed)
    }

    /// Lets go, and leaves no lock file behind where there is no token. (The name is still needed where the token of another storage lies beside it.)
    ///
    /// # Errors
    /// [`ErrorKind::Write`].
    pub(super) fn release(self) -> Result<()> {
        match exists(self.directory.files(self.provider.stem(), &SUFFIXES)) {
            true => Ok(()),
            false => self.lock.remove(),
        }
    }
}
