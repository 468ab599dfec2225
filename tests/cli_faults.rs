//! Real faults of files at the command line: a umask, no room, a file system or a directory that cannot be written, links in the way.
#![cfg(all(feature = "cli", unix))]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use support::{FIXTURES, public_key, read};
use tempfile::TempDir;

const SECRET: &str = "hunter2";

/// What writes a file: a name, its arguments (`A` and `B` are alice and bob), its input, and the file that it writes.
const COMMANDS: [(&str, &str, &str, &str); 9] = [
    ("encrypt in place", "encrypt -i --age A plain.json", "", "plain.json"),
    ("encrypt into a new file", "encrypt --age A --output new.json plain.json", "", "new.json"),
    ("decrypt in place", "decrypt -i sealed.json", "", "sealed.json"),
    ("decrypt into a new file", "decrypt --output new.json sealed.json", "", "new.json"),
    ("set", r#"set sealed.json ["added"] "hunter2""#, "", "sealed.json"),
    ("rotate", "rotate -i sealed.json", "", "sealed.json"),
    ("updatekeys", "updatekeys -y --config rules.yaml sealed.json", "", "sealed.json"),
    (
        "token save",
        "token save github --age A --dir tokens",
        r#"{"access_token": "hunter2", "token_type": "Bearer"}"#,
        "tokens/github.token.sops.json",
    ),
    ("keygen", "keygen -o keys.txt", "", "keys.txt"),
];

struct Place {
    folder: TempDir,
    /// Where the files lie.
    path: PathBuf,
}

type Snapshot = BTreeMap<PathBuf, (u32, u32, Vec<u8>)>;

impl Place {
    fn new() -> Self {
        let place = Place::empty();
        place.fill();
        place
    }

    fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // So that another user gets there.
        chmod(folder.path(), 0o755);
        let path = folder.path().join("work");
        fs::create_dir(&path).unwrap();
        Place { folder, path }
    }

    fn fill(&self) {
        self.put("plain.json", br#"{"password": "hunter2"}"#, 0o640);
        self.put("sealed.json", &read(format!("{FIXTURES}/3.13.2/token-like/sealed.json")), 0o640);
        self.put(
            "rules.yaml",
            format!("creation_rules: [{{age: \"{},{}\"}}]", public_key("alice"), public_key("bob")).as_bytes(),
            0o644,
        );
        fs::create_dir(self.path.join("tokens")).unwrap();
        chmod(&self.path.join("tokens"), 0o700);
        fs::copy(format!("{FIXTURES}/keys/alice.txt"), self.folder.path().join("alice.txt")).unwrap();
    }

    fn put(&self, name: &str, content: &[u8], mode: u32) {
        fs::write(self.path.join(name), content).unwrap();
        chmod(&self.path.join(name), mode);
    }

    /// `sopskit` from a shell that does something first, or as another user.
    fn run(&self, before: &str, as_user: Option<u32>, args: &str, input: &str) -> Output {
        let args = args.split(' ').map(|arg| match arg {
            "A" => public_key("alice"),
            arg => arg.to_owned(),
        });
        let mut command = match as_user {
            None => Command::new("sh"),
            Some(user) => {
                let mut command = Command::new("setpriv");
                command.args([&format!("--reuid={user}"), &format!("--regid={user}"), "--clear-groups", "sh"]);
                command
            }
        };
        command.args(["-c", &format!("{before}; exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_sopskit")]).args(args);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap());
        command.env("SOPS_AGE_KEY_FILE", self.folder.path().join("alice.txt")).current_dir(&self.path);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let _ = std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes());
        child.wait_with_output().unwrap()
    }

    /// All files, but lock files, which hold a provider's name.
    fn snapshot(&self) -> Snapshot {
        let mut files = Snapshot::new();
        let mut folders = vec![self.path.clone()];
        while let Some(folder) = folders.pop() {
            for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                let about = fs::symlink_metadata(&path).unwrap();
                match about.is_dir() {
                    true => folders.push(path),
                    false if path.extension().is_some_and(|extension| extension == "lock") => {}
                    false => drop(files.insert(path.clone(), (about.mode() & 0o7777, about.uid(), read(&path)))),
                }
            }
        }
        files
    }

    #[track_caller]
    fn assert_refused(&self, what: &str, output: &Output, before: &Snapshot, file: &str, system: &str) {
        let said = String::from_utf8(output.stderr.clone()).unwrap();
        assert!(!output.status.success(), "{what}: {said}");
        assert!(!String::from_utf8_lossy(&output.stdout).contains(SECRET), "{what}");
        assert_eq!(said.lines().filter(|line| line.contains("cannot ")).count(), 1, "{what}: {said}");
        let name = Path::new(file).file_name().unwrap().to_str().unwrap();
        // Of a token the lock file can be the first thing that cannot be written.
        assert!(said.contains(name) || said.contains(".github.lock"), "{what}: {said}");
        assert!(said.contains(system), "{what}: {said}");
        assert!(!said.contains(SECRET) && !said.contains("SECRET-KEY"), "{what}: {said}");
        assert_eq!(&self.snapshot(), before, "{what}");
    }

    #[track_caller]
    fn assert_works(&self, what: &str, args: &str, input: &str) {
        let output = self.run(":", None, args, input);
        assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(!self.snapshot().keys().any(|path| path.to_str().unwrap().contains(".sopskit-")), "{what}");
    }
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        // Not by eprintln!, which the test harness keeps to itself.
        let _ = std::io::Write::write_all(&mut std::io::stderr(), b"SKIPPED: a part that only root can do\n");
    }
    is_root
}

