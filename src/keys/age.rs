//! age: recipients that a data key is wrapped for, identities that unwrap it. No other file knows the age crate.
//!
//! Source: `age/keysource.go` of sops.

use std::fmt;
use std::io::Read as _;
use std::str::FromStr;

use age::armor::ArmoredReader;
use age::x25519;
use zeroize::Zeroizing;

use crate::error::{Error, ErrorKind, Result};
use crate::metadata::{KeyKind, MasterKey};
use crate::secret::DataKey;

/// The longest wrapped data key that is looked at, in bytes; age writes less than 500 for an X25519 recipient.
const MAX_WRAPPED: usize = 64 * 1024;
/// The longest secret that a master key wraps, in bytes: a data key has 32, a share of one 33.
const MAX_PART: usize = 64;

/// Whom a document is encrypted for.
///
/// ```
/// use sopskit::Recipients;
///
/// let recipients = Recipients::parse("age1u2f7yk4gzql7dcnlp26xgm7kf7rxsr0l7nx58y4tcgy5jvv2av4qdjd0eq")?;
/// assert_eq!(recipients.iter().count(), 1);
/// # Ok::<(), sopskit::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recipients(Vec<String>);

impl Recipients {
    /// The recipients in `text`, separated by commas or white space, each once.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRecipient`] for anything that is no age X25519 recipient (`age1…`), [`ErrorKind::NoRecipients`] when there
    /// is none.
    pub fn parse(text: &str) -> Result<Self> {
        let mut recipients = Vec::new();
        for recipient in text.split(|c: char| c == ',' || c.is_whitespace()).filter(|part| !part.is_empty()) {
            parse_recipient(recipient)?;
            if !recipients.iter().any(|known| known == recipient) {
                recipients.push(recipient.to_owned());
            }
        }
        if recipients.is_empty() {
            return Err(Error::new(ErrorKind::NoRecipients));
        }
        Ok(Recipients(recipients))
    }

    /// The data key, wrapped for each recipient: recipient and wrapped key.
    pub(crate) fn wrap(&self, data_key: &DataKey) -> Result<Vec<(String, String)>> {
        self.0.iter().map(|recipient| Ok((recipient.clone(), wrap(recipient, data_key.as_bytes())?))).collect()
    }

    /// The recipients as they are written, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl FromStr for Recipients {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Recipients::parse(text)
    }
}

fn parse_recipient(text: &str) -> Result<x25519::Recipient> {
    text.parse().map_err(|_| {
        let why = if text.to_ascii_uppercase().starts_with("AGE-SECRET-KEY-") || text.starts_with("AGE-PLUGIN-") {
            // Never quoted: it is a secret.
            return Error::with_detail(
                ErrorKind::InvalidRecipient,
                "this is a secret key, give its public key (age1…)",
            );
        } else if text.starts_with("age1pq1") {
            "post-quantum recipients are not supported"
        } else if text.starts_with("ssh-") {
            "SSH recipients are not supported"
        } else if text.strip_prefix("age1").is_some_and(|rest| rest.contains('1')) {
            "plugin recipients are not supported"
        } else {
            "expected age1… of 62 characters"
        };
        Error::with_detail(ErrorKind::InvalidRecipient, format!("{text:?}: {why}"))
    })
}

/// A data key or a share of one, wrapped for a recipient: an ASCII-armored age file.
pub(super) fn wrap(recipient: &str, part: &[u8]) -> Result<String> {
    age::encrypt_and_armor(&parse_recipient(recipient)?, part)
        .map_err(|_| Error::with_detail(ErrorKind::CannotWrap, recipient))
}

/// The secret keys that documents are opened with.
///
/// Nothing reads the environment unless [`from_env`](Self::from_env) says so. An identity that does not fit, and a source that cannot be read,
/// never stand in the way of one that fits: they become lines of the error when none does. `Debug` shows public keys only.
///
/// ```
/// use sopskit::Identities;
///
/// let identities = Identities::parse("
///     # a key of this example only
///     AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX
/// ")?;
/// assert!(!format!("{identities:?}").contains("SECRET"));
/// # Ok::<(), sopskit::Error>(())
/// ```
#[derive(Default)]
pub struct Identities {
    list: Vec<Identity>,
    /// What became of each source that was looked at.
    sources: Vec<String>,
}

struct Identity {
    key: x25519::Identity,
    recipient: String,
}

