//! Where identities and recipients come from, what is said about those that are none, and that one bad one never blocks a good one.

mod support;

use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use sopskit::{
    EncryptOptions, EncryptedDocument, Environment, Error, ErrorKind, Identities, KeyService as _, Map, MasterKey,
    Passphrase, Recipients, Value,
};
use support::{FIXTURES, identities, identity_text, public_key, read, recipients};
use tempfile::TempDir;

// ---------------------------------------------------------------------------------------------------------- helpers

/// The secret key alone, without the comments of its file.
fn secret(who: &str) -> String {
    identity_text(who).lines().find(|line| !line.starts_with('#')).expect("the file holds a key").to_owned()
}

/// Whose identities these are, by name.
fn owners(identities: &Identities) -> Vec<&'static str> {
    let known: Vec<_> = ["alice", "bob", "carol"].into_iter().map(|who| (public_key(who), who)).collect();
    let name =
        |recipient: &str| known.iter().find(|(public, _)| public == recipient).map_or("a stranger", |known| known.1);
    identities.recipients().map(name).collect()
}

fn sealed_for(who: &[&str]) -> EncryptedDocument {
    EncryptOptions::new().encrypt(Map::from_iter([("a", Value::from("b"))]), &recipients(who)).unwrap()
}

#[track_caller]
fn assert_opens(sealed: &EncryptedDocument, identities: &Identities) {
    let document = sealed.decrypt(identities).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(document.get(r#"["a"]"#).unwrap().as_str(), Some("b"));
}

#[track_caller]
fn assert_says(error: &Error, kind: ErrorKind, parts: &[&str]) {
    assert_eq!(error.kind(), kind, "{error}");
    for part in parts {
        assert!(error.to_string().contains(part), "{part:?} is not in: {error}");
    }
}

#[track_caller]
fn refused<T>(result: Result<T, Error>) -> Error {
    match result {
        Err(error) => error,
        Ok(_) => panic!("it was accepted"),
    }
}

fn environment<V: Into<std::ffi::OsString>>(variables: impl IntoIterator<Item = (&'static str, V)>) -> Environment {
    Environment::from_iter(variables)
}

fn found(variables: &[(&'static str, &str)]) -> Identities {
    Identities::from_environment(&environment(variables.iter().copied()))
}

/// The line of the report on a source.
#[track_caller]
fn line_on(identities: &Identities, source: &str) -> String {
    let lines = identities.report();
    let found = lines.iter().find(|line| line.starts_with(source));
    found.unwrap_or_else(|| panic!("no line on {source} in {lines:#?}")).clone()
}

/// The recipients of all groups.
fn names(recipients: &Recipients) -> Vec<&str> {
    let keys = recipients.groups().iter().flatten();
    keys.map(|key| match key {
        MasterKey::Age { recipient } => recipient.as_str(),
        other => panic!("{other} is no recipient of age"),
    })
    .collect()
}

#[track_caller]
fn write(path: impl AsRef<Path>, content: impl AsRef<[u8]>) -> PathBuf {
    let path = path.as_ref();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
    path.to_owned()
}

/// A home directory, and the variables that make it one.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Home(tempfile::tempdir().unwrap())
    }

    fn variable() -> &'static str {
        if cfg!(windows) { "AppData" } else { "HOME" }
    }

    fn key_file(&self) -> PathBuf {
        let config = match () {
            () if cfg!(windows) => "",
            () if cfg!(target_os = "macos") => "Library/Application Support",
            () => ".config",
        };
        self.0.path().join(config).join("sops").join("age").join("keys.txt")
    }

    fn path(&self) -> &str {
        self.0.path().to_str().unwrap()
    }
}

// ---------------------------------------------------------------------------------------------------- identities as text

#[test]
fn identities_stand_one_on_a_line_between_comments_and_blank_lines() {
    let (alice, bob) = (secret("alice"), secret("bob"));
    for (text, expected) in [
        (alice.clone(), vec!["alice"]),
        (format!("{alice}\n"), vec!["alice"]),
        (format!("{alice}\n{bob}"), vec!["alice", "bob"]),
        (format!("{bob}\r\n{alice}\r\n"), vec!["bob", "alice"]),
        (format!("# one\r\n{alice}\r\n\r\n# two\r\n{bob}\r\n"), vec!["alice", "bob"]),
        (format!("\n\n  \t\n    {alice}\t \n\t# indented\n\t{bob}\n\n"), vec!["alice", "bob"]),
        (format!("#{bob}\n# {bob}\n{alice}"), vec!["alice"]),
        (format!("{alice} {bob}"), vec!["alice", "bob"]),
        (identity_text("carol"), vec!["carol"]),
        (format!("{}{}", identity_text("alice"), identity_text("carol")), vec!["alice", "carol"]),
    ] {
        let identities = Identities::parse(&text).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(owners(&identities), expected);
        assert_eq!(owners(&text.parse::<Identities>().unwrap()), expected);
    }
}

#[test]
fn a_secret_key_in_small_letters_is_the_same_key() {
    // Bech32 may be written in either case, and age takes both.
    assert_eq!(owners(&Identities::parse(&secret("alice").to_ascii_lowercase()).unwrap()), ["alice"]);
}

#[test]
fn a_text_without_an_identity_is_refused() {
    for text in ["", "\n", "   ", "# a comment\n\n# and another\r\n", "#"] {
        assert_says(&refused(Identities::parse(text)), ErrorKind::InvalidIdentity, &["none"]);
    }
}

#[test]
fn what_is_no_identity_is_told_what_it_is_and_on_which_line() {
    let alice = secret("alice");
    let damaged = "a damaged identity";
    for (text, says) in [
        (public_key("alice"), "public key"),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA me@host".to_owned(), "public key"),
        (alice[..alice.len() - 1].to_owned(), damaged),
        (format!("{alice}A"), damaged),
        (alice.replace("1GX", "1GY"), damaged),
        (alice.replace("1GX", "1BX"), damaged),
        ("AGE-SECRET-KEY-1".to_owned(), damaged),
        ("/home/me/keys.txt".to_owned(), "SOPS_AGE_KEY_FILE"),
        ("~/.config/sops/age/keys.txt".to_owned(), "SOPS_AGE_KEY_FILE"),
        (r"C:\Users\me\keys.txt".to_owned(), "SOPS_AGE_KEY_FILE"),
        ("hello".to_owned(), "expected AGE-SECRET-KEY-1"),
    ] {
        assert_says(&refused(Identities::parse(&text)), ErrorKind::InvalidIdentity, &[says, "line 1"]);
        let after = format!("# a comment\n\n{alice}\n{text}");
        assert_says(&refused(Identities::parse(&after)), ErrorKind::InvalidIdentity, &[says, "line 4"]);
    }
}

#[test]
fn an_identity_of_another_kind_of_age_is_named() {
    let missing = |compiled: bool, says, otherwise| if compiled { otherwise } else { says };
    for (text, says) in [
        ("AGE-SECRET-KEY-PQ-1QQQQQQQQ", missing(cfg!(feature = "pq"), "feature `pq`", "damaged")),
        ("AGE-PLUGIN-YUBIKEY-1QQQQQQQQ", missing(cfg!(feature = "plugin"), "feature `plugin`", "damaged")),
        (
            "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n",
            missing(cfg!(feature = "ssh"), "feature `ssh`", "SSH private key"),
        ),
    ] {
        assert_says(&refused(Identities::parse(text)), ErrorKind::InvalidIdentity, &[says]);
    }
}

#[test]
fn an_error_lists_fifty_identities_that_do_not_fit_and_says_how_many_more_there_are() {
    let identities = Identities::parse(&format!("{}\n", secret("alice")).repeat(60)).unwrap();
    let error = sealed_for(&["bob"]).decrypt(&identities).unwrap_err();
    assert_says(&error, ErrorKind::NoMatchingIdentity, &["  and 10 more"]);
    assert_eq!(error.to_string().matches("the identities given").count(), 50);
}

#[test]
fn a_key_file_is_read_and_named_in_its_errors() {
    let home = Home::new();
    let file = write(home.0.path().join("keys.txt"), identity_text("alice") + &identity_text("bob"));
    assert_eq!(owners(&Identities::from_file(&file).unwrap()), ["alice", "bob"]);

    for (content, kind) in [
        (public_key("alice").into_bytes(), ErrorKind::InvalidIdentity),
        (b"# nothing\n".to_vec(), ErrorKind::InvalidIdentity),
        (Vec::new(), ErrorKind::InvalidIdentity),
        (vec![0xff; 10], ErrorKind::InvalidIdentity),
        (vec![b'#'; 2 << 20], ErrorKind::Read),
    ] {
        let bad = write(home.0.path().join("bad.txt"), content);
        let error = refused(Identities::from_file(&bad));
        assert_says(&error, kind, &["bad.txt"]);
        assert_eq!((error.file(), error.is_not_found()), (Some(bad.as_path()), false));
    }
    let missing = refused(Identities::from_file(home.0.path().join("missing.txt")));
    assert_says(&missing, ErrorKind::Read, &["missing.txt"]);
    assert!(missing.is_not_found());
    assert_says(&refused(Identities::from_file(home.0.path())), ErrorKind::Read, &[home.path()]);
}

// ---------------------------------------------------------------------------------------------- identities of the environment

#[test]
fn the_variable_may_hold_several_keys_with_blanks_lines_and_comments_between_them() {
    let (alice, bob, carol) = (secret("alice"), secret("bob"), secret("carol"));
    for (text, expected) in [
        (alice.clone(), vec!["alice"]),
        (format!("{alice} {bob}"), vec!["alice", "bob"]),
        (format!("  {alice}\t{bob}   {carol} "), vec!["alice", "bob", "carol"]),
        (format!("{alice}\n{bob}\r\n{carol}\n"), vec!["alice", "bob", "carol"]),
        (format!("# {bob}\n{alice}\n  # comment\n{carol} {bob}"), vec!["alice", "carol", "bob"]),
        (identity_text("bob"), vec!["bob"]),
        (String::new(), vec![]),
        (" \n# none\n".to_owned(), vec![]),
    ] {
        let identities = found(&[("SOPS_AGE_KEY", &text)]);
        assert_eq!(owners(&identities), expected);
        if expected.is_empty() {
            let line = line_on(&identities, "SOPS_AGE_KEY:");
            assert!(line.contains("no identity") || line.contains("not set"), "{line}");
        }
    }
}

#[test]
fn all_sources_are_used_together() {
    let home = Home::new();
    write(home.key_file(), identity_text("carol"));
    let file = write(home.0.path().join("elsewhere.txt"), identity_text("bob"));
    let identities = found(&[
        ("SOPS_AGE_KEY", &identity_text("alice")),
        ("SOPS_AGE_KEY_FILE", file.to_str().unwrap()),
        (Home::variable(), home.path()),
    ]);
    assert_eq!(owners(&identities), ["alice", "bob", "carol"]);
    for who in ["alice", "bob", "carol"] {
        assert_opens(&sealed_for(&[who]), &identities);
    }
}

#[test]
fn no_variable_means_no_identity_and_says_so() {
    let identities = found(&[]);
    assert_eq!(owners(&identities), [""; 0]);
    assert!(line_on(&identities, "SOPS_AGE_KEY:").contains("not set"));
    assert!(line_on(&identities, "SOPS_AGE_KEY_FILE").contains("not set"));
    assert!(line_on(&identities, "the default key file").contains("no home directory"));
    assert_eq!(environment::<&str>([]).default_key_file(), None);
}

#[test]
fn a_key_file_that_cannot_be_read_is_told_apart_from_one_that_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let missing = at("missing.txt");
    let not_text = write(at("not-text.txt"), [0xff, 0xfe, 0x00]);
    let too_long = write(at("too-long.txt"), vec![b'\n'; 3 << 20]);
    let empty = write(at("empty.txt"), "");
    let public = write(at("public.txt"), public_key("alice"));
    for (path, says) in [
        (missing.as_path(), "no such file"),
        (folder.path(), "cannot read"),
        (&not_text, "not UTF-8"),
        (&too_long, "cannot read"),
        (&empty, "no identity"),
        (&public, "public key"),
    ] {
        let path = path.to_str().unwrap();
        let identities = found(&[("SOPS_AGE_KEY_FILE", path)]);
        let line = line_on(&identities, "SOPS_AGE_KEY_FILE");
        assert!(line.contains(says) && line.contains(path), "{line}");
        assert_eq!(owners(&identities), [""; 0]);
    }
}

#[test]
fn one_bad_source_does_not_block_a_good_one() {
    let home = Home::new();
    let sealed = sealed_for(&["alice"]);
    let good = write(home.0.path().join("good.txt"), identity_text("alice"));
    let bad = write(home.0.path().join("bad.txt"), format!("{}\nnonsense\n", public_key("alice")));
    let good = good.to_str().unwrap();
    for bad_key in ["nonsense", "", "AGE-SECRET-KEY-1DAMAGED", "/some/path", "AGE-PLUGIN-X-1QQQ", &secret("bob")] {
        let identities = found(&[("SOPS_AGE_KEY", bad_key), ("SOPS_AGE_KEY_FILE", good)]);
        assert_opens(&sealed, &identities);
    }
    for bad_file in [bad.to_str().unwrap(), home.path(), "/nowhere/at/all", ""] {
        assert_opens(&sealed, &found(&[("SOPS_AGE_KEY_FILE", bad_file), ("SOPS_AGE_KEY", &secret("alice"))]));
        write(home.key_file(), identity_text("alice"));
        assert_opens(&sealed, &found(&[("SOPS_AGE_KEY_FILE", bad_file), (Home::variable(), home.path())]));
    }
    // Within one source too.
    let mixed = format!("nonsense\n{}\n{}\nAGE-SECRET-KEY-1DAMAGED", public_key("bob"), identity_text("alice"));
    assert_opens(&sealed, &found(&[("SOPS_AGE_KEY", &mixed)]));
    write(&bad, &mixed);
    assert_opens(&sealed, &found(&[("SOPS_AGE_KEY_FILE", bad.to_str().unwrap())]));
}

#[test]
fn the_default_key_file_stands_where_sops_looks_for_it() {
    let (home, config) = (Home::new(), Home::new());
    write(home.key_file(), identity_text("alice"));
    write(config.0.path().join("sops").join("age").join("keys.txt"), identity_text("bob"));

    let only_home = environment([(Home::variable(), home.path())]);
    assert_eq!(only_home.default_key_file(), Some(home.key_file()));
    assert_eq!(owners(&Identities::from_environment(&only_home)), ["alice"]);
    if cfg!(windows) {
        return;
    }
    let both = environment([("HOME", home.path()), ("XDG_CONFIG_HOME", config.path())]);
    assert_eq!(owners(&Identities::from_environment(&both)), ["bob"]);
    assert_eq!(owners(&found(&[("XDG_CONFIG_HOME", config.path())])), ["bob"]);
    // An empty variable is as good as none.
    assert_eq!(owners(&found(&[("HOME", home.path()), ("XDG_CONFIG_HOME", "")])), ["alice"]);
    assert_eq!(environment([("HOME", "")]).default_key_file(), None);

    // The one directory, and no other, is looked at.
    let empty = Home::new();
    let identities = found(&[("HOME", home.path()), ("XDG_CONFIG_HOME", empty.path())]);
    assert_eq!(owners(&identities), [""; 0]);
    assert!(line_on(&identities, empty.path()).contains("no such file"));
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_no_unicode_is_reported() {
    use std::os::unix::ffi::OsStringExt as _;
    let bytes = || std::ffi::OsString::from_vec(vec![b'k', 0xff]);
    let identities = Identities::from_environment(&environment([("SOPS_AGE_KEY", bytes())]));
    assert!(line_on(&identities, "SOPS_AGE_KEY:").contains("not Unicode"));
    let error = refused(environment([("SOPS_AGE_RECIPIENTS", bytes())]).recipients());
    assert_says(&error, ErrorKind::InvalidRecipient, &["SOPS_AGE_RECIPIENTS", "not Unicode"]);
    // A path need not be Unicode.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(bytes());
    if fs::write(&path, identity_text("alice")).is_ok() {
        let identities = Identities::from_environment(&environment([("SOPS_AGE_KEY_FILE", path)]));
        assert_eq!(owners(&identities), ["alice"]);
    }
}

#[cfg(unix)]
#[test]
fn a_command_runs_only_with_leave_and_learns_for_whom_a_key_is_wanted() {
    let folder = tempfile::tempdir().unwrap();
    for who in ["alice", "bob"] {
        write(folder.path().join(public_key(who)), identity_text(who));
    }
    let command = format!(
        r#"/bin/sh -c 'echo x >> "{0}/ran"; cat "{0}/$SOPS_AGE_RECIPIENT" 2>/dev/null'"#,
        folder.path().display()
    );
    let variables = || environment([("SOPS_AGE_KEY_CMD", command.as_str()), ("PATH", "/usr/bin:/bin")]);
    let ran = || folder.path().join("ran").exists();

    let without = Identities::from_environment(&variables());
    assert_says(&refused(sealed_for(&["bob"]).decrypt(&without)), ErrorKind::NoMatchingIdentity, &["SOPS_AGE_KEY_CMD"]);
    assert!(!ran(), "it ran without leave");

    let with = Identities::from_environment(&variables().with_commands());
    assert!(!ran(), "it ran before it was needed");
    assert_opens(&sealed_for(&["bob"]), &with);
    assert_opens(&sealed_for(&["alice"]), &with);
    assert!(ran());
    let error = refused(sealed_for(&["carol"]).decrypt(&with));
    assert_says(&error, ErrorKind::NoMatchingIdentity, &["SOPS_AGE_KEY_CMD", &public_key("carol")]);
}

#[cfg(unix)]
#[test]
fn a_command_that_fails_does_not_block_a_good_key() {
    for command in ["/nowhere/at/all", "/bin/false", "/bin/echo nonsense", "'not closed", " "] {
        let bad = environment([("SOPS_AGE_KEY_CMD", command)]).with_commands();
        let error = refused(sealed_for(&["alice"]).decrypt(&Identities::from_environment(&bad)));
        assert_says(&error, ErrorKind::NoMatchingIdentity, &["SOPS_AGE_KEY_CMD"]);
        let alice = secret("alice");
        let both = environment([("SOPS_AGE_KEY_CMD", command), ("SOPS_AGE_KEY", &alice)]).with_commands();
        assert_opens(&sealed_for(&["alice"]), &Identities::from_environment(&both));
    }
}

// -------------------------------------------------------------------------------------- key files behind a passphrase

/// Alice's key file, encrypted by the age crate under `correct horse` with the least work.
const PROTECTED: &str = "\
-----BEGIN AGE ENCRYPTED FILE-----
YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IHNjcnlwdCBjU0UzTlAzVHh1SHpHbUtl
Zy9LQ3B3IDIKckxDYzFGOGZ4bzQvS2RLM041Qk9VWDB2Q0hJbmJvWUkrVXh3akxi
U0xUMAotLS0gaVhJbzdqL1FMV0kzWVpMbjZvZjE0dVIxSXdPOG5zeHZlQTU1YnUw
anRuawqck8Wk8UPNRwNxS2NXeX2iWUYmVhpfarL90oLvQPRoBrl4/SFO66H4Jzso
4z3w/GUJTBeVw3RYUE6HKNBGR675ojJfD1BBKjEHrArHHPAWCbytZAoJaV9yqdT+
J55KnkCbmtWXRPAfX9E80hVBfdKkhD2+hZKAWfMlXTE2ap8htIB+y5fvrF7Iz7ap
kr0Ct3tXJPEEy02YrSc6lraYKR0Bmt3fcpB1SgTdDTxN443EWbcnafcKxPjp9c3n
uyhno3a7NtukXjybN3iNyx3Xz/Rk8TVUaZfim10=
-----END AGE ENCRYPTED FILE-----
";

fn answers(passphrase: Option<&'static str>) -> Passphrase {
    Passphrase::new(move |_| passphrase.map(|text| text.to_owned().into()))
}

#[test]
fn a_key_file_behind_a_passphrase_opens_with_it_and_with_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path().join("keys.age"), PROTECTED);
    let opened = Identities::from_protected_file(&file, &answers(Some("correct horse"))).unwrap();
    assert_eq!(owners(&opened), ["alice"]);
    for (answer, says) in [(Some("wrong horse"), "wrong"), (Some(""), "wrong"), (None, "no passphrase")] {
        let error = refused(Identities::from_protected_file(&file, &answers(answer)));
        assert_says(&error, ErrorKind::InvalidIdentity, &[says, "keys.age"]);
    }
    assert_says(&refused(Identities::from_file(&file)), ErrorKind::InvalidIdentity, &["passphrase", "keys.age"]);
    // One that is not protected needs nobody to ask.
    let plain = write(folder.path().join("keys.txt"), identity_text("bob"));
    let nobody = Passphrase::new(|_| panic!("somebody was asked"));
    assert_eq!(owners(&Identities::from_protected_file(&plain, &nobody).unwrap()), ["bob"]);
}

