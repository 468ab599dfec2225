//! JSON is read strictly and without loss, and written as sops spells it: held against serde_json and against hostile text.

use std::cell::Cell;
use std::fmt;

use proptest::collection::vec;
use proptest::prelude::{Just, ProptestConfig, Strategy, any};
use proptest::prop_oneof;
use proptest::sample::{Index, select};
use proptest::strategy::BoxedStrategy;
use proptest::test_runner::{RngAlgorithm, TestCaseError, TestRng, TestRunner};
use serde::de::{self, Deserialize, Deserializer};
use sopskit::{Bytes, Error, ErrorKind, Format, Indent, MAX_DEPTH, Map, Value};

// ---------------------------------------------------------------------------------------------------------- helpers

fn parse(text: impl AsRef<[u8]>) -> Result<Map, Error> {
    Format::Json.parse(text.as_ref())
}

#[track_caller]
fn write(tree: &Map, indent: Indent) -> String {
    String::from_utf8(Format::Json.write(tree, indent).unwrap().to_vec()).unwrap()
}

fn one(value: impl Into<Value>) -> Map {
    Map::from_iter([("k", value.into())])
}

#[track_caller]
fn refusal(text: impl AsRef<[u8]>) -> Error {
    let text = text.as_ref();
    match parse(text) {
        Err(error) => error,
        Ok(_) => panic!("accepted: {}", String::from_utf8_lossy(&text[..text.len().min(200)])),
    }
}

/// Runs `test` on `cases` values, the same ones each time.
#[track_caller]
fn for_all<S: Strategy>(cases: u32, values: &S, test: impl Fn(S::Value) -> Result<(), String>)
where
    S::Value: fmt::Debug,
{
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[42; 32]);
    let outcome = TestRunner::new_with_rng(config, rng).run(values, |value| test(value).map_err(TestCaseError::fail));
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

/// What serde_json reads: keys in order, repeated ones kept.
#[derive(Clone, Debug, PartialEq)]
enum Node {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Array(Vec<Node>),
    Object(Vec<(String, Node)>),
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Node;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }
            fn visit_unit<E>(self) -> Result<Node, E> {
                Ok(Node::Null)
            }
            fn visit_bool<E>(self, flag: bool) -> Result<Node, E> {
                Ok(Node::Bool(flag))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Node, E> {
                Ok(Node::Int(number))
            }
            #[allow(clippy::cast_precision_loss)]
            fn visit_u64<E>(self, number: u64) -> Result<Node, E> {
                Ok(i64::try_from(number).map_or(Node::Float(number as f64), Node::Int))
            }
            fn visit_f64<E>(self, number: f64) -> Result<Node, E> {
                Ok(Node::Float(number))
            }
            fn visit_str<E>(self, text: &str) -> Result<Node, E> {
                Ok(Node::Text(text.to_owned()))
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
                let mut all = Vec::new();
                while let Some(item) = items.next_element()? {
                    all.push(item);
                }
                Ok(Node::Array(all))
            }
            fn visit_map<A: de::MapAccess<'de>>(self, mut members: A) -> Result<Node, A::Error> {
                let mut all = Vec::new();
                while let Some(member) = members.next_entry()? {
                    all.push(member);
                }
                Ok(Node::Object(all))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl Node {
    fn has_duplicate_keys(&self) -> bool {
        match self {
            Node::Array(items) => items.iter().any(Node::has_duplicate_keys),
            Node::Object(members) => {
                let keys: std::collections::BTreeSet<_> = members.iter().map(|(key, _)| key).collect();
                keys.len() < members.len() || members.iter().any(|(_, value)| value.has_duplicate_keys())
            }
            _ => false,
        }
    }
}

/// Whether two trees are equal; floats to the last bits, in which serde_json is not exact (those are tested on their own).
fn equal(ours: &Value, theirs: &Node) -> bool {
    match (ours, theirs) {
        (Value::Null, Node::Null) => true,
        (Value::Bool(ours), Node::Bool(theirs)) => ours == theirs,
        (Value::Int(ours), Node::Int(theirs)) => ours == theirs,
        (Value::Float(ours), Node::Float(theirs)) => {
            ours.is_sign_negative() == theirs.is_sign_negative()
                && ours.abs().to_bits().abs_diff(theirs.abs().to_bits()) <= 4
        }
        (Value::Text(ours), Node::Text(theirs)) => ours.as_str() == theirs,
        (Value::Array(ours), Node::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| equal(ours, theirs))
        }
        (Value::Object(ours), Node::Object(theirs)) => equal_maps(ours, theirs),
        _ => false,
    }
}

fn equal_maps(ours: &Map, theirs: &[(String, Node)]) -> bool {
    ours.len() == theirs.len()
        && ours.iter().zip(theirs).all(|(ours, theirs)| ours.0 == theirs.0 && equal(ours.1, &theirs.1))
}

/// Whether two trees are the same, numbers by value: a float that is whole is read again as an integer.
#[allow(clippy::cast_precision_loss)]
fn same(written: &Value, read: &Value) -> bool {
    match (written, read) {
        (Value::Float(written), Value::Int(read)) => {
            *written == *read as f64 && !written.is_sign_negative() | (*read != 0)
        }
        (Value::Float(written), Value::Float(read)) => written.to_bits() == read.to_bits(),
        (Value::Array(written), Value::Array(read)) => {
            written.len() == read.len() && written.iter().zip(read).all(|(written, read)| same(written, read))
        }
        (Value::Object(written), Value::Object(read)) => same_maps(written, read),
        (written, read) => written == read,
    }
}

fn same_maps(written: &Map, read: &Map) -> bool {
    written.len() == read.len()
        && written.iter().zip(read.iter()).all(|(written, read)| written.0 == read.0 && same(written.1, read.1))
}

