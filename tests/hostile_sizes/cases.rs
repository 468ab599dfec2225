//! The cases: an input, what calls answer, and what they may take.

mod around;
mod asked;
mod json;
mod master_keys;

use sopskit::{Error, ErrorKind};

use crate::measure::{Bounds, measured};

const MIB: usize = 1024 * 1024;
const MANY: usize = 1_000_000;

/// What a call answers: `Ok`, or one of these kinds.
type Expected<'a> = Result<(), &'a [ErrorKind]>;

pub(crate) fn run(case: &str) {
    assert!(json::run(case) || master_keys::run(case) || around::run(case), "no case {case}");
}

/// Makes a call that can fail, looks at its answer, and gives what it gave.
fn answers<T>(
    case: &str,
    call: &str,
    bounds: Bounds,
    expected: Expected<'_>,
    work: impl FnOnce() -> Result<T, Error>,
) -> Option<T> {
    let outcome = measured(case, call, bounds, work, |outcome| {
        outcome.as_ref().map_or_else(|error| error.kind().as_str().to_owned(), |_| String::from("ok"))
    });
    match (&outcome, expected) {
        (Ok(_), Ok(())) => {}
        (Err(error), Err(kinds)) if kinds.contains(&error.kind()) => {
            // A person reads it, and logs keep it: at most 50 recipients and 50 problems with them, of 4 KiB each.
            assert!(error.to_string().len() < 450 * 1024, "{case}: {call} says {} bytes", error.to_string().len());
        }
        (Err(error), _) => panic!("{case}: {call} says {:?}: {:.300}", error.kind(), error.to_string()),
        (Ok(_), _) => panic!("{case}: {call} takes it"),
    }
    outcome.ok()
}
