//! Whatever call to the system fails, of whatever writes a file: no secret in clear, nothing more open, nothing lost, one clear error.

mod operations;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use self::operations::{OPERATIONS, Operation, Place, SECRET};
use super::faults::{Act, Call, Faults};
use crate::error::{Error, ErrorKind};

/// Puts something at a path.
type Swap = fn(&Path);

type Snapshot = BTreeMap<PathBuf, (u32, u32, u32, Vec<u8>)>;

/// All files of a folder, but lock files, which hold nothing but a provider's name: mode, owner, group and content.
fn snapshot(folder: &Path) -> Snapshot {
    let mut files = Snapshot::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let about = fs::symlink_metadata(entry.path()).unwrap();
        if about.is_dir() {
            files.append(&mut snapshot(&entry.path()));
        } else if !entry.file_name().to_string_lossy().ends_with(".lock") {
            let content = if about.is_file() { fs::read(entry.path()).unwrap() } else { Vec::new() };
            files.insert(entry.path(), (about.mode() & 0o7777, about.uid(), about.gid(), content));
        }
    }
    files
}

fn is_temporary(path: &Path) -> bool {
    path.file_name().unwrap().to_string_lossy().starts_with(".sopskit-")
}

/// An error of one line that names the file and what the system says, and no secret.
#[track_caller]
fn assert_clear(error: &Error, kind: ErrorKind, place: &Place, operation: &Operation, errno: Errno) {
    let shown = format!("{error}");
    let context = format!("{}, {errno}: {shown}", operation.name);
    let (cause, file) = operation.cause(error);
    assert_eq!((cause, file.as_deref()), (kind, Some(&*place.path(operation.file))), "{context}");
    let system = std::io::Error::from(errno).to_string();
    assert_eq!(shown.matches(&system).count(), 1, "{context}");
    assert!(!shown.contains('\n') && !format!("{shown}{error:?}").contains(SECRET), "{context}");
}

/// That it works when it is tried once more: no lock is held, and nothing is left behind.
#[track_caller]
fn assert_works_again(operation: &Operation, place: &Place) {
    (operation.run)(place).unwrap_or_else(|error| panic!("{}, the second time: {error}", operation.name));
    assert!((operation.is_done)(place), "{}", operation.name);
    assert!(!snapshot(place.folder()).keys().any(|path| is_temporary(path)), "{}", operation.name);
}

/// Gives at most so many bytes a read, and counts the reads.
struct Portions<'a> {
    rest: &'a [u8],
    most: usize,
    reads: usize,
}

impl io::Read for Portions<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.reads += 1;
        let most = room.len().min(self.most);
        self.rest.read(&mut room[..most])
    }
}

#[test]
fn a_read_is_the_last_only_where_length_and_shortness_agree() {
    let content = [7; 100];
    for (expected, is_known, most, reads) in [
        (100, true, usize::MAX, 1),
        (100, false, usize::MAX, 2),
        // In parts, as some file systems give it.
        (100, true, 60, 2),
        // It grew, it shrank, or it does not say how long it is.
        (60, true, usize::MAX, 3),
        (99, true, usize::MAX, 2),
        (101, true, usize::MAX, 2),
        (0, true, usize::MAX, 3),
        // So much for the moment: more can come through a pipe.
        (60, false, 60, 4),
    ] {
        let mut reader = Portions { rest: &content, most, reads: 0 };
        let bytes = super::read_expecting(&mut reader, expected, is_known).unwrap();
        assert_eq!((bytes.len(), reader.reads), (100, reads), "{expected} {is_known} {most}");
    }
}

const NO_ROOM: &[Errno] = &[Errno::NOSPC, Errno::DQUOT, Errno::IO, Errno::FBIG];

/// Calls that can fail, with what they answer then.
const FAULTS: &[(Call, &[Errno])] = &[
    (Call::Create, &[Errno::ACCESS, Errno::ROFS, Errno::NOSPC, Errno::DQUOT, Errno::MFILE, Errno::STALE]),
    (Call::Write, NO_ROOM),
    (Call::SetMode, &[Errno::PERM, Errno::ROFS, Errno::IO]),
    (Call::Sync, &[Errno::NOSPC, Errno::DQUOT, Errno::IO, Errno::ROFS]),
    (
        Call::Rename,
        &[Errno::IO, Errno::STALE, Errno::XDEV, Errno::BUSY, Errno::ROFS, Errno::ACCESS, Errno::PERM, Errno::NOSPC],
    ),
];

