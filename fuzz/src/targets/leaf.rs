//! One leaf: as a text that may be anything, and as an authentic one whose type and plaintext may be anything.

use sopskit::{EncryptedDocument, Error, Format, Indent, Value};

use super::document::KEY;
use crate::checks::{check_error, check_sealed};
use crate::reference::json::{Json, write};
use crate::reference::{Plain, leaf_text, mend, open};
use crate::service::{ClearKeys, hex};

/// Where the leaf stands, by the first byte of the input; below `leaf` in the first four places.
const PLACES: u8 = 5;

/// The first byte chooses the place, the second whether what follows is the text of a leaf, or a type and behind a NUL the plaintext of a leaf.
pub fn leaf(data: &[u8]) {
    let [place, form, rest @ ..] = data else { return };
    let place = place % PLACES;
    let is_mac = place == PLACES - 1;
    let text = match form % 2 {
        0 => String::from_utf8_lossy(rest).into_owned(),
        _ => {
            let split = rest.iter().position(|byte| *byte == 0).unwrap_or(rest.len());
            let (kind, plain) = (String::from_utf8_lossy(&rest[..split]), rest.get(split + 1..).unwrap_or_default());
            let additional_data = if is_mac { TIME } else { "leaf:" };
            leaf_text(&KEY, &[3; 32], plain, additional_data.as_bytes(), &kind)
        }
    };
    let file = file(place, &text);
    let bytes = write(&file, &mut || 0).into_bytes();
    let opened = check_sealed(&bytes);
    if let Err(error) = &opened {
        check_error(error, bytes.len());
        let quotes = |error: &Error| error.to_string().contains(&text);
        // The text can be that of the message itself.
        let says_it_anyway = || {
            check_sealed(&write(&self::file(place, "another"), &mut || 0).into_bytes())
                .is_err_and(|error| quotes(&error))
        };
        assert!(text.len() < 24 || !quotes(error) || says_it_anyway(), "the text of a leaf in an error");
    }
    let by_reference = open(&bytes);
    assert_eq!(opened.is_ok(), by_reference.is_ok(), "{:?} and {by_reference:?}", opened.map(drop));
    if !is_mac {
        check_clear(rest);
    }
}

const TIME: &str = "2026-01-02T03:04:05Z";

fn file(place: u8, text: &str) -> Json {
    let string = |text: &str| Json::Text(text.to_owned());
    let object = |members: Vec<(&str, Json)>| {
        Json::Object(members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    };
    let key = object(vec![("fp", string("01")), ("enc", string(&hex(&KEY)))]);
    let mut fields =
        vec![("lastmodified", string(TIME)), ("version", string("3.13.2")), ("pgp", Json::Array(vec![key]))];
    let leaf = match place {
        0 => string(text),
        1 => Json::Array(vec![string(text), string(text)]),
        2 => Json::Array(vec![Json::Array(vec![string(text)])]),
        3 => Json::Array(vec![Json::Null, string(text), Json::Null]),
        _ => string(""),
    };
    if place == PLACES - 1 {
        fields.push(("mac", string(text)));
    }
    let mut file = object(vec![("leaf", leaf), ("sops", object(fields))]);
    if place != PLACES - 1 {
        mend(&mut file, &[9; 32]);
    }
    file
}

/// The bytes as a value in clear, which is sealed and comes back.
fn check_clear(bytes: &[u8]) {
    let tree = Format::Binary.parse(bytes).expect("a binary file has no faults");
    let options = sopskit::EncryptOptions::new().format(Format::Binary);
    let sealed =
        options.encrypt_with(tree, &crate::service::recipients(), &ClearKeys).expect("bytes can be sealed").to_string();
    let opened = EncryptedDocument::parse(sealed.as_bytes())
        .and_then(|sealed| sealed.decrypt(&ClearKeys))
        .expect("what was sealed opens");
    assert_eq!(*opened.to_bytes(Format::Binary).expect("it is a binary file"), *bytes);
    let expected = String::from_utf8(bytes.to_vec()).map_or_else(|_| Plain::Bytes(bytes.to_vec()), Plain::Text);
    assert_eq!(open(sealed.as_bytes()), Ok(Plain::Object(vec![("data".to_owned(), expected)])));
    let value = opened.tree().get("data").map(|value| Format::Json.write_value(value, Indent::Tab));
    assert!(value.is_some_and(|written| written.is_ok_and(|written| *written == *bytes)), "another value");
    assert!(matches!(opened.tree().get("data"), Some(Value::Text(_) | Value::Bytes(_))));
}
