//! OAuth tokens, and where they are kept: in memory, in plain files, in SOPS files.
//!
//! The files are shared with the Python package kstlib (`kstlib.auth.token`): each reads what the other writes.

mod directory;
mod file;
mod memory;
mod open;
mod provider;
mod sops;
mod status;
mod token;
mod unsaved;

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::error::{Error, ErrorKind, Result};

pub use file::FileStorage;
pub use memory::MemoryStorage;
pub use open::{StorageOptions, StorageSettings, open_storage};
pub use sops::SopsStorage;
pub use status::TokenStatus;
pub use token::Token;
pub use unsaved::UnsavedToken;

/// How long a storage waits for another process or thread that is at work on the same provider: 30 seconds.
const WAIT: Duration = Duration::from_secs(30);

/// The time of day, or another one in tests.
type Clock = Box<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// What a function that gets a new token answers when it cannot. Its text becomes a part of an [`Error`]: it must not hold a secret.
pub type RefreshError = Box<dyn std::error::Error + Send + Sync>;

/// Keeps one token for each provider.
///
/// [`MemoryStorage`], [`FileStorage`] and [`SopsStorage`] are there; other places need six small methods, as here for anything that
/// holds texts under names:
///
/// ```
/// use std::collections::BTreeMap;
/// use std::sync::Mutex;
///
/// use sopskit::{Bytes, Result, Token, TokenStorage};
///
/// #[derive(Default)]
/// struct Vault(Mutex<BTreeMap<String, Bytes>>);
///
/// impl TokenStorage for Vault {
///     fn save(&self, provider: &str, token: &Token) -> Result<()> {
///         self.update(provider, &mut |_| Token::from_json(&token.to_json()?).map(Some)).map(drop)
///     }
///
///     fn load(&self, provider: &str) -> Result<Option<Token>> {
///         self.0.lock().unwrap().get(provider).map(|json| Token::from_json(json)).transpose()
///     }
///
///     fn delete(&self, provider: &str) -> Result<bool> {
///         Ok(self.0.lock().unwrap().remove(provider).is_some())
///     }
///
///     fn exists(&self, provider: &str) -> Result<bool> {
///         Ok(self.0.lock().unwrap().contains_key(provider))
///     }
///
///     fn list(&self) -> Result<Vec<String>> {
///         Ok(self.0.lock().unwrap().keys().cloned().collect())
///     }
///
///     fn update(
///         &self,
///         provider: &str,
///         change: &mut dyn FnMut(Option<&Token>) -> Result<Option<Token>>,
///     ) -> Result<Option<Token>> {
///         let mut tokens = self.0.lock().unwrap(); // nobody else changes a token meanwhile
///         let old = tokens.get(provider).map(|json| Token::from_json(json)).transpose()?;
///         let Some(new) = change(old.as_ref())? else { return Ok(old) };
///         tokens.insert(provider.to_owned(), new.to_json()?);
///         Ok(Some(new))
///     }
/// }
///
/// let storage: Box<dyn TokenStorage> = Box::new(Vault::default());
/// storage.save("github", &Token::new("gho_1"))?;
/// let new = storage.refresh_rejected("github", "gho_1", &mut |_| Ok(Token::new("gho_2")))?;
/// assert_eq!(new.access_token(), "gho_2");
/// assert_eq!(storage.list()?, ["github"]);
/// # Ok::<(), sopskit::Error>(())
/// ```
///
/// A provider is named by 1 to 128 characters.
pub trait TokenStorage: Send + Sync {
    /// Keeps a token; the one that was there is replaced.
    ///
    /// # Errors
    /// Whatever keeps the storage from it; the old token is then still there. [`ErrorKind::InvalidProvider`] for a name that is none.
    fn save(&self, provider: &str, token: &Token) -> Result<()>;

    /// The token of a provider; `None` only when there is none.
    ///
    /// # Errors
    /// Whatever keeps the storage from it: what is there and cannot be read is never `None`.
    fn load(&self, provider: &str) -> Result<Option<Token>>;

    /// Removes the token of a provider. Says whether there was one.
    ///
    /// # Errors
    /// Whatever keeps the storage from it.
    fn delete(&self, provider: &str) -> Result<bool>;

    /// Whether there is a token of a provider, readable or not.
    ///
    /// # Errors
    /// Whatever keeps the storage from finding out.
    fn exists(&self, provider: &str) -> Result<bool>;

    /// The providers of which there is a token, in order.
    ///
    /// # Errors
    /// Whatever keeps the storage from it.
    fn list(&self) -> Result<Vec<String>>;