#[test]
fn what_fails_leaves_all_as_it_was_and_one_clear_error() {
    let mut tried = 0;
    for operation in OPERATIONS {
        for (call, errnos) in FAULTS.iter().filter(|(call, _)| operation.makes(*call)) {
            for errno in *errnos {
                let place = operation.place();
                let before = snapshot(place.folder());
                let faults = Faults::none().and(*call, operation.skip(*call), Act::Fail(*errno));
                let error = (operation.run)(&place).unwrap_err();
                faults.all_struck();
                assert_clear(&error, ErrorKind::Write, &place, operation, *errno);
                assert_eq!(snapshot(place.folder()), before, "{} {call:?} {errno}", operation.name);
                assert_works_again(operation, &place);
                tried += 1;
            }
        }
    }
    assert!(tried > 5 * FAULTS.len(), "{tried}");
}

#[test]
fn half_a_write_leaves_all_as_it_was() {
    for operation in OPERATIONS.iter().filter(|operation| operation.makes(Call::Write)) {
        let place = operation.place();
        let before = snapshot(place.folder());
        let skip = operation.skip(Call::Write);
        let faults = Faults::none().and(Call::Write, skip, Act::Short).and(Call::Write, 0, Act::Fail(Errno::NOSPC));
        assert_clear(&(operation.run)(&place).unwrap_err(), ErrorKind::Write, &place, operation, Errno::NOSPC);
        faults.all_struck();
        assert_eq!(snapshot(place.folder()), before, "{}", operation.name);
        assert_works_again(operation, &place);
    }
}

#[test]
fn what_need_not_matter_does_not() {
    let harmless: [&[(Call, Act)]; 5] = [
        &[(Call::Write, Act::Short), (Call::Write, Act::Short)],
        &[(Call::Write, Act::Fail(Errno::INTR)), (Call::Write, Act::Short), (Call::Write, Act::Fail(Errno::INTR))],
        &[(Call::Lock, Act::Fail(Errno::NOLCK))],
        &[(Call::SyncDirectory, Act::Fail(Errno::INVAL))],
        // The file system did what it was asked for, and the answer got lost.
        &[(Call::Renamed, Act::Fail(Errno::NOENT))],
    ];
    for operation in OPERATIONS {
        for acts in &harmless {
            if !acts.iter().all(|(call, _)| operation.makes(*call)) {
                continue;
            }
            let place = operation.place();
            let mut faults = Faults::none();
            for (number, (call, act)) in acts.iter().enumerate() {
                let act = match act {
                    Act::Fail(errno) => Act::Fail(*errno),
                    _ => Act::Short,
                };
                faults = faults.and(*call, if number == 0 { operation.skip(*call) } else { 0 }, act);
            }
            (operation.run)(&place).unwrap_or_else(|error| panic!("{} {:?}: {error}", operation.name, acts[0].0));
            faults.all_struck();
            assert!((operation.is_done)(&place), "{}", operation.name);
            assert!(!snapshot(place.folder()).keys().any(|path| is_temporary(path)), "{}", operation.name);
        }
    }
}

#[test]
fn what_can_neither_be_finished_nor_removed_is_left_empty_and_removed_by_the_next_write() {
    for operation in OPERATIONS.iter().filter(|operation| operation.makes(Call::Sync)) {
        for (call, errno) in [(Call::Sync, Errno::ROFS), (Call::Rename, Errno::ACCESS)] {
            if !operation.makes(call) {
                continue;
            }
            let place = operation.place();
            let before = snapshot(place.folder());
            let (skip, skip_remove) = (operation.skip(call), operation.skip(Call::Remove));
            let faults =
                Faults::none().and(call, skip, Act::Fail(errno)).and(Call::Remove, skip_remove, Act::Fail(errno));
            assert_clear(&(operation.run)(&place).unwrap_err(), ErrorKind::Write, &place, operation, errno);
            faults.all_struck();
            let mut after = snapshot(place.folder());
            let left: Vec<_> = take_new(&mut after, &before).into_iter().collect();
            let [(_, (mode, _, _, content))] = &left[..] else { panic!("{}: {left:?}", operation.name) };
            assert!(content.is_empty(), "{}: {} bytes are left", operation.name, content.len());
            // The file that was there before has 0640.
            assert_eq!(mode & 0o137, 0, "{}: mode {mode:o}", operation.name);
            assert_eq!(after, before, "{}", operation.name);
            if operation.makes(Call::Rename) {
                assert_works_again(operation, &place);
            }
        }
    }
}

