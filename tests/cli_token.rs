//! `sopskit token`: tokens at the command line.
#![cfg(all(feature = "cli", unix))]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use sopskit::Token;
use support::tokens::{Home, chmod, mode, open, token};
use support::{FIXTURES, names, public_key, read};

fn with_key(command: &mut Command) -> &mut Command {
    command.env_clear().env("SOPS_AGE_KEY_FILE", format!("{FIXTURES}/keys/alice.txt"))
}

/// A run with alice's key, on the tokens of `home`.
fn run(home: &Home, args: &[&str], input: &[u8]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sopskit"));
    feed(with_key(&mut command).arg("token").args(args).arg("--dir").arg(home.tokens()), input)
}

fn feed(command: &mut Command, input: &[u8]) -> Output {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A program that fails early does not read its input.
    let _ = std::io::Write::write_all(&mut child.stdin.take().unwrap(), input);
    child.wait_with_output().unwrap()
}

#[track_caller]
fn succeed(output: &Output) -> String {
    assert!(output.status.success(), "{}", stderr(output));
    assert_eq!(stderr(output), "");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[track_caller]
fn fail(output: &Output, code: i32, saying: &str) {
    assert_eq!(output.status.code(), Some(code), "{}", stderr(output));
    assert!(output.stdout.is_empty() && stderr(output).contains(saying), "{}", stderr(output));
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn alice() -> String {
    public_key("alice")
}

#[test]
fn a_token_is_saved_listed_loaded_and_deleted() {
    let home = Home::new();
    let json = token("a-secret").to_json().unwrap();
    assert_eq!(succeed(&run(&home, &["save", "git hub", "--age", &alice()], &json)), "");
    assert_eq!(succeed(&run(&home, &["list"], b"")), "git hub\n");
    assert_eq!(succeed(&run(&home, &["load", "git hub"], b"")).as_bytes(), &*json);
    assert_eq!(mode(&home.path("git_hub.token.sops.json")), 0o400);
    assert_eq!(succeed(&run(&home, &["delete", "git hub"], b"")), "");
    assert_eq!(succeed(&run(&home, &["list"], b"")), "");
    for command in ["load", "status", "delete"] {
        fail(&run(&home, &[command, "git hub"], b""), 2, "there is no token of \"git hub\"");
    }
}

#[test]
fn a_name_cannot_play_with_the_terminal() {
    let home = Home::new();
    for name in ["a\u{1b}[31mb", "a\u{202e}b", "a\nb"] {
        open("sops", &home.tokens()).save(name, &token("a")).unwrap();
        let shown = succeed(&run(&home, &["list"], b"")) + &succeed(&run(&home, &["status", name], b""));
        assert!(!shown.contains('\u{1b}') && !shown.contains('\u{202e}') && !shown.contains(name), "{shown:?}");
        assert!(open("sops", &home.tokens()).delete(name).unwrap());
    }
    open("sops", &home.tokens()).save("it's \"ü\" \\", &token("a")).unwrap();
    assert_eq!(succeed(&run(&home, &["list"], b"")), "it's \"ü\" \\\n");
}

#[test]
fn a_response_of_a_provider_is_saved_with_its_end() {
    let home = Home::new();
    let response = br#"{"access_token": "a", "expires_in": 3600, "scope": "x y"}"#;
    succeed(&run(&home, &["save", "github", "--response", "--age", &alice()], response));
    let token = Token::from_json(succeed(&run(&home, &["load", "github"], b"")).as_bytes()).unwrap();
    assert!((3590..=3600).contains(&token.expires_in().unwrap()), "{:?}", token.expires_in());
    let error = br#"{"error": "invalid_grant", "error_description": "hunter2"}"#;
    let output = run(&home, &["save", "github", "--response", "--age", &alice()], error);
    fail(&output, 1, "invalid_grant");
    assert!(!stderr(&output).contains("hunter2"));
    fail(&run(&home, &["save", "github", "--age", &alice()], b"not JSON"), 2, "line 1");
}

#[test]
fn a_status_needs_no_key() {
    let home = Home::new();
    open("sops", &home.tokens()).save("github", &token("a-secret")).unwrap();
    let status = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sopskit"));
        command.env_clear().args(["token", "status", "github"]).args(args).arg("--dir").arg(home.tokens());
        succeed(&feed(&mut command, b""))
    };
    let text = status(&[]);
    for line in [
        "provider:    github",
        "scope:       openid profile",
        "issued:      2026-01-31T12:00:00Z",
        "refreshable: yes",
        &format!("opens with:  age {}", alice()),
        "read without a key: not verified",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line} in {text}");
    }
    assert!(text.contains("expires:     2026-01-31T13:00:00Z (ended "), "{text}");
    let json: serde_json::Value = serde_json::from_str(&status(&["--json"])).unwrap();
    assert_eq!((&json["expires_at"], &json["scope"][1]), (&"2026-01-31T13:00:00Z".into(), &"profile".into()));
    assert_eq!(json["recipients"][0], format!("age {}", alice()));
}

