//! Rules that can never count.

use std::fmt;

use super::{Config, Entry};

/// Regular expressions that match every path.
const MATCH_ALL: [&str; 9] = ["", "^", "$", ".", ".*", "^.*", ".*$", "^.*$", ".+"];

/// A rule of a config file that can never count, or only for files that are elsewhere. By [`Config::dead_rules`].
///
/// `Display` says why.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadRule {
    /// Which rule of the file this is, from 1.
    pub number: usize,
    /// The line in which it begins, from 1.
    pub line: usize,
    why: String,
}

impl fmt::Display for DeadRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule {}, line {}: {}", self.number, self.line, self.why)
    }
}

impl Config {
    /// The rules that can never count, as far as that shows: those behind one that matches every path or has the same regular expression, and those whose
    /// regular expression begins as no path does. (A path is told from the directory of the config file.)
    ///
    /// ```
    /// use sopskit::Config;
    ///
    /// let text = "creation_rules: [{age: age1x}, {path_regex: ^prod/, age: age1y}]";
    /// let config = Config::parse(text, "/repo/.sops.yaml".as_ref())?;
    /// assert_eq!(config.dead_rules()[0].to_string(), "rule 2, line 1: rule 1 before it matches every path");
    /// # Ok::<(), sopskit::Error>(())
    /// ```
    #[must_use]
    pub fn dead_rules(&self) -> Vec<DeadRule> {
        let dead = |(index, entry): (usize, &Entry)| {
            let why = self.why_dead(index, entry)?;
            Some(DeadRule { number: entry.number, line: entry.line, why })
        };
        self.rules.iter().enumerate().filter_map(dead).collect()
    }

    fn why_dead(&self, index: usize, entry: &Entry) -> Option<String> {
        let before = &self.rules[..index];
        let text = |entry: &Entry| entry.path_regex.clone().unwrap_or_default();
        if let Some(all) = before.iter().find(|other| MATCH_ALL.contains(&text(other).as_str())) {
            return Some(format!("rule {} before it matches every path", all.number));
        }
        if let Some(same) = before.iter().find(|other| other.path_regex == entry.path_regex) {
            return Some(format!("rule {} before it has the same path_regex", same.number));
        }
        match text(entry).as_str() {
            regex if begins(regex, r"^\./") => Some(String::from("no path begins with ./")),
            regex if begins(regex, "^/") => Some(String::from(
                "it begins with /, and so matches only files outside of the directory of the config file",
            )),
            _ => None,
        }
    }
}

/// Whether whatever `regex` matches begins as `start` says: neither is the end of that optional or repeated, nor is there another way to match.
fn begins(regex: &str, start: &str) -> bool {
    regex.strip_prefix(start).is_some_and(|rest| !rest.starts_with(['?', '*', '{']) && !rest.contains('|'))
}