/// Takes the files out that were not there before.
fn take_new(after: &mut Snapshot, before: &Snapshot) -> Snapshot {
    let new: Vec<_> = after.keys().filter(|path| !before.contains_key(*path)).cloned().collect();
    new.into_iter().map(|path| after.remove_entry(&path).unwrap()).collect()
}

#[test]
fn an_owner_that_cannot_be_kept_is_an_error_and_nothing_is_written() {
    for operation in OPERATIONS.iter().filter(|operation| operation.makes(Call::Own)) {
        let place = operation.place();
        if std::os::unix::fs::chown(place.path(operation.file), Some(12_345), Some(12_345)).is_err() {
            // Not by eprintln!, which the test harness keeps to itself.
            let _ = std::io::Write::write_all(&mut std::io::stderr(), b"SKIPPED: only root can give a file away\n");
            return;
        }
        let before = snapshot(place.folder());
        let faults = Faults::fail(Call::Own, Errno::PERM);
        let error = (operation.run)(&place).unwrap_err();
        faults.all_struck();
        assert_eq!(error.kind(), ErrorKind::Write);
        assert!(error.to_string().contains("owner and group could not be kept: Operation not permitted"), "{error}");
        assert_eq!(snapshot(place.folder()), before, "{}", operation.name);
        assert_works_again(operation, &place);
    }
}

#[test]
fn a_file_that_takes_the_place_of_the_temporary_one_is_not_taken_for_it() {
    for operation in OPERATIONS.iter().filter(|operation| operation.makes(Call::Rename)) {
        let place = operation.place();
        let before = snapshot(place.folder());
        let (precious, folder) = (place.path("precious"), place.path(operation.file).parent().unwrap().to_owned());
        fs::write(&precious, "precious").unwrap();
        let planted = precious.clone();
        let swap = move || {
            for entry in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
                if is_temporary(&entry) {
                    fs::remove_file(&entry).unwrap();
                    symlink(&planted, &entry).unwrap();
                }
            }
        };
        // The last call before the look at it.
        let faults = Faults::none().and(Call::Sync, operation.skip(Call::Sync), Act::Meanwhile(Box::new(swap)));
        let error = (operation.run)(&place).unwrap_err();
        faults.all_struck();
        assert_eq!(operation.cause(&error).0, ErrorKind::Write);
        assert!(error.to_string().contains("in its place"), "{error}");
        assert_eq!(fs::read(&precious).unwrap(), b"precious");
        let after: Snapshot =
            snapshot(place.folder()).into_iter().filter(|(path, _)| before.contains_key(path)).collect();
        assert_eq!(after, before, "{}", operation.name);
    }
}

#[test]
fn what_cannot_be_read_any_more_is_no_conflict() {
    for operation in OPERATIONS.iter().filter(|operation| operation.makes(Call::ReadAgain)) {
        for errno in [Errno::ACCESS, Errno::IO, Errno::STALE] {
            let place = operation.place();
            let before = snapshot(place.folder());
            let faults = Faults::fail(Call::ReadAgain, errno);
            let error = (operation.run)(&place).unwrap_err();
            faults.all_struck();
            assert_clear(&error, ErrorKind::Write, &place, operation, errno);
            assert_eq!(snapshot(place.folder()), before, "{}", operation.name);
            assert_works_again(operation, &place);
        }
    }
}

#[test]
fn what_took_the_place_of_an_edited_file_stays() {
    let swaps: [(&str, Swap); 4] = [
        ("a pipe", |path| assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success())),
        ("a directory", |path| fs::create_dir(path).unwrap()),
        ("a link that leads nowhere", |path| symlink("/nonexistent/file", path).unwrap()),
        ("another file", |path| fs::write(path, "{}").unwrap()),
    ];
    for operation in OPERATIONS.iter().filter(|operation| operation.makes(Call::ReadAgain)) {
        for (what, swap) in swaps {
            let place = operation.place();
            let path = place.path(operation.file);
            let target = path.clone();
            let act = move || {
                fs::remove_file(&target).unwrap();
                swap(&target);
            };
            let faults = Faults::none().and(Call::Sync, 0, Act::Meanwhile(Box::new(act)));
            let error = (operation.run)(&place).unwrap_err();
            faults.all_struck();
            assert_eq!((error.kind(), error.file()), (ErrorKind::Conflict, Some(&*path)), "{what}");
            let there = fs::symlink_metadata(&path).unwrap();
            assert!(!there.is_file() || fs::read(&path).unwrap() == b"{}", "{what} was replaced");
            assert!(!snapshot(place.folder()).keys().any(|path| is_temporary(path)), "{what}");
        }
    }
}

