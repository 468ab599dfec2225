//! What is said of a file without a key, and how two documents are compared.

mod support;

use sopskit::{Difference, Document, EncryptedDocument, ErrorKind, Format, Inspection, KeyPath, Value};
use support::{FIXTURES, RELEASES, folders, name, read, recipients};

fn inspect(text: &str) -> Inspection {
    EncryptedDocument::parse(text.as_bytes()).unwrap().inspect()
}

fn sealed(case: &str) -> String {
    String::from_utf8(read(format!("{FIXTURES}/3.13.2/{case}/sealed.json"))).unwrap()
}

#[test]
fn every_file_that_sops_wrote_is_sound() {
    let mut files = 0;
    for release in RELEASES {
        for folder in folders(format!("{FIXTURES}/{release}")) {
            let sealed = EncryptedDocument::parse(&read(folder.join("sealed.json"))).unwrap();
            let faults = format!("{:?}", sealed.inspect().faults());
            assert_eq!(faults, "[]", "{release} {}", name(&folder));
            files += 1;
        }
    }
    assert!(files > 900, "{files} files");
}

#[test]
fn leaves_are_counted_by_type_and_state() {
    let inspection = inspect(&sealed("mixed"));
    let encrypted: Vec<_> = inspection.encrypted().collect();
    assert_eq!(encrypted, [("bool", 3), ("float", 2), ("int", 2), ("str", 3)]);
    assert_eq!((inspection.in_clear().count(), inspection.empty(), inspection.null()), (0, 1, 2));
    let document = Document::with_options(
        Format::Json
            .parse(br#"{"a_x": "s", "b": ["t", 1, 2.5, true, null, ""], "c": {"d_x": 1, "e": {"f": false}}}"#)
            .unwrap(),
        &recipients(&["alice"]),
        &sopskit::EncryptOptions::new().rule(sopskit::Rule::encrypted_suffix("_x")),
    );
    let inspection = document.unwrap().encrypt().unwrap().inspect();
    assert_eq!(inspection.encrypted().collect::<Vec<_>>(), [("int", 1), ("str", 1)]);
    assert_eq!(inspection.in_clear().collect::<Vec<_>>(), [("bool", 2), ("float", 1), ("int", 1), ("str", 1)]);
    assert_eq!((inspection.empty(), inspection.null(), inspection.faults().len()), (1, 1, 0));
}

#[test]
fn every_fault_is_listed_with_its_place() {
    let text = sealed("mixed");
    let (head, rest) = text.split_once('{').unwrap();
    let added = r#""s": "in clear", "n": 5, "b": {"c": [true, "", null, "ENC[AES256_GCM,data:x]"]}, "old": "ENC[AES256_GCM,data:AA==,iv:AAAA,tag:AAAA,type:str]","#;
    let inspection = inspect(&format!("{head}{{{added}{rest}"));
    let found: Vec<_> = inspection.faults().iter().map(|fault| (fault.kind(), fault.path().to_string())).collect();
    let expected = [
        (ErrorKind::NotEncrypted, r#"["s"]"#),
        (ErrorKind::NotEncrypted, r#"["n"]"#),
        (ErrorKind::NotEncrypted, r#"["b"]["c"][0]"#),
        (ErrorKind::MalformedLeaf, r#"["b"]["c"][3]"#),
        (ErrorKind::MalformedLeaf, r#"["old"]"#),
    ];
    assert_eq!(found, expected.map(|(kind, path)| (kind, path.to_owned())));
    let shown = format!("{:?}", inspection.faults());
    assert!(!shown.contains("in clear at [\"s\"]: in clear\""), "{shown}");
}

#[test]
fn faults_of_the_metadata_are_listed_too() {
    let text = sealed("mixed");
    let mac = text.find("\"mac\": \"").unwrap() + 8;
    let end = mac + text[mac..].find('"').unwrap();
    let enc = text.find("\"enc\": \"").unwrap() + 8;
    let enc_end = enc + text[enc..].find('"').unwrap();
    let with = |from: usize, to: usize, new: &str| format!("{}{new}{}", &text[..from], &text[to..]);
    for (text, kind, path) in [
        (with(mac, end, ""), ErrorKind::MacMissing, r#"["sops"]["mac"]"#),
        (with(mac, end, "hunter2"), ErrorKind::MacNotAuthentic, r#"["sops"]["mac"]"#),
        (with(enc, enc_end, "hunter2"), ErrorKind::InvalidMetadata, r#"["sops"]"#),
        (with(enc, enc_end, ""), ErrorKind::InvalidMetadata, r#"["sops"]"#),
    ] {
        match EncryptedDocument::parse(text.as_bytes()) {
            Err(error) => assert_eq!(error.kind(), kind),
            Ok(sealed) => {
                let inspection = sealed.inspect();
                let [fault] = inspection.faults() else { panic!("{:?}", inspection.faults()) };
                assert_eq!((fault.kind(), fault.path().to_string().as_str()), (kind, path), "{fault}");
                assert!(!fault.to_string().contains("hunter2"), "{fault}");
            }
        }
    }
}

#[test]
fn the_faults_of_a_hostile_file_are_bounded() {
    let many: String = (0..5000).map(|number| format!("\"k{number}\": \"x\",")).collect();
    let text = sealed("mixed").replacen('{', &format!("{{{many}"), 1);
    assert_eq!(inspect(&text).faults().len(), 1000);
}

#[test]
fn differences_are_told_by_key_path_in_the_order_of_the_first_document() {
    let recipients = recipients(&["alice"]);
    let document = |text: &str| Document::new(Format::Json.parse(text.as_bytes()).unwrap(), &recipients).unwrap();
    let old = document(
        r#"{"same": [1, {"x": "y"}], "gone": {"a": 1, "b": []}, "list": ["p", "q"], "kind": "1", "whole": 2}"#,
    );
    let new = document(
        r#"{"whole": 2.0, "same": [1, {"x": "y"}], "list": ["p", "r", "s"], "kind": 1, "new": {"n": [true, {}]}}"#,
    );
    let path = |text: &str| text.parse::<KeyPath>().unwrap();
    let text = |text: &str| Value::from(text);
    assert_eq!(
        old.differences(&new),
        [
            Difference::Removed(path(r#"["gone"]["a"]"#), Value::from(1)),
            Difference::Removed(path(r#"["gone"]["b"]"#), Value::from(Vec::new())),
            Difference::Changed(path(r#"["list"][1]"#), text("q"), text("r")),
            Difference::Added(path(r#"["list"][2]"#), text("s")),
            Difference::Changed(path(r#"["kind"]"#), text("1"), Value::from(1)),
            Difference::Added(path(r#"["new"]["n"][0]"#), Value::from(true)),
            Difference::Added(path(r#"["new"]["n"][1]"#), Value::from(sopskit::Map::new())),
        ]
    );
    assert_eq!(old.differences(&old), []);
    assert!(!format!("{:?}", old.differences(&new)).contains("\"r\""), "no value shows");
}

#[test]
fn a_document_is_an_environment_when_it_is_flat() {
    let recipients = recipients(&["alice"]);
    let environment = |text: &str| {
        let document = Document::new(Format::Json.parse(text.as_bytes()).unwrap(), &recipients).unwrap();
        document.environment().map(|variables| {
            variables.iter().map(|(name, value)| format!("{name}={}", value.as_str())).collect::<Vec<_>>()
        })
    };
    let text = r#"{"S": "a b\nc", "I": 5, "F": 1.5, "B": true, "N": null, "E": "", "a-b": "="}"#;
    assert_eq!(environment(text).unwrap(), ["S=a b\nc", "I=5", "F=1.5", "B=true", "N=", "E=", "a-b=="]);
    for (text, path) in [
        (r#"{"O": {"x": 1}}"#, r#"["O"]"#),
        (r#"{"ok": 1, "L": []}"#, r#"["L"]"#),
        (r#"{"a=b": "x"}"#, r#"["a=b"]"#),
        (r#"{"": "x"}"#, r#"[""]"#),
        ("{\"Z\": \"a\\u0000b\"}", r#"["Z"]"#),
    ] {
        let error = environment(text).unwrap_err();
        assert_eq!((error.kind(), error.path().to_string().as_str()), (ErrorKind::NotRepresentable, path));
    }
}
