//! Files and directories that are nobody's business but their owner's.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use super::{Links, lock, no_regular_file, open_at_once, read_limited, temporary};
use crate::error::{Error, ErrorKind, Result};
use crate::secret::Bytes;

/// Whether others than the owner can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readers {
    Owner,
    Others,
}

/// A file that only this user, or root, can write, and what was in it. Held open, so that it can be told from one that takes its place.
pub(crate) struct PrivateFile {
    pub(crate) bytes: Bytes,
    pub(crate) readers: Readers,
    about: Metadata,
    _file: File,
}

impl PrivateFile {
    /// Reads a file of at most `limit` bytes. `None` where there is none.
    ///
    /// # Errors
    /// [`ErrorKind::NotPrivate`], [`ErrorKind::Read`], also for a link that leads nowhere.
    pub(crate) fn read(path: &Path, limit: usize) -> Result<Option<Self>> {
        let read = || {
            let (file, about) = open_at_once(path, OpenOptions::new().read(true), Links::Follow)?;
            if !about.is_file() {
                return Err(no_regular_file());
            }
            may_fail!(Read);
            let bytes = read_limited(&file, &about, limit)?;
            Ok((file, bytes, about))
        };
        match read() {
            Ok((file, bytes, about)) => {
                Ok(Some(PrivateFile { bytes, readers: readers(path, &about)?, about, _file: file }))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && !is_link(path) => Ok(None),
            Err(error) => Err(Error::io(ErrorKind::Read, path, error)),
        }
    }

    /// Whether no other file has taken its place, and it was not removed.
    pub(crate) fn is_still_at(&self, path: &Path) -> bool {
        fs::metadata(path).is_ok_and(|there| lock::is_same(&self.about, &there))
    }
}

fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|about| about.is_symlink())
}

/// Which file or directory something is, as long as it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileId(u64, u64);

impl FileId {
    /// Where a path leads to. `None` where there is nothing, and where that cannot be told.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().and_then(|about| FileId::known(&about))
    }

    #[cfg(unix)]
    fn known(about: &Metadata) -> Option<Self> {
        use std::os::unix::fs::MetadataExt as _;
        Some(FileId(about.dev(), about.ino()))
    }

    #[cfg(not(unix))]
    fn known(_: &Metadata) -> Option<Self> {
        None
    }
}

/// Looks at a directory in which only this user, or root, may write: who can read it, and which one it is. `None` where there is none.
///
/// # Errors
/// [`ErrorKind::NotPrivate`], [`ErrorKind::Read`].
pub(crate) fn check_directory(path: &Path) -> Result<Option<(Readers, Option<FileId>)>> {
    match fs::metadata(path) {
        Ok(about) if about.is_dir() => Ok(Some((readers(path, &about)?, FileId::known(&about)))),
        Ok(_) => Err(Error::io(ErrorKind::Read, path, io::ErrorKind::NotADirectory.into())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io(ErrorKind::Read, path, error)),
    }
}

/// Looks at a file that only this user, or root, may write. `None` where there is none, and for what is no regular file.
///
/// # Errors
/// [`ErrorKind::NotPrivate`], [`ErrorKind::Read`].
#[cfg(feature = "doctor")]
pub(crate) fn check_private(path: &Path) -> Result<Option<Readers>> {
    match fs::metadata(path) {
        Ok(about) if about.is_file() => readers(path, &about).map(Some),
        Ok(_) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io(ErrorKind::Read, path, error)),
    }
}

/// Sets the mode of a regular file or a directory, and of nothing else. Links are not followed.
///
/// # Errors
/// [`ErrorKind::Write`].
#[cfg(all(feature = "doctor", unix))]
pub(crate) fn set_mode(path: &Path, mode: u32) -> Result<()> {
    let set = || {
        let (file, about) = open_at_once(path, OpenOptions::new().read(true), Links::Refuse)?;
        if !about.is_file() && !about.is_dir() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is neither a file nor a directory"));
        }
        file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(mode))
    };
    set().map_err(|error| Error::io(ErrorKind::Write, path, error))
}

/// Elsewhere there are no modes.
#[cfg(all(feature = "doctor", not(unix)))]
pub(crate) fn set_mode(path: &Path, _: u32) -> Result<()> {
    Err(Error::io(ErrorKind::Write, path, io::ErrorKind::Unsupported.into()))
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

/// Makes a file of this mode, or replaces one, whole or not at all. It never has a wider mode.
///
/// # Errors
/// [`ErrorKind::Write`].
pub(crate) fn replace_private(path: &Path, content: &[u8], mode: u32) -> Result<()> {
    let replace = || temporary::replace(&target(path)?, content, Some(mode), || Ok(()));
    replace().map_err(|error| Error::io(ErrorKind::Write, path, error))
}

/// Finds out whether a file of this length could be written at `path`, as far as that shows before it is.
///
/// # Errors
/// [`ErrorKind::Write`].
pub(crate) fn rehearse(path: &Path, length: usize) -> Result<()> {
    let rehearse = || temporary::rehearse(&target(path)?, length);
    rehearse().map_err(|error| Error::io(ErrorKind::Write, path, error))
}

/// Where a path leads to, or would: a link that leads nowhere is an error.
fn target(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && !is_link(path) => Ok(path.to_owned()),
        target => target,
    }
}

/// Removes a file, what a link leads to with the link, and what killed writers left beside it. Says whether there was one.
///
/// # Errors
/// [`ErrorKind::Write`].
pub(crate) fn remove(path: &Path) -> Result<bool> {
    let remove = || {
        let target = target(path)?;
        temporary::remove_abandoned(temporary::directory_of(&target));
        may_fail!(Delete);
        fs::remove_file(&target)?;
        if target != path && is_link(path) { fs::remove_file(path) } else { Ok(()) }
    };
    match remove() {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !is_link(path) => Ok(false),
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
    // Who this is need not be asked where it is root's.
    if about.uid() != 0 {
        let own = rustix::process::geteuid().as_raw();
        if about.uid() != own {
            return refuse(format!("it belongs to user {}, and this is user {own}", about.uid()));
        }
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
