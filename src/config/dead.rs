//! Rules that can never count.

use std::collections::HashMap;
use std::fmt;

use super::Config;

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
        let mut dead = Vec::new();
        let mut matches_all = None;
        let mut seen = HashMap::new();
        for entry in &self.rules {
            let regex = entry.path_regex.as_deref().unwrap_or_default();
            let why = match (matches_all, seen.get(regex)) {
                (Some(all), _) => Some(format!("rule {all} before it matches every path")),
                (None, Some(same)) => Some(format!("rule {same} before it has the same path_regex")),
                (None, None) => why_elsewhere(regex).map(str::to_owned),
            };
            dead.extend(why.map(|why| DeadRule { number: entry.number, line: entry.line, why }));
            matches_all = matches_all.or_else(|| MATCH_ALL.contains(&regex).then_some(entry.number));
            seen.entry(regex).or_insert(entry.number);
        }
        dead
    }
}

/// Why a rule can match no path below the directory of the config file, as far as that shows.
fn why_elsewhere(regex: &str) -> Option<&'static str> {
    match regex {
        regex if begins(regex, r"^\./") => Some("no path begins with ./"),
        regex if begins(regex, "^/") => {
            Some("it begins with /, and so matches only files outside of the directory of the config file")
        }
        _ => None,
    }
}

/// Whether whatever `regex` matches begins as `start` says: neither is the end of that optional or repeated, nor is there another way to match.
fn begins(regex: &str, start: &str) -> bool {
    regex.strip_prefix(start).is_some_and(|rest| !rest.starts_with(['?', '*', '{']) && !rest.contains('|'))
}
