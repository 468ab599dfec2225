//! The one error type of the crate.
//!
//! An [`Error`] says what went wrong ([`ErrorKind`]), where (the key path in the document, the place in the text, the file)
//! and what to do about it. It never holds a secret: no plaintext, no identity, no data key, no MAC.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::path::{KeyPath, Segment};

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong while reading, writing or changing a SOPS file.
///
/// [`kind`](Self::kind) tells errors apart; [`path`](Self::path) and [`position`](Self::position) say where. `Display` gives one
/// line for a person, without any secret.
///
/// ```
/// use sopskit::{EncryptedDocument, ErrorKind};
///
/// let error = EncryptedDocument::parse(br#"{"a": {"b": 1, "b": 2}}"#).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::DuplicateKey);
/// assert_eq!(error.path().to_string(), r#"["a"]["b"]"#);
/// assert_eq!(error.to_string(), r#"duplicate key at ["a"]["b"], line 1 column 16"#);
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    /// What the kind alone does not say. Must never quote a value of the document.
    detail: Option<String>,
    /// Segments from the leaf up: an error gathers its path while it travels from the leaf to the root.
    reversed_path: Vec<Segment>,
    position: Option<Position>,
    file: Option<PathBuf>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
    conflicts: Vec<KeyPath>,
}

/// A place in a text: line and column, both counted from 1, the column in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The column in bytes, from 1.
    pub column: usize,
}

impl Position {
    /// The place of byte `offset` of `text`.
    pub(crate) fn of(text: &[u8], offset: usize) -> Self {
        let before = &text[..offset.min(text.len())];
        let line_start = memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1);
        Position { line: 1 + memchr::memchr_iter(b'\n', before).count(), column: 1 + before.len() - line_start }
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $says:literal;)*) => {
        /// The kinds of [`Error`].
        ///
        /// More kinds can be added in a minor release.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorKind {
            $($(#[$doc])* $name,)*
        }

        impl ErrorKind {
            /// A stable name in kebab-case, for logs and scripts.
            ///
            /// ```
            /// assert_eq!(sopskit::ErrorKind::MacMismatch.as_str(), "mac-mismatch");
            /// ```
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            fn says(self) -> &'static str {
                match self { $(Self::$name => $says,)* }
            }
        }
    };
}

