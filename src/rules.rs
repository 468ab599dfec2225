//! Encryption rules: which leaves of a document are encrypted.
//!
//! Source: section 3 of the format page, `shouldBeEncrypted` in `sops.go`.

mod re2;

use std::fmt;

use regex::bytes::Regex;

use crate::error::{Error, ErrorKind, Result};

/// The suffix of keys whose values stay in clear unless a rule says otherwise.
pub const DEFAULT_UNENCRYPTED_SUFFIX: &str = "_unencrypted";

/// The names of the rules, in the metadata of a file and in a config file.
pub(crate) const FIELDS: [&str; 6] = [
    "unencrypted_suffix",
    "encrypted_suffix",
    "unencrypted_regex",
    "encrypted_regex",
    "unencrypted_comment_regex",
    "encrypted_comment_regex",
];

/// Which leaves of a document are encrypted. A rule looks at every key on the way to a leaf.
///
/// ```
/// use sopskit::{EncryptOptions, Recipients, Rule};
///
/// let recipients = Recipients::parse("age1w7873r7u6vgwnvm3rx5jmsc2eeahce2wce5w94d04r5qu0y6nyysemjf6a")?;
/// let rule = Rule::encrypted_regex("^(password|token)$")?;
/// let tree = sopskit::Map::from_iter([("user", "ada".into()), ("password", "hunter2".into())]);
/// let text = EncryptOptions::new().rule(rule).encrypt(tree, &recipients)?.to_string();
/// assert!(text.contains(r#""user": "ada""#) && !text.contains("hunter2"));
/// # Ok::<(), sopskit::Error>(())
/// ```
#[derive(Clone)]
pub struct Rule(Kind);

#[derive(Clone)]
enum Kind {
    UnencryptedSuffix(String),
    EncryptedSuffix(String),
    UnencryptedRegex(Pattern),
    EncryptedRegex(Pattern),
    UnencryptedCommentRegex(Pattern),
    EncryptedCommentRegex(Pattern),
}

/// A regular expression as the file spells it, and with the meaning that sops gives it.
#[derive(Clone)]
struct Pattern {
    text: String,
    matcher: Matcher,
}

#[derive(Clone)]
enum Matcher {
    /// One of a few words, as in `^(data|stringData)$`: what most rules are. To compile an expression takes longer than all else that is done with a small
    /// file.
    Words(Vec<String>),
    Regex(Regex),
}

/// So many words are looked at one by one.
const MAX_WORDS: usize = 32;

impl Pattern {
    fn new(text: &str) -> Result<Self> {
        let matcher = match words(text) {
            Some(words) => Matcher::Words(words),
            None => Matcher::Regex(re2::compile(text)?),
        };
        Ok(Pattern { text: text.to_owned(), matcher })
    }

    fn is_match(&self, key: &str) -> bool {
        match &self.matcher {
            Matcher::Words(words) => words.iter().any(|word| word == key),
            Matcher::Regex(regex) => regex.is_match(key.as_bytes()),
        }
    }
}

/// The words of an expression `^word$` or `^(word|word)$`; `None` for any other.
fn words(expression: &str) -> Option<Vec<String>> {
    let inside = expression.strip_prefix('^')?.strip_suffix('$')?;
    let inside = inside.strip_prefix('(').and_then(|inside| inside.strip_suffix(')')).unwrap_or(inside);
    let is_word =
        |word: &str| !word.is_empty() && word.bytes().all(|c| c.is_ascii_alphanumeric() || b"_-".contains(&c));
    let words: Vec<_> = inside.split('|').take(MAX_WORDS + 1).map(str::to_owned).collect();
    // Without the parentheses `^` and `$` belong to the first and the last word only.
    let is_closed = words.len() == 1 || expression.starts_with("^(");
    (words.len() <= MAX_WORDS && is_closed && words.iter().all(|word| is_word(word))).then_some(words)
}

impl Rule {
    /// Everything is encrypted but what stands under a key with this ending.
    #[must_use]
    pub fn unencrypted_suffix(suffix: impl Into<String>) -> Self {
        Rule(Kind::UnencryptedSuffix(suffix.into()))
    }

    /// Only what stands under a key with this ending is encrypted.
    #[must_use]
    pub fn encrypted_suffix(suffix: impl Into<String>) -> Self {
        Rule(Kind::EncryptedSuffix(suffix.into()))
    }

    /// Everything is encrypted but what stands under a key that matches, anywhere in the key, in the syntax of RE2.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRegex`] when sops could not compile the expression.
    pub fn unencrypted_regex(regex: &str) -> Result<Self> {
        Ok(Rule(Kind::UnencryptedRegex(Pattern::new(regex)?)))
    }

    /// Only what stands under a key that matches, anywhere in the key, in the syntax of RE2, is encrypted.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRegex`] when sops could not compile the expression.
    pub fn encrypted_regex(regex: &str) -> Result<Self> {
        Ok(Rule(Kind::EncryptedRegex(Pattern::new(regex)?)))
    }

    /// Everything is encrypted but what stands under a comment that matches. JSON has no comments: everything is encrypted.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRegex`] when sops could not compile the expression.
    pub fn unencrypted_comment_regex(regex: &str) -> Result<Self> {
        Ok(Rule(Kind::UnencryptedCommentRegex(Pattern::new(regex)?)))
    }