impl Identities {
    /// The identities in `text`: one a line, blank lines and lines that begin with `#` skipped.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidIdentity`], with the number of the line, for anything that is no age X25519 identity
    /// (`AGE-SECRET-KEY-1…`), and when there is none at all. It never shows the line.
    pub fn parse(text: &str) -> Result<Self> {
        let mut identities = Identities::default();
        let problems = identities.add("the identities given", text);
        match problems.into_iter().next() {
            Some(problem) => Err(Error::with_detail(ErrorKind::InvalidIdentity, problem)),
            None if identities.list.is_empty() => Err(Error::with_detail(ErrorKind::InvalidIdentity, "there is none")),
            None => Ok(identities),
        }
    }

    /// Adds the identities in `text`, and a line on each that is none to the report. Returns these lines.
    pub(super) fn add(&mut self, source: &str, text: &str) -> Vec<String> {
        let known = self.list.len();
        let mut problems = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            // Several on a line stand in the variable SOPS_AGE_KEY, where line breaks are hard to keep.
            for word in line.split_whitespace() {
                match word.parse::<x25519::Identity>() {
                    Ok(key) => {
                        let recipient = key.to_public().to_string();
                        self.list.push(Identity { key, recipient });
                    }
                    Err(_) => problems.push(format!("line {}: {}", number + 1, why_no_identity(word))),
                }
            }
        }
        for identity in &self.list[known..] {
            self.sources.push(format!("{source}: the identity of {}", identity.recipient));
        }
        if self.list.len() == known && problems.is_empty() {
            self.sources.push(format!("{source}: holds no identity"));
        }
        self.sources.extend(problems.iter().map(|problem| format!("{source}, {problem}")));
        problems
    }

    /// Adds a line on a source that gave no identity.
    pub(super) fn note(&mut self, source: &str, outcome: &str) {
        self.sources.push(format!("{source}: {outcome}"));
    }

    /// The public keys of the identities.
    pub fn recipients(&self) -> impl Iterator<Item = &str> {
        self.list.iter().map(|identity| identity.recipient.as_str())
    }

    /// A line on each source that was looked at, and on each identity found. Never a secret.
    pub fn report(&self) -> impl Iterator<Item = &str> {
        self.sources.iter().map(String::as_str)
    }

    /// What the age keys of a group wrap, the data key or a share of it, if one of the identities opens one of them.
    pub(super) fn unwrap(&self, group: &[MasterKey]) -> Option<Zeroizing<Vec<u8>>> {
        let keys = || group.iter().filter(|key| key.kind() == KeyKind::Age && key.enc().len() <= MAX_WRAPPED);
        let pairs = || self.list.iter().flat_map(move |identity| keys().map(move |key| (identity, key)));
        // The recipient beside a wrapped key is not authenticated, so it only says which to try first.
        let (named, others): (Vec<_>, Vec<_>) = pairs().partition(|(identity, key)| identity.recipient == key.name());
        named.into_iter().chain(others).find_map(|(identity, key)| identity.unwrap(key.enc()))
    }
}

impl Identity {
    fn unwrap(&self, wrapped: &str) -> Option<Zeroizing<Vec<u8>>> {
        let file = age::Decryptor::new_buffered(ArmoredReader::new(wrapped.as_bytes())).ok()?;
        let mut plaintext = file.decrypt(std::iter::once(&self.key as &dyn age::Identity)).ok()?;
        let mut part = Zeroizing::new(vec![0; MAX_PART + 1]);
        let mut length = 0;
        loop {
            // Only the read that finds the end has verified the last chunk.
            match plaintext.read(&mut part[length..]).ok()? {
                0 => break,
                read => length += read,
            }
            if length > MAX_PART {
                return None;
            }
        }
        part.truncate(length);
        Some(part)
    }
}

/// What is wrong with a text that is no identity, without the text.
fn why_no_identity(word: &str) -> &'static str {
    if word.starts_with("AGE-SECRET-KEY-PQ-1") {
        "a post-quantum identity, which is not supported"
    } else if word.starts_with("AGE-PLUGIN-") {
        "an identity of a plugin, which is not supported"
    } else if word.starts_with("AGE-SECRET-KEY-1") {
        "a damaged identity: it has a wrong length, a wrong character or a wrong checksum"
    } else if word.starts_with("age1") || word.starts_with("ssh-") {
        "a public key; the secret key that belongs to it is needed"
    } else if word.starts_with("-----BEGIN") {
        "a PEM or age file, which is not supported"
    } else if word.contains(['/', '\\']) {
        "looks like a path; the name of a key file belongs into SOPS_AGE_KEY_FILE"
    } else {
        "not an identity, expected AGE-SECRET-KEY-1…"
    }
}

impl FromStr for Identities {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Identities::parse(text)
    }
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Identities").field(&self.recipients().collect::<Vec<_>>()).finish()
    }
}
