//! Nothing that is printed for a person or a log, by `Debug`, `Display` or an error, holds a secret.

mod support;

use std::error::Error as _;
use std::fmt::{Debug, Display};

use serde::Deserialize;
use sopskit::{
    Bytes, Document, EncryptOptions, EncryptedDocument, Environment, Error, ErrorKind, Format, Identities, Indent,
    KeyService as _, Map, Passphrase, Recipients, Rule, Text, Value,
};
use support::{identities, identity_text, public_key, recipients};

// ---------------------------------------------------------------------------------------------------------- helpers

const WORD: &str = "hunter2-and-more";
const INTEGER: i64 = 8_675_309_123;
const FLOAT: f64 = 31_415_926.535;
const BYTES: [u8; 6] = [0xff, 0xde, 0xad, 0xbe, 0xef, 0x99];

/// How the secrets of these tests could show: as they are, in hex, in base64, as a list of numbers.
const SHOWN: [&str; 12] = [
    "hunter2",
    "8675309",
    "8_675_309",
    "31415926",
    "3.1415926",
    "deadbeef",
    "DEADBEEF",
    "\\xde\\xad",
    "222, 173",
    "de, ad",
    "aHVudGVyM", // base64 of "hunter2"
    "68756e746572",
];

#[track_caller]
fn assert_silent(what: &str, shown: &str) {
    for secret in SHOWN {
        // Pretty lists have an item on each line.
        let in_one_line = shown.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(!in_one_line.contains(secret), "{what} shows {secret:?}: {shown}");
    }
    assert_no_part_of_a_key(what, shown);
}

/// The part of a secret key that is secret, in capital letters.
fn secret_part(who: &str) -> String {
    let text = identity_text(who);
    let line = text.lines().find(|line| line.starts_with("AGE-SECRET-KEY-1")).expect("the file holds a key");
    line.trim_start_matches("AGE-SECRET-KEY-1").to_owned()
}

/// No six characters of a secret key stand in a row, in capital or small letters. The prefix `AGE-SECRET-KEY-1` may.
#[track_caller]
fn assert_no_part_of_a_key(what: &str, shown: &str) {
    let shown_in_capitals = shown.to_ascii_uppercase();
    for secret in [secret_part("alice"), secret_part("bob")] {
        for at in 0..=secret.len() - 6 {
            assert!(!shown_in_capitals.contains(&secret[at..at + 6]), "{what} shows a part of a key: {shown}");
        }
    }
}

#[track_caller]
fn assert_debug_is_silent(value: &impl Debug) {
    for shown in [format!("{value:?}"), format!("{value:#?}")] {
        assert!(!shown.is_empty());
        assert_silent(std::any::type_name_of_val(value), &shown);
    }
}

#[track_caller]
fn assert_display_is_silent(value: &impl Display) {
    for shown in [format!("{value}"), format!("{value:#}")] {
        assert_silent(std::any::type_name_of_val(value), &shown);
    }
}

#[track_caller]
fn assert_error_is_silent(error: &Error) {
    assert_debug_is_silent(error);
    assert_display_is_silent(error);
    let mut source = error.source();
    while let Some(inner) = source {
        assert_silent("a source of an error", &format!("{inner} {inner:?} {inner:#?}"));
        source = inner.source();
    }
    assert_debug_is_silent(&error.path());
}

#[track_caller]
fn refused<T>(result: Result<T, Error>) -> Error {
    match result {
        Err(error) => error,
        Ok(_) => panic!("it was accepted"),
    }
}

/// A tree with a secret of each kind.
fn tree() -> Map {
    Map::from_iter([
        ("word", Value::from(WORD)),
        ("integer", Value::from(INTEGER)),
        ("float", Value::from(FLOAT)),
        ("list", Value::from(vec![Value::from(WORD), Value::from(INTEGER), Value::from(FLOAT), Value::Null])),
        ("map", Value::from(Map::from_iter([("in", Value::from(WORD)), ("deeper", Value::from(INTEGER))]))),
    ])
}

fn with_bytes() -> Map {
    let mut tree = tree();
    tree.insert("bytes", Value::Bytes(Bytes::from(BYTES.to_vec())));
    tree.insert("comment", Value::Comment(Text::from(WORD)));
    tree
}

fn sealed() -> EncryptedDocument {
    sealed_for("alice")
}

