//! age plugins: a program of our own, `tests/plugin/age-plugin-sopskittest`, stands for a hardware key.
//!
//! age looks for plugins in the `PATH` of the process, so these tests drive the command line.
#![cfg(all(feature = "cli", feature = "plugin", unix))]

mod support;

use assert_cmd::Command;
use support::{FIXTURES, read};

const RECIPIENT: &str = "age1sopskittest1v9kxjcm9gsw7zd";
const IDENTITY: &str = "AGE-PLUGIN-SOPSKITTEST-1V9KXJCM95KJP63";
const ABSENT_RECIPIENT: &str = "age1missing1v9kxjcm93ege74";
const ABSENT_IDENTITY: &str = "AGE-PLUGIN-MISSING-1V9KXJCM9EQ5SH9";
const PLAIN: &str = "fixtures/cases/mixed/plain.json";

fn sopskit() -> Command {
    let path = format!("{}/tests/plugin:{}", env!("CARGO_MANIFEST_DIR"), std::env::var("PATH").unwrap());
    let mut command = Command::cargo_bin("sopskit").unwrap();
    command.env_clear().env("PATH", path).current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}

fn sealed() -> Vec<u8> {
    let output = sopskit().args(["encrypt", "--age", RECIPIENT, PLAIN]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn decrypt(sealed: Vec<u8>, identities: &str) -> (Option<i32>, Vec<u8>, String) {
    let mut command = sopskit();
    command.args(["decrypt", "--filename-override", "x.json"]).env("SOPS_AGE_KEY", identities).write_stdin(sealed);
    let output = command.output().unwrap();
    (output.status.code(), output.stdout, String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_plugin_wraps_and_unwraps() {
    let sealed = sealed();
    assert!(String::from_utf8_lossy(&sealed).contains(RECIPIENT));
    let (code, plain, stderr) = decrypt(sealed, IDENTITY);
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(plain, read(format!("{FIXTURES}/3.13.2/mixed/decrypted.json")));
}

#[test]
fn a_plugin_that_is_not_installed_is_named_and_stands_in_nobody_s_way() {
    let output = sopskit().args(["encrypt", "--age", ABSENT_RECIPIENT, PLAIN]).output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("age-plugin-missing"));

    let (code, _, stderr) = decrypt(sealed(), ABSENT_IDENTITY);
    assert_eq!(code, Some(128));
    assert!(stderr.contains("age-plugin-missing is not in the PATH"), "{stderr}");
    assert!(!stderr.contains("AGE-PLUGIN-MISSING-1"), "{stderr}");

    let (code, _, stderr) = decrypt(sealed(), &format!("{ABSENT_IDENTITY} {IDENTITY}"));
    assert_eq!(code, Some(0), "{stderr}");
}
