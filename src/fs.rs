//! Files: read whole, and replaced whole or not at all.

/// A place where a unit test can let a call to the system fail, or do something first. In all other builds there is nothing.
macro_rules! may_fail {
    ($call:ident) => {
        #[cfg(all(test, unix))]
        $crate::fs::faults::strike($crate::fs::faults::Call::$call)?;
    };
}

#[cfg(all(test, unix))]
mod faults;
mod lock;
#[cfg(feature = "tokens")]
mod lock_file;
#[cfg(feature = "tokens")]
mod private;
mod temporary;
#[cfg(all(test, unix))]
mod tests;

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Write as _};
use std::path::Path;

use zeroize::Zeroizing;

use crate::error::{Error, ErrorKind, Result};
use crate::secret::Bytes;

pub(crate) use lock::Locked;
#[cfg(feature = "tokens")]
pub(crate) use lock::hold;
#[cfg(feature = "tokens")]
pub(crate) use lock_file::{LockFile, read_note};
#[cfg(feature = "tokens")]
pub(crate) use private::{
    FileId, PrivateFile, Readers, check_directory, create_directory, rehearse, remove, replace_private,
};
#[cfg(feature = "doctor")]
pub(crate) use private::{check_private, set_mode};

#[cfg(all(test, unix))]
use faults::writer;

/// What writes to a file.
#[cfg(not(all(test, unix)))]
fn writer(file: &File) -> &File {
    file
}

/// How much room is made for an input whose length is not known, in bytes.
const FIRST_ROOM: usize = 8 * 1024;

/// Reads a file into memory that is wiped on drop.
///
/// # Errors
/// [`ErrorKind::Read`].
pub fn read_file(path: impl AsRef<Path>) -> Result<Bytes> {
    let path = path.as_ref();
    let read = || {
        let file = File::open(path)?;
        read_whole(&file, &file.metadata()?)
    };
    read().map_err(|error| Error::io(ErrorKind::Read, path, error))
}

/// Reads a file that must not be longer than `limit` bytes.
pub(crate) fn read_at_most(path: &Path, limit: usize) -> Result<Bytes> {
    let read = || {
        let file = File::open(path)?;
        read_limited(&file, &file.metadata()?, limit)
    };
    read().map_err(|error| Error::io(ErrorKind::Read, path, error))
}

/// Reads a file, of which this is known, to the end.
fn read_whole(file: &File, about: &Metadata) -> io::Result<Bytes> {
    read_expecting(file, usize::try_from(about.len()).unwrap_or_default(), about.is_file())
}

/// As [`read_whole`], of a file that must not have more than `limit` bytes.
fn read_limited(file: &File, about: &Metadata, limit: usize) -> io::Result<Bytes> {
    let bytes = read_start(file, about, limit + 1)?;
    if bytes.len() > limit {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("it is longer than {limit} bytes")));
    }
    Ok(bytes)
}

/// As [`read_whole`], but at most so many bytes from the start.
fn read_start(file: &File, about: &Metadata, limit: usize) -> io::Result<Bytes> {
    let room = usize::try_from(about.len()).unwrap_or(usize::MAX).min(limit);
    read_expecting(file.take(limit as u64), room, about.is_file())
}

/// Reads to the end, as from standard input, into memory that is wiped on drop.
///
/// ```
/// let bytes = sopskit::read_from(&b"{}"[..])?;
/// assert_eq!(*bytes, *b"{}");
/// # Ok::<(), sopskit::Error>(())
/// ```
///
/// # Errors
/// [`ErrorKind::Read`].
pub fn read_from(reader: impl Read) -> Result<Bytes> {
    read_wiped(reader, FIRST_ROOM).map_err(|error| Error::io(ErrorKind::Read, Path::new("standard input"), error))
}

/// Reads to the end. Where the room does not suffice the bytes move, and the old place is wiped.
pub(crate) fn read_wiped(reader: impl Read, room: usize) -> io::Result<Bytes> {
    read_expecting(reader, room, false)
}