fn sealed_for(who: &str) -> EncryptedDocument {
    EncryptOptions::new().encrypt(tree(), &recipients(&[who])).unwrap()
}

// -------------------------------------------------------------------------------------------------------------- values

#[test]
fn the_helpers_of_these_tests_would_notice() {
    let leaks = [
        format!("{:?}", BYTES),
        format!("{:#?}", BYTES),
        format!("{:x?}", BYTES),
        format!("got {WORD:?}"),
        format!("{INTEGER} and no more"),
        format!("{FLOAT:?}"),
        format!("{FLOAT:e}"),
        secret_part("alice"),
        secret_part("alice")[20..28].to_ascii_lowercase(),
        format!("{:?}", identity_text("alice")),
    ];
    for leak in leaks {
        assert!(std::panic::catch_unwind(|| assert_silent("it", &leak)).is_err(), "{leak} is not noticed");
    }
}

#[test]
fn values_show_their_kind_and_their_keys_only() {
    for value in [
        Value::from(WORD),
        Value::from(INTEGER),
        Value::from(FLOAT),
        Value::from(true),
        Value::from(Text::from(WORD)),
        Value::Comment(Text::from(WORD)),
        Value::Bytes(Bytes::from(BYTES.to_vec())),
        Value::from(vec![Value::from(WORD), Value::from(tree())]),
        Value::from(with_bytes()),
    ] {
        assert_debug_is_silent(&value);
        assert_debug_is_silent(&Some(&value));
    }
    assert!(!format!("{:?}", Value::from(true)).contains("true"));
    assert_debug_is_silent(&Text::from(WORD));
    assert_debug_is_silent(&Text::from(WORD.to_owned()).clone());
    assert_debug_is_silent(&Bytes::from(BYTES.to_vec()));
    assert_debug_is_silent(&with_bytes());
    assert_debug_is_silent(&with_bytes().get("map"));
    let shown = format!("{:?}", with_bytes());
    assert!(shown.contains("integer") && shown.contains("deeper"), "{shown}");
}

#[test]
fn the_length_of_a_secret_is_not_shown() {
    for (short, long) in [
        (Value::from("a"), Value::from("a".repeat(100))),
        (Value::from(1), Value::from(i64::MAX)),
        (Value::from(0.5), Value::from(f64::MAX)),
        (Value::from(true), Value::from(false)),
        (Value::Bytes(Bytes::from(vec![])), Value::Bytes(Bytes::from(vec![0; 100]))),
    ] {
        assert_eq!(format!("{short:?}"), format!("{long:?}"));
    }
}

