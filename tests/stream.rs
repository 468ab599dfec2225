//! The ways without a second tree give what the two steps give: the same text, the same error.

mod support;

use std::fs;

use proptest::prelude::*;
use sopskit::{Document, EncryptOptions, EncryptedDocument, Format, Indent, Map, Result, Rule, Value};
use support::{FIXTURES, RELEASES, cases, folders, identities, name, read, recipients};

/// An outcome that can be compared: the bytes, or kind and place of the error.
fn outcome<T: AsRef<[u8]>>(result: Result<T>) -> std::result::Result<Vec<u8>, (String, String)> {
    result
        .map(|bytes| bytes.as_ref().to_vec())
        .map_err(|error| (error.kind().as_str().to_owned(), error.path().to_string()))
}

#[test]
fn each_file_of_sops_decrypts_to_the_same_bytes() {
    let mut files = 0;
    let all = ["alice", "bob", "carol"].map(identities);
    let keys: Vec<&dyn sopskit::KeyService> = all.iter().map(|keys| keys as _).collect();
    let keys: [&dyn sopskit::KeyService; 3] = keys.try_into().ok().unwrap();
    for release in RELEASES {
        for folder in folders(format!("{FIXTURES}/{release}")) {
            let sealed = EncryptedDocument::parse(&read(folder.join("sealed.json"))).unwrap();
            for (format, indent) in
                [(Format::Json, Indent::Tab), (Format::Json, Indent::Spaces(2)), (Format::Binary, Indent::Tab)]
            {
                let two_steps = sealed.decrypt(&keys).and_then(|document| format.write(document.tree(), indent));
                let one = sealed.decrypt_to_bytes(&keys, format, indent);
                assert_eq!(outcome(one), outcome(two_steps), "{release} {}", name(&folder));
                files += 1;
            }
        }
    }
    assert!(files > 2700, "{files}");
}

#[test]
fn each_broken_file_is_refused_for_the_same_reason() {
    let mut files = 0;
    for folder in folders(format!("{FIXTURES}/invalid")) {
        let Ok(sealed) = EncryptedDocument::parse(&read(folder.join("input.json"))) else { continue };
        let alice = identities("alice");
        let two_steps = sealed.decrypt(&alice).and_then(|document| document.to_bytes(Format::Json));
        let one = sealed.decrypt_to_bytes(&alice, Format::Json, Indent::Tab);
        assert_eq!(outcome(one), outcome(two_steps), "{}", name(&folder));
        files += 1;
    }
    assert!(files > 30, "{files}");
}

