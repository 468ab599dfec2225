//! Keys of every kind, and key files of every form, open what was wrapped for them.

mod support;

use sopskit::{Document, EncryptedDocument, Environment, ErrorKind, Identities, Map, Passphrase, Recipients, Value};
use support::{FIXTURES, identities, identity_text, public_key, read};
use zeroize::Zeroizing;

const PASSPHRASE: &str = "correct horse";

fn knows_the_passphrase() -> Passphrase {
    Passphrase::new(|_| Some(Zeroizing::new(PASSPHRASE.to_owned())))
}

fn never_asked() -> Passphrase {
    Passphrase::new(|what| panic!("asked for the passphrase of {what}"))
}

fn key_file(name: &str) -> String {
    format!("{FIXTURES}/keys/{name}")
}

#[track_caller]
fn sealed_for(recipients: &str) -> EncryptedDocument {
    let tree = Map::from_iter([("a", Value::from("x"))]);
    Document::new(tree, &Recipients::parse(recipients).unwrap()).unwrap().encrypt().unwrap()
}

#[track_caller]
fn opens(sealed: &EncryptedDocument, identities: &Identities) {
    sealed.decrypt(identities).unwrap();
}

/// Variables that lead to nothing but what a test adds.
fn nothing_else() -> Vec<(&'static str, String)> {
    vec![("HOME", "/nonexistent".to_owned()), ("PATH", std::env::var("PATH").unwrap_or_default())]
}

fn environment(variable: &'static str, value: impl Into<String>) -> Environment {
    let mut variables = nothing_else();
    variables.push((variable, value.into()));
    Environment::from_iter(variables)
}

#[test]
fn a_protected_key_file_opens_with_its_passphrase_and_no_other() {
    for (name, who) in [("alice_protected.age", "alice"), ("bob_protected_binary.age", "bob")] {
        let opened = Identities::from_protected_file(key_file(name), &knows_the_passphrase()).unwrap();
        assert_eq!(opened.recipients().collect::<Vec<_>>(), [public_key(who)]);
        let error = Identities::from_file(key_file(name)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidIdentity);
        assert!(error.to_string().contains("passphrase"), "{error}");
        for wrong in [Some("wrong"), None] {
            let answer = wrong.map(str::to_owned);
            let passphrase = Passphrase::new(move |_| answer.clone().map(Zeroizing::new));
            let error = Identities::from_protected_file(key_file(name), &passphrase).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidIdentity);
            assert!(error.to_string().contains("passphrase"), "{error}");
        }
    }
}

#[test]
fn nobody_is_asked_for_a_passphrase_while_another_key_opens_the_file() {
    let mut variables = nothing_else();
    variables.push(("SOPS_AGE_KEY", identity_text("bob")));
    variables.push(("SOPS_AGE_KEY_FILE", key_file("alice_protected.age")));
    let environment = Environment::from_iter(variables).with_passphrase(never_asked());
    opens(&sealed_for(&public_key("bob")), &Identities::from_environment(&environment));
}

#[test]
fn a_passphrase_is_asked_for_once_and_only_with_leave() {
    let sealed = sealed_for(&public_key("alice"));
    let variables = environment("SOPS_AGE_KEY_FILE", key_file("alice_protected.age"));
    let error = sealed.decrypt(&Identities::from_environment(&variables)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoMatchingIdentity);
    assert!(error.to_string().contains("there is nobody to ask"), "{error}");

    let asked = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = std::sync::Arc::clone(&asked);
    let passphrase = Passphrase::new(move |what| {
        assert!(what.contains("alice_protected.age"), "{what}");
        count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Some(Zeroizing::new(PASSPHRASE.to_owned()))
    });
    let identities = Identities::from_environment(&variables.with_passphrase(passphrase));
    opens(&sealed, &identities);
    opens(&sealed, &identities);
    assert_eq!(asked.load(std::sync::atomic::Ordering::SeqCst), 1);
}