/// As [`read_wiped`]. Where the length is known (a regular file that says how long it is), a read that finds just that much in more room has found the end
/// too: one call to the system less. Either sign alone could deceive: a file grows, and some file systems give a part.
fn read_expecting(mut reader: impl Read, room: usize, is_known: bool) -> io::Result<Bytes> {
    // One more than expected, so that the end is found without a move.
    let mut bytes = Zeroizing::new(vec![0; room + 1]);
    let mut length = 0;
    loop {
        if length == bytes.len() {
            let mut larger = Zeroizing::new(vec![0; (2 * length).max(FIRST_ROOM)]);
            larger[..length].copy_from_slice(&bytes);
            bytes = larger;
        }
        match reader.read(&mut bytes[length..]) {
            Ok(0) => break,
            Ok(read) => {
                length += read;
                if is_known && length == room {
                    break;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(length);
    Ok(Bytes::from(bytes))
}

/// How much of a file is compared at once, in bytes.
const COMPARED: usize = 256 * 1024;

/// Whether this is all that a reader gives. It is read in parts: to make room for a second copy of a large file takes longer than to read it.
fn holds(mut reader: impl Read, expected: &[u8]) -> io::Result<bool> {
    // One more, so that the end of a small one is found with it.
    let mut part = Zeroizing::new(vec![0; COMPARED.min(expected.len() + 1)]);
    let mut rest = expected;
    loop {
        match reader.read(&mut part) {
            Ok(0) => return Ok(rest.is_empty()),
            Ok(read) => match rest.strip_prefix(&part[..read]) {
                Some(behind) => rest = behind,
                None => return Ok(false),
            },
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Writes a file so that a reader sees the old content or the new one, never a part, also when the machine stops in between.
///
/// A new file is readable by its owner only. An existing one keeps its permissions and its owner, and behind a symbolic link the file that
/// it points to is replaced. Further hard links keep the old content. What is no regular file (`/dev/stdout`, a pipe) is written to directly.
///
/// ```
/// let directory = tempfile::tempdir()?;
/// let path = directory.path().join("secrets.enc.json");
/// sopskit::replace_file(&path, b"{}\n")?;
/// assert_eq!(std::fs::read(&path)?, b"{}\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`ErrorKind::Write`], also when the owner of the old file cannot be kept. The old file is then as it was, and no other file is left behind. (What a
/// killed process leaves the next write in the same directory removes.)
pub fn replace_file(path: impl AsRef<Path>, content: &[u8]) -> Result<()> {
    let path = path.as_ref();
    replace(path, content).map_err(|error| Error::io(ErrorKind::Write, path, error))
}

/// Makes a new file that only its owner can read, and that is there after a crash. An existing one, a link too, is never touched.
///
/// # Errors
/// [`ErrorKind::Write`]. No part of the file is left behind then.
pub(crate) fn create_file(path: impl AsRef<Path>, content: &[u8]) -> Result<()> {
    let path = path.as_ref();
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let unwritable = |error| Error::io(ErrorKind::Write, path, error);
    let open = || {
        may_fail!(Create);
        options.open(path)
    };
    let file = open().map_err(unwritable)?;
    let write = || {
        writer(&file).write_all(content)?;
        sync(&file)
    };
    write().map_err(|error| {
        discard(&file, path);
        unwritable(error)
    })?;
    temporary::sync_name(File::open(temporary::directory_of(path)).ok().as_ref());
    Ok(())
}

/// Opens a file without waiting (to open a pipe is else to wait for its other end), and looks at what was opened, whatever takes its place meanwhile.
fn open_at_once(path: &Path, options: &mut OpenOptions, links: Links) -> io::Result<(File, Metadata)> {
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        let flags = match links {
            #[cfg(feature = "tokens")]
            Links::Follow => OFlags::NONBLOCK,
            Links::Refuse => OFlags::NONBLOCK | OFlags::NOFOLLOW,
        };
        let flags = i32::try_from(flags.bits()).unwrap_or_default();
        std::os::unix::fs::OpenOptionsExt::custom_flags(options, flags);
    }
    #[cfg(not(unix))]
    let _ = links;
    let file = options.open(path)?;
    let about = file.metadata()?;
    Ok((file, about))
}

/// What becomes of a link at the end of a path that is opened.
#[derive(Clone, Copy)]
enum Links {
    #[cfg(feature = "tokens")]
    Follow,
    Refuse,
}

fn no_regular_file() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file")
}

/// Whether a file has this name: not a link to it, nor one that took its place.
fn is_at(file: &File, path: &Path) -> bool {
    lock::is_what(file, fs::symlink_metadata(path))
}

fn sync(file: &File) -> io::Result<()> {
    may_fail!(Sync);
    file.sync_all()
}

/// Removes a file that was not finished, unless it has another name by now. One that cannot be removed, as where the directory became read-only, is left
/// empty.
fn discard(file: &File, path: &Path) {
    if !is_at(file, path) {
        return;
    }
    let empty = || {
        may_fail!(Empty);
        file.set_len(0)
    };
    let remove = || {
        may_fail!(Remove);
        fs::remove_file(path)
    };
    // There is nothing better to do when this fails too.
    if remove().is_err() {
        let _ = empty();
    }
}

fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let target = match fs::metadata(path) {
        // A pipe or a device: also where a link leads to one that has no path of its own, as /dev/stdout can.
        Ok(other) if !other.is_file() => return OpenOptions::new().write(true).open(path)?.write_all(content),
        Ok(_) => fs::canonicalize(path)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound && fs::symlink_metadata(path).is_err() => path.to_owned(),
        Err(error) => return Err(error),
    };
    temporary::replace(&target, content, None, || Ok(()))
}