/// The number that stands at a byte of a text.
fn literal_at(text: &[u8], error: &Error) -> String {
    let position = error.position().expect("an error of the text has a position");
    let line = text.split(|&byte| byte == b'\n').nth(position.line - 1).expect("the line is in the text");
    let rest = line[position.column - 1..].iter();
    rest.take_while(|byte| byte.is_ascii_digit() || b"+-.eE".contains(byte)).map(|&byte| char::from(byte)).collect()
}

/// A decimal without the choices of its spelling: sign, digits without zeros at either end, exponent of ten of the first digit.
fn decimal(text: &str) -> (bool, String, i64) {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (negative, mantissa) = mantissa.strip_prefix('-').map_or((false, mantissa), |rest| (true, rest));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_start_matches('0');
    let zeros = i64::try_from(digits.len() - significant.len()).unwrap();
    let exponent = exponent.parse::<i64>().unwrap() + i64::try_from(whole.len()).unwrap() - zeros;
    let significant = significant.trim_end_matches('0');
    (negative, significant.to_owned(), if significant.is_empty() { 0 } else { exponent })
}

/// The digits that Go, and so sops, gives a float: of the shortest decimals that read back as it the nearest one, and the even one of
/// two that are equally near. (Rust's `Display` takes the upper one of the two.)
fn shortest(float: f64) -> String {
    let one_of_the_shortest = format!("{float:e}");
    let digits = one_of_the_shortest.split('e').next().unwrap().bytes().filter(u8::is_ascii_digit).count();
    let nearest = format!("{float:.*e}", digits - 1);
    if nearest.parse() == Ok(float) { nearest } else { one_of_the_shortest }
}

/// Whether a number is spelled with the digits that sops gives it: then it must never be called inexact.
fn is_its_own_shortest(literal: &str) -> bool {
    literal.parse::<i64>().is_ok() || decimal(literal) == decimal(&shortest(literal.parse().unwrap()))
}

#[derive(Debug, Default)]
struct Tally {
    accepted: Cell<u32>,
    refused: Cell<u32>,
    stricter: Cell<u32>,
}

fn count(cell: &Cell<u32>) {
    cell.set(cell.get() + 1);
}

/// Whether our answer to `text` is that of serde_json, or stricter for a reason that can be checked.
fn agrees(text: &[u8], tally: &Tally) -> Result<(), String> {
    let theirs = serde_json::from_slice::<Node>(text);
    match (parse(text), theirs) {
        (Ok(ours), Ok(Node::Object(theirs))) if equal_maps(&ours, &theirs) => {
            count(&tally.accepted);
            if Node::Object(theirs).has_duplicate_keys() {
                Err("repeated keys were accepted".to_owned())
            } else {
                Ok(())
            }
        }
        (Ok(ours), Ok(theirs)) => Err(format!("other trees: {} and {theirs:?}", write(&ours, Indent::Tab))),
        (Ok(_), Err(theirs)) => Err(format!("accepted, but serde_json says {theirs}")),
        (Err(_), Err(_)) => {
            count(&tally.refused);
            Ok(())
        }
        (Err(ours), Ok(theirs)) => {
            count(&tally.stricter);
            let justified = match ours.kind() {
                ErrorKind::DuplicateKey => theirs.has_duplicate_keys(),
                ErrorKind::NotAnObject => !matches!(theirs, Node::Object(_)),
                ErrorKind::NumberNotExact => !is_its_own_shortest(&literal_at(text, &ours)),
                // serde_json rounds the last number before infinity down.
                ErrorKind::NumberOutOfRange => literal_at(text, &ours).parse() == Ok(f64::INFINITY),
                _ => false,
            };
            if justified { Ok(()) } else { Err(format!("refused without cause: {ours:?}")) }
        }
    }
}

// ------------------------------------------------------------------------------------------------- generated documents

fn space() -> impl Strategy<Value = &'static str> {
    select(vec!["", "", "", "", " ", "\n", "\t", "\r\n", "  \n\t "])
}

/// One character of a string, in one of its spellings.
fn spelled_char() -> impl Strategy<Value = String> {
    let raw = any::<char>().prop_filter("must be escaped", |c| *c >= ' ' && *c != '"' && *c != '\\');
    let hex = |unit: u16, upper: bool| if upper { format!("\\u{unit:04X}") } else { format!("\\u{unit:04x}") };
    let escaped = (any::<char>(), any::<bool>()).prop_map(move |(c, upper)| {
        c.encode_utf16(&mut [0; 2]).iter().map(|unit| hex(*unit, upper)).collect::<String>()
    });
    let ascii = (0_u16..0x80, any::<bool>()).prop_map(move |(unit, upper)| hex(unit, upper));
    prop_oneof![
        4 => raw.prop_map(String::from),
        2 => select(vec!["\\\"", "\\\\", "\\/", "\\b", "\\f", "\\n", "\\r", "\\t"]).prop_map(str::to_owned),
        2 => select(vec!["a", "\u{7f}", "<", "&", "\u{2028}", "\u{201c}", "\u{feff}", "\u{1f600}", "/", "'"]).prop_map(str::to_owned),
        1 => escaped,
        1 => ascii,
    ]
}

fn spelled_string() -> impl Strategy<Value = String> {
    vec(spelled_char(), 0..8).prop_map(|characters| format!("\"{}\"", characters.concat()))
}

fn spelled_key() -> impl Strategy<Value = String> {
    prop_oneof![12 => spelled_string(), 1 => select(vec!["\"a\"", "\"\\u0061\"", "\"b\""]).prop_map(str::to_owned)]
}

