//! The `sops` object of an encrypted file: its fields as they stand, and what they mean.
//!
//! The fields are kept as they were read, so that unknown ones, the lists of foreign master keys and their order survive a rewrite.
//! Source: section 5 of the format page, `stores/stores.go` of sops.

mod count;
mod master_key;

use std::collections::{HashMap, VecDeque};

use chrono::{DateTime, FixedOffset, SecondsFormat, Utc};

use crate::error::{Error, ErrorKind, Result};
use crate::rules::{self, Rule};
use crate::tree::{Map, Value};

pub(crate) use count::count_master_keys;
use master_key::ENC;
pub use master_key::{KeyKind, MasterKey, WrappedKey};

/// The release of sops whose format is written: the `version` of new files.
pub const SOPS_VERSION: &str = "3.13.2";

/// The top-level key of the metadata.
pub(crate) const SOPS: &str = "sops";

const LAST_MODIFIED: &str = "lastmodified";
const MAC: &str = "mac";
const MAC_ONLY_ENCRYPTED: &str = "mac_only_encrypted";
const KEY_GROUPS: &str = "key_groups";
const SHAMIR_THRESHOLD: &str = "shamir_threshold";
const VERSION: &str = "version";

/// What an encrypted file says of itself; readable without a key.
///
/// Nothing of it but `lastmodified` is authenticated: whoever can write the file can change the list of master keys, say.
#[derive(Clone, Debug)]
pub struct Metadata {
    fields: Map,
    rule: Rule,
    key_groups: Vec<Vec<WrappedKey>>,
    last_modified: DateTime<FixedOffset>,
}

impl Metadata {
    /// The metadata of a new file, whose MAC is yet to be sealed.
    pub(crate) fn new(
        key_groups: &[Vec<(MasterKey, String)>],
        shamir_threshold: usize,
        rule: Option<&Rule>,
        mac_only_encrypted: bool,
    ) -> Result<Self> {
        let mut fields = match key_groups {
            [group] => key_lists(group, &mut Entries::default()),
            groups => {
                let groups: Vec<_> =
                    groups.iter().map(|group| Value::Object(key_group(group, &mut Entries::default()))).collect();
                let threshold = i64::try_from(shamir_threshold).unwrap_or(i64::MAX);
                Map::from_iter([(KEY_GROUPS, Value::from(groups)), (SHAMIR_THRESHOLD, Value::from(threshold))])
            }
        };
        if let Some((field, text)) = rule.map(Rule::field) {
            fields.insert(field, text);
        }
        if mac_only_encrypted {
            fields.insert(MAC_ONLY_ENCRYPTED, true);
        }
        fields.insert(VERSION, SOPS_VERSION);
        fields.insert(LAST_MODIFIED, timestamp(Utc::now().fixed_offset()));
        fields.insert(MAC, "");
        fields.sort_by_key();
        Metadata::parse(fields)
    }

    /// The meaning of the `sops` object of a file.
    pub(crate) fn parse(fields: Map) -> Result<Self> {
        let time = required(&fields, LAST_MODIFIED)?;
        let last_modified = parse_time(time).map_err(|error| error.under_key(LAST_MODIFIED))?;
        let numbers: Vec<&str> = required(&fields, VERSION)?.splitn(3, '.').collect();
        if numbers.len() != 3 || !numbers.iter().all(|number| number.starts_with(|c: char| c.is_ascii_digit())) {
            return Err(invalid("expected three numbers, as in 3.13.2").under_key(VERSION));
        }
        text(&fields, MAC)?;
        if !matches!(fields.get(MAC_ONLY_ENCRYPTED), None | Some(Value::Null | Value::Bool(_))) {
            return Err(invalid("expected true or false").under_key(MAC_ONLY_ENCRYPTED));
        }
        if !matches!(fields.get(SHAMIR_THRESHOLD), None | Some(Value::Null | Value::Int(0..))) {
            return Err(invalid("expected a number").under_key(SHAMIR_THRESHOLD));
        }
        let key_groups = key_groups(&fields)?;
        if key_groups.len() > 1 && fields.get(SHAMIR_THRESHOLD).and_then(Value::as_i64) == Some(1) {
            return Err(invalid("several key groups cannot have a threshold of 1").under_key(SHAMIR_THRESHOLD));
        }
        Ok(Metadata { rule: rule(&fields)?, key_groups, last_modified, fields })
    }

