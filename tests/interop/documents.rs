//! Generated documents: odd keys, odd strings, all numbers, all rules.

use std::fmt;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use sopskit::{EncryptOptions, Format, Indent, Map, Rule, Value};

use crate::sops::{Release, Sops};
use crate::support::recipients;

/// How many documents a check gets unless the environment says otherwise.
const DOCUMENTS: u32 = 200;

/// A number that says how many documents a check gets.
const HOW_MANY: &str = "SOPSKIT_INTEROP_DOCUMENTS";

/// The largest integer up to which a 64-bit float holds all.
const EXACT: i64 = 1 << 53;

/// Since this release sops reads integers of JSON as such; before it took all numbers for 64-bit floats.
pub(crate) const INTEGERS: Release = [3, 13, 2];
/// Since this release sops tells a top-level key `SOPS` from its own `sops`.
pub(crate) const EXACT_KEY: Release = [3, 13, 0];
/// Since this release sops knows `mac_only_encrypted` and the rules by comments.
pub(crate) const MAC_ONLY_ENCRYPTED: Release = [3, 9, 0];

/// What has a meaning somewhere on the way of a key.
#[rustfmt::skip]
const ODD_KEYS: [&str; 40] = [
    "", ":", "a:b", "::", "\"", "\\", "'", "[0]", "[\"a\"]", "]", "{}", "#", "&amp;", "<a>", "\0", "\n", "\r\n", "\t",
    "\u{1b}", "\u{7f}", "\u{85}", "\u{2028}", "\u{feff}", "\u{fffd}", "\u{ffff}", "\u{10ffff}", "é", "e\u{301}", "ſ",
    "🔑", "ENC[", " ", "  a ", "SOPS", "Sops", "ſops", "null", "true", "-1", "1.5",
];

/// What has a meaning somewhere on the way of a string.
#[rustfmt::skip]
const ODD_TEXTS: [&str; 31] = [
    "", "x", " ", "\n", "true", "False", "null", "~", "0", "-1", "1.5", "1e21", "007", "NaN", "9223372036854775808",
    "ENC[", "ENC[]", "ENC[AES256_GCM,data:AAAA,iv:AA==,tag:AA==,type:str]", "\u{2028}\u{2029}", "<&>", "\\u0041", "\\",
    "\"", "\0", "\u{8}\u{c}", "\u{7f}\u{80}", "\u{feff}", "\u{fffd}", "\u{ffff}", "🔑👩‍👩‍👧", "-----BEGIN-----\nAAAA\n",
];

/// Floats at which something begins or ends.
#[rustfmt::skip]
const EDGES: [f64; 23] = [
    0.0, -0.0, 1.0, -1.0, 5e-324, f64::MAX, f64::MIN, f64::MIN_POSITIVE, f64::EPSILON, 5.684_341_886_080_802e-14, 1e-6, 9.999_999e-7, 1e-7, 1e20,
    1e21, 9.999_999_999_999_999e20, 9_007_199_254_740_992.0, 9_007_199_254_740_994.0, 9_223_372_036_854_775_808.0,
    -9_223_372_036_854_775_808.0, 1.152_921_504_606_847e18, 0.1, 1.0 / 3.0,
];

/// A document, and how it is to be encrypted.
#[derive(Clone)]
pub(crate) struct Document {
    pub(crate) tree: Map,
    /// A flag of sops without its dashes, which is a field of the metadata too, and its text.
    rule: Option<(&'static str, &'static str)>,
    mac_only_encrypted: bool,
    /// Whether the text for sops is written with all escapes that JSON has, and numbers with exponents.
    escaped: bool,
}

