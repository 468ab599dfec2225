//! sopskit against the reference.

use arbitrary::Unstructured;
use sopskit::{
    Document, EncryptOptions, EncryptedDocument, Error, ErrorKind, Format, Indent, Map, Recipients, Rule, Segment,
    Value,
};

use super::{edits, grow};
use crate::checks::check_error;
use crate::reference::json;
use crate::reference::{FIELDS, Fault, Plain, Settings, Step, mend, open, seal, tree};
use crate::service::{ClearKeys, master_key, recipients};

/// A plaintext and settings grow from the input. One of the two seals, edits are made, and both open: they agree on the plaintext, or on what is at fault and where.
pub fn differential(data: &[u8]) {
    let _ = run(&mut Unstructured::new(data));
}

fn run(u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let mut state: u64 = u.arbitrary::<u32>()?.into();
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    let spelling: u8 = u.arbitrary()?;
    let mut spell = {
        let mut state = spelling;
        move || {
            state = state.wrapping_mul(197).wrapping_add(if spelling == 0 { 0 } else { 71 });
            state
        }
    };
    let settings = settings(u, &mut random)?;
    let by_sopskit = u.arbitrary()?;
    let edits = u.int_in_range(0..=5)?;
    let is_mended = u.ratio(3, 4)?;
    let plain = grow::json(u)?;

    let by_reference = seal(&plain, &settings, &mut random);
    let text = json::write(&plain, &mut spell);
    let sealed = seal_by_sopskit(&text, &settings);
    assert_eq!(by_reference.is_some(), sealed.is_ok(), "{by_reference:?} and {sealed:?} for {text}");
    let (Some(by_reference), Ok(sealed)) = (by_reference, sealed) else { return Ok(()) };
    compare(sealed.as_bytes(), tree(&plain));
    compare(json::write(&by_reference, &mut spell).as_bytes(), tree(&plain));

    let mut file =
        if by_sopskit { json::parse(sealed.as_bytes()).expect("it was read a moment ago") } else { by_reference };
    for _ in 0..edits {
        edits::edit(&mut file, u, &mut random)?;
    }
    if is_mended {
        mend(&mut file, &crate::reference::iv(&mut random));
    }
    let mut text = json::write(&file, &mut spell).into_bytes();
    if u.ratio(1, 8)? {
        let at = u.choose_index(text.len())?;
        match u.int_in_range(0..=2)? {
            0 => text.insert(at, u.arbitrary()?),
            1 => text[at] = u.arbitrary()?,
            _ => text.truncate(at),
        }
    }
    compare(&text, None);
    Ok(())
}

fn settings(u: &mut Unstructured<'_>, random: &mut impl FnMut() -> u8) -> arbitrary::Result<Settings> {
    let rule = match u.int_in_range(0..=2)? {
        0 => None,
        _ => {
            let field = *u.choose(&FIELDS)?;
            let text = if field.ends_with("_regex") { grow::regex(u)? } else { grow::key(u)? };
            // An empty one is no rule.
            Some((field, text)).filter(|(_, text)| !text.is_empty())
        }
    };
    let groups = if u.ratio(1, 4)? { u.int_in_range(2..=4)? } else { 1 };
    let threshold = if groups == 1 { 1 } else { u.int_in_range(2..=groups)? };
    Ok(Settings {
        key: crate::reference::iv(random),
        rule,
        mac_only_encrypted: u.ratio(1, 4)?,
        last_modified: "2026-01-02T03:04:05Z".to_owned(),
        groups: (groups, threshold),
    })
}

fn seal_by_sopskit(plain: &str, settings: &Settings) -> sopskit::Result<String> {
    let rule = match &settings.rule {
        None => Rule::default(),
        Some(("unencrypted_suffix", text)) => Rule::unencrypted_suffix(text),
        Some(("encrypted_suffix", text)) => Rule::encrypted_suffix(text),
        Some(("unencrypted_regex", text)) => Rule::unencrypted_regex(text)?,
        Some(("encrypted_regex", text)) => Rule::encrypted_regex(text)?,
        Some(("unencrypted_comment_regex", text)) => Rule::unencrypted_comment_regex(text)?,
        Some((_, text)) => Rule::encrypted_comment_regex(text)?,
    };
    let keys = match settings.groups {
        (1, _) => recipients(),
        (groups, threshold) => {
            let groups: Vec<_> =
                (1..=groups).map(|number| Recipients::from_keys([master_key(number)])).collect::<Result<_, _>>()?;
            Recipients::from_groups(groups, Some(threshold))?
        }
    };
    let options = EncryptOptions::new().rule(rule).mac_only_encrypted(settings.mac_only_encrypted);
    let tree = Format::Json.parse(plain.as_bytes())?;
    Document::with_key_service(tree, &keys, &options, &ClearKeys)?.encrypt_to_text()
}

