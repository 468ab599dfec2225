//! The commands around a file at the command line: keygen, inspect, check, exec-env, exec-file, diff, textconv, doctor, completion, man.
#![cfg(all(feature = "cli", unix))]

mod support;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use sopskit::Identities;
use support::tokens::{chmod, mode};
use support::{FIXTURES, identity_text, names, public_key, read};
use tempfile::TempDir;

const SEALED: &str = "secrets.enc.json";

struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Place { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(place.path("tmp")).unwrap();
        place.put(SEALED, &read(format!("{FIXTURES}/3.13.2/token-like/sealed.json")));
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn put(&self, name: &str, content: &[u8]) {
        fs::write(self.path(name), content).unwrap();
    }

    /// `sopskit` with alice's key, in this folder, and nothing else of the environment.
    fn sopskit(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sopskit"));
        command.env_clear().env("SOPS_AGE_KEY_FILE", format!("{FIXTURES}/keys/alice.txt")).env("PATH", "/usr/bin:/bin");
        command.env("TMPDIR", self.path("tmp")).env("HOME", self.folder.path()).current_dir(self.folder.path());
        command.args(args).stdin(std::process::Stdio::null());
        command
    }

    #[track_caller]
    fn run(&self, code: i32, args: &[&str]) -> (String, String) {
        outcome(code, &mut self.sopskit(args))
    }

    /// An encrypted file with this plaintext.
    fn seal(&self, name: &str, plain: &str) {
        self.put("plain.json", plain.as_bytes());
        self.run(0, &["encrypt", "--age", &public_key("alice"), "--output", name, "plain.json"]);
    }

    #[track_caller]
    fn nothing_is_left(&self) {
        assert_eq!(names(&self.path("tmp")), [""; 0]);
    }
}

#[track_caller]
fn outcome(code: i32, command: &mut Command) -> (String, String) {
    let output = command.output().unwrap();
    let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(code), "{stdout}{stderr}");
    assert!(!stderr.contains("AGE-SECRET-KEY-1"), "{stderr}");
    (stdout, stderr)
}

// ------------------------------------------------------------------------------------------------------------ keygen

#[test]
fn a_new_identity_is_printed_or_written_and_never_over_another() {
    let place = Place::new();
    for (flags, secret) in [(&["keygen"][..], "AGE-SECRET-KEY-1"), (&["keygen", "--pq"], "AGE-SECRET-KEY-PQ-1")] {
        let (stdout, stderr) = {
            let output = place.sopskit(flags).output().unwrap();
            (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
        };
        let recipient = Identities::parse(&stdout).unwrap().recipients().next().unwrap().to_owned();
        assert!(
            stdout.starts_with("# created: ") && stdout.contains(&format!("\n# public key: {recipient}\n{secret}"))
        );
        assert_eq!(stderr, format!("Public key: {recipient}\n"), "as age-keygen says it");
    }
    let (stdout, stderr) = place.run(0, &["keygen", "-o", "keys.txt"]);
    let text = read(place.path("keys.txt"));
    let recipient = Identities::from_file(place.path("keys.txt")).unwrap().recipients().next().unwrap().to_owned();
    assert_eq!((stdout.as_str(), stderr), ("", format!("Public key: {recipient}\n")));
    assert_eq!(mode(&place.path("keys.txt")), 0o600);
    let (stdout, stderr) = place.run(3, &["keygen", "-o", "keys.txt"]);
    assert!(stdout.is_empty() && stderr.contains("keys.txt"), "{stderr}");
    assert_eq!(read(place.path("keys.txt")), text);
}

// --------------------------------------------------------------------------------------------------- inspect and check

#[test]
fn a_file_is_inspected_and_checked_without_a_key() {
    let place = Place::new();
    let keyless = |code, args: &[&str]| outcome(code, place.sopskit(args).env_remove("SOPS_AGE_KEY_FILE"));
    let (text, _) = keyless(0, &["inspect", SEALED]);
    for line in [
        "version:       sops 3.13.2",
        "rule:          unencrypted_suffix: _unencrypted",
        &format!("opens with:    age {}", public_key("alice")),
        "never sealed:  0 empty strings, 1 null",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line} in {text}");
    }
    let (json, _) = keyless(0, &["inspect", "--json", SEALED]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&json["threshold"], &json["has_mac"], &json["faults"]),
        (&1.into(), &true.into(), &serde_json::json!([]))
    );
    assert_eq!(json["key_groups"][0][0]["name"], public_key("alice"));
    assert_eq!(keyless(0, &["check", SEALED, SEALED]), (String::new(), String::new()));
}

