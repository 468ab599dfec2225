//! The real sops: binaries of several releases, run in an empty environment.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::thread;

use sopskit::{EncryptedDocument, Format};

use crate::support::{folders, identity_text, name, peer, public_key};

/// Binaries of sops and folders that hold `sops-<anything>/sops`, separated as in `PATH`.
const BINARIES: &str = "SOPS_BINS";

/// Where the age plugin of the tests is.
const PLUGINS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/plugin");

/// A release of sops, as three numbers.
pub(crate) type Release = [u32; 3];

/// One binary of sops.
pub(crate) struct Sops {
    pub(crate) binary: PathBuf,
    pub(crate) release: Release,
    /// Whether it spells a backspace and a form feed in JSON as `\u0008` and `\u000c`: built with Go before 1.22.
    long_escapes: bool,
}

/// Runs a check against each binary, all at once, and fails with the names of those that failed.
#[track_caller]
pub(crate) fn for_each_sops(check: impl Fn(&Sops) + Sync) {
    run(peers().unwrap_or_default().iter(), check);
}

/// As [`for_each_sops`], where one old and one new release tell all: for what is of Go more than of sops.
#[track_caller]
pub(crate) fn for_oldest_and_newest_sops(check: impl Fn(&Sops) + Sync) {
    match peers().unwrap_or_default() {
        [oldest, .., newest] => run([oldest, newest].into_iter(), check),
        few => run(few.iter(), check),
    }
}

#[track_caller]
fn run<'a>(peers: impl Iterator<Item = &'a Sops>, check: impl Fn(&Sops) + Sync) {
    let failed: Vec<_> = thread::scope(|scope| {
        let start = |sops: &'a Sops| {
            let check = &check;
            thread::Builder::new().name(sops.to_string()).spawn_scoped(scope, move || check(sops)).unwrap()
        };
        let threads: Vec<_> = peers.map(|sops| (sops, start(sops))).collect();
        threads.into_iter().filter_map(|(sops, thread)| thread.join().is_err().then(|| sops.to_string())).collect()
    });
    assert!(failed.is_empty(), "failed with {}; the reason of each stands above", failed.join(", "));
}

/// The binaries that the environment names; `None`, after a loud line, where it names none.
fn peers() -> Option<&'static [Sops]> {
    static PEERS: OnceLock<Option<Vec<Sops>>> = OnceLock::new();
    let found = || {
        let paths = std::env::var_os(BINARIES)?;
        let mut peers: Vec<_> =
            std::env::split_paths(&paths).flat_map(|path| binaries(&path)).map(Sops::introduce).collect();
        assert!(!peers.is_empty(), "{BINARIES} is set, but names no binary of sops");
        peers.sort_by_key(|sops| sops.release);
        Some(peers)
    };
    peer(BINARIES)?;
    PEERS.get_or_init(found).as_deref()
}

fn binaries(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let holds_sops = |folder: &PathBuf| name(folder).starts_with("sops-") && folder.join("sops").is_file();
    folders(path).into_iter().filter(holds_sops).map(|folder| folder.join("sops")).collect()
}

