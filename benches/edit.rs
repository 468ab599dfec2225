//! One `set` in a file: `cargo bench --bench edit`.

#![allow(missing_docs, reason = "what criterion_group makes has none")]

mod support;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use support::{encrypt, identities, inputs, recipients};

fn edits(criterion: &mut Criterion) {
    let (identities, recipients) = (identities(), recipients());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secrets.enc.json");
    let mut group = criterion.benchmark_group("edit");
    group.sample_size(10);
    for input in inputs() {
        std::fs::write(&path, encrypt(input.text.as_bytes(), &recipients)).unwrap();
        let mut number = 0;
        group.bench_function(BenchmarkId::new("set", input.name), |bencher| {
            bencher.iter(|| {
                number += 1;
                sopskit::edit_file(&path, &identities, |document| document.set(r#"["added"]"#, number)).unwrap()
            });
        });
    }
}

criterion_group!(benches, edits);
criterion_main!(benches);