#[test]
fn a_passphrase_is_asked_for_once_and_only_for_a_file_that_nothing_else_opens() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path().join("keys.age"), PROTECTED);
    let variables = || environment([("SOPS_AGE_KEY_FILE", file.to_str().unwrap()), ("SOPS_AGE_KEY", &secret("bob"))]);

    let without = Identities::from_environment(&variables());
    assert!(line_on(&without, "SOPS_AGE_KEY_FILE").contains("passphrase"));
    assert_opens(&sealed_for(&["bob"]), &without);
    assert!(sealed_for(&["alice"]).decrypt(&without).is_err());

    let asking = Passphrase::new(|what| {
        assert!(what.contains("keys.age"), "{what}");
        ASKED.fetch_add(1, Ordering::SeqCst);
        Some("correct horse".to_owned().into())
    });
    let with = Identities::from_environment(&variables().with_passphrase(asking));
    assert_opens(&sealed_for(&["bob"]), &with);
    assert_eq!(ASKED.load(Ordering::SeqCst), 0);
    assert_opens(&sealed_for(&["alice"]), &with);
    assert_opens(&sealed_for(&["alice"]), &with);
    assert!(sealed_for(&["carol"]).decrypt(&with).is_err());
    assert_eq!(ASKED.load(Ordering::SeqCst), 1);
}

