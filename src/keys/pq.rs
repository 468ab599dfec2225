//! Hybrid post-quantum age keys: recipients `age1pq1…`, identities `AGE-SECRET-KEY-PQ-1…`, stanzas `mlkem768x25519`.
//!
//! The age crate has no such keys, only its two traits, which are implemented here. [`kem`] is the key encapsulation; the HPKE key schedule
//! is that of the `hpke` crate, in the versions that age itself uses for its `tagpq` recipients.
//!
//! Source: <https://c2sp.org/age>, "The MLKEM768-X25519 (i.e. X-Wing) hybrid post-quantum recipient type"; RFC 9180, section 6.1.

mod kem;

use std::collections::HashSet;
use std::fmt;
use std::io;
use std::str::FromStr;

use age::secrecy::{ExposeSecret as _, SecretString};
use age::{DecryptError, EncryptError};
use age_core::format::{FILE_KEY_BYTES, FileKey, Stanza};
use age_core::primitives::bech32_encode_to_fmt;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use bech32::Hrp;
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::{Deserializable as _, HpkeError, OpModeR, OpModeS, Serializable as _};
use rand::rngs::OsRng;
use zeroize::Zeroizing;

use super::native::{Malformed, decode, file_key};
use crate::secret::Text;
use kem::{Encapsulated, MlKem768X25519, PublicKey, Seed};

const RECIPIENT_HRP: Hrp = Hrp::parse_unchecked("age1pq");
const IDENTITY_HRP: Hrp = Hrp::parse_unchecked("AGE-SECRET-KEY-PQ-");
/// The length of an identity: the HRP of 18, a separator, 52 characters for 32 bytes, 6 of checksum.
const IDENTITY_LEN: usize = 77;

/// First argument of a stanza.
const STANZA_TAG: &str = "mlkem768x25519";
/// What the derived keys are bound to.
const HPKE_INFO: &[u8] = b"age-encryption.org/mlkem768x25519";
/// The length of a sealed file key: the key and a Poly1305 tag.
const BODY_LEN: usize = FILE_KEY_BYTES + 16;
/// Keeps recipients that a quantum computer breaks out of the same age file. The age CLI writes the same.
const LABEL: &str = "postquantum";

/// A new identity, secret and public.
pub(super) fn generate() -> (Text, String) {
    let identity = Identity::generate();
    (Text::from(identity.to_string().expose_secret()), identity.to_public().to_string())
}

/// A public key: whom a file is encrypted for.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Recipient(PublicKey);

/// A secret key, wiped on drop. `Debug` is not there on purpose.
pub(super) struct Identity(Seed);

impl FromStr for Recipient {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let bytes = decode(RECIPIENT_HRP, text)?;
        let recipient =
            Recipient(PublicKey::from_bytes(&bytes).map_err(|_| Malformed("not an ML-KEM and X25519 key"))?);
        // Upper case and stray padding bits would make two spellings of one recipient; age refuses them as well.
        if recipient.to_string() == text { Ok(recipient) } else { Err(Malformed("not in canonical form")) }
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        bech32_encode_to_fmt(f, RECIPIENT_HRP, &self.0.to_bytes())
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recipient({self})")
    }
}

impl age::Recipient for Recipient {
    fn wrap_file_key(&self, file_key: &FileKey) -> Result<(Vec<Stanza>, HashSet<String>), EncryptError> {
        let (enc, body) = hpke::single_shot_seal::<ChaCha20Poly1305, HkdfSha256, MlKem768X25519, _>(
            &OpModeS::Base,
            &self.0,
            HPKE_INFO,
            file_key.expose_secret(),
            b"",
            &mut OsRng,
        )
        // Not reached: a public key is checked when it is read. (`age::encrypt` panics where a recipient fails.)
        .map_err(|_| {
            EncryptError::Io(io::Error::new(io::ErrorKind::InvalidInput, "nothing can be sealed for this recipient"))
        })?;
        let enc = BASE64_STANDARD_NO_PAD.encode(enc.to_bytes());
        Ok((vec![Stanza { tag: STANZA_TAG.to_owned(), args: vec![enc], body }], HashSet::from([LABEL.to_owned()])))
    }
}

impl FromStr for Identity {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let bytes = decode(IDENTITY_HRP, text)?;
        let identity = Identity(Seed::from_bytes(&bytes).map_err(|_| Malformed("a wrong length"))?);
        if identity.to_string().expose_secret() == text {
            Ok(identity)
        } else {
            Err(Malformed("not in canonical form"))
        }
    }
}

impl Identity {
    /// A new identity from the operating system's generator.
    pub(super) fn generate() -> Self {
        Identity(Seed::random(&mut OsRng))
    }

    /// The text of the identity, `AGE-SECRET-KEY-PQ-1…`.
    pub(super) fn to_string(&self) -> SecretString {
        // Of the full length from the start: a string that grows leaves copies behind that nobody wipes.
        let mut text = Zeroizing::new(String::with_capacity(IDENTITY_LEN));
        // A string takes all that is written to it.
        let _ = bech32_encode_to_fmt(&mut *text, IDENTITY_HRP, self.0.as_bytes());
        text.make_ascii_uppercase();
        SecretString::from(text.as_str())
    }

    /// The public key.
    pub(super) fn to_public(&self) -> Recipient {
        Recipient(self.0.public_key())
    }
}

impl age::Identity for Identity {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        if stanza.tag != STANZA_TAG {
            return None;
        }
        let Some(enc) = encapsulated(stanza) else { return Some(Err(DecryptError::InvalidHeader)) };
        let opened = hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, MlKem768X25519>(
            &OpModeR::Base,
            &self.0,
            &enc,
            HPKE_INFO,
            &stanza.body,
            b"",
        );
        match opened.map(Zeroizing::new) {
            Ok(bytes) => Some(file_key(&bytes).ok_or(DecryptError::InvalidHeader)),
            // ML-KEM never says that a ciphertext is for another key: it gives another secret, and that does not open the body.
            Err(HpkeError::OpenError) => None,
            Err(_) => Some(Err(DecryptError::InvalidHeader)),
        }
    }
}

/// The encapsulated key of a stanza of this type, or `None` if the stanza is not what the specification demands.
fn encapsulated(stanza: &Stanza) -> Option<Encapsulated> {
    // The length of the body comes first: with a longer one, a body could be made that opens under many keys.
    let ([arg], BODY_LEN) = (&stanza.args[..], stanza.body.len()) else { return None };
    Encapsulated::from_bytes(&BASE64_STANDARD_NO_PAD.decode(arg).ok()?).ok()
}

#[cfg(test)]
mod tests;
