//! The keys of a command, and how an existing file is opened with them.

use sopskit::{Document, EditOptions, EncryptedDocument, Environment, Identities, Passphrase};
use zeroize::Zeroizing;

use crate::args::{Global, Opening};
use crate::exit::{self, Failure};

/// How often an edit is made again when another program changed the file meanwhile.
pub(crate) const RETRIES: u32 = 10;

/// The identities that sops would use, with its leave to run programs and to ask at the terminal.
pub(crate) fn identities(global: &Global) -> Identities {
    let identities = found(global);
    for source in identities.sources() {
        tracing::info!("{source}");
    }
    identities
}

fn found(global: &Global) -> Identities {
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

impl Opening {
    pub(crate) fn open(&self, sealed: &EncryptedDocument, identities: &Identities) -> sopskit::Result<Document> {
        if self.ignore_mac { sealed.decrypt_ignoring_mac(identities) } else { sealed.decrypt(identities) }
    }

    /// How a file is edited in place. As the edit is simply made again on the new content, a program that honours no lock is no reason to give up.
    pub(crate) fn edit_options(&self) -> EditOptions {
        EditOptions::new().retries(RETRIES).ignore_mac(self.ignore_mac)
    }

    /// sops takes each kind once. There is but one kind here, so the order itself changes nothing.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let kinds: Vec<&str> = self.decryption_order.as_deref().unwrap_or_default().split(',').collect();
        match kinds.iter().enumerate().find(|(index, kind)| kinds[..*index].contains(kind)) {
            None => Ok(()),
            Some((_, kind)) => {
                Err(Failure::new(exit::DUPLICATE_KEY_KIND, format!("{kind:?} stands twice in --decryption-order")))
            }
        }
    }
}
