//! A key service that remembers what another one has unwrapped.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use zeroize::Zeroizing;

use super::service::{KeyService, ServiceError};
use crate::metadata::MasterKey;

/// What was unwrapped of late, the newest first, of at most `capacity` wrapped keys. Wiped when it is forgotten.
///
/// What a wrapped key opens to never changes: the text of the wrapped key says it all.
pub(crate) struct Cache {
    capacity: usize,
    known: Mutex<VecDeque<Known>>,
}

struct Known {
    key: MasterKey,
    enc: String,
    secret: Zeroizing<Vec<u8>>,
}

impl Cache {
    pub(crate) fn new(capacity: usize) -> Self {
        Cache { capacity, known: Mutex::default() }
    }

    /// A service that asks this cache first, and then `service`.
    pub(crate) fn before<'a>(&'a self, service: &'a dyn KeyService) -> impl KeyService + 'a {
        Cached { cache: self, service }
    }

    fn known(&self) -> MutexGuard<'_, VecDeque<Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, key: &MasterKey, enc: &str) -> Option<Zeroizing<Vec<u8>>> {
        let mut known = self.known();
        let index = known.iter().position(|known| known.enc == enc && known.key == *key)?;
        let found = known.remove(index)?;
        let secret = found.secret.clone();
        known.push_front(found);
        Some(secret)
    }

    fn put(&self, key: &MasterKey, enc: &str, secret: &Zeroizing<Vec<u8>>) {
        let mut known = self.known();
        known.push_front(Known { key: key.clone(), enc: enc.to_owned(), secret: secret.clone() });
        known.truncate(self.capacity);
    }
}

struct Cached<'a> {
    cache: &'a Cache,
    service: &'a dyn KeyService,
}

impl KeyService for Cached<'_> {
    fn wrap(&self, key: &MasterKey, secret: &[u8]) -> Option<Result<String, ServiceError>> {
        self.service.wrap(key, secret)
    }

    fn unwrap(&self, key: &MasterKey, enc: &str) -> Option<Result<Zeroizing<Vec<u8>>, ServiceError>> {
        if let Some(secret) = self.cache.get(key, enc) {
            return Some(Ok(secret));
        }
        let answer = self.service.unwrap(key, enc);
        if let Some(Ok(secret)) = &answer {
            self.cache.put(key, enc, secret);
        }
        answer
    }

    fn prefers(&self, key: &MasterKey) -> bool {
        self.service.prefers(key)
    }

    fn report(&self) -> Vec<String> {
        self.service.report()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Answers with the wrapped text, and counts.
    #[derive(Default)]
    struct Counting(AtomicUsize);

    impl KeyService for Counting {
        fn wrap(&self, _: &MasterKey, _: &[u8]) -> Option<Result<String, ServiceError>> {
            None
        }

        fn unwrap(&self, _: &MasterKey, enc: &str) -> Option<Result<Zeroizing<Vec<u8>>, ServiceError>> {
            self.0.fetch_add(1, Ordering::Relaxed);
            match enc {
                "broken" => Some(Err("broken".into())),
                enc => Some(Ok(Zeroizing::new(enc.as_bytes().to_vec()))),
            }
        }
    }

    #[test]
    fn what_was_unwrapped_is_asked_for_once_as_long_as_there_is_room() {
        let (cache, service) = (Cache::new(2), Counting::default());
        let cached = cache.before(&service);
        let key = MasterKey::Age { recipient: "age1".into() };
        let other = MasterKey::Age { recipient: "age2".into() };
        for (key, enc, asked) in [
            (&key, "a", 1),
            (&key, "a", 1),
            (&other, "a", 2),
            (&key, "a", 2),
            // The third: what was not asked for longest is forgotten.
            (&key, "b", 3),
            (&key, "a", 3),
            (&other, "a", 4),
        ] {
            assert_eq!(cached.unwrap(key, enc).unwrap().unwrap().as_slice(), enc.as_bytes());
            assert_eq!(service.0.load(Ordering::Relaxed), asked, "{key} {enc}");
        }
    }

    #[test]
    fn a_failure_is_not_remembered_and_no_room_is_no_memory() {
        let (cache, service) = (Cache::new(0), Counting::default());
        let cached = cache.before(&service);
        let key = MasterKey::Age { recipient: "age1".into() };
        for enc in ["broken", "broken", "a", "a"] {
            assert_eq!(cached.unwrap(&key, enc).unwrap().is_ok(), enc != "broken");
        }
        assert_eq!(service.0.load(Ordering::Relaxed), 4);
        assert!(cache.known().is_empty());
    }
}
