//! Many processes at work on the same tokens, and savers that are killed. A short form runs with all tests; the full one by
//! `SOPSKIT_STRESS=full cargo test --release --all-features --test storage_stress -- --nocapture`.
#![cfg(all(feature = "cli", unix))]

mod support;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rand::Rng as _;
use sopskit::{ErrorKind, Token, TokenStorage as _};
use support::tokens::{Home, assert_passed, in_a_process, open};
use support::{FIXTURES, public_key};

/// The kind of the storage, its directory, the number of this process, how many operations it does.
const WORK: &str = "SOPSKIT_TEST_WORK";
const PROVIDERS: [&str; 2] = ["github", "accounts.google.com"];

fn is_full() -> bool {
    std::env::var("SOPSKIT_STRESS").is_ok_and(|form| form == "full")
}

/// A token whose parts show whether they belong together.
fn token(number: usize) -> Token {
    Token::new(format!("access-{number}")).with_refresh_token(Some(format!("refresh-{number}").into()))
}

fn number(token: &Token) -> usize {
    let number = token.access_token().strip_prefix("access-").unwrap();
    assert_eq!(token.refresh_token(), Some(format!("refresh-{number}").as_str()), "parts of two tokens");
    number.parse().unwrap()
}

#[test]
fn four_processes_save_load_and_delete_without_an_error_or_half_a_token() {
    let operations = if is_full() { 500 } else { 40 };
    for kind in ["sops", "file"] {
        let home = Home::new();
        let children: Vec<_> = (0..4)
            .map(|process| {
                let work = format!("{kind}:{process}:{operations}:{}", home.tokens().display());
                in_a_process("mixed_operations", &[(WORK, &work)])
            })
            .collect();
        children.into_iter().for_each(assert_passed);
        let storage = open(kind, &home.tokens());
        for provider in PROVIDERS {
            storage.save(provider, &token(1)).unwrap();
            assert!(storage.delete(provider).unwrap());
        }
        assert_eq!(fs::read_dir(home.tokens()).unwrap().count(), 0, "nothing is left behind");
        println!("{kind}: 4 processes did {operations} operations each");
    }
}

#[test]
#[ignore = "run by the test above, in four processes"]
fn mixed_operations() {
    let work = std::env::var(WORK).unwrap();
    let mut parts = work.splitn(4, ':');
    let mut next = || parts.next().unwrap();
    let (kind, process, operations, directory) = (next(), next(), next(), next());
    let (process, operations): (usize, usize) = (process.parse().unwrap(), operations.parse().unwrap());
    let storage = open(kind, Path::new(directory));
    for operation in 0..operations {
        let provider = PROVIDERS[rand::thread_rng().gen_range(0..2)];
        match rand::thread_rng().gen_range(0..10) {
            0..4 => storage.save(provider, &token(process * 1_000_000 + operation)).unwrap(),
            4..8 => drop(storage.load(provider).unwrap().as_ref().map(number)),
            8 => drop(storage.delete(provider).unwrap()),
            _ => assert!(storage.list().unwrap().len() <= 2),
        }
    }
}

#[test]
fn a_load_never_gives_the_token_of_another_provider_however_they_come_and_go() {
    let rounds = if is_full() { 20_000 } else { 300 };
    let home = Home::new();
    let done = AtomicBool::new(false);
    let load = || {
        let (storage, mut loads) = (home.file(), 0);
        while !done.load(Ordering::Relaxed) {
            match storage.load("a_b") {
                Ok(None) => loads += 1,
                Ok(Some(_)) => panic!("a token of a.b"),
                Err(error) => assert_eq!(error.kind(), ErrorKind::ProviderTaken),
            }
        }
        loads
    };
    let loads: usize = thread::scope(|scope| {
        let loaders: Vec<_> = (0..4).map(|_| scope.spawn(load)).collect();
        for _ in 0..rounds {
            home.file().save("a.b", &token(1)).unwrap();
            home.file().delete("a.b").unwrap();
        }
        done.store(true, Ordering::Relaxed);
        loaders.into_iter().map(|loader| loader.join().unwrap()).sum()
    });
    println!("{rounds} rounds, {loads} loads found nothing, none a foreign token");
    assert!(loads > 0);
}

fn save(home: &Home, number: usize) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sopskit"));
    command.env_clear().env("SOPS_AGE_KEY_FILE", format!("{FIXTURES}/keys/alice.txt"));
    command.args(["token", "save", "github", "--age", &public_key("alice"), "--dir"]).arg(home.tokens());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let json = token(number).to_json().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), &json).unwrap();
    child
}

#[test]
fn a_killed_save_leaves_the_old_token_or_the_new_one_and_locks_nobody_out() {
    let runs = if is_full() { 500 } else { 20 };
    let home = Home::new();
    let storage = open("sops", &home.tokens());
    let whole_run = || {
        let started = Instant::now();
        assert!(save(&home, 0).wait().unwrap().success());
        started.elapsed()
    };
    // Of several, since the first one takes longer; so that most are killed at work.
    let longest = (0..5).map(|_| whole_run()).min().unwrap();
    let (mut killed, mut old, mut left_behind, mut before) = (0, 0, 0, 0);
    for run in 1..=runs {
        let mut child = save(&home, run);
        thread::sleep(rand::thread_rng().gen_range(Duration::ZERO..longest));
        child.kill().unwrap();
        killed += usize::from(!child.wait().unwrap().success());
        let now = number(&storage.load("github").unwrap().unwrap());
        assert!(now == before || now == run, "{now} is neither {before} nor {run}");
        old += usize::from(now == before);
        before = now;
        left_behind += fs::read_dir(home.tokens()).unwrap().count() - 2;
    }
    storage.save("github", &token(0)).unwrap();
    assert_eq!(support::names(&home.tokens()), [".github.lock", "github.token.sops.json"]);
    println!("{runs} runs, {killed} killed in time, {old} left the old token, {left_behind} temporary files seen");
    assert!(killed > 0);
}
