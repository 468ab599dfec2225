//! Key groups, and master keys that a caller's key service wraps for.

mod support;

use std::collections::BTreeMap;

use sopskit::{
    Document, EncryptOptions, EncryptedDocument, ErrorKind, Identities, KeyKind, KeyService, Map, MasterKey,
    Recipients, ServiceError, Value,
};
use support::{identities, identity_text, public_key, recipients};
use zeroize::Zeroizing;

fn tree() -> Map {
    Map::from_iter([("a", Value::from("x")), ("b", Value::from(5))])
}

fn keys_of(names: &str) -> Identities {
    let keys: Vec<_> = names.split_whitespace().map(identity_text).collect();
    Identities::parse(&keys.join("\n")).unwrap()
}

#[test]
fn a_document_opens_with_enough_of_its_key_groups_and_with_no_fewer() {
    let group = |names: &[&str]| recipients(names);
    for (groups, threshold, enough, too_few) in [
        (
            vec![group(&["alice"]), group(&["bob"]), group(&["carol"])],
            Some(2),
            vec!["alice bob", "carol alice"],
            vec!["bob"],
        ),
        (
            vec![group(&["alice"]), group(&["bob"]), group(&["carol"])],
            None,
            vec!["alice bob carol"],
            vec!["alice carol"],
        ),
        (vec![group(&["alice", "bob"]), group(&["carol"])], None, vec!["alice carol", "bob carol"], vec!["alice bob"]),
        (vec![group(&["alice", "bob"])], Some(7), vec!["alice", "bob"], vec!["carol"]),
    ] {
        let recipients = Recipients::from_groups(groups.clone(), threshold).unwrap();
        let text = Document::new(tree(), &recipients).unwrap().encrypt().unwrap().to_string();
        let sealed = EncryptedDocument::parse(text.as_bytes()).unwrap();
        assert_eq!(sealed.metadata().key_groups().len(), groups.len());
        for names in enough {
            let mut document = sealed.decrypt(&keys_of(names)).unwrap();
            document.rotate().unwrap();
            assert_eq!(*document.encrypt().unwrap().decrypt(&keys_of(names)).unwrap().tree(), tree());
        }
        for names in too_few {
            let error = sealed.decrypt(&keys_of(names)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NoMatchingIdentity);
            assert!(groups.len() == 1 || error.to_string().contains("key groups are needed"), "{error}");
        }
    }
}

#[test]
fn key_groups_that_could_never_open_are_refused() {
    let one = || recipients(&["alice"]);
    for (groups, threshold) in [(2, Some(1)), (2, Some(0)), (2, Some(3)), (256, None)] {
        let error = Recipients::from_groups((0..groups).map(|_| one()), threshold).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRecipient, "{threshold:?} of {groups}");
    }
    assert_eq!(Recipients::from_groups([], None).unwrap_err().kind(), ErrorKind::NoRecipients);
}

/// A key service as a cloud might be: it knows the keys of one account, and keeps what it wraps to itself.
struct Account<'a> {
    number: &'a str,
    wrapped: std::sync::Mutex<BTreeMap<String, Vec<u8>>>,
}

impl Account<'_> {
    fn new(number: &str) -> Account<'_> {
        Account { number, wrapped: std::sync::Mutex::default() }
    }

    fn owns(&self, key: &MasterKey) -> bool {
        matches!(key, MasterKey::Kms { arn, .. } if arn.contains(self.number))
    }
}

impl KeyService for Account<'_> {
    fn wrap(&self, key: &MasterKey, secret: &[u8]) -> Option<Result<String, ServiceError>> {
        let mut wrapped = self.owns(key).then(|| self.wrapped.lock().unwrap())?;
        let ticket = format!("{}-{}", self.number, wrapped.len());
        wrapped.insert(ticket.clone(), secret.to_vec());
        Some(Ok(ticket))
    }

    fn unwrap(&self, key: &MasterKey, enc: &str) -> Option<Result<Zeroizing<Vec<u8>>, ServiceError>> {
        let wrapped = self.owns(key).then(|| self.wrapped.lock().unwrap())?;
        let secret = wrapped.get(enc).cloned().map(Zeroizing::new);
        Some(secret.ok_or_else(|| ServiceError::from(format!("account {} does not know this", self.number))))
    }
}

fn kms(account: &str) -> MasterKey {
    MasterKey::Kms {
        arn: format!("arn:aws:kms:eu-central-1:{account}:key/1"),
        role: Some(String::from("arn:aws:iam::1:role/reader")),
        context: BTreeMap::from([("Environment".into(), "production".into())]),
        aws_profile: String::from("default"),
    }
}

