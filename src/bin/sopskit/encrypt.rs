//! `sopskit encrypt`.

use std::path::Path;

use sopskit::{CreationRule, EncryptOptions, Environment, ErrorKind, Format, Recipients, Rule};

use crate::args::{Encrypt, Global, NewFile};
use crate::config;
use crate::exit::{self, Failure};

/// Variables by which sops adds master keys that this program cannot wrap for. Leaving them out silently would lock somebody out.
const FOREIGN_KEYS: [&str; 6] = [
    "SOPS_KMS_ARN",
    "SOPS_GCP_KMS_IDS",
    "SOPS_HUAWEICLOUD_KMS_IDS",
    "SOPS_AZURE_KEYVAULT_URLS",
    "SOPS_VAULT_URIS",
    "SOPS_PGP_FP",
];

pub(crate) fn run(command: &Encrypt, global: &Global) -> Result<(), Failure> {
    let files = &command.files;
    files.check()?;
    if files.file.is_none() && files.filename_override.is_none() {
        let message = "standard input has no name to tell its type by, give one with --filename-override";
        return Err(Failure::new(exit::CONFLICTING_PARAMETERS, message));
    }
    let input = files.input_format()?;
    // An encrypted file is JSON whatever the output type; the name must still be one that is known.
    files.output_format()?;
    let (options, recipients) = plan(&command.new_file, global, files.name(), input)?;
    let bytes = files.read()?;
    let text = options.encrypt_bytes(&bytes, &recipients).map_err(|error| match &files.file {
        Some(file) => error.in_file(file),
        None => error,
    })?;
    files.write(text.as_bytes())
}

/// How and for whom a new file of this name is encrypted: by the flags, the environment and the config file.
pub(crate) fn plan(
    command: &NewFile,
    global: &Global,
    name: Option<&Path>,
    format: Format,
) -> Result<(EncryptOptions, Recipients), Failure> {
    let config = config::load(global)?;
    let explicit = recipients(command.age.as_deref())?;
    let creation_rule = match (&config, name) {
        (Some(config), Some(name)) => match config.creation_rule(name) {
            Err(error) if error.kind() == ErrorKind::NoCreationRule && explicit.is_some() => None,
            rule => Some(rule?),
        },
        _ => None,
    };
    if let Some(rule) = &creation_rule {
        tracing::info!("rule {} of the config file counts, line {}", rule.number(), rule.line());
    }
    let recipients = match (explicit, &creation_rule) {
        (Some(recipients), _) => recipients,
        (None, Some(rule)) => rule.recipients()?,
        (None, None) => {
            let message = "no recipient to encrypt for: give --age, set SOPS_AGE_RECIPIENTS, or write a .sops.yaml";
            return Err(Failure::new(exit::NO_ENCRYPTION_KEY, message));
        }
    };
    let recipients = with_threshold(recipients, command.shamir_secret_sharing_threshold)?;
    let options = options(command, global, creation_rule.as_ref(), format)?;
    Ok((options.indent(global.indent(config.as_ref(), format)?), recipients))
}

/// The recipients that were named by a flag or a variable.
pub(crate) fn recipients(flag: Option<&str>) -> Result<Option<Recipients>, Failure> {
    let is_set = |name: &&&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if let Some(name) = FOREIGN_KEYS.iter().find(is_set) {
        let message = format!("{name} is set, but there is no way here to wrap a key for it; unset it, or use sops");
        return Err(Failure::new(exit::GENERIC, message));
    }
    match flag {
        Some(recipients) => Ok(Some(Recipients::parse(recipients)?)),
        None => Ok(Environment::process().recipients()?),
    }
}

fn with_threshold(recipients: Recipients, threshold: Option<usize>) -> Result<Recipients, Failure> {
    if threshold.is_none() {
        return Ok(recipients);
    }
    let groups = recipients.groups().iter().map(|group| Recipients::from_keys(group.iter().cloned()));
    Ok(Recipients::from_groups(groups.collect::<Result<Vec<_>, _>>()?, threshold)?)
}

/// What the creation rule says, and the flags over it.
fn options(
    command: &NewFile,
    global: &Global,
    creation_rule: Option<&CreationRule>,
    format: Format,
) -> Result<EncryptOptions, Failure> {
    let mut options = match creation_rule {
        Some(rule) => rule.options(format),
        None => EncryptOptions::new().format(format),
    };
    if global.mac_only_encrypted {
        options = options.mac_only_encrypted(true);
    }
    let Some(flag) = rule(command, global)? else { return Ok(options) };
    let field = |rule: &Rule| rule.to_string().split(':').next().unwrap_or_default().to_owned();
    match creation_rule.and_then(CreationRule::rule).map(field) {
        // sops takes the two for one file's two rules.
        Some(of_config) if of_config != field(&flag) => {
            let message = format!("{} and {of_config} of the config file exclude each other", field(&flag));
            Err(Failure::new(exit::CONFLICTING_PARAMETERS, message))
        }
        _ => Ok(options.rule(flag)),
    }
}

/// The rule that a flag sets.
fn rule(command: &NewFile, global: &Global) -> Result<Option<Rule>, Failure> {
    type Make = fn(&str) -> sopskit::Result<Rule>;
    let flags: [(&str, &Option<String>, Make); 6] = [
        ("--unencrypted-suffix", &command.unencrypted_suffix, |suffix| Ok(Rule::unencrypted_suffix(suffix))),
        ("--encrypted-suffix", &command.encrypted_suffix, |suffix| Ok(Rule::encrypted_suffix(suffix))),
        ("--unencrypted-regex", &command.unencrypted_regex, Rule::unencrypted_regex),
        ("--encrypted-regex", &command.encrypted_regex, Rule::encrypted_regex),
        ("--unencrypted-comment-regex", &global.unencrypted_comment_regex, Rule::unencrypted_comment_regex),
        ("--encrypted-comment-regex", &global.encrypted_comment_regex, Rule::encrypted_comment_regex),
    ];
    // An empty one counts as not given, as in sops.
    let given = |(name, text, make): (&'static str, &'_ Option<String>, Make)| {
        text.as_deref().filter(|text| !text.is_empty()).map(|text| (name, make(text)))
    };
    let mut given = flags.into_iter().filter_map(given);
    match (given.next(), given.next()) {
        (None, _) => Ok(None),
        (Some((_, rule)), None) => Ok(Some(rule?)),
        (Some((first, _)), Some((second, _))) => {
            let message = format!("{first} and {second} exclude each other: a file has one encryption rule");
            Err(Failure::new(exit::CONFLICTING_PARAMETERS, message))
        }
    }
}
