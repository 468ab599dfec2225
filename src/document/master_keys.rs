//! Who can open a document: rotation, and changes to its master keys.

use std::collections::HashSet;

use super::{Document, EncryptedDocument};
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::Result;
use crate::keys::{self, KeyService, NoService, Recipients};
use crate::metadata::MasterKey;
use crate::secret::{DataKey, on_wiped_stack};

/// What became of the master keys of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyChanges {
    /// Keys that open the file now and did not before.
    pub added: Vec<MasterKey>,
    /// Keys that no longer open the file. Who has one of them and an old copy of the file still knows its data key, until it is rotated.
    pub removed: Vec<MasterKey>,
    /// Whether keys moved between key groups, or another number of groups is needed.
    pub regrouped: bool,
}

impl KeyChanges {
    /// What it takes to get from the master keys of a file to others.
    ///
    /// ```
    /// use sopskit::{KeyChanges, Recipients};
    ///
    /// let ada = Recipients::parse("age1w7873r7u6vgwnvm3rx5jmsc2eeahce2wce5w94d04r5qu0y6nyysemjf6a")?;
    /// let bob = Recipients::parse("age17tfxv44858ap3p7e2ce9kztrnyvvjknqd83gp5jen4rt50j4c45q9f4ku0")?;
    /// let changes = KeyChanges::between(&ada, &bob);
    /// assert_eq!((changes.added.len(), changes.removed.len(), changes.is_empty()), (1, 1, false));
    /// assert!(KeyChanges::between(&ada, &ada).is_empty());
    /// # Ok::<(), sopskit::Error>(())
    /// ```
    #[must_use]
    pub fn between(old: &Recipients, new: &Recipients) -> Self {
        let missing = |from: &Recipients, to: &Recipients| {
            let known: HashSet<_> = from.groups().iter().flatten().collect();
            to.groups().iter().flatten().filter(|key| !known.contains(*key)).cloned().collect::<Vec<_>>()
        };
        let sorted = |recipients: &Recipients| {
            let mut groups = recipients.groups().to_vec();
            groups.iter_mut().for_each(|group| group.sort());
            groups
        };
        let (added, removed) = (missing(old, new), missing(new, old));
        let regrouped = old.threshold() != new.threshold()
            || old.groups().len() != new.groups().len()
            || (added.is_empty() && removed.is_empty() && sorted(old) != sorted(new));
        KeyChanges { added, removed, regrouped }
    }

    /// Whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && !self.regrouped
    }
}

impl EncryptedDocument {
    /// Makes `recipients` the master keys of the file, as `sops updatekeys` and `sops groups` do. The data key, all leaves and the MAC stay as they are, so
    /// that this needs a key but no look at the values.
    ///
    /// **Whoever is removed keeps the data key** if they ever opened the file. [`Document::rotate`] takes a new one.
    ///
    /// ```
    /// use sopskit::{EncryptedDocument, Identities, Recipients};
    ///
    /// let alice = Identities::from_file("fixtures/keys/alice.txt")?;
    /// let mut sealed = EncryptedDocument::parse(&std::fs::read("fixtures/3.13.2/token-like/sealed.json")?)?;
    /// let bob = Recipients::parse("age17tfxv44858ap3p7e2ce9kztrnyvvjknqd83gp5jen4rt50j4c45q9f4ku0")?;
    /// let changes = sealed.update_keys(&Recipients::of(sealed.metadata()).with(&bob), &alice)?;
    /// assert_eq!((changes.added.len(), changes.removed.len()), (1, 0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::NoMatchingIdentity`] when `keys` do not open the file, [`ErrorKind::CannotWrap`] for a master key that they cannot wrap for. Nothing
    /// is changed then.
    pub fn update_keys(&mut self, recipients: &Recipients, keys: &dyn KeyService) -> Result<KeyChanges> {
        let changes = KeyChanges::between(&Recipients::of(&self.metadata), recipients);
        if !changes.is_empty() {
            let data_key = on_wiped_stack(|| keys::unwrap(&self.metadata, keys))?;
            keys::update(&mut self.metadata, recipients, &data_key, keys)?;
        }
        Ok(changes)
    }
}

