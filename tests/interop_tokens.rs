//! Tokens: the real kstlib and the real sops read what is saved here, and the other way round. `KSTLIB_PYTHON` names a Python that has
//! kstlib; `SOPS_BINS` is as in `tests/interop.rs`.
#![cfg(all(feature = "tokens", unix))]

#[path = "interop/sops.rs"]
#[allow(dead_code, reason = "this test uses a part of it")]
mod sops;
mod support;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value as Json;
use sops::{Sops, for_each_sops};
use sopskit::{Token, TokenStorage};
use support::tokens::{Home, chmod, fresh, open, token};
use support::{FIXTURES, identity_text, peer, public_key, read};

const PYTHON: &str = "KSTLIB_PYTHON";

/// What the peer does: arguments are the storage, its directory, the sops binary, a recipient, the work and a provider. A token comes and goes as JSON.
const SCRIPT: &str = r#"
import json, sys
from kstlib.auth.models import Token
from kstlib.auth.token import get_token_storage
kind, directory, sops, recipient, work, provider = sys.argv[1:]
more = {"sops_binary": sops, "age_recipients": [recipient]} if kind == "sops" else {}
storage = get_token_storage(kind, directory=directory, **more)
if work == "save":
    storage.save(provider, Token.from_dict(json.load(sys.stdin)))
elif work == "load":
    token = storage.load(provider)
    print(json.dumps(token and token.to_dict()))
else:
    print(json.dumps(storage.delete(provider)))
"#;

/// kstlib with one binary of sops, on the tokens of `home`.
struct Kstlib<'a> {
    python: PathBuf,
    sops: &'a Sops,
    home: &'a Home,
    kind: &'a str,
}

impl Kstlib<'_> {
    #[track_caller]
    fn run(&self, work: &str, provider: &str, input: &[u8]) -> Json {
        let mut command = Command::new(&self.python);
        command.args(["-c", SCRIPT, self.kind]).arg(self.home.tokens()).arg(&self.sops.binary);
        command.args([&public_key("alice"), work, provider]).current_dir(self.home.folder.path());
        command.env_clear().env("HOME", self.home.folder.path()).env("PATH", "/usr/bin:/bin");
        command.env("SOPS_AGE_KEY_FILE", format!("{FIXTURES}/keys/alice.txt")).env("SOPS_DISABLE_VERSION_CHECK", "1");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{work}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap_or(Json::Null)
    }
}

fn json(token: &Token) -> Json {
    serde_json::from_slice(&token.to_json().unwrap()).unwrap()
}

/// Runs a check for each sops and each kind of files.
fn for_each_peer(check: impl Fn(&Kstlib<'_>, &dyn TokenStorage) + Sync) {
    let Some(python) = peer(PYTHON).map(PathBuf::from) else { return };
    for_each_sops(|sops| {
        for kind in ["sops", "file"] {
            let home = Home::new();
            let storage = open(kind, &home.tokens());
            check(&Kstlib { python: python.clone(), sops, home: &home, kind }, &*storage);
        }
    });
}

/// Tokens with each thing that a token can have, by provider.
fn tokens() -> [(&'static str, Token); 3] {
    let odd = r#"{"access_token": "ä€😀\n\"", "token_type": "MAC", "expires_at": "2026-01-31T13:00:00.000001-05:30",
        "refresh_token": "", "scope": [], "id_token": null, "issued_at": "2026-01-31T12:00:00+00:00",
        "metadata": {"a": {"b": [1, 2.5, true, false, null, "x", {}, []]}, "x_unencrypted": "y", "scope": "z"}}"#;
    [
        ("github", token("a-secret")),
        ("accounts.google.com/Łódź-1", Token::from_json(odd.as_bytes()).unwrap()),
        ("minimal", Token::new("a")),
    ]
}

#[test]
fn what_is_saved_here_kstlib_loads() {
    for_each_peer(|kstlib, storage| {
        for (provider, token) in tokens() {
            storage.save(provider, &token).unwrap();
            assert_eq!(kstlib.run("load", provider, b""), json(&token), "{provider}");
        }
        assert_eq!(kstlib.run("delete", "github", b""), Json::Bool(true));
        assert!(storage.load("github").unwrap().is_none());
    });
}

#[test]
fn what_kstlib_saves_is_loaded_here() {
    for_each_peer(|kstlib, storage| {
        for (provider, token) in tokens() {
            kstlib.run("save", provider, &token.to_json().unwrap());
            assert_eq!(json(&storage.load(provider).unwrap().unwrap()), json(&token), "{provider}");
        }
        assert!(storage.delete("github").unwrap());
        assert_eq!(kstlib.run("load", "github", b""), Json::Null);
    });
}

#[test]
fn the_two_take_turns_with_one_token() {
    for_each_peer(|kstlib, storage| {
        storage.save("github", &token("of sopskit")).unwrap();
        kstlib.run("save", "github", &token("of kstlib").to_json().unwrap());
        let refreshed = storage.refresh("github", &mut |old| {
            assert_eq!(old.access_token(), "of kstlib");
            Ok(fresh("refreshed"))
        });
        assert_eq!(refreshed.unwrap().access_token(), "refreshed");
        assert_eq!(kstlib.run("load", "github", b"")["access_token"], "refreshed");
        assert_eq!(storage.list().unwrap(), ["github"]);
    });
}

#[test]
fn sops_reads_and_edits_a_token_that_was_saved_here() {
    for_each_sops(|sops| {
        let home = Home::new();
        let storage = open("sops", &home.tokens());
        std::fs::write(home.folder.path().join("keys.txt"), identity_text("alice")).unwrap();
        for (provider, token) in tokens() {
            storage.save(provider, &token).unwrap();
        }
        let opened = |name: &str| {
            let path = home.path(name);
            let args = ["--decrypt", path.to_str().unwrap()].map(str::to_owned);
            serde_json::from_slice::<Json>(&sops.run(home.folder.path(), &args).unwrap()).unwrap()
        };
        for ((_, token), name) in tokens().iter().zip(["github", "accounts_google_com_Łódź-1", "minimal"]) {
            let mut expected = json(token);
            if name == "minimal" {
                expected["issued_at"] = opened("minimal.token.sops.json")["issued_at"].clone();
            }
            assert_eq!(opened(&format!("{name}.token.sops.json")), expected, "{name}");
        }
        // As before it, it writes into the file.
        let path = home.path("github.token.sops.json");
        chmod(&path, 0o600);
        set(sops, &home, &path, r#"["metadata"]["note"]"#, r#""by sops""#);
        set(sops, &home, &path, r#"["scope"][0]"#, r#""changed""#);
        let edited = storage.load("github").unwrap().unwrap();
        assert_eq!((edited.access_token(), edited.scope()[0].as_str()), ("a-secret", "changed"));
        assert_eq!(edited.metadata().get("note").unwrap().as_str(), Some("by sops"));
        assert!(String::from_utf8(read(&path)).unwrap().contains("\"changed\""), "in clear, as before");
    });
}

fn set(sops: &Sops, home: &Home, path: &Path, index: &str, value: &str) {
    let file = path.to_str().unwrap();
    // `set` became a command with 3.10.
    let args: Vec<_> = match sops.release >= [3, 10, 0] {
        true => ["set", file, index, value].map(str::to_owned).to_vec(),
        false => ["--set".to_owned(), format!("{index} {value}"), file.to_owned()].to_vec(),
    };
    sops.run(home.folder.path(), &args).unwrap();
}