// -------------------------------------------------------------------------------------------------------- when nothing fits

#[test]
fn a_file_that_nothing_opens_names_its_recipients_and_each_source_with_its_outcome() {
    let home = Home::new();
    let folder = tempfile::tempdir().unwrap();
    let key_file = write(folder.path().join("my-keys.txt"), format!("{}\nnonsense\n", identity_text("carol")));
    let identities = found(&[
        ("SOPS_AGE_KEY", &format!("{} {}", secret("carol"), public_key("bob"))),
        ("SOPS_AGE_KEY_FILE", key_file.to_str().unwrap()),
        (Home::variable(), home.path()),
    ]);
    let error = refused(sealed_for(&["alice", "bob"]).decrypt(&identities));
    let default_key_file = home.key_file();
    assert_says(
        &error,
        ErrorKind::NoMatchingIdentity,
        &[
            &format!("age {}", public_key("alice")),
            &format!("age {}", public_key("bob")),
            &format!("SOPS_AGE_KEY: the identity of {}", public_key("carol")),
            "SOPS_AGE_KEY, line 1: a public key",
            key_file.to_str().unwrap(),
            "line 5: not an identity",
            &format!("{}: no such file", default_key_file.display()),
        ],
    );
    // The same lines can be had without an error.
    for line in identities.report() {
        assert!(error.to_string().contains(&line), "{line:?} is not in: {error}");
    }
    assert!(!error.is_tampered() && error.path().is_empty());
}

