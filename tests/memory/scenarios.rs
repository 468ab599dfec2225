//! What a process does with secrets before its memory is looked through. What is read here goes into wiped memory only.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Deserializer};
use sopskit::{
    Document, EncryptOptions, EncryptedDocument, Environment, FileStorage, Format, Identities, Indent, MemoryStorage,
    Passphrase, Recipients, SopsStorage, Text, Token, TokenStorage, Value,
};
use zeroize::Zeroizing;

use super::probe::Probe;
use super::support::FIXTURES;

type Scenario = fn(&Path, &mut Probe);

pub(super) const ALL: &[(&str, Scenario)] = &[
    ("tree", |world, probe| tree(world, probe, "small.json")),
    ("tree-large", |world, probe| tree(world, probe, "large.json")),
    ("tree-many", |world, probe| tree(world, probe, "many.json")),
    ("tree-groups", groups),
    ("bytes", |world, probe| bytes(world, probe, "small.json")),
    ("bytes-large", |world, probe| bytes(world, probe, "large.json")),
    ("bytes-many", |world, probe| bytes(world, probe, "many.json")),
    ("typed", typed),
    ("change", change),
    ("plain", |world, probe| plain(world, probe, "small.plain.json")),
    ("plain-large", |world, probe| plain(world, probe, "large.plain.json")),
    ("plain-many", |world, probe| plain(world, probe, "many.plain.json")),
    ("encrypt", |world, probe| encrypt(world, probe, "small.plain.json")),
    ("encrypt-large", |world, probe| encrypt(world, probe, "large.plain.json")),
    ("encrypt-many", |world, probe| encrypt(world, probe, "many.plain.json")),
    ("update-keys", update_keys),
    ("edit-file", edit_file),
    ("tampered", tampered),
    ("identity-text", identity_text),
    ("identity-file", identity_file),
    ("identity-environment", identity_environment),
    ("identity-protected", identity_protected),
    ("identity-pq", |_, probe| fixture_identity("pq/alice.txt", "pq/sops-3.13.2.json", probe)),
    ("identity-ed25519", |_, probe| {
        fixture_identity("keys/ssh/id_ed25519", "kinds/ssh-ed25519/sealed.json", probe);
    }),
    ("identity-rsa", |_, probe| fixture_identity("keys/ssh/id_rsa", "kinds/ssh-rsa/sealed.json", probe)),
    ("tokens-sops", |world, probe| {
        tokens(
            world,
            probe,
            &SopsStorage::new(world.join("sops"), recipients(world), identities(world)).cache_data_keys(4),
        );
    }),
    ("tokens-file", |world, probe| tokens(world, probe, &FileStorage::new(world.join("file")))),
    ("tokens-memory", |world, probe| tokens(world, probe, &MemoryStorage::new())),
];

fn identities(world: &Path) -> Identities {
    Identities::from_file(world.join("identity.txt")).unwrap()
}

fn recipients(world: &Path) -> Recipients {
    Recipients::parse(&std::fs::read_to_string(world.join("recipient.txt")).unwrap()).unwrap()
}

fn sealed(path: impl AsRef<Path>) -> EncryptedDocument {
    EncryptedDocument::from_bytes(sopskit::read_file(path).unwrap()).unwrap()
}

/// Text of a file, in memory of its exact size.
fn text(path: impl AsRef<Path>) -> Zeroizing<String> {
    let bytes = sopskit::read_file(path).unwrap();
    Zeroizing::new(std::str::from_utf8(&bytes).unwrap().to_owned())
}

fn tree(world: &Path, probe: &mut Probe, file: &str) {
    let _document = sealed(world.join(file)).decrypt(&identities(world)).unwrap();
    probe.alive();
}

fn groups(world: &Path, probe: &mut Probe) {
    let identities = Identities::from_file(world.join("groups.txt")).unwrap();
    let mut document = sealed(world.join("groups.json")).decrypt(&identities).unwrap();
    document.rotate().unwrap();
    document.encrypt().unwrap();
    probe.alive();
}

fn bytes(world: &Path, probe: &mut Probe, file: &str) {
    let sealed = sealed(world.join(file));
    let _plain = sealed.decrypt_to_bytes(&identities(world), Format::Json, Indent::Tab).unwrap();
    probe.alive();
}

struct Wiped(Zeroizing<String>);

impl<'de> Deserialize<'de> for Wiped {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Wiped(Zeroizing::new(text)))
    }
}

#[derive(Deserialize)]
struct Typed {
    word: Wiped,
    map: BTreeMap<String, Wiped>,
    escaped: Wiped,
}

fn typed(world: &Path, probe: &mut Probe) {
    let typed: Typed = sopskit::decrypt_file(world.join("small.json"), &identities(world)).unwrap();
    assert!(typed.word.0.len() + typed.map["deep"].0.len() + typed.escaped.0.len() > 100);
    probe.alive();
}

