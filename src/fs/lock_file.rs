//! A lock that lies in a file of its own, for files that do not always exist.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::lock;
use crate::error::{Error, ErrorKind, Result};

/// The longest note that is read, in bytes.
const MAX_NOTE: u64 = 1024;

/// A lock file that this process holds. It can bear a note, which readers need no lock for.
pub(crate) struct LockFile {
    file: File,
    path: PathBuf,
}

impl LockFile {
    /// Waits for the lock, but not longer than `wait`. The file is made where there is none, readable by its owner only.
    ///
    /// # Errors
    /// [`ErrorKind::Write`], [`ErrorKind::Busy`].
    pub(crate) fn acquire(path: &Path, wait: Duration) -> Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let attempt = || {
            let file = options.open(path)?;
            Ok(lock::try_lock(&file, path)?.then_some(file))
        };
        let file = lock::wait_for(path, wait, || attempt().map_err(|error| Error::io(ErrorKind::Write, path, error)))?;
        Ok(LockFile { file, path: path.to_owned() })
    }

    /// Replaces the note.
    ///
    /// # Errors
    /// [`ErrorKind::Write`].
    pub(crate) fn set_note(&mut self, note: &str) -> Result<()> {
        let mut write = || {
            self.file.set_len(0)?;
            self.file.rewind()?;
            // In one call, so that a reader sees none of it or all.
            self.file.write_all(note.as_bytes())
        };
        write().map_err(|error| Error::io(ErrorKind::Write, &self.path, error))
    }

    /// Removes the file, and with it the lock: whoever waits for it makes a new one.
    ///
    /// # Errors
    /// [`ErrorKind::Write`].
    pub(crate) fn remove(self) -> Result<()> {
        fs::remove_file(&self.path).map_err(|error| Error::io(ErrorKind::Write, &self.path, error))
    }
}

/// The note of a lock file; `None` without file or note.
///
/// # Errors
/// [`ErrorKind::Read`].
pub(crate) fn read_note(path: &Path) -> Result<Option<String>> {
    let mut note = String::new();
    match File::open(path).and_then(|file| file.take(MAX_NOTE).read_to_string(&mut note)) {
        Ok(_) => Ok(Some(note).filter(|note| !note.is_empty())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io(ErrorKind::Read, path, error)),
    }
}
