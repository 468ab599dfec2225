//! The layout of the source: rooms, from the ground up. Each may use only rooms above it in [`ROOMS`], so that data goes one way:
//! bytes → format → metadata → keys → cipher and mac → tree, and the same rooms backwards.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use support::folders;

/// The rooms, and what each is for. A newcomer finds the place for a line of code here.
const ROOMS: [(&str, &str); 18] = [
    ("path", "key paths, [\"a\"][0]"),
    ("error", "the one error type: kind, key path, position; never a secret"),
    ("secret", "data keys and other bytes that are wiped on drop"),
    ("tree", "values, ordered objects, changes by key path; serde in tree/de and tree/ser"),
    (
        "fs",
        "files read whole, and replaced whole or not at all (fs/temporary); locked (fs/lock, fs/lock_file); private (fs/private)",
    ),
    ("leaf", "ENC[…] text to its parts and back; the bytes of a value"),
    ("rules", "which leaves are encrypted; RE2 in rules/re2"),
    ("walk", "the walk over the leaves, with additional data and rule"),
    ("format", "bytes to a tree and back, and to a list of places without one: format/json, format/binary"),
    ("metadata", "the sops object; unknown fields and foreign master keys kept"),
    ("cipher", "seal and open one leaf; the only user of aes-gcm"),
    ("mac", "SHA-512 over the leaves of a walk; the only user of sha2"),
    (
        "keys",
        "data keys wrapped and unwrapped: keys/age, keys/x25519 and keys/pq (the only users of age), keys/service, keys/shamir, keys/source",
    ),
    (
        "document",
        "EncryptedDocument and Document: the only room that brings the others together; their merge in document/merge",
    ),
    ("edit", "edit_file: read under a lock, changed, replaced"),
    ("config", ".sops.yaml: which rule counts for a path, and what it says; YAML in config/yaml"),
    (
        "storage",
        "OAuth tokens: storage/token; kept in memory, plain files (storage/file) and SOPS files (storage/sops)",
    ),
    ("doctor", "checks of a set-up, as data"),
];

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src");

/// The source files of a room, without its unit tests: `name.rs` and what is in `name/`.
fn sources(room: &str) -> Vec<(String, String)> {
    let mut paths = vec![Path::new(SOURCE).join(format!("{room}.rs"))];
    let folder = Path::new(SOURCE).join(room);
    if folder.is_dir() {
        let mut all = vec![folder];
        while let Some(folder) = all.pop() {
            all.extend(folders(&folder));
            let files = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
            let is_source = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "rs");
            let is_test = |path: &PathBuf| {
                path.ends_with("tests.rs") || path.parent().is_some_and(|folder| folder.ends_with("tests"))
            };
            paths.extend(files.filter(|path| is_source(path) && !is_test(path)));
        }
    }
    let read = |path: &Path| {
        let text = fs::read_to_string(path).unwrap();
        let code =
            text.split("#[cfg(test)]").next().unwrap().lines().filter(|line| !line.trim_start().starts_with("//"));
        (path.display().to_string(), code.collect::<Vec<_>>().join("\n"))
    };
    paths.iter().map(|path| read(path)).collect()
}

#[test]
fn a_room_uses_only_rooms_above_it() {
    let mut uses = 0;
    for (own, (room, _)) in ROOMS.iter().enumerate() {
        for (file, code) in sources(room) {
            for after in code.split("crate::").skip(1) {
                let name: String = after.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
                let other = ROOMS.iter().position(|(room, _)| *room == name);
                let other = other.unwrap_or_else(|| panic!("{file} uses crate::{name}, which is no room"));
                assert!(other <= own, "{file} uses {name}, a room below {room}");
                uses += 1;
            }
        }
    }
    assert!(uses > 50, "only {uses} uses were seen");
}

#[test]
fn every_source_file_belongs_to_a_room() {
    for entry in fs::read_dir(SOURCE).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let known = ["lib", "bin"].contains(&name) || ROOMS.iter().any(|(room, _)| *room == name);
        assert!(known, "{} is no room", path.display());
    }
}

#[test]
fn each_outside_crate_of_weight_is_known_to_one_room() {
    for (used, room) in [
        ("aes_gcm", "cipher"),
        ("sha2", "mac"),
        ("age::armor", "keys"),
        ("regex::bytes", "rules"),
        ("saphyr_parser", "config"),
    ] {
        for (other, _) in ROOMS {
            let found = sources(other).iter().any(|(_, code)| code.contains(&format!("use {used}")));
            assert_eq!(found, other == room, "{used} in {other}");
        }
    }
}

#[test]
fn only_one_place_reads_the_environment_and_none_writes_it() {
    let mut readers = Vec::new();
    for (room, _) in ROOMS {
        for (file, code) in sources(room) {
            for word in ["set_var", "remove_var", "set_current_dir"] {
                assert!(!code.contains(word), "{file} has {word}");
            }
            let reads = ["env::var", "env::vars", "env::home_dir", "env::current_dir", "std::env"];
            if reads.iter().any(|word| code.contains(word)) {
                readers.push(file);
            }
        }
    }
    assert_eq!(readers.len(), 1, "{readers:?}");
    assert!(readers[0].ends_with("keys/source.rs"), "{readers:?}");
}
