//! What must be known of a run to read its figures.

use std::path::Path;
use std::process::Command;

use crate::Sops;

const LOCK: &str = include_str!("../Cargo.lock");

pub(crate) fn print(sops: Option<&Sops>) {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let features = if cfg!(feature = "fast") { "with fast" } else { "default features" };
    println!("{}, {}, {cores} cores, {}", chrono::Utc::now().format("%Y-%m-%d"), cpu(), env!("RUSTC_VERSION"));
    let sops = sops.map_or("no sops CLI (SOPS_BINS is not set or empty, or none on PATH)".to_owned(), |sops| {
        format!("sops CLI {}", sops.version())
    });
    println!("sopskit {}{} ({features}), rops {}, {sops}", locked("sopskit"), commit(), locked("rops"));
    println!();
}

pub(crate) fn print_notes(processes: usize, has_sops: bool) {
    println!(
        "- From bytes to bytes, with the age wrap or unwrap, a new data key or the check of the MAC. Medians, by turns in one run."
    );
    println!("- Each opens a file that it wrote itself: rops writes no `version`, so sops refuses its files.");
    println!("- rops takes its private key from the environment and parses it at every document.");
    if has_sops {
        println!(
            "- sops CLI: a process for each document, through pipes, in the first turns only (so many: {processes})."
        );
    }
}

fn cpu() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model.map_or("unknown CPU".to_owned(), |(_, model)| model.trim().to_owned())
}

/// The version of a package that was built in.
fn locked(package: &str) -> &'static str {
    let (_, entry) = LOCK.split_once(&format!("name = \"{package}\"\nversion = \"")).expect("it is a dependency");
    entry.split_once('"').expect("a version ends").0
}

/// Of the sources, where they are a working tree of git.
fn commit() -> String {
    let describe = ["describe", "--always", "--dirty", "--exclude=*"];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new("git").args(describe).current_dir(folder).output();
    let commit = output.ok().filter(|output| output.status.success()).map(|output| output.stdout).unwrap_or_default();
    match String::from_utf8_lossy(&commit).trim() {
        "" => String::new(),
        commit => format!(" {commit}"),
    }
}
