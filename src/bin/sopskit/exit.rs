//! Exit codes: those of sops (`cmd/sops/codes/codes.go`), so that scripts need not change.

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

/// What ends the program: its exit code and what it says.
pub(crate) struct Failure {
    pub(crate) code: u8,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(code: u8, message: impl Into<String>) -> Self {
        Failure { code, message: message.into() }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure { code: code(&error), message: error.to_string() }
    }
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
