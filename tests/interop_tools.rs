//! Key files that are made here serve the real age and the real sops; `exec-env` and `exec-file` do what sops does. `SOPS_BINS` is as in
//! `tests/interop.rs`, `AGE_BIN` the path of age, with age-keygen beside it.
#![cfg(all(feature = "cli", unix))]

#[path = "interop/sops.rs"]
#[allow(dead_code, reason = "this test uses a part of it")]
mod sops;
mod support;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sops::for_each_sops;
use sopskit::{Format, NewIdentity};
use support::{identity_text, peer};

const AGE: &str = "AGE_BIN";

fn age() -> Option<PathBuf> {
    peer(AGE).map(PathBuf::from)
}

#[track_caller]
fn run(command: &mut Command, input: &[u8]) -> Vec<u8> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[test]
fn age_uses_the_identities_that_are_made_here() {
    let Some(age) = age() else { return };
    for new in [NewIdentity::x25519(), NewIdentity::post_quantum()] {
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("keys.txt");
        new.create_file(&keys).unwrap();
        let public = run(Command::new(age.with_file_name("age-keygen")).arg("-y").arg(&keys), b"");
        assert_eq!(String::from_utf8(public).unwrap().trim_end(), new.recipient());
        let sealed = run(Command::new(&age).args(["-r", new.recipient()]), b"hunter2");
        assert_eq!(run(Command::new(&age).arg("-d").arg("-i").arg(&keys), &sealed), b"hunter2");
    }
}

#[test]
fn a_new_key_file_has_the_lines_of_age_keygen() {
    let Some(age) = age() else { return };
    let theirs = String::from_utf8(run(&mut Command::new(age.with_file_name("age-keygen")), b"")).unwrap();
    let heads = |text: &str| {
        text.split('\n')
            .map(|line| line.chars().take_while(|c| !"0123456789".contains(*c)).collect())
            .collect::<Vec<String>>()
    };
    assert_eq!(heads(NewIdentity::x25519().key_file().as_str()), heads(&theirs));
}

fn sopskit(home: &Path, args: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sopskit"));
    command.args(args).current_dir(home).env_clear().env("PATH", "/usr/bin:/bin").env("HOME", home);
    let output = command.env("SOPS_AGE_KEY_FILE", home.join("keys.txt")).stdin(Stdio::null()).output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn a_command_sees_what_sops_would_show_it() {
    for_each_sops(|sops| {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("keys.txt"), identity_text("alice")).unwrap();
        let plain = br#"{"S": "a b\nc", "I": 5432, "F": 1.5, "B": true, "E": "", "a-b": "=", "U": "\u00fc"}"#;
        fs::write(home.path().join("flat.json"), sops.encrypt(plain, Format::Json, &[]).unwrap()).unwrap();
        let list = "env | grep -E '^(S|B|F|E|a-b|U)=|^c$' | sort";
        for args in [
            &["exec-env", "flat.json", list][..],
            &["exec-env", "--pristine", "flat.json", list],
            &["exec-env", "--same-process", "flat.json", "echo $S $B"],
            &["exec-file", "flat.json", "cat {}"],
            &["exec-file", "--no-fifo", "--filename", "x.json", "flat.json", "cat {}; basename {}; stat -c %a {}"],
            &["exec-file", "flat.json", "test -p {} && basename {}"],
            &["exec-file", "--output-type", "binary", "--no-fifo", "flat.json", "test -f {}"],
        ] {
            let words: Vec<_> = args.iter().map(|arg| (*arg).to_owned()).collect();
            // What an old release does not know yet cannot be compared.
            let Ok(theirs) = sops.run(home.path(), &words) else {
                assert!(sops.release < [3, 10, 0] || args.contains(&"binary"), "{sops} {args:?}");
                continue;
            };
            let (code, ours) = sopskit(home.path(), args);
            assert_eq!((code, ours), (Some(0), String::from_utf8(theirs).unwrap()), "{sops} {args:?}");
        }
    });
}
