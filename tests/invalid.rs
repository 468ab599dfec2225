//! Broken files are refused, each with the error that says what is wrong and where.

mod support;

use std::collections::BTreeSet;

use sopskit::{EncryptOptions, EncryptedDocument, Error, ErrorKind, Format};
use support::{FIXTURES, folders, identities, name, read, recipients};

fn line(path: &std::path::Path) -> Option<String> {
    std::fs::read_to_string(path).ok().map(|text| text.trim_end_matches('\n').to_owned())
}

fn attempt(mode: &str, input: &[u8]) -> Result<(), Error> {
    match mode {
        "decrypt" => EncryptedDocument::parse(input)?.decrypt(&identities("alice")).map(drop),
        "encrypt" => {
            let tree = Format::Json.parse(input)?;
            EncryptOptions::new().encrypt(tree, &recipients(&["alice"])).map(drop)
        }
        mode => panic!("unknown mode {mode}"),
    }
}

#[test]
fn every_broken_file_is_refused_with_its_error_and_its_place() {
    let mut kinds = BTreeSet::new();
    let mut wrong = Vec::new();
    let folders = folders(format!("{FIXTURES}/invalid"));
    for folder in &folders {
        let mode = line(&folder.join("mode")).unwrap();
        let expected = line(&folder.join("expect")).unwrap();
        match attempt(&mode, &read(folder.join("input.json"))) {
            Ok(()) => wrong.push(format!("{}: accepted, expected {expected}", name(folder))),
            Err(error) => {
                kinds.insert(error.kind().as_str());
                let path = line(&folder.join("path")).unwrap_or_else(|| error.path().to_string());
                if error.kind().as_str() != expected || error.path().to_string() != path {
                    wrong.push(format!("{}: {error:?}, expected {expected} at {path}", name(folder)));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), folders.len(), wrong.join("\n"));
    assert!(folders.len() >= 40 && kinds.len() >= 20, "{} files, kinds {kinds:?}", folders.len());
}

#[test]
fn no_error_shows_what_the_file_holds() {
    for folder in folders(format!("{FIXTURES}/invalid")) {
        let input = read(folder.join("input.json"));
        let Err(error) = attempt(&line(&folder.join("mode")).unwrap(), &input) else { continue };
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("AGE-SECRET-KEY"), "{shown}");
        assert!(!shown.contains("ENC[AES256_GCM,data:"), "{shown}");
        let Ok(serde_json::Value::Object(map)) = serde_json::from_slice(&input) else { continue };
        for (key, value) in map.iter().filter(|(key, _)| *key != "sops") {
            if let serde_json::Value::String(secret) = value {
                assert!(secret.len() < 6 || !shown.contains(secret.as_str()), "{}: {key} in {shown}", name(&folder));
            }
        }
    }
}

#[test]
fn no_error_moves_the_cursor_or_begins_a_line_of_the_file() {
    for folder in folders(format!("{FIXTURES}/invalid")) {
        let input = read(folder.join("input.json"));
        let Err(error) = attempt(&line(&folder.join("mode")).unwrap(), &input) else { continue };
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains(|c: char| c != '\n' && c.is_control()), "{}: {shown:?}", name(&folder));
        assert!(!shown.lines().any(|line| line.starts_with("nothing is wrong")), "{}: {shown:?}", name(&folder));
    }
}

#[test]
fn the_mac_can_be_ignored_by_a_call_of_its_own_and_nothing_else_can() {
    for folder in folders(format!("{FIXTURES}/invalid")) {
        if line(&folder.join("mode")).unwrap() != "decrypt" {
            continue;
        }
        let expected = line(&folder.join("expect")).unwrap();
        let Ok(sealed) = EncryptedDocument::parse(&read(folder.join("input.json"))) else { continue };
        let opened = sealed.decrypt_ignoring_mac(&identities("alice")).map(drop).map_err(|error| error.kind().as_str());
        match expected.as_str() {
            "mac-missing" | "mac-not-authentic" | "mac-mismatch" => assert_eq!(opened, Ok(()), "{}", name(&folder)),
            expected => assert_eq!(opened, Err(expected), "{}", name(&folder)),
        }
    }
}

#[test]
fn the_three_faults_of_a_mac_can_be_told_apart() {
    for (case, kind) in [
        ("mac-missing", ErrorKind::MacMissing),
        ("mac-not-authentic-tag", ErrorKind::MacNotAuthentic),
        ("mac-mismatch-leaf-removed", ErrorKind::MacMismatch),
    ] {
        let sealed = EncryptedDocument::parse(&read(format!("{FIXTURES}/invalid/{case}/input.json"))).unwrap();
        let error = sealed.decrypt(&identities("alice")).unwrap_err();
        assert_eq!(error.kind(), kind);
        assert!(error.is_tampered());
    }
}

#[test]
fn a_leaf_whose_type_was_changed_to_none_is_tampered_with() {
    let sealed =
        EncryptedDocument::parse(&read(format!("{FIXTURES}/invalid/unknown-leaf-type-foo/input.json"))).unwrap();
    assert!(sealed.decrypt(&identities("alice")).unwrap_err().is_tampered());
}