#[test]
fn a_file_that_the_identities_given_do_not_open_says_so() {
    let error = refused(sealed_for(&["alice"]).decrypt(&identities("bob")));
    assert_says(
        &error,
        ErrorKind::NoMatchingIdentity,
        &[&public_key("alice"), &public_key("bob"), "the identities given"],
    );
    let error = refused(sealed_for(&["alice"]).decrypt(&Identities::default()));
    assert_says(&error, ErrorKind::NoMatchingIdentity, &[&public_key("alice")]);
}

#[test]
fn a_file_of_other_master_keys_names_them() {
    let pgp = json!([{ "fp": "FBC7B9E2A4F9289AC0C1D4843D16CEE4A27381B4", "created_at": "2024-01-01T00:00:00Z", "enc": "-----BEGIN PGP MESSAGE-----" }]);
    let sealed = with_metadata(&sealed_for(&["alice"]), |sops| {
        sops["age"] = json!([]);
        sops["pgp"] = pgp;
    });
    let error = refused(sealed.decrypt(&identities("alice")));
    assert_says(&error, ErrorKind::NoMatchingIdentity, &["pgp FBC7B9E2A4F9289AC0C1D4843D16CEE4A27381B4"]);
}

// ------------------------------------------------------------------------------------------------------------- recipients

