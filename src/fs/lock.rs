//! A file that is locked while it is read, changed and written.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use fs4::{FileExt, TryLockError};
use rand::Rng as _;

use super::{Links, open_at_once, read_whole, temporary};
use crate::error::{Error, ErrorKind, Result};
use crate::secret::Bytes;

/// How long a pause between two tries for the lock is at most.
const MAX_PAUSE: Duration = Duration::from_millis(8);

/// A file that no other process and thread of this crate writes. The lock is one of the operating system on the file itself, so that
/// it ends with the process and leaves nothing behind.
pub(crate) struct Locked {
    /// The file as the caller names it, for errors.
    path: PathBuf,
    /// What is replaced: where links lead to.
    target: PathBuf,
    // Held open, and with it the lock.
    _file: File,
}

impl Locked {
    /// Waits for the lock of a file, but not longer than `wait`, and reads the file: it, and its content.
    ///
    /// # Errors
    /// [`ErrorKind::Read`], [`ErrorKind::Busy`].
    pub(crate) fn open(path: &Path, wait: Duration) -> Result<(Self, Bytes)> {
        let unreadable = |error| Error::io(ErrorKind::Read, path, error);
        let (target, file) = wait_for(path, wait, || attempt(path).map_err(unreadable))?;
        let about = file.metadata().map_err(unreadable)?;
        let read = || {
            may_fail!(Read);
            read_whole(&file, &about)
        };
        let content = read().map_err(unreadable)?;
        Ok((Locked { path: path.to_owned(), target, _file: file }, content))
    }

    /// Replaces the file, unless somebody who honours no lock has changed it since `read` was read.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`], [`ErrorKind::Write`]. The file is then as it was.
    pub(crate) fn replace(self, read: &[u8], content: &[u8]) -> Result<()> {
        let mut conflict = false;
        let holds_the_same = || -> io::Result<bool> {
            may_fail!(ReadAgain);
            if !fs::symlink_metadata(&self.target)?.is_file() {
                return Ok(false);
            }
            // Something else can be there by now.
            let (file, about) = open_at_once(&self.target, OpenOptions::new().read(true), Links::Refuse)?;
            Ok(about.is_file() && super::holds(&file, read)?)
        };
        let unchanged = || match holds_the_same() {
            Ok(true) => Ok(()),
            // That it cannot be read any more says nothing of what is in it.
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => {
                conflict = true;
                Err(io::ErrorKind::InvalidData.into())
            }
        };
        let written = temporary::replace(&self.target, content, None, unchanged);
        if conflict {
            return Err(Error::new(ErrorKind::Conflict).in_file(&self.path));
        }
        written.map_err(|error| Error::io(ErrorKind::Write, &self.path, error))
    }
}

/// Calls `attempt` until it has an answer, but not longer than `wait`.
pub(super) fn wait_for<T>(path: &Path, wait: Duration, mut attempt: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    // Later than any clock shows is never.
    let deadline = Instant::now().checked_add(wait);
    loop {
        if let Some(answer) = attempt()? {
            return Ok(answer);
        }
        let left = deadline.map_or(Duration::MAX, |at| at.saturating_duration_since(Instant::now()));
        if left.is_zero() {
            let detail = format!("it did not become free within {} seconds", wait.as_secs_f32());
            return Err(Error::with_detail(ErrorKind::Busy, detail).in_file(path));
        }
        // Of random length, so that of several that wait each gets its turn.
        thread::sleep(rand::thread_rng().gen_range(Duration::from_micros(500)..MAX_PAUSE).min(left));
    }
}

/// Holds the lock of a file as long as what it answers lives; `None` where there is no file.
///
/// # Errors
/// [`ErrorKind::Write`], [`ErrorKind::Busy`].
#[cfg(feature = "tokens")]
pub(crate) fn hold(path: &Path, wait: Duration) -> Result<Option<File>> {
    wait_for(path, wait, || match attempt(path) {
        Ok(held) => Ok(held.map(|(_, file)| Some(file))),
        Err(error) if error.kind() == io::ErrorKind::NotFound || cannot_lock(&error) => Ok(Some(None)),
        Err(error) => Err(Error::io(ErrorKind::Write, path, error)),
    })
}

/// Whether a file system has no locks, or none for a file that is open for reading only, as NFS. Savers of tokens exclude each other by their lock
/// file all the same.
#[cfg(feature = "tokens")]
fn cannot_lock(error: &io::Error) -> bool {
    #[cfg(unix)]
    return [rustix::io::Errno::BADF, rustix::io::Errno::NOLCK, rustix::io::Errno::OPNOTSUPP]
        .iter()
        .any(|code| error.raw_os_error() == Some(code.raw_os_error()));
    #[cfg(not(unix))]
    return error.kind() == io::ErrorKind::Unsupported;
}

/// Tries to lock an existing file: where its path leads to, and the file. `None` when somebody else holds it.
fn attempt(path: &Path) -> io::Result<Option<(PathBuf, File)>> {
    let target = fs::canonicalize(path)?;
    let irregular =
        || io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file, and cannot be edited in place");
    // Looked at first, because a device can take it for an order to be opened; and once more, because something else can be there by then.
    if !fs::metadata(&target)?.is_file() {
        return Err(irregular());
    }
    match open(&target) {
        Ok((_, about)) if !about.is_file() => Err(irregular()),
        Ok((file, _)) => Ok(try_lock(&file, &target)?.then_some((target, file))),
        // Another program, as a file server, has a lease of it and is asked to give it back.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether the lock of a file was free, and the file is still the one at its path: it can have been replaced while this process waited.
pub(super) fn try_lock(file: &File, path: &Path) -> io::Result<bool> {
    may_fail!(LockTarget);
    match FileExt::try_lock(file) {
        Ok(()) => Ok(is_still_at(file, path)),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Opens a file for its lock. NFS locks only what is open for writing; a file that nobody may write in place can be replaced all the same.
fn open(path: &Path) -> io::Result<(File, Metadata)> {
    may_fail!(OpenTarget);
    match open_at_once(path, OpenOptions::new().read(true).write(true), Links::Refuse) {
        Err(error) if [io::ErrorKind::PermissionDenied, io::ErrorKind::ReadOnlyFilesystem].contains(&error.kind()) => {
            open_at_once(path, OpenOptions::new().read(true), Links::Refuse)
        }
        opened => opened,
    }
}

/// Whether an open file is the one that its path leads to.
pub(super) fn is_still_at(file: &File, path: &Path) -> bool {
    is_what(file, fs::metadata(path))
}

/// Whether an open file is what was found somewhere.
pub(super) fn is_what(file: &File, there: io::Result<Metadata>) -> bool {
    there.is_ok_and(|there| file.metadata().is_ok_and(|open| is_same(&open, &there)))
}

/// Whether two files, one of them held open, are one.
#[cfg(unix)]
pub(super) fn is_same(open: &Metadata, there: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (open.dev(), open.ino()) == (there.dev(), there.ino())
}

/// Elsewhere a file that is open cannot be replaced, and so still is the one.
#[cfg(not(unix))]
pub(super) fn is_same(_: &Metadata, _: &Metadata) -> bool {
    true
}
