//! age: recipients of every kind wrap, identities of every kind unwrap. Only this folder knows the age crate.
//!
//! Source: `age/keysource.go` of sops, and <https://c2sp.org/age>.

use std::io::{Read as _, Write as _};

use age::armor::{ArmoredReader, ArmoredWriter, Format};
use age::secrecy::ExposeSecret as _;
use age::{DecryptError, x25519};
use zeroize::Zeroizing;

use super::identities::Passphrase;
use crate::error::{Error, ErrorKind, Result};
use crate::secret::{Bytes, Text};

/// The longest wrapped data key that is looked at, in bytes; age writes less than 500 for an X25519 recipient.
const MAX_WRAPPED: usize = 64 * 1024;
/// The longest header of an age file, in bytes.
const MAX_HEADER: usize = 16 * 1024;
/// How many stanzas it may have.
const MAX_STANZAS: usize = 8;
/// The longest secret that a master key wraps, in bytes: a data key has 32, a share of one 33.
const MAX_PART: usize = 64;
/// The scrypt work factor up to which a key file is opened, as a power of two: some seconds, as in age.
const MAX_WORK_FACTOR: u8 = 22;

/// The X25519 recipients whose points are of low order: with them every secret would be the same.
const LOW_ORDER: [&str; 14] = [
    "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq5cu47z",
    "age1qyqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqj7vrya",
    "age1ur4h5lpmgxu2u9jku0a0r87ydtdqnr0tnsetrlvxvgz3vh6fhqqqzyt4v9",
    "age1t7wft09r2zxzfvwsk92eeql0tvzyghxytqwgapkcyf8dm5ylz9ts6wm9s8",
    "age1anlllllllllllllllllllllllllllllllllllllllllllllllals4n2t7m",
    "age1ahlllllllllllllllllllllllllllllllllllllllllllllllalsn46ayy",
    "age1amlllllllllllllllllllllllllllllllllllllllllllllllalselrwrv",
    "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqzqqsuwj9m",
    "age1qyqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqzqqk67yly",
    "age1ur4h5lpmgxu2u9jku0a0r87ydtdqnr0tnsetrlvxvgz3vh6fhzqqxqejhu",
    "age1t7wft09r2zxzfvwsk92eeql0tvzyghxytqwgapkcyf8dm5ylz8ts72fzt7",
    "age1anllllllllllllllllllllllllllllllllllllllllllllllllls3hcv9z",
    "age1ahlllllllllllllllllllllllllllllllllllllllllllllllllsh3g6la",
    "age1amlllllllllllllllllllllllllllllllllllllllllllllllllsam3fc4",
];

type BoxedRecipient = Box<dyn age::Recipient>;
type BoxedIdentity = Box<dyn age::Identity + Send + Sync>;

/// The features by which kinds of keys are compiled in, and how a recipient of the kind is told.
fn feature_of(recipient: &str) -> Option<(&'static str, bool)> {
    if recipient.starts_with("age1pq1") {
        Some(("pq", cfg!(feature = "pq")))
    } else if recipient.starts_with("ssh-") {
        Some(("ssh", cfg!(feature = "ssh")))
    } else if recipient.strip_prefix("age1").is_some_and(|rest| rest.contains('1')) {
        Some(("plugin", cfg!(feature = "plugin")))
    } else {
        None
    }
}

/// What to say of a recipient whose kind is not compiled in.
pub(super) fn missing_feature(recipient: &str) -> Option<String> {
    match feature_of(recipient) {
        Some((feature, false)) => Some(format!("{} needs the feature `{feature}` of sopskit", quoted(recipient))),
        _ => None,
    }
}

/// # Errors
/// [`ErrorKind::InvalidRecipient`].
pub(super) fn check_recipient(text: &str) -> Result<()> {
    match feature_of(text) {
        // Whether the program of a plugin is there matters when it is needed.
        #[cfg(feature = "plugin")]
        Some(("plugin", true)) => {
            text.parse::<age::plugin::Recipient>().map(drop).map_err(|why| invalid(format!("{}: {why}", quoted(text))))
        }
        _ => recipient(text).map(drop),
    }
}

/// How long a recipient is that is shown, in bytes: longer than the longest of age.
const MAX_QUOTED: usize = 4096;

