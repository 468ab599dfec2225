//! What is read beside a document: config files, key files, key paths, tokens.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use sopskit::{
    Config, Environment, ErrorKind, FileStorage, Identities, KeyPath, NewIdentity, Passphrase, Recipients, SopsStorage,
    TokenStorage as _,
};

use super::asked::Asked;
use super::{Expected, MIB, answers};
use crate::inputs::{Base, alice, list, scrypt_file};
use crate::measure::{Bounds, is_full, measured, program, scaled};
use crate::support::{identities, identity_text, recipients};

pub(crate) fn run(case: &str) -> bool {
    config(case) || keys(case) || others(case)
}

fn config(case: &str) -> bool {
    use ErrorKind as E;
    let invalid: Expected<'_> = Err(&[E::Read, E::InvalidConfig, E::InvalidRegex]);
    let rule = |field: &str, text: &str| format!("creation_rules:\n- {field}: '{text}'\n  age: {}\n", alice());
    let (text, loads): (String, Expected<'_>) = match case {
        "config-long" => (format!("#{}\n", "x".repeat(scaled(10 * MIB).max(2 * MIB))), invalid),
        "config-bomb" => {
            let levels = (1..30).map(|n| format!("a{n}: &a{n} [{}]\n", list(10, |_| format!("*a{}", n - 1))));
            (format!("a0: &a0 [x]\n{}creation_rules: []\n", levels.collect::<String>()), invalid)
        }
        "config-deep" => (format!("creation_rules: {}", "[".repeat(500_000)), invalid),
        "config-rules" => {
            (format!("creation_rules:\n{}", "- path_regex: a\n".repeat(60_000)), Err(&[E::InvalidConfig]))
        }
        "config-regex" => (rule("path_regex", &format!("a*{}", "|a*".repeat(300_000))), Ok(())),
        "config-regexes" => {
            // As many as there may be, each of which compiles to almost as much as it may.
            let rules = if is_full() { 2000 } else { 10 };
            (many_rules(rules, r"\pL"), Ok(()))
        }
        "config-large-regexes" => {
            // Each takes some MiB, which one rule among few may.
            let rules = if is_full() { 2000 } else { 10 };
            (many_rules(rules, r"\pL{60}"), Ok(()))
        }
        "config-recipients" => {
            let keys = list(if is_full() { 14_000 } else { 10 }, |_| NewIdentity::x25519().recipient().to_owned());
            (format!("creation_rules:\n- age: '{keys}'\n"), Ok(()))
        }
        _ => return false,
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".sops.yaml");
    fs::write(&path, &text).unwrap();
    let bounds = Bounds { seconds: 2.0, memory: 128 * MIB };
    let config = answers(case, "Config::load", bounds, loads, || Config::load(&path));
    if let Some(config) = config {
        let file = folder.path().join("file.json");
        measured(case, "Config::check", bounds, || config.check(), |found| format!("{} problems", found.len()));
        measured(case, "dead_rules", bounds, || config.dead_rules(), |found| format!("{} rules", found.len()));
        let rule = || config.creation_rule(&file).and_then(|rule| rule.recipients());
        measured(case, "creation_rule", bounds, rule, |rule| format!("found: {}", rule.is_ok())).ok();
        measured(case, "explain", bounds, || config.explain(&file), |_| String::from("ok"));
    }
    if is_full() {
        fs::write(folder.path().join("file.json"), Base::new(&["alice"]).with_fields("")).unwrap();
        program(case, "sopskit doctor", bounds, folder.path(), &["doctor"]);
        program(case, "sopskit updatekeys", bounds, folder.path(), &["updatekeys", "-y", "file.json"]);
        program(case, "sopskit decrypt", bounds, folder.path(), &["decrypt", "file.json"]);
    }
    true
}

fn many_rules(rules: usize, start: &str) -> String {
    let rule = |n| format!("- path_regex: '{start}x{n}'\n  age: {}\n", alice());
    format!("creation_rules:\n{}", (0..rules).map(rule).collect::<String>())
}

