//! The command line keeps what sops promises: flags, output, exit codes.
#![cfg(feature = "cli")]

mod support;

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use support::{FIXTURES, identity_text, public_key, read};
use tempfile::TempDir;

const MIXED: &str = "fixtures/3.13.2/mixed/sealed.json";

/// `sopskit` with alice's key and nothing else of the environment.
fn sopskit() -> Command {
    let mut command = Command::cargo_bin("sopskit").unwrap();
    command.env_clear().env("SOPS_AGE_KEY_FILE", format!("{FIXTURES}/keys/alice.txt"));
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}

struct Outcome {
    code: i32,
    stdout: Vec<u8>,
    stderr: String,
}

#[track_caller]
fn run(command: &mut Command) -> Outcome {
    let output = command.output().unwrap();
    let code = output.status.code().expect("the program was killed by a signal");
    Outcome { code, stdout: output.stdout, stderr: String::from_utf8(output.stderr).unwrap() }
}

#[track_caller]
fn succeed(command: &mut Command) -> Vec<u8> {
    let outcome = run(command);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert_eq!(outcome.stderr, "");
    outcome.stdout
}

#[track_caller]
fn fail(command: &mut Command, code: i32, saying: &str) {
    let outcome = run(command);
    assert_eq!(outcome.code, code, "{}", outcome.stderr);
    assert!(outcome.stdout.is_empty(), "something was printed in spite of the failure");
    assert!(outcome.stderr.contains(saying), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("AGE-SECRET-KEY"), "{}", outcome.stderr);
}

fn alice() -> String {
    public_key("alice")
}

fn directory_with(name: &str, content: &[u8]) -> (TempDir, std::path::PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    fs::write(&path, content).unwrap();
    (directory, path)
}

#[test]
fn decrypt_prints_what_sops_prints() {
    let expected = read("fixtures/3.13.2/mixed/decrypted.json");
    assert_eq!(succeed(sopskit().args(["decrypt", MIXED])), expected);
    assert_eq!(succeed(sopskit().args(["-d", MIXED])), expected);
    assert_eq!(succeed(sopskit().args(["--decrypt", MIXED])), expected);
    assert_eq!(
        succeed(sopskit().args(["decrypt", "--input-type", "json", "--output-type", "json"]).write_stdin(read(MIXED))),
        expected
    );
    assert_eq!(
        succeed(sopskit().args(["decrypt", "--filename-override", "x.json"]).write_stdin(read(MIXED))),
        expected
    );
    let binary = "fixtures/3.13.2/binary-all-bytes/sealed.json";
    assert_eq!(
        succeed(sopskit().args(["decrypt", "--output-type", "binary", binary])),
        read("fixtures/cases/binary-all-bytes/plain.bin")
    );
}

#[test]
fn what_encrypt_prints_decrypt_reads() {
    let plain = read("fixtures/cases/mixed/plain.json");
    let expected = read("fixtures/3.13.2/mixed/decrypted.json");
    let path = "fixtures/cases/mixed/plain.json";
    let forms: [&[&str]; 4] = [
        &["encrypt", "--age", &alice(), path],
        &["encrypt", "-a", &alice(), path],
        &["-e", "--age", &alice(), path],
        &["--age", &alice(), "--encrypt", path],
    ];
    for form in forms {
        let sealed = succeed(sopskit().args(form));
        assert!(sealed.starts_with(b"{\n\t\"name\": \"ENC[AES256_GCM,data:"));
        assert_eq!(succeed(sopskit().args(["decrypt", "--filename-override", "x.json"]).write_stdin(sealed)), expected);
    }
    let from_stdin = sopskit()
        .args(["encrypt", "--filename-override", "x.json"])
        .env("SOPS_AGE_RECIPIENTS", alice())
        .write_stdin(plain)
        .output();
    assert!(from_stdin.unwrap().status.success());
}

#[test]
fn a_file_of_any_other_name_is_binary() {
    let bytes: Vec<u8> = (0..=255).collect();
    let (_directory, path) = directory_with("key.bin", &bytes);
    let sealed = succeed(sopskit().args(["encrypt", "--age", &alice()]).arg(&path));
    assert!(!String::from_utf8(sealed.clone()).unwrap().contains("unencrypted_suffix"));
    fs::write(&path, sealed).unwrap();
    assert_eq!(succeed(sopskit().arg("decrypt").arg(&path)), bytes);
}

