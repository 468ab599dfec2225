//! Key services: how master keys that this crate cannot use itself are used all the same.

use zeroize::Zeroizing;

use crate::metadata::MasterKey;

/// Why a key service could not wrap or unwrap. Its text becomes a part of an [`Error`](crate::Error): it must not hold a secret.
pub type ServiceError = Box<dyn std::error::Error + Send + Sync>;

/// Something that wraps and unwraps the data key of a file for master keys of some kind: a client of a cloud's KMS, a hardware token.
///
/// [`Identities`](crate::Identities) is the one for age. Each answer is `None` where the key is not the service's business; another service is then asked. An array
/// or a vector of services is a service too, which asks its members in turn.
///
/// The term is that of sops (`keyservice/` in its sources).
///
/// ```
/// use sopskit::{Document, EncryptOptions, EncryptedDocument, KeyService, Map, MasterKey, Recipients, ServiceError};
/// use zeroize::Zeroizing;
///
/// /// Stands for a client of AWS KMS. This one only turns the bytes around.
/// struct Kms;
///
/// impl KeyService for Kms {
///     fn wrap(&self, key: &MasterKey, secret: &[u8]) -> Option<Result<String, ServiceError>> {
///         let MasterKey::Kms { .. } = key else { return None };
///         Some(Ok(secret.iter().rev().map(|byte| format!("{byte:02x}")).collect()))
///     }
///
///     fn unwrap(&self, key: &MasterKey, enc: &str) -> Option<Result<Zeroizing<Vec<u8>>, ServiceError>> {
///         let MasterKey::Kms { .. } = key else { return None };
///         let bytes = enc.as_bytes().rchunks(2).map(|pair| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?));
///         Some(bytes.collect::<Result<_, ServiceError>>().map(Zeroizing::new))
///     }
/// }
///
/// let key = MasterKey::Kms {
///     arn: "arn:aws:kms:eu-central-1:1:key/2".into(),
///     role: None,
///     context: Default::default(),
///     aws_profile: String::new(),
/// };
/// let tree = Map::from_iter([("password", "hunter2".into())]);
/// let sealed = EncryptOptions::new().encrypt_with(tree, &Recipients::from_keys([key])?, &Kms)?.to_string();
/// let document: Document = EncryptedDocument::parse(sealed.as_bytes())?.decrypt(&Kms)?;
/// assert_eq!(document.get("[\"password\"]")?.as_str(), Some("hunter2"));
/// # Ok::<(), sopskit::Error>(())
/// ```
pub trait KeyService {
    /// Wraps a data key, or a share of one, for a master key: the text that stands as `enc` in the file.
    ///
    /// # Errors
    /// Whatever keeps the service from it; it becomes an error of kind [`CannotWrap`](crate::ErrorKind::CannotWrap).
    fn wrap(&self, key: &MasterKey, secret: &[u8]) -> Option<Result<String, ServiceError>>;

    /// Unwraps what [`wrap`](Self::wrap) made.
    ///
    /// # Errors
    /// Whatever keeps the service from it. The other master keys are tried then; when none opens the file, it becomes a line of the error.
    fn unwrap(&self, key: &MasterKey, enc: &str) -> Option<Result<Zeroizing<Vec<u8>>, ServiceError>>;

    /// Whether this master key is likely to be unwrapped, so that it is tried first.
    fn prefers(&self, key: &MasterKey) -> bool {
        let _ = key;
        false
    }

    /// What a person should know when nothing opened a file, a line each: where keys were looked for, and what was found.
    fn report(&self) -> Vec<String> {
        Vec::new()
    }
}

/// No service: for documents whose master keys are all of age.
pub(crate) struct NoService;

impl KeyService for NoService {
    fn wrap(&self, _: &MasterKey, _: &[u8]) -> Option<Result<String, ServiceError>> {
        None
    }

    fn unwrap(&self, _: &MasterKey, _: &str) -> Option<Result<Zeroizing<Vec<u8>>, ServiceError>> {
        None
    }
}

/// The first answer that helps, else the first that says why not.
pub(super) fn first<T, E>(answers: impl Iterator<Item = Result<T, E>>) -> Option<Result<T, E>> {
    let mut failure = None;
    for answer in answers {
        match answer {
            Ok(answer) => return Some(Ok(answer)),
            Err(error) => drop(failure.get_or_insert(error)),
        }
    }
    failure.map(Err)
}

macro_rules! services {
    ($([$($parameter:tt)*] $services:ty;)*) => {
        $(impl<$($parameter)*> KeyService for $services {
            fn wrap(&self, key: &MasterKey, secret: &[u8]) -> Option<Result<String, ServiceError>> {
                first(self.iter().filter_map(|service| service.wrap(key, secret)))
            }

            fn unwrap(&self, key: &MasterKey, enc: &str) -> Option<Result<Zeroizing<Vec<u8>>, ServiceError>> {
                first(self.iter().filter_map(|service| service.unwrap(key, enc)))
            }

            fn prefers(&self, key: &MasterKey) -> bool {
                self.iter().any(|service| service.prefers(key))
            }

            fn report(&self) -> Vec<String> {
                self.iter().flat_map(|service| service.report()).collect()
            }
        })*
    };
}

services! {
    [const N: usize] [&dyn KeyService; N];
    [] Vec<Box<dyn KeyService>>;
}
