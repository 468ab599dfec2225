//! Tokens in SOPS files: `cargo bench --bench token --features tokens`. With `SOPS_BIN`, the path of a sops, its run on the same file too.

#![allow(missing_docs, reason = "what criterion_group makes has none")]

mod support;

use std::process::{Command, Stdio};

use criterion::{Criterion, criterion_group, criterion_main};
use sopskit::{EncryptedDocument, SopsStorage, Token, TokenStorage as _};
use support::{age_identity, floor, identities, recipients};

fn tokens(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("tokens");
    let storage = || SopsStorage::new(&directory, recipients(), identities());
    let response = br#"{"access_token": "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz", "expires_in": 3600, "refresh_token": "abcdefghijklmnopqrstuvwxyz", "scope": "openid profile"}"#;
    let token = Token::from_response(response).unwrap();
    storage().save("github", &token).unwrap();
    let path = directory.join("github.token.sops.json");

    let mut group = criterion.benchmark_group("token");
    let bytes = std::fs::read(&path).unwrap();
    let sealed = EncryptedDocument::parse(&bytes).unwrap();
    let enc = sealed.metadata().key_groups().flatten().next().unwrap().enc();
    let identity = age_identity();
    group.bench_function("age unwrap alone", |bencher| bencher.iter(|| floor::unwrap(&identity, enc)));
    group.bench_function("read the file alone", |bencher| bencher.iter(|| std::fs::read(&path).unwrap()));
    let cold = storage();
    group.bench_function("load", |bencher| bencher.iter(|| cold.load("github").unwrap()));
    let cached = storage().cache_data_keys(1);
    group.bench_function("load, data key cached", |bencher| bencher.iter(|| cached.load("github").unwrap()));
    group.bench_function("save", |bencher| bencher.iter(|| cold.save("github", &token).unwrap()));
    if let Some(sops) = std::env::var_os("SOPS_BIN") {
        group.sample_size(20);
        group.bench_function("sops decrypt, a process", |bencher| {
            bencher.iter(|| {
                let mut command = Command::new(&sops);
                command.arg("decrypt").arg(&path).env("SOPS_DISABLE_VERSION_CHECK", "1").stdout(Stdio::null());
                command.env("SOPS_AGE_KEY_FILE", concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/keys/alice.txt"));
                assert!(command.status().unwrap().success());
            });
        });
    }
}

criterion_group!(benches, tokens);
criterion_main!(benches);
