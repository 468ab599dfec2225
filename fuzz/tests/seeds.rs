//! Each target takes what it begins with, without a fuzzer.

#[track_caller]
fn run(name: &str) {
    let (_, run) = sopskit_fuzz::TARGETS.into_iter().find(|(target, _)| *target == name).unwrap();
    let seeds = sopskit_fuzz::seeds::seeds(name);
    assert!(seeds.len() >= 50, "{} seeds", seeds.len());
    seeds.iter().for_each(|seed| run(seed));
}

macro_rules! targets {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            run(stringify!($name));
        })*
    };
}

targets! { document leaf metadata config key_path round_trip differential }
