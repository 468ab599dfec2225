//! The master keys that a creation rule names.
//!
//! Source: `getKeyGroupsFromCreationRule` in `config/config.go` of sops, and what each kind's `keysource.go` makes of a text.

use std::collections::BTreeMap;

use super::invalid;
use super::yaml::{Fields, Node};
use crate::error::{Error, ErrorKind, Result};
use crate::keys::Recipients;
use crate::metadata::MasterKey;

const KEY_GROUPS: &str = "key_groups";
const SHAMIR_THRESHOLD: &str = "shamir_threshold";
const AWS_PROFILE: &str = "aws_profile";
const MERGE: &str = "merge";

/// The fields of a rule that list keys for one group, in the order in which sops reads them.
const LISTS: [&str; 7] = ["age", "pgp", "kms", "gcp_kms", "hckms", "azure_keyvault", "hc_vault_transit_uri"];
/// The fields of a key group.
const GROUP: [&str; 8] = [MERGE, "age", "pgp", "kms", "gcp_kms", "hckms", "azure_keyvault", "hc_vault"];

/// The fields of a rule that this file reads.
pub(super) fn field_names() -> impl Iterator<Item = &'static str> {
    LISTS.into_iter().chain([KEY_GROUPS, SHAMIR_THRESHOLD, AWS_PROFILE])
}

/// Whom the files of a rule are encrypted for.
///
/// # Errors
/// [`ErrorKind::InvalidConfig`] for what has a wrong form; [`ErrorKind::InvalidRecipient`] for a text that names no key of its kind;
/// [`ErrorKind::NoRecipients`] when there is no key, or none in a group.
pub(super) fn recipients(rule: Fields<'_>) -> Result<Recipients> {
    let groups = rule.read(KEY_GROUPS, |node| node.items(|group| Recipients::from_keys(group_keys(group)?)))?;
    let threshold = rule.read(SHAMIR_THRESHOLD, |node| threshold(node, groups.len()))?;
    let flat = flat_keys(rule)?;
    match (groups.is_empty(), flat.first()) {
        (true, _) => Recipients::from_keys(flat),
        (false, None) => Recipients::from_groups(groups, threshold),
        (false, Some(key)) => {
            Err(invalid(format!("{key} stands beside {KEY_GROUPS}, and sops would not encrypt for it")))
        }
    }
}

/// How many groups are needed; `None` for all. It means nothing where there is one group.
fn threshold(node: &Node, groups: usize) -> Result<Option<usize>> {
    let number = node.integer()?.unwrap_or_default();
    if groups < 2 || number == 0 {
        return Ok(None);
    }
    match usize::try_from(number) {
        Ok(threshold) if (2..=groups).contains(&threshold) => Ok(Some(threshold)),
        _ => Err(invalid(format!("{number} of {groups} key groups; from 2 to all can be needed"))),
    }
}

fn flat_keys(rule: Fields<'_>) -> Result<Vec<MasterKey>> {
    let profile = rule.read(AWS_PROFILE, |node| node.text_or_null().map(str::to_owned))?;
    let mut keys = Vec::new();
    for name in LISTS {
        keys.extend(rule.read(name, |node| {
            // The one list that sops does not take as a text.
            if name == "hckms" && !node.is_list() && !node.is_null() {
                return Err(invalid("expected a list"));
            }
            listed(node, |text| match name {
                "age" => age(text),
                "pgp" => Ok(pgp(text)),
                "kms" => kms(text, &profile),
                "gcp_kms" => Ok(gcp_kms(text)),
                "hckms" => hckms(text),
                "azure_keyvault" => azure_url(text),
                _ => vault(text),
            })
        })?);
    }
    Ok(keys)
}

/// The keys of a text, separated by commas, or of a list of such texts.
fn listed(node: &Node, read: impl Fn(&str) -> Result<MasterKey>) -> Result<Vec<MasterKey>> {
    if !node.is_list() {
        // As in sops, a comma too many is no matter here; in a list it is.
        return node.text_or_null()?.split(',').map(str::trim).filter(|key| !key.is_empty()).map(read).collect();
    }
    let items = node.items(|item| split(item.text()?).map(&read).collect::<Result<Vec<_>>>())?;
    Ok(items.into_iter().flatten().collect())
}

fn split(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim)
}

/// The keys of a key group: those of the groups that are merged into it, then its own.
fn group_keys(group: &Node) -> Result<Vec<MasterKey>> {
    if group.is_null() {
        return Err(invalid("expected a mapping, not nothing"));
    }
    let group = group.fields()?.only(&GROUP)?;
    let merged = group.read(MERGE, |node| node.items(|group| group_keys(group)))?;
    let mut keys: Vec<_> = merged.into_iter().flatten().collect();
    let age = group.read("age", |node| node.items(|item| split(item.text()?).map(age).collect::<Result<Vec<_>>>()))?;
    keys.extend(age.into_iter().flatten());
    keys.extend(group.read("pgp", |node| node.items(|item| nonempty(item.text()?).map(pgp)))?);
    keys.extend(group.read("kms", |node| node.items(|item| kms_entry(item)))?);
    keys.extend(group.read("gcp_kms", |node| {
        node.items(|item| Ok(gcp_kms(&required(item.fields()?.only(&["resource_id"])?, "resource_id")?)))
    })?);
    keys.extend(
        group
            .read("hckms", |node| node.items(|item| hckms(&required(item.fields()?.only(&["key_id"])?, "key_id")?)))?,
    );
    keys.extend(group.read("azure_keyvault", |node| node.items(|item| azure_entry(item)))?);
    keys.extend(group.read("hc_vault", |node| node.items(|item| vault(item.text()?.trim())))?);
    Ok(keys)
}

