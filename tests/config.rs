//! `.sops.yaml`: the rule that counts for a path, and what it says, as in sops.
//!
//! `fixtures/config` holds pairs of config file and path, with the outcome. They are held against this crate, and against the binaries of
//! sops that `SOPS_BINS` names, as in `tests/interop.rs`.
#![cfg(feature = "config")]

#[path = "config/rules.rs"]
mod rules;
#[path = "config/search.rs"]
mod search;
#[allow(dead_code, reason = "shared with tests/interop.rs")]
#[path = "interop/sops.rs"]
mod sops;
mod support;
#[path = "config/yaml.rs"]
mod yaml;

use std::fs;
use std::path::Path;

use sops::{Release, Sops, for_each_sops};
use sopskit::{Config, EncryptedDocument, Error, Format, Indent, MasterKey, Metadata, Rule};
use support::{FIXTURES, folders, name, public_key, read};

/// A config file and a path, with the outcome.
struct Pair {
    name: String,
    yaml: Vec<u8>,
    /// Where the config file lies, and the file to encrypt, from the folder `repo`.
    config: String,
    path: String,
    /// One fact a line.
    expect: String,
    /// Whether sops takes what is refused here.
    sops_takes: bool,
    /// The first release of sops that does the same; those before it do something else.
    since: Release,
}

impl Pair {
    fn load(folder: &Path) -> Pair {
        let line = |file: &str| fs::read_to_string(folder.join(file)).ok().map(|text| text.trim_end().to_owned());
        Pair {
            name: name(folder).to_owned(),
            yaml: read(folder.join("sops.yaml")),
            config: line("config").unwrap_or_else(|| ".sops.yaml".to_owned()),
            path: line("path").unwrap(),
            expect: line("expect").unwrap(),
            sops_takes: folder.join("sops-takes").exists(),
            since: line("since").map(|text| release(&text)).unwrap_or_default(),
        }
    }

    fn refused(&self) -> bool {
        self.expect.starts_with("refused ")
    }

    /// What must be so in sops too: not the number of the rule, and not by which kind of error something is refused.
    fn visible(&self) -> String {
        self.expect.lines().filter(|line| !line.starts_with("number ")).collect::<Vec<_>>().join("\n")
    }

    fn format(&self) -> Format {
        Format::from_path(self.path.as_ref()).unwrap()
    }

    /// What this crate makes of it, in the words of the fixture.
    fn outcome(&self) -> String {
        let repo = Path::new("/tree/repo");
        let outcome = || -> Result<String, Error> {
            let text = std::str::from_utf8(&self.yaml).unwrap();
            let config = Config::parse(text, &repo.join(&self.config))?;
            let rule = config.creation_rule(&repo.join(&self.path))?;
            let recipients = rule.recipients()?;
            let groups: Vec<Vec<_>> = recipients.groups().iter().map(|group| group.iter().map(who).collect()).collect();
            let facts = facts(
                &groups,
                recipients.threshold(),
                &rule.rule().cloned().unwrap_or_default(),
                rule.mac_only_encrypted(),
                config.indent(self.format()),
            );
            Ok(format!("number {}\n{facts}", rule.number()))
        };
        outcome().unwrap_or_else(|error| format!("refused {}", error.kind().as_str()))
    }
}

fn release(text: &str) -> Release {
    text.split('.').map(|number| number.parse().unwrap()).collect::<Vec<_>>().try_into().unwrap()
}

fn pairs() -> Vec<Pair> {
    let pairs: Vec<_> = folders(format!("{FIXTURES}/config")).iter().map(|folder| Pair::load(folder)).collect();
    assert!(pairs.len() > 100, "only {} pairs", pairs.len());
    pairs
}

fn who(key: &MasterKey) -> String {
    let MasterKey::Age { recipient } = key else { panic!("{key}") };
    let name = ["alice", "bob", "carol"].into_iter().find(|name| public_key(name) == *recipient);
    name.unwrap_or(recipient).to_owned()
}

