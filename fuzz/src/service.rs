//! A key service that writes what it wraps in clear, so that a run takes microseconds and a fuzzer can make keys of its own.

use sopskit::{KeyService, MasterKey, Recipients, ServiceError};
use zeroize::Zeroizing;

/// Wraps for PGP keys, as hex.
pub struct ClearKeys;

impl KeyService for ClearKeys {
    fn wrap(&self, key: &MasterKey, secret: &[u8]) -> Option<Result<String, ServiceError>> {
        matches!(key, MasterKey::Pgp { .. }).then(|| Ok(hex(secret)))
    }

    fn unwrap(&self, key: &MasterKey, enc: &str) -> Option<Result<Zeroizing<Vec<u8>>, ServiceError>> {
        matches!(key, MasterKey::Pgp { .. })
            .then(|| unhex(enc).map(Zeroizing::new).ok_or_else(|| ServiceError::from("it is not hex")))
    }
}

/// The master key number `number`.
pub fn master_key(number: usize) -> MasterKey {
    MasterKey::Pgp { fingerprint: format!("{number:040X}") }
}

/// One group with one master key.
pub fn recipients() -> Recipients {
    Recipients::from_keys([master_key(1)]).expect("there is a key")
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return None;
    }
    pairs.map(|pair| Some(digit(pair[0])? * 16 + digit(pair[1])?)).collect()
}
