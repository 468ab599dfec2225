//! sopskit beside rops and the sops CLI, by turns in one run, medians: `cargo run --release`, with `--features fast` for the faster
//! crates. `--quick` takes small documents and few turns. `SOPS_BINS` names the sops as in `tests/interop.rs` (the newest is taken);
//! without it, `sops` on `PATH`.

#[path = "../../support/documents.rs"]
mod documents;
mod machine;
mod peers;
mod sops;

use std::hint::black_box;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use documents::{Input, documents};
use peers::{KEY, Peer, Rops, Sopskit};
use sops::Sops;

const ALICE: &str = include_str!("../../../fixtures/keys/alice.txt");

/// How much is measured.
struct Effort {
    /// How long a document, without the processes.
    time: Duration,
    fewest_turns: usize,
    /// A process takes part in the first turns only.
    processes: usize,
}

const FULL: Effort = Effort { time: Duration::from_secs(6), fewest_turns: 9, processes: 5 };
const QUICK: Effort = Effort { time: Duration::ZERO, fewest_turns: 3, processes: 1 };

fn main() -> ExitCode {
    let quick = match std::env::args().skip(1).collect::<Vec<_>>().as_slice() {
        [] => false,
        [only] if only == "--quick" => true,
        _ => {
            eprintln!("usage: cargo run --release [--features fast] [-- --quick]");
            return ExitCode::from(2);
        }
    };
    let key = ALICE.lines().find(|line| line.starts_with("AGE-SECRET-KEY-1")).expect("a key file has a key");
    // rops takes keys from its environment only, and to change that of a running program is unsafe.
    if std::env::var(KEY).as_deref() != Ok(key) {
        return with_environment(key);
    }
    let (ours, rops) = (Sopskit::new(ALICE), Rops::new(ALICE));
    let sops = sops::find(ALICE, ours.recipient());
    machine::print(sops.as_ref());
    let effort = if quick { QUICK } else { FULL };
    let mut peers: Vec<&dyn Peer> = vec![&ours, &rops];
    peers.extend(sops.as_ref().map(|sops| sops as &dyn Peer));
    table(&documents(!quick), &peers, &effort)
}

