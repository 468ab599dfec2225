//! The sops CLI: a process for each document, plaintext and encrypted file through pipes.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use tempfile::{NamedTempFile, TempDir};

use crate::peers::{Output, Peer, chain};

/// Binaries of sops and folders that hold `sops-<anything>/sops`, separated as in `PATH`.
const BINARIES: &str = "SOPS_BINS";

pub(crate) struct Sops {
    binary: PathBuf,
    version: String,
    recipient: String,
    /// Home to it: no configuration and no key but ours.
    home: TempDir,
    /// For its owner alone, as tempfile makes it.
    keys: NamedTempFile,
}

/// The newest of those that `SOPS_BINS` names; without it, the first on `PATH`.
pub(crate) fn find(key_file: &str, recipient: String) -> Option<Sops> {
    let binaries: Vec<_> = match std::env::var_os(BINARIES) {
        Some(paths) => std::env::split_paths(&paths).flat_map(|path| binaries(&path)).collect(),
        None => {
            let paths = std::env::var_os("PATH").unwrap_or_default();
            std::env::split_paths(&paths)
                .map(|path| path.join("sops"))
                .find(|path| path.is_file())
                .into_iter()
                .collect()
        }
    };
    let found = binaries.into_iter().filter_map(|binary| Some((version(&binary)?, binary)));
    let (version, binary) = found.max_by_key(|(version, _)| numbers(version))?;
    let make = || {
        let home = TempDir::new()?;
        let mut keys = NamedTempFile::new_in(&home)?;
        keys.write_all(key_file.as_bytes())?;
        Ok((home, keys))
    };
    let (home, keys) = make().unwrap_or_else(|error: io::Error| panic!("a folder for temporary files: {error}"));
    Some(Sops { binary, version, recipient, home, keys })
}

fn binaries(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let entries = fs::read_dir(path).unwrap_or_else(|error| panic!("{BINARIES}: {}: {error}", path.display()));
    let names_sops = |name: &OsStr| name.to_str().is_some_and(|name| name.starts_with("sops-"));
    let folders = entries.flatten().filter(|entry| names_sops(&entry.file_name()));
    folders.map(|entry| entry.path().join("sops")).filter(|binary| binary.is_file()).collect()
}

/// `3.13.2`, from the line `sops 3.13.2 (latest)`.
fn version(binary: &Path) -> Option<String> {
    let output = Command::new(binary).arg("--version").env("SOPS_DISABLE_VERSION_CHECK", "1").output().ok()?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = printed.strip_prefix("sops ")?.split_whitespace().next()?;
    Some(version.to_owned())
}

fn numbers(version: &str) -> Vec<u32> {
    version.split('.').map(|number| number.parse().unwrap_or_default()).collect()
}

impl Sops {
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    fn run(&self, args: &[&str], input: &[u8]) -> Result<Output, String> {
        let started = Command::new(&self.binary)
            .args(args)
            .args(["--filename-override", "document.json", "--input-type", "json", "--output-type", "json"])
            .current_dir(self.home.path())
            .env_clear()
            .env("HOME", self.home.path())
            .env("SOPS_AGE_KEY_FILE", self.keys.path())
            .env("SOPS_DISABLE_VERSION_CHECK", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut process = started.map_err(|error| chain(&error))?;
        let mut stdin = process.stdin.take().expect("a pipe was asked for");
        let output = thread::scope(|scope| {
            // One that ends early says why on standard error, and not by the pipe that it breaks.
            scope.spawn(move || drop(stdin.write_all(input)));
            process.wait_with_output()
        });
        let output = output.map_err(|error| chain(&error))?;
        match output.status.success() {
            true => Ok(Box::new(output.stdout)),
            false => Err(String::from_utf8_lossy(&output.stderr).split_whitespace().collect::<Vec<_>>().join(" ")),
        }
    }
}

impl Peer for Sops {
    fn name(&self) -> &'static str {
        "the sops CLI"
    }

    fn is_process(&self) -> bool {
        true
    }

    fn encrypt(&self, plain: &[u8]) -> Result<Output, String> {
        self.run(&["encrypt", "--age", &self.recipient], plain)
    }

    fn decrypt(&self, sealed: Vec<u8>) -> Result<Output, String> {
        self.run(&["decrypt"], &sealed)
    }
}
