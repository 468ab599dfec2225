//! `.sops.yaml`: for whom and how new files are encrypted, by their paths.
//!
//! Source: section 8 of the format page, `config/config.go` of sops.

mod dead;
mod explain;
mod keys;
mod path;
mod rule;
mod search;
mod yaml;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::format::{Format, Indent};
use crate::fs;
use crate::keys::Environment;

pub use dead::DeadRule;
pub use explain::{Explanation, SkippedRule};
pub use rule::CreationRule;
pub use search::ConfigSearch;

use rule::Entry;
use yaml::{Fields, Node};

const CREATION_RULES: &str = "creation_rules";
const STORES: &str = "stores";
const INDENT: &str = "indent";

/// How many creation rules a config file can have. Each can have a regular expression that takes long to compile, and be a line of what is reported.
const MAX_RULES: usize = 2000;
/// The memory that their expressions can take together when they are compiled, in bytes, each the same part of it: to fill it takes about a second. A usual one takes some
/// KiB.
const MAX_COMPILED: usize = 128 * 1024 * 1024;

/// A config file, `.sops.yaml`: for whom and how new files are encrypted, by their paths.
///
/// What it says of destinations and of formats other than JSON is not looked at. Feature `config`.
///
/// ```
/// use sopskit::Config;
///
/// let text = "
/// creation_rules:
///   - path_regex: ^prod/
///     age: age1w7873r7u6vgwnvm3rx5jmsc2eeahce2wce5w94d04r5qu0y6nyysemjf6a
///   - age: age17tfxv44858ap3p7e2ce9kztrnyvvjknqd83gp5jen4rt50j4c45q9f4ku0
/// ";
/// let config = Config::parse(text, "/repo/.sops.yaml".as_ref())?;
/// assert_eq!(config.creation_rule("/repo/prod/db.json".as_ref())?.number(), 1);
/// assert_eq!(config.creation_rule("/repo/test/db.json".as_ref())?.number(), 2);
/// # Ok::<(), sopskit::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Config {
    path: PathBuf,
    rules: Vec<Entry>,
    stores: Stores,
    slashes: bool,
}

impl Config {
    /// Reads the text of a config file that lies, or would lie, at `path`. Rules match paths as seen from its directory.
    ///
    /// ```
    /// use sopskit::{Config, ErrorKind};
    ///
    /// let error = Config::parse("creation_rules:\n  - path_regx: x\n", "/repo/.sops.yaml".as_ref()).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    /// assert_eq!(error.position().unwrap().line, 2);
    /// ```
    ///
    /// # Errors
    /// With file and position: [`ErrorKind::InvalidConfig`] when the text is not YAML, longer than 1 MiB, nested too deeply, made large
    /// by aliases, or has more than 2000 creation rules, or when a rule has an unknown key or a value in a wrong form; [`ErrorKind::DuplicateKey`].
    pub fn parse(text: &str, path: &Path) -> Result<Self> {
        Config::read(text, path).map_err(|error| error.in_file(path))
    }