#[test]
fn secrets_are_not_printed_on_a_terminal_unless_that_is_asked_for() {
    let home = Home::new();
    open("sops", &home.tokens()).save("github", &token("a-secret")).unwrap();
    let on_terminal = |args: &[&str]| {
        let terminal = support::terminal::Terminal::open();
        let mut command = Command::new(env!("CARGO_BIN_EXE_sopskit"));
        with_key(&mut command).args(["token", "load", "github"]).args(args).arg("--dir").arg(home.tokens());
        let output = command.stdin(Stdio::null()).stdout(terminal.side()).output().unwrap();
        drop(command);
        (output, terminal.shown())
    };
    let (output, shown) = on_terminal(&[]);
    fail(&output, 1, "--show");
    assert_eq!(shown, "");
    let (output, shown) = on_terminal(&["--show"]);
    assert!(output.status.success() && shown.contains("a-secret"), "{shown}");
}

#[test]
fn without_encryption_there_is_a_warning_and_in_memory_there_is_nothing_to_keep() {
    let home = Home::new();
    let json = token("a-secret").to_json().unwrap();
    let output = run(&home, &["save", "github", "--storage", "file"], &json);
    assert!(output.status.success() && stderr(&output).contains("without encryption"), "{}", stderr(&output));
    assert_eq!(succeed(&run(&home, &["load", "github", "--storage", "file"], b"")).as_bytes(), &*json);
    fail(&run(&home, &["save", "github", "--storage", "memory"], &json), 8, "--storage sops or file");
    fail(&run(&home, &["list", "--storage", "vault"], b""), 1, "\"vault\"");
}

#[test]
fn without_a_recipient_nothing_is_written() {
    let home = Home::new();
    let json = token("a").to_json().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_sopskit"));
    with_key(&mut command).args(["token", "save", "github", "--dir"]).arg(home.tokens()).current_dir("/");
    fail(&feed(&mut command, &json), 111, "SOPS_AGE_RECIPIENTS");
    // The config file of whatever project somebody is in says nothing of their tokens.
    let project = tempfile::tempdir().unwrap();
    fs::write(project.path().join(".sops.yaml"), format!("creation_rules: [{{age: {}}}]", public_key("bob"))).unwrap();
    fail(&feed(command.current_dir(project.path()), &json), 111, "SOPS_AGE_RECIPIENTS");
    command.env("SOPS_PGP_FP", "0123");
    fail(&feed(&mut command, &json), 1, "SOPS_PGP_FP");
    assert!(!home.tokens().exists());
}

#[test]
fn a_config_file_that_is_named_counts_for_the_path_of_the_token() {
    let home = Home::new();
    let config = home.folder.path().join("rules.yaml");
    fs::write(&config, format!("creation_rules: [{{path_regex: tokens/github, age: {}}}]", alice())).unwrap();
    let json = token("a").to_json().unwrap();
    let save = |provider| run(&home, &["save", provider, "--config", config.to_str().unwrap()], &json);
    succeed(&save("github"));
    fail(&save("gitlab"), 1, "no creation rule");
    succeed(&run(&home, &["save", "all", "--encrypt-all", "--age", &alice()], &json));
    let text = String::from_utf8(read(home.path("all.token.sops.json"))).unwrap();
    assert!(!text.contains("openid"), "{text}");
}

