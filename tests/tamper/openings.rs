//! What the format leaves open: whoever can write a file can do this unnoticed, here as with sops. Each is stated in SECURITY.md.
//!
//! Where there is a near thing that is noticed, the test shows that too.

use sopskit::{Document, EncryptOptions, EncryptedDocument, ErrorKind, Format, Recipients, Result, Rule, Value};

use super::file::File;
use super::support::{FIXTURES, identities, public_key, read, recipients};

#[track_caller]
fn seal_with(options: &EncryptOptions, plain: &str, who: &[&str]) -> String {
    let tree = Format::Json.parse(plain.as_bytes()).unwrap();
    options.encrypt(tree, &recipients(who)).unwrap().to_string()
}

#[track_caller]
fn seal(plain: &str) -> String {
    seal_with(&EncryptOptions::new(), plain, &["alice"])
}

fn try_open(text: &str) -> Result<Document> {
    EncryptedDocument::parse(text.as_bytes())?.decrypt(&identities("alice"))
}

/// The plaintext on one line.
#[track_caller]
fn open(text: &str) -> String {
    let value: serde_json::Value = try_open(text).unwrap().deserialize().unwrap();
    value.to_string()
}

#[track_caller]
fn replace(text: &str, old: &str, new: &str) -> String {
    assert_eq!(text.matches(old).count(), 1, "{old} in {text}");
    text.replace(old, new)
}

/// The value at a path as the file spells it.
#[track_caller]
fn sealed_value(text: &str, path: &str) -> String {
    let file = File::parse(text.to_owned());
    let node = file.nodes.iter().position(|node| node.path == path).unwrap();
    file.value_text(node).to_owned()
}

#[track_caller]
fn without(text: &str, path: &str) -> String {
    let file = File::parse(text.to_owned());
    let node = file.nodes.iter().position(|node| node.path == path).unwrap();
    String::from_utf8(file.with(vec![(file.removal(node), String::new())])).unwrap()
}

