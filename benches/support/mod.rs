//! What the benchmarks share: documents, keys, and the floor.
#![allow(dead_code, unreachable_pub, reason = "each benchmark uses a part of this")]

pub mod documents;
pub mod floor;

use documents::Input;
use sopskit::{Bytes, EncryptOptions, EncryptedDocument, Format, Identities, Indent, Recipients};

const ALICE: &str = include_str!("../../fixtures/keys/alice.txt");

/// The documents that are measured. A test, which only wants to know that all runs, has two of them.
pub fn inputs() -> Vec<Input> {
    documents::documents(std::env::args().any(|arg| arg == "--bench"))
}

pub fn identities() -> Identities {
    Identities::parse(ALICE).unwrap()
}

pub fn recipients() -> Recipients {
    Recipients::parse(identities().recipients().next().unwrap()).unwrap()
}

/// Alice's key for the floor.
pub fn age_identity() -> age::x25519::Identity {
    ALICE.lines().find(|line| line.starts_with("AGE-SECRET-KEY-1")).unwrap().parse().unwrap()
}

/// From the bytes of a plaintext to the text of its encrypted file.
pub fn encrypt(plain: &[u8], recipients: &Recipients) -> String {
    EncryptOptions::new().encrypt_bytes(plain, recipients).unwrap()
}

/// And back, from the bytes as they were read.
pub fn decrypt(sealed: Bytes, identities: &Identities) -> Bytes {
    EncryptedDocument::from_bytes(sealed).unwrap().decrypt_to_bytes(identities, Format::Json, Indent::Tab).unwrap()
}
