//! Token storages: what is saved is loaded, and nothing else is; names, settings, the files of kstlib.
#![cfg(all(feature = "tokens", unix))]

mod support;

use std::fs;

use sopskit::{
    Environment, ErrorKind, FileStorage, Map, SopsStorage, StorageOptions, StorageSettings, Token, TokenStorage, Value,
    open_storage,
};
use support::tokens::{Home, at, for_each_storage, mode, open, token};
use support::{FIXTURES, identities, names, public_key, read, recipients};

// ------------------------------------------------------------------------------------------------------ the contract

#[test]
fn what_is_saved_is_loaded_listed_replaced_and_deleted() {
    for_each_storage(|storage| {
        assert!(storage.load("github").unwrap().is_none());
        assert!(!storage.exists("github").unwrap() && !storage.delete("github").unwrap());
        assert_eq!(storage.list().unwrap(), [""; 0]);
        let first = token("first");
        storage.save("github", &first).unwrap();
        assert!(storage.load("github").unwrap() == Some(first));
        storage.save("gitlab", &token("other")).unwrap();
        storage.save("github", &token("second")).unwrap();
        assert_eq!(storage.load("github").unwrap().unwrap().access_token(), "second");
        assert_eq!(storage.list().unwrap(), ["github", "gitlab"]);
        assert!(storage.exists("github").unwrap() && storage.delete("github").unwrap());
        assert!(storage.load("github").unwrap().is_none() && !storage.exists("github").unwrap());
        assert_eq!(storage.load("gitlab").unwrap().unwrap().access_token(), "other");
        assert!(storage.delete("gitlab").unwrap());
    });
}

#[test]
fn a_storage_that_is_dropped_leaves_the_tokens_in_their_files_and_nothing_beside_them_when_they_are_deleted() {
    let home = Home::new();
    home.sops().save("github", &token("a")).unwrap();
    home.file().save("github", &token("b")).unwrap();
    assert_eq!(home.sops().load("github").unwrap().unwrap().access_token(), "a");
    assert_eq!(home.file().load("github").unwrap().unwrap().access_token(), "b");
    assert_eq!(names(&home.tokens()), [".github.lock", "github.token.json", "github.token.sops.json"]);
    assert!(home.sops().delete("github").unwrap() && home.file().delete("github").unwrap());
    assert_eq!(names(&home.tokens()), [""; 0]);
}

#[test]
fn to_read_makes_no_directory() {
    let home = Home::new();
    assert!(home.sops().load("github").unwrap().is_none());
    assert!(!home.sops().exists("github").unwrap() && !home.sops().delete("github").unwrap());
    assert_eq!(home.sops().list().unwrap(), [""; 0]);
    assert!(home.sops().status("github").unwrap().is_none());
    assert!(!home.tokens().exists());
}

#[test]
fn a_name_that_is_no_name_of_a_provider_is_refused_by_every_call() {
    let long = "x".repeat(129);
    for_each_storage(|storage| {
        for name in ["", &long] {
            let kinds = [
                storage.save(name, &token("a")).map_err(|error| error.kind()),
                storage.load(name).map(drop).map_err(|error| error.kind()),
                storage.delete(name).map(drop).map_err(|error| error.kind()),
                storage.exists(name).map(drop).map_err(|error| error.kind()),
                storage.refresh(name, &mut |_| Ok(token("a"))).map(drop).map_err(|error| error.kind()),
            ];
            assert_eq!(kinds, [Err(ErrorKind::InvalidProvider); 5], "{name:?}");
        }
        storage.save(&"x".repeat(128), &token("a")).unwrap();
        assert!(storage.delete(&"x".repeat(128)).unwrap());
    });
}

