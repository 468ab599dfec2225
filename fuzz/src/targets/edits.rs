//! Edits of an encrypted file, such as somebody without the data key (and some that only somebody with it) could make.

use aes_gcm::aead::consts::U12;
use arbitrary::{Result, Unstructured};
use sopskit::Segment;

use super::grow;
use crate::reference::json::Json;
use crate::reference::{FIELDS, additional_data, data_key, iv, leaf_text, leaf_text_with};

const KINDS: [&str; 10] = ["str", "int", "float", "bool", "bytes", "time", "comment", "Str", "", "null"];

/// Plaintexts that are at the edge of some type.
const PLAINTEXTS: [&str; 40] = [
    "",
    "0",
    "-0",
    "+5",
    "007",
    "5 ",
    " 5",
    "5.0",
    "5",
    "1e3",
    ".5",
    "5.",
    "1_000",
    "9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "1e400",
    "-1e-400",
    "0.1000000000000000055",
    "True",
    "true",
    "TRUE",
    "t",
    "T",
    "tRUE",
    "f",
    "False",
    "yes",
    "2026-01-02T03:04:05Z",
    "2026-13-02T03:04:05Z",
    "2025-02-29T00:00:00Z",
    "-0.0",
    "1.50",
    "--5",
    "+",
    "-",
    "e5",
    "\u{e9}",
    "1E5",
];

const TIMES: [&str; 14] = [
    "2026-01-02T03:04:05Z",
    "2026-01-02T03:04:06Z",
    "2026-01-02T03:04:05+00:00",
    "2026-01-02T03:04:05.5Z",
    "2026-01-02T05:04:05+02:00",
    "2026-02-30T03:04:05Z",
    "2024-02-29T03:04:05Z",
    "0000-01-01T00:00:00Z",
    "2026-01-02T24:00:00Z",
    "2026-01-02",
    "",
    "2026-01-02T03:04:60Z",
    "9999-12-31T23:59:59Z",
    "2026-01-02T03:04:05-00:30",
];

/// Edits a file.
pub(crate) fn edit(file: &mut Json, u: &mut Unstructured<'_>, random: &mut impl FnMut() -> u8) -> Result<()> {
    match u.int_in_range(0..=19)? {
        0..=2 => seal_anew(file, u, random)?,
        3 | 4 => swap(file, u)?,
        5..=7 => change_text(file, u)?,
        8 => change_kind(file, u)?,
        9 => replace(file, u)?,
        10 => insert(file, u)?,
        11 => remove(file, u)?,
        12 => rename(file, u)?,
        13 => reorder(file, u)?,
        14 => copy(file, u)?,
        _ => change_metadata(file, u)?,
    }
    Ok(())
}

type Path = Vec<Segment>;

/// The paths of all that is in a value, without the value itself.
fn paths(value: &Json) -> Vec<Path> {
    fn collect(value: &Json, path: &mut Path, found: &mut Vec<Path>) {
        let below: Vec<(Segment, &Json)> = match value {
            Json::Object(members) => members.iter().map(|(key, value)| (key.as_str().into(), value)).collect(),
            Json::Array(items) => items.iter().enumerate().map(|(index, item)| (index.into(), item)).collect(),
            _ => Vec::new(),
        };
        for (segment, value) in below {
            path.push(segment);
            found.push(path.clone());
            collect(value, path, found);
            path.pop();
        }
    }
    let mut found = Vec::new();
    collect(value, &mut Vec::new(), &mut found);
    found
}

fn at_mut<'a>(value: &'a mut Json, path: &[Segment]) -> Option<&'a mut Json> {
    path.iter().try_fold(value, |value, segment| match (value, segment) {
        (Json::Object(members), Segment::Key(key)) => {
            members.iter_mut().find(|(name, _)| name == key).map(|(_, value)| value)
        }
        (Json::Array(items), Segment::Index(index)) => items.get_mut(*index),
        _ => None,
    })
}

/// Any place in the file, or any of those that `fits` holds for.
fn choose(file: &Json, u: &mut Unstructured<'_>, fits: impl Fn(&Json) -> bool) -> Result<Option<Path>> {
    let mut copy = file.clone();
    let mut paths = paths(file);
    paths.retain(|path| at_mut(&mut copy, path).is_some_and(|value| fits(value)));
    if paths.is_empty() {
        return Ok(None);
    }
    u.choose(&paths).map(|path| Some(path.clone()))
}

fn is_text(value: &Json) -> bool {
    matches!(value, Json::Text(_))
}

fn is_sealed(value: &Json) -> bool {
    matches!(value, Json::Text(text) if text.starts_with("ENC["))
}

fn any(_: &Json) -> bool {
    true
}

fn set(file: &mut Json, path: &[Segment], value: Json) {
    if let Some(place) = at_mut(file, path) {
        *place = value;
    }
}

