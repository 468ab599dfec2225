//! The `sops` object. Only PGP keys are known here: those that [`ClearKeys`](crate::service::ClearKeys) wraps for.

use regex::Regex;

use super::json::Json;
use super::{shamir, time};
use crate::service::unhex;

pub const FIELDS: [&str; 6] = [
    "unencrypted_suffix",
    "encrypted_suffix",
    "unencrypted_regex",
    "encrypted_regex",
    "unencrypted_comment_regex",
    "encrypted_comment_regex",
];

/// Which leaves are encrypted, by the table of section 3.
pub struct Rule {
    field: &'static str,
    text: String,
    regex: Option<Regex>,
}

impl Rule {
    pub fn of(field: &'static str, text: &str) -> Option<Self> {
        let regex = if field.ends_with("_regex") { Some(Regex::new(text).ok()?) } else { None };
        Some(Rule { field, text: text.to_owned(), regex })
    }

    /// Whether a leaf below these keys is encrypted.
    pub fn selects(&self, keys: &[&str]) -> bool {
        let suffix = || keys.iter().any(|key| key.ends_with(&self.text));
        let regex = || self.regex.as_ref().is_some_and(|regex| keys.iter().any(|key| regex.is_match(key)));
        match self.field {
            "unencrypted_suffix" => !suffix(),
            "encrypted_suffix" => suffix(),
            "unencrypted_regex" => !regex(),
            "encrypted_regex" => regex(),
            // In JSON there are no comments.
            "unencrypted_comment_regex" => true,
            _ => false,
        }
    }
}

/// The lists of master keys that are not read here.
const FOREIGN: [&str; 6] = ["age", "kms", "gcp_kms", "hckms", "azure_kv", "hc_vault"];

/// What the regular expressions are made of that RE2 and the crate `regex` read alike; a `?`, `*` or `+` may follow those before the empty one.
pub const ATOMS: [&str; 14] =
    ["(?:ab)", "(b|_)", "[ab]", "[^a]", "enc", "a", "b", "_", ".", "", "(?i)A", "^", "$", "|"];

fn is_plain(regex: &str) -> bool {
    let mut rest = regex;
    while !rest.is_empty() {
        let repeated = ATOMS.iter().take_while(|atom| !atom.is_empty()).find_map(|atom| rest.strip_prefix(atom));
        let after = match repeated {
            Some(after) => Some(after.strip_prefix(['*', '+', '?']).unwrap_or(after)),
            None => ATOMS.iter().filter(|atom| !atom.is_empty()).find_map(|atom| rest.strip_prefix(atom)),
        };
        let Some(after) = after else { return false };
        rest = after;
    }
    true
}

/// Whether a file has master keys, or a regular expression, that are not read here.
pub fn is_unknown(sops: &Json) -> bool {
    let is_odd = |field: &&str| matches!(sops.get(field), Some(Json::Text(text)) if field.ends_with("_regex") && !is_plain(text));
    if FIELDS.iter().any(is_odd) {
        return true;
    }
    let has = |lists: &Json| {
        FOREIGN.iter().any(|kind| matches!(lists.get(kind), Some(Json::Array(keys)) if !keys.is_empty()))
    };
    has(sops) || matches!(sops.get("key_groups"), Some(Json::Array(groups)) if groups.iter().any(has))
}

pub struct Metadata {
    pub rule: Rule,
    pub mac_only_encrypted: bool,
    pub mac: Option<String>,
    /// The time as it goes into the additional data of the MAC.
    pub time: String,
    groups: Vec<Vec<Option<Vec<u8>>>>,
    threshold: usize,
}