#[test]
fn recipients_are_separated_by_commas_or_blanks_and_counted_once() {
    let (alice, bob) = (public_key("alice"), public_key("bob"));
    for (text, expected) in [
        (alice.clone(), vec![&alice]),
        (format!("{alice},{bob}"), vec![&alice, &bob]),
        (format!("{bob}, {alice}"), vec![&bob, &alice]),
        (format!(" ,\t{alice} \r\n{bob},,\n"), vec![&alice, &bob]),
        (format!("{alice} {bob} {alice},{bob}"), vec![&alice, &bob]),
    ] {
        let recipients = Recipients::parse(&text).unwrap();
        assert_eq!(names(&recipients), expected);
        assert_eq!(text.parse::<Recipients>().unwrap(), recipients);
    }
    let twice = Recipients::parse(&format!("{alice},{alice}")).unwrap();
    let sealed = EncryptOptions::new().encrypt(Map::new(), &twice).unwrap();
    assert_eq!(sealed.metadata().recipients().collect::<Vec<_>>(), [alice]);
}

#[test]
fn no_recipient_is_refused() {
    for text in ["", " ", ",", "\n,\t, "] {
        assert_says(&refused(Recipients::parse(text)), ErrorKind::NoRecipients, &[]);
    }
    assert_says(&refused(Recipients::from_keys([])), ErrorKind::NoRecipients, &[]);
    assert_says(&refused(Recipients::from_groups([], None)), ErrorKind::NoRecipients, &[]);
}

