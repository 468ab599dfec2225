//! Whole documents, from bytes to bytes: `cargo bench --bench document`.

#![allow(missing_docs, reason = "what criterion_group makes has none")]

mod support;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sopskit::Bytes;
use support::{decrypt, encrypt, identities, inputs, recipients};

fn documents(criterion: &mut Criterion) {
    let (identities, recipients) = (identities(), recipients());
    for (name, throughput) in [("bytes", true), ("leaves", false)] {
        let mut group = criterion.benchmark_group(format!("document, {name}"));
        group.sample_size(10);
        for input in inputs() {
            let sealed = encrypt(input.text.as_bytes(), &recipients);
            let bytes = Throughput::Bytes(input.text.len() as u64);
            group.throughput(if throughput { bytes } else { Throughput::Elements(input.leaves as u64) });
            group.bench_function(BenchmarkId::new("decrypt", input.name), |bencher| {
                let read = || Bytes::from(sealed.clone().into_bytes());
                bencher.iter_batched(read, |bytes| decrypt(bytes, &identities), BatchSize::PerIteration);
            });
            group.bench_function(BenchmarkId::new("encrypt", input.name), |bencher| {
                bencher.iter_batched(|| (), |()| encrypt(input.text.as_bytes(), &recipients), BatchSize::PerIteration);
            });
        }
    }
}

criterion_group!(benches, documents);
criterion_main!(benches);