#[test]
fn the_format_leaves_open_that_what_has_no_content_comes_and_goes() {
    for nothing in ["null", "\"\"", "{}", "[]"] {
        let text = seal(&format!(r#"{{"a": "x", "limit": {nothing}}}"#));
        assert_eq!(open(&without(&text, r#"["limit"]"#)), r#"{"a":"x"}"#);
        let added = replace(&text, "\t\"a\":", &format!("\t\"admin\": {nothing},\n\t\"a\":"));
        assert_eq!(open(&added), format!(r#"{{"a":"x","admin":{nothing},"limit":{nothing}}}"#));
    }
    let text = seal(r#"{"a": "x", "limit": 5}"#);
    for nothing in ["null", "\"\"", "{}", "[]"] {
        let emptied = replace(&text, &sealed_value(&text, r#"["limit"]"#), nothing);
        assert_eq!(try_open(&emptied).unwrap_err().kind(), ErrorKind::MacMismatch, "{nothing}");
    }
}

#[test]
fn the_format_leaves_open_that_a_key_above_a_value_in_clear_is_renamed() {
    let text = seal(r#"{"readers_unencrypted": {"x": "ann"}, "secret": "s"}"#);
    let renamed = replace(&text, "readers_unencrypted", "writers_unencrypted");
    assert_eq!(open(&renamed), r#"{"secret":"s","writers_unencrypted":{"x":"ann"}}"#);
    let other = try_open(&replace(&text, "\"secret\"", "\"public\"")).unwrap_err();
    assert_eq!(other.kind(), ErrorKind::LeafNotAuthentic);
}

#[test]
fn the_format_leaves_open_that_keys_and_lengths_show() {
    let text = seal(r#"{"password": "correct horse", "pin": 1234, "on": true}"#);
    for (key, bytes) in [("password", 13_usize), ("pin", 4), ("on", 4)] {
        let sealed = sealed_value(&text, &format!("[\"{key}\"]"));
        let data = sealed.split_once("data:").unwrap().1.split_once(',').unwrap().0;
        assert_eq!(data.trim_end_matches('=').len() * 6 / 8, bytes, "{sealed}");
    }
    assert!(!text.contains("correct horse"));
}

#[test]
fn the_format_leaves_open_that_a_recipient_is_dropped() {
    let text = seal_with(&EncryptOptions::new(), r#"{"a": "x"}"#, &["alice", "bob"]);
    let dropped = without(&text, r#"["sops"]["age"][1]"#);
    assert_eq!(open(&dropped), r#"{"a":"x"}"#);
    let sealed = EncryptedDocument::parse(dropped.as_bytes()).unwrap();
    assert_eq!(sealed.decrypt(&identities("bob")).unwrap_err().kind(), ErrorKind::NoMatchingIdentity);
    // And who edits the file then goes on without him.
    let mut document = try_open(&dropped).unwrap();
    document.rotate().unwrap();
    assert_eq!(document.metadata().recipients().collect::<Vec<_>>(), [public_key("alice")]);
}

#[test]
fn the_format_leaves_open_that_a_recipient_is_added_who_gets_the_next_data_key() {
    let text = seal_with(&EncryptOptions::new(), r#"{"a": "x"}"#, &["alice", "bob"]);
    let added = replace(&text, &public_key("bob"), &public_key("carol"));
    let sealed = EncryptedDocument::parse(added.as_bytes()).unwrap();
    assert_eq!(sealed.decrypt(&identities("carol")).unwrap_err().kind(), ErrorKind::NoMatchingIdentity);
    let mut document = try_open(&added).unwrap();
    document.rotate().unwrap();
    let rotated = document.encrypt().unwrap();
    let carols = rotated.decrypt(&identities("carol")).unwrap();
    assert_eq!(carols.get("[\"a\"]").unwrap().as_str(), Some("x"));
    // What a caller can hold against its own list before that.
    let recipients: Vec<_> = sealed.metadata().recipients().collect();
    assert_eq!(recipients, [public_key("alice"), public_key("carol")]);
}

#[test]
fn the_format_leaves_open_that_an_old_file_is_put_back() {
    let old = seal(r#"{"password": "old"}"#);
    let mut document = try_open(&old).unwrap();
    document.set("[\"password\"]", "new").unwrap();
    let new = document.encrypt_to_text().unwrap();
    assert_eq!((open(&old), open(&new)), (r#"{"password":"old"}"#.into(), r#"{"password":"new"}"#.into()));
    // One value of it in the new file is noticed.
    let path = r#"["password"]"#;
    let mixed = replace(&new, &sealed_value(&new, path), &sealed_value(&old, path));
    assert_eq!(try_open(&mixed).unwrap_err().kind(), ErrorKind::MacMismatch);
}

#[test]
fn the_format_leaves_open_that_a_stranger_puts_a_file_of_their_own_in_its_place() {
    let theirs = Recipients::parse(&public_key("alice")).unwrap();
    let tree = Format::Json.parse(br#"{"server": "evil.example"}"#).unwrap();
    let text = EncryptOptions::new().encrypt(tree, &theirs).unwrap().to_string();
    assert_eq!(open(&text), r#"{"server":"evil.example"}"#);
}

#[test]
fn the_format_leaves_open_where_one_value_in_clear_ends_and_the_next_begins() {
    let text = seal(r#"{"list_unencrypted": ["db1", "23"], "a": "x"}"#);
    let moved = replace(&replace(&text, "\"db1\"", "\"db\""), "\"23\"", "\"123\"");
    assert_eq!(open(&moved), r#"{"a":"x","list_unencrypted":["db","123"]}"#);
    let joined = replace(&without(&text, r#"["list_unencrypted"][1]"#), "\"db1\"", "\"db123\"");
    assert_eq!(open(&joined), r#"{"a":"x","list_unencrypted":["db123"]}"#);
    let swapped = replace(&text, "\"db1\",\n\t\t\"23\"", "\"23\",\n\t\t\"db1\"");
    assert_eq!(try_open(&swapped).unwrap_err().kind(), ErrorKind::MacMismatch);
}

/// The file with another type for an encrypted value.
#[track_caller]
fn retyped(text: &str, path: &str, kind: &str) -> String {
    let sealed = sealed_value(text, path);
    replace(text, &sealed, &format!("{},type:{kind}]\"", sealed.split_once(",type:").unwrap().0))
}

#[test]
fn the_format_leaves_open_of_which_type_a_value_is() {
    let text = seal(r#"{"port_unencrypted": 8080, "pin": 1234, "on": true}"#);
    let text = replace(&text, ": 8080", ": \"8080\"");
    let text = retyped(&retyped(&text, r#"["pin"]"#, "str"), r#"["on"]"#, "str");
    assert_eq!(open(&text), r#"{"on":"True","pin":"1234","port_unencrypted":"8080"}"#);
    let no_number = try_open(&retyped(&seal(r#"{"a": "x"}"#), r#"["a"]"#, "int")).unwrap_err();
    assert_eq!(no_number.kind(), ErrorKind::LeafValue);
    // A value cannot be made a comment, which would hide it.
    let hidden = try_open(&retyped(&seal(r#"{"a": ["x"]}"#), r#"["a"][0]"#, "comment")).unwrap_err();
    assert_eq!(hidden.kind(), ErrorKind::MacMismatch);
}

#[test]
fn the_format_leaves_open_whether_a_value_stands_in_a_list_of_its_own() {
    let text = seal(r#"{"a": "x", "b": ["y"]}"#);
    let (a, b) = (sealed_value(&text, r#"["a"]"#), sealed_value(&text, r#"["b"]"#));
    let changed = replace(&replace(&text, &a, &format!("[[{a}], null]")), &b, b.trim_matches(['[', ']', '\n', '\t']));
    assert_eq!(open(&changed), r#"{"a":[["x"],null],"b":"y"}"#);
}

#[test]
fn the_format_leaves_open_to_which_object_of_a_list_a_value_belongs() {
    let text = seal(r#"{"users": [{"name": "ann", "role": "admin"}, {"name": "ben"}]}"#);
    let role = sealed_value(&text, r#"["users"][0]["role"]"#);
    let moved = without(&text, r#"["users"][0]["role"]"#);
    let name = sealed_value(&moved, r#"["users"][1]["name"]"#);
    let bens = replace(&moved, &format!("\"name\": {name}"), &format!("\"role\": {role}, \"name\": {name}"));
    assert_eq!(open(&bens), r#"{"users":[{"name":"ann"},{"name":"ben","role":"admin"}]}"#);
    // The order of the values is noticed.
    let behind = replace(&moved, &format!("\"name\": {name}"), &format!("\"name\": {name}, \"role\": {role}"));
    assert_eq!(try_open(&behind).unwrap_err().kind(), ErrorKind::MacMismatch);
}

#[test]
fn the_format_leaves_open_that_a_comment_comes_and_goes() {
    let text = String::from_utf8(read(format!("{FIXTURES}/3.11.0/from-yaml-comments/sealed.json"))).unwrap();
    let comment = sealed_value(&text, r#"["list"][0]"#);
    assert!(comment.ends_with(",type:comment]\""));
    let list = |text: &str| match try_open(text).unwrap().get("[\"list\"]").unwrap() {
        Value::Array(items) => items.len(),
        _ => 0,
    };
    assert_eq!(list(&text), 3);
    assert_eq!(list(&without(&text, r#"["list"][0]"#)), 2);
    assert_eq!(list(&text.replace(&comment, &format!("{comment}, {comment}"))), 4);
    assert_eq!(open(&without(&text, r#"["list"][0]"#)), open(&text), "no plaintext shows it");
}

#[test]
fn the_format_leaves_open_that_the_rule_is_changed_so_that_the_next_value_is_in_clear() {
    let text = seal(r#"{"user": "ann"}"#);
    let changed = replace(&text, "\"_unencrypted\"", "\"password\"");
    let mut document = try_open(&changed).unwrap();
    document.set("[\"password\"]", "hunter2").unwrap();
    assert!(document.encrypt_to_text().unwrap().contains("hunter2"));
    // A rule that takes values in that are in clear, or leaves out encrypted ones, is noticed.
    let mine = try_open(&replace(&text, "\"_unencrypted\"", "\"user\"")).unwrap_err();
    assert_eq!(mine.kind(), ErrorKind::MacMismatch);
}

#[test]
fn the_format_leaves_open_what_is_in_clear_under_a_mac_of_encrypted_values_only() {
    let options = EncryptOptions::new().rule(Rule::encrypted_suffix("password")).mac_only_encrypted(true);
    let text = seal_with(&options, r#"{"server": "db.example", "password": "s", "port": 1}"#, &["alice"]);
    let changed = without(&replace(&text, "db.example", "evil.example"), r#"["port"]"#);
    assert_eq!(open(&changed), r#"{"password":"s","server":"evil.example"}"#);
    // That the MAC is such a one is noticed.
    let all = try_open(&without(&text, r#"["sops"]["mac_only_encrypted"]"#)).unwrap_err();
    assert_eq!(all.kind(), ErrorKind::MacMismatch);
}

#[test]
fn the_format_leaves_open_a_fraction_of_a_second_and_nothing_else_of_the_time() {
    let text = seal(r#"{"a": "x"}"#);
    let time = sealed_value(&text, r#"["sops"]["lastmodified"]"#);
    for same in ["Z\"", ".5Z\"", "+00:00\""] {
        assert_eq!(open(&replace(&text, &time, &time.replace("Z\"", same))), r#"{"a":"x"}"#, "{same}");
    }
    for other in ["+01:00\"", "z\""] {
        assert!(try_open(&replace(&text, &time, &time.replace("Z\"", other))).is_err(), "{other}");
    }
}

#[test]
fn the_format_leaves_open_how_json_and_armor_are_spelled() {
    let text = seal(r#"{"ratio_unencrypted": 1.5, "a": "x"}"#);
    let plain = open(&text);
    assert_eq!(open(&replace(&text, ": 1.5", ":\r\n15e-1")), plain);
    assert_eq!(open(&replace(&text, "\"a\": \"ENC", "\"\\u0061\" : \"\\u0045NC")), plain);
    let (begin, end) = ("-----BEGIN AGE ENCRYPTED FILE-----", "-----END AGE ENCRYPTED FILE-----\\n");
    for blanks in ["", "\\r\\n", "\\n \\t\\n"] {
        assert_eq!(open(&replace(&text, end, &format!("{}{blanks}", end.trim_end_matches("\\n")))), plain);
    }
    for (old, new) in [(begin, format!("x\\n{begin}")), (end, format!("{end}x")), (begin, begin.to_lowercase())] {
        assert_eq!(try_open(&replace(&text, old, &new)).unwrap_err().kind(), ErrorKind::NoMatchingIdentity, "{new}");
    }
    let twice = replace(&text, "\"a\":", "\"\\u0061\": \"y\", \"a\":");
    assert_eq!(try_open(&twice).unwrap_err().kind(), ErrorKind::DuplicateKey);
}
