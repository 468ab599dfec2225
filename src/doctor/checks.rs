//! The checks of identities, config file, a file and sops.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::{Doctor, Finding, Fix, Topic, first_line, quoted};
use crate::config::{Config, ConfigSearch};
use crate::document::{Document, EncryptedDocument};
use crate::error::{ErrorKind, Result};
use crate::fs::{self, Readers};
use crate::keys::{Identities, KeyOutcome, KeyService as _, NewIdentity, Recipients};
use crate::tree::{Map, Value};

/// How long a program may take to say its version.
const PATIENCE: Duration = Duration::from_secs(5);
/// The mode of a key file.
const KEY_FILE_MODE: u32 = 0o600;

impl Doctor {
    pub(super) fn check_identities(&self, identities: &Identities) -> Vec<Finding> {
        const TOPIC: Topic = Topic::Identities;
        let mut usable = false;
        let mut findings = Vec::new();
        for source in identities.sources() {
            // A variable names a file that is not there: somebody meant it to be.
            let is_named = source.name().starts_with("SOPS_") && source.name().contains('(');
            match source.outcome() {
                KeyOutcome::Identity(_) | KeyOutcome::Deferred => {
                    usable = true;
                    findings.push(Finding::good(TOPIC, source.to_string()));
                }
                KeyOutcome::Nothing(_) if is_named => {
                    let remedy = "correct the path in the variable, or unset it";
                    findings.push(Finding::bad(TOPIC, source.to_string(), remedy));
                }
                KeyOutcome::Nothing(_) => {}
                KeyOutcome::Problem(_) => {
                    let remedy = "correct or remove what is named there";
                    findings.push(Finding::warning(TOPIC, source.to_string(), remedy));
                }
            }
        }
        if !usable {
            findings.push(self.no_identity());
        }
        findings
    }

    fn no_identity(&self) -> Finding {
        let text = "there is no identity: nothing can be decrypted";
        match self.environment.default_key_file() {
            Some(path) if !path.exists() => {
                let remedy = format!("sopskit keygen -o {}", quoted(&path));
                Finding::bad(Topic::Identities, text, remedy).with(Fix::KeyFile(path))
            }
            _ => Finding::bad(Topic::Identities, text, "set SOPS_AGE_KEY_FILE to a file that sopskit keygen -o made"),
        }
    }

