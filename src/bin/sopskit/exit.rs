//! Exit codes: those of sops (`cmd/sops/codes/codes.go`), so that scripts need not change.

use std::fmt;

use sopskit::{Error, ErrorKind};

pub(crate) const GENERIC: u8 = 1;
pub(crate) const CONFLICTING_PARAMETERS: u8 = 8;
pub(crate) const NO_ENCRYPTION_KEY: u8 = 111;
pub(crate) const DUPLICATE_KEY_KIND: u8 = 112;
pub(crate) const CANNOT_READ: u8 = 2;
pub(crate) const CANNOT_WRITE: u8 = 3;
const CANNOT_DUMP_TREE: u8 = 4;
const CANNOT_DECRYPT_TREE: u8 = 25;
const MAC_MISMATCH: u8 = 51;
const INVALID_PATH: u8 = 91;
pub(crate) const CANNOT_READ_CONFIG: u8 = 5;
pub(crate) const NO_CONFIG: u8 = 61;
pub(crate) const NO_FILE: u8 = 100;
const NO_DATA_KEY: u8 = 128;
const ALREADY_ENCRYPTED: u8 = 203;

pub(crate) const INVALID_SET: u8 = 7;
pub(crate) const CANNOT_CHANGE_KEYS: u8 = 49;
pub(crate) const INTERRUPTED: u8 = 85;
pub(crate) const NOT_CHANGED: u8 = 200;
pub(crate) const NO_EDITOR: u8 = 201;

/// What ends the program: its exit code, what it says, and what to do about it.
pub(crate) struct Failure {
    pub(crate) code: u8,
    pub(crate) message: String,
    hint: Option<&'static str>,
}

impl Failure {
    pub(crate) fn new(code: u8, message: impl Into<String>) -> Self {
        Failure { code, message: message.into(), hint: None }
    }

    pub(crate) fn with_code(self, code: u8) -> Self {
        Failure { code, ..self }
    }

    /// For what was said already, or was said by another program.
    pub(crate) fn silent(code: u8) -> Self {
        Failure::new(code, "")
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure { code: code(&error), message: error.to_string(), hint: hint(error.kind()) }
    }
}

impl fmt::Display for Failure {
    /// Lines for a person: what went wrong, then what to do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.message.is_empty() {
            writeln!(f, "sopskit: {}", self.message)?;
        }
        match self.hint {
            Some(hint) => writeln!(f, "hint: {hint}"),
            None => Ok(()),
        }
    }
}

/// What to do about an error, where the error does not say so itself.
fn hint(kind: ErrorKind) -> Option<&'static str> {
    Some(match kind {
        ErrorKind::NoMetadata => "sopskit encrypt -i FILE encrypts it",
        ErrorKind::AlreadyEncrypted => "sopskit edit FILE or sopskit set FILE changes an encrypted file",
        ErrorKind::MacMismatch | ErrorKind::MacMissing | ErrorKind::MacNotAuthentic => {
            "if you know who changed the file, sopskit decrypt --ignore-mac shows it, and sopskit edit --ignore-mac repairs it"
        }
        ErrorKind::LeafNotAuthentic | ErrorKind::MalformedLeaf | ErrorKind::NotEncrypted => {
            "take the value from an older version of the file; sopskit check FILE lists all such places"
        }
        ErrorKind::NoMatchingIdentity => "sopskit doctor FILE checks where identities are looked for",
        ErrorKind::NoRecipients => "sopskit keygen -o FILE makes an identity; its public key is a recipient",
        ErrorKind::InvalidConfig | ErrorKind::NoCreationRule => {
            "sopskit doctor FILE checks the config file and its rules"
        }
        ErrorKind::Busy => "try again when the other program is done",
        ErrorKind::NotPrivate => "sopskit doctor --fix mends modes",
        _ => return None,
    })
}

fn code(error: &Error) -> u8 {
    match error.kind() {
        ErrorKind::Read if error.is_not_found() => NO_FILE,
        ErrorKind::Read
        | ErrorKind::EmptyInput
        | ErrorKind::ByteOrderMark
        | ErrorKind::NotUtf8
        | ErrorKind::Syntax
        | ErrorKind::TrailingData
        | ErrorKind::TooDeep
        | ErrorKind::TooLarge
        | ErrorKind::NotAnObject
        | ErrorKind::DuplicateKey
        | ErrorKind::LoneSurrogate
        | ErrorKind::NumberOutOfRange
        | ErrorKind::NumberNotExact => CANNOT_READ,
        ErrorKind::Write => CANNOT_WRITE,
        ErrorKind::NotRepresentable => CANNOT_DUMP_TREE,
        ErrorKind::MalformedLeaf
        | ErrorKind::UnknownLeafType
        | ErrorKind::NotEncrypted
        | ErrorKind::LeafNotAuthentic
        | ErrorKind::LeafValue => CANNOT_DECRYPT_TREE,
        ErrorKind::MacMissing | ErrorKind::MacNotAuthentic | ErrorKind::MacMismatch => MAC_MISMATCH,
        ErrorKind::InvalidPath => INVALID_PATH,
        ErrorKind::NoRecipients => NO_ENCRYPTION_KEY,
        ErrorKind::NoMatchingIdentity => NO_DATA_KEY,
        ErrorKind::AlreadyEncrypted => ALREADY_ENCRYPTED,
        _ => GENERIC,
    }
}
