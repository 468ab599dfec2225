//! A token that could not be saved.

use std::fmt;

use super::Token;
use crate::error::{Error, ErrorKind};

/// A new token that could not be saved, and why: the source of an error of kind [`TokenNotSaved`](ErrorKind::TokenNotSaved).
///
/// A provider may have ended the old token when it gave the new one, so that this is the only one left.
///
/// ```
/// use sopskit::{Error, Token, UnsavedToken};
///
/// fn rescue(error: &Error) -> Option<&Token> {
///     UnsavedToken::of(error).map(UnsavedToken::token)
/// }
/// # assert!(rescue(&"[".parse::<sopskit::Value>().unwrap_err()).is_none());
/// ```
pub struct UnsavedToken {
    token: Token,
    why: Error,
}

impl UnsavedToken {
    /// What an error holds, if it is one of kind [`TokenNotSaved`](ErrorKind::TokenNotSaved).
    #[must_use]
    pub fn of(error: &Error) -> Option<&Self> {
        std::error::Error::source(error)?.downcast_ref()
    }

    /// The token.
    #[must_use]
    pub fn token(&self) -> &Token {
        &self.token
    }

    /// What kept it from being saved.
    #[must_use]
    pub fn why(&self) -> &Error {
        &self.why
    }

    pub(super) fn error(token: Token, why: Error) -> Error {
        Error::caused(ErrorKind::TokenNotSaved, Box::new(UnsavedToken { token, why }))
    }
}

impl fmt::Display for UnsavedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.why.fmt(f)
    }
}

impl fmt::Debug for UnsavedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnsavedToken").field("why", &self.why).finish_non_exhaustive()
    }
}

impl std::error::Error for UnsavedToken {}
