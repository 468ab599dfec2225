//! Where somebody sits at a terminal: prompts, answers, colours. The real program, in a pseudo-terminal of its own.
#![cfg(all(feature = "cli", unix))]

mod support;

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use support::terminal::Terminal;
use support::{FIXTURES, names, public_key, read};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(20);

/// A program at a terminal, and the person there.
struct Session {
    child: Child,
    terminal: Terminal,
    screen: mpsc::Receiver<u8>,
    shown: String,
}

impl Session {
    /// Starts `sopskit` in a session whose terminal is a new one.
    fn start(folder: &Path, variables: &[(&str, &str)], args: &[&str]) -> Self {
        let terminal = Terminal::open();
        let mut command = Command::new("setsid");
        command.args(["--ctty", "--wait", env!("CARGO_BIN_EXE_sopskit")]).args(args).current_dir(folder);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", folder).env("TERM", "xterm");
        command.envs(variables.iter().copied());
        let side = || terminal.side();
        let child = command.stdin(side()).stdout(side()).stderr(side()).spawn().unwrap();
        let (sender, screen) = mpsc::channel();
        let mut eyes = terminal.person();
        thread::spawn(move || {
            let mut byte = [0];
            // It ends with an error when the program has closed the terminal.
            while matches!(eyes.read(&mut byte), Ok(1)) && sender.send(byte[0]).is_ok() {}
        });
        drop(command);
        Session { child, terminal, screen, shown: String::new() }
    }

    /// Waits until this stands on the screen, then types.
    #[track_caller]
    fn answer(&mut self, question: &str, answer: &str) {
        let from = self.shown.len();
        while !self.shown[from..].contains(question) {
            match self.screen.recv_timeout(PATIENCE) {
                Ok(byte) => self.shown.push(char::from(byte)),
                Err(_) => panic!("{question:?} was not asked: {}", self.shown),
            }
        }
        self.terminal.person().write_all(answer.as_bytes()).unwrap();
    }

    /// As [`answer`](Self::answer), as soon as the terminal shows no more what is typed.
    #[track_caller]
    fn answer_unseen(&mut self, question: &str, answer: &str) {
        self.answer(question, "");
        let deadline = Instant::now() + PATIENCE;
        while self.terminal.echoes() {
            assert!(Instant::now() < deadline, "the terminal would show the answer");
            thread::sleep(Duration::from_millis(1));
        }
        self.terminal.person().write_all(answer.as_bytes()).unwrap();
    }

    /// The exit code, and all that stood on the screen.
    #[track_caller]
    fn end(mut self) -> (Option<i32>, String) {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None if Instant::now() > deadline => {
                    self.child.kill().unwrap();
                    panic!("it does not end: {}", self.shown);
                }
                None => thread::sleep(Duration::from_millis(5)),
            }
        };
        let code = status.code();
        let mut bytes = Vec::new();
        while let Ok(byte) = self.screen.recv_timeout(Duration::from_millis(200)) {
            bytes.push(byte);
        }
        (code, self.shown + &String::from_utf8_lossy(&bytes))
    }
}

fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secrets.enc.json");
    fs::copy(format!("{FIXTURES}/3.13.2/token-like/sealed.json"), &file).unwrap();
    (folder, file)
}

const ALICE: (&str, &str) = ("SOPS_AGE_KEY_FILE", concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/keys/alice.txt"));
const PROTECTED: (&str, &str) =
    ("SOPS_AGE_KEY_FILE", concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/keys/alice_protected.age"));

#[test]
fn a_passphrase_is_asked_for_and_not_shown() {
    let (folder, file) = place();
    let mut session =
        Session::start(folder.path(), &[PROTECTED], &["decrypt", "--output", "plain.json", file.to_str().unwrap()]);
    session.answer_unseen("Passphrase of ", "correct horse\n");
    let (code, shown) = session.end();
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("alice_protected.age") && !shown.contains("correct horse"), "{shown}");
    let plain: serde_json::Value = serde_json::from_slice(&read(folder.path().join("plain.json"))).unwrap();
    assert!(plain["access_token"].is_string());
}

#[test]
fn a_wrong_passphrase_opens_nothing_and_nobody_is_asked_who_said_so() {
    let (folder, file) = place();
    let file = file.to_str().unwrap();
    let mut session = Session::start(folder.path(), &[PROTECTED], &["decrypt", "--output", "plain.json", file]);
    session.answer_unseen("Passphrase of ", "wrong horse\n");
    let (code, shown) = session.end();
    assert_eq!(code, Some(128), "{shown}");
    assert!(shown.contains("the passphrase is wrong") && !shown.contains("wrong horse"), "{shown}");
    let session =
        Session::start(folder.path(), &[PROTECTED], &["decrypt", "--non-interactive", "--output", "plain.json", file]);
    let (code, shown) = session.end();
    assert!(code == Some(128) && !shown.contains("Passphrase of"), "{shown}");
    assert!(!folder.path().join("plain.json").exists());
}

#[test]
fn new_recipients_are_set_only_after_a_yes() {
    let (folder, file) = place();
    let rules = format!("creation_rules: [{{age: [{}, {}]}}]", public_key("alice"), public_key("bob"));
    fs::write(folder.path().join(".sops.yaml"), rules).unwrap();
    let before = read(&file);
    for (answer, changed) in [("n\n", false), ("perhaps\nn\n", false), ("y\n", true)] {
        let mut session = Session::start(folder.path(), &[ALICE], &["updatekeys", "secrets.enc.json"]);
        session.answer("?", answer);
        let (_, shown) = session.end();
        assert_eq!(read(&file) != before, changed, "{answer:?}: {shown}");
    }
}

#[test]
fn the_doctor_asks_before_each_thing_that_it_mends() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = Session::start(folder.path(), &[], &["doctor", "--fix"]);
    session.answer("[y/N] ", "n\n");
    let (code, shown) = session.end();
    assert_eq!(code, Some(1), "{shown}");
    assert_eq!(names(folder.path()), [""; 0], "nothing was made");
    let mut session = Session::start(folder.path(), &[], &["doctor", "--fix"]);
    session.answer("[y/N] ", "y\n");
    let (code, shown) = session.end();
    assert_eq!(code, Some(0), "{shown}");
    assert!(folder.path().join(".config/sops/age/keys.txt").exists());
    assert!(!shown.contains("AGE-SECRET-KEY"), "{shown}");
}

#[test]
fn there_are_colours_on_a_terminal_unless_they_are_off() {
    let folder = tempfile::tempdir().unwrap();
    let (_, shown) = Session::start(folder.path(), &[ALICE], &["doctor"]).end();
    assert!(shown.contains("\x1b[32m✓\x1b[0m"), "{shown}");
    let (_, shown) = Session::start(folder.path(), &[ALICE, ("NO_COLOR", "1")], &["doctor"]).end();
    assert!(shown.contains("✓ identities") && !shown.contains('\x1b'), "{shown}");
}

#[test]
fn a_new_identity_is_shown_once() {
    let folder = tempfile::tempdir().unwrap();
    let (code, shown) = Session::start(folder.path(), &[], &["keygen"]).end();
    assert_eq!(code, Some(0));
    assert!(shown.contains("AGE-SECRET-KEY-1") && !shown.contains("\nPublic key: "), "{shown}");
}
