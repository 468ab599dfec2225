//! The private file that takes the place of another.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use fs4::{FileExt, TryLockError};
use rand::Rng as _;

use super::{Links, discard, is_at, no_regular_file, open_at_once, sync, writer};

const PREFIX: &str = ".sopskit-";
const SUFFIX: &str = ".tmp";

/// The mode of a temporary file.
const MODE: u32 = 0o600;

/// Puts `content` in the place of `target`, which is no link, unless `check` objects at the last moment. The mode is `mode`, else
/// that of the old file (and so is the owner), else for the owner only.
pub(super) fn replace(
    target: &Path,
    content: &[u8],
    mode: Option<u32>,
    check: impl FnOnce() -> io::Result<()>,
) -> io::Result<()> {
    // It was no link, and what became one meanwhile says neither whose the file is to be nor who may read it.
    let old = match fs::symlink_metadata(target) {
        Ok(old) if old.is_file() => Some(old),
        Ok(_) => return Err(no_regular_file()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let directory = directory_of(target);
    remove_abandoned(directory);
    let temporary = Temporary::create(directory, mode.unwrap_or(MODE))?;
    writer(&temporary.file).write_all(content)?;
    match (mode, old) {
        // Whatever the umask took away. Such a file belongs to whoever writes it.
        #[cfg(unix)]
        (Some(mode), _) => {
            may_fail!(SetMode);
            temporary.file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(mode))?;
        }
        (None, Some(old)) => {
            keep_owner(&temporary.file, &old)?;
            may_fail!(SetMode);
            temporary.file.set_permissions(old.permissions())?;
        }
        _ => {}
    }
    sync(&temporary.file)?;
    // Opened first: once the file is replaced, nothing may fail any more.
    let directory = File::open(directory).ok();
    check()?;
    temporary.rename(target)?;
    sync_name(directory.as_ref());
    Ok(())
}

/// Writes as much as `length` bytes beside `target`, and removes them again.
#[cfg(feature = "tokens")]
pub(super) fn rehearse(target: &Path, length: usize) -> io::Result<()> {
    let temporary = Temporary::create(directory_of(target), MODE)?;
    io::copy(&mut io::Read::take(io::repeat(0), length as u64), &mut writer(&temporary.file))?;
    // Some file systems find out only then that there is no room.
    sync(&temporary.file)
}

/// Makes the name of a file in this directory survive a crash, where the system lets a directory be synced.
pub(super) fn sync_name(directory: Option<&File>) {
    let sync = |directory: &File| -> io::Result<()> {
        may_fail!(SyncDirectory);
        directory.sync_all()
    };
    let _ = directory.map(sync);
}

pub(super) fn directory_of(target: &Path) -> &Path {
    match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// A private file beside its target, removed on drop unless it was renamed. It is locked as long as its process lives.
struct Temporary {
    file: File,
    path: PathBuf,
    renamed: bool,
}

impl Temporary {
    fn create(directory: &Path, mode: u32) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
        #[cfg(not(unix))]
        let _ = mode;
        loop {
            may_fail!(Create);
            let path = directory.join(format!("{PREFIX}{:016x}{SUFFIX}", rand::rngs::OsRng.r#gen::<u64>()));
            let file = match options.open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(error),
            };
            let locked = lock_or_go_without(&file);
            let temporary = Temporary { file, path, renamed: false };
            // Another process can have taken it for abandoned in the moment before it was locked.
            if locked && temporary.path.exists() {
                return Ok(temporary);
            }
        }
    }

    fn rename(mut self, target: &Path) -> io::Result<()> {
        if !is_at(&self.file, &self.path) {
            return Err(io::Error::other("somebody removed the temporary file, or put another in its place"));
        }
        // On a network file system the answer can get lost, and whoever asks again is told that there is nothing to rename.
        match self.put_at(target) {
            Err(error) if cfg!(not(unix)) || !is_at(&self.file, target) => return Err(error),
            _ => {}
        }
        self.renamed = true;
        Ok(())
    }

    fn put_at(&self, target: &Path) -> io::Result<()> {
        may_fail!(Rename);
        fs::rename(&self.path, target)?;
        may_fail!(Renamed);
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.renamed {
            discard(&self.file, &self.path);
        }
    }
}

/// Whether nobody else holds the lock of the file. A file system without locks has no abandoned files that could be told from others.
fn lock_or_go_without(file: &File) -> bool {
    let try_lock = || {
        #[cfg(all(test, unix))]
        super::faults::strike(super::faults::Call::Lock).map_err(TryLockError::Error)?;
        FileExt::try_lock(file)
    };
    !matches!(try_lock(), Err(TryLockError::WouldBlock))
}

/// Removes temporary files whose process was killed: those that nobody holds locked. Nothing depends on whether that succeeds.
pub(super) fn remove_abandoned(directory: &Path) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let is_ours = name.to_str().is_some_and(|name| name.starts_with(PREFIX) && name.ends_with(SUFFIX));
        if !is_ours || !entry.file_type().is_ok_and(|kind| kind.is_file()) {
            continue;
        }
        let _ = remove_if_abandoned(&entry.path());
    }
}

fn remove_if_abandoned(path: &Path) -> io::Result<()> {
    may_fail!(OpenAbandoned);
    let (file, about) = open_at_once(path, OpenOptions::new().read(true), Links::Refuse)?;
    if about.is_file() && FileExt::try_lock(&file).is_ok() && is_at(&file, path) {
        fs::remove_file(path)?;
    }
    Ok(())
}

/// Gives a new file the owner and the group of the old one.
#[cfg(unix)]
fn keep_owner(new: &File, old: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, fchown};
    let now = new.metadata()?;
    if (now.uid(), now.gid()) == (old.uid(), old.gid()) {
        return Ok(());
    }
    let keep = || {
        may_fail!(Own);
        fchown(new, Some(old.uid()), Some(old.gid()))
    };
    let problem =
        |error: io::Error| io::Error::new(error.kind(), format!("its owner and group could not be kept: {error}"));
    keep().map_err(problem)
}

#[cfg(not(unix))]
#[allow(clippy::unnecessary_wraps, reason = "as the other one")]
fn keep_owner(_: &File, _: &Metadata) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_temporary_file_never_has_a_wider_mode_than_the_one_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        for mode in [0o400, 0o600] {
            let temporary = Temporary::create(folder.path(), mode).unwrap();
            assert_eq!(
                fs::metadata(&temporary.path).unwrap().permissions().mode() & 0o777,
                mode,
                "from the moment it is there"
            );
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
