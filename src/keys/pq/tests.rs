//! The age CLI and this module read each other, and what is not as it must be is refused.
//!
//! `AGE_BIN=/path/to/age` (1.3 or later) runs the tests that need the real one; `SOPSKIT_REQUIRE_PEERS=1` makes its lack a failure.
//! `AGE_TESTKIT` names a folder of the age test vectors of C2SP/CCTV, unpacked from zlib, `HPKE_PQ_VECTORS` the `hpke-pq.json` of
//! filippo.io/hpke. Both are only looked at where they are given.

use std::ffi::OsString;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use age::armor::ArmoredReader;
use age::{Identity as _, Recipient as _};
use bech32::Bech32;
use bech32::primitives::iter::{ByteIterExt as _, Fe32IterExt as _};
use hpke::Kem as _;

use super::*;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/pq");
const PLAIN: &[u8] = b"post-quantum";

fn fixture(name: &str) -> Vec<u8> {
    fs::read(format!("{FIXTURES}/{name}")).unwrap()
}

/// The recipient and the identity in a key file, as they are written there.
fn key_file(who: &str) -> (String, String) {
    let text = String::from_utf8(fixture(&format!("{who}.txt"))).unwrap();
    let recipient = text.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap();
    let identity = text.lines().find(|line| line.starts_with("AGE-SECRET-KEY-PQ-1")).unwrap();
    (recipient.to_owned(), identity.to_owned())
}

fn identity(who: &str) -> Identity {
    key_file(who).1.parse().unwrap()
}

fn open(identity: &dyn age::Identity, file: &[u8]) -> Result<Vec<u8>, DecryptError> {
    let mut plain = Vec::new();
    let file = age::Decryptor::new_buffered(ArmoredReader::new(file))?;
    io::Read::read_to_end(&mut file.decrypt(std::iter::once(identity))?, &mut plain)?;
    Ok(plain)
}

/// A file key and a stanza of it for alice.
fn wrapped() -> (FileKey, Stanza) {
    let file_key = FileKey::new(Box::new([7; FILE_KEY_BYTES]));
    let (mut stanzas, labels) = identity("alice").to_public().wrap_file_key(&file_key).unwrap();
    assert_eq!(stanzas.len(), 1);
    assert_eq!(labels, HashSet::from([String::from("postquantum")]));
    (file_key, stanzas.remove(0))
}

/// A stanza like another, with a change to its encapsulated key.
fn with_enc(stanza: &Stanza, change: impl FnOnce(&mut Vec<u8>)) -> Stanza {
    let mut enc = BASE64_STANDARD_NO_PAD.decode(&stanza.args[0]).unwrap();
    change(&mut enc);
    Stanza { tag: stanza.tag.clone(), args: vec![BASE64_STANDARD_NO_PAD.encode(enc)], body: stanza.body.clone() }
}

fn bech32(hrp: &str, bytes: &[u8]) -> String {
    let mut text = String::new();
    bech32_encode_to_fmt(&mut text, Hrp::parse(hrp).unwrap(), bytes).unwrap();
    text
}

#[test]
fn keys_of_the_age_cli_are_read_and_written_as_it_writes_them() {
    for who in ["alice", "bob"] {
        let (recipient, identity) = key_file(who);
        let parsed: Identity = identity.parse().unwrap();
        assert_eq!(parsed.to_string().expose_secret(), identity);
        assert_eq!(identity.len(), IDENTITY_LEN);
        assert_eq!(parsed.to_public().to_string(), recipient);
        assert_eq!(recipient.parse::<Recipient>().unwrap(), parsed.to_public());
    }
}

