//! Names of providers, and the names of files that are made of them.
//!
//! Source: `_validate_provider_name` and `_token_path` in `kstlib/auth/token.py`.

use std::sync::LazyLock;

use regex::Regex;

use crate::error::{Error, ErrorKind, Result};

/// The longest name, in characters.
const MAX_CHARACTERS: usize = 128;
/// The longest name of a file without what the storages add, in bytes: 255, which file systems have, less `.token.sops.json`.
const MAX_STEM: usize = 255 - ".token.sops.json".len();
/// Names that are no files on Windows, whatever their ending.
const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];

/// A valid name of a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Provider<'a> {
    name: &'a str,
    stem: String,
}

impl<'a> Provider<'a> {
    /// # Errors
    /// [`ErrorKind::InvalidProvider`].
    pub(super) fn new(name: &'a str) -> Result<Self> {
        let invalid = |why: String| Err(Error::with_detail(ErrorKind::InvalidProvider, why));
        let characters = name.chars().count();
        if characters == 0 {
            return invalid(String::from("it is empty"));
        }
        if characters > MAX_CHARACTERS {
            return invalid(format!("it has {characters} characters, at most {MAX_CHARACTERS} are allowed"));
        }
        let stem = stem(name);
        if stem.len() > MAX_STEM {
            return invalid(format!("{name:?} makes the name of a file of more than 255 bytes"));
        }
        if cfg!(windows) && is_device(&stem) {
            return invalid(format!("{name:?} is the name of a device"));
        }
        Ok(Provider { name, stem })
    }

    pub(super) fn name(&self) -> &'a str {
        self.name
    }

    /// How the names of its files begin. Others can share it.
    pub(super) fn stem(&self) -> &str {
        &self.stem
    }

    /// Whether no other name makes the names of its files, where those are two that differ in case. Only ASCII counts: how Unicode spells a letter, file systems
    /// do not agree on.
    pub(super) fn is_only_one_of_stem(&self) -> bool {
        self.stem.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-')
    }
}

/// Whether the names of files of some provider begin like this.
pub(super) fn is_stem(text: &str) -> bool {
    !text.is_empty() && stem(text) == text
}

/// Letters, digits, `-` and `_` as they are, for anything else a `_`: no name leads out of a directory.
pub(super) fn stem(name: &str) -> String {
    let mut buffer = [0; 4];
    name.chars().map(|c| if is_kept(c, &mut buffer) { c } else { '_' }).collect()
}

/// What Python's `str.isalnum` holds for, and the two marks.
fn is_kept(c: char, buffer: &mut [u8; 4]) -> bool {
    #[allow(clippy::expect_used, reason = "a constant")]
    static LETTER_OR_NUMBER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^[\p{L}\p{N}]$").expect("it compiles"));
    match c {
        '-' | '_' => true,
        c if c.is_ascii() => c.is_ascii_alphanumeric(),
        c => LETTER_OR_NUMBER.is_match(c.encode_utf8(buffer)),
    }
}

fn is_device(stem: &str) -> bool {
    let stem = stem.to_ascii_lowercase();
    let numbered = ["com", "lpt"].iter().any(|device| stem.strip_prefix(device).is_some_and(|rest| rest.len() == 1));
    DEVICES.contains(&stem.as_str()) || numbered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_makes_the_file_that_kstlib_makes_of_it() {
        // Each is what kstlib 3.8.2 makes of it under Python 3.11.
        for (name, expected) in [
            ("github", "github"),
            ("accounts.google.com", "accounts_google_com"),
            ("a/b\\c", "a_b_c"),
            ("..", "__"),
            ("x y\0z\n", "x_y_z_"),
            ("Łódź-1_²", "Łódź-1_²"),
            ("中文½", "中文½"),
            // No letters to Python, although "alphabetic" to Rust: a circled letter, a combining iota.
            ("Ⓐ\u{345}", "__"),
        ] {
            assert_eq!(Provider::new(name).unwrap().stem(), expected, "{name:?}");
        }
    }

    #[test]
    fn a_name_of_1_to_128_characters_is_taken_and_no_other() {
        for (name, ok) in [
            (String::new(), false),
            ("x".repeat(128), true),
            ("x".repeat(129), false),
            ("ł".repeat(119), true),
            // More bytes than the name of a file has.
            ("ł".repeat(120), false),
        ] {
            let kind = Provider::new(&name).map(drop).map_err(|error| error.kind());
            assert_eq!(kind, if ok { Ok(()) } else { Err(ErrorKind::InvalidProvider) }, "{name}");
        }
    }

    #[test]
    fn a_name_is_the_only_one_of_its_stem_where_nothing_was_put_in_place_of_a_character() {
        let is_only_one = |name: &str| Provider::new(name).unwrap().is_only_one_of_stem();
        assert!(["github", "GitHub-2", "-", "7"].into_iter().all(is_only_one));
        assert!(!["git_hub", "git.hub", "_", "łódź", "a b", "\u{212a}"].into_iter().any(is_only_one));
        // Whatever it is that another character is put in place of: it is none of those that stay.
        for c in (0..=0x2_ffff).filter_map(char::from_u32).filter(|c| !c.is_ascii_alphanumeric() && *c != '-') {
            assert!(!is_only_one(&format!("a{c}")), "{c:?}");
        }
    }

    #[test]
    fn devices_of_windows_are_known() {
        assert!(["NUL", "com1", "Lpt9", "aux"].iter().all(|name| is_device(name)));
        assert!(!["null", "com", "com10", "github"].iter().any(|name| is_device(name)));
    }
}
