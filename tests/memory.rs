//! Nothing secret stays in the memory of a process after what held it was dropped.
//!
//! Each scenario runs in a process of its own, which then looks through all of its writable private memory. What it looks for it knows only in a masked
//! form: `cargo test --release --all-features --test memory -- --nocapture` tells what it saw.
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

/// What may stay all the same, in memory of a dependency: scenario (or any), secret, whose it is. Whether it is found depends on what took its place since.
const LEFT: &[(&str, &str, &str)] = &[
    (
        "",
        "new-data-key",
        "age: the chunk that its StreamWriter gathers (age 0.12.1, src/primitives/stream.rs) is not wiped",
    ),
    (
        "identity-ed25519",
        "ed25519-text",
        "age, or what it brings for SSH: the text of the PEM, with and without line breaks",
    ),
    ("update-keys", "data-key", "age: the same chunk"),
    ("identity-ed25519", "ed25519-bytes", "age, or what it brings for SSH"),
    ("identity-rsa", "rsa-text", "age, or what it brings for SSH"),
    ("identity-rsa", "rsa-bytes", "age, or what it brings for SSH"),
    ("identity-rsa", "rsa-number", "age, or what it brings for SSH"),
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
#[cfg_attr(debug_assertions, ignore = "copies that only an unoptimized build makes; run in release")]
fn nothing_secret_stays_in_memory() {
    let world = World::new();
    let mut problems = Vec::new();
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
                let is_known = LEFT.iter().any(|left| ["", *scenario].contains(&left.0) && left.1 == secret);
                // On a stack nothing of theirs was seen.
                if place == "stack" || !is_known {
                    problems.push(format!("{scenario}: {secret}: {count} on the {place}"));
                }
            }
        }
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