#[test]
fn a_file_that_is_not_sound_is_told_by_path_and_exit_code() {
    let place = Place::new();
    let text = String::from_utf8(read(place.path(SEALED))).unwrap();
    place.put("edited.json", text.replacen('{', r#"{"password": "hunter2", "n": 5,"#, 1).as_bytes());
    place.put("plain.json", b"{\"password\": \"hunter2\"}");
    place.put("broken.json", b"{\"password\": \"hunter2");
    let (stdout, stderr) = place.run(1, &["check", SEALED, "edited.json", "plain.json", "broken.json", "missing.json"]);
    let lines: Vec<_> = stdout.lines().collect();
    assert_eq!(lines.len(), 5, "{stdout}");
    for (line, saying) in
        lines.iter().zip(["edited.json: ", "edited.json: ", "plain.json: ", "broken.json: ", "missing.json: "])
    {
        assert!(line.starts_with(saying), "{line}");
    }
    assert!(
        lines[0].contains(r#"at ["password"]"#) && lines[1].contains(r#"at ["n"]"#) && stderr.contains("4 of 5 files")
    );
    let (stdout, _) = place.run(1, &["inspect", "edited.json"]);
    assert!(stdout.contains("fault:") && !stdout.contains("hunter2"), "{stdout}");
    place.run(2, &["inspect", "missing.json"]);
    place.run(100, &["inspect"]);
    place.run(100, &["check"]);
}

// ---------------------------------------------------------------------------------------------- exec-env and exec-file

#[test]
fn a_command_has_the_values_as_variables_and_gives_its_exit_code() {
    let place = Place::new();
    place.seal("flat.enc.json", r#"{"S": "a b\nc", "I": 5, "B": true, "FROM_FILE": "yes"}"#);
    let (stdout, _) = place.run(0, &["exec-env", "flat.enc.json", "printf '%s|%s|%s|%s' \"$S\" $I $B $HOME"]);
    assert_eq!(stdout, format!("a b\nc|5|true|{}", place.folder.path().display()));
    let (stdout, _) =
        place.run(0, &["exec-env", "--pristine", "flat.enc.json", "echo \"$FROM_FILE$HOME$SOPS_AGE_KEY_FILE\""]);
    assert_eq!(stdout, "yes\n");
    assert_eq!(place.run(7, &["exec-env", "flat.enc.json", "exit 7"]), (String::new(), String::new()));
    let (stdout, _) = place.run(9, &["exec-env", "--same-process", "flat.enc.json", "echo $I; exit 9"]);
    assert_eq!(stdout, "5\n");
    place.run(255, &["exec-env", "flat.enc.json", "kill -9 $$"]);
    let mut command = place.sopskit(&["exec-env", "flat.enc.json", "echo $FROM_FILE"]);
    assert_eq!(outcome(0, command.env("FROM_FILE", "no")).0, "yes\n", "the file wins");
}

#[test]
fn what_cannot_be_a_variable_runs_no_command() {
    let place = Place::new();
    let (stdout, stderr) = place.run(4, &["exec-env", SEALED, "echo ran"]);
    assert!(stdout.is_empty() && stderr.contains("cannot be in a variable"), "{stderr}");
    place.run(1, &["exec-env", SEALED]);
    let (stdout, _) = outcome(128, place.sopskit(&["exec-env", SEALED, "echo ran"]).env_remove("SOPS_AGE_KEY_FILE"));
    assert_eq!(stdout, "");
}

#[test]
fn a_command_has_the_plaintext_in_a_pipe_or_a_private_file_that_is_gone_afterwards() {
    let place = Place::new();
    let (plain, _) = place.run(0, &["decrypt", SEALED]);
    assert_eq!(place.run(0, &["exec-file", SEALED, "cat {}"]).0, plain);
    let (stdout, _) = place.run(0, &["exec-file", SEALED, "test -p {} && basename {}"]);
    assert_eq!(stdout, "tmp-file\n");
    let (stdout, _) = place.run(
        0,
        &["exec-file", "--no-fifo", "--filename", "db.json", SEALED, "cat {}; stat -c '%a %n' {} $(dirname {})"],
    );
    let (shown, modes) = stdout.split_at(plain.len());
    assert_eq!(shown, plain);
    let modes: Vec<_> = modes.split_whitespace().collect();
    assert!(modes[0] == "600" && modes[1].ends_with("/db.json") && modes[2] == "700", "{modes:?}");
    assert_eq!(place.run(5, &["exec-file", "--no-fifo", SEALED, "exit 5"]).0, "");
    for name in ["../x", "/x", "a/b", "", "."] {
        assert_eq!(place.run(1, &["exec-file", "--filename", name, SEALED, "echo ran"]).0, "", "{name}");
    }
    place.nothing_is_left();
}

#[test]
fn nothing_is_left_of_the_plaintext_when_the_program_is_told_to_end() {
    let place = Place::new();
    let marker = place.path("started");
    let line = format!("cp {{}} {0}.part; mv {0}.part {0}; sleep 30", marker.display());
    let mut child = place.sopskit(&["exec-file", "--no-fifo", SEALED, &line]).spawn().unwrap();
    while !marker.exists() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(85));
    place.nothing_is_left();
}

// -------------------------------------------------------------------------------------------------- diff and textconv

#[test]
fn a_diff_tells_key_paths_and_shows_values_only_when_asked() {
    let place = Place::new();
    place.seal("a.enc.json", r#"{"same": 1, "db": {"password": "old-secret"}, "gone": true}"#);
    fs::copy(place.path("a.enc.json"), place.path("b.enc.json")).unwrap();
    assert_eq!(place.run(0, &["diff", "--exit-code", "a.enc.json", "b.enc.json"]).0, "");
    place.run(0, &["set", "b.enc.json", r#"["db"]["password"]"#, r#""new-secret""#]);
    place.run(0, &["unset", "b.enc.json", r#"["gone"]"#]);
    place.run(0, &["set", "b.enc.json", r#"["list"][0]"#, "1.5"]);
    place.run(0, &["rotate", "-i", "--add-age", &public_key("bob"), "b.enc.json"]);
    let (text, _) = place.run(0, &["diff", "a.enc.json", "b.enc.json"]);
    let expected = format!(
        "--- a.enc.json\n+++ b.enc.json\n+ sops: age {}\n~ [\"db\"][\"password\"]: a string is now a string\n- [\"gone\"]: a boolean\n+ [\"list\"][0]: a number\n",
        public_key("bob")
    );
    assert_eq!(text, expected);
    let (text, _) = place.run(1, &["diff", "--show", "--exit-code", "a.enc.json", "b.enc.json"]);
    assert!(text.contains(r#"~ ["db"]["password"]: "old-secret" is now "new-secret""#), "{text}");
    assert!(text.contains(r#"+ ["list"][0]: 1.5"#), "{text}");
    place.run(100, &["diff", "a.enc.json"]);
}

#[test]
fn git_shows_which_values_changed_and_no_value() {
    let place = Place::new();
    let git = |args: &[&str]| {
        let mut command = Command::new("git");
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", place.folder.path())
            .current_dir(place.folder.path());
        let output = command.args(args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    place.put("plain-secret.enc.json", b"{\"password\": \"still-in-clear\"}\n");
    place.seal("a.enc.json", r#"{"same": "s1-secret", "password": "s2-secret", "list": ["x", 5]}"#);
    place.put(".gitattributes", b"*.enc.json diff=sopskit\n");
    git(&["init", "-q"]);
    git(&["config", "diff.sopskit.textconv", &format!("{} textconv", env!("CARGO_BIN_EXE_sopskit"))]);
    git(&["-c", "user.name=a", "-c", "user.email=a@example.com", "add", "."]);
    git(&["-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-qm", "x"]);
    place.run(0, &["set", "a.enc.json", r#"["password"]"#, r#""s3-secret""#]);
    let diff = git(&["diff", "-U0"]);
    let changed: Vec<_> = diff.lines().filter(|line| line.starts_with(['+', '-'])).skip(2).collect();
    assert_eq!(changed.len(), 2, "{diff}");
    assert!(changed.iter().all(|line| line[1..].starts_with(r#"["password"]: encrypted str "#)), "{diff}");
    assert!(!diff.contains("secret\""), "{diff}");
    let (shown, _) = place.run(0, &["textconv", "--show", "a.enc.json"]);
    assert!(shown.contains("[\"password\"]: \"s3-secret\"\n") && shown.contains("[\"list\"][1]: 5\n"), "{shown}");
    assert_eq!(place.run(0, &["textconv", "plain-secret.enc.json"]).0, "{\"password\": \"still-in-clear\"}\n");
}

// ------------------------------------------------------------------------------------------------------------- doctor

#[test]
fn the_doctor_answers_1_when_something_is_bad_and_mends_it_when_told_to() {
    let place = Place::new();
    let doctor = |code, args: &[&str]| {
        let mut command = place.sopskit(&["doctor"]);
        outcome(code, command.args(args).env_remove("SOPS_AGE_KEY_FILE").env("PATH", "")).0
    };
    let text = doctor(1, &[]);
    assert!(text.contains("✗ identities  there is no identity") && text.contains("→ sopskit keygen -o"), "{text}");
    assert!(!text.contains('\x1b'), "colours are for terminals");
    // Without an answer nothing is done.
    doctor(1, &["--fix"]);
    assert!(!place.path(".config").exists());
    let text = doctor(0, &["--fix", "--yes"]);
    assert!(text.contains("! config"), "{text}");
    doctor(0, &["--fix", "--yes"]);
    let text = doctor(0, &["new.json"]);
    assert!(!text.contains(['!', '✗']) && text.contains("✓ file"), "{text}");
    chmod(&place.path(".config/sops/age/keys.txt"), 0o644);
    let json: serde_json::Value = serde_json::from_str(&doctor(1, &["--json"])).unwrap();
    serde_json::from_str::<serde_json::Value>(&doctor(1, &["--json", "--fix"])).expect("one document");
    let bad: Vec<_> = json["findings"].as_array().unwrap().iter().filter(|found| found["verdict"] == "bad").collect();
    assert_eq!((bad.len(), &bad[0]["topic"]), (1, &"key-files".into()));
    assert!(bad[0]["fix"].as_str().unwrap().starts_with("chmod 600"), "{json}");
}

// ------------------------------------------------------------------------------------------- help, man, errors, verbose

/// The names of all commands, as the help lists them.
fn commands(place: &Place) -> Vec<String> {
    let (help, _) = place.run(0, &["--help"]);
    let list = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap().to_owned();
    let name = |line: &str| {
        line.strip_prefix("  ").filter(|line| !line.starts_with(' '))?.split(' ').next().map(str::to_owned)
    };
    list.lines().filter_map(name).filter(|name| name != "help").collect()
}

#[test]
fn every_command_has_help_with_an_example_a_page_and_completions() {
    let place = Place::new();
    let commands = commands(&place);
    assert!(commands.len() >= 21, "{commands:?}");
    for command in &commands {
        let (help, _) = place.run(0, &[command, "--help"]);
        assert!(help.contains("Example: sopskit ") || help.contains("To install it"), "{command}: {help}");
        let (page, _) = place.run(0, &["man", command]);
        assert!(
            page.contains(".SH SYNOPSIS") && page.contains(&format!("sopskit\\-{}", command.replace('-', "\\-"))),
            "{page}"
        );
    }
    assert!(place.run(0, &["man"]).0.contains(".SH SUBCOMMANDS"));
    place.run(1, &["man", "nothing"]);
    for (shell, saying) in [("bash", "complete -F"), ("zsh", "#compdef sopskit"), ("fish", "complete -c sopskit")] {
        let (script, _) = place.run(0, &["completion", shell]);
        assert!(script.contains(saying) && commands.iter().all(|command| script.contains(command.as_str())), "{shell}");
    }
    place.run(1, &["completion", "tcsh"]);
}

#[test]
fn an_error_says_what_is_wrong_and_then_what_to_do() {
    let place = Place::new();
    place.put("plain.json", b"{}");
    let text = String::from_utf8(read(place.path(SEALED))).unwrap();
    place.put("edited.json", text.replacen('{', r#"{"x_unencrypted": "hunter2","#, 1).as_bytes());
    for (code, args, what, hint) in [
        (1, &["decrypt", "plain.json"][..], "plain.json: no \"sops\" metadata", "sopskit encrypt -i"),
        (203, &["encrypt", "--age", &public_key("alice"), SEALED], "top-level key \"sops\"", "sopskit edit"),
        (51, &["decrypt", "edited.json"], "edited.json: the content does not fit the MAC", "--ignore-mac"),
        (111, &["encrypt", "--age", "", "plain.json"], "no recipient", "sopskit keygen"),
    ] {
        let (stdout, stderr) = place.run(code, args);
        let lines: Vec<_> = stderr.lines().collect();
        assert!(stdout.is_empty() && lines.len() == 2, "{stderr}");
        assert!(lines[0].starts_with("sopskit: ") && lines[0].contains(what), "{stderr}");
        assert!(lines[1].starts_with("hint: ") && lines[1].contains(hint), "{stderr}");
    }
}

#[test]
fn verbose_tells_what_is_used_and_no_secret() {
    let place = Place::new();
    fs::write(place.path(".sops.yaml"), format!("creation_rules: [{{age: {}}}]", public_key("alice"))).unwrap();
    place.put("plain.json", b"{\"password\": \"hunter2\"}");
    let (_, stderr) = place.run(0, &["encrypt", "--verbose", "plain.json"]);
    assert!(stderr.contains(".sops.yaml") && stderr.contains("rule 1"), "{stderr}");
    let mut command = place.sopskit(&["--verbose", "decrypt", SEALED]);
    let key = identity_text("bob");
    let secret = key.lines().last().unwrap();
    let (_, stderr) = outcome(0, command.env("SOPS_AGE_KEY", secret));
    assert!(stderr.contains("SOPS_AGE_KEY_FILE") && stderr.contains(&public_key("alice")), "{stderr}");
    assert!(
        !stderr.contains("hunter2") && !stderr.contains("SECRET-KEY") && !stderr.contains(&secret[20..30]),
        "{stderr}"
    );
    let (_, stderr) = place.run(0, &["decrypt", SEALED]);
    assert_eq!(stderr, "");
}

#[test]
fn an_output_type_counts_only_when_something_is_written() {
    let place = Place::new();
    place.seal("a.enc.json", r#"{"b": "ba"}"#);
    let set = |code, value: &str| {
        place.run(code, &["set", "--output-type", "yaml", "--idempotent", "a.enc.json", r#"["b"]"#, value])
    };
    set(0, r#""ba""#);
    let before = read(place.path("a.enc.json"));
    set(1, r#""changed""#);
    assert_eq!(read(place.path("a.enc.json")), before);
}

#[test]
fn nothing_of_a_file_moves_the_cursor_or_forges_a_line() {
    let place = Place::new();
    let text = String::from_utf8(read(place.path(SEALED))).unwrap();
    let rule = text.replace("\"_unencrypted\"", r#""_u\u001b[31m\nMAC:           verified""#);
    place.put("rule.json", rule.as_bytes());
    let leaf = r#""x_unencrypted": "a\u009b31m\u202eb\u007f", "y": "ENC[AES256_GCM,data:,iv:,tag:\u001b]52;c,type:\u001b[31m]","#;
    place.put("leaf.json", text.replacen('{', &format!("{{{leaf}"), 1).as_bytes());
    for args in [
        &["inspect", "rule.json"][..],
        &["textconv", "rule.json"],
        &["textconv", "leaf.json"],
        &["inspect", "leaf.json"],
        &["check", "leaf.json"],
    ] {
        let output = place.sopskit(args).output().unwrap();
        let shown = String::from_utf8(output.stdout).unwrap();
        let moves = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
        assert!(
            !shown.contains(moves) && !shown.lines().any(|line| line == "MAC:           verified"),
            "{args:?}: {shown:?}"
        );
        assert!(!shown.is_empty());
    }
}

#[test]
fn a_reader_that_closes_early_is_no_failure() {
    let place = Place::new();
    let members: String = (0..3000).map(|number| format!("\"k{number}\": \"in clear\",")).collect();
    let text = String::from_utf8(read(place.path(SEALED))).unwrap();
    place.put("many.json", text.replacen('{', &format!("{{{members}"), 1).as_bytes());
    let line = format!("{} check many.json many.json many.json | head -1", env!("CARGO_BIN_EXE_sopskit"));
    let output = Command::new("sh").args(["-c", &line]).current_dir(place.folder.path()).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(!stderr.contains("panicked"), "{stderr}");
}

#[test]
fn a_hostile_file_cannot_make_the_output_large() {
    let place = Place::new();
    let text = String::from_utf8(read(place.path(SEALED))).unwrap();
    let long = "k".repeat(300_000);
    let leaves: Vec<_> = (0..3000).map(|number| format!("\"{number}\": 1")).collect();
    place.put("long.json", text.replacen('{', &format!("{{\"{long}\": {{{}}},", leaves.join(",")), 1).as_bytes());
    for command in ["inspect", "check", "textconv"] {
        let output = place.sopskit(&[command, "long.json"]).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{command}");
        assert!(output.stdout.len() + output.stderr.len() < 100_000, "{command}: {}", output.stdout.len());
    }
    place.seal("wide.enc.json", r#"{"a": {"b": {"c": [1, 2, 3]}}}"#);
    let wide = String::from_utf8(read(place.path("wide.enc.json"))).unwrap().replacen(
        "{\n\t",
        &format!("{{\n{}", " ".repeat(255)),
        1,
    );
    place.put("wide.enc.json", wide.as_bytes());
    place.run(0, &["set", "wide.enc.json", r#"["z"]"#, "1"]);
    assert!(read(place.path("wide.enc.json")).len() < 4000);
}

#[test]
fn files_of_others_in_the_temporary_folder_are_not_overwritten() {
    let place = Place::new();
    place.put("precious", b"precious");
    let line = format!("ln {} $(dirname {{}})/x", place.path("precious").display());
    place.run(0, &["exec-file", "--no-fifo", SEALED, &line]);
    assert_eq!(read(place.path("precious")), b"precious");
    place.nothing_is_left();
}

#[test]
fn a_program_is_told_to_end_before_it_is_ended() {
    let place = Place::new();
    let marker = place.path("started");
    let line =
        format!("trap 'echo told > {0}.told; exit' TERM; echo > {0}; while :; do sleep 0.02; done", marker.display());
    let mut child = place.sopskit(&["exec-file", "--no-fifo", SEALED, &line]).spawn().unwrap();
    while !marker.exists() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(85));
    assert!(place.path("started.told").exists());
    place.nothing_is_left();
}

#[test]
fn the_doctor_mends_files_only_and_goes_on_when_one_thing_fails() {
    let place = Place::new();
    let doctor = |key_file: &std::path::Path| {
        let mut command = place.sopskit(&["doctor", "--fix", "--yes"]);
        command.env("SOPS_AGE_KEY_FILE", key_file).env("PATH", "").output().unwrap()
    };
    fs::create_dir(place.path("folder")).unwrap();
    chmod(&place.path("folder"), 0o755);
    doctor(&place.path("folder"));
    assert_eq!(mode(&place.path("folder")), 0o755);
    let before = mode(std::path::Path::new("/dev/null"));
    doctor(std::path::Path::new("/dev/null"));
    assert_eq!(mode(std::path::Path::new("/dev/null")), before);
    // Behind a link it is the file that is mended.
    place.put("real.txt", identity_text("alice").as_bytes());
    chmod(&place.path("real.txt"), 0o644);
    std::os::unix::fs::symlink(place.path("real.txt"), place.path("link.txt")).unwrap();
    let output = doctor(&place.path("link.txt"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(mode(&place.path("real.txt")), 0o600);
}
