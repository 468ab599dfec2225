//! The commands that change a file keep what sops promises: flags, output, exit codes.
#![cfg(all(feature = "cli", unix))]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use assert_cmd::Command;
use sopskit::{Document, EncryptedDocument, Format};
use support::{FIXTURES, identities, public_key, read};
use tempfile::TempDir;

struct Place {
    directory: TempDir,
    file: PathBuf,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("secrets.enc.json");
        fs::copy(format!("{FIXTURES}/3.13.2/token-like/sealed.json"), &file).unwrap();
        fs::create_dir(directory.path().join("tmp")).unwrap();
        Place { directory, file }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// `sopskit` with alice's key, in this folder, and nothing else of the environment.
    fn sopskit(&self) -> Command {
        let mut command = Command::cargo_bin("sopskit").unwrap();
        command.env_clear().env("SOPS_AGE_KEY_FILE", format!("{FIXTURES}/keys/alice.txt"));
        command.env("TMPDIR", self.path("tmp")).env("PATH", "/usr/bin:/bin").current_dir(self.directory.path());
        command
    }

    #[track_caller]
    fn run(&self, code: i32, args: &[&str]) -> (String, String) {
        self.outcome(code, self.sopskit().args(args))
    }

    #[track_caller]
    fn outcome(&self, code: i32, command: &mut Command) -> (String, String) {
        let output = command.output().unwrap();
        let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert_eq!(output.status.code(), Some(code), "{stderr}");
        assert!(!stderr.contains("AGE-SECRET-KEY"), "{stderr}");
        (stdout, stderr)
    }

    #[track_caller]
    fn open(&self, who: &str) -> Document {
        EncryptedDocument::parse(&read(&self.file)).unwrap().decrypt(&identities(who)).unwrap()
    }

