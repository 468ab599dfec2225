//! Many writers, killed writers and a reader on one file. A short form runs with all tests; the full one by
//! `SOPSKIT_STRESS=full cargo test --release --all-features --test stress -- --nocapture`.
#![cfg(all(feature = "cli", unix))]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rand::Rng as _;
use sopskit::{EncryptedDocument, Identities};
use support::{FIXTURES, identities, read};
use tempfile::TempDir;

fn is_full() -> bool {
    std::env::var("SOPSKIT_STRESS").is_ok_and(|form| form == "full")
}

fn file() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("secrets.enc.json");
    fs::copy(format!("{FIXTURES}/3.13.2/token-like/sealed.json"), &path).unwrap();
    (directory, path)
}

fn set(path: &Path, key: &str, value: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sopskit"));
    command.env_clear().env("SOPS_AGE_KEY_FILE", format!("{FIXTURES}/keys/alice.txt"));
    command.arg("set").arg(path).args([&format!("[\"{key}\"]"), value]);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// Reads the file again and again, and counts; each time it must open.
fn read_until(done: &AtomicBool, path: &Path, identities: &Identities) -> usize {
    let mut reads = 0;
    while !done.load(Ordering::Relaxed) {
        let bytes = fs::read(path).unwrap();
        EncryptedDocument::parse(&bytes).and_then(|sealed| sealed.decrypt(identities)).unwrap();
        reads += 1;
    }
    reads
}

#[test]
fn no_process_loses_a_write_and_a_reader_never_sees_a_broken_file() {
    let (processes, sets) = if is_full() { (20, 50) } else { (4, 5) };
    let (_directory, path) = file();
    let done = AtomicBool::new(false);
    let reads = thread::scope(|scope| {
        let reader = scope.spawn(|| read_until(&done, &path, &identities("alice")));
        let writers: Vec<_> = (0..processes)
            .map(|writer| {
                let path = &path;
                scope.spawn(move || {
                    for number in 0..sets {
                        let status = set(path, &format!("w{writer}n{number}"), "\"x\"").status().unwrap();
                        assert!(status.success(), "set {number} of writer {writer} failed");
                    }
                })
            })
            .collect();
        let failed = writers.into_iter().filter_map(|writer| writer.join().err()).count();
        done.store(true, Ordering::Relaxed);
        assert_eq!(failed, 0);
        reader.join().unwrap()
    });
    let document = EncryptedDocument::parse(&read(&path)).unwrap().decrypt(&identities("alice")).unwrap();
    let keys = document.tree().keys().filter(|key| key.starts_with('w')).count();
    println!("{keys} keys of {processes} processes, {reads} reads");
    assert_eq!(keys, processes * sets);
}

#[test]
fn a_killed_writer_leaves_the_old_file_or_the_new_one_and_no_other_file_for_long() {
    let runs = if is_full() { 500 } else { 20 };
    let (directory, path) = file();
    let alice = identities("alice");
    let whole_run = || {
        let started = Instant::now();
        assert!(set(&path, "k", "0").status().unwrap().success());
        started.elapsed()
    };
    // Of several, since the first one takes longer; so that most are killed at work.
    let longest = (0..5).map(|_| whole_run()).min().unwrap();
    let (mut killed, mut old, mut left_behind) = (0, 0, 0);
    let mut before = 0;
    for run in 1..=runs {
        let mut child = set(&path, "k", &run.to_string()).spawn().unwrap();
        thread::sleep(rand::thread_rng().gen_range(Duration::ZERO..longest));
        child.kill().unwrap();
        killed += usize::from(!child.wait().unwrap().success());
        let document = EncryptedDocument::parse(&read(&path)).unwrap().decrypt(&alice).unwrap();
        let now = document.get(r#"["k"]"#).unwrap().as_i64().unwrap();
        assert!(now == before || now == run, "{now} is neither {before} nor {run}");
        old += usize::from(now == before);
        before = now;
        left_behind += fs::read_dir(directory.path()).unwrap().count() - 1;
    }
    assert!(set(&path, "k", "-1").status().unwrap().success());
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "the next run removes what a killed one left");
    println!("{runs} runs, {killed} killed in time, {old} left the old file, {left_behind} temporary files seen");
    assert!(killed > 0);
}