fn facts(groups: &[Vec<String>], threshold: usize, rule: &Rule, mac_only_encrypted: bool, indent: Indent) -> String {
    let mut facts: Vec<_> = groups.iter().map(|group| format!("group {}", group.join(" "))).collect();
    if groups.len() > 1 {
        facts.push(format!("threshold {threshold}"));
    }
    if rule.to_string() != Rule::default().to_string() {
        facts.push(format!("rule {}", rule.to_string().replacen(": ", " ", 1)));
    }
    if mac_only_encrypted {
        facts.push("mac_only_encrypted".to_owned());
    }
    if let Indent::Spaces(spaces) = indent {
        facts.push(format!("indent {spaces}"));
    }
    facts.join("\n")
}

/// What sops makes of a pair; else what it says.
fn sops_outcome(sops: &Sops, pair: &Pair) -> Result<String, String> {
    let tree = tempfile::tempdir().unwrap();
    let repo = tree.path().join("repo");
    let put = |path: &str, bytes: &[u8]| {
        fs::create_dir_all(repo.join(path).parent().unwrap()).unwrap();
        fs::write(repo.join(path), bytes).unwrap();
    };
    fs::create_dir_all(repo.join("x")).unwrap();
    put(&pair.config, &pair.yaml);
    put(&pair.path, br#"{"a": "1", "b": "2"}"#);
    let args = ["--config", &pair.config, "--encrypt", &pair.path].map(str::to_owned);
    let sealed = sops.run(&repo, &args)?;
    let document = match EncryptedDocument::parse(&sealed) {
        Ok(document) => document,
        // Of a regular expression that cannot be compiled, or for nobody.
        Err(error) => return Ok(format!("a file that is refused: {error}")),
    };
    let metadata: &Metadata = document.metadata();
    let groups: Vec<Vec<_>> =
        metadata.key_groups().map(|group| group.iter().map(|wrapped| who(wrapped.key())).collect()).collect();
    let text = String::from_utf8(sealed).unwrap();
    let line = text.lines().nth(1).unwrap();
    let indent = match line.len() - line.trim_start_matches(' ').len() {
        _ if line.starts_with('\t') => Indent::Tab,
        spaces => Indent::Spaces(u8::try_from(spaces).unwrap_or(u8::MAX)),
    };
    let threshold = metadata.shamir_threshold();
    Ok(facts(&groups, threshold, metadata.rule(), metadata.mac_only_encrypted(), indent))
}

#[test]
#[cfg_attr(windows, ignore = "the paths are those of Unix")]
fn a_path_meets_the_rule_that_the_fixture_tells() {
    for pair in pairs() {
        assert_eq!(pair.outcome(), pair.expect, "{}", pair.name);
    }
}

#[test]
fn a_rule_that_counts_for_a_path_below_its_directory_is_never_called_dead() {
    for pair in pairs() {
        let repo = Path::new("/tree/repo");
        let Ok(config) = Config::parse(std::str::from_utf8(&pair.yaml).unwrap(), &repo.join(&pair.config)) else {
            continue;
        };
        let path = repo.join(&pair.path);
        if pair.path.contains("..") || !path.starts_with(config.path().parent().unwrap()) {
            continue;
        }
        let Ok(rule) = config.creation_rule(&path) else { continue };
        assert!(config.dead_rules().iter().all(|dead| dead.number != rule.number()), "{}", pair.name);
    }
}

/// What is wrong with what sops makes of a pair.
fn difference(sops: &Sops, pair: &Pair) -> Option<String> {
    let theirs = sops_outcome(sops, pair);
    let same = match &theirs {
        Ok(_) if pair.refused() => pair.sops_takes,
        Ok(facts) => *facts == pair.visible(),
        Err(_) => pair.refused() && !pair.sops_takes,
    };
    (same == (sops.release < pair.since)).then(|| format!("{}: {theirs:?}\n", pair.name))
}

#[test]
fn sops_meets_the_same_rule() {
    for_each_sops(|sops| {
        let differences: String = pairs().iter().filter_map(|pair| difference(sops, pair)).collect();
        assert!(differences.is_empty(), "{sops}:\n{differences}");
    });
}
