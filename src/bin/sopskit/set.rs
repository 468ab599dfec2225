//! `sopskit set` and `sopskit unset`.

use std::io;
use std::path::Path;

use sopskit::{Bytes, ErrorKind, KeyPath, Value};

use crate::args::{Global, Set, Unset};
use crate::exit::{self, Failure};
use crate::files::unreadable;
use crate::keys;

pub(crate) fn set(command: &Set, global: &Global) -> Result<(), Failure> {
    if command.value_file && command.value_stdin {
        return Err(Failure::new(exit::GENERIC, "--value-file and --value-stdin exclude each other"));
    }
    let (file, path) = match (&command.file, &command.index, &command.value) {
        (Some(file), Some(index), None) if command.value_stdin => (file, index),
        (Some(file), Some(index), Some(_)) if !command.value_stdin => (file, index),
        _ => {
            let needs = if command.value_stdin { "a file and an index" } else { "a file, an index and a value" };
            return Err(Failure::new(exit::NO_FILE, format!("it takes {needs}")));
        }
    };
    command.existing.types.check_input(file)?;
    command.existing.opening.check()?;
    let path = parse_path(path)?;
    let value = value(command)?;
    let options = command.existing.opening.edit_options();
    let changed = options.edit_file(file, &keys::identities(global), |document| {
        let changed = document.set(path.clone(), value.clone())?;
        if changed || !command.idempotent {
            command.existing.types.check_output(file)?;
            document.touch();
        }
        Ok(())
    });
    changed.map_err(unreadable)
}

pub(crate) fn unset(command: &Unset, global: &Global) -> Result<(), Failure> {
    let (Some(file), Some(index)) = (&command.file, &command.index) else {
        return Err(Failure::new(exit::NO_FILE, "it takes a file and an index"));
    };
    command.existing.types.check(file)?;
    command.existing.opening.check()?;
    let path = parse_path(index)?;
    let options = command.existing.opening.edit_options();
    options
        .edit_file(file, &keys::identities(global), |document| match document.unset(path.clone()) {
            Err(error) if error.kind() == ErrorKind::PathNotFound && command.idempotent => Ok(()),
            unset => unset,
        })
        .map_err(unreadable)
}

fn parse_path(text: &str) -> Result<KeyPath, Failure> {
    match text.parse::<KeyPath>() {
        Ok(path) if path.is_empty() => Err(Failure::new(exit::INVALID_SET, "the index is empty")),
        path => path.map_err(|error| Failure::new(exit::INVALID_SET, error.to_string())),
    }
}

fn value(command: &Set) -> Result<Value, Failure> {
    let invalid = |why: String| Failure::new(exit::INVALID_SET, format!("the value is not valid JSON: {why}"));
    let bytes = match &command.value {
        None => sopskit::read_from(io::stdin().lock())?,
        Some(file) if command.value_file => {
            sopskit::read_file(Path::new(file)).map_err(|error| Failure::new(exit::GENERIC, error.to_string()))?
        }
        Some(value) => Bytes::from(value.as_encoded_bytes().to_vec()),
    };
    let text = std::str::from_utf8(&bytes).map_err(|_| invalid(String::from("it is not UTF-8")))?;
    text.parse().map_err(|error: sopskit::Error| {
        let hint =
            if error.kind() == ErrorKind::Syntax { " (a string needs its quotes, as in '\"text\"')" } else { "" };
        invalid(format!("{error}{hint}"))
    })
}
