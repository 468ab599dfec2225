//! Exit codes: those of sops (`cmd/sops/codes/codes.go`), so that scripts need not change.

use std::fmt;

use sopskit::{Error, ErrorKind};

use crate::files::printable;

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
    /// Fit for a terminal: names of files, and what stands in them, can hold anything.
    message: String,
    hint: Option<&'static str>,
}

impl Failure {
    pub(crate) fn new(code: u8, message: impl Into<String>) -> Self {
        Failure { code, message: printable(&message.into()), hint: None }
    }

    /// For what takes more than one line.
    pub(crate) fn in_lines<'a>(code: u8, lines: impl IntoIterator<Item = &'a str>) -> Self {
        let lines: Vec<_> = lines.into_iter().map(printable).collect();
        Failure { code, message: lines.join("\n"), hint: None }
    }

    /// The same, with more said.
    pub(crate) fn and(&self, more: &str) -> Self {
        Failure { code: self.code, message: format!("{}; {}", self.message, printable(more)), hint: None }
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
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
        let (code, text) = (code(&error), error.to_string());
        let name = error.file().map(|file| file.display().to_string()).unwrap_or_default();
        let failure = match (error.kind(), text.strip_prefix(&name)) {
            // The library lists there whom a file is for and what was tried. A line break in the name is none of its own.
            (ErrorKind::NoMatchingIdentity, Some(rest)) => {
                Failure::in_lines(code, (printable(&name) + rest).split('\n'))
            }
            _ => Failure::new(code, text),
        };
        Failure { hint: hint(error.kind()), ..failure }
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
