//! Files and directories that are nobody's business but their owner's.

use std::fs::{self, DirBuilder, File, Metadata};
use std::io::{self, Read as _};
use std::path::Path;
use std::time::Duration;

use super::{lock, read_wiped, temporary};
use crate::error::{Error, ErrorKind, Result};
use crate::secret::Bytes;

/// Whether others than the owner can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readers {
    Owner,
    Others,
}

/// Reads a file of at most `limit` bytes that only this user, or root, can write. `None` where there is none.
///
/// # Errors
/// [`ErrorKind::NotPrivate`], [`ErrorKind::Read`].
pub(crate) fn read_private(path: &Path, limit: usize) -> Result<Option<(Bytes, Readers)>> {
    let read = || {
        // Looked at first: to open a pipe is to wait for its other end.
        if !fs::metadata(path)?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
        }
        let file = File::open(path)?;
        let about = file.metadata()?;
        let length = usize::try_from(about.len()).unwrap_or(usize::MAX).min(limit);
        let bytes = read_wiped(file.take(limit as u64 + 1), length)?;
        if bytes.len() > limit {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("it is longer than {limit} bytes")));
        }
        Ok((bytes, about))
    };
    match read() {
        Ok((bytes, about)) => Ok(Some((bytes, readers(path, &about)?))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io(ErrorKind::Read, path, error)),
    }
}

/// Looks at a directory in which only this user, or root, may write. `None` where there is none.
///
/// # Errors
/// [`ErrorKind::NotPrivate`], [`ErrorKind::Read`].
pub(crate) fn check_directory(path: &Path) -> Result<Option<Readers>> {
    match fs::metadata(path) {
        Ok(about) if about.is_dir() => readers(path, &about).map(Some),
        Ok(_) => Err(Error::io(ErrorKind::Read, path, io::ErrorKind::NotADirectory.into())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io(ErrorKind::Read, path, error)),
    }
}

/// Looks at a file that only this user, or root, may write. `None` where there is none.
///
/// # Errors
/// [`ErrorKind::NotPrivate`], [`ErrorKind::Read`].
#[cfg(feature = "doctor")]
pub(crate) fn check_private(path: &Path) -> Result<Option<Readers>> {
    match fs::metadata(path) {
        Ok(about) => readers(path, &about).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io(ErrorKind::Read, path, error)),
    }
}

/// Sets the mode of a file or directory. Links are not followed.
///
/// # Errors
/// [`ErrorKind::Write`].
#[cfg(feature = "doctor")]
pub(crate) fn set_mode(path: &Path, mode: u32) -> Result<()> {
    let set = || {
        if fs::symlink_metadata(path)?.is_symlink() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is a link"));
        }
        #[cfg(unix)]
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode))?;
        #[cfg(not(unix))]
        let _ = mode;
        Ok(())
    };
    set().map_err(|error| Error::io(ErrorKind::Write, path, error))
}

/// Makes a directory, and those above it, for its owner only.
///
/// # Errors
/// [`ErrorKind::Write`].
pub(crate) fn create_directory(path: &Path) -> Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|error| Error::io(ErrorKind::Write, path, error))
}

/// Makes a file of this mode, or replaces one, whole or not at all. It never has a wider mode. While an existing file is replaced its lock is held,
/// so that [`edit_file`](crate::edit_file) and this take turns; `wait` is for that.
///
/// # Errors
/// [`ErrorKind::Write`], [`ErrorKind::Busy`].
pub(crate) fn replace_private(path: &Path, content: &[u8], mode: u32, wait: Duration) -> Result<()> {
    let unwritable = |error| Error::io(ErrorKind::Write, path, error);
    let target = match fs::symlink_metadata(path) {
        Ok(_) => fs::canonicalize(path).map_err(unwritable)?,
        Err(_) => path.to_owned(),
    };
    let _held = lock::hold(&target, wait)?;
    temporary::replace(&target, content, Some(mode), || Ok(())).map_err(unwritable)
}

/// Finds out whether a file of this length could be written beside `path`, as far as that shows before it is.
///
/// # Errors
/// [`ErrorKind::Write`].
pub(crate) fn rehearse(path: &Path, length: usize) -> Result<()> {
    temporary::rehearse(path, length).map_err(|error| Error::io(ErrorKind::Write, path, error))
}

/// Removes a file, while its lock is held. Says whether there was one.
///
/// # Errors
/// [`ErrorKind::Write`], [`ErrorKind::Busy`].
pub(crate) fn remove(path: &Path, wait: Duration) -> Result<bool> {
    let _held = lock::hold(path, wait)?;
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::io(ErrorKind::Write, path, error)),
    }
}

/// # Errors
/// [`ErrorKind::NotPrivate`] when others can write what this is about.
#[cfg(unix)]
fn readers(path: &Path, about: &Metadata) -> Result<Readers> {
    use std::os::unix::fs::MetadataExt as _;
    let refuse = |why: String| Err(Error::with_detail(ErrorKind::NotPrivate, why).in_file(path));
    let mode = about.mode() & 0o777;
    let own = rustix::process::geteuid().as_raw();
    if ![own, 0].contains(&about.uid()) {
        return refuse(format!("it belongs to user {}, and this is user {own}", about.uid()));
    }
    if mode & 0o022 != 0 {
        let quoted = path.display();
        return refuse(format!("its mode is {mode:03o}; look at who changed it, then run: chmod go-w '{quoted}'"));
    }
    Ok(if mode & 0o044 == 0 { Readers::Owner } else { Readers::Others })
}

/// Elsewhere modes say nothing.
#[cfg(not(unix))]
#[allow(clippy::unnecessary_wraps, reason = "as the other one")]
fn readers(_: &Path, _: &Metadata) -> Result<Readers> {
    Ok(Readers::Owner)
}
