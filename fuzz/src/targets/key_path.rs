//! Key paths.

use arbitrary::Unstructured;
use sopskit::{Document, ErrorKind, KeyPath, Map, Segment};

use super::grow;
use crate::checks::check_error;
use crate::service::{ClearKeys, recipients};

/// Any text as a path, and any keys and indexes.
pub fn key_path(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match text.parse::<KeyPath>() {
        Ok(path) => {
            check(&path);
            check_edit(&path, data.len());
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::InvalidPath);
            check_error(&error, data.len());
        }
    }
    let _ = segments(&mut Unstructured::new(data)).map(|path| {
        check(&path);
        check_edit(&path, data.len());
    });
}

fn segments(u: &mut Unstructured<'_>) -> arbitrary::Result<KeyPath> {
    let mut segments = Vec::new();
    while !u.is_empty() && segments.len() < 200 {
        segments.push(match u.arbitrary::<u8>()? % 4 {
            0 => Segment::Index(u.arbitrary()?),
            1 => Segment::Index(0),
            _ => Segment::Key(grow::key(u)?),
        });
    }
    Ok(segments.into_iter().collect())
}

fn check(path: &KeyPath) {
    let text = path.to_string();
    let again: KeyPath = text.parse().expect("the text of a path is one");
    assert_eq!(again, *path);
    assert_eq!(again.to_string(), text);
    assert!(!text.chars().any(char::is_control), "{text:?}");
    assert_eq!(path.segments().iter().cloned().collect::<KeyPath>(), *path);
}

/// What is set at a path is there, and gone when it is unset.
fn check_edit(path: &KeyPath, input: usize) {
    let mut document =
        Document::with_key_service(Map::new(), &recipients(), &sopskit::EncryptOptions::new(), &ClearKeys)
            .expect("an empty document");
    let before = document.tree().clone();
    match document.set(path.clone(), "value") {
        Ok(changed) => {
            assert!(changed);
            assert_eq!(document.get(path.clone()).expect("it was set").as_str(), Some("value"));
            assert!(!document.set(path.clone(), "value").expect("it can be set again"));
            document.unset(path.clone()).expect("it is there");
            assert_eq!(document.get(path.clone()).expect_err("it was unset").kind(), ErrorKind::PathNotFound);
        }
        Err(error) => {
            check_error(&error, input);
            assert!(document.tree() == &before, "a refused edit changed the tree");
        }
    }
}
