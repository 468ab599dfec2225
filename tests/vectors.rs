//! Files that real sops releases wrote are read as those releases read them.

mod support;

use sopskit::{EncryptedDocument, ErrorKind, Format, Map, Value};
use support::{FIXTURES, RELEASES, cases, folders, identities, name, read};

/// What the release printed for its own file, and its format.
fn printed(folder: &std::path::Path) -> (Vec<u8>, Format) {
    let json = folder.join("decrypted.json");
    if json.exists() { (read(json), Format::Json) } else { (read(folder.join("decrypted.bin")), Format::Binary) }
}

/// Who opens a case; `None` for the two cases with key groups.
fn readers(case: &str) -> Option<Vec<String>> {
    match cases().into_iter().find(|known| known.name == case) {
        Some(case) => case.one_group.then_some(case.readers),
        None => Some(vec!["alice".to_owned()]),
    }
}

#[test]
fn every_file_of_every_release_decrypts_to_what_that_release_prints() {
    let mut files = 0;
    for release in RELEASES {
        for folder in folders(format!("{FIXTURES}/{release}")) {
            let case = name(&folder);
            let Some(readers) = readers(case) else { continue };
            let sealed = EncryptedDocument::parse(&read(folder.join("sealed.json"))).unwrap();
            assert_eq!(sealed.metadata().version(), release, "{case}");
            let (mut expected, format) = printed(&folder);
            if format == Format::Json && !expected.ends_with(b"\n") {
                // Releases up to 3.9.4 leave the last newline out.
                expected.push(b'\n');
            }
            for reader in readers {
                let document =
                    sealed.decrypt(&identities(&reader)).unwrap_or_else(|error| panic!("{release} {case}: {error}"));
                let text = document.to_bytes(format).unwrap();
                assert_eq!(
                    String::from_utf8_lossy(&text),
                    String::from_utf8_lossy(&expected),
                    "{release} {case}, read by {reader}"
                );
                assert_eq!(*text, expected, "{release} {case}, read by {reader}");
                files += 1;
            }
        }
    }
    assert!(files > 900, "only {files} files were read");
}

#[test]
fn a_file_written_again_without_a_change_keeps_every_line_but_mac_and_time() {
    for release in RELEASES {
        for folder in folders(format!("{FIXTURES}/{release}")) {
            let case = name(&folder);
            let Some(readers) = readers(case) else { continue };
            let text = String::from_utf8(read(folder.join("sealed.json"))).unwrap();
            let document =
                EncryptedDocument::parse(text.as_bytes()).unwrap().decrypt(&identities(&readers[0])).unwrap();
            let again = document.encrypt().unwrap().to_string();
            let lines = |text: &str| {
                let changing = ["\"mac\":", "\"lastmodified\":"];
                // Releases before 3.13 wrote a negative zero in clear in a way that 3.13 cannot read.
                let kept =
                    text.lines().filter(|line| !changing.iter().any(|field| line.trim_start().starts_with(field)));
                kept.map(|line| line.replace("-0.0", "-0")).collect::<Vec<_>>()
            };
            assert_eq!(lines(&again), lines(&text), "{release} {case}");
        }
    }
}

#[test]
fn rotating_replaces_every_encrypted_leaf_and_keeps_the_plaintext() {
    for folder in folders(format!("{FIXTURES}/3.13.2")) {
        let case = name(&folder);
        let Some(readers) = readers(case) else { continue };
        let identities = identities(&readers[0]);
        let sealed = EncryptedDocument::parse(&read(folder.join("sealed.json"))).unwrap();
        let mut document = sealed.decrypt(&identities).unwrap();
        document.rotate().unwrap();
        let rotated = EncryptedDocument::parse(document.encrypt().unwrap().to_string().as_bytes()).unwrap();
        assert_eq!(rotated.decrypt(&identities).unwrap().tree(), document.tree(), "{case}");
        let (old, new) = (leaves(sealed.tree()), leaves(rotated.tree()));
        assert_eq!(old.len(), new.len());
        for (old, new) in old.iter().zip(&new).filter(|(old, _)| old.starts_with("ENC[AES256_GCM,data:")) {
            let kind = |leaf: &str| leaf.rsplit(",type:").next().unwrap_or_default().to_owned();
            // Strings that only look like leaves stand in clear in some cases.
            assert!(old != new || case.starts_with("enc-like"), "{case}: {old}");
            assert_eq!(kind(old), kind(new), "{case}");
        }
    }
}