/// Both open a file, and agree. With `expected` both must open it, to this.
fn compare(bytes: &[u8], expected: Option<Plain>) {
    let by_reference = open(bytes);
    let by_sopskit = EncryptedDocument::parse(bytes)
        .and_then(|sealed| sealed.decrypt(&ClearKeys).map(|document| (sealed, document)));
    let shown = || String::from_utf8_lossy(bytes);
    match (&by_reference, &by_sopskit) {
        (Ok(plain), Ok((sealed, document))) => {
            assert_eq!(*plain, of_map(document.tree()), "two plaintexts of {}", shown());
            // What is expected is opened once more, after the edits: there are often none.
            if expected.is_none() {
                check_again(plain, sealed, document);
            }
        }
        (Err(Fault { step: Step::Unknown, .. }), _) => {}
        (Err(fault), Err(error)) => {
            check_error(error, bytes.len());
            assert_eq!(*fault, fault_of(error), "{error} for {}", shown());
        }
        (one, other) => panic!("{one:?} and {:?} for {}", other.as_ref().map(|_| "taken"), shown()),
    }
    if let Some(expected) = expected {
        assert_eq!(by_reference, Ok(expected), "what was sealed is not what is in {}", shown());
    }
}

/// What sopskit writes of a document that both could open, the reference opens too.
fn check_again(plain: &Plain, sealed: &EncryptedDocument, document: &Document) {
    match sealed.decrypt_to_bytes(&ClearKeys, Format::Json, Indent::Tab) {
        Ok(text) => {
            let read = json::parse(&text).as_ref().and_then(tree);
            assert_eq!(read, Some(without_comments(plain)), "{}", String::from_utf8_lossy(&text));
        }
        Err(error) => assert!(error.kind() == ErrorKind::NotRepresentable && !is_json(plain), "{error} for {plain:?}"),
    }
    let Ok(again) = document.encrypt_to_text() else { return };
    assert_eq!(open(again.as_bytes()).as_ref(), Ok(plain), "encrypted again: {again}");
}

/// Whether JSON can spell it: there are no bytes in it, and comments in lists only.
fn is_json(plain: &Plain) -> bool {
    match plain {
        Plain::Bytes(_) | Plain::Comment(_) => false,
        Plain::Array(items) => items.iter().all(|item| matches!(item, Plain::Comment(_)) || is_json(item)),
        Plain::Object(members) => members.iter().all(|(_, value)| is_json(value)),
        _ => true,
    }
}

/// Comments of lists stay in the encrypted file only.
fn without_comments(plain: &Plain) -> Plain {
    match plain {
        Plain::Array(items) => {
            Plain::Array(items.iter().filter(|item| !matches!(item, Plain::Comment(_))).map(without_comments).collect())
        }
        Plain::Object(members) => {
            Plain::Object(members.iter().map(|(key, value)| (key.clone(), without_comments(value))).collect())
        }
        plain => plain.clone(),
    }
}

fn of_map(map: &Map) -> Plain {
    Plain::Object(map.iter().map(|(key, value)| (key.to_owned(), of_value(value))).collect())
}

fn of_value(value: &Value) -> Plain {
    match value {
        Value::Null => Plain::Null,
        Value::Bool(value) => Plain::Bool(*value),
        Value::Int(number) => Plain::Number(number.to_string()),
        Value::Float(number) => Plain::Number(number.to_string()),
        Value::Text(text) => Plain::Text(text.as_str().to_owned()),
        Value::Bytes(bytes) => Plain::Bytes(bytes.as_bytes().to_vec()),
        Value::Comment(text) => Plain::Comment(text.as_str().to_owned()),
        Value::Array(items) => Plain::Array(items.iter().map(of_value).collect()),
        Value::Object(map) => of_map(map),
    }
}

fn fault_of(error: &Error) -> Fault {
    use ErrorKind::{
        ConflictingRules, InvalidMetadata, InvalidRegex, LeafNotAuthentic, LeafValue, MacMismatch, MacMissing,
        MacNotAuthentic, MalformedLeaf, NoMatchingIdentity, NoMetadata, NotEncrypted, UnknownLeafType,
    };
    let step = match error.kind() {
        NoMetadata | ConflictingRules | InvalidRegex => Step::Metadata,
        // What the master keys wrap is part of the metadata, and has no field of its own.
        InvalidMetadata if error.path().is_empty() => Step::Keys,
        InvalidMetadata => Step::Metadata,
        NoMatchingIdentity => Step::Keys,
        MalformedLeaf | UnknownLeafType | NotEncrypted | LeafNotAuthentic | LeafValue => Step::Leaf,
        MacMissing | MacNotAuthentic | MacMismatch => Step::Mac,
        _ => Step::Text,
    };
    let path: Vec<Segment> = if step == Step::Leaf { error.path().segments().to_vec() } else { Vec::new() };
    Fault { step, path }
}
