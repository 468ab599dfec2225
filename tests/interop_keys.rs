//! Keys of every kind and key groups: the real sops and this crate read each other. `SOPS_BINS` is as in `tests/interop.rs`.
#![cfg(all(feature = "cli", unix))]

#[path = "interop/sops.rs"]
#[allow(dead_code, reason = "this test uses a part of it")]
mod sops;
mod support;

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use sops::{Release, Sops, for_each_sops};
use sopskit::{Document, EncryptedDocument, Format, Identities, Map, Recipients};
use support::{FIXTURES, identity_text, public_key, read, recipients};
use tempfile::TempDir;

const PLAIN: &str = "{\n\t\"db\": {\n\t\t\"password\": \"hunter2\",\n\t\t\"port\": 5432\n\t}\n}\n";
/// The first releases that know such keys.
const SSH: Release = [3, 10, 0];
const PLUGINS: Release = [3, 10, 0];

fn plain() -> Map {
    Format::Json.parse(PLAIN.as_bytes()).unwrap()
}

/// Older releases seal integers as floats; the text is the same.
fn text(document: &Document) -> String {
    String::from_utf8(document.to_bytes(Format::Json).unwrap().to_vec()).unwrap()
}

fn words(args: &[&str]) -> Vec<String> {
    args.iter().map(|arg| (*arg).to_owned()).collect()
}

/// A home with a plaintext file and the keys of some people.
fn home(readers: &[&str]) -> TempDir {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("plain.json"), PLAIN).unwrap();
    let keys: String = readers.iter().map(|who| identity_text(who)).collect();
    fs::write(home.path().join("keys.txt"), keys).unwrap();
    home
}

#[track_caller]
fn sops_opens(sops: &Sops, home: &Path, sealed: &str) {
    fs::write(home.join("sealed.json"), sealed).unwrap();
    let printed = sops.run(home, &words(&["-d", "sealed.json"])).unwrap_or_else(|error| panic!("{sops}: {error}"));
    assert_eq!(String::from_utf8(printed).unwrap().trim_end(), PLAIN.trim_end(), "{sops}");
}

fn identities_of(readers: &[&str]) -> Identities {
    Identities::parse(&readers.iter().map(|who| identity_text(who)).collect::<Vec<_>>().join("\n")).unwrap()
}

/// Key groups by the names of their members, how many are needed, and readers that are enough.
type Groups = (&'static [&'static [&'static str]], Option<usize>, &'static [&'static str]);

const GROUPS: [Groups; 5] = [
    (&[&["alice"], &["bob"], &["carol"]], Some(2), &["carol", "alice"]),
    (&[&["alice"], &["bob"], &["carol"]], Some(3), &["alice", "bob", "carol"]),
    (&[&["alice"], &["bob"], &["carol"]], None, &["alice", "bob", "carol"]),
    (&[&["alice", "bob"], &["carol", "bob"]], None, &["bob"]),
    (&[&["alice", "bob"]], None, &["bob"]),
];

#[test]
fn key_groups_of_sops_open_for_us() {
    for_each_sops(|sops| {
        for (groups, threshold, readers) in GROUPS {
            let home = home(readers);
            let mut config = String::from("creation_rules:\n  - key_groups:\n");
            for group in groups {
                let keys: Vec<_> = group.iter().map(|who| format!("'{}'", public_key(who))).collect();
                config.push_str(&format!("      - age: [{}]\n", keys.join(", ")));
            }
            if let Some(threshold) = threshold {
                config.push_str(&format!("    shamir_threshold: {threshold}\n"));
            }
            fs::write(home.path().join(".sops.yaml"), config).unwrap();
            let sealed = sops.run(home.path(), &words(&["-e", "plain.json"])).unwrap();
            let sealed = EncryptedDocument::parse(&sealed).unwrap();
            assert_eq!(sealed.metadata().key_groups().len(), groups.len());
            let document = sealed.decrypt(&identities_of(readers)).unwrap_or_else(|error| panic!("{sops}: {error}"));
            assert_eq!(text(&document), PLAIN);
            if groups.len() > 1 {
                assert!(sealed.decrypt(&Identities::parse(&identity_text("alice")).unwrap()).is_err());
            }
        }
    });
}

#[test]
fn our_key_groups_open_for_sops_and_so_do_rotated_ones() {
    for_each_sops(|sops| {
        for (groups, threshold, readers) in GROUPS {
            let home = home(readers);
            let recipients = Recipients::from_groups(groups.iter().map(|group| recipients(group)), threshold).unwrap();
            let mut document = Document::new(plain(), &recipients).unwrap();
            sops_opens(sops, home.path(), &document.encrypt().unwrap().to_string());
            document.rotate().unwrap();
            sops_opens(sops, home.path(), &document.encrypt().unwrap().to_string());
            // And back, after sops has split a data key of its own.
            sops.run(home.path(), &words(&["-r", "-i", "sealed.json"])).unwrap();
            let rotated = EncryptedDocument::parse(&read(home.path().join("sealed.json"))).unwrap();
            assert_eq!(text(&rotated.decrypt(&identities_of(readers)).unwrap()), PLAIN, "{sops}");
        }
    });
}

#[test]
fn ssh_keys_are_shared_with_sops() {
    for_each_sops(|sops| {
        if sops.release < SSH {
            return;
        }
        for name in ["id_ed25519", "id_rsa"] {
            let path = format!("{FIXTURES}/keys/ssh/{name}");
            let public = String::from_utf8(read(format!("{path}.pub"))).unwrap();
            let public = public.split(' ').take(2).collect::<Vec<_>>().join(" ");
            let home = home(&[]);
            fs::create_dir(home.path().join(".ssh")).unwrap();
            fs::copy(&path, home.path().join(".ssh").join(name)).unwrap();

            let sealed = sops.run(home.path(), &words(&["--age", &public, "-e", "plain.json"])).unwrap();
            let identities = Identities::from_file(&path).unwrap();
            let opened = EncryptedDocument::parse(&sealed).unwrap().decrypt(&identities).unwrap();
            assert_eq!(text(&opened), PLAIN, "{sops} {name}");

            let document = Document::new(plain(), &Recipients::parse(&public).unwrap()).unwrap();
            sops_opens(sops, home.path(), &document.encrypt().unwrap().to_string());
        }
    });
}

#[test]
fn plugins_are_shared_with_sops() {
    const RECIPIENT: &str = "age1sopskittest1v9kxjcm9gsw7zd";
    const IDENTITY: &str = "AGE-PLUGIN-SOPSKITTEST-1V9KXJCM95KJP63";
    for_each_sops(|sops| {
        if sops.release < PLUGINS {
            return;
        }
        let home = home(&[]);
        fs::write(home.path().join("keys.txt"), IDENTITY).unwrap();
        let path = format!("{}/tests/plugin:{}", env!("CARGO_MANIFEST_DIR"), std::env::var("PATH").unwrap());
        let sopskit = |args: &[&str]| {
            let mut command = Command::cargo_bin("sopskit").unwrap();
            command.env_clear().env("PATH", &path).env("SOPS_AGE_KEY", IDENTITY).current_dir(home.path()).args(args);
            let output = command.output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap()
        };
        let sealed = sops.run(home.path(), &words(&["--age", RECIPIENT, "-e", "plain.json"])).unwrap();
        fs::write(home.path().join("theirs.json"), sealed).unwrap();
        assert_eq!(sopskit(&["decrypt", "theirs.json"]), PLAIN, "{sops}");
        sops_opens(sops, home.path(), &sopskit(&["encrypt", "--age", RECIPIENT, "plain.json"]));
    });
}