#[test]
fn a_recipient_in_an_error_moves_no_cursor_and_has_an_end() {
    for recipient in
        ["ssh-rsa AAAA\u{1b}[2K\u{7f}\nnothing is wrong".to_owned(), format!("ssh-rsa {}", "A".repeat(1 << 20))]
    {
        let error = refused(Recipients::from_keys([MasterKey::Age { recipient }]));
        assert_eq!(error.kind(), ErrorKind::InvalidRecipient);
        let shown = error.to_string();
        assert!(!shown.contains(char::is_control) && shown.len() < 8192, "{} bytes: {shown:.100?}", shown.len());
    }
}

#[test]
fn what_is_no_recipient_is_told_what_it_is() {
    let alice = public_key("alice");
    let missing = |compiled: bool, says| if compiled { "" } else { says };
    for (text, says) in [
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA me@host", missing(cfg!(feature = "ssh"), "feature `ssh`")),
        ("ssh-rsa AAAAB3NzaC1yc2E", missing(cfg!(feature = "ssh"), "feature `ssh`")),
        ("age1pq1qqqqqqqq", missing(cfg!(feature = "pq"), "feature `pq`")),
        ("age1yubikey1qqqqqqqqqq", missing(cfg!(feature = "plugin"), "feature `plugin`")),
        (&secret("alice"), "secret key"),
        (&alice[..alice.len() - 1], "damaged"),
        (&format!("{alice}q"), "damaged"),
        (&alice.replace("w78", "w79"), "damaged"),
        ("FBC7B9E2A4F9289AC0C1D4843D16CEE4A27381B4", "expected age1"),
        ("me@example.org", "expected age1"),
    ] {
        assert_says(&refused(Recipients::parse(text)), ErrorKind::InvalidRecipient, &[says]);
        // Also behind a good one.
        assert_says(&refused(Recipients::parse(&format!("{alice},{text}"))), ErrorKind::InvalidRecipient, &[says]);
    }
    let damaged = alice.replace("w78", "w79");
    let error = refused(Recipients::parse(&format!("{alice},{damaged}")));
    assert_says(&error, ErrorKind::InvalidRecipient, &[&damaged]);
}

