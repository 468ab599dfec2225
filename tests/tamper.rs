//! A file that was tampered with is refused, or opens to the same plaintext and is listed here with the reason. What the format leaves open is listed too, and
//! shown by a test each.
//!
//! With all tests each 29th bit is flipped; each one by
//! `SOPSKIT_STRESS=full cargo test --release --test tamper -- --nocapture`.

#[path = "tamper/exceptions.rs"]
mod exceptions;
#[path = "tamper/file.rs"]
mod file;
#[path = "tamper/mutations.rs"]
mod mutations;
#[path = "tamper/openings.rs"]
mod openings;
mod support;

use std::collections::HashMap;
use std::fmt;
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use exceptions::{Exception, Outcome, exceptions};
use file::File;
use mutations::{Mutation, flip, structural};
use sopskit::{
    EncryptOptions, EncryptedDocument, Error, Format, Identities, Indent, KeyService, Map, MasterKey, ServiceError,
};
use support::{FIXTURES, identities, read, recipients};

/// Folder and file, and who opens it.
const FILES: [(&str, &[&str]); 13] = [
    ("3.7.3/mixed/sealed.json", &["alice"]),
    ("3.8.1/rule-unencrypted-regex/sealed.json", &["alice"]),
    ("3.9.4/rule-encrypted-suffix/sealed.json", &["alice"]),
    ("3.10.2/key-groups/sealed.json", &["alice", "bob"]),
    ("3.11.0/from-yaml-comments/sealed.json", &["alice"]),
    ("3.12.2/arrays-of-objects/sealed.json", &["alice"]),
    ("3.12.2/from-yaml/sealed.json", &["alice"]),
    ("3.13.2/mixed/sealed.json", &["alice"]),
    ("3.13.2/rule-encrypted-regex/sealed.json", &["alice"]),
    ("3.13.2/mac-only-encrypted-regex/sealed.json", &["alice"]),
    ("3.13.2/binary-not-utf8/sealed.json", &["alice"]),
    ("tokens/kstlib/full.token.sops.json", &["alice"]),
    (OWN, &["alice"]),
];

/// A file of this crate's own, made for each run: its age stanzas are not those of sops.
const OWN: &str = "sopskit/new";

fn text(name: &str) -> String {
    if name != OWN {
        return String::from_utf8(read(format!("{FIXTURES}/{name}"))).unwrap();
    }
    let tree = Format::Json.parse(br#"{"a": "x", "b": [1, 2.5], "c": {"d": true, "e": "yz"}}"#).unwrap();
    EncryptOptions::new().encrypt(tree, &recipients(&["alice"])).unwrap().to_string()
}

/// Remembers what each wrapped key opened to, and why it did not: only a change of the wrapped key costs anything.
struct Remembering {
    keys: Vec<Identities>,
    known: Mutex<HashMap<(MasterKey, String), Option<Part>>>,
}

/// What a wrapped key opened to.
type Part = Result<Vec<u8>, String>;

impl Remembering {
    fn new(who: &[&str]) -> Self {
        Remembering { keys: who.iter().map(|who| identities(who)).collect(), known: Mutex::default() }
    }

    fn ask(&self, key: &MasterKey, enc: &str) -> Option<Part> {
        let mut failure = None;
        for keys in &self.keys {
            match keys.unwrap(key, enc) {
                Some(Ok(part)) => return Some(Ok(part.to_vec())),
                Some(Err(error)) => failure = Some(Err(error.to_string())),
                None => {}
            }
        }
        failure
    }
}

impl KeyService for Remembering {
    fn wrap(&self, _: &MasterKey, _: &[u8]) -> Option<Result<String, ServiceError>> {
        None
    }

    fn unwrap(&self, key: &MasterKey, enc: &str) -> Option<Result<zeroize::Zeroizing<Vec<u8>>, ServiceError>> {
        let mut known = self.known.lock().unwrap();
        let answer = known.entry((key.clone(), enc.to_owned())).or_insert_with(|| self.ask(key, enc));
        Some(answer.clone()?.map(Into::into).map_err(Into::into))
    }
}

type Opened = Result<(Map, Vec<u8>), (String, String)>;

fn failure(error: &Error) -> (String, String) {
    (error.kind().as_str().to_owned(), error.path().to_string())
}

/// What the file opens to, by both ways, which must agree: on the bytes, or on kind and place of the error.
fn open(bytes: &[u8], keys: &dyn KeyService, format: Format) -> Opened {
    let sealed = EncryptedDocument::parse(bytes).map_err(|error| failure(&error))?;
    let tree = sealed.decrypt(keys).map(|document| document.tree().clone());
    let printed = tree
        .as_ref()
        .map_err(failure)
        .and_then(|tree| format.write(tree, Indent::Tab).map(|bytes| bytes.to_vec()).map_err(|error| failure(&error)));
    let at_once = sealed.decrypt_to_bytes(keys, format, Indent::Tab);
    assert_eq!(at_once.map(|bytes| bytes.to_vec()).map_err(|error| failure(&error)), printed, "the two ways differ");
    match (tree, printed) {
        (Ok(tree), Ok(printed)) => Ok((tree, printed)),
        // No plaintext of the format, such as a binary file with a second leaf: it was opened all the same.
        (Ok(tree), Err(_)) => Ok((tree, Vec::new())),
        (Err(error), _) => Err(failure(&error)),
    }
}

/// One file under attack.
struct Attack<'l> {
    name: &'static str,
    file: File,
    format: Format,
    keys: Remembering,
    plain: (Map, Vec<u8>),
    counts: Counts,
    listed: &'l [Exception],
    /// How often each of them occurred.
    seen: Vec<usize>,
    unlisted: Vec<String>,
}