#[test]
fn files_of_the_age_cli_open() {
    let (alice, bob) = (identity("alice"), identity("bob"));
    for (file, reader, plain) in [
        ("alice.age", &alice, PLAIN),
        ("alice-armored.age", &alice, PLAIN),
        ("alice-bob.age", &alice, PLAIN),
        ("alice-bob.age", &bob, PLAIN),
        ("bob-empty.age", &bob, b""),
    ] {
        assert_eq!(open(reader, &fixture(file)).unwrap(), plain, "{file}");
    }
    for (file, reader) in [("alice.age", &bob), ("alice-armored.age", &bob), ("bob-empty.age", &alice)] {
        assert!(matches!(open(reader, &fixture(file)), Err(DecryptError::NoMatchingKeys)), "{file}");
    }
}

#[test]
fn data_keys_that_sops_wrapped_open() {
    for file in ["sops-3.12.2.json", "sops-3.13.2.json"] {
        let json: serde_json::Value = serde_json::from_slice(&fixture(file)).unwrap();
        let master_key = &json["sops"]["age"][0];
        assert_eq!(master_key["recipient"], key_file("alice").0);
        let enc = master_key["enc"].as_str().unwrap();
        assert_eq!(open(&identity("alice"), enc.as_bytes()).unwrap().len(), 32, "{file}");
        assert!(matches!(open(&identity("bob"), enc.as_bytes()), Err(DecryptError::NoMatchingKeys)), "{file}");
    }
}

#[test]
fn what_is_sealed_opens_with_the_right_key_only() {
    let (new, other) = (Identity::generate(), Identity::generate());
    assert_ne!(new.to_string().expose_secret(), other.to_string().expose_secret());
    let file = age::encrypt(&new.to_public(), PLAIN).unwrap();
    assert_eq!(open(&new, &file).unwrap(), PLAIN);
    assert!(matches!(open(&other, &file), Err(DecryptError::NoMatchingKeys)));
    assert_ne!(age::encrypt(&new.to_public(), PLAIN).unwrap(), file);
}

#[test]
fn a_recipient_that_is_none_is_refused() {
    let (good, secret) = key_file("alice");
    let key = identity("alice").to_public().0.to_bytes();
    // A coefficient of 4095, which is above the modulus 3329.
    let mut too_large = key;
    too_large[..2].copy_from_slice(&[0xff, 0xff]);
    let mut longer = key.to_vec();
    longer.push(0);
    for text in [
        "",
        "age1pq1",
        "age1pq",
        &good[..good.len() - 1],
        &format!("{good}q"),
        &format!("{good} "),
        &good.to_uppercase(),
        &good.replacen("age1pq1", "age1qp1", 1),
        &format!("{}q{}", &good[..900], &good[901..]),
        &format!("{}é{}", &good[..900], &good[901..]),
        &bech32("age1pq", &[]),
        &bech32("age1pq", &key[1..]),
        &bech32("age1pq", &longer),
        &bech32("age1pq", &too_large),
        &bech32("age1tagpq", &key),
        &bech32("age", &key),
        "age1u2f7yk4gzql7dcnlp26xgm7kf7rxsr0l7nx58y4tcgy5jvv2av4qdjd0eq",
        &secret,
    ] {
        assert!(text.parse::<Recipient>().is_err(), "{text}");
    }
}

#[test]
fn an_identity_that_is_none_is_refused() {
    let (public, good) = key_file("alice");
    let seed = *identity("alice").0.as_bytes();
    let upper = |hrp, bytes: &[u8]| bech32(hrp, bytes).to_uppercase();
    assert_eq!(upper("age-secret-key-pq-", &seed), good);
    // The last character stands for one bit of the seed and four of padding, which must be 0.
    let mut symbols: Vec<_> = seed.iter().copied().bytes_to_fes().collect();
    let last = symbols.last_mut().unwrap();
    *last = bech32::Fe32::try_from(last.to_u8() | 1).unwrap();
    let padded: String = symbols.into_iter().with_checksum::<Bech32>(&IDENTITY_HRP).chars().collect();
    for text in [
        "",
        "AGE-SECRET-KEY-PQ-1",
        &good[..good.len() - 1],
        &format!("{good}Q"),
        &good.to_lowercase(),
        &good.replacen("AGE", "age", 1),
        &good.replacen("PQ-1", "PQ-1Q", 1),
        &upper("age-secret-key-pq-", &seed[1..]),
        &upper("age-secret-key-pq-", &[0; 33]),
        &upper("age-secret-key-", &seed),
        &padded.to_uppercase(),
        &public,
    ] {
        assert!(text.parse::<Identity>().is_err());
    }
}