    /// The encryption rule. Where the file names none it is the default one.
    #[must_use]
    pub fn rule(&self) -> &Rule {
        &self.rule
    }

    /// When the file was last encrypted, to the second.
    #[must_use]
    pub fn last_modified(&self) -> DateTime<Utc> {
        self.last_modified.to_utc()
    }

    /// The release of sops whose format the file is in.
    #[must_use]
    pub fn version(&self) -> &str {
        self.fields.get(VERSION).and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether the MAC covers the encrypted leaves only.
    #[must_use]
    pub fn mac_only_encrypted(&self) -> bool {
        self.fields.get(MAC_ONLY_ENCRYPTED).and_then(Value::as_bool).unwrap_or_default()
    }

    /// The key groups. The master keys of one group wrap the same secret: the data key itself, where there is but one group.
    pub fn key_groups(&self) -> impl ExactSizeIterator<Item = &[WrappedKey]> {
        self.key_groups.iter().map(Vec::as_slice)
    }

    /// How many key groups give the data key together, where there are several. All of them, unless the file says otherwise.
    #[must_use]
    pub fn shamir_threshold(&self) -> usize {
        let threshold = self.fields.get(SHAMIR_THRESHOLD).and_then(Value::as_i64).unwrap_or_default();
        usize::try_from(threshold).ok().filter(|threshold| *threshold > 0).unwrap_or(self.key_groups.len())
    }

    /// The recipients of the file: its age master keys, of all groups.
    pub fn recipients(&self) -> impl Iterator<Item = &str> {
        self.key_groups.iter().flatten().filter_map(|wrapped| match wrapped.key() {
            MasterKey::Age { recipient } => Some(recipient.as_str()),
            _ => None,
        })
    }

    /// All fields, in the order of the file.
    pub(crate) fn fields(&self) -> &Map {
        &self.fields
    }

    /// The sealed MAC, if there is one.
    pub(crate) fn mac(&self) -> Option<&str> {
        self.fields.get(MAC).and_then(Value::as_str).filter(|mac| !mac.is_empty())
    }

    /// The additional data of the sealed MAC.
    pub(crate) fn mac_additional_data(&self) -> String {
        timestamp(self.last_modified)
    }

    /// Sets the time of the last change to now. The MAC must be sealed anew afterwards.
    pub(crate) fn touch(&mut self) {
        self.last_modified = Utc::now().fixed_offset();
        self.fields.insert(LAST_MODIFIED, timestamp(self.last_modified));
    }

    pub(crate) fn set_mac(&mut self, sealed: String) {
        self.fields.insert(MAC, sealed);
    }

    /// The fields that say how the file is encrypted: all but those of the master keys, those that are new with each write, and the version.
    pub(crate) fn settings(&self) -> Map {
        let other = |key: &str| {
            [LAST_MODIFIED, MAC, VERSION, KEY_GROUPS, SHAMIR_THRESHOLD].contains(&key)
                || KeyKind::ALL.iter().any(|kind| kind.as_str() == key)
        };
        self.fields.iter().filter(|(key, _)| !other(key)).map(|(key, value)| (key, value.clone())).collect()
    }

    /// The same with other [`settings`](Self::settings).
    pub(crate) fn with_settings(&self, settings: &Map) -> Result<Self> {
        let mut fields = self.fields.clone();
        let own = self.settings();
        fields.retain(|key, _| !own.contains_key(key) || settings.contains_key(key));
        let was_sorted = fields.keys().is_sorted();
        settings.iter().for_each(|(key, value)| drop(fields.insert(key, value.clone())));
        if was_sorted {
            fields.sort_by_key();
        }
        Metadata::parse(fields)
    }

    /// Replaces the master keys and what each of them wraps. Entries of keys that stay keep their unknown fields. After an error nothing is changed.
    pub(crate) fn set_master_keys(&mut self, groups: &[Vec<(MasterKey, String)>], threshold: usize) -> Result<()> {
        let mut fields = self.fields.clone();
        let was_sorted = fields.keys().is_sorted();
        let in_groups = fields.get(KEY_GROUPS).and_then(Value::as_array).filter(|groups| !groups.is_empty());
        let old: Vec<Map> = match in_groups {
            Some(groups) => groups.iter().filter_map(Value::as_object).cloned().collect(),
            None => vec![filled_key_lists(&fields)],
        };
        let mut entries = Entries::of(&old);
        let stays_flat = in_groups.is_none();
        let flat = |group| stays_flat || (old.len() > 1 && other_fields(&old, group).is_empty());
        // A field that stays keeps its place.
        let mut new = match groups {
            [group] if flat(group) => key_lists(group, &mut entries),
            groups => {
                let mut lists = |group: &Vec<_>| {
                    let mut lists = other_fields(&old, group);
                    let keys = key_group(group, &mut entries);
                    keys.iter().for_each(|(kind, list)| drop(lists.insert(kind, list.clone())));
                    lists.sort_by_key();
                    Value::Object(lists)
                };
                Map::from_iter([(KEY_GROUPS, Value::from(groups.iter().map(&mut lists).collect::<Vec<_>>()))])
            }
        };
        let gone: Vec<_> = filled_key_lists(&fields).keys().chain([KEY_GROUPS]).map(str::to_owned).collect();
        gone.iter().filter(|field| !new.contains_key(field)).for_each(|field| drop(fields.remove(field)));
        if groups.len() > 1 {
            new.insert(SHAMIR_THRESHOLD, i64::try_from(threshold).unwrap_or(i64::MAX));
        } else {
            fields.remove(SHAMIR_THRESHOLD);
        }
        new.iter().for_each(|(field, value)| drop(fields.insert(field, value.clone())));
        if was_sorted {
            fields.sort_by_key();
        }
        *self = Metadata::parse(fields)?;
        Ok(())
    }
}

/// The entries of the master keys of a file, by key, so that those of keys that stay are used again.
#[derive(Default)]
struct Entries(HashMap<MasterKey, VecDeque<Map>>);

impl Entries {
    fn of(groups: &[Map]) -> Self {
        let mut entries = Entries::default();
        for lists in groups {
            for kind in KeyKind::ALL {
                let list = lists.get(kind.as_str()).and_then(Value::as_array).unwrap_or_default();
                for entry in list {
                    if let (Ok(wrapped), Some(entry)) = (WrappedKey::parse(kind, entry), entry.as_object()) {
                        entries.0.entry(wrapped.key).or_default().push_back(entry.clone());
                    }
                }
            }
        }
        entries
    }