    /// Only what stands under a comment that matches is encrypted. JSON has no comments: nothing is encrypted.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRegex`] when sops could not compile the expression.
    pub fn encrypted_comment_regex(regex: &str) -> Result<Self> {
        Ok(Rule(Kind::EncryptedCommentRegex(Pattern::new(regex)?)))
    }

    /// The rule that a metadata field of this name with this text stands for; `None` when the name is none of the six.
    pub(crate) fn from_field(name: &str, text: &str) -> Option<Result<Self>> {
        Some(match name {
            "unencrypted_suffix" => Ok(Rule::unencrypted_suffix(text)),
            "encrypted_suffix" => Ok(Rule::encrypted_suffix(text)),
            "unencrypted_regex" => Rule::unencrypted_regex(text),
            "encrypted_regex" => Rule::encrypted_regex(text),
            "unencrypted_comment_regex" => Rule::unencrypted_comment_regex(text),
            "encrypted_comment_regex" => Rule::encrypted_comment_regex(text),
            _ => return None,
        })
    }

    /// The metadata field of this rule and its text.
    pub(crate) fn field(&self) -> (&'static str, &str) {
        match &self.0 {
            Kind::UnencryptedSuffix(suffix) => ("unencrypted_suffix", suffix),
            Kind::EncryptedSuffix(suffix) => ("encrypted_suffix", suffix),
            Kind::UnencryptedRegex(pattern) => ("unencrypted_regex", &pattern.text),
            Kind::EncryptedRegex(pattern) => ("encrypted_regex", &pattern.text),
            Kind::UnencryptedCommentRegex(pattern) => ("unencrypted_comment_regex", &pattern.text),
            Kind::EncryptedCommentRegex(pattern) => ("encrypted_comment_regex", &pattern.text),
        }
    }

    /// Whether the rule speaks of this key.
    pub(crate) fn matches(&self, key: &str) -> bool {
        match &self.0 {
            Kind::UnencryptedSuffix(suffix) | Kind::EncryptedSuffix(suffix) => key.ends_with(suffix.as_str()),
            Kind::UnencryptedRegex(pattern) | Kind::EncryptedRegex(pattern) => pattern.is_match(key),
            Kind::UnencryptedCommentRegex(_) | Kind::EncryptedCommentRegex(_) => false,
        }
    }

    /// Whether a leaf is encrypted, given whether the rule speaks of some key on the way to it.
    pub(crate) fn selects(&self, matched: bool) -> bool {
        match &self.0 {
            Kind::UnencryptedSuffix(_) | Kind::UnencryptedRegex(_) | Kind::UnencryptedCommentRegex(_) => !matched,
            Kind::EncryptedSuffix(_) | Kind::EncryptedRegex(_) | Kind::EncryptedCommentRegex(_) => matched,
        }
    }
}

impl Default for Rule {
    /// Everything is encrypted but what stands under a key that ends with [`DEFAULT_UNENCRYPTED_SUFFIX`].
    fn default() -> Self {
        Rule::unencrypted_suffix(DEFAULT_UNENCRYPTED_SUFFIX)
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (field, text) = self.field();
        write!(f, "Rule({field}: {text:?})")
    }
}

impl fmt::Display for Rule {
    /// As in the metadata of a file: `encrypted_regex: ^token$`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (field, text) = self.field();
        write!(f, "{field}: {text}")
    }
}

/// Whether an expression in the syntax of RE2, for which there are so many bytes of memory, matches anywhere in a text.
///
/// # Errors
/// [`ErrorKind::InvalidRegex`] when sops could not compile the expression, or it takes more memory.
#[cfg(feature = "config")]
pub(crate) fn is_match(regex: &str, memory: usize, text: &str) -> Result<bool> {
    Ok(re2::compile_within(regex, memory)?.is_match(text.as_bytes()))
}

fn invalid(detail: impl Into<String>) -> Error {
    Error::with_detail(ErrorKind::InvalidRegex, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_told_from_other_expressions_and_match_as_the_expression_does() {
        for (expression, is_words) in [
            ("^a$", true),
            ("^(a)$", true),
            ("^(data|stringData)$", true),
            ("^(a-b|c_d|9)$", true),
            ("^a|b$", false),
            ("^(a|b$", false),
            ("^a|b)$", false),
            ("^(a|)$", false),
            ("^()$", false),
            ("^$", false),
            ("^(a|b)", false),
            ("(a|b)$", false),
            ("^(a.b)$", false),
            ("^(a|(b))$", false),
            ("^(?i)(a)$", false),
            ("^(a)(b)$", false),
            ("^a\\$", false),
            ("^ä$", false),
        ] {
            assert_eq!(words(expression).is_some(), is_words, "{expression}");
            let (Ok(pattern), Ok(regex)) = (Pattern::new(expression), re2::compile(expression)) else {
                assert!(Pattern::new(expression).is_err() && re2::compile(expression).is_err(), "{expression}");
                continue;
            };
            for key in ["", "a", "b", "ab", "data", "stringData", "xdata", "data\n", "a-b", "c_d", "9", "A", "a|b", "ä"]
            {
                assert_eq!(pattern.is_match(key), regex.is_match(key.as_bytes()), "{expression} {key:?}");
            }
        }
        let many = format!("^({})$", vec!["a"; MAX_WORDS + 1].join("|"));
        assert!(words(&many).is_none() && Pattern::new(&many).unwrap().is_match("a"));
    }
}
