//! AES-256-GCM with the 32-byte nonces of SOPS. No other file knows the cipher.

use std::fmt;

use aes_gcm::aead::AeadInPlace as _;
use aes_gcm::aead::consts::U32;
use aes_gcm::aes::Aes256;
use aes_gcm::{AesGcm, KeyInit as _, Nonce, Tag};
use rand::{RngCore as _, SeedableRng as _};

use crate::leaf::{IV_LEN, TAG_LEN};
use crate::secret::DataKey;

/// The cipher under one data key, whose key schedule is made once.
pub(crate) struct Cipher {
    small: AesGcm<Aes256, U32>,
    #[cfg(feature = "fast")]
    large: large::Cipher,
}

/// Up to this many bytes the older release of the crate is faster: half the time for 32 bytes, twice the time for 10 KiB.
#[cfg(feature = "fast")]
const SMALL: usize = 256;

/// The newer release of the crate, for large values.
#[cfg(feature = "fast")]
mod large {
    use aes_gcm_large::aead::AeadInOut as _;
    use aes_gcm_large::aead::consts::U32;
    use aes_gcm_large::aes::Aes256;
    use aes_gcm_large::{AesGcm, KeyInit as _};

    use super::{IV_LEN, TAG_LEN};

    pub(super) struct Cipher(AesGcm<Aes256, U32>);

    impl Cipher {
        pub(super) fn new(key: &[u8; 32]) -> Self {
            Cipher(AesGcm::new(key.into()))
        }

        pub(super) fn open(&self, buffer: &mut [u8], iv: &[u8; IV_LEN], tag: &[u8; TAG_LEN], aad: &[u8]) -> Option<()> {
            self.0.decrypt_inout_detached(iv.into(), aad, buffer.into(), tag.into()).ok()
        }

        pub(super) fn seal(&self, buffer: &mut [u8], iv: &[u8; IV_LEN], aad: &[u8]) -> Option<[u8; TAG_LEN]> {
            self.0.encrypt_inout_detached(iv.into(), aad, buffer.into()).ok().map(Into::into)
        }
    }
}

/// The ciphertext, the nonce, the additional data or the key is not the one it was sealed with.
#[derive(Debug)]
pub(crate) struct NotAuthentic;

impl Cipher {
    pub(crate) fn new(key: &DataKey) -> Self {
        Cipher {
            small: AesGcm::new(key.as_bytes().into()),
            #[cfg(feature = "fast")]
            large: large::Cipher::new(key.as_bytes()),
        }
    }

    /// Turns ciphertext into plaintext where it lies.
    ///
    /// # Errors
    /// When it is not authentic; `buffer` then still holds the ciphertext.
    pub(crate) fn open(
        &self,
        buffer: &mut [u8],
        iv: &[u8; IV_LEN],
        tag: &[u8; TAG_LEN],
        additional_data: &[u8],
    ) -> Result<(), NotAuthentic> {
        #[cfg(feature = "fast")]
        if buffer.len() > SMALL {
            return self.large.open(buffer, iv, tag, additional_data).ok_or(NotAuthentic);
        }
        self.small
            .decrypt_in_place_detached(Nonce::from_slice(iv), additional_data, buffer, Tag::from_slice(tag))
            .map_err(|_| NotAuthentic)
    }

    /// Turns plaintext into ciphertext where it lies, and returns the tag.
    ///
    /// # Errors
    /// When the plaintext is longer than the 64 GiB that AES-GCM can take.
    pub(crate) fn seal(
        &self,
        buffer: &mut [u8],
        iv: &[u8; IV_LEN],
        additional_data: &[u8],
    ) -> Result<[u8; TAG_LEN], TooLong> {
        #[cfg(feature = "fast")]
        if buffer.len() > SMALL {
            return self.large.seal(buffer, iv, additional_data).ok_or(TooLong);
        }
        self.small
            .encrypt_in_place_detached(Nonce::from_slice(iv), additional_data, buffer)
            .map(Into::into)
            .map_err(|_| TooLong)
    }
}

/// The plaintext is longer than AES-GCM can take.
#[derive(Debug)]
pub(crate) struct TooLong;

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cipher(…)")
    }
}

/// Fresh nonces for one document.
///
/// A generator seeded by the operating system, used by one call and dropped at its end: no system call a leaf, and no
/// state that a forked process could share.
#[cfg_attr(feature = "parallel", derive(Clone))]
pub(crate) struct Nonces(Generator);

/// ChaCha12, as it is in rand.
#[cfg(not(feature = "parallel"))]
type Generator = rand::rngs::StdRng;
/// The same, where each thread can begin at a place of its own.
#[cfg(feature = "parallel")]
type Generator = rand_chacha::ChaCha12Rng;

impl Nonces {
    pub(crate) fn new() -> Self {
        Nonces(Generator::from_entropy())
    }

    /// Those behind the nonces of so many leaves.
    #[cfg(feature = "parallel")]
    pub(crate) fn behind(&self, leaves: usize) -> Self {
        const WORDS: u128 = (IV_LEN / 4) as u128;
        let mut nonces = self.clone();
        nonces.0.set_word_pos(nonces.0.get_word_pos() + WORDS * leaves as u128);
        nonces
    }

    pub(crate) fn next(&mut self) -> [u8; IV_LEN] {
        let mut iv = [0; IV_LEN];
        self.0.fill_bytes(&mut iv);
        iv
    }
}