fn digits(count: std::ops::Range<usize>) -> impl Strategy<Value = String> {
    vec(select(b"00123456789".to_vec()), count).prop_map(|digits| digits.into_iter().map(char::from).collect())
}

fn spelled_number() -> impl Strategy<Value = String> {
    let whole = prop_oneof![
        2 => Just("0".to_owned()),
        6 => (1..10, digits(0..6)).prop_map(|(first, rest)| format!("{first}{rest}")),
        1 => (1..10, digits(14..25)).prop_map(|(first, rest)| format!("{first}{rest}")),
        1 => select(vec!["9223372036854775807", "9223372036854775808", "9007199254740993", "18446744073709551615"])
            .prop_map(str::to_owned),
    ];
    let fraction = prop_oneof![
        5 => Just(String::new()),
        4 => digits(1..6).prop_map(|digits| format!(".{digits}")),
        1 => digits(14..25).prop_map(|digits| format!(".{digits}")),
    ];
    let exponent = prop_oneof![
        6 => Just(String::new()),
        2 => (select(vec!["e", "E", "e+", "E+", "e-", "E-"]), 0_u32..25).prop_map(|(sign, size)| format!("{sign}{size}")),
        1 => (select(vec!["e", "E", "e+", "E+", "e-", "E-"]), digits(1..4)).prop_map(|(sign, size)| format!("{sign}{size}")),
    ];
    (select(vec!["", "", "-"]), whole, fraction, exponent)
        .prop_map(|(sign, whole, fraction, exponent)| format!("{sign}{whole}{fraction}{exponent}"))
}

fn spelled_list<T: fmt::Debug>(
    brackets: (&'static str, &'static str),
    item: impl Strategy<Value = T> + 'static,
    spell: impl Fn(T) -> String + 'static,
) -> BoxedStrategy<String> {
    let item =
        (space(), item.prop_map(spell), space()).prop_map(|(before, item, after)| format!("{before}{item}{after}"));
    (space(), vec(item, 0..5))
        .prop_map(move |(space, items)| {
            let inside = if items.is_empty() { space.to_owned() } else { items.join(",") };
            format!("{}{inside}{}", brackets.0, brackets.1)
        })
        .boxed()
}

fn spelled_object(value: impl Strategy<Value = String> + 'static) -> BoxedStrategy<String> {
    spelled_list(("{", "}"), (spelled_key(), space(), space(), value), |(key, before, after, value)| {
        format!("{key}{before}:{after}{value}")
    })
}

fn spelled_value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        1 => select(vec!["null", "true", "false"]).prop_map(str::to_owned),
        2 => spelled_string(),
        2 => spelled_number(),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![spelled_list(("[", "]"), inner.clone(), |item| item), spelled_object(inner)]
    })
}

fn spelled_document() -> impl Strategy<Value = String> {
    let top = prop_oneof![15 => spelled_object(spelled_value()), 1 => spelled_value().boxed()];
    (space(), top, space()).prop_map(|(before, top, after)| format!("{before}{top}{after}"))
}

#[test]
fn a_valid_document_is_read_as_serde_json_reads_it_or_refused_for_a_listed_reason() {
    let tally = Tally::default();
    for_all(4000, &spelled_document(), |text| {
        let before = tally.refused.get();
        agrees(text.as_bytes(), &tally)?;
        if tally.refused.get() == before {
            return Ok(());
        }
        // Both refuse. The generator spells valid JSON only; serde_json refuses an infinite number in it, and we that or an earlier fault.
        let error = refusal(&text);
        let listed =
            [ErrorKind::NumberOutOfRange, ErrorKind::NumberNotExact, ErrorKind::DuplicateKey, ErrorKind::NotAnObject];
        if listed.contains(&error.kind()) { Ok(()) } else { Err(format!("{error:?}")) }
    });
    assert!(
        tally.accepted.get() > 2000 && tally.stricter.get() > 200,
        "the generator makes too few documents of a kind"
    );
}

#[derive(Clone, Debug)]
enum Damage {
    Replace(Index, u8),
    Flip(Index, u8),
    Insert(Index, u8),
    Remove(Index),
    Truncate(Index),
    Repeat(Index, usize),
}

impl Damage {
    fn to(&self, text: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        match self {
            Damage::Replace(at, byte) => {
                let at = at.index(text.len());
                text[at] = *byte;
            }
            Damage::Flip(at, bit) => {
                let at = at.index(text.len());
                text[at] ^= 1 << bit;
            }
            Damage::Insert(at, byte) => text.insert(at.index(text.len()), *byte),
            Damage::Remove(at) => drop(text.remove(at.index(text.len()))),
            Damage::Truncate(at) => text.truncate(at.index(text.len())),
            Damage::Repeat(at, length) => {
                let at = at.index(text.len());
                let piece = text[at..text.len().min(at + length)].to_vec();
                text.splice(at..at, piece);
            }
        }
    }
}