/// A field that must be there and not empty.
fn required(fields: Fields<'_>, name: &str) -> Result<String> {
    match fields.read(name, Node::text_or_null)? {
        "" => Err(invalid(format!("{name} is missing"))),
        text => Ok(text.to_owned()),
    }
}

fn optional(fields: Fields<'_>, name: &str) -> Result<String> {
    fields.read(name, |node| node.text_or_null().map(str::to_owned))
}

fn nonempty(text: &str) -> Result<&str> {
    if text.trim().is_empty() { Err(refused(text, "a key")) } else { Ok(text) }
}

fn refused(text: &str, expected: &str) -> Error {
    Error::with_detail(ErrorKind::InvalidRecipient, format!("{text:?}; expected {expected}"))
}

fn age(text: &str) -> Result<MasterKey> {
    if !text.starts_with("ssh-") && text.contains(char::is_whitespace) {
        return Err(Error::with_detail(ErrorKind::InvalidRecipient, "recipients are separated by commas"));
    }
    let key = MasterKey::Age { recipient: text.to_owned() };
    // Here, so that the error names the place.
    Recipients::from_keys([key.clone()])?;
    Ok(key)
}

fn pgp(text: &str) -> MasterKey {
    MasterKey::Pgp { fingerprint: text.replace(' ', "") }
}

fn gcp_kms(text: &str) -> MasterKey {
    MasterKey::GcpKms { resource_id: text.replace(' ', "") }
}

/// An ARN, and behind a plus sign the ARN of a role to assume.
fn kms(text: &str, aws_profile: &str) -> Result<MasterKey> {
    let text = text.replace(' ', "");
    let (arn, role) = match text.find("+arn:") {
        Some(plus) => (&text[..plus], Some(text[plus + 1..].to_owned())),
        None => (text.as_str(), None),
    };
    kms_key(arn, role, BTreeMap::new(), aws_profile)
}

fn kms_key(arn: &str, role: Option<String>, context: BTreeMap<String, String>, aws_profile: &str) -> Result<MasterKey> {
    if !arn.starts_with("arn:") {
        return Err(refused(arn, "the ARN of a key, arn:aws:kms:…"));
    }
    Ok(MasterKey::Kms { arn: arn.to_owned(), role, context, aws_profile: aws_profile.to_owned() })
}

fn kms_entry(item: &Node) -> Result<MasterKey> {
    let fields = item.fields()?.only(&["arn", "role", "context", AWS_PROFILE])?;
    let context = fields.read("context", |node| node.fields()?.each(|node| node.text().map(str::to_owned)))?;
    let role = Some(optional(fields, "role")?).filter(|role| !role.is_empty());
    kms_key(&required(fields, "arn")?, role, context, &optional(fields, AWS_PROFILE)?)
}

/// Region and key, with a colon in between.
fn hckms(text: &str) -> Result<MasterKey> {
    match text.split_once(':') {
        Some((region, key)) if !region.trim().is_empty() && !key.trim().is_empty() => {
            Ok(MasterKey::HcKms { key_id: text.to_owned() })
        }
        _ => Err(refused(text, "region:key")),
    }
}

fn azure_entry(item: &Node) -> Result<MasterKey> {
    let fields = item.fields()?.only(&["vaultUrl", "key", "version"])?;
    Ok(MasterKey::AzureKv {
        vault_url: required(fields, "vaultUrl")?,
        name: required(fields, "key")?,
        version: optional(fields, "version")?,
    })
}

/// `https://vault/keys/name/version`, the version being optional.
fn azure_url(text: &str) -> Result<MasterKey> {
    let parts: Vec<_> = text.strip_prefix("https://").unwrap_or_default().split('/').collect();
    match parts[..] {
        [host, "keys", name, ref version @ ..] if !host.is_empty() && !name.is_empty() && version.len() < 2 => {
            Ok(MasterKey::AzureKv {
                vault_url: format!("https://{host}"),
                name: name.to_owned(),
                version: version.concat(),
            })
        }
        _ => Err(refused(text, "https://vault/keys/name/version")),
    }
}

/// `https://host/v1/engine/keys/name`; the path of the engine can have several parts.
fn vault(text: &str) -> Result<MasterKey> {
    let wrong = || refused(text, "https://host:8200/v1/engine/keys/name");
    let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
    let parts: Vec<_> = rest.trim_end_matches('/').split('/').collect();
    let clean = |part: &&str| !part.is_empty() && !part.contains(['?', '#']) && !part.contains(char::is_whitespace);
    let is_version = |part: &str| part.strip_prefix('v').is_some_and(|digits| digits.parse::<u32>().is_ok());
    match parts[..] {
        [host, version, ref engine @ .., _, name]
            if !scheme.is_empty() && is_version(version) && !engine.is_empty() && parts.iter().all(clean) =>
        {
            Ok(MasterKey::HcVault {
                vault_address: format!("{scheme}://{host}"),
                engine_path: engine.join("/"),
                key_name: name.to_owned(),
            })
        }
        _ => Err(wrong()),
    }
}