    pub(super) fn check_key_files(&self) -> Vec<Finding> {
        const TOPIC: Topic = Topic::KeyFiles;
        let check = |path: &Path| {
            let chmod = format!("chmod 600 {}", quoted(path));
            // Of a link, the file that it leads to.
            let fix = Fix::Mode(std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()), KEY_FILE_MODE);
            match fs::check_private(path) {
                Ok(None) => None,
                Ok(Some(Readers::Owner)) => {
                    Some(Finding::good(TOPIC, format!("{}: for its owner only", path.display())))
                }
                Ok(Some(Readers::Others)) => {
                    let text = format!("{}: other users can read the identities in it", path.display());
                    Some(Finding::bad(TOPIC, text, chmod).with(fix))
                }
                Err(error) if error.kind() == ErrorKind::NotPrivate => {
                    Some(Finding::bad(TOPIC, error.to_string(), chmod).with(fix))
                }
                Err(error) => {
                    Some(Finding::bad(TOPIC, error.to_string(), "look at who can read it, and where it lies"))
                }
            }
        };
        self.environment.key_files().iter().filter_map(|path| check(path)).collect()
    }

    /// The config file, if it can be used, and what is to be said of it.
    pub(super) fn check_config(&self, identities: &Identities) -> (Option<Config>, Vec<Finding>) {
        const TOPIC: Topic = Topic::Config;
        let search = match ConfigSearch::new(&self.directory, &self.environment) {
            Ok(search) => search,
            Err(error) => return (None, vec![Finding::bad(TOPIC, error.to_string(), "correct the path")]),
        };
        let mut findings = Vec::new();
        if let Some(path) = search.overlooked() {
            let text = format!("{}: is not read, neither here nor by sops", path.display());
            let remedy = format!("mv {} {}", quoted(path), quoted(&path.with_extension("yaml")));
            findings.push(Finding::warning(TOPIC, text, remedy));
        }
        let Some(path) = search.config_file() else {
            let text = "there is no .sops.yaml: recipients must be named each time (--age, SOPS_AGE_RECIPIENTS)";
            let remedy = "write a .sops.yaml: creation_rules, a list of path_regex and age";
            let finding = Finding::warning(TOPIC, text, remedy);
            let recipient = identities.recipients().find(|recipient| recipient.starts_with("age1"));
            let fix = recipient.map(|recipient| Fix::Config(self.directory.join(".sops.yaml"), recipient.to_owned()));
            findings.push(match fix {
                Some(fix) => finding.with(fix),
                None => finding,
            });
            return (None, findings);
        };
        let config = match Config::load(path) {
            Ok(config) => config,
            Err(error) => {
                findings.push(Finding::bad(TOPIC, error.to_string(), format!("correct {}", quoted(path))));
                return (None, findings);
            }
        };
        let problems = config.check();
        if problems.is_empty() {
            findings.push(Finding::good(TOPIC, format!("{}: it can be read", path.display())));
        }
        let correct = format!("correct {}", quoted(path));
        findings.extend(problems.iter().map(|error| Finding::bad(TOPIC, error.to_string(), correct.clone())));
        findings.extend(config.dead_rules().iter().map(|rule| {
            let text = format!("{}, {rule}", path.display());
            Finding::warning(TOPIC, text, "remove the rule, move it up or correct its path_regex")
        }));
        (Some(config), findings)
    }

    pub(super) fn check_file(&self, file: &Path, config: Option<&Config>, identities: &Identities) -> Finding {
        const TOPIC: Topic = Topic::File;
        let name = file.display();
        if file.exists() {
            let opened =
                fs::read_file(file).and_then(|bytes| EncryptedDocument::from_bytes(bytes)?.decrypt(identities));
            return match opened.map_err(|error| error.in_file(file)) {
                Ok(_) => Finding::good(TOPIC, format!("{name}: it can be opened")),
                Err(error) => {
                    let remedy = format!("sopskit decrypt {} tells all that was tried", quoted(file));
                    Finding::bad(TOPIC, first_line(&error), remedy)
                }
            };
        }
        let recipients = match config.map(|config| config.creation_rule(file).and_then(|rule| rule.recipients())) {
            None => {
                return Finding::warning(
                    TOPIC,
                    format!("{name}: there is no config file for it"),
                    "write a .sops.yaml",
                );
            }
            Some(Err(error)) => return Finding::bad(TOPIC, error.to_string(), "add a creation rule, or correct it"),
            Some(Ok(recipients)) => recipients,
        };
        let groups = recipients.groups();
        let fitting = groups.iter().filter(|group| group.iter().any(|key| identities.prefers(key))).count();
        if fitting >= recipients.threshold() {
            return Finding::good(
                TOPIC,
                format!("{name}: its creation rule names a recipient whose identity is at hand"),
            );
        }
        let text =
            format!("{name}: whoever encrypts it now could not open it: no identity at hand fits its creation rule");
        Finding::bad(TOPIC, text, "add your own recipient to the rule, or get the identity")
    }

    pub(super) fn check_round_trip(&self, identities: &Identities) -> Finding {
        const TOPIC: Topic = Topic::RoundTrip;
        let own: Vec<_> =
            identities.recipients().filter(|key| key.starts_with("age1") || key.starts_with("ssh-")).collect();
        let trip = || -> Result<usize> {
            let new = NewIdentity::x25519();
            let (recipients, opens) = match own.is_empty() {
                true => (Recipients::parse(new.recipient())?, &Identities::parse(new.secret())?),
                false => (Recipients::parse(&own.join("\n"))?, identities),
            };
            let tree = Map::from_iter([("a", Value::from("b")), ("n", Value::from(1.5))]);
            let sealed = Document::new(tree, &recipients)?.encrypt()?.to_string();
            EncryptedDocument::parse(sealed.as_bytes())?.decrypt(opens)?;
            Ok(own.len())
        };
        match trip() {
            Ok(0) => Finding::good(TOPIC, "encrypted and decrypted in memory, with a new identity"),
            Ok(count) => {
                Finding::good(TOPIC, format!("encrypted for {count} of the identities above and decrypted, in memory"))
            }
            Err(error) => Finding::bad(TOPIC, error.to_string(), "report this, with the version of sopskit"),
        }
    }

    pub(super) fn check_sops(&self) -> Option<Finding> {
        let program = self.environment.program("sops").filter(|_| self.programs)?;
        Some(match version(&program) {
            Ok(text) => Finding::good(Topic::Sops, format!("{}: {text} (not needed here)", program.display())),
            Err(error) => {
                let text = format!("{}: does not say its version: {error}", program.display());
                Finding::warning(Topic::Sops, text, "nothing here needs it; for your own use, install it again")
            }
        })
    }
}

/// The first line that a program prints when it is asked for its version.
fn version(program: &Path) -> io::Result<String> {
    let mut child = Command::new(program)
        .arg("--version")
        .env("SOPS_DISABLE_VERSION_CHECK", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let Some(stdout) = child.stdout.take() else { return Err(io::ErrorKind::InvalidData.into()) };
    let (sender, receiver) = mpsc::channel();
    // A program can leave another one behind that keeps its output open.
    thread::spawn(move || sender.send(fs::read_wiped(io::Read::take(stdout, 1024), 1024)));
    let printed = receiver.recv_timeout(PATIENCE);
    let _ = child.kill().and_then(|()| child.wait());
    let printed = printed.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    let line = String::from_utf8_lossy(&printed);
    let line: String = line.lines().next().unwrap_or_default().chars().filter(|c| !c.is_control()).collect();
    if line.is_empty() { Err(io::ErrorKind::InvalidData.into()) } else { Ok(line) }
}
