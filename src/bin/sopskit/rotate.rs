//! Who can open a file: `sopskit rotate`, `updatekeys` and `groups`.

use std::io;
use std::path::Path;

use sopskit::{Document, EditOptions, EncryptedDocument, Error, Identities, KeyChanges, Recipients};

use crate::args::{Global, GroupTarget, Groups, Rotate, Updatekeys};
use crate::config;
use crate::exit::{self, Failure};
use crate::files::{format, named, print, read_sealed, say, unreadable};
use crate::keys::{self, RETRIES};

pub(crate) fn rotate(command: &Rotate, global: &Global) -> Result<(), Failure> {
    let files = &command.files;
    let file = named(files.file.as_deref())?;
    files.check()?;
    files.input_format()?;
    files.output_format()?;
    command.opening.check()?;
    if !file.exists() && (command.add_age.is_some() || command.rm_age.is_some()) {
        let message = format!("{}: there is no such file whose keys could be changed", file.display());
        return Err(Failure::new(exit::CANNOT_CHANGE_KEYS, message));
    }
    let given = |text: &Option<String>| text.as_deref().map(Recipients::parse).transpose();
    let (added, removed) = (given(&command.add_age)?, given(&command.rm_age)?);
    let identities = keys::identities(global);
    let rotate = |document: &mut Document| {
        let mut recipients = Recipients::of(document.metadata());
        if let Some(added) = &added {
            recipients = recipients.with(added);
        }
        if let Some(removed) = &removed {
            warn_of_strangers(&recipients, removed);
            recipients = recipients.without(removed)?;
        }
        // The data key is new anyway.
        document.rotate_for(&recipients, &identities)
    };
    if files.in_place {
        return command.opening.edit_options().edit_file(file, &identities, rotate).map_err(unreadable);
    }
    let sealed = read_sealed(file)?;
    let done = || {
        let mut document = command.opening.open(&sealed, &identities)?;
        rotate(&mut document)?;
        document.encrypt()
    };
    let sealed = done().map_err(|error| error.in_file(file))?;
    files.write(sealed.to_string().as_bytes())
}

/// Says so when somebody who is to be removed is not there: a key with a slip in it would leave them in.
fn warn_of_strangers(recipients: &Recipients, removed: &Recipients) {
    for key in KeyChanges::between(recipients, removed).added {
        say!("sopskit: {key} is none of the file's recipients, so it was not removed");
    }
}

pub(crate) fn updatekeys(command: &Updatekeys, global: &Global) -> Result<(), Failure> {
    if command.files.is_empty() {
        named(None)?;
    }
    let Some(config) = config::load(global)? else {
        return Err(Failure::new(exit::NO_CONFIG, "there is no config file .sops.yaml here or in a folder above"));
    };
    let identities = keys::identities(global);
    command.files.iter().try_for_each(|file| {
        format(command.input_type.as_deref(), file)?;
        let recipients = config.creation_rule(file)?.recipients()?;
        update_file(file, &recipients, &identities, command.yes)
    })
}

fn update_file(file: &Path, recipients: &Recipients, identities: &Identities, yes: bool) -> Result<(), Failure> {
    say!("Syncing keys for file {}", file.display());
    let sealed = read_sealed(file)?;
    let changes = KeyChanges::between(&Recipients::of(sealed.metadata()), recipients);
    if changes.is_empty() {
        say!("File {} already up to date", file.display());
        return Ok(());
    }
    print(describe(&sealed, recipients, &changes).as_bytes())?;
    if !yes && !confirmed()? {
        say!("File {} left unchanged", file.display());
        return Ok(());
    }
    let any_removed = !changes.removed.is_empty();
    // The file is read again under its lock, and may be large.
    drop((sealed, changes));
    EditOptions::new()
        .edit_sealed_file(file, |sealed| Ok(!sealed.update_keys(recipients, identities)?.is_empty()))
        .map_err(unreadable)?;
    say!("File {} synced with new keys", file.display());
    if any_removed {
        say!("Who was removed still knows the data key: run «sopskit rotate -i {}»", file.display());
    }
    Ok(())
}

/// The changes, in the words of sops.
fn describe(sealed: &EncryptedDocument, recipients: &Recipients, changes: &KeyChanges) -> String {
    let old = Recipients::of(sealed.metadata());
    let mut text = String::from("The following changes will be made to the file's groups:\n");
    if changes.regrouped && old.threshold() != recipients.threshold() {
        text += &format!("shamir_threshold: {} -> {}\n", old.threshold(), recipients.threshold());
    }
    for index in 0..old.groups().len().max(recipients.groups().len()) {
        let group = |recipients: &Recipients| recipients.groups().get(index).cloned().unwrap_or_default();
        let (before, after) = (group(&old), group(recipients));
        text += &format!("Group {}\n", index + 1);
        before.iter().filter(|key| after.contains(key)).for_each(|key| text += &format!("    {key}\n"));
        after.iter().filter(|key| !before.contains(key)).for_each(|key| text += &format!("+++ {key}\n"));
        before.iter().filter(|key| !after.contains(key)).for_each(|key| text += &format!("--- {key}\n"));
    }
    text
}

fn confirmed() -> Result<bool, Failure> {
    loop {
        print(b"Is this okay? (y/n):")?;
        let mut answer = String::new();
        match io::stdin().read_line(&mut answer) {
            Ok(0) => return Err(Failure::new(exit::GENERIC, "there was no answer; --yes asks no question")),
            Err(error) => return Err(Failure::new(exit::GENERIC, format!("cannot read the answer: {error}"))),
            Ok(_) => match answer.trim() {
                "y" => return Ok(true),
                "n" => return Ok(false),
                _ => {}
            },
        }
    }
}

pub(crate) fn groups(command: &Groups, global: &Global) -> Result<(), Failure> {
    match command {
        Groups::Add { age, target } => {
            let group = match age {
                Some(age) => Recipients::parse(age)?,
                None => {
                    return Err(Failure::new(exit::NO_ENCRYPTION_KEY, "no recipient for the key group: give --age"));
                }
            };
            regroup(target, global, |old| old.with_group(&group, target.shamir_secret_sharing_threshold))
        }
        Groups::Delete { index: None, .. } => {
            Err(Failure::new(exit::GENERIC, "it takes the index of a key group, from 0"))
        }
        Groups::Delete { index: Some(index), target } => {
            regroup(target, global, |old| old.without_group(*index, target.shamir_secret_sharing_threshold))
        }
    }
}

fn regroup(
    target: &GroupTarget,
    global: &Global,
    change: impl Fn(Recipients) -> sopskit::Result<Recipients>,
) -> Result<(), Failure> {
    let file = named(target.file.as_deref())?;
    let identities = keys::identities(global);
    let update = |sealed: &mut EncryptedDocument| -> Result<bool, Error> {
        let recipients = change(Recipients::of(sealed.metadata()))?;
        sealed.update_keys(&recipients, &identities)?;
        Ok(true)
    };
    if target.in_place {
        return EditOptions::new().retries(RETRIES).edit_sealed_file(file, update).map(drop).map_err(unreadable);
    }
    let mut sealed = read_sealed(file)?;
    update(&mut sealed).map_err(|error| error.in_file(file))?;
    print(sealed.to_string().as_bytes())
}