    /// The entry of a key that now wraps `enc`.
    fn entry(&mut self, key: &MasterKey, enc: &str) -> Map {
        match self.0.get_mut(key).and_then(VecDeque::pop_front) {
            Some(mut entry) => {
                entry.insert(ENC, enc);
                entry
            }
            None => key.entry(enc),
        }
    }
}

/// The lists of master keys that hold something. Empty ones, which old releases write, stay as they are.
fn filled_key_lists(fields: &Map) -> Map {
    let filled = |kind: KeyKind| {
        let list = fields.get(kind.as_str()).filter(|list| list.as_array().is_some_and(|list| !list.is_empty()))?;
        Some((kind.as_str(), list.clone()))
    };
    Map::from_iter(KeyKind::ALL.into_iter().filter_map(filled))
}

/// What a key group holds beside its lists: that of the group from which it has a master key.
fn other_fields(old: &[Map], group: &[(MasterKey, String)]) -> Map {
    let from = |lists: &&Map| {
        master_keys(lists).is_ok_and(|keys| keys.iter().any(|wrapped| group.iter().any(|(key, _)| *key == wrapped.key)))
    };
    let mut lists = old.iter().find(from).cloned().unwrap_or_default();
    KeyKind::ALL.iter().for_each(|kind| drop(lists.remove(kind.as_str())));
    lists
}

/// The lists of the master keys of one group, by kind.
fn key_lists(group: &[(MasterKey, String)], entries: &mut Entries) -> Map {
    let mut lists = Map::new();
    for kind in KeyKind::ALL {
        let of_kind = group.iter().filter(|(key, _)| key.kind() == kind);
        let list: Vec<_> = of_kind.map(|(key, enc)| Value::Object(entries.entry(key, enc))).collect();
        if !list.is_empty() {
            lists.insert(kind.as_str(), list);
        }
    }
    lists
}

/// One of several key groups. sops always writes two of its lists.
fn key_group(group: &[(MasterKey, String)], entries: &mut Entries) -> Map {
    let mut lists = key_lists(group, entries);
    for kind in [KeyKind::Age, KeyKind::HcVault] {
        if !lists.contains_key(kind.as_str()) {
            lists.insert(kind.as_str(), Vec::new());
        }
    }
    lists.sort_by_key();
    lists
}

/// A time as sops writes it, and as it goes into the additional data of the MAC: without fractions, `Z` for UTC.
fn timestamp(time: DateTime<FixedOffset>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// A time in the form of RFC 3339, as sops takes it.
///
/// chrono also takes a blank or `t` for the `T`, `z` for the `Z` and the minus sign of Unicode: other texts for one time, which the MAC would not tell apart.
fn parse_time(text: &str) -> Result<DateTime<FixedOffset>> {
    let is_plain = text.bytes().all(|c| c.is_ascii_digit() || b"-:.+TZ".contains(&c));
    let time = DateTime::parse_from_rfc3339(text).ok().filter(|_| is_plain);
    time.ok_or_else(|| invalid("expected a time in the form of RFC 3339"))
}

fn invalid(detail: &str) -> Error {
    Error::with_detail(ErrorKind::InvalidMetadata, detail)
}

/// A field that is a string, or absent.
fn text<'a>(fields: &'a Map, name: &str) -> Result<Option<&'a str>> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Text(text)) => Ok(Some(text.as_str())),
        Some(_) => Err(invalid("expected a string").under_key(name)),
    }
}

