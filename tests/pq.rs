//! Post-quantum recipients and identities, through the interface that an application uses.
//!
//! `SOPS_BINS` names the real sops as in `tests/interop.rs`; releases before 3.12 do not know such keys.
#![cfg(feature = "pq")]

#[path = "interop/sops.rs"]
#[allow(dead_code, reason = "this test uses a part of it")]
mod sops;
mod support;

use sops::{Release, for_each_sops};
use sopskit::{EncryptOptions, EncryptedDocument, Format, Identities, Recipients};
use support::{FIXTURES, identities, identity_text, public_key, read, recipients};

const POST_QUANTUM: Release = [3, 12, 0];
/// Key files, as seen from the folder of the classic ones.
const ALICE: &str = "../pq/alice";
const BOB: &str = "../pq/bob";
const PLAIN: &str =
    "{\n\t\"db\": {\n\t\t\"user\": \"app\",\n\t\t\"password\": \"hunter2\"\n\t},\n\t\"port_unencrypted\": 5432\n}\n";

fn encrypt(whom: &Recipients) -> String {
    EncryptOptions::new().encrypt(Format::Json.parse(PLAIN.as_bytes()).unwrap(), whom).unwrap().to_string()
}

#[track_caller]
fn assert_opens(sealed: &[u8], who: &str) {
    let document = EncryptedDocument::parse(sealed).unwrap().decrypt(&identities(who)).unwrap();
    assert_eq!(String::from_utf8_lossy(&document.to_bytes(Format::Json).unwrap()), PLAIN);
}

#[test]
fn files_of_sops_open() {
    for release in ["3.12.2", "3.13.2"] {
        let sealed = read(format!("{FIXTURES}/pq/sops-{release}.json"));
        assert_opens(&sealed, ALICE);
        for who in [BOB, "alice"] {
            assert!(EncryptedDocument::parse(&sealed).unwrap().decrypt(&identities(who)).is_err());
        }
    }
}

#[test]
fn classic_and_post_quantum_recipients_share_a_file() {
    // Each has an age file of its own within it. As strong as the weaker, but a way to move from one to the other.
    let sealed = encrypt(&recipients(&["alice", ALICE]));
    assert_opens(sealed.as_bytes(), "alice");
    assert_opens(sealed.as_bytes(), ALICE);
}

#[test]
fn damaged_keys_are_refused_and_not_shown() {
    let secret = identity_text(ALICE);
    let secret = secret.lines().find(|line| !line.starts_with('#')).unwrap();
    let error = Identities::parse(&secret[..secret.len() - 1]).unwrap_err().to_string();
    assert!(error.contains("post-quantum") && !error.contains(&secret[20..30]), "{error}");
    let error = Recipients::parse(secret).unwrap_err().to_string();
    assert!(!error.contains(&secret[20..30]), "{error}");
    assert!(!format!("{:?}", identities(ALICE)).contains(&secret[20..30]));
    let public = identities(ALICE).recipients().next().unwrap().to_owned();
    assert!(Recipients::parse(&public[..public.len() - 1]).is_err());
}

#[test]
fn sops_and_we_read_each_other() {
    for_each_sops(|sops| {
        let whom = ["--age".to_owned(), [ALICE, BOB].map(public_key).join(",")];
        let theirs = sops.encrypt_for(&whom, PLAIN.as_bytes(), Format::Json, &[]);
        // Such keys come from the age module: an older release knows them when it was built with a newer age.
        let knows = theirs.is_ok();
        assert!(knows || sops.release < POST_QUANTUM, "{sops}: {theirs:?}");
        let ours = encrypt(&recipients(&[ALICE, BOB]));
        for who in [ALICE, BOB] {
            let printed = sops.decrypt(ours.as_bytes(), Format::Json, &[who]);
            assert_eq!(printed.is_ok(), knows, "{sops}, {who}: {printed:?}");
            assert!(!knows || printed.unwrap() == PLAIN.as_bytes());
        }
        if let Ok(theirs) = theirs {
            assert_opens(&theirs, ALICE);
            assert_opens(&theirs, BOB);
        }
    });
}
