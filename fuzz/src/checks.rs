//! What must hold of whatever comes out, for every target.

use sopskit::{Document, EncryptedDocument, Error, ErrorKind, Format, Indent, Map, Result, Value};

use crate::service::ClearKeys;

/// An error is one line (but for the list of keys of a file that nothing opens), and not longer than what was read accounts for.
pub fn check_error(error: &Error, input: usize) {
    for shown in [error.to_string(), format!("{error:?}")] {
        assert!(shown.len() <= 4096 + 16 * input, "an error of {} bytes for an input of {input}", shown.len());
        let is_list = error.kind() == ErrorKind::NoMatchingIdentity;
        let control = shown.chars().find(|c| c.is_control() && !(is_list && *c == '\n'));
        assert_eq!(control, None, "a control character in {shown:?}");
    }
    assert_eq!(error.path(), error.path().to_string().parse().expect("the path of an error is one"));
}

/// Two ways to one end: the same answer, or the same refusal at the same place.
#[track_caller]
pub fn assert_same<T: PartialEq>(one: &Result<T>, other: &Result<T>, what: &str) {
    match (one, other) {
        (Ok(one), Ok(other)) => assert!(one == other, "{what}: two answers"),
        (Err(one), Err(other)) => assert_eq!(place(one), place(other), "{what}: {one} and {other}"),
        (Ok(_), Err(error)) | (Err(error), Ok(_)) => panic!("{what}: only one way takes it, the other says {error}"),
    }
}

fn place(error: &Error) -> (ErrorKind, String) {
    (error.kind(), error.path().to_string())
}

/// An encrypted text, read and opened in every way there is. The document, if it is authentic.
pub fn check_sealed(bytes: &[u8]) -> Result<Document> {
    let sealed = EncryptedDocument::parse(bytes).inspect_err(|error| check_error(error, bytes.len()))?;
    check_spelling(&sealed);
    let _ = format!("{sealed:?}");
    sealed.inspect().faults().iter().for_each(|error| check_error(error, bytes.len()));
    let opened = sealed.decrypt(&ClearKeys);
    opened.iter().for_each(|document| check_document(&sealed, document));
    check_unverified(&sealed, &opened, bytes.len());
    opened
}

/// What is written can be read, and is written alike again.
fn check_spelling(sealed: &EncryptedDocument) {
    let text = sealed.to_string();
    let again = EncryptedDocument::parse(text.as_bytes()).expect("what was written can be read");
    assert_same_map(sealed.tree(), again.tree());
    assert_eq!(again.to_string(), text);
    let (one, other) = (sealed.metadata(), again.metadata());
    assert_eq!(one.rule().to_string(), other.rule().to_string());
    assert_eq!(one.version(), other.version());
    assert_eq!(one.last_modified(), other.last_modified());
    assert_eq!(one.mac_only_encrypted(), other.mac_only_encrypted());
    assert_eq!(one.shamir_threshold(), other.shamir_threshold());
    let keys = |metadata: &sopskit::Metadata| -> Vec<_> {
        metadata.key_groups().flatten().map(|wrapped| (wrapped.key().clone(), wrapped.enc().to_owned())).collect()
    };
    assert_eq!(keys(one), keys(other));
}

/// All that opens a file agrees, and without a look at the MAC only the MAC is not looked at.
fn check_unverified(sealed: &EncryptedDocument, opened: &Result<Document>, input: usize) {
    let two_steps = match opened {
        Ok(document) => Format::Json.write(document.tree(), Indent::Tab),
        Err(error) => {
            check_error(error, input);
            Err(sealed.decrypt(&ClearKeys).expect_err("it was refused a moment ago"))
        }
    };
    let one_step = sealed.decrypt_to_bytes(&ClearKeys, Format::Json, Indent::Tab);
    assert_same(&two_steps, &one_step, "decrypt_to_bytes");

    let unverified = sealed.decrypt_ignoring_mac(&ClearKeys);
    match (opened, &unverified) {
        (Ok(document), Ok(unverified)) => assert!(document.tree() == unverified.tree(), "another tree without the MAC"),
        (Err(error), Ok(_)) => assert!(
            matches!(error.kind(), ErrorKind::MacMissing | ErrorKind::MacNotAuthentic | ErrorKind::MacMismatch),
            "{error}"
        ),
        (Ok(_), Err(error)) => panic!("refused without a look at the MAC only: {error}"),
        (Err(one), Err(other)) => assert_eq!(place(one), place(other)),
    }
    // What is encrypted again has a MAC that fits.
    let Ok(document) = &unverified else { return };
    if let Ok(again) = document.encrypt() {
        let again = again.decrypt(&ClearKeys).expect("what was encrypted opens");
        assert!(again.tree() == document.tree(), "another tree after it was repaired");
    }
}

/// An authentic document can be encrypted again as it is, and keeps its leaves; and under a new data key.
fn check_document(sealed: &EncryptedDocument, document: &Document) {
    let Ok(again) = document.encrypt() else { return };
    assert!(again.tree() == sealed.tree(), "a leaf did not keep its text");
    let text = document.encrypt_to_text().expect("what can be encrypted can be encrypted to a text");
    let one_step = EncryptedDocument::parse(text.as_bytes()).expect("what was written can be read");
    assert_same_map(sealed.tree(), one_step.tree());
    let mut rotated = again.decrypt(&ClearKeys).expect("what was encrypted opens");
    if rotated.rotate_with(&ClearKeys).is_ok() {
        let rotated = rotated.encrypt().expect("what was encrypted can be encrypted anew");
        let rotated = rotated.decrypt(&ClearKeys).expect("what was rotated opens");
        assert!(rotated.tree() == document.tree(), "another tree after a rotation");
    }
}

/// A plaintext: what is read is written so that it is read alike.
pub fn check_plain(bytes: &[u8]) -> Result<Map> {
    let tree = Format::Json.parse(bytes).inspect_err(|error| check_error(error, bytes.len()))?;
    let written = Format::Json
        .write(&tree, Indent::Spaces(bytes.first().map_or(0, |byte| byte % 9)))
        .expect("JSON can be written");
    let again = Format::Json.parse(&written).expect("what was written can be read");
    assert_same_map(&tree, &again);
    let value: Value = std::str::from_utf8(bytes).expect("it was read").parse().expect("an object is a value");
    assert!(value.as_object() == Some(&tree), "a value that is not the tree");
    Ok(tree)
}

/// The same tree, but that a float without a fraction comes back as the integer that it is written as, and bytes that are text as text.
#[track_caller]
pub fn assert_same_map(one: &Map, other: &Map) {
    assert_eq!(one.len(), other.len());
    for ((key, one), (other_key, other)) in one.iter().zip(other.iter()) {
        assert_eq!(key, other_key);
        assert_same_value(one, other);
    }
}

#[track_caller]
fn assert_same_value(one: &Value, other: &Value) {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => assert_same_map(one, other),
        (Value::Array(one), Value::Array(other)) => {
            assert_eq!(one.len(), other.len());
            one.iter().zip(other).for_each(|(one, other)| assert_same_value(one, other));
        }
        (Value::Float(float), Value::Int(integer)) => assert_eq!(float.to_string(), integer.to_string()),
        (Value::Bytes(bytes), Value::Text(text)) => assert_eq!(bytes.as_bytes(), text.as_str().as_bytes()),
        (one, other) => assert!(one == other, "{one:?} came back as {other:?}, or as another of it"),
    }
}