/// A save by a shell that does something first.
fn save_after(shell: &str, home: &Home, access_token: &str) -> Output {
    let mut command = Command::new("sh");
    with_key(&mut command).env("PATH", std::env::var("PATH").unwrap());
    let script = format!("{shell}; exec \"$0\" token save github --age \"$1\" --dir \"$2\"");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_sopskit"), &alice()]).arg(home.tokens());
    feed(&mut command, &token(access_token).to_json().unwrap())
}

#[test]
fn modes_are_the_same_whatever_the_umask() {
    for umask in ["000", "022", "077", "0277", "0777"] {
        let home = Home::new();
        if umask.starts_with('0') && umask.len() == 4 {
            // Under such a umask nobody but root could use a directory that was made then.
            fs::create_dir(home.tokens()).unwrap();
            chmod(&home.tokens(), 0o700);
        }
        succeed(&save_after(&format!("umask {umask}"), &home, "a"));
        let modes = (mode(&home.tokens()), mode(&home.path("github.token.sops.json")));
        assert_eq!(modes, (0o700, 0o400), "{umask}");
    }
}

#[test]
fn a_full_disk_leaves_the_old_token_and_says_so() {
    let home = Home::new();
    open("sops", &home.tokens()).save("github", &token("old")).unwrap();
    // No file may become longer than nothing: as on a disk without room.
    let output = save_after("trap '' XFSZ; ulimit -f 0", &home, "new");
    fail(&output, 3, "cannot write");
    assert!(stderr(&output).contains("github.token.sops.json"), "{}", stderr(&output));
    assert_eq!(open("sops", &home.tokens()).load("github").unwrap().unwrap().access_token(), "old");
    assert_eq!(names(&home.tokens()), [".github.lock", "github.token.sops.json"], "nothing is left behind");
    let empty = Home::new();
    fail(&save_after("trap '' XFSZ; ulimit -f 0", &empty, "new"), 3, "cannot write");
    assert!(open("sops", &empty.tokens()).load("github").unwrap().is_none());
}

#[test]
fn on_a_disk_without_room_a_refresh_does_not_ask_the_provider() {
    let Some(disk) = small_disk() else { return };
    let tokens = disk.path.join("tokens");
    let storage = open("sops", &tokens);
    storage.save("github", &support::tokens::expired("old")).unwrap();
    let filler = disk.path.join("filler");
    let mut file = fs::File::create(&filler).unwrap();
    while std::io::Write::write_all(&mut file, &[0; 4096]).is_ok() {}
    for result in [storage.save("github", &token("new")), storage.refresh("github", &mut |_| panic!("asked")).map(drop)]
    {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), sopskit::ErrorKind::Write);
        assert!(error.to_string().contains("No space left"), "{error}");
    }
    assert_eq!(storage.load("github").unwrap().unwrap().access_token(), "old");
    drop(file);
    fs::remove_file(filler).unwrap();
    // The system gives the room back in its own time.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while let Err(error) = storage.save("github", &token("new")) {
        assert!(std::time::Instant::now() < deadline, "{error}");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

/// A file system of 128 KiB in memory, where this process may mount one.
struct SmallDisk {
    path: PathBuf,
    _folder: tempfile::TempDir,
}

fn small_disk() -> Option<SmallDisk> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk");
    fs::create_dir(&path).unwrap();
    let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=128k", "tmpfs"]).arg(&path).output();
    if !mount.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: only root can mount a small disk");
        return None;
    }
    Some(SmallDisk { path, _folder: folder })
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        unmount(&self.path);
    }
}

fn unmount(path: &Path) {
    let _ = Command::new("umount").arg("-l").arg(path).status();
}