fn keys(case: &str) -> bool {
    use ErrorKind as E;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.txt");
    let passphrase = Passphrase::new(|_| Some(String::from("x").into()));
    let put = |bytes: &[u8]| fs::write(&path, bytes).unwrap();
    match case {
        "key-file" => {
            let size = scaled(100 * MIB);
            put(&vec![b'x'; size]);
            answers(case, "from_file", Bounds::of(0), Err(&[E::Read]), || Identities::from_file(&path));
            answers(case, "from_protected_file", Bounds::of(0), Err(&[E::Read]), || {
                Identities::from_protected_file(&path, &passphrase)
            });
            let environment = Environment::from_iter([("SOPS_AGE_KEY_FILE", &path)]);
            answers(case, "from_environment", Bounds::of(0), Ok(()), || Ok(Identities::from_environment(&environment)));
        }
        "identities" => {
            // One key a million times: whoever gives a text has it in memory already.
            let text = format!("{}\n", secret()).repeat(if is_full() { 13_500 } else { 100 });
            put(text.as_bytes());
            answers(case, "from_file", Bounds::of(text.len()), Ok(()), || Identities::from_file(&path));
        }
        "many-identities" => {
            // As many as a key file holds, on one wrapped key: an attempt each.
            let text = format!("{}\n", secret()).repeat(if is_full() { 13_500 } else { 100 });
            let bytes = Base::new(&["bob"]).with_fields("");
            let asked = Asked::new(case, &bytes).with_keys(Identities::parse(&text).unwrap());
            asked.answers(Ok(()), Err(&[E::NoMatchingIdentity]));
        }
        "work-factor" => {
            for factor in ["62", "4611686018427387904"] {
                put(&scrypt_file(factor));
                let from = || Identities::from_protected_file(&path, &passphrase);
                answers(case, "from_protected_file", Bounds::of(0), Err(&[E::InvalidIdentity]), from);
            }
        }
        _ => return false,
    }
    true
}

fn secret() -> String {
    identity_text("alice").lines().find(|line| !line.starts_with('#')).unwrap().to_owned()
}

fn others(case: &str) -> bool {
    use ErrorKind as E;
    let folder = tempfile::tempdir().unwrap();
    let sealed = sopskit::EncryptedDocument::parse(&Base::new(&["alice"]).with_fields("")).unwrap();
    let mut document = sealed.decrypt(&identities("alice")).unwrap();
    match case {
        "key-path" => {
            let path = format!(r#"["{}"]"#, "k".repeat(MIB));
            answers(case, "KeyPath", Bounds::of(path.len()), Ok(()), || path.parse::<KeyPath>());
            answers(case, "get", Bounds::of(path.len()), Err(&[E::PathNotFound]), || {
                document.get(path.as_str()).cloned()
            });
            answers(case, "set and encrypt", Bounds::of(path.len()), Err(&[E::TooDeep]), || {
                document.set(path.as_str(), "x")?;
                document.encrypt()
            });
        }
        "key-path-deep" => {
            let path = r#"["k"]"#.repeat(MIB / 5);
            answers(case, "set", Bounds::of(path.len()), Err(&[E::TooDeep, E::InvalidPath]), || {
                document.set(path.as_str(), "x")
            });
            let path = r#"["k"][0]"#.repeat(MIB / 8);
            answers(case, "get", Bounds::of(path.len()), Err(&[E::PathNotFound]), || {
                document.get(path.as_str()).cloned()
            });
        }
        "token-plain" => {
            put_token(folder.path(), "github.token.json", &vec![b' '; scaled(100 * MIB)]);
            let storage = FileStorage::new(folder.path());
            answers(case, "load", Bounds::of(0), Err(&[E::Read, E::InvalidToken]), || storage.load("github"));
            answers(case, "status", Bounds::of(0), Err(&[E::Read, E::InvalidToken]), || storage.status("github"));
        }
        "token-sealed" => {
            put_token(folder.path(), "github.token.sops.json", &vec![b' '; scaled(100 * MIB)]);
            let storage = SopsStorage::new(folder.path(), recipients(&["alice"]), identities("alice"));
            answers(case, "load", Bounds::of(0), Err(&[E::Read, E::InvalidToken]), || storage.load("github"));
            answers(case, "status", Bounds::of(0), Err(&[E::Read, E::InvalidToken]), || storage.status("github"));
        }
        "recipients-text" => {
            // What a caller has in memory: in proportion, and one that is given twice counts once.
            let text = format!("{},", alice()).repeat(if is_full() { 20_000 } else { 100 });
            answers(case, "Recipients::parse", Bounds::of(text.len()), Ok(()), || Recipients::parse(&text));
            let text = format!("{}!", alice().repeat(scaled(MIB)));
            answers(case, "Recipients::parse", Bounds::of(text.len()), Err(&[E::InvalidRecipient]), || {
                Recipients::parse(&text)
            });
        }
        _ => return false,
    }
    true
}

fn put_token(folder: &Path, name: &str, content: &[u8]) {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).unwrap();
    let path = folder.join(name);
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
}
