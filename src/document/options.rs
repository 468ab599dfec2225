//! How a new file is encrypted.

use super::{Document, EncryptedDocument};
use crate::error::{Error, ErrorKind, Result};
use crate::format::{Format, Indent};
use crate::keys::{self, KeyService, Recipients};
use crate::metadata::{MasterKey, Metadata};
use crate::rules::Rule;
use crate::secret::DataKey;
use crate::tree::Map;

/// How a new file is encrypted, where the defaults of sops are not wanted.
///
/// ```
/// use sopskit::{EncryptOptions, Indent, Map, Recipients, Rule};
///
/// let recipients = Recipients::parse("age1w7873r7u6vgwnvm3rx5jmsc2eeahce2wce5w94d04r5qu0y6nyysemjf6a")?;
/// let options = EncryptOptions::new().rule(Rule::encrypted_suffix("_secret")).indent(Indent::Spaces(2));
/// let sealed = options.encrypt(Map::from_iter([("port", 443.into())]), &recipients)?;
/// assert!(sealed.to_string().starts_with("{\n  \"port\": 443,\n  \"sops\": {"));
/// # Ok::<(), sopskit::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct EncryptOptions {
    pub(super) format: Format,
    rule: Rule,
    mac_only_encrypted: bool,
    pub(super) indent: Indent,
}

impl EncryptOptions {
    /// The defaults of sops: JSON, every leaf encrypted but those below `*_unencrypted` keys, indented by tabs.
    #[must_use]
    pub fn new() -> Self {
        EncryptOptions::default()
    }

    /// The format of the plaintext. A binary file is encrypted whole: its rule and `mac_only_encrypted` count for nothing.
    #[must_use]
    pub fn format(mut self, format: Format) -> Self {
        self.format = format;
        self
    }

    /// Which leaves are encrypted.
    #[must_use]
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rule = rule;
        self
    }

    /// Whether the MAC covers encrypted leaves only, so that those in clear can be changed by hand.
    #[must_use]
    pub fn mac_only_encrypted(mut self, only: bool) -> Self {
        self.mac_only_encrypted = only;
        self
    }

    /// How the encrypted file is indented.
    #[must_use]
    pub fn indent(mut self, indent: Indent) -> Self {
        self.indent = indent;
        self
    }

    /// Encrypts a tree under a new data key.
    ///
    /// # Errors
    /// As [`Document::with_options`] and [`Document::encrypt`].
    pub fn encrypt(&self, tree: Map, recipients: &Recipients) -> Result<EncryptedDocument> {
        Document::with_options(tree, recipients, self)?.encrypt()
    }

    /// As [`encrypt`](Self::encrypt), with a key service that wraps for master keys that are not of age.
    ///
    /// # Errors
    /// As [`Document::with_key_service`] and [`Document::encrypt`].
    pub fn encrypt_with(
        &self,
        tree: Map,
        recipients: &Recipients,
        service: &dyn KeyService,
    ) -> Result<EncryptedDocument> {
        Document::with_key_service(tree, recipients, self, service)?.encrypt()
    }

    /// A new data key, and the metadata of a file in which it is wrapped for these recipients.
    pub(super) fn begin(&self, recipients: &Recipients, service: &dyn KeyService) -> Result<(DataKey, Metadata)> {
        let data_key = DataKey::generate();
        let key_groups = keys::wrap(recipients, &data_key, service)?;
        Ok((data_key, self.metadata(&key_groups, recipients.threshold())?))
    }

    fn metadata(&self, key_groups: &[Vec<(MasterKey, String)>], threshold: usize) -> Result<Metadata> {
        let (field, text) = self.rule.field();
        match self.format {
            // sops takes an empty one for none, and the default would count.
            Format::Json if text.is_empty() => {
                Err(Error::with_detail(ErrorKind::InvalidMetadata, "the encryption rule is empty").under_key(field))
            }
            Format::Json => Metadata::new(key_groups, threshold, Some(&self.rule), self.mac_only_encrypted),
            Format::Binary => Metadata::new(key_groups, threshold, None, false),
        }
    }
}