/// Runs this program again, where rops finds the key and no other.
fn with_environment(key: &str) -> ExitCode {
    let myself = std::env::current_exe().expect("this program has a path");
    let status = Command::new(myself)
        .args(std::env::args_os().skip(1))
        .env(KEY, key)
        .env("ROPS_AGE_KEY_FILE", "/nonexistent")
        .status()
        .expect("this program runs");
    if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Fails where this crate fails; a peer that does is a cell of the table.
fn table(documents: &[Input], peers: &[&dyn Peer], effort: &Effort) -> ExitCode {
    println!("| document | direction | sopskit ms | rops ms | rops/sopskit | sops CLI ms | sops/sopskit |");
    println!("|---|---|---|---|---|---|---|");
    let mut failures = Vec::new();
    let mut ours_failed = false;
    for document in documents {
        let mut contests: Vec<_> = peers.iter().map(|peer| Contest::enter(*peer, document)).collect();
        let started = Instant::now();
        let mut turn = 0;
        let mut away = Duration::ZERO;
        while turn < effort.fewest_turns || started.elapsed() - away < effort.time {
            // Every other turn backwards: who runs after a process finds the caches cold.
            let order: Vec<_> =
                if turn % 2 == 0 { (0..contests.len()).collect() } else { (0..contests.len()).rev().collect() };
            for at in order {
                let contest = &mut contests[at];
                if contest.peer.is_process() && turn >= effort.processes {
                    continue;
                }
                let started = Instant::now();
                contest.take_turn(document);
                away += if contest.peer.is_process() { started.elapsed() } else { Duration::ZERO };
            }
            turn += 1;
        }
        print_rows(document, &contests);
        ours_failed |= contests[0].state.is_err();
        let failed = contests.iter().filter_map(|contest| Some((contest.peer.name(), contest.state.as_ref().err()?)));
        failures.extend(failed.map(|(peer, why)| format!("{peer} failed on {}: {why}", document.name)));
    }
    println!();
    failures.iter().for_each(|failure| println!("- {failure}"));
    machine::print_notes(effort.processes, peers.len() > 2);
    if ours_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// One peer and one document: the times of both directions, or why there are none.
struct Contest<'p> {
    peer: &'p dyn Peer,
    sealed: Vec<u8>,
    times: [Vec<Duration>; 2],
    state: Result<(), String>,
}

impl<'p> Contest<'p> {
    /// Looks once whether the peer gives back what it is given, and whether all was encrypted on the way.
    fn enter(peer: &'p dyn Peer, document: &Input) -> Self {
        let (sealed, state) = match sealed_and_checked(peer, document) {
            Ok(sealed) => (sealed, Ok(())),
            Err(why) => (Vec::new(), Err(why)),
        };
        Contest { peer, sealed, times: Default::default(), state }
    }

    fn take_turn(&mut self, document: &Input) {
        if self.state.is_err() {
            return;
        }
        let sealed = self.sealed.clone();
        let [decrypt, encrypt] = &mut self.times;
        self.state = measure(decrypt, || self.peer.decrypt(sealed))
            .and_then(|()| measure(encrypt, || self.peer.encrypt(document.text.as_bytes())));
    }
}

fn sealed_and_checked(peer: &dyn Peer, document: &Input) -> Result<Vec<u8>, String> {
    let sealed = peer.encrypt(document.text.as_bytes()).map_err(|why| format!("encrypt: {why}"))?;
    let sealed = (*sealed).as_ref().to_vec();
    let text = std::str::from_utf8(&sealed).map_err(|why| format!("encrypt: {why}"))?;
    let (encrypted, wanted) = (text.matches("\"ENC[AES256_GCM,data:").count(), document.leaves + 1);
    if encrypted != wanted {
        return Err(format!("encrypt: {encrypted} encrypted leaves and MAC, not {wanted}"));
    }
    let opened = peer.decrypt(sealed.clone()).map_err(|why| format!("decrypt: {why}"))?;
    if compact((*opened).as_ref())? != compact(document.text.as_bytes())? {
        return Err("decrypt: another document than was encrypted".to_owned());
    }
    Ok(sealed)
}

/// Without what peers may differ in: white space.
fn compact(json: &[u8]) -> Result<String, String> {
    let value: serde_json::Value = serde_json::from_slice(json).map_err(|why| format!("no JSON: {why}"))?;
    Ok(value.to_string())
}

/// Letting go of the output counts: sopskit wipes what it opened.
fn measure<T>(times: &mut Vec<Duration>, work: impl FnOnce() -> Result<T, String>) -> Result<(), String> {
    let started = Instant::now();
    let output = black_box(work());
    let output = output.map(drop);
    times.push(started.elapsed());
    output
}

fn print_rows(document: &Input, contests: &[Contest<'_>]) {
    for (direction, name) in ["decrypt", "encrypt"].into_iter().enumerate() {
        let time = |contest: &Contest<'_>| match &contest.state {
            Ok(()) => Some(median(&contest.times[direction])),
            Err(_) => None,
        };
        let ours = time(&contests[0]);
        let mut row = vec![document.name.to_owned(), name.to_owned(), ours.map_or("failed".to_owned(), figures)];
        for at in 1..3 {
            row.extend(match (contests.get(at), ours, contests.get(at).and_then(time)) {
                (None, ..) => ["–".to_owned(), "–".to_owned()],
                (_, _, None) => ["failed".to_owned(), "–".to_owned()],
                (_, None, Some(theirs)) => [figures(theirs), "–".to_owned()],
                (_, Some(ours), Some(theirs)) => [figures(theirs), format!("{:.2}", theirs / ours)],
            });
        }
        println!("| {} |", row.join(" | "));
    }
}

/// In milliseconds.
fn median(times: &[Duration]) -> f64 {
    let mut times = times.to_vec();
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1000.0
}

fn figures(time: f64) -> String {
    match time {
        ..10.0 => format!("{time:.3}"),
        ..100.0 => format!("{time:.1}"),
        _ => format!("{time:.0}"),
    }
}
