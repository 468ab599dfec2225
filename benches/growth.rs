//! Time per leaf as documents grow, medians of calls one after the other: `cargo bench --bench growth`; with `--features parallel` beside it, what the threads bring.

mod support;

use std::hint::black_box;
use std::time::{Duration, Instant};

use sopskit::Bytes;
use support::documents::nested;
use support::{decrypt, encrypt, identities, recipients};

/// How long each is measured.
const TIME: Duration = Duration::from_secs(2);
const FEWEST: usize = 5;

fn main() {
    // `cargo test --benches` only wants to know that it runs.
    let is_test = !std::env::args().any(|arg| arg == "--bench");
    let (identities, recipients) = (identities(), recipients());
    println!("{:>10} {:>10} {:>10}", "leaves", "decrypt", "encrypt, ns a leaf");
    for leaves in [1_000, 10_000, 100_000, 1_000_000] {
        let plain = nested(leaves, 32);
        let sealed = encrypt(plain.as_bytes(), &recipients);
        let time = if is_test { Duration::ZERO } else { TIME };
        let opened = median(
            time,
            || Bytes::from(sealed.clone().into_bytes()),
            |bytes| drop(black_box(decrypt(bytes, &identities))),
        );
        let made = median(time, || (), |()| drop(black_box(encrypt(plain.as_bytes(), &recipients))));
        let a_leaf = |time: Duration| time.as_secs_f64() * 1e9 / leaves as f64;
        println!("{leaves:10} {:10.0} {:10.0}", a_leaf(opened), a_leaf(made));
        if is_test {
            break;
        }
    }
}

fn median<T>(time: Duration, prepare: impl Fn() -> T, work: impl Fn(T)) -> Duration {
    let (begun, mut times) = (Instant::now(), Vec::new());
    while begun.elapsed() < time || times.len() < FEWEST {
        let input = prepare();
        let started = Instant::now();
        work(input);
        times.push(started.elapsed());
    }
    times.sort();
    times[times.len() / 2]
}