/// Mounted as long as this lives; `None` where that is not allowed.
struct Mount(PathBuf);

impl Mount {
    fn new(args: &[&str], path: &Path) -> Option<Self> {
        let mounted = Command::new("mount").args(args).arg(path).output();
        (is_root() && mounted.is_ok_and(|output| output.status.success())).then(|| Mount(path.to_owned()))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_umask_neither_opens_a_new_file_nor_closes_an_old_one() {
    for umask in ["000", "022", "077"] {
        for (what, args, input, file) in COMMANDS {
            let place = Place::new();
            let before = place.snapshot();
            let output = place.run(&format!("umask {umask}"), None, args, input);
            assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
            let path = place.path.join(file);
            let expected = match before.get(&path) {
                Some((mode, ..)) => *mode,
                None if file.starts_with("tokens/") => 0o400,
                None => 0o600,
            };
            let after = place.snapshot();
            assert_eq!(after[&path].0, expected, "{what}, umask {umask}: {:o}", after[&path].0);
            for (path, before) in before.iter().filter(|(other, _)| **other != path) {
                assert_eq!(after.get(path), Some(before), "{what} touches nothing else");
            }
        }
    }
}

#[test]
fn without_room_all_stays_as_it_was() {
    for (what, args, input, file) in COMMANDS {
        let place = Place::new();
        let before = place.snapshot();
        // No file may become longer than nothing.
        let output = place.run("trap '' XFSZ; ulimit -f 0", None, args, input);
        place.assert_refused(what, &output, &before, file, "File too large");
        place.assert_works(what, args, input);
    }
}

#[test]
fn on_a_full_disk_all_stays_as_it_was() {
    for (what, args, input, file) in COMMANDS {
        let place = Place::empty();
        let Some(_disk) = Mount::new(&["-t", "tmpfs", "-o", "size=128k,mode=700", "tmpfs"], &place.path) else {
            return;
        };
        place.fill();
        let mut filler = fs::File::create(place.path.join("filler")).unwrap();
        while std::io::Write::write_all(&mut filler, &[0; 4096]).is_ok() {}
        let before = place.snapshot();
        let output = place.run(":", None, args, input);
        place.assert_refused(what, &output, &before, file, "No space left on device");
    }
}

#[test]
fn on_a_file_system_that_became_read_only_all_stays_as_it_was() {
    for (what, args, input, file) in COMMANDS {
        let place = Place::new();
        let Some(_mount) = Mount::new(&["--bind", place.path.to_str().unwrap()], &place.path) else { return };
        let before = place.snapshot();
        let remounted = Command::new("mount").args(["-o", "remount,ro,bind"]).arg(&place.path).status().unwrap();
        assert!(remounted.success());
        let output = place.run(":", None, args, input);
        place.assert_refused(what, &output, &before, file, "Read-only file system");
    }
}

#[test]
fn in_a_directory_that_the_user_cannot_write_all_stays_as_it_was() {
    if !is_root() {
        return;
    }
    for (what, args, input, file) in COMMANDS {
        let place = Place::new();
        let nobody = Some(65_534);
        if !place.run(":", nobody, "--version", "").status.success() {
            let _ = std::io::Write::write_all(&mut std::io::stderr(), b"SKIPPED: nobody cannot run the program\n");
            return;
        }
        for name in ["plain.json", "sealed.json", "tokens", "../alice.txt"] {
            std::os::unix::fs::chown(place.path.join(name), nobody, nobody).unwrap();
        }
        chmod(&place.path.join("tokens"), 0o500);
        chmod(&place.path, 0o555);
        let before = place.snapshot();
        let output = place.run(":", nobody, args, input);
        place.assert_refused(what, &output, &before, file, "Permission denied");
    }
}

#[test]
fn files_of_another_user_stay_theirs_or_are_not_written() {
    if !is_root() {
        return;
    }
    // Whoever may write in the directory, and may not give a file away.
    let place = Place::new();
    chmod(&place.path, 0o777);
    chmod(&place.path.join("sealed.json"), 0o644);
    std::os::unix::fs::chown(place.folder.path().join("alice.txt"), Some(65_534), None).unwrap();
    let before = place.snapshot();
    let output = place.run(":", Some(65_534), r#"set sealed.json ["added"] "hunter2""#, "");
    place.assert_refused("set", &output, &before, "sealed.json", "owner and group could not be kept");
}

#[test]
fn where_others_can_write_nothing_of_theirs_is_followed_waited_for_or_removed() {
    for mode in [0o777, 0o1777] {
        for (what, args, input, file) in COMMANDS {
            let place = Place::new();
            let precious = place.folder.path().join("precious");
            fs::write(&precious, "precious").unwrap();
            let folder = place.path.join(file).parent().unwrap().to_owned();
            let planted = |n: u8| folder.join(format!(".sopskit-000000000000000{n}.tmp"));
            symlink(&precious, planted(0)).unwrap();
            fs::create_dir(planted(1)).unwrap();
            assert!(Command::new("mkfifo").arg(planted(2)).status().unwrap().success());
            fs::hard_link(&precious, planted(3)).unwrap();
            if !file.starts_with("tokens/") {
                chmod(&folder, mode);
            }
            let output = place.run(":", None, args, input);
            assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
            assert_eq!(read(&precious), b"precious", "{what}");
            let there = [0, 1, 2].map(|n| fs::symlink_metadata(planted(n)).is_ok());
            assert_eq!(there, [true; 3], "{what}");
        }
    }
}

#[test]
fn a_new_key_file_follows_no_link_and_replaces_nothing() {
    type Plant = fn(&Path, &Path);
    let plants: [Plant; 5] = [
        |precious, path| symlink(precious, path).unwrap(),
        |_, path| symlink("nowhere", path).unwrap(),
        |precious, path| fs::hard_link(precious, path).unwrap(),
        |_, path| assert!(Command::new("mkfifo").arg(path).status().unwrap().success()),
        |_, path| fs::create_dir(path).unwrap(),
    ];
    for plant in plants {
        let place = Place::new();
        let precious = place.folder.path().join("precious");
        fs::write(&precious, "precious").unwrap();
        plant(&precious, &place.path.join("keys.txt"));
        let output = place.run(":", None, "keygen -o keys.txt", "");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains("File exists") && said.contains("keys.txt"), "{said}");
        assert!(!said.contains("SECRET-KEY") && !said.contains("Public key"), "{said}");
        assert_eq!(read(&precious), b"precious");
        assert!(fs::symlink_metadata(place.path.join("keys.txt")).is_ok() && !place.path.join("nowhere").exists());
    }
}

#[test]
fn a_device_without_room_is_one_clear_error() {
    if !Path::new("/dev/full").exists() {
        return;
    }
    let place = Place::new();
    for args in ["decrypt --output /dev/full sealed.json", "encrypt --age A --output /dev/full plain.json"] {
        let before = place.snapshot();
        let output = place.run(":", None, args, "");
        place.assert_refused(args, &output, &before, "/dev/full", "No space left on device");
    }
    let said = place.run("exec >/dev/full", None, "decrypt sealed.json", "");
    let said = String::from_utf8(said.stderr).unwrap();
    assert!(said.contains("standard output: No space left on device") && said.lines().count() == 1, "{said}");
}