#[test]
fn a_token_file_that_cannot_be_read_is_an_error_and_never_no_token() {
    let good = read(format!("{FIXTURES}/tokens/kstlib/full.token.sops.json"));
    let text = String::from_utf8(good.clone()).unwrap();
    let cut = &good[..good.len() / 2];
    let no_token = {
        let tree = Map::from_iter([("a", Value::from("b"))]);
        sopskit::Document::new(tree, &recipients(&["alice"])).unwrap().encrypt().unwrap().to_string()
    };
    for (content, kind) in [
        (&b""[..], ErrorKind::EmptyInput),
        (cut, ErrorKind::Syntax),
        (b"{\"access_token\": \"in clear\"}", ErrorKind::NoMetadata),
        (text.replace("data:ob6F", "data:ob6G").as_bytes(), ErrorKind::LeafNotAuthentic),
        (no_token.as_bytes(), ErrorKind::InvalidToken),
    ] {
        let home = Home::new();
        home.put("github.token.sops.json", content);
        let error = home.sops().load("github").unwrap_err();
        assert_eq!((error.kind(), error.file()), (kind, Some(&*home.path("github.token.sops.json"))), "{error}");
        let error = home.sops().refresh("github", &mut |_| panic!("asked")).unwrap_err();
        assert_eq!(error.kind(), kind);
        assert!(home.sops().exists("github").unwrap(), "it is there all the same");
    }
    let home = Home::new();
    home.sops().save("github", &token("a")).unwrap();
    let bob = SopsStorage::new(home.tokens(), recipients(&["bob"]), identities("bob"));
    assert_eq!(bob.load("github").unwrap_err().kind(), ErrorKind::NoMatchingIdentity);
    for (content, kind) in [("", ErrorKind::EmptyInput), ("{}", ErrorKind::InvalidToken), ("{\"a", ErrorKind::Syntax)] {
        let home = Home::new();
        home.put("github.token.json", content);
        assert_eq!(home.file().load("github").unwrap_err().kind(), kind);
    }
}

#[test]
fn a_token_of_more_than_a_mebibyte_is_refused_before_the_old_one_is_touched() {
    let home = Home::new();
    let storage = home.file();
    storage.save("github", &token("a")).unwrap();
    let error = storage.save("github", &Token::new("x".repeat(1 << 20))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidToken);
    assert_eq!(storage.load("github").unwrap().unwrap().access_token(), "a");
    home.put("huge.token.json", vec![b' '; (1 << 20) + 1]);
    assert_eq!(storage.load("huge").unwrap_err().kind(), ErrorKind::Read);
}

// ------------------------------------------------------------------------------------------------------------- names

#[test]
fn two_providers_that_would_share_a_file_do_not() {
    for (first, second) in [("a.b", "a_b"), ("a_b", "a.b"), ("a/b", "a b")] {
        let home = Home::new();
        let storage = home.sops();
        storage.save(first, &token("of the first")).unwrap();
        let kinds = [
            storage.save(second, &token("x")).map_err(|error| error.kind()),
            storage.load(second).map(drop).map_err(|error| error.kind()),
            storage.delete(second).map(drop).map_err(|error| error.kind()),
            storage.exists(second).map(drop).map_err(|error| error.kind()),
            storage.refresh(second, &mut |_| panic!("asked")).map(drop).map_err(|error| error.kind()),
            storage.status(second).map(drop).map_err(|error| error.kind()),
        ];
        assert_eq!(kinds, [Err(ErrorKind::ProviderTaken); 6], "{first:?} {second:?}");
        assert_eq!(storage.load(first).unwrap().unwrap().access_token(), "of the first");
        assert_eq!(storage.list().unwrap(), [first], "listed by the name that was saved");
        assert_eq!(home.file().save(second, &token("x")).unwrap_err().kind(), ErrorKind::ProviderTaken);
        assert!(storage.delete(first).unwrap());
        storage.save(second, &token("of the second")).unwrap();
        assert_eq!(storage.list().unwrap(), [second]);
    }
}

#[test]
fn no_name_leads_out_of_the_directory() {
    for name in ["../x", "/etc/passwd", "..", ".", "a/../../b", "\0", "x\ny", "C:\\x", ".github.lock", "-", "\u{202e}"]
    {
        let home = Home::new();
        home.sops().save(name, &token("a")).unwrap();
        home.file().save(name, &token("a")).unwrap();
        assert_eq!(home.sops().load(name).unwrap().unwrap().access_token(), "a", "{name:?}");
        assert_eq!(home.sops().list().unwrap(), [name]);
        assert_eq!(
            (names(home.folder.path()), names(&home.tokens()).len()),
            (vec!["tokens".to_owned()], 3),
            "{name:?}"
        );
    }
}

