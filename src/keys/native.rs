//! What the kinds of age keys that are implemented here have in common.

use age_core::format::FileKey;
use age_core::primitives::bech32_decode;
use bech32::Hrp;
use zeroize::Zeroizing;

/// Why a text is no key of a kind. Never quotes it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed(pub(super) &'static str);

/// The bytes of a Bech32 text. They are of any length, and so is the text: age does without the limit of BIP 173.
pub(super) fn decode(hrp: Hrp, text: &str) -> Result<Zeroizing<Vec<u8>>, Malformed> {
    bech32_decode(
        text,
        |_| Malformed("a wrong character or a wrong checksum"),
        |found| if found == hrp { Ok(()) } else { Err(Malformed("another kind of key")) },
        |_, bytes| {
            // More than the text can hold: a vector that grows leaves copies behind that nobody wipes.
            let mut all = Zeroizing::new(Vec::with_capacity(text.len()));
            all.extend(bytes);
            Ok(all)
        },
    )
}

pub(super) fn file_key(bytes: &[u8]) -> Option<FileKey> {
    FileKey::try_init_with_mut(|key| {
        let same_length = bytes.len() == key.len();
        same_length.then(|| key.copy_from_slice(bytes)).ok_or(())
    })
    .ok()
}