/// Runs a check on generated documents, the same in each run.
#[track_caller]
pub(crate) fn for_generated(sops: &Sops, documents: impl Strategy<Value = Document>, check: impl Fn(&Document)) {
    let cases = std::env::var(HOW_MANY).map_or(DOCUMENTS, |number| number.parse().unwrap());
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 400, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &[53; 32]));
    let outcome = runner.run(&documents, |document| {
        check(&document);
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{sops}: {error}"));
    println!("{sops}: {cases} documents");
}

/// Documents that this release encrypts, and decrypts again to what they were.
pub(crate) fn for_sops_to_encrypt(release: Release) -> impl Strategy<Value = Document> {
    documents(release).prop_map(move |mut document| {
        if release < INTEGERS {
            // It rounds what is larger, before it encrypts.
            map_leaves(&mut document.tree, &mut int_to_exact);
        } else {
            // It writes `-0` for a negative zero in clear, reads that as the integer 0, and then refuses its own file.
            document.map_leaves_in_clear(negative_zero_to_zero);
        }
        document
    })
}

/// Documents that this release can decrypt when we encrypt them.
pub(crate) fn for_us_to_encrypt(release: Release) -> impl Strategy<Value = Document> {
    documents(release).prop_map(move |mut document| {
        if release < INTEGERS {
            // It rounds what is larger and stands in clear, and then the MAC does not fit. It reads sealed integers exactly.
            document.map_leaves_in_clear(int_to_exact);
        }
        document
    })
}

fn documents(release: Release) -> impl Strategy<Value = Document> {
    let mac_only_encrypted = if release < MAC_ONLY_ENCRYPTED { Just(false).boxed() } else { any::<bool>().boxed() };
    (object(value(), 0..8), rule(), mac_only_encrypted, any::<bool>()).prop_map(
        move |(mut tree, rule, mac_only_encrypted, escaped)| {
            let taken: Vec<_> = tree.keys().filter(|key| is_taken(key, release)).map(str::to_owned).collect();
            for key in taken {
                tree.remove(&key);
            }
            Document { tree, rule, mac_only_encrypted, escaped }
        },
    )
}

/// Whether this release takes the top-level key for the one of its metadata. Go folds case, and the long s, for old ones.
fn is_taken(key: &str, release: Release) -> bool {
    key == "sops" || release < EXACT_KEY && key.replace('ſ', "s").eq_ignore_ascii_case("sops")
}

fn rule() -> impl Strategy<Value = Option<(&'static str, &'static str)>> {
    let suffix = || select(vec!["_secret", "_明", "x", "_unencrypted", "\u{301}"]);
    let regex = || select(vec!["^secret", "^(a|b|key)$", r"\d", "(?i)secret$", "^$", ".", r"^\W+$", r"\bé|é\b"]);
    prop_oneof![
        4 => Just(None),
        1 => suffix().prop_map(|text| Some(("unencrypted-suffix", text))),
        1 => suffix().prop_map(|text| Some(("encrypted-suffix", text))),
        1 => regex().prop_map(|text| Some(("unencrypted-regex", text))),
        1 => regex().prop_map(|text| Some(("encrypted-regex", text))),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        6 => text().prop_map(Value::from),
        3 => int().prop_map(Value::from),
        3 => float().prop_map(Value::from),
        2 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
        1 => Just(Value::from(Map::new())),
        1 => Just(Value::from(Vec::new())),
    ];
    leaf.prop_recursive(5, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            object(inner, 0..6).prop_map(Value::from),
        ]
    })
}

fn object(value: impl Strategy<Value = Value>, size: std::ops::Range<usize>) -> impl Strategy<Value = Map> {
    prop::collection::vec((key(), value), size).prop_map(Map::from_iter)
}

fn key() -> impl Strategy<Value = String> {
    let plain = || select(vec!["a", "b", "key", "secret", "Secret2", "naïve", "名前", "sops", "data", "mac", "x"]);
    let ending = select(vec!["_unencrypted", "_secret", "_明", "x", "e\u{301}", ":", " "]);
    prop_oneof![
        4 => plain().prop_map(str::to_owned),
        2 => (plain(), ending).prop_map(|(plain, ending)| format!("{plain}{ending}")),
        3 => select(&ODD_KEYS[..]).prop_map(str::to_owned),
        2 => "[a-z]{1,3}[0-9]{0,2}",
        2 => characters(0..6),
        1 => (characters(1..4), 50..200usize).prop_map(|(part, times)| part.repeat(times)),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => select(&ODD_TEXTS[..]).prop_map(str::to_owned),
        4 => characters(0..12),
        2 => "[ -~]{0,40}",
        1 => (characters(1..6), 100..2000usize).prop_map(|(part, times)| part.repeat(times)),
    ]
}

/// Any characters, those that JSON escapes more often than by chance.
fn characters(size: std::ops::Range<usize>) -> impl Strategy<Value = String> {
    let character = prop_oneof![
        2 => any::<char>(),
        2 => prop::char::range('\0', '\u{ff}'),
        1 => select(vec!['"', '\\', '/', '<', '>', '&', ':', '\u{8}', '\u{c}', '\n', '\u{7f}', '\u{2028}', '\u{10000}']),
    ];
    prop::collection::vec(character, size).prop_map(String::from_iter)
}

fn int() -> impl Strategy<Value = i64> {
    let edges = vec![0, -1, EXACT, -EXACT, EXACT + 1, -EXACT - 1, i64::MAX, i64::MAX - 1, i64::MIN, i64::MIN + 1];
    prop_oneof![2 => -1000..1000i64, 2 => any::<i64>(), 1 => -EXACT..=EXACT, 2 => select(edges)]
}

fn float() -> impl Strategy<Value = f64> {
    use prop::num::f64::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
    prop_oneof![
        2 => POSITIVE | NEGATIVE | NORMAL | SUBNORMAL | ZERO,
        2 => select(&EDGES[..]),
        2 => (-1_000_000..1_000_000i32).prop_map(f64::from),
        1 => (-1_000_000..1_000_000i32).prop_map(|number| f64::from(number) / 128.0),
        1 => any::<i64>().prop_map(|number| number as f64),
    ]
}

fn int_to_exact(value: &mut Value) {
    if let Value::Int(number) = value {
        if !(-EXACT..=EXACT).contains(number) {
            *number >>= 11;
        }
    }
}

