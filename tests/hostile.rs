//! Files that ask for too much are refused, and those that are merely large open. Times and memory at full size are in SECURITY.md.

mod support;

use std::fmt::Write as _;

use sopskit::{Document, EditOptions, EncryptedDocument, ErrorKind, Identities, Limits, Map, Passphrase};
use support::{identities, recipients};

fn sealed_by_us() -> String {
    let document = Document::new(Map::from_iter([("a", "x".into())]), &recipients(&["alice"])).unwrap();
    document.encrypt_to_text().unwrap()
}

/// A file with one leaf, and other master keys than it had: `age` is the text of the list.
fn with_master_keys(age: &str, groups: Option<&str>) -> Vec<u8> {
    let text = sealed_by_us();
    let start = text.find("\"age\": [").unwrap();
    let end = start + text[start..].find(']').unwrap() + 1;
    let groups = groups.map(|groups| format!(", \"key_groups\": [{groups}]")).unwrap_or_default();
    format!("{}\"age\": [{age}]{groups}{}", &text[..start], &text[end..]).into_bytes()
}

fn entry(enc: &str) -> String {
    format!(r#"{{"recipient": "age1w7873r7u6vgwnvm3rx5jmsc2eeahce2wce5w94d04r5qu0y6nyysemjf6a", "enc": "{enc}"}}"#)
}

fn times(text: &str, count: usize) -> String {
    vec![text; count].join(",")
}

#[test]
fn more_master_keys_than_the_limit_are_refused_before_any_is_tried() {
    let keys = |count| with_master_keys(&times(&entry("x"), count), None);
    assert!(EncryptedDocument::parse(&keys(1024)).is_ok());
    for count in [1025, 100_000] {
        let error = EncryptedDocument::parse(&keys(count)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        assert_eq!(
            error.to_string(),
            format!("the file is too large at [\"sops\"]: {count} master keys, and the limit is 1024")
        );
        let limits = Limits::new().master_keys(count);
        assert!(EncryptedDocument::parse_with_limits(&keys(count), &limits).is_ok());
    }
    // In groups too, and those of another kind.
    let groups = times(&format!(r#"{{"age": [{}]}}"#, times(&entry("x"), 10)), 200);
    let error = EncryptedDocument::parse(&with_master_keys("", Some(&groups))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
}

#[test]
fn more_key_groups_than_shares_are_possible_are_refused_with_any_limits() {
    for group in ["{}", r#"{"age": []}"#] {
        for count in [256, 100_000] {
            let file = with_master_keys("", Some(&times(group, count)));
            let limits = Limits::new().master_keys(usize::MAX);
            let error = EncryptedDocument::parse_with_limits(&file, &limits).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
        }
    }
}

#[test]
fn a_file_of_more_bytes_than_the_caller_takes_is_refused() {
    let file = sealed_by_us().into_bytes();
    assert!(EncryptedDocument::parse_with_limits(&file, &Limits::new().bytes(file.len())).is_ok());
    let error = EncryptedDocument::parse_with_limits(&file, &Limits::new().bytes(file.len() - 1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
}

#[test]
fn a_file_that_is_edited_is_held_to_the_limits_of_the_caller() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secrets.enc.json");
    let file = sealed_by_us();
    std::fs::write(&path, &file).unwrap();
    let alice = identities("alice");
    let edit = |limits: Limits| {
        let options = EditOptions::new().limits(limits);
        options.edit_file(&path, &alice, |document| document.set("[\"a\"]", "y").map(drop))
    };
    for limits in [Limits::new().bytes(file.len() - 1), Limits::new().master_keys(0)] {
        let error = edit(limits).unwrap_err();
        assert_eq!((error.kind(), error.file()), (ErrorKind::TooLarge, Some(path.as_path())));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), file);
        let bytes = sopskit::read_file(&path).unwrap();
        assert_eq!(EncryptedDocument::from_bytes_with_limits(bytes, &limits).unwrap_err().kind(), ErrorKind::TooLarge);
    }
    edit(Limits::new().bytes(file.len()).master_keys(1)).unwrap();
}

/// An age header of so many stanzas, in armor.
fn header(stanzas: usize, stanza: &str) -> String {
    use base64::Engine as _;
    let mut text = String::from("age-encryption.org/v1\n");
    (0..stanzas).for_each(|_| text.push_str(stanza));
    text.push_str("--- AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n0123456789abcdef0123456789abcdef");
    let base64 = base64::engine::general_purpose::STANDARD.encode(text);
    let mut armored = String::from("-----BEGIN AGE ENCRYPTED FILE-----\n");
    for line in base64.as_bytes().chunks(64) {
        writeln!(armored, "{}", std::str::from_utf8(line).unwrap()).unwrap();
    }
    armored + "-----END AGE ENCRYPTED FILE-----\n"
}

/// age takes a time that grows with the square of the lines of a header.
#[test]
fn a_wrapped_key_of_many_stanzas_is_no_wrapped_key() {
    let stanza = "-> X25519 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n";
    let file = |stanzas| with_master_keys(&entry(&header(stanzas, stanza).replace('\n', "\\n")), None);
    for (stanzas, is_sound) in [(3, true), (8, true), (9, false), (300, false)] {
        let sealed = EncryptedDocument::parse(&file(stanzas)).unwrap();
        let faults = sealed.inspect().faults().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        assert_eq!(!faults.contains("no valid age file"), is_sound, "{stanzas}: {faults}");
        assert_eq!(sealed.decrypt(&identities("alice")).unwrap_err().kind(), ErrorKind::NoMatchingIdentity);
    }
}

#[test]
fn a_key_file_that_asks_for_too_much_work_is_refused_without_doing_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.age");
    let ask = Passphrase::new(|_| Some(String::from("hunter2").into()));
    let stanza = |factor: &str| {
        format!("-> scrypt AAAAAAAAAAAAAAAAAAAAAA {factor}\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n")
    };
    for (stanzas, factor) in
        [(1, "62"), (1, "63"), (1, "64"), (1, "255"), (1, "4611686018427387904"), (1, "23"), (2, "22"), (5000, "22")]
    {
        std::fs::write(&path, header(stanzas, &stanza(factor))).unwrap();
        let error = Identities::from_protected_file(&path, &ask).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidIdentity, "{stanzas} {factor}");
    }
}

#[test]
fn an_error_shows_the_ends_of_a_key_path_without_end() {
    let key = format!("first{}last", "é".repeat(1_000_000));
    let error = EncryptedDocument::parse(format!(r#"{{"{key}": 1, "{key}": 2}}"#).as_bytes()).unwrap_err();
    let shown = error.to_string();
    assert!(shown.len() < 5000 && shown.contains("[\"first") && shown.contains("last\"]"), "{}", shown.len());
    assert_eq!(error.path().segments().len(), 1, "the path itself is whole");
}
