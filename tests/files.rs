//! Files are read whole and replaced whole, and are never more open than they were.
#![cfg(unix)]

mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use sopskit::{ErrorKind, read_file, read_from, replace_file};
use support::names;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_new_file_can_be_read_by_its_owner_only() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("new");
    replace_file(&path, b"content").unwrap();
    assert_eq!((fs::read(&path).unwrap().as_slice(), mode(&path)), (&b"content"[..], 0o600));
    assert_eq!(names(directory.path()), ["new"]);
}

#[test]
fn an_existing_file_keeps_its_permissions() {
    let directory = tempfile::tempdir().unwrap();
    for bits in [0o400, 0o600, 0o640, 0o644] {
        let path = directory.path().join(format!("{bits:o}"));
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(bits)).unwrap();
        replace_file(&path, b"new").unwrap();
        assert_eq!((fs::read(&path).unwrap().as_slice(), mode(&path)), (&b"new"[..], bits));
    }
}

#[test]
fn a_reader_of_the_old_file_keeps_seeing_the_old_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    fs::write(&path, "old").unwrap();
    let mut reader = fs::File::open(&path).unwrap();
    replace_file(&path, b"new").unwrap();
    let mut seen = String::new();
    std::io::Read::read_to_string(&mut reader, &mut seen).unwrap();
    assert_eq!(seen, "old");
}

#[test]
fn a_symbolic_link_stays_one_and_its_target_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let (target, link) = (directory.path().join("target"), directory.path().join("link"));
    fs::write(&target, "old").unwrap();
    symlink("target", &link).unwrap();
    replace_file(&link, b"new").unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read(&target).unwrap(), b"new");
}

#[test]
fn a_link_that_leads_nowhere_is_refused_and_stays() {
    let directory = tempfile::tempdir().unwrap();
    let link = directory.path().join("link");
    symlink("missing", &link).unwrap();
    assert_eq!(replace_file(&link, b"new").unwrap_err().kind(), ErrorKind::Write);
    assert_eq!(names(directory.path()), ["link"]);
}

#[test]
fn a_pipe_is_written_to_and_stays_one() {
    let directory = tempfile::tempdir().unwrap();
    let pipe = directory.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::read(pipe).unwrap()
    });
    replace_file(&pipe, b"new").unwrap();
    assert_eq!(reader.join().unwrap(), b"new");
    assert_eq!(names(directory.path()), ["pipe"]);
}

#[test]
fn a_failure_leaves_the_old_file_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing").join("file");
    let error = replace_file(&missing, b"x").unwrap_err();
    assert_eq!((error.kind(), error.file()), (ErrorKind::Write, Some(missing.as_path())));
    let folder = directory.path().join("folder");
    fs::create_dir(&folder).unwrap();
    assert_eq!(replace_file(&folder, b"x").unwrap_err().kind(), ErrorKind::Write);
    assert_eq!(names(directory.path()), ["folder"]);
}

#[test]
fn a_file_that_is_not_there_is_told_from_one_that_cannot_be_read() {
    let directory = tempfile::tempdir().unwrap();
    let error = read_file(directory.path().join("missing")).unwrap_err();
    assert!(error.kind() == ErrorKind::Read && error.is_not_found());
    let error = read_file(directory.path()).unwrap_err();
    assert!(error.kind() == ErrorKind::Read && !error.is_not_found());
}

#[test]
fn every_length_is_read_whole() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    for length in [0, 1, 8191, 8192, 8193, 100_000] {
        let content: Vec<u8> = (0..length).map(|n: u32| n.to_le_bytes()[0]).collect();
        fs::write(&path, &content).unwrap();
        assert_eq!(*read_file(&path).unwrap(), content);
        assert_eq!(*read_from(content.as_slice()).unwrap(), content);
    }
}
