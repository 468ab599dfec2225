//! What can be said of a token without using it.

use chrono::{DateTime, Utc};

use super::Token;
use super::token::read_time;
use crate::document::EncryptedDocument;
use crate::leaf::looks_sealed;
use crate::tree::{Map, Value};

/// What can be said of a token without its secrets.
///
/// That of a [`SopsStorage`](crate::SopsStorage) is read without a key, and so **not verified**: whoever can write the file can have changed it. What is encrypted in the
/// file is `None` here.
///
/// ```
/// use sopskit::{Identities, Recipients, SopsStorage, Token, TokenStorage};
///
/// # let folder = tempfile::tempdir()?;
/// # let directory = folder.path().join("tokens");
/// let recipients = Recipients::parse("age1w7873r7u6vgwnvm3rx5jmsc2eeahce2wce5w94d04r5qu0y6nyysemjf6a")?;
/// let storage = SopsStorage::new(directory, recipients, Identities::default());
/// storage.save("github", &Token::new("gho_1").with_scope(["repo"]))?;
/// let status = storage.status("github")?.unwrap();
/// assert_eq!(status.scope(), Some(&["repo".to_owned()][..]));
/// assert_eq!(status.recipients().len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenStatus {
    token_type: Option<String>,
    expires_at: Option<DateTime<Utc>>,
    issued_at: Option<DateTime<Utc>>,
    scope: Option<Vec<String>>,
    is_refreshable: Option<bool>,
    recipients: Vec<String>,
}

impl TokenStatus {
    pub(super) fn of(token: &Token) -> Self {
        TokenStatus {
            token_type: Some(token.token_type().to_owned()),
            expires_at: token.expires_at(),
            issued_at: token.issued_at(),
            scope: Some(token.scope().to_vec()),
            is_refreshable: Some(token.is_refreshable()),
            recipients: Vec::new(),
        }
    }

    pub(super) fn of_sealed(sealed: &EncryptedDocument) -> Self {
        let tree = sealed.tree();
        let time = |key| text(tree, key).and_then(read_time).map(|time| time.to_utc());
        TokenStatus {
            token_type: text(tree, "token_type").map(str::to_owned),
            expires_at: time("expires_at"),
            issued_at: time("issued_at"),
            scope: tree.get("scope").and_then(|scope| in_clear(scope).then(|| super::token::read_scope(scope))?),
            is_refreshable: tree.get("refresh_token").map(|token| !matches!(token, Value::Null)),
            recipients: sealed.metadata().key_groups().flatten().map(|wrapped| wrapped.key().to_string()).collect(),
        }
    }

    /// How the access token is used, as a rule `Bearer`.
    #[must_use]
    pub fn token_type(&self) -> Option<&str> {
        self.token_type.as_deref()
    }

    /// When the access token ends; `None` also where the provider did not say.
    #[must_use]
    pub fn expires_at(&self) -> Option<DateTime<Utc>> {
        self.expires_at
    }

    /// When the token was issued.
    #[must_use]
    pub fn issued_at(&self) -> Option<DateTime<Utc>> {
        self.issued_at
    }

    /// What the access token gives access to.
    #[must_use]
    pub fn scope(&self) -> Option<&[String]> {
        self.scope.as_deref()
    }

    /// Whether there is a refresh token.
    #[must_use]
    pub fn is_refreshable(&self) -> Option<bool> {
        self.is_refreshable
    }

    /// The master keys that open the file, kind and name of each; none where it is not encrypted.
    #[must_use]
    pub fn recipients(&self) -> &[String] {
        &self.recipients
    }
}

fn text<'a>(tree: &'a Map, key: &str) -> Option<&'a str> {
    tree.get(key).and_then(Value::as_str).filter(|text| !looks_sealed(text))
}

fn in_clear(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().all(in_clear),
        value => !value.as_str().is_some_and(looks_sealed),
    }
}
