//! Tokens are refreshed once, by one of all who ask; data keys are cached when that is asked for.
#![cfg(all(feature = "tokens", unix))]

mod support;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use sopskit::{
    ErrorKind, Identities, KeyService, MasterKey, MemoryStorage, Recipients, ServiceError, SopsStorage, Token,
    TokenStorage, UnsavedToken, Value,
};
use support::tokens::{Home, assert_passed, at, expired, for_each_storage, fresh, in_a_process, mode, open, token};
use support::{identities, read, recipients};
use zeroize::Zeroizing;

// ----------------------------------------------------------------------------------------------------------- refresh

#[test]
fn a_token_that_is_good_is_given_as_it_is() {
    for_each_storage(|storage| {
        storage.save("github", &fresh("a")).unwrap();
        let token = storage.refresh("github", &mut |_| panic!("the provider was asked")).unwrap();
        assert_eq!(token.access_token(), "a");
    });
}

#[test]
fn a_token_that_has_ended_is_refreshed_once_and_kept() {
    for_each_storage(|storage| {
        storage.save("github", &expired("old")).unwrap();
        let mut calls = 0;
        let mut renew = |old: &Token| {
            calls += 1;
            assert_eq!(old.access_token(), "old");
            Ok(fresh("new"))
        };
        assert_eq!(storage.refresh("github", &mut renew).unwrap().access_token(), "new");
        assert_eq!(storage.refresh("github", &mut renew).unwrap().access_token(), "new");
        assert_eq!((calls, storage.load("github").unwrap().unwrap().access_token()), (1, "new"));
    });
}

#[test]
fn without_a_token_there_is_nothing_to_refresh() {
    for_each_storage(|storage| {
        let error = storage.refresh("github", &mut |_| panic!("asked")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoToken);
        let error = storage.refresh_rejected("github", "a", &mut |_| panic!("asked")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoToken);
        assert!(!storage.exists("github").unwrap());
    });
}

#[test]
fn when_the_provider_fails_the_old_token_stays_and_the_error_is_handed_on() {
    #[derive(Debug)]
    struct Revoked;
    impl std::fmt::Display for Revoked {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("the refresh token was revoked")
        }
    }
    impl std::error::Error for Revoked {}
    for_each_storage(|storage| {
        storage.save("github", &expired("old")).unwrap();
        let error = storage.refresh("github", &mut |_| Err(Revoked.into())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RefreshFailed);
        assert!(std::error::Error::source(&error).unwrap().downcast_ref::<Revoked>().is_some());
        assert!(error.to_string().ends_with("the refresh token was revoked"), "{error}");
        assert_eq!(storage.load("github").unwrap().unwrap().access_token(), "old");
        let error = storage.update("github", &mut |_| Err("[".parse::<Value>().unwrap_err())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Syntax);
        assert_eq!(storage.load("github").unwrap().unwrap().access_token(), "old");
    });
}

#[test]
fn a_panic_in_the_function_leaves_the_storage_usable() {
    for_each_storage(|storage| {
        storage.save("github", &expired("old")).unwrap();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            storage.refresh("github", &mut |_| panic!("on purpose")).map(drop)
        }));
        assert!(panicked.is_err());
        assert_eq!(storage.refresh("github", &mut |_| Ok(fresh("new"))).unwrap().access_token(), "new");
    });
}

#[test]
fn a_rejected_token_is_refreshed_although_its_time_is_not_up_unless_another_is_there() {
    for_each_storage(|storage| {
        storage.save("github", &fresh("a")).unwrap();
        assert_eq!(storage.refresh_rejected("github", "a", &mut |_| Ok(fresh("b"))).unwrap().access_token(), "b");
        let again = storage.refresh_rejected("github", "a", &mut |_| panic!("asked")).unwrap();
        assert_eq!(again.access_token(), "b");
    });
}

#[test]
fn a_rejected_token_is_not_answered_by_one_that_has_ended() {
    for_each_storage(|storage| {
        storage.save("github", &expired("b")).unwrap();
        assert_eq!(storage.refresh_rejected("github", "a", &mut |_| Ok(fresh("c"))).unwrap().access_token(), "c");
    });
}

#[test]
fn another_token_than_the_rejected_one_is_given_without_a_write() {
    let home = Home::new();
    home.sops().save("github", &fresh("good")).unwrap();
    // Whoever cannot save can still use what is there.
    let token = cannot_save(&home).refresh_rejected("github", "bad", &mut |_| panic!("asked"));
    assert_eq!(token.unwrap().access_token(), "good");
    let nowhere = Home::new();
    nowhere.sops().refresh_rejected("github", "bad", &mut |_| panic!("asked")).unwrap_err();
    assert!(!nowhere.tokens().exists());
}