kinds! {
    /// The input holds nothing but white space.
    EmptyInput = "empty-input", "the input is empty";
    /// The input begins with a byte order mark (U+FEFF). JSON has none; sops refuses it too.
    ByteOrderMark = "byte-order-mark", "the input begins with a byte order mark, remove it";
    /// The input is not UTF-8.
    NotUtf8 = "not-utf8", "the input is not UTF-8";
    /// The input is not JSON.
    Syntax = "syntax", "not valid JSON";
    /// Something follows the closing brace. sops drops it silently.
    TrailingData = "trailing-data", "unexpected text after the end of the JSON object";
    /// Objects and arrays are nested deeper than [`MAX_DEPTH`](crate::MAX_DEPTH).
    TooDeep = "too-deep", "objects and arrays are nested too deeply";
    /// The file has more of something than is taken: see [`Limits`](crate::Limits).
    TooLarge = "too-large", "the file is too large";
    /// The top level is not an object.
    NotAnObject = "not-an-object", "the top level of a SOPS file must be an object";
    /// A key stands twice in one object. sops keeps both, and later tools disagree about which one counts.
    DuplicateKey = "duplicate-key", "duplicate key";
    /// A string holds half of a surrogate pair, which is no character. sops replaces it by U+FFFD.
    LoneSurrogate = "lone-surrogate", "a \\u escape is half of a surrogate pair";
    /// A number is larger than a 64-bit float can be, as in `1e400`, or is not a number at all.
    NumberOutOfRange = "number-out-of-range", "the number is out of range";
    /// A number cannot be kept exactly: an integer outside 64 bits, or more digits than a 64-bit float holds. sops rounds it.
    NumberNotExact = "number-not-exact", "the number cannot be kept exactly, store it as a string";
    /// A plaintext has a top-level key `sops`: it is encrypted already, or could not be told from an encrypted file.
    AlreadyEncrypted = "already-encrypted", "there is a top-level key \"sops\": the file is encrypted already, or the key must be renamed";

    /// There is no top-level `sops` object: the file is not encrypted.
    NoMetadata = "no-metadata", "no \"sops\" metadata, the file is not encrypted";
    /// The `sops` object lacks a field, or holds one in a wrong form.
    InvalidMetadata = "invalid-metadata", "invalid sops metadata";
    /// More than one encryption rule is set.
    ConflictingRules = "conflicting-rules", "more than one encryption rule is set";
    /// The regular expression of an encryption rule, or of a rule of a config file, cannot be compiled.
    InvalidRegex = "invalid-regex", "invalid regular expression";

    /// An encrypted leaf is not of the form `ENC[AES256_GCM,data:…,iv:…,tag:…,type:…]`.
    MalformedLeaf = "malformed-leaf", "the encrypted value is not of the form ENC[AES256_GCM,…]";
    /// An encrypted leaf has a type that this release does not know.
    UnknownLeafType = "unknown-leaf-type", "the encrypted value is of an unknown type";
    /// A leaf that the encryption rule selects is a number or a boolean in clear.
    NotEncrypted = "not-encrypted", "the encryption rule selects this value, but it is not encrypted";
    /// A leaf was changed, moved or sealed under another data key.
    LeafNotAuthentic = "leaf-not-authentic", "the value was changed or moved after it was encrypted";
    /// A leaf is authentic, but its bytes are not of its type, as in a leaf of type `int` that holds a word.
    LeafValue = "leaf-value", "the decrypted value does not fit its type";

    /// The file has no MAC.
    MacMissing = "mac-missing", "the file has no MAC";
    /// The MAC cannot be decrypted: it, `lastmodified` or the data key was changed.
    MacNotAuthentic = "mac-not-authentic", "the MAC of the file cannot be decrypted: it or lastmodified was changed";
    /// The MAC does not fit the content: a value was removed, added, moved or changed.
    MacMismatch = "mac-mismatch", "the content does not fit the MAC of the file: it was changed without sops";

    /// None of the identities opens the data key.
    NoMatchingIdentity = "no-matching-identity", "no identity opens this file";
    /// A text is not an identity.
    InvalidIdentity = "invalid-identity", "not an age identity";
    /// A text is not a recipient.
    InvalidRecipient = "invalid-recipient", "not a recipient";
    /// There is no master key to encrypt with.
    NoRecipients = "no-recipients", "no recipient to encrypt for";
    /// The data key must be wrapped for a master key that nothing here can wrap for.
    CannotWrap = "cannot-wrap", "the data key cannot be wrapped for a master key";

    /// A config file is not YAML, or holds something in a wrong form.
    InvalidConfig = "invalid-config", "invalid config file";
    /// No creation rule of the config file matches the path of a file.
    NoCreationRule = "no-creation-rule", "no creation rule of the config file matches";

    /// A file format that this crate does not read or write.
    UnsupportedFormat = "unsupported-format", "unsupported file format";
    /// A value cannot be written in the format asked for, as bytes that are not UTF-8 in JSON.
    NotRepresentable = "not-representable", "the value cannot be written in this format";
    /// A key path does not parse.
    InvalidPath = "invalid-path", "invalid key path";
    /// There is nothing at the key path.
    PathNotFound = "path-not-found", "there is no such key or index";
    /// A value does not have the shape that was asked for (typed reading or writing through serde).
    TypeMismatch = "type-mismatch", "the value does not have the expected type";
    /// A file cannot be read.
    Read = "read", "cannot read";
    /// A file cannot be written.
    Write = "write", "cannot write";
    /// Another writer holds the lock of a file.
    Busy = "busy", "another program is writing the file";
    /// A program that honours no lock changed a file between the moment it was read and the one it was to be written.
    Conflict = "conflict", "the file was changed by another program meanwhile, nothing was written; try again";
    /// Two edits of a document change the same place in different ways. [`Error::conflicts`] lists the places.
    MergeConflict = "merge-conflict", "both sides changed the same place";

    /// A text or a file is not an OAuth token, or a token cannot be written.
    InvalidToken = "invalid-token", "not a token";
    /// A provider's name is empty, too long, or cannot name a file.
    InvalidProvider = "invalid-provider", "not a name of a provider";
    /// The file that a provider's token would lie in holds that of another provider.
    ProviderTaken = "provider-taken", "the file holds the token of another provider";
    /// There is no token of a provider to be refreshed.
    NoToken = "no-token", "there is no token of this provider";
    /// The function that was to get a new token failed. The old token stays; [`source`](std::error::Error::source) is what the function answered.
    RefreshFailed = "refresh-failed", "the token could not be refreshed";
    /// A new token could not be saved; [`source`](std::error::Error::source) is an `UnsavedToken`, which holds it.
    TokenNotSaved = "token-not-saved", "the new token could not be saved";
    /// The rule field of a creation rule leaves a secret of a token in clear.
    SecretInClear = "secret-in-clear", "the encryption rule leaves a secret in clear";
    /// Other users of the machine can write a file of tokens or its directory.
    NotPrivate = "not-private", "other users can write it";
    /// There is no token storage of this name.
    UnknownStorage = "unknown-storage", "no such token storage";
}