fn change(world: &Path, probe: &mut Probe) {
    let sealed = sealed(world.join("small.json"));
    let mut document = sealed.decrypt(&identities(world)).unwrap();
    let new = Text::from(text(world.join("new.txt")));
    assert!(document.set(r#"["map"]["new"]"#, Value::Text(new.clone())).unwrap());
    assert!(document.set(r#"["word"]"#, Value::Text(new)).unwrap());
    document.unset(r#"["list"][0]"#).unwrap();
    document.encrypt().unwrap();
    document.rotate().unwrap();
    let made = document.encrypt_to_text().unwrap();
    probe.learn_data_key(&made);
    probe.alive();
    document.to_bytes(Format::Json).unwrap();
    document.deserialize::<BTreeMap<String, serde::de::IgnoredAny>>().unwrap();
}

fn plain(world: &Path, probe: &mut Probe, file: &str) {
    let plain = sopskit::read_file(world.join(file)).unwrap();
    let document = Document::new(Format::Json.parse(&plain).unwrap(), &recipients(world)).unwrap();
    drop(plain);
    let made = document.encrypt_to_text().unwrap();
    document.encrypt().unwrap();
    probe.learn_data_key(&made);
    probe.alive();
}

fn encrypt(world: &Path, probe: &mut Probe, file: &str) {
    let plain = sopskit::read_file(world.join(file)).unwrap();
    let made = EncryptOptions::new().encrypt_bytes(&plain, &recipients(world)).unwrap();
    probe.alive();
    drop(plain);
    probe.learn_data_key(&made);
}

fn update_keys(world: &Path, probe: &mut Probe) {
    let identities = identities(world);
    let mut sealed = sealed(world.join("small.json"));
    probe.alive();
    let bob = Recipients::parse(&super::support::public_key("bob")).unwrap();
    sealed.update_keys(&recipients(world).with(&bob), &identities).unwrap();
}

fn edit_file(world: &Path, probe: &mut Probe) {
    let path = world.join("edited.json");
    std::fs::copy(world.join("small.json"), &path).unwrap();
    sopskit::edit_file(&path, &identities(world), |document| {
        let changed = document.set(r#"["word"]"#, Text::from(text(world.join("new.txt"))));
        probe.alive();
        changed
    })
    .unwrap();
}

fn tampered(world: &Path, probe: &mut Probe) {
    let identities = identities(world);
    probe.alive();
    let sealed = sealed(world.join("tampered.json"));
    assert!(sealed.decrypt(&identities).unwrap_err().is_tampered());
    assert!(sealed.decrypt_to_bytes(&identities, Format::Json, Indent::Tab).unwrap_err().is_tampered());
    assert!(sopskit::edit_file(world.join("tampered.json"), &identities, |_| Ok::<_, sopskit::Error>(())).is_err());
}

fn use_of(identities: &Identities, world: &Path) {
    sealed(world.join("small.json")).decrypt(identities).unwrap();
}

fn identity_text(world: &Path, probe: &mut Probe) {
    let identities = Identities::parse(&text(world.join("identity.txt"))).unwrap();
    probe.alive();
    use_of(&identities, world);
}

fn identity_file(world: &Path, probe: &mut Probe) {
    let identities = identities(world);
    probe.alive();
    use_of(&identities, world);
}

fn identity_environment(world: &Path, probe: &mut Probe) {
    let value = std::mem::take(&mut *text(world.join("identity.txt")));
    let environment = Environment::from_iter([("SOPS_AGE_KEY", value)]);
    let identities = Identities::from_environment(&environment);
    probe.alive();
    use_of(&identities, world);
}

fn identity_protected(world: &Path, probe: &mut Probe) {
    let path = world.join("passphrase.txt");
    let passphrase = Passphrase::new(move |_| Some(text(&path)));
    let identities = Identities::from_protected_file(world.join("protected.age"), &passphrase).unwrap();
    probe.alive();
    use_of(&identities, world);
}

fn fixture_identity(key: &str, file: &str, probe: &mut Probe) {
    let identities = Identities::from_file(format!("{FIXTURES}/{key}")).unwrap();
    probe.alive();
    sealed(format!("{FIXTURES}/{file}")).decrypt(&identities).unwrap();
}

fn tokens(world: &Path, probe: &mut Probe, storage: &dyn TokenStorage) {
    let token = |file: &str| Token::from_response(&sopskit::read_file(world.join(file)).unwrap()).unwrap();
    storage.save("github", &token("token.json")).unwrap();
    let loaded = storage.load("github").unwrap().unwrap();
    probe.alive();
    drop(loaded);
    storage.refresh("github", &mut |_| Ok(token("new-token.json"))).unwrap();
    assert!(!storage.load("github").unwrap().unwrap().should_refresh());
    storage.delete("github").unwrap();
}
