//! X25519 identities, `AGE-SECRET-KEY-1…`, that know their public key.
//!
//! The age crate makes it anew for each file, which takes a seventh of the time that a small file takes. So its trait is implemented here, over the same crates: curve, key
//! derivation and cipher are theirs. The tests hold it against the age crate.
//!
//! Source: <https://c2sp.org/age>, "The X25519 recipient type".

use std::str::FromStr;

use age::DecryptError;
use age_core::format::{FILE_KEY_BYTES, FileKey, Stanza};
use age_core::primitives::{aead_decrypt, bech32_encode, hkdf};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use bech32::Hrp;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use super::native::{Malformed, decode, file_key};

const RECIPIENT_HRP: Hrp = Hrp::parse_unchecked("age");
const IDENTITY_HRP: Hrp = Hrp::parse_unchecked("AGE-SECRET-KEY-");

/// First argument of a stanza.
const STANZA_TAG: &str = "X25519";
/// What the derived key is bound to.
const LABEL: &[u8] = b"age-encryption.org/v1/X25519";
/// The length of a sealed file key: the key and a Poly1305 tag.
const BODY_LEN: usize = FILE_KEY_BYTES + 16;

/// A secret key, wiped on drop. `Debug` is not there on purpose.
pub(super) struct Identity {
    secret: Box<StaticSecret>,
    public: PublicKey,
}

impl FromStr for Identity {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let bytes = decode(IDENTITY_HRP, text)?;
        let bytes = bytes.first_chunk().filter(|_| bytes.len() == 32).ok_or(Malformed("a wrong length"))?;
        let secret = Box::new(StaticSecret::from(*bytes));
        let public = PublicKey::from(&*secret);
        Ok(Identity { secret, public })
    }
}

impl Identity {
    /// The text of the public key, `age1…`.
    pub(super) fn recipient(&self) -> String {
        bech32_encode(RECIPIENT_HRP, self.public.as_bytes())
    }
}

impl age::Identity for Identity {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        if stanza.tag != STANZA_TAG {
            return None;
        }
        let Some(share) = share(stanza) else { return Some(Err(DecryptError::InvalidHeader)) };
        let secret = self.secret.diffie_hellman(&share);
        // A share of low order would give the same secret with every key.
        if !secret.was_contributory() {
            return Some(Err(DecryptError::InvalidHeader));
        }
        let mut salt = [0; 64];
        salt[..32].copy_from_slice(share.as_bytes());
        salt[32..].copy_from_slice(self.public.as_bytes());
        let key = Zeroizing::new(hkdf(&salt, LABEL, secret.as_bytes()));
        // What does not open is for another key: a stanza does not tell for which.
        let opened = Zeroizing::new(aead_decrypt(&key, FILE_KEY_BYTES, &stanza.body).ok()?);
        Some(file_key(&opened).ok_or(DecryptError::InvalidHeader))
    }
}

/// The ephemeral share of a stanza of this type, or `None` if the stanza is not what the specification demands.
fn share(stanza: &Stanza) -> Option<PublicKey> {
    // The length of the body comes first: with a longer one, a body could be made that opens under many keys.
    let ([arg], BODY_LEN) = (&stanza.args[..], stanza.body.len()) else { return None };
    let bytes: [u8; 32] = BASE64_STANDARD_NO_PAD.decode(arg).ok()?.try_into().ok()?;
    Some(PublicKey::from(bytes))
}

#[cfg(test)]
mod tests {
    use age::secrecy::ExposeSecret as _;
    use age::{Identity as _, Recipient as _};

    use super::*;

    /// The same key here and in the age crate.
    fn both() -> (Identity, age::x25519::Identity) {
        let theirs = age::x25519::Identity::generate();
        let ours: Identity = theirs.to_string().expose_secret().parse().unwrap();
        assert_eq!(ours.recipient(), theirs.to_public().to_string());
        (ours, theirs)
    }

