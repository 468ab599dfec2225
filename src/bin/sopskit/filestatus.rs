//! `sopskit filestatus`.

use sopskit::{EncryptedDocument, ErrorKind};

use crate::args::Filestatus;
use crate::exit::{self, Failure};
use crate::files::{format, named, print};

pub(crate) fn run(command: &Filestatus) -> Result<(), Failure> {
    let file = named(command.file.as_deref())?;
    format(command.input_type.as_deref(), file)?;
    let cannot = |error: sopskit::Error| Failure::new(exit::GENERIC, error.in_file(file).to_string());
    let bytes = sopskit::read_file(file).map_err(cannot)?;
    let encrypted = match EncryptedDocument::parse(&bytes) {
        Ok(sealed) => sealed.has_mac(),
        Err(error) if error.kind() == ErrorKind::NoMetadata => false,
        Err(error) => return Err(cannot(error)),
    };
    print(format!("{{\"encrypted\":{encrypted}}}\n").as_bytes())
}
