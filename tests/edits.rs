//! One value changes, everything else in the file stays as it is.

mod support;

use std::collections::BTreeSet;

use sopskit::{Document, EncryptOptions, EncryptedDocument, ErrorKind, Format, Identities, Indent, Map, Rule, Value};
use support::{FIXTURES, identities, read, recipients};

fn seal(json: &str) -> EncryptedDocument {
    let tree = Format::Json.parse(json.as_bytes()).unwrap();
    EncryptOptions::new().encrypt(tree, &recipients(&["alice"])).unwrap()
}

#[track_caller]
fn open(text: &str) -> Document {
    EncryptedDocument::parse(text.as_bytes()).unwrap().decrypt(&identities("alice")).unwrap()
}

/// The lines of `after` that differ from those of `before`; both must have as many.
#[track_caller]
fn changed_lines(before: &str, after: &str) -> Vec<String> {
    assert_eq!(before.lines().count(), after.lines().count());
    let pairs = before.lines().zip(after.lines()).filter(|(before, after)| before != after);
    pairs.map(|(_, after)| after.trim().split(':').next().unwrap().to_owned()).collect()
}

fn plain(document: &Document) -> String {
    String::from_utf8(document.to_bytes(Format::Json).unwrap().to_vec()).unwrap()
}

fn leaves(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| line.split_once("ENC[").map(|(_, leaf)| leaf.trim_end_matches(','))).collect()
}