/// An authentic leaf, of a type and with a plaintext that need not fit; seldom with a short nonce.
fn seal_anew(file: &mut Json, u: &mut Unstructured<'_>, random: &mut impl FnMut() -> u8) -> Result<()> {
    let Some(path) = choose(file, u, is_sealed)? else { return Ok(()) };
    let Some(key) = data_key(file) else { return Ok(()) };
    let kind = if u.ratio(15, 16)? { *u.choose(&KINDS)? } else { "x" };
    let plain = match u.int_in_range(0..=3)? {
        0 => u.bytes(u.len().min(5))?.to_vec(),
        1 => grow::number(u)?.into_bytes(),
        _ => u.choose(&PLAINTEXTS)?.as_bytes().to_vec(),
    };
    let additional_data = additional_data(&path);
    let text = match u.ratio(31, 32)? {
        true => leaf_text(&key, &iv(random), &plain, additional_data.as_bytes(), kind),
        false => leaf_text_with::<U12>(&key, &iv(random)[..12], &plain, additional_data.as_bytes(), kind),
    };
    set(file, &path, Json::Text(text));
    Ok(())
}

fn swap(file: &mut Json, u: &mut Unstructured<'_>) -> Result<()> {
    let (Some(one), Some(other)) = (choose(file, u, is_text)?, choose(file, u, is_text)?) else { return Ok(()) };
    let Some(first) = at_mut(file, &one).cloned() else { return Ok(()) };
    let Some(second) = at_mut(file, &other).cloned() else { return Ok(()) };
    set(file, &one, second);
    set(file, &other, first);
    Ok(())
}

/// One character is put in, taken out or changed.
fn change_text(file: &mut Json, u: &mut Unstructured<'_>) -> Result<()> {
    let Some(path) = choose(file, u, is_text)? else { return Ok(()) };
    let Some(Json::Text(text)) = at_mut(file, &path) else { return Ok(()) };
    let mut characters: Vec<char> = text.chars().collect();
    // The ends are where a reader is careless.
    let last = characters.len();
    let at = if u.ratio(1, 3)? { last.saturating_sub(u.int_in_range(0..=1)?) } else { u.int_in_range(0..=last)? };
    let new = *u.choose(&['A', 'B', 'a', '0', '=', '+', '/', ',', ':', ']', '[', ' ', '\n', '-', '_', '\u{e9}'])?;
    match u.int_in_range(0..=3)? {
        0 => characters.insert(at, new),
        1 if at < characters.len() => drop(characters.remove(at)),
        2 => characters.truncate(at),
        _ if at < characters.len() => characters[at] = new,
        _ => characters.push(new),
    }
    *text = characters.into_iter().collect();
    Ok(())
}

fn change_kind(file: &mut Json, u: &mut Unstructured<'_>) -> Result<()> {
    let Some(path) = choose(file, u, is_sealed)? else { return Ok(()) };
    let kind = *u.choose(&KINDS)?;
    let Some(Json::Text(text)) = at_mut(file, &path) else { return Ok(()) };
    if let Some((before, _)) = text.split_once("type:") {
        *text = format!("{before}type:{kind}]");
    }
    Ok(())
}

fn replace(file: &mut Json, u: &mut Unstructured<'_>) -> Result<()> {
    let Some(path) = choose(file, u, any)? else { return Ok(()) };
    let value = small(u)?;
    set(file, &path, value);
    Ok(())
}

fn small(u: &mut Unstructured<'_>) -> Result<Json> {
    Ok(match u.int_in_range(0..=6)? {
        0 => Json::Null,
        1 => Json::Bool(u.arbitrary()?),
        2 => Json::Number(grow::number(u)?),
        3 => Json::Object(Vec::new()),
        4 => Json::Array(Vec::new()),
        5 => grow::json(u)?,
        _ => Json::Text(grow::string(u)?),
    })
}

fn insert(file: &mut Json, u: &mut Unstructured<'_>) -> Result<()> {
    let container = |value: &Json| matches!(value, Json::Object(_) | Json::Array(_));
    let path = choose(file, u, container)?.filter(|_| u.ratio(1, 2).unwrap_or(true)).unwrap_or_default();
    let (key, value) = (grow::key(u)?, small(u)?);
    match at_mut(file, &path) {
        // The key may be there already.
        Some(Json::Object(members)) => {
            let at = u.int_in_range(0..=members.len())?;
            members.insert(at, (key, value));
        }
        Some(Json::Array(items)) => {
            let at = u.int_in_range(0..=items.len())?;
            items.insert(at, value);
        }
        _ => {}
    }
    Ok(())
}