#[test]
fn a_stanza_of_another_kind_is_not_ours() {
    let (_, stanza) = wrapped();
    for tag in ["X25519", "MLKEM768X25519", "mlkem768x25519 ", "mlkem768p256tag", ""] {
        let other = Stanza { tag: tag.to_owned(), args: stanza.args.clone(), body: stanza.body.clone() };
        assert!(identity("alice").unwrap_stanza(&other).is_none(), "{tag}");
    }
}

#[test]
fn a_stanza_out_of_form_is_an_error() {
    let (_, stanza) = wrapped();
    let of = |args: &[&str], body: &[u8]| Stanza {
        tag: STANZA_TAG.to_owned(),
        args: args.iter().copied().map(str::to_owned).collect(),
        body: body.to_vec(),
    };
    let (enc, body) = (stanza.args[0].as_str(), stanza.body.as_slice());
    // 1120 bytes leave two bits of padding in the last character.
    let not_canonical = format!("{}{}", &enc[..enc.len() - 1], if enc.ends_with('A') { 'B' } else { 'z' });
    let long = [body, &[0]].concat();
    let points: [[u8; 32]; 3] = [[0; 32], one(), minus_one()];
    let mut bad = vec![
        of(&[], body),
        of(&[enc, enc], body),
        of(&[""], body),
        of(&[&format!("{enc}=")], body),
        of(&[&format!("{enc}==")], body),
        of(&[&enc.replace(&enc[5..6], "-")], body),
        of(&[&not_canonical], body),
        of(&[enc], b""),
        of(&[enc], &body[1..]),
        of(&[enc], &long),
        with_enc(&stanza, |enc| enc.push(0)),
        with_enc(&stanza, |enc| enc.truncate(1119)),
        with_enc(&stanza, |enc| enc.truncate(1088)),
    ];
    bad.extend(points.map(|point| with_enc(&stanza, |enc| enc[1088..].copy_from_slice(&point))));
    for stanza in bad {
        let outcome = identity("alice").unwrap_stanza(&stanza);
        assert!(matches!(outcome, Some(Err(DecryptError::InvalidHeader))), "{stanza:?}");
    }
}

/// Points of low order, with which X25519 gives zero.
fn one() -> [u8; 32] {
    let mut point = [0; 32];
    point[0] = 1;
    point
}

fn minus_one() -> [u8; 32] {
    let mut point = [0xff; 32];
    (point[0], point[31]) = (0xec, 0x7f);
    point
}

#[test]
fn a_changed_stanza_does_not_open() {
    let (file_key, stanza) = wrapped();
    let outcome = identity("alice").unwrap_stanza(&stanza).unwrap().unwrap();
    assert_eq!(outcome.expose_secret(), file_key.expose_secret());
    assert!(identity("bob").unwrap_stanza(&stanza).is_none());
    // The ML-KEM part from end to end, then the point. Its top bit is no part of X25519, but of the combiner.
    for byte in [0, 1, 500, 959, 960, 1087, 1088, 1100, 1119] {
        for bit in [0x01, 0x80] {
            let changed = with_enc(&stanza, |enc| enc[byte] ^= bit);
            assert!(identity("alice").unwrap_stanza(&changed).is_none(), "{byte} {bit}");
        }
    }
    for byte in 0..BODY_LEN {
        let mut changed = with_enc(&stanza, |_| ());
        changed.body[byte] ^= 1;
        assert!(identity("alice").unwrap_stanza(&changed).is_none(), "{byte}");
    }
}

