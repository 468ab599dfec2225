//! A file is edited in place by one writer at a time, whole or not at all.
#![cfg(unix)]

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use sopskit::{EditOptions, EncryptedDocument, Error, ErrorKind, KeyChanges, KeyPath, Recipients, edit_file};
use support::{FIXTURES, identities, names, read, recipients};
use tempfile::TempDir;

fn token_file() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("secrets.enc.json");
    fs::copy(format!("{FIXTURES}/3.13.2/token-like/sealed.json"), &path).unwrap();
    (directory, path)
}

#[track_caller]
fn get(path: &Path, key_path: &str) -> Option<String> {
    let document = EncryptedDocument::parse(&read(path)).unwrap().decrypt(&identities("alice")).unwrap();
    document.get(key_path).ok().and_then(|value| value.as_str().map(str::to_owned))
}

#[test]
fn one_line_the_mac_and_the_time_change_on_disk() {
    let (directory, path) = token_file();
    let before = String::from_utf8(read(&path)).unwrap();
    edit_file(&path, &identities("alice"), |document| document.set(r#"["extra"]["account"]"#, "new")).unwrap();
    let after = String::from_utf8(read(&path)).unwrap();
    assert_eq!(before.lines().count(), after.lines().count());
    let changed = before.lines().zip(after.lines()).filter(|(before, after)| before != after);
    let keys: Vec<_> = changed.map(|(_, after)| after.trim().split(':').next().unwrap()).collect();
    assert_eq!(keys, ["\"account\"", "\"lastmodified\"", "\"mac\""]);
    assert_eq!(get(&path, r#"["extra"]["account"]"#).as_deref(), Some("new"));
    assert_eq!(names(directory.path()), ["secrets.enc.json"], "nothing else is left");
}

#[test]
fn an_edit_that_fails_or_changes_nothing_writes_nothing() {
    let (_directory, path) = token_file();
    let before = (read(&path), fs::metadata(&path).unwrap().ino());
    let alice = identities("alice");
    edit_file(&path, &alice, |document| document.get(r#"["extra"]"#).map(drop)).unwrap();
    let error = edit_file(&path, &alice, |document| {
        document.set(r#"["extra"]"#, 1)?;
        document.unset(r#"["missing"]"#)
    });
    assert_eq!(error.unwrap_err().kind(), ErrorKind::PathNotFound);
    // The error can be the caller's own.
    let error = edit_file(&path, &alice, |document| {
        document.set(r#"["extra"]"#, 1)?;
        Err::<(), Box<dyn std::error::Error>>("the provider is down".into())
    });
    assert_eq!(error.unwrap_err().to_string(), "the provider is down");
    assert_eq!(edit_file(&path, &identities("bob"), |_| Ok::<_, Error>(())).unwrap_err().file(), Some(path.as_path()));
    assert_eq!((read(&path), fs::metadata(&path).unwrap().ino()), before);
    edit_file(&path, &alice, |document| {
        document.touch();
        Ok::<_, Error>(())
    })
    .unwrap();
    assert_ne!(read(&path), before.0, "unless the caller wants it written");
}

#[test]
fn mode_and_owner_are_kept() {
    let (_directory, path) = token_file();
    for mode in [0o400, 0o600, 0o640] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        // Only root can give a file away.
        let is_root = std::os::unix::fs::chown(&path, Some(1234), Some(2345)).is_ok();
        edit_file(&path, &identities("alice"), |document| document.set(r#"["mode"]"#, i64::from(mode))).unwrap();
        let about = fs::metadata(&path).unwrap();
        assert_eq!(about.mode() & 0o7777, mode);
        if is_root {
            assert_eq!((about.uid(), about.gid()), (1234, 2345));
        }
    }
}

#[test]
fn a_link_stays_a_link_and_both_names_share_one_lock() {
    let (directory, path) = token_file();
    let link = directory.path().join("link.json");
    symlink("secrets.enc.json", &link).unwrap();
    let alice = identities("alice");
    edit_file(&link, &alice, |document| {
        let busy = EditOptions::new().wait(Duration::ZERO).edit_file(&path, &alice, |_| Ok::<_, Error>(()));
        let error = busy.unwrap_err();
        assert_eq!((error.kind(), error.file()), (ErrorKind::Busy, Some(path.as_path())));
        document.set(r#"["extra"]"#, "through the link")
    })
    .unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(get(&path, r#"["extra"]"#).as_deref(), Some("through the link"));
}

#[test]
fn waiting_without_end_is_possible() {
    let (_directory, path) = token_file();
    let options = EditOptions::new().wait(Duration::MAX);
    options.edit_file(&path, &identities("alice"), |document| document.set(r#"["extra"]"#, 1)).unwrap();
}

#[test]
fn a_change_anywhere_in_a_large_file_is_a_conflict() {
    let (_directory, path) = token_file();
    let alice = identities("alice");
    edit_file(&path, &alice, |document| document.set(r#"["large"]"#, "x".repeat(600_000))).unwrap();
    let whole = read(&path);
    let changed = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        bytes
    };
    let last = whole.len() - 1;
    let foreign = [
        changed(0),
        changed(256 * 1024 - 1),
        changed(256 * 1024),
        changed(last),
        whole[..last].to_vec(),
        whole[..512 * 1024].to_vec(),
        [whole.clone(), vec![b'\n']].concat(),
        Vec::new(),
    ];
    for foreign in foreign {
        fs::write(&path, &whole).unwrap();
        let outcome = edit_file(&path, &alice, |document| {
            fs::write(&path, &foreign).unwrap();
            document.set(r#"["extra"]"#, 1)
        });
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Conflict);
        assert!(read(&path) == foreign);
    }
    fs::write(&path, &whole).unwrap();
    edit_file(&path, &alice, |document| {
        fs::write(&path, &whole).unwrap();
        document.set(r#"["extra"]"#, "written over by the same")
    })
    .unwrap();
    assert_eq!(get(&path, r#"["extra"]"#).as_deref(), Some("written over by the same"));
}

#[test]
fn a_change_by_somebody_who_takes_no_lock_is_a_conflict() {
    let (directory, path) = token_file();
    let (alice, meddled) = (identities("alice"), read(format!("{FIXTURES}/3.13.2/mixed/sealed.json")));
    let error = edit_file(&path, &alice, |document| {
        fs::write(&path, &meddled).unwrap();
        document.set(r#"["extra"]"#, 1)
    })
    .unwrap_err();
    assert_eq!((error.kind(), error.file()), (ErrorKind::Conflict, Some(path.as_path())));
    assert_eq!(read(&path), meddled);
    // The edit starts again on the new content, if that is wanted.
    let mut runs = 0;
    let options = EditOptions::new().retries(1);
    options
        .edit_file(&path, &alice, |document| {
            runs += 1;
            if runs == 1 {
                fs::copy(format!("{FIXTURES}/3.13.2/token-like/sealed.json"), &path).unwrap();
            }
            document.set(r#"["new"]"#, 1)
        })
        .unwrap();
    assert_eq!(runs, 2);
    assert!(get(&path, r#"["access_token"]"#).is_some());
    // Gone counts as changed.
    let error = edit_file(&path, &alice, |document| {
        fs::remove_file(&path).unwrap();
        document.set(r#"["extra"]"#, 2)
    });
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Conflict);
    assert!(names(directory.path()).is_empty());
}

#[test]
fn threads_lose_no_write() {
    let (_directory, path) = token_file();
    thread::scope(|scope| {
        for writer in 0..8 {
            let path = &path;
            scope.spawn(move || {
                let alice = identities("alice");
                for number in 0..5 {
                    edit_file(path, &alice, |document| {
                        document.set(KeyPath::from_iter([format!("w{writer}n{number}").into()]), "x")
                    })
                    .unwrap();
                }
            });
        }
    });
    let document = EncryptedDocument::parse(&read(&path)).unwrap().decrypt(&identities("alice")).unwrap();
    assert_eq!(document.tree().keys().filter(|key| key.starts_with('w')).count(), 40);
}

#[test]
fn what_a_killed_writer_left_is_removed_and_a_living_ones_is_not() {
    let (directory, path) = token_file();
    let abandoned = directory.path().join(".sopskit-0123456789abcdef.tmp");
    fs::write(&abandoned, "half a file").unwrap();
    let other = directory.path().join(".sopskit-notes");
    fs::write(&other, "somebody's own").unwrap();
    edit_file(&path, &identities("alice"), |document| document.set(r#"["extra"]"#, 1)).unwrap();
    assert_eq!(names(directory.path()), [".sopskit-notes", "secrets.enc.json"]);
}

#[test]
fn a_folder_a_pipe_and_a_missing_file_are_refused() {
    let (directory, path) = token_file();
    let alice = identities("alice");
    let refused = |path: &Path| edit_file(path, &alice, |_| Ok::<_, Error>(())).unwrap_err();
    assert!(refused(&directory.path().join("missing")).is_not_found());
    assert_eq!(refused(directory.path()).kind(), ErrorKind::Read);
    fs::write(&path, "{}").unwrap();
    assert_eq!(refused(&path).kind(), ErrorKind::NoMetadata);
}

#[test]
fn master_keys_change_without_a_look_at_the_values() {
    let (_directory, path) = token_file();
    let before = String::from_utf8(read(&path)).unwrap();
    let alice = identities("alice");
    let add_bob = |sealed: &mut EncryptedDocument| {
        let recipients = Recipients::of(sealed.metadata()).with(&support::recipients(&["bob"]));
        let changes: KeyChanges = sealed.update_keys(&recipients, &alice)?;
        Ok::<_, Error>(!changes.is_empty())
    };
    assert!(EditOptions::new().edit_sealed_file(&path, add_bob).unwrap());
    let after = String::from_utf8(read(&path)).unwrap();
    let kept: Vec<_> = before.lines().filter(|line| line.contains("ENC[") || line.contains("lastmodified")).collect();
    assert!(kept.iter().all(|line| after.contains(line)), "values, MAC and time stay");
    let bob = EncryptedDocument::parse(after.as_bytes()).unwrap().decrypt(&identities("bob")).unwrap();
    assert_eq!(Recipients::of(bob.metadata()), recipients(&["alice", "bob"]));
    assert!(!EditOptions::new().edit_sealed_file(&path, add_bob).unwrap());
    assert_eq!(String::from_utf8(read(&path)).unwrap(), after, "a second time changes nothing");
}
