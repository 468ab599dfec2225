//! `sopskit decrypt`.

use sopskit::{Bytes, EncryptedDocument, Environment, Error, Identities, Indent, KeyPath, Passphrase};
use zeroize::Zeroizing;

use crate::args::{Decrypt, Global};
use crate::config;
use crate::exit::{self, Failure};

pub(crate) fn run(command: &Decrypt, global: &Global) -> Result<(), Failure> {
    let files = &command.files;
    files.check()?;
    files.input_format()?;
    let extract = command.extract.as_deref().map(str::parse::<KeyPath>).transpose()?;
    check_order(command)?;
    // Decrypted, a file goes nowhere but where it was asked to go, and only whole.
    let plain = open(command, global, extract.as_ref())?;
    files.write(&plain)
}

fn open(command: &Decrypt, global: &Global, extract: Option<&KeyPath>) -> Result<Bytes, Failure> {
    let format = command.files.output_format()?;
    let indent = match global.indent {
        Some(_) => global.indent(None, format)?,
        // The config file says no more than this of a file that exists. One that was named must be good; one that was found
        // is no reason to withhold a secret.
        None => match config::load(global) {
            Err(failure) if global.config.is_none() => {
                eprintln!("sopskit: the config file is not used: {}", failure.message);
                Indent::Tab
            }
            config => global.indent(config?.as_ref(), format)?,
        },
    };
    let bytes = command.files.read()?;
    let in_file = |error: Error| match &command.files.file {
        Some(file) => error.in_file(file),
        None => error,
    };
    let sealed = EncryptedDocument::parse(&bytes).map_err(in_file)?;
    let identities = identities(global);
    let document =
        if command.ignore_mac { sealed.decrypt_ignoring_mac(&identities) } else { sealed.decrypt(&identities) };
    let document = document.map_err(in_file)?;
    let plain = match extract.filter(|path| !path.is_empty()) {
        None => format.write(document.tree(), indent),
        Some(path) => document.get(path.clone()).and_then(|value| format.write_value(value, indent)),
    };
    Ok(plain.map_err(in_file)?)
}

/// The identities that sops would use, with its leave to run programs and to ask at the terminal.
fn identities(global: &Global) -> Identities {
    let environment = Environment::process().with_commands();
    if global.non_interactive {
        return Identities::from_environment(&environment);
    }
    let prompt = Passphrase::new(|what| {
        // Without a terminal there is nobody to ask.
        rpassword::prompt_password(format!("Passphrase of {what}: ")).ok().map(Zeroizing::new)
    });
    Identities::from_environment(&environment.with_passphrase(prompt))
}

/// sops takes each kind once. There is but one kind here, so the order itself changes nothing.
fn check_order(command: &Decrypt) -> Result<(), Failure> {
    let kinds: Vec<&str> = command.decryption_order.as_deref().unwrap_or_default().split(',').collect();
    match kinds.iter().enumerate().find(|(index, kind)| kinds[..*index].contains(kind)) {
        None => Ok(()),
        Some((_, kind)) => {
            Err(Failure::new(exit::DUPLICATE_KEY_KIND, format!("{kind:?} stands twice in --decryption-order")))
        }
    }
}