/// Something that others put in the place of a file, for whoever looked at it and will open it now.
fn swap_for(path: &Path, make: Swap) -> Act {
    let path = path.to_owned();
    Act::Meanwhile(Box::new(move || {
        fs::remove_file(&path).unwrap();
        make(&path);
    }))
}

const NO_FILES: [(&str, Swap); 3] = [
    ("a pipe", |path| assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success())),
    ("a directory", |path| fs::create_dir(path).unwrap()),
    ("a link", |path| symlink(path.with_file_name("precious"), path).unwrap()),
];

#[test]
fn what_takes_the_place_of_a_file_that_is_to_be_locked_is_an_error_and_nothing_waits_for_it() {
    for operation in OPERATIONS.iter().filter(|operation| operation.makes(Call::ReadAgain)) {
        for (what, make) in NO_FILES {
            let place = operation.place();
            fs::write(place.path("precious"), "precious").unwrap();
            let path = place.path(operation.file);
            let faults = Faults::none().and(Call::OpenTarget, 0, swap_for(&path, make));
            let error = (operation.run)(&place).unwrap_err();
            faults.all_struck();
            assert_eq!((error.kind(), error.file()), (ErrorKind::Read, Some(&*path)), "{what}: {error}");
            assert_eq!(fs::read(place.path("precious")).unwrap(), b"precious", "{what}");
        }
    }
}

#[test]
fn what_takes_the_place_of_an_abandoned_file_stays_and_nothing_waits_for_it() {
    for (what, make) in NO_FILES {
        let place = Place::new();
        let abandoned = place.path(".sopskit-0123456789abcdef.tmp");
        fs::write(place.path("precious"), "precious").unwrap();
        fs::write(&abandoned, SECRET).unwrap();
        let faults = Faults::none().and(Call::OpenAbandoned, 0, swap_for(&abandoned, make));
        super::replace_file(place.path("new"), b"new").unwrap();
        faults.all_struck();
        assert!(!fs::symlink_metadata(&abandoned).unwrap().is_file(), "{what}");
        assert_eq!(fs::read(place.path("precious")).unwrap(), b"precious", "{what}");
        assert_eq!(fs::read(place.path("new")).unwrap(), b"new", "{what}");
    }
}

#[test]
fn a_lock_that_cannot_be_had_is_one_clear_error() {
    for operation in OPERATIONS {
        for (call, kind) in [(Call::Read, ErrorKind::Read), (Call::LockTarget, operation.lock_kind)] {
            if !operation.makes(call) {
                continue;
            }
            let place = operation.place();
            let before = snapshot(place.folder());
            let faults = Faults::fail(call, Errno::IO);
            let error = (operation.run)(&place).unwrap_err();
            faults.all_struck();
            assert_eq!(error.kind(), kind, "{}: {error}", operation.name);
            assert!(error.to_string().contains("Input/output error") && error.file().is_some(), "{error}");
            assert_eq!(snapshot(place.folder()), before, "{}", operation.name);
            assert_works_again(operation, &place);
        }
    }
}

#[test]
fn a_file_of_mode_0644_leaves_no_temporary_file_that_is_wider() {
    // The mode is that of the old file in the end, and until then for the owner only.
    let place = Place::new();
    let path = place.path("plain.json");
    fs::write(&path, "old").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let folder = place.folder().to_owned();
    let look = move || {
        let temporary = snapshot(&folder).into_iter().find(|(path, _)| is_temporary(path)).unwrap();
        assert_eq!(temporary.1.0, 0o600);
    };
    let faults = Faults::none().and(Call::SetMode, 0, Act::Meanwhile(Box::new(look)));
    super::replace_file(&path, SECRET.as_bytes()).unwrap();
    faults.all_struck();
    assert_eq!(snapshot(place.folder())[&path].0, 0o644);
}

#[cfg(feature = "tokens")]
mod tokens {
    use super::operations::{OPERATIONS, SEALED_TOKEN};
    use super::*;
    use crate::storage::{FileStorage, Token, TokenStorage};