#[derive(Default, Clone, Copy)]
struct Counts {
    refused: usize,
    same: usize,
    other: usize,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { refused, same, other } = self;
        let all = refused + same + other;
        write!(f, "{all:7} changes: {refused:7} refused, {same:5} same plaintext, {other:4} another (listed)")
    }
}

impl<'l> Attack<'l> {
    fn new(name: &'static str, who: &[&str], listed: &'l [Exception]) -> Self {
        let text = text(name);
        let format = if name.contains("/binary") { Format::Binary } else { Format::Json };
        let keys = Remembering::new(who);
        let plain = open(text.as_bytes(), &keys, format).unwrap();
        let (file, counts, seen) = (File::parse(text), Counts::default(), vec![0; listed.len()]);
        Attack { name, file, format, keys, plain, counts, listed, seen, unlisted: Vec::new() }
    }

    fn try_one(&mut self, mutation: &Mutation) {
        if self.format == Format::Binary {
            // The way without a tree is that of JSON.
            let _ = open(&mutation.bytes, &self.keys, Format::Json);
        }
        let outcome = match open(&mutation.bytes, &self.keys, self.format) {
            Err(_) => {
                self.counts.refused += 1;
                return;
            }
            Ok(plain) if plain == self.plain => Outcome::Same,
            Ok(_) => Outcome::Other,
        };
        match outcome {
            Outcome::Same => self.counts.same += 1,
            Outcome::Other => self.counts.other += 1,
        }
        let mut is_listed = false;
        for (exception, seen) in self.listed.iter().zip(&mut self.seen) {
            if exception.allows(self.name, mutation, outcome) {
                *seen += 1;
                is_listed = true;
            }
        }
        if !is_listed {
            self.unlisted.push(format!("{}: {} {}: {outcome:?}", self.name, mutation.what, mutation.place));
        }
    }

    /// All changes of structure, and each `step`th bit.
    fn run(&mut self, step: usize) {
        structural(&self.file).iter().for_each(|mutation| self.try_one(mutation));
        let owners = self.file.owners();
        for bit in (0..8 * owners.len()).step_by(step) {
            self.try_one(&flip(&self.file, bit, owners[bit / 8]));
        }
        self.keys.known.lock().unwrap().clear();
    }

    /// Goes on flipping where an exception is listed, until it has occurred.
    fn look_for(&mut self, number: usize) -> bool {
        let exception = &self.listed[number];
        let owners = self.file.owners();
        for bit in 0..8 * owners.len() {
            let mutation = flip(&self.file, bit, owners[bit / 8]);
            if exception.covers(self.name, &mutation) {
                self.try_one(&mutation);
            }
            if self.seen[number] > 0 {
                return true;
            }
        }
        false
    }
}

fn is_full() -> bool {
    std::env::var("SOPSKIT_STRESS").is_ok_and(|form| form == "full")
}

#[test]
fn a_changed_file_is_refused_or_opens_to_the_same_plaintext_for_a_listed_reason() {
    let started = Instant::now();
    let step = if is_full() { 1 } else { 29 };
    let listed = exceptions();
    let todo: Mutex<Vec<_>> = Mutex::new(FILES.to_vec());
    let done: Mutex<Vec<Attack<'_>>> = Mutex::default();
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, usize::from).min(FILES.len()) {
            scope.spawn(|| {
                while let Some((name, who)) = { todo.lock().unwrap().pop() } {
                    let mut attack = Attack::new(name, who, &listed);
                    attack.run(step);
                    done.lock().unwrap().push(attack);
                }
            });
        }
    });
    let mut attacks = done.into_inner().unwrap();
    attacks.sort_by_key(|attack| attack.name);
    let stale = listed.iter().enumerate().filter(|(number, _)| {
        !attacks.iter().any(|attack| attack.seen[*number] > 0)
            && !attacks.iter_mut().any(|attack| attack.look_for(*number))
    });
    let stale: Vec<_> = stale.map(|(_, exception)| format!("{exception:?}")).collect();
    let mut sum = Counts::default();
    for Attack { name, counts, .. } in &attacks {
        println!("{name:44} {counts}");
        sum.refused += counts.refused;
        sum.same += counts.same;
        sum.other += counts.other;
    }
    println!("{:44} {sum}, in {:.1?}", "all", started.elapsed());
    let unlisted: Vec<_> = attacks.iter().flat_map(|attack| &attack.unlisted).map(String::as_str).collect();
    assert!(unlisted.is_empty(), "{} are not listed:\n{}", unlisted.len(), unlisted.join("\n"));
    assert!(stale.is_empty(), "these did not occur:\n{}", stale.join("\n"));
    assert!(sum.refused > 5000, "{sum}");
}
