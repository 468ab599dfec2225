//! What became of the places where identities were looked for.

use std::fmt;

use crate::error::redacted;

/// A place where identities were looked for, and what became of it. By [`Identities::sources`](crate::Identities::sources).
///
/// `Display` is one line for a person.
///
/// ```
/// use sopskit::{Environment, Identities, KeyOutcome};
///
/// let environment = Environment::from_iter([("SOPS_AGE_KEY_FILE", "fixtures/keys/alice.txt")]);
/// let identities = Identities::from_environment(&environment);
/// let found = identities.sources().find(|source| matches!(source.outcome(), KeyOutcome::Identity(_)));
/// assert_eq!(found.unwrap().name(), "SOPS_AGE_KEY_FILE (fixtures/keys/alice.txt)");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySource {
    name: String,
    outcome: KeyOutcome,
}

/// What became of a place where identities were looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyOutcome {
    /// An identity, by its recipient. (Of plugins, which tell none, by the name of the program.)
    Identity(String),
    /// There is nothing, and nobody said that there is: a variable that is not set, a default file that does not exist.
    Nothing(String),
    /// It is turned to only when no other identity fits: a file with a passphrase, a program.
    Deferred,
    /// What is wrong with it.
    Problem(String),
}

impl KeySource {
    pub(super) fn new(name: &str, outcome: KeyOutcome) -> Self {
        let outcome = match outcome {
            KeyOutcome::Problem(problem) => KeyOutcome::Problem(redacted(problem)),
            other => other,
        };
        KeySource { name: redacted(name.to_owned()), outcome }
    }

    /// The name of the variable, with the file where it names one, or of the file.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What became of it.
    #[must_use]
    pub fn outcome(&self) -> &KeyOutcome {
        &self.outcome
    }
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match &self.outcome {
            KeyOutcome::Identity(recipient) => write!(f, "{name}: the identity of {recipient}"),
            KeyOutcome::Nothing(why) => write!(f, "{name}: {why}"),
            KeyOutcome::Deferred => write!(f, "{name}: turned to when no other identity fits"),
            KeyOutcome::Problem(problem) if problem.starts_with("line ") => write!(f, "{name}, {problem}"),
            KeyOutcome::Problem(problem) => write!(f, "{name}: {problem}"),
        }
    }
}
