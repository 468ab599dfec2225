//! The real sops and this crate read each other.
//!
//! `SOPS_BINS=/path/to/folder cargo test --test interop`, where the folder holds `sops-3.13.2/sops` and others; or a list of such
//! folders and of binaries, separated as in `PATH`. Without it the tests are skipped, or fail where `SOPSKIT_REQUIRE_PEERS=1`.
//! `SOPSKIT_INTEROP_DOCUMENTS` says how many documents are generated for each binary and direction.

#[path = "interop/documents.rs"]
mod documents;
#[path = "interop/regexes.rs"]
mod regexes;
#[path = "interop/sops.rs"]
mod sops;
mod support;

use std::ops::Range;
use std::path::Path;

use documents::{EXACT_KEY, INTEGERS, MAC_ONLY_ENCRYPTED, for_generated};
use sops::{Release, Sops, for_each_sops, for_oldest_and_newest_sops};
use sopskit::{Document, EncryptOptions, EncryptedDocument, Format, Identities, Indent, Map, Rule, Value};
use support::{Case, FIXTURES, cases, identities, identity_text, public_key, recipients};

/// Cases that some releases refuse. They are tried all the same, so that no exception outlives its reason.
struct Exception {
    cases: &'static [&'static str],
    releases: Range<Release>,
    #[expect(dead_code, reason = "for people")]
    because: &'static str,
}

const FIRST: Release = [0; 3];
const LAST: Release = [u32::MAX; 3];

const MAC_ONLY_ENCRYPTED_CASES: &[&str] = &[
    "mac-only-encrypted",
    "mac-only-encrypted-empties",
    "mac-only-encrypted-nothing",
    "mac-only-encrypted-regex",
    "mac-only-encrypted-suffix",
    "mac-only-encrypted-unencrypted-regex",
    "mac-only-encrypted-unencrypted-suffix",
    "numbers-mac-only-encrypted",
];