impl Metadata {
    pub fn of(sops: &Json) -> Option<Self> {
        if !matches!(sops, Json::Object(_)) {
            return None;
        }
        let version = text(sops, "version")??;
        if !is_release(&version) {
            return None;
        }
        let mut rules = Vec::new();
        for field in FIELDS {
            if let Some(text) = text(sops, field)?.filter(|text| !text.is_empty()) {
                rules.push(Rule::of(field, &text)?);
            }
        }
        if rules.len() > 1 {
            return None;
        }
        let rule = match rules.pop() {
            Some(rule) => rule,
            None => Rule::of("unencrypted_suffix", "_unencrypted")?,
        };
        let mac_only_encrypted = match sops.get("mac_only_encrypted") {
            None | Some(Json::Null) => false,
            Some(Json::Bool(only)) => *only,
            Some(_) => return None,
        };
        let flat = group(sops)?;
        let groups: Vec<_> = match sops.get("key_groups") {
            None | Some(Json::Null) => Vec::new(),
            Some(Json::Array(groups)) => groups.iter().map(group).collect::<Option<_>>()?,
            Some(_) => return None,
        };
        let groups = match (flat.is_empty(), groups.is_empty()) {
            (false, true) => vec![flat],
            (true, false) => groups,
            _ => return None,
        };
        let threshold = match sops.get("shamir_threshold") {
            None | Some(Json::Null) => 0,
            // Spelled as a float it is no count, nor is a negative zero.
            Some(Json::Number(literal)) if literal != "-0" => {
                literal.parse::<i64>().ok().and_then(|threshold| usize::try_from(threshold).ok())?
            }
            Some(_) => return None,
        };
        // A polynomial of degree 0 would be the data key itself in each share; sopskit and sops refuse it.
        if threshold == 1 && groups.len() > 1 {
            return None;
        }
        let threshold = if threshold == 0 { groups.len() } else { threshold };
        let mac = text(sops, "mac")?.filter(|mac| !mac.is_empty());
        let time = time::canonical(&text(sops, "lastmodified")??)?;
        Some(Metadata { rule, mac_only_encrypted, mac, time, groups, threshold })
    }

    /// The data key.
    pub fn data_key(&self) -> Option<[u8; 32]> {
        let mut parts = self.groups.iter().filter_map(|group| group.iter().flatten().next());
        let secret = match self.groups.len() {
            1 => parts.next()?.clone(),
            _ => {
                let parts: Vec<Vec<u8>> = parts.take(self.threshold).cloned().collect();
                (parts.len() == self.threshold).then(|| shamir::combine(&parts)).flatten()?
            }
        };
        secret.try_into().ok()
    }
}

/// What the master keys of one group wrap, where it can be unwrapped.
fn group(lists: &Json) -> Option<Vec<Option<Vec<u8>>>> {
    if !matches!(lists, Json::Object(_)) {
        return None;
    }
    // Old releases write null.
    let is_list = |kind: &&str| matches!(lists.get(kind), None | Some(Json::Null | Json::Array(_)));
    if !FOREIGN.iter().all(is_list) {
        return None;
    }
    match lists.get("pgp") {
        None | Some(Json::Null) => Some(Vec::new()),
        Some(Json::Array(entries)) => entries
            .iter()
            .map(|entry| {
                text(entry, "fp")??;
                if let Some(created_at) = text(entry, "created_at")? {
                    time::canonical(&created_at)?;
                }
                Some(unhex(&text(entry, "enc")??))
            })
            .collect(),
        Some(_) => None,
    }
}

/// A field that is a string, or not there; `None` when it is anything else.
fn text(fields: &Json, name: &str) -> Option<Option<String>> {
    match fields.get(name) {
        None | Some(Json::Null) => matches!(fields, Json::Object(_)).then_some(None),
        Some(Json::Text(text)) => Some(Some(text.clone())),
        Some(_) => None,
    }
}

/// Three parts that begin with a digit. The page only says that sops refuses an empty version.
fn is_release(version: &str) -> bool {
    let parts: Vec<&str> = version.splitn(3, '.').collect();
    parts.len() == 3 && parts.iter().all(|part| part.starts_with(|c: char| c.is_ascii_digit()))
}