/// A recipient for a message, or a stand-in where the text could be something secret that was given for one, or comes from a file that
/// somebody made to look like more than one line.
fn quoted(text: &str) -> &str {
    let plain = |text: &str| text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    if text.len() > MAX_QUOTED || text.contains(char::is_control) {
        return "a text that is not shown here";
    }
    match text.split_once(' ') {
        Some(("ssh-ed25519" | "ssh-rsa", _)) => text,
        None if text.starts_with("age1") && plain(text) => text,
        None if text.len() <= 16 && plain(text) => text,
        _ => "a text that is not shown here",
    }
}

fn invalid(detail: String) -> Error {
    Error::with_detail(ErrorKind::InvalidRecipient, detail)
}

fn recipient(text: &str) -> Result<BoxedRecipient> {
    let upper = text.to_ascii_uppercase();
    if upper.starts_with("AGE-SECRET-KEY-") || upper.starts_with("AGE-PLUGIN-") {
        // Never quoted: it is a secret.
        return Err(invalid(String::from("this is a secret key, give its public key (age1…)")));
    }
    if let Some(missing) = missing_feature(text) {
        return Err(invalid(missing));
    }
    let damaged = || invalid(format!("{} is damaged: a wrong length, character or checksum", quoted(text)));
    match feature_of(text) {
        #[cfg(feature = "pq")]
        Some(("pq", _)) => text.parse::<super::pq::Recipient>().map(boxed).map_err(|_| damaged()),
        #[cfg(feature = "ssh")]
        Some(("ssh", _)) => text.parse::<age::ssh::Recipient>().map(boxed).map_err(|_| damaged()),
        #[cfg(feature = "plugin")]
        Some(("plugin", _)) => plugin_recipient(text),
        // age itself would panic.
        _ if LOW_ORDER.contains(&text) => Err(invalid(format!("{} is no safe public key", quoted(text)))),
        _ if text.starts_with("age1") => text.parse::<x25519::Recipient>().map(boxed).map_err(|_| damaged()),
        _ => Err(invalid(format!("{}: expected age1…", quoted(text)))),
    }
}

fn boxed(recipient: impl age::Recipient + 'static) -> BoxedRecipient {
    Box::new(recipient)
}

#[cfg(feature = "plugin")]
fn plugin_recipient(text: &str) -> Result<BoxedRecipient> {
    let recipient: age::plugin::Recipient = text.parse().map_err(|why| invalid(format!("{}: {why}", quoted(text))))?;
    let name = recipient.plugin().to_owned();
    age::plugin::RecipientPluginV1::new(&name, &[recipient], &[], age::NoCallbacks)
        .map(boxed)
        .map_err(|error| Error::with_detail(ErrorKind::CannotWrap, format!("{text}: {error}")))
}

/// A data key or a share of one, wrapped for a recipient: an ASCII-armored age file.
pub(super) fn wrap(text: &str, part: &[u8]) -> Result<String> {
    let recipient = recipient(text)?;
    let cannot = |why: String| Error::with_detail(ErrorKind::CannotWrap, format!("age {text}: {why}"));
    let encryptor = age::Encryptor::with_recipients(std::iter::once(&*recipient as &dyn age::Recipient))
        .map_err(|error| cannot(error.to_string()))?;
    let write = || {
        let mut writer = encryptor.wrap_output(ArmoredWriter::wrap_output(Vec::new(), Format::AsciiArmor)?)?;
        writer.write_all(part)?;
        writer.finish()?.finish()
    };
    let file = write().map_err(|error| cannot(error.to_string()))?;
    String::from_utf8(file).map_err(|_| cannot(String::from("the age file is no text")))
}

/// A new X25519 identity, secret and public.
pub(super) fn generate_x25519() -> (Text, String) {
    let identity = x25519::Identity::generate();
    (Text::from(identity.to_string().expose_secret()), identity.to_public().to_string())
}

/// Whether a text is a whole age header in ASCII armor, as an age master key has it.
pub(crate) fn is_wrapped(text: &str) -> bool {
    dearmored(text.as_bytes(), MAX_WRAPPED).is_ok_and(|file| age::Decryptor::new_buffered(&*file).is_ok())
}

/// An age file of at most `limit` bytes without its armor, if it has any.
///
/// age reads a header from the start again for each line of it. So one of many lines is refused before: a master key is one stanza, and beside it stands at
/// most one that says nothing (a stanza of a plugin may be followed by more).
fn dearmored(file: &[u8], limit: usize) -> Result<Vec<u8>, DecryptError> {
    if file.len() > limit {
        return Err(DecryptError::InvalidHeader);
    }
    let mut bytes = Vec::with_capacity(file.len());
    ArmoredReader::new(file).read_to_end(&mut bytes)?;
    let (mut stanzas, mut length) = (0, 0);
    for line in bytes.split(|byte| *byte == b'\n').take_while(|line| !line.starts_with(b"---")) {
        stanzas += usize::from(line.starts_with(b"->"));
        length += line.len() + 1;
        if stanzas > MAX_STANZAS || length > MAX_HEADER {
            return Err(DecryptError::InvalidHeader);
        }
    }
    Ok(bytes)
}

