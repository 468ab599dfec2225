//! `sopskit merge-driver`, which git calls.

use std::path::Path;

use sopskit::{Document, EncryptedDocument, ErrorKind, Identities};

use crate::args::{Global, MergeDriver};
use crate::exit::{self, Failure};
use crate::keys;

pub(crate) fn run(command: &MergeDriver, global: &Global) -> Result<(), Failure> {
    let identities = keys::identities(global);
    let name = command.path.as_deref().unwrap_or(&command.ours);
    // Of a file that both sides made anew git hands an empty base.
    let base = match open(&command.base, &identities) {
        Err(error) if error.kind() == ErrorKind::EmptyInput => None,
        base => Some(base.map_err(|error| error.in_file(name))?),
    };
    let merged = || {
        let mut ours = open(&command.ours, &identities)?;
        ours.merge_with(base.as_ref(), &open(&command.theirs, &identities)?, &identities)?;
        sopskit::replace_file(&command.ours, ours.encrypt()?.to_string().as_bytes())
    };
    merged().map_err(|error| match error.conflicts() {
        [] => error.in_file(name).into(),
        conflicts => {
            let name = format!("{}: both sides changed these; our side was left as it is:", name.display());
            let list: Vec<_> = conflicts.iter().map(|path| format!("  {path}")).collect();
            let list = list.iter().map(String::as_str);
            let lines = [name.as_str()].into_iter().chain(list).chain(["set them, then git add the file"]);
            Failure::in_lines(exit::GENERIC, lines)
        }
    })
}

fn open(path: &Path, identities: &Identities) -> sopskit::Result<Document> {
    EncryptedDocument::parse(&sopskit::read_file(path)?)?.decrypt(identities)
}
