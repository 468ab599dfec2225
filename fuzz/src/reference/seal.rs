//! A plaintext sealed.

use sopskit::Segment;

use super::json::Json;
use super::leaf::{Plain, leaf_text};
use super::metadata::Rule;
use super::number::is_integer;
use super::open::{additional_data, keys, mend};
use super::shamir;
use crate::service::hex;

/// How a file is sealed.
pub struct Settings {
    pub key: [u8; 32],
    pub rule: Option<(&'static str, String)>,
    pub mac_only_encrypted: bool,
    pub last_modified: String,
    /// How many key groups, and how many of them are needed.
    pub groups: (usize, usize),
}

/// The file of a plaintext. `None` where the plaintext holds what no file could (section 10), or a top-level key `sops`.
pub fn seal(plain: &Json, settings: &Settings, random: &mut impl FnMut() -> u8) -> Option<Json> {
    if plain.get("sops").is_some() {
        return None;
    }
    let (field, text) = settings.rule.clone().unwrap_or(("unencrypted_suffix", "_unencrypted".to_owned()));
    let rule = Rule::of(field, &text)?;
    let Json::Object(mut members) = sealed(plain, &[], settings, &rule, random)? else { return None };
    let mut fields: Vec<(String, Json)> = vec![
        ("lastmodified".into(), Json::Text(settings.last_modified.clone())),
        ("version".into(), Json::Text("3.13.2".into())),
        (field.into(), Json::Text(text)),
    ];
    if settings.mac_only_encrypted {
        fields.push(("mac_only_encrypted".into(), Json::Bool(true)));
    }
    match settings.groups {
        (1, _) => fields.push(("pgp".into(), entry(&settings.key))),
        (groups, threshold) => {
            let shares = shamir::split(&settings.key, groups, threshold, random);
            let groups = shares.iter().map(|share| Json::Object(vec![("pgp".into(), entry(share))])).collect();
            fields.push(("key_groups".into(), Json::Array(groups)));
            fields.push(("shamir_threshold".into(), Json::Number(threshold.to_string())));
        }
    }
    members.push(("sops".into(), Json::Object(fields)));
    let mut file = Json::Object(members);
    mend(&mut file, &iv(random));
    Some(file)
}

/// The list of one PGP key that wraps a secret in clear.
fn entry(secret: &[u8]) -> Json {
    let fields =
        [("created_at", "2026-01-02T03:04:05Z".to_owned()), ("enc", hex(secret)), ("fp", format!("{:040X}", 1))];
    Json::Array(vec![Json::Object(
        fields.into_iter().map(|(name, text)| (name.to_owned(), Json::Text(text))).collect(),
    )])
}

fn sealed(
    value: &Json,
    path: &[Segment],
    settings: &Settings,
    rule: &Rule,
    random: &mut impl FnMut() -> u8,
) -> Option<Json> {
    let below = |segment: Segment| [path, &[segment]].concat();
    match value {
        Json::Object(members) => {
            let mut file = Vec::new();
            for (key, value) in members {
                file.push((key.clone(), sealed(value, &below(key.as_str().into()), settings, rule, random)?));
            }
            Some(Json::Object(file))
        }
        Json::Array(items) => {
            let items = items.iter().enumerate();
            items
                .map(|(index, item)| sealed(item, &below(index.into()), settings, rule, random))
                .collect::<Option<_>>()
                .map(Json::Array)
        }
        leaf => {
            let plain = Plain::in_clear(leaf)?;
            let bytes = plain.bytes();
            if !rule.selects(&keys(path)) || bytes.is_empty() {
                return Some(leaf.clone());
            }
            let kind = match leaf {
                Json::Bool(_) => "bool",
                Json::Number(literal) if is_integer(literal) => "int",
                Json::Number(_) => "float",
                _ => "str",
            };
            Some(Json::Text(leaf_text(&settings.key, &iv(random), &bytes, additional_data(path).as_bytes(), kind)))
        }
    }
}

pub fn iv(random: &mut impl FnMut() -> u8) -> [u8; 32] {
    std::array::from_fn(|_| random())
}

/// A plaintext as a tree, for a comparison.
pub fn tree(value: &Json) -> Option<Plain> {
    match value {
        Json::Object(members) => members
            .iter()
            .map(|(key, value)| Some((key.clone(), tree(value)?)))
            .collect::<Option<_>>()
            .map(Plain::Object),
        Json::Array(items) => items.iter().map(tree).collect::<Option<_>>().map(Plain::Array),
        leaf => Plain::in_clear(leaf),
    }
}
