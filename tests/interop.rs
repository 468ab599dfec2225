//! The real sops and this crate read each other.
//!
//! `SOPS_BINS=/path/to/folder cargo test --test interop`, where the folder holds `sops-3.13.2/sops` and others; or a list of such
//! folders and of binaries, separated as in `PATH`. Without it the tests are skipped, or fail where `SOPSKIT_REQUIRE_PEERS=1`.
//! `SOPSKIT_INTEROP_DOCUMENTS` says how many documents are generated for each binary and direction.

#[path = "interop/documents.rs"]
mod documents;
#[path = "interop/sops.rs"]
mod sops;
mod support;

use std::ops::Range;

use documents::{Document, EXACT_KEY, INTEGERS, MAC_ONLY_ENCRYPTED, for_generated};
use sops::{Release, Sops, for_each_sops};
use sopskit::{EncryptedDocument, Format, Map, Value};
use support::{Case, FIXTURES, cases, identities, identity_text, recipients};

/// Cases that some releases refuse. They are tried all the same, so that this table cannot outlive its reasons.
struct Exception {
    cases: &'static [&'static str],
    releases: Range<Release>,
    #[expect(dead_code, reason = "for people")]
    because: &'static str,
}

const FIRST: Release = [0; 3];
const LAST: Release = [u32::MAX; 3];

const SOPS_CANNOT_READ_ITS_OWN: [Exception; 3] = [
    Exception {
        cases: &[
            "binary-mac-only-encrypted",
            "indent-2",
            "mac-only-encrypted",
            "mac-only-encrypted-empties",
            "mac-only-encrypted-nothing",
            "mac-only-encrypted-regex",
            "mac-only-encrypted-suffix",
            "mac-only-encrypted-unencrypted-regex",
            "mac-only-encrypted-unencrypted-suffix",
            "numbers-mac-only-encrypted",
            "rule-encrypted-comment-regex",
            "rule-unencrypted-comment-regex",
        ],
        releases: FIRST..MAC_ONLY_ENCRYPTED,
        because: "the release does not have the flag",
    },
    Exception {
        cases: &["key-sops-other-case"],
        releases: FIRST..EXACT_KEY,
        because: "the release takes the key SOPS for its own sops when it reads",
    },
    Exception {
        cases: &["negative-zero-float-unencrypted"],
        releases: INTEGERS..LAST,
        because: "the release writes -0.0 as -0, reads that as the integer 0, and finds that the MAC does not fit",
    },
];

const SOPS_CANNOT_READ_OURS: [Exception; 0] = [];

/// Whether a release is known to refuse a case.
fn is_exception(table: &[Exception], case: &Case, sops: &Sops) -> bool {
    table.iter().any(|known| known.releases.contains(&sops.release) && known.cases.contains(&case.name.as_str()))
}

fn readers(case: &Case) -> Vec<&str> {
    case.readers.iter().map(String::as_str).collect()
}

/// What sops seals a case as and then prints for that.
fn sealed_and_printed(sops: &Sops, case: &Case) -> Result<(Vec<u8>, Vec<u8>), String> {
    let config = format!("{FIXTURES}/cases/{}/sops.yaml", case.name);
    let whom = if std::path::Path::new(&config).exists() {
        ["--config".to_owned(), config]
    } else {
        ["--age".to_owned(), recipients(&readers(case)).iter().collect::<Vec<_>>().join(",")]
    };
    let sealed = sops.encrypt_for(&whom, &case.plain, case.format, &case.args)?;
    let printed = sops.decrypt(&sealed, case.format, &readers(case))?;
    Ok((sealed, printed))
}

#[track_caller]
fn decrypt(sealed: &[u8], who: &[&str]) -> sopskit::Document {
    let keys: Vec<_> = who.iter().map(|who| identity_text(who)).collect();
    EncryptedDocument::parse(sealed).unwrap().decrypt(&sopskit::Identities::parse(&keys.join("\n")).unwrap()).unwrap()
}

