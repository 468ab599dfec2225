//! Master keys at work: the data key is wrapped for them and unwrapped with the identities at hand.

mod age;
mod shamir;
mod source;

use zeroize::Zeroizing;

use crate::error::{Error, ErrorKind, Result};
use crate::metadata::{KeyKind, MasterKey, Metadata};
use crate::secret::DataKey;

pub use age::{Identities, Recipients};
pub use source::Environment;

/// The data key of a file: what any master key of the one key group wraps, or what a threshold of groups give together.
///
/// # Errors
/// [`ErrorKind::NoMatchingIdentity`], with the recipients of the file and what became of each source of identities.
pub(crate) fn unwrap(metadata: &Metadata, identities: &Identities) -> Result<DataKey> {
    let groups = metadata.key_groups().len();
    let needed = if groups == 1 { 1 } else { metadata.shamir_threshold() };
    let mut parts: Vec<_> = metadata.key_groups().filter_map(|group| identities.unwrap(group)).take(needed).collect();
    if parts.len() < needed {
        return Err(Error::with_detail(
            ErrorKind::NoMatchingIdentity,
            report(metadata, identities, parts.len(), needed),
        ));
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

/// Wraps a data key for all master keys of a file: the key itself for one group, a share each for several.
///
/// # Errors
/// [`ErrorKind::CannotWrap`], with the key, for a master key that is none of age.
pub(crate) fn rewrap(metadata: &mut Metadata, data_key: &DataKey) -> Result<()> {
    let groups = metadata.key_groups().len();
    let parts = if groups == 1 {
        vec![Zeroizing::new(data_key.as_bytes().to_vec())]
    } else {
        shamir::split(data_key.as_bytes(), groups, metadata.shamir_threshold()).map_err(unfit)?
    };
    metadata.rewrap(|group, key| wrap(key, &parts[group]))
}

fn wrap(key: &MasterKey, part: &[u8]) -> Result<String> {
    match key.kind() {
        KeyKind::Age => age::wrap(key.name(), part),
        kind => {
            let detail = format!("{} {}; nothing here can wrap for it", kind.as_str(), key.name());
            Err(Error::with_detail(ErrorKind::CannotWrap, detail))
        }
    }
}

fn invalid(detail: &str) -> Error {
    Error::with_detail(ErrorKind::InvalidMetadata, detail)
}

fn unfit(shamir::Unfit(why): shamir::Unfit) -> Error {
    invalid(why)
}

/// What a person needs who cannot open a file: whom it is for, and what was tried.
fn report(metadata: &Metadata, identities: &Identities, opened: usize, needed: usize) -> String {
    let mut lines = Vec::new();
    if needed > 1 {
        lines.push(format!("{needed} key groups are needed, {opened} could be opened"));
    }
    lines.push(String::from("the file is for:"));
    let keys = metadata.key_groups().flatten();
    lines.extend(keys.map(|key| format!("  {} {}", key.kind().as_str(), key.name())));
    lines.push(String::from("tried:"));
    lines.extend(identities.report().map(|line| format!("  {line}")));
    lines.join("\n")
}
