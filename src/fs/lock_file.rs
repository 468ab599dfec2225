//! A lock that lies in a file of its own, for files that do not always exist.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Links, is_at, lock, no_regular_file, open_at_once, read_start};
use crate::error::{Error, ErrorKind, Result};

/// The longest note that is read, in bytes.
const MAX_NOTE: usize = 1024;

/// A lock file that this process holds. It can bear a note, which readers need no lock for.
pub(crate) struct LockFile {
    file: File,
    path: PathBuf,
}

impl LockFile {
    /// Waits for the lock, but not longer than `wait`. The file is made where there is none, readable by its owner only.
    ///
    /// # Errors
    /// [`ErrorKind::Write`], also when it is no regular file; [`ErrorKind::Busy`].
    pub(crate) fn acquire(path: &Path, wait: Duration) -> Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut attempt = || {
            may_fail!(OpenLock);
            let (file, about) = open(path, &mut options)?;
            keep_open_to_owner(&file, &about);
            Ok(lock::try_lock(&file, path)?.then_some(file))
        };
        let unwritable = |error| Error::io(ErrorKind::Write, path, error);
        let file = lock::wait_for(path, wait, || attempt().map_err(unwritable))?;
        Ok(LockFile { file, path: path.to_owned() })
    }

    /// Replaces the note, for good: it is on the disk before what it is about.
    ///
    /// # Errors
    /// [`ErrorKind::Write`].
    pub(crate) fn set_note(&mut self, note: &str) -> Result<()> {
        let mut write = || {
            may_fail!(Note);
            self.file.set_len(0)?;
            self.file.rewind()?;
            // In one call, so that a reader sees none of it or all.
            self.file.write_all(note.as_bytes())?;
            self.file.sync_all()
        };
        write().map_err(|error| Error::io(ErrorKind::Write, &self.path, error))
    }

    /// Removes the file, and with it the lock: whoever waits for it makes a new one. A file that somebody put in its place stays.
    ///
    /// # Errors
    /// [`ErrorKind::Write`].
    pub(crate) fn remove(self) -> Result<()> {
        let remove = || {
            may_fail!(RemoveLock);
            if is_at(&self.file, &self.path) { fs::remove_file(&self.path) } else { Ok(()) }
        };
        remove().map_err(|error| Error::io(ErrorKind::Write, &self.path, error))
    }
}

/// Elsewhere there is no umask.
#[cfg(not(unix))]
fn keep_open_to_owner(_: &File, _: &Metadata) {}

/// Gives a lock file back what the umask took: without it its owner could not open it the next time.
#[cfg(unix)]
fn keep_open_to_owner(file: &File, about: &Metadata) {
    use std::os::unix::fs::PermissionsExt as _;
    if about.permissions().mode() & 0o600 != 0o600 {
        // It is open, and can be locked, also where its mode cannot be changed: on a file system that has none.
        let _ = file.set_permissions(fs::Permissions::from_mode(0o600));
    }
}

/// The note of a lock file; `None` without file or note, and for what is no text.
///
/// # Errors
/// [`ErrorKind::Read`].
pub(crate) fn read_note(path: &Path) -> Result<Option<String>> {
    let read = || -> io::Result<_> {
        let (file, about) = open(path, OpenOptions::new().read(true))?;
        let note = read_start(&file, &about, MAX_NOTE)?.into_text();
        Ok(note.ok().filter(|note| !note.is_empty()).map(|note| note.as_str().to_owned()))
    };
    match read() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        read => read.map_err(|error| Error::io(ErrorKind::Read, path, error)),
    }
}

/// Opens a regular file, and nothing else.
fn open(path: &Path, options: &mut OpenOptions) -> io::Result<(File, Metadata)> {
    match open_at_once(path, options, Links::Refuse)? {
        (file, about) if about.is_file() => Ok((file, about)),
        _ => Err(no_regular_file()),
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    const WAIT: Duration = Duration::from_secs(10);

    #[test]
    fn whoever_waited_for_a_file_that_was_removed_holds_the_one_that_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".x.lock");
        let held = LockFile::acquire(&path, WAIT).unwrap();
        thread::scope(|scope| {
            let waiter = scope.spawn(|| LockFile::acquire(&path, WAIT).unwrap());
            thread::sleep(Duration::from_millis(50));
            held.remove().unwrap();
            let waiter = waiter.join().unwrap();
            assert!(lock::is_still_at(&waiter.file, &path), "a third one could hold another file of that name");
            assert!(LockFile::acquire(&path, Duration::ZERO).is_err());
        });
    }

    #[test]
    #[cfg(unix)]
    fn what_is_no_regular_file_is_neither_followed_nor_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let precious = folder.path().join("precious");
        fs::write(&precious, "precious").unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&precious, &link).unwrap();
        let fifo = folder.path().join("fifo");
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        for path in [&link, &fifo, &folder.path().to_owned()] {
            assert!(LockFile::acquire(path, WAIT).is_err(), "{}", path.display());
            assert!(read_note(path).is_err(), "{}", path.display());
        }
        assert_eq!(fs::read_to_string(precious).unwrap(), "precious");
    }

    #[test]
    fn a_file_that_took_the_place_of_the_lock_file_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".x.lock");
        let held = LockFile::acquire(&path, WAIT).unwrap();
        fs::rename(&path, folder.path().join("moved")).unwrap();
        let other = LockFile::acquire(&path, WAIT).unwrap();
        held.remove().unwrap();
        assert!(lock::is_still_at(&other.file, &path), "a third one could hold another file of that name");
        other.remove().unwrap();
        assert!(!path.exists());
    }

    #[test]
    #[cfg(unix)]
    fn a_umask_does_not_lock_the_owner_out() {
        use std::os::unix::fs::PermissionsExt as _;
        const FOLDER: &str = "SOPSKIT_TEST_UMASK";
        const NAME: &str = "fs::lock_file::tests::a_umask_does_not_lock_the_owner_out";
        // In a process of its own: the umask is that of a whole process.
        if let Some(folder) = std::env::var_os(FOLDER) {
            let path = Path::new(&folder).join(".x.lock");
            LockFile::acquire(&path, WAIT).unwrap().set_note("first").unwrap();
            drop(LockFile::acquire(&path, WAIT).unwrap());
            return;
        }
        for umask in ["0277", "0777", "0000"] {
            let folder = tempfile::tempdir().unwrap();
            let mut again = std::process::Command::new("sh");
            again.args(["-c", r#"umask "$1" && exec "$2" --exact "$3""#, "sh", umask]);
            again.arg(std::env::current_exe().unwrap()).arg(NAME).env(FOLDER, folder.path());
            let output = again.output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
            let mode = fs::metadata(folder.path().join(".x.lock")).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "umask {umask}");
        }
    }

    #[test]
    fn a_note_is_what_was_noted_last_and_no_text_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".x.lock");
        assert_eq!(read_note(&path).unwrap(), None);
        let mut held = LockFile::acquire(&path, WAIT).unwrap();
        assert_eq!(read_note(&path).unwrap(), None);
        for note in ["a longer one", "short"] {
            held.set_note(note).unwrap();
            assert_eq!(read_note(&path).unwrap().as_deref(), Some(note));
        }
        fs::write(&path, [0xff, 0xfe]).unwrap();
        assert_eq!(read_note(&path).unwrap(), None);
    }
}
