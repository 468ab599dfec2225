//! What the tests share.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of this")]

#[cfg(all(feature = "cli", unix))]
pub mod terminal;
#[cfg(all(feature = "tokens", unix))]
pub mod tokens;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use sopskit::{EncryptOptions, Format, Identities, Indent, Recipients, Rule};

pub const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures");

/// The releases of sops that made fixtures, oldest first.
pub const RELEASES: [&str; 7] = ["3.7.3", "3.8.1", "3.9.4", "3.10.2", "3.11.0", "3.12.2", "3.13.2"];

#[track_caller]
pub fn read(path: impl AsRef<Path>) -> Vec<u8> {
    let path = path.as_ref();
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The folders in a folder, by name.
#[track_caller]
pub fn folders(path: impl AsRef<Path>) -> Vec<PathBuf> {
    let path = path.as_ref();
    let entries = fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut folders: Vec<_> = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

/// The names of all that is in a folder, in order.
#[track_caller]
pub fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

pub fn name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap()
}

pub fn identity_text(who: &str) -> String {
    String::from_utf8(read(format!("{FIXTURES}/keys/{who}.txt"))).unwrap()
}

pub fn identities(who: &str) -> Identities {
    Identities::parse(&identity_text(who)).unwrap()
}

/// The public key of somebody in `fixtures/keys`.
pub fn public_key(who: &str) -> String {
    identities(who).recipients().collect()
}

pub fn recipients(who: &[&str]) -> Recipients {
    let keys: Vec<_> = who.iter().map(|who| public_key(who)).collect();
    Recipients::parse(&keys.join(",")).unwrap()
}

/// An input of `fixtures/cases`.
pub struct Case {
    pub name: String,
    pub plain: Vec<u8>,
    pub format: Format,
    /// Flags of `sops --encrypt`.
    pub args: Vec<String>,
    /// Names of the keys that open it.
    pub readers: Vec<String>,
    /// Whether any one of the readers opens it: no key groups.
    pub one_group: bool,
}

impl Case {
    #[track_caller]
    fn load(folder: &Path) -> Option<Case> {
        let (plain, format) = [("plain.json", Format::Json), ("plain.bin", Format::Binary)]
            .into_iter()
            .find(|(file, _)| folder.join(file).exists())?;
        let lines = |file: &str| {
            let text = fs::read_to_string(folder.join(file)).unwrap_or_default();
            text.lines().map(str::to_owned).collect::<Vec<_>>()
        };
        let mut readers = lines("recipients");
        if readers.is_empty() {
            readers.push("alice".to_owned());
        }
        let config = fs::read_to_string(folder.join("sops.yaml")).unwrap_or_default();
        Some(Case {
            name: name(folder).to_owned(),
            plain: read(folder.join(plain)),
            format,
            args: lines("args"),
            readers,
            one_group: !config.contains("key_groups"),
        })
    }

    /// The same options as `args` has.
    pub fn options(&self) -> EncryptOptions {
        let mut options = EncryptOptions::new().format(self.format);
        for arg in &self.args {
            let (flag, value) = arg.split_once('=').unwrap_or((arg, ""));
            options = match flag {
                "--unencrypted-suffix" => options.rule(Rule::unencrypted_suffix(value)),
                "--encrypted-suffix" => options.rule(Rule::encrypted_suffix(value)),
                "--unencrypted-regex" => options.rule(Rule::unencrypted_regex(value).unwrap()),
                "--encrypted-regex" => options.rule(Rule::encrypted_regex(value).unwrap()),
                "--unencrypted-comment-regex" => options.rule(Rule::unencrypted_comment_regex(value).unwrap()),
                "--encrypted-comment-regex" => options.rule(Rule::encrypted_comment_regex(value).unwrap()),
                "--mac-only-encrypted" => options.mac_only_encrypted(true),
                "--indent" => options.indent(Indent::Spaces(value.parse().unwrap())),
                "--input-type" | "--output-type" => options,
                _ => panic!("{}: unknown flag {arg}", self.name),
            };
        }
        options
    }
}

/// The inputs that are JSON or binary; those in YAML are sealed files to this crate only.
pub fn cases() -> Vec<Case> {
    folders(format!("{FIXTURES}/cases")).iter().filter_map(|folder| Case::load(folder)).collect()
}

/// Whether this variable, which leads to a real peer, is set; else a loud line says that a test did not meet it, and where
/// `SOPSKIT_REQUIRE_PEERS=1` the test fails.
#[track_caller]
pub fn peer(variable: &str) -> Option<std::ffi::OsString> {
    let value = std::env::var_os(variable);
    if value.is_none() {
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        let required = std::env::var("SOPSKIT_REQUIRE_PEERS").is_ok_and(|required| required == "1");
        assert!(!required, "SOPSKIT_REQUIRE_PEERS=1, but {variable} is not set");
        // Not by eprintln!, which the test harness keeps to itself.
        let _ = writeln!(std::io::stderr(), "SKIPPED: {variable} is not set, {test} did not meet its peer");
    }
    value
}