#[test]
fn in_place_replaces_the_file_and_prints_nothing() {
    let plain = read("fixtures/3.13.2/mixed/decrypted.json");
    let (_directory, path) = directory_with("a.json", &plain);
    for short in ["-i", "--in-place"] {
        assert!(succeed(sopskit().args(["encrypt", "--age", &alice(), short]).arg(&path)).is_empty());
        assert_ne!(fs::read(&path).unwrap(), plain);
        assert!(succeed(sopskit().args(["decrypt", short]).arg(&path)).is_empty());
        assert_eq!(fs::read(&path).unwrap(), plain);
    }
}

#[test]
fn output_writes_to_the_file_that_it_names() {
    let (directory, path) = directory_with("old.json", b"old");
    for name in ["old.json", "new.json"] {
        let output = directory.path().join(name);
        assert!(succeed(sopskit().args(["decrypt", MIXED, "--output"]).arg(&output)).is_empty());
        assert_eq!(fs::read(&output).unwrap(), read("fixtures/3.13.2/mixed/decrypted.json"));
    }
    #[cfg(target_os = "linux")]
    {
        // As /dev/stdout is, but in a place where a mistake does no harm.
        let link = directory.path().join("stdout");
        std::os::unix::fs::symlink("/proc/self/fd/1", &link).unwrap();
        let printed = succeed(sopskit().args(["decrypt", MIXED, "--output"]).arg(&link));
        assert_eq!(printed, read("fixtures/3.13.2/mixed/decrypted.json"));
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }
    drop(path);
}

