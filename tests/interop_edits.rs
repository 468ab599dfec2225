//! Edits: the real sops reads each result of this crate, and the commands of the two do the same with one file.
//! `SOPS_BINS` is as in `tests/interop.rs`.
#![cfg(all(feature = "cli", unix))]

#[path = "interop/sops.rs"]
#[allow(dead_code, reason = "this test uses a part of it")]
mod sops;
mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use sops::{Release, Sops, for_each_sops};
use sopskit::{EncryptedDocument, Format, Recipients};
use support::{FIXTURES, identities, identity_text, public_key, read, recipients};
use tempfile::TempDir;

/// The first release with `set` and `unset` as commands of their own.
const COMMANDS: Release = [3, 10, 0];
const FILE: &str = "sealed.json";

/// A folder with keys and a file that this release of sops sealed.
fn home(sops: &Sops, readers: &[&str]) -> TempDir {
    let home = tempfile::tempdir().unwrap();
    let sealed = sops.encrypt(&read(format!("{FIXTURES}/cases/token-like/plain.json")), Format::Json, &[]).unwrap();
    fs::write(home.path().join(FILE), sealed).unwrap();
    let keys: String = readers.iter().map(|who| identity_text(who)).collect();
    fs::write(home.path().join("keys.txt"), keys).unwrap();
    home
}

fn words(args: &[&str]) -> Vec<String> {
    args.iter().map(|arg| (*arg).to_owned()).collect()
}

#[track_caller]
fn sopskit(home: &Path, args: &[&str]) -> bool {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sopskit"));
    command.env_clear().env("SOPS_AGE_KEY_FILE", home.join("keys.txt")).args(args).current_dir(home);
    command.output().unwrap().status.success()
}

#[track_caller]
fn sops_opens(sops: &Sops, home: &Path) -> String {
    let printed = sops.run(home, &words(&["-d", FILE])).unwrap_or_else(|error| panic!("{sops}: {error}"));
    // Old releases leave the final newline out.
    String::from_utf8(printed).unwrap().trim_end().to_owned()
}

/// What both take, one after the other on one file.
const EDITS: [&[&str]; 12] = [
    &["set", FILE, r#"["extra"]["account"]"#, r#""n3w""#],
    &["set", FILE, r#"["a"]["b"]["c"]"#, "12.5"],
    &["set", FILE, r#"["scope"][2]"#, r#""appended""#],
    &["set", FILE, r#"["scope"][0]"#, "true"],
    &["set", FILE, r#"["object"]"#, r#"{"x": "1", "list": ["p", "p"]}"#],
    &["set", FILE, r#"["object"]"#, r#"{"list": ["q", "p"], "x": "1"}"#],
    &["set", FILE, r#"["x_unencrypted"]"#, r#""in clear""#],
    &["set", FILE, r#"["empty"]"#, r#""""#],
    &["set", FILE, r#"["nothing"]"#, "null"],
    &["unset", FILE, r#"["scope"][1]"#],
    &["unset", FILE, r#"["extra"]"#],
    &["rotate", "-i", FILE],
];

#[test]
fn each_edit_gives_a_file_that_sops_opens_with_the_values_that_sops_would_set() {
    for_each_sops(|sops| {
        let (ours, theirs) = (home(sops, &["alice"]), home(sops, &["alice"]));
        for args in EDITS {
            assert!(sopskit(ours.path(), args), "{args:?}");
            let plain = sops_opens(sops, ours.path());
            if sops.release >= COMMANDS {
                sops.run(theirs.path(), &words(args)).unwrap_or_else(|error| panic!("{sops} {args:?}: {error}"));
                assert_eq!(plain, sops_opens(sops, theirs.path()), "{sops} {args:?}");
            }
        }
    });
}

#[test]
fn edits_by_turns_of_the_two_are_read_by_the_two() {
    for_each_sops(|sops| {
        if sops.release < COMMANDS {
            return;
        }
        let home = home(sops, &["alice"]);
        for turn in 0..6 {
            let args = ["set", FILE, &format!("[\"turn{turn}\"]"), &turn.to_string()].map(str::to_owned);
            if turn % 2 == 0 {
                assert!(sopskit(home.path(), &args.iter().map(String::as_str).collect::<Vec<_>>()));
            } else {
                sops.run(home.path(), &args).unwrap();
            }
        }
        let sealed = EncryptedDocument::parse(&read(home.path().join(FILE))).unwrap();
        let document = sealed.decrypt(&identities("alice")).unwrap();
        assert!((0..6).all(|turn| document.tree().contains_key(&format!("turn{turn}"))));
        sops_opens(sops, home.path());
    });
}

#[test]
fn sops_opens_what_new_recipients_and_key_groups_are_given() {
    for_each_sops(|sops| {
        let bob = public_key("bob");
        let change = |args: &[&str], before: &[&str], after: &[&str]| {
            let home = home(sops, before);
            assert!(sopskit(home.path(), args), "{args:?}");
            let keys: String = after.iter().map(|who| identity_text(who)).collect();
            fs::write(home.path().join("keys.txt"), keys).unwrap();
            sops_opens(sops, home.path());
            home
        };
        change(&["rotate", "-i", "--add-age", &bob, FILE], &["alice"], &["bob"]);
        let home = change(&["groups", "add", "-i", "--file", FILE, "--age", &bob], &["alice"], &["alice", "bob"]);
        assert!(sopskit(home.path(), &["rotate", "-i", FILE]), "rotation with key groups");
        sops_opens(sops, home.path());
        assert!(sopskit(
            home.path(),
            &["groups", "delete", "-i", "--file", FILE, "1", "--shamir-secret-sharing-threshold", "1"]
        ));
        fs::write(home.path().join("keys.txt"), identity_text("alice")).unwrap();
        sops_opens(sops, home.path());
    });
}

#[test]
fn update_keys_merge_and_removal_give_files_that_sops_opens() {
    for_each_sops(|sops| {
        let home = home(sops, &["bob"]);
        let path = home.path().join(FILE);
        let base = EncryptedDocument::parse(&read(&path)).unwrap();
        let open = || base.decrypt(&identities("alice")).unwrap();
        let (mut ours, mut theirs) = (open(), open());
        ours.set(r#"["of_ours"]"#, "x").unwrap();
        theirs.set(r#"["of_theirs"]"#, "x").unwrap();
        theirs.add_recipients(&recipients(&["bob", "carol"])).unwrap();
        ours.merge(Some(&base.decrypt(&identities("alice")).unwrap()), &theirs).unwrap();
        fs::write(&path, ours.encrypt().unwrap().to_string()).unwrap();
        let plain = sops_opens(sops, home.path());
        assert!(plain.contains("of_ours") && plain.contains("of_theirs"), "{plain}");
        ours.remove_recipients(&recipients(&["alice"])).unwrap();
        let mut sealed = ours.encrypt().unwrap();
        sealed.update_keys(&recipients(&["bob"]), &identities("carol")).unwrap();
        assert_eq!(Recipients::of(sealed.metadata()), recipients(&["bob"]));
        fs::write(&path, sealed.to_string()).unwrap();
        sops_opens(sops, home.path());
    });
}
