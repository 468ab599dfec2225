//! Two edits of one file become one that opens, or a list of the places where they differ.

mod support;

use sopskit::{Document, EncryptOptions, EncryptedDocument, ErrorKind, Format, Rule, Value};
use support::{identities, recipients};

fn seal(json: &str) -> EncryptedDocument {
    EncryptOptions::new().encrypt(Format::Json.parse(json.as_bytes()).unwrap(), &recipients(&["alice"])).unwrap()
}

fn open(sealed: &EncryptedDocument) -> Document {
    EncryptedDocument::parse(sealed.to_string().as_bytes()).unwrap().decrypt(&identities("alice")).unwrap()
}

fn edited(base: &EncryptedDocument, json: &str) -> Document {
    let mut document = open(base);
    document.set_tree(Format::Json.parse(json.as_bytes()).unwrap()).unwrap();
    document
}

fn compact(document: &Document) -> String {
    let text = document.to_bytes(Format::Json).unwrap();
    String::from_utf8(text.to_vec()).unwrap().replace(['\n', '\t', ' '], "")
}

/// Base, ours, theirs, and what comes out; or the paths of the conflicts.
type Vector = (&'static str, &'static str, &'static str, Result<&'static str, &'static [&'static str]>);

const VECTORS: [Vector; 20] = [
    (r#"{"a":1}"#, r#"{"a":1}"#, r#"{"a":1}"#, Ok(r#"{"a":1}"#)),
    (r#"{"a":1,"b":1}"#, r#"{"a":2,"b":1}"#, r#"{"a":1,"b":2}"#, Ok(r#"{"a":2,"b":2}"#)),
    (r#"{"a":1}"#, r#"{"a":2}"#, r#"{"a":2}"#, Ok(r#"{"a":2}"#)),
    (r#"{"a":1}"#, r#"{"a":2}"#, r#"{"a":3}"#, Err(&[r#"["a"]"#])),
    (r#"{"a":1}"#, r#"{"a":1,"b":1}"#, r#"{"a":1,"c":1}"#, Ok(r#"{"a":1,"b":1,"c":1}"#)),
    (r#"{"a":1}"#, r#"{"a":1,"b":1}"#, r#"{"a":1,"b":1}"#, Ok(r#"{"a":1,"b":1}"#)),
    (r#"{"a":1}"#, r#"{"a":1,"b":1}"#, r#"{"a":1,"b":2}"#, Err(&[r#"["b"]"#])),
    (r#"{"a":1,"b":1}"#, r#"{"a":1}"#, r#"{"a":1,"b":1}"#, Ok(r#"{"a":1}"#)),
    (r#"{"a":1,"b":1}"#, r#"{"a":1,"b":1}"#, r#"{"b":1}"#, Ok(r#"{"b":1}"#)),
    (r#"{"a":1,"b":1}"#, r#"{"a":1}"#, r#"{"b":1}"#, Ok("{}")),
    (r#"{"a":1,"b":1}"#, r#"{"a":1}"#, r#"{"a":1,"b":2}"#, Err(&[r#"["b"]"#])),
    (r#"{"o":{"x":1,"y":1}}"#, r#"{"o":{"x":2,"y":1}}"#, r#"{"o":{"x":1,"y":2}}"#, Ok(r#"{"o":{"x":2,"y":2}}"#)),
    (r#"{"o":{"x":1}}"#, r#"{"o":{"x":2}}"#, r#"{"o":{"x":3,"z":1}}"#, Err(&[r#"["o"]["x"]"#])),
    (r#"{}"#, r#"{"o":{"x":1}}"#, r#"{"o":{"y":2}}"#, Ok(r#"{"o":{"x":1,"y":2}}"#)),
    (r#"{"l":[1,2]}"#, r#"{"l":[3,2]}"#, r#"{"l":[1,4]}"#, Ok(r#"{"l":[3,4]}"#)),
    (r#"{"l":[1,2]}"#, r#"{"l":[3,2]}"#, r#"{"l":[4,2]}"#, Err(&[r#"["l"][0]"#])),
    (r#"{"l":[{"h":"a","p":1}]}"#, r#"{"l":[{"h":"b","p":1}]}"#, r#"{"l":[{"h":"a","p":2}]}"#, Err(&[r#"["l"][0]"#])),
    (r#"{"l":[1]}"#, r#"{"l":[1,2]}"#, r#"{"l":[1]}"#, Ok(r#"{"l":[1,2]}"#)),
    (r#"{"l":[1]}"#, r#"{"l":[1,2]}"#, r#"{"l":[1,3]}"#, Err(&[r#"["l"]"#])),
    (r#"{"a":null,"b":""}"#, r#"{"a":"","b":""}"#, r#"{"a":null,"b":null}"#, Ok(r#"{"a":"","b":null}"#)),
];

#[test]
fn what_both_sides_changed_is_merged_or_named() {
    for (base, ours, theirs, expected) in VECTORS {
        let sealed = seal(base);
        let mut merged = edited(&sealed, ours);
        let outcome = merged.merge(Some(&open(&sealed)), &edited(&sealed, theirs));
        match expected {
            Ok(expected) => {
                outcome.unwrap();
                assert_eq!(compact(&open(&merged.encrypt().unwrap())), expected, "{base} {ours} {theirs}");
            }
            Err(paths) => {
                let error = outcome.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::MergeConflict);
                assert_eq!(error.conflicts().iter().map(ToString::to_string).collect::<Vec<_>>(), paths);
                assert_eq!(compact(&merged), ours, "a conflict changes nothing");
            }
        }
    }
}

#[test]
fn leaves_of_both_sides_keep_their_text() {
    let base = seal(r#"{"a": "1", "b": "2", "c": "3", "l": ["x", "y"]}"#);
    let set = |path: &str, value: &str| {
        let mut document = open(&base);
        document.set(path, value).unwrap();
        document.encrypt().unwrap()
    };
    let (ours, theirs) = (set(r#"["a"]"#, "ours"), set(r#"["l"][1]"#, "theirs"));
    let mut merged = open(&ours);
    merged.merge(Some(&open(&base)), &open(&theirs)).unwrap();
    let merged = merged.encrypt().unwrap();
    assert_eq!(merged.tree().get("a"), ours.tree().get("a"));
    assert_eq!(merged.tree().get("l"), theirs.tree().get("l"));
    for key in ["b", "c"] {
        assert_eq!(merged.tree().get(key), base.tree().get(key));
    }
    open(&merged);
}

#[test]
fn somebody_whom_one_side_removed_stays_out() {
    let both = recipients(&["alice", "bob"]);
    let base = EncryptOptions::new().encrypt(Format::Json.parse(br#"{"a": "1", "b": "2"}"#).unwrap(), &both).unwrap();
    for ours_removes in [true, false] {
        let mut removing = open(&base);
        removing.remove_recipients(&recipients(&["bob"])).unwrap();
        let removing = open(&removing.encrypt().unwrap());
        let mut setting = open(&base);
        setting.set(r#"["a"]"#, "secret").unwrap();
        let (mut ours, theirs) = if ours_removes { (removing, setting) } else { (setting, removing) };
        ours.merge(Some(&open(&base)), &theirs).unwrap();
        let merged = ours.encrypt().unwrap();
        assert_eq!(merged.metadata().recipients().collect::<Vec<_>>(), [support::public_key("alice")]);
        assert_eq!(compact(&open(&merged)), r#"{"a":"secret","b":"2"}"#);
        let bob = merged.decrypt(&identities("bob"));
        assert_eq!(bob.unwrap_err().kind(), ErrorKind::NoMatchingIdentity);
        assert_ne!(merged.tree().get("b"), base.tree().get("b"), "bob knows the old data key");
    }
}

#[test]
fn somebody_whom_one_side_removed_stays_out_when_the_other_rotated() {
    let both = recipients(&["alice", "bob"]);
    let base = EncryptOptions::new().encrypt(Format::Json.parse(br#"{"a": "1", "b": "2"}"#).unwrap(), &both).unwrap();
    let rotated = |remove: &dyn Fn(&mut Document)| {
        let mut document = open(&base);
        remove(&mut document);
        document.encrypt().unwrap()
    };
    let with_bob = rotated(&|document| document.rotate().unwrap());
    let without_bob = rotated(&|document| assert!(document.remove_recipients(&recipients(&["bob"])).unwrap()));
    let only_dropped =
        rotated(&|document| drop(document.update_keys(&recipients(&["alice"]), &identities("alice")).unwrap()));
    for (ours, theirs) in
        [(&with_bob, &without_bob), (&without_bob, &with_bob), (&with_bob, &only_dropped), (&only_dropped, &with_bob)]
    {
        let mut merged = open(ours);
        merged.set(r#"["a"]"#, "secret").unwrap();
        merged.merge(Some(&open(&base)), &open(theirs)).unwrap();
        let merged = merged.encrypt().unwrap();
        assert_eq!(merged.metadata().recipients().collect::<Vec<_>>(), [support::public_key("alice")]);
        assert_eq!(compact(&open(&merged)), r#"{"a":"secret","b":"2"}"#);
        // What bob can do: put what was once wrapped for him into the new file.
        let mut fields = String::new();
        for old in [&base, &with_bob] {
            let wrapped = old.metadata().key_groups().flatten().nth(1).unwrap().enc().replace('\n', "\\n");
            fields.push_str(&format!("{{\"recipient\": \"{}\", \"enc\": \"{wrapped}\"}},", support::public_key("bob")));
            let forged = merged.to_string().replacen("\"age\": [", &format!("\"age\": [{fields}"), 1);
            let opened = EncryptedDocument::parse(forged.as_bytes()).unwrap().decrypt(&identities("bob"));
            assert!(opened.is_err(), "bob opens it with a data key that he knows");
            fields.clear();
        }
    }
}

#[test]
fn recipients_that_both_sides_change_are_a_conflict_and_equal_changes_are_none() {
    let base = seal(r#"{"a": 1}"#);
    let add = |who: &str| {
        let mut document = open(&base);
        document.add_recipients(&recipients(&[who])).unwrap();
        document
    };
    let mut ours = add("bob");
    let error = ours.merge(Some(&open(&base)), &add("carol")).unwrap_err();
    assert_eq!(error.conflicts()[0].to_string(), r#"["sops"]["age"]"#);
    ours.merge(Some(&open(&base)), &add("bob")).unwrap();
    let sealed = ours.encrypt().unwrap();
    sealed.decrypt(&identities("bob")).unwrap();
    // One side only.
    let mut ours = open(&base);
    ours.merge(Some(&open(&base)), &add("carol")).unwrap();
    ours.encrypt().unwrap().decrypt(&identities("carol")).unwrap();
}

#[test]
fn a_file_that_both_sides_made_anew_is_merged_without_a_base() {
    let mut ours = open(&seal(r#"{"a": 1, "same": "x"}"#));
    let theirs = open(&seal(r#"{"b": 2, "same": "x"}"#));
    ours.merge(None, &theirs).unwrap();
    assert_eq!(compact(&open(&ours.encrypt().unwrap())), r#"{"a":1,"same":"x","b":2}"#);
}

#[test]
fn under_another_rule_nothing_stays_in_clear_that_the_rule_selects() {
    let tree = |json: &str| Format::Json.parse(json.as_bytes()).unwrap();
    let options = EncryptOptions::new().rule(Rule::encrypted_suffix("_enc"));
    let ours = options.encrypt(tree(r#"{"a": "clear"}"#), &recipients(&["alice"])).unwrap();
    let theirs = seal(r#"{"a": "clear", "b": "x"}"#);
    let mut merged = open(&ours);
    let error = merged.merge(None, &open(&theirs)).unwrap_err();
    assert!(error.conflicts().is_empty() || error.conflicts()[0].to_string().starts_with(r#"["sops"]"#), "{error}");
}

#[test]
fn unknown_metadata_of_either_side_is_kept() {
    let base = seal(r#"{"a": 1}"#);
    let with_field = |field: &str| {
        let text = base.to_string().replacen("\"sops\": {", &format!("\"sops\": {{\n\t\t\"{field}\": [1, \"x\"],"), 1);
        EncryptedDocument::parse(text.as_bytes()).unwrap().decrypt(&identities("alice")).unwrap()
    };
    let mut ours = with_field("of_ours");
    ours.merge(Some(&open(&base)), &with_field("of_theirs")).unwrap();
    let text = ours.encrypt().unwrap().to_string();
    assert!(text.contains("of_ours") && text.contains("of_theirs"), "{text}");
}

#[test]
fn array_items_around_a_change_keep_their_text() {
    let before = seal(r#"{"l": ["a", "b", "c", "d"]}"#);
    let leaves = |sealed: &EncryptedDocument| sealed.tree().get("l").and_then(Value::as_array).unwrap().to_vec();
    let old = leaves(&before);
    let new = leaves(&edited(&before, r#"{"l": ["a", "new", "b", "c", "d"]}"#).encrypt().unwrap());
    assert_eq!((&new[0], &new[2..]), (&old[0], &old[1..]));
    assert!(!old.contains(&new[1]));
    let new = leaves(&edited(&before, r#"{"l": ["b", "c", "d"]}"#).encrypt().unwrap());
    assert_eq!(new, old[1..]);
    let new = leaves(&edited(&before, r#"{"l": ["d", "c", "b", "a"]}"#).encrypt().unwrap());
    assert!(new.iter().all(|leaf| !old.contains(leaf)), "an item that moves is another one");
    let new = leaves(&edited(&before, r#"{"l": ["a", "a", "b", "c", "d"]}"#).encrypt().unwrap());
    assert_ne!(new[0], new[1], "equal items never share a nonce");
}