    /// Changes a token while nobody else does: `change` is called once, with the token that is there, and answers the one to keep or `None` to leave
    /// all as it is. The answer is the token that is there in the end.
    ///
    /// # Errors
    /// What `change` answers; [`ErrorKind::Busy`] when somebody else is at work for longer than the storage waits; those of [`load`](Self::load);
    /// [`ErrorKind::TokenNotSaved`], with the new token, when only saving it failed. The old token is then still there.
    fn update(
        &self,
        provider: &str,
        change: &mut dyn FnMut(Option<&Token>) -> Result<Option<Token>>,
    ) -> Result<Option<Token>>;

    /// Finds out whether a token could be saved, as far as that shows before it is: a provider is asked for a new one only then.
    ///
    /// # Errors
    /// Whatever would keep the storage from it.
    fn rehearse(&self, provider: &str, token: &Token) -> Result<()> {
        let _ = (provider, token);
        Ok(())
    }

    /// What time it is.
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    /// What can be said of a token; a [`SopsStorage`] says it without a key.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    fn status(&self, provider: &str) -> Result<Option<TokenStatus>> {
        Ok(self.load(provider)?.as_ref().map(TokenStatus::of))
    }

    /// A token that can be used: the one that is there, or where it [should be refreshed](Token::should_refresh) the one that `renew` gets for it.
    ///
    /// Of all threads and processes that ask at the same time one calls `renew`, once; the others wait for it and are given its token. `renew` is called
    /// only after [`rehearse`](Self::rehearse).
    ///
    /// ```
    /// use sopskit::{MemoryStorage, Token, TokenStorage};
    ///
    /// # fn ask_the_provider(_: &str) -> std::io::Result<Vec<u8>> { Ok(br#"{"access_token": "b", "expires_in": 3600}"#.to_vec()) }
    /// let storage = MemoryStorage::new();
    /// let old = br#"{"access_token": "a", "expires_in": 0, "refresh_token": "r"}"#;
    /// storage.save("github", &Token::from_response(old)?)?;
    /// let token = storage.refresh("github", &mut |old| {
    ///     let response = ask_the_provider(old.refresh_token().ok_or("no refresh token")?)?;
    ///     Ok(old.renewed(&response)?)
    /// })?;
    /// assert_eq!(token.access_token(), "b");
    /// # Ok::<(), sopskit::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::NoToken`] when there is none; [`ErrorKind::RefreshFailed`], with what `renew` answers as its source, when that fails: the old
    /// token is then still there; and those of [`update`](Self::update).
    fn refresh(&self, provider: &str, renew: &mut dyn FnMut(&Token) -> Result<Token, RefreshError>) -> Result<Token> {
        let seen = self.load(provider)?.ok_or_else(|| none(provider))?;
        if !seen.should_refresh_at(self.now()) {
            return Ok(seen);
        }
        renew_if(self, provider, renew, |now, time| {
            now.should_refresh_at(time) && now.access_token() == seen.access_token()
        })
    }

    /// As [`refresh`](Self::refresh), for an access token that the provider refused although its time is not up: `renew` is called unless there is
    /// another one by now that has not ended.
    ///
    /// # Errors
    /// As [`refresh`](Self::refresh).
    fn refresh_rejected(
        &self,
        provider: &str,
        access_token: &str,
        renew: &mut dyn FnMut(&Token) -> Result<Token, RefreshError>,
    ) -> Result<Token> {
        let must = |now: &Token, time| now.access_token() == access_token || now.is_expired_at(time);
        let seen = self.load(provider)?.ok_or_else(|| none(provider))?;
        if !must(&seen, self.now()) {
            return Ok(seen);
        }
        renew_if(self, provider, renew, must)
    }
}

/// The token that is there, or the one that `renew` gets if the one that is there `must` be replaced.
fn renew_if<S: TokenStorage + ?Sized>(
    storage: &S,
    provider: &str,
    renew: &mut dyn FnMut(&Token) -> Result<Token, RefreshError>,
    must: impl Fn(&Token, DateTime<Utc>) -> bool,
) -> Result<Token> {
    let token = storage.update(provider, &mut |old| {
        let old = old.ok_or_else(|| none(provider))?;
        if !must(old, storage.now()) {
            return Ok(None);
        }
        storage.rehearse(provider, old)?;
        renew(old).map(Some).map_err(|error| Error::caused(ErrorKind::RefreshFailed, error))
    })?;
    token.ok_or_else(|| none(provider))
}

fn none(provider: &str) -> Error {
    Error::with_detail(ErrorKind::NoToken, format!("{provider:?}"))
}
