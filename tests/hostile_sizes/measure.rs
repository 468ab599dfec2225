//! Time and memory of one call.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

/// What a process of a case may map, in KiB: far more than any case takes, and far less than would hurt the machine.
pub(crate) const ADDRESS_SPACE: usize = 12 * 1024 * 1024;

pub(crate) fn is_full() -> bool {
    std::env::var("SOPSKIT_STRESS").is_ok_and(|form| form == "full")
}

/// A size at full scale, or the part of it that plain runs take.
pub(crate) fn scaled(full: usize) -> usize {
    if is_full() { full } else { full / 80 }
}

const MIB: usize = 1024 * 1024;

/// What the calls of a case may take.
#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    /// Processor time in seconds; looked at with full sizes only, in release.
    pub seconds: f64,
    /// Memory in bytes, beyond what the case itself holds.
    pub memory: usize,
}

impl Bounds {
    /// For an input of so many bytes.
    pub(crate) fn of(input: usize) -> Self {
        Bounds { seconds: 2.0, memory: 64 * MIB + 5 * input }
    }

    /// For one that is made of so many values or members besides, each of which takes more than its text has: its place in an object or array, its key in
    /// the table of a large object, and memory of its own, in up to three trees (`set`: the encrypted one, the plain one, the one that is written).
    pub(crate) fn with_values(self, values: usize) -> Self {
        Bounds { memory: self.memory + 400 * values, ..self }
    }
}

/// A field of `/proc/…/status` that is a number of KiB, in bytes.
fn status(process: &str, field: &str) -> Option<usize> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    Some(line.trim_start_matches(':').split_whitespace().next()?.parse::<usize>().ok()? * 1024)
}

/// The processor time of a process, in seconds; Linux counts it in hundredths.
fn processor(process: &str) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let behind_name: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |index: usize| behind_name.get(index).and_then(|field| field.parse::<f64>().ok());
    Some((ticks(11)? + ticks(12)?) / 100.0)
}

fn check(case: &str, call: &str, outcome: &str, bounds: Bounds, took: Took) {
    println!(
        "| {case} | {call} | {outcome} | {:.2} s | {:.2} s | {} MiB |",
        took.processor,
        took.wall.as_secs_f64(),
        took.memory / MIB
    );
    let mut over = OVER.lock().unwrap();
    if took.memory > bounds.memory {
        over.push(format!("{case}: {call} took {} of {} MiB", took.memory / MIB, bounds.memory / MIB));
    }
    // In debug mode, or on a machine that is at other work, time says nothing.
    if is_full() && !cfg!(debug_assertions) && took.processor > bounds.seconds {
        over.push(format!("{case}: {call} took {:.2} of {:.0} s", took.processor, bounds.seconds));
    }
}

/// What took more than it may, so that one call does not hide what those behind it take.
static OVER: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// # Panics
/// When any call took more than it may.
pub(crate) fn assert_within_bounds() {
    let over = OVER.lock().unwrap();
    assert!(over.is_empty(), "{}", over.join("\n"));
}

/// What a call took.
#[derive(Clone, Copy)]
struct Took {
    processor: f64,
    wall: Duration,
    memory: usize,
}

/// Does something in this process, and gives what it gave; `outcome` names that.
pub(crate) fn measured<T>(
    case: &str,
    call: &str,
    bounds: Bounds,
    work: impl FnOnce() -> T,
    outcome: impl Fn(&T) -> String,
) -> T {
    // From here on the high-water mark counts anew.
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let held = status("self", "VmRSS").unwrap();
    let (wall, processor_before) = (Instant::now(), processor("self").unwrap());
    let done = work();
    let took = Took {
        wall: wall.elapsed(),
        processor: processor("self").unwrap() - processor_before,
        memory: status("self", "VmHWM").unwrap().saturating_sub(held),
    };
    check(case, call, &outcome(&done), bounds, took);
    done
}

/// Runs the program, and gives its exit code.
pub(crate) fn program(case: &str, call: &str, bounds: Bounds, folder: &Path, arguments: &[&str]) -> Option<i32> {
    let said = folder.join("said");
    let to = || Stdio::from(File::options().create(true).append(true).open(&said).unwrap());
    let mut command = Command::new(env!("CARGO_BIN_EXE_sopskit"));
    command.env_clear().env("SOPS_AGE_KEY_FILE", format!("{}/keys/alice.txt", super::support::FIXTURES));
    command.current_dir(folder).args(arguments).stdin(Stdio::null()).stdout(to()).stderr(to());
    let started = Instant::now();
    let mut child = command.spawn().unwrap();
    let process = child.id().to_string();
    let mut took = Took { wall: Duration::ZERO, processor: 0.0, memory: 0 };
    let code = loop {
        took.memory = status(&process, "VmHWM").unwrap_or_default().max(took.memory);
        took.processor = processor(&process).unwrap_or_default().max(took.processor);
        if let Some(status) = child.try_wait().unwrap() {
            break status.code();
        }
        thread::sleep(Duration::from_millis(2));
    };
    took.wall = started.elapsed();
    let mut start = String::new();
    let printed = fs::metadata(&said).unwrap().len();
    File::open(&said).unwrap().take(4096).read_to_string(&mut start).unwrap_or_default();
    assert!(!start.contains("panicked") && code.is_some(), "{case}: {call}: {start}");
    // Plaintext aside, what is said is for a person: at most 1,000 faults and 1024 recipients, of some KiB each.
    assert!(arguments[0] == "decrypt" || printed < 10 * MIB as u64, "{case}: {call} prints {printed} bytes");
    fs::remove_file(&said).unwrap();
    check(case, call, &format!("exit {}, {printed} bytes", code.unwrap_or(-1)), bounds, took);
    code
}