#[test]
fn a_recipient_whose_point_keeps_no_secret_is_refused() {
    let mut key = identity("alice").to_public().0.to_bytes();
    for point in [[0; 32], one(), minus_one()] {
        key[1184..].copy_from_slice(&point);
        assert!(bech32("age1pq", &key).parse::<Recipient>().is_err());
    }
    // Any other point is taken, also one that is not reduced: 2^255 - 10 is 9, the base point.
    let mut base = [0xff; 32];
    (base[0], base[31]) = (0xf6, 0x7f);
    key[1184..].copy_from_slice(&base);
    let text = bech32("age1pq", &key);
    assert_eq!(text.parse::<Recipient>().unwrap().to_string(), text);
}

#[test]
fn recipients_that_a_quantum_computer_breaks_are_not_mixed_in() {
    let classic = age::x25519::Identity::generate().to_public();
    let hybrid = Identity::generate().to_public();
    let both: [&dyn age::Recipient; 2] = [&classic, &hybrid];
    let outcome = age::Encryptor::with_recipients(both.into_iter());
    assert!(matches!(outcome.err(), Some(EncryptError::IncompatibleRecipients { .. })));
}

#[test]
fn a_file_damaged_anywhere_does_not_open() {
    let alice = identity("alice");
    let binary = fixture("alice.age");
    let armored = fixture("alice-armored.age");
    let text = armored.trim_ascii_end();
    for (file, step) in [(binary.as_slice(), 13), (text, 17)] {
        for at in (0..file.len()).step_by(step).chain(file.len() - 60..file.len()) {
            assert!(open(&alice, &file[..at]).is_err(), "cut at {at}");
            let mut changed = file.to_vec();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert!(open(&alice, &changed).is_err(), "changed at {at}");
        }
    }
}

#[test]
fn nothing_shows_a_secret() {
    let (recipient, secret) = key_file("alice");
    assert!(format!("{:?}", identity("alice").to_public()).contains(&recipient));
    let Err(error) = format!("{secret}Q").parse::<Identity>() else { panic!("it was taken") };
    assert!(!format!("{error:?}").contains(&secret[20..30]));
}

#[test]
fn the_age_cli_opens_what_is_sealed_here_and_the_other_way_round() {
    let Some(age_bin) = peer("AGE_BIN") else { return };
    let folder = tempfile::tempdir().unwrap();
    let identity = Identity::generate();
    let key = folder.path().join("key.txt");
    fs::write(&key, identity.to_string().expose_secret()).unwrap();
    let run = |args: &[&str], input: &[u8]| {
        let mut child = Command::new(&age_bin).args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "age {args:?}");
        output.stdout
    };
    let recipient = identity.to_public().to_string();
    let open_with_cli = |file: &[u8]| run(&["-d", "-i", key.to_str().unwrap()], file);
    for length in [0, 1, 32, 33, 70_000] {
        let plain = vec![0x5a; length];
        let armored = age::encrypt_and_armor(&identity.to_public(), &plain).unwrap();
        assert_eq!(open_with_cli(armored.as_bytes()), plain);
        assert_eq!(open_with_cli(&age::encrypt(&identity.to_public(), &plain).unwrap()), plain);
        assert_eq!(open(&identity, &run(&["-r", &recipient], &plain)).unwrap(), plain);
        assert_eq!(open(&identity, &run(&["-a", "-r", &recipient], &plain)).unwrap(), plain);
    }
}

/// What an environment variable names; `None`, after a loud line, where it is not set.
fn peer(variable: &str) -> Option<OsString> {
    let value = std::env::var_os(variable);
    if value.is_none() {
        let required = std::env::var("SOPSKIT_REQUIRE_PEERS").is_ok_and(|required| required == "1");
        assert!(!required, "SOPSKIT_REQUIRE_PEERS=1, but {variable} is not set");
        // Not by eprintln!, which the test harness keeps to itself.
        let _ = writeln!(io::stderr(), "SKIPPED: {variable} is not set");
    }
    value
}