fn damage() -> impl Strategy<Value = Damage> {
    let byte = || {
        let telling = b"{}[]\",:\\/0123456789-+.eEutfnrb \n\t\x00\x1f\x7f\x80\xc2\xe2\xed\xf4\xff".to_vec();
        prop_oneof![3 => select(telling), 1 => any::<u8>()]
    };
    prop_oneof![
        (any::<Index>(), byte()).prop_map(|(at, byte)| Damage::Replace(at, byte)),
        (any::<Index>(), 0_u8..8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        (any::<Index>(), byte()).prop_map(|(at, byte)| Damage::Insert(at, byte)),
        any::<Index>().prop_map(Damage::Remove),
        any::<Index>().prop_map(Damage::Truncate),
        (any::<Index>(), 1_usize..12).prop_map(|(at, length)| Damage::Repeat(at, length)),
    ]
}

#[test]
fn a_damaged_document_is_read_as_serde_json_reads_it_or_refused_and_nothing_panics() {
    let tally = Tally::default();
    for_all(6000, &(spelled_document(), vec(damage(), 1..4)), |(text, damages)| {
        let mut text = text.into_bytes();
        damages.iter().for_each(|damage| damage.to(&mut text));
        agrees(&text, &tally).map_err(|problem| format!("{problem}\n{}", String::from_utf8_lossy(&text)))
    });
    assert!(
        tally.accepted.get() > 200 && tally.refused.get() > 2500,
        "{tally:?}: the damage is too small or too great"
    );
}

#[test]
fn bytes_that_are_no_json_at_all_never_panic() {
    let tally = Tally::default();
    let telling = select(b"{}[]\":,\\u0dD8eE-+. tfn\x00\x80\xe2".to_vec());
    let bytes = vec(prop_oneof![5 => telling.boxed(), 1 => any::<u8>().boxed()], 0..24);
    for_all(20_000, &bytes, |bytes| agrees(&bytes, &tally));
    for_all(20_000, &bytes, |bytes| agrees(&[b"{\"", bytes.as_slice(), b"\":1}"].concat(), &tally));
}

// --------------------------------------------------------------------------------------------------------- numbers

#[test]
fn a_number_is_kept_to_the_bit_or_refused_and_what_can_be_kept_is_never_refused() {
    let (kept, refused) = (Cell::new(0), Cell::new(0));
    for_all(6000, &spelled_number(), |literal| {
        let float: f64 = literal.parse().unwrap();
        match parse(format!("{{\"k\":{literal}}}")) {
            Err(error) => {
                count(&refused);
                match error.kind() {
                    ErrorKind::NumberNotExact if !is_its_own_shortest(&literal) => Ok(()),
                    ErrorKind::NumberOutOfRange if float.is_infinite() => Ok(()),
                    _ => Err(format!("{error:?}")),
                }
            }
            Ok(tree) => {
                count(&kept);
                let exact = match tree.get("k") {
                    Some(Value::Int(number)) => literal.parse() == Ok(*number),
                    Some(Value::Float(number)) => {
                        number.to_bits() == float.to_bits() && literal.parse::<i64>() != Ok(1)
                    }
                    _ => false,
                };
                let again =
                    parse(write(&tree, Indent::Tab)).map_err(|error| format!("written, but refused: {error}"))?;
                if exact && same_maps(&tree, &again) { Ok(()) } else { Err(write(&tree, Indent::Tab)) }
            }
        }
    });
    assert!(kept.get() > 3000 && refused.get() > 500, "{kept:?} kept, {refused:?} refused");
}

#[test]
fn digits_that_a_float_cannot_hold_are_refused() {
    for literal in [
        "9223372036854775808",
        "-9223372036854775809",
        "18446744073709551615",
        "9007199254740993.0",
        "0.1234567890123456789",
        "3.14159265358979323846",
        "123456789012345678901234567890",
        "1e-400",
        "-1e-325",
        "0.30000000000000004449",
    ] {
        let error = refusal(format!("{{\"a\": [0, {literal}]}}"));
        assert_eq!(error.kind(), ErrorKind::NumberNotExact, "{literal}");
        assert_eq!(error.path().to_string(), r#"["a"][1]"#);
        assert!(!error.to_string().contains(literal), "{error}");
    }
    for literal in ["1e309", "-1e400", "1e999999999999999999999"] {
        assert_eq!(refusal(format!("{{\"a\": {literal}}}")).kind(), ErrorKind::NumberOutOfRange, "{literal}");
    }
}

#[test]
fn an_integer_is_an_integer_and_every_other_number_is_a_float() {
    for (literal, value) in [
        ("0", Value::Int(0)),
        ("-9223372036854775808", Value::Int(i64::MIN)),
        ("9223372036854775807", Value::Int(i64::MAX)),
        ("-0", Value::Float(-0.0)),
        ("0e99999", Value::Float(0.0)),
        ("-0.000E-99999", Value::Float(-0.0)),
        ("1.0", Value::Float(1.0)),
        ("1E2", Value::Float(100.0)),
        ("100000000000000000000", Value::Float(1e20)),
        ("2.50", Value::Float(2.5)),
        ("5e-324", Value::Float(5e-324)),
        ("5.684341886080802e-14", Value::Float(5.684_341_886_080_802e-14)),
    ] {
        let tree = parse(format!("{{\"k\":{literal}}}")).unwrap();
        let read = tree.get("k").unwrap();
        assert!(*read == value && same(read, &value), "{literal} is read as {}", write(&tree, Indent::Tab));
    }
}

// --------------------------------------------------------------------------------------------------------- writing

fn text() -> impl Strategy<Value = String> {
    let telling = select("\u{0}\u{1}\u{8}\t\n\u{b}\u{c}\r\u{1f} \"\\/<>&'\u{7f}\u{80}\u{2027}\u{2028}\u{2029}\u{202a}\u{201c}\u{e2}\u{feff}\u{fffd}\u{1f600}".chars().collect::<Vec<_>>());
    vec(prop_oneof![telling.boxed(), any::<char>().boxed()], 0..10)
        .prop_map(|characters| characters.into_iter().collect())
}

fn value() -> impl Strategy<Value = Value> {
    let float = prop_oneof![
        any::<u64>().prop_map(f64::from_bits),
        any::<i32>().prop_map(f64::from),
        (any::<i64>(), -30..30).prop_map(|(digits, exponent)| format!("{digits}e{exponent}").parse().unwrap()),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        float.prop_filter("no file holds it", |number| number.is_finite()).prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![vec(inner.clone(), 0..6).prop_map(Value::from), tree(inner).prop_map(Value::from)]
    })
}

fn tree(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Map> {
    vec((text(), value), 0..6).prop_map(Map::from_iter)
}

fn indent() -> impl Strategy<Value = Indent> {
    prop_oneof![Just(Indent::Tab), (0_u8..9).prop_map(Indent::Spaces)]
}

#[test]
fn what_is_written_is_read_again_as_the_same_tree_by_this_crate_and_by_serde_json() {
    for_all(3000, &(tree(value()), indent()), |(tree, indent)| {
        let written = write(&tree, indent);
        let again = parse(&written).map_err(|error| format!("{error}\n{written}"))?;
        if !same_maps(&tree, &again) {
            return Err(format!("another tree:\n{written}\n{}", write(&again, indent)));
        }
        if write(&again, indent) != written {
            return Err(format!("another text:\n{written}\n{}", write(&again, indent)));
        }
        match serde_json::from_str::<Node>(&written) {
            Ok(Node::Object(theirs)) if equal_maps(&again, &theirs) => Ok(()),
            other => Err(format!("serde_json reads {other:?}\n{written}")),
        }
    });
}

#[test]
fn one_value_alone_is_written_as_it_stands_in_a_file() {
    for (value, expected) in [
        (Value::from(vec![Value::from(1), Value::from("a\"b")]), "[\n  1,\n  \"a\\\"b\"\n]"),
        (Value::from(vec![]), "[]"),
        (Value::from("a\"b"), "a\"b"),
        (Value::from(1.0), "1"),
        (Value::from(true), "true"),
        (Value::Null, "null"),
        (Value::from(one(1)), "{\n  \"k\": 1\n}\n"),
    ] {
        let written = Format::Json.write_value(&value, Indent::Spaces(2)).unwrap();
        assert_eq!(String::from_utf8_lossy(&written), expected);
    }
}

#[test]
fn strings_are_escaped_as_sops_escapes_them() {
    for (text, spelled) in [
        ("", ""),
        ("\"\\/", "\\\"\\\\/"),
        ("\u{8}\u{c}\n\r\t", "\\b\\f\\n\\r\\t"),
        ("\u{0}\u{1}\u{b}\u{1f}", "\\u0000\\u0001\\u000b\\u001f"),
        ("<a href='x'>&</a>", "\\u003ca href='x'\\u003e\\u0026\\u003c/a\\u003e"),
        ("\u{2028}\u{2029}", "\\u2028\\u2029"),
        ("x\u{2028}", "x\\u2028"),
        ("\u{2027}\u{202a}\u{201c}q\u{201d}\u{20ac}\u{2603}", "\u{2027}\u{202a}\u{201c}q\u{201d}\u{20ac}\u{2603}"),
        ("\u{201c}\u{2028}\u{201d}<", "\u{201c}\\u2028\u{201d}\\u003c"),
        ("\u{7f}\u{80}\u{9f}\u{a0}", "\u{7f}\u{80}\u{9f}\u{a0}"),
        ("\u{e2}\u{80}\u{a8}", "\u{e2}\u{80}\u{a8}"),
        ("é😀\u{feff}\u{fffd}\u{10ffff}", "é😀\u{feff}\u{fffd}\u{10ffff}"),
        ("=+%$#@!`~", "=+%$#@!`~"),
    ] {
        assert_eq!(write(&one(text), Indent::Tab), format!("{{\n\t\"k\": \"{spelled}\"\n}}\n"), "{text:?}");
        let as_key = Map::from_iter([(text, Value::Null)]);
        assert_eq!(write(&as_key, Indent::Tab), format!("{{\n\t\"{spelled}\": null\n}}\n"), "{text:?} as a key");
        assert_eq!(parse(write(&as_key, Indent::Tab)).unwrap(), as_key);
    }
}

#[test]
#[allow(clippy::excessive_precision, reason = "the digits of the float, all of them")]
fn numbers_are_spelled_as_sops_spells_them() {
    for (value, spelled) in [
        (Value::Int(0), "0"),
        (Value::Int(i64::MIN), "-9223372036854775808"),
        (Value::Int(i64::MAX), "9223372036854775807"),
        (Value::Float(1.0), "1"),
        (Value::Float(-1.0), "-1"),
        (Value::Float(1.5), "1.5"),
        (Value::Float(0.1), "0.1"),
        (Value::Float(0.0), "0"),
        (Value::Float(-0.0), "-0"),
        (Value::Float(100.0), "100"),
        (Value::Float(0.000_001), "0.000001"),
        (Value::Float(0.000_001_5), "0.0000015"),
        (Value::Float(0.000_000_999), "9.99e-7"),
        (Value::Float(1e-7), "1e-7"),
        (Value::Float(-2.5e-8), "-2.5e-8"),
        (Value::Float(1e-10), "1e-10"),
        (Value::Float(1e20), "100000000000000000000"),
        (Value::Float(999_999_999_999_999_868_928.0), "999999999999999900000"),
        (Value::Float(1e21), "1e+21"),
        (Value::Float(-1.25e21), "-1.25e+21"),
        (Value::Float(1e300), "1e+300"),
        (Value::Float(f64::MAX), "1.7976931348623157e+308"),
        (Value::Float(f64::MIN_POSITIVE), "2.2250738585072014e-308"),
        (Value::Float(5e-324), "5e-324"),
        (Value::Float(0.1 + 0.2), "0.30000000000000004"),
        // Halfway between two decimals that both read back as it: Go takes the even one.
        (Value::Float(900_719_925_474_099.25), "900719925474099.2"),
        (Value::Float(1_928_433_846_744_078.25), "1928433846744078.2"),
        (Value::Float(-1_928_433_846_744_078.75), "-1928433846744078.8"),
        (Value::Float(562_949_953_421_312.625), "562949953421312.6"),
    ] {
        assert_eq!(write(&one(value), Indent::Tab), format!("{{\n\t\"k\": {spelled}\n}}\n"));
    }
}

#[test]
fn one_item_stands_on_a_line_and_nothing_in_empty_brackets() {
    let tree = parse(r#"{"z":{},"a":[],"m":{"x":[1,{"y":null},[[]],[true,false]],"":{"":""}}}"#).unwrap();
    let lines = [
        (0, "{"),
        (1, r#""z": {},"#),
        (1, r#""a": [],"#),
        (1, r#""m": {"#),
        (2, r#""x": ["#),
        (3, "1,"),
        (3, "{"),
        (4, r#""y": null"#),
        (3, "},"),
        (3, "["),
        (4, "[]"),
        (3, "],"),
        (3, "["),
        (4, "true,"),
        (4, "false"),
        (3, "]"),
        (2, "],"),
        (2, r#""": {"#),
        (3, r#""": """#),
        (2, "}"),
        (1, "}"),
        (0, "}"),
    ];
    for (indent, unit) in
        [(Indent::Tab, "\t"), (Indent::Spaces(0), ""), (Indent::Spaces(2), "  "), (Indent::Spaces(4), "    ")]
    {
        let expected: String = lines.iter().map(|(level, line)| format!("{}{line}\n", unit.repeat(*level))).collect();
        assert_eq!(write(&tree, indent), expected, "{indent:?}");
    }
    assert_eq!(write(&Map::new(), Indent::Tab), "{}\n");
}

#[test]
fn what_json_cannot_hold_is_refused_with_its_path() {
    for (value, kind) in [
        (Value::Bytes(Bytes::from(vec![0xff, 0xfe])), ErrorKind::NotRepresentable),
        (Value::Comment("a comment".into()), ErrorKind::NotRepresentable),
        (Value::Float(f64::NAN), ErrorKind::NumberOutOfRange),
        (Value::Float(f64::INFINITY), ErrorKind::NumberOutOfRange),
        (Value::Float(f64::NEG_INFINITY), ErrorKind::NumberOutOfRange),
    ] {
        let tree = Map::from_iter([("a", Value::from(vec![Value::Null, Value::from(one(value))]))]);
        let error = Format::Json.write(&tree, Indent::Tab).unwrap_err();
        assert_eq!((error.kind(), error.path().to_string().as_str()), (kind, r#"["a"][1]["k"]"#));
    }
}

// ----------------------------------------------------------------------------------------------------------- refusals

#[test]
fn an_error_says_what_is_wrong_and_on_which_line_and_column() {
    use ErrorKind::{
        DuplicateKey, LoneSurrogate, NotAnObject, NotUtf8, NumberNotExact, NumberOutOfRange, Syntax, TrailingData,
    };
    type Case = (&'static [u8], ErrorKind, (usize, usize), &'static str);
    let cases: &[Case] = &[
        (b"x", Syntax, (1, 1), ""),
        (b"}", Syntax, (1, 1), ""),
        (b"\n\n  [1]", NotAnObject, (3, 3), ""),
        (b" \"text\"", NotAnObject, (1, 2), ""),
        (b"-1", NotAnObject, (1, 1), ""),
        (b"null", NotAnObject, (1, 1), ""),
        (b"{", Syntax, (1, 2), ""),
        (b"{a: 1}", Syntax, (1, 2), ""),
        (b"{'a': 1}", Syntax, (1, 2), ""),
        (b"{1: 1}", Syntax, (1, 2), ""),
        (b"{,}", Syntax, (1, 2), ""),
        (b"{\"a\" 1}", Syntax, (1, 6), r#"["a"]"#),
        (b"{\"a\":}", Syntax, (1, 6), r#"["a"]"#),
        (b"{\"a\":\n\t// why\n1}", Syntax, (2, 2), r#"["a"]"#),
        (b"{\"a\":1,}", Syntax, (1, 8), ""),
        (b"{\"a\":1 \"b\":2}", Syntax, (1, 8), ""),
        (b"{\"a\":1;\"b\":2}", Syntax, (1, 7), ""),
        (b"{\"a\":[1,2,]}", Syntax, (1, 11), r#"["a"][2]"#),
        (b"{\"a\":[1 2]}", Syntax, (1, 9), r#"["a"]"#),
        (b"{\"a\":[1}", Syntax, (1, 8), r#"["a"]"#),
        (b"{\"a\":{\"b\":[\n1,\n {\"c\": tru}]}}", Syntax, (3, 8), r#"["a"]["b"][1]["c"]"#),
        (b"{\"a\": nul", Syntax, (1, 7), r#"["a"]"#),
        (b"{\"a\": True}", Syntax, (1, 7), r#"["a"]"#),
        (b"{\"a\": nulll}", Syntax, (1, 11), ""),
        (b"{\"a\": NaN}", Syntax, (1, 7), r#"["a"]"#),
        (b"{\"a\": Infinity}", Syntax, (1, 7), r#"["a"]"#),
        (b"{\"a\": +1}", Syntax, (1, 7), r#"["a"]"#),
        (b"{\"a\": .5}", Syntax, (1, 7), r#"["a"]"#),
        (b"{\"a\": \"x\ny\"}", Syntax, (1, 9), r#"["a"]"#),
        (b"{\"a\": \"x\\n\ty\"}", Syntax, (1, 11), r#"["a"]"#),
        (b"{\"a\": \"\\x41\"}", Syntax, (1, 8), r#"["a"]"#),
        (b"{\"a\": \"ab\\u12g4\"}", Syntax, (1, 10), r#"["a"]"#),
        (b"{\"a\": \"\\u12\"}", Syntax, (1, 8), r#"["a"]"#),
        (b"{\"a\": \"\\u+123\"}", Syntax, (1, 8), r#"["a"]"#),
        (b"{\"a\": \"\\ud83d\"}", LoneSurrogate, (1, 8), r#"["a"]"#),
        (b"{\"a\": \"ab\\ude00\"}", LoneSurrogate, (1, 10), r#"["a"]"#),
        (b"{\"a\": \"\\ud83d\\ud83d\"}", LoneSurrogate, (1, 8), r#"["a"]"#),
        (b"{\"a\": \"\\ud83dx\"}", LoneSurrogate, (1, 8), r#"["a"]"#),
        (b"{\"a\": \"\\ud83d\\n\"}", LoneSurrogate, (1, 8), r#"["a"]"#),
        (b"{\"a\": 1}\n{\"b\": 2}", TrailingData, (2, 1), ""),
        (b"{\"a\": 1}}", TrailingData, (1, 9), ""),
        (b"{\"a\": 1}\0", TrailingData, (1, 9), ""),
        (b"{\"a\": 1, \"a\": 2}", DuplicateKey, (1, 10), r#"["a"]"#),
        (b"{\"a\": {\"b\": 1,\r\n  \"c\": 2,\r\n  \"\\u0062\": 3}}", DuplicateKey, (3, 3), r#"["a"]["b"]"#),
        (b"{\"\": 1, \"\": 1}", DuplicateKey, (1, 9), r#"[""]"#),
        (b"{\"a\": [\n\n   12345678901234567890]}", NumberNotExact, (3, 4), r#"["a"][0]"#),
        (b"{\"a\": 1e999}", NumberOutOfRange, (1, 7), r#"["a"]"#),
        ("{\"é\": \"ü\", \"é\": 1}".as_bytes(), DuplicateKey, (1, 14), r#"["é"]"#),
        (b"{\"a\":\n\"\xff\"}", NotUtf8, (2, 2), ""),
        (b"{\"a\": \"\xed\xa0\x80\"}", NotUtf8, (1, 8), ""),
        (b"{\"a\": \"\xc0\xaf\"}", NotUtf8, (1, 8), ""),
    ];
    for (text, kind, (line, column), path) in cases {
        let shown = String::from_utf8_lossy(text);
        let error = refusal(text);
        let position = error.position().map(|position| (position.line, position.column));
        assert_eq!((error.kind(), position), (*kind, Some((*line, *column))), "{shown}");
        assert_eq!(error.path().to_string(), *path, "{shown}");
    }
}

#[test]
fn a_number_must_be_spelled_as_json_spells_it() {
    for literal in
        ["01", "-01", "00", "-", "1.", "1.e5", "-.5", "1e", "1e+", "1E-", "--1", "1.5.2", "0x10", "1_000", "1,5"]
    {
        assert_eq!(refusal(format!("{{\"k\":{literal}}}")).kind(), ErrorKind::Syntax, "{literal}");
    }
}

#[test]
fn nothing_an_empty_file_and_a_file_of_another_encoding_have_answers_of_their_own() {
    for (bytes, kind) in [
        (b"".as_slice(), ErrorKind::EmptyInput),
        (b" \r\n\t ", ErrorKind::EmptyInput),
        (b"\xef\xbb\xbf{}", ErrorKind::ByteOrderMark),
        (b"\xff\xfe{\0}\0", ErrorKind::NotUtf8),
        (b"\xfe\xff\0{\0}", ErrorKind::NotUtf8),
    ] {
        assert_eq!(refusal(bytes).kind(), kind, "{bytes:?}");
    }
    // White space is what JSON calls so, and nothing else.
    for space in ["\u{b}", "\u{c}", "\u{a0}", "\u{2028}", "\u{feff}", "\0"] {
        assert_eq!(refusal(format!("{{{space}}}")).kind(), ErrorKind::Syntax, "{space:?}");
        assert_eq!(refusal(format!("{{}}{space}")).kind(), ErrorKind::TrailingData, "{space:?}");
    }
}

#[test]
fn every_prefix_of_a_document_is_refused() {
    let text = "{\"a\": [1, -2.5e+3, true, null, \"x\\n\\ud83d\\ude00é😀\\\\\", {}, []], \"b\": {\"c\\\"\": false, \"\": 0.5}}";
    parse(text).unwrap();
    for end in 0..text.len() {
        let error = refusal(&text.as_bytes()[..end]);
        let expected: &[ErrorKind] = match end {
            0 => &[ErrorKind::EmptyInput],
            _ if !text.is_char_boundary(end) => &[ErrorKind::NotUtf8],
            _ => &[ErrorKind::Syntax, ErrorKind::LoneSurrogate],
        };
        assert!(expected.contains(&error.kind()), "{:?}: {error:?}", &text.as_bytes()[..end]);
    }
}

#[test]
fn a_document_may_be_as_deep_as_the_limit_and_no_deeper() {
    let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
    let objects = |depth: usize| format!("{}{}{}", "{\"a\":".repeat(depth - 1), "{}", "}".repeat(depth - 1));
    for text in [nested(MAX_DEPTH), objects(MAX_DEPTH)] {
        let tree = parse(&text).unwrap();
        assert_eq!(parse(write(&tree, Indent::Tab)).unwrap(), tree);
    }
    for text in [nested(MAX_DEPTH + 1), objects(MAX_DEPTH + 1)] {
        let error = refusal(&text);
        assert_eq!(error.kind(), ErrorKind::TooDeep);
        assert_eq!(error.path().segments().len(), MAX_DEPTH);
    }
    // Neighbours do not add up.
    parse(format!("{{\"a\":[{}1]}}", "[[]],{\"b\":[]},".repeat(1000))).unwrap();
}

// -------------------------------------------------------------------------------------------------------- hostile text

#[test]
fn hostile_nesting_is_refused_at_the_limit() {
    for (open, kind) in [("[", ErrorKind::NotAnObject), ("{\"\":", ErrorKind::TooDeep), ("{\"\":[", ErrorKind::TooDeep)]
    {
        let mut text = open.repeat(100_000_000 / open.len()).into_bytes();
        assert_eq!(refusal(&text).kind(), kind);
        text.splice(0..0, *b"{\"a\":[");
        assert_eq!(refusal(&text).kind(), ErrorKind::TooDeep);
    }
}

#[test]
fn hostile_numbers_are_answered() {
    const MANY: usize = 1_000_000;
    let ones = "1".repeat(MANY);
    let zeros = "0".repeat(MANY);
    for (literal, answer) in [
        (ones.clone(), Err(ErrorKind::NumberOutOfRange)),
        (format!("-{ones}"), Err(ErrorKind::NumberOutOfRange)),
        (format!("0.{ones}"), Err(ErrorKind::NumberNotExact)),
        (format!("0.{zeros}1"), Err(ErrorKind::NumberNotExact)),
        (format!("1e{ones}"), Err(ErrorKind::NumberOutOfRange)),
        (format!("1e-{ones}"), Err(ErrorKind::NumberNotExact)),
        (zeros.clone(), Err(ErrorKind::Syntax)),
        (format!("1e{zeros}"), Ok(1.0)),
        (format!("1.{zeros}"), Ok(1.0)),
        (format!("0e{ones}"), Ok(0.0)),
    ] {
        let read = parse(format!("{{\"k\":{literal}}}")).map(|tree| tree.get("k").and_then(Value::as_f64).unwrap());
        let shown = format!("{}…{}", &literal[..4], &literal[literal.len() - 10..]);
        assert_eq!(read.map_err(|error| error.kind()), answer, "{shown}");
    }
    // Many digits and a great exponent that undoes them: the right number or a refusal, but never another number.
    for (literal, number) in [
        (format!("1{zeros}e-{MANY}"), 1.0),
        (format!("0.{zeros}1e{}", MANY + 1), 1.0),
        (format!("1{}e-{MANY}", "0".repeat(100_000)), 0.0),
        (format!("0.{}1e{MANY}", "0".repeat(99_999)), f64::INFINITY),
    ] {
        let read = parse(format!("{{\"k\":{literal}}}")).map(|tree| tree.get("k").and_then(Value::as_f64).unwrap());
        assert!(
            read.as_ref().is_err() || read.as_ref().is_ok_and(|read| *read == number),
            "{read:?} instead of {number}"
        );
    }
    let many = format!("{{\"k\":[{}1]}}", "1e-7,".repeat(MANY / 10));
    parse(many).unwrap();
}

#[test]
fn hostile_strings_are_answered() {
    const MANY: usize = 1_000_000;
    let backslashes = "\\".repeat(2 * MANY);
    let tree = parse(format!("{{\"k\":\"{backslashes}\"}}")).unwrap();
    assert_eq!(tree.get("k").and_then(Value::as_str), Some("\\".repeat(MANY).as_str()));
    assert_eq!(write(&tree, Indent::Tab).len(), 2 * MANY + "{\n\t\"k\": \"\"\n}\n".len());
    for unclosed in ["\\\\", "\\\"", "a", "\\u0041", "\u{e9}"] {
        let error = refusal(format!("{{\"k\":\"{}", unclosed.repeat(MANY)));
        assert_eq!(error.kind(), ErrorKind::Syntax, "{unclosed}");
    }
    assert_eq!(refusal(format!("{{\"k\":\"{}\\", "\\\\".repeat(MANY))).kind(), ErrorKind::Syntax);
    assert_eq!(refusal(format!("{{\"k\":\"{}\"}}", "\\ud800".repeat(MANY))).kind(), ErrorKind::LoneSurrogate);
    let pairs = parse(format!("{{\"k\":\"{}\"}}", "\\ud83d\\ude00".repeat(MANY))).unwrap();
    assert_eq!(pairs.get("k").and_then(Value::as_str).map(str::len), Some(4 * MANY));
}

#[test]
fn hostile_objects_are_answered() {
    const MANY: usize = 1_000_000;
    let repeated = format!("{{{}\"\":1}}", "\"\":1,".repeat(MANY));
    let error = refusal(repeated);
    assert_eq!((error.kind(), error.position().unwrap().column), (ErrorKind::DuplicateKey, 7));
    let late: String = (0..200_000).map(|number| format!("\"{number}\":{{}},")).collect();
    let error = refusal(format!("{{{late}\"7\":1}}"));
    assert_eq!((error.kind(), error.path().to_string().as_str()), (ErrorKind::DuplicateKey, r#"["7"]"#));
    assert_eq!(parse(format!("{{{late}\"\":1}}")).unwrap().len(), 200_001);
    let long = "k".repeat(MANY);
    assert_eq!(refusal(format!("{{\"{long}\":1,\"{long}\":2}}")).kind(), ErrorKind::DuplicateKey);
    assert_eq!(refusal(format!("{{\"a\":[{}", "1,".repeat(MANY))).kind(), ErrorKind::Syntax);
    assert_eq!(refusal(format!("{{\"a\":1{}", ",".repeat(MANY))).kind(), ErrorKind::Syntax);
    assert_eq!(refusal(format!("{}x", "\n".repeat(MANY))).position().unwrap().line, MANY + 1);
}