#[test]
fn the_environment_names_recipients_or_none() {
    let none = |environment: &Environment| environment.recipients().unwrap().is_none();
    assert!(none(&environment::<&str>([])));
    assert!(none(&environment([("SOPS_AGE_RECIPIENTS", "")])));
    let both = format!("{},{}", public_key("alice"), public_key("bob"));
    let named = environment([("SOPS_AGE_RECIPIENTS", both)]).recipients().unwrap().unwrap();
    assert_eq!(named, recipients(&["alice", "bob"]));
    let bad = environment([("SOPS_AGE_RECIPIENTS", "nonsense")]);
    assert_says(&refused(bad.recipients()), ErrorKind::InvalidRecipient, &["expected age1"]);
}

// --------------------------------------------------------------------------------------------------- files with several keys

#[test]
fn each_of_two_recipients_opens_the_file_alone_and_nobody_else_does() {
    let sealed = sealed_for(&["alice", "bob"]);
    assert_eq!(sealed.metadata().recipients().collect::<Vec<_>>(), [public_key("alice"), public_key("bob")]);
    assert_opens(&sealed, &identities("alice"));
    assert_opens(&sealed, &identities("bob"));
    assert_says(&refused(sealed.decrypt(&identities("carol"))), ErrorKind::NoMatchingIdentity, &[]);
    let with_strangers = format!("{} {}", secret("carol"), secret("bob"));
    assert_opens(&sealed, &Identities::parse(&with_strangers).unwrap());
}

#[test]
fn it_takes_one_key_of_each_group_that_is_needed() {
    let group = |who: &[&str]| recipients(who);
    let all = Recipients::from_groups([group(&["alice", "bob"]), group(&["carol"])], None).unwrap();
    let sealed = EncryptOptions::new().encrypt(Map::from_iter([("a", Value::from("b"))]), &all).unwrap();
    assert_eq!((sealed.metadata().key_groups().len(), sealed.metadata().shamir_threshold()), (2, 2));
    let of =
        |who: &[&str]| Identities::parse(&who.iter().map(|who| secret(who)).collect::<Vec<_>>().join("\n")).unwrap();
    assert_opens(&sealed, &of(&["alice", "carol"]));
    assert_opens(&sealed, &of(&["carol", "bob"]));
    for too_few in [of(&["alice", "bob"]), of(&["carol"])] {
        assert_says(&refused(sealed.decrypt(&too_few)), ErrorKind::NoMatchingIdentity, &["2 key groups", "1 could"]);
    }
    for (groups, threshold) in [(2, 0), (2, 1), (2, 3), (3, 4), (256, 2)] {
        let groups = (0..groups).map(|_| group(&["alice"]));
        assert_says(&refused(Recipients::from_groups(groups, Some(threshold))), ErrorKind::InvalidRecipient, &[]);
    }
}

#[test]
fn each_recipient_of_a_file_of_sops_opens_it_alone() {
    let folder = format!("{FIXTURES}/3.13.2/two-recipients");
    let sealed = EncryptedDocument::parse(&read(format!("{folder}/sealed.json"))).unwrap();
    assert_eq!(sealed.metadata().recipients().count(), 2);
    let readers = sealed.metadata().recipients().map(str::to_owned).collect::<Vec<_>>();
    for who in ["alice", "bob", "carol"] {
        let opened = sealed.decrypt(&identities(who));
        assert_eq!(opened.is_ok(), readers.contains(&public_key(who)), "{who}");
    }
}

