//! `sopskit diff` and `sopskit textconv`: what differs, by key paths.

use std::path::Path;

use sopskit::{
    Difference, Document, EncryptedDocument, ErrorKind, Format, Identities, Indent, KeyChanges, KeyPath, Map,
    Recipients, Segment, Value,
};

use crate::args::{Diff, Global, Textconv};
use crate::exit::{self, Failure};
use crate::files::{beginning, lines_of, named, print, read_sealed};
use crate::keys;

/// How an encrypted value begins.
const SEALED: &str = "ENC[";
/// How long the keys on the way to a value may be together, in bytes.
const MAX_PATH: usize = 64 * 1024;
/// How much of the tag of an encrypted value is shown: enough to tell two apart.
const MARK: usize = 12;

pub(crate) fn diff(command: &Diff, global: &Global) -> Result<(), Failure> {
    let (Some(old_file), Some(new_file)) = (&command.old, &command.new) else {
        return Err(Failure::new(exit::NO_FILE, "it takes two files"));
    };
    let identities = keys::identities(global);
    let old = open(old_file, &identities)?;
    let new = open(new_file, &identities)?;
    let mut lines = vec![format!("--- {}", old_file.display()), format!("+++ {}", new_file.display())];
    lines.extend(metadata(&old, &new));
    for difference in old.differences(&new) {
        lines.push(line(&difference, command.show)?);
    }
    if lines.len() == 2 {
        return Ok(());
    }
    print(lines_of(lines).as_bytes())?;
    if command.exit_code { Err(Failure::silent(exit::GENERIC)) } else { Ok(()) }
}

fn open(file: &Path, identities: &Identities) -> Result<Document, Failure> {
    Ok(read_sealed(file)?.decrypt(identities).map_err(|error| error.in_file(file))?)
}

/// What differs beside the values.
fn metadata(old: &Document, new: &Document) -> Vec<String> {
    let [before, after] = [old, new].map(|document| Recipients::of(document.metadata()));
    let changes = KeyChanges::between(&before, &after);
    let mut lines: Vec<_> = changes.removed.iter().map(|key| format!("- sops: {key}")).collect();
    lines.extend(changes.added.iter().map(|key| format!("+ sops: {key}")));
    if lines.is_empty() && before != after {
        lines.push(String::from("~ sops: the key groups"));
    }
    let [before, after] = [old, new].map(|document| document.metadata().rule().to_string());
    if before != after {
        lines.push(format!("~ sops: {} is now {}", beginning(&before), beginning(&after)));
    }
    lines
}

fn line(difference: &Difference, show: bool) -> Result<String, Failure> {
    Ok(match difference {
        Difference::Added(path, value) => format!("+ {path}: {}", shown(value, show)?),
        Difference::Removed(path, value) => format!("- {path}: {}", shown(value, show)?),
        Difference::Changed(path, old, new) => format!("~ {path}: {} is now {}", shown(old, show)?, shown(new, show)?),
        _ => String::from("~"),
    })
}

/// A value, or what kind it is.
fn shown(value: &Value, show: bool) -> Result<String, Failure> {
    let kind = match value {
        Value::Null => return Ok(String::from("null")),
        Value::Bool(_) => "a boolean",
        Value::Int(_) | Value::Float(_) => "a number",
        Value::Text(_) => "a string",
        Value::Bytes(_) => return Ok(String::from("bytes")),
        Value::Comment(_) => "a comment",
        Value::Array(items) if items.is_empty() => return Ok(String::from("[]")),
        Value::Array(_) => "an array",
        Value::Object(map) if map.is_empty() => return Ok(String::from("{}")),
        Value::Object(_) => "an object",
    };
    if !show {
        return Ok(kind.to_owned());
    }
    // As an item of an array, so that a string has its quotes.
    let json = Format::Json.write_value(&Value::from(vec![value.clone()]), Indent::Spaces(0))?;
    let text = String::from_utf8_lossy(&json);
    let inside = text.trim().strip_prefix('[').and_then(|inside| inside.strip_suffix(']')).unwrap_or_default();
    Ok(inside.lines().map(str::trim).collect::<Vec<_>>().join(" ").trim().to_owned())
}

