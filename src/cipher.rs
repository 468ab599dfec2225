//! AES-256-GCM with the 32-byte nonces of SOPS. No other file knows the cipher.

use std::fmt;

use aes_gcm::aead::AeadInPlace as _;
use aes_gcm::aead::consts::U32;
use aes_gcm::aes::Aes256;
use aes_gcm::{AesGcm, KeyInit as _, Nonce, Tag};
use rand::rngs::StdRng;
use rand::{RngCore as _, SeedableRng as _};

use crate::leaf::{IV_LEN, TAG_LEN};
use crate::secret::DataKey;

/// The cipher under one data key, whose key schedule is made once.
pub(crate) struct Cipher(AesGcm<Aes256, U32>);

/// The ciphertext, the nonce, the additional data or the key is not the one it was sealed with.
#[derive(Debug)]
pub(crate) struct NotAuthentic;

impl Cipher {
    pub(crate) fn new(key: &DataKey) -> Self {
        Cipher(AesGcm::new(key.as_bytes().into()))
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
        self.0
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
        self.0
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
/// A generator seeded by the operating system, used by one call on one thread and dropped at its end: no system call a leaf, and no
/// state that a forked process could share.
pub(crate) struct Nonces(StdRng);

impl Nonces {
    pub(crate) fn new() -> Self {
        Nonces(StdRng::from_entropy())
    }

    pub(crate) fn next(&mut self) -> [u8; IV_LEN] {
        let mut iv = [0; IV_LEN];
        self.0.fill_bytes(&mut iv);
        iv
    }
}
