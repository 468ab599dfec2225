//! Inputs made to cost time or memory. Each is made here, and answered in a process of its own under a limit of memory. A short form runs with all
//! tests and looks at outcomes and memory; the full sizes, and the time, by
//! `SOPSKIT_STRESS=full cargo test --release --all-features --test hostile_sizes -- --nocapture --test-threads=1`.
#![cfg(all(feature = "cli", target_os = "linux"))]

#[path = "../support/mod.rs"]
mod support;

mod cases;
mod inputs;
mod measure;

use std::process::{Command, Stdio};

use measure::{ADDRESS_SPACE, is_full};

/// The case that a process of its own runs.
const CASE: &str = "SOPSKIT_TEST_CASE";

/// Runs each case in a process of its own, which fails when an outcome, the memory or (at full size) the time is not as it should be.
#[track_caller]
fn answered(cases: &[&str]) {
    let mut failed = Vec::new();
    for case in cases {
        let output = Command::new("sh")
            .args(["-c", &format!("ulimit -v {ADDRESS_SPACE}; exec \"$0\" \"$@\"")])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "one_case", "--ignored", "--nocapture"])
            .env(CASE, case)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        if is_full() {
            said.lines().filter(|line| line.starts_with("| ")).for_each(|line| println!("{line}"));
        }
        if !output.status.success() || !said.contains("1 passed") {
            failed.push(format!("{case}: {said}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
#[ignore = "run by the tests below, in a process of its own"]
fn one_case() {
    let case = std::env::var(CASE).expect("the tests below name a case");
    cases::run(&case);
    measure::assert_within_bounds();
}

#[test]
fn brackets_and_strings_without_end_are_refused() {
    answered(&["brackets", "brackets-in-an-object", "objects", "open-string", "open-key", "spaces", "lines"]);
}

#[test]
fn numbers_of_many_digits_are_refused_or_read_in_time() {
    answered(&["digits", "fraction", "exponent", "zeros", "many-long-numbers"]);
}

#[test]
fn a_million_members_are_read_in_time_whatever_their_keys() {
    answered(&["members", "similar-keys", "duplicate-keys", "late-duplicate", "escapes", "escaped-strings"]);
}

#[test]
fn long_keys_cost_no_more_than_their_length() {
    answered(&["long-key", "long-key-above-many", "duplicate-long-key", "deep-long-keys"]);
}

#[test]
fn one_leaf_of_half_a_gibibyte_opens_or_is_refused() {
    answered(&["leaf", "leaf-tampered", "leaf-bad-base64", "leaf-not-closed", "leaf-type", "leaf-iv", "leaf-int"]);
}

#[test]
fn a_million_faults_are_told_in_bounded_memory() {
    answered(&["faults", "faults-under-long-keys"]);
}

#[test]
fn a_million_master_keys_are_answered_in_time() {
    answered(&["recipients", "recipients-kms", "group", "groups", "named-last"]);
}

#[test]
fn master_keys_within_the_limit_cost_no_more_than_an_attempt_each() {
    answered(&["long-recipients", "wrapped-for-others", "mislabelled", "stanzas", "stanzas-for-four", "enc"]);
    answered(&["unnamed-first", "unnamed-last", "groups-that-fail", "groups-that-open", "threshold"]);
}

#[test]
fn a_regular_expression_in_the_metadata_is_bounded() {
    answered(&[
        "regex-long",
        "regex-within-length",
        "regex-nested",
        "regex-classes",
        "regex-on-long-keys",
        "regex-and-words",
        "version",
        "lastmodified",
    ]);
}

#[test]
fn a_config_file_is_bounded() {
    answered(&[
        "config-long",
        "config-bomb",
        "config-deep",
        "config-rules",
        "config-regex",
        "config-regexes",
        "config-large-regexes",
        "config-recipients",
    ]);
}

#[test]
fn key_files_are_bounded() {
    answered(&["key-file", "identities", "many-identities", "work-factor"]);
}

#[test]
fn key_paths_and_files_of_tokens_are_bounded() {
    answered(&["key-path", "key-path-deep", "token-plain", "token-sealed", "recipients-text"]);
}