#[test]
fn what_cannot_be_written_is_told_only_of_a_file_whose_mac_fits() {
    let folder = format!("{FIXTURES}/3.13.2");
    let with_bytes = folders(folder).into_iter().find_map(|folder| {
        let sealed = EncryptedDocument::parse(&read(folder.join("sealed.json"))).unwrap();
        let error = sealed.decrypt_to_bytes(&identities("alice"), Format::Json, Indent::Tab).err()?;
        (error.kind() == sopskit::ErrorKind::NotRepresentable).then_some(folder)
    });
    let text = fs::read_to_string(with_bytes.unwrap().join("sealed.json")).unwrap();
    let tampered = text.replacen('{', r#"{"x_unencrypted": "y","#, 1);
    let sealed = EncryptedDocument::parse(tampered.as_bytes()).unwrap();
    let error = sealed.decrypt_to_bytes(&identities("alice"), Format::Json, Indent::Tab).unwrap_err();
    assert!(error.is_tampered(), "{error}");
}

/// The text without what is new each time.
fn stable(text: &str) -> String {
    let is_new = |line: &&str| line.contains("\"lastmodified\": ") || line.contains("\"mac\": ");
    text.lines().filter(|line| !is_new(line)).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_document_that_did_not_change_is_written_with_the_same_leaves() {
    let mut files = 0;
    for folder in RELEASES.iter().flat_map(|release| folders(format!("{FIXTURES}/{release}"))) {
        let sealed = EncryptedDocument::parse(&read(folder.join("sealed.json"))).unwrap();
        let Ok(mut document) = sealed.decrypt(&identities("alice")) else { continue };
        let texts = || (document.encrypt_to_text().unwrap(), document.encrypt().unwrap().to_string());
        let (one, two_steps) = texts();
        assert_eq!(stable(&one), stable(&two_steps), "{}", folder.display());
        let reopened = EncryptedDocument::parse(one.as_bytes()).unwrap().decrypt(&identities("alice")).unwrap();
        assert_eq!(reopened.tree(), document.tree(), "{}", folder.display());
        // Under a new data key nothing is kept.
        document.rotate().unwrap();
        let rotated = document.encrypt_to_text().unwrap();
        let reopened = EncryptedDocument::parse(rotated.as_bytes()).unwrap().decrypt(&identities("alice")).unwrap();
        assert_eq!(reopened.tree(), document.tree(), "{}", folder.display());
        files += 1;
    }
    assert!(files > 800, "{files}");
}

#[test]
fn each_case_encrypts_to_a_text_that_opens_to_it() {
    for case in cases() {
        let Ok(tree) = case.format.parse(&case.plain) else { continue };
        let document = Document::with_options(tree, &recipients(&["alice"]), &case.options());
        let Ok(document) = document else { continue };
        let two_steps = outcome(document.encrypt().map(|sealed| sealed.to_string()));
        match document.encrypt_to_text() {
            Ok(text) => {
                let opened = EncryptedDocument::parse(text.as_bytes()).unwrap().decrypt(&identities("alice")).unwrap();
                // A whole number in clear has no fraction any more.
                let plain = |document: &Document| outcome(document.to_bytes(case.format));
                assert_eq!(plain(&opened), plain(&document), "{}", case.name);
                let lines = |text: &[u8]| String::from_utf8_lossy(text).lines().map(str::len).collect::<Vec<_>>();
                assert_eq!(lines(text.as_bytes()).len(), lines(&two_steps.unwrap()).len(), "{}", case.name);
            }
            Err(error) => assert_eq!(outcome::<String>(Err(error)), two_steps, "{}", case.name),
        }
    }
}

/// Plaintext to encrypted text by way of a tree.
fn by_way_of_a_tree(plain: &[u8], options: &EncryptOptions, format: Format) -> Result<String> {
    Document::with_options(format.parse(plain)?, &recipients(&["alice"]), options)?.encrypt_to_text()
}

/// Each line with what is new each time, and as long as it was, left out.
fn shape(text: &[u8]) -> Vec<String> {
    let lines = std::str::from_utf8(text).unwrap().lines();
    lines.map(|line| line.split("ENC[").next().unwrap().to_owned() + &line.len().to_string()).collect()
}

#[test]
fn each_case_encrypts_without_a_tree_as_with_one() {
    let mut files = 0;
    for case in cases() {
        let options = case.options();
        let with_tree = outcome(by_way_of_a_tree(&case.plain, &options, case.format));
        let without = outcome(options.encrypt_bytes(&case.plain, &recipients(&["alice"])));
        if let (Ok(text), Ok(expected)) = (&without, &with_tree) {
            // The time, and what age makes of a data key, are as long as they happen to be.
            let is_new = |line: &String| line.contains("\"lastmodified\": ") || line.contains("\"enc\": ");
            let of = |text: &[u8]| shape(text).into_iter().filter(|line| !is_new(line)).collect::<Vec<_>>();
            assert_eq!(of(text), of(expected), "{}", case.name);
            let opened = EncryptedDocument::parse(text).unwrap().decrypt(&identities("alice")).unwrap();
            let two_steps = EncryptedDocument::parse(expected).unwrap().decrypt(&identities("alice")).unwrap();
            assert_eq!(opened.tree(), two_steps.tree(), "{}", case.name);
            files += 1;
        } else {
            assert_eq!(without, with_tree, "{}", case.name);
        }
    }
    assert!(files > 100, "{files}");
}

#[test]
fn what_cannot_be_encrypted_is_refused_without_a_tree_as_with_one() {
    let many = |last: &str| {
        format!("{{{}, {last}: 1}}", (0..40).map(|n| format!("\"k{n}\": {n}")).collect::<Vec<_>>().join(","))
    };
    let texts = [
        String::new(),
        "[1]".into(),
        "{\"a\": 1,}".into(),
        "\u{feff}{}".into(),
        "{\"a\": 1, \"\\u0061\": 2}".into(),
        "{\"a\": {\"b\": 1, \"c\": {}, \"b\": 2}}".into(),
        many("\"k3\""),
        many("\"k39\""),
        many("\"\\u006b17\""),
        many("\"k40\""),
        "{\"a\": [1, 1e400]}".into(),
        "{\"a\": \"\\ud800\"}".into(),
        "{\"sops\": 1}".into(),
        "{\"a\": 1, \"s\\u006fps\": {\"x\": 1}}".into(),
        format!("{{\"{}\": \"x\"}}", "k".repeat(70_000)),
        format!("{{\"a\": {}{}}}", "[".repeat(200), "]".repeat(200)),
    ];
    for rule in [Rule::default(), Rule::encrypted_suffix("")] {
        for text in &texts {
            let options = EncryptOptions::new().rule(rule.clone());
            let with_tree = by_way_of_a_tree(text.as_bytes(), &options, Format::Json).map(|_| "");
            let without = options.encrypt_bytes(text.as_bytes(), &recipients(&["alice"])).map(|_| "");
            assert_eq!(outcome(without), outcome(with_tree), "{text:.100}");
        }
    }
    let options = EncryptOptions::new();
    assert!(options.encrypt_bytes(many("\"k40\"").as_bytes(), &recipients(&["alice"])).is_ok());
    let error = options.encrypt_bytes(b"{\"a\": \"\xff\"}", &recipients(&["alice"])).unwrap_err();
    assert_eq!(error.kind(), sopskit::ErrorKind::NotUtf8);
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e30..1e30_f64).prop_map(Value::from),
        "\\PC{0,40}".prop_map(Value::from),
        "[\u{0}-\u{7f}\u{2028}]{0,70}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 20, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..20).prop_map(Value::from),
            proptest::collection::vec(("[a-z_<\u{e9}]{0,12}", inner), 0..20)
                .prop_map(|members| Value::from(Map::from_iter(members))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_tree_goes_both_ways(members in proptest::collection::vec(("[a-z]{1,8}", value()), 0..20), rule in 0..3_usize) {
        let tree = Map::from_iter(members.into_iter().filter(|(key, _)| key != "sops"));
        let rules: [Rule; 3] = [Rule::default(), Rule::encrypted_suffix("a"), Rule::unencrypted_regex("^[a-m]").unwrap()];
        let rule = rules[rule].clone();
        let document = Document::with_options(tree, &recipients(&["alice"]), &EncryptOptions::new().rule(rule)).unwrap();
        let text = document.encrypt_to_text().unwrap();
        let sealed = EncryptedDocument::parse(text.as_bytes()).unwrap();
        prop_assert_eq!(sealed.to_string(), text.clone(), "spelled as the other way spells it");
        let opened = sealed.decrypt(&identities("alice")).unwrap();
        let plain = sealed.decrypt_to_bytes(&identities("alice"), Format::Json, Indent::Tab).unwrap();
        prop_assert_eq!(&*plain, &*document.to_bytes(Format::Json).unwrap());
        prop_assert_eq!(opened.to_bytes(Format::Json).unwrap(), plain.clone());
        let again = EncryptOptions::new().encrypt_bytes(&plain, &recipients(&["alice"])).unwrap();
        let again = EncryptedDocument::parse(again.as_bytes()).unwrap();
        prop_assert_eq!(again.decrypt_to_bytes(&identities("alice"), Format::Json, Indent::Tab).unwrap(), plain);
        prop_assert_eq!(stable(&opened.encrypt_to_text().unwrap()), stable(&text));
    }
}

/// Large enough for several threads, where the build has them.
fn large() -> Map {
    let object = |group: usize| {
        Map::from_iter(
            (0..50).map(|key| (format!("key{key}"), Value::from(format!("{group} {key} \"{}\"", "x".repeat(40))))),
        )
    };
    Map::from_iter((0..100).map(|group| (format!("group{group}"), Value::from(object(group)))))
}

#[test]
fn a_large_document_goes_both_ways() {
    let document = Document::new(large(), &recipients(&["alice"])).unwrap();
    let text = document.encrypt_to_text().unwrap();
    let sealed = EncryptedDocument::parse(text.as_bytes()).unwrap();
    let plain = sealed.decrypt_to_bytes(&identities("alice"), Format::Json, Indent::Tab).unwrap();
    assert_eq!(plain, document.to_bytes(Format::Json).unwrap());
    assert_eq!(plain, sealed.decrypt(&identities("alice")).unwrap().to_bytes(Format::Json).unwrap());
    assert_eq!(sealed.to_string(), text);
    let again = EncryptOptions::new().encrypt_bytes(&plain, &recipients(&["alice"])).unwrap();
    assert_eq!(
        EncryptedDocument::parse(again.as_bytes()).unwrap().decrypt(&identities("alice")).unwrap().tree(),
        document.tree()
    );
}

#[test]
fn a_large_document_that_was_tampered_with_is_refused_at_the_first_place() {
    let text = Document::new(large(), &recipients(&["alice"])).unwrap().encrypt_to_text().unwrap();
    let alice = identities("alice");
    let leaves: Vec<_> = text.match_indices("ENC[AES256_GCM,data:").map(|(at, head)| at + head.len()).collect();
    for places in [&[4000, 70, 2500][..], &[4999], &[0]] {
        let mut bytes = text.clone().into_bytes();
        for place in places {
            let byte = &mut bytes[leaves[*place]];
            *byte = if *byte == b'A' { b'B' } else { b'A' };
        }
        let sealed = EncryptedDocument::parse(&bytes).unwrap();
        let two_steps = sealed.decrypt(&alice).and_then(|document| document.to_bytes(Format::Json));
        let one = sealed.decrypt_to_bytes(&alice, Format::Json, Indent::Tab);
        let first = places.iter().min().unwrap();
        let path = format!(r#"["group{}"]["key{}"]"#, first / 50, first % 50);
        assert_eq!(outcome(one), Err(("leaf-not-authentic".to_owned(), path)));
        assert_eq!(outcome(two_steps), outcome(sealed.decrypt_to_bytes(&alice, Format::Json, Indent::Tab)));
    }
    // Without one of the groups: only the MAC of all tells.
    let sealed: Map = Format::Json.parse(text.as_bytes()).unwrap();
    let mut changed = sealed.clone();
    changed.remove("group7");
    let bytes = Format::Json.write(&changed, Indent::Tab).unwrap();
    let error = EncryptedDocument::parse(&bytes).unwrap().decrypt_to_bytes(&alice, Format::Json, Indent::Tab);
    assert_eq!(error.unwrap_err().kind(), sopskit::ErrorKind::MacMismatch);
}