impl Error {
    pub(crate) fn new(kind: ErrorKind) -> Self {
        Error(Box::new(Inner {
            kind,
            detail: None,
            reversed_path: Vec::new(),
            position: None,
            file: None,
            source: None,
            conflicts: Vec::new(),
        }))
    }

    /// An error with a sentence that the kind alone does not say. The sentence must not quote a value of the document.
    pub(crate) fn with_detail(kind: ErrorKind, detail: impl Into<String>) -> Self {
        let mut error = Error::new(kind);
        error.0.detail = Some(redacted(detail.into()));
        error
    }

    pub(crate) fn io(kind: ErrorKind, file: &Path, source: io::Error) -> Self {
        let mut error = Error::new(kind);
        error.0.file = Some(file.to_owned());
        error.0.source = Some(source.into());
        error
    }

    /// An error that a function of the caller answered.
    #[cfg(feature = "tokens")]
    pub(crate) fn caused(kind: ErrorKind, source: Box<dyn std::error::Error + Send + Sync>) -> Self {
        let mut error = Error::new(kind);
        error.0.source = Some(source);
        error
    }

    /// Two edits that change these places in different ways.
    pub(crate) fn merge_conflict(conflicts: Vec<KeyPath>) -> Self {
        const MAX_SHOWN: usize = 50;
        let mut shown: Vec<_> = conflicts.iter().take(MAX_SHOWN).map(ToString::to_string).collect();
        if conflicts.len() > MAX_SHOWN {
            shown.push(format!("and {} more", conflicts.len() - MAX_SHOWN));
        }
        let mut error = Error::with_detail(ErrorKind::MergeConflict, shown.join(", "));
        error.0.conflicts = conflicts;
        error
    }

    pub(crate) fn at(mut self, position: Position) -> Self {
        self.0.position.get_or_insert(position);
        self
    }

    /// Adds the file in which the error happened, unless one is known: for callers that read the bytes themselves.
    #[must_use]
    pub fn in_file(mut self, file: &Path) -> Self {
        self.0.file.get_or_insert_with(|| file.to_owned());
        self
    }

    /// Adds the key under which the error happened, on the way from the leaf to the root.
    pub(crate) fn under_key(mut self, key: &str) -> Self {
        self.0.reversed_path.push(Segment::Key(key.to_owned()));
        self
    }

    /// Adds the array index under which the error happened, on the way from the leaf to the root.
    pub(crate) fn under_index(mut self, index: usize) -> Self {
        self.0.reversed_path.push(Segment::Index(index));
        self
    }

    pub(crate) fn under_path(mut self, path: &KeyPath) -> Self {
        self.0.reversed_path.extend(path.segments().iter().rev().cloned());
        self
    }

