//! `sopskit decrypt`.

use sopskit::{Bytes, EncryptedDocument, Error, Indent, KeyPath};

use crate::args::{Decrypt, Global};
use crate::config;
use crate::exit::Failure;
use crate::files::say;
use crate::keys;

pub(crate) fn run(command: &Decrypt, global: &Global) -> Result<(), Failure> {
    let files = &command.files;
    files.check()?;
    files.input_format()?;
    let extract = command.extract.as_deref().map(str::parse::<KeyPath>).transpose()?;
    command.opening.check()?;
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
                say!("sopskit: the config file is not used: {}", failure.message());
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
    let sealed = EncryptedDocument::from_bytes(bytes).map_err(in_file)?;
    let identities = keys::identities(global);
    let extract = extract.filter(|path| !path.is_empty());
    if extract.is_none() && !command.opening.ignore_mac {
        return Ok(sealed.decrypt_to_bytes(&identities, format, indent).map_err(in_file)?);
    }
    let document = command.opening.open(&sealed, &identities).map_err(in_file)?;
    let plain = match extract {
        None => format.write(document.tree(), indent),
        Some(path) => document.get(path.clone()).and_then(|value| format.write_value(value, indent)),
    };
    Ok(plain.map_err(in_file)?)
}
