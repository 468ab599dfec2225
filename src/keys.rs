//! Master keys at work: the data key is wrapped for them, and unwrapped with what is at hand.

mod age;
#[cfg(feature = "tokens")]
mod cache;
mod found;
mod generate;
mod identities;
mod native;
#[cfg(feature = "pq")]
mod pq;
mod recipients;
mod service;
mod shamir;
mod source;
mod x25519;

use std::collections::HashMap;
use std::fmt;

use zeroize::Zeroizing;

use crate::error::{Error, ErrorKind, Result};
use crate::metadata::{KeyKind, MasterKey, Metadata, WrappedKey};
use crate::secret::{DataKey, on_wiped_stack};

pub(crate) use age::is_wrapped;
#[cfg(feature = "tokens")]
pub(crate) use cache::Cache;
pub use found::{KeyOutcome, KeySource};
pub use generate::NewIdentity;
pub use identities::{Identities, Passphrase};
pub use recipients::Recipients;
pub(crate) use service::NoService;
pub use service::{KeyService, ServiceError};
pub use source::Environment;

/// How many master keys of a file, sources of identities and problems are listed in an error, of each.
const MAX_SHOWN: usize = 50;

/// The data key of a file: what any master key of the one key group wraps, or what a threshold of groups give together.
///
/// # Errors
/// [`ErrorKind::NoMatchingIdentity`], with the master keys of the file and what became of each.
pub(crate) fn unwrap(metadata: &Metadata, service: &dyn KeyService) -> Result<DataKey> {
    let groups = metadata.key_groups().len();
    let needed = if groups == 1 { 1 } else { metadata.shamir_threshold() };
    let mut problems = Vec::new();
    let mut parts = Vec::new();
    for group in metadata.key_groups() {
        parts.extend(unwrap_group(group, service, &mut problems));
        if parts.len() == needed {
            break;
        }
    }
    if parts.len() < needed {
        let report = report(metadata, service, &problems, parts.len(), needed);
        return Err(Error::with_detail(ErrorKind::NoMatchingIdentity, report));
    }
    let secret = match (groups, parts.pop()) {
        (1, Some(part)) => part,
        (_, last) => {
            parts.extend(last);
            shamir::combine(&parts).map_err(unfit)?
        }
    };
    DataKey::from_bytes(&secret).ok_or_else(|| invalid("what the master keys wrap is no data key of 32 bytes"))
}

/// What the keys of a group wrap, by the first that opens. age before PGP before the rest, as sops tries them; and before all
/// of them the keys that the service knows by name.
fn unwrap_group(
    group: &[WrappedKey],
    service: &dyn KeyService,
    problems: &mut Vec<String>,
) -> Option<Zeroizing<Vec<u8>>> {
    let mut keys: Vec<&WrappedKey> = group.iter().collect();
    keys.sort_by_key(|wrapped| {
        let kind = match wrapped.key().kind() {
            KeyKind::Age => 0,
            KeyKind::Pgp => 1,
            _ => 2,
        };
        (!service.prefers(wrapped.key()), kind)
    });
    keys.into_iter().find_map(|wrapped| match service.unwrap(wrapped.key(), wrapped.enc())? {
        Ok(part) => Some(part),
        Err(error) => {
            problems.push(format!("{}: {error}", wrapped.key()));
            None
        }
    })
}

/// Wraps a new data key for the groups of master keys that `recipients` names: the key itself for one group, a share each for several.
///
/// # Errors
/// [`ErrorKind::CannotWrap`], with the key, for a master key that neither `service` nor age takes.
pub(crate) fn wrap(
    recipients: &Recipients,
    data_key: &DataKey,
    service: &dyn KeyService,
) -> Result<Vec<Vec<(MasterKey, String)>>> {
    on_wiped_stack(|| wrap_all(recipients, data_key, service))
}

fn wrap_all(
    recipients: &Recipients,
    data_key: &DataKey,
    service: &dyn KeyService,
) -> Result<Vec<Vec<(MasterKey, String)>>> {
    let parts = split(data_key, recipients.groups().len(), recipients.threshold())?;
    let groups = recipients.groups().iter().zip(&parts);
    groups
        .map(|(group, part)| {
            group.iter().map(|key| Ok((key.clone(), wrap_one(key, part, service)?))).collect::<Result<Vec<_>>>()
        })
        .collect()
}