/// The file with its metadata changed; none of it but the time is authenticated.
#[track_caller]
fn with_metadata(sealed: &EncryptedDocument, change: impl FnOnce(&mut serde_json::Value)) -> EncryptedDocument {
    let mut json: serde_json::Value = serde_json::from_str(&sealed.to_string()).unwrap();
    change(&mut json["sops"]);
    EncryptedDocument::parse(json.to_string().as_bytes()).unwrap()
}

#[test]
fn a_file_whose_first_wrapped_key_is_garbage_opens_by_the_second() {
    let sealed = sealed_for(&["alice", "bob"]);
    let good = sealed.metadata().key_groups().next().unwrap()[0].enc().to_owned();
    let other_file = sealed_for(&["alice"]).metadata().key_groups().next().unwrap()[0].enc().to_owned();
    for garbage in [
        "",
        "garbage",
        "-----BEGIN AGE ENCRYPTED FILE-----\n-----END AGE ENCRYPTED FILE-----\n",
        "-----BEGIN AGE ENCRYPTED FILE-----\nAAAA\n-----END AGE ENCRYPTED FILE-----\n",
        &good[..good.len() / 2],
        &good.replacen("YWdl", "YWdm", 1),
        &"x".repeat(1_000_000),
    ] {
        let damaged = with_metadata(&sealed, |sops| sops["age"][0]["enc"] = json!(garbage));
        assert_opens(&damaged, &identities("bob"));
        assert_says(&refused(damaged.decrypt(&identities("alice"))), ErrorKind::NoMatchingIdentity, &[]);
        let both = Identities::parse(&format!("{}\n{}", secret("alice"), secret("bob"))).unwrap();
        assert_opens(&damaged, &both);
        // Alice's own entry a second time, the first one damaged.
        let repeated = with_metadata(&sealed, |sops| {
            sops["age"] = json!([
                { "recipient": public_key("alice"), "enc": garbage },
                { "recipient": public_key("alice"), "enc": good },
            ]);
        });
        assert_opens(&repeated, &identities("alice"));
    }
    // An entry that opens, but to the data key of another file, must not pass for a tampered document.
    let foreign = with_metadata(&sealed, |sops| sops["age"][0]["enc"] = json!(other_file));
    assert_opens(&foreign, &identities("bob"));
}

#[test]
fn a_file_whose_entries_are_mislabelled_opens() {
    let sealed = sealed_for(&["alice", "bob"]);
    let (alice, bob) = (public_key("alice"), public_key("bob"));
    for labels in [
        [&bob, &alice],
        [&bob, &bob],
        [&alice, &alice],
        [&public_key("carol"), &public_key("carol")],
        [&"x".to_owned(), &String::new()],
    ] {
        let mislabelled = with_metadata(&sealed, |sops| {
            sops["age"][0]["recipient"] = json!(labels[0]);
            sops["age"][1]["recipient"] = json!(labels[1]);
        });
        for who in ["alice", "bob"] {
            assert_opens(&mislabelled, &identities(who));
        }
        assert!(mislabelled.decrypt(&identities("carol")).is_err());
    }
}

#[test]
fn foreign_master_keys_beside_the_age_entry_do_not_stand_in_the_way() {
    let sealed = with_metadata(&sealed_for(&["alice"]), |sops| {
        sops["pgp"] = json!([{ "fp": "00", "created_at": "2024-01-01T00:00:00Z", "enc": "x" }]);
        sops["kms"] =
            json!([{ "arn": "arn:aws:kms:x", "created_at": "2024-01-01T00:00:00Z", "enc": "x", "aws_profile": "" }]);
        sops["hc_vault"] = json!(null);
    });
    assert_opens(&sealed, &identities("alice"));
    let kinds: Vec<_> = sealed.metadata().key_groups().flatten().map(|wrapped| wrapped.key().kind().as_str()).collect();
    assert_eq!(kinds, ["kms", "pgp", "age"]);
    assert_eq!(sealed.metadata().recipients().collect::<Vec<_>>(), [public_key("alice")]);
}

#[test]
fn the_types_of_this_module_can_cross_threads_and_be_printed() {
    fn crosses<T: Send + Sync + Debug>() {}
    crosses::<Identities>();
    crosses::<Recipients>();
    crosses::<Environment>();
    crosses::<EncryptedDocument>();
    crosses::<sopskit::Document>();
    crosses::<Error>();
}
