//! Whole files, and the `sops` object of a file whose one leaf is authentic.

use crate::checks::{check_plain, check_sealed};
use crate::reference::{additional_data, leaf_text};

/// Any bytes as a file, encrypted and in clear.
pub fn document(data: &[u8]) {
    let _ = check_sealed(data);
    let _ = check_plain(data);
}

/// The key of the leaf in the file whose metadata are fuzzed.
pub(crate) const KEY: [u8; 32] = [7; 32];

/// Any bytes as the metadata of a file.
pub fn metadata(data: &[u8]) {
    let leaf = leaf_text(&KEY, &[1; 32], b"a value", additional_data(&["a".into()]).as_bytes(), "str");
    let file = [format!("{{\"a\": \"{leaf}\", \"b\": [null, {{}}], \"sops\": ").as_bytes(), data, b"}"].concat();
    let _ = check_sealed(&file);
}
