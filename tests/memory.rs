//! Nothing secret stays in the memory of a process after what held it was dropped.
//!
//! Each scenario runs in a process of its own, which then looks through all of its writable private memory. What it looks for it knows only in a masked
//! form. Stacks are told of, not asserted: `cargo test --release --all-features --test memory -- --nocapture`.
#![cfg(all(target_os = "linux", feature = "cli", feature = "parallel"))]

mod support;

#[path = "memory/probe.rs"]
mod probe;
#[path = "memory/scenarios.rs"]
mod scenarios;
#[path = "memory/world.rs"]
mod world;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use probe::Probe;
use world::World;

/// The folder with the input, and the name of the scenario.
const WORK: &str = "SOPSKIT_TEST_WORK";

/// What stays all the same: scenario, secret, where, and whose it is. Each must occur in a release build, so that none outlives its reason.
const LEFT: &[(&str, &str, &str, &str)] = &[
    ("bytes-large", "float-text", "heap", "sopskit: `shortest_decimal` formats into strings that are not wiped"),
    ("change", "float-text", "heap", "sopskit: as above"),
    ("tampered", "integer", "heap", "sopskit: the tree that an error leaves half made is dropped, not wiped"),
    ("tokens-sops", "integer", "heap", "sopskit: trees between a token and its file are dropped, not wiped"),
    ("tokens-file", "integer", "heap", "sopskit: as above"),
    ("tokens-memory", "integer", "heap", "sopskit: as above"),
    ("bytes-large", "large-data-key", "heap", "not yet found out: 32 bytes, freed"),
    ("bytes-many", "many-data-key", "heap", "as above"),
    ("change", "new-data-key", "heap", "as above"),
    ("plain-large", "new-data-key", "heap", "as above"),
    ("plain-many", "new-data-key", "heap", "as above"),
    (
        "identity-ed25519",
        "ed25519-text",
        "heap",
        "age or what it brings: the text of the PEM, with and without line breaks",
    ),
    ("identity-rsa", "rsa-bytes", "heap", "age or what it brings"),
    ("identity-rsa", "rsa-number", "heap", "age or what it brings"),
];

/// How often a secret was found: on the heap and in other memory, and on stacks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Found {
    heap: usize,
    stack: usize,
}

fn run(world: &Path, scenario: &str) -> (BTreeMap<String, Found>, BTreeMap<String, Found>) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "one_scenario", "--ignored", "--nocapture", "--test-threads=1"])
        .env(WORK, format!("{}:{scenario}", world.display()))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{scenario}: {said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let (mut alive, mut after) = (BTreeMap::new(), BTreeMap::new());
    for line in said.lines() {
        if line.starts_with("show ") {
            println!("{scenario}: {line}");
        }
        let words: Vec<_> = line.split_whitespace().collect();
        let [when, secret, heap, stack] = words[..] else { continue };
        let found = if when == "alive" { &mut alive } else { &mut after };
        if when == "alive" || when == "after" {
            found.insert(secret.to_owned(), Found { heap: heap.parse().unwrap(), stack: stack.parse().unwrap() });
        }
    }
    (alive, after)
}

#[test]
fn nothing_secret_stays_in_memory() {
    let is_release = !cfg!(debug_assertions);
    let world = World::new();
    let (mut problems, mut seen) = (Vec::new(), Vec::new());
    for (scenario, _) in scenarios::ALL {
        let (alive, after) = run(world.path(), scenario);
        // Else a scan that finds nothing would say nothing.
        if alive.values().all(|found| found.heap + found.stack == 0) {
            problems.push(format!("{scenario}: no secret was found while it was in use"));
        }
        println!("{scenario}: {} secrets seen in use", alive.values().filter(|found| found.heap > 0).count());
        for (secret, found) in after {
            for (place, count) in [("heap", found.heap), ("stack", found.stack)] {
                if count == 0 {
                    continue;
                }
                println!("  {secret}: {count} on the {place}");
                let of = |left: &&(&str, &str, &str, &str)| (left.0, left.1, left.2) == (*scenario, &*secret, place);
                match LEFT.iter().find(of) {
                    Some(left) => seen.push(*left),
                    // Told, not asserted: what the compiler leaves on stacks nobody wipes yet.
                    None if place == "stack" => {}
                    None => problems.push(format!("{scenario}: {secret}: {count} on the {place}")),
                }
            }
        }
    }
    if is_release {
        problems
            .extend(LEFT.iter().filter(|left| !seen.contains(left)).map(|left| format!("no longer left: {left:?}")));
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
#[ignore = "run by the test above, once for each scenario"]
fn one_scenario() {
    let work = std::env::var(WORK).unwrap();
    let (world, name) = work.rsplit_once(':').unwrap();
    let world = Path::new(world);
    let (_, scenario) = scenarios::ALL.iter().find(|(known, _)| *known == name).unwrap();
    let mut probe = Probe::new(world);
    scenario(world, &mut probe);
    probe.look("after");
    probe.tell();
}

#[test]
#[ignore = "run by a scenario that makes a data key"]
fn mask_the_data_key() {
    world::mask_data_key(Path::new(&std::env::var(WORK).unwrap()));
}