    fn outcome(answer: Option<Result<FileKey, DecryptError>>) -> Option<Result<Vec<u8>, String>> {
        answer.map(|answer| answer.map(|key| key.expose_secret().to_vec()).map_err(|error| error.to_string()))
    }

    #[test]
    fn a_stanza_opens_for_its_key_and_no_other() {
        let key = file_key(&[7; 16]).unwrap();
        for _ in 0..20 {
            let ((ours, theirs), (other, _)) = (both(), both());
            let (stanzas, _) = theirs.to_public().wrap_file_key(&key).unwrap();
            assert_eq!(outcome(ours.unwrap_stanza(&stanzas[0])), Some(Ok(vec![7; 16])));
            assert!(other.unwrap_stanza(&stanzas[0]).is_none());
        }
    }

    #[test]
    fn a_stanza_that_is_none_is_refused_as_age_refuses_it() {
        let (ours, theirs) = both();
        let (stanzas, _) = theirs.to_public().wrap_file_key(&file_key(&[7; 16]).unwrap()).unwrap();
        let sound = &stanzas[0];
        let with = |change: &dyn Fn(&mut Stanza)| {
            let mut stanza = Stanza { tag: sound.tag.clone(), args: sound.args.clone(), body: sound.body.clone() };
            change(&mut stanza);
            stanza
        };
        let share = |bytes: &[u8]| BASE64_STANDARD_NO_PAD.encode(bytes);
        let mut cases = vec![
            with(&|stanza| stanza.tag = "x25519".into()),
            with(&|stanza| stanza.args.clear()),
            with(&|stanza| stanza.args.push("a".into())),
            with(&|stanza| stanza.args[0].push('=')),
            with(&|stanza| stanza.args[0].push('A')),
            with(&|stanza| stanza.args[0] = share(&[1; 31])),
            with(&|stanza| stanza.args[0] = share(&[1; 33])),
            with(&|stanza| stanza.args[0] = share(&[0; 32])),
            with(&|stanza| stanza.args[0] = share(&[[1].as_slice(), &[0; 31]].concat())),
            with(&|stanza| stanza.args[0] = share(&[[0xec].as_slice(), &[0xff; 30], &[0x7f]].concat())),
            with(&|stanza| stanza.body.clear()),
            with(&|stanza| stanza.body.push(0)),
            with(&|stanza| stanza.body.truncate(BODY_LEN - 1)),
        ];
        // The spare bits of the last character.
        cases.extend(('A'..='Z').chain('a'..='z').map(|last| {
            with(&|stanza| {
                stanza.args[0].pop();
                stanza.args[0].push(last);
            })
        }));
        cases.extend((0..sound.body.len() * 8).map(|bit| with(&|stanza| stanza.body[bit / 8] ^= 1 << (bit % 8))));
        let mut refused = 0;
        for stanza in &cases {
            let answer = outcome(ours.unwrap_stanza(stanza));
            assert_eq!(answer, outcome(theirs.unwrap_stanza(stanza)), "{} {:?}", stanza.tag, stanza.args);
            refused += usize::from(matches!(answer, Some(Err(_))));
        }
        assert!(refused > 10, "{refused}");
        assert_eq!(outcome(ours.unwrap_stanza(sound)), Some(Ok(vec![7; 16])));
    }

    #[test]
    fn a_text_that_is_no_identity_is_refused_as_age_refuses_it() {
        let (_, theirs) = both();
        let text = theirs.to_string().expose_secret().to_owned();
        let mut texts = vec![
            text.clone(),
            text.to_ascii_lowercase(),
            text[..73].to_owned(),
            format!("{text}Q"),
            theirs.to_public().to_string(),
        ];
        texts.extend((0..text.len()).map(|at| {
            let other = if text.as_bytes()[at] == b'Q' { "P" } else { "Q" };
            format!("{}{other}{}", &text[..at], &text[at + 1..])
        }));
        for text in texts {
            let (ours, theirs) = (text.parse::<Identity>(), text.parse::<age::x25519::Identity>());
            assert_eq!(ours.is_ok(), theirs.is_ok(), "{text}");
        }
    }
}