/// A line for each leaf, for `git diff`. What is not encrypted is printed as it is: that is no news to git.
pub(crate) fn textconv(command: &Textconv, global: &Global) -> Result<(), Failure> {
    let file = named(command.file.as_deref())?;
    let bytes = sopskit::read_file(file)?;
    let sealed = match EncryptedDocument::parse(&bytes) {
        Ok(sealed) => sealed,
        // A commit from before the file was encrypted, or a conflict in it.
        Err(error) if error.kind() == ErrorKind::NoMetadata || error.position().is_some() => return print(&bytes),
        Err(error) => return Err(error.in_file(file).into()),
    };
    let mut lines = Vec::new();
    let mut path = Vec::new();
    if command.show {
        let document = sealed.decrypt(&keys::identities(global)).map_err(|error| error.in_file(file))?;
        leaves(document.tree(), &mut path, &mut |path, value| {
            lines.push(format!("{path}: {}", shown(value, true)?));
            Ok(())
        })?;
    } else {
        leaves(sealed.tree(), &mut path, &mut |path, value| {
            lines.push(format!("{path}: {}", as_sealed(value)?));
            Ok(())
        })?;
    }
    lines.push(format!("rule: {}", beginning(&sealed.metadata().rule().to_string())));
    lines.extend(sealed.metadata().key_groups().flatten().map(|wrapped| format!("opens with: {}", wrapped.key())));
    print(lines_of(lines).as_bytes())
}

/// An encrypted value by its type and a part of its tag: as long as a value does not change, neither do these.
fn as_sealed(value: &Value) -> Result<String, Failure> {
    match value.as_str() {
        Some(text) if text.starts_with(SEALED) => {
            let after = |mark: &str| text.split_once(mark).map(|(_, rest)| rest).unwrap_or_default();
            let tag: String = after(",tag:").chars().take(MARK).collect();
            let kind = after(",type:").trim_end_matches(']');
            let is_sound = kind.len() < MARK && kind.chars().all(|c| c.is_ascii_lowercase());
            let is_sound = is_sound && tag.chars().all(|c| c.is_ascii_alphanumeric() || ['+', '/', '='].contains(&c));
            Ok(if is_sound { format!("encrypted {kind} {tag}") } else { String::from("malformed") })
        }
        _ => shown(value, true),
    }
}

type Tell<'a> = dyn FnMut(&KeyPath, &Value) -> Result<(), Failure> + 'a;

fn leaves(map: &Map, path: &mut Vec<Segment>, tell: &mut Tell<'_>) -> Result<(), Failure> {
    map.iter().try_for_each(|(key, value)| {
        path.push(Segment::Key(key.to_owned()));
        leaf(value, path, tell)?;
        path.pop();
        Ok(())
    })
}

fn leaf(value: &Value, path: &mut Vec<Segment>, tell: &mut Tell<'_>) -> Result<(), Failure> {
    // Each leaf is told with all keys on the way to it.
    let length = |segment: &Segment| if let Segment::Key(key) = segment { key.len() } else { 0 };
    if path.iter().map(length).sum::<usize>() > MAX_PATH {
        return Err(Failure::new(exit::GENERIC, "the keys on the way to a value are longer than 64 KiB together"));
    }
    match value {
        Value::Object(map) if !map.is_empty() => leaves(map, path, tell),
        Value::Array(items) if !items.is_empty() => items.iter().enumerate().try_for_each(|(index, item)| {
            path.push(Segment::Index(index));
            leaf(item, path, tell)?;
            path.pop();
            Ok(())
        }),
        value => tell(&path.iter().cloned().collect(), value),
    }
}