    /// What the operating system says, where it is at fault.
    pub(crate) fn cause(&self) -> String {
        self.0.source.as_ref().map(ToString::to_string).unwrap_or_default()
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Where in the document: the keys and indexes on the way to the value. Empty when no single value is at fault.
    #[must_use]
    pub fn path(&self) -> KeyPath {
        self.0.reversed_path.iter().rev().cloned().collect()
    }

    /// The places that two edits change in different ways, of an error of kind [`MergeConflict`](ErrorKind::MergeConflict).
    #[must_use]
    pub fn conflicts(&self) -> &[KeyPath] {
        &self.0.conflicts
    }

    /// Where in the text, for errors of the JSON itself.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        self.0.position
    }

    /// The file that was read or written, where the call named one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.0.file.as_deref()
    }

    /// Whether the content of the file cannot be trusted: a leaf or the MAC is missing, was changed or does not fit.
    ///
    /// ```
    /// use sopskit::{EncryptedDocument, Identities};
    ///
    /// let text = std::fs::read("fixtures/invalid/mac-missing/input.json")?;
    /// let key = std::fs::read_to_string("fixtures/keys/alice.txt")?;
    /// let error = EncryptedDocument::parse(&text)?.decrypt(&Identities::parse(&key)?).unwrap_err();
    /// assert!(error.is_tampered());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn is_tampered(&self) -> bool {
        use ErrorKind::{
            LeafNotAuthentic, LeafValue, MacMismatch, MacMissing, MacNotAuthentic, MalformedLeaf, NotEncrypted,
            UnknownLeafType,
        };
        matches!(
            self.0.kind,
            LeafNotAuthentic
                | LeafValue
                | MacMismatch
                | MacMissing
                | MacNotAuthentic
                | MalformedLeaf
                | NotEncrypted
                | UnknownLeafType
        )
    }

    /// Whether a file could not be read because it does not exist.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        let source = self.0.source.as_ref().and_then(|source| source.downcast_ref::<io::Error>());
        source.is_some_and(|source| source.kind() == io::ErrorKind::NotFound)
    }
}

/// A text for people without the age identities in it: one that was given where a path, a command or a recipient belongs would
/// else be quoted.
pub(crate) fn redacted(text: String) -> String {
    const MARK: &str = "SECRET-KEY-";
    let upper = text.to_ascii_uppercase();
    let mut shown = String::new();
    let mut from = 0;
    for (at, _) in upper.match_indices(MARK) {
        let secret = at + MARK.len();
        let length =
            text[secret..].find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(text.len() - secret);
        // Not what messages of this crate themselves say, "AGE-SECRET-KEY-1…".
        if length > 4 && secret >= from {
            shown.push_str(&text[from..secret]);
            shown.push('…');
            from = secret + length;
        }
    }
    if from == 0 {
        return text;
    }
    shown.push_str(&text[from..]);
    shown
}

impl From<std::convert::Infallible> for Error {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.0.file {
            write!(f, "{}: ", redacted(file.display().to_string()))?;
        }
        f.write_str(self.0.kind.says())?;
        if !self.0.reversed_path.is_empty() {
            write!(f, " at {}", Shortened(self.path().to_string()))?;
        }
        if let Some(Position { line, column }) = self.0.position {
            write!(f, ", line {line} column {column}")?;
        }
        if let Some(detail) = &self.0.detail {
            write!(f, ": {detail}")?;
        }
        if let Some(source) = &self.0.source {
            write!(f, ": {}", redacted(source.to_string()))?;
        }
        Ok(())
    }
}

/// How much of a key path is shown, in bytes: whoever can write a file can make a key of any length.
const MAX_SHOWN_PATH: usize = 4096;

/// A text whose middle is left out where it is long.
struct Shortened(String);

impl fmt::Display for Shortened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shortened(text) = self;
        if text.len() <= MAX_SHOWN_PATH {
            return f.write_str(text);
        }
        let head = (0..=MAX_SHOWN_PATH / 2).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
        let tail = (text.len() - MAX_SHOWN_PATH / 2..text.len()).find(|at| text.is_char_boundary(*at));
        write!(f, "{}…{}", &text[..head], &text[tail.unwrap_or(text.len())..])
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({:?}: {self})", self.0.kind)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|source| &**source as _)
    }
}