#[test]
fn extract_prints_a_string_as_it_is_and_anything_else_as_json() {
    for (path, printed) in [
        (r#"["name"]"#, "demo"),
        (r#"["port"]"#, "8080"),
        (r#"["ratio"]"#, "0.25"),
        (r#"["on"]"#, "true"),
        (r#"["none"]"#, "null"),
        (r#"["list"][5]"#, ""),
        (r#"["list"][0]"#, "a"),
        (r#"["list"]"#, "[\n\t\"a\",\n\t1,\n\t2.5,\n\ttrue,\n\tnull,\n\t\"\"\n]"),
        (r#"["nested"]"#, "{\n\t\"inner\": {\n\t\t\"deep\": \"value\"\n\t}\n}\n"),
        (r#"['nested']['inner']['deep']"#, "value"),
    ] {
        let stdout = succeed(sopskit().args(["decrypt", "--extract", path, MIXED]));
        assert_eq!(String::from_utf8(stdout).unwrap(), printed, "{path}");
        let old_form = succeed(sopskit().args(["--extract", path, "-d", MIXED]));
        assert_eq!(String::from_utf8(old_form).unwrap(), printed, "{path}");
    }
    fail(sopskit().args(["decrypt", "--extract", r#"["missing"]"#, MIXED]), 1, r#"["missing"]"#);
    fail(sopskit().args(["decrypt", "--extract", r#"["list"][9]"#, MIXED]), 1, r#"["list"][9]"#);
    fail(sopskit().args(["decrypt", "--extract", "name", MIXED]), 91, "key path");
}

#[test]
fn global_flags_stand_before_and_behind_the_command() {
    for args in
        [["--indent", "2", "decrypt", MIXED], ["decrypt", "--indent", "2", MIXED], ["-d", MIXED, "--indent", "2"]]
    {
        assert!(succeed(sopskit().args(args)).starts_with(b"{\n  \"name\""), "{args:?}");
    }
    assert!(succeed(sopskit().args(["--indent", "-1", "decrypt", MIXED])).starts_with(b"{\n\t\"name\""));
    fail(sopskit().args(["--indent", "-2", "decrypt", MIXED]), 1, "--indent");
    for args in [["--mac-only-encrypted", "encrypt"], ["encrypt", "--mac-only-encrypted"]] {
        let sealed = succeed(sopskit().args(args).args(["--age", &alice(), "fixtures/cases/mixed/plain.json"]));
        assert!(String::from_utf8(sealed).unwrap().contains("\"mac_only_encrypted\": true"));
    }
}

#[test]
fn each_rule_flag_sets_its_rule_and_two_exclude_each_other() {
    let plain = "fixtures/cases/mixed/plain.json";
    for (flag, in_clear) in [
        ("--unencrypted-suffix=ame", "\"name\": \"demo\""),
        ("--encrypted-suffix=ame", "\"deep\": \"value\""),
        ("--unencrypted-regex=^name$", "\"name\": \"demo\""),
        ("--encrypted-regex=^name$", "\"deep\": \"value\""),
        ("--encrypted-comment-regex=x", "\"name\": \"demo\""),
    ] {
        let sealed = String::from_utf8(succeed(sopskit().args(["encrypt", "--age", &alice(), flag, plain]))).unwrap();
        assert!(sealed.contains(in_clear), "{flag}");
        assert!(!sealed.contains("\"_unencrypted\""), "{flag}");
    }
    let all = succeed(sopskit().args(["encrypt", "--age", &alice(), "--unencrypted-comment-regex=x", plain]));
    assert!(!String::from_utf8(all).unwrap().contains("demo"));
    let two = ["--encrypted-regex=a", "--encrypted-comment-regex=b"];
    fail(sopskit().args(["encrypt", "--age", &alice()]).args(two).arg(plain), 8, "exclude each other");
    fail(sopskit().args(["encrypt", "--age", &alice(), "--encrypted-regex=(", plain]), 1, "regular expression");
}

#[test]
fn the_mac_is_verified_unless_it_is_to_be_ignored() {
    let broken = "fixtures/invalid/mac-mismatch-leaf-removed/input.json";
    fail(sopskit().args(["decrypt", broken]), 51, "MAC");
    assert!(!succeed(sopskit().args(["decrypt", "--ignore-mac", broken])).is_empty());
    fail(sopskit().args(["decrypt", "fixtures/invalid/mac-missing/input.json"]), 51, "no MAC");
}

#[test]
fn exit_codes_are_those_of_sops() {
    let (directory, bad) = directory_with("bad.json", b"{\"a\": 1,}");
    let plain = "fixtures/cases/mixed/plain.json";
    let alice = alice();
    let cases: [(&[&str], i32, &str); 17] = [
        (&["decrypt", "missing.json"], 100, "missing.json"),
        (&["encrypt", "--age", &alice, "missing.json"], 100, "missing.json"),
        (&["decrypt", bad.to_str().unwrap()], 2, "line 1 column 9"),
        (&["encrypt", "--age", &alice, bad.to_str().unwrap()], 2, "line 1 column 9"),
        (&["encrypt", "--age", &alice, directory.path().to_str().unwrap()], 2, "cannot read"),
        (&["decrypt", plain], 1, "not encrypted"),
        (&["encrypt", "--age", &alice, MIXED], 203, "encrypted already"),
        (&["encrypt", plain], 111, "--age"),
        (&["encrypt", "--age", "bogus", plain], 1, "bogus"),
        (&["encrypt", "--age", &alice], 8, "--filename-override"),
        (&["decrypt", "-i"], 8, "--in-place"),
        (&["decrypt", "-i", "--output", "x", MIXED], 8, "--output"),
        (&["decrypt", "--output", "/nonexistent/x", MIXED], 3, "/nonexistent/x"),
        (&["decrypt", "--output-type", "binary", MIXED], 4, "JSON"),
        (&["decrypt", "--decryption-order", "age,age", MIXED], 112, "twice"),
        (&["decrypt", "fixtures/invalid/leaf-not-authentic-data/input.json"], 25, "at ["),
        (&["decrypt", "--no-such-flag", MIXED], 1, "--no-such-flag"),
    ];
    for (args, code, saying) in cases {
        fail(sopskit().args(args), code, saying);
    }
    fail(sopskit().args(["decrypt", "--input-type", "yaml", MIXED]), 1, "yaml");
    fail(sopskit().args(["encrypt", "--age", &alice, "secrets.env"]), 1, "dotenv");
}

#[test]
fn a_file_that_nothing_opens_says_whom_it_is_for_and_what_was_tried() {
    let outcome = run(sopskit().env("SOPS_AGE_KEY_FILE", format!("{FIXTURES}/keys/bob.txt")).args(["decrypt", MIXED]));
    assert_eq!(outcome.code, 128);
    let bob = public_key("bob");
    for part in [alice().as_str(), bob.as_str(), "bob.txt", "SOPS_AGE_KEY: not set"] {
        assert!(outcome.stderr.contains(part), "{part} is not in {}", outcome.stderr);
    }
}

#[test]
fn keys_are_found_where_sops_looks() {
    let expected = read("fixtures/3.13.2/mixed/decrypted.json");
    let bare = || {
        let mut command = sopskit();
        command.env_remove("SOPS_AGE_KEY_FILE").args(["decrypt", MIXED]);
        command
    };
    assert_eq!(succeed(bare().env("SOPS_AGE_KEY", identity_text("alice"))), expected);
    let directory = tempfile::tempdir().unwrap();
    let keys = directory.path().join("sops").join("age");
    fs::create_dir_all(&keys).unwrap();
    fs::write(keys.join("keys.txt"), identity_text("alice")).unwrap();
    assert_eq!(succeed(bare().env("XDG_CONFIG_HOME", directory.path())), expected);
    fail(&mut bare(), 128, "home");
}

#[test]
fn a_key_that_sops_would_add_is_never_left_out_silently() {
    let encrypt = ["encrypt", "--age", &alice(), "fixtures/cases/mixed/plain.json"];
    fail(sopskit().env("SOPS_PGP_FP", "85D77543B3D624B63CEA9E6DBC17301B491B3F21").args(encrypt), 1, "SOPS_PGP_FP");
}

#[test]
fn a_failure_leaves_the_file_as_it_was() {
    let (directory, path) = directory_with("a.json", b"{\"a\": 12345678901234567890}");
    fail(sopskit().args(["encrypt", "-i", "--age", &alice()]).arg(&path), 2, r#"["a"]"#);
    assert_eq!(fs::read(&path).unwrap(), b"{\"a\": 12345678901234567890}");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn help_and_version_are_no_failures() {
    for args in [&["--help"][..], &["encrypt", "--help"], &["help", "decrypt"], &["--version"]] {
        assert!(!succeed(sopskit().args(args)).is_empty());
    }
}

/// A folder with a config file, and the command run there.
fn with_config(config: &str) -> (TempDir, impl Fn() -> Command + use<>) {
    let (directory, _) = directory_with(".sops.yaml", config.as_bytes());
    let folder = directory.path().to_owned();
    fs::create_dir(folder.join("sub")).unwrap();
    fs::write(folder.join("sub/a.json"), r#"{"user": "ada", "password": "hunter2"}"#).unwrap();
    let command = move || {
        let mut command = sopskit();
        command.current_dir(folder.join("sub"));
        command
    };
    (directory, command)
}

#[test]
fn the_config_file_says_for_whom_and_what_is_encrypted() {
    let rule = format!("creation_rules: [{{path_regex: ^sub/, age: '{}', encrypted_regex: ^password$}}]", alice());
    let (_directory, command) = with_config(&format!("{rule}\nstores: {{json: {{indent: 2}}}}"));
    let sealed = String::from_utf8(succeed(command().args(["encrypt", "a.json"]))).unwrap();
    assert!(sealed.starts_with("{\n  \"user\": \"ada\""), "{sealed}");
    assert!(!sealed.contains("hunter2") && sealed.contains("\"encrypted_regex\": \"^password$\""), "{sealed}");
    let opened = succeed(command().args(["decrypt", "--filename-override", "x.json"]).write_stdin(sealed));
    assert!(opened.starts_with(b"{\n  \"user\""));

    let other = ["encrypt", "--encrypted-regex", "^user$", "a.json"];
    assert!(String::from_utf8(succeed(command().args(other))).unwrap().contains("hunter2"));
    fail(command().args(["encrypt", "--encrypted-suffix", "word", "a.json"]), 8, "encrypted_regex of the config file");
}

#[test]
fn recipients_that_are_named_win_over_a_config_file_without_a_rule() {
    let (directory, command) =
        with_config(&format!("creation_rules: [{{path_regex: ^prod/, age: '{}'}}]", public_key("bob")));
    fail(command().args(["encrypt", "a.json"]), 1, "creation rule");
    succeed(command().args(["encrypt", "--age", &alice(), "a.json"]));
    let bob = succeed(command().args(["encrypt", "--filename-override", "../prod/a.json", "a.json"]));
    assert!(String::from_utf8(bob).unwrap().contains(&public_key("bob")));
    fs::write(directory.path().join(".sops.yaml"), "creation_rules: [").unwrap();
    fail(command().args(["encrypt", "--age", &alice(), "a.json"]), 5, "line 2");
    fail(command().args(["encrypt", "--config", "missing.yaml", "a.json"]), 61, "missing.yaml");
    let good = directory.path().join("good.yaml");
    fs::write(&good, format!("creation_rules: [{{age: '{}'}}]", alice())).unwrap();
    succeed(command().arg("--config").arg(&good).args(["encrypt", "a.json"]));
    succeed(command().env("SOPS_CONFIG", &good).args(["encrypt", "a.json"]));
}

#[test]
fn key_groups_of_the_config_file_open_together() {
    let groups = format!("key_groups: [{{age: ['{}']}}, {{age: ['{}']}}]", alice(), public_key("bob"));
    let (_directory, command) = with_config(&format!("creation_rules: [{{{groups}}}]"));
    let sealed = succeed(command().args(["encrypt", "--shamir-secret-sharing-threshold", "2", "a.json"]));
    let decrypt = || {
        let mut command = command();
        command.args(["decrypt", "--filename-override", "x.json"]).write_stdin(sealed.clone());
        command
    };
    fail(&mut decrypt(), 128, "2 key groups are needed, 1 could be opened");
    succeed(decrypt().env("SOPS_AGE_KEY", identity_text("bob")));
    fail(command().args(["encrypt", "--shamir-secret-sharing-threshold", "3", "a.json"]), 1, "3 of 2 key groups");
}

#[test]
fn a_protected_key_file_is_not_opened_without_a_terminal_or_against_the_flag() {
    let key = format!("{FIXTURES}/keys/alice_protected.age");
    for flag in [&["--non-interactive"][..], &[]] {
        let mut command = sopskit();
        command.env("SOPS_AGE_KEY_FILE", &key).args(flag).args(["decrypt", MIXED]);
        let outcome = run(&mut command);
        assert_eq!(outcome.code, 128, "{}", outcome.stderr);
        assert!(outcome.stderr.contains("passphrase"), "{}", outcome.stderr);
    }
}

#[test]
fn a_creation_rule_without_keys_counts_for_recipients_that_are_named() {
    for keys in ["", ", age: age1damaged"] {
        let (_directory, command) = with_config(&format!("creation_rules: [{{encrypted_regex: ^password${keys}}}]"));
        let sealed = succeed(command().args(["encrypt", "--age", &alice(), "a.json"]));
        assert!(String::from_utf8(sealed).unwrap().contains("\"user\": \"ada\""));
        let code = if keys.is_empty() { 111 } else { 1 };
        fail(command().args(["encrypt", "a.json"]), code, ".sops.yaml");
    }
}

#[test]
fn a_broken_config_file_that_was_found_does_not_withhold_a_secret() {
    let (_directory, command) = with_config("creation_rules: [{description: x}]");
    let sealed = Path::new(env!("CARGO_MANIFEST_DIR")).join(MIXED);
    let outcome = run(command().arg("decrypt").arg(&sealed));
    assert_eq!((outcome.code, outcome.stdout), (0, read("fixtures/3.13.2/mixed/decrypted.json")));
    assert!(outcome.stderr.contains("config file is not used"), "{}", outcome.stderr);
    fail(command().args(["decrypt", "--config", "../.sops.yaml"]).arg(&sealed), 5, "description");
    fail(command().args(["encrypt", "--age", &alice(), "a.json"]), 5, "description");
}

#[cfg(unix)]
#[test]
fn the_name_of_a_file_neither_moves_the_cursor_nor_makes_a_line_of_its_own() {
    const NAME: &str = "x\x1b[2Jy\nsopskit: forged.json";
    let (directory, path) = directory_with(NAME, b"{\"a\": 1}");
    let command = |args: &[&str]| {
        let mut command = sopskit();
        command.args(args).current_dir(directory.path());
        command
    };
    let assert_plain = |args: &[&str], code: i32| {
        let outcome = run(&mut command(args));
        assert_eq!(outcome.code, code, "{args:?}: {}", outcome.stderr);
        let stderr = outcome.stderr;
        assert!(stderr.contains(r"x\u{1b}[2Jy\u{a}sopskit: forged.json"), "{args:?}: {stderr}");
        assert!(stderr.chars().all(|c| c == '\n' || !c.is_control()), "{args:?}: {stderr:?}");
        assert!(!stderr.lines().any(|line| line.starts_with("sopskit: forged")), "{args:?}: {stderr}");
        stderr
    };
    assert_plain(&["decrypt", NAME], 1);
    assert_plain(&["decrypt", &format!("missing/{NAME}")], 100);
    assert_plain(&["rotate", "--add-age", &alice(), &format!("missing/{NAME}")], 49);
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join(MIXED), &path).unwrap();
    assert_plain(&["--verbose", "decrypt", "--config", &format!("missing/{NAME}"), NAME], 61);
    fs::write(directory.path().join(".sops.yaml"), format!("creation_rules: [{{age: '{}'}}]", alice())).unwrap();
    assert_plain(&["updatekeys", "-y", NAME], 0);
    // The lines of the program's own stay.
    fs::write(directory.path().join("bob"), identity_text("bob")).unwrap();
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/3.13.2/token-like/sealed.json"), &path).unwrap();
    let outcome = run(command(&["decrypt", NAME]).env("SOPS_AGE_KEY_FILE", "bob"));
    assert!(outcome.stderr.contains("the file is for:\n  age age1"), "{}", outcome.stderr);
    assert!(outcome.stderr.starts_with(r"sopskit: x\u{1b}[2Jy\u{a}sopskit: forged.json: "), "{}", outcome.stderr);
    assert_plain(&["decrypt", "a.json", NAME], 1);
}