#[track_caller]
fn assert_same_text(ours: &[u8], theirs: &[u8], what: &str) {
    assert_eq!(String::from_utf8_lossy(ours), String::from_utf8_lossy(theirs), "{what}");
    assert_eq!(ours, theirs, "{what}");
}

#[test]
fn what_sops_encrypts_we_decrypt_to_the_bytes_sops_prints() {
    for_each_sops(|sops| {
        let cases = cases();
        let mut wrong = Vec::new();
        let mut files = 0;
        for case in &cases {
            match sealed_and_printed(sops, case) {
                Ok((sealed, printed)) => {
                    if is_exception(&SOPS_CANNOT_READ_ITS_OWN, case, sops) {
                        wrong.push(format!("{}: no exception", case.name));
                    }
                    let document = decrypt(&sealed, &readers(case));
                    assert_same_text(&document.to_bytes(case.format).unwrap(), &printed, &case.name);
                    files += 1;
                }
                Err(error) => {
                    if !is_exception(&SOPS_CANNOT_READ_ITS_OWN, case, sops) {
                        wrong.push(format!("{}: {error}", case.name));
                    }
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        println!("{sops}: {files} files");
    });
}

#[test]
fn what_we_encrypt_sops_decrypts_to_the_bytes_we_print() {
    for_each_sops(|sops| {
        let mut wrong = Vec::new();
        let mut files = 0;
        for case in cases() {
            let tree = case.format.parse(&case.plain).unwrap();
            let sealed = case.options().encrypt(tree.clone(), &recipients(&readers(&case))).unwrap().to_string();
            match sops.decrypt(sealed.as_bytes(), case.format, &readers(&case)) {
                Ok(printed) => {
                    if is_exception(&SOPS_CANNOT_READ_OURS, &case, sops) {
                        wrong.push(format!("{}: no exception", case.name));
                    }
                    let ours = case.format.write(&tree, sopskit::Indent::Tab).unwrap();
                    if *ours != printed {
                        wrong.push(format!(
                            "{}: {} instead of {}",
                            case.name,
                            String::from_utf8_lossy(&printed),
                            String::from_utf8_lossy(&ours)
                        ));
                    }
                    files += 1;
                }
                Err(error) => {
                    if !is_exception(&SOPS_CANNOT_READ_OURS, &case, sops) {
                        wrong.push(format!("{}: {error}", case.name));
                    }
                }
            }
        }
        assert!(wrong.is_empty(), "{sops}:\n{}", wrong.join("\n"));
        println!("{sops}: {files} files");
    });
}

#[test]
fn generated_documents_that_sops_encrypts_we_decrypt_to_the_bytes_sops_prints() {
    for_each_sops(|sops| {
        let documents = documents::for_sops_to_encrypt(sops.release);
        for_generated(&sops.to_string(), documents, |document| {
            let sealed = sops.encrypt(&document.plain(), Format::Json, &document.flags()).unwrap();
            let printed = sops.decrypt(&sealed, Format::Json, &["alice"]).unwrap();
            let ours = decrypt(&sealed, &["alice"]);
            assert_same_text(&ours.to_bytes(Format::Json).unwrap(), &printed, &sops.to_string());
        });
    });
}

#[test]
fn generated_documents_that_we_encrypt_sops_decrypts_to_the_bytes_we_print() {
    for_each_sops(|sops| {
        let documents = documents::for_us_to_encrypt(sops.release);
        for_generated(&sops.to_string(), documents, |document: &Document| {
            let sealed =
                document.options().encrypt(document.tree.clone(), &recipients(&["alice"])).unwrap().to_string();
            let printed = sops.decrypt(sealed.as_bytes(), Format::Json, &["alice"]).unwrap();
            let ours = decrypt(sealed.as_bytes(), &["alice"]);
            assert_same_text(&ours.to_bytes(Format::Json).unwrap(), &printed, &sops.to_string());
            let text = Format::Json.write(&document.tree, sopskit::Indent::Tab).unwrap();
            assert_same_text(&text, &printed, &sops.to_string());
        });
    });
}
