//! New identities: in the form of age-keygen, never over an old one.

mod support;

use std::fs;

use sopskit::{ErrorKind, Identities, NewIdentity, Recipients};

/// The lines of a key file as age-keygen writes it.
fn assert_is_key_file(new: &NewIdentity, secret: &str) {
    let text = new.key_file();
    let lines: Vec<_> = text.as_str().split('\n').collect();
    let [created, public, key, ""] = lines[..] else { panic!("{} lines", lines.len()) };
    chrono::DateTime::parse_from_rfc3339(created.strip_prefix("# created: ").unwrap()).unwrap();
    assert_eq!(public, format!("# public key: {}", new.recipient()));
    assert!(key.starts_with(secret) && key == new.secret());
    let identities = Identities::parse(text.as_str()).unwrap();
    assert_eq!(identities.recipients().collect::<Vec<_>>(), [new.recipient()]);
    let recipients = Recipients::parse(new.recipient()).unwrap();
    let sealed = sopskit::encrypt(&std::collections::BTreeMap::from([("a", "b")]), &recipients).unwrap();
    let map: std::collections::BTreeMap<String, String> = sopskit::decrypt(sealed.as_bytes(), &identities).unwrap();
    assert_eq!(map["a"], "b");
    assert!(!format!("{new:?}").contains("SECRET"), "{new:?}");
}

#[test]
fn a_new_identity_has_the_form_of_age_keygen_and_opens_what_is_for_it() {
    assert_is_key_file(&NewIdentity::x25519(), "AGE-SECRET-KEY-1");
    #[cfg(feature = "pq")]
    assert_is_key_file(&NewIdentity::post_quantum(), "AGE-SECRET-KEY-PQ-1");
}

#[test]
fn no_two_are_the_same() {
    assert_ne!(NewIdentity::x25519().secret(), NewIdentity::x25519().secret());
}

#[test]
fn a_key_file_is_for_its_owner_only_and_never_replaces_another() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.txt");
    let first = NewIdentity::x25519();
    first.create_file(&path).unwrap();
    #[cfg(unix)]
    assert_eq!(std::os::unix::fs::MetadataExt::mode(&fs::metadata(&path).unwrap()) & 0o777, 0o600);
    let error = NewIdentity::x25519().create_file(&path).unwrap_err();
    assert_eq!((error.kind(), error.file()), (ErrorKind::Write, Some(path.as_path())));
    assert_eq!(fs::read_to_string(&path).unwrap(), first.key_file().as_str());
    #[cfg(unix)]
    {
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path().join("elsewhere"), &link).unwrap();
        assert_eq!(NewIdentity::x25519().create_file(&link).unwrap_err().kind(), ErrorKind::Write);
        assert!(!folder.path().join("elsewhere").exists(), "nothing is written through a link");
    }
}