const SOPS_REFUSES_ITS_OWN: [Exception; 4] = [
    Exception {
        cases: MAC_ONLY_ENCRYPTED_CASES,
        releases: FIRST..MAC_ONLY_ENCRYPTED,
        because: "the release does not have the flag",
    },
    Exception {
        cases: &[
            "binary-mac-only-encrypted",
            "indent-2",
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
        because: "the release writes -0.0 as -0, reads that as the integer 0, and then the MAC does not fit",
    },
];

const SOPS_REFUSES_OURS: [Exception; 4] = [
    Exception {
        cases: MAC_ONLY_ENCRYPTED_CASES,
        releases: FIRST..MAC_ONLY_ENCRYPTED,
        because: "the release does not know the field and computes the MAC over all",
    },
    Exception {
        cases: &["rule-encrypted-comment-regex"],
        releases: FIRST..MAC_ONLY_ENCRYPTED,
        because: "the release does not know the field and takes all for encrypted, where nothing is",
    },
    Exception {
        cases: &["key-sops-other-case"],
        releases: FIRST..EXACT_KEY,
        because: "the release takes the key SOPS for its own sops",
    },
    Exception {
        cases: &["int64-unencrypted"],
        releases: FIRST..INTEGERS,
        because: "the release rounds integers in clear above 2^53, and then the MAC does not fit. It reads sealed ones exactly",
    },
];

/// Counts the cases that pass, and gathers what is wrong with the others.
#[derive(Default)]
struct Tally {
    passed: usize,
    wrong: Vec<String>,
}

impl Tally {
    /// Whether there is an outcome to look at. A release must refuse the exceptions and nothing else.
    fn accepts<T>(
        &mut self,
        sops: &Sops,
        exceptions: &[Exception],
        case: &Case,
        outcome: Result<T, String>,
    ) -> Option<T> {
        let is_exception = exceptions
            .iter()
            .any(|known| known.releases.contains(&sops.release) && known.cases.contains(&case.name.as_str()));
        match (outcome, is_exception) {
            (Err(_), true) => None,
            (Ok(outcome), false) => Some(outcome),
            (Ok(_), true) => self.fault(case, "is an exception, but was accepted"),
            (Err(error), false) => self.fault(case, &error),
        }
    }

    fn fault<T>(&mut self, case: &Case, what: &str) -> Option<T> {
        self.wrong.push(format!("{}: {what}", case.name));
        None
    }

    fn same(&mut self, case: &Case, ours: &[u8], theirs: &[u8]) {
        if ours == theirs {
            self.passed += 1;
        } else {
            let [ours, theirs] = [ours, theirs].map(String::from_utf8_lossy);
            self.wrong.push(format!("{}: we print {ours}\nsops prints {theirs}", case.name));
        }
    }

    fn finish(self, sops: &Sops) {
        assert!(self.wrong.is_empty(), "{sops}:\n{}", self.wrong.join("\n"));
        println!("{sops}: {} files", self.passed);
    }
}

fn readers(case: &Case) -> Vec<&str> {
    case.readers.iter().map(String::as_str).collect()
}

/// What sops seals a case as, and what it prints for that.
fn sealed_and_printed(sops: &Sops, case: &Case) -> Result<(Vec<u8>, Vec<u8>), String> {
    let config = format!("{FIXTURES}/cases/{}/sops.yaml", case.name);
    let whom = if Path::new(&config).exists() {
        ["--config".to_owned(), config]
    } else {
        ["--age".to_owned(), case.readers.iter().map(|who| public_key(who)).collect::<Vec<_>>().join(",")]
    };
    let sealed = sops.encrypt_for(&whom, &case.plain, case.format, &case.args)?;
    let printed = sops.decrypt(&sealed, case.format, &readers(case))?;
    Ok((sealed, printed))
}

/// Opens a file with the keys of all of `who`.
#[track_caller]
fn decrypt(sealed: &[u8], who: &[&str]) -> Document {
    let keys: String = who.iter().map(|who| identity_text(who)).collect();
    EncryptedDocument::parse(sealed).unwrap().decrypt(&Identities::parse(&keys).unwrap()).unwrap()
}

#[track_caller]
fn json(document: &Document) -> String {
    String::from_utf8(document.to_bytes(Format::Json).unwrap().to_vec()).unwrap()
}

/// What sops prints for a JSON file that alice can open.
#[track_caller]
fn printed(sops: &Sops, sealed: &[u8]) -> String {
    String::from_utf8(sops.decrypt(sealed, Format::Json, &["alice"]).unwrap()).unwrap()
}

#[track_caller]
fn tree(text: &str) -> Map {
    Format::Json.parse(text.as_bytes()).unwrap()
}

#[test]
fn what_sops_encrypts_we_decrypt_to_the_bytes_sops_prints() {
    for_each_sops(|sops| {
        let mut tally = Tally::default();
        for case in cases() {
            let outcome = sealed_and_printed(sops, &case);
            if let Some((sealed, printed)) = tally.accepts(sops, &SOPS_REFUSES_ITS_OWN, &case, outcome) {
                let document = decrypt(&sealed, &readers(&case));
                tally.same(&case, &document.to_bytes(case.format).unwrap(), &printed);
            }
        }
        tally.finish(sops);
    });
}

#[test]
fn what_we_encrypt_sops_decrypts_to_the_bytes_we_print() {
    for_each_sops(|sops| {
        let mut tally = Tally::default();
        for case in cases() {
            let tree = case.format.parse(&case.plain).unwrap();
            let ours = case.format.write(&tree, Indent::Tab).unwrap();
            let sealed = case.options().encrypt(tree, &recipients(&readers(&case))).unwrap().to_string();
            let outcome = sops.decrypt(sealed.as_bytes(), case.format, &readers(&case));
            if let Some(printed) = tally.accepts(sops, &SOPS_REFUSES_OURS, &case, outcome) {
                tally.same(&case, &ours, &printed);
            }
        }
        tally.finish(sops);
    });
}

#[test]
fn generated_documents_that_sops_encrypts_we_decrypt_to_the_bytes_sops_prints() {
    for_each_sops(|sops| {
        for_generated(sops, documents::for_sops_to_encrypt(sops.release), |document| {
            let sealed = sops.encrypt(&document.plain(), Format::Json, &document.flags()).unwrap();
            let ours = decrypt(&sealed, &["alice"]);
            assert_eq!(json(&ours), printed(sops, &sealed));
            assert!(documents::alike(ours.tree(), &document.tree), "sops read something else than we wrote");
        });
    });
}

#[test]
fn generated_documents_that_we_encrypt_sops_decrypts_to_the_bytes_we_print() {
    for_each_sops(|sops| {
        for_generated(sops, documents::for_us_to_encrypt(sops.release), |document| {
            let sealed =
                document.options().encrypt(document.tree.clone(), &recipients(&["alice"])).unwrap().to_string();
            let printed = printed(sops, sealed.as_bytes());
            assert_eq!(json(&decrypt(sealed.as_bytes(), &["alice"])), printed);
            assert!(documents::alike(&tree(&printed), &document.tree), "sops read something else than we wrote");
        });
    });
}

/// What is changed below, one after the other: a path, its new value, and the first release whose `set` can do it.
///
/// No release sets an array as such. All of them, 3.13.2 too, round integers above 2^53 that are given to `set`.
#[rustfmt::skip]
const EDITS: [(&str, &str, Release); 17] = [
    (r#"["db"]["password"]"#, r#""new""#, FIRST),
    (r#"["db"]["ports"][1]"#, "6543", FIRST),
    (r#"["list"][0]"#, r#""first""#, FIRST),
    (r#"["list"][3]"#, r#""appended""#, FIRST),
    (r#"["list"][2]["c"]"#, "null", FIRST),
    (r#"["db_new"]"#, "-12", FIRST),
    // 3.7.3 makes the objects and drops the rest of the file.
    (r#"["made"]["on"]["the"]["way"]"#, r#"{"b": [1, "x"], "a": {}}"#, [3, 8, 0]),
    (r#"["empty"]"#, r#""no more""#, FIRST),
    (r#"["none"]"#, "false", FIRST),
    (r#"["ratio"]"#, "1e-7", FIRST),
    (r#"["ratio"]"#, "{}", FIRST),
    (r#"["secret key: 1"]"#, r#""<\u00e9>""#, FIRST),
    (r#"["db"]["password"]"#, r#""""#, FIRST),
    (r#"["name_unencrypted"]"#, "12", FIRST),
    (r#"["db"]"#, r#"{"password": "all new", "host": "db.example.com"}"#, FIRST),
    (r#"["list"]"#, r#""gone""#, FIRST),
    (r#"["secret"]"#, r#"{"list": ["same", "same", {"same": "same"}]}"#, FIRST),
];

fn options_of_edits(sops: &Sops) -> Vec<EncryptOptions> {
    let regex = Rule::encrypted_regex("^(db|secret)").unwrap();
    let mut options = vec![EncryptOptions::new(), EncryptOptions::new().rule(regex.clone())];
    if sops.release >= MAC_ONLY_ENCRYPTED {
        options.push(EncryptOptions::new().rule(regex).mac_only_encrypted(true));
    }
    options
}

/// `sops set`, which releases before 3.9 spelled as a flag.
#[track_caller]
fn set_by_sops(sops: &Sops, sealed: &[u8], path: &str, value: &str) -> Vec<u8> {
    let outcome = if sops.release < [3, 9, 0] {
        sops.change(sealed, &["--set", &format!("{path} {value}"), "FILE"])
    } else {
        sops.change(sealed, &["set", "FILE", path, value])
    };
    outcome.unwrap_or_else(|error| panic!("set {path}: {error}"))
}

#[track_caller]
fn rotate_by_sops(sops: &Sops, sealed: &[u8]) -> Vec<u8> {
    let args: &[_] = if sops.release < [3, 9, 0] { &["--rotate", "-i", "FILE"] } else { &["rotate", "-i", "FILE"] };
    sops.change(sealed, args).unwrap()
}

#[test]
fn an_edit_by_sops_and_an_edit_by_us_read_each_other() {
    // The sealed integer is larger than a 64-bit float holds: an edit of another leaf must not round it, in any release.
    let start = r#"{
        "db": {"host": "db.example.com", "password": "hunter2", "ports": [5432, 5433]},
        "list": ["a", "b", {"c": true}], "secret_big": 9007199254740993, "ratio": 0.1,
        "name_unencrypted": "shop", "empty": "", "none": null, "turns": 0
    }"#;
    for_each_sops(|sops| {
        for options in options_of_edits(sops) {
            // The same changes, all by us and without a file in between.
            let mut expected = Document::with_options(tree(start), &recipients(&["alice"]), &options).unwrap();
            let mut sealed = expected.encrypt().unwrap().to_string().into_bytes();
            for (turn, (path, text, since)) in (1..).zip(EDITS) {
                if sops.release < since {
                    continue;
                }
                sealed = set_by_sops(sops, &sealed, path, text);
                let value = tree(&format!(r#"{{"value": {text}}}"#)).remove("value").unwrap();
                expected.set(path, value).unwrap();
                let mut document = decrypt(&sealed, &["alice"]);
                assert_eq!(json(&document), json(&expected), "after sops set {path}");

                document.set(r#"["turns"]"#, turn).unwrap();
                expected.set(r#"["turns"]"#, turn).unwrap();
                sealed = document.encrypt().unwrap().to_string().into_bytes();
                assert_eq!(printed(sops, &sealed), json(&expected), "after our set behind that of {path}");
            }
        }
        println!("{sops}: {} edits", EDITS.iter().filter(|(.., since)| sops.release >= *since).count());
    });
}

#[test]
fn a_value_removed_by_sops_or_by_us_is_gone_for_both() {
    let start = r#"{"a": "1", "b": {"c": "2", "d": [1, 2, 3, 4]}, "e": "3", "f": {"g": 4}}"#;
    for_each_sops(|sops| {
        if sops.release < [3, 9, 0] {
            return println!("{sops} has no unset");
        }
        let mut document = Document::new(tree(start), &recipients(&["alice"])).unwrap();
        for path in [r#"["a"]"#, r#"["b"]["d"][1]"#, r#"["f"]["g"]"#, r#"["b"]["d"]"#] {
            let sealed = document.encrypt().unwrap().to_string();
            let theirs = sops.change(sealed.as_bytes(), &["unset", "FILE", path]).unwrap();
            document.unset(path).unwrap();
            assert_eq!(json(&decrypt(&theirs, &["alice"])), json(&document), "{path}");
            let ours = document.encrypt().unwrap().to_string();
            assert_eq!(printed(sops, ours.as_bytes()), json(&document), "{path}");
        }
    });
}

#[test]
fn a_data_key_rotated_by_sops_or_by_us_opens_for_both() {
    let start =
        r#"{"a": "1", "list": ["x", "x", 9007199254740993, 1.5, true, null, ""], "b_unencrypted": {"c": -0.0}}"#;
    for_each_sops(|sops| {
        let document = Document::new(tree(start), &recipients(&["alice", "bob"])).unwrap();
        let first = document.encrypt().unwrap().to_string().into_bytes();
        let second = rotate_by_sops(sops, &first);
        let mut document = decrypt(&second, &["bob"]);
        let text = json(&document);
        assert_eq!(text, json(&decrypt(&first, &["bob"])));
        document.rotate().unwrap();
        let third = document.encrypt().unwrap().to_string().into_bytes();
        // 3.13.2 could not read `second`, where it made `-0` of our `-0.0`; we could, and have made it good.
        assert_eq!(printed(sops, &third), text);
        let leaf = |sealed: &[u8]| EncryptedDocument::parse(sealed).unwrap().tree().get("a").unwrap().clone();
        assert!(leaf(&first) != leaf(&second) && leaf(&second) != leaf(&third), "{sops} kept a leaf");
    });
}

/// Changes the value at a path of an encrypted file.
#[track_caller]
fn alter(map: &mut Map, path: &[&str], change: &dyn Fn(Value) -> Value) {
    let (key, rest) = path.split_first().unwrap();
    let value = map.get(key).unwrap().clone();
    let altered = match value {
        Value::Object(mut inner) if !rest.is_empty() => {
            alter(&mut inner, rest, change);
            Value::Object(inner)
        }
        value => change(value),
    };
    map.insert(*key, altered);
}

/// Changes the first character behind `part` of an encrypted leaf, of which all six bits count.
fn flip(part: &'static str) -> impl Fn(Value) -> Value {
    move |leaf| {
        let text = leaf.as_str().unwrap();
        let at = text.find(part).unwrap() + part.len();
        let flipped = if &text[at..=at] == "A" { "B" } else { "A" };
        Value::from(format!("{}{flipped}{}", &text[..at], &text[at + 1..]))
    }
}

fn items(list: &Value) -> Vec<Value> {
    list.as_array().unwrap().to_vec()
}

/// A change of an encrypted file without its data key.
type Tampering = (&'static str, fn(&mut Map));

const TAMPERINGS: [Tampering; 24] = [
    ("data of a leaf", |file| alter(file, &["a"], &flip("data:"))),
    ("iv of a leaf", |file| alter(file, &["a"], &flip("iv:"))),
    ("tag of a leaf", |file| alter(file, &["a"], &flip("tag:"))),
    ("type of a leaf", |file| {
        alter(file, &["a"], &|leaf| leaf.as_str().unwrap().replace("type:str", "type:int").into());
    }),
    ("leaf removed", |file| drop(file.remove("b").unwrap())),
    ("leaf emptied", |file| alter(file, &["b"], &|_| "".into())),
    ("leaf made null", |file| alter(file, &["b"], &|_| Value::Null)),
    ("leaf in clear", |file| alter(file, &["b"], &|_| "two".into())),
    ("number in clear", |file| alter(file, &["n"], &|_| 7.into())),
    ("leaf of another key", |file| {
        let other = file.get("a").unwrap().clone();
        alter(file, &["b"], &|_| other.clone());
    }),
    ("leaf deeper", |file| {
        let leaf = file.remove("a").unwrap();
        file.insert("a", Map::from_iter([("a", leaf)]));
    }),
    ("key renamed", |file| {
        *file = file.iter().map(|(key, value)| (if key == "a" { "A" } else { key }, value.clone())).collect();
    }),
    ("keys in another order", |file| {
        let first = file.remove("a").unwrap();
        file.insert("a", first);
    }),
    ("items in another order", |file| {
        alter(file, &["list"], &|list| items(&list).into_iter().rev().collect::<Vec<_>>().into());
    }),
    ("item removed", |file| alter(file, &["list"], &|list| items(&list)[1..].to_vec().into())),
    ("item repeated", |file| alter(file, &["list"], &|list| [items(&list), items(&list)].concat().into())),
    ("clear leaf changed", |file| alter(file, &["in", "clear_unencrypted"], &|_| "d".into())),
    ("clear number changed", |file| alter(file, &["in", "port_unencrypted"], &|_| 81.into())),
    ("clear leaf added", |file| alter(file, &["in"], &|_| Map::from_iter([("x_unencrypted", Value::from(1))]).into())),
    ("mac", |file| alter(file, &["sops", "mac"], &flip("data:"))),
    ("mac removed", |file| alter(file, &["sops", "mac"], &|_| "".into())),
    ("lastmodified", |file| alter(file, &["sops", "lastmodified"], &|_| "2020-01-01T00:00:00Z".into())),
    ("mac of encrypted leaves only", |file| {
        alter(file, &["sops"], &|block| {
            let mut fields = block.as_object().unwrap().clone();
            fields.insert("mac_only_encrypted", true);
            fields.into()
        });
    }),
    ("rule", |file| alter(file, &["sops", "unencrypted_suffix"], &|_| "_other".into())),
];

#[test]
fn sops_refuses_what_we_call_tampered() {
    let plain = r#"{"a": "one", "b": "two", "n": 7, "list": ["x", "y", "z"],
        "in": {"clear_unencrypted": "c", "port_unencrypted": 80}, "last": true}"#;
    for_each_sops(|sops| {
        let ours = Document::new(tree(plain), &recipients(&["alice"])).unwrap().encrypt().unwrap().to_string();
        let theirs = sops.encrypt(plain.as_bytes(), Format::Json, &[]).unwrap();
        for sealed in [ours.into_bytes(), theirs] {
            printed(sops, &sealed);
            for (what, tamper) in TAMPERINGS {
                let mut file = Format::Json.parse(&sealed).unwrap();
                tamper(&mut file);
                let tampered = Format::Json.write(&file, Indent::Tab).unwrap();
                let error = EncryptedDocument::parse(&tampered).unwrap().decrypt(&identities("alice")).unwrap_err();
                assert!(error.is_tampered(), "{what}: {error}");
                // What a release does not know it cannot refuse.
                if what != "mac of encrypted leaves only" || sops.release >= MAC_ONLY_ENCRYPTED {
                    assert!(sops.decrypt(&tampered, Format::Json, &["alice"]).is_err(), "{sops} takes {what}");
                }
            }
        }
    });
}

/// The keys that a file encrypts, of those that have text.
fn encrypted_keys(sealed: &Map) -> Vec<&str> {
    let is_sealed = |value: &Value| value.as_str().is_some_and(|text| text.starts_with("ENC["));
    sealed.iter().filter(|(_, value)| is_sealed(value)).map(|(key, _)| key).collect()
}

fn keys_as_document() -> Map {
    regexes::KEYS.iter().map(|key| (*key, Value::from("v"))).collect()
}

/// The keys that sops encrypts by a regular expression.
fn encrypted_by_sops(sops: &Sops, regex: &str) -> Map {
    let plain = Format::Json.write(&keys_as_document(), Indent::Tab).unwrap();
    let sealed = sops.encrypt(&plain, Format::Json, &[format!("--encrypted-regex={regex}")]).unwrap();
    Format::Json.parse(&sealed).unwrap()
}

/// The keys that we encrypt by a regular expression.
fn encrypted_by_us(regex: &str) -> Result<Map, String> {
    let options = Rule::encrypted_regex(regex).map(|rule| EncryptOptions::new().rule(rule));
    let sealed = options.and_then(|options| options.encrypt(keys_as_document(), &recipients(&["alice"])));
    sealed.map(|sealed| sealed.tree().clone()).map_err(|error| error.to_string())
}

#[test]
fn a_regular_expression_selects_the_keys_that_it_selects_in_sops() {
    let all_of_ours: Vec<_> = regexes::VALID.iter().map(|regex| encrypted_by_us(regex)).collect();
    for_oldest_and_newest_sops(|sops| {
        let mut wrong = Vec::new();
        for (regex, ours) in regexes::VALID.iter().zip(&all_of_ours) {
            let theirs = encrypted_by_sops(sops, regex);
            let theirs = encrypted_keys(&theirs);
            match ours.as_ref().map(encrypted_keys) {
                Err(error) => wrong.push(format!("{regex:?}: {error}")),
                Ok(ours) => {
                    let only_ours: Vec<_> = ours.iter().filter(|key| !theirs.contains(key)).collect();
                    let only_theirs: Vec<_> = theirs.iter().filter(|key| !ours.contains(key)).collect();
                    if ours != theirs {
                        wrong.push(format!("{regex:?}: only we encrypt {only_ours:?}, only sops {only_theirs:?}"));
                    }
                }
            }
        }
        assert!(wrong.is_empty(), "{sops}, {} expressions:\n{}", wrong.len(), wrong.join("\n"));
        println!("{sops}: {} expressions", regexes::VALID.len());
    });
}

#[test]
fn a_regular_expression_that_sops_cannot_compile_is_refused() {
    for_oldest_and_newest_sops(|sops| {
        // Both of these match every key. With a fault in the second, the first matches none either.
        assert_eq!(encrypted_keys(&encrypted_by_sops(sops, "^|a")).len(), regexes::KEYS.len());
        for regex in regexes::INVALID {
            let theirs = encrypted_by_sops(sops, &format!("^|{regex}"));
            assert!(encrypted_keys(&theirs).is_empty(), "{sops} accepts {regex}");
        }
        println!("{sops}: {} expressions", regexes::INVALID.len());
    });
    let accepted: Vec<_> = regexes::INVALID.iter().filter(|regex| Rule::encrypted_regex(regex).is_ok()).collect();
    assert!(accepted.is_empty(), "we accept {accepted:?}");
}