fn negative_zero_to_zero(value: &mut Value) {
    if let Value::Float(number) = value {
        // The sum of a negative zero and a positive one is positive.
        *number += 0.0;
    }
}

fn map_leaves(map: &mut Map, change: &mut dyn FnMut(&mut Value)) {
    *map = map.iter().map(|(key, value)| (key, mapped(value, change))).collect();
}

fn mapped(value: &Value, change: &mut dyn FnMut(&mut Value)) -> Value {
    match value {
        Value::Object(map) => Value::Object(map.iter().map(|(key, value)| (key, mapped(value, change))).collect()),
        Value::Array(items) => Value::Array(items.iter().map(|item| mapped(item, change)).collect()),
        leaf => {
            let mut leaf = leaf.clone();
            change(&mut leaf);
            leaf
        }
    }
}

impl Document {
    pub(crate) fn options(&self) -> EncryptOptions {
        let options = EncryptOptions::new().mac_only_encrypted(self.mac_only_encrypted);
        match self.rule {
            None => options,
            Some(("unencrypted-suffix", suffix)) => options.rule(Rule::unencrypted_suffix(suffix)),
            Some(("encrypted-suffix", suffix)) => options.rule(Rule::encrypted_suffix(suffix)),
            Some(("unencrypted-regex", regex)) => options.rule(Rule::unencrypted_regex(regex).unwrap()),
            Some(("encrypted-regex", regex)) => options.rule(Rule::encrypted_regex(regex).unwrap()),
            Some((flag, _)) => panic!("unknown flag {flag}"),
        }
    }

    /// The same options for the command line of sops.
    pub(crate) fn flags(&self) -> Vec<String> {
        let rule = self.rule.map(|(flag, text)| format!("--{flag}={text}"));
        rule.into_iter().chain(self.mac_only_encrypted.then(|| "--mac-only-encrypted".to_owned())).collect()
    }

    /// The document as a plaintext file.
    pub(crate) fn plain(&self) -> Vec<u8> {
        if !self.escaped {
            return Format::Json.write(&self.tree, Indent::Tab).unwrap().to_vec();
        }
        let mut text = String::new();
        spell(&Value::Object(self.tree.clone()), &mut text);
        text.into_bytes()
    }

    /// Changes the leaves that the rule leaves in clear: those that stand in the encrypted tree as they are.
    fn map_leaves_in_clear(&mut self, change: impl Fn(&mut Value)) {
        let sealed = self.options().encrypt(self.tree.clone(), &recipients(&["alice"])).unwrap();
        let mut sealed_leaves = Vec::new();
        map_leaves(&mut sealed.tree().clone(), &mut |value| sealed_leaves.push(value.clone()));
        let mut sealed_leaves = sealed_leaves.into_iter();
        map_leaves(&mut self.tree, &mut |value| {
            if sealed_leaves.next().as_ref() == Some(value) {
                change(value);
            }
        });
    }
}

/// Shown where a check fails. The `Debug` of a `Map` shows no values.
impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} of {}", self.flags(), String::from_utf8_lossy(&self.plain()))
    }
}

/// Whether two documents hold the same, no matter whether a number is an integer or a float, or which of the two zeros.
pub(crate) fn alike(a: &Map, b: &Map) -> bool {
    a.keys().eq(b.keys()) && a.iter().zip(b.iter()).all(|((_, a), (_, b))| values_alike(a, b))
}

fn values_alike(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => alike(a, b),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| values_alike(a, b)),
        (Value::Float(_), Value::Int(_)) | (Value::Int(_), Value::Float(_)) => a.as_f64() == b.as_f64(),
        (a, b) => a == b,
    }
}

/// JSON that is as unlike that of sops as can be: all on one line, all text escaped, all floats with an exponent.
fn spell(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(flag) => out.push_str(&flag.to_string()),
        Value::Int(number) => out.push_str(&number.to_string()),
        Value::Float(number) => out.push_str(&format!("{number:e}")),
        Value::Text(text) => spell_text(text.as_str(), out),
        Value::Array(items) => spell_list(["[", "]"], items.iter(), out, spell),
        Value::Object(map) => spell_list(["{", "}"], map.iter(), out, |(key, value), out| {
            spell_text(key, out);
            out.push(':');
            spell(value, out);
        }),
        other => panic!("{other:?} is not generated"),
    }
}

fn spell_list<T>(brackets: [&str; 2], items: impl Iterator<Item = T>, out: &mut String, spell: fn(T, &mut String)) {
    out.push_str(brackets[0]);
    for (index, item) in items.enumerate() {
        out.push_str(if index > 0 { "," } else { "" });
        spell(item, out);
    }
    out.push_str(brackets[1]);
}

fn spell_text(text: &str, out: &mut String) {
    out.push('"');
    for unit in text.encode_utf16() {
        out.push_str(&format!("\\u{unit:04X}"));
    }
    out.push('"');
}
