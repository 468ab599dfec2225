//! Checks of a set-up, as data: identities, config file, tokens, and whether all of it fits together.

mod checks;
mod fix;
mod tokens;

use std::cmp::Reverse;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::keys::{Environment, Identities};

pub use fix::Fix;

/// How many findings are told of one topic. A hostile config file or directory of tokens could else bury all others.
const MAX_FINDINGS: usize = 50;

/// Checks a set-up: which identities there are, whether the config file is sound and they fit it, who can get at key files and tokens, and whether a document that is
/// encrypted now can be opened again.
///
/// It reads, and changes nothing. Feature `doctor`.
///
/// ```
/// use sopskit::{Doctor, Environment, Topic, Verdict};
///
/// let environment = Environment::from_iter([("SOPS_AGE_KEY_FILE", "fixtures/keys/alice.txt")]);
/// let findings = Doctor::new(environment).examine();
/// let trip = findings.iter().find(|finding| finding.topic == Topic::RoundTrip).unwrap();
/// assert_eq!(trip.verdict, Verdict::Good);
/// ```
#[derive(Clone, Debug)]
pub struct Doctor {
    environment: Environment,
    directory: PathBuf,
    file: Option<PathBuf>,
    tokens: Option<PathBuf>,
    programs: bool,
}

/// What a [`Finding`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Topic {
    /// Where identities were looked for.
    Identities,
    /// The modes of key files.
    KeyFiles,
    /// The config file and its rules.
    Config,
    /// Whether an identity fits the file that was named, or the recipients of its creation rule.
    File,
    /// The directory of tokens, and the tokens in it.
    Tokens,
    /// A document, encrypted and decrypted in memory.
    RoundTrip,
    /// The sops CLI, which is not needed.
    Sops,
}

impl Topic {
    /// A stable name in kebab-case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Topic::Identities => "identities",
            Topic::KeyFiles => "key-files",
            Topic::Config => "config",
            Topic::File => "file",
            Topic::Tokens => "tokens",
            Topic::RoundTrip => "round-trip",
            Topic::Sops => "sops",
        }
    }
}

/// How things are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// As they should be.
    Good,
    /// It works, and could be better.
    Warning,
    /// Something does not work, or is not safe.
    Bad,
}

impl Verdict {
    /// A stable name: `good`, `warning`, `bad`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Good => "good",
            Verdict::Warning => "warning",
            Verdict::Bad => "bad",
        }
    }
}

/// What a [`Doctor`] found out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// What it is about.
    pub topic: Topic,
    /// How things are.
    pub verdict: Verdict,
    /// What there is, in one line, without a secret.
    pub text: String,
    /// What to run or to do; there for all that is not good.
    pub remedy: Option<String>,
    /// What would mend it, where that can be done from here.
    pub fix: Option<Fix>,
}

impl Finding {
    fn good(topic: Topic, text: impl Into<String>) -> Self {
        Finding { topic, verdict: Verdict::Good, text: text.into(), remedy: None, fix: None }
    }

    fn warning(topic: Topic, text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Finding { topic, verdict: Verdict::Warning, text: text.into(), remedy: Some(remedy.into()), fix: None }
    }

    fn bad(topic: Topic, text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Finding { verdict: Verdict::Bad, ..Finding::warning(topic, text, remedy) }
    }

    fn with(mut self, fix: Fix) -> Self {
        self.fix = Some(fix);
        self
    }
}

impl Doctor {
    /// Checks what this environment comes to for somebody in the working directory.
    #[must_use]
    pub fn new(environment: Environment) -> Self {
        Doctor { environment, directory: PathBuf::from("."), file: None, tokens: None, programs: false }
    }

    /// Another directory than the working directory, from which the config file is looked for.
    #[must_use]
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = directory.into();
        self
    }

    /// A file, encrypted already or not there yet: whether an identity fits it.
    #[must_use]
    pub fn file(mut self, file: impl Into<PathBuf>) -> Self {
        self.file = Some(file.into());
        self
    }

    /// Another directory of tokens than [`Environment::default_token_directory`].
    #[must_use]
    pub fn token_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.tokens = Some(directory.into());
        self
    }

    /// Runs the sops CLI, if there is one, for its version. Otherwise no program is run.
    #[must_use]
    pub fn with_programs(mut self) -> Self {
        self.programs = true;
        self
    }

    /// Looks at everything. No passphrase is asked for.
    ///
    /// Of one topic at most 50 findings are told, the worst of them, and then how many more there are.
    #[must_use]
    pub fn examine(&self) -> Vec<Finding> {
        let identities = Identities::from_environment(&self.environment);
        let mut findings = bounded(self.check_identities(&identities));
        findings.extend(bounded(self.check_key_files()));
        let (config, found) = self.check_config(&identities);
        findings.extend(bounded(found));
        findings.extend(self.file.as_deref().map(|file| self.check_file(file, config.as_ref(), &identities)));
        findings.push(self.check_round_trip(&identities));
        findings.extend(bounded(self.check_tokens(identities)));
        findings.extend(self.check_sops());
        findings
    }
}

/// The worst findings of a topic, as they came, and behind them how many more there are.
fn bounded(mut findings: Vec<Finding>) -> Vec<Finding> {
    let mut order: Vec<_> = (0..findings.len()).collect();
    order.sort_by_key(|&index| Reverse(findings[index].verdict));
    let Some((&worst, left)) = order.get(MAX_FINDINGS..).and_then(<[_]>::split_first) else { return findings };
    let Finding { topic, verdict, .. } = findings[worst];
    let text = format!("and {} more", left.len() + 1);
    let more = match verdict {
        Verdict::Good => Finding::good(topic, text),
        _ => Finding { verdict, ..Finding::warning(topic, text, "mend those above, then run the doctor again") },
    };
    let mut told = order[..MAX_FINDINGS].to_vec();
    told.sort_unstable();
    let mut index = 0..;
    findings.retain(|_| index.next().is_some_and(|index| told.binary_search(&index).is_ok()));
    findings.push(more);
    findings
}

/// What an error says, without a list behind it.
fn first_line(error: &Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

/// A path for a shell.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}
