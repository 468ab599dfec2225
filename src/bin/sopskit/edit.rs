//! `sopskit edit`: the plaintext in an editor.

use std::io;
use std::path::Path;

use sopskit::{Document, EncryptedDocument, ErrorKind, Format, Identities, Map};

use crate::args::{Edit, Global};
use crate::desk::Desk;
use crate::encrypt;
use crate::exit::{self, Failure};
use crate::files::{create_file, named, read_sealed};
use crate::keys;

/// What somebody sees who edits a file that does not exist.
const EXAMPLE: &[u8] =
    br#"{"hello": "Welcome! Change this file as you please.", "list": ["one", "two"], "number": 1234.5, "flag": true}"#;
const BINARY_EXAMPLE: &[u8] = b"Welcome! Change this file as you please.\n";

pub(crate) fn run(command: &Edit, global: &Global) -> Result<(), Failure> {
    let file = named(command.file.as_deref())?;
    let format = command.types.check(file)?;
    command.opening.check()?;
    let work = Work { command, global, file, format, identities: keys::identities(global) };
    let sealed = if file.exists() || file.is_symlink() { Some(read_sealed(file)?) } else { None };
    let base = match &sealed {
        Some(sealed) => command.opening.open(sealed, &work.identities).map_err(|error| error.in_file(file))?,
        None => work.new_document(if format == Format::Json { EXAMPLE } else { BINARY_EXAMPLE })?,
    };
    let plain = base.to_bytes(format).map_err(|error| error.in_file(file))?;
    let desk = Desk::create(file, &plain)?;
    loop {
        desk.run_editor()?;
        let edited = desk.read()?;
        if *edited == *plain {
            return Err(Failure::new(exit::NOT_CHANGED, "the file has not been changed"));
        }
        let saved = match &sealed {
            Some(sealed) => work.save(&edited, sealed, &base, &plain),
            None => work.save_new(&edited),
        };
        match saved {
            Ok(()) => return Ok(()),
            Err(failure) => desk.offer_again(&failure, &edited, &base)?,
        }
    }
}

struct Work<'a> {
    command: &'a Edit,
    global: &'a Global,
    file: &'a Path,
    format: Format,
    identities: Identities,
}

impl Work<'_> {
    fn new_document(&self, plain: &[u8]) -> Result<Document, Failure> {
        let (options, recipients) = encrypt::plan(&self.command.new_file, self.global, Some(self.file), self.format)?;
        Ok(Document::with_options(self.format.parse(plain)?, &recipients, &options)?)
    }

    /// Writes the edit. What others wrote while the editor was open stays: the two edits are merged.
    fn save(&self, edited: &[u8], sealed: &EncryptedDocument, base: &Document, plain: &[u8]) -> Result<(), Failure> {
        let tree: Map = self.format.parse(edited)?;
        let opening = &self.command.opening;
        let merged = opening.edit_options().edit_file(self.file, &self.identities, |now| {
            if now.to_bytes(self.format).is_ok_and(|now| *now == *plain) {
                return now.set_tree(tree.clone());
            }
            let mut ours = opening.open(sealed, &self.identities)?;
            ours.set_tree(tree.clone())?;
            now.merge_with(Some(base), &ours, &self.identities)
        });
        merged.map_err(|error| match error.kind() {
            ErrorKind::MergeConflict => {
                let message = format!("the file was changed meanwhile by others, and so were these by you: {error}");
                Failure::new(exit::GENERIC, message)
            }
            _ => error.into(),
        })
    }

    fn save_new(&self, edited: &[u8]) -> Result<(), Failure> {
        let sealed = self.new_document(edited)?.encrypt()?;
        create_file(self.file, sealed.to_string().as_bytes()).map_err(|error| {
            let message = match error.kind() {
                io::ErrorKind::AlreadyExists => format!("{} was made by others meanwhile", self.file.display()),
                _ => format!("cannot write {}: {error}", self.file.display()),
            };
            Failure::new(exit::CANNOT_WRITE, message)
        })
    }
}