#[test]
fn a_sops_file_with_something_else_in_it_is_left_alone() {
    let home = Home::new();
    let other = read(format!("{FIXTURES}/3.13.2/mixed/sealed.json"));
    home.put("production.sops.json", &other);
    let storage = home.sops();
    assert!(storage.load("production").unwrap().is_none() && !storage.exists("production").unwrap());
    assert!(!storage.delete("production").unwrap());
    assert_eq!(storage.list().unwrap(), [""; 0]);
    storage.save("production", &token("a")).unwrap();
    assert!(storage.delete("production").unwrap());
    assert_eq!(names(&home.tokens()), ["production.sops.json"]);
    assert_eq!(read(home.path("production.sops.json")), other);
    // What cannot be read could be a token: no token is not said of it, and it is not removed.
    home.put("staging.sops.json", "{");
    assert_eq!(storage.load("staging").unwrap_err().kind(), ErrorKind::Syntax);
    assert!(storage.exists("staging").unwrap());
    assert_eq!(storage.delete("staging").unwrap_err().kind(), ErrorKind::InvalidToken);
    assert!(home.path("staging.sops.json").exists());
}

#[test]
fn a_lock_file_of_another_program_says_nothing_of_names() {
    for note in [&b"12345\n"[..], &[0xff, 0xfe], b""] {
        let home = Home::new();
        home.put(".github.lock", note);
        home.put("github.token.sops.json", read(format!("{FIXTURES}/tokens/kstlib/full.token.sops.json")));
        assert_eq!(home.sops().list().unwrap(), ["github"]);
        assert!(home.sops().load("github").unwrap().is_some());
        home.sops().save("github", &token("a")).unwrap();
        assert!(home.sops().delete("github").unwrap());
    }
}

#[test]
fn a_lock_file_that_cannot_be_read_hides_no_other_token() {
    let home = Home::new();
    for provider in ["git/hub", "gitlab"] {
        home.sops().save(provider, &token("a")).unwrap();
    }
    assert_eq!(home.sops().list().unwrap(), ["git/hub", "gitlab"]);
    let lock = home.path(".gitlab.lock");
    fs::remove_file(&lock).unwrap();
    fs::create_dir(&lock).unwrap();
    assert_eq!(home.sops().list().unwrap(), ["git/hub", "gitlab"]);
    assert!(home.sops().load("git/hub").unwrap().is_some());
    let error = home.sops().load("gitlab").unwrap_err();
    assert_eq!(
        (error.kind(), error.file()),
        (ErrorKind::Read, Some(lock.as_path())),
        "whose token it is cannot be told"
    );
}

#[test]
fn a_note_of_another_name_is_seen_whatever_was_loaded_before() {
    let home = Home::new();
    let storage = home.sops();
    for provider in ["github", "gitlab"] {
        storage.save(provider, &token("a")).unwrap();
    }
    // As in a directory that was put together by hand.
    fs::write(home.path(".github.lock"), "GitHub").unwrap();
    for _ in 0..2 {
        assert_eq!(storage.load("github").unwrap_err().kind(), ErrorKind::ProviderTaken);
        assert!(storage.load("gitlab").unwrap().is_some());
    }
}

#[test]
fn whose_a_token_is_need_not_be_told_where_no_other_name_can_lead_to_it() {
    let unreadable = |home: &Home, lock: &str| {
        fs::remove_file(home.path(lock)).unwrap();
        fs::create_dir(home.path(lock)).unwrap();
    };
    let loads = |storage: &SopsStorage, name| storage.load(name).map(|token| token.is_some()).map_err(|e| e.kind());
    for (name, lock, is_only_one) in [("git-hub7", ".git-hub7.lock", true), ("git.hub", ".git_hub.lock", false)] {
        let home = Home::new();
        let storage = home.sops();
        for provider in [name, "github"] {
            storage.save(provider, &token("a")).unwrap();
            assert_eq!(loads(&storage, provider), Ok(true));
        }
        unreadable(&home, lock);
        assert_eq!(loads(&storage, name), if is_only_one { Ok(true) } else { Err(ErrorKind::Read) });
        // In another directory of the same name, upper and lower case can be one: it is found out anew.
        fs::rename(home.tokens(), home.folder.path().join("other")).unwrap();
        home.sops().save(name, &token("b")).unwrap();
        unreadable(&home, lock);
        assert_eq!(loads(&storage, name), Err(ErrorKind::Read));
    }
    // As where upper and lower case are one.
    let home = Home::new();
    let storage = home.sops();
    storage.save("github", &token("a")).unwrap();
    fs::hard_link(home.path("github.token.sops.json"), home.path("GITHUB.TOKEN.SOPS.JSON")).unwrap();
    assert_eq!(loads(&storage, "github"), Ok(true));
    home.put(".github.lock", "GitHub");
    assert_eq!(loads(&storage, "github"), Err(ErrorKind::ProviderTaken));
    unreadable(&home, ".github.lock");
    assert_eq!(loads(&storage, "github"), Err(ErrorKind::Read));
}