#[test]
fn of_many_who_ask_at_once_one_asks_the_provider_even_when_its_new_token_has_ended_already() {
    let home = Home::new();
    for storage in [&MemoryStorage::new() as &dyn TokenStorage, &home.sops()] {
        storage.save("github", &expired("old")).unwrap();
        let calls = AtomicUsize::new(0);
        let start = std::sync::Barrier::new(8);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    start.wait();
                    let token = storage.refresh("github", &mut |_| {
                        calls.fetch_add(1, Ordering::Relaxed);
                        // The others have looked at the old one by then.
                        std::thread::sleep(Duration::from_millis(300));
                        Ok(expired("new"))
                    });
                    assert_eq!(token.unwrap().access_token(), "new");
                });
            }
        });
        assert_eq!(calls.load(Ordering::Relaxed), 1);
    }
}

#[test]
fn whoever_waited_is_given_the_new_token_also_when_it_could_not_have_saved_one() {
    let home = Home::new();
    home.sops().save("github", &expired("old")).unwrap();
    std::thread::scope(|scope| {
        let (sender, started) = std::sync::mpsc::channel();
        let home = &home;
        let first = scope.spawn(move || {
            home.sops().refresh("github", &mut |_| {
                sender.send(())?;
                std::thread::sleep(Duration::from_millis(200));
                Ok(fresh("new"))
            })
        });
        started.recv().unwrap();
        let second = cannot_save(home).refresh("github", &mut |_| panic!("asked"));
        assert_eq!(second.unwrap().access_token(), "new");
        first.join().unwrap().unwrap();
    });
}

#[test]
fn a_new_token_that_cannot_be_saved_is_handed_over_with_the_error() {
    let home = Home::new();
    let storage = home.sops();
    storage.save("github", &expired("old")).unwrap();
    let huge = "x".repeat(1 << 20);
    let error = storage
        .refresh("github", &mut |_| Ok(fresh("new-secret").with_id_token(Some(huge.as_str().into()))))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TokenNotSaved);
    let unsaved = UnsavedToken::of(&error).unwrap();
    assert_eq!((unsaved.token().access_token(), unsaved.why().kind()), ("new-secret", ErrorKind::InvalidToken));
    let shown = format!("{error} {error:?} {unsaved} {unsaved:?}");
    assert!(!shown.contains("new-secret") && !shown.contains("xxxx"), "{shown}");
    assert_eq!(storage.load("github").unwrap().unwrap().access_token(), "old");
    assert!(UnsavedToken::of(&storage.load("").unwrap_err()).is_none());
}

#[test]
fn the_clock_can_be_another_one() {
    let home = Home::new();
    let now = at("2020-01-01T00:00:00Z");
    let storages: [Box<dyn TokenStorage>; 3] = [
        Box::new(MemoryStorage::new().clock(move || now)),
        Box::new(home.file().clock(move || now)),
        Box::new(home.sops().clock(move || now)),
    ];
    for storage in storages {
        storage.save("github", &Token::new("a").with_expires_at(Some(now + TimeDelta::seconds(61)))).unwrap();
        storage.refresh("github", &mut |_| panic!("61 seconds are left")).unwrap();
        storage.save("github", &Token::new("a").with_expires_at(Some(now + TimeDelta::seconds(60)))).unwrap();
        assert_eq!(storage.refresh("github", &mut |_| Ok(token("b"))).unwrap().access_token(), "b");
    }
}

#[test]
fn whoever_waits_too_long_is_told_so_and_other_providers_are_free() {
    let home = Home::new();
    let wait = Duration::from_millis(50);
    let storages: [Arc<dyn TokenStorage>; 3] =
        [Arc::new(MemoryStorage::new().wait(wait)), Arc::new(home.file().wait(wait)), Arc::new(home.sops().wait(wait))];
    for storage in storages {
        storage.save("github", &expired("old")).unwrap();
        storage
            .refresh("github", &mut |_| {
                let kinds = [
                    storage.save("github", &token("x")).map_err(|error| error.kind()),
                    storage.delete("github").map(drop).map_err(|error| error.kind()),
                    storage.refresh("github", &mut |_| panic!("asked twice")).map(drop).map_err(|error| error.kind()),
                ];
                assert_eq!(kinds, [Err(ErrorKind::Busy); 3]);
                assert_eq!(storage.load("github")?.unwrap().access_token(), "old", "readers wait for nobody");
                storage.save("gitlab", &token("other"))?;
                Ok(fresh("new"))
            })
            .unwrap();
        assert_eq!(storage.load("github").unwrap().unwrap().access_token(), "new");
    }
}

