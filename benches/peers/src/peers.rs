//! The peers inside this process.

use std::error::Error;

use rops::cryptography::{cipher::AES256GCM, hasher::SHA512};
use rops::file::RopsFile;
use rops::file::builder::RopsFileBuilder;
use rops::file::format::{FileFormat as _, JsonFileFormat};
use rops::file::state::EncryptedFile;
use rops::integration::{AgeIntegration, Integration};
use sopskit::{Bytes, EncryptOptions, EncryptedDocument, Format, Identities, Indent, Recipients};

/// Where rops looks for its keys.
pub(crate) const KEY: &str = "ROPS_AGE";

/// What a peer gives back, in the memory that it gives it back in.
pub(crate) type Output = Box<dyn AsRef<[u8]>>;

pub(crate) trait Peer {
    fn name(&self) -> &'static str;

    /// Whether it starts a process for each document.
    fn is_process(&self) -> bool {
        false
    }

    /// From the bytes of a plaintext to those of its encrypted file, with a new data key.
    fn encrypt(&self, plain: &[u8]) -> Result<Output, String>;

    /// And back, the MAC checked.
    fn decrypt(&self, sealed: Vec<u8>) -> Result<Output, String>;
}

pub(crate) struct Sopskit {
    identities: Identities,
    recipients: Recipients,
}

impl Sopskit {
    pub(crate) fn new(key_file: &str) -> Self {
        let identities = Identities::parse(key_file).expect("a key file");
        let recipients = Recipients::parse(&public_key(&identities)).expect("a public key");
        Sopskit { identities, recipients }
    }

    /// The public key that all encrypt for.
    pub(crate) fn recipient(&self) -> String {
        public_key(&self.identities)
    }
}

fn public_key(identities: &Identities) -> String {
    identities.recipients().next().expect("a key file has a key").to_string()
}

impl Peer for Sopskit {
    fn name(&self) -> &'static str {
        "sopskit"
    }

    fn encrypt(&self, plain: &[u8]) -> Result<Output, String> {
        let text = EncryptOptions::new().encrypt_bytes(plain, &self.recipients);
        text.map(|text| Box::new(text) as Output).map_err(|error| chain(&error))
    }

    fn decrypt(&self, sealed: Vec<u8>) -> Result<Output, String> {
        let decrypt = || {
            EncryptedDocument::from_bytes(Bytes::from(sealed))?.decrypt_to_bytes(
                &self.identities,
                Format::Json,
                Indent::Tab,
            )
        };
        decrypt().map(|bytes| Box::new(bytes) as Output).map_err(|error| chain(&error))
    }
}

type RopsSealed = RopsFile<EncryptedFile<AES256GCM, SHA512>, JsonFileFormat>;

/// It reads and parses its private key at every document: there is no other way in.
pub(crate) struct Rops {
    recipient: <AgeIntegration as Integration>::KeyId,
}

impl Rops {
    pub(crate) fn new(key_file: &str) -> Self {
        let recipient = public_key(&Identities::parse(key_file).expect("a key file"));
        Rops { recipient: AgeIntegration::parse_key_id(&recipient).expect("a public key") }
    }
}

impl Peer for Rops {
    fn name(&self) -> &'static str {
        "rops"
    }

    fn encrypt(&self, plain: &[u8]) -> Result<Output, String> {
        let plain = std::str::from_utf8(plain).map_err(|error| chain(&error))?;
        let file = RopsFileBuilder::<JsonFileFormat>::new(plain)
            .map_err(|error| chain(&error))?
            .add_integration_key::<AgeIntegration>(self.recipient.clone())
            .encrypt::<AES256GCM, SHA512>()
            .map_err(|error| chain(&error))?;
        // What its Display does, less one copy.
        JsonFileFormat::serialize_to_string(&file).map(|text| Box::new(text) as Output).map_err(|error| chain(&error))
    }

    fn decrypt(&self, sealed: Vec<u8>) -> Result<Output, String> {
        let sealed = std::str::from_utf8(&sealed).map_err(|error| chain(&error))?;
        let file = sealed.parse::<RopsSealed>().map_err(|error| chain(&error))?;
        let opened = file.decrypt::<JsonFileFormat>().map_err(|error| chain(&error))?;
        JsonFileFormat::serialize_to_string(opened.map())
            .map(|text| Box::new(text) as Output)
            .map_err(|error| chain(&error))
    }
}

/// An error with its causes, on one line.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error: &&dyn Error| (*error).source());
    causes.map(|error| error.to_string().replace('\n', " ")).collect::<Vec<_>>().join(": ")
}
