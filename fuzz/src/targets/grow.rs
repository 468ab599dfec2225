//! Keys, values and rules that grow from an input: likely ones often, any others too.

use arbitrary::{Result, Unstructured};
use sopskit::{Map, Value};

use crate::reference::ATOMS;
use crate::reference::json::Json;

const KEYS: [&str; 16] = [
    "a",
    "b",
    "ab",
    "ba",
    "a:",
    ":",
    "",
    "a_unencrypted",
    "_unencrypted",
    "a_enc",
    "\u{e9}",
    "sops",
    "SOPS",
    "data",
    "a\"]",
    "\u{2028}<",
];

const STRINGS: [&str; 12] = [
    "x",
    "y",
    "",
    "True",
    "5",
    "null",
    "ENC[AES256_GCM,data:",
    "ENC[AES256_GCM,data:AA==,iv:AA==,tag:AA==,type:str]",
    "2026-01-02T03:04:05Z",
    "\u{1f600}",
    "line\nline\ttab",
    "<&>\u{2029}",
];

const NUMBERS: [&str; 27] = [
    "0",
    "-0",
    "-0.0",
    "0.0",
    "1.0",
    "1e3",
    "1E+2",
    "1e-7",
    "1e21",
    "1e20",
    "100000000000000000000",
    "123456789012345678901",
    "9007199254740992",
    "9007199254740993",
    "9007199254740993.0",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "0.1",
    "0.10",
    "0.1000000000000000055",
    "1.7976931348623157e308",
    "1e309",
    "5e-324",
    "4.9e-324",
    "1e-400",
    "0e999",
];

pub(crate) fn key(u: &mut Unstructured<'_>) -> Result<String> {
    if u.ratio(7, 8)? { Ok((*u.choose(&KEYS)?).to_owned()) } else { short(u) }
}

/// A text of a few characters.
pub(crate) fn short(u: &mut Unstructured<'_>) -> Result<String> {
    let length = u.int_in_range(0..=12)?.min(u.len());
    Ok(String::from_utf8_lossy(u.bytes(length)?).into_owned())
}

pub(crate) fn string(u: &mut Unstructured<'_>) -> Result<String> {
    Ok(match u.int_in_range(0..=7)? {
        0..=3 => (*u.choose(&STRINGS)?).to_owned(),
        4 => short(u)?.repeat(u.int_in_range(0..=60)?),
        5 => "z".repeat(u.int_in_range(0..=600)?),
        _ => short(u)?,
    })
}

pub(crate) fn number(u: &mut Unstructured<'_>) -> Result<String> {
    Ok(match u.int_in_range(0..=7)? {
        0..=2 => (*u.choose(&NUMBERS)?).to_owned(),
        3 => u.arbitrary::<i64>()?.to_string(),
        4 => finite(u)?.to_string(),
        5 => format!("{:e}", finite(u)?),
        6 => format!("{}.{}", u.arbitrary::<i32>()?, u.arbitrary::<u64>()?),
        _ => format!("{}e{}", u.arbitrary::<u32>()?, u.int_in_range(-340..=320)?),
    })
}

fn finite(u: &mut Unstructured<'_>) -> Result<f64> {
    let float: f64 = u.arbitrary()?;
    Ok(if float.is_finite() { float } else { 0.5 })
}

/// A regular expression that means the same to RE2 and to the crate `regex`.
pub(crate) fn regex(u: &mut Unstructured<'_>) -> Result<String> {
    if u.ratio(1, 4)? {
        // Whole words, which are not compiled.
        return Ok((*u.choose(&["^a$", "^(b|_)$", "^enc$", "^ab$"])?).to_owned());
    }
    let mut text = String::new();
    for _ in 0..u.int_in_range(1..=5)? {
        let atom = *u.choose(&ATOMS)?;
        text.push_str(atom);
        if ATOMS.iter().take_while(|known| !known.is_empty()).any(|known| *known == atom) {
            text.push_str(u.choose(&["", "", "", "*", "+", "?"])?);
        }
    }
    Ok(text)
}

/// An object with what JSON can spell, and a little that cannot be kept.
pub(crate) fn json(u: &mut Unstructured<'_>) -> Result<Json> {
    object(u, 0)
}

fn object(u: &mut Unstructured<'_>, depth: usize) -> Result<Json> {
    let mut members: Vec<(String, Json)> = Vec::new();
    for _ in 0..u.int_in_range(0..=5)? {
        let key = key(u)?;
        // The top-level key of the metadata comes seldom enough to not be in the way.
        let is_in_the_way = depth == 0 && key == "sops" && u.ratio(7, 8)?;
        if !is_in_the_way && members.iter().all(|(name, _)| *name != key) {
            members.push((key, value(u, depth + 1)?));
        }
    }
    Ok(Json::Object(members))
}

fn value(u: &mut Unstructured<'_>, depth: usize) -> Result<Json> {
    Ok(match u.int_in_range(0..=9)? {
        0 => Json::Null,
        1 => Json::Bool(u.arbitrary()?),
        2 | 3 => Json::Number(number(u)?),
        4 | 5 if depth < 5 => object(u, depth)?,
        6 if depth < 5 => {
            let items = u.int_in_range(0..=4)?;
            Json::Array((0..items).map(|_| value(u, depth + 1)).collect::<Result<_>>()?)
        }
        _ => Json::Text(string(u)?),
    })
}

/// An object of sopskit's own values, those that JSON cannot spell among them.
pub(crate) fn map(u: &mut Unstructured<'_>) -> Result<Map> {
    map_at(u, 0)
}

fn map_at(u: &mut Unstructured<'_>, depth: usize) -> Result<Map> {
    let mut map = Map::new();
    for _ in 0..u.int_in_range(0..=5)? {
        let key = key(u)?;
        if depth > 0 || key != "sops" || u.ratio(1, 8)? {
            map.insert(key, value_at(u, depth + 1)?);
        }
    }
    Ok(map)
}

fn value_at(u: &mut Unstructured<'_>, depth: usize) -> Result<Value> {
    Ok(match u.int_in_range(0..=15)? {
        0 | 1 => Value::Null,
        2 => Value::Bool(u.arbitrary()?),
        3 => Value::Int(u.arbitrary()?),
        4 => Value::Float(u.arbitrary()?),
        5 => Value::Float(u.arbitrary::<i32>()?.into()),
        6 | 7 if depth < 5 => Value::Object(map_at(u, depth)?),
        8 | 9 if depth < 5 => {
            let items = u.int_in_range(0..=4)?;
            Value::Array((0..items).map(|_| value_at(u, depth + 1)).collect::<Result<_>>()?)
        }
        10 if u.ratio(1, 4)? => {
            let length = u.int_in_range(0..=40)?.min(u.len());
            Value::Bytes(u.bytes(length)?.to_vec().into())
        }
        11 if u.ratio(1, 4)? => Value::Comment(string(u)?.into()),
        _ => Value::from(string(u)?),
    })
}