#[test]
fn an_edit_of_the_file_and_a_refresh_take_turns() {
    let home = Home::new();
    let path = home.path("github.token.sops.json");
    let storage = home.sops().wait(Duration::from_millis(50));
    storage.save("github", &expired("a")).unwrap();
    sopskit::edit_file(&path, &identities("alice"), |document| {
        assert_eq!(storage.save("github", &token("b")).unwrap_err().kind(), ErrorKind::Busy);
        let refreshed = storage.refresh("github", &mut |_| panic!("asked, although nothing could be saved"));
        assert_eq!(refreshed.unwrap_err().kind(), ErrorKind::Busy);
        document.set(r#"["metadata"]["note"]"#, "by hand")
    })
    .unwrap();
    assert_eq!(mode(&path), 0o400);
    let edited = storage.load("github").unwrap().unwrap();
    assert_eq!((edited.access_token(), edited.metadata().get("note")), ("a", Some(&"by hand".into())));
    storage
        .refresh("github", &mut |_| {
            let edit = sopskit::EditOptions::new().wait(Duration::from_millis(50));
            let busy = edit.edit_file(&path, &identities("alice"), |document| document.unset(r#"["metadata"]"#));
            assert_eq!(busy.unwrap_err().kind(), ErrorKind::Busy);
            Ok(fresh("c"))
        })
        .unwrap();
}

#[test]
fn nothing_is_asked_of_a_provider_when_the_answer_could_not_be_saved() {
    let home = Home::new();
    home.sops().save("github", &expired("old")).unwrap();
    let error = cannot_save(&home).refresh("github", &mut |_| panic!("asked")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CannotWrap);
    assert_eq!(home.sops().load("github").unwrap().unwrap().access_token(), "old");
}

/// A storage on the same tokens that can load, and cannot save: nothing here wraps for its master key.
fn cannot_save(home: &Home) -> SopsStorage {
    let kms = MasterKey::Kms { arn: "arn".into(), role: None, context: Default::default(), aws_profile: String::new() };
    SopsStorage::new(home.tokens(), Recipients::from_keys([kms]).unwrap(), identities("alice"))
}

const CHILD_DIRECTORY: &str = "SOPSKIT_TEST_TOKENS";

#[test]
fn of_fifty_threads_in_each_of_four_processes_one_asks_the_provider_once() {
    for kind in ["sops", "file"] {
        let home = Home::new();
        open(kind, &home.tokens()).save("github", &expired("old")).unwrap();
        let children: Vec<_> = (0..4)
            .map(|_| {
                in_a_process(
                    "fifty_threads_refresh",
                    &[(CHILD_DIRECTORY, &format!("{kind}:{}", home.tokens().display()))],
                )
            })
            .collect();
        children.into_iter().for_each(assert_passed);
        let calls = fs::read_to_string(home.tokens().join("calls")).unwrap();
        assert_eq!(calls.lines().count(), 1, "{kind}: {calls}");
    }
}

#[test]
#[ignore = "run by the test above, in four processes"]
fn fifty_threads_refresh() {
    let given = std::env::var(CHILD_DIRECTORY).unwrap();
    let (kind, directory) = given.split_once(':').unwrap();
    let storage = open(kind, Path::new(directory));
    std::thread::scope(|scope| {
        for _ in 0..50 {
            scope.spawn(|| {
                let token = storage.refresh("github", &mut |_| {
                    let mut calls =
                        fs::OpenOptions::new().create(true).append(true).open(Path::new(directory).join("calls"))?;
                    std::io::Write::write_all(&mut calls, b"called\n")?;
                    // As long as a provider takes: all the others come meanwhile.
                    std::thread::sleep(Duration::from_millis(200));
                    Ok(fresh("new"))
                });
                assert_eq!(token.unwrap().access_token(), "new");
            });
        }
    });
}

// ------------------------------------------------------------------------------------------------------------- cache

/// Identities that count how often they are asked.
struct Counting(Identities, Arc<AtomicUsize>);

impl KeyService for Counting {
    fn wrap(&self, key: &MasterKey, secret: &[u8]) -> Option<Result<String, ServiceError>> {
        self.0.wrap(key, secret)
    }

    fn unwrap(&self, key: &MasterKey, enc: &str) -> Option<Result<Zeroizing<Vec<u8>>, ServiceError>> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.unwrap(key, enc)
    }
}

#[test]
fn a_cached_data_key_saves_the_identity_and_nothing_else() {
    let home = Home::new();
    let asked = Arc::new(AtomicUsize::new(0));
    let storage = |files| {
        let keys = Counting(identities("alice"), Arc::clone(&asked));
        SopsStorage::new(home.tokens(), recipients(&["alice"]), keys).cache_data_keys(files)
    };
    home.sops().save("github", &token("a")).unwrap();
    let times = |storage: &SopsStorage| {
        let before = asked.load(Ordering::Relaxed);
        let token = storage.load("github").unwrap().unwrap();
        (token.access_token().to_owned(), asked.load(Ordering::Relaxed) - before)
    };
    let (cached, not_cached) = (storage(1), storage(0));
    for expected in [1, 0, 0] {
        assert_eq!(times(&cached), ("a".to_owned(), expected));
        assert_eq!(times(&not_cached), ("a".to_owned(), 1));
    }
    home.sops().save("github", &token("b")).unwrap();
    assert_eq!(times(&cached), ("b".to_owned(), 1), "another file");
    // The MAC is verified with a cached key too.
    let text = String::from_utf8(read(home.path("github.token.sops.json"))).unwrap();
    home.put("github.token.sops.json", text.replace("Bearer", "DPoP"));
    assert_eq!(cached.load("github").unwrap_err().kind(), ErrorKind::MacMismatch);
    // Bounded: another token takes the one place.
    home.sops().save("github", &token("c")).unwrap();
    home.sops().save("gitlab", &token("d")).unwrap();
    assert_eq!(times(&cached).1, 1);
    cached.load("gitlab").unwrap();
    assert_eq!(times(&cached).1, 1);
}