impl Document {
    /// Takes a new data key, wrapped for all master keys of the file; every leaf is then encrypted anew.
    ///
    /// # Errors
    /// [`ErrorKind::CannotWrap`], with its name, when the file has a master key that is not of age. Nothing is changed then.
    pub fn rotate(&mut self) -> Result<()> {
        self.rotate_with(&NoService)
    }

    /// As [`rotate`](Self::rotate), with a key service that wraps for master keys that are not of age.
    ///
    /// # Errors
    /// [`ErrorKind::CannotWrap`], with its name, for a master key that nothing wraps for; [`ErrorKind::InvalidRecipient`] when an age key of
    /// the file is none. Nothing is changed then.
    pub fn rotate_with(&mut self, service: &dyn KeyService) -> Result<()> {
        self.rotate_for(&Recipients::of(&self.metadata), service)
    }

    /// Adds master keys to the first key group, as `sops rotate --add-age` does; the data key stays. Says whether any of them was new.
    ///
    /// ```
    /// use sopskit::{EncryptedDocument, Identities, Recipients};
    ///
    /// let alice = Identities::from_file("fixtures/keys/alice.txt")?;
    /// let bob = Recipients::parse("age17tfxv44858ap3p7e2ce9kztrnyvvjknqd83gp5jen4rt50j4c45q9f4ku0")?;
    /// let sealed = EncryptedDocument::parse(&std::fs::read("fixtures/3.13.2/token-like/sealed.json")?)?;
    /// let mut document = sealed.decrypt(&alice)?;
    /// assert!(document.add_recipients(&bob)?);
    /// assert_eq!(document.metadata().recipients().count(), 2);
    /// assert!(document.remove_recipients(&bob)?); // with a new data key, which bob does not know
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::CannotWrap`] for a master key that is not of age. Nothing is changed then.
    pub fn add_recipients(&mut self, recipients: &Recipients) -> Result<bool> {
        let recipients = Recipients::of(&self.metadata).with(recipients);
        Ok(!self.update_keys(&recipients, &NoService)?.is_empty())
    }

    /// Removes master keys from every key group and **takes a new data key**, since whoever could open the file knows the old one. Says whether any of
    /// them was there. ([`update_keys`](Self::update_keys) removes without a new data key, and leaves have then the same text as before.)
    ///
    /// What the removed could read once they can keep: replace the values themselves where that matters.
    ///
    /// # Errors
    /// [`ErrorKind::NoRecipients`], [`ErrorKind::InvalidRecipient`] when nobody could open the file afterwards, [`ErrorKind::CannotWrap`] for a
    /// master key that is not of age. Nothing is changed then.
    pub fn remove_recipients(&mut self, recipients: &Recipients) -> Result<bool> {
        let old = Recipients::of(&self.metadata);
        let new = old.clone().without(recipients)?;
        if KeyChanges::between(&old, &new).is_empty() {
            return Ok(false);
        }
        self.rotate_for(&new, &NoService)?;
        Ok(true)
    }

    /// Makes `recipients`, such as those of a creation rule, the master keys of the file. The data key stays: see
    /// [`EncryptedDocument::update_keys`], which leaves MAC and time as they are, too.
    ///
    /// # Errors
    /// [`ErrorKind::CannotWrap`] for a master key that neither `service` nor age wraps for. Nothing is changed then.
    pub fn update_keys(&mut self, recipients: &Recipients, service: &dyn KeyService) -> Result<KeyChanges> {
        let changes = KeyChanges::between(&Recipients::of(&self.metadata), recipients);
        if !changes.is_empty() {
            keys::update(&mut self.metadata, recipients, &self.data_key, service)?;
            self.changed = true;
        }
        Ok(changes)
    }

    /// As [`rotate_with`](Self::rotate_with), for other master keys than the file had.
    ///
    /// # Errors
    /// As [`rotate_with`](Self::rotate_with).
    pub fn rotate_for(&mut self, recipients: &Recipients, service: &dyn KeyService) -> Result<()> {
        let data_key = DataKey::generate();
        let key_groups = keys::wrap(recipients, &data_key, service)?;
        self.metadata.set_master_keys(&key_groups, recipients.threshold())?;
        self.data_key = data_key;
        self.sealed_under_data_key = false;
        self.changed = true;
        Ok(())
    }
}