    fn ended(place: &Place) -> FileStorage {
        let storage = FileStorage::new(place.path("tokens")).wait(std::time::Duration::from_millis(10));
        let ended = chrono::Utc::now() - chrono::TimeDelta::hours(1);
        storage.save("github", &Token::new("old-hunter2").with_expires_at(Some(ended))).unwrap();
        storage
    }

    #[test]
    fn a_provider_is_not_asked_when_the_rehearsal_fails() {
        for (call, errnos) in FAULTS.iter().filter(|(call, _)| [Call::Create, Call::Write, Call::Sync].contains(call)) {
            for errno in *errnos {
                let place = Place::new();
                let storage = ended(&place);
                let before = snapshot(place.folder());
                let faults = Faults::fail(*call, *errno);
                let error = storage.refresh("github", &mut |_| panic!("asked")).unwrap_err();
                faults.all_struck();
                assert_eq!(error.kind(), ErrorKind::Write, "{call:?} {errno}: {error}");
                assert_eq!(error.file(), Some(&*place.path("tokens/github.token.json")));
                assert_eq!(snapshot(place.folder()), before, "{call:?} {errno}");
            }
        }
    }

    #[test]
    fn of_lock_files_the_error_says_so_and_no_token_is_lost() {
        let save = OPERATIONS.iter().find(|operation| operation.name == "FileStorage, the first save").unwrap();
        for (call, errno) in [
            (Call::OpenLock, Errno::ACCESS),
            (Call::OpenLock, Errno::ROFS),
            (Call::Note, Errno::NOSPC),
            (Call::Note, Errno::IO),
        ] {
            let place = save.place();
            let faults = Faults::fail(call, errno);
            let error = (save.run)(&place).unwrap_err();
            faults.all_struck();
            assert_eq!((error.kind(), error.file()), (ErrorKind::Write, Some(&*place.path("tokens/.github.lock"))));
            assert!(error.to_string().contains(&std::io::Error::from(errno).to_string()), "{error}");
            assert_eq!(snapshot(place.folder()), Snapshot::new());
            assert_works_again(save, &place);
        }
    }

    #[test]
    fn what_an_update_answers_is_not_hidden_by_a_lock_file_that_stays() {
        let place = Place::new();
        let storage = FileStorage::new(place.path("tokens"));
        let faults = Faults::fail(Call::RemoveLock, Errno::ACCESS);
        let mut why = Some(Error::new(ErrorKind::NoToken));
        let error = storage.update("github", &mut |_| Err(why.take().unwrap())).unwrap_err();
        faults.all_struck();
        assert_eq!(error.kind(), ErrorKind::NoToken, "{error}");
    }

    #[test]
    fn a_token_that_cannot_be_deleted_stays() {
        for errno in [Errno::ACCESS, Errno::ROFS, Errno::IO] {
            let place = Place::new();
            let storage = ended(&place);
            let before = snapshot(place.folder());
            let faults = Faults::fail(Call::Delete, errno);
            let error = storage.delete("github").unwrap_err();
            faults.all_struck();
            assert_eq!(
                (error.kind(), error.file()),
                (ErrorKind::Write, Some(&*place.path("tokens/github.token.json")))
            );
            assert_eq!(snapshot(place.folder()), before);
            assert!(storage.delete("github").unwrap());
            assert_eq!(fs::read_dir(place.path("tokens")).unwrap().count(), 0);
        }
    }

    #[test]
    fn a_delete_that_ends_half_way_brings_no_older_token_back() {
        let place = Place::new();
        let storage = place.storage(SEALED_TOKEN);
        let other = place.path("tokens/github.sops.json");
        storage.save("github", &Token::new("old-hunter2")).unwrap();
        fs::copy(place.path(SEALED_TOKEN), place.path("old")).unwrap();
        storage.save("github", &Token::new("new-hunter2")).unwrap();
        fs::rename(place.path("old"), &other).unwrap();
        let faults = Faults::none().and(Call::Delete, 1, Act::Fail(Errno::IO));
        assert_eq!(storage.delete("github").unwrap_err().kind(), ErrorKind::Write);
        faults.all_struck();
        assert_eq!(storage.load("github").unwrap().unwrap().access_token(), "new-hunter2");
        assert!(!other.exists());
        assert!(storage.delete("github").unwrap());
        assert_eq!(fs::read_dir(place.path("tokens")).unwrap().count(), 0);
    }
}