/// One reader of a test vector, of either kind that it may name.
fn any_identity(text: &str) -> Box<dyn age::Identity> {
    match text.parse::<Identity>() {
        Ok(identity) => Box::new(identity),
        Err(_) => Box::new(text.parse::<age::x25519::Identity>().unwrap()),
    }
}

#[test]
fn public_age_vectors_come_out_as_they_should() {
    let Some(folder) = std::env::var_os("AGE_TESTKIT") else { return };
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.to_string_lossy().contains("hybrid"));
    assert!(files.len() >= 15, "{files:?}");
    for path in files {
        vector(&path);
    }
}

fn vector(path: &Path) {
    let all = fs::read(path).unwrap();
    let end = all.windows(2).position(|two| two == b"\n\n").unwrap();
    let header = std::str::from_utf8(&all[..end]).unwrap();
    let values = |key: &str| {
        let prefix = format!("{key}: ");
        header.lines().filter_map(move |line| line.strip_prefix(&prefix).map(str::to_owned)).collect::<Vec<_>>()
    };
    assert!(values("compressed").is_empty(), "{}: not unpacked", path.display());
    let readers: Vec<_> = values("identity").iter().map(|text| any_identity(text)).collect();
    let outcome = age::Decryptor::new_buffered(ArmoredReader::new(&all[end + 2..])).and_then(|file| {
        let mut plain = Vec::new();
        io::Read::read_to_end(&mut file.decrypt(readers.iter().map(AsRef::as_ref))?, &mut plain)?;
        Ok(plain)
    });
    let expect = values("expect").remove(0);
    let fits = match &outcome {
        Ok(plain) => expect == "success" && values("payload")[0] == hex(&<sha2::Sha256 as sha2::Digest>::digest(plain)),
        Err(DecryptError::NoMatchingKeys) => expect == "no match",
        // What age 0.12 calls a header that does not parse.
        Err(DecryptError::InvalidHeader | DecryptError::UnknownFormat) => expect == "header failure",
        Err(_) => false,
    };
    assert!(fits, "{}: expected {expect}, got {outcome:?}", path.display());
}

#[test]
fn public_hpke_vectors_come_out_as_they_should() {
    let Some(file) = std::env::var_os("HPKE_PQ_VECTORS") else { return };
    let all: serde_json::Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let ours = |vector: &&serde_json::Value| vector["kem_id"] == MlKem768X25519::KEM_ID;
    let mut schedules = 0;
    for vector in all.as_array().unwrap().iter().filter(ours) {
        let bytes = |key: &str| unhex(vector[key].as_str().unwrap());
        let (seed, public) = MlKem768X25519::derive_keypair(&bytes("ikmR"));
        assert_eq!(seed.as_bytes()[..], bytes("skRm"));
        assert_eq!(public.to_bytes()[..], bytes("pkRm"));
        let enc = Encapsulated::from_bytes(&bytes("enc")).unwrap();
        let secret = MlKem768X25519::decap(&seed, None, &enc).unwrap();
        assert_eq!(secret.0[..], bytes("shared_secret"));
        // HKDF-SHA256 and ChaCha20Poly1305: the suite of age.
        if vector["kdf_id"] == 1 && vector["aead_id"] == 3 {
            let first = |key: &str| unhex(vector["encryptions"][0][key].as_str().unwrap());
            let opened = hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, MlKem768X25519>(
                &OpModeR::Base,
                &seed,
                &enc,
                &bytes("info"),
                &first("ct"),
                &first("aad"),
            );
            assert_eq!(opened.unwrap(), first("pt"));
            schedules += 1;
        }
    }
    assert_eq!(schedules, 1);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}
