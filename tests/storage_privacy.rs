//! Tokens on the disk: what is encrypted, and who can get at it.
#![cfg(all(feature = "tokens", unix))]

mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Arc;

use sopskit::{ErrorKind, FileStorage, Identities, MemoryStorage, SopsStorage, Token, TokenStorage, Value};
use support::tokens::{Home, assert_passed, at, chmod, in_a_process, mode, token};
use support::{public_key, read, recipients};

// ------------------------------------------------------------------------------------------------- what is encrypted

const SECRETS: [&str; 5] = ["a-secret", "r-secret", "i-secret", "m-secret", "8675309"];

#[test]
fn the_secrets_are_encrypted_and_type_times_and_scopes_are_not() {
    let home = Home::new();
    home.sops().save("github", &token("a-secret")).unwrap();
    let text = String::from_utf8(read(home.path("github.token.sops.json"))).unwrap();
    assert!(!SECRETS.iter().any(|secret| text.contains(secret)), "{text}");
    let sealed = home.sealed("github");
    let clear: Vec<_> = sealed.tree().iter().filter(|(_, value)| is_in_clear(value)).map(|(key, _)| key).collect();
    assert_eq!(clear, ["token_type", "expires_at", "scope", "issued_at"]);
    let status = home.sops().status("github").unwrap().unwrap();
    assert_eq!(status.expires_at(), Some(at("2026-01-31T13:00:00.5Z")));
    assert_eq!((status.token_type(), status.issued_at()), (Some("Bearer"), Some(at("2026-01-31T12:00:00Z"))));
    assert_eq!(status.scope(), Some(&["openid".to_owned(), "profile".to_owned()][..]));
    assert_eq!(
        (status.is_refreshable(), status.recipients()),
        (Some(true), &[format!("age {}", public_key("alice"))][..])
    );
}

fn is_in_clear(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().all(is_in_clear),
        Value::Object(members) => members.iter().all(|(_, value)| is_in_clear(value)),
        value => !value.as_str().is_some_and(|text| text.starts_with("ENC[")),
    }
}

#[test]
fn a_status_needs_no_key_and_says_what_it_does_not_know() {
    let home = Home::new();
    let without_key = SopsStorage::new(home.tokens(), recipients(&["alice", "bob"]), Identities::default());
    without_key.save("github", &Token::new("a").with_issued_at(at("2026-01-31T12:00:00Z"))).unwrap();
    assert_eq!(without_key.load("github").unwrap_err().kind(), ErrorKind::NoMatchingIdentity);
    let status = without_key.status("github").unwrap().unwrap();
    assert_eq!((status.expires_at(), status.is_refreshable(), status.recipients().len()), (None, Some(false), 2));
    home.sops().encrypt_all().save("github", &token("a")).unwrap();
    let status = without_key.status("github").unwrap().unwrap();
    assert_eq!(
        (status.token_type(), status.expires_at(), status.issued_at(), status.scope()),
        (None, None, None, None)
    );
    assert_eq!((status.is_refreshable(), status.recipients().len()), (Some(true), 1));
    for storage in [&MemoryStorage::new() as &dyn TokenStorage, &home.file()] {
        storage.save("github", &token("a")).unwrap();
        let status = storage.status("github").unwrap().unwrap();
        assert_eq!((status.scope().unwrap().len(), status.recipients().len()), (2, 0));
    }
}

#[test]
fn everything_is_encrypted_when_that_is_asked_for() {
    let home = Home::new();
    let odd = br#"{"access_token": "a-secret", "scope": ["s-secret"], "metadata": {"x_unencrypted": "m-secret"}, "": "o-secret"}"#;
    home.sops().encrypt_all().save("github", &Token::from_json(odd).unwrap()).unwrap();
    let text = String::from_utf8(read(home.path("github.token.sops.json"))).unwrap();
    assert!(!text.contains("secret\"") && !text.contains("Bearer"), "{text}");
}

#[test]
fn fields_that_are_not_known_are_encrypted_too() {
    let home = Home::new();
    let odd = br#"{"access_token": "a", "device.secret": "hunter2", "scope": ["x"]}"#;
    home.sops().save("github", &Token::from_json(odd).unwrap()).unwrap();
    let sealed = home.sealed("github");
    assert!(!is_in_clear(sealed.tree().get("device.secret").unwrap()));
    assert!(is_in_clear(sealed.tree().get("scope").unwrap()));
}