fn remove(file: &mut Json, u: &mut Unstructured<'_>) -> Result<()> {
    let Some(path) = choose(file, u, any)? else { return Ok(()) };
    let Some((last, parent)) = path.split_last() else { return Ok(()) };
    match (at_mut(file, parent), last) {
        (Some(Json::Object(members)), Segment::Key(key)) => members.retain(|(name, _)| name != key),
        (Some(Json::Array(items)), Segment::Index(index)) => drop(items.remove(*index)),
        _ => {}
    }
    Ok(())
}

fn rename(file: &mut Json, u: &mut Unstructured<'_>) -> Result<()> {
    let Some(path) = choose(file, u, any)? else { return Ok(()) };
    let new = grow::key(u)?;
    let Some((Segment::Key(key), parent)) = path.split_last() else { return Ok(()) };
    if let Some(Json::Object(members)) = at_mut(file, parent) {
        members.iter_mut().filter(|(name, _)| name == key).for_each(|(name, _)| name.clone_from(&new));
    }
    Ok(())
}

fn reorder(file: &mut Json, u: &mut Unstructured<'_>) -> Result<()> {
    let path = choose(file, u, |value| matches!(value, Json::Object(_) | Json::Array(_)))?.unwrap_or_default();
    let by = usize::from(u.arbitrary::<u8>()?);
    match at_mut(file, &path) {
        Some(Json::Object(members)) => {
            let by = by % members.len().max(1);
            members.rotate_left(by);
        }
        Some(Json::Array(items)) => {
            let by = by % items.len().max(1);
            items.rotate_left(by);
        }
        _ => {}
    }
    Ok(())
}

/// One value to the place of another.
fn copy(file: &mut Json, u: &mut Unstructured<'_>) -> Result<()> {
    let (Some(from), Some(to)) = (choose(file, u, any)?, choose(file, u, any)?) else { return Ok(()) };
    let Some(value) = at_mut(file, &from).cloned() else { return Ok(()) };
    set(file, &to, value);
    Ok(())
}

/// Lists of master keys, where none of that kind may be.
fn key_lists(u: &mut Unstructured<'_>) -> Result<Json> {
    let object = |name: &str, value| Json::Object(vec![(name.to_owned(), value)]);
    let text = |text: &str| Json::Text(text.to_owned());
    let keys =
        |enc: &str| Json::Array(vec![Json::Object(vec![("fp".to_owned(), text("1")), ("enc".to_owned(), text(enc))])]);
    let enc = &match u.int_in_range(0..=2)? {
        0 => "0g".to_owned(),
        1 => String::new(),
        _ => "00".repeat(u.int_in_range(31..=33)?),
    };
    Ok(match u.int_in_range(0..=5)? {
        0 => Json::Null,
        1 => keys(enc),
        2 => Json::Array(vec![object("pgp", keys(enc))]),
        3 => Json::Array(vec![
            object("pgp", keys(enc)),
            object("pgp", keys(enc)),
            object("age", Json::Array(Vec::new())),
        ]),
        4 => Json::Array(vec![object("unknown", Json::Null)]),
        _ => Json::Array(vec![object("enc", text(enc))]),
    })
}

fn change_metadata(file: &mut Json, u: &mut Unstructured<'_>) -> Result<()> {
    let field = *u.choose(&FIELDS)?;
    let text = |text: String| Some(Json::Text(text));
    let (name, value) = match u.int_in_range(0..=11)? {
        0 => (field, None),
        1 => (field, text(if field.ends_with("_regex") { grow::regex(u)? } else { grow::key(u)? })),
        2 => (field, text(String::new())),
        3 => ("unencrypted_suffix", None),
        4 => ("mac_only_encrypted", Some(Json::Bool(u.arbitrary()?))),
        5 => ("lastmodified", text((*u.choose(&TIMES)?).to_owned())),
        6 => ("mac", None),
        7 => ("version", text((*u.choose(&["3.7.3", "4.0.0", "", "3", "3.13.2-rc1", "x.y.z"])?).to_owned())),
        8 => ("shamir_threshold", Some(Json::Number((*u.choose(&["0", "1", "2", "3", "9", "-1", "2.0"])?).to_owned()))),
        9 => ("unknown", Some(small(u)?)),
        10 => (
            *u.choose(&["pgp", "key_groups", "age", "kms"])?,
            Some(if u.arbitrary()? { small(u)? } else { key_lists(u)? }),
        ),
        _ => (*u.choose(&["mac", "lastmodified", "version", "mac_only_encrypted", field])?, Some(small(u)?)),
    };
    let Json::Object(members) = file else { return Ok(()) };
    for (_, fields) in members.iter_mut().filter(|(key, _)| key == "sops") {
        let Json::Object(fields) = fields else { continue };
        fields.retain(|(field, _)| field != name);
        fields.extend(value.clone().map(|value| (name.to_owned(), value)));
    }
    Ok(())
}