#[test]
fn a_key_service_carries_a_file_through_its_life() {
    let service = Account::new("111");
    let recipients = Recipients::from_keys([kms("111")]).unwrap();
    let options = EncryptOptions::new();
    // Made.
    let text = options.encrypt_with(tree(), &recipients, &service).unwrap().to_string();
    // Opened: the key comes back with all that names it.
    let sealed = EncryptedDocument::parse(text.as_bytes()).unwrap();
    let groups: Vec<_> = sealed.metadata().key_groups().collect();
    assert_eq!(groups[0][0].key(), &kms("111"));
    assert!(groups[0][0].created_at().is_some());
    let mut document = sealed.decrypt(&service).unwrap();
    // Edited: no service is needed, the data key stays.
    document.set(r#"["a"]"#, "y").unwrap();
    let edited = document.encrypt().unwrap();
    assert_eq!(edited.metadata().key_groups().next().unwrap()[0].enc(), groups[0][0].enc());
    // Rotated.
    let mut document = edited.decrypt(&service).unwrap();
    assert_eq!(document.rotate().unwrap_err().kind(), ErrorKind::CannotWrap);
    document.rotate_with(&service).unwrap();
    let rotated = document.encrypt().unwrap();
    assert_ne!(rotated.metadata().key_groups().next().unwrap()[0].enc(), groups[0][0].enc());
    assert_eq!(rotated.decrypt(&service).unwrap().get(r#"["a"]"#).unwrap().as_str(), Some("y"));
}

#[test]
fn services_work_side_by_side_and_with_identities() {
    let (first, second) = (Account::new("111"), Account::new("222"));
    let alice = identities("alice");
    let all: [&dyn KeyService; 3] = [&alice, &first, &second];
    let mixed = [MasterKey::Age { recipient: public_key("alice") }, kms("111"), kms("222")];
    let sealed = EncryptOptions::new().encrypt_with(tree(), &Recipients::from_keys(mixed).unwrap(), &all).unwrap();
    for service in all {
        sealed.decrypt(service).unwrap();
    }
    let groups = [recipients(&["alice"]), Recipients::from_keys([kms("111"), kms("222")]).unwrap()];
    let recipients = Recipients::from_groups(groups, None).unwrap();
    let sealed = EncryptOptions::new().encrypt_with(tree(), &recipients, &all).unwrap();
    sealed.decrypt(&all).unwrap();
    let two: [&dyn KeyService; 2] = [&second, &alice];
    sealed.decrypt(&two).unwrap();
    let owned: Vec<Box<dyn KeyService>> = vec![Box::new(identities("alice")), Box::new(Account::new("333"))];
    assert!(sealed.decrypt(&owned).is_err());
}

#[test]
fn what_a_service_says_against_a_key_becomes_a_line_of_the_error() {
    let service = Account::new("111");
    let recipients = Recipients::from_keys([kms("111"), kms("222")]).unwrap();
    let error = EncryptOptions::new().encrypt_with(tree(), &recipients, &service).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CannotWrap);
    assert!(error.to_string().contains("222") && !error.to_string().contains("111"), "{error}");

    let recipients = Recipients::from_keys([kms("111")]).unwrap();
    let sealed = EncryptOptions::new().encrypt_with(tree(), &recipients, &service).unwrap();
    let error = sealed.decrypt(&Account::new("111")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoMatchingIdentity);
    assert!(error.to_string().contains("account 111 does not know this"), "{error}");
}

#[test]
fn master_keys_of_every_kind_are_told_apart_and_kept() {
    let json = include_str!("data/foreign_keys.json");
    let sealed = EncryptedDocument::parse(json.as_bytes()).unwrap();
    let keys: Vec<_> = sealed.metadata().key_groups().flatten().map(|wrapped| wrapped.key().clone()).collect();
    let kinds: Vec<_> = keys.iter().map(MasterKey::kind).collect();
    use KeyKind::{Age, AzureKv, GcpKms, HcKms, HcVault, Kms, Pgp};
    assert_eq!(kinds, [Kms, Kms, GcpKms, HcKms, AzureKv, HcVault, Pgp, Age]);
    let names: Vec<_> = keys.iter().map(ToString::to_string).collect();
    assert_eq!(names[0], "kms arn:aws:kms:us-east-1:656532927350:key/920aff2e-c5f1-4040-943a-047fa387b27e");
    assert_eq!(names[4], "azure_kv https://sops.vault.azure.net/keys/sops-key/some-version");
    assert_eq!(names[5], "hc_vault https://vault.example.org:8200/v1/sops/keys/dev");
    assert_eq!(sealed.to_string(), json);
}
