//! New identities.

use std::fmt;
use std::path::Path;

use chrono::{DateTime, SecondsFormat, Utc};
use zeroize::Zeroizing;

use super::age;
use crate::error::Result;
use crate::fs;
use crate::secret::{Text, on_wiped_stack};

/// A new age identity and its recipient. `Debug` shows the recipient only.
///
/// ```
/// use sopskit::{Identities, NewIdentity, Recipients};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("keys.txt");
/// let new = NewIdentity::x25519();
/// new.create_file(&path)?; // for its owner only; an existing file is never touched
/// assert_eq!(Identities::from_file(&path)?.recipients().next(), Some(new.recipient()));
/// assert!(Recipients::parse(new.recipient()).is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct NewIdentity {
    secret: Text,
    recipient: String,
    created: DateTime<Utc>,
}

impl NewIdentity {
    /// An X25519 identity, as `age-keygen` makes it.
    #[must_use]
    pub fn x25519() -> Self {
        NewIdentity::new(on_wiped_stack(age::generate_x25519))
    }

    /// A hybrid post-quantum identity, as `age-keygen -pq` makes it: for age 1.3 and sops 3.12 or later. Feature `pq`.
    #[cfg(feature = "pq")]
    #[must_use]
    pub fn post_quantum() -> Self {
        NewIdentity::new(on_wiped_stack(super::pq::generate))
    }

    fn new((secret, recipient): (Text, String)) -> Self {
        NewIdentity { secret, recipient, created: Utc::now() }
    }

    /// The public key, `age1…`.
    #[must_use]
    pub fn recipient(&self) -> &str {
        &self.recipient
    }

    /// The secret key, `AGE-SECRET-KEY-1…` or `AGE-SECRET-KEY-PQ-1…`.
    #[must_use]
    pub fn secret(&self) -> &str {
        self.secret.as_str()
    }

    /// A key file: the time and the public key as comments, then the secret key.
    ///
    /// Source: `cmd/age-keygen/keygen.go` of age.
    #[must_use]
    pub fn key_file(&self) -> Text {
        let created = self.created.to_rfc3339_opts(SecondsFormat::Secs, true);
        let parts = ["# created: ", &created, "\n# public key: ", &self.recipient, "\n", self.secret(), "\n"];
        // Of the full length from the start: a string that grows leaves copies behind that nobody wipes.
        let mut text = Zeroizing::new(String::with_capacity(parts.iter().map(|part| part.len()).sum()));
        parts.iter().for_each(|part| text.push_str(part));
        Text::from(text)
    }

    /// Writes a new key file that only its owner can read.
    ///
    /// # Errors
    /// [`ErrorKind::Write`](crate::ErrorKind::Write), also when there is a file of that name already: it stays as it is.
    pub fn create_file(&self, path: impl AsRef<Path>) -> Result<()> {
        fs::create_file(path, self.key_file().as_str().as_bytes())
    }
}

impl fmt::Debug for NewIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewIdentity").field("recipient", &self.recipient).finish_non_exhaustive()
    }
}
