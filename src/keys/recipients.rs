//! Whom a document is encrypted for.

use std::collections::HashSet;
use std::str::FromStr;

use super::age;
use crate::error::{Error, ErrorKind, Result};
use crate::metadata::{MasterKey, Metadata, WrappedKey};

/// Whom a document is encrypted for: the master keys that its data key is wrapped for, in one key group or several.
///
/// ```
/// use sopskit::Recipients;
///
/// let ada = "age1w7873r7u6vgwnvm3rx5jmsc2eeahce2wce5w94d04r5qu0y6nyysemjf6a";
/// let bob = "age17tfxv44858ap3p7e2ce9kztrnyvvjknqd83gp5jen4rt50j4c45q9f4ku0";
/// // Each of them opens the file.
/// let either = Recipients::parse(&format!("{ada},{bob}"))?;
/// // It takes both of them.
/// let both = Recipients::from_groups([Recipients::parse(ada)?, Recipients::parse(bob)?], None)?;
/// assert_eq!((either.groups().len(), both.groups().len(), both.threshold()), (1, 2, 2));
/// # Ok::<(), sopskit::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipients {
    groups: Vec<Vec<MasterKey>>,
    threshold: usize,
}

impl Recipients {
    /// The age recipients in `text`, separated by commas or line breaks, each once: one key group.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRecipient`] for anything that is no age recipient, or one of a kind whose feature is not compiled in;
    /// [`ErrorKind::NoRecipients`] when there is none.
    pub fn parse(text: &str) -> Result<Self> {
        let recipients = text.split([',', '\n', '\r']).flat_map(split_blanks).filter(|part| !part.is_empty());
        Recipients::from_keys(recipients.map(|recipient| MasterKey::Age { recipient: recipient.to_owned() }))
    }

    /// Master keys of any kind, each once: one key group. Keys that are not of age need a [`KeyService`](crate::KeyService).
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn from_keys(keys: impl IntoIterator<Item = MasterKey>) -> Result<Self> {
        let (mut group, mut known) = (Vec::new(), HashSet::new());
        for key in keys {
            if let MasterKey::Age { recipient } = &key {
                age::check_recipient(recipient)?;
            }
            if known.insert(key.clone()) {
                group.push(key);
            }
        }
        if group.is_empty() {
            return Err(Error::new(ErrorKind::NoRecipients));
        }
        Ok(Recipients { groups: vec![group], threshold: 1 })
    }

    /// Several key groups, of which `threshold` open a file together: all of them, unless it says otherwise. Any key of a group opens it.
    ///
    /// # Errors
    /// [`ErrorKind::NoRecipients`] without any group; [`ErrorKind::InvalidRecipient`] for a threshold below 2 or above the number of groups, and for more than
    /// 255 groups. One group is taken as it is, whatever the threshold.
    pub fn from_groups(groups: impl IntoIterator<Item = Recipients>, threshold: Option<usize>) -> Result<Self> {
        let groups: Vec<_> = groups.into_iter().flat_map(|recipients| recipients.groups).collect();
        let threshold = threshold.unwrap_or(groups.len());
        match groups.len() {
            0 => Err(Error::new(ErrorKind::NoRecipients)),
            1 => Ok(Recipients { groups, threshold: 1 }),
            2..=255 if (2..=groups.len()).contains(&threshold) => Ok(Recipients { groups, threshold }),
            count => {
                let detail = format!("{threshold} of {count} key groups; from 2 to all of at most 255 can be needed");
                Err(Error::with_detail(ErrorKind::InvalidRecipient, detail))
            }
        }
    }

    /// The master keys of a file.
    ///
    /// ```
    /// use sopskit::{EncryptedDocument, Recipients};
    ///
    /// let sealed = EncryptedDocument::parse(&std::fs::read("fixtures/3.13.2/two-recipients/sealed.json")?)?;
    /// assert_eq!(Recipients::of(sealed.metadata()).groups()[0].len(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn of(metadata: &Metadata) -> Self {
        let keys = |group: &[WrappedKey]| group.iter().map(|wrapped| wrapped.key().clone()).collect();
        let groups: Vec<Vec<_>> = metadata.key_groups().map(keys).collect();
        let threshold = if groups.len() == 1 { 1 } else { metadata.shamir_threshold() };
        Recipients { groups, threshold }
    }

    /// These and the keys of `others`, which come into the first key group, as sops adds them. Keys that are there already stay once.
    #[must_use]
    pub fn with(mut self, others: &Recipients) -> Self {
        let mut known: HashSet<_> = self.groups.iter().flatten().collect();
        let new: Vec<_> = others.groups.iter().flatten().filter(|key| known.insert(key)).cloned().collect();
        self.groups[0].extend(new);
        self
    }

    /// These without the keys of `others`, in whatever group they are. A group that becomes empty is gone, and the threshold is at most
    /// the number of groups.
    ///
    /// # Errors
    /// [`ErrorKind::NoRecipients`] when none is left; [`ErrorKind::InvalidRecipient`] when fewer groups are left than are needed to open the file.
    pub fn without(mut self, others: &Recipients) -> Result<Self> {
        let others: HashSet<_> = others.groups.iter().flatten().collect();
        self.groups.iter_mut().for_each(|group| group.retain(|key| !others.contains(key)));
        self.groups.retain(|group| !group.is_empty());
        self.checked()
    }

    /// These with one more key group; `threshold` groups are then needed, or as many as before if it is `None`, and at least two.
    ///
    /// # Errors
    /// As [`from_groups`](Self::from_groups).
    pub fn with_group(mut self, group: &Recipients, threshold: Option<usize>) -> Result<Self> {
        self.groups.extend(group.groups.iter().cloned());
        self.threshold = threshold.unwrap_or(self.threshold.max(2));
        self.checked()
    }

    /// These without the key group at `index`, from 0.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRecipient`] when there is no such group, or fewer groups would be left than are needed to open the file.
    pub fn without_group(mut self, index: usize, threshold: Option<usize>) -> Result<Self> {
        if index >= self.groups.len() {
            let detail =
                format!("there is no key group {index}, they are counted from 0 and there are {}", self.groups.len());
            return Err(Error::with_detail(ErrorKind::InvalidRecipient, detail));
        }
        self.groups.remove(index);
        self.threshold = threshold.unwrap_or(self.threshold);
        self.checked()
    }

    fn checked(self) -> Result<Self> {
        if self.groups.len() == 1 && self.threshold > 1 {
            let detail = format!("{} key groups are needed to open the file, and one would be left", self.threshold);
            return Err(Error::with_detail(ErrorKind::InvalidRecipient, detail));
        }
        let group = |group| Recipients { groups: vec![group], threshold: 1 };
        Recipients::from_groups(self.groups.into_iter().map(group), Some(self.threshold))
    }

    /// The key groups.
    #[must_use]
    pub fn groups(&self) -> &[Vec<MasterKey>] {
        &self.groups
    }

    /// How many key groups open a file together.
    #[must_use]
    pub fn threshold(&self) -> usize {
        self.threshold
    }
}

/// Blanks separate recipients too, but stand inside of those of SSH.
fn split_blanks(part: &str) -> Vec<&str> {
    let part = part.trim();
    if part.starts_with("ssh-") { vec![part] } else { part.split_whitespace().collect() }
}

impl FromStr for Recipients {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Recipients::parse(text)
    }
}
