//! Why a rule counts for a path, as data and as text.

use std::fmt;
use std::path::{Path, PathBuf};

use super::rule::CreationRule;
use crate::error::{Error, Result};
use crate::rules::Rule;

/// Which rule of a config file counts for a path, why not those before it, and what it comes to. By [`Config::explain`](crate::Config::explain).
///
/// `Display` tells it to a person, in several lines.
#[derive(Debug)]
pub struct Explanation {
    config_file: PathBuf,
    path: String,
    skipped: Vec<SkippedRule>,
    rule: Result<CreationRule>,
}

/// A rule that does not match.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SkippedRule {
    /// Which rule of the file this is, from 1.
    pub number: usize,
    /// The line in which it begins, from 1.
    pub line: usize,
    /// The regular expression that the path does not match.
    pub path_regex: String,
}

impl Explanation {
    pub(super) fn new(
        config_file: PathBuf,
        path: String,
        skipped: Vec<SkippedRule>,
        rule: Result<CreationRule>,
    ) -> Self {
        Explanation { config_file, path, skipped, rule }
    }

    /// The config file.
    #[must_use]
    pub fn config_file(&self) -> &Path {
        &self.config_file
    }

    /// The path as the regular expressions see it: from the directory of the config file, or from the root.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The rules that were tried and do not match.
    #[must_use]
    pub fn skipped(&self) -> &[SkippedRule] {
        &self.skipped
    }

    /// What the rule that matches says.
    ///
    /// # Errors
    /// Those of [`Config::creation_rule`](crate::Config::creation_rule).
    pub fn rule(&self) -> Result<&CreationRule, &Error> {
        self.rule.as_ref()
    }

    /// As [`rule`](Self::rule), for good.
    ///
    /// # Errors
    /// As [`rule`](Self::rule).
    pub fn into_rule(self) -> Result<CreationRule> {
        self.rule
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "config file {}", self.config_file.display())?;
        writeln!(f, "path {}", self.path)?;
        for SkippedRule { number, line, path_regex } in &self.skipped {
            writeln!(f, "rule {number}, line {line}: path_regex {path_regex} does not match")?;
        }
        match &self.rule {
            Ok(rule) => write_rule(f, rule),
            Err(error) => writeln!(f, "{error}"),
        }
    }
}

fn write_rule(f: &mut fmt::Formatter<'_>, rule: &CreationRule) -> fmt::Result {
    write!(f, "rule {}, line {}: ", rule.number(), rule.line())?;
    match rule.path_regex() {
        Some(regex) => writeln!(f, "path_regex {regex} matches")?,
        None => writeln!(f, "matches every path")?,
    }
    let recipients = match rule.recipients() {
        Ok(recipients) => recipients,
        Err(error) => return writeln!(f, "{error}"),
    };
    let groups = recipients.groups();
    for (index, group) in groups.iter().enumerate() {
        if groups.len() == 1 {
            writeln!(f, "any of these keys opens the file:")?;
        } else {
            writeln!(f, "key group {}:", index + 1)?;
        }
        group.iter().try_for_each(|key| writeln!(f, "  {key}"))?;
    }
    if groups.len() > 1 {
        writeln!(f, "{} of {} key groups open the file together", recipients.threshold(), groups.len())?;
    }
    match rule.rule() {
        Some(rule) => writeln!(f, "{rule}")?,
        None => writeln!(f, "{} (the default)", Rule::default())?,
    }
    writeln!(f, "mac_only_encrypted: {}", rule.mac_only_encrypted())
}