#[test]
fn a_change_of_what_is_in_clear_is_noticed() {
    for (from, to) in
        [("2026-01-31T13:00:00.500000", "2036-01-31T13:00:00.500000"), ("\"openid\"", "\"admin\""), ("Bearer", "DPoP")]
    {
        let home = Home::new();
        home.sops().save("github", &token("a")).unwrap();
        let text = String::from_utf8(read(home.path("github.token.sops.json"))).unwrap();
        assert_eq!(text.matches(from).count(), 1);
        home.put("github.token.sops.json", text.replace(from, to));
        assert_eq!(home.sops().load("github").unwrap_err().kind(), ErrorKind::MacMismatch, "{from}");
    }
}

#[cfg(feature = "config")]
mod by_creation_rule {
    use sopskit::{Config, Environment, Map, StorageOptions, open_storage};
    use support::{FIXTURES, identities};

    use super::*;

    fn storage(home: &Home, config: &str) -> SopsStorage {
        let config = config.replace("ALICE", &public_key("alice")).replace("BOB", &public_key("bob"));
        let config = Config::parse(&config, &home.folder.path().join(".sops.yaml")).unwrap();
        SopsStorage::with_config(home.tokens(), config, identities("bob"))
    }

    #[test]
    fn the_path_of_the_token_itself_is_matched() {
        let home = Home::new();
        let storage = storage(
            &home,
            r"creation_rules: [{path_regex: ^tokens/git.*\.token\.sops\.json$, age: BOB}, {path_regex: tmp, age: ALICE}]",
        );
        storage.save("github", &token("a")).unwrap();
        assert_eq!(home.sealed("github").metadata().recipients().collect::<Vec<_>>(), [public_key("bob")]);
        assert_eq!(storage.load("github").unwrap().unwrap().access_token(), "a");
        let error = storage.save("bitbucket", &token("a")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoCreationRule);
        assert!(!home.path("bitbucket.token.sops.json").exists());
    }

    #[test]
    fn the_rule_field_of_a_creation_rule_wins_and_without_one_the_default_counts() {
        let home = Home::new();
        let by_rule = storage(&home, "creation_rules: [{age: BOB, unencrypted_regex: ^expires_at$}]").encrypt_all();
        by_rule.save("github", &token("a")).unwrap();
        let sealed = home.sealed("github");
        assert_eq!(sealed.metadata().rule().to_string(), "unencrypted_regex: ^expires_at$");
        assert!(
            is_in_clear(sealed.tree().get("expires_at").unwrap()) && !is_in_clear(sealed.tree().get("scope").unwrap())
        );
        storage(&home, "creation_rules: [{age: BOB}]").save("github", &token("a")).unwrap();
        let sealed = home.sealed("github");
        assert!(
            is_in_clear(sealed.tree().get("scope").unwrap()) && !is_in_clear(sealed.tree().get("metadata").unwrap())
        );
        storage(&home, "creation_rules: [{age: BOB}]").encrypt_all().save("github", &token("a")).unwrap();
        assert!(!is_in_clear(home.sealed("github").tree().get("scope").unwrap()));
    }

    #[test]
    fn a_rule_that_would_leave_a_secret_in_clear_is_refused() {
        for (rule, key) in [
            ("encrypted_regex: ^(data|stringData)$", "access_token"),
            ("encrypted_regex: ^access_token$", "refresh_token"),
            ("unencrypted_suffix: _token", "access_token"),
            ("encrypted_regex: ^(access_token|refresh_token|id_token)$", "metadata"),
            ("unencrypted_regex: ^scope$", "metadata"),
        ] {
            let home = Home::new();
            let storage = storage(&home, &format!("creation_rules: [{{age: BOB, {rule}}}]"));
            let error = storage.save("github", &token("a")).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::SecretInClear, "{rule}");
            assert_eq!(error.path().to_string(), format!("[\"{key}\"]"), "{rule}");
            assert!(!home.tokens().exists());
        }
        let home = Home::new();
        let storage =
            storage(&home, "creation_rules: [{age: BOB, encrypted_regex: ^(access_token|refresh_token|id_token|x)$}]");
        storage.save("github", &token("a").with_metadata(Map::new())).unwrap();
    }

    #[test]
    fn the_mac_covers_what_is_in_clear_whatever_the_rule_says() {
        let home = Home::new();
        let storage = storage(&home, "creation_rules: [{age: BOB, mac_only_encrypted: true}]");
        storage.save("github", &token("a")).unwrap();
        let text = String::from_utf8(read(home.path("github.token.sops.json"))).unwrap();
        home.put("github.token.sops.json", text.replace("2026-01-31T13", "2036-01-31T13"));
        assert_eq!(storage.load("github").unwrap_err().kind(), ErrorKind::MacMismatch);
    }

    #[test]
    fn the_config_file_is_found_from_the_directory_of_the_tokens_upward_and_only_a_save_reads_it() {
        let home = Home::new();
        let config = home.folder.path().join(".sops.yaml");
        fs::write(&config, format!("creation_rules: [{{path_regex: ^tokens/, age: {}}}]", public_key("alice")))
            .unwrap();
        let options = || {
            let environment = Environment::from_iter([("SOPS_AGE_KEY_FILE", format!("{FIXTURES}/keys/alice.txt"))]);
            StorageOptions::new(environment).directory(home.tokens())
        };
        let storage = open_storage("sops", options()).unwrap();
        storage.save("github", &token("a")).unwrap();
        assert_eq!(home.sealed("github").metadata().recipients().collect::<Vec<_>>(), [public_key("alice")]);
        // Whoever is named wins, also where no rule matches.
        let named = open_storage("sops", options().recipients(recipients(&["bob"]))).unwrap();
        named.save("gitlab", &token("a")).unwrap();
        assert_eq!(home.sealed("gitlab").metadata().recipients().collect::<Vec<_>>(), [public_key("bob")]);
        fs::write(&config, "creation_rules: [").unwrap();
        assert_eq!(storage.load("github").unwrap().unwrap().access_token(), "a");
        assert_eq!(storage.save("github", &token("b")).unwrap_err().kind(), ErrorKind::InvalidConfig);
    }
}

