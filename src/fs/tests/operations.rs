//! What writes files: the operations that faults are tried on.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::document::{Document, EncryptedDocument};
use crate::edit::{EditOptions, edit_file};
use crate::error::{Error, ErrorKind, Result};
use crate::fs::faults::Call;
use crate::fs::{create_file, replace_file};
use crate::keys::{Identities, NewIdentity, Recipients};
#[cfg(feature = "tokens")]
use crate::storage::{FileStorage, SopsStorage, Token, TokenStorage, UnsavedToken};
use crate::tree::Map;

/// What is in all secrets.
pub(super) const SECRET: &str = "hunter2";

const PLAIN: &str = "plain.json";
const SEALED: &str = "sealed.json";
const KEYS: &str = "keys.txt";
#[cfg(feature = "tokens")]
const PLAIN_TOKEN: &str = "tokens/github.token.json";
#[cfg(feature = "tokens")]
pub(super) const SEALED_TOKEN: &str = "tokens/github.token.sops.json";

pub(super) struct Place {
    folder: TempDir,
    identity: NewIdentity,
}

impl Place {
    pub(super) fn new() -> Self {
        Place { folder: tempfile::tempdir().unwrap(), identity: NewIdentity::x25519() }
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn identities(&self) -> Identities {
        Identities::parse(self.identity.secret()).unwrap()
    }

    fn recipients(&self) -> Recipients {
        Recipients::parse(self.identity.recipient()).unwrap()
    }

    fn put(&self, name: &str, content: &[u8], mode: u32) {
        fs::write(self.path(name), content).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn put_sealed(&self) {
        let tree = Map::from_iter([("password", SECRET.into())]);
        let text = Document::new(tree, &self.recipients()).unwrap().encrypt_to_text().unwrap();
        self.put(SEALED, text.as_bytes(), 0o640);
    }

    fn has(&self, name: &str, content: &[u8]) -> bool {
        fs::read(self.path(name)).is_ok_and(|now| now == content)
    }

    fn sealed(&self) -> EncryptedDocument {
        EncryptedDocument::parse(&fs::read(self.path(SEALED)).unwrap()).unwrap()
    }

    #[cfg(feature = "tokens")]
    pub(super) fn storage(&self, file: &str) -> Box<dyn TokenStorage> {
        let wait = std::time::Duration::from_millis(10);
        match file {
            PLAIN_TOKEN => Box::new(FileStorage::new(self.path("tokens")).wait(wait)),
            _ => Box::new(SopsStorage::new(self.path("tokens"), self.recipients(), self.identities()).wait(wait)),
        }
    }

    #[cfg(feature = "tokens")]
    fn put_token(&self, file: &str) {
        let ended = chrono::Utc::now() - chrono::TimeDelta::hours(1);
        let token = Token::new("old-hunter2").with_expires_at(Some(ended));
        self.storage(file).save("github", &token).unwrap();
    }

    #[cfg(feature = "tokens")]
    fn has_new_token(&self, file: &str) -> bool {
        self.storage(file).load("github").unwrap().is_some_and(|token| token.access_token() == "new-hunter2")
    }

    #[cfg(feature = "tokens")]
    fn refresh(&self, file: &str) -> Result<()> {
        self.storage(file).refresh("github", &mut |_| Ok(Token::new("new-hunter2"))).map(drop)
    }
}

pub(super) struct Operation {
    pub(super) name: &'static str,
    /// What it writes.
    pub(super) file: &'static str,
    /// What is there before.
    pub(super) prepare: fn(&Place),
    pub(super) run: fn(&Place) -> Result<()>,
    pub(super) is_done: fn(&Place) -> bool,
    calls: &'static [Call],
    /// What an error of the first lock is.
    pub(super) lock_kind: ErrorKind,
    /// Whether it is tried first whether there is room.
    rehearses: bool,
}

impl Operation {
    pub(super) fn place(&self) -> Place {
        let place = Place::new();
        (self.prepare)(&place);
        place
    }

    pub(super) fn makes(&self, call: Call) -> bool {
        self.calls.contains(&call)
    }

    /// How many calls of this kind come before the one that matters.
    pub(super) fn skip(&self, call: Call) -> usize {
        let is_rehearsed = [Call::Create, Call::Lock, Call::Write, Call::Sync, Call::Remove].contains(&call);
        usize::from(self.rehearses && is_rehearsed)
    }

    /// What went wrong, and with which file. A new token that could not be saved is in the error, whole.
    #[track_caller]
    pub(super) fn cause(&self, error: &Error) -> (ErrorKind, Option<PathBuf>) {
        #[cfg(feature = "tokens")]
        if self.rehearses {
            let unsaved = UnsavedToken::of(error).unwrap_or_else(|| panic!("{}: {error}", self.name));
            assert_eq!((error.kind(), unsaved.token().access_token()), (ErrorKind::TokenNotSaved, "new-hunter2"));
            return (unsaved.why().kind(), unsaved.why().file().map(Path::to_owned));
        }
        (error.kind(), error.file().map(Path::to_owned))
    }
}

const NEW: &[Call] =
    &[Call::Create, Call::Lock, Call::Write, Call::Sync, Call::Rename, Call::Renamed, Call::SyncDirectory];
const OLD: &[Call] = &[
    Call::Create,
    Call::Lock,
    Call::Write,
    Call::Own,
    Call::SetMode,
    Call::Sync,
    Call::Rename,
    Call::Renamed,
    Call::SyncDirectory,
];
const EDIT: &[Call] = &[
    Call::Create,
    Call::Lock,
    Call::Write,
    Call::Own,
    Call::SetMode,
    Call::Sync,
    Call::Rename,
    Call::Renamed,
    Call::SyncDirectory,
    Call::Read,
    Call::ReadAgain,
    Call::LockTarget,
];
#[cfg(feature = "tokens")]
const SAVE: &[Call] = &[
    Call::Create,
    Call::Lock,
    Call::Write,
    Call::SetMode,
    Call::Sync,
    Call::Rename,
    Call::Renamed,
    Call::SyncDirectory,
    Call::LockTarget,
];
#[cfg(feature = "tokens")]
const REFRESH: &[Call] = &[
    Call::Create,
    Call::Lock,
    Call::Write,
    Call::SetMode,
    Call::Sync,
    Call::Rename,
    Call::Renamed,
    Call::SyncDirectory,
    Call::Read,
    Call::LockTarget,
];

fn set(place: &Place) -> Result<()> {
    edit_file(place.path(SEALED), &place.identities(), |document| document.set(r#"["password"]"#, "new-hunter2"))
        .map(drop)
}

fn update_keys(place: &Place) -> Result<()> {
    let other = Recipients::parse("age17tfxv44858ap3p7e2ce9kztrnyvvjknqd83gp5jen4rt50j4c45q9f4ku0")?;
    let recipients = place.recipients().with(&other);
    let edit = |sealed: &mut EncryptedDocument| {
        Ok::<_, Error>(!sealed.update_keys(&recipients, &place.identities())?.is_empty())
    };
    EditOptions::new().edit_sealed_file(place.path(SEALED), edit).map(drop)
}

pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        name: "replace_file, a new file",
        file: PLAIN,
        prepare: |_| {},
        run: |place| replace_file(place.path(PLAIN), SECRET.as_bytes()),
        is_done: |place| place.has(PLAIN, SECRET.as_bytes()),
        calls: NEW,
        lock_kind: ErrorKind::Write,
        rehearses: false,
    },
    Operation {
        name: "replace_file, an old file",
        file: PLAIN,
        prepare: |place| place.put(PLAIN, b"old", 0o640),
        run: |place| replace_file(place.path(PLAIN), SECRET.as_bytes()),
        is_done: |place| place.has(PLAIN, SECRET.as_bytes()),
        calls: OLD,
        lock_kind: ErrorKind::Write,
        rehearses: false,
    },
    Operation {
        name: "edit_file",
        file: SEALED,
        prepare: Place::put_sealed,
        run: set,
        is_done: |place| {
            let document = place.sealed().decrypt(&place.identities()).unwrap();
            document.get(r#"["password"]"#).unwrap().as_str() == Some("new-hunter2")
        },
        calls: EDIT,
        lock_kind: ErrorKind::Read,
        rehearses: false,
    },
    Operation {
        name: "edit_sealed_file",
        file: SEALED,
        prepare: Place::put_sealed,
        run: update_keys,
        is_done: |place| place.sealed().metadata().recipients().count() == 2,
        calls: EDIT,
        lock_kind: ErrorKind::Read,
        rehearses: false,
    },
    Operation {
        name: "keygen",
        file: KEYS,
        prepare: |_| {},
        run: |place| create_file(place.path(KEYS), SECRET.as_bytes()),
        is_done: |place| place.has(KEYS, SECRET.as_bytes()),
        calls: &[Call::Create, Call::Write, Call::Sync, Call::SyncDirectory],
        lock_kind: ErrorKind::Write,
        rehearses: false,
    },
    #[cfg(feature = "tokens")]
    Operation {
        name: "FileStorage, the first save",
        file: PLAIN_TOKEN,
        prepare: |_| {},
        run: |place| place.storage(PLAIN_TOKEN).save("github", &Token::new("new-hunter2")),
        is_done: |place| place.has_new_token(PLAIN_TOKEN),
        calls: SAVE,
        lock_kind: ErrorKind::Write,
        rehearses: false,
    },
    #[cfg(feature = "tokens")]
    Operation {
        name: "FileStorage, a save",
        file: PLAIN_TOKEN,
        prepare: |place| place.put_token(PLAIN_TOKEN),
        run: |place| place.storage(PLAIN_TOKEN).save("github", &Token::new("new-hunter2")),
        is_done: |place| place.has_new_token(PLAIN_TOKEN),
        calls: SAVE,
        lock_kind: ErrorKind::Write,
        rehearses: false,
    },
    #[cfg(feature = "tokens")]
    Operation {
        name: "FileStorage, a refresh",
        file: PLAIN_TOKEN,
        prepare: |place| place.put_token(PLAIN_TOKEN),
        run: |place| place.refresh(PLAIN_TOKEN),
        is_done: |place| place.has_new_token(PLAIN_TOKEN),
        calls: REFRESH,
        lock_kind: ErrorKind::Write,
        rehearses: true,
    },
    #[cfg(feature = "tokens")]
    Operation {
        name: "SopsStorage, a save",
        file: SEALED_TOKEN,
        prepare: |place| place.put_token(SEALED_TOKEN),
        run: |place| place.storage(SEALED_TOKEN).save("github", &Token::new("new-hunter2")),
        is_done: |place| place.has_new_token(SEALED_TOKEN),
        calls: SAVE,
        lock_kind: ErrorKind::Write,
        rehearses: false,
    },
    #[cfg(feature = "tokens")]
    Operation {
        name: "SopsStorage, a refresh",
        file: SEALED_TOKEN,
        prepare: |place| place.put_token(SEALED_TOKEN),
        run: |place| place.refresh(SEALED_TOKEN),
        is_done: |place| place.has_new_token(SEALED_TOKEN),
        calls: REFRESH,
        lock_kind: ErrorKind::Write,
        rehearses: true,
    },
];
