//! `sopskit keygen`.

use std::io::{self, IsTerminal as _};

use sopskit::NewIdentity;

use crate::args::Keygen;
use crate::exit::Failure;
use crate::files::{print, say};

pub(crate) fn run(command: &Keygen) -> Result<(), Failure> {
    let new = if command.pq { NewIdentity::post_quantum() } else { NewIdentity::x25519() };
    match &command.output {
        Some(path) => new.create_file(path)?,
        None => print(new.key_file().as_str().as_bytes())?,
    }
    // As age-keygen: whoever sees the file on the terminal sees the recipient in it.
    if command.output.is_some() || !io::stdout().is_terminal() {
        say!("Public key: {}", new.recipient());
    }
    Ok(())
}
