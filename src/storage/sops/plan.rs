//! For whom and how a token is encrypted.

use std::path::Path;

#[cfg(feature = "config")]
use crate::config::{Config, ConfigSearch, CreationRule};
use crate::document::EncryptOptions;
use crate::error::{Error, ErrorKind, Result};
use crate::format::Format;
#[cfg(feature = "config")]
use crate::keys::Environment;
use crate::keys::Recipients;
use crate::rules::Rule;
use crate::tree::Map;
#[cfg(feature = "config")]
use crate::tree::Value;

/// The fields that may be in clear, so that a status needs no key. All others are encrypted by default, `metadata` with all that is in it.
const FIELDS_IN_CLEAR: [&str; 4] = ["token_type", "expires_at", "issued_at", "scope"];

/// For whom and how tokens are encrypted.
pub(in crate::storage) struct Plan {
    /// Who was named, if anybody was; else the creation rule says.
    recipients: Option<Recipients>,
    #[cfg(feature = "config")]
    config: Source,
    pub(in crate::storage) encrypt_all: bool,
}

/// Where creation rules come from.
#[cfg(feature = "config")]
enum Source {
    Nowhere,
    Given(Config),
    /// Looked for at each save: whoever only loads is not bothered by what is wrong in it.
    Searched(Environment),
}

impl Plan {
    pub(in crate::storage) fn for_recipients(recipients: Recipients) -> Self {
        Plan {
            recipients: Some(recipients),
            #[cfg(feature = "config")]
            config: Source::Nowhere,
            encrypt_all: false,
        }
    }

    #[cfg(feature = "config")]
    pub(in crate::storage) fn by_config(config: Config) -> Self {
        Plan { recipients: None, config: Source::Given(config), encrypt_all: false }
    }

    /// The same, by this config file.
    #[cfg(feature = "config")]
    pub(in crate::storage) fn with_config(self, config: Config) -> Self {
        Plan { config: Source::Given(config), ..self }
    }

    /// By the config file that is found from the directory of the token upward. Not from the working directory: it can be that of somebody else's
    /// project, with their recipients.
    #[cfg(feature = "config")]
    pub(in crate::storage) fn by_search(recipients: Option<Recipients>, environment: Environment) -> Self {
        Plan { recipients, config: Source::Searched(environment), encrypt_all: false }
    }

    #[cfg(not(feature = "config"))]
    pub(in crate::storage) fn by_search(recipients: Option<Recipients>, _: crate::keys::Environment) -> Self {
        Plan { recipients, encrypt_all: false }
    }

    /// How a token, in the form in which it is stored, is encrypted that is to lie at `path`.
    ///
    /// # Errors
    /// [`ErrorKind::NoRecipients`], [`ErrorKind::SecretInClear`]; those of [`Config::load`](crate::Config::load) and of [`Config::creation_rule`](crate::Config::creation_rule).
    pub(super) fn of(&self, token: &Map, path: &Path) -> Result<(EncryptOptions, Recipients)> {
        #[cfg(feature = "config")]
        if let Some(rule) = self.creation_rule(path)? {
            let recipients = self.recipients.clone().map_or_else(|| rule.recipients(), Ok)?;
            let encryption = match rule.rule() {
                Some(own) => leaving_no_secret_in_clear(own, token, path)?.clone(),
                None => self.rule(token)?,
            };
            // Whatever the rule says of the MAC: what is in clear is not to be changed by others.
            let options = rule.options(Format::Json).rule(encryption).mac_only_encrypted(false);
            return Ok((options, recipients));
        }
        let recipients = self.recipients.clone().ok_or_else(|| {
            let detail =
                "name them, set SOPS_AGE_RECIPIENTS, or write a .sops.yaml whose creation rule matches the file";
            Error::with_detail(ErrorKind::NoRecipients, detail).in_file(path)
        })?;
        Ok((EncryptOptions::new().format(Format::Json).rule(self.rule(token)?), recipients))
    }

    #[cfg(feature = "config")]
    fn creation_rule(&self, path: &Path) -> Result<Option<CreationRule>> {
        let found;
        let config = match &self.config {
            Source::Nowhere => return Ok(None),
            Source::Given(config) => config,
            Source::Searched(environment) => {
                let directory = path.parent().unwrap_or(path);
                let search = ConfigSearch::new(directory, environment)?;
                let Some(file) = search.config_file() else { return Ok(None) };
                found = Config::load(file)?;
                &found
            }
        };
        match config.creation_rule(path) {
            Err(error) if error.kind() == ErrorKind::NoCreationRule && self.recipients.is_some() => Ok(None),
            rule => rule.map(Some),
        }
    }

    fn rule(&self, token: &Map) -> Result<Rule> {
        if self.encrypt_all {
            return Rule::encrypted_regex(".*");
        }
        // Whatever can be a secret, and that is also what nobody here knows.
        let fields: Vec<_> = token.keys().filter(|key| !FIELDS_IN_CLEAR.contains(key)).map(regex::escape).collect();
        Rule::encrypted_regex(&format!("^({})$", fields.join("|")))
    }
}

/// The rule, if it leaves nothing of a token in clear but what may be.
///
/// # Errors
/// [`ErrorKind::SecretInClear`].
#[cfg(feature = "config")]
fn leaving_no_secret_in_clear<'a>(rule: &'a Rule, token: &Map, path: &Path) -> Result<&'a Rule> {
    let secrets = token.iter().filter(|(key, _)| !FIELDS_IN_CLEAR.contains(key));
    for (key, value) in secrets {
        if is_in_clear(rule, value, rule.matches(key)) {
            return Err(Error::with_detail(ErrorKind::SecretInClear, rule.to_string()).under_key(key).in_file(path));
        }
    }
    Ok(rule)
}

/// Whether a rule leaves any leaf of a value in clear.
#[cfg(feature = "config")]
fn is_in_clear(rule: &Rule, value: &Value, matched: bool) -> bool {
    match value {
        Value::Object(map) => map.iter().any(|(key, value)| is_in_clear(rule, value, matched || rule.matches(key))),
        Value::Array(items) => items.iter().any(|item| is_in_clear(rule, item, matched)),
        Value::Null => false,
        Value::Text(text) if text.as_str().is_empty() => false,
        _ => !rule.selects(matched),
    }
}