#[test]
fn a_link_that_leads_nowhere_is_an_error_and_not_no_token() {
    let home = Home::new();
    home.put("x", "");
    std::os::unix::fs::symlink("/nowhere/at/all", home.path("github.token.sops.json")).unwrap();
    assert_eq!(home.sops().load("github").unwrap_err().kind(), ErrorKind::Read);
    assert_eq!(home.sops().save("github", &token("a")).unwrap_err().kind(), ErrorKind::Write);
    assert!(home.sops().exists("github").unwrap());
}

#[test]
fn the_empty_path_is_the_working_directory() {
    assert_eq!(FileStorage::new("").directory(), std::path::Path::new("."));
}

#[test]
fn other_files_in_the_directory_are_no_tokens() {
    let home = Home::new();
    for name in
        ["notes.txt", "a.b.token.sops.json", ".token.sops.json", "x.token.sops.json.bak", "y.json", ".sops.yaml"]
    {
        home.put(name, "{}");
    }
    assert_eq!((home.sops().list().unwrap(), home.file().list().unwrap()), (vec![], vec![]));
    home.put("x.token.sops.json", "{}");
    home.put("y.sops.json", "{}");
    assert_eq!(home.sops().list().unwrap(), ["x", "y"]);
}

#[test]
fn a_file_of_the_other_name_is_read_and_replaced_by_the_next_save() {
    let home = Home::new();
    home.put("github.sops.json", read(format!("{FIXTURES}/tokens/kstlib/full.token.sops.json")));
    let storage = home.sops();
    assert_eq!(storage.load("github").unwrap().unwrap().access_token(), "kstlib-access");
    assert_eq!((storage.list().unwrap(), storage.exists("github").unwrap()), (vec!["github".to_owned()], true));
    storage.save("github", &token("new")).unwrap();
    assert_eq!(names(&home.tokens()), [".github.lock", "github.token.sops.json"]);
    home.put("github.sops.json", read(format!("{FIXTURES}/tokens/kstlib/full.token.sops.json")));
    assert_eq!(storage.load("github").unwrap().unwrap().access_token(), "new");
    assert!(storage.delete("github").unwrap());
    assert_eq!(names(&home.tokens()), [""; 0], "neither is left");
}

// ------------------------------------------------------------------------------------------------------ kstlib, by name

#[test]
fn the_tokens_of_kstlib_are_read() {
    for is_sealed in [true, false] {
        let home = Home::new();
        for file in fs::read_dir(format!("{FIXTURES}/tokens/kstlib")).unwrap() {
            let file = file.unwrap();
            home.put(file.file_name().to_str().unwrap(), read(file.path()));
        }
        let storage: Box<dyn TokenStorage> = if is_sealed { Box::new(home.sops()) } else { Box::new(home.file()) };
        assert_eq!(storage.list().unwrap(), ["accounts_example_com", "full", "minimal"]);
        let full = storage.load("full").unwrap().unwrap();
        assert_eq!((full.access_token(), full.refresh_token()), ("kstlib-access", Some("kstlib-refresh")));
        assert_eq!(full.expires_at(), Some(at("2026-01-31T13:00:00.654321Z")));
        assert_eq!(full.metadata().get("nested").unwrap().get("list").unwrap().get(0).unwrap().as_i64(), Some(1));
        // kstlib keeps no list of names: whoever asks for the name that it was given gets the token.
        let dotted = storage.load("accounts.example.com").unwrap().unwrap();
        assert_eq!((dotted.token_type(), dotted.expires_at()), ("DPoP", Some(at("2026-01-31T13:30:00Z"))));
        storage.save("accounts.example.com", &dotted).unwrap();
        assert_eq!(storage.load("accounts_example_com").unwrap_err().kind(), ErrorKind::ProviderTaken);
        assert!(storage.delete("accounts.example.com").unwrap());
    }
}