fn required<'a>(fields: &'a Map, name: &str) -> Result<&'a str> {
    text(fields, name)?.ok_or_else(|| invalid("the field is missing").under_key(name))
}

fn rule(fields: &Map) -> Result<Rule> {
    let mut found = None;
    for name in rules::FIELDS {
        let Some(text) = text(fields, name)?.filter(|text| !text.is_empty()) else { continue };
        let Some(rule) = Rule::from_field(name, text) else { continue };
        let rule = rule.map_err(|error| error.under_key(name))?;
        if let Some(other) = found.replace(rule) {
            let detail = format!("{} and {name}", other.field().0);
            return Err(Error::with_detail(ErrorKind::ConflictingRules, detail));
        }
    }
    Ok(found.unwrap_or_default())
}

/// The master keys of a file: one group of the flat lists, or the groups of `key_groups`.
fn key_groups(fields: &Map) -> Result<Vec<Vec<WrappedKey>>> {
    let flat = master_keys(fields)?;
    let groups = match fields.get(KEY_GROUPS) {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(groups)) => groups
            .iter()
            .enumerate()
            .map(|(index, group)| {
                let lists = group.as_object().ok_or_else(|| invalid("expected an object"));
                lists.and_then(master_keys).map_err(|error| error.under_index(index).under_key(KEY_GROUPS))
            })
            .collect::<Result<_>>()?,
        Some(_) => return Err(invalid("expected a list").under_key(KEY_GROUPS)),
    };
    match (flat.is_empty(), groups.is_empty()) {
        (true, true) => Err(invalid("there is no master key")),
        (false, true) => Ok(vec![flat]),
        (true, false) => Ok(groups),
        (false, false) => Err(invalid("there are both key_groups and master keys outside of them")),
    }
}

/// The master keys in the lists of one object, kinds in the order in which sops reads them.
fn master_keys(lists: &Map) -> Result<Vec<WrappedKey>> {
    let mut keys = Vec::new();
    for kind in KeyKind::ALL {
        match lists.get(kind.as_str()) {
            None | Some(Value::Null) => {}
            Some(Value::Array(entries)) => {
                for (index, entry) in entries.iter().enumerate() {
                    let key = WrappedKey::parse(kind, entry)
                        .map_err(|error| error.under_index(index).under_key(kind.as_str()))?;
                    keys.push(key);
                }
            }
            Some(_) => return Err(invalid("expected a list").under_key(kind.as_str())),
        }
    }
    Ok(keys)
}
