//! What the tests of token storages share.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of this")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use sopskit::{
    EncryptedDocument, Environment, FileStorage, Map, MemoryStorage, SopsStorage, StorageOptions, Token, TokenStorage,
    Value, open_storage,
};
use tempfile::TempDir;

use super::{identities, read, recipients};

pub struct Home {
    pub folder: TempDir,
}

impl Home {
    pub fn new() -> Self {
        Home { folder: tempfile::tempdir().unwrap() }
    }

    pub fn tokens(&self) -> PathBuf {
        self.folder.path().join("tokens")
    }

    pub fn sops(&self) -> SopsStorage {
        SopsStorage::new(self.tokens(), recipients(&["alice"]), identities("alice"))
    }

    pub fn file(&self) -> FileStorage {
        FileStorage::new(self.tokens())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.tokens().join(name)
    }

    /// A file in the directory of the tokens, as somebody else would put it there.
    pub fn put(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        if !self.tokens().exists() {
            fs::create_dir(self.tokens()).unwrap();
            chmod(&self.tokens(), 0o700);
        }
        fs::write(self.path(name), content).unwrap();
        chmod(&self.path(name), 0o600);
        self.path(name)
    }

    pub fn sealed(&self, provider: &str) -> EncryptedDocument {
        EncryptedDocument::parse(&read(self.path(&format!("{provider}.token.sops.json")))).unwrap()
    }
}

pub fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

pub fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

pub fn token(access: &str) -> Token {
    Token::new(access)
        .with_refresh_token(Some("r-secret".into()))
        .with_id_token(Some("i-secret".into()))
        .with_scope(["openid", "profile"])
        .with_metadata(Map::from_iter([("scope", Value::from("m-secret")), ("pin", Value::from(8_675_309))]))
        .with_expires_at(Some(at("2026-01-31T13:00:00.5Z")))
        .with_issued_at(at("2026-01-31T12:00:00Z"))
}

pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub fn fresh(access: &str) -> Token {
    Token::new(access).with_expires_at(Some(Utc::now() + TimeDelta::hours(1)))
}

pub fn expired(access: &str) -> Token {
    Token::new(access).with_expires_at(Some(Utc::now() - TimeDelta::hours(1)))
}

/// Runs a check with a storage of each kind.
pub fn for_each_storage(check: impl Fn(&dyn TokenStorage)) {
    let home = Home::new();
    check(&MemoryStorage::new());
    check(&home.file());
    check(&home.sops());
    check(&home.sops().encrypt_all().cache_data_keys(4));
}

/// The storage of this name, for alice.
pub fn open(kind: &str, directory: &Path) -> Box<dyn TokenStorage> {
    let options = StorageOptions::new(Environment::from_iter([("HOME", "")]));
    open_storage(kind, options.directory(directory).recipients(recipients(&["alice"])).keys(identities("alice")))
        .unwrap()
}

/// Runs one ignored test of this binary in a process of its own.
pub fn in_a_process(test: &str, variables: &[(&str, &str)]) -> std::process::Child {
    std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture"])
        .envs(variables.iter().copied())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap()
}

#[track_caller]
pub fn assert_passed(child: std::process::Child) {
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}