/// An identity of some kind.
pub(super) struct Key {
    identity: BoxedIdentity,
    /// Its public key; of plugins, which have none to tell, the name of the plugin.
    pub(super) recipient: String,
    /// Whether using it asks the user for something, so that it is tried only on keys that are its own by name.
    asks: bool,
}

impl Key {
    fn new(identity: impl age::Identity + Send + Sync + 'static, recipient: String) -> Self {
        Key { identity: Box::new(identity), recipient, asks: false }
    }

    /// The identity that a word spells, or what is wrong with the word (without the word).
    #[cfg_attr(not(feature = "plugin"), allow(unused_variables))]
    pub(super) fn parse(word: &str, passphrase: Option<&Passphrase>) -> Result<Self, String> {
        if word.starts_with("AGE-SECRET-KEY-PQ-1") {
            #[cfg(feature = "pq")]
            if let Ok(key) = word.parse::<super::pq::Identity>() {
                let recipient = key.to_public().to_string();
                return Ok(Key::new(key, recipient));
            }
            #[cfg(feature = "pq")]
            return Err(String::from("a damaged post-quantum identity"));
            #[cfg(not(feature = "pq"))]
            return Err(String::from("a post-quantum identity, which needs the feature `pq` of sopskit"));
        }
        if word.starts_with("AGE-PLUGIN-") {
            #[cfg(feature = "plugin")]
            return Key::plugin(word, passphrase);
            #[cfg(not(feature = "plugin"))]
            return Err(String::from("an identity of a plugin, which needs the feature `plugin` of sopskit"));
        }
        match word.parse::<super::x25519::Identity>() {
            Ok(key) => {
                let recipient = key.recipient();
                Ok(Key::new(key, recipient))
            }
            Err(_) => Err(why_no_identity(word).to_owned()),
        }
    }

    #[cfg(feature = "plugin")]
    fn plugin(word: &str, passphrase: Option<&Passphrase>) -> Result<Self, String> {
        let identity: age::plugin::Identity =
            word.parse().map_err(|why| format!("a damaged identity of a plugin: {why}"))?;
        let name = identity.plugin().to_owned();
        let callbacks = Asking { passphrase: passphrase.cloned(), what: format!("age-plugin-{name}") };
        let plugin = age::plugin::IdentityPluginV1::new(&name, &[identity], callbacks);
        let plugin = plugin.map_err(|_| format!("the program age-plugin-{name} is not in the PATH"))?;
        Ok(Key::new(plugin, format!("the plugin age-plugin-{name}")))
    }

    /// The identity in an OpenSSH private key file, or what is wrong with it.
    #[cfg(feature = "ssh")]
    pub(super) fn ssh(source: &str, text: &str, passphrase: Option<&Passphrase>) -> Result<Self, String> {
        let identity = age::ssh::Identity::from_buffer(text.as_bytes(), None)
            .map_err(|_| String::from("not an SSH private key"))?;
        let asks = matches!(identity, age::ssh::Identity::Encrypted(_));
        if asks && passphrase.is_none() {
            return Err(String::from("protected by a passphrase, and there is nobody to ask for it"));
        }
        let recipient = age::ssh::Recipient::try_from(identity.clone())
            .map_err(|_| String::from("an SSH key of a type that age cannot use; ed25519 and rsa can be used"))?;
        let callbacks = Asking { passphrase: passphrase.cloned(), what: source.to_owned() };
        let key = Key::new(identity.with_callbacks(callbacks), recipient.to_string());
        Ok(Key { asks, ..key })
    }

    /// Whether this is the key that a file calls so. SSH public keys may have a comment behind them.
    pub(super) fn is_for(&self, recipient: &str) -> bool {
        let words = |text: &str| text.split(' ').take(2).map(str::to_owned).collect::<Vec<_>>();
        self.recipient == recipient || (recipient.starts_with("ssh-") && words(&self.recipient) == words(recipient))
    }