impl Sops {
    /// Learns what must be known of a binary from a file that it encrypts. (Old releases go online for `--version`.)
    fn introduce(binary: PathBuf) -> Self {
        let mut sops = Sops { binary, release: [0; 3], long_escapes: false };
        let sealed = sops.encrypt(br#"{"a": "\b"}"#, Format::Json, &[]).unwrap();
        let version = EncryptedDocument::parse(&sealed).unwrap().metadata().version().to_owned();
        let numbers = version.split('.').map(|number| number.parse().unwrap()).collect::<Vec<_>>();
        sops.release = numbers.try_into().unwrap();
        let printed = sops.decrypt(&sealed, Format::Json, &["alice"]).unwrap();
        sops.long_escapes = String::from_utf8(printed).unwrap().contains("u0008");
        sops
    }

    /// What the binary seals a plaintext file as; else what it says on standard error.
    pub(crate) fn encrypt(&self, plain: &[u8], format: Format, flags: &[String]) -> Result<Vec<u8>, String> {
        self.encrypt_for(&["--age".to_owned(), public_key("alice")], plain, format, flags)
    }

    /// As [`encrypt`](Self::encrypt), with other flags that say for whom.
    pub(crate) fn encrypt_for(
        &self,
        whom: &[String],
        plain: &[u8],
        format: Format,
        flags: &[String],
    ) -> Result<Vec<u8>, String> {
        let desk = Desk::new(&format!("plain.{}", type_name(format)), plain);
        let types = ["--input-type", type_name(format), "--output-type", type_name(format)].map(str::to_owned);
        desk.run(self, &[whom, flags, &types, &["--encrypt".to_owned(), desk.file.clone()]].concat())
    }

    /// What the binary prints for an encrypted file, spelled as a release of today does; else what it says on standard error.
    pub(crate) fn decrypt(&self, sealed: &[u8], format: Format, readers: &[&str]) -> Result<Vec<u8>, String> {
        let desk = Desk::with_keys("sealed.json", sealed, readers);
        let out = type_name(format);
        let args = ["--input-type", out, "--output-type", out, "--decrypt", &desk.file].map(str::to_owned);
        let mut printed = desk.run(self, &args)?;
        if format == Format::Json {
            if !printed.ends_with(b"\n") {
                assert!(self.release < [3, 10, 0], "{self} leaves out the final newline");
                printed.push(b'\n');
            }
            if self.long_escapes {
                printed = short_escapes(&printed);
            }
        }
        Ok(printed)
    }

    /// An encrypted file after a command that changes it where it lies. `FILE` in `args` stands for the file.
    pub(crate) fn change(&self, sealed: &[u8], args: &[&str]) -> Result<Vec<u8>, String> {
        let desk = Desk::new("sealed.json", sealed);
        let args: Vec<_> = args.iter().map(|arg| if *arg == "FILE" { &desk.file } else { *arg }.to_owned()).collect();
        desk.run(self, &args)?;
        Ok(std::fs::read(desk.folder.path().join(&desk.file)).unwrap())
    }
}

impl Sops {
    /// A run in a folder that is home and has a file with keys: standard output of one that succeeds, standard error of one that does
    /// not.
    pub(crate) fn run(&self, folder: &Path, args: &[String]) -> Result<Vec<u8>, String> {
        let output = Command::new(&self.binary)
            .args(args)
            .current_dir(folder)
            .env_clear()
            .env("PATH", format!("{PLUGINS}:{}", std::env::var("PATH").unwrap_or_default()))
            .env("HOME", folder)
            .env("SOPS_AGE_KEY_FILE", folder.join("keys.txt"))
            .env("SOPS_DISABLE_VERSION_CHECK", "1")
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|error| panic!("{}: {error}", self.binary.display()));
        if output.status.success() {
            Ok(output.stdout)
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }
}

impl fmt::Display for Sops {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.release;
        write!(f, "sops {major}.{minor}.{patch}")
    }
}

fn type_name(format: Format) -> &'static str {
    match format {
        Format::Json => "json",
        Format::Binary => "binary",
        other => panic!("no name for {other:?}"),
    }
}

/// A folder with one file to work on and one with keys, home to one run of sops.
struct Desk {
    folder: tempfile::TempDir,
    file: String,
}

impl Desk {
    fn new(file: &str, bytes: &[u8]) -> Self {
        Desk::with_keys(file, bytes, &["alice"])
    }

    fn with_keys(file: &str, bytes: &[u8], readers: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(file), bytes).unwrap();
        let keys: String = readers.iter().map(|who| identity_text(who)).collect();
        std::fs::write(folder.path().join("keys.txt"), keys).unwrap();
        Desk { folder, file: file.to_owned() }
    }

    fn run(&self, sops: &Sops, args: &[String]) -> Result<Vec<u8>, String> {
        sops.run(self.folder.path(), args)
    }
}

/// JSON text with the escapes `\b` and `\f` in place of the long forms of them.
fn short_escapes(json: &[u8]) -> Vec<u8> {
    let mut short = Vec::with_capacity(json.len());
    let mut rest = json;
    while let Some((&byte, after)) = rest.split_first() {
        let (escape, length): (&[u8], _) = match (byte, after) {
            (b'\\', [b'u', b'0', b'0', b'0', b'8', ..]) => (b"\\b", 6),
            (b'\\', [b'u', b'0', b'0', b'0', b'c', ..]) => (b"\\f", 6),
            // Two bytes at once, so that the second backslash of `\\` begins no escape.
            (b'\\', [_, ..]) => (&rest[..2], 2),
            _ => (&rest[..1], 1),
        };
        short.extend_from_slice(escape);
        rest = &rest[length..];
    }
    short
}
