//! The checks of the directory of tokens.

use std::fs as std_fs;
use std::path::Path;

use super::{Doctor, Finding, Fix, Topic, Verdict, first_line, quoted};
use crate::error::{ErrorKind, Result};
use crate::fs::{self, Readers};
use crate::keys::Identities;
use crate::storage::{FileStorage, StorageOptions, TokenStorage, open_storage};

const TOPIC: Topic = Topic::Tokens;

impl Doctor {
    pub(super) fn check_tokens(&self, identities: Identities) -> Vec<Finding> {
        let Some(directory) = self.tokens.clone().or_else(|| self.environment.default_token_directory()) else {
            return Vec::new();
        };
        let mut findings = Vec::new();
        match fs::check_directory(&directory) {
            Ok(None) => return vec![Finding::good(TOPIC, format!("{}: there are no tokens", directory.display()))],
            checked => {
                let readers = checked.map(|directory| directory.map(|(readers, _)| readers));
                findings.push(privacy(&directory, readers, 0o700));
            }
        }
        findings.extend(files(&directory).iter().filter_map(|(path, mode)| {
            let finding = privacy(path, fs::check_private(path), *mode);
            (finding.verdict != Verdict::Good).then_some(finding)
        }));
        let options = StorageOptions::new(self.environment.clone()).directory(&directory).keys(identities);
        match open_storage("sops", options) {
            Ok(storage) => {
                let providers = list(&*storage, &mut findings);
                findings.extend(load_all(&*storage, &providers));
            }
            Err(error) => findings.push(Finding::bad(TOPIC, error.to_string(), "correct SOPS_AGE_RECIPIENTS")),
        }
        let plain = list(&FileStorage::new(&directory), &mut findings);
        if !plain.is_empty() {
            let text = format!("{}: {} tokens are not encrypted", directory.display(), plain.len());
            let remedy = "sopskit token load --storage file NAME | sopskit token save NAME; then token delete --storage file NAME";
            findings.push(Finding::warning(TOPIC, text, remedy));
        }
        findings
    }
}

/// The files of tokens, and the mode that each should have.
fn files(directory: &Path) -> Vec<(std::path::PathBuf, u32)> {
    let entries = std_fs::read_dir(directory).into_iter().flatten().flatten();
    let of_tokens = entries.filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let mode = match name {
            name if name.ends_with(".sops.json") => 0o400,
            name if name.ends_with(".token.json") || name.ends_with(".lock") => 0o600,
            _ => return None,
        };
        Some((entry.path(), mode))
    });
    let mut files: Vec<_> = of_tokens.collect();
    files.sort();
    files
}

fn privacy(path: &Path, readers: Result<Option<Readers>>, mode: u32) -> Finding {
    let chmod = format!("chmod {mode:o} {}", quoted(path));
    let fix = Fix::Mode(std_fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()), mode);
    match readers {
        Ok(Some(Readers::Others)) => {
            Finding::warning(TOPIC, format!("{}: other users can read it", path.display()), chmod).with(fix)
        }
        Ok(_) => Finding::good(TOPIC, format!("{}: for its owner only", path.display())),
        Err(error) if error.kind() == ErrorKind::NotPrivate => Finding::bad(TOPIC, error.to_string(), chmod).with(fix),
        Err(error) => Finding::bad(TOPIC, error.to_string(), "look at what lies there, and who can read it"),
    }
}

/// The providers of a storage. Why there is no list is told once: it can have been said of the directory already.
fn list(storage: &dyn TokenStorage, findings: &mut Vec<Finding>) -> Vec<String> {
    let error = match storage.list() {
        Ok(providers) => return providers,
        Err(error) => first_line(&error),
    };
    if !findings.iter().any(|finding| finding.text == error) {
        findings.push(Finding::bad(TOPIC, error, "look at what lies there, and who can read it"));
    }
    Vec::new()
}

/// Whether each token can be loaded.
fn load_all(storage: &dyn TokenStorage, providers: &[String]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut loaded = 0;
    for provider in providers {
        match storage.load(provider) {
            Ok(_) => loaded += 1,
            Err(error) => {
                let remedy =
                    format!("get a new token, or run: sopskit token load {} --show", quoted(Path::new(provider)));
                findings.push(Finding::bad(TOPIC, first_line(&error), remedy));
            }
        }
    }
    if loaded > 0 {
        findings.push(Finding::good(TOPIC, format!("{loaded} of {} tokens can be loaded", providers.len())));
    }
    findings
}