// ------------------------------------------------------------------------------------------------ who can get at it

#[test]
fn files_are_for_their_owner_only_and_an_old_one_is_replaced_by_a_new_one() {
    use std::os::unix::fs::MetadataExt as _;
    let home = Home::new();
    for (storage, name, expected) in [
        (&home.sops() as &dyn TokenStorage, "github.token.sops.json", 0o400),
        (&home.file(), "github.token.json", 0o600),
    ] {
        storage.save("github", &token("a")).unwrap();
        let first = fs::metadata(home.path(name)).unwrap().ino();
        assert_eq!((mode(&home.tokens()), mode(&home.path(name))), (0o700, expected));
        storage.save("github", &token("b")).unwrap();
        assert_eq!(storage.load("github").unwrap().unwrap().access_token(), "b");
        assert_ne!(fs::metadata(home.path(name)).unwrap().ino(), first, "nothing is written into the old one");
        chmod(&home.path(name), 0o644);
        storage.save("github", &token("c")).unwrap();
        assert_eq!(mode(&home.path(name)), expected, "a mode that was too wide is not kept");
    }
    assert_eq!(mode(&home.path(".github.lock")), 0o600);
}

#[test]
fn what_others_can_write_is_refused() {
    for bits in [0o620, 0o602, 0o666] {
        for (storage, name) in [(true, "github.token.sops.json"), (false, "github.token.json")] {
            let home = Home::new();
            let storage: Box<dyn TokenStorage> = if storage { Box::new(home.sops()) } else { Box::new(home.file()) };
            storage.save("github", &token("a")).unwrap();
            chmod(&home.path(name), bits);
            let error = storage.load("github").unwrap_err();
            assert_eq!((error.kind(), error.file()), (ErrorKind::NotPrivate, Some(&*home.path(name))));
            assert!(error.to_string().contains("chmod go-w"), "{error}");
        }
    }
    for bits in [0o770, 0o703, 0o1777] {
        let home = Home::new();
        home.sops().save("github", &token("a")).unwrap();
        chmod(&home.tokens(), bits);
        let kinds = [
            home.sops().load("github").map(drop).map_err(|error| error.kind()),
            home.sops().save("github", &token("b")).map_err(|error| error.kind()),
            home.sops().delete("github").map(drop).map_err(|error| error.kind()),
            home.sops().list().map(drop).map_err(|error| error.kind()),
        ];
        assert_eq!(kinds, [Err(ErrorKind::NotPrivate); 4], "{bits:o}");
    }
}

#[test]
fn what_belongs_to_another_user_is_refused() {
    let home = Home::new();
    home.sops().save("github", &token("a")).unwrap();
    if std::os::unix::fs::chown(home.path("github.token.sops.json"), Some(12_345), None).is_err() {
        eprintln!("only root can give a file away; this part did not run");
        return;
    }
    let error = home.sops().load("github").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotPrivate);
    assert!(error.to_string().contains("belongs to user 12345"), "{error}");
    let home = Home::new();
    home.sops().save("github", &token("a")).unwrap();
    std::os::unix::fs::chown(home.tokens(), Some(12_345), None).unwrap();
    assert_eq!(home.sops().load("github").unwrap_err().kind(), ErrorKind::NotPrivate);
    assert_eq!(home.sops().save("github", &token("b")).unwrap_err().kind(), ErrorKind::NotPrivate);
}