#[test]
fn documents_show_their_keys_only() {
    let document = Document::new(tree(), &recipients(&["alice"])).unwrap();
    assert_debug_is_silent(&document);
    assert_debug_is_silent(document.tree());
    assert_debug_is_silent(&document.get(r#"["map"]["in"]"#));

    let mut opened = sealed().decrypt(&identities("alice")).unwrap();
    assert_debug_is_silent(&opened);
    opened.set(r#"["new"]"#, WORD).unwrap();
    opened.rotate().unwrap();
    assert_debug_is_silent(&opened);
    assert_debug_is_silent(opened.metadata());
    assert!(format!("{opened:?}").contains("deeper"));
}

#[test]
fn encrypted_documents_show_no_value_in_clear() {
    let sealed = sealed();
    assert_debug_is_silent(&sealed);
    assert_display_is_silent(&sealed);
    assert_debug_is_silent(sealed.metadata());
    for key in sealed.metadata().key_groups().flatten() {
        assert_debug_is_silent(key);
    }
    // What a rule leaves in clear stands in the file, but not in `Debug`.
    let in_clear =
        EncryptOptions::new().rule(Rule::encrypted_suffix("_secret")).encrypt(tree(), &recipients(&["alice"])).unwrap();
    assert!(in_clear.to_string().contains(WORD));
    assert_debug_is_silent(&in_clear);
    assert_debug_is_silent(in_clear.tree());
}

#[test]
fn options_show_nothing_of_a_document() {
    let options = EncryptOptions::new()
        .format(Format::Binary)
        .rule(Rule::encrypted_regex("^data$").unwrap())
        .mac_only_encrypted(true)
        .indent(Indent::Spaces(2));
    options.encrypt(tree(), &recipients(&["alice"])).unwrap();
    assert_debug_is_silent(&options);
}

#[test]
fn identities_and_the_environment_show_no_secret_key() {
    let alice = identities("alice");
    assert_debug_is_silent(&alice);
    assert!(format!("{alice:?}").contains(alice.recipients().next().unwrap()), "the public key may be shown");
    for line in alice.report() {
        assert_silent("the report", &line);
    }

    let environment = Environment::from_iter([("SOPS_AGE_KEY", identity_text("alice")), ("PASSWORD", WORD.to_owned())]);
    assert_debug_is_silent(&environment);
    assert!(format!("{environment:?}").contains("PASSWORD"), "names may be shown");
    let found = Identities::from_environment(&environment);
    assert_debug_is_silent(&found);
    for line in found.report() {
        assert_silent("the report", &line);
    }
    assert_debug_is_silent(&recipients(&["alice"]));
}

#[test]
fn a_passphrase_is_not_shown() {
    let passphrase = Passphrase::new(|_| Some(WORD.to_owned().into()));
    assert_debug_is_silent(&passphrase);
    let environment = Environment::from_iter([("HOME", "/nowhere")]).with_passphrase(passphrase.clone());
    assert_debug_is_silent(&environment);
    assert_debug_is_silent(&Identities::from_environment(&environment));
    // A wrong one is not quoted.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.age");
    std::fs::write(&file, "-----BEGIN AGE ENCRYPTED FILE-----\nAAAA\n-----END AGE ENCRYPTED FILE-----\n").unwrap();
    assert_error_is_silent(&refused(Identities::from_protected_file(&file, &passphrase)));
}

// -------------------------------------------------------------------------------------------------------------- errors

#[test]
fn an_error_of_the_json_reader_shows_keys_and_places_only() {
    for text in [
        format!(r#"{{"a": "{WORD}" "{WORD}"}}"#),
        format!(r#"{{"a": "{WORD}"#),
        format!(r#"{{"a": "{WORD}\x{WORD}"}}"#),
        format!(r#"{{"a": "{WORD}\ud800{WORD}"}}"#),
        format!("{{\"a\": \"{WORD}\n{WORD}\"}}"),
        format!(r#"{{"a": {WORD}}}"#),
        format!(r#"{{"a": [{WORD}]}}"#),
        format!(r#"{{"a": {INTEGER}99999999999}}"#),
        format!(r#"{{"a": {INTEGER}e999}}"#),
        format!(r#"{{"a": 0{INTEGER}}}"#),
        format!(r#"{{"a": {INTEGER}.}}"#),
        format!(r#"{{"a": -{WORD}}}"#),
        format!(r#"{{"a": "{WORD}", "a": "{WORD}"}}"#),
        format!(r#"{{"a": "{WORD}"}} {WORD}"#),
        format!(r#""{WORD}""#),
        format!("[{INTEGER}]"),
        WORD.to_owned(),
        INTEGER.to_string(),
        format!("\u{feff}{{\"a\": \"{WORD}\"}}"),
        format!("{{\"a\": {}\"{WORD}\"{}}}", "[".repeat(200), "]".repeat(200)),
    ] {
        assert_error_is_silent(&refused(Format::Json.parse(text.as_bytes())));
        assert_error_is_silent(&refused(EncryptedDocument::parse(text.as_bytes())));
    }
    let not_utf8 = [b"{\"a\": \"".as_slice(), &BYTES, b"\"}"].concat();
    assert_error_is_silent(&refused(Format::Json.parse(&not_utf8)));
    assert_error_is_silent(&refused(EncryptedDocument::parse(format!(r#"{{"a": "{WORD}"}}"#).as_bytes())));
    assert_error_is_silent(&refused(EncryptedDocument::parse(format!(r#"{{"a": 1, "sops": "{WORD}"}}"#).as_bytes())));
}

#[test]
fn an_error_of_the_metadata_does_not_quote_its_fields() {
    let file = sealed().to_string();
    let mut seen = 0;
    for (field, value) in [
        ("lastmodified", format!("\"{WORD}\"")),
        ("lastmodified", INTEGER.to_string()),
        ("version", format!("\"{WORD}\"")),
        ("mac", INTEGER.to_string()),
        ("age", format!("\"{WORD}\"")),
        ("age", format!("[\"{WORD}\"]")),
        ("age", format!("[{{\"enc\": {INTEGER}, \"recipient\": \"x\"}}]")),
        ("key_groups", format!("\"{WORD}\"")),
        ("shamir_threshold", format!("\"{WORD}\"")),
        ("mac_only_encrypted", format!("\"{WORD}\"")),
        ("encrypted_suffix", INTEGER.to_string()),
    ] {
        let mut json: serde_json::Value = serde_json::from_str(&file).unwrap();
        json["sops"][field] = serde_json::from_str(&value).unwrap();
        let error = refused(EncryptedDocument::parse(json.to_string().as_bytes()));
        assert_eq!(error.kind(), ErrorKind::InvalidMetadata, "{field}: {error}");
        assert_error_is_silent(&error);
        seen += 1;
    }
    assert_eq!(seen, 11);
}

#[test]
fn an_error_of_a_leaf_or_a_mac_shows_no_plaintext() {
    // A file whose secrets somebody wrote in clear by hand.
    let file = sealed().to_string();
    let line = |key: &str| file.lines().find(|line| line.trim_start().starts_with(&format!("\"{key}\":"))).unwrap();
    let tampered = [
        (file.replace(line("word"), &format!("\t\"word\": \"{WORD}\",")), ErrorKind::MalformedLeaf),
        (file.replace(line("word"), &format!("\t\"word\": \"ENC[{WORD}]\",")), ErrorKind::MalformedLeaf),
        (file.replace(line("integer"), &format!("\t\"integer\": {INTEGER},")), ErrorKind::NotEncrypted),
        (file.replace(line("float"), &format!("\t\"float\": {FLOAT},")), ErrorKind::NotEncrypted),
        (file.replace(line("word"), &line("in").replace("\"in\"", "\"word\"")), ErrorKind::LeafNotAuthentic),
        (file.replace(line("word"), ""), ErrorKind::MacMismatch),
        (file.replace(line("mac"), ""), ErrorKind::MacMissing),
        (file.replace(line("integer"), &line("integer").replace("type:int", "type:bool")), ErrorKind::LeafValue),
        (file.replace(line("word"), &line("word").replace("type:str", "type:int")), ErrorKind::LeafValue),
        (file.replace(line("word"), &line("word").replace("type:str", WORD)), ErrorKind::MalformedLeaf),
        (file.replace(line("word"), &line("word").replace(":str", &format!(":{WORD}"))), ErrorKind::UnknownLeafType),
    ];
    for (text, kind) in tampered {
        let error = refused(EncryptedDocument::parse(text.as_bytes()).unwrap().decrypt(&identities("alice")));
        assert_eq!(error.kind(), kind, "{error}");
        assert_error_is_silent(&error);
    }
}

#[test]
fn an_error_of_an_edit_or_a_write_shows_no_value() {
    // A comment comes from a file only.
    let writable = || {
        let mut tree = with_bytes();
        tree.remove("comment");
        tree
    };
    let mut document = Document::new(writable(), &recipients(&["alice"])).unwrap();
    let deep = (0..200).fold(Value::from(WORD), |value, _| Value::from(vec![value]));
    let outcomes = [
        refused(document.set(r#"["word"]["x"]"#, 1)),
        refused(document.set(r#"["list"][9]"#, WORD)),
        refused(document.set(r#"["deep"]"#, deep)),
        refused(document.set(r#"["sops"]"#, WORD)),
        // Path and value in the wrong order.
        refused(document.set(WORD, r#"["word"]"#)),
        refused(document.get(WORD).map(drop)),
        refused(document.get(r#"["word"][0]"#).map(drop)),
        refused(document.unset(r#"["word"]["x"]"#)),
        refused(document.to_bytes(Format::Json)),
        refused(document.to_bytes(Format::Binary)),
        refused(Format::Binary.write_value(&Value::from(INTEGER), Indent::Tab)),
        refused(Format::Json.write_value(&Value::Comment(Text::from(WORD)), Indent::Tab)),
        refused(Document::new(Map::from_iter([("sops", WORD.into())]), &recipients(&["alice"]))),
        refused(
            EncryptOptions::new().rule(Rule::encrypted_suffix("_secret")).encrypt(writable(), &recipients(&["alice"])),
        ),
        refused(Document::new(with_bytes(), &recipients(&["alice"]))),
    ];
    outcomes.iter().for_each(assert_error_is_silent);
}

#[test]
fn an_error_of_a_typed_read_or_write_shows_no_value() {
    #[derive(Debug, Deserialize)]
    #[allow(dead_code, reason = "never made")]
    struct Wrong {
        word: u8,
    }
    #[derive(Debug, Deserialize)]
    #[allow(dead_code, reason = "never made")]
    struct Named {
        integer: String,
    }
    let text = sealed().to_string();
    let alice = identities("alice");
    assert_error_is_silent(&refused(sopskit::decrypt::<Wrong>(text.as_bytes(), &alice)));
    assert_error_is_silent(&refused(sopskit::decrypt::<Named>(text.as_bytes(), &alice)));
    assert_error_is_silent(&refused(sopskit::decrypt::<Vec<u8>>(text.as_bytes(), &alice)));
    assert_error_is_silent(&refused(sopskit::encrypt(WORD, &recipients(&["alice"]))));
    let too_large = serde_json::json!({ "a": u64::MAX - 8_675_309 });
    let error = refused(sopskit::encrypt(&too_large, &recipients(&["alice"])));
    assert!(!error.to_string().contains("1844674"), "{error}");
}

// ---------------------------------------------------------------------------------------------------- keys in wrong places

/// Alice's secret key, damaged or dressed up in ways in which people paste it.
fn mangled_keys() -> Vec<String> {
    let secret = secret_part("alice");
    let key = format!("AGE-SECRET-KEY-1{secret}");
    let other = if secret.ends_with('A') { 'C' } else { 'A' };
    vec![
        key[..key.len() - 1].to_owned(),
        key[..40].to_owned(),
        format!("{}{other}", &key[..key.len() - 1]),
        format!("{key}Q"),
        format!("{key};"),
        format!("{key}\""),
        format!("\"{key}\""),
        format!("'{key}'"),
        format!("-{key}"),
        format!("\u{200b}{key}"),
        format!("key={key}"),
        format!("SOPS_AGE_KEY={key}"),
        format!("secret:{key}"),
        format!("- {key}\n- x"),
        format!("//{key}"),
        format!("{{\"key\":\"{key}\"}}"),
        key[1..].to_owned(),
        key.replace("AGE-SECRET-KEY", "AGE-SECERT-KEY"),
        key.replace("AGE-SECRET-KEY", "AGE_SECRET_KEY"),
        key.replace("-1", "-"),
        secret.clone(),
        format!("1{secret}"),
        format!("age1{}", secret.to_ascii_lowercase()),
        format!("{}x", key.to_ascii_lowercase()),
        key.replace("AGE-SECRET-KEY-", "AGE-SECRET-KEY-PQ-"),
        key.replace("AGE-SECRET-KEY-", "AGE-PLUGIN-X-"),
        key.replace("AGE-SECRET-KEY-", "age-plugin-x-"),
    ]
}

#[test]
fn a_damaged_identity_is_not_quoted() {
    for text in mangled_keys() {
        let error = refused(Identities::parse(&text));
        assert_eq!(error.kind(), ErrorKind::InvalidIdentity, "{error}");
        assert_error_is_silent(&error);

        let found = Identities::from_environment(&Environment::from_iter([("SOPS_AGE_KEY", &text)]));
        found.report().iter().for_each(|line| assert_silent("the report", line));
        assert_debug_is_silent(&found);
        assert_error_is_silent(&refused(sealed_for("bob").decrypt(&found)));

        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys.txt");
        std::fs::write(&file, format!("# my key\n{text}\n")).unwrap();
        assert_error_is_silent(&refused(Identities::from_file(&file)));
    }
}

#[test]
fn several_identities_on_a_line_one_of_them_damaged_are_not_quoted() {
    let good = identity_text("bob");
    let good = good.lines().last().unwrap();
    for bad in mangled_keys() {
        for line in
            [format!("{good} {bad}"), format!("{bad} {good}"), format!("{bad}\t{bad}"), format!("{good}\r\n\r\n{bad}")]
        {
            assert_error_is_silent(&refused(Identities::parse(&line)));
        }
        for line in [format!("{good},{bad}"), format!("{good}{bad}"), format!("{good};{bad}")] {
            assert_error_is_silent(&refused(Identities::parse(&line)));
        }
    }
}

#[test]
fn a_secret_key_where_a_recipient_belongs_is_not_quoted() {
    let whole = format!("AGE-SECRET-KEY-1{}", secret_part("alice"));
    let public = public_key("bob");
    let keys = mangled_keys().into_iter().chain([whole.clone(), whole.to_ascii_lowercase()]);
    // A text that nothing tells from a damaged recipient may be quoted as one.
    for key in keys.filter(|key| !key.starts_with("age1")) {
        for text in [
            key.clone(),
            format!("{public},{key}"),
            format!("{key} {public}"),
            format!("{public};{key}"),
            format!("{public}{key}"),
            format!("{public}:{key}"),
            format!("ssh-ed25519:{key}"),
        ] {
            let error = refused(Recipients::parse(&text));
            assert_eq!(error.kind(), ErrorKind::InvalidRecipient, "{error}");
            assert_error_is_silent(&error);
            let environment = Environment::from_iter([("SOPS_AGE_RECIPIENTS", &text)]);
            assert_error_is_silent(&refused(environment.recipients()));
        }
    }
    let error = refused(Recipients::parse(&whole));
    assert!(error.to_string().contains("secret key"), "{error}");
}

#[test]
fn a_secret_key_where_the_path_of_a_key_file_belongs_is_not_quoted() {
    let key = format!("AGE-SECRET-KEY-1{}", secret_part("alice"));
    let error = refused(Identities::from_file(&key));
    assert_eq!(error.kind(), ErrorKind::Read);
    assert_error_is_silent(&error);

    for text in [key.clone(), format!(" {key}\n"), identity_text("alice")] {
        let found = Identities::from_environment(&Environment::from_iter([("SOPS_AGE_KEY_FILE", &text)]));
        found.report().iter().for_each(|line| assert_silent("the report", line));
        assert_error_is_silent(&refused(sealed_for("bob").decrypt(&found)));
    }
}

#[test]
fn a_secret_key_where_a_command_belongs_is_not_quoted() {
    let key = format!("AGE-SECRET-KEY-1{}", secret_part("alice"));
    for command in [key.clone(), format!("'{key}"), format!("/nowhere/echo {key}")] {
        let environment = Environment::from_iter([("SOPS_AGE_KEY_CMD", &command)]);
        for environment in [environment.clone(), environment.with_commands()] {
            let found = Identities::from_environment(&environment);
            assert_error_is_silent(&refused(sealed_for("bob").decrypt(&found)));
            found.report().iter().for_each(|line| assert_silent("the report", line));
        }
    }
}

#[test]
fn an_error_of_a_file_that_nothing_opens_shows_no_key() {
    let text = format!("{}\n{WORD}\n", identity_text("alice"));
    let environment = Environment::from_iter([("SOPS_AGE_KEY", text)]);
    let found = Identities::from_environment(&environment);
    let error = refused(sealed_for("bob").decrypt(&found));
    assert_eq!(error.kind(), ErrorKind::NoMatchingIdentity);
    assert_error_is_silent(&error);
}

#[test]
fn an_error_of_a_file_shows_its_path_and_nothing_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.json");
    for content in
        [format!(r#"{{"a": "{WORD}"#), format!(r#"{{"a": "{WORD}"}}"#), WORD.to_owned(), sealed().to_string()]
    {
        std::fs::write(&path, content).unwrap();
        let error = refused(sopskit::decrypt_file::<serde_json::Value>(&path, &identities("bob")));
        assert_eq!(error.file(), Some(path.as_path()));
        assert_error_is_silent(&error);
    }
    std::fs::write(&path, identity_text("alice").replace("AGE-SECRET-KEY-1", "AGE-SECRET-KEY-1 ")).unwrap();
    assert_error_is_silent(&refused(Identities::from_file(&path)));
}

// ----------------------------------------------------------------------------------------------------------- snapshots

#[test]
fn debug_shows_exactly_this_of_what_holds_a_secret() {
    let alice = public_key("alice");
    let new = sopskit::NewIdentity::x25519();
    let document = Document::new(tree(), &recipients(&["alice"])).unwrap();
    let lists = "[Text(…), Int(…), Float(…), Null]";
    let keys = format!(
        r#"{{"word": Text(…), "integer": Int(…), "float": Float(…), "list": {lists}, "map": {{"in": Text(…), "deeper": Int(…)}}}}"#
    );
    for (shown, expected) in [
        (format!("{:?}", Text::from(WORD)), "Text(…)".to_owned()),
        (format!("{:?}", Bytes::from(BYTES.to_vec())), "Bytes(…)".to_owned()),
        (format!("{:?}", Value::from(true)), "Bool(…)".to_owned()),
        (format!("{:?}", Value::Comment(WORD.into())), "Comment(…)".to_owned()),
        (format!("{:?}", Value::Bytes(Bytes::from(BYTES.to_vec()))), "Bytes(…)".to_owned()),
        (format!("{:?}", tree()), keys.clone()),
        (format!("{:?}", document.tree()), keys.clone()),
        (format!("{document:?}"), format!("Document {{ tree: {keys}, metadata: {:?} }}", document.metadata())),
        (format!("{:?}", Passphrase::new(|_| Some(WORD.to_owned().into()))), "Passphrase(…)".to_owned()),
        (format!("{:?}", identities("alice")), format!("Identities([{alice:?}])")),
        (format!("{new:?}"), format!("NewIdentity {{ recipient: {:?}, .. }}", new.recipient())),
    ] {
        assert_eq!(shown, expected);
    }
    assert!(!format!("{new:#?}").contains(new.secret().trim_start_matches("AGE-SECRET-KEY-1")));
}

#[test]
fn differences_and_inspections_show_no_value() {
    let document = |tree| Document::new(tree, &recipients(&["alice"])).unwrap();
    let other = Map::from_iter([("word", Value::from(INTEGER)), ("new", Value::from(FLOAT))]);
    let differences = document(tree()).differences(&document(other));
    assert!(differences.len() > 5);
    differences.iter().for_each(assert_debug_is_silent);
    assert_debug_is_silent(&sealed().inspect());
    identities("alice").sources().for_each(|source| assert_debug_is_silent(&source));
}

#[cfg(feature = "tokens")]
#[test]
fn debug_of_tokens_and_of_where_they_lie_shows_exactly_this() {
    use sopskit::{FileStorage, MemoryStorage, SopsStorage, Token, TokenStorage as _};
    let token = Token::new(WORD)
        .with_refresh_token(Some(WORD.into()))
        .with_id_token(Some(WORD.into()))
        .with_issued_at("2026-01-31T12:00:00Z".parse().unwrap())
        .with_metadata(tree());
    let memory = MemoryStorage::new();
    memory.save("github", &token).unwrap();
    let sops = SopsStorage::new("/nowhere", recipients(&["alice"]), identities("alice"));
    for (shown, expected) in [
        (
            format!("{token:?}"),
            r#"Token { token_type: "Bearer", expires_at: None, scope: [], issued_at: Some(2026-01-31T12:00:00+00:00), is_refreshable: true, .. }"#,
        ),
        (format!("{memory:?}"), r#"MemoryStorage { providers: ["github"], .. }"#),
        (format!("{sops:?}"), r#"SopsStorage { directory: "/nowhere", .. }"#),
        (format!("{:?}", FileStorage::new("/nowhere")), r#"FileStorage { directory: "/nowhere", .. }"#),
    ] {
        assert_eq!(shown, expected);
    }
}

/// All public types. Whoever adds one looks here whether it can hold a secret, and if so adds it to the tests of this file.
const PUBLIC: &str = "Bytes Config ConfigSearch CreationRule DEFAULT_UNENCRYPTED_SUFFIX DeadRule Difference Doctor Document \
    EditOptions EncryptOptions EncryptedDocument Environment Error ErrorKind Explanation FileStorage Finding Fix Format \
    Identities Indent Inspection KeyChanges KeyKind KeyOutcome KeyPath KeyService KeySource Limits MAX_DEPTH Map MasterKey \
    MemoryStorage Metadata NewIdentity Passphrase Position Recipients RefreshError Result Rule SOPS_VERSION Segment \
    ServiceError SkippedRule SopsStorage StorageOptions StorageSettings Text Token TokenStatus TokenStorage Topic \
    UnsavedToken Value Verdict WrappedKey edit_file open_storage read_file read_from replace_file";

#[test]
fn no_public_type_is_unknown_to_these_tests() {
    let source = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/lib.rs")).unwrap();
    let exports = source.split("\npub use ").skip(1).map(|rest| rest.split(';').next().unwrap());
    let names = exports.flat_map(|export| {
        let (_, names) = export.rsplit_once("::").unwrap();
        names.trim_matches(['{', '}', '\n', ' ']).split(',').map(str::trim).filter(|name| !name.is_empty())
    });
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    assert_eq!(names, PUBLIC.split_whitespace().collect::<Vec<_>>());
}