    /// Reads a config file.
    ///
    /// # Errors
    /// [`ErrorKind::Read`] when it cannot be read or is longer than 1 MiB, [`ErrorKind::NotUtf8`], and those of [`parse`](Self::parse).
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let bytes = fs::read_at_most(path, yaml::MAX_BYTES)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| Error::new(ErrorKind::NotUtf8).in_file(path))?;
        Config::parse(text, path)
    }

    /// Reads the config file that counts for somebody who works in a directory: see [`ConfigSearch`]. `None` where there is none.
    ///
    /// ```
    /// use sopskit::{Config, Environment};
    ///
    /// let environment = Environment::from_iter([("SOPS_CONFIG", "/nowhere/sops.yaml")]);
    /// assert!(Config::find("/repo".as_ref(), &environment).unwrap_err().is_not_found());
    /// ```
    ///
    /// # Errors
    /// Those of [`load`](Self::load); among them [`ErrorKind::Read`] when the file that `SOPS_CONFIG` names does not exist.
    pub fn find(start: &Path, environment: &Environment) -> Result<Option<Self>> {
        ConfigSearch::new(start, environment)?.config_file().map(Config::load).transpose()
    }

    /// Lets a `\` in paths separate as `/` does, so that the rules, which are written with `/`, match on Windows too.
    /// sops matches paths as the system spells them.
    ///
    /// ```
    /// use sopskit::Config;
    ///
    /// let text = "creation_rules: [{path_regex: ^prod/, age: age1w7873r7u6vgwnvm3rx5jmsc2eeahce2wce5w94d04r5qu0y6nyysemjf6a}]";
    /// let config = Config::parse(text, r"C:\repo\.sops.yaml".as_ref())?.match_windows_paths(true);
    /// assert_eq!(config.creation_rule(r"C:\repo\prod\db.json".as_ref())?.number(), 1);
    /// # Ok::<(), sopskit::Error>(())
    /// ```
    #[must_use]
    pub fn match_windows_paths(mut self, slashes: bool) -> Self {
        self.slashes = slashes;
        self
    }

    /// Where the config file lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the first rule says that matches a path. The file need not exist.
    ///
    /// The path is taken as it is spelled, from the directory of the config file: `.` and `..` are resolved, links are not. Of a
    /// file outside of that directory the absolute path is matched. As in sops, a relative path is one from the working directory.
    ///
    /// # Errors
    /// [`ErrorKind::NoCreationRule`] when no rule matches. With file and position: [`ErrorKind::InvalidRegex`] for a regular expression, of this
    /// rule or one before it, that cannot be compiled; [`ErrorKind::ConflictingRules`] when the rule says more than once which leaves are
    /// encrypted. Whom it names is read by [`CreationRule::recipients`].
    pub fn creation_rule(&self, file: &Path) -> Result<CreationRule> {
        self.explain(file).into_rule()
    }

    /// Which rule counts for a path, and why not those before it.
    ///
    /// ```
    /// # use sopskit::Config;
    /// let text = "
    /// creation_rules:
    ///   - path_regex: ^prod/
    ///     age: age1w7873r7u6vgwnvm3rx5jmsc2eeahce2wce5w94d04r5qu0y6nyysemjf6a
    ///   - age: age17tfxv44858ap3p7e2ce9kztrnyvvjknqd83gp5jen4rt50j4c45q9f4ku0
    /// ";
    /// let config = Config::parse(text, "/repo/.sops.yaml".as_ref())?;
    /// let explanation = config.explain("/repo/test/db.json".as_ref());
    /// assert_eq!(explanation.skipped()[0].path_regex, "^prod/");
    /// assert!(explanation.to_string().contains("rule 2, line 5: matches every path"));
    /// # Ok::<(), sopskit::Error>(())
    /// ```
    #[must_use]
    pub fn explain(&self, file: &Path) -> Explanation {
        let mut skipped = Vec::new();
        let (path, rule) = match path::matched(&self.path, file, self.slashes) {
            Ok(path) => {
                let rule = self.first_match(&path, &mut skipped);
                (path, rule)
            }
            Err(error) => (file.display().to_string(), Err(error)),
        };
        Explanation::new(self.path.clone(), path, skipped, rule.map_err(|error| error.in_file(&self.path)))
    }

    fn first_match(&self, path: &str, skipped: &mut Vec<SkippedRule>) -> Result<CreationRule> {
        for entry in &self.rules {
            if entry.matches(path, self.memory_of_regex())? {
                return entry.resolve(&self.path, self.stores);
            }
            let path_regex = entry.path_regex.clone().unwrap_or_default();
            skipped.push(SkippedRule { number: entry.number, line: entry.line, path_regex });
        }
        let detail = match self.rules.len() {
            0 => String::from("it has no rule"),
            rules => format!("{path:?} matches none of {rules}"),
        };
        Err(Error::with_detail(ErrorKind::NoCreationRule, detail))
    }

    /// What is wrong with any rule, whether or not a path was asked for that it matches.
    ///
    /// ```
    /// use sopskit::{Config, ErrorKind};
    ///
    /// let config = Config::parse("creation_rules: [{path_regex: '('}]", "/repo/.sops.yaml".as_ref())?;
    /// let kinds: Vec<_> = config.check().iter().map(|error| error.kind()).collect();
    /// assert_eq!(kinds, [ErrorKind::InvalidRegex, ErrorKind::NoRecipients]);
    /// # Ok::<(), sopskit::Error>(())
    /// ```
    #[must_use]
    pub fn check(&self) -> Vec<Error> {
        let problems = |entry: &Entry| {
            [
                entry.matches("", self.memory_of_regex()).err(),
                entry.resolve(&self.path, self.stores).err(),
                entry.recipients().err(),
            ]
        };
        self.rules.iter().flat_map(problems).flatten().map(|error| error.in_file(&self.path)).collect()
    }

    /// How encrypted and decrypted files of a format are indented.
    ///
    /// ```
    /// use sopskit::{Config, Format, Indent};
    ///
    /// let config = Config::parse("stores: {json: {indent: 2}}", "/repo/.sops.yaml".as_ref())?;
    /// assert_eq!(config.indent(Format::Json), Indent::Spaces(2));
    /// assert_eq!(config.indent(Format::Binary), Indent::Tab);
    /// # Ok::<(), sopskit::Error>(())
    /// ```
    #[must_use]
    pub fn indent(&self, format: Format) -> Indent {
        self.stores.indent(format)
    }

    fn read(text: &str, path: &Path) -> Result<Self> {
        let Some(root) = yaml::parse(text)? else { return Ok(Config::new(path, Vec::new(), Stores::default())) };
        let fields = root.fields().map_err(|error| error.at(root.position))?;
        let mut indices = 0..MAX_RULES;
        let mut rule = |item: &Arc<Node>| match indices.next() {
            Some(index) => Entry::parse(index, item),
            None => Err(invalid(format!("it has more than {MAX_RULES} creation rules"))),
        };
        let rules = fields.read(CREATION_RULES, |node| node.items(&mut rule))?;
        let stores = fields.read(STORES, |node| Stores::parse(node.fields()?))?;
        Ok(Config::new(path, rules, stores))
    }

    /// What the expression of each rule may take.
    fn memory_of_regex(&self) -> usize {
        MAX_COMPILED / self.rules.len().max(1)
    }

    fn new(path: &Path, rules: Vec<Entry>, stores: Stores) -> Self {
        Config { path: path.to_owned(), rules, stores, slashes: false }
    }
}

/// How files are spelled.
#[derive(Clone, Copy, Debug, Default)]
struct Stores {
    json: Indent,
    json_binary: Indent,
}

impl Stores {
    fn parse(fields: Fields<'_>) -> Result<Self> {
        let indent = |store| fields.read(store, |node| node.fields()?.read(INDENT, indent));
        Ok(Stores { json: indent("json")?, json_binary: indent("json_binary")? })
    }

    fn indent(self, format: Format) -> Indent {
        match format {
            Format::Json => self.json,
            Format::Binary => self.json_binary,
        }
    }
}

fn indent(node: &Node) -> Result<Indent> {
    match node.integer()? {
        None | Some(-1) => Ok(Indent::Tab),
        Some(spaces) => u8::try_from(spaces)
            .map(Indent::Spaces)
            .map_err(|_| invalid("an indent is -1 for a tab, or from 0 to 255 spaces")),
    }
}

fn invalid(detail: impl Into<String>) -> Error {
    Error::with_detail(ErrorKind::InvalidConfig, detail)
}