fn leaves(tree: &Map) -> Vec<String> {
    fn gather(value: &Value, into: &mut Vec<String>) {
        match value {
            Value::Text(text) => into.push(text.as_str().to_owned()),
            Value::Array(items) => items.iter().for_each(|item| gather(item, into)),
            Value::Object(map) => map.iter().for_each(|(_, value)| gather(value, into)),
            _ => {}
        }
    }
    let mut all = Vec::new();
    tree.iter().for_each(|(_, value)| gather(value, &mut all));
    all
}

#[test]
fn a_comment_of_a_yaml_list_survives_a_rewrite_and_is_no_value() {
    for release in ["3.10.2", "3.11.0", "3.12.2"] {
        let sealed =
            EncryptedDocument::parse(&read(format!("{FIXTURES}/{release}/from-yaml-comments/sealed.json"))).unwrap();
        let comments = leaves(sealed.tree()).iter().filter(|leaf| leaf.ends_with(",type:comment]")).count();
        assert!(comments > 0, "the fixture has lost its comments");
        let mut document = sealed.decrypt(&identities("alice")).unwrap();
        document.rotate().unwrap();
        let again = document.encrypt().unwrap();
        assert_eq!(leaves(again.tree()).iter().filter(|leaf| leaf.ends_with(",type:comment]")).count(), comments);
        document.deserialize::<serde_json::Value>().unwrap();
    }
}

#[test]
fn a_split_data_key_opens_with_enough_key_groups_and_with_no_fewer() {
    for release in RELEASES {
        for (case, enough, too_few) in [
            ("key-groups", vec!["alice bob", "alice carol", "bob carol", "alice bob carol"], vec!["alice", "carol"]),
            ("key-groups-all", vec!["alice carol", "bob carol", "carol alice bob"], vec!["alice bob", "carol"]),
        ] {
            let folder = std::path::PathBuf::from(format!("{FIXTURES}/{release}/{case}"));
            let sealed = EncryptedDocument::parse(&read(folder.join("sealed.json"))).unwrap();
            let of = |names: &str| {
                let keys: Vec<_> = names.split(' ').map(support::identity_text).collect();
                sopskit::Identities::parse(&keys.join("\n")).unwrap()
            };
            let mut expected = printed(&folder).0;
            if !expected.ends_with(b"\n") {
                expected.push(b'\n');
            }
            for names in enough {
                let mut document = sealed.decrypt(&of(names)).unwrap();
                assert_eq!(*document.to_bytes(Format::Json).unwrap(), expected, "{release} {case} {names}");
                document.rotate().unwrap();
                assert_eq!(document.encrypt().unwrap().decrypt(&of(names)).unwrap().tree(), document.tree());
            }
            for names in too_few {
                assert_eq!(sealed.decrypt(&of(names)).unwrap_err().kind(), ErrorKind::NoMatchingIdentity, "{names}");
            }
        }
    }
}

#[test]
fn a_comment_moves_no_value() {
    // No MAC covers a comment, so that whoever can write the file can add one: here, a copy of the first item.
    let tree = Format::Json.parse(br#"{"l": ["a", "b"]}"#).unwrap();
    let text = sopskit::EncryptOptions::new().encrypt(tree, &support::recipients(&["alice"])).unwrap().to_string();
    let item = text.lines().find(|line| line.contains("ENC[")).unwrap();
    let text = text.replacen(item, &format!("{}\n{item}", item.replace(",type:str]", ",type:comment]")), 1);
    let mut document = EncryptedDocument::parse(text.as_bytes()).unwrap().decrypt(&identities("alice")).unwrap();
    assert_eq!(document.get("[\"l\"][1]").unwrap().as_str(), Some("b"));
    assert_eq!(document.tree().get("l").unwrap().get(0).unwrap().as_str(), Some("a"));
    document.set("[\"l\"][1]", "c").unwrap();
    document.set("[\"l\"][2]", "d").unwrap();
    assert!(document.set("[\"l\"][4]", "e").is_err());
    document.unset("[\"l\"][0]").unwrap();
    let again = document.encrypt().unwrap().to_string();
    assert!(again.contains(",type:comment]"));
    let again = EncryptedDocument::parse(again.as_bytes()).unwrap().decrypt(&identities("alice")).unwrap();
    assert_eq!(again.deserialize::<serde_json::Value>().unwrap(), serde_json::json!({"l": ["c", "d"]}));
}