    /// What an age file wraps, `None` when it is not for this identity.
    pub(super) fn unwrap(&self, recipient: &str, wrapped: &str) -> Option<Result<Zeroizing<Vec<u8>>, String>> {
        if self.asks && !self.is_for(recipient) {
            return None;
        }
        match unwrap(&*self.identity, wrapped.as_bytes(), MAX_PART) {
            Err(DecryptError::NoMatchingKeys) if self.is_for(recipient) => {
                Some(Err(String::from("its identity is at hand, but what is wrapped is for somebody else")))
            }
            Err(DecryptError::NoMatchingKeys) => None,
            other => Some(other.map_err(|error| explain(&error))),
        }
    }
}

/// What an age file holds, if it is at most `limit` bytes long.
fn unwrap(identity: &dyn age::Identity, file: &[u8], limit: usize) -> Result<Zeroizing<Vec<u8>>, DecryptError> {
    let file = dearmored(file, limit.max(MAX_WRAPPED))?;
    let file = age::Decryptor::new_buffered(&*file)?;
    let mut plaintext = file.decrypt(std::iter::once(identity))?;
    // All of it before anything is used: only the read that finds the end has verified the last chunk.
    let mut part = Zeroizing::new(vec![0; limit + 1]);
    let mut length = 0;
    loop {
        match plaintext.read(&mut part[length..])? {
            0 => break,
            read => length += read,
        }
    }
    if length > limit {
        return Err(DecryptError::InvalidHeader);
    }
    part.truncate(length);
    Ok(part)
}

fn explain(error: &DecryptError) -> String {
    match error {
        DecryptError::Io(_) | DecryptError::InvalidHeader | DecryptError::UnknownFormat => {
            String::from("the wrapped data key is no valid age file")
        }
        DecryptError::ExcessiveWork { .. } => String::from("its scrypt work factor is too high"),
        DecryptError::KeyDecryptionFailed => String::from("the passphrase is wrong or was not given"),
        other => other.to_string(),
    }
}

/// Whether a file is one of age: a key file that is protected by a passphrase.
pub(super) fn is_age_file(file: &[u8]) -> bool {
    file.starts_with(b"age-encryption.org/") || file.starts_with(b"-----BEGIN AGE ENCRYPTED FILE-----")
}

/// What a key file holds that is protected by a passphrase.
pub(super) fn unlock(file: &[u8], passphrase: Zeroizing<String>, limit: usize) -> Result<Bytes, String> {
    let mut identity = age::scrypt::Identity::new(secret(passphrase));
    identity.set_max_work_factor(MAX_WORK_FACTOR);
    unwrap(&identity, file, limit).map(Bytes::from).map_err(|error| match error {
        DecryptError::NoMatchingKeys => String::from("it is encrypted, but not with a passphrase"),
        DecryptError::DecryptionFailed => String::from("the passphrase is wrong"),
        DecryptError::ExcessiveWork { .. } => explain(&error),
        _ => String::from("it is no valid age file"),
    })
}

fn secret(mut text: Zeroizing<String>) -> age::secrecy::SecretString {
    age::secrecy::SecretString::from(std::mem::take(&mut *text))
}

/// Asks for passphrases in the name of age, where the caller gave somebody to ask.
#[cfg(any(feature = "ssh", feature = "plugin"))]
#[derive(Clone)]
struct Asking {
    passphrase: Option<Passphrase>,
    what: String,
}

#[cfg(any(feature = "ssh", feature = "plugin"))]
impl age::Callbacks for Asking {
    fn display_message(&self, _: &str) {}

    fn confirm(&self, _: &str, _: &str, _: Option<&str>) -> Option<bool> {
        None
    }

    fn request_public_string(&self, _: &str) -> Option<String> {
        None
    }

    fn request_passphrase(&self, _: &str) -> Option<age::secrecy::SecretString> {
        self.passphrase.as_ref()?.ask(&self.what).map(secret)
    }
}

/// What is wrong with a text that is no identity, without the text.
fn why_no_identity(word: &str) -> &'static str {
    if word.starts_with("AGE-SECRET-KEY-") {
        "a damaged identity: it has a wrong length, a wrong character or a wrong checksum"
    } else if word.starts_with("age1") || word.starts_with("ssh-") {
        "a public key; the secret key that belongs to it is needed"
    } else if word.contains(['/', '\\']) {
        "looks like a path; the name of a key file belongs into SOPS_AGE_KEY_FILE"
    } else {
        "not an identity, expected AGE-SECRET-KEY-1…"
    }
}