/// Makes `recipients` the master keys of a file whose data key stays. What a key wraps already is kept, unless there are several
/// key groups: their shares must all be of one split.
///
/// # Errors
/// As [`wrap`].
pub(crate) fn update(
    metadata: &mut Metadata,
    recipients: &Recipients,
    data_key: &DataKey,
    service: &dyn KeyService,
) -> Result<()> {
    let key_groups = on_wiped_stack(|| wrap_new(metadata, recipients, data_key, service))?;
    metadata.set_master_keys(&key_groups, recipients.threshold())
}

fn wrap_new(
    metadata: &Metadata,
    recipients: &Recipients,
    data_key: &DataKey,
    service: &dyn KeyService,
) -> Result<Vec<Vec<(MasterKey, String)>>> {
    let parts = split(data_key, recipients.groups().len(), recipients.threshold())?;
    let one_group = metadata.key_groups().len() == 1 && parts.len() == 1;
    let mut kept = HashMap::new();
    for wrapped in metadata.key_groups().filter(|_| one_group).flatten() {
        kept.entry(wrapped.key()).or_insert(wrapped.enc());
    }
    let mut key_groups = Vec::new();
    for (group, part) in recipients.groups().iter().zip(&parts) {
        let wrapped = group.iter().map(|key| {
            let enc = kept.get(key).map_or_else(|| wrap_one(key, part, service), |enc| Ok((*enc).to_owned()))?;
            Ok((key.clone(), enc))
        });
        key_groups.push(wrapped.collect::<Result<Vec<_>>>()?);
    }
    Ok(key_groups)
}

fn split(data_key: &DataKey, groups: usize, threshold: usize) -> Result<Vec<Zeroizing<Vec<u8>>>> {
    match groups {
        1 => Ok(vec![Zeroizing::new(data_key.as_bytes().to_vec())]),
        _ => shamir::split(data_key.as_bytes(), groups, threshold).map_err(unfit),
    }
}

fn wrap_one(key: &MasterKey, part: &[u8], service: &dyn KeyService) -> Result<String> {
    let cannot = |why: &str| Err(Error::with_detail(ErrorKind::CannotWrap, format!("{key}: {why}")));
    match (service.wrap(key, part), key) {
        (Some(Ok(enc)), _) => Ok(enc),
        (Some(Err(error)), _) => cannot(&error.to_string()),
        (None, MasterKey::Age { recipient }) => age::wrap(recipient, part),
        (None, _) => cannot("there is no key service for it"),
    }
}

fn invalid(detail: &str) -> Error {
    Error::with_detail(ErrorKind::InvalidMetadata, detail)
}

fn unfit(shamir::Unfit(why): shamir::Unfit) -> Error {
    invalid(why)
}

/// Adds a line for each of some things that a file or a key file can have as many of as it likes.
fn list(lines: &mut Vec<String>, mut things: impl Iterator<Item = impl fmt::Display>) {
    lines.extend(things.by_ref().take(MAX_SHOWN).map(|thing| format!("  {thing}")));
    match things.count() {
        0 => {}
        more => lines.push(format!("  and {more} more")),
    }
}

/// What a person needs who cannot open a file: whom it is for, and what was tried.
fn report(metadata: &Metadata, service: &dyn KeyService, problems: &[String], opened: usize, needed: usize) -> String {
    let mut lines = Vec::new();
    if needed > 1 {
        lines.push(format!("{needed} key groups are needed, {opened} could be opened"));
    }
    lines.push(String::from("the file is for:"));
    list(&mut lines, metadata.key_groups().flatten().map(WrappedKey::key));
    lines.push(String::from("tried:"));
    list(&mut lines, service.report().iter());
    list(&mut lines, problems.iter());
    let not_compiled = metadata.recipients().take(MAX_SHOWN).filter_map(age::missing_feature);
    lines.extend(not_compiled.map(|hint| format!("hint: {hint}")));
    lines.join("\n")
}