#[test]
fn setting_one_of_a_thousand_values_changes_its_line_the_mac_and_the_time_only() {
    let members: Vec<_> = (0..1000).map(|n| format!("\"key{n}\": {{\"a\": [{n}, \"text\"]}}")).collect();
    let before = seal(&format!("{{{}}}", members.join(","))).to_string();
    // The time is in whole seconds, and can be the same.
    let mut document = open(&before);
    assert!(document.set(r#"["key500"]["a"][1]"#, "new").unwrap());
    let after = document.encrypt().unwrap().to_string();
    let changed: Vec<_> = changed_lines(&before, &after).into_iter().filter(|key| key != "\"lastmodified\"").collect();
    assert_eq!(changed.len(), 2, "{changed:?}");
    assert!(changed[0].starts_with("\"ENC["));
    assert_eq!(changed[1], "\"mac\"");
    assert_eq!(open(&after).get(r#"["key500"]["a"][1]"#).unwrap().as_str(), Some("new"));
}

#[test]
fn the_same_holds_for_files_of_every_sops_release() {
    for release in support::RELEASES {
        let mut before = String::from_utf8(read(format!("{FIXTURES}/{release}/token-like/sealed.json"))).unwrap();
        if !before.ends_with('\n') {
            before.push('\n');
        }
        let mut document = open(&before);
        document.set(r#"["extra"]["account"]"#, "new").unwrap();
        let after = document.encrypt().unwrap().to_string();
        assert_eq!(changed_lines(&before, &after), ["\"account\"", "\"lastmodified\"", "\"mac\""], "{release}");
    }
}

#[test]
fn a_document_that_was_not_changed_keeps_every_leaf() {
    let before = seal(r#"{"a": [1, 2.5, true, null, "", {}, []], "b": "x"}"#).to_string();
    let after = open(&before).encrypt().unwrap().to_string();
    assert_eq!(leaves(&before)[..4], leaves(&after)[..4]);
    assert_ne!(leaves(&before).last(), leaves(&after).last(), "the MAC takes a fresh nonce");
}

#[test]
fn equal_values_never_share_a_nonce() {
    let sealed = seal(r#"{"a": ["x", "x", "x"], "b": {"c": "x"}, "d": 1, "e": 1}"#);
    let text = sealed.to_string();
    let mut document = open(&text);
    document.set(r#"["a"][3]"#, "x").unwrap();
    document.set(r#"["b"]["c2"]"#, "x").unwrap();
    let again = document.encrypt().unwrap().to_string();
    for text in [text, again] {
        let nonces: Vec<_> = leaves(&text).iter().map(|leaf| leaf.split(",iv:").nth(1).unwrap().to_owned()).collect();
        assert_eq!(nonces.iter().collect::<BTreeSet<_>>().len(), nonces.len());
    }
}

#[test]
fn a_value_that_is_set_to_something_else_and_back_gets_a_fresh_nonce() {
    let before = seal(r#"{"a": "x"}"#).to_string();
    let mut document = open(&before);
    document.set(r#"["a"]"#, "y").unwrap();
    document.set(r#"["a"]"#, "x").unwrap();
    let after = document.encrypt().unwrap().to_string();
    assert_ne!(leaves(&before)[0], leaves(&after)[0]);
    assert_eq!(plain(&open(&after)), plain(&open(&before)));
}

#[test]
fn setting_an_equal_value_is_no_change() {
    let mut document = open(&seal(r#"{"a": {"b": [1, "x"]}}"#).to_string());
    assert!(!document.set(r#"["a"]["b"][1]"#, "x").unwrap());
    let same = Value::from(Map::from_iter([("b", Value::from(vec![Value::from(1), Value::from("x")]))]));
    assert!(!document.set(r#"["a"]"#, same).unwrap());
    assert!(document.set(r#"["a"]["b"][0]"#, "1").unwrap());
}

#[test]
fn items_of_an_array_keep_their_text_when_others_come_and_go() {
    let before = seal(r#"{"a": ["w", "x", "y", "z"]}"#).to_string();
    let old = leaves(&before);
    let mut document = open(&before);
    document.unset(r#"["a"][1]"#).unwrap();
    document.set(r#"["a"][3]"#, "new").unwrap();
    document.unset(r#"["a"][0]"#).unwrap();
    let after = document.encrypt().unwrap().to_string();
    let new = leaves(&after);
    assert_eq!(new[..2], old[2..4]);
    assert_eq!(plain(&open(&after)), "{\n\t\"a\": [\n\t\t\"y\",\n\t\t\"z\",\n\t\t\"new\"\n\t]\n}\n");
}

#[test]
fn replacing_an_object_keeps_the_text_of_what_is_the_same_in_it() {
    let before = seal(r#"{"db": {"user": "app", "password": "old", "ports": [1, 2, 3]}}"#).to_string();
    let mut document = open(&before);
    let new = Format::Json.parse(br#"{"ports": [1, 9, 3], "host": "h", "user": "app"}"#).unwrap();
    document.set(r#"["db"]"#, new).unwrap();
    let after = document.encrypt().unwrap().to_string();
    let (old, new) = (leaves(&before), leaves(&after));
    // before: user, password, 1, 2, 3; after: 1, 9, 3, host, user
    assert_eq!((new[0], new[2], new[4]), (old[2], old[4], old[0]));
    assert!(!old.contains(&new[1]) && !old.contains(&new[3]));
    open(&after);
}

#[test]
fn zero_and_negative_zero_are_told_apart() {
    let mut document = open(&seal(r#"{"a": {"b": -0.0, "c": 1}}"#).to_string());
    assert!(document.set(r#"["a"]["b"]"#, 0.0).unwrap());
    assert!(document.set(r#"["a"]["b"]"#, -0.0).unwrap());
    let mut document = open(&document.encrypt().unwrap().to_string());
    document.set(r#"["a"]"#, Format::Json.parse(br#"{"b": 0.0, "c": 2}"#).unwrap()).unwrap();
    let text = document.encrypt().unwrap().to_string();
    assert_eq!(plain(&open(&text)), "{\n\t\"a\": {\n\t\t\"b\": 0,\n\t\t\"c\": 2\n\t}\n}\n");
}

#[test]
fn a_value_that_moves_under_another_key_is_sealed_anew() {
    let before = seal(r#"{"a": "x", "b": "y"}"#).to_string();
    let mut document = open(&before);
    document.unset(r#"["a"]"#).unwrap();
    document.set(r#"["c"]"#, "x").unwrap();
    let after = document.encrypt().unwrap().to_string();
    assert!(!leaves(&after).contains(&leaves(&before)[0]));
    assert_eq!(plain(&open(&after)), "{\n\t\"b\": \"y\",\n\t\"c\": \"x\"\n}\n");
}

#[test]
fn missing_objects_are_made_on_the_way_and_an_index_at_the_end_appends() {
    let mut document = open(&seal("{}").to_string());
    document.set(r#"["a"]["b"]["c"]"#, 1).unwrap();
    document.set(r#"["a"]["list"][0]["x"]"#, true).unwrap();
    document.set(r#"["a"]["list"][1]"#, 2.5).unwrap();
    document.set(r#"["null"]"#, Value::Null).unwrap();
    document.set(r#"["null"]["y"]"#, "z").unwrap();
    let text = document.encrypt().unwrap().to_string();
    let json: serde_json::Value = open(&text).deserialize().unwrap();
    assert_eq!(json, serde_json::json!({"a": {"b": {"c": 1}, "list": [{"x": true}, 2.5]}, "null": {"y": "z"}}));
}

#[test]
fn a_change_that_no_file_could_hold_is_refused_and_changes_nothing() {
    let mut document = open(&seal(r#"{"a": {"b": "text", "list": [1]}}"#).to_string());
    let before = plain(&document);
    let deep = (0..200).fold(Value::Null, |inner, _| Value::Array(vec![inner]));
    for (path, value, kind) in [
        (r#"["a"]["b"]["c"]"#, Value::from(1), ErrorKind::PathNotFound),
        (r#"["a"]["b"][0]"#, Value::from(1), ErrorKind::PathNotFound),
        (r#"["a"]["list"][2]"#, Value::from(1), ErrorKind::PathNotFound),
        (r#"["a"]["list"]["x"]"#, Value::from(1), ErrorKind::PathNotFound),
        (r#"["a"]["new"][1]"#, Value::from(1), ErrorKind::PathNotFound),
        (r#"["a"]["b"]"#, Value::from(f64::NAN), ErrorKind::NumberOutOfRange),
        (r#"["a"]["b"]"#, deep, ErrorKind::TooDeep),
        ("[0]", Value::from(1), ErrorKind::InvalidPath),
        ("", Value::from(1), ErrorKind::InvalidPath),
        ("a.b", Value::from(1), ErrorKind::InvalidPath),
        (r#"["sops"]["mac"]"#, Value::from("x"), ErrorKind::InvalidPath),
    ] {
        let error = document.set(path, value).unwrap_err();
        assert_eq!(error.kind(), kind, "{path}: {error}");
    }
    for (path, kind) in [
        (r#"["a"]["c"]"#, ErrorKind::PathNotFound),
        (r#"["a"]["list"][1]"#, ErrorKind::PathNotFound),
        (r#"["sops"]"#, ErrorKind::InvalidPath),
        ("", ErrorKind::InvalidPath),
    ] {
        assert_eq!(document.unset(path).unwrap_err().kind(), kind, "{path}");
    }
    assert_eq!(plain(&document), before);
}

#[test]
fn the_indent_of_a_file_stays() {
    let tree = Format::Json.parse(br#"{"a": {"b": ["x"]}}"#).unwrap();
    for indent in [Indent::Tab, Indent::Spaces(0), Indent::Spaces(2), Indent::Spaces(7)] {
        let options = EncryptOptions::new().indent(indent);
        let before = options.encrypt(tree.clone(), &recipients(&["alice"])).unwrap().to_string();
        let mut document = open(&before);
        document.set(r#"["a"]["b"][0]"#, "y").unwrap();
        let after = document.encrypt().unwrap().to_string();
        let spaces = |text: &str| text.lines().map(|line| line.len() - line.trim_start().len()).collect::<Vec<_>>();
        assert_eq!(spaces(&before), spaces(&after), "{indent:?}");
    }
}

/// A file of alice's, with a member added to its metadata by hand: the metadata itself is not authenticated.
fn with_metadata(member: &str) -> String {
    seal(r#"{"a": "x"}"#).to_string().replace("\t\t\"lastmodified\"", &format!("\t\t{member},\n\t\t\"lastmodified\""))
}

const PGP: &str = "\"pgp\": [\n\t\t\t{\n\t\t\t\t\"created_at\": \"2020-01-01T00:00:00Z\",\n\t\t\t\t\"enc\": \"-----BEGIN PGP MESSAGE-----\\n\\nhQ\\n-----END PGP MESSAGE-----\",\n\t\t\t\t\"fp\": \"85D77543B3D624B63CEA9E6DBC17301B491B3F21\"\n\t\t\t}\n\t\t]";

#[test]
fn unknown_metadata_and_foreign_master_keys_survive_an_edit_byte_for_byte() {
    for member in
        ["\"from_the_future\": {\n\t\t\t\"list\": [\n\t\t\t\t1,\n\t\t\t\tnull\n\t\t\t]\n\t\t}", "\"kms\": null", PGP]
    {
        let before = with_metadata(member);
        assert!(before.contains(member));
        let mut document = open(&before);
        document.set(r#"["b"]"#, "y").unwrap();
        let after = document.encrypt().unwrap().to_string();
        assert!(after.contains(&format!("\t\t{member},\n")), "{after}");
        open(&after);
    }
}

#[test]
fn a_new_data_key_that_cannot_be_wrapped_for_a_foreign_master_key_is_refused_by_its_name() {
    let mut document = open(&with_metadata(PGP));
    let error = document.rotate().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CannotWrap);
    assert!(error.to_string().contains("pgp 85D77543B3D624B63CEA9E6DBC17301B491B3F21"), "{error}");
    // The document is still whole, under its old data key.
    open(&document.encrypt().unwrap().to_string());
}

#[test]
fn a_rotation_keeps_the_old_data_key_from_opening_anything() {
    let before = seal(r#"{"a": "x", "b": 5, "c": [true, 2.5]}"#).to_string();
    let mut document = open(&before);
    document.rotate().unwrap();
    let after = document.encrypt().unwrap().to_string();
    let old: BTreeSet<_> = leaves(&before).into_iter().collect();
    assert!(leaves(&after).iter().all(|leaf| !old.contains(leaf)));
    assert_eq!(plain(&open(&after)), plain(&document));
    // Leaves of before the rotation are strangers now.
    let mixed = after.replacen(leaves(&after)[0], leaves(&before)[0], 1);
    let error = EncryptedDocument::parse(mixed.as_bytes()).unwrap().decrypt(&identities("alice")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LeafNotAuthentic);
    assert_eq!(error.path().to_string(), r#"["a"]"#);
}

#[test]
fn values_in_clear_follow_the_rule_after_an_edit_too() {
    let tree = Format::Json.parse(br#"{"name": "x", "password": "old"}"#).unwrap();
    let options = EncryptOptions::new().rule(Rule::encrypted_regex("^password$").unwrap());
    let mut document = open(&options.encrypt(tree, &recipients(&["alice"])).unwrap().to_string());
    document.set(r#"["name"]"#, "shown").unwrap();
    document.set(r#"["new"]["password"]"#, "hidden").unwrap();
    let text = document.encrypt().unwrap().to_string();
    assert!(text.contains("\"name\": \"shown\"") && !text.contains("hidden"));
    open(&text);
}

#[test]
fn a_plaintext_with_a_key_named_sops_is_refused_at_the_top_and_taken_below() {
    let sops = Map::from_iter([("sops", Value::from(1))]);
    let error = Document::new(sops.clone(), &recipients(&["alice"])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyEncrypted);
    let below = Map::from_iter([("a", Value::from(sops))]);
    Document::new(below, &recipients(&["alice"])).unwrap().encrypt().unwrap();
}

#[test]
fn an_empty_rule_is_refused_before_it_leaves_anything_in_clear() {
    // sops takes an empty rule for none, so the default would count, which leaves these in clear.
    let tree = || Map::from_iter([("pw_unencrypted", Value::from("hunter2"))]);
    for rule in [
        Rule::encrypted_suffix(""),
        Rule::unencrypted_suffix(""),
        Rule::encrypted_regex("").unwrap(),
        Rule::unencrypted_regex("").unwrap(),
    ] {
        let error = EncryptOptions::new().rule(rule).encrypt(tree(), &recipients(&["alice"])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidMetadata);
    }
}

#[test]
fn a_comment_cannot_be_added_to_json() {
    let mut document = open(&seal(r#"{"a": ["x"]}"#).to_string());
    let comment = || Value::Comment(sopskit::Text::from("note"));
    assert_eq!(document.set(r#"["a"][1]"#, comment()).unwrap_err().kind(), ErrorKind::NotRepresentable);
    let tree = Map::from_iter([("a", comment())]);
    assert_eq!(Document::new(tree, &recipients(&["alice"])).unwrap_err().kind(), ErrorKind::NotRepresentable);
}

/// The keys of the `sops` object, in order.
fn metadata_fields(text: &str) -> Vec<String> {
    let parsed = Format::Json.parse(text.as_bytes()).unwrap();
    parsed.get("sops").unwrap().as_object().unwrap().keys().map(str::to_owned).collect()
}

#[test]
fn the_metadata_keeps_its_order_when_master_keys_change() {
    for release in support::RELEASES {
        for case in ["token-like", "key-groups-all"] {
            let before = String::from_utf8(read(format!("{FIXTURES}/{release}/{case}/sealed.json"))).unwrap();
            let keys = Identities::parse(&["alice", "bob", "carol"].map(support::identity_text).join("\n")).unwrap();
            let mut document = EncryptedDocument::parse(before.as_bytes()).unwrap().decrypt(&keys).unwrap();
            document.add_recipients(&recipients(&["bob"])).unwrap();
            document.rotate().unwrap();
            let after = document.encrypt().unwrap().to_string();
            assert_eq!(metadata_fields(&before), metadata_fields(&after), "{release} {case}");
            EncryptedDocument::parse(after.as_bytes()).unwrap().decrypt(&keys).unwrap();
        }
    }
}

#[test]
fn unknown_fields_beside_master_keys_survive_a_change_of_keys() {
    let age = |who: &str| format!("{{\"recipient\": \"{}\", \"enc\": \"ENC\", \"note\": 1}}", support::public_key(who));
    let sealed = seal(r#"{"a": "x"}"#).to_string();
    let (start, end) = (sealed.find("\"age\": [").unwrap(), sealed.find("\"lastmodified\"").unwrap());
    let wrapped = EncryptedDocument::parse(sealed.as_bytes()).unwrap();
    let enc = wrapped.metadata().key_groups().flatten().next().unwrap().enc().replace('\n', "\\n");
    let group = format!("[{{\"team\": \"ops\", \"age\": [{}]}}]", age("alice").replace("ENC", &enc));
    let grouped = format!("{}\"key_groups\": {group}, {}", &sealed[..start], &sealed[end..]);
    for change in [Document::rotate, |document: &mut Document| document.add_recipients(&recipients(&["bob"])).map(drop)]
    {
        let mut document = open(&grouped);
        change(&mut document).unwrap();
        let after = document.encrypt().unwrap().to_string();
        assert!(after.contains("\"team\": \"ops\"") && after.contains("\"note\": 1"), "{after}");
        open(&after);
    }
}