#[test]
fn a_wrong_passphrase_is_a_line_of_the_error() {
    let passphrase = Passphrase::new(|_| Some(Zeroizing::new(String::from("battery staple"))));
    let variables = environment("SOPS_AGE_KEY_FILE", key_file("alice_protected.age")).with_passphrase(passphrase);
    let error = sealed_for(&public_key("alice")).decrypt(&Identities::from_environment(&variables)).unwrap_err();
    assert!(error.to_string().contains("the passphrase is wrong"), "{error}");
    assert!(!error.to_string().contains("battery"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_command_runs_with_leave_only_and_learns_the_recipient() {
    let alice = key_file("alice.txt");
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let command = format!("sh -c 'echo \"$SOPS_AGE_RECIPIENT\" >> {}; cat {alice}'", log.display());
    let sealed = sealed_for(&public_key("alice"));

    let variables = environment("SOPS_AGE_KEY_CMD", &command);
    let error = sealed.decrypt(&Identities::from_environment(&variables)).unwrap_err();
    assert!(error.to_string().contains("running programs was not allowed"), "{error}");
    assert!(!log.exists());

    opens(&sealed, &Identities::from_environment(&variables.with_commands()));
    assert_eq!(std::fs::read_to_string(&log).unwrap().trim(), public_key("alice"));
}

#[cfg(unix)]
#[test]
fn a_command_that_fails_is_a_line_of_the_error() {
    for (command, saying) in [
        ("false", "exit status: 1"),
        ("/nonexistent/program", "No such file"),
        ("echo 'not closed", "quote"),
        ("echo nonsense", "not an identity"),
    ] {
        let variables = environment("SOPS_AGE_KEY_CMD", command).with_commands();
        let error = sealed_for(&public_key("alice")).decrypt(&Identities::from_environment(&variables)).unwrap_err();
        assert!(error.to_string().contains(saying), "{command}: {error}");
    }
}

#[test]
fn key_files_of_any_line_ending_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keys.txt");
    let unix = identity_text("alice");
    for text in [unix.replace('\n', "\r\n"), unix.replace('\n', "\r"), format!("\u{feff}{unix}"), format!("{unix}\n\n")]
    {
        std::fs::write(&path, text).unwrap();
        assert_eq!(Identities::from_file(&path).unwrap().recipients().collect::<Vec<_>>(), [public_key("alice")]);
    }
    let utf16: Vec<u8> = unix.encode_utf16().flat_map(u16::to_le_bytes).collect();
    std::fs::write(&path, utf16).unwrap();
    let path = path.to_str().unwrap();
    let found = Identities::from_environment(&environment("SOPS_AGE_KEY_FILE", path));
    let error = sealed_for(&public_key("alice")).decrypt(&found).unwrap_err().to_string();
    assert!(error.contains("keys.txt"), "{error}");
}

#[test]
fn a_wrapped_key_that_is_for_somebody_else_than_it_says_is_told() {
    let sealed = sealed_for(&public_key("alice")).to_string().replace(&public_key("alice"), &public_key("bob"));
    let sealed = EncryptedDocument::parse(sealed.as_bytes()).unwrap();
    let error = sealed.decrypt(&identities("bob")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoMatchingIdentity);
    assert!(error.to_string().contains("what is wrapped is for somebody else"), "{error}");
    opens(&sealed, &identities("alice"));
}

#[test]
fn an_error_about_a_hostile_file_is_short_and_plain() {
    let sealed = sealed_for(&public_key("alice")).to_string();
    let hostile = |recipient: &str| {
        let text = sealed.replace(&public_key("alice"), recipient);
        EncryptedDocument::parse(text.as_bytes()).unwrap().decrypt(&identities("bob")).unwrap_err().to_string()
    };
    let error = hostile("\\u001b[31mred\\nhint: forged");
    assert!(!error.contains('\u{1b}') && error.contains("\\u{1b}[31mred\\nhint"), "{error}");
    assert!(hostile(&"SECRET-KEY- ".repeat(100_000)).len() < 10_000);

    let key = format!("{{\"enc\": \"x\", \"recipient\": \"{}\"}}", public_key("alice"));
    let many = vec![key; 10_000].join(",");
    let text = sealed.replacen("\"age\": [", &format!("\"age\": [{many},"), 1);
    let limits = sopskit::Limits::new().master_keys(20_000);
    let sealed = EncryptedDocument::parse_with_limits(text.as_bytes(), &limits).unwrap();
    let error = sealed.decrypt(&identities("bob")).unwrap_err().to_string();
    assert!(error.contains("and 9951 more") && error.len() < 20_000, "{}", error.len());
}

#[cfg(unix)]
#[test]
fn a_file_cannot_make_a_command_run_without_end() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let command = format!("sh -c 'echo x >> {}'", log.display());
    let sealed = sealed_for(&public_key("alice")).to_string();
    let keys: Vec<_> = (0..200).map(|n| format!("{{\"enc\": \"x\", \"recipient\": \"age1{n}\"}}")).collect();
    let text = sealed.replacen("\"age\": [", &format!("\"age\": [{},", keys.join(",")), 1);
    let identities = Identities::from_environment(&environment("SOPS_AGE_KEY_CMD", command).with_commands());
    EncryptedDocument::parse(text.as_bytes()).unwrap().decrypt(&identities).unwrap_err();
    assert!(std::fs::read_to_string(&log).unwrap().lines().count() <= 32);
}

#[test]
fn a_long_key_above_many_leaves_is_refused() {
    let text = format!("{{\"{}\": [1, 2]}}", "k".repeat(70_000));
    let tree = sopskit::Format::Json.parse(text.as_bytes()).unwrap();
    let document = Document::new(tree, &Recipients::parse(&public_key("alice")).unwrap()).unwrap();
    assert_eq!(document.encrypt().unwrap_err().kind(), ErrorKind::TooDeep);
}

#[test]
fn a_recipient_that_would_make_age_panic_is_refused() {
    // A point of low order; in a file it could have been planted, since recipients are not authenticated.
    let weak = "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq5cu47z";
    assert_eq!(Recipients::parse(weak).unwrap_err().kind(), ErrorKind::InvalidRecipient);
    let planted = sealed_for(&public_key("alice")).to_string().replace(&public_key("alice"), weak);
    let mut document = EncryptedDocument::parse(planted.as_bytes()).unwrap().decrypt(&identities("alice")).unwrap();
    assert_eq!(document.rotate().unwrap_err().kind(), ErrorKind::InvalidRecipient);
}

#[test]
fn a_recipient_whose_kind_is_not_compiled_in_names_the_feature() {
    let ssh = String::from_utf8(read(key_file("ssh/id_ed25519.pub"))).unwrap();
    for (recipient, feature, compiled_in) in [
        (ssh.as_str(), "ssh", cfg!(feature = "ssh")),
        ("age1name1qqqqqqq", "plugin", cfg!(feature = "plugin")),
        ("age1pq1qqqqqqq", "pq", cfg!(feature = "pq")),
    ] {
        match Recipients::parse(recipient) {
            Err(error) if !compiled_in => assert!(error.to_string().contains(&format!("`{feature}`")), "{error}"),
            other => assert!(compiled_in, "{other:?}"),
        }
    }
    for (identity, feature, compiled_in) in [
        ("AGE-PLUGIN-NAME-1QQQQ", "plugin", cfg!(feature = "plugin")),
        ("AGE-SECRET-KEY-PQ-1QQQQ", "pq", cfg!(feature = "pq")),
    ] {
        let error = Identities::parse(identity).unwrap_err();
        assert!(compiled_in || error.to_string().contains(&format!("`{feature}`")), "{error}");
    }
}

#[test]
fn a_file_for_a_kind_that_is_not_compiled_in_says_so() {
    let sealed = EncryptedDocument::parse(&read(format!("{FIXTURES}/kinds/ssh-ed25519/sealed.json"))).unwrap();
    let error = sealed.decrypt(&identities("alice")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoMatchingIdentity);
    assert_eq!(error.to_string().contains("needs the feature `ssh`"), cfg!(not(feature = "ssh")), "{error}");
}

#[cfg(feature = "ssh")]
mod ssh {
    use super::*;
    use sopskit::Format;

    fn public(name: &str) -> String {
        String::from_utf8(read(key_file(&format!("ssh/{name}.pub")))).unwrap()
    }

    #[test]
    fn ssh_keys_open_files_of_sops() {
        let expected = read(format!("{FIXTURES}/3.13.2/mixed/decrypted.json"));
        for (kind, key) in [("ssh-ed25519", "id_ed25519"), ("ssh-rsa", "id_rsa")] {
            let sealed = EncryptedDocument::parse(&read(format!("{FIXTURES}/kinds/{kind}/sealed.json"))).unwrap();
            let identities = Identities::from_file(key_file(&format!("ssh/{key}"))).unwrap();
            let document = sealed.decrypt(&identities).unwrap();
            assert_eq!(*document.to_bytes(Format::Json).unwrap(), expected);
            let other = Identities::from_file(key_file("ssh/id_rsa")).unwrap();
            assert_eq!(sealed.decrypt(&other).is_ok(), key == "id_rsa");
        }
    }

    #[test]
    fn an_ssh_recipient_is_taken_with_its_comment_and_without() {
        for name in ["id_ed25519", "id_rsa"] {
            let with_comment = public(name);
            let without = with_comment.split(' ').take(2).collect::<Vec<_>>().join(" ");
            for recipient in [with_comment.trim(), &without] {
                let both = format!("{recipient},{}", public_key("alice"));
                let sealed = sealed_for(&both);
                opens(&sealed, &Identities::from_file(key_file(&format!("ssh/{name}"))).unwrap());
                opens(&sealed, &identities("alice"));
            }
        }
    }

    #[test]
    fn a_protected_ssh_key_asks_only_for_files_that_are_for_it() {
        let path = key_file("ssh/id_ed25519_protected");
        let sealed =
            EncryptedDocument::parse(&read(format!("{FIXTURES}/kinds/ssh-ed25519-protected/sealed.json"))).unwrap();
        opens(&sealed, &Identities::from_protected_file(&path, &knows_the_passphrase()).unwrap());
        let identities = Identities::from_protected_file(&path, &never_asked()).unwrap();
        let error = sealed_for(&public("id_ed25519")).decrypt(&identities).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoMatchingIdentity);
        let wrong = Passphrase::new(|_| Some(Zeroizing::new(String::from("wrong"))));
        let error = sealed.decrypt(&Identities::from_protected_file(&path, &wrong).unwrap()).unwrap_err();
        assert!(error.to_string().contains("passphrase"), "{error}");
        let error = Identities::from_file(&path).unwrap_err();
        assert!(error.to_string().contains("passphrase"), "{error}");
    }

    #[test]
    fn ssh_keys_are_found_where_sops_looks() {
        let sealed = sealed_for(&public("id_ed25519"));
        let path = key_file("ssh/id_ed25519");
        opens(&sealed, &Identities::from_environment(&environment("SOPS_AGE_SSH_PRIVATE_KEY_FILE", &path)));
        let command = environment("SOPS_AGE_SSH_PRIVATE_KEY_CMD", format!("cat {path}")).with_commands();
        opens(&sealed, &Identities::from_environment(&command));
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join(".ssh")).unwrap();
        std::fs::copy(&path, home.path().join(".ssh/id_ed25519")).unwrap();
        let home = Environment::from_iter([("HOME", home.path())]);
        opens(&sealed, &Identities::from_environment(&home));
    }
}
