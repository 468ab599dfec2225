//! Tokens in memory.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use super::provider::Provider;
use super::{Clock, Token, TokenStorage, WAIT};
use crate::error::{Error, ErrorKind, Result};

/// Tokens in memory: for tests, and for tokens that are not to outlive the process. Wiped on drop.
///
/// ```
/// use sopskit::{MemoryStorage, Token, TokenStorage};
///
/// let storage = MemoryStorage::new();
/// assert!(storage.load("github")?.is_none());
/// storage.save("github", &Token::new("gho_1"))?;
/// assert_eq!(storage.load("github")?.unwrap().access_token(), "gho_1");
/// # Ok::<(), sopskit::Error>(())
/// ```
pub struct MemoryStorage {
    slots: Mutex<BTreeMap<String, Slot>>,
    /// Told when a provider is no longer being worked at.
    freed: Condvar,
    wait: Duration,
    clock: Clock,
}

#[derive(Default)]
struct Slot {
    token: Option<Token>,
    is_held: bool,
}

impl MemoryStorage {
    /// An empty storage.
    #[must_use]
    pub fn new() -> Self {
        MemoryStorage { slots: Mutex::default(), freed: Condvar::new(), wait: WAIT, clock: Box::new(Utc::now) }
    }

    /// How long to wait for another thread that is at work on the same provider: 30 seconds, unless this says otherwise.
    #[must_use]
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// Another clock than that of the system.
    #[must_use]
    pub fn clock(mut self, now: impl Fn() -> DateTime<Utc> + Send + Sync + 'static) -> Self {
        self.clock = Box::new(now);
        self
    }

    fn slots(&self) -> MutexGuard<'_, BTreeMap<String, Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hold<'a>(&'a self, provider: &'a str) -> Result<Held<'a>> {
        let is_held = |slots: &mut BTreeMap<String, Slot>| slots.get(provider).is_some_and(|slot| slot.is_held);
        let deadline = Instant::now().checked_add(self.wait);
        let mut slots = self.slots();
        while is_held(&mut slots) {
            let left = deadline.map_or(self.wait, |at| at.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                let detail = format!("{provider:?} did not become free within {} seconds", self.wait.as_secs_f32());
                return Err(Error::with_detail(ErrorKind::Busy, detail));
            }
            slots = self.freed.wait_timeout(slots, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        slots.entry(provider.to_owned()).or_default().is_held = true;
        Ok(Held { storage: self, provider })
    }
}

/// A provider that no other thread works at.
struct Held<'a> {
    storage: &'a MemoryStorage,
    provider: &'a str,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let mut slots = self.storage.slots();
        if let Some(slot) = slots.get_mut(self.provider) {
            slot.is_held = false;
            if slot.token.is_none() {
                slots.remove(self.provider);
            }
        }
        self.storage.freed.notify_all();
    }
}

impl TokenStorage for MemoryStorage {
    fn save(&self, provider: &str, token: &Token) -> Result<()> {
        self.update(provider, &mut |_| Ok(Some(token.copy()))).map(drop)
    }

    fn load(&self, provider: &str) -> Result<Option<Token>> {
        Provider::new(provider)?;
        Ok(self.slots().get(provider).and_then(|slot| slot.token.as_ref()).map(Token::copy))
    }

    fn delete(&self, provider: &str) -> Result<bool> {
        Provider::new(provider)?;
        let held = self.hold(provider)?;
        let token = self.slots().get_mut(held.provider).and_then(|slot| slot.token.take());
        Ok(token.is_some())
    }

    fn exists(&self, provider: &str) -> Result<bool> {
        Provider::new(provider)?;
        Ok(self.slots().get(provider).is_some_and(|slot| slot.token.is_some()))
    }

    fn list(&self) -> Result<Vec<String>> {
        let slots = self.slots();
        Ok(slots.iter().filter(|(_, slot)| slot.token.is_some()).map(|(provider, _)| provider.clone()).collect())
    }

    fn update(
        &self,
        provider: &str,
        change: &mut dyn FnMut(Option<&Token>) -> Result<Option<Token>>,
    ) -> Result<Option<Token>> {
        Provider::new(provider)?;
        let held = self.hold(provider)?;
        let old = self.load(provider)?;
        let Some(new) = change(old.as_ref())? else { return Ok(old) };
        if let Some(slot) = self.slots().get_mut(held.provider) {
            slot.token = Some(new.copy());
        }
        Ok(Some(new))
    }

    fn now(&self) -> DateTime<Utc> {
        (self.clock)()
    }
}

impl Default for MemoryStorage {
    fn default() -> Self {
        MemoryStorage::new()
    }
}

impl fmt::Debug for MemoryStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStorage").field("providers", &self.slots().keys()).finish_non_exhaustive()
    }
}