#[test]
fn what_a_killed_save_left_is_gone_with_the_token() {
    let home = Home::new();
    home.file().save("github", &token("a")).unwrap();
    home.put(".sopskit-0123456789abcdef.tmp", "a-secret");
    assert!(home.file().delete("github").unwrap());
    assert_eq!(support::names(&home.tokens()), [""; 0]);
}

#[test]
fn of_what_others_can_read_a_warning_tells_once() {
    let home = Home::new();
    let storage = home.sops();
    storage.save("github", &token("a")).unwrap();
    chmod(&home.tokens(), 0o755);
    chmod(&home.path("github.token.sops.json"), 0o444);
    let warnings = warnings(|| {
        for _ in 0..3 {
            storage.load("github").unwrap().unwrap();
        }
    });
    assert_eq!(warnings.matches("other users can read it").count(), 2, "of the directory and of the file: {warnings}");
    assert!(warnings.contains("github.token.sops.json") && !warnings.contains("secret"), "{warnings}");
}

#[test]
fn the_first_save_without_encryption_warns() {
    // The only test of this file that looks for it; another one can have been first in this process, so it runs in one of its own.
    assert_passed(in_a_process("in_a_process_of_its_own_two_saves_warn_once", &[]));
}

#[test]
#[ignore = "run by the test above"]
fn in_a_process_of_its_own_two_saves_warn_once() {
    let home = Home::new();
    let warnings = warnings(|| {
        home.file().save("github", &token("a-secret")).unwrap();
        home.file().save("gitlab", &token("a-secret")).unwrap();
    });
    assert_eq!(warnings.matches("without encryption").count(), 1, "{warnings}");
    assert!(!warnings.contains("a-secret"), "{warnings}");
}

/// What `tracing` was told meanwhile, on this thread.
fn warnings(work: impl FnOnce()) -> String {
    #[derive(Clone, Default)]
    struct Lines(Arc<std::sync::Mutex<Vec<u8>>>);
    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let lines = Lines::default();
    let sink = lines.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || sink.clone()).finish();
    tracing::subscriber::with_default(subscriber, work);
    String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
}

#[test]
fn what_is_no_regular_file_is_an_error_and_nothing_waits_for_it() {
    let home = Home::new();
    home.put("x", "");
    let fifo = home.path("github.token.sops.json");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    fs::create_dir(home.path("gitlab.token.sops.json")).unwrap();
    for provider in ["github", "gitlab"] {
        assert_eq!(home.sops().load(provider).unwrap_err().kind(), ErrorKind::Read, "{provider}");
        assert_eq!(home.sops().save(provider, &token("a")).unwrap_err().kind(), ErrorKind::Write, "{provider}");
    }
    fs::write(home.folder.path().join("file"), "").unwrap();
    let storage = FileStorage::new(home.folder.path().join("file"));
    assert_eq!(storage.load("github").unwrap_err().kind(), ErrorKind::Read);
}

#[test]
fn behind_a_link_the_file_itself_is_replaced() {
    let home = Home::new();
    home.sops().save("github", &token("a")).unwrap();
    let elsewhere = home.folder.path().join("elsewhere.json");
    fs::rename(home.path("github.token.sops.json"), &elsewhere).unwrap();
    symlink(&elsewhere, home.path("github.token.sops.json")).unwrap();
    home.sops().save("github", &token("b")).unwrap();
    assert!(fs::symlink_metadata(home.path("github.token.sops.json")).unwrap().is_symlink());
    assert_eq!(home.sops().load("github").unwrap().unwrap().access_token(), "b");
    assert_eq!(mode(&elsewhere), 0o400);
    assert!(home.sops().delete("github").unwrap());
    assert!(!elsewhere.exists(), "the token itself is gone");
}

#[test]
fn debug_of_a_storage_shows_no_secret() {
    let home = Home::new();
    let memory = MemoryStorage::new();
    let (sops, file) = (home.sops().cache_data_keys(1), home.file());
    for storage in [&memory as &dyn TokenStorage, &sops, &file] {
        storage.save("github", &token("a-secret")).unwrap();
        storage.load("github").unwrap().unwrap();
    }
    let status = file.status("github").unwrap();
    let shown = format!("{memory:?} {sops:?} {file:?} {status:?}");
    assert!(!SECRETS.iter().any(|secret| shown.contains(secret)) && !shown.contains("SECRET-KEY"), "{shown}");
}
