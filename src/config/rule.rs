//! Creation rules: how the files are encrypted whose paths they match.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::yaml::{Fields, Node};
use super::{Stores, invalid, keys};
use crate::document::EncryptOptions;
use crate::error::{Error, ErrorKind, Result};
use crate::format::Format;
use crate::keys::Recipients;
use crate::rules::{self, Rule};

const PATH_REGEX: &str = "path_regex";
const MAC_ONLY_ENCRYPTED: &str = "mac_only_encrypted";

/// What the creation rule of a config file says of the files that it matches.
///
/// ```
/// use sopskit::{Config, Format};
///
/// let text = "
/// creation_rules:
///   - path_regex: ^secrets/
///     age: age1w7873r7u6vgwnvm3rx5jmsc2eeahce2wce5w94d04r5qu0y6nyysemjf6a
///     encrypted_regex: ^password$
/// ";
/// let config = Config::parse(text, "/repo/.sops.yaml".as_ref())?;
/// let rule = config.creation_rule("/repo/secrets/db.json".as_ref())?;
/// assert_eq!((rule.number(), rule.path_regex()), (1, Some("^secrets/")));
///
/// let tree = sopskit::Map::from_iter([("user", "ada".into()), ("password", "hunter2".into())]);
/// let sealed = rule.options(Format::Json).encrypt(tree, &rule.recipients()?)?;
/// assert_eq!(sealed.metadata().rule().to_string(), "encrypted_regex: ^password$");
/// # Ok::<(), sopskit::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct CreationRule {
    entry: Entry,
    config_file: PathBuf,
    rule: Option<Rule>,
    mac_only_encrypted: bool,
    stores: Stores,
}

impl CreationRule {
    /// Which rule of the file this is, from 1.
    #[must_use]
    pub fn number(&self) -> usize {
        self.entry.number
    }

    /// The line of the file in which the rule begins, from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.entry.line
    }

    /// The regular expression that a path must match; `None` for a rule that matches every path.
    #[must_use]
    pub fn path_regex(&self) -> Option<&str> {
        self.entry.path_regex.as_deref()
    }

    /// The master keys, their groups, and how many groups are needed. Read only when it is asked for: a rule can do without, or name keys
    /// that this build does not know, where the caller says for whom.
    ///
    /// # Errors
    /// With file and position: [`ErrorKind::InvalidRecipient`], and [`ErrorKind::NoRecipients`] when the rule names no key.
    pub fn recipients(&self) -> Result<Recipients> {
        self.entry.recipients().map_err(|error| error.in_file(&self.config_file))
    }

    /// Which leaves are encrypted; `None` where the file does not say, so that [`Rule::default`] counts.
    #[must_use]
    pub fn rule(&self) -> Option<&Rule> {
        self.rule.as_ref()
    }

    /// Whether the MAC covers encrypted leaves only.
    #[must_use]
    pub fn mac_only_encrypted(&self) -> bool {
        self.mac_only_encrypted
    }

    /// How a new file of this format is encrypted: all that the config file says, but for whom.
    #[must_use]
    pub fn options(&self, format: Format) -> EncryptOptions {
        EncryptOptions::new()
            .format(format)
            .rule(self.rule.clone().unwrap_or_default())
            .mac_only_encrypted(self.mac_only_encrypted)
            .indent(self.stores.indent(format))
    }
}

/// A rule as it stands in the file. What it says is read when it is asked for: a recipient that this build does not know is no
/// obstacle for files of other rules.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) number: usize,
    pub(super) line: usize,
    pub(super) path_regex: Option<String>,
    node: Arc<Node>,
}

impl fmt::Debug for Entry {
    /// Without what it says: a secret key can stand where a recipient belongs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule {}, line {}, path_regex {:?}", self.number, self.line, self.path_regex)
    }
}

impl Entry {
    /// # Errors
    /// Those of the form: of what would stop sops too, whichever rule is asked for.
    pub(super) fn parse(index: usize, node: &Arc<Node>) -> Result<Self> {
        if node.is_null() {
            return Err(invalid("expected a mapping, not nothing"));
        }
        let path_regex = node.fields()?.read(PATH_REGEX, |node| node.text_or_null().map(str::to_owned))?;
        let entry = Entry {
            number: index + 1,
            line: node.position.line,
            path_regex: Some(path_regex).filter(|regex| !regex.is_empty()),
            node: Arc::clone(node),
        };
        let problems = [entry.read().err(), keys::recipients(node.fields()?).err()];
        match problems.into_iter().flatten().find(|error| error.kind() == ErrorKind::InvalidConfig) {
            Some(error) => Err(error),
            None => Ok(entry),
        }
    }

    /// Whether the rule is for a path; its expression may take so many bytes of memory.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRegex`].
    pub(super) fn matches(&self, path: &str, memory: usize) -> Result<bool> {
        let Some(regex) = &self.path_regex else { return Ok(true) };
        rules::is_match(regex, memory, path).map_err(|error| {
            let error = error.under_key(PATH_REGEX);
            let position = self.node.fields().ok().and_then(|fields| fields.get(PATH_REGEX)).map(|node| node.position);
            self.locate(error.at(position.unwrap_or(self.node.position)))
        })
    }

    /// What the rule of a config file says.
    ///
    /// # Errors
    /// [`ErrorKind::ConflictingRules`], and those of [`Rule`].
    pub(super) fn resolve(&self, config_file: &Path, stores: Stores) -> Result<CreationRule> {
        let (rule, mac_only_encrypted) = self.read().map_err(|error| self.locate(error.at(self.node.position)))?;
        let (entry, config_file) = (self.clone(), config_file.to_owned());
        Ok(CreationRule { entry, config_file, rule, mac_only_encrypted, stores })
    }

    /// # Errors
    /// Those of [`keys::recipients`].
    pub(super) fn recipients(&self) -> Result<Recipients> {
        let recipients = self.node.fields().and_then(keys::recipients);
        recipients.map_err(|error| self.locate(error.at(self.node.position)))
    }

    fn locate(&self, error: Error) -> Error {
        error.under_index(self.number - 1).under_key(super::CREATION_RULES)
    }

    fn read(&self) -> Result<(Option<Rule>, bool)> {
        let known: Vec<_> =
            rules::FIELDS.into_iter().chain([PATH_REGEX, MAC_ONLY_ENCRYPTED]).chain(keys::field_names()).collect();
        let fields = self.node.fields()?.only(&known)?;
        let mac_only_encrypted = fields.read(MAC_ONLY_ENCRYPTED, Node::boolean)?;
        Ok((encryption_rule(fields)?, mac_only_encrypted))
    }
}

/// The one field of six that says which leaves are encrypted. An empty one counts as absent.
fn encryption_rule(fields: Fields<'_>) -> Result<Option<Rule>> {
    let mut found = None;
    for name in rules::FIELDS {
        let rule = fields.read(name, |node| match node.text_or_null()? {
            "" => Ok(None),
            text => Rule::from_field(name, text).transpose(),
        })?;
        if rule.is_some() && found.is_some() {
            return Err(Error::new(ErrorKind::ConflictingRules));
        }
        found = rule.or(found);
    }
    Ok(found)
}
