//! This crate and the floor, by turns in one run, medians: `cargo bench --bench floor`, with `--features fast` for the faster crates.

mod support;

use std::hint::black_box;
use std::time::{Duration, Instant};

use sopskit::Bytes;
use support::{age_identity, decrypt, encrypt, floor, identities, inputs, recipients};

/// How long each row is measured.
const TIME: Duration = Duration::from_secs(3);
const FEWEST: usize = 5;

fn main() {
    // `cargo test --benches` only wants to know that it runs.
    let is_test = !std::env::args().any(|arg| arg == "--bench");
    let (identities, recipients, identity) = (identities(), recipients(), age_identity());
    let recipient = identity.to_public();
    println!("{:16} {:>10} {:>10} {:>6}   {:>10} {:>10} {:>6}", "ms", "decrypt", "floor", "", "encrypt", "floor", "");
    for input in inputs() {
        let plain = input.text.as_bytes();
        let sealed = encrypt(plain, &recipients);
        let read = || Bytes::from(sealed.clone().into_bytes());
        assert_eq!(*decrypt(read(), &identities), *floor::decrypt(sealed.as_bytes(), &identity));
        let of_floor = Bytes::from(floor::encrypt(plain, &recipient));
        assert_eq!(decrypt(of_floor, &identities), decrypt(read(), &identities));
        if is_test {
            break;
        }
        let mut times = [const { Vec::new() }; 4];
        let started = Instant::now();
        while started.elapsed() < TIME || times[0].len() < FEWEST {
            let bytes = read();
            let mut measure = |row: usize, work: &mut dyn FnMut()| {
                let started = Instant::now();
                work();
                times[row].push(started.elapsed());
            };
            let mut bytes = Some(bytes);
            measure(0, &mut || drop(black_box(decrypt(bytes.take().unwrap(), &identities))));
            measure(1, &mut || drop(black_box(floor::decrypt(sealed.as_bytes(), &identity))));
            measure(2, &mut || drop(black_box(encrypt(plain, &recipients))));
            measure(3, &mut || drop(black_box(floor::encrypt(plain, &recipient))));
        }
        let [ours, floor, ours_back, floor_back] = times.map(median);
        let (name, ratio, ratio_back) = (input.name, ours / floor, ours_back / floor_back);
        println!(
            "{name:16} {ours:10.3} {floor:10.3} {ratio:6.2}   {ours_back:10.3} {floor_back:10.3} {ratio_back:6.2}"
        );
    }
}

/// In milliseconds.
fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1000.0
}