#[test]
fn a_storage_is_opened_by_its_name() {
    let home = Home::new();
    for kind in ["memory", "file", "sops"] {
        let storage = open(kind, &home.tokens());
        storage.save(kind, &token("a")).unwrap();
        assert_eq!(storage.load(kind).unwrap().unwrap().access_token(), "a");
    }
    assert_eq!(names(&home.tokens()), [".file.lock", ".sops.lock", "file.token.json", "sops.token.sops.json"]);
    for kind in ["", "redis", "SOPS"] {
        let options = StorageOptions::new(Environment::from_iter([("HOME", "")]));
        assert_eq!(open_storage(kind, options).map(drop).unwrap_err().kind(), ErrorKind::UnknownStorage);
    }
}

#[test]
fn what_is_not_said_comes_from_the_environment() {
    let home = Home::new();
    let environment = Environment::from_iter([
        ("HOME", home.folder.path().to_str().unwrap()),
        ("SOPS_AGE_RECIPIENTS", &public_key("alice")),
        ("SOPS_AGE_KEY_FILE", &format!("{FIXTURES}/keys/alice.txt")),
    ]);
    let tokens = home.folder.path().join(".config/kstlib/auth/tokens");
    assert_eq!(environment.default_token_directory(), Some(tokens.clone()));
    let storage = open_storage("sops", StorageOptions::new(environment)).unwrap();
    storage.save("github", &token("a")).unwrap();
    assert_eq!(storage.load("github").unwrap().unwrap().access_token(), "a");
    assert_eq!((names(&tokens), mode(&tokens)), (vec![".github.lock".into(), "github.token.sops.json".into()], 0o700));

    let nothing = || StorageOptions::new(Environment::from_iter([("HOME", "")]));
    assert_eq!(open_storage("sops", nothing()).map(drop).unwrap_err().kind(), ErrorKind::Read);
    let storage = open_storage("sops", nothing().directory("/proc/tokens")).unwrap();
    assert_eq!(storage.save("github", &token("a")).unwrap_err().kind(), ErrorKind::NoRecipients);
}

#[test]
fn the_settings_of_kstlib_say_which_storage_and_where() {
    let home = Home::new();
    let settings = |text: &str| serde_json::from_str::<StorageSettings>(text).unwrap();
    let options = || {
        let environment = Environment::from_iter([("HOME", home.folder.path())]);
        StorageOptions::new(environment).recipients(recipients(&["alice"])).keys(identities("alice"))
    };
    // As in kstlib.conf.yml, with all that is not about storage.
    let full = r#"{"default_provider": null, "token_storage": "sops", "discovery_ttl": 3600, "status": {"display_timezone": "local"},
        "storage": {"file": {"directory": "~/plain"}, "sops": {"directory": "~/sealed", "added_later": 1}},
        "providers": {"corporate": {"type": "oidc", "token_storage": "file"}, "other": {"token_storage": null}, "test": {"token_storage": "memory"}}}"#;
    for (provider, kind, file) in [
        (None, "sops", Some("sealed/x.token.sops.json")),
        (Some("corporate"), "file", Some("plain/x.token.json")),
        (Some("other"), "sops", Some("sealed/x.token.sops.json")),
        (Some("unheard-of"), "sops", Some("sealed/x.token.sops.json")),
        (Some("test"), "memory", None),
    ] {
        let settings = settings(full);
        assert_eq!(settings.kind(provider), kind);
        let storage = settings.open(provider, options()).unwrap();
        storage.save("x", &token("a")).unwrap();
        assert!(file.is_none_or(|file| home.folder.path().join(file).exists()), "{provider:?}");
        storage.delete("x").unwrap();
    }
    let list = settings(r#"{"providers": [{"name": "a", "token_storage": "file"}, {"name": "b"}]}"#);
    let table = settings(r#"{"providers": {"a": {"token_storage": "file"}, "b": null}}"#);
    for settings in [list, table] {
        assert_eq!(["a", "b", "c"].map(|name| settings.kind(Some(name))), ["file", "memory", "memory"]);
    }
    for text in ["{}", r#"{"token_storage": null, "storage": null, "providers": null}"#] {
        assert_eq!(settings(text).kind(None), "memory");
    }
    settings(r#"{"token_storage": "sops"}"#).open(None, options()).unwrap().save("x", &token("a")).unwrap();
    assert!(home.folder.path().join(".config/kstlib/auth/tokens/x.token.sops.json").exists());
    let error = settings(r#"{"token_storage": "vault"}"#).open(None, options()).map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownStorage);
    assert!(serde_json::from_str::<StorageSettings>(r#"{"token_storage": 5}"#).is_err());
}
