//! Inputs to begin with, made of the fixtures of the repository.

use std::fs;
use std::path::{Path, PathBuf};

use sopskit::{EncryptedDocument, Identities};

use crate::reference::json::{Json, parse, write};
use crate::service::{ClearKeys, recipients};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures");

/// The inputs for a target.
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    match target {
        "document" => documents(),
        "leaf" => documents().iter().flat_map(|document| leaves(document)).chain(typed_leaves()).collect(),
        "metadata" => documents().iter().filter_map(|document| Some(text(parse(document)?.get("sops")?))).collect(),
        "config" => configs(),
        "key_path" => documents().iter().flat_map(|document| paths(document)).chain(key_paths()).collect(),
        "round_trip" => plaintexts().iter().flat_map(|plain| round_trips(plain)).collect(),
        // It grows its own documents; any bytes do.
        "differential" => (0..64).map(growth).collect(),
        _ => Vec::new(),
    }
}

fn text(value: &Json) -> Vec<u8> {
    write(value, &mut || 0).into_bytes()
}

/// The files of a folder and of all below it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else { return found };
    let mut entries: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

fn named(names: &[&str]) -> Vec<(PathBuf, Vec<u8>)> {
    let is_named = |path: &PathBuf| path.file_name().is_some_and(|name| names.iter().any(|known| *known == name));
    let small = |path: PathBuf| fs::read(&path).ok().filter(|bytes| bytes.len() <= 8192).map(|bytes| (path, bytes));
    files(Path::new(FIXTURES)).into_iter().filter(is_named).filter_map(small).collect()
}

/// What sops wrote, the same with its data key in clear, and what must be refused.
fn documents() -> Vec<Vec<u8>> {
    let alice = fs::read_to_string(format!("{FIXTURES}/keys/alice.txt")).ok();
    let alice = alice.and_then(|text| Identities::parse(&text).ok());
    let mut found = Vec::new();
    for (_, bytes) in named(&["sealed.json", "input.json"]) {
        if let (Some(alice), Ok(sealed)) = (&alice, EncryptedDocument::parse(&bytes)) {
            let rekeyed = sealed.decrypt(alice).ok().and_then(|mut document| {
                document.rotate_for(&recipients(), &ClearKeys).ok()?;
                document.encrypt_to_text().ok()
            });
            found.extend(rekeyed.map(String::into_bytes));
        }
        found.push(bytes);
    }
    found
}

fn leaves(document: &[u8]) -> Vec<Vec<u8>> {
    fn collect(value: &Json, found: &mut Vec<Vec<u8>>) {
        match value {
            Json::Text(text) => found.push([b"\0\0", text.as_bytes()].concat()),
            Json::Array(items) => items.iter().take(3).for_each(|item| collect(item, found)),
            Json::Object(members) => members.iter().for_each(|(_, value)| collect(value, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    if let Some(document) = parse(document) {
        collect(&document, &mut found);
    }
    found.truncate(4);
    found
}

/// Authentic leaves of each type, at each place.
fn typed_leaves() -> Vec<Vec<u8>> {
    let kinds = ["str", "int", "float", "bool", "bytes", "time", "comment"];
    let plain = ["x", "12", "1.5", "True", "\u{e9}", "2026-01-02T03:04:05Z", "note"];
    (0..5)
        .flat_map(|place| {
            kinds.iter().flat_map(move |kind| {
                plain.map(|plain| [&[place, 1], kind.as_bytes(), b"\0", plain.as_bytes()].concat())
            })
        })
        .collect()
}

fn configs() -> Vec<Vec<u8>> {
    let configs = named(&["sops.yaml"]).into_iter();
    configs
        .map(|(path, text)| {
            let looked_up = fs::read_to_string(path.with_file_name("path")).unwrap_or_default();
            [format!("/repo/{}\0", looked_up.trim_end()).as_bytes(), &text].concat()
        })
        .collect()
}

/// The paths of the leaves of a document.
fn paths(document: &[u8]) -> Vec<Vec<u8>> {
    fn collect(value: &Json, path: &str, found: &mut Vec<Vec<u8>>) {
        match value {
            Json::Object(members) => members.iter().take(8).for_each(|(key, value)| {
                let key: sopskit::KeyPath = [sopskit::Segment::from(key.as_str())].into_iter().collect();
                collect(value, &format!("{path}{key}"), found);
            }),
            Json::Array(items) => {
                items
                    .iter()
                    .take(2)
                    .enumerate()
                    .for_each(|(index, item)| collect(item, &format!("{path}[{index}]"), found));
            }
            _ => found.push(path.as_bytes().to_vec()),
        }
    }
    let mut found = Vec::new();
    if let Some(Json::Object(members)) = parse(document) {
        let members = members.into_iter().filter(|(key, _)| key != "sops").collect();
        collect(&Json::Object(members), "", &mut found);
    }
    found
}

fn key_paths() -> Vec<Vec<u8>> {
    let texts = [
        r#"["a"]["b"][0]"#,
        r"['a'][12]",
        r#"["C:\dir"]"#,
        r#"["a\u0041\"]["#,
        r#"["a"b"]"#,
        r#"["\u+041"]"#,
        "[99999999999999999999]",
    ];
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

fn plaintexts() -> Vec<Vec<u8>> {
    named(&["plain.json", "decrypted.json", "decrypted.bin"]).into_iter().map(|(_, bytes)| bytes).collect()
}

/// A plaintext as an input of the target, as JSON and as a binary file: behind the bytes that choose.
fn round_trips(plain: &[u8]) -> Vec<Vec<u8>> {
    let with = |form: u8, fill: u8| {
        let mut input = vec![fill; crate::CHOICES];
        input[0] = form;
        [&input, plain].concat()
    };
    vec![with(2, 0), with(2, 0xa5), with(1, 0x5a), with(0, 0x33)]
}

/// Bytes that look random.
fn growth(number: u64) -> Vec<u8> {
    let mut state = number + 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..64 * (1 + number % 8)).map(|_| next()).collect()
}