    /// An editor that runs these shell commands, with the file as `$1`.
    fn editor(&self, script: &str) -> String {
        let path = self.path("editor");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// The text of an edit that was kept.
    #[track_caller]
    fn kept(&self, name: &str) -> Vec<u8> {
        let kept = EncryptedDocument::parse(&read(self.path(name))).unwrap().decrypt(&identities("alice")).unwrap();
        kept.to_bytes(Format::Binary).unwrap().to_vec()
    }

    #[track_caller]
    fn assert_no_plaintext_left(&self) {
        assert_eq!(fs::read_dir(self.path("tmp")).unwrap().count(), 0, "a temporary file is left");
    }
}

const FILE: &str = "secrets.enc.json";

#[test]
fn set_takes_its_value_from_the_argument_a_file_or_standard_input() {
    let place = Place::new();
    fs::write(place.path("value"), "\"from a file\"\n").unwrap();
    place.run(0, &["set", FILE, r#"["a"]["b"]"#, r#"{"c": [1, "x"]}"#]);
    place.run(0, &["set", "--value-file", FILE, r#"["f"]"#, "value"]);
    place.outcome(0, place.sopskit().args(["set", "--value-stdin", FILE, r#"["s"]"#]).write_stdin("\"from stdin\""));
    let document = place.open("alice");
    assert_eq!(document.get(r#"["a"]["b"]["c"][1]"#).unwrap().as_str(), Some("x"));
    assert_eq!(document.get(r#"["f"]"#).unwrap().as_str(), Some("from a file"));
    assert_eq!(document.get(r#"["s"]"#).unwrap().as_str(), Some("from stdin"));
}

#[test]
fn idempotent_writes_nothing_when_there_is_nothing_to_do() {
    let place = Place::new();
    let before = read(&place.file);
    let account = place.open("alice").get(r#"["extra"]["account"]"#).unwrap().as_str().unwrap().to_owned();
    let account = format!("{account:?}");
    place.run(0, &["set", "--idempotent", FILE, r#"["extra"]["account"]"#, &account]);
    place.run(0, &["unset", "--idempotent", FILE, r#"["missing"]"#]);
    assert_eq!(read(&place.file), before);
    place.run(0, &["set", FILE, r#"["extra"]["account"]"#, &account]);
    assert_ne!(read(&place.file), before, "sops writes a new MAC all the same");
    place.run(0, &["unset", "--idempotent", FILE, r#"["extra"]["account"]"#]);
    place.run(1, &["unset", FILE, r#"["extra"]["account"]"#]);
}

/// Arguments and the exit code of sops.
const FAILURES: [(&[&str], i32); 24] = [
    (&["set", "missing.json", r#"["a"]"#, "1"], 2),
    (&["set", FILE, r#"["a"]"#], 100),
    (&["set", "--value-stdin", FILE, r#"["a"]"#, "1"], 100),
    (&["set", "--value-stdin", "--value-file", FILE, r#"["a"]"#], 1),
    (&["set", FILE, r#"["a""#, "1"], 7),
    (&["set", FILE, "", "1"], 7),
    (&["set", FILE, r#"["a"]"#, "hunter2"], 7),
    (&["set", FILE, r#"["a"]"#, "1 2"], 7),
    (&["set", FILE, r#"["a"]"#, "100000000000000000001"], 7),
    (&["unset", "missing.json", r#"["a"]"#], 2),
    (&["unset", FILE], 100),
    (&["unset", FILE, r#"["a""#], 7),
    (&["unset", FILE, r#"["scope"][9]"#], 1),
    (&["rotate"], 100),
    (&["rotate", "-i", "missing.json"], 2),
    (&["rotate", "-i", "--output", "x", FILE], 8),
    (&["rotate", "-i", "--add-age", "age1x", "missing.json"], 49),
    (&["rotate", "-i", "--add-age", "age1x", FILE], 1),
    (&["updatekeys", "-y", FILE], 61),
    (&["filestatus"], 100),
    (&["filestatus", "missing.json"], 1),
    (&["groups", "delete", "--file", FILE], 1),
    (&["groups", "delete", "--file", FILE, "7"], 1),
    (&["edit"], 100),
];

#[test]
fn failures_have_the_exit_codes_of_sops_and_change_nothing() {
    let place = Place::new();
    let before = read(&place.file);
    for (args, code) in FAILURES {
        let (stdout, stderr) = place.run(code, args);
        assert!(stdout.is_empty() && stderr.starts_with("sopskit: "), "{args:?}: {stdout} {stderr}");
        assert!(!stderr.contains("hunter2"), "{stderr}");
    }
    assert_eq!(read(&place.file), before);
}

#[test]
fn rotate_takes_a_new_data_key_and_changes_recipients() {
    let place = Place::new();
    let before = read(&place.file);
    let (stdout, _) = place.run(0, &["rotate", FILE]);
    assert_eq!(read(&place.file), before, "without -i it prints");
    assert_eq!(stdout.lines().filter(|line| line.contains("ENC[")).count(), 11);
    for form in [&["rotate", "-i", "--add-age"][..], &["-r", "-i", "--add-age"]] {
        place.run(0, &[form, &[public_key("bob").as_str(), FILE]].concat());
        place.open("bob");
    }
    let old_leaf = place.open("alice").encrypt().unwrap();
    place.run(0, &["rotate", "-i", "--rm-age", &public_key("bob"), FILE]);
    assert_eq!(place.open("alice").metadata().recipients().count(), 1);
    let new = EncryptedDocument::parse(&read(&place.file)).unwrap();
    assert!(new.decrypt(&identities("bob")).is_err());
    assert_ne!(new.tree().get("access_token"), old_leaf.tree().get("access_token"));
    place.run(111, &["rotate", "-i", "--rm-age", &public_key("alice"), FILE]);
    let (_, stderr) = place.run(0, &["rotate", "-i", "--rm-age", &public_key("carol"), FILE]);
    assert!(stderr.contains(&public_key("carol")), "a key that is not there is not removed silently: {stderr}");
}

#[test]
fn updatekeys_shows_what_changes_and_asks() {
    let place = Place::new();
    let (alice, bob) = (public_key("alice"), public_key("bob"));
    let config =
        |keys: &str| fs::write(place.path(".sops.yaml"), format!("creation_rules: [{{age: '{keys}'}}]")).unwrap();
    config(&format!("{alice},{bob}"));
    let before = read(&place.file);
    let ask = |answer: &str, code| place.outcome(code, place.sopskit().args(["updatekeys", FILE]).write_stdin(answer));
    let (stdout, stderr) = ask("n\n", 0);
    let expected = format!(
        "The following changes will be made to the file's groups:\nGroup 1\n    age {alice}\n+++ age {bob}\nIs this okay? (y/n):"
    );
    assert_eq!(stdout, expected);
    assert!(stderr.ends_with("left unchanged\n"), "{stderr}");
    ask("", 1);
    assert_eq!(read(&place.file), before);
    ask("what\ny\n", 0);
    place.open("bob");
    let (stdout, stderr) = place.run(0, &["updatekeys", "-y", FILE]);
    assert_eq!(stdout, "");
    assert!(stderr.ends_with("already up to date\n"), "{stderr}");
    config(&bob);
    let (_, stderr) = place.run(0, &["updatekeys", "--yes", FILE]);
    assert!(stderr.contains("rotate"), "who removes somebody is told that the data key stays: {stderr}");
    assert!(EncryptedDocument::parse(&read(&place.file)).unwrap().decrypt(&identities("alice")).is_err());
}

#[test]
fn groups_are_added_and_deleted() {
    let place = Place::new();
    let bob = public_key("bob");
    let before = read(&place.file);
    place.run(0, &["groups", "add", "--file", FILE, "--age", &bob]);
    assert_eq!(read(&place.file), before, "without -i it prints");
    place.run(0, &["groups", "add", "-i", "--file", FILE, "--age", &bob]);
    let sealed = EncryptedDocument::parse(&read(&place.file)).unwrap();
    assert_eq!((sealed.metadata().key_groups().len(), sealed.metadata().shamir_threshold()), (2, 2));
    assert!(sealed.decrypt(&identities("alice")).is_err(), "one group is not enough");
    let both = place.path("both.txt");
    fs::write(&both, [read(format!("{FIXTURES}/keys/alice.txt")), read(format!("{FIXTURES}/keys/bob.txt"))].concat())
        .unwrap();
    let delete = |code, args: &[&str]| {
        place.outcome(
            code,
            place.sopskit().env("SOPS_AGE_KEY_FILE", &both).args(["groups", "delete", "-i", "-f", FILE]).args(args),
        )
    };
    delete(1, &["0"]); // two groups are needed, and one would be left
    delete(0, &["0", "--shamir-secret-sharing-threshold", "1"]);
    assert_eq!(place.open("bob").metadata().recipients().collect::<Vec<_>>(), [bob]);
}

#[test]
fn filestatus_tells_encrypted_files_from_others() {
    let place = Place::new();
    assert_eq!(place.run(0, &["filestatus", FILE]).0, "{\"encrypted\":true}\n");
    fs::write(place.path("plain.json"), r#"{"a": 1}"#).unwrap();
    assert_eq!(place.run(0, &["filestatus", "plain.json"]).0, "{\"encrypted\":false}\n");
}

#[test]
fn edit_gives_a_private_file_to_the_editor_and_keeps_what_did_not_change() {
    let place = Place::new();
    let before = EncryptedDocument::parse(&read(&place.file)).unwrap();
    let editor = place.editor(
        r#"stat -c '%a' "$1" "$(dirname "$1")" > modes; cp "$1" seen; sed -i 's/"verified": true/"verified": false/' "$1""#,
    );
    place.outcome(
        0,
        place.sopskit().env("EDITOR", "false").env("SOPS_EDITOR", format!("'{editor}'")).args(["edit", FILE]),
    );
    assert_eq!(fs::read_to_string(place.path("modes")).unwrap(), "600\n700\n");
    assert_eq!(read(place.path("seen")), read(format!("{FIXTURES}/3.13.2/token-like/decrypted.json")));
    let after = EncryptedDocument::parse(&read(&place.file)).unwrap();
    assert_eq!(place.open("alice").get(r#"["extra"]["verified"]"#).unwrap().as_bool(), Some(false));
    assert_eq!(before.tree().get("access_token"), after.tree().get("access_token"));
    place.assert_no_plaintext_left();
}

#[test]
fn edit_says_when_nothing_changed_and_when_there_is_no_editor() {
    let place = Place::new();
    let before = read(&place.file);
    for (editor, code) in [("true", 200), ("false", 201), ("no-such-editor", 201), ("'", 201)] {
        place.outcome(code, place.sopskit().env("EDITOR", editor).args(["edit", FILE]));
    }
    place.outcome(201, place.sopskit().env("PATH", "/nowhere").args(["edit", FILE]));
    assert_eq!(read(&place.file), before);
    place.assert_no_plaintext_left();
}

#[test]
fn a_broken_edit_is_offered_again_and_never_lost() {
    let place = Place::new();
    // The first time the file is broken, the second time it is mended.
    let editor = place.editor(
        r#"if [ -e broken ]; then printf '{"mended": "%s"}' "$(head -c 5 "$1")" > "$1"; else touch broken; echo 'hello' > "$1"; fi"#,
    );
    let mut edit = place.sopskit();
    let (_, stderr) = place.outcome(0, edit.env("EDITOR", &editor).args(["edit", FILE]).write_stdin("\n"));
    assert!(stderr.contains("line 1") && stderr.contains("Press enter"), "{stderr}");
    assert_eq!(
        place.open("alice").get(r#"["mended"]"#).unwrap().as_str(),
        Some("hello"),
        "the broken text was there again"
    );
    // Without anybody to ask the text is kept, encrypted.
    let editor = place.editor(r#"echo 'no json: hunter2' > "$1""#);
    let (_, stderr) = place.outcome(2, place.sopskit().env("EDITOR", &editor).args(["edit", FILE]).write_stdin(""));
    assert!(stderr.contains(".rejected-1") && !stderr.contains("hunter2"), "{stderr}");
    let kept = EncryptedDocument::parse(&read(place.path("secrets.enc.json.rejected-1"))).unwrap();
    let kept = kept.decrypt(&identities("alice")).unwrap().to_bytes(Format::Binary).unwrap();
    assert_eq!(*kept, *b"no json: hunter2\n");
    place.assert_no_plaintext_left();
}

#[test]
fn what_others_write_while_an_editor_is_open_stays() {
    let place = Place::new();
    let bin = assert_cmd::cargo::cargo_bin("sopskit");
    let set = |value: &str| format!("{} set {FILE} '[\"extra\"][\"account\"]' '\"{value}\"'", bin.display());
    let mine = r#"sed -i 's/"verified": true/"verified": false/' "$1""#;
    let editor = place.editor(&format!("{}; {mine}", set("theirs")));
    place.outcome(0, place.sopskit().env("EDITOR", &editor).args(["edit", FILE]));
    let document = place.open("alice");
    assert_eq!(document.get(r#"["extra"]["account"]"#).unwrap().as_str(), Some("theirs"));
    assert_eq!(document.get(r#"["extra"]["verified"]"#).unwrap().as_bool(), Some(false));
    // Both change one value: nothing is lost, and somebody must choose.
    let mine = r#"sed -i 's/"account": "[^"]*"/"account": "mine"/' "$1""#;
    let editor = place.editor(&format!("{}; {mine}", set("theirs again")));
    let (_, stderr) = place.outcome(1, place.sopskit().env("EDITOR", &editor).args(["edit", FILE]).write_stdin(""));
    assert!(stderr.contains(r#"["extra"]["account"]"#) && stderr.contains(".rejected-1"), "{stderr}");
    assert_eq!(place.open("alice").get(r#"["extra"]["account"]"#).unwrap().as_str(), Some("theirs again"));
    place.assert_no_plaintext_left();
}

#[test]
fn edit_makes_a_file_that_is_not_there() {
    let place = Place::new();
    let editor = place.editor(r#"grep -q Welcome "$1" && echo '{"new": "file"}' > "$1""#);
    let mut edit = place.sopskit();
    place.outcome(0, edit.env("EDITOR", &editor).args(["edit", "--age", &public_key("bob"), "new.json"]));
    let sealed = EncryptedDocument::parse(&read(place.path("new.json"))).unwrap();
    assert_eq!(sealed.decrypt(&identities("bob")).unwrap().get(r#"["new"]"#).unwrap().as_str(), Some("file"));
    place.outcome(200, place.sopskit().env("EDITOR", "true").args(["edit", "-a", &public_key("bob"), "other.json"]));
    assert!(!place.path("other.json").exists());
    place.outcome(111, place.sopskit().env("EDITOR", "true").args(["edit", "other.json"]));
}

/// `sopskit edit` with this editor, at work, as the head of a process group of its own.
fn editing(place: &Place, editor: &str) -> std::process::Child {
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin("sopskit"));
    command.env_clear().env("SOPS_AGE_KEY_FILE", format!("{FIXTURES}/keys/alice.txt"));
    command.env("TMPDIR", place.path("tmp")).env("PATH", "/usr/bin:/bin").env("EDITOR", editor);
    command.args(["edit", FILE]).current_dir(place.directory.path()).stdin(Stdio::null());
    let child = std::os::unix::process::CommandExt::process_group(&mut command, 0).spawn().unwrap();
    wait_for(&place.path("open"));
    child
}

fn kill(signal: &str, target: &str) {
    let kill = std::process::Command::new("/bin/kill").args(["-s", signal, "--", target]).status();
    assert!(kill.unwrap().success());
}

#[test]
fn a_signal_wipes_and_removes_what_the_editor_had() {
    // Ctrl-C goes to the editor too, and ends this one; kill(1) sends to one process.
    for (signal, group) in [("INT", "-"), ("TERM", ""), ("HUP", ""), ("TERM", "-")] {
        let place = Place::new();
        let before = read(&place.file);
        let editor = place.editor(r#"ln "$1" kept; cp "$1" "$1~"; touch open; exec sleep 30"#);
        let mut child = editing(&place, &editor);
        kill(signal, &format!("{group}{}", child.id()));
        assert_eq!(child.wait().unwrap().code(), Some(85), "SIG{signal}");
        place.assert_no_plaintext_left();
        assert!(read(place.path("kept")).iter().all(|byte| *byte == 0), "the file was removed but not wiped");
        assert_eq!(read(&place.file), before);
    }
}

#[test]
fn an_editor_that_takes_ctrl_c_for_itself_goes_on() {
    let place = Place::new();
    let editor = place.editor(
        r#"trap 'touch caught' INT; touch open; while [ ! -e caught ]; do sleep 0.05; done; echo '{"after": 1}' > "$1""#,
    );
    let mut child = editing(&place, &editor);
    kill("INT", &format!("-{}", child.id()));
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(place.open("alice").get(r#"["after"]"#).unwrap().as_i64(), Some(1));
    place.assert_no_plaintext_left();
}

#[test]
fn a_kept_edit_is_encrypted_whatever_the_rule_of_the_file() {
    let place = Place::new();
    fs::copy(format!("{FIXTURES}/3.13.2/rule-encrypted-regex-none/sealed.json"), &place.file).unwrap();
    let editor = place.editor(r#"echo 'no json: hunter2' > "$1""#);
    place.outcome(2, place.sopskit().env("EDITOR", &editor).args(["edit", FILE]).write_stdin(""));
    let kept = read(place.path("secrets.enc.json.rejected-1"));
    assert!(!String::from_utf8(kept.clone()).unwrap().contains("hunter2"));
    let kept = EncryptedDocument::parse(&kept).unwrap().decrypt(&identities("alice")).unwrap();
    assert_eq!(*kept.to_bytes(Format::Binary).unwrap(), *b"no json: hunter2\n");
}

#[test]
fn edit_leaves_numbers_and_comments_of_old_releases_alone() {
    for (fixture, key) in [("3.11.0/numbers", "new"), ("3.11.0/from-yaml-comments", "new")] {
        let place = Place::new();
        fs::copy(format!("{FIXTURES}/{fixture}/sealed.json"), &place.file).unwrap();
        let before = EncryptedDocument::parse(&read(&place.file)).unwrap();
        let editor = place.editor(&format!(r#"sed -i '1s/{{/{{"{key}": 1,/' "$1""#));
        place.outcome(0, place.sopskit().env("EDITOR", &editor).args(["edit", FILE]));
        let after = EncryptedDocument::parse(&read(&place.file)).unwrap();
        place.open("alice");
        assert!(after.tree().contains_key(key));
        for (name, value) in before.tree().iter() {
            assert_eq!(after.tree().get(name), Some(value), "{fixture} {name}");
        }
    }
}

#[track_caller]
fn wait_for(path: &Path) {
    let started = Instant::now();
    while !path.exists() {
        assert!(started.elapsed() < Duration::from_secs(20), "{} does not come", path.display());
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn git_merges_two_branches_by_the_driver() {
    let place = Place::new();
    let git = |code: i32, args: &[&str]| {
        let mut command = std::process::Command::new("git");
        command.args(["-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "init.defaultBranch=main"]).args(args);
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        command.env("SOPS_AGE_KEY_FILE", format!("{FIXTURES}/keys/alice.txt")).current_dir(place.directory.path());
        let output = command.output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8(said).unwrap();
        assert_eq!(output.status.code(), Some(code), "git {args:?}: {said}");
        said
    };
    let set = |key: &str, value: &str| {
        place.run(0, &["set", FILE, key, value]);
        git(0, &["commit", "-qam", "set"]);
    };
    git(0, &["init", "-q"]);
    fs::write(place.path(".gitattributes"), "*.enc.json merge=sopskit\n").unwrap();
    let driver = format!("{} merge-driver %O %A %B %P", assert_cmd::cargo::cargo_bin("sopskit").display());
    git(0, &["config", "merge.sopskit.driver", &driver]);
    git(0, &["add", FILE, ".gitattributes"]);
    git(0, &["commit", "-qm", "base"]);
    git(0, &["checkout", "-qb", "theirs"]);
    set(r#"["extra"]["account"]"#, "\"theirs\"");
    git(0, &["checkout", "-q", "main"]);
    set(r#"["token_type"]"#, "\"ours\"");
    git(0, &["merge", "-q", "theirs", "-m", "merged"]);
    let document = place.open("alice");
    assert_eq!(document.get(r#"["extra"]["account"]"#).unwrap().as_str(), Some("theirs"));
    assert_eq!(document.get(r#"["token_type"]"#).unwrap().as_str(), Some("ours"));
    git(0, &["checkout", "-q", "theirs"]);
    set(r#"["scope"][0]"#, "\"theirs\"");
    git(0, &["checkout", "-q", "main"]);
    set(r#"["scope"][0]"#, "\"ours\"");
    let said = git(1, &["merge", "-q", "theirs", "-m", "merged"]);
    assert!(said.contains(r#"["scope"][0]"#), "{said}");
    assert_eq!(place.open("alice").get(r#"["scope"][0]"#).unwrap().as_str(), Some("ours"), "the file still opens");
}

/// A standard error that nothing can be written to.
fn full() -> Stdio {
    fs::OpenOptions::new().write(true).open("/dev/full").unwrap().into()
}

#[test]
fn a_standard_error_that_cannot_be_written_changes_no_exit_code_and_loses_no_edit() {
    if !Path::new("/dev/full").exists() {
        let _ = std::io::Write::write_all(&mut std::io::stderr(), b"SKIPPED: there is no /dev/full\n");
        return;
    }
    let place = Place::new();
    let editor = place.editor(r#"echo 'no json: hunter2' > "$1""#);
    let cases: [(&[&str], i32); 6] = [
        (&["decrypt", "/nonexistent.json"], 100),
        (&["--verbose", "decrypt", FILE], 0),
        (&["decrypt", "--no-such-flag"], 1),
        (&["keygen", "-o", "new.txt"], 0),
        (&["rotate", "--rm-age", &public_key("carol"), FILE], 0),
        (&["edit", FILE], 2),
    ];
    for (args, code) in cases {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_sopskit"));
        command.env_clear().env("SOPS_AGE_KEY_FILE", format!("{FIXTURES}/keys/alice.txt")).env("EDITOR", &editor);
        command.env("TMPDIR", place.path("tmp")).env("PATH", "/usr/bin:/bin").current_dir(place.directory.path());
        command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(full());
        assert_eq!(command.status().unwrap().code(), Some(code), "{args:?}");
    }
    assert_eq!(place.kept("secrets.enc.json.rejected-1"), b"no json: hunter2\n");
}

/// An editor that leaves this, which is no JSON.
fn breaking(place: &Place, text: &str) -> String {
    place.editor(&format!(r#"echo '{text}' > "$1""#))
}

#[test]
fn each_rejected_edit_is_kept_in_a_private_file_of_its_own() {
    let place = Place::new();
    std::os::unix::fs::symlink("elsewhere", place.path("secrets.enc.json.rejected-2")).unwrap();
    for text in ["no json: first", "no json: second"] {
        let editor = breaking(&place, text);
        place.outcome(2, place.sopskit().env("EDITOR", &editor).args(["edit", FILE]).write_stdin(""));
    }
    for (name, text) in [("rejected-1", "no json: first\n"), ("rejected-3", "no json: second\n")] {
        let name = format!("secrets.enc.json.{name}");
        assert_eq!(place.kept(&name), text.as_bytes());
        assert_eq!(fs::metadata(place.path(&name)).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert!(!place.path("elsewhere").exists(), "it was written through a link");
}

#[test]
fn a_rejected_edit_of_a_file_with_a_long_name_is_kept_elsewhere() {
    let place = Place::new();
    let name = format!("{}.json", "n".repeat(240));
    fs::rename(&place.file, place.path(&name)).unwrap();
    let editor = breaking(&place, "no json: hunter2");
    let (_, stderr) = place.outcome(2, place.sopskit().env("EDITOR", &editor).args(["edit", &name]).write_stdin(""));
    let left = support::names(&place.path("tmp"));
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(stderr.contains(place.path("tmp").join(&left[0]).to_str().unwrap()), "{stderr}");
    assert_eq!(place.kept(&format!("tmp/{}", left[0])), b"no json: hunter2\n");
    let mode = fs::metadata(place.path("tmp").join(&left[0])).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_rejected_edit_that_no_file_can_take_is_printed_encrypted() {
    let place = Place::new();
    fs::write(place.path("plain.json"), r#"{"a": 1}"#).unwrap();
    place.run(0, &["encrypt", "--age", &public_key("alice"), "--output", FILE, "plain.json"]);
    let editor = breaking(&place, "no json: hunter2");
    // Files of one block: room for the plaintext, none for the rest.
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; ulimit -f 1; exec \"$0\" edit \"$1\"", env!("CARGO_BIN_EXE_sopskit"), FILE]);
    command.env_clear().env("SOPS_AGE_KEY_FILE", format!("{FIXTURES}/keys/alice.txt")).env("EDITOR", &editor);
    command.env("TMPDIR", place.path("tmp")).env("PATH", "/usr/bin:/bin").current_dir(place.directory.path());
    let (stdout, stderr) = place.outcome(2, command.write_stdin(""));
    assert!(stderr.contains("standard output") && !stdout.contains("hunter2"), "{stderr}");
    fs::write(place.path("printed.json"), stdout).unwrap();
    assert_eq!(place.kept("printed.json"), b"no json: hunter2\n");
    assert_eq!(support::names(place.directory.path()), ["editor", "plain.json", "printed.json", FILE, "tmp"]);
    place.assert_no_plaintext_left();
}

#[test]
fn a_rejected_edit_is_kept_while_somebody_is_asked_what_to_do() {
    let place = Place::new();
    // The second time, after enter, no copy is there, and the edit is a good one.
    let editor = place.editor(
        r#"if [ -e again ]; then ls > seen; echo '{"good": 1}' > "$1"; else touch again; echo 'no json' > "$1"; fi"#,
    );
    place.outcome(0, place.sopskit().env("EDITOR", &editor).args(["edit", FILE]).write_stdin("\n"));
    assert!(!fs::read_to_string(place.path("seen")).unwrap().contains("rejected"), "the copy was not removed");
    // Whoever gives up at the question loses nothing.
    let editor = breaking(&place, "no json: hunter2");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_sopskit"));
    command.env_clear().env("SOPS_AGE_KEY_FILE", format!("{FIXTURES}/keys/alice.txt")).env("EDITOR", &editor);
    command.env("TMPDIR", place.path("tmp")).env("PATH", "/usr/bin:/bin").current_dir(place.directory.path());
    let mut child = command.args(["edit", FILE]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Held, else waiting for the program would close it, which is an answer too.
    let _stdin = child.stdin.take();
    let mut said = std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().unwrap()));
    assert!(said.any(|line| line.unwrap().starts_with("Press enter")), "nobody was asked");
    kill("INT", &child.id().to_string());
    assert_eq!(child.wait().unwrap().code(), Some(85));
    assert_eq!(place.kept("secrets.enc.json.rejected-1"), b"no json: hunter2\n");
    place.assert_no_plaintext_left();
}

#[test]
fn a_file_that_others_make_while_an_editor_is_open_is_not_replaced() {
    for make in ["echo theirs > new.json", "ln -s elsewhere new.json"] {
        let place = Place::new();
        let editor = place.editor(&format!(r#"{make}; echo '{{"mine": 1}}' > "$1""#));
        let mut edit = place.sopskit();
        edit.env("EDITOR", &editor).args(["edit", "--age", &public_key("alice"), "new.json"]).write_stdin("");
        let (_, stderr) = place.outcome(3, &mut edit);
        assert!(stderr.contains("made by others meanwhile"), "{stderr}");
        match fs::read_to_string(place.path("new.json")) {
            Ok(theirs) => assert_eq!(theirs, "theirs\n"),
            Err(_) => assert!(fs::symlink_metadata(place.path("new.json")).unwrap().is_symlink()),
        }
        assert!(!place.path("elsewhere").exists());
        assert_eq!(place.kept("new.json.rejected-1"), b"{\"mine\": 1}\n");
        place.assert_no_plaintext_left();
    }
}
