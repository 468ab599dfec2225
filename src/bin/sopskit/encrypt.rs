//! `sopskit encrypt`.

use sopskit::{EncryptOptions, Environment, Recipients, Rule};

use crate::args::{Encrypt, Global};
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
    let options = EncryptOptions::new()
        .format(input)
        .rule(rule(command, global)?)
        .mac_only_encrypted(global.mac_only_encrypted)
        .indent(global.indent()?);
    let recipients = recipients(command)?;
    let bytes = files.read()?;
    let tree = input.parse(&bytes).map_err(|error| match &files.file {
        Some(file) => error.in_file(file),
        None => error,
    })?;
    let sealed = options.encrypt(tree, &recipients)?;
    files.write(sealed.to_string().as_bytes())
}

fn recipients(command: &Encrypt) -> Result<Recipients, Failure> {
    if let Some(name) = FOREIGN_KEYS.iter().find(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty())) {
        let message = format!("{name} is set, but there is no way here to wrap a key for it; unset it, or use sops");
        return Err(Failure::new(exit::GENERIC, message));
    }
    let recipients = match &command.age {
        Some(recipients) => Some(Recipients::parse(recipients)?),
        None => Environment::process().recipients()?,
    };
    let none =
        || Failure::new(exit::NO_ENCRYPTION_KEY, "no recipient to encrypt for: give --age, or set SOPS_AGE_RECIPIENTS");
    recipients.ok_or_else(none)
}

fn rule(command: &Encrypt, global: &Global) -> Result<Rule, Failure> {
    let given = [
        command
            .unencrypted_suffix
            .as_deref()
            .map(|suffix| ("--unencrypted-suffix", Ok(Rule::unencrypted_suffix(suffix)))),
        command.encrypted_suffix.as_deref().map(|suffix| ("--encrypted-suffix", Ok(Rule::encrypted_suffix(suffix)))),
        command.unencrypted_regex.as_deref().map(|regex| ("--unencrypted-regex", Rule::unencrypted_regex(regex))),
        command.encrypted_regex.as_deref().map(|regex| ("--encrypted-regex", Rule::encrypted_regex(regex))),
        global
            .unencrypted_comment_regex
            .as_deref()
            .map(|regex| ("--unencrypted-comment-regex", Rule::unencrypted_comment_regex(regex))),
        global
            .encrypted_comment_regex
            .as_deref()
            .map(|regex| ("--encrypted-comment-regex", Rule::encrypted_comment_regex(regex))),
    ];
    let mut given = given.into_iter().flatten();
    match (given.next(), given.next()) {
        (None, _) => Ok(Rule::default()),
        (Some((_, rule)), None) => Ok(rule?),
        (Some((first, _)), Some((second, _))) => {
            let message = format!("{first} and {second} exclude each other: a file has one encryption rule");
            Err(Failure::new(exit::CONFLICTING_PARAMETERS, message))
        }
    }
}
